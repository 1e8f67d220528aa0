//! Where movements come from, one after the other for each Partner account: read in pieces, and marked with their settlement.
//!
//! What flows back comes before captures. A refund that is found was committed after its capture, so the capture, which is looked for
//! later, is found as well: no refund is settled before its capture, even while both are being made.

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::{Currency, PaymentCaptureId, PaymentChargebackId, PaymentRefundId, PaymentTransactionId};

use super::line::{LineType, Moved};
use super::pricing::{self, Rates};
use super::store::{self, EntryRow};
use crate::payments::ledger::{self, MovementCursor, MovementKind, MovementRow};

/// Every source, in the order in which they are read.
pub(super) const SOURCES: [Source; 4] = [
    Source::Entries,
    Source::Payments(MovementKind::Chargeback),
    Source::Payments(MovementKind::Refund),
    Source::Payments(MovementKind::Capture),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Entries,
    Payments(MovementKind),
}

/// Something to be settled, with what its lines tell beside amounts.
pub(super) struct Movement {
    pub(super) moved: Moved,
    /// Where it stands among those of its source and account.
    pub(super) cursor: MovementCursor,
    pub(super) described: Described,
    /// What a capture costs.
    pub(super) rates: Rates,
}

/// What the lines of a movement share.
#[derive(Clone, Debug, Default)]
pub(super) struct Described {
    pub(super) payment_account_id: String,
    pub(super) payment_account_reference: Option<String>,
    pub(super) transaction_id: Option<String>,
    pub(super) transaction_reference: Option<String>,
    pub(super) purchase_reference: Option<String>,
    pub(super) capture_id: Option<String>,
    pub(super) capture_reference: Option<String>,
    pub(super) refund_id: Option<String>,
    pub(super) refund_reference: Option<String>,
    pub(super) chargeback_id: Option<String>,
    pub(super) dispute_id: Option<String>,
}

impl Source {
    /// What stands in no settlement, behind `after` and before the time `until`, in the order of time.
    pub(super) async fn read(
        self,
        tx: &mut Tx,
        account: &str,
        after: &MovementCursor,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Movement>, ApiError> {
        match self {
            Self::Payments(kind) => {
                let rows = ledger::unsettled(tx, kind, account, after, until, limit).await?;
                rows.into_iter().map(|row| of_payment(kind, row)).collect()
            }
            Self::Entries => {
                let behind = (after.at, after.transaction_id.as_str());
                let rows = store::unsettled_entries(tx, account, behind, until, limit).await?;
                let mut movements = Vec::with_capacity(rows.len());
                for row in rows {
                    movements.push(of_entry(tx, account, row).await?);
                }
                Ok(movements)
            }
        }
    }

    /// Marks what was settled, each with its settlement.
    pub(super) async fn mark(
        self,
        tx: &mut Tx,
        account: &str,
        settled: &[(MovementCursor, String)],
    ) -> Result<(), DbError> {
        match self {
            Self::Payments(kind) => {
                let settled: Vec<_> =
                    settled.iter().map(|(at, id)| (at.transaction_id.as_str(), at.number, id.as_str())).collect();
                ledger::mark_settled(tx, kind, account, &settled).await
            }
            Self::Entries => {
                let settled: Vec<_> =
                    settled.iter().map(|(at, id)| (at.transaction_id.as_str(), id.as_str())).collect();
                store::mark_entries(tx, account, &settled).await
            }
        }
    }
}

fn of_payment(kind: MovementKind, row: MovementRow) -> Result<Movement, ApiError> {
    let transaction = PaymentTransactionId::opaque(&row.transaction_id).map_err(ApiError::internal)?;
    let capture = |number: i64| PaymentCaptureId::new(&transaction, small(number)).as_str().to_owned();
    let paid = currency(&row.currency)?;
    let rates = pricing::agreed(&row, &paid);
    let mut described = Described {
        payment_account_id: row.payment_account_id,
        payment_account_reference: Some(row.payment_account_reference),
        transaction_reference: row.transaction_reference,
        purchase_reference: row.purchase_reference,
        capture_id: row.capture_number.map(capture),
        capture_reference: row.capture_reference,
        dispute_id: row.dispute_id,
        ..Described::default()
    };
    let kind = match kind {
        MovementKind::Capture => LineType::Capture,
        MovementKind::Refund => {
            described.refund_id = Some(PaymentRefundId::new(&transaction, small(row.number)).as_str().to_owned());
            described.refund_reference = row.reference;
            LineType::Refund
        }
        MovementKind::Chargeback => {
            let id = PaymentChargebackId::new(&transaction, small(row.number));
            described.chargeback_id = Some(id.as_str().to_owned());
            LineType::Chargeback
        }
    };
    let cursor = MovementCursor { at: row.at, transaction_id: row.transaction_id.clone(), number: row.number };
    described.transaction_id = Some(row.transaction_id);
    let moved =
        Moved { kind, amount: row.amount, currency: paid, settlement_currency: currency(&row.settlement_currency)? };
    Ok(Movement { moved, cursor, described, rates })
}

async fn of_entry(tx: &mut Tx, account: &str, row: EntryRow) -> Result<Movement, ApiError> {
    let kind = LineType::stored(&row.kind).ok_or_else(|| ApiError::internal("an entry of an unknown kind"))?;
    let entered = currency(&row.currency)?;
    let mut settlement_currency = entered;
    let mut described =
        Described { payment_account_id: row.payment_account_id, dispute_id: row.dispute_id, ..Described::default() };
    if let Some(id) = &row.transaction_id {
        if let Some(about) = ledger::transaction_described(tx, account, id).await? {
            settlement_currency = currency(&about.settlement_currency)?;
            described.payment_account_id = about.payment_account_id;
            described.payment_account_reference = Some(about.payment_account_reference);
            described.transaction_reference = about.reference;
            described.purchase_reference = about.purchase_reference;
        }
        if let Some(number) = row.capture_number {
            let transaction = PaymentTransactionId::opaque(id).map_err(ApiError::internal)?;
            described.capture_id = Some(PaymentCaptureId::new(&transaction, small(number)).as_str().to_owned());
            described.capture_reference = ledger::capture_reference(tx, account, id, number).await?;
        }
    }
    described.transaction_id = row.transaction_id;
    let cursor = MovementCursor { at: row.occurred_at, transaction_id: row.entry_key, number: 0 };
    Ok(Movement {
        moved: Moved { kind, amount: row.amount, currency: entered, settlement_currency },
        cursor,
        described,
        rates: pricing::standard(&entered),
    })
}

fn currency(code: &str) -> Result<Currency, ApiError> {
    code.parse().map_err(ApiError::internal)
}

/// Numbers within a transaction count to a few hundred.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
