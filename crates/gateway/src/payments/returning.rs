//! The customer comes back from Klarna: to us first, who finish the payment, then to the Partner's own page.
//!
//! The address holds a token of the payment (Klarna and the customer's browser know it, nobody else), so this route asks for no API
//! key. What it says of the outcome is never believed: Klarna is asked.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use kit::http::ApiError;
use subtle::ConstantTimeEq as _;
use tracing::Instrument as _;
use url::Url;
use url::form_urlencoded;

use super::payment::PaymentState;
use super::record::Payment;
use super::{begin, pages, settle};
use crate::Ctx;
use crate::checkout;

/// Ours: how long a customer looks at an empty page while Klarna does not answer. The look goes on, and an event tells its end.
const PATIENCE: Duration = Duration::from_secs(8);

/// `GET /return/{payment_id}`.
pub(super) async fn come_back(
    State(ctx): State<Ctx>,
    Path(payment_id): Path<String>,
    uri: http::Uri,
) -> Result<Response, ApiError> {
    let token = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "token")
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default();
    let partner_id = token.split('.').next().unwrap_or_default().to_owned();
    let Some((payment, _)) = begin::read(&ctx, &partner_id, &payment_id).await? else { return Ok(unknown()) };
    if !is_token_of(&payment, &token) {
        return Ok(unknown());
    }
    // Pending too: the webhook may have come first, and its call may still be under way.
    if payment.books.state.is_open() {
        let (ctx, partner_id, payment_id) = (ctx.clone(), partner_id.clone(), payment_id.clone());
        let look = async move { settle::refresh(&ctx, &partner_id, &payment_id).await };
        // In a task of its own: a customer who closes the page stops nothing half-way.
        if let Ok(looked) = tokio::time::timeout(PATIENCE, tokio::spawn(look.in_current_span())).await {
            looked.map_err(ApiError::internal)??;
        }
    }
    let Some((payment, _)) = begin::read(&ctx, &partner_id, &payment_id).await? else { return Ok(unknown()) };
    let target = match &payment.detail.checkout_session_id {
        Some(session_id) => checkout::way_back(&ctx, &partner_id, session_id).await?,
        None => target(&payment).map(String::from),
    };
    let Some(target) = target else { return Ok(unknown()) };
    let mut response = Redirect::to(&target).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Our address holds the token: it must not travel on.
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn is_token_of(payment: &Payment, token: &str) -> bool {
    let hash = begin::token_hash(token);
    payment.return_token_hash.as_deref().is_some_and(|known| known.as_bytes().ct_eq(hash.as_bytes()).into())
}

/// The Partner's page: its return url, or its cancel url if the payment did not come about, with the payment's id and state.
fn target(payment: &Payment) -> Option<Url> {
    use PaymentState::{Canceled, Declined, Expired, Failed, RequiresCustomerAction};
    let gave_up = matches!(payment.books.state, Canceled | Declined | Expired | Failed | RequiresCustomerAction);
    let cancel_url = payment.detail.cancel_url.as_deref().filter(|_| gave_up);
    let mut url = Url::parse(cancel_url.or(payment.detail.return_url.as_deref())?).ok()?;
    url.query_pairs_mut()
        .append_pair("payment_id", &payment.payment_id)
        .append_pair("state", payment.books.state.as_str());
    Some(url)
}

/// The same page for every wrong address.
fn unknown() -> Response {
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")], pages::unknown_return()).into_response()
}
