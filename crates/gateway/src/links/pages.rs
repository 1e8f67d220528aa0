//! What a cashier sees. In English: a till's language is its shop's own affair, its customers' pages follow the till's locale.
//!
//! Forms `sale-form`, `refund-form`; fields `amount`, `reference`; buttons `sell`, `find`, `refund`, `confirm`, `cancel`; `code` is the
//! picture to scan, `state` with `data-state` how the sale stands; `refundable` with `data-minor`. All carry the same `data-testid`.

use kit::web;
use maud::{DOCTYPE, Markup, html};
use protocol::{Currency, Money};

use super::act::{self, Found};
use super::record::Till;
use super::till::Fields;
use crate::checkout::record::Session;
use crate::checkout::session::{SessionState, Standing};
use crate::checkout::{ICON, SCRIPT, STYLE, words};
use crate::payments::payment::OperationKind;
use crate::payments::record::{OperationRecord, Payment};

/// What every page of a till stands on.
pub(super) struct TillFrame<'a> {
    pub till: &'a Till,
    pub shop: &'a str,
    /// `/till/<key>`.
    pub base: &'a str,
}

/// A field that will not do.
pub(super) struct Fault {
    pub field: &'static str,
    pub reason: String,
}

/// A sale, and how it stands.
pub(super) struct Sale<'a> {
    pub session: &'a Session,
    pub standing: Standing,
    pub link_id: &'a str,
    /// The customer's page.
    pub url: &'a str,
    /// Its path.
    pub code: &'a str,
    pub mark: &'a str,
}

/// A refund on its way.
pub(super) struct Refunding<'a> {
    pub reference: &'a str,
    pub found: &'a Found,
    pub operations: &'a [OperationRecord],
    pub typed: &'a str,
    /// Asked whether to refund this.
    pub confirm: Option<Money>,
    pub once: &'a str,
    pub fault: Option<Fault>,
}

fn money(minor: i64, currency: &str) -> String {
    let currency = currency.parse::<Currency>().ok();
    currency.map(|currency| words(Some("en"), "").money(Money::new(minor, currency))).unwrap_or_default()
}

fn error(fault: Option<&Fault>, field: &str) -> Markup {
    html! {
        @if let Some(fault) = fault.filter(|fault| fault.field == field) {
            p.error id={ (field) "-error" } role="alert" { (fault.reason) }
        }
    }
}

impl TillFrame<'_> {
    /// Sell, or look up a purchase to refund.
    pub(super) fn counter(&self, sale: &str, fields: &Fields, fault: Option<&Fault>) -> Markup {
        let wrong = |field: &str| fault.filter(|fault| fault.field == field).map(|_| "true");
        let body = html! {
            h1 { (self.till.name) }
            form.card.stack id="sale-form" data-testid="sale-form" method="post" action={ (self.base) "/sales" } {
                h2 { "New sale" }
                input type="hidden" name="sale" value=(sale);
                div.field {
                    label for="amount" { "Amount in " (self.till.currency) }
                    (error(fault, "amount"))
                    input id="amount" data-testid="amount" name="amount" inputmode="decimal" autocomplete="off" required
                        value=(fields.get("amount")) aria-invalid=[wrong("amount")];
                }
                div.field {
                    label for="reference" { "Reference" }
                    (error(fault, "reference"))
                    input id="reference" data-testid="reference" name="reference" autocomplete="off" maxlength="255"
                        value=(fields.get("reference")) aria-invalid=[wrong("reference")] aria-describedby="reference-help";
                    p.help id="reference-help" { "The number of your receipt, if you want to find the sale by it." }
                }
                button.button.primary.full type="submit" data-testid="sell" { "Show the code" }
            }
            @if self.till.may_refund { (self.finder("")) }
        };
        self.document(&self.till.name, None, html! { main.narrow.stack.checkout id="main" tabindex="-1" { (body) } })
    }

    fn finder(&self, reference: &str) -> Markup {
        html! {
            form.card.stack id="find-form" data-testid="find-form" method="get" action={ (self.base) "/refund" } {
                h2 { "Refund a purchase" }
                div.field {
                    label for="find-reference" { "Reference of the purchase" }
                    input id="find-reference" data-testid="find-reference" name="reference" autocomplete="off" required value=(reference)
                        aria-describedby="find-help";
                    p.help id="find-help" { "Scan it, or type it from the receipt or the order's e-mail: bought here or online." }
                }
                button.button.full type="submit" data-testid="find" { "Find the purchase" }
            }
        }
    }

    /// The code, and how the sale stands.
    pub(super) fn sale(&self, sale: &Sale<'_>) -> Markup {
        let session = sale.session;
        let (name, state, title, text) = match (&session.state, sale.standing) {
            (SessionState::Completed, _) => {
                ("paid", "done", "Paid", "Klarna has authorized the payment. Hand over the goods.")
            }
            (SessionState::Expired, _) => ("expired", "ended", "Expired", "Nobody paid in time. No money moved."),
            (SessionState::Canceled, _) => {
                ("canceled", "ended", "Canceled", "The code cannot be paid any more. No money moved.")
            }
            (_, Standing::Paid | Standing::Underway) => {
                ("confirming", "waiting", "Being confirmed", "Wait for Klarna's answer before you hand over the goods.")
            }
            (_, Standing::WithCustomer) => (
                "customer",
                "waiting",
                "The customer is paying",
                "The customer has opened Klarna. Nothing is paid yet.",
            ),
            (_, Standing::Declined) => (
                "declined",
                "refused",
                "Klarna declined",
                "No money moved. The customer may choose another plan by the same code, or pay in another way.",
            ),
            (_, Standing::CameToNothing) => {
                ("nothing", "ended", "Not completed", "No money moved. The customer may scan the code again.")
            }
            (_, Standing::None) => (
                "waiting",
                "waiting",
                "Waiting for the customer",
                "The customer scans the code with a phone and pays there.",
            ),
        };
        let is_over = session.state != SessionState::Open;
        let can_cancel = !is_over && !matches!(sale.standing, Standing::Paid | Standing::Underway);
        let body = html! {
            div.row.spread {
                h1 { (money(session.amount, &session.currency)) }
                @if let Some(reference) = &session.reference { p.muted data-testid="sale-reference" { (reference) } }
            }
            div class={ "callout " (state) } role="status" aria-live="polite" data-testid="state" data-state=(name) {
                p { strong { (title) } }
                p { (text) }
            }
            @if !is_over && sale.standing.is_free() {
                img.till-code data-testid="code" src={ (sale.code) "/qr.svg" } alt="Code that leads the customer to the payment" width="320" height="320";
                p.small.muted.center { "Or open " a href=(sale.url) target="_blank" rel="noopener" data-testid="link" { "the customer's page" } "." }
            }
            @if can_cancel {
                form method="post" action={ (self.base) "/sales/" (sale.link_id) "/cancel" } {
                    button.button.danger.full type="submit" data-testid="cancel" { "Cancel this sale of " (money(session.amount, &session.currency)) }
                }
            }
            @if let Some(payment_id) = &session.payment_id { p.small.muted { "Payment " code.id { (payment_id) } } }
            p.center { a href=(self.base) data-testid="back" { "Back to the till" } }
            @if !is_over { noscript { p.center { a href={ (self.base) "/sales/" (sale.link_id) } { "Look again" } } } }
        };
        let base = format!("{}/sales/{}", self.base, sale.link_id);
        let main = html! {
            main.narrow.stack.checkout id="main" tabindex="-1" data-mark=(sale.mark) data-base=(base) { (body) }
        };
        self.document(title, (!is_over).then_some(base.as_str()), main)
    }

    /// A purchase, what is left of it, and the question before money goes back.
    pub(super) fn refund(&self, page: &Refunding<'_>) -> Markup {
        let body = html! {
            h1 { "Refund" }
            @match page.found {
                Found::One(payment) => (self.refunding(page, payment)),
                Found::None => {
                    div.callout.ended role="status" data-testid="not-found" {
                        p { strong { "No purchase found" } }
                        p { "There is no captured payment with this reference. Check it, or look the order up in your shop system." }
                    }
                }
                Found::Several => {
                    div.callout.waiting role="status" data-testid="several" {
                        p { strong { "Several purchases have this reference" } }
                        p { "Enter the payment's own number instead; it begins with pay_." }
                    }
                }
            }
            (self.finder(page.reference))
            p.center { a href=(self.base) data-testid="back" { "Back to the till" } }
        };
        self.document("Refund", None, html! { main.narrow.stack.checkout id="main" tabindex="-1" { (body) } })
    }

    fn refunding(&self, page: &Refunding<'_>, payment: &Payment) -> Markup {
        let (books, currency) = (&payment.books, payment.currency.as_str());
        let left = act::refundable(payment);
        let refunds: Vec<&OperationRecord> =
            page.operations.iter().filter(|record| record.operation.kind == OperationKind::Refund).collect();
        let fault = page.fault.as_ref();
        html! {
            section.card.stack {
                dl.receipt {
                    div { dt { "Purchase" } dd data-testid="purchase" { (payment.reference.as_deref().unwrap_or(&payment.payment_id)) } }
                    div { dt { "Paid" } dd { (money(books.captured, currency)) } }
                    div { dt { "Refunded" } dd data-testid="refunded" data-minor=(books.refunded) { (money(books.refunded, currency)) } }
                    div.total { dt { "Can be refunded" } dd data-testid="refundable" data-minor=(left) { (money(left, currency)) } }
                }
                @if !refunds.is_empty() {
                    h2.order-title { "Refunds so far" }
                    ul {
                        @for record in refunds {
                            li data-testid="refund-made" data-state=(record.operation.state.as_str()) {
                                (money(record.operation.amount, currency)) ", "
                                @match record.operation.state.as_str() {
                                    "SUCCEEDED" => "refunded",
                                    "FAILED" => "refused by Klarna: nothing was refunded",
                                    _ => "sent to Klarna, whose answer is outstanding",
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(confirm) = page.confirm {
                form.card.stack id="confirm-form" method="post" action={ (self.base) "/refund" } {
                    @let amount = money(confirm.minor, currency);
                    h2 { "Refund " (amount) "?" }
                    p { (amount) " of purchase " (payment.reference.as_deref().unwrap_or(&payment.payment_id)) " goes back to the customer through Klarna. This cannot be undone." }
                    input type="hidden" name="reference" value=(page.reference);
                    input type="hidden" name="amount" value=(page.typed);
                    input type="hidden" name="confirmed" value=(confirm.minor);
                    input type="hidden" name="once" value=(page.once);
                    button.button.danger.full type="submit" data-testid="confirm" { "Refund " (amount) }
                    p.center { a href={ (self.base) } { "Do not refund" } }
                }
            } @else if left > 0 {
                form.card.stack id="refund-form" data-testid="refund-form" method="post" action={ (self.base) "/refund" } {
                    input type="hidden" name="reference" value=(page.reference);
                    div.field {
                        label for="amount" { "Amount in " (currency) }
                        (error(fault, "amount"))
                        input id="amount" data-testid="amount" name="amount" inputmode="decimal" autocomplete="off" required value=(page.typed)
                            aria-invalid=[fault.map(|_| "true")];
                    }
                    button.button.full type="submit" data-testid="refund" { "Refund this amount" }
                }
            }
        }
    }

    fn document(&self, title: &str, again: Option<&str>, main: Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (title) " · " (self.shop) }
                    @if let Some(again) = again { noscript { meta http-equiv="refresh" content={ "4; url=" (again) }; } }
                    link rel="icon" href=(ICON);
                    link rel="stylesheet" href=(web::STYLESHEET.href);
                    link rel="stylesheet" href=(STYLE.href);
                    @if again.is_some() { script type="module" src=(SCRIPT.href) {} }
                    script type="module" src=(web::THEME.href) blocking="render" {}
                }
                body {
                    a.skip-link href="#main" { "Skip to content" }
                    header.site-header {
                        p.brand { span { (self.shop) } }
                        button type="button" data-theme-switch hidden aria-label="Theme" {}
                    }
                    (main)
                }
            }
        }
    }
}
