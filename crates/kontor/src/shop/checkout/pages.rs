//! The checkout, and the thanks for what is paid at the counter.

use maud::{Markup, html};
use serde_json::json;

use super::{MODES, Way};
use crate::shop::goods::{Basket, written};
use crate::shop::pages::{Failure, Here, Page, basket_fields, failure_box, receipt};
use crate::shop::{Shop, files, sdk};

/// The checkout.
pub struct CheckoutPage<'a> {
    pub shop: &'a Shop,
    pub basket: &'a Basket,
    pub order: &'a str,
    pub email: &'a str,
    /// Whether the shopper can be charged without being asked again.
    pub saved: bool,
    /// What Klarna knows a shopper by who signed in.
    pub network_session: Option<&'a str>,
    pub way: Way,
    /// The Web SDK's `initiationMode`.
    pub mode: &'a str,
    pub failure: Option<&'a Failure>,
}

impl CheckoutPage<'_> {
    pub fn render(&self) -> Markup {
        let script = (self.way == Way::OwnPage).then(|| {
            let mut told = sdk::told(self.shop, self.basket, self.order);
            told["mode"] = json!(self.mode);
            if let Some(token) = self.network_session {
                told["sdk"]["klarnaNetworkSessionToken"] = json!(token);
            }
            (files::SCRIPT.href.as_str(), told)
        });
        let page = Page {
            title: "Checkout",
            here: Here::Elsewhere,
            basket: self.basket.clone(),
            script,
            refresh_s: None,
            links: &self.shop.links,
        };
        page.render(html! {
            main id="main" tabindex="-1" {
                div.sides {
                    div.stack.loose {
                        @if let Some(failure) = self.failure { (failure_box(failure)) }
                        h1 { "Checkout" }
                        (self.form())
                    }
                    aside.stack aria-label="Your order" {
                        section.card.lifted aria-labelledby="summary-title" {
                            div.row.spread {
                                h2 id="summary-title" { "Your order" }
                                a.small href=(self.basket.link("/cart")) { "Change" }
                            }
                            (receipt(self.basket))
                        }
                        (self.ways())
                    }
                }
            }
        })
    }

    fn form(&self) -> Markup {
        let country = self.basket.place.country.to_ascii_lowercase();
        html! {
            form.stack.loose id="pay-form" method="post" action="/pay" {
                input type="hidden" name="order" value=(self.order);
                input type="hidden" name="way" value=(self.way.code());
                (basket_fields(self.basket))
                section.stack aria-labelledby="contact-title" {
                    h2.step id="contact-title" { "How we reach you" }
                    div.field {
                        label for="email" { "E-mail " span.muted { "(optional)" } }
                        input id="email" data-testid="email" name="email" type="email" value=(self.email) autocomplete="email"
                            maxlength="254" aria-describedby="email-help";
                        p.help id="email-help" {
                            "Test shoppers: " code { "customer@email." (country) } " is approved, "
                            code { "customer+denied@email." (country) } " is not."
                        }
                    }
                }
                fieldset.stack {
                    legend { h2.step { "How you pay" } }
                    div.methods {
                        @if self.saved {
                            label.method data-testid="method-saved" {
                                input type="radio" name="method" value="saved" checked;
                                span.method-words {
                                    span.method-name { "Klarna, as last time" }
                                    span.help { "You said that we may. One press, and it is paid." }
                                }
                            }
                        }
                        label.method data-testid="method-klarna" id="method-klarna" {
                            input type="radio" name="method" value="klarna" checked[!self.saved];
                            span.method-words {
                                span.method-name { span id="klarna-icon" {} span id="klarna-header" { "Klarna" } span id="klarna-badge" {} }
                                span.help id="klarna-subheader" { "Pay now, later, or bit by bit." }
                                span.method-more.small.muted id="klarna-terms" {}
                            }
                        }
                        @if !self.saved && self.way != Way::Hosted {
                            label.method.remember data-testid="remember" {
                                input type="checkbox" name="remember" value="yes";
                                span.method-words {
                                    span { "Remember Klarna for next time" }
                                    span.help { "You agree with Klarna that we may charge you again when you order. Take it back whenever you like, on your account’s page." }
                                }
                            }
                        }
                        label.method data-testid="method-collect" {
                            input type="radio" name="method" value="collect";
                            span.method-words {
                                span.method-name { "At the counter" }
                                span.help { "Reserve now; pay by card or cash when you fetch it." }
                            }
                        }
                    }
                }
                p.callout.refused id="pay-says" data-testid="pay-says" role="alert" hidden {}
                div.pay {
                    // The Web SDK's own button takes the place of ours while Klarna is chosen.
                    div id="klarna-button" data-testid="klarna-button" hidden {}
                    button.button.ink.full type="submit" id="pay" data-testid="pay" {
                        span.for-klarna { (if self.way == Way::Hosted { "To the payment page" } else { "Pay with Klarna" }) }
                        span.for-saved { "Pay " (written(self.basket.total())) " now" }
                        span.for-others { "Reserve for " (written(self.basket.total())) }
                    }
                    p.small.muted { "You see everything again before anything is charged." }
                }
            }
        }
    }

    /// For whoever builds a shop: the same checkout, integrated otherwise.
    fn ways(&self) -> Markup {
        let to = |way: Way, mode: &str| {
            let mode = if mode == MODES[0].0 { String::new() } else { format!("&mode={mode}") };
            format!("{}&way={}{mode}", self.basket.link("/checkout"), way.code())
        };
        html! {
            nav.card.desk.small aria-labelledby="ways-title" {
                div.stack.tight {
                    p.muted { "Only in this demonstration" }
                    h2 id="ways-title" { "How this page is built" }
                }
                ul.plain {
                    @for way in Way::ALL {
                        li {
                            a href=(to(way, MODES[0].0)) data-testid={ "way-" (way.code()) } aria-current=[(way == self.way).then_some("true")] {
                                (match way {
                                    Way::OwnPage => "The Web SDK on our own page",
                                    Way::Hosted => "The gateway's own page",
                                    Way::Server => "Our server alone, by redirect",
                                })
                            }
                        }
                    }
                }
                @if self.way == Way::OwnPage {
                    p { "The journey is shown" }
                    ul.plain {
                        @for (mode, words) in MODES {
                            li { a href=(to(self.way, mode)) data-testid={ "mode-" (mode) } aria-current=[(mode == self.mode).then_some("true")] { (words) } }
                        }
                    }
                }
            }
        }
    }
}

/// Thanks for an order that is paid at the counter.
pub fn reserved(shop: &Shop, basket: &Basket, order: &str) -> Markup {
    let page = Page {
        title: "Reserved",
        here: Here::Elsewhere,
        basket: Basket::empty_in(basket.place),
        script: None,
        refresh_s: None,
        links: &shop.links,
    };
    page.render(html! {
        main.narrow id="main" tabindex="-1" {
            div.stack {
                p { span.badge.waiting { "Reserved" } }
                h1 { "It waits for you" }
                p.lead { "Nothing was charged. Tell us the number at the counter, and pay there." }
                section.card { (receipt(basket)) }
                dl.facts { div { dt { "Order" } dd data-testid="reference" { (order) } } }
                p { a href="/" { "Back to the shop" } }
            }
        }
    })
}
