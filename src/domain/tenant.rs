//! A customer of the operator, and the keys its programs use.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::address::AddressRange;
use super::id::{KeyId, TenantId};
use super::refusal::Refusal;
use super::time::WallTime;
use super::word::words;

words! {
    /// Whether a tenant may act.
    pub enum TenantStatus {
        /// In good standing.
        Active,
        /// Stopped by the operator: every call answers 403, its sessions are stopped, its data stays.
        Suspended,
    }
}

words! {
    /// What a tenant may do by what it has paid. It follows from its subscription; suspending a tenant is another matter, and
    /// neither lifts the other.
    #[derive(Default)]
    pub enum TenantStanding {
        /// Everything.
        #[default]
        Active,
        /// No new sessions, and no messages beyond the quota, also where it is soft.
        Grace,
        /// Nothing is sent, and sessions do as the plan's `suspended_inbound` says. Reading works.
        Stopped,
    }
}

/// A customer of the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Tenant {
    /// Whose id every row of theirs carries.
    pub id: TenantId,
    /// What the operator calls them.
    pub name: String,
    /// Code of the plan they are under.
    pub plan: String,
    /// Whether they may act.
    pub status: TenantStatus,
    /// What they may do by what they have paid.
    pub standing: TenantStanding,
    /// When they came.
    pub created_at: WallTime,
}

words! {
    /// What a key may be used for.
    pub enum KeyScope {
        /// Read sessions, messages, usage, limits and the feed.
        Read,
        /// Send and cancel messages.
        Send,
        /// Create, start, stop, pair, log out and delete sessions.
        Session,
    }
}

/// SHA-256 of the key's text. The text itself is shown once and kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

/// One API key of a tenant, as stored. JSON leaves out how it is recognised.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    /// Names the key in lists and in the audit.
    pub id: KeyId,
    /// Whose key.
    pub tenant: TenantId,
    /// What it is called.
    pub name: String,
    /// How it is recognised.
    #[serde(skip)]
    pub hash: KeyHash,
    /// Last four characters, so that a person can tell keys apart.
    pub last4: String,
    /// What it may be used for.
    pub scopes: Vec<KeyScope>,
    /// Reaches the sandbox engine only, and does not count to usage.
    pub test: bool,
    /// From where it may be used; from anywhere, if the list is empty.
    pub allowed_addresses: Vec<AddressRange>,
    /// When it was made.
    pub created_at: WallTime,
    /// From then on it is refused.
    pub expires_at: Option<WallTime>,
    /// From then on it is refused, by decision.
    pub revoked_at: Option<WallTime>,
    /// The key that takes its place.
    pub replaced_by: Option<KeyId>,
    /// About when it was last used: noted once a minute.
    pub last_used_at: Option<WallTime>,
}

/// What of a key its owner cannot choose.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The id.
    pub id: KeyId,
    /// How it is recognised.
    pub hash: KeyHash,
    /// Its last four characters.
    pub last4: String,
    /// When it was made.
    pub at: WallTime,
}

/// Whether one more key, which is no test key, finds a seat beside `keys`, all those of its tenant. `most`: what the plan allows.
///
/// # Errors
/// 409 when every seat is taken.
pub fn find_seat<'a>(
    keys: impl IntoIterator<Item = &'a ApiKey>,
    most: Option<u32>,
    now: WallTime,
) -> Result<(), Refusal> {
    let Some(most) = most else { return Ok(()) };
    let taken = keys.into_iter().filter(|key| key.takes_seat(now)).count();
    if taken < most as usize {
        return Ok(());
    }
    let detail = format!("the plan has {most} seats, and {taken} keys live; revoke one first, or rotate it");
    Err(Refusal::conflict(detail))
}

impl ApiKey {
    /// Whether it takes a seat at `now`. One whose place another has taken leaves its seat to that one.
    pub fn takes_seat(&self, now: WallTime) -> bool {
        !self.test && self.replaced_by.is_none() && self.is_live(now)
    }

    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: WallTime) -> bool {
        let is_over = |end: Option<WallTime>| end.is_some_and(|end| end <= now);
        !is_over(self.expires_at) && !is_over(self.revoked_at)
    }

    /// This key as it is from now on, and the one that takes its place. `before`: the key that this one took the place
    /// of. The old one ends after `overlap`, or earlier if it was to end earlier; a key that was to end gives the new
    /// one as long a life as it had itself.
    ///
    /// 409 for a key that is not live or has been replaced, and while the one before is live: two at once, not three.
    pub fn rotated(
        &self,
        minted: Minted,
        overlap: Duration,
        before: Option<&Self>,
    ) -> Result<(Self, Self), Refusal> {
        let now = minted.at;
        if !self.is_live(now) {
            let detail = "this key has ended; make a new one with POST /v1/admin/tenants/{id}/keys";
            return Err(Refusal::conflict(detail));
        }
        if let Some(next) = self.replaced_by {
            return Err(Refusal::conflict(format!(
                "{next} takes the place of this key already; rotate that one"
            )));
        }
        if let Some(before) = before.filter(|before| before.is_live(now)) {
            let detail = format!(
                "{} lives still, whose place this key takes; revoke it, or wait until it ends",
                before.id
            );
            return Err(Refusal::conflict(detail));
        }
        let end = now + overlap;
        let old = Self {
            expires_at: Some(self.expires_at.map_or(end, |given| given.min(end))),
            replaced_by: Some(minted.id),
            ..self.clone()
        };
        let new = Self {
            id: minted.id,
            hash: minted.hash,
            last4: minted.last4,
            created_at: now,
            expires_at: self.expires_at.map(|given| now + given.since(self.created_at)),
            revoked_at: None,
            replaced_by: None,
            last_used_at: None,
            ..self.clone()
        };
        Ok((old, new))
    }
}
