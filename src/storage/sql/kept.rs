//! Rows the writer remembers from its last commits. It is the only writer of its database, so a row stays as it was
//! committed until the next commit changes it, and need not be read again.
//!
//! A batch takes rows out into its book and gives the book back once it is committed. A batch that fails gives nothing
//! back, and whoever lets it fail, or writes by statements of its own, forgets everything: what is not here is read.

use std::collections::HashMap;
use std::hash::Hash;

use super::book::{Book, MessageRow, SessionRow, UsageRow};
use super::days::Calendar;
use super::posting::Subscribers;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::message::{Direction, WaId};
use crate::domain::time::WallTime;

/// Sessions, months and feeds of so many are remembered, and once more as many.
const ROWS: usize = 16_384;
/// Messages likewise: from its acceptance to its last receipt a message is asked for four times within a second or so.
const MESSAGES: usize = 4_096;
/// Longer bodies are read again, so that what is remembered stays within 20 MB.
const BODY_MAX: usize = 1_024;

/// Rows as they were committed last.
pub(super) struct Kept {
    /// What days are, which no commit changes.
    calendar: Calendar,
    sessions: Generations<SessionId, SessionRow, ROWS>,
    months: Generations<(TenantId, WallTime), UsageRow, ROWS>,
    heads: Generations<TenantId, u64, ROWS>,
    messages: Generations<MessageId, MessageRow, MESSAGES>,
    by_wa: Generations<(SessionId, WaId), MessageId, MESSAGES>,
    last_ord: Option<i64>,
    /// Most have none; that is remembered too.
    subscribers: Generations<TenantId, Subscribers, ROWS>,
    /// Whether anything is known of any number; of most tenants nothing is.
    acquainted: Generations<TenantId, bool, ROWS>,
}

impl Kept {
    /// Nothing yet.
    pub(super) fn new(calendar: Calendar) -> Self {
        Self {
            calendar,
            sessions: Generations::default(),
            months: Generations::default(),
            heads: Generations::default(),
            messages: Generations::default(),
            by_wa: Generations::default(),
            last_ord: None,
            subscribers: Generations::default(),
            acquainted: Generations::default(),
        }
    }

    /// What days are.
    pub(super) fn calendar(&self) -> Calendar {
        self.calendar.clone()
    }

    pub(super) fn take_session(&mut self, id: SessionId) -> Option<SessionRow> {
        self.sessions.take(&id)
    }

    pub(super) fn take_month(&mut self, key: (TenantId, WallTime)) -> Option<UsageRow> {
        self.months.take(&key)
    }

    pub(super) fn take_message(&mut self, id: MessageId) -> Option<MessageRow> {
        self.messages.take(&id)
    }

    /// Which outbound message has this id on the network.
    pub(super) fn by_wa(&self, key: &(SessionId, WaId)) -> Option<MessageId> {
        self.by_wa.get(key).copied()
    }

    /// The last position of a tenant's feed.
    pub(super) fn head(&self, tenant: TenantId) -> Option<u64> {
        self.heads.get(&tenant).copied()
    }

    /// The place of the message accepted last.
    pub(super) fn last_ord(&self) -> Option<i64> {
        self.last_ord
    }

    /// A tenant's endpoints.
    pub(super) fn subscribers(&self, tenant: TenantId) -> Option<&Subscribers> {
        self.subscribers.get(&tenant)
    }

    /// Remembers a tenant's endpoints. Whatever changes them is no batch, and lets everything be forgotten.
    pub(super) fn put_subscribers(&mut self, tenant: TenantId, subscribers: Subscribers) {
        self.subscribers.put(tenant, subscribers);
    }

    /// Whether a tenant knows anything of any number.
    pub(super) fn is_acquainted(&self, tenant: TenantId) -> Option<bool> {
        self.acquainted.get(&tenant).copied()
    }

    /// Remembers whether a tenant knows anything of any number.
    pub(super) fn put_acquainted(&mut self, tenant: TenantId, acquainted: bool) {
        self.acquainted.put(tenant, acquainted);
    }

    /// Remembers what was just committed.
    pub(super) fn keep(&mut self, book: Book, heads: HashMap<TenantId, u64>, last_ord: Option<i64>) {
        let rows = book.into_rows();
        rows.sessions.into_iter().for_each(|(id, row)| self.sessions.put(id, row));
        rows.months.into_iter().for_each(|(key, row)| self.months.put(key, row));
        heads.into_iter().for_each(|(tenant, seq)| self.heads.put(tenant, seq));
        rows.acquainted.into_iter().for_each(|tenant| self.acquainted.put(tenant, true));
        for (id, row) in rows.messages {
            if row.message.content.weight() > BODY_MAX {
                continue;
            }
            if row.message.direction == Direction::Out {
                self.by_wa.put((row.message.session, row.message.wa_id.clone()), id);
            }
            self.messages.put(id, row);
        }
        self.last_ord = last_ord.or(self.last_ord);
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.calendar.clone());
    }
}

/// The last `ROOM` entries at least, and twice as many at most: when the young fill up, they become the old, and the old
/// go. Costs nothing per entry that a map alone would not.
struct Generations<K, V, const ROOM: usize> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V, const ROOM: usize> Default for Generations<K, V, ROOM> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq, V, const ROOM: usize> Generations<K, V, ROOM> {
    fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    fn take(&mut self, key: &K) -> Option<V> {
        // Both: an old value must not come back once the young one is taken.
        let old = self.old.remove(key);
        self.young.remove(key).or(old)
    }

    fn put(&mut self, key: K, value: V) {
        if self.young.len() >= ROOM {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_is_found_and_a_taken_one_is_gone() {
        let mut some = Generations::<u32, &str, 2>::default();
        some.put(1, "old");
        some.put(2, "two");
        some.put(1, "new");
        some.put(3, "three");
        assert_eq!(some.get(&1), Some(&"new"));
        assert_eq!((some.take(&1), some.get(&1)), (Some("new"), None));
        assert_eq!(some.take(&1), None, "the one before it does not come back");
    }

    #[test]
    fn as_many_as_there_is_room_for_are_remembered_and_never_more_than_twice_as_many() {
        let mut some = Generations::<u32, u32, 8>::default();
        for number in 0..100 {
            some.put(number, number);
            assert!(some.young.len() + some.old.len() <= 16);
            for recent in number.saturating_sub(7)..=number {
                assert_eq!(some.get(&recent), Some(&recent));
            }
        }
    }
}
