//! Payments: what Partners ask for, what Klarna says to it, and the books of both.
//!
//! A change runs in three steps. [`begin`] checks and decides under the payment's lock, and writes the **intent**: the payment or the
//! operation in `PENDING`, the Partner's idempotency key, and a job that holds the call to Klarna with everything it needs. The
//! **call** is made at once, by the request that waits; its `Klarna-Idempotency-Key` is derived from payment and step ([`call`]).
//! [`settle`] writes the **outcome**: state, answer, events, and removes the job. A crash in between leaves the job, which makes the
//! same call again; Klarna answers with the first result. So no payment is lost, and none happens twice.
//!
//! Klarna's webhooks and look-ups run through the same decisions ([`payment`]): whoever is second changes nothing. Klarna knows a
//! payment by our id of it from the first call on, so a webhook finds its payment even before the answer that it overtook.

pub mod api;
mod begin;
pub mod body;
pub mod call;
pub mod customer_token;
mod jobs;
mod pages;
pub mod payment;
pub mod record;
mod returning;
mod settle;
mod store;

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::jobs::Worker;
use protocol::Envelope;

use crate::Ctx;

pub use api::routes;
pub(crate) use begin::{Prepared, cancel, prepare, read, refund, token_hash};
pub(crate) use settle::{caller, refresh};

/// A payment, inside a transaction.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn find(tx: &mut Tx, partner_id: &str, payment_id: &str) -> Result<Option<record::Payment>, DbError> {
    store::find(tx, partner_id, payment_id).await
}

/// The payments with a reference of the Partner's, newest first.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_reference(
    tx: &mut Tx,
    partner_id: &str,
    reference: &str,
) -> Result<Vec<record::Payment>, DbError> {
    let filter = store::ListFilter { reference: Some(reference.to_owned()), ..store::ListFilter::default() };
    store::page(tx, partner_id, &filter, None, false, 100).await
}

/// The payments that were made with a session token, newest first.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn of_token(
    tx: &mut Tx,
    partner_id: &str,
    token: &secrecy::SecretString,
) -> Result<Vec<record::Payment>, DbError> {
    use secrecy::ExposeSecret as _;
    store::of_token(tx, partner_id, &token_hash(token.expose_secret())).await
}

/// What a webhook of the network came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It changed a payment.
    Changed,
    /// It told nothing new.
    Unchanged,
    /// It changed a payment, and a call to the network follows (its job is in the same transaction): poke the workers.
    NeedsCall,
    /// No payment of ours, or not yet: the webhook overtook the answer to the call that caused it.
    Unknown,
}

/// Applies one verified, deduplicated webhook.
///
/// # Errors
/// As the database says.
pub async fn apply_network_event(tx: &mut Tx, ctx: &Ctx, envelope: &Envelope) -> Result<Applied, ApiError> {
    settle::apply_network_event(tx, ctx, envelope).await
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
