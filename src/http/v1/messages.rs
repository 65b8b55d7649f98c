//! Stop 1: what a tenant asks for is read here and becomes a [`Draft`], or the refusal it earns. Also reading messages
//! and taking them back.

use std::time::Duration;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::attachment::Attachment;
use super::content::{Kind, NewEdit, NewReaction, NewRevoke};
use crate::domain::chat::Chat;
use crate::domain::content::{Contacts, Location, Poll, Text};
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{Category, Delivery, Direction, Draft, Message, MessageStatus};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json, Object};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::extract::tenant::{self, Need, Tenant};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{self, Operation, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::message::{MessageRecord, outline, record};
use crate::outbound::resend::again;
use crate::ports::messages::MessageFilter;
use crate::ports::store::WriteError;

const CLIENT_REF: usize = 64;
/// How long a message waits unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How far ahead a message may be planned, and how long it may wait from there.
const HORIZON: Duration = Duration::from_secs(30 * 24 * 3600);

/// The body of `POST /sessions/{id}/messages`, as it came.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewMessage")]
pub struct OutboundDraft {
    /// To whom: a person's number; or a group, or a person without a number, that the session has heard of.
    #[schemars(with = "Chat")]
    to: String,
    /// What it holds; the object of this name has it.
    #[schemars(with = "String", extend("enum" = [
        "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "reaction", "poll", "edit", "revoke"
    ]))]
    pub(super) r#type: Kind,
    #[serde(default)]
    #[schemars(with = "Option<Text>")]
    pub(super) text: Option<Object<Text>>,
    #[serde(default)]
    #[schemars(with = "Option<Location>")]
    pub(super) location: Option<Object<Location>>,
    #[serde(default)]
    #[schemars(with = "Option<Contacts>")]
    pub(super) contacts: Option<Object<Contacts>>,
    #[serde(default)]
    #[schemars(with = "Option<NewReaction>")]
    pub(super) reaction: Option<Object<NewReaction>>,
    #[serde(default)]
    #[schemars(with = "Option<Poll>")]
    pub(super) poll: Option<Object<Poll>>,
    #[serde(default)]
    #[schemars(with = "Option<NewEdit>")]
    pub(super) edit: Option<Object<NewEdit>>,
    #[serde(default)]
    #[schemars(with = "Option<NewRevoke>")]
    pub(super) revoke: Option<Object<NewRevoke>>,
    /// A picture: JPEG or PNG, at most 5 MiB.
    #[serde(default)]
    #[schemars(with = "Option<Attachment>")]
    pub(super) image: Option<Object<Attachment>>,
    /// A film: MP4 or 3GPP, at most 16 MiB.
    #[serde(default)]
    #[schemars(with = "Option<Attachment>")]
    pub(super) video: Option<Object<Attachment>>,
    /// A sound: AAC, AMR, MP3, MP4 or Ogg Opus, at most 16 MiB.
    #[serde(default)]
    #[schemars(with = "Option<Attachment>")]
    pub(super) audio: Option<Object<Attachment>>,
    /// Any file, at most 100 MiB.
    #[serde(default)]
    #[schemars(with = "Option<Attachment>")]
    pub(super) document: Option<Object<Attachment>>,
    /// A sticker: WebP, at most 500 KiB.
    #[serde(default)]
    #[schemars(with = "Option<Attachment>")]
    pub(super) sticker: Option<Object<Attachment>>,
    #[serde(default)]
    #[schemars(skip)]
    template: Option<IgnoredAny>,
    /// The message it answers: one of this session and chat.
    #[serde(default)]
    pub(super) reply_to: Option<MessageId>,
    /// What it is for; `service` if it is left out.
    #[serde(default)]
    category: Option<Category>,
    /// Not before then; at most 30 days ahead.
    #[serde(default)]
    send_at: Option<WallTime>,
    /// Not after then; a day after it may leave if it is left out, 30 days at most.
    #[serde(default)]
    expires_at: Option<WallTime>,
    /// What a crash may cost; `at_least_once` if it is left out.
    #[serde(default)]
    delivery: Option<Delivery>,
    /// Your own reference.
    #[serde(default)]
    #[schemars(length(min = 1, max = CLIENT_REF))]
    client_ref: Option<String>,
}

impl OutboundDraft {
    /// Every kind, and whether its object is there.
    fn objects(&self) -> [(Kind, bool); 13] {
        [
            (Kind::Text, self.text.is_some()),
            (Kind::Image, self.image.is_some()),
            (Kind::Video, self.video.is_some()),
            (Kind::Audio, self.audio.is_some()),
            (Kind::Document, self.document.is_some()),
            (Kind::Sticker, self.sticker.is_some()),
            (Kind::Location, self.location.is_some()),
            (Kind::Contacts, self.contacts.is_some()),
            (Kind::Reaction, self.reaction.is_some()),
            (Kind::Poll, self.poll.is_some()),
            (Kind::Edit, self.edit.is_some()),
            (Kind::Revoke, self.revoke.is_some()),
            (Kind::Template, self.template.is_some()),
        ]
    }

    /// The draft, or the 422 it earns at `now`.
    fn check(mut self, now: WallTime) -> Result<Draft, Refusal> {
        let mut faults = Vec::new();
        let to = Chat::parse(&self.to)
            .map_err(|error| faults.push(Fault::new("/to", "not_allowed", error.to_string())));
        let content = self.content(&mut faults);
        let start = self.send_at.unwrap_or(now).max(now);
        if start > now + HORIZON {
            faults.push(Fault::new("/send_at", "out_of_range", "at most 30 days ahead"));
        }
        let expires_at = self.expires_at.unwrap_or(start + PATIENCE);
        if expires_at <= start {
            faults.push(Fault::new("/expires_at", "out_of_range", "later than now and than send_at"));
        } else if expires_at > start + HORIZON {
            faults.push(Fault::new(
                "/expires_at",
                "out_of_range",
                "at most 30 days after send_at, or after now",
            ));
        }
        if let Some(client_ref) = &self.client_ref
            && (!(1..=CLIENT_REF).contains(&client_ref.chars().count()) || client_ref.contains('\0'))
        {
            let detail = format!("1 to {CLIENT_REF} characters, none of them NUL");
            faults.push(Fault::new("/client_ref", "out_of_range", detail));
        }
        match (to, content) {
            (Ok(to), Ok(content)) if faults.is_empty() => Ok(Draft {
                to,
                content,
                reply_to: self.reply_to,
                category: self.category.unwrap_or_default(),
                send_at: self.send_at,
                expires_at,
                delivery: self.delivery.unwrap_or_default(),
                client_ref: self.client_ref,
            }),
            (Ok(_), Err(refusal)) if faults.is_empty() => Err(refusal),
            _ => Err(Refusal::invalid(faults)),
        }
    }
}

impl Form for OutboundDraft {
    /// The object named by `type` has to be there, and no other.
    fn misshapen(&self) -> Vec<Fault> {
        let wrong = |(kind, given): (Kind, bool)| {
            let pointer = format!("/{}", <&str>::from(kind));
            match (kind == self.r#type, given) {
                (true, false) => Some(Fault::new(pointer, "missing", "the object named by type is required")),
                (false, true) => {
                    Some(Fault::new(pointer, "not_allowed", "only the object named by type is taken"))
                }
                _ => None,
            }
        };
        self.objects().into_iter().filter_map(wrong).collect()
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/sessions/{id}/messages", send)
            .named("sendMessage", "Send a message")
            .about(
                "Accepted means: on disk, with its hold on the month's quota. It waits while the session is not connected \
                 or its cap is used up. Without credentials there is nothing to wait for: 409. A reaction, an edit and a \
                 revocation are messages of their own: they wait their turn in the chat, and count.",
            )
            .asking(json!({
                "to": sample::phone(), "type": "text", "text": {"body": "Your table is ready."},
                "client_ref": "order-4711",
            }))
            .answering(202, "The message waits.", &record(&sample::message(MessageStatus::Queued)))
            .refusing(&[
                Code::SessionNotReady,
                Code::InvalidRequest,
                Code::Unsupported,
                Code::QuotaExceeded,
                Code::QueueFull,
            ]),
        operation::get("/v1/messages", list)
            .named("listMessages", "List messages")
            .answering(200, "One page.", &Listing::whole(vec![record(&sample::message(MessageStatus::Read))])),
        operation::get("/v1/messages/{id}", self::get)
            .named("getMessage", "Get a message")
            .answering(200, "The message.", &record(&sample::message(MessageStatus::Read))),
        post("/v1/messages/{id}/resend", resend)
            .named("resendMessage", "Send a message again")
            .about(
                "A new message with the content of one that failed, expired, was taken back, is dead or unknown; it counts like \
                 any other. An unknown one may have arrived, and then its recipient has it twice.",
            )
            .answering(202, "The new message waits.", &record(&sample::message(MessageStatus::Queued)))
            .refusing(&[
                Code::SessionNotReady,
                Code::Conflict,
                Code::InvalidRequest,
                Code::QuotaExceeded,
                Code::QueueFull,
            ]),
        operation::delete("/v1/messages/{id}", cancel)
            .named("cancelMessage", "Take a message back")
            .about("While it is queued or held; after that, 409.")
            .answering(200, "It will not be sent.", &record(&sample::message(MessageStatus::Canceled)))
            .refusing(&[Code::Conflict]),
    ]
}

/// A message as this caller sees it.
fn shown<'a, N: Need>(tenant: &Tenant<N>, message: &'a Message) -> MessageRecord<'a> {
    if tenant.sees_content() { record(message) } else { outline(message) }
}

/// `POST /sessions/{id}/messages`.
pub async fn send(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<OutboundDraft>,
    tenant: Tenant<tenant::Send>,
    Id(session): Id<SessionId>,
) -> Answer {
    state.gate.admit()?;
    let flight = match idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id())) {
        Ok(flight) => flight,
        // That the session is absent has to be said before that the key is taken.
        Err(taken) => {
            super::owned(&state, tenant.principal(), session).await?;
            return Err(taken.into());
        }
    };
    let draft = match body.check(state.clock.wall()) {
        Ok(draft) => match state.media.attach(tenant.scope(), draft).await {
            Ok(draft) => Ok(draft),
            Err(WriteError::Refused(refusal)) => Err(refusal),
            Err(WriteError::Store(error)) => return Err(error.into()),
        },
        Err(refusal) => Err(refusal),
    };
    let metered = !tenant.principal().test;
    let accepted = state.accept.accept(tenant.scope(), session, metered, draft, idempotent.0).await?;
    drop(flight);
    let replayed = accepted.is_replayed();
    created(StatusCode::ACCEPTED, replayed, shown(&tenant, &accepted.into_inner()))
}

/// What a list of messages is narrowed by.
pub fn narrowed(given: &mut Given) -> MessageFilter {
    let client_ref = |text: &str| {
        let fits = (1..=CLIENT_REF).contains(&text.chars().count()) && !text.contains('\0');
        fits.then(|| text.to_owned()).ok_or_else(|| format!("expected 1 to {CLIENT_REF} characters"))
    };
    MessageFilter {
        session: given.value("session"),
        chat: given.reads("chat", chat),
        status: given.word(
            "status",
            "queued, held, sending, sent, delivered, read, failed, unknown, expired, canceled, dead, received",
        ),
        direction: given.word("direction", "out, in, own"),
        client_ref: given.reads("client_ref", client_ref),
    }
}

/// A correspondent in a query, where an unescaped plus sign arrives as a space.
pub fn chat(text: &str) -> Result<Chat, String> {
    let text = text.strip_prefix(' ').map_or_else(|| text.to_owned(), |digits| format!("+{digits}"));
    Chat::parse(&text).map_err(|error| error.to_string())
}

/// The query of `GET /messages`.
#[derive(Debug)]
pub struct Wanted {
    filter: MessageFilter,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        Self { filter: narrowed(given), page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        vec![
            Parameter::new::<SessionId>("session", "Of this session only.", sample::session_id().to_string()),
            Parameter::new::<Chat>("chat", "With this person or group only.", sample::phone().as_str()),
            Parameter::new::<MessageStatus>("status", "Of this status only.", "sent"),
            Parameter::new::<Direction>(
                "direction",
                "Only those sent from here, those that came in, or those written on another device of the account.",
                "out",
            ),
            Parameter::new::<String>("client_ref", "With this reference only.", "order-4711"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

/// `GET /messages`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, tenant: Tenant<tenant::Read>) -> Answer {
    let slice = state.messages.list(tenant.scope(), wanted.filter, wanted.page).await?;
    ok(Listing::by_id(&slice, |message| message.id.uuid(), |message| shown(&tenant, message)))
}

/// `GET /messages/{id}`.
pub async fn get(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<MessageId>,
) -> Answer {
    let message = state.messages.get(tenant.scope(), id).await?.ok_or_else(Refusal::not_found)?;
    ok(shown(&tenant, &message))
}

/// `POST /messages/{id}/resend`.
pub async fn resend(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    tenant: Tenant<tenant::Send>,
    Id(id): Id<MessageId>,
) -> Answer {
    state.gate.admit()?;
    let _flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    let message = state.messages.get(tenant.scope(), id).await?.ok_or_else(Refusal::not_found)?;
    let session = super::owned(&state, tenant.principal(), message.session).await?.id;
    let draft = match again(message, state.clock.wall()) {
        Ok(draft) => match state.media.attach(tenant.scope(), draft).await {
            Err(WriteError::Store(error)) => return Err(error.into()),
            Err(WriteError::Refused(refusal)) => Err(refusal),
            Ok(draft) => Ok(draft),
        },
        Err(refusal) => Err(refusal),
    };
    let metered = !tenant.principal().test;
    let accepted = state.accept.accept(tenant.scope(), session, metered, draft, idempotent.0).await?;
    let replayed = accepted.is_replayed();
    created(StatusCode::ACCEPTED, replayed, shown(&tenant, &accepted.into_inner()))
}

/// `DELETE /messages/{id}`: cancels while queued or held.
pub async fn cancel(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Send>,
    Id(id): Id<MessageId>,
) -> Answer {
    let message = state.messages.cancel(tenant.scope(), id, state.clock.wall()).await?;
    ok(shown(&tenant, &message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::Code;
    use crate::http::extract::json::parse;
    use serde_json::{Value, json};

    const NOW: WallTime = WallTime(1_795_000_000_000);

    fn hours(n: i64) -> Value {
        json!(WallTime(NOW.0 + n * 3_600_000))
    }

    /// What becomes of a good body changed in one place: status, code, and the first pointer.
    fn verdict(field: &str, value: Value) -> Result<Draft, (u16, Code, String)> {
        let mut body = json!({"to": "+15551230001", "type": "text", "text": {"body": "hello"}});
        body[field] = value;
        let said = |refusal: Refusal| {
            let pointer = refusal.faults.first().map_or_else(String::new, |fault| fault.pointer.clone());
            (refusal.status, refusal.code, pointer)
        };
        let draft: OutboundDraft = parse(body.to_string().as_bytes()).map_err(said)?;
        if let Some(fault) = draft.misshapen().into_iter().next() {
            return Err((400, Code::InvalidRequest, fault.pointer));
        }
        draft.check(NOW).map_err(said)
    }

    #[test]
    fn what_cannot_be_read_is_400_and_what_is_not_allowed_is_422() {
        let past_horizon = json!(WallTime(NOW.0 + 30 * 24 * 3_600_000 + 1));
        for (field, value, status, pointer) in [
            ("to", json!(5), 400, "/to"),
            ("to", json!(null), 400, "/to"),
            ("to", json!("15551230001"), 422, "/to"),
            ("to", json!("+1555123000"), 422, "/to"),
            ("to", json!("+999123456789"), 422, "/to"),
            ("to", json!(""), 422, "/to"),
            ("type", json!("telegram"), 400, "/type"),
            ("type", json!("image"), 400, "/text"),
            ("text", json!(null), 400, "/text"),
            ("text", json!({}), 400, "/text/body"),
            ("text", json!("hello"), 400, "/text"),
            ("text", json!(["hello"]), 400, "/text"),
            ("text", json!({"body": 1}), 400, "/text/body"),
            ("text", json!({"body": "x", "preview": true}), 400, "/text/preview"),
            ("text", json!({"body": ""}), 422, "/text/body"),
            ("text", json!({"body": "ä".repeat(4_097)}), 422, "/text/body"),
            ("text", json!({"body": "a\0b"}), 422, "/text/body"),
            ("image", json!({}), 400, "/image/media"),
            ("image", json!({"media": "med_1"}), 400, "/image/media"),
            ("image", json!({"media": "med_019a2b3c4d5e7f808192a3b4c5d6e7f8"}), 400, "/image"),
            ("recipient", json!(""), 400, "/recipient"),
            ("reply_to", json!("msg_1"), 400, "/reply_to"),
            ("category", json!("spam"), 400, "/category"),
            ("delivery", json!("exactly_once"), 400, "/delivery"),
            ("send_at", json!("tomorrow"), 400, "/send_at"),
            ("send_at", json!(1_795_000_000), 400, "/send_at"),
            ("send_at", past_horizon.clone(), 422, "/send_at"),
            ("expires_at", json!(NOW), 422, "/expires_at"),
            ("expires_at", hours(-1), 422, "/expires_at"),
            ("expires_at", past_horizon, 422, "/expires_at"),
            ("client_ref", json!(""), 422, "/client_ref"),
            ("client_ref", json!("r".repeat(65)), 422, "/client_ref"),
        ] {
            let said = verdict(field, value.clone()).expect_err("not allowed");
            assert_eq!(said, (status, Code::InvalidRequest, pointer.to_owned()), "{field} {value}");
        }
    }

    #[test]
    fn what_is_at_the_edge_is_allowed() {
        for (field, value) in [
            ("text", json!({"body": "ä".repeat(4_096)})),
            ("send_at", hours(-1)),
            ("send_at", hours(30 * 24)),
            ("expires_at", json!(WallTime(NOW.0 + 1))),
            ("expires_at", hours(30 * 24)),
            ("client_ref", json!("r".repeat(64))),
            ("category", json!("marketing")),
            ("reply_to", json!("msg_019a2b3c4d5e7f808192a3b4c5d6e7f8")),
            ("image", json!(null)),
        ] {
            assert!(verdict(field, value.clone()).is_ok(), "{field} {value}");
        }
    }

    #[test]
    fn a_message_waits_24_hours_from_when_it_may_leave() {
        let expiry = |send_at| verdict("send_at", send_at).expect("allowed").expires_at;
        assert_eq!(expiry(json!(null)), NOW + PATIENCE);
        assert_eq!(expiry(hours(-48)), NOW + PATIENCE);
        assert_eq!(expiry(hours(48)), NOW + Duration::from_secs(72 * 3600));
    }

    #[test]
    fn a_kind_that_comes_later_is_unsupported_and_wrong_fields_are_said_before() {
        let template = |to: &str| {
            let body = json!({"to": to, "type": "template", "template": {"name": "hello"}});
            let draft: OutboundDraft = parse(body.to_string().as_bytes()).expect("readable");
            assert_eq!(draft.misshapen(), []);
            draft.check(NOW).expect_err("not sent yet")
        };
        assert_eq!(
            (template("+15551230001").status, template("+15551230001").code),
            (422, Code::Unsupported)
        );
        assert_eq!(template("nobody").code, Code::InvalidRequest);
    }

    #[test]
    fn all_that_is_not_allowed_is_said_at_once_and_repeats_neither_number_nor_text() {
        let body =
            json!({"to": "+1999", "type": "text", "text": {"body": ""}, "client_ref": "", "expires_at": NOW});
        let draft: OutboundDraft = parse(body.to_string().as_bytes()).expect("readable");
        let refusal = draft.check(NOW).expect_err("not allowed");
        assert_eq!(refusal.faults.len(), 4);
        assert!(!format!("{refusal:?}").contains("1999"));
    }
}
