//! A reference for people, made from an OpenAPI document: every operation with its parameters, fields, answers, refusals and an
//! example to paste.
//!
//! A [`Book`] is the document and the words around it. It is rendered as one page ([`Book::one_page`]), where objects are unfolded
//! in place, or as a front page and a page for each tag ([`Book::front_page`], [`Book::tag_page`], [`Book::objects_page`]), where
//! they are linked. A [`File`] is what is served: made once, with an entity tag and a strict policy.

mod field;
mod pages;

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY};
use http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::Markup;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use pages::{code, prose, slug};

/// The methods that an OpenAPI path item can have.
pub const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Nothing from elsewhere, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// A document and the words around it.
pub struct Book<'a> {
    /// OpenAPI 3.1.
    pub document: &'a Value,
    /// Where the operations are reached, without a trailing slash.
    pub server: &'a str,
    /// Behind the summary on top, if anything.
    pub lead: Markup,
    /// What is the same for every operation.
    pub chapters: Vec<Chapter>,
    /// What `curl` is given so that it may call: `-H "Authorization: …"`.
    pub authorization: &'a str,
    /// Values of headers that examples show.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Something that is said once for all operations.
pub struct Chapter {
    /// Its anchor.
    pub anchor: String,
    /// Its heading.
    pub heading: String,
    /// What stands below the heading.
    pub content: Markup,
}

/// A text that is made once and served to everybody.
pub struct File {
    status: StatusCode,
    content_type: &'static str,
    bytes: Bytes,
    etag: HeaderValue,
}

impl File {
    /// A page.
    pub fn page(page: &Markup) -> Self {
        Self::new("text/html; charset=utf-8", page.0.clone())
    }

    /// A page that says that there is none.
    pub fn absent(page: &Markup) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::page(page) }
    }

    /// A JSON document.
    pub fn json(value: &Value) -> Self {
        let text = serde_json::to_string_pretty(value).expect("a JSON value always serializes");
        Self::new("application/json", text)
    }

    fn new(content_type: &'static str, text: String) -> Self {
        let hash = hex::encode(&Sha256::digest(text.as_bytes())[..8]);
        let etag = HeaderValue::try_from(format!("\"{hash}\"")).expect("hexadecimal digits are a header value");
        Self { status: StatusCode::OK, content_type, bytes: text.into(), etag }
    }

    /// The file, or that the caller has it already.
    pub fn respond(&self, headers: &HeaderMap) -> Response {
        let common = [
            (ETAG, self.etag.clone()),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
            (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        ];
        if self.status == StatusCode::OK && headers.get(IF_NONE_MATCH) == Some(&self.etag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (self.status, common, self.bytes.clone()).into_response()
    }
}
