//! What a boot has to do.

use std::collections::HashSet;

use async_trait::async_trait;
use sea_orm::{ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _};

use super::plans::newest;
use crate::domain::id::{SessionId, TenantId};
use crate::domain::plan::SuspendedInbound;
use crate::domain::session::{Desired, Reason, Session, SessionStatus};
use crate::domain::tenant::{TenantStanding, TenantStatus};
use crate::domain::time::WallTime;
use crate::ports::sessions::StatusChange;
use crate::ports::store::StoreError;
use crate::storage::sql::commands::change_status;
use crate::storage::sql::desk::Desk;
use crate::storage::sql::dialect::Fault;
use crate::storage::sql::entities::{session, session_tally, tenant};
use crate::storage::sql::load::Needs;
use crate::storage::sql::writer::Errand;

/// Finds the sessions that are to run or to log out, and puts the others to rest.
pub struct Restore {
    pub at: WallTime,
}

#[async_trait]
impl Errand for Restore {
    type Answer = Vec<Session>;
    type Error = StoreError;

    async fn run(&self, desk: &mut Desk<'_>) -> Result<Result<Vec<Session>, StoreError>, Fault> {
        let suspended = at_rest(desk).await?;
        let rows = session::Entity::find()
            .find_also_related(session_tally::Entity)
            .filter(session::Column::DeletedAt.is_null())
            .order_by_asc(session::Column::Id)
            .all(desk.txn)
            .await?;
        let (mut restored, mut resting) = (vec![], vec![]);
        for (row, tally) in rows {
            let session =
                row.into_domain(tally.map(session_tally::Model::into_domain).unwrap_or_default())?;
            let is_suspended = suspended.contains(&session.tenant);
            if !is_suspended && is_wanted(&session) {
                restored.push(session);
            } else if !session.status.outlives_a_boot() {
                resting.push((session.id, is_suspended.then_some(Reason::TenantSuspended)));
            }
        }
        self.put_to_rest(desk, &resting).await?;
        self.count_death(desk, &mut restored).await?;
        Ok(Ok(restored))
    }
}

impl Restore {
    /// Notes against whom the death of the process counts, and that nothing is open any more.
    async fn count_death(&self, desk: &mut Desk<'_>, restored: &mut [Session]) -> Result<(), Fault> {
        let is_open = |session: &Session| session.at_boot().is_some();
        let mut found: Vec<_> = restored
            .iter_mut()
            .filter(|session| session.supervision.starting_at.is_some() || is_open(session))
            .collect();
        let mut needs = Needs::default();
        found.iter().for_each(|session| needs.session(session.id));
        let mut book = desk.open(needs).await?;
        for session in &mut found {
            session.supervision = session.supervision.after_death();
            if let Some(row) = book.edit_session(session.id) {
                row.supervision = session.supervision;
            }
            if let Some((status, reason)) = session.at_boot() {
                change_status(
                    &mut book,
                    session.id,
                    StatusChange { status, reason, code: None, since: self.at },
                );
                (session.status, session.reason, session.reason_code, session.since) =
                    (status, reason, None, self.at);
                session.supervision = session.supervision.after(status);
            }
        }
        desk.close(book).await
    }

    async fn put_to_rest(
        &self,
        desk: &mut Desk<'_>,
        resting: &[(SessionId, Option<Reason>)],
    ) -> Result<(), Fault> {
        let mut needs = Needs::default();
        for &(id, _) in resting {
            needs.session(id);
        }
        let mut book = desk.open(needs).await?;
        for &(id, reason) in resting {
            let change = StatusChange { status: SessionStatus::Stopped, reason, code: None, since: self.at };
            change_status(&mut book, id, change);
        }
        desk.close(book).await
    }
}

/// Tenants whose sessions are stopped, whatever is wanted of them: as `Snapshot::is_at_rest` has it.
async fn at_rest(desk: &Desk<'_>) -> Result<HashSet<TenantId>, Fault> {
    let stopped = tenant::Column::Standing.eq(TenantStanding::Stopped.to_string());
    let rows = tenant::Entity::find()
        .filter(
            Condition::any().add(tenant::Column::Status.eq(TenantStatus::Suspended.to_string())).add(stopped),
        )
        .all(desk.txn)
        .await?;
    let mut found = HashSet::new();
    for row in rows {
        let keeps = match newest(desk.txn, &row.plan).await? {
            Some(plan) => plan.into_domain()?.suspended_inbound == SuspendedInbound::Keep,
            None => false,
        };
        if row.status == TenantStatus::Suspended.to_string() || !keeps {
            found.insert(row.id.into());
        }
    }
    Ok(found)
}

fn is_wanted(session: &Session) -> bool {
    match session.desired {
        Desired::Running => true,
        Desired::LoggedOut => session.paired,
        Desired::Stopped => false,
    }
}
