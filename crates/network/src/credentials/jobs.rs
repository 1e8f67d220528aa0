//! What time does to credentials, written down: keys that nobody uses are disabled, what has long been disabled is deleted.
//!
//! Reads judge by the time themselves, so this only keeps the tables small and the rows true.

use futures_util::future::BoxFuture;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::life::{Life, gone_before, may_have_lapsed_before};
use super::store;
use crate::ctx::Ctx;

const KIND: &str = "credentials.pass_time";
const BATCH: i64 = 100;
/// Credentials live for months.
const ROUND_US: i64 = HOUR_US;
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
            match self.0.db.write(move |tx| Box::pin(pass_time(tx, now))).await {
                Ok(true) => Outcome::RetryAt(now, "more may have lapsed".to_owned()),
                Ok(false) => Outcome::RetryAt(now + ROUND_US, "waiting for the next round".to_owned()),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "passing time over credentials");
                    Outcome::RetryAt(now + ROUND_US, error.to_string())
                }
            }
        })
    }
}

/// Says whether there was a full batch of keys that lapsed.
async fn pass_time(tx: &mut Tx, now: i64) -> Result<bool, DbError> {
    let mut lapsed = 0;
    for row in store::lapsing_api_keys(tx, may_have_lapsed_before(now), BATCH).await? {
        let life = Life { lapses: true, created_at: row.created_at, last_used_at: row.last_used_at, disabled_at: None };
        if let Some(at) = life.disabled_at(now) {
            store::lapse_api_key(tx, &row, at).await?;
            lapsed += 1;
        }
    }
    store::delete_disabled(tx, gone_before(now)).await?;
    Ok(lapsed == BATCH)
}
