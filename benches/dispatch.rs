//! A session's machine moving messages: read, claim, attempt, settle; no store, no network.

#![allow(missing_docs, reason = "criterion's macros write functions without docs")]

use std::num::NonZeroU32;

use columba::actors::session::machine::{Effect, Input, Machine};
use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::message::{Delivery, MessageStatus, WaId};
use columba::domain::plan::{Caps, Pacing};
use columba::domain::session::{Epoch, Lease, Standing};
use columba::domain::time::{Jitter, Moment, Reading, WallTime};
use columba::outbound::attempt::End;
use columba::ports::outbox::{Claimed, Memory, Pending, Position, Work};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const MESSAGES: u64 = 1_000;
const AT: Reading =
    Reading { now: Moment(1_000_000), wall: WallTime(0), boot: columba::domain::time::BootId(1) };

fn lease() -> Lease {
    Lease {
        tenant: uuid::Uuid::from_u128(1).into(),
        session: uuid::Uuid::from_u128(2).into(),
        epoch: Epoch(1),
    }
}

fn pending(number: u64) -> Pending {
    Pending {
        message: uuid::Uuid::from_u128(u128::from(number)).into(),
        position: Position(number as i64),
        chat: Chat::stored(format!("+1555{number:07}")),
        not_before: AT.wall,
        scheduled: false,
        attempts: 0,
        status: MessageStatus::Queued,
    }
}

fn connected() -> Machine {
    let per_minute = NonZeroU32::new(60_000).expect("not zero");
    let caps = Caps {
        per_minute,
        per_minute_tenant: None,
        pacing: Pacing::None,
        first_contacts_per_day: None,
        queue_max: 10_000,
        sessions_max: 1,
        silent: false,
    };
    let mut machine = Machine::new(AT, caps, Jitter::NONE, 1);
    let memory =
        Memory { lease: lease(), attempts: Some(vec![]), standing: Standing::default(), paired: true };
    machine.on(AT, Input::Start);
    machine.on(AT, Input::Recalled(Ok(memory)));
    machine.on(AT, Input::Connected);
    machine
}

/// Answers every effect at once until nothing is left to do.
fn run(machine: &mut Machine) {
    let rows = (1..=MESSAGES).map(pending).collect();
    let mut open = machine.on(AT, Input::Read { turn: 1, answer: Ok(rows) });
    while let Some(effect) = open.pop() {
        match effect {
            Effect::Claim { turn, message, .. } => {
                let work = Work {
                    lease: lease(),
                    message,
                    number: 1,
                    wa_id: WaId(String::new()),
                    to: Chat::stored(String::new()),
                    content: Content::Text(Text { body: String::new() }),
                    reply_to: None,
                    referred: None,
                    delivery: Delivery::AtLeastOnce,
                    claimed_at: AT.now,
                };
                open.extend(machine.on(AT, Input::Claimed { turn, answer: Ok(Claimed::Work(work)) }));
            }
            Effect::Attempt(work) => {
                let (message, number) = (work.message, work.number);
                open.extend(machine.on(AT, Input::Ended { message, number, end: End::Settled }));
            }
            Effect::Read { turn, .. } => {
                open.extend(machine.on(AT, Input::Read { turn, answer: Ok(vec![]) }));
            }
            _ => {}
        }
    }
    assert_eq!(machine.dispatch().waiting(), 0, "every message went through");
}

fn dispatch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dispatch");
    group.throughput(Throughput::Elements(MESSAGES));
    group.bench_function("read_claim_settle_1000", |bench| {
        bench.iter_batched_ref(connected, run, BatchSize::SmallInput);
    });
    group.finish();
}

criterion_group!(benches, dispatch);
criterion_main!(benches);
