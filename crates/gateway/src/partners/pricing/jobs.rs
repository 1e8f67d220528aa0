//! Background work: plans are refreshed, changes of prices told, and enablements followed.

use futures_util::future::BoxFuture;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::enablements::{self, Next};
use super::{terms, watch};
use crate::Ctx;

/// Follows an enablement; its key is `<Partner>/<enablement>`.
pub(super) const ENABLEMENT_KIND: &str = "partner_enablement";
const REFRESH: &str = "pricing_refresh";
const REFRESH_KEY: &str = "all";
/// How often it is looked whether a plan is due, in microseconds.
const LOOK_EVERY_US: i64 = 10 * MINUTE_US;
const WATCH: &str = "pricing_watch";
const WATCH_KEY: &str = "all";
/// How often it is looked whose prices may have changed, in microseconds.
const WATCH_EVERY_US: i64 = MINUTE_US;
const BACKOFF: Backoff = Backoff { first_us: 2 * SECOND_US, max_us: HOUR_US, attempts_max: None };

/// Adds the handlers.
pub(in crate::partners) fn register(worker: Worker, ctx: &Ctx) -> Worker {
    let worker = worker.register(ENABLEMENT_KIND, 4, BACKOFF, Follow { ctx: ctx.clone() });
    let worker = worker.register(REFRESH, 1, BACKOFF, Refresh { ctx: ctx.clone() });
    worker.register(WATCH, 1, BACKOFF, Watch { ctx: ctx.clone() })
}

/// Makes sure that the standing jobs exist.
///
/// # Errors
/// [`DbError`].
pub(in crate::partners) async fn ensure(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    for (kind, key) in [(REFRESH, REFRESH_KEY), (WATCH, WATCH_KEY)] {
        jobs::enqueue(tx, &NewJob { kind, key, payload: "", due_at: now }, now).await?;
    }
    Ok(())
}

struct Follow {
    ctx: Ctx,
}

impl Handler for Follow {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Some((partner_id, id)) = job.key.split_once('/') else {
                return Outcome::Dead("the key names no enablement".to_owned());
            };
            // A change has replaced the job already; then this outcome finds nothing to settle.
            match enablements::advance(&self.ctx, partner_id, id).await {
                Ok(Next::Over) => Outcome::Done,
                Ok(Next::At(at)) => Outcome::RetryAt(at, String::new()),
                Ok(Next::Again(why)) => Outcome::Retry(why),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}

struct Refresh {
    ctx: Ctx,
}

impl Handler for Refresh {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match terms::refresh(&self.ctx).await {
                Ok(()) => Outcome::RetryAt(self.ctx.clock.now() + LOOK_EVERY_US, String::new()),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}

struct Watch {
    ctx: Ctx,
}

impl Handler for Watch {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match watch::round(&self.ctx).await {
                Ok(()) => Outcome::RetryAt(self.ctx.clock.now() + WATCH_EVERY_US, String::new()),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}
