//! Durable accept through the whole HTTP path: 64 connections in a closed loop, 50 tenants, about 190 bytes a body.

use std::time::Duration;

use super::generator::{COUNTER, Target, drive, post};
use super::peer::Peer;
use super::support::process::Process;
use super::support::server::{Folder, Server, Tenant};

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
    cpu: f64,
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
fn prepared(folder: &Folder) -> (Server, Vec<Tenant>) {
    let server = folder.start(&[]);
    let tenants = server.tenants(TENANTS, 1);
    server.all(&tenants, "stop", "stopped");
    (server, tenants)
}

fn round(target: &Target, processes: &[&Process], first: &mut usize) -> Row {
    let cpu = || processes.iter().map(|process| process.cpu()).sum::<Duration>();
    let before = cpu();
    let load = drive(target, CONNECTIONS, ROUND, *first);
    *first += load.requests + CONNECTIONS;
    Row {
        rate: load.rate(),
        p50: load.quantile(0.5),
        p99: load.quantile(0.99),
        cpu: (cpu() - before).as_secs_f64() * 1e6 / load.requests as f64,
    }
}

/// Ours alone.
pub fn alone() {
    for (name, keyed) in [("no key", false), ("idempotency key", true)] {
        let folder = Folder::new();
        let (server, tenants) = prepared(&folder);
        let target = requests(&server, &tenants, keyed);
        let mut first = 0;
        drive(&target, CONNECTIONS, WARM_UP, 900_000_000);
        let mut rows = vec![];
        for _ in 0..ROUNDS {
            rows.push(round(&target, &[&server.process], &mut first));
        }
        show(&format!("accept, {name}"), &rows);
        server.process.end();
    }
}

/// Ours and theirs in turns, each with every store it needs counted.
pub fn against_peers() {
    let folder = Folder::new();
    let (server, tenants) = prepared(&folder);
    let ours = requests(&server, &tenants, false);
    let keyed = requests(&server, &tenants, true);
    let peer = Peer::start(folder.path());
    let theirs = peer.target(&body());
    let mut first = 0;
    for target in [&ours, &keyed, &theirs] {
        drive(target, CONNECTIONS, WARM_UP, first);
        first += 100_000_000;
    }
    let (mut we, mut we_keyed, mut they) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        they.push(round(&theirs, &peer.processes(), &mut first));
        we.push(round(&ours, &[&server.process], &mut first));
        we_keyed.push(round(&keyed, &[&server.process], &mut first));
    }
    let they = show("fastify + BullMQ add", &they);
    for (name, rows) in [("columba, no key", we), ("columba, idempotency key", we_keyed)] {
        let we = show(name, &rows);
        println!(
            "{name}: {:.2} of their CPU, {:.2} of their p99, {:.2} of their rate",
            we.cpu / they.cpu,
            we.p99 / they.p99,
            we.rate / they.rate
        );
    }
    peer.end();
    server.process.end();
}

/// Prints a line of medians with their ranges; the medians.
fn show(name: &str, rows: &[Row]) -> Row {
    let of = |pick: fn(&Row) -> f64| {
        let mut values: Vec<f64> = rows.iter().map(pick).collect();
        values.sort_unstable_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let [rate, p50, p99, cpu] = [of(|row| row.rate), of(|row| row.p50), of(|row| row.p99), of(|row| row.cpu)];
    println!(
        "{name:<26} {:>7.0} req/s [{:.0}-{:.0}]  p50 {:.2} ms  p99 {:.2} ms [{:.2}-{:.2}]  CPU {:.1} us [{:.1}-{:.1}]",
        rate.0, rate.1, rate.2, p50.0, p99.0, p99.1, p99.2, cpu.0, cpu.1, cpu.2
    );
    Row { rate: rate.0, p50: p50.0, p99: p99.0, cpu: cpu.0 }
}
