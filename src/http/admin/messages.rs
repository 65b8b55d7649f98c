//! The message log: messages of all tenants in outline, for whoever is asked why one did not arrive.

use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::message::{Direction, MessageStatus, WaId};
use crate::domain::page::Page;
use crate::domain::refusal::Refusal;
use crate::domain::scope::SystemScope;
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, ok};
use crate::http::cursor;
use crate::http::extract::State;
use crate::http::extract::operator::Operator;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::listing::Listing;
use crate::http::openapi::operation::{Operation, get};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::render::outline::{Life, outline, stops};
use crate::http::v1::messages::{chat, narrowed};
use crate::ports::messages::LogFilter;

/// Characters of an id on the network.
const WA_ID: usize = 64;

/// The query of `GET /messages`.
#[derive(Debug)]
pub struct Wanted {
    filter: LogFilter,
    page: Page,
}

impl Parameters for Wanted {
    fn take(given: &mut Given) -> Self {
        let mut narrowed = narrowed(given);
        if let Some(to) = given.reads("to", chat) {
            let other = narrowed.chat.as_ref().is_some_and(|chat| *chat != to);
            if other || narrowed.direction.is_some_and(|direction| direction != Direction::Out) {
                given.wrong(
                    "to",
                    "not_allowed",
                    "only what is sent from here has a recipient, who is its chat",
                );
            }
            (narrowed.chat, narrowed.direction) = (Some(to), Some(Direction::Out));
        }
        let wa_id = |text: &str| {
            let fits = (1..=WA_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
            fits.then(|| WaId(text.to_owned()))
                .ok_or_else(|| format!("expected 1 to {WA_ID} visible ASCII characters"))
        };
        let filter = LogFilter {
            tenant: given.value("tenant"),
            id: given.value("id"),
            wa_id: given.reads("wa_id", wa_id),
            from: given.value("from"),
            until: given.value("until"),
            narrowed,
        };
        Self { filter, page: given.page() }
    }

    fn described() -> Vec<Parameter> {
        let phone = || sample::phone().as_str().to_owned();
        vec![
            Parameter::new::<TenantId>("tenant", "Of this tenant only.", sample::tenant_id().to_string()),
            Parameter::new::<SessionId>("session", "Of this session only.", sample::session_id().to_string()),
            Parameter::new::<MessageStatus>("status", "Of this status only.", "failed"),
            Parameter::new::<Direction>(
                "direction",
                "Only those sent from here, those that came in, or those written on another device of the account.",
                "out",
            ),
            Parameter::new::<Chat>("chat", "With this person or group only.", phone()),
            Parameter::new::<Chat>("to", "Sent to this person or group only.", phone()),
            Parameter::new::<MessageId>("id", "This one only.", sample::message_id().to_string()),
            Parameter::new::<String>(
                "wa_id",
                "With this id on the network. Without `session` only what was sent from here is found by it.",
                sample::wa_id().0,
            ),
            Parameter::new::<String>("client_ref", "With this reference of the tenant's only.", "order-4711"),
            Parameter::new::<WallTime>(
                "from",
                "Accepted, or come in, not before.",
                "2026-11-01T00:00:00.000Z",
            ),
            Parameter::new::<WallTime>("until", "Accepted, or come in, before.", "2026-12-01T00:00:00.000Z"),
            Parameter::limit(),
            Parameter::cursor(),
        ]
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let message = sample::message(MessageStatus::Read);
    let shown = || outline(&message, Some("Acme"));
    vec![
        get("/v1/admin/messages", list)
            .named("listMessageLog", "List messages of all tenants")
            .about(
                "Newest first, in outline: nothing of what they say. A page looks at 10,000 messages at most, so with a filter \
                 that few fit it may be short, or empty, with `has_more`: go on with its cursor.",
            )
            .answering(200, "One page.", &Listing::whole(vec![shown()])),
        get("/v1/admin/messages/{id}", self::get_one)
            .named("getMessageLife", "Get a message of any tenant")
            .about("In outline, with where it has been and the milliseconds between.")
            .answering(200, "The message.", &Life { outline: shown(), life: stops(&message.times) }),
    ]
}

/// `GET /messages`.
pub async fn list(state: State, Query(wanted): Query<Wanted>, _: Operator) -> Answer {
    let found = state.messages.log(SystemScope, wanted.filter, wanted.page).await?;
    let snapshot = state.directory.snapshot();
    let name = |tenant| snapshot.tenants.get(&tenant).map(|tenant| &*tenant.name);
    ok(Listing {
        next_cursor: found.beyond.map(|last| cursor::of_id(last.uuid())),
        has_more: found.beyond.is_some(),
        data: found.rows.iter().map(|message| outline(message, name(message.tenant))).collect(),
    })
}

/// `GET /messages/{id}`.
pub async fn get_one(state: State, _: Query<Nothing>, _: Operator, Id(id): Id<MessageId>) -> Answer {
    let message = state.messages.find(SystemScope, id).await?.ok_or_else(Refusal::not_found)?;
    let snapshot = state.directory.snapshot();
    let name = snapshot.tenants.get(&message.tenant).map(|tenant| &*tenant.name);
    ok(Life { outline: outline(&message, name), life: stops(&message.times) })
}
