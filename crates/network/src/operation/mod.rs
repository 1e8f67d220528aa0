//! What every operation passes before its handler: who calls, for whom, how often, and whether the same call was made before.
//!
//! Each capability lists its operations as [`Route`]s; [`router`] turns the lists into one router in which no route lacks its
//! guard. The guard authenticates, finds the account acted for, checks the role, counts against the rate limits, and puts
//! [`Caller`] and [`OnBehalf`] where the handler's extractors find them. [`once()`] is Klarna's idempotency.

mod call;
mod category;
mod once;
mod perform;
mod query;
mod route;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts as RequestParts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::http::{ApiError, RequestId};
use kit::rate_limit::{Decision, Level};
use protocol::header::{
    KLARNA_IDEMPOTENCY_KEY, KLARNA_INTEGRATION_METADATA, KLARNA_PARTNER_ACCOUNT, PARTNER_CORRELATION_ID,
    is_idempotency_key,
};
use protocol::{CredentialId, ErrorCode, IntegrationMetadata, PartnerAccountId, PartnerCorrelationId};
use serde::Serialize;

use crate::accounts::AccountKind;
use crate::console::{CalledBy, faults};
use crate::credentials::{self, Connection, Verdict};
use crate::ctx::Ctx;

pub use call::{Call, check, or_empty};
pub use category::Category;
pub(crate) use once::InFlight;
pub use once::once;
pub(crate) use perform::{Performed, perform};
pub use query::{Parameters, Query};
pub use route::{Content, Doc, Param, Route, ShapeOf, Source, Who};

/// The path parameter that names the account acted for.
pub const ACCOUNT_PARAMETER: &str = "partner_account_id";

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

/// A router of these operations, each behind its guard.
pub fn router(ctx: &Ctx, routes: Vec<Route>) -> Router {
    let mut router = Router::new();
    for route in routes {
        let operation = route.is_of_the_network().then_some(route.doc.id);
        let gate = Gate { ctx: ctx.clone(), category: route.category, who: route.who, operation };
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
    /// Its name, if it is one of the network's, which alone go wrong on purpose.
    operation: Option<&'static str>,
}

async fn guard(
    State(gate): State<Gate>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let correlation = request.headers().get(PARTNER_CORRELATION_ID).cloned();
    let mut noticed = Noticed::default();
    let admitted = admit(&gate, params.ok(), request, &mut noticed).await;
    let mut response = match admitted {
        Ok(request) => match gate.operation.filter(|_| !gate.ctx.observer.faults().is_empty()) {
            Some(operation) => faults::around(&gate.ctx, operation, request, next).await,
            None => next.run(request).await,
        },
        Err(refusal) => refusal.into_response(),
    };
    if let Some(called_by) = noticed.called_by {
        response.extensions_mut().insert(called_by);
    }
    if let Some(decision) = noticed.limits {
        decision.write_headers(response.headers_mut());
    }
    noticed.connection.write_headers(response.headers_mut());
    // Echoed as it came; what is not a valid id was refused.
    if let Some(value) = correlation.filter(|value| partner_correlation_id(value).is_ok()) {
        response.headers_mut().insert(PARTNER_CORRELATION_ID, value);
    }
    response
}

/// What the guard learns of a call, admitted or not.
#[derive(Default)]
struct Noticed {
    limits: Option<Decision>,
    connection: Verdict,
    called_by: Option<CalledBy>,
}

async fn admit(
    gate: &Gate,
    params: Option<RawPathParams>,
    mut request: Request,
    noticed: &mut Noticed,
) -> Result<Request, ApiError> {
    let Gate { ctx, category, who, operation } = gate;
    let credentials::Verified { caller, protection } = credentials::verify(ctx, request.headers()).await?;
    if let Some(protection) = protection {
        noticed.connection = protection.judge(&Connection::of(&request), ctx.clock.now());
    }
    // What no id can hold (bytes that are no text, control characters, which PostgreSQL does not even compare) names nothing.
    let params = params.filter(|params| !params.iter().any(|(_, value)| value.chars().any(char::is_control)));
    let account = match &params {
        Some(params) => account_for(ctx, &caller, named_account(params, &request)).await?,
        None => Some(caller.account.clone()),
    };
    if ctx.observer.log().is_some() {
        noticed.called_by = Some(CalledBy {
            acquiring_partner_id: caller.acquiring_partner.to_string(),
            account_id: account.as_ref().unwrap_or(&caller.account).to_string(),
        });
    }
    // Controls of the test environment are reached although the account locked itself out.
    if operation.is_some() {
        noticed.connection.admit()?;
    }
    // Counted first, so that refusals below count and show the limits, too.
    let counted_for = account.as_ref().unwrap_or(&caller.account);
    if let Some(decision) = count(ctx, *category, &caller, counted_for) {
        let allowed = decision.allowed;
        noticed.limits = Some(decision);
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

/// Counts a call that came otherwise than through the guard.
///
/// # Errors
/// 429 beyond the quota.
pub fn counted(ctx: &Ctx, category: Category, caller: &Caller, account: &PartnerAccountId) -> Result<(), ApiError> {
    match count(ctx, category, caller, account) {
        Some(decision) if !decision.allowed => Err(rate_limited()),
        _ => Ok(()),
    }
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
    /// The key, for [`once()`].
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
