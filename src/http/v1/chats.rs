//! What a connected session knows of chats, and what it shows in them: groups, contacts, read marks, typing, and whether
//! numbers have accounts. The chat is in the body and not in the path: paths are logged.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::owned;
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{Direction, Message};
use crate::domain::page::Page;
use crate::domain::phone::Phone;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::restraint::Approach;
use crate::domain::time::WallTime;
use crate::http::answer::{self, Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query, not_a_cursor};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get, post};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::outbound::numbers::{self, Checked};
use crate::ports::messages::MessageFilter;
use crate::ports::questions::{Acquaintance, Answer as Said, Group, MARKS_MAX, Mark, NUMBERS_MAX, Question};
use crate::ports::supervisor::SupervisorError;

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let group = Group { chat: sample::group(), subject: "Kitchen".to_owned(), participants: 7, admin: false };
    let contact = Acquaintance { chat: sample::phone().into(), name: Some("Ada".to_owned()) };
    vec![
        get("/v1/sessions/{id}/groups", groups)
            .named("listGroups", "List groups")
            .about("Those that the account is in, as the network says now. From then on messages may be sent to them.")
            .answering(200, "All of them.", &Listing::whole(vec![group]))
            .refusing(&[Code::SessionNotReady, Code::Unsupported]),
        get("/v1/sessions/{id}/contacts", contacts)
            .named("listContacts", "List contacts")
            .about("Those that the account's address book has, in the engine's order.")
            .answering(200, "One page.", &Listing::whole(vec![contact]))
            .refusing(&[Code::SessionNotReady, Code::Unsupported]),
        post("/v1/sessions/{id}/read", read)
            .named("markRead", "Mark messages as read")
            .about("Their writers see it. Without `messages`, the newest fifty that came in from the chat.")
            .asking(json!({"chat": sample::phone(), "messages": [sample::message_id()]}))
            .answering_nothing(204, "They are marked.")
            .refusing(&[Code::SessionNotReady, Code::Unsupported, Code::InvalidRequest]),
        post("/v1/sessions/{id}/typing", typing)
            .named("showTyping", "Show that somebody types")
            .about("To whoever has written to the session. It ends by itself after some seconds.")
            .asking(json!({"chat": sample::phone(), "active": true}))
            .answering_nothing(204, "It is shown.")
            .refusing(&[Code::SessionNotReady, Code::Unsupported, Code::InvalidRequest]),
        post("/v1/sessions/{id}/numbers/check", check)
            .named("checkNumbers", "Check whether numbers have accounts")
            .about(
                "What the network said of a number in the last days is not asked again. Asking for a number that never \
                 wrote counts as writing to one: beyond the day's number of strangers nothing is asked, and `retry_at` \
                 says when it may be.",
            )
            .asking(json!({"phones": [sample::phone()]}))
            .answering(
                200,
                "One entry for each, in their order.",
                &Listing::whole(vec![Checked {
                    phone: sample::phone(),
                    exists: Some(true),
                    retry_at: None,
                }]),
            )
            .refusing(&[Code::SessionNotReady, Code::Unsupported, Code::InvalidRequest]),
    ]
}

/// What the session's network says; 409 when the session is not connected.
async fn ask(state: &State, session: SessionId, question: Question) -> Result<Said, Problem> {
    Ok(state.supervisor.ask(session, question).await.map_err(|error| match error {
        // Between two incarnations nothing is connected.
        SupervisorError::Gone => SupervisorError::NotConnected,
        error => error,
    })?)
}

fn strange_answer() -> Problem {
    Refusal::unavailable("the session's network gave an answer to something else; try again").into()
}

/// `GET /sessions/{id}/groups`.
pub async fn groups(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Content>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    let Said::Groups(groups) = ask(&state, id, Question::Groups).await? else { return Err(strange_answer()) };
    let known = groups.iter().map(|group| group.chat.clone()).collect();
    state.contacts.note_groups(tenant.scope(), id, known, state.clock.wall()).await?;
    ok(Listing::whole(groups))
}

/// The query of `GET /sessions/{id}/contacts`.
#[derive(Debug)]
pub struct Wanted {
    after: Option<String>,
    limit: u32,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let limit = given.limit();
        let after = given.reads("cursor", |text| cursor::code(text).ok_or_else(not_a_cursor));
        Self { after, limit }
    }

    fn described() -> Vec<Parameter> {
        vec![Parameter::limit(), Parameter::cursor()]
    }
}

/// `GET /sessions/{id}/contacts`.
pub async fn contacts(
    state: State,
    tenant: Tenant<tenant::Content>,
    Query(wanted): Query<Wanted>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    let question = Question::Contacts { after: wanted.after, limit: wanted.limit };
    let Said::Contacts { contacts: data, more } = ask(&state, id, question).await? else {
        return Err(strange_answer());
    };
    let last = data.last().filter(|_| more);
    let next_cursor = last.map(|one| cursor::of_code(one.chat.as_str()));
    ok(Listing { has_more: next_cursor.is_some(), next_cursor, data })
}

/// The body of `POST /sessions/{id}/read`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// The chat.
    #[schemars(with = "Chat")]
    chat: String,
    /// Messages that came in from it; the newest fifty if it is left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = MARKS_MAX))]
    messages: Option<Vec<MessageId>>,
}

impl Form for Reading {}

fn chat(text: &str) -> Result<Chat, Refusal> {
    Chat::parse(text)
        .map_err(|error| Refusal::invalid(vec![Fault::new("/chat", "not_allowed", error.to_string())]))
}

/// `POST /sessions/{id}/read`. Doing it twice changes nothing.
pub async fn read(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Reading>,
    tenant: Tenant<tenant::Send>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    let chat = chat(&body.chat)?;
    let messages = match body.messages {
        Some(named) => found(&state, &tenant, id, &chat, named).await?,
        None => newest(&state, &tenant, id, &chat).await?,
    };
    // The network marks what one person wrote at a time.
    let mut by_author: BTreeMap<Option<Chat>, Vec<Mark>> = BTreeMap::new();
    for Message { wa_id, author, .. } in messages {
        by_author.entry(author.clone()).or_default().push(Mark { wa_id, author });
    }
    for messages in by_author.into_values() {
        ask(&state, id, Question::MarkRead { chat: chat.clone(), messages }).await?;
    }
    answer::done()
}

/// The messages a caller names; 422 for what did not come in from the chat.
async fn found(
    state: &State,
    tenant: &Tenant<tenant::Send>,
    session: SessionId,
    chat: &Chat,
    named: Vec<MessageId>,
) -> Result<Vec<Message>, Problem> {
    if !(1..=MARKS_MAX).contains(&named.len()) {
        let detail = format!("1 to {MARKS_MAX} messages");
        return Err(Refusal::invalid(vec![Fault::new("/messages", "out_of_range", detail)]).into());
    }
    let (mut messages, mut faults) = (vec![], vec![]);
    for (index, id) in named.into_iter().enumerate() {
        let is_there =
            |one: &Message| one.session == session && one.chat == *chat && one.direction == Direction::In;
        match state.messages.get(tenant.scope(), id).await?.filter(is_there) {
            Some(message) => messages.push(message),
            None => {
                let detail = "no message of this id came in from this chat";
                faults.push(Fault::new(format!("/messages/{index}"), "not_found", detail));
            }
        }
    }
    if faults.is_empty() { Ok(messages) } else { Err(Refusal::invalid(faults).into()) }
}

async fn newest(
    state: &State,
    tenant: &Tenant<tenant::Send>,
    session: SessionId,
    chat: &Chat,
) -> Result<Vec<Message>, Problem> {
    let filter = MessageFilter {
        session: Some(session),
        chat: Some(chat.clone()),
        direction: Some(Direction::In),
        ..MessageFilter::default()
    };
    Ok(state.messages.list(tenant.scope(), filter, Page { limit: 50, before: None }).await?.rows)
}

/// The body of `POST /sessions/{id}/typing`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Typing {
    /// To whom.
    #[schemars(with = "Chat")]
    chat: String,
    /// Whether somebody types, or no longer does.
    active: bool,
}

impl Form for Typing {}

/// `POST /sessions/{id}/typing`.
pub async fn typing(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Typing>,
    tenant: Tenant<tenant::Send>,
    Id(id): Id<SessionId>,
) -> Answer {
    owned(&state, tenant.principal(), id).await?;
    let chat = chat(&body.chat)?;
    if !state.messages.knows_chat(tenant.scope(), id, &chat).await? {
        let detail = "nobody has written to this session from there";
        return Err(Refusal::invalid(vec![Fault::new("/chat", "not_found", detail)]).into());
    }
    ask(&state, id, Question::Typing { chat, active: body.active }).await?;
    answer::done()
}

/// The body of `POST /sessions/{id}/numbers/check`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// Which, no two alike.
    #[schemars(with = "Vec<Phone>", length(min = 1, max = NUMBERS_MAX))]
    phones: Vec<String>,
}

impl Form for Numbers {}

/// `POST /sessions/{id}/numbers/check`.
pub async fn check(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Numbers>,
    tenant: Tenant<tenant::Send>,
    Id(id): Id<SessionId>,
) -> Answer {
    let session = owned(&state, tenant.principal(), id).await?;
    let phones = numbers_of(&body.phones)?;
    let caps = state.directory.snapshot().caps_of(tenant.id());
    let approach = caps.and_then(|caps| Approach::of(session.engine, &caps));
    let at: WallTime = state.clock.wall();
    let wanted = numbers::Wanted { scope: tenant.scope(), session: id, phones, approach, at };
    let checked = numbers::check(&*state.contacts, &*state.supervisor, wanted).await;
    ok(Listing::whole(checked.map_err(|error| match error {
        numbers::CheckError::Store(error) => Problem::from(error),
        numbers::CheckError::Network(SupervisorError::Gone) => SupervisorError::NotConnected.into(),
        numbers::CheckError::Network(error) => error.into(),
    })?))
}

fn numbers_of(phones: &[String]) -> Result<Vec<Phone>, Refusal> {
    if !(1..=NUMBERS_MAX).contains(&phones.len()) {
        let detail = format!("1 to {NUMBERS_MAX} numbers");
        return Err(Refusal::invalid(vec![Fault::new("/phones", "out_of_range", detail)]));
    }
    let (mut read, mut faults) = (vec![], vec![]);
    for (index, text) in phones.iter().enumerate() {
        let pointer = format!("/phones/{index}");
        match Phone::parse(text) {
            Ok(phone) if read.contains(&phone) => {
                faults.push(Fault::new(pointer, "not_allowed", "given twice"));
            }
            Ok(phone) => read.push(phone),
            Err(error) => faults.push(Fault::new(pointer, "not_allowed", error.to_string())),
        }
    }
    if faults.is_empty() { Ok(read) } else { Err(Refusal::invalid(faults)) }
}
