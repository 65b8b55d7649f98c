//! A message as the API shows it.

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use crate::domain::chat::Chat;
use crate::domain::content::{Contacts, Content, Edit, Location, Media, Poll, Reaction, Revoke, Text};
use crate::domain::id::{MessageId, SessionId};
use crate::domain::message::{
    Category, Delivery, Direction, Message, MessageReason, MessageStatus, Times, WaId,
};
use crate::domain::time::WallTime;

/// A message as the API shows it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Message")]
#[expect(missing_docs, reason = "each is documented at Message")]
pub struct MessageRecord<'a> {
    pub id: MessageId,
    pub session: SessionId,
    pub direction: Direction,
    /// With whom.
    pub chat: &'a Chat,
    /// The recipient; null for what came in.
    pub to: Option<&'a Chat>,
    /// The sender, who in a group is a member of it; null for what the account wrote.
    pub from: Option<&'a Chat>,
    /// What it holds; the object of this name has it. `other`: something of which is known only that it came.
    #[schemars(extend("enum" = [
        "text", "image", "video", "audio", "document", "sticker", "location", "contacts", "reaction", "poll", "edit",
        "revoke", "other"
    ]))]
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Text")]
    pub text: Option<&'a Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Media")]
    pub image: Option<&'a Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Media")]
    pub video: Option<&'a Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Media")]
    pub audio: Option<&'a Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Media")]
    pub document: Option<&'a Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Media")]
    pub sticker: Option<&'a Media>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Location")]
    pub location: Option<&'a Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Contacts")]
    pub contacts: Option<&'a Contacts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Reaction")]
    pub reaction: Option<&'a Reaction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Poll")]
    pub poll: Option<&'a Poll>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Edit")]
    pub edit: Option<&'a Edit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Revoke")]
    pub revoke: Option<&'a Revoke>,
    /// Whether the content was left out, as it is for an operator without a look.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    pub status: MessageStatus,
    pub reason: Option<MessageReason>,
    pub wa_id: &'a WaId,
    pub client_ref: Option<&'a str>,
    pub category: Category,
    pub delivery: Delivery,
    /// The message it answers, where its record is kept.
    pub reply_to: Option<MessageId>,
    /// The same by its id on the network, for what came from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WaId")]
    pub reply_to_wa_id: Option<&'a WaId>,
    pub send_at: Option<WallTime>,
    pub expires_at: Option<WallTime>,
    pub attempts: u32,
    /// While it is held: until when, and who could let it go.
    pub hold: Option<Hold>,
    /// When each status was reached.
    #[serde(serialize_with = "as_they_came")]
    #[schemars(with = "std::collections::BTreeMap<String, WallTime>")]
    pub times: &'a Times,
}

/// Why a message does not go now although its turn has come; `reason` names the rule.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Hold {
    /// When it is looked at again.
    pub until: Option<WallTime>,
    /// Who may loosen the rule, and how.
    pub loosened_by: &'static str,
}

fn hold(message: &Message) -> Option<Hold> {
    let loosened_by = match message.reason.filter(|_| message.status == MessageStatus::Held)? {
        MessageReason::Timelock | MessageReason::NewChats => {
            "nobody here: the network restricts the account, and its lock ends by itself, or for this message as soon as \
             its recipient writes"
        }
        MessageReason::FirstContact => {
            "the operator, with the plan's first_contacts_per_day; and its recipient, by writing"
        }
        _ => "nobody: it ends by itself",
    };
    Some(Hold { until: message.held_until, loosened_by })
}

/// A person reads them from the first to the last.
fn as_they_came<S: Serializer>(times: &Times, serializer: S) -> Result<S::Ok, S::Error> {
    let mut steps: Vec<_> = times.iter().collect();
    steps.sort_by_key(|(_, at)| **at);
    serializer.collect_map(steps)
}

/// What a content of this kind holds; nothing of any other.
macro_rules! only {
    ($content:expr, $kind:ident) => {
        match $content {
            Content::$kind(held) => Some(held),
            _ => None,
        }
    };
}

/// A message without its content: who, when and what became of it.
pub fn outline(message: &Message) -> MessageRecord<'_> {
    MessageRecord {
        text: None,
        image: None,
        video: None,
        audio: None,
        document: None,
        sticker: None,
        location: None,
        contacts: None,
        reaction: None,
        poll: None,
        edit: None,
        revoke: None,
        redacted: true,
        ..record(message)
    }
}

/// A message as the API shows it.
pub fn record(message: &Message) -> MessageRecord<'_> {
    let content = &message.content;
    let came_in = message.direction == Direction::In;
    MessageRecord {
        id: message.id,
        session: message.session,
        direction: message.direction,
        chat: &message.chat,
        to: (!came_in).then_some(&message.chat),
        from: came_in.then(|| message.author.as_ref().unwrap_or(&message.chat)),
        r#type: content.kind(),
        text: only!(content, Text),
        image: only!(content, Image),
        video: only!(content, Video),
        audio: only!(content, Audio),
        document: only!(content, Document),
        sticker: only!(content, Sticker),
        location: only!(content, Location),
        contacts: only!(content, Contacts),
        reaction: only!(content, Reaction),
        poll: only!(content, Poll),
        edit: only!(content, Edit),
        revoke: only!(content, Revoke),
        redacted: false,
        status: message.status,
        reason: message.reason,
        wa_id: &message.wa_id,
        client_ref: message.client_ref.as_deref(),
        category: message.category,
        delivery: message.delivery,
        reply_to: message.reply_to,
        reply_to_wa_id: message.quoted.as_ref(),
        send_at: message.send_at,
        expires_at: message.expires_at,
        attempts: message.attempts,
        hold: hold(message),
        times: &message.times,
    }
}
