//! Pages of payments.

use kit::http::ApiError;
use maud::{Markup, html};

use super::super::disputes::opening;
use super::super::pages::{act, csrf, empty, id, moment, money, object, page, pager, problems, state, time, words};
use super::super::requests::rows;
use super::super::session::{Console, field};
use super::{Lists, Payment, ROOM, SIZE};
use crate::console::journeys::PERSONAS;

/// Requests and transactions, newest first.
pub(super) fn list(console: &Console, query: &[(String, String)], lists: Lists) -> Markup {
    let Lists { mut requests, mut transactions } = lists;
    let now = console.ctx.clock.now();
    let size = usize::try_from(SIZE).unwrap_or(usize::MAX);
    let only_open = field(query, "open") == "true";
    let kept = if only_open { "&open=true" } else { "" };
    let first =
        |name: &str| (!field(query, name).is_empty()).then(|| format!("{ROOM}?{}", kept.trim_start_matches('&')));
    let (more_requests, more_transactions) = (requests.len() > size, transactions.len() > size);
    requests.truncate(size);
    transactions.truncate(size);
    let next_requests = requests.last().filter(|_| more_requests);
    let next_requests = next_requests.map(|row| format!("{ROOM}?requests={}~{}{kept}", row.created_at, row.request_id));
    let next_transactions = transactions.last().filter(|_| more_transactions);
    let next_transactions =
        next_transactions.map(|row| format!("{ROOM}?transactions={}~{}{kept}", row.created_at, row.transaction_id));
    let body = html! {
        h1 { "Payments" }
        section.stack aria-labelledby="requests-title" {
            div.row.spread {
                h2 id="requests-title" { "Payment Requests" }
                @if only_open { a href=(ROOM) { "Show all" } } @else { a href={ (ROOM) "?open=true" } { "Only open ones" } }
            }
            @if requests.is_empty() {
                (empty("No Payment Request", html! { "A call of " code { "authorize" } " that needs the customer makes one; the " a href="/console" { "overview" } " has a command." }))
            } @else {
                div.table tabindex="0" role="region" aria-labelledby="requests-title" {
                    table.compact {
                        thead { tr { th scope="col" { "Made" } th scope="col" { "Payment Request" } th scope="col" { "State" } th.amount scope="col" { "Amount" } th scope="col" { "Account" } th scope="col" { "Expires" } } }
                        tbody { @for row in &requests { tr {
                            td { (time(row.created_at, now)) }
                            td { a href={ (ROOM) "/" (row.request_id) } { (tail(&row.request_id)) } }
                            td { (state(&row.state)) }
                            td.amount { @if let Some(amount) = row.amount { (money(amount, &row.currency)) } @else { "token only" } }
                            td { (id(&row.account_id)) }
                            td { (time(row.expires_at, now)) }
                        } } }
                    }
                }
            }
            (pager(first("requests").as_deref(), next_requests.as_deref()))
        }
        section.stack aria-labelledby="transactions-title" {
            h2 id="transactions-title" { "Payment Transactions" }
            @if transactions.is_empty() {
                (empty("No Payment Transaction", html! { "An approved " code { "authorize" } " makes one." }))
            } @else {
                div.table tabindex="0" role="region" aria-labelledby="transactions-title" {
                    table.compact {
                        thead { tr { th scope="col" { "Made" } th scope="col" { "Reference" } th scope="col" { "State" } th.amount scope="col" { "Authorized" } th.amount scope="col" { "Captured" } th.amount scope="col" { "Refunded" } th scope="col" { "Account" } } }
                        tbody { @for row in &transactions { tr {
                            td { (time(row.created_at, now)) }
                            td { a href={ (ROOM) "/" (row.transaction_id) } { (row.reference.as_deref().unwrap_or_else(|| tail(&row.transaction_id))) } }
                            td { (state(&row.state)) }
                            td.amount { (money(row.amount, &row.currency)) }
                            td.amount { (money(row.captured, &row.currency)) }
                            td.amount { (money(row.refunded, &row.currency)) }
                            td { (id(&row.account_id)) }
                        } } }
                    }
                }
            }
            (pager(first("transactions").as_deref(), next_transactions.as_deref()))
        }
    };
    page(console, ROOM, "Payments", body)
}

/// The last part of an id: enough to tell two apart.
fn tail(text: &str) -> &str {
    text.rsplit(':').next().unwrap_or(text)
}

/// One payment.
pub(super) fn detail(console: &Console, payment: &Payment, error: Option<&ApiError>) -> Markup {
    let now = console.ctx.clock.now();
    let body = html! {
        p { a href=(ROOM) { "All payments" } }
        (problems(error))
        @if let Some(found) = &payment.request {
            @let request = &found.request;
            div.row { h1 { "Payment Request" } (state(request.state.as_str())) }
            dl.facts.card {
                div { dt { "Id" } dd { (id(&payment.id)) } }
                div { dt { "Account" } dd { (id(&payment.account)) } }
                div { dt { "Amount" } dd { @if let Some(amount) = request.amount { (money(amount, request.currency.code())) } @else { "A token only" } } }
                div { dt { "Made" } dd { (moment(request.created_at)) } }
                div { dt { "Expires" } dd { (moment(request.expires_at)) " (" (time(request.expires_at, now)) ")" } }
                @if let Some(until) = request.pending_until { div { dt { "Verdict" } dd { (time(until, now)) } } }
            }
            @if request.state.is_open() { (journey(console, payment)) }
            (object("The object as the Partner reads it, tokens masked", &serde_json::to_string(&found.object).unwrap_or_default()))
        }
        @if let Some((line, text)) = &payment.transaction {
            @let remaining = line.amount - line.captured - line.voided;
            div.row { h1 { "Payment Transaction" } (state(&line.state)) }
            dl.facts.card {
                div { dt { "Id" } dd { (id(&payment.id)) } }
                div { dt { "Reference" } dd { (line.reference.as_deref().unwrap_or("none")) } }
                div { dt { "Account" } dd { (id(&payment.account)) } }
                div { dt { "Made" } dd { (moment(line.created_at)) } }
                div { dt { "Authorization expires" } dd { (moment(line.expires_at)) } }
                div { dt { "Funding" } dd { (words(&line.funding)) } }
            }
            (bar(line.amount, line.captured, line.refunded + line.charged_back))
            ul.legend {
                li.captured { "Captured " (money(line.captured, &line.currency)) }
                li.refunded { "Given back " (money(line.refunded + line.charged_back, &line.currency)) }
                li { "Remaining " (money(remaining, &line.currency)) " of " (money(line.amount, &line.currency)) }
                @if line.voided > 0 { li { "Voided " (money(line.voided, &line.currency)) } }
            }
            @if line.funding == "PENDING" {
                section.stack aria-labelledby="money-title" {
                    h2 id="money-title" { "The money" }
                    p { "This payment is not guaranteed: its money comes later, or not at all." }
                    @let fund = format!("{ROOM}/{}/fund", payment.id);
                    div.forms {
                        (act(console, &fund, &[("state", "FUNDED")], "Let the money come", "primary", None))
                        (act(console, &fund, &[("state", "EXPIRED")], "Let it never come", "danger", None))
                    }
                }
            }
            @let object_of: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            (opening(console, &payment.account, object_of["payment_captures"].as_array().map(Vec::as_slice).unwrap_or_default()))
            (object("The object as the Partner reads it", text))
        }
        @if payment.request.is_none() && payment.transaction.is_none() {
            h1 { "Payment" }
            dl.facts.card {
                div { dt { "Id" } dd { (id(&payment.id)) } }
                div { dt { "Account" } dd { (id(&payment.account)) } }
            }
            p { "It can be read no more: a Payment Request is there for 24 hours after its end. What was told of it, and called, remains." }
        }
        section.stack aria-labelledby="told-title" {
            h2 id="told-title" { "What was told" }
            @if payment.told.is_empty() { p.muted { "No event yet" } }
            ol.timeline {
                @for event in &payment.told {
                    li class=(tone(&event.event_type)) {
                        (moment(event.occurred_at))
                        strong { (event.event_type) }
                    }
                }
            }
        }
        section.stack aria-labelledby="calls-title" {
            h2 id="calls-title" { "Calls that mention it" }
            @if payment.calls.is_empty() { p.muted { "None in the request log" } } @else {
                div.table tabindex="0" role="region" aria-labelledby="calls-title" {
                    table.compact { tbody { (rows(&payment.calls, now)) } }
                }
            }
        }
    };
    page(console, ROOM, "Payment", body)
}

fn tone(event_type: &str) -> &'static str {
    match event_type.rsplit('.').next().unwrap_or_default() {
        "authorized" | "completed" | "created" | "captured" | "funded" => "done",
        "submitted" | "in-progress" => "waiting",
        "declined" | "chargeback" => "refused",
        _ => "ended",
    }
}

/// Play the customer.
fn journey(console: &Console, payment: &Payment) -> Markup {
    let action = format!("{ROOM}/{}/customer", payment.id);
    let url = payment.request.as_ref().and_then(|found| {
        let context = found.object.state_context.as_ref()?;
        context.customer_interaction.as_ref()?.payment_request_url.clone()
    });
    html! {
        section.card aria-labelledby="journey-title" {
            h2 id="journey-title" { "Play the customer" }
            form.stack method="post" action=(action) {
                (csrf(console))
                div.filters {
                    div.field {
                        label for="persona" { "As" }
                        select id="persona" name="persona" {
                            @for (name, email) in PERSONAS { option value=(name) title=(email) { (name.replace('_', " ")) } }
                        }
                    }
                    div.field {
                        label for="email" { "Or as this address" }
                        input id="email" name="email" type="email" autocomplete="off";
                    }
                }
                div.forms {
                    button.button.primary type="submit" name="deed" value="complete" { "Complete" }
                    button.button type="submit" name="deed" value="decline" { "Decline" }
                    button.button type="submit" name="deed" value="abandon" { "Abandon" }
                    button.button type="submit" name="deed" value="enter" { "Only open it" }
                }
            }
            @if let Some(url) = url { p { a href=(url) { "Go the way yourself, in this browser" } } }
        }
    }
}

/// The money as one bar.
fn bar(amount: i64, captured: i64, given_back: i64) -> Markup {
    let share =
        |part: i64| i64::try_from(i128::from(part) * 1_000 / i128::from(amount.max(1))).unwrap_or(0).clamp(0, 1_000);
    let (captured, given_back) = (share(captured), share(given_back));
    html! {
        svg.money-bar viewBox="0 0 1000 12" preserveAspectRatio="none" role="img" aria-label="Share that was captured and given back" {
            rect.remaining x="0" y="0" width="1000" height="12" {}
            rect.captured x="0" y="0" width=(captured) height="12" {}
            rect.refunded x="0" y="0" width=(given_back) height="12" {}
        }
    }
}
