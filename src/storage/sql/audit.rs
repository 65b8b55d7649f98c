//! What operators did, in rows. An entry is written in the transaction of what it tells.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, TransactionTrait as _, Value};
use uuid::Uuid;

use super::Place;
use super::desk::Desk;
use super::dialect::{self, Fault, scoped};
use super::entities::count;
use super::writer::{Errand, WriterHandle};
use crate::domain::audit::{Act, Actor, ChainHash, Entry, Head, Misfit, Subject, Walk, Who};
use crate::domain::id::TenantId;
use crate::domain::page::{Order, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::WallTime;
use crate::ports::audit::{Audit, AuditFilter, AuditPage};
use crate::ports::store::StoreError;

/// Entries that are in memory at once while the chain is walked.
const BATCH: i64 = 1000;

const HEAD: &str = "SELECT value FROM store_meta WHERE name = 'audit_head'";

const PUT_HEAD: &str = "UPDATE store_meta SET value = $1 WHERE name = 'audit_head'";

const APPEND: &str = "
    INSERT INTO audit (seq, at, actor_id, actor_name, action, subject_kind, subject_id, before_json, after_json,
        address, request_id, hash, tenant_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

pub(super) const NEWEST: &str = "
    SELECT * FROM audit
    WHERE seq < $1 AND ($2 IS NULL OR actor_id = $2 OR actor_name = $2) AND ($3 IS NULL OR action = $3)
        AND ($4 IS NULL OR subject_id = $4) AND ($5 IS NULL OR at >= $5) AND ($6 IS NULL OR at < $6)
        AND ($7 IS NULL OR tenant_id = $7)
    ORDER BY seq DESC LIMIT $8";

pub(super) const OLDEST: &str = "
    SELECT * FROM audit
    WHERE seq > $1 AND ($2 IS NULL OR actor_id = $2 OR actor_name = $2) AND ($3 IS NULL OR action = $3)
        AND ($4 IS NULL OR subject_id = $4) AND ($5 IS NULL OR at >= $5) AND ($6 IS NULL OR at < $6)
        AND ($7 IS NULL OR tenant_id = $7)
    ORDER BY seq LIMIT $8";

pub(super) const OF_TENANT: &str = "
    SELECT * FROM audit WHERE tenant_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";

/// Adds an entry to the transaction under way.
pub(super) async fn record(desk: &Desk<'_>, by: &Actor, act: Act) -> Result<(), Fault> {
    let tenant = act.tenant.map(TenantId::uuid);
    let entry = Entry::following(head(desk.txn).await?, by, act, desk.at());
    let seq = i64::try_from(entry.seq).map_err(|_| Fault::unreadable("head of the audit log"))?;
    let head = entry.head().to_string();
    let Entry { at, actor, action, subject, before, after, address, request_id, hash, .. } = entry;
    let values = [
        seq.into(),
        at.0.into(),
        actor.id.into(),
        actor.name.into(),
        action.into(),
        subject.kind.into(),
        subject.id.into(),
        before.into(),
        after.into(),
        address.into(),
        request_id.into(),
        hash.0.to_vec().into(),
        tenant.into(),
    ];
    dialect::execute(desk.txn, APPEND, values).await?;
    dialect::execute(desk.txn, PUT_HEAD, [head.into()]).await.map(drop)
}

async fn head(db: &impl ConnectionTrait) -> Result<Head, Fault> {
    let unreadable = || Fault::unreadable("head of the audit log");
    let rows = dialect::query(db, HEAD, []).await?;
    let text: String = rows.first().ok_or_else(unreadable)?.try_get_by_index(0)?;
    text.parse().map_err(|_| unreadable())
}

/// Whatever stands in the row: what fits no entry fits no hash either.
fn entry(row: &QueryResult) -> Result<Entry, Fault> {
    let hash: Vec<u8> = row.try_get("", "hash")?;
    Ok(Entry {
        seq: count(row.try_get("", "seq")?),
        at: WallTime(row.try_get("", "at")?),
        actor: Who { id: row.try_get("", "actor_id")?, name: row.try_get("", "actor_name")? },
        action: row.try_get("", "action")?,
        subject: Subject { kind: row.try_get("", "subject_kind")?, id: row.try_get("", "subject_id")? },
        before: row.try_get("", "before_json")?,
        after: row.try_get("", "after_json")?,
        address: row.try_get("", "address")?,
        request_id: row.try_get("", "request_id")?,
        tenant: row.try_get::<Option<Uuid>>("", "tenant_id")?.map(|id| TenantId::from(id).to_string()),
        hash: ChainHash(hash.try_into().unwrap_or_default()),
    })
}

async fn read(
    db: &impl ConnectionTrait,
    filter: AuditFilter,
    order: Order,
    beyond: i64,
    limit: i64,
) -> Result<Vec<Entry>, Fault> {
    let millis = |at: Option<WallTime>| Value::from(at.map(|at| at.0));
    let values = [
        beyond.into(),
        filter.actor.into(),
        filter.action.into(),
        filter.subject.into(),
        millis(filter.from),
        millis(filter.to),
        filter.tenant.map(TenantId::uuid).into(),
        limit.into(),
    ];
    let text = match order {
        Order::Descending => NEWEST,
        Order::Ascending => OLDEST,
    };
    dialect::query(db, text, values).await?.iter().map(entry).collect()
}

/// [`Audit`] over SQL.
pub(super) struct SqlAudit {
    pub(super) writer: WriterHandle,
    pub(super) readers: DatabaseConnection,
}

#[async_trait]
impl Audit for SqlAudit {
    async fn entries(
        &self,
        _: SystemScope,
        filter: AuditFilter,
        page: AuditPage,
    ) -> Result<Slice<Entry>, StoreError> {
        let start = match page.order {
            Order::Descending => i64::MAX,
            Order::Ascending => i64::MIN,
        };
        let beyond = page.beyond.map_or(start, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let rows = read(&self.readers, filter, page.order, beyond, i64::from(page.limit) + 1).await?;
        Ok(Slice::within(rows, page.limit))
    }

    async fn of_tenant(
        &self,
        scope: TenantScope,
        limit: u32,
        beyond: Option<u64>,
    ) -> Result<Slice<Entry>, StoreError> {
        let db = &scoped(&self.readers, scope.tenant()).await?;
        let beyond = beyond.map_or(i64::MAX, |seq| i64::try_from(seq).unwrap_or(i64::MAX));
        let values = [scope.tenant().uuid().into(), beyond.into(), (i64::from(limit) + 1).into()];
        let rows = dialect::query(db, OF_TENANT, values).await?;
        let rows = rows.iter().map(entry).collect::<Result<_, _>>()?;
        Ok(Slice::within(rows, limit))
    }

    async fn head(&self, _: SystemScope) -> Result<Head, StoreError> {
        Ok(head(&self.readers).await?)
    }

    async fn record(&self, by: Actor, act: Act) -> Result<(), StoreError> {
        self.writer.errand(Record { by, act }).await
    }
}

/// Adds an entry that tells of no change.
struct Record {
    by: Actor,
    act: Act,
}

#[async_trait]
impl Errand for Record {
    type Answer = ();
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<(), StoreError>, Fault> {
        record(desk, &self.by, self.act.clone()).await.map(Ok)
    }
}

/// Walks the chain in the database at `place`, through `known` heads, in one state of the whole and through a connection
/// that cannot write. Works beside a server. The inner error is the first entry that does not fit.
pub async fn verify(place: &Place, known: Vec<Head>) -> Result<Result<Head, Misfit>, StoreError> {
    let db = dialect::open_witness(place).await?;
    let walked = walk(&db, known).await;
    db.close().await.map_err(Fault::from)?;
    Ok(walked?)
}

/// Walks the chain in one state of the whole.
pub(super) async fn walk(db: &DatabaseConnection, known: Vec<Head>) -> Result<Result<Head, Misfit>, Fault> {
    let state = db.begin().await?;
    let last = head(&state).await?;
    let mut walk = Walk::through(known);
    let mut beyond = i64::MIN;
    loop {
        let entries = read(&state, AuditFilter::default(), Order::Ascending, beyond, BATCH).await?;
        for entry in &entries {
            if let Err(misfit) = walk.step(entry) {
                return Ok(Err(misfit));
            }
        }
        if entries.is_empty() {
            break;
        }
        beyond = i64::try_from(walk.head().seq).unwrap_or(i64::MAX);
    }
    state.commit().await?;
    Ok(walk.end(last))
}
