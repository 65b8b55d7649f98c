//! Tickets in Redis, so that any process may redeem what another issued. This process keeps a copy of its own: a flush or
//! an outage voids no ticket here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use deadpool_redis::redis::Cmd;
use serde::{Deserialize, Serialize};

use super::keys;
use super::line::{Away, Redis};
use crate::domain::id::{SessionId, TenantId};
use crate::domain::time::Moment;
use crate::ports::clock::Clock;
use crate::ports::store::StoreError;
use crate::ports::tickets::{Grant, Holder, Tickets};
use crate::storage::embedded::tickets::{KEPT, MemoryTickets};

/// What stands in place of a grant once it was redeemed, until it would have expired: a ticket that Redis says nothing of
/// was lost, and one that is used was not.
const USED: &str = "used";
/// How long a ticket that was redeemed while Redis was away is remembered, in milliseconds; longer than any lives.
const REMEMBERED_MS: u64 = 60_000;

/// Tickets in Redis, and those of this process also in memory.
pub struct RedisTickets {
    redis: Redis,
    clock: Arc<dyn Clock>,
    own: MemoryTickets,
    /// Redeemed here while Redis could not be told, and until when that matters.
    spent: Mutex<HashMap<String, Moment>>,
}

/// A grant as it is kept.
#[derive(Serialize, Deserialize)]
struct Written {
    tenant: TenantId,
    holder: Holder,
    sessions: Option<Vec<SessionId>>,
    /// On the clock of `boot`.
    expires: u64,
    boot: String,
}

impl RedisTickets {
    /// No tickets yet.
    pub fn new(redis: Redis, clock: Arc<dyn Clock>) -> Self {
        Self { redis, clock, own: MemoryTickets::default(), spent: Mutex::default() }
    }

    fn boot(&self) -> String {
        format!("{:032x}", self.clock.boot().0)
    }

    fn is_spent(&self, ticket: &str, now: Moment) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, until| *until > now);
        spent.contains_key(ticket)
    }

    fn spend(&self, ticket: &str, now: Moment) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() < KEPT {
            spent.insert(ticket.to_owned(), Moment(now.0 + REMEMBERED_MS));
        }
    }

    /// What Redis holds, marked as used with the same step; nothing when it knows nothing.
    async fn use_up(&self, ticket: &str) -> Result<Option<String>, Away> {
        let key = keys::of_ticket(ticket);
        let mut command = Cmd::new();
        command.arg("SET").arg(&key.name).arg(USED).arg("XX").arg("KEEPTTL").arg("GET");
        self.redis.command(&key, command).await
    }

    fn read(&self, text: &str, now: Moment) -> Option<Grant> {
        let Written { tenant, holder, sessions, expires, boot } = serde_json::from_str(text).ok()?;
        let is_over = boot == self.boot() && Moment(expires) <= now;
        (!is_over).then_some(Grant { tenant, holder, sessions })
    }
}

#[async_trait]
impl Tickets for RedisTickets {
    async fn issue(&self, ticket: String, grant: Grant, expires: Moment) -> Result<(), StoreError> {
        let lives = expires.since(self.clock.now()).as_millis().max(1) as u64;
        let written = Written {
            tenant: grant.tenant,
            holder: grant.holder,
            sessions: grant.sessions.clone(),
            expires: expires.0,
            boot: self.boot(),
        };
        let text = serde_json::to_string(&written).expect("ids and numbers have a text");
        let key = keys::of_ticket(&ticket);
        let mut command = Cmd::new();
        command.arg("SET").arg(&key.name).arg(text).arg("PX").arg(lives);
        self.own.issue(ticket, grant, expires).await?;
        // Away: it is good in this process.
        let _: Result<(), Away> = self.redis.command(&key, command).await;
        Ok(())
    }

    async fn redeem(&self, ticket: &str, now: Moment) -> Result<Option<Grant>, StoreError> {
        if self.is_spent(ticket, now) {
            return Ok(None);
        }
        let own = self.own.redeem(ticket, now).await?;
        match self.use_up(ticket).await {
            Ok(Some(text)) if text == USED => Ok(None),
            Ok(Some(text)) => Ok(self.read(&text, now)),
            Ok(None) => Ok(own),
            Err(Away) => {
                if own.is_some() {
                    self.spend(ticket, now);
                }
                Ok(own)
            }
        }
    }
}
