//! What a session can be told, and what it can want done.

use std::time::Duration;

use strum::{EnumDiscriminants, EnumIter};

use crate::actors::session::deadlines::TimerEpoch;
use crate::domain::chat::Chat;
use crate::domain::id::MessageId;
use crate::domain::message::WaId;
use crate::domain::passkey::Passkey;
use crate::domain::session::{CloseReason, Reason, Restriction, Standing};
use crate::domain::time::{Moment, Reading, WallTime};
use crate::outbound::attempt::End;
use crate::outbound::claim::ClaimError;
use crate::ports::outbox::{Claimed, Memory, Pending, Position, Work};
use crate::ports::sessions::StatusChange;
use crate::ports::store::StoreError;

/// Everything a session can be told: commands imperative, facts in the past tense.
#[derive(Debug, Clone, PartialEq, EnumDiscriminants)]
#[strum_discriminants(name(InputName), derive(EnumIter), doc = "An [`Input`] without its value.")]
pub enum Input {
    /// Command: connect, or connect again.
    Start,
    /// Command: connect, at a person's word: a back-off is waited for only if the network asked for it.
    Renew,
    /// Command: close and end, for this reason.
    Stop(Reason),
    /// Command: give the credentials up.
    LogOut,
    /// Command: a row may be waiting, or the caps have changed.
    Wake,
    /// Command: the network serves this version of the engine no more; connect no further.
    Outdated,
    /// The store answered [`Effect::Recall`].
    Recalled(Result<Memory, StoreError>),
    /// The link shows a code to scan.
    CodeShown {
        /// What the picture holds.
        code: String,
        /// When the next one comes.
        expires_at: WallTime,
    },
    /// Pairing has come to the account's passkey.
    PasskeyHeard(Passkey),
    /// A person scanned; the credentials are in the vault.
    Paired,
    /// The link works.
    Connected,
    /// What came while we were away has been delivered.
    OfflineSynced,
    /// The account may not write to new chats, for this reason and until then; or it may again.
    Restricted(Option<Restriction>),
    /// A delivery from the link was stored and confirmed.
    Heard {
        /// The message a receipt was about.
        wa_id: Option<WaId>,
        /// The chat that wrote, if messages held for want of that go now.
        freed: Option<Chat>,
        /// Whether it is on disk.
        stored: Result<(), StoreError>,
    },
    /// The link is gone.
    Closed(CloseReason),
    /// The store answered [`Effect::Read`].
    Read {
        /// Comes from the effect.
        turn: u64,
        /// What it said.
        answer: Result<Vec<Pending>, StoreError>,
    },
    /// The store answered [`Effect::Claim`].
    Claimed {
        /// Comes from the effect.
        turn: u64,
        /// What it said.
        answer: Result<Claimed, ClaimError>,
    },
    /// The attempt is over.
    Ended {
        /// Of which message.
        message: MessageId,
        /// Which attempt.
        number: u32,
        /// How.
        end: End,
    },
    /// [`Effect::GiveUp`] was performed.
    GivenUp {
        /// Of which message.
        message: MessageId,
        /// Which attempt.
        number: u32,
        /// Whether it is on disk.
        done: bool,
    },
    /// The store answered [`Effect::Recover`].
    Recovered(Result<(), StoreError>),
    /// The network answered [`Effect::Ping`]; `None` when it did not.
    Pinged(Option<Duration>),
    /// The store answered [`Effect::Announce`].
    Announced(Result<(), StoreError>),
    /// [`Effect::LogOut`] was performed.
    LoggedOut(Result<(), StoreError>),
    /// A timer fired, perhaps a stale one.
    TimerFired(TimerEpoch),
}

/// Everything a session can want done. The shell performs them in order, and answers each that has an answer once.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Take a new epoch, ask what earlier owners left, open the vault; answered by [`Input::Recalled`].
    Recall,
    /// Open a link in place of any other.
    Open,
    /// Close the link, keep the credentials.
    Close,
    /// Write the public status and its event; answered by [`Input::Announced`].
    Announce(StatusChange),
    /// Store the standing for the generations to come.
    Remember(Standing),
    /// Count a link opened after the first.
    CountReconnect,
    /// Note that the session holds credentials.
    NotePaired,
    /// Read what waits beyond `after`; answered by [`Input::Read`].
    Read {
        /// Comes back in the answer.
        turn: u64,
        /// The last place read.
        after: Position,
    },
    /// Take this message; answered by [`Input::Claimed`].
    Claim {
        /// Comes back in the answer.
        turn: u64,
        /// Which.
        message: MessageId,
        /// Dates the attempt.
        at: Reading,
        /// What keeps the account from writing to new chats.
        lock: Option<Restriction>,
    },
    /// Send and settle this message; answered by [`Input::Ended`].
    Attempt(Work),
    /// Put back this message, claimed but not sent; answered by [`Input::Ended`].
    GiveBack {
        /// Which.
        message: MessageId,
        /// Which attempt.
        number: u32,
    },
    /// Write that nobody knows whether this message left; answered by [`Input::GivenUp`].
    GiveUp {
        /// Which.
        message: MessageId,
        /// Which attempt.
        number: u32,
    },
    /// Deal with what earlier owners left under way; answered by [`Input::Recovered`].
    Recover,
    /// Ask the server anything; answered by [`Input::Pinged`] within 10 s.
    Ping,
    /// Tell the server, put the vault away, note that no credentials are held; answered by [`Input::LoggedOut`].
    /// `tell`: whether the server has to hear of it from us.
    LogOut {
        /// The server does not know yet.
        tell: bool,
    },
    /// Arm the timer in place of any other.
    Arm {
        /// Comes back in [`Input::TimerFired`].
        epoch: TimerEpoch,
        /// When it is to fire.
        at: Moment,
    },
    /// Mark the vault as closed in good order and end the actor.
    Exit,
    /// End the actor as a crash does: its supervisor builds another.
    Fail,
}
