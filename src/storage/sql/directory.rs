//! Tenants, plans, keys and operators, kept in memory as a whole.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, DatabaseConnection, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use tokio::sync::Mutex;

use super::dialect::Fault;
use super::entities::store_meta::DIRECTORY_VERSION;
use super::entities::{api_key, operator, plan, store_meta, tenant};
use super::errands::{
    CreateKey, CreateOperator, CreatePlan, CreateTenant, DeletePlan, DeleteTenant, Found, NoteUse,
    PatchOperator, PatchTenant, PutPlan, RevokeKey, RevokeOperator, RotateKey,
};
use super::writer::{Errand, WriterHandle};
use crate::domain::audit::Actor;
use crate::domain::id::{KeyId, OperatorId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::operator::OperatorAccount;
use crate::domain::person::Person;
use crate::domain::plan::Plan;
use crate::domain::scope::SystemScope;
use crate::domain::tenant::{ApiKey, Minted, Tenant};
use crate::domain::time::WallTime;
use crate::ports::directory::{Directory, OperatorPatch, Snapshot, TenantPatch};
use crate::ports::store::{Created, StoreError, WriteError};

/// [`Directory`] over SQL.
pub(super) struct SqlDirectory {
    shared: Arc<Shared>,
    /// Whoever writes.
    by: Actor,
}

/// What is the same whoever writes.
struct Shared {
    writer: WriterHandle,
    readers: DatabaseConnection,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Version of what was read last. Held while reading, so that an older read never replaces a newer one.
    version: Mutex<String>,
}

impl SqlDirectory {
    /// Reads everything.
    pub(super) async fn load(writer: WriterHandle, readers: DatabaseConnection) -> Result<Self, StoreError> {
        let shared = Shared { writer, readers, snapshot: RwLock::default(), version: Mutex::default() };
        let directory = Self { shared: Arc::new(shared), by: Actor::system() };
        directory.refresh().await?;
        Ok(directory)
    }

    /// Writes, then shows it.
    async fn write<E: Errand<Error = WriteError>>(&self, errand: E) -> Result<E::Answer, WriteError> {
        let answer = self.shared.writer.errand(errand).await?;
        self.refresh().await?;
        Ok(answer)
    }
}

impl Shared {
    async fn read_version(&self) -> Result<String, Fault> {
        let row = store_meta::Entity::find_by_id(DIRECTORY_VERSION).one(&self.readers).await?;
        row.map(|row| row.value).ok_or_else(|| Fault::unreadable("directory version"))
    }

    async fn read_snapshot(&self) -> Result<Snapshot, Fault> {
        let mut snapshot = Snapshot::default();
        let tenants = tenant::Entity::find().filter(tenant::Column::DeletedAt.is_null());
        for row in tenants.all(&self.readers).await? {
            snapshot.tenants.insert(row.id.into(), row.into_domain()?);
        }
        let mut newest = HashMap::new();
        for row in plan::Entity::find().order_by_asc(plan::Column::Version).all(&self.readers).await? {
            newest.insert(row.code.clone(), row);
        }
        for (code, row) in newest {
            snapshot.plans.insert(code, row.into_domain()?);
        }
        let keys = api_key::Entity::find().filter(api_key::Column::RevokedAt.is_null());
        for row in keys.all(&self.readers).await? {
            let key = row.into_domain()?;
            if snapshot.tenants.contains_key(&key.tenant) {
                snapshot.keys.insert(key.hash, key);
            }
        }
        for row in operator::Entity::find().all(&self.readers).await? {
            snapshot.admit(row.into_domain()?);
        }
        Ok(snapshot)
    }
}

#[async_trait]
impl Directory for SqlDirectory {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.shared.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn signed(self: Arc<Self>, actor: Actor) -> Arc<dyn Directory> {
        Arc::new(Self { shared: Arc::clone(&self.shared), by: actor })
    }

    async fn refresh(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let mut last = shared.version.lock().await;
        // The version first: what is written meanwhile is read again next time instead of being missed.
        let version = shared.read_version().await?;
        if *last != version {
            let snapshot = Arc::new(shared.read_snapshot().await?);
            *shared.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
            *last = version;
        }
        Ok(())
    }

    async fn create_tenant(
        &self,
        tenant: Tenant,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Tenant>, WriteError> {
        self.write(CreateTenant { tenant, idempotency, by: self.by.clone() }).await
    }

    async fn patch_tenant(
        &self,
        id: TenantId,
        patch: TenantPatch,
        at: WallTime,
    ) -> Result<Tenant, WriteError> {
        self.write(PatchTenant { id, patch, at, by: self.by.clone() }).await
    }

    async fn delete_tenant(&self, id: TenantId, at: WallTime) -> Result<(), WriteError> {
        self.write(DeleteTenant { id, at, by: self.by.clone() }).await
    }

    async fn create_plan(
        &self,
        plan: Plan,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Created<Plan>, WriteError> {
        self.write(CreatePlan { plan, idempotency, at, by: self.by.clone() }).await
    }

    async fn put_plan(&self, plan: Plan, at: WallTime) -> Result<Plan, WriteError> {
        self.write(PutPlan { plan, at, by: self.by.clone() }).await
    }

    async fn delete_plan(&self, code: &str) -> Result<(), WriteError> {
        self.write(DeletePlan { code: code.to_owned(), by: self.by.clone() }).await
    }

    async fn create_key(
        &self,
        key: ApiKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        self.write(CreateKey { key, idempotency, by: self.by.clone() }).await
    }

    async fn keys(&self, tenant: TenantId) -> Result<Vec<ApiKey>, StoreError> {
        let rows = api_key::Entity::find()
            .filter(api_key::Column::TenantId.eq(tenant.uuid()))
            .order_by_desc(api_key::Column::Id)
            .all(&self.shared.readers)
            .await
            .map_err(Fault::from)?;
        Ok(rows.into_iter().map(api_key::Model::into_domain).collect::<Result<_, _>>()?)
    }

    async fn revoke_key(&self, id: KeyId, at: WallTime) -> Result<(), WriteError> {
        self.write(RevokeKey { id, at, by: self.by.clone() }).await
    }

    async fn rotate_key(
        &self,
        id: KeyId,
        minted: Minted,
        overlap: Duration,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<ApiKey>, WriteError> {
        self.write(RotateKey { id, minted, overlap, idempotency, by: self.by.clone() }).await
    }

    async fn note_use(&self, _: SystemScope, marks: Vec<(KeyId, WallTime)>) -> Result<(), StoreError> {
        if marks.is_empty() {
            return Ok(());
        }
        self.shared.writer.errand(NoteUse { marks }).await
    }

    async fn create_operator(
        &self,
        operator: OperatorAccount,
        person: Option<Person>,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<OperatorAccount>, WriteError> {
        self.write(CreateOperator { operator, person, idempotency, by: self.by.clone() }).await
    }

    async fn found(&self, operator: OperatorAccount, person: Person) -> Result<(), WriteError> {
        self.write(Found { operator, person, by: self.by.clone() }).await
    }

    async fn patch_operator(
        &self,
        id: OperatorId,
        patch: OperatorPatch,
    ) -> Result<OperatorAccount, WriteError> {
        self.write(PatchOperator { id, patch, by: self.by.clone() }).await
    }

    async fn revoke_operator(&self, id: OperatorId, at: WallTime) -> Result<(), WriteError> {
        self.write(RevokeOperator { id, at, by: self.by.clone() }).await
    }
}
