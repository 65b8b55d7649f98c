//! Two stores that are told the same end up the same, whatever it is they are told.

use std::time::Duration;

use chrono_tz::Tz;
use columba::billing::period::month_of;
use columba::domain::id::{MessageId, SuppressionId, WebhookId};
use columba::domain::message::{
    Delivery, Direction, Letter, Message, MessageReason, MessageStatus, ReceiptKind, WaId,
};
use columba::domain::page::Page;
use columba::domain::restraint::Approach;
use columba::domain::scope::SystemScope;
use columba::domain::session::{Lease, Restriction, RestrictionKind, SessionCounters};
use columba::domain::time::{Period, WallTime};
use columba::domain::webhook::{
    Attempt, Delivery as Posted, DeliveryStatus, Health, Subject, WebhookReason, WebhookStatus,
};
use columba::domain::window::SPAN;
use columba::ports::clock::Clock as _;
use columba::ports::messages::MessageFilter;
use columba::ports::outbox::{Acceptance, Claim, Claimed, Inbound, Outcome, Receipt, Settlement};
use columba::ports::webhooks::{Parcel, Range, Settled};
use proptest::prelude::*;

use super::stage::{Stage, chat, idempotency, phone, text};
use super::{Backend, Fixture};
use crate::support::webhooks::webhook;

/// Correspondents. Few, so that their messages get in each other's way.
const CHATS: [&str; 2] = ["+15551230001", "+15551230002"];

/// What may happen. A message is named by the order of its acceptance, a session by 0 or 1.
#[derive(Debug, Clone)]
enum Deed {
    Accept {
        session: usize,
        chat: usize,
        once: bool,
        delay: Option<u64>,
        lives: u64,
        key: Option<u8>,
    },
    Claim {
        message: usize,
        locked: Option<u64>,
        /// So many strangers a day, and whether their numbers are to be known.
        restrained: Option<(u32, bool)>,
    },
    /// What the network says of a number.
    Account {
        chat: usize,
        has: bool,
    },
    Suppress {
        chat: usize,
        wanted: bool,
    },
    Settle {
        message: usize,
        outcome: usize,
        number: Option<u32>,
    },
    Receipt {
        message: usize,
        kind: ReceiptKind,
    },
    GiveBack {
        message: usize,
        number: u32,
    },
    Inbound {
        session: usize,
        chat: usize,
        wa_id: u8,
        says: usize,
    },
    TakeOver {
        session: usize,
        recovers: bool,
    },
    Cancel {
        message: usize,
    },
    CancelAll {
        session: usize,
    },
    Unpair {
        session: usize,
    },
    Pair {
        session: usize,
    },
    Wait {
        secs: u64,
    },
    Sweep {
        limit: u32,
    },
    /// What an endpoint's courier or its tenant does.
    Webhook {
        what: usize,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    let (session, chat, message) = (0..2usize, 0..2usize, 0..12usize);
    let accept = (
        session.clone(),
        chat.clone(),
        any::<bool>(),
        prop::option::weighted(0.2, 1..200u64),
        prop_oneof![1 => 1..600u64, 4 => Just(86_400)],
        prop::option::weighted(0.3, 0..4u8),
    );
    let accept = accept.prop_map(|(session, chat, once, delay, lives, key)| Deed::Accept {
        session,
        chat,
        once,
        delay,
        lives,
        key,
    });
    let kind = prop_oneof![Just(ReceiptKind::Server), Just(ReceiptKind::Delivered), Just(ReceiptKind::Read)];
    let restrained = prop::option::weighted(0.3, (0..3u32, any::<bool>()));
    let claim = (message.clone(), prop::option::weighted(0.2, 1..300u64), restrained);
    let says = prop_oneof![4 => Just(0usize), 1 => Just(1), 2 => Just(2)];
    let settle = (message.clone(), 0..6usize, prop::option::weighted(0.1, 0..4u32));
    prop_oneof![
        8 => accept,
        10 => claim.prop_map(|(message, locked, restrained)| Deed::Claim { message, locked, restrained }),
        1 => (chat.clone(), any::<bool>()).prop_map(|(chat, has)| Deed::Account { chat, has }),
        1 => (chat.clone(), any::<bool>()).prop_map(|(chat, wanted)| Deed::Suppress { chat, wanted }),
        8 => settle.prop_map(|(message, outcome, number)| Deed::Settle { message, outcome, number }),
        4 => (message.clone(), kind).prop_map(|(message, kind)| Deed::Receipt { message, kind }),
        1 => (message.clone(), 1..3u32).prop_map(|(message, number)| Deed::GiveBack { message, number }),
        2 => (session.clone(), chat, 0..3u8, says)
            .prop_map(|(session, chat, wa_id, says)| Deed::Inbound { session, chat, wa_id, says }),
        3 => (session.clone(), any::<bool>())
            .prop_map(|(session, recovers)| Deed::TakeOver { session, recovers }),
        2 => message.prop_map(|message| Deed::Cancel { message }),
        1 => session.clone().prop_map(|session| Deed::CancelAll { session }),
        1 => session.clone().prop_map(|session| Deed::Unpair { session }),
        2 => session.prop_map(|session| Deed::Pair { session }),
        5 => prop_oneof![6 => 1..120u64, 1 => 900..1_000u64, 1 => Just(86_401)]
            .prop_map(|secs| Deed::Wait { secs }),
        2 => (1..4u32).prop_map(|limit| Deed::Sweep { limit }),
        6 => (0..9usize).prop_map(|what| Deed::Webhook { what }),
    ]
}

/// One store, and what was done to it so far.
struct World {
    stage: Stage,
    leases: [Lease; 2],
    /// In order of acceptance.
    messages: Vec<Message>,
    /// One that hears of everything, and one of the second session only.
    webhooks: [WebhookId; 2],
}

/// How a store stands: what a tenant can see of it.
type View = (Vec<Message>, Option<(u64, u64, u64)>, Vec<SessionCounters>, Vec<String>);

impl World {
    async fn new(backend: Backend) -> Self {
        let stage = Stage::on(Fixture::of(backend).await).await;
        let leases = [stage.lease, stage.sibling().await];
        let all = webhook(stage.tenant, "https://all.example.com/", stage.now());
        let mut some = webhook(stage.tenant, "https://some.example.com/", stage.now());
        some.sessions = vec![leases[1].session];
        let webhooks = [all.id, some.id];
        for one in [all, some] {
            stage.webhooks.create(stage.scope(), one, 8, None).await.unwrap();
        }
        Self { stage, leases, messages: vec![], webhooks }
    }

    fn message(&self, at: usize) -> Option<&Message> {
        self.messages.get(at)
    }

    /// Does it, and tells how it was answered.
    async fn perform(&mut self, deed: &Deed, mold: Option<&Acceptance>) -> (String, Option<Acceptance>) {
        let (outbox, now) = (&self.stage.outbox, self.stage.now());
        let answer = match *deed {
            Deed::Accept { .. } => {
                let asked = match mold {
                    Some(mold) => self.recast(mold, deed),
                    None => self.asked(deed),
                };
                let answer = outbox.accept(asked.clone()).await;
                if let Ok(created) = &answer
                    && !created.is_replayed()
                {
                    self.messages.push(created.clone().into_inner());
                }
                let answer = answer.map(|created| (created.is_replayed(), created.into_inner().id));
                return (format!("{:?}", answer.map_err(|error| error.to_string())), Some(asked));
            }
            Deed::Claim { message, locked, restrained } => match self.message(message) {
                None => "nothing".into(),
                Some(message) => {
                    let kind = RestrictionKind::Timelock;
                    let lock = locked.map(|secs| Restriction { kind, until: self.stage.in_secs(secs) });
                    let (lease, at) = (self.lease_of(message), self.stage.fixture.clock.read());
                    let approach = restrained.map(|(most, check)| Approach { per_day: Some(most), check });
                    let claim = Claim { lease, message: message.id, at, lock, approach };
                    match outbox.claim(claim).await {
                        Ok(Claimed::Work(work)) => format!("work {}", work.number),
                        // When a busy chat is asked again is each store's own guess.
                        Ok(Claimed::NotYet { .. }) => "not yet".into(),
                        other => format!("{other:?}"),
                    }
                }
            },
            Deed::Settle { message, outcome, number } => match self.message(message) {
                None => "nothing".into(),
                Some(message) => {
                    let attempts = self.stage.message(message.id).await.attempts;
                    let settlement = Settlement {
                        tenant: self.stage.tenant,
                        message: message.id,
                        number: number.unwrap_or(attempts),
                        outcome: self.outcome(outcome),
                        at: now,
                    };
                    format!("{:?}", outbox.settle(settlement).await)
                }
            },
            Deed::Receipt { message, kind } => match self.message(message) {
                None => "nothing".into(),
                Some(message) => {
                    let receipt = Receipt { wa_id: message.wa_id.clone(), kind, at: now };
                    format!("{:?}", outbox.receipt(self.lease_of(message), receipt).await)
                }
            },
            Deed::GiveBack { message, number } => match self.message(message) {
                None => "nothing".into(),
                Some(message) => {
                    format!("{:?}", outbox.give_back(self.lease_of(message), message.id, number).await)
                }
            },
            Deed::Account { chat, has } => {
                let answer =
                    self.stage.contacts.note_account(self.stage.tenant, phone(CHATS[chat]), has, now).await;
                format!("{answer:?}")
            }
            Deed::Suppress { chat, wanted } => self.suppress(chat, wanted).await,
            Deed::Inbound { session, chat, wa_id, says } => {
                let inbound = Inbound {
                    id: MessageId::mint(now),
                    letter: Letter::from_person(
                        WaId(format!("IN{wa_id}")),
                        self::chat(CHATS[chat]),
                        text(["hi", "Stop!", "START"][says]),
                    ),
                    at: now,
                };
                format!("{:?}", outbox.inbound(self.leases[session], inbound).await)
            }
            Deed::TakeOver { session, recovers } => {
                let reading = self.stage.fixture.clock.read();
                let memory = outbox.recall(self.leases[session].session, reading).await.unwrap();
                self.leases[session] = memory.lease;
                let mut attempts = memory.attempts.unwrap();
                // One that is exactly a span old delays nobody: it may be told or not.
                attempts.retain(|&attempt| reading.now.since(attempt) < SPAN);
                attempts.sort();
                let recovered = if recovers { Some(outbox.recover(memory.lease, now).await) } else { None };
                format!("{:?} {attempts:?} {recovered:?}", memory.lease.epoch)
            }
            Deed::Cancel { message } => match self.message(message) {
                None => "nothing".into(),
                Some(message) => {
                    let answer = self.stage.messages.cancel(self.stage.scope(), message.id, now).await;
                    format!("{}", answer.is_ok())
                }
            },
            Deed::CancelAll { session } => {
                let session = self.leases[session].session;
                format!("{:?}", self.stage.messages.cancel_all(self.stage.scope(), session, now).await)
            }
            Deed::Unpair { session } | Deed::Pair { session } => {
                let paired = matches!(deed, Deed::Pair { .. });
                let lease = self.leases[session];
                format!("{:?}", self.stage.sessions.set_paired(lease, paired, now).await)
            }
            Deed::Wait { secs } => {
                self.stage.wait_secs(secs);
                String::new()
            }
            Deed::Sweep { limit } => {
                let sweep = &self.stage.sweep;
                let expired =
                    drain(limit, async || sweep.expire(SystemScope, now, limit).await.unwrap()).await;
                let abandoned =
                    drain(limit, async || sweep.abandon(SystemScope, now, limit).await.unwrap()).await;
                let released =
                    drain(limit, async || sweep.release(SystemScope, now, limit).await.unwrap()).await;
                let forgotten =
                    drain(limit, async || sweep.forget(SystemScope, now, limit).await.unwrap()).await;
                let due = sweep.due(SystemScope, now).await.unwrap();
                let due: Vec<_> = self.leases.iter().map(|lease| due.contains(&lease.session)).collect();
                let webhooks = &self.stage.webhooks;
                let old =
                    drain(limit, async || webhooks.forget(SystemScope, now, limit).await.unwrap()).await;
                format!("{expired} {abandoned} {released} {forgotten} {due:?} {old}")
            }
            Deed::Webhook { what } => self.tend(what).await,
        };
        (answer, None)
    }

    /// Suppresses a number, or takes back the wish that stands; whose it was.
    async fn suppress(&self, chat: usize, wanted: bool) -> String {
        let (contacts, scope, now) = (&self.stage.contacts, self.stage.scope(), self.stage.now());
        let number = phone(CHATS[chat]);
        if wanted {
            let made = contacts.suppress(scope, SuppressionId::mint(now), number, now).await.unwrap();
            return format!("{} {:?}", made.by, made.since);
        }
        let all = contacts.suppressions(scope, Page { limit: 200, before: None }).await.unwrap().rows;
        let Some(one) = all.into_iter().find(|one| one.phone.as_str() == CHATS[chat]) else {
            return "nothing".into();
        };
        format!("{} {:?}", one.by, contacts.allow(scope, one.id).await.map_err(|error| error.to_string()))
    }

    /// Delivers, fails, disables, enables, repeats: told as far as two stores must agree.
    async fn tend(&self, what: usize) -> String {
        let (store, scope, now) = (&self.stage.webhooks, self.stage.scope(), self.stage.now());
        let id = self.webhooks[what % 2];
        let work = store.work(SystemScope, id, now, &[], 3).await.unwrap();
        let Some(work) = work else {
            let mut one = store.get(scope, id).await.unwrap().unwrap();
            one.status = WebhookStatus::Active;
            let one = store.put(scope, one, now).await.unwrap();
            return format!("enabled {} {:?}", one.revision, one.health);
        };
        match what / 2 {
            0 | 1 => {
                let taken = what < 2;
                let mut told = format!("{} {:?} {}", work.more, work.next_due, work.siblings);
                for parcel in work.parcels {
                    told += &tale(&parcel);
                    let attempt = Attempt {
                        number: parcel.attempts + 1,
                        at: now,
                        duration_ms: 5,
                        url: work.webhook.url.clone(),
                        status: Some(if taken { 200 } else { 500 }),
                        error: None,
                        body: "said \"so\"\n".into(),
                    };
                    let settled = Settled {
                        webhook: id,
                        health: Health { failures: u32::from(!taken), ..Health::default() },
                        delivery: parcel.delivery,
                        status: if taken { DeliveryStatus::Delivered } else { DeliveryStatus::Pending },
                        reason: None,
                        due_at: (!taken).then(|| self.stage.in_secs(20)),
                        attempt,
                    };
                    store.settle(SystemScope, settled).await.unwrap();
                }
                told
            }
            2 => format!("{:?}", store.disable(SystemScope, id, WebhookReason::Failing, now).await),
            3 => {
                let statuses = vec![DeliveryStatus::Dead, DeliveryStatus::Skipped, DeliveryStatus::Delivered];
                let range =
                    Range { from: now - Duration::from_secs(300), to: self.stage.in_secs(1), statuses };
                let made = store.redeliver_range(scope, id, range, now, None).await;
                format!("{:?}", made.map(|made| made.into_inner().count))
            }
            _ => format!("{:?}", store.bury(SystemScope, id, now - Duration::from_secs(60), now).await),
        }
    }

    fn lease_of(&self, message: &Message) -> Lease {
        self.leases[usize::from(message.session != self.leases[0].session)]
    }

    fn asked(&self, deed: &Deed) -> Acceptance {
        let Deed::Accept { session, chat, once, delay, lives, key } = *deed else {
            unreachable!("only an acceptance is asked for")
        };
        let mut draft = self.stage.draft(CHATS[chat]);
        draft.delivery = if once { Delivery::AtMostOnce } else { Delivery::AtLeastOnce };
        draft.send_at = delay.map(|secs| self.stage.in_secs(secs));
        draft.expires_at = self.stage.in_secs(lives);
        let idempotency = key.and_then(|key| idempotency(&format!("key {}", key / 2), key));
        Acceptance { session: self.leases[session].session, idempotency, ..self.stage.asked(draft) }
    }

    /// The same request with the same ids, for this store's tenant and session.
    fn recast(&self, mold: &Acceptance, deed: &Deed) -> Acceptance {
        Acceptance { id: mold.id, wa_id: mold.wa_id.clone(), ..self.asked(deed) }
    }

    fn outcome(&self, which: usize) -> Outcome {
        let later: WallTime = self.stage.in_secs(30);
        [
            Outcome::Sent,
            Outcome::Failed(MessageReason::Refused),
            Outcome::Retry { not_before: later, reason: MessageReason::Throttled },
            Outcome::Held { until: later, reason: MessageReason::Timelock },
            Outcome::Dead,
            Outcome::Unknown(MessageReason::NoAck),
        ][which]
    }

    async fn view(&self) -> View {
        let (stage, page) = (&self.stage, Page { limit: 200, before: None });
        let list = stage.messages.list(stage.scope(), MessageFilter::default(), page).await.unwrap();
        let usage = stage.messages.usage(stage.scope(), month_of(stage.now(), Tz::UTC)).await.unwrap();
        let mut counters = vec![];
        for lease in self.leases {
            let session = stage.sessions.get(stage.scope(), lease.session).await.unwrap().unwrap();
            counters.push(session.counters);
        }
        let suppressed = stage.contacts.suppressions(stage.scope(), page).await.unwrap().rows;
        let mut told: Vec<_> = suppressed
            .into_iter()
            .map(|one| format!("{} {} {:?}", one.phone.as_str(), one.by, one.since))
            .collect();
        told.sort();
        for id in self.webhooks {
            let one = stage.webhooks.get(stage.scope(), id).await.unwrap().unwrap();
            told.push(format!("{} {:?} {:?} {}", one.status, one.reason, one.health, one.revision));
            let rows = stage.webhooks.deliveries(stage.scope(), id, None, page).await.unwrap().unwrap().rows;
            told.extend(rows.into_iter().map(|one| {
                let Posted {
                    kind, status, reason, attempts, due_at, settled_at, created_at, repeats, ..
                } = one;
                format!(
                    "{kind} {status} {reason:?} {attempts} {due_at:?} {settled_at:?} {created_at:?} {}",
                    repeats.is_some()
                )
            }));
        }
        let ever = Period { start: WallTime(0), end: WallTime(i64::MAX) };
        let days = stage.messages.days(stage.scope(), ever, None, 1_000).await.unwrap();
        let mut days: Vec<_> = days
            .into_iter()
            .map(|one| format!("{:?} {} {} {}", one.day, one.sent, one.failed, one.received))
            .collect();
        days.sort();
        told.extend(days);
        (list.rows, usage.map(|usage| (usage.used, usage.held, usage.queued)), counters, told)
    }
}

/// A parcel, without ids that each store mints on its own.
fn tale(parcel: &Parcel) -> String {
    let subject = match &parcel.event.subject {
        Subject::Message(one) => format!(
            "{} {} {:?} {} {:?} {}",
            one.chat.as_str(),
            one.status,
            one.reason,
            one.attempts,
            one.times,
            one.wa_id.0
        ),
        Subject::Session(one) => {
            format!("{} {:?} {:?} {:?}", one.status, one.reason, one.since, one.counters)
        }
        other => format!("{other:?}").split('(').next().unwrap().to_owned(),
    };
    format!("\n{} {:?} {} {:?} {subject}", parcel.event.kind, parcel.event.seq, parcel.attempts, parcel.since)
}

/// Sweeps while batches are full; how many in all. How a store cuts them is its own business.
async fn drain(limit: u32, sweep: impl AsyncFn() -> u64) -> u64 {
    let mut total = 0;
    loop {
        let batch = sweep().await;
        total += batch;
        if batch < u64::from(limit) {
            return total;
        }
    }
}

/// What may differ between two stores: ids of tenants, sessions and inbound messages, minted apart.
fn leveled((messages, usage, counters, told): View) -> impl PartialEq + std::fmt::Debug {
    let (mut outbound, mut inbound) = (vec![], vec![]);
    for message in messages {
        let line = format!(
            "{} {} {:?} {} {:?}",
            message.chat.as_str(),
            message.status,
            message.reason,
            message.attempts,
            message.times
        );
        match message.direction {
            Direction::Out => outbound.push((message.wa_id, line)),
            Direction::In | Direction::Own => inbound.push((message.wa_id, line)),
        }
    }
    inbound.sort();
    (outbound, inbound, usage, counters, told)
}

async fn compare(one: Backend, other: Backend, deeds: Vec<Deed>) {
    let mut worlds = [World::new(one).await, World::new(other).await];
    for (at, deed) in deeds.iter().enumerate() {
        let (first, mold) = worlds[0].perform(deed, None).await;
        let (second, _) = worlds[1].perform(deed, mold.as_ref()).await;
        assert_eq!(first, second, "deed {at}: {deed:?}");
        let [first, second] = [leveled(worlds[0].view().await), leveled(worlds[1].view().await)];
        assert_eq!(first, second, "after deed {at}: {deed:?}");
        for world in &worlds {
            invariants(&world.view().await);
        }
    }
}

/// What holds in every store at every moment.
fn invariants((messages, usage, counters, _): &View) {
    let live = messages.iter().filter(|message| message.status.is_live()).count() as u64;
    assert_eq!(live, counters.iter().map(|counters| counters.queued).sum::<u64>(), "counters follow states");
    if let Some((used, held, queued)) = usage {
        assert_eq!(*queued, live);
        assert!(used + held <= 10, "a hard quota of ten: {used} used, {held} held");
    }
    for chat in CHATS {
        for session in messages.iter().map(|message| message.session) {
            let under_way = messages.iter().filter(|message| {
                message.session == session
                    && message.chat.as_str() == chat
                    && message.status == MessageStatus::Sending
            });
            assert!(under_way.count() <= 1, "one message of a chat is under way");
        }
    }
}

/// Tells both the same.
fn told(backend: Backend, deeds: Vec<Deed>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(compare(Backend::Memory, backend, deeds));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn stores_that_are_told_the_same_end_up_the_same(deeds in prop::collection::vec(deed(), 1..60)) {
        told(Backend::Memory, deeds.clone());
        told(Backend::Sqlite, deeds);
    }
}

// A server is asked over a socket, four times for each read in the name of a tenant.
proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn postgres_that_is_told_the_same_ends_up_the_same(deeds in prop::collection::vec(deed(), 1..60)) {
        told(Backend::Postgres, deeds);
    }
}
