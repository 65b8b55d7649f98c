//! The list of refusals as people read it: what each means and what to do. `docs/ERRORS.md`, the page that a problem's
//! `type` leads to, and the API's description are made of it.

use super::refusal::Code;

impl Code {
    /// The title of its problem documents.
    pub fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthorized => "No valid key was shown",
            Self::Forbidden => "The key may not do this",
            Self::StepUpRequired => "The password is asked for anew",
            Self::LookRequired => "This takes a look with a reason",
            Self::TenantSuspended => "The tenant is suspended",
            Self::NotFound => "There is no such thing",
            Self::MethodNotAllowed => "The method is not allowed here",
            Self::IdempotencyInFlight => "The same request is still being worked on",
            Self::IdempotencyMismatch => "The idempotency key belongs to another request",
            Self::SessionNotReady => "The session is not ready",
            Self::NotPairing => "The session is not pairing",
            Self::Conflict => "The request conflicts with how things are",
            Self::PayloadTooLarge => "The body is too large",
            Self::UnsupportedMediaType => "The body is of the wrong type",
            Self::Suppressed => "The recipient does not want to be written to",
            Self::Unsupported => "This cannot be done",
            Self::QuotaExceeded => "The month's messages are used up",
            Self::QueueFull => "Too many messages wait",
            Self::RateLimited => "Too many requests",
            Self::Unavailable => "The service is not available now",
        }
    }

    /// The statuses it comes with; the first is the usual one.
    pub fn statuses(self) -> &'static [u16] {
        match self {
            Self::InvalidRequest => &[400, 422],
            Self::Unauthorized => &[401],
            Self::QuotaExceeded => &[402],
            Self::Forbidden | Self::StepUpRequired | Self::LookRequired | Self::TenantSuspended => &[403],
            Self::NotFound => &[404],
            Self::MethodNotAllowed => &[405],
            Self::IdempotencyInFlight | Self::SessionNotReady | Self::NotPairing | Self::Conflict => &[409],
            Self::PayloadTooLarge => &[413],
            Self::UnsupportedMediaType => &[415],
            Self::IdempotencyMismatch | Self::Suppressed | Self::Unsupported => &[422],
            Self::QueueFull | Self::RateLimited => &[429],
            Self::Unavailable => &[503],
        }
    }

    /// When it is said.
    pub fn when(self) -> &'static str {
        match self {
            Self::InvalidRequest => {
                "400: body, query or header could not be read. 422: it was read, and a value is not allowed. `errors` \
                 names every field with what is expected there."
            }
            Self::Unauthorized => {
                "`Authorization` is missing, or holds a key that does not exist, is revoked or has expired; or a tenant's \
                 key was shown where the operator's token belongs, or the other way round. Or somebody signs in, and `errors` says \
                 what was wrong: `wrong_credentials`, `second_factor_required`, `wrong_code`, `wrong_link`."
            }
            Self::Forbidden => {
                "The key is good and lacks the scope, is not for the address the request comes from, or is a test key and \
                 the session is not of the sandbox; the operator's role does not allow it (`detail` names one that does); or a \
                 page of another origin asks, or one without its `X-CSRF-Token`."
            }
            Self::StepUpRequired => {
                "An operator who signed in longer than ten minutes ago asks for something that destroys or reveals."
            }
            Self::LookRequired => {
                "An operator acts on a tenant's behalf and asks for the content of messages, files, chats or deliveries \
                 without a look."
            }
            Self::TenantSuspended => {
                "The operator has suspended the tenant: every call is refused. Or an invoice is long past its due date, or the \
                 subscription has ended: sending and new sessions are refused, and reading works. `detail` says which."
            }
            Self::NotFound => {
                "The path, or what it names, does not exist, or belongs to another tenant: the answer is the same, word for \
                 word."
            }
            Self::MethodNotAllowed => "The path exists and does not take this method.",
            Self::IdempotencyInFlight => {
                "The first request with this `Idempotency-Key` has not been answered yet."
            }
            Self::IdempotencyMismatch => {
                "The `Idempotency-Key` was used for another request within the last 24 hours."
            }
            Self::SessionNotReady => {
                "The session was never paired, or is logged out, so nothing can be queued for it."
            }
            Self::NotPairing => "The session shows no code now, so there is nothing to scan or to type.",
            Self::Conflict => {
                "The thing exists already, is used by something else, or is past the point where this could be done."
            }
            Self::PayloadTooLarge => {
                "The body is larger than the server takes (256 KiB by default), or a file than the plan takes (`media_bytes_max`)."
            }
            Self::UnsupportedMediaType => {
                "The body was not sent as plain `application/json`; or a file was sent as a form or encoded."
            }
            Self::Suppressed => "The recipient has asked not to be written to.",
            Self::Unsupported => "This server, or the session's engine, cannot do this.",
            Self::QuotaExceeded => {
                "The plan's messages of this month are used or held, and the plan's quota is hard."
            }
            Self::QueueFull => "As many messages of this session wait as the plan allows.",
            Self::RateLimited => {
                "More requests came from this key or address than the edge limit allows, too many bad keys from this \
                 address, or too many pairing codes for this number."
            }
            Self::Unavailable => {
                "The server starts, ends, or cannot reach its store or network now. Nothing was changed."
            }
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::InvalidRequest => {
                "Correct what `errors` names. Repeating the request as it is fails again."
            }
            Self::Unauthorized => {
                "Send one header `Authorization: Bearer <key>` with a key that is live; or sign in again."
            }
            Self::Forbidden => "Use a key with the scope, or ask the operator for one.",
            Self::StepUpRequired => {
                "`POST /v1/admin/me/step-up` with the password, then send the very same request again."
            }
            Self::LookRequired => {
                "`POST /v1/admin/tenants/{id}/looks` with a reason, and send its id in the header `Columba-Look`."
            }
            Self::TenantSuspended => "Ask the operator to resume the tenant, or pay what is due.",
            Self::NotFound => "Check the path and the id, and whose key it is.",
            Self::MethodNotAllowed => "Use one of the methods in the header `Allow`.",
            Self::IdempotencyInFlight => "Send the very same request again after `Retry-After`.",
            Self::IdempotencyMismatch => "Use a new key for a new request, and an old one only to repeat.",
            Self::SessionNotReady => "Start the session, pair it, then send.",
            Self::NotPairing => {
                "`detail` says what the session waits for; usually: start it and ask again in a second."
            }
            Self::Conflict => "`detail` says what stands in the way.",
            Self::PayloadTooLarge => "Send less.",
            Self::UnsupportedMediaType => {
                "Set `Content-Type: application/json`, or that of the file, and no `Content-Encoding`."
            }
            Self::Suppressed => "Do not write to them.",
            Self::Unsupported => "`detail` says what can be done instead.",
            Self::QuotaExceeded => {
                "Wait for the next month (`Retry-After`), or ask the operator for a larger plan."
            }
            Self::QueueFull => {
                "Wait `Retry-After`, which follows from the cap; `DELETE /v1/sessions/{id}/queue` empties the queue."
            }
            Self::RateLimited => "Wait `Retry-After`; `RateLimit` in every answer says what is left.",
            Self::Unavailable => {
                "Send the very same request again after `Retry-After`, with its `Idempotency-Key`."
            }
        }
    }

    /// Whether the very same request may succeed later.
    pub fn retryable(self) -> bool {
        matches!(
            self,
            Self::IdempotencyInFlight
                | Self::QueueFull
                | Self::RateLimited
                | Self::Unavailable
                | Self::QuotaExceeded
        )
    }
}
