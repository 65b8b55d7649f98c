//! A testbed in process, driven by its admin API as anybody would.

use std::time::Duration;

use columba_testbed::{Settings, Testbed};
use serde_json::{Value, json};

/// A testbed in a directory of its own.
pub struct Bed {
    running: Option<Testbed>,
    directory: tempfile::TempDir,
    http: reqwest::Client,
}

impl Bed {
    /// Starts one with nothing in it.
    pub async fn start() -> Self {
        Self::start_with(Settings::default()).await
    }

    /// Starts one with settings of one's own.
    pub async fn start_with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let running = Testbed::start_with(directory.path(), settings).await.expect("a testbed");
        Self { running: Some(running), directory, http: reqwest::Client::new() }
    }

    /// Starts one with these accounts.
    pub async fn with(phones: &[u64]) -> Self {
        let bed = Self::start().await;
        for phone in phones {
            bed.post("accounts", json!({ "phone": phone })).await;
        }
        bed
    }

    /// Ends it as a kill would, and starts another on the same directory and ports.
    pub async fn restart(&mut self) {
        self.restart_after("").await;
    }

    /// The same, with something done to the database in between.
    pub async fn restart_after(&mut self, sql: &str) {
        let old = self.running.take().expect("it runs");
        let admin = old.admin().trim_start_matches("http://").parse().expect("an address");
        let settings = Settings { listen: old.socket(), admin, ..Settings::default() };
        old.stop().await;
        let db = rusqlite::Connection::open(self.directory.path().join("testbed.db")).expect("the database");
        db.execute_batch(sql).expect("done");
        drop(db);
        self.running =
            Some(Testbed::start_with(self.directory.path(), settings).await.expect("a testbed again"));
    }

    fn bed(&self) -> &Testbed {
        self.running.as_ref().expect("it runs")
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        self.bed().url()
    }

    /// Where the admin API is.
    pub fn admin(&self) -> String {
        self.bed().admin()
    }

    /// A call that must succeed.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.try_post(path, body).await;
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    /// A call and its status.
    pub async fn try_post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("{}/admin/{path}", self.admin())).json(&body);
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// A question that must be answered.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}/admin/{path}", self.admin())).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    /// Takes every failure back.
    pub async fn heal(&self) {
        self.http.delete(format!("{}/admin/failures", self.admin())).send().await.expect("an answer");
    }

    /// Asks again and again until the answer fits.
    pub async fn until(&self, path: &str, seconds: u64, fits: impl Fn(&Value) -> bool) -> Value {
        let begun = tokio::time::Instant::now();
        loop {
            let answer = self.get(path).await;
            if fits(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < Duration::from_secs(seconds), "{path} stayed {answer:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The texts a phone shows, with their states.
    pub async fn texts(&self, phone: u64) -> Vec<(String, String)> {
        let list = self.get(&format!("messages?phone={phone}")).await;
        let text = |m: &Value, key: &str| m[key].as_str().unwrap_or_default().to_owned();
        list.as_array().expect("a list").iter().map(|m| (text(m, "text"), text(m, "status"))).collect()
    }
}
