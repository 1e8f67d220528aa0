//! Background work as rows of one table: durable, leased, retried with backoff, kept as a dead letter when it fails for good.
//!
//! A job is enqueued in the transaction that makes it necessary. It runs **at least once**, so a [`Handler`] is written to
//! run twice safely. There is at most one job of a kind and key at a time. Leases follow the wall clock, due times the
//! clock that may be moved: moving it never hands a running job to a second worker.

mod store;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, SECOND_US};
use crate::db::{Db, DbError};
use crate::random::Random;
use crate::row;

use store::{any_expired_lease, claim, next_due, renew, settle};
pub use store::{cancel, counts, dead, enqueue, finish, payload, revive};
pub(crate) use store::{finish_unchanged, swap_payload};

/// How long a claimed job belongs to its worker before others may take it, in microseconds. A worker that lives renews it;
/// after a crash, this is how long the job waits.
const LEASE_US: i64 = 15 * SECOND_US;
/// How often a running job's lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How often a worker looks for work that nobody poked it about.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// A job to be enqueued.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    /// Which handler runs it.
    pub kind: &'a str,
    /// What it is about; unique within the kind.
    pub key: &'a str,
    /// Whatever the handler needs beside the key.
    pub payload: &'a str,
    /// Not before this time, in microseconds UTC.
    pub due_at: i64,
}

row! {
    /// A claimed job.
    pub struct Job {
        pub kind: String,
        pub key: String,
        pub payload: String,
        /// 1 at the first run.
        pub attempts: i64,
        pub created_at: i64,
    }
}

row! {
    /// A job that failed for good.
    pub struct DeadJob {
        pub kind: String,
        pub key: String,
        pub payload: String,
        pub attempts: i64,
        pub last_error: Option<String>,
        pub created_at: i64,
        /// When it died.
        pub updated_at: i64,
    }
}

row! {
    /// How many jobs of a kind there are in a state.
    pub struct JobCount { pub kind: String, pub state: String, pub jobs: i64 }
}

/// What became of one run.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The job is finished and its row removed.
    Done,
    /// The handler has settled the row itself, by [`finish`] in a transaction of its own.
    Settled,
    /// Run again at this time, in microseconds UTC.
    RetryAt(i64, String),
    /// Run again after the worker's backoff, or give up when its attempts are used up.
    Retry(String),
    /// Never again by itself: the row stays as a dead letter.
    Dead(String),
}

/// Runs the jobs of one kind.
pub trait Handler: Send + Sync + 'static {
    /// Runs one job; see [`Outcome`]. A panic counts as [`Outcome::Retry`].
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome>;
}

/// Delays between runs: doubling from `first_us`, never above `max_us`, give or take a quarter.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Delay after the first failure, in microseconds.
    pub first_us: i64,
    /// Longest delay, in microseconds.
    pub max_us: i64,
    /// Runs before the job is given up; `None` for never.
    pub attempts_max: Option<i64>,
}

impl Backoff {
    /// The delay after the `attempt`th failure, in microseconds.
    pub fn delay(&self, attempt: i64, random: &Random) -> i64 {
        let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(30);
        let delay = self.first_us.saturating_mul(1 << doublings).clamp(1, self.max_us);
        let quarter = delay / 4;
        delay - quarter + i64::try_from(random.below(u64::try_from(2 * quarter + 1).unwrap_or(1))).unwrap_or(0)
    }
}

/// Wakes the workers of a process: saves them the wait, never needed for correctness.
#[derive(Clone, Debug, Default)]
pub struct Poke(Arc<Notify>);

impl Poke {
    /// Tells the workers that there may be work.
    pub fn poke(&self) {
        self.0.notify_waiters();
    }
}

struct Kind {
    name: &'static str,
    handler: Arc<dyn Handler>,
    concurrency: usize,
    backoff: Backoff,
}

/// Claims and runs jobs until it is told to stop. Each kind has its own lane, so that a slow one holds up no other.
pub struct Worker {
    db: Db,
    clock: Clock,
    wall: Clock,
    random: Random,
    poke: Poke,
    kinds: Vec<Kind>,
}

impl Worker {
    /// A worker without handlers. `clock` decides what is due.
    pub fn new(db: Db, clock: Clock, random: Random, poke: Poke) -> Self {
        Self { db, clock, wall: Clock::system(), random, poke, kinds: Vec::new() }
    }

    /// Adds the handler of one kind, running at most `concurrency` of its jobs at once.
    #[must_use]
    pub fn register(mut self, name: &'static str, concurrency: usize, backoff: Backoff, handler: impl Handler) -> Self {
        self.kinds.push(Kind { name, handler: Arc::new(handler), concurrency, backoff });
        self
    }

    /// Works until `stop` is cancelled, then finishes what is running.
    pub async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let lanes = TaskTracker::new();
        for index in 0..this.kinds.len() {
            lanes.spawn(Arc::clone(&this).run_lane(index, stop.clone()));
        }
        lanes.close();
        lanes.wait().await;
    }

    async fn run_lane(self: Arc<Self>, index: usize, stop: CancellationToken) {
        let kind = &self.kinds[index];
        let free = Arc::new(Semaphore::new(kind.concurrency));
        let running = TaskTracker::new();
        while !stop.is_cancelled() {
            // Registered before looking, so that a poke between looking and waiting is not lost.
            let poked = self.poke.0.notified();
            tokio::pin!(poked);
            poked.as_mut().enable();

            let Ok(first) = Arc::clone(&free).acquire_owned().await else { break };
            let mut permits = vec![first];
            while let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
                permits.push(permit);
            }
            let claimed = match self.claim(kind.name, permits.len()).await {
                Ok(claimed) => claimed,
                Err(error) => {
                    tracing::warn!(job.kind = kind.name, error = &error as &dyn std::error::Error, "claiming jobs");
                    Vec::new()
                }
            };
            let found = !claimed.is_empty();
            for (job, permit) in claimed.into_iter().zip(permits.drain(..)) {
                let this = Arc::clone(&self);
                running.spawn(async move {
                    this.run_job(index, job).await;
                    drop(permit);
                });
            }
            drop(permits);
            if !found {
                let due = self.next_due(kind.name).await;
                tokio::select! {
                    () = poked => {}
                    () = self.clock.sleep_until(due.unwrap_or(i64::MAX)) => {}
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        running.close();
        running.wait().await;
    }

    async fn claim(&self, kind: &'static str, limit: usize) -> Result<Vec<Job>, DbError> {
        let (due, wall) = (self.clock.now(), self.wall.now());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // Looked at by a reader first: an idle worker must not keep the writer busy.
        if self.next_due_checked(kind).await?.is_none_or(|at| at > due) && !self.any_expired_lease(kind, wall).await? {
            return Ok(Vec::new());
        }
        self.db.write(move |tx| Box::pin(claim(tx, kind, due, wall, limit))).await
    }

    async fn any_expired_lease(&self, kind: &'static str, wall: i64) -> Result<bool, DbError> {
        self.db.look_up(move |tx| Box::pin(any_expired_lease(tx, kind, wall))).await
    }

    async fn next_due_checked(&self, kind: &'static str) -> Result<Option<i64>, DbError> {
        self.db.look_up(move |tx| Box::pin(next_due(tx, kind))).await
    }

    async fn next_due(&self, kind: &'static str) -> Option<i64> {
        self.next_due_checked(kind).await.unwrap_or(None)
    }

    async fn run_job(&self, index: usize, job: Job) {
        use futures_util::FutureExt as _;
        let kind = &self.kinds[index];
        let outcome = {
            let mut run = std::panic::AssertUnwindSafe(kind.handler.run(&job)).catch_unwind();
            loop {
                tokio::select! {
                    outcome = &mut run => break outcome,
                    () = tokio::time::sleep(RENEW_EVERY) => self.renew(&job).await,
                }
            }
        };
        let outcome = outcome.unwrap_or_else(|_| Outcome::Retry("the handler panicked".to_owned()));
        let outcome = self.with_backoff(kind, &job, outcome);
        metrics::counter!("jobs_run_total", "kind" => kind.name, "outcome" => outcome_label(&outcome)).increment(1);
        if let Outcome::Dead(error) = &outcome {
            tracing::error!(job.kind = kind.name, job.key = %job.key, attempts = job.attempts, %error, "job given up");
        }
        let now = self.clock.now();
        let settled = self.db.write(move |tx| Box::pin(async move { settle(tx, &job, &outcome, now).await })).await;
        if let Err(error) = settled {
            // The lease runs out and the job runs again.
            tracing::warn!(job.kind = kind.name, error = &error as &dyn std::error::Error, "settling a job");
        }
        // The lane may have looked for the next due time before this job had one.
        self.poke.poke();
    }

    async fn renew(&self, job: &Job) {
        let (kind, key, attempt, wall) = (job.kind.clone(), job.key.clone(), job.attempts, self.wall.now());
        let renewed: Result<u64, DbError> =
            self.db.write(move |tx| Box::pin(async move { renew(tx, &kind, &key, attempt, wall).await })).await;
        if let Err(error) = renewed {
            tracing::warn!(job.kind = %job.kind, error = &error as &dyn std::error::Error, "renewing a lease");
        }
    }

    fn with_backoff(&self, kind: &Kind, job: &Job, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Retry(error) if kind.backoff.attempts_max.is_some_and(|max| job.attempts >= max) => {
                Outcome::Dead(error)
            }
            Outcome::Retry(error) => {
                Outcome::RetryAt(self.clock.now() + kind.backoff.delay(job.attempts, &self.random), error)
            }
            other => other,
        }
    }
}

fn outcome_label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done | Outcome::Settled => "done",
        Outcome::RetryAt(..) | Outcome::Retry(_) => "retry",
        Outcome::Dead(_) => "dead",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_within_a_quarter_and_stops_at_its_maximum() {
        let backoff = Backoff { first_us: 1_000, max_us: 10_000, attempts_max: None };
        let random = Random::seeded(1, 0);
        for (attempt, middle) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000), (5, 10_000), (60, 10_000)] {
            let delay = backoff.delay(attempt, &random);
            assert!((middle * 3 / 4..=middle * 5 / 4).contains(&delay), "attempt {attempt}: {delay}");
        }
    }
}
