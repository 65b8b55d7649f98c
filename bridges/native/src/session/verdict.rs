//! Why a link closed: the first cause that the library or the server named.

use columba_bridge_protocol::{CloseReason, Event};
use wacore::types::events::{self, ConnectFailureReason};
use wacore_binary::{Node, NodeRef};

/// A reason with WhatsApp's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub reason: CloseReason,
    /// WhatsApp's number.
    pub code: Option<u16>,
    /// When a ban ends, milliseconds since 1970.
    pub until_ms: Option<i64>,
}

impl Verdict {
    /// Without a number.
    pub fn of(reason: CloseReason) -> Self {
        Self { reason, code: None, until_ms: None }
    }

    fn with(reason: CloseReason, code: u16) -> Self {
        Self { code: Some(code), ..Self::of(reason) }
    }

    /// The last event of a session.
    pub fn event(self) -> Event {
        Event::Closed { reason: self.reason, code: self.code, until_ms: self.until_ms }
    }

    /// What a code means, in a `stream:error` as in a `failure`.
    fn of_code(code: u16) -> Self {
        use CloseReason as R;
        let reason = match code {
            515 => R::RestartRequired,
            500 | 503 => R::ServerUnavailable,
            429 => R::Throttled,
            409 => R::Replaced,
            402 => R::Banned,
            405 => R::Outdated,
            401 | 403 | 406 | 516 => R::LoggedOut,
            _ => R::Unknown,
        };
        Self::with(reason, code)
    }

    /// What a `stream:error` says; `None` when the stream goes on.
    pub fn of_stream_error(node: &NodeRef<'_>) -> Option<Self> {
        if let Some(conflict) = node.get_optional_child("conflict") {
            let replaced = conflict.attrs().optional_string("type").is_some_and(|kind| kind == "replaced");
            return Some(match replaced {
                true => Self::with(CloseReason::Replaced, 409),
                false => Self::with(CloseReason::LoggedOut, 401),
            });
        }
        if node.get_optional_child("xml-not-well-formed").is_some() {
            return Some(Self::of(CloseReason::Malformed));
        }
        let code = node.attrs().optional_string("code").and_then(|code| code.parse().ok())?;
        Some(Self::of_code(code))
    }

    /// What an event of the library says; `None` when it ends nothing.
    pub fn of_event(event: &events::Event, now_ms: i64) -> Option<Self> {
        use events::Event as E;
        Some(match event {
            E::StreamReplaced(_) => Self::with(CloseReason::Replaced, 409),
            E::ClientOutdated(_) => Self::with(CloseReason::Outdated, 405),
            E::LoggedOut(out) => {
                let code = failure_code(out.raw.as_ref()).unwrap_or_else(|| number(&out.reason));
                Self::with(CloseReason::LoggedOut, code)
            }
            E::TemporaryBan(ban) => Self {
                until_ms: Some(now_ms.saturating_add(ban.expire.num_milliseconds())),
                ..Self::with(CloseReason::Banned, 402)
            },
            E::ConnectFailure(failure) => Self::of_code(number(&failure.reason)),
            E::PairingQrCodesExhausted(_) => Self::of(CloseReason::PairingEnded),
            _ => return None,
        })
    }
}

/// The number in the stanza that threw us out: of a `failure` its reason, of a `stream:error` its code.
fn failure_code(raw: Option<&Node>) -> Option<u16> {
    let node = raw?;
    let attribute = if node.tag == "failure" { "reason" } else { "code" };
    node.attrs().optional_string(attribute)?.parse().ok()
}

fn number(reason: &ConnectFailureReason) -> u16 {
    use ConnectFailureReason as R;
    match reason {
        R::Generic => 400,
        R::LoggedOut => 401,
        R::TempBanned => 402,
        R::AccountLocked => 403,
        R::ClientOutdated => 405,
        R::UnknownLogout => 406,
        R::BadUserAgent => 409,
        R::CatExpired => 413,
        R::CatInvalid => 414,
        R::NotFound => 415,
        R::ClientUnknown => 418,
        R::InternalServerError => 500,
        R::Experimental => 501,
        R::ServiceUnavailable => 503,
        R::Unknown(code) => u16::try_from(*code).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use wacore_binary::builder::NodeBuilder;

    use super::*;

    fn said(node: &Node) -> Option<(CloseReason, Option<u16>)> {
        let bytes = wacore_binary::marshal::marshal(node).expect("a frame");
        let node = wacore_binary::marshal::unmarshal_ref(&bytes[1..]).expect("a node");
        Verdict::of_stream_error(&node).map(|verdict| (verdict.reason, verdict.code))
    }

    #[test]
    fn each_stream_error_has_its_reason() {
        use CloseReason as R;
        for (code, reason) in [
            (515, R::RestartRequired),
            (503, R::ServerUnavailable),
            (500, R::ServerUnavailable),
            (429, R::Throttled),
            (409, R::Replaced),
            (401, R::LoggedOut),
            (516, R::LoggedOut),
            (599, R::Unknown),
        ] {
            let node = NodeBuilder::new("stream:error").attr("code", code.to_string()).build();
            assert_eq!(said(&node), Some((reason, Some(code))), "{code}");
        }
        let conflict = |kind: &str| {
            let child = NodeBuilder::new("conflict").attr("type", kind.to_owned()).build();
            NodeBuilder::new("stream:error").children([child]).build()
        };
        assert_eq!(said(&conflict("replaced")), Some((R::Replaced, Some(409))));
        assert_eq!(said(&conflict("device_removed")), Some((R::LoggedOut, Some(401))));
        let ack = NodeBuilder::new("stream:error").children([NodeBuilder::new("ack").build()]).build();
        assert_eq!(said(&ack), None, "the stream goes on");
    }
}
