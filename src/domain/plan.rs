//! What a tenant has bought: caps that bind at once, quota and price that bind from the next period.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::restraint::CEILING;
use super::session::Engine;
use super::webhook::ENDPOINTS_MAX;
use super::word::words;

/// The largest file that a plan takes unless it says otherwise: 16 MiB, WhatsApp's bound for films and sounds.
pub const MEDIA_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What a plan keeps of a tenant's files at once unless it says otherwise: 1 GiB.
pub const MEDIA_BYTES_TOTAL: u64 = 1024 * 1024 * 1024;

words! {
    /// What happens when the month's messages are used up.
    #[derive(Default)]
    pub enum Quota {
        /// The next message is refused with 402.
        #[default]
        Hard,
        /// It is accepted and billed as overage.
        Soft,
    }
}

words! {
    /// Whether messages leave as a person would send them.
    #[derive(Default)]
    pub enum Pacing {
        /// Gaps, a limit per chat, ramp and warm-up: restraint in volume.
        #[default]
        Human,
        /// Only the caps. For the sandbox engine.
        None,
    }
}

words! {
    /// How often the price falls due.
    pub enum Interval {
        /// Each month.
        Month,
        /// Each year. Quota and usage are per month all the same.
        Year,
    }
}

words! {
    /// What sessions of a suspended tenant do. Their credentials are kept either way, and nothing is sent.
    #[derive(Default)]
    pub enum SuspendedInbound {
        /// They are parked: nothing comes in, and what is written to them waits at WhatsApp.
        #[default]
        Park,
        /// They stay connected and take what comes in.
        Keep,
    }
}

/// A price for messages beyond the quota, up to a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The last message it prices, counted from the first beyond the quota. The last tier has none.
    #[serde(default)]
    pub up_to: Option<u64>,
    /// Price of `per` messages, in the minor unit.
    pub price_minor: i64,
    /// For how many messages the price is; 1 if it is left out. It makes prices below a minor unit possible.
    #[serde(default = "one")]
    pub per: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// One plan as the operator wrote it. The ranges are checked by `billing::plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Names the plan, for ever: `[a-z0-9][a-z0-9_-]*`, at most 64.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// Price per interval, in the currency's minor unit.
    pub price_minor: i64,
    /// ISO 4217 code.
    pub currency: String,
    /// How often the price falls due.
    pub interval: Interval,
    /// Send attempts per session in any 60 s.
    pub messages_per_minute: NonZeroU32,
    /// Send attempts of all sessions of a tenant together in any 60 s; none means no sum.
    #[serde(default)]
    pub messages_per_minute_tenant: Option<NonZeroU32>,
    /// Messages per calendar month.
    pub messages_per_month: u64,
    /// What happens beyond.
    #[serde(default)]
    pub quota: Quota,
    /// Messages that may wait per session.
    #[serde(default = "default_queue_max")]
    pub queue_max: u32,
    /// Sessions a tenant may have.
    pub sessions_max: u32,
    /// Webhook endpoints a tenant may have. A lower bound lets those be that are there.
    #[serde(default = "default_webhooks_max")]
    pub webhooks_max: u32,
    /// Seats of a tenant: keys that live at once, one for each person or program that works with it. Test keys take none, nor
    /// does a key whose place another has taken. None: no bound. A lower one lets those be that are there.
    #[serde(default)]
    pub seats_max: Option<u32>,
    /// How messages are spaced.
    #[serde(default)]
    pub pacing: Pacing,
    /// People who never wrote that a session may write to in any 24 h. None: as many as the number's age allows, and on the
    /// sandbox any number. Only the operator can set it, so this is also how the ramp is loosened.
    #[serde(default)]
    pub first_contacts_per_day: Option<u32>,
    /// Bytes of the largest file it takes.
    #[serde(default = "default_media_bytes_max")]
    pub media_bytes_max: u64,
    /// Bytes of all files that are kept of a tenant at once.
    #[serde(default = "default_media_bytes_total")]
    pub media_bytes_total: u64,
    /// Price of one message beyond the quota, in the minor unit. The same as one tier without a bound.
    #[serde(default)]
    pub overage_minor: Option<i64>,
    /// What messages beyond a soft quota cost, tier by tier. Empty: `overage_minor`, or nothing.
    #[serde(default)]
    pub overage_tiers: Vec<Tier>,
    /// Days a new tenant may try it before the first invoice.
    #[serde(default)]
    pub trial_days: u32,
    /// What its tenants' sessions do while they are suspended.
    #[serde(default)]
    pub suspended_inbound: SuspendedInbound,
    /// Days a message is kept, from when it was accepted or came in, or was to be sent at the earliest.
    pub retention_days: u32,
    /// Plugins its tenants may switch on.
    #[serde(default)]
    pub plugins: Vec<String>,
}

fn default_queue_max() -> u32 {
    10_000
}

fn default_webhooks_max() -> u32 {
    ENDPOINTS_MAX
}

fn default_media_bytes_max() -> u64 {
    MEDIA_BYTES_MAX
}

fn default_media_bytes_total() -> u64 {
    MEDIA_BYTES_TOTAL
}

/// The part of a plan that binds at once, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Attempts per session in any 60 s.
    pub per_minute: NonZeroU32,
    /// Attempts of the whole tenant in any 60 s.
    pub per_minute_tenant: Option<NonZeroU32>,
    /// How messages are spaced.
    pub pacing: Pacing,
    /// People who never wrote that a session may write to in any 24 h.
    pub first_contacts_per_day: Option<u32>,
    /// Messages that may wait per session.
    pub queue_max: u32,
    /// Sessions a tenant may have.
    pub sessions_max: u32,
    /// Nothing may be sent until the tenant has paid.
    pub silent: bool,
}

impl Caps {
    /// What binds on this engine: only the simulated network may be spoken to without restraint, and nobody real faster than
    /// the [ceiling](CEILING).
    pub fn on(self, engine: Engine) -> Self {
        match engine {
            Engine::Sandbox => self,
            Engine::Native | Engine::Baileys => {
                Self { pacing: Pacing::Human, per_minute: self.per_minute.min(CEILING), ..self }
            }
        }
    }
}

/// Who holds on to a plan, in tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holders {
    /// Those that have it.
    pub have: u64,
    /// Those that begin with it next.
    pub begin_next: u64,
    /// Those that were deleted and whose messages or files are still kept: the plan says for how long.
    pub remain: u64,
}

impl Holders {
    /// Whether the plan may go.
    ///
    /// # Errors
    /// 409 while anybody holds on to it.
    pub fn let_go(self) -> Result<(), Refusal> {
        let Self { have, begin_next, remain } = self;
        if have + begin_next > 0 {
            return Err(Refusal::conflict(format!(
                "tenants that have it: {have}, that begin with it next: {begin_next}; give them another plan first"
            )));
        }
        if remain > 0 {
            return Err(Refusal::conflict(format!(
                "deleted tenants whose messages or files are still kept: {remain}; it can go once its retention is over"
            )));
        }
        Ok(())
    }
}

impl Plan {
    /// How long a message is kept.
    pub fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_days) * 24 * 3600)
    }

    /// What messages beyond a soft quota cost.
    pub fn tariff(&self) -> Vec<Tier> {
        match self.overage_minor {
            Some(price_minor) if self.overage_tiers.is_empty() => {
                vec![Tier { up_to: None, price_minor, per: one() }]
            }
            _ => self.overage_tiers.clone(),
        }
    }

    /// The part that binds at once.
    pub fn caps(&self) -> Caps {
        Caps {
            per_minute: self.messages_per_minute,
            per_minute_tenant: self.messages_per_minute_tenant,
            pacing: self.pacing,
            first_contacts_per_day: self.first_contacts_per_day,
            queue_max: self.queue_max,
            sessions_max: self.sessions_max,
            silent: false,
        }
    }
}

/// The part of a plan that binds from the next period: what a period's first use writes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Messages of the month.
    pub limit: u64,
    /// What happens beyond.
    pub quota: Quota,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(per_minute: u32) -> Caps {
        Caps {
            per_minute: NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN),
            per_minute_tenant: None,
            pacing: Pacing::None,
            first_contacts_per_day: None,
            queue_max: 1,
            sessions_max: 1,
            silent: false,
        }
    }

    #[test]
    fn no_plan_lets_an_engine_that_reaches_people_run_free() {
        for (asked, bound) in [(1, 1), (60, 60), (61, 60), (60_000, 60)] {
            for engine in [Engine::Native, Engine::Baileys] {
                let caps = caps(asked).on(engine);
                assert_eq!((caps.per_minute.get(), caps.pacing), (bound, Pacing::Human), "{engine}");
            }
            assert_eq!(caps(asked).on(Engine::Sandbox), caps(asked));
        }
    }
}
