//! Links with which a tenant lets somebody else link a number: good once, for ten minutes. They are kept in memory: a server that
//! starts anew knows none, and a new one is made with one call.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::id::{PairingLinkId, SessionId, TenantId};
use crate::domain::scope::TenantScope;
use crate::domain::time::{Moment, WallTime};

/// How long a link is good.
pub const LIFE: Duration = Duration::from_secs(10 * 60);
/// How long whoever has used one may watch and try again: two pairings' time and some more.
pub const PASS_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long it is known what became of one.
const KNOWN: Duration = Duration::from_secs(3600);
/// Links known at once; beyond, the oldest are forgotten, whether they are good or not.
const MOST: usize = 10_000;
/// Reports kept, the newest.
const REPORTS: usize = 1_000;
/// Bytes of a token.
const TOKEN: usize = 32;

/// Every link of this process.
#[derive(Debug, Default)]
pub struct PairingLinks(Mutex<Links>);

#[derive(Debug, Default)]
struct Links {
    by_token: HashMap<Hash, Link>,
    /// Who has used a link, by what they were given for it.
    by_pass: HashMap<Hash, Hash>,
    reports: Vec<(WallTime, TenantId, SessionId)>,
}

type Hash = [u8; 32];

#[derive(Debug, Clone)]
struct Link {
    id: PairingLinkId,
    scope: TenantScope,
    session: SessionId,
    made: Moment,
    expires_at: WallTime,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Used {
        at: Moment,
    },
    /// Taken back, replaced or reported.
    Closed,
}

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PairingLinkState")]
pub enum LinkState {
    /// It can be used.
    Open,
    /// Somebody has used it.
    Used,
    /// Its time is over, or it was taken back, replaced or reported.
    Expired,
}

/// A link as whoever holds it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// On whose behalf it was made.
    pub scope: TenantScope,
    /// Which session it links.
    pub session: SessionId,
    /// When its time is over.
    pub expires_at: WallTime,
    /// How it stands.
    pub state: LinkState,
}

/// A new link.
#[derive(Debug)]
pub struct Made {
    /// Its name.
    pub id: PairingLinkId,
    /// What opens it; shown once.
    pub token: String,
    /// When its time is over.
    pub expires_at: WallTime,
}

impl PairingLinks {
    /// Makes one, in place of an older one of the session.
    pub fn make(&self, scope: TenantScope, session: SessionId, now: Moment, wall: WallTime) -> Made {
        let mut links = self.links();
        links.close(session);
        links.forget(now);
        let (token, id) = (secret(), PairingLinkId::mint(wall));
        let expires_at = wall + LIFE;
        let link = Link { id, scope, session, made: now, expires_at, fate: Fate::Open };
        links.by_token.insert(hash(&token), link);
        Made { id, token, expires_at }
    }

    /// Closes the session's link, if it has one that is open or was used; its name.
    pub fn take_back(&self, session: SessionId) -> Option<PairingLinkId> {
        self.links().close(session)
    }

    /// What a token opens; `None` for one that is not known.
    pub fn peek(&self, token: &str, now: Moment) -> Option<Seen> {
        self.links().by_token.get(&hash(token)).map(|link| link.seen(now))
    }

    /// Uses a link up; what whoever used it shows from now on. `None` unless it is open.
    pub fn confirm(&self, token: &str, now: Moment) -> Option<String> {
        let mut links = self.links();
        let key = hash(token);
        let link = links.by_token.get_mut(&key).filter(|link| link.seen(now).state == LinkState::Open)?;
        link.fate = Fate::Used { at: now };
        let pass = secret();
        links.by_pass.insert(hash(&pass), key);
        Some(pass)
    }

    /// What somebody who has used a link may still see to; `None` when that time is over, or the link was closed.
    pub fn admit(&self, pass: &str, now: Moment) -> Option<(TenantScope, SessionId)> {
        let links = self.links();
        let link = links.by_token.get(links.by_pass.get(&hash(pass))?)?;
        let is_good = matches!(link.fate, Fate::Used { at } if now.since(at) < PASS_LIFE);
        is_good.then_some((link.scope, link.session))
    }

    /// Closes a link whose holder says that they did not ask for it, whether it was used or not; `None` for one that is not known or
    /// was closed before.
    pub fn report(&self, token: &str, wall: WallTime) -> Option<(PairingLinkId, TenantScope, SessionId)> {
        let mut links = self.links();
        let link = links.by_token.get_mut(&hash(token)).filter(|link| link.fate != Fate::Closed)?;
        link.fate = Fate::Closed;
        let (id, scope, session) = (link.id, link.scope, link.session);
        links.reports.push((wall, scope.tenant(), session));
        let surplus = links.reports.len().saturating_sub(REPORTS);
        links.reports.drain(..surplus);
        Some((id, scope, session))
    }

    /// What was reported since `since`, oldest first.
    pub fn reports(&self, since: WallTime) -> Vec<(WallTime, TenantId, SessionId)> {
        self.links().reports.iter().filter(|(at, ..)| *at >= since).copied().collect()
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn close(&mut self, session: SessionId) -> Option<PairingLinkId> {
        let of_session = |link: &&mut Link| link.session == session && link.fate != Fate::Closed;
        let closed = self.by_token.values_mut().filter(of_session).map(|link| {
            link.fate = Fate::Closed;
            link.id
        });
        closed.max()
    }

    fn forget(&mut self, now: Moment) {
        self.by_token.retain(|_, link| now.since(link.made) < KNOWN);
        if self.by_token.len() >= MOST
            && let Some(oldest) = self.by_token.iter().min_by_key(|(_, link)| link.id).map(|(key, _)| *key)
        {
            self.by_token.remove(&oldest);
        }
        let Self { by_token, by_pass, .. } = self;
        by_pass.retain(|_, token| by_token.contains_key(token));
    }
}

impl Link {
    fn seen(&self, now: Moment) -> Seen {
        let state = match self.fate {
            Fate::Used { .. } => LinkState::Used,
            Fate::Open if now.since(self.made) < LIFE => LinkState::Open,
            Fate::Open | Fate::Closed => LinkState::Expired,
        };
        Seen { scope: self.scope, session: self.session, expires_at: self.expires_at, state }
    }
}

/// Tokens are found by their hash: neither a look at memory nor the time of an answer tells one.
fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

fn secret() -> String {
    hex::encode(rand::random::<[u8; TOKEN]>())
}
