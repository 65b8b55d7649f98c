//! What waits on one session, in memory: which message is next, and when. A mirror of rows; losing it costs a read.
//!
//! Order: of acceptance within a chat, one under way per chat. A message scheduled into the future takes no place in
//! that order until its time has come. Between chats the one that became ready first goes first.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::domain::chat::Chat;
use crate::domain::id::MessageId;
use crate::domain::time::Moment;
use crate::ports::outbox::Position;

/// One message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which.
    pub message: MessageId,
    /// Its place in the order of acceptance.
    pub position: Position,
    /// Its correspondent.
    pub chat: Chat,
    /// Not before.
    pub not_before: Moment,
    /// Whether `not_before` is a `send_at` that lies ahead.
    pub scheduled: bool,
}

/// What to do about the agenda now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This one may go.
    Ready(Item),
    /// None may before then.
    At(Moment),
    /// Nothing waits, or all that waits stands behind something under way.
    Nothing,
}

#[derive(Debug, Default)]
struct Queue {
    /// In order of acceptance.
    items: VecDeque<Item>,
    /// One is under way, or an earlier owner left one.
    busy: bool,
    /// Not before then, whatever waits: the limit per chat.
    opens: Moment,
    /// Where this chat stands in `ready`.
    key: Option<(Moment, Position)>,
}

/// Everything that waits on one session.
#[derive(Debug, Default)]
pub struct Agenda {
    chats: HashMap<Chat, Queue>,
    /// Chats that have something to send and nothing under way, by when.
    ready: BTreeMap<(Moment, Position), Chat>,
    known: HashSet<MessageId>,
    /// The last place read from the store.
    seen: Position,
}

impl Agenda {
    /// Messages that wait.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The last place read from the store: the next read begins behind it.
    pub fn seen(&self) -> Position {
        self.seen
    }

    /// Enters a message read from the store. One that is known already changes nothing.
    pub fn enter(&mut self, item: Item) {
        self.seen = self.seen.max(item.position);
        if !self.known.insert(item.message) {
            return;
        }
        let name = item.chat.clone();
        let chat = self.chats.entry(name.clone()).or_default();
        let place = chat.items.partition_point(|other| other.position < item.position);
        chat.items.insert(place, item);
        self.reseat(&name);
    }

    /// Notes that a message of this chat is under way: nothing of it goes until that one is finished or put back, or
    /// until [`forget`](Self::forget) if an earlier owner left it.
    pub fn block(&mut self, chat: Chat, position: Position) {
        self.seen = self.seen.max(position);
        self.chats.entry(chat.clone()).or_default().busy = true;
        self.reseat(&chat);
    }

    /// The next message at `now`.
    pub fn next(&self, now: Moment) -> Next {
        let Some((&(at, position), name)) = self.ready.first_key_value() else { return Next::Nothing };
        if at > now {
            return Next::At(at);
        }
        let item =
            self.chats.get(name).and_then(|chat| chat.items.iter().find(|item| item.position == position));
        item.map_or(Next::Nothing, |item| Next::Ready(item.clone()))
    }

    /// Takes a message out; its chat waits for [`finish`](Self::finish) or [`put_back`](Self::put_back).
    pub fn take(&mut self, item: &Item) {
        if let Some(chat) = self.chats.get_mut(&item.chat) {
            chat.items.retain(|other| other.position != item.position);
            chat.busy = true;
        }
        self.known.remove(&item.message);
        self.reseat(&item.chat);
    }

    /// What a chat held back for a time may go at `now`: somebody wrote there. What is scheduled stays so.
    pub fn free(&mut self, chat: &Chat, now: Moment) {
        if let Some(entry) = self.chats.get_mut(chat) {
            for item in entry.items.iter_mut().filter(|item| !item.scheduled) {
                item.not_before = item.not_before.min(now);
            }
            self.reseat(chat);
        }
    }

    /// The message under way is settled. The chat goes on, not before `opens`.
    pub fn finish(&mut self, chat: &Chat, opens: Moment) {
        if let Some(entry) = self.chats.get_mut(chat) {
            entry.busy = false;
            entry.opens = entry.opens.max(opens);
            if entry.items.is_empty() {
                self.chats.remove(chat);
                return;
            }
        }
        self.reseat(chat);
    }

    /// The message under way waits again, not before `item.not_before`. It keeps its place.
    pub fn put_back(&mut self, item: Item) {
        self.chats.entry(item.chat.clone()).or_default().busy = false;
        self.enter(item);
    }

    /// Forgets everything; the next read begins at the beginning.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Puts a chat where its next message belongs.
    fn reseat(&mut self, name: &Chat) {
        let Some(chat) = self.chats.get_mut(name) else { return };
        if let Some(old) = chat.key.take() {
            self.ready.remove(&old);
        }
        if chat.busy {
            return;
        }
        // In order of acceptance the first that is not scheduled; a scheduled one before it goes first once it is due.
        let mut best: Option<(Moment, Position)> = None;
        for item in &chat.items {
            let key = (item.not_before.max(chat.opens), item.position);
            best = Some(best.map_or(key, |found| found.min(key)));
            if !item.scheduled {
                break;
            }
        }
        if let Some(key) = best {
            chat.key = Some(key);
            self.ready.insert(key, name.clone());
        }
    }
}
