//! What only a database can promise of the ledger: what was entered stays, a decision that a row refuses takes no number, and a
//! process that is killed while it closes months leaves nothing half done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono_tz::Tz;
use columba::actors::standing::keep_books;
use columba::billing::rules;
use columba::domain::id::{InvoiceId, TenantId};
use columba::domain::page::Page;
use columba::domain::plan::Plan;
use columba::domain::time::WallTime;
use columba::ports::Stores;
use columba::ports::ledger::{Books, InvoiceFilter, Matter, Outcome};
use columba::ports::store::{StoreError, WriteError};
use columba::storage::sql::{Place, open};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Desk, Recorder, TestClock, plan};
use crate::support::billing::{by_the_clock, issuer};
use crate::support::postgres::database;

/// Names the file of the store that a process of ours is to close months in, and the time it takes for now.
const FILE: &str = "COLUMBA_TEST_BOOKS";
const TIME: &str = "COLUMBA_TEST_BOOKS_AT";

const DAY: Duration = Duration::from_secs(24 * 3600);

fn costs() -> Plan {
    Plan { price_minor: 1_900, ..plan(10) }
}

async fn tick(stores: &Stores, now: WallTime) {
    while keep_books(&*stores.ledger, &by_the_clock(), now).await.unwrap() > 0 {}
}

async fn numbers(stores: &Stores) -> Vec<(String, TenantId, WallTime)> {
    let (mut all, mut before) = (vec![], None);
    loop {
        let slice =
            stores.ledger.invoices(InvoiceFilter::default(), Page { limit: 200, before }).await.unwrap();
        before = slice.rows.last().map(|invoice| invoice.id.uuid());
        let row = |invoice: &columba::domain::invoice::Invoice| {
            (invoice.number.clone(), invoice.tenant, invoice.lines[0].period.start)
        };
        all.extend(slice.rows.iter().map(row));
        if !slice.has_more {
            return all;
        }
    }
}

/// The numbers are 1 to as many as there are invoices.
fn gapless(numbers: &[(String, TenantId, WallTime)]) {
    let given: BTreeSet<_> = numbers.iter().map(|(number, ..)| number.clone()).collect();
    let expected: BTreeSet<_> = (1..=numbers.len()).map(|number| format!("INV-{number:06}")).collect();
    assert_eq!(given, expected);
}

#[tokio::test]
async fn what_was_entered_or_issued_is_neither_changed_nor_removed_by_anybody() {
    let desk = Desk::new().await;
    let at = desk.clock.0.lock().unwrap().wall;
    desk.stores().directory.create_plan(costs(), None, at).await.unwrap();
    desk.tenant(10).await;
    tick(desk.stores(), at).await;
    let file = Database::connect(format!("sqlite://{}", desk.path().display())).await.unwrap();
    unchanged(&file).await;
    // What becomes of an invoice is written beside it.
    file.execute_unprepared("UPDATE invoice SET status = 'void', settled_at = 1").await.unwrap();
}

#[tokio::test]
async fn on_postgresql_neither_the_writer_nor_the_owner_changes_what_was_entered() {
    let url = database().await;
    let (clock, sink): (Arc<TestClock>, Arc<Recorder>) = (Arc::new(TestClock::new()), Arc::default());
    let sql = open(Place::Server(url.clone()), clock.clone(), rules(Tz::UTC), sink.clone()).await.unwrap();
    let desk = Desk { sql, clock, sink, dir: Arc::new(tempfile::tempdir().unwrap()) };
    let at = desk.clock.0.lock().unwrap().wall;
    desk.stores().directory.create_plan(costs(), None, at).await.unwrap();
    desk.tenant(10).await;
    tick(desk.stores(), at).await;
    unchanged(&Database::connect(&url).await.unwrap()).await;
    let writer = Database::connect(&url).await.unwrap();
    for (table, may) in [
        ("ledger_entry", "INSERT,SELECT"),
        ("credit_note", "INSERT,SELECT"),
        ("payment", "INSERT,SELECT"),
        ("invoice", "INSERT,SELECT"),
    ] {
        let text = format!(
            "SELECT string_agg(privilege_type, ',' ORDER BY privilege_type)::text AS may
             FROM information_schema.role_table_grants WHERE grantee = 'columba_writer' AND table_name = '{table}'"
        );
        let backend = writer.get_database_backend();
        let row =
            writer.query_one_raw(sea_orm::Statement::from_string(backend, text)).await.unwrap().unwrap();
        assert_eq!(row.try_get::<String>("", "may").unwrap(), may, "{table}");
    }
    desk.sql.close().await;
}

async fn unchanged(db: &DatabaseConnection) {
    for forbidden in [
        "UPDATE ledger_entry SET amount_minor = 0",
        "DELETE FROM ledger_entry",
        "UPDATE invoice SET paper = '{}'",
        "UPDATE invoice SET number = 'X'",
        "DELETE FROM invoice",
    ] {
        let error = db.execute_unprepared(forbidden).await.expect_err(forbidden).to_string();
        assert!(
            error.contains("only added to")
                || error.contains("not edited")
                || error.contains("never removed"),
            "{error}"
        );
    }
}

/// A rule that the rows refuse: its invoice has an id that another one has.
#[tokio::test]
async fn a_decision_that_is_poisoned_takes_no_number_and_its_neighbours_are_written() {
    let desk = Desk::new().await;
    let at = desk.clock.0.lock().unwrap().wall;
    desk.stores().directory.create_plan(costs(), None, at).await.unwrap();
    let mut tenants = vec![];
    for _ in 0..12 {
        tenants.push(desk.tenant(10).await);
    }
    let taken = Arc::new(Mutex::new(None::<InvoiceId>));
    let calls = tenants.iter().enumerate().map(|(turn, &tenant)| {
        let (ledger, taken) = (Arc::clone(&desk.stores().ledger), Arc::clone(&taken));
        let rule = move |books: &Books| {
            let mut outcome: Outcome = issuer().next(tenant, books, at)?;
            let mut taken = taken.lock().unwrap();
            if let (Some(id), 2) = (*taken, turn % 3) {
                outcome.issued[0].id = id;
            }
            taken.get_or_insert(outcome.issued[0].id);
            Ok(outcome)
        };
        async move { ledger.decide(tenant, Matter::default(), Arc::new(rule), at).await }
    });
    let answers = futures_util::future::join_all(calls).await;
    let poisoned = |answer: &&Result<_, _>| matches!(answer, Err(WriteError::Store(StoreError::Poisoned(_))));
    assert!(answers.iter().filter(poisoned).count() >= 3, "{answers:?}");
    let issued = numbers(desk.stores()).await;
    assert_eq!(issued.len(), answers.iter().filter(|answer| answer.is_ok()).count());
    gapless(&issued);
    // Later they get theirs.
    tick(desk.stores(), at).await;
    let issued = numbers(desk.stores()).await;
    assert_eq!(issued.len(), 12);
    gapless(&issued);
}

/// Another process of this binary, which is killed: closes what is due in a store, at a time that it is told.
#[tokio::test]
#[ignore = "run by the tests that kill it"]
async fn closes_months_for_whoever_kills_it() {
    let Ok(file) = std::env::var(FILE) else { return };
    let at = WallTime(std::env::var(TIME).unwrap().parse().unwrap());
    let clock = Arc::new(TestClock::new());
    clock.0.lock().unwrap().wall = at;
    let place = Place::File(PathBuf::from(file));
    let sql = open(place, clock, rules(Tz::UTC), Arc::new(Recorder::default())).await.unwrap();
    println!("\nBEGINS");
    tick(&sql.stores, at).await;
    println!("\nENDS");
    sql.close().await;
}

/// Lets it close months. With a number it is killed once there are more invoices than that; otherwise it comes to its end.
async fn close(file: &Path, at: WallTime, more_than: Option<usize>) {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "storage::sql::ledger::closes_months_for_whoever_kills_it",
        ])
        .env(FILE, file)
        .env(TIME, at.0.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = said.next_line().await.unwrap() {
        match (line.as_str(), more_than) {
            ("BEGINS", Some(more_than)) => {
                let file = Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
                while count(&file).await <= more_than {}
                child.kill().await.unwrap();
                file.close().await.unwrap();
                return;
            }
            ("ENDS", _) => {
                child.wait().await.unwrap();
                return;
            }
            _ => {}
        }
    }
    panic!("it ended by itself: {:?}", child.wait().await);
}

async fn count(file: &DatabaseConnection) -> usize {
    let text = "SELECT count(*) AS found FROM invoice".to_owned();
    let row = file.query_one_raw(sea_orm::Statement::from_string(file.get_database_backend(), text)).await;
    row.unwrap().unwrap().try_get::<i64>("", "found").unwrap() as usize
}

/// Tenants of one plan whose month ends, and so many kills while it is closed. Each comes as soon as something new is on disk.
async fn closed_under_kills(tenants: usize, kills: usize) {
    let desk = Desk::new().await;
    let begun = desk.clock.0.lock().unwrap().wall;
    desk.stores().directory.create_plan(costs(), None, begun).await.unwrap();
    for _ in 0..tenants {
        desk.tenant(10).await;
    }
    tick(desk.stores(), begun).await;
    let before = numbers(desk.stores()).await;
    assert_eq!(before.len(), tenants);
    let (file, dir) = (desk.path(), Arc::clone(&desk.dir));
    desk.sql.close().await;

    let end = begun + DAY * 31;
    let (mut so_far, mut cut) = (tenants, 0);
    while cut < kills && so_far < 2 * tenants {
        close(&file, end, Some(so_far)).await;
        let desk = Desk::open(Arc::clone(&dir), Arc::new(TestClock::new())).await;
        let issued = numbers(desk.stores()).await;
        gapless(&issued);
        so_far = issued.len();
        cut += usize::from(so_far < 2 * tenants);
        desk.sql.close().await;
    }
    assert!(cut > kills / 2, "{cut} of {kills} kills came while months were closed");
    close(&file, end, None).await;

    let desk = Desk::open(dir, Arc::new(TestClock::new())).await;
    let after = numbers(desk.stores()).await;
    gapless(&after);
    let months: BTreeSet<_> = after.iter().map(|(_, tenant, month)| (*tenant, *month)).collect();
    assert_eq!((after.len(), months.len()), (2 * tenants, 2 * tenants), "none twice, none missed");
    println!("{tenants} tenants, {cut} kills while their month was closed");
    desk.sql.close().await;
}

#[tokio::test]
async fn months_of_three_hundred_tenants_are_closed_once_each_whoever_is_killed_meanwhile() {
    closed_under_kills(300, 5).await;
}

/// `scripts/deep.sh billing`.
#[tokio::test]
#[ignore = "minutes: deep"]
async fn months_of_ten_thousand_tenants_are_closed_once_each_under_fifty_kills() {
    closed_under_kills(10_000, 50).await;
}
