//! The fleet: sessions of all tenants, and what only operators set of them.

use crate::domain::id::{SessionId, TenantId};
use crate::domain::page::Order;
use crate::domain::proxy::{self, NotAProxy, Proxy};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::SystemScope;
use crate::domain::session::{Engine, Reason, Session, SessionStatus};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query, not_a_cursor};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, delete, get, put};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::session::{SessionRecord, fleet_record};
use crate::http::state::HttpState;
use crate::ports::directory::Snapshot;
use crate::ports::sessions::{FleetFilter, FleetPage, FleetSort, Sought};
use crate::ports::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;

/// Characters of what is looked for.
const SOUGHT: usize = 128;
/// Tenants that are found by a part of their name, at most.
const TENANTS: usize = 1_000;

/// The query of `GET /sessions`.
#[derive(Debug)]
pub struct Wanted {
    filter: FleetFilter,
    /// What is looked for, before it is known whose names hold it.
    sought: Option<String>,
    /// Before it is known what time it is.
    restricted: Option<bool>,
    page: FleetPage,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let filter = FleetFilter {
            tenant: given.value("tenant"),
            status: given.word("status", &words::<SessionStatus>()),
            reason: given.word("reason", &words::<Reason>()),
            engine: given.word("engine", &words::<Engine>()),
            ..FleetFilter::default()
        };
        let sought = given.reads("q", |text| {
            let fits = (1..=SOUGHT).contains(&text.chars().count()) && !text.contains('\0');
            fits.then(|| text.to_owned())
                .ok_or_else(|| format!("expected 1 to {SOUGHT} characters, none of them NUL"))
        });
        let restricted = given.word("restricted", "true, false");
        let sort: FleetSort = given.word("sort", &words::<FleetSort>()).unwrap_or_default();
        let order = order(given);
        let limit = given.limit();
        let beyond = given.reads("cursor", |text| cursor::fleet(text, sort, order).ok_or_else(not_a_cursor));
        Self { filter, sought, restricted, page: FleetPage { limit, sort, order, beyond } }
    }

    fn described() -> Vec<Parameter> {
        let session = sample::session(SessionStatus::Connected);
        vec![
            Parameter::new::<TenantId>("tenant", "Of this tenant only.", sample::tenant_id().to_string()),
            Parameter::new::<SessionStatus>("status", "Of this status only.", "connected"),
            Parameter::new::<Reason>("reason", "With this reason only.", "replaced"),
            Parameter::new::<Engine>("engine", "On this engine only.", "sandbox"),
            Parameter::new::<String>(
                "q",
                "With this in the label or in the tenant's name, whatever the case of A to Z, or with this id.",
                "front",
            ),
            Parameter::new::<bool>(
                "restricted",
                "Only accounts that the network limits now, or only the others.",
                true,
            ),
            Parameter::new::<FleetSort>(
                "sort",
                "By what; those that are alike by when they were made.",
                "since",
            ),
            Parameter::new::<Order>("order", "Descending if it is left out.", "asc"),
            Parameter::limit(),
            Parameter::new::<String>(
                "cursor",
                "Where to go on: the `next_cursor` of the page before, with the same `sort` and `order`. Opaque.",
                cursor::of_fleet(FleetSort::Since, Order::Ascending, &session),
            ),
        ]
    }
}

/// Every word of a closed list, with commas.
pub(super) fn words<T: strum::IntoEnumIterator + Into<&'static str>>() -> String {
    T::iter().map(Into::into).collect::<Vec<&str>>().join(", ")
}

/// Which way a list is to run.
pub fn order(given: &mut Given) -> Order {
    let order = given.reads("order", |text| match text {
        "desc" => Ok(Order::Descending),
        "asc" => Ok(Order::Ascending),
        _ => Err("expected one of desc, asc".to_owned()),
    });
    order.unwrap_or_default()
}

/// A session as the operator sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FleetSession")]
struct FleetRecord<'a> {
    #[serde(flatten)]
    record: SessionRecord<'a>,
    /// What its tenant is called; null for one that is being deleted.
    tenant_name: Option<&'a str>,
    /// Messages that wait on it.
    queued: u64,
    /// When its newest message was accepted or came in.
    last_activity_at: Option<WallTime>,
}

fn record<'a>(
    session: &'a Session,
    snapshot: &'a Snapshot,
    activity: &BTreeMap<SessionId, WallTime>,
    now: WallTime,
) -> FleetRecord<'a> {
    FleetRecord {
        record: fleet_record(session, now),
        tenant_name: snapshot.tenants.get(&session.tenant).map(|tenant| &*tenant.name),
        queued: session.counters.queued,
        last_activity_at: activity.get(&session.id).copied(),
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let session = sample::session(SessionStatus::Connected);
    let shown = || FleetRecord {
        record: fleet_record(&session, sample::NOW),
        tenant_name: Some("Acme"),
        queued: 0,
        last_activity_at: Some(sample::NOW),
    };
    let id = session.id;
    vec![
        get("/v1/admin/sessions", list)
            .named("listFleet", "List sessions of all tenants")
            .about("Newest first, unless `sort` says something else.")
            .answering(200, "One page.", &Listing::whole(vec![shown()])),
        get("/v1/admin/sessions/{id}", self::get_one)
            .named("getFleetSession", "Get a session of any tenant")
            .answering(200, "The session.", &shown()),
        put("/v1/admin/sessions/{id}/proxy", set_proxy)
            .named("setProxy", "Set a session's proxy")
            .about(
                "All of the session's traffic goes through it, media too, and never past it. `http` and `socks5` for native; for \
                 baileys also `https`. The address is kept sealed and never shown. It holds from the next link on: a session that is \
                 connected keeps its line until it is restarted.",
            )
            .asking(json!({"url": "socks5://user:password@proxy.example:1080"}))
            .answering(200, "It is set.", &ProxyRecord { id, proxy: true, applies: APPLIES })
            .refusing(&[Code::InvalidRequest, Code::Unsupported]),
        delete("/v1/admin/sessions/{id}/proxy", clear_proxy)
            .named("clearProxy", "Take a session's proxy away")
            .about("From the next link on the session connects directly.")
            .answering(200, "It has none.", &ProxyRecord { id, proxy: false, applies: APPLIES }),
    ]
}

/// `GET /sessions`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let now = state.clock.wall();
    let snapshot = state.directory.snapshot();
    let Wanted { mut filter, sought, restricted, page } = wanted;
    filter.restricted = restricted.map(|wanted| (wanted, now));
    filter.sought = sought.map(|text| sought_by(text, &snapshot));
    let (sort, order) = (page.sort, page.order);
    let slice = state.sessions.fleet(SystemScope, filter, page).await?;
    let activity = activity(&state, &slice.rows).await?;
    let last = slice.rows.last().filter(|_| slice.has_more);
    ok(Listing {
        next_cursor: last.map(|session| cursor::of_fleet(sort, order, session)),
        has_more: slice.has_more,
        data: slice.rows.iter().map(|session| record(session, &snapshot, &activity, now)).collect(),
    })
}

fn sought_by(text: String, snapshot: &Snapshot) -> Sought {
    let part = text.to_ascii_lowercase();
    let named = snapshot.tenants.values().filter(|tenant| tenant.name.to_ascii_lowercase().contains(&part));
    let mut tenants: Vec<TenantId> = named.map(|tenant| tenant.id).collect();
    tenants.sort_unstable();
    tenants.truncate(TENANTS);
    Sought { id: text.parse().ok(), label: text, tenants }
}

async fn activity(
    state: &HttpState,
    sessions: &[Session],
) -> Result<BTreeMap<SessionId, WallTime>, StoreError> {
    let ids: Vec<SessionId> = sessions.iter().map(|session| session.id).collect();
    state.sessions.activity(SystemScope, &ids).await
}

/// `GET /sessions/{id}`.
pub async fn get_one(state: State, _: Query<Nothing>, _: Operator, Id(id): Id<SessionId>) -> Answer {
    let session = state.sessions.find(SystemScope, id).await?.ok_or_else(Refusal::not_found)?;
    let activity = activity(&state, std::slice::from_ref(&session)).await?;
    ok(record(&session, &state.directory.snapshot(), &activity, state.clock.wall()))
}

/// When a proxy that was set or taken away shows.
const APPLIES: &str =
    "when the session connects next; one that is connected keeps its line until it is restarted";

/// The body of `PUT /sessions/{id}/proxy`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProxyWish")]
pub struct Wish {
    /// `http://`, `https://` or `socks5://`, with user and password if it wants them, host and port. What is no visible ASCII, `@`
    /// and `:` in a password are written as `%XX`.
    #[schemars(length(min = 1, max = proxy::URL_MAX))]
    url: String,
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wish { url: … }")
    }
}

impl Form for Wish {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SessionProxy")]
struct ProxyRecord {
    id: SessionId,
    /// Whether the session has a proxy now.
    proxy: bool,
    /// When that shows.
    applies: &'static str,
}

/// `PUT /sessions/{id}/proxy`. Nothing of the address is in what is answered or logged.
pub async fn set_proxy(
    state: State,
    _: Query<Nothing>,
    Json(wish): Json<Wish>,
    operator: Operator<may::ManageTenants>,
    Id(id): Id<SessionId>,
) -> Answer {
    let session = state.sessions.find(SystemScope, id).await?.ok_or_else(Refusal::not_found)?;
    if proxy::schemes(session.engine).is_empty() {
        let detail =
            format!("a session of the engine {} reaches no network, so it takes no proxy", session.engine);
        return Err(Refusal::unsupported(detail).into());
    }
    let proxy = Proxy::parse(&wish.url, session.engine).map_err(|wrong| {
        let code = if wrong == NotAProxy::TooLong { "out_of_range" } else { "not_allowed" };
        Refusal::invalid(vec![Fault::new("/url", code, wrong.to_string())])
    })?;
    let sealed = state.sealer.seal(session.tenant, &proxy::place(id), proxy.expose().as_bytes()).await;
    let sealed = sealed.map_err(|error| {
        tracing::error!(%error, "a proxy's address cannot be sealed");
        Refusal::unavailable("the tenant's key cannot be reached now; nothing was changed, try again")
    })?;
    write_proxy(&state, &operator, id, Some(sealed)).await
}

/// `DELETE /sessions/{id}/proxy`.
pub async fn clear_proxy(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManageTenants>,
    Id(id): Id<SessionId>,
) -> Answer {
    write_proxy(&state, &operator, id, None).await
}

async fn write_proxy(
    state: &State,
    operator: &Operator<may::ManageTenants>,
    id: SessionId,
    sealed: Option<Vec<u8>>,
) -> Answer {
    let by = operator.actor().clone();
    let session =
        state.sessions.set_proxy(SystemScope, id, sealed, by).await?.ok_or_else(Refusal::not_found)?;
    ok(ProxyRecord { id, proxy: session.proxy, applies: APPLIES })
}
