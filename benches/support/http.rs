//! Calls to the server, one at a time over one connection each.

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

/// Calls with one token over one connection.
pub struct Api {
    /// Where it calls.
    pub address: String,
    /// The token it calls with.
    pub token: String,
    connection: RefCell<Option<TcpStream>>,
}

impl Api {
    /// Calls to `address` with `token`; connects with the first.
    pub fn new(address: &str, token: &str) -> Self {
        Self { address: address.to_owned(), token: token.to_owned(), connection: RefCell::default() }
    }

    /// The same over another connection.
    pub fn again(&self) -> Self {
        Self::new(&self.address, &self.token)
    }

    /// One call; fails unless the answer says that it went well.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.send(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// What is under a path, as text.
    pub fn text(&self, path: &str) -> String {
        self.send_for_text("GET", path, None).1
    }

    /// One call and its status.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, text) = self.send_for_text(method, path, body);
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn send_for_text(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n{kind}content-length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        let mut slot = self.connection.borrow_mut();
        let connection = slot.get_or_insert_with(|| {
            let connection = TcpStream::connect(&self.address).expect("the server listens");
            connection.set_nodelay(true).expect("a socket");
            connection
        });
        connection.write_all(request.as_bytes()).expect("the server reads");
        answer(connection)
    }

    /// Adds a plan that bounds nothing.
    pub fn plan(&self, code: &str) {
        let plan = json!({
            "code": code, "name": code, "price_minor": 0, "currency": "EUR", "interval": "month",
            "messages_per_minute": 60_000,
            "messages_per_minute_tenant": 60_000, "messages_per_month": 1_000_000_000_000_u64, "sessions_max": 100_000,
            "queue_max": 1_000_000, "pacing": "none", "retention_days": 30, "plugins": []
        });
        self.call("POST", "/v1/admin/plans", Some(&plan));
    }

    /// Adds a tenant under a plan; a key of theirs.
    pub fn tenant_of(&self, plan: &str) -> String {
        let tenant = self.call("POST", "/v1/admin/tenants", Some(&json!({"name": "Acme", "plan": plan})));
        let keys = format!("/v1/admin/tenants/{}/keys", text(&tenant["id"]));
        text(&self.call("POST", &keys, Some(&json!({"name": "bench"})))["key"])
    }

    /// A new session; its id.
    pub fn session(&self) -> String {
        text(&self.call("POST", "/v1/sessions", Some(&json!({"label": "bench"})))["id"])
    }

    /// Starts a session and, once it shows a code, plays the phone.
    pub fn pair(&self, session: &str) {
        self.call("POST", &format!("/v1/sessions/{session}/start"), None);
        let code = self.once(&format!("/v1/sessions/{session}/qr"), |status, answer| {
            (status == 200).then(|| text(&answer["code"]))
        });
        self.call("POST", "/v1/sandbox/scan", Some(&json!({"code": code})));
    }

    /// A new session, paired and connected; its id.
    pub fn connected(&self) -> String {
        let session = self.session();
        self.pair(&session);
        self.until(&session, "connected");
        session
    }

    /// Waits until a session has this status.
    pub fn until(&self, session: &str, wanted: &str) {
        self.once(&format!("/v1/sessions/{session}"), |_, answer| (answer["status"] == wanted).then_some(()));
    }

    fn once<T>(&self, path: &str, found: impl Fn(u16, &Value) -> Option<T>) -> T {
        for _ in 0..3_000 {
            let (status, answer) = self.send("GET", path, None);
            if let Some(value) = found(status, &answer) {
                return value;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{path}: what was waited for did not come in half a minute");
    }
}

/// A value that is text.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn answer(connection: &mut TcpStream) -> (u16, String) {
    let (mut bytes, mut chunk) = (vec![], [0; 4096]);
    loop {
        let read = connection.read(&mut chunk).expect("the server answers");
        assert!(read > 0, "the server closed the connection: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..read]);
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let body = &bytes[head + 4..];
        if body.len() >= length.unwrap_or(0_usize) {
            let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
            return (status.expect("a status"), String::from_utf8_lossy(body).into_owned());
        }
    }
}
