//! What is too long for the gate: `scripts/deep.sh` runs these, one after another, and makes a table of what they print.
//!
//! ```text
//! cargo test --release --test deep -- --nocapture kills        one part
//! COLUMBA_DEEP_KILLS=20 cargo test --release --test deep kills  a smaller one
//! ```

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod disk;
mod flood;
mod kills;
mod lists;
mod outages;
#[allow(dead_code, reason = "the gate's tests use the rest")]
#[path = "../it/support/mod.rs"]
mod support;

/// A size from the environment, so that a part can be run at a smaller one.
fn size(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// The seed of this run, printed by whoever uses it.
fn seed() -> u64 {
    size("COLUMBA_DEEP_SEED", 1)
}
