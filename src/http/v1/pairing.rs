//! Pairing: a person scans a picture, or types a code into the phone.

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, web};
use qrcode::QrCode;
use qrcode::render::svg;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::owned;
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::passkey::{Passkey, PasskeyStage};
use crate::domain::phone::Phone;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::session::{Session, SessionStatus};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::ports::supervisor::{PairingView, SupervisorError};

const SVG: &str = "image/svg+xml";
/// Pixels a side at the least; every phone's camera takes it.
const SIDE: u32 = 264;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QrCode")]
struct QrRecord<'a> {
    /// What the picture says.
    code: &'a str,
    /// Then the next one is shown.
    expires_at: WallTime,
    /// Which one of this pairing it is, from 1.
    attempt: u32,
    /// What linking risks, on engines that reach people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    warning: Option<&'static str>,
    /// Only while WhatsApp wants more than the code: what it says of the account's passkey.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PasskeyRecord<'a>")]
    passkey: Option<PasskeyRecord<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Passkey")]
struct PasskeyRecord<'a> {
    stage: PasskeyStage,
    /// What the phone's owner has to know and to do.
    todo: &'static str,
    /// To be compared with the one on the phone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    code: Option<&'a str>,
}

fn passkey(passkey: &Passkey) -> PasskeyRecord<'_> {
    PasskeyRecord { stage: passkey.stage, todo: passkey.stage.todo(), code: passkey.code.as_deref() }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        get("/v1/sessions/{id}/qr", qr)
            .named("getQrCode", "Get the code to scan")
            .about("`Accept: image/svg+xml` gives the picture. A new code comes every half a minute or so: ask again at `expires_at`.")
            .answering(200, "The code.", &QrRecord { code: sample::QR, expires_at: sample::NOW, attempt: 1, warning: None, passkey: None })
            .answering_as(200, SVG, "The code.", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")
            .refusing(&[Code::NotPairing, Code::Unsupported]),
        post("/v1/sessions/{id}/pairing-code", pairing_code)
            .named("createPairingCode", "Get a code to type")
            .about("For who cannot scan. It rings that phone, so it is limited to 3 an hour for each phone, and who asked is in \
                 the operator's audit.")
            .asking(json!({"phone": sample::phone()}))
            .answering(200, "The code.", &CodeRecord { code: "ABCD-EFGH".to_owned(), expires_at: sample::NOW, warning: None })
            .refusing(&[Code::NotPairing, Code::InvalidRequest, Code::Unsupported]),
    ]
}

/// `GET /sessions/{id}/qr`.
pub async fn qr(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::LinkCode>,
    Id(id): Id<SessionId>,
    request: HttpRequest,
) -> Answer {
    let session = owned(&state, tenant.principal(), id).await?;
    let view = shown(&state, &session).await?;
    if !wants_picture(request.headers()) {
        let (expires_at, attempt, warning) = (view.expires_at, view.attempt, session.engine.warning());
        let passkey = view.passkey.as_ref().map(passkey);
        return ok(QrRecord { code: &view.code, expires_at, attempt, warning, passkey });
    }
    let drawn = web::block(move || picture(&view.code)).await.ok().flatten();
    let Some(drawn) = drawn else {
        tracing::error!(session = %id, "a pairing code does not fit into a picture");
        return Err(Refusal::unsupported("this code does not fit into a picture; ask for JSON").into());
    };
    Ok(HttpResponse::Ok().content_type(SVG).body(drawn))
}

/// The body of `POST /sessions/{id}/pairing-code`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairByPhone {
    /// The phone that is to be connected.
    #[schemars(with = "Phone")]
    phone: String,
}

impl Form for PairByPhone {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingCode")]
pub(super) struct CodeRecord {
    /// Typed into the phone: `ABCD-EFGH`.
    pub(super) code: String,
    pub(super) expires_at: WallTime,
    /// What linking risks, on engines that reach people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(super) warning: Option<&'static str>,
}

/// `POST /sessions/{id}/pairing-code`.
pub async fn pairing_code(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<PairByPhone>,
    tenant: Tenant<tenant::Session>,
    Id(id): Id<SessionId>,
    request: HttpRequest,
) -> Answer {
    let session = owned(&state, tenant.principal(), id).await?;
    shown(&state, &session).await?;
    let by = tenant.actor(&request);
    ok(request_code(&state, tenant.id(), &session, &body.phone, by).await?)
}

/// A code for this phone, within the limits, and with whoever asks written down.
pub(super) async fn request_code(
    state: &HttpState,
    tenant: TenantId,
    session: &Session,
    phone: &str,
    by: Actor,
) -> Result<CodeRecord, Problem> {
    let phone = Phone::parse(phone)
        .map_err(|error| Refusal::invalid(vec![Fault::new("/phone", "not_allowed", error.to_string())]))?;
    state.pairing_limit.take(tenant, &phone, state.clock.now())?;
    // Written down first: a code takes over an account, and nobody gets one unseen.
    let act = Act::new(Action::PairingCode, "session", session.id).of(tenant);
    let act = act.after(&json!({"tenant": tenant, "engine": session.engine}));
    state.audit.record(by, act).await?;
    let code = state.supervisor.pairing_code(session, phone).await?;
    Ok(CodeRecord { code: code.code, expires_at: code.expires_at, warning: session.engine.warning() })
}

/// The code the session shows; 409 saying what to do when it shows none.
pub(super) async fn shown(state: &HttpState, session: &Session) -> Result<PairingView, Problem> {
    match state.supervisor.pairing(session.id).await {
        Ok(Some(view)) => Ok(view),
        Ok(None) | Err(SupervisorError::Gone) => Err(Refusal::not_pairing(advice(session)).into()),
        Err(error) => Err(error.into()),
    }
}

fn advice(session: &Session) -> &'static str {
    match session.status {
        SessionStatus::Stopped => "the session is stopped: start it, then ask for the code",
        SessionStatus::Pairing if session.reason == Some(PasskeyStage::Requested.reason()) => {
            PasskeyStage::Requested.todo()
        }
        SessionStatus::Starting | SessionStatus::Pairing => {
            "the first code is not there yet: ask again in a second"
        }
        SessionStatus::Connected => {
            "the session is connected: there is nothing to pair; log it out to pair anew"
        }
        SessionStatus::Reconnecting if !session.paired => {
            "the network does not answer: the code comes as soon as it does"
        }
        SessionStatus::Reconnecting => "the session is reconnecting with the credentials it has: wait for it",
        SessionStatus::Parked => "the session is parked: see its reason, then start it",
        SessionStatus::LoggedOut => "the session is logged out: start it to pair anew",
        SessionStatus::Quarantined => "the session crashed too often: start it to try again",
    }
}

fn wants_picture(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let kind = range.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case(SVG)
    })
}

/// The picture of a code, with the quiet zone that scanners need.
pub fn picture(code: &str) -> Option<String> {
    let qr = QrCode::new(code).ok()?;
    Some(qr.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(SIDE, SIDE).build())
}
