//! What the rate gate costs where Redis keeps it: a slot of a tenant's sum, taken in one script, over 200 tenants.
//!
//!     cargo bench --bench redis
//!
//! CPU per slot of this process and of redis-server apart, medians of five rounds. 50 sessions ask at a time, as many as an
//! arbiter has under way; what is asked while an answer is under way leaves as one pipeline.

#![allow(clippy::disallowed_methods, reason = "a bench measures real time")]

#[path = "support/mod.rs"]
mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use columba::app::clock::SystemClock;
use columba::billing::rules;
use columba::config::redis::RedisOptions;
use columba::domain::event::StatusEvent;
use columba::domain::id::{SessionId, TenantId};
use columba::domain::session::{Epoch, Lease};
use columba::domain::time::WallTime;
use columba::ports::clock::Clock as _;
use columba::ports::feed::FeedSink;
use columba::ports::limits::TenantWindows;
use columba::ports::readiness::Readiness;
use columba::storage::embedded::limits::MemoryWindows;
use columba::storage::memory;
use columba::storage::redis::Redis;
use columba::storage::redis::limits::RedisWindows;
use futures_util::stream::{StreamExt as _, iter};
use rustix::time::{ClockId, clock_gettime};
use support::process::Process;
use support::stores;

const TENANTS: usize = 200;
const AT_ONCE: usize = 50;
const SLOTS: usize = 40_000;
const ROUNDS: usize = 5;

struct Unheard;

impl Readiness for Unheard {
    fn note(&self, _: &'static str, _: bool) {}

    fn note_spare(&self, _: &'static str, _: bool) {}
}

impl FeedSink for Unheard {
    fn publish(&self, _: Vec<StatusEvent>) {}
}

fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Takes slots for everybody in turns: CPU per slot of this process and of `server`, in microseconds, and slots a second.
async fn round(windows: &dyn TenantWindows, leases: &[Lease], server: Option<&Process>) -> [f64; 3] {
    let clock = SystemClock::new();
    let cap = NonZeroU32::new(60_000).expect("not zero");
    let theirs = || server.map_or(Duration::ZERO, Process::cpu);
    let (begun, ours_before, theirs_before) = (Instant::now(), used(), theirs());
    let takes = iter(0..SLOTS).map(|number| windows.take(leases[number % leases.len()], cap, clock.read()));
    let mut takes = takes.buffer_unordered(AT_ONCE);
    while let Some(taken) = takes.next().await {
        assert_eq!(taken, Ok(Ok(())), "a cap that never binds");
    }
    let each = |used: Duration| used.as_secs_f64() * 1e6 / SLOTS as f64;
    let rate = SLOTS as f64 / begun.elapsed().as_secs_f64();
    [each(used() - ours_before), each(theirs() - theirs_before), rate]
}

async fn rounds(name: &str, windows: &dyn TenantWindows, leases: &[Lease], server: Option<&Process>) {
    let mut rows = vec![];
    round(windows, leases, server).await;
    for _ in 0..ROUNDS {
        rows.push(round(windows, leases, server).await);
    }
    let [ours, theirs, rate] = [0, 1, 2].map(|which: usize| {
        let mut values: Vec<f64> = rows.iter().map(|row| row[which]).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    });
    println!("{name:<12} {ours:.1} us ours + {theirs:.1} us redis-server a slot, {rate:.0}/s");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let (server, address) = stores::redis(folder.path());
    let options = RedisOptions { url: format!("redis://{address}"), sentinel_password: String::new() };
    let address = options.address().expect("an address of ours").expect("it is given");
    let line = Redis::open(&address, Arc::new(Unheard)).await.expect("it stands");
    let outbox = memory::open(Arc::new(SystemClock::new()), rules(Tz::UTC), Arc::new(Unheard)).outbox;
    let at = WallTime(0);
    let lease = |_| Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(1) };
    let leases: Vec<Lease> = (0..TENANTS).map(lease).collect();
    rounds("in process", &MemoryWindows::new(outbox.clone()), &leases, None).await;
    rounds("redis", &RedisWindows::new(line, outbox), &leases, Some(&server)).await;
}
