//! What time does to settlements: each day is settled once it is over (00:00 UTC), and payouts go their way.
//!
//! [`DAYS`] and [`PAYOUTS`] sweep again and again, each under one job; [`RUN`] finishes a run that was too long for its call. Every step
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

/// The job that settles days.
pub const DAYS: &str = "settlements.settle_days";
/// The job that moves payouts.
pub const PAYOUTS: &str = "settlements.pay_out";
/// The job that finishes a run; its key is the run, its payload the account.
pub const RUN: &str = "settlements.run";
/// How many of a kind are looked at in one round.
const BATCH: i64 = 100;
/// How long a round waits for the next: how late a day may be settled and a payout told.
const ROUND_US: i64 = 5 * SECOND_US;
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

/// Lets the worker do this room's work; see [`start`].
pub fn register(worker: Worker, ctx: &Ctx) -> Worker {
    let worker = worker
        .register(DAYS, 1, BACKOFF, Days(ctx.clone()))
        .register(PAYOUTS, 1, BACKOFF, Payouts(ctx.clone()))
        .register(RUN, 1, BACKOFF, Runs(ctx.clone()));
    files::register(worker, ctx)
}

/// Makes sure that the sweeps' jobs exist; to be called at every start.
///
/// # Errors
/// [`DbError`].
pub async fn start(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    for kind in [DAYS, PAYOUTS] {
        jobs::enqueue(tx, &NewJob { kind, key: "sweep", payload: "", due_at: now }, now).await?;
    }
    files::start(tx, now).await
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

struct Days(Ctx);

impl Handler for Days {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let began = self.0.clock.now();
            let swept = settle_days(&self.0).await;
            // The day's end is met exactly.
            next_round(began, (began + ROUND_US).min(run::midnight(began) + DAY_US), swept, "settling days")
        })
    }
}

struct Payouts(Ctx);

impl Handler for Payouts {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let began = self.0.clock.now();
            next_round(began, began + ROUND_US, pay_out(&self.0).await, "moving payouts")
        })
    }
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

/// `next` is counted from the beginning of this round: should the clock be moved while it runs, the next one is due at once.
fn next_round(began: i64, next: i64, swept: Result<bool, ApiError>, what: &str) -> Outcome {
    match swept {
        // A full batch means that there may be more.
        Ok(true) => Outcome::RetryAt(began, "more is due".to_owned()),
        Ok(false) => Outcome::RetryAt(next, "waiting for the next round".to_owned()),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "{what}");
            Outcome::RetryAt(next, error.to_string())
        }
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
