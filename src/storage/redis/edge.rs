//! One budget for a caller of several processes, in Redis. A process takes a share of it and spends that without asking;
//! what it has not spent a second later it lets go. So no more than the budget is ever granted, at one question for many
//! requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::keys;
use super::line::{Away, Redis};
use super::nodes::Nodes;
use super::script::{Call, Script, script};
use crate::domain::time::Moment;
use crate::ports::clock::Clock;
use crate::ports::edge::{EdgeBudget, Rate};

static TAKE: Script = script!("lua/edge.lua");

/// A share is this part of what may be done at once, and at most [`LARGEST`].
const PART: u32 = 32;
const LARGEST: u32 = 64;
/// How long a share may be spent.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Beyond so many shares those that are no good any more are cleared out.
const CLEAR_AT: usize = 10_000;

#[derive(Default)]
struct Share {
    left: u32,
    until: Moment,
}

/// Held while Redis is asked: of a caller's requests one asks, and the others wait for what it gets.
type Held = Arc<tokio::sync::Mutex<Share>>;

/// Budgets in Redis. While this process is alone, or Redis is away, nothing is asked.
pub struct RedisEdge {
    redis: Redis,
    nodes: Arc<Nodes>,
    clock: Arc<dyn Clock>,
    shares: Mutex<HashMap<String, Held>>,
}

impl RedisEdge {
    /// No shares yet.
    pub fn new(redis: Redis, nodes: Arc<Nodes>, clock: Arc<dyn Clock>) -> Self {
        Self { redis, nodes, clock, shares: Mutex::default() }
    }

    fn share_of(&self, caller: &str) -> Held {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.len() >= CLEAR_AT {
            let now = self.clock.now();
            shares.retain(|_, share| share.try_lock().map_or(true, |share| share.until > now));
        }
        match shares.get(caller) {
            Some(share) => Arc::clone(share),
            None => Arc::clone(shares.entry(caller.to_owned()).or_default()),
        }
    }
}

#[async_trait]
impl EdgeBudget for RedisEdge {
    async fn take(&self, caller: &str, rate: Rate) -> Result<(), Duration> {
        if self.nodes.count() < 2 {
            return Ok(());
        }
        let share = self.share_of(caller);
        let mut share = share.lock().await;
        let now = self.clock.now();
        if share.left > 0 && share.until > now {
            share.left -= 1;
            return Ok(());
        }
        let wanted = (rate.burst / PART).clamp(1, LARGEST);
        let key = keys::of_caller(caller);
        let values = [rate.every.as_micros().max(1), rate.burst.into(), wanted.into()];
        let call = Call { keys: vec![key.name], values: values.map(|value: u128| value.to_string()).into() };
        match self.redis.script(key.shard, &TAKE, call).await {
            Ok((0, wait)) => Err(Duration::from_micros(wait)),
            Ok((granted, _)) => {
                let granted: u32 = granted;
                *share = Share { left: granted - 1, until: now + GOOD_FOR };
                Ok(())
            }
            Err(Away) => Ok(()),
        }
    }
}
