//! In this process, what Redis does for several: nothing here is durable, and all of it can be lost and rebuilt.

pub mod edge;
pub mod key_use;
pub mod limits;
pub mod tickets;
