//! Walks the log of what operators did: in a data directory, or over HTTP as any operator could.

use std::path::{Path, PathBuf};

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::backends::database_path;
use super::exit::Failure;
use crate::config::Config;
use crate::domain::audit::{Entry, Head, Misfit, Walk};
use crate::storage::sql::audit;

/// Entries of one page.
const PAGE: u32 = 200;

/// What a walk found: the log's end, or the first entry that does not fit.
pub type Found = Result<Head, Misfit>;

/// Walks the log in the data directory `data`, through the heads that are known from elsewhere. Changes nothing; a server may
/// be at work on it.
pub async fn in_data(config: &Config, data: &Path, known: Vec<Head>) -> Result<Found, Failure> {
    let path: PathBuf = database_path(config, data);
    if !path.is_file() {
        let advice = "give the server's data directory with --data";
        return Err(Failure::Usage(format!("there is no database {}; {advice}", path.display())));
    }
    audit::verify(&path, known).await.map_err(|error| {
        let advice =
            "a database of an older version has no audit log until the server has been started on it";
        Failure::Unavailable(format!("cannot read {}: {error}; {advice}", path.display()))
    })
}

/// One page of `GET /v1/admin/audit`.
#[derive(Deserialize)]
struct Page {
    data: Vec<Entry>,
    next_cursor: Option<String>,
}

/// Walks the log of the server at `url`, with an operator's `token`.
pub async fn over_http(url: &str, token: &str, mut known: Vec<Head>) -> Result<Found, Failure> {
    let server = Server { client: Client::new(), url: url.trim_end_matches('/'), token };
    // The server may go on writing: the log has to reach what was its end before, and nothing beyond what is now.
    known.push(server.get("head").await?);
    let mut walk = Walk::through(known);
    if let Err(misfit) = server.walk_along(&mut walk).await? {
        return Ok(Err(misfit));
    }
    let now: Head = server.get("head").await?;
    let reached = if now.seq > walk.head().seq { walk.head() } else { now };
    Ok(walk.end(reached))
}

struct Server<'a> {
    client: Client,
    url: &'a str,
    token: &'a str,
}

impl Server<'_> {
    /// Takes every entry.
    async fn walk_along(&self, walk: &mut Walk) -> Result<Result<(), Misfit>, Failure> {
        let mut cursor = None;
        loop {
            let beyond = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            let page: Page = self.get(&format!("?order=asc&limit={PAGE}{beyond}")).await?;
            for entry in &page.data {
                if let Err(misfit) = walk.step(entry) {
                    return Ok(Err(misfit));
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(Ok(()));
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, what: &str) -> Result<T, Failure> {
        let slash = if what.starts_with('?') { "" } else { "/" };
        let asked =
            self.client.get(format!("{}/v1/admin/audit{slash}{what}", self.url)).bearer_auth(self.token);
        let away = |error: reqwest::Error| {
            let error = error.without_url();
            Failure::Unavailable(format!("{} does not answer: {error}; is the server running?", self.url))
        };
        let response = asked.send().await.map_err(away)?;
        match response.status() {
            StatusCode::OK => response.json().await.map_err(away),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let advice = "give an operator's as --token or COLUMBA_TOKEN";
                Err(Failure::Usage(format!("{} does not take this token; {advice}", self.url)))
            }
            status => Err(Failure::Unavailable(format!("{} answered {status}; try again", self.url))),
        }
    }
}
