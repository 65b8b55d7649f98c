//! I4, I7 and I10: what each frame may be.
//!
//! I4: every frame bears an id that a row of its session has, goes to that row's number, and no two rows share an id. A
//! frame comes again under its id only by another owner, so at most once for each, unless the network refused it before
//! ([`Refusing`](crate::history::record::Refusing)); never more often than the row counts attempts; and for
//! `at_most_once` not at all.
//! I7: no claim at or after the end of its message, by the wall it was decided on; and no frame later than an attempt can
//! take after that, which is [`ON_THE_WAY`].
//! I10: within a session epochs never fall in the order of receipt, and none was never taken.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::{Case, Finding};
use crate::domain::id::SessionId;
use crate::domain::message::Delivery;
use crate::history::record::FrameLine;
use crate::history::verdict::{Evidence, Invariant, Subject};

/// A claim is used within a second or not at all, and an attempt ends after ten.
const ON_THE_WAY: Duration = Duration::from_secs(11);

pub(super) fn ids(case: &Case<'_>, finding: &mut Finding) {
    if !case.has_both() {
        return;
    }
    finding.judged(Invariant::I4);
    for frame in &case.frames {
        let row = case.by_wa_id.get(&(frame.session, frame.wa_id.0.as_str()));
        let (subject, complaint, row) = match row {
            None => (Subject::Session(frame.session), "a frame under an id that no row has", None),
            Some(row) if row.chat != frame.to => {
                (Subject::Message(row.id), "a frame to another number than its row's", Some(*row))
            }
            Some(_) => continue,
        };
        let shown = [Evidence::from(*frame)].into_iter().chain(row.map(Into::into)).collect();
        finding.add(Invariant::I4, subject, complaint, shown);
    }
    let mut seen = HashMap::new();
    for row in case.outbound() {
        if let Some(other) = seen.insert((row.session, &row.wa_id), row) {
            let shown = vec![row.into(), other.into()];
            finding.add(
                Invariant::I4,
                Subject::Message(row.id),
                "two rows share an id on the network",
                shown,
            );
        }
    }
}

pub(super) fn repeats(case: &Case<'_>, finding: &mut Finding) {
    if !case.has_both() {
        return;
    }
    for row in case.outbound() {
        let frames = case.frames_of(row);
        finding.counts.repeats += frames.len().saturating_sub(1) as u64;
        if frames.len() < 2 {
            continue;
        }
        let refused = case.is_refused_at_times(row);
        let owners: HashSet<_> = frames.iter().map(|frame| frame.epoch).collect();
        let complaint = if frames.len() > row.attempts as usize {
            "more frames than attempts"
        } else if !refused && row.delivery == Delivery::AtMostOnce {
            "sent again although it may be sent once at most"
        } else if !refused && frames.len() > owners.len() {
            "sent again by the same owner"
        } else {
            continue;
        };
        let shown = frames.iter().map(|frame| Evidence::from(*frame)).chain([row.into()]).collect();
        finding.add(Invariant::I4, Subject::Message(row.id), complaint, shown);
    }
}

pub(super) fn deadlines(case: &Case<'_>, finding: &mut Finding) {
    for row in case.outbound() {
        let Some(end) = row.expires_at else { continue };
        let bound = Evidence::Bound { value: u64::from(row.attempts), at: end };
        let claimed = case.attempts_of(row).iter().find(|attempt| attempt.wall >= end + case.terms.slack);
        if let Some(attempt) = claimed {
            let shown = vec![Evidence::from(*attempt), bound];
            finding.add(Invariant::I7, Subject::Message(row.id), "claimed after its end", shown);
            continue;
        }
        let last = end + ON_THE_WAY + case.terms.slack;
        if let Some(frame) = case.frames_of(row).iter().find(|frame| frame.at >= last) {
            let shown = vec![Evidence::from(*frame), bound];
            finding.add(Invariant::I7, Subject::Message(row.id), "a frame after its end", shown);
        }
        finding.judged(Invariant::I7);
    }
}

pub(super) fn owners(case: &Case<'_>, finding: &mut Finding) {
    let mut newest: BTreeMap<SessionId, &FrameLine> = BTreeMap::new();
    for frame in &case.frames {
        finding.judged(Invariant::I10);
        let subject = Subject::Session(frame.session);
        if let Some(row) = case.sessions.get(&frame.session).filter(|row| frame.epoch > row.epoch) {
            let taken = Evidence::Count { counted: frame.epoch.0 as u64, stands: row.epoch.0 as u64 };
            let shown = vec![Evidence::from(*frame), taken];
            finding.add(Invariant::I10, subject, "a frame of an ownership that nobody took", shown);
            continue;
        }
        let before = *newest.entry(frame.session).or_insert(frame);
        if frame.epoch < before.epoch {
            let shown = vec![Evidence::from(before), Evidence::from(*frame)];
            finding.add(
                Invariant::I10,
                subject,
                "a frame of an older owner after one of a newer owner",
                shown,
            );
        } else {
            newest.insert(frame.session, frame);
        }
    }
    finding.counts.owners = newest.len() as u64;
}
