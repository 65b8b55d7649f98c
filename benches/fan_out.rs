//! One event to a thousand slow clients' queues: encoded once, pushed a thousand times.

#![allow(missing_docs, reason = "criterion's macros write functions without docs")]

use columba::actors::hub::encode;
use columba::actors::subscriber::queue::Queue;
use columba::domain::event::{Change, StatusEvent};
use columba::domain::message::MessageStatus;
use columba::domain::time::WallTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LISTENERS: usize = 1_000;

fn event() -> StatusEvent {
    StatusEvent {
        tenant: uuid::Uuid::from_u128(1).into(),
        seq: 123_456,
        session: Some(uuid::Uuid::from_u128(2).into()),
        change: Change::Message(uuid::Uuid::from_u128(3).into(), MessageStatus::Delivered),
        at: WallTime(1_795_000_000_000),
    }
}

fn fan_out(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fan_out");
    group.bench_function("encode", |bench| bench.iter(|| encode(&event())));
    group.throughput(Throughput::Elements(LISTENERS as u64));
    group.bench_function("push_to_1000", |bench| {
        let mut queues: Vec<Queue> = (0..LISTENERS).map(|_| Queue::default()).collect();
        bench.iter(|| {
            let (event, text) = (event(), encode(&event()));
            queues.iter_mut().for_each(|queue| queue.push(&event, text.clone()));
            queues.iter_mut().for_each(|queue| drop(queue.take()));
        });
    });
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
