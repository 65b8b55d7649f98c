//! The machine of one endpoint's courier, told facts in every order.

use std::collections::BTreeMap;
use std::time::Duration;

use columba::actors::couriers::machine::{Effect, Input, Machine, STORE_PAUSE};
use columba::domain::id::{DeliveryId, EventId, TenantId};
use columba::domain::time::{Jitter, WallTime};
use columba::domain::webhook::{Attempt, DeliveryStatus, Subject, TEST, Webhook, WebhookEvent};
use columba::ports::webhooks::{Parcel, Settled, Work};
use columba::webhooks::verdict::{Answer, TOO_OLD};
use proptest::prelude::*;

use crate::support::webhooks::webhook;

const START: WallTime = WallTime(1_795_341_600_000);

/// What the store holds of one delivery.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    status: DeliveryStatus,
    attempts: u32,
    due: WallTime,
    since: WallTime,
}

/// A machine, the store it works on, and the jobs it has asked for and that have not ended.
struct World {
    now: WallTime,
    webhook: Webhook,
    siblings: u32,
    rows: BTreeMap<DeliveryId, Row>,
    /// None while no courier is there, as between an end and the next ring.
    machine: Option<Machine>,
    /// What was read when it was asked for, to be answered late.
    loads: Vec<Option<Work>>,
    under_way: Vec<Parcel>,
    settling: Vec<Settled>,
    burying: Vec<WallTime>,
    active: bool,
    seen: Vec<String>,
}

impl World {
    fn new(siblings: u32) -> Self {
        let webhook = webhook(TenantId::mint(START), "https://a.example.com/", START);
        Self {
            now: START,
            machine: None,
            webhook,
            siblings,
            rows: BTreeMap::new(),
            loads: vec![],
            under_way: vec![],
            settling: vec![],
            burying: vec![],
            active: true,
            seen: vec![],
        }
    }

    fn read(&self, under_way: &[DeliveryId]) -> Option<Work> {
        let pending = self.rows.iter().filter(|(_, row)| row.status == DeliveryStatus::Pending);
        let (due, later): (Vec<_>, Vec<_>) = pending.partition(|(_, row)| row.due <= self.now);
        let mut due: Vec<_> = due.into_iter().filter(|(id, _)| !under_way.contains(id)).collect();
        due.sort_by_key(|(id, row)| (row.due, **id));
        let more = due.len() > 4;
        due.truncate(4);
        let parcels = due.into_iter().map(|(&delivery, row)| Parcel {
            delivery,
            attempts: row.attempts,
            since: row.since,
            event: WebhookEvent {
                id: EventId::mint(row.since),
                tenant: self.webhook.tenant,
                seq: None,
                at: row.since,
                kind: TEST.into(),
                session: None,
                subject: Subject::Test,
            },
        });
        self.active.then(|| Work {
            webhook: self.webhook.clone(),
            siblings: self.siblings,
            parcels: parcels.collect(),
            more,
            next_due: later.iter().map(|(_, row)| row.due).min(),
        })
    }

    /// As the keeper does: a ring without a courier begins one.
    fn ring(&mut self) {
        if self.machine.is_none() {
            self.machine = Some(Machine::new(self.webhook.id));
        }
        self.tell(Input::Rung);
    }

    fn tell(&mut self, input: Input) {
        self.seen.push(format!("{} {input:?}", self.now.0 - START.0));
        let Some(machine) = &mut self.machine else { return };
        let effects = machine.on(self.now, Jitter::NONE, input);
        for effect in effects {
            match effect {
                Effect::Load(under_way) => {
                    assert!(self.loads.is_empty(), "one read at a time");
                    self.loads.push(self.read(&under_way));
                }
                Effect::Attempt(parcel) => {
                    let row = self.rows[&parcel.delivery];
                    assert!(self.active, "nothing is begun for one that is disabled");
                    assert_eq!(row.status, DeliveryStatus::Pending, "nothing is sent that is at rest");
                    assert_eq!(row.attempts, parcel.attempts, "nor what was tried since it was read");
                    assert!(self.now.since(row.since) <= TOO_OLD, "nor what is too old");
                    assert!(
                        self.under_way.iter().all(|one| one.delivery != parcel.delivery),
                        "nor twice at once"
                    );
                    assert!(self.settling.iter().all(|one| one.delivery != parcel.delivery));
                    self.under_way.push(*parcel);
                    assert!(self.under_way.len() as u32 <= 8 / self.siblings, "its share of eight");
                }
                Effect::Settle(settled) => self.settling.push(*settled),
                Effect::Bury(before) => self.burying.push(before),
                Effect::Disable(_) => self.disable(),
                Effect::End => {
                    assert!(self.under_way.is_empty() && self.settling.is_empty() && self.burying.is_empty());
                    let waits = self.rows.values().any(|row| row.status == DeliveryStatus::Pending);
                    assert!(!waits || !self.active, "nobody leaves while something waits");
                    self.machine = None;
                    self.loads.clear();
                }
            }
        }
    }

    fn disable(&mut self) {
        self.active = false;
        for row in self.rows.values_mut().filter(|row| row.status == DeliveryStatus::Pending) {
            row.status = DeliveryStatus::Dead;
        }
    }

    fn event(&mut self) {
        let id = DeliveryId::mint(self.now);
        let status = if self.active { DeliveryStatus::Pending } else { DeliveryStatus::Skipped };
        self.rows.insert(id, Row { status, attempts: 0, due: self.now, since: self.now });
        if self.active {
            self.ring();
        }
    }

    fn finish_load(&mut self) -> bool {
        let Some(read) = self.loads.pop() else { return false };
        self.tell(read.map_or(Input::Closed, |work| Input::Loaded(Box::new(work))));
        true
    }

    fn finish_attempt(&mut self, which: usize, answer: Answer) -> bool {
        if self.under_way.is_empty() {
            return false;
        }
        let parcel = self.under_way.remove(which % self.under_way.len());
        let attempt = Attempt {
            number: 0,
            at: self.now,
            duration_ms: 1,
            url: String::new(),
            status: None,
            error: None,
            body: String::new(),
        };
        self.tell(Input::Answered(parcel.delivery, attempt, answer));
        true
    }

    fn finish_settle(&mut self, which: usize) -> bool {
        if self.settling.is_empty() {
            return false;
        }
        let settled = self.settling.remove(which % self.settling.len());
        self.webhook.health = settled.health;
        let row = self.rows.get_mut(&settled.delivery).unwrap();
        if row.status == DeliveryStatus::Pending {
            row.status = settled.status;
            row.attempts = settled.attempt.number;
            row.due = settled.due_at.unwrap_or(row.due);
        }
        self.tell(Input::Settled(settled.delivery));
        true
    }

    fn finish_bury(&mut self) -> bool {
        let Some(before) = self.burying.pop() else { return false };
        for row in self.rows.values_mut() {
            if row.status == DeliveryStatus::Pending && row.since < before {
                row.status = DeliveryStatus::Dead;
            }
        }
        self.tell(Input::Buried);
        true
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tell(Input::Due);
    }

    /// Everything goes well from now on: whatever waits is delivered or given up, and the courier leaves.
    fn ends_well(&mut self) {
        for _ in 0..10_000 {
            let busy = self.finish_load()
                || self.finish_attempt(0, Answer::Taken)
                || self.finish_settle(0)
                || self.finish_bury();
            if busy {
                continue;
            }
            let Some(machine) = &self.machine else { break };
            let wake = machine.wake_at(self.now);
            let wake = wake.unwrap_or_else(|| panic!("it waits for nothing: {machine:?}\n{:#?}", self.seen));
            self.now = self.now.max(wake);
            self.tell(Input::Due);
        }
        assert!(self.machine.is_none(), "it goes on for ever: {:#?}", self.machine);
        let waits = self.rows.values().any(|row| row.status == DeliveryStatus::Pending);
        assert!(!waits, "{:#?}", self.rows);
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        4 => Just(Answer::Taken),
        8 => Just(Answer::Failed { retry_after: None }),
        1 => Just(Answer::Failed { retry_after: Some(Duration::from_secs(600)) }),
        1 => Just(Answer::Gone),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Event,
    Ring,
    Load,
    LoadFails,
    Answer(usize, Answer),
    Settle(usize),
    Bury,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Event),
        1 => Just(Step::Ring),
        8 => Just(Step::Load),
        1 => Just(Step::LoadFails),
        10 => (0..8usize, answer()).prop_map(|(which, answer)| Step::Answer(which, answer)),
        8 => (0..8usize).prop_map(Step::Settle),
        2 => Just(Step::Bury),
        4 => prop_oneof![4 => 0..2_000u64, 2 => 2_000..120_000u64, 1 => 120_000..90_000_000u64].prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_nothing_is_sent_twice_at_once_and_all_of_it_comes_to_rest(
        siblings in 1..9u32,
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut world = World::new(siblings);
        for step in steps {
            match step {
                Step::Event => world.event(),
                Step::Ring => world.ring(),
                Step::Load => drop(world.finish_load()),
                Step::LoadFails => {
                    if world.loads.pop().is_some() {
                        world.tell(Input::NotLoaded);
                    }
                }
                Step::Answer(which, answer) => drop(world.finish_attempt(which, answer)),
                Step::Settle(which) => drop(world.finish_settle(which)),
                Step::Bury => drop(world.finish_bury()),
                Step::Wait(millis) => world.wait(Duration::from_millis(millis)),
            }
        }
        world.ends_well();
    }

    #[test]
    fn a_process_that_ends_begins_nothing_new_and_waits_for_what_is_under_way(
        events in 1..20usize,
        loaded in any::<bool>(),
    ) {
        let mut world = World::new(1);
        for _ in 0..events {
            world.event();
        }
        if loaded {
            world.finish_load();
        }
        let begun = world.under_way.len();
        world.active = false; // whatever is begun now is an error
        world.tell(Input::Stop);
        for _ in 0..begun {
            world.finish_attempt(0, Answer::Taken);
            world.finish_settle(0);
        }
        prop_assert!(world.machine.is_none());
    }
}

#[test]
fn a_store_that_does_not_answer_is_asked_again_after_a_pause_and_not_in_a_loop() {
    let mut world = World::new(1);
    world.event();
    world.finish_load();
    world.finish_attempt(0, Answer::Failed { retry_after: None });
    world.finish_settle(0);
    world.finish_load();
    world.wait(Duration::from_secs(5));
    assert!(world.loads.pop().is_some(), "it is due again");
    world.tell(Input::NotLoaded);
    let wake = world.machine.as_ref().unwrap().wake_at(world.now).unwrap();
    assert_eq!(wake.since(world.now), STORE_PAUSE);
    world.ends_well();
}
