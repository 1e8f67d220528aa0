//! What all pages of the shop have in common: the frame, the summary of a basket, and what is said of a failure.

use kit::web;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::files;
use super::gateway::GatewayError;
use super::goods::{Basket, written};

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

/// A page of the shop.
pub struct Page<'a> {
    pub title: &'a str,
    /// Which link of the header is this page.
    pub here: Here,
    /// What its links take along.
    pub basket: Basket,
    /// A module that the page runs, and what that is told.
    pub script: Option<(&'static str, Value)>,
    /// Seconds after which a browser without script loads the page again.
    pub refresh_s: Option<u32>,
    pub links: &'a Links,
}

/// The pages that the header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    Shop,
    Account,
    Cart,
    Elsewhere,
}

impl Page<'_> {
    pub fn render(&self, main: Markup) -> Markup {
        let count = self.basket.count();
        let current = |here: Here| (self.here == here).then_some("page");
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(seconds) = self.refresh_s {
                        noscript { meta http-equiv="refresh" content=(seconds); }
                    }
                    title { (self.title) " · " (NAME) }
                    link rel="icon" href=(ICON);
                    link rel="stylesheet" href=(web::STYLESHEET.href);
                    link rel="stylesheet" href=(files::STYLE.href);
                    script type="module" src=(web::THEME.href) blocking="render" {}
                    @if let Some((script, told)) = &self.script {
                        script type="application/json" id="told" { (data(told)) }
                        script type="module" src=(script) {}
                    }
                }
                body.shop {
                    a.skip-link href="#main" { "Skip to content" }
                    aside.band aria-label="Demonstration" { p { "Demonstration shop: nothing is for sale, no real money" } }
                    header.site-header {
                        a.brand href=(self.basket.link("/")) { (tern()) (NAME) }
                        nav aria-label="Shop" {
                            a href=(self.basket.link("/")) aria-current=[current(Here::Shop)] { "Shop" }
                            a href=(self.basket.link("/account")) data-testid="to-account" aria-current=[current(Here::Account)] { "Account" }
                            a href=(self.basket.link("/cart")) id="to-cart" data-testid="to-cart" aria-current=[current(Here::Cart)] {
                                "Cart"
                                @if count > 0 { " " span.count { (count) span.visually-hidden { " things" } } }
                            }
                        }
                        button type="button" data-theme-switch hidden aria-label="Theme" {}
                    }
                    (main)
                    footer.site-footer {
                        div.row.spread {
                            p { "The products, their makers and this shop are invented." }
                            nav.row aria-label="Behind the shop" {
                                a href=(self.links.reference) { "The gateway's API" }
                                a href=(self.links.network) { "The network end" }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// JSON inside a script element, which ends at the first `</`.
fn data(told: &Value) -> PreEscaped<String> {
    PreEscaped(told.to_string().replace('<', "\\u003c"))
}

/// A page that is only about a failure.
pub fn failed(failure: &Failure, links: &Links) -> Markup {
    let basket = Basket::default();
    let page = Page { title: &failure.title, here: Here::Elsewhere, basket, script: None, refresh_s: None, links };
    page.render(html! {
        main.narrow id="main" tabindex="-1" {
            div.stack {
                h1 { (failure.title) }
                p { (failure.text) }
                (failure_details(failure))
                p { a.button href="/" { "Back to the shop" } }
            }
        }
    })
}

/// On top of a page.
pub fn failure_box(failure: &Failure) -> Markup {
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

/// What is bought, and what it costs.
pub fn receipt(basket: &Basket) -> Markup {
    html! {
        dl.receipt {
            @for (product, quantity) in basket.lines() {
                div {
                    dt { (product.name) @if quantity > 1 { " × " (quantity) } }
                    dd { (written(basket.line_total(product, quantity))) }
                }
            }
            div { dt { (basket.delivery.name) } dd data-testid="shipping" { (written(basket.shipping())) } }
            div.total { dt { "Total" } dd data-testid="total" { (written(basket.total())) } }
        }
    }
}

/// The basket as fields of a form.
pub fn basket_fields(basket: &Basket) -> Markup {
    html! { @for (name, value) in basket.fields() { input type="hidden" name=(name) value=(value); } }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_is_told_cannot_end_its_element() {
        let told = serde_json::json!({ "name": "</script><script>" });
        assert_eq!(data(&told).0, r#"{"name":"\u003c/script>\u003cscript>"}"#);
    }
}
