//! Background work: the two sides made equal, accounts read back, and what operators ask for by command.

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use serde::{Deserialize, Serialize};

use super::api::conflict;
use super::record::Record;
use super::standing::{NotNow, OwnSuspension, State};
use super::sync::{self, Ended};
use super::{alignment, bulk, compliance, portal, pricing, store};
use crate::Ctx;

/// Reads accounts back that are due.
const ALIGN: &str = "partner_alignment";
const ALIGN_KEY: &str = "all";
const ALIGN_EVERY_US: i64 = MINUTE_US;
/// Accounts taken up in one go.
const ALIGNED_AT_ONCE: i64 = 100;
/// Accounts that are read at the same time: enough to use up Klarna's quota over any distance; the client keeps to it.
const ALIGNED_SIDE_BY_SIDE: usize = 16;
/// An account that was taken up by a process that died is taken up again after this long, in microseconds.
const TAKEN_US: i64 = 2 * MINUTE_US;
/// And one that could not be checked, after this long.
const AGAIN_US: i64 = 15 * MINUTE_US;
/// Differences that are removed in one transaction.
const PRUNED_AT_ONCE: i64 = 500;
/// What a command asks for.
const WISH: &str = "partner_wish";

const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: 5 * MINUTE_US, attempts_max: None };

/// What operators ask of a Partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// No new payments.
    Suspend {
        /// One of [`super::standing::DISABLE_REASONS`].
        reason: String,
        /// In the operator's words; Klarna reads them.
        details: Option<String>,
    },
    /// New payments again.
    Resume,
    /// The end.
    Offboard,
}

/// Adds the handlers.
pub fn register_jobs(worker: Worker, ctx: &Ctx) -> Worker {
    let worker = compliance::register(worker, ctx);
    let worker = portal::register(worker, ctx);
    let worker = pricing::register(worker, ctx);
    worker
        .register(sync::KIND, 8, BACKOFF, Sync { ctx: ctx.clone() })
        .register(sync::BULK, 8, BACKOFF, BulkSync { ctx: ctx.clone() })
        .register(WISH, 4, BACKOFF, Wish { ctx: ctx.clone() })
        .register(ALIGN, 1, BACKOFF, Align { ctx: ctx.clone() })
}

/// Makes sure that the standing jobs exist.
///
/// # Errors
/// [`DbError`].
pub async fn ensure_jobs(ctx: &Ctx) -> Result<(), DbError> {
    let now = ctx.clock.now();
    ctx.db
        .write(move |tx| {
            Box::pin(async move {
                let job = NewJob { kind: ALIGN, key: ALIGN_KEY, payload: "", due_at: now };
                jobs::enqueue(tx, &job, now).await?;
                portal::ensure(tx, now).await?;
                pricing::ensure(tx, now).await
            })
        })
        .await
}

/// Makes every account due for comparison at a time, in microseconds UTC. A gateway takes them up within seconds, and goes on where it
/// was stopped.
///
/// # Errors
/// [`DbError`].
pub async fn align_all(db: &kit::db::Db, now: i64) -> Result<(), DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            store::align_all(tx, now).await?;
            jobs::cancel(tx, ALIGN, ALIGN_KEY).await?;
            jobs::enqueue(tx, &NewJob { kind: ALIGN, key: ALIGN_KEY, payload: "", due_at: now }, now).await.map(drop)
        })
    })
    .await
}

/// Applies what an operator asks for, in its transaction; a job brings it to Klarna.
///
/// # Errors
/// [`NotNow`] inside, and what the database says.
pub(super) async fn apply(
    tx: &mut Tx,
    ctx: &Ctx,
    record: &mut Record,
    wanted: Wanted,
) -> Result<Result<(), NotNow>, ApiError> {
    let (before, now) = (record.standing.clone(), ctx.clock.now());
    let applied = match wanted {
        Wanted::Suspend { reason, details } => record.standing.suspend(OwnSuspension { reason, details, at: now }),
        Wanted::Resume => record.standing.resume(),
        Wanted::Offboard => {
            record.standing.offboard(now);
            Ok(())
        }
    };
    if applied.is_ok() {
        record.settle(tx, ctx, &before).await?;
        sync::enqueue(tx, &record.partner_id, now, now).await?;
    }
    Ok(applied)
}

/// Leaves what a command asks for to the gateway; false for a Partner that was not onboarded here.
///
/// # Errors
/// [`DbError`].
pub async fn ask(db: &kit::db::Db, now: i64, partner_id: &str, wanted: &Wanted) -> Result<bool, DbError> {
    let (id, payload) = (partner_id.to_owned(), serde_json::to_string(wanted).expect("texts always serialize"));
    db.write(move |tx| {
        Box::pin(async move {
            if store::read(tx, &id).await?.is_none() {
                return Ok(false);
            }
            // The last word counts.
            jobs::cancel(tx, WISH, &id).await?;
            jobs::enqueue(tx, &NewJob { kind: WISH, key: &id, payload: &payload, due_at: now }, now).await?;
            Ok(true)
        })
    })
    .await
}

/// Hands a Partner in: from now on Klarna is asked to have it. Who asks is the caller's to say, in the same transaction.
///
/// # Errors
/// 409 for one that is offboarded, 400 with all that is missing.
pub(super) async fn hand_in(tx: &mut Tx, ctx: &Ctx, record: &mut Record) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    if record.standing.state() == State::Offboarded {
        return Err(conflict("This Partner is offboarded."));
    }
    let missing = record.profile.missing();
    if !missing.is_empty() {
        return Err(ApiError::validation(missing));
    }
    record.standing.hand_in(now);
    record.save(tx, now).await
}

struct Sync {
    ctx: Ctx,
}

impl Handler for Sync {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match sync::run(&self.ctx, &job.key).await {
                Ok(Ended::Equal) => {
                    self.ctx.poke.poke();
                    Outcome::Settled
                }
                Ok(Ended::Waiting(why)) => Outcome::Retry(why),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}

/// What was imported is handed in by a lane of its own, in which ten thousand may wait: a suspension must not wait behind them.
struct BulkSync {
    ctx: Ctx,
}

impl Handler for BulkSync {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match sync::run(&self.ctx, &job.key).await {
                // What changed after the comparison has a job of its own.
                Ok(Ended::Equal) => Outcome::Done,
                Ok(Ended::Waiting(why)) => Outcome::Retry(why),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}

struct Wish {
    ctx: Ctx,
}

impl Wish {
    async fn carry_out(&self, job: &Job, wanted: Wanted) -> Result<Outcome, ApiError> {
        self.ctx
            .db
            .write_repeating(|| {
                let (ctx, job, wanted) = (self.ctx.clone(), job.clone(), wanted.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Outcome, ApiError>> {
                    Box::pin(async move {
                        if let Some(mut record) = Record::lock(tx, &ctx, &job.key).await?
                            && let Err(not_now) = apply(tx, &ctx, &mut record, wanted).await?
                        {
                            return Ok(Outcome::Dead(not_now.to_string()));
                        }
                        jobs::finish(tx, &job).await?;
                        Ok(Outcome::Settled)
                    })
                }
            })
            .await
    }
}

impl Handler for Wish {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let wanted = match serde_json::from_str(&job.payload) {
                Ok(wanted) => wanted,
                Err(error) => return Outcome::Dead(error.to_string()),
            };
            let outcome = self.carry_out(job, wanted).await;
            self.ctx.poke.poke();
            outcome.unwrap_or_else(|error| Outcome::Retry(kit::http::error::chain(&error)))
        })
    }
}

struct Align {
    ctx: Ctx,
}

impl Align {
    async fn look(&self) -> Result<bool, ApiError> {
        let (ctx, now) = (&self.ctx, self.ctx.clock.now());
        let due = ctx.db.read(move |tx| Box::pin(store::due_for_alignment(tx, now, ALIGNED_AT_ONCE))).await?;
        let more = i64::try_from(due.len()).unwrap_or(i64::MAX) >= ALIGNED_AT_ONCE;
        // Put off first: a Partner that cannot be checked must not hold up the others. What is done stays done after a crash.
        self.put_off(due.clone(), now + TAKEN_US).await?;
        futures_util::stream::iter(due)
            .for_each_concurrent(ALIGNED_SIDE_BY_SIDE, async |partner_id| {
                let Err(error) = alignment::check(ctx, &partner_id).await else { return };
                tracing::warn!(partner.id = %partner_id, error = &error as &dyn std::error::Error, "could not check");
                if let Err(error) = self.put_off(vec![partner_id], now + AGAIN_US).await {
                    tracing::warn!(error = &error as &dyn std::error::Error, "putting a comparison off");
                }
            })
            .await;
        if !more {
            self.prune(now).await?;
        }
        Ok(more)
    }

    async fn put_off(&self, partners: Vec<String>, until: i64) -> Result<(), DbError> {
        self.ctx
            .db
            .write(move |tx| -> UnitFuture<'_, Result<(), DbError>> {
                Box::pin(async move {
                    for id in partners {
                        store::align_at(tx, &id, until).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Removes what was found, and what was imported, longer ago than that is kept.
    async fn prune(&self, now: i64) -> Result<(), ApiError> {
        let before = now.saturating_sub(self.ctx.config.partner_history_retention_us);
        let limit = u64::try_from(PRUNED_AT_ONCE).unwrap_or_default();
        while self.ctx.db.write(move |tx| Box::pin(store::prune_drifts(tx, before, PRUNED_AT_ONCE))).await? >= limit {}
        while self.ctx.db.write(move |tx| Box::pin(bulk::store::prune(tx, before))).await? {}
        Ok(())
    }
}

impl Handler for Align {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let now = self.ctx.clock.now();
            match self.look().await {
                Ok(true) => Outcome::RetryAt(now, String::new()),
                Ok(false) => Outcome::RetryAt(now + ALIGN_EVERY_US, String::new()),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}

/// Whether a Partner can have keys: once Klarna knows it, and until it is ended.
pub(super) fn can_have_keys(state: State) -> bool {
    match state {
        State::PartiallyOperational | State::Operational | State::Suspended => true,
        State::Draft | State::Submitted | State::Terminated | State::Offboarded => false,
    }
}
