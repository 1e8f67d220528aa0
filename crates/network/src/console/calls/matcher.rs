//! What an integrator's test asserts: which calls, deliveries or events are meant. Pure.

use kit::http::FieldFault;
use protocol::Timestamp;
use serde_json::{Map, Value};

/// Whether a text fits a pattern in which `*` stands for any characters, none included.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The values at a path: `customer.email`, `line_items[0].name`, `line_items[*].name`.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![value];
    for segment in path.split('.') {
        let (name, indices) = segment.split_once('[').map_or((segment, None), |(name, rest)| (name, Some(rest)));
        if !name.is_empty() && name != "$" {
            found = found.into_iter().filter_map(|value| value.get(name)).collect();
        }
        for index in indices.into_iter().flat_map(|rest| rest.split('[')) {
            let index = index.trim_end_matches(']');
            found = if index == "*" {
                found.into_iter().filter_map(Value::as_array).flatten().collect()
            } else {
                let number = index.parse::<usize>().ok();
                found.into_iter().filter_map(|value| value.get(number?)).collect()
            };
        }
    }
    found
}

/// Whether a body has, at each of these paths, what is wanted there: a value, a pattern with `*`, or null for nothing.
pub(crate) fn body_fits(wanted: &[(String, Value)], body: &Value) -> bool {
    wanted.iter().all(|(path, wanted)| {
        let found = at(body, path);
        match wanted {
            Value::Null => found.iter().all(|value| value.is_null()),
            Value::String(pattern) if pattern.contains('*') => {
                found.iter().any(|value| value.as_str().is_some_and(|text| fits(pattern, text)))
            }
            wanted => found.contains(&wanted),
        }
    })
}

/// A status or a class of them, as a range: `404`, `4xx`.
pub(crate) fn status_range(text: &str) -> Option<(i64, i64)> {
    if let Some(class) = text.strip_suffix("xx") {
        let class: i64 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
        return Some((class * 100, class * 100 + 99));
    }
    let status: i64 = text.parse().ok().filter(|status| (100..=599).contains(status))?;
    Some((status, status))
}

/// Reads the members of a matcher, collecting every fault.
pub(crate) struct Reading<'a> {
    object: Option<&'a Map<String, Value>>,
    prefix: &'static str,
    /// What is wrong.
    pub(crate) faults: Vec<FieldFault>,
}

impl<'a> Reading<'a> {
    pub(crate) fn of(body: &'a Value, prefix: &'static str) -> Self {
        let value = if prefix.is_empty() { Some(body) } else { body.get(prefix) };
        let value = value.filter(|value| !value.is_null());
        let mut faults = Vec::new();
        if value.is_some_and(|value| !value.is_object()) {
            faults.push(FieldFault::new(prefix, "must be an object"));
        }
        Self { object: value.and_then(Value::as_object), prefix, faults }
    }

    fn name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            _ => {
                self.faults.push(FieldFault::new(self.name(name), "must be a text that is not empty"));
                None
            }
        }
    }

    /// A number or a class: `404`, `"404"`, `"4xx"`.
    pub(crate) fn status(&mut self, name: &str) -> Option<(i64, i64)> {
        let text = match self.get(name)? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let range = status_range(&text);
        if range.is_none() {
            self.faults.push(FieldFault::new(self.name(name), "must be a status, or a class of them such as 4xx"));
        }
        range
    }

    pub(crate) fn time(&mut self, name: &str) -> Option<i64> {
        let text = self.text(name)?;
        match text.parse::<Timestamp>() {
            Ok(time) => Some(time.as_micros()),
            Err(error) => {
                self.faults.push(FieldFault::new(self.name(name), error.to_string()));
                None
            }
        }
    }

    /// An object of paths, or names, and what is wanted there.
    pub(crate) fn wanted(&mut self, name: &str) -> Vec<(String, Value)> {
        match self.get(name) {
            None => Vec::new(),
            Some(Value::Object(members)) => members.iter().map(|(path, value)| (path.clone(), value.clone())).collect(),
            Some(_) => {
                self.faults.push(FieldFault::new(self.name(name), "must be an object of paths and values"));
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("/v2/*/authorize", "/v2/accounts/a/payment/authorize"),
            ("*", ""),
            ("a*b*c", "a-b-b-c"),
            ("exact", "exact"),
            ("*end", "the end"),
            ("begin*", "begin"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("exact", "exactly"), ("a*c", "ab"), ("*x*", "abc"), ("ab*ba", "aba")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_path_finds_members_entries_and_all_entries() {
        let body = json!({"a": {"b": [{"c": 1}, {"c": 2}]}, "n": null, "t": "order-17"});
        let wanted = |path: &str, value: Value| body_fits(&[(path.to_owned(), value)], &body);
        assert!(wanted("a.b[1].c", json!(2)));
        assert!(wanted("$.a.b[*].c", json!(1)));
        assert!(wanted("t", json!("order-*")));
        assert!(wanted("n", Value::Null) && wanted("x.y", Value::Null));
        assert!(!wanted("a.b[2].c", json!(2)) && !wanted("a.b[*].c", json!(3)) && !wanted("t", Value::Null));
        assert!(!wanted("x", json!(1)));
    }

    #[test]
    fn a_status_or_a_class_is_a_range() {
        assert_eq!(status_range("404"), Some((404, 404)));
        assert_eq!(status_range("4xx"), Some((400, 499)));
        assert_eq!(status_range("9xx").or(status_range("x")).or(status_range("42")), None);
    }
}
