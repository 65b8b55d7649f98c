//! The real program in a folder of its own, with tenants and paired sessions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tempfile::TempDir;

use super::http::Api;
use super::process::Process;

/// Limits of the edge, and of the rate at which sessions start, that no load of a bench reaches.
const WIDE_OPEN: &[(&str, &str)] = &[
    ("COLUMBA__HTTP__EDGE_LIMIT__PER_SECOND", "1000000"),
    ("COLUMBA__HTTP__EDGE_LIMIT__BURST", "1000000"),
    ("COLUMBA__HTTP__MAX_CONNECTIONS", "40000"),
    ("COLUMBA__SESSIONS__BOOT_PER_SECOND", "10000"),
];
/// Callers that prepare at once.
const CALLERS: usize = 16;
/// The plan of everybody; it bounds nothing.
pub const PLAN: &str = "bench";

/// A folder that servers run on, one after the other.
pub struct Folder(TempDir);

/// A running server.
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Calls as the operator.
    pub operator: Api,
}

/// A tenant with its paired sessions.
pub struct Tenant {
    /// Calls with its key.
    pub api: Api,
    /// Ids.
    pub sessions: Vec<String>,
}

impl Folder {
    /// An empty one.
    pub fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Where other processes may keep what they have.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Starts a server on it, with these settings besides.
    pub fn start(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_columba"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        command.envs(WIDE_OPEN.iter().chain(settings).copied());
        let (process, address) =
            Process::start(&mut command, " listens on http://", &self.0.path().join("columba.log"));
        let token = fs::read_to_string(self.data().join("operator.token")).expect("the operator's token");
        Server { process, operator: Api::new(&address, token.trim()) }
    }
}

impl Server {
    /// Makes tenants with so many sessions each, paired and connected.
    pub fn tenants(&self, count: usize, sessions: usize) -> Vec<Tenant> {
        self.operator.plan(PLAN);
        let (address, token) = (&self.operator.address, &self.operator.token);
        let keys = at_once(count, |_| Api::new(address, token).tenant_of(PLAN));
        let paired =
            at_once(count * sessions, |number| Api::new(address, &keys[number / sessions]).connected());
        let tenants = keys.iter().zip(paired.chunks(sessions));
        tenants.map(|(key, ids)| Tenant { api: Api::new(address, key), sessions: ids.to_vec() }).collect()
    }

    /// Every session's record, as the operator sees it.
    pub fn sessions(&self) -> Vec<Value> {
        let (mut all, mut cursor) = (vec![], String::new());
        // The server closes a connection that was not used for long.
        let operator = self.operator.again();
        loop {
            let path = format!("/v1/admin/sessions?limit=200{cursor}");
            let mut page = operator.call("GET", &path, None);
            all.append(page["data"].as_array_mut().expect("a list"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Asks every session for the same, and waits until each is in a state.
    pub fn all(&self, tenants: &[Tenant], verb: &str, until: &str) {
        let each = tenants.iter().flat_map(|tenant| tenant.sessions.iter().map(|id| (&tenant.api.token, id)));
        let (address, each) = (&self.operator.address, each.collect::<Vec<_>>());
        at_once(each.len(), |number| {
            let (token, session) = each[number];
            let tenant = Api::new(address, token);
            tenant.call("POST", &format!("/v1/sessions/{session}/{verb}"), None);
            tenant.until(session, until);
        });
    }
}

/// Does so many pieces of work, some at a time; what each gave, in order.
fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let mut done = std::thread::scope(|scope| {
        let run = || {
            let mut done = vec![];
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return done;
                }
                done.push((number, work(number)));
            }
        };
        let threads: Vec<_> = (0..CALLERS).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no caller failed")).collect::<Vec<_>>()
    });
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}
