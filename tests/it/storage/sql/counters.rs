//! Whatever happens in whatever order, the counters agree with the rows they count.

use std::time::Duration;

use columba::domain::message::{MessageReason, ReceiptKind};
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::Lease;
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Outcome, Receipt, Settlement};
use proptest::prelude::*;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};

use super::Desk;

/// One step; the number picks a message among those accepted so far.
#[derive(Debug, Clone)]
enum Step {
    Accept { chat: u32, metered: bool },
    Claim(usize),
    GiveBack(usize),
    Settle(usize, u8),
    Receipt(usize, ReceiptKind),
    Cancel(usize),
    CancelAll,
    Pass(u64),
    Sweep,
    TakeOver,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        6 => (0..4u32, any::<bool>()).prop_map(|(chat, metered)| Step::Accept { chat, metered }),
        6 => (0..20usize).prop_map(Step::Claim),
        1 => (0..20usize).prop_map(Step::GiveBack),
        5 => (0..20usize, 0..6u8).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        3 => (0..20usize, 0..3u8).prop_map(|(which, kind)| Step::Receipt(which, [
            ReceiptKind::Server, ReceiptKind::Delivered, ReceiptKind::Read][usize::from(kind)])),
        1 => (0..20usize).prop_map(Step::Cancel),
        1 => Just(Step::CancelAll),
        2 => prop_oneof![Just(1_000u64), Just(1_000_000), Just(90_000_000)].prop_map(Step::Pass),
        2 => Just(Step::Sweep),
        1 => Just(Step::TakeOver),
    ];
    prop::collection::vec(one, 1..60)
}

fn outcome(number: u8, desk: &Desk) -> Outcome {
    let later = desk.clock.wall() + Duration::from_secs(1);
    match number {
        0 => Outcome::Sent,
        1 => Outcome::Failed(MessageReason::Refused),
        2 => Outcome::Retry { not_before: later, reason: MessageReason::Throttled },
        3 => Outcome::Held { until: later, reason: MessageReason::Timelock },
        4 => Outcome::Dead,
        _ => Outcome::Unknown(MessageReason::NoAck),
    }
}

async fn walk(desk: &Desk, lease: &mut Lease, steps: Vec<Step>) {
    let (stores, mut messages) = (desk.stores(), vec![]);
    let scope = TenantScope::authenticated(lease.tenant);
    for step in steps {
        let at = desk.clock.wall();
        let pick = |which: usize| (!messages.is_empty()).then(|| &messages[which % messages.len()]);
        match step {
            Step::Accept { chat, metered } => {
                let mut acceptance = desk.acceptance(*lease, chat, 1_000);
                acceptance.terms.metered = metered;
                messages.push(desk.accept(acceptance).await.unwrap().into_inner());
            }
            Step::Claim(which) => {
                if let Some(message) = pick(which) {
                    stores.outbox.claim(desk.claim(*lease, message.id)).await.unwrap();
                }
            }
            Step::GiveBack(which) => {
                if let Some(message) = pick(which) {
                    let number = desk.message(message).await.attempts;
                    stores.outbox.give_back(*lease, message.id, number).await.unwrap();
                }
            }
            Step::Settle(which, number) => {
                if let Some(message) = pick(which) {
                    let settlement = Settlement {
                        tenant: lease.tenant,
                        message: message.id,
                        number: desk.message(message).await.attempts,
                        outcome: outcome(number, desk),
                        at,
                    };
                    stores.outbox.settle(settlement).await.unwrap();
                }
            }
            Step::Receipt(which, kind) => {
                if let Some(message) = pick(which) {
                    let receipt = Receipt { wa_id: message.wa_id.clone(), kind, at };
                    stores.outbox.receipt(*lease, receipt).await.unwrap();
                }
            }
            Step::Cancel(which) => {
                if let Some(message) = pick(which) {
                    // A message past that is refused.
                    let _ = stores.messages.cancel(scope, message.id, at).await;
                }
            }
            Step::CancelAll => drop(stores.messages.cancel_all(scope, lease.session, at).await.unwrap()),
            Step::Pass(millis) => desk.clock.pass(millis),
            Step::Sweep => {
                stores.sweep.expire(SystemScope, at, 100).await.unwrap();
                stores.sweep.abandon(SystemScope, at, 100).await.unwrap();
                stores.sweep.release(SystemScope, at, 100).await.unwrap();
            }
            Step::TakeOver => {
                *lease = desk.recall(lease.session).await;
                stores.outbox.recover(*lease, at).await.unwrap();
            }
        }
    }
}

async fn number(db: &DatabaseConnection, text: &str) -> i64 {
    let row = db.query_one_raw(Statement::from_string(DbBackend::Sqlite, text)).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

async fn check(desk: &Desk) {
    let db = Database::connect(format!("sqlite://{}", desk.path().display())).await.unwrap();
    for (counted, rows) in [
        (
            "SELECT sum(live) FROM session_tally",
            "SELECT count(*) FROM message WHERE status IN ('queued', 'held', 'sending')",
        ),
        ("SELECT sum(sent) FROM session_tally", "SELECT count(*) FROM message WHERE sent_at IS NOT NULL"),
        (
            "SELECT sum(failed) FROM session_tally",
            "SELECT count(*) FROM message WHERE status IN ('failed', 'dead')",
        ),
        ("SELECT coalesce(sum(held), 0) FROM usage", "SELECT count(*) FROM message WHERE charge = 'held'"),
        ("SELECT coalesce(sum(used), 0) FROM usage", "SELECT count(*) FROM message WHERE charge = 'charged'"),
        // I8: what is charged is what reached the server, and nothing else.
        (
            "SELECT count(*) FROM message WHERE charge = 'charged'",
            "SELECT count(*) FROM message WHERE charge <> 'none' AND sent_at IS NOT NULL",
        ),
        ("SELECT coalesce(sum(attempts), 0) FROM message", "SELECT count(*) FROM send_attempt"),
        ("SELECT sum(seq) FROM feed_head", "SELECT count(*) FROM event"),
    ] {
        assert_eq!(number(&db, counted).await, number(&db, rows).await, "{counted} against {rows}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn counters_agree_with_rows(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let desk = Desk::new().await;
            let mut lease = desk.session(desk.tenant(1_000).await).await;
            desk.accepted(lease, 1).await;
            walk(&desk, &mut lease, steps).await;
            check(&desk).await;
        });
    }
}
