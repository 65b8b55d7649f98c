//! What a session decides: inputs in, effects out. No async, no actix, no clock.
//!
//! Promises, each kept by a test in `tests/it/actors/machine.rs`: every state takes every input; at most one timer is
//! armed; a claim is made only while connected, one at a time, never beyond the cap; nothing but a log-out the server
//! or the tenant asked for touches credentials.

use strum::EnumIter;

use super::deadlines::Deadlines;
use super::dispatch::Dispatch;
use super::health::Health;
use super::reconnect::Reconnect;
use crate::domain::passkey::Passkey;
use crate::domain::plan::Caps;
use crate::domain::session::{Reason, SessionStatus};
use crate::domain::time::{Jitter, Moment, Reading, WallTime};
use crate::outbound::claim::ClaimError;
use crate::ports::store::StoreError;
use crate::ports::supervisor::PairingView;

mod life;
mod link;
mod sending;
mod vocabulary;

pub use self::vocabulary::{Effect, Input, InputName};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter)]
pub enum State {
    /// Before the first input and after the last; nothing is open.
    Stopped,
    /// Recalls what earlier owners left, then opens the first link.
    Starting,
    /// A person has to scan a code.
    Pairing,
    /// The link works: messages may be claimed.
    Connected,
    /// Between two links: waits for the back-off to end, then for the new link to answer.
    Reconnecting,
    /// Waits for a person, or for the end of a ban; nothing is open.
    Parked,
    /// The credentials are void; a person has to pair again.
    LoggedOut,
    /// The tenant gives the credentials up: the server is told, the vault put away.
    LoggingOut,
    /// Was asked to stop and lets attempts on the wire end.
    Stopping,
}

/// Decides for one session.
pub struct Machine {
    state: State,
    since: WallTime,
    up_since: Moment,
    reason: Option<Reason>,
    code: Option<u16>,
    announced: Option<(SessionStatus, Option<Reason>, Option<WallTime>)>,
    /// The store has given the right to act, and no newer one is being asked for.
    recalled: bool,
    /// The store is being asked for it.
    recalling: bool,
    /// Statuses that are being written.
    announcing: u32,
    /// The end is decided; only what is being said keeps it.
    leaving: bool,
    /// A link has worked in this incarnation; further ones are reconnects.
    linked: bool,
    /// A link was asked for and has not said yet that it works.
    opening: bool,
    /// A person wants the session: a back-off of its past is not waited for.
    vouched: bool,
    /// The link was closed once because messages did not move; the next time it is this incarnation that ends.
    stuck: bool,
    paired: bool,
    recovered: bool,
    dispatch: Dispatch,
    health: Health,
    deadlines: Deadlines,
    reconnect: Reconnect,
    pairing: Option<PairingView>,
    /// What pairing heard of a passkey, also before a code is shown.
    passkey: Option<Passkey>,
    jitter: Jitter,
}

impl Machine {
    /// A stopped session. Its window counts as full until a recall says better. `seed` decides its gaps.
    pub fn new(at: Reading, caps: Caps, jitter: Jitter, seed: u64) -> Self {
        Self {
            state: State::Stopped,
            since: at.wall,
            up_since: at.now,
            reason: None,
            code: None,
            announced: None,
            recalled: false,
            recalling: false,
            announcing: 0,
            leaving: false,
            linked: false,
            opening: false,
            vouched: false,
            stuck: false,
            paired: false,
            recovered: false,
            dispatch: Dispatch::new(caps, at.now, seed),
            health: Health::fresh(at.now),
            deadlines: Deadlines::default(),
            reconnect: Reconnect::new(jitter),
            pairing: None,
            passkey: None,
            jitter,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Public status.
    pub fn status(&self) -> SessionStatus {
        match self.state {
            State::Stopped | State::Stopping => SessionStatus::Stopped,
            State::Starting => SessionStatus::Starting,
            State::Pairing => SessionStatus::Pairing,
            State::Connected => SessionStatus::Connected,
            State::Reconnecting => SessionStatus::Reconnecting,
            State::Parked => SessionStatus::Parked,
            State::LoggedOut | State::LoggingOut => SessionStatus::LoggedOut,
        }
    }

    /// Why.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// What a person can scan.
    pub fn pairing(&self) -> Option<&PairingView> {
        self.pairing.as_ref()
    }

    /// The sending half.
    pub fn dispatch(&self) -> &Dispatch {
        &self.dispatch
    }

    /// Binds the caps of the plan as it stands.
    pub fn bind(&mut self, caps: Caps, now: Moment) {
        self.dispatch.bind(caps, now);
    }

    /// Takes one input. What it leads to is announced if it shows, and the timer follows the earliest deadline. The
    /// last thing to be said is said before the end.
    pub fn on(&mut self, at: Reading, input: Input) -> Vec<Effect> {
        let mut effects = self.decide(at, input);
        if let Some(change) = self.unannounced(at) {
            self.announcing += 1;
            effects.push(Effect::Announce(change));
        }
        if self.leaving && self.announcing == 0 {
            effects.push(Effect::Exit);
        } else if let Some((epoch, at)) = self.deadlines.rearm() {
            effects.push(Effect::Arm { epoch, at });
        }
        effects
    }

    /// The whole session, one line per case; a line that answers nothing is legal and changes nothing.
    #[rustfmt::skip]
    fn decide(&mut self, at: Reading, input: Input) -> Vec<Effect> {
        use {Input as I, State as S, StoreError::Fenced};
        match (self.state, input) {
            (_, I::Start | I::Renew | I::Stop(_) | I::LogOut | I::Outdated) if self.leaving => vec![],
            (S::Stopped | S::Parked | S::LoggedOut, I::Start)      => self.start(at),
            (S::Stopped | S::Parked | S::LoggedOut, I::Renew)      => self.renew(at),
            (_, I::Renew)                                          => vec![],
            (_, I::Start)                                          => vec![],
            (S::Stopping, I::Stop(_))                              => vec![],
            (_, I::Stop(reason))                                   => self.stop(at, reason),
            (S::LoggingOut | S::Stopping, I::LogOut)               => vec![],
            (S::LoggedOut, I::LogOut) if !self.paired              => vec![],
            (_, I::LogOut)                                         => self.log_out(at),
            (_, I::Wake)                                           => self.ring(at),
            (S::Starting | S::Pairing | S::Reconnecting, I::Outdated) => self.outdated(at),
            (_, I::Outdated)                                       => vec![],

            // An owner that was replaced leaves at once, whatever it is doing. During a recall it has replaced itself:
            // what was asked under the older right may then be refused, and that means nothing.
            (_, I::Recalled(Err(Fenced)))                          => self.leave_fenced(at),
            (_, I::Read { turn, answer: Err(Fenced) })
                if self.recalled && self.dispatch.is_current(turn) => self.leave_fenced(at),
            (_, I::Claimed { turn, answer: Err(ClaimError::Store(Fenced)) })
                if self.recalled && self.dispatch.is_current(turn) => self.leave_fenced(at),
            (_, I::Heard { stored: Err(Fenced), .. })
            | (_, I::Recovered(Err(Fenced)))
            | (_, I::Announced(Err(Fenced)))
            | (_, I::LoggedOut(Err(Fenced))) if self.recalled      => self.leave_fenced(at),

            (S::Starting | S::LoggingOut, I::Recalled(Ok(memory))) => self.recall_succeeded(at, memory),
            (S::Starting | S::LoggingOut, I::Recalled(Err(_)))     => self.recall_failed(at),
            (S::Reconnecting, I::Recalled(Ok(memory))) if self.recalling => self.recall_succeeded(at, memory),
            (S::Reconnecting, I::Recalled(Err(_))) if self.recalling => self.recall_failed(at),
            (_, I::Recalled(_))                                    => self.recall_ignored(),

            (S::Starting | S::Pairing | S::Reconnecting, I::CodeShown { code, expires_at })
                                                                   => self.show_code(at, code, expires_at),
            (_, I::CodeShown { .. })                               => vec![],
            (S::Starting | S::Pairing | S::Reconnecting, I::PasskeyHeard(passkey))
                                                                   => self.passkey_heard(at, passkey),
            (_, I::PasskeyHeard(_))                                => vec![],
            (S::Starting | S::Pairing | S::Reconnecting, I::Paired) => self.note_paired(at),
            (_, I::Paired)                                         => vec![],
            (S::Starting | S::Pairing | S::Reconnecting, I::Connected) => self.connected(at),
            (_, I::Connected)                                      => vec![],
            (S::Connected, I::OfflineSynced)                       => self.caught_up(at),
            (_, I::OfflineSynced)                                  => vec![],
            (S::Stopped, I::Restricted(_))                         => vec![],
            (_, I::Restricted(restriction))                        => self.restricted(at, restriction),
            (_, I::Heard { wa_id, freed, stored })                 => self.heard(at, wa_id.filter(|_| stored.is_ok()), freed),
            (S::Starting | S::Pairing | S::Connected | S::Reconnecting, I::Closed(reason))
                                                                   => self.closed(at, reason),
            (_, I::Closed(_))                                      => vec![],

            (_, I::Read { turn, answer })                          => self.read(at, turn, answer),
            (_, I::Claimed { turn, answer })                       => self.claimed(at, turn, answer),
            (_, I::Ended { message, number, end })                 => self.ended(at, message, number, end),
            (_, I::GivenUp { message, number, done })              => self.given_up(at, message, number, done),
            (_, I::Recovered(answer))                              => self.recovery_over(at, answer),
            (S::Connected, I::Pinged(answer))                      => self.pinged(at, answer),
            (_, I::Pinged(_))                                      => vec![],
            (_, I::Announced(answer))                              => self.announcement_over(at, answer),
            (S::LoggingOut, I::LoggedOut(answer))                  => self.log_out_over(at, answer),
            (S::LoggedOut, I::LoggedOut(answer))                   => self.archive_over(at, answer),
            (_, I::LoggedOut(_))                                   => vec![],

            (_, I::TimerFired(epoch))                              => self.timer_fired(at, epoch),
        }
    }
}
