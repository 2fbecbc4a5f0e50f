//! How spans get to the collector: in batches, by HTTP, from a thread of the library's own. What does not get there is counted and
//! let go of; nobody waits for it, and no more of it is held than the queue has room for.

use std::env;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Config, SdkTracerProvider};
use tokio::runtime::Handle;

use super::sampling::{Ids, Sampling};
use crate::metrics::Metrics;

/// Most time for one batch, where the environment says nothing else.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The value of a variable, if it has one.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What one variable says of traces alone, or else the one that is for everything.
fn of_traces(what: &str) -> Option<(String, String)> {
    let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{what}"), format!("OTEL_EXPORTER_OTLP_{what}")];
    names.into_iter().find_map(|name| set(&name).map(|value| (name, value)))
}

/// What spans are made by, and where they go; `None` where no collector is named, or nothing is to be sent to it.
pub fn provider(metrics: Arc<Metrics>) -> anyhow::Result<Option<(SdkTracerProvider, Sampling)>> {
    let off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || set("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    if off || of_traces("ENDPOINT").is_none() {
        return Ok(None);
    }
    if let Some((name, protocol)) = of_traces("PROTOCOL").filter(|(_, value)| value != "http/protobuf") {
        let protocol: String = protocol.chars().take(40).collect();
        bail!("{name}: `{protocol}` is not spoken here; expected http/protobuf");
    }
    let timeout = match of_traces("TIMEOUT") {
        Some((name, value)) => Duration::from_millis(value.parse().with_context(|| format!("{name}: milliseconds"))?),
        None => TIMEOUT,
    };
    let client = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).build()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Post { client, runtime: Handle::current(), metrics })
        .with_protocol(Protocol::HttpBinary)
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let named = set("OTEL_SERVICE_NAME").is_some()
        || set("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|all| all.contains("service.name="));
    let mut resource = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if !named {
        resource = resource.with_service_name(env!("CARGO_PKG_NAME"));
    }
    // The sampler, the limits and the batches are as `OTEL_TRACES_SAMPLER`, `OTEL_SPAN_` and `OTEL_BSP_` say.
    let sampler = Config::default().sampler;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .with_sampler(sampler.clone())
        .with_id_generator(Ids::default())
        .build();
    Ok(Some((provider, Sampling::new(sampler, set("OTEL_TRACES_SAMPLER").is_some()))))
}

/// Sends batches from the gateway's runtime: the thread that makes them has none.
struct Post {
    client: reqwest::Client,
    runtime: Handle,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

impl HttpClient for Post {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let (client, metrics) = (self.client.clone(), self.metrics.clone());
        let sending = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await;
            let taken = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
            metrics.exported(if taken { "taken" } else { "lost" });
            // Nothing that is said in it is acted upon.
            answer.map(|answer| answer.status())
        });
        Box::pin(async move {
            let status = sending.await??;
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = status;
            Ok(response)
        })
    }
}
