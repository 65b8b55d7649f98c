//! Events: in the order of commits, without gaps, and the same from the log.

use std::collections::HashMap;

use columba::domain::event::Change;
use columba::domain::message::MessageStatus;
use columba::domain::scope::{SystemScope, TenantScope};
use futures_util::future::join_all;

use super::Desk;

#[tokio::test]
async fn fifty_writers_leave_no_gap_and_the_order_of_commits() {
    let desk = std::sync::Arc::new(Desk::new().await);
    let mut leases = vec![];
    for _ in 0..7 {
        leases.push(desk.session(desk.tenant(10_000).await).await);
    }
    let writers = (0..50).map(|writer| {
        let (desk, lease) = (desk.clone(), leases[writer % 7]);
        tokio::spawn(async move {
            for turn in 0..8 {
                let message = desk.accepted(lease, (writer * 100 + turn) as u32).await;
                let work = desk.claimed(lease, message.id).await;
                desk.stores().outbox.give_back(lease, message.id, work.number).await.unwrap();
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }

    let events = desk.sink.events();
    let mut next = HashMap::new();
    for event in &events {
        let next = next.entry(event.tenant).or_insert(1);
        assert_eq!(event.seq, *next, "positions of a tenant follow one another");
        *next += 1;
    }
    assert_eq!(events.len(), 50 * 8 * 3);
    let log = &desk.stores().feed_log;
    assert_eq!(log.tail(SystemScope, 10_000).await.unwrap(), events, "the log tells the same story");
    let heads: HashMap<_, _> = log.heads(SystemScope).await.unwrap().into_iter().collect();
    assert!(next.iter().all(|(tenant, next)| heads[tenant] == next - 1));
}

#[tokio::test]
async fn a_hole_is_filled_with_just_what_is_missing() {
    let desk = Desk::new().await;
    let (ours, theirs) =
        (desk.session(desk.tenant(100).await).await, desk.session(desk.tenant(100).await).await);
    for chat in 0..9 {
        desk.accepted(ours, chat).await;
        desk.accepted(theirs, chat).await;
    }
    let scope = TenantScope::authenticated(ours.tenant);
    let filled = desk.stores().feed_log.range(scope, 3, 6).await.unwrap();
    assert_eq!(filled.iter().map(|event| event.seq).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert!(filled.iter().all(|event| event.tenant == ours.tenant && event.session == Some(ours.session)));
    let newest = desk.stores().feed_log.tail(SystemScope, 2).await.unwrap();
    let told = newest.iter().map(|event| (event.tenant, event.seq)).collect::<Vec<_>>();
    assert_eq!(told, [(ours.tenant, 9), (theirs.tenant, 9)]);
    let beyond = desk.stores().feed_log.range(scope, 10, 12).await.unwrap();
    assert!(beyond.is_empty());
}

#[tokio::test]
async fn a_threshold_of_the_month_is_told_once() {
    let desk = Desk::new().await;
    let lease = desk.session(desk.tenant(5).await).await;
    desk.sink.clear();
    let mut last = None;
    for chat in 0..5 {
        last = Some(desk.accept(desk.acceptance(lease, chat, 5)).await.unwrap().into_inner());
    }
    let last = last.unwrap();
    let scope = TenantScope::authenticated(lease.tenant);
    desk.stores().messages.cancel(scope, last.id, last.times["queued"]).await.unwrap();
    desk.accept(desk.acceptance(lease, 6, 5)).await.unwrap();

    let changes = desk.sink.changes();
    let thresholds: Vec<_> = changes.iter().filter(|change| matches!(change, Change::Usage(_))).collect();
    assert_eq!(thresholds, [50, 80, 100].map(Change::Usage).iter().collect::<Vec<_>>());
    assert!(changes.contains(&Change::Message(last.id, MessageStatus::Canceled)));
}
