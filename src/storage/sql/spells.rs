//! The past of sessions. Whoever changes a status need not think of it: a trigger writes it down.

use sea_orm::{ConnectionTrait, QueryResult};

use super::dialect::{self, Fault};
use super::entities::{count, maybe_word, word};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::session::Spell;
use crate::domain::time::WallTime;

/// The first status of a session that is made.
pub(super) const FIRST: &str =
    "INSERT INTO session_past (session_id, tenant_id, status, at) VALUES ($1, $2, $3, $4)";

pub(super) const OF_SESSION: &str = "
    SELECT ord, status, reason, reason_code, at FROM session_past
    WHERE session_id = $1 AND tenant_id = $2 AND ord <= $3 AND status IS NOT NULL
    ORDER BY ord DESC LIMIT $4";

/// Spells of a session, newest first, one more than `limit` if there are; those before the place `beyond`, if there is one.
pub(super) async fn of_session(
    db: &impl ConnectionTrait,
    tenant: TenantId,
    session: SessionId,
    beyond: Option<u64>,
    limit: u32,
) -> Result<Vec<Spell>, Fault> {
    let newest = beyond.and_then(|place| i64::try_from(place).ok()).unwrap_or(i64::MAX);
    // One more to know whether there is more, and the one that ended the first.
    let wanted = i64::from(limit) + 1 + i64::from(beyond.is_some());
    let values = [session.uuid().into(), tenant.uuid().into(), newest.into(), wanted.into()];
    let rows = dialect::query(db, OF_SESSION, values).await?;
    let mut spells = rows.iter().map(spell).collect::<Result<Vec<_>, Fault>>()?;
    for at in 1..spells.len() {
        spells[at].until = Some(spells[at - 1].since);
    }
    if beyond.is_some() && spells.first().is_some_and(|spell| Some(spell.place) == beyond) {
        spells.remove(0);
    }
    Ok(spells)
}

fn spell(row: &QueryResult) -> Result<Spell, Fault> {
    let code: Option<i64> = row.try_get("", "reason_code")?;
    let reason: Option<String> = row.try_get("", "reason")?;
    Ok(Spell {
        place: count(row.try_get("", "ord")?),
        status: word(&row.try_get::<String>("", "status")?, "session status")?,
        reason: maybe_word(reason.as_deref(), "session reason")?,
        code: code.and_then(|code| u16::try_from(code).ok()),
        since: WallTime(row.try_get("", "at")?),
        until: None,
    })
}
