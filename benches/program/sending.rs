//! Claim, attempt, settle and two receipts, over the sandbox network in the same process: what a message costs from
//! `queued` to `read`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::accept::requests;
use super::generator::send;
use super::support::server::{Folder, Tenant};

const TENANTS: usize = 50;
const SESSIONS: usize = 4;
const MESSAGES: usize = 20_000;
const CONNECTIONS: usize = 64;
const LOOK_AGAIN: Duration = Duration::from_millis(250);

pub fn run() {
    let folder = Folder::new();
    let server = folder.start(&[]);
    let tenants = server.tenants(TENANTS, SESSIONS);
    server.all(&tenants, "stop", "stopped");
    send(&requests(&server, &tenants, false), CONNECTIONS, MESSAGES, 0);

    let (begun, before) = (Instant::now(), server.process.cpu());
    server.all(&tenants, "start", "connected");
    let (online, connecting) = (begun.elapsed(), server.process.cpu() - before);
    for tenant in &tenants {
        for status in ["queued", "sending", "sent", "delivered"] {
            while has(tenant, status) {
                sleep(LOOK_AGAIN);
            }
        }
    }
    let (wall, cpu) = (begun.elapsed(), server.process.cpu() - before);
    let sent: u64 =
        server.sessions().iter().map(|record| record["counters"]["sent"].as_u64().expect("a count")).sum();
    assert_eq!(sent, MESSAGES as u64, "every message was sent");
    println!(
        "sending, {MESSAGES} messages over {} sessions, queued to read: {:.1} us CPU each, {:.0}/s, {:.1} s \
         (of which connecting {:.1} s, {:.1} s CPU)",
        TENANTS * SESSIONS,
        cpu.as_secs_f64() * 1e6 / MESSAGES as f64,
        MESSAGES as f64 / wall.as_secs_f64(),
        wall.as_secs_f64(),
        online.as_secs_f64(),
        connecting.as_secs_f64()
    );
    server.process.end();
}

/// Whether it has a message in this state.
fn has(tenant: &Tenant, status: &str) -> bool {
    let page = tenant.api.call("GET", &format!("/v1/messages?limit=1&status={status}"), None);
    page["data"].as_array().is_some_and(|list| !list.is_empty())
}
