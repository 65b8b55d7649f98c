//! What a session costs that is paired, connected and has nothing to do: resident memory of the real program as the
//! slope from a thousand to six thousand of them, and CPU while five thousand are probed every half minute. The
//! simulated network is in the same process, so its share is in the figures.
//!
//!     cargo bench --locked --bench idle_sessions                    # about six minutes
//!     cargo bench --locked --bench idle_sessions -- 200 1000 1200   # with these numbers of sessions instead

#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::http::Api;
use support::process::raise_open_files;
use support::server::{Folder, PLAN, Server};

/// Sessions of one tenant.
const OF_ONE: usize = 10;
/// Callers that create sessions at once.
const CALLERS: usize = 16;
/// What follows a connect is over by then: recovery, the first probe.
const SETTLED: Duration = Duration::from_secs(45);
/// Every session is probed twice in it.
const WATCHED: Duration = Duration::from_secs(66);

/// Adds sessions until there are `wanted`.
fn grow(server: &Server, from: usize, wanted: usize) {
    let begun = Instant::now();
    let next = AtomicUsize::new(from / OF_ONE);
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            let (next, operator) = (&next, server.operator.again());
            scope.spawn(move || {
                while next.fetch_add(1, Ordering::Relaxed) < wanted / OF_ONE {
                    let tenant = Api::new(&operator.address, &operator.tenant_of(PLAN));
                    let sessions: Vec<String> = (0..OF_ONE).map(|_| tenant.session()).collect();
                    sessions.iter().for_each(|session| tenant.pair(session));
                    sessions.iter().for_each(|session| tenant.until(session, "connected"));
                }
            });
        }
    });
    println!("{wanted} sessions connected after {:.0} s", begun.elapsed().as_secs_f64());
    std::thread::sleep(SETTLED);
}

fn main() {
    raise_open_files();
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let [few, watched, many] = given[..] else { return run(1_000, 5_000, 6_000) };
    run(few, watched, many);
}

fn run(few: usize, watched: usize, many: usize) {
    let folder = Folder::new();
    let server = folder.start(&[]);
    server.operator.plan(PLAN);
    grow(&server, 0, few);
    let with_few = server.process.resident_kib();
    grow(&server, few, watched);
    let (begun, before) = (Instant::now(), server.process.cpu());
    std::thread::sleep(WATCHED);
    let share = (server.process.cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    grow(&server, watched, many);
    let with_many = server.process.resident_kib();
    let slope = (with_many as f64 - with_few as f64) / (many - few) as f64;
    println!(
        "resident: {with_few} KiB with {few}, {with_many} KiB with {many}: {slope:.1} KiB per idle session"
    );
    println!("idle CPU: {:.2} % of a core with {watched} sessions probed every 30 s", share * 100.0);
}
