//! Logs to standard error, and traces to an OpenTelemetry collector when one is configured. Neither holds a secret, a
//! key or a personal datum: requests are told by their matched path and their id.

use std::io::IsTerminal;

use axum::http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::config::{LogConfig, LogFormat};

const SERVICE: &str = "vinzy-engine";

/// Logging and tracing under way.
pub struct Telemetry(Option<SdkTracerProvider>);

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `VINZY_LOG` cannot be understood.
    #[error("VINZY_LOG cannot be understood")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Traces cannot be sent to where they shall be.
    #[error("traces cannot be sent to VINZY_OTLP_ENDPOINT")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl Telemetry {
    /// Starts logging and tracing, for this process. Call it outside of any runtime.
    pub fn start(config: &LogConfig) -> Result<Self, TelemetryError> {
        // Statements are the database's own business unless asked for; sending traces must not make traces.
        let quiet =
            "sqlx=warn,hyper=warn,hyper_util=warn,reqwest=warn,opentelemetry=warn,opentelemetry_sdk=warn";
        let filter = EnvFilter::try_new(format!("{quiet},{}", config.log))?;
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = match config.log_format {
            LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let provider = config.otlp_endpoint.as_deref().map(provider).transpose()?;
        let traces = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(SERVICE))
                .with_location(false)
                .with_threads(false)
                .with_tracked_inactivity(false)
        });
        tracing_subscriber::registry()
            .with(filter)
            .with(traces)
            .with(lines)
            .init();
        Ok(Self(provider))
    }

    /// Sends what is left of the traces.
    pub fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown()
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last traces could not be sent"
            );
        }
    }
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let endpoint = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(endpoint)
        .build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(SERVICE).build())
        .build())
}

/// Makes a request's span part of the trace that its client has begun, if it says so (W3C Trace Context).
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&Headers(headers));
        // Without a collector there is nothing to continue.
        let _ = span.set_parent(context);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
