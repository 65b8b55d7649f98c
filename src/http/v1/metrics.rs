//! `/metrics`: for the operator, in the text format of Prometheus. What needs counting now is counted now.

use std::fs;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;

use crate::domain::scope::SystemScope;
use crate::domain::session::SessionStatus;
use crate::http::answer::Answer;
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Nothing, Query};
use crate::http::openapi::operation::{Operation, get};
use crate::http::state::HttpState;
use crate::meters;

const TEXT: &str = "text/plain; version=0.0.4";

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let example = "columba_sessions{status=\"connected\"} 812\n";
    vec![
        get("/metrics", scrape)
            .named("getMetrics", "What this process counts")
            .about("For Prometheus. No label names a tenant or a number.")
            .answering_as(200, TEXT, "All metrics.", example),
    ]
}

/// `GET /metrics`.
pub async fn scrape(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    let census = state.sessions.census(SystemScope).await?;
    // A status that nobody has is told as 0: what was not told would keep its last count.
    let all = <SessionStatus as strum::IntoEnumIterator>::iter();
    let counted = all.map(|status| (status, census.sessions.get(&status).copied().unwrap_or(0)));
    meters::fleet(counted, census.waiting);
    Ok(exposed(&state))
}

/// `GET /metrics` where only the feed is handed out: the fleet is told by the process that runs it, once.
pub async fn scrape_process(state: State, _: Query<Nothing>, _: Operator) -> HttpResponse {
    exposed(&state)
}

fn exposed(state: &HttpState) -> HttpResponse {
    if let Some((resident, cpu, files)) = process() {
        meters::process(resident, cpu, files);
    }
    HttpResponse::Ok().insert_header((CONTENT_TYPE, TEXT)).body(state.exposition.text())
}

/// Resident bytes, time used and open files, where the system tells them (proc(5)).
fn process() -> Option<(u64, Duration, u64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)?;
    let cpu = Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64);
    let resident = number(21)? * rustix::param::page_size() as u64;
    Some((resident, cpu, fs::read_dir("/proc/self/fd").ok()?.count() as u64))
}
