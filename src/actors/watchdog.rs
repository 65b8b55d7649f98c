//! Watches the threads that sessions live on. One that stalls is reported with the session that stalled it; one that
//! stalls for good ends the process, since nothing can be taken off a thread that runs.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::arbiters::Placement;
use super::pulse::Pulse;

/// Time between two looks. A thread beats twice as often.
pub const TICK: Duration = Duration::from_secs(1);
/// So many looks without a beat and the thread is reported: within 5 s of its last.
pub const REPORTED: u32 = 3;
/// So many and the process ends.
pub const HOPELESS: u32 = 30;

/// What a look at one thread finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It turns, or has not stood long enough.
    Fine,
    /// It has been standing for a while: say so, once.
    Stalled,
    /// It turns again after that was said.
    Recovered,
    /// It will not turn again.
    Hopeless,
}

/// What is known about one thread. Looks are counted, not time: after a pause of the whole machine every thread has been
/// looked at once, and none seems to have stood.
#[derive(Debug, Default)]
pub struct Watch {
    beats: u64,
    missed: u32,
}

impl Watch {
    /// Looks at a thread that has beaten so often by now.
    pub fn look(&mut self, beats: u64) -> Verdict {
        let missed = std::mem::take(&mut self.missed);
        if std::mem::replace(&mut self.beats, beats) != beats {
            return if missed >= REPORTED { Verdict::Recovered } else { Verdict::Fine };
        }
        self.missed = missed + 1;
        match self.missed {
            REPORTED => Verdict::Stalled,
            HOPELESS.. => Verdict::Hopeless,
            _ => Verdict::Fine,
        }
    }
}

/// Looks at the threads of sessions, from a thread of its own.
pub struct Watchdog {
    threads: Vec<(Arc<Pulse>, Watch)>,
    give_up: fn(),
}

impl Watchdog {
    /// Starts on the thread that `home` names, which must be none of the watched. `give_up` ends the process.
    pub fn launch(pulses: Vec<Arc<Pulse>>, home: &Placement, give_up: fn()) {
        let threads = pulses.into_iter().map(|pulse| (pulse, Watch::default())).collect();
        Self::start_in_arbiter(home.of("watchdog"), move |_| Self { threads, give_up });
    }

    fn look(&mut self) {
        for (number, (pulse, watch)) in self.threads.iter_mut().enumerate() {
            let verdict = watch.look(pulse.beats());
            if verdict == Verdict::Fine {
                continue;
            }
            let session = pulse.serving().map_or_else(|| "none".to_owned(), |session| session.to_string());
            match verdict {
                Verdict::Fine => {}
                Verdict::Stalled => tracing::error!(
                    thread = number,
                    session,
                    "a session keeps its thread to itself; the others on that thread wait for it"
                ),
                Verdict::Recovered => tracing::info!(thread = number, "a thread of sessions turns again"),
                Verdict::Hopeless => {
                    tracing::error!(
                        thread = number,
                        session,
                        "a session has kept its thread for half a minute; ending the process for the service manager \
                         to restart"
                    );
                    (self.give_up)();
                }
            }
        }
    }

    fn arm(ctx: &mut Context<Self>) {
        ctx.run_later(TICK, |watchdog, ctx| {
            watchdog.look();
            Self::arm(ctx);
        });
    }
}

impl Actor for Watchdog {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        Self::arm(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_stands_is_reported_once_and_ends_the_process_after_half_a_minute() {
        let mut watch = Watch::default();
        let turning: Vec<_> = (1..=5).map(|beats| watch.look(beats)).collect();
        assert_eq!(turning, [Verdict::Fine; 5]);
        let standing: Vec<_> = (1..=30).map(|_| watch.look(5)).collect();
        for (look, verdict) in (1..).zip(standing) {
            let expected = match look {
                3 => Verdict::Stalled,
                30 => Verdict::Hopeless,
                _ => Verdict::Fine,
            };
            assert_eq!(verdict, expected, "look {look}");
        }
    }

    #[test]
    fn a_thread_that_turns_again_is_said_to_and_one_that_was_only_late_is_not() {
        let mut watch = Watch::default();
        for (stands, then) in [(2, Verdict::Fine), (3, Verdict::Recovered), (29, Verdict::Recovered)] {
            let beats = watch.beats + 1;
            watch.look(beats);
            for _ in 0..stands {
                watch.look(beats);
            }
            assert_eq!(watch.look(beats + 1), then, "after {stands} looks without a beat");
        }
    }
}
