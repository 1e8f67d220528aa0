//! Background work: the key that vouches stays good, links that are over go, and users are followed until Klarna has confirmed.

use futures_util::future::BoxFuture;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::{links, signer, users};
use crate::Ctx;

/// Follows a user; its key is `<Partner>/<user>`.
pub(super) const USER_KIND: &str = "portal_user";
const KEEPING: &str = "portal_keeping";
const KEEPING_KEY: &str = "all";
const KEEP_EVERY_US: i64 = 6 * HOUR_US;
const BACKOFF: Backoff = Backoff { first_us: 2 * SECOND_US, max_us: 15 * MINUTE_US, attempts_max: None };

/// Adds the handlers.
pub(in crate::partners) fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(USER_KIND, 4, BACKOFF, Follow { ctx: ctx.clone() }).register(
        KEEPING,
        1,
        BACKOFF,
        Keep { ctx: ctx.clone() },
    )
}

/// Makes sure that the standing job exists.
///
/// # Errors
/// [`DbError`].
pub(in crate::partners) async fn ensure(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    let job = NewJob { kind: KEEPING, key: KEEPING_KEY, payload: "", due_at: now };
    jobs::enqueue(tx, &job, now).await.map(drop)
}

struct Follow {
    ctx: Ctx,
}

impl Handler for Follow {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Some((partner_id, user_id)) = job.key.split_once('/') else {
                return Outcome::Dead("the key names no user".to_owned());
            };
            match users::advance(&self.ctx, partner_id, user_id).await {
                Ok(Ok(())) => Outcome::Settled,
                Ok(Err(why)) => Outcome::Retry(why),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}

struct Keep {
    ctx: Ctx,
}

impl Keep {
    async fn keep(&self) -> Result<(), ApiError> {
        links::sweep(&self.ctx).await?;
        signer::renew(&self.ctx).await
    }
}

impl Handler for Keep {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.keep().await {
                Ok(()) => Outcome::RetryAt(self.ctx.clock.now() + KEEP_EVERY_US, String::new()),
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}
