//! Restraint towards people who never wrote: how many of them a session may write to, and whether it has to know first
//! that they are there. The numbers are ours; they follow what platforms ask of businesses and what people report who
//! were restricted. Nobody knows the network's own.

use std::num::NonZeroU32;
use std::time::Duration;

use super::plan::Caps;
use super::session::Engine;
use super::time::WallTime;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// In any such span people who are written to for the first time are counted.
pub const SPAN: Duration = DAY;
/// So often a minute at most a session of a real engine may send, whatever a plan says.
pub const CEILING: NonZeroU32 = NonZeroU32::new(60).expect("not zero");
/// How long it is believed that a number has an account, and that it has none.
pub const BELIEVED: [Duration; 2] = [DAY.saturating_mul(7), DAY];

/// How many people a number may approach in a day, by how long it has been linked. Before the first entry none: it
/// answers only.
const RAMP: [(Duration, u32); 4] = [
    (DAY.saturating_mul(3), 5),
    (DAY.saturating_mul(7), 10),
    (DAY.saturating_mul(14), 20),
    (DAY.saturating_mul(30), 50),
];

/// What binds a message to somebody who never wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approach {
    /// People a day; none for what the ramp says.
    pub per_day: Option<u32>,
    /// Whether the network has to be asked first whether the number has an account.
    pub check: bool,
}

impl Approach {
    /// What binds a session of this engine under these caps; nothing for a sandbox that nobody restrained.
    pub fn of(engine: Engine, caps: &Caps) -> Option<Self> {
        // Without a wildcard, so that whoever adds an engine has to decide here.
        match engine {
            Engine::Sandbox => {
                caps.first_contacts_per_day.map(|most| Self { per_day: Some(most), check: false })
            }
            Engine::Native | Engine::Baileys => {
                Some(Self { per_day: caps.first_contacts_per_day, check: true })
            }
        }
    }

    /// When a session may write to one more person who never wrote: now, or not before then. `linked`: since when its
    /// number is linked, if that is known; `approached`: when it wrote to others first.
    pub fn opens_at(
        &self,
        linked: Option<WallTime>,
        approached: &[WallTime],
        now: WallTime,
    ) -> Option<WallTime> {
        let (most, more_from) = match (self.per_day, linked) {
            (Some(most), _) => (most, None),
            (None, Some(linked)) => ramp(linked, now),
            (None, None) => ramp(now, now),
        };
        opens_at(most, more_from, approached, now)
    }
}

/// Whether a number has an account, if what the network said of it is believed still.
pub fn believed(said: Option<(bool, WallTime)>, now: WallTime) -> Option<bool> {
    let (has_account, at) = said?;
    let lasts = BELIEVED[usize::from(!has_account)];
    (now.since(at) < lasts).then_some(has_account)
}

/// How many people a number may approach in a day that has been linked since then; and from when on there are more.
pub fn ramp(linked: WallTime, now: WallTime) -> (u32, Option<WallTime>) {
    let age = now.since(linked);
    let reached = RAMP.iter().take_while(|(from, _)| age >= *from).last().map_or(0, |&(_, most)| most);
    let next = RAMP.iter().find(|(from, _)| age < *from).map(|&(from, _)| linked + from);
    (reached, next)
}

/// When somebody may be approached, given when others were, in any order: now, or not before then.
pub fn opens_at(
    most: u32,
    more_from: Option<WallTime>,
    approached: &[WallTime],
    now: WallTime,
) -> Option<WallTime> {
    let mut recent: Vec<WallTime> = approached.iter().copied().filter(|&at| at + SPAN > now).collect();
    if recent.len() < most as usize {
        return None;
    }
    recent.sort_unstable();
    let leaves = recent.len().checked_sub(most as usize).and_then(|at| recent.get(at)).map(|&at| at + SPAN);
    match (leaves, more_from) {
        (Some(leaves), Some(more)) => Some(leaves.min(more)),
        (Some(one), None) | (None, Some(one)) => Some(one),
        // Nobody may ever be approached: look again in a day, when somebody may have set another number.
        (None, None) => Some(now + SPAN),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn days(count: u64) -> Duration {
        DAY * count as u32
    }

    #[test]
    fn a_number_answers_only_at_first_and_approaches_more_people_as_it_grows_older() {
        let linked = WallTime(1_795_000_000_000);
        for (age, most, next) in [
            (0, 0, Some(3)),
            (2, 0, Some(3)),
            (3, 5, Some(7)),
            (7, 10, Some(14)),
            (14, 20, Some(30)),
            (30, 50, None),
        ] {
            assert_eq!(
                ramp(linked, linked + days(age)),
                (most, next.map(|day| linked + days(day))),
                "day {age}"
            );
        }
    }

    proptest! {
        /// Whoever waits until it opens finds it open, and not a moment earlier.
        #[test]
        fn it_opens_when_it_says_and_not_before(
            most in 0_u32..5,
            ages in prop::collection::vec(0_u64..30 * 3_600_000, 0..8),
        ) {
            let now = WallTime(1_795_000_000_000);
            let approached: Vec<_> = ages.iter().map(|&age| now - Duration::from_millis(age)).collect();
            match opens_at(most, None, &approached, now) {
                None => {
                    let recent = approached.iter().filter(|&&at| at + SPAN > now).count();
                    prop_assert!(recent < most as usize);
                }
                Some(opens) => {
                    prop_assert!(opens > now);
                    if most > 0 {
                        let just_before = opens - Duration::from_millis(1);
                        prop_assert_eq!(opens_at(most, None, &approached, opens), None);
                        prop_assert!(opens_at(most, None, &approached, just_before).is_some());
                    }
                }
            }
        }
    }
}
