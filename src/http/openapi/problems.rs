//! Refusals, as the document says them: one shared response for each set of codes that a status may carry.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schemas::{Schemas, answered};
use crate::domain::refusal::{Code, Fault, Refusal};
use crate::http::problem::{Document, Problem};

const MEDIA: &str = "application/problem+json";

/// The name of the response that carries these codes with this status.
pub fn name(status: u16, codes: &[Code]) -> String {
    let word = |&code: &Code| match (code, status) {
        (Code::InvalidRequest, 422) => "NotAllowed".to_owned(),
        (code, _) => format!("{code:?}"),
    };
    codes.iter().map(word).collect::<Vec<_>>().join("Or")
}

/// The name of the example of a code with a status.
fn example_name(status: u16, code: Code) -> String {
    match (code, status) {
        (Code::InvalidRequest, 422) => "not_allowed".to_owned(),
        (code, _) => code.to_string(),
    }
}

/// An example of each of these codes with these statuses.
pub fn examples(said: &BTreeSet<(u16, Code)>) -> Map<String, Value> {
    said.iter().map(|&(status, code)| (example_name(status, code), example(status, code))).collect()
}

fn example(status: u16, code: Code) -> Value {
    let problem = Problem::from(Refusal::example(code, status));
    json!({"summary": code.title(), "description": code.when(), "value": problem.document(Some("req_8a1f"))})
}

/// The response that carries these codes with this status.
pub fn response(status: u16, codes: &[Code], schemas: &mut Schemas) -> Value {
    let about: Vec<_> = codes.iter().map(|code| format!("{} (`{code}`)", code.title())).collect();
    let mut headers = super::operation::headers("");
    let mut add = |name: &str| {
        headers.insert(name.to_owned(), json!({"$ref": format!("#/components/headers/{name}")}));
    };
    if codes.iter().any(|code| code.retryable()) {
        add("Retry-After");
    }
    if status == 401 {
        add("WWW-Authenticate");
    }
    let examples: Map<String, Value> = codes
        .iter()
        .map(|&code| {
            let name = example_name(status, code);
            (code.to_string(), json!({"$ref": format!("#/components/examples/{name}")}))
        })
        .collect();
    json!({
        "description": about.join(", or: "),
        "headers": headers,
        "content": {MEDIA: {"schema": answered::<Document<'_>>(schemas), "examples": examples}},
    })
}

impl Refusal {
    /// What a refusal with this code and status looks like.
    pub(super) fn example(code: Code, status: u16) -> Self {
        let fault = || Fault::new("/to", "not_allowed", "the country has no numbers of this length");
        let wait = std::time::Duration::from_secs(12);
        match code {
            Code::InvalidRequest if status == 422 => Self::invalid(vec![fault()]),
            Code::InvalidRequest => {
                let detail = "unknown field recipient: expected one of `to`, `type`, `text`";
                let fault = Fault::new("/recipient", "unknown_field", detail);
                Self::malformed(format!("/recipient: {detail}"), vec![fault])
            }
            Code::Unauthorized => Self::unauthorized("send the header Authorization: Bearer <key>"),
            Code::Forbidden => Self::forbidden("this key lacks the scope send"),
            Code::StepUpRequired => Self::step_up_required(),
            Code::LookRequired => Self::look_required(),
            Code::TenantSuspended => Self::tenant_suspended(),
            Code::NotFound => Self::not_found(),
            Code::MethodNotAllowed => Self::method_not_allowed(),
            Code::IdempotencyInFlight => Self::idempotency_in_flight(),
            Code::IdempotencyMismatch => Self::idempotency_mismatch(),
            Code::SessionNotReady => Self::session_not_ready(),
            Code::NotPairing => Self::not_pairing("the session is stopped: start it, then ask for the code"),
            Code::Conflict => Self::conflict("the message is sent already"),
            Code::PayloadTooLarge => Self::payload_too_large(256 * 1024),
            Code::UnsupportedMediaType => Self::unsupported_media_type(),
            Code::Suppressed => {
                Self { code, ..Self::unsupported("the recipient asked not to be written to") }
            }
            Code::Unsupported => Self::unsupported("this server has no such engine; it has sandbox"),
            Code::QuotaExceeded => Self::quota_exceeded(10_000, wait),
            Code::QueueFull => Self::queue_full(10_000, wait),
            Code::RateLimited => {
                Self::rate_limited("at most 1000 requests a second, 2000 at once after a pause", wait)
            }
            Code::Unavailable => Self::unavailable(
                "the store does not answer; try again, with the same Idempotency-Key if there was one",
            ),
        }
    }
}
