//! What is logged, changed while the server runs; the next start begins with its settings again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::domain::refusal::{Code, Fault, Refusal};
use crate::http::answer::{Answer, ok};
use crate::http::extract::State;
use crate::http::extract::json::{Form, Json};
use crate::http::extract::operator::{Operator, may};
use crate::http::extract::query::{Nothing, Query};
use crate::http::openapi::operation::{Operation, get, put};

/// Characters that directives may have.
const LONGEST: usize = 512;

/// The body of `PUT /log`, and the answer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Level {
    level: String,
}

impl Form for Level {}

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let level = || Level { level: "info".to_owned() };
    vec![
        get("/v1/admin/log", read).named("getLogLevel", "What is logged").answering(
            200,
            "The level.",
            &level(),
        ),
        put("/v1/admin/log", write)
            .named("setLogLevel", "Log more, or less")
            .about("At once, until the next start: that begins with its settings again.")
            .asking(json!({"level": "info,columba::actors=debug"}))
            .answering(200, "The new level.", &level())
            .refusing(&[Code::InvalidRequest]),
    ]
}

/// `GET /log`.
pub async fn read(state: State, _: Query<Nothing>, _: Operator) -> Answer {
    ok(Level { level: state.log_level.get() })
}

/// `PUT /log`: a level, or directives such as `info,columba::actors=debug`.
pub async fn write(
    state: State,
    _: Query<Nothing>,
    Json(body): Json<Level>,
    _: Operator<may::ManageSystem>,
) -> Answer {
    let refuse = |detail: String| Refusal::invalid(vec![Fault::new("/level", "not_allowed", detail)]);
    if body.level.is_empty() || body.level.len() > LONGEST {
        let detail =
            format!("a level, or directives such as info,columba=debug, of at most {LONGEST} characters");
        return Err(refuse(detail).into());
    }
    state.log_level.set(&body.level).map_err(refuse)?;
    ok(body)
}
