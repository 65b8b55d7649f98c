//! The AsyncAPI 3.0 document: what is said without being asked for. Frames are described by the very types that write and
//! read them.
//!
//! To describe another channel add a function beside `feed` and its line in [`document`].

use serde::Serialize;
use serde_json::{Map, Value, json};
use strum::IntoEnumIterator as _;

use super::openapi::schemas::{SchemaOf, Schemas, answered, asked, settle};
use super::openapi::{pretty, sample};
use super::render::RECORDS;
use super::render::message::MessageRecord;
use super::render::session::SessionRecord;
use crate::actors::subscriber::event_stream::CloseEvent;
use crate::actors::subscriber::machine::{ClientFrame, CloseCode, ServerFrame};
use crate::domain::event::{BillingNews, Change, StatusEvent, Wire};
use crate::domain::invoice::{Invoice, InvoiceStatus};
use crate::domain::message::{Direction, MessageStatus};
use crate::domain::session::SessionStatus;
use crate::domain::subscription::Subscription;
use crate::domain::webhook::{Subject, TEST, WebhookReason, event_type};
use crate::webhooks::confidential::seconds;
use crate::webhooks::payload::{Body, Disabled, Test, Told, Usage, body};

/// The document, its parts in the order in which a person reads them.
#[derive(Serialize)]
struct Document {
    asyncapi: &'static str,
    info: Value,
    #[serde(rename = "defaultContentType")]
    content_type: &'static str,
    servers: Value,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
    components: Value,
}

/// What is said over one address.
struct Channel {
    name: &'static str,
    /// Everything but its messages.
    said: Value,
    /// How it is called, where the protocol is HTTP.
    bindings: Value,
    /// What the server says there.
    sent: Vec<Message>,
    /// What it hears there.
    heard: Vec<Message>,
}

/// One kind of message.
struct Message {
    name: String,
    said: Value,
}

/// The document as JSON text.
pub fn document() -> String {
    let mut schemas = Schemas::default();
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for channel in [feed(&mut schemas), stream(&mut schemas), webhooks(&mut schemas)] {
        let mut said = channel.said;
        for (action, verb, group) in [("send", "Say", channel.sent), ("receive", "Hear", channel.heard)] {
            if group.is_empty() {
                continue;
            }
            let place = |message: &Message| format!("#/channels/{}/messages/{}", channel.name, message.name);
            let named: Vec<Value> = group.iter().map(|message| json!({"$ref": place(message)})).collect();
            let place_of_channel = format!("#/channels/{}", channel.name);
            let mut operation =
                json!({"action": action, "channel": {"$ref": place_of_channel}, "messages": named});
            if !channel.bindings.is_null() {
                operation["bindings"] = channel.bindings.clone();
            }
            operations.insert(format!("{}{verb}", channel.name), operation);
            for message in group {
                said["messages"][&message.name] =
                    json!({"$ref": format!("#/components/messages/{}", message.name)});
                messages.insert(message.name, message.said);
            }
        }
        channels.insert(channel.name.to_owned(), said);
    }
    let document = Document {
        asyncapi: "3.0.0",
        info: json!({
            "title": "Columba",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What Columba says without being asked for. `openapi.json` describes the calls.",
            "license": {"name": "Apache-2.0"},
        }),
        content_type: "application/json",
        servers: json!({
            "here": {"host": "127.0.0.1:8080", "protocol": "ws", "description": "The address `serve` prints."},
            "hereOverHttp": {"host": "127.0.0.1:8080", "protocol": "http", "description": "The same address."},
            "yours": {
                "host": "example.com", "protocol": "https",
                "description": "Where the tenant wants to be told: the `url` of `POST /v1/webhooks`.",
            },
        }),
        channels,
        operations,
        components: json!({
            "messages": messages,
            "schemas": schemas.into_components(),
            "securitySchemes": {
                "tenant": {"type": "http", "scheme": "bearer", "description": "A tenant's key with the scope `read`."},
                "ticket": {
                    "type": "httpApiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
                    "description": "For browsers: the subprotocols `columba.v1, ticket.<ticket>`.",
                },
            },
        }),
    };
    pretty(&document)
}

const FEED: &str = "\
What happens to the tenant's messages and sessions, live. The server says `hello`; the client says `subscribe` within \
30 s; the server says `ready`, then what was missed since `resume`, then every event as it is committed.

`q` counts per tenant, without gaps before filtering. Only `lagged` and `resync` announce loss; after `resync` read the \
current state over HTTP and go on. The epoch survives restarts of the server.

Closed with: 1001 going away · 4000 retry · 4001 bad auth · 4003 not allowed · 4008 too slow · 4009 ticket used or \
expired · 4010 protocol error.";

/// The websocket.
fn feed(schemas: &mut Schemas) -> Channel {
    let schemes =
        ["tenant", "ticket"].map(|name| json!({"$ref": format!("#/components/securitySchemes/{name}")}));
    let mut sent = variants(&schemas.inlined(answered::<ServerFrame<'_>>), &ServerFrame::examples());
    sent.push(message("event", answered::<Wire<'_>>(schemas), &events()));
    let heard = [
        json!({"op": "subscribe", "events": ["msg", "session"], "resume": {"epoch": "9f2c", "seq": 41}}),
        json!({"op": "subscribe", "sessions": [sample::session_id()]}),
        json!({"op": "subscribe"}),
        json!({"op": "ping"}),
    ];
    Channel {
        name: "feed",
        said: json!({
            "address": "/v1/feed",
            "title": "The feed",
            "description": FEED,
            "servers": [{"$ref": "#/servers/here"}],
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            "x-security": schemes,
        }),
        bindings: Value::Null,
        sent,
        heard: variants(&schemas.inlined(asked::<ClientFrame>), &heard),
    }
}

const STREAM: &str = "\
The feed as server-sent events, for programs without a websocket: the same filters (`?sessions=…&events=…`), positions and \
gap rules. What happened comes without a name, so a browser's `onmessage` has it; `hello`, `ready`, `lagged`, `resync`, \
`going_away` and `close` come as events of these names. The `id` of an event is a position, `<epoch>:<seq>`; sent back as \
`Last-Event-ID`, which clients do by themselves, it makes the stream go on behind it.";

/// The feed's twin.
fn stream(schemas: &mut Schemas) -> Channel {
    let frames = variants(&schemas.inlined(answered::<ServerFrame<'_>>), &ServerFrame::examples());
    // These answer what a client says, and here it can say nothing.
    let mut sent: Vec<Message> =
        frames.into_iter().filter(|message| !["pong", "error"].contains(&message.name.as_str())).collect();
    sent.push(message("event", answered::<Wire<'_>>(schemas), &events()));
    let close = serde_json::to_value(CloseEvent::from(CloseCode::BadAuth)).expect("plain data");
    sent.push(message("close", schemas.inlined(answered::<CloseEvent>), &[close]));
    Channel {
        name: "events",
        said: json!({
            "address": "/v1/events",
            "title": "The feed as server-sent events",
            "description": STREAM,
            "servers": [{"$ref": "#/servers/hereOverHttp"}],
            "x-security": [{"$ref": "#/components/securitySchemes/tenant"}],
        }),
        bindings: json!({"http": {"method": "GET", "bindingVersion": "0.3.0"}}),
        sent,
        heard: vec![],
    }
}

const WEBHOOKS: &str = "\
What an endpoint of the tenant's receives: a `POST` for each event it asked for, signed as Standard Webhooks 1.0 says. Any \
2xx takes it; all else is tried again, eight times within more than a day. At least once: whoever has seen a `webhook-id` \
has seen the event. Order is visible in `seq`, not enforced. `docs/WEBHOOKS.md` says how to verify and what is promised.";

/// What endpoints of tenants are told.
fn webhooks(schemas: &mut Schemas) -> Channel {
    let of_message = schemas.inlined(answered::<Body<'_, Told<MessageRecord<'_>>>>);
    let of_session = schemas.inlined(answered::<Body<'_, Told<SessionRecord<'_>>>>);
    let mut sent = vec![];
    for status in MessageStatus::iter() {
        let mut message = sample::message(status);
        if status == MessageStatus::Received {
            message.direction = Direction::In;
        }
        let kind = event_type(Change::Message(message.id, status));
        sent.push(told(&kind, &of_message, Subject::Message(Box::new(message))));
    }
    for status in SessionStatus::iter() {
        let subject = Subject::Session(Box::new(sample::session(status)));
        sent.push(told(&event_type(Change::Session(status)), &of_session, subject));
    }
    let issued = Subject::Invoice(Box::new(sample::invoice(InvoiceStatus::Open)));
    let paid = Subject::Invoice(Box::new(sample::invoice(InvoiceStatus::Paid)));
    let others: [(String, SchemaOf, Subject); 6] = [
        (event_type(Change::Billing(BillingNews::InvoiceIssued)), answered::<Body<'_, Invoice>>, issued),
        (event_type(Change::Billing(BillingNews::InvoicePaid)), answered::<Body<'_, Invoice>>, paid),
        (
            event_type(Change::Billing(BillingNews::SubscriptionUpdated)),
            answered::<Body<'_, Subscription>>,
            Subject::Subscription(Box::new(sample::subscription())),
        ),
        (event_type(Change::Usage(80)), answered::<Body<'_, Usage>>, Subject::Usage(80)),
        (
            event_type(Change::Webhook(sample::webhook_id())),
            answered::<Body<'_, Disabled>>,
            Subject::Webhook(sample::webhook_id(), WebhookReason::Gone),
        ),
        (TEST.to_owned(), answered::<Body<'_, Test>>, Subject::Test),
    ];
    for (kind, schema, subject) in others {
        sent.push(told(&kind, &schemas.inlined(schema), subject));
    }
    Channel {
        name: "webhooks",
        said: json!({
            "address": null,
            "title": "Webhooks",
            "description": WEBHOOKS,
            "servers": [{"$ref": "#/servers/yours"}],
        }),
        bindings: json!({"http": {"method": "POST", "bindingVersion": "0.3.0"}}),
        sent,
        heard: vec![],
    }
}

/// One type of event, with an example as it would be sent and signed.
fn told(kind: &str, schema: &Value, subject: Subject) -> Message {
    let mut payload = schema.clone();
    payload["properties"]["type"]["const"] = json!(kind);
    let event = sample::webhook_event(kind, subject);
    let text = body(&event, RECORDS).expect("a sample is plain data");
    let example: Value = serde_json::from_slice(&text).expect("a body is JSON");
    // Over the text as it is shown, so that a reader can try it.
    let signature = sample::confidential().sign(event.id, sample::NOW, example.to_string().as_bytes());
    let mut message = message(kind, payload, &[example]);
    message.said["summary"] = json!(format!("`{kind}` happened."));
    message.said["headers"] = headers();
    message.said["examples"][0]["headers"] = json!({
        "webhook-id": event.id, "webhook-timestamp": seconds(sample::NOW).to_string(),
        "webhook-signature": signature,
    });
    message
}

/// What of the headers a receiver looks at.
fn headers() -> Value {
    json!({
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
        "properties": {
            "webhook-id": {
                "type": "string", "pattern": "^evt_[0-9a-f]{32}$",
                "description": "The event's id, the same in every retry and every redelivery.",
            },
            "webhook-timestamp": {
                "type": "string", "pattern": "^[0-9]+$",
                "description": "When this attempt was made, in seconds since 1970, UTC.",
            },
            "webhook-signature": {
                "type": "string", "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$",
                "description": "HMAC-SHA256 over `id.timestamp.body`, one for each secret that is valid.",
            },
        },
    })
}

/// An event of each kind.
fn events() -> Vec<Value> {
    let changes = [
        (Some(sample::session_id()), Change::Message(sample::message_id(), MessageStatus::Delivered)),
        (Some(sample::session_id()), Change::Received(sample::message_id())),
        (Some(sample::session_id()), Change::Session(SessionStatus::Connected)),
        (None, Change::Usage(80)),
        (None, Change::Webhook(sample::webhook_id())),
        (None, Change::Billing(BillingNews::InvoiceIssued)),
    ];
    let event = |(seq, (session, change))| {
        let event = StatusEvent { tenant: sample::tenant_id(), seq, session, change, at: sample::NOW };
        serde_json::from_slice(&event.encode()).expect("an event is JSON")
    };
    (42..).zip(changes).map(event).collect()
}

/// One message for each `op` of an enum.
fn variants(schema: &Value, examples: &[impl Serialize]) -> Vec<Message> {
    let examples: Vec<Value> =
        examples.iter().map(|example| serde_json::to_value(example).expect("plain data")).collect();
    let options = schema["oneOf"].as_array().into_iter().flatten();
    options
        .map(|option| {
            let op = option["properties"]["op"]["const"].as_str().unwrap_or_default();
            let own: Vec<Value> = examples.iter().filter(|example| example["op"] == op).cloned().collect();
            message(op, option.clone(), &own)
        })
        .collect()
}

fn message(name: &str, mut payload: Value, examples: &[Value]) -> Message {
    settle(&mut payload);
    let examples: Vec<Value> = examples.iter().map(|example| json!({"payload": example})).collect();
    Message {
        name: name.to_owned(),
        said: json!({
            "name": name,
            "title": name,
            "summary": payload["description"].as_str().unwrap_or("One event.").to_owned(),
            "payload": payload,
            "examples": examples,
        }),
    }
}
