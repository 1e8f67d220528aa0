//! Reports as files: the combined CSV (summary, then lines), and the summary alone.
//!
//! Ours: the columns of the present generation are not known; they are the names of the JSON objects, with the same values (amounts in
//! minor units), in the two blocks of the generation before (fact sheet 05 §7.3). A settlement that is closed never gets another
//! line, so the lines are read in pieces while the file is on its way.

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use kit::db::{Db, DbError, UnitFuture};
use kit::http::ApiError;
use serde_json::Value;

use super::store::{self, LineRow, SettlementRow};
use super::view;

/// Lines that are read at once.
const PIECE: i64 = 1000;

const SUMMARY_COLUMNS: [&str; 11] = [
    "settlement_id",
    "payment_acquiring_account_id",
    "currency",
    "interval_start",
    "interval_end",
    "state",
    "payment_reference",
    "opening_balance",
    "settlement_amount",
    "closing_balance",
    "created_at",
];

const TOTAL_COLUMNS: [&str; 9] = [
    "capture_amount",
    "refund_amount",
    "chargeback_amount",
    "chargeback_reversal_amount",
    "fee_amount",
    "tax_amount",
    "adjustment_amount",
    "holdback_amount",
    "release_amount",
];

const LINE_COLUMNS: [&str; 23] = [
    "settlement_transaction_id",
    "type",
    "detailed_type",
    "amount",
    "tax_amount",
    "tax_rate",
    "currency",
    "transaction_event_amount",
    "transaction_event_currency",
    "exchange_rate",
    "occurred_at",
    "partner_account_id",
    "payment_account_id",
    "payment_account_reference",
    "payment_transaction_id",
    "payment_transaction_reference",
    "purchase_reference",
    "payment_capture_id",
    "payment_capture_reference",
    "payment_refund_id",
    "payment_refund_reference",
    "payment_chargeback_id",
    "dispute_id",
];

/// The summary: a header and one row.
pub(super) fn summary_csv(row: &SettlementRow) -> Result<Vec<u8>, ApiError> {
    let object = view::settlement(row)?;
    let mut writer = writer();
    writer.write_record(SUMMARY_COLUMNS.iter().chain(&TOTAL_COLUMNS)).map_err(ApiError::internal)?;
    let summary = SUMMARY_COLUMNS.iter().map(|name| cell(&object[name]));
    let totals = TOTAL_COLUMNS.iter().map(|name| cell(&object["totals"][name]));
    writer.write_record(summary.chain(totals)).map_err(ApiError::internal)?;
    writer.into_inner().map_err(|error| ApiError::internal(error.into_error()))
}

/// The summary, an empty line, and the lines, a piece at a time.
pub(super) fn combined_csv(
    db: Db,
    row: SettlementRow,
) -> Result<impl Stream<Item = Result<Bytes, ApiError>> + Send + 'static, ApiError> {
    let beginning = stream::iter([Ok(Bytes::from(combined_head(&row)?))]);
    let pieces = stream::try_unfold((db, row, Some(0)), |(db, row, after)| async move {
        let Some(after) = after else { return Ok(None) };
        let (account, settlement) = (row.account_id.clone(), row.settlement_id.clone());
        let lines: Vec<LineRow> = db
            .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
                Box::pin(async move { store::lines_after(tx, &account, &settlement, after, PIECE).await })
            })
            .await?;
        let next = lines.last().map(|line| line.number).filter(|_| lines.len() as i64 == PIECE);
        Ok(Some((Bytes::from(lines_csv(&lines)?), (db, row, next))))
    });
    Ok(futures_util::StreamExt::chain(beginning, pieces))
}

/// What stands before the lines: the summary, an empty line, the names of the columns.
pub(super) fn combined_head(row: &SettlementRow) -> Result<Vec<u8>, ApiError> {
    let mut head = summary_csv(row)?;
    head.push(b'\n');
    let mut header = writer();
    header.write_record(LINE_COLUMNS).map_err(ApiError::internal)?;
    head.extend(header.into_inner().map_err(|error| ApiError::internal(error.into_error()))?);
    Ok(head)
}

/// A row for each line.
pub(super) fn lines_csv(lines: &[LineRow]) -> Result<Vec<u8>, ApiError> {
    let mut writer = writer();
    for line in lines {
        let object = view::line(line)?;
        writer.write_record(LINE_COLUMNS.iter().map(|name| cell(&object[name]))).map_err(ApiError::internal)?;
    }
    writer.into_inner().map_err(|error| ApiError::internal(error.into_error()))
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
