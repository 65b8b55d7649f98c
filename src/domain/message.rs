//! One message: what is asked for, how far it has come, and which step may follow which.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::EnumIter;

use super::chat::Chat;
use super::content::Content;
use super::id::{MessageId, SessionId, TenantId};
use super::session::RestrictionKind;
use super::stop::{self, Wish};
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
        /// Written on another device of the tenant's account: neither sent by this house nor to it.
        Own,
    }
}

words! {
    /// How far a message has come. Outbound, but for the last; one written on another device is `sent`.
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
        /// Held: the account has used up the new chats that the network lets it begin.
        NewChats,
        /// Held: the session has written to as many people who never wrote as it may in a day.
        FirstContact,
        /// Failed: the number has no account.
        NotOnWhatsapp,
        /// Failed: the server refused this message (400, 479, 487, 491), or what it says something about is not kept any more.
        Refused,
        /// Failed: its file was removed before it left.
        MediaGone,
        /// Failed: the session's engine cannot send messages of this kind.
        Unsupported,
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

impl MessageReason {
    /// Why a message to a new chat is held under this lock of the account.
    pub fn of_lock(kind: RestrictionKind) -> Self {
        match kind {
            RestrictionKind::NewChats => Self::NewChats,
            RestrictionKind::Timelock | RestrictionKind::Banned => Self::Timelock,
        }
    }

    /// Whether a message held for this goes as soon as its recipient writes.
    pub fn ends_with_a_reply(self) -> bool {
        matches!(self, Self::Timelock | Self::NewChats | Self::FirstContact)
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
    pub to: Chat,
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
    /// With whom: a person or a group.
    pub chat: Chat,
    /// Who wrote it, where that is not the chat: in a group.
    pub author: Option<Chat>,
    /// What it holds.
    pub content: Content,
    /// How far it has come.
    pub status: MessageStatus,
    /// Why.
    pub reason: Option<MessageReason>,
    /// Its id on the network.
    pub wa_id: WaId,
    /// The message it answers, where its record is kept.
    pub reply_to: Option<MessageId>,
    /// The same by its id on the network, for what came from there.
    pub quoted: Option<WaId>,
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
            author: None,
            content: draft.content.clone(),
            status: MessageStatus::Queued,
            reason: None,
            wa_id,
            reply_to: draft.reply_to,
            quoted: None,
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

/// A message as a network delivers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its id on the network.
    pub wa_id: WaId,
    /// In which chat.
    pub chat: Chat,
    /// Who wrote it, where that is not the chat: in a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Chat>,
    /// Whether it was written on another device of this account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// What.
    pub content: Content,
    /// The message it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoted: Option<WaId>,
}

impl Letter {
    /// From one person, about nothing that was said before.
    pub fn from_person(wa_id: WaId, chat: Chat, content: Content) -> Self {
        Self { wa_id, chat, author: None, own: false, content, quoted: None }
    }

    /// Which way it went.
    pub fn direction(&self) -> Direction {
        if self.own { Direction::Own } else { Direction::In }
    }

    /// Whether its sender wants no more messages, or wants them again. In a group nobody speaks for the group, and
    /// nobody is written to alone there.
    pub fn wish(&self) -> Option<Wish> {
        if self.own || self.chat.is_group() { None } else { self.content.said().and_then(stop::wish) }
    }

    /// The message it is about, by its id on the network: the one it answers, or the one it says something about.
    pub fn about(&self) -> Option<&WaId> {
        self.content.target().and_then(|target| target.wa_id.as_ref()).or(self.quoted.as_ref())
    }

    /// The record of it. `about`: the record of the message it is about, where there is one.
    pub fn received(
        &self,
        id: MessageId,
        tenant: TenantId,
        session: SessionId,
        about: Option<MessageId>,
        at: WallTime,
    ) -> Message {
        let mut content = self.content.clone();
        let says_of_another = match content.target_mut() {
            Some(target) => {
                target.message = about;
                true
            }
            None => false,
        };
        let status = if self.own { MessageStatus::Sent } else { MessageStatus::Received };
        Message {
            id,
            tenant,
            session,
            direction: self.direction(),
            chat: self.chat.clone(),
            author: self.author.clone(),
            content,
            status,
            reason: None,
            wa_id: self.wa_id.clone(),
            reply_to: about.filter(|_| !says_of_another),
            quoted: self.quoted.clone(),
            category: Category::default(),
            delivery: Delivery::default(),
            client_ref: None,
            send_at: None,
            expires_at: None,
            attempts: 0,
            held_until: None,
            times: Times::from([(status.into(), at)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::content::{Edit, Target, Text};

    #[test]
    fn only_a_person_who_says_it_to_the_account_alone_stops_it() {
        let text = |body: &str| Content::Text(Text { body: body.to_owned() });
        let edit = Content::Edit(Edit {
            target: Target { message: None, wa_id: Some(WaId("1".to_owned())) },
            body: "stop".to_owned(),
        });
        let (person, group) = ("+15551230001", "120363000000000001@g.us");
        for (chat, own, content, wish) in [
            (person, false, text("Stop"), Some(Wish::Stop)),
            ("100000000000001@lid", false, text("stop"), Some(Wish::Stop)),
            (person, false, text("start"), Some(Wish::Start)),
            (person, false, text("do not stop"), None),
            (person, false, edit, None),
            (person, false, Content::Other, None),
            (person, true, text("stop"), None),
            (group, false, text("stop"), None),
        ] {
            let author = chat.ends_with("g.us").then(|| Chat::stored(person.to_owned()));
            let letter = Letter {
                author,
                own,
                ..Letter::from_person(WaId("2".to_owned()), Chat::stored(chat.to_owned()), content)
            };
            assert_eq!(letter.wish(), wish, "{letter:?}");
        }
    }
}
