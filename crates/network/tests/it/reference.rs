//! The reference: consistent in itself, whole, and true.

use std::collections::BTreeSet;

use network::config::Config;
use network::operation::{Content, Route};
use network::reference;
use network::serve::sections;
use protocol::{EventType, shapes};
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

fn document() -> Value {
    reference::document("https://network.example", &sections(&Config::default()))
}

fn routes() -> Vec<Route> {
    network::serve::routes(&Config::default())
}

/// Every operation with its method and path; webhooks have no path.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for place in ["paths", "webhooks"] {
        for (path, item) in document[place].as_object().unwrap() {
            for method in METHODS {
                if let Some(operation) = item.get(method) {
                    found.push((format!("{method} {path}"), operation));
                }
            }
        }
    }
    found
}

fn mentioned<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(pointer) if name == "$ref" => drop(found.insert(pointer)),
                    _ => mentioned(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| mentioned(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves_and_every_component_is_used() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut pointers = BTreeSet::new();
    mentioned(&document, &mut pointers);
    for pointer in &pointers {
        assert!(document.pointer(&pointer[1..]).is_some(), "{pointer} does not resolve");
    }
    for sort in ["schemas", "parameters", "headers", "responses"] {
        for name in document["components"][sort].as_object().unwrap().keys() {
            let pointer = format!("#/components/{sort}/{name}");
            assert!(pointers.contains(pointer.as_str()), "nothing uses {pointer}");
        }
    }
}

#[test]
fn every_operation_is_whole_and_has_a_name_of_its_own() {
    let document = document();
    let tags: BTreeSet<_> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).map(Value::as_str).collect();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{name}: {id:?}");
        assert!(ids.insert(id), "{id} stands twice");
        let summary = operation["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.'), "{name}: {summary:?}");
        assert!(tags.contains(&operation["tags"][0].as_str()), "{name} has an unknown tag");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name} never succeeds");
        let in_path: Vec<_> =
            operation["parameters"].as_array().unwrap().iter().filter(|one| one["in"] == "path").collect();
        let path = name.split_once(' ').unwrap().1;
        assert_eq!(in_path.len(), path.matches('{').count(), "{name}");
        for parameter in in_path {
            assert!(parameter["description"].is_string(), "{name}: {} is not described", parameter["name"]);
        }
    }
}

#[test]
fn every_path_names_one_operation_only() {
    let mut seen = BTreeSet::new();
    for route in routes() {
        for template in &route.templates {
            let anonymous: Vec<_> =
                template.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect();
            assert!(
                seen.insert(format!("{} {}", route.method, anonymous.join("/"))),
                "{} {template} stands twice",
                route.method
            );
        }
    }
}

/// Rooms whose tables are still to be written. Only ever shorter.
const STILL_ANYTHING: &[&str] = &[];

#[test]
fn every_body_has_a_real_table() {
    let is_anything = |content: &Content| match content {
        Content::Json(shape) | Content::JsonArray(shape) => std::ptr::eq(shape(), shapes::anything()),
        Content::Nothing | Content::Other(_) => false,
    };
    let mut anything = BTreeSet::new();
    for route in routes().iter().filter(|route| route.is_of_the_network()) {
        let contents = route.doc.takes.iter().map(|(content, _)| content);
        if contents.chain(route.doc.answers.iter().map(|(_, content)| content)).any(is_anything) {
            anything.insert(route.doc.id);
        }
    }
    let allowed: BTreeSet<&str> = STILL_ANYTHING.iter().copied().collect();
    let surprising: Vec<_> = anything.difference(&allowed).collect();
    assert!(surprising.is_empty(), "these operations declare no real table: {surprising:?}");
}

#[test]
fn every_example_passes_its_table() {
    let document = document();
    for route in routes() {
        let Some((Content::Json(shape), _)) = &route.doc.takes else { continue };
        let item = &document["paths"][&route.templates[0]][route.method.as_str().to_lowercase()];
        let example = &item["requestBody"]["content"]["application/json"]["example"];
        if !example.is_null() {
            assert_eq!(shape().check(example), [], "{}", route.doc.id);
        }
    }
}

#[test]
fn every_event_is_described_and_its_example_is_of_its_shape() {
    let document = document();
    for event in EventType::catalogue() {
        let webhook = &document["webhooks"][event.as_str()]["post"];
        let example = &webhook["requestBody"]["content"]["application/json"]["example"];
        assert_eq!(example["metadata"]["event_type"], event.as_str());
        assert_eq!(shapes::events::delivery(event).check(example), [], "{event}: {example}");
    }
}
