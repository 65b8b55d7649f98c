//! Messages of all tenants, as an operator looks for them.
//!
//! No filter has an index of its own that every message would have to be entered in. What is rare has one (what failed, what is
//! held, what waits); everything else is found by walking back from the newest, through all messages or through those of a
//! few sessions, and no further than [`WALKED`] of them a page. So the page after a walk that found little may be short or
//! empty and says where to go on.

use sea_orm::{DatabaseConnection, EntityTrait as _, Value};
use uuid::Uuid;

use super::dialect::{self, Fault, Text};
use super::entities::{count, message};
use super::load::ids;
use crate::domain::id::{MessageId, TenantId};
use crate::domain::message::{Message, MessageStatus};
use crate::domain::page::Page;
use crate::ports::messages::{LogFilter, LogPage};

/// Messages looked at for one page.
const WALKED: i64 = 10_000;
/// Sessions whose messages are put together; of more, all messages are walked through.
const SESSIONS: usize = 200;

/// `$1` and `$2` bound the ids, `$3` is the tenant; then the filters (null: not narrowed), the rows wanted, the rows looked at.
macro_rules! walk {
    ($source:literal) => {
        concat!(
            "SELECT e.* FROM (",
            $source,
            " ORDER BY id DESC LIMIT $9) AS e
            WHERE ($3 IS NULL OR e.tenant_id = $3) AND ($4 IS NULL OR e.chat = $4) AND ($5 IS NULL OR e.status = $5)
                AND ($6 IS NULL OR e.direction = $6) AND ($7 IS NULL OR e.client_ref = $7)
            ORDER BY e.id DESC LIMIT $8"
        )
    };
}

pub(super) const NEWEST: &str = walk!("SELECT * FROM message WHERE id < $1 AND id >= $2");

pub(super) const HELD: &str = walk!("SELECT * FROM message WHERE status = 'held' AND id < $1 AND id >= $2");

/// The status is named once more, so that it is known to be one of the index.
pub(super) const TROUBLE: &str = walk!(
    "SELECT * FROM message
    WHERE status IN ('failed', 'unknown', 'expired', 'canceled', 'dead') AND status = $5 AND id < $1 AND id >= $2"
);

/// The last that the same walk looks at, if it does not come to its end before.
pub(super) const NEWEST_END: &str =
    "SELECT id FROM message WHERE id < $1 AND id >= $2 ORDER BY id DESC LIMIT 1 OFFSET $3";

pub(super) const HELD_END: &str = "
    SELECT id FROM message WHERE status = 'held' AND id < $1 AND id >= $2 ORDER BY id DESC LIMIT 1 OFFSET $3";

pub(super) const TROUBLE_END: &str = "
    SELECT id FROM message
    WHERE status IN ('failed', 'unknown', 'expired', 'canceled', 'dead') AND status = $4 AND id < $1 AND id >= $2
    ORDER BY id DESC LIMIT 1 OFFSET $3";

pub(super) const BY_WA: &str = "
    SELECT * FROM message WHERE wa_id = $1 AND direction = 'out' ORDER BY id DESC LIMIT 200";

pub(super) const BY_WA_IN_SESSION: &str = "
    SELECT * FROM message WHERE session_id = $2 AND wa_id = $1 ORDER BY id DESC LIMIT 200";

pub(super) const BY_ID: &str = "SELECT * FROM message WHERE id = $1";

pub(super) const SESSIONS_OF: &str = "SELECT id FROM session WHERE tenant_id = $1 LIMIT $2";

/// Where the messages come from that are walked through.
enum Road {
    /// All there are.
    Newest,
    /// What a rule holds back.
    Held,
    /// What did not arrive, with the status that is wanted.
    Trouble(MessageStatus),
    /// Those of these sessions.
    Of(Vec<Uuid>),
    /// What waits on these sessions.
    LiveOn(Vec<Uuid>),
}

/// One page of the log.
pub(super) async fn read(db: &DatabaseConnection, filter: LogFilter, page: Page) -> Result<LogPage, Fault> {
    if let Some(found) = named(db, &filter).await? {
        return Ok(whole(found, &filter, page));
    }
    let road = road(db, &filter).await?;
    let newest = page.before.unwrap_or(Uuid::max());
    let newest = filter.until.map_or(newest, |until| newest.min(MessageId::below(until).uuid()));
    let oldest = filter.from.map_or(Uuid::nil(), |from| MessageId::below(from).uuid());
    let end = road.end(db, newest, oldest).await?;
    let rows = road.walk(db, filter, [newest, oldest], page.limit).await?;
    Ok(cut(rows, end, page.limit))
}

/// Of several sessions each is walked through as far as its share goes, so what lies beyond the nearest end is not whole.
fn cut(mut rows: Vec<Message>, end: Option<Uuid>, limit: u32) -> LogPage {
    rows.retain(|message| end.is_none_or(|end| message.id.uuid() >= end));
    let is_full = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().filter(|_| is_full).map(|message| message.id);
    LogPage { beyond: last.or(end.map(Into::into)), rows }
}

/// What is named by an id is looked up and not walked to.
async fn named(db: &DatabaseConnection, filter: &LogFilter) -> Result<Option<Vec<Message>>, Fault> {
    let statement = match (filter.id, &filter.wa_id, filter.narrowed.session) {
        (Some(id), ..) => dialect::statement(db, BY_ID, [id.uuid().into()]),
        (None, Some(wa_id), None) => dialect::statement(db, BY_WA, [wa_id.0.clone().into()]),
        (None, Some(wa_id), Some(session)) => {
            dialect::statement(db, BY_WA_IN_SESSION, [wa_id.0.clone().into(), session.uuid().into()])
        }
        (None, None, _) => return Ok(None),
    };
    rows(db, statement).await.map(Some)
}

async fn rows(db: &DatabaseConnection, statement: sea_orm::Statement) -> Result<Vec<Message>, Fault> {
    let rows = message::Entity::find().from_raw_sql(statement).all(db).await?;
    rows.into_iter().map(message::Model::into_domain).collect()
}

/// Few rows, narrowed here.
fn whole(found: Vec<Message>, filter: &LogFilter, page: Page) -> LogPage {
    let LogFilter { tenant, id, wa_id, narrowed, from, until } = filter;
    let wanted = |message: &Message| {
        let at = message.id.minted_at();
        tenant.is_none_or(|tenant| message.tenant == tenant)
            && id.is_none_or(|id| message.id == id)
            && wa_id.as_ref().is_none_or(|wa_id| message.wa_id == *wa_id)
            && from.is_none_or(|from| at >= from)
            && until.is_none_or(|until| at < until)
            && page.before.is_none_or(|before| message.id.uuid() < before)
            && narrowed.fits(message)
    };
    cut(found.into_iter().filter(wanted).collect(), None, page.limit)
}

async fn road(db: &DatabaseConnection, filter: &LogFilter) -> Result<Road, Fault> {
    use MessageStatus as S;
    if let Some(session) = filter.narrowed.session {
        return Ok(Road::Of(vec![session.uuid()]));
    }
    match filter.narrowed.status {
        Some(S::Held) => return Ok(Road::Held),
        Some(status @ (S::Failed | S::Unknown | S::Expired | S::Canceled | S::Dead)) => {
            return Ok(Road::Trouble(status));
        }
        Some(S::Queued | S::Sending) => {
            if let Some(sessions) = live(db, filter.tenant).await? {
                return Ok(Road::LiveOn(sessions));
            }
        }
        _ => {}
    }
    let Some(tenant) = filter.tenant else { return Ok(Road::Newest) };
    let values = [tenant.uuid().into(), (SESSIONS as i64 + 1).into()];
    let rows = dialect::query(db, SESSIONS_OF, values).await?;
    let sessions: Vec<Uuid> = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    // So many have a good part of all messages.
    Ok(if sessions.len() <= SESSIONS { Road::Of(sessions) } else { Road::Newest })
}

/// The sessions on which something waits, unless so much does that the newest messages are full of it.
async fn live(db: &DatabaseConnection, tenant: Option<TenantId>) -> Result<Option<Vec<Uuid>>, Fault> {
    let values = [tenant.map(|tenant| tenant.uuid()).into(), (SESSIONS as i64 + 1).into()];
    let rows = dialect::query(db, dialect::LIVE_SESSIONS, values).await?;
    let (mut sessions, mut waiting) = (vec![], 0);
    for row in &rows {
        sessions.push(row.try_get_by_index(0)?);
        waiting += count(row.try_get_by_index(1)?);
    }
    Ok((sessions.len() <= SESSIONS && waiting <= WALKED as u64).then_some(sessions))
}

impl Road {
    /// Rows that are looked at of each session.
    fn share(&self) -> i64 {
        match self {
            Self::Of(sessions) => WALKED / (sessions.len().max(1) as i64),
            _ => WALKED,
        }
    }

    async fn end(&self, db: &DatabaseConnection, newest: Uuid, oldest: Uuid) -> Result<Option<Uuid>, Fault> {
        let offset = self.share() - 1;
        let bounds = || [newest.into(), oldest.into(), offset.into()];
        let rows = match self {
            Self::Newest => dialect::query(db, NEWEST_END, bounds()).await?,
            Self::Held => dialect::query(db, HELD_END, bounds()).await?,
            Self::Trouble(status) => {
                let [newest, oldest, offset] = bounds();
                dialect::query(db, TROUBLE_END, [newest, oldest, offset, status.to_string().into()]).await?
            }
            Self::Of(sessions) => {
                let [newest, oldest, offset] = bounds();
                let sessions = ids(sessions.iter().copied())?;
                dialect::query(db, dialect::LOG_OF_SESSIONS_END, [newest, oldest, offset, sessions.into()])
                    .await?
            }
            // All of it is looked at.
            Self::LiveOn(_) => vec![],
        };
        let ends = rows.iter().map(|row| row.try_get_by_index::<Option<Uuid>>(0));
        Ok(ends.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().max())
    }

    async fn walk(
        self,
        db: &DatabaseConnection,
        filter: LogFilter,
        [newest, oldest]: [Uuid; 2],
        limit: u32,
    ) -> Result<Vec<Message>, Fault> {
        let narrowed = filter.narrowed;
        let share = self.share();
        let values: [Value; 9] = [
            newest.into(),
            oldest.into(),
            filter.tenant.map(|tenant| tenant.uuid()).into(),
            narrowed.chat.map(|chat| chat.as_str().to_owned()).into(),
            narrowed.status.map(|status| status.to_string()).into(),
            narrowed.direction.map(|direction| direction.to_string()).into(),
            narrowed.client_ref.into(),
            (i64::from(limit) + 1).into(),
            share.into(),
        ];
        let (text, sessions): (Text, _) = match self {
            Self::Newest => (NEWEST.into(), None),
            Self::Held => (HELD.into(), None),
            Self::Trouble(_) => (TROUBLE.into(), None),
            Self::Of(sessions) => (dialect::LOG_OF_SESSIONS, Some(sessions)),
            Self::LiveOn(sessions) => (dialect::LOG_OF_LIVE, Some(sessions)),
        };
        let statement = match sessions {
            None => dialect::statement(db, text, values),
            Some(sessions) => {
                let [a, b, c, d, e, f, g, h, i] = values;
                let sessions: Value = ids(sessions.into_iter())?.into();
                dialect::statement(db, text, [a, b, c, d, e, f, g, h, i, sessions])
            }
        };
        rows(db, statement).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::WallTime;

    #[test]
    fn a_walk_that_stopped_says_where_and_one_that_is_full_goes_on_behind_its_last() {
        let id = |n: i64| MessageId::below(WallTime(n)).uuid();
        let page = |ends: Option<i64>| cut(vec![], ends.map(id), 10);
        assert_eq!(page(None).beyond, None);
        assert_eq!(page(Some(5)).beyond, Some(id(5).into()));
    }
}
