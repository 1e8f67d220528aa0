//! The one error shape that leaves a listener.
//!
//! An [`ApiError`] separates what the caller reads (status, code, message, the fields at fault) from what the log gets
//! (the source chain). The two meet in `error_id`.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::ops::{Deref, DerefMut};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

/// Error types of the outside shape: who has to act.
pub mod error_type {
    /// The request is wrong.
    pub const INPUT: &str = "INPUT_ERROR";
    /// The caller may not do this.
    pub const ACCESS: &str = "ACCESS_ERROR";
    /// The thing addressed is absent or in another state.
    pub const RESOURCE: &str = "RESOURCE_ERROR";
    /// Our side failed; the same request may succeed later.
    pub const TECHNICAL: &str = "TECHNICAL_ERROR";
}

/// Longest `error_message` sent, in characters (fact sheet 01 §6).
const MESSAGE_CHARS_MAX: usize = 2048;
/// Longest `validation_errors[].parameter` sent, in characters.
const PARAMETER_CHARS_MAX: usize = 256;
/// A longer name, or one with more digits, is nobody's field: numbers of persons and accounts have more.
const NAME_BYTES_MAX: usize = 40;
const NAME_DIGITS_MAX: usize = 3;
/// Longest `validation_errors[].reason` sent, in characters.
const REASON_CHARS_MAX: usize = 512;

/// A boxed error that can cross tasks.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// One field of the request that is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldFault {
    /// Path in dot and bracket notation: `line_items[0].quantity`.
    pub parameter: String,
    /// What is wrong with it, for a developer.
    pub reason: String,
    /// Where the rule is documented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_url: Option<String>,
}

impl FieldFault {
    /// The name of a member that is not known, for a path: as it was sent where it looks like the name of a field, and otherwise only how
    /// long it is. Who sends values in the place of names (`{"ada@…": …}`) would find persons in answers, logs and results else.
    pub fn shown_name(name: &str) -> Cow<'_, str> {
        let looks_like_one = name.len() <= NAME_BYTES_MAX
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            && name.bytes().filter(u8::is_ascii_digit).count() <= NAME_DIGITS_MAX;
        if looks_like_one { name.into() } else { format!("(a name of {} characters)", name.chars().count()).into() }
    }

    /// A fault without a documentation link.
    pub fn new(parameter: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { parameter: parameter.into(), reason: reason.into(), doc_url: None }
    }
}

/// Everything about an error that is answered over HTTP. Reached through [`ApiError`], which boxes it, so that
/// `Result<_, ApiError>` stays one pointer wide.
pub struct ApiErrorParts {
    /// HTTP status of the answer.
    pub status: StatusCode,
    /// Who has to act; see [`error_type`]. Always shown, also for unknown routes (RULINGS 1.6).
    pub error_type: &'static str,
    /// The constant that callers build logic on.
    pub error_code: Cow<'static, str>,
    /// For a developer; may change at any time.
    pub message: Cow<'static, str>,
    /// Fields at fault, all of them at once.
    pub validation_errors: Vec<FieldFault>,
    /// Where the error is documented.
    pub doc_url: Option<Cow<'static, str>>,
    /// Further response headers (`allow`, rate limits).
    pub headers: HeaderMap,
    /// Joins the answer with the log line.
    pub error_id: Uuid,
    /// What happened inside; logged for a 5xx, never sent.
    pub source: Option<BoxError>,
}

/// An error to be answered; see the module's description.
pub struct ApiError(Box<ApiErrorParts>);

/// Left in the extensions of an error's response, so that the access line and audits can name it.
#[derive(Clone, Debug)]
pub struct ErrorSummary {
    /// The `error_id` of the answer.
    pub error_id: Uuid,
    /// The `error_code` of the answer.
    pub error_code: Cow<'static, str>,
}

impl ApiError {
    /// An error with its status, code and a message for the developer on the other side. `error_type` is derived from the
    /// status (fact sheet 01 §6) and can be replaced by [`ApiError::with_type`].
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(ApiErrorParts {
            status,
            error_type: usual_type(status),
            error_code: code.into(),
            message: message.into(),
            validation_errors: Vec::new(),
            doc_url: None,
            headers: HeaderMap::new(),
            error_id: Uuid::new_v4(),
            source: None,
        }))
    }

    /// 500 `INTERNAL_ERROR` around a cause that only the log sees.
    pub fn internal(source: impl Into<BoxError>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "An unexpected error occurred. Retry later with the same idempotency key, and quote the error_id if it stays.",
        )
        .with_source(source)
    }

    /// 503 `TEMPORARY_UNAVAILABLE` around a cause that only the log sees.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "TEMPORARY_UNAVAILABLE",
            "The service is temporarily unavailable. Retry with backoff and the same idempotency key.",
        )
        .with_source(source)
    }

    /// 400 `VALIDATION_ERROR` that lists every fault.
    pub fn validation(faults: Vec<FieldFault>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", "One or more parameters are invalid.");
        error.validation_errors = faults;
        error
    }

    /// 413: the body is larger than `limit_bytes`.
    pub fn body_too_large(limit_bytes: usize) -> Self {
        // Ours: the network documents the status but no code (RULINGS).
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "VALIDATION_ERROR",
            format!("The request body is larger than {limit_bytes} bytes."),
        )
    }

    /// 431: a header, or all of them together, exceed the limit named in `message`.
    pub fn headers_too_large(message: String) -> Self {
        // Ours: the network documents the limit but neither status nor code (RULINGS).
        Self::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "VALIDATION_ERROR", message)
    }

    /// 404 for a path that no route serves.
    pub fn no_such_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "No operation exists at this path.")
    }

    /// 405; the router adds `allow`.
    pub fn method_not_allowed() -> Self {
        // Ours: code of an unknown route, as the network lists no code for the status (RULINGS).
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "NOT_FOUND",
            "The path exists, but not with this method; see the allow header.",
        )
    }

    /// 500 `TIMEOUT`: the request took longer than it may (fact sheet 01 §7).
    pub fn timeout() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "TIMEOUT",
            "The request took too long. Retry with the same idempotency key.",
        )
    }

    /// Adds a field at fault.
    #[must_use]
    pub fn field(mut self, parameter: impl Into<String>, reason: impl Into<String>) -> Self {
        self.validation_errors.push(FieldFault::new(parameter, reason));
        self
    }

    /// Replaces the error type.
    #[must_use]
    pub fn with_type(mut self, error_type: &'static str) -> Self {
        self.error_type = error_type;
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds a response header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Says where the error is documented.
    #[must_use]
    pub fn with_doc_url(mut self, doc_url: impl Into<Cow<'static, str>>) -> Self {
        self.doc_url = Some(doc_url.into());
        self
    }

    /// The body that is sent, for callers that keep it (idempotency, audits).
    pub fn to_json(&self) -> Vec<u8> {
        let faults: Vec<FieldFault> = self
            .validation_errors
            .iter()
            .map(|fault| FieldFault {
                parameter: shorten(&fault.parameter, PARAMETER_CHARS_MAX).to_owned(),
                reason: shorten(&fault.reason, REASON_CHARS_MAX).to_owned(),
                doc_url: fault.doc_url.clone(),
            })
            .collect();
        let shape = Shape {
            error_id: self.error_id,
            error_type: self.error_type,
            error_code: &self.error_code,
            error_message: shorten(&self.message, MESSAGE_CHARS_MAX),
            validation_errors: faults,
            doc_url: self.doc_url.as_deref(),
        };
        serde_json::to_vec(&shape).expect("strings and a uuid always serialize")
    }

    /// Writes the source chain of a 5xx to the log, with the `error_id` that the caller sees.
    pub fn log(&self) {
        if !self.status.is_server_error() {
            return;
        }
        tracing::error!(
            error.id = %self.error_id,
            error.code = %self.error_code,
            http.status = self.status.as_u16(),
            error.chain = %self.source.as_deref().map_or_else(|| "no further cause".to_owned(), |source| chain(source)),
            "answering {} {}", self.status.as_u16(), self.error_code,
        );
    }
}

#[derive(Serialize)]
struct Shape<'a> {
    error_id: Uuid,
    error_type: &'static str,
    error_code: &'a str,
    error_message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<FieldFault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc_url: Option<&'a str>,
}

impl Deref for ApiError {
    type Target = ApiErrorParts;

    fn deref(&self) -> &ApiErrorParts {
        &self.0
    }
}

impl DerefMut for ApiError {
    fn deref_mut(&mut self) -> &mut ApiErrorParts {
        &mut self.0
    }
}

impl IntoResponse for ApiError {
    fn into_response(mut self) -> Response {
        self.log();
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = self.status;
        *response.headers_mut() = std::mem::take(&mut self.headers);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
            .extensions_mut()
            .insert(ErrorSummary { error_id: self.error_id, error_code: std::mem::take(&mut self.error_code) });
        response
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.error_code, self.message)
    }
}

impl fmt::Debug for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiError")
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .field("message", &self.message)
            .field("validation_errors", &self.validation_errors)
            .field("error_id", &self.error_id)
            .field("source", &self.source)
            .finish()
    }
}

impl Error for ApiError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

/// An error and everything below it, on one line: `reading row: connection closed: broken pipe`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        // Wrappers often repeat their cause; once is enough.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn usual_type(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 429 => error_type::ACCESS,
        403..=405 | 409 | 410 | 412 => error_type::RESOURCE,
        500.. => error_type::TECHNICAL,
        _ => error_type::INPUT,
    }
}

fn shorten(text: &str, chars_max: usize) -> &str {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_name_that_may_be_a_value_is_not_shown() {
        for name in ["legalName", "street_address2", "x-y", "abcdefghijklmnopqrstuvwxyz_abcdefghijklm"] {
            assert_eq!(FieldFault::shown_name(name), name);
        }
        for name in [
            "",
            "Ada Lovelace",
            "ada@post.example",
            "19121212-1212",
            "SE4550000000058398257466",
            "_x",
            "Åsa",
            "a\u{202e}b",
        ] {
            let shown = FieldFault::shown_name(name);
            assert_eq!(shown, format!("(a name of {} characters)", name.chars().count()));
        }
        assert_eq!(FieldFault::shown_name(&"a".repeat(100_000)), "(a name of 100000 characters)");
    }

    #[test]
    fn the_shape_has_the_documented_names_and_nothing_empty() {
        let error = ApiError::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", "no").field("a.b[0]", "must be >= 1");
        let value: serde_json::Value = serde_json::from_slice(&error.to_json()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "error_id": error.error_id.to_string(),
                "error_type": "INPUT_ERROR",
                "error_code": "VALIDATION_ERROR",
                "error_message": "no",
                "validation_errors": [{"parameter": "a.b[0]", "reason": "must be >= 1"}],
            })
        );
        let bare: serde_json::Value = serde_json::from_slice(&ApiError::no_such_route().to_json()).unwrap();
        assert!(bare["error_type"] == "RESOURCE_ERROR" && bare.get("validation_errors").is_none());
    }

    #[test]
    fn an_internal_error_shows_nothing_of_its_source() {
        let error = ApiError::internal(Outer(std::io::Error::other("password=hunter2")));
        assert!(!String::from_utf8(error.to_json()).unwrap().contains("hunter2"));
        assert_eq!(chain(error.source.as_deref().unwrap()), "outer: password=hunter2");
    }

    #[test]
    fn texts_are_cut_to_the_documented_lengths_at_character_bounds() {
        let error =
            ApiError::new(StatusCode::BAD_REQUEST, "X", "ä".repeat(5000)).field("p".repeat(300), "ö".repeat(600));
        let value: serde_json::Value = serde_json::from_slice(&error.to_json()).unwrap();
        assert_eq!(value["error_message"].as_str().unwrap().chars().count(), 2048);
        assert_eq!(value["validation_errors"][0]["parameter"].as_str().unwrap().chars().count(), 256);
        assert_eq!(value["validation_errors"][0]["reason"].as_str().unwrap().chars().count(), 512);
    }
}
