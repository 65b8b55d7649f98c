//! Adding and deleting sessions, and what follows from credentials that are gone.

use async_trait::async_trait;
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _,
};
use serde_json::json;

use super::media::take_away;
use super::waiting::cancel_waiting;
use super::{earlier, remember};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::MessageReason;
use crate::domain::plan::Caps;
use crate::domain::refusal::Refusal;
use crate::domain::scope::TenantScope;
use crate::domain::session::{Lease, Session};
use crate::domain::time::WallTime;
use crate::ports::store::{Created, StoreError, WriteError};
use crate::storage::sql::audit;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::{self, Fault};
use crate::storage::sql::entities::{media, session, session_tally, tenant};
use crate::storage::sql::idempotency::{Kind, Owner};
use crate::storage::sql::load::{Needs, subject};
use crate::storage::sql::sessions::read_one;
use crate::storage::sql::spells;
use crate::storage::sql::writer::Errand;

/// Adds a session.
pub struct CreateSession {
    pub scope: TenantScope,
    pub session: Session,
    pub caps: Caps,
    pub idempotency: Option<Idempotency>,
}

#[async_trait]
impl Errand for CreateSession {
    type Answer = Created<Session>;
    type Error = WriteError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Created<Session>, WriteError>, Fault> {
        let Self { scope, session, caps, idempotency } = self;
        let (tenant, owner, at) = (scope.tenant(), Owner::Tenant(scope.tenant()), session.created_at);
        let asked = idempotency.as_ref();
        match earlier(desk, owner, asked, Kind::Session, at).await? {
            Err(refusal) => return Ok(Err(refusal.into())),
            Ok(Some(id)) => {
                let first = read_one(desk.txn, subject(&id)?.into(), Some(tenant)).await?;
                return Ok(first.map(Created::Replayed).ok_or_else(|| Refusal::not_found().into()));
            }
            Ok(None) => {}
        }
        if session.tenant != tenant || !is_tenant(desk, tenant).await? {
            return Ok(Err(Refusal::not_found().into()));
        }
        let held = session::Entity::find()
            .filter(session::Column::TenantId.eq(tenant.uuid()))
            .filter(session::Column::DeletedAt.is_null())
            .count(desk.txn)
            .await?;
        if held >= u64::from(caps.sessions_max) {
            let detail = format!("the plan allows {} sessions, and there are {held}", caps.sessions_max);
            return Ok(Err(Refusal::conflict(detail).into()));
        }
        session::row(session)?.insert(desk.txn).await?;
        let tally = session_tally::ActiveModel {
            session_id: Set(session.id.uuid()),
            tenant_id: Set(tenant.uuid()),
            live: Set(0),
            sent: Set(0),
            failed: Set(0),
            received: Set(0),
            reconnects: Set(0),
        };
        tally.insert(desk.txn).await?;
        let first = [
            session.id.uuid().into(),
            tenant.uuid().into(),
            session.status.to_string().into(),
            session.since.0.into(),
        ];
        dialect::execute(desk.txn, spells::FIRST, first).await?;
        let id = session.id.uuid().simple().to_string();
        remember(desk, owner, asked, Kind::Session, id, at).await?;
        Ok(Ok(Created::New(session.clone())))
    }
}

async fn is_tenant(desk: &Desk<'_>, id: TenantId) -> Result<bool, Fault> {
    let row = tenant::Entity::find_by_id(id.uuid()).one(desk.txn).await?;
    Ok(row.is_some_and(|row| row.deleted_at.is_none()))
}

const FORGET_PROXY: &str = "UPDATE session SET proxy = NULL WHERE id = $1 AND proxy IS NOT NULL";

/// Marks a session deleted, cancels what waits and takes away the files that came in on it; whether there was one.
pub struct DeleteSession {
    pub scope: TenantScope,
    pub session: SessionId,
    pub at: WallTime,
}

#[async_trait]
impl Errand for DeleteSession {
    type Answer = bool;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<bool, StoreError>, Fault> {
        let mut needs = Needs::default();
        needs.session(self.session);
        let mut book = desk.open(needs).await?;
        if book.session(self.session).is_none_or(|row| row.tenant != self.scope.tenant()) {
            return Ok(Ok(false));
        }
        if let Some(row) = book.edit_session(self.session) {
            row.deleted_at = Some(self.at);
        }
        desk.close(book).await?;
        dialect::execute(desk.txn, FORGET_PROXY, [self.session.uuid().into()]).await?;
        cancel_waiting(desk, self.session, MessageReason::SessionGone, self.at).await?;
        take_away(desk, media::Column::SessionId.eq(self.session.uuid()), self.at).await?;
        Ok(Ok(true))
    }
}

/// Writes the sealed address of a session's proxy, or that it has none.
pub struct SetProxy {
    pub session: SessionId,
    pub sealed: Option<Vec<u8>>,
    pub by: Actor,
}

#[async_trait]
impl Errand for SetProxy {
    type Answer = Option<Session>;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Option<Session>, StoreError>, Fault> {
        let row = session::Entity::find_by_id(self.session.uuid())
            .filter(session::Column::DeletedAt.is_null())
            .one(desk.txn)
            .await?;
        let Some(row) = row else { return Ok(Ok(None)) };
        let (was, is) = (row.proxy.is_some(), self.sealed.is_some());
        let tenant = TenantId::from(row.tenant_id);
        if was || is {
            let mut row = row.into_active_model();
            row.proxy = Set(self.sealed.clone());
            row.update(desk.txn).await?;
            let act = Act::new(Action::SessionProxy, "session", self.session).of(tenant);
            let act = act.before(&json!({"proxy": was})).after(&json!({"proxy": is}));
            audit::record(desk, &self.by, act).await?;
        }
        Ok(Ok(read_one(desk.txn, self.session, None).await?))
    }
}

/// Writes whether a session holds credentials. Without them nothing that waits can ever leave.
pub struct SetPaired {
    pub lease: Lease,
    pub paired: bool,
    pub at: WallTime,
}

#[async_trait]
impl Errand for SetPaired {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        let mut needs = Needs::default();
        needs.session(self.lease.session);
        let mut book = desk.open(needs).await?;
        if let Err(fenced) = book.leased(self.lease) {
            return Ok(Err(fenced));
        }
        if let Some(row) = book.edit_session(self.lease.session) {
            row.paired = self.paired;
            row.paired_at = self.paired.then_some(self.at);
        }
        desk.close(book).await?;
        if !self.paired {
            cancel_waiting(desk, self.lease.session, MessageReason::SessionGone, self.at).await?;
        }
        Ok(Ok(()))
    }
}
