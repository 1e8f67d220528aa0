//! The family stylesheet and its theme switch, served from the binary: no page needs an asset from elsewhere.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The stylesheet of all pages. Its opening comment lists the classes.
pub static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/kontor.css", "text/css; charset=utf-8", include_str!("../web/kontor.css").as_bytes())
});

/// The module behind the switch between light and dark.
pub static THEME: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/theme.js", "text/javascript; charset=utf-8", include_str!("../web/theme.js").as_bytes())
});

/// A file that is part of the binary.
#[derive(Debug)]
pub struct Asset {
    /// The path it is served at.
    pub path: &'static str,
    /// Path and content hash: what pages link to, so that a new release is never mixed with an old file.
    pub href: String,
    content_type: &'static str,
    bytes: &'static [u8],
    /// The hash, as a strong entity tag.
    etag: HeaderValue,
    hash: String,
}

#[derive(Deserialize)]
struct Version {
    v: Option<String>,
}

impl Asset {
    /// An asset at `path`, an absolute path without a query.
    pub fn new(path: &'static str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = hex::encode(&Sha256::digest(bytes)[..8]);
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits are a header value");
        Self { path, href: format!("{path}?v={hash}"), content_type, bytes, etag, hash }
    }

    /// Answers a request for the asset: for ever when the url names this very content, else to be asked for again.
    fn respond(&self, version: Option<&str>, headers: &HeaderMap) -> Response {
        let lasting = version == Some(self.hash.as_str());
        let cache = if lasting { "public, max-age=31536000, immutable" } else { "no-cache" };
        let common = [
            (CACHE_CONTROL, HeaderValue::from_static(cache)),
            (ETAG, self.etag.clone()),
            (CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        if headers.get(IF_NONE_MATCH) == Some(&self.etag) {
            return (StatusCode::NOT_MODIFIED, common).into_response();
        }
        (common, self.bytes).into_response()
    }
}

/// Routes for [`STYLESHEET`] and [`THEME`].
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().merge(route(&STYLESHEET)).merge(route(&THEME))
}

/// The route of one asset.
pub fn route<S: Clone + Send + Sync + 'static>(asset: &'static Asset) -> Router<S> {
    let handler =
        async move |Query(version): Query<Version>, headers: HeaderMap| asset.respond(version.v.as_deref(), &headers);
    Router::new().route(asset.path, get(handler))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashed_url_lasts_and_a_known_tag_saves_the_body() {
        let asset = &*STYLESHEET;
        let version = asset.href.split_once("?v=").map(|(_, version)| version);
        let lasting = asset.respond(version, &HeaderMap::new());
        assert!(lasting.headers()[CACHE_CONTROL].to_str().unwrap().contains("immutable"));
        let plain = asset.respond(None, &HeaderMap::new());
        assert_eq!(plain.headers()[CACHE_CONTROL], "no-cache");
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, asset.etag.clone())]);
        assert_eq!(asset.respond(None, &known).status(), StatusCode::NOT_MODIFIED);
    }
}
