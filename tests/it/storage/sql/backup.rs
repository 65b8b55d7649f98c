//! A copy of the store beside a server, and what such a copy does when it is opened.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use columba::billing::rules;
use columba::domain::audit::Head;
use columba::domain::message::{Message, MessageReason, MessageStatus as Status};
use columba::domain::page::Order;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::domain::session::Lease;
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Outcome, Position, Settlement};
use columba::storage::sql::backup::{Backup, backup, mark_of, resume_queue};
use columba::storage::sql::copy::{Beside, CopyError, copy};
use columba::storage::sql::{Place, audit, open};

use super::{Desk, Recorder, TestClock};
use crate::support::postgres::database;

/// A store on `place` with a paired session, and a message in each state that lives: queued, held, sending; and one that
/// was sent.
struct Worked {
    desk: Desk,
    lease: Lease,
    messages: Vec<Message>,
}

async fn desk_on(place: &Place, clock: &Arc<TestClock>) -> Desk {
    let sink: Arc<Recorder> = Arc::default();
    let sql = open(place.clone(), clock.clone(), rules(Tz::UTC), sink.clone()).await.unwrap();
    Desk { sql, clock: clock.clone(), sink, dir: Arc::new(tempfile::tempdir().unwrap()) }
}

async fn worked(place: &Place) -> Worked {
    let desk = desk_on(place, &Arc::new(TestClock::new())).await;
    let tenant = desk.tenant(1_000).await;
    let lease = desk.session(tenant).await;
    let mut messages = vec![];
    for chat in 0..4 {
        messages.push(desk.accepted(lease, chat).await);
    }
    let held =
        Outcome::Held { until: desk.clock.wall() + Duration::from_secs(60), reason: MessageReason::Timelock };
    for (message, outcome) in [(1, Some(held)), (2, None), (3, Some(Outcome::Sent))] {
        let work = desk.claimed(lease, messages[message].id).await;
        if let Some(outcome) = outcome {
            settle(&desk, lease, work.message, work.number, outcome).await;
        }
    }
    Worked { desk, lease, messages }
}

async fn settle(
    desk: &Desk,
    lease: Lease,
    message: columba::domain::id::MessageId,
    number: u32,
    outcome: Outcome,
) {
    let at = desk.clock.wall();
    let settlement = Settlement { tenant: lease.tenant, message, number, outcome, at };
    assert!(desk.stores().outbox.settle(settlement).await.unwrap());
}

async fn statuses(desk: &Desk, of: &[Message]) -> Vec<(Status, Option<MessageReason>)> {
    let mut all = vec![];
    for message in of {
        let message = desk.message(message).await;
        all.push((message.status, message.reason));
    }
    all
}

async fn taken(from: &Place, to: &Path, desk: &Desk) -> Result<Backup, CopyError> {
    backup(from, to, desk.clock.wall(), |_| {}).await
}

async fn places(folder: &Path) -> [Place; 2] {
    [Place::File(folder.join("live.db")), Place::Server(database().await)]
}

#[tokio::test]
async fn a_backup_beside_a_server_is_whole_for_its_owner_only_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (number, live) in places(folder.path()).await.into_iter().enumerate() {
        let Worked { desk, .. } = worked(&live).await;
        let put = tempfile::tempdir().unwrap();
        let file = put.path().join(format!("backup {number}.db"));
        let done = taken(&live, &file, &desk).await.unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<PathBuf> =
            fs::read_dir(put.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(names, std::slice::from_ref(&file), "nothing else is left");
        let rows = |table| done.tables.iter().find(|(name, _)| *name == table).unwrap().1;
        assert_eq!((rows("message"), rows("send_attempt"), done.waiting), (4, 3, 3), "{live}");
        let place = Place::File(file.clone());
        assert_eq!(audit::verify(&place, vec![done.audit]).await.unwrap(), Ok(done.audit));
        assert!(mark_of(&place).await.unwrap().is_some() && mark_of(&live).await.unwrap().is_none());

        let before = fs::read(&file).unwrap();
        let refused = taken(&live, &file, &desk).await.unwrap_err();
        assert!(matches!(&refused, CopyError::Refused(text) if text.contains("exists")), "{refused:?}");
        assert!(fs::read(&file).unwrap() == before && fs::read_dir(put.path()).unwrap().count() == 1);
        let nowhere = taken(&live, &put.path().join("no/such/folder.db"), &desk).await.unwrap_err();
        assert!(matches!(nowhere, CopyError::Unavailable(_)), "{nowhere:?}");
        desk.sql.close().await;
    }
}

#[tokio::test]
async fn a_restored_store_sends_nothing_of_what_waited_and_takes_up_no_thread_of_the_lost_one() {
    let folder = tempfile::tempdir().unwrap();
    for (number, live) in places(folder.path()).await.into_iter().enumerate() {
        let Worked { desk: first, lease, messages } = worked(&live).await;
        let file = folder.path().join(format!("backup-{number}.db"));
        let head = taken(&live, &file, &first).await.unwrap().audit;
        // Life goes on: what waited is sent, and the feed gives positions that no backup knows.
        let sent = first.claimed(lease, messages[0].id).await;
        settle(&first, lease, sent.message, sent.number, Outcome::Sent).await;
        let epoch = first.stores().feed_log.epoch().to_owned();
        let clock = first.clock.clone();
        first.sql.close().await;
        clock.pass(5_000);

        // Opened as it is, and moved into the other dialect first.
        let moved = Place::Server(database().await);
        copy(&Place::File(file.clone()), &moved, Beside::Nobody, |_| {}).await.unwrap();
        for place in [Place::File(file), moved] {
            let desk = desk_on(&place, &clock).await;
            let doubt = (Status::Unknown, Some(MessageReason::Restored));
            let all = statuses(&desk, &messages).await;
            assert_eq!(all, [doubt, doubt, doubt, (Status::Sent, None)], "{place}");
            assert_eq!(desk.sink.events().len(), 3, "and each is told");
            let scope = TenantScope::authenticated(lease.tenant);
            let session = desk.stores().sessions.get(scope, lease.session).await.unwrap().unwrap();
            assert!(!session.paired && session.counters.queued == 0, "{session:?}");
            assert_ne!(desk.stores().feed_log.epoch(), epoch, "nobody resumes where the lost store stopped");

            let memory = desk.stores().outbox.recall(lease.session, desk.clock.read()).await.unwrap();
            assert_eq!(
                memory.attempts, None,
                "what the lost store attempted is in no log: the window is full"
            );
            assert!(memory.lease.epoch.0 > lease.epoch.0 + 1_000_000, "no vault knows a newer owner");
            let pending = desk.stores().outbox.pending(memory.lease, Position(0), 10).await.unwrap();
            assert!(pending.is_empty(), "{pending:?}");
            clock.pass(62_000);
            let memory = desk.stores().outbox.recall(lease.session, desk.clock.read()).await.unwrap();
            assert_eq!(memory.attempts, Some(vec![]), "a minute later it is as good as any");

            let filter = AuditFilter { action: Some("store.restore".to_owned()), ..AuditFilter::default() };
            let page = AuditPage { order: Order::Descending, beyond: None, limit: 9 };
            let told = desk.stores().audit.entries(SystemScope, filter, page).await.unwrap();
            assert_eq!(told.rows.len(), 1);
            let epoch = desk.stores().feed_log.epoch().to_owned();
            desk.sql.close().await;
            let end: Head = audit::verify(&place, vec![head]).await.unwrap().unwrap();
            assert_eq!(end.seq, head.seq + 1);
            // The second start is a start as any.
            let desk = desk_on(&place, &clock).await;
            assert_eq!((desk.stores().feed_log.epoch(), desk.sink.events().len()), (epoch.as_str(), 0));
            assert!(mark_of(&place).await.unwrap().is_none());
            desk.sql.close().await;
        }
    }
}

#[tokio::test]
async fn an_operator_who_knows_that_nothing_was_sent_since_lets_the_queue_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let live = Place::File(folder.path().join("live.db"));
    let Worked { desk: first, lease, messages } = worked(&live).await;
    let file = folder.path().join("backup.db");
    taken(&live, &file, &first).await.unwrap();
    let clock = first.clock.clone();
    first.sql.close().await;
    let (from, to) = (Place::File(file), Place::Server(database().await));
    copy(&from, &to, Beside::Nobody, |_| {}).await.unwrap();
    let mark = mark_of(&from).await.unwrap().unwrap();
    resume_queue(&to, mark).await.unwrap();
    let desk = desk_on(&to, &clock).await;
    let statuses: Vec<_> = statuses(&desk, &messages).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, [Status::Queued, Status::Held, Status::Sending, Status::Sent]);
    let lease = desk.recall(lease.session).await;
    desk.claimed(lease, messages[0].id).await;
    desk.sql.close().await;
}
