//! One message: what is asked for, how far it has come, and which step may follow which.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::EnumIter;

use super::content::Content;
use super::id::{MessageId, SessionId, TenantId};
use super::phone::Phone;
use super::time::WallTime;
use super::word::words;

/// The id a message has on the network. Minted at accept, used for every attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct WaId(pub String);

impl WaId {
    /// 24 characters as WhatsApp Web mints them: `3EB0` and 20 upper-case hex digits. The first 12 digits count
    /// milliseconds, so that an index over ids grows at its end; the last 8 are `random`.
    pub fn mint(at: WallTime, random: u32) -> Self {
        Self(format!("3EB0{:012X}{random:08X}", at.0 as u64 & 0xFFFF_FFFF_FFFF))
    }
}

words! {
    /// Which way a message goes.
    pub enum Direction {
        /// From the tenant.
        Out,
        /// To the tenant.
        In,
    }
}

words! {
    /// How far a message has come. Outbound, but for the last.
    pub enum MessageStatus {
        /// Accepted; waits for its turn.
        Queued,
        /// Accepted; waits for something that only time or a person changes.
        Held,
        /// An attempt is under way, or its answer is missing.
        Sending,
        /// The server has it.
        Sent,
        /// The recipient's device has it.
        Delivered,
        /// The recipient has seen it.
        Read,
        /// Refused for good.
        Failed,
        /// Whether it left is not known; a late receipt decides.
        Unknown,
        /// Its time ran out while it waited.
        Expired,
        /// Taken back while it waited.
        Canceled,
        /// Every attempt was used up.
        Dead,
        /// Came in.
        Received,
    }
}

impl MessageStatus {
    /// Whether it still waits or is under way.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Queued | Self::Held | Self::Sending)
    }

    /// Position on the way `sent` → `delivered` → `read`; receipts may only raise it.
    fn rank(self) -> u8 {
        match self {
            Self::Sending | Self::Unknown | Self::Queued | Self::Held => 0,
            Self::Sent => 1,
            Self::Delivered => 2,
            Self::Read => 3,
            Self::Failed | Self::Expired | Self::Canceled | Self::Dead | Self::Received => u8::MAX,
        }
    }

    /// What a receipt makes of it; `None` when it tells nothing new.
    ///
    /// A receipt proves the message left, whatever the attempt reported: it also lifts `unknown`, `sending` and a
    /// message that went back to `queued` or `held`. What has failed for good stays so.
    pub fn after_receipt(self, receipt: ReceiptKind) -> Option<Self> {
        let next = match receipt {
            ReceiptKind::Server => Self::Sent,
            ReceiptKind::Delivered => Self::Delivered,
            ReceiptKind::Read => Self::Read,
        };
        (self.rank() < next.rank()).then_some(next)
    }
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptKind {
    /// The server has it: a late ack.
    Server,
    /// The recipient's device has it.
    Delivered,
    /// The recipient has seen it.
    Read,
}

words! {
    /// Why a message has its status, in one closed list.
    pub enum MessageReason {
        /// Held: the network lets this account write to no new chats until the lock ends (463, 475).
        Timelock,
        /// Held: the session has written to as many people who never wrote as it may in a day.
        FirstContact,
        /// Failed: the number has no account.
        NotOnWhatsapp,
        /// Failed: the server refused this message (400, 479, 487, 491).
        Refused,
        /// Queued again: the server asked for patience (429).
        Throttled,
        /// Queued again: the server could not take it (421, 500, 503).
        ServerUnavailable,
        /// Queued again: the link was lost before anything was sent.
        LinkLost,
        /// Unknown: no ack came within 60 s.
        NoAck,
        /// Unknown: the process died between sending and hearing, and it may not be sent twice.
        Interrupted,
        /// Unknown: it waited in a backup that was restored, and may have been sent since that was taken.
        Restored,
        /// Dead: five attempts failed.
        AttemptsExhausted,
        /// Canceled by the tenant.
        Requested,
        /// Canceled because its recipient wants no messages.
        Suppressed,
        /// Canceled because its session was deleted or logged out.
        SessionGone,
        /// Expired while it waited.
        Expired,
    }
}

words! {
    /// What a message is for. It decides which rules of restraint bind it.
    #[derive(Default)]
    pub enum Category {
        /// Part of a conversation.
        #[default]
        Service,
        /// About something the recipient did: a receipt, a code.
        Transactional,
        /// Advertising; needs consent.
        Marketing,
    }
}

words! {
    /// What a crash in the middle of an attempt may cost.
    #[derive(Default)]
    pub enum Delivery {
        /// It is sent again under the same id; an app may show it twice.
        #[default]
        AtLeastOnce,
        /// It is not sent again and becomes `unknown`. For codes.
        AtMostOnce,
    }
}

/// What a tenant asks for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// To whom.
    pub to: Phone,
    /// What.
    pub content: Content,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// What it is for.
    pub category: Category,
    /// Not before then.
    pub send_at: Option<WallTime>,
    /// Not after then.
    pub expires_at: WallTime,
    /// What a crash may cost.
    pub delivery: Delivery,
    /// The tenant's own reference, at most 64 characters.
    pub client_ref: Option<String>,
}

/// When each status was reached for the first time.
pub type Times = BTreeMap<&'static str, WallTime>;

/// A message as stores keep it and the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Whose.
    pub tenant: TenantId,
    /// On which session.
    pub session: SessionId,
    /// Which way.
    pub direction: Direction,
    /// The correspondent: the recipient of an outbound, the sender of an inbound message.
    pub chat: Phone,
    /// What it holds.
    pub content: Content,
    /// How far it has come.
    pub status: MessageStatus,
    /// Why.
    pub reason: Option<MessageReason>,
    /// Its id on the network.
    pub wa_id: WaId,
    /// The message it answers.
    pub reply_to: Option<MessageId>,
    /// What it is for.
    pub category: Category,
    /// What a crash may cost.
    pub delivery: Delivery,
    /// The tenant's own reference.
    pub client_ref: Option<String>,
    /// Not before then.
    pub send_at: Option<WallTime>,
    /// Not after then; none for inbound.
    pub expires_at: Option<WallTime>,
    /// Attempts begun.
    pub attempts: u32,
    /// While it is held: when it is looked at again.
    pub held_until: Option<WallTime>,
    /// When each status was reached.
    pub times: Times,
}

impl Message {
    /// The record of a message just accepted. Idempotent replays show it too, whatever has happened since.
    pub fn accepted(
        id: MessageId,
        tenant: TenantId,
        session: SessionId,
        wa_id: WaId,
        draft: &Draft,
        at: WallTime,
    ) -> Self {
        Self {
            id,
            tenant,
            session,
            direction: Direction::Out,
            chat: draft.to.clone(),
            content: draft.content.clone(),
            status: MessageStatus::Queued,
            reason: None,
            wa_id,
            reply_to: draft.reply_to,
            category: draft.category,
            delivery: draft.delivery,
            client_ref: draft.client_ref.clone(),
            send_at: draft.send_at,
            expires_at: Some(draft.expires_at),
            attempts: 0,
            held_until: None,
            times: Times::from([(MessageStatus::Queued.into(), at)]),
        }
    }
}
