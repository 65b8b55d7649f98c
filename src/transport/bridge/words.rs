//! The protocol's words as the house's, and back.

use columba_bridge_protocol as wire;
use wire::{ErrorCode, Failure};

use super::links::LinkId;
use crate::domain::chat::Chat;
use crate::domain::content::{Card, Contacts, Content, Edit, Location, Poll, Reaction, Revoke, Target, Text};
use crate::domain::media::Handle;
use crate::domain::message::{Letter, ReceiptKind, WaId};
use crate::domain::session::{CloseReason, Lease};
use crate::domain::time::WallTime;
use crate::ports::outbox::{Referred, Work};
use crate::ports::transport::{DeliveryId, FetchError, SendError, TransportError};

/// A lock or ban whose end WhatsApp does not say.
const UNSAID: std::time::Duration = std::time::Duration::from_secs(3600);

/// Whose, on the wire.
pub fn key(lease: Lease) -> wire::SessionKey {
    wire::SessionKey { session: lease.session.to_string(), epoch: lease.epoch.0 }
}

/// What a link delivered, by the link and the number of the event. Links of one owner count from one again.
pub fn delivery(link: LinkId, seq: u64) -> DeliveryId {
    DeliveryId(format!("{}.{seq}", link.0))
}

/// And back.
pub fn delivered(delivery: &DeliveryId) -> Option<(LinkId, u64)> {
    let (link, seq) = delivery.0.split_once('.')?;
    Some((LinkId(link.parse().ok()?), seq.parse().ok()?))
}

/// Why a link closed.
pub fn close_reason(reason: wire::CloseReason, code: Option<u16>, until_ms: Option<i64>) -> CloseReason {
    use wire::CloseReason as W;
    match reason {
        // Whoever asked does not listen any more; who listens lost a link.
        W::Requested | W::TransportLost | W::PairingEnded | W::Fenced | W::VaultLost => {
            CloseReason::TransportLost
        }
        W::RestartRequired => CloseReason::RestartRequired,
        W::ServerUnavailable => CloseReason::ServerUnavailable,
        W::Malformed => CloseReason::Malformed,
        W::Throttled => CloseReason::Throttled,
        W::Replaced => CloseReason::Replaced,
        W::Banned => match until_ms {
            Some(until) => CloseReason::Banned { until: WallTime(until) },
            // A ban without an end: only a person can tell.
            None => CloseReason::Unknown { code: code.unwrap_or(402) },
        },
        W::Outdated => CloseReason::ClientOutdated,
        W::LoggedOut => CloseReason::LoggedOut { code: code.unwrap_or(401) },
        // Not one more attempt against whoever that was.
        W::Untrusted => CloseReason::Unknown { code: code.unwrap_or(0) },
        W::Unknown => CloseReason::Unknown { code: code.unwrap_or(0) },
    }
}

/// Why a send brought no ack.
pub fn send_error(failure: &Failure) -> SendError {
    let until = failure.until_ms.map(WallTime);
    match failure.code {
        ErrorCode::NoLink
        | ErrorCode::Fenced
        | ErrorCode::Late
        | ErrorCode::Draining
        | ErrorCode::NotSent
        | ErrorCode::NotPairing => SendError::NoLink,
        ErrorCode::Unsupported => SendError::Unsupported,
        ErrorCode::Invalid | ErrorCode::TooLarge => SendError::Nack { code: 400, until },
        ErrorCode::NotFound => SendError::Nack { code: 404, until },
        ErrorCode::RateLimited => SendError::Nack { code: failure.server_code.unwrap_or(429), until },
        ErrorCode::Refused => SendError::Nack { code: failure.server_code.unwrap_or(400), until },
        ErrorCode::Uncertain | ErrorCode::Unknown => SendError::NoAck,
    }
}

/// Why a file did not come.
pub fn fetch_error(failure: &Failure) -> FetchError {
    match failure.code {
        ErrorCode::NoLink | ErrorCode::Fenced | ErrorCode::Draining => FetchError::NoLink,
        ErrorCode::Unsupported => FetchError::Unsupported,
        ErrorCode::NotFound => FetchError::Absent,
        ErrorCode::TooLarge => FetchError::TooLarge,
        _ => FetchError::Broken,
    }
}

/// Why a call did not work.
pub fn call_error(failure: &Failure) -> TransportError {
    match failure.code {
        ErrorCode::NotPairing => TransportError::NotPairing,
        ErrorCode::Unsupported => TransportError::Unsupported,
        _ => TransportError::NoLink,
    }
}

/// How far a message came.
pub fn receipt(kind: wire::ReceiptKind) -> ReceiptKind {
    match kind {
        wire::ReceiptKind::Delivered => ReceiptKind::Delivered,
        wire::ReceiptKind::Read | wire::ReceiptKind::Played => ReceiptKind::Read,
    }
}

/// How a session stands in its bridge, as a label of a metric.
pub fn state(state: wire::SessionState) -> &'static str {
    use wire::SessionState as S;
    match state {
        S::Connecting => "connecting",
        S::Pairing => "pairing",
        S::Connected => "connected",
        S::Closing => "closing",
    }
}

/// When a lock ends.
pub fn lock_end(until_ms: Option<i64>, now: WallTime) -> WallTime {
    until_ms.map_or(now + UNSAID, WallTime)
}

/// What is sent without a file; nothing for what cannot be sent so.
pub fn content(content: &Content, referred: Option<&Referred>) -> Option<wire::Content> {
    Some(match content {
        Content::Text(text) => wire::Content::Text { body: text.body.clone().into() },
        Content::Location(place) => wire::Content::Location {
            latitude: place.latitude,
            longitude: place.longitude,
            name: place.name.clone().map(Into::into),
            address: place.address.clone().map(Into::into),
        },
        Content::Contacts(Contacts { cards }) => {
            let card = |Card { name, vcard }: &Card| wire::Card {
                name: name.clone().into(),
                vcard: vcard.clone().into(),
            };
            wire::Content::Contacts { cards: cards.iter().map(card).collect() }
        }
        Content::Poll(poll) => wire::Content::Poll {
            question: poll.question.clone().into(),
            options: poll.options.iter().map(|name| wire::PollOption { name: name.clone().into() }).collect(),
            selectable: poll.selectable,
        },
        Content::Reaction(reaction) => {
            wire::Content::Reaction { target: message_ref(referred?), emoji: reaction.emoji.clone().into() }
        }
        Content::Edit(edit) => {
            wire::Content::Edit { target: message_ref(referred?), body: edit.body.clone().into() }
        }
        Content::Revoke(_) => wire::Content::Revoke { target: message_ref(referred?) },
        Content::Image(_)
        | Content::Video(_)
        | Content::Audio(_)
        | Content::Document(_)
        | Content::Sticker(_)
        | Content::Other => return None,
    })
}

fn message_ref(referred: &Referred) -> wire::MessageRef {
    wire::MessageRef {
        wa_id: referred.wa_id.0.clone(),
        from_me: referred.from_me,
        author: referred.author.as_ref().map(address),
    }
}

/// What an answer quotes.
pub fn quote(work: &Work) -> Option<wire::Quote> {
    let referred = work.referred.as_ref().filter(|_| work.content.target().is_none())?;
    let body = referred.content.said().unwrap_or_default();
    Some(wire::Quote { message: message_ref(referred), body: body.into() })
}

/// An address on the wire.
pub fn address(chat: &Chat) -> wire::Private {
    wire::Private::from(chat.as_str())
}

/// A message the house can keep, and what brings its file here. Broadcasts and channels have no place in its records.
pub fn heard(inbound: wire::Inbound, at: WallTime) -> Option<(Letter, Option<Handle>)> {
    let chat = Chat::reported(inbound.chat.as_str())?;
    let author = if chat.is_group() { Some(Chat::reported(inbound.from.as_str())?) } else { None };
    let quoted = inbound.quote.map(|quote| WaId(quote.wa_id));
    let (content, handle) = match inbound.content {
        wire::Content::Media { media, file, caption } => super::media::heard(media, file, caption, at),
        content => (told(content), None),
    };
    let wa_id = WaId(inbound.wa_id);
    Some((Letter { wa_id, chat, author, own: inbound.from_me, content, quoted }, handle))
}

fn told(content: wire::Content) -> Content {
    let target = |target: wire::MessageRef| Target { message: None, wa_id: Some(WaId(target.wa_id)) };
    match content {
        wire::Content::Text { body } => Content::Text(Text { body: body.0 }),
        wire::Content::Reaction { target: of, emoji } => {
            Content::Reaction(Reaction { target: target(of), emoji: emoji.0 })
        }
        wire::Content::Edit { target: of, body } => Content::Edit(Edit { target: target(of), body: body.0 }),
        wire::Content::Revoke { target: of } => Content::Revoke(Revoke { target: target(of) }),
        wire::Content::Poll { question, options, selectable } => Content::Poll(Poll {
            question: question.0,
            options: options.into_iter().map(|option| option.name.0).collect(),
            selectable,
        }),
        wire::Content::Location { latitude, longitude, name, address } => Content::Location(Location {
            latitude,
            longitude,
            name: name.map(|text| text.0),
            address: address.map(|text| text.0),
        }),
        wire::Content::Contacts { cards } => {
            let card = |card: wire::Card| Card { name: card.name.0, vcard: card.vcard.0 };
            Content::Contacts(Contacts { cards: cards.into_iter().map(card).collect() })
        }
        // Files are told of by `media`.
        wire::Content::Media { .. } | wire::Content::Other => Content::Other,
    }
}

/// `ABCD-EFGH`, as a phone asks for it.
pub fn spaced(code: &str) -> String {
    let plain: Vec<char> = code.chars().filter(|letter| *letter != '-').collect();
    let (head, tail) = plain.split_at(plain.len() / 2);
    format!("{}-{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}
