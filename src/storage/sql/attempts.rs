//! The log of attempts, as the rate window reads it.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::dialect::{self, Fault};
use super::entities::count;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::time::{Moment, Reading};

/// How far back the window looks. One second more than the cap is given for, so that the receiver counts no more than
/// the cap either.
pub(super) const WINDOW: Duration = Duration::from_secs(61);

/// Rows of this boot go by its own clock, whatever the wall clock did since. Rows of another boot, or of another machine,
/// can only be dated by the wall; one that lies in the future is as good as recent. In the first minute of a boot the
/// wall is not believed either: it may have been set while the machine was down.
pub(super) const OF_SESSION: &str = "
    SELECT boot_id, moment FROM send_attempt
    WHERE session_id = $1 AND ((boot_id = $2 AND moment >= $3) OR (boot_id <> $2 AND wall >= $4))";

/// Moments of a session's attempts within the window; `None` when another boot made some of them.
pub(super) async fn of_session(
    db: &impl ConnectionTrait,
    session: SessionId,
    at: Reading,
) -> Result<Option<Vec<Moment>>, Fault> {
    recent(db, OF_SESSION, session.uuid(), at).await
}

/// The same, over all sessions a tenant has or had.
pub(super) async fn of_tenant(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    at: Reading,
) -> Result<Option<Vec<Moment>>, Fault> {
    recent(db, dialect::ATTEMPTS_OF_TENANT, tenant.uuid(), at).await
}

async fn recent(
    db: &impl ConnectionTrait,
    text: impl Into<dialect::Text>,
    whose: Uuid,
    at: Reading,
) -> Result<Option<Vec<Moment>>, Fault> {
    let boot = Uuid::from_u128(at.boot.0);
    let since = at.now.0.saturating_sub(WINDOW.as_millis() as u64);
    let just_booted = Duration::from_millis(at.now.0) < WINDOW;
    let foreign_since = if just_booted { i64::MIN } else { (at.wall - WINDOW).0 };
    let values = [whose.into(), boot.into(), (since as i64).into(), foreign_since.into()];
    let mut moments = vec![];
    for row in dialect::query(db, text, values).await? {
        if row.try_get_by_index::<Uuid>(0)? != boot {
            return Ok(None);
        }
        moments.push(Moment(count(row.try_get_by_index(1)?)));
    }
    Ok(Some(moments))
}
