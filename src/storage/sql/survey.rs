//! How a PostgreSQL stands, for whoever looks into an installation.

use std::time::Duration;

use super::Place;
use super::dialect::{self, Fault};
use crate::domain::time::WallTime;
use crate::ports::clock::Clock;
use crate::ports::store::StoreError;

/// The oldest that is known to do, as `server_version_num` counts.
const OLDEST: i32 = 150_000;

/// Statements whose time is taken.
const TIMED: u32 = 20;

/// Columns in the order of [`Survey`]'s fields.
const HOW: &str = "
    SELECT current_setting('server_version_num')::int,
        concat_ws(', ',
            CASE WHEN current_setting('fsync') = 'off' THEN 'fsync' END,
            CASE WHEN current_setting('full_page_writes') = 'off' THEN 'full_page_writes' END),
        (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user),
        (SELECT string_agg(wanted, ', ') FROM unnest(ARRAY['columba_writer', 'columba_reader', 'columba_tenant']) AS wanted
            LEFT JOIN pg_roles AS r ON r.rolname = wanted
            WHERE r.oid IS NULL OR NOT pg_has_role(current_user, r.oid, 'MEMBER')),
        (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()),
        inet_server_addr() IS NULL OR inet_server_addr() << inet '127.0.0.0/8' OR inet_server_addr() = inet '::1',
        (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// How a server of PostgreSQL stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// As `server_version_num` counts: 150018 for 15.18.
    pub version: i32,
    /// Settings without which what is answered may not be on disk, by name; empty when all are on.
    pub unsafe_settings: String,
    /// Whether the user of the address is above every policy.
    pub is_above: bool,
    /// Roles that are not there, or not given to the user; empty when it has all.
    pub lacking_roles: String,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Whether the server is on this machine.
    pub is_local: bool,
    /// How far its clock is ahead of ours, in milliseconds; half the time of an answer is in it.
    pub ahead_ms: i64,
    /// How long a statement takes, one after the other.
    pub latency: Duration,
}

impl Survey {
    /// Whether it is newer than the oldest that does.
    pub fn is_new_enough(&self) -> bool {
        self.version >= OLDEST
    }
}

/// Looks at the server of `place` through a connection that cannot write; nothing for a file.
pub async fn look(place: &Place, clock: &dyn Clock) -> Result<Option<Survey>, StoreError> {
    if matches!(place, Place::File(_)) {
        return Ok(None);
    }
    let db = dialect::open_witness(place).await?;
    let rows = dialect::query(&db, HOW, []).await?;
    let WallTime(ours) = clock.wall();
    let row = rows.first().ok_or_else(|| Fault::unreadable("survey"))?;
    let read = || {
        Ok(Survey {
            version: row.try_get_by_index(0)?,
            unsafe_settings: row.try_get_by_index(1)?,
            is_above: row.try_get_by_index::<Option<bool>>(2)?.unwrap_or_default(),
            lacking_roles: row.try_get_by_index::<Option<String>>(3)?.unwrap_or_default(),
            is_encrypted: row.try_get_by_index::<Option<bool>>(4)?.unwrap_or_default(),
            is_local: row.try_get_by_index(5)?,
            ahead_ms: row.try_get_by_index::<i64>(6)? - ours,
            latency: Duration::ZERO,
        })
    };
    let survey = read().map_err(|error: sea_orm::DbErr| Fault::from(error))?;
    let begun = clock.now();
    for _ in 0..TIMED {
        dialect::query(&db, "SELECT 1", []).await?;
    }
    let latency = clock.now().since(begun) / TIMED;
    // Nothing was written; what the end says about it does not matter.
    db.close().await.unwrap_or(());
    Ok(Some(Survey { latency, ..survey }))
}
