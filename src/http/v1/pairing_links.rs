//! Links with which somebody else links a session's number: whoever has the phone and no key.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::owned;
use crate::domain::audit::{Act, Action};
use crate::domain::id::{PairingLinkId, SessionId};
use crate::domain::refusal::{Code, Refusal};
use crate::domain::session::SessionStatus;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, done};
use crate::http::extract::State;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{self, Operation, post};
use crate::http::openapi::sample;
use crate::http::pairing_links::LIFE;
use crate::http::state::HttpState;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingLink")]
struct LinkRecord {
    id: PairingLinkId,
    /// To be sent to whoever has the phone; shown once. What opens it stands behind the `#`, which no server gets to see.
    url: String,
    /// Then it opens nothing any more.
    expires_at: WallTime,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let shown = LinkRecord {
        id: sample::pairing_link_id(),
        url: "https://columba.example.com/pair#…".to_owned(),
        expires_at: sample::NOW + LIFE,
    };
    vec![
        post("/v1/sessions/{id}/pairing-links", create)
            .named("createPairingLink", "Make a link to pair by")
            .about(
                "For whoever has the phone and no key: a page with the code, good once, for ten minutes. It takes the place of an \
                 older one. Who made it is in the operator's audit.",
            )
            .answering(201, "The link.", &shown)
            .refusing(&[Code::Conflict]),
        operation::delete("/v1/sessions/{id}/pairing-links", take_back)
            .named("deletePairingLink", "Take a link to pair by back")
            .answering_nothing(204, "The session has none that opens anything."),
    ]
}

/// `POST /sessions/{id}/pairing-links`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<SessionId>,
    request: HttpRequest,
) -> Answer {
    let session = owned(&state, tenant.principal(), id).await?;
    if session.paired && session.status != SessionStatus::LoggedOut {
        return Err(
            Refusal::conflict("the session is linked already; log it out to link another phone").into()
        );
    }
    let made = state.pairing_links.make(tenant.scope(), id, state.clock.now(), state.clock.wall());
    let act = Act::new(Action::PairingLink, "session", id).of(tenant.id());
    let act = act.after(&json!({"tenant": tenant.id(), "link": made.id, "expires_at": made.expires_at}));
    if let Err(error) = state.audit.record(tenant.actor(&request), act).await {
        // A link takes over an account, and nobody gets one unseen.
        state.pairing_links.take_back(id);
        return Err(error.into());
    }
    let url = format!("{}/pair#{}", address(&state, &request), made.token);
    created(StatusCode::CREATED, false, LinkRecord { id: made.id, url, expires_at: made.expires_at })
}

/// `DELETE /sessions/{id}/pairing-links`.
pub async fn take_back(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    state.pairing_links.take_back(id);
    done()
}

/// Where people reach this server. Who asks names it themselves if the settings do not; a proxy that is trusted says whether
/// they came encrypted.
fn address(state: &HttpState, request: &HttpRequest) -> String {
    if !state.public_url.is_empty() {
        return state.public_url.to_string();
    }
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    let is_trusted = peer.is_some_and(|peer| state.trusted_proxies.iter().any(|range| range.contains(peer)));
    let is_encrypted = is_trusted && text(FORWARDED_PROTO) == Some("https");
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{}", text(header::HOST).unwrap_or("localhost"))
}
