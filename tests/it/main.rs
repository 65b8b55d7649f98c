//! One integration binary that mirrors `src`. Names are sentences; nothing sleeps to wait: tests await facts.

#![allow(missing_docs, reason = "a test's name is its sentence")]

mod storage;
