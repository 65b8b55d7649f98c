//! All tenants at one glance. The tables of sessions, tallies and endpoints are walked through; of messages only the few that
//! are held or under way, by their indexes.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{DatabaseConnection, QueryResult};
use uuid::Uuid;

use super::book::UsageRow;
use super::dialect::{self, Fault};
use super::entities::{count, maybe_time, maybe_word, word};
use super::load::read_months;
use super::sessions::census;
use crate::domain::id::TenantId;
use crate::domain::scope::SystemScope;
use crate::domain::session::{Engine, SessionStatus};
use crate::domain::time::WallTime;
use crate::ports::lookout::{
    Endpoints, Group, Lookout, MonthUsed, RECONNECTING, Restricted, Shift, Shifts, Sight,
};
use crate::ports::store::StoreError;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) const ENGINES: &str =
    "SELECT engine, count(*) FROM session WHERE deleted_at IS NULL GROUP BY engine";

/// Put together here: which of a group is the oldest is not to be asked of both dialects in one text.
pub(super) const UNWELL: &str = "
    SELECT tenant_id, status, reason, since, id FROM session
    WHERE deleted_at IS NULL AND status IN ('reconnecting', 'parked', 'logged_out', 'quarantined')
        AND (status <> 'reconnecting' OR since < $1)";

pub(super) const RESTRICTED: &str = "
    SELECT tenant_id, id, coalesce(banned_until, 0), coalesce(timelock_until, 0), coalesce(new_chats_until, 0)
    FROM session
    WHERE deleted_at IS NULL AND coalesce(banned_until, timelock_until, new_chats_until) IS NOT NULL
        AND (banned_until > $1 OR timelock_until > $1 OR new_chats_until > $1)";

pub(super) const HELD: &str = "SELECT reason, count(*) FROM message WHERE status = 'held' GROUP BY reason";

pub(super) const SENDING: &str = "SELECT count(*) FROM message WHERE status = 'sending'";

pub(super) const ENDPOINTS: &str = "
    SELECT tenant_id, status, count(*) AS endpoints, min(failing_since) AS failing_since, max(since) AS since
    FROM webhook
    WHERE deleted_at IS NULL AND (status = 'disabled' OR failing_since IS NOT NULL)
    GROUP BY tenant_id, status";

pub(super) const FAILED: &str = "
    SELECT tenant_id, CAST(sum(failed) AS BIGINT) FROM (
        SELECT tenant_id, day_failed AS failed FROM session_tally WHERE day > $1 AND day_failed > 0
        UNION ALL
        SELECT tenant_id, failed FROM usage_day WHERE day > $1 AND failed > 0) AS f
    GROUP BY tenant_id";

pub(super) const SHIFTS: &str = "
    SELECT at / $2 AS span, was, status, count(*) AS sessions FROM session_past
    WHERE at >= $1 AND (was IS NULL OR status IS NULL OR was <> status)
    GROUP BY at / $2, was, status";

pub(super) const KNOWN_SINCE: &str = "SELECT at FROM session_past ORDER BY at LIMIT 1";

/// [`Lookout`] over SQL.
pub(super) struct SqlLookout {
    pub(super) readers: DatabaseConnection,
}

impl SqlLookout {
    async fn groups(&self, at: WallTime) -> Result<Vec<Group>, Fault> {
        let before = (at - RECONNECTING).0;
        let mut found: BTreeMap<_, Group> = BTreeMap::new();
        for row in dialect::query(&self.readers, UNWELL, [before.into()]).await? {
            let reason: Option<String> = row.try_get("", "reason")?;
            let tenant: TenantId = row.try_get::<Uuid>("", "tenant_id")?.into();
            let status: SessionStatus = word(&row.try_get::<String>("", "status")?, "session status")?;
            let reason = maybe_word(reason.as_deref(), "session reason")?;
            let since = WallTime(row.try_get("", "since")?);
            let example = row.try_get::<Uuid>("", "id")?.into();
            let new = Group { tenant, status, reason, sessions: 0, since, latest: since, example };
            let group = found.entry((tenant, status, reason)).or_insert(new);
            group.sessions += 1;
            group.since = group.since.min(since);
            group.latest = group.latest.max(since);
            group.example = group.example.min(example);
        }
        Ok(found.into_values().collect())
    }

    async fn restricted(&self, at: WallTime) -> Result<Vec<Restricted>, Fault> {
        let mut found: BTreeMap<TenantId, Restricted> = BTreeMap::new();
        for row in dialect::query(&self.readers, RESTRICTED, [at.0.into()]).await? {
            let tenant = row.try_get_by_index::<Uuid>(0)?.into();
            let example = row.try_get_by_index::<Uuid>(1)?.into();
            let mut until = at;
            for column in 2..5 {
                until = until.max(WallTime(row.try_get_by_index(column)?));
            }
            let limited = found.entry(tenant).or_insert(Restricted { tenant, sessions: 0, until, example });
            limited.sessions += 1;
            limited.until = limited.until.max(until);
            limited.example = limited.example.min(example);
        }
        Ok(found.into_values().collect())
    }

    async fn endpoints(&self) -> Result<Vec<Endpoints>, Fault> {
        let mut found: BTreeMap<TenantId, Endpoints> = BTreeMap::new();
        for row in dialect::query(&self.readers, ENDPOINTS, []).await? {
            let tenant: TenantId = row.try_get::<Uuid>("", "tenant_id")?.into();
            let all = found.entry(tenant).or_insert(Endpoints::well(tenant));
            let endpoints = count(row.try_get("", "endpoints")?);
            if row.try_get::<String>("", "status")? == "disabled" {
                (all.disabled, all.disabled_since) = (endpoints, Some(WallTime(row.try_get("", "since")?)));
            } else {
                (all.failing, all.failing_since) = (endpoints, maybe_time(row.try_get("", "failing_since")?));
            }
        }
        Ok(found.into_values().collect())
    }

    async fn counted<K: Ord>(
        &self,
        text: &'static str,
        key: impl Fn(&QueryResult) -> Result<Option<K>, Fault>,
    ) -> Result<BTreeMap<K, u64>, Fault> {
        let mut found = BTreeMap::new();
        for row in dialect::query(&self.readers, text, []).await? {
            if let Some(key) = key(&row)? {
                found.insert(key, count(row.try_get_by_index(1)?));
            }
        }
        Ok(found)
    }

    async fn by_engine(&self) -> Result<BTreeMap<Engine, u64>, Fault> {
        self.counted(ENGINES, |row| word(&row.try_get_by_index::<String>(0)?, "engine").map(Some)).await
    }

    async fn sight(&self, at: WallTime) -> Result<Sight, Fault> {
        let text = |row: &QueryResult| Ok::<Option<String>, Fault>(row.try_get_by_index(0)?);
        let mut failed = BTreeMap::new();
        for row in dialect::query(&self.readers, FAILED, [(at - DAY).0.into()]).await? {
            failed.insert(row.try_get_by_index::<Uuid>(0)?.into(), count(row.try_get_by_index(1)?));
        }
        let sending = dialect::query(&self.readers, SENDING, []).await?.pop();
        Ok(Sight {
            census: census(&self.readers).await?,
            engines: self.by_engine().await?,
            groups: self.groups(at).await?,
            restricted: self.restricted(at).await?,
            held: self.counted(HELD, |row| maybe_word(text(row)?.as_deref(), "message reason")).await?,
            sending: sending.map(|row| row.try_get_by_index(0)).transpose()?.map_or(0, count),
            endpoints: self.endpoints().await?,
            failed,
        })
    }

    async fn read_shifts(&self, since: WallTime, width: Duration) -> Result<Shifts, Fault> {
        let values = [since.0.into(), (width.as_millis() as i64).into()];
        let read = |row: &QueryResult| {
            let status = |column: &str| {
                let text: Option<String> = row.try_get("", column)?;
                maybe_word(text.as_deref(), "session status")
            };
            Ok(Shift {
                span: row.try_get("", "span")?,
                was: status("was")?,
                became: status("status")?,
                sessions: count(row.try_get("", "sessions")?),
            })
        };
        let rows = dialect::query(&self.readers, SHIFTS, values).await?;
        let first = dialect::query(&self.readers, KNOWN_SINCE, []).await?.pop();
        Ok(Shifts {
            shifts: rows.iter().map(read).collect::<Result<_, Fault>>()?,
            known_since: first.map(|row| row.try_get_by_index(0)).transpose()?.map(WallTime),
        })
    }
}

#[async_trait]
impl Lookout for SqlLookout {
    async fn look(&self, _: SystemScope, at: WallTime) -> Result<Sight, StoreError> {
        Ok(self.sight(at).await?)
    }

    async fn usage(
        &self,
        _: SystemScope,
        period: WallTime,
        tenants: &[TenantId],
    ) -> Result<BTreeMap<TenantId, MonthUsed>, StoreError> {
        let months = tenants.iter().map(|&tenant| (tenant, period));
        let used = |(tenant, row): (TenantId, UsageRow)| {
            (tenant, MonthUsed { used: row.used + row.held, limit: row.allowance.limit })
        };
        Ok(read_months(&self.readers, months).await?.into_iter().map(used).collect())
    }

    async fn engines(&self, _: SystemScope) -> Result<BTreeMap<Engine, u64>, StoreError> {
        Ok(self.by_engine().await?)
    }

    async fn shifts(&self, _: SystemScope, since: WallTime, width: Duration) -> Result<Shifts, StoreError> {
        Ok(self.read_shifts(since, width).await?)
    }
}
