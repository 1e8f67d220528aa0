//! What payments moved, for settling it: captures, refunds and chargebacks that stand in no settlement yet.
//!
//! Taking and giving back money writes nothing for this: a movement's row carries the settlement's id once it has one, and partial
//! indexes hold the others in the order of their times. So a movement that becomes visible late (its transaction committed late, or
//! the clock of its process was behind) is found by whatever looks next, however late.

use kit::db::{DbError, Tx};
use kit::http::ApiError;

use super::store;

pub use store::{DescribedRow, MovementCursor, MovementRow};

/// What moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovementKind {
    /// Money was taken.
    Capture,
    /// Money went back to the customer.
    Refund,
    /// A lost dispute took it back.
    Chargeback,
}

/// Movements of a Partner account that stand in no settlement, behind `after` and before the time `until` (microseconds UTC), in the
/// order of time; at most `limit`.
///
/// # Errors
/// [`DbError`]; 500 for a stored refund that cannot be read.
pub async fn unsettled(
    tx: &mut Tx,
    kind: MovementKind,
    account: &str,
    after: &MovementCursor,
    until: i64,
    limit: i64,
) -> Result<Vec<MovementRow>, ApiError> {
    match kind {
        MovementKind::Capture => Ok(store::unsettled_captures(tx, account, after, until, limit).await?),
        MovementKind::Chargeback => Ok(store::unsettled_chargebacks(tx, account, after, until, limit).await?),
        MovementKind::Refund => {
            let mut rows = store::unsettled_refunds(tx, account, after, until, limit).await?;
            for row in &mut rows {
                let shares: Vec<(i64, i64)> =
                    serde_json::from_str(row.shares.as_deref().unwrap_or("[]")).map_err(ApiError::internal)?;
                // A refund of several captures belongs to none of them alone.
                if let [(number, _)] = shares[..] {
                    row.capture_number = Some(number);
                    row.capture_reference = store::capture_reference(tx, account, &row.transaction_id, number).await?;
                }
            }
            Ok(rows)
        }
    }
}

/// Notes in which settlements movements stand: `(transaction, number, settlement)`. The caller keeps others from settling the same account.
///
/// # Errors
/// [`DbError`].
pub async fn mark_settled(
    tx: &mut Tx,
    kind: MovementKind,
    account: &str,
    settled: &[(&str, i64, &str)],
) -> Result<(), DbError> {
    store::mark_settled(tx, kind, account, settled).await
}

/// What a settlement says of the transaction that something else belongs to.
///
/// # Errors
/// [`DbError`].
pub async fn transaction_described(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
) -> Result<Option<DescribedRow>, DbError> {
    store::described(tx, account, transaction).await
}

/// The Partner's reference of a capture.
///
/// # Errors
/// [`DbError`].
pub async fn capture_reference(
    tx: &mut Tx,
    account: &str,
    transaction: &str,
    number: i64,
) -> Result<Option<String>, DbError> {
    store::capture_reference(tx, account, transaction, number).await
}
