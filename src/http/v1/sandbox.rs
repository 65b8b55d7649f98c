//! What a tenant plays on the simulated network: the phone, a correspondent, trouble; and what the network received.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::attachment::Attachment;
use super::content::{wrong_cards, wrong_emoji, wrong_place, wrong_poll, wrong_text};
use super::owned;
use crate::domain::chat::Chat;
use crate::domain::content::{Contacts, Content, Edit, Location, Poll, Reaction, Revoke, Target, Text};
use crate::domain::id::SessionId;
use crate::domain::media::MediaKind;
use crate::domain::message::{Letter, WaId};
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

/// Longest id of a message that is named, in bytes.
const MAX_NAMED: usize = 128;

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
            .about("Anything, a file among it that was uploaded before; also in a group, or on another device of the account.")
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
                    to: sample::phone().into(),
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

/// The body of `POST /sandbox/messages`. Holds one of `text`, `image`, `video`, `audio`, `document`,
/// `sticker`, `location`, `contacts`, `poll`, `reaction`, `edit`, `revoke`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayedMessage {
    /// To whom.
    session: SessionId,
    /// From whom: a number, or a person without one (`…@lid`). With `own`, the chat in which the account itself wrote.
    #[schemars(with = "Chat")]
    from: String,
    /// The group in which they wrote (`…@g.us`).
    #[serde(default)]
    #[schemars(with = "Option<Chat>")]
    group: Option<String>,
    /// Whether it was written on another device of the account.
    #[serde(default)]
    own: bool,
    /// The message it answers, by its id on the network.
    #[serde(default)]
    quotes: Option<WaId>,
    /// A text.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4_096))]
    text: Option<String>,
    /// A file that was uploaded before (`POST /v1/media`): the sandbox carries no bytes of its own.
    #[serde(default)]
    image: Option<Attachment>,
    #[serde(default)]
    video: Option<Attachment>,
    #[serde(default)]
    audio: Option<Attachment>,
    #[serde(default)]
    document: Option<Attachment>,
    #[serde(default)]
    sticker: Option<Attachment>,
    #[serde(default)]
    location: Option<Location>,
    #[serde(default)]
    contacts: Option<Contacts>,
    #[serde(default)]
    poll: Option<Poll>,
    #[serde(default)]
    reaction: Option<PlayedReaction>,
    #[serde(default)]
    edit: Option<PlayedEdit>,
    #[serde(default)]
    revoke: Option<PlayedRevoke>,
}

/// A sign put on a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayedReaction {
    /// On which, by its id on the network.
    wa_id: WaId,
    /// One emoji, or nothing.
    emoji: String,
}

/// New text for a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayedEdit {
    /// Which, by its id on the network.
    wa_id: WaId,
    /// The new text.
    body: String,
}

/// A message that is taken back.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlayedRevoke {
    /// Which, by its id on the network.
    wa_id: WaId,
}

impl PlayedMessage {
    fn given(&self) -> usize {
        let Self { text, image, video, audio, document, sticker, .. } = self;
        let Self { location, contacts, poll, reaction, edit, revoke, .. } = self;
        [
            text.is_some(),
            image.is_some(),
            video.is_some(),
            audio.is_some(),
            document.is_some(),
            sticker.is_some(),
            location.is_some(),
            contacts.is_some(),
            poll.is_some(),
            reaction.is_some(),
            edit.is_some(),
            revoke.is_some(),
        ]
        .into_iter()
        .filter(|&given| given)
        .count()
    }

    /// The file it carries, if it does.
    fn file(&mut self) -> Option<(MediaKind, Attachment)> {
        let files = [
            (MediaKind::Image, self.image.take()),
            (MediaKind::Video, self.video.take()),
            (MediaKind::Audio, self.audio.take()),
            (MediaKind::Document, self.document.take()),
            (MediaKind::Sticker, self.sticker.take()),
        ];
        files.into_iter().find_map(|(kind, file)| Some((kind, file?)))
    }

    /// What it holds. What is not allowed in it goes to `faults`.
    fn content(&mut self, faults: &mut Vec<Fault>) -> Content {
        let target = |wa_id| Target { message: None, wa_id: Some(wa_id) };
        if let Some(body) = self.text.take() {
            faults.extend(wrong_text(&body, "/text"));
            Content::Text(Text { body })
        } else if let Some((kind, file)) = self.file() {
            let (content, wrong) = file.check(kind);
            faults.extend(wrong);
            content
        } else if let Some(place) = self.location.take() {
            faults.extend(wrong_place(&place, "/location"));
            Content::Location(place)
        } else if let Some(contacts) = self.contacts.take() {
            faults.extend(wrong_cards(&contacts, "/contacts"));
            Content::Contacts(contacts)
        } else if let Some(poll) = self.poll.take() {
            faults.extend(wrong_poll(&poll, "/poll"));
            Content::Poll(poll)
        } else if let Some(PlayedReaction { wa_id, emoji }) = self.reaction.take() {
            faults.extend(wrong_emoji(&emoji, "/reaction/emoji"));
            Content::Reaction(Reaction { target: target(wa_id), emoji })
        } else if let Some(PlayedEdit { wa_id, body }) = self.edit.take() {
            faults.extend(wrong_text(&body, "/edit/body"));
            Content::Edit(Edit { target: target(wa_id), body })
        } else if let Some(PlayedRevoke { wa_id }) = self.revoke.take() {
            Content::Revoke(Revoke { target: target(wa_id) })
        } else {
            Content::Other
        }
    }

    /// The letter it asks for, under this id, or the 422 it earns.
    fn letter(mut self, wa_id: WaId) -> Result<Letter, Refusal> {
        let mut faults = vec![];
        let content = self.content(&mut faults);
        let mut address = |text: &str, pointer: &str| {
            let read = Chat::parse(text).map_err(|error| error.to_string());
            read.map_err(|error| faults.push(Fault::new(pointer, "not_allowed", error))).ok()
        };
        let from = address(&self.from, "/from");
        let group = self.group.as_deref().map(|group| address(group, "/group"));
        if from.as_ref().is_some_and(|from| from.is_group() && !self.own) {
            faults.push(Fault::new("/from", "not_allowed", "a person writes: name the group in group"));
        }
        if group.iter().flatten().any(|group| !group.is_group()) {
            faults.push(Fault::new("/group", "not_allowed", "expected a group: …@g.us"));
        }
        let named = content.target().and_then(|target| target.wa_id.as_ref()).or(self.quotes.as_ref());
        if named.is_some_and(|id| !(1..=MAX_NAMED).contains(&id.0.len()) || id.0.contains('\0')) {
            let detail = "expected the wa_id of a message";
            faults.push(Fault::new("", "not_allowed", detail));
        }
        let (Some(from), true) = (from, faults.is_empty()) else { return Err(Refusal::invalid(faults)) };
        let (chat, author) = match group.flatten() {
            Some(group) => (group, Some(from)),
            None => (from, None),
        };
        Ok(Letter { wa_id, chat, author, own: self.own, content, quoted: self.quotes })
    }
}

impl Form for PlayedMessage {
    fn misshapen(&self) -> Vec<Fault> {
        let detail = "exactly one of text, image, video, audio, document, sticker, location, contacts, poll, reaction, edit, revoke";
        let wrong = (self.given() != 1).then(|| Fault::new("", "missing", detail));
        wrong.into_iter().collect()
    }
}

#[derive(Serialize, JsonSchema)]
struct Written {
    /// The message's id on the network.
    wa_id: WaId,
}

/// `POST /sandbox/messages`: plays a correspondent, a member of a group, or another device of the account.
pub async fn write(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<PlayedMessage>,
    tenant: Tenant<tenant::Session>,
) -> Answer {
    let session = body.session;
    owned(&state, tenant.principal(), session).await?;
    let letter = body.letter(WaId::mint(state.clock.wall(), rand::random()))?;
    let content = state.media.filled(tenant.scope(), letter.content).await?;
    let letter = Letter { content, ..letter };
    let wa_id = state.sandbox.write(session, letter).await?;
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
