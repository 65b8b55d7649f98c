//! Moving all rows from one database into another, of either dialect.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use columba::billing::rules;
use columba::domain::scope::{SystemScope, TenantScope};
use columba::storage::sql::copy::tables::{Kind, NOT_COPIED, TABLES};
use columba::storage::sql::copy::{Beside, Copied, CopyError, Progress, copy, take_back};
use columba::storage::sql::{Place, audit, open, steps};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tokio::sync::Notify;

use super::{Desk, Recorder, TestClock};
use crate::support::postgres::{as_superuser, database};

async fn on_file(path: &Path) -> DatabaseConnection {
    Database::connect(format!("sqlite://{}", path.display())).await.unwrap()
}

async fn rows(db: &DatabaseConnection, text: impl Into<String>) -> Vec<sea_orm::QueryResult> {
    db.query_all_raw(Statement::from_string(db.get_database_backend(), text)).await.unwrap()
}

/// Columns of every table of a file: its name, then the name and type of each and whether it may be empty.
async fn schema(db: &DatabaseConnection) -> BTreeMap<String, Vec<(String, String, bool)>> {
    let text = "SELECT m.name, c.name, c.type, c.\"notnull\" OR c.pk > 0 FROM sqlite_master AS m
        JOIN pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY m.name, c.cid";
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for row in rows(db, text).await {
        let [table, name, kind] = [0, 1, 2].map(|place| row.try_get_by_index::<String>(place).unwrap());
        let is_needed: bool = row.try_get_by_index(3).unwrap();
        found.entry(table).or_default().push((name, kind, !is_needed));
    }
    found
}

#[tokio::test]
async fn every_table_and_column_of_both_schemas_is_moved_and_none_is_named_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("columba.db");
    steps::take(&Place::File(path.clone()), |_| {}).await.unwrap();
    let ours: BTreeMap<_, BTreeSet<_>> = TABLES
        .iter()
        .map(|table| {
            (table.name.to_owned(), table.columns.iter().map(|c| (c.name.to_owned(), c.kind)).collect())
        })
        .collect();
    let spelt = |type_of: fn(Kind) -> &'static str| -> BTreeMap<_, BTreeSet<_>> {
        let columns = |columns: &BTreeSet<(String, Kind)>| {
            columns.iter().map(|(name, kind)| (name.clone(), type_of(*kind).to_owned())).collect()
        };
        ours.iter().map(|(table, all)| (table.clone(), columns(all))).collect()
    };
    let found = |rows: Vec<[String; 3]>| {
        let mut all = BTreeMap::<_, BTreeSet<_>>::new();
        for [table, name, kind] in
            rows.into_iter().filter(|[table, ..]| !NOT_COPIED.contains(&table.as_str()))
        {
            all.entry(table).or_default().insert((name, kind));
        }
        all
    };

    let db = on_file(&path).await;
    let columns = schema(&db).await.into_iter();
    let columns = columns
        .flat_map(|(table, all)| all.into_iter().map(move |(name, kind, _)| [table.clone(), name, kind]));
    let in_sqlite = spelt(|kind| match kind {
        Kind::Id | Kind::Bytes => "BLOB",
        Kind::Number | Kind::Flag => "INTEGER",
        Kind::Text => "TEXT",
    });
    assert_eq!(found(columns.collect()), in_sqlite);

    let db = Database::connect(as_superuser(&database().await)).await.unwrap();
    let text = "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
        WHERE table_schema = 'public'";
    let columns = rows(&db, text).await.into_iter();
    let columns = columns.map(|row| [0, 1, 2].map(|place| row.try_get_by_index::<String>(place).unwrap()));
    let in_postgres = spelt(|kind| match kind {
        Kind::Id => "uuid",
        Kind::Bytes => "bytea",
        Kind::Number => "bigint",
        Kind::Flag => "boolean",
        Kind::Text => "text",
    });
    assert_eq!(found(columns.collect()), in_postgres);
}

/// A store that was worked on, with `many` more rows in every table that no chain binds together. Answers its file.
async fn filled(folder: &Path, many: i64) -> Place {
    let desk = Desk::new().await;
    let tenant = desk.tenant(1_000).await;
    let lease = desk.session(tenant).await;
    desk.accepted(lease, 3).await;
    let path = folder.join("source.db");
    let from = desk.dir.path().join("columba.db");
    desk.sql.close().await;
    std::fs::copy(from, &path).unwrap();
    let db = on_file(&path).await;
    let schema = schema(&db).await;
    for table in TABLES.iter().filter(|table| !["store_meta", "audit"].contains(&table.name)) {
        let is_optional =
            |name: &str| schema[table.name].iter().any(|(column, _, open)| column == name && *open);
        let value = |(place, column): (usize, &columba::storage::sql::copy::tables::Column)| {
            let value = match (column.name, column.kind) {
                ("charge", _) => "'charged'".to_owned(),
                // One way of messages has places in both orders at once.
                ("direction", _) => "'out'".to_owned(),
                ("phone" | "code", _) => format!("'x' || ('Zz'||i) || '{place}'"),
                (_, Kind::Id) => "unhex(printf('%032x', 4294967296 + i))".to_owned(),
                (_, Kind::Bytes) => "CASE WHEN i % 7 THEN unhex(printf('%064x', i)) ELSE x'' END".to_owned(),
                ("ord", _) => "1000000 + i * 3".to_owned(),
                (_, Kind::Number) => format!("9007199254740993 + i * 7 + {place}"),
                (_, Kind::Flag) => "i % 2".to_owned(),
                (_, Kind::Text) => {
                    format!(
                        "'{{\"a\": \"' || i || '\"}} ä😀 \\ \\\\u0000 ''\"' || char(10, 9, 127) || '{place}'"
                    )
                }
            };
            // What is recognised by a hash is unique and never empty.
            let is_hash = ["hash", "invitation"].contains(&column.name);
            let value = if is_hash { "unhex(printf('%064x', i))".to_owned() } else { value };
            if is_optional(column.name) {
                format!("CASE WHEN (i + {place}) % 3 THEN {value} END")
            } else {
                value
            }
        };
        let values: Vec<_> = table.columns.iter().enumerate().map(value).collect();
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let text = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})
             INSERT INTO {} ({}) SELECT {} FROM n",
            table.name,
            names.join(", "),
            values.join(", ")
        );
        db.execute_unprepared(&text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    db.close().await.unwrap();
    Place::File(path)
}

fn path_of(place: &Place) -> &Path {
    match place {
        Place::File(path) => path,
        Place::Server(_) => panic!("a file"),
    }
}

/// How many rows of one file are not in the other, found by SQLite itself.
async fn differences(one: &Place, other: &Place) -> Vec<(&'static str, i64)> {
    let db = on_file(path_of(one)).await;
    db.execute_unprepared(&format!("ATTACH '{}' AS other", path_of(other).display())).await.unwrap();
    let mut found = vec![];
    for table in TABLES {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let (columns, name) = (columns.join(", "), table.name);
        for (left, right) in [("main", "other"), ("other", "main")] {
            let text = format!(
                "SELECT count(*) FROM (SELECT {columns} FROM {left}.{name} EXCEPT SELECT {columns} FROM {right}.{name})"
            );
            let count: i64 = rows(&db, text).await[0].try_get_by_index(0).unwrap();
            if count > 0 {
                found.push((name, count));
            }
        }
    }
    db.close().await.unwrap();
    found
}

async fn moved(from: &Place, to: &Place) -> Copied {
    copy(from, to, Beside::Nobody, |_| {}).await.unwrap()
}

#[tokio::test]
async fn every_row_comes_through_both_dialects_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(folder.path(), 620).await;
    let server = Place::Server(database().await);
    let mut told = vec![];
    let there = copy(&from, &server, Beside::Nobody, |progress: Progress| told.push(progress)).await.unwrap();
    let last = told.last().unwrap();
    assert_eq!((last.rows, last.of), (there.rows(), there.rows()));
    assert!(told.windows(2).all(|two| two[0].rows <= two[1].rows && two[1].rows <= two[0].rows + 500));
    assert!(there.rows() > 17 * 620 && there.earlier == 0, "{there:?}");
    let back = Place::File(folder.path().join("back.db"));
    let again = moved(&server, &back).await;
    assert_eq!(again.tables, there.tables);
    assert_eq!(take_back(&from).await, Ok(true), "it said where it went, and nothing else was changed");
    assert_eq!(differences(&from, &back).await, []);
    for place in [&from, &server, &back] {
        assert_eq!(audit::verify(place, vec![there.audit]).await.unwrap(), Ok(there.audit));
    }
}

#[tokio::test]
async fn a_store_goes_on_in_either_dialect_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::new().await;
    let tenant = desk.tenant(1_000).await;
    let lease = desk.session(tenant).await;
    for chat in 0..7 {
        desk.accepted(lease, chat).await;
    }
    let from = Place::File(desk.path());
    let heads = desk.stores().feed_log.heads(SystemScope).await.unwrap();
    let head = heads[0].1;
    let (clock, dir) = (desk.clock.clone(), desk.dir.clone());
    desk.sql.close().await;
    let db = on_file(path_of(&from)).await;
    // The newest is gone; its place in the order of acceptance must not be given again.
    db.execute_unprepared("DELETE FROM message WHERE ord = 7").await.unwrap();
    db.close().await.unwrap();
    let url = database().await;
    let (server, back) = (Place::Server(url.clone()), Place::File(folder.path().join("back.db")));
    moved(&from, &server).await;
    moved(&server, &back).await;
    for left in [&from, &server] {
        let sink: Arc<Recorder> = Arc::default();
        let refused =
            open(left.clone(), clock.clone(), rules(Tz::UTC), sink).await.err().unwrap().to_string();
        assert!(refused.contains("it was moved to"), "{left}: {refused}");
    }
    assert_eq!((take_back(&server).await, take_back(&server).await), (Ok(true), Ok(false)));
    for place in [server, back] {
        let sink: Arc<Recorder> = Arc::default();
        let sql = open(place.clone(), clock.clone(), rules(Tz::UTC), sink.clone()).await.unwrap();
        let desk = Desk { sql, clock: clock.clone(), sink, dir: dir.clone() };
        assert_eq!(desk.stores().feed_log.heads(SystemScope).await.unwrap(), heads, "{place}");
        let mine =
            desk.stores().sessions.get(TenantScope::authenticated(tenant), lease.session).await.unwrap();
        assert!(mine.unwrap().paired);
        let newer = desk.recall(lease.session).await;
        assert_eq!(newer.epoch.0, lease.epoch.0 + 1, "{place}");
        desk.accepted(newer, 9).await;
        assert_eq!(
            desk.sink.events().iter().map(|event| event.seq).collect::<Vec<_>>(),
            [head + 1],
            "{place}"
        );
        desk.sql.close().await;
        let db = match &place {
            Place::File(path) => on_file(path).await,
            Place::Server(_) => Database::connect(as_superuser(&url)).await.unwrap(),
        };
        let newest: i64 = rows(&db, "SELECT max(ord) FROM message").await[0].try_get_by_index(0).unwrap();
        assert_eq!(newest, 8, "{place}");
        let newest = "SELECT seq FROM event ORDER BY ord DESC LIMIT 1";
        let newest: i64 = rows(&db, newest).await[0].try_get_by_index(0).unwrap();
        assert_eq!(newest, head as i64 + 1, "{place}: events go on behind the last");
        db.close().await.unwrap();
    }
}

#[tokio::test]
async fn an_interrupted_copy_is_no_store_and_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(folder.path(), 560).await;
    let to = Place::Server(database().await);
    let mut stops = 0;
    let mut seen = 0;
    let done = loop {
        let enough = Notify::new();
        let mut batches = 0;
        let attempt = copy(&from, &to, Beside::Nobody, |progress| {
            batches += 1;
            assert!(progress.rows >= seen, "nothing is moved twice");
            seen = progress.rows;
            if batches == 9 && stops < 3 {
                enough.notify_one();
            }
        });
        let ended = tokio::select! {
            biased;
            () = enough.notified() => None,
            ended = attempt => Some(ended),
        };
        match ended {
            // The connections that were dropped may still be on their way.
            Some(Err(CopyError::InUse(_))) => tokio::task::yield_now().await,
            Some(ended) => break ended.unwrap(),
            None => {
                stops += 1;
                let (clock, sink): (Arc<TestClock>, Arc<Recorder>) =
                    (Arc::new(TestClock::new()), Arc::default());
                let refused = open(to.clone(), clock, rules(Tz::UTC), sink).await.err().unwrap().to_string();
                assert!(refused.contains("not finished") || refused.contains("another server"), "{refused}");
            }
        }
    };
    assert_eq!(stops, 3);
    assert!(done.earlier > 0 && done.earlier < done.rows(), "{} of {}", done.earlier, done.rows());
    let back = Place::File(folder.path().join("back.db"));
    moved(&to, &back).await;
    assert_eq!(take_back(&from).await, Ok(true));
    assert_eq!(differences(&from, &back).await, []);
}

async fn refused(from: &Place, to: &Place) -> CopyError {
    copy(from, to, Beside::Nobody, |_| {}).await.unwrap_err()
}

#[tokio::test]
async fn a_target_that_holds_something_and_a_database_in_use_are_refused_and_left_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(folder.path(), 3).await;
    for to in [Place::File(folder.path().join("to.db")), Place::Server(database().await)] {
        moved(&from, &to).await;
        let error = refused(&from, &to).await;
        assert!(matches!(&error, CopyError::Refused(text) if text.contains("not empty")), "{error:?}");
    }
    let nowhere = Place::File(folder.path().join("nowhere.db"));
    let free = Place::File(folder.path().join("free.db"));
    let error = refused(&nowhere, &free).await;
    assert!(matches!(&error, CopyError::Refused(text) if text.contains("no database")), "{error:?}");
    assert!(!path_of(&free).exists() && !path_of(&nowhere).exists(), "nothing was made");

    for held in [Place::File(folder.path().join("held.db")), Place::Server(database().await)] {
        let (clock, sink): (Arc<TestClock>, Arc<Recorder>) = (Arc::new(TestClock::new()), Arc::default());
        let store = open(held.clone(), clock, rules(Tz::UTC), sink).await.unwrap();
        let error = refused(&held, &free).await;
        assert!(matches!(&error, CopyError::InUse(text) if text.contains("in use")), "{error:?}");
        let error = refused(&from, &held).await;
        assert!(matches!(&error, CopyError::InUse(_)), "{error:?}");
        store.close().await;
    }
}

#[tokio::test]
async fn a_copy_that_was_changed_behind_our_back_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let from = filled(folder.path(), 20).await;
    let to = Place::File(folder.path().join("to.db"));
    // In the middle of the copy somebody changes what was written.
    let enough = Notify::new();
    let mut batches = 0;
    let attempt = copy(&from, &to, Beside::Nobody, |progress| {
        batches += usize::from(progress.table == "event");
        if batches == 1 {
            enough.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = enough.notified() => {}
        ended = attempt => panic!("{ended:?}"),
    }
    let path = path_of(&to).to_owned();
    let change = "UPDATE message SET chat = 'x' WHERE ord = (SELECT min(ord) FROM message)";
    let db = on_file(&path).await;
    while let Err(error) = db.execute_unprepared(change).await {
        assert!(error.to_string().contains("locked"), "{error}");
    }
    db.close().await.unwrap();
    let error = loop {
        match refused(&from, &to).await {
            CopyError::InUse(_) => tokio::task::yield_now().await,
            error => break error,
        }
    };
    assert!(matches!(&error, CopyError::Differs(text) if text.contains("the table message")), "{error:?}");
    // It stays what it is: no store.
    let (clock, sink): (Arc<TestClock>, Arc<Recorder>) = (Arc::new(TestClock::new()), Arc::default());
    assert!(open(to, clock, rules(Tz::UTC), sink).await.is_err());
}
