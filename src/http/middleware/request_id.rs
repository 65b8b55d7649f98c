//! Every request has an id, in its answer and in every log line about it.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use tracing::Instrument as _;
use uuid::Uuid;

use super::trace_context::{self, Trace};

/// Where the id travels.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The caller's, if it is 1 to 64 of `A-Z a-z 0-9 . _ -`; else a new one. Anything else could forge log lines.
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        match given.filter(|text| (1..=64).contains(&text.len()) && text.bytes().all(plain)) {
            Some(text) => Self(text.to_owned()),
            None => Self(format!("req_{}", Uuid::new_v4().as_simple())),
        }
    }

    /// The id itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the value of [`HEADER`].
    pub fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or(const { HeaderValue::from_static("req_unknown") })
    }
}

/// Gives the request its id and a span. The span holds the route's pattern, neither query nor body.
pub async fn request_id<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = RequestId::of(request.headers());
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let trace = Trace::of(request.headers());
    let trace_id = trace.map(|trace| trace.id());
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = %request.method(),
        route,
        trace_id,
        status = tracing::field::Empty
    );
    #[cfg(feature = "otlp")]
    if let Some(trace) = trace {
        trace.adopt(&span);
    }
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).instrument(span.clone()).await?.map_into_boxed_body();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::debug!(status, "answered"));
    response.headers_mut().insert(HEADER, id.header());
    #[cfg(feature = "otlp")]
    span.record("status", status);
    if let Some(trace) = trace.and_then(|trace| trace.header(trace_context::part(&span))) {
        response.headers_mut().insert(trace_context::HEADER, trace);
    }
    Ok(response)
}
