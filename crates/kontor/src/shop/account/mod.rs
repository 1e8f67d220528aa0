//! A shopper's account: what Klarna lets us charge without asking again, and what was bought.
//!
//! An account begins with the first press of "remember this": a browser that was here before is known by its cookie. What may be
//! charged stays at the gateway, under the account's id as its reference; the shop holds no token of Klarna's.

mod pages;
mod store;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::clock::{Clock, DAY_US};
use kit::db::{Db, DbError, Migrations};
use kit::random::Random;
use sha2::{Digest as _, Sha256};

use super::gateway::CustomerToken;
use super::pages::Failure;
use super::{Sent, Shop, status_of, warn};

pub use store::Account;

/// The shop's tables.
pub const MIGRATIONS: &[Migrations] =
    &[Migrations { set: "shop", files: &[("0001_accounts", include_str!("../../../migrations/0001_accounts.sql"))] }];

const COOKIE_NAME: &str = "tallow_tern";
const SESSION_DAYS: i64 = 180;
/// Orders that the account's page lists.
const ORDERS_MAX: i64 = 10;

/// Who is who, kept.
#[derive(Clone)]
pub struct Accounts {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
}

/// The page and what it sends.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/account", get(show))
        .route("/account/forget", post(forget))
        .route("/account/leave", post(leave))
}

/// What a browser's cookie holds.
fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn digest(session: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, Sha256::digest(session.as_bytes()))
}

impl Accounts {
    /// Whose browser this is, if we know.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn of(&self, headers: &HeaderMap) -> Result<Option<Account>, DbError> {
        let Some(session) = session(headers) else { return Ok(None) };
        let (digest, now) = (digest(session), self.clock.now());
        self.db.read(move |tx| Box::pin(async move { store::of_session(tx, &digest, now).await })).await
    }

    /// Whose browser this is; an account is made if there is none yet, and the cookie that will tell.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn of_or_new(&self, headers: &HeaderMap) -> Result<(Account, Option<HeaderValue>), DbError> {
        if let Some(known) = self.of(headers).await? {
            return Ok((known, None));
        }
        let now = self.clock.now();
        let (account_id, session) = (format!("acc_{}", self.random.id(now).simple()), self.random.base64url(24));
        let digest = digest(&session);
        let account = Account { account_id: account_id.clone(), name: None, email: None, subject: None };
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    store::insert(tx, &account_id, now).await?;
                    store::begin_session(tx, &digest, &account_id, now, now + SESSION_DAYS * DAY_US).await
                })
            })
            .await?;
        Ok((account, Some(cookie(&session, SESSION_DAYS))))
    }

    /// Notes that an order is an account's.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn note_order(&self, account: &Account, payment_id: &str) -> Result<(), DbError> {
        let (account_id, payment_id, now) = (account.account_id.clone(), payment_id.to_owned(), self.clock.now());
        self.db
            .write(move |tx| Box::pin(async move { store::note_order(tx, &account_id, &payment_id, now).await }))
            .await
    }
}

/// Ours alone, sent when the shopper comes back from Klarna, and never to another site's forms.
fn cookie(session: &str, days: i64) -> HeaderValue {
    let age = days * 24 * 60 * 60;
    HeaderValue::try_from(format!("{COOKIE_NAME}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax"))
        .expect("base64url and digits are header text")
}

/// Lets the browser keep a new account's cookie.
pub fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

impl Shop {
    /// What an account can be charged by, if the shopper said so once and has not taken it back. A gateway that does not answer offers
    /// nothing: the shopper pays as everybody does.
    pub(super) async fn saved(&self, account: Option<&Account>) -> Option<CustomerToken> {
        let tokens = self.gateway.customer_tokens(&account?.account_id).await;
        let tokens = tokens.inspect_err(|error| warn(error, "reading customer tokens")).ok()?;
        tokens.into_iter().find(CustomerToken::is_active)
    }

    /// Notes that an order is an account's. Not being able to must not keep anybody from paying.
    pub(super) async fn note_order(&self, account: &Account, payment_id: &str) {
        if let Err(error) = self.accounts.note_order(account, payment_id).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "noting an order");
        }
    }

    /// Whose browser this is; a database that does not answer knows nobody.
    pub(super) async fn visitor(&self, headers: &HeaderMap) -> Option<Account> {
        self.accounts.of(headers).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "reading an account");
            None
        })
    }
}

async fn show(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let account = shop.visitor(&headers).await;
    let mut orders = Vec::new();
    let mut tokens = Vec::new();
    if let Some(account) = &account {
        let account_id = account.account_id.clone();
        let known =
            shop.accounts.db.read(move |tx| Box::pin(async move { store::orders(tx, &account_id, ORDERS_MAX).await }));
        let known: Result<Vec<String>, DbError> = known.await;
        for payment_id in known.unwrap_or_default() {
            match shop.gateway.payment(&payment_id).await {
                Ok(payment) => orders.push(payment),
                Err(error) => warn(&error, "reading an account's order"),
            }
        }
        tokens = shop.gateway.customer_tokens(&account.account_id).await.unwrap_or_else(|error| {
            warn(&error, "reading customer tokens");
            Vec::new()
        });
    }
    shop.page(StatusCode::OK, pages::account(&shop, account.as_ref(), &tokens, &orders))
}

/// Takes back the leave to charge: here, at the gateway, and through it at Klarna.
async fn forget(State(shop): State<Arc<Shop>>, headers: HeaderMap, sent: Sent) -> Response {
    let fields = sent.map(|Form(fields)| fields).unwrap_or_default();
    let account = shop.visitor(&headers).await;
    let (Some(account), Some(token_id)) = (account, fields.get("token")) else {
        return Redirect::to("/account").into_response();
    };
    let revoked = async {
        let tokens = shop.gateway.customer_tokens(&account.account_id).await?;
        // Only one's own, whatever the form says.
        match tokens.iter().find(|token| token.id == *token_id) {
            Some(token) => shop.gateway.revoke(&token.id).await,
            None => Ok(()),
        }
    };
    match revoked.await {
        Ok(()) => Redirect::to("/account").into_response(),
        Err(error) => {
            warn(&error, "revoking a customer token");
            let failure = Failure::of(&error, "take it back", "Press again: taking back twice changes nothing.");
            shop.page(status_of(&error), super::pages::failed(&failure, &shop.links))
        }
    }
}

/// This browser is no longer known. What may be charged stays until it is taken back.
async fn leave(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    if let Some(session) = session(&headers) {
        let digest = digest(session);
        let ended = shop.accounts.db.write(move |tx| Box::pin(async move { store::end_session(tx, &digest).await }));
        let ended: Result<(), DbError> = ended.await;
        if let Err(error) = ended {
            tracing::warn!(error = &error as &dyn std::error::Error, "ending a session");
        }
    }
    with_cookie(Redirect::to("/account").into_response(), Some(cookie("", 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_from_among_other_cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(session(&headers), None);
        headers.insert(COOKIE, HeaderValue::from_static("theme=dark; tallow_tern=abc; other=tallow_tern"));
        assert_eq!(session(&headers), Some("abc"));
        headers.insert(COOKIE, HeaderValue::from_static("tallow_tern="));
        assert_eq!(session(&headers), None);
        let cookie = cookie("abc", 1);
        assert_eq!(cookie.to_str().unwrap(), "tallow_tern=abc; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax");
    }
}
