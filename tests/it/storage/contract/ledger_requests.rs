//! An operator's request about a ledger that comes twice.

use std::sync::Arc;

use columba::actors::standing::keep_books;
use columba::billing::office::{Adjustment, AdjustmentKind, NoteAsked};
use columba::domain::id::CreditNoteId;
use columba::domain::page::Page;
use columba::domain::refusal::Code;
use columba::ports::ledger::{Books, InvoiceFilter, Matter, Written};
use columba::ports::store::WriteError;

use super::Fixture;
use super::stage::{Stage, code, idempotency, tenant};
use crate::support::billing::{by_the_clock, issuer};

contract!(
    a_request_about_the_ledger_that_comes_twice_writes_once_and_answers_the_same,
    a_credit_note_is_found_by_its_id_by_its_tenant_and_nobody_else,
);

async fn grant(stage: &Stage, minor: i64, key: &str, fingerprint: u8) -> Result<Written, WriteError> {
    let adjustment = Adjustment {
        kind: AdjustmentKind::Grant,
        amount_minor: minor,
        currency: "EUR".parse().unwrap(),
        reference: Some("a gift".into()),
    };
    let matter = Matter { request: idempotency(key, fingerprint), ..Matter::default() };
    let rule = Arc::new(move |books: &Books| issuer().adjust(books, adjustment.clone()));
    stage.ledger.decide(stage.tenant, matter, rule, stage.now()).await
}

async fn a_request_about_the_ledger_that_comes_twice_writes_once_and_answers_the_same(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let first = grant(&stage, 500, "one", 1).await.unwrap();
    let (place, entry) = first.entry.clone().unwrap();
    assert_eq!((entry.amount_minor, entry.at, first.is_replay), (-500, stage.now(), false));
    stage.wait_secs(60);
    let again = grant(&stage, 500, "one", 1).await.unwrap();
    assert_eq!((again.entry, again.is_replay), (Some((place, entry)), true), "as it was written then");
    assert_eq!(code(grant(&stage, 600, "one", 2).await), Code::IdempotencyMismatch);
    assert!(!grant(&stage, 700, "two", 2).await.unwrap().is_replay);
    assert_eq!(code(grant(&stage, -1, "three", 3).await), Code::InvalidRequest);
    assert!(!grant(&stage, 1, "three", 3).await.unwrap().is_replay, "what was refused was not the first");
    let balances = stage.ledger.balances(stage.tenant).await.unwrap();
    assert_eq!(balances.iter().map(|(_, minor)| minor).sum::<i64>(), -1_201);
    // A day later the key is forgotten.
    stage.wait_secs(25 * 3600);
    assert!(!grant(&stage, 600, "one", 2).await.unwrap().is_replay);
}

async fn a_credit_note_is_found_by_its_id_by_its_tenant_and_nobody_else(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    keep_books(&*stage.ledger, &by_the_clock(), stage.now()).await.unwrap();
    let filter = InvoiceFilter { tenant: Some(stage.tenant), status: None };
    let page = Page { limit: 1, before: None };
    let invoice = stage.ledger.invoices(filter, page).await.unwrap().rows.remove(0);
    let asked = NoteAsked {
        id: CreditNoteId::mint(stage.now()),
        invoice: invoice.id,
        amount_minor: 10,
        reason: "a gift".into(),
    };
    let matter = Matter { invoice: Some(invoice.id), payment: None, request: idempotency("note", 1) };
    let take_back = async |id| {
        let asked = NoteAsked { id, ..asked.clone() };
        let rule = Arc::new(move |books: &Books| issuer().note(books, asked.clone()));
        stage.ledger.decide(stage.tenant, matter.clone(), rule, stage.now()).await.unwrap()
    };
    let note = take_back(asked.id).await.note.unwrap();
    let again = take_back(CreditNoteId::mint(stage.now())).await;
    assert_eq!((again.note.as_ref(), again.is_replay), (Some(&note), true), "with the id it had then");
    assert_eq!(again.invoices[0].account.noted_minor, 10);
    let other = tenant("basic", stage.now());
    stage.directory.create_tenant(other.clone(), None).await.unwrap();
    for (owner, found) in [(None, true), (Some(stage.tenant), true), (Some(other.id), false)] {
        let seen = stage.ledger.note(note.id, owner).await.unwrap();
        assert_eq!(seen, found.then(|| note.clone()), "{owner:?}");
    }
    assert_eq!(stage.ledger.note(CreditNoteId::mint(stage.now()), None).await.unwrap(), None);
}
