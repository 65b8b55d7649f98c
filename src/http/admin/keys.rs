//! API keys: the text is answered once, by the request that made it, and is kept nowhere.

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use strum::IntoEnumIterator as _;

use super::wrong_name;
use crate::domain::id::{KeyId, TenantId};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::tenant::{ApiKey, KeyScope};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, done, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::Operator;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::in_flight::Owner;
use crate::http::listing::{Listing, cut};
use crate::http::openapi::operation::{Operation, delete, get, post};
use crate::http::openapi::sample;
use crate::tenancy::keys::KeyText;

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Key")]
struct KeyRecord<'a> {
    id: KeyId,
    /// Whose key.
    tenant: TenantId,
    /// What it is called.
    name: &'a str,
    /// Its last four characters, so that a person can tell keys apart.
    last4: &'a str,
    /// What it may be used for.
    scopes: &'a [KeyScope],
    /// Whether it reaches the sandbox only, and does not count.
    test: bool,
    created_at: WallTime,
    /// From then on it is refused.
    expires_at: Option<WallTime>,
    /// Since then it is refused, by decision.
    revoked_at: Option<WallTime>,
}

/// The answer to `POST /tenants/{id}/keys`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KeyShownOnce")]
struct NewKeyRecord<'a> {
    #[serde(flatten)]
    record: KeyRecord<'a>,
    /// The key itself. Null in a replay: it is shown once, and the first answer had it.
    key: Option<&'a str>,
}

fn record(key: &ApiKey) -> KeyRecord<'_> {
    KeyRecord {
        id: key.id,
        tenant: key.tenant,
        name: &key.name,
        last4: &key.last4,
        scopes: &key.scopes,
        test: key.test,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    }
}

/// The body of `POST /tenants/{id}/keys`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is called.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// All of them, if it is not said.
    #[serde(default)]
    #[schemars(length(min = 1))]
    scopes: Option<Vec<KeyScope>>,
    /// Reaches the sandbox only, and does not count to usage.
    #[serde(default)]
    test: Option<bool>,
    /// From then on it is refused; later than now.
    #[serde(default)]
    expires_at: Option<WallTime>,
}

impl Form for NewKey {}

impl NewKey {
    fn faults(&self, now: WallTime) -> Vec<Fault> {
        let mut faults: Vec<Fault> = wrong_name(&self.name).into_iter().collect();
        if self.scopes.as_ref().is_some_and(Vec::is_empty) {
            faults.push(Fault::new("/scopes", "out_of_range", "at least one of read, send, session"));
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            faults.push(Fault::new("/expires_at", "out_of_range", "later than now"));
        }
        faults
    }

    fn scopes(&mut self) -> Vec<KeyScope> {
        let mut scopes = self.scopes.take().unwrap_or_else(|| KeyScope::iter().collect());
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }
}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/admin/tenants/{id}/keys", create)
            .named("createKey", "Make a key")
            .asking(json!({"name": "shop", "scopes": ["read", "send"]}))
            .answering(
                201,
                "The key, shown this once.",
                &NewKeyRecord { record: record(&sample::key()), key: Some("col_live_…7f3a") },
            )
            .refusing(&[Code::InvalidRequest]),
        get("/v1/admin/tenants/{id}/keys", list)
            .named("listKeys", "List a tenant's keys")
            .about("Revoked ones too.")
            .answering(200, "One page.", &Listing::whole(vec![record(&sample::key())])),
        delete("/v1/admin/keys/{id}", revoke)
            .named("revokeKey", "Revoke a key")
            .about("At once and for good.")
            .answering_nothing(204, "It opens nothing any more."),
    ]
}

/// `POST /tenants/{id}/keys`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(mut body): Json<NewKey>,
    _: Operator,
    Id(tenant): Id<TenantId>,
) -> Answer {
    if !state.directory.snapshot().tenants.contains_key(&tenant) {
        return Err(Refusal::not_found().into());
    }
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let now = state.clock.wall();
    match body.faults(now) {
        faults if faults.is_empty() => (),
        faults => return Err(Refusal::invalid(faults).into()),
    }
    let test = body.test.unwrap_or_default();
    let text = KeyText::mint(test, &mut rand::rng());
    let key = ApiKey {
        id: KeyId::mint(now),
        tenant,
        hash: text.hash(),
        last4: text.last4(),
        scopes: body.scopes(),
        name: body.name,
        test,
        created_at: now,
        expires_at: body.expires_at,
        revoked_at: None,
    };
    let made = state.directory.create_key(key, idempotent.0).await?;
    let replayed = made.is_replayed();
    let made = made.into_inner();
    let shown = (!replayed).then(|| text.expose());
    created(StatusCode::CREATED, replayed, NewKeyRecord { record: record(&made), key: shown })
}

/// `GET /tenants/{id}/keys`: revoked ones too.
pub async fn list(state: State, Query(page): Query<Page>, _: Operator, Id(tenant): Id<TenantId>) -> Answer {
    if !state.directory.snapshot().tenants.contains_key(&tenant) {
        return Err(Refusal::not_found().into());
    }
    let keys = state.directory.keys(tenant).await?;
    let slice = cut(&keys, |key| key.id.uuid(), page);
    ok(Listing::by_id(&slice, |key| key.id.uuid(), |&key| record(key)))
}

/// `DELETE /keys/{id}`: revoked at once and for good.
pub async fn revoke(state: State, _: Query<Nothing>, _: Operator, Id(id): Id<KeyId>) -> Answer {
    state.directory.revoke_key(id, state.clock.wall()).await?;
    done()
}
