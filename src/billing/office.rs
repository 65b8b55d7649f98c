//! What the clock and an operator may ask for: the tenant's books in, what is written out. Everything that a store does with
//! money was decided here.

use std::time::Duration;

use chrono_tz::Tz;

use super::invoice::{self, Act};
use super::subscription::{self, Facts, Patience, Step};
use crate::domain::audit::Action;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::invoice::{EntryKind, Invoice, InvoiceDraft, InvoiceStatus, Party};
use crate::domain::money::{Currency, share};
use crate::domain::plan::Plan;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::subscription::{Deal, Subscription, SubscriptionStatus};
use crate::domain::time::WallTime;
use crate::ports::ledger::{BillingProfile, Books, Issue, NewNote, Outcome, Posting};

/// Longest reason and reference, in characters.
const REASON: usize = 500;
const REFERENCE: usize = 255;

/// Whoever issues the invoices, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// As invoices name it.
    pub party: Party,
    /// How to pay, and what the law wants said.
    pub note: String,
    /// Hundredths of a per cent, for tenants without a rate of their own.
    pub tax_rate_bps: u32,
    /// How long an invoice may take.
    pub due_after: Duration,
    /// What follows when it takes longer.
    pub patience: Patience,
    /// On whose clocks months begin.
    pub zone: Tz,
    /// What numbers of its invoices begin with.
    pub invoices: String,
    /// What numbers of its credit notes begin with.
    pub credit_notes: String,
}

/// What a plan means for the period that begins.
pub fn deal(plan: &Plan) -> Result<Deal, Refusal> {
    Ok(Deal {
        plan: plan.code.clone(),
        name: plan.name.clone(),
        price_minor: plan.price_minor,
        currency: plan.currency.parse().map_err(|_| Refusal::conflict("the plan's currency is not known"))?,
        interval: plan.interval,
        tariff: plan.tariff(),
    })
}

impl Issuer {
    /// The next thing that is due by `now` at a tenant; an empty outcome when there is nothing to do but to wait.
    ///
    /// # Errors
    /// When the plan is gone or its currency is not known: nothing is decided then.
    pub fn next(&self, tenant: TenantId, books: &Books, now: WallTime) -> Result<Outcome, Refusal> {
        let Some(was) = &books.subscription else {
            let plan = self.plan(books, &books.plan)?;
            let trial = Duration::from_secs(u64::from(plan.trial_days) * 24 * 3600);
            return Ok(self.written(
                books,
                subscription::begin(tenant, deal(plan)?, trial, now, self.zone),
                now,
            ));
        };
        let step = self.with_facts(books, was, |facts| subscription::next(was, facts, now));
        Ok(match step {
            Some(step) => self.written(books, step, now),
            None => Outcome { wakes_at: Some(self.wakes_at(books, was)), ..Outcome::default() },
        })
    }

    /// Another plan from now on, with its caps.
    ///
    /// # Errors
    /// 422 at `/plan` when there is no such plan, and those of [`subscription::change_now`].
    pub fn change_now(&self, books: &Books, code: &str, now: WallTime) -> Result<Outcome, Refusal> {
        let step = subscription::change_now(self.agreed(books)?, self.deal(books, code)?, now, self.zone)?;
        let outcome = self.written(books, step, now);
        Ok(Outcome { plan: Some(code.to_owned()), action: Some(Action::SubscriptionChange), ..outcome })
    }

    /// What a plan that was given to a tenant with its caps means for what it pays: a dearer one is paid from now on, a cheaper
    /// one from the next period on, and nothing is given back. Before the first decision, and after the end, it means nothing
    /// yet.
    ///
    /// # Errors
    /// As [`change_now`](Self::change_now), but for what would give money back.
    pub fn give(&self, books: &Books, code: &str, now: WallTime) -> Result<Outcome, Refusal> {
        let deal = self.deal(books, code)?;
        let Some(was) = books.subscription.as_ref().filter(|was| was.status != SubscriptionStatus::Canceled)
        else {
            return Ok(Outcome::default());
        };
        if was.deal.plan != code && subscription::may_begin_now(was, &deal) {
            return self.change_now(books, code, now);
        }
        // What was planned before is not what the operator wants now.
        if was.next_plan.is_some() { self.change_next(books, None, now) } else { Ok(Outcome::default()) }
    }

    /// Another plan as soon as it can begin without giving money back: now, or with the next period.
    ///
    /// # Errors
    /// As [`change_now`](Self::change_now) and [`change_next`](Self::change_next).
    pub fn change(&self, books: &Books, code: &str, now: WallTime) -> Result<Outcome, Refusal> {
        let deal = self.deal(books, code)?;
        if subscription::may_begin_now(self.agreed(books)?, &deal) {
            self.change_now(books, code, now)
        } else {
            self.change_next(books, Some(code), now)
        }
    }

    /// Another plan from the next period on; its caps bind from then as well.
    ///
    /// # Errors
    /// 422 at `/plan` when there is no such plan; 409 when the subscription has ended.
    pub fn change_next(&self, books: &Books, code: Option<&str>, now: WallTime) -> Result<Outcome, Refusal> {
        if let Some(code) = code {
            self.deal(books, code)?;
        }
        let step = subscription::change_next(self.agreed(books)?, code.map(str::to_owned))?;
        Ok(Outcome { action: Some(Action::SubscriptionChange), ..self.written(books, step, now) })
    }

    /// The end, with the period that is paid for or now; or no end after all.
    ///
    /// # Errors
    /// 409 when it has ended.
    pub fn end(&self, books: &Books, end: End, now: WallTime) -> Result<Outcome, Refusal> {
        let was = self.agreed(books)?;
        let step = match end {
            End::Now => subscription::end_now(was, now)?,
            End::WithPeriod => subscription::end_with_period(was, true)?,
            End::Never => subscription::end_with_period(was, false)?,
        };
        Ok(Outcome { action: Some(Action::SubscriptionEnd), ..self.written(books, step, now) })
    }

    /// A new beginning after the end.
    ///
    /// # Errors
    /// Those of [`subscription::begin_again`].
    pub fn begin_again(&self, books: &Books, code: &str, now: WallTime) -> Result<Outcome, Refusal> {
        let was = self.agreed(books)?;
        let deal = self.deal(books, code)?;
        let step = self.with_facts(books, was, |facts| subscription::begin_again(was, deal, facts, now))?;
        let outcome = self.written(books, step, now);
        Ok(Outcome { plan: Some(code.to_owned()), action: Some(Action::SubscriptionReactivate), ..outcome })
    }

    /// Money came in for an invoice. A payment that is known already changes nothing.
    ///
    /// # Errors
    /// Those of [`invoice::pay`], 422 for another currency or a reference that is too long.
    pub fn pay(&self, books: &Books, payment: &Payment) -> Result<Outcome, Refusal> {
        if books.is_known {
            return Ok(Outcome::default());
        }
        let asked = named(books, payment.invoice)?;
        if payment.currency != asked.currency {
            let detail = format!("{} was given, the invoice is in {}", payment.currency, asked.currency);
            return Err(Refusal::invalid(vec![Fault::new("/currency", "not_allowed", detail)]));
        }
        short(payment.reference.as_deref(), "/reference", REFERENCE)?;
        let act = invoice::pay(asked.account, asked.status, payment.amount_minor)?;
        Ok(self.acted(books, asked, act, payment.reference.clone(), Action::InvoicePay))
    }

    /// Money came in that no invoice asks for any more, such as the second of two payments: it is to the tenant's credit.
    pub fn bank(&self, books: &Books, payment: &Payment) -> Outcome {
        if books.is_known {
            return Outcome::default();
        }
        let posting = Posting {
            kind: EntryKind::Payment,
            amount_minor: -payment.amount_minor,
            currency: payment.currency,
            invoice: Some(payment.invoice),
            reference: payment.reference.clone(),
        };
        Outcome { entries: vec![posting], action: Some(Action::InvoicePay), ..Outcome::default() }
    }

    /// An invoice is taken back in part or in whole by a paper of its own.
    ///
    /// # Errors
    /// Those of [`invoice::note`], 422 for a reason that is missing or too long.
    pub fn note(&self, books: &Books, note: NoteAsked) -> Result<Outcome, Refusal> {
        let asked = named(books, note.invoice)?;
        if note.reason.trim().is_empty() {
            return Err(Refusal::invalid(vec![Fault::new(
                "/reason",
                "missing",
                "why, as the customer reads it",
            )]));
        }
        short(Some(&note.reason), "/reason", REASON)?;
        let act = invoice::note(asked.account, asked.status, note.amount_minor)?;
        // The last one takes what is left of the tax, so that all of them together have exactly the invoice's.
        let tax = |upto: i64| {
            share(asked.account.tax_minor, upto.unsigned_abs(), asked.account.total_minor.unsigned_abs())
        };
        let tax_minor = tax(act.account.noted_minor) - tax(asked.account.noted_minor);
        let new = NewNote {
            id: note.id,
            series: self.credit_notes.clone(),
            invoice: asked.id,
            amount_minor: note.amount_minor,
            tax_minor,
            reason: note.reason,
        };
        let outcome = self.acted(books, asked, Act { entries: vec![], ..act }, None, Action::InvoiceCredit);
        Ok(Outcome { note: Some(new), ..outcome })
    }

    /// An invoice is taken back as if it had never been.
    ///
    /// # Errors
    /// Those of [`invoice::void`].
    pub fn void(&self, books: &Books, id: InvoiceId) -> Result<Outcome, Refusal> {
        let asked = named(books, id)?;
        let act = invoice::void(asked.account, asked.status)?;
        Ok(self.acted(books, asked, act, None, Action::InvoiceVoid))
    }

    /// An invoice is given up.
    ///
    /// # Errors
    /// Those of [`invoice::write_off`].
    pub fn write_off(&self, books: &Books, id: InvoiceId) -> Result<Outcome, Refusal> {
        let asked = named(books, id)?;
        let act = invoice::write_off(asked.account, asked.status)?;
        Ok(self.acted(books, asked, act, None, Action::InvoiceWriteOff))
    }

    /// A credit is granted, or money goes back.
    ///
    /// # Errors
    /// Those of [`invoice::grant`] and [`invoice::refund`], and 422 for a reference that is too long.
    pub fn adjust(&self, books: &Books, adjustment: Adjustment) -> Result<Outcome, Refusal> {
        if books.is_known {
            return Ok(Outcome::default());
        }
        short(adjustment.reference.as_deref(), "/reference", REFERENCE)?;
        let currency = adjustment.currency;
        let (kind, amount_minor) = match adjustment.kind {
            AdjustmentKind::Grant => invoice::grant(adjustment.amount_minor)?,
            AdjustmentKind::Refund => invoice::refund(available(books, currency), adjustment.amount_minor)?,
        };
        let posting =
            Posting { kind, amount_minor, currency, invoice: None, reference: adjustment.reference };
        Ok(Outcome { entries: vec![posting], action: Some(Action::LedgerAdjust), ..Outcome::default() })
    }

    /// Whom invoices are for from now on.
    pub fn set_profile(&self, profile: BillingProfile) -> Outcome {
        Outcome { profile: Some(profile), action: Some(Action::BillingProfile), ..Outcome::default() }
    }

    /// What an upgrade would cost now: the draft, without writing anything.
    ///
    /// # Errors
    /// As [`change_now`](Self::change_now).
    pub fn preview(&self, books: &Books, code: &str, now: WallTime) -> Result<Option<Issue>, Refusal> {
        Ok(self.change_now(books, code, now)?.issued.into_iter().next())
    }

    /// What a plan means for the period that begins with it.
    ///
    /// # Errors
    /// 422 at `/plan` when there is no such plan.
    pub fn deal(&self, books: &Books, code: &str) -> Result<Deal, Refusal> {
        deal(self.plan(books, code)?)
    }

    fn agreed<'a>(&self, books: &'a Books) -> Result<&'a Subscription, Refusal> {
        books
            .subscription
            .as_ref()
            .ok_or_else(|| Refusal::conflict("the subscription has not begun yet; ask again"))
    }

    fn plan<'a>(&self, books: &'a Books, code: &str) -> Result<&'a Plan, Refusal> {
        let unknown = || Refusal::invalid(vec![Fault::new("/plan", "not_allowed", "no plan has this code")]);
        books.plans.get(code).ok_or_else(unknown)
    }

    fn with_facts<T>(&self, books: &Books, was: &Subscription, act: impl FnOnce(Facts<'_>) -> T) -> T {
        let of = |code: &str| books.plans.get(code).and_then(|plan| deal(plan).ok());
        // An operator may have given the tenant another plan: its caps bind already, its price with the next period.
        let (next, present) = (was.next_plan.as_deref().and_then(of), of(&books.plan));
        act(Facts {
            due: open(books).map(|invoice| invoice.due_at).min(),
            metered: &books.metered,
            next: next.as_ref(),
            present: present.as_ref(),
            patience: self.patience,
            zone: self.zone,
        })
    }

    fn wakes_at(&self, books: &Books, was: &Subscription) -> WallTime {
        self.with_facts(books, was, |facts| subscription::wakes_at(was, facts))
    }

    /// A step with its invoices. It is looked at again at once: there may be more.
    fn written(&self, books: &Books, step: Step, now: WallTime) -> Outcome {
        let mut credit = std::collections::HashMap::new();
        let mut issued = Vec::new();
        for draft in step.invoices {
            let left =
                credit.entry(draft.currency.code()).or_insert_with(|| available(books, draft.currency));
            let issue = self.issue(books, draft, *left, now);
            *left -= issue.account.applied_minor;
            issued.push(issue);
        }
        let new_plan =
            books.subscription.as_ref().is_some_and(|was| was.deal.plan != step.subscription.deal.plan);
        Outcome {
            plan: new_plan.then(|| step.subscription.deal.plan.clone()),
            subscription: Some(step.subscription),
            wakes_at: Some(now),
            issued,
            billed: step.billed,
            ..Outcome::default()
        }
    }

    fn issue(&self, books: &Books, draft: InvoiceDraft, credit: i64, now: WallTime) -> Issue {
        let tax = books.profile.tax_rate_bps.unwrap_or(self.tax_rate_bps);
        let (account, status) = invoice::issue(&draft, tax, credit);
        Issue {
            id: InvoiceId::mint(now),
            series: self.invoices.clone(),
            draft,
            account,
            status,
            due_at: now + self.due_after,
            seller: self.party.clone(),
            buyer: books.profile.buyer(&books.name),
            note: self.note.clone(),
        }
    }

    /// An act on an invoice. What it changes about the subscription is decided when the clock asks, at once.
    fn acted(
        &self,
        books: &Books,
        asked: &Invoice,
        act: Act,
        reference: Option<String>,
        action: Action,
    ) -> Outcome {
        let posting = |(kind, amount_minor): (EntryKind, i64)| Posting {
            kind,
            amount_minor,
            currency: asked.currency,
            invoice: Some(asked.id),
            reference: reference.clone().filter(|_| kind == EntryKind::Payment),
        };
        Outcome {
            changed: vec![(asked.id, act.account, act.status)],
            entries: act.entries.into_iter().map(posting).collect(),
            wakes_at: books.subscription.as_ref().map(|_| WallTime(0)),
            action: Some(action),
            ..Outcome::default()
        }
    }
}

/// How a subscription is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At once.
    Now,
    /// With the period that is paid for.
    WithPeriod,
    /// Not.
    Never,
}

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// For which invoice.
    pub invoice: InvoiceId,
    /// How much.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// The other side's word for it.
    pub reference: Option<String>,
}

/// A credit note that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteAsked {
    /// The id it gets.
    pub id: CreditNoteId,
    /// To which invoice.
    pub invoice: InvoiceId,
    /// How much, with tax.
    pub amount_minor: i64,
    /// Why.
    pub reason: String,
}

/// Which way an adjustment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjustmentKind {
    /// The tenant gets a credit.
    Grant,
    /// The tenant gets money back, out of its credit.
    Refund,
}

/// An entry an operator makes by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    /// Which way.
    pub kind: AdjustmentKind,
    /// How much.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
    /// Why, or the other side's word for it.
    pub reference: Option<String>,
}

/// What a tenant has in credit.
pub fn available(books: &Books, currency: Currency) -> i64 {
    let balance = books.balances.iter().find(|(of, _)| *of == currency).map_or(0, |(_, minor)| *minor);
    let due =
        open(books).filter(|invoice| invoice.currency == currency).map(|invoice| invoice.account.due_minor());
    invoice::available(balance, due.sum())
}

fn open(books: &Books) -> impl Iterator<Item = &Invoice> {
    books.invoices.iter().filter(|invoice| invoice.status == InvoiceStatus::Open)
}

fn named(books: &Books, id: InvoiceId) -> Result<&Invoice, Refusal> {
    books.invoices.iter().find(|invoice| invoice.id == id).ok_or_else(Refusal::not_found)
}

fn short(text: Option<&str>, pointer: &'static str, most: usize) -> Result<(), Refusal> {
    let Some(text) = text.filter(|text| text.chars().count() > most || text.contains('\0')) else {
        return Ok(());
    };
    let detail = format!("{} characters were given; at most {most}, none of them NUL", text.chars().count());
    Err(Refusal::invalid(vec![Fault::new(pointer, "out_of_range", detail)]))
}
