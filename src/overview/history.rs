//! How many sessions stood how over the last day, from how they stand now and what changed since.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::session::SessionStatus;
use crate::domain::time::WallTime;
use crate::ports::lookout::Shifts;

/// Between two looks.
pub const WIDTH: Duration = Duration::from_secs(15 * 60);
/// How far back.
pub const SPAN: Duration = Duration::from_secs(24 * 3600);

/// Sessions by status.
pub type ByStatus = BTreeMap<SessionStatus, u64>;

/// The beginning of the span that `at` is in.
pub fn beginning(at: WallTime) -> WallTime {
    let width = WIDTH.as_millis() as i64;
    WallTime(at.0.div_euclid(width) * width)
}

/// How sessions stood at the beginning of each span of the last day, oldest first, as far back as changes were written down.
/// `shifts` has to reach back a day before the beginning of the present span.
pub fn history(now: &ByStatus, shifts: &Shifts, at: WallTime) -> Vec<(WallTime, ByStatus)> {
    let Some(known_since) = shifts.known_since else { return vec![] };
    let width = WIDTH.as_millis() as i64;
    let mut spans: BTreeMap<i64, Vec<_>> = BTreeMap::new();
    for shift in &shifts.shifts {
        spans.entry(shift.span).or_default().push(shift);
    }
    let mut counts: BTreeMap<SessionStatus, i64> =
        now.iter().map(|(&status, &count)| (status, count as i64)).collect();
    let mut told = vec![];
    let mut start = beginning(at);
    while start >= at - SPAN && start >= known_since {
        // What happened within the span is taken back.
        for shift in spans.get(&(start.0 / width)).into_iter().flatten() {
            let sessions = shift.sessions as i64;
            if let Some(became) = shift.became {
                *counts.entry(became).or_default() -= sessions;
            }
            if let Some(was) = shift.was {
                *counts.entry(was).or_default() += sessions;
            }
        }
        // A clock that was set back can make a past that never was; less than none is none.
        let stood = counts.iter().filter(|(_, count)| **count > 0);
        told.push((start, stood.map(|(&status, &count)| (status, count as u64)).collect()));
        start = start - WIDTH;
    }
    told.reverse();
    told
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use strum::IntoEnumIterator as _;

    use super::*;
    use crate::ports::lookout::Shift;

    const NOW: WallTime = WallTime(1_795_000_000_000);

    /// What happened to one session: it was made, took statuses, and perhaps was deleted.
    fn lives() -> impl Strategy<Value = Vec<Vec<(i64, Option<SessionStatus>)>>> {
        let statuses: Vec<_> = SessionStatus::iter().collect();
        let life = (
            proptest::collection::vec((0..2_000_i64, proptest::sample::select(statuses)), 1..6),
            any::<bool>(),
        );
        let life = life.prop_map(|(mut changes, deleted)| {
            changes.sort_by_key(|(minutes, _)| std::cmp::Reverse(*minutes));
            let mut all: Vec<_> =
                changes.into_iter().map(|(minutes, status)| (minutes, Some(status))).collect();
            if deleted {
                all.push((0, None));
            }
            all
        });
        proptest::collection::vec(life, 0..12)
    }

    proptest! {
        #[test]
        fn the_past_that_is_worked_out_is_the_one_that_was(lives in lives()) {
            let moment = |minutes: i64| WallTime(NOW.0 - minutes * 60_000);
            let stood = |when: WallTime| {
                let mut counts = ByStatus::new();
                for life in &lives {
                    let last = life.iter().rev().find(|(minutes, _)| moment(*minutes) < when);
                    if let Some((_, Some(status))) = last {
                        *counts.entry(*status).or_default() += 1;
                    }
                }
                counts
            };
            let mut shifts = Shifts::default();
            for life in &lives {
                let mut was = None;
                for (minutes, became) in life {
                    let at = moment(*minutes);
                    let span = at.0 / WIDTH.as_millis() as i64;
                    shifts.shifts.push(Shift { span, was, became: *became, sessions: 1 });
                    shifts.known_since = Some(shifts.known_since.map_or(at, |first| first.min(at)));
                    was = *became;
                }
            }
            let now = stood(WallTime(NOW.0 + 1));
            for (when, counts) in history(&now, &shifts, NOW) {
                prop_assert_eq!(counts, stood(when), "{:?}", when);
            }
        }
    }

    #[test]
    fn a_day_has_97_beginnings_at_most_and_none_before_anything_was_written_down() {
        let now = ByStatus::from([(SessionStatus::Connected, 3)]);
        let known =
            |minutes: i64| Shifts { shifts: vec![], known_since: Some(WallTime(NOW.0 - minutes * 60_000)) };
        assert_eq!(history(&now, &Shifts::default(), NOW), []);
        assert_eq!(history(&now, &known(0), NOW), []);
        assert_eq!(history(&now, &known(31), NOW).len(), 2);
        let day = history(&now, &known(100_000), NOW);
        assert!(
            (96..=97).contains(&day.len()) && day.iter().all(|(_, counts)| *counts == now),
            "{}",
            day.len()
        );
        assert!(day.windows(2).all(|two| two[0].0 + WIDTH == two[1].0));
    }
}
