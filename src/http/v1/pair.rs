//! What the page behind a pairing link asks. Whoever asks has no key: the link's token, and what it was used up for, are all
//! that opens these calls, and each of them opens one session's pairing and nothing else.

use std::fmt;

use actix_web::{HttpRequest, web};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::pairing::{CodeRecord, picture, request_code, shown};
use crate::domain::audit::{Act, Action};
use crate::domain::id::SessionId;
use crate::domain::phone::Phone;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::{Desired, PAIRING_LIMIT, Reason, Session, SessionStatus};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, done, ok, to_the_end};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::named_actor;
use crate::http::extract::query::{Nothing, Query};
use crate::http::middleware::edge_limit::Caller;
use crate::http::openapi::operation::{Operation, post};
use crate::http::openapi::sample;
use crate::http::origin::Origin;
use crate::http::pairing_links::LinkState;
use crate::http::problem::Problem;
use crate::http::state::HttpState;
use crate::meters;
use crate::ports::supervisor::{PairingView, SupervisorError};

/// Characters of a report.
const REPORT: usize = 500;
/// As whom the audit names whoever has a link.
const HOLDER: &str = "pairing link";

/// What opens a call. Never shown by `Debug`.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The body of `POST /pair/peek` and `POST /pair/confirm`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PairingToken")]
pub struct ByToken {
    /// What stands behind the `#` of the link.
    token: Secret,
}

impl Form for ByToken {}

/// The body of `POST /pair/state`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PairingPass")]
pub struct ByPass {
    /// What `confirm` answered.
    pass: Secret,
}

impl Form for ByPass {}

/// The body of `POST /pair/code`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PairingCodeByLink")]
pub struct ForPhone {
    /// What `confirm` answered.
    pass: Secret,
    /// The phone that is to be connected.
    #[schemars(with = "Phone")]
    phone: String,
}

impl Form for ForPhone {}

/// The body of `POST /pair/report`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PairingReport")]
pub struct Report {
    /// What stands behind the `#` of the link.
    token: Secret,
    /// How they came by it, in their own words.
    #[serde(default)]
    #[schemars(length(max = REPORT))]
    text: Option<String>,
}

impl Form for Report {}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingPeek")]
struct PeekRecord<'a> {
    /// Who wants to link the phone.
    tenant: &'a str,
    /// What they call the session.
    session: &'a str,
    /// When the link's time is over.
    expires_at: WallTime,
    /// What linking risks, on engines that reach people.
    warning: Option<&'static str>,
    state: LinkState,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingAdmission")]
struct PassRecord {
    /// Opens the calls that follow, for a quarter of an hour.
    pass: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingState")]
struct StateRecord {
    status: SessionStatus,
    step: Step,
    /// What to scan, while there is something.
    qr: Option<QrRecord>,
    /// Why it stands as it does.
    reason: Option<Reason>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PairingQr")]
struct QrRecord {
    /// What the picture says.
    code: String,
    /// The picture.
    svg: Option<String>,
    /// Then the next one is shown.
    expires_at: WallTime,
    /// Which one of this pairing it is, from 1.
    attempt: u32,
    /// How many there will be, about, if nobody scans: as those so far came.
    of: u32,
    /// When the session gives up, if nobody scans.
    until: WallTime,
}

/// How far a pairing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PairingStep")]
enum Step {
    /// Somebody has to scan, or to type a code.
    Waiting,
    /// The phone has agreed.
    Scanned,
    /// The session opens its first link with what the phone gave it.
    Syncing,
    /// It works.
    Connected,
    /// It does not wait for anybody; the reason says why.
    Failed,
}

/// How far the pairing of a session has come, once somebody has asked for it.
fn step(session: &Session) -> Step {
    use SessionStatus as S;
    match (session.status, session.paired) {
        (S::Connected, _) => Step::Connected,
        (S::Pairing, true) => Step::Scanned,
        (S::Starting | S::Reconnecting, true) => Step::Syncing,
        (S::Pairing | S::Starting | S::Reconnecting, false) => Step::Waiting,
        // It is about to start.
        (S::Stopped, _) if session.desired == Desired::Running => Step::Waiting,
        (S::Stopped | S::Parked | S::LoggedOut | S::Quarantined, _) => Step::Failed,
    }
}

/// Mounts them.
pub fn routes(v1: &mut web::ServiceConfig) {
    v1.service(web::resource("/pair/peek").route(web::post().to(peek)))
        .service(web::resource("/pair/confirm").route(web::post().to(confirm)))
        .service(web::resource("/pair/state").route(web::post().to(state_of)))
        .service(web::resource("/pair/code").route(web::post().to(code)))
        .service(web::resource("/pair/report").route(web::post().to(report)));
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let (token, pass) = (json!({"token": "5f0c…"}), json!({"pass": "a91e…"}));
    let peeked = PeekRecord {
        tenant: "Acme",
        session: "Front desk",
        expires_at: sample::NOW,
        warning: None,
        state: LinkState::Open,
    };
    let qr = QrRecord {
        code: sample::QR.to_owned(),
        svg: Some("<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_owned()),
        expires_at: sample::NOW,
        attempt: 1,
        of: 6,
        until: sample::NOW + PAIRING_LIMIT,
    };
    let stands =
        StateRecord { status: SessionStatus::Pairing, step: Step::Waiting, qr: Some(qr), reason: None };
    let code = CodeRecord { code: "ABCD-EFGH".to_owned(), expires_at: sample::NOW, warning: None };
    vec![
        post("/v1/pair/peek", peek)
            .named("peekPairingLink", "What a pairing link is for")
            .about("For its page. Uses nothing up.")
            .asking(token.clone())
            .answering(200, "The link.", &peeked)
            .refusing(&[Code::NotFound]),
        post("/v1/pair/confirm", confirm)
            .named("confirmPairingLink", "Use a pairing link")
            .about("Once. The session starts, if it does not run.")
            .asking(token)
            .answering(200, "What opens the rest.", &PassRecord { pass: "a91e…".to_owned() })
            .refusing(&[Code::NotFound, Code::Conflict]),
        post("/v1/pair/state", state_of)
            .named("getPairingState", "How a pairing by link stands")
            .about("Ask again each second or two.")
            .asking(pass)
            .answering(200, "As it is now.", &stands)
            .refusing(&[Code::NotFound]),
        post("/v1/pair/code", self::code)
            .named("createPairingCodeByLink", "Get a code to type, by link")
            .about("For who cannot scan, within the same limits as with a key.")
            .asking(json!({"pass": "a91e…", "phone": sample::phone()}))
            .answering(200, "The code.", &code)
            .refusing(&[Code::NotFound, Code::NotPairing, Code::InvalidRequest, Code::Unsupported]),
        post("/v1/pair/report", report)
            .named("reportPairingLink", "Report a pairing link")
            .about("For who did not ask for it. The link is closed, and the operator is told.")
            .asking(json!({"token": "5f0c…", "text": "I do not know these people."}))
            .answering_nothing(204, "It is closed.")
            .refusing(&[Code::NotFound, Code::InvalidRequest]),
    ]
}

/// A token or a pass that opens nothing counts like a bad key: nobody gets to try many.
async fn unknown(state: &HttpState, request: &HttpRequest) -> Problem {
    let caller = Caller::of(Origin::found(request));
    match state.edge_limit.count_bad_key(caller).await {
        Ok(()) => Refusal::not_found().into(),
        Err(refusal) => refusal.into(),
    }
}

async fn session_of(state: &HttpState, id: SessionId) -> Result<Session, Problem> {
    Ok(state.sessions.find(SystemScope, id).await?.ok_or_else(Refusal::not_found)?)
}

async fn admitted(
    state: &HttpState,
    request: &HttpRequest,
    pass: &Secret,
) -> Result<(TenantScope, Session), Problem> {
    let Some((scope, id)) = state.pairing_links.admit(&pass.0, state.clock.now()) else {
        return Err(unknown(state, request).await);
    };
    if state.directory.snapshot().is_suspended(scope.tenant()) {
        return Err(Refusal::not_found().into());
    }
    Ok((scope, session_of(state, id).await?))
}

/// `POST /pair/peek`.
pub async fn peek(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<ByToken>,
    request: HttpRequest,
) -> Answer {
    let Some(seen) = state.pairing_links.peek(&body.token.0, state.clock.now()) else {
        return Err(unknown(&state, &request).await);
    };
    let session = session_of(&state, seen.session).await?;
    let snapshot = state.directory.snapshot();
    let tenant = snapshot.tenants.get(&seen.scope.tenant()).ok_or_else(Refusal::not_found)?;
    let gone = snapshot.is_suspended(tenant.id);
    ok(PeekRecord {
        tenant: &tenant.name,
        session: &session.label,
        expires_at: seen.expires_at,
        warning: session.engine.warning(),
        state: if gone { LinkState::Expired } else { seen.state },
    })
}

/// `POST /pair/confirm`.
pub async fn confirm(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<ByToken>,
    request: HttpRequest,
) -> Answer {
    let now = state.clock.now();
    let Some(seen) = state.pairing_links.peek(&body.token.0, now) else {
        return Err(unknown(&state, &request).await);
    };
    let session = session_of(&state, seen.session).await?;
    if state.directory.snapshot().is_suspended(session.tenant) {
        return Err(Refusal::conflict("this link opens nothing any more; ask for another").into());
    }
    if session.paired && session.status != SessionStatus::LoggedOut {
        return Err(Refusal::conflict("a phone is linked already").into());
    }
    let Some(pass) = state.pairing_links.confirm(&body.token.0, now) else {
        let detail = match seen.state {
            LinkState::Expired => "this link's time is over; ask for another",
            LinkState::Open | LinkState::Used => "this link was used already; ask for another",
        };
        return Err(Refusal::conflict(detail).into());
    };
    let act = Act::new(Action::PairingLinkUsed, "session", session.id).of(session.tenant);
    let act = act.after(&json!({"tenant": session.tenant}));
    state.audit.record(named_actor(&request, HOLDER.to_owned()), act).await?;
    to_the_end(async move {
        let wanted = state.sessions.set_desired(seen.scope, session.id, Desired::Running).await?;
        let wanted = wanted.ok_or_else(Refusal::not_found)?;
        state.supervisor.heed(&wanted).await?;
        ok(PassRecord { pass })
    })
    .await
}

/// `POST /pair/state`.
pub async fn state_of(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<ByPass>,
    request: HttpRequest,
) -> Answer {
    let (_, session) = admitted(&state, &request, &body.pass).await?;
    let view = match state.supervisor.pairing(session.id).await {
        Ok(view) => view,
        // Between two incarnations there is nothing to scan.
        Err(SupervisorError::Gone | SupervisorError::Busy) => None,
        Err(error) => return Err(error.into()),
    };
    let qr = match view {
        Some(view) => Some(drawn(view, session.since).await),
        None => None,
    };
    ok(StateRecord { status: session.status, step: step(&session), qr, reason: session.reason })
}

async fn drawn(view: PairingView, since: WallTime) -> QrRecord {
    let PairingView { code, expires_at, attempt, .. } = view;
    let said = code.clone();
    let svg = web::block(move || picture(&said)).await.ok().flatten();
    let of = codes(attempt, since, expires_at);
    QrRecord { code, svg, expires_at, attempt, of, until: since + PAIRING_LIMIT }
}

/// How many codes a pairing that began at `since` shows before it gives up, when the `attempt`th ends at `expires_at`.
fn codes(attempt: u32, since: WallTime, expires_at: WallTime) -> u32 {
    let each = expires_at.since(since).as_millis() / u128::from(attempt.max(1));
    let left = (since + PAIRING_LIMIT).since(expires_at).as_millis();
    attempt + left.checked_div(each).unwrap_or_default() as u32
}

/// `POST /pair/code`.
pub async fn code(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<ForPhone>,
    request: HttpRequest,
) -> Answer {
    let (scope, session) = admitted(&state, &request, &body.pass).await?;
    shown(&state, &session).await?;
    let by = named_actor(&request, HOLDER.to_owned());
    ok(request_code(&state, scope.tenant(), &session, &body.phone, by).await?)
}

/// `POST /pair/report`.
pub async fn report(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Report>,
    request: HttpRequest,
) -> Answer {
    if body.text.as_ref().is_some_and(|text| text.chars().count() > REPORT || text.contains('\0')) {
        let detail = format!("at most {REPORT} characters, none of them NUL");
        return Err(Refusal::invalid(vec![Fault::new("/text", "out_of_range", detail)]).into());
    }
    let Some((link, scope, session)) = state.pairing_links.report(&body.token.0, state.clock.wall()) else {
        return Err(unknown(&state, &request).await);
    };
    meters::pairing_reported();
    tracing::warn!(tenant = %scope.tenant(), %session, "a pairing link was reported by whoever was sent it");
    let act = Act::new(Action::PairingLinkReported, "session", session).of(scope.tenant());
    let act = act.after(&json!({"tenant": scope.tenant(), "link": link, "text": body.text}));
    state.audit.record(named_actor(&request, HOLDER.to_owned()), act).await?;
    done()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use strum::IntoEnumIterator as _;

    use super::*;

    #[test]
    fn as_many_codes_are_foreseen_as_fit_into_the_time_of_a_pairing() {
        let began = WallTime(1_795_000_000_000);
        let at = |secs: u64| began + Duration::from_secs(secs);
        for (attempt, ends, of) in [(1, 60, 3), (1, 30, 6), (2, 60, 6), (6, 180, 6), (7, 200, 7), (1, 0, 1)] {
            assert_eq!(codes(attempt, began, at(ends)), of, "{attempt} {ends}");
        }
    }

    #[test]
    fn a_pairing_goes_from_waiting_to_connected_and_what_waits_for_nobody_has_failed() {
        use SessionStatus as S;
        for status in S::iter() {
            for paired in [false, true] {
                for desired in [Desired::Running, Desired::Stopped] {
                    let session = Session { paired, desired, ..sample::session(status) };
                    let expected = match (status, paired, desired) {
                        (S::Connected, ..) => Step::Connected,
                        (S::Parked | S::LoggedOut | S::Quarantined, ..) => Step::Failed,
                        (S::Stopped, _, Desired::Running) => Step::Waiting,
                        (S::Stopped, ..) => Step::Failed,
                        (_, false, _) => Step::Waiting,
                        (S::Pairing, true, _) => Step::Scanned,
                        _ => Step::Syncing,
                    };
                    assert_eq!(step(&session), expected, "{status} {paired} {desired}");
                }
            }
        }
    }
}
