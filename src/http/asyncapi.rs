//! The AsyncAPI 3.0 document: what is said without being asked for. Frames are described by the very types that write and
//! read them.
//!
//! To describe another channel (a stream, a webhook) add a function beside `feed` and its line in [`document`].

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::openapi::schemas::{Schemas, answered, asked, settle};
use super::openapi::{pretty, sample};
use crate::actors::subscriber::machine::{ClientFrame, ServerFrame};
use crate::domain::event::{Change, StatusEvent, Wire};
use crate::domain::message::MessageStatus;
use crate::domain::session::SessionStatus;

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
    for channel in [feed(&mut schemas)] {
        let mut said = channel.said;
        for (action, verb, group) in [("send", "Say", channel.sent), ("receive", "Hear", channel.heard)] {
            let place = |message: &Message| format!("#/channels/{}/messages/{}", channel.name, message.name);
            let named: Vec<Value> = group.iter().map(|message| json!({"$ref": place(message)})).collect();
            operations.insert(
                format!("{}{verb}", channel.name),
                json!({"action": action, "channel": {"$ref": format!("#/channels/{}", channel.name)}, "messages": named}),
            );
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
        sent,
        heard: variants(&schemas.inlined(asked::<ClientFrame>), &heard),
    }
}

/// An event of each kind.
fn events() -> Vec<Value> {
    let changes = [
        (Some(sample::session_id()), Change::Message(sample::message_id(), MessageStatus::Delivered)),
        (Some(sample::session_id()), Change::Received(sample::message_id())),
        (Some(sample::session_id()), Change::Session(SessionStatus::Connected)),
        (None, Change::Usage(80)),
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
