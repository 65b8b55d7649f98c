//! One integration binary that mirrors `src`. Names are sentences; nothing sleeps to wait: tests await facts.

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod actors;
mod billing;
mod cli;
mod config;
mod domain;
mod egress;
mod history;
mod http;
mod journeys;
mod layers;
mod semantics;
mod simulation;
mod storage;
#[allow(dead_code, reason = "other test binaries use the rest")]
mod support;
mod transport;
