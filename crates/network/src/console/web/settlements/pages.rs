//! Pages of settlements.

use kit::http::ApiError;
use maud::{Markup, html};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::super::pages::{act, empty, id, money, object, page, pager, problems, state, stated, words};
use super::super::session::{Console, field};
use super::{LINES, ROOM};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn amount(value: &Value, name: &str) -> String {
    money(value[name].as_i64().unwrap_or_default(), text(value, "currency"))
}

/// Settlements, newest first.
pub(super) fn list(console: &Console, query: &[(String, String)], found: &Value, error: Option<&ApiError>) -> Markup {
    let rows: Vec<&Value> = found["settlements"].as_array().into_iter().flatten().rev().collect();
    // The links of the API look the other way.
    let older = found["pagination"]["links"]["prev"].is_object().then(|| text(&found["pagination"], "first_item"));
    let older =
        older.map(|item| format!("{ROOM}?ending_before={}", byte_serialize(item.as_bytes()).collect::<String>()));
    let newest = (!field(query, "ending_before").is_empty()).then_some(ROOM);
    let body = html! {
        h1 { "Settlements" }
        p.lead { "What you are paid for captures, less refunds, chargebacks and fees: every day at 00:00 UTC, and whenever you ask." }
        (problems(error))
        div.forms { (act(console, ROOM, &[], "Settle what has happened since midnight", "primary", None)) }
        @if rows.is_empty() {
            (empty("No settlement", html! { "Capture a payment, then settle above, or move " a href="/console/snapshots" { "the clock" } " to the next day." }))
        } @else {
            div.table tabindex="0" role="region" aria-label="Settlements" {
                table.compact {
                    thead { tr { th scope="col" { "Made" } th scope="col" { "Reference" } th scope="col" { "State" } th.amount scope="col" { "Settled" } th.amount scope="col" { "Carried on" } th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Acquiring account" } } }
                    tbody { @for row in rows { tr {
                        td { (stated(&row["created_at"])) }
                        td { a href={ (ROOM) "/" (text(row, "settlement_id")) } { (text(row, "payment_reference")) } }
                        td { (state(text(row, "state"))) }
                        td.amount { (amount(row, "settlement_amount")) }
                        td.amount { (amount(row, "closing_balance")) }
                        td { (stated(&row["interval_start"])) }
                        td { (stated(&row["interval_end"])) }
                        td { (id(text(row, "payment_acquiring_account_id"))) }
                    } } }
                }
            }
        }
        (pager(newest, older.as_deref()))
    };
    page(console, ROOM, "Settlements", body)
}

/// One settlement: its sums, its lines, its payout.
pub(super) fn detail(
    console: &Console,
    found: &Value,
    lines: &Value,
    payout: Option<&Value>,
    error: Option<&ApiError>,
) -> Markup {
    let here = format!("{ROOM}/{}", text(found, "settlement_id"));
    let currency = text(found, "currency");
    let totals = found["totals"].as_object().into_iter().flatten().filter(|(_, amount)| amount.as_i64() != Some(0));
    let rows = lines["transactions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let all = lines["pagination"]["total"].as_i64().unwrap_or_default();
    let body = html! {
        p { a href=(ROOM) { "All settlements" } }
        (problems(error))
        div.row { h1 { "Settlement " (text(found, "payment_reference")) } (state(text(found, "state"))) }
        dl.facts.card {
            div { dt { "Id" } dd { (id(text(found, "settlement_id"))) } }
            div { dt { "Acquiring account" } dd { (id(text(found, "payment_acquiring_account_id"))) } }
            div { dt { "From" } dd { (stated(&found["interval_start"])) } }
            div { dt { "To" } dd { (stated(&found["interval_end"])) } }
        }
        dl.receipt {
            div { dt { "Opening balance" } dd { (amount(found, "opening_balance")) } }
            @for (name, total) in totals {
                div { dt { (words(name.trim_end_matches("_amount"))) } dd { (money(total.as_i64().unwrap_or_default(), currency)) } }
            }
            div.total { dt { "Settlement amount" } dd { (amount(found, "settlement_amount")) } }
            div { dt { "Carried on" } dd { (amount(found, "closing_balance")) } }
        }
        @if text(found, "state") != "OPEN" {
            p.forms {
                a.button.small href={ (here) "/csv" } { "CSV with every line" }
                a.button.small href={ (here) "/pdf" } { "PDF" }
            }
        }
        (bank(console, &here, payout))
        section.stack aria-labelledby="lines-title" {
            h2 id="lines-title" { "Lines" }
            @if rows.is_empty() { p.muted { "None" } } @else {
                div.table tabindex="0" role="region" aria-labelledby="lines-title" {
                    table.compact {
                        thead { tr { th scope="col" { "When" } th scope="col" { "What" } th.amount scope="col" { "Amount" } th.amount scope="col" { "Tax" } th scope="col" { "Payment" } th scope="col" { "Partner" } } }
                        tbody { @for row in rows { tr {
                            td { (stated(&row["occurred_at"])) }
                            td { (words(text(row, "type"))) @if let Some(more) = row["detailed_type"].as_str() { span.sub { (words(more)) } } }
                            td.amount { (amount(row, "amount")) }
                            td.amount { @if row["tax_amount"].is_i64() { (amount(row, "tax_amount")) } }
                            td { @if let Some(payment) = row["payment_transaction_id"].as_str() { a href={ "/console/payments/" (payment) } { (row["payment_transaction_reference"].as_str().unwrap_or("the payment")) } } }
                            td { (id(text(row, "partner_account_id"))) }
                        } } }
                    }
                }
                @if all > i64::try_from(LINES).unwrap_or(i64::MAX) { p.muted.small { "The first " (LINES) " of " (all) "; the CSV has all." } }
            }
        }
        (object("The settlement as the API shows it", &found.to_string()))
    };
    page(console, ROOM, "Settlement", body)
}

fn bank(console: &Console, here: &str, payout: Option<&Value>) -> Markup {
    html! {
        section.card aria-labelledby="payout-title" {
            @match payout {
                None => {
                    h2 id="payout-title" { "Payout" }
                    p.muted { "None: the balance is carried to the next settlement." }
                }
                Some(payout) => {
                    @let at = text(payout, "status");
                    div.row { h2 id="payout-title" { "Payout of " (amount(payout, "amount")) } (state(at)) }
                    p.muted { "To " (text(payout, "payout_bank_account_reference")) ". By itself it goes to the bank after an hour, and arrives a day later." }
                    div.forms {
                        @if at == "PENDING" { (act(console, here, &[("status", "PROCESSED")], "The bank has it", "", None)) }
                        @if at == "PROCESSED" {
                            (act(console, here, &[("status", "CONFIRMED")], "It arrives", "", None))
                            (act(console, here, &[("status", "FAILED")], "The bank returns it", "danger", None))
                        }
                        @if at == "FAILED" { (act(console, here, &[("status", "PENDING")], "Try it again", "", None)) }
                        @if at == "PENDING" { (act(console, here, &[("outcome", "FAILED")], "Let the bank return it, once", "danger", None)) }
                    }
                }
            }
        }
    }
}
