//! Pages, scripts and styles travel gzipped, to whoever accepts that.

use axum::Router;
use http::header::CONTENT_TYPE;
use http::{Extensions, HeaderMap, StatusCode, Version};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate as _, SizeAbove};

/// Smaller answers fit into a packet or two as they are.
const BYTES_MIN: u16 = 1024;
/// What people's browsers load. Not JSON, on purpose: an answer of an API may hold a secret beside something that its caller chose, and the
/// size of their compressed sum would tell of the secret to whoever can watch the line (BREACH). For the same reason a page
/// never repeats what a query says beside a secret that is the same the next time.
const TYPES: [&str; 4] = ["text/html", "text/css", "text/javascript", "image/svg+xml"];

/// Compresses what the routes of this router answer, where it is text for a browser and worth it. Streams of events are left alone.
pub fn compressed<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    let is_text = |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| is_text(headers);
    router.layer(CompressionLayer::new().gzip(true).compress_when(SizeAbove::new(BYTES_MIN).and(is_text)))
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    TYPES.contains(&kind.split(';').next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::{IntoResponse as _, Response};
    use axum::routing::get;
    use http::Request;
    use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
    use tower::ServiceExt as _;

    use super::*;

    async fn asked(kind: &'static str, bytes: usize, accept: Option<&str>) -> Response {
        let answer = move || async move { ([(CONTENT_TYPE, kind)], "a".repeat(bytes)).into_response() };
        let mut request = Request::get("/");
        if let Some(accept) = accept {
            request = request.header(ACCEPT_ENCODING, accept);
        }
        let router: Router = compressed(Router::new().route("/", get(answer)));
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn only_large_text_for_browsers_is_compressed_and_only_for_those_who_accept_it() {
        let html = "text/html; charset=utf-8";
        for (kind, bytes, accept, expected) in [
            (html, 2_000, Some("gzip, deflate, br"), true),
            ("text/javascript; charset=utf-8", 2_000, Some("gzip"), true),
            ("image/svg+xml", 2_000, Some("gzip"), true),
            (html, 500, Some("gzip"), false),
            (html, 2_000, None, false),
            (html, 2_000, Some("identity, gzip;q=0"), false),
            // What may hold a secret, and what is listened to.
            ("application/json", 2_000, Some("gzip"), false),
            ("text/event-stream", 2_000, Some("gzip"), false),
            ("text/plain", 2_000, Some("gzip"), false),
        ] {
            let response = asked(kind, bytes, accept).await;
            let is_compressed = response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
            assert_eq!(is_compressed, expected, "{kind}, {bytes} bytes, {accept:?}");
            if is_compressed {
                assert!(response.headers().contains_key(VARY), "caches must tell the two apart");
                let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
                assert!(body.starts_with(&[0x1f, 0x8b]) && body.len() < bytes, "{kind}");
            }
        }
    }
}
