//! The simulated network in process: accounts, links, frames, and what is owed to whom.
//!
//! Everything happens under one lock, held for microseconds and never across an await; the longest thing done under it
//! is one append to the journal. There are no background tasks: an open link looks for what is due when it is polled.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::time::{Instant, sleep, sleep_until};

use super::codes;
use super::faults::Trouble;
use super::journal::{self, Journal, OpenError, Record, Written};
use super::latency::Latency;
use super::link::{Bell, Link, LinkEnd, Look};
use super::member::{Delivery, Member, Parcel, TokenHash};
use super::recipients::Answer;
use super::wire::{Caller, Hello, MAX_FRAMES, MAX_WA_ID, Outgoing, Wire, WireEvent};
use crate::domain::id::SessionId;
use crate::domain::message::{Letter, WaId};
use crate::domain::session::CloseReason;
use crate::domain::time::WallTime;
use crate::ports::clock::Clock;
use crate::ports::sandbox::{Frame, SandboxError, SandboxFault};
use crate::ports::transport::{PairingCode, SendError, TransportError};

/// The simulated network. What it has answered survives the death of its process.
pub struct Network {
    clock: Arc<dyn Clock>,
    latency: Latency,
    frames: Arc<File>,
    state: Mutex<State>,
}

struct State {
    journal: Journal,
    members: HashMap<SessionId, Member>,
    links: HashMap<u64, Link>,
    last_link: u64,
    last_frame: u64,
    last_inbound: u64,
}

impl Network {
    /// Opens the network kept in `dir`, or begins one there.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, latency: Latency) -> Result<Arc<Self>, OpenError> {
        let (mut members, mut last_frame, mut last_inbound) = (HashMap::new(), 0, 0);
        let journal = Journal::open(dir, |record, offset| match record {
            Record::Account { session, token_sha256, .. } => {
                member(&mut members, session).pair(TokenHash::from_hex(&token_sha256));
            }
            Record::Unlinked { session, .. } => member(&mut members, session).unlink(),
            Record::Frame(frame) => {
                last_frame = frame.seq;
                let member = member(&mut members, frame.session);
                if let Answer::Ack(receipts) = member.receive(&frame, offset, latency.lock) {
                    for delivery in receipts.deliveries(frame.seq) {
                        member.owe(delivery, None, Parcel::Receipt { wa_id: frame.wa_id.clone() });
                    }
                }
            }
            Record::Inbound(written) => {
                last_inbound = written.number;
                let (session, delivery) = (written.session, Delivery::Inbound(written.number));
                let parcel = Parcel::Inbound { letter: Box::new(written.letter()) };
                member(&mut members, session).owe(delivery, None, parcel);
            }
            Record::Confirmed { session, delivery } => {
                if let Ok(delivery) = delivery.parse() {
                    member(&mut members, session).owed.remove(&delivery);
                }
            }
        })?;
        let frames = journal.reader();
        let links = HashMap::new();
        let state = State { journal, members, links, last_link: 0, last_frame, last_inbound };
        Ok(Arc::new(Self { clock, latency, frames, state: Mutex::new(state) }))
    }

    /// Opens a link in place of the session's older one.
    pub fn link(self: &Arc<Self>, hello: Hello) -> OpenLink {
        let mut state = self.lock();
        let (id, bell) = state.open(hello, self.clock.wall());
        OpenLink { network: Arc::clone(self), id, bell }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No fact is applied by halves: a panic under the lock leaves at worst one that was logged and not applied.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the link has to say; `None` after its last word.
    fn look(&self, id: u64) -> Option<Look> {
        let state = &mut *self.lock();
        let link = state.links.get_mut(&id)?;
        let member = state.members.entry(link.caller.session).or_default();
        let look = link.look(Instant::now(), self.clock.wall(), &member.owed, &self.latency);
        if matches!(look, Look::Event(WireEvent::Closed(_))) {
            state.hang_up(id);
        }
        Some(look)
    }

    /// Waits for `answer_in`, unless the link ends first; whether it did not.
    async fn answered(&self, answer_in: Duration, mut end: LinkEnd) -> bool {
        if answer_in.is_zero() {
            return true;
        }
        tokio::select! {
            () = sleep(answer_in) => true,
            () = end.reached() => false,
        }
    }

    /// Runs `work` on the caller's open link. A half-open one answers nothing until it ends.
    async fn on_link<T>(
        &self,
        caller: Caller,
        work: impl FnOnce(&mut State, u64) -> Result<T, TransportError>,
    ) -> Result<T, TransportError> {
        let mut end = {
            let state = &mut *self.lock();
            let id = state.link_of(caller).ok_or(TransportError::NoLink)?;
            match state.links.get(&id) {
                Some(link) if link.is_mute() => link.end(),
                _ => return work(state, id),
            }
        };
        end.reached().await;
        Err(TransportError::NoLink)
    }
}

fn member(members: &mut HashMap<SessionId, Member>, session: SessionId) -> &mut Member {
    members.entry(session).or_default()
}

impl State {
    fn open(&mut self, hello: Hello, wall: WallTime) -> (u64, Bell) {
        let caller = hello.caller;
        self.last_link += 1;
        let id = self.last_link;
        self.close(caller.session, CloseReason::Replaced);
        let member = self.members.entry(caller.session).or_default();
        let known = |token| member.account == Some(TokenHash::of(token));
        let link = match (member.banned_until.filter(|until| wall < *until), &hello.token) {
            (Some(until), _) => Link::refused(caller, CloseReason::Banned { until }),
            (None, None) => Link::pairing(caller),
            (None, Some(token)) if known(token) => Link::live(caller, &member.owed),
            (None, Some(_)) => Link::refused(caller, CloseReason::LoggedOut { code: 401 }),
        };
        member.link = (!link.is_over()).then_some(id);
        let bell = link.bell();
        self.links.insert(id, link);
        (id, bell)
    }

    /// The link a caller holds, if it is open.
    fn link_of(&self, caller: Caller) -> Option<u64> {
        let id = self.members.get(&caller.session)?.link?;
        self.links.get(&id).filter(|link| link.caller == caller).map(|_| id)
    }

    /// Whether messages and requests pass on a link.
    fn live(&self, id: u64) -> Result<&Link, TransportError> {
        self.links.get(&id).filter(|link| link.is_live()).ok_or(TransportError::NoLink)
    }

    /// The session's open link, whoever holds it.
    fn open_link(&mut self, session: SessionId) -> Option<&mut Link> {
        let id = self.members.get(&session)?.link?;
        self.links.get_mut(&id)
    }

    /// Closes the session's link, if one is open; it stays until its last word is heard or it is dropped.
    fn close(&mut self, session: SessionId, reason: CloseReason) {
        let open = self.members.get_mut(&session).and_then(|member| member.link.take());
        if let Some(link) = open.and_then(|id| self.links.get_mut(&id)) {
            link.close(reason);
        }
    }

    /// Forgets a link.
    fn hang_up(&mut self, id: u64) {
        let Some(link) = self.links.remove(&id) else { return };
        if let Some(member) = self.members.get_mut(&link.caller.session)
            && member.link == Some(id)
        {
            member.link = None;
        }
    }

    /// Owes a delivery and tells the open link, if any.
    fn owe(&mut self, session: SessionId, delivery: Delivery, due: Option<Instant>, parcel: Parcel) {
        self.members.entry(session).or_default().owe(delivery, due, parcel);
        if let Some(link) = self.open_link(session) {
            link.expect(delivery, due);
        }
    }

    fn append(&mut self, record: &Record) -> Result<journal::Offset, Full> {
        self.journal.append(record).map_err(|error| {
            tracing::error!(%error, "the sandbox journal cannot be written");
            Full
        })
    }

    /// Receives a frame on a live link: logs it, judges it, owes its receipts.
    fn receive(&mut self, frame: Frame, latency: &Latency) -> Result<Answer, Full> {
        let offset = self.append(&Record::Frame(frame.clone()))?;
        self.last_frame = frame.seq;
        let answer = member(&mut self.members, frame.session).receive(&frame, offset, latency.lock);
        if let Answer::Ack(receipts) = answer {
            let now = Instant::now();
            for delivery in receipts.deliveries(frame.seq) {
                let after = match delivery {
                    Delivery::Read(_) => latency.read,
                    Delivery::Delivered(_) | Delivery::Inbound(_) => latency.delivered,
                };
                let parcel = Parcel::Receipt { wa_id: frame.wa_id.clone() };
                self.owe(frame.session, delivery, Some(now + after), parcel);
            }
        }
        Ok(answer)
    }

    /// Forgets a session's account and closes its link.
    fn unlink(&mut self, session: SessionId, at: WallTime) -> Result<(), Full> {
        self.append(&Record::Unlinked { at, session })?;
        member(&mut self.members, session).unlink();
        self.close(session, CloseReason::LoggedOut { code: 401 });
        Ok(())
    }
}

/// The journal takes nothing more.
#[derive(Debug)]
struct Full;

impl From<Full> for TransportError {
    fn from(_: Full) -> Self {
        Self::NoLink
    }
}

impl From<Full> for SandboxError {
    fn from(_: Full) -> Self {
        Self::Unreachable
    }
}

/// A link as its holder has it. Dropping it closes it at once.
pub struct OpenLink {
    network: Arc<Network>,
    id: u64,
    bell: Bell,
}

impl OpenLink {
    /// The next thing the network says; `None` after its last word. May be dropped and asked again: nothing is lost.
    pub async fn next(&mut self) -> Option<WireEvent> {
        loop {
            match self.network.look(self.id)? {
                Look::Event(event) => return Some(event),
                Look::Quiet(None) => self.bell.rung().await,
                Look::Quiet(Some(at)) => {
                    // Apart: an idle link needs no room for a timer.
                    let late = Box::pin(sleep_until(at));
                    tokio::select! {
                        () = self.bell.rung() => {}
                        () = late => {}
                    }
                }
            }
        }
    }
}

impl Drop for OpenLink {
    fn drop(&mut self) {
        self.network.lock().hang_up(self.id);
    }
}

/// A link that opens when it is first listened to.
enum Door {
    Shut(Arc<Network>, Hello),
    Open(OpenLink),
}

#[async_trait]
impl Wire for Network {
    fn open(self: Arc<Self>, hello: Hello) -> BoxStream<'static, WireEvent> {
        let events = stream::unfold(Door::Shut(self, hello), |door| async move {
            let mut link = match door {
                Door::Shut(network, hello) => network.link(hello),
                Door::Open(link) => link,
            };
            let event = link.next().await?;
            Some((event, Door::Open(link)))
        });
        events.boxed()
    }

    async fn send(&self, frame: Outgoing) -> Result<(), SendError> {
        let Outgoing { caller, wa_id, to } = frame;
        if wa_id.0.is_empty() || wa_id.0.len() > MAX_WA_ID {
            return Err(SendError::Nack { code: 400, until: None });
        }
        let (answer, mut end) = {
            let state = &mut *self.lock();
            let id = state.link_of(caller).ok_or(SendError::NoLink)?;
            let link = state.live(id).map_err(|_| SendError::NoLink)?;
            let (end, mute) = (link.end(), link.is_mute());
            let seq = state.last_frame + 1;
            let (session, epoch) = (caller.session, caller.epoch);
            let answer = match mute {
                true => Answer::Silence,
                false => state
                    .receive(Frame { seq, at: self.clock.wall(), session, wa_id, to, epoch }, &self.latency)
                    .map_err(|Full| SendError::Nack { code: 503, until: None })?,
            };
            (answer, end)
        };
        let said = match answer {
            Answer::Ack(_) => Ok(()),
            Answer::Nack { code, until } => Err(SendError::Nack { code, until }),
            Answer::Silence => {
                end.reached().await;
                return Err(SendError::NoAck);
            }
        };
        if self.answered(self.latency.ack, end).await { said } else { Err(SendError::NoAck) }
    }

    async fn ping(&self, caller: Caller) -> Result<(), TransportError> {
        let end = self.on_link(caller, |state, id| state.live(id).map(Link::end)).await?;
        if self.answered(self.latency.ack, end).await { Ok(()) } else { Err(TransportError::NoLink) }
    }

    async fn confirm(&self, caller: Caller, delivery: String) -> Result<(), TransportError> {
        let session = caller.session;
        let confirmed = self.on_link(caller, |state, id| {
            state.live(id)?;
            // A name we never gave is owed no more than one that was confirmed.
            let Ok(name) = delivery.parse::<Delivery>() else { return Ok(()) };
            if member(&mut state.members, session).owed.contains_key(&name) {
                state.append(&Record::Confirmed { session, delivery })?;
                member(&mut state.members, session).owed.remove(&name);
            }
            Ok(())
        });
        confirmed.await
    }

    async fn pairing_code(&self, caller: Caller) -> Result<PairingCode, TransportError> {
        let issued = self.on_link(caller, |state, id| {
            let link = state.links.get_mut(&id).ok_or(TransportError::NoLink)?;
            link.issue_typed(self.clock.wall(), self.latency.typed_code).ok_or(TransportError::NotPairing)
        });
        issued.await
    }

    async fn log_out(&self, caller: Caller) -> Result<(), TransportError> {
        let at = self.clock.wall();
        let unlinked = self.on_link(caller, |state, id| {
            state.live(id)?;
            Ok(state.unlink(caller.session, at)?)
        });
        unlinked.await
    }

    async fn find_code(&self, code: String) -> Result<Option<SessionId>, SandboxError> {
        let at = self.clock.wall();
        let state = self.lock();
        let found = state.links.values().find(|link| link.shows(&code, at));
        Ok(found.map(|link| link.caller.session))
    }

    async fn scan(&self, code: String) -> Result<SessionId, SandboxError> {
        let at = self.clock.wall();
        let state = &mut *self.lock();
        let found = state.links.values().find(|link| link.shows(&code, at));
        let session = found.map(|link| link.caller.session).ok_or(SandboxError::NoSuchCode)?;
        let token = codes::token();
        let account = TokenHash::of(&token);
        state.append(&Record::Account { at, session, token_sha256: account.to_hex() })?;
        member(&mut state.members, session).pair(Some(account));
        if let Some(link) = state.open_link(session) {
            link.say(WireEvent::Paired { token });
        }
        // The network hangs up after pairing, and the device logs in with what it got.
        state.close(session, CloseReason::RestartRequired);
        Ok(session)
    }

    async fn write(&self, session: SessionId, letter: Letter) -> Result<WaId, SandboxError> {
        let at = self.clock.wall();
        let state = &mut *self.lock();
        let paired = state.members.get(&session).is_some_and(|member| member.account.is_some());
        if !paired {
            return Err(SandboxError::NotPaired);
        }
        let number = state.last_inbound + 1;
        state.append(&Record::Inbound(Written::new(at, session, number, &letter)))?;
        state.last_inbound = number;
        let wa_id = letter.wa_id.clone();
        state.owe(session, Delivery::Inbound(number), None, Parcel::Inbound { letter: Box::new(letter) });
        Ok(wa_id)
    }

    async fn fault(&self, session: SessionId, fault: SandboxFault) -> Result<(), SandboxError> {
        let at = self.clock.wall();
        let state = &mut *self.lock();
        let paired = state.members.get(&session).is_some_and(|member| member.account.is_some());
        let linked = state.open_link(session).is_some();
        match Trouble::of(fault, at) {
            Trouble::Elsewhere => {}
            Trouble::Unlink if !paired => return Err(SandboxError::NotPaired),
            Trouble::Unlink => state.unlink(session, at)?,
            Trouble::Ban { .. } if !paired && !linked => return Err(SandboxError::NotPaired),
            Trouble::Ban { until } => {
                member(&mut state.members, session).banned_until = Some(until);
                state.close(session, CloseReason::Banned { until });
            }
            _ if !linked => return Err(SandboxError::NoLink),
            Trouble::Close(reason) => state.close(session, reason),
            Trouble::Timelock { until } => {
                if let Some(link) = state.open_link(session) {
                    link.say(WireEvent::Timelocked { until });
                }
            }
            Trouble::NewChatsUsedUp { until } => {
                if let Some(link) = state.open_link(session) {
                    link.say(WireEvent::NewChatsUsedUp { until });
                }
            }
            Trouble::Mute => {
                if let Some(link) = state.open_link(session) {
                    link.mute();
                }
            }
        }
        Ok(())
    }

    async fn frames(&self, session: SessionId, after: u64, limit: u32) -> Result<Vec<Frame>, SandboxError> {
        let offsets = match self.lock().members.get(&session) {
            Some(member) => member.frames(after, limit.min(MAX_FRAMES) as usize),
            None => return Ok(vec![]),
        };
        let file = Arc::clone(&self.frames);
        let read = tokio::task::spawn_blocking(move || {
            offsets.into_iter().map(|offset| journal::read_frame(&file, offset)).collect()
        });
        let frames: std::io::Result<Vec<Frame>> = read.await.map_err(|_| SandboxError::Unreachable)?;
        frames.map_err(|error| {
            tracing::error!(%error, "the sandbox journal cannot be read");
            SandboxError::Unreachable
        })
    }
}
