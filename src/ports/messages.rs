//! Reading messages and taking them back.

use async_trait::async_trait;

use super::outbox::Usage;
use super::store::{StoreError, WriteError};
use crate::domain::chat::Chat;
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{Direction, Message, MessageStatus};
use crate::domain::page::{Page, Slice};
use crate::domain::scope::TenantScope;
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

    /// Attempts of each session of the tenant since `since`.
    async fn attempts_since(
        &self,
        scope: TenantScope,
        since: WallTime,
    ) -> Result<Vec<(SessionId, u64)>, StoreError>;
}
