//! How a subscription moves: trial, periods, non-payment, change of plan, end. Values in, values out: what is due by now is
//! one [`Step`] after the other, each of them a transaction.

use std::time::Duration;

use chrono_tz::Tz;

use super::period::{month_of, months_from};
use super::tariff;
use crate::domain::id::TenantId;
use crate::domain::invoice::{InvoiceDraft, Line, LineKind};
use crate::domain::money::{Currency, share};
use crate::domain::plan::Interval;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::subscription::{Charged, Deal, Subscription, SubscriptionStatus as Status};
use crate::domain::time::{Period, WallTime};
use crate::ports::ledger::Metered;

/// How patient the operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From an invoice's due date until grace begins.
    pub reminder: Duration,
    /// From the beginning of grace until the tenant is suspended.
    pub grace: Duration,
}

/// What a step is decided on.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// When the oldest invoice that is open was due.
    pub due: Option<WallTime>,
    /// Every month of the tenant's that has messages beyond its quota which no invoice has.
    pub metered: &'a [Metered],
    /// What the plan that begins next says now. `None`: it is gone, and the present one goes on.
    pub next: Option<&'a Deal>,
    /// What the present plan says now: its price binds from the next period.
    pub present: Option<&'a Deal>,
    /// How patient the operator is.
    pub patience: Patience,
    /// On whose clocks months begin.
    pub zone: Tz,
}

/// What happens next, all of it at once or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The subscription as it is afterwards.
    pub subscription: Subscription,
    /// What is to be paid for it: one invoice, or two where the currency changes.
    pub invoices: Vec<InvoiceDraft>,
    /// Months whose messages beyond the quota are dealt with, and how many these are by now.
    pub billed: Vec<(Period, u64)>,
}

impl Step {
    fn to(subscription: Subscription) -> Self {
        Self { subscription, invoices: vec![], billed: vec![] }
    }
}

/// A subscription that begins now.
pub fn begin(tenant: TenantId, deal: Deal, trial: Duration, now: WallTime, zone: Tz) -> Step {
    let mut subscription = Subscription {
        tenant,
        status: Status::Trialing,
        since: now,
        deal,
        month: month_of(now, zone),
        charged: None,
        trial_end: Some(now + trial),
        next_plan: None,
        ends: false,
    };
    if !trial.is_zero() {
        return Step::to(subscription);
    }
    subscription.trial_end = None;
    activate(subscription, now, zone)
}

/// The next thing that is due by `now`, the earliest first; `None` when there is nothing to do. The caller writes it down and
/// asks again.
pub fn next(was: &Subscription, facts: Facts<'_>, now: WallTime) -> Option<Step> {
    let now = not_before(was, now);
    let month_ends = was.month.end;
    let trial_ends = was.trial_end.filter(|_| was.status == Status::Trialing);
    let dun = dunned(was, facts);
    let earliest = [Some(month_ends), trial_ends, dun.map(|(at, _)| at)].into_iter().flatten().min()?;
    if earliest > now {
        return paid(was, facts, now);
    }
    // At the same instant a trial ends before the month does: what was sent in it is not charged either way.
    if trial_ends == Some(earliest) {
        return Some(end_trial(was, earliest, facts));
    }
    if month_ends == earliest {
        return Some(close_month(was, facts));
    }
    dun.map(|(at, status)| Step::to(Subscription { status, since: at, ..was.clone() }))
}

/// A clock that was set back stands still until it is where it was when something last happened: nothing that was due becomes
/// undue, and no time is paid for twice.
fn not_before(was: &Subscription, now: WallTime) -> WallTime {
    let begun = [was.since, was.month.start].into_iter().chain(was.charged.map(|charged| charged.from));
    begun.fold(now, WallTime::max)
}

/// When the next thing may be due, as far as it is known now.
pub fn wakes_at(was: &Subscription, facts: Facts<'_>) -> WallTime {
    let trial_ends = was.trial_end.filter(|_| was.status == Status::Trialing);
    [trial_ends, dunned(was, facts).map(|(at, _)| at)]
        .into_iter()
        .flatten()
        .fold(was.month.end, WallTime::min)
}

/// The trial is over: the first invoice, or the end.
fn end_trial(was: &Subscription, at: WallTime, facts: Facts<'_>) -> Step {
    let (_, billed) = overage(was, Period { start: was.month.start, end: WallTime(i64::MAX) }, facts);
    let subscription = Subscription { trial_end: None, ..was.clone() };
    if was.ends {
        let ended = Subscription { status: Status::Canceled, since: at, ends: false, ..subscription };
        return Step { billed, ..Step::to(ended) };
    }
    Step { billed, ..activate(subscription, at, facts.zone) }
}

/// Who has paid what was due is in good standing again.
fn paid(was: &Subscription, facts: Facts<'_>, now: WallTime) -> Option<Step> {
    let behind = matches!(was.status, Status::PastDue | Status::Grace | Status::Suspended);
    if !behind || facts.due.is_some_and(|due| due <= now) {
        return None;
    }
    let subscription = Subscription { status: Status::Active, since: now, ..was.clone() };
    // Who was suspended over the end of a term has nothing paid for.
    Some(if was.charged.is_some() { Step::to(subscription) } else { activate(subscription, now, facts.zone) })
}

/// What non-payment leads to, and when.
fn dunned(was: &Subscription, facts: Facts<'_>) -> Option<(WallTime, Status)> {
    let due = facts.due?;
    match was.status {
        Status::Active => Some((due, Status::PastDue)),
        Status::PastDue => Some((due + facts.patience.reminder, Status::Grace)),
        Status::Grace => Some((due + facts.patience.reminder + facts.patience.grace, Status::Suspended)),
        Status::Trialing | Status::Suspended | Status::Canceled => None,
    }
}

/// The month is over: messages beyond its quota, and the next term where one begins.
fn close_month(was: &Subscription, facts: Facts<'_>) -> Step {
    let end = was.month.end;
    let (mut lines, billed) = overage(was, was.month, facts);
    let mut subscription = Subscription { month: month_of(end, facts.zone), ..was.clone() };
    let is_due = was.charged.is_none_or(|charged| charged.term.end <= end);
    if is_due {
        subscription.charged = None;
        if was.ends && !matches!(was.status, Status::Canceled) {
            subscription.status = Status::Canceled;
            subscription.since = end;
            subscription.ends = false;
        }
    }
    let goes_on = matches!(subscription.status, Status::Active | Status::PastDue | Status::Grace);
    if is_due || was.status == Status::Trialing {
        let agreed = if was.next_plan.is_some() { facts.next } else { None };
        if let Some(deal) = agreed.or(facts.present) {
            subscription.deal = deal.clone();
        }
        subscription.next_plan = None;
    }
    let base = (is_due && goes_on).then(|| charge(&mut subscription, end, facts.zone));
    let after = subscription.charged.map_or(end, |charged| charged.term.end);
    // An invoice has one currency: what was used under the old plan is asked for in the old one.
    let invoices = if subscription.deal.currency == was.deal.currency {
        lines.extend(base);
        vec![invoice(lines, was.deal.currency, was.month.start, after)]
    } else {
        vec![
            invoice(lines, was.deal.currency, was.month.start, end),
            invoice(base.into_iter().collect(), subscription.deal.currency, end, after),
        ]
    };
    Step { subscription, invoices: invoices.into_iter().flatten().collect(), billed }
}

/// Lines for messages beyond their quotas, of this month and late ones of earlier months.
fn overage(was: &Subscription, until: Period, facts: Facts<'_>) -> (Vec<Line>, Vec<(Period, u64)>) {
    let over = facts.metered.iter().filter(|metered| metered.month.end <= until.end);
    let mut lines = Vec::new();
    let mut billed = Vec::new();
    for metered in over.filter(|metered| metered.beyond() > metered.billed) {
        let beyond = metered.beyond();
        billed.push((metered.month, beyond));
        // What was sent on trial is not charged.
        if was.status == Status::Trialing {
            continue;
        }
        let amount =
            tariff::price(&was.deal.tariff, beyond) - tariff::price(&was.deal.tariff, metered.billed);
        let late = if metered.month == was.month { "" } else { ", told of late" };
        lines.push(Line {
            kind: LineKind::Overage,
            text: format!("Messages beyond the quota of {}{late}", metered.limit),
            period: metered.month,
            quantity: beyond - metered.billed,
            amount_minor: amount,
        });
    }
    (lines, billed)
}

/// A subscription that begins to pay at `at`.
fn activate(mut subscription: Subscription, at: WallTime, zone: Tz) -> Step {
    subscription.status = Status::Active;
    subscription.since = at;
    subscription.month = month_of(at, zone);
    subscription.charged = None;
    let currency = subscription.deal.currency;
    let line = charge(&mut subscription, at, zone);
    let invoice = invoice(vec![line.clone()], currency, at, line.period.end);
    Step { invoices: invoice.into_iter().collect(), ..Step::to(subscription) }
}

/// Charges the base price from `from` to the end of the term that `from` lies in.
fn charge(subscription: &mut Subscription, from: WallTime, zone: Tz) -> Line {
    let term = months_from(from, months(subscription.deal.interval), zone);
    let line = base(&subscription.deal, term, from);
    subscription.charged = Some(Charged { term, from, minor: line.amount_minor });
    line
}

fn base(deal: &Deal, term: Period, from: WallTime) -> Line {
    let rest = Period { start: from, end: term.end };
    Line {
        kind: LineKind::Base,
        text: deal.name.clone(),
        period: rest,
        quantity: 1,
        amount_minor: share(deal.price_minor, rest.millis(), term.millis()),
    }
}

fn months(interval: Interval) -> u32 {
    match interval {
        Interval::Month => 1,
        Interval::Year => 12,
    }
}

/// `None` when nothing costs anything.
fn invoice(lines: Vec<Line>, currency: Currency, start: WallTime, end: WallTime) -> Option<InvoiceDraft> {
    let lines: Vec<_> = lines.into_iter().filter(|line| line.amount_minor != 0).collect();
    let period = Period { start, end };
    (!lines.is_empty()).then_some(InvoiceDraft { lines, currency, period })
}

/// What a plan costs in a year: which of two is the dearer one.
fn yearly(deal: &Deal) -> i64 {
    match deal.interval {
        Interval::Month => deal.price_minor.saturating_mul(12),
        Interval::Year => deal.price_minor,
    }
}

/// Whether a change to `deal` can begin now: nothing is to be given back for it.
pub fn may_begin_now(was: &Subscription, deal: &Deal) -> bool {
    let shorter = was.deal.interval == Interval::Year && deal.interval == Interval::Month;
    was.charged.is_none()
        || (deal.currency == was.deal.currency && yearly(deal) >= yearly(&was.deal) && !shorter)
}

/// Another plan from now on. What was paid for the old one and is not used comes off the new one's price.
///
/// # Errors
/// 409 when it has ended; 422 at `/when` when it would give money back: a cheaper plan, a shorter interval and another
/// currency begin with the next period.
pub fn change_now(was: &Subscription, deal: Deal, now: WallTime, zone: Tz) -> Result<Step, Refusal> {
    if was.status == Status::Canceled {
        return Err(ended());
    }
    if !may_begin_now(was, &deal) {
        let detail = "now is for a plan that costs at least as much, in the same currency and for no shorter interval; \
                      period_end lets any plan begin";
        return Err(Refusal::invalid(vec![Fault::new("/when", "not_allowed", detail)]));
    }
    let now = not_before(was, now);
    let mut subscription = Subscription { deal, next_plan: None, ends: false, ..was.clone() };
    let Some(paid) = was.charged.filter(|paid| paid.term.end > now) else {
        return Ok(Step::to(subscription));
    };
    let term = if was.deal.interval == subscription.deal.interval {
        paid.term
    } else {
        months_from(now, months(subscription.deal.interval), zone)
    };
    let line = base(&subscription.deal, term, now);
    let unused = Period { start: now, end: paid.term.end };
    let covered = Period { start: paid.from, end: paid.term.end };
    let back = share(paid.minor, unused.millis(), covered.millis());
    let credit = Line {
        kind: LineKind::Proration,
        text: format!("{}, not used", was.deal.name),
        period: unused,
        quantity: 1,
        amount_minor: -back,
    };
    subscription.charged = Some(Charged { term, from: now, minor: line.amount_minor });
    let is_owed = line.amount_minor > back;
    let draft = invoice(vec![credit, line], subscription.deal.currency, now, term.end).filter(|_| is_owed);
    Ok(Step { invoices: draft.into_iter().collect(), ..Step::to(subscription) })
}

/// Another plan from the next period on; `None` leaves the present one.
///
/// # Errors
/// 409 when it has ended.
pub fn change_next(was: &Subscription, plan: Option<String>) -> Result<Step, Refusal> {
    if was.status == Status::Canceled {
        return Err(ended());
    }
    Ok(Step::to(Subscription { next_plan: plan, ..was.clone() }))
}

/// Ends with the period that is paid for, or goes on after all.
///
/// # Errors
/// 409 when it has ended.
pub fn end_with_period(was: &Subscription, ends: bool) -> Result<Step, Refusal> {
    if was.status == Status::Canceled {
        return Err(ended());
    }
    Ok(Step::to(Subscription { ends, ..was.clone() }))
}

/// Ends now. Nothing is given back by itself: a credit note is for that.
///
/// # Errors
/// 409 when it has ended.
pub fn end_now(was: &Subscription, now: WallTime) -> Result<Step, Refusal> {
    if was.status == Status::Canceled {
        return Err(ended());
    }
    Ok(Step::to(was.ended(not_before(was, now))))
}

/// Begins again after its end, without a trial.
///
/// # Errors
/// 409 unless it has ended, and while something is due.
pub fn begin_again(was: &Subscription, deal: Deal, facts: Facts<'_>, now: WallTime) -> Result<Step, Refusal> {
    if was.status != Status::Canceled {
        return Err(Refusal::conflict("the subscription has not ended; PATCH changes its plan"));
    }
    let now = not_before(was, now);
    if facts.due.is_some_and(|due| due <= now) {
        return Err(Refusal::conflict("an invoice is past its due date; settle it first"));
    }
    let subscription = Subscription { deal, ends: false, next_plan: None, trial_end: None, ..was.clone() };
    Ok(activate(subscription, now, facts.zone))
}

fn ended() -> Refusal {
    Refusal::conflict("the subscription has ended; start it again with POST …/subscription/reactivate")
}
