//! Pages of accounts.

use kit::http::ApiError;
use maud::{Markup, html};
use protocol::shapes::accounts::DECISION_TYPES;
use serde_json::Value;

use super::super::pages::{act, csrf, empty, id, object, page, problems, state, stated, time, words};
use super::super::session::Console;
use super::ROOM;
use crate::console::journeys::store::AccountRow;

/// The Acquiring Partner and the accounts under it.
pub(super) fn list(console: &Console, rows: &[AccountRow]) -> Markup {
    let now = console.ctx.clock.now();
    let body = html! {
        h1 { "Accounts" }
        p.lead { "The Acquiring Partner and the accounts under it. " code { "POST /v2/distribution/onboard" } " makes more; open one to decide about it as Klarna does." }
        div.table tabindex="0" role="region" aria-label="Accounts" {
            table.compact {
                thead { tr { th scope="col" { "Name" } th scope="col" { "State" } th scope="col" { "Account" } th scope="col" { "Reference" } th scope="col" { "Made" } th scope="col" { "See" } } }
                tbody { @for row in rows { tr {
                    td.path { a href={ (ROOM) "/" (row.account_id) } { (row.name) } span.sub { (words(&row.kind)) } }
                    td { (state(&row.state)) }
                    td { (id(&row.account_id)) }
                    td { (row.reference) }
                    td { (time(row.created_at, now)) }
                    td { a href={ "/console/requests?account_id=" (row.account_id) } { "Its requests" } }
                } } }
            }
        }
    };
    page(console, ROOM, "Accounts", body)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// One account: what it may do, and what Klarna decides about it.
pub(super) fn detail(console: &Console, account: &Value, decisions: &Value, error: Option<&ApiError>) -> Markup {
    let account_id = text(account, "partner_account_id");
    let here = format!("{ROOM}/{account_id}");
    let is_disabled = text(account, "state") == "DISABLED";
    let is_partner = account_id != console.account;
    let products = account["products"].as_array().map(Vec::as_slice).unwrap_or_default();
    let body = html! {
        p { a href=(ROOM) { "All accounts" } }
        (problems(error))
        div.row { h1 { (text(account, "partner_account_name")) } (state(text(account, "state"))) }
        dl.facts.card {
            div { dt { "Account" } dd { (id(account_id)) } }
            div { dt { "Reference" } dd { (text(account, "partner_account_reference")) } }
            div { dt { "Made" } dd { (stated(&account["created_at"])) } }
            div { dt { "See" } dd { a href={ "/console/requests?account_id=" (account_id) } { "Its requests" } } }
        }
        @for product in products { (payment_product(console, &here, product)) }
        @if products.is_empty() && is_partner { (empty("No payment product", html! { "Payments need one: onboarding makes it." })) }
        @if is_partner {
            section.card aria-labelledby="klarna-title" {
                h2 id="klarna-title" { "Be Klarna" }
                form.stack method="post" action=(here) {
                    (csrf(console))
                    div.filters {
                        div.field {
                            label for="decision_type" { "Compliance decision" }
                            p.help id="decision-help" { "Disables the payment product, and tells of both" }
                            select id="decision_type" name="decision_type" aria-describedby="decision-help" {
                                @for kind in DECISION_TYPES { option value=(kind) { (words(kind)) } }
                            }
                        }
                        div.field {
                            label for="product_state" { "The product becomes" }
                            select id="product_state" name="product_state" {
                                option value="" { "Disabled" }
                                option value="TERMINATED" { "Terminated" }
                            }
                        }
                        button.button.danger type="submit" name="deed" value="decision" { "Decide" }
                    }
                }
                div.forms {
                    @if is_disabled {
                        (act(console, &here, &[("deed", "account"), ("state", "OPERATIONAL")], "Lift the account's disablement", "", None))
                    } @else {
                        (act(console, &here, &[("deed", "account"), ("state", "DISABLED")], "Disable the account", "danger",
                            Some(&format!("Disable {}, and all its products?", text(account, "partner_account_name")))))
                    }
                }
            }
            section.stack aria-labelledby="decisions-title" {
                h2 id="decisions-title" { "Decisions" }
                @let decisions = decisions.as_array().map(Vec::as_slice).unwrap_or_default();
                @if decisions.is_empty() { p.muted { "None" } }
                ol.timeline {
                    @for decision in decisions {
                        li.refused {
                            (stated(&decision["created_at"]))
                            strong { (words(text(decision, "decision_type"))) }
                            p.small { (id(text(decision, "decision_id"))) }
                        }
                    }
                }
            }
        }
        (object("Everything below it, as the API shows it", &account.to_string()))
    };
    page(console, ROOM, "Account", body)
}

fn payment_product(console: &Console, here: &str, product: &Value) -> Markup {
    let (product_id, at) = (text(product, "product_id"), text(product, "state"));
    let accounts = product["payment_accounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let set = |to: &'static str, label: &str, class: &str| {
        let fields = [("deed", "product"), ("product_id", product_id), ("state", to)];
        html! { @if at != to { (act(console, here, &fields, label, class, None)) } }
    };
    html! {
        section.card aria-labelledby="product-title" {
            div.row { h2 id="product-title" { "Payment product" } (state(at)) }
            dl.facts {
                div { dt { "Product" } dd { (id(product_id)) } }
                @if let Some(reason) = product["state_reason"].as_str() { div { dt { "Why" } dd { (words(reason)) } } }
                div { dt { "Payment profile" } dd { (id(text(product, "payment_profile_id"))) } }
            }
            @if !accounts.is_empty() {
                div.table tabindex="0" role="region" aria-label="Payment accounts" {
                    table.compact {
                        thead { tr { th scope="col" { "Payment account" } th scope="col" { "Reference" } th scope="col" { "Category" } th scope="col" { "Acquiring account" } } }
                        tbody { @for row in accounts { tr {
                            td { (id(text(row, "payment_account_id"))) }
                            td { (text(row, "payment_account_reference")) }
                            td { (text(row, "default_merchant_category_code")) }
                            td { (id(text(row, "payment_acquiring_account_id"))) }
                        } } }
                    }
                }
            }
            div.forms {
                (set("ENABLED", "Enable it, as Klarna", ""))
                (set("DISABLED", "Disable it, as Klarna", "danger"))
                (set("TERMINATED", "Terminate it", "danger"))
            }
        }
    }
}
