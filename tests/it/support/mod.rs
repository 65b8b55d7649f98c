//! Adapters for tests, named by what they are made of.

pub mod clock;
pub mod vault;
