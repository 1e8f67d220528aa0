//! The shop's pages: the catalogue with its basket, and an order with the desk behind the counter.

use kit::web;
use maud::{DOCTYPE, Markup, html};
use protocol::{Currency, Money};

use super::gateway::{Event, GatewayError, Payment};
use super::goods::{Basket, PLACES, PRODUCTS, Product, QUANTITY_MAX, written};

/// The shop's name.
pub const NAME: &str = "Tallow & Tern";

/// The shop's mark, small: browsers ask for it, and find it in the page.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Cpath d='M2 8c4-1 7 0 9 \
    4 2-5 6-7 11-7-4 2-7 5-8 10l-3 2-2-3C8 11 5 9 2 8z' fill='%231f6f63'/%3E%3C/svg%3E";

/// Where the shop's links to the machinery lead.
#[derive(Clone, Debug)]
pub struct Links {
    /// The gateway's reference.
    pub reference: String,
    /// The network end.
    pub network: String,
}

/// What a page says about a failure: what happened, whether money moved, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub title: String,
    pub text: String,
    /// Field and reason, as the gateway told.
    pub fields: Vec<(String, String)>,
    pub error_id: Option<String>,
}

impl Failure {
    /// Of a call. `doing` completes "The gateway did not …"; `again` says what a second try would do.
    pub fn of(error: &GatewayError, doing: &str, again: &str) -> Self {
        match error {
            GatewayError::Refused { message, fields, error_id, .. } => Self {
                title: format!("The gateway did not {doing}"),
                text: format!("No money moved. It said: {message}"),
                fields: fields.clone(),
                error_id: error_id.clone(),
            },
            GatewayError::Unreachable(_) => Self {
                title: "The gateway did not answer".to_owned(),
                text: format!("Whether it did {doing} is not known yet. {again}"),
                fields: Vec::new(),
                error_id: None,
            },
        }
    }
}

/// The first page: what there is, and what is in the basket.
pub fn catalogue(basket: &Basket, order: &str, email: &str, failure: Option<&Failure>, links: &Links) -> Markup {
    let body = html! {
        main id="main" tabindex="-1" {
            div.stack.loose {
                @if let Some(failure) = failure { (failure_box(failure)) }
                div.row.spread {
                    div.stack.tight {
                        h1 { "Things for a quiet house" }
                        p.muted { "A demonstration shop. Fill the basket and pay: everything behind the button is real, but the money." }
                    }
                    (place_switch(basket))
                    @if !basket.is_empty() {
                        a.button.full.to-basket id="to-basket" href="#basket" { "To the basket: " (written(basket.total())) }
                    }
                }
                div.sides {
                    ul.shelf aria-label="Products" {
                        @for product in &PRODUCTS { li { (product_card(product, basket)) } }
                    }
                    (basket_card(basket, order, email))
                }
            }
        }
    };
    document("Shop", None, links, body)
}

fn place_switch(basket: &Basket) -> Markup {
    html! {
        form.place method="get" action="/" {
            @for (product, quantity) in basket.lines() {
                input type="hidden" name=(product.code) value=(quantity);
            }
            label.visually-hidden for="market" { "Country and currency" }
            div.joined {
                select id="market" data-testid="market" name="market" {
                    @for place in &PLACES {
                        option value=(place.country) selected[place == basket.place] { (place.name) " · " (place.currency()) }
                    }
                }
                button.button type="submit" id="change-market" { "Change" }
            }
        }
    }
}

fn product_card(product: &'static Product, basket: &Basket) -> Markup {
    let quantity = basket.quantity(product);
    html! {
        article.card id={ "product-" (product.code) } data-testid={ "product-" (product.code) } {
            div.picture { (drawing(product.code)) }
            div.stack.tight {
                h2.product-name { (product.name) }
                p.small.muted { (product.about) }
            }
            div.row.spread {
                p.price { (written(product.price(basket.place))) }
                @if quantity == 0 {
                    a.button id={ "add-" (product.code) } data-testid={ "add-" (product.code) }
                        href=(basket.with(product, 1).link()) aria-label={ "Add " (product.name) " to the basket" } { "Add" }
                } @else {
                    (stepper(product, basket, quantity))
                }
            }
        }
    }
}

fn stepper(product: &'static Product, basket: &Basket, quantity: i64) -> Markup {
    html! {
        div.row.stepper role="group" aria-label={ "Quantity of " (product.name) } {
            a.button id={ "less-" (product.code) } data-testid={ "less-" (product.code) } href=(basket.with(product, quantity - 1).link())
                aria-label={ "One " (product.name) " less" } { "\u{2212}" }
            span data-testid={ "quantity-" (product.code) } { (quantity) }
            @if quantity < QUANTITY_MAX {
                a.button id={ "more-" (product.code) } data-testid={ "more-" (product.code) } href=(basket.with(product, quantity + 1).link())
                    aria-label={ "One " (product.name) " more" } { "+" }
            } @else {
                span.button aria-disabled="true" { "+" }
            }
        }
    }
}

fn basket_card(basket: &Basket, order: &str, email: &str) -> Markup {
    let country = basket.place.country.to_ascii_lowercase();
    html! {
        section.card.lifted id="basket" data-testid="basket" aria-labelledby="basket-title" {
            h2 id="basket-title" { "Basket" }
            @if basket.is_empty() {
                p.muted { "Nothing yet. Choose “Add” beside something you like." }
            } @else {
                dl.receipt {
                    @for (product, quantity) in basket.lines() {
                        div {
                            dt { (product.name) @if quantity > 1 { " × " (quantity) } }
                            dd { (written(basket.line_total(product, quantity))) }
                        }
                    }
                    div { dt { "Shipping" } dd { (written(basket.shipping())) } }
                    div.total { dt { "Total" } dd data-testid="total" { (written(basket.total())) } }
                }
                form.stack id="pay-form" method="post" action="/pay" {
                    input type="hidden" name="order" value=(order);
                    input type="hidden" name="market" value=(basket.place.country);
                    @for (product, quantity) in basket.lines() {
                        input type="hidden" name=(product.code) value=(quantity);
                    }
                    div.field {
                        label for="email" { "E-mail " span.muted { "(optional)" } }
                        input id="email" data-testid="email" name="email" type="email" value=(email) autocomplete="email"
                            maxlength="254" aria-describedby="email-help";
                        p.help id="email-help" {
                            "Test shoppers: " code { "customer@email." (country) } " is approved, "
                            code { "customer+denied@email." (country) } " is not."
                        }
                    }
                    button.button.ink.full type="submit" id="pay" data-testid="pay" { "Pay with Klarna" }
                }
            }
        }
    }
}

/// An order's page. `key` makes the desk's forms safe to send twice.
pub struct OrderPage<'a> {
    pub payment: &'a Payment,
    pub events: &'a [Event],
    pub key: &'a str,
    pub remark: &'a Remark,
    pub links: &'a Links,
}

/// What there is to say about the last press of a button.
#[derive(Clone, Debug, Default)]
pub struct Remark {
    pub failure: Option<Failure>,
    /// A field of the desk that is wrong.
    pub fault: Option<Fault>,
    /// What the desk has just done.
    pub done: Option<&'static str>,
}

/// A field to be corrected.
#[derive(Clone, Debug)]
pub struct Fault {
    pub field: &'static str,
    pub typed: String,
    pub reason: &'static str,
}

struct Standing {
    state: &'static str,
    word: &'static str,
    title: &'static str,
    text: &'static str,
}

/// A payment's state in a shopper's words.
fn standing(state: &str) -> Standing {
    let (state, word, title, text) = match state {
        "PENDING" => (
            "waiting",
            "Pending",
            "We are waiting for the answer",
            "Your order is not placed yet. This page looks again by itself.",
        ),
        "REQUIRES_CUSTOMER_ACTION" => (
            "waiting",
            "Not finished",
            "Your payment is not finished",
            "Nothing was charged. Your basket is kept for as long as the payment page is open.",
        ),
        "AUTHORIZED" => (
            "done",
            "Authorized",
            "Thank you, your order is placed",
            "The amount is authorized. It is charged when we send your things.",
        ),
        "PARTIALLY_CAPTURED" => (
            "done",
            "Partly captured",
            "Part of your order is on its way",
            "What we have sent is charged; the rest stays authorized.",
        ),
        "CAPTURED" => ("done", "Captured", "Your order is on its way", "Everything we sent is charged."),
        "DECLINED" => (
            "refused",
            "Declined",
            "The payment was declined",
            "Nothing was charged. You can go back and try it another way.",
        ),
        "CANCELED" => ("ended", "Canceled", "The payment was canceled", "Nothing was charged."),
        "EXPIRED" => (
            "ended",
            "Expired",
            "The time for this payment has run out",
            "Nothing further is charged. You can order again.",
        ),
        "VOIDED" => {
            ("ended", "Voided", "Your order was called off", "The authorization was given up; nothing was charged.")
        }
        "CLOSED" => ("ended", "Closed", "This order is closed", "Nothing further can happen to its payment."),
        "FAILED" => ("refused", "Failed", "The payment could not be made", "Nothing was charged."),
        _ => (
            "waiting",
            "Unknown",
            "The payment is in a state that this shop does not know",
            "We neither send nor cancel anything until it does.",
        ),
    };
    Standing { state, word, title, text }
}

impl OrderPage<'_> {
    fn money(&self, minor: i64) -> String {
        self.payment.currency.parse::<Currency>().map_or_else(
            |_| format!("{minor} {}", self.payment.currency),
            |currency| written(Money::new(minor, currency)),
        )
    }

    /// The whole page.
    pub fn render(&self) -> Markup {
        let payment = self.payment;
        let standing = standing(&payment.state);
        let pending = payment.state == "PENDING";
        let action = payment.next_action.as_ref().and_then(|action| action.url.as_deref());
        let body = html! {
            main id="main" tabindex="-1" {
                div.sides {
                    div.stack.loose {
                        @if let Some(failure) = &self.remark.failure { (failure_box(failure)) }
                        section.stack aria-labelledby="order-title" {
                            p { span.badge.(standing.state) id="state" data-testid="state" data-state=(payment.state) { (standing.word) } }
                            h1 id="order-title" { (standing.title) }
                            @if pending {
                                p.busy role="status" { (standing.text) }
                            } @else {
                                p.lead { (standing.text) }
                            }
                            @if let Some(reason) = &payment.decline_reason {
                                p.muted { "Reason: " code { (reason) } }
                            }
                            @if let Some(failure) = &payment.failure {
                                p.muted { "Klarna said: " (failure.error_message) }
                            }
                            @if let Some(url) = action.filter(|_| payment.state == "REQUIRES_CUSTOMER_ACTION") {
                                p { a.button.primary id="resume" data-testid="resume" href=(url) { "Go on with the payment" } }
                            }
                            p { a href="/" id="back-to-shop" { "Back to the shop" } }
                        }
                        dl.facts {
                            @if let Some(reference) = &payment.reference {
                                div { dt { "Order" } dd data-testid="reference" { (reference) } }
                            }
                            div { dt { "Amount" } dd data-testid="amount" data-minor=(payment.amount) data-currency=(payment.currency) { (self.money(payment.amount)) } }
                            div { dt { "Payment" } dd { span.id data-testid="payment-id" { (payment.id) } } }
                            @if let Some(transaction) = &payment.klarna.payment_transaction_id {
                                div { dt { "Klarna's transaction" } dd { span.id data-testid="transaction-id" { (transaction) } } }
                            }
                        }
                        (self.timeline())
                    }
                    (self.desk())
                }
            }
        };
        document(standing.title, pending.then_some(2), self.links, body)
    }

    fn timeline(&self) -> Markup {
        html! {
            section.stack aria-labelledby="timeline-title" {
                h2 id="timeline-title" { "What happened" }
                @if self.events.is_empty() {
                    p.muted { "Nothing to tell yet: events appear here as they reach the shop." }
                } @else {
                    ol.timeline data-testid="timeline" {
                        @for event in self.events {
                            @let (state, words) = event_words(&event.event_type);
                            li.(state) data-event=(event.event_type) {
                                time datetime=(event.created_at) { (clock_time(&event.created_at)) }
                                strong { (words) }
                                " " span.small.muted { (event.event_type) }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What the Partner's people see, on the same page for the demonstration.
    fn desk(&self) -> Markup {
        let payment = self.payment;
        let is_live = matches!(payment.state.as_str(), "AUTHORIZED" | "PARTIALLY_CAPTURED");
        let refundable = payment.captured_amount - payment.refunded_amount;
        let can_capture = is_live && payment.remaining_amount > 0;
        let can_refund = refundable > 0 && payment.state != "CLOSED";
        html! {
            aside.card.desk id="desk" data-testid="desk" aria-labelledby="desk-title" {
                div.stack.tight {
                    p.small.muted { "Only in this demonstration" }
                    h2 id="desk-title" { "Behind the counter" }
                    p.small.muted { "What the Partner's people do: each button is one call of the gateway's API." }
                }
                @if let Some(done) = self.remark.done {
                    div.callout.done role="status" data-testid="done" { p { (done) } }
                }
                (self.money_bar())
                @if can_capture {
                    (self.amount_form("captures", "capture", "Capture", payment.remaining_amount))
                }
                @if can_refund {
                    (self.amount_form("refunds", "refund", "Refund", refundable))
                }
                @if can_capture {
                    details id="void-more" {
                        summary { "Void what is left" }
                        form.stack.tight method="post" action={ "/order/" (payment.id) "/void" } id="void-form" {
                            input type="hidden" name="key" value={ (self.key) "-v" };
                            p.small { "Gives up " (self.money(payment.remaining_amount)) " for good. What is captured stays." }
                            button.button.danger.full type="submit" id="void" data-testid="void" { "Void " (self.money(payment.remaining_amount)) }
                        }
                    }
                }
                @if !can_capture && !can_refund {
                    p.small { "In this state there is nothing to capture, refund or void." }
                }
                hr;
                ul.small {
                    li { a href=(self.links.reference) { "The gateway's API reference" } }
                    li { a href=(self.links.network) { "The network end" } }
                }
            }
        }
    }

    fn amount_form(&self, action: &str, field: &str, verb: &str, at_most: i64) -> Markup {
        let fault = self.remark.fault.as_ref().filter(|fault| fault.field == field);
        let plain = self.money_plain(at_most);
        let value = fault.map_or(plain.as_str(), |fault| fault.typed.as_str());
        let (help, error) = (format!("{field}-help"), format!("{field}-error"));
        let described = if fault.is_some() { format!("{error} {help}") } else { help.clone() };
        html! {
            form.field method="post" action={ "/order/" (self.payment.id) "/" (action) } id={ (field) "-form" } novalidate {
                input type="hidden" name="key" value={ (self.key) "-" (&field[..1]) };
                label for=(field) { (verb) }
                @if let Some(fault) = fault { p.error id=(error) { (fault.reason) } }
                div.joined {
                    button.button type="submit" id={ (field) "-button" } data-testid={ (field) "-button" } { (verb) }
                    input id=(field) data-testid=(field) name="amount" type="text" inputmode="decimal" value=(value) maxlength="24"
                        aria-describedby=(described) aria-invalid=[fault.map(|_| "true")];
                }
                p.help id=(help) { "Up to " (self.money(at_most)) }
            }
        }
    }

    /// An amount as it is typed into a field.
    fn money_plain(&self, minor: i64) -> String {
        let Ok(currency) = self.payment.currency.parse::<Currency>() else { return minor.to_string() };
        let text = Money::new(minor, currency).to_string();
        text.split(' ').next().unwrap_or_default().to_owned()
    }

    fn money_bar(&self) -> Markup {
        let payment = self.payment;
        let kept = (payment.captured_amount - payment.refunded_amount).max(0);
        // Thousandths of the width; wide enough for any amount.
        let width = |minor: i64| i128::from(minor.max(0)) * 1000 / i128::from(payment.amount.max(1));
        let (captured, refunded) = (width(kept), width(payment.refunded_amount));
        let remaining = width(payment.remaining_amount);
        html! {
            svg.money-bar viewBox="0 0 1000 12" preserveAspectRatio="none" aria-hidden="true" {
                rect.captured x="0" y="0" width=(captured) height="12" {}
                rect.refunded x=(captured) y="0" width=(refunded) height="12" {}
                rect.remaining x=(captured + refunded) y="0" width=(remaining) height="12" {}
            }
            dl.receipt.small data-testid="money" {
                div { dt { "Captured" } dd data-testid="captured" data-minor=(payment.captured_amount) { (self.money(payment.captured_amount)) } }
                div { dt { "Refunded" } dd data-testid="refunded" data-minor=(payment.refunded_amount) { (self.money(payment.refunded_amount)) } }
                div { dt { "Voided" } dd data-testid="voided" data-minor=(payment.voided_amount) { (self.money(payment.voided_amount)) } }
                div { dt { "Still to capture" } dd data-testid="remaining" data-minor=(payment.remaining_amount) { (self.money(payment.remaining_amount)) } }
            }
        }
    }
}

fn event_words(event_type: &str) -> (&'static str, &'static str) {
    match event_type {
        "payment.requires_customer_action" => ("waiting", "Sent to Klarna to decide"),
        "payment.authorized" => ("done", "Authorized"),
        "payment.declined" => ("refused", "Declined"),
        "payment.canceled" => ("ended", "Canceled"),
        "payment.expired" => ("ended", "Expired"),
        "payment.captured" => ("done", "Captured"),
        "payment.refunded" => ("done", "Refunded"),
        "payment.voided" => ("ended", "Voided"),
        "payment.updated" => ("done", "Updated"),
        "payment.closed" => ("ended", "Closed"),
        "payment.failed" => ("refused", "Failed"),
        _ => ("ended", "Something else"),
    }
}

/// `2026-03-02T10:03:11.123Z` as `2026-03-02 10:03:11 UTC`.
fn clock_time(text: &str) -> String {
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text.to_owned(),
    }
}

/// A page that is only about a failure.
pub fn failed(failure: &Failure, links: &Links) -> Markup {
    let body = html! {
        main.narrow id="main" tabindex="-1" {
            div.stack {
                h1 { (failure.title) }
                p { (failure.text) }
                (failure_details(failure))
                p { a.button href="/" { "Back to the shop" } }
            }
        }
    };
    document(&failure.title, None, links, body)
}

fn failure_box(failure: &Failure) -> Markup {
    html! {
        div.error-summary role="alert" tabindex="-1" autofocus data-testid="failure" id="failure" {
            h2 { (failure.title) }
            p { (failure.text) }
            (failure_details(failure))
        }
    }
}

fn failure_details(failure: &Failure) -> Markup {
    html! {
        @if !failure.fields.is_empty() {
            ul { @for (field, reason) in &failure.fields { li { code { (field) } " " (reason) } } }
        }
        @if let Some(error_id) = &failure.error_id {
            p.small { "Reference for support: " span.id { (error_id) } }
        }
    }
}

fn document(title: &str, refresh_s: Option<u32>, links: &Links, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(seconds) = refresh_s { meta http-equiv="refresh" content=(seconds); }
                title { (title) " · " (NAME) }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
                script type="module" src=(web::THEME.href) blocking="render" {}
            }
            body.shop {
                a.skip-link href="#main" { "Skip to content" }
                aside.band aria-label="Demonstration" { p { "Demonstration shop: nothing is for sale, no real money" } }
                header.site-header {
                    a.brand href="/" { (tern()) (NAME) }
                    nav aria-label="Behind the shop" {
                        a href=(links.reference) { "API reference" }
                        a href=(links.network) { "Network end" }
                    }
                    button type="button" data-theme-switch hidden aria-label="Theme" {}
                }
                (body)
                footer.site-footer { p { "The products, their makers and this shop are invented." } }
            }
        }
    }
}

/// The shop's mark: a tern over a horizon.
fn tern() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            path d="M2 8c4-1 7 0 9 4 2-5 6-7 11-7-4 2-7 5-8 10l-3 2-2-3C8 11 5 9 2 8z" class="fill-ink" {}
            path d="M4 21h16" class="stroke-ink" stroke-width="1.5" stroke-linecap="round" {}
        }
    }
}

fn drawing(code: &str) -> Markup {
    match code {
        "lamp" => html! {
            svg viewBox="0 0 320 220" role="img" aria-label="A reading lamp with a bent brass arm" {
                rect width="320" height="220" fill="#e6e0d2" {}
                path d="M196 96 L268 186 H124 Z" fill="#f7e2a4" opacity="0.75" {}
                rect y="186" width="320" height="34" fill="#c9bfa9" {}
                ellipse cx="104" cy="188" rx="42" ry="9" fill="#6b5426" {}
                ellipse cx="104" cy="184" rx="42" ry="9" fill="#a07e3a" {}
                path d="M104 182 V84 Q104 44 144 44 H190" fill="none" stroke="#a07e3a" stroke-width="7" stroke-linecap="round" {}
                circle cx="104" cy="112" r="8" fill="#6b5426" {}
                path d="M176 44 h40 l26 54 h-92 z" fill="#f3ead6" {}
                path d="M216 44 l26 54 h-22 l-16-54 z" fill="#dfd2b6" {}
                ellipse cx="196" cy="98" rx="46" ry="7" fill="#fff4d0" {}
                rect x="190" y="34" width="12" height="12" rx="3" fill="#6b5426" {}
            }
        },
        "mug" => html! {
            svg viewBox="0 0 320 220" role="img" aria-label="A stoneware mug with a pale glaze" {
                rect width="320" height="220" fill="#d8e0df" {}
                rect y="182" width="320" height="38" fill="#b9c6c4" {}
                ellipse cx="158" cy="184" rx="74" ry="9" fill="#97a8a6" {}
                path d="M206 92 q52 -4 48 36 q-4 34 -56 32" fill="none" stroke="#4f6367" stroke-width="14" stroke-linecap="round" {}
                path d="M96 66 h118 l-7 104 q-2 14 -18 14 h-68 q-16 0 -18 -14 z" fill="#5d7377" {}
                path d="M96 66 h118 l-3 46 q-14 14 -28 4 q-12 -9 -26 2 q-16 12 -30 2 q-14 -10 -28 0 z" fill="#eef2ee" {}
                ellipse cx="155" cy="66" rx="59" ry="12" fill="#f8faf7" {}
                ellipse cx="155" cy="68" rx="50" ry="8" fill="#6a4a34" {}
                path d="M146 44 q-8 -8 0 -16 q8 -8 0 -16 M172 46 q-8 -8 0 -16 q8 -8 0 -14" fill="none" stroke="#f8faf7" stroke-width="4" stroke-linecap="round" {}
                g fill="#3e5155" {
                    circle cx="124" cy="138" r="2" {} circle cx="146" cy="156" r="1.5" {} circle cx="172" cy="142" r="2" {}
                    circle cx="190" cy="160" r="1.5" {} circle cx="134" cy="170" r="1.5" {} circle cx="164" cy="172" r="2" {}
                }
            }
        },
        "blanket" => html! {
            svg viewBox="0 0 320 220" role="img" aria-label="A folded wool blanket in three sand colours" {
                rect width="320" height="220" fill="#ece3d6" {}
                rect y="180" width="320" height="40" fill="#d6c8b3" {}
                ellipse cx="160" cy="182" rx="112" ry="9" fill="#bda98c" {}
                rect x="56" y="140" width="208" height="40" rx="18" fill="#b38b5e" {}
                rect x="60" y="106" width="200" height="40" rx="18" fill="#cfae82" {}
                rect x="64" y="72" width="192" height="40" rx="18" fill="#e4cfae" {}
                path d="M64 92 q96 16 192 0" fill="none" stroke="#b38b5e" stroke-width="5" {}
                path d="M66 100 q94 14 188 0" fill="none" stroke="#8d6a43" stroke-width="2" {}
                path d="M62 124 q98 12 196 0 M58 160 q102 10 204 0" fill="none" stroke="#8d6a43" stroke-width="2" opacity="0.55" {}
                path d="M196 72 h44 v74 q-22 8 -44 0 z" fill="#8d6a43" opacity="0.85" {}
                path d="M200 146 v18 M208 148 v18 M216 149 v18 M224 149 v18 M232 148 v17 M238 146 v17" stroke="#8d6a43" stroke-width="3" stroke-linecap="round" {}
                path d="M206 72 v76 M230 72 v76" stroke="#e4cfae" stroke-width="3" {}
            }
        },
        _ => html! {
            svg viewBox="0 0 320 220" role="img" aria-label="A three-legged wooden stool" {
                rect width="320" height="220" fill="#dfe4d8" {}
                rect y="186" width="320" height="34" fill="#c3ccb8" {}
                ellipse cx="160" cy="192" rx="92" ry="8" fill="#a5b097" {}
                path d="M160 82 L158 172" stroke="#8a6237" stroke-width="12" stroke-linecap="round" {}
                path d="M112 82 L84 192" stroke="#a5763f" stroke-width="13" stroke-linecap="round" {}
                path d="M208 82 L236 192" stroke="#a5763f" stroke-width="13" stroke-linecap="round" {}
                path d="M101 134 L219 134" stroke="#8a6237" stroke-width="7" stroke-linecap="round" {}
                path d="M76 66 v12 q0 22 84 22 t84 -22 v-12 z" fill="#a5763f" {}
                ellipse cx="160" cy="66" rx="84" ry="22" fill="#d9ab6f" {}
                path d="M92 66 q68 -22 136 0 M108 72 q52 -14 104 0 M126 78 q34 -8 68 0" fill="none" stroke="#b98a4e" stroke-width="2" {}
            }
        },
    }
}
