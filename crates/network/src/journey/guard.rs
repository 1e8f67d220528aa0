//! What stands around every page for shoppers: forms that only the browser which was shown them can send, and headers that let nothing
//! else in.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Fields;

/// What is stored of a cookie's secret.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// What forms carry: only who holds the cookie can make it.
pub fn csrf(secret: &str) -> String {
    hex::encode(&Sha256::digest(format!("form:{secret}"))[..16])
}

/// Whether a form was made for the browser that holds this secret.
pub fn is_own(secret: &str, fields: &Fields) -> bool {
    let given = fields.get("csrf").map(String::as_bytes).unwrap_or_default();
    csrf(secret).as_bytes().ct_eq(given).into()
}

/// 303: whatever was sent, the next request reads.
pub fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return secured(StatusCode::NOT_FOUND.into_response(), None);
    };
    secured((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(), None)
}

/// Nothing but our own files, no copy kept, no address told. Browsers apply `form-action` to every hop of the redirect after
/// a form, and the Partner's side commonly adds hops on hosts that we do not know: so the way back is bounded by its scheme.
pub fn secured(response: Response, target: Option<&str>) -> Response {
    secured_in(response, target, None)
}

/// The same, in a frame of the one origin that may show it.
pub fn secured_in(mut response: Response, target: Option<&str>, framed_by: Option<&str>) -> Response {
    let ancestors = framed_by.unwrap_or("'none'");
    let scheme = target.and_then(|target| url::Url::parse(target).ok()).map(|url| url.scheme().to_owned());
    let scheme = scheme.filter(|scheme| scheme != "https").map(|scheme| format!(" {scheme}:")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self' https:{scheme}; \
         base-uri 'none'; frame-ancestors {ancestors}"
    );
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).expect("schemes and origins are printable ASCII");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
