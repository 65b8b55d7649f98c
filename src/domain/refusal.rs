//! Every expected "no", in one closed list. `http::problem` turns it into a response; nothing else does.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use strum::{Display, EnumIter, IntoStaticStr};
use thiserror::Error;

/// The stable word that programs switch on.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Display,
    EnumIter,
    IntoStaticStr,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Code {
    /// 400 malformed, or 422 understood but not allowed.
    InvalidRequest,
    /// 401.
    Unauthorized,
    /// 403: the key may not do this.
    Forbidden,
    /// 403: the operator has to give their password anew for this.
    StepUpRequired,
    /// 403: an operator sees this with a look only.
    LookRequired,
    /// 403: the operator suspended the tenant.
    TenantSuspended,
    /// 404: absent, or somebody else's, which looks the same.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 409: the first request with this key is still being worked on.
    IdempotencyInFlight,
    /// 422: the key was used for another request.
    IdempotencyMismatch,
    /// 409: the session was never paired or is logged out.
    SessionNotReady,
    /// 409: there is no code to show.
    NotPairing,
    /// 409: the thing exists, or is past the point where this could be done.
    Conflict,
    /// 413.
    PayloadTooLarge,
    /// 415.
    UnsupportedMediaType,
    /// 422: the recipient asked not to be written to.
    Suppressed,
    /// 422: this engine cannot do it.
    Unsupported,
    /// 402.
    QuotaExceeded,
    /// 429: too many messages wait.
    QueueFull,
    /// 429: too many requests.
    RateLimited,
    /// 503.
    Unavailable,
}

/// One thing wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fault {
    /// JSON pointer into the body, or `?name` for a query parameter, or the name of a header.
    pub pointer: String,
    /// A stable word: `unknown_field`, `wrong_type`, `missing`, `out_of_range`, `not_allowed`.
    pub code: &'static str,
    /// What was given and what is allowed.
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// An expected "no".
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// Which.
    pub code: Code,
    /// HTTP status, as API.md lists it.
    pub status: u16,
    /// Why, and what to do, in a sentence. Never holds a secret, a number or a body.
    pub detail: String,
    /// When asking again may help.
    pub retry_after: Option<Duration>,
    /// What exactly is wrong.
    pub faults: Vec<Fault>,
}

impl Refusal {
    fn new(code: Code, status: u16, detail: impl Into<String>) -> Self {
        Self { code, status, detail: detail.into(), retry_after: None, faults: vec![] }
    }

    fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// 400: could not be read.
    pub fn malformed(detail: impl Into<String>, faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::new(Code::InvalidRequest, 400, detail) }
    }

    /// 422: was read, and is not allowed.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are not allowed as given; see errors", many.len()),
        };
        Self { faults, ..Self::new(Code::InvalidRequest, 422, detail) }
    }

    /// 401.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(Code::Unauthorized, 401, detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Code::Forbidden, 403, detail)
    }

    /// 403: what destroys or reveals takes the password anew.
    pub fn step_up_required() -> Self {
        let detail =
            "this takes your password anew: POST /v1/admin/me/step-up, then ask again within ten minutes";
        Self::new(Code::StepUpRequired, 403, detail)
    }

    /// 403: what people wrote is nobody's business without a reason.
    pub fn look_required() -> Self {
        let detail = "this shows what a tenant's people wrote: open a look with a reason, POST /v1/admin/tenants/{id}/looks, and \
                      name it in the header Columba-Look";
        Self::new(Code::LookRequired, 403, detail)
    }

    /// 403.
    pub fn tenant_suspended() -> Self {
        Self::new(Code::TenantSuspended, 403, "the operator has suspended this tenant; ask them to resume it")
    }

    /// 403: what was bought is not paid for.
    pub fn payment_due() -> Self {
        let detail = "an invoice is past its due date or the subscription has ended, so nothing is sent; reading works, and \
                      sending does again once what is due is paid";
        Self::new(Code::TenantSuspended, 403, detail)
    }

    /// 409: grace allows what there is, and nothing new.
    pub fn no_new_sessions() -> Self {
        Self::conflict("an invoice is past its due date: no session can be added until it is paid")
    }

    /// 404, word for word the same for absent and for somebody else's.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound, 404, "no such thing, or not yours")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(Code::MethodNotAllowed, 405, "this path does not take this method; see Allow")
    }

    /// 422: the recipient wants no messages.
    pub fn suppressed() -> Self {
        let detail = "the recipient wants no messages from you; only their own word, or taking back your own, opens it again: \
                      see GET /v1/suppressions";
        Self::new(Code::Suppressed, 422, detail)
    }

    /// 409: what a person closed is opened by nobody else.
    pub fn closed_by_their_word() -> Self {
        Self::conflict(
            "the person asked for it; a message START of theirs opens it again, and nothing else does",
        )
    }

    /// 409.
    pub fn idempotency_in_flight() -> Self {
        Self::new(
            Code::IdempotencyInFlight,
            409,
            "the first request with this Idempotency-Key is still being worked on; ask again in a moment",
        )
        .after(Duration::from_secs(1))
    }

    /// 422.
    pub fn idempotency_mismatch() -> Self {
        Self::new(
            Code::IdempotencyMismatch,
            422,
            "this Idempotency-Key was used for another request within 24 h; use a new key for a new request",
        )
    }

    /// 409.
    pub fn session_not_ready() -> Self {
        Self::new(
            Code::SessionNotReady,
            409,
            "the session has no credentials: start it and pair it, then send",
        )
    }

    /// 409.
    pub fn session_not_ready_to_fetch() -> Self {
        Self::new(
            Code::SessionNotReady,
            409,
            "the file lies with the network, and its session is not connected: start it, and ask again",
        )
    }

    /// 409.
    pub fn not_connected() -> Self {
        Self::new(Code::SessionNotReady, 409, "the session is not connected: start it and wait until it is")
    }

    /// 409.
    pub fn not_pairing(detail: impl Into<String>) -> Self {
        Self::new(Code::NotPairing, 409, detail)
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Code::Conflict, 409, detail)
    }

    /// 409.
    pub fn too_many_operators(most: usize) -> Self {
        Self::conflict(format!("{most} operators may come in; delete one first"))
    }

    /// 409.
    pub fn last_owner() -> Self {
        let detail = "this is the last owner who can sign in; make another person an owner first";
        Self::conflict(detail)
    }

    /// 409.
    pub fn email_is_taken() -> Self {
        Self::conflict("another operator signs in with this email address")
    }

    /// 409.
    pub fn not_the_first() -> Self {
        Self::conflict("there is an account already; sign in, or ask an owner for an invitation")
    }

    /// 413.
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            Code::PayloadTooLarge,
            413,
            format!("the body is larger than the {limit} bytes allowed here"),
        )
    }

    /// 415.
    pub fn unsupported_media_type() -> Self {
        Self::new(Code::UnsupportedMediaType, 415, "send the body as content-type application/json")
    }

    /// 415: a file is the body itself.
    pub fn not_a_plain_file() -> Self {
        let detail = "send the file itself as the body, with its own Content-Type, and no Content-Encoding";
        Self::new(Code::UnsupportedMediaType, 415, detail)
    }

    /// 422.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(Code::Unsupported, 422, detail)
    }

    /// 402. `renews_in`: until the next period.
    pub fn quota_exceeded(limit: u64, renews_in: Duration) -> Self {
        Self::new(
            Code::QuotaExceeded,
            402,
            format!(
                "the plan's {limit} messages of this month are used or held; they renew with the next month"
            ),
        )
        .after(renews_in)
    }

    /// 429. `wait`: until the cap has drained a place.
    pub fn queue_full(queue_max: u32, wait: Duration) -> Self {
        Self::new(
            Code::QueueFull,
            429,
            format!("{queue_max} messages of this session wait already; send more once it has drained"),
        )
        .after(wait)
    }

    /// 429.
    pub fn rate_limited(detail: impl Into<String>, wait: Duration) -> Self {
        Self::new(Code::RateLimited, 429, detail).after(wait)
    }

    /// 503.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, 503, detail).after(Duration::from_secs(1))
    }

    /// Whether the very same request may succeed later.
    pub fn retryable(&self) -> bool {
        self.code.retryable()
    }
}
