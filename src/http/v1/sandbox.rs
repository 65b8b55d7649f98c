//! What a tenant plays on the simulated network: the phone, a correspondent, trouble; and what the network received.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::messages::wrong_text;
use super::owned;
use crate::domain::id::SessionId;
use crate::domain::message::WaId;
use crate::domain::phone::Phone;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::session::Epoch;
use crate::http::answer::{Answer, accepted, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::ports::sandbox::{Frame, SandboxError, SandboxFault};
use crate::ports::supervisor::{SupervisorError, Trouble};

/// The body of `POST /sandbox/scan`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scan {
    /// The code a session shows, scanned or typed.
    code: String,
}

impl Form for Scan {}

#[derive(Serialize, JsonSchema)]
struct Played {
    /// On which session.
    session: SessionId,
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/sandbox/scan", scan)
            .named("scanCode", "Play the phone that scans")
            .about("The session connects.")
            .asking(json!({"code": sample::QR}))
            .answering(202, "Scanned.", &Played { session: sample::session_id() })
            .refusing(&[Code::NotFound, Code::SessionNotReady, Code::Conflict]),
        post("/v1/sandbox/messages", write)
            .named("playMessage", "Play a correspondent who writes")
            .asking(json!({"session": sample::session_id(), "from": sample::phone(), "text": "Hello"}))
            .answering(202, "Written; it arrives as an inbound message.", &Written { wa_id: sample::wa_id() })
            .refusing(&[Code::NotFound, Code::SessionNotReady, Code::Conflict, Code::InvalidRequest]),
        post("/v1/sandbox/faults", fault)
            .named("playFault", "Play trouble")
            .asking(json!({"session": sample::session_id(), "fault": SandboxFault::TransportLost}))
            .answering(202, "Played.", &Played { session: sample::session_id() })
            .refusing(&[Code::NotFound, Code::SessionNotReady, Code::Conflict, Code::Unsupported]),
        get("/v1/sandbox/frames", frames)
            .named("listFrames", "List what the network received")
            .about("Oldest first.")
            .answering(
                200,
                "One page.",
                &Listing::whole(vec![Frame {
                    seq: 17,
                    at: sample::NOW,
                    session: sample::session_id(),
                    wa_id: sample::wa_id(),
                    to: sample::phone(),
                    epoch: Epoch(1),
                }]),
            )
            .refusing(&[Code::NotFound]),
    ]
}

/// `POST /sandbox/scan`: plays the phone. Somebody else's code is as unknown as none.
pub async fn scan(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Scan>,
    tenant: Tenant<tenant::Session>,
) -> Answer {
    let session = state.sandbox.find_code(&body.code).await?.ok_or_else(Refusal::not_found)?;
    owned(&state, tenant.principal(), session).await?;
    let session = state.sandbox.scan(&body.code).await?;
    accepted(Played { session })
}

/// The body of `POST /sandbox/messages`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// To whom.
    session: SessionId,
    /// From whom.
    #[schemars(with = "Phone")]
    from: String,
    /// What.
    #[schemars(length(min = 1, max = 4_096))]
    text: String,
}

impl Form for Letter {}

#[derive(Serialize, JsonSchema)]
struct Written {
    /// The message's id on the network.
    wa_id: WaId,
}

/// `POST /sandbox/messages`: plays a correspondent.
pub async fn write(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Letter>,
    tenant: Tenant<tenant::Session>,
) -> Answer {
    owned(&state, tenant.principal(), body.session).await?;
    let mut faults: Vec<Fault> = wrong_text(&body.text, "/text").into_iter().collect();
    let from =
        Phone::parse(&body.from).map_err(|error| Fault::new("/from", "not_allowed", error.to_string()));
    let from = match from {
        Ok(from) if faults.is_empty() => from,
        other => {
            faults.extend(other.err());
            return Err(Refusal::invalid(faults).into());
        }
    };
    let wa_id = state.sandbox.write(body.session, from, body.text).await?;
    accepted(Written { wa_id })
}

/// The body of `POST /sandbox/faults`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// On which session.
    session: SessionId,
    /// What happens.
    fault: SandboxFault,
}

impl Form for Play {}

/// `POST /sandbox/faults`: plays trouble, at the network or in the session's own actor.
pub async fn fault(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Play>,
    tenant: Tenant<tenant::Session>,
) -> Answer {
    owned(&state, tenant.principal(), body.session).await?;
    match body.fault {
        SandboxFault::Hang => in_actor(&state, body.session, Trouble::Hang).await?,
        SandboxFault::Panic => in_actor(&state, body.session, Trouble::Panic).await?,
        SandboxFault::Exit => in_actor(&state, body.session, Trouble::Exit).await?,
        SandboxFault::Never => in_actor(&state, body.session, Trouble::Never).await?,
        fault => state.sandbox.fault(body.session, fault).await?,
    }
    accepted(Played { session: body.session })
}

/// A session without an actor is one that was not started: waiting would not help.
async fn in_actor(state: &State, session: SessionId, trouble: Trouble) -> Result<(), Problem> {
    state.supervisor.play(session, trouble).await.map_err(|error| match error {
        SupervisorError::Gone => SandboxError::NoLink.into(),
        error => error.into(),
    })
}

/// The query of `GET /sandbox/frames`.
#[derive(Debug)]
pub struct Wanted {
    session: Option<SessionId>,
    after: u64,
    limit: u32,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        if !given.has("session") {
            given.wrong("session", "missing", "this parameter is required");
        }
        let session = given.value("session");
        let number = |text: &str| text.parse().map_err(|_| "expected the seq of a frame".to_owned());
        // `next_cursor` is a seq, so that a caller who follows cursors and one who remembers frames do the same.
        let after = given.reads("after", number);
        let cursor = given.reads("cursor", number);
        if after.is_some() && cursor.is_some() {
            given.wrong("cursor", "not_allowed", "after and cursor say the same: give one of them");
        }
        Self { session, after: after.or(cursor).unwrap_or(0), limit: given.limit() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<SessionId>("session", "Whose frames.", sample::session_id().to_string())
                .required(),
            Parameter::new::<u64>("after", "Only frames beyond this `seq`.", 0),
            Parameter::new::<u64>("cursor", "The same, as `next_cursor` has it. Give one of them.", 17),
            Parameter::limit(),
        ]
    }
}

/// `GET /sandbox/frames`: in order of `seq`, oldest first.
pub async fn frames(state: State, Query(wanted): Query<Wanted>, tenant: Tenant<tenant::Read>) -> Answer {
    let session = wanted.session.ok_or_else(Refusal::not_found)?;
    owned(&state, tenant.principal(), session).await?;
    let mut frames = state.sandbox.frames(session, wanted.after, wanted.limit + 1).await?;
    let has_more = frames.len() > wanted.limit as usize;
    frames.truncate(wanted.limit as usize);
    let next_cursor = frames.last().filter(|_| has_more).map(|frame: &Frame| frame.seq.to_string());
    ok(Listing { data: frames, next_cursor, has_more })
}
