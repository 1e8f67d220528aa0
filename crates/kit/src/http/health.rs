//! `/healthz` (the process lives), `/readyz` (it can work) and `/metrics` (Prometheus text).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::error::{BoxError, chain};

/// A check that takes longer counts as failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);
/// Samples are folded into their buckets this often, or their memory would grow until somebody reads the metrics.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Upper bounds of the duration buckets, in seconds.
const DURATION_BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

type Checking = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;
type Check = Arc<dyn Fn() -> Checking + Send + Sync>;

/// What readiness depends on.
#[derive(Clone, Default)]
pub struct Readiness {
    checks: Vec<(&'static str, Check)>,
}

impl Readiness {
    /// Nothing yet: always ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check; `name` appears in the answer while it fails, its error only in the log.
    #[must_use]
    pub fn check<F, Fut>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// Names of the checks that fail now; they run side by side.
    pub async fn failing(&self) -> Vec<&'static str> {
        let running = self.checks.iter().map(|(name, check)| async move {
            let cause = match tokio::time::timeout(CHECK_TIMEOUT, check()).await {
                Ok(Ok(())) => return None,
                Ok(Err(error)) => chain(&*error),
                Err(_) => format!("no answer within {CHECK_TIMEOUT:?}"),
            };
            tracing::warn!(check = name, cause, "readiness check {name} fails");
            Some(*name)
        });
        futures_util::future::join_all(running).await.into_iter().flatten().collect()
    }
}

/// The three routes, to be merged into a router before its stack.
pub fn routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| async { json(StatusCode::OK, &serde_json::json!({"status": "ok"})) }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let failing = readiness.failing().await;
    if failing.is_empty() {
        json(StatusCode::OK, &serde_json::json!({"status": "ready"}))
    } else {
        json(StatusCode::SERVICE_UNAVAILABLE, &serde_json::json!({"status": "not ready", "failing": failing}))
    }
}

async fn metrics_text() -> Response {
    match install_metrics() {
        Ok(handle) => ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response(),
        Err(error) => super::ApiError::internal(error).into_response(),
    }
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (status, headers, value.to_string()).into_response()
}

static HANDLE: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// Installs the process-wide metrics recorder; further calls return the same handle.
///
/// # Errors
/// When another recorder, not ours, is installed.
pub fn install_metrics() -> Result<PrometheusHandle, BuildError> {
    let mut slot = HANDLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(handle) = &*slot {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?
        .install_recorder()?;
    let upkeep = handle.clone();
    let spawned = std::thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(UPKEEP_INTERVAL);
            upkeep.run_upkeep();
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for metrics upkeep; samples are folded when metrics are read");
    }
    *slot = Some(handle.clone());
    Ok(handle)
}
