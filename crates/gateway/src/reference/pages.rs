//! The reference page: the document for people. Everything on it works without script; the script only switches the theme.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};
use serde_json::{Value, json};

use super::document::METHODS;
use super::guide::{CHAPTERS, CODES, ERRORS};
use crate::events::catalogue::CATALOGUE;

/// Fields inside fields are listed down to this depth.
const DEPTH_MAX: usize = 6;

/// The page.
pub(super) fn reference(document: &Value, server: &str) -> Markup {
    let groups = groups(document);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Kontor API reference" }
                link rel="stylesheet" href=(kit::web::STYLESHEET.href);
                script type="module" src=(kit::web::THEME.href) blocking="render" {}
            }
            body {
                a.skip-link href="#main" { "To the content" }
                header.site-header {
                    a.brand href="/docs" { (mark()) "Kontor" }
                    nav aria-label="Pages" {
                        a href="#contents" { "Contents" }
                        a href="/openapi.json" { "OpenAPI" }
                    }
                    button type="button" data-theme-switch hidden {}
                }
                main #main {
                    div.stack.loose {
                        (introduction(document, server))
                        (contents(&groups))
                        @for chapter in CHAPTERS {
                            section.stack aria-labelledby=(chapter.anchor) {
                                h2 id=(chapter.anchor) { (chapter.heading) }
                                @for paragraph in chapter.paragraphs { p { (prose(paragraph)) } }
                                @if let Some(code) = chapter.code { pre tabindex="0" { code { (code) } } }
                            }
                        }
                        (events())
                        (errors())
                        @for (tag, operations) in &groups {
                            section.stack.loose aria-labelledby=(anchor(tag)) {
                                div.stack.tight {
                                    h2 id=(anchor(tag)) { (tag) }
                                    @if let Some(text) = tag_description(document, tag) { p.muted { (prose(text)) } }
                                }
                                @for operation in operations { (operation.render(document, server)) }
                            }
                        }
                    }
                }
                footer.site-footer { p { "Made from the same source as the service itself: version " (text(&document["info"]["version"])) "." } }
            }
        }
    }
}

fn introduction(document: &Value, server: &str) -> Markup {
    html! {
        section.stack aria-labelledby="top" {
            h1 #top { (text(&document["info"]["title"])) }
            p.lead { (text(&document["info"]["summary"])) " REST and JSON under " code { (server) "/v1" } "." }
        }
    }
}

fn contents(groups: &[(String, Vec<Operation<'_>>)]) -> Markup {
    html! {
        nav.stack aria-labelledby="contents" {
            h2 #contents { "Contents" }
            div.grid {
                div.stack.tight {
                    h3 { "What holds everywhere" }
                    ul {
                        @for chapter in CHAPTERS { li { a href={ "#" (chapter.anchor) } { (chapter.heading) } } }
                        li { a href="#event-types" { "Event types" } }
                        li { a href="#errors" { "Errors" } }
                    }
                }
                @for (tag, operations) in groups {
                    div.stack.tight {
                        h3 { a href={ "#" (anchor(tag)) } { (tag) } }
                        ul { @for operation in operations { li { a href={ "#" (operation.id) } { (operation.summary) } } } }
                    }
                }
            }
        }
    }
}

fn events() -> Markup {
    html! {
        section.stack aria-labelledby="event-types" {
            h2 #event-types { "Event types" }
            p { "Subscribe to names, to the beginning of names like " code { "payment.*" } ", or to " code { "*" } "." }
            div.table tabindex="0" role="region" aria-labelledby="event-types" {
                table {
                    thead { tr { th scope="col" { "Type" } th scope="col" { "When" } } }
                    tbody { @for kind in CATALOGUE { tr { td { code { (kind.name) } } td { (kind.meaning) } } } }
                }
            }
        }
    }
}

fn errors() -> Markup {
    let example = json!({
        "error_id": "0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de",
        "error_type": "INPUT_ERROR",
        "error_code": "VALIDATION_ERROR",
        "error_message": "One or more parameters are invalid.",
        "validation_errors": [{"parameter": "line_items[0].quantity", "reason": "must be an integer from 1 to 9223372036854775807"}],
    });
    html! {
        section.stack aria-labelledby="errors" {
            h2 #errors { "Errors" }
            p { (prose(ERRORS)) }
            pre tabindex="0" { code { (pretty(&example)) } }
            div.table tabindex="0" role="region" aria-label="Error codes" {
                table {
                    thead { tr { th scope="col" { "Code" } th scope="col" { "Status" } th scope="col" { "Meaning" } th scope="col" { "What to do" } } }
                    tbody {
                        @for code in CODES {
                            tr { td { code { (code.code) } } td { (code.status) } td { (prose(code.meaning)) } td { (prose(code.advice)) } }
                        }
                    }
                }
            }
        }
    }
}

struct Operation<'a> {
    id: &'a str,
    summary: &'a str,
    method: String,
    path: &'a str,
    value: &'a Value,
    /// Called by us, not by the reader.
    is_webhook: bool,
}

/// Operations by tag, in the document's order of tags and paths.
fn groups(document: &Value) -> Vec<(String, Vec<Operation<'_>>)> {
    let mut by_tag: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (place, is_webhook) in [("paths", false), ("webhooks", true)] {
        for (path, item) in document[place].as_object().into_iter().flatten() {
            for method in METHODS {
                let Some(value) = item.get(method) else { continue };
                let tag = value["tags"][0].as_str().unwrap_or("Other");
                by_tag.entry(tag).or_default().push(Operation {
                    id: text(&value["operationId"]),
                    summary: text(&value["summary"]),
                    method: method.to_uppercase(),
                    path: if is_webhook { "your endpoint" } else { path },
                    value,
                    is_webhook,
                });
            }
        }
    }
    let named = document["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str());
    let mut ordered: Vec<(String, Vec<Operation<'_>>)> = Vec::new();
    for tag in named {
        if let Some(operations) = by_tag.remove(tag) {
            ordered.push((tag.to_owned(), operations));
        }
    }
    ordered.extend(by_tag.into_iter().map(|(tag, operations)| (tag.to_owned(), operations)));
    ordered
}

impl Operation<'_> {
    fn render(&self, document: &Value, server: &str) -> Markup {
        let body = &self.value["requestBody"]["content"]["application/json"]["schema"];
        let parameters: Vec<&Value> =
            self.value["parameters"].as_array().into_iter().flatten().map(|one| resolve(document, one)).collect();
        html! {
            article.card aria-labelledby=(self.id) {
                div.stack.tight {
                    h3 id=(self.id) { (self.summary) }
                    p { code { strong { (self.method) } " " (self.path) } }
                }
                @if let Some(description) = self.value["description"].as_str() {
                    @for paragraph in description.split("\n\n") { p { (prose(paragraph)) } }
                }
                @if !parameters.is_empty() {
                    (fields("Parameters", &parameters.iter().map(|one| Field::of_parameter(document, one)).collect::<Vec<_>>()))
                }
                @if !body.is_null() { (fields("Request body", &Field::of_schema(document, body))) }
                @for (status, response) in self.value["responses"].as_object().into_iter().flatten() {
                    @if status.starts_with('2') {
                        @let schema = &response["content"]["application/json"]["schema"];
                        @let title = format!("{status}: {}", text(&response["description"]));
                        @if schema.is_null() { p { strong { (title) } } }
                        @else { details { summary { (title) } (fields("Answer", &Field::of_schema(document, schema))) } }
                    }
                }
                (self.refusals(document))
                @if !self.is_webhook { (self.example(document, server, &parameters)) }
            }
        }
    }

    fn refusals(&self, document: &Value) -> Markup {
        let refused: Vec<(&String, &Value)> = self.value["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(status, _)| status.starts_with('4') || status.starts_with('5'))
            .map(|(status, response)| (status, resolve(document, response)))
            .collect();
        html! {
            @if !refused.is_empty() {
                details {
                    summary { "Errors" }
                    ul { @for (status, response) in refused { li { strong { (status) } " " (prose(text(&response["description"]))) } } }
                }
            }
        }
    }

    fn example(&self, document: &Value, server: &str, parameters: &[&Value]) -> Markup {
        let mut lines = vec![format!("curl -X {} {server}{}", self.method, self.path)];
        if self.value["security"].as_array().is_some_and(|list| !list.is_empty()) {
            lines.push("-H \"Authorization: Bearer $KONTOR_API_KEY\"".to_owned());
        }
        for parameter in parameters.iter().filter(|one| one["in"] == "header" && one["required"] == true) {
            let value = match text(&parameter["name"]) {
                "Idempotency-Key" => "$(uuidgen)",
                _ => "…",
            };
            lines.push(format!("-H \"{}: {value}\"", text(&parameter["name"])));
        }
        let schema = &self.value["requestBody"]["content"]["application/json"];
        if !schema.is_null() {
            lines.push("-H \"Content-Type: application/json\"".to_owned());
            let body = Some(&schema["example"]).filter(|one| !one.is_null()).cloned();
            let body = body.unwrap_or_else(|| sample(document, &schema["schema"], 0));
            // A quote inside single quotes ends them in every shell.
            lines.push(format!("-d '{}'", pretty(&body).replace('\'', "'\\''")));
        }
        html! {
            details open[lines.len() > 3] {
                summary { "Example" }
                pre tabindex="0" { code { (lines.join(" \\\n  ")) } }
            }
        }
    }
}

struct Field {
    name: String,
    kind: String,
    required: bool,
    description: String,
}

impl Field {
    fn of_parameter(document: &Value, parameter: &Value) -> Self {
        let place = match text(&parameter["in"]) {
            "path" => "in the path",
            "query" => "in the query",
            _ => "header",
        };
        Self {
            name: text(&parameter["name"]).to_owned(),
            kind: format!("{}, {place}", kind(document, &parameter["schema"])),
            required: parameter["required"].as_bool().unwrap_or(false),
            description: text(&parameter["description"]).to_owned(),
        }
    }

    /// The members of a schema, and theirs, as paths.
    fn of_schema(document: &Value, schema: &Value) -> Vec<Self> {
        let mut fields = Vec::new();
        let mut above = Vec::new();
        collect(document, schema, "", 0, &mut above, &mut fields);
        fields
    }
}

fn collect<'a>(
    document: &'a Value,
    schema: &'a Value,
    prefix: &str,
    depth: usize,
    above: &mut Vec<&'a str>,
    fields: &mut Vec<Field>,
) {
    let reference = schema["$ref"].as_str();
    // A schema inside itself is listed once.
    if depth > DEPTH_MAX || reference.is_some_and(|name| above.contains(&name)) {
        return;
    }
    above.extend(reference);
    for part in parts(document, schema) {
        if let Some(items) = part.get("items") {
            collect(document, items, &format!("{prefix}[]"), depth + 1, above, fields);
        }
        let required: Vec<&str> = part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members: Vec<_> = part["properties"].as_object().into_iter().flatten().collect();
        members.sort_by_key(|(name, _)| !required.contains(&name.as_str()));
        for (name, member) in members {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            fields.push(Field {
                kind: kind(document, member),
                required: required.contains(&name.as_str()),
                description: description(document, member).to_owned(),
                name: path.clone(),
            });
            collect(document, member, &path, depth + 1, above, fields);
        }
    }
    if reference.is_some() {
        above.pop();
    }
}

/// What a schema consists of: itself, or the parts of its combinations that are not null.
fn parts<'a>(document: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let schema = resolve(document, schema);
    let mut found = vec![schema];
    for combination in ["allOf", "oneOf", "anyOf"] {
        for part in schema[combination].as_array().into_iter().flatten() {
            if part["type"] != "null" {
                found.push(resolve(document, part));
            }
        }
    }
    found
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

fn description<'a>(document: &'a Value, schema: &'a Value) -> &'a str {
    let own = schema["description"].as_str();
    own.or_else(|| parts(document, schema).into_iter().find_map(|part| part["description"].as_str()))
        .unwrap_or_default()
}

/// A type in words, with its limits: `text, 1 to 255 characters`.
fn kind(document: &Value, schema: &Value) -> String {
    for part in parts(document, schema) {
        if let Some(values) = part["enum"].as_array() {
            return values.iter().map(|value| text(value).to_owned()).collect::<Vec<_>>().join(" | ");
        }
        let types = match &part["type"] {
            Value::String(one) => one.as_str(),
            Value::Array(many) => many.iter().filter_map(Value::as_str).find(|one| *one != "null").unwrap_or_default(),
            _ => continue,
        };
        let name = match (types, part["format"].as_str()) {
            ("string", Some("date-time")) => "time".to_owned(),
            ("string", Some("uri")) => "url".to_owned(),
            ("string", Some("uuid")) => "uuid".to_owned(),
            ("string", _) => "text".to_owned(),
            ("integer", _) => "integer".to_owned(),
            ("boolean", _) => "true or false".to_owned(),
            ("array", _) => format!("list of {}", kind(document, &part["items"])),
            (other, _) => other.to_owned(),
        };
        let bounds =
            [("minLength", "maxLength", " characters"), ("minItems", "maxItems", " items"), ("minimum", "maximum", "")];
        let limits = bounds.iter().find_map(|(low, high, unit)| match (part[low].as_i64(), part[high].as_i64()) {
            (Some(low), Some(high)) => Some(format!(", {low} to {high}{unit}")),
            (None, Some(high)) => Some(format!(", at most {high}{unit}")),
            (Some(low), None) => Some(format!(", at least {low}{unit}")),
            (None, None) => None,
        });
        return name + &limits.unwrap_or_default();
    }
    "anything".to_owned()
}

/// A list rather than a table: on a phone, each field has the width of the screen.
fn fields(title: &str, fields: &[Field]) -> Markup {
    html! {
        @if !fields.is_empty() {
            div.stack.tight {
                p { strong { (title) } }
                dl.stack {
                    @for field in fields {
                        div {
                            dt {
                                code { (field.name) }
                                " "
                                span.small.muted { (field.kind) @if field.required { ", required" } }
                            }
                            @if !field.description.is_empty() { dd { (prose(&field.description)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A value that fits a schema: its example, or its required members.
fn sample(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let all = parts(document, schema);
    for part in std::iter::once(schema).chain(all.iter().copied()) {
        for example in [&part["example"], &part["examples"][0], &part["default"], &part["enum"][0]] {
            if !example.is_null() {
                return example.clone();
            }
        }
    }
    let mut object = serde_json::Map::new();
    for part in &all {
        let types = part["type"].as_str().or_else(|| part["type"][0].as_str()).unwrap_or_default();
        match types {
            "string" if part["format"] == "date-time" => return json!("2026-03-02T10:00:00Z"),
            "string" if part["format"] == "uri" => return json!("https://shop.example/"),
            "string" => return json!("…"),
            "integer" | "number" => return part.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            "boolean" => return json!(true),
            "array" => return json!([sample(document, &part["items"], depth + 1)]),
            _ => {}
        }
        for name in part["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            object.insert(name.to_owned(), sample(document, &part["properties"][name], depth + 1));
        }
    }
    Value::Object(object)
}

/// Text in which `backticks` mark code.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, piece) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            rect.stroke-ink x="3" y="3" width="18" height="18" stroke-width="2" {}
            path.fill-ink d="M9 21v-9h6v9z" {}
        }
    }
}

fn tag_description<'a>(document: &'a Value, tag: &str) -> Option<&'a str> {
    document["tags"].as_array()?.iter().find(|one| one["name"] == tag)?["description"].as_str()
}

fn anchor(tag: &str) -> String {
    format!("tag-{}", tag.to_lowercase().replace(' ', "-"))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value always serializes")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_document_says_is_escaped_and_backticks_become_code() {
        let shown = prose("a <b> `x & y` c").into_string();
        assert_eq!(shown, "a &lt;b&gt; <code>x &amp; y</code> c");
    }

    #[test]
    fn nested_members_are_paths_and_a_schema_inside_itself_ends() {
        let document = json!({"components": {"schemas": {
            "Node": {"type": "object", "required": ["name"], "properties": {
                "name": {"type": "string", "maxLength": 9, "description": "Its name."},
                "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
            }},
        }}});
        let fields = Field::of_schema(&document, &json!({"$ref": "#/components/schemas/Node"}));
        let listed: Vec<_> =
            fields.iter().map(|field| (field.name.as_str(), field.kind.as_str(), field.required)).collect();
        assert_eq!(listed, [("name", "text, at most 9 characters", true), ("children", "list of object", false)]);
    }
}
