//! Adapters that keep things, named by their technology. Blind to `transport` and to everything above the ports.

pub mod embedded;
pub mod media;
pub mod memory;
pub mod redis;
pub mod sql;
pub mod vault;
