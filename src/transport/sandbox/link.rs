//! One open link at the network: what it has to say, and when.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::member::{Delivery, Owed};
use super::wire::{Caller, WireEvent};
use super::{codes, latency::Latency};
use crate::domain::session::CloseReason;
use crate::domain::time::WallTime;
use crate::ports::transport::PairingCode;

/// How far a link has come.
#[derive(Debug)]
enum Phase {
    /// Shows codes until a person scans one. Apart, since few links are in it at once.
    Pairing(Box<Screen>),
    /// Logged in.
    Live {
        /// When, which bounds what counts as offline.
        since: Instant,
        /// Whether the end of the offline queue is still to be told.
        syncing: bool,
        /// Owed and not yet told on this link.
        due: BTreeSet<(Option<Instant>, Delivery)>,
    },
    /// Closed by the network; the last words may still wait to be heard.
    Over,
}

/// What a person can scan or type.
#[derive(Debug)]
struct Screen {
    /// The code on the screen.
    shown: Option<PairingCode>,
    /// The code to be typed.
    typed: Option<PairingCode>,
    /// When the next one is shown.
    renew_at: Instant,
}

/// What a look at a link finds.
#[derive(Debug)]
pub(super) enum Look {
    /// Something to say now.
    Event(WireEvent),
    /// Nothing before then, or before the bell rings.
    Quiet(Option<Instant>),
}

/// One open link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) caller: Caller,
    signs: Arc<Signs>,
    /// Half open: hears nothing and says nothing.
    mute: bool,
    phase: Phase,
    said: VecDeque<WireEvent>,
}

/// What a link shows to those who wait for it, without the network's lock.
#[derive(Debug, Default)]
struct Signs {
    /// Rings when there may be something to say earlier than the last look promised.
    bell: Notify,
    /// Rings when the link is over: whoever waits for an answer on it learns that none comes.
    end: Notify,
    over: AtomicBool,
}

impl Signs {
    fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.end.notify_waiters();
    }
}

impl Link {
    fn new(caller: Caller, phase: Phase, said: impl IntoIterator<Item = WireEvent>) -> Self {
        Self { caller, signs: Arc::default(), mute: false, phase, said: said.into_iter().collect() }
    }

    /// A link without a credential.
    pub(super) fn pairing(caller: Caller) -> Self {
        Self::new(
            caller,
            Phase::Pairing(Box::new(Screen { shown: None, typed: None, renew_at: Instant::now() })),
            [],
        )
    }

    /// A link with a good credential.
    pub(super) fn live(caller: Caller, owed: &BTreeMap<Delivery, Owed>) -> Self {
        let due = owed.iter().map(|(delivery, owed)| (owed.due, *delivery)).collect();
        let phase = Phase::Live { since: Instant::now(), syncing: true, due };
        Self::new(caller, phase, [WireEvent::Connected])
    }

    /// A link that is refused.
    pub(super) fn refused(caller: Caller, reason: CloseReason) -> Self {
        let mut link = Self::new(caller, Phase::Over, []);
        link.close(reason);
        link
    }

    /// Whether messages pass.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live { .. })
    }

    /// Whether it was closed, or refused from the start.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether nothing reaches it any more.
    pub(super) fn is_mute(&self) -> bool {
        self.mute
    }

    /// Rings when there may be something to say earlier than the last look promised.
    pub(super) fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.signs))
    }

    /// Ends when the link does.
    pub(super) fn end(&self) -> LinkEnd {
        LinkEnd(Arc::clone(&self.signs))
    }

    /// Says something now.
    pub(super) fn say(&mut self, event: WireEvent) {
        self.said.push_back(event);
        self.signs.bell.notify_one();
    }

    /// Will tell a delivery when it is due.
    pub(super) fn expect(&mut self, delivery: Delivery, at: Option<Instant>) {
        if let Phase::Live { due, .. } = &mut self.phase {
            due.insert((at, delivery));
            self.signs.bell.notify_one();
        }
    }

    /// Says its last word; nothing passes from here on.
    pub(super) fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Over;
        self.signs.end();
        self.say(WireEvent::Closed(reason));
    }

    /// Goes deaf and dumb.
    pub(super) fn mute(&mut self) {
        self.mute = true;
    }

    /// Whether `entered` is a code of this link that still counts.
    pub(super) fn shows(&self, entered: &str, at: WallTime) -> bool {
        let Phase::Pairing(screen) = &self.phase else { return false };
        let Screen { shown, typed, .. } = &**screen;
        let counts = |code: &PairingCode| at < code.expires_at;
        shown.as_ref().is_some_and(|code| counts(code) && code.code == entered)
            || typed.as_ref().is_some_and(|code| counts(code) && codes::is_typed(&code.code, entered))
    }

    /// A new code to be typed; `None` when nobody is waited for.
    pub(super) fn issue_typed(&mut self, at: WallTime, life: Duration) -> Option<PairingCode> {
        let Phase::Pairing(screen) = &mut self.phase else { return None };
        Some(screen.typed.insert(PairingCode { code: codes::typed(), expires_at: at + life }).clone())
    }

    /// What there is to say at `now`. `owed` may have shrunk since it was expected, never grown unannounced.
    pub(super) fn look(
        &mut self,
        now: Instant,
        wall: WallTime,
        owed: &BTreeMap<Delivery, Owed>,
        latency: &Latency,
    ) -> Look {
        if self.mute {
            return Look::Quiet(None);
        }
        if let Some(event) = self.said.pop_front() {
            if self.said.is_empty() {
                self.said = VecDeque::new();
            }
            return Look::Event(event);
        }
        match &mut self.phase {
            Phase::Over => Look::Quiet(None),
            Phase::Pairing(screen) => {
                if now < screen.renew_at {
                    return Look::Quiet(Some(screen.renew_at));
                }
                let life = if screen.shown.is_none() { latency.first_code } else { latency.next_code };
                screen.renew_at = now + life;
                let code = screen.shown.insert(PairingCode { code: codes::qr(), expires_at: wall + life });
                Look::Event(WireEvent::PairingCode { code: code.code.clone(), expires_at: code.expires_at })
            }
            Phase::Live { since, syncing, due } => {
                while let Some((at, delivery)) = due.first().copied() {
                    let horizon = if *syncing { *since } else { now };
                    if at > Some(horizon) {
                        break;
                    }
                    due.pop_first();
                    if let Some(owed) = owed.get(&delivery) {
                        return Look::Event(owed.event(delivery));
                    }
                }
                if std::mem::take(syncing) {
                    return Look::Event(WireEvent::OfflineSynced);
                }
                Look::Quiet(due.first().and_then(|(at, _)| *at))
            }
        }
    }
}

/// Waits for the end of a link.
#[derive(Debug)]
pub(super) struct LinkEnd(Arc<Signs>);

impl LinkEnd {
    /// Returns when the link is over.
    pub(super) async fn reached(&mut self) {
        // Asked for before the look: an end between the two is heard.
        let end = self.0.end.notified();
        if !self.0.over.load(Ordering::SeqCst) {
            end.await;
        }
    }
}

/// Rings for the holder of a link.
#[derive(Debug)]
pub(super) struct Bell(Arc<Signs>);

impl Bell {
    /// Returns when the link may have something to say.
    pub(super) async fn rung(&self) {
        self.0.bell.notified().await;
    }
}

/// However it goes: whoever waits for it must not wait for ever.
impl Drop for Link {
    fn drop(&mut self) {
        self.signs.end();
    }
}
