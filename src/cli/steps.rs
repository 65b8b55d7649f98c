//! The steps of pairing, as they are seen from outside. No IO, no clock.

use std::time::Duration;

use crate::domain::session::PAIRING_LIMIT;
use crate::domain::time::WallTime;

/// How long WhatsApp shows every code but the first.
const LATER_CODE: Duration = Duration::from_secs(20);
/// Looks that may still show what the session was before it heard of its start.
const STALE_LOOKS: u32 = 20;

/// One look at a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Its public status.
    pub status: String,
    /// Why it has it.
    pub reason: Option<String>,
    /// Whether it has credentials.
    pub paired: bool,
    /// Since when it has its status.
    pub since: WallTime,
    /// The code it shows.
    pub shown: Option<Shown>,
    /// What the phone's owner has to do besides, as the server says it.
    pub todo: Option<String>,
}

/// A code on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What the picture holds.
    pub code: String,
    /// How many have been shown, this one included.
    pub attempt: u64,
    /// When the next one comes.
    pub expires_at: WallTime,
}

/// Whether to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Look again.
    Waiting,
    /// Done.
    Connected,
    /// It will not be connected without somebody's help; why.
    Failed(String),
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Started,
    Code,
    Paired,
    Connected,
}

/// The way from a start to a connected session.
#[derive(Debug)]
pub struct Steps {
    step: Step,
    /// Whether the session was seen to move since we began.
    moved: bool,
    looks: u32,
    /// Had credentials when we began: there is nothing to scan.
    known: bool,
    now: WallTime,
}

impl Steps {
    /// A session that was just told to start.
    pub fn new() -> Self {
        Self { step: Step::Started, moved: false, looks: 0, known: false, now: WallTime(0) }
    }

    /// Takes one look.
    pub fn on(&mut self, look: &Look, now: WallTime) -> Verdict {
        self.looks += 1;
        self.now = now;
        if self.looks == 1 {
            self.known = look.paired;
        }
        match look.status.as_str() {
            "connected" => {
                self.step = Step::Connected;
                return Verdict::Connected;
            }
            "pairing" => self.moved = true,
            "starting" | "reconnecting" => self.moved = true,
            "parked" | "logged_out" | "quarantined" | "stopped" if self.moved || self.looks > STALE_LOOKS => {
                let why = look.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
                return Verdict::Failed(match self.step {
                    Step::Code => format!("nobody scanned a code: the session is {}{why}", look.status),
                    _ => format!("the session is {}{why}", look.status),
                });
            }
            _ => {}
        }
        if look.shown.is_some() {
            self.step = self.step.max(Step::Code);
        }
        if look.paired {
            self.step = self.step.max(Step::Paired);
        }
        Verdict::Waiting
    }

    /// What has passed, a line a step.
    pub fn passed(&self) -> Vec<String> {
        let paired = if self.known { "credentials from before" } else { "scanned: credentials are kept" };
        let all = [
            (Step::Started, "started"),
            (Step::Code, "code shown"),
            (Step::Paired, paired),
            (Step::Connected, "connected"),
        ];
        let done =
            all.into_iter().filter(|(step, _)| *step <= self.step && !(self.known && *step == Step::Code));
        done.map(|(_, text)| format!("✓ {text}")).collect()
    }

    /// Everything: what has passed, the picture while it has to be scanned, what is still to come.
    pub fn lines(&self, look: &Look, picture: &[String], word: impl Fn(&str) -> String) -> Vec<String> {
        let mut lines = self.passed();
        match self.step {
            Step::Code if look.shown.is_some() => {
                lines.pop();
                lines.push("▶ on the phone: WhatsApp, Linked devices, Link a device".to_owned());
                lines.extend(picture.iter().cloned());
                lines.push(self.count(look));
                lines.extend(look.todo.iter().map(|todo| format!("▶ {todo}")));
            }
            Step::Connected => return lines,
            _ => {
                let why = look.reason.as_ref().map_or(String::new(), |reason| format!(" ({reason})"));
                // Before it has heard of its start it shows what it was.
                let status = if self.moved { look.status.as_str() } else { "starting" };
                lines.push(format!("▶ {}{why}", word(status)));
            }
        }
        lines.extend((self.step < Step::Paired).then(|| "· scanned".to_owned()));
        lines.push("· connected".to_owned());
        lines
    }

    /// Which code of how many, and for how long.
    pub fn count(&self, look: &Look) -> String {
        let Some(shown) = &look.shown else { return String::new() };
        let rest = (look.since + PAIRING_LIMIT).since(shown.expires_at);
        // The row's time and the code's lie some milliseconds apart: to the nearest, not up.
        let more = ((rest + LATER_CODE / 2).as_millis() / LATER_CODE.as_millis()) as u64;
        let seconds = shown.expires_at.since(self.now).as_secs();
        format!("code {} of {}, {seconds} s left", shown.attempt, shown.attempt + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: WallTime = WallTime(1_795_000_000_000);

    fn at(seconds: u64) -> WallTime {
        BEGAN + Duration::from_secs(seconds)
    }

    fn look(status: &str) -> Look {
        Look { status: status.to_owned(), since: BEGAN, ..Look::default() }
    }

    fn showing(attempt: u64, expires: u64) -> Look {
        let shown = Shown { code: format!("2@{attempt}"), attempt, expires_at: at(expires) };
        Look { shown: Some(shown), ..look("pairing") }
    }

    #[test]
    fn from_start_to_connected_every_step_is_said_in_its_order() {
        let mut steps = Steps::new();
        let word = |text: &str| text.to_owned();
        let picture = ["##".to_owned()];
        assert_eq!(steps.on(&look("stopped"), at(0)), Verdict::Waiting, "it has not heard of it yet");
        assert_eq!(steps.on(&look("starting"), at(0)), Verdict::Waiting);
        assert_eq!(
            steps.lines(&look("starting"), &[], word),
            ["✓ started", "▶ starting", "· scanned", "· connected"]
        );
        let first = showing(1, 60);
        assert_eq!(steps.on(&first, at(10)), Verdict::Waiting);
        let line = "▶ on the phone: WhatsApp, Linked devices, Link a device";
        assert_eq!(
            steps.lines(&first, &picture, word),
            ["✓ started", line, "##", "code 1 of 7, 50 s left", "· scanned", "· connected"]
        );
        let scanned =
            Look { paired: true, reason: Some("restart_required".to_owned()), ..look("reconnecting") };
        assert_eq!(steps.on(&scanned, at(20)), Verdict::Waiting);
        assert_eq!(
            steps.lines(&scanned, &[], word)[1..],
            [
                "✓ code shown",
                "✓ scanned: credentials are kept",
                "▶ reconnecting (restart_required)",
                "· connected"
            ]
        );
        assert_eq!(steps.on(&Look { paired: true, ..look("connected") }, at(21)), Verdict::Connected);
        assert_eq!(
            steps.lines(&look("connected"), &[], word).last().map(String::as_str),
            Some("✓ connected")
        );
    }

    #[test]
    fn the_count_of_codes_stays_while_they_change() {
        let mut steps = Steps::new();
        for (attempt, expires) in [(1, 60), (2, 80), (3, 100), (6, 160), (7, 180)] {
            for late in [0, 40] {
                let since = WallTime(BEGAN.0 + late);
                let look = Look { since, ..showing(attempt, expires) };
                steps.on(&look, at(expires - 5));
                assert_eq!(steps.count(&look), format!("code {attempt} of 7, 5 s left"));
            }
        }
    }

    #[test]
    fn a_session_that_parks_logs_out_or_crashes_ends_it_with_the_reason() {
        for (status, reason) in
            [("parked", Some("pairing_timeout")), ("logged_out", None), ("quarantined", None)]
        {
            let mut steps = Steps::new();
            assert_eq!(steps.on(&look("pairing"), at(0)), Verdict::Waiting);
            let ended = Look { reason: reason.map(str::to_owned), ..look(status) };
            let Verdict::Failed(why) = steps.on(&ended, at(180)) else { panic!("{status} is the end") };
            assert!(why.contains(status) && reason.is_none_or(|reason| why.contains(reason)), "{why}");
        }
    }

    #[test]
    fn a_session_with_credentials_has_nothing_to_scan() {
        let mut steps = Steps::new();
        let known = Look { paired: true, ..look("starting") };
        steps.on(&known, at(0));
        assert_eq!(steps.passed(), ["✓ started", "✓ credentials from before"]);
    }

    #[test]
    fn what_the_session_was_before_does_not_end_it_but_does_not_hold_it_for_ever_either() {
        let mut steps = Steps::new();
        let verdicts: Vec<Verdict> = (0..=STALE_LOOKS).map(|_| steps.on(&look("parked"), at(0))).collect();
        assert!(verdicts[..STALE_LOOKS as usize].iter().all(|verdict| *verdict == Verdict::Waiting));
        assert!(matches!(verdicts.last(), Some(Verdict::Failed(_))));
    }
}
