//! A million sliding windows: the real dispatch under caps of hundreds a minute, with owners that die in the middle of a
//! claim, machines that start again, clocks that go back, and plans that are lowered and raised.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use columba::actors::session::dispatch::Dispatch;
use columba::actors::session::machine::Effect;
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::message::{Delivery, MessageStatus, WaId};
use columba::domain::plan::{Caps, Pacing};
use columba::domain::session::{Epoch, Lease, SessionStatus};
use columba::domain::time::{BootId, Moment, Reading, WallTime};
use columba::domain::window::SPAN;
use columba::history::History;
use columba::history::check::{Terms, check};
use columba::history::record::{AttemptLine, CapLine, FrameLine, SessionLine};
use columba::history::verdict::Counts;
use columba::outbound::attempt::End;
use columba::ports::outbox::{Claimed, Pending, Position, Work};
use uuid::Uuid;

use super::clock::{START, dated};
use super::dice::Dice;
use super::sum;

const PLANS: u64 = 20;
const SESSIONS: u64 = 3;
const LASTS: u64 = 30 * 60_000;
const WANTED: u64 = 1_000_000;

/// What a plan allows from when on, in true time.
fn draw_plan(dice: &mut Dice) -> Vec<(u64, u32)> {
    let mut changes = vec![(0, 200 + dice.below(1_200) as u32)];
    let mut at = 0;
    while at < LASTS {
        at += 20_000 + dice.below(600_000);
        changes.push((at, 100 + dice.below(1_300) as u32));
    }
    changes
}

/// One attempt in the durable log.
struct Logged {
    truth: u64,
    at: Reading,
}

struct Sender<'a> {
    dice: Dice,
    plan: &'a [(u64, u32)],
    truth: u64,
    /// What the two clocks show beyond true time, and in which boot.
    moment_off: i64,
    wall_off: i64,
    boot: u128,
    epoch: i64,
    log: Vec<Logged>,
    frames: Vec<(u64, i64)>,
    read: i64,
    dispatch: Dispatch,
}

fn caps(per_minute: u32) -> Caps {
    Caps {
        per_minute: NonZeroU32::new(per_minute).unwrap(),
        per_minute_tenant: None,
        pacing: Pacing::None,
        first_contacts_per_day: None,
        queue_max: 100,
        sessions_max: 1,
        silent: false,
    }
}

impl<'a> Sender<'a> {
    fn new(plan: &'a [(u64, u32)], seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            plan,
            truth: 0,
            moment_off: 3_600_000,
            wall_off: 0,
            boot: 1,
            epoch: 0,
            log: vec![],
            frames: vec![],
            read: 0,
            dispatch: Dispatch::new(caps(plan[0].1), Moment(3_600_000), seed),
        }
    }

    fn at(&self) -> Reading {
        let now = Moment((self.truth as i64 + self.moment_off) as u64);
        Reading { now, wall: WallTime(START + self.truth as i64 + self.wall_off), boot: BootId(self.boot) }
    }

    fn cap(&self) -> u32 {
        self.plan.iter().rev().find(|(from, _)| *from <= self.truth).expect("it begins at zero").1
    }

    /// A new owner, with what the store says of the ones before.
    fn recall(&mut self) {
        self.epoch += 1;
        let at = self.at();
        let is_new = at.now < Moment::default() + SPAN;
        let foreign =
            |logged: &Logged| logged.at.boot != at.boot && (is_new || logged.at.wall >= at.wall - SPAN);
        let attempts = match self.log.iter().any(foreign) {
            true => None,
            false => {
                let own = self.log.iter().filter(|logged| logged.at.boot == at.boot);
                let recent = own.map(|logged| logged.at.now).filter(|&one| at.now.since(one) < SPAN);
                Some(recent.collect())
            }
        };
        self.dispatch = Dispatch::new(caps(self.cap()), at.now, 0);
        self.dispatch.begin(attempts, at.now);
        self.dispatch.recovered();
    }

    fn live(mut self) -> Self {
        self.recall();
        while self.truth < LASTS {
            match self.dice.below(200_000) {
                0..=200 => self.recall(),
                201..=205 => {
                    // Down for a moment or for a minute; the boot-time clock begins anew.
                    self.truth += self.dice.below(90_000);
                    self.moment_off = -(self.truth as i64);
                    self.boot += 1;
                    self.recall();
                }
                206..=208 => self.moment_off -= self.dice.below(30_000).min(self.truth / 2) as i64,
                209..=212 => self.wall_off = self.dice.below(7_200_000) as i64 - 3_600_000,
                213..=230 => self.truth += self.dice.below(10_000),
                _ => {}
            }
            let at = self.at();
            self.dispatch.bind(caps(self.cap()), at.now);
            if self.dispatch.waiting() < 50 {
                self.dispatch.ring();
            }
            let (effects, again) = self.dispatch.pump(at, None);
            if effects.is_empty() {
                self.truth += again.map_or(1_000, |moment| moment.since(at.now).as_millis() as u64).max(1);
            }
            effects.into_iter().for_each(|effect| self.perform(effect));
        }
        self
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Read { .. } => {
                let at = self.at();
                let rows = (0..400).map(|_| self.next_row(at.wall)).collect();
                self.dispatch.read(at, Ok(rows));
            }
            Effect::Claim { message, at, .. } => {
                // A commit, at times a slow one.
                let took = if self.dice.chance(1) { self.dice.below(1_500) } else { self.dice.below(4) };
                let truth = self.truth;
                self.truth += took;
                if self.dice.below(2_000) == 0 {
                    // The owner dies meanwhile: the row is written or not, and nobody hears of it.
                    if self.dice.chance(50) {
                        self.log.push(Logged { truth, at });
                    }
                    return self.recall();
                }
                self.log.push(Logged { truth, at });
                let work = Work {
                    lease: Lease {
                        tenant: Uuid::from_u128(1).into(),
                        session: Uuid::from_u128(2).into(),
                        epoch: Epoch(self.epoch),
                    },
                    message,
                    number: 1,
                    wa_id: WaId(String::new()),
                    to: Chat::stored(String::new()),
                    content: Content::Text(Text { body: String::new() }),
                    reply_to: None,
                    referred: None,
                    delivery: Delivery::AtLeastOnce,
                    claimed_at: at.now,
                };
                let effects = self.dispatch.claimed(self.at(), Ok(Claimed::Work(work)), true);
                effects.into_iter().for_each(|effect| self.perform(effect));
            }
            Effect::Attempt(work) => {
                // On its way for less than a second.
                let way = if self.dice.chance(1) { self.dice.below(900) } else { self.dice.below(5) };
                self.frames.push((self.truth + way, work.lease.epoch.0));
                self.dispatch.ended(self.at(), work.message, 1, End::Settled);
            }
            Effect::GiveBack { message, number } => {
                self.dispatch.ended(self.at(), message, number, End::Settled);
            }
            other => panic!("{other:?} is none of a dispatch's business here"),
        }
    }

    fn next_row(&mut self, wall: WallTime) -> Pending {
        self.read += 1;
        Pending {
            message: Uuid::from_u128(self.read as u128).into(),
            position: Position(self.read),
            chat: Chat::stored(format!("+1555123{:04}", self.read % 16)),
            not_before: wall,
            scheduled: false,
            attempts: 0,
            status: MessageStatus::Queued,
        }
    }

    /// By the true clock only: that is what a receiver counts by.
    fn history(self) -> History {
        let (tenant, session) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
        let mut history = History::default();
        let mut frames = self.frames;
        frames.sort_unstable();
        history.frames = frames
            .into_iter()
            .zip(1..)
            .map(|((at, _), seq)| FrameLine {
                seq,
                at: dated(at),
                session,
                wa_id: WaId(String::new()),
                to: Chat::stored(String::new()),
                epoch: Epoch(1),
            })
            .collect();
        history.attempts = self
            .log
            .into_iter()
            .zip(1..)
            .map(|(logged, ord)| AttemptLine {
                ord,
                message: Uuid::from_u128(ord as u128).into(),
                number: 1,
                session,
                tenant,
                epoch: Epoch(1),
                boot: Uuid::from_u128(1),
                moment: logged.truth + 3_600_000,
                wall: dated(logged.truth),
            })
            .collect();
        history.caps = self
            .plan
            .iter()
            .map(|&(from, per_minute)| CapLine {
                tenant,
                from: dated(from),
                per_minute,
                per_minute_tenant: None,
            })
            .collect();
        history.sessions.push(SessionLine {
            id: session,
            tenant,
            epoch: Epoch(1),
            status: SessionStatus::Connected,
            since: dated(0),
            deleted: false,
        });
        history
    }
}

#[test]
fn a_million_sliding_windows_hold_no_more_than_their_cap() {
    let all = Mutex::new(Counts::default());
    thread::scope(|scope| {
        for half in 0..2 {
            let all = &all;
            scope.spawn(move || {
                for number in (0..PLANS).filter(|number| number % 2 == half) {
                    let plan = draw_plan(&mut Dice::new(number));
                    for session in 0..SESSIONS {
                        let sender = Sender::new(&plan, number * SESSIONS + session);
                        let verdict = check(&sender.live().history(), Terms { slack: Duration::ZERO });
                        let shown: Vec<_> = verdict.violations.iter().map(ToString::to_string).collect();
                        assert!(shown.is_empty(), "plan {number}, session {session}: {}", shown.join("\n"));
                        sum(&mut all.lock().unwrap(), verdict.counts);
                    }
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    println!("{PLANS} plans of {SESSIONS} sessions for {} minutes each: {all:?}", LASTS / 60_000);
    assert!(all.windows >= WANTED, "{all:?}");
}
