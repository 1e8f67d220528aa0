//! The error object that both ends speak (sheet 01 §6, RULINGS 1.6): thirteen codes, each with its status and type.

use crate::{
    open_enum,
    wire::{Extra, wire_struct},
};
use serde_json::Value;

open_enum! {
    /// The coarse sort of an error. Optional in the newest guide; we always send it.
    pub enum ErrorType {
        InputError = "INPUT_ERROR",
        AccessError = "ACCESS_ERROR",
        ResourceError = "RESOURCE_ERROR",
        TechnicalError = "TECHNICAL_ERROR",
    }

    /// What went wrong; with the status, what a caller builds its logic on.
    pub enum ErrorCode {
        /// A field failed validation.
        ValidationError = "VALIDATION_ERROR",
        /// Not JSON, or not said to be.
        InvalidContentType = "INVALID_CONTENT_TYPE",
        /// Credentials failed.
        Unauthorized = "UNAUTHORIZED",
        /// A credential without the entitlement.
        PermissionDenied = "PERMISSION_DENIED",
        /// No privilege, or the state or balance forbids it.
        OperationForbidden = "OPERATION_FORBIDDEN",
        /// The route does not exist.
        NotFound = "NOT_FOUND",
        /// The resource is absent, expired or somebody else's.
        ResourceNotFound = "RESOURCE_NOT_FOUND",
        /// Idempotency violation, concurrent update, duplicate.
        ResourceConflict = "RESOURCE_CONFLICT",
        RateLimited = "RATE_LIMITED",
        InternalError = "INTERNAL_ERROR",
        ServerConfigurationError = "SERVER_CONFIGURATION_ERROR",
        Timeout = "TIMEOUT",
        TemporaryUnavailable = "TEMPORARY_UNAVAILABLE",
    }
}

impl ErrorCode {
    /// The usual HTTP status; an unknown code counts as 500. (405, 413 and 431 share codes: RULINGS 1.6.)
    pub fn http_status(&self) -> u16 {
        match self {
            Self::ValidationError | Self::InvalidContentType => 400,
            Self::Unauthorized | Self::PermissionDenied => 401,
            Self::OperationForbidden => 403,
            Self::NotFound | Self::ResourceNotFound => 404,
            Self::ResourceConflict => 409,
            Self::RateLimited => 429,
            Self::InternalError | Self::ServerConfigurationError | Self::Timeout | Self::Unknown(_) => 500,
            Self::TemporaryUnavailable => 503,
        }
    }

    /// The sort that belongs to the code; an unknown code counts as technical.
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::ValidationError | Self::InvalidContentType => ErrorType::InputError,
            Self::Unauthorized | Self::PermissionDenied | Self::RateLimited => ErrorType::AccessError,
            // RULINGS 1.6: `NOT_FOUND` goes with RESOURCE_ERROR.
            Self::OperationForbidden | Self::NotFound | Self::ResourceNotFound | Self::ResourceConflict => {
                ErrorType::ResourceError
            }
            Self::InternalError
            | Self::ServerConfigurationError
            | Self::Timeout
            | Self::TemporaryUnavailable
            | Self::Unknown(_) => ErrorType::TechnicalError,
        }
    }

    /// Whether the same call with the same idempotency key may succeed later (sheet 01 §6). A conflict may: the first call can still
    /// be in flight. A misconfiguration may not. An unknown code says nothing: judge by the status.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::RateLimited | Self::InternalError | Self::Timeout | Self::TemporaryUnavailable)
    }
}

wire_struct! {
    /// One faulty field: `parameter` is its JSON path, as in `supplementary_purchase_data.line_items[0].quantity`.
    pub struct ValidationError {
        /// JSON path, ≤ 256.
        pub parameter: String,
        /// What is wrong and what would pass, ≤ 512. The v1 form calls it `error_message`.
        pub reason | "error_message": String,
        pub doc_url: String,
    }

    /// The body of every refusal.
    pub struct ErrorObject [lift: lift_v1] {
        /// A UUID to quote to support.
        pub error_id: String,
        pub error_type: ErrorType,
        pub error_code: ErrorCode,
        /// Technical, may change, never parsed; ≤ 2048.
        pub error_message: String,
        /// Every fault, with `VALIDATION_ERROR`.
        pub validation_errors: Vec<ValidationError>,
        pub doc_url: String,
    }
}

impl ValidationError {
    pub fn new(parameter: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { parameter: Some(parameter.into()), reason: Some(reason.into()), ..Self::default() }
    }

    /// The JSON path, or nothing.
    pub fn parameter(&self) -> &str {
        self.parameter.as_deref().unwrap_or_default()
    }

    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }
}

impl ErrorObject {
    /// `error_id` is a UUID that the caller draws; the type follows from the code.
    pub fn new(error_id: impl Into<String>, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            error_id: Some(error_id.into()),
            error_type: Some(code.error_type()),
            error_code: Some(code),
            error_message: Some(message.into()),
            ..Self::default()
        }
    }

    pub fn with_faults(mut self, faults: Vec<ValidationError>) -> Self {
        self.validation_errors = (!faults.is_empty()).then_some(faults);
        self
    }

    pub fn faults(&self) -> &[ValidationError] {
        self.validation_errors.as_deref().unwrap_or_default()
    }
}

/// v1 said `errors` where v2 says `validation_errors`. Anything but an array stays where it is.
fn lift_v1(object: &mut Extra) {
    if object.get("validation_errors").is_none_or(Value::is_null)
        && object.get("errors").and_then(Value::as_array).is_some_and(|errors| errors.iter().all(Value::is_object))
        && let Some(errors) = object.remove("errors")
    {
        object.insert("validation_errors".to_owned(), errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_codes_have_a_status_and_a_type() {
        assert_eq!(ErrorCode::KNOWN.len(), 13);
        let table = ErrorCode::KNOWN.iter().map(|code| format!("{} {} {code}", code.http_status(), code.error_type()));
        assert_eq!(
            table.collect::<Vec<_>>(),
            [
                "400 INPUT_ERROR VALIDATION_ERROR",
                "400 INPUT_ERROR INVALID_CONTENT_TYPE",
                "401 ACCESS_ERROR UNAUTHORIZED",
                "401 ACCESS_ERROR PERMISSION_DENIED",
                "403 RESOURCE_ERROR OPERATION_FORBIDDEN",
                "404 RESOURCE_ERROR NOT_FOUND",
                "404 RESOURCE_ERROR RESOURCE_NOT_FOUND",
                "409 RESOURCE_ERROR RESOURCE_CONFLICT",
                "429 ACCESS_ERROR RATE_LIMITED",
                "500 TECHNICAL_ERROR INTERNAL_ERROR",
                "500 TECHNICAL_ERROR SERVER_CONFIGURATION_ERROR",
                "500 TECHNICAL_ERROR TIMEOUT",
                "503 TECHNICAL_ERROR TEMPORARY_UNAVAILABLE",
            ]
        );
    }

    #[test]
    fn only_passing_troubles_are_retried() {
        let retried: Vec<_> =
            ErrorCode::KNOWN.iter().filter(|code| code.is_retryable()).map(ErrorCode::as_str).collect();
        assert_eq!(retried, ["RATE_LIMITED", "INTERNAL_ERROR", "TIMEOUT", "TEMPORARY_UNAVAILABLE"]);
        assert!(!ErrorCode::from("SOMETHING_NEW").is_retryable());
    }
}
