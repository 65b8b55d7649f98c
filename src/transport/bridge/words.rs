//! The protocol's words as the house's, and back.

use columba_bridge_protocol as wire;
use wire::{ErrorCode, Failure};

use crate::domain::content::{Content, Text};
use crate::domain::message::ReceiptKind;
use crate::domain::phone::Phone;
use crate::domain::session::{CloseReason, Lease};
use crate::domain::time::WallTime;
use crate::ports::transport::{SendError, TransportError};

/// A lock or ban whose end WhatsApp does not say.
const UNSAID: std::time::Duration = std::time::Duration::from_secs(3600);

/// Whose, on the wire.
pub fn key(lease: Lease) -> wire::SessionKey {
    wire::SessionKey { session: lease.session.to_string(), epoch: lease.epoch.0 }
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

/// When a lock ends.
pub fn lock_end(until_ms: Option<i64>, now: WallTime) -> WallTime {
    until_ms.map_or(now + UNSAID, WallTime)
}

/// What is sent; nothing for what cannot be sent yet.
pub fn content(content: &Content) -> Option<wire::Content> {
    match content {
        Content::Text(text) => Some(wire::Content::Text { body: text.body.clone().into() }),
        _ => None,
    }
}

/// A message the house can keep: a person's text. Groups, other devices of the account and other kinds have no place in
/// its records yet.
pub fn heard(inbound: wire::Inbound) -> Option<(Phone, Content)> {
    let wire::Content::Text { body } = inbound.content else { return None };
    if inbound.from_me || inbound.chat != inbound.from {
        return None;
    }
    let digits = inbound.from.as_str().strip_prefix('+')?;
    let is_number =
        !digits.is_empty() && digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| (Phone::stored(inbound.from.0), Content::Text(Text { body: body.0 })))
}

/// `ABCD-EFGH`, as a phone asks for it.
pub fn spaced(code: &str) -> String {
    let plain: Vec<char> = code.chars().filter(|letter| *letter != '-').collect();
    let (head, tail) = plain.split_at(plain.len() / 2);
    format!("{}-{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}
