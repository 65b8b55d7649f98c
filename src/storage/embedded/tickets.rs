//! Tickets in memory: a restart voids them, and their holders ask for new ones.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use crate::domain::time::Moment;
use crate::ports::store::StoreError;
use crate::ports::tickets::{Grant, Tickets};

/// Tickets kept at most. Beyond, the one that would have expired first makes room.
pub const KEPT: usize = 100_000;

/// Tickets of this process.
#[derive(Default)]
pub struct MemoryTickets(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_ticket: HashMap<String, (Place, Grant)>,
    by_age: BTreeMap<Place, String>,
    issued: u64,
}

/// When a ticket expires, and its number among those that expire then.
type Place = (Moment, u64);

impl Kept {
    fn insert(&mut self, ticket: String, grant: Grant, expires: Moment) {
        if self.by_ticket.len() == KEPT
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.by_ticket.remove(&oldest);
        }
        self.issued += 1;
        let place = (expires, self.issued);
        self.by_age.insert(place, ticket.clone());
        if let Some((former, _)) = self.by_ticket.insert(ticket, (place, grant)) {
            self.by_age.remove(&former);
        }
    }

    fn take(&mut self, ticket: &str, now: Moment) -> Option<Grant> {
        self.expire(now);
        let (place, grant) = self.by_ticket.remove(ticket)?;
        self.by_age.remove(&place);
        Some(grant)
    }

    fn expire(&mut self, now: Moment) {
        while let Some(entry) = self.by_age.first_entry()
            && entry.key().0 <= now
        {
            self.by_ticket.remove(&entry.remove());
        }
    }
}

impl MemoryTickets {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tickets for MemoryTickets {
    async fn issue(&self, ticket: String, grant: Grant, expires: Moment) -> Result<(), StoreError> {
        self.kept().insert(ticket, grant, expires);
        Ok(())
    }

    async fn redeem(&self, ticket: &str, now: Moment) -> Result<Option<Grant>, StoreError> {
        Ok(self.kept().take(ticket, now))
    }
}
