//! I3: nothing is lost.
//!
//! What a client got a 202 for is a row, on the session and to the number it asked for. Every row comes to an end: none
//! is `sending` for longer than [`LIMIT`], none waits for longer than that beyond its own end, and none waits although it
//! could go. A row may wait while it is not due, while its session is not connected, and while the cap is used up by
//! others: it is stuck when it has been due and its session connected for [`LIMIT`], nothing went to its chat meanwhile,
//! and either nothing went at all or something that became due long after it.
//! And what the server is said to have, the network has seen.

use std::collections::HashMap;
use std::time::Duration;

use super::{Case, Finding};
use crate::domain::message::MessageStatus;
use crate::domain::session::SessionStatus;
use crate::domain::time::WallTime;
use crate::history::record::{AttemptLine, MessageLine};
use crate::history::verdict::{Evidence, Invariant, Subject};

/// 15 minutes, and one for whoever has to notice.
const LIMIT: Duration = Duration::from_secs(16 * 60);

pub(super) fn accepted(case: &Case<'_>, finding: &mut Finding) {
    finding.counts.accepted = case.history.accepted.len() as u64;
    if case.history.accepted.is_empty() {
        return;
    }
    finding.judged(Invariant::I3);
    for promise in &case.history.accepted {
        let subject = Subject::Message(promise.message);
        let shown = Evidence::Bound { value: 202, at: promise.wall };
        match case.rows.get(&promise.message) {
            None => finding.add(Invariant::I3, subject, "accepted, and there is no row", vec![shown]),
            Some(row) if row.session != promise.session || row.chat != promise.to => {
                let complaint = "accepted for another session or number than the row's";
                finding.add(Invariant::I3, subject, complaint, vec![shown, (*row).into()]);
            }
            Some(_) => {}
        }
    }
}

pub(super) fn ends(case: &Case<'_>, finding: &mut Finding) {
    let limit = LIMIT + case.terms.slack;
    let long_ago = case.end - limit;
    // What went in the meantime: of each session, and to each chat.
    let (mut recent, mut chats): (HashMap<_, Vec<&AttemptLine>>, HashMap<_, WallTime>) = Default::default();
    for attempt in case.history.attempts.iter().filter(|attempt| attempt.wall > long_ago) {
        recent.entry(attempt.session).or_default().push(attempt);
        if let Some(row) = case.rows.get(&attempt.message) {
            chats.insert((row.session, &row.chat), attempt.wall);
        }
    }
    for row in case.outbound() {
        finding.counts.messages += 1;
        finding.judged(Invariant::I3);
        let complaint = match row.status {
            MessageStatus::Sending if row.attempted_at.is_none_or(|at| at < long_ago) => {
                "has been sending for more than 15 minutes"
            }
            MessageStatus::Queued | MessageStatus::Held
                if row.expires_at.is_some_and(|end| end < long_ago) =>
            {
                "waits although its time ran out more than 15 minutes ago"
            }
            MessageStatus::Queued | MessageStatus::Held
                if !chats.contains_key(&(row.session, &row.chat)) && is_stuck(case, row, &recent, limit) =>
            {
                "waits although it could have gone for more than 15 minutes"
            }
            _ => continue,
        };
        let shown = vec![row.into(), Evidence::Bound { value: limit.as_secs(), at: case.end }];
        finding.add(Invariant::I3, Subject::Message(row.id), complaint, shown);
    }
}

fn due(row: &MessageLine) -> WallTime {
    [row.queued_at, row.send_at, row.not_before].into_iter().flatten().max().unwrap_or_default()
}

fn is_stuck(
    case: &Case<'_>,
    row: &MessageLine,
    recent: &HashMap<crate::domain::id::SessionId, Vec<&AttemptLine>>,
    limit: Duration,
) -> bool {
    let connected = |at| {
        case.sessions.get(&row.session).is_some_and(|session| {
            session.status == SessionStatus::Connected && !session.deleted && session.since < at
        })
    };
    let (due_at, long_ago) = (due(row), case.end - limit);
    if due_at >= long_ago || !connected(long_ago) {
        return false;
    }
    let Some(others) = recent.get(&row.session) else { return true };
    others.iter().any(|attempt| {
        let other = case.rows.get(&attempt.message);
        other.is_some_and(|other| due(other) > due_at + limit && attempt.number == 1)
    })
}

pub(super) fn sent(case: &Case<'_>, finding: &mut Finding) {
    if !case.has_both() {
        return;
    }
    for row in case.outbound() {
        // The journal may have been read before the rows were.
        let is_known = row.sent_at.is_some_and(|at| at + case.terms.slack < case.end);
        if is_known && case.frames_of(row).is_empty() {
            let complaint = "is with the server, and the network never saw it";
            finding.add(Invariant::I3, Subject::Message(row.id), complaint, vec![row.into()]);
        }
    }
}
