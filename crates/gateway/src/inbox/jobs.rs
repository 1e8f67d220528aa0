//! Applying what came in, and keeping the subscription in order.

use futures_util::future::BoxFuture;
use kit::clock::{DAY_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use protocol::EventType;

use super::message::{Message, Topic};
use super::{store, subscription};
use crate::Ctx;
use crate::partners;
use crate::payments::{self, Applied};
use crate::sealed::INBOX_BODY;

/// The kind of the jobs that apply messages.
pub const KIND: &str = "inbox";
/// How long a message without a payment is tried again, in microseconds.
pub const UNMATCHED_AFTER_US: i64 = 15 * MINUTE_US;

const UPKEEP: &str = "inbox_upkeep";
const UPKEEP_EVERY_US: i64 = 10 * MINUTE_US;
/// Ours: how long lines of the verification log are kept.
const VERIFICATIONS_KEPT_US: i64 = 90 * DAY_US;
const SWEPT_AT_ONCE: i64 = 5_000;

/// The first pause is short: what is missing is mostly the end of our own call.
const MATCHING: Backoff = Backoff { first_us: SECOND_US / 4, max_us: MINUTE_US, attempts_max: None };
const APPLYING: Backoff = Backoff { first_us: SECOND_US, max_us: 5 * MINUTE_US, attempts_max: Some(100) };
const UPKEEPING: Backoff = Backoff { first_us: SECOND_US, max_us: 5 * MINUTE_US, attempts_max: None };

/// Adds the handlers of this capability.
pub fn register_jobs(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(KIND, 16, APPLYING, Apply { ctx: ctx.clone() }).register(
        UPKEEP,
        1,
        UPKEEPING,
        Upkeep { ctx: ctx.clone() },
    )
}

/// Makes sure that the repeating job exists and is due: called at every start.
///
/// # Errors
/// [`DbError`].
pub async fn ensure_jobs(ctx: &Ctx) -> Result<(), DbError> {
    let now = ctx.clock.now();
    ctx.db
        .write(move |tx| {
            Box::pin(async move {
                jobs::cancel(tx, UPKEEP, "all").await?;
                let job = NewJob { kind: UPKEEP, key: "all", payload: "", due_at: now };
                jobs::enqueue(tx, &job, now).await.map(drop)
            })
        })
        .await
}

struct Apply {
    ctx: Ctx,
}

impl Apply {
    async fn apply(&self, job: &Job) -> Result<Outcome, ApiError> {
        let outcome = self
            .ctx
            .db
            .write_repeating(|| {
                let (ctx, job) = (self.ctx.clone(), job.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Outcome, ApiError>> {
                    Box::pin(async move { apply(tx, &ctx, &job).await })
                }
            })
            .await?;
        if matches!(outcome, Outcome::Settled) {
            // Events and follow-up calls may be due now.
            self.ctx.poke.poke();
        }
        Ok(outcome)
    }
}

/// The change, the message's new state and the end of its job are one transaction.
async fn apply(tx: &mut Tx, ctx: &Ctx, job: &Job) -> Result<Outcome, ApiError> {
    let (account, event_id, now) = (ctx.config.klarna_account_id.to_string(), job.key.as_str(), ctx.clock.now());
    if !store::lock_message(tx, &account, event_id).await? {
        jobs::finish(tx, job).await?;
        return Ok(Outcome::Settled);
    }
    let Some(row) = store::message(tx, &account, event_id).await? else {
        return Ok(Outcome::Dead("there is no such message".to_owned()));
    };
    let raw = match ctx.secrets.open(INBOX_BODY.place(&[event_id]), &row.body) {
        Ok(raw) => raw,
        Err(error) => return Ok(Outcome::Dead(error.to_string())),
    };
    let message = match Message::read(&raw) {
        Ok(message) => message,
        Err(fault) => return Ok(Outcome::Dead(fault.to_string())),
    };
    let (state, note) = match Topic::of(&EventType::from(message.event_type.as_str())) {
        Topic::Other => ("IGNORED", "kept, not applied"),
        topic @ (Topic::Payments | Topic::Partners) => {
            let applied = if topic == Topic::Payments {
                payments::apply_network_event(tx, ctx, &message.envelope).await?
            } else {
                partners::apply_network_event(tx, ctx, &message.envelope).await?
            };
            let what = if topic == Topic::Payments { "payment" } else { "Partner" };
            match applied {
                Applied::Changed if topic == Topic::Payments => ("PROCESSED", "changed a payment"),
                Applied::Changed => ("PROCESSED", "changed a Partner"),
                Applied::Unchanged => ("PROCESSED", "told nothing new"),
                Applied::NeedsCall if topic == Topic::Payments => ("PROCESSED", "changed a payment, a call follows"),
                Applied::NeedsCall => ("PROCESSED", "changed a Partner, a call follows"),
                Applied::Unknown if now.saturating_sub(row.received_at) < UNMATCHED_AFTER_US => {
                    let pause = MATCHING.delay(job.attempts, &ctx.random);
                    return Ok(Outcome::RetryAt(now + pause, format!("no {what} matches yet")));
                }
                Applied::Unknown => {
                    tracing::warn!(
                        event.id = event_id,
                        event.kind = %row.event_type,
                        "webhook {event_id} matches no {what}"
                    );
                    ("UNMATCHED", if topic == Topic::Payments { "no payment matches" } else { "no Partner matches" })
                }
            }
        }
    };
    store::settle_message(tx, &account, event_id, state, Some(note), now).await?;
    jobs::finish(tx, job).await?;
    Ok(Outcome::Settled)
}

impl Handler for Apply {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            self.apply(job).await.unwrap_or_else(|error| Outcome::Retry(kit::http::error::chain(&error)))
        })
    }
}

struct Upkeep {
    ctx: Ctx,
}

impl Handler for Upkeep {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if let Err(error) = self.sweep().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "sweeping the verification log");
            }
            match subscription::ensure_subscription(&self.ctx).await {
                Ok(_) => Outcome::RetryAt(self.ctx.clock.now() + UPKEEP_EVERY_US, String::new()),
                Err(error) => {
                    let error = kit::http::error::chain(&error);
                    tracing::warn!(error, "the webhook subscription at the network is not in order; trying again");
                    Outcome::Retry(error)
                }
            }
        })
    }
}

impl Upkeep {
    async fn sweep(&self) -> Result<(), DbError> {
        let (account, until) =
            (self.ctx.config.klarna_account_id.to_string(), self.ctx.clock.now().saturating_sub(VERIFICATIONS_KEPT_US));
        self.ctx
            .db
            .write(move |tx| {
                Box::pin(async move { store::sweep_verifications(tx, &account, until, SWEPT_AT_ONCE).await })
            })
            .await
            .map(drop)
    }
}
