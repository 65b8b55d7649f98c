//! Claim, attempt, settle and two receipts, over the sandbox network in the same process: what a message costs from
//! `queued` to `read`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::accept::requests;
use super::generator::send;
use super::support::server::{Folder, Tenant};
use super::support::stores::Parts;

const TENANTS: usize = 50;
const SESSIONS: usize = 4;
const MESSAGES: usize = 20_000;
const CONNECTIONS: usize = 64;
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// On either set.
pub fn run() {
    let folder = Folder::new();
    on("SQLite", &folder, &Parts::embedded());
    let folder = Folder::new();
    on("PostgreSQL and Redis", &folder, &Parts::production(folder.path()));
}

fn on(set: &str, folder: &Folder, parts: &Parts) {
    let server = folder.start(&parts.given());
    let used = || parts.counted(&server.process).iter().map(|(_, process)| process.cpu()).collect::<Vec<_>>();
    let tenants = server.tenants(TENANTS, SESSIONS);
    server.all(&tenants, "stop", "stopped");
    send(&requests(&server, &tenants, false), CONNECTIONS, MESSAGES, 0);

    let (begun, before) = (Instant::now(), used());
    server.all(&tenants, "start", "connected");
    let (online, connecting) = (begun.elapsed(), server.process.cpu() - before[0]);
    for tenant in &tenants {
        for status in ["queued", "sending", "sent", "delivered"] {
            while has(tenant, status) {
                sleep(LOOK_AGAIN);
            }
        }
    }
    let (wall, after) = (begun.elapsed(), used());
    let each = before
        .iter()
        .zip(after)
        .map(|(before, after)| (after - *before).as_secs_f64() * 1e6 / MESSAGES as f64);
    let named = parts.counted(&server.process).into_iter().zip(each);
    let named: Vec<_> = named.map(|((name, _), us)| format!("{name} {us:.1}")).collect();
    let sent: u64 =
        server.sessions().iter().map(|record| record["counters"]["sent"].as_u64().expect("a count")).sum();
    assert_eq!(sent, MESSAGES as u64, "every message was sent");
    println!(
        "sending, {set}, {MESSAGES} messages over {} sessions, queued to read: us CPU each {}, {:.0}/s, {:.1} s \
         (of which connecting {:.1} s, {:.1} s CPU)",
        TENANTS * SESSIONS,
        named.join(" + "),
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
