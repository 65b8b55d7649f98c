//! A network that says and answers what a test has written down, and notes everything it is told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use columba::domain::chat::Chat;
use columba::domain::id::{MessageId, SessionId};
use columba::domain::message::{ReceiptKind, WaId};
use columba::domain::phone::Phone;
use columba::domain::proxy::Proxy;
use columba::domain::session::{CloseReason, Lease};
use columba::domain::time::Moment;
use columba::ports::clock::Clock;
use columba::ports::outbox::Work;
use columba::ports::transport::{
    DeliveryId, LinkEvent, PairingCode, Probe, SendError, Transport, TransportError,
};
use columba::ports::vault::Vault;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::support::tokio_clock::TokioClock;

/// One frame that reached the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub lease: Lease,
    pub message: MessageId,
    pub number: u32,
    pub wa_id: WaId,
    pub to: Chat,
    pub at: Moment,
}

/// How the network answers one frame.
#[derive(Debug, Clone)]
pub enum Answer {
    /// At once.
    Says(Result<(), SendError>),
    /// After a while.
    Later(Duration, Result<(), SendError>),
    /// Not at all.
    Never,
    /// The engine's own code panics.
    Panics,
}

impl Answer {
    pub fn nack(code: u16) -> Self {
        Self::Says(Err(SendError::Nack { code, until: None }))
    }
}

/// What happened to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkNews {
    Opened(Lease),
    /// Its stream was dropped.
    Dropped(Lease),
}

enum Word {
    Event(LinkEvent),
    Panic,
}

#[derive(Default)]
struct Script {
    openings: VecDeque<Vec<LinkEvent>>,
    answers: VecDeque<Answer>,
    link: Option<Link>,
    links: u64,
    /// What each link was to go through.
    ways: Vec<Option<Proxy>>,
    /// Half open: pings are not answered.
    deaf: bool,
    pings: usize,
}

struct Link {
    lease: Lease,
    number: u64,
    words: UnboundedSender<Word>,
}

type Scripts = Arc<Mutex<HashMap<SessionId, Script>>>;

/// A network that does what its script says: by default a link connects and catches up at once, and every frame is acked.
pub struct ScriptedTransport {
    scripts: Scripts,
    clock: Arc<TokioClock>,
    frames: UnboundedSender<Frame>,
    news: UnboundedSender<LinkNews>,
    confirmed: Mutex<Vec<DeliveryId>>,
    logged_out: Mutex<Vec<SessionId>>,
    /// Numbers without an account.
    absent: Mutex<HashSet<Phone>>,
    /// Numbers that were asked for; nobody is answered while it is `mute`.
    asked: Mutex<Vec<Phone>>,
    mute: AtomicBool,
}

/// Tells of the end of a link, and ends it at the network.
struct LinkGuard {
    lease: Lease,
    number: u64,
    scripts: Scripts,
    news: UnboundedSender<LinkNews>,
}

impl Drop for LinkGuard {
    fn drop(&mut self) {
        if let Some(script) = self.scripts.lock().unwrap().get_mut(&self.lease.session)
            && script.link.as_ref().is_some_and(|link| link.number == self.number)
        {
            script.link = None;
        }
        self.news.send(LinkNews::Dropped(self.lease)).ok();
    }
}

impl ScriptedTransport {
    /// From now on this number has no account.
    pub fn leaves(&self, phone: &str) {
        self.absent.lock().unwrap().insert(Phone::parse(phone).unwrap());
    }

    /// Whether numbers that are asked for are answered.
    pub fn tells_of_numbers(&self, tells: bool) {
        self.mute.store(!tells, Ordering::SeqCst);
    }

    /// Numbers that were asked for since the last call.
    pub fn asked_for(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
            .iter()
            .map(|phone| phone.as_str().to_owned())
            .collect()
    }

    pub fn new(clock: Arc<TokioClock>) -> (Arc<Self>, UnboundedReceiver<Frame>, UnboundedReceiver<LinkNews>) {
        let (frames, sent) = mpsc::unbounded_channel();
        let (news, heard) = mpsc::unbounded_channel();
        let (scripts, confirmed, logged_out, absent, asked, mute) = Default::default();
        let network = Self { scripts, clock, frames, news, confirmed, logged_out, absent, asked, mute };
        (Arc::new(network), sent, heard)
    }

    fn script<T>(&self, session: SessionId, change: impl FnOnce(&mut Script) -> T) -> T {
        change(self.scripts.lock().unwrap().entry(session).or_default())
    }

    /// The next link of the session begins with `events`.
    pub fn opens_with(&self, session: SessionId, events: impl IntoIterator<Item = LinkEvent>) {
        let events = events.into_iter().collect();
        self.script(session, |script| script.openings.push_back(events));
    }

    /// What the session's links were to go through, since the last call.
    pub fn ways(&self, session: SessionId) -> Vec<Option<Proxy>> {
        self.script(session, |script| std::mem::take(&mut script.ways))
    }

    /// The next frames of the session get these answers, one each.
    pub fn answers(&self, session: SessionId, answers: impl IntoIterator<Item = Answer>) {
        self.script(session, |script| script.answers.extend(answers));
    }

    /// From now on the session's pings are not answered, whatever link it opens; or they are again.
    pub fn deafen(&self, session: SessionId, deaf: bool) {
        self.script(session, |script| script.deaf = deaf);
    }

    /// How many links the session has opened, and how many pings it has sent.
    pub fn asked(&self, session: SessionId) -> (u64, usize) {
        self.script(session, |script| (script.links, script.pings))
    }

    /// The session's link reports `event`.
    pub fn say(&self, session: SessionId, event: LinkEvent) {
        self.word(session, Word::Event(event));
    }

    /// The session's link panics as it is polled.
    pub fn panic(&self, session: SessionId) {
        self.word(session, Word::Panic);
    }

    fn word(&self, session: SessionId, word: Word) {
        self.script(session, |script| {
            let link = script.link.as_ref().expect("a link is open");
            assert!(link.words.send(word).is_ok(), "the link is listened to");
        });
    }

    /// The network ends the session's link.
    pub fn hang_up(&self, session: SessionId, reason: CloseReason) {
        self.say(session, LinkEvent::Closed(reason));
        self.script(session, |script| script.link = None);
    }

    /// A receipt arrives.
    pub fn receipt(&self, session: SessionId, delivery: &str, wa_id: &WaId, kind: ReceiptKind) {
        let delivery = DeliveryId(delivery.to_owned());
        self.say(session, LinkEvent::Receipt { delivery, wa_id: wa_id.clone(), kind });
    }

    /// What was confirmed, in order.
    pub fn confirmed(&self) -> Vec<String> {
        self.confirmed.lock().unwrap().iter().map(|delivery| delivery.0.clone()).collect()
    }

    /// Who has logged out, in order.
    pub fn logged_out(&self) -> Vec<SessionId> {
        self.logged_out.lock().unwrap().clone()
    }

    fn is_open(&self, lease: Lease) -> bool {
        self.script(lease.session, |script| script.link.as_ref().is_some_and(|link| link.lease == lease))
    }
}

#[async_trait]
impl Probe for ScriptedTransport {
    async fn ping(&self, lease: Lease) -> Result<Duration, TransportError> {
        let deaf = self.script(lease.session, |script| {
            script.pings += 1;
            script.deaf
        });
        if deaf {
            return std::future::pending().await;
        }
        if self.is_open(lease) { Ok(Duration::ZERO) } else { Err(TransportError::NoLink) }
    }
}

#[async_trait]
impl Transport for ScriptedTransport {
    fn open(&self, lease: Lease, _: Arc<dyn Vault>, proxy: Option<Proxy>) -> BoxStream<'static, LinkEvent> {
        let (words, heard) = mpsc::unbounded_channel();
        let number = self.script(lease.session, |script| {
            let usual = || vec![LinkEvent::Connected, LinkEvent::OfflineSynced];
            for event in script.openings.pop_front().unwrap_or_else(usual) {
                words.send(Word::Event(event)).ok();
            }
            script.links += 1;
            script.ways.push(proxy);
            script.link = Some(Link { lease, number: script.links, words });
            script.links
        });
        self.news.send(LinkNews::Opened(lease)).ok();
        let guard = LinkGuard { lease, number, scripts: self.scripts.clone(), news: self.news.clone() };
        let link = stream::unfold((heard, guard), |(mut heard, guard)| async move {
            match heard.recv().await? {
                Word::Event(event) => Some((event, (heard, guard))),
                Word::Panic => panic!("the test asked for this panic"),
            }
        });
        link.boxed()
    }

    async fn send(&self, work: &Work) -> Result<(), SendError> {
        if !self.is_open(work.lease) {
            return Err(SendError::NoLink);
        }
        let Work { lease, message, number, ref wa_id, ref to, .. } = *work;
        let at = self.clock.now();
        let frame = Frame { lease, message, number, wa_id: wa_id.clone(), to: to.clone(), at };
        self.frames.send(frame).ok();
        match self.script(lease.session, |script| script.answers.pop_front()) {
            None => Ok(()),
            Some(Answer::Says(answer)) => answer,
            Some(Answer::Later(wait, answer)) => {
                tokio::time::sleep(wait).await;
                answer
            }
            Some(Answer::Never) => std::future::pending().await,
            Some(Answer::Panics) => panic!("the test asked for this panic"),
        }
    }

    async fn confirm(&self, _: Lease, delivery: &DeliveryId) -> Result<(), TransportError> {
        self.confirmed.lock().unwrap().push(delivery.clone());
        Ok(())
    }

    async fn has_account(&self, lease: Lease, phone: &Phone) -> Result<bool, TransportError> {
        self.asked.lock().unwrap().push(phone.clone());
        if self.mute.load(Ordering::SeqCst) || !self.is_open(lease) {
            return Err(TransportError::NoLink);
        }
        Ok(!self.absent.lock().unwrap().contains(phone))
    }

    async fn pairing_code(&self, lease: Lease, _: &Phone) -> Result<PairingCode, TransportError> {
        if !self.is_open(lease) {
            return Err(TransportError::NoLink);
        }
        Ok(PairingCode {
            code: "ABCD-EFGH".to_owned(),
            expires_at: self.clock.wall() + Duration::from_secs(60),
        })
    }

    async fn log_out(&self, lease: Lease) -> Result<(), TransportError> {
        self.logged_out.lock().unwrap().push(lease.session);
        Ok(())
    }
}
