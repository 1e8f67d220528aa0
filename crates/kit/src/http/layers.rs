//! What every request passes, in one layer instead of a pile: request id, size limits, deadline, panics, span, access line
//! and metrics. It runs thousands of times a second, so it boxes once and reads the clock twice.

use std::any::Any;
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};
use tower::{Layer, Service};
use tracing::Instrument;
use uuid::Uuid;

use super::error::{ApiError, BoxError, ErrorSummary};

/// A body beyond its limit is read and discarded this far, so that a client which is still sending gets to see the answer.
const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// And for no longer than this.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);
/// Plain-text refusals of the framework longer than this are not quoted.
const PLAIN_TEXT_BYTES_MAX: usize = 2048;

/// Limits and names of one listener's stack. The defaults are those of fact sheet 01 §7.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Response header that carries the request id. A request header of that name is ignored.
    pub request_id_header: HeaderName,
    /// Largest body, in bytes.
    pub body_bytes_max: usize,
    /// Larger (or smaller) bodies for single routes, by path template.
    pub body_bytes_max_by_route: HashMap<String, usize>,
    /// Largest single header, name and value together, in bytes.
    pub header_bytes_max: usize,
    /// Largest sum of all headers, in bytes.
    pub headers_bytes_max: usize,
    /// From the head of the request to the head of the response.
    pub request_timeout: Duration,
}

impl Default for StackConfig {
    fn default() -> Self {
        Self {
            request_id_header: HeaderName::from_static("x-request-id"),
            body_bytes_max: 1024 * 1024,
            body_bytes_max_by_route: HashMap::new(),
            header_bytes_max: 6 * 1024,
            headers_bytes_max: 20 * 1024,
            request_timeout: Duration::from_secs(59),
        }
    }
}

impl StackConfig {
    /// Lets one route, named by its path template, take bodies of up to `bytes_max`.
    #[must_use]
    pub fn body_limit_for(mut self, path_template: impl Into<String>, bytes_max: usize) -> Self {
        self.body_bytes_max_by_route.insert(path_template.into(), bytes_max);
        self
    }
}

/// The id of the request, in its extensions and in a response header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub Uuid);

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .copied()
            .ok_or_else(|| ApiError::internal("the router is served without its stack"))
    }
}

/// Wraps a finished router in the stack, and answers unknown routes (404) and methods (405, with `allow`) in our error shape.
/// Call it once, on the outermost router, after its last route.
pub fn stack(router: Router, config: StackConfig) -> Router {
    router
        .fallback(|| async { ApiError::no_such_route() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        // Sizes are bounded below, per route; the framework's own 2 MB bound would undercut larger ones.
        .layer(DefaultBodyLimit::disable())
        .layer(StackLayer { config: Arc::new(config) })
}

/// The layer behind [`stack`].
#[derive(Clone)]
struct StackLayer {
    config: Arc<StackConfig>,
}

impl<S> Layer<S> for StackLayer {
    type Service = StackService<S>;

    fn layer(&self, inner: S) -> StackService<S> {
        StackService { inner, config: Arc::clone(&self.config) }
    }
}

#[derive(Clone)]
struct StackService<S> {
    inner: S,
    config: Arc<StackConfig>,
}

impl<S> Service<Request> for StackService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let started = Instant::now();
        let clone = self.inner.clone();
        // The clone may not be ready; the one that was polled is.
        let inner = std::mem::replace(&mut self.inner, clone);
        let config = Arc::clone(&self.config);

        let request_id =
            RequestId(Uuid::from_bytes(uuid::Builder::from_random_bytes(rand::random()).into_uuid().into_bytes()));
        request.extensions_mut().insert(request_id);
        let route = request.extensions().get::<MatchedPath>().cloned();
        let method = method_label(request.method());
        let span = tracing::info_span!(
            "http.request",
            http.method = method,
            http.route = route_label(route.as_ref()),
            request.id = %request_id.0,
        );

        Box::pin(
            async move {
                let mut response = match admit(request, route.as_ref(), &config).await {
                    Ok((request, overrun)) => run(inner, request, overrun, route.as_ref(), &config).await,
                    Err(refusal) => refusal.into_response(),
                };
                if let Ok(value) =
                    HeaderValue::from_str(request_id.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
                {
                    response.headers_mut().insert(config.request_id_header.clone(), value);
                }
                record(method, route.as_ref(), &response, started.elapsed());
                Ok(response)
            }
            .instrument(span),
        )
    }
}

/// Checks sizes that can be known before reading, and bounds the body where they cannot.
async fn admit(
    request: Request,
    route: Option<&MatchedPath>,
    config: &StackConfig,
) -> Result<(Request, Option<Arc<AtomicBool>>), ApiError> {
    check_headers(request.headers(), config)?;
    let body_bytes_max = body_limit(route, config);
    // Not the header: beside chunked encoding it means nothing, and it is the body that counts.
    match request.body().size_hint().exact() {
        Some(length) if length > body_bytes_max as u64 => {
            // A client that asked first learns of the refusal without sending anything.
            if !request.headers().contains_key(EXPECT) && length <= DRAIN_BYTES_MAX as u64 {
                drain(request.into_body()).await;
            }
            Err(ApiError::body_too_large(body_bytes_max))
        }
        // hyper holds the body to the length that was declared.
        Some(_) => Ok((request, None)),
        None if request.body().is_end_stream() => Ok((request, None)),
        None => {
            let overrun = Arc::new(AtomicBool::new(false));
            let flag = Arc::clone(&overrun);
            let request = request
                .map(|inner| Body::new(BoundedBody { inner, remaining: body_bytes_max, drained: 0, overrun: flag }));
            Ok((request, Some(overrun)))
        }
    }
}

/// Runs the handler under deadline and panic guard, and brings refusals that are not ours into our shape.
async fn run<S>(
    mut inner: S,
    request: Request,
    overrun: Option<Arc<AtomicBool>>,
    route: Option<&MatchedPath>,
    config: &StackConfig,
) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let guarded = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
    let response = match tokio::time::timeout(config.request_timeout, guarded).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => ApiError::internal(Panicked(panic_text(&*panic).to_owned())).into_response(),
        Err(_) => {
            ApiError::timeout().with_source(format!("no response within {:?}", config.request_timeout)).into_response()
        }
    };
    if !response.status().is_client_error() && !response.status().is_server_error() {
        return response;
    }
    if overrun.is_some_and(|overrun| overrun.load(Ordering::Acquire)) {
        return ApiError::body_too_large(body_limit(route, config)).into_response();
    }
    if is_framework_refusal(&response) { reshape(response).await } else { response }
}

fn check_headers(headers: &HeaderMap, config: &StackConfig) -> Result<(), ApiError> {
    let mut all = 0;
    for (name, value) in headers {
        let one = name.as_str().len() + value.len();
        if one > config.header_bytes_max {
            return Err(ApiError::headers_too_large(format!(
                "The header {name} is larger than {} bytes.",
                config.header_bytes_max
            )));
        }
        all += one;
    }
    if all > config.headers_bytes_max {
        return Err(ApiError::headers_too_large(format!(
            "The headers together are larger than {} bytes.",
            config.headers_bytes_max
        )));
    }
    Ok(())
}

fn body_limit(route: Option<&MatchedPath>, config: &StackConfig) -> usize {
    if config.body_bytes_max_by_route.is_empty() {
        return config.body_bytes_max;
    }
    route.and_then(|route| config.body_bytes_max_by_route.get(route.as_str())).copied().unwrap_or(config.body_bytes_max)
}

async fn drain(mut body: Body) {
    let reading = async { while let Some(Ok(_)) = body.frame().await {} };
    // Whether it ended or time ran out, the answer is the same.
    let _ = tokio::time::timeout(DRAIN_TIME_MAX, reading).await;
}

/// Counts a body of undeclared length; beyond the limit it discards a little, then fails.
struct BoundedBody {
    inner: Body,
    remaining: usize,
    drained: usize,
    overrun: Arc<AtomicBool>,
}

impl HttpBody for BoundedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            let this = &mut *self;
            let frame = match Pin::new(&mut this.inner).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            };
            let overrun = this.overrun.load(Ordering::Acquire);
            match frame {
                Some(Ok(frame)) => {
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    if !overrun && length <= this.remaining {
                        this.remaining -= length;
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    this.overrun.store(true, Ordering::Release);
                    this.drained = this.drained.saturating_add(length);
                    if this.drained > DRAIN_BYTES_MAX {
                        return Poll::Ready(Some(Err("the body exceeds its limit".into())));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None if overrun => return Poll::Ready(Some(Err("the body exceeds its limit".into()))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.overrun.load(Ordering::Acquire) && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Extractors of the framework refuse in plain text.
fn is_framework_refusal(response: &Response) -> bool {
    response.extensions().get::<ErrorSummary>().is_none()
        && match response.headers().get(CONTENT_TYPE) {
            Some(value) => value.as_bytes().starts_with(b"text/plain"),
            None => response.body().is_end_stream(),
        }
}

async fn reshape(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let text = match Limited::new(body, PLAIN_TEXT_BYTES_MAX).collect().await {
        Ok(collected) => String::from_utf8(collected.to_bytes().to_vec()).unwrap_or_default(),
        Err(_) => String::new(),
    };
    let status = parts.status;
    let code = match status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "OPERATION_FORBIDDEN",
        StatusCode::NOT_FOUND => "RESOURCE_NOT_FOUND",
        StatusCode::METHOD_NOT_ALLOWED => "NOT_FOUND",
        StatusCode::CONFLICT => "RESOURCE_CONFLICT",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "INVALID_CONTENT_TYPE",
        StatusCode::TOO_MANY_REQUESTS => "RATE_LIMITED",
        StatusCode::SERVICE_UNAVAILABLE => "TEMPORARY_UNAVAILABLE",
        _ if status.is_server_error() => "INTERNAL_ERROR",
        _ => "VALIDATION_ERROR",
    };
    let mut error = if status.is_server_error() {
        let mut error = ApiError::internal(text);
        error.status = status;
        error.error_code = code.into();
        error
    } else if text.is_empty() {
        ApiError::new(status, code, status.canonical_reason().unwrap_or("The request was refused."))
    } else {
        ApiError::new(status, code, text)
    };
    error.headers = parts.headers;
    error.headers.remove(CONTENT_LENGTH);
    error.into_response()
}

/// A panic on its way into the log.
#[derive(Debug, thiserror::Error)]
#[error("handler panicked: {0}")]
struct Panicked(String);

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

fn record(method: &'static str, route: Option<&MatchedPath>, response: &Response, elapsed: Duration) {
    let status = response.status().as_u16();
    let duration_ms = elapsed.as_micros() as f64 / 1000.0;
    let route = route_label(route);
    if status >= 500 {
        let code = response.extensions().get::<ErrorSummary>().map_or("", |summary| &summary.error_code);
        tracing::info!(http.status = status, error.code = code, duration_ms, "{method} {route} answered {status}");
    } else {
        tracing::debug!(http.status = status, duration_ms, "{method} {route} answered {status}");
    }
    let route = metrics::SharedString::from(route.to_owned());
    metrics::counter!(
        "http_requests_total",
        "route" => route.clone(), "method" => method, "status" => status_label(status)
    )
    .increment(1);
    metrics::histogram!("http_request_duration_seconds", "route" => route, "method" => method)
        .record(elapsed.as_secs_f64());
}

/// The path template; raw paths would leak identifiers and multiply metrics.
fn route_label(route: Option<&MatchedPath>) -> &str {
    route.map_or("unmatched", MatchedPath::as_str)
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        // Ours: an invented method must not become a label of its own.
        _ => "OTHER",
    }
}

fn status_label(status: u16) -> metrics::SharedString {
    match status {
        200 => "200".into(),
        201 => "201".into(),
        202 => "202".into(),
        204 => "204".into(),
        other => other.to_string().into(),
    }
}
