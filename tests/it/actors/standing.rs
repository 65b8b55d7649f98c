//! What not paying does to sessions, and what paying lifts: the housekeeper with the rules of billing, under time that is paused.

use std::sync::Arc;
use std::time::Duration;

use columba::actors::arbiters::Placement;
use columba::actors::housekeeper::{Housekeeper, Ports};
use columba::billing::office::{Issuer, Payment};
use columba::billing::subscription::Patience;
use columba::domain::message::MessageStatus;
use columba::domain::plan::{Plan, SuspendedInbound};
use columba::domain::refusal::Code;
use columba::domain::session::{Desired, Reason, SessionStatus};
use columba::domain::tenant::{TenantStanding, TenantStatus};
use columba::media;
use columba::ports::clock::Clock as _;
use columba::ports::directory::TenantPatch;
use columba::ports::ledger::{Books, InvoiceFilter, Matter};
use columba::ports::store::WriteError;
use columba::ports::supervisor::Supervisor as _;
use columba::storage::embedded::key_use::MemoryKeyUse;
use columba::storage::media::MediaFolder;

use super::fleet::{ANNA, Fleet, draft, plan};
use crate::support::billing::issuer;

const SECOND: Duration = Duration::from_secs(1);

/// Ten seconds for each step to the end.
fn impatient() -> Issuer {
    let ten = SECOND * 10;
    Issuer { due_after: ten, patience: Patience { reminder: ten, grace: ten }, ..issuer() }
}

/// A fleet whose tenant owes 9.00 a month, and its housekeeper.
async fn owing(inbound: SuspendedInbound) -> Fleet {
    let fleet = Fleet::under(Plan { price_minor: 900, suspended_inbound: inbound, ..plan(10) }).await;
    let issuer = impatient();
    let ports = Ports {
        clock: fleet.clock.clone(),
        sweep: Arc::clone(&fleet.stores.sweep),
        directory: Arc::clone(&fleet.stores.directory),
        key_use: Arc::new(MemoryKeyUse::default()),
        signals: Arc::new(fleet.routes.clone()),
        vaults: fleet.vaults.clone(),
        media: media::Ports {
            records: Arc::clone(&fleet.stores.media),
            files: Arc::new(MediaFolder::open(tempfile::tempdir().unwrap().path()).unwrap()),
            directory: Arc::clone(&fleet.stores.directory),
            clock: fleet.clock.clone(),
        },
        ledger: Arc::clone(&fleet.stores.ledger),
        by_the_clock: Arc::new(move |tenant, books, now| issuer.next(tenant, books, now)),
        sessions: Arc::clone(&fleet.stores.sessions),
        supervisor: Arc::new(fleet.registry.clone()),
    };
    Housekeeper::launch(ports, &Placement::here());
    fleet
}

async fn pay(fleet: &Fleet) {
    let filter = InvoiceFilter { tenant: Some(fleet.tenant), status: None };
    let page = columba::domain::page::Page { limit: 10, before: None };
    for invoice in fleet.stores.ledger.invoices(filter, page).await.unwrap().rows {
        let payment = Payment {
            invoice: invoice.id,
            amount_minor: invoice.account.due_minor(),
            currency: invoice.currency,
            reference: None,
        };
        let rule = Arc::new(move |books: &Books| issuer().pay(books, &payment));
        let matter = Matter { invoice: Some(invoice.id), payment: None, request: None };
        fleet.stores.ledger.decide(fleet.tenant, matter, rule, fleet.clock.wall()).await.unwrap();
    }
}

fn standing(fleet: &Fleet) -> TenantStanding {
    fleet.stores.directory.snapshot().standing_of(fleet.tenant)
}

#[actix::test]
async fn who_does_not_pay_is_stopped_with_credentials_and_queue_kept_and_is_back_within_a_second_of_paying() {
    let mut fleet = owing(SuspendedInbound::Park).await;
    let (anna, _) = fleet.connected().await;
    fleet.until(anna.id, SessionStatus::Stopped).await;
    assert_eq!(standing(&fleet), TenantStanding::Stopped);
    let row = fleet.look(anna.id).await;
    assert_eq!(
        (row.reason, row.desired, row.paired),
        (Some(Reason::TenantSuspended), Desired::Running, true)
    );
    let draft = draft(ANNA, fleet.clock.wall());
    let refused = fleet.accept.accept(fleet.scope(), anna.id, true, Ok(draft), None).await.unwrap_err();
    let WriteError::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!((refusal.code, refusal.status), (Code::TenantSuspended, 403));
    // It cannot be started by hand.
    fleet.want(anna.id, Desired::Running).await;
    assert!(fleet.is_barren_for(SECOND * 60).await);

    let paid_at = fleet.now();
    pay(&fleet).await;
    let born = fleet.birth().await;
    assert!(born.at.since(paid_at) <= SECOND, "{:?}", born.at.since(paid_at));
    fleet.until(anna.id, SessionStatus::Connected).await;
    let sent = fleet.send(anna.id, ANNA).await;
    assert_eq!(fleet.frame().await.message, sent);
    fleet.finish().await;
}

#[actix::test]
async fn a_plan_may_keep_sessions_connected_which_send_nothing_until_it_is_paid() {
    let mut fleet = owing(SuspendedInbound::Keep).await;
    let (anna, _) = fleet.connected().await;
    let later = draft(ANNA, fleet.clock.wall());
    let later = columba::domain::message::Draft { send_at: Some(fleet.clock.wall() + SECOND * 45), ..later };
    let waits = fleet.post(anna.id, later).await;
    fleet.pass(SECOND * 120).await;
    assert_eq!(standing(&fleet), TenantStanding::Stopped);
    assert_eq!(fleet.standing(anna.id).await.0, SessionStatus::Connected);
    assert!(fleet.is_silent());
    assert_eq!(fleet.message(waits).await.status, MessageStatus::Queued);

    let paid_at = fleet.now();
    pay(&fleet).await;
    let frame = fleet.frame().await;
    assert_eq!(frame.message, waits);
    assert!(frame.at.since(paid_at) <= SECOND * 2, "{:?}", frame.at.since(paid_at));
    fleet.finish().await;
}

#[actix::test]
async fn paying_does_not_lift_the_operators_suspension_nor_resuming_what_is_due() {
    let mut fleet = owing(SuspendedInbound::Park).await;
    let (anna, _) = fleet.connected().await;
    fleet.until(anna.id, SessionStatus::Stopped).await;
    let set = async |fleet: &Fleet, status| {
        let patch = TenantPatch { status: Some(status), ..TenantPatch::default() };
        fleet.stores.directory.patch_tenant(fleet.tenant, patch, fleet.clock.wall()).await.unwrap();
        fleet.registry.heed(&fleet.look(anna.id).await).await.unwrap();
    };
    set(&fleet, TenantStatus::Suspended).await;
    set(&fleet, TenantStatus::Active).await;
    assert!(fleet.is_barren_for(SECOND * 60).await, "it is not paid");
    set(&fleet, TenantStatus::Suspended).await;
    pay(&fleet).await;
    assert!(fleet.is_barren_for(SECOND * 60).await, "it is suspended");
    assert_eq!(standing(&fleet), TenantStanding::Active);
    set(&fleet, TenantStatus::Active).await;
    fleet.birth().await;
    fleet.until(anna.id, SessionStatus::Connected).await;
    fleet.finish().await;
}
