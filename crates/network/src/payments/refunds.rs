//! What takes money back from captures: refunds, and chargebacks after lost disputes.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::{DisputeId, PartnerAccountId, PaymentCaptureId, PaymentChargebackId};
use serde_json::{Value, json};

use super::bodies::{PASSTHROUGH, amount, carried, check_lines, data, lines, text};
use super::store::{self, CaptureRow, ChargebackRow, RefundRow};
use super::stored::locked;
use super::transaction::{Capture, Chargeback, Refund, RefundCommand};
use crate::ctx::Ctx;
use crate::operation::{conflict, not_found};

/// Refunds a transaction, or one capture of it; the body has passed its shape. Returns the refund.
pub(super) async fn refund(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    (id, capture_number): (&str, Option<i64>),
    body: &Value,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let rows = store::captures(tx, account.as_str(), id).await?;
    let mut captures: Vec<Capture> = rows.iter().map(decided_capture).collect();
    if let Some(number) = capture_number
        && !captures.iter().any(|capture| capture.number == number)
    {
        return Err(not_found("The payment capture does not exist."));
    }
    let sent = lines(body, "supplementary_refund_data");
    let command = RefundCommand {
        amount: amount(body, "refund_amount"),
        reference: text(body, "payment_refund_reference").or_else(|| text(body, "refund_reference")),
        capture_number,
        has_line_items: sent.1.and_then(Value::as_array).is_some_and(|lines| !lines.is_empty()),
    };
    let (core, refund, happened) = stored.core.refund(&mut captures, command, ctx.clock.now())?;
    check_lines(&sent, refund.amount)?;
    let row = refund_row(&refund, data(body, "supplementary_refund_data", sent.1), carried(body, &PASSTHROUGH));
    if !store::insert_refund(tx, account.as_str(), id, &row).await? {
        return Err(conflict("The payment_refund_reference is taken by another refund.")
            .field("payment_refund_reference", "is the reference of another refund of this payment transaction"));
    }
    save_captures(tx, account, id, &captures, refund.shares.iter().map(|(number, _)| *number)).await?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    serde_json::to_string(&stored.wire_refund(&row)?).map_err(ApiError::internal)
}

pub(super) fn decided_capture(row: &CaptureRow) -> Capture {
    Capture {
        number: row.number,
        reference: row.reference.clone(),
        amount: row.amount,
        refunded: row.refunded,
        charged_back: row.charged_back,
        captured_at: row.captured_at,
    }
}

fn refund_row(refund: &Refund, data: Option<String>, passthrough: Option<String>) -> RefundRow {
    RefundRow {
        number: refund.number,
        reference: refund.reference.clone(),
        amount: refund.amount,
        refunded_at: refund.refunded_at,
        shares: json!(refund.shares).to_string(),
        data,
        passthrough,
    }
}

async fn save_captures(
    tx: &mut Tx,
    account: &PartnerAccountId,
    id: &str,
    captures: &[Capture],
    changed: impl Iterator<Item = i64>,
) -> Result<(), ApiError> {
    for number in changed {
        let Some(capture) = captures.iter().find(|capture| capture.number == number) else { continue };
        let sums = (capture.number, capture.refunded, capture.charged_back);
        store::save_capture(tx, account.as_str(), id, sums).await?;
    }
    Ok(())
}

/// A lost dispute takes money back from a capture. For the disputes room. Returns the chargeback's id.
///
/// # Errors
/// 403 when the state or what is left of the capture forbids it, 404, [`kit::db::DbError`].
pub async fn charge_back(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    capture: &PaymentCaptureId,
    dispute: &DisputeId,
    (amount, reason): (i64, &str),
) -> Result<PaymentChargebackId, ApiError> {
    let missing = || not_found("The payment capture does not exist.");
    let id = capture.transaction().ok_or_else(missing)?;
    let mut stored = locked(tx, account, id.as_str()).await?;
    let rows = store::captures(tx, account.as_str(), id.as_str()).await?;
    let number = capture.number().map(i64::from);
    let row = rows.iter().find(|row| Some(row.number) == number).ok_or_else(missing)?;
    let mut charged = decided_capture(row);
    let (core, chargeback, happened) = stored.core.charge_back(&mut charged, dispute, amount, ctx.clock.now())?;
    let Chargeback { number, capture_number, amount, created_at } = chargeback;
    let row = ChargebackRow {
        number,
        capture_number,
        dispute_id: dispute.to_string(),
        amount,
        reason: reason.to_owned(),
        created_at,
    };
    store::insert_chargeback(tx, account.as_str(), id.as_str(), &row).await?;
    save_captures(tx, account, id.as_str(), &[charged], std::iter::once(capture_number)).await?;
    stored.settle(tx, ctx, None, core, &happened).await?;
    Ok(stored.chargeback_id(number))
}
