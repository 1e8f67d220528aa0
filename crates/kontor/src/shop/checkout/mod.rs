//! The checkout, in the ways in which a shop can be integrated: with the Web SDK on its own page, on the gateway's page, and by its
//! server alone.

pub mod attempt;
mod pages;

use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::json;

use super::account::cookies::with_cookie;
use super::account::network_session;
use super::gateway::{GatewayError, Payment};
use super::goods::{self, Basket};
use super::pages::Failure;
use super::{Fields, Sent, Shop, order_link, status_of, warn};
use attempt::{How, Wish};
use pages::CheckoutPage;

/// How this checkout is integrated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// The Web SDK presents Klarna on this page, and shows the purchase journey over it.
    #[default]
    OwnPage,
    /// The gateway's page takes the payment: the shop only says what is bought.
    Hosted,
    /// The shop's server makes the payment and redirects. What remains without script.
    Server,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::OwnPage, Self::Hosted, Self::Server];

    /// In urls.
    pub fn code(self) -> &'static str {
        match self {
            Self::OwnPage => "page",
            Self::Hosted => "hosted",
            Self::Server => "server",
        }
    }

    fn of(code: Option<&String>) -> Self {
        Self::ALL.into_iter().find(|way| code.is_some_and(|code| code == way.code())).unwrap_or_default()
    }
}

/// How the journey is shown on our own page, by the Web SDK's names.
pub const MODES: [(&str, &str); 4] = [
    ("DEVICE_BEST", "as suits the device"),
    ("POPUP", "in a window"),
    ("ON_PAGE", "on the page"),
    ("REDIRECT", "by redirect"),
];

/// The pages and what they send.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/checkout", get(show))
        .route("/checkout/begin", post(begin))
        .route("/pay", post(pay))
        .route("/reserved", get(reserved))
}

async fn show(State(shop): State<Arc<Shop>>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
    let basket = Basket::read(&query);
    if basket.is_empty() {
        return Redirect::to(&basket.link("/cart")).into_response();
    }
    let way = Way::of(query.get("way"));
    let mode =
        MODES.into_iter().map(|(mode, _)| mode).find(|mode| query.get("mode").is_some_and(|asked| asked == mode));
    let account = shop.visitor(&headers).await;
    let page = CheckoutPage {
        shop: &shop,
        basket: &basket,
        order: &goods::order_number(&shop.random),
        email: account.as_ref().and_then(|account| account.email.as_deref()).unwrap_or_default(),
        saved: shop.saved(account.as_ref()).await.is_some(),
        network_session: network_session(&headers, account.as_ref()),
        way,
        mode: mode.unwrap_or(MODES[0].0),
        failure: None,
    };
    shop.page(StatusCode::OK, page.render())
}

/// What was sent, if it is an order of something.
fn wish(fields: &Fields) -> Option<Wish> {
    let text = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let basket = Basket::read(fields);
    let order = text("order").filter(|_| !basket.is_empty())?;
    Some(Wish {
        order,
        basket,
        email: text("email"),
        session_token: text("klarna_network_session_token"),
        payment_option_id: text("payment_option_id"),
        how: How::Journey,
    })
}

/// An order's payment, in the way that the form says, and the cookie of an account that was made for it.
async fn take(
    shop: &Shop,
    headers: &HeaderMap,
    fields: &Fields,
    mut wish: Wish,
) -> Result<(Payment, Option<HeaderValue>), GatewayError> {
    let (mut account, mut cookie) = (shop.visitor(headers).await, None);
    if fields.get("method").is_some_and(|method| method == "saved") {
        if let Some(token) = shop.saved(account.as_ref()).await {
            wish.how = How::Saved(token.id);
        }
    } else if fields.contains_key("remember") {
        // A shop that cannot remember sells all the same.
        match shop.accounts.of_or_new(headers).await {
            Ok((known, new)) => {
                wish.how = How::Remember(known.account_id.clone());
                (account, cookie) = (Some(known), new);
            }
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "making an account"),
        }
    }
    // Whoever signed in is known to Klarna, also where the page runs no SDK.
    wish.session_token = wish.session_token.or_else(|| network_session(headers, account.as_ref()).map(str::to_owned));
    let payment = attempt::begin(shop, wish).await?;
    if let Some(account) = &account {
        shop.note_order(account, &payment.id).await;
    }
    Ok((payment, cookie))
}

/// The plain form: the browser goes where the payment goes on.
async fn pay(State(shop): State<Arc<Shop>>, headers: HeaderMap, sent: Sent) -> Response {
    let fields = sent.map(|Form(fields)| fields).unwrap_or_default();
    let Some(wish) = wish(&fields) else {
        return Redirect::to(&Basket::read(&fields).link("/cart")).into_response();
    };
    if fields.get("method").is_some_and(|method| method == "collect") {
        return Redirect::to(&format!("{}&order={}", wish.basket.link("/reserved"), wish.order)).into_response();
    }
    let way = Way::of(fields.get("way"));
    let is_hosted = way == Way::Hosted && fields.get("method").is_none_or(|method| method == "klarna");
    let (basket, order, email) = (wish.basket.clone(), wish.order.clone(), wish.email.clone().unwrap_or_default());
    if is_hosted {
        match shop.gateway.check_out(&wish.checkout(&shop), &format!("{order}-{}", basket.total().minor)).await {
            Ok(url) => return Redirect::to(&url.unwrap_or_else(|| basket.link("/checkout"))).into_response(),
            Err(error) => return shop.not_taken(&headers, &error, (&basket, &order, &email, way)).await,
        }
    }
    match take(&shop, &headers, &fields, wish).await {
        Ok((payment, cookie)) => {
            let next = Redirect::to(payment.waits_at().unwrap_or(&order_link(&payment, None)));
            with_cookie(next.into_response(), cookie)
        }
        Err(error) => shop.not_taken(&headers, &error, (&basket, &order, &email, way)).await,
    }
}

impl Shop {
    /// The checkout again, with what went wrong on top and what was typed kept.
    async fn not_taken(
        &self,
        headers: &HeaderMap,
        error: &GatewayError,
        (basket, order, email, way): (&Basket, &str, &str, Way),
    ) -> Response {
        warn(error, "taking a payment");
        let again = "Press “Pay with Klarna” again: for the same order you are never charged twice.";
        let failure = Failure::of(error, "take the payment", again);
        let account = self.visitor(headers).await;
        let saved = self.saved(account.as_ref()).await.is_some();
        let mode = MODES[0].0;
        let page = CheckoutPage {
            shop: self,
            basket,
            order,
            email,
            saved,
            network_session: network_session(headers, account.as_ref()),
            way,
            mode,
            failure: Some(&failure),
        };
        self.page(status_of(error), page.render())
    }
}

/// The Web SDK's `initiate`, asked by our own page: where the journey is.
async fn begin(State(shop): State<Arc<Shop>>, headers: HeaderMap, Json(fields): Json<Fields>) -> Response {
    let Some(wish) = wish(&fields) else {
        let failure = json!({ "title": "The cart is empty", "text": "Nothing was charged." });
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(failure)).into_response();
    };
    match take(&shop, &headers, &fields, wish).await {
        Ok((payment, cookie)) => {
            let told = match payment.waits_at() {
                Some(url) => json!({ "paymentRequestUrl": url }),
                None => json!({ "returnUrl": shop.address(&order_link(&payment, None)) }),
            };
            with_cookie(Json(told).into_response(), cookie)
        }
        Err(error) => {
            warn(&error, "taking a payment");
            let failure =
                Failure::of(&error, "take the payment", "Press again: for the same order you are never charged twice.");
            let told = json!({ "title": failure.title, "text": failure.text });
            (status_of(&error), Json(told)).into_response()
        }
    }
}

/// The other way to pay: nothing happens before the things are fetched.
async fn reserved(State(shop): State<Arc<Shop>>, Query(query): Query<Fields>) -> Response {
    let basket = Basket::read(&query);
    let Some(order) = query.get("order").filter(|_| !basket.is_empty()) else {
        return Redirect::to("/").into_response();
    };
    shop.page(StatusCode::OK, pages::reserved(&shop, &basket, order))
}
