//! Adapters that keep things.

#[macro_use]
pub mod contract;
mod embedded;
mod media;
mod redis;
mod shared;
mod sql;
mod vault;
