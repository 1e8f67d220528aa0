//! What every operation passes before its handler: who calls, for whom, how often, and whether the same call was made before.
//!
//! Each capability lists its operations as [`Route`]s; [`router`] turns the lists into one router in which no route lacks its
//! guard. The guard authenticates, finds the account acted for, checks the role, counts against the rate limits, and puts
//! [`Caller`] and [`OnBehalf`] where the handler's extractors find them. [`once`] is Klarna's idempotency.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::header::CONTENT_TYPE;
use http::request::Parts as RequestParts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::clock::DAY_US;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, RequestId};
use kit::idempotency::{self, Call, Known, StoredAnswer};
use kit::rate_limit::{Decision, Level};
use kit::secret_box::Place;
use protocol::header::{
    KLARNA_IDEMPOTENCY_KEY, KLARNA_INTEGRATION_METADATA, KLARNA_PARTNER_ACCOUNT, PARTNER_CORRELATION_ID,
    is_idempotency_key,
};
use protocol::{CredentialId, ErrorCode, IntegrationMetadata, PartnerAccountId, PartnerCorrelationId};
use serde::Serialize;
use serde_json::Value;

use crate::accounts::AccountKind;
use crate::config::RateLimits;
use crate::credentials;
use crate::ctx::Ctx;
use crate::sealed::FIRST_ANSWER;

/// The path parameter that names the account acted for.
pub const ACCOUNT_PARAMETER: &str = "partner_account_id";
/// How long an answer is repeated for its idempotency key (fact sheet 01 §5).
const IDEMPOTENCY_US: i64 = DAY_US;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the key belongs to.
    pub account: PartnerAccountId,
    /// The key.
    pub credential_id: CredentialId,
    /// What that account is.
    pub kind: AccountKind,
    /// The Acquiring Partner above, or the account itself if it is one.
    pub acquiring_partner: PartnerAccountId,
}

/// Who calls, and for which account: the one in the path, else (v1) in `Klarna-Partner-Account`, else the caller's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnBehalf {
    /// Who calls.
    pub caller: Caller,
    /// The account acted for: the caller's own, or one under it.
    pub account: PartnerAccountId,
    /// The id of this call, as `Klarna-Correlation-Id` shows it; goes into the events that it causes.
    pub correlation_id: String,
}

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any account for itself, an Acquiring Partner also for the accounts under it.
    Anyone,
    /// Acquiring Partners only: a Partner's own key hears 403 (RULINGS 1.1, "own key").
    AcquiringPartner,
}

/// Rate-limit categories (fact sheet 01 §7; the newer ones as in RULINGS §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    AccountOnboarding,
    Capture,
    TransactionManagement,
    Authorization,
    RequestManagement,
    Identity,
    Interoperability,
    Dispute,
    Settlement,
    PartnerManagement,
    Presentation,
    Messaging,
    /// No limit: operations that are not the network's, as `/testing`.
    Unlimited,
}

impl Category {
    /// Requests per second for a Partner and for an Acquiring Partner with all under it.
    pub fn quotas(self, limits: RateLimits) -> Option<(u32, u32)> {
        use Category::*;
        let (live, test) = match self {
            AccountOnboarding => ((0, 10), (0, 5)),
            Capture => ((50, 200), (12, 50)),
            TransactionManagement | Authorization | RequestManagement | Identity | Interoperability => {
                ((200, 500), (50, 125))
            }
            Presentation | Messaging => ((200, 500), (50, 125)),
            Dispute | PartnerManagement => ((20, 50), (5, 12)),
            Settlement => ((0, 150), (0, 37)),
            Unlimited => return None,
        };
        match limits {
            RateLimits::Live => Some(live),
            RateLimits::Test => Some(test),
            RateLimits::Off => None,
        }
    }

    /// Names of the two levels in the headers.
    fn levels(self) -> (&'static str, &'static str) {
        use Category::*;
        match self {
            AccountOnboarding => ("account_onboarding", "psp_onboarding"),
            Capture => ("account_payment-transaction-capture", "psp_payment-transaction-capture"),
            TransactionManagement => ("account_payment-transaction-management", "psp_payment-transaction-management"),
            Authorization => ("account_payment-transaction-authorization", "psp_payment-transaction-authorization"),
            RequestManagement => ("account_payment-request-management", "psp_payment-request-management"),
            Identity => ("account_identity", "psp_identity"),
            Interoperability => ("account_interoperability", "psp_interoperability"),
            Dispute => ("account_dispute", "psp_dispute"),
            Settlement => ("account_settlement", "psp_settlement"),
            PartnerManagement => ("account_partner-management", "psp_partner-management"),
            Presentation => ("account_payment-presentation", "psp_payment-presentation"),
            Messaging => ("account_on-site-messaging", "psp_on-site-messaging"),
            Unlimited => ("", ""),
        }
    }
}

/// One operation: its method, where it is reachable, how often, for whom, and its handler.
#[derive(Clone)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Every path template that it is served at, the present one first.
    pub templates: Vec<String>,
    /// Its rate-limit category.
    pub category: Category,
    /// Who may call it.
    pub who: Who,
    handler: MethodRouter<Ctx>,
}

impl Route {
    /// An operation at the templates as they are given.
    pub fn at<H, T>(method: Method, templates: &[&str], category: Category, who: Who, handler: H) -> Self
    where
        H: Handler<T, Ctx>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("routes use standard methods");
        let templates = templates.iter().map(|&template| template.to_owned()).collect();
        Self { method, templates, category, who, handler: on(filter, handler) }
    }

    /// An operation for an account: `tail` (`/payment/authorize`) below `/v2/accounts/{partner_account_id}`, below `/v2` for
    /// the caller's own account, and below the same two of v1.
    pub fn for_account<H, T>(method: Method, tails: &[&str], category: Category, who: Who, handler: H) -> Self
    where
        H: Handler<T, Ctx>,
        T: 'static,
    {
        let mut route = Self::at(method, &[], category, who, handler);
        for tail in tails {
            for version in ["/v2", "/v1"] {
                route.templates.push(format!("{version}/accounts/{{{ACCOUNT_PARAMETER}}}{tail}"));
                route.templates.push(format!("{version}{tail}"));
            }
        }
        route
    }
}

/// A router of these operations, each behind its guard.
pub fn router(ctx: &Ctx, routes: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in routes {
        let gate = Gate { ctx: ctx.clone(), category: route.category, who: route.who };
        let guarded = route.handler.route_layer(middleware::from_fn_with_state(gate, guard));
        for template in &route.templates {
            router = router.route(template, guarded.clone());
        }
    }
    router.with_state(ctx.clone())
}

#[derive(Clone)]
struct Gate {
    ctx: Ctx,
    category: Category,
    who: Who,
}

async fn guard(
    State(gate): State<Gate>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let correlation = request.headers().get(PARTNER_CORRELATION_ID).cloned();
    let mut limits = None;
    let admitted = admit(&gate, params.ok(), request, &mut limits).await;
    let mut response = match admitted {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    if let Some(decision) = limits {
        decision.write_headers(response.headers_mut());
    }
    // Echoed as it came; what is not a valid id was refused.
    if let Some(value) = correlation.filter(|value| partner_correlation_id(value).is_ok()) {
        response.headers_mut().insert(PARTNER_CORRELATION_ID, value);
    }
    response
}

async fn admit(
    gate: &Gate,
    params: Option<RawPathParams>,
    mut request: Request,
    limits: &mut Option<Decision>,
) -> Result<Request, ApiError> {
    let Gate { ctx, category, who } = gate;
    let caller = credentials::verify(ctx, request.headers()).await?;
    // What no id can hold (bytes that are no text, control characters, which PostgreSQL does not even compare) names nothing.
    let params = params.filter(|params| !params.iter().any(|(_, value)| value.chars().any(char::is_control)));
    let account = match &params {
        Some(params) => account_for(ctx, &caller, named_account(params, &request)).await?,
        None => Some(caller.account.clone()),
    };
    // Counted first, so that refusals below count and show the limits, too.
    let counted_for = account.as_ref().unwrap_or(&caller.account);
    if let Some(decision) = count(ctx, *category, &caller, counted_for) {
        let allowed = decision.allowed;
        *limits = Some(decision);
        if !allowed {
            return Err(rate_limited());
        }
    }
    if *who == Who::AcquiringPartner && caller.kind == AccountKind::Partner {
        return Err(forbidden("This operation is for the Acquiring Partner's credentials."));
    }
    let account = account.ok_or_else(|| not_found("The Partner account does not exist."))?;
    if params.is_none() {
        return Err(not_found("Nothing has an id like that."));
    }
    if let Some(value) = request.headers().get(PARTNER_CORRELATION_ID) {
        partner_correlation_id(value)?;
    }
    look_at_metadata(request.headers(), &caller);
    let correlation_id = request.extensions().get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
    request.extensions_mut().insert(OnBehalf { caller, account, correlation_id });
    Ok(request)
}

/// The account that the request names, percent-decoded; `None` if it names none.
fn named_account(params: &RawPathParams, request: &Request) -> Option<String> {
    let in_path = params.iter().find(|(name, _)| *name == ACCOUNT_PARAMETER).map(|(_, value)| value.to_owned());
    in_path.or_else(|| {
        let v1 = request.uri().path().starts_with("/v1/");
        let value = request.headers().get(KLARNA_PARTNER_ACCOUNT).filter(|_| v1)?;
        // An unreadable name is the name of no account.
        Some(value.to_str().unwrap_or_default().to_owned())
    })
}

/// `None` when the named account is neither the caller's own nor under it: absent and foreign look the same (RULINGS 1.6).
async fn account_for(ctx: &Ctx, caller: &Caller, named: Option<String>) -> Result<Option<PartnerAccountId>, ApiError> {
    let Some(named) = named else { return Ok(Some(caller.account.clone())) };
    if named == caller.account.as_str() {
        return Ok(Some(caller.account.clone()));
    }
    if caller.kind != AccountKind::AcquiringPartner {
        return Ok(None);
    }
    let Ok(account) = named.parse::<PartnerAccountId>() else { return Ok(None) };
    let under = ctx.family.has(&ctx.db, caller.account.as_str(), account.as_str()).await?;
    Ok(under.then_some(account))
}

fn count(ctx: &Ctx, category: Category, caller: &Caller, account: &PartnerAccountId) -> Option<Decision> {
    let (partner_quota, acquiring_quota) = category.quotas(ctx.config.rate_limits)?;
    let (partner_level, acquiring_level) = category.levels();
    let above =
        Level { name: acquiring_level, key: caller.acquiring_partner.as_str(), quota_per_second: acquiring_quota };
    // What an Acquiring Partner does for itself concerns no Partner.
    if *account == caller.acquiring_partner {
        return Some(ctx.limiter.check(&[above]));
    }
    let own = Level { name: partner_level, key: account.as_str(), quota_per_second: partner_quota };
    Some(ctx.limiter.check(&[own, above]))
}

fn partner_correlation_id(value: &HeaderValue) -> Result<PartnerCorrelationId, ApiError> {
    let parsed = value.to_str().ok().map(str::parse::<PartnerCorrelationId>);
    match parsed {
        Some(Ok(id)) => Ok(id),
        _ => Err(ApiError::validation(Vec::new())
            .field("Partner-Correlation-Id", "must be 1 to 255 characters of A-Z, a-z, 0-9, _ and -")),
    }
}

/// What is wrong with `Klarna-Integration-Metadata` is counted and noted, never refused (fact sheet 01 §4.1).
fn look_at_metadata(headers: &HeaderMap, caller: &Caller) {
    let Some(value) = headers.get(KLARNA_INTEGRATION_METADATA) else { return };
    let warnings = match value.to_str().ok().map(IntegrationMetadata::parse) {
        Some(Ok(metadata)) => metadata.warnings().len(),
        _ => 1,
    };
    if warnings > 0 {
        metrics::counter!("integration_metadata_warnings_total").increment(1);
        tracing::debug!(partner.krn = %caller.account, warnings, "Klarna-Integration-Metadata breaks its rules");
    }
}

/// 403 `OPERATION_FORBIDDEN`.
pub fn forbidden(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, ErrorCode::OperationForbidden.as_str().to_owned(), message)
}

/// 404 `RESOURCE_NOT_FOUND`: absent or somebody else's.
pub fn not_found(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::ResourceNotFound.as_str().to_owned(), message)
}

/// 409 `RESOURCE_CONFLICT`.
pub fn conflict(message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, ErrorCode::ResourceConflict.as_str().to_owned(), message)
}

/// 400 `VALIDATION_ERROR` with the faults that a shape found.
pub fn invalid(faults: Vec<protocol::ValidationError>) -> ApiError {
    let mut error = ApiError::validation(Vec::new());
    for fault in faults {
        error = error.field(fault.parameter.unwrap_or_default(), fault.reason.unwrap_or_default());
    }
    error
}

fn rate_limited() -> ApiError {
    ApiError::new(
        StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::RateLimited.as_str().to_owned(),
        "Too many requests of this category. Retry with exponential backoff and jitter.",
    )
}

impl FromRequestParts<Ctx> for OnBehalf {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut RequestParts, _: &Ctx) -> Result<Self, ApiError> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| ApiError::internal("a route without its guard"))
    }
}

impl FromRequestParts<Ctx> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut RequestParts, _: &Ctx) -> Result<Self, ApiError> {
        let found = parts.extensions.get::<OnBehalf>().map(|on| on.caller.clone());
        found.ok_or_else(|| ApiError::internal("a route without its guard"))
    }
}

/// What was called: with the accounts, the scope of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The method.
    pub method: Method,
    /// The path, percent-decoded: a repetition may spell a KRN another way, and is the same call.
    pub path: String,
}

impl FromRequestParts<Ctx> for Parts {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut RequestParts, _: &Ctx) -> Result<Self, ApiError> {
        let template = MatchedPath::from_request_parts(parts, &()).await.map_err(ApiError::internal)?;
        let params = RawPathParams::from_request_parts(parts, &()).await.map_err(ApiError::internal)?;
        let mut path = template.as_str().to_owned();
        for (name, value) in &params {
            path = path.replacen(&format!("{{{name}}}"), value, 1);
        }
        Ok(Self { method: parts.method.clone(), path })
    }
}

/// `Klarna-Idempotency-Key`, if it was sent; 400 if it is not 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    /// The key, for [`once`].
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl FromRequestParts<Ctx> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut RequestParts, _: &Ctx) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get(KLARNA_IDEMPOTENCY_KEY) else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(key) if is_idempotency_key(key) => Ok(Self(Some(key.to_owned()))),
            _ => Err(ApiError::validation(Vec::new())
                .field("Klarna-Idempotency-Key", "must be 1 to 255 printable ASCII characters")),
        }
    }
}

/// The answer of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body: JSON, or nothing.
    pub body: Bytes,
}

impl Reply {
    /// An answer with a JSON body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).expect("texts, numbers and maps with text keys always serialize");
        Self { status, body: bytes.into() }
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new() }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        if has_body {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response
    }
}

/// Runs an operation once per idempotency key: the first success is remembered for a day, in the transaction that made it, and
/// repeated with status and body. Only successes bind a key (RULINGS §2, Idempotency). `secret` seals what is remembered. `unit`
/// makes the unit of work; it is called again when another transaction was faster.
///
/// # Errors
/// 409 for a key that was used with another body, or whose call still runs; whatever the unit refuses; [`kit::db::DbError`].
pub async fn once<F>(
    ctx: &Ctx,
    on: &OnBehalf,
    parts: &Parts,
    idempotency_key: Option<&str>,
    body: &Value,
    secret: bool,
    mut unit: impl FnMut() -> F,
) -> Result<Response, ApiError>
where
    F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>> + Send + 'static,
{
    let Some(key) = idempotency_key else {
        return Ok(ctx.write(unit).await?.into_response());
    };
    let call = Arc::new(OnceCall {
        scope: idempotency::scope(&[
            on.caller.account.as_str(),
            parts.method.as_str(),
            &parts.path,
            on.account.as_str(),
        ]),
        key: key.to_owned(),
        fingerprint: idempotency::fingerprint(body),
        secret,
    });
    let _running = ctx.in_flight.enter(&call).ok_or_else(|| {
        conflict("Concurrent update: a call with this Klarna-Idempotency-Key is still running. Retry with backoff.")
    })?;
    let reply = ctx
        .write(|| {
            let (ctx, call, unit) = (ctx.clone(), Arc::clone(&call), unit());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                Box::pin(async move { call.run(&ctx, tx, unit).await })
            }
        })
        .await?;
    Ok(reply.into_response())
}

struct OnceCall {
    scope: String,
    key: String,
    fingerprint: String,
    secret: bool,
}

impl OnceCall {
    async fn run<F>(&self, ctx: &Ctx, tx: &mut Tx, unit: F) -> Result<Reply, ApiError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>>,
    {
        let call = Call { scope: &self.scope, key: &self.key, fingerprint: &self.fingerprint };
        let now = ctx.clock.now();
        match idempotency::find(tx, &call, now).await? {
            Known::Fresh => {}
            Known::Answered(answer) => return self.repeat(ctx, answer),
            Known::OtherBody => {
                return Err(conflict("The Klarna-Idempotency-Key was used before with another body.")
                    .field("Klarna-Idempotency-Key", "was used with another body"));
            }
            Known::InFlight => return Err(conflict("A call with this Klarna-Idempotency-Key is still running.")),
        }
        let reply = unit(tx).await?;
        if reply.status.is_success() {
            let body = if self.secret && !reply.body.is_empty() {
                ctx.secrets.seal(self.place(), &reply.body)
            } else {
                reply.body.to_vec()
            };
            let answer = StoredAnswer { status: reply.status.as_u16(), body };
            idempotency::record(tx, &call, &answer, now, now + IDEMPOTENCY_US).await?;
        }
        Ok(reply)
    }

    fn repeat(&self, ctx: &Ctx, answer: StoredAnswer) -> Result<Reply, ApiError> {
        let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
        let body = if self.secret && !answer.body.is_empty() {
            let opened = ctx.secrets.open(self.place(), &answer.body).map_err(ApiError::internal)?;
            Bytes::copy_from_slice(&opened)
        } else {
            answer.body.into()
        };
        Ok(Reply { status, body })
    }

    fn place(&self) -> Place<'_> {
        FIRST_ANSWER.place(&[&self.scope, &self.key])
    }
}

/// The calls with an idempotency key that this process works on. Between processes the database decides: the second to commit
/// begins again and finds the answer of the first.
#[derive(Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<String>>>);

impl InFlight {
    fn enter(&self, call: &OnceCall) -> Option<Running> {
        let id = format!("{} {}", call.scope, call.key);
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert(id.clone()).then(|| Running { calls: Arc::clone(&self.0), id })
    }
}

/// Leaves the set when the call ends, however it ends.
struct Running {
    calls: Arc<Mutex<HashSet<String>>>,
    id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_still_runs_keeps_its_key_until_it_ends() {
        let call = |scope: &str| OnceCall {
            scope: scope.to_owned(),
            key: "k".to_owned(),
            fingerprint: String::new(),
            secret: false,
        };
        let running = InFlight::default();
        let first = running.enter(&call("a")).expect("nobody runs");
        assert!(running.enter(&call("a")).is_none());
        assert!(running.enter(&call("b")).is_some(), "another scope is another call");
        drop(first);
        assert!(running.enter(&call("a")).is_some());
    }

    #[test]
    fn live_limits_are_four_times_those_of_the_test_environment_and_off_is_off() {
        for category in [Category::Capture, Category::Authorization, Category::Dispute, Category::Settlement] {
            let (partner, above) = category.quotas(RateLimits::Live).expect("a limited category");
            assert_eq!(category.quotas(RateLimits::Test), Some((partner / 4, above / 4)), "{category:?}");
            assert_eq!(category.quotas(RateLimits::Off), None);
        }
        assert_eq!(Category::Unlimited.quotas(RateLimits::Live), None);
    }
}
