//! The pages of a reference. Everything on them works without script; the script only switches the theme.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::field::{Components, Field, resolve, sample, text};
use super::{Book, METHODS};
use crate::web;

/// The page of what many bodies have in common.
const OBJECTS: &str = "objects";

/// Where a book's parts stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// All on one page.
    One,
    /// A page for each tag, and one for the objects.
    Many,
}

impl Layout {
    fn operation(self, tag: &str, id: &str) -> String {
        match self {
            Self::One => format!("#{id}"),
            Self::Many => format!("/docs/{}#{id}", slug(tag)),
        }
    }

    fn tag(self, tag: &str) -> String {
        match self {
            Self::One => format!("#tag-{}", slug(tag)),
            Self::Many => format!("/docs/{}", slug(tag)),
        }
    }

    fn components(self) -> Components {
        match self {
            Self::One => Components::Unfolded,
            Self::Many => Components::Linked,
        }
    }
}

impl Book<'_> {
    /// Everything on one page.
    pub fn one_page(&self) -> Markup {
        let groups = groups(self.document);
        let title = text(&self.document["info"]["title"]);
        self.frame(
            title,
            &html! {
                (self.introduction())
                (self.contents(&groups, Layout::One))
                (self.told())
                @for (tag, operations) in &groups {
                    section.stack.loose aria-labelledby={ "tag-" (slug(tag)) } {
                        div.stack.tight {
                            h2 id={ "tag-" (slug(tag)) } { (tag) }
                            @if let Some(text) = tag_description(self.document, tag) { p.muted { (prose(text)) } }
                        }
                        @for operation in operations { (operation.render(self, Layout::One)) }
                    }
                }
            },
        )
    }

    /// What is true everywhere, and the way to everything else.
    pub fn front_page(&self) -> Markup {
        let title = text(&self.document["info"]["title"]);
        self.frame(
            title,
            &html! {
                (self.introduction())
                (self.contents(&groups(self.document), Layout::Many))
                (self.told())
            },
        )
    }

    /// The slugs of all tags that have operations.
    pub fn tags(&self) -> Vec<String> {
        groups(self.document).iter().map(|(tag, _)| slug(tag)).collect()
    }

    /// The operations of one tag; `None` if none has it.
    pub fn tag_page(&self, wanted: &str) -> Option<Markup> {
        let groups = groups(self.document);
        let (tag, operations) = groups.iter().find(|(tag, _)| slug(tag) == wanted)?;
        Some(self.frame(
            tag,
            &html! {
                section.stack aria-labelledby="top" {
                    h1 #top { (tag) }
                    @if let Some(text) = tag_description(self.document, tag) { p.lead { (prose(text)) } }
                }
                nav.stack.tight aria-labelledby="contents" {
                    h2 #contents { "Contents" }
                    ul { @for operation in operations { li { a href={ "#" (operation.id) } { (operation.summary) } } } }
                }
                @for operation in operations { (operation.render(self, Layout::Many)) }
            },
        ))
    }

    /// Every component that bodies refer to.
    pub fn objects_page(&self) -> Markup {
        let schemas = self.document["components"]["schemas"].as_object();
        self.frame(
            "Objects",
            &html! {
                section.stack aria-labelledby="top" {
                    h1 #top { "Objects" }
                    p.lead { "What bodies have in common." }
                }
                @for (name, schema) in schemas.into_iter().flatten() {
                    article.card aria-labelledby=(name) {
                        h2 id=(name) { (name) }
                        @if let Some(description) = schema["description"].as_str() { p { (prose(description)) } }
                        (fields("Members", &Field::of_schema(self.document, schema, Components::Linked)))
                    }
                }
            },
        )
    }

    /// What stands at an address below `/docs` that has no page.
    pub fn absent_page(&self) -> Markup {
        self.frame(
            "No such page",
            &html! {
                section.stack aria-labelledby="top" {
                    h1 #top { "No such page" }
                    p.lead { "The reference has nothing at this address. Its contents list all there is." }
                    p { a.button href="/docs#contents" { "To the contents" } }
                }
            },
        )
    }

    fn frame(&self, title: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · Kontor API reference" }
                    link rel="stylesheet" href=(web::STYLESHEET.href);
                    script type="module" src=(web::THEME.href) blocking="render" {}
                }
                body {
                    a.skip-link href="#main" { "To the content" }
                    header.site-header {
                        a.brand href="/docs" { (mark()) "Kontor" }
                        nav aria-label="Pages" {
                            a href="/docs#contents" { "Contents" }
                            a href="/openapi.json" { "OpenAPI" }
                        }
                        button type="button" data-theme-switch hidden {}
                    }
                    main #main { div.stack.loose { (content) } }
                    footer.site-footer { p { "Made from the same source as the service itself: version " (text(&self.document["info"]["version"])) "." } }
                }
            }
        }
    }

    fn introduction(&self) -> Markup {
        html! {
            section.stack aria-labelledby="top" {
                h1 #top { (text(&self.document["info"]["title"])) }
                p.lead { (text(&self.document["info"]["summary"])) (self.lead) }
            }
        }
    }

    fn contents(&self, groups: &[(String, Vec<Operation<'_>>)], layout: Layout) -> Markup {
        html! {
            nav.stack aria-labelledby="contents" {
                h2 #contents { "Contents" }
                div.grid {
                    div.stack.tight {
                        h3 { "What holds everywhere" }
                        ul {
                            @for chapter in &self.chapters { li { a href={ "#" (chapter.anchor) } { (chapter.heading) } } }
                            @if layout == Layout::Many { li { a href={ "/docs/" (OBJECTS) } { "Objects" } } }
                        }
                    }
                    @for (tag, operations) in groups {
                        div.stack.tight {
                            h3 { a href=(layout.tag(tag)) { (tag) } }
                            ul {
                                @for operation in operations {
                                    li { a href=(layout.operation(tag, operation.id)) { (operation.summary) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn told(&self) -> Markup {
        html! {
            @for chapter in &self.chapters {
                section.stack aria-labelledby=(chapter.anchor) {
                    h2 id=(chapter.anchor) { (chapter.heading) }
                    (chapter.content)
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
    fn render(&self, book: &Book<'_>, layout: Layout) -> Markup {
        let document = book.document;
        let body = &self.value["requestBody"]["content"];
        let parameters: Vec<&Value> =
            self.value["parameters"].as_array().into_iter().flatten().map(|one| resolve(document, one)).collect();
        let listed: Vec<_> = parameters.iter().map(|one| Field::of_parameter(document, one)).collect();
        let of_schema = |schema: &Value| Field::of_schema(document, schema, layout.components());
        html! {
            article.card aria-labelledby=(self.id) {
                div.stack.tight {
                    h3 id=(self.id) { (self.summary) }
                    p { code { strong { (self.method) } " " (self.path) } }
                }
                @if let Some(description) = self.value["description"].as_str() {
                    @for paragraph in description.split("\n\n") { p { (prose(paragraph)) } }
                }
                (fields("Parameters", &listed))
                @for (media_type, content) in body.as_object().into_iter().flatten() {
                    @if media_type == "application/json" { (fields("Request body", &of_schema(&content["schema"]))) }
                    @else { p { strong { "Request body" } ": " code { (media_type) } } }
                }
                @for (status, response) in self.value["responses"].as_object().into_iter().flatten() {
                    @if status.starts_with('2') {
                        @let title = format!("{status}: {}", text(&response["description"]));
                        @let schema = &response["content"]["application/json"]["schema"];
                        @let listed = of_schema(schema);
                        @if listed.is_empty() { p { strong { (title) } @for media_type in other_types(response) { " " code { (media_type) } } } }
                        @else { details { summary { (title) } (fields("Answer", &listed)) } }
                    }
                }
                (self.refusals(document))
                @if self.is_webhook { (received(&body["application/json"]["example"])) } @else { (self.example(book, &parameters)) }
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

    fn example(&self, book: &Book<'_>, parameters: &[&Value]) -> Markup {
        let document = book.document;
        let mut path = self.path.to_owned();
        for parameter in parameters.iter().filter(|one| one["in"] == "path") {
            if let Some(example) = parameter["example"].as_str() {
                path = path.replace(&format!("{{{}}}", text(&parameter["name"])), example);
            }
        }
        let mut lines = vec![format!("curl -X {} {}{path}", self.method, book.server)];
        let security = if self.value["security"].is_array() { &self.value["security"] } else { &document["security"] };
        if security.as_array().is_some_and(|list| !list.is_empty()) {
            lines.push(book.authorization.to_owned());
        }
        for parameter in parameters.iter().filter(|one| one["in"] == "header") {
            let name = text(&parameter["name"]);
            let known = book.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            if parameter["required"] == true || known.is_some() {
                lines.push(format!("-H \"{name}: {}\"", known.unwrap_or("…")));
            }
        }
        let content = &self.value["requestBody"]["content"];
        let json = &content["application/json"];
        if !json.is_null() {
            lines.push("-H \"Content-Type: application/json\"".to_owned());
            let body = Some(&json["example"]).filter(|one| !one.is_null()).cloned();
            let body = body.unwrap_or_else(|| sample(document, &json["schema"], 0));
            // A quote inside single quotes ends them in every shell.
            lines.push(format!("-d '{}'", pretty(&body).replace('\'', "'\\''")));
        } else if content["multipart/form-data"].is_object() {
            lines.push("-F \"file=@evidence.pdf\"".to_owned());
        }
        html! {
            details open[lines.len() > 3] {
                summary { "Example" }
                pre tabindex="0" { code { (lines.join(" \\\n  ")) } }
            }
        }
    }
}

/// What a receiver is sent, where the document shows it.
fn received(example: &Value) -> Markup {
    html! {
        @if !example.is_null() {
            details {
                summary { "Example" }
                (code(&pretty(example)))
            }
        }
    }
}

fn other_types(response: &Value) -> impl Iterator<Item = &String> {
    let types = response["content"].as_object().into_iter().flatten().map(|(media_type, _)| media_type);
    types.filter(|media_type| *media_type != "application/json")
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
                                span.small.muted {
                                    @match &field.component {
                                        Some(component) => {
                                            @if field.kind.starts_with("list") { "list of " }
                                            a href={ "/docs/" (OBJECTS) "#" (component) } { (component) }
                                        }
                                        None => { (field.kind) }
                                    }
                                    @if field.required { ", required" }
                                }
                            }
                            @if !field.description.is_empty() { dd { (prose(&field.description)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Text in which `backticks` mark code.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (index, piece) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// A piece of code.
pub fn code(text: &str) -> Markup {
    html! { pre tabindex="0" { code { (text) } } }
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

/// `Identity and tokens` as `identity-and-tokens`.
pub fn slug(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "-")
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a JSON value always serializes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_document_says_is_escaped_and_backticks_become_code() {
        let shown = prose("a <b> `x & y` c").into_string();
        assert_eq!(shown, "a &lt;b&gt; <code>x &amp; y</code> c");
    }

    #[test]
    fn a_book_of_many_pages_links_what_a_book_of_one_unfolds() {
        let document = json!({
            "info": {"title": "T", "summary": "S", "version": "1"},
            "tags": [{"name": "Two words"}],
            "security": [{"key": []}],
            "paths": {"/a/{id}": {"post": {
                "operationId": "makeA", "summary": "Makes an A", "tags": ["Two words"],
                "parameters": [{"name": "id", "in": "path", "required": true, "example": "id-1", "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["part"],
                    "properties": {"part": {"$ref": "#/components/schemas/Part"}}}}}},
                "responses": {"201": {"description": "Made."}, "400": {"description": "No."}},
            }}},
            "components": {"schemas": {"Part": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 3}}}}},
        });
        let book = Book {
            document: &document,
            server: "https://api.example",
            lead: html! {},
            chapters: Vec::new(),
            authorization: "-u \":$KEY\"",
            headers: &[],
        };
        assert_eq!(book.tags(), ["two-words"]);
        let one = book.one_page().into_string();
        assert!(one.contains("part.size") && one.contains("href=\"#makeA\""), "{one}");
        let page = book.tag_page("two-words").unwrap().into_string();
        assert!(page.contains("/docs/objects#Part") && !page.contains("part.size"), "{page}");
        assert!(page.contains("curl -X POST https://api.example/a/id-1") && page.contains("-u "), "{page}");
        assert!(book.front_page().into_string().contains("/docs/two-words#makeA"));
        assert!(book.objects_page().into_string().contains("id=\"Part\""));
        assert!(book.tag_page("three").is_none());
    }
}
