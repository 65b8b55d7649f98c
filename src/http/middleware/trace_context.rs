//! The caller's trace (W3C Trace Context, level 1): its id goes into our log lines, and back with the answer.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

/// Where it travels.
pub const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// A trace that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    parent: u64,
    flags: u8,
}

impl Trace {
    /// `00-<32 hex>-<16 hex>-<2 hex>`, lower case; anything else begins no trace, as the standard wants. A later version
    /// may have more behind it.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(HEADER)?.to_str().ok()?;
        let mut parts = text.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let (id, parent) = (hex(parts.next()?, 32)?, hex(parts.next()?, 16)?);
        let flags = hex(parts.next()?, 2)? as u8;
        let known = version != 0xFF && (version > 0 || parts.next().is_none());
        (known && id != 0 && parent != 0).then_some(Self { id, parent: parent as u64, flags })
    }

    /// The id, as log lines have it.
    pub fn id(&self) -> String {
        format!("{:032x}", self.id)
    }

    /// As the answer says it: the same trace, with this request as the parent.
    pub fn header(&self, request: u64) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("00-{:032x}-{:016x}-{:02x}", self.id, request.max(1), self.flags)).ok()
    }
}

#[cfg(feature = "otlp")]
mod told {
    use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
    use opentelemetry::{Context, SpanId, TraceId};
    use tracing::Span;
    use tracing_opentelemetry::OpenTelemetrySpanExt as _;

    use super::Trace;

    impl Trace {
        /// Makes a span a part of this trace.
        pub fn adopt(self, span: &Span) {
            let caller = SpanContext::new(
                TraceId::from_bytes(self.id.to_be_bytes()),
                SpanId::from_bytes(self.parent.to_be_bytes()),
                TraceFlags::new(self.flags),
                true,
                TraceState::NONE,
            );
            // Nobody is told when there is no collector.
            let _ = span.set_parent(Context::new().with_remote_span_context(caller));
        }
    }

    /// The id by which a collector knows a span; 0 when there is none.
    pub fn id_of(span: &Span) -> u64 {
        u64::from_be_bytes(span.context().span().span_context().span_id().to_bytes())
    }
}

/// The id of our part: the one a collector knows, if there is one.
#[cfg_attr(not(feature = "otlp"), expect(unused_variables, reason = "nobody knows an id of it"))]
pub fn part(span: &Span) -> u64 {
    #[cfg(feature = "otlp")]
    if let known @ 1.. = told::id_of(span) {
        return known;
    }
    rand::random()
}

fn hex(text: &str, length: usize) -> Option<u128> {
    let plain = text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_what_the_standard_says_it_is() {
        let (id, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = format!("00-{id}-{parent}-01");
        for (text, known) in [
            (good.clone(), true),
            (format!("cc-{id}-{parent}-01-what-comes-later"), true),
            (format!("00-{id}-{parent}-01-more"), false),
            (format!("ff-{id}-{parent}-01"), false),
            (format!("00-{}-{parent}-01", "0".repeat(32)), false),
            (format!("00-{id}-{}-01", "0".repeat(16)), false),
            (good.to_uppercase(), false),
            (format!("00-{id}-{parent}"), false),
            (format!("00-{id}-{parent}-1"), false),
            (format!("00-{id}x-{parent}-01"), false),
            ("\u{fc}".to_owned(), false),
            (String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(text.as_bytes()).expect("bytes of a header"));
            let trace = Trace::of(&headers);
            assert_eq!(trace.map(|trace| trace.id()), known.then(|| id.to_owned()), "{text}");
            if let Some(trace) = trace {
                let answered = trace.header(7).expect("plain text");
                assert_eq!(answered, format!("00-{id}-0000000000000007-01"));
            }
        }
    }
}
