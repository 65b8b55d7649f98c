//! The chain of what operators did: whatever is done to it afterwards is found.

use std::net::IpAddr;

use columba::domain::audit::{Act, Action, Actor, ChainHash, Entry, Head, Misfit, Walk};
use columba::domain::id::OperatorId;
use columba::domain::time::WallTime;
use proptest::prelude::*;
use serde_json::json;
use strum::IntoEnumIterator as _;

/// Whether the chain fits a store that ended with `last`.
fn walk(entries: &[Entry], last: Head, known: &[Head]) -> Result<Head, Misfit> {
    let mut walk = Walk::through(known.iter().copied());
    entries.iter().try_for_each(|entry| walk.step(entry))?;
    walk.end(last)
}

fn act(kind: u8, id: u8) -> Act {
    let actions: Vec<Action> = Action::iter().collect();
    let act = Act::new(actions[kind as usize % actions.len()], "tenant", format_args!("ten_{id}"));
    match kind % 3 {
        0 => act,
        1 => act.after(&json!({"name": id})),
        _ => act.before(&json!({"name": id})).after(&json!({"name": kind})),
    }
}

fn actor(n: u8) -> Actor {
    match n % 3 {
        0 => Actor::system(),
        1 => Actor::root(),
        _ => Actor {
            id: Some(OperatorId::from(uuid::Uuid::from_u128(n.into()))),
            name: format!("operator {n}"),
            address: Some(IpAddr::from([192, 0, 2, n])),
            request_id: n.is_multiple_of(2).then(|| format!("req_{n}")),
        },
    }
}

fn chain(of: &[(u8, u8, i64)]) -> (Vec<Entry>, Head) {
    let mut head = Head::default();
    let entries = of.iter().map(|&(kind, by, at)| {
        let entry = Entry::following(head, &actor(by), act(kind, by), WallTime(at));
        head = entry.head();
        entry
    });
    let entries: Vec<Entry> = entries.collect();
    (entries, head)
}

/// A field of an entry, changed.
fn spoil(entry: &mut Entry, field: usize) {
    let longer = |text: &mut String| text.push('x');
    let other = |text: &mut Option<String>| match text {
        Some(_) => *text = None,
        None => *text = Some(String::new()),
    };
    match field {
        0 => entry.at.0 += 1,
        1 => other(&mut entry.actor.id),
        2 => longer(&mut entry.actor.name),
        3 => longer(&mut entry.action),
        4 => longer(&mut entry.subject.kind),
        5 => longer(&mut entry.subject.id),
        6 => other(&mut entry.before),
        7 => other(&mut entry.after),
        8 => other(&mut entry.address),
        9 => other(&mut entry.request_id),
        10 => entry.hash.0[7] ^= 1,
        // A text moves over the border between two fields.
        11 => {
            let first = entry.subject.id.remove(0);
            entry.subject.kind.push(first);
        }
        _ => unreachable!("no such field"),
    }
}

proptest! {
    #[test]
    fn any_change_removal_insertion_or_move_is_found_at_the_first_entry_it_touches(
        of in prop::collection::vec((any::<u8>(), any::<u8>(), 0..i64::from(u32::MAX)), 2..12),
        at: prop::sample::Index, to: prop::sample::Index, field in 0..12_usize,
    ) {
        let (entries, head) = chain(&of);
        prop_assert_eq!(walk(&entries, head, &[]), Ok(head));
        let at = at.index(entries.len());

        let mut changed = entries.clone();
        spoil(&mut changed[at], field);
        let found = walk(&changed, head, &[]).expect_err("changed");
        prop_assert_eq!(found.seq, at as u64 + 1, "{}", found);

        let mut shorter = entries.clone();
        shorter.remove(at);
        let found = walk(&shorter, head, &[]).expect_err("removed");
        prop_assert_eq!(found.seq, at as u64 + 1, "{}", found);

        let cut = &entries[..at];
        let found = walk(cut, head, &[]).expect_err("cut off");
        prop_assert_eq!(found.seq, at as u64 + 1, "{}", found);

        let mut longer = entries.clone();
        let before = Head { seq: at as u64, hash: at.checked_sub(1).map_or(ChainHash::default(), |last| entries[last].hash) };
        let forged = Entry::following(before, &Actor::root(), act(200, 1), WallTime(0));
        longer.insert(at, forged.clone());
        prop_assert!(walk(&longer, head, &[]).is_err(), "inserted");

        let mut other = entries.clone();
        other[at] = forged;
        prop_assert!(walk(&other, head, &[]).is_err(), "replaced by one that fits what came before");

        let to = to.index(entries.len());
        if at != to {
            let mut moved = entries.clone();
            moved.swap(at, to);
            let found = walk(&moved, head, &[]).expect_err("moved");
            prop_assert_eq!(found.seq, at.min(to) as u64 + 1, "{}", found);
            // And with their numbers put right.
            moved[at].seq = at as u64 + 1;
            moved[to].seq = to as u64 + 1;
            let found = walk(&moved, head, &[]).expect_err("moved");
            prop_assert_eq!(found.seq, at.min(to) as u64 + 1, "{}", found);
        }

        let beyond = Entry::following(head, &Actor::root(), act(1, 1), WallTime(0));
        let mut grown = entries.clone();
        grown.push(beyond);
        prop_assert_eq!(walk(&grown, head, &[]).expect_err("nobody wrote it").seq, head.seq + 1);
    }

    #[test]
    fn a_chain_written_anew_from_some_entry_on_is_found_by_a_head_kept_elsewhere(
        of in prop::collection::vec((any::<u8>(), any::<u8>(), 0..1000_i64), 2..12),
        at: prop::sample::Index,
    ) {
        let (entries, kept) = chain(&of);
        let at = at.index(entries.len());
        let mut forged = of.clone();
        forged[at].2 += 1;
        let (anew, head) = chain(&forged);
        prop_assert_eq!(walk(&anew, head, &[]), Ok(head), "it fits itself: no list can tell by itself");
        prop_assert!(walk(&anew, head, &[kept]).is_err());
        prop_assert_eq!(walk(&entries, kept, &[kept, entries[at].head()]), Ok(kept));
        prop_assert!(walk(&entries[..at], entries[..at].last().map(Entry::head).unwrap_or_default(), &[kept]).is_err());
    }

    #[test]
    fn an_entry_comes_back_from_its_json_to_the_byte(kind: u8, by: u8, at in 0..i64::from(u32::MAX)) {
        let entry = Entry::following(Head::default(), &actor(by), act(kind, by), WallTime(at));
        let text = serde_json::to_string(&entry).unwrap();
        let back: Entry = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(back.hash_after(ChainHash::default()), entry.hash);
        prop_assert_eq!(back, entry);
    }

    #[test]
    fn a_head_comes_back_from_its_text(seq: u64, hash: [u8; 32]) {
        let head = Head { seq, hash: ChainHash(hash) };
        prop_assert_eq!(head.to_string().parse(), Ok(head));
    }
}

#[test]
fn spaces_and_order_in_json_survive_the_way_through_json() {
    let mut entry = Entry::following(Head::default(), &Actor::root(), act(0, 1), WallTime(5));
    entry.before = Some("{ \"b\": 1,  \"a\": 1.50 }".into());
    entry.hash = entry.hash_after(ChainHash::default());
    let back: Entry = serde_json::from_str(&serde_json::to_string(&entry).unwrap()).unwrap();
    assert_eq!(back, entry);
    // Rubbish in a row that was spoiled is shown, not a reason to fail.
    entry.before = Some("{".into());
    assert!(serde_json::to_string(&entry).unwrap().contains("\"{\""));
}

#[test]
fn the_hash_is_the_one_that_the_documents_describe() {
    let act = Act::new(Action::TenantSuspend, "tenant", "ten_1").after(&json!({"a": 1}));
    let entry = Entry::following(Head::default(), &Actor::root(), act, WallTime(258));
    let mut bytes = vec![0; 32];
    bytes.extend(b"columba.audit.1");
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
    for text in [
        Some("opr_00000000000000000000000000000000"),
        Some("root"),
        Some("tenant.suspend"),
        Some("tenant"),
        Some("ten_1"),
        None,
        Some("{\"a\":1}"),
        None,
        None,
    ] {
        match text {
            Some(text) => {
                bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, text.len() as u8]);
                bytes.extend(text.bytes());
            }
            None => bytes.push(0),
        }
    }
    use sha2::Digest as _;
    assert_eq!(entry.hash.0, <[u8; 32]>::from(sha2::Sha256::digest(&bytes)));
}
