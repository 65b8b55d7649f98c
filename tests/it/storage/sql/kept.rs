//! What the writer remembers from its last commits is what stands on disk, also after a batch that failed and after a
//! write that went another way.

use columba::domain::message::{MessageStatus, ReceiptKind};
use columba::domain::refusal::Code;
use columba::domain::scope::TenantScope;
use columba::domain::session::Lease;
use columba::ports::outbox::{Claimed, Outcome, Receipt, Settlement};
use columba::ports::store::WriteError;
use futures_util::future::join_all;

use super::Desk;

/// What a session counts, as its row says: live, sent.
async fn counted(desk: &Desk, lease: Lease) -> (u64, u64) {
    let scope = TenantScope::authenticated(lease.tenant);
    let session = desk.stores().sessions.get(scope, lease.session).await.unwrap().unwrap();
    (session.counters.queued, session.counters.sent)
}

#[tokio::test]
async fn after_a_batch_that_was_halved_counts_and_positions_go_on_from_what_was_written() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let first = desk.accepted(lease, 0).await;
    for round in 1..=5_u32 {
        let mut asked: Vec<_> = (0..8).map(|chat| desk.acceptance(lease, round * 10 + chat, 100)).collect();
        asked[round as usize].id = first.id;
        let answers = join_all(asked.into_iter().map(|one| desk.accept(one))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 7);
        let taken = u64::from(round) * 7 + 1;
        assert_eq!(desk.usage(lease.tenant).await, (0, taken));
        assert_eq!(counted(&desk, lease).await, (taken, 0));
    }
    let seqs: Vec<_> = desk.sink.events().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no position twice, none left out");
    desk.claimed(lease, first.id).await;
}

#[tokio::test]
async fn what_was_canceled_or_unpaired_by_another_way_is_not_remembered_as_it_was() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100).await).await;
    let scope = TenantScope::authenticated(lease.tenant);
    let message = desk.accepted(lease, 1).await;
    let now = message.times["queued"];
    assert_eq!(desk.stores().messages.cancel_all(scope, lease.session, now).await.unwrap(), 1);
    let claim = desk.stores().outbox.claim(desk.claim(lease, message.id)).await.unwrap();
    assert_eq!(claim, Claimed::Gone);
    desk.accepted(lease, 1).await;
    assert_eq!((desk.usage(lease.tenant).await, counted(&desk, lease).await), ((0, 1), (1, 0)));

    desk.stores().sessions.set_paired(lease, false, now).await.unwrap();
    match desk.accept(desk.acceptance(lease, 1, 100)).await {
        Err(WriteError::Refused(refusal)) => assert_eq!(refusal.code, Code::SessionNotReady),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_that_was_forgotten_meanwhile_is_read_again_and_goes_its_way() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(100_000).await).await;
    let first = desk.accept(desk.acceptance(lease, 0, 100_000)).await.unwrap().into_inner();
    // More than are remembered.
    for share in 0..9_u32 {
        let asked =
            (1..=1_000).map(|chat| desk.accept(desk.acceptance(lease, share * 1_000 + chat, 100_000)));
        assert!(join_all(asked).await.iter().all(Result::is_ok));
    }
    let work = desk.claimed(lease, first.id).await;
    let (outbox, at) = (&desk.stores().outbox, first.times["queued"]);
    let (tenant, message, number) = (lease.tenant, first.id, work.number);
    let settlement = Settlement { tenant, message, number, outcome: Outcome::Sent, at };
    assert!(outbox.settle(settlement).await.unwrap());
    let read = Receipt { wa_id: first.wa_id.clone(), kind: ReceiptKind::Read, at };
    assert!(outbox.receipt(lease, read).await.unwrap());
    assert_eq!(desk.message(&first).await.status, MessageStatus::Read);
    assert_eq!((desk.usage(tenant).await, counted(&desk, lease).await), ((1, 9_000), (9_000, 1)));
}
