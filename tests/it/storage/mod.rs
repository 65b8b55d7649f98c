//! Adapters that keep things.

#[macro_use]
pub mod contract;
mod embedded;
mod sql;
mod vault;
