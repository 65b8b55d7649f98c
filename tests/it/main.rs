//! One integration binary that mirrors `src`. Names are sentences; nothing sleeps to wait: tests await facts.

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure message")]

mod support;
mod transport;
