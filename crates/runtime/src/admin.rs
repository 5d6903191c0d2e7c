//! The admin port of a worker: Prometheus metrics, liveness and readiness.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use serde_json::json;
use store::Store;
use tokio_util::sync::CancellationToken;
use workers::Health;

use crate::outcome::Failure;

/// Bounds of the histograms of times, in seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];
/// Bounds of the histogram of batch sizes.
const SIZES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

#[derive(Clone)]
struct Admin {
    health: Health,
    metrics: PrometheusHandle,
}

/// Collects metrics in this process.
///
/// # Errors
/// When the process has a recorder already.
pub fn record_metrics() -> Result<PrometheusHandle, Failure> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|fault| Failure::Failed(fault.to_string()))?;
    workers::metric_list::describe();
    metrics::gauge!("lockbox_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// A recorder of metrics with the bounds of the histograms.
///
/// # Errors
/// When the bounds are not valid.
pub fn recorder() -> Result<PrometheusRecorder, Failure> {
    let failed = |fault: metrics_exporter_prometheus::BuildError| Failure::Failed(fault.to_string());
    let matcher = metrics_exporter_prometheus::Matcher::Suffix("_seconds".to_owned());
    let sizes = metrics_exporter_prometheus::Matcher::Suffix("_batch_size".to_owned());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(matcher, &SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(sizes, &SIZES))
        .map_err(failed)?;
    Ok(builder.build_recorder())
}

/// Serves `/metrics`, `/livez` and `/readyz` until `stop`. Returns the address that it listens on.
///
/// # Errors
/// When the address is in use.
pub async fn serve(
    listen: SocketAddr,
    health: Health,
    metrics: PrometheusHandle,
    stop: CancellationToken,
    tasks: &tokio_util::task::TaskTracker,
) -> Result<SocketAddr, Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|error| {
        Failure::Failed(format!(
            "cannot listen on the admin address {listen} ({error}); set another with --admin-listen, or port 0 for a free port"
        ))
    })?;
    let address = listener.local_addr()?;
    let upkeep = metrics.clone();
    let upkeep_stop = stop.clone();
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = upkeep_stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(5)) => upkeep.run_upkeep(),
            }
        }
    });
    let router = Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(|State(admin): State<Admin>| async move { admin.metrics.render() }))
        .with_state(Admin { health, metrics });
    tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin server failed");
        }
    });
    Ok(address)
}

async fn ready(State(admin): State<Admin>) -> impl IntoResponse {
    let parts: serde_json::Map<String, serde_json::Value> = admin
        .health
        .parts()
        .into_iter()
        .map(|(part, state)| (part.to_owned(), state.map_or_else(|why| json!(why), |()| json!("ready"))))
        .collect();
    let status = if admin.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let warnings = admin.health.warnings();
    (status, Json(json!({ "ready": admin.health.is_ready(), "parts": parts, "warnings": warnings })))
}

/// Sets the metrics that are read from the database: outbox, provisionings, webhooks and dead-letter messages.
pub async fn watch_store(store: Store, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
        if let Ok(revoking) = store.unconfirmed_revocations().await {
            #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
            metrics::gauge!("lockbox_provisionings_revoking").set(revoking.count as f64);
            metrics::gauge!("lockbox_revocation_unconfirmed_seconds").set(revoking.oldest_seconds);
        }
        if let Ok(depth) = store.outbox_depth().await {
            #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
            metrics::gauge!("lockbox_outbox_waiting").set(depth.waiting as f64);
            metrics::gauge!("lockbox_outbox_oldest_seconds").set(depth.oldest_seconds);
            #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
            metrics::gauge!("lockbox_outbox_deferred").set(depth.deferred as f64);
            metrics::gauge!("lockbox_outbox_deferred_oldest_seconds").set(depth.deferred_oldest_seconds);
        }
        if let Ok(depth) = store.webhook_depth().await {
            #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
            let set = |gauge: metrics::Gauge, count: i64| gauge.set(count as f64);
            set(metrics::gauge!("lockbox_webhook_waiting"), depth.waiting);
            set(metrics::gauge!("lockbox_webhooks_failing"), depth.failing);
            set(metrics::gauge!("lockbox_webhooks_off"), depth.off);
            metrics::gauge!("lockbox_webhook_oldest_seconds").set(depth.oldest_seconds);
        }
        if let Ok(dead_letter) = store.dead_letter_count().await {
            #[allow(clippy::cast_precision_loss, reason = "a gauge need not be exact beyond 2^53")]
            metrics::gauge!("lockbox_dead_letters_waiting").set(dead_letter as f64);
        }
    }
}
