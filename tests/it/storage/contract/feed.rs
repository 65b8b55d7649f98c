//! The feed of each tenant: every change once, in the order of its commit, without a gap.

use std::collections::HashMap;

use columba::domain::event::{Change, EventKind, StatusEvent};
use columba::domain::message::{MessageReason, ReceiptKind};
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::SessionStatus;
use columba::ports::outbox::{Acceptance, Outcome};
use columba::ports::sessions::StatusChange;
use futures_util::future::join_all;

use super::Fixture;
use super::stage::{ANN, BOB, Stage};

contract!(
    positions_are_gapless_per_tenant_and_the_log_is_what_was_published,
    the_tail_is_the_newest_of_all_tenants,
    a_passed_threshold_of_the_month_is_told_once,
    an_event_says_whose_where_and_when,
);

async fn positions_are_gapless_per_tenant_and_the_log_is_what_was_published(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let theirs = stage.stranger().await;
    stage.fixture.events.take();
    let since: HashMap<_, _> = stage.feed_log.heads(SystemScope).await.unwrap().into_iter().collect();
    let asked = |tenant, session| Acceptance { tenant, session, ..stage.asked(stage.draft(ANN)) };
    let both = (0..4).flat_map(|_| [(stage.tenant, stage.session), (theirs.tenant, theirs.session)]);
    for answer in join_all(both.map(|(tenant, session)| stage.outbox.accept(asked(tenant, session)))).await {
        answer.unwrap();
    }
    let sent = stage.attempt(BOB, Outcome::Sent).await;
    stage.receipt(&sent, ReceiptKind::Read).await;
    stage.outbox.inbound(stage.lease, stage.heard(ANN, "IN1")).await.unwrap();
    let status = SessionStatus::Connected;
    let change = StatusChange { status, reason: None, code: None, since: stage.now() };
    stage.sessions.announce(stage.lease, change).await.unwrap();
    stage.sessions.set_paired(stage.lease, false, stage.now()).await.unwrap();

    let published = stage.fixture.events.take();
    let heads: HashMap<_, _> = stage.feed_log.heads(SystemScope).await.unwrap().into_iter().collect();
    for (tenant, expected) in [(stage.tenant, 4 + 4 + 1 + 1 + 4 + 1), (theirs.tenant, 4)] {
        let first = since.get(&tenant).copied().unwrap_or(0) + 1;
        let own: Vec<StatusEvent> =
            published.iter().filter(|event| event.tenant == tenant).copied().collect();
        let seqs: Vec<_> = own.iter().map(|event| event.seq).collect();
        assert_eq!(seqs, (first..first + expected).collect::<Vec<_>>(), "published in order, without a gap");
        let last = heads[&tenant];
        assert_eq!(last, first + expected - 1);
        let scope = TenantScope::authenticated(tenant);
        assert_eq!(stage.feed_log.range(scope, first, last).await, Ok(own.clone()));
        assert_eq!(stage.feed_log.range(scope, first + 1, last - 1).await.unwrap(), own[1..own.len() - 1]);
        assert_eq!(stage.feed_log.range(scope, last + 1, last + 100).await, Ok(vec![]));
    }
    assert_eq!(published.len(), 19);
}

async fn the_tail_is_the_newest_of_all_tenants(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let theirs = stage.stranger().await;
    stage.fixture.events.take();
    for _ in 0..3 {
        stage.accept(ANN).await;
        let (tenant, session) = (theirs.tenant, theirs.session);
        let asked = Acceptance { tenant, session, ..stage.asked(stage.draft(ANN)) };
        stage.outbox.accept(asked).await.unwrap();
    }
    let published = stage.fixture.events.take();
    assert_eq!(published.len(), 6);
    for limit in [1, 4, 6] {
        let tail = stage.feed_log.tail(SystemScope, limit).await.unwrap();
        assert_eq!(tail, published[6 - limit as usize..], "oldest first");
    }
    assert!((8..=32).contains(&stage.feed_log.epoch().len()));
}

async fn a_passed_threshold_of_the_month_is_told_once(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let usage = || -> Vec<_> {
        let events = stage.fixture.events.take();
        let told = events.into_iter().filter(|event| event.change.kind() == EventKind::Usage);
        told.map(|event| (event.tenant, event.session, event.change)).collect()
    };
    for taken in 1..=10 {
        stage.attempt(ANN, Outcome::Sent).await;
        let expected = match taken {
            5 => vec![(stage.tenant, None, Change::Usage(50))],
            8 => vec![(stage.tenant, None, Change::Usage(80))],
            10 => vec![(stage.tenant, None, Change::Usage(100))],
            _ => vec![],
        };
        assert_eq!(usage(), expected, "after {taken} of 10");
    }
}

async fn an_event_says_whose_where_and_when(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.wait_secs(5);
    let message = stage.attempt(ANN, Outcome::Failed(MessageReason::Refused)).await;
    for event in stage.fixture.events.take() {
        assert_eq!((event.tenant, event.session), (stage.tenant, Some(stage.session)));
        assert_eq!((event.change.message(), event.at), (Some(message.id), stage.now()));
    }
}
