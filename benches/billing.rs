//! What billing costs a message that is accepted: the decision whether it may be. What metering costs in the store is in
//! `store`: accept and settle with and without.

#![allow(missing_docs, reason = "a bench's name is its sentence")]

use std::hint::black_box;
use std::num::NonZeroU32;

use chrono_tz::Tz;
use columba::billing::{period::month_of, quota};
use columba::domain::plan::{Allowance, Caps, Pacing, Quota};
use columba::domain::time::WallTime;
use columba::ports::outbox::{Terms, Usage};
use criterion::{Criterion, criterion_group, criterion_main};

const NOW: WallTime = WallTime(1_795_000_000_000);

fn billing(criterion: &mut Criterion) {
    let caps = Caps {
        per_minute: NonZeroU32::MIN,
        per_minute_tenant: None,
        pacing: Pacing::Human,
        first_contacts_per_day: None,
        queue_max: 10_000,
        sessions_max: 1,
        silent: false,
    };
    let allowance = Allowance { limit: 10_000, quota: Quota::Hard };
    let terms = |zone| Terms { period: month_of(NOW, zone), allowance, caps, metered: true, strict: false };
    let mut group = criterion.benchmark_group("billing");
    for (name, used) in [("quota_yes", 5_000), ("quota_no", 10_000)] {
        let (terms, usage) = (terms(Tz::UTC), Usage { allowance, used, held: 0, queued: 10 });
        group.bench_function(name, |bench| {
            bench.iter(|| quota::decide(black_box(&terms), black_box(&usage), black_box(NOW)));
        });
    }
    for zone in [Tz::UTC, Tz::America__New_York] {
        group.bench_function(format!("month_of {zone}"), |bench| {
            bench.iter(|| month_of(black_box(NOW), zone))
        });
    }
    group.finish();
}

criterion_group!(benches, billing);
criterion_main!(benches);
