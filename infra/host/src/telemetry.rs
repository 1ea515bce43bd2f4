//! Logs, and the HTTP port on which orchestrators and Prometheus look.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::{Bus, LogFormat, TelemetrySettings};

/// How often the values that were measured are counted into their histograms.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Latencies from a cache hit to a deadline, in seconds.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Starts logging. Later calls change nothing.
///
/// # Errors
/// When the filter can't be read.
pub fn init(settings: &TelemetrySettings) -> anyhow::Result<()> {
    let filter: Targets = settings.filter.parse().with_context(|| {
        format!("telemetry.filter {:?}: expected levels like info,natter_edge=debug", settings.filter)
    })?;
    let colours = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    let layer = match settings.log {
        LogFormat::Text => layer.with_target(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    // A second part in the same process has the same settings.
    let _ = tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

/// What `/readyz` and `/metrics` show.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    started: Arc<AtomicBool>,
    buses: Arc<Mutex<Vec<Bus>>>,
    metrics: PrometheusHandle,
}

impl Health {
    pub(crate) fn install() -> anyhow::Result<Self> {
        // One recorder for the operating system's process, however many `Process`es run in it.
        static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
        let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
        let metrics = match &*recorder {
            Some(metrics) => metrics.clone(),
            None => {
                let builder = PrometheusBuilder::new()
                    .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
                    .context("latency buckets")?;
                recorder
                    .insert(builder.install_recorder().context("install the recorder of metrics")?)
                    .clone()
            }
        };
        Ok(Self { started: Arc::default(), buses: Arc::default(), metrics })
    }

    pub(crate) fn watch(&self, bus: Bus) {
        self.buses.lock().unwrap_or_else(PoisonError::into_inner).push(bus);
    }

    pub(crate) fn set_started(&self, started: bool) {
        self.started.store(started, Ordering::Relaxed);
    }

    /// Every part has started, none is stopping, and the bus is connected.
    fn is_ready(&self) -> bool {
        let buses = self.buses.lock().unwrap_or_else(PoisonError::into_inner);
        self.started.load(Ordering::Relaxed) && buses.iter().all(Bus::is_connected)
    }

    /// Answers `/healthz`, `/readyz` and `/metrics` on `listen` until the process ends; nobody when it is empty.
    pub(crate) async fn serve(self, listen: &str) -> anyhow::Result<()> {
        let metrics = self.metrics.clone();
        crate::process::spawn(async move {
            loop {
                tokio::time::sleep(COUNT_EVERY).await;
                // Until then each measured value takes memory, and nobody may ever ask for the metrics.
                metrics.run_upkeep();
            }
        });
        if listen.is_empty() {
            return Ok(());
        }
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("telemetry.listen {listen}"))?;
        tracing::info!(address = %listener.local_addr()?, "health and metrics");
        let ready = self.clone();
        let routes = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route(
                "/readyz",
                get(move || async move {
                    if ready.is_ready() {
                        (StatusCode::OK, "ready\n")
                    } else {
                        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
                    }
                }),
            )
            .route("/metrics", get(move || async move { self.metrics.render() }));
        crate::process::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "health and metrics stopped");
            }
        });
        Ok(())
    }
}
