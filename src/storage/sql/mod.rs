//! The store in SQL. One task writes, in batches; a few connections read.
//!
//! A hot write is a `writer::Command`: it names the rows it needs, and decides on them in memory (`book`). What a
//! batch needs is remembered from the last commits (`kept`) or read by one statement per table (`load`); what it
//! changed, with the places of its events in the feed, is written and committed in one round trip by one statement per
//! table (`flush`); then it is published and answered. So the order of commits is the order of events, and two commands
//! of one batch see each other. A rare write is a `writer::Errand` with statements of its own, in the same queue.

mod attempts;
pub mod audit;
pub mod backup;
mod book;
mod changes;
mod commands;
mod contacts;
pub mod copy;
mod days;
mod desk;
mod dialect;
mod directory;
mod entities;
mod errands;
mod feed;
mod fleet;
mod flush;
pub mod history;
mod idempotency;
mod kept;
mod ledger;
mod line;
mod load;
mod log;
mod lookout;
mod media;
mod messages;
#[cfg(test)]
mod outage;
mod outbox;
mod people;
#[cfg(test)]
mod plans;
mod posting;
mod sessions;
mod spells;
pub mod steps;
pub mod survey;
mod sweep;
mod webhooks;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use sea_orm::DatabaseConnection;
use tokio::task::JoinHandle;

use self::days::Calendar;
use self::writer::{Writer, WriterHandle};
use crate::domain::audit::Actor;
use crate::ports::Stores;
use crate::ports::clock::Clock;
use crate::ports::feed::FeedSink;
use crate::ports::outbox::Rules;
use crate::ports::store::StoreError;

/// Where the data lies.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of SQLite. Its directory exists; the file is created readable by its owner only. SQLite keeps two more
    /// files beside it, with `-wal` and `-shm` behind its name.
    File(PathBuf),
    /// A database of PostgreSQL 15 or newer, by its address, `postgres://user:password@host:port/name?sslmode=…`. It
    /// exists; its schema is made by the user of the address, who may create roles or is a member of them.
    Server(String),
}

impl Place {
    /// Reads an address, `postgres://…` or `sqlite://…`, or a path.
    pub fn named(text: &str) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Self::Server(text.to_owned());
        }
        Self::File(PathBuf::from(text.strip_prefix("sqlite://").unwrap_or(text)))
    }
}

/// For people: the path, or the address without what is secret.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(url) => {
                let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
                let rest = rest.split(['?', '#']).next().unwrap_or_default();
                write!(f, "postgres://{}", rest.rsplit('@').next().unwrap_or_default())
            }
        }
    }
}

/// Without what is secret.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// An open store.
pub struct Sql {
    /// Its ports.
    pub stores: Stores,
    writer: WriterHandle,
    readers: DatabaseConnection,
    task: JoinHandle<()>,
}

impl Sql {
    /// Resolves when the writer ends without having been asked to: a bug of ours panicked in it. Nothing can be written
    /// from then on, so whoever runs the process should end it and begin anew from the rows.
    pub async fn broken(&mut self) {
        if let Err(panic) = (&mut self.task).await {
            tracing::error!(%panic, "the store's writer died");
        }
    }

    /// Writes what has queued, copies the log back into the file and closes it. Whatever is asked of the ports later
    /// is answered `Unavailable`.
    pub async fn close(self) {
        // Readers first: an open read would keep the log from being emptied.
        if let Err(error) = self.readers.close().await {
            tracing::warn!(%error, "the reading connections did not close cleanly");
        }
        self.writer.close().await;
    }
}

/// Opens the store, creating or migrating it, and starts its writer on the current tokio runtime.
///
/// `rules` decide inside its transactions. `sink` gets the events of every commit, in order, before the
/// calls that caused them are answered.
pub async fn open(
    place: Place,
    clock: Arc<dyn Clock>,
    rules: Rules,
    sink: Arc<dyn FeedSink>,
) -> Result<Sql, StoreError> {
    steps::take(&place, |_| {}).await?;
    let db = dialect::open_writer(&place).await?;
    if copy::mark::is_unfinished(&db).await? {
        db.close().await.unwrap_or(());
        let text =
            "a copy into it was begun and not finished; finish it with columba migrate --from … --to …";
        return Err(StoreError::Unavailable(text.to_owned()));
    }
    if let Some(to) = copy::mark::moved_to(&db).await? {
        db.close().await.unwrap_or(());
        let text = format!(
            "it was moved to {to}, and what waits in it would be sent a second time; serve from there, or, if nothing \
             was served from there, take the move back with columba migrate --take-back"
        );
        return Err(StoreError::Unavailable(text));
    }
    let is_backup = backup::Mark::read(&db).await?.is_some();
    let readers = dialect::open_readers(&place).await?;
    let (task, writer) =
        Writer::new(place, db, Arc::clone(&clock), Calendar::new(rules.day_of.clone()), sink);
    let task = tokio::spawn(task.run());
    while is_backup && writer.errand(errands::Restored { at: clock.wall() }).await? {}
    let stores = stores(&writer, &readers, clock, rules).await?;
    Ok(Sql { stores, writer, readers, task })
}

async fn stores(
    writer: &WriterHandle,
    readers: &DatabaseConnection,
    clock: Arc<dyn Clock>,
    rules: Rules,
) -> Result<Stores, StoreError> {
    let (writer, readers) = (|| writer.clone(), || readers.clone());
    let directory = Arc::new(directory::SqlDirectory::load(writer(), readers()).await?);
    Ok(Stores {
        ledger: Arc::new(ledger::SqlLedger {
            writer: writer(),
            readers: readers(),
            directory: Arc::clone(&directory),
            by: Actor::system(),
        }),
        directory,
        audit: Arc::new(audit::SqlAudit { writer: writer(), readers: readers() }),
        sessions: Arc::new(sessions::SqlSessions { writer: writer(), readers: readers() }),
        outbox: Arc::new(outbox::SqlOutbox {
            writer: writer(),
            readers: readers(),
            clock: Arc::clone(&clock),
            judge: rules.judge,
        }),
        messages: Arc::new(messages::SqlMessages { writer: writer(), readers: readers() }),
        contacts: Arc::new(contacts::SqlContacts { writer: writer(), readers: readers() }),
        media: Arc::new(media::SqlMedia { writer: writer(), readers: readers() }),
        sweep: Arc::new(sweep::SqlSweep { writer: writer(), readers: readers(), clock }),
        feed_log: Arc::new(feed::SqlFeedLog::load(readers()).await?),
        webhooks: Arc::new(webhooks::SqlWebhooks { writer: writer(), readers: readers() }),
        people: Arc::new(people::SqlPeople { writer: writer(), readers: readers() }),
        lookout: Arc::new(lookout::SqlLookout { readers: readers() }),
    })
}

/// A store that another process writes, or will write again.
pub struct Onlooker {
    /// Its ports. What would be a write answers `Unavailable`.
    pub stores: Stores,
    readers: DatabaseConnection,
}

impl Onlooker {
    /// Gives its connections back.
    pub async fn close(self) {
        if let Err(error) = self.readers.close().await {
            tracing::warn!(%error, "the reading connections did not close cleanly");
        }
    }
}

/// Opens the store beside the process that writes it. Neither makes nor changes anything: a store that is not there, or
/// of another version, is an error that says what to do.
pub async fn look_on(place: &Place, clock: Arc<dyn Clock>, rules: Rules) -> Result<Onlooker, StoreError> {
    if let Place::File(path) = place
        && !path.exists()
    {
        let text = "there is no such file; start the server that writes it first";
        return Err(StoreError::Unavailable(text.to_owned()));
    }
    let standing = steps::look(place).await?;
    let stranger = standing.steps.iter().find(|step| !step.taken || !step.known);
    if let Some(step) = stranger {
        let text = if step.taken {
            format!(
                "it has taken the step {}, which a newer program makes; start that one here too",
                step.name
            )
        } else {
            format!("it lacks the step {}; start the server that writes it first", step.name)
        };
        return Err(StoreError::Unavailable(text));
    }
    let readers = dialect::open_readers(place).await?;
    let stores = stores(&WriterHandle::closed(), &readers, clock, rules).await?;
    Ok(Onlooker { stores, readers })
}
