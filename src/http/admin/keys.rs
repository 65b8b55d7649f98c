//! API keys: the text is answered once, by the request that made it, and is kept nowhere.

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator as _;

use super::wrong_name;
use crate::domain::id::{KeyId, TenantId};
use crate::domain::page::Page;
use crate::domain::refusal::{Fault, Refusal};
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
use crate::tenancy::keys::KeyText;

#[derive(Serialize)]
struct KeyRecord<'a> {
    id: KeyId,
    tenant: TenantId,
    name: &'a str,
    last4: &'a str,
    scopes: &'a [KeyScope],
    test: bool,
    created_at: WallTime,
    expires_at: Option<WallTime>,
    revoked_at: Option<WallTime>,
}

/// The answer to `POST /tenants/{id}/keys`.
#[derive(Serialize)]
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
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    name: String,
    /// All of them, if it is not said.
    #[serde(default)]
    scopes: Option<Vec<KeyScope>>,
    #[serde(default)]
    test: Option<bool>,
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
