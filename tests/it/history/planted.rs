//! Every way to break a promise, planted by hand into a history that keeps them all: it is found, and nothing else is.

use columba::domain::chat::Chat;
use columba::domain::id::InvoiceId;
use columba::domain::invoice::{EntryKind, InvoiceStatus};
use columba::domain::message::{Delivery, MessageStatus, WaId};
use columba::domain::session::{Epoch, SessionStatus};
use columba::history::History;
use columba::history::check::{Terms, check};
use columba::history::record::{AttemptLine, CapLine, Charge, FrameLine, MessageLine, UsageLine};
use columba::history::verdict::{Counts, Invariant, Subject};
use std::time::Duration;
use strum::IntoEnumIterator as _;
use uuid::Uuid;

use super::story::{
    REFUSING, add, at, attempt, chat, frame, id, lawful, plain, promise, received, sent, session, tenant,
    waiting,
};

fn found(history: &History) -> Found {
    let verdict = check(history, Terms::default());
    verdict.violations.iter().map(|violation| (violation.invariant, violation.subject)).collect()
}

fn message(number: u128) -> Subject {
    Subject::Message(id(number))
}

fn invoice(number: u128) -> InvoiceId {
    InvoiceId::from(Uuid::from_u128(number))
}

fn paper(number: u128) -> Subject {
    Subject::Invoice(invoice(number))
}

fn row(history: &mut History, number: u128) -> &mut MessageLine {
    history.messages.iter_mut().find(|row| row.id == id(number)).unwrap()
}

/// A second attempt and frame of message 300, of this owner, two minutes after the first.
fn again(history: &mut History, epoch: i64) {
    let sent = row(history, 300);
    sent.attempts = 2;
    let sent = sent.clone();
    history.attempts.push(AttemptLine { epoch: Epoch(epoch), ..attempt(&sent, 2, at(420)) });
    history.frames.push(FrameLine { epoch: Epoch(epoch), ..frame(&sent, 3_001, at(420)) });
}

/// A message that waits, accepted 20 minutes before the end, and not counted.
fn late(history: &mut History, change: impl FnOnce(&mut MessageLine)) {
    let mut row = MessageLine { ord: 900, queued_at: Some(at(2_400)), not_before: None, ..waiting(900, 9) };
    change(&mut row);
    history.messages.push(row);
}

type Plant = fn(&mut History);
type Found = Vec<(Invariant, Subject)>;

#[rustfmt::skip]
fn table() -> Vec<(&'static str, Plant, Found)> {
    use Invariant::*;
    let (acme, anna) = (Subject::Tenant(tenant(1)), Subject::Session(session(1)));
    vec![
        ("nothing", |_| {}, vec![]),

        ("a fourth attempt within 60 s, never on the wire", |h| {
            row(h, 10).attempts = 2;
            let first = row(h, 10).clone();
            h.attempts.push(attempt(&first, 2, at(70)));
        }, vec![(I1, anna)]),
        ("the same 60 s later", |h| {
            row(h, 10).attempts = 2;
            let first = row(h, 10).clone();
            h.attempts.push(attempt(&first, 2, at(71)));
        }, vec![]),
        ("a lower cap that did not bind", |h| {
            h.caps.push(CapLine { from: at(22), per_minute: 2, ..h.caps[0].clone() });
        }, vec![(I1, anna), (I1b, anna)]),
        ("a lower cap a moment before an attempt", |h| {
            h.caps.push(CapLine { from: at(30), per_minute: 2, ..h.caps[0].clone() });
        }, vec![]),
        ("a tenant's sum that is exceeded", |h| h.caps[0].per_minute_tenant = Some(2), vec![(I1, acme)]),
        ("an attempt before a boot, and too many in its first minute", |h| {
            for attempt in &mut h.attempts[..2] {
                *attempt = AttemptLine { boot: Uuid::from_u128(0), moment: 9_000_000, ..attempt.clone() };
            }
            h.attempts[2].moment = 9_000;
            h.caps[0].per_minute = 2;
            h.frames.retain(|frame| frame.seq != 300);
            row(h, 30).status = MessageStatus::Failed;
            row(h, 30).sent_at = None;
            row(h, 30).charge = Charge::None;
            h.usage[0].used = 3;
        }, vec![(I1, anna)]),
        ("a frame without an attempt", |h| {
            let mut row = sent(40, 4);
            row.attempts = 0;
            h.frames.push(frame(&row, 1_000, at(200)));
            h.messages.push(row);
            h.usage[0].used = 5;
        }, vec![(I1, message(40))]),
        ("a frame by another owner than its attempt's", |h| h.frames[3].epoch = Epoch(2), vec![(I1, message(300))]),
        ("an attempt counted twice", |h| {
            let twice = AttemptLine { moment: h.attempts[3].moment + 1, ord: 1, ..h.attempts[3].clone() };
            h.attempts.push(twice);
        }, vec![(I1, message(300))]),

        ("frames that queued on the way", |h| {
            h.frames[3].at = at(69);
            h.frames[3].seq = 301;
        }, vec![(I1b, anna)]),
        ("the network's clock was set back", |h| {
            for frame in &mut h.frames[2..] {
                frame.at = at(frame.at.0 / 1_000 % 7);
            }
        }, vec![]),

        ("an accepted message that is no row", |h| h.accepted.push(promise(&waiting(77, 1))), vec![(I3, message(77))]),
        ("a row on another session than was asked for", |h| h.accepted[0].session = session(2), vec![(I3, message(10))]),
        ("a row to another number than was asked for", |h| h.accepted[0].to = chat(7), vec![(I3, message(10))]),
        ("sending for an hour", |h| {
            late(h, |row| (row.status, row.attempted_at) = (MessageStatus::Sending, Some(at(2_500))));
        }, vec![(I3, message(900))]),
        ("sending for a minute", |h| {
            late(h, |row| (row.status, row.attempted_at) = (MessageStatus::Sending, Some(at(3_540))));
        }, vec![]),
        ("waiting beyond its end", |h| late(h, |row| row.expires_at = Some(at(2_500))), vec![(I3, message(900))]),
        ("waiting although it could go", |h| late(h, |_| {}), vec![(I3, message(900))]),
        ("waiting for its time", |h| late(h, |row| row.not_before = Some(at(9_999))), vec![]),
        ("waiting for a lock to end", |h| late(h, |row| {
            (row.status, row.not_before) = (MessageStatus::Held, Some(at(3_500)));
        }), vec![]),
        ("waiting for its session", |h| {
            late(h, |_| {});
            h.sessions[0].status = SessionStatus::Parked;
        }, vec![]),
        ("waiting for its session, which is just back", |h| {
            late(h, |_| {});
            h.sessions[0].since = at(3_500);
        }, vec![]),
        ("waiting while the queue moves", |h| {
            late(h, |_| {});
            add(h, MessageLine { ord: 899, queued_at: Some(at(2_390)), attempted_at: Some(at(3_590)), not_before: None, charge: Charge::None, ..sent(899, 8) });
        }, vec![]),
        ("waiting while later ones go", |h| {
            late(h, |_| {});
            add(h, MessageLine { ord: 901, queued_at: Some(at(3_580)), attempted_at: Some(at(3_590)), not_before: None, charge: Charge::None, ..sent(901, 8) });
        }, vec![(I3, message(900))]),
        ("sent, and the network never saw it", |h| drop(h.frames.remove(3)), vec![(I3, message(300))]),
        ("sent after the journal was read", |h| {
            drop(h.frames.remove(3));
            row(h, 300).sent_at = Some(at(3_600));
        }, vec![]),

        ("a frame under a new id", |h| {
            let copy = FrameLine { seq: 4_000, at: at(500), wa_id: WaId("3EB0NEW".into()), ..h.frames[3].clone() };
            h.frames.push(copy);
        }, vec![(I4, anna)]),
        ("a frame of another session's message", |h| {
            let copy = FrameLine { seq: 4_000, session: session(2), ..h.frames[3].clone() };
            h.frames.push(copy);
        }, vec![(I4, Subject::Session(session(2)))]),
        ("a frame to another number", |h| h.frames[3].to = chat(7), vec![(I4, message(300))]),
        ("two rows with one id", |h| {
            let wa_id = row(h, 300).wa_id.clone();
            late(h, |row| (row.wa_id, row.status) = (wa_id, MessageStatus::Canceled));
            h.messages.swap(3, 5);
        }, vec![(I4, message(300))]),
        ("sent again after a crash", |h| again(h, 2), vec![]),
        ("sent again by the same owner", |h| again(h, 1), vec![(I4, message(300))]),
        ("sent again after it was refused", |h| {
            row(h, 300).chat = Chat::stored(REFUSING.to_owned());
            h.frames[3].to = Chat::stored(REFUSING.to_owned());
            h.accepted[3].to = Chat::stored(REFUSING.to_owned());
            again(h, 1);
        }, vec![]),
        ("sent twice although once at most", |h| {
            row(h, 300).delivery = Delivery::AtMostOnce;
            again(h, 2);
        }, vec![(I4, message(300))]),

        ("two of a chat in the wrong order", |h| {
            (h.frames[0].seq, h.frames[2].seq) = (300, 100);
        }, vec![(I5, message(30))]),
        ("two of a chat, the first one scheduled", |h| {
            (h.frames[0].seq, h.frames[2].seq) = (300, 100);
            row(h, 10).send_at = Some(at(32));
        }, vec![]),
        ("two of a chat, the first one scheduled and due", |h| {
            (h.frames[0].seq, h.frames[2].seq) = (300, 100);
            row(h, 10).send_at = Some(at(31));
        }, vec![(I5, message(30))]),
        ("two of different chats in the other order", |h| {
            (h.frames[0].seq, h.frames[1].seq) = (200, 100);
        }, vec![]),

        ("claimed after its end", |h| row(h, 300).expires_at = Some(at(301)), vec![(I7, message(300))]),
        ("claimed just in time", |h| row(h, 300).expires_at = Some(at(302)), vec![]),
        ("a frame long after its end", |h| {
            row(h, 300).expires_at = Some(at(302));
            h.frames[3].at = at(313);
        }, vec![(I7, message(300))]),
        ("a frame on its way when its end came", |h| {
            row(h, 300).expires_at = Some(at(302));
            h.frames[3].at = at(311);
        }, vec![]),

        ("a month with one too many", |h| h.usage[0].used = 5, vec![(I8, acme)]),
        ("a month that was never written", |h| h.usage.clear(), vec![(I8, acme)]),
        ("a month of nothing", |h| {
            h.usage.push(UsageLine { tenant: tenant(2), used: 0, held: 1, ..h.usage[0].clone() });
        }, vec![(I8, Subject::Tenant(tenant(2)))]),
        ("charged and never sent", |h| {
            row(h, 300).sent_at = None;
            row(h, 300).status = MessageStatus::Failed;
        }, vec![(I8, message(300))]),
        ("sent and not charged", |h| {
            row(h, 300).charge = Charge::Held;
            (h.usage[0].used, h.usage[0].held) = (3, 1);
        }, vec![(I8, message(300))]),
        ("ended and still held", |h| {
            late(h, |row| (row.status, row.charge) = (MessageStatus::Canceled, Charge::Held));
            h.usage[0].held = 1;
        }, vec![(I8, message(900))]),
        ("given back and still waiting", |h| {
            late(h, |row| (row.not_before, row.charge) = (Some(at(9_999)), Charge::Released));
        }, vec![(I8, message(900))]),

        ("an entry that is lost", |h| {
            h.entries.remove(0);
        }, vec![(I8b, paper(1))]),
        ("a payment that was not entered", |h| {
            h.entries.retain(|entry| entry.invoice != Some(invoice(1)) || entry.what != EntryKind::Payment);
        }, vec![(I8b, paper(1))]),
        ("a payment beyond what was due", |h| {
            h.entries[1].amount_minor -= 500;
        }, vec![]),
        ("a credit note without an entry", |h| {
            h.entries.retain(|entry| entry.what != EntryKind::CreditNote);
        }, vec![(I8b, paper(1))]),
        ("a credit note that is gone", |h| h.notes.clear(), vec![(I8b, paper(1)), (I8b, Subject::Issuer)]),
        ("taken back and still open", |h| h.invoices[1].status = InvoiceStatus::Open, vec![(I8b, paper(2))]),
        ("given up by more than was due", |h| {
            h.entries.retain(|entry| entry.what != EntryKind::Recovery);
        }, vec![(I8b, paper(3))]),
        ("a line that was added", |h| h.invoices[0].lines_minor += 1, vec![(I8b, paper(1))]),
        ("a tax that does not add up", |h| h.invoices[1].account.tax_minor += 1, vec![(I8b, paper(2))]),
        ("open, and nothing is due", |h| {
            h.invoices[0].status = InvoiceStatus::Open;
        }, vec![(I8b, paper(1))]),
        ("paid twice over", |h| {
            h.invoices[0].account.applied_minor = 1;
        }, vec![(I8b, paper(1))]),
        ("an entry of an invoice that never was", |h| {
            h.entries[0].invoice = Some(invoice(9));
        }, vec![(I8b, paper(1)), (I8b, paper(9))]),
        ("a number that is on no paper", |h| h.series[0].next = 5, vec![(I8b, Subject::Issuer)]),
        ("a number that was never given", |h| h.series[1].next = 1, vec![(I8b, Subject::Issuer)]),
        ("one number on two papers", |h| {
            h.invoices[1].number = h.invoices[0].number.clone();
        }, vec![(I8b, Subject::Issuer), (I8b, Subject::Issuer)]),

        ("a frame of an older owner after a newer one's", |h| {
            for place in [0, 1] {
                (h.frames[place].epoch, h.attempts[place].epoch) = (Epoch(2), Epoch(2));
            }
        }, vec![(I10, anna), (I10, anna)]),
        ("a frame of an owner that never was", |h| {
            (h.frames[3].epoch, h.attempts[3].epoch) = (Epoch(3), Epoch(3));
        }, vec![(I10, anna)]),

        ("confirmed and not stored", |h| drop(h.messages.pop()), vec![(I11, anna)]),
        ("not confirmed and not stored", |h| {
            drop(h.messages.pop());
            h.confirmed.clear();
        }, vec![]),
        ("stored twice", |h| {
            let copy = received(501, &h.inbound[0]);
            h.messages.push(copy);
        }, vec![(I11, anna)]),
        ("stored and never written", |h| h.inbound.clear(), vec![(I11, message(500))]),
    ]
}

#[test]
fn each_planted_violation_is_found_and_nothing_else() {
    let mut wrong = vec![];
    for (what, plant, expected) in table() {
        let mut history = plain();
        plant(&mut history);
        if found(&history) != expected {
            wrong.push(format!("{what}: {:#?}", check(&history, Terms::default()).violations));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_invariant_is_missing_from_the_table() {
    let planted: Vec<_> = table().into_iter().flat_map(|(_, _, found)| found).collect();
    for invariant in Invariant::iter() {
        assert!(planted.iter().any(|(one, _)| *one == invariant), "{invariant:?} was never planted");
    }
}

#[test]
fn an_empty_history_is_no_proof_and_a_clean_one_says_what_was_looked_at() {
    let verdict = check(&History::default(), Terms::default());
    assert!(verdict.is_empty() && !verdict.is_clean() && verdict.violations.is_empty());
    assert_eq!(verdict.counts, Counts::default());

    let verdict = check(&plain(), Terms::default());
    assert_eq!(verdict.judged, Invariant::iter().collect::<Vec<_>>());
    assert!(verdict.is_clean(), "{:#?}", verdict.violations);
    let expected = Counts {
        accepted: 4,
        messages: 4,
        inbound: 1,
        attempts: 4,
        frames: 4,
        windows: 4,
        frame_windows: 4,
        chats: 2,
        months: 1,
        invoices: 3,
        owners: 1,
        ..Counts::default()
    };
    assert_eq!(verdict.counts, expected);
}

#[test]
fn frames_alone_are_judged_by_their_owners_only() {
    let history = History { frames: plain().frames, has_journal: true, ..History::default() };
    assert_eq!(check(&history, Terms::default()).judged, [Invariant::I10]);
}

#[test]
fn a_clock_that_was_set_is_forgiven_by_as_much_as_was_said() {
    let mut history = plain();
    row(&mut history, 300).expires_at = Some(at(200));
    assert_eq!(found(&history), [(Invariant::I7, message(300))]);
    assert!(check(&history, Terms { slack: Duration::from_secs(102) }).is_clean());
}

#[test]
fn the_same_history_gets_the_same_verdict_in_any_order() {
    let mut history = plain();
    history.usage.clear();
    history.frames[3].wa_id = WaId("3EB0NEW".into());
    let verdict = check(&history, Terms::default());
    assert!(verdict.violations.len() > 2);
    history.frames.reverse();
    history.messages.reverse();
    history.attempts.reverse();
    assert_eq!(check(&history, Terms::default()), verdict);
    let made_up = lawful(1, 300);
    assert_eq!(check(&made_up, Terms::default()), check(&made_up, Terms::default()));
}
