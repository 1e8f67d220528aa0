//! Where the shopper comes back to, and the desk behind the counter.

mod pages;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::StatusCode;
use protocol::{Currency, Money};
use serde_json::json;

use super::gateway::{GatewayError, Progress};
use super::pages::{Failure, failed};
use super::{Fields, Sent, Shop, order_link, status_of, warn};
use pages::{Fault, OrderPage, Remark};

pub use pages::standing;

/// The pages.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/order", get(order)).route("/order/{payment_id}/{action}", post(desk))
}

/// Where the shopper comes back to. The url is not believed: the gateway is asked.
async fn order(State(shop): State<Arc<Shop>>, Query(query): Query<Fields>) -> Response {
    let Some(payment_id) = query.get("payment_id") else { return Redirect::to("/").into_response() };
    let done = query.get("did").and_then(|did| match did.as_str() {
        "captures" => Some("Captured."),
        "refunds" => Some("Refunded."),
        "void" => Some("Voided."),
        "pending" => Some("Sent to Klarna, whose answer is still outstanding. Load this page again in a moment."),
        _ => None,
    });
    shop.order_page(payment_id, StatusCode::OK, Remark { done, ..Remark::default() }).await
}

/// The buttons behind the counter.
async fn desk(
    State(shop): State<Arc<Shop>>,
    Path((payment_id, action)): Path<(String, String)>,
    sent: Sent,
) -> Response {
    let fields = sent.map(|Form(fields)| fields).unwrap_or_default();
    let (field, doing) = match action.as_str() {
        "captures" => ("capture", "capture the amount"),
        "refunds" => ("refund", "refund the amount"),
        "void" => ("", "void what is left"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let payment = match shop.gateway.payment(&payment_id).await {
        Ok(payment) => payment,
        Err(error) => return shop.no_payment(&error),
    };
    let Some(key) = fields.get("key").filter(|key| !key.is_empty()) else {
        return Redirect::to(&order_link(&payment, None)).into_response();
    };
    let typed = fields.get("amount").map(String::as_str).unwrap_or_default();
    let mut body = json!({});
    if !field.is_empty() {
        let amount = payment.currency.parse::<Currency>().ok().and_then(|currency| Money::typed(typed, currency));
        let Some(amount) = amount else {
            let reason = "Enter an amount above zero, such as 12.50.";
            let fault = Some(Fault { field, typed: typed.to_owned(), reason });
            let remark = Remark { fault, ..Remark::default() };
            return shop.order_page(&payment_id, StatusCode::UNPROCESSABLE_ENTITY, remark).await;
        };
        body = json!({ "amount": amount.minor });
    }
    match shop.gateway.act(&payment.id, &action, &body, key).await {
        Ok(progress) => {
            let did = if progress == Progress::Done { action.as_str() } else { "pending" };
            Redirect::to(&order_link(&payment, Some(did))).into_response()
        }
        Err(error) => {
            warn(&error, "working at the desk");
            let again = "Look at the amounts first; then you may press the button again.";
            let failure = Some(Failure::of(&error, doing, again));
            shop.order_page(&payment_id, status_of(&error), Remark { failure, ..Remark::default() }).await
        }
    }
}

impl Shop {
    /// Asks the gateway how the payment stands, and shows it.
    async fn order_page(&self, payment_id: &str, status: StatusCode, remark: Remark) -> Response {
        let (payment, events) = tokio::join!(self.gateway.payment(payment_id), self.gateway.events(payment_id));
        let payment = match payment {
            Ok(payment) => payment,
            Err(error) => return self.no_payment(&error),
        };
        let events = events.unwrap_or_else(|error| {
            warn(&error, "reading a payment's events");
            Vec::new()
        });
        let key = format!("desk-{}", self.random.base64url(12));
        let order = OrderPage { payment: &payment, events: &events, key: &key, remark: &remark, links: &self.links };
        self.page(status, order.render())
    }

    fn no_payment(&self, error: &GatewayError) -> Response {
        warn(error, "reading a payment");
        let failure = if error.is_not_found() {
            Failure {
                title: "There is no such order".to_owned(),
                text: "The link may be mistyped. No money moved by opening it.".to_owned(),
                fields: Vec::new(),
                error_id: None,
            }
        } else {
            Failure::of(error, "tell about the payment", "Reading changes nothing: load this page again in a moment.")
        };
        self.page(status_of(error), failed(&failure, &self.links))
    }
}
