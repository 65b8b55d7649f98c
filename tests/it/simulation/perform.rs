//! Jobs: performed at the store or the network in one step, told to their machine in another.

use std::time::Duration;

use columba::actors::session::machine::Input;
use columba::domain::message::MessageReason;
use columba::domain::session::{CloseReason, Lease, Restriction, RestrictionKind};
use columba::outbound::attempt::{DEADLINE, End};
use columba::outbound::{claim, retry};
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Claim, Memory, Outbox as _, Outcome, Receipt, Settlement};
use columba::ports::store::StoreError;
use columba::ports::transport::SendError;

use super::jobs::{Job, Stage, What};
use super::network::{Answer, Says};
use super::store::{Mood, away};
use super::world::{World, now, tell};

/// As `outbound::settle` does it: pause between two tries, and how many.
const PAUSE: u64 = 500;
const TRIES: u32 = 120;

impl World {
    /// Whether a job can go on now.
    pub fn may_execute(&self, place: usize) -> bool {
        let job = &self.jobs[place];
        let is_first = || {
            let before = self.jobs[..place].iter();
            !before.into_iter().any(|other| {
                other.slot == job.slot
                    && other.generation == job.generation
                    && other.answer.is_none()
                    && other.queues()
            })
        };
        // What was asked of the store happens there; an attempt needs the thread that it runs on.
        let needs_its_thread = matches!(job.what, What::Attempt { .. } | What::LogOut { .. });
        if needs_its_thread && self.is_stuck(job.slot, job.generation) {
            return false;
        }
        job.answer.is_none() && self.goes_on_at(place) <= self.clock.truth() && (!job.queues() || is_first())
    }

    /// From when a job can go on, in true time.
    pub fn goes_on_at(&self, place: usize) -> u64 {
        let job = &self.jobs[place];
        match &job.what {
            What::Attempt { stage: Stage::OnTheWire { link, .. }, .. }
                if !self.network.holds(self.slots[job.slot].id, *link) =>
            {
                0
            }
            _ => job.not_before,
        }
    }

    /// A store call that has no port with moods of its own.
    fn moody<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        match self.outbox.mood() {
            Mood::Well => now(work),
            Mood::Away => Err(away()),
            Mood::Mute => now(work).and(Err(away())),
        }
    }

    /// Performs the next step of a job. It keeps its place until it has nothing more to do or to tell.
    pub fn execute(&mut self, place: usize) {
        let job = self.jobs[place].clone();
        tell!(self, "session {}: {:?} is performed for {:?}", job.slot, job.what, job.generation);
        match self.step_of(place, &job) {
            Some(answer) => self.jobs[place].answer = Some(answer),
            None if self.jobs[place].is_done() => drop(self.jobs.remove(place)),
            None => {}
        }
    }

    /// What a job has to tell, once it is over.
    fn step_of(&mut self, place: usize, job: &Job) -> Option<Input> {
        let (id, at) = (self.slots[job.slot].id, self.clock.read());
        let outbox = self.outbox.clone();
        let lease = || job.lease.expect("only owners ask");
        match job.what.clone() {
            What::Recall => {
                let recalled = now(outbox.recall(id, at));
                if let Ok(Memory { lease, .. }) = &recalled {
                    self.slots[job.slot].vault_epoch = lease.epoch.0;
                }
                Some(Input::Recalled(recalled))
            }
            What::Announce(change) => {
                Some(Input::Announced(self.moody(self.stores.sessions.announce(lease(), change))))
            }
            What::Remember(standing) => self.forget(place, |world| {
                let _ = world.moody(world.stores.sessions.remember(lease(), standing));
            }),
            What::CountReconnect => self.forget(place, |world| {
                let _ = world.moody(world.stores.sessions.count_reconnect(lease()));
            }),
            What::NotePaired => self.forget(place, |world| {
                let _ = world.moody(world.stores.sessions.set_paired(lease(), true, at.wall));
            }),
            What::Read { turn, after } => {
                Some(Input::Read { turn, answer: now(outbox.pending(lease(), after, 1_000)) })
            }
            What::Claim { turn, message, at, lock, sum } => {
                let wanted = Claim { lease: lease(), message, at, lock, approach: None };
                let answer = now(claim::claim(&*outbox, &self.windows, sum, wanted));
                Some(Input::Claimed { turn, answer })
            }
            What::GiveBack { message, number, tries } => {
                let end = match now(outbox.give_back(lease(), message, number)) {
                    Ok(()) => End::Again(at.wall),
                    Err(StoreError::Unavailable(_)) if tries < TRIES => {
                        self.again(place, What::GiveBack { message, number, tries: tries + 1 });
                        return None;
                    }
                    Err(_) => End::Open,
                };
                Some(Input::Ended { message, number, end })
            }
            What::GiveUp { message, number, tries } => {
                let outcome = Outcome::Unknown(MessageReason::NoAck);
                let settlement = Settlement { tenant: lease().tenant, message, number, outcome, at: at.wall };
                match now(outbox.settle(settlement)) {
                    Err(StoreError::Unavailable(_)) if tries < TRIES => {
                        self.again(place, What::GiveUp { message, number, tries: tries + 1 });
                        None
                    }
                    done => Some(Input::GivenUp { message, number, done: done.is_ok() }),
                }
            }
            What::Recover { at } => Some(Input::Recovered(now(outbox.recover(lease(), at)).map(drop))),
            What::Ping { in_time } => {
                let is_answered = in_time && self.network.ping(id, lease().epoch);
                Some(Input::Pinged(is_answered.then_some(Duration::from_millis(100))))
            }
            What::LogOut { tell, step } => self.log_out(place, lease(), tell, step),
            What::Receipt { link, number } => {
                let owed = self.network.lines[&id].owed.get(&number).cloned();
                let wa_id = owed.as_ref().map(|owed| owed.wa_id.clone());
                let stored = match owed {
                    Some(owed) => {
                        let receipt = Receipt { wa_id: owed.wa_id, kind: owed.kind, at: at.wall };
                        now(outbox.receipt(lease(), receipt)).map(drop)
                    }
                    None => Ok(()),
                };
                if stored.is_ok() && self.dice.chance(95) {
                    self.network.confirm(id, link, number);
                }
                Some(Input::Heard { wa_id, freed: None, stored })
            }
            What::Attempt { work, began, stage } => self.attempt(place, work, began, stage),
        }
    }

    /// Does what nobody waits for.
    fn forget(&mut self, place: usize, work: impl FnOnce(&mut Self)) -> Option<Input> {
        work(self);
        self.jobs[place].what = What::CountReconnect;
        self.jobs[place].not_before = u64::MAX;
        None
    }

    /// The store was away: another try after a pause.
    fn again(&mut self, place: usize, what: What) {
        let truth = self.clock.truth();
        let job = &mut self.jobs[place];
        (job.what, job.not_before) = (what, truth + PAUSE);
    }

    /// In the shell's order: see `log_out` there.
    fn log_out(&mut self, place: usize, lease: Lease, tell: bool, step: u32) -> Option<Input> {
        let (slot, truth) = (self.jobs[place].slot, self.clock.truth());
        let steps: &[u32] = if tell { &[0, 1, 2] } else { &[2, 1] };
        let done = match steps[step as usize] {
            0 => {
                self.network.log_out(self.slots[slot].id, lease.epoch, truth);
                Ok(())
            }
            1 if self.slots[slot].vault_epoch > lease.epoch.0 => Err(StoreError::Fenced),
            1 => {
                self.slots[slot].token = None;
                Ok(())
            }
            _ => self.moody(self.stores.sessions.set_paired(lease, false, self.clock.wall())),
        };
        match done {
            Ok(()) if step as usize + 1 < steps.len() => {
                self.jobs[place].what = What::LogOut { tell, step: step + 1 };
                None
            }
            done => Some(Input::LoggedOut(done)),
        }
    }

    fn attempt(
        &mut self,
        place: usize,
        work: columba::ports::outbox::Work,
        began: u64,
        stage: Stage,
    ) -> Option<Input> {
        let (truth, id) = (self.clock.truth(), self.slots[self.jobs[place].slot].id);
        let (message, number) = (work.message, work.number);
        let answer = match stage {
            Stage::ToSend => {
                let (epoch, wa_id, to) = (work.lease.epoch, work.wa_id.clone(), work.to.clone());
                match self.network.receive(id, epoch, wa_id, to, truth, &mut self.dice) {
                    Ok((link, answer)) => {
                        let end = began + DEADLINE.as_millis() as u64;
                        let (at, answer) = match answer {
                            Answer::At(at, answer) if at < end => (at, Some(answer)),
                            Answer::At(..) | Answer::Never => (end, None),
                        };
                        let stage = Stage::OnTheWire { link, answer };
                        let job = &mut self.jobs[place];
                        (job.what, job.not_before) = (What::Attempt { work, began, stage }, at);
                        return None;
                    }
                    Err(error) => Err(error),
                }
            }
            Stage::OnTheWire { link, answer } => {
                let in_time = self.network.holds(id, link) && self.jobs[place].not_before <= truth;
                answer.filter(|_| in_time).unwrap_or(Err(SendError::NoAck))
            }
            Stage::ToSettle { outcome, at, tries } => {
                let settlement = Settlement { tenant: work.lease.tenant, message, number, outcome, at };
                let end = match (now(self.outbox.settle(settlement)), outcome) {
                    (Ok(_), Outcome::Retry { not_before: until, .. } | Outcome::Held { until, .. }) => {
                        End::Again(until)
                    }
                    (Ok(_), _) => End::Settled,
                    (Err(StoreError::Unavailable(_)), _) if tries < TRIES => {
                        let stage = Stage::ToSettle { outcome, at, tries: tries + 1 };
                        self.again(place, What::Attempt { work, began, stage });
                        return None;
                    }
                    (Err(_), _) => End::Open,
                };
                return Some(Input::Ended { message, number, end });
            }
        };
        let (wall, jitter) = (self.clock.wall(), self.dice.jitter());
        match retry::judge(number, answer, wall, jitter) {
            retry::Verdict::Settle(outcome) => {
                let stage = Stage::ToSettle { outcome, at: wall, tries: 0 };
                let job = &mut self.jobs[place];
                (job.what, job.not_before) = (What::Attempt { work, began, stage }, truth);
                None
            }
            retry::Verdict::Await => Some(Input::Ended { message, number, end: End::Open }),
        }
    }

    /// Tells a machine what has become of what it wanted, if it still lives.
    pub fn deliver(&mut self, place: usize) {
        let (slot, generation) = (self.jobs[place].slot, self.jobs[place].generation);
        match self.slots[slot].ghosts.iter().position(|ghost| ghost.generation == generation) {
            Some(ghost) => self.haunt(slot, ghost, |world| world.tell_answer(place)),
            None => self.tell_answer(place),
        }
    }

    fn tell_answer(&mut self, place: usize) {
        let Job { slot, generation, what, answer, .. } = self.jobs.remove(place);
        if !self.lives(slot, generation) {
            return;
        }
        let answer = answer.expect("it was performed");
        let alive = self.slots[slot].alive.as_mut().expect("it lives");
        if let What::Receipt { link, .. } = what {
            alive.hearing &= alive.link != Some(link);
        }
        if let Input::Recalled(Ok(memory)) = &answer {
            alive.lease = Some(memory.lease);
        }
        self.on(slot, answer);
    }

    /// The next event of a session's link.
    pub fn hear(&mut self, slot: usize) {
        let (id, truth) = (self.slots[slot].id, self.clock.truth());
        let Some(alive) = &self.slots[slot].alive else { return };
        let (Some(link), Some(lease), generation) = (alive.link, alive.lease, alive.generation) else {
            return;
        };
        let Some(said) = self.network.hear(id, link, truth) else { return };
        let wall = self.clock.wall();
        let fact = match said {
            Says::Code => Input::CodeShown { code: "2@x".to_owned(), expires_at: wall },
            // The credential is kept before anybody hears of it, unless a newer owner has the vault.
            Says::Paired(token) if self.slots[slot].vault_epoch == lease.epoch.0 => {
                self.slots[slot].token = Some(token);
                Input::Paired
            }
            Says::Paired(_) => Input::Closed(CloseReason::Replaced),
            Says::Connected => Input::Connected,
            Says::Synced => Input::OfflineSynced,
            Says::Timelocked(until) => {
                let kind = RestrictionKind::Timelock;
                Input::Restricted(Some(Restriction { kind, until }))
            }
            Says::Closed(reason) => {
                self.network.hang_up(id, link);
                Input::Closed(reason)
            }
            Says::Receipt(number) => {
                if let Some(alive) = &mut self.slots[slot].alive {
                    alive.hearing = true;
                }
                let what = What::Receipt { link, number };
                self.add(slot, generation, Some(lease), what, truth);
                return;
            }
        };
        self.on(slot, fact);
    }
}

impl Job {
    /// Whether nobody waits for an answer and nothing is left to do.
    fn is_done(&self) -> bool {
        self.not_before == u64::MAX
    }
}
