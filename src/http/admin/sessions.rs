//! The fleet: sessions of all tenants, and what only operators set of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::id::{SessionId, TenantId};
use crate::domain::page::Page;
use crate::domain::proxy::{self, NotAProxy, Proxy};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::SystemScope;
use crate::domain::session::SessionStatus;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::Operator;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, delete, get, put};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::session::fleet_record;
use crate::ports::sessions::FleetFilter;

/// The query of `GET /sessions`.
#[derive(Debug)]
pub struct Wanted {
    filter: FleetFilter,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let filter = FleetFilter {
            tenant: given.value("tenant"),
            status: given.word(
                "status",
                "stopped, starting, pairing, connected, reconnecting, parked, logged_out, quarantined",
            ),
        };
        Self { filter, page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<TenantId>("tenant", "Of this tenant only.", sample::tenant_id().to_string()),
            Parameter::new::<SessionStatus>("status", "Of this status only.", "connected"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let id = sample::session(SessionStatus::Connected).id;
    vec![
        get("/v1/admin/sessions", list).named("listFleet", "List sessions of all tenants").answering(
            200,
            "One page.",
            &Listing::whole(vec![fleet_record(&sample::session(SessionStatus::Connected), sample::NOW)]),
        ),
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
    let slice = state.sessions.fleet(SystemScope, wanted.filter, wanted.page).await?;
    ok(Listing::by_id(&slice, |session| session.id.uuid(), |session| fleet_record(session, now)))
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
    operator: Operator,
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
    operator: Operator,
    Id(id): Id<SessionId>,
) -> Answer {
    write_proxy(&state, &operator, id, None).await
}

async fn write_proxy(state: &State, operator: &Operator, id: SessionId, sealed: Option<Vec<u8>>) -> Answer {
    let by = operator.actor().clone();
    let session =
        state.sessions.set_proxy(SystemScope, id, sealed, by).await?.ok_or_else(Refusal::not_found)?;
    ok(ProxyRecord { id, proxy: session.proxy, applies: APPLIES })
}
