//! The bridges with real WhatsApp libraries, through the supervisor's adapter, against Columba's testbed: three kinds of
//! processes, no internet. It proves the supervisor and the bridges; how WhatsApp behaves it does not show.
//!
//! `scripts/e2e-real.sh` builds what it needs and names it in the environment.

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod closing;
mod density;
mod exchange;
mod forged;
mod half_open;
mod holding;
mod journey;
mod kills;
mod kinds;
mod media;
mod messages;
mod oracle;
mod pairing;
mod proxy;
mod reasons;
mod rig;
mod stage;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, reason = "the gate's tests use the rest")]
mod support;
