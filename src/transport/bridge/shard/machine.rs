//! One shard: a bridge process from its start to its end, and the next one. Pure: no process, no socket, no clock.
//!
//! State first, then words, then the rules.

use std::time::Duration;

use columba_bridge_protocol::{HEARTBEAT_MS, HELLO_MS, Refusal};

use crate::domain::time::{Jitter, Moment};

/// A bridge that has not said hello by then never will.
pub const HELLO: Duration = Duration::from_millis(HELLO_MS as u64);
/// Three missed beats.
pub const SILENCE: Duration = Duration::from_millis(3 * HEARTBEAT_MS as u64);
/// What lives this long has started well: the deaths before it are forgiven.
pub const STABLE: Duration = Duration::from_secs(60);
/// A process that has had no session for so long ends; the next session starts another.
pub const UNUSED: Duration = Duration::from_secs(60);
/// A bridge that was asked to end gets so long before it is killed.
pub const FAREWELL: Duration = Duration::from_secs(6);
/// A process that was killed and is not gone by then is stuck in the kernel. It is killed again, and nothing starts
/// beside it.
pub const KILL_AGAIN: Duration = Duration::from_secs(5);
/// The longest rest after a death.
const LONGEST: Duration = Duration::from_secs(60);
/// A delay moves by so much of itself either way.
const SPREAD: f64 = 0.2;

/// How a shard stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No process, and nobody asked for one.
    Idle,
    /// No process; the next one starts then.
    Resting {
        /// When.
        until: Moment,
    },
    /// Started; its hello is due.
    Starting {
        /// By then.
        deadline: Moment,
    },
    /// Serves.
    Up {
        /// Since its hello.
        since: Moment,
        /// The last sign of life.
        beat: Moment,
        /// Since when it has had no session; none while it has one.
        unused: Option<Moment>,
    },
    /// Was asked to end, by a drain, or because it had no session.
    Leaving {
        /// Is killed then.
        deadline: Moment,
    },
    /// Was killed; its exit is awaited. Nothing else starts before.
    Dying {
        /// Is killed again then.
        again: Moment,
    },
    /// For good.
    Gone,
}

/// What the other side did that no bridge may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breach {
    /// The connection ended, or was never made.
    Cut,
    /// A frame that cannot be read, or that is out of turn.
    Garbage(String),
    /// More unconfirmed events than the window, or more questions than allowed.
    Window,
    /// It does not read what it is sent.
    Stalled,
    /// It does not close a session, and may hold its socket for ever.
    Unclosed,
}

/// Why a process was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotStarted {
    /// The file is not the one that was pinned.
    Checksum {
        /// What it is.
        found: String,
    },
    /// It cannot be run, or its record not be written.
    Io(String),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A session wants to open.
    Wanted,
    /// The process runs.
    Spawned,
    /// It could not be started.
    NotSpawned(NotStarted),
    /// Its hello came: good, or refused.
    Hello(Result<(), Refusal>),
    /// A heartbeat.
    Beat,
    /// Whether a session is on it, or on the way to it or from it.
    Used(bool),
    /// It broke the rules.
    Broke(Breach),
    /// The process is gone.
    Exited,
    /// The server ends.
    Stop,
    /// The moment that was armed has come.
    Fired,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start the program.
    Spawn,
    /// Answer the hello, and let waiting sessions open.
    Welcome,
    /// Say why not.
    Refuse(Refusal),
    /// Close the connection and kill the process group.
    Kill,
    /// It died while it served: sessions that were opening, or of which a command was under way, may be why.
    Suspect,
    /// Tell every session that its link is lost; what was sent and not acked may have left.
    CutLinks,
    /// Ask it to drain and to end.
    AskToLeave,
    /// Write down why, for an operator.
    Report(Trouble),
    /// Nothing runs, and nothing will.
    Ended,
}

/// What an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It broke the rules.
    Breach(Breach),
    /// It could not be started.
    NotStarted(NotStarted),
    /// Its hello was refused.
    Refused(Refusal),
    /// No hello in time.
    NoHello,
    /// Three heartbeats were missed.
    Silent,
    /// It ended by itself.
    Exited,
    /// It does not die.
    Unkillable,
}

/// The machine.
#[derive(Debug)]
pub struct Machine {
    state: State,
    /// Deaths in a row.
    deaths: u32,
    /// A session waits for the next process.
    wanted: bool,
    stopping: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self { state: State::Idle, deaths: 0, wanted: false, stopping: false }
    }
}

impl Machine {
    /// How it stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether sessions can be opened now.
    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }

    /// When [`Input::Fired`] is due; none when only another input moves it on.
    pub fn due(&self) -> Option<Moment> {
        match self.state {
            State::Idle | State::Gone => None,
            State::Resting { until } => Some(until),
            State::Starting { deadline } | State::Leaving { deadline } => Some(deadline),
            State::Up { beat, unused, .. } => {
                let over = unused.map(|since| since + UNUSED);
                Some(over.map_or(beat + SILENCE, |over| over.min(beat + SILENCE)))
            }
            State::Dying { again } => Some(again),
        }
    }

    /// Takes one input. `jitter` spreads a rest, if this input leads to one.
    pub fn on(&mut self, now: Moment, jitter: Jitter, input: Input) -> Vec<Effect> {
        match input {
            Input::Wanted => self.wanted(now),
            Input::Spawned => vec![],
            Input::NotSpawned(why) => self.not_spawned(now, jitter, why),
            Input::Hello(answer) => self.hello(now, answer),
            Input::Beat => self.beat(now),
            Input::Used(used) => self.used(now, used),
            Input::Broke(breach) => self.broke(now, breach),
            Input::Exited => self.exited(now, jitter),
            Input::Stop => self.stop(now),
            Input::Fired => self.fired(now),
        }
    }

    fn wanted(&mut self, now: Moment) -> Vec<Effect> {
        match self.state {
            State::Idle => self.start(now),
            // One that ends for want of sessions makes way for the next.
            State::Resting { .. } | State::Dying { .. } | State::Leaving { .. } => {
                self.wanted = true;
                vec![]
            }
            _ => vec![],
        }
    }

    fn start(&mut self, now: Moment) -> Vec<Effect> {
        self.wanted = false;
        self.state = State::Starting { deadline: now + HELLO };
        vec![Effect::Spawn]
    }

    fn not_spawned(&mut self, now: Moment, jitter: Jitter, why: NotStarted) -> Vec<Effect> {
        if !matches!(self.state, State::Starting { .. }) {
            return vec![];
        }
        let mut effects = vec![Effect::Report(Trouble::NotStarted(why)), Effect::CutLinks];
        effects.extend(self.rest(now, jitter));
        effects
    }

    fn hello(&mut self, now: Moment, answer: Result<(), Refusal>) -> Vec<Effect> {
        match (self.state, answer) {
            (State::Starting { .. }, Ok(())) => {
                self.state = State::Up { since: now, beat: now, unused: None };
                vec![Effect::Welcome]
            }
            (State::Starting { .. }, Err(refusal)) => {
                let effects =
                    vec![Effect::Report(Trouble::Refused(refusal.clone())), Effect::Refuse(refusal)];
                self.kill(now, effects)
            }
            (State::Up { .. }, _) => self.broke(now, Breach::Garbage("a second hello".to_owned())),
            _ => vec![],
        }
    }

    fn beat(&mut self, now: Moment) -> Vec<Effect> {
        if let State::Up { since, unused, .. } = self.state {
            self.state = State::Up { since, beat: now, unused };
            if now.since(since) >= STABLE {
                self.deaths = 0;
            }
        }
        vec![]
    }

    fn used(&mut self, now: Moment, used: bool) -> Vec<Effect> {
        if let State::Up { since, beat, unused } = self.state {
            let unused = if used { None } else { unused.or(Some(now)) };
            self.state = State::Up { since, beat, unused };
        }
        vec![]
    }

    fn broke(&mut self, now: Moment, breach: Breach) -> Vec<Effect> {
        match self.state {
            State::Starting { .. } => self.kill(now, vec![Effect::Report(Trouble::Breach(breach))]),
            State::Up { .. } => {
                self.kill(now, vec![Effect::Report(Trouble::Breach(breach)), Effect::Suspect])
            }
            // It was asked to go, and goes. Nobody waits for it, unless the server does.
            State::Leaving { .. } if self.stopping => self.kill(now, vec![]),
            _ => vec![],
        }
    }

    fn exited(&mut self, now: Moment, jitter: Jitter) -> Vec<Effect> {
        let mut effects = match self.state {
            // The group may have more than the process that is gone.
            State::Starting { .. } => vec![Effect::Report(Trouble::Exited), Effect::Kill, Effect::CutLinks],
            State::Up { .. } => {
                vec![Effect::Report(Trouble::Exited), Effect::Suspect, Effect::Kill, Effect::CutLinks]
            }
            State::Leaving { .. } if self.stopping => vec![Effect::Kill, Effect::CutLinks],
            State::Leaving { .. } => return self.left(now),
            State::Dying { .. } => vec![],
            State::Idle | State::Resting { .. } | State::Gone => return vec![],
        };
        effects.extend(self.rest(now, jitter));
        effects
    }

    /// It has ended because it had no session, which is no death. Whoever has come meanwhile waits for the next one.
    fn left(&mut self, now: Moment) -> Vec<Effect> {
        let mut effects = vec![Effect::Kill];
        self.state = State::Idle;
        if self.wanted {
            effects.extend(self.start(now));
        }
        effects
    }

    /// 1, 2, 4 … 60 s by the deaths in a row: the house's series, but never given up. A shard is many tenants' sessions, and
    /// each of them waits by its own back-off anyway.
    fn rest(&mut self, now: Moment, jitter: Jitter) -> Vec<Effect> {
        if self.stopping {
            self.state = State::Gone;
            return vec![Effect::Ended];
        }
        let wait = Duration::from_secs(1 << self.deaths.min(6)).min(LONGEST);
        self.deaths = self.deaths.saturating_add(1);
        self.state = State::Resting { until: now + jitter.spread(wait, SPREAD) };
        vec![]
    }

    fn stop(&mut self, now: Moment) -> Vec<Effect> {
        self.stopping = true;
        match self.state {
            State::Idle | State::Resting { .. } => {
                self.state = State::Gone;
                vec![Effect::CutLinks, Effect::Ended]
            }
            State::Starting { .. } => self.kill(now, vec![]),
            State::Up { .. } => {
                self.state = State::Leaving { deadline: now + FAREWELL };
                vec![Effect::AskToLeave]
            }
            State::Leaving { .. } | State::Dying { .. } | State::Gone => vec![],
        }
    }

    fn fired(&mut self, now: Moment) -> Vec<Effect> {
        if self.due().is_none_or(|due| now < due) {
            return vec![];
        }
        match self.state {
            State::Idle | State::Gone => vec![],
            State::Resting { .. } if self.wanted => self.start(now),
            // Without a session that waits it would be started for nothing.
            State::Resting { .. } => {
                self.state = State::Idle;
                vec![]
            }
            State::Starting { .. } => self.kill(now, vec![Effect::Report(Trouble::NoHello)]),
            State::Up { beat, .. } if now >= beat + SILENCE => {
                self.kill(now, vec![Effect::Report(Trouble::Silent), Effect::Suspect])
            }
            State::Up { .. } => {
                self.state = State::Leaving { deadline: now + FAREWELL };
                vec![Effect::AskToLeave]
            }
            State::Leaving { .. } => self.kill(now, vec![]),
            State::Dying { .. } => {
                self.state = State::Dying { again: now + KILL_AGAIN };
                vec![Effect::Report(Trouble::Unkillable), Effect::Kill]
            }
        }
    }

    fn kill(&mut self, now: Moment, mut effects: Vec<Effect>) -> Vec<Effect> {
        self.state = State::Dying { again: now + KILL_AGAIN };
        effects.extend([Effect::Kill, Effect::CutLinks]);
        effects
    }
}
