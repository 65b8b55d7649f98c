//! What this process counts, in one list: names, units and meanings. Base units, and never a label that names a tenant, a
//! session or a number: what belongs to one of them is asked over the API.
//!
//! `docs/METRICS.md` says the same for people; a test holds the two together.

mod lately;

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use self::lately::{Lately, Recent, Refused};
use crate::domain::event::{Change, StatusEvent};
use crate::domain::message::MessageStatus;
use crate::domain::session::{Reason, SessionStatus};
use crate::domain::time::WallTime;

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Only grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations or sizes, in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    /// Name, with its unit.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

const BUILD: Meter = meter("columba_build_info", Kind::Gauge, &["version"], "Always 1; which version runs");
const REQUESTS: Meter = meter(
    "columba_http_requests_total",
    Kind::Counter,
    &["method", "route", "status"],
    "Requests answered, by the pattern of their route",
);
const REQUEST: Meter = meter(
    "columba_http_request_seconds",
    Kind::Histogram,
    &["route"],
    "From the whole head of a request to its answer",
);
const SESSIONS: Meter =
    meter("columba_sessions", Kind::Gauge, &["status"], "Sessions that have this status now, of all tenants");
const SESSION_STATUS: Meter = meter(
    "columba_session_status_changes_total",
    Kind::Counter,
    &["status", "reason"],
    "Statuses that sessions took, with the reason where there is one",
);
const SESSION_EXITS: Meter = meter(
    "columba_session_exits_total",
    Kind::Counter,
    &["kind"],
    "Session actors that ended: `crashed` before they were asked to, `stopped` when they were",
);
const MESSAGES: Meter = meter(
    "columba_messages_total",
    Kind::Counter,
    &["status"],
    "Statuses that messages took; `received` ones came in",
);
const WAITING: Meter =
    meter("columba_messages_waiting", Kind::Gauge, &[], "Messages that are queued, held or under way now");
const SEND_LATENCY: Meter = meter(
    "columba_send_latency_seconds",
    Kind::Histogram,
    &[],
    "From the acceptance of a message to the server's ack; waiting for a cap or for `send_at` is part of it",
);
const ATTEMPT: Meter = meter(
    "columba_attempt_seconds",
    Kind::Histogram,
    &["outcome"],
    "From the claim of a message to the end of its attempt",
);
const COMMIT: Meter = meter(
    "columba_store_commit_seconds",
    Kind::Histogram,
    &[],
    "From the beginning of a batch of writes until it is on disk",
);
const BATCH: Meter =
    meter("columba_store_batch_writes", Kind::Histogram, &[], "Writes that shared one transaction");
const STORE_FAILURES: Meter = meter(
    "columba_store_failures_total",
    Kind::Counter,
    &["kind"],
    "Batches that failed: `down` because the store did, `row` because of one write in it",
);
const REDIS_UP: Meter = meter(
    "columba_redis_up",
    Kind::Gauge,
    &[],
    "1 while Redis answers, 0 while this process does without it",
);
const NODES: Meter = meter(
    "columba_nodes",
    Kind::Gauge,
    &[],
    "Processes that serve this store, as they show themselves in Redis; 1 while Redis is away",
);
const REDIS_COMMANDS: Meter = meter(
    "columba_redis_commands_total",
    Kind::Counter,
    &["answered"],
    "Commands and scripts that were meant for Redis: `yes`, or `no` because it was away",
);
const ERASED: Meter = meter(
    "columba_messages_erased_total",
    Kind::Counter,
    &[],
    "Messages that were erased because their tenant's plan keeps them no longer",
);
const PAYMENT_NOTICES: Meter = meter(
    "columba_payment_notices_total",
    Kind::Counter,
    &["provider", "outcome"],
    "Notices of the payment provider: `paid`, `refunded`, `failed`, `nothing` when one says nothing about money, `unknown` when \
     the tenant or the invoice is not there, `forged`, `unreadable`",
);
const WEBHOOK_ATTEMPTS: Meter = meter(
    "columba_webhook_attempts_total",
    Kind::Counter,
    &["taken"],
    "Requests to endpoints of webhooks: `yes` when they were taken, `no` when they failed and may be tried again",
);
const PAIRING_REPORTS: Meter = meter(
    "columba_pairing_reports_total",
    Kind::Counter,
    &[],
    "Pairing links that were reported by whoever was sent one and had not asked for it; each is worth a look at the audit",
);
const LISTENERS: Meter = meter(
    "columba_feed_listeners",
    Kind::Gauge,
    &["wire"],
    "Clients that listen to the feed now: `websocket` or `events`",
);
const BRIDGES: Meter =
    meter("columba_bridge_processes", Kind::Gauge, &["engine"], "Bridge processes that serve sessions now");
const BRIDGE_DEATHS: Meter = meter(
    "columba_bridge_deaths_total",
    Kind::Counter,
    &["engine", "cause"],
    "Bridge processes that ended unasked or were killed, or could not be started; another is started in their place",
);
const BRIDGE_RESIDENT: Meter = meter(
    "columba_bridge_resident_bytes",
    Kind::Gauge,
    &["engine"],
    "Memory of all bridge processes that is in RAM, as they say with each heartbeat; what they share is counted in each",
);
const BRIDGE_LAG: Meter = meter(
    "columba_bridge_loop_lag_seconds",
    Kind::Histogram,
    &["engine"],
    "How late a bridge's own timer was, at each of its heartbeats",
);
const BRIDGE_SESSIONS: Meter = meter(
    "columba_bridge_sessions",
    Kind::Gauge,
    &["engine", "state"],
    "Sessions that bridges have open, as they say with each heartbeat",
);
const BRIDGE_APART: Meter = meter(
    "columba_bridge_sessions_apart",
    Kind::Gauge,
    &["engine"],
    "Sessions that open apart from the others, because bridges died with them again and again",
);
const BRIDGE_UNCONFIRMED: Meter = meter(
    "columba_bridge_unconfirmed_events",
    Kind::Gauge,
    &["engine"],
    "Events of bridges that were not confirmed yet, at their last heartbeats",
);
const VAULT_COMMITS: Meter = meter(
    "columba_bridge_vault_commits_total",
    Kind::Counter,
    &["engine"],
    "Commits to vaults that bridges asked for and got",
);
const RESIDENT: Meter =
    meter("process_resident_memory_bytes", Kind::Gauge, &[], "Memory of this process that is in RAM");
const CPU: Meter =
    meter("process_cpu_seconds_total", Kind::Gauge, &[], "User and system time this process has used");
const OPEN_FILES: Meter =
    meter("process_open_fds", Kind::Gauge, &[], "Files and sockets this process has open");

/// Every metric there is.
pub const ALL: &[Meter] = &[
    BUILD,
    REQUESTS,
    REQUEST,
    SESSIONS,
    SESSION_STATUS,
    SESSION_EXITS,
    MESSAGES,
    WAITING,
    SEND_LATENCY,
    ATTEMPT,
    COMMIT,
    BATCH,
    STORE_FAILURES,
    REDIS_UP,
    NODES,
    REDIS_COMMANDS,
    ERASED,
    PAYMENT_NOTICES,
    WEBHOOK_ATTEMPTS,
    PAIRING_REPORTS,
    LISTENERS,
    BRIDGES,
    BRIDGE_DEATHS,
    BRIDGE_RESIDENT,
    BRIDGE_LAG,
    BRIDGE_SESSIONS,
    BRIDGE_APART,
    BRIDGE_UNCONFIRMED,
    VAULT_COMMITS,
    RESIDENT,
    CPU,
    OPEN_FILES,
];

/// Bounds of durations, from a commit to a message that waited for its cap.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0,
    3_600.0,
];
const WRITES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

const fn meter(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Meter {
    Meter { name, kind, labels, help }
}

static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// The text of all metrics, for whoever scrapes them.
#[derive(Clone)]
pub struct Exposition(PrometheusHandle);

impl Exposition {
    /// Begins to count, in this process; what was counted before is not there. A second call answers the same.
    pub fn install() -> Result<Self, BuildError> {
        // Held to the end: of two who come at once one would else keep a handle to a recorder that nobody writes to.
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = &*installed {
            return Ok(Self(handle.clone()));
        }
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_writes".to_owned()), WRITES)?
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_ok() {
            describe();
            gauge!(BUILD.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        }
        *installed = Some(handle.clone());
        Ok(Self(handle))
    }

    /// In the text format of Prometheus.
    pub fn text(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

fn describe() {
    for meter in ALL {
        match meter.kind {
            Kind::Counter => describe_counter!(meter.name, meter.help),
            Kind::Gauge => describe_gauge!(meter.name, meter.help),
            Kind::Histogram => describe_histogram!(meter.name, meter.help),
        }
    }
}

/// A request was answered. `route` is a pattern, never a path.
pub fn request(method: &str, route: &str, status: u16, took: Duration) {
    let (route, status) = (route.to_owned(), status.to_string());
    counter!(REQUESTS.name, "method" => method.to_owned(), "route" => route.clone(), "status" => status)
        .increment(1);
    histogram!(REQUEST.name, "route" => route).record(took);
}

static LATELY: LazyLock<Lately> = LazyLock::new(Lately::default);

/// What this process did within the last hour.
pub fn lately() -> &'static Lately {
    &LATELY
}

/// Events were committed.
pub fn events(events: &[StatusEvent]) {
    for event in events {
        if let Change::Message(_, MessageStatus::Sent) = event.change {
            LATELY.sent(event.at);
        }
        let status: &'static str = match event.change {
            Change::Message(_, status) => status.into(),
            Change::Received(_) => "received",
            Change::Session(_) | Change::Usage(_) | Change::Webhook(_) | Change::Billing(_) => continue,
        };
        counter!(MESSAGES.name, "status" => status).increment(1);
    }
}

/// A session took a status.
pub fn session_status(status: SessionStatus, reason: Option<Reason>) {
    let (status, reason): (&'static str, &'static str) = (status.into(), reason.map_or("", Into::into));
    counter!(SESSION_STATUS.name, "status" => status, "reason" => reason).increment(1);
}

/// A session's actor ended.
pub fn session_exit(crashed: bool) {
    counter!(SESSION_EXITS.name, "kind" => if crashed { "crashed" } else { "stopped" }).increment(1);
}

/// An attempt ended, so long after its claim.
pub fn attempt(outcome: &'static str, took: Duration) {
    histogram!(ATTEMPT.name, "outcome" => outcome).record(took);
}

/// A message was acked at `at`, so long after it was accepted.
pub fn sent(at: WallTime, since_accepted: Duration) {
    histogram!(SEND_LATENCY.name).record(since_accepted);
    LATELY.acked(at, since_accepted);
}

/// An endpoint was asked to take an event.
pub fn posted(at: WallTime, taken: bool) {
    counter!(WEBHOOK_ATTEMPTS.name, "taken" => if taken { "yes" } else { "no" }).increment(1);
    LATELY.posted(at, taken);
}

/// A pairing link was reported.
pub fn pairing_reported() {
    counter!(PAIRING_REPORTS.name).increment(1);
}

/// So many writes are on disk.
pub fn committed(writes: usize, took: Duration) {
    histogram!(COMMIT.name).record(took);
    histogram!(BATCH.name).record(writes as f64);
}

/// A batch failed, because of the store or of one row.
pub fn store_failed(down: bool) {
    counter!(STORE_FAILURES.name, "kind" => if down { "down" } else { "row" }).increment(1);
}

/// Whether Redis answers. Not called where none is configured.
pub fn redis(answers: bool) {
    gauge!(REDIS_UP.name).set(if answers { 1.0 } else { 0.0 });
}

/// So many processes serve the store.
pub fn nodes(count: usize) {
    gauge!(NODES.name).set(count as f64);
}

/// So many commands were meant for Redis.
pub fn redis_commands(count: u64, answered: bool) {
    counter!(REDIS_COMMANDS.name, "answered" => if answered { "yes" } else { "no" }).increment(count);
}

/// So many messages were erased.
pub fn erased(messages: u64) {
    counter!(ERASED.name).increment(messages);
}

/// The payment provider said something.
pub fn payment_notice(provider: &'static str, outcome: &'static str) {
    counter!(PAYMENT_NOTICES.name, "provider" => provider, "outcome" => outcome).increment(1);
}

/// Somebody began to listen, until what is answered is dropped.
#[must_use]
pub fn listening(wire: &'static str) -> Listening {
    gauge!(LISTENERS.name, "wire" => wire).increment(1.0);
    Listening(wire)
}

/// Somebody listens.
#[derive(Debug)]
pub struct Listening(&'static str);

impl Drop for Listening {
    fn drop(&mut self) {
        gauge!(LISTENERS.name, "wire" => self.0).decrement(1.0);
    }
}

/// What one bridge process adds to the figures of its engine. What it last said stands until it says something else or is
/// dropped.
#[derive(Debug)]
pub struct Bridge {
    engine: String,
    resident_bytes: u64,
    unconfirmed: usize,
    sessions: Vec<(&'static str, u32)>,
}

impl Bridge {
    /// A process that serves, of which nothing else is known yet.
    #[must_use]
    pub fn serving(engine: &str) -> Self {
        gauge!(BRIDGES.name, "engine" => engine.to_owned()).increment(1.0);
        Self { engine: engine.to_owned(), resident_bytes: 0, unconfirmed: 0, sessions: vec![] }
    }

    /// It beat: its memory, how late its timer was, its sessions by state, and how many of its events are unconfirmed.
    pub fn beat(
        &mut self,
        resident_bytes: u64,
        lag: Duration,
        sessions: Vec<(&'static str, u32)>,
        unconfirmed: usize,
    ) {
        histogram!(BRIDGE_LAG.name, "engine" => self.engine.clone()).record(lag);
        self.count(-1.0);
        (self.resident_bytes, self.unconfirmed, self.sessions) = (resident_bytes, unconfirmed, sessions);
        self.count(1.0);
    }

    fn count(&self, sign: f64) {
        let engine = || self.engine.clone();
        gauge!(BRIDGE_RESIDENT.name, "engine" => engine()).increment(sign * self.resident_bytes as f64);
        gauge!(BRIDGE_UNCONFIRMED.name, "engine" => engine()).increment(sign * self.unconfirmed as f64);
        for (state, count) in &self.sessions {
            gauge!(BRIDGE_SESSIONS.name, "engine" => engine(), "state" => *state)
                .increment(sign * f64::from(*count));
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.count(-1.0);
        gauge!(BRIDGES.name, "engine" => self.engine.clone()).decrement(1.0);
    }
}

/// A bridge process died.
pub fn bridge_died(engine: &str, cause: &'static str) {
    counter!(BRIDGE_DEATHS.name, "engine" => engine.to_owned(), "cause" => cause).increment(1);
}

/// So many sessions of an engine open apart from the others.
pub fn bridge_apart(engine: &str, sessions: usize) {
    gauge!(BRIDGE_APART.name, "engine" => engine.to_owned()).set(sessions as f64);
}

/// A bridge's commit is on disk.
pub fn vault_commit(engine: &str) {
    counter!(VAULT_COMMITS.name, "engine" => engine.to_owned()).increment(1);
}

/// How many sessions have each status, and what waits; for a scrape.
pub fn fleet(sessions: impl IntoIterator<Item = (SessionStatus, u64)>, waiting: u64) {
    for (status, count) in sessions {
        gauge!(SESSIONS.name, "status" => <&'static str>::from(status)).set(count as f64);
    }
    gauge!(WAITING.name).set(waiting as f64);
}

/// What the system says of this process; for a scrape.
pub fn process(resident_bytes: u64, cpu: Duration, open_files: u64) {
    gauge!(RESIDENT.name).set(resident_bytes as f64);
    gauge!(CPU.name).set(cpu.as_secs_f64());
    gauge!(OPEN_FILES.name).set(open_files as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_first_or_at_the_same_time_reads_what_is_counted() {
        let come = || std::thread::spawn(|| Exposition::install().expect("a recorder"));
        let all: Vec<_> = (0..16).map(|_| come()).collect();
        let all: Vec<_> = all.into_iter().map(|one| one.join().expect("it came")).collect();
        pairing_reported();
        for exposition in all {
            assert!(exposition.text().contains(PAIRING_REPORTS.name));
        }
    }
}
