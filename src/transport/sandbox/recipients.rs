//! Recipients that behave: what the network answers to a frame, by number. A function of what came before and of the
//! time in the log, so that a journal read again leads to the same answers.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::chat::Chat;
use crate::domain::phone::Phone;
use crate::domain::time::WallTime;
use crate::ports::questions::{self, Acquaintance, Group, Question};

/// A message's id on the network as 64 bits. Two ids of one session share one with a chance of 10⁻⁷ per million
/// messages; the second would then get no receipts.
pub(super) type Fingerprint = u64;

/// What the network answers to one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The server has it, and owes these receipts.
    Ack(Receipts),
    /// The server refuses it.
    Nack {
        /// Its number.
        code: u16,
        /// For a lock: when it ends.
        until: Option<WallTime>,
    },
    /// Nothing ever comes back.
    Silence,
}

/// Which receipts follow an ack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipts {
    /// None: they are owed since the first copy came.
    None,
    /// The device gets it, nobody reads it.
    Delivered,
    /// The device gets it, then a person reads it.
    DeliveredAndRead,
}

/// The numbers that refuse a frame and may take a later copy of it: to them a frame comes again without a crash.
pub const REFUSING: [&str; 4] = ["+15550000463", "+15550000429", "+15550000500", "+15550000503"];

/// How one number behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behavior {
    /// Gets it and reads it.
    Ordinary,
    /// Gets it, never reads it.
    NeverReads,
    /// 463 from the first try to the end of a lock that this try begins.
    Locks,
    /// 404: the number has no account.
    NoAccount,
    /// Every message is refused so often, then taken.
    Refuses {
        /// With this number.
        code: u16,
        /// So often.
        times: u8,
    },
    /// Every message is refused for ever, with a number that promises better times.
    Unavailable,
    /// The frame arrives; no ack comes.
    Silent,
}

impl Behavior {
    /// The table of API.md.
    pub(super) fn of(to: &Chat) -> Self {
        match to.as_str() {
            "+15550000463" => Self::Locks,
            "+15550000404" => Self::NoAccount,
            "+15550000429" => Self::Refuses { code: 429, times: 1 },
            "+15550000500" => Self::Unavailable,
            "+15550000503" => Self::Refuses { code: 503, times: 2 },
            "+15550000408" => Self::Silent,
            "+15550000200" => Self::NeverReads,
            _ => Self::Ordinary,
        }
    }
}

/// The group that every account of the sandbox is in.
const GROUP: &str = "120363000000000001@g.us";

/// What a connected account is told that asks.
pub(super) fn answer(question: &Question) -> questions::Answer {
    use questions::Answer as A;
    let known = |number: &str, name: &str| Acquaintance {
        chat: Chat::stored(number.to_owned()),
        name: Some(name.to_owned()),
    };
    match question {
        Question::Groups => A::Groups(vec![Group {
            chat: Chat::stored(GROUP.to_owned()),
            subject: "Everybody in the sandbox".to_owned(),
            participants: 3,
            admin: false,
        }]),
        Question::Contacts { after, limit } => {
            let all = [
                known("+15550000200", "Never reads"),
                known("+15551230001", "Ada"),
                known("+15551230002", "Bob"),
            ];
            let behind = |one: &Acquaintance| after.as_deref().is_none_or(|after| one.chat.as_str() > after);
            let mut contacts: Vec<_> = all.into_iter().filter(behind).collect();
            let more = contacts.len() > *limit as usize;
            contacts.truncate(*limit as usize);
            A::Contacts { contacts, more }
        }
        Question::Numbers(phones) => {
            let has_account = |phone: &Phone| Behavior::of(&Chat::from(phone.clone())) != Behavior::NoAccount;
            A::Numbers(phones.iter().map(has_account).collect())
        }
        Question::MarkRead { .. } | Question::Typing { .. } => A::Done,
    }
}

/// What one session's earlier frames mean for the next. Grows only by messages that were refused and never came again.
#[derive(Debug, Default)]
pub(super) struct History {
    /// End of the lock of the one number that locks, from the first try on.
    locked_until: Option<WallTime>,
    /// Refusals so far, per message.
    refused: HashMap<Fingerprint, u8>,
}

impl History {
    /// Judges a frame that no earlier copy of was taken. `lock`: how long a lock lasts.
    pub(super) fn judge(&mut self, to: &Chat, message: Fingerprint, at: WallTime, lock: Duration) -> Answer {
        match Behavior::of(to) {
            Behavior::Ordinary => Answer::Ack(Receipts::DeliveredAndRead),
            Behavior::NeverReads => Answer::Ack(Receipts::Delivered),
            Behavior::NoAccount => Answer::Nack { code: 404, until: None },
            Behavior::Unavailable => Answer::Nack { code: 500, until: None },
            Behavior::Silent => Answer::Silence,
            Behavior::Locks => {
                let until = *self.locked_until.get_or_insert(at + lock);
                match at < until {
                    true => Answer::Nack { code: 463, until: Some(until) },
                    false => Answer::Ack(Receipts::DeliveredAndRead),
                }
            }
            Behavior::Refuses { code, times } => {
                let refused = self.refused.entry(message).or_default();
                if *refused < times {
                    *refused += 1;
                    return Answer::Nack { code, until: None };
                }
                self.refused.remove(&message);
                Answer::Ack(Receipts::DeliveredAndRead)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: Duration = Duration::from_secs(120);

    fn answers(to: &str, tries: &[(Fingerprint, i64)]) -> Vec<Answer> {
        let (to, mut history) = (Chat::stored(to.to_owned()), History::default());
        tries.iter().map(|&(message, at)| history.judge(&to, message, WallTime(at), LOCK)).collect()
    }

    const READ: Answer = Answer::Ack(Receipts::DeliveredAndRead);

    fn nack(code: u16) -> Answer {
        Answer::Nack { code, until: None }
    }

    #[test]
    fn every_number_answers_as_the_table_says() {
        let tries = [(1, 0), (1, 1), (1, 2)];
        let table = [
            ("+15550000404", [nack(404), nack(404), nack(404)]),
            ("+15550000429", [nack(429), READ, READ]),
            ("+15550000500", [nack(500); 3]),
            ("+15550000503", [nack(503), nack(503), READ]),
            ("+15550000408", [Answer::Silence; 3]),
            ("+15550000200", [Answer::Ack(Receipts::Delivered); 3]),
            ("+15551230001", [READ; 3]),
        ];
        for (to, wanted) in table {
            // A taken message is not judged again, so the history forgets it: a fourth try would be a first.
            let tries = if to.ends_with("429") { &tries[..2] } else { &tries[..] };
            assert_eq!(answers(to, tries), wanted[..tries.len()], "{to}");
        }
    }

    #[test]
    fn the_numbers_that_refuse_for_a_while_are_those_of_the_list() {
        for number in 0..1_000 {
            let number = format!("+15550000{number:03}");
            let refuses = match Behavior::of(&Chat::stored(number.clone())) {
                Behavior::Locks | Behavior::Refuses { .. } | Behavior::Unavailable => true,
                Behavior::Ordinary | Behavior::NeverReads | Behavior::NoAccount | Behavior::Silent => false,
            };
            assert_eq!(REFUSING.contains(&number.as_str()), refuses, "{number}");
        }
    }

    #[test]
    fn refusals_are_counted_per_message() {
        assert_eq!(
            answers("+15550000429", &[(1, 0), (2, 0), (2, 1), (1, 1)]),
            [nack(429), nack(429), READ, READ]
        );
    }

    #[test]
    fn a_lock_begins_with_the_first_try_and_ends_for_every_message() {
        let locked = Answer::Nack { code: 463, until: Some(WallTime(121_000)) };
        let tries = [(1, 1_000), (2, 60_000), (1, 120_999), (1, 121_000), (2, 121_000), (3, 500_000)];
        assert_eq!(answers("+15550000463", &tries), [locked, locked, locked, READ, READ, READ]);
    }
}
