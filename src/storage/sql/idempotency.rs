//! Which request was the first with its key.

use sea_orm::ConnectionTrait;
use serde::Serialize;
use strum::{Display, EnumString};
use uuid::Uuid;

use super::dialect::{self, Fault};
use super::entities::word;
use crate::domain::id::TenantId;
use crate::domain::idempotency::{Idempotency, REMEMBERED};
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;

/// Among whom a key is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Requests of one tenant.
    Tenant(TenantId),
    /// Requests of operators.
    Operator,
}

impl Owner {
    /// As it is stored. No uuidv7 is all zeros.
    pub(super) fn uuid(self) -> Uuid {
        match self {
            Self::Tenant(tenant) => tenant.uuid(),
            Self::Operator => Uuid::nil(),
        }
    }
}

/// What a request made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Kind {
    Message,
    Session,
    Tenant,
    Plan,
    Key,
    Webhook,
    Delivery,
    Range,
    Operator,
    Media,
    Ledger,
}

/// The first request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) fingerprint: [u8; 32],
    pub(super) kind: Kind,
    /// A uuid in hex, the code of a plan, or what was written into the ledger.
    pub(super) subject: String,
    pub(super) created_at: WallTime,
}

impl Remembered {
    pub(super) fn new(asked: &Idempotency, kind: Kind, subject: String, at: WallTime) -> Self {
        Self { fingerprint: asked.fingerprint, kind, subject, created_at: at }
    }
}

/// What the first request with this key made, if it is the same request and not forgotten yet.
pub(super) fn replay<'a>(
    found: Option<&'a Remembered>,
    asked: &Idempotency,
    kind: Kind,
    at: WallTime,
) -> Result<Option<&'a str>, Refusal> {
    match found {
        Some(first) if at.since(first.created_at) < REMEMBERED => {
            if first.kind == kind && first.fingerprint == asked.fingerprint {
                Ok(Some(&first.subject))
            } else {
                Err(Refusal::idempotency_mismatch())
            }
        }
        _ => Ok(None),
    }
}

/// A row as the batch statement takes it.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    owner: uuid::fmt::Simple,
    key: &'a str,
    fingerprint: String,
    kind: String,
    subject: &'a str,
    created_at: i64,
}

impl<'a> Row<'a> {
    pub(super) fn new(owner: Uuid, key: &'a str, first: &'a Remembered) -> Self {
        Self {
            owner: owner.simple(),
            key,
            fingerprint: hex::encode(first.fingerprint),
            kind: first.kind.to_string(),
            subject: &first.subject,
            created_at: first.created_at.0,
        }
    }
}

#[derive(Serialize)]
struct Wanted<'a> {
    owner: uuid::fmt::Simple,
    key: &'a str,
}

/// Reads the first requests with these keys.
pub(super) async fn find<'a>(
    db: &impl ConnectionTrait,
    keys: impl Iterator<Item = (Uuid, &'a str)>,
) -> Result<Vec<((Uuid, String), Remembered)>, Fault> {
    let wanted: Vec<Wanted<'_>> = keys.map(|(owner, key)| Wanted { owner: owner.simple(), key }).collect();
    let rows = dialect::query(db, dialect::REMEMBERED, [json(&wanted)?.into()]).await?;
    rows.into_iter()
        .map(|row| {
            let fingerprint: Vec<u8> = row.try_get_by_index(2)?;
            let first = Remembered {
                fingerprint: fingerprint.try_into().map_err(|_| Fault::unreadable("fingerprint"))?,
                kind: word(&row.try_get_by_index::<String>(3)?, "kind of request")?,
                subject: row.try_get_by_index(4)?,
                created_at: WallTime(row.try_get_by_index(5)?),
            };
            Ok(((row.try_get_by_index(0)?, row.try_get_by_index(1)?), first))
        })
        .collect()
}

/// Remembers one request. For what is not written in batches.
pub(super) async fn remember(
    db: &impl ConnectionTrait,
    owner: Owner,
    key: &str,
    first: &Remembered,
) -> Result<(), Fault> {
    let rows = json(&[Row::new(owner.uuid(), key, first)])?;
    dialect::execute(db, dialect::PUT_REMEMBERED, [rows.into()]).await.map(drop)
}

/// Rows as the JSON array that a batch statement takes.
pub(super) fn json<T: Serialize + ?Sized>(rows: &T) -> Result<String, Fault> {
    serde_json::to_string(rows).map_err(|_| Fault::Row("a row cannot be written as JSON".into()))
}
