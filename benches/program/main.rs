//! The real program under load: what an accept through HTTP, a message sent, and a restart cost, and
//! what sessions ask of PostgreSQL and Redis.
//!
//!     cargo bench --bench program                 # accept, sending, restart, sizing
//!     cargo bench --bench program -- accept       # one of them
//!     cargo bench --bench program -- peers        # accept, against fastify + BullMQ in turns (see benches/peers)
//!
//! CPU is what the kernel counted for the program (user + system, /proc/PID/stat) from before the load to after it,
//! per unit. The generator runs on the same cores and is not counted. Ratios in one run hold; rates depend on the day.

#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

mod accept;
mod generator;
mod peer;
mod restart;
mod sending;
mod sizing;
#[path = "../support/mod.rs"]
mod support;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name);
    if wants("accept") {
        accept::alone();
    }
    if wants("sending") {
        sending::run();
    }
    if wants("restart") {
        restart::run();
    }
    if wants("sizing") {
        sizing::run();
    }
    if asked.iter().any(|word| word == "peers") {
        accept::against_peers();
    }
}
