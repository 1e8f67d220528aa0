//! Deletes links, tokens' ids and sessions once their time is over. Whether they are is judged by whoever looks; this keeps the tables
//! small.

use futures_util::future::BoxFuture;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::{entrance, store};
use crate::ctx::Ctx;

const KIND: &str = "portal.pass_time";
const ROUND_US: i64 = HOUR_US;
/// A token's id is kept a little longer than the token, whose signer's clock may be ahead.
const GRACE_US: i64 = 2 * MINUTE_US;
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
            let now = self.0.clock.now();
            let sessions = entrance::sessions_over_before(now);
            let swept = self.0.db.write(move |tx| Box::pin(store::delete_over(tx, now - GRACE_US, sessions))).await;
            if let Err(error) = swept {
                tracing::warn!(error = &error as &dyn std::error::Error, "deleting what is over in the portal");
            }
            Outcome::RetryAt(now + ROUND_US, "waiting for the next round".to_owned())
        })
    }
}
