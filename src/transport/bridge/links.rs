//! What is open on one shard, and what is owed on it. No IO: frames in, facts and frames out.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use columba_bridge_protocol as wire;
use tokio::sync::{mpsc, oneshot};
use wire::{Command, Down, Event, Failure, ReplyOutcome, SessionKey, VaultCall};

use super::desk::Question;
use super::shard::machine::Breach;
use super::words;
use crate::domain::message::WaId;
use crate::domain::session::CloseReason;
use crate::domain::time::{Moment, WallTime};
use crate::ports::transport::{LinkEvent, SendError};

/// A link that has not told by then that it has caught up counts as open all the same.
const OPENING: Duration = Duration::from_secs(60);

/// An event on its way to a session.
pub struct Item {
    /// What the session hears.
    pub event: LinkEvent,
    /// To be confirmed as soon as it was taken: nobody else will.
    pub confirm: Option<u64>,
}

/// One opening of a session, in the order of placing. Its epoch does not tell: the same owner opens again after each link that
/// it lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// The answer to a command.
pub type Answer = Result<wire::Reply, Failure>;

/// One open of one session.
struct Link {
    id: LinkId,
    /// None once nobody listens: what comes now stays unconfirmed, and comes again with the next open.
    events: Option<mpsc::UnboundedSender<Item>>,
    questions: mpsc::Sender<Question>,
    /// Since when it is opening; none once it shows a code or has caught up. What a login brings along is part of it: a
    /// message that kills its bridge comes with every one.
    opening: Option<Moment>,
    next_seq: u64,
    unconfirmed: BTreeSet<u64>,
    /// Messages that were sent and not acked, by their ids.
    sent: HashMap<String, oneshot::Sender<Result<(), SendError>>>,
}

/// A command that was not answered yet.
struct Call {
    session: Option<SessionKey>,
    answer: oneshot::Sender<Answer>,
}

/// Everything that is open on one process.
#[derive(Default)]
pub struct Links {
    open: HashMap<SessionKey, Link>,
    calls: HashMap<u64, Call>,
    last_id: u64,
}

impl Links {
    /// Whether this one is.
    pub fn has(&self, key: &SessionKey) -> bool {
        self.open.contains_key(key)
    }

    /// Which opening of a session is here, if any.
    pub fn of(&self, key: &SessionKey) -> Option<LinkId> {
        self.open.get(key).map(|link| link.id)
    }

    /// A new open of a session.
    pub fn add(
        &mut self,
        key: SessionKey,
        id: LinkId,
        events: mpsc::UnboundedSender<Item>,
        questions: mpsc::Sender<Question>,
        now: Moment,
    ) {
        let link = Link {
            id,
            events: Some(events),
            questions,
            opening: Some(now),
            next_seq: 1,
            unconfirmed: BTreeSet::new(),
            sent: HashMap::new(),
        };
        self.open.insert(key, link);
    }

    /// A command's frame, with the place where its answer goes.
    pub fn call(
        &mut self,
        session: Option<SessionKey>,
        command: Command,
        deadline_ms: u32,
        answer: oneshot::Sender<Answer>,
    ) -> Down {
        self.last_id += 1;
        self.calls.insert(self.last_id, Call { session: session.clone(), answer });
        Down::Command { id: self.last_id, session, deadline_ms, command }
    }

    /// A message is about to be sent on a link: where its ack goes. `false` when there is no such link.
    pub fn expect_ack(
        &mut self,
        key: &SessionKey,
        wa_id: &str,
        ack: oneshot::Sender<Result<(), SendError>>,
    ) -> bool {
        match self.open.get_mut(key) {
            Some(link) if link.events.is_some() => {
                link.sent.insert(wa_id.to_owned(), ack);
                true
            }
            _ => false,
        }
    }

    /// A command was answered.
    pub fn reply(&mut self, id: u64, outcome: ReplyOutcome) {
        // An answer that comes after its deadline finds nobody.
        if let Some(call) = self.calls.remove(&id) {
            let _ = call.answer.send(match outcome {
                ReplyOutcome::Ok(reply) => Ok(reply),
                ReplyOutcome::Error(failure) => Err(failure),
            });
        }
    }

    /// A frame that says these are confirmed; none when the link is gone.
    pub fn confirm(&mut self, key: &SessionKey, id: LinkId, seq: u64) -> Option<Down> {
        let link = self.open.get_mut(key).filter(|link| link.id == id)?;
        link.unconfirmed.remove(&seq).then(|| Down::Confirm { session: key.clone(), seq: vec![seq] })
    }

    /// A question to a vault.
    pub fn question(&mut self, key: &SessionKey, id: u64, call: VaultCall) -> Result<Option<Down>, Breach> {
        let Some(link) = self.open.get(key) else {
            let answer = wire::VaultOutcome::Error(wire::VaultError::NotOpen);
            return Ok(Some(Down::Vault { id, answer }));
        };
        // The desk holds one in its hands besides those that wait.
        link.questions.try_send((id, call)).map(|()| None).map_err(|_| Breach::Window)
    }

    /// Something happened on a session. What is to be confirmed at once, if anything.
    pub fn event(
        &mut self,
        key: &SessionKey,
        seq: u64,
        event: Event,
        wall: WallTime,
    ) -> Result<Option<Down>, Breach> {
        // A link that was given up; what it says comes again, or is about itself.
        let Some(link) = self.open.get_mut(key) else { return Ok(None) };
        if seq != link.next_seq {
            return Err(Breach::Garbage(format!("event {seq} where {} was due", link.next_seq)));
        }
        link.next_seq += 1;
        link.unconfirmed.insert(seq);
        let is_close = matches!(event, Event::Closed { .. });
        if !is_close && link.unconfirmed.len() > wire::WINDOW as usize {
            return Err(Breach::Window);
        }
        let confirmed = link.hear(seq, event, wall);
        let id = link.id;
        let frame = if confirmed { self.confirm(key, id, seq) } else { None };
        if is_close {
            self.open.remove(key);
        }
        Ok(frame)
    }

    /// Nobody listens to this link any more. Its vault is still served, until the bridge has let go.
    pub fn mute(&mut self, key: &SessionKey) {
        if let Some(link) = self.open.get_mut(key) {
            link.events = None;
            link.sent.clear();
        }
    }

    /// The bridge has let go of it.
    pub fn remove(&mut self, key: &SessionKey) {
        self.open.remove(key);
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Events that nobody has confirmed yet, of all sessions.
    pub fn unconfirmed(&self) -> usize {
        self.open.values().map(|link| link.unconfirmed.len()).sum()
    }

    /// Sessions that may be why the process died: those that were opening, and those of which a command was under way.
    pub fn suspects(&self, now: Moment) -> BTreeSet<String> {
        let is_opening = |link: &Link| link.opening.is_some_and(|since| now.since(since) < OPENING);
        let opening = self.open.iter().filter(|(_, link)| is_opening(link)).map(|(key, _)| key);
        let called = self.calls.values().filter_map(|call| call.session.as_ref());
        opening.chain(called).map(|key| key.session.clone()).collect()
    }

    /// The process is gone, or as good as gone.
    pub fn cut(&mut self) {
        for (_, link) in self.open.drain() {
            link.tell(CloseReason::TransportLost);
        }
        self.calls.clear();
    }

    /// Forgets commands whose callers do not wait any more.
    pub fn sweep(&mut self) {
        self.calls.retain(|_, call| !call.answer.is_closed());
        for link in self.open.values_mut() {
            link.sent.retain(|_, ack| !ack.is_closed());
        }
    }
}

impl Link {
    fn tell(self, reason: CloseReason) {
        if let Some(events) = &self.events {
            let _ = events.send(Item { event: LinkEvent::Closed(reason), confirm: None });
        }
    }

    /// Whether it is to be confirmed at once, because nobody has to keep it.
    fn hear(&mut self, seq: u64, event: Event, wall: WallTime) -> bool {
        let id = self.id;
        let delivery = || words::delivery(id, seq);
        if matches!(event, Event::PairingCode { .. } | Event::Passkey { .. } | Event::OfflineSynced) {
            self.opening = None;
        }
        match event {
            Event::PairingCode { code, expires_in_ms } => {
                let expires_at = wall + std::time::Duration::from_millis(expires_in_ms.into());
                self.pass(seq, LinkEvent::PairingCode { code: code.0, expires_at })
            }
            Event::Paired { .. } => self.pass(seq, LinkEvent::Paired),
            Event::Connected => self.pass(seq, LinkEvent::Connected),
            Event::OfflineSynced => self.pass(seq, LinkEvent::OfflineSynced),
            Event::Ack { wa_id, error, until_ms } => self.ack(seq, wa_id, error, until_ms),
            Event::Receipt { wa_id, kind } => self.deliver(LinkEvent::Receipt {
                delivery: delivery(),
                wa_id: WaId(wa_id),
                kind: words::receipt(kind),
            }),
            Event::Inbound(inbound) => {
                let heard = words::heard(*inbound, wall);
                heard.is_none_or(|(letter, handle)| {
                    let letter = Box::new(letter);
                    self.deliver(LinkEvent::Inbound { delivery: delivery(), letter, handle })
                })
            }
            Event::Restricted { kind, until_ms } => {
                let until = words::lock_end(until_ms, wall);
                let event = match kind {
                    wire::RestrictionKind::ReachOut => LinkEvent::Timelocked { until },
                    wire::RestrictionKind::NewChats => LinkEvent::NewChatsUsedUp { until },
                    wire::RestrictionKind::None => LinkEvent::Unrestricted,
                };
                self.pass(seq, event)
            }
            Event::Closed { reason, code, until_ms } => {
                if reason == wire::CloseReason::Untrusted {
                    tracing::error!("the server's certificates are not WhatsApp's; the session parks");
                }
                let reason = words::close_reason(reason, code, until_ms);
                self.sent.clear();
                if let Some(events) = &self.events {
                    let _ = events.send(Item { event: LinkEvent::Closed(reason), confirm: None });
                }
                true
            }
            Event::Passkey { stage, data } => {
                self.pass(seq, LinkEvent::Passkey(words::passkey(stage, data.as_ref())))
            }
            Event::Undecryptable { .. } | Event::Unknown => true,
        }
    }

    /// The attempt that waits settles its own row. Without one this is a late ack, and as good as a receipt.
    fn ack(&mut self, seq: u64, wa_id: String, error: Option<u16>, until_ms: Option<i64>) -> bool {
        let answer = match error {
            None => Ok(()),
            Some(code) => Err(SendError::Nack { code, until: until_ms.map(WallTime) }),
        };
        let untold = match self.sent.remove(&wa_id) {
            Some(waiting) => waiting.send(answer).err(),
            None => Some(answer),
        };
        match untold {
            None | Some(Err(_)) => true,
            Some(Ok(())) => self.deliver(LinkEvent::Receipt {
                delivery: words::delivery(self.id, seq),
                wa_id: WaId(wa_id),
                kind: crate::domain::message::ReceiptKind::Server,
            }),
        }
    }

    /// For the session to confirm. Never confirmed here: unheard, it comes again.
    fn deliver(&self, event: LinkEvent) -> bool {
        if let Some(events) = &self.events {
            let _ = events.send(Item { event, confirm: None });
        }
        false
    }

    /// Confirmed when the session takes it.
    fn pass(&self, seq: u64, event: LinkEvent) -> bool {
        match &self.events {
            Some(events) => events.send(Item { event, confirm: Some(seq) }).is_err(),
            None => true,
        }
    }
}
