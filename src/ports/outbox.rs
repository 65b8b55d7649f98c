//! The durable queue. Every answer means it is on disk; calls of many sessions share one commit.

use std::sync::Arc;

use async_trait::async_trait;

use super::store::{Created, StoreError, WriteError};
use crate::domain::chat::Chat;
use crate::domain::content::Content;
use crate::domain::id::{MessageId, SessionId, TenantId};
use crate::domain::idempotency::Idempotency;
use crate::domain::message::{
    Delivery, Direction, Draft, Letter, Message, MessageReason, MessageStatus, ReceiptKind, WaId,
};
use crate::domain::phone::Phone;
use crate::domain::plan::{Allowance, Caps};
use crate::domain::refusal::Refusal;
use crate::domain::restraint::Approach;
use crate::domain::session::{Lease, Restriction, Standing};
use crate::domain::time::{Moment, Period, Reading, WallTime};

/// What binds one acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Which month it counts to.
    pub period: Period,
    /// What the month's row is created with, if this is its first use.
    pub allowance: Allowance,
    /// What binds at once.
    pub caps: Caps,
    /// Whether it counts at all; test keys do not.
    pub metered: bool,
    /// Whether a soft quota binds like a hard one: the tenant is late with paying.
    pub strict: bool,
}

/// What stands in the store when the decision is made, read in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What the period's row was created with.
    pub allowance: Allowance,
    /// Messages charged.
    pub used: u64,
    /// Messages accepted and not yet charged or released.
    pub held: u64,
    /// Live messages of this session.
    pub queued: u64,
}

/// Stop 4 of the route, handed to the store by `app` so that it is decided inside the transaction:
/// `billing::quota::decide`.
pub type Judge = fn(&Terms, &Usage, WallTime) -> Result<(), Refusal>;

/// The day that a time lies in, on the clocks of the operator's zone: `billing::period::day_of`.
pub type DayOf = Arc<dyn Fn(WallTime) -> Period + Send + Sync>;

/// What a store decides by inside its transactions. The rules are `billing`'s; `app` hands them over.
#[derive(Clone)]
pub struct Rules {
    /// Stop 4.
    pub judge: Judge,
    /// Which day a message counts to.
    pub day_of: DayOf,
}

/// One message to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// Whose.
    pub tenant: TenantId,
    /// On which session.
    pub session: SessionId,
    /// The id it gets, if it is new.
    pub id: MessageId,
    /// The id on the network it gets.
    pub wa_id: WaId,
    /// What is asked for.
    pub draft: Draft,
    /// What binds it.
    pub terms: Terms,
    /// What makes a second request the same.
    pub idempotency: Option<Idempotency>,
    /// When.
    pub at: WallTime,
}

/// Place in the order of acceptance over the whole store; grows, with gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Position(pub i64);

/// One message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub message: MessageId,
    /// Its place.
    pub position: Position,
    /// With whom. Order and the limit per chat go by it.
    pub chat: Chat,
    /// Not to be claimed before: `send_at`, the end of a back-off or of a hold.
    pub not_before: WallTime,
    /// Set while `send_at` lies ahead: until then it takes no place in the order of its chat.
    pub scheduled: bool,
    /// Attempts begun.
    pub attempts: u32,
    /// `queued`, `held`, or `sending` for one an earlier owner left.
    pub status: MessageStatus,
}

/// What earlier owners left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Memory {
    /// The right to act, newly taken: every older one is refused from here on.
    pub lease: Lease,
    /// Moments of the attempts of the last 61 s, any order. `None`: another boot wrote some of them, they cannot be
    /// compared, and the window counts as full.
    pub attempts: Option<Vec<Moment>>,
    /// What the network holds against the account.
    pub standing: Standing,
    /// Whether the session holds credentials.
    pub paired: bool,
}

/// One claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// As whom.
    pub lease: Lease,
    /// Which message.
    pub message: MessageId,
    /// When: dates the attempt.
    pub at: Reading,
    /// While the account may begin no new chats, a message to one is held until that ends.
    pub lock: Option<Restriction>,
    /// What binds a message to somebody who never wrote; nothing where nothing does.
    pub approach: Option<Approach>,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer is work: a box would cost each message an allocation"
)]
pub enum Claimed {
    /// It is `sending` now, and the attempt is in the log.
    Work(Work),
    /// It no longer waits: canceled, expired, or settled by a receipt. No attempt was counted.
    Gone,
    /// Whether the number has an account has to be asked first. No attempt was counted.
    Unchecked {
        /// Which.
        to: Phone,
    },
    /// It may not be sent yet. No attempt was counted.
    NotYet {
        /// When it may.
        until: WallTime,
    },
}

/// One attempt to be made. `(message, number)` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// As whom.
    pub lease: Lease,
    /// Which message.
    pub message: MessageId,
    /// Which attempt, from 1.
    pub number: u32,
    /// Its id on the network.
    pub wa_id: WaId,
    /// To whom.
    pub to: Chat,
    /// What.
    pub content: Content,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// The message it refers to. None as it is claimed: the attempt [looks for it](Outbox::referred).
    pub referred: Option<Box<Referred>>,
    /// What a crash may cost.
    pub delivery: Delivery,
    /// When it was claimed, which dates the attempt in the log.
    pub claimed_at: Moment,
}

impl Work {
    /// The record of the message it refers to: the one it says something about, or the one it answers.
    pub fn refers_to(&self) -> Option<MessageId> {
        self.content.target().and_then(|target| target.message).or(self.reply_to)
    }
}

/// A message that another one refers to, as the network knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// Its id.
    pub wa_id: WaId,
    /// Whether this account wrote it.
    pub from_me: bool,
    /// Who wrote it, in a group.
    pub author: Option<Chat>,
    /// What it holds, for the words of a quote.
    pub content: Content,
}

impl Referred {
    /// What of a record the network has to know.
    pub fn of(message: Message) -> Self {
        let Message { wa_id, direction, author, content, .. } = message;
        Self { wa_id, from_me: direction != Direction::In, author, content }
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server acked it. Charges the hold.
    Sent,
    /// Refused for good. Releases the hold.
    Failed(MessageReason),
    /// To be tried again. Keeps the hold.
    Retry {
        /// Not before.
        not_before: WallTime,
        /// Why.
        reason: MessageReason,
    },
    /// To wait for the end of a lock. Keeps the hold.
    Held {
        /// Its end.
        until: WallTime,
        /// Why.
        reason: MessageReason,
    },
    /// Every attempt is used up. Releases the hold.
    Dead,
    /// Nobody knows. Keeps the hold for 24 h.
    Unknown(MessageReason),
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// Whose.
    pub tenant: TenantId,
    /// Which message.
    pub message: MessageId,
    /// Which attempt.
    pub number: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// When.
    pub at: WallTime,
}

/// A receipt from the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Which message, by its id on the network.
    pub wa_id: WaId,
    /// What it says.
    pub kind: ReceiptKind,
    /// When it came.
    pub at: WallTime,
}

/// A message from the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The id it gets, if it is new.
    pub id: MessageId,
    /// What came. Its id on the network is unique with session, chat and author.
    pub letter: Letter,
    /// When it came.
    pub at: WallTime,
}

/// What became of a message from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// It was not stored before.
    pub new: bool,
    /// Messages to its sender that were held for want of one go now.
    pub freed: bool,
}

/// What recovery did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Messages that wait again, to be sent under the same id.
    pub requeued: u64,
    /// Messages that became `unknown`.
    pub unknown: u64,
}

/// The durable queue.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Stops 3 to 5 in one transaction: message, hold, idempotency row and event. Refusals in this order: 404 when the
    /// session is absent or somebody else's; the stored answer of a replay; 422 `idempotency_mismatch`; 409
    /// `session_not_ready` unless the session holds credentials; 422 `suppressed` when the recipient wants no messages;
    /// then what the [`Judge`] says.
    async fn accept(&self, acceptance: Acceptance) -> Result<Created<Message>, WriteError>;

    /// The refusals of [`accept`](Self::accept) up to `session_not_ready`, and the stored answer of a replay, for a
    /// draft that is not allowed anyway: what stands earlier in the order has to be said first. Writes nothing.
    async fn foresee(
        &self,
        tenant: TenantId,
        session: SessionId,
        idempotency: Option<Idempotency>,
        at: WallTime,
    ) -> Result<Option<Message>, WriteError>;

    /// Takes a new epoch, which fences every older owner, and reads what they left.
    async fn recall(&self, session: SessionId, at: Reading) -> Result<Memory, StoreError>;

    /// What waits beyond `after`, in order of acceptance, at most `limit`. Rows left `sending` are among them.
    async fn pending(&self, lease: Lease, after: Position, limit: u32) -> Result<Vec<Pending>, StoreError>;

    /// Stop 7: takes one message and appends its attempt in the same transaction, unless it no longer waits, is not
    /// due, has expired, or another message of its chat is `sending`. To somebody who never wrote it may have to wait, and
    /// fails when their number has no account. Fenced.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    /// Undoes a claim that sent nothing. The attempt stays in the log: it has used its slot. Fenced, idempotent.
    async fn give_back(&self, lease: Lease, message: MessageId, number: u32) -> Result<(), StoreError>;

    /// Stop 9: writes what became of an attempt, moves the hold, appends the event. Guarded by attempt, not by epoch:
    /// whoever sent may settle. Idempotent; whether it changed anything.
    async fn settle(&self, settlement: Settlement) -> Result<bool, StoreError>;

    /// Applies a receipt ([`MessageStatus::after_receipt`]) and charges a hold that is still open. Not fenced: it is
    /// true whoever reports it. Idempotent; whether it changed anything.
    async fn receipt(&self, lease: Lease, receipt: Receipt) -> Result<bool, StoreError>;

    /// Deals with rows left `sending` by older epochs: `at_least_once`, begun less than 10 min ago and not expired go
    /// back to `queued`; all others become `unknown`. Fenced.
    async fn recover(&self, lease: Lease, at: WallTime) -> Result<Recovered, StoreError>;

    /// Stores a message that came in, or was written on another device, with its event. Idempotent by (session, chat,
    /// author, wa_id); an echo of a message of ours is known too. What it refers to is looked for by its id on the network.
    /// Where one person writes, messages to them that were held because they never had go with the same transaction. A
    /// text that says nothing but [stop or start](crate::domain::stop) suppresses its sender for the whole tenant in it,
    /// and cancels what waits for them, or opens them again.
    async fn inbound(&self, lease: Lease, inbound: Inbound) -> Result<Stored, StoreError>;

    /// The message that an attempt refers to; nothing when its record is not kept any more.
    async fn referred(&self, lease: Lease, message: MessageId) -> Result<Option<Referred>, StoreError>;

    /// Moments of a tenant's attempts of the last 61 s, as [`Memory::attempts`]. For the sum over its sessions.
    async fn tenant_attempts(&self, tenant: TenantId, at: Reading)
    -> Result<Option<Vec<Moment>>, StoreError>;
}
