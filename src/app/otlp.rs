//! Spans to a collector, by the OpenTelemetry protocol over HTTP. Only in a build with the feature `otlp`.
//!
//! What is told: each request, in the caller's trace if it sent a `traceparent`, and each attempt to send a message, which
//! happens later and is a trace of its own; it has the message's id. A session's span lasts for days and is not told.
//! Attributes are those of log lines: ids, never a body, number or key.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::exit::Failure;

/// Where the collector is, by the names that OpenTelemetry gives to its variables. Unset: nothing is told.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// Spans that are told.
const TOLD: [&str; 2] = ["request", "attempt"];

/// The way to a collector.
pub struct Export(SdkTracerProvider);

impl Export {
    /// Opens it, if the environment says where. To be called outside of a runtime: it has a thread of its own.
    pub fn from_environment() -> Result<Option<Self>, Failure> {
        if ENDPOINTS.iter().all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty())) {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_http().build().map_err(|error| {
            let names = ENDPOINTS.join(" or ");
            Failure::Usage(format!("cannot tell a collector of spans: {error}; see {names}, or unset them"))
        })?;
        let resource = Resource::builder().with_service_name("columba").build();
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Some(Self(provider)))
    }

    /// What hands spans over.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("columba"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|about| about.is_span() && TOLD.contains(&about.name())))
    }

    /// Hands over what is left.
    pub fn end(&self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans did not reach the collector");
        }
    }
}
