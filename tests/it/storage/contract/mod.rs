//! One contract suite over `ports::Stores`. Each store runs all of it; a sentence that holds for one only is no part
//! of it.

use std::sync::Arc;

use chrono_tz::Tz;
use columba::billing::rules;
use columba::ports::Stores;
use columba::storage::memory;
use columba::storage::sql::{self, Place};

use crate::support::clock::ManualClock;
use crate::support::events::EventLog;
use crate::support::postgres;

/// A new, empty store, with the time it sees and the events it publishes.
pub struct Fixture {
    pub stores: Stores,
    pub clock: Arc<ManualClock>,
    pub events: Arc<EventLog>,
    /// Where a store keeps its file, if it keeps one.
    _dir: tempfile::TempDir,
}

/// The stores under the contract.
#[derive(Debug, Clone, Copy)]
pub enum Backend {
    Memory,
    Sqlite,
    Postgres,
}

/// Every one of them.
pub const BACKENDS: [Backend; 3] = [Backend::Memory, Backend::Sqlite, Backend::Postgres];

impl Fixture {
    pub async fn of(backend: Backend) -> Self {
        let (clock, events): (Arc<ManualClock>, Arc<EventLog>) = Default::default();
        let dir = tempfile::tempdir().unwrap();
        let stores = match backend {
            Backend::Memory => memory::open(clock.clone(), rules(Tz::UTC), events.clone()),
            Backend::Sqlite => {
                let place = Place::File(dir.path().join("columba.db"));
                sql::open(place, clock.clone(), rules(Tz::UTC), events.clone()).await.unwrap().stores
            }
            Backend::Postgres => {
                let place = Place::Server(postgres::database().await);
                sql::open(place, clock.clone(), rules(Tz::UTC), events.clone()).await.unwrap().stores
            }
        };
        Self { stores, clock, events, _dir: dir }
    }
}

/// Makes a test per store of each function named: `async fn name(fixture: Fixture)`.
macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        contract!(@on memory, Memory, $($name),*);
        contract!(@on sqlite, Sqlite, $($name),*);
        contract!(@on postgres, Postgres, $($name),*);
    };
    (@on $store:ident, $backend:ident, $($name:ident),*) => {
        mod $store {
            use crate::storage::contract::{Backend, Fixture};
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Fixture::of(Backend::$backend).await).await;
                }
            )*
        }
    };
}

mod accept;
mod audit;
mod claim;
mod differential;
mod directory;
mod feed;
mod fleet;
mod inbound;
mod ledger;
mod ledger_requests;
mod media;
mod messages;
mod people;
mod recover;
mod restraint;
mod sessions;
mod settle;
pub mod stage;
mod sweep;
mod webhooks;
