//! The client to the network: one way out, for every call of this crate.
//!
//! [`Client::send`] tries a call until it has an answer or runs out of time: within the quotas ([`throttle`]), not at all
//! while the network is down ([`breaker`]), again with jitter after a 429, a 5xx, a timeout or a lost connection, always with the
//! same idempotency key. What it returns says what the caller may do: an [`Answer`]; [`CallError::Refused`], nothing happened
//! and repeating is useless; [`CallError::NotSent`], nothing happened and repeating may help; [`CallError::Unknown`], it may or may
//! not have happened, so only the same call with the same key may follow.
//!
//! Log lines name operation, status, duration and correlation ids; never bodies, tokens or keys.

mod breaker;
pub mod origin;
mod throttle;

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use kit::clock::monotonic;
use kit::outbound::ClientError;
use kit::random::Random;
use protocol::{ErrorCode, ErrorObject, IntegrationMetadata, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use url::Url;
use uuid::Uuid;

use crate::config::{Config, UpstreamLimits};
use breaker::Breaker;
pub use origin::Origin;
use throttle::{Quota, Throttle};

/// Answers larger than this are taken for broken.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One call to the network.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Names it in metrics and logs, and decides which quota it counts against: `authorize`.
    pub name: &'static str,
    /// HTTP method.
    pub method: Method,
    /// Path segments after the base url, not yet encoded.
    pub path: Vec<String>,
    /// Name and value pairs of the query.
    pub query: Vec<(&'static str, String)>,
    /// The account acted for, for quotas; empty for the AP's own.
    pub account: String,
    /// JSON, if any.
    pub body: Option<Bytes>,
    /// Without one, only safe calls are tried again.
    pub idempotency_key: Option<Uuid>,
    /// `Partner-Correlation-Id`.
    pub correlation_id: Option<String>,
    /// The Partner's tag: who stands behind the call.
    pub originator: Option<header::Integration>,
    /// The platform or plugin that the Partner called with, if it said so.
    pub origin: Origin,
    /// `Klarna-Network-Session-Token`, unmodified.
    pub session_token: Option<SecretString>,
    /// `Klarna-Customer-Token`, unmodified.
    pub customer_token: Option<SecretString>,
    /// Whether the same call may have been sent before, so that a conflict means that it is still running.
    pub repeated: bool,
    /// Time for all attempts together; the configured one if absent.
    pub deadline: Option<Duration>,
}

impl Operation {
    /// A call on the AP's own account: `&["v2", "notification", "webhooks"]`.
    pub fn new(name: &'static str, method: Method, path: &[&str]) -> Self {
        Self {
            name,
            method,
            path: path.iter().map(|segment| (*segment).to_owned()).collect(),
            query: Vec::new(),
            account: String::new(),
            body: None,
            idempotency_key: None,
            correlation_id: None,
            originator: None,
            origin: Origin::default(),
            session_token: None,
            customer_token: None,
            repeated: false,
            deadline: None,
        }
    }

    /// A call on behalf of a Partner's account: `/v2/accounts/{account}/…`.
    pub fn on_account(name: &'static str, method: Method, account: &str, path: &[&str]) -> Self {
        let mut operation = Self::new(name, method, &["v2", "accounts", account]);
        operation.path.extend(path.iter().map(|segment| (*segment).to_owned()));
        account.clone_into(&mut operation.account);
        operation
    }

    /// Sets the JSON body.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the idempotency key.
    #[must_use]
    pub fn key(mut self, key: Uuid) -> Self {
        self.idempotency_key = Some(key);
        self
    }

    fn may_repeat(&self) -> bool {
        self.idempotency_key.is_some() || matches!(self.method, Method::GET | Method::PUT | Method::DELETE)
    }
}

/// A 2xx.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// A JSON document, or empty.
    pub body: Bytes,
    /// Klarna's name for the call.
    pub correlation_id: Option<String>,
}

impl Answer {
    /// The body as a type of [`protocol`].
    ///
    /// # Errors
    /// [`CallError::Unknown`]: what was answered cannot be understood.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            CallError::Unknown(Trouble::Unreadable { status: self.status.as_u16(), reason: error.to_string() })
        })
    }
}

/// What Klarna said when it refused for good.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status, 400 to 499.
    pub status: StatusCode,
    /// The error object; of a body in another shape only what could be read.
    pub error: ErrorObject,
    /// Klarna's name for the call.
    pub correlation_id: Option<String>,
}

impl Refusal {
    /// The code, or what the status stands for.
    pub fn code(&self) -> &str {
        self.error.error_code.as_ref().map_or("UNKNOWN", ErrorCode::as_str)
    }
}

/// What went wrong on the way.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Trouble {
    /// The circuit is open: the network failed too often just now.
    #[error("the network is not reachable at the moment; no call was made")]
    CircuitOpen,
    /// The quota is used up beyond the deadline.
    #[error("the network's rate limit leaves no room before the deadline")]
    RateLimited,
    /// No connection.
    #[error("no connection to the network: {reason}")]
    NoConnection {
        /// The client's words.
        reason: String,
    },
    /// No answer in time.
    #[error("the network did not answer in time")]
    Timeout,
    /// The connection ended before the answer did.
    #[error("the connection to the network was lost: {reason}")]
    ConnectionLost {
        /// The client's words.
        reason: String,
    },
    /// A 5xx, or another status that says nothing about the effect.
    #[error("the network answered {status} {code}")]
    Failed {
        /// HTTP status.
        status: u16,
        /// Error code, if one could be read.
        code: String,
    },
    /// An answer that is not JSON or lacks what it must have.
    #[error("the network's answer with status {status} cannot be read: {reason}")]
    Unreadable {
        /// HTTP status.
        status: u16,
        /// What is wrong with it; no content.
        reason: String,
    },
}

/// Why there is no answer, by what the caller may do about it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing happened; the same call will be refused again.
    #[error("the network refused: {} {}", .0.status.as_u16(), .0.code())]
    Refused(Box<Refusal>),
    /// Nothing happened; try later.
    #[error("not sent: {0}")]
    NotSent(Trouble),
    /// It may have happened: only the same call with the same key may follow.
    #[error("outcome unknown: {0}")]
    Unknown(Trouble),
}

impl CallError {
    fn label(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotSent(_) => "not_sent",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The client. It keeps connections, quotas and the breaker: make one per process.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    base_url: Url,
    authorization: HeaderValue,
    integrator: header::Integration,
    limits: UpstreamLimits,
    throttle: Throttle,
    breaker: Breaker,
    random: Random,
}

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientConfigError {
    /// The key holds characters that a header cannot.
    #[error("the API key at the network contains characters that no header can hold")]
    ApiKey,
    /// The url cannot have a path.
    #[error("the network's base url must be like https://api.example/")]
    BaseUrl,
    /// The HTTP client cannot be built.
    #[error("building the client to the network")]
    Http(#[from] ClientError),
}

/// What one attempt came to.
enum Attempt {
    Answered(Answer),
    Refused(Box<Refusal>),
    /// Nothing reached the network, or it did nothing: try again, after at least this pause.
    Harmless(Trouble, Option<Duration>),
    /// Something may have happened: try again, after at least this pause.
    Doubtful(Trouble, Option<Duration>),
    /// Something may have happened, and trying again is useless.
    Hopeless(Trouble),
}

impl Client {
    /// A client with the settings of `config` on the connections of `http` (see [`kit::outbound::upstream_client`]).
    ///
    /// # Errors
    /// [`ClientConfigError`].
    pub fn new(config: &Config, http: reqwest::Client, random: Random) -> Result<Self, ClientConfigError> {
        if config.klarna_base_url.cannot_be_a_base() {
            return Err(ClientConfigError::BaseUrl);
        }
        let credentials = STANDARD.encode(format!(":{}", config.klarna_api_key.expose_secret()));
        let mut authorization =
            HeaderValue::try_from(format!("Basic {credentials}")).map_err(|_| ClientConfigError::ApiKey)?;
        authorization.set_sensitive(true);
        let limits = config.upstream.clone();
        Ok(Self {
            http,
            base_url: config.klarna_base_url.clone(),
            authorization,
            integrator: header::Integration {
                name: Some(config.integrator_name.clone()),
                session_reference: Some(config.integrator_reference.clone()),
                module_name: Some("kontor-gateway".to_owned()),
                module_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
                ..header::Integration::default()
            },
            throttle: Throttle::new(limits.calls_per_second),
            breaker: Breaker::new(limits.breaker_failures, limits.breaker_pause, limits.attempt_timeout),
            limits,
            random,
        })
    }

    /// Whether calls would go out now. While they would not, new work is better refused than begun.
    pub fn is_available(&self) -> bool {
        !self.breaker.is_open(monotonic())
    }

    /// Makes the call; see the module for what comes back.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn send(&self, operation: &Operation) -> Result<Answer, CallError> {
        let began = monotonic();
        let outcome = self.send_until(operation, began).await;
        let label = outcome.as_ref().map_or_else(CallError::label, |_| "answered");
        metrics::counter!("klarna_calls_total", "operation" => operation.name, "outcome" => label).increment(1);
        metrics::histogram!("klarna_call_duration_seconds", "operation" => operation.name)
            .record(began.elapsed().as_secs_f64());
        outcome
    }

    async fn send_until(&self, operation: &Operation, began: Instant) -> Result<Answer, CallError> {
        let deadline = began + operation.deadline.unwrap_or(self.limits.deadline);
        let url = self.url(operation);
        let headers = self.headers(operation);
        // Whether an earlier attempt may have had an effect.
        let mut doubtful = operation.repeated;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let now = monotonic();
            let left = deadline.saturating_duration_since(now);
            let turn = self.throttle.reserve(operation.name, &operation.account, now, left);
            let (trouble, pause) = match turn {
                None => return Err(ended(Trouble::RateLimited, doubtful)),
                Some(_) if !self.breaker.allows(now) => return Err(ended(Trouble::CircuitOpen, doubtful)),
                Some(wait) => {
                    if !wait.is_zero() {
                        tokio::time::sleep(wait).await;
                    }
                    let left = deadline.saturating_duration_since(monotonic());
                    match self.attempt(operation, &url, &headers, left, doubtful, attempt).await {
                        Attempt::Answered(answer) => return Ok(answer),
                        Attempt::Refused(refusal) => return Err(CallError::Refused(refusal)),
                        Attempt::Hopeless(trouble) => return Err(CallError::Unknown(trouble)),
                        Attempt::Harmless(trouble, pause) => (trouble, pause),
                        Attempt::Doubtful(trouble, pause) => {
                            doubtful = true;
                            (trouble, pause)
                        }
                    }
                }
            };
            let pause = pause.unwrap_or_default().max(self.jittered(attempt));
            let left = deadline.saturating_duration_since(monotonic());
            if attempt >= self.limits.attempts_max || pause >= left || !operation.may_repeat() {
                return Err(ended(trouble, doubtful));
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        operation: &Operation,
        url: &Url,
        headers: &HeaderMap,
        left: Duration,
        doubtful: bool,
        number: u32,
    ) -> Attempt {
        let began = monotonic();
        let timeout = left.min(self.limits.attempt_timeout);
        let mut request = self.http.request(operation.method.clone(), url.clone()).headers(headers.clone());
        request = request.timeout(timeout);
        if let Some(body) = &operation.body {
            request = request.body(body.clone());
        }
        let received = match request.send().await {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                read_bounded(response).await.map(|body| (status, headers, body))
            }
            Err(error) => Err(error),
        };
        let duration_us = i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX);
        match received {
            Ok((status, headers, body)) => {
                let correlation_id =
                    headers.get(header::KLARNA_CORRELATION_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
                let correlation = correlation_id.as_deref().unwrap_or_default();
                let (name, code) = (operation.name, status.as_u16());
                metrics::counter!("klarna_attempts_total", "operation" => name, "status" => code.to_string())
                    .increment(1);
                if status.is_success() || (status.is_client_error() && code != 429) {
                    tracing::debug!(
                        klarna.operation = name,
                        klarna.correlation_id = correlation,
                        attempt = number,
                        duration_us,
                        "the network answered {code} to {name}"
                    );
                } else {
                    tracing::warn!(
                        klarna.operation = name,
                        klarna.correlation_id = correlation,
                        attempt = number,
                        duration_us,
                        "the network answered {code} to {name}"
                    );
                }
                self.judge(operation, status, &headers, body, correlation_id, doubtful)
            }
            Err(error) => {
                if self.breaker.failed(monotonic()) {
                    tracing::error!("too many calls to the network failed in a row: pausing");
                }
                metrics::counter!("klarna_attempts_total", "operation" => operation.name, "status" => "none")
                    .increment(1);
                tracing::warn!(
                    klarna.operation = operation.name,
                    attempt = number,
                    duration_us,
                    error = &error as &dyn std::error::Error,
                    "no answer from the network to {}",
                    operation.name
                );
                let reason = describe(&error);
                if error.is_connect() {
                    Attempt::Harmless(Trouble::NoConnection { reason }, None)
                } else if error.is_timeout() {
                    Attempt::Doubtful(Trouble::Timeout, None)
                } else {
                    Attempt::Doubtful(Trouble::ConnectionLost { reason }, None)
                }
            }
        }
    }

    fn judge(
        &self,
        operation: &Operation,
        status: StatusCode,
        headers: &HeaderMap,
        body: Bytes,
        correlation_id: Option<String>,
        doubtful: bool,
    ) -> Attempt {
        let now = monotonic();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let quota = Quota::read(
            text(header::X_RATELIMIT_LIMIT),
            text(header::X_RATELIMIT_REMAINING),
            text(header::X_RATELIMIT_RESET),
        );
        let refused = status == StatusCode::TOO_MANY_REQUESTS;
        self.throttle.learn(operation.name, &operation.account, &quota, refused, now);
        let code = status.as_u16();
        if status.is_server_error() {
            if self.breaker.failed(now) {
                tracing::error!("too many calls to the network failed in a row: pausing");
            }
        } else {
            self.breaker.succeeded();
        }
        let pause = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        if status.is_success() {
            return match check_json(&body) {
                Ok(()) => Attempt::Answered(Answer { status, body, correlation_id }),
                Err(reason) => Attempt::Doubtful(Trouble::Unreadable { status: code, reason }, None),
            };
        }
        if refused {
            return Attempt::Harmless(Trouble::RateLimited, pause.or(quota.reset));
        }
        let error: ErrorObject = serde_json::from_slice(&body).unwrap_or_default();
        let error_code = error.error_code.as_ref().map(|code| code.as_str().to_owned()).unwrap_or_default();
        let trouble = Trouble::Failed { status: code, code: error_code };
        if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
            return Attempt::Doubtful(trouble, pause);
        }
        if status == StatusCode::CONFLICT && doubtful {
            // The earlier attempt is still running, and its key with it.
            return Attempt::Doubtful(trouble, pause);
        }
        if status == StatusCode::FORBIDDEN && error.error_code.is_none() {
            // Not the application but what guards it against floods (fact sheet 01 §1): slow down, and it will pass.
            return Attempt::Harmless(trouble, pause);
        }
        if status.is_client_error() {
            return Attempt::Refused(Box::new(Refusal { status, error, correlation_id }));
        }
        Attempt::Hopeless(trouble)
    }

    fn url(&self, operation: &Operation) -> Url {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&operation.path);
        }
        if !operation.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&operation.query);
        }
        url
    }

    fn headers(&self, operation: &Operation) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(AUTHORIZATION, self.authorization.clone());
        if operation.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let metadata = IntegrationMetadata {
            integrator: Some(self.integrator.clone()),
            originators: operation.originator.as_ref().map(|partner| operation.origin.behind(partner)),
            ..IntegrationMetadata::default()
        };
        insert(&mut headers, header::KLARNA_INTEGRATION_METADATA, &metadata.to_header(), false);
        if let Some(key) = operation.idempotency_key {
            insert(&mut headers, header::KLARNA_IDEMPOTENCY_KEY, &key.to_string(), false);
        }
        if let Some(id) = &operation.correlation_id {
            insert(&mut headers, header::PARTNER_CORRELATION_ID, id, false);
        }
        if let Some(token) = &operation.session_token {
            insert(&mut headers, header::KLARNA_NETWORK_SESSION_TOKEN, token.expose_secret(), true);
        }
        if let Some(token) = &operation.customer_token {
            insert(&mut headers, header::KLARNA_CUSTOMER_TOKEN, token.expose_secret(), true);
        }
        headers
    }

    /// The pause after the `attempt`th attempt: doubling, give or take a half, so that callers do not return together.
    fn jittered(&self, attempt: u32) -> Duration {
        let pause = self.limits.first_pause.saturating_mul(1 << (attempt - 1).min(10));
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(micros / 2 + self.random.below(micros.max(1)))
    }
}

fn ended(trouble: Trouble, doubtful: bool) -> CallError {
    if doubtful { CallError::Unknown(trouble) } else { CallError::NotSent(trouble) }
}

/// Values come from checked fields; one that no header can hold is left out, and the network says what is missing.
fn insert(headers: &mut HeaderMap, name: &'static str, value: &str, secret: bool) {
    if let Ok(mut value) = HeaderValue::try_from(value) {
        value.set_sensitive(secret);
        headers.insert(HeaderName::from_static(name), value);
    }
}

async fn read_bounded(mut response: reqwest::Response) -> Result<Bytes, reqwest::Error> {
    let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(1024);
    let mut body = Vec::with_capacity(expected.min(ANSWER_BYTES_MAX));
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        // What is cut off does not parse, and so counts as unreadable.
        if body.len() > ANSWER_BYTES_MAX {
            break;
        }
    }
    Ok(body.into())
}

fn check_json(body: &[u8]) -> Result<(), String> {
    if body.is_empty() {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(body).map(drop).map_err(|error| error.to_string())
}

/// The innermost cause: the outer ones repeat the url.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
