//! A restart of a thousand sessions: from the start of the process until every one is connected.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::support::server::{Folder, Server};

const TENANTS: usize = 50;
const SESSIONS: usize = 20;

pub fn run() {
    let folder = Folder::new();
    let server = folder.start(&[]);
    server.tenants(TENANTS, SESSIONS);
    server.process.end();
    // A look costs the server a list of everything, so the slow start is looked at less often.
    for (rate, look_again) in [("1000", Duration::from_millis(50)), ("20", Duration::from_secs(2))] {
        let begun = Instant::now();
        let server = folder.start(&[("COLUMBA__SESSIONS__BOOT_PER_SECOND", rate)]);
        let accepting = begun.elapsed();
        while online(&server) < TENANTS * SESSIONS {
            sleep(look_again);
        }
        let cpu = server.process.cpu();
        println!(
            "restart of {} sessions, {rate} a second: accepting after {:.2} s, all connected after {:.2} s, {:.2} s CPU",
            TENANTS * SESSIONS,
            accepting.as_secs_f64(),
            begun.elapsed().as_secs_f64(),
            cpu.as_secs_f64()
        );
        server.process.end();
    }
}

fn online(server: &Server) -> usize {
    server.sessions().iter().filter(|record| record["status"] == "connected").count()
}
