//! Which sessions are set apart from their neighbours because their bridge keeps dying. Pure.
//!
//! A process that dies says nothing of why. Suspect is who was opening, or had a command under way, at that moment; who is
//! so twice within ten minutes is set apart. After the first death all neighbours open at once, so the second one may make
//! suspects of all: then they are dealt out over a few processes, and each further death deals out only those of one, until
//! whoever it is dies alone.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::domain::time::Moment;

/// Two suspicions this close together set a session apart.
const MEMORY: Duration = Duration::from_secs(600);
/// Who was not suspected for so long goes back among the others, with its next opening.
const PAROLE: Duration = Duration::from_secs(3600);
/// Suspects of one death are dealt out over so many cells.
const DEAL: usize = 4;
/// Cells there are at most: each is a process. Beyond that suspects share.
pub const CELLS: usize = 16;

/// A process for suspects, by its number among them.
pub type Cell = usize;

/// What is held against one session.
#[derive(Debug, Clone, Copy)]
struct Record {
    last: Moment,
    cell: Option<Cell>,
}

/// What is held against sessions.
#[derive(Debug, Default)]
pub struct Suspects {
    records: HashMap<String, Record>,
}

impl Suspects {
    /// A process died, and these may be why. Whom that sets apart, or apart from more of the others than before.
    pub fn accuse<'a>(&mut self, now: Moment, sessions: &'a BTreeSet<String>) -> Vec<&'a str> {
        self.records.retain(|_, record| record.holds(now));
        let mut convicted = vec![];
        for session in sessions {
            match self.records.get_mut(session) {
                Some(record) if record.cell.is_some() || now.since(record.last) <= MEMORY => {
                    record.last = now;
                    convicted.push(session.as_str());
                }
                _ => drop(self.records.insert(session.clone(), Record { last: now, cell: None })),
            }
        }
        self.deal(&convicted);
        convicted
    }

    /// Deals suspects out over the emptiest cells. One that is alone already stays there.
    fn deal(&mut self, convicted: &[&str]) {
        let held = |cell| self.records.values().filter(move |record| record.cell == cell).count();
        if let [session] = convicted
            && let Some(cell) = self.records.get(*session).and_then(|record| record.cell)
            && held(Some(cell)) == 1
        {
            return;
        }
        for session in convicted {
            if let Some(record) = self.records.get_mut(*session) {
                record.cell = None;
            }
        }
        let mut crowd = [0_usize; CELLS];
        for cell in self.records.values().filter_map(|record| record.cell) {
            crowd[cell] += 1;
        }
        let mut cells: Vec<Cell> = (0..CELLS).collect();
        cells.sort_by_key(|&cell| crowd[cell]);
        for (session, &cell) in convicted.iter().zip(cells.iter().take(DEAL).cycle()) {
            if let Some(record) = self.records.get_mut(*session) {
                record.cell = Some(cell);
            }
        }
    }

    /// How many are set apart.
    pub fn apart(&self) -> usize {
        self.records.values().filter(|record| record.cell.is_some()).count()
    }

    /// Where a session that opens now is to be, if not among the others.
    pub fn cell_of(&mut self, now: Moment, session: &str) -> Option<Cell> {
        let record = self.records.get(session)?;
        if !record.holds(now) {
            self.records.remove(session);
            return None;
        }
        record.cell
    }
}

impl Record {
    fn holds(&self, now: Moment) -> bool {
        now.since(self.last) <= if self.cell.is_some() { PAROLE } else { MEMORY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment(1_000_000);

    fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        names.into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn twice_within_ten_minutes_sets_apart_and_an_hour_of_peace_forgives() {
        for (second, third, apart) in [
            (1, 2, Some(true)),
            (600, 601, Some(true)),
            (601, 602, Some(false)),
            (600, 600 + 3600, Some(true)),
            (600, 600 + 3601, Some(false)),
        ] {
            let mut suspects = Suspects::default();
            let at = |seconds| START + Duration::from_secs(seconds);
            assert!(suspects.accuse(START, &named(["a", "b"])).is_empty(), "once is nobody's fault");
            assert_eq!(suspects.cell_of(START, "a"), None);
            suspects.accuse(at(second), &named(["a"]));
            assert_eq!(
                suspects.cell_of(at(third), "a").is_some(),
                apart == Some(true),
                "{second} s, {third} s"
            );
            assert_eq!(suspects.cell_of(at(third), "b"), None, "suspected once");
            assert_eq!(suspects.cell_of(at(third), "c"), None, "never suspected");
        }
    }

    /// A shard of `size` that one session kills each time it opens, with all others opening beside it.
    fn deaths_until_alone(size: usize, culprit: usize) -> usize {
        let name = |number: usize| format!("ses_{number:03}");
        let mut suspects = Suspects::default();
        for death in 1..100 {
            let now = START + Duration::from_secs(death as u64);
            let home = suspects.cell_of(now, &name(culprit));
            let beside: BTreeSet<String> =
                (0..size).map(name).filter(|session| suspects.cell_of(now, session) == home).collect();
            if beside.len() == 1 {
                return death - 1;
            }
            suspects.accuse(now, &beside);
        }
        panic!("never alone");
    }

    #[test]
    fn one_that_kills_each_process_is_alone_after_a_few_deaths_and_there_are_never_more_cells_than_allowed() {
        for (size, most) in [(2, 2), (4, 2), (16, 3), (100, 5), (250, 6)] {
            for culprit in [0, size / 2, size - 1] {
                let deaths = deaths_until_alone(size, culprit);
                assert!(deaths <= most, "{size} sessions, number {culprit}: {deaths} deaths");
            }
        }
    }

    #[test]
    fn when_every_process_dies_again_and_again_the_cells_stay_few_and_each_session_has_one() {
        let all: BTreeSet<String> = (0..1_000).map(|number| format!("ses_{number}")).collect();
        let mut suspects = Suspects::default();
        for death in 0..50 {
            suspects.accuse(START + Duration::from_secs(death), &all);
        }
        let now = START + Duration::from_secs(50);
        let cells: BTreeSet<Cell> = all.iter().filter_map(|session| suspects.cell_of(now, session)).collect();
        assert!(all.iter().all(|session| suspects.cell_of(now, session).is_some()));
        assert!(cells.iter().all(|&cell| cell < CELLS), "{cells:?}");
    }
}
