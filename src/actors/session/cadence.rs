//! Restraint in volume: messages leave as a person would send them. It only ever adds delay to what the cap allows.

use std::{
    num::NonZeroU32,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, keyed::HashMapStateStore};
use governor::{Quota, RateLimiter};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng};
use rand_distr::LogNormal;

use crate::domain::chat::Chat;
use crate::domain::plan::{Caps, Pacing};
use crate::domain::time::Moment;

/// A contact gets one message per 6 s in the long run, as Meta's pair limit has it.
const PAIR_EVERY: Duration = Duration::from_secs(6);
const PAIR_BURST: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
/// Within the cap a session may be this many messages ahead of an even spacing.
const SESSION_BURST: NonZeroU32 = NonZeroU32::new(3).expect("not zero");
/// Gaps between messages to different people: log-normal around 4 s, never below 1.5 s, never above a minute.
const GAP_MEDIAN_SECS: f64 = 4.0;
const GAP_SIGMA: f64 = 0.5;
const GAP_LEAST_SECS: f64 = 1.5;
const GAP_MOST_SECS: f64 = 60.0;
/// Moments are whole milliseconds and governor counts nanoseconds: what it says is rounded up.
const ROUNDING: Duration = Duration::from_millis(1);
/// Contacts remembered before those that are at rest are forgotten.
const PAIRS_KEPT: usize = 1_000;

/// Shows governor the moment the machine was told. Nobody else's clock is asked.
#[derive(Debug, Clone, Default)]
struct ToldClock(Arc<AtomicU64>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Told(u64);

impl Reference for Told {
    fn duration_since(&self, earlier: Self) -> Nanos {
        Duration::from_millis(self.0.saturating_sub(earlier.0)).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(Duration::from(duration).as_millis() as u64))
    }
}

impl std::ops::Add<Nanos> for Told {
    type Output = Self;

    fn add(self, wait: Nanos) -> Self {
        Self(self.0.saturating_add(Duration::from(wait).as_millis() as u64))
    }
}

impl Clock for ToldClock {
    type Instant = Told;

    fn now(&self) -> Told {
        Told(self.0.load(Ordering::Relaxed))
    }
}

type Evenly = RateLimiter<NotKeyed, InMemoryState, ToldClock, NoOpMiddleware<Told>>;
type PerChat = RateLimiter<Chat, HashMapStateStore<Chat>, ToldClock, NoOpMiddleware<Told>>;

/// The spacing of one session's messages.
pub struct Cadence {
    seed: u64,
    /// Made with the first message that is to be spaced: until then a session is at rest.
    pace: Option<Box<Pace>>,
}

struct Pace {
    clock: ToldClock,
    evenly: Evenly,
    pairs: PerChat,
    gaps: LogNormal<f64>,
    random: SmallRng,
    per_minute: NonZeroU32,
    opens: Moment,
}

impl Cadence {
    /// A session that has been at rest. `seed` decides its gaps.
    pub fn new(seed: u64) -> Self {
        Self { seed, pace: None }
    }

    /// Takes the place of one message on the session, or says when there is one. A place taken and not used only delays.
    pub fn admit(&mut self, caps: &Caps, now: Moment) -> Result<(), Moment> {
        match caps.pacing {
            Pacing::None => Ok(()),
            Pacing::Human => self.pace(caps, now).admit(caps, now),
        }
    }

    /// Takes the place of one message to `chat`, or says when there is one.
    pub fn admit_to(&mut self, caps: &Caps, now: Moment, chat: &Chat) -> Result<(), Moment> {
        match caps.pacing {
            Pacing::None => Ok(()),
            Pacing::Human => self.pace(caps, now).admit_to(now, chat),
        }
    }

    fn pace(&mut self, caps: &Caps, now: Moment) -> &mut Pace {
        let seed = self.seed;
        self.pace.get_or_insert_with(|| Box::new(Pace::new(caps, now, seed)))
    }
}

impl Pace {
    fn new(caps: &Caps, now: Moment, seed: u64) -> Self {
        let clock = ToldClock(Arc::new(AtomicU64::new(now.0)));
        let pair = Quota::with_period(PAIR_EVERY).expect("not zero").allow_burst(PAIR_BURST);
        Self {
            evenly: RateLimiter::direct_with_clock(spacing(caps.per_minute), clock.clone()),
            pairs: RateLimiter::new(pair, HashMapStateStore::default(), clock.clone()),
            clock,
            gaps: LogNormal::new(GAP_MEDIAN_SECS.ln(), GAP_SIGMA).expect("a finite sigma"),
            random: SmallRng::seed_from_u64(seed),
            per_minute: caps.per_minute,
            opens: now,
        }
    }

    fn admit(&mut self, caps: &Caps, now: Moment) -> Result<(), Moment> {
        self.tell(now);
        if caps.per_minute != self.per_minute {
            self.per_minute = caps.per_minute;
            self.evenly = RateLimiter::direct_with_clock(spacing(caps.per_minute), self.clock.clone());
        }
        if self.opens > now {
            return Err(self.opens);
        }
        let asked = self.clock.now();
        self.evenly.check().map_err(|early| now + early.wait_time_from(asked) + ROUNDING)?;
        self.opens = now + self.gap();
        Ok(())
    }

    fn admit_to(&mut self, now: Moment, chat: &Chat) -> Result<(), Moment> {
        self.tell(now);
        if self.pairs.len() > PAIRS_KEPT {
            self.pairs.retain_recent();
            self.pairs.shrink_to_fit();
        }
        let asked = self.clock.now();
        self.pairs.check_key(chat).map_err(|early| now + early.wait_time_from(asked) + ROUNDING)
    }

    /// A clock set back must not reach governor: it would find attempts in its future.
    fn tell(&self, now: Moment) {
        self.clock.0.fetch_max(now.0, Ordering::Relaxed);
    }

    fn gap(&mut self) -> Duration {
        Duration::from_secs_f64(self.random.sample(self.gaps).clamp(GAP_LEAST_SECS, GAP_MOST_SECS))
    }
}

fn spacing(per_minute: NonZeroU32) -> Quota {
    Quota::per_minute(per_minute).allow_burst(SESSION_BURST.min(per_minute))
}
