//! Subscriptions, invoices and the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use super::state::{Made, Owner, State, TenantRow};
use crate::domain::audit::Actor;
use crate::domain::event::Change;
use crate::domain::id::{CreditNoteId, InvoiceId, TenantId};
use crate::domain::invoice::{CreditNote, Entry, Invoice, InvoiceStatus};
use crate::domain::money::Currency;
use crate::domain::page::{Page, Slice};
use crate::domain::plan::{Allowance, Quota};
use crate::domain::refusal::Refusal;
use crate::domain::subscription::{Subscription, SubscriptionStatus};
use crate::domain::time::WallTime;
use crate::ports::ledger::{
    BillingProfile, Books, Decide, InvoiceFilter, Ledger, Matter, Metered, Outcome, Posting, Written,
    after_act, news,
};
use crate::ports::store::{StoreError, WriteError};

/// What is on it.
#[derive(Default)]
pub struct Desk {
    subscriptions: BTreeMap<TenantId, (Subscription, Option<WallTime>)>,
    profiles: HashMap<TenantId, BillingProfile>,
    invoices: BTreeMap<InvoiceId, Invoice>,
    notes: Vec<CreditNote>,
    /// In the order they were entered.
    entries: Vec<(TenantId, Entry)>,
    payments: HashSet<(String, String)>,
    /// The last number of each series.
    series: HashMap<String, u64>,
}

impl Desk {
    /// Ends what a tenant has agreed to.
    pub fn end(&mut self, tenant: TenantId, at: WallTime) {
        if let Some((subscription, _)) = self.subscriptions.get_mut(&tenant) {
            *subscription = subscription.ended(at);
        }
    }

    /// The plan that a tenant begins with next.
    pub fn next_plan(&self, tenant: TenantId) -> Option<&str> {
        self.subscriptions.get(&tenant).and_then(|(subscription, _)| subscription.next_plan.as_deref())
    }

    fn of(&self, tenant: TenantId) -> impl DoubleEndedIterator<Item = &Invoice> {
        self.invoices.values().filter(move |invoice| invoice.tenant == tenant)
    }

    fn balances(&self, tenant: TenantId) -> Vec<(Currency, i64)> {
        let mut sums: BTreeMap<&str, (Currency, i64)> = BTreeMap::new();
        for (_, entry) in self.entries.iter().filter(|(of, _)| *of == tenant) {
            sums.entry(entry.currency.code()).or_insert((entry.currency, 0)).1 += entry.amount_minor;
        }
        sums.into_values().collect()
    }

    fn next_number(&mut self, series: &str) -> u64 {
        let last = self.series.entry(series.to_owned()).or_default();
        *last += 1;
        *last
    }

    /// Adds an entry; its place.
    fn enter(&mut self, tenant: TenantId, posting: &Posting, at: WallTime) -> i64 {
        self.entries.push((tenant, posting.entered(at)));
        self.entries.len() as i64
    }
}

/// [`Ledger`] over the state, as one actor writes it.
pub struct MemoryLedger {
    store: Arc<MemoryStore>,
    by: Actor,
}

impl MemoryLedger {
    /// What the server itself writes.
    pub fn new(store: Arc<MemoryStore>) -> Self {
        Self { store, by: Actor::system() }
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    fn signed(self: Arc<Self>, actor: Actor) -> Arc<dyn Ledger> {
        Arc::new(Self { store: Arc::clone(&self.store), by: actor })
    }

    async fn decide(
        &self,
        tenant: TenantId,
        matter: Matter,
        decide: Decide,
        at: WallTime,
    ) -> Result<Written, WriteError> {
        self.store.write(|state| {
            match state.replay(Owner::Operators, matter.request.as_ref(), at)? {
                Some(&Made::Ledger(note, place)) => return Ok(replayed(state, tenant, &matter, note, place)),
                Some(_) => return Err(Refusal::idempotency_mismatch().into()),
                None => {}
            }
            let books = books(state, tenant, &matter).ok_or_else(Refusal::not_found)?;
            if matter.invoice.is_some_and(|asked| !books.invoices.iter().any(|invoice| invoice.id == asked)) {
                return Err(Refusal::not_found().into());
            }
            let outcome = decide(&books)?;
            let request = matter.request;
            if let Some(payment) = matter.payment {
                state.ledger.payments.insert(payment);
            }
            if let Some(act) = outcome.act(tenant, &books) {
                state.record(&self.by, act);
            }
            let written = write(state, tenant, &books, outcome, at);
            let made = Made::Ledger(
                written.note.as_ref().map(|note| note.id),
                written.entry.as_ref().map(|(place, _)| *place),
            );
            state.remember(Owner::Operators, request, made, at);
            for (what, record) in news(&books, &written) {
                state.tell_with(tenant, None, Change::Billing(what), Some(record));
            }
            Ok(written)
        })
    }

    async fn due(&self, now: WallTime, limit: u32) -> Result<Vec<TenantId>, StoreError> {
        let state = self.store.read();
        let awake = |(&tenant, (_, wakes)): (&TenantId, &(Subscription, Option<WallTime>))| {
            wakes.filter(|&at| at <= now).map(|at| (at, tenant))
        };
        let mut due: Vec<_> = state.ledger.subscriptions.iter().filter_map(awake).collect();
        due.sort();
        let known = &state.ledger.subscriptions;
        let new =
            state.tenants.iter().filter(|(id, row)| row.deleted_at.is_none() && !known.contains_key(id));
        let all = due.into_iter().map(|(_, tenant)| tenant).chain(new.map(|(&id, _)| id));
        Ok(all.take(limit as usize).collect())
    }

    async fn subscription(&self, tenant: TenantId) -> Result<Option<Subscription>, StoreError> {
        Ok(self.store.read().ledger.subscriptions.get(&tenant).map(|(subscription, _)| subscription.clone()))
    }

    async fn profile(&self, tenant: TenantId) -> Result<BillingProfile, StoreError> {
        Ok(self.store.read().ledger.profiles.get(&tenant).cloned().unwrap_or_default())
    }

    async fn invoices(&self, filter: InvoiceFilter, page: Page) -> Result<Slice<Invoice>, StoreError> {
        let state = self.store.read();
        let wanted = |invoice: &&Invoice| {
            filter.tenant.is_none_or(|tenant| invoice.tenant == tenant)
                && filter.status.is_none_or(|status| invoice.status == status)
                && page.before.is_none_or(|before| invoice.id.uuid() < before)
        };
        let rows = state.ledger.invoices.values().rev().filter(wanted).take(page.limit as usize + 1);
        Ok(Slice::of(rows.cloned().collect(), page))
    }

    async fn invoice(&self, id: InvoiceId, tenant: Option<TenantId>) -> Result<Option<Invoice>, StoreError> {
        let state = self.store.read();
        let found = state.ledger.invoices.get(&id);
        Ok(found.filter(|invoice| tenant.is_none_or(|tenant| invoice.tenant == tenant)).cloned())
    }

    async fn note(
        &self,
        id: CreditNoteId,
        tenant: Option<TenantId>,
    ) -> Result<Option<CreditNote>, StoreError> {
        let state = self.store.read();
        let wanted = |note: &&CreditNote| note.id == id && tenant.is_none_or(|tenant| note.tenant == tenant);
        Ok(state.ledger.notes.iter().find(wanted).cloned())
    }

    async fn notes(&self, invoice: InvoiceId) -> Result<Vec<CreditNote>, StoreError> {
        let state = self.store.read();
        Ok(state.ledger.notes.iter().filter(|note| note.invoice == invoice).cloned().collect())
    }

    async fn entries(
        &self,
        tenant: TenantId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, Entry)>, StoreError> {
        let state = self.store.read();
        let all = (1..).zip(&state.ledger.entries).filter(|(_, (of, _))| *of == tenant);
        let mut all: Vec<_> = all.map(|(ord, (_, entry))| (ord, entry.clone())).collect();
        all.reverse();
        all.retain(|(ord, _)| before.is_none_or(|before| *ord < before));
        all.truncate(limit as usize);
        Ok(all)
    }

    async fn balances(&self, tenant: TenantId) -> Result<Vec<(Currency, i64)>, StoreError> {
        Ok(self.store.read().ledger.balances(tenant))
    }
}

fn books(state: &State, tenant: TenantId, matter: &Matter) -> Option<Books> {
    let row = state.tenants.get(&tenant)?;
    let desk = &state.ledger;
    let is_open = |invoice: &&Invoice| invoice.status == InvoiceStatus::Open;
    let mut invoices: Vec<_> = desk.of(tenant).filter(is_open).cloned().collect();
    let asked = desk.of(tenant).filter(|invoice| matter.invoice == Some(invoice.id));
    invoices.extend(asked.filter(|invoice| !is_open(invoice)).cloned());
    let months = state.usage.iter().filter(|((of, _), _)| *of == tenant);
    let metered = months.map(|((_, start), row)| Metered {
        month: crate::domain::time::Period { start: *start, end: row.end },
        limit: row.allowance.limit,
        quota: row.allowance.quota,
        used: row.used,
        billed: row.billed,
    });
    let newest = state.plans.values().filter_map(|versions| versions.last());
    Some(Books {
        subscription: desk.subscriptions.get(&tenant).map(|(subscription, _)| subscription.clone()),
        plan: row.tenant.plan.clone(),
        plans: newest.map(|plan| (plan.code.clone(), plan.clone())).collect(),
        name: row.tenant.name.clone(),
        profile: desk.profiles.get(&tenant).cloned().unwrap_or_default(),
        invoices,
        balances: desk.balances(tenant),
        metered: metered
            .filter(|month| month.quota == Quota::Soft && month.beyond() > month.billed)
            .collect(),
        is_known: matter.payment.as_ref().is_some_and(|payment| desk.payments.contains(payment)),
    })
}

fn write(state: &mut State, tenant: TenantId, books: &Books, outcome: Outcome, at: WallTime) -> Written {
    let subscription = outcome.subscription.or_else(|| books.subscription.clone());
    let deleted_at = state.tenants.get(&tenant).and_then(|row| row.deleted_at);
    if let Some(subscription) = &subscription {
        let was = state.ledger.subscriptions.get(&tenant).and_then(|(_, wakes)| *wakes);
        let over = deleted_at.is_some_and(|gone| {
            subscription.month.start > gone && subscription.status == SubscriptionStatus::Canceled
        });
        let wakes = if over { None } else { outcome.wakes_at.or(was) };
        state.ledger.subscriptions.insert(tenant, (subscription.clone(), wakes));
    }
    if let Some(row) = state.tenants.get_mut(&tenant) {
        set_terms(row, subscription.as_ref());
    }
    if let Some(code) = outcome.plan.filter(|code| *code != books.plan)
        && let Some(plan) = state.plan(&code)
    {
        let allowance = Allowance { limit: plan.messages_per_month, quota: plan.quota };
        state.rewrite_month(tenant, allowance, at);
        if let Some(row) = state.tenants.get_mut(&tenant) {
            row.tenant.plan = code;
        }
    }
    for (month, billed) in outcome.billed {
        if let Some(row) = state.usage.get_mut(&(tenant, month.start)) {
            row.billed = billed;
        }
    }
    let desk = &mut state.ledger;
    desk.profiles.extend(outcome.profile.map(|profile| (tenant, profile)));
    let mut written = Written { subscription, invoices: vec![], note: None, entry: None, is_replay: false };
    for issue in outcome.issued {
        let invoice = issue.numbered(desk.next_number(&issue.series), tenant, at);
        desk.enter(tenant, &Posting::of(&invoice), at);
        desk.invoices.insert(invoice.id, invoice.clone());
        written.invoices.push(invoice);
    }
    for (id, account, status) in outcome.changed {
        let Some(was) = desk.invoices.get_mut(&id) else { continue };
        *was = after_act(was, account, status, at);
        written.invoices.push(was.clone());
    }
    for posting in &outcome.entries {
        let place = desk.enter(tenant, posting, at);
        written.entry.get_or_insert_with(|| (place, posting.entered(at)));
    }
    if let Some(new) = outcome.note
        && let Some(of) = desk.invoices.get(&new.invoice).cloned()
    {
        let note = new.numbered(desk.next_number(&new.series), &of, at);
        desk.enter(tenant, &Posting::of_note(&note), at);
        desk.notes.push(note.clone());
        written.note = Some(note);
    }
    written
}

/// What the first request of its kind wrote, as it stands.
fn replayed(
    state: &State,
    tenant: TenantId,
    matter: &Matter,
    note: Option<CreditNoteId>,
    place: Option<i64>,
) -> Written {
    let desk = &state.ledger;
    let entry = place
        .and_then(|place| Some((place, desk.entries.get(usize::try_from(place).ok()?.checked_sub(1)?)?)));
    Written {
        subscription: desk.subscriptions.get(&tenant).map(|(subscription, _)| subscription.clone()),
        invoices: desk.of(tenant).filter(|invoice| matter.invoice == Some(invoice.id)).cloned().collect(),
        note: desk.notes.iter().find(|one| Some(one.id) == note).cloned(),
        entry: entry.map(|(place, (_, entry))| (place, entry.clone())),
        is_replay: true,
    }
}

fn set_terms(row: &mut TenantRow, subscription: Option<&Subscription>) {
    if let Some(subscription) = subscription {
        row.tenant.standing = subscription.status.standing();
    }
}
