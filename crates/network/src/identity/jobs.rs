//! Draws a new key for `id_token`s when the newest is old, and deletes those that are no longer needed.

use futures_util::future::BoxFuture;
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::keys;
use crate::ctx::Ctx;

const KIND: &str = "identity.keys";
const ROUND_US: i64 = 10 * MINUTE_US;
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

/// Lets the worker look after the keys; see [`start`].
pub fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(KIND, 1, BACKOFF, Sweep(ctx.clone()))
}

/// Makes sure that the job exists; to be called at every start.
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
            if let Err(error) = keys::pass_time(&self.0).await {
                error.log();
            }
            Outcome::RetryAt(self.0.clock.now() + ROUND_US, "waiting for the next round".to_owned())
        })
    }
}
