//! Pages of disputes. The two frameworks have names of their own for the same things.

use kit::http::ApiError;
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::super::pages::{act, csrf, empty, id, money, object, page, pager, problems, state, stated, words};
use super::super::session::{Console, field};
use super::ROOM;

/// What a customer can object to, under both frameworks.
const REASONS: [&str; 6] = [
    "PRODUCTS_OR_SERVICES_NOT_RECEIVED",
    "REFUND_NOT_PROCESSED",
    "PRODUCTS_DEFECTIVE_OR_NOT_AS_DESCRIBED",
    "INCORRECT_AMOUNT",
    "PURCHASE_UNAUTHORIZED",
    "PURCHASE_HIGH_RISK",
];

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Of 2020, or else of 2026.
fn either<'a>(dispute: &'a Value, old: &str, new: &str) -> &'a Value {
    if dispute[old].is_null() { &dispute[new] } else { &dispute[old] }
}

fn reason(dispute: &Value) -> String {
    words(either(dispute, "reason", "dispute_reason").as_str().unwrap_or_default())
}

fn amount(dispute: &Value) -> String {
    let at = if dispute["dispute_details"].is_object() { &dispute["dispute_details"] } else { dispute };
    money(at["dispute_amount"].as_i64().unwrap_or_default(), text(at, "currency"))
}

/// A dispute is called by its number.
fn number(dispute: &Value) -> &str {
    let id = text(dispute, "payment_dispute_id");
    id.rsplit(':').next().unwrap_or(id)
}

/// Disputes, newest first.
pub(super) fn list(console: &Console, query: &[(String, String)], found: &Value) -> Markup {
    let rows = found["disputes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let pagination = &found["pagination"];
    let older = pagination["links"]["next"].is_object().then(|| text(pagination, "last_item"));
    let older =
        older.map(|item| format!("{ROOM}?starting_after={}", byte_serialize(item.as_bytes()).collect::<String>()));
    let newest = (!field(query, "starting_after").is_empty()).then_some(ROOM);
    let body = html! {
        h1 { "Disputes" }
        p.lead { "What customers object to. Open one here or on the page of a captured payment, then decide it as Klarna, or let its time run out." }
        @if rows.is_empty() {
            (empty("No dispute", html! { "A captured payment has a form for one: see " a href="/console/payments" { "Payments" } ". A shopper whose address contains " code { "+disputed-goods_not_received" } " opens one by itself." }))
        } @else {
            div.table tabindex="0" role="region" aria-label="Disputes" {
                table.compact {
                    thead { tr { th scope="col" { "Opened" } th scope="col" { "Dispute" } th scope="col" { "State" } th scope="col" { "Outcome" } th.amount scope="col" { "Amount" } th scope="col" { "Rules" } th scope="col" { "Account" } } }
                    tbody { @for row in rows { tr {
                        td { (stated(either(row, "opened_at", "created_at"))) }
                        td.path { a href={ (ROOM) "/" (text(row, "payment_dispute_id")) } { (reason(row)) } span.sub { (number(row)) } }
                        td { (state(text(row, "state"))) }
                        td { @if let Some(outcome) = row["state_context"]["dispute_outcome"].as_str() { (state(outcome)) } }
                        td.amount { (amount(row)) }
                        td { (rules(row)) }
                        td { (id(text(row, "partner_account_id"))) }
                    } } }
                }
            }
        }
        (pager(newest, older.as_deref()))
    };
    page(console, ROOM, "Disputes", body)
}

fn rules(dispute: &Value) -> &str {
    text(&dispute["configuration"], "base_framework").trim_start_matches("FRAMEWORK_")
}

/// One dispute.
pub(super) fn detail(console: &Console, found: &Value, error: Option<&ApiError>) -> Markup {
    let here = format!("{ROOM}/{}", text(found, "payment_dispute_id"));
    let at = text(found, "state");
    let context = &found["state_context"];
    let deadlines =
        [&found["deadline_expires_at"], &context["representment"]["expires_at"], &context["arbitration_expires_at"]];
    let deadline = deadlines.into_iter().find(|at| at.is_string());
    let do_it =
        |deed: &'static str, label: &str, class: &str| act(console, &here, &[("deed", deed)], label, class, None);
    let body = html! {
        p { a href=(ROOM) { "All disputes" } }
        (problems(error))
        div.row {
            h1 { (reason(found)) }
            (state(at))
            @if let Some(outcome) = context["dispute_outcome"].as_str() { (state(outcome)) }
        }
        dl.facts.card {
            div { dt { "Dispute" } dd { (id(text(found, "payment_dispute_id"))) } }
            div { dt { "Amount" } dd { (amount(found)) } }
            div { dt { "Payment" } dd { a href={ "/console/payments/" (text(found, "payment_transaction_id")) } { "See the payment" } } }
            div { dt { "Account" } dd { (id(text(found, "partner_account_id"))) } }
            div { dt { "Opened" } dd { (stated(either(found, "opened_at", "created_at"))) } }
            @if let Some(deadline) = deadline { div { dt { "This state ends" } dd { (stated(deadline)) } } }
            div { dt { "Rules of" } dd { (rules(found)) } }
        }
        @if at != "CLOSED" {
            section.card aria-labelledby="deeds-title" {
                h2 id="deeds-title" { "Be Klarna, or the customer" }
                p.muted { "What the rules do not allow now is refused, saying why. The Partner's own part goes over the API: evidence, appeal, accepting the loss." }
                div.forms {
                    (do_it("won", "Klarna finds for the Partner", ""))
                    (do_it("lost", "Klarna finds for the customer", "danger"))
                    @if rules(found) == "2020" {
                        (do_it("escalate", "Klarna begins arbitration", ""))
                        (do_it("request-evidence", "Klarna asks for evidence", ""))
                    }
                    (do_it("lapse", "The time of this state runs out", ""))
                    (do_it("withdraw", "The customer lets go", ""))
                }
            }
        }
        (object("The dispute as the API shows it", &found.to_string()))
    };
    page(console, ROOM, "Dispute", body)
}

/// A form on the page of a payment: its customer objects to a capture.
pub(in crate::console::web) fn opening(console: &Console, account: &str, captures: &[Value]) -> Markup {
    html! {
        @if !captures.is_empty() {
            section.card aria-labelledby="dispute-title" {
                h2 id="dispute-title" { "Let the customer dispute it" }
                form.filters method="post" action=(ROOM) {
                    (csrf(console))
                    input type="hidden" name="account_id" value=(account);
                    div.field {
                        label for="payment_capture_id" { "Capture" }
                        select id="payment_capture_id" name="payment_capture_id" {
                            @for capture in captures {
                                @let value = text(capture, "payment_capture_id");
                                option value=(value) { (money(capture["capture_amount"].as_i64().unwrap_or_default(), text(capture, "currency"))) ", capture " (value.rsplit(':').next().unwrap_or_default()) }
                            }
                        }
                    }
                    div.field {
                        label for="reason" { "Reason" }
                        select id="reason" name="reason" { @for reason in REASONS { option value=(reason) { (words(reason)) } } }
                    }
                    button.button type="submit" { "Open a dispute" }
                }
            }
        }
    }
}
