//! Sweeps: work that nothing asks for and time brings, done round after round under one job each.
//!
//! Two processes at once share the job, so one of them works; a round that fails is told in the log and followed by the next.

use futures_util::future::BoxFuture;
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use crate::ctx::Ctx;

/// What a process that died in a round leaves to the job's own repetition.
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

/// A sweep.
#[derive(Clone, Copy)]
pub(crate) struct Sweep {
    /// The kind of its job.
    pub kind: &'static str,
    /// What it is at, for the log: "settling days".
    pub doing: &'static str,
    /// When the round behind one that began at this time is due, both in microseconds UTC.
    pub next: fn(i64) -> i64,
    /// Lets happen what is due; says whether a full batch was found, so that there may be more.
    pub round: fn(Ctx) -> BoxFuture<'static, Result<bool, ApiError>>,
}

impl Sweep {
    /// Lets the worker sweep; see [`Sweep::start`].
    pub fn register(self, worker: Worker, ctx: &Ctx) -> Worker {
        worker.register(self.kind, 1, BACKOFF, Rounds { sweep: self, ctx: ctx.clone() })
    }

    /// Makes sure that the job exists; to be called at every start.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn start(self, tx: &mut Tx, now: i64) -> Result<(), DbError> {
        jobs::enqueue(tx, &NewJob { kind: self.kind, key: "sweep", payload: "", due_at: now }, now).await.map(drop)
    }
}

struct Rounds {
    sweep: Sweep,
    ctx: Ctx,
}

impl Handler for Rounds {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            // Counted from the beginning: should the clock be moved during a round, the next one is due at once.
            let began = self.ctx.clock.now();
            let next = (self.sweep.next)(began);
            match (self.sweep.round)(self.ctx.clone()).await {
                Ok(true) => Outcome::RetryAt(began, "more is due".to_owned()),
                Ok(false) => Outcome::RetryAt(next, "waiting for the next round".to_owned()),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "{}", self.sweep.doing);
                    Outcome::RetryAt(next, error.to_string())
                }
            }
        })
    }
}
