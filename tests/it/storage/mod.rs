//! Adapters that keep things.

mod vault;
