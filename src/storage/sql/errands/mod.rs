//! The rare writes, each with statements of its own.

mod erase;
pub(super) mod forget;
mod keys;
mod ledger;
mod media;
mod operators;
mod people;
mod plans;
mod restore;
mod restored;
mod sessions;
mod tenants;
pub(super) mod waiting;
mod webhooks;

pub(super) use erase::Erase;
pub(super) use forget::Forget;
pub(super) use keys::{CreateKey, NoteUse, RevokeKey, RotateKey};
pub(super) use ledger::DecideLedger;
pub(super) use media::{
    DeleteMedia, ExpireMedia, FetchedMedia, ForgetMedia, HoldMedia, KeepMedia, LostMedia, NoteMedia,
};
pub(super) use operators::{CreateOperator, Found, PatchOperator, RevokeOperator};
pub(super) use people::{DecidePerson, NoteSignIn};
pub(super) use plans::{CreatePlan, DeletePlan, PutPlan};
pub(super) use restore::Restore;
pub(super) use restored::Restored;
pub(super) use sessions::{CreateSession, DeleteSession, SetPaired, SetProxy};
pub(super) use tenants::{CreateTenant, DeleteTenant, PatchTenant};
pub(super) use waiting::CancelAll;
pub(super) use webhooks::{
    Bury, CreateWebhook, DeleteWebhook, DisableWebhook, ForgetWebhooks, PutWebhook, Redeliver,
    RedeliverRange, TestWebhook,
};

use super::desk::Desk;
use super::dialect::{self, Fault};
use super::entities::store_meta::DIRECTORY_VERSION;
use super::idempotency::{self, Kind, Owner, Remembered, replay};
use crate::domain::idempotency::Idempotency;
use crate::domain::refusal::Refusal;
use crate::domain::time::WallTime;

/// Counts a write to tenants, plans or keys, so that other processes read again.
async fn touch_directory(desk: &Desk<'_>) -> Result<(), Fault> {
    const TEXT: &str =
        "UPDATE store_meta SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = $1";
    dialect::execute(desk.txn, TEXT, [DIRECTORY_VERSION.into()]).await.map(drop)
}

/// What an earlier request with this key made, if there was one.
async fn earlier(
    desk: &Desk<'_>,
    owner: Owner,
    asked: Option<&Idempotency>,
    kind: Kind,
    at: WallTime,
) -> Result<Result<Option<String>, Refusal>, Fault> {
    let Some(asked) = asked else { return Ok(Ok(None)) };
    let found = idempotency::find(desk.txn, std::iter::once((owner.uuid(), asked.key.as_str()))).await?;
    let first = found.first().map(|(_, first)| first);
    Ok(replay(first, asked, kind, at).map(|subject| subject.map(str::to_owned)))
}

/// Remembers what this request made, if it has a key.
async fn remember(
    desk: &Desk<'_>,
    owner: Owner,
    asked: Option<&Idempotency>,
    kind: Kind,
    subject: String,
    at: WallTime,
) -> Result<(), Fault> {
    match asked {
        Some(asked) => {
            let first = Remembered::new(asked, kind, subject, at);
            idempotency::remember(desk.txn, owner, &asked.key, &first).await
        }
        None => Ok(()),
    }
}
