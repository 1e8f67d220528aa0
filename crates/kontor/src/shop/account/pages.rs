//! The account's page.

use maud::{Markup, html};

use super::Account;
use crate::shop::gateway::{CustomerToken, Payment};
use crate::shop::goods::{Basket, written_minor};
use crate::shop::order::standing;
use crate::shop::pages::{Here, Page};
use crate::shop::{Shop, order_link};

pub fn account(shop: &Shop, account: Option<&Account>, tokens: &[CustomerToken], orders: &[Payment]) -> Markup {
    let page = Page {
        title: "Account",
        here: Here::Account,
        basket: Basket::default(),
        script: None,
        refresh_s: None,
        links: &shop.links,
    };
    let name = account.and_then(|account| account.name.as_deref());
    page.render(html! {
        main.text id="main" tabindex="-1" {
            div.stack.loose {
                div.stack.tight {
                    h1 { @if let Some(name) = name { "Good to see you, " (name) } @else { "Your account" } }
                    @if let Some(email) = account.and_then(|account| account.email.as_deref()) { p.muted { (email) } }
                }
                (saved(tokens))
                (bought(orders))
                @if account.is_some() {
                    form method="post" action="/account/leave" {
                        button.button type="submit" id="leave" data-testid="leave-account" { "Forget this browser" }
                    }
                }
            }
        }
    })
}

fn saved(tokens: &[CustomerToken]) -> Markup {
    html! {
        section.stack aria-labelledby="saved-title" {
            h2 id="saved-title" { "Saved ways to pay" }
            @if tokens.is_empty() {
                div.empty data-testid="saved" {
                    p { strong { "None yet" } }
                    p { "Tick “Remember Klarna for next time” at the checkout: from then on one press pays." }
                    a.button href="/" { "To the shop" }
                }
            } @else {
                ul.saved data-testid="saved" {
                    @for token in tokens {
                        li.card data-state=(token.state) {
                            div.row.spread {
                                div.stack.tight {
                                    p { strong { "Klarna" } " " span.badge.(if token.is_active() { "done" } else { "ended" }) { (if token.is_active() { "Active" } else { "Taken back" }) } }
                                    p.small.muted { "Since " time datetime=(token.created_at) { (token.created_at.get(..10).unwrap_or_default()) } ". We hold no card and no token, only its number: " span.id { (token.id) } }
                                }
                                @if token.is_active() {
                                    form method="post" action="/account/forget" {
                                        input type="hidden" name="token" value=(token.id);
                                        button.button.danger type="submit" data-testid="forget" { "Take it back" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bought(orders: &[Payment]) -> Markup {
    html! {
        section.stack aria-labelledby="orders-title" {
            h2 id="orders-title" { "Your orders" }
            @if orders.is_empty() {
                p.muted { "Orders of this account appear here." }
            } @else {
                div.table {
                    table data-testid="orders" {
                        thead { tr { th scope="col" { "Order" } th scope="col" { "State" } th.amount scope="col" { "Amount" } } }
                        tbody {
                            @for payment in orders {
                                @let standing = standing(&payment.state);
                                tr {
                                    td { a href=(order_link(payment, None)) { (payment.reference.as_deref().unwrap_or(&payment.id)) } }
                                    td { span.badge.(standing.state) { (standing.word) } }
                                    td.amount { (written_minor(payment.amount, &payment.currency)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
