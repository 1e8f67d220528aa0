//! Pages of webhooks, deliveries, events and accounts.

use kit::deliveries::{Attempt, Delivery};
use maud::{Markup, html};

use super::super::explain::lines;
use super::super::pages::{act, empty, id, moment, page, pager, state, time};
use super::super::session::{Console, field};
use super::super::store::{DeliveryLine, EventLine, WebhookLine};
use super::{ROOM, SIZE};
use crate::console::calls::mask;

/// Webhooks and their deliveries.
pub(super) fn list(
    console: &Console,
    query: &[(String, String)],
    webhooks: &[WebhookLine],
    mut deliveries: Vec<DeliveryLine>,
) -> Markup {
    let now = console.ctx.clock.now();
    let size = usize::try_from(SIZE).unwrap_or(usize::MAX);
    let more = deliveries.len() > size;
    deliveries.truncate(size);
    let (webhook, wanted) = (field(query, "webhook_id"), field(query, "state"));
    let kept = format!("webhook_id={webhook}&state={wanted}");
    let next = deliveries.last().filter(|_| more);
    let next = next.map(|row| format!("{ROOM}?{kept}&starting_after={}~{}", row.created_at, row.delivery_id));
    let first = (!field(query, "starting_after").is_empty()).then(|| format!("{ROOM}?{kept}"));
    let body = html! {
        h1 { "Webhooks" }
        section.stack aria-labelledby="webhooks-title" {
            h2 id="webhooks-title" { "Subscriptions" }
            @if webhooks.is_empty() {
                (empty("No webhook", html! { "Make a signing key with " code { "POST /v2/notification/signing-keys" } ", then a webhook with " code { "POST /v2/notification/webhooks" } "." }))
            } @else {
                div.table tabindex="0" role="region" aria-labelledby="webhooks-title" {
                    table.compact {
                        thead { tr { th scope="col" { "Webhook" } th scope="col" { "State" } th scope="col" { "Goes to" } th scope="col" { "Events" } th scope="col" { "Account" } } }
                        tbody { @for row in webhooks { tr {
                            td { (id(&row.webhook_id)) span.sub { a href={ (ROOM) "?webhook_id=" (row.webhook_id) } { "Its deliveries" } } }
                            td { (state(&row.status)) }
                            td.path { (row.url) span.sub { (row.event_version) } }
                            td.path { (serde_json::from_str::<Vec<String>>(&row.event_types).unwrap_or_default().join(", ")) }
                            td { (id(&row.account_id)) }
                        } } }
                    }
                }
            }
        }
        section.stack aria-labelledby="deliveries-title" {
            h2 id="deliveries-title" { "Deliveries" }
            form.filters method="get" action=(ROOM) {
                div.field {
                    label for="state" { "State" }
                    select id="state" name="state" {
                        option value="" { "Any" }
                        @for name in ["PENDING", "RETRYING", "DELIVERED", "FAILED", "DROPPED"] { option value=(name) selected[wanted == name] { (name) } }
                    }
                }
                div.field { label for="webhook_id" { "Webhook" } input id="webhook_id" name="webhook_id" type="text" value=(webhook) autocomplete="off"; }
                button.button type="submit" { "Filter" }
            }
            @if deliveries.is_empty() {
                (empty("No delivery", html! { "An event that a webhook asks for is delivered here. " code { "POST /v2/notification/webhooks/{webhook_id}/simulate" } " makes one." }))
            } @else {
                div.table tabindex="0" role="region" aria-labelledby="deliveries-title" {
                    table.compact {
                        thead { tr { th scope="col" { "Made" } th scope="col" { "Event" } th scope="col" { "State" } th.amount scope="col" { "Attempts" } th scope="col" { "Next attempt" } th scope="col" { "Webhook" } } }
                        tbody { @for row in &deliveries { tr {
                            td { (time(row.created_at, now)) }
                            td { a href={ (ROOM) "/" (row.owner) "/" (row.delivery_id) } { (row.event_type) } }
                            td { (state(&row.state)) }
                            td.amount { (row.attempts) }
                            td { @if let Some(next) = row.next_at { (time(next, now)) } }
                            td { (id(&row.target)) }
                        } } }
                    }
                }
            }
            (pager(first.as_deref(), next.as_deref()))
        }
    };
    page(console, ROOM, "Webhooks", body)
}

/// One delivery with its attempts.
pub(super) fn detail(console: &Console, delivery: &Delivery, attempts: &[Attempt]) -> Markup {
    let now = console.ctx.clock.now();
    let replay = format!("{ROOM}/{}/{}/replay", delivery.owner, delivery.delivery_id);
    let body = html! {
        p { a href=(ROOM) { "All deliveries" } }
        div.row { h1 { (delivery.event_type) } (state(&delivery.state)) }
        dl.facts.card {
            div { dt { "Delivery" } dd { (id(&delivery.delivery_id)) } }
            div { dt { "Event" } dd { (id(&delivery.event_id)) } }
            div { dt { "Webhook" } dd { (id(&delivery.target)) } }
            div { dt { "Account" } dd { (id(&delivery.owner)) } }
            div { dt { "Made" } dd { (moment(delivery.created_at)) } }
            @if let Some(next) = delivery.next_at { div { dt { "Next attempt" } dd { (moment(next)) " (" (time(next, now)) ")" } } }
        }
        div.forms { (act(console, &replay, &[], "Send it once more", "primary", None)) }
        section.stack aria-labelledby="attempts-title" {
            h2 id="attempts-title" { "Attempts" }
            @if attempts.is_empty() { p.muted { "None yet" } }
            ol.timeline {
                @for attempt in attempts {
                    li class=(if attempt.status.is_some_and(|status| (200..300).contains(&status)) { "done" } else { "refused" }) {
                        (moment(attempt.started_at))
                        strong {
                            @if let Some(status) = attempt.status { "Answered " (status) } @else { "No answer" }
                            " after " (attempt.duration_us / 1_000) " ms"
                        }
                        p.small { (attempt.url) }
                        @if let Some(error) = &attempt.error { p.error { (error) } }
                        @if let Some(response) = &attempt.response { details { summary { "The beginning of the answer" } pre tabindex="0" { code { (response) } } } }
                    }
                }
            }
        }
        section.stack aria-labelledby="body-title" {
            h2 id="body-title" { "The body of every attempt" }
            (json(&String::from_utf8_lossy(&delivery.body)))
        }
    };
    page(console, ROOM, "Delivery", body)
}

fn json(text: &str) -> Markup {
    html! { pre.said tabindex="0" { code { @for line in lines(&mask::body(text), &[]) { span.line { (line.text) } } } } }
}

/// What the Acquiring Partner was told.
pub(super) fn events(console: &Console, query: &[(String, String)], mut rows: Vec<EventLine>) -> Markup {
    let now = console.ctx.clock.now();
    let size = usize::try_from(SIZE).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let kind = field(query, "type");
    let next = rows.last().filter(|_| more);
    let next =
        next.map(|row| format!("/console/events?type={kind}&starting_after={}~{}", row.created_at, row.event_id));
    let first = (!field(query, "starting_after").is_empty()).then(|| format!("/console/events?type={kind}"));
    let body = html! {
        h1 { "Events" }
        p.lead { "Everything that you were told, or would have been with a webhook, about yourself and the accounts under you." }
        form.filters method="get" action="/console/events" role="search" {
            div.field { label for="type" { "Type" } input id="type" name="type" type="text" value=(kind) placeholder="payment.request" autocomplete="off"; }
            button.button type="submit" { "Filter" }
        }
        @if rows.is_empty() {
            (empty("No event", html! { "Whatever changes makes one: a Payment Request, a capture, an account. " a href="/console" { "Make a first payment" } "." }))
        } @else {
            div.table tabindex="0" role="region" aria-label="Events" {
                table.compact {
                    thead { tr { th scope="col" { "When" } th scope="col" { "Event, with its payload" } th scope="col" { "About" } th scope="col" { "Id" } } }
                    tbody { @for row in &rows { tr {
                        td { (time(row.occurred_at, now)) @if row.simulated { span.sub { "simulated" } } }
                        td.path { details { summary { (row.event_type) } (json(&row.payload)) } }
                        td { (id(&row.subject_account_id)) }
                        td { (id(&row.event_id)) }
                    } } }
                }
            }
        }
        (pager(first.as_deref(), next.as_deref()))
    };
    page(console, "/console/events", "Events", body)
}
