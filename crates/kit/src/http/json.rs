//! JSON bodies: the raw bytes (signatures and idempotency need them) and the parsed value, or a clear refusal.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;

use super::error::ApiError;

/// Code of every refusal here (fact sheet 01 §6: "not valid JSON / content type").
const CODE: &str = "INVALID_CONTENT_TYPE";

/// A request body that is JSON. Of repeated keys the last wins; nesting is bounded by the parser (128 levels).
#[derive(Clone, Debug)]
pub struct JsonBody {
    /// The body as received.
    pub bytes: Bytes,
    /// The body parsed.
    pub value: Value,
}

/// A request body that is JSON or empty; an empty one needs no content type.
#[derive(Clone, Debug)]
pub struct OptionalJsonBody(pub Option<JsonBody>);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let bytes = read(body).await?;
        if bytes.is_empty() {
            return Err(refused("The request body is empty; a JSON document is required.".to_owned()));
        }
        parse(bytes)
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        check_content_type(&parts.headers)?;
        parse(bytes).map(|body| Self(Some(body)))
    }
}

/// Parses bytes as one JSON document.
///
/// # Errors
/// 400 `INVALID_CONTENT_TYPE` with line and column for malformed JSON, for a byte order mark and for invalid UTF-8.
pub fn parse(bytes: Bytes) -> Result<JsonBody, ApiError> {
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) || bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(refused("The request body begins with a byte order mark; send plain UTF-8.".to_owned()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        refused(format!("The request body is not UTF-8: byte {} cannot be decoded.", error.valid_up_to()))
    })?;
    match serde_json::from_str(text) {
        Ok(value) => Ok(JsonBody { bytes, value }),
        // The parser's message names position and expectation, never content.
        Err(error) => Err(refused(format!("The request body is not valid JSON: {error}."))),
    }
}

async fn read(body: axum::body::Body) -> Result<Bytes, ApiError> {
    // Sizes are bounded by the stack, which also replaces this answer when its limit is the cause.
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => {
            Err(ApiError::new(StatusCode::BAD_REQUEST, CODE, "The request body could not be read to its end.")
                .with_source(error))
        }
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(refused("The content-type header is missing; send application/json.".to_owned()));
    };
    if value.as_bytes() == b"application/json" {
        return Ok(());
    }
    let text = value.to_str().map_err(|_| refused("The content-type header is not readable text.".to_owned()))?;
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !is_json {
        return Err(refused(format!("The content type must be application/json, not {essence:?}.")));
    }
    for parameter in parts {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.trim().eq_ignore_ascii_case("charset") {
            let charset = value.trim().trim_matches('"');
            if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8") {
                return Err(refused(format!("JSON is UTF-8; the charset {charset:?} is not accepted.")));
            }
        }
    }
    Ok(())
}

fn refused(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, CODE, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn extract(content_type: Option<&str>, body: &'static [u8]) -> Result<JsonBody, ApiError> {
        let mut request = http::Request::builder();
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        JsonBody::from_request(request.body(axum::body::Body::from(body)).unwrap(), &()).await
    }

    #[tokio::test]
    async fn json_comes_with_its_raw_bytes_and_the_last_of_repeated_keys() {
        let body = extract(Some("application/json; charset=UTF-8"), br#" {"a":1,"a":2} "#).await.unwrap();
        assert_eq!(body.value, serde_json::json!({"a": 2}));
        assert_eq!(&body.bytes[..], br#" {"a":1,"a":2} "#);
        assert!(extract(Some("application/merge-patch+json"), b"{}").await.is_ok());
    }

    #[tokio::test]
    async fn anything_else_is_refused_with_its_reason() {
        let cases: [(Option<&str>, &[u8], &str); 10] = [
            (None, b"{}", "missing"),
            (Some("text/plain"), b"{}", "text/plain"),
            (Some("application/x-www-form-urlencoded"), b"a=1", "application/x-www-form-urlencoded"),
            (Some("application/json; charset=iso-8859-1"), b"{}", "iso-8859-1"),
            (Some("application/json"), b"", "empty"),
            (Some("application/json"), b"{\n \"a\": }", "line 2 column 7"),
            (Some("application/json"), b"{} {}", "trailing characters"),
            (Some("application/json"), b"\xef\xbb\xbf{}", "byte order mark"),
            (Some("application/json"), b"{\"a\":\"\xff\"}", "UTF-8"),
            (Some("application/json"), &[b'['; 400], "recursion limit"),
        ];
        for (content_type, body, expected) in cases {
            let error = extract(content_type, body).await.unwrap_err();
            assert_eq!((error.status.as_u16(), &*error.error_code), (400, "INVALID_CONTENT_TYPE"));
            assert!(error.message.contains(expected), "{} lacks {expected}", error.message);
        }
    }

    #[tokio::test]
    async fn an_optional_body_may_be_absent_but_not_wrong() {
        let empty = http::Request::builder().body(axum::body::Body::empty()).unwrap();
        assert!(OptionalJsonBody::from_request(empty, &()).await.unwrap().0.is_none());
        let untyped = http::Request::builder().body(axum::body::Body::from("{}")).unwrap();
        assert!(OptionalJsonBody::from_request(untyped, &()).await.is_err());
    }
}
