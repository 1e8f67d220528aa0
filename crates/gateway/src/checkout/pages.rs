//! The hosted page in its states.
//!
//! # For people's own tests
//! Form `pay-form`; choices `method-klarna` (several where a saved option is offered) and `method-other`; buttons `pay` and, with script,
//! the Web SDK's inside `klarna-button`; links `back` and `look-again`; `amount` with `data-minor` and `data-currency`; `notice` with
//! `data-notice` one of `declined`, `nothing`, `left`; the card of an end with `data-testid="end"` and `data-end` one of `paid`,
//! `underway`, `expired`, `canceled`, `elsewhere` (with the buttons `go-on` and `again`), `unknown`, `failed`; `no-way`, where nothing
//! can be chosen; `on-phone` with the `code` to go on by on another device. All carry the same `data-testid`.

use kit::web;
use maud::{DOCTYPE, Markup, html};
use protocol::{Currency, Money};
use serde_json::Value;

use super::hosted::{SCRIPT, STYLE};
use super::offer::{Offer, PaymentOption, Shown};
use super::record::Session;
use super::session::Standing;
use super::words::{Words, fill};

pub(crate) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Crect x='2' y='2' \
    width='20' height='20' rx='3' fill='%235b6573'/%3E%3Cpath d='M9 22V11a3 3 0 0 1 6 0v11z' fill='%23fff'/%3E%3C/svg%3E";

/// Everything that a page of a session stands on.
pub(super) struct Frame<'a> {
    pub words: &'static Words,
    pub session: &'a Session,
    /// The Partner's name as customers know it.
    pub shop: &'a str,
    /// `/checkout/<key>`.
    pub base: &'a str,
    /// How it stands, as the script compares it.
    pub mark: &'a str,
}

/// What the script needs to begin the Web SDK.
pub(super) struct Sdk<'a> {
    pub url: &'a str,
    pub client_id: &'a str,
    pub partner_account_id: &'a str,
    pub payment_account_id: Option<&'a str>,
    pub token: Option<&'a str>,
}

/// The open page.
pub(super) struct Open<'a> {
    pub offer: &'a Offer,
    pub standing: Standing,
    pub sdk: Option<Sdk<'a>>,
    /// RFC 5646, with a region.
    pub locale: &'a str,
    /// Whether a url of Klarna's may be loaded as a picture.
    pub may_show: &'a dyn Fn(&str) -> bool,
    /// The last press came to nothing on our side.
    pub failed: Option<&'a str>,
}

/// How a session ended, or what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Paid,
    Underway,
    Expired,
    Canceled,
}

impl Frame<'_> {
    fn say(&self, text: &str) -> String {
        fill(text, "shop", self.shop)
    }

    fn money(&self) -> String {
        self.session.money().map(|money| self.words.money(money)).unwrap_or_default()
    }

    fn order(&self, open: bool) -> Markup {
        let session = self.session;
        let lines = session.detail.order["supplementary_purchase_data"]["line_items"].as_array();
        let currency = session.currency.parse::<Currency>().ok();
        let amount = |line: &Value| {
            let minor = line.get("total_amount").and_then(Value::as_i64);
            minor.zip(currency).map(|(minor, currency)| self.words.money(Money::new(minor, currency)))
        };
        html! {
            section.card.order aria-labelledby="order-title" data-testid="order" {
                div.row.spread {
                    h2.order-title id="order-title" { (self.words.order) }
                    p.price id="amount" data-testid="amount" data-minor=(session.amount) data-currency=(session.currency) { (self.money()) }
                }
                @if let Some(reference) = &session.reference { p.small.muted { (reference) } }
                @if let Some(lines) = lines.filter(|lines| !lines.is_empty()) {
                    @let list = html! {
                        dl.receipt {
                            @for line in lines {
                                div {
                                    dt {
                                        @let quantity = line.get("quantity").and_then(Value::as_i64).unwrap_or(1);
                                        @if quantity != 1 { (quantity) " × " }
                                        (line.get("name").and_then(Value::as_str).unwrap_or_default())
                                    }
                                    dd { (amount(line).unwrap_or_default()) }
                                }
                            }
                            div.total { dt { (self.words.total) } dd { (self.money()) } }
                        }
                    };
                    @if open { (list) } @else { details { summary { (self.words.order) } (list) } }
                }
            }
        }
    }

    fn way_back(&self) -> Markup {
        let back = self.session.partners_page("cancel_url").or_else(|| self.session.partners_page("return_url"));
        html! {
            @if let Some(back) = back {
                p.center { a id="back" data-testid="back" href=(back) { (self.say(self.words.back)) } }
            }
        }
    }

    /// The order, the choices, the button.
    pub(super) fn open(&self, open: &Open<'_>) -> Markup {
        let words = self.words;
        let shown = match open.offer {
            Offer::Shown(shown) => Some(&**shown),
            Offer::Hidden | Offer::Unknown => None,
        };
        let sdk = open.sdk.as_ref();
        let other = self.session.detail.other_method.as_ref();
        // Who was at Klarna already goes on there.
        let is_only = open.standing == Standing::WithCustomer || other.is_none();
        let is_chosen = |shown: &Shown| shown.is_preselected || (is_only && shown.options.len() == 1);
        // With script Klarna may still come by the Web SDK; without, what the server read is all there is.
        let nothing = shown.is_none() && other.is_none();
        let body = html! {
            h1.visually-hidden { (words.checkout) }
            (notice(words, open.standing))
            @if let Some(reference) = open.failed {
                div.callout.refused role="alert" data-testid="failed" {
                    p { strong { (words.failed_title) } }
                    p { (words.not_begun) }
                    p.small { (fill(words.quote, "reference", reference)) }
                }
            }
            (self.order(true))
            form.stack id="pay-form" data-testid="pay-form" method="post" action={ (self.base) "/pay" } {
                input type="hidden" name="klarna_network_session_token" id="session-token" value="";
                fieldset.choices id="choices" data-testid="choices" hidden[nothing] {
                    legend { (words.choose) }
                    div.options id="klarna-options" {
                        @if let Some(shown) = shown {
                            @for (place, option) in shown.options.iter().enumerate() {
                                (klarna_choice(words, option, shown, place == 0 && is_chosen(shown), open.may_show))
                            }
                        }
                    }
                    @if let Some(other) = other {
                        label.choice {
                            // The only way there is, is chosen.
                            input type="radio" name="method" value="other" required id="method-other" data-testid="method-other"
                                checked[*open.offer == Offer::Hidden];
                            span {
                                strong { (other.label.as_deref().unwrap_or(words.other)) }
                                span.help { (self.say(words.other_help)) }
                            }
                        }
                    }
                }
                @if nothing {
                    div.callout.waiting id="nothing" data-testid="no-way" {
                        p { strong { (words.no_way_title) } }
                        p { @if *open.offer == Offer::Unknown { (words.unheard) } @else { (self.say(words.no_way_text)) } }
                    }
                } @else if *open.offer == Offer::Unknown {
                    p.help id="unheard" data-testid="unheard" { (words.unheard) }
                }
                p.error id="trouble" data-testid="trouble" role="alert" hidden { (words.not_begun) }
                div id="klarna-button" data-testid="klarna-button" hidden {}
                button.button.primary.full id="pay" data-testid="pay" type="submit" hidden[nothing]
                    data-pay=(fill(words.pay, "amount", &self.money())) data-go-on=(words.go_on) {
                    @if shown.is_some_and(|shown| shown.is_approved) { (words.confirm) } @else if *open.offer == Offer::Hidden { (words.go_on) } @else { (fill(words.pay, "amount", &self.money())) }
                }
            }
            @if !nothing {
                details.on-phone data-testid="on-phone" {
                    summary { (words.on_phone) }
                    p.small.muted { (words.on_phone_text) }
                    img.till-code data-testid="code" src={ (self.base) "/qr.svg" } alt=(words.code_alt) width="320" height="320" loading="lazy";
                }
            }
            (self.way_back())
        };
        let data = html! {
            main.narrow.stack.checkout id="main" tabindex="-1" data-testid="checkout" data-mark=(self.mark) data-base=(self.base)
                data-amount=(self.session.amount) data-currency=(self.session.currency) data-locale=(open.locale)
                data-sdk-url=[sdk.map(|sdk| sdk.url)] data-client-id=[sdk.map(|sdk| sdk.client_id)]
                data-partner-account-id=[sdk.map(|sdk| sdk.partner_account_id)]
                data-payment-account-id=[sdk.and_then(|sdk| sdk.payment_account_id)] data-token=[sdk.and_then(|sdk| sdk.token)] { (body) }
        };
        document(words, Some(self), words.checkout, None, data)
    }

    /// The customer is paying in another way, as far as we know: Klarna waits until the choice is taken back.
    pub(super) fn elsewhere(&self) -> Markup {
        let words = self.words;
        let other = self.session.other_method_page();
        let body = html! {
            main.narrow.stack.checkout id="main" tabindex="-1" data-testid="checkout" data-mark=(self.mark) data-base=(self.base) {
                div.card.lifted.stack.end.waiting data-testid="end" data-end="elsewhere" {
                    (picture("waiting"))
                    h1 { (words.elsewhere_title) }
                    p { (self.say(words.elsewhere_text)) }
                    @if let Some(other) = other {
                        a.button.primary.full data-testid="go-on" href=(other) { (self.say(words.elsewhere_go_on)) }
                    }
                    form method="post" action={ (self.base) "/pay" } {
                        button.button.full type="submit" name="method" value="again" data-testid="again" { (words.choose_again) }
                    }
                }
                (self.order(false))
            }
        };
        document(words, Some(self), words.elsewhere_title, None, body)
    }

    /// There is nothing to choose (any more).
    pub(super) fn ended(&self, end: End) -> Markup {
        let words = self.words;
        let (name, state, title, text) = match end {
            End::Paid => ("paid", "done", words.paid_title, words.paid_text),
            End::Underway => ("underway", "waiting", words.underway_title, words.underway_text),
            End::Expired => ("expired", "ended", words.expired_title, words.expired_text),
            End::Canceled => ("canceled", "ended", words.canceled_title, words.canceled_text),
        };
        let on = match end {
            End::Paid => self.session.partners_page("return_url"),
            End::Underway => None,
            End::Expired | End::Canceled => {
                self.session.partners_page("cancel_url").or_else(|| self.session.partners_page("return_url"))
            }
        };
        let body = html! {
            main.narrow.stack.checkout id="main" tabindex="-1" data-testid="checkout" data-mark=(self.mark) data-base=(self.base) {
                div class={ "card lifted stack end " (state) } data-testid="end" data-end=(name) {
                    @if end == End::Underway { p.busy role="status" { span { (words.wait) } } } @else { (picture(state)) }
                    h1 { (title) }
                    p { (self.say(text)) }
                    @if end == End::Underway {
                        a.button.full id="look-again" data-testid="look-again" href={ (self.base) "/done" } { (words.look_again) }
                    }
                    @if let Some(on) = on {
                        a.button.primary.full id="back" data-testid="back" href=(on) { (self.say(words.back)) }
                    }
                }
                (self.order(end == End::Paid))
            }
        };
        let again = (end == End::Underway).then(|| format!("{}/done", self.base));
        document(words, Some(self), title, again.as_deref(), body)
    }
}

/// How it ended, for the eye.
fn picture(state: &str) -> Markup {
    let path = match state {
        "done" => "M15 25l6 6 12-14",
        "waiting" => "M24 13v12l8 4",
        _ => "M16 24h16",
    };
    html! {
        svg.end-picture viewBox="0 0 48 48" width="48" height="48" aria-hidden="true" {
            circle cx="24" cy="24" r="22" {}
            path d=(path) {}
        }
    }
}

fn notice(words: &Words, standing: Standing) -> Markup {
    let (name, state, title, text) = match standing {
        Standing::Declined => ("declined", "refused", words.declined_title, words.declined_text),
        Standing::CameToNothing => ("nothing", "ended", words.nothing_title, words.nothing_text),
        Standing::WithCustomer => ("left", "waiting", words.left_title, words.left_text),
        Standing::None | Standing::Underway | Standing::Paid => return html! {},
    };
    html! {
        div class={ "callout " (state) } role="status" data-testid="notice" data-notice=(name) {
            p { strong { (title) } }
            p { (text) }
        }
    }
}

/// One of Klarna's options, in Klarna's words.
fn klarna_choice(
    words: &Words,
    option: &PaymentOption,
    shown: &Shown,
    is_checked: bool,
    may_show: &dyn Fn(&str) -> bool,
) -> Markup {
    let icon = option.icon.as_ref();
    let picture = icon.and_then(|icon| icon.badge_image_url.as_deref()).filter(|url| may_show(url));
    let parts = option.message.as_ref().map(|message| message.parts.as_slice()).unwrap_or_default();
    html! {
        label.choice {
            input type="radio" name="method" value={ "klarna/" (option.payment_option_id) } required data-testid="method-klarna"
                checked[is_checked];
            span {
                span.row {
                    strong { (option.header.text) }
                    @if let Some(badge) = &option.badge { span.badge.ended { (badge.text) } }
                    @if let Some(picture) = picture {
                        img.klarna-icon src=(picture) alt=(icon.and_then(|icon| icon.alt.as_deref()).unwrap_or_default());
                    }
                }
                @if !option.subheader.text.is_empty() { span.help { (option.subheader.text) } }
                @if shown.is_approved { span.help { (words.approved) } }
                @if !parts.is_empty() {
                    span.parts {
                        @for part in parts {
                            @if let Some(url) = part.url.as_deref().filter(|url| url.starts_with("https://") || may_show(url)) {
                                a href=(url) target="_blank" rel="noopener" { (part.text) }
                            } @else { (part.text) }
                            " "
                        }
                    }
                }
            }
        }
    }
}

/// A page that belongs to no session.
pub(super) fn unknown(words: &'static Words) -> Markup {
    plain(words, "unknown", words.unknown_title, words.unknown_text, None)
}

/// A page for a fault of ours.
pub(super) fn failed(words: &'static Words, reference: &str) -> Markup {
    plain(words, "failed", words.failed_title, words.failed_text, Some(reference))
}

fn plain(words: &'static Words, name: &str, title: &str, text: &str, reference: Option<&str>) -> Markup {
    let body = html! {
        main.narrow.stack.checkout id="main" tabindex="-1" {
            div.card.lifted.stack.end.ended data-testid="end" data-end=(name) {
                (picture("ended"))
                h1 { (title) }
                p { (fill(text, "shop", "")) }
                @if let Some(reference) = reference { p.small.muted { (fill(words.quote, "reference", reference)) } }
            }
        }
    };
    document(words, None, title, None, body)
}

fn document(words: &Words, frame: Option<&Frame<'_>>, title: &str, again: Option<&str>, body: Markup) -> Markup {
    let branding = frame.map(|frame| &frame.session.detail.branding);
    let shop = frame.map(|frame| frame.shop);
    html! {
        (DOCTYPE)
        html lang=(words.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) @if let Some(shop) = shop { " · " (shop) } }
                @if let Some(again) = again {
                    noscript { meta http-equiv="refresh" content={ "3; url=" (again) }; }
                }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
                link rel="stylesheet" href=(STYLE.href);
                @if let Some(frame) = frame {
                    @if branding.is_some_and(|branding| !branding.stylesheet().is_empty()) {
                        link rel="stylesheet" href={ (frame.base) "/brand.css" };
                    }
                    script type="module" src=(SCRIPT.href) {}
                }
                script type="module" src=(web::THEME.href) blocking="render" {}
            }
            body {
                a.skip-link href="#main" { (words.skip) }
                header.site-header {
                    p.brand {
                        @if let Some(logo) = branding.and_then(|branding| branding.logo_url.as_deref()) {
                            img.logo src=(logo) alt="" referrerpolicy="no-referrer";
                        }
                        span { (shop.unwrap_or(words.checkout)) }
                    }
                    button type="button" data-theme-switch data-theme-words=(words.themes) hidden {}
                }
                (body)
            }
        }
    }
}
