//! Recovery: calls whose outcome is open, and payments of which nothing was heard.

use futures_util::future::BoxFuture;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::DbError;
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::call::{self, Intent};
use super::customer_token;
use super::settle::{self, Settled};
use super::store;
use crate::Ctx;

/// Looks for payments that are due for a look.
const WATCH: &str = "payment_watch";
/// Its only key.
const WATCH_KEY: &str = "all";
/// Ours.
const WATCH_EVERY_US: i64 = MINUTE_US;
/// Payments looked at in one go.
const WATCHED_AT_ONCE: i64 = 200;
/// Klarna remembers an idempotency key for 24 hours (RULINGS §2); after that the same call might be a second one.
const REPEATABLE_US: i64 = 23 * HOUR_US;

/// Runs of a job, which the backoff spreads over more than the 59 s after which Klarna gives a call up (fact sheet 01 §7).
const CONFLICTS_WAITED_OUT: i64 = 5;

const BACKOFF: Backoff = Backoff { first_us: 5 * SECOND_US, max_us: 10 * MINUTE_US, attempts_max: None };

/// Adds the handlers.
pub(super) fn register(worker: Worker, ctx: &Ctx) -> Worker {
    let worker = customer_token::jobs::register(worker, ctx, BACKOFF);
    worker.register(call::KIND, 32, BACKOFF, RepeatCall { ctx: ctx.clone() }).register(
        WATCH,
        1,
        BACKOFF,
        Watch { ctx: ctx.clone() },
    )
}

/// Makes sure that the standing job exists.
///
/// # Errors
/// [`DbError`].
pub(super) async fn ensure(ctx: &Ctx) -> Result<(), DbError> {
    let now = ctx.clock.now();
    ctx.db
        .write(move |tx| {
            Box::pin(async move {
                let job = NewJob { kind: WATCH, key: WATCH_KEY, payload: "", due_at: now };
                jobs::enqueue(tx, &job, now).await.map(drop)
            })
        })
        .await
}

struct RepeatCall {
    ctx: Ctx,
}

impl Handler for RepeatCall {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let intent: Intent = match serde_json::from_str(&job.payload) {
                Ok(intent) => intent,
                Err(error) => return Outcome::Dead(format!("the intent cannot be read: {error}")),
            };
            if self.ctx.clock.now() - job.created_at > REPEATABLE_US {
                return Outcome::Dead(
                    "Klarna has forgotten the idempotency key: look the payment up by hand".to_owned(),
                );
            }
            // A conflict means at first that the call still runs at Klarna, which gives up after a minute; later it is an answer.
            let may_still_run = job.attempts <= CONFLICTS_WAITED_OUT;
            match settle::carry_out(&self.ctx, intent, None, may_still_run).await {
                Ok(Settled::Answered(_)) => Outcome::Done,
                Ok(Settled::Outstanding) => Outcome::Retry("the outcome is still open".to_owned()),
                Err(error) => Outcome::Retry(format!("the outcome could not be written: {}", error.error_code)),
            }
        })
    }
}

struct Watch {
    ctx: Ctx,
}

impl Watch {
    async fn look(&self) -> Result<bool, ApiError> {
        let (ctx, now) = (&self.ctx, self.ctx.clock.now());
        let due = ctx.db.read(move |tx| Box::pin(store::due_for_watch(tx, now, WATCHED_AT_ONCE))).await?;
        let more = i64::try_from(due.len()).unwrap_or(i64::MAX) >= WATCHED_AT_ONCE;
        for (partner_id, payment_id) in due {
            let again_at = now + ctx.config.watch_interval_us;
            // Put off first: a payment that cannot be looked at must not hold up the others.
            let (partner, payment) = (partner_id.clone(), payment_id.clone());
            ctx.db
                .write(move |tx| Box::pin(async move { store::watch_again(tx, &partner, &payment, again_at).await }))
                .await?;
            settle::refresh(ctx, &partner_id, &payment_id).await?;
        }
        Ok(more)
    }
}

impl Handler for Watch {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let now = self.ctx.clock.now();
            match self.look().await {
                Ok(true) => Outcome::RetryAt(now, String::new()),
                Ok(false) => Outcome::RetryAt(now + WATCH_EVERY_US, String::new()),
                Err(error) => Outcome::Retry(error.error_code.to_string()),
            }
        })
    }
}
