//! Whether a plan makes sense. What an operator writes is wider than what is allowed, so that every number out of
//! range is one named fault and all of them are said at once.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::Deserialize;

use super::tariff;
use crate::domain::money::{AMOUNT_MAX, Currency, NotACurrency};
use crate::domain::plan::{
    Interval, MEDIA_BYTES_MAX, MEDIA_BYTES_TOTAL, Pacing, Plan, Quota, SuspendedInbound, Tier,
};
use crate::domain::refusal::Fault;
use crate::domain::webhook::ENDPOINTS_MAX;

const PER_MINUTE: RangeInclusive<i64> = 1..=60_000;
const PER_MINUTE_TENANT: RangeInclusive<i64> = 1..=u32::MAX as i64;
const PER_MONTH: RangeInclusive<i64> = 0..=1_000_000_000_000;
const QUEUE: RangeInclusive<i64> = 1..=1_000_000;
const SESSIONS: RangeInclusive<i64> = 0..=100_000;
const WEBHOOKS: RangeInclusive<i64> = 0..=ENDPOINTS_MAX as i64;
const SEATS: RangeInclusive<i64> = 1..=100_000;
const RETENTION: RangeInclusive<i64> = 1..=3_650;
const FIRST_CONTACTS: RangeInclusive<i64> = 0..=10_000;
const MEDIA_MAX: RangeInclusive<i64> = 0..=100 * 1024 * 1024;
const MEDIA_TOTAL: RangeInclusive<i64> = 0..=1024 * 1024 * 1024 * 1024;
const MONEY: RangeInclusive<i64> = 0..=AMOUNT_MAX;
const TRIAL: RangeInclusive<i64> = 0..=365;
const PLUGINS: usize = 64;

/// A plan as an operator wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PlanProposal")]
#[expect(missing_docs, reason = "each is documented at Plan")]
pub struct Proposal {
    /// May be left out where a path names the plan.
    #[serde(default)]
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,63}$"))]
    pub code: Option<String>,
    /// What people call it.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Price per interval, in the currency's minor unit.
    #[schemars(range(min = *MONEY.start(), max = *MONEY.end()))]
    pub price_minor: i64,
    /// ISO 4217 code.
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
    pub interval: Interval,
    /// Send attempts per session in any 60 s.
    #[schemars(range(min = *PER_MINUTE.start(), max = *PER_MINUTE.end()))]
    pub messages_per_minute: i64,
    /// Send attempts of all sessions together in any 60 s; no sum if it is left out.
    #[serde(default)]
    #[schemars(range(min = *PER_MINUTE_TENANT.start(), max = *PER_MINUTE_TENANT.end()))]
    pub messages_per_minute_tenant: Option<i64>,
    /// Messages per calendar month.
    #[schemars(range(min = *PER_MONTH.start(), max = *PER_MONTH.end()))]
    pub messages_per_month: i64,
    #[serde(default)]
    pub quota: Quota,
    /// Messages that may wait per session; 10,000 if it is left out.
    #[serde(default)]
    #[schemars(range(min = *QUEUE.start(), max = *QUEUE.end()))]
    pub queue_max: Option<i64>,
    /// Sessions a tenant may have.
    #[schemars(range(min = *SESSIONS.start(), max = *SESSIONS.end()))]
    pub sessions_max: i64,
    /// Webhook endpoints a tenant may have; 8 if it is left out, and there are never more.
    #[serde(default)]
    #[schemars(range(min = *WEBHOOKS.start(), max = *WEBHOOKS.end()))]
    pub webhooks_max: Option<i64>,
    /// Keys of a tenant that live at once, not counting test keys; any number if it is left out.
    #[serde(default)]
    #[schemars(range(min = *SEATS.start(), max = *SEATS.end()))]
    pub seats_max: Option<i64>,
    #[serde(default)]
    pub pacing: Pacing,
    /// People who never wrote that a session may write to in any 24 h; what the number's age allows if it is left out.
    #[serde(default)]
    #[schemars(range(min = *FIRST_CONTACTS.start(), max = *FIRST_CONTACTS.end()))]
    pub first_contacts_per_day: Option<i64>,
    /// Bytes of the largest file it takes; 16 MiB if it is left out, and WhatsApp takes no more than 100.
    #[serde(default)]
    #[schemars(range(min = *MEDIA_MAX.start(), max = *MEDIA_MAX.end()))]
    pub media_bytes_max: Option<i64>,
    /// Bytes of all files that are kept of a tenant at once; 1 GiB if it is left out.
    #[serde(default)]
    #[schemars(range(min = *MEDIA_TOTAL.start(), max = *MEDIA_TOTAL.end()))]
    pub media_bytes_total: Option<i64>,
    /// Price of one message beyond the quota.
    #[serde(default)]
    #[schemars(range(min = *MONEY.start(), max = *MONEY.end()))]
    pub overage_minor: Option<i64>,
    /// What messages beyond a soft quota cost, tier by tier; not beside `overage_minor`.
    #[serde(default)]
    #[schemars(length(max = tariff::TIERS_MAX), with = "Vec<TierForm>")]
    pub overage_tiers: Vec<Tier>,
    /// Days a new tenant may try it before the first invoice; none if it is left out.
    #[serde(default)]
    #[schemars(range(min = *TRIAL.start(), max = *TRIAL.end()))]
    pub trial_days: Option<i64>,
    /// What its tenants' sessions do while they are suspended for what they owe.
    #[serde(default)]
    pub suspended_inbound: SuspendedInbound,
    /// Days a message's content is kept.
    #[schemars(range(min = *RETENTION.start(), max = *RETENTION.end()))]
    pub retention_days: i64,
    /// Plugins its tenants may switch on.
    #[serde(default)]
    #[schemars(length(max = PLUGINS), inner(regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,31}$")))]
    pub plugins: Vec<String>,
}

/// A tier as it may be written: what has a default may be left out.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TierProposal")]
#[expect(dead_code, reason = "only its form is used")]
struct TierForm {
    /// The last message it prices, counted from the first beyond the quota. The last tier has none.
    up_to: Option<u64>,
    /// Price of `per` messages, in the minor unit.
    #[schemars(range(min = 0, max = AMOUNT_MAX))]
    price_minor: i64,
    /// For how many messages the price is; 1 if it is left out.
    per: Option<NonZeroU32>,
}

impl Proposal {
    /// The plan named `code`, or everything that is wrong with it.
    pub fn check(self, code: String) -> Result<Plan, Vec<Fault>> {
        let mut faults = Vec::new();
        if !is_code(&code) {
            faults.push(Fault::new(
                "/code",
                "not_allowed",
                "1 to 64 of a-z, 0-9, _ and -, not beginning with _ or -",
            ));
        }
        if !(1..=128).contains(&self.name.chars().count()) || self.name.contains('\0') {
            faults.push(Fault::new("/name", "out_of_range", "1 to 128 characters, none of them NUL"));
        }
        if let Err(no @ NotACurrency) = self.currency.parse::<Currency>() {
            faults.push(Fault::new("/currency", "not_allowed", no.to_string()));
        }
        faults.extend(wrong_plugins(&self.plugins));
        if !self.overage_tiers.is_empty() {
            faults.extend(tariff::faults(&self.overage_tiers, "/overage_tiers"));
            if self.overage_minor.is_some() {
                let detail = "overage_minor is given as well; one of both says what a message costs";
                faults.push(Fault::new("/overage_tiers", "not_allowed", detail));
            }
        }

        let mut within = |pointer: &str, value: i64, range: RangeInclusive<i64>| {
            if !range.contains(&value) {
                let detail = format!("{value} is not within {} to {}", range.start(), range.end());
                faults.push(Fault::new(pointer, "out_of_range", detail));
            }
            value
        };
        let price_minor = within("/price_minor", self.price_minor, MONEY);
        let per_minute = within("/messages_per_minute", self.messages_per_minute, PER_MINUTE);
        let per_minute_tenant = self
            .messages_per_minute_tenant
            .map(|sum| within("/messages_per_minute_tenant", sum, PER_MINUTE_TENANT));
        let per_month = within("/messages_per_month", self.messages_per_month, PER_MONTH);
        let queue_max = within("/queue_max", self.queue_max.unwrap_or(10_000), QUEUE);
        let sessions_max = within("/sessions_max", self.sessions_max, SESSIONS);
        let webhooks_max =
            within("/webhooks_max", self.webhooks_max.unwrap_or(i64::from(ENDPOINTS_MAX)), WEBHOOKS);
        let seats_max = self.seats_max.map(|most| within("/seats_max", most, SEATS));
        let first_contacts =
            self.first_contacts_per_day.map(|most| within("/first_contacts_per_day", most, FIRST_CONTACTS));
        let media_max = self.media_bytes_max.unwrap_or(MEDIA_BYTES_MAX as i64);
        let media_max = within("/media_bytes_max", media_max, MEDIA_MAX);
        let media_total = self.media_bytes_total.unwrap_or(MEDIA_BYTES_TOTAL as i64);
        let media_total = within("/media_bytes_total", media_total, MEDIA_TOTAL);
        let overage_minor = self.overage_minor.map(|price| within("/overage_minor", price, MONEY));
        let trial_days = within("/trial_days", self.trial_days.unwrap_or_default(), TRIAL);
        let retention_days = within("/retention_days", self.retention_days, RETENTION);

        let Some(messages_per_minute) = cap(per_minute).filter(|_| faults.is_empty()) else {
            return Err(faults);
        };
        Ok(Plan {
            code,
            name: self.name,
            price_minor,
            currency: self.currency,
            interval: self.interval,
            messages_per_minute,
            messages_per_minute_tenant: per_minute_tenant.and_then(cap),
            messages_per_month: per_month as u64,
            quota: self.quota,
            queue_max: queue_max as u32,
            sessions_max: sessions_max as u32,
            webhooks_max: webhooks_max as u32,
            seats_max: seats_max.map(|most| most as u32),
            pacing: self.pacing,
            first_contacts_per_day: first_contacts.map(|most| most as u32),
            media_bytes_max: media_max as u64,
            media_bytes_total: media_total as u64,
            overage_minor,
            overage_tiers: self.overage_tiers,
            trial_days: trial_days as u32,
            suspended_inbound: self.suspended_inbound,
            retention_days: retention_days as u32,
            plugins: self.plugins,
        })
    }
}

fn cap(value: i64) -> Option<NonZeroU32> {
    u32::try_from(value).ok().and_then(NonZeroU32::new)
}

/// `[a-z0-9][a-z0-9_-]*`, at most 64.
fn is_code(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| plain(b) || b == b'_' || b == b'-')
        && text.bytes().next().is_some_and(plain)
}

fn wrong_plugins(plugins: &[String]) -> Vec<Fault> {
    let mut faults = Vec::new();
    if plugins.len() > PLUGINS {
        faults.push(Fault::new("/plugins", "out_of_range", format!("at most {PLUGINS} plugins")));
        return faults;
    }
    let mut seen = BTreeSet::new();
    for (index, plugin) in plugins.iter().enumerate() {
        let pointer = format!("/plugins/{index}");
        if !is_code(plugin) || plugin.len() > 32 {
            faults.push(Fault::new(
                pointer,
                "not_allowed",
                "1 to 32 of a-z, 0-9, _ and -, not beginning with _ or -",
            ));
        } else if !seen.insert(plugin) {
            faults.push(Fault::new(pointer, "not_allowed", "named twice"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn proposal(change: impl FnOnce(&mut Value)) -> Proposal {
        let mut body = json!({
            "name": "Starter", "price_minor": 1900, "currency": "EUR", "interval": "month",
            "messages_per_minute": 20, "messages_per_month": 10_000, "sessions_max": 2, "retention_days": 30,
        });
        change(&mut body);
        serde_json::from_value(body).expect("a proposal")
    }

    #[test]
    fn what_is_left_out_takes_its_default() {
        let plan = proposal(|_| ()).check("starter".into()).expect("a plan");
        assert_eq!((plan.queue_max, plan.quota, plan.pacing), (10_000, Quota::Hard, Pacing::Human));
        assert_eq!((plan.messages_per_minute_tenant, plan.overage_minor), (None, None));
        assert_eq!((plan.webhooks_max, plan.seats_max), (8, None));
        assert_eq!((plan.messages_per_minute.get(), plan.messages_per_month), (20, 10_000));
    }

    #[test]
    fn both_ends_of_every_range_are_allowed_and_one_beyond_is_a_fault_at_its_field() {
        for (field, range) in [
            ("price_minor", MONEY),
            ("messages_per_minute", PER_MINUTE),
            ("messages_per_minute_tenant", PER_MINUTE_TENANT),
            ("messages_per_month", PER_MONTH),
            ("queue_max", QUEUE),
            ("sessions_max", SESSIONS),
            ("webhooks_max", WEBHOOKS),
            ("seats_max", SEATS),
            ("overage_minor", MONEY),
            ("media_bytes_max", MEDIA_MAX),
            ("media_bytes_total", MEDIA_TOTAL),
            ("trial_days", TRIAL),
            ("retention_days", RETENTION),
        ] {
            for value in [*range.start(), *range.end()] {
                let plan = proposal(|body| body[field] = json!(value)).check("p".into());
                assert!(plan.is_ok(), "{field} {value}: {plan:?}");
            }
            for value in [range.start().checked_sub(1), range.end().checked_add(1)].into_iter().flatten() {
                let faults = proposal(|body| body[field] = json!(value)).check("p".into());
                let faults = faults.expect_err("out of range");
                assert_eq!(faults.len(), 1, "{field} {value}");
                assert_eq!((&*faults[0].pointer, faults[0].code), (&*format!("/{field}"), "out_of_range"));
            }
        }
    }

    #[test]
    fn words_are_judged_by_form() {
        let long = "x".repeat(65);
        for code in ["", "Starter", "-a", "_a", "a b", "ä", &long] {
            let faults = proposal(|_| ()).check(code.into()).expect_err("not a code");
            assert_eq!(faults[0].pointer, "/code", "{code}");
        }
        for code in ["a", "9", "a-b_c", &long[..64]] {
            assert!(proposal(|_| ()).check(code.into()).is_ok(), "{code}");
        }
        for (field, value, pointer) in [
            ("name", json!(""), "/name"),
            ("name", json!("n".repeat(129)), "/name"),
            ("currency", json!("eur"), "/currency"),
            ("currency", json!("EURO"), "/currency"),
            ("currency", json!("ZZZ"), "/currency"),
            ("overage_tiers", json!([{"up_to": 5, "price_minor": 1}]), "/overage_tiers/0/up_to"),
            ("overage_tiers", json!([{"price_minor": AMOUNT_MAX + 1}]), "/overage_tiers/0/price_minor"),
            ("plugins", json!(["a", "a"]), "/plugins/1"),
            ("plugins", json!(["A"]), "/plugins/0"),
            ("plugins", json!([""]), "/plugins/0"),
        ] {
            let faults =
                proposal(|body| body[field] = value.clone()).check("p".into()).expect_err("not allowed");
            assert_eq!((faults.len(), &*faults[0].pointer), (1, pointer), "{field} {value}");
        }
    }

    #[test]
    fn messages_beyond_the_quota_have_one_price_list() {
        let both = proposal(|body| {
            body["overage_minor"] = json!(2);
            body["overage_tiers"] = json!([{"price_minor": 1}]);
        });
        let faults = both.check("p".into()).expect_err("two prices");
        assert_eq!((faults.len(), &*faults[0].pointer), (1, "/overage_tiers"));
        for (field, value, price) in [
            ("overage_minor", json!(2), 6),
            ("overage_tiers", json!([{"up_to": 1, "price_minor": 5}, {"price_minor": 1, "per": 2}]), 6),
        ] {
            let plan = proposal(|body| body[field] = value).check("p".into()).expect("a plan");
            assert_eq!(tariff::price(&plan.tariff(), 3), price, "{field}");
        }
    }

    #[test]
    fn all_faults_are_said_at_once() {
        let wrong = proposal(|body| {
            body["name"] = json!("");
            body["currency"] = json!("");
            body["messages_per_minute"] = json!(0);
            body["retention_days"] = json!(0);
        });
        assert_eq!(wrong.check("!".into()).expect_err("wrong").len(), 5);
    }
}
