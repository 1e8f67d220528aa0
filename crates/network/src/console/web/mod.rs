//! The console: the test controls in a browser.
//!
//! Pages are made here, work without script and are better with it. Nothing is done by GET; every form carries a proof that it was
//! shown to this browser. Which Acquiring Partner looks, and how that is known, stands in [`session`].

mod accounts;
mod controls;
mod disputes;
mod explain;
mod pages;
mod payments;
mod requests;
mod session;
mod settlements;
mod store;
mod webhooks;

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::clock::SECOND_US;
use kit::web::{self, Asset};
use serde::Deserialize;

use crate::ctx::Ctx;
use crate::seed::{self, Credentials};

pub(crate) use session::may_be_open;

use session::{Console, Fields, field, sign_in, sign_out, to};

/// What only these pages need of style.
static STYLESHEET: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/console.css", "text/css; charset=utf-8", include_bytes!("../../../web/console.css"))
});
/// Copying, and the log that goes on by itself.
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/console.js", "text/javascript; charset=utf-8", include_bytes!("../../../web/console.js"))
});

/// The pages; none where there are no test controls.
pub fn routes(ctx: &Ctx) -> Router {
    if !ctx.config.testing {
        return Router::new();
    }
    Router::new()
        .route("/console", get(overview))
        .route("/console/first-payment", post(take_first_payment))
        .route("/console/sign-in", get(show_sign_in).post(take_sign_in))
        .route("/console/sign-out", post(take_sign_out))
        .merge(requests::routes())
        .merge(payments::routes())
        .merge(disputes::routes())
        .merge(settlements::routes())
        .merge(accounts::routes())
        .merge(webhooks::routes())
        .merge(controls::routes())
        .merge(web::route(&STYLESHEET))
        .merge(web::route(&SCRIPT))
        .with_state(ctx.clone())
}

/// Nothing but our own files, no copy kept, no address told, in nobody's frame.
fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
        form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn overview(console: Console) -> Response {
    let credentials = seeded(&console).await;
    console.answer(pages::overview(&console, credentials.as_ref(), None))
}

/// What was seeded, as far as it belongs to whoever looks.
async fn seeded(console: &Console) -> Option<Credentials> {
    match seed::credentials(&console.ctx).await {
        Ok(credentials) => credentials.filter(|given| given.acquiring_partner.account_id == console.account),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "reading the seeded accounts");
            None
        }
    }
}

/// Does what an integration would do first; the page of the Payment Request goes on from there.
async fn take_first_payment(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let Some(given) = seeded(&console).await else { return to("/console") };
    let reference = format!("first-{}", console.ctx.clock.now() / SECOND_US);
    let body = pages::first_payment(&given.partner.payment_account_id, &reference);
    let path = format!("/v2/accounts/{}/payment/authorize", given.partner.account_id);
    match console.perform(Method::POST, &path, Some(&body)).await {
        Ok(made) => {
            let made = made.json();
            to(&format!(
                "/console/payments/{}",
                made["payment_request"]["payment_request_id"].as_str().unwrap_or_default()
            ))
        }
        Err(error) => {
            let status = error.status;
            console.answer((status, pages::overview(&console, Some(&given), Some(&error))))
        }
    }
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

/// Only our own pages are led to.
fn own(next: Option<&str>) -> &str {
    next.filter(|next| next.starts_with("/console") && !next.contains(['\\', '\r', '\n'])).unwrap_or("/console")
}

async fn show_sign_in(Query(Next { next }): Query<Next>) -> Response {
    secured(pages::sign_in(own(next.as_deref()), false).into_response())
}

/// No proof is asked for: whoever makes a browser send a key has the key.
async fn take_sign_in(State(ctx): State<Ctx>, Form(fields): Form<Fields>) -> Response {
    let next = own(Some(field(&fields, "next"))).to_owned();
    match sign_in(&ctx, field(&fields, "api_key")).await {
        Ok(Some(cookie)) => {
            let mut response = to(&next);
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Ok(None) => secured((StatusCode::UNPROCESSABLE_ENTITY, pages::sign_in(&next, true)).into_response()),
        Err(error) => pages::failed(&error),
    }
}

async fn take_sign_out(console: Console, headers: HeaderMap, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    match sign_out(&console.ctx, &headers).await {
        Ok(cookie) => {
            let mut response = to("/console/sign-in");
            response.headers_mut().append(SET_COOKIE, cookie);
            response
        }
        Err(error) => pages::failed(&error),
    }
}
