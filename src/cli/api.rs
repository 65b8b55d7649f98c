//! Calls to a server, and what its answers mean to whoever typed the command.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt as _;

use super::exit::{Exit, Failure};
use super::refused::{Asked, refused, unreachable};
use super::target::{As, Credential, Target};

/// A server that accepts connections answers within this time; deleting a tenant with many sessions is the longest.
const PATIENCE: Duration = Duration::from_secs(60);
/// A file may be large, and come from WhatsApp first.
const FILE_PATIENCE: Duration = Duration::from_secs(600);
const CONNECT: Duration = Duration::from_secs(5);
/// Rows a page has at most.
pub const PAGE: u32 = 200;

/// Calls to one server.
#[derive(Debug)]
pub struct Api {
    client: reqwest::Client,
    url: String,
    /// Who named it.
    url_origin: String,
    target: Target,
}

/// A good answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Word for word.
    pub text: String,
    /// What it says.
    pub value: Value,
}

/// One page of a list.
#[derive(Deserialize)]
struct PageOf {
    data: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
    has_more: bool,
}

/// What of a list is wanted.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Paging {
    /// Rows to show, newest first.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub limit: u32,
    /// Show all there are.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
}

impl Api {
    pub(super) fn new(url: String, url_origin: String, target: Target) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            .user_agent(concat!("columba-cli/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|error| {
                Failure::new(Exit::Software, "software", format!("cannot make calls: {error}"))
            })?;
        Ok(Self { client, url, url_origin, target })
    }

    /// Where the server is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is shown to the server.
    pub fn credential(&self, who: As) -> Result<Credential, Failure> {
        self.target.credential(who)
    }

    /// `GET`.
    pub async fn get(&self, who: As, path: &str) -> Result<Answer, Failure> {
        self.call(who, Method::GET, path, None, None).await
    }

    /// `POST` with a body, or without one.
    pub async fn post(&self, who: As, path: &str, body: Option<Value>) -> Result<Answer, Failure> {
        self.call(who, Method::POST, path, body, None).await
    }

    /// `DELETE`.
    pub async fn delete(&self, who: As, path: &str) -> Result<Answer, Failure> {
        self.call(who, Method::DELETE, path, None, None).await
    }

    /// Any call; `key` makes the same call twice one effect.
    pub async fn call(
        &self,
        who: As,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.url));
        if let Some(body) = &body {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.answered(who, &method, path, request).await
    }

    /// Sends a file of this disk as the body, in pieces.
    pub async fn upload(&self, path: &str, file: &Path, mime: &str) -> Result<Answer, Failure> {
        let body = tokio::fs::File::open(file).await;
        let unreadable = |error| Failure::usage(format!("{} cannot be read: {error}", file.display()));
        let body = body.map_err(unreadable)?;
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header("content-type", mime).timeout(FILE_PATIENCE).body(body);
        self.answered(As::Tenant, &Method::POST, path, request).await
    }

    /// Writes an answer into a new file of this disk, in pieces; how many bytes it has.
    pub async fn download(&self, path: &str, to: &Path) -> Result<u64, Failure> {
        let credential = self.credential(As::Tenant)?;
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&*credential.text);
        let lost = |error: reqwest::Error| unreachable(&self.url, &self.url_origin, &error);
        let mut response = request.timeout(FILE_PATIENCE).send().await.map_err(lost)?;
        if !response.status().is_success() {
            return self.judged(As::Tenant, &Method::GET, path, response).await.map(|_| 0);
        }
        let unwritable = |error| Failure::usage(format!("{} cannot be written: {error}", to.display()));
        let file = tokio::fs::OpenOptions::new().write(true).create_new(true).open(to).await;
        let (mut file, mut bytes) = (file.map_err(unwritable)?, 0);
        while let Some(piece) = response.chunk().await.map_err(lost)? {
            file.write_all(&piece).await.map_err(unwritable)?;
            bytes += piece.len() as u64;
        }
        file.flush().await.map_err(unwritable)?;
        Ok(bytes)
    }

    /// The JSON of a good answer.
    async fn answered(
        &self,
        who: As,
        method: &Method,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Answer, Failure> {
        let bytes = self.send(who, method, path, request).await?;
        let text = String::from_utf8(bytes).map_err(|_| not_ours(&self.url))?;
        let value: Value =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or_default() };
        if value.is_null() && !text.is_empty() {
            return Err(not_ours(&self.url));
        }
        Ok(Answer { text, value })
    }

    /// `GET` of something that is no JSON, in the form `accept`.
    pub async fn fetch(&self, who: As, path: &str, accept: &str) -> Result<Vec<u8>, Failure> {
        let request = self.client.get(format!("{}{path}", self.url)).header("accept", accept);
        self.send(who, &Method::GET, path, request).await
    }

    /// The body of a good answer.
    async fn send(
        &self,
        who: As,
        method: &Method,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Vec<u8>, Failure> {
        let credential = self.credential(who)?;
        let lost = |error: reqwest::Error| unreachable(&self.url, &self.url_origin, &error);
        let request = match who {
            As::OnBehalf(tenant) => request.header("columba-tenant", tenant.to_string()),
            As::Operator | As::Tenant => request,
        };
        let response = request.bearer_auth(&*credential.text).send().await.map_err(lost)?;
        self.judged(who, method, path, response).await
    }

    /// What the server has answered, or why it refused.
    async fn judged(
        &self,
        who: As,
        method: &Method,
        path: &str,
        response: reqwest::Response,
    ) -> Result<Vec<u8>, Failure> {
        let lost = |error: reqwest::Error| unreachable(&self.url, &self.url_origin, &error);
        let status = response.status().as_u16();
        let wait =
            response.headers().get("retry-after").and_then(|wait| wait.to_str().ok()).map(str::to_owned);
        let bytes = response.bytes().await.map_err(lost)?;
        if (200..300).contains(&status) {
            return Ok(bytes.into());
        }
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if !value.get("code").is_some_and(Value::is_string) {
            return Err(not_ours(&self.url));
        }
        let credential = &self.credential(who)?.origin;
        Err(refused(&value, &Asked { who, path, method, credential, retry_after: wait.as_deref() }))
    }

    /// A list, page by page if all of it is wanted. `path` may have a query. `seen` hears how many rows there are so far.
    pub async fn list(
        &self,
        who: As,
        path: &str,
        paging: Paging,
        mut seen: impl FnMut(usize),
    ) -> Result<Answer, Failure> {
        let limit = if paging.all { PAGE } else { paging.limit };
        let joint = if path.contains('?') { '&' } else { '?' };
        let first = format!("{path}{joint}limit={limit}");
        let answer = self.get(who, &first).await?;
        if !paging.all {
            return Ok(answer);
        }
        let unreadable = |_| not_ours(&self.url);
        let mut page: PageOf = serde_json::from_str(&answer.text).map_err(unreadable)?;
        let mut rows = std::mem::take(&mut page.data);
        while let Some(cursor) = page.next_cursor.take().filter(|_| page.has_more) {
            seen(rows.len());
            let next = self.get(who, &format!("{first}&cursor={}", escaped(&cursor))).await?;
            page = serde_json::from_str(&next.text).map_err(unreadable)?;
            rows.append(&mut page.data);
        }
        let rows: Vec<&str> = rows.iter().map(|row| row.get()).collect();
        let text = format!(r#"{{"data":[{}],"next_cursor":null,"has_more":false}}"#, rows.join(","));
        let value = serde_json::from_str(&text).map_err(unreadable)?;
        Ok(Answer { text, value })
    }
}

impl Answer {
    /// The rows of a list.
    pub fn rows(&self) -> &[Value] {
        self.value["data"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether a list goes on.
    pub fn has_more(&self) -> bool {
        self.value["has_more"].as_bool().unwrap_or_default()
    }

    /// The id of what was made or read.
    pub fn id(&self) -> &str {
        self.value["id"].as_str().unwrap_or_default()
    }
}

pub(super) fn not_ours(url: &str) -> Failure {
    Failure::new(
        Exit::Software,
        "unreadable",
        format!("what {url} answered is no answer of a columba server"),
    )
    .next("see that --url names a columba server of this version, and that no proxy answers in its place")
}

/// A value as part of a query or a path.
pub fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
