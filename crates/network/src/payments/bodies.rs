//! What the bodies of operations on transactions say.

use std::fmt::Write as _;

use kit::http::ApiError;
use protocol::check_sum;
use serde_json::{Map, Value, json};

use crate::operation::invalid;

/// The Partner's passthrough: the caller's name of it is answered (RULINGS 1.3).
pub(super) const PASSTHROUGH: [&str; 2] = ["klarna_network_data", "interoperability_data"];

/// Members of a body that are kept and shown as they came: the inside of an object, without its braces, so that it can be put
/// into another as text. `None` if there are none.
pub(super) fn carried(body: &Value, names: &[&str]) -> Option<String> {
    carried_of(names.iter().filter_map(|name| Some((*name, body.get(*name)?))))
}

/// [`carried`], of members that stand in several places.
pub(super) fn carried_of<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>) -> Option<String> {
    let mut text = String::new();
    for (name, value) in members.filter(|(_, value)| !value.is_null()) {
        if !text.is_empty() {
            text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "\"{name}\":{value}");
    }
    Some(text).filter(|text| !text.is_empty())
}

/// The same members as an object.
///
/// # Errors
/// 500 when the text is not of that form.
pub(super) fn carried_object(text: Option<&str>) -> Result<Map<String, Value>, ApiError> {
    let Some(text) = text else { return Ok(Map::new()) };
    serde_json::from_str(&format!("{{{text}}}")).map_err(ApiError::internal)
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
