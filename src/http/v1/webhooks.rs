//! Webhooks: where a tenant wants to be told of its events. `docs/WEBHOOKS.md` is for those who are told.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

use super::deliveries::accepted_delivery;
use crate::domain::id::{SessionId, WebhookId};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::domain::webhook::{
    DeliveryStatus, EventFilter, EventPattern, Health, URL_MAX, Webhook, WebhookReason, WebhookStatus,
};
use crate::http::answer::{Answer, created, done, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json, JsonOrNothing};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::extract::tenant::{self, Need, Tenant};
use crate::http::in_flight::Owner;
use crate::http::listing::Listing;
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::http::render::webhook::{NewWebhookRecord, WebhookRecord, delivery, record};
use crate::http::state::HttpState;
use crate::ports::store::WriteError;
use crate::webhooks::confidential::{Confidential, SECRETS_MAX, place};

const DESCRIPTION: usize = 256;
const EVENTS: usize = 50;
const SESSIONS: usize = 100;
const HEADERS: usize = 20;
const HEADER_VALUE: usize = 1_024;
/// How long an older secret signs along, unless it is said.
const OVERLAP: u32 = 24 * 3600;
const OVERLAP_MAX: u32 = 7 * 24 * 3600;
/// Two that change one endpoint at once: the second looks again, so many times.
const TRIES: usize = 5;

/// Headers that are ours, or the connection's.
const RESERVED: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The body of `POST /webhooks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// `https`, to a public address, on port 443, 8443 or 80, unless the operator allows more.
    #[schemars(length(min = 1, max = URL_MAX))]
    url: String,
    /// What its people call it.
    #[serde(default)]
    #[schemars(length(max = DESCRIPTION))]
    description: Option<String>,
    /// All of them, if it is not said.
    #[serde(default)]
    #[schemars(with = "Option<Vec<EventPattern>>", length(min = 1, max = EVENTS))]
    events: Option<Vec<String>>,
    /// Of all sessions, if it is not said.
    #[serde(default)]
    #[schemars(length(max = SESSIONS))]
    sessions: Option<Vec<SessionId>>,
    /// Sent with each request, besides ours. Their values are kept sealed and never shown.
    #[serde(default)]
    #[schemars(schema_with = "header_wish")]
    headers: Option<BTreeMap<String, String>>,
}

impl Form for NewWebhook {}

/// The body of `PATCH /webhooks/{id}`. What is not named stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookChange")]
pub struct WebhookPatch {
    /// As when it was made.
    #[serde(default)]
    #[schemars(length(min = 1, max = URL_MAX))]
    url: Option<String>,
    /// What its people call it.
    #[serde(default)]
    #[schemars(length(max = DESCRIPTION))]
    description: Option<String>,
    /// All of them anew.
    #[serde(default)]
    #[schemars(with = "Option<Vec<EventPattern>>", length(min = 1, max = EVENTS))]
    events: Option<Vec<String>>,
    /// All of them anew; none named means all sessions.
    #[serde(default)]
    #[schemars(length(max = SESSIONS))]
    sessions: Option<Vec<SessionId>>,
    /// All of them anew.
    #[serde(default)]
    #[schemars(schema_with = "header_wish")]
    headers: Option<BTreeMap<String, String>>,
    /// Disables it, or enables it again.
    #[serde(default)]
    status: Option<WebhookStatus>,
}

impl Form for WebhookPatch {}

/// The body of `POST /webhooks/{id}/rotate`, which may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookRotation")]
pub struct Rotation {
    /// Seconds for which older secrets sign along; a day, if it is not said. 0 ends them at once.
    #[serde(default)]
    #[schemars(range(max = OVERLAP_MAX))]
    overlap_s: Option<u32>,
}

impl Form for Rotation {}

/// Names and values of custom headers, as [`wrong_headers`] takes them.
fn header_wish(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["object", "null"],
        "maxProperties": HEADERS,
        "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$"},
        "additionalProperties": {
            "type": "string", "maxLength": HEADER_VALUE, "pattern": "^([!-~]([ -~]*[!-~])?)?$",
        },
    })
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let (webhook, confidential) = (sample::webhook(), sample::confidential());
    let shown = || record(&webhook, &confidential, sample::NOW);
    let once = || NewWebhookRecord { record: shown(), secret: Some(sample::SECRET) };
    vec![
        operation::post("/v1/webhooks", create)
            .named("createWebhook", "Make a webhook")
            .about("Its secret is shown this once. A test key may not manage webhooks. 409 beyond what the plan allows (`webhooks_max`, 8 at most).")
            .asking(json!({"url": webhook.url, "events": webhook.events, "headers": {"x-env": "prod"}}))
            .answering(201, "The endpoint, and its secret.", &once())
            // 404: asked again by its key after it was deleted.
            .refusing(&[Code::InvalidRequest, Code::Conflict, Code::NotFound]),
        operation::get("/v1/webhooks", list).named("listWebhooks", "List webhooks").answering(
            200,
            "One page.",
            &Listing::whole(vec![shown()]),
        ),
        operation::get("/v1/webhooks/{id}", self::get).named("getWebhook", "Get a webhook").answering(
            200,
            "The endpoint.",
            &shown(),
        ),
        operation::patch("/v1/webhooks/{id}", self::patch)
            .named("updateWebhook", "Change a webhook")
            .about("What is not named stays.")
            .asking(json!({"events": ["message.delivered", "session.*"]}))
            .answering(200, "The endpoint.", &shown())
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
        operation::delete("/v1/webhooks/{id}", self::delete)
            .named("deleteWebhook", "Delete a webhook")
            .about("What was pending for it is not sent any more.")
            .answering_nothing(204, "It is gone."),
        operation::post("/v1/webhooks/{id}/enable", enable)
            .named("enableWebhook", "Enable a webhook")
            .about("It begins in good health. What it missed can be sent with `redeliver`.")
            .answering(200, "The endpoint.", &shown())
            .refusing(&[Code::Conflict]),
        operation::post("/v1/webhooks/{id}/rotate", rotate)
            .named("rotateWebhookSecret", "Make a new secret")
            .about("Shown this once. Older secrets sign along until the overlap has passed; four are valid at most.")
            .asking(json!({"overlap_s": 3600}))
            .answering(200, "The endpoint, and its new secret.", &once())
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
        operation::post("/v1/webhooks/{id}/test", self::test)
            .named("testWebhook", "Send a test event")
            .about("An event of type `webhook.test`, to this endpoint alone. A disabled one answers 409.")
            .answering(202, "It is on its way.", &delivery(&sample::delivery(DeliveryStatus::Pending)))
            .refusing(&[Code::Conflict]),
    ]
}

impl From<NewWebhook> for WebhookPatch {
    fn from(body: NewWebhook) -> Self {
        Self {
            url: Some(body.url),
            description: Some(body.description.unwrap_or_default()),
            events: Some(body.events.unwrap_or_else(|| vec!["*".to_owned()])),
            sessions: Some(body.sessions.unwrap_or_default()),
            headers: Some(body.headers.unwrap_or_default()),
            status: None,
        }
    }
}

impl WebhookPatch {
    /// All that is wrong with it.
    async fn faults(&self, state: &HttpState, scope: TenantScope) -> Result<Vec<Fault>, Problem> {
        let mut faults = Vec::new();
        if let Some(problem) = self.url.as_deref().and_then(|url| state.egress.vet(url).err()) {
            faults.push(Fault::new("/url", "not_allowed", problem));
        }
        if self
            .description
            .as_ref()
            .is_some_and(|text| text.chars().count() > DESCRIPTION || text.contains('\0'))
        {
            let detail = format!("at most {DESCRIPTION} characters, none of them NUL");
            faults.push(Fault::new("/description", "out_of_range", detail));
        }
        if let Some(events) = &self.events {
            if !(1..=EVENTS).contains(&events.len()) {
                faults.push(Fault::new("/events", "out_of_range", format!("1 to {EVENTS} of them")));
            }
            for (at, _) in events.iter().enumerate().filter(|(_, pattern)| !EventFilter::knows(pattern)) {
                let detail = "expected a type such as message.delivered, a family such as message.*, or *; \
                              docs/WEBHOOKS.md lists them";
                faults.push(Fault::new(format!("/events/{at}"), "not_allowed", detail));
            }
        }
        faults.extend(self.headers.iter().flat_map(wrong_headers));
        let sessions = self.sessions.as_deref().unwrap_or_default();
        if sessions.len() > SESSIONS {
            faults.push(Fault::new("/sessions", "out_of_range", format!("at most {SESSIONS} of them")));
            return Ok(faults);
        }
        for (at, &session) in sessions.iter().enumerate() {
            if state.sessions.get(scope, session).await?.is_none() {
                faults.push(Fault::new(
                    format!("/sessions/{at}"),
                    "not_allowed",
                    "no session of yours has this id",
                ));
            }
        }
        Ok(faults)
    }

    fn apply(&self, webhook: &mut Webhook, now: WallTime) {
        let Self { url, description, events, sessions, headers: _, status } = self;
        if let Some(url) = url {
            webhook.url.clone_from(url);
        }
        if let Some(description) = description {
            webhook.description.clone_from(description);
        }
        if let Some(events) = events {
            webhook.events = EventFilter(events.clone());
        }
        if let Some(sessions) = sessions {
            webhook.sessions.clone_from(sessions);
        }
        if let Some(status) = status.filter(|&status| status != webhook.status) {
            webhook.status = status;
            webhook.reason = (status == WebhookStatus::Disabled).then_some(WebhookReason::Requested);
            webhook.since = now;
        }
    }

    /// Names of headers are the same in any case.
    fn headers(&self) -> Option<BTreeMap<String, String>> {
        let headers = self.headers.as_ref()?;
        Some(headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect())
    }
}

fn wrong_headers(headers: &BTreeMap<String, String>) -> Vec<Fault> {
    if headers.len() > HEADERS {
        return vec![Fault::new("/headers", "out_of_range", format!("at most {HEADERS} of them"))];
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut faults = vec![];
    for (name, value) in headers {
        let lower = name.to_ascii_lowercase();
        let pointer: String = name.chars().take(64).collect();
        let pointer = format!("/headers/{}", pointer.replace('~', "~0").replace('/', "~1"));
        let visible = value.bytes().all(|b| (0x20..0x7f).contains(&b)) && value.trim() == value;
        if HeaderName::try_from(name.as_str()).is_err() || name.len() > 64 {
            faults.push(Fault::new(
                pointer,
                "not_allowed",
                "not a name of a header of at most 64 characters",
            ));
        } else if RESERVED.contains(&lower.as_str()) || lower.starts_with("webhook-") {
            faults.push(Fault::new(pointer, "not_allowed", "this header is set by the server"));
        } else if !seen.insert(lower) {
            faults.push(Fault::new(pointer, "not_allowed", "given twice, in different case"));
        } else if value.len() > HEADER_VALUE || !visible {
            let detail = format!("at most {HEADER_VALUE} visible ASCII characters, no space at either end");
            faults.push(Fault::new(pointer, "out_of_range", detail));
        }
    }
    faults
}

/// An endpoint, as much of it as whoever asks may see.
fn seen<'a, N: Need>(
    tenant: &Tenant<N>,
    webhook: &'a Webhook,
    confidential: &'a Confidential,
    now: WallTime,
) -> WebhookRecord<'a> {
    let whole = record(webhook, confidential, now);
    if tenant.sees_content() { whole } else { whole.outlined() }
}

/// Webhooks hear of everything their tenant does, so a test key may not make them.
pub(super) fn live<N: Need>(tenant: &Tenant<N>) -> Result<(), Refusal> {
    match tenant.principal().test {
        true => Err(Refusal::forbidden(
            "a test key cannot manage webhooks, which hear of real messages too; use a live key",
        )),
        false => Ok(()),
    }
}

fn unopened(error: &crate::ports::vault::VaultError) -> Refusal {
    tracing::error!(%error, "a webhook's secrets cannot be sealed or opened");
    Refusal::unavailable("the webhook's secrets cannot be reached now; nothing was changed, try again")
}

async fn open(state: &HttpState, webhook: &Webhook) -> Result<Confidential, Problem> {
    let opened = state.sealer.open(webhook.tenant, &place(webhook.id), &webhook.sealed).await;
    let bytes = opened.map_err(|error| unopened(&error))?;
    let unreadable = || Refusal::unavailable("the webhook's secrets cannot be read");
    Ok(Confidential::from_bytes(&bytes).ok_or_else(unreadable)?)
}

async fn seal(state: &HttpState, webhook: &Webhook, confidential: &Confidential) -> Result<Vec<u8>, Problem> {
    let sealed = state.sealer.seal(webhook.tenant, &place(webhook.id), &confidential.to_bytes()).await;
    Ok(sealed.map_err(|error| unopened(&error))?)
}

/// Reads an endpoint, changes it and writes it; again, when somebody else was faster.
async fn change(
    state: &HttpState,
    scope: TenantScope,
    id: WebhookId,
    apply: impl Fn(&mut Webhook, &mut Confidential) -> Result<(), Refusal>,
) -> Result<(Webhook, Confidential), Problem> {
    let mut tries = 0;
    loop {
        let mut webhook = state.webhooks.get(scope, id).await?.ok_or_else(Refusal::not_found)?;
        let was = open(state, &webhook).await?;
        let mut confidential = was.clone();
        apply(&mut webhook, &mut confidential)?;
        if confidential != was {
            webhook.sealed = seal(state, &webhook, &confidential).await?;
        }
        tries += 1;
        match state.webhooks.put(scope, webhook, state.clock.wall()).await {
            Ok(webhook) => return Ok((webhook, confidential)),
            Err(WriteError::Refused(refusal)) if refusal.status == 409 && tries < TRIES => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// `POST /webhooks`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<NewWebhook>,
    tenant: Tenant<tenant::Secret>,
) -> Answer {
    live(&tenant)?;
    let _flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    let wish = WebhookPatch::from(body);
    match wish.faults(&state, tenant.scope()).await? {
        faults if faults.is_empty() => (),
        faults => return Err(Refusal::invalid(faults).into()),
    }
    let now = state.clock.wall();
    let confidential = Confidential::mint(wish.headers().unwrap_or_default(), &mut rand::rng());
    let mut webhook = Webhook {
        id: WebhookId::mint(now),
        tenant: tenant.id(),
        url: String::new(),
        description: String::new(),
        events: EventFilter(vec![]),
        sessions: vec![],
        sealed: vec![],
        status: WebhookStatus::Active,
        reason: None,
        since: now,
        health: Health::default(),
        revision: 0,
        created_at: now,
    };
    wish.apply(&mut webhook, now);
    webhook.sealed = seal(&state, &webhook, &confidential).await?;
    let most = state.directory.snapshot().plan_of(tenant.id()).ok_or_else(Refusal::not_found)?.webhooks_max;
    let made = state.webhooks.create(tenant.scope(), webhook, most, idempotent.0).await?;
    let replayed = made.is_replayed();
    let made = made.into_inner();
    let confidential = if replayed { open(&state, &made).await? } else { confidential };
    let secret = (!replayed).then(|| confidential.newest());
    let record = seen(&tenant, &made, &confidential, now);
    created(StatusCode::CREATED, replayed, NewWebhookRecord { record, secret })
}

/// `GET /webhooks`.
pub async fn list(state: State, Query(page): Query<Page>, tenant: Tenant<tenant::Read>) -> Answer {
    let now = state.clock.wall();
    let slice = state.webhooks.list(tenant.scope(), page).await?;
    let mut opened = vec![];
    for webhook in slice.rows {
        let confidential = open(&state, &webhook).await?;
        opened.push((webhook, confidential));
    }
    let slice = crate::domain::page::Slice { rows: opened, has_more: slice.has_more };
    ok(Listing::by_id(
        &slice,
        |(webhook, _)| webhook.id.uuid(),
        |(webhook, confidential)| seen(&tenant, webhook, confidential, now),
    ))
}

/// `GET /webhooks/{id}`.
pub async fn get(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Read>,
    Id(id): Id<WebhookId>,
) -> Answer {
    let webhook = state.webhooks.get(tenant.scope(), id).await?.ok_or_else(Refusal::not_found)?;
    let confidential = open(&state, &webhook).await?;
    ok(seen(&tenant, &webhook, &confidential, state.clock.wall()))
}

/// `PATCH /webhooks/{id}`.
pub async fn patch(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<WebhookPatch>,
    tenant: Tenant<tenant::Configure>,
    Id(id): Id<WebhookId>,
) -> Answer {
    live(&tenant)?;
    state.webhooks.get(tenant.scope(), id).await?.ok_or_else(Refusal::not_found)?;
    match body.faults(&state, tenant.scope()).await? {
        faults if faults.is_empty() => (),
        faults => return Err(Refusal::invalid(faults).into()),
    }
    let now = state.clock.wall();
    let apply = |webhook: &mut Webhook, confidential: &mut Confidential| {
        body.apply(webhook, now);
        if let Some(headers) = body.headers() {
            *confidential = confidential.clone().with_headers(headers);
        }
        Ok(())
    };
    let (webhook, confidential) = change(&state, tenant.scope(), id, apply).await?;
    ok(seen(&tenant, &webhook, &confidential, now))
}

/// `DELETE /webhooks/{id}`.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Configure>,
    Id(id): Id<WebhookId>,
) -> Answer {
    live(&tenant)?;
    match state.webhooks.delete(tenant.scope(), id, state.clock.wall()).await? {
        true => done(),
        false => Err(Refusal::not_found().into()),
    }
}

/// `POST /webhooks/{id}/enable`: legal in every state.
pub async fn enable(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Configure>,
    Id(id): Id<WebhookId>,
) -> Answer {
    live(&tenant)?;
    let now = state.clock.wall();
    let apply = |webhook: &mut Webhook, _: &mut Confidential| {
        if webhook.status == WebhookStatus::Disabled {
            webhook.status = WebhookStatus::Active;
            webhook.reason = None;
            webhook.since = now;
        }
        Ok(())
    };
    let (webhook, confidential) = change(&state, tenant.scope(), id, apply).await?;
    ok(seen(&tenant, &webhook, &confidential, now))
}

/// `POST /webhooks/{id}/rotate`: a new secret; older ones sign along for a while.
pub async fn rotate(
    state: State,
    _: Query<Nothing>,
    JsonOrNothing(body): JsonOrNothing<Rotation>,
    tenant: Tenant<tenant::Secret>,
    Id(id): Id<WebhookId>,
) -> Answer {
    live(&tenant)?;
    let overlap = body.overlap_s.unwrap_or(OVERLAP);
    if overlap > OVERLAP_MAX {
        let detail = format!("0 to {OVERLAP_MAX} seconds");
        return Err(Refusal::invalid(vec![Fault::new("/overlap_s", "out_of_range", detail)]).into());
    }
    let now = state.clock.wall();
    let apply = |_: &mut Webhook, confidential: &mut Confidential| {
        let overlap = Duration::from_secs(overlap.into());
        let full = || {
            Refusal::conflict(format!(
                "{SECRETS_MAX} secrets are valid at once and no more; wait until an overlap ends, or rotate with \
                 overlap_s 0, which ends them all"
            ))
        };
        *confidential = confidential.clone().rotate(overlap, now, &mut rand::rng()).ok_or_else(full)?;
        Ok(())
    };
    let (webhook, confidential) = change(&state, tenant.scope(), id, apply).await?;
    let record = seen(&tenant, &webhook, &confidential, now);
    ok(NewWebhookRecord { record, secret: Some(confidential.newest()) })
}

/// `POST /webhooks/{id}/test`: an event of type `webhook.test`, to this endpoint alone.
pub async fn test(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    tenant: Tenant<tenant::Configure>,
    Id(id): Id<WebhookId>,
) -> Answer {
    live(&tenant)?;
    let _flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    let made = state.webhooks.test(tenant.scope(), id, state.clock.wall(), idempotent.0).await?;
    accepted_delivery(made)
}
