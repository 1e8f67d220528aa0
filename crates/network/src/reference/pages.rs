//! The reference for people: a front page, a page for each section, and one for the objects.

use kit::reference::{Book, Chapter, code, prose};
use maud::{Markup, html};
use protocol::{ErrorCode, EventType};
use serde_json::Value;

/// The words around the document.
pub(super) fn book<'a>(document: &'a Value, server: &'a str) -> Book<'a> {
    Book {
        document,
        server,
        lead: html! { " REST and JSON under " code { (server) } "." },
        chapters: vec![start(), repeating(), lists(), receiving(), errors()],
        // The key alone behind `Basic`, as the network documents it.
        authorization: "-H \"Authorization: Basic $KLARNA_API_KEY\"",
        headers: &[("Klarna-Idempotency-Key", "$(uuidgen)")],
    }
}

fn chapter(anchor: &str, heading: &str, content: Markup) -> Chapter {
    Chapter { anchor: anchor.to_owned(), heading: heading.to_owned(), content }
}

fn paragraphs(texts: &[&str]) -> Markup {
    html! { @for text in texts { p { (prose(text)) } } }
}

fn start() -> Chapter {
    chapter(
        "start",
        "Before the first call",
        paragraphs(&[
            "An integration written for the Klarna Network runs against this end unchanged: put this address where the network's stands, \
         and the key of a seeded account where yours does. On an empty database an Acquiring Partner and a Partner are made; \
         `--credentials-file` says where their keys are written.",
            "Every call carries an API key: `Authorization: Basic ` and the key, or HTTP Basic with an empty user name and the key as the password. \
         An Acquiring Partner acts for a Partner by naming its account in the path; a Partner's own key leaves it out. \
         Somebody else's account, and everything below it, looks like one that does not exist.",
            "Bodies are JSON in UTF-8, at most 1 MB. Amounts are whole numbers of the currency's minor unit. Times are ISO 8601 with a zone. \
         Texts hold no control characters. Members that you do not know may appear in answers at any time; members that the network does not \
         know are ignored.",
            "Each answer carries `Klarna-Correlation-Id`; what you send as `Partner-Correlation-Id` comes back. `X-RateLimit-Limit`, \
         `X-RateLimit-Remaining` and `X-RateLimit-Reset` tell of the limits.",
            "Sources: each operation says whether it is known from Klarna's public request collection, from its documentation, inferred from \
         its neighbours, or a control of this test environment.",
        ]),
    )
}

fn repeating() -> Chapter {
    chapter(
        "idempotency",
        "Repeating a call safely",
        paragraphs(&[
            "Send `Klarna-Idempotency-Key` with every POST, PATCH and PUT, the same whenever you repeat it. The first success is kept for 24 hours and \
         answered again, status and body. Another body under the same key is a 409, and so is a repetition while the first call is at work. \
         A refusal binds nothing: mend the body and use the key again.",
        ]),
    )
}

fn lists() -> Chapter {
    chapter(
        "paging",
        "Reading lists",
        paragraphs(&[
            "Lists come in pages of 20; `size` asks for 1 to 100. `pagination.links.next.href` is the next page, null on the last one. \
         `starting_after` takes the last id of a page, `ending_before` the first; not both. A parameter that takes several values takes \
         `n=a&n=b`, `n[]=a&n[]=b` and `n=a,b`.",
        ]),
    )
}

fn receiving() -> Chapter {
    let content = html! {
        (paragraphs(&[
            "Make a signing key, then a webhook that names it. Events of a Partner go to its own webhooks and to those of its Acquiring Partner, one \
             delivery for each webhook that matches. Names may end in `.*`.",
            "`Klarna-Signature` is the HMAC-SHA256 of the raw body with the text of the signing key, in lowercase hexadecimal; \
             `Klarna-Signing-Key-Id` says which key. Answer 200, 201, 202 or 204 within 10 seconds. Otherwise it is tried again after 10 s, 2 min, \
             15 min, 3 h, 6 h and 12 h. Deliveries may come twice or out of order: deduplicate by `metadata.event_id`.",
        ]))
        (code("openssl dgst -sha256 -hmac \"$SIGNING_KEY\" < body    # equals Klarna-Signature"))
        details {
            summary { "All events" }
            ul { @for event in EventType::catalogue() { li { code { (event.as_str()) } } } }
        }
    };
    chapter("receiving", "Receiving events", content)
}

fn errors() -> Chapter {
    let content = html! {
        p { (prose("Every refusal has one shape. Decide by the status and `error_code`; `error_message` is for people and may change. \
            With `VALIDATION_ERROR`, `validation_errors` names every field at fault, all at once.")) }
        div.table tabindex="0" role="region" aria-labelledby="errors" {
            table {
                thead { tr { th scope="col" { "Code" } th scope="col" { "Status" } th scope="col" { "Who has to act" } th scope="col" { "Repeat?" } } }
                tbody {
                    @for code in ErrorCode::KNOWN {
                        tr {
                            td { code { (code.as_str()) } }
                            td { (code.http_status()) }
                            td { code { (code.error_type().as_str()) } }
                            td { @if code.is_retryable() { "Yes, with the same key" } @else { "Not as it was" } }
                        }
                    }
                }
            }
        }
    };
    chapter("errors", "Errors", content)
}
