//! The pages around credentials, and the frame that the portal's pages share.

use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use kit::web;
use maud::{DOCTYPE, Markup, html};

/// Our mark, small: browsers ask for it, and find it in the page.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Crect x='2' y='2' \
    width='20' height='20' rx='3' fill='%231f6f63'/%3E%3Cpath d='M9 22V11a3 3 0 0 1 6 0v11z' fill='%23fff'/%3E%3C/svg%3E";

/// A page; `corner` stands beside the name.
pub(crate) fn document(title: &str, corner: Markup, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Kontor network" }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(web::STYLESHEET.href);
                script type="module" src=(web::THEME.href) blocking="render" {}
            }
            body {
                a.skip-link href="#main" { "Skip to the content" }
                aside.band aria-label="Test network" { p { "Test network: no real money" } }
                header.site-header {
                    span.brand { (mark()) "Kontor network" }
                    (corner)
                    button type="button" data-theme-switch hidden aria-label="Switch between light and dark" {}
                }
                main.text.stack.loose id="main" tabindex="-1" { (body) }
            }
        }
    }
}

/// Our mark: a square with a door.
fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            rect x="2" y="2" width="20" height="20" rx="3" class="stroke-ink" stroke-width="2" {}
            path d="M9 22V11a3 3 0 0 1 6 0v11z" class="fill-ink" {}
        }
    }
}

/// Headers of every page: nothing is kept, nothing comes from elsewhere, no address is told on.
pub(crate) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; \
             base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Before the key is made.
pub(super) fn bootstrap(account_name: &str) -> Markup {
    document(
        "Your first API key",
        html! {},
        html! {
            h1 { "Your first API key" }
            p.lead { "For " (account_name) ". The key is made when you press the button, and shown this once." }
            p { "Use it to make keys of your own, one for each service, and disable it then." }
            form method="post" {
                button.button.primary type="submit" data-testid="reveal" { "Show the key" }
            }
        },
    )
}

/// The key, this once.
pub(super) fn revealed(account: &str, credential_id: &str, secret: &str, base_url: &str) -> Markup {
    let keys = format!("{base_url}/v2/account/integration/credentials/api-key");
    document(
        "Your first API key",
        html! {},
        html! {
            h1 { "Your first API key" }
            div.callout.waiting { p { "It is shown this once. This page cannot be opened again." } }
            (secret_facts("Account", account, credential_id, secret))
            h2 { "What to do with it" }
            ol.stack {
                li { "Make a key for each of your services." pre tabindex="0" aria-label="How to make a key" { "curl -u :$KEY -X POST " (keys) " \\\n  -H 'content-type: application/json' \\\n  -d '{\"description\":\"my service\"}'" } }
                li { "Disable this one." pre tabindex="0" aria-label="How to disable this key" { "curl -u :$KEY -X DELETE " (keys) "/" (credential_id) } }
            }
        },
    )
}

/// A secret with what belongs to it.
pub(crate) fn secret_facts(name: &str, value: &str, credential_id: &str, secret: &str) -> Markup {
    html! {
        dl.facts {
            div { dt { (name) } dd { code.id { (value) } } }
            div { dt { "Credential" } dd { code.id { (credential_id) } } }
        }
        pre.whole data-testid="secret" { (secret) }
    }
}

pub(super) fn link_over() -> Markup {
    document(
        "This link is over",
        html! {},
        html! {
            h1 { "This link is over" }
            p { "It works once, and for a day. Whoever opened it before has the key; if that was not you, ask for the key to be \
                 disabled, and for a new link." }
        },
    )
}
