//! Operations for somebody who was recognised otherwise than by a key: the console's forms do what the API does, by the API's own
//! handlers, checks and answers.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use kit::http::{ApiError, FieldFault};
use kit::random::Random;
use protocol::{CredentialId, PartnerAccountId};
use serde_json::Value;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{Caller, OnBehalf, Route, account_for, named_account, not_found};
use crate::accounts::AccountKind;
use crate::ctx::Ctx;

/// What came of it.
pub(crate) struct Performed {
    /// The headers of the answer.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Performed {
    /// The body as JSON; null where there is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Clone)]
struct As {
    ctx: Ctx,
    caller: Caller,
}

/// Does what a call of an Acquiring Partner would do: everything but its key, its limits, and its line in the request log.
///
/// # Errors
/// Whatever the operation refuses, as the API would have told it.
pub(crate) async fn perform(
    ctx: &Ctx,
    routes: Vec<Route>,
    acquiring_partner: &str,
    (method, path): (Method, &str),
    body: Option<&Value>,
) -> Result<Performed, ApiError> {
    let account = PartnerAccountId::opaque(acquiring_partner).map_err(ApiError::internal)?;
    let caller = Caller {
        acquiring_partner: account.clone(),
        account,
        // No key of anybody.
        credential_id: CredentialId::api_key(Uuid::nil()),
        kind: AccountKind::AcquiringPartner,
    };
    let who = As { ctx: ctx.clone(), caller };
    let mut router = Router::new();
    for route in routes.into_iter().filter(|route| route.method == method) {
        let handler = route.handler.route_layer(middleware::from_fn_with_state(who.clone(), on_behalf));
        for template in &route.templates {
            router = router.route(template, handler.clone());
        }
    }
    let request = Request::builder().method(method).uri(path);
    let request = match body {
        Some(body) => request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    let request = request.map_err(ApiError::internal)?;
    let Ok(response) = router.with_state(ctx.clone()).oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(ApiError::internal)?.to_bytes();
    if parts.status.is_success() {
        Ok(Performed { headers: parts.headers, body })
    } else {
        Err(refusal(parts.status, &body))
    }
}

async fn on_behalf(State(who): State<As>, params: RawPathParams, mut request: Request, next: Next) -> Response {
    let account = match account_for(&who.ctx, &who.caller, named_account(&params, &request)).await {
        Ok(Some(account)) => account,
        Ok(None) => return not_found("The Partner account does not exist.").into_response(),
        Err(error) => return error.into_response(),
    };
    // Not the context's chance: what somebody does by hand must not change what a seed makes.
    let correlation_id = Random::system().id(who.ctx.clock.now()).to_string();
    request.extensions_mut().insert(OnBehalf { caller: who.caller, account, correlation_id });
    next.run(request).await
}

/// The refusal as it was written out.
fn refusal(status: StatusCode, body: &[u8]) -> ApiError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if !body["error_code"].is_string() {
        return ApiError::new(status, "NOT_FOUND", "Nothing is served there.");
    }
    let mut error = ApiError::new(status, text(&body["error_code"]), text(&body["error_message"]));
    for fault in body["validation_errors"].as_array().into_iter().flatten() {
        error.validation_errors.push(FieldFault::new(text(&fault["parameter"]), text(&fault["reason"])));
    }
    error
}
