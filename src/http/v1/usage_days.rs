//! Usage by day and session: as pages, or all of it at once for a spreadsheet or a program that counts.

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use futures_util::stream;
use schemars::JsonSchema;
use serde::Serialize;

use super::usage::DAYS_AT_ONCE;
use crate::billing::period::{day_of, month_of};
use crate::domain::id::SessionId;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scope::TenantScope;
use crate::domain::time::{Period, WallTime};
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::query::{Given, Parameters, Query, not_a_cursor};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::ports::messages::UsageDay;

const CSV: &str = "text/csv";
const NDJSON: &str = "application/x-ndjson";
/// Days that are answered at most.
const DAYS_MAX: u64 = 366;

/// What a session did on one day.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[schemars(rename = "UsageDay")]
struct DayRecord {
    /// The date, on the operator's clocks.
    day: NaiveDateText,
    /// Which session; it may have been deleted since.
    session: SessionId,
    /// Messages that count to usage and reached the server on this day, whenever they were accepted.
    sent: u64,
    /// Messages that failed for good.
    failed: u64,
    /// Messages that came in.
    received: u64,
}

/// `2026-11-22`.
#[derive(Debug, Clone, Copy, Serialize)]
struct NaiveDateText(NaiveDate);

impl JsonSchema for NaiveDateText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "date", "examples": ["2026-11-22"]})
    }
}

/// The query of `GET /usage/days`.
#[derive(Debug)]
pub struct Wanted {
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    after: Option<(WallTime, SessionId)>,
    limit: u32,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let date = |text: &str| text.parse().map_err(|_| "expected a date such as 2026-11-22".to_owned());
        let (from, to) = (given.reads("from", date), given.reads("to", date));
        if let (Some(from), Some(to)) = (from, to)
            && from > to
        {
            given.wrong("to", "out_of_range", "it lies before from");
        }
        let after = given.reads("cursor", |text| cursor::day(text).ok_or_else(not_a_cursor));
        Self { from, to, after: after.map(|(day, id)| (day, id.into())), limit: given.limit() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<NaiveDateText>(
                "from",
                "The first day, on the operator's clocks; the first of this month, if it is not said.",
                "2026-11-01",
            ),
            Parameter::new::<NaiveDateText>("to", "The last day; today, if it is not said.", "2026-11-30"),
            Parameter::limit(),
            Parameter::new::<String>(
                "cursor",
                "Where to go on: the `next_cursor` of the page before. Opaque.",
                cursor::of_day(sample::NOW, sample::session_id().uuid()),
            ),
        ]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let row = DayRecord {
        day: NaiveDateText(date(sample::NOW, Tz::UTC)),
        session: sample::session_id(),
        sent: 12,
        failed: 0,
        received: 7,
    };
    let csv = format!("day,session,sent,failed,received\n2026-11-22,{},12,0,7\n", sample::session_id());
    let line = serde_json::to_string(&row).unwrap_or_default();
    vec![
        get("/v1/usage/days", days)
            .named("listUsageDays", "Usage by day and session")
            .about(
                "By day and then by session, at most 366 days. `Accept: text/csv` or `application/x-ndjson` gives all of them \
                 at once, without `limit` and `cursor`. A day without anything is not listed.",
            )
            .answering(200, "One page.", &Listing::whole(vec![row]))
            .answering_as(200, CSV, "All days.", &csv)
            .answering_as(200, NDJSON, "All days.", &format!("{line}\n")),
    ]
}

/// `GET /usage/days`.
pub async fn days(
    state: State,
    Query(wanted): Query<Wanted>,
    tenant: Tenant<tenant::Read>,
    request: HttpRequest,
) -> Answer {
    let zone = state.issuer.zone;
    let period = span(&wanted, state.clock.wall(), zone)?;
    let scope = tenant.scope();
    if let Some(form) = Form::by(request.headers()) {
        return Ok(export(state, scope, period, form));
    }
    let mut rows = state.messages.days(scope, period, wanted.after, wanted.limit + 1).await?;
    let has_more = rows.len() > wanted.limit as usize;
    rows.truncate(wanted.limit as usize);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|row| cursor::of_day(row.day, row.session.uuid()));
    ok(Listing { data: rows.iter().map(|row| record(row, zone)).collect(), next_cursor, has_more })
}

/// From the beginning of the first day to the end of the last.
fn span(wanted: &Wanted, now: WallTime, zone: Tz) -> Result<Period, Refusal> {
    let first = wanted.from.unwrap_or_else(|| date(month_of(now, zone).start, zone));
    let last = wanted.to.unwrap_or_else(|| date(now, zone).max(first));
    let too_many = first.checked_add_days(Days::new(DAYS_MAX)).is_none_or(|end| last >= end);
    if first > last || too_many || !(2000..9999).contains(&first.year()) {
        let detail = format!("expected a day from which at most {DAYS_MAX} days lead to the last one");
        let fault = Fault::new("?from", "out_of_range", detail);
        return Err(Refusal::malformed(format!("?from: {}", fault.detail), vec![fault]));
    }
    // Noon is on every day, whatever the clocks do at midnight.
    let noon = |day: NaiveDate| {
        let local = day.and_time(NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default());
        let at = zone.from_local_datetime(&local).earliest().map(|at| at.timestamp_millis());
        WallTime(at.unwrap_or_else(|| local.and_utc().timestamp_millis()))
    };
    Ok(Period { start: day_of(noon(first), zone).start, end: day_of(noon(last), zone).end })
}

fn date(at: WallTime, zone: Tz) -> NaiveDate {
    at.utc().with_timezone(&zone).date_naive()
}

fn record(row: &UsageDay, zone: Tz) -> DayRecord {
    let UsageDay { day, session, sent, failed, received } = *row;
    DayRecord { day: NaiveDateText(date(day, zone)), session, sent, failed, received }
}

/// How all of it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Ndjson,
}

impl Form {
    fn by(headers: &HeaderMap) -> Option<Self> {
        let ranges = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
        { ranges.flat_map(|value| value.split(',')) }.find_map(|range| {
            match range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
                CSV => Some(Self::Csv),
                NDJSON => Some(Self::Ndjson),
                _ => None,
            }
        })
    }

    fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => NDJSON,
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Csv => "day,session,sent,failed,received\r\n",
            Self::Ndjson => "",
        }
    }

    /// Dates, ids and counts only: nothing in a row can be taken for a formula or a separator.
    fn line(self, row: &DayRecord) -> String {
        let DayRecord { day, session, sent, failed, received } = row;
        match self {
            Self::Csv => format!("{},{session},{sent},{failed},{received}\r\n", day.0),
            Self::Ndjson => serde_json::to_string(row).map(|line| line + "\n").unwrap_or_default(),
        }
    }
}

/// Reads a part, writes it, reads the next: a year of many sessions is never in memory as a whole. A store that goes away
/// meanwhile breaks the answer off, so that nobody takes a part of it for all.
fn export(state: State, scope: TenantScope, period: Period, form: Form) -> HttpResponse {
    struct Rest {
        state: State,
        head: &'static str,
        after: Option<(WallTime, SessionId)>,
        is_over: bool,
    }
    let zone = state.issuer.zone;
    let rest = Rest { state, head: form.head(), after: None, is_over: false };
    let parts = stream::try_unfold(rest, move |mut rest| async move {
        if rest.is_over {
            return Ok(None);
        }
        let rows =
            rest.state.messages.days(scope, period, rest.after, DAYS_AT_ONCE).await.map_err(|error| {
                tracing::warn!(%error, "an export of usage broke off");
                actix_web::error::ErrorServiceUnavailable("the store went away")
            })?;
        rest.is_over = rows.len() < DAYS_AT_ONCE as usize;
        rest.after = rows.last().map(|row| (row.day, row.session));
        let mut text = std::mem::take(&mut rest.head).to_owned();
        text.extend(rows.iter().map(|row| form.line(&record(row, zone))));
        Ok::<_, actix_web::Error>((!text.is_empty()).then(|| (Bytes::from(text), rest)))
    });
    HttpResponse::Ok()
        .content_type(form.media())
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            match form {
                Form::Csv => "attachment; filename=\"usage.csv\"",
                Form::Ndjson => "attachment; filename=\"usage.ndjson\"",
            },
        ))
        .streaming(parts)
}
