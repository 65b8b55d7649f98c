//! I5: within a chat, first frames come in the order of acceptance.
//!
//! A message that is scheduled takes no place in that order before its time, and one whose time has run out has none any
//! more. Which of the two held when another went is read off that other's first attempt in the log; without it such a
//! pair is let pass.

use std::collections::BTreeMap;

use super::{Case, Finding};
use crate::history::record::{FrameLine, MessageLine};
use crate::history::verdict::{Evidence, Invariant, Subject};

pub(super) fn order(case: &Case<'_>, finding: &mut Finding) {
    if !case.has_both() {
        return;
    }
    finding.judged(Invariant::I5);
    let mut chats: BTreeMap<_, Vec<(&MessageLine, &FrameLine)>> = BTreeMap::new();
    for row in case.outbound() {
        if let Some(first) = case.frames_of(row).first() {
            chats.entry((row.session, &row.chat)).or_default().push((row, first));
        }
    }
    finding.counts.chats = chats.len() as u64;
    for sent in chats.values_mut() {
        sent.sort_by_key(|(row, _)| row.ord);
        let mut latest = 0;
        for (place, &(row, frame)) in sent.iter().enumerate() {
            if frame.seq > latest {
                latest = frame.seq;
                continue;
            }
            let before = sent[..place].iter();
            let overtaken = before
                .filter(|(_, other)| other.seq > frame.seq)
                .find(|(other, _)| had_its_place(case, other, row));
            if let Some(&(other, late)) = overtaken {
                let shown = vec![Evidence::from(late), Evidence::from(frame), other.into(), row.into()];
                let complaint = "was sent before one of its chat that was accepted earlier";
                finding.add(Invariant::I5, Subject::Message(row.id), complaint, shown);
            }
        }
    }
}

/// Whether an earlier message had its place in the order when a later one was first claimed.
fn had_its_place(case: &Case<'_>, earlier: &MessageLine, later: &MessageLine) -> bool {
    let Some(claimed) = case.attempts_of(later).iter().map(|attempt| attempt.wall).min() else {
        return earlier.send_at.is_none();
    };
    let slack = case.terms.slack;
    let was_scheduled = earlier.send_at.is_some_and(|at| at + slack > claimed);
    let had_expired = earlier.expires_at.is_some_and(|end| end <= claimed + slack);
    !was_scheduled && !had_expired
}
