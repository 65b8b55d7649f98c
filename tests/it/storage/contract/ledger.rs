//! Subscriptions, invoices and the ledger.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use columba::actors::standing::keep_books;
use columba::billing::office::{Adjustment, AdjustmentKind, End, NoteAsked, Payment};
use columba::domain::audit::{Action, Actor};
use columba::domain::id::{CreditNoteId, InvoiceId, TenantId};
use columba::domain::invoice::{EntryKind, Invoice, InvoiceStatus, LineKind, Party};
use columba::domain::money::Currency;
use columba::domain::page::Order;
use columba::domain::page::Page;
use columba::domain::plan::{Plan, Quota};
use columba::domain::refusal::{Code, Refusal};
use columba::domain::scope::SystemScope;
use columba::domain::subscription::SubscriptionStatus;
use columba::domain::tenant::TenantStanding;
use columba::domain::time::WallTime;
use columba::ports::audit::{AuditFilter, AuditPage};
use columba::ports::ledger::{BillingProfile, Books, InvoiceFilter, Matter, Outcome, Written};
use columba::ports::outbox::Outcome as Sending;
use columba::ports::store::WriteError;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, code, plan, refusal, tenant};
use crate::support::billing::{by_the_clock, issuer};

contract!(
    a_tenant_without_books_is_due_at_once_and_then_when_its_month_ends,
    every_series_counts_without_gaps_whatever_is_refused_in_between,
    what_a_tenant_owes_is_the_sum_of_its_entries_after_every_act,
    a_payment_is_written_down_once,
    what_is_refused_writes_nothing,
    what_is_anothers_or_nowhere_is_not_found,
    invoices_and_entries_are_read_page_by_page,
    standing_follows_what_is_paid_and_the_directory_shows_it_at_once,
    a_plan_that_begins_now_binds_its_caps_and_the_month_under_way,
    a_plan_that_begins_next_does_not_go_and_the_books_of_who_is_gone_do_without_theirs,
    messages_beyond_a_soft_quota_are_asked_for_once_and_late_ones_with_the_next_invoice,
    a_deleted_tenant_keeps_its_papers_and_its_last_month_is_closed,
    what_somebody_asked_for_is_in_the_audit_and_says_nothing_of_people,
);

const DAY: Duration = Duration::from_secs(24 * 3600);

fn euro() -> Currency {
    "EUR".parse().unwrap()
}

impl Stage {
    /// Lets the clock do what is due.
    async fn tick(&self) -> usize {
        keep_books(&*self.ledger, &by_the_clock(), self.now()).await.unwrap()
    }

    fn wait_days(&self, days: u32) {
        self.fixture.clock.advance(DAY * days);
    }

    async fn decide(
        &self,
        matter: Matter,
        rule: impl Fn(&Books) -> Result<Outcome, Refusal> + Send + Sync + 'static,
    ) -> Result<Written, WriteError> {
        self.ledger.decide(self.tenant, matter, Arc::new(rule), self.now()).await
    }

    async fn about(
        &self,
        invoice: InvoiceId,
        rule: impl Fn(&Books) -> Result<Outcome, Refusal> + Send + Sync + 'static,
    ) -> Result<Written, WriteError> {
        self.decide(Matter { invoice: Some(invoice), payment: None, request: None }, rule).await
    }

    async fn pay(&self, invoice: InvoiceId, amount_minor: i64) -> Result<Written, WriteError> {
        let payment =
            Payment { invoice, amount_minor, currency: euro(), reference: Some("transfer 7".into()) };
        self.about(invoice, move |books| issuer().pay(books, &payment)).await
    }

    async fn note(&self, invoice: InvoiceId, amount_minor: i64) -> Result<Written, WriteError> {
        let asked =
            NoteAsked { id: CreditNoteId::mint(self.now()), invoice, amount_minor, reason: "a gift".into() };
        self.about(invoice, move |books| issuer().note(books, asked.clone())).await
    }

    /// The tenant's invoices, oldest first.
    async fn papers(&self) -> Vec<Invoice> {
        let filter = InvoiceFilter { tenant: Some(self.tenant), status: None };
        let mut rows = self.ledger.invoices(filter, Page { limit: 200, before: None }).await.unwrap().rows;
        rows.reverse();
        rows
    }

    /// The ledger's sum, which every read of it has to agree with: its entries, and what invoices ask for less what is in
    /// credit.
    async fn owes(&self) -> i64 {
        let balances = self.ledger.balances(self.tenant).await.unwrap();
        let sum = balances.iter().map(|(currency, minor)| {
            assert_eq!(*currency, euro());
            *minor
        });
        let sum: i64 = sum.sum();
        let entries = self.ledger.entries(self.tenant, None, 1_000).await.unwrap();
        assert_eq!(sum, entries.iter().map(|(_, entry)| entry.amount_minor).sum::<i64>());
        sum
    }

    async fn standing(&self) -> TenantStanding {
        self.directory.snapshot().standing_of(self.tenant)
    }

    async fn agreed_status(&self) -> SubscriptionStatus {
        self.ledger.subscription(self.tenant).await.unwrap().unwrap().status
    }
}

/// The same ledger, with the plan's price of 9.00 and a first invoice for the rest of November.
async fn begun(fixture: Fixture) -> (Stage, Invoice) {
    let stage = Stage::on(fixture).await;
    stage.tick().await;
    let mut papers = stage.papers().await;
    assert_eq!(papers.len(), 1);
    let first = papers.remove(0);
    (stage, first)
}

async fn a_tenant_without_books_is_due_at_once_and_then_when_its_month_ends(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let now = stage.now();
    assert_eq!(stage.ledger.subscription(stage.tenant).await, Ok(None));
    assert_eq!(stage.ledger.due(now, 10).await, Ok(vec![stage.tenant]));
    let second = tenant("basic", now);
    stage.directory.create_tenant(second.clone(), None).await.unwrap();
    assert_eq!(stage.ledger.due(now, 1).await.unwrap().len(), 1, "no more than asked for");

    // Each begins, and is looked at once more.
    assert_eq!(stage.tick().await, 4);
    assert_eq!(stage.ledger.due(now, 10).await, Ok(vec![]));
    let agreed = stage.ledger.subscription(stage.tenant).await.unwrap().unwrap();
    assert_eq!((agreed.status, agreed.deal.price_minor), (SubscriptionStatus::Active, 900));

    // The oldest that woke comes first.
    let wake = move |at: i64| {
        Arc::new(move |_: &Books| Ok(Outcome { wakes_at: Some(WallTime(at)), ..Outcome::default() })) as _
    };
    stage.ledger.decide(second.id, Matter::default(), wake(5), now).await.unwrap();
    stage.ledger.decide(stage.tenant, Matter::default(), wake(6), now).await.unwrap();
    assert_eq!(stage.ledger.due(now, 10).await, Ok(vec![second.id, stage.tenant]));
    stage.tick().await;

    let end = agreed.month.end;
    let first_due = agreed.since + DAY * 14;
    let wakes = end.min(first_due);
    assert_eq!(stage.ledger.due(wakes - Duration::from_millis(1), 10).await, Ok(vec![]));
    assert_eq!(stage.ledger.due(wakes, 10).await.unwrap().len(), 2);
}

async fn every_series_counts_without_gaps_whatever_is_refused_in_between(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let mut tenants = vec![stage.tenant];
    for _ in 0..9 {
        let one = tenant("basic", stage.now());
        stage.directory.create_tenant(one.clone(), None).await.unwrap();
        tenants.push(one.id);
    }
    let at = stage.now();
    let mut calls = vec![];
    for (turn, &tenant) in tenants.iter().cycle().take(40).enumerate() {
        let ledger = Arc::clone(&stage.ledger);
        calls.push(async move {
            let rule = move |books: &Books| match turn % 4 {
                1 => Err(Refusal::conflict("no")),
                _ => issuer().next(tenant, books, at),
            };
            ledger.decide(tenant, Matter::default(), Arc::new(rule), at).await
        });
    }
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 10);
    stage.tick().await;

    let all = InvoiceFilter::default();
    let issued = stage.ledger.invoices(all, Page { limit: 200, before: None }).await.unwrap().rows;
    let numbers: BTreeSet<_> = issued.iter().map(|invoice| invoice.number.clone()).collect();
    let expected: BTreeSet<_> = (1..=10).map(|number| format!("INV-{number:06}")).collect();
    assert_eq!((issued.len(), numbers), (10, expected));
    let billed: BTreeSet<_> = issued.iter().map(|invoice| invoice.tenant).collect();
    assert_eq!(billed, tenants.into_iter().collect(), "each once");

    let first = stage.papers().await.remove(0);
    for number in 1..=3 {
        assert_eq!(code(stage.note(first.id, i64::MAX).await), Code::InvalidRequest);
        let written = stage.note(first.id, 10).await.unwrap();
        assert_eq!(written.note.unwrap().number, format!("CRN-{number:06}"), "a series of its own");
    }
    assert_eq!(stage.ledger.notes(first.id).await.unwrap().len(), 3);
}

async fn what_a_tenant_owes_is_the_sum_of_its_entries_after_every_act(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    let total = first.account.total_minor;
    assert!(total > 200, "{total}");
    assert_eq!(
        (first.account.tax_minor, first.status),
        (first.account.subtotal_minor * 19 / 100, InvoiceStatus::Open)
    );
    assert_eq!(stage.owes().await, total);

    let paid = stage.pay(first.id, 100).await.unwrap().invoices;
    assert_eq!((paid[0].status, paid[0].account.due_minor()), (InvoiceStatus::Open, total - 100));
    assert_eq!(stage.owes().await, total - 100);

    stage.note(first.id, 50).await.unwrap();
    assert_eq!(stage.owes().await, total - 150);

    let rest = stage.pay(first.id, total - 150).await.unwrap().invoices;
    assert_eq!((rest[0].status, rest[0].settled_at), (InvoiceStatus::Paid, Some(stage.now())));
    assert_eq!(stage.owes().await, 0);

    let adjust = |kind, amount_minor| {
        let adjustment = Adjustment { kind, amount_minor, currency: euro(), reference: None };
        stage.decide(Matter::default(), move |books| issuer().adjust(books, adjustment.clone()))
    };
    adjust(AdjustmentKind::Grant, 40).await.unwrap();
    adjust(AdjustmentKind::Refund, 15).await.unwrap();
    assert_eq!(stage.owes().await, -25);
    assert_eq!(code(adjust(AdjustmentKind::Refund, 26).await), Code::InvalidRequest);

    // The next invoice takes the credit.
    stage.wait_days(31);
    stage.tick().await;
    let second = stage.papers().await.remove(1);
    assert_eq!((second.account.applied_minor, second.account.total_minor), (25, 1_071));
    assert_eq!(stage.owes().await, 1_046);
    assert_eq!(stage.ledger.invoice(first.id, None).await.unwrap().unwrap().status, InvoiceStatus::Paid);

    let id = second.id;
    stage.about(id, move |books| issuer().write_off(books, id)).await.unwrap();
    assert_eq!(stage.owes().await, 0);
    let kinds: Vec<_> = stage.ledger.entries(stage.tenant, None, 3).await.unwrap();
    let kinds: Vec<_> = kinds.into_iter().map(|(_, entry)| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::WriteOff, EntryKind::Invoice, EntryKind::Refund], "newest first");
}

async fn a_payment_is_written_down_once(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    let total = first.account.total_minor;
    let payment = Payment { invoice: first.id, amount_minor: total, currency: euro(), reference: None };
    let matter = |id: &str| Matter {
        invoice: Some(first.id),
        payment: Some(("stripe".into(), id.to_owned())),
        request: None,
    };
    for told in 0..3 {
        let payment = payment.clone();
        let written = stage.decide(matter("pi_1"), move |books| {
            assert_eq!(books.is_known, told > 0);
            issuer().pay(books, &payment)
        });
        assert_eq!(written.await.unwrap().invoices.len(), usize::from(told == 0));
        assert_eq!(stage.owes().await, 0);
    }
    // Another one for the same invoice is money all the same.
    let second = payment.clone();
    stage.decide(matter("pi_2"), move |books| Ok(issuer().bank(books, &second))).await.unwrap();
    assert_eq!(stage.owes().await, -total);
    // What was refused was not written down, and may come again.
    let refused = payment.clone();
    assert_eq!(
        code(stage.decide(matter("pi_3"), move |books| issuer().pay(books, &refused)).await),
        Code::Conflict
    );
    stage
        .decide(matter("pi_3"), |books| {
            assert!(!books.is_known);
            Err(Refusal::conflict("no"))
        })
        .await
        .unwrap_err();
}

async fn what_is_refused_writes_nothing(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    let before = (stage.owes().await, stage.papers().await, stage.ledger.subscription(stage.tenant).await);
    let refused = [
        code(stage.pay(first.id, 0).await),
        code(stage.pay(first.id, first.account.total_minor + 1).await),
        code(stage.note(first.id, -1).await),
        code(
            stage.decide(Matter::default(), |books| issuer().change_now(books, "nowhere", WallTime(0))).await,
        ),
    ];
    assert_eq!(refused, [Code::InvalidRequest; 4]);
    let after = (stage.owes().await, stage.papers().await, stage.ledger.subscription(stage.tenant).await);
    assert_eq!(after, before);
    assert_eq!(stage.ledger.notes(first.id).await, Ok(vec![]));
}

async fn what_is_anothers_or_nowhere_is_not_found(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    let other = tenant("basic", stage.now());
    stage.directory.create_tenant(other.clone(), None).await.unwrap();
    let nothing = || Arc::new(|_: &Books| Ok(Outcome::default())) as _;
    let now = stage.now();
    let nobody = TenantId::mint(now);
    assert_eq!(code(stage.ledger.decide(nobody, Matter::default(), nothing(), now).await), Code::NotFound);
    for (tenant, invoice) in [(other.id, first.id), (stage.tenant, InvoiceId::mint(now))] {
        let matter = Matter { invoice: Some(invoice), payment: None, request: None };
        assert_eq!(code(stage.ledger.decide(tenant, matter, nothing(), now).await), Code::NotFound);
    }
    assert_eq!(stage.ledger.invoice(first.id, Some(other.id)).await, Ok(None));
    assert_eq!(stage.ledger.invoice(first.id, Some(stage.tenant)).await, Ok(Some(first.clone())));
    assert_eq!(stage.ledger.invoice(first.id, None).await, Ok(Some(first)));
    assert_eq!(stage.ledger.balances(other.id).await, Ok(vec![]));
    assert_eq!(stage.ledger.entries(other.id, None, 10).await, Ok(vec![]));
}

async fn invoices_and_entries_are_read_page_by_page(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    for _ in 0..4 {
        stage.wait_days(31);
        stage.tick().await;
        if stage.agreed_status().await != SubscriptionStatus::Active {
            for invoice in stage.papers().await {
                let due = invoice.account.due_minor();
                if due > 0 {
                    stage.pay(invoice.id, due).await.unwrap();
                }
            }
            stage.tick().await;
        }
    }
    let papers = stage.papers().await;
    assert!(papers.len() >= 4, "{}", papers.len());
    for filter in [
        InvoiceFilter { tenant: Some(stage.tenant), status: None },
        InvoiceFilter::default(),
        InvoiceFilter { tenant: None, status: Some(InvoiceStatus::Paid) },
        InvoiceFilter { tenant: Some(stage.tenant), status: Some(InvoiceStatus::Paid) },
    ] {
        let (mut read, mut before) = (vec![], None);
        loop {
            let slice = stage.ledger.invoices(filter, Page { limit: 2, before }).await.unwrap();
            assert!(slice.rows.len() <= 2);
            read.extend(slice.rows);
            before = read.last().map(|invoice: &Invoice| invoice.id.uuid());
            if !slice.has_more {
                break;
            }
        }
        let wanted =
            papers.iter().rev().filter(|one| filter.status.is_none_or(|status| one.status == status));
        assert_eq!(read, wanted.cloned().collect::<Vec<_>>(), "{filter:?}");
    }
    let all = stage.ledger.entries(stage.tenant, None, 1_000).await.unwrap();
    let (mut read, mut before) = (vec![], None);
    loop {
        let rows = stage.ledger.entries(stage.tenant, before, 3).await.unwrap();
        if rows.is_empty() {
            break;
        }
        read.extend(rows);
        before = read.last().map(|(ord, _)| *ord);
    }
    assert_eq!(read, all);
    assert_eq!(all.last().map(|(_, entry)| entry.invoice), Some(Some(first.id)), "the oldest is the last");
}

async fn standing_follows_what_is_paid_and_the_directory_shows_it_at_once(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    assert_eq!(stage.standing().await, TenantStanding::Active);
    for (days, status, standing) in [
        (14, SubscriptionStatus::PastDue, TenantStanding::Active),
        (7, SubscriptionStatus::Grace, TenantStanding::Grace),
        (7, SubscriptionStatus::Suspended, TenantStanding::Stopped),
    ] {
        stage.wait_days(days);
        stage.tick().await;
        assert_eq!((stage.agreed_status().await, stage.standing().await), (status, standing));
    }
    // The operator's own word and billing's do not lift each other.
    use columba::domain::tenant::TenantStatus;
    use columba::ports::directory::TenantPatch;
    for status in [TenantStatus::Suspended, TenantStatus::Active] {
        let patch = TenantPatch { status: Some(status), ..TenantPatch::default() };
        let patched = stage.directory.patch_tenant(stage.tenant, patch, stage.now()).await.unwrap();
        assert_eq!((patched.status, patched.standing), (status, TenantStanding::Stopped));
    }
    assert!(stage.directory.snapshot().is_at_rest(stage.tenant));
    assert!(!stage.directory.snapshot().is_suspended(stage.tenant), "reading works");
    for invoice in stage.papers().await {
        stage.pay(invoice.id, invoice.account.due_minor()).await.unwrap();
    }
    stage.tick().await;
    assert_eq!(
        (stage.agreed_status().await, stage.standing().await),
        (SubscriptionStatus::Active, TenantStanding::Active)
    );
    assert_eq!(stage.ledger.invoice(first.id, None).await.unwrap().unwrap().status, InvoiceStatus::Paid);
}

async fn a_plan_that_begins_now_binds_its_caps_and_the_month_under_way(fixture: Fixture) {
    let (stage, _) = begun(fixture).await;
    let large = Plan { price_minor: 9_000, messages_per_month: 500, queue_max: 50, ..plan("large") };
    stage.directory.create_plan(large, None, stage.now()).await.unwrap();
    stage.attempt(ANN, Sending::Sent).await;
    let now = stage.now();
    let written =
        stage.decide(Matter::default(), move |books| issuer().change_now(books, "large", now)).await.unwrap();
    assert_eq!(written.subscription.unwrap().deal.plan, "large");
    assert_eq!(written.invoices[0].lines.len(), 2, "what is not used of the old one comes off");
    let snapshot = stage.directory.snapshot();
    assert_eq!(snapshot.plan_of(stage.tenant).unwrap().code, "large");
    assert_eq!(snapshot.caps_of(stage.tenant).unwrap().queue_max, 50);
    let month = stage.terms().period;
    let usage = stage.messages.usage(stage.scope(), month).await.unwrap().unwrap();
    assert_eq!((usage.allowance.limit, usage.used), (500, 1));
}

async fn a_plan_that_begins_next_does_not_go_and_the_books_of_who_is_gone_do_without_theirs(
    fixture: Fixture,
) {
    let (stage, first) = begun(fixture).await;
    let now = stage.now();
    for other in ["a_b", "axb"] {
        stage.directory.create_plan(plan(other), None, now).await.unwrap();
    }
    let next = async |code: Option<&'static str>| {
        let rule = move |books: &Books| issuer().change_next(books, code, now);
        stage.decide(Matter::default(), rule).await.unwrap();
    };
    next(Some("axb")).await;
    let no = refusal(stage.directory.delete_plan("axb").await);
    assert!(no.code == Code::Conflict && no.detail.contains("next: 1"), "{}", no.detail);
    assert_eq!(
        stage.directory.delete_plan("a_b").await,
        Ok(()),
        "another code, though it looks like a pattern"
    );
    next(None).await;
    assert_eq!(stage.directory.delete_plan("axb").await, Ok(()));

    stage.directory.delete_tenant(stage.tenant, now).await.unwrap();
    assert_eq!(stage.directory.delete_plan("basic").await, Ok(()));
    stage.wait_days(31);
    stage.tick().await;
    assert_eq!(stage.ledger.due(stage.now() + DAY * 3_650, 10).await, Ok(vec![]), "its last month is closed");
    assert_eq!(stage.ledger.invoice(first.id, None).await, Ok(Some(first)));
}

async fn messages_beyond_a_soft_quota_are_asked_for_once_and_late_ones_with_the_next_invoice(
    fixture: Fixture,
) {
    let stage = Stage::on(fixture).await;
    let soft = Plan { messages_per_month: 2, quota: Quota::Soft, overage_minor: Some(7), ..plan("basic") };
    stage.directory.put_plan(soft, stage.now()).await.unwrap();
    stage.tick().await;
    let terms = columba::ports::outbox::Terms {
        allowance: columba::domain::plan::Allowance { limit: 2, quota: Quota::Soft },
        ..stage.terms()
    };
    let mut late = vec![];
    for turn in 0..6 {
        let mut asked = stage.asked(stage.draft(if turn % 2 == 0 { ANN } else { BOB }));
        asked.terms = terms;
        let message = stage.outbox.accept(asked).await.unwrap().into_inner();
        let work = stage.work(message.id).await;
        let outcome = if turn < 5 {
            Sending::Sent
        } else {
            Sending::Unknown(columba::domain::message::MessageReason::NoAck)
        };
        stage.settle(&work, outcome).await;
        late.push(message);
    }
    let over = |invoices: &[Invoice]| {
        let lines = invoices.iter().flat_map(|invoice| &invoice.lines);
        let lines = lines.filter(|line| line.kind == LineKind::Overage);
        lines.map(|line| (line.quantity, line.amount_minor)).collect::<Vec<_>>()
    };
    stage.wait_days(31);
    stage.tick().await;
    assert_eq!(over(&stage.papers().await), [(3, 21)]);
    // The receipt of the one that was in doubt.
    stage.receipt(&late[5], columba::domain::message::ReceiptKind::Delivered).await;
    stage.tick().await;
    assert_eq!(over(&stage.papers().await), [(3, 21)]);
    stage.wait_days(31);
    stage.tick().await;
    assert_eq!(over(&stage.papers().await), [(3, 21), (1, 7)]);
    stage.wait_days(31);
    stage.tick().await;
    assert_eq!(over(&stage.papers().await), [(3, 21), (1, 7)], "none twice");
}

async fn a_deleted_tenant_keeps_its_papers_and_its_last_month_is_closed(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    stage.directory.delete_tenant(stage.tenant, stage.now()).await.unwrap();
    assert_eq!(stage.agreed_status().await, SubscriptionStatus::Canceled);
    assert_eq!(stage.ledger.invoice(first.id, None).await, Ok(Some(first.clone())));
    assert_eq!(stage.owes().await, first.account.total_minor);
    for _ in 0..3 {
        stage.wait_days(31);
        stage.tick().await;
    }
    assert_eq!(stage.ledger.due(stage.now() + DAY * 3_650, 10).await, Ok(vec![]), "its clock has stopped");
    assert_eq!(stage.papers().await.len(), 1, "nothing is charged any more");
    // Who pays late pays.
    stage.pay(first.id, first.account.total_minor).await.unwrap();
    assert_eq!(stage.owes().await, 0);
    assert_eq!(stage.ledger.due(stage.now() + DAY * 3_650, 10).await, Ok(vec![]));
}

async fn what_somebody_asked_for_is_in_the_audit_and_says_nothing_of_people(fixture: Fixture) {
    let (stage, first) = begun(fixture).await;
    let actor = Actor { name: "eve".into(), ..Actor::root() };
    let signed = Arc::clone(&stage.ledger).signed(actor);
    let now = stage.now();
    let profile = BillingProfile {
        party: Party {
            name: "Ann Example".into(),
            email: Some("ann@example.com".into()),
            ..Party::default()
        },
        tax_rate_bps: Some(700),
        customer: Some("cus_1".into()),
    };
    let stored = profile.clone();
    let rule = Arc::new(move |_: &Books| Ok(issuer().set_profile(profile.clone())));
    signed.decide(stage.tenant, Matter::default(), rule, now).await.unwrap();
    assert_eq!(stage.ledger.profile(stage.tenant).await, Ok(stored));
    let id = first.id;
    let matter = Matter { invoice: Some(id), payment: None, request: None };
    signed
        .decide(stage.tenant, matter, Arc::new(move |books: &Books| issuer().void(books, id)), now)
        .await
        .unwrap();
    let rule = Arc::new(move |books: &Books| issuer().end(books, End::Now, now));
    signed.decide(stage.tenant, Matter::default(), rule, now).await.unwrap();
    let filter = AuditFilter { actor: Some("eve".into()), ..AuditFilter::default() };
    let page = AuditPage { order: Order::Ascending, beyond: None, limit: 10 };
    let entries = stage.audit.entries(SystemScope, filter, page).await.unwrap().rows;
    let actions =
        [Action::BillingProfile, Action::InvoiceVoid, Action::SubscriptionEnd].map(|one| one.to_string());
    assert_eq!(entries.iter().map(|entry| entry.action.clone()).collect::<Vec<_>>(), actions);
    let subjects: Vec<_> = entries.iter().map(|entry| entry.subject.kind.as_str()).collect();
    assert_eq!(subjects, ["tenant", "invoice", "subscription"]);
    let said = format!("{entries:?}");
    assert!(!said.contains("Ann") && !said.contains("cus_1") && said.contains("700"), "{said}");
}
