//! Adapters for tests, named by what they are made of.

pub mod tokio_clock;
pub mod vault;
