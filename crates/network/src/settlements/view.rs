//! Settlements, lines and payouts as callers read them (RULINGS "Objects").

use kit::http::ApiError;
use protocol::Timestamp;
use serde_json::{Map, Value, json};

use super::store::{LineRow, PayoutRow, SettlementRow};

pub(super) fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}

/// The settlement, whole.
pub(super) fn settlement(row: &SettlementRow) -> Result<Value, ApiError> {
    let mut object = without_totals(row)?;
    object["totals"] = totals(row);
    Ok(object)
}

fn without_totals(row: &SettlementRow) -> Result<Value, ApiError> {
    Ok(json!({
        "settlement_id": row.settlement_id,
        "payment_acquiring_account_id": row.payment_acquiring_account_id,
        "currency": row.currency,
        "interval_start": time(row.interval_start)?,
        "interval_end": time(row.interval_end)?,
        "state": row.state,
        "payment_reference": row.payment_reference,
        "opening_balance": row.opening_balance,
        "settlement_amount": row.settlement_amount,
        "closing_balance": row.closing_balance,
        "created_at": time(row.created_at)?,
    }))
}

/// The sums, by their names.
pub(super) fn totals(row: &SettlementRow) -> Value {
    json!({
        "capture_amount": row.capture_amount,
        "refund_amount": row.refund_amount,
        "chargeback_amount": row.chargeback_amount,
        "chargeback_reversal_amount": row.chargeback_reversal_amount,
        "fee_amount": row.fee_amount,
        "tax_amount": row.tax_amount,
        "adjustment_amount": row.adjustment_amount,
        "holdback_amount": row.holdback_amount,
        "release_amount": row.release_amount,
    })
}

/// The payload of `settlement.report.created`: no totals, but where the reports are.
pub(super) fn report_created(row: &SettlementRow, base_url: &str) -> Result<Value, ApiError> {
    let mut object = without_totals(row)?;
    let json_url = format!("{base_url}/v2/settlements/{}", row.settlement_id);
    object["links"] = json!({"json": json_url, "csv": format!("{json_url}/csv")});
    Ok(object)
}

/// The payload of `settlement.report.uploaded-to-sftp`.
pub(super) fn uploaded(row: &SettlementRow, file_name: &str) -> Result<Value, ApiError> {
    let mut object = without_totals(row)?;
    object["file_name"] = json!(file_name);
    Ok(object)
}

/// One line. What it has nothing of is absent.
pub(super) fn line(row: &LineRow) -> Result<Value, ApiError> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            object.insert(name.to_owned(), value);
        }
    };
    put("settlement_transaction_id", json!(row.settlement_transaction_id));
    put("type", json!(row.kind));
    put("detailed_type", json!(row.detailed_type));
    put("amount", json!(row.amount));
    put("tax_amount", json!(row.tax_amount));
    put("tax_rate", json!(row.tax_rate));
    put("currency", json!(row.currency));
    put("transaction_event_amount", json!(row.transaction_event_amount));
    put("transaction_event_currency", json!(row.transaction_event_currency));
    put("exchange_rate", json!(row.exchange_rate));
    put("occurred_at", json!(time(row.occurred_at)?));
    put("partner_account_id", json!(row.partner_account_id));
    put("payment_account_id", json!(row.payment_account_id));
    put("payment_account_reference", json!(row.payment_account_reference));
    put("payment_transaction_id", json!(row.payment_transaction_id));
    put("payment_transaction_reference", json!(row.payment_transaction_reference));
    put("purchase_reference", json!(row.purchase_reference));
    put("payment_capture_id", json!(row.payment_capture_id));
    put("payment_capture_reference", json!(row.payment_capture_reference));
    put("payment_refund_id", json!(row.payment_refund_id));
    put("payment_refund_reference", json!(row.payment_refund_reference));
    put("payment_chargeback_id", json!(row.payment_chargeback_id));
    put("dispute_id", json!(row.dispute_id));
    Ok(Value::Object(object))
}

/// The payout, as read and as told.
pub(super) fn payout(row: &PayoutRow) -> Result<Value, ApiError> {
    Ok(json!({
        "settlement_id": row.settlement_id,
        "payment_reference": row.payment_reference,
        "amount": row.amount,
        "currency": row.currency,
        "status": row.status,
        "payout_bank_account_reference": row.payout_bank_account_reference,
        "updated_at": time(row.updated_at)?,
    }))
}
