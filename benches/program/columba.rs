//! The real program in a folder of its own, with tenants and paired sessions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::process::Process;

/// Calls at once while preparing.
const AT_ONCE: usize = 16;
const PLAN: &str = "bench";
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A folder that servers run on, one after the other.
pub struct Folder(TempDir);

/// A running server.
pub struct Columba {
    pub process: Process,
    pub url: String,
    operator: Calls,
}

/// A tenant with its paired sessions.
pub struct Tenant {
    pub key: String,
    pub sessions: Vec<String>,
    calls: Calls,
}

/// HTTP calls with one token.
#[derive(Clone)]
struct Calls {
    client: Client,
    url: String,
    token: String,
}

impl Calls {
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{path}: {error}"));
        let status = response.status();
        let text = response.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn expect(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.ask(method, path, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }
}

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Where a process may log to.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Starts a server on it.
    pub async fn start(&self, settings: &[(&str, &str)]) -> Columba {
        let mut command = Command::new(env!("CARGO_BIN_EXE_columba"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        // One key stands for a whole tenant here, which no limit per key is made for.
        command.env("COLUMBA__HTTP__EDGE_LIMIT__PER_SECOND", "1000000");
        command.env("COLUMBA__HTTP__EDGE_LIMIT__BURST", "1000000");
        command.envs(settings.iter().copied());
        let log = self.0.path().join("columba.log");
        let (process, line) = Process::start(command, " listens on ", &log).await;
        let url = line.split(" listens on ").nth(1).expect("an address").trim().to_owned();
        let token = std::fs::read_to_string(self.data().join("operator.token")).expect("a token");
        let operator = Calls { client: Client::new(), url: url.clone(), token: token.trim().to_owned() };
        Columba { process, url, operator }
    }
}

impl Columba {
    /// Makes tenants with so many sessions each, paired and connected.
    pub async fn tenants(&self, count: usize, sessions: usize, per_minute: u32) -> Vec<Tenant> {
        let plan = json!({
            "code": PLAN, "name": PLAN, "price_minor": 0, "currency": "EUR", "interval": "month",
            "messages_per_minute": per_minute, "messages_per_month": 1_000_000_000, "queue_max": 1_000_000,
            "sessions_max": sessions, "pacing": "none", "retention_days": 30, "plugins": []
        });
        self.operator.expect(Method::POST, "/v1/admin/plans", Some(plan)).await;
        let tenants = stream::iter(0..count).map(|number| self.tenant(number)).buffer_unordered(AT_ONCE);
        let mut tenants: Vec<Tenant> = tenants.collect().await;
        let calls = tenants.iter().flat_map(|tenant| std::iter::repeat_n(tenant.calls.clone(), sessions));
        let made = calls.collect::<Vec<_>>().into_iter().map(paired);
        let made: Vec<_> = stream::iter(made).buffered(AT_ONCE).collect().await;
        for (tenant, made) in tenants.iter_mut().zip(made.chunks(sessions)) {
            tenant.sessions = made.to_vec();
        }
        tenants
    }

    async fn tenant(&self, number: usize) -> Tenant {
        let body = json!({"name": format!("tenant {number}"), "plan": PLAN});
        let tenant = self.operator.expect(Method::POST, "/v1/admin/tenants", Some(body)).await;
        let path = format!("/v1/admin/tenants/{}/keys", tenant["id"].as_str().expect("an id"));
        let key = self.operator.expect(Method::POST, &path, Some(json!({"name": "bench"}))).await;
        let key = key["key"].as_str().expect("a key").to_owned();
        Tenant { calls: Calls { token: key.clone(), ..self.operator.clone() }, key, sessions: vec![] }
    }

    /// Every session's record, as the operator sees it.
    pub async fn sessions(&self) -> Vec<Value> {
        let (mut all, mut cursor) = (vec![], String::new());
        loop {
            let path = format!("/v1/admin/sessions?limit=200{cursor}");
            let mut page = self.operator.expect(Method::GET, &path, None).await;
            all.append(page["data"].as_array_mut().expect("a list"));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// Asks every session for the same, and waits until each is in a state.
    pub async fn all(&self, tenants: &[Tenant], verb: &str, until: &str) {
        let calls = tenants.iter().flat_map(|tenant| {
            tenant.sessions.iter().map(move |session| async move {
                let path = format!("/v1/sessions/{session}/{verb}");
                tenant.calls.expect(Method::POST, &path, None).await;
                wait_for(&tenant.calls, session, until).await;
            })
        });
        stream::iter(calls).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}

impl Tenant {
    /// Whether it has a message in this state.
    pub async fn has(&self, status: &str) -> bool {
        let path = format!("/v1/messages?limit=1&status={status}");
        let page = self.calls.expect(Method::GET, &path, None).await;
        page["data"].as_array().is_some_and(|list| !list.is_empty())
    }
}

/// A new session, paired and connected.
async fn paired(calls: Calls) -> String {
    let session = calls.expect(Method::POST, "/v1/sessions", Some(json!({"label": "bench"}))).await;
    let session = session["id"].as_str().expect("an id").to_owned();
    calls.expect(Method::POST, &format!("/v1/sessions/{session}/start"), None).await;
    wait_for(&calls, &session, "pairing").await;
    let qr = calls.expect(Method::GET, &format!("/v1/sessions/{session}/qr"), None).await;
    calls.expect(Method::POST, "/v1/sandbox/scan", Some(json!({"code": qr["code"]}))).await;
    wait_for(&calls, &session, "connected").await;
    session
}

async fn wait_for(calls: &Calls, session: &str, status: &str) {
    while calls.expect(Method::GET, &format!("/v1/sessions/{session}"), None).await["status"] != status {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
