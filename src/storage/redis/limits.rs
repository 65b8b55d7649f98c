//! The sum of a tenant's attempts, kept in Redis. The database's log of attempts is the truth: a window whose generation
//! Redis does not know is rebuilt from it before anything is sent, and while Redis is away the log is counted instead.
//!
//! Moments are those of this machine's clock. Processes on several machines need one clock for all before they can share a
//! window; here a window of another clock is rebuilt.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;

use super::keys;
use super::line::{Away, Redis};
use super::script::{Call, Script, script};
use crate::domain::session::Lease;
use crate::domain::time::{Moment, Reading};
use crate::domain::window::{KEPT, SPAN};
use crate::ports::limits::TenantWindows;
use crate::ports::outbox::Outbox;
use crate::ports::store::StoreError;
use crate::storage::embedded::limits::{Held, MemoryWindows, PAUSE};

static TAKE: Script = script!("lua/window.lua", "lua/take.lua");
static REBUILD: Script = script!("lua/window.lua", "lua/rebuild.lua");

/// Windows in Redis, over a copy in memory of what this process took: Redis may be gone before it is in the log.
pub struct RedisWindows {
    redis: Redis,
    local: MemoryWindows,
}

/// What a script answers.
enum Answer {
    Taken(Moment),
    Wait(Moment),
    Rebuild,
    Fenced,
}

impl RedisWindows {
    /// Windows over the attempts that `outbox` remembers.
    pub fn new(redis: Redis, outbox: Arc<dyn Outbox>) -> Self {
        Self { redis, local: MemoryWindows::new(outbox) }
    }

    async fn ask(&self, lease: Lease, cap: NonZeroU32, at: Reading) -> Result<Answer, Away> {
        let own = [cap.to_string(), KEPT.to_string()];
        self.run(&TAKE, lease, at, own).await
    }

    async fn rebuild(&self, lease: Lease, held: &mut Held, at: Reading) -> Result<Answer, Away> {
        let (log, unknown_before) = held.past(at.now);
        let unknown_before = unknown_before.map(|since| since.0.to_string()).unwrap_or_default();
        let own = [unknown_before, KEPT.to_string()];
        let own = own.into_iter().chain(log.iter().map(|attempt| attempt.0.to_string()));
        self.run(&REBUILD, lease, at, own).await
    }

    async fn run(
        &self,
        script: &'static Script,
        lease: Lease,
        at: Reading,
        own: impl IntoIterator<Item = String>,
    ) -> Result<Answer, Away> {
        let window = keys::of_tenant(lease.tenant, "window");
        let log = keys::of_tenant(lease.tenant, "attempts");
        let mut values = vec![
            format!("{:032x}", at.boot.0),
            lease.session.to_string(),
            lease.epoch.0.to_string(),
            at.now.0.to_string(),
            SPAN.as_millis().to_string(),
            PAUSE.as_millis().to_string(),
        ];
        values.extend(own);
        let call = Call { keys: vec![window.name, log.name], values };
        match self.redis.script(window.shard, script, call).await? {
            (0, at) => Ok(Answer::Taken(Moment(at))),
            (1, opens_at) => Ok(Answer::Wait(Moment(opens_at))),
            (2, _) => Ok(Answer::Rebuild),
            (3_u8, _) => Ok(Answer::Fenced),
            _ => Err(Away),
        }
    }

    /// Asks Redis, after it was told what it lacks.
    async fn take_there(
        &self,
        lease: Lease,
        cap: NonZeroU32,
        at: Reading,
        held: &mut Held,
    ) -> Result<Result<Answer, Away>, StoreError> {
        if !self.redis.stands() {
            return Ok(Err(Away));
        }
        if held.is_shared() {
            match self.ask(lease, cap, at).await {
                Ok(Answer::Rebuild) => {}
                other => return Ok(other),
            }
        }
        held.refresh(cap, at).await?;
        match self.rebuild(lease, held, at).await {
            Ok(Answer::Taken(_)) => held.share(true),
            other => return Ok(other),
        }
        Ok(self.ask(lease, cap, at).await)
    }
}

#[async_trait]
impl TenantWindows for RedisWindows {
    async fn take(
        &self,
        lease: Lease,
        cap: NonZeroU32,
        at: Reading,
    ) -> Result<Result<(), Moment>, StoreError> {
        // Held while Redis and the log are asked: of this process one asks for a tenant at a time.
        let mut held = self.local.hold(lease.tenant, at.now).await;
        let at = Reading { now: held.in_order(at.now), ..at };
        match self.take_there(lease, cap, at, &mut held).await? {
            Ok(Answer::Taken(taken_at)) => {
                held.record(cap, taken_at);
                Ok(Ok(()))
            }
            Ok(Answer::Wait(opens_at)) => {
                held.asked(cap, at.now);
                Ok(Err(opens_at))
            }
            Ok(Answer::Fenced) => Err(StoreError::Fenced),
            Ok(Answer::Rebuild) | Err(Away) => {
                // What is taken now Redis does not know of.
                held.share(false);
                held.refresh(cap, at).await?;
                Ok(held.take(cap, at.now))
            }
        }
    }
}
