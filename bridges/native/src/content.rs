//! Contents of the protocol as the library's messages, and back.

use columba_bridge_protocol as wire;
use wacore::proto_helpers::{MessageExt as _, build_reaction_message};
use wacore_binary::{Jid, JidExt as _};
use waproto::buffa::MessageField;
use waproto::whatsapp as wa;
use wire::{Attachment, Card, Content, MediaKind, MessageRef, PollOption, Private, Quote};

use crate::{address, media};

/// Options of a poll, as WhatsApp has them.
const OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;

/// Why a content is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSendable {
    /// The engine has no such kind.
    Unsupported,
    /// An argument is not allowed.
    Invalid(&'static str),
}

/// The key of a message in a chat.
pub fn key(chat: &Jid, target: &MessageRef) -> Result<wa::MessageKey, NotSendable> {
    let author =
        target.author.as_ref().map(|author| address::jid(author).ok_or(NotSendable::Invalid("author")));
    let author = author.transpose()?;
    if chat.is_group() && !target.from_me && author.is_none() {
        return Err(NotSendable::Invalid("in a group the author of the message is wanted"));
    }
    Ok(wa::MessageKey {
        remote_jid: Some(chat.to_string()),
        from_me: Some(target.from_me),
        id: Some(target.wa_id.clone()),
        participant: author.filter(|_| chat.is_group()).map(|author| author.to_string()),
    })
}

/// What an answer quotes, as the context of the message it is put into.
pub fn context(chat: &Jid, me: Option<&Jid>, quote: &Quote) -> Result<wa::ContextInfo, NotSendable> {
    let author = match &quote.message.author {
        Some(author) => Some(address::jid(author).ok_or(NotSendable::Invalid("author"))?),
        None if quote.message.from_me => me.cloned(),
        None => Some(chat.clone()),
    };
    Ok(wa::ContextInfo {
        stanza_id: Some(quote.message.wa_id.clone()),
        participant: author.map(|author| author.to_non_ad().to_string()),
        quoted_message: MessageField::some(wa::Message {
            conversation: Some(quote.body.0.clone()),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// A message, with what it quotes. Media are not made here: see [`media`].
pub fn message(
    chat: &Jid,
    content: &Content,
    context: Option<wa::ContextInfo>,
    now_ms: i64,
) -> Result<wa::Message, NotSendable> {
    let context = context.map(MessageField::some).unwrap_or_default();
    Ok(match content {
        Content::Text { body } if context.is_unset() => {
            wa::Message { conversation: Some(body.0.clone()), ..Default::default() }
        }
        Content::Text { body } => wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some(body.0.clone()),
                context_info: context,
                ..Default::default()
            }),
            ..Default::default()
        },
        Content::Reaction { target, emoji } => {
            build_reaction_message(key(chat, target)?, emoji.as_str(), now_ms)
        }
        Content::Edit { target, body } => protocol(
            key(chat, target)?,
            wa::message::protocol_message::Type::MESSAGE_EDIT,
            Some(wa::Message { conversation: Some(body.0.clone()), ..Default::default() }),
            now_ms,
        ),
        Content::Revoke { target } => {
            protocol(key(chat, target)?, wa::message::protocol_message::Type::REVOKE, None, now_ms)
        }
        Content::Poll { question, options, selectable } => poll(question, options, *selectable, context)?,
        Content::Location { latitude, longitude, name, address } => {
            if !(-90.0..=90.0).contains(latitude) || !(-180.0..=180.0).contains(longitude) {
                return Err(NotSendable::Invalid("no such place on earth"));
            }
            wa::Message {
                location_message: MessageField::some(wa::message::LocationMessage {
                    degrees_latitude: Some(*latitude),
                    degrees_longitude: Some(*longitude),
                    name: name.as_ref().map(|name| name.0.clone()),
                    address: address.as_ref().map(|address| address.0.clone()),
                    context_info: context,
                    ..Default::default()
                }),
                ..Default::default()
            }
        }
        Content::Contacts { cards } => contacts(cards, context)?,
        Content::Media { .. } | Content::Other => return Err(NotSendable::Unsupported),
    })
}

fn protocol(
    key: wa::MessageKey,
    kind: wa::message::protocol_message::Type,
    edited: Option<wa::Message>,
    now_ms: i64,
) -> wa::Message {
    let is_edit = edited.is_some();
    let inner = wa::message::ProtocolMessage {
        key: MessageField::some(key),
        r#type: Some(kind),
        edited_message: edited.map(MessageField::some).unwrap_or_default(),
        timestamp_ms: is_edit.then_some(now_ms),
        ..Default::default()
    };
    wa::Message { protocol_message: MessageField::some(inner), ..Default::default() }
}

/// A poll carries a secret that votes are encrypted with; the library keeps what a message of ours carries.
fn poll(
    question: &Private,
    options: &[PollOption],
    selectable: u32,
    context: MessageField<wa::ContextInfo>,
) -> Result<wa::Message, NotSendable> {
    if !OPTIONS.contains(&options.len()) {
        return Err(NotSendable::Invalid("a poll has two to twelve options"));
    }
    if selectable as usize > options.len() {
        return Err(NotSendable::Invalid("selectable: more than there are options"));
    }
    let option = |option: &PollOption| wa::message::poll_creation_message::Option {
        option_name: Some(option.name.0.clone()),
        ..Default::default()
    };
    let poll = MessageField::some(wa::message::PollCreationMessage {
        name: Some(question.0.clone()),
        options: options.iter().map(option).collect(),
        selectable_options_count: Some(selectable),
        context_info: context,
        ..Default::default()
    });
    let mut message = wa::Message {
        message_context_info: MessageField::some(wa::MessageContextInfo {
            message_secret: Some(rand::random::<[u8; 32]>().to_vec()),
            ..Default::default()
        }),
        ..Default::default()
    };
    // One choice is another version of the message than several.
    if selectable == 1 {
        message.poll_creation_message_v3 = poll;
    } else {
        message.poll_creation_message = poll;
    }
    Ok(message)
}

fn contacts(cards: &[Card], context: MessageField<wa::ContextInfo>) -> Result<wa::Message, NotSendable> {
    let one = |card: &Card, context| wa::message::ContactMessage {
        display_name: Some(card.name.0.clone()),
        vcard: Some(card.vcard.0.clone()),
        context_info: context,
        ..Default::default()
    };
    match cards {
        [] => Err(NotSendable::Invalid("cards: at least one")),
        [card] => {
            Ok(wa::Message { contact_message: MessageField::some(one(card, context)), ..Default::default() })
        }
        many => Ok(wa::Message {
            contacts_array_message: MessageField::some(wa::message::ContactsArrayMessage {
                display_name: Some(format!("{} contacts", many.len())),
                contacts: many.iter().map(|card| one(card, MessageField::default())).collect(),
                context_info: context,
                ..Default::default()
            }),
            ..Default::default()
        }),
    }
}

/// What came in; `None` for what is no message to anybody: keys, receipts of calls, settings. `mine`: whether this account wrote
/// the message that a key names, which the sender tells from where it stands.
pub fn heard(message: &wa::Message, mine: &dyn Fn(&wa::MessageKey) -> bool) -> Option<Content> {
    let base = message.get_base_message();
    if let Some(text) = base.text_content() {
        return Some(Content::Text { body: text.into() });
    }
    if let Some(reaction) = base.reaction_message.as_option() {
        let target = target(reaction.key.as_option()?, mine)?;
        return Some(Content::Reaction { target, emoji: reaction.text.clone().unwrap_or_default().into() });
    }
    if let Some(protocol) = base.protocol_message.as_option() {
        return protocol_heard(protocol, mine);
    }
    if let Some(media) = media::heard(base) {
        return Some(media);
    }
    let polls = [&base.poll_creation_message, &base.poll_creation_message_v2, &base.poll_creation_message_v3];
    if let Some(poll) = polls.into_iter().find_map(MessageField::as_option) {
        let name = |option: &wa::message::poll_creation_message::Option| PollOption {
            name: option.option_name.clone().unwrap_or_default().into(),
        };
        return Some(Content::Poll {
            question: poll.name.clone().unwrap_or_default().into(),
            options: poll.options.iter().map(name).collect(),
            selectable: poll.selectable_options_count.unwrap_or(0),
        });
    }
    if let Some(place) = base.location_message.as_option() {
        return Some(Content::Location {
            latitude: place.degrees_latitude?,
            longitude: place.degrees_longitude?,
            name: place.name.clone().map(Private),
            address: place.address.clone().map(Private),
        });
    }
    let card = |contact: &wa::message::ContactMessage| Card {
        name: contact.display_name.clone().unwrap_or_default().into(),
        vcard: contact.vcard.clone().unwrap_or_default().into(),
    };
    if let Some(contact) = base.contact_message.as_option() {
        return Some(Content::Contacts { cards: vec![card(contact)] });
    }
    if let Some(contacts) = base.contacts_array_message.as_option() {
        return Some(Content::Contacts { cards: contacts.contacts.iter().map(card).collect() });
    }
    if base.sender_key_distribution_message.is_set() {
        return None;
    }
    Some(Content::Other)
}

fn protocol_heard(
    protocol: &wa::message::ProtocolMessage,
    mine: &dyn Fn(&wa::MessageKey) -> bool,
) -> Option<Content> {
    use wa::message::protocol_message::Type;
    match protocol.r#type? {
        Type::REVOKE => Some(Content::Revoke { target: target(protocol.key.as_option()?, mine)? }),
        Type::MESSAGE_EDIT => Some(Content::Edit {
            target: target(protocol.key.as_option()?, mine)?,
            body: protocol.edited_message.as_option()?.text_content()?.into(),
        }),
        _ => None,
    }
}

fn target(key: &wa::MessageKey, mine: &dyn Fn(&wa::MessageKey) -> bool) -> Option<MessageRef> {
    let author = key.participant.as_deref().and_then(|jid| jid.parse::<Jid>().ok());
    Some(MessageRef {
        wa_id: key.id.clone()?,
        from_me: mine(key),
        author: author.map(|jid| address::of(&jid, None)),
    })
}

/// What an inbound message quotes.
pub fn quoted(message: &wa::Message, is_me: &dyn Fn(&Jid) -> bool) -> Option<MessageRef> {
    let base = message.get_base_message();
    let context = base
        .extended_text_message
        .as_option()
        .map(|message| &message.context_info)
        .or_else(|| base.image_message.as_option().map(|message| &message.context_info))
        .or_else(|| base.video_message.as_option().map(|message| &message.context_info))
        .or_else(|| base.audio_message.as_option().map(|message| &message.context_info))
        .or_else(|| base.document_message.as_option().map(|message| &message.context_info))
        .or_else(|| base.location_message.as_option().map(|message| &message.context_info))?
        .as_option()?;
    let author = context.participant.as_deref().and_then(|jid| jid.parse::<Jid>().ok());
    let from_me = author.as_ref().is_some_and(is_me);
    Some(MessageRef {
        wa_id: context.stanza_id.clone()?,
        from_me,
        author: author.map(|jid| address::of(&jid, None)),
    })
}

/// An attachment that came in.
pub fn attachment(mime: Option<&String>, size: Option<u64>, handle: Vec<u8>) -> Attachment {
    Attachment {
        name: None,
        handle: Some(handle.into()),
        mime: mime.cloned().unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: size.unwrap_or(0),
        file_name: None,
        seconds: None,
    }
}

/// Which of the library's kinds.
pub fn media_type(kind: MediaKind) -> wacore::download::MediaType {
    use wacore::download::MediaType as T;
    match kind {
        MediaKind::Image => T::Image,
        MediaKind::Video => T::Video,
        MediaKind::Audio | MediaKind::Voice => T::Audio,
        MediaKind::Document => T::Document,
        MediaKind::Sticker => T::Sticker,
    }
}
