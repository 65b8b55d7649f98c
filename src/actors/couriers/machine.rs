//! What one endpoint's courier does next: reads what is due, sends as much at once as it may, waits. Pure; every fact
//! comes in, every deed goes out, and what it knows beyond that is in rows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::domain::id::{DeliveryId, WebhookId};
use crate::domain::time::{Jitter, WallTime};
use crate::domain::webhook::{Attempt, Health, IN_FLIGHT, WebhookReason};
use crate::ports::webhooks::{Parcel, Settled, Work};
use crate::webhooks::verdict::{Answer, TOO_OLD, judge, width};

/// Parcels read at once.
pub const ROOM: u32 = 32;

/// Between two reads while something is at hand: a stream of events is read in batches, a change of settings is seen
/// this late.
pub const PAUSE: Duration = Duration::from_millis(250);

/// Between two reads when the store did not answer.
pub const STORE_PAUSE: Duration = Duration::from_secs(2);

/// What has happened.
#[derive(Debug)]
pub enum Input {
    /// There may be something new.
    Rung,
    /// What was asked for.
    Loaded(Box<Work>),
    /// The endpoint is gone or disabled.
    Closed,
    /// The store did not say.
    NotLoaded,
    /// A request has ended.
    Answered(DeliveryId, Attempt, Answer),
    /// What became of it is on disk.
    Settled(DeliveryId),
    /// What was too old has been given up.
    Buried,
    /// The moment that was asked for has come.
    Due,
    /// The process is to end: nothing new is begun.
    Stop,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Read what is due, besides these.
    Load(Vec<DeliveryId>),
    /// Send it.
    Attempt(Box<Parcel>),
    /// Write it, however often it takes.
    Settle(Box<Settled>),
    /// Give up what was made before then.
    Bury(WallTime),
    /// Disable the endpoint.
    Disable(WebhookReason),
    /// There is nothing left to do; the next ring begins anew.
    End,
}

/// One request under way.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    /// Attempts made before.
    attempts: u32,
    since: WallTime,
}

/// One endpoint's courier.
#[derive(Debug)]
pub struct Machine {
    id: WebhookId,
    health: Health,
    /// Requests it may have under way.
    share: u32,
    queue: VecDeque<Parcel>,
    under_way: BTreeMap<DeliveryId, UnderWay>,
    loading: bool,
    /// Begun or ended since the read under way was asked for: what it answers about them is old.
    touched: BTreeSet<DeliveryId>,
    burying: bool,
    /// Something may have changed since it was read.
    more: bool,
    /// More was due than fits the queue; it is read when that is empty.
    backlog: bool,
    /// Not to be read again before then.
    rests_until: WallTime,
    next_due: Option<WallTime>,
    /// Nothing new is begun: the endpoint is closed, or the process ends.
    closed: bool,
}

impl Machine {
    /// A courier that knows nothing yet.
    pub fn new(id: WebhookId) -> Self {
        Self {
            id,
            health: Health::default(),
            share: 1,
            queue: VecDeque::new(),
            under_way: BTreeMap::new(),
            loading: false,
            touched: BTreeSet::new(),
            burying: false,
            more: false,
            backlog: false,
            rests_until: WallTime(i64::MIN),
            next_due: None,
            closed: false,
        }
    }

    /// Takes a fact; what is to be done about it.
    pub fn on(&mut self, now: WallTime, jitter: Jitter, input: Input) -> Vec<Effect> {
        let mut effects = vec![];
        match input {
            Input::Rung => self.more = true,
            Input::Due => {}
            Input::Loaded(work) => self.loaded(now, *work),
            Input::Closed => self.close(),
            Input::NotLoaded => {
                self.loading = false;
                self.more = true;
                self.rests_until = now + STORE_PAUSE;
            }
            Input::Answered(delivery, attempt, answer) => {
                self.answered(now, jitter, (delivery, attempt, answer), &mut effects);
            }
            Input::Settled(delivery) => {
                self.under_way.remove(&delivery);
                self.touched.insert(delivery);
                // When it is due again is in its row.
                self.more |= self.queue.is_empty();
            }
            Input::Buried => {
                self.burying = false;
                self.more = true;
            }
            Input::Stop => self.close(),
        }
        self.go_on(now, &mut effects);
        effects
    }

    /// When it wants to be woken, if nothing happens before.
    pub fn wake_at(&self, now: WallTime) -> Option<WallTime> {
        if self.closed {
            return None;
        }
        let may_read = (self.more && !self.loading && !self.burying).then(|| self.rests_until.max(now));
        let opens = self.health.open_until.filter(|&until| until > now);
        let waits = match opens {
            // Nothing can be sent before; what is due meanwhile is due then.
            Some(until) if !self.queue.is_empty() || self.backlog => Some(until),
            Some(until) => self.next_due.map(|due| due.max(until)),
            // What is due already waits for a read, not for a moment.
            None => self.next_due.filter(|&due| due > now),
        };
        [may_read, waits].into_iter().flatten().min()
    }

    fn close(&mut self) {
        self.closed = true;
        self.loading = false;
        self.more = false;
        self.backlog = false;
        self.queue.clear();
        self.next_due = None;
    }

    fn loaded(&mut self, now: WallTime, work: Work) {
        self.loading = false;
        if self.closed {
            return;
        }
        self.rests_until = now + PAUSE;
        // The newest word on its health is in memory as long as requests go on.
        if self.under_way.is_empty() && self.touched.is_empty() {
            self.health = work.webhook.health;
        }
        self.share = IN_FLIGHT / work.siblings.clamp(1, IN_FLIGHT);
        let known = |parcel: &Parcel| {
            self.under_way.contains_key(&parcel.delivery) || self.touched.contains(&parcel.delivery)
        };
        self.queue = work.parcels.into_iter().filter(|parcel| !known(parcel)).collect();
        self.backlog = work.more;
        self.more |= !self.touched.is_empty();
        self.next_due = work.next_due;
    }

    fn answered(
        &mut self,
        now: WallTime,
        jitter: Jitter,
        (delivery, attempt, answer): (DeliveryId, Attempt, Answer),
        effects: &mut Vec<Effect>,
    ) {
        let Some(&UnderWay { attempts, since }) = self.under_way.get(&delivery) else { return };
        let verdict = judge(now, jitter, self.health, (attempts + 1, since), answer);
        self.health = verdict.health;
        effects.push(Effect::Settle(Box::new(Settled {
            webhook: self.id,
            health: verdict.health,
            delivery,
            status: verdict.status,
            reason: verdict.reason,
            due_at: verdict.due_at,
            attempt: Attempt { number: attempts + 1, ..attempt },
        })));
        if let Some(reason) = verdict.disable.filter(|_| !self.closed) {
            self.close();
            effects.push(Effect::Disable(reason));
        }
    }

    /// Sends what may be sent, reads what may be read, and ends when there is nothing to wait for.
    fn go_on(&mut self, now: WallTime, effects: &mut Vec<Effect>) {
        while !self.closed && self.under_way.len() < width(now, self.health, self.share) {
            let Some(parcel) = self.queue.pop_front() else { break };
            if now.since(parcel.since) > TOO_OLD {
                if !self.burying {
                    self.burying = true;
                    effects.push(Effect::Bury(now - TOO_OLD));
                }
                continue;
            }
            let under_way = UnderWay { attempts: parcel.attempts, since: parcel.since };
            self.under_way.insert(parcel.delivery, under_way);
            self.touched.insert(parcel.delivery);
            effects.push(Effect::Attempt(Box::new(parcel)));
        }
        if self.closed {
            if self.under_way.is_empty() && !self.burying {
                effects.push(Effect::End);
            }
            return;
        }
        let due = self.queue.is_empty() && (self.backlog || self.next_due.is_some_and(|due| due <= now));
        let rests = self.health.open_until.is_some_and(|until| until > now);
        self.more |= due && !rests;
        let wanted = self.more && now >= self.rests_until;
        // With an empty hand and nothing in the way there is no reason to wait.
        let idle = self.queue.is_empty() && self.more && !rests && self.rests_until <= now + PAUSE;
        if !self.loading && !self.burying && (wanted || idle) {
            self.loading = true;
            self.more = false;
            self.touched.clear();
            effects.push(Effect::Load(self.under_way.keys().copied().collect()));
        }
        let waits = self.loading
            || self.burying
            || self.more
            || self.backlog
            || !self.queue.is_empty()
            || !self.under_way.is_empty()
            || self.next_due.is_some();
        if !waits {
            effects.push(Effect::End);
        }
    }
}
