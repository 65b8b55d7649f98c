//! Whole tables, row by row: how a page of one is read, how rows are put into one, and how its numbers go on behind
//! them. Texts are made of the list of tables, not of anything from outside.

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel,
    Statement, TransactionTrait as _, Value,
};

use super::{Fault, postgres, sqlite};
use crate::ports::store::StoreError;
use crate::storage::sql::Place;
use crate::storage::sql::copy::tables::{Kind, Table};

/// A connection to a database that exists, beside which no server works: the error says so if one does. On SQLite nobody
/// else may have the file open at all; on PostgreSQL it holds the writer's lock, as the owner of the tables.
pub(in crate::storage::sql) async fn open_alone(place: &Place) -> Result<DatabaseConnection, StoreError> {
    match place {
        Place::File(path) => sqlite::open_alone(path).await,
        Place::Server(url) => postgres::open_alone(url).await,
    }
}

/// Whether that failed because somebody else is at work. Both dialects say so in words of their own.
pub(in crate::storage::sql) fn is_taken(error: &StoreError) -> bool {
    let StoreError::Unavailable(text) = error else { return false };
    text.contains("database is locked") || text.contains(postgres::TAKEN)
}

/// A transaction that sees one state of the whole, as it stands at its first statement.
pub(in crate::storage::sql) async fn one_state(
    db: &DatabaseConnection,
) -> Result<DatabaseTransaction, Fault> {
    match db.get_database_backend() {
        DbBackend::Postgres => {
            let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
            Ok(db.begin_with_config(Some(isolation), Some(access)).await?)
        }
        // Every transaction of SQLite is that.
        _ => Ok(db.begin().await?),
    }
}

/// The next page of a table behind a key, in the order of its keys: the values of that key, if there is one, then how many.
pub(in crate::storage::sql) fn page(
    db: &impl ConnectionTrait,
    table: &Table,
    after: Vec<Value>,
    limit: i64,
) -> Statement {
    let (columns, keys, name) = (table.columns(), table.keys(), table.name);
    let behind = match after.len() {
        0 => String::new(),
        count => {
            let places: Vec<_> = (1..=count).map(|number| format!("${number}")).collect();
            format!("WHERE ({keys}) > ({})", places.join(", "))
        }
    };
    let text = format!("SELECT {columns} FROM {name} {behind} ORDER BY {keys} LIMIT ${}", after.len() + 1);
    let values = after.into_iter().chain([limit.into()]);
    Statement::from_sql_and_values(db.get_database_backend(), text, values)
}

/// Puts rows into a table: a JSON array of arrays, ids and bytes as hex digits. A row that is there stays, unless the
/// table is one that a schema without data has rows of.
pub(in crate::storage::sql) fn put(db: &impl ConnectionTrait, table: &Table, rows: String) -> Statement {
    let (columns, keys, name) = (table.columns(), table.keys(), table.name);
    let backend = db.get_database_backend();
    let value = |(place, kind): (usize, Kind)| match (backend, kind) {
        (DbBackend::Postgres, Kind::Id) => format!("(value->>{place})::uuid"),
        (DbBackend::Postgres, Kind::Bytes) => format!("decode(value->>{place}, 'hex')"),
        (DbBackend::Postgres, Kind::Number) => format!("(value->>{place})::bigint"),
        (DbBackend::Postgres, Kind::Flag) => format!("(value->>{place})::boolean"),
        (_, Kind::Id | Kind::Bytes) => format!("unhex(value->>{place})"),
        (_, Kind::Number | Kind::Flag | Kind::Text) => format!("value->>{place}"),
    };
    let values: Vec<_> = table.columns.iter().map(|column| column.kind).enumerate().map(value).collect();
    let (values, from) = (
        values.join(", "),
        match backend {
            DbBackend::Postgres => "jsonb_array_elements($1::jsonb) AS w(value)",
            _ => "jsonb_each($1)",
        },
    );
    let rest = &table.columns[table.key..];
    let same = match table.seeded {
        false => "NOTHING".to_owned(),
        true => {
            let news: Vec<_> = rest.iter().map(|column| format!("{0} = excluded.{0}", column.name)).collect();
            format!("UPDATE SET {}", news.join(", "))
        }
    };
    let conflict = if table.seeded { format!("({keys})") } else { String::new() };
    let text = format!(
        "INSERT INTO {name} ({columns}) SELECT {values} FROM {from} WHERE true ON CONFLICT {conflict} DO {same}"
    );
    Statement::from_sql_and_values(backend, text, [rows.into()])
}

/// Lets the order of acceptance go on behind `last`, and every other numbered table behind its highest number.
pub(in crate::storage::sql) async fn go_on_behind(
    db: &impl ConnectionTrait,
    tables: &[Table],
    last: i64,
) -> Result<(), Fault> {
    match db.get_database_backend() {
        DbBackend::Postgres => {
            super::execute(db, "UPDATE message_place SET last = $1", [last.into()]).await?;
            // `message` takes its numbers from the line above.
            for Table { name, .. } in
                tables.iter().filter(|table| table.is_numbered() && table.name != "message")
            {
                let text = format!(
                    "SELECT setval(pg_get_serial_sequence('{name}', 'ord'), max(ord)) FROM {name} HAVING max(ord) > 0"
                );
                db.execute_unprepared(&text).await?;
            }
        }
        _ => {
            super::execute(db, "DELETE FROM sqlite_sequence WHERE name = 'message'", []).await?;
            let text = "INSERT INTO sqlite_sequence (name, seq) VALUES ('message', $1)";
            super::execute(db, text, [last.into()]).await?;
        }
    }
    Ok(())
}
