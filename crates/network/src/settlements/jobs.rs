//! What time does to settlements: each day is settled once it is over (00:00 UTC), and payouts go their way.
//!
//! [`SWEEPS`] come round again and again, each under one job; [`RUN`] finishes a run that was too long for its call. Every step
//! is a transaction of its own under the book's lock, so two processes at once only take turns.

use futures_util::future::BoxFuture;
use kit::clock::{DAY_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use protocol::PartnerAccountId;

use super::run::{self, Progress};
use super::{bank, files, store};
use crate::accounts;
use crate::ctx::Ctx;
use crate::rounds::Sweep;

/// The job that finishes a run; its key is the run, its payload the account.
pub const RUN: &str = "settlements.run";
/// How many of a kind are looked at in one round.
const BATCH: i64 = 100;
/// How long a round waits for the next: how late a day may be settled and a payout told.
const ROUND_US: i64 = 5 * SECOND_US;
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

const DAYS: Sweep = Sweep {
    kind: "settlements.settle_days",
    doing: "settling days",
    // The day's end is met exactly.
    next: |began| (began + ROUND_US).min(run::midnight(began) + DAY_US),
    round: |ctx| Box::pin(async move { settle_days(&ctx).await }),
};
const PAYOUTS: Sweep = Sweep {
    kind: "settlements.pay_out",
    doing: "moving payouts",
    next: |began| began + ROUND_US,
    round: |ctx| Box::pin(async move { pay_out(&ctx).await }),
};
/// The sweeps of this room.
pub(crate) const SWEEPS: [Sweep; 3] = [DAYS, PAYOUTS, files::REMOVE];

/// Lets the worker finish runs and write files.
pub fn register(worker: Worker, ctx: &Ctx) -> Worker {
    files::register(worker.register(RUN, 1, BACKOFF, Runs(ctx.clone())), ctx)
}

/// Leaves the rest of a run to the workers, in the transaction that began it.
pub(super) async fn leave_to_workers(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    run: &str,
) -> Result<(), DbError> {
    let now = ctx.clock.now();
    jobs::enqueue(tx, &NewJob { kind: RUN, key: run, payload: account.as_str(), due_at: now }, now).await?;
    ctx.work_was_made();
    Ok(())
}

struct Runs(Ctx);

impl Handler for Runs {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let finished = match PartnerAccountId::opaque(&job.payload) {
                Ok(account) => finish(&self.0, &account, &job.key).await,
                Err(error) => return Outcome::Dead(error.to_string()),
            };
            match finished {
                Ok(()) => Outcome::Done,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "finishing a settlement run");
                    Outcome::Retry(error.to_string())
                }
            }
        })
    }
}

/// Settles every day that is over, of every Acquiring Partner; first what an earlier process left unfinished.
async fn settle_days(ctx: &Ctx) -> Result<bool, ApiError> {
    let unfinished: Vec<store::RunKeyRow> =
        ctx.db.read(|tx| -> UnitFuture<'_, Result<_, DbError>> { Box::pin(store::unfinished_runs(tx, BATCH)) }).await?;
    for run in &unfinished {
        finish(ctx, &account(&run.account_id)?, &run.run_id).await?;
    }
    let mut after = String::new();
    loop {
        let (from, now) = (after.clone(), ctx.clock.now());
        let page: Vec<(String, i64, bool)> = ctx
            .db
            .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
                Box::pin(async move {
                    let mut page = Vec::new();
                    for (id, since) in accounts::acquiring_partners(tx, &from, BATCH).await? {
                        let until = store::settled_until(tx, &id).await?.unwrap_or_else(|| run::midnight(since));
                        page.push((id, since, until + DAY_US <= now));
                    }
                    Ok(page)
                })
            })
            .await?;
        let Some((last, ..)) = page.last() else { return Ok(false) };
        after.clone_from(last);
        for (id, since, _) in page.iter().filter(|(.., is_due)| *is_due) {
            let account = account(id)?;
            while let Some(run) = begin_day(ctx, &account, *since).await? {
                finish(ctx, &account, &run).await?;
            }
        }
    }
}

async fn begin_day(ctx: &Ctx, account: &PartnerAccountId, since: i64) -> Result<Option<String>, ApiError> {
    ctx.write(|| {
        let (ctx, account) = (ctx.clone(), account.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<String>, ApiError>> {
            Box::pin(async move { run::begin_day(tx, &ctx, &account, since).await })
        }
    })
    .await
}

/// Takes the steps of a run until there are no more.
async fn finish(ctx: &Ctx, account: &PartnerAccountId, run: &str) -> Result<(), ApiError> {
    loop {
        let progress = ctx
            .write(|| {
                let (ctx, account, run) = (ctx.clone(), account.clone(), run.to_owned());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Progress, ApiError>> {
                    Box::pin(async move { run::step(tx, &ctx, &account, &run, run::STEP, None).await })
                }
            })
            .await?;
        if progress == Progress::Done {
            return Ok(());
        }
    }
}

/// Moves the payouts whose time has come; says whether a full batch was found.
async fn pay_out(ctx: &Ctx) -> Result<bool, ApiError> {
    let now = ctx.clock.now();
    let due: Vec<store::PayoutKeyRow> = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> { Box::pin(store::due_payouts(tx, now, BATCH)) })
        .await?;
    for payout in &due {
        let account = account(&payout.account_id)?;
        ctx.write(|| {
            let (ctx, account, settlement) = (ctx.clone(), account.clone(), payout.settlement_id.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move { bank::pass_time(tx, &ctx, &account, &settlement, None).await.map(drop) })
            }
        })
        .await?;
    }
    Ok(i64::try_from(due.len()).unwrap_or(i64::MAX) >= BATCH)
}

fn account(id: &str) -> Result<PartnerAccountId, ApiError> {
    PartnerAccountId::opaque(id).map_err(ApiError::internal)
}
