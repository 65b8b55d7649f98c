//! Sessions of all tenants, narrowed and sorted as an operator wants them.
//!
//! Each sort has its index, which ends in the id, but for what waits: those counts change with every message, and an index of
//! them would cost each message a page; they are walked through, ten thousand in a few milliseconds.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, LikeExpr, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DbBackend, EntityTrait as _, Order as Way,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Select,
};
use uuid::Uuid;

use super::dialect::{self, Fault};
use super::entities::{session, session_tally};
use super::load::ids;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::page::Order;
use crate::domain::time::WallTime;
use crate::ports::sessions::{FleetFilter, FleetKey, FleetPage, FleetSort, Sought};

/// The rows of a page, one more than it holds if there are; to be read with their tallies.
pub(super) fn wanted(backend: DbBackend, filter: FleetFilter, page: &FleetPage) -> Select<session::Entity> {
    let mut all = Condition::all().add(session::Column::DeletedAt.is_null());
    if let Some(tenant) = filter.tenant {
        all = all.add(session::Column::TenantId.eq(tenant.uuid()));
    }
    if let Some(status) = filter.status {
        all = all.add(session::Column::Status.eq(status.to_string()));
    }
    if let Some(reason) = filter.reason {
        all = all.add(session::Column::Reason.eq(reason.to_string()));
    }
    if let Some(engine) = filter.engine {
        all = all.add(session::Column::Engine.eq(engine.to_string()));
    }
    if let Some(sought) = filter.sought {
        all = all.add(like(backend, sought));
    }
    if let Some((is_wanted, at)) = filter.restricted {
        let limited = restricted(at);
        all = all.add(if is_wanted {
            session::Column::Id.in_subquery(limited)
        } else {
            session::Column::Id.not_in_subquery(limited)
        });
    }
    let key = key(backend, page.sort);
    if let Some((last, id)) = &page.beyond {
        let place = Expr::tuple([key.clone(), Expr::col((session::Entity, session::Column::Id))]);
        let last = Expr::tuple([value(last), Expr::val(id.uuid())]);
        all = all.add(match page.order {
            Order::Ascending => place.gt(last),
            Order::Descending => place.lt(last),
        });
    }
    let way = match page.order {
        Order::Ascending => Way::Asc,
        Order::Descending => Way::Desc,
    };
    let rows = session::Entity::find().filter(all);
    // The id alone is a sort of its own.
    let rows = if page.sort == FleetSort::Created { rows } else { rows.order_by(key, way.clone()) };
    rows.order_by(session::Column::Id, way).limit(u64::from(page.limit) + 1)
}

/// Spelt as in the index.
fn key(backend: DbBackend, sort: FleetSort) -> SimpleExpr {
    let of_session = |column| Expr::col((session::Entity, column));
    match sort {
        FleetSort::Created => of_session(session::Column::Id),
        FleetSort::Since => of_session(session::Column::Since),
        FleetSort::Label => label(backend),
        FleetSort::Tenant => of_session(session::Column::TenantId),
        FleetSort::Queued => Expr::col((session_tally::Entity, session_tally::Column::Live)),
        FleetSort::Status => of_session(session::Column::Status),
    }
}

/// In both, letters beyond A to Z stay as they are.
fn label(backend: DbBackend) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust(r#"lower("session"."label" COLLATE "C")"#),
        _ => Expr::cust(r#"lower("session"."label")"#),
    }
}

fn value(key: &FleetKey) -> SimpleExpr {
    match key {
        FleetKey::Number(number) => Expr::val(*number),
        FleetKey::Text(text) => Expr::val(text.as_str()),
        FleetKey::Id(id) => Expr::val(*id),
    }
}

fn like(backend: DbBackend, sought: Sought) -> Condition {
    let part = sought.label.to_ascii_lowercase();
    let part = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let mut any = Condition::any().add(label(backend).like(LikeExpr::new(format!("%{part}%")).escape('\\')));
    if let Some(id) = sought.id {
        any = any.add(session::Column::Id.eq(id.uuid()));
    }
    if !sought.tenants.is_empty() {
        any = any.add(session::Column::TenantId.is_in(sought.tenants.iter().map(|tenant| tenant.uuid())));
    }
    any
}

/// Found by the index of those that ever were limited, whatever the list is sorted by: they are few.
fn restricted(at: WallTime) -> SelectStatement {
    let ever = Expr::cust(
        r#"coalesce("session"."banned_until", "session"."timelock_until", "session"."new_chats_until") IS NOT NULL"#,
    );
    let columns =
        [session::Column::BannedUntil, session::Column::TimelockUntil, session::Column::NewChatsUntil];
    let still = columns.into_iter().fold(Condition::any(), |any, column| any.add(column.gt(at.0)));
    let few = session::Entity::find().select_only().column(session::Column::Id);
    few.filter(Condition::all().add(session::Column::DeletedAt.is_null()).add(ever).add(still)).into_query()
}

pub(super) async fn activity(
    db: &impl ConnectionTrait,
    sessions: &[SessionId],
) -> Result<BTreeMap<SessionId, WallTime>, Fault> {
    let list = ids(sessions.iter().map(|session| session.uuid()))?;
    let mut found = BTreeMap::new();
    for row in dialect::query(db, dialect::ACTIVITY, [list.into()]).await? {
        let (session, newest) = (row.try_get_by_index::<Uuid>(0)?, row.try_get_by_index::<Option<Uuid>>(1)?);
        if let Some(newest) = newest {
            found.insert(session.into(), MessageId::from(newest).minted_at());
        }
    }
    Ok(found)
}
