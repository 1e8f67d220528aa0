//! The hosted checkout: a page of ours between a Partner's shop and Klarna, for Partners that build none (PUR-1).
//!
//! A [`session`] is opened with an order and leads to one paid order at most. [`act`] makes its payments through [`crate::payments`], in
//! the transaction that locks the session, so that no number of tabs and clicks makes two; a payment that is authorized completes its
//! session in its own transaction ([`payment_changed`]).
//!
//! The page (`hosted`, `pages`) is whole without script: Klarna's texts are read by the server ([`offer`]), and a form pays by redirect.
//! With script, `web/checkout.mjs` loads the Web SDK, whose presentation takes the place of what the server read and whose token goes
//! along with the payment. Whoever has a session's address may pay and sees the order; the address is the only key to the page.

mod act;
pub mod api;
pub mod body;
pub mod branding;
mod hosted;
mod jobs;
pub mod offer;
mod pages;
pub(crate) mod record;
mod sdk;
pub mod session;
mod store;
mod words;

use axum::Router;
use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::jobs::Worker;

use crate::Ctx;
use crate::access::PartnerCaller;
use crate::payments::record::Payment;
use body::CreateSession;
use record::Session;

pub(crate) use act::{caller, read};
pub use api::routes;
pub(crate) use hosted::{SCRIPT, STYLE, accept_language, failure, respond, unknown};
pub(crate) use pages::ICON;
pub(crate) use store::SessionRow;
pub(crate) use words::{Words, fill, words};

/// The pages, and what they load.
pub fn page_routes() -> Router<Ctx> {
    hosted::routes()
}

/// Adds the handlers of this capability's jobs.
pub fn register_jobs(worker: Worker, ctx: &Ctx) -> Worker {
    jobs::register(worker, ctx)
}

/// Makes sure that the standing jobs exist; call it once at start.
///
/// # Errors
/// [`DbError`].
pub async fn ensure_jobs(ctx: &Ctx) -> Result<(), DbError> {
    jobs::ensure(ctx).await
}

/// Writes a new session, which a link opens.
///
/// # Errors
/// 403 for a suspended Partner; as the database says.
pub(crate) async fn create_in(
    tx: &mut Tx,
    ctx: &Ctx,
    caller: &PartnerCaller,
    asked: CreateSession,
    payment_link_id: Option<&str>,
) -> Result<Session, ApiError> {
    act::create_in(tx, ctx, caller, asked, payment_link_id).await.map(|(session, _)| session)
}

/// A session, inside a transaction.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn find(tx: &mut Tx, partner_id: &str, session_id: &str) -> Result<Option<Session>, DbError> {
    store::find(tx, partner_id, session_id).await
}

/// A session by the key in its page's address.
///
/// # Errors
/// As the database says.
pub(crate) async fn read_by_key(ctx: &Ctx, key: &str) -> Result<Option<Session>, ApiError> {
    Ok(act::read_by_key(ctx, key).await?.map(|(session, _)| session))
}

/// Follows a payment, in the transaction of its change.
///
/// # Errors
/// As the database says.
pub(crate) async fn payment_changed(tx: &mut Tx, ctx: &Ctx, payment: &Payment) -> Result<(), ApiError> {
    act::payment_changed(tx, ctx, payment).await
}

/// Where a customer goes who comes back from Klarna: to the Partner's page if the order is paid, else to ours.
///
/// # Errors
/// As the database says.
pub(crate) async fn way_back(ctx: &Ctx, partner_id: &str, session_id: &str) -> Result<Option<String>, ApiError> {
    let Some((session, payment)) = act::read(ctx, partner_id, session_id).await? else { return Ok(None) };
    hosted::way_on(ctx, &session, payment.as_ref()).map(Some)
}
