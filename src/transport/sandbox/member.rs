//! One session as the network remembers it. Folded from the journal's facts, so that a fact has the same effect when it
//! happens and when it is read again.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::journal::Offset;
use super::recipients::{Answer, Fingerprint, History, Receipts};
use super::wire::{DeviceToken, WireEvent};
use crate::domain::message::{Letter, ReceiptKind, WaId};
use crate::domain::time::WallTime;
use crate::ports::sandbox::Frame;

/// Names one delivery of one session: `d12` and `r12` are the receipts of frame 12, `i3` is the third inbound message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Delivery {
    Inbound(u64),
    Delivered(u64),
    Read(u64),
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inbound(number) => write!(f, "i{number}"),
            Self::Delivered(seq) => write!(f, "d{seq}"),
            Self::Read(seq) => write!(f, "r{seq}"),
        }
    }
}

impl FromStr for Delivery {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, number) = text.split_at_checked(1).ok_or(())?;
        let number = number.parse().map_err(|_| ())?;
        match kind {
            "i" => Ok(Self::Inbound(number)),
            "d" => Ok(Self::Delivered(number)),
            "r" => Ok(Self::Read(number)),
            _ => Err(()),
        }
    }
}

/// What a delivery says.
#[derive(Debug, Clone)]
pub(super) enum Parcel {
    Receipt { wa_id: WaId },
    Inbound { letter: Box<Letter> },
}

/// Something owed until confirmed.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    /// When it first may be told; `None` when it has been due since before this process began.
    pub(super) due: Option<Instant>,
    pub(super) parcel: Parcel,
}

impl Owed {
    pub(super) fn event(&self, delivery: Delivery) -> WireEvent {
        let kind = match delivery {
            Delivery::Read(_) => ReceiptKind::Read,
            Delivery::Delivered(_) | Delivery::Inbound(_) => ReceiptKind::Delivered,
        };
        let delivery = delivery.to_string();
        match self.parcel.clone() {
            Parcel::Receipt { wa_id } => WireEvent::Receipt { delivery, wa_id, kind },
            Parcel::Inbound { letter } => WireEvent::Inbound { delivery, letter },
        }
    }
}

/// SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn of(token: &DeviceToken) -> Self {
        Self(Sha256::digest(token.0.as_bytes()).into())
    }

    pub(super) fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// `None` for what is no such hash; no token then fits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok().map(|()| Self(bytes))
    }
}

/// One session as the network remembers it.
///
/// Memory per frame, once its receipts are confirmed: 16 bytes of index and 8 of fingerprint, up to 52 with the slack
/// of growing; the frame itself is read from the journal.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// The account, if a device is paired.
    pub(super) account: Option<TokenHash>,
    /// No link is served before then.
    pub(super) banned_until: Option<WallTime>,
    /// What waits for a confirmation.
    pub(super) owed: BTreeMap<Delivery, Owed>,
    /// The open link.
    pub(super) link: Option<u64>,
    /// Apart: most sessions of a large fleet have sent nothing yet.
    past: Option<Box<Past>>,
}

/// What a session has sent.
#[derive(Debug, Default)]
struct Past {
    history: History,
    taken: HashSet<Fingerprint>,
    frames: Vec<(u64, Offset)>,
}

impl Member {
    /// A device was paired. Like WhatsApp's, a new device inherits nothing.
    pub(super) fn pair(&mut self, account: Option<TokenHash>) {
        self.account = account;
        self.owed.clear();
    }

    /// The device was removed.
    pub(super) fn unlink(&mut self) {
        self.account = None;
        self.owed.clear();
    }

    /// A frame was received and logged: what it is answered. `lock`: how long a lock on new chats lasts.
    ///
    /// A copy of a message that was taken is acked again, and nothing new is owed for it.
    pub(super) fn receive(&mut self, frame: &Frame, offset: Offset, lock: Duration) -> Answer {
        let past = self.past.get_or_insert_default();
        past.frames.push((frame.seq, offset));
        let message = fingerprint(&frame.wa_id);
        if past.taken.contains(&message) {
            return Answer::Ack(Receipts::None);
        }
        let answer = past.history.judge(&frame.to, message, frame.at, lock);
        if let Answer::Ack(_) = answer {
            past.taken.insert(message);
        }
        answer
    }

    /// Now owes `delivery`.
    pub(super) fn owe(&mut self, delivery: Delivery, due: Option<Instant>, parcel: Parcel) {
        self.owed.insert(delivery, Owed { due, parcel });
    }

    /// Where the frames beyond `after` are, at most `limit`.
    pub(super) fn frames(&self, after: u64, limit: usize) -> Vec<Offset> {
        let frames = self.past.as_ref().map_or(&[][..], |past| &past.frames);
        let from = frames.partition_point(|(seq, _)| *seq <= after);
        frames[from..].iter().take(limit).map(|(_, offset)| *offset).collect()
    }
}

impl Receipts {
    /// What is owed for frame `seq`.
    pub(super) fn deliveries(self, seq: u64) -> impl Iterator<Item = Delivery> {
        let many = match self {
            Self::None => 0,
            Self::Delivered => 1,
            Self::DeliveredAndRead => 2,
        };
        [Delivery::Delivered(seq), Delivery::Read(seq)].into_iter().take(many)
    }
}

fn fingerprint(wa_id: &WaId) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    wa_id.0.hash(&mut hasher);
    hasher.finish()
}
