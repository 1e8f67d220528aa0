//! The first API key of an account, by a link that works once (fact sheet 01 §2.3).
//!
//! Whoever opens the link gets a key that is meant for one thing: making keys of one's own, and then disabling it. The key is made
//! at that moment, so nothing secret waits anywhere but in the link. Opening shows a page with a button first, so that programs that
//! look at links in mail do not use it up.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use kit::clock::DAY_US;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::PartnerAccountId;

use super::api_key::{self, NewApiKey};
use super::{digest, pages, store};
use crate::accounts;
use crate::ctx::Ctx;

/// Ours: long enough for a letter to arrive.
const LINK_US: i64 = DAY_US;
const TOKEN_BYTES: usize = 32;
/// Of the key that a link yields.
const DESCRIPTION: &str = "bootstrap: make keys of your own, then disable this one";

/// A link at the moment of its creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapLink {
    /// Secret: whoever opens it first has the key.
    pub url: String,
    /// Microseconds UTC.
    pub expires_at: i64,
}

/// Makes a link for an account.
///
/// # Errors
/// [`ApiError`] when the database fails.
pub async fn create_bootstrap_link(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
) -> Result<BootstrapLink, ApiError> {
    let now = ctx.clock.now();
    let (link_id, token) = (ctx.random.id(now).to_string(), ctx.random.base64url(TOKEN_BYTES));
    let expires_at = now + LINK_US;
    store::insert_bootstrap_link(tx, account.as_str(), &link_id, &digest(&token), expires_at, now).await?;
    Ok(BootstrapLink { url: format!("{}/bootstrap/{token}", ctx.config.base_url), expires_at })
}

/// The page behind the link.
pub fn page_routes() -> Router<Ctx> {
    Router::new().route("/bootstrap/{token}", get(show).post(reveal))
}

async fn show(State(ctx): State<Ctx>, Path(token): Path<String>) -> Response {
    let (hash, now) = (digest(&token), ctx.clock.now());
    let found = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Option<String>, ApiError>> {
        Box::pin(async move {
            let Some(row) = store::bootstrap_link(tx, &hash, now).await? else { return Ok(None) };
            let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
            Ok(Some(accounts::name(tx, &account).await?.unwrap_or_default()))
        })
    });
    match found.await {
        Ok(Some(name)) => pages::secured(pages::bootstrap(&name).into_response()),
        Ok(None) => over(),
        Err(error) => error.into_response(),
    }
}

async fn reveal(State(ctx): State<Ctx>, Path(token): Path<String>) -> Response {
    let revealed = ctx
        .write(|| {
            let (ctx, hash) = (ctx.clone(), digest(&token));
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<(PartnerAccountId, NewApiKey)>, ApiError>> {
                Box::pin(async move {
                    let now = ctx.clock.now();
                    let Some(row) = store::use_bootstrap_link(tx, &hash, now).await? else { return Ok(None) };
                    let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
                    let key = api_key::insert_lapsing(tx, &ctx.random, &account, DESCRIPTION, now).await?;
                    Ok(Some((account, key)))
                })
            }
        })
        .await;
    match revealed {
        Ok(Some((account, key))) => {
            let page = pages::revealed(account.as_str(), key.credential_id.as_str(), &key.secret, &ctx.config.base_url);
            pages::secured(page.into_response())
        }
        Ok(None) => over(),
        Err(error) => error.into_response(),
    }
}

/// Used, too old, or never made: nobody learns which.
fn over() -> Response {
    pages::secured((StatusCode::GONE, pages::link_over()).into_response())
}
