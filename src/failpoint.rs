//! Places where a test makes the process fail: before and after the durable step of each transition of a message.
//!
//! Built with the feature `failpoints`, the server reads the variable `FAILPOINTS` once, when it starts:
//!
//! ```text
//! FAILPOINTS="claim_after=3*off->1*abort;commit_before=1*delay"
//! ```
//!
//! A point runs its steps in order, each as often as it says and without a number for ever; after the last it does
//! nothing. Without the feature [`hit`] is an answer that is ready at once, and nothing of this is compiled.
//!
//! Not the crate `fail`: its last release is of 2022, its pauses block the thread that everybody else runs on, its
//! names are free text, so that a point nobody has never fires, and it knows no abort.

use strum::{Display, EnumIter, EnumString};
use thiserror::Error;

/// Every place. `before`: nothing is durable yet. `after`: it is, and nobody has heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, EnumIter)]
#[strum(serialize_all = "snake_case")]
pub enum Point {
    /// T0, a message is accepted.
    AcceptBefore,
    /// T0.
    AcceptAfter,
    /// Any transition: a batch is decided, and its transaction about to be committed.
    CommitBefore,
    /// Any transition: the batch is on disk, and none of its callers has an answer.
    CommitAfter,
    /// T1, a claim while the account is locked out of new chats: the message may become `held`.
    HoldBefore,
    /// T1.
    HoldAfter,
    /// T2, `queued → sending`.
    ClaimBefore,
    /// T2.
    ClaimAfter,
    /// T3, the frame is about to leave.
    SendBefore,
    /// T3, the network has answered.
    SendAfter,
    /// T4, `sending → sent`.
    SentBefore,
    /// T4.
    SentAfter,
    /// T5, the network refused: `queued`, `held` or `failed`.
    RefusedBefore,
    /// T5.
    RefusedAfter,
    /// T6, a receipt came.
    ReceiptBefore,
    /// T6, before it is confirmed.
    ReceiptAfter,
    /// T6, a message came in.
    InboundBefore,
    /// T6, before it is confirmed.
    InboundAfter,
    /// T7, a new owner takes its epoch.
    RecallBefore,
    /// T7.
    RecallAfter,
    /// T7, a new owner deals with what was left `sending`.
    RecoverBefore,
    /// T7.
    RecoverAfter,
    /// T8, a message waited for too long.
    ExpireBefore,
    /// T8.
    ExpireAfter,
    /// T8, a message is taken back.
    CancelBefore,
    /// T8.
    CancelAfter,
    /// T9, every attempt is used up.
    DeadBefore,
    /// T9.
    DeadAfter,
    /// Nobody knows whether it left: `unknown`.
    UnknownBefore,
    /// As before.
    UnknownAfter,
}

/// A point was told to fail its call, as if what is called had failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("failpoint {0}")]
pub struct Tripped(pub Point);

#[cfg(feature = "failpoints")]
pub use self::armed::{arm, hit};

/// Does what the point was armed with; nothing in a build without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_: Point) -> std::future::Ready<Result<(), Tripped>> {
    std::future::ready(Ok(()))
}

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::str::FromStr as _;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    use strum::{Display, EnumString};

    use super::{Point, Tripped};

    /// How long `delay` takes. The task waits, its thread does not.
    const DELAY: Duration = Duration::from_secs(5);

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString)]
    #[strum(serialize_all = "snake_case")]
    enum Action {
        Off,
        Panic,
        Abort,
        Error,
        Delay,
    }

    /// An action, and how often it is still due; `None` for ever.
    type Step = (Option<u32>, Action);

    static SCRIPTS: OnceLock<HashMap<Point, Mutex<Vec<Step>>>> = OnceLock::new();

    /// Arms the points that `text` names, once per process. The error says what cannot be read.
    pub fn arm(text: &str) -> Result<(), String> {
        let scripts = text.split(';').filter(|script| !script.trim().is_empty()).map(script);
        let scripts: HashMap<_, _> = scripts.collect::<Result<_, _>>()?;
        SCRIPTS.set(scripts).map_err(|_| "failpoints are armed already".to_owned())
    }

    fn script(text: &str) -> Result<(Point, Mutex<Vec<Step>>), String> {
        let (name, steps) = text.split_once('=').ok_or_else(|| format!("`{text}` is no name=steps"))?;
        let point = Point::from_str(name.trim()).map_err(|_| format!("there is no failpoint `{name}`"))?;
        let mut steps = steps.split("->").map(step).collect::<Result<Vec<_>, _>>()?;
        steps.reverse();
        Ok((point, Mutex::new(steps)))
    }

    fn step(text: &str) -> Result<Step, String> {
        let wrong = || format!("`{text}` is none of [COUNT*]off, panic, abort, error, delay");
        let (count, action) = match text.split_once('*') {
            Some((count, action)) => (Some(count.trim().parse().map_err(|_| wrong())?), action),
            None => (None, text),
        };
        Ok((count, Action::from_str(action.trim()).map_err(|_| wrong())?))
    }

    /// The action that is due now, with one less of it to come.
    fn due(steps: &mut Vec<Step>) -> Action {
        loop {
            match steps.last_mut() {
                None => return Action::Off,
                Some((Some(0), _)) => drop(steps.pop()),
                Some((Some(count), action)) => {
                    *count -= 1;
                    return *action;
                }
                Some((None, action)) => return *action,
            }
        }
    }

    /// Does what the point was armed with.
    pub async fn hit(point: Point) -> Result<(), Tripped> {
        let Some(script) = SCRIPTS.get().and_then(|scripts| scripts.get(&point)) else { return Ok(()) };
        let action = due(&mut script.lock().unwrap_or_else(PoisonError::into_inner));
        if action == Action::Off {
            return Ok(());
        }
        tracing::warn!(%point, %action, "failpoint");
        match action {
            Action::Off => {}
            Action::Panic => panic!("failpoint {point}"),
            Action::Abort => std::process::abort(),
            Action::Error => return Err(Tripped(point)),
            Action::Delay => tokio::time::sleep(DELAY).await,
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn steps_run_in_order_and_then_nothing_happens() {
            let (point, steps) = script("claim_after=2*off->1*abort->error").expect("a script");
            assert_eq!(point, Point::ClaimAfter);
            let steps = &mut *steps.lock().expect("nobody panicked");
            let ran: Vec<Action> = (0..5).map(|_| due(steps)).collect();
            assert_eq!(ran, [Action::Off, Action::Off, Action::Abort, Action::Error, Action::Error]);
            let (_, once) = script("commit_before=1*delay").expect("a script");
            let once = &mut *once.lock().expect("nobody panicked");
            assert_eq!([due(once), due(once)], [Action::Delay, Action::Off]);
        }

        #[test]
        fn what_cannot_be_read_is_named() {
            for (text, named) in [
                ("nowhere=abort", "nowhere"),
                ("commit_before", "commit_before"),
                ("commit_before=x*abort", "x*abort"),
            ] {
                let error = script(text).expect_err("it cannot be read");
                assert!(error.contains(named), "{error}");
            }
        }
    }
}
