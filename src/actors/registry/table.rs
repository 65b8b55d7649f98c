//! Who is supervised and where each stands: id → (generation, phase). Pure; the shell performs the orders.

use std::{collections::HashMap, time::Duration};

use super::restart::{self, Exits, Verdict};
use crate::actors::session::Intent;
use crate::domain::id::SessionId;
use crate::domain::session::{Generation, Origin};
use crate::domain::time::{Jitter, Moment};

/// Where one session stands with its supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its actor comes when a delay ends.
    Waiting,
    /// Its actor runs. An exit now is unexpected, panic or not.
    Running,
    /// Its actor was asked to stop.
    Stopping {
        /// A start came meanwhile: the exit is followed by a new generation.
        then_start: bool,
    },
    /// No actor, and none wanted.
    Stopped,
    /// No actor: it exited too often. One comes when its half-open probe is due.
    Quarantined,
}

/// What the shell has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Nothing.
    Nothing,
    /// Ask again with [`Table::due`] after this delay.
    Call(Duration, Generation),
    /// Build the actor of this generation.
    Spawn(Generation),
    /// Tell the actor of this generation what is wanted of it now.
    Tell(Generation),
    /// Ask the actor of this generation to stop.
    Stop(Generation),
    /// There is no actor that could say so: see to it that the row does.
    Pronounce(Word),
    /// It crashed: write that, and ask again with [`Table::due`] after this delay.
    Crashed(Duration, Generation),
    /// It crashed too often: write that and how many probes have failed, and ask again with [`Table::due`] after this
    /// delay.
    Quarantine {
        /// Until the next probe.
        delay: Duration,
        /// What that will be.
        generation: Generation,
        /// How many have failed.
        probes: u32,
    },
}

/// What the supervisor itself says about a session without an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// It rests, as was asked.
    Stopped,
    /// The network serves its engine's version no more.
    Outdated,
}

#[derive(Debug)]
struct Row {
    origin: Origin,
    intent: Intent,
    generation: Generation,
    phase: Phase,
    exits: Exits,
    /// Half-open probes that have failed.
    probes: u32,
    /// When the last one was due: an exit soon after it is its failure.
    probe_at: Option<Moment>,
}

/// Every session this node supervises.
#[derive(Debug, Default)]
pub struct Table(HashMap<SessionId, Row>);

impl Table {
    /// The session is to run (or to log out), its actor coming after `delay`.
    pub fn start(&mut self, id: SessionId, origin: Origin, intent: Intent, delay: Duration) -> Order {
        let row = self.0.entry(id).or_insert_with(|| Row::new(origin));
        row.intent = intent;
        match row.phase {
            Phase::Waiting => Order::Nothing,
            Phase::Running => Order::Tell(row.generation),
            Phase::Stopping { .. } => row.pass(Phase::Stopping { then_start: true }, Order::Nothing),
            Phase::Stopped => row.wait(delay),
            Phase::Quarantined => {
                row.vouch();
                row.wait(delay)
            }
        }
    }

    /// The session is not to run.
    pub fn stop(&mut self, id: SessionId) -> Order {
        let Some(row) = self.0.get_mut(&id) else { return Order::Pronounce(Word::Stopped) };
        match row.phase {
            Phase::Running => row.pass(Phase::Stopping { then_start: false }, Order::Stop(row.generation)),
            Phase::Stopping { .. } => row.pass(Phase::Stopping { then_start: false }, Order::Nothing),
            Phase::Waiting | Phase::Stopped | Phase::Quarantined => {
                row.pass(Phase::Stopped, Order::Pronounce(Word::Stopped))
            }
        }
    }

    /// The session is to run as a new incarnation.
    pub fn restart(&mut self, id: SessionId, origin: Origin) -> Order {
        match self.0.get_mut(&id) {
            Some(row) if row.phase == Phase::Running => {
                row.intent = Intent::Renew;
                row.pass(Phase::Stopping { then_start: true }, Order::Stop(row.generation))
            }
            _ => self.start(id, origin, Intent::Renew, Duration::ZERO),
        }
    }

    /// A session that an earlier process has quarantined: `probes` have failed, the next is due after `delay`.
    pub fn resume_quarantine(
        &mut self,
        id: SessionId,
        origin: Origin,
        probes: u32,
        delay: Duration,
        now: Moment,
    ) -> Order {
        let row = self.0.entry(id).or_insert_with(|| Row::new(origin));
        row.probes = probes;
        row.quarantine(delay, now);
        Order::Call(delay, row.generation)
    }

    /// A delay ended: a restart's, or a quarantine's.
    pub fn due(&mut self, id: SessionId, generation: Generation) -> Order {
        match self.current(id, generation) {
            Some(row) if matches!(row.phase, Phase::Waiting | Phase::Quarantined) => {
                row.pass(Phase::Running, Order::Spawn(generation))
            }
            _ => Order::Nothing,
        }
    }

    /// A session that is to be started again may not be: its engine is no longer served.
    pub fn give_up(&mut self, id: SessionId) -> Order {
        match self.0.get_mut(&id) {
            Some(row) if row.phase == Phase::Waiting && row.intent == Intent::Run => {
                row.pass(Phase::Stopped, Order::Pronounce(Word::Outdated))
            }
            _ => Order::Nothing,
        }
    }

    /// An actor is gone.
    pub fn down(&mut self, id: SessionId, generation: Generation, now: Moment, jitter: Jitter) -> Order {
        let Some(row) = self.current(id, generation) else { return Order::Nothing };
        match row.phase {
            Phase::Running => row.crash(now, jitter),
            Phase::Stopping { then_start: true } => row.wait(Duration::ZERO),
            // Whether it could say so itself is not known: it may have ended before the store had answered it.
            Phase::Stopping { then_start: false } => {
                row.pass(Phase::Stopped, Order::Pronounce(Word::Stopped))
            }
            Phase::Waiting | Phase::Stopped | Phase::Quarantined => Order::Nothing,
        }
    }

    /// The session exists no more.
    pub fn remove(&mut self, id: SessionId) {
        self.0.remove(&id);
    }

    /// Where the session stands; `None` if it was never started here.
    pub fn find(&self, id: SessionId) -> Option<(Generation, Phase)> {
        self.0.get(&id).map(|row| (row.generation, row.phase))
    }

    /// What its next actor is for.
    pub fn purpose(&self, id: SessionId) -> Option<(Origin, Intent)> {
        self.0.get(&id).map(|row| (row.origin, row.intent))
    }

    /// How many sessions have an actor, or are about to.
    pub fn active_count(&self) -> usize {
        self.0.values().filter(|row| row.is_active()).count()
    }

    /// Every session that has an actor, or is about to.
    pub fn active(&self) -> Vec<SessionId> {
        self.0.iter().filter(|(_, row)| row.is_active()).map(|(id, _)| *id).collect()
    }

    /// The row, unless the fact comes from another generation than the current one.
    fn current(&mut self, id: SessionId, generation: Generation) -> Option<&mut Row> {
        self.0.get_mut(&id).filter(|row| row.generation == generation)
    }
}

impl Row {
    fn new(origin: Origin) -> Self {
        Self {
            origin,
            intent: Intent::Run,
            generation: Generation::default(),
            phase: Phase::Stopped,
            exits: Exits::default(),
            probes: 0,
            probe_at: None,
        }
    }

    fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Stopped | Phase::Quarantined)
    }

    /// A person vouches for it: its past is forgotten.
    fn vouch(&mut self) {
        self.exits = Exits::default();
        self.probes = 0;
        self.probe_at = None;
    }

    /// An exit that nobody asked for.
    fn crash(&mut self, now: Moment, jitter: Jitter) -> Order {
        if self.intent == Intent::Renew {
            self.intent = Intent::Run; // a person's word is good for one incarnation
        }
        if let Some(probed) = self.probe_at.take() {
            if now.since(probed) < restart::MEMORY {
                self.probes = self.probes.saturating_add(1);
                return self.shut_away(now);
            }
            self.probes = 0;
        }
        match self.exits.count(now, jitter) {
            Verdict::RestartAfter(delay) => {
                self.wait(delay);
                Order::Crashed(delay, self.generation)
            }
            Verdict::Quarantine => self.shut_away(now),
        }
    }

    fn shut_away(&mut self, now: Moment) -> Order {
        let delay = restart::probe_delay(self.probes);
        self.quarantine(delay, now);
        Order::Quarantine { delay, generation: self.generation, probes: self.probes }
    }

    fn quarantine(&mut self, delay: Duration, now: Moment) {
        self.exits = Exits::default();
        self.probe_at = Some(now + delay);
        self.generation = self.generation.next();
        self.phase = Phase::Quarantined;
    }

    fn pass(&mut self, phase: Phase, order: Order) -> Order {
        self.phase = phase;
        order
    }

    /// A new generation begins with its delay, not with its actor: a timer of the one before is stale at once.
    fn wait(&mut self, delay: Duration) -> Order {
        self.generation = self.generation.next();
        self.pass(Phase::Waiting, Order::Call(delay, self.generation))
    }
}
