//! What the bodies of operations on transactions say.

use kit::http::ApiError;
use protocol::check_sum;
use serde_json::{Value, json};

use crate::operation::invalid;

/// The Partner's passthrough as an object's member, under the name that the caller used, for answering it unaltered.
pub(super) fn passthrough(body: &Value) -> Option<String> {
    ["klarna_network_data", "interoperability_data"].into_iter().find_map(|name| {
        let text = body.get(name)?.as_str()?;
        Some(format!("\"{name}\":{}", Value::from(text)))
    })
}

/// The line items of an operation's body: in its data, or (an alias) on top.
pub(super) fn lines<'a>(body: &'a Value, data: &str) -> (String, Option<&'a Value>) {
    let given = |value: Option<&'a Value>| value.filter(|value| !value.is_null());
    match given(body.get(data).and_then(|data| data.get("line_items"))) {
        Some(lines) => (format!("{data}.line_items"), Some(lines)),
        None => ("line_items".to_owned(), given(body.get("line_items"))),
    }
}

/// Sent lines must add up (RULINGS 1.3).
pub(super) fn check_lines((parameter, lines): &(String, Option<&Value>), amount: i64) -> Result<(), ApiError> {
    check_sum(*lines, amount, parameter).map_or(Ok(()), |fault| Err(invalid(vec![fault])))
}

/// The data as it is stored and shown: with the lines in it, wherever they stood.
pub(super) fn data(body: &Value, name: &str, lines: Option<&Value>) -> Option<String> {
    let mut data = body.get(name).filter(|data| !data.is_null()).cloned();
    if let Some(lines) = lines {
        data.get_or_insert_with(|| json!({}))["line_items"] = lines.clone();
    }
    data.map(|data| data.to_string())
}

pub(super) fn amount(body: &Value, name: &str) -> Option<i64> {
    body.get(name).and_then(Value::as_i64).or_else(|| body.get("amount").and_then(Value::as_i64))
}

pub(super) fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}
