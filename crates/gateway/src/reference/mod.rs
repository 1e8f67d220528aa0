//! The OpenAPI document at `/openapi.json`, and its page at `/docs`.
//!
//! Both are made from [`crate::api`], the same value that the router is made from: an operation cannot be served without being
//! described. [`document`] adds what is the same everywhere (security, idempotency, errors); `pages` renders the result.

pub mod document;
mod guide;
mod pages;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use http::HeaderMap;
use kit::reference::File;

use crate::Ctx;

/// `/openapi.json`, `/docs`, and the assets of all pages.
pub fn routes() -> Router<Ctx> {
    let made: Arc<OnceLock<Made>> = Arc::default();
    let (for_json, for_page, for_none) = (Arc::clone(&made), Arc::clone(&made), made);
    Router::new()
        .route(
            "/openapi.json",
            get(async move |State(ctx): State<Ctx>, headers: HeaderMap| {
                for_json.get_or_init(|| Made::new(&ctx)).json.respond(&headers)
            }),
        )
        .route(
            "/docs",
            get(async move |State(ctx): State<Ctx>, headers: HeaderMap| {
                for_page.get_or_init(|| Made::new(&ctx)).page.respond(&headers)
            }),
        )
        .route(
            "/docs/{*rest}",
            get(async move |State(ctx): State<Ctx>, headers: HeaderMap| {
                for_none.get_or_init(|| Made::new(&ctx)).absent.respond(&headers)
            }),
        )
        .route("/", get(|| async { Redirect::to("/docs") }))
        .merge(kit::web::routes())
}

/// Both representations, and what stands beside them, made at the first request.
struct Made {
    json: File,
    page: File,
    absent: File,
}

impl Made {
    fn new(ctx: &Ctx) -> Self {
        let server = ctx.config.public_url.as_str().trim_end_matches('/').to_owned();
        let document = document::document(&server);
        let book = pages::reference(&document, &server);
        Self {
            json: File::json(&document),
            page: File::page(&book.one_page()),
            absent: File::absent(&book.absent_page()),
        }
    }
}
