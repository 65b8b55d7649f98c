//! Records as the API shows them, where more than one resource does.

pub mod message;
pub mod session;
