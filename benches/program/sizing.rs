//! What sessions ask of PostgreSQL and Redis: an outbound message from `accepted` to `read`, an inbound one, and a connected
//! session that does nothing. `docs/SIZING.md` has what came out.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use super::accept::requests;
use super::generator::send;
use super::support::server::{Folder, Server, Tenant};
use super::support::stores::{Parts, Written};

const TENANTS: usize = 50;
const SESSIONS: usize = 4;
/// One at a time per session, about as many as a quiet fleet has: large batches would flatter.
const MESSAGES: usize = 2_000;
const IDLE: Duration = Duration::from_secs(20);
/// What pairing leaves to be done, vacuuming among it, is done by then.
const SETTLING: Duration = Duration::from_secs(60);
/// PostgreSQL tells what a connection did a second later at the latest.
const TOLD_AFTER: Duration = Duration::from_millis(1_500);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Messages a session sends and hears in a second: two and six in a minute.
const MIX: (f64, f64) = (2.0 / 60.0, 6.0 / 60.0);

/// What was asked of either, in all.
#[derive(Clone, Copy)]
struct Asked {
    written: Written,
    redis: f64,
}

impl Asked {
    fn so_far(server: &Server, parts: &Parts) -> Self {
        sleep(TOLD_AFTER);
        let metrics = server.operator.again().text("/metrics");
        let counts = metrics.lines().filter(|line| line.starts_with("columba_redis_commands_total"));
        let redis = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        Self { written: parts.written(), redis }
    }

    /// Rows, commits, KiB of log and Redis commands since `before`, for each of `count`.
    fn each(self, before: Self, count: f64) -> [f64; 4] {
        let (now, then) = (self.written, before.written);
        [
            (now.rows - then.rows) / count,
            (now.commits - then.commits) / count,
            (now.log_bytes - then.log_bytes) / 1024.0 / count,
            (self.redis - before.redis) / count,
        ]
    }
}

pub fn run() {
    let folder = Folder::new();
    let parts = Parts::production(folder.path());
    let server = folder.start(&parts.given());
    let tenants = server.tenants(TENANTS, SESSIONS);
    let sessions = (TENANTS * SESSIONS) as f64;

    sleep(SETTLING);
    let before = Asked::so_far(&server, &parts);
    let begun = Instant::now();
    sleep(IDLE);
    let after = Asked::so_far(&server, &parts);
    let idle = after.each(before, begun.elapsed().as_secs_f64() * sessions);

    send(&requests(&server, &tenants, false), 8, MESSAGES, 0);
    for tenant in &tenants {
        for status in ["queued", "sending", "sent", "delivered"] {
            while has(tenant, &format!("status={status}")) {
                sleep(LOOK_AGAIN);
            }
        }
    }
    let sent = Asked::so_far(&server, &parts);
    let out = sent.each(after, MESSAGES as f64);

    for number in 0..MESSAGES {
        let tenant = &tenants[number % TENANTS];
        let session = &tenant.sessions[number / TENANTS % SESSIONS];
        let from = format!("+1555{:07}", 1_000_000 + number);
        let message = json!({"session": session, "from": from, "text": "Is it open on Sunday?"});
        tenant.api.call("POST", "/v1/sandbox/messages", Some(&message));
    }
    let heard = || -> u64 {
        let counted = |record: &serde_json::Value| record["counters"]["received"].as_u64().expect("a count");
        server.sessions().iter().map(counted).sum()
    };
    while heard() < MESSAGES as u64 {
        sleep(LOOK_AGAIN);
    }
    let inbound = Asked::so_far(&server, &parts).each(sent, MESSAGES as f64);

    println!("asked of PostgreSQL and Redis    rows   commits  KiB of WAL  Redis commands");
    let line = |name: &str, [rows, commits, log, redis]: [f64; 4]| {
        println!("{name:<30} {rows:>7.3} {commits:>9.3} {log:>11.3} {redis:>15.4}");
    };
    line("an outbound message", out);
    line("an inbound message", inbound);
    line("an idle session, a second", idle);
    let mix: Vec<f64> = (0..4).map(|at| idle[at] + MIX.0 * out[at] + MIX.1 * inbound[at]).collect();
    line("a session of the mix, a second", mix.try_into().expect("four"));
    server.process.end();
}

/// Whether it has a message that is out like this.
fn has(tenant: &Tenant, filter: &str) -> bool {
    let page = tenant.api.call("GET", &format!("/v1/messages?limit=1&direction=out&{filter}"), None);
    page["data"].as_array().is_some_and(|list| !list.is_empty())
}
