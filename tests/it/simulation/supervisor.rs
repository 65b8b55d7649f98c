//! The shells of registry and session, without actix: who is born, told, stopped and mourned, and how a machine's
//! effects become jobs.

use std::collections::VecDeque;
use std::time::Duration;

use columba::actors::registry::restart::probe_delay;
use columba::actors::registry::table::{Order, Word};
use columba::actors::session::Intent;
use columba::actors::session::deadlines::TimerEpoch;
use columba::actors::session::dispatch::UNDER_WAY;
use columba::actors::session::machine::{Effect, Input, Machine};
use columba::domain::id::TenantId;
use columba::domain::message::MessageStatus;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Boot, Desired, Engine, Generation, Lease, Origin, Reason, SessionStatus};
use columba::ports::clock::Clock as _;
use columba::ports::sessions::StatusChange;

use super::jobs::{Job, Stage, What};
use super::store::Mood;
use super::world::{Incarnation, World, now, tell};

fn sandbox(tenant: TenantId) -> Origin {
    Origin { tenant, engine: Engine::Sandbox }
}

impl World {
    /// A person or a boot wants the session to run.
    pub fn start(&mut self, slot: usize) {
        let (id, tenant) = (self.slots[slot].id, self.slots[slot].tenant);
        let order = self.table.start(id, sandbox(tenant), Intent::Renew, Duration::ZERO);
        self.obey(slot, order);
    }

    /// A verb of the API: the row first, then the supervisor.
    pub fn want(&mut self, slot: usize, desired: Desired) {
        let (id, tenant) = (self.slots[slot].id, self.slots[slot].tenant);
        if self.outbox.mood() != Mood::Well {
            return;
        }
        let scope = TenantScope::authenticated(tenant);
        let row = now(self.stores.sessions.set_desired(scope, id, desired)).unwrap().expect("it exists");
        let order = match desired {
            Desired::Running => self.table.start(id, sandbox(tenant), Intent::Renew, Duration::ZERO),
            Desired::LoggedOut if row.paired || self.table.find(id).is_some() => {
                self.table.start(id, sandbox(tenant), Intent::LogOut, Duration::ZERO)
            }
            Desired::Stopped | Desired::LoggedOut => self.table.stop(id),
        };
        self.obey(slot, order);
    }

    pub fn restart(&mut self, slot: usize) {
        let order = self.table.restart(self.slots[slot].id, sandbox(self.slots[slot].tenant));
        self.obey(slot, order);
    }

    pub fn due(&mut self, slot: usize, generation: Generation) {
        let order = self.table.due(self.slots[slot].id, generation);
        self.obey(slot, order);
    }

    pub fn mourn(&mut self, slot: usize, generation: Generation) {
        let jitter = self.dice.jitter();
        let order = self.table.down(self.slots[slot].id, generation, self.clock.now(), jitter);
        tell!(self, "session {slot}: the supervisor hears of the end of {generation:?}: {order:?}");
        self.obey(slot, order);
    }

    fn obey(&mut self, slot: usize, order: Order) {
        match order {
            Order::Nothing => {}
            Order::Call(Duration::ZERO, generation) => self.due(slot, generation),
            Order::Call(delay, generation) => self.call(slot, delay, generation),
            Order::Spawn(generation) => self.spawn(slot, generation),
            Order::Tell(generation) => {
                let purpose = self.table.purpose(self.slots[slot].id);
                let wanted = match purpose {
                    Some((_, Intent::LogOut)) => Input::LogOut,
                    _ => Input::Start,
                };
                self.mail(slot, generation, wanted);
            }
            Order::Stop(generation) => {
                // Eight seconds to end when it is asked, two when it is told.
                self.limits.push((self.clock.truth() + 10_000, slot, generation));
                self.mail(slot, generation, Input::Stop(Reason::Requested));
            }
            Order::Pronounce(Word::Stopped) => {
                self.pronounce(slot, SessionStatus::Stopped, Reason::Requested)
            }
            Order::Pronounce(Word::Outdated) => {
                self.pronounce(slot, SessionStatus::Parked, Reason::ClientOutdated)
            }
            Order::Quarantine { delay, generation, probes } => {
                if self.outbox.mood() == Mood::Well {
                    let (status, reason) = (SessionStatus::Quarantined, Some(Reason::CrashLoop));
                    let change = StatusChange { status, reason, code: None, since: self.clock.wall() };
                    let id = self.slots[slot].id;
                    now(self.stores.sessions.quarantine(SystemScope, id, change, probes)).unwrap();
                }
                self.call(slot, delay, generation);
            }
            Order::Crashed(delay, generation) => {
                self.pronounce(slot, SessionStatus::Reconnecting, Reason::Crashed);
                self.call(slot, delay, generation);
            }
        }
    }

    fn call(&mut self, slot: usize, delay: Duration, generation: Generation) {
        self.dues.push((self.clock.truth() + delay.as_millis() as u64, slot, generation));
    }

    fn pronounce(&mut self, slot: usize, status: SessionStatus, reason: Reason) {
        if self.outbox.mood() == Mood::Well {
            let change = StatusChange { status, reason: Some(reason), code: None, since: self.clock.wall() };
            now(self.stores.sessions.pronounce(SystemScope, self.slots[slot].id, change)).unwrap();
        }
    }

    fn spawn(&mut self, slot: usize, generation: Generation) {
        let Some((Origin { tenant, .. }, intent)) = self.table.purpose(self.slots[slot].id) else { return };
        assert!(self.slots[slot].alive.is_none(), "two actors of session {slot}");
        let caps = self.stores.directory.snapshot().caps_of(tenant).unwrap();
        let (jitter, seed) = (self.dice.jitter(), self.dice.below(u64::MAX));
        let machine = Machine::new(self.clock.read(), caps, jitter, seed);
        let first = match intent {
            Intent::Run => Input::Start,
            Intent::Renew => Input::Renew,
            Intent::LogOut => Input::LogOut,
        };
        self.slots[slot].alive = Some(Incarnation {
            generation,
            machine,
            lease: None,
            timer: None,
            last_timer: TimerEpoch::default(),
            link: None,
            hearing: false,
            mail: VecDeque::from([first]),
            stuck_until: 0,
        });
        tell!(self, "session {slot}: {generation:?} is born");
    }

    /// Puts a command into an actor's mailbox, if it still lives. Of rings at most one waits.
    pub fn mail(&mut self, slot: usize, generation: Generation, command: Input) {
        if let Some(alive) = self.slots[slot].alive.as_mut().filter(|alive| alive.generation == generation)
            && !(command == Input::Wake && alive.mail.contains(&Input::Wake))
        {
            alive.mail.push_back(command);
        }
    }

    /// A hint that rows may be waiting; now and then it is lost.
    pub fn ring(&mut self, slot: usize) {
        if let Some(generation) = self.slots[slot].alive.as_ref().map(|alive| alive.generation) {
            self.mail(slot, generation, Input::Wake);
        }
    }

    /// The only way into a machine.
    pub fn on(&mut self, slot: usize, input: Input) {
        let at = self.clock.read();
        let caps = self.stores.directory.snapshot().caps_of(self.slots[slot].tenant).unwrap();
        let Some(alive) = &mut self.slots[slot].alive else { return };
        tell!(self, "session {slot} in {:?} hears {input:?}", alive.machine.state());
        alive.machine.bind(caps, at.now);
        let effects = alive.machine.on(at, input);
        assert!(alive.machine.dispatch().on_the_wire() <= UNDER_WAY, "too many attempts at once");
        for effect in effects {
            self.perform(slot, effect);
        }
    }

    fn perform(&mut self, slot: usize, effect: Effect) {
        tell!(self, "session {slot} wants {effect:?}");
        let truth = self.clock.truth();
        let what = match effect {
            Effect::Recall => What::Recall,
            Effect::Open => return self.open(slot),
            Effect::Close => return self.close(slot),
            Effect::Arm { epoch, at } => {
                let alive = self.slots[slot].alive.as_mut().expect("it speaks");
                assert!(epoch > alive.last_timer, "a timer that was armed before");
                (alive.timer, alive.last_timer) = (Some((epoch, at)), epoch);
                return;
            }
            Effect::Exit | Effect::Fail => return self.end(slot),
            Effect::Announce(change) => What::Announce(change),
            Effect::Remember(standing) => What::Remember(standing),
            Effect::CountReconnect => What::CountReconnect,
            Effect::NotePaired => What::NotePaired,
            Effect::Read { turn, after } => What::Read { turn, after },
            Effect::Claim { turn, message, at, lock } => {
                self.assert_room(slot);
                let caps = self.stores.directory.snapshot().caps_of(self.slots[slot].tenant).unwrap();
                What::Claim { turn, message, at, lock, sum: caps.per_minute_tenant }
            }
            Effect::Attempt(work) => What::Attempt { work, began: truth, stage: Stage::ToSend },
            Effect::GiveBack { message, number } => What::GiveBack { message, number, tries: 0 },
            Effect::GiveUp { message, number } => What::GiveUp { message, number, tries: 0 },
            Effect::Recover => What::Recover { at: self.clock.wall() },
            Effect::Ping => What::Ping { in_time: self.dice.chance(95) },
            Effect::LogOut { tell } => What::LogOut { tell, step: 0 },
        };
        let alive = self.slots[slot].alive.as_ref().expect("it speaks");
        assert!(alive.lease.is_some() || matches!(what, What::Recall), "{what:?} before a right to act");
        let (generation, lease) = (alive.generation, alive.lease);
        // An answer of the network takes its time, or never comes.
        let not_before = match what {
            What::Ping { in_time: true } => truth + self.dice.below(500),
            What::Ping { in_time: false } => truth + 10_000,
            _ => truth,
        };
        self.add(slot, generation, lease, what, not_before);
    }

    pub fn add(
        &mut self,
        slot: usize,
        generation: Generation,
        lease: Option<Lease>,
        what: What,
        not_before: u64,
    ) {
        self.last_job += 1;
        self.jobs.push(Job { id: self.last_job, slot, generation, lease, what, answer: None, not_before });
    }

    /// No claim beyond the window: with what its session has in the durable log, true time counted.
    fn assert_room(&self, slot: usize) {
        if self.haunted {
            return; // it knows of nobody but itself, and the store will refuse it
        }
        let (id, truth) = (self.slots[slot].id, self.clock.truth());
        let log = self.outbox.log.lock().unwrap();
        let recent = log.iter().rev().filter(|logged| logged.heard && logged.lease.session == id);
        let recent = recent.map(|logged| self.clock.truth_of(logged.at)).filter(|at| at + 60_000 > truth);
        let cap = self.stores.directory.snapshot().caps_of(self.slots[slot].tenant).unwrap().per_minute;
        let count = recent.count();
        assert!(count < cap.get() as usize, "a claim beyond the window: {count} of {cap} are used");
    }

    fn open(&mut self, slot: usize) {
        self.close(slot);
        let lease = self.lease(slot).expect("only owners open links");
        let (id, token) = (self.slots[slot].id, self.slots[slot].token);
        let (truth, wall) = (self.clock.truth(), self.clock.wall());
        let link = self.network.open(id, lease.epoch, token, truth, wall, &mut self.dice);
        if let Some(alive) = &mut self.slots[slot].alive {
            (alive.link, alive.hearing) = (Some(link), false);
        }
    }

    fn close(&mut self, slot: usize) {
        let Some(alive) = &mut self.slots[slot].alive else { return };
        alive.hearing = false;
        if let Some(link) = alive.link.take() {
            self.network.hang_up(self.slots[slot].id, link);
            // The stream is dropped in the middle of what it was doing: the store may or may not hear of that.
            self.drop_jobs(|job| matches!(job.what, What::Receipt { link: by, .. } if by == link));
        }
    }

    /// Jobs that nobody goes on with: what they had asked of the store happens or not, but in order.
    fn drop_jobs(&mut self, dropped: impl Fn(&Job) -> bool) {
        let dropped: Vec<_> = self.jobs.iter().filter(|job| dropped(job)).map(|job| job.id).collect();
        let mut cut = vec![];
        for id in dropped {
            let Some(place) = self.jobs.iter().position(|job| job.id == id) else { continue };
            let job = &self.jobs[place];
            let lane = (job.slot, job.generation);
            let happens =
                job.may_be_called() && (!job.queues() || !cut.contains(&lane)) && self.dice.chance(50);
            match happens {
                true => self.execute(place),
                false if self.jobs[place].queues() => cut.push(lane),
                false => {}
            }
            self.jobs.retain(|job| job.id != id);
        }
    }

    /// An incarnation ends, however it comes about.
    pub fn end(&mut self, slot: usize) {
        self.close(slot);
        let Some(dead) = self.slots[slot].alive.take() else { return };
        tell!(self, "session {slot}: {:?} ends", dead.generation);
        self.drop_jobs(|job| job.slot == slot && job.generation == dead.generation && !job.runs_apart());
        self.downs.push((slot, dead.generation));
    }

    /// The thread of a session is stuck for a while, and most of the time somebody wants it to restart meanwhile.
    pub fn hang(&mut self, slot: usize) {
        while let Some(place) = self.jobs.iter().position(|job| job.slot == slot && job.is_urgent()) {
            self.execute(place);
        }
        let (truth, long) = (self.clock.truth(), 1_000 + self.dice.below(60_000));
        let Some(alive) = &mut self.slots[slot].alive else { return };
        alive.stuck_until = truth + long;
        tell!(self, "session {slot} is stuck for {long} ms");
        if self.dice.chance(70) {
            self.restart(slot);
        }
    }

    /// It has not ended although it was asked to: the supervisor goes on without it.
    pub fn give_up(&mut self, slot: usize, generation: Generation) {
        if self.lives(slot, generation) {
            tell!(self, "session {slot}: the supervisor goes on without {generation:?}");
            let ghost = self.slots[slot].alive.take();
            self.slots[slot].ghosts.extend(ghost);
            self.downs.push((slot, generation));
        }
    }

    /// Lets a ghost act.
    pub fn haunt(&mut self, slot: usize, place: usize, act: impl FnOnce(&mut Self)) {
        let ghost = self.slots[slot].ghosts.remove(place);
        let own = self.slots[slot].alive.replace(ghost);
        self.haunted = true;
        act(self);
        self.haunted = false;
        if let Some(ghost) = std::mem::replace(&mut self.slots[slot].alive, own) {
            self.slots[slot].ghosts.insert(place, ghost);
        }
    }

    /// Whatever a ghost that has come to itself finds first: a timer, its link, or the order to end.
    pub fn wander(&mut self, slot: usize, place: usize) {
        let (moment, fate) = (self.clock.now(), self.dice.below(3));
        self.haunt(slot, place, |world| {
            let ghost = world.slots[slot].alive.as_mut().expect("it acts");
            match ghost.timer.take_if(|(_, at)| *at <= moment) {
                Some((epoch, _)) if fate > 0 => world.on(slot, Input::TimerFired(epoch)),
                _ if fate == 1 && !ghost.hearing => world.hear(slot),
                _ if fate == 2 => world.on(slot, Input::Wake),
                _ => world.end(slot),
            }
        });
    }

    /// The process dies: everything in memory is gone, the store and the network are not. Frames about to leave have
    /// left or not.
    pub fn kill(&mut self) {
        self.kills += 1;
        while let Some(place) = self.jobs.iter().position(Job::is_urgent) {
            match self.dice.chance(50) {
                true => self.execute(place),
                false => drop(self.jobs.remove(place)),
            }
        }
        for slot in 0..self.slots.len() {
            while !self.slots[slot].ghosts.is_empty() {
                self.haunt(slot, 0, |world| world.close(slot));
                self.slots[slot].ghosts.remove(0);
            }
            self.close(slot);
            self.slots[slot].alive = None;
        }
        self.drop_jobs(|_| true);
        self.downs.clear();
        self.dues.clear();
        self.limits.clear();
        self.table = Default::default();
        self.windows = columba::storage::embedded::limits::MemoryWindows::new(self.outbox.clone());
    }

    /// A boot: what is to run, runs.
    pub fn boot(&mut self) {
        let wanted = now(self.stores.sessions.restore(SystemScope, self.clock.wall())).unwrap();
        for session in wanted {
            let slot = self.place(session.id);
            let intent = if session.desired == Desired::LoggedOut { Intent::LogOut } else { Intent::Run };
            let order = match session.boot() {
                Boot::Rests => continue,
                Boot::Probed => {
                    let probes = session.supervision.probes;
                    let rested = self.clock.wall().since(session.since);
                    let delay = probe_delay(probes).saturating_sub(rested);
                    self.table.resume_quarantine(
                        session.id,
                        session.origin(),
                        probes,
                        delay,
                        self.clock.now(),
                    )
                }
                Boot::InTurn | Boot::Alone => {
                    let delay = Duration::from_millis(self.dice.below(200));
                    self.table.start(session.id, session.origin(), intent, delay)
                }
            };
            self.obey(slot, order);
        }
    }

    /// Rows that wait or are under way.
    pub fn live_rows(&self) -> usize {
        let is_live = |status: MessageStatus| status.is_live();
        self.rows().into_iter().filter(|row| is_live(row.status)).count()
    }
}
