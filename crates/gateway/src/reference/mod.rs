//! The OpenAPI document at `/openapi.json`, and its page at `/docs`.
//!
//! Both are made from [`crate::api`], the same value that the router is made from: an operation cannot be served without being
//! described. [`document`] adds what is the same everywhere (security, idempotency, errors); `pages` renders the result.

pub mod document;
mod guide;
mod pages;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::Ctx;

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// `/openapi.json`, `/docs`, and the assets of all pages.
pub fn routes() -> Router<Ctx> {
    let made: Arc<OnceLock<Made>> = Arc::default();
    let (for_json, for_page) = (Arc::clone(&made), made);
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
        .route("/", get(|| async { Redirect::to("/docs") }))
        .merge(kit::web::routes())
}

/// Both representations, made at the first request.
struct Made {
    json: File,
    page: File,
}

impl Made {
    fn new(ctx: &Ctx) -> Self {
        let server = ctx.config.public_url.as_str().trim_end_matches('/').to_owned();
        let document = document::document(&server);
        let json = serde_json::to_string_pretty(&document).expect("a JSON value always serializes");
        Self {
            json: File::new("application/json", json),
            page: File::new("text/html; charset=utf-8", pages::reference(&document, &server).into_string()),
        }
    }
}

struct File {
    content_type: &'static str,
    bytes: Bytes,
    etag: HeaderValue,
}

impl File {
    fn new(content_type: &'static str, text: String) -> Self {
        let hash = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
        let etag = HeaderValue::try_from(format!("\"{hash}\"")).expect("hexadecimal digits are a header value");
        Self { content_type, bytes: text.into(), etag }
    }

    fn respond(&self, headers: &HeaderMap) -> Response {
        let common = [
            (ETAG, self.etag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        if headers.get(IF_NONE_MATCH) == Some(&self.etag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (common, self.bytes.clone()).into_response()
    }
}
