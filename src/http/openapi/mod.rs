//! The OpenAPI 3.1 document, made of the code: routes say what they take by their handlers' signatures, what they answer
//! by examples of the very types they answer with, and what they refuse by the codes of the one enum.
//!
//! To describe a new route add one entry to `operations()` in its handler's file. A file that has none yet needs one, and
//! its line in [`groups`].

pub mod errors;
pub mod operation;
pub mod parameter;
mod problems;
pub mod sample;
pub mod schemas;
pub mod signature;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use self::operation::Operation;
use self::schemas::Schemas;
use super::admin::{
    audit, door, feed as fleet_feed, invoices as all_invoices, keys, ledger, log, looks, me,
    messages as message_log, operators, overview, plans, second_factor, sessions as fleet, subscriptions,
    system, tenants, transports, webhooks as endpoints,
};
use super::reference;
use super::v1::{
    audit as own_audit, chats, deliveries, events, feed, health, invoices, limits, media, messages, metrics,
    pair, pairing, pairing_links, payments, sandbox, sessions, suppressions, timeline, usage, usage_days,
    webhooks, window,
};

/// Routes that belong together: a tag of the document.
pub struct Group {
    /// The tag.
    pub name: &'static str,
    /// What belongs to it.
    pub about: &'static str,
    /// Its routes.
    pub operations: Vec<Operation>,
}

/// Every described route.
pub fn groups() -> Vec<Group> {
    let group = |name, about, operations| Group { name, about, operations };
    vec![
        group(
            "Sessions",
            "One connected number each: made, started, stopped, watched.",
            sessions::operations()
                .into_iter()
                .chain(window::operations())
                .chain(timeline::operations())
                .collect(),
        ),
        group(
            "Pairing",
            "A person scans a code or types one: that connects a session.",
            pairing::operations()
                .into_iter()
                .chain(pairing_links::operations())
                .chain(pair::operations())
                .collect(),
        ),
        group(
            "Messages",
            "Sent, read, taken back. A `202` means: on disk, and never lost.",
            messages::operations().into_iter().chain(chats::operations()).collect(),
        ),
        group(
            "Media",
            "Files that messages carry. Bodies are streamed; no message, event or webhook holds one.",
            media::operations(),
        ),
        group(
            "Suppressions",
            "Numbers that want no messages. A message to one is refused with 422 `suppressed`.",
            suppressions::operations(),
        ),
        group(
            "Usage",
            "What of the plan is used.",
            usage::operations()
                .into_iter()
                .chain(usage_days::operations())
                .chain(limits::operations())
                .collect(),
        ),
        group(
            "Billing",
            "What a tenant has agreed to, what it is asked to pay, and where it pays.",
            invoices::operations().into_iter().chain(payments::operations()).collect(),
        ),
        group(
            "Feed",
            "What happens, live. `asyncapi.json` describes its frames.",
            feed::operations().into_iter().chain(events::operations()).collect(),
        ),
        group(
            "Webhooks",
            "Where a tenant is told, of what, and what became of each telling. `asyncapi.json` describes the events.",
            webhooks::operations().into_iter().chain(deliveries::operations()).collect(),
        ),
        group(
            "Sandbox",
            "Plays the phone, a correspondent and trouble on the simulated network.",
            sandbox::operations(),
        ),
        group("Tenants", "For the operator: customers.", tenants::operations()),
        group("Keys", "For the operator: the keys of a tenant's programs.", keys::operations()),
        group(
            "Signing in",
            "For operators who are people: in by a password and a second factor, and what they do on their own behalf.",
            door::operations()
                .into_iter()
                .chain(me::operations())
                .chain(second_factor::operations())
                .collect(),
        ),
        group(
            "Operators",
            "For the operator: people who sign in, and programs with a token of their own.",
            operators::operations(),
        ),
        group(
            "Looks",
            "For the operator: reading what a tenant's people wrote, for a reason.",
            looks::operations(),
        ),
        group("Own audit", "What operators did to a tenant, for the tenant.", own_audit::operations()),
        group("Audit", "For the operator: what operators did, in a chain of hashes.", audit::operations()),
        group("Plans", "For the operator: what tenants have bought.", plans::operations()),
        group(
            "Subscriptions",
            "For the operator: what tenants have agreed to, from trial to end.",
            subscriptions::operations(),
        ),
        group(
            "Invoices",
            "For the operator: papers that are never edited, and what becomes of them.",
            all_invoices::operations(),
        ),
        group(
            "Ledger",
            "For the operator: what each tenant owes, entry by entry, and whom its invoices are for.",
            ledger::operations(),
        ),
        group(
            "Fleet",
            "For the operator: the whole at one glance, and sessions and messages of all tenants.",
            overview::operations()
                .into_iter()
                .chain(fleet::operations())
                .chain(message_log::operations())
                .chain(endpoints::operations())
                .chain(fleet_feed::operations())
                .chain(transports::operations())
                .collect(),
        ),
        group("Health", "For whoever runs the server; open to anybody.", health::operations()),
        group(
            "Running",
            "For the operator: the server itself, what it counts and logs, and its backups.",
            system::operations().into_iter().chain(metrics::operations()).chain(log::operations()).collect(),
        ),
        group("Reference", "These documents.", reference::operations()),
    ]
}

/// The document, its parts in the order in which a person reads them.
#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Value,
    servers: Value,
    tags: Vec<Value>,
    paths: BTreeMap<&'static str, BTreeMap<&'static str, Value>>,
    components: Value,
}

const ABOUT: &str = "\
Columba supervises many tenants' WhatsApp sessions. Tenants call `/v1` with a key, the operator calls `/v1/admin` with \
the operator's token.

- Times are RFC 3339 in UTC with milliseconds. Ids are prefixed and sort by creation.
- Lists answer `{data, next_cursor, has_more}`, newest first; `next_cursor` is null at the end.
- Every error is an `application/problem+json`; programs switch on its `code`, and its `type` leads to what to do.
- An operator calls a tenant's paths on its behalf with the header `Columba-Tenant: ten_…`; messages then come without their \
content (`redacted`), unless a look is open (`POST /v1/admin/tenants/{id}/looks`) and named in `Columba-Look`, with which nothing \
is changed. The tenant finds all of that in `GET /v1/audit`.
- `Idempotency-Key` on a POST that creates makes the same request twice one effect, for 24 hours.
- Unknown fields and parameters are refused by name. Answers may gain fields.";

/// The document as JSON text.
pub fn document() -> String {
    let mut schemas = Schemas::default();
    let mut parameters: Map<String, Value> = Map::new();
    let mut responses: Map<String, Value> = Map::new();
    let mut refusals = BTreeSet::new();
    let (mut tags, mut paths) = (Vec::new(), BTreeMap::<_, BTreeMap<_, _>>::new());
    for group in groups() {
        tags.push(json!({"name": group.name, "description": group.about}));
        for operation in group.operations {
            for parameter in operation.shared() {
                let name = parameter.shared.unwrap_or_default();
                parameters.insert(name.to_owned(), parameter.say(&mut schemas));
            }
            for (status, codes) in operation.refusals() {
                refusals.extend(codes.iter().map(|&code| (status, code)));
                let response = problems::response(status, &codes, &mut schemas);
                responses.insert(problems::name(status, &codes), response);
            }
            let said = operation.say(group.name, &mut schemas);
            paths.entry(operation.path).or_default().insert(operation.method, said);
        }
    }
    parameters.insert("IdempotencyKey".to_owned(), idempotency_key());
    let document = Document {
        openapi: "3.1.0",
        info: json!({
            "title": "Columba",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Supervisor of many tenants' WhatsApp sessions",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        }),
        servers: json!([{"url": "/", "description": "The server this document came from"}]),
        tags,
        paths,
        components: json!({
            "securitySchemes": security_schemes(),
            "headers": headers(),
            "parameters": parameters,
            "responses": responses,
            "examples": problems::examples(&refusals),
            "schemas": schemas.into_components(),
        }),
    };
    pretty(&document)
}

/// JSON as it is committed: indented, with a line break at its end.
pub(super) fn pretty(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document of words and numbers");
    text.push('\n');
    text
}

fn security_schemes() -> Value {
    json!({
        "tenant": {
            "type": "http", "scheme": "bearer", "bearerFormat": "col_live_… or col_test_…",
            "description": "A tenant's key. It is good for the scopes it was made with.",
        },
        "operator": {
            "type": "http", "scheme": "bearer", "bearerFormat": "col_op_…",
            "description": "An operator's token: the one that the server wrote into `operator.token` in its data directory, or one of \
                            `POST /v1/admin/operators`. Each operation says which role it takes.",
        },
        "signed_in": {
            "type": "apiKey", "in": "cookie", "name": "columba",
            "description": "The cookie of an operator who signed in (`__Host-columba` over TLS). Whatever changes something needs the \
                            header `X-CSRF-Token` besides, as `GET /v1/admin/me` has it, and comes from a page of this server.",
        },
        "ticket": {
            "type": "apiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
            "description": "For browsers: offer the subprotocols `columba.v1, ticket.<ticket>` with a ticket of \
                            `POST /v1/feed/tickets`. Good once, for 30 s.",
        },
    })
}

fn headers() -> Value {
    let header = |about: &str, schema: Value, example: Value| json!({"description": about, "schema": schema, "example": example});
    let text = || json!({"type": "string"});
    json!({
        "X-Request-Id": header(
            "Names the request in the server's log. The caller's, if it sent one of 1 to 64 of `A-Z a-z 0-9 . _ -`.",
            text(), json!("req_8a1f")),
        "RateLimit": header("What is left for this key: `r` requests at once, all of them back in `t` seconds.",
            text(), json!("\"default\";r=1999;t=1")),
        "RateLimit-Policy": header("The edge limit: `q` requests in `w` seconds.", text(), json!("\"default\";q=2000;w=2")),
        "Retry-After": header("Ask again after so many seconds.", json!({"type": "integer", "minimum": 1}), json!(12)),
        "Idempotency-Replayed": header("`true` when this is the stored answer to an earlier request.",
            json!({"type": "string", "enum": ["true"]}), json!("true")),
        "WWW-Authenticate": header("The scheme.", text(), json!("Bearer realm=\"columba\"")),
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "1 to 255 visible ASCII characters of the caller's choice. The same request with the same key \
                        within 24 hours is one effect, and gets the first answer again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "order-4711",
    })
}
