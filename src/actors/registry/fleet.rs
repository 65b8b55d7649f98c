//! What concerns many sessions at once: boots, crashes of a fifth of them, an engine that is no longer served.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use actix::prelude::*;

use super::RegistryActor;
use super::breaker::Look;
use super::messages::Boot;
use super::restart;
use crate::actors::session::Intent;
use crate::domain::id::SessionId;
use crate::domain::session::{self, Desired, Session};
use crate::domain::time::Moment;

/// Those that took the process down while they were starting, as far as anybody can tell: they start last and alone.
#[derive(Default)]
pub(super) struct BootQueue {
    suspects: VecDeque<Session>,
    /// Started by the boot and not known to stand yet.
    pub(super) starting: HashSet<SessionId>,
    /// Nobody is waited for beyond.
    patience: Moment,
}

/// A session that starts takes no longer than this, or it is not waited for.
const STARTING: Duration = Duration::from_secs(60);
/// How often those who wait look.
const RECHECK: Duration = Duration::from_millis(250);
/// The name of the registry's check.
const RESTARTS: &str = "restarts";

impl Handler<Boot> for RegistryActor {
    type Result = ();

    fn handle(&mut self, Boot(sessions): Boot, ctx: &mut Context<Self>) {
        let now = self.setup.clock.now();
        let (mut turn, mut last) = (0, Duration::ZERO);
        for session in sessions {
            match session.boot() {
                session::Boot::Rests => {}
                session::Boot::Alone => self.boot.suspects.push_back(session),
                session::Boot::Probed => self.resume_quarantine(&session, now, ctx),
                session::Boot::InTurn => {
                    last = restart::boot_delay(turn, self.setup.boot_rate, (self.setup.draw)());
                    turn += 1;
                    self.boot.starting.insert(session.id);
                    let order = self.table.start(session.id, session.origin(), purpose(&session), last);
                    self.perform(session.id, order, ctx);
                }
            }
        }
        if self.boot.suspects.is_empty() {
            self.boot.starting.clear();
        } else {
            tracing::warn!(
                sessions = self.boot.suspects.len(),
                "sessions that were starting when the process died twice start last, one by one"
            );
            self.boot.patience = now + last + STARTING;
            self.boot_suspects(ctx);
        }
    }
}

fn purpose(session: &Session) -> Intent {
    if session.desired == Desired::LoggedOut { Intent::LogOut } else { Intent::Run }
}

/// Many at once, and after a death of the process.
impl RegistryActor {
    pub(super) fn crashed(
        &mut self,
        session: SessionId,
        now: Moment,
        sessions: usize,
        ctx: &mut Context<Self>,
    ) {
        if self.breaker.crashed(session, now, sessions) {
            tracing::error!(
                sessions,
                "too many sessions crash at once: none is restarted until a minute has passed without a crash"
            );
            self.setup.readiness.note(RESTARTS, false);
            self.look_at_breaker(ctx);
        }
    }

    /// Until the breaker has closed again.
    fn look_at_breaker(&mut self, ctx: &mut Context<Self>) {
        let now = self.setup.clock.now();
        match self.breaker.look(now) {
            Look::AsBefore => {}
            Look::TryOne => match self.held_back.pop_front() {
                Some((session, generation)) => {
                    tracing::info!(%session, "one session is restarted, to see whether they still crash");
                    self.breaker.try_one(session, now);
                    self.due(session, generation, ctx);
                }
                None => self.breaker.close(),
            },
            Look::Closed => tracing::info!("sessions are restarted again"),
        }
        if self.breaker.is_closed() {
            self.setup.readiness.note(RESTARTS, true);
            for (turn, (session, generation)) in (0..).zip(std::mem::take(&mut self.held_back)) {
                let delay = restart::boot_delay(turn, self.setup.boot_rate, (self.setup.draw)());
                self.call(session, delay, generation, ctx);
            }
        } else {
            ctx.run_later(RECHECK, Self::look_at_breaker);
        }
    }

    /// When a fifth is told so within a minute, all that do not work right now are spared the same answer: a network that
    /// is asked in vain by a whole fleet takes it ill.
    pub(super) fn told_outdated(&mut self, session: SessionId, ctx: &mut Context<Self>) {
        let sessions = self.table.active_count();
        if !self.outdated.count(session, self.setup.clock.now(), sessions) {
            return;
        }
        tracing::error!(
            sessions,
            "the network serves this version no more: sessions that are not connected are parked"
        );
        self.outdated.forget();
        for session in self.table.active() {
            let order = self.table.give_up(session);
            self.perform(session, order, ctx);
        }
        for handle in self.live.values() {
            let handle = handle.clone();
            let told = async move { handle.outdated().await.unwrap_or(()) };
            ctx.spawn(told.into_actor(self));
        }
    }

    fn resume_quarantine(&mut self, session: &Session, now: Moment, ctx: &mut Context<Self>) {
        let probes = session.supervision.probes;
        let rested = self.setup.clock.wall().since(session.since);
        let delay = restart::probe_delay(probes).saturating_sub(rested);
        let order = self.table.resume_quarantine(session.id, session.origin(), probes, delay, now);
        self.perform(session.id, order, ctx);
    }

    /// The next suspect, once nobody else is starting: if the process dies now, it is known of whom.
    fn boot_suspects(&mut self, ctx: &mut Context<Self>) {
        let now = self.setup.clock.now();
        if self.boot.starting.is_empty() || now >= self.boot.patience {
            let Some(session) = self.boot.suspects.pop_front() else { return self.boot.starting.clear() };
            self.boot.starting = HashSet::from([session.id]);
            self.boot.patience = now + STARTING;
            let order = self.table.start(session.id, session.origin(), purpose(&session), Duration::ZERO);
            self.perform(session.id, order, ctx);
        }
        ctx.run_later(RECHECK, Self::boot_suspects);
    }
}
