//! Reading a body into a type, with the path of what was wrong and without repeating what was sent.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// A body that is not the JSON it should be. Shows the place, never the contents: they may be a customer's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the body is not valid JSON (line {line}, column {column})")]
    Syntax { line: usize, column: usize },
    #[error("the body ends in the middle")]
    Truncated,
    /// `path` is a JSON path as in `validation_errors[].parameter`.
    #[error("{path} is of another type than expected")]
    WrongType { path: String },
}

/// Parses a body.
///
/// # Errors
/// Not JSON, cut short, or a member of the wrong type (the first one; [`crate::shape`] finds all).
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ParseError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        fault(error.inner(), path)
    })?;
    reader.end().map_err(|error| fault(&error, String::new()))?;
    Ok(parsed)
}

fn fault(error: &serde_json::Error, path: String) -> ParseError {
    match error.classify() {
        Category::Eof => ParseError::Truncated,
        Category::Data => ParseError::WrongType { path: if path == "." { "body".to_owned() } else { path } },
        Category::Syntax | Category::Io => ParseError::Syntax { line: error.line(), column: error.column() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::{AuthorizeResponse, PaymentRequest};

    #[test]
    fn faults_have_a_place_and_no_contents() {
        let fault = |body: &str| parse::<PaymentRequest>(body.as_bytes()).expect_err("is faulty");
        assert_eq!(fault(r#"{"amount":1"#), ParseError::Truncated);
        assert_eq!(fault(r#"{"amount":1]"#), ParseError::Syntax { line: 1, column: 12 });
        assert_eq!(fault(r#"{"amount":1}x"#), ParseError::Syntax { line: 1, column: 13 });
        assert_eq!(fault("<html>"), ParseError::Syntax { line: 1, column: 1 });
        assert_eq!(fault("[]"), ParseError::WrongType { path: "body".to_owned() });
        let deep = r#"{"supplementary_purchase_data":{"line_items":[{"quantity":1},{"quantity":"Ada"}]}}"#;
        let path = "supplementary_purchase_data.line_items[1].quantity".to_owned();
        assert_eq!(fault(deep), ParseError::WrongType { path });
        assert!(!fault(deep).to_string().contains("Ada"));
        assert!(parse::<AuthorizeResponse>(b" {} ").is_ok());
    }
}
