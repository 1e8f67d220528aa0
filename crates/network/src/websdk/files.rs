//! The files of the SDK: one module, joined from its parts so that a page loads one thing, and the classic script that loads it.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kit::web::Asset;
use sha2::{Digest as _, Sha256};

/// In the order in which they build on each other.
const PARTS: [&str; 7] = [
    include_str!("../../web/websdk/core.mjs"),
    include_str!("../../web/websdk/elements.mjs"),
    include_str!("../../web/websdk/payment.mjs"),
    include_str!("../../web/websdk/messaging.mjs"),
    include_str!("../../web/websdk/identity.mjs"),
    include_str!("../../web/websdk/first.mjs"),
    include_str!("../../web/websdk/klarna.mjs"),
];
const CLASSIC: &str = include_str!("../../web/websdk/classic.js");
const SCRIPT: &str = "text/javascript; charset=utf-8";
/// Pages hold the address for good, so a new release must reach them: kept five minutes, then asked for again.
const AGE: &str = "public, max-age=300, must-revalidate";

/// What the journey's last page runs in a window or a frame of the SDK.
pub static HAND_BACK: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/websdk/hand-back.js", SCRIPT, include_str!("../../web/websdk/hand-back.mjs").as_bytes())
});
/// The script of the demonstration.
pub static DEMO: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("/websdk/try.js", SCRIPT, include_str!("../../web/websdk/try.mjs").as_bytes()));
/// Its style, beside the family's.
pub static DEMO_STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/websdk/try.css", "text/css; charset=utf-8", include_str!("../../web/websdk/try.css").as_bytes())
});

/// One module of the parts: what they import from each other is in it, and what only they use is no one else's. Lines that are comments
/// stay in the sources.
fn joined(parts: &[&str]) -> String {
    let (entry, inner) = parts.split_last().expect("there are parts");
    let mut module = String::new();
    for part in inner {
        let lines = code(part).map(|line| line.strip_prefix("export ").unwrap_or(line));
        lines.for_each(|line| module.extend([line, "\n"]));
    }
    code(entry).for_each(|line| module.extend([line, "\n"]));
    module
}

/// The lines that do something. A comment with code behind it (a type, before an expression) is code.
fn code(part: &str) -> impl Iterator<Item = &str> {
    let mut in_comment = false;
    part.lines().filter(move |line| {
        let line = line.trim();
        let begins = line.starts_with("/*");
        let is_comment =
            in_comment || line.starts_with("//") || (begins && (line.ends_with("*/") || !line.contains("*/")));
        in_comment = (in_comment || begins) && !line.contains("*/");
        !is_comment && !line.is_empty() && !line.starts_with("import {")
    })
}

/// A file for every origin.
#[derive(Clone)]
struct File {
    text: Bytes,
    etag: HeaderValue,
}

impl File {
    fn new(text: &str, base_url: &str) -> Self {
        // Inside a JavaScript string; an address has neither quotes nor backslashes.
        let text = text.replace("{{network}}", base_url);
        let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..8]));
        let etag = HeaderValue::from_str(&etag).expect("hexadecimal digits are header text");
        Self { text: text.into(), etag }
    }

    fn respond(&self, request: &HeaderMap) -> Response {
        let headers: [(HeaderName, HeaderValue); 6] = [
            (CONTENT_TYPE, HeaderValue::from_static(SCRIPT)),
            (CACHE_CONTROL, HeaderValue::from_static(AGE)),
            (ETAG, self.etag.clone()),
            (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
            (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin")),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        if request.get(IF_NONE_MATCH) == Some(&self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.text.clone()).into_response()
    }
}

/// The SDK's addresses, and the scripts of our own pages.
pub fn routes(base_url: &str) -> Router {
    let module = File::new(&joined(&PARTS), base_url);
    let classic = |generation| File::new(&CLASSIC.replace("{{generation}}", generation), base_url);
    let serve = |file: File| get(async move |headers: HeaderMap| file.respond(&headers));
    Router::new()
        .route("/web-sdk/v1/klarna.mjs", serve(module.clone()))
        .route("/web-sdk/v2/klarna.mjs", serve(module))
        .route("/web-sdk/v1/klarna.js", serve(classic("v1")))
        .route("/web-sdk/v2/klarna.js", serve(classic("v2")))
        .merge(kit::web::route(&HAND_BACK))
        .merge(kit::web::route(&DEMO))
        .merge(kit::web::route(&DEMO_STYLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_become_one_module_without_imports() {
        let module = joined(&PARTS);
        assert!(!module.contains("import {") && !module.contains("\n//"), "{module:.400}");
        assert_eq!(module.matches("\nexport ").count(), 5, "KlarnaSDK twice, init, forPage, refreshPlacements");
        let imported = PARTS.iter().flat_map(|part| part.lines()).filter(|line| line.starts_with("import"));
        assert!(imported.clone().all(|line| line.starts_with("import {") && line.contains("\"./")), "one line each");
    }

    #[test]
    fn comments_stay_behind_and_code_beside_them_does_not() {
        let part = "/** One. */\n/**\n * Two.\n */\nlet a =\n  /** @type {any} */ (b);\n// three\n\nimport { b } from \"./b.mjs\";";
        assert_eq!(code(part).collect::<Vec<_>>(), ["let a =", "  /** @type {any} */ (b);"]);
    }

    #[test]
    fn a_known_tag_saves_the_file() {
        let file = File::new("const NETWORK = \"{{network}}\";", "https://network.example");
        assert_eq!(&file.text[..], b"const NETWORK = \"https://network.example\";");
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, file.etag.clone())]);
        assert_eq!(file.respond(&known).status(), StatusCode::NOT_MODIFIED);
        let whole = file.respond(&HeaderMap::new());
        assert_eq!(
            (whole.status(), &whole.headers()[ACCESS_CONTROL_ALLOW_ORIGIN]),
            (StatusCode::OK, &HeaderValue::from_static("*"))
        );
    }
}
