//! What a cashier sees, in the till's language.
//!
//! Forms `sale-form`, `refund-form`; fields `amount`, `reference`; buttons `sell`, `find`, `refund`, `confirm`, `cancel`; `code` is the
//! picture to scan, `state` with `data-state` how the sale stands; `refundable` with `data-minor`. All carry the same `data-testid`.

use kit::web;
use maud::{DOCTYPE, Markup, html};
use protocol::{Currency, Money};

use super::act::{self, Found};
use super::record::Till;
use super::till::Fields;
use super::words::TillWords;
use crate::checkout::record::Session;
use crate::checkout::session::{SessionState, Standing};
use crate::checkout::{ICON, SCRIPT, STYLE, Words, fill};
use crate::payments::payment::OperationKind;
use crate::payments::record::{OperationRecord, Payment};

/// What every page of a till stands on.
pub(super) struct TillFrame<'a> {
    pub till: &'a Till,
    pub shop: &'a str,
    /// The shop's picture, if it has one.
    pub logo: Option<&'a str>,
    /// `/till/<key>`.
    pub base: &'a str,
    /// What the hosted page says.
    pub words: &'static Words,
    /// What a till says.
    pub till_words: &'static TillWords,
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

fn error(fault: Option<&Fault>, field: &str) -> Markup {
    html! {
        @if let Some(fault) = fault.filter(|fault| fault.field == field) {
            p.error id={ (field) "-error" } role="alert" { (fault.reason) }
        }
    }
}

/// What a field says of itself: that it is wrong, and where that and its help stand.
fn told(fault: Option<&Fault>, field: &str, help: Option<&str>) -> (Option<&'static str>, Option<String>) {
    let is_wrong = fault.is_some_and(|fault| fault.field == field);
    let parts: Vec<String> =
        is_wrong.then(|| format!("{field}-error")).into_iter().chain(help.map(str::to_owned)).collect();
    (is_wrong.then_some("true"), (!parts.is_empty()).then(|| parts.join(" ")))
}

impl TillFrame<'_> {
    fn money(&self, minor: i64, currency: &str) -> String {
        let currency = currency.parse::<Currency>().ok();
        currency.map(|currency| self.words.money(Money::new(minor, currency))).unwrap_or_default()
    }

    /// Sell, or look up a purchase to refund.
    pub(super) fn counter(&self, sale: &str, fields: &Fields, fault: Option<&Fault>) -> Markup {
        let words = self.till_words;
        let (amount_wrong, amount_told) = told(fault, "amount", None);
        let (reference_wrong, reference_told) = told(fault, "reference", Some("reference-help"));
        let body = html! {
            h1 { (self.till.name) }
            form.card.stack id="sale-form" data-testid="sale-form" method="post" action={ (self.base) "/sales" } {
                h2 { (words.new_sale) }
                input type="hidden" name="sale" value=(sale);
                div.field {
                    label for="amount" { (fill(words.amount_in, "currency", &self.till.currency)) }
                    (error(fault, "amount"))
                    input id="amount" data-testid="amount" name="amount" inputmode="decimal" autocomplete="off" required
                        value=(fields.get("amount")) aria-invalid=[amount_wrong] aria-describedby=[amount_told];
                }
                div.field {
                    label for="reference" { (words.reference) }
                    (error(fault, "reference"))
                    input id="reference" data-testid="reference" name="reference" autocomplete="off" maxlength="255"
                        value=(fields.get("reference")) aria-invalid=[reference_wrong] aria-describedby=[reference_told];
                    p.help id="reference-help" { (words.reference_help) }
                }
                button.button.primary.full type="submit" data-testid="sell" { (words.show_code) }
            }
            @if self.till.may_refund { (self.finder("")) }
        };
        self.document(&self.till.name, None, html! { main.narrow.stack.checkout id="main" tabindex="-1" { (body) } })
    }

    fn finder(&self, reference: &str) -> Markup {
        let words = self.till_words;
        html! {
            form.card.stack id="find-form" data-testid="find-form" method="get" action={ (self.base) "/refund" } {
                h2 { (words.find_title) }
                div.field {
                    label for="find-reference" { (words.find_reference) }
                    input id="find-reference" data-testid="find-reference" name="reference" autocomplete="off" required value=(reference)
                        aria-describedby="find-help";
                    p.help id="find-help" { (words.find_help) }
                }
                button.button.full type="submit" data-testid="find" { (words.find) }
            }
        }
    }

    /// The code, and how the sale stands.
    pub(super) fn sale(&self, sale: &Sale<'_>) -> Markup {
        let session = sale.session;
        let words = self.till_words;
        let (name, state, said) = match (&session.state, sale.standing) {
            (SessionState::Completed, _) => ("paid", "done", words.paid),
            (SessionState::Expired, _) => ("expired", "ended", words.expired),
            (SessionState::Canceled, _) => ("canceled", "ended", words.canceled),
            (_, Standing::Paid | Standing::Underway) => ("confirming", "waiting", words.confirming),
            (_, Standing::WithCustomer) => ("customer", "waiting", words.customer),
            (_, Standing::Declined) => ("declined", "refused", words.declined),
            (_, Standing::CameToNothing) => ("nothing", "ended", words.nothing),
            (_, Standing::None) => ("waiting", "waiting", words.waiting),
        };
        let amount = self.money(session.amount, &session.currency);
        let is_over = session.state != SessionState::Open;
        let can_cancel = !is_over && !matches!(sale.standing, Standing::Paid | Standing::Underway);
        let code = html! {
            img.till-code data-testid="code" src={ (sale.code) "/qr.svg" } alt=(words.code_alt) width="320" height="320";
            p.small.center { a href=(sale.url) target="_blank" rel="noopener" data-testid="link" { (words.open_page) } }
        };
        let body = html! {
            div.row.spread {
                h1 { (amount) }
                @if let Some(reference) = &session.reference { p.muted data-testid="sale-reference" { (reference) } }
            }
            div class={ "callout " (state) } role="status" aria-live="polite" data-testid="state" data-state=(name) {
                p { strong { (said.title) } }
                p { (said.text) }
            }
            @if !is_over && sale.standing.is_free() {
                (code)
            } @else if can_cancel {
                // Whose telephone lost the page scans again, and goes on where it was.
                details { summary { (words.code_again) } (code) }
            }
            @if can_cancel {
                form method="post" action={ (self.base) "/sales/" (sale.link_id) "/cancel" } {
                    button.button.danger.full type="submit" data-testid="cancel" { (fill(words.cancel_sale, "amount", &amount)) }
                }
            }
            @if let Some(payment_id) = &session.payment_id { p.small.muted { (words.payment) " " code.id { (payment_id) } } }
            p.center { a href=(self.base) data-testid="back" { (words.back) } }
            @if !is_over { noscript { p.center { a href={ (self.base) "/sales/" (sale.link_id) } { (words.look_again) } } } }
        };
        let base = format!("{}/sales/{}", self.base, sale.link_id);
        let main = html! {
            main.narrow.stack.checkout id="main" tabindex="-1" data-live="true" data-mark=(sale.mark) data-base=(base) { (body) }
        };
        self.document(said.title, (!is_over).then_some(base.as_str()), main)
    }

    /// A purchase, what is left of it, and the question before money goes back.
    pub(super) fn refund(&self, page: &Refunding<'_>) -> Markup {
        let words = self.till_words;
        let body = html! {
            h1 { (words.refund) }
            @match page.found {
                Found::One(payment) => (self.refunding(page, payment)),
                Found::None => {
                    div.callout.ended role="status" data-testid="not-found" {
                        p { strong { (words.not_found.title) } }
                        p { (words.not_found.text) }
                    }
                }
                Found::Several => {
                    div.callout.waiting role="status" data-testid="several" {
                        p { strong { (words.several.title) } }
                        p { (words.several.text) }
                    }
                }
            }
            (self.finder(page.reference))
            p.center { a href=(self.base) data-testid="back" { (words.back) } }
        };
        self.document(words.refund, None, html! { main.narrow.stack.checkout id="main" tabindex="-1" { (body) } })
    }

    fn refunding(&self, page: &Refunding<'_>, payment: &Payment) -> Markup {
        let words = self.till_words;
        let (books, currency) = (&payment.books, payment.currency.as_str());
        let purchase = payment.reference.as_deref().unwrap_or(&payment.payment_id);
        let left = act::refundable(payment);
        let refunds: Vec<&OperationRecord> =
            page.operations.iter().filter(|record| record.operation.kind == OperationKind::Refund).collect();
        let fault = page.fault.as_ref();
        let (wrong, described) = told(fault, "amount", None);
        html! {
            section.card.stack {
                dl.receipt {
                    div { dt { (words.purchase) } dd data-testid="purchase" { (purchase) } }
                    div { dt { (words.captured) } dd { (self.money(books.captured, currency)) } }
                    div { dt { (words.refunded) } dd data-testid="refunded" data-minor=(books.refunded) { (self.money(books.refunded, currency)) } }
                    div.total { dt { (words.refundable) } dd data-testid="refundable" data-minor=(left) { (self.money(left, currency)) } }
                }
                @if !refunds.is_empty() {
                    h2.order-title { (words.refunds_so_far) }
                    ul {
                        @for record in refunds {
                            li data-testid="refund-made" data-state=(record.operation.state.as_str()) {
                                @let said = match record.operation.state.as_str() {
                                    "SUCCEEDED" => words.refund_succeeded,
                                    "FAILED" => words.refund_failed,
                                    _ => words.refund_sent,
                                };
                                (fill(said, "amount", &self.money(record.operation.amount, currency)))
                            }
                        }
                    }
                }
            }
            @if let Some(confirm) = page.confirm {
                form.card.stack id="confirm-form" method="post" action={ (self.base) "/refund" } {
                    @let amount = self.money(confirm.minor, currency);
                    h2 { (fill(words.ask, "amount", &amount)) }
                    p { (fill(&fill(words.ask_text, "amount", &amount), "purchase", purchase)) }
                    input type="hidden" name="reference" value=(page.reference);
                    input type="hidden" name="amount" value=(page.typed);
                    input type="hidden" name="confirmed" value=(confirm.minor);
                    input type="hidden" name="once" value=(page.once);
                    button.button.danger.full type="submit" data-testid="confirm" { (fill(words.do_refund, "amount", &amount)) }
                    p.center { a href={ (self.base) } { (words.do_not_refund) } }
                }
            } @else if left > 0 {
                form.card.stack id="refund-form" data-testid="refund-form" method="post" action={ (self.base) "/refund" } {
                    input type="hidden" name="reference" value=(page.reference);
                    div.field {
                        label for="amount" { (fill(words.amount_in, "currency", currency)) }
                        (error(fault, "amount"))
                        input id="amount" data-testid="amount" name="amount" inputmode="decimal" autocomplete="off" required value=(page.typed)
                            aria-invalid=[wrong] aria-describedby=[described];
                    }
                    button.button.full type="submit" data-testid="refund" { (words.refund_this) }
                }
            }
        }
    }

    fn document(&self, title: &str, again: Option<&str>, main: Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(self.words.code) {
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
                    a.skip-link href="#main" { (self.words.skip) }
                    header.site-header {
                        p.brand {
                            @if let Some(logo) = self.logo { img.logo src=(logo) alt="" referrerpolicy="no-referrer"; }
                            span { (self.shop) }
                        }
                        button type="button" data-theme-switch data-theme-words=(self.words.themes) hidden {}
                    }
                    (main)
                }
            }
        }
    }
}
