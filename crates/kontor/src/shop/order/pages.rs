//! An order: how it stands, what happened, and the desk behind the counter.

use std::collections::BTreeMap;

use maud::{Markup, html};
use protocol::{Currency, Money};

use crate::shop::files::{self, picture};
use crate::shop::gateway::{Event, Payment};
use crate::shop::goods::{Basket, written_minor};
use crate::shop::pages::{Failure, Here, Links, Page, failure_box, receipt};

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

/// How a payment stands.
pub struct Standing {
    pub state: &'static str,
    pub word: &'static str,
    title: &'static str,
    text: &'static str,
}

/// A payment's state in a shopper's words.
pub fn standing(state: &str) -> Standing {
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
        written_minor(minor, &self.payment.currency)
    }

    /// What was bought, as we noted it with the payment.
    fn basket(&self) -> Basket {
        let noted = self.payment.metadata.get("basket").map_or("", |noted| noted.trim_start_matches('?'));
        let fields: BTreeMap<String, String> = url::form_urlencoded::parse(noted.as_bytes()).into_owned().collect();
        Basket::read(&fields)
    }

    /// The whole page. What `live.mjs` keeps true says so: a part is replaced when its version is another.
    pub fn render(&self) -> Markup {
        let payment = self.payment;
        let standing = standing(&payment.state);
        let basket = self.basket();
        let page = Page {
            title: standing.title,
            here: Here::Elsewhere,
            basket: Basket::empty_in(basket.place),
            script: Some((files::LIVE.href.as_str(), serde_json::Value::Null)),
            refresh_s: (payment.state == "PENDING").then_some(2),
            links: self.links,
        };
        page.render(html! {
            main id="main" tabindex="-1" {
                div.sides {
                    div.stack.loose {
                        @if let Some(failure) = &self.remark.failure { (failure_box(failure)) }
                        div role="status" { (self.standing(&standing, &basket)) }
                        @if !basket.is_empty() {
                            section.stack aria-labelledby="bought-title" {
                                h2 id="bought-title" { "What you bought" }
                                ul.bought {
                                    @for (product, _) in basket.lines() { li { img src=(picture(product)) alt=(product.picture) width="96" height="66"; } }
                                }
                                (receipt(&basket))
                            }
                        }
                        (self.facts())
                        (self.timeline())
                    }
                    (self.desk())
                }
            }
        })
    }

    fn standing(&self, standing: &Standing, basket: &Basket) -> Markup {
        let payment = self.payment;
        let gave_up = matches!(payment.state.as_str(), "DECLINED" | "CANCELED" | "EXPIRED" | "FAILED");
        html! {
            section.stack aria-labelledby="order-title" data-live="standing" data-version=(payment.state) {
                p { span.badge.(standing.state) id="state" data-testid="state" data-state=(payment.state) { (standing.word) } }
                h1 id="order-title" { (standing.title) }
                @if payment.state == "PENDING" { p.busy { (standing.text) } } @else { p.lead { (standing.text) } }
                @if let Some(reason) = &payment.decline_reason {
                    p.muted { "Reason: " code { (reason) } }
                }
                @if let Some(failure) = &payment.failure {
                    p.muted { "Klarna said: " (failure.error_message) }
                }
                div.row {
                    @if let Some(url) = payment.waits_at().filter(|_| payment.state == "REQUIRES_CUSTOMER_ACTION") {
                        a.button.primary id="resume" data-testid="resume" href=(url) { "Go on with the payment" }
                    }
                    @if gave_up && !basket.is_empty() {
                        a.button.primary id="again" data-testid="again" href=(basket.link("/checkout")) { "Pay in another way" }
                    }
                    a.button href="/" id="back-to-shop" { "Back to the shop" }
                }
            }
        }
    }

    fn facts(&self) -> Markup {
        let payment = self.payment;
        let transaction = payment.klarna.payment_transaction_id.as_deref();
        html! {
            dl.facts data-live="facts" data-version=(transaction.unwrap_or_default()) {
                @if let Some(reference) = &payment.reference {
                    div { dt { "Order" } dd data-testid="reference" { (reference) } }
                }
                div { dt { "Amount" } dd data-testid="amount" data-minor=(payment.amount) data-currency=(payment.currency) { (self.money(payment.amount)) } }
                div { dt { "Payment" } dd { span.id data-testid="payment-id" { (payment.id) } } }
                @if let Some(transaction) = transaction {
                    div { dt { "Klarna's transaction" } dd { span.id data-testid="transaction-id" { (transaction) } } }
                }
            }
        }
    }

    fn timeline(&self) -> Markup {
        html! {
            section.stack aria-labelledby="timeline-title" data-live="timeline" data-version=(self.events.len()) {
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
                div.stack data-live="actions" data-version={ (payment.state) " " (payment.remaining_amount) " " (refundable) } {
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
            div.stack data-live="money" data-version={ (payment.captured_amount) " " (payment.refunded_amount) " " (payment.voided_amount) " " (payment.remaining_amount) } {
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
