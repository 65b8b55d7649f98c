//! Any lawful history passes, and whatever is changed in it is caught.

use columba::domain::message::{Direction, MessageStatus, WaId};
use columba::domain::session::Epoch;
use columba::history::History;
use columba::history::check::{Terms, check};
use columba::history::record::{AttemptLine, Charge, FrameLine};
use columba::history::verdict::Invariant;
use proptest::prelude::*;
use proptest::sample::Index;

use super::story::{lawful, seen};

/// Changes one thing; the promise that is broken then, or none when there was nothing to change.
type Mutation = fn(&mut History, Index) -> Option<Invariant>;

const MUTATIONS: [(&str, Mutation); 13] = [
    ("drop an accepted row", |history, index| {
        let accepted = index.get(&history.accepted).message;
        history.messages.retain(|row| row.id != accepted);
        Some(Invariant::I3)
    }),
    ("drop every frame of a row that was sent", |history, index| {
        let sent = |row: &&columba::history::record::MessageLine| {
            row.direction == Direction::Out && row.sent_at.is_some_and(|at| Some(at) < history.as_of)
        };
        let sent: Vec<_> = history.messages.iter().filter(sent).map(|row| row.wa_id.clone()).collect();
        let wa_id = pick(&sent, index)?;
        history.frames.retain(|frame| frame.wa_id != *wa_id);
        Some(Invariant::I3)
    }),
    ("a row that never ends", |history, index| {
        let seen = seen(history);
        let row = &mut history.messages[*pick(&seen, index)?];
        row.status = MessageStatus::Sending;
        history.as_of = history.as_of.map(|at| at + std::time::Duration::from_secs(2_000));
        Some(Invariant::I3)
    }),
    ("a frame again under a new id", |history, index| {
        let frame = pick(&history.frames, index)?.clone();
        let seq = history.frames.last()?.seq + 1;
        history.frames.push(FrameLine { seq, wa_id: WaId("3EB0NEW".to_owned()), ..frame });
        Some(Invariant::I4)
    }),
    ("a frame again that nobody claimed", |history, index| {
        // Of one whose attempts all left, or there would be room for another.
        let left: Vec<_> =
            history.frames.iter().filter(|frame| has_left_each_time(history, frame)).cloned().collect();
        let seq = history.frames.last()?.seq + 1;
        history.frames.push(FrameLine { seq, ..pick(&left, index)?.clone() });
        Some(Invariant::I1)
    }),
    ("two of a chat in the other order", |history, index| {
        let pairs: Vec<(usize, usize)> = (0..history.frames.len())
            .flat_map(|later| (0..later).map(move |earlier| (earlier, later)))
            .filter(|&(earlier, later)| is_pair(history, earlier, later))
            .collect();
        let &(earlier, later) = pick(&pairs, index)?;
        let seq = history.frames[earlier].seq;
        history.frames[earlier].seq = history.frames[later].seq;
        history.frames[later].seq = seq;
        Some(Invariant::I5)
    }),
    ("as many attempts again at the moment of one", |history, index| {
        let first = pick(&history.attempts, index)?.clone();
        let cap =
            history.caps.iter().filter(|cap| cap.tenant == first.tenant).map(|cap| cap.per_minute).max()?;
        for number in 0..cap {
            history.attempts.push(AttemptLine { number: first.number + 100 + number, ..first.clone() });
        }
        Some(Invariant::I1)
    }),
    ("a claim after the end", |history, index| {
        let attempt = pick(&history.attempts, index)?;
        let row = history.messages.iter_mut().find(|row| row.id == attempt.message)?;
        row.expires_at = Some(attempt.wall);
        Some(Invariant::I7)
    }),
    ("a double charge", |history, index| {
        let place = index.index(history.usage.len());
        history.usage[place].used += 1;
        Some(Invariant::I8)
    }),
    ("a hold that is lost", |history, index| {
        let places: Vec<_> = (0..history.messages.len())
            .filter(|&place| history.messages[place].charge == Charge::Charged)
            .collect();
        history.messages[*pick(&places, index)?].charge = Charge::Released;
        Some(Invariant::I8)
    }),
    ("an entry of the ledger that is lost", |history, index| {
        let place = index.index(history.entries.len());
        history.entries.remove(place);
        Some(Invariant::I8b)
    }),
    ("a frame of an old owner", |history, index| {
        let frame = pick(&history.frames, index)?.clone();
        let newest = history.frames.iter().rfind(|other| other.session == frame.session)?;
        let (seq, epoch) = (history.frames.last()?.seq + 1, Epoch(newest.epoch.0 - 1));
        let wa_id = frame.wa_id.clone();
        history.frames.push(FrameLine { seq, epoch, wa_id, ..frame });
        Some(Invariant::I10)
    }),
    ("an inbound message that was confirmed and lost", |history, index| {
        let confirmed: Vec<_> = history
            .inbound
            .iter()
            .filter(|line| history.confirmed.contains(&(line.session, line.number)))
            .map(|line| line.wa_id.clone())
            .collect();
        let wa_id = pick(&confirmed, index)?;
        history.messages.retain(|row| row.wa_id != *wa_id);
        Some(Invariant::I11)
    }),
];

fn pick<T>(all: &[T], index: Index) -> Option<&T> {
    (!all.is_empty()).then(|| index.get(all))
}

fn has_left_each_time(history: &History, frame: &FrameLine) -> bool {
    let frames = history.frames.iter().filter(|other| other.wa_id == frame.wa_id).count();
    history.messages.iter().any(|row| row.wa_id == frame.wa_id && row.attempts as usize == frames)
}

/// Whether two frames are the first ones of two messages of a chat, neither scheduled nor short-lived.
fn is_pair(history: &History, earlier: usize, later: usize) -> bool {
    let row = |place: usize| {
        let frame = &history.frames[place];
        let is_first = history.frames.iter().find(|other| other.wa_id == frame.wa_id)?.seq == frame.seq;
        let row = history.messages.iter().find(|row| row.wa_id == frame.wa_id)?;
        (is_first && row.send_at.is_none()).then_some(row)
    };
    let (Some(one), Some(two)) = (row(earlier), row(later)) else { return false };
    let claimed =
        history.attempts.iter().filter(|attempt| attempt.message == two.id).map(|one| one.wall).min();
    (one.session, &one.chat) == (two.session, &two.chat)
        && one.ord < two.ord
        // Moved to the other's place, neither may come before one of its own.
        && !history.frames.iter().skip(earlier + 1).take(later - earlier).any(|frame| frame.wa_id == one.wa_id)
        && one.expires_at > claimed
}

proptest! {
    #[test]
    fn a_lawful_history_passes(seed: u64, steps in 0..400u32) {
        let verdict = check(&lawful(seed, steps), Terms::default());
        prop_assert_eq!(&verdict.violations, &vec![], "seed {}", seed);
    }

    #[test]
    fn whatever_is_changed_is_caught(seed: u64, steps in 100..400u32, index: Index, which in 0..MUTATIONS.len()) {
        let mut history = lawful(seed, steps);
        prop_assume!(!history.accepted.is_empty());
        let (name, mutate) = MUTATIONS[which];
        let Some(broken) = mutate(&mut history, index) else { return Ok(()) };
        let verdict = check(&history, Terms::default());
        prop_assert!(
            verdict.violations.iter().any(|violation| violation.invariant == broken),
            "{}: {:?} not among {:#?}", name, broken, verdict.violations
        );
    }
}

#[test]
fn every_mutation_finds_something_to_change() {
    for (name, mutate) in MUTATIONS {
        let changed = (0..20).filter(|&seed| {
            let mut history = lawful(seed, 300);
            mutate(&mut history, Index::from_seed(seed)).is_some()
        });
        assert!(changed.count() > 10, "{name} hardly ever finds anything to change");
    }
}

trait FromSeed {
    fn from_seed(seed: u64) -> Self;
}

impl FromSeed for Index {
    fn from_seed(seed: u64) -> Self {
        use proptest::strategy::{Strategy as _, ValueTree as _};
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        (0..=seed).map(|_| any::<Index>().new_tree(&mut runner).unwrap().current()).last().unwrap()
    }
}
