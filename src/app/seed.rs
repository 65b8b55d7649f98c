//! What a new database begins with.

use std::sync::Arc;

use serde::Deserialize;

use super::exit::Failure;
use crate::domain::plan::Plan;
use crate::domain::time::WallTime;
use crate::ports::directory::Directory;

const PLANS: &str = include_str!("../../config/plans.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    plan: Vec<Plan>,
}

/// Adds the first plans, unless there are any.
pub async fn plans(directory: &Arc<dyn Directory>, at: WallTime) -> Result<(), Failure> {
    if !directory.snapshot().plans.is_empty() {
        return Ok(());
    }
    let broken =
        |error: &dyn std::fmt::Display| Failure::Unavailable(format!("cannot add the first plans: {error}"));
    for plan in first().map_err(|error| broken(&error))? {
        directory.create_plan(plan, None, at).await.map_err(|error| broken(&error))?;
    }
    Ok(())
}

fn first() -> Result<Vec<Plan>, config::ConfigError> {
    let file = config::File::from_str(PLANS, config::FileFormat::Toml);
    Ok(config::Config::builder().add_source(file).build()?.try_deserialize::<Seed>()?.plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::plan::Proposal;

    #[test]
    fn the_first_plans_are_plans_that_an_operator_could_have_written() {
        for plan in first().expect("the embedded file is right") {
            let mut text = serde_json::to_value(&plan).expect("a plan is JSON");
            let code = text.as_object_mut().and_then(|fields| fields.remove("code"));
            assert_eq!(code, Some(plan.code.clone().into()));
            let proposal: Proposal = serde_json::from_value(text).expect("a plan is a proposal with a code");
            assert_eq!(proposal.check(plan.code.clone()), Ok(plan));
        }
    }
}
