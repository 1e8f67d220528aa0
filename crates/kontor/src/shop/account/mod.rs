//! A shopper's account: what Klarna lets us charge without asking again, and what was bought.
//!
//! An account begins with a sign-in, and is then the person's on every device; or with the first press of "remember this" by somebody who
//! is not signed in, and is then the browser's. The two never become one. What may be charged stays at the gateway, under the account's
//! id as its reference; the shop holds no customer token of Klarna's.

pub mod cookies;
mod pages;
pub mod sign_in;
mod store;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::clock::Clock;
use kit::db::{Db, DbError, Migrations};
use kit::random::Random;
use sha2::{Digest as _, Sha256};

use super::gateway::CustomerToken;
use super::goods::Basket;
use super::pages::Failure;
use super::{Fields, Sent, Shop, status_of, warn};
use cookies::{BROWSER, NETWORK_SESSION, PERSON, with_cookie};

pub use store::Account;

/// The shop's tables.
pub const MIGRATIONS: &[Migrations] =
    &[Migrations { set: "shop", files: &[("0001_accounts", include_str!("../../../migrations/0001_accounts.sql"))] }];

const SESSION_BYTES: usize = 32;
/// Orders that the account's page lists.
const ORDERS_MAX: i64 = 10;

/// Who is who, kept.
#[derive(Clone)]
pub struct Accounts {
    pub db: Db,
    pub clock: Clock,
    pub random: Random,
    /// Whether the shop is reached by HTTPS: its cookies then travel by nothing else.
    pub is_secure: bool,
}

/// The page and what it sends.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/account", get(show))
        .route("/account/sign-in", get(sign_in::begin))
        .route(sign_in::CALLBACK, get(sign_in::finish))
        .route("/account/forget", post(forget))
        .route("/account/leave", post(leave))
}

/// What Klarna knows a shopper by who signed in: for its SDK, and for the gateway.
pub fn network_session<'a>(headers: &'a HeaderMap, account: Option<&Account>) -> Option<&'a str> {
    account?.subject.as_ref()?;
    NETWORK_SESSION.of(headers)
}

fn digest(session: &str) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, Sha256::digest(session.as_bytes()))
}

impl Accounts {
    /// Who this is, if we know: the person who signed in, or else the browser.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn of(&self, headers: &HeaderMap) -> Result<Option<Account>, DbError> {
        let digests: Vec<String> =
            [PERSON, BROWSER].into_iter().filter_map(|cookie| cookie.of(headers)).map(digest).collect();
        let now = self.clock.now();
        self.db
            .read(move |tx| -> kit::db::UnitFuture<'_, Result<Option<Account>, DbError>> {
                Box::pin(async move {
                    for digest in &digests {
                        if let Some(account) = store::of_session(tx, digest, now).await? {
                            return Ok(Some(account));
                        }
                    }
                    Ok(None)
                })
            })
            .await
    }

    /// The same; an account is made for the browser if there is none yet, and the cookie that will tell.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn of_or_new(&self, headers: &HeaderMap) -> Result<(Account, Option<HeaderValue>), DbError> {
        if let Some(known) = self.of(headers).await? {
            return Ok((known, None));
        }
        let now = self.clock.now();
        let (account_id, session) = (self.account_id(now), self.random.base64url(SESSION_BYTES));
        let digest = digest(&session);
        let account = Account { account_id: account_id.clone(), name: None, email: None, subject: None };
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    store::insert(tx, &account_id, now).await?;
                    store::begin_session(tx, &digest, &account_id, now, now + BROWSER.lasts_us()).await
                })
            })
            .await?;
        Ok((account, Some(BROWSER.set(&session, self.is_secure))))
    }

    /// Begins a session of the person whom Klarna names, under a name that nobody knew before; their session of before in this browser
    /// ends. What the browser saved for whoever sat at it stays the browser's: were it to become this person's, they could have it
    /// charged from anywhere.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn sign_in(
        &self,
        headers: &HeaderMap,
        subject: &str,
        name: Option<String>,
        email: Option<String>,
    ) -> Result<HeaderValue, DbError> {
        let now = self.clock.now();
        let (fresh, session) = (self.account_id(now), self.random.base64url(SESSION_BYTES));
        let (before, begun, subject) = (PERSON.of(headers).map(digest), digest(&session), subject.to_owned());
        self.db
            .write(move |tx| -> kit::db::UnitFuture<'_, Result<(), DbError>> {
                Box::pin(async move {
                    let said = (subject.as_str(), name.as_deref(), email.as_deref());
                    let account_id = store::of_subject_or_new(tx, &fresh, said, now).await?;
                    if let Some(before) = &before {
                        store::end_session(tx, before).await?;
                    }
                    store::begin_session(tx, &begun, &account_id, now, now + PERSON.lasts_us()).await
                })
            })
            .await?;
        Ok(PERSON.set(&session, self.is_secure))
    }

    fn account_id(&self, now: i64) -> String {
        format!("acc_{}", self.random.id(now).simple())
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

    /// Who this is; a database that does not answer knows nobody.
    pub(super) async fn visitor(&self, headers: &HeaderMap) -> Option<Account> {
        self.accounts.of(headers).await.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "reading an account");
            None
        })
    }
}

async fn show(State(shop): State<Arc<Shop>>, headers: HeaderMap, Query(query): Query<Fields>) -> Response {
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
    let page = pages::AccountPage {
        shop: &shop,
        basket: Basket::read(&query),
        account: account.as_ref(),
        tokens: &tokens,
        orders: &orders,
        has_ended: query.get("sign-in").is_some_and(|how| how == "ended"),
    };
    shop.page(StatusCode::OK, page.render())
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

/// The person is signed out; of nobody's, the browser is no longer known. What may be charged stays until it is taken back.
async fn leave(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    let is_person = shop.visitor(&headers).await.is_some_and(|account| account.subject.is_some());
    let cookie = if is_person { PERSON } else { BROWSER };
    if let Some(session) = cookie.of(&headers) {
        let digest = digest(session);
        let ended = shop.accounts.db.write(move |tx| Box::pin(async move { store::end_session(tx, &digest).await }));
        let ended: Result<(), DbError> = ended.await;
        if let Err(error) = ended {
            tracing::warn!(error = &error as &dyn std::error::Error, "ending a session");
        }
    }
    let left = with_cookie(Redirect::to("/account").into_response(), Some(cookie.clear(shop.accounts.is_secure)));
    with_cookie(left, Some(NETWORK_SESSION.clear(shop.accounts.is_secure)))
}
