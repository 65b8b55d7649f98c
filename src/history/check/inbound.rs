//! I11: what came in, or was written on another device, and was confirmed is a row, exactly one; nothing is a row that
//! never came.

use std::collections::HashMap;

use super::{Case, Finding};
use crate::domain::message::Direction;
use crate::history::record::MessageLine;
use crate::history::verdict::{Evidence, Invariant, Subject};

pub(super) fn stored(case: &Case<'_>, finding: &mut Finding) {
    finding.counts.inbound = case.history.inbound.len() as u64;
    if !case.has_both() {
        return;
    }
    let mut rows: HashMap<_, Vec<&MessageLine>> = HashMap::new();
    for row in case.history.messages.iter().filter(|row| row.direction != Direction::Out) {
        rows.entry((row.session, &row.chat, &row.wa_id)).or_default().push(row);
    }
    for line in &case.history.inbound {
        finding.judged(Invariant::I11);
        let stored = rows
            .remove(&(line.session, line.chat.as_ref().unwrap_or(&line.from), &line.wa_id))
            .unwrap_or_default();
        let is_confirmed = case.history.confirmed.contains(&(line.session, line.number));
        let complaint = match stored.len() {
            0 if is_confirmed => "confirmed to the network, and not stored",
            0 | 1 => continue,
            _ => "stored more than once",
        };
        let came = Evidence::Inbound { number: line.number, at: line.at };
        let shown = [came].into_iter().chain(stored.into_iter().map(Into::into)).collect();
        finding.add(Invariant::I11, Subject::Session(line.session), complaint, shown);
    }
    // The journal may have been read before the rows were. What another device of the account wrote is `sent`.
    let came_at =
        |row: &MessageLine| if row.direction == Direction::In { row.received_at } else { row.sent_at };
    let is_known = |row: &&MessageLine| came_at(row).is_some_and(|at| at + case.terms.slack < case.end);
    for row in rows.into_values().flatten().filter(is_known) {
        let complaint = "stored, and the network never had it";
        finding.add(Invariant::I11, Subject::Message(row.id), complaint, vec![row.into()]);
    }
}
