//! What there is: the front page, a page for each thing, and the cart.

mod pages;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::StatusCode;

use super::goods::{Basket, Product};
use super::{Fields, Shop, goods};

/// The pages.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/", get(front)).route("/products/{code}", get(product)).route("/cart", get(cart))
}

async fn front(State(shop): State<Arc<Shop>>, Query(query): Query<Fields>) -> Response {
    shop.page(StatusCode::OK, pages::front(&shop, &Basket::read(&query)))
}

async fn product(
    State(shop): State<Arc<Shop>>,
    Path(code): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let basket = Basket::read(&query);
    let Some(product) = Product::named(&code) else { return Redirect::to(&basket.link("/")).into_response() };
    let order = goods::order_number(&shop.random);
    shop.page(StatusCode::OK, pages::product(&shop, &basket, product, &order))
}

async fn cart(State(shop): State<Arc<Shop>>, Query(query): Query<Fields>) -> Response {
    let order = goods::order_number(&shop.random);
    shop.page(StatusCode::OK, pages::cart(&shop, &Basket::read(&query), &order))
}
