//! The frame of every page, the overview, and signing in.

use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use kit::http::ApiError;
use kit::web;
use maud::{DOCTYPE, Markup, html};
use protocol::Timestamp;
use serde_json::{Value, json};

use super::explain::lines;
use super::session::Console;
use super::{SCRIPT, STYLESHEET, secured};
use crate::console::calls::mask;
use crate::seed::Credentials;

const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Crect x='2' y='2' \
    width='20' height='20' rx='3' fill='%231f6f63'/%3E%3Cpath d='M9 22V11a3 3 0 0 1 6 0v11z' fill='%23fff'/%3E%3C/svg%3E";

/// The rooms of the console.
const ROOMS: [(&str, &str); 10] = [
    ("/console", "Overview"),
    ("/console/requests", "Requests"),
    ("/console/payments", "Payments"),
    ("/console/disputes", "Disputes"),
    ("/console/settlements", "Settlements"),
    ("/console/webhooks", "Webhooks"),
    ("/console/events", "Events"),
    ("/console/accounts", "Accounts"),
    ("/console/faults", "Faults"),
    ("/console/snapshots", "Clock and snapshots"),
];

/// A page of the console. `room` is the address of the room that it belongs to.
pub(super) fn page(console: &Console, room: &str, title: &str, body: Markup) -> Markup {
    let rooms = html! {
        nav.console-nav aria-label="Console" {
            @for (href, name) in ROOMS {
                a href=(href) aria-current=[(href == room).then_some("page")] { (name) }
            }
        }
    };
    let corner = html! {
        @if !console.is_open {
            form.inline method="post" action="/console/sign-out" {
                (csrf(console))
                button.button.quiet.small type="submit" { "Sign out" }
            }
        }
    };
    document(title, corner, rooms, body)
}

fn document(title: &str, corner: Markup, rooms: Markup, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · The network's end" }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
                link rel="stylesheet" href=(STYLESHEET.href);
                script type="module" src=(web::THEME.href) blocking="render" {}
                script type="module" src=(SCRIPT.href) {}
            }
            body.console {
                a.skip-link href="#main" { "Skip to the content" }
                aside.band aria-label="Notice" { p { "Test network: no real money" } }
                header.site-header {
                    a.brand href="/console" {
                        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
                            rect x="2" y="2" width="20" height="20" rx="3" class="stroke-ink" stroke-width="2" {}
                            path d="M9 22V11a3 3 0 0 1 6 0v11z" class="fill-ink" {}
                        }
                        "The network's end"
                    }
                    (corner)
                    button type="button" data-theme-switch hidden aria-label="Theme" {}
                }
                (rooms)
                main id="main" tabindex="-1" {
                    p.visually-hidden role="status" data-status {}
                    (body)
                }
            }
        }
    }
}

pub(super) fn csrf(console: &Console) -> Markup {
    html! { input type="hidden" name="csrf" value=(console.csrf); }
}

/// A button that is a form: something is done, and then this page or another is read.
pub(super) fn act(
    console: &Console,
    action: &str,
    fields: &[(&str, &str)],
    label: &str,
    class: &str,
    ask: Option<&str>,
) -> Markup {
    html! {
        form.inline method="post" action=(action) data-ask=[ask] {
            (csrf(console))
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class={ "button small " (class) } type="submit" { (label) }
        }
    }
}

/// An identifier, shortened in the middle; a click copies all of it.
pub(super) fn id(text: &str) -> Markup {
    let chars: Vec<char> = text.chars().collect();
    let shown: String = if chars.len() > 26 {
        let end = chars.len() - 8;
        let begin = if chars.len() > 40 { 14 } else { 12 };
        chars[..begin].iter().chain(['…'].iter()).chain(chars[end..].iter()).collect()
    } else {
        text.to_owned()
    };
    html! { button.id type="button" data-copy=(text) title=(text) aria-label={ "Copy " (text) } { (shown) } }
}

/// A time of this network.
pub(super) fn time(micros: i64, now: i64) -> Markup {
    let exact = exact(micros);
    let distance = now.saturating_sub(micros) / 1_000_000;
    let ago = |number: i64, unit: &str| {
        if distance >= 0 { format!("{number} {unit} ago") } else { format!("in {number} {unit}") }
    };
    let away = distance.abs();
    let shown = match away {
        0..=1 => "now".to_owned(),
        2..=119 => ago(away, "s"),
        120..=7_199 => ago(away / 60, "min"),
        7_200..=172_799 => ago(away / 3_600, "h"),
        _ => ago(away / 86_400, "days"),
    };
    html! { time datetime=(exact) title=(exact) { (shown) } }
}

/// A time in full.
pub(super) fn exact(micros: i64) -> String {
    Timestamp::from_micros(micros).map(|time| time.to_string()).unwrap_or_default()
}

/// A time to the second, for people.
pub(super) fn moment(micros: i64) -> Markup {
    let exact = exact(micros);
    let clear: String = exact.chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect();
    html! { time datetime=(exact) title=(exact) { (clear) " UTC" } }
}

/// A time as the API wrote it.
pub(super) fn stated(value: &Value) -> Markup {
    let parsed: Option<Timestamp> = value.as_str().and_then(|text| text.parse().ok());
    html! { @if let Some(at) = parsed { (moment(at.as_micros())) } }
}

/// Something as the API shows it, secrets masked, to be opened.
pub(super) fn object(title: &str, text: &str) -> Markup {
    let masked = mask::body(text);
    html! {
        details {
            summary { (title) }
            pre.said tabindex="0" { code { @for line in lines(&masked, &[]) { span.line { (line.text) } } } }
        }
    }
}

/// Minor units with their currency; digits after the point are the currency's.
pub(super) fn money(minor: i64, currency: &str) -> String {
    match currency.parse() {
        Ok(parsed) => protocol::Money::new(minor, parsed).to_string(),
        Err(_) => format!("{minor} {currency}"),
    }
}

/// A state with its colour and shape.
pub(super) fn state(text: &str) -> Markup {
    let class = match text {
        "COMPLETED" | "FUNDED" | "DELIVERED" | "ENABLED" | "AUTHORIZED" | "OPERATIONAL" | "ACTIVE" | "PAID"
        | "CONFIRMED" | "WON" => "done",
        "SUBMITTED"
        | "IN_PROGRESS"
        | "PENDING"
        | "RETRYING"
        | "PARTIALLY_OPERATIONAL"
        | "OPEN"
        | "PROCESSED"
        | "INITIATED"
        | "REPRESENTMENT"
        | "PRE_ARBITRATION"
        | "ARBITRATION"
        | "ARBITRATION_PENDING"
        | "MERCHANT_EVIDENCE_PENDING"
        | "ARBITRATION_APPEAL_OPEN" => "waiting",
        "DECLINED" | "FAILED" | "DISABLED" | "TERMINATED" | "DROPPED" | "LOST" => "refused",
        _ => "ended",
    };
    html! { span class={ "badge " (class) } { (words(text)) } }
}

/// A name of the API in words: `PRE_ARBITRATION` as "Pre arbitration".
pub(super) fn words(state: &str) -> String {
    let lower = state.replace('_', " ").to_lowercase();
    let mut chars = lower.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A command to copy.
pub(super) fn command(name: &str, text: &str) -> Markup {
    html! {
        div.command {
            pre tabindex="0" aria-label=(name) { code id=(name) { (text) } }
            button.button.small type="button" hidden data-copy data-copy-from=(name) { "Copy" }
        }
    }
}

/// What an empty list says.
pub(super) fn empty(title: &str, text: Markup) -> Markup {
    html! { div.empty { p { strong { (title) } } p { (text) } } }
}

/// Links below a list.
pub(super) fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                span { @if let Some(first) = first { a href=(first) { "Newest" } } }
                span { @if let Some(next) = next { a href=(next) rel="next" { "Older" } } }
            }
        }
    }
}

/// What went wrong with a form, on top of its page.
pub(super) fn problems(error: Option<&ApiError>) -> Markup {
    html! {
        @if let Some(error) = error {
            div.error-summary role="alert" tabindex="-1" {
                h2 { (error.message) }
                @if !error.validation_errors.is_empty() {
                    ul {
                        @for fault in &error.validation_errors {
                            li { a href={ "#" (fault.parameter) } { (fault.parameter) } " " (fault.reason) }
                        }
                    }
                }
            }
        }
    }
}

/// The first screen: what this is, what to try in which order, and what is needed for it.
pub(super) fn overview(console: &Console, credentials: Option<&Credentials>, error: Option<&ApiError>) -> Markup {
    let base = &console.ctx.config.base_url;
    let more = [
        ("/console/disputes", "Dispute a payment"),
        ("/console/settlements", "Close the day and pay out"),
        ("/console/accounts", "Decide about a Partner, as Klarna"),
        ("/console/faults", "Break something"),
        ("/console/snapshots", "Move the clock, keep a snapshot"),
        ("/websdk/try", "Try the Web SDK"),
        ("/docs", "Read the reference"),
    ];
    let body = html! {
        h1 { "A Klarna Network to test against" }
        p.lead { "It answers as the Klarna Network does: the same paths, states, errors and webhooks. Point your integration here and change nothing else." }
        (problems(error))
        ol.try aria-label="What to try" {
            @if credentials.is_some() {
                li.card {
                    h2 { "Take a payment" }
                    p.muted { "What an integration would ask for: 49.90 EUR, which the shopper must approve." }
                    form method="post" action="/console/first-payment" { (csrf(console)) button.button.primary type="submit" { "Authorize one now" } }
                }
            } @else {
                li.card { h2 { "Take a payment" } p.muted { "With the command below." } }
            }
            li.card {
                h2 { a href="/console/payments" { "Play the customer" } }
                p.muted { "Approve, decline or abandon it: here, or in the purchase journey itself." }
            }
            li.card {
                h2 { a href="/console/requests" { "Watch your own calls" } }
                p.muted { "Every one with headers and bodies. A refused one says which field, which rule, and what would pass." }
            }
            li.card {
                h2 { a href="/console/webhooks" { "Follow a webhook" } }
                p.muted { "Attempt by attempt; the body that was signed; send it once more." }
            }
        }
        nav.more aria-label="And then" { @for (href, name) in more { a href=(href) { (name) } } }
        (what_to_use(console, credentials))
        (first_calls(base, credentials))
        (test_shoppers())
    };
    page(console, "/console", "Overview", body)
}

/// Addresses and ids that an integration is set up with.
fn what_to_use(console: &Console, credentials: Option<&Credentials>) -> Markup {
    html! {
        section.stack aria-labelledby="use-title" {
            h2 id="use-title" { "What your integration needs" }
            dl.facts.card {
                div { dt { "Base url" } dd { (id(&console.ctx.config.base_url)) } }
                @if let Some(given) = credentials {
                    div { dt { "Acquiring Partner" } dd { (id(&given.acquiring_partner.account_id)) } }
                    div { dt { "Partner" } dd { (id(&given.partner.account_id)) } }
                    div { dt { "Payment account, guaranteed" } dd { (id(&given.partner.payment_account_id)) } }
                    div { dt { "Payment account, not guaranteed" } dd { (id(&given.partner.payment_account_id_non_guaranteed)) } }
                    div { dt { "Payment profile" } dd { (id(&given.acquiring_partner.payment_profile_id)) } }
                } @else {
                    div { dt { "Signed in as" } dd { (id(&console.account)) } }
                }
                @if let Some(sftp) = console.ctx.config.sftp { div { dt { "Reports over SFTP" } dd { (id(&sftp.to_string())) } } }
            }
            p.muted { "The API keys stand in the credentials file that the network end writes (" code { "--credentials-file" } ")." }
        }
    }
}

/// The first calls as commands.
fn first_calls(base: &str, credentials: Option<&Credentials>) -> Markup {
    let partner = credentials.map_or("<partner account id>", |given| given.partner.account_id.as_str());
    let payment_account = credentials.map_or("<payment account id>", |given| given.partner.payment_account_id.as_str());
    let first_call = format!("curl -u \":$API_KEY\" {base}/v2/notification/webhooks");
    let body = serde_json::to_string_pretty(&first_payment(payment_account, "order-1")).unwrap_or_default();
    let first_payment = format!(
        "curl -u \":$API_KEY\" -H 'content-type: application/json' \\\n  {base}/v2/accounts/{partner}/payment/authorize -d '{body}'"
    );
    html! {
        section.stack aria-labelledby="calls-title" {
            h2 id="calls-title" { "The first calls, with curl" }
            p { "Put the Acquiring Partner's key into " code { "API_KEY" } ". The second answers " code { "STEP_UP_REQUIRED" } " with a url for the shopper." }
            (command("first-call", &first_call))
            (command("first-payment", &first_payment))
        }
    }
}

/// An authorization as an integration would send it.
pub(super) fn first_payment(payment_account: &str, reference: &str) -> Value {
    json!({
        "currency": "EUR",
        "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": reference},
        "acquiring_config": {"payment_account_id": payment_account},
        "supplementary_purchase_data": {"line_items": [{"name": "Mug", "quantity": 2, "total_amount": 4990}]},
        "step_up_config": {"payment_request_reference": reference, "customer_interaction_config":
            {"method": "HANDOVER", "return_url": "https://shop.example/return"}},
    })
}

fn test_shoppers() -> Markup {
    let shoppers = [
        ("customer@email.se", "Approved at once, as is anybody who is not in this list"),
        ("customer+denied@email.se", "Declined"),
        ("customer+new_user@email.se", "Approved, and new to Klarna until then"),
        ("customer+pend-accept-05@email.se", "Approved after five seconds"),
        ("customer+pend-reject-05@email.se", "Declined after five seconds"),
    ];
    html! {
        section.stack aria-labelledby="shoppers-title" {
            h2 id="shoppers-title" { "Test shoppers" }
            p { "Any six digits are a right one-time code, but 999999. What the shopper's address says decides." }
            div.table tabindex="0" role="region" aria-labelledby="shoppers-title" {
                table.compact {
                    thead { tr { th scope="col" { "E-mail" } th scope="col" { "What happens" } } }
                    tbody { @for (email, what) in shoppers { tr {
                        td { button.id type="button" data-copy=(email) aria-label={ "Copy " (email) } { (email) } }
                        td.path { (what) }
                    } } }
                }
            }
        }
    }
}

/// Asks for the Acquiring Partner's key.
pub(super) fn sign_in(next: &str, wrong: bool) -> Markup {
    let body = html! {
        @if wrong {
            div.error-summary role="alert" tabindex="-1" {
                h2 { "Nobody was signed in" }
                p { a href="#api_key" { "This is not an active API key of an Acquiring Partner" } }
            }
        }
        form.card.lifted method="post" action="/console/sign-in" {
            h1 { "Sign in to the console" }
            input type="hidden" name="next" value=(next);
            div.field {
                label for="api_key" { "API key of the Acquiring Partner" }
                p.help id="api_key-help" { "It begins with klarna_test_api_ and stands in the credentials file of the network end." }
                input id="api_key" name="api_key" type="password" required autocomplete="current-password" spellcheck="false"
                    aria-describedby="api_key-help" aria-invalid=[wrong.then_some("true")];
            }
            button.button.primary.full type="submit" { "Sign in" }
        }
    };
    let narrow = html! { div.sign-in { (body) } };
    document("Sign in", html! {}, html! {}, narrow)
}

/// A form from elsewhere, or from before the browser was known.
pub(super) fn stale() -> Response {
    let body = html! {
        div.card {
            h1 { "This form is out of date" }
            p { "It was not made for this browser, or one has signed in since. Nothing was done." }
            p { a.button href="/console" { "To the overview" } }
        }
    };
    secured((StatusCode::FORBIDDEN, document("Out of date", html! {}, html! {}, body)).into_response())
}

/// Something failed; the id leads to the log.
pub(super) fn failed(error: &ApiError) -> Response {
    if error.status.is_server_error() {
        error.log();
    }
    let body = html! {
        div.card {
            h1 { (error.message) }
            p.muted { "Reference " code { (error.error_id) } ". If something was being changed, nothing was." }
            p { a.button href="/console" { "To the overview" } }
        }
    };
    secured((error.status, document("Not done", html! {}, html! {}, body)).into_response())
}

/// Nothing has this id.
pub(super) fn absent(console: &Console, room: &str, what: &str) -> Response {
    let body = html! {
        h1 { "Not here" }
        p { (what) }
        p { a.button href=(room) { "Back to the list" } }
    };
    console.answer((StatusCode::NOT_FOUND, page(console, room, "Not here", body)))
}
