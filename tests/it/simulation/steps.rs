//! What may happen next, and the choice among it.

use chrono_tz::Tz;
use columba::billing::period::month_of;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::id::MessageId;
use columba::domain::idempotency::Idempotency;
use columba::domain::message::{Category, Delivery, Draft, WaId};
use columba::domain::plan::Allowance;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::{Desired, Generation};
use columba::domain::time::WallTime;
use columba::history::record::AcceptedLine;
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Acceptance, Outbox as _, Terms};
use columba::ports::store::Created;
use uuid::Uuid;

use super::jobs::Job;
use super::network::NUMBERS;
use super::store::Mood;
use super::world::{Asked, World, cap_line, now, tell};

/// Something that is ready to go on.
#[derive(Debug, Clone, Copy)]
pub enum Ready {
    Execute(usize),
    Deliver(usize),
    Mail(usize),
    Timer(usize),
    Hear(usize),
    Due(usize),
    Down(usize),
    Limit(usize),
    Ghost(usize, usize),
    Round,
}

impl World {
    /// Everything that could go on now, in a fixed order.
    pub fn ready(&self) -> Vec<Ready> {
        let (truth, moment) = (self.clock.truth(), self.clock.now());
        let mut ready = vec![];
        for place in 0..self.jobs.len() {
            if self.jobs[place].answer.is_some() {
                if !self.is_stuck(self.jobs[place].slot, self.jobs[place].generation) {
                    ready.push(Ready::Deliver(place));
                }
            } else if self.may_execute(place) {
                ready.push(Ready::Execute(place));
            }
        }
        for (slot, one) in self.slots.iter().enumerate() {
            let awake = one.ghosts.iter().enumerate().filter(|(_, ghost)| ghost.stuck_until <= truth);
            ready.extend(awake.map(|(place, _)| Ready::Ghost(slot, place)));
            let Some(alive) = one.alive.as_ref().filter(|alive| alive.stuck_until <= truth) else { continue };
            if !alive.mail.is_empty() {
                ready.push(Ready::Mail(slot));
            }
            if alive.timer.is_some_and(|(_, at)| at <= moment) {
                ready.push(Ready::Timer(slot));
            }
            let speaks = alive.link.and_then(|link| self.network.speaks_at(one.id, link));
            if !alive.hearing && speaks.is_some_and(|at| at <= truth) {
                ready.push(Ready::Hear(slot));
            }
        }
        ready.extend((0..self.dues.len()).filter(|&due| self.dues[due].0 <= truth).map(Ready::Due));
        ready.extend((0..self.limits.len()).filter(|&limit| self.limits[limit].0 <= truth).map(Ready::Limit));
        ready.extend((0..self.downs.len()).map(Ready::Down));
        if self.round_at <= truth {
            ready.push(Ready::Round);
        }
        ready
    }

    pub fn go_on(&mut self, ready: Ready) {
        match ready {
            Ready::Execute(place) => self.execute(place),
            Ready::Deliver(place) => self.deliver(place),
            Ready::Mail(slot) => {
                let mail = self.slots[slot].alive.as_mut().and_then(|alive| alive.mail.pop_front());
                self.on(slot, mail.expect("it waits"));
            }
            Ready::Timer(slot) => {
                let timer = self.slots[slot].alive.as_mut().and_then(|alive| alive.timer.take());
                let (epoch, _) = timer.expect("it is armed");
                self.on(slot, columba::actors::session::machine::Input::TimerFired(epoch));
            }
            Ready::Hear(slot) => self.hear(slot),
            Ready::Due(place) => {
                let (_, slot, generation): (_, usize, Generation) = self.dues.remove(place);
                self.due(slot, generation);
            }
            Ready::Down(place) => {
                let (slot, generation) = self.downs.remove(place);
                self.mourn(slot, generation);
            }
            Ready::Limit(place) => {
                let (_, slot, generation): (_, usize, Generation) = self.limits.remove(place);
                self.give_up(slot, generation);
            }
            Ready::Ghost(slot, place) => self.wander(slot, place),
            Ready::Round => self.round(),
        }
    }

    /// When something will be ready, if nothing else happens.
    pub fn next_event(&self) -> Option<u64> {
        let jobs = (0..self.jobs.len()).map(|place| self.goes_on_at(place)).filter(|at| *at < u64::MAX);
        let timers = self.slots.iter().filter_map(|slot| slot.alive.as_ref()?.timer);
        let timers = timers.map(|(_, at)| self.clock.truth_at(at));
        let links = self.slots.iter().filter_map(|slot| {
            let link = slot.alive.as_ref()?.link?;
            self.network.speaks_at(slot.id, link)
        });
        let dues = self.dues.iter().chain(&self.limits).map(|(at, ..)| *at);
        let stuck = self.slots.iter().flat_map(|slot| slot.alive.iter().chain(&slot.ghosts));
        let stuck = stuck.map(|one| one.stuck_until).filter(|until| *until > self.clock.truth());
        jobs.chain(timers).chain(links).chain(dues).chain(stuck).chain([self.round_at]).min()
    }

    /// Time passes. What is about to be written is written first.
    pub fn pass(&mut self, millis: u64) {
        while let Some(place) = self.jobs.iter().position(|job| job.is_urgent() && job.answer.is_none()) {
            self.execute(place);
        }
        tell!(self, "{millis} ms pass");
        self.clock.advance(millis);
    }

    /// The housekeeper's round.
    fn round(&mut self) {
        self.rounds += 1;
        let (truth, wall) = (self.clock.truth(), self.clock.wall());
        self.round_at = truth + if self.network.well { 10_000 } else { 1_000 };
        if self.outbox.mood() != Mood::Well {
            return;
        }
        let sweep = self.stores.sweep.clone();
        now(sweep.expire(SystemScope, wall, 500)).unwrap();
        if self.rounds.is_multiple_of(5) || self.network.well {
            for session in now(sweep.due(SystemScope, wall)).unwrap() {
                self.ring(self.place(session));
            }
        }
        if self.rounds.is_multiple_of(30) {
            now(sweep.abandon(SystemScope, wall, 500)).unwrap();
            now(sweep.release(SystemScope, wall, 500)).unwrap();
            now(sweep.forget(SystemScope, wall, 500)).unwrap();
        }
    }

    /// One step, as the dice fall.
    pub fn step(&mut self) {
        match self.dice.below(1_000) {
            0..=619 => {
                let ready = self.ready();
                match ready.is_empty() {
                    true => self.wait(),
                    false => {
                        let chosen = self.dice.pick(&ready);
                        self.go_on(chosen);
                    }
                }
            }
            620..=779 => self.wait(),
            780..=919 => self.accept(),
            920..=929 => self.cancel(),
            930..=944 => {
                let slot = self.dice.below(3) as usize;
                let (id, truth, wall) = (self.slots[slot].id, self.clock.truth(), self.clock.wall());
                let what = self.network.trouble(id, truth, wall, &mut self.dice);
                tell!(self, "session {slot}: trouble on the link: {what}");
            }
            945..=948 => {
                let slot = self.dice.below(3) as usize;
                self.hang(slot);
            }
            949..=957 => {
                let slot = self.dice.below(3) as usize;
                tell!(self, "session {slot} crashes");
                self.end(slot);
            }
            958..=962 => self.die(),
            963..=966 => {
                let off =
                    if self.dice.chance(40) { 0 } else { self.dice.below(7_200_000) as i64 - 3_600_000 };
                tell!(self, "the wall clock is set, and is {off} ms wrong");
                self.clock.set_wall(off);
            }
            967..=969 => {
                let asleep = 1_000 + self.dice.below(600_000);
                tell!(self, "the machine sleeps");
                self.pass(asleep);
            }
            970..=977 => self.change_plan(),
            978..=984 => {
                let mood = match self.outbox.mood() {
                    Mood::Well if self.dice.chance(80) => Mood::Away,
                    Mood::Well => Mood::Mute,
                    Mood::Away | Mood::Mute => Mood::Well,
                };
                tell!(self, "the store is {mood:?}");
                self.outbox.set_mood(mood);
            }
            985..=997 => self.verb(),
            _ => {
                let slot = self.dice.below(3) as usize;
                tell!(self, "session {slot} is to restart");
                self.restart(slot);
            }
        }
        self.scan();
    }

    /// People scan codes when they see them.
    pub fn scan(&mut self) {
        for slot in 0..3 {
            let id = self.slots[slot].id;
            if self.network.shows_code(id) && (self.network.well || self.dice.chance(30)) {
                tell!(self, "somebody scans the code of session {slot}");
                self.network.scan(id, self.clock.truth());
            }
        }
    }

    fn wait(&mut self) {
        let truth = self.clock.truth();
        let until = self.next_event().map_or(0, |at| at.saturating_sub(truth));
        let millis = match self.dice.below(10) {
            0..=5 => until.max(1),
            6 | 7 => 1 + self.dice.below(500),
            8 => self.dice.below(5_000),
            _ => self.dice.below(20_000),
        };
        self.pass(millis);
    }

    fn accept(&mut self) {
        let truth = self.clock.truth();
        if self.dice.chance(8) && !self.asked.is_empty() {
            return self.ask_again();
        }
        let slot = self.dice.below(3) as usize;
        let (session, tenant, at) = (self.slots[slot].id, self.slots[slot].tenant, self.clock.wall());
        let plan = self.stores.directory.snapshot().plan_of(tenant).unwrap().clone();
        let number = self.next_message;
        self.next_message += 1;
        let id = MessageId::from(Uuid::from_u128(0x1_0000 + number));
        // Every twentieth to one that answers in its own way, all others to few, so that chats have an order.
        let to = if self.dice.chance(70) {
            NUMBERS[self.dice.below(3) as usize]
        } else {
            self.dice.pick(&NUMBERS)
        };
        let lives = if self.dice.chance(30) { 1_000 + self.dice.below(60_000) } else { 900_000 };
        let send_at = self.dice.chance(15).then(|| WallTime(at.0 + self.dice.below(60_000) as i64));
        let delivery = if self.dice.chance(20) { Delivery::AtMostOnce } else { Delivery::AtLeastOnce };
        let draft = Draft {
            to: Chat::stored(to.to_owned()),
            content: Content::Text(Text { body: "sim".to_owned() }),
            reply_to: None,
            category: Category::Service,
            send_at,
            expires_at: WallTime(at.0 + lives as i64),
            delivery,
            client_ref: None,
        };
        let key = self.dice.chance(50).then(|| format!("key {number}"));
        let metered = self.dice.chance(80);
        let request = Acceptance {
            tenant,
            session,
            id,
            wa_id: WaId(format!("3EB0{number:020}")),
            draft,
            terms: Terms {
                period: month_of(at, Tz::UTC),
                allowance: Allowance { limit: plan.messages_per_month, quota: plan.quota },
                caps: plan.caps(),
                metered,
                strict: false,
            },
            idempotency: key.clone().map(|key| Idempotency { key, fingerprint: [7; 32] }),
            at,
        };
        let asked = Asked { message: id, session, metered, key, request };
        self.ask(asked, truth);
    }

    /// The same request with a key that was used before, under ids of its own as a new request has them.
    fn ask_again(&mut self) {
        let place = self.dice.below(self.asked.len() as u64) as usize;
        let Asked { session, metered, key: Some(ref key), ref request, .. } = self.asked[place] else {
            return;
        };
        let (key, mut request) = (key.clone(), request.clone());
        let number = self.next_message;
        self.next_message += 1;
        request.id = MessageId::from(Uuid::from_u128(0x1_0000 + number));
        request.wa_id = WaId(format!("3EB0{number:020}"));
        request.at = self.clock.wall();
        let asked = Asked { message: request.id, session, metered, key: Some(key), request };
        self.ask(asked, self.clock.truth());
    }

    fn ask(&mut self, asked: Asked, truth: u64) {
        let answer = now(self.outbox.accept(asked.request.clone()));
        tell!(self, "a client asks for {}: {:?}", asked.message, answer.as_ref().map(Created::is_replayed));
        let (session, to) = (asked.session, asked.request.draft.to.clone());
        self.asked.push(asked);
        let Ok(created) = answer else { return };
        let is_new = !created.is_replayed();
        let message = created.into_inner().id;
        self.accepted.push(AcceptedLine { message, session, to, wall: super::clock::dated(truth) });
        if is_new && self.dice.chance(90) {
            self.ring(self.place(session));
        }
    }

    fn cancel(&mut self) {
        if self.accepted.is_empty() || self.outbox.mood() != Mood::Well {
            return;
        }
        let place = self.dice.below(self.accepted.len() as u64) as usize;
        let (message, session) = (self.accepted[place].message, self.accepted[place].session);
        let scope = TenantScope::authenticated(self.slots[self.place(session)].tenant);
        let answer = now(self.stores.messages.cancel(scope, message, self.clock.wall()));
        tell!(self, "a client takes {message} back: {}", answer.is_ok());
    }

    /// The process dies, perhaps with its machine, and comes back after a while.
    fn die(&mut self) {
        tell!(self, "the process dies");
        self.kill();
        if self.dice.chance(30) {
            self.pass(self.clock.truth() % 7_000);
            self.clock.reboot();
            tell!(self, "the machine has started again");
        }
        let down = 200 + self.dice.below(5_000);
        self.pass(down);
        // A store that is away when its server starts ends the process; the next one finds it well.
        self.outbox.set_mood(Mood::Well);
        self.round_at = self.clock.truth() + 1_000;
        self.boot();
    }

    fn change_plan(&mut self) {
        if self.outbox.mood() != Mood::Well {
            return;
        }
        let number = self.dice.below(2) as usize;
        let mut dice = super::dice::Dice::new(self.dice.below(u64::MAX));
        let plan = self.draw_plan(number, &mut dice);
        // A sum that is taken away and set again at once is a known limit of `MemoryWindows`.
        let has_none = |line: &&columba::history::record::CapLine| line.per_minute_tenant.is_none();
        let last = self.caps.iter().rev().find(|line| line.tenant == self.tenants[number]).filter(has_none);
        if last.is_some_and(|line| self.clock.true_wall().since(line.from).as_millis() <= 4_000) {
            return;
        }
        tell!(
            self,
            "tenant {number} may send {} and {:?} a minute",
            plan.messages_per_minute,
            plan.messages_per_minute_tenant
        );
        now(self.stores.directory.put_plan(plan.clone(), self.clock.wall())).unwrap();
        self.caps.push(cap_line(self.tenants[number], &plan, &self.clock));
        for slot in 0..3 {
            if self.slots[slot].tenant == self.tenants[number] && self.dice.chance(80) {
                self.ring(slot);
            }
        }
    }

    fn verb(&mut self) {
        let slot = self.dice.below(3) as usize;
        let desired = match self.dice.below(10) {
            0 => Desired::LoggedOut,
            1..=3 => Desired::Stopped,
            _ => Desired::Running,
        };
        tell!(self, "session {slot} is to be {desired}");
        self.want(slot, desired);
    }

    /// Jobs under way, for whoever waits for none.
    pub fn has_jobs(&self) -> bool {
        self.jobs.iter().any(|job: &Job| !matches!(job.what, super::jobs::What::Ping { .. }))
    }
}
