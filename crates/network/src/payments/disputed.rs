//! What disputes need of payments: what can be disputed, and taking back what was lost.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::{Currency, DisputeId, PartnerAccountId, PaymentCaptureId, PaymentTransactionId};

use super::refunds::{charge_back, decided_capture};
use super::store;
use super::stored::{StoredTransaction, locked};
use super::transaction::State;
use crate::ctx::Ctx;

/// A capture that can be disputed, with the names that its dispute has.
#[derive(Clone, Debug)]
pub struct Disputable {
    pub transaction_id: PaymentTransactionId,
    pub transaction_reference: Option<String>,
    pub purchase_reference: Option<String>,
    pub payment_account_id: String,
    pub payment_account_reference: String,
    /// The payment product.
    pub product_id: String,
    pub currency: Currency,
    pub capture_id: PaymentCaptureId,
    pub capture_reference: Option<String>,
    /// What of the capture is neither refunded nor charged back, in minor units.
    pub amount: i64,
}

/// A capture of a transaction by its number, or the oldest of which something is left; `None` if there is no such, or
/// the transaction is closed.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn disputable(
    tx: &mut Tx,
    account: &PartnerAccountId,
    transaction: &PaymentTransactionId,
    number: Option<i64>,
) -> Result<Option<Disputable>, ApiError> {
    let Some(row) = store::transaction(tx, account.as_str(), transaction.as_str()).await? else { return Ok(None) };
    if State::stored(&row.state) == Some(State::Closed) {
        return Ok(None);
    }
    let captures = store::captures(tx, account.as_str(), transaction.as_str()).await?;
    let left = |capture: &store::CaptureRow| decided_capture(capture).refundable();
    let capture = match number {
        Some(number) => captures.iter().find(|capture| capture.number == number),
        None => captures.iter().find(|capture| left(capture) > 0),
    };
    let Some(capture) = capture else { return Ok(None) };
    Ok(Some(Disputable {
        transaction_id: transaction.clone(),
        transaction_reference: row.reference,
        purchase_reference: row.purchase_reference,
        payment_account_id: row.payment_account_id,
        payment_account_reference: row.payment_account_reference,
        product_id: row.product_id,
        currency: row.currency.parse().map_err(ApiError::internal)?,
        capture_id: PaymentCaptureId::new(transaction, u32::try_from(capture.number).map_err(ApiError::internal)?),
        capture_reference: capture.reference.clone(),
        amount: left(capture),
    }))
}

/// Counts a dispute of a transaction that was opened, or closed: while there are any, time does not close the transaction.
///
/// # Errors
/// 404, [`kit::db::DbError`].
pub async fn count_dispute(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    transaction: &str,
    opened: bool,
) -> Result<(), ApiError> {
    let mut stored = locked(tx, account, transaction).await?;
    let (core, happened) = stored.core.disputed(opened, ctx.clock.now());
    stored.settle(tx, ctx, None, core, &happened).await
}

/// As [`charge_back`], but no more than what is left of the capture, and nothing from a transaction that is closed: what the Partner
/// has given back by itself is not owed again. Returns what was taken.
///
/// # Errors
/// 404, [`kit::db::DbError`].
pub async fn charge_back_at_most(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    capture: &PaymentCaptureId,
    dispute: &DisputeId,
    (owed, reason): (i64, &str),
) -> Result<i64, ApiError> {
    let (Some(transaction), Some(number)) = (capture.transaction(), capture.number()) else { return Ok(0) };
    let stored: StoredTransaction = locked(tx, account, transaction.as_str()).await?;
    let captures = store::captures(tx, account.as_str(), transaction.as_str()).await?;
    let capture_row = captures.iter().find(|row| row.number == i64::from(number));
    let left = capture_row.map_or(0, |row| decided_capture(row).refundable());
    let amount = owed.min(left);
    if amount <= 0 || stored.core.at(ctx.clock.now()).0.state == State::Closed {
        return Ok(0);
    }
    charge_back(tx, ctx, account, capture, dispute, (amount, reason)).await?;
    Ok(amount)
}
