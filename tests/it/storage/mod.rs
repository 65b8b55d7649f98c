//! Adapters that keep things.

#[macro_use]
mod contract;
mod embedded;
mod sql;
mod vault;
