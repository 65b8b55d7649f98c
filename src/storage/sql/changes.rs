//! What a batch has to write.

use std::collections::HashSet;

use uuid::Uuid;

use super::days::DayTally;
use super::posting::Posting;
use crate::domain::chat::Chat;
use crate::domain::event::Change;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::session::Lease;
use crate::domain::time::{Reading, WallTime};
use crate::ports::webhooks::Settled;

/// An attempt, to be appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) lease: Lease,
    pub(super) message: MessageId,
    pub(super) number: u32,
    pub(super) at: Reading,
}

/// A change to be told. It gets its place in the tenant's feed when the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) tenant: TenantId,
    pub(super) session: Option<SessionId>,
    pub(super) change: Change,
}

/// What has to be written.
#[derive(Default)]
pub(super) struct Changes {
    /// In order of acceptance.
    pub(super) new_messages: Vec<MessageId>,
    pub(super) messages: HashSet<MessageId>,
    pub(super) sessions: HashSet<SessionId>,
    pub(super) tallies: HashSet<SessionId>,
    /// Days that are over.
    pub(super) days: Vec<(TenantId, SessionId, DayTally)>,
    pub(super) usage: HashSet<(TenantId, WallTime)>,
    pub(super) remembered: Vec<(Uuid, String)>,
    pub(super) met: Vec<(TenantId, SessionId, Chat, WallTime)>,
    pub(super) approached: Vec<(TenantId, SessionId, Chat, WallTime)>,
    pub(super) contacts: HashSet<(TenantId, Chat)>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) told: Vec<Told>,
    /// Of what is told, what endpoints want.
    pub(super) postings: Vec<Posting>,
    pub(super) settled: Vec<Settled>,
}

impl Changes {
    /// Whether there is anything to write.
    pub(super) fn is_any(&self) -> bool {
        let Self {
            new_messages,
            messages,
            sessions,
            tallies,
            days: _, // each stands beside a tally
            usage,
            remembered,
            met,
            approached,
            contacts,
            attempts,
            told,
            postings: _, // each stands beside something told
            settled,
        } = self;
        !(new_messages.is_empty()
            && messages.is_empty()
            && sessions.is_empty()
            && tallies.is_empty()
            && usage.is_empty()
            && remembered.is_empty()
            && met.is_empty()
            && approached.is_empty()
            && contacts.is_empty()
            && attempts.is_empty()
            && told.is_empty()
            && settled.is_empty())
    }
}
