//! Pages of this end: what a window shows before the journey, and `/websdk/try`, everything that the SDK shows, paid for with the seeded
//! Partner's client identifier.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use kit::web;
use maud::{DOCTYPE, Markup, html};

use super::files::{DEMO, DEMO_STYLE};
use crate::ctx::Ctx;
use crate::journey::ICON;
use crate::seed::{self, PartnerCredentials};

/// The pages. What there is to try is there with the test controls only.
pub fn routes() -> Router<Ctx> {
    Router::new().route("/websdk/opening", get(opening)).route("/websdk/try", get(show))
}

/// What a window shows between the click and the journey.
async fn opening() -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="color-scheme" content="light dark";
                title { "…" }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
            }
            body.journey { main.narrow.stack { p.busy role="status" { "…" } } }
        }
    };
    let policy = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    ([(CONTENT_SECURITY_POLICY, policy), (REFERRER_POLICY, "no-referrer")], page).into_response()
}

async fn show(State(ctx): State<Ctx>) -> Response {
    let partner = match seed::credentials(&ctx).await {
        Ok(credentials) if ctx.config.testing => credentials.map(|credentials| credentials.partner),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "reading the seeded client identifier");
            None
        }
    };
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [(CONTENT_SECURITY_POLICY, policy), (CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "no-referrer")];
    (headers, page(partner.as_ref())).into_response()
}

fn page(partner: Option<&PartnerCredentials>) -> Markup {
    let client_id = partner.map(|partner| partner.client_id.as_str());
    // It has two, so a payment names one.
    let payment_account = partner.map(|partner| partner.payment_account_id.as_str());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { "Try the Web SDK · Test network" }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
                link rel="stylesheet" href=(DEMO_STYLE.href);
                script type="module" src=(web::THEME.href) blocking="render" {}
                @if client_id.is_some() { script type="module" src=(DEMO.href) {} }
            }
            body {
                a.skip-link href="#main" { "Skip to content" }
                aside.band aria-label="Test network" { p { "Test network: no real money" } }
                header.site-header {
                    a.brand href="/" { "Test network" }
                    button type="button" data-theme-switch hidden aria-label="Theme" {}
                }
                main.stack.try id="main" tabindex="-1" data-client-id=[client_id] data-payment-account-id=[payment_account] {
                    h1 { "Try the Web SDK" }
                    p.lead { "What a page of a Partner shows and does with the script of this network end. Change the purchase, and pay." }
                    @if client_id.is_some() { (parts()) } @else {
                        div.callout.waiting {
                            p { "This database was not seeded, so there is no Partner to try with. Make a client identifier with " code { "POST …/credentials/client-identifiers" } " and use it on a page of your own." }
                        }
                    }
                }
            }
        }
    }
}

fn parts() -> Markup {
    let currencies = ["EUR", "SEK", "USD", "GBP"];
    let locales = ["en-DE", "de-DE", "sv-SE", "en-US", "en-GB", "fr-FR"];
    html! {
        form.card.try-purchase id="purchase" {
            div.field { label for="amount" { "Amount, in minor units" } input id="amount" name="amount" inputmode="numeric" value="4990"; }
            div.field { label for="currency" { "Currency" }
                select id="currency" name="currency" { @for code in currencies { option { (code) } } } }
            div.field { label for="locale" { "Locale" }
                select id="locale" name="locale" { @for tag in locales { option { (tag) } } } }
            div.field { label for="mode" { "How the journey is shown" }
                select id="mode" name="mode" { @for mode in ["DEVICE_BEST", "POPUP", "ON_PAGE", "REDIRECT"] { option { (mode) } } } }
        }
        section.stack aria-labelledby="t-present" {
            h2 id="t-present" { "In a checkout" }
            div.card.try-option data-testid="option" {
                div.try-head { span id="icon" {} div { div.try-name id="header" {} div.muted id="subheader" {} } span id="badge" {} }
                p id="message" {}
                p.small.muted id="terms" {}
                div id="pay" data-testid="pay" {}
            }
            p.small.muted { "Instruction: " code id="instruction" { "…" } }
        }
        section.stack aria-labelledby="t-express" {
            h2 id="t-express" { "Express, with shipping" }
            p { "The window asks where the goods go, and this page answers: it ships to Germany and Sweden." }
            div id="express" data-testid="express" {}
        }
        section.stack aria-labelledby="t-sign-in" {
            h2 id="t-sign-in" { "Sign in" }
            p { "Whoever signs in is known to this page: look at the instruction above afterwards." }
            div.try-buttons id="sign-in" data-testid="sign-in" {}
        }
        section.stack aria-labelledby="t-buttons" {
            h2 id="t-buttons" { "Buttons" }
            div.try-buttons id="buttons" {}
        }
        section.stack aria-labelledby="t-messages" {
            h2 id="t-messages" { "Messages" }
            div.stack id="messages" {}
        }
        section.stack aria-labelledby="t-events" {
            h2 id="t-events" { "What the page was told" }
            p.muted id="nothing" { "Nothing yet. Pay, and the events stand here." }
            ol.try-events id="events" aria-live="polite" {}
        }
    }
}
