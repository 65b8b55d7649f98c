//! What is logged, changed while the server runs; the next start begins with its settings again.

use serde::{Deserialize, Serialize};

use crate::domain::refusal::{Fault, Refusal};
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::Operator;
use crate::http::extract::query::{Nothing, Query};

/// Characters that directives may have.
const LONGEST: usize = 512;

/// The body of `PUT /log`, and the answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    level: String,
}

impl Form for Level {}

/// `GET /log`.
pub async fn get(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    ok(Level { level: state.log_level.get() })
}

/// `PUT /log`: a level, or directives such as `info,columba::actors=debug`.
pub async fn put(state: State, _: Query<Nothing>, Json(body): Json<Level>, _: Operator) -> Answer {
    let refuse = |detail: String| Refusal::invalid(vec![Fault::new("/level", "not_allowed", detail)]);
    if body.level.is_empty() || body.level.len() > LONGEST {
        let detail =
            format!("a level, or directives such as info,columba=debug, of at most {LONGEST} characters");
        return Err(refuse(detail).into());
    }
    state.log_level.set(&body.level).map_err(refuse)?;
    ok(body)
}
