//! What passes between the server and a network in a process of its own: JSON over HTTP on the loopback.
//!
//! | request | response |
//! |---|---|
//! | `POST /links`, a [`Hello`] | lines of [`WireEvent`](super::wire::WireEvent), an empty one every 2 s; either side ends the link by closing the connection |
//! | `POST /calls`, a [`Call`] | `{"Ok": …}` or `{"Err": …}` as the call of the same name in [`Wire`](super::wire::Wire) answers |
//! | `GET /livez` | 200 |
//!
//! What cannot be read, or is beyond a bound, is answered with 400 and `{"error": …}`; a body beyond [`MAX_BODY`] with 413.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::{Caller, Hello, MAX_FRAMES, MAX_WA_ID, Outgoing};
use crate::domain::chat::Chat;
use crate::domain::id::SessionId;
use crate::domain::message::{Letter, WaId};
use crate::ports::sandbox::SandboxFault;

/// Longest body of a request, and longest line of a link, in bytes.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// How often a link with nothing to say shows that it is there.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(2);
/// A link that shows nothing for so long is lost.
pub(super) const SILENCE: Duration = Duration::from_secs(10);

/// In bytes, as they are before they are written as JSON.
const MAX_CONTENT: usize = 32 * 1024;
const MAX_CODE: usize = 512;
const MAX_TOKEN: usize = 128;
const MAX_DELIVERY: usize = 32;

/// One call of [`Wire`](super::wire::Wire), by name.
#[derive(Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Call {
    Send(Outgoing),
    Ping { caller: Caller },
    Confirm { caller: Caller, delivery: String },
    PairingCode { caller: Caller },
    LogOut { caller: Caller },
    FindCode { code: String },
    Scan { code: String },
    Write { session: SessionId, letter: Box<Letter> },
    Fault { session: SessionId, fault: SandboxFault },
    Frames { session: SessionId, after: u64, limit: u32 },
}

/// What comes in from outside and has bounds that its form does not show.
pub(super) trait Bounded {
    /// `Err` says which bound is broken.
    fn check(&self) -> Result<(), &'static str>;
}

fn demand(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

/// The form only: whether a number is possible was judged where it entered the product.
fn is_address(chat: &Chat) -> bool {
    match chat {
        Chat::Person(phone) => {
            let digits = phone.as_str().strip_prefix('+').unwrap_or_default();
            (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        }
        other => Chat::reported(other.as_str()).is_some(),
    }
}

fn is_id(id: &WaId) -> bool {
    (1..=MAX_WA_ID).contains(&id.0.len()) && id.0.bytes().all(|byte| byte.is_ascii_graphic())
}

impl Bounded for Hello {
    fn check(&self) -> Result<(), &'static str> {
        let fits = self.token.as_ref().is_none_or(|token| token.0.len() <= MAX_TOKEN);
        demand(fits, "token: at most 128 bytes")
    }
}

impl Bounded for Call {
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Send(frame) => {
                demand(is_id(&frame.wa_id), "wa_id: 1 to 128 visible ASCII characters")?;
                demand(is_address(&frame.to), "to: a plus sign and 7 to 15 digits, or an address")
            }
            Self::Confirm { delivery, .. } => {
                demand(delivery.len() <= MAX_DELIVERY, "delivery: at most 32 bytes")
            }
            Self::FindCode { code } | Self::Scan { code } => {
                demand(code.len() <= MAX_CODE, "code: at most 512 bytes")
            }
            Self::Write { letter, .. } => {
                demand(letter.content.weight() <= MAX_CONTENT, "content: at most 32 KiB")?;
                demand(is_id(&letter.wa_id), "wa_id: 1 to 128 visible ASCII characters")?;
                let written_by = letter.author.iter().chain([&letter.chat]);
                demand(
                    written_by.into_iter().all(is_address),
                    "chat, author: a plus sign and 7 to 15 digits, or an address",
                )
            }
            Self::Frames { limit, .. } => demand(*limit <= MAX_FRAMES, "limit: at most 10,000"),
            Self::Ping { .. } | Self::PairingCode { .. } | Self::LogOut { .. } | Self::Fault { .. } => Ok(()),
        }
    }
}
