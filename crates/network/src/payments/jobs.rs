//! What time does to payments, told even when nobody looks: one sweep that finds what is due and lets it happen.
//!
//! Every read and every decision accounts for time by itself, so the sweep is never needed for correctness, only so that events
//! are told soon. It runs again and again under one job; two processes that sweep at once lock row by row, and whoever is
//! second finds nothing left to happen.

use futures_util::future::{BoxFuture, join_all};
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use protocol::PartnerAccountId;

use super::rendering::Part;
use super::{requests, store, transactions};
use crate::ctx::Ctx;
use crate::tokens;

/// The job that sweeps.
pub const KIND: &str = "payments.pass_time";
/// How many of a kind are looked at in one round.
const BATCH: i64 = 100;
/// How long a round waits for the next, in microseconds: how late an event may be told.
const ROUND_US: i64 = 5 * SECOND_US;
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

/// Lets the worker sweep; see [`start`].
pub fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(KIND, 1, BACKOFF, Sweep(ctx.clone()))
}

/// Makes sure that the sweep's job exists; to be called at every start.
///
/// # Errors
/// [`DbError`].
pub async fn start(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    jobs::enqueue(tx, &NewJob { kind: KIND, key: "sweep", payload: "", due_at: now }, now).await.map(drop)
}

struct Sweep(Ctx);

impl Handler for Sweep {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let ctx = &self.0;
            match sweep(ctx).await {
                // A full batch means that there may be more.
                Ok(true) => Outcome::RetryAt(ctx.clock.now(), "more is due".to_owned()),
                Ok(false) => Outcome::RetryAt(ctx.clock.now() + ROUND_US, "waiting for the next round".to_owned()),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "passing time over payments");
                    Outcome::RetryAt(ctx.clock.now() + ROUND_US, error.to_string())
                }
            }
        })
    }
}

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
