//! What is judged by the clock, and therefore runs alone: cargo runs one test binary after the other, and these tests
//! take turns.

#![allow(missing_docs, reason = "a test's name is its sentence")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod drain;
mod neighbours;
#[allow(dead_code, reason = "the gate's other tests use the rest")]
#[path = "../it/support/mod.rs"]
mod support;

use futures_util::stream::{self, StreamExt as _};
use tokio::sync::{Mutex, MutexGuard};

use self::support::api::Api;

/// Whoever holds it has the machine.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// So many sessions that are paired and connected.
async fn connected(tenant: &Api, count: usize) -> Vec<String> {
    let sessions = stream::iter(0..count).map(|number| {
        let tenant = tenant.clone();
        async move { tenant.connected(&format!("s{number}")).await }
    });
    sessions.buffer_unordered(16).collect().await
}
