//! The demonstration's shop: a Partner that takes payments through the gateway, and keeps no state of its own.
//!
//! The basket lives in the url, the payment at the gateway. Begin at [`router`]: `GET /` catalogue and basket, `POST /pay`
//! creates the payment and sends the shopper to Klarna, `GET /order` is where the shopper comes back to, and
//! `POST /order/{payment_id}/{captures|refunds|void}` is the desk behind the counter.

mod gateway;
mod goods;
mod pages;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use kit::outbound::ClientError;
use kit::random::Random;
use maud::Markup;
use protocol::Currency;
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use gateway::{Gateway, GatewayError, Payment, Progress};
use goods::Basket;
use pages::{Failure, Fault, Links, OrderPage, Remark};

/// Nothing but our own files. Browsers apply `form-action` to every hop of a redirect after a form was sent, and the way to
/// Klarna and back has hops on hosts that this shop does not know: so it is bounded by scheme only.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
    form-action 'self' https: http:; base-uri 'none'; frame-ancestors 'none'";

/// What a shop needs to know.
#[derive(Clone, Debug)]
pub struct ShopConfig {
    pub gateway_url: Url,
    /// The Partner's key at the gateway.
    pub api_key: SecretString,
    /// Where shoppers reach the shop.
    pub public_url: Url,
    /// The network end, for a link.
    pub network_url: Url,
}

struct Shop {
    gateway: Gateway,
    return_url: String,
    links: Links,
    random: Random,
}

type Fields = BTreeMap<String, String>;
type Sent = Result<Form<Fields>, FormRejection>;

/// The shop.
///
/// # Errors
/// When the client of the gateway cannot be made.
pub fn router(config: ShopConfig) -> Result<Router, ClientError> {
    let join = |base: &Url, path: &str| format!("{}{path}", base.as_str().trim_end_matches('/'));
    let links = Links { reference: join(&config.gateway_url, "/docs"), network: join(&config.network_url, "/") };
    let shop = Arc::new(Shop {
        return_url: join(&config.public_url, "/order"),
        gateway: Gateway::new(config.gateway_url, config.api_key)?,
        links,
        random: Random::system(),
    });
    Ok(Router::new()
        .route("/", get(catalogue))
        .route("/pay", post(pay))
        .route("/order", get(order))
        .route("/order/{payment_id}/{action}", post(desk))
        .with_state(shop)
        .merge(kit::web::routes()))
}

async fn catalogue(State(shop): State<Arc<Shop>>, Query(query): Query<Fields>) -> Response {
    let order = goods::order_number(&shop.random);
    page(StatusCode::OK, pages::catalogue(&Basket::read(&query), &order, "", None, &shop.links))
}

/// Creates the payment under the order's number: sent twice, it is still one payment.
async fn pay(State(shop): State<Arc<Shop>>, sent: Sent) -> Response {
    let fields = sent.map(|Form(fields)| fields).unwrap_or_default();
    let basket = Basket::read(&fields);
    let email = fields.get("email").map(|email| email.trim()).unwrap_or_default();
    let Some(order) = fields.get("order").filter(|order| !order.is_empty() && !basket.is_empty()) else {
        return Redirect::to(&basket.link()).into_response();
    };
    let body = basket.payment(order, Some(email).filter(|email| !email.is_empty()), &shop.return_url);
    match shop.gateway.create(&body, order).await {
        Ok(payment) => {
            let next = payment.next_action.as_ref().and_then(|action| action.url.clone());
            Redirect::to(&next.unwrap_or_else(|| order_link(&payment, None))).into_response()
        }
        Err(error) => {
            warn(&error, "taking a payment");
            let again = "Press “Pay with Klarna” again: for the same order you are never charged twice.";
            let failure = Failure::of(&error, "take the payment", again);
            page(status_of(&error), pages::catalogue(&basket, order, email, Some(&failure), &shop.links))
        }
    }
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
        let amount = payment.currency.parse::<Currency>().ok().and_then(|currency| goods::typed(typed, currency));
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
        page(status, order.render())
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
        page(status_of(error), pages::failed(&failure, &self.links))
    }
}

fn order_link(payment: &Payment, did: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("payment_id", &payment.id);
    if let Some(did) = did {
        query.append_pair("did", did);
    }
    format!("/order?{}", query.finish())
}

fn status_of(error: &GatewayError) -> StatusCode {
    match error {
        GatewayError::Refused { status: 404, .. } => StatusCode::NOT_FOUND,
        GatewayError::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        GatewayError::Unreachable(_) => StatusCode::BAD_GATEWAY,
    }
}

fn warn(error: &GatewayError, doing: &str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{doing} failed");
}

fn page(status: StatusCode, markup: Markup) -> Response {
    let headers = [
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, markup).into_response()
}
