//! Durable accept through the whole HTTP path: 64 connections in a closed loop, 50 tenants, about 190 bytes a body.

use std::time::Duration;

use super::generator::{COUNTER, Target, drive, post};
use super::peer::Peer;
use super::support::process::Process;
use super::support::server::{Folder, Server, Tenant};
use super::support::stores::Parts;

const CONNECTIONS: usize = 64;
pub const TENANTS: usize = 50;
const ROUNDS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(1);
const ROUND: Duration = Duration::from_secs(5);

/// One measured round.
pub struct Row {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Of all processes together.
    cpu: f64,
    /// Of each.
    apart: Vec<(String, f64)>,
}

/// The body of every request.
pub fn body() -> String {
    let text = "Your order 4711 is on its way and will arrive between two and four this afternoon. Reply here if \
                you would rather have it tomorrow.";
    format!(r#"{{"to":"+15{COUNTER}","type":"text","text":{{"body":"{text}"}}}}"#)
}

/// Requests to every session in turns; with a key of its own each, if `keyed`.
pub fn requests(server: &Server, tenants: &[Tenant], keyed: bool) -> Target {
    let headers = if keyed { format!("idempotency-key: order-{COUNTER}\r\n") } else { String::new() };
    let body = body();
    let requests = tenants.iter().flat_map(|tenant| {
        let post =
            |session| post(&format!("/v1/sessions/{session}/messages"), &tenant.api.token, &headers, &body);
        tenant.sessions.iter().map(post)
    });
    Target { address: server.operator.address.parse().expect("an address"), requests: requests.collect() }
}

/// A server with a stopped, paired session per tenant: nothing is sent while accepts are measured.
fn prepared(folder: &Folder, parts: &Parts) -> (Server, Vec<Tenant>) {
    let server = folder.start(&parts.given());
    let tenants = server.tenants(TENANTS, 1);
    server.all(&tenants, "stop", "stopped");
    (server, tenants)
}

fn round(target: &Target, processes: &[(&str, &Process)], first: &mut usize) -> Row {
    let cpu = || processes.iter().map(|(_, process)| process.cpu()).collect::<Vec<Duration>>();
    let before = cpu();
    let load = drive(target, CONNECTIONS, ROUND, *first);
    *first += load.requests + CONNECTIONS;
    let used = cpu().into_iter().zip(before).map(|(after, before)| after - before);
    let each = used.map(|used| used.as_secs_f64() * 1e6 / load.requests as f64);
    let apart: Vec<_> = processes.iter().map(|(name, _)| (*name).to_owned()).zip(each).collect();
    Row {
        rate: load.rate(),
        p50: load.quantile(0.5),
        p99: load.quantile(0.99),
        cpu: apart.iter().map(|(_, used)| used).sum(),
        apart,
    }
}

/// Ours alone, on either set.
pub fn alone() {
    for production in [false, true] {
        for (name, keyed) in [("no key", false), ("idempotency key", true)] {
            let folder = Folder::new();
            let parts = if production { Parts::production(folder.path()) } else { Parts::embedded() };
            let (server, tenants) = prepared(&folder, &parts);
            let target = requests(&server, &tenants, keyed);
            let mut first = 0;
            drive(&target, CONNECTIONS, WARM_UP, 900_000_000);
            let mut rows = vec![];
            for _ in 0..ROUNDS {
                rows.push(round(&target, &parts.counted(&server.process), &mut first));
            }
            let set = if production { "PostgreSQL" } else { "SQLite" };
            show(&format!("accept, {set}, {name}"), &rows);
            server.process.end();
        }
    }
}

/// Ours on either set and theirs in turns, each with every store it needs counted.
pub fn against_peers() {
    let folders = [Folder::new(), Folder::new()];
    let sets = [Parts::embedded(), Parts::production(folders[1].path())];
    let servers: Vec<_> = folders.iter().zip(&sets).map(|(folder, parts)| prepared(folder, parts)).collect();
    let peer = Peer::start(folders[0].path());
    let theirs = peer.target(&body());
    let mut ours = vec![];
    for ((server, tenants), (parts, set)) in servers.iter().zip(sets.iter().zip(["SQLite", "PostgreSQL"])) {
        for (key, keyed) in [("no key", false), ("idempotency key", true)] {
            let target = requests(server, tenants, keyed);
            ours.push((format!("columba, {set}, {key}"), target, parts.counted(&server.process), vec![]));
        }
    }
    let mut first = 0;
    for target in ours.iter().map(|(_, target, ..)| target).chain([&theirs]) {
        drive(target, CONNECTIONS, WARM_UP, first);
        first += 100_000_000;
    }
    let mut they = vec![];
    for _ in 0..ROUNDS {
        they.push(round(&theirs, &peer.processes(), &mut first));
        for (_, target, processes, rows) in &mut ours {
            rows.push(round(target, processes, &mut first));
        }
    }
    let they = show("fastify + BullMQ add", &they);
    for (name, _, _, rows) in ours {
        let we = show(&name, &rows);
        println!(
            "{name}: {:.2} of their CPU, {:.2} of their p99, {:.2} of their rate",
            we.cpu / they.cpu,
            we.p99 / they.p99,
            we.rate / they.rate
        );
    }
    peer.end();
    for (server, _) in servers {
        server.process.end();
    }
}

/// Prints a line of medians with their ranges; the medians.
fn show(name: &str, rows: &[Row]) -> Row {
    let of = |pick: fn(&Row) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(pick).collect();
        values.sort_unstable_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let medians = rows[0].apart.iter().enumerate().map(|(at, (name, _))| {
        let mut values: Vec<f64> = rows.iter().map(|row| row.apart[at].1).collect();
        values.sort_unstable_by(f64::total_cmp);
        (name.clone(), values[values.len() / 2])
    });
    let apart: Vec<(String, f64)> = medians.collect();
    let said: Vec<_> = apart.iter().map(|(name, used)| format!("{name} {used:.1}")).collect();
    let [rate, p50, p99, cpu] = [of(|row| row.rate), of(|row| row.p50), of(|row| row.p99), of(|row| row.cpu)];
    println!(
        "{name:<38} {:>7.0} req/s [{:.0}-{:.0}]  p50 {:.2} ms  p99 {:.2} ms [{:.2}-{:.2}]  CPU {:.1} us [{:.1}-{:.1}]: {}",
        rate.0,
        rate.1,
        rate.2,
        p50.0,
        p99.0,
        p99.1,
        p99.2,
        cpu.0,
        cpu.1,
        cpu.2,
        said.join(" + ")
    );
    Row { rate: rate.0, p50: p50.0, p99: p99.0, cpu: cpu.0, apart }
}
