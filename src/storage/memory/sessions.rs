//! The rows of sessions.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::MemoryStore;
use super::state::{Made, Owner, SessionRow, State};
use crate::domain::audit::{Act, Action, Actor};
use crate::domain::event::Change;
use crate::domain::id::SessionId;
use crate::domain::idempotency::Idempotency;
use crate::domain::message::MessageReason;
use crate::domain::page::{Order, Page, Slice};
use crate::domain::plan::Caps;
use crate::domain::plan::SuspendedInbound;
use crate::domain::refusal::Refusal;
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::session::{Desired, Epoch, Lease, Session, SessionStatus, Spell, Standing};
use crate::domain::tenant::{TenantStanding, TenantStatus};
use crate::domain::time::WallTime;
use crate::ports::sessions::{Census, FleetFilter, FleetPage, Sessions, Sought, StatusChange};
use crate::ports::store::{Created, StoreError, WriteError};

/// Writes a status and its event.
fn announce(state: &mut State, id: SessionId, change: StatusChange) {
    let Some(row) = state.sessions.get_mut(&id).filter(|row| !row.deleted) else { return };
    let session = &mut row.session;
    session.status = change.status;
    session.reason = change.reason;
    session.reason_code = change.code;
    session.since = change.since;
    session.supervision = session.supervision.after(change.status);
    let tenant = session.tenant;
    row.remember();
    state.tell(tenant, Some(id), Change::Session(change.status));
}

fn fits(filter: &FleetFilter, session: &Session) -> bool {
    let is_sought = |sought: &Sought| {
        session.label.to_ascii_lowercase().contains(&sought.label.to_ascii_lowercase())
            || sought.id == Some(session.id)
            || sought.tenants.contains(&session.tenant)
    };
    filter.tenant.is_none_or(|tenant| session.tenant == tenant)
        && filter.status.is_none_or(|status| session.status == status)
        && filter.reason.is_none_or(|reason| session.reason == Some(reason))
        && filter.engine.is_none_or(|engine| session.engine == engine)
        && filter.sought.as_ref().is_none_or(is_sought)
        && filter.restricted.is_none_or(|(wanted, at)| session.standing.restriction(at).is_some() == wanted)
}

/// Whether a boot starts it.
fn has_work(state: &State, session: &Session) -> bool {
    let active = state.tenant(session.tenant).is_some_and(|tenant| {
        let keeps =
            state.plan(&tenant.plan).is_some_and(|plan| plan.suspended_inbound == SuspendedInbound::Keep);
        tenant.status == TenantStatus::Active && (tenant.standing != TenantStanding::Stopped || keeps)
    });
    active
        && match session.desired {
            Desired::Running => true,
            Desired::LoggedOut => session.paired,
            Desired::Stopped => false,
        }
}

/// Counts the death of the process against a session that it found starting; what was open no longer is.
fn count_death(state: &mut State, session: Session, at: WallTime) -> Session {
    let Some(row) = state.sessions.get_mut(&session.id) else { return session };
    row.session.supervision = row.session.supervision.after_death();
    if let Some((status, reason)) = row.session.at_boot() {
        announce(state, session.id, StatusChange { status, reason, code: None, since: at });
    }
    state.session(session.id).map_or(session, |row| row.session.clone())
}

fn page_of<'a>(rows: impl DoubleEndedIterator<Item = &'a SessionRow>, page: Page) -> Slice<Session> {
    let older = |row: &&SessionRow| page.before.is_none_or(|before| row.session.id.uuid() < before);
    let rows = rows.rev().filter(older).take(page.limit as usize + 1);
    Slice::of(rows.map(|row| row.session.clone()).collect(), page)
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn create(
        &self,
        scope: TenantScope,
        session: Session,
        caps: Caps,
        idempotency: Option<Idempotency>,
    ) -> Result<Created<Session>, WriteError> {
        self.write(|state| {
            let (owner, at) = (Owner::Tenant(scope.tenant()), session.created_at);
            match state.replay(owner, idempotency.as_ref(), at)? {
                Some(Made::Session(first)) => {
                    let first = state.session(*first).ok_or_else(Refusal::not_found)?;
                    return Ok(Created::Replayed(first.session.clone()));
                }
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            state.tenant(scope.tenant()).ok_or_else(Refusal::not_found)?;
            let has =
                state.sessions.values().filter(|row| row.session.tenant == scope.tenant() && !row.deleted);
            if has.count() >= caps.sessions_max as usize {
                let detail = format!("the plan allows {} sessions; delete one first", caps.sessions_max);
                return Err(Refusal::conflict(detail).into());
            }
            state.remember(owner, idempotency, Made::Session(session.id), at);
            let mut row = SessionRow {
                session: session.clone(),
                epoch: Epoch::default(),
                deleted: false,
                met: Default::default(),
                approached: Default::default(),
                paired_at: None,
                proxy: None,
                past: vec![],
                deleted_at: None,
            };
            row.remember();
            state.sessions.insert(session.id, row);
            Ok(Created::New(session))
        })
    }

    async fn get(&self, scope: TenantScope, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.read().session_of(scope.tenant(), id).map(|row| row.session.clone()))
    }

    async fn list(&self, scope: TenantScope, page: Page) -> Result<Slice<Session>, StoreError> {
        let state = self.read();
        let own = |row: &&SessionRow| !row.deleted && row.session.tenant == scope.tenant();
        Ok(page_of(state.sessions.values().filter(own), page))
    }

    async fn spells(
        &self,
        scope: TenantScope,
        id: SessionId,
        beyond: Option<u64>,
        limit: u32,
    ) -> Result<Option<Slice<Spell>>, StoreError> {
        let state = self.read();
        let Some(row) = state.session_of(scope.tenant(), id) else { return Ok(None) };
        if row.past.is_empty() {
            return Ok(Some(Slice::within(vec![row.session.present()], limit)));
        }
        let before = row.past.iter().rev().filter(|spell| beyond.is_none_or(|place| spell.place < place));
        Ok(Some(Slice::within(before.take(limit as usize + 1).copied().collect(), limit)))
    }

    async fn fleet(
        &self,
        _: SystemScope,
        filter: FleetFilter,
        page: FleetPage,
    ) -> Result<Slice<Session>, StoreError> {
        let state = self.read();
        let place = |session: &Session| (page.sort.key(session), session.id);
        let is_beyond = |session: &&Session| {
            page.beyond.as_ref().is_none_or(|beyond| match page.order {
                Order::Ascending => place(session) > *beyond,
                Order::Descending => place(session) < *beyond,
            })
        };
        let there = state.sessions.values().filter(|row| !row.deleted).map(|row| &row.session);
        let mut found: Vec<&Session> =
            there.filter(|session| fits(&filter, session)).filter(is_beyond).collect();
        found.sort_by_key(|session| place(session));
        if page.order == Order::Descending {
            found.reverse();
        }
        let rows = found.into_iter().take(page.limit as usize + 1).cloned().collect();
        Ok(Slice::within(rows, page.limit))
    }

    async fn activity(
        &self,
        _: SystemScope,
        sessions: &[SessionId],
    ) -> Result<BTreeMap<SessionId, WallTime>, StoreError> {
        let state = self.read();
        let newest = |&session: &SessionId| {
            let row = state.messages.values().rev().find(|row| row.message.session == session)?;
            Some((session, row.message.id.minted_at()))
        };
        Ok(sessions.iter().filter_map(newest).collect())
    }

    async fn census(&self, _: SystemScope) -> Result<Census, StoreError> {
        let state = self.read();
        let mut census = Census::default();
        for row in state.sessions.values().filter(|row| !row.deleted) {
            *census.sessions.entry(row.session.status).or_default() += 1;
            census.waiting += row.session.counters.queued;
        }
        Ok(census)
    }

    async fn count(&self, scope: TenantScope) -> Result<u64, StoreError> {
        let state = self.read();
        let own = state.sessions.values().filter(|row| !row.deleted && row.session.tenant == scope.tenant());
        Ok(own.count() as u64)
    }

    async fn set_desired(
        &self,
        scope: TenantScope,
        id: SessionId,
        desired: Desired,
    ) -> Result<Option<Session>, StoreError> {
        Ok(self.write(|state| {
            state.session_of(scope.tenant(), id)?;
            let row = state.sessions.get_mut(&id)?;
            row.session.desired = desired;
            Some(row.session.clone())
        }))
    }

    async fn delete(&self, scope: TenantScope, id: SessionId, at: WallTime) -> Result<bool, StoreError> {
        Ok(self.write(|state| {
            let found = state.session_of(scope.tenant(), id).is_some();
            if found {
                state.delete_session(id, at);
            }
            found
        }))
    }

    async fn find(&self, _: SystemScope, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.read().session(id).map(|row| row.session.clone()))
    }

    async fn restore(&self, _: SystemScope, at: WallTime) -> Result<Vec<Session>, StoreError> {
        Ok(self.write(|state| {
            let all = state.sessions.values().filter(|row| !row.deleted).map(|row| row.session.clone());
            let (work, rest): (Vec<_>, Vec<_>) = all.partition(|session| has_work(state, session));
            for session in rest.iter().filter(|session| !session.status.outlives_a_boot()) {
                let status = SessionStatus::Stopped;
                announce(state, session.id, StatusChange { status, reason: None, code: None, since: at });
            }
            work.into_iter().map(|session| count_death(state, session, at)).collect()
        }))
    }

    async fn announce(&self, lease: Lease, change: StatusChange) -> Result<(), StoreError> {
        self.write(|state| {
            state.leased(lease)?;
            announce(state, lease.session, change);
            Ok(())
        })
    }

    async fn pronounce(&self, _: SystemScope, id: SessionId, change: StatusChange) -> Result<(), StoreError> {
        self.write(|state| announce(state, id, change));
        Ok(())
    }

    async fn quarantine(
        &self,
        _: SystemScope,
        id: SessionId,
        change: StatusChange,
        probes: u32,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            announce(state, id, change);
            if let Some(row) = state.sessions.get_mut(&id) {
                row.session.supervision.probes = probes;
            }
        });
        Ok(())
    }

    async fn set_paired(&self, lease: Lease, paired: bool, at: WallTime) -> Result<(), StoreError> {
        self.write(|state| {
            let row = state.leased(lease)?;
            row.session.paired = paired;
            row.paired_at = paired.then_some(at);
            if !paired {
                state.cancel_waiting(lease.session, MessageReason::SessionGone, at);
            }
            Ok(())
        })
    }

    async fn remember(&self, lease: Lease, standing: Standing) -> Result<(), StoreError> {
        self.write(|state| {
            state.leased(lease)?.session.standing = standing;
            Ok(())
        })
    }

    async fn set_proxy(
        &self,
        _: SystemScope,
        id: SessionId,
        sealed: Option<Vec<u8>>,
        by: Actor,
    ) -> Result<Option<Session>, StoreError> {
        Ok(self.write(|state| {
            let row = state.sessions.get_mut(&id).filter(|row| !row.deleted)?;
            let (was, is) = (row.proxy.is_some(), sealed.is_some());
            row.proxy = sealed;
            row.session.proxy = is;
            let session = row.session.clone();
            if was || is {
                let act = Act::new(Action::SessionProxy, "session", id).of(session.tenant);
                state.record(&by, act.before(&json!({"proxy": was})).after(&json!({"proxy": is})));
            }
            Some(session)
        }))
    }

    async fn proxy(&self, lease: Lease) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.read();
        let held = |row: &&SessionRow| row.session.tenant == lease.tenant && row.epoch == lease.epoch;
        let row = state.session(lease.session).filter(held).ok_or(StoreError::Fenced)?;
        Ok(row.proxy.clone())
    }

    async fn count_reconnect(&self, lease: Lease) -> Result<(), StoreError> {
        self.write(|state| {
            state.leased(lease)?.session.counters.reconnects += 1;
            Ok(())
        })
    }
}
