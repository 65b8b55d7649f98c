//! Adapters that keep things.

mod sql;
mod vault;
