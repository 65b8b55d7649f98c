//! The way of a message through a session: window, pacing, outcomes, recovery. On one thread with time paused.

use std::num::NonZeroU32;
use std::time::Duration;

use columba::domain::chat::Chat;
use columba::domain::content::{Content, Text};
use columba::domain::id::MessageId;
use columba::domain::message::{Delivery, Letter, MessageReason, MessageStatus, ReceiptKind, WaId};
use columba::domain::plan::{Pacing, Plan};
use columba::domain::session::{CloseReason, Desired, Engine, Epoch, SessionStatus};
use columba::domain::time::Jitter;
use columba::outbound::attempt;
use columba::ports::clock::Clock as _;
use columba::ports::outbox::{Claim, Claimed};
use columba::ports::signals::Signals as _;
use columba::ports::supervisor::Supervisor as _;
use columba::ports::transport::{DeliveryId, LinkEvent, SendError, Transport as _};

use super::flaky::{Call, Flaky};
use super::fleet::{ANNA, Fleet, draft, person, plan};
use super::scripted::{Answer, Frame};

const SECOND: Duration = Duration::from_secs(1);

fn millis(earlier: &Frame, later: &Frame) -> u64 {
    later.at.since(earlier.at).as_millis() as u64
}

fn order(frames: &[Frame]) -> Vec<MessageId> {
    frames.iter().map(|frame| frame.message).collect()
}

// ---- restraint ------------------------------------------------------------------------------------------------

/// A fleet on an engine that reaches people, under a plan that lets a session write to so many strangers a day.
async fn careful(strangers: u32) -> Fleet {
    let plan = Plan { first_contacts_per_day: Some(strangers), ..plan(10) };
    let mut fleet = Fleet::under(plan).await;
    fleet.engine = Engine::Native;
    fleet
}

#[actix::test]
async fn a_strangers_number_is_asked_for_once_and_one_without_an_account_is_not_written_to() {
    let mut fleet = careful(2).await;
    let (anna, _) = fleet.connected().await;
    fleet.network.leaves(&person(2));
    let (known, absent) = (fleet.send(anna.id, &person(1)).await, fleet.send(anna.id, &person(2)).await);
    assert_eq!(fleet.frame().await.message, known);
    fleet.becomes(absent, MessageStatus::Failed).await;
    let failed = fleet.message(absent).await;
    assert_eq!((failed.reason, failed.attempts), (Some(MessageReason::NotOnWhatsapp), 0));
    assert_eq!(fleet.network.asked_for(), [person(1), person(2)]);
    let again = fleet.send(anna.id, &person(1)).await;
    assert_eq!(fleet.frame().await.message, again);
    assert_eq!(fleet.network.asked_for(), Vec::<String>::new(), "the answer is believed");
    let third = fleet.send(anna.id, &person(3)).await;
    fleet.becomes(third, MessageStatus::Held).await;
    assert_eq!(fleet.message(third).await.reason, Some(MessageReason::FirstContact));
    assert_eq!(
        fleet.network.asked_for(),
        Vec::<String>::new(),
        "nobody beyond the day's number is asked for"
    );
    assert_eq!(fleet.usage().await.used, 2);
    fleet.finish_with(&[(third, MessageStatus::Held)]).await;
}

#[actix::test]
async fn who_cannot_ask_for_a_number_does_not_write_to_it_and_asks_again() {
    let mut fleet = careful(2).await;
    let (anna, _) = fleet.connected().await;
    fleet.network.tells_of_numbers(false);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.pass(100 * SECOND).await;
    assert!(fleet.is_silent());
    let asked = fleet.network.asked_for().len();
    assert!((3..=4).contains(&asked), "every half a minute: {asked} times");
    assert_eq!(fleet.message(message).await.attempts, 0);
    fleet.network.tells_of_numbers(true);
    assert_eq!(fleet.frame().await.message, message);
    fleet.becomes(message, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_number_linked_just_now_answers_and_writes_to_nobody_first_whatever_the_pacing() {
    let plan = Plan { pacing: Pacing::None, ..plan(10) };
    let mut fleet = Fleet::under(plan).await;
    fleet.engine = Engine::Native;
    let (anna, _) = fleet.connected().await;
    let cold = fleet.send(anna.id, ANNA).await;
    fleet.becomes(cold, MessageStatus::Held).await;
    assert_eq!(fleet.network.asked_for(), Vec::<String>::new());
    fleet.finish_with(&[(cold, MessageStatus::Held)]).await;
}

// ---- the cap --------------------------------------------------------------------------------------------------

#[actix::test]
async fn a_queued_message_leaves_after_a_wake_and_the_eleventh_waits_for_the_window() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    let mut queued = vec![];
    for number in 1..=11 {
        queued.push(fleet.queue(anna.id, &person(number)).await);
    }
    fleet.pass(5 * SECOND).await;
    assert!(fleet.is_silent(), "nobody rang");
    let rung_at = fleet.now();
    fleet.routes.wake(anna.id);
    let frames = fleet.frames(11).await;
    assert_eq!(order(&frames), queued, "in order of acceptance");
    assert_eq!(frames[9].at, rung_at, "ten at once");
    assert_eq!(millis(&frames[0], &frames[10]) / 1000, 61);
    fleet.becomes(queued[10], MessageStatus::Sent).await;
    assert_eq!(fleet.usage().await.used, 11);
    fleet.finish().await;
}

#[actix::test]
async fn a_message_goes_once_however_often_its_session_is_rung() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Later(2 * SECOND, Ok(()))]);
    let message = fleet.send(anna.id, ANNA).await;
    for _ in 0..40 {
        fleet.pass(Duration::from_millis(100)).await;
        fleet.routes.wake(anna.id);
    }
    fleet.becomes(message, MessageStatus::Sent).await;
    fleet.frame().await;
    assert!(fleet.is_silent());
    fleet.finish().await;
}

#[actix::test]
async fn the_window_survives_a_restart() {
    let mut fleet = Fleet::under(plan(3)).await;
    let (anna, _) = fleet.connected().await;
    for number in 1..=4 {
        fleet.send(anna.id, &person(number)).await;
    }
    let first = fleet.frames(3).await;
    fleet.pass(10 * SECOND).await;
    let row = fleet.look(anna.id).await;
    fleet.registry.restart(&row).await.unwrap();
    fleet.birth().await;
    let fourth = fleet.frame().await;
    assert_eq!(fourth.lease.epoch, Epoch(2), "the next owner sent it");
    assert_eq!(millis(&first[0], &fourth) / 1000, 61, "and knew what the one before had sent");
    fleet.becomes(fourth.message, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_refused_attempt_has_used_its_slot() {
    let mut fleet = Fleet::under(plan(2)).await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::nack(400), Answer::nack(400)]);
    for number in 1..=3 {
        fleet.send(anna.id, &person(number)).await;
    }
    let frames = fleet.frames(3).await;
    assert_eq!(millis(&frames[0], &frames[2]) / 1000, 61);
    fleet.becomes(frames[2].message, MessageStatus::Sent).await;
    assert_eq!(fleet.usage().await.used, 1, "what was refused is not charged");
    fleet.finish().await;
}

#[actix::test]
async fn caps_that_are_raised_or_lowered_bind_at_the_next_wake() {
    let mut fleet = Fleet::under(plan(2)).await;
    let (anna, _) = fleet.connected().await;
    for number in 1..=6 {
        fleet.send(anna.id, &person(number)).await;
    }
    let first = fleet.frames(2).await;
    fleet.pass(5 * SECOND).await;
    assert!(fleet.is_silent());

    fleet.stores.directory.put_plan(plan(5), fleet.clock.wall()).await.unwrap();
    let raised_at = fleet.now();
    fleet.routes.wake_tenant(fleet.tenant);
    let more = fleet.frames(3).await;
    assert!(more.iter().all(|frame| frame.at == raised_at), "three more at once");

    fleet.stores.directory.put_plan(plan(1), fleet.clock.wall()).await.unwrap();
    fleet.routes.wake_tenant(fleet.tenant);
    let last = fleet.frame().await;
    assert_eq!(millis(&first[0], &last) / 1000, 5 + 61, "not before the newest attempt is a minute old");
    fleet.becomes(last.message, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_tenants_sum_binds_its_sessions_together() {
    let sum = NonZeroU32::new(3);
    let mut fleet = Fleet::under(Plan { messages_per_minute_tenant: sum, ..plan(10) }).await;
    let ((anna, _), (bert, _)) = (fleet.connected().await, fleet.connected().await);
    for number in 1..=3 {
        fleet.send(anna.id, &person(number)).await;
        fleet.send(bert.id, &person(number + 10)).await;
    }
    let frames = fleet.frames(6).await;
    assert_eq!(millis(&frames[0], &frames[2]), 0);
    for (first, beyond) in frames.iter().zip(&frames[3..]) {
        assert!(millis(first, beyond) >= 61_000, "more than three within a minute");
    }
    assert_eq!(millis(&frames[0], &frames[5]) / 1000, 61, "and no later than that");
    for frame in &frames {
        fleet.becomes(frame.message, MessageStatus::Sent).await;
    }
    fleet.finish().await;
}

#[actix::test]
async fn a_claim_that_took_too_long_is_given_back_and_not_sent() {
    let mut fleet = Fleet::under(plan(3)).await;
    let (anna, _) = fleet.connected().await;
    fleet.outbox.slow_down(Call::Claim, Duration::from_millis(1_200));
    let message = fleet.send(anna.id, ANNA).await;
    fleet.pass(Duration::from_millis(1_100)).await;
    fleet.outbox.slow_down(Call::Claim, Duration::ZERO);
    let frame = fleet.frame().await;
    assert_eq!((frame.message, frame.number), (message, 2), "the first attempt was never made");
    assert_eq!(fleet.outbox.count(Call::GiveBack), 1);
    fleet.becomes(message, MessageStatus::Sent).await;

    // Its slot was used all the same: one of three is left.
    let (next, last) = (fleet.send(anna.id, &person(2)).await, fleet.send(anna.id, &person(3)).await);
    assert_eq!(fleet.frame().await.message, next);
    let beyond = fleet.frame().await;
    assert_eq!(beyond.message, last);
    assert!(millis(&frame, &beyond) >= 59_000);
    fleet.becomes(last, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_claim_answered_after_the_link_was_lost_is_given_back_and_sent_on_the_next_link() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.outbox.slow_down(Call::Claim, Duration::from_millis(500));
    let message = fleet.send(anna.id, ANNA).await;
    fleet.becomes(message, MessageStatus::Sending).await;
    fleet.network.hang_up(anna.id, CloseReason::TransportLost);
    fleet.becomes(message, MessageStatus::Queued).await;
    assert_eq!(fleet.outbox.count(Call::GiveBack), 1);
    assert_eq!(fleet.message(message).await.reason, None, "no attempt was made that could have failed");
    fleet.becomes(message, MessageStatus::Sent).await;
    assert_eq!(fleet.frame().await.number, 2);
    fleet.finish().await;
}

#[actix::test]
async fn a_claim_whose_answer_is_lost_is_found_given_back_and_sent() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    // Recovery of this owner is over: nobody else will look for rows that are `sending`.
    fleet.pass(60 * SECOND).await;
    for lose in [Flaky::lose_answer, Flaky::panic_after] {
        lose(&fleet.outbox, Call::Claim);
        let asked = fleet.now();
        let message = fleet.send(anna.id, ANNA).await;
        let next = fleet.send(anna.id, ANNA).await;
        fleet.becomes(next, MessageStatus::Sent).await;
        let frames = fleet.frames(2).await;
        assert_eq!(order(&frames), [message, next], "in order of acceptance");
        assert_eq!((frames[0].number, frames[1].number), (2, 1), "the slot of the first is used");
        assert!(frames[0].at.since(asked) < 3 * SECOND, "soon");
        assert_eq!(fleet.message(message).await.status, MessageStatus::Sent);
    }
    fleet.finish().await;
}

#[actix::test]
async fn a_claim_whose_answer_is_lost_has_used_its_slot() {
    let mut fleet = Fleet::under(plan(3)).await;
    let (anna, _) = fleet.connected().await;
    let begun = fleet.now();
    fleet.outbox.lose_answer(Call::Claim);
    for number in 1..=3 {
        fleet.send(anna.id, &person(number)).await;
    }
    let frames = fleet.frames(3).await;
    assert!(frames[1].at.since(begun) < 15 * SECOND, "one lost, and two of three: the cap is used");
    assert!(frames[2].at.since(begun) >= 61 * SECOND);
    fleet.finish().await;
}

#[actix::test]
async fn a_message_whose_refusal_was_written_by_an_attempt_that_then_panicked_is_found_again() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.pass(60 * SECOND).await;
    fleet.network.answers(anna.id, [Answer::nack(503)]);
    fleet.outbox.panic_after(Call::Settle);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.becomes(message, MessageStatus::Sent).await;
    assert_eq!(fleet.frames(2).await[1].number, 2);
    fleet.finish().await;
}

#[actix::test]
async fn a_claim_of_a_turn_that_is_over_is_left_to_recovery() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.outbox.slow_down(Call::Claim, Duration::from_millis(800));
    let first = fleet.send(anna.id, ANNA).await;
    let second = fleet.send(anna.id, &person(2)).await;
    fleet.becomes(first, MessageStatus::Sending).await;
    fleet.network.hang_up(anna.id, CloseReason::ClientOutdated);
    fleet.until(anna.id, SessionStatus::Parked).await;
    fleet.pass(Duration::from_millis(400)).await;
    fleet.want(anna.id, Desired::Running).await;
    fleet.until(anna.id, SessionStatus::Connected).await;
    // The next turn's claim is out when the answer to the one before arrives.
    fleet.becomes(second, MessageStatus::Sent).await;
    let frame = fleet.frame().await;
    assert_eq!((frame.message, frame.number), (second, 1));
    fleet.becomes(first, MessageStatus::Sent).await;
    let frame = fleet.frame().await;
    assert_eq!((frame.message, frame.number), (first, 2));
    fleet.finish().await;
}

#[actix::test]
async fn an_answer_that_is_older_than_the_end_of_an_attempt_blocks_no_chat() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.pass(Duration::from_millis(9_500)).await;
    fleet.network.answers(anna.id, [Answer::Later(SECOND, Ok(()))]);
    let first = fleet.send(anna.id, ANNA).await;
    fleet.becomes(first, MessageStatus::Sending).await;
    // Recovery is due in half a second, and everything is read again: the answer still shows the message under way.
    fleet.outbox.slow_down(Call::Pending, 3 * SECOND);
    fleet.becomes(first, MessageStatus::Sent).await;
    let second = fleet.send(anna.id, ANNA).await;
    let sent_at = fleet.now();
    fleet.becomes(second, MessageStatus::Sent).await;
    assert!(fleet.now().since(sent_at) <= Duration::from_secs(6), "two reads");
    fleet.finish().await;
}

// ---- order and pacing -----------------------------------------------------------------------------------------

#[actix::test]
async fn a_chat_has_one_message_under_way_and_keeps_its_order_while_others_go_on() {
    let mut fleet = Fleet::under(plan(100)).await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, vec![Answer::Later(2 * SECOND, Ok(())); 4]);
    let mut of_anna = vec![];
    for _ in 0..3 {
        of_anna.push(fleet.send(anna.id, ANNA).await);
    }
    let other = fleet.send(anna.id, &person(2)).await;
    let frames = fleet.frames(4).await;
    assert_eq!(order(&frames), [of_anna[0], other, of_anna[1], of_anna[2]]);
    assert_eq!(millis(&frames[0], &frames[1]), 0, "the other chat did not wait");
    assert_eq!(millis(&frames[0], &frames[2]) / 1000, 2);
    assert_eq!(millis(&frames[2], &frames[3]) / 1000, 2);
    assert_eq!(fleet.outbox.count(Call::Claim), 4, "no claim ahead of its turn");
    fleet.becomes(of_anna[2], MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_message_in_back_off_holds_its_chat_and_no_other() {
    let mut fleet = Fleet::under(plan(100)).await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::nack(429)]);
    let first = fleet.send(anna.id, ANNA).await;
    let second = fleet.send(anna.id, ANNA).await;
    let other = fleet.send(anna.id, &person(2)).await;
    let frames = fleet.frames(4).await;
    assert_eq!(order(&frames), [first, other, first, second]);
    assert_eq!(millis(&frames[0], &frames[2]) / 1000, 5);
    assert_eq!(frames[0].wa_id, frames[2].wa_id, "the same message to whoever sees both");
    fleet.becomes(second, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn at_most_eight_attempts_are_out_at_once() {
    let mut fleet = Fleet::under(plan(100)).await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, vec![Answer::Later(2 * SECOND, Ok(())); 10]);
    for number in 1..=10 {
        fleet.send(anna.id, &person(number)).await;
    }
    let frames = fleet.frames(10).await;
    let waits: Vec<u64> = frames.iter().map(|frame| millis(&frames[0], frame) / 1000).collect();
    assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 2, 2]);
    fleet.becomes(frames[9].message, MessageStatus::Sent).await;
    fleet.pass(2 * SECOND).await;
    fleet.finish().await;
}

#[actix::test]
async fn people_pause_at_least_a_second_and_a_half_between_messages() {
    let mut fleet = Fleet::under(Plan { pacing: Pacing::Human, ..plan(60) }).await;
    let (anna, _) = fleet.connected().await;
    for number in 1..=30 {
        fleet.send(anna.id, &person(number)).await;
    }
    let frames = fleet.frames(30).await;
    let gaps: Vec<u64> = frames.windows(2).map(|pair| millis(&pair[0], &pair[1])).collect();
    assert!(gaps.iter().all(|gap| (1_500..=60_010).contains(gap)), "{gaps:?}");
    let different: std::collections::BTreeSet<_> = gaps.iter().collect();
    assert!(different.len() > 20, "no machine's rhythm: {gaps:?}");
    fleet.becomes(frames[29].message, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_chat_gets_three_messages_and_then_one_every_six_seconds() {
    let mut fleet = Fleet::under(Plan { pacing: Pacing::Human, ..plan(600) }).await;
    let (anna, _) = fleet.connected().await;
    for _ in 0..12 {
        fleet.send(anna.id, ANNA).await;
    }
    let frames = fleet.frames(12).await;
    for (index, first) in frames.iter().enumerate() {
        for (beyond, later) in frames.iter().enumerate().skip(index + 3) {
            let free = 6_000 * (beyond - index - 2) as u64;
            assert!(
                millis(first, later) >= free,
                "{} within {} ms",
                beyond - index + 1,
                millis(first, later)
            );
        }
    }
    assert!(millis(&frames[0], &frames[2]) < 12_000, "a burst is allowed");
    assert!(millis(&frames[0], &frames[11]) < 120_000, "and the limit is no stop");
    fleet.becomes(frames[11].message, MessageStatus::Sent).await;
    fleet.finish().await;
}

// ---- outcomes -------------------------------------------------------------------------------------------------

#[actix::test]
async fn each_answer_of_the_server_leads_to_its_outcome() {
    use {MessageReason as R, MessageStatus as S};
    let mut fleet = Fleet::under(plan(1_000)).await;
    let (anna, _) = fleet.connected().await;
    let no = |error| Answer::Says(Err(error));
    let table = [
        (vec![Answer::Says(Ok(()))], S::Sent, None, 1, 0),
        (vec![Answer::nack(400)], S::Failed, Some(R::Refused), 1, 0),
        (vec![Answer::nack(479)], S::Failed, Some(R::Refused), 1, 0),
        (vec![Answer::nack(404)], S::Failed, Some(R::NotOnWhatsapp), 1, 0),
        (vec![no(SendError::Unsupported)], S::Failed, Some(R::Unsupported), 1, 0),
        (vec![Answer::nack(503)], S::Sent, None, 2, 1),
        (vec![Answer::nack(500), Answer::nack(421)], S::Sent, None, 3, 1 + 2),
        (vec![Answer::nack(429)], S::Sent, None, 2, 5),
        (vec![Answer::nack(503); 5], S::Dead, Some(R::AttemptsExhausted), 5, 1 + 2 + 4 + 8),
        (vec![no(SendError::NoLink); 7], S::Sent, None, 8, 7),
        (vec![Answer::nack(463)], S::Sent, None, 2, 3600),
    ];
    for (number, (answers, status, reason, attempts, seconds)) in (1..).zip(table) {
        fleet.network.answers(anna.id, answers.clone());
        let began = fleet.now();
        let message = fleet.send(anna.id, &person(number)).await;
        if attempts > 1 && seconds >= 3600 {
            fleet.becomes(message, S::Held).await;
            assert_eq!(fleet.message(message).await.reason, Some(R::Timelock));
            fleet.pass(Duration::from_secs(3_000)).await; // what is awaited has to come within an hour
        }
        fleet.becomes(message, status).await;
        let row = fleet.message(message).await;
        assert_eq!((row.status, row.reason, row.attempts), (status, reason, attempts), "{answers:?}");
        assert_eq!(fleet.now().since(began).as_secs(), seconds, "{answers:?}");
        let frames = fleet.frames(attempts as usize).await;
        assert!(frames.iter().all(|frame| frame.wa_id == row.wa_id), "one id for every attempt");
    }
    let row = fleet.look(anna.id).await;
    assert_eq!((row.counters.queued, row.counters.sent, row.counters.failed), (0, 6, 5));
    assert_eq!(fleet.usage().await.used, 6);
    fleet.finish().await;
}

#[actix::test]
async fn a_lock_that_the_server_dates_holds_until_then() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    let until = fleet.clock.wall() + Duration::from_secs(90);
    let locked = SendError::Nack { code: 463, until: Some(until) };
    fleet.network.answers(anna.id, [Answer::Says(Err(locked))]);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.becomes(message, MessageStatus::Held).await;
    let frames = fleet.frames(2).await;
    assert_eq!(millis(&frames[0], &frames[1]) / 1000, 90);
    fleet.becomes(message, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_message_without_an_ack_is_unknown_after_a_minute_and_a_late_receipt_tells() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Never]);
    let message = fleet.send(anna.id, ANNA).await;
    let behind = fleet.send(anna.id, ANNA).await;
    let frame = fleet.frame().await;
    fleet.becomes(message, MessageStatus::Unknown).await;
    assert_eq!(fleet.now().since(frame.at).as_secs(), 60);
    assert_eq!(fleet.message(message).await.reason, Some(MessageReason::NoAck));
    let next = fleet.frame().await;
    assert_eq!((next.message, next.number), (behind, 1), "its chat goes on, and it is not sent again");
    fleet.becomes(behind, MessageStatus::Sent).await;
    assert_eq!((fleet.usage().await.used, fleet.usage().await.held), (1, 1), "nobody knows, so it is held");

    fleet.network.receipt(anna.id, "d1", &frame.wa_id, ReceiptKind::Read);
    fleet.becomes(message, MessageStatus::Read).await;
    fleet.pass(SECOND).await;
    assert_eq!(fleet.usage().await.used, 2, "it had left: it is charged");
    assert_eq!(fleet.network.confirmed(), ["d1"]);
    fleet.finish().await;
}

#[actix::test]
async fn a_late_ack_settles_an_attempt_and_frees_its_chat_at_once() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Never]);
    let message = fleet.send(anna.id, ANNA).await;
    let behind = fleet.send(anna.id, ANNA).await;
    let frame = fleet.frame().await;
    fleet.pass(20 * SECOND).await;
    fleet.network.receipt(anna.id, "d1", &frame.wa_id, ReceiptKind::Server);
    fleet.becomes(message, MessageStatus::Sent).await;
    let next = fleet.frame().await;
    assert_eq!((next.message, millis(&frame, &next) / 1000), (behind, 20));
    assert_eq!(fleet.outbox.count(Call::Claim), 2, "it waited for the news and did not ask for it");
    fleet.becomes(behind, MessageStatus::Sent).await;
    fleet.pass(Duration::from_secs(100)).await;
    assert_eq!(fleet.message(message).await.status, MessageStatus::Sent);
    fleet.finish().await;
}

#[actix::test]
async fn a_receipt_that_cannot_be_stored_closes_no_attempt_and_is_confirmed_once_the_store_is_back() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Never]);
    let message = fleet.send(anna.id, ANNA).await;
    let frame = fleet.frame().await;
    fleet.pass(20 * SECOND).await;
    fleet.outbox.leave(Call::Receipt);
    fleet.network.receipt(anna.id, "d1", &frame.wa_id, ReceiptKind::Server);
    fleet.becomes(message, MessageStatus::Unknown).await;
    assert!(fleet.network.confirmed().is_empty(), "the network may not forget it");
    fleet.outbox.come_back(Call::Receipt);
    fleet.becomes(message, MessageStatus::Sent).await;
    fleet.pass(SECOND).await;
    assert_eq!(fleet.network.confirmed(), ["d1"]);
    fleet.finish().await;
}

#[actix::test]
async fn a_settlement_is_written_when_the_store_is_back() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.outbox.leave(Call::Settle);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.frame().await;
    fleet.pass(20 * SECOND).await;
    assert_eq!(fleet.message(message).await.status, MessageStatus::Sending);
    fleet.outbox.come_back(Call::Settle);
    fleet.becomes(message, MessageStatus::Sent).await;
    assert!(fleet.is_silent());
    fleet.finish().await;
}

// ---- crashes and recovery -------------------------------------------------------------------------------------

#[actix::test]
async fn an_attempt_outlives_its_actor_and_is_settled() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Later(4 * SECOND, Ok(()))]);
    let message = fleet.send(anna.id, ANNA).await;
    let frame = fleet.frame().await;
    fleet.crash(anna.id).await;
    fleet.birth().await;
    assert_eq!(fleet.message(message).await.status, MessageStatus::Sending);
    fleet.becomes(message, MessageStatus::Sent).await;
    assert_eq!(fleet.now().since(frame.at).as_secs(), 4);
    fleet.pass(Duration::from_secs(60)).await;
    assert!(fleet.is_silent(), "recovery found nothing to send again");
    fleet.finish().await;
}

#[actix::test]
async fn what_an_older_owner_left_under_way_is_replayed_under_the_same_id_or_declared_unknown() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Never, Answer::Never]);
    let again = fleet.send(anna.id, ANNA).await;
    let behind = fleet.send(anna.id, ANNA).await;
    let once = fleet.draft_once(&person(2));
    let once = fleet.post(anna.id, once).await;
    let first = fleet.frames(2).await;
    fleet.network.opens_with(anna.id, [LinkEvent::Connected]);
    fleet.crash(anna.id).await;
    fleet.birth().await;
    fleet.until(anna.id, SessionStatus::Connected).await;

    fleet.pass(15 * SECOND).await;
    fleet.network.say(anna.id, LinkEvent::OfflineSynced);
    let synced_at = fleet.now();
    fleet.pass(Duration::from_millis(9_900)).await;
    assert!(fleet.is_silent(), "not before its grace has passed, and nothing overtakes it in its chat");
    assert_eq!(fleet.message(again).await.status, MessageStatus::Sending);
    assert_eq!(fleet.outbox.count(Call::Claim), 2, "nor is it tried");

    let frames = fleet.frames(2).await;
    assert_eq!(order(&frames), [again, behind]);
    assert_eq!(frames[0].at.since(synced_at).as_secs(), 10);
    assert_eq!((&frames[0].wa_id, frames[0].number), (&first[0].wa_id, 2));
    fleet.becomes(behind, MessageStatus::Sent).await;
    fleet.becomes(once, MessageStatus::Unknown).await;
    assert_eq!(fleet.message(once).await.reason, Some(MessageReason::Interrupted));
    assert_eq!(fleet.message(again).await.status, MessageStatus::Sent);
    assert!(fleet.is_silent(), "what may be sent once was sent once");
    fleet.finish_with(&[(once, MessageStatus::Unknown)]).await;
}

#[actix::test]
async fn recovery_does_not_wait_for_an_engine_that_never_says_it_has_caught_up() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Never]);
    fleet.send(anna.id, ANNA).await;
    let first = fleet.frame().await;
    fleet.network.opens_with(anna.id, [LinkEvent::Connected]);
    fleet.crash(anna.id).await;
    fleet.birth().await;
    let replay = fleet.frame().await;
    assert_eq!(replay.wa_id, first.wa_id);
    assert_eq!(millis(&first, &replay) / 1000, 1 + 40);
    fleet.becomes(replay.message, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_recovery_that_the_store_refuses_is_tried_again() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.answers(anna.id, [Answer::Never]);
    let message = fleet.send(anna.id, ANNA).await;
    fleet.frame().await;
    fleet.outbox.leave(Call::Recover);
    fleet.crash(anna.id).await;
    fleet.birth().await;
    fleet.pass(30 * SECOND).await;
    assert!(fleet.outbox.count(Call::Recover) > 1);
    fleet.outbox.come_back(Call::Recover);
    fleet.becomes(message, MessageStatus::Sent).await;
    assert_eq!(fleet.frame().await.number, 2);
    fleet.finish().await;
}

#[actix::test]
async fn what_waits_goes_on_by_itself_after_a_lost_link_and_an_absent_store() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.hang_up(anna.id, CloseReason::TransportLost);
    fleet.until(anna.id, SessionStatus::Reconnecting).await;
    let lost_at = fleet.now();
    let message = fleet.send(anna.id, ANNA).await;
    fleet.becomes(message, MessageStatus::Sent).await;
    assert_eq!(fleet.now().since(lost_at).as_secs(), 1, "as soon as there is a link again");

    for call in [Call::Pending, Call::Claim] {
        fleet.outbox.leave(call);
        let waiting = fleet.send(anna.id, &person(2)).await;
        fleet.pass(10 * SECOND).await;
        assert_eq!(fleet.message(waiting).await.status, MessageStatus::Queued);
        fleet.outbox.come_back(call);
        fleet.becomes(waiting, MessageStatus::Sent).await;
    }
    fleet.finish().await;
}

// ---- the account's restrictions -------------------------------------------------------------------------------

#[actix::test]
async fn while_an_account_is_locked_new_chats_wait_and_replies_go_on() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    fleet.network.say(
        anna.id,
        LinkEvent::Inbound { delivery: DeliveryId("in".to_owned()), letter: Box::new(hello()), handle: None },
    );
    let until = fleet.clock.wall() + Duration::from_secs(120);
    fleet.network.say(anna.id, LinkEvent::Timelocked { until });
    let locked_at = fleet.now();
    fleet.pass(SECOND).await;
    assert_eq!(fleet.look(anna.id).await.standing.timelock_until, Some(until));

    let new = fleet.send(anna.id, &person(2)).await;
    let reply = fleet.send(anna.id, ANNA).await;
    fleet.becomes(new, MessageStatus::Held).await;
    assert_eq!(fleet.message(new).await.reason, Some(MessageReason::Timelock));
    assert_eq!(fleet.frame().await.message, reply);

    fleet.crash(anna.id).await; // the lock outlives its incarnation
    fleet.birth().await;
    let held = fleet.send(anna.id, &person(3)).await;
    fleet.becomes(held, MessageStatus::Held).await;

    let frames = fleet.frames(2).await;
    assert_eq!(order(&frames), [new, held]);
    assert_eq!(frames[0].at.since(locked_at).as_secs(), 120);
    fleet.becomes(held, MessageStatus::Sent).await;
    fleet.finish().await;
}

#[actix::test]
async fn a_delivery_is_stored_once_and_confirmed_each_time_it_comes() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    for delivery in ["d1", "d2"] {
        fleet.network.say(
            anna.id,
            LinkEvent::Inbound {
                delivery: DeliveryId(delivery.to_owned()),
                letter: Box::new(hello()),
                handle: None,
            },
        );
    }
    fleet.pass(SECOND).await;
    assert_eq!(fleet.network.confirmed(), ["d1", "d2"]);
    assert_eq!(fleet.look(anna.id).await.counters.received, 1);
    fleet.finish().await;
}

#[actix::test]
async fn a_scheduled_message_leaves_at_its_time_and_lets_later_ones_pass() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    let at = fleet.clock.wall();
    let mut later = draft(ANNA, at);
    later.send_at = Some(at + Duration::from_secs(30));
    let began = fleet.now();
    let later = fleet.post(anna.id, later).await;
    let now = fleet.send(anna.id, ANNA).await;
    let frames = fleet.frames(2).await;
    assert_eq!(order(&frames), [now, later]);
    assert_eq!(frames[1].at.since(began).as_secs(), 30);
    fleet.becomes(later, MessageStatus::Sent).await;
    fleet.finish().await;
}

impl Fleet {
    fn draft_once(&self, to: &str) -> columba::domain::message::Draft {
        let mut draft = draft(to, self.clock.wall());
        draft.delivery = Delivery::AtMostOnce;
        draft
    }
}

#[actix::test]
async fn an_attempt_that_waited_for_its_thread_is_taken_back_and_not_sent() {
    let mut fleet = Fleet::start().await;
    let session = fleet.row(true).await;
    let lease = fleet.stores.outbox.recall(session.id, fleet.clock.read()).await.unwrap().lease;
    let message = fleet.queue(session.id, ANNA).await;
    let link = fleet.network.open(lease, fleet.vaults.of(session.id), None);
    let ports = attempt::Ports {
        outbox: fleet.outbox.clone(),
        transport: fleet.network.clone(),
        clock: fleet.clock.clone(),
    };
    for (stood_ms, expected) in [(1_000, MessageStatus::Queued), (999, MessageStatus::Sent)] {
        let claim = Claim { lease, message, at: fleet.clock.read(), lock: None, approach: None };
        let Ok(Claimed::Work(work)) = fleet.stores.outbox.claim(claim).await else { panic!("it waits") };
        fleet.clock.skip(Duration::from_millis(stood_ms));
        attempt::attempt(ports.clone(), work, Jitter::NONE).await;
        assert_eq!(fleet.message(message).await.status, expected, "after {stood_ms} ms");
        assert_eq!(fleet.is_silent(), expected == MessageStatus::Queued, "after {stood_ms} ms");
    }
    drop(link);
}

fn hello() -> Letter {
    let content = Content::Text(Text { body: "hello?".to_owned() });
    Letter::from_person(WaId("3EB0IN".to_owned()), Chat::parse(ANNA).unwrap(), content)
}
