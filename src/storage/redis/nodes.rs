//! The processes that serve one store, as they show themselves to each other in Redis. A process that hears of no other
//! spends nothing on it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use deadpool_redis::redis::Cmd;
use tokio::time::sleep;

use super::keys::{self, Key};
use super::line::{Away, Redis};
use super::script::{Call, Script, script};
use crate::meters;

static BEAT: Script = script!("lua/beat.lua");

/// Between two signs of life.
const EVERY: Duration = Duration::from_secs(1);
/// Whoever was not heard of for so long is gone.
const COUNTS_MS: u32 = 5_000;

/// What a process does for a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Role {
    /// Everything; it is the one that writes.
    All,
    /// It hands out the feed.
    Feed,
}

/// A process among the others. It shows itself for as long as this is held.
pub struct Nodes {
    redis: Redis,
    key: Key,
    own: String,
    count: AtomicUsize,
    followed: AtomicBool,
    leaving: AtomicBool,
}

impl Nodes {
    /// Shows itself from now on, to all who serve the store whose feed has this epoch.
    pub fn join(redis: Redis, epoch: &str, role: Role) -> Arc<Self> {
        let role: &'static str = role.into();
        let nodes = Arc::new(Self {
            redis,
            key: keys::of_store(epoch, "nodes"),
            own: format!("{:016x}:{role}", rand::random::<u64>()),
            count: AtomicUsize::new(1),
            followed: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
        });
        tokio::spawn(show(Arc::downgrade(&nodes)));
        nodes
    }

    /// How many processes serve the store, this one included; 1 while that cannot be told.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether another process hands out what this one commits.
    pub fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed)
    }

    /// Leaves, so that the others need not wait until it counts no more.
    pub async fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        let mut command = Cmd::new();
        command.arg("ZREM").arg(&self.key.name).arg(&self.own);
        // Away: it stops counting by itself.
        let _: Result<(), Away> = self.redis.command(&self.key, command).await;
    }

    async fn beat(&self) {
        let call =
            Call { keys: vec![self.key.name.clone()], values: vec![self.own.clone(), COUNTS_MS.to_string()] };
        let all: Vec<String> = match self.redis.script(self.key.shard, &BEAT, call).await {
            Ok(all) => all,
            Err(Away) => vec![self.own.clone()],
        };
        let follows = |node: &String| {
            let role = node.rsplit(':').next().and_then(|role| role.parse().ok());
            *node != self.own && role == Some(Role::Feed)
        };
        self.count.store(all.len().max(1), Ordering::Relaxed);
        self.followed.store(all.iter().any(follows), Ordering::Relaxed);
        meters::nodes(all.len());
    }
}

async fn show(nodes: Weak<Nodes>) {
    loop {
        let Some(own) = nodes.upgrade().filter(|own| !own.leaving.load(Ordering::Relaxed)) else { return };
        own.beat().await;
        drop(own);
        sleep(EVERY).await;
    }
}
