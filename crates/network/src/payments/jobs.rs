//! What time does to payments, told even when nobody looks: one sweep that finds what is due and lets it happen.
//!
//! Every read and every decision accounts for time by itself, so the sweep is never needed for correctness, only so that events
//! are told soon. It runs again and again under one job; two processes that sweep at once lock row by row, and whoever is
//! second finds nothing left to happen.

use futures_util::future::join_all;
use kit::clock::SECOND_US;
use kit::db::DbError;
use kit::http::ApiError;
use protocol::PartnerAccountId;

use super::rendering::Part;
use super::{requests, store, transactions};
use crate::ctx::Ctx;
use crate::rounds::Sweep;
use crate::tokens;

/// How many of a kind are looked at in one round.
const BATCH: i64 = 100;

/// How late an event may be told: five seconds.
pub(crate) const SWEEP: Sweep = Sweep {
    kind: "payments.pass_time",
    doing: "passing time over payments",
    next: |began| began + 5 * SECOND_US,
    round: |ctx| Box::pin(async move { sweep(&ctx).await }),
};

/// Lets happen what is due now; says whether a full batch was found.
async fn sweep(ctx: &Ctx) -> Result<bool, ApiError> {
    let now = ctx.clock.now();
    let (requests, transactions): (Vec<store::DueRow>, Vec<store::DueRow>) = ctx
        .db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move {
                Ok((store::due_requests(tx, now, BATCH).await?, store::due_transactions(tx, now, BATCH).await?))
            })
        })
        .await?;
    if !requests.is_empty() {
        tokens::keys(ctx).await?;
    }
    let full = i64::try_from(requests.len().max(transactions.len())).unwrap_or(i64::MAX) >= BATCH;
    let requests =
        requests.iter().map(|row| async move { requests::pass_time(ctx, &account(row)?, &row.id).await.map(drop) });
    let transactions = transactions
        .iter()
        .map(|row| async move { transactions::pass_time(ctx, &account(row)?, &row.id, Part::Whole).await.map(drop) });
    // Together, so that SQLite commits them together.
    let (requests, transactions) = futures_util::join!(join_all(requests), join_all(transactions));
    requests.into_iter().chain(transactions).collect::<Result<Vec<()>, ApiError>>()?;
    Ok(full)
}

fn account(row: &store::DueRow) -> Result<PartnerAccountId, ApiError> {
    PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)
}
