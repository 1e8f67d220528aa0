//! The reference page: the document for people, with what it does not hold.

use kit::reference::{Book, Chapter, code, prose};
use maud::html;
use serde_json::{Value, json};

use super::guide::{CHAPTERS, CODES, ERRORS};
use crate::events::catalogue::CATALOGUE;

/// The document with the words around it.
pub(super) fn reference<'a>(document: &'a Value, server: &'a str) -> Book<'a> {
    let told = CHAPTERS.iter().map(|chapter| Chapter {
        anchor: chapter.anchor.to_owned(),
        heading: chapter.heading.to_owned(),
        content: html! {
            @for paragraph in chapter.paragraphs { p { (prose(paragraph)) } }
            @if let Some(text) = chapter.code { (code(text)) }
        },
    });
    Book {
        document,
        server,
        lead: html! { " REST and JSON under " code { (server) "/v1" } "." },
        chapters: told.chain([events(), errors()]).collect(),
        authorization: "-H \"Authorization: Bearer $KONTOR_API_KEY\"",
        headers: &[("Idempotency-Key", "$(uuidgen)")],
    }
}

fn events() -> Chapter {
    let content = html! {
        p { "Subscribe to names, to the beginning of names like " code { "payment.*" } ", or to " code { "*" } "." }
        div.table tabindex="0" role="region" aria-labelledby="event-types" {
            table {
                thead { tr { th scope="col" { "Type" } th scope="col" { "When" } } }
                tbody { @for kind in CATALOGUE { tr { td { code { (kind.name) } } td { (kind.meaning) } } } }
            }
        }
    };
    Chapter { anchor: "event-types".to_owned(), heading: "Event types".to_owned(), content }
}

fn errors() -> Chapter {
    let example = json!({
        "error_id": "0b9a1c52-6d0e-4c1e-8f2a-3a51c0c1f6de",
        "error_type": "INPUT_ERROR",
        "error_code": "VALIDATION_ERROR",
        "error_message": "One or more parameters are invalid.",
        "validation_errors": [{"parameter": "line_items[0].quantity", "reason": "must be an integer of at least 1, was 0"}],
    });
    let example = serde_json::to_string_pretty(&example).expect("a JSON value always serializes");
    let content = html! {
        p { (prose(ERRORS)) }
        (code(&example))
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
    };
    Chapter { anchor: "errors".to_owned(), heading: "Errors".to_owned(), content }
}
