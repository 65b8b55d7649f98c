//! What tenants know of numbers.

use async_trait::async_trait;
use sea_orm::{DatabaseConnection, QueryResult};
use uuid::Uuid;

use super::commands::{Allow, Consider, NoteAccount, NoteGroups, Suppress};
use super::dialect::{self, Fault};
use super::load::acquaintance::stop;
use super::writer::WriterHandle;
use crate::domain::chat::Chat;
use crate::domain::id::{SessionId, SuppressionId, TenantId};
use crate::domain::page::{Page, Slice};
use crate::domain::phone::Phone;
use crate::domain::restraint::Approach;
use crate::domain::scope::TenantScope;
use crate::domain::time::WallTime;
use crate::ports::contacts::{Considered, Contacts, Stop, Suppression};
use crate::ports::store::{StoreError, WriteError};

pub(super) const SUPPRESSIONS: &str = "
    SELECT phone, stop_id, stopped_at, stopped_by FROM contact
    WHERE tenant_id = $1 AND stop_id IS NOT NULL AND stop_id < $2
    ORDER BY stop_id DESC LIMIT $3";

/// [`Contacts`] over SQL.
pub(super) struct SqlContacts {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

impl SqlContacts {
    async fn read(&self, tenant: TenantId, page: Page) -> Result<Vec<Suppression>, Fault> {
        let db = &dialect::scoped(&self.readers, tenant).await?;
        let below = page.before.unwrap_or(Uuid::max());
        let values = [tenant.uuid().into(), below.into(), (i64::from(page.limit) + 1).into()];
        let rows = dialect::query(db, SUPPRESSIONS, values).await?;
        let read = |row: &QueryResult| {
            let Stop { id, at, by } = stop(row)?.ok_or_else(|| Fault::unreadable("wish"))?;
            Ok(Suppression { id, phone: Chat::stored(row.try_get("", "phone")?), since: at, by })
        };
        rows.iter().map(read).collect()
    }
}

#[async_trait]
impl Contacts for SqlContacts {
    async fn suppressions(&self, scope: TenantScope, page: Page) -> Result<Slice<Suppression>, StoreError> {
        Ok(Slice::of(self.read(scope.tenant(), page).await?, page))
    }

    async fn suppress(
        &self,
        scope: TenantScope,
        id: SuppressionId,
        phone: Phone,
        at: WallTime,
    ) -> Result<Suppression, WriteError> {
        self.writer.command(Suppress { tenant: scope.tenant(), id, phone, at }).await
    }

    async fn allow(&self, scope: TenantScope, id: SuppressionId) -> Result<(), WriteError> {
        self.writer.command(Allow { tenant: scope.tenant(), id }).await
    }

    async fn consider(
        &self,
        scope: TenantScope,
        session: SessionId,
        phones: Vec<Phone>,
        approach: Option<Approach>,
        at: WallTime,
    ) -> Result<Vec<Considered>, StoreError> {
        self.writer.command(Consider { tenant: scope.tenant(), session, phones, approach, at }).await
    }

    async fn note_groups(
        &self,
        scope: TenantScope,
        session: SessionId,
        groups: Vec<Chat>,
        at: WallTime,
    ) -> Result<(), StoreError> {
        self.writer.command(NoteGroups { tenant: scope.tenant(), session, groups, at }).await
    }

    async fn note_account(
        &self,
        tenant: TenantId,
        phone: Phone,
        has_account: bool,
        at: WallTime,
    ) -> Result<(), StoreError> {
        self.writer.command(NoteAccount { tenant, phone, has_account, at }).await
    }
}
