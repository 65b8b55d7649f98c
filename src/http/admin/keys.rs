//! API keys: the text is answered once, by the request that made it, and is kept nowhere.

use std::time::Duration;

use actix_web::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use strum::IntoEnumIterator as _;

use super::wrong_name;
use crate::domain::address::AddressRange;
use crate::domain::id::{KeyId, TenantId};
use crate::domain::page::Page;
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::domain::tenant::{ApiKey, KeyScope, Minted};
use crate::domain::time::WallTime;
use crate::http::answer::{Answer, created, done, ok};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::path::Id;
use crate::http::extract::query::{Nothing, Query};
use crate::http::in_flight::Owner;
use crate::http::listing::{Listing, cut};
use crate::http::openapi::operation::{Operation, delete, get, post};
use crate::http::openapi::sample;
use crate::tenancy::keys::KeyText;

/// Entries of a list of addresses.
const ADDRESSES: usize = 64;
/// How long a key that is being replaced opens, if it is not said.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// And at most.
const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

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
    /// Empty: from anywhere.
    allowed_addresses: &'a [AddressRange],
    created_at: WallTime,
    /// From then on it is refused.
    expires_at: Option<WallTime>,
    /// Since then it is refused, by decision.
    revoked_at: Option<WallTime>,
    /// The key that takes its place.
    replaced_by: Option<KeyId>,
    /// To the minute.
    last_used_at: Option<WallTime>,
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
        allowed_addresses: &key.allowed_addresses,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        replaced_by: key.replaced_by,
        last_used_at: key.last_used_at,
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
    // Text, so that what is wrong with each is said at once.
    /// From where it may be used, addresses and CIDR ranges; from anywhere, if it is not said.
    #[serde(default)]
    #[schemars(with = "Option<Vec<AddressRange>>", length(min = 1, max = ADDRESSES))]
    allowed_addresses: Option<Vec<String>>,
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
        if self.allowed_addresses.as_ref().is_some_and(|list| !(1..=ADDRESSES).contains(&list.len())) {
            let detail = format!("1 to {ADDRESSES} addresses or ranges; leave it out to allow any");
            faults.push(Fault::new("/allowed_addresses", "out_of_range", detail));
        }
        faults
    }

    /// The ranges, or what is wrong with each that is none.
    fn addresses(&self) -> Result<Vec<AddressRange>, Vec<Fault>> {
        let (mut ranges, mut faults) = (vec![], vec![]);
        for (place, text) in self.allowed_addresses.iter().flatten().take(ADDRESSES).enumerate() {
            match text.parse() {
                Ok(range) => ranges.push(range),
                Err(error) => {
                    let error: crate::domain::address::NotARange = error;
                    let pointer = format!("/allowed_addresses/{place}");
                    faults.push(Fault::new(pointer, "not_allowed", error.to_string()));
                }
            }
        }
        ranges.sort_unstable();
        ranges.dedup();
        if faults.is_empty() { Ok(ranges) } else { Err(faults) }
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
        post("/v1/admin/keys/{id}/rotate", rotate)
            .named("rotateKey", "Replace a key")
            .about(
                "The new one has the same name, scopes, kind and addresses. The old one opens until the overlap has \
                 passed, and no longer than it would have anyway. Two live at once, not three: 409.",
            )
            .asking(json!({"overlap_s": 3600}))
            .answering(
                201,
                "The new key, shown this once.",
                &NewKeyRecord { record: record(&sample::key()), key: Some("col_live_…7f3a") },
            )
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
    ]
}

/// `POST /tenants/{id}/keys`.
pub async fn create(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(mut body): Json<NewKey>,
    operator: Operator<may::Afresh<may::ManageKeys>>,
    Id(tenant): Id<TenantId>,
) -> Answer {
    if !state.directory.snapshot().tenants.contains_key(&tenant) {
        return Err(Refusal::not_found().into());
    }
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let now = state.clock.wall();
    let mut faults = body.faults(now);
    let allowed_addresses = body.addresses().unwrap_or_else(|wrong| {
        faults.extend(wrong);
        vec![]
    });
    if !faults.is_empty() {
        return Err(Refusal::invalid(faults).into());
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
        allowed_addresses,
        created_at: now,
        expires_at: body.expires_at,
        revoked_at: None,
        replaced_by: None,
        last_used_at: None,
    };
    let made = operator.signs(&state.directory).create_key(key, idempotent.0).await?;
    let replayed = made.is_replayed();
    let made = made.into_inner();
    let shown = (!replayed).then(|| text.expose());
    created(StatusCode::CREATED, replayed, NewKeyRecord { record: record(&made), key: shown })
}

/// The body of `POST /keys/{id}/rotate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyRotation")]
pub struct Rotation {
    /// How long the old key opens still, in seconds; a day, if it is not said.
    #[serde(default)]
    #[schemars(range(max = OVERLAP_MAX.as_secs()))]
    overlap_s: Option<u64>,
}

impl Form for Rotation {}

/// `POST /keys/{id}/rotate`: a new key takes the place of this one, which opens until the overlap has passed.
pub async fn rotate(
    state: State,
    _: Query<Nothing>,
    idempotent: Idempotent,
    Json(body): Json<Rotation>,
    operator: Operator<may::Afresh<may::ManageKeys>>,
    Id(id): Id<KeyId>,
) -> Answer {
    let overlap = body.overlap_s.map_or(OVERLAP, Duration::from_secs);
    // One that is not here is absent or revoked: the store knows which.
    let test = state.directory.snapshot().keys.values().find(|key| key.id == id).map(|key| key.test);
    if overlap > OVERLAP_MAX && test.is_some() {
        let detail =
            format!("0 to {} seconds, which are 30 days; a day, if it is left out", OVERLAP_MAX.as_secs());
        return Err(Refusal::invalid(vec![Fault::new("/overlap_s", "out_of_range", detail)]).into());
    }
    let _flight = idempotent.enter(&state.in_flight, Owner::Operator)?;
    let now = state.clock.wall();
    let text = KeyText::mint(test.unwrap_or_default(), &mut rand::rng());
    let minted = Minted { id: KeyId::mint(now), hash: text.hash(), last4: text.last4(), at: now };
    let made = operator.signs(&state.directory).rotate_key(id, minted, overlap, idempotent.0).await?;
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
pub async fn revoke(
    state: State,
    _: Query<Nothing>,
    operator: Operator<may::ManageKeys>,
    Id(id): Id<KeyId>,
) -> Answer {
    operator.signs(&state.directory).revoke_key(id, state.clock.wall()).await?;
    done()
}
