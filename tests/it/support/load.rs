//! A client that keeps what it was promised: every 202 is written down, what was not answered is asked for again under
//! the same key, and some of what was answered too.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::clock::now;
use super::rig::Watch;
use super::server::BODY_MARK;

/// A server that is down is back within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause of a client that got no answer.
const PAUSE: Duration = Duration::from_millis(50);

/// Everything that was promised.
#[derive(Default)]
pub struct Promises {
    lines: Mutex<Vec<String>>,
    made: watch::Sender<usize>,
}

impl Promises {
    /// How many.
    pub fn count(&self) -> usize {
        *self.made.borrow()
    }

    /// How many, told with each.
    pub fn made(&self) -> watch::Receiver<usize> {
        self.made.subscribe()
    }

    /// Writes down what a 202 said.
    pub fn note(&self, accepted: &Value) {
        let line = json!({
            "kind": "accepted", "message": accepted["id"], "session": accepted["session"], "to": accepted["to"],
            "wall": now(),
        });
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_string());
        self.made.send_modify(|made| *made += 1);
    }

    /// Writes one line of JSON per promise.
    pub fn write(&self, path: &Path) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    }
}

/// A message to be sent.
pub fn text(to: &str) -> Value {
    json!({"to": to, "type": "text", "text": {"body": BODY_MARK}})
}

/// The same with a life of so many seconds.
pub fn brief(to: &str, seconds: i64) -> Value {
    let mut message = text(to);
    message["expires_at"] = json!(now() + Duration::from_secs(seconds.unsigned_abs()));
    message
}

/// One tenant's client.
pub struct Client<'a> {
    pub watch: Watch,
    pub promises: &'a Promises,
}

impl Client<'_> {
    /// Posts until it is promised; sometimes once more, which changes nothing. The record of the promise; `None` when
    /// the message outlived itself before anybody promised anything.
    pub async fn send(&self, random: &mut StdRng, session: &str, message: &Value) -> Option<Value> {
        let key = format!("{:032x}", random.random::<u128>());
        let path = format!("/v1/sessions/{session}/messages");
        let first = self.insist(&path, &key, message).await?;
        self.promises.note(&first);
        if random.random_bool(0.2) {
            let again = self.insist(&path, &key, message).await;
            assert_eq!(
                again.map(|again| again["id"].clone()),
                Some(first["id"].clone()),
                "one request, two messages"
            );
        }
        Some(first)
    }

    async fn insist(&self, path: &str, key: &str, message: &Value) -> Option<Value> {
        let begun = Instant::now();
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        loop {
            let body = message.to_string();
            let reply = self.watch.now().attempt(Method::POST, path, body.into(), &headers).await;
            match reply {
                Ok(reply) if reply.status == 202 => return Some(reply.body),
                // Its first request may still be under way in the server; a 408 says that this one never arrived.
                Ok(reply) if reply.body["code"] == "idempotency_in_flight" => {}
                // The server is slower than we are.
                Ok(reply) if reply.body["code"] == "queue_full" => {}
                Ok(reply) if reply.status == 503 || reply.status == 408 => {}
                // A stored promise would have been said first.
                Ok(reply) if reply.status == 422 && reply.text.contains("/expires_at") => return None,
                Ok(reply) => panic!("{}: {}", reply.status, reply.text),
                Err(_) => {}
            }
            assert!(begun.elapsed() < PATIENCE, "no answer for a minute");
            sleep(PAUSE).await;
        }
    }

    /// Takes a message back; whether it was in time.
    pub async fn cancel(&self, message: &Value) -> bool {
        let path = format!("/v1/messages/{}", message["id"].as_str().unwrap());
        let begun = Instant::now();
        loop {
            match self.watch.now().attempt(Method::DELETE, &path, "".into(), &[]).await {
                Ok(reply) if reply.status == 200 => return true,
                Ok(reply) if reply.status == 409 => return false,
                Ok(reply) if reply.status == 503 || reply.status == 408 => {}
                Ok(reply) => panic!("{}: {}", reply.status, reply.text),
                Err(_) => {}
            }
            assert!(begun.elapsed() < PATIENCE, "no answer for a minute");
            sleep(PAUSE).await;
        }
    }

    /// Plays a correspondent that writes. Not repeated: an answer that is lost may leave one message more.
    pub async fn write_in(&self, session: &str, from: &str) {
        let body = json!({"session": session, "from": from, "text": BODY_MARK}).to_string();
        let headers = [("content-type", "application/json")];
        let reply =
            self.watch.now().attempt(Method::POST, "/v1/sandbox/messages", body.into(), &headers).await;
        if let Ok(reply) = reply {
            assert!([202, 408, 503].contains(&reply.status.as_u16()), "{}: {}", reply.status, reply.text);
        }
    }
}
