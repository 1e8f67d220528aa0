//! The Web SDK: the script that a Partner's pages load, and what it asks of this end (fact sheet 04 §3).
//!
//! | file | what |
//! |---|---|
//! | [`files`] | the script in its two forms, joined from `web/websdk/` when the process starts |
//! | [`page`] | who asks: a client identifier, used from a page that may use it; what other origins are told |
//! | [`api`] | `/websdk/…`: sessions, presentation, messaging, Payment Requests, shipping |
//! | [`launch`] | how a journey is shown and to whom it hands back; the questions about shipping. Pure |
//! | [`pages`] | `/websdk/try`: all of it on one page, with the seeded Partner; what a window shows first |
//!
//! The script talks to nothing but `/websdk/…` and, for sign-in, `/…/lp/idp/…`. A page is never believed: what it is told about a request
//! beyond its state needs the access token of the request's own address, and nothing here moves money.

mod api;
mod files;
mod launch;
mod page;
mod pages;
mod store;

use axum::Router;
use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::PartnerAccountId;

use crate::ctx::Ctx;

pub use launch::{Address, Dialogue, Display, Launch, Question, ShippingOption};
pub use store::find as launched;

/// Everything this room serves: none of it takes an API key.
pub fn routes(ctx: &Ctx) -> Router {
    files::routes(&ctx.config.base_url).merge(api::routes(ctx)).merge(pages::routes().with_state(ctx.clone()))
}

/// Keeps what the shopper and the page have said so far.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn remember(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    request: &str,
    launch: &Launch,
) -> Result<(), ApiError> {
    store::save(tx, ctx, (account, request), launch).await
}

/// Forgets what was said about shipping: the journey has ended, and what was agreed stands in the request.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn forget(tx: &mut Tx, account: &PartnerAccountId, request: &str, now: i64) -> Result<(), DbError> {
    store::forget(tx, account, request, now).await
}

/// Where the script that hands a journey's end to the page stands.
pub fn hand_back_script() -> &'static str {
    &files::HAND_BACK.href
}
