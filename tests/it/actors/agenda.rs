//! Order within a chat, readiness between chats, checked against a plain list.

use columba::actors::session::agenda::{Agenda, Item, Next};
use columba::domain::chat::Chat;
use columba::domain::time::Moment;
use columba::ports::outbox::Position;
use proptest::prelude::*;

fn item(position: i64, chat: u8, not_before: u64, scheduled: bool) -> Item {
    Item {
        message: uuid::Uuid::from_u128(position as u128 + 1).into(),
        position: Position(position),
        chat: Chat::stored(format!("+1555000{chat:04}")),
        not_before: Moment(not_before),
        scheduled,
    }
}

fn positions(agenda: &mut Agenda, now: u64) -> Vec<i64> {
    let mut taken = vec![];
    while let Next::Ready(item) = agenda.next(Moment(now)) {
        agenda.take(&item);
        agenda.finish(&item.chat, Moment(0));
        taken.push(item.position.0);
    }
    taken
}

#[test]
fn a_chat_keeps_the_order_of_acceptance_even_behind_a_message_that_waits() {
    let mut agenda = Agenda::default();
    agenda.enter(item(1, 1, 500, false)); // in back-off
    agenda.enter(item(2, 1, 0, false));
    agenda.enter(item(3, 2, 0, false));
    assert_eq!(positions(&mut agenda, 100), [3]);
    assert_eq!(agenda.next(Moment(100)), Next::At(Moment(500)));
    assert_eq!(positions(&mut agenda, 500), [1, 2]);
}

#[test]
fn a_scheduled_message_lets_later_ones_pass_until_its_time() {
    let mut agenda = Agenda::default();
    agenda.enter(item(1, 1, 500, true));
    agenda.enter(item(2, 1, 0, false));
    assert_eq!(positions(&mut agenda, 100), [2]);
    agenda.enter(item(3, 1, 0, false));
    assert_eq!(positions(&mut agenda, 500), [3, 1], "ready first goes first");
}

#[test]
fn a_message_put_back_keeps_its_place() {
    let mut agenda = Agenda::default();
    agenda.enter(item(1, 1, 0, false));
    agenda.enter(item(2, 1, 0, false));
    let Next::Ready(first) = agenda.next(Moment(0)) else { panic!("ready") };
    agenda.take(&first);
    assert_eq!(agenda.next(Moment(0)), Next::Nothing, "one under way per chat");
    agenda.put_back(Item { not_before: Moment(9), ..first });
    assert_eq!(agenda.next(Moment(8)), Next::At(Moment(9)));
    assert_eq!(positions(&mut agenda, 9), [1, 2]);
}

#[test]
fn a_chat_with_an_older_owners_message_waits_until_all_is_read_again() {
    let mut agenda = Agenda::default();
    let blocked = item(1, 1, 0, false);
    agenda.block(blocked.chat.clone(), blocked.position);
    agenda.enter(item(2, 1, 0, false));
    assert_eq!(agenda.next(Moment(0)), Next::Nothing);
    assert_eq!(agenda.seen(), Position(2));
    agenda.forget();
    assert_eq!(agenda.seen(), Position(0));
    agenda.enter(blocked);
    agenda.enter(item(2, 1, 0, false));
    assert_eq!(positions(&mut agenda, 0), [1, 2]);
}

proptest! {
    #[test]
    fn whatever_enters_leaves_once_and_in_order_within_its_chat(
        rows in prop::collection::vec((0..4u8, 0..50u64), 1..60),
        again in prop::collection::vec(any::<bool>(), 60),
    ) {
        let mut agenda = Agenda::default();
        for (position, (chat, not_before)) in rows.iter().enumerate() {
            agenda.enter(item(position as i64, *chat, *not_before, false));
            agenda.enter(item(position as i64, *chat, *not_before, false)); // read twice
        }
        let (mut left, mut now, mut turn) = (vec![], 0, 0);
        loop {
            match agenda.next(Moment(now)) {
                Next::Nothing => break,
                Next::At(later) => now = later.0,
                Next::Ready(item) => {
                    agenda.take(&item);
                    turn += 1;
                    if again.get(turn).is_some_and(|again| *again) {
                        agenda.put_back(Item { not_before: Moment(now + 1), ..item });
                    } else {
                        agenda.finish(&item.chat, Moment(now));
                        left.push((item.chat.as_str().to_owned(), item.position.0));
                    }
                }
            }
        }
        prop_assert_eq!(left.len(), rows.len());
        for chat in 0..4u8 {
            let name = format!("+1555000{chat:04}");
            let of_chat: Vec<i64> = left.iter().filter(|(c, _)| *c == name).map(|(_, p)| *p).collect();
            prop_assert!(of_chat.is_sorted(), "{:?}", of_chat);
        }
        prop_assert!(agenda.is_empty());
    }
}
