//! The life of a message, as its record tells it, and staying until it has come far enough.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::Value;

use super::api::{Answer, Api};
use super::exit::{Exit, Failure};
use super::screen::{Form, Screen, cell};
use super::target::As;
use crate::app::clock::SystemClock;
use crate::domain::time::WallTime;
use crate::ports::clock::Clock as _;

/// Time between two looks: short while it is young, longer later.
const FIRST_LOOKS: Duration = Duration::from_millis(100);
const LATER_LOOKS: Duration = Duration::from_secs(1);

/// How far a message shall have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Goal {
    /// The server of the network has it.
    Sent,
    /// The recipient's phone has it.
    Delivered,
    /// The recipient has seen it.
    Read,
}

/// A step of a message's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The status it had from then on.
    pub status: String,
    /// When.
    pub at: WallTime,
    /// How long after the first.
    pub after: Duration,
}

impl Step {
    /// As people read it.
    pub fn line(&self, screen: Screen) -> String {
        let padded = format!("{:9}", self.status);
        let word = padded.replacen(self.status.as_str(), &screen.word(&self.status), 1);
        format!("{word}  {}  +{:.3} s", self.at.utc().format("%H:%M:%S%.3f"), self.after.as_secs_f64())
    }
}

/// The steps of a record, in the order they came.
pub fn steps(record: &Value) -> Vec<Step> {
    let times = record["times"].as_object().into_iter().flatten();
    let mut steps: Vec<Step> = times
        .filter_map(|(status, at)| {
            let at: WallTime = serde_json::from_value(at.clone()).ok()?;
            Some(Step { status: status.clone(), at, after: Duration::ZERO })
        })
        .collect();
    // Two steps of one millisecond stand in the order they happen.
    let rank = |step: &Step| {
        ["queued", "held", "sending", "sent", "delivered"].iter().position(|s| *s == step.status).unwrap_or(9)
    };
    steps.sort_by_key(|step| (step.at, rank(step)));
    if let Some(first) = steps.first().map(|step| step.at) {
        steps.iter_mut().for_each(|step| step.after = step.at.since(first));
    }
    steps
}

/// Whether to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Come {
    NotYet,
    There,
    Never,
}

fn come(status: &str, goal: Goal) -> Come {
    let reached = match status {
        "sent" => Goal::Sent,
        "delivered" => Goal::Delivered,
        "read" => Goal::Read,
        "failed" | "expired" | "canceled" | "dead" | "unknown" => return Come::Never,
        _ => return Come::NotYet,
    };
    if reached >= goal { Come::There } else { Come::NotYet }
}

/// Says every step until the message has come as far as `goal`, or never will, or `seconds` have passed.
pub async fn follow(
    api: &Api,
    screen: Screen,
    id: &str,
    goal: Goal,
    seconds: u64,
) -> Result<Answer, Failure> {
    let clock = SystemClock::new();
    let began = clock.now();
    let bar = screen.progress(None, "waiting");
    let mut said = vec![];
    loop {
        let answer = api.get(As::Tenant, &format!("/v1/messages/{id}")).await?;
        let status = cell(&answer.value, "/status");
        if screen.form == Form::Human {
            for step in steps(&answer.value)
                .into_iter()
                .filter(|step| !said.contains(&step.status))
                .collect::<Vec<_>>()
            {
                let line = bar.suspend(|| screen.line(step.line(screen)));
                line?;
                said.push(step.status);
            }
        }
        let reason = answer.value["reason"].as_str();
        match come(&status, goal) {
            Come::There => {
                bar.finish_and_clear();
                return Ok(answer);
            }
            Come::Never => {
                bar.finish_and_clear();
                let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
                let failure = Failure::new(Exit::No, &status, format!("{id} is {status}{why}"));
                let failure = Failure { document: Some(Box::new(answer.value)), ..failure };
                return Err(failure.next(format!("columba message get {id} has every step")));
            }
            Come::NotYet => {}
        }
        bar.set_message(match reason {
            Some(reason) => format!("{status} ({reason})"),
            None => status.clone(),
        });
        let elapsed = clock.now().since(began);
        if elapsed > Duration::from_secs(seconds) {
            bar.finish_and_clear();
            let failure =
                Failure::new(Exit::Later, "timeout", format!("{id} is still {status} after {seconds} s"));
            return Err(failure.next(format!("it goes on without this program: columba message get {id}")));
        }
        tokio::time::sleep(if elapsed < Duration::from_secs(5) { FIRST_LOOKS } else { LATER_LOOKS }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_goal_is_reached_by_what_lies_beyond_it_and_never_by_what_ends_otherwise() {
        for (status, sent, delivered, read) in [
            ("queued", Come::NotYet, Come::NotYet, Come::NotYet),
            ("held", Come::NotYet, Come::NotYet, Come::NotYet),
            ("sending", Come::NotYet, Come::NotYet, Come::NotYet),
            ("sent", Come::There, Come::NotYet, Come::NotYet),
            ("delivered", Come::There, Come::There, Come::NotYet),
            ("read", Come::There, Come::There, Come::There),
            ("failed", Come::Never, Come::Never, Come::Never),
            ("unknown", Come::Never, Come::Never, Come::Never),
            ("expired", Come::Never, Come::Never, Come::Never),
            ("canceled", Come::Never, Come::Never, Come::Never),
            ("dead", Come::Never, Come::Never, Come::Never),
        ] {
            assert_eq!(
                [Goal::Sent, Goal::Delivered, Goal::Read].map(|goal| come(status, goal)),
                [sent, delivered, read]
            );
        }
    }

    #[test]
    fn steps_stand_in_the_order_they_came_and_say_how_long_after_the_first() {
        let record = json!({"times": {
            "delivered": "2026-11-25T03:00:01.500Z", "queued": "2026-11-25T03:00:00.000Z",
            "sent": "2026-11-25T03:00:00.250Z", "sending": "2026-11-25T03:00:00.000Z",
        }});
        let told: Vec<_> =
            steps(&record).into_iter().map(|step| (step.status, step.after.as_millis())).collect();
        let expected = [("queued", 0), ("sending", 0), ("sent", 250), ("delivered", 1500)];
        assert_eq!(told, expected.map(|(status, after)| (status.to_owned(), after)));
    }
}
