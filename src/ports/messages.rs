//! Reading messages and taking them back.

use async_trait::async_trait;

use super::outbox::Usage;
use super::store::{StoreError, WriteError};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::message::{Direction, Message, MessageReason, MessageStatus, WaId};
use crate::domain::page::{Page, Slice};
use crate::domain::scope::{SystemScope, TenantScope};
use crate::domain::time::{Period, WallTime};

/// Which messages are wanted; what is `None` does not narrow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageFilter {
    /// Of this session.
    pub session: Option<SessionId>,
    /// With this correspondent.
    pub chat: Option<Chat>,
    /// With this status.
    pub status: Option<MessageStatus>,
    /// Going this way.
    pub direction: Option<Direction>,
    /// With this reference of the tenant's.
    pub client_ref: Option<String>,
}

/// What a session did on one day, on the clocks of the operator's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageDay {
    /// When the day began.
    pub day: WallTime,
    /// Which session; it may have been deleted since.
    pub session: SessionId,
    /// Messages that count to usage and reached the server on this day, whenever they were accepted.
    pub sent: u64,
    /// Messages that failed for good.
    pub failed: u64,
    /// Messages that came in.
    pub received: u64,
}

impl MessageFilter {
    /// Whether a message is wanted.
    pub fn fits(&self, message: &Message) -> bool {
        self.session.is_none_or(|session| message.session == session)
            && self.chat.as_ref().is_none_or(|chat| message.chat == *chat)
            && self.status.is_none_or(|status| message.status == status)
            && self.direction.is_none_or(|direction| message.direction == direction)
            && self.client_ref.as_ref().is_none_or(|wanted| message.client_ref.as_ref() == Some(wanted))
    }
}

/// Which messages of all tenants an operator wants to see; what is `None` does not narrow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFilter {
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// This one.
    pub id: Option<MessageId>,
    /// With this id on the network. Without a session only what was sent from here is found by it.
    pub wa_id: Option<WaId>,
    /// What the tenants' own filter has.
    pub narrowed: MessageFilter,
    /// Accepted, or come in, at this time or later.
    pub from: Option<WallTime>,
    /// Accepted, or come in, before this time.
    pub until: Option<WallTime>,
}

/// A part of the log of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPage {
    /// At most as many as were asked for, newest first. Perhaps none, with more to come.
    pub rows: Vec<Message>,
    /// Where to go on: older messages than this one were not looked at. `None` at the end.
    pub beyond: Option<MessageId>,
}

/// What waits on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Messages that wait for their turn.
    pub queued: u64,
    /// Messages that a rule holds back.
    pub held: u64,
    /// Messages under way.
    pub sending: u64,
    /// The oldest of those that are not under way.
    pub head: Option<QueueHead>,
}

/// The message that has waited longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueHead {
    /// Which.
    pub id: MessageId,
    /// `queued` or `held`.
    pub status: MessageStatus,
    /// Why it is held.
    pub reason: Option<MessageReason>,
    /// Not before then, if that lies ahead: the end of the hold, of a pause between two attempts, or what its sender
    /// wished.
    pub until: Option<WallTime>,
}

/// Reading messages and taking them back.
#[async_trait]
pub trait Messages: Send + Sync {
    /// One message; `None` when absent or somebody else's.
    async fn get(&self, scope: TenantScope, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// Messages, newest first.
    async fn list(
        &self,
        scope: TenantScope,
        filter: MessageFilter,
        page: Page,
    ) -> Result<Slice<Message>, StoreError>;

    /// Whether a chat has written to the session, or is a group that has it as a member, as far as was heard.
    async fn knows_chat(
        &self,
        scope: TenantScope,
        session: SessionId,
        chat: &Chat,
    ) -> Result<bool, StoreError>;

    /// Takes one back while it is queued or held, releasing its hold. 404 when absent, 409 `conflict` when it is past
    /// that; one canceled before is answered again.
    async fn cancel(&self, scope: TenantScope, id: MessageId, at: WallTime) -> Result<Message, WriteError>;

    /// Takes back all that are queued or held on a session; how many. 404 when the session is absent.
    async fn cancel_all(
        &self,
        scope: TenantScope,
        session: SessionId,
        at: WallTime,
    ) -> Result<u64, WriteError>;

    /// Usage of the period; `None` when nothing was sent in it. `queued` counts all sessions.
    async fn usage(&self, scope: TenantScope, period: Period) -> Result<Option<Usage>, StoreError>;

    /// Usage by day and session of the days that began within `period`, by day and then by session, at most `limit`, only those
    /// behind `after`. The day under way is among them as far as it has come; a day on which nothing happened is not.
    async fn days(
        &self,
        scope: TenantScope,
        period: Period,
        after: Option<(WallTime, SessionId)>,
        limit: u32,
    ) -> Result<Vec<UsageDay>, StoreError>;

    /// One message, whoever's it is.
    async fn find(&self, scope: SystemScope, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// Messages of all tenants, newest first. Looks at a bounded number of them: a filter that few fit makes pages short,
    /// not slow.
    async fn log(&self, scope: SystemScope, filter: LogFilter, page: Page) -> Result<LogPage, StoreError>;

    /// What waits on a session at `at`; nothing when it is absent or somebody else's.
    async fn queue(&self, scope: TenantScope, session: SessionId, at: WallTime) -> Result<Queue, StoreError>;

    /// When a session's attempts after `since` were made, oldest first, at most the newest `limit`.
    async fn attempts_of(
        &self,
        scope: TenantScope,
        session: SessionId,
        since: WallTime,
        limit: u32,
    ) -> Result<Vec<WallTime>, StoreError>;

    /// Attempts of each session of the tenant since `since`.
    async fn attempts_since(
        &self,
        scope: TenantScope,
        since: WallTime,
    ) -> Result<Vec<(SessionId, u64)>, StoreError>;
}
