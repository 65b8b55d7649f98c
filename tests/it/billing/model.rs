//! Two years of one tenant, played against a second way to keep the books: half an hour after half an hour, with the credit in
//! a purse instead of a ledger, and months found by looking at the calendar on the wall. After every act both must agree to
//! the unit.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{Datelike, TimeZone};
use chrono_tz::Tz;
use columba::billing::invoice::{self, Act};
use columba::billing::subscription::{self, Facts, Patience, Step};
use columba::domain::id::TenantId;
use columba::domain::invoice::{Account, InvoiceStatus};
use columba::domain::money::Currency;
use columba::domain::plan::{Interval, Quota, Tier};
use columba::domain::subscription::{Deal, Subscription, SubscriptionStatus as Status};
use columba::domain::time::{Period, WallTime};
use columba::ports::ledger::Metered;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

const HALF_HOUR: i64 = 30 * 60 * 1000;
const DAY: i64 = 48;
/// 2027-01-01T00:00:00Z, in half hours. 2028 has a leap day.
const FIRST: i64 = 999_312;
const LAST: i64 = FIRST + 2 * 365 * DAY;
const DUE_AFTER: i64 = 14 * DAY;
const REMINDER: i64 = 7 * DAY;
const GRACE: i64 = 7 * DAY;
const TAX_BPS: u32 = 1_900;
const LIMIT: u64 = 100;

fn at(half_hour: i64) -> WallTime {
    WallTime(half_hour * HALF_HOUR)
}

fn deals() -> [Deal; 6] {
    let deal = |plan: &str, price_minor, currency: &str, interval, tariff: &[(Option<u64>, i64, u32)]| Deal {
        plan: plan.to_owned(),
        name: plan.to_owned(),
        price_minor,
        currency: currency.parse().expect("a currency"),
        interval,
        tariff: tariff
            .iter()
            .map(|&(up_to, price_minor, per)| Tier {
                up_to,
                price_minor,
                per: per.try_into().expect("not zero"),
            })
            .collect(),
    };
    use Interval::{Month, Year};
    [
        deal("free", 0, "EUR", Month, &[]),
        deal("small", 1_900, "EUR", Month, &[(None, 2, 1)]),
        deal("large", 9_901, "EUR", Month, &[(Some(50), 2, 1), (None, 700, 1_000)]),
        deal("yearly", 99_999, "EUR", Year, &[(None, 1, 3)]),
        deal("rupees", 149_900, "INR", Month, &[(None, 35, 1)]),
        deal("huge", 2_000_003, "EUR", Year, &[]),
    ]
}

/// What both sides are told.
#[derive(Debug, Clone, Copy)]
enum Act1 {
    Tick,
    Send(u64),
    /// A message of an earlier month turns out to have left.
    LateReceipt,
    Pay {
        nth: usize,
        all: bool,
    },
    Note {
        nth: usize,
        part: i64,
    },
    Void(usize),
    WriteOff(usize),
    Grant(i64),
    Refund(i64),
    Now(usize),
    Next(Option<usize>),
    Ends(bool),
    EndNow,
    Again(usize),
}

fn draw(rng: &mut SmallRng) -> Act1 {
    let nth = rng.random_range(0..4);
    match rng.random_range(0..100) {
        0..30 => Act1::Tick,
        30..50 => Act1::Send(rng.random_range(1..120)),
        50..53 => Act1::LateReceipt,
        53..73 => Act1::Pay { nth, all: rng.random_bool(0.8) },
        73..77 => Act1::Note { nth, part: rng.random_range(1..20_000) },
        77..79 => Act1::Void(nth),
        79..80 => Act1::WriteOff(nth),
        80..82 => Act1::Grant(rng.random_range(1..10_000)),
        82..84 => Act1::Refund(rng.random_range(1..5_000)),
        84..89 => Act1::Now(rng.random_range(0..6)),
        89..93 => Act1::Next(rng.random_bool(0.8).then(|| rng.random_range(0..6))),
        93..95 => Act1::Ends(rng.random_bool(0.6)),
        95..96 => Act1::EndNow,
        _ => Act1::Again(rng.random_range(0..6)),
    }
}

/// One invoice as either side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Paper {
    currency: Currency,
    lines: Vec<i64>,
    total: i64,
    due: i64,
    status: InvoiceStatus,
    due_at: i64,
}

/// What both sides have to agree on.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    status: (Status, i64),
    plan: String,
    next: Option<String>,
    ends: bool,
    /// What is paid for: from when, until when, how much.
    paid: Option<(i64, i64, i64)>,
    month: (i64, i64),
    papers: Vec<Paper>,
    credit: BTreeMap<&'static str, i64>,
}

// ---------------------------------------------------------------------------------------------------- the product

/// The rules of `billing`, with a store that is a few vectors.
struct Product {
    zone: Tz,
    subscription: Subscription,
    invoices: Vec<(Account, InvoiceStatus, Currency, i64, Vec<i64>)>,
    ledger: Vec<(Currency, i64)>,
    usage: Vec<Metered>,
}

impl Product {
    fn begin(zone: Tz, deal: Deal, trial_days: i64, now: i64) -> Self {
        let trial = Duration::from_millis((trial_days * DAY * HALF_HOUR) as u64);
        let step = subscription::begin(TenantId::mint(at(now)), deal, trial, at(now), zone);
        let subscription = step.subscription.clone();
        let mut product = Self { zone, subscription, invoices: vec![], ledger: vec![], usage: vec![] };
        product.commit(step, now);
        product
    }

    fn credit(&self, currency: Currency) -> i64 {
        let balance = self.ledger.iter().filter(|(of, _)| *of == currency).map(|(_, minor)| minor).sum();
        let open = self
            .invoices
            .iter()
            .filter(|(_, status, of, ..)| *status == InvoiceStatus::Open && *of == currency);
        invoice::available(balance, open.map(|(account, ..)| account.due_minor()).sum())
    }

    fn commit(&mut self, step: Step, now: i64) {
        self.subscription = step.subscription;
        for draft in step.invoices {
            let sum: i64 = draft.lines.iter().map(|line| line.amount_minor).sum();
            let (account, status) = invoice::issue(&draft, TAX_BPS, self.credit(draft.currency));
            assert_eq!((sum, sum + account.tax_minor), (account.subtotal_minor, account.total_minor));
            let lines = draft.lines.iter().map(|line| line.amount_minor).collect();
            self.ledger.push((draft.currency, account.total_minor));
            self.invoices.push((account, status, draft.currency, now + DUE_AFTER, lines));
        }
        for (month, billed) in step.billed {
            let usage = self.usage.iter_mut().find(|usage| usage.month == month).expect("a month");
            assert!(billed >= usage.billed);
            usage.billed = billed;
        }
    }

    fn with_facts<T>(&self, deals: &[Deal], act: impl FnOnce(Facts<'_>) -> T) -> T {
        let find = |code: &str| deals.iter().find(|deal| deal.plan == code);
        let open = self.invoices.iter().filter(|(_, status, ..)| *status == InvoiceStatus::Open);
        act(Facts {
            due: open.map(|(.., due, _)| at(*due)).min(),
            metered: &self.usage,
            next: self.subscription.next_plan.as_deref().and_then(find),
            present: find(&self.subscription.deal.plan),
            patience: Patience {
                reminder: Duration::from_millis((REMINDER * HALF_HOUR) as u64),
                grace: Duration::from_millis((GRACE * HALF_HOUR) as u64),
            },
            zone: self.zone,
        })
    }

    fn tick(&mut self, deals: &[Deal], now: i64) {
        while let Some(step) =
            self.with_facts(deals, |facts| subscription::next(&self.subscription, facts, at(now)))
        {
            self.commit(step, now);
        }
    }

    fn touch(&mut self, nth: usize, act: impl FnOnce(Account, InvoiceStatus) -> Option<Act>) -> bool {
        let count = self.invoices.len();
        let Some((account, status, currency, ..)) =
            count.checked_sub(nth + 1).map(|at| &mut self.invoices[at])
        else {
            return false;
        };
        let Some(done) = act(*account, *status) else { return false };
        (*account, *status) = (done.account, done.status);
        self.ledger.extend(done.entries.into_iter().map(|(_, minor)| (*currency, minor)));
        true
    }

    fn act(&mut self, act: Act1, deals: &[Deal], now: i64) -> bool {
        let step = match act {
            Act1::Tick => return true,
            Act1::Send(units) => {
                self.charge(units, self.subscription.month);
                return true;
            }
            Act1::LateReceipt => {
                let Some(earlier) = self.usage.iter().rev().nth(1).map(|usage| usage.month) else {
                    return false;
                };
                self.charge(1, earlier);
                return true;
            }
            Act1::Pay { nth, all } => {
                return self.touch(nth, |account, status| {
                    let due = account.due_minor();
                    invoice::pay(account, status, if all { due } else { due / 2 }).ok()
                });
            }
            Act1::Note { nth, part } => {
                return self.touch(nth, |account, status| invoice::note(account, status, part).ok());
            }
            Act1::Void(nth) => return self.touch(nth, |account, status| invoice::void(account, status).ok()),
            Act1::WriteOff(nth) => {
                return self.touch(nth, |account, status| invoice::write_off(account, status).ok());
            }
            Act1::Grant(minor) => {
                let entry = invoice::grant(minor).expect("in range");
                self.ledger.push((self.subscription.deal.currency, entry.1));
                return true;
            }
            Act1::Refund(minor) => {
                let currency = self.subscription.deal.currency;
                let Ok(entry) = invoice::refund(self.credit(currency), minor) else { return false };
                self.ledger.push((currency, entry.1));
                return true;
            }
            Act1::Now(plan) => {
                subscription::change_now(&self.subscription, deals[plan].clone(), at(now), self.zone)
            }
            Act1::Next(plan) => {
                subscription::change_next(&self.subscription, plan.map(|plan| deals[plan].plan.clone()))
            }
            Act1::Ends(ends) => subscription::end_with_period(&self.subscription, ends),
            Act1::EndNow => subscription::end_now(&self.subscription, at(now)),
            Act1::Again(plan) => self.with_facts(deals, |facts| {
                subscription::begin_again(&self.subscription, deals[plan].clone(), facts, at(now))
            }),
        };
        step.map(|step| self.commit(step, now)).is_ok()
    }

    fn charge(&mut self, units: u64, month: Period) {
        if let Some(usage) = self.usage.iter_mut().find(|usage| usage.month == month) {
            usage.used += units;
        } else {
            self.usage.push(Metered { month, limit: LIMIT, quota: Quota::Soft, used: units, billed: 0 });
        }
    }

    fn picture(&self) -> Picture {
        let paper = |(account, status, currency, due_at, lines): &(
            Account,
            InvoiceStatus,
            Currency,
            i64,
            Vec<i64>,
        )| Paper {
            currency: *currency,
            lines: lines.clone(),
            total: account.total_minor,
            due: account.due_minor(),
            status: *status,
            due_at: *due_at,
        };
        let currencies: Vec<Currency> =
            ["EUR", "INR"].iter().map(|code| code.parse().expect("a currency")).collect();
        Picture {
            status: (self.subscription.status, self.subscription.since.0 / HALF_HOUR),
            plan: self.subscription.deal.plan.clone(),
            next: self.subscription.next_plan.clone(),
            ends: self.subscription.ends,
            paid: self
                .subscription
                .charged
                .map(|charged| (charged.from.0 / HALF_HOUR, charged.term.end.0 / HALF_HOUR, charged.minor)),
            month: (self.subscription.month.start.0 / HALF_HOUR, self.subscription.month.end.0 / HALF_HOUR),
            papers: self.invoices.iter().map(paper).collect(),
            credit: currencies.into_iter().map(|currency| (currency.code(), self.credit(currency))).collect(),
        }
    }
}

// -------------------------------------------------------------------------------------------------- the reference

/// First half hours of months on a zone's clocks, found by walking.
fn firsts(zone: Tz) -> Vec<i64> {
    let month = |half_hour: i64| {
        zone.timestamp_millis_opt(half_hour * HALF_HOUR).single().map(|local| (local.year(), local.month()))
    };
    (FIRST - 40 * DAY..LAST + 450 * DAY).filter(|&t| month(t) != month(t - 1)).collect()
}

/// An amount times a part, rounded as a cashier does.
fn part_of(amount: i64, part: i64, whole: i64) -> i64 {
    let product = i128::from(amount) * i128::from(part);
    let (down, rest) = (product / i128::from(whole), product % i128::from(whole));
    (down + i128::from(rest * 2 >= i128::from(whole))) as i64
}

/// What so many messages beyond the quota cost, counted one tier at a time by hand.
fn cost_of(deal: &Deal, units: u64) -> i64 {
    let mut left = units;
    let mut below = 0;
    let mut sum = 0;
    for tier in &deal.tariff {
        let room = tier.up_to.map_or(left, |up_to| up_to - below).min(left);
        sum += part_of(tier.price_minor, room as i64, i64::from(tier.per.get()));
        left -= room;
        below += room;
    }
    sum
}

struct Book {
    /// Half hours at which months begin.
    firsts: Vec<i64>,
    last: i64,
    status: Status,
    since: i64,
    deal: Deal,
    month: usize,
    /// Paid for: from, to, length of the whole term, how much.
    paid: Option<(i64, i64, i64, i64)>,
    trial_end: Option<i64>,
    next: Option<usize>,
    ends: bool,
    papers: Vec<Paper>,
    applied: Vec<i64>,
    settled: Vec<i64>,
    noted: Vec<i64>,
    purse: BTreeMap<&'static str, i64>,
    /// Used and billed, by month.
    usage: BTreeMap<usize, (u64, u64)>,
}

impl Book {
    fn begin(firsts: Vec<i64>, deal: Deal, trial_days: i64, now: i64) -> Self {
        let month = firsts.iter().rposition(|&first| first <= now).expect("a month");
        let mut book = Self {
            firsts,
            last: now,
            status: Status::Trialing,
            since: now,
            deal,
            month,
            paid: None,
            trial_end: Some(now + trial_days * DAY),
            next: None,
            ends: false,
            papers: vec![],
            applied: vec![],
            settled: vec![],
            noted: vec![],
            purse: BTreeMap::from([("EUR", 0), ("INR", 0)]),
            usage: BTreeMap::new(),
        };
        if trial_days == 0 {
            book.trial_end = None;
            book.start_paying(now, now);
        }
        book
    }

    fn month_at(&self, t: i64) -> usize {
        self.firsts.iter().rposition(|&first| first <= t).expect("a month")
    }

    fn term_at(&self, t: i64) -> (i64, i64) {
        let month = self.month_at(t);
        let months = if self.deal.interval == Interval::Month { 1 } else { 12 };
        (self.firsts[month], self.firsts[month + months])
    }

    fn base(&mut self, from: i64) -> i64 {
        let (start, end) = self.term_at(from);
        let amount = part_of(self.deal.price_minor, end - from, end - start);
        self.paid = Some((from, end, end - start, amount));
        amount
    }

    fn issue(&mut self, currency: Currency, lines: Vec<i64>, now: i64) {
        let lines: Vec<i64> = lines.into_iter().filter(|amount| *amount != 0).collect();
        if lines.is_empty() {
            return;
        }
        let subtotal: i64 = lines.iter().sum();
        let total = subtotal + part_of(subtotal, i64::from(TAX_BPS), 10_000);
        let purse = self.purse.get_mut(currency.code()).expect("a purse");
        let applied = total.min(*purse);
        *purse -= applied;
        let due = total - applied;
        let status = if due == 0 { InvoiceStatus::Paid } else { InvoiceStatus::Open };
        self.papers.push(Paper { currency, lines, total, due, status, due_at: now + DUE_AFTER });
        self.applied.push(applied);
        self.settled.push(0);
        self.noted.push(0);
    }

    fn start_paying(&mut self, t: i64, now: i64) {
        self.status = Status::Active;
        self.since = t;
        self.month = self.month_at(t);
        let amount = self.base(t);
        self.issue(self.deal.currency, vec![amount], now);
    }

    fn oldest_due(&self) -> Option<i64> {
        self.papers.iter().filter(|paper| paper.status == InvoiceStatus::Open).map(|paper| paper.due_at).min()
    }

    /// Lines for messages beyond the quota of every month up to this one.
    fn beyond(&mut self, upto: usize, is_free: bool) -> Vec<i64> {
        let mut lines = vec![];
        for (_, (used, billed)) in self.usage.range_mut(..=upto) {
            let over = used.saturating_sub(LIMIT);
            if over > *billed {
                if !is_free {
                    lines.push(cost_of(&self.deal, over) - cost_of(&self.deal, *billed));
                }
                *billed = over;
            }
        }
        lines
    }

    /// Never before the last thing that happened, whatever the clock on the wall shows.
    fn now(&self, seen: i64) -> i64 {
        [self.since, self.firsts[self.month], self.paid.map_or(0, |(from, ..)| from)]
            .into_iter()
            .fold(seen, i64::max)
    }

    /// `seen`: what the clock shows, which stands on the papers.
    fn tick(&mut self, deals: &[Deal], seen: i64) {
        let now = self.now(seen);
        for t in self.last.min(now)..=now {
            if self.status == Status::Trialing && self.trial_end.is_some_and(|end| end <= t) {
                self.beyond(self.month, true);
                self.trial_end = None;
                if self.ends {
                    (self.status, self.since, self.ends) = (Status::Canceled, t, false);
                } else {
                    self.start_paying(t, seen);
                }
            }
            while self.firsts[self.month + 1] <= t {
                self.end_month(deals, seen);
            }
            for _ in 0..3 {
                let Some(due) = self.oldest_due() else { break };
                let next = match self.status {
                    Status::Active if t >= due => Status::PastDue,
                    Status::PastDue if t >= due + REMINDER => Status::Grace,
                    Status::Grace if t >= due + REMINDER + GRACE => Status::Suspended,
                    _ => break,
                };
                (self.status, self.since) = (next, t);
            }
        }
        self.last = now;
        let behind = matches!(self.status, Status::PastDue | Status::Grace | Status::Suspended);
        if behind && self.oldest_due().is_none_or(|due| due > now) {
            (self.status, self.since) = (Status::Active, now);
            if self.paid.is_none_or(|(_, end, ..)| end <= now) {
                self.start_paying(now, seen);
            }
        }
    }

    fn end_month(&mut self, deals: &[Deal], seen: i64) {
        let end = self.firsts[self.month + 1];
        let old = self.deal.currency;
        let mut lines = self.beyond(self.month, self.status == Status::Trialing);
        self.month += 1;
        let is_due = self.paid.is_none_or(|(_, until, ..)| until <= end);
        if is_due {
            self.paid = None;
            if self.ends && self.status != Status::Canceled {
                (self.status, self.since, self.ends) = (Status::Canceled, end, false);
            }
            if let Some(next) = self.next.take() {
                self.deal = deals[next].clone();
            }
        }
        let pays = matches!(self.status, Status::Active | Status::PastDue | Status::Grace);
        let base = if is_due && pays { vec![self.base(end)] } else { vec![] };
        if self.deal.currency == old {
            lines.extend(base);
            self.issue(old, lines, seen);
        } else {
            self.issue(old, lines, seen);
            self.issue(self.deal.currency, base, seen);
        }
    }

    fn nth(&self, nth: usize) -> Option<usize> {
        self.papers.len().checked_sub(nth + 1)
    }

    fn act(&mut self, act: Act1, deals: &[Deal], seen: i64) -> bool {
        let now = self.now(seen);
        match act {
            Act1::Tick => true,
            Act1::Send(units) => {
                self.usage.entry(self.month).or_default().0 += units;
                true
            }
            Act1::LateReceipt => {
                let Some(earlier) = self.usage.keys().rev().nth(1).copied() else { return false };
                self.usage.entry(earlier).or_default().0 += 1;
                true
            }
            Act1::Pay { nth, all } => self.pay(nth, all),
            Act1::Note { nth, part } => self.note(nth, part),
            Act1::Void(nth) => {
                let Some(index) = self.nth(nth) else { return false };
                let paper = &mut self.papers[index];
                let open = matches!(paper.status, InvoiceStatus::Open | InvoiceStatus::Paid);
                if !open || self.settled[index] > 0 || self.noted[index] > 0 {
                    return false;
                }
                paper.status = InvoiceStatus::Void;
                *self.purse.get_mut(paper.currency.code()).expect("a purse") += self.applied[index];
                true
            }
            Act1::WriteOff(nth) => {
                let Some(index) = self.nth(nth) else { return false };
                let is_open = self.papers[index].status == InvoiceStatus::Open;
                if is_open {
                    self.papers[index].status = InvoiceStatus::Uncollectible;
                }
                is_open
            }
            Act1::Grant(minor) => {
                *self.purse.get_mut(self.deal.currency.code()).expect("a purse") += minor;
                true
            }
            Act1::Refund(minor) => {
                let purse = self.purse.get_mut(self.deal.currency.code()).expect("a purse");
                let enough = *purse >= minor;
                *purse -= if enough { minor } else { 0 };
                enough
            }
            _ if self.status == Status::Canceled => match act {
                Act1::Again(plan) if self.oldest_due().is_none_or(|due| due > now) => {
                    self.deal = deals[plan].clone();
                    (self.next, self.ends, self.trial_end) = (None, false, None);
                    self.start_paying(now, seen);
                    true
                }
                _ => false,
            },
            Act1::Now(plan) => self.upgrade(&deals[plan], seen),
            Act1::Next(plan) => {
                self.next = plan;
                true
            }
            Act1::Ends(ends) => {
                self.ends = ends;
                true
            }
            Act1::EndNow => {
                (self.status, self.since) = (Status::Canceled, now);
                (self.paid, self.trial_end, self.next, self.ends) = (None, None, None, false);
                true
            }
            Act1::Again(_) => false,
        }
    }

    fn pay(&mut self, nth: usize, all: bool) -> bool {
        let Some(index) = self.nth(nth) else { return false };
        let paper = &mut self.papers[index];
        let amount = if all { paper.due } else { paper.due / 2 };
        if !matches!(paper.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible) || amount == 0 {
            return false;
        }
        paper.due -= amount;
        self.settled[index] += amount;
        if paper.due == 0 {
            paper.status = InvoiceStatus::Paid;
        }
        true
    }

    fn note(&mut self, nth: usize, part: i64) -> bool {
        let Some(index) = self.nth(nth) else { return false };
        let paper = &mut self.papers[index];
        let open = matches!(paper.status, InvoiceStatus::Open | InvoiceStatus::Paid);
        if !open || self.noted[index] + part > paper.total {
            return false;
        }
        self.noted[index] += part;
        let off = part.min(paper.due);
        paper.due -= off;
        if paper.due == 0 {
            paper.status = InvoiceStatus::Paid;
        }
        *self.purse.get_mut(paper.currency.code()).expect("a purse") += part - off;
        true
    }

    fn upgrade(&mut self, deal: &Deal, seen: i64) -> bool {
        let now = self.now(seen);
        let per_year = |deal: &Deal| {
            if deal.interval == Interval::Year { deal.price_minor } else { deal.price_minor * 12 }
        };
        if self.paid.is_some() {
            let shorter = self.deal.interval == Interval::Year && deal.interval == Interval::Month;
            if deal.currency != self.deal.currency || per_year(deal) < per_year(&self.deal) || shorter {
                return false;
            }
        }
        let was = std::mem::replace(&mut self.deal, deal.clone());
        (self.next, self.ends) = (None, false);
        let Some((from, end, whole, paid)) = self.paid.filter(|(_, end, ..)| *end > now) else { return true };
        let (amount, term) = if was.interval == deal.interval {
            (part_of(deal.price_minor, end - now, whole), (end, whole))
        } else {
            let (start, end) = self.term_at(now);
            (part_of(deal.price_minor, end - now, end - start), (end, end - start))
        };
        let back = part_of(paid, end - now, end - from);
        self.paid = Some((now, term.0, term.1, amount));
        if amount > back {
            self.issue(deal.currency, vec![-back, amount], seen);
        }
        true
    }

    fn picture(&self) -> Picture {
        Picture {
            status: (self.status, self.since),
            plan: self.deal.plan.clone(),
            next: self.next.map(|next| deals()[next].plan.clone()),
            ends: self.ends,
            paid: self.paid.map(|(from, end, _, amount)| (from, end, amount)),
            month: (self.firsts[self.month], self.firsts[self.month + 1]),
            papers: self.papers.clone(),
            credit: self.purse.clone(),
        }
    }
}

// ------------------------------------------------------------------------------------------------------ the play

/// Plays `count` histories from `seed` on; how many acts were carried out.
pub fn play(seed: u64, count: u64) -> u64 {
    let zones =
        [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kolkata, Tz::America__Sao_Paulo, Tz::Pacific__Auckland];
    let firsts: Vec<_> = zones.iter().map(|zone| firsts(*zone)).collect();
    let deals = deals();
    let mut carried_out = 0;
    for seed in seed..seed + count {
        let mut rng = SmallRng::seed_from_u64(seed);
        let pick = rng.random_range(0..zones.len());
        let deal = deals[rng.random_range(0..deals.len())].clone();
        let trial = if rng.random_bool(0.3) { rng.random_range(1..40) } else { 0 };
        let mut now = FIRST + rng.random_range(0..60 * DAY);
        let mut product = Product::begin(zones[pick], deal.clone(), trial, now);
        let mut book = Book::begin(firsts[pick].clone(), deal, trial, now);
        let mut told = vec![];
        while now < LAST {
            // Mostly days pass; at times the server was away for weeks.
            now += if rng.random_bool(0.02) {
                rng.random_range(0..70 * DAY)
            } else {
                rng.random_range(0..9 * DAY)
            };
            // Rarely the clock on the wall is set back for a while.
            let back = if rng.random_bool(0.05) { rng.random_range(1..DUE_AFTER) } else { 0 };
            let seen = (now - back).max(FIRST);
            let act = draw(&mut rng);
            told.push((seen, act));
            product.tick(&deals, seen);
            book.tick(&deals, seen);
            let (ours, theirs) = (product.act(act, &deals, seen), book.act(act, &deals, seen));
            assert_eq!(ours, theirs, "seed {seed}: one side refused {act:?}; {told:?}");
            assert_eq!(product.picture(), book.picture(), "seed {seed}, after {act:?} at {now}; {told:?}");
            carried_out += u64::from(ours);
        }
    }
    carried_out
}

#[test]
fn two_years_of_a_tenant_cost_what_a_second_bookkeeper_says() {
    // More by COLUMBA_BILLING_HISTORIES, shared by as many threads as there are cores.
    let count =
        std::env::var("COLUMBA_BILLING_HISTORIES").map_or(2_000, |text| text.parse().expect("a number"));
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let share = count / cores;
    let carried_out: u64 = std::thread::scope(|scope| {
        let of = |core: u64| (core * share, if core + 1 == cores { count - core * share } else { share });
        let threads: Vec<_> =
            (0..cores).map(|core| scope.spawn(move || play(of(core).0, of(core).1))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no difference")).sum()
    });
    println!("{count} histories, {carried_out} acts, 0 differences");
    assert!(carried_out > count * 60, "too little happened: {carried_out} acts");
}
