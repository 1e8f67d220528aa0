//! The reference: `GET /openapi.json`, made from the table of operations when the process starts.

mod document;
mod examples;
mod glossary;
mod schemas;
mod webhooks;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::header::CONTENT_TYPE;

use crate::ctx::Ctx;
use crate::serve::sections;

pub use document::document;

/// The pages of this room. They hold nothing secret, so nobody is asked for a key.
pub fn routes(ctx: &Ctx) -> Router {
    let text = serde_json::to_vec(&document(&ctx.config.base_url, &sections(&ctx.config)));
    let text = Bytes::from(text.expect("a JSON value always serializes"));
    let serve = move || async move { ([(CONTENT_TYPE, "application/json")], text) };
    Router::new().route("/openapi.json", get(serve))
}
