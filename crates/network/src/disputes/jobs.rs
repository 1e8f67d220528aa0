//! What time does to disputes, told even when nobody looks: one sweep opens what was announced and lets happen what is due.
//!
//! Every read and every decision accounts for time by itself; the sweep makes that events are told soon, as in
//! [`crate::payments::jobs`].

use futures_util::future::BoxFuture;
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use protocol::PartnerAccountId;

use super::store::{self, AnnouncementRow, DueRow};
use super::{cases, opening};
use crate::ctx::Ctx;

/// The job that sweeps.
pub const KIND: &str = "disputes.pass_time";
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
                    tracing::warn!(error = &error as &dyn std::error::Error, "passing time over disputes");
                    Outcome::RetryAt(ctx.clock.now() + ROUND_US, error.to_string())
                }
            }
        })
    }
}

/// Lets happen what is due now; says whether a full batch was found.
async fn sweep(ctx: &Ctx) -> Result<bool, ApiError> {
    let now = ctx.clock.now();
    let (announced, due): (Vec<AnnouncementRow>, Vec<DueRow>) = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move { Ok((store::announced(tx, now, BATCH).await?, store::due(tx, now, BATCH).await?)) })
        })
        .await?;
    for row in &announced {
        ctx.write(|| {
            let (ctx, row) = (ctx.clone(), row.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move { opening::open_announced(tx, &ctx, &row).await })
            }
        })
        .await?;
    }
    for row in &due {
        let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
        cases::pass_time(ctx, &account, &row.id).await?;
    }
    Ok(i64::try_from(announced.len().max(due.len())).unwrap_or(i64::MAX) >= BATCH)
}
