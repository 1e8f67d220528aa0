//! The request log's pages.

use kit::http::ApiError;
use maud::{Markup, html};
use url::form_urlencoded;

use super::super::explain::{Explained, lines};
use super::super::pages::{command, empty, id, moment, page, pager, problems, time};
use super::super::session::{Console, field};
use crate::console::calls::Message;
use crate::console::calls::find::Call;
use crate::console::calls::mask::MASK;

const HERE: &str = "/console/requests";
const FILTERS: [&str; 8] = ["text", "method", "status", "operation", "path", "account_id", "correlation_id", "since"];

fn address(query: &[(String, String)], path: &str, more: &[(&str, &str)]) -> String {
    let mut out = form_urlencoded::Serializer::new(String::new());
    for name in FILTERS {
        let value = field(query, name);
        if !value.is_empty() {
            out.append_pair(name, value);
        }
    }
    out.extend_pairs(more);
    let query = out.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The list with its filter.
pub(super) fn list(
    console: &Console,
    query: &[(String, String)],
    calls: &[Call],
    more: bool,
    refused: Option<&ApiError>,
) -> Markup {
    let now = console.ctx.clock.now();
    let is_filtered = FILTERS.iter().any(|name| !field(query, name).is_empty());
    let first_page = field(query, "starting_after").is_empty();
    // A filter that is refused would be refused again and again.
    let goes_on = first_page && refused.is_none();
    let last = calls.first().map_or("", |call| call.row.call_id.as_str());
    let next = calls.last().filter(|_| more).map(|call| address(query, HERE, &[("starting_after", &call.row.call_id)]));
    let newest = (!first_page).then(|| address(query, HERE, &[]));
    let select = |name: &str, label: &str, values: &[&str]| {
        html! {
            div.field {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    option value="" { "Any" }
                    @for value in values { option value=(value) selected[field(query, name) == *value] { (value) } }
                }
            }
        }
    };
    let input = |name: &str, label: &str, hint: &str| {
        html! {
            div.field {
                label for=(name) { (label) }
                input id=(name) name=(name) type="text" value=(field(query, name)) placeholder=(hint) autocomplete="off" spellcheck="false";
            }
        }
    };
    let body = html! {
        h1 { "Requests" }
        (problems(refused))
        form.stack method="get" action=(HERE) role="search" {
            div.filters {
                (input("text", "Anywhere in it", "order-1"))
                (select("method", "Method", &["GET", "POST", "PUT", "PATCH", "DELETE"]))
                (select("status", "Status", &["2xx", "4xx", "5xx", "400", "401", "403", "404", "409", "429"]))
                (input("operation", "Operation", "authorizePayment"))
                button.button type="submit" { "Filter" }
            }
            details open[["path", "account_id", "correlation_id", "since"].iter().any(|name| !field(query, name).is_empty())] {
                summary { "More filters" }
                div.filters {
                    (input("path", "Path, * for anything", "/v2/*/authorize"))
                    (input("account_id", "Account", "krn:partner:…"))
                    (input("correlation_id", "Correlation id", ""))
                    (input("since", "Since", "2026-03-02T10:00:00Z"))
                }
            }
        }
        div.tail-bar {
            @if goes_on {
                label hidden { input type="checkbox" data-tail-follow; " Follow new calls" }
                button.button.small.primary type="button" hidden data-tail-offer aria-live="polite" { "New calls" }
            }
            @if is_filtered { a href=(HERE) { "Clear the filter" } }
            a href=(address(query, "/console/requests/export.har", &[])) download="network.har" { "Export as HAR" }
            @if console.ctx.observer.pushed_out() > 0 {
                span.muted.small { (console.ctx.observer.pushed_out()) " calls came faster than they were written, and are not here" }
            }
            @if console.ctx.observer.log().is_none() { span.muted.small { "The request log is switched off" } }
        }
        div.table tabindex="0" role="region" aria-label="Calls" data-tail[goes_on] data-last=[goes_on.then_some(last)] hidden[calls.is_empty()] {
            table.compact {
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Answer" } th scope="col" { "Call" }
                    th.amount scope="col" { "Took" } th scope="col" { "Account" }
                } }
                tbody { (rows(calls, now)) }
            }
        }
        @if calls.is_empty() {
            @if is_filtered || !first_page {
                (empty("No call fits", html! { a href=(HERE) { "Show all calls" } }))
            } @else {
                div.empty data-tail-empty {
                    p { strong { "No call yet" } }
                    p { "Every call to this network appears here with headers and bodies, secrets masked. Make one:" }
                    (command("first-call", &format!("curl -u \":$API_KEY\" {}/v2/notification/webhooks", console.ctx.config.base_url)))
                }
            }
        }
        (pager(newest.as_deref(), next.as_deref()))
    };
    page(console, HERE, "Requests", body)
}

/// Rows of the list, newest first.
pub(in crate::console::web) fn rows(calls: &[Call], now: i64) -> Markup {
    html! {
        @for Call { row, .. } in calls {
            tr id=(row.call_id) {
                td { (time(row.occurred_at, now)) }
                td { (status(row.status)) @if let Some(code) = &row.error_code { span.sub { (code) } } @if row.fault_id.is_some() { span.sub { "by a fault rule" } } }
                td.path {
                    a href={ (HERE) "/" (row.call_id) } { (row.method) " " (row.operation.as_deref().unwrap_or(&row.path)) }
                    @if row.operation.is_some() { span.sub { (row.path) } }
                }
                td.amount { (took(row.duration_us)) }
                td { @if let Some(account) = &row.account_id { (id(account)) } @else { span.muted { "unknown" } } }
            }
        }
    }
}

fn took(micros: i64) -> String {
    if micros < 10_000 {
        format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100)
    } else {
        format!("{} ms", micros / 1_000)
    }
}

fn status(status: Option<i64>) -> Markup {
    let (class, text) = match status {
        Some(status @ 200..=299) => ("done", status.to_string()),
        Some(status @ 300..=399) => ("ended", status.to_string()),
        Some(status @ 400..=499) => ("waiting", status.to_string()),
        Some(status) => ("refused", status.to_string()),
        None => ("refused", "no answer".to_owned()),
    };
    html! { span class={ "badge " (class) } { (text) } }
}

/// One call.
pub(super) fn detail(console: &Console, call: &Call, explained: &Explained) -> Markup {
    let row = &call.row;
    let title = format!("{} {}", row.method, row.operation.as_deref().unwrap_or(&row.path));
    let refused = row.status.is_none_or(|status| status >= 400);
    let subject = row.path.split('/').find(|segment| segment.starts_with("krn:payment:"));
    let body = html! {
        p { a href=(HERE) { "All requests" } }
        div.row { h1 { (title) } (status(row.status)) }
        @if refused { (why(call, explained)) }
        dl.facts.card {
            div { dt { "When" } dd { (moment(row.occurred_at)) } }
            div { dt { "Took" } dd { (took(row.duration_us)) } }
            div { dt { "Account" } dd { @if let Some(account) = &row.account_id { (id(account)) } @else { "unknown" } } }
            div { dt { "Klarna-Correlation-Id" } dd { @if let Some(correlation) = &row.correlation_id { (id(correlation)) } @else { "none" } } }
            @if let Some(correlation) = &row.partner_correlation_id { div { dt { "Partner-Correlation-Id" } dd { (id(correlation)) } } }
            @if let Some(who) = explained.who { div { dt { "Who may call it" } dd { (who) } } }
            @if let Some(template) = &explained.template { div { dt { "Served at" } dd { code { (template) } } } }
            @if let Some(fault) = &row.fault_id { div { dt { "Fault rule" } dd { (id(fault)) } } }
        }
        @if let Some(summary) = explained.summary { p { (summary) "." } }
        @if let Some(subject) = subject {
            p { a href={ "/console/payments/" (subject) } { "See how it stands now" } }
        }
        div.pair {
            section.stack aria-labelledby="request-title" {
                h2 id="request-title" { "Request" }
                p { code { (row.method) " " (row.path) @if let Some(query) = &call.detail.query { "?" (query) } } }
                (said(&call.detail.request, explained, true))
            }
            section.stack aria-labelledby="response-title" {
                h2 id="response-title" { "Answer" }
                p { code { @if let Some(status) = row.status { (status) } @else { "none" } @if let Some(code) = &row.error_code { " " (code) } } }
                (said(&call.detail.response, explained, false))
            }
        }
        section.stack aria-labelledby="again-title" {
            h2 id="again-title" { "The same call again" }
            (command("again", &curl(console, call)))
        }
        @if !explained.fields.is_empty() {
            details {
                summary { "What this operation takes: " (explained.fields.len()) " fields" }
                div.table tabindex="0" role="region" aria-label="Fields" {
                    table {
                        thead { tr { th scope="col" { "Field" } th scope="col" { "What can stand there" } th scope="col" { "Must" } } }
                        tbody {
                            @for field in &explained.fields {
                                tr { td { code { (field.path) } } td { (field.wanted) } td { @if field.required { "yes" } } }
                            }
                        }
                    }
                }
            }
        }
    };
    page(console, HERE, &title, body)
}

fn why(call: &Call, explained: &Explained) -> Markup {
    let answer: serde_json::Value = serde_json::from_str(&call.detail.response.body).unwrap_or_default();
    html! {
        div.callout.refused {
            h2 { "Why it was refused" }
            @if let Some(message) = answer["error_message"].as_str() { p { strong { (message) } } }
            @if let Some(advice) = &explained.advice { p { (advice) } }
        }
        @if !explained.faults.is_empty() {
            div.table tabindex="0" role="region" aria-label="Fields at fault" {
                table.stacking {
                    thead { tr { th scope="col" { "Field" } th scope="col" { "What is wrong" } th scope="col" { "What would pass" } } }
                    tbody {
                        @for fault in &explained.faults {
                            tr {
                                td { code { (fault.parameter) } }
                                td { (fault.reason) }
                                td data-label="Would pass" { @if let Some(wanted) = &fault.wanted { (wanted) } @else { span.muted { "a rule about several fields, or a header" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn said(message: &Message, explained: &Explained, marks: bool) -> Markup {
    let faults = if marks { explained.faults.as_slice() } else { &[] };
    html! {
        @if message.bytes == 0 {
            p.muted { "No body" }
        } @else if message.body.is_empty() {
            p.muted { "The body of " (message.bytes) " bytes was not kept" }
        } @else {
            pre.said tabindex="0" { code {
                @for line in lines(&message.body, faults) {
                    span class=(if line.why.is_empty() { "line" } else { "line fault" }) { (line.text) }
                    @for why in &line.why { span.line.fault.why { "↑ " (why) } }
                }
            } }
            @if message.clipped { p.muted.small { "Only the beginning of " (message.bytes) " bytes was kept" } }
        }
        details.headers {
            summary { (message.headers.len()) " headers" }
            div.table tabindex="0" role="region" aria-label="Headers" {
                table { tbody { @for (name, value) in &message.headers { tr { th scope="row" { (name) } td { code { (value) } } } } } }
            }
        }
    }
}

/// A command that makes the call again, with the key left to whoever runs it.
fn curl(console: &Console, call: &Call) -> String {
    let quoted = |text: &str| text.replace('\'', "'\\''");
    let query = call.detail.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    let mut out = format!(
        "curl -X {} -u \":$API_KEY\" '{}{}{}'",
        call.row.method,
        console.ctx.config.base_url,
        quoted(&call.row.path),
        quoted(&query)
    );
    for (name, value) in &call.detail.request.headers {
        let is_sent = name.starts_with("klarna-") || name.starts_with("partner-") || name == "content-type";
        // A repeated idempotency key would only repeat the first answer.
        if is_sent && name != "klarna-idempotency-key" && !value.contains(MASK) {
            out.push_str(&format!(" \\\n  -H '{name}: {}'", quoted(value)));
        }
    }
    if !call.detail.request.body.is_empty() {
        out.push_str(&format!(" \\\n  -d '{}'", quoted(&call.detail.request.body)));
    }
    out
}
