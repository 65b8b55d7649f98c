//! The protocol's words as the house's, and back.

use columba_bridge_protocol as wire;
use wire::{ErrorCode, Failure};

use super::links::LinkId;
use crate::domain::chat::Chat;
use crate::domain::content::{Card, Contacts, Content, Edit, Location, Poll, Reaction, Revoke, Target, Text};
use crate::domain::media::Handle;
use crate::domain::message::{Draft, Letter, ReceiptKind, WaId};
use crate::domain::passkey::{Passkey, PasskeyStage};
use crate::domain::session::{CloseReason, Lease};
use crate::domain::time::WallTime;
use crate::ports::outbox::{Referred, Work};
use crate::ports::transport::{DeliveryId, FetchError, SendError, TransportError};

/// A code that is compared has eight letters and a dash; what is much longer is none.
const PASSKEY_CODE: usize = 32;
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
        W::ProxyFailed => CloseReason::ProxyFailed,
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

/// What a bridge tells of a passkey. What the authenticator would have to see goes no further: nobody here can answer it.
pub fn passkey(stage: wire::PasskeyStage, data: Option<&wire::Blob>) -> Passkey {
    match stage {
        wire::PasskeyStage::Request => Passkey { stage: PasskeyStage::Requested, code: None },
        wire::PasskeyStage::Confirmation => {
            let code = data.and_then(|data| std::str::from_utf8(data.as_slice()).ok());
            let code = code.filter(|code| (1..=PASSKEY_CODE).contains(&code.len())).map(str::to_owned);
            Passkey { stage: PasskeyStage::Confirm, code }
        }
        wire::PasskeyStage::Error => Passkey { stage: PasskeyStage::Failed, code: None },
    }
}

/// What an engine has to be able to do to send this.
pub fn needs(draft: &Draft) -> impl Iterator<Item = wire::Capability> {
    use wire::Capability as C;
    let kind = match &draft.content {
        Content::Text(_) => Some(C::Text),
        Content::Image(_)
        | Content::Video(_)
        | Content::Audio(_)
        | Content::Document(_)
        | Content::Sticker(_) => Some(C::Media),
        Content::Location(_) => Some(C::Location),
        Content::Contacts(_) => Some(C::Contacts),
        Content::Reaction(_) => Some(C::Reaction),
        Content::Poll(_) => Some(C::Poll),
        Content::Edit(_) => Some(C::Edit),
        Content::Revoke(_) => Some(C::Revoke),
        // Nobody sends it.
        Content::Other => None,
    };
    kind.into_iter().chain(draft.reply_to.map(|_| C::Reply))
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

/// A message the house can keep, and what brings its file here. Broadcasts and channels have no place in its records, nor has
/// what somebody else claims about a message.
pub fn heard(inbound: wire::Inbound, at: WallTime) -> Option<(Letter, Option<Handle>)> {
    let chat = Chat::reported(inbound.chat.as_str())?;
    if is_forged(&inbound, &chat) {
        return None;
    }
    let author = if chat.is_group() { Some(Chat::reported(inbound.from.as_str())?) } else { None };
    let quoted = inbound.quote.map(|quote| WaId(quote.wa_id));
    let (content, handle) = match inbound.content {
        wire::Content::Media { media, file, caption } => super::media::heard(media, file, caption, at),
        content => (told(content), None),
    };
    let wa_id = WaId(inbound.wa_id);
    Some((Letter { wa_id, chat, author, own: inbound.from_me, content, quoted }, handle))
}

/// Only who wrote a message edits it and takes it back; the admins of a group take back anybody's.
fn is_forged(inbound: &wire::Inbound, chat: &Chat) -> bool {
    let target = match &inbound.content {
        wire::Content::Edit { target, .. } => target,
        wire::Content::Revoke { target } if !chat.is_group() => target,
        _ => return false,
    };
    let another = target.author.as_ref().is_some_and(|author| author.as_str() != inbound.from.as_str());
    target.from_me != inbound.from_me || (chat.is_group() && !inbound.from_me && another)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_wrote_a_message_edits_it_and_takes_it_back_but_for_the_admins_of_a_group() {
        const ADA: &str = "+15551230001";
        const GROUP: &str = "120363000000000001@g.us";
        let revoke = |target| wire::Content::Revoke { target };
        let edit = |target| wire::Content::Edit { target, body: "other words".to_owned().into() };
        let react = |target| wire::Content::Reaction { target, emoji: "x".to_owned().into() };
        type Make = fn(wire::MessageRef) -> wire::Content;
        let (revoke, edit, react): (Make, Make, Make) = (revoke, edit, react);
        for (what, make, chat, own, of_mine, author, kept) in [
            ("her own", revoke, ADA, false, false, None, true),
            ("mine", revoke, ADA, false, true, None, false),
            ("mine", edit, ADA, false, true, None, false),
            ("her own", edit, ADA, false, false, None, true),
            ("mine, by me", edit, ADA, true, true, None, true),
            ("hers, by me", revoke, ADA, true, false, None, false),
            ("a sign on mine", react, ADA, false, true, None, true),
            ("mine, in a group, perhaps by an admin", revoke, GROUP, false, true, None, true),
            ("mine, in a group", edit, GROUP, false, true, None, false),
            ("another's, in a group", edit, GROUP, false, false, Some("+15551230002"), false),
            ("her own, in a group", edit, GROUP, false, false, Some(ADA), true),
        ] {
            let author = author.map(wire::Private::from);
            let target = wire::MessageRef { wa_id: "3EB0AA".to_owned(), from_me: of_mine, author };
            let inbound = wire::Inbound {
                wa_id: "3EB0BB".to_owned(),
                chat: wire::Private::from(chat),
                from: wire::Private::from(ADA),
                from_me: own,
                at_ms: 0,
                content: make(target),
                quote: None,
                name: None,
            };
            assert_eq!(heard(inbound, WallTime(0)).is_some(), kept, "{what}");
        }
    }
}
