//! The account's page.

use maud::{Markup, html};

use super::Account;
use crate::shop::gateway::{CustomerToken, Payment};
use crate::shop::goods::{Basket, written_minor};
use crate::shop::order::standing;
use crate::shop::pages::{Here, Page};
use crate::shop::{Shop, order_link};

/// What the page is made of.
pub struct AccountPage<'a> {
    pub shop: &'a Shop,
    /// The cart, which is kept while the shopper is here.
    pub basket: Basket,
    pub account: Option<&'a Account>,
    pub tokens: &'a [CustomerToken],
    pub orders: &'a [Payment],
    /// Whether the shopper comes from a sign-in that they ended.
    pub has_ended: bool,
}

impl AccountPage<'_> {
    pub fn render(&self) -> Markup {
        let page = Page {
            title: "Account",
            here: Here::Account,
            basket: self.basket.clone(),
            script: None,
            refresh_s: None,
            links: &self.shop.links,
        };
        let person = self.account.filter(|account| account.subject.is_some());
        let name = person.and_then(|person| person.name.as_deref());
        let email = person.and_then(|person| person.email.as_deref());
        page.render(html! {
            main.text id="main" tabindex="-1" {
                div.stack.loose {
                    @if self.has_ended && person.is_none() {
                        div.callout.waiting role="status" data-testid="notice" { p { "You ended the sign-in: nothing was shared, and you are not signed in." } }
                    }
                    div.row.spread {
                        div.stack.tight {
                            h1 { @if let Some(name) = name { "Good to see you, " (name) } @else { "Your account" } }
                            @if let Some(email) = email { p.muted { (email) } }
                        }
                        @if person.is_some() { (leave("Sign out")) }
                    }
                    @if person.is_none() { (self.sign_in()) }
                    (saved(self.tokens, &self.basket))
                    (bought(self.orders))
                    @if self.account.is_some() && person.is_none() { div.row { (leave("Forget this browser")) } }
                }
            }
        })
    }

    fn sign_in(&self) -> Markup {
        html! {
            section.card.stack aria-labelledby="sign-in-title" {
                h2 id="sign-in-title" { "Sign in" }
                p { "With Klarna: your saved ways to pay and your orders are there on every device, and the checkout knows you." }
                @if self.tokens.iter().any(CustomerToken::is_active) {
                    p.small.muted { "What is saved below stays with this browser: it is here again when you sign out." }
                }
                div.row { a.button.ink id="sign-in" data-testid="sign-in" href=(self.basket.link("/account/sign-in")) { "Sign in with Klarna" } }
            }
        }
    }
}

fn leave(text: &str) -> Markup {
    html! {
        form method="post" action="/account/leave" {
            button.button type="submit" id="leave" data-testid="leave-account" { (text) }
        }
    }
}

fn saved(tokens: &[CustomerToken], basket: &Basket) -> Markup {
    html! {
        section.stack aria-labelledby="saved-title" {
            h2 id="saved-title" { "Saved ways to pay" }
            @if tokens.is_empty() {
                div.empty data-testid="saved" {
                    p { strong { "None yet" } }
                    p { "Tick “Remember Klarna for next time” at the checkout: from then on one press pays." }
                    a.button href=(basket.link("/")) { "To the shop" }
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
