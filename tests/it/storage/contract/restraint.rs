//! Restraint: people who want no messages, and people who never wrote.

use std::time::Duration;

use columba::domain::event::Change;
use columba::domain::id::{MessageId, SuppressionId};
use columba::domain::message::{Draft, Letter, MessageReason, MessageStatus, ReceiptKind, WaId};
use columba::domain::page::Page;
use columba::domain::refusal::Code;
use columba::domain::restraint::Approach;
use columba::domain::scope::TenantScope;
use columba::ports::clock::Clock as _;
use columba::ports::contacts::{Considered, StoppedBy, Suppression};
use columba::ports::outbox::{Acceptance, Claim, Claimed, Inbound, Outcome};
use columba::ports::store::StoreError;

use super::Fixture;
use super::stage::{ANN, BOB, Stage, chat, phone, refusal, text};

contract!(
    who_says_stop_is_suppressed_for_the_whole_tenant_before_the_message_is_told_of,
    who_says_start_is_open_again_and_what_was_canceled_stays_so,
    what_a_tenant_suppressed_it_may_take_back_and_what_a_person_asked_for_it_may_not,
    one_tenants_list_is_no_others,
    the_list_is_read_page_by_page_newest_first,
    strangers_are_counted_and_the_next_one_waits_until_the_day_is_over,
    who_has_written_is_no_stranger,
    a_number_that_was_linked_just_now_answers_only,
    a_strangers_number_is_asked_for_once_and_one_without_an_account_fails_without_an_attempt,
    who_asks_for_numbers_draws_on_the_same_number_of_strangers,
    a_group_that_was_listed_is_known_and_no_stranger,
);

const DAY: Duration = Duration::from_secs(24 * 3_600);

impl Stage {
    async fn says(&self, from: &str, words: &str) -> bool {
        let id = MessageId::mint(self.now());
        let wa_id = WaId(format!("IN{}", id.uuid().simple()));
        let letter = Letter::from_person(wa_id, chat(from), text(words));
        self.hear(Inbound { id, letter, at: self.now() }).await.new
    }

    async fn suppressed(&self) -> Vec<Suppression> {
        let page = Page { limit: 10, before: None };
        self.contacts.suppressions(self.scope(), page).await.unwrap().rows
    }

    async fn approach(&self, message: MessageId, approach: Approach) -> Claimed {
        let at = self.fixture.clock.read();
        let claim = Claim { lease: self.lease, message, at, lock: None, approach: Some(approach) };
        self.outbox.claim(claim).await.unwrap()
    }

    fn wait(&self, time: Duration) {
        self.wait_secs(time.as_secs());
    }
}

fn a_day(most: u32) -> Approach {
    Approach { per_day: Some(most), check: false }
}

async fn who_says_stop_is_suppressed_for_the_whole_tenant_before_the_message_is_told_of(fixture: Fixture) {
    let mut stage = Stage::on(fixture).await;
    let (waits, to_bob) = (stage.accept(ANN).await, stage.accept(BOB).await);
    let under_way = stage.accept(ANN).await;
    let sibling = stage.sibling().await;
    let own = (stage.session, stage.lease);
    (stage.session, stage.lease) = (sibling.session, sibling);
    let elsewhere = stage.accept(ANN).await;
    stage.work(stage.accept(BOB).await.id).await;
    (stage.session, stage.lease) = own;
    let first = stage.work(waits.id).await;
    stage.told();
    assert!(stage.says(ANN, "  Arrêt! ").await);

    // What is under way is past recall; what waits, on any session, is canceled in the same breath.
    let told = stage.told();
    let canceled = [under_way.id, elsewhere.id].map(|id| Change::Message(id, MessageStatus::Canceled));
    assert!(matches!(told[0], Change::Received(_)), "{told:?}");
    assert_eq!(told[1..], canceled, "in one commit");
    for id in [under_way.id, elsewhere.id] {
        assert_eq!(stage.message(id).await.reason, Some(MessageReason::Suppressed));
    }
    assert_eq!(stage.status(first.message).await, MessageStatus::Sending);
    assert_eq!(stage.status(to_bob.id).await, MessageStatus::Queued);
    let list = stage.suppressed().await;
    assert_eq!(list.len(), 1);
    assert_eq!((list[0].phone.as_str(), list[0].by, list[0].since), (ANN, StoppedBy::Contact, stage.now()));

    for lease in [stage.lease, sibling] {
        let asked = Acceptance { session: lease.session, ..stage.asked(stage.draft(ANN)) };
        let refused = refusal(stage.outbox.accept(asked).await);
        assert_eq!((refused.code, refused.status), (Code::Suppressed, 422));
    }
    stage.accept(BOB).await;
    assert!(stage.says(ANN, "please stop by tomorrow").await, "a sentence is no wish");
    assert_eq!(stage.suppressed().await.len(), 1);
}

async fn who_says_start_is_open_again_and_what_was_canceled_stays_so(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let canceled = stage.accept(ANN).await;
    stage.says(ANN, "stop").await;
    stage.says(ANN, "STOP").await;
    stage.says(ANN, "start").await;
    assert_eq!(stage.suppressed().await, []);
    assert_eq!(stage.status(canceled.id).await, MessageStatus::Canceled);
    let message = stage.accept(ANN).await;
    stage.work(message.id).await;
}

async fn what_a_tenant_suppressed_it_may_take_back_and_what_a_person_asked_for_it_may_not(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let id = || SuppressionId::mint(stage.now());
    let waits = stage.accept(ANN).await;
    let made = stage.contacts.suppress(stage.scope(), id(), phone(ANN), stage.now()).await.unwrap();
    assert_eq!((made.by, made.since), (StoppedBy::Tenant, stage.now()));
    assert_eq!(stage.status(waits.id).await, MessageStatus::Canceled);
    stage.wait_secs(10);
    let again = stage.contacts.suppress(stage.scope(), id(), phone(ANN), stage.now()).await.unwrap();
    assert_eq!(again, made, "the wish that stands");
    assert_eq!(stage.contacts.allow(stage.scope(), made.id).await, Ok(()));
    assert_eq!(refusal(stage.contacts.allow(stage.scope(), made.id).await).code, Code::NotFound);
    assert_eq!(refusal(stage.contacts.allow(stage.scope(), id()).await).code, Code::NotFound);

    let made = stage.contacts.suppress(stage.scope(), id(), phone(ANN), stage.now()).await.unwrap();
    stage.says(ANN, "unsubscribe").await;
    let theirs = stage.suppressed().await;
    assert_eq!((theirs[0].id, theirs[0].by), (made.id, StoppedBy::Contact), "their word weighs more");
    assert_eq!(refusal(stage.contacts.allow(stage.scope(), made.id).await).code, Code::Conflict);
    stage.says(ANN, "unstop").await;
    assert_eq!(stage.suppressed().await, []);
}

async fn one_tenants_list_is_no_others(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let theirs = stage.stranger().await;
    let scope = TenantScope::authenticated(theirs.tenant);
    stage.says(ANN, "stop").await;
    let page = Page { limit: 10, before: None };
    assert_eq!(stage.contacts.suppressions(scope, page).await.unwrap().rows, []);
    let own = stage.suppressed().await[0].id;
    assert_eq!(refusal(stage.contacts.allow(scope, own).await).code, Code::NotFound);
    let asked =
        Acceptance { tenant: theirs.tenant, session: theirs.session, ..stage.asked(stage.draft(ANN)) };
    assert!(stage.outbox.accept(asked).await.is_ok());
}

async fn the_list_is_read_page_by_page_newest_first(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    for number in 0..5 {
        let number = phone(&format!("+1555123000{number}"));
        let id = SuppressionId::mint(stage.now());
        stage.contacts.suppress(stage.scope(), id, number, stage.now()).await.unwrap();
        stage.wait_secs(1);
    }
    let (mut seen, mut before) = (vec![], None);
    loop {
        let page = Page { limit: 2, before };
        let slice = stage.contacts.suppressions(stage.scope(), page).await.unwrap();
        before = slice.rows.last().map(|row| row.id.uuid());
        seen.extend(slice.rows.into_iter().map(|row| row.phone.as_str().chars().last().unwrap()));
        if !slice.has_more {
            break;
        }
    }
    assert_eq!(seen.into_iter().collect::<String>(), "43210");
}

async fn strangers_are_counted_and_the_next_one_waits_until_the_day_is_over(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let start = stage.now();
    let (first, second) = (stage.accept(ANN).await, stage.accept(BOB).await);
    assert!(matches!(stage.approach(first.id, a_day(1)).await, Claimed::Work(_)));
    stage.told();
    let until = start + DAY;
    assert_eq!(stage.approach(second.id, a_day(1)).await, Claimed::NotYet { until });
    assert_eq!(stage.told(), [Change::Message(second.id, MessageStatus::Held)]);
    let held = stage.message(second.id).await;
    assert_eq!((held.reason, held.attempts), (Some(MessageReason::FirstContact), 0));
    assert_eq!(stage.approach(second.id, a_day(9)).await, Claimed::NotYet { until }, "it is not due");

    // Somebody who was written to already counts once.
    let long = Draft { expires_at: stage.in_secs(3 * 24 * 3_600), ..stage.draft(ANN) };
    let again = stage.accept_draft(long).await;
    stage.receipt(&first, ReceiptKind::Read).await;
    assert!(matches!(stage.approach(again.id, a_day(1)).await, Claimed::Work(_)));
    stage.wait(DAY);
    let late = stage.accept(BOB).await;
    assert!(!matches!(stage.approach(second.id, a_day(1)).await, Claimed::Work(_)), "it has expired");
    assert!(matches!(stage.approach(late.id, a_day(1)).await, Claimed::Work(_)), "another day");
}

async fn who_has_written_is_no_stranger(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    stage.says(BOB, "hello?").await;
    let reply = stage.accept(BOB).await;
    assert!(matches!(stage.approach(reply.id, a_day(0)).await, Claimed::Work(_)));
    let cold = stage.accept(ANN).await;
    let answer = stage.approach(cold.id, a_day(0)).await;
    assert_eq!(answer, Claimed::NotYet { until: stage.now() + DAY }, "nobody, for now");
}

async fn a_number_that_was_linked_just_now_answers_only(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let by_age = Approach { per_day: None, check: false };
    stage.sessions.set_paired(stage.lease, true, stage.now()).await.unwrap();
    let linked = stage.now();
    let message = stage.accept(ANN).await;
    assert_eq!(stage.approach(message.id, by_age).await, Claimed::NotYet { until: linked + 3 * DAY });
    stage.says(ANN, "hello?").await;
    stage.wait(3 * DAY);
    let mut answers = vec![];
    for number in 0..6 {
        let message = stage.accept(&format!("+1555123010{number}")).await;
        let claimed = stage.approach(message.id, by_age).await;
        if let Claimed::Work(work) = &claimed {
            stage.settle(work, Outcome::Sent).await;
        }
        answers.push(matches!(claimed, Claimed::Work(_)));
    }
    assert_eq!(answers, [true, true, true, true, true, false], "five on the fourth day");
}

async fn a_strangers_number_is_asked_for_once_and_one_without_an_account_fails_without_an_attempt(
    fixture: Fixture,
) {
    let stage = Stage::on(fixture).await;
    let checked = Approach { per_day: Some(2), check: true };
    let (known, unknown) = (stage.accept(ANN).await, stage.accept(BOB).await);
    assert_eq!(stage.approach(known.id, checked).await, Claimed::Unchecked { to: phone(ANN) });
    assert_eq!(stage.message(known.id).await.attempts, 0);
    assert_eq!(stage.approach(known.id, checked).await, Claimed::Unchecked { to: phone(ANN) }, "still");
    stage.contacts.note_account(stage.tenant, phone(ANN), true, stage.now()).await.unwrap();
    assert!(matches!(stage.approach(known.id, checked).await, Claimed::Work(_)));

    assert_eq!(stage.approach(unknown.id, checked).await, Claimed::Unchecked { to: phone(BOB) });
    stage.contacts.note_account(stage.tenant, phone(BOB), false, stage.now()).await.unwrap();
    stage.told();
    assert_eq!(stage.approach(unknown.id, checked).await, Claimed::Gone);
    assert_eq!(stage.told(), [Change::Message(unknown.id, MessageStatus::Failed)]);
    let failed = stage.message(unknown.id).await;
    assert_eq!((failed.reason, failed.attempts), (Some(MessageReason::NotOnWhatsapp), 0));
    assert_eq!(stage.usage().await, (0, 1), "it gave its place back");

    // Asking counts as writing: who only asks may ask as few.
    let third = stage.accept("+15551230003").await;
    assert_eq!(stage.approach(third.id, checked).await, Claimed::NotYet { until: stage.now() + DAY });
    // What the network said is believed for a while.
    stage.wait(DAY);
    let again = stage.accept(BOB).await;
    assert_eq!(stage.approach(again.id, checked).await, Claimed::Unchecked { to: phone(BOB) });
}

async fn who_asks_for_numbers_draws_on_the_same_number_of_strangers(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let limit = Some(Approach { per_day: Some(2), check: true });
    let consider = async |phones: &[&str], approach| {
        let phones = phones.iter().map(|&number| phone(number)).collect();
        stage.contacts.consider(stage.scope(), stage.session, phones, approach, stage.now()).await.unwrap()
    };
    let (wrote, third, fourth) = ("+15551230003", "+15551230004", "+15551230005");
    stage.says(wrote, "hello?").await;
    stage.contacts.note_account(stage.tenant, phone(BOB), false, stage.now()).await.unwrap();
    let until = stage.now() + DAY;
    let asked = consider(&[ANN, BOB, wrote, third, fourth], limit).await;
    use Considered::{Ask, Known, NotBefore};
    assert_eq!(asked, [Ask, Known(false), Ask, Ask, NotBefore(until)]);
    stage.contacts.note_account(stage.tenant, phone(ANN), true, stage.now()).await.unwrap();
    assert_eq!(consider(&[ANN, third, fourth], limit).await, [Known(true), Ask, NotBefore(until)]);
    assert_eq!(consider(&[fourth], None).await, [Ask], "without a bound nothing binds");
    // Whom it may not ask for it may not write to either.
    let message = stage.accept(fourth).await;
    assert_eq!(stage.approach(message.id, a_day(2)).await, Claimed::NotYet { until });
    let theirs = stage.stranger().await;
    let scope = TenantScope::authenticated(theirs.tenant);
    let elsewhere = stage.contacts.consider(scope, stage.session, vec![phone(ANN)], limit, stage.now()).await;
    assert_eq!(elsewhere, Err(StoreError::Fenced), "somebody else's session");
}

async fn a_group_that_was_listed_is_known_and_no_stranger(fixture: Fixture) {
    let stage = Stage::on(fixture).await;
    let group = chat("120363000000000001@g.us");
    let knows = async || stage.messages.knows_chat(stage.scope(), stage.session, &group).await.unwrap();
    assert!(!knows().await);
    let groups = vec![group.clone()];
    stage.contacts.note_groups(stage.scope(), stage.session, groups, stage.now()).await.unwrap();
    assert!(knows().await);
    let message = stage.accept("120363000000000001@g.us").await;
    assert!(matches!(stage.approach(message.id, a_day(0)).await, Claimed::Work(_)));
}
