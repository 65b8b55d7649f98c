//! What a session decides: inputs in, effects out. No async, no actix, no clock.
//!
//! Promises, each kept by a test in `tests/it/actors/machine.rs`: every state takes every input; at most one timer is
//! armed; a claim is made only while connected, one at a time, never beyond the cap; nothing but a log-out the server
//! or the tenant asked for touches credentials.

use std::time::Duration;

use strum::{EnumDiscriminants, EnumIter};

use super::deadlines::{Deadlines, Purpose, TimerEpoch};
use super::dispatch::Dispatch;
use super::health::{self, Health};
use super::reconnect::{Reconnect, Verdict};
use crate::domain::id::MessageId;
use crate::domain::message::WaId;
use crate::domain::plan::Caps;
use crate::domain::session::{CloseReason, Reason, SessionStatus, Standing};
use crate::domain::time::{Jitter, Moment, Reading, WallTime};
use crate::outbound::attempt::End;
use crate::outbound::claim::ClaimError;
use crate::ports::outbox::{Claimed, Memory, Pending, Position, Work};
use crate::ports::sessions::StatusChange;
use crate::ports::store::StoreError;
use crate::ports::supervisor::PairingView;

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

/// Everything a session can be told: commands imperative, facts in the past tense.
#[derive(Debug, Clone, PartialEq, EnumDiscriminants)]
#[strum_discriminants(name(InputName), derive(EnumIter), doc = "An [`Input`] without its value.")]
pub enum Input {
    /// Command: connect, or connect again.
    Start,
    /// Command: close and end.
    Stop,
    /// Command: give the credentials up.
    LogOut,
    /// Command: a row may be waiting, or the caps have changed.
    Wake,
    /// The store answered [`Effect::Recall`].
    Recalled(Result<Memory, StoreError>),
    /// The link shows a code to scan.
    CodeShown {
        /// What the picture holds.
        code: String,
        /// When the next one comes.
        expires_at: WallTime,
    },
    /// A person scanned; the credentials are in the vault.
    Paired,
    /// The link works.
    Connected,
    /// What came while we were away has been delivered.
    OfflineSynced,
    /// The account may not write to new chats.
    Timelocked {
        /// Until then.
        until: WallTime,
    },
    /// A delivery from the link was stored and confirmed.
    Heard {
        /// The message a receipt was about.
        wa_id: Option<WaId>,
        /// Whether it is on disk.
        stored: Result<(), StoreError>,
    },
    /// The link is gone.
    Closed(CloseReason),
    /// The store answered [`Effect::Read`].
    Read(Result<Vec<Pending>, StoreError>),
    /// The store answered [`Effect::Claim`].
    Claimed(Result<Claimed, ClaimError>),
    /// The attempt is over.
    Ended {
        /// Of which message.
        message: MessageId,
        /// How.
        end: End,
    },
    /// [`Effect::GiveUp`] was performed.
    GivenUp {
        /// Of which message.
        message: MessageId,
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
        /// The last place read.
        after: Position,
    },
    /// Take this message; answered by [`Input::Claimed`].
    Claim {
        /// Which.
        message: MessageId,
        /// Dates the attempt.
        at: Reading,
        /// The account may not write to new chats until then.
        timelock_until: Option<WallTime>,
    },
    /// Send and settle this message; answered by [`Input::Ended`].
    Attempt(Work),
    /// Put back this message, claimed but not sent.
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
}

const PAIRING_LIMIT: Duration = Duration::from_secs(180);
/// An attempt of an earlier owner has its own deadline of 10 s; after that nobody else settles it.
const RECOVERY_GRACE: Duration = Duration::from_secs(10);
/// When an engine never says that it has caught up.
const RECOVERY_LATEST: Duration = Duration::from_secs(40);
const STOP_GRACE: Duration = Duration::from_secs(5);
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Decides for one session.
pub struct Machine {
    state: State,
    since: WallTime,
    up_since: Moment,
    reason: Option<Reason>,
    code: Option<u16>,
    announced: Option<(SessionStatus, Option<Reason>, Option<WallTime>)>,
    /// The store has answered once: this incarnation may act.
    recalled: bool,
    /// A link has worked in this incarnation; further ones are reconnects.
    linked: bool,
    paired: bool,
    recovered: bool,
    dispatch: Dispatch,
    health: Health,
    deadlines: Deadlines,
    reconnect: Reconnect,
    pairing: Option<PairingView>,
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
            linked: false,
            paired: false,
            recovered: false,
            dispatch: Dispatch::new(caps, at.now, seed),
            health: Health::fresh(at.now),
            deadlines: Deadlines::default(),
            reconnect: Reconnect::new(jitter),
            pairing: None,
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

    /// Takes one input. What it leads to is announced if it shows, and the timer follows the earliest deadline.
    pub fn on(&mut self, at: Reading, input: Input) -> Vec<Effect> {
        let mut effects = self.decide(at, input);
        let exits = effects.last() == Some(&Effect::Exit);
        if let Some(change) = self.unannounced(at) {
            let place = effects.len() - usize::from(exits);
            effects.insert(place, Effect::Announce(change));
        }
        if !exits && let Some((epoch, at)) = self.deadlines.rearm() {
            effects.push(Effect::Arm { epoch, at });
        }
        effects
    }

    /// The whole session, one line per case; a line that answers nothing is legal and changes nothing.
    #[rustfmt::skip]
    fn decide(&mut self, at: Reading, input: Input) -> Vec<Effect> {
        use {Input as I, State as S, StoreError::Fenced};
        match (self.state, input) {
            (S::Stopped | S::Parked | S::LoggedOut, I::Start)      => self.start(at),
            (_, I::Start)                                          => vec![],
            (S::Stopping, I::Stop)                                 => vec![],
            (_, I::Stop)                                           => self.stop(at),
            (S::LoggingOut | S::Stopping, I::LogOut)               => vec![],
            (_, I::LogOut)                                         => self.log_out(at),
            (_, I::Wake)                                           => self.ring(at),

            // An owner that was replaced leaves at once, whatever it is doing.
            (_, I::Recalled(Err(Fenced)))                          => self.leave(at),
            (_, I::Read(Err(Fenced)))                              => self.leave(at),
            (_, I::Claimed(Err(ClaimError::Store(Fenced))))        => self.leave(at),
            (_, I::Heard { stored: Err(Fenced), .. })              => self.leave(at),
            (_, I::Recovered(Err(Fenced)))                         => self.leave(at),
            (_, I::Announced(Err(Fenced)))                         => self.leave(at),
            (_, I::LoggedOut(Err(Fenced)))                         => self.leave(at),

            (S::Starting | S::LoggingOut, I::Recalled(Ok(memory))) => self.recall_succeeded(at, memory),
            (S::Starting | S::LoggingOut, I::Recalled(Err(_)))     => self.recall_failed(at),
            (_, I::Recalled(_))                                    => vec![],

            (S::Starting | S::Pairing | S::Reconnecting, I::CodeShown { code, expires_at })
                                                                   => self.show_code(at, code, expires_at),
            (_, I::CodeShown { .. })                               => vec![],
            (S::Starting | S::Pairing | S::Reconnecting, I::Paired) => self.note_paired(),
            (_, I::Paired)                                         => vec![],
            (S::Starting | S::Pairing | S::Reconnecting, I::Connected) => self.connected(at),
            (_, I::Connected)                                      => vec![],
            (S::Connected, I::OfflineSynced)                       => self.caught_up(at),
            (_, I::OfflineSynced)                                  => vec![],
            (S::Stopped, I::Timelocked { .. })                     => vec![],
            (_, I::Timelocked { until })                           => self.timelocked(until),
            (_, I::Heard { wa_id, .. })                            => self.heard(at, wa_id),
            (S::Starting | S::Pairing | S::Connected | S::Reconnecting, I::Closed(reason))
                                                                   => self.closed(at, reason),
            (_, I::Closed(_))                                      => vec![],

            (_, I::Read(answer))                                   => self.read(at, answer),
            (_, I::Claimed(answer))                                => self.claimed(at, answer),
            (_, I::Ended { message, end })                         => self.ended(at, message, end),
            (_, I::GivenUp { message, done })                      => self.given_up(at, message, done),
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

/// Coming and going.
impl Machine {
    fn start(&mut self, at: Reading) -> Vec<Effect> {
        self.enter(at, State::Starting, None, None);
        vec![Effect::Recall]
    }

    /// Attempts on the wire get a few seconds; the link stays open for their acks.
    fn stop(&mut self, at: Reading) -> Vec<Effect> {
        let waits = self.state == State::Connected && self.dispatch.on_the_wire() > 0;
        self.enter(at, State::Stopping, Some(Reason::Requested), None);
        if !waits {
            return self.leave(at);
        }
        self.deadlines.set(Purpose::State, at.now + STOP_GRACE);
        vec![]
    }

    fn leave(&mut self, at: Reading) -> Vec<Effect> {
        if self.state != State::Stopping {
            self.enter(at, State::Stopped, self.reason, self.code);
        }
        self.state = State::Stopped;
        vec![Effect::Close, Effect::Exit]
    }

    fn recall_succeeded(&mut self, at: Reading, memory: Memory) -> Vec<Effect> {
        self.recalled = true;
        self.paired = memory.paired;
        self.recovered = false;
        self.dispatch.begin(memory.attempts, at.now);
        self.reconnect.inherit(memory.standing);
        self.deadlines.clear(Purpose::State);
        if self.state == State::LoggingOut {
            return vec![Effect::LogOut { tell: true }];
        }
        match self.reconnect.ban_ends(at) {
            Some(end) => self.park(at, Reason::Banned, Some(402), Some(end)),
            None => vec![Effect::Open],
        }
    }

    /// Retried here: an exit would count as a crash, and a store that is away would quarantine the whole fleet.
    fn recall_failed(&mut self, at: Reading) -> Vec<Effect> {
        let delay = self.reconnect.delay();
        self.reason = Some(Reason::StoreUnavailable);
        self.deadlines.set(Purpose::State, at.now + delay);
        vec![]
    }

    fn show_code(&mut self, at: Reading, code: String, expires_at: WallTime) -> Vec<Effect> {
        let attempt = self.pairing.as_ref().map_or(1, |shown| shown.attempt + 1);
        if self.state != State::Pairing {
            self.enter(at, State::Pairing, None, None);
            self.deadlines.set(Purpose::State, at.now + PAIRING_LIMIT);
        }
        self.pairing = Some(PairingView { code, expires_at, attempt });
        vec![]
    }

    fn note_paired(&mut self) -> Vec<Effect> {
        self.paired = true;
        self.pairing = None;
        vec![Effect::NotePaired]
    }

    fn connected(&mut self, at: Reading) -> Vec<Effect> {
        self.enter(at, State::Connected, None, None);
        self.health = Health::fresh(at.now);
        self.probe_in(at, health::EVERY);
        if !self.recovered {
            self.deadlines.set(Purpose::Recovery, at.now + RECOVERY_LATEST);
        }
        let mut effects = vec![];
        if !self.paired {
            effects.extend(self.note_paired()); // an engine that pairs and logs in on one link
        }
        if std::mem::replace(&mut self.linked, true) {
            effects.push(Effect::CountReconnect);
        }
        effects.extend(self.ring(at));
        effects
    }

    fn caught_up(&mut self, at: Reading) -> Vec<Effect> {
        if !self.recovered {
            self.deadlines.set(Purpose::Recovery, at.now + RECOVERY_GRACE);
        }
        vec![]
    }

    fn timelocked(&mut self, until: WallTime) -> Vec<Effect> {
        self.reconnect.timelocked(until);
        vec![Effect::Remember(self.reconnect.standing())]
    }

    /// The tenant gives the credentials up. Before the first recall there is no right to act yet, so that comes first.
    fn log_out(&mut self, at: Reading) -> Vec<Effect> {
        self.enter(at, State::LoggingOut, Some(Reason::Requested), None);
        match self.recalled {
            true => vec![Effect::LogOut { tell: true }],
            false => vec![Effect::Recall],
        }
    }

    fn log_out_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        if answer.is_err() {
            self.deadlines.set(Purpose::State, at.now + STORE_PAUSE);
            return vec![];
        }
        self.paired = false;
        self.enter(at, State::LoggedOut, Some(Reason::Requested), None);
        vec![Effect::Close]
    }

    /// The server logged us out; the credentials have to be put away as well.
    fn archive_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        match answer {
            Ok(()) => self.paired = false,
            Err(_) => self.deadlines.set(Purpose::State, at.now + STORE_PAUSE),
        }
        vec![]
    }

    fn timer_fired(&mut self, at: Reading, epoch: TimerEpoch) -> Vec<Effect> {
        if !self.deadlines.fired(epoch) {
            return vec![];
        }
        let mut effects = vec![];
        if self.deadlines.take(Purpose::Announce, at.now) {
            self.announced = None;
        }
        if self.deadlines.take(Purpose::Ack, at.now) {
            effects.extend(self.acks_overdue(at.now));
        }
        if self.deadlines.take(Purpose::Recovery, at.now) {
            effects.push(Effect::Recover);
        }
        if self.deadlines.take(Purpose::Probe, at.now) {
            self.health.begin(at.now);
            effects.push(Effect::Ping);
        }
        if self.deadlines.take(Purpose::Pump, at.now) {
            effects.extend(self.pump(at));
        }
        if self.deadlines.take(Purpose::State, at.now) {
            effects.extend(self.state_ended(at));
        }
        effects
    }

    fn state_ended(&mut self, at: Reading) -> Vec<Effect> {
        match self.state {
            State::Starting => vec![Effect::Recall],
            State::Pairing => self.nobody_scanned(at),
            State::Reconnecting => vec![Effect::Open],
            State::Parked => self.start(at),
            State::LoggedOut => vec![Effect::LogOut { tell: false }],
            State::LoggingOut => self.log_out(at),
            State::Stopping => self.leave(at),
            State::Connected | State::Stopped => vec![],
        }
    }

    fn nobody_scanned(&mut self, at: Reading) -> Vec<Effect> {
        let mut effects = self.park(at, Reason::PairingTimeout, None, None);
        effects.push(Effect::Close);
        effects
    }

    /// Every change of state ends the waits that belonged to the one before. What is still wanted is set afterwards;
    /// an ack is still wanted whatever the state, and so is an announcement.
    fn enter(&mut self, at: Reading, state: State, reason: Option<Reason>, code: Option<u16>) {
        for purpose in [Purpose::State, Purpose::Pump, Purpose::Probe, Purpose::Recovery] {
            self.deadlines.clear(purpose);
        }
        if state != State::Pairing {
            self.pairing = None;
        }
        self.state = state;
        self.since = at.wall;
        self.up_since = at.now;
        self.reason = reason;
        self.code = code;
    }

    /// What people are to see and have not been told. Before the first recall there is no right to tell it.
    fn unannounced(&mut self, at: Reading) -> Option<StatusChange> {
        let restricted = self.reconnect.standing().restriction(at.wall).map(|limit| limit.until);
        let shown = (self.status(), self.reason, restricted);
        if !self.recalled || self.announced == Some(shown) {
            return None;
        }
        self.announced = Some(shown);
        Some(StatusChange { status: shown.0, reason: self.reason, code: self.code, since: self.since })
    }

    fn announcement_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        if answer.is_err() {
            self.deadlines.set(Purpose::Announce, at.now + STORE_PAUSE);
        }
        vec![]
    }
}

/// Losing the link, and noticing it.
impl Machine {
    fn closed(&mut self, at: Reading, reason: CloseReason) -> Vec<Effect> {
        let was = self.state;
        let before = self.reconnect.standing();
        if was == State::Connected {
            self.reconnect.held_for(at.now.since(self.up_since));
        }
        let verdict = self.reconnect.judge(at, reason, was == State::Pairing);
        let (word, code) = (reason.reason(), reason.code());
        let mut effects = match verdict {
            Verdict::Again { after, .. } => {
                self.enter(at, State::Reconnecting, Some(word), code);
                self.deadlines.set(Purpose::State, at.now + after);
                vec![Effect::Close]
            }
            Verdict::Park => {
                let mut effects = self.park(at, word, code, self.reconnect.ban_ends(at));
                effects.push(Effect::Close);
                effects
            }
            Verdict::LogOut => {
                self.enter(at, State::LoggedOut, Some(word), code);
                vec![Effect::Close, Effect::LogOut { tell: false }]
            }
        };
        if self.reconnect.standing() != before {
            effects.push(Effect::Remember(self.reconnect.standing()));
        }
        effects
    }

    /// Nothing brings the session back but a person or, after a ban, its end.
    fn park(&mut self, at: Reading, reason: Reason, code: Option<u16>, until: Option<Moment>) -> Vec<Effect> {
        self.enter(at, State::Parked, Some(reason), code);
        if let Some(until) = until {
            self.deadlines.set(Purpose::State, until);
        }
        vec![]
    }

    fn probe_in(&mut self, at: Reading, wait: Duration) {
        let due = at.now + self.jitter.spread(wait, 0.1);
        self.health.expect(due);
        self.deadlines.set(Purpose::Probe, due);
    }

    fn pinged(&mut self, at: Reading, answer: Option<Duration>) -> Vec<Effect> {
        let head_age = self.dispatch.head_age(at.now);
        match self.health.conclude(at.now, answer, head_age) {
            health::Verdict::Well => self.probe_in(at, health::EVERY),
            health::Verdict::Miss => self.probe_in(at, health::AGAIN),
            health::Verdict::Reconnect => return self.closed(at, CloseReason::ProbeFailed),
        }
        vec![]
    }
}

/// Moving messages.
impl Machine {
    fn ring(&mut self, at: Reading) -> Vec<Effect> {
        self.dispatch.ring();
        self.pump(at)
    }

    fn pump(&mut self, at: Reading) -> Vec<Effect> {
        if self.state != State::Connected {
            return vec![];
        }
        let locked = self.reconnect.standing().timelock_until.filter(|&until| until > at.wall);
        let (effects, look_again) = self.dispatch.pump(at, locked);
        match look_again {
            Some(moment) => self.deadlines.set(Purpose::Pump, moment),
            None => self.deadlines.clear(Purpose::Pump),
        }
        effects
    }

    fn read(&mut self, at: Reading, answer: Result<Vec<Pending>, StoreError>) -> Vec<Effect> {
        match self.dispatch.read(at, answer) {
            Some(later) if self.state == State::Connected => {
                self.deadlines.set(Purpose::Pump, later);
                vec![]
            }
            _ => self.pump(at),
        }
    }

    fn claimed(&mut self, at: Reading, answer: Result<Claimed, ClaimError>) -> Vec<Effect> {
        let open = self.state == State::Connected;
        let mut effects = self.dispatch.claimed(at, answer, open);
        effects.extend(self.pump(at));
        effects.extend(self.leave_if_done(at));
        effects
    }

    fn ended(&mut self, at: Reading, message: MessageId, end: End) -> Vec<Effect> {
        if let Some(limit) = self.dispatch.ended(at, message, end) {
            self.deadlines.set(Purpose::Ack, limit);
        }
        let mut effects = self.acks_overdue(at.now);
        effects.extend(self.pump(at));
        effects.extend(self.leave_if_done(at));
        effects
    }

    fn leave_if_done(&mut self, at: Reading) -> Vec<Effect> {
        match self.state {
            State::Stopping if self.dispatch.on_the_wire() == 0 => self.leave(at),
            _ => vec![],
        }
    }

    fn heard(&mut self, at: Reading, wa_id: Option<WaId>) -> Vec<Effect> {
        self.health.frame(at.now);
        if let Some(wa_id) = wa_id {
            self.dispatch.heard(at, &wa_id);
        }
        self.pump(at)
    }

    fn acks_overdue(&mut self, now: Moment) -> Vec<Effect> {
        let (effects, next) = self.dispatch.overdue(now);
        match next {
            Some(limit) => self.deadlines.set(Purpose::Ack, limit),
            None => self.deadlines.clear(Purpose::Ack),
        }
        effects
    }

    fn given_up(&mut self, at: Reading, message: MessageId, done: bool) -> Vec<Effect> {
        if let Some(retry) = self.dispatch.given_up(at, message, done) {
            self.deadlines.set(Purpose::Ack, retry);
        }
        self.pump(at)
    }

    fn recovery_over(&mut self, at: Reading, answer: Result<(), StoreError>) -> Vec<Effect> {
        match answer {
            Ok(()) => {
                self.recovered = true;
                self.dispatch.reread();
                self.pump(at)
            }
            Err(_) => {
                if self.state == State::Connected {
                    self.deadlines.set(Purpose::Recovery, at.now + STORE_PAUSE);
                }
                vec![]
            }
        }
    }
}
