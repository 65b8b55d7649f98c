//! The one map from every expected "no" to a response: RFC 9457 `application/problem+json`.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, ResponseError};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::refusal::{Code, Fault, Refusal};
use crate::ports::sandbox::SandboxError;
use crate::ports::store::{StoreError, WriteError};
use crate::ports::supervisor::SupervisorError;
use crate::ports::transport::TransportError;

/// A refusal on its way out. Handlers and extractors answer it as their error; `middleware::outermost` gives it the
/// request's id and makes it a response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Problem(Box<Refusal>);

/// Where the list of errors is served; a problem's `type` is the entry of its code there.
pub const ERRORS: &str = "/docs/errors";

/// Why a request was refused, as RFC 9457 has it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Document<'a> {
    /// Leads to what to do: a path on this server.
    r#type: String,
    /// The code, in a few words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// Why, and what to do, in a sentence for people.
    detail: &'a str,
    /// The stable word that programs switch on.
    code: Code,
    /// Names the request in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    request_id: Option<&'a str>,
    /// Whether the very same request may succeed later.
    retryable: bool,
    /// What exactly is wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
}

impl Problem {
    /// The refusal it carries.
    pub fn refusal(&self) -> &Refusal {
        &self.0
    }

    /// The response, naming the request it answers.
    pub fn respond(&self, request_id: Option<&str>) -> HttpResponse {
        let refusal = &*self.0;
        let mut response = HttpResponse::build(self.status_code());
        if let Some(wait) = refusal.retry_after {
            response.insert_header((header::RETRY_AFTER, whole_seconds(wait)));
        }
        match refusal.code {
            Code::Unauthorized => {
                response.insert_header((header::WWW_AUTHENTICATE, r#"Bearer realm="columba""#));
            }
            // The rest of the body is not worth reading, so the connection cannot be used again.
            Code::PayloadTooLarge => {
                response.force_close();
            }
            _ => (),
        }
        response.content_type("application/problem+json").json(self.document(request_id))
    }

    /// The document, naming the request it answers.
    pub(super) fn document<'a>(&'a self, request_id: Option<&'a str>) -> Document<'a> {
        let refusal = &*self.0;
        Document {
            r#type: format!("{ERRORS}#{}", refusal.code),
            title: refusal.code.title(),
            status: refusal.status,
            detail: &refusal.detail,
            code: refusal.code,
            request_id,
            retryable: refusal.retryable(),
            errors: &refusal.faults,
        }
    }

    /// What a response of the framework's own means.
    pub fn of_status(status: StatusCode, body_limit: usize) -> Self {
        match status {
            StatusCode::NOT_FOUND => Refusal::not_found(),
            StatusCode::METHOD_NOT_ALLOWED => Refusal::method_not_allowed(),
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::payload_too_large(body_limit),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Refusal::unsupported_media_type(),
            status if status.is_client_error() => Refusal::malformed("the request could not be read", vec![]),
            _ => Refusal::unavailable("the server could not answer this request; try again"),
        }
        .into()
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
    }

    fn error_response(&self) -> HttpResponse {
        self.respond(None)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(Box::new(refusal))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Fenced => {
                // Whoever keeps the store says that it is away; an outage has many requests.
                tracing::debug!(%error, "store refused a request's work");
                Refusal::unavailable(
                    "the store does not answer; try again, with the same Idempotency-Key if there was one",
                )
                .into()
            }
            StoreError::Poisoned(_) => {
                tracing::error!(%error, "a row cannot be written");
                Refusal::invalid(vec![Fault::new("", "not_allowed", "the store cannot keep this record")])
                    .into()
            }
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Store(error) => error.into(),
        }
    }
}

impl From<TransportError> for Problem {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::NoLink => Refusal::unavailable("the session has no open link; try again"),
            TransportError::NotPairing => Refusal::not_pairing("the session is not waiting for a person"),
            TransportError::Unsupported => Refusal::unsupported("the session's engine cannot do this"),
        }
        .into()
    }
}

impl From<SupervisorError> for Problem {
    fn from(error: SupervisorError) -> Self {
        match error {
            SupervisorError::Gone => Refusal::unavailable(
                "the session is between two incarnations, or the server is ending; try again",
            ),
            SupervisorError::Busy => Refusal::unavailable("too many commands wait; try again"),
            SupervisorError::NotPairing => Refusal::not_pairing("the session is not waiting for a person"),
            // A file is asked for by `media::fetch`, which says more.
            SupervisorError::Fetch(_) => Refusal::unavailable("the file did not come; try again"),
            SupervisorError::NotConnected => Refusal::not_connected(),
            SupervisorError::Unsupported => Refusal::unsupported("the session's engine cannot do this"),
        }
        .into()
    }
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::NoSuchCode => Refusal::not_found(),
            SandboxError::NotPaired => Refusal::session_not_ready(),
            SandboxError::NoLink => {
                Refusal::conflict("the session has no open link; start it and wait until it is connected")
            }
            SandboxError::Unreachable => {
                Refusal::unavailable("the sandbox network does not answer; try again")
            }
        }
        .into()
    }
}

/// Rounded up, and at least one: a caller that waits this long is not refused for the same reason.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        for (millis, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis}");
        }
    }
}
