//! Why a call was refused, for whoever made it: more than production would say. Pure.

use std::fmt;

use protocol::shape::Field;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::console::calls::find::Call;
use crate::operation::{Content, Route, Who};

/// A field at fault: where, which rule, what would pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub parameter: String,
    pub reason: String,
    /// What the operation's table says of the field, if it has a row there.
    pub wanted: Option<String>,
}

/// What is known of a call beside what was said.
#[derive(Debug, Default)]
pub(super) struct Explained {
    pub summary: Option<&'static str>,
    pub who: Option<&'static str>,
    pub template: Option<String>,
    /// What a refusal of this sort means and what to do.
    pub advice: Option<String>,
    pub faults: Vec<Fault>,
    pub fields: Vec<Field>,
}

/// A line of a body, and why it is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub text: String,
    pub why: Vec<String>,
}

/// `line_items[0].name` as the table has it: `line_items[].name`.
fn in_table(parameter: &str) -> String {
    let mut out = String::with_capacity(parameter.len());
    let mut digits = false;
    for c in parameter.chars() {
        match c {
            '[' => digits = true,
            ']' => digits = false,
            _ if digits => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Explains a call by the table of operations.
pub(super) fn explain(call: &Call, routes: &[Route]) -> Explained {
    let row = &call.row;
    let route = row.operation.as_deref().and_then(|operation| routes.iter().find(|route| route.doc.id == operation));
    let mut explained = Explained::default();
    if let Some(route) = route {
        explained.summary = Some(route.doc.summary);
        explained.template = route.templates.first().cloned();
        explained.who = Some(match route.who {
            Who::Anyone => "any account for itself, an Acquiring Partner also for the accounts under it",
            Who::AcquiringPartner => "Acquiring Partners only",
        });
        if let Some((Content::Json(shape) | Content::JsonArray(shape), _)) = &route.doc.takes {
            explained.fields = shape().fields();
        }
    }
    let answer: Value = serde_json::from_str(&call.detail.response.body).unwrap_or(Value::Null);
    let entries = answer["validation_errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    explained.faults = entries
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let (parameter, path) = (text("parameter"), in_table(&text("parameter")));
            let field = explained.fields.iter().find(|field| field.path == path);
            Fault { parameter, reason: text("reason"), wanted: field.map(|field| field.wanted.clone()) }
        })
        .collect();
    explained.advice = advice(call, routes);
    explained
}

fn advice(call: &Call, routes: &[Route]) -> Option<String> {
    let row = &call.row;
    if let Some(fault) = &row.fault_id {
        return Some(format!(
            "The fault rule {fault} did this on purpose. Remove the rule to see the network's own answer."
        ));
    }
    Some(match row.status? {
        400 => "One or more fields break a rule. All of them are listed; nothing was changed, and the same idempotency key can be used again.".to_owned(),
        401 => "No active API key of this network was recognised. Send it as `Authorization: Basic <key>` or as the password of `curl -u :<key>`. The body is not kept, because nobody knows whose it was.".to_owned(),
        403 => "The caller is known but may not do this, or the thing is in a state that does not allow it; the message says which. Repeating the call changes nothing.".to_owned(),
        404 if row.operation.is_none() => match nearest(&row.method, &row.path, routes) {
            Some(template) => format!("No operation is served at this path. The nearest one is {template}"),
            None => "No operation is served at this path.".to_owned(),
        },
        404 => "Nothing with this id exists for this account. Something of another account looks the same: check the account in the path, and whose key was sent.".to_owned(),
        405 => "The path exists with other methods: see the allow header of the answer.".to_owned(),
        409 => "It contradicts what is there: a reference that is in use, or an idempotency key that came before with another body.".to_owned(),
        413 => "The body is larger than a request may be.".to_owned(),
        415 => "Send JSON with `content-type: application/json`.".to_owned(),
        429 => "Too many calls of this category in this second. Wait as the rate-limit headers say and try again with backoff.".to_owned(),
        500..=599 => "The network's side failed. Try again with backoff and the same idempotency key; the error_id leads to its log.".to_owned(),
        _ => return None,
    })
}

/// The template that shares most with a path.
fn nearest(method: &str, path: &str, routes: &[Route]) -> Option<String> {
    let given: Vec<&str> = path.split('/').collect();
    let shared = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        let same =
            wanted.iter().zip(&given).filter(|(wanted, given)| wanted == given || wanted.starts_with('{')).count();
        i64::try_from(same).unwrap_or(0) * 2 - i64::try_from(wanted.len().abs_diff(given.len())).unwrap_or(0)
    };
    let templates = routes.iter().filter(|route| route.is_of_the_network());
    let templates = templates.flat_map(|route| route.templates.iter().map(move |template| (route, template)));
    let best = templates.max_by_key(|(route, template)| (shared(template), route.method.as_str() == method))?;
    (shared(best.1) > 3).then(|| format!("{} {}", best.0.method, best.1))
}

/// JSON in the order in which it was sent, repeated names and all: people look for what they wrote.
enum Tree {
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Scalar(Value),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Tree::Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    entries.push(entry);
                }
                Ok(Tree::Array(entries))
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree::Scalar(value.into()))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A body, pretty-printed, with its faulty places marked. A field that is missing marks the place where it belongs.
pub(super) fn lines(body: &str, faults: &[Fault]) -> Vec<Line> {
    let Ok(value) = serde_json::from_str::<Tree>(body) else {
        return body.lines().map(|line| Line { text: line.to_owned(), why: Vec::new() }).collect();
    };
    let mut out = Vec::new();
    write(&mut out, &value, &mut String::new(), 0, "", "");
    for fault in faults {
        let mut path = fault.parameter.as_str();
        // The nearest place that is there.
        let at = loop {
            if let Some(at) = out.iter().position(|(at, _)| at == path) {
                break at;
            }
            path = match path.rfind(['.', '[']) {
                Some(cut) => &path[..cut],
                None => "",
            };
            if path.is_empty() {
                break 0;
            }
        };
        let why = if path == fault.parameter {
            fault.reason.clone()
        } else {
            format!("{} {}", fault.parameter, fault.reason)
        };
        if let Some((_, line)) = out.get_mut(at) {
            line.why.push(why);
        }
    }
    out.into_iter().map(|(_, line)| line).collect()
}

/// `path` is that of `value`; `before` stands before it, a name with its colon; `after` behind it, a comma.
fn write(out: &mut Vec<(String, Line)>, value: &Tree, path: &mut String, depth: usize, before: &str, after: &str) {
    let indent = "  ".repeat(depth);
    let mut push = |path: &str, text: String| out.push((path.to_owned(), Line { text, why: Vec::new() }));
    let (open, close, count) = match value {
        Tree::Object(members) if !members.is_empty() => ("{", "}", members.len()),
        Tree::Array(entries) if !entries.is_empty() => ("[", "]", entries.len()),
        Tree::Object(_) => return push(path, format!("{indent}{before}{{}}{after}")),
        Tree::Array(_) => return push(path, format!("{indent}{before}[]{after}")),
        Tree::Scalar(scalar) => return push(path, format!("{indent}{before}{scalar}{after}")),
    };
    push(path, format!("{indent}{before}{open}"));
    let length = path.len();
    let comma = |index: usize| if index + 1 < count { "," } else { "" };
    match value {
        Tree::Object(members) => {
            for (index, (name, member)) in members.iter().enumerate() {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(name);
                let name = format!("{}: ", Value::String(name.clone()));
                write(out, member, path, depth + 1, &name, comma(index));
                path.truncate(length);
            }
        }
        Tree::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                write(out, entry, path, depth + 1, "", comma(index));
                path.truncate(length);
            }
        }
        Tree::Scalar(_) => {}
    }
    // The end of a thing is not its place.
    out.push(("\u{0}".to_owned(), Line { text: format!("{indent}{close}{after}"), why: Vec::new() }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(parameter: &str) -> Fault {
        Fault { parameter: parameter.to_owned(), reason: "is wrong".to_owned(), wanted: None }
    }

    #[test]
    fn the_faulty_places_of_a_body_are_marked() {
        let body = r#"{"amount": 1, "line_items": [{"name": "a"}, {"name": 2, "quantity": 1}], "customer": {}}"#;
        let faults =
            [fault("line_items[1].name"), fault("line_items[0].quantity"), fault("currency"), fault("customer.email")];
        let lines = lines(body, &faults);
        let marked: Vec<(&str, Vec<&str>)> = lines
            .iter()
            .filter(|line| !line.why.is_empty())
            .map(|line| (line.text.trim(), line.why.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(
            marked,
            [
                ("{", vec!["currency is wrong"]),
                ("{", vec!["line_items[0].quantity is wrong"]),
                ("\"name\": 2,", vec!["is wrong"]),
                ("\"customer\": {}", vec!["customer.email is wrong"]),
            ]
        );
        let text: String = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), serde_json::from_str::<Value>(body).unwrap());
    }

    #[test]
    fn an_index_is_none_in_the_table() {
        assert_eq!(in_table("a[12].b[0]"), "a[].b[]");
    }
}
