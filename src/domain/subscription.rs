//! What a tenant has agreed to pay, and where it stands with that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::id::TenantId;
use super::money::Currency;
use super::plan::{Interval, Tier};
use super::tenant::TenantStanding;
use super::time::{Period, WallTime};
use super::word::words;

words! {
    /// How a tenant stands with what it pays.
    pub enum SubscriptionStatus {
        /// On trial: everything works, nothing is charged.
        Trialing,
        /// In good standing.
        Active,
        /// An invoice is past its due date. Everything works.
        PastDue,
        /// It still is, a reminder later: no new sessions, and no messages beyond the quota.
        Grace,
        /// Nothing is sent and sessions are parked with their credentials; reading works, nothing is lost.
        Suspended,
        /// Ended. As suspended, until somebody starts it again.
        Canceled,
    }
}

impl SubscriptionStatus {
    /// What the tenant may do.
    pub fn standing(self) -> TenantStanding {
        match self {
            Self::Trialing | Self::Active | Self::PastDue => TenantStanding::Active,
            Self::Grace => TenantStanding::Grace,
            Self::Suspended | Self::Canceled => TenantStanding::Stopped,
        }
    }
}

/// The part of a plan that binds from one period to the next: it is written down when the period begins, so that a plan that
/// changes meanwhile changes nothing that was agreed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deal {
    /// Code of the plan.
    pub plan: String,
    /// What the plan was called.
    pub name: String,
    /// Price per interval, in the currency's minor unit.
    pub price_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// How often the price falls due.
    pub interval: Interval,
    /// What messages beyond a soft quota cost.
    pub tariff: Vec<Tier>,
}

/// A base price that has been charged: from `from` to the end of `term`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Charged {
    /// The whole term, of which a late start paid a part.
    pub term: Period,
    /// From when it was paid for.
    pub from: WallTime,
    /// How much that was, before tax.
    pub minor: i64,
}

/// A tenant's subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscription {
    /// Whose.
    pub tenant: TenantId,
    /// How it stands.
    pub status: SubscriptionStatus,
    /// Since when.
    pub since: WallTime,
    /// What was agreed for the present period.
    pub deal: Deal,
    /// The month of usage that is under way.
    pub month: Period,
    /// What the base price has been charged for; nothing on trial, while suspended, and after the end.
    pub charged: Option<Charged>,
    /// The end of the trial.
    pub trial_end: Option<WallTime>,
    /// The plan that begins with the next period.
    pub next_plan: Option<String>,
    /// Whether it ends with the period.
    pub ends: bool,
}

impl Subscription {
    /// Ended at `at`, whatever was agreed for later.
    pub fn ended(&self, at: WallTime) -> Self {
        Self {
            status: SubscriptionStatus::Canceled,
            since: at,
            charged: None,
            trial_end: None,
            next_plan: None,
            ends: false,
            ..self.clone()
        }
    }
}
