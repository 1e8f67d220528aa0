//! Background work as rows of one table: durable, leased, retried with backoff, kept as a dead letter when it fails for good.
//!
//! A job is enqueued in the transaction that makes it necessary. It runs **at least once**, so a [`Handler`] is written to
//! run twice safely. There is at most one job of a kind and key at a time. Leases follow the wall clock, due times the
//! clock that may be moved: moving it never hands a running job to a second worker.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, SECOND_US};
use crate::db::{Db, DbError, Tx};
use crate::random::Random;
use crate::{dialect, params, row};

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

/// Adds a job, unless one of that kind and key exists; says whether it was added.
///
/// # Errors
/// [`DbError`].
pub async fn enqueue(tx: &mut Tx, job: &NewJob<'_>, now: i64) -> Result<bool, DbError> {
    let sql = "insert into jobs (kind, key, payload, due_at, lease_until, attempts, state, created_at, updated_at)
        values ($1, $2, $3, $4, 0, 0, 'ready', $5, $5) on conflict do nothing";
    let added = tx.execute(sql, params![job.kind, job.key, job.payload, job.due_at, now]).await?;
    Ok(added > 0)
}

/// Removes a job that is no longer necessary.
///
/// # Errors
/// [`DbError`].
pub async fn cancel(tx: &mut Tx, kind: &str, key: &str) -> Result<(), DbError> {
    tx.execute("delete from jobs where kind = $1 and key = $2", params![kind, key]).await.map(drop)
}

/// The payload of a job that waits or runs, if there is one of that kind and key.
///
/// # Errors
/// [`DbError`].
pub async fn payload(tx: &mut Tx, kind: &str, key: &str) -> Result<Option<String>, DbError> {
    row! { struct PayloadRow { payload: String } }
    let sql = "select payload from jobs where kind = $1 and key = $2 and state = 'ready'";
    Ok(tx.fetch_optional::<PayloadRow>(sql, params![kind, key]).await?.map(|row| row.payload))
}

/// Replaces the payload of a job that waits or runs, unless it changed since it was read; says whether it did so.
pub(crate) async fn swap_payload(tx: &mut Tx, kind: &str, key: &str, old: &str, new: &str) -> Result<bool, DbError> {
    let sql = "update jobs set payload = $4 where kind = $1 and key = $2 and payload = $3 and state = 'ready'";
    Ok(tx.execute(sql, params![kind, key, old, new]).await? > 0)
}

/// Like [`finish`], unless the payload changed since it was read.
pub(crate) async fn finish_unchanged(tx: &mut Tx, job: &Job, payload: &str) -> Result<bool, DbError> {
    let sql = "delete from jobs where kind = $1 and key = $2 and attempts = $3 and payload = $4";
    Ok(tx.execute(sql, params![&job.kind, &job.key, job.attempts, payload]).await? > 0)
}

/// The dead letters, latest first.
///
/// # Errors
/// [`DbError`].
pub async fn dead(tx: &mut Tx, limit: i64) -> Result<Vec<DeadJob>, DbError> {
    let sql = "select kind, key, payload, attempts, last_error, created_at, updated_at
        from jobs where state = 'dead' order by updated_at desc limit $1";
    tx.fetch_all(sql, params![limit]).await
}

/// Brings a dead letter back to life, due at once; says whether there was one.
///
/// # Errors
/// [`DbError`].
pub async fn revive(tx: &mut Tx, kind: &str, key: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update jobs set state = 'ready', due_at = $3, lease_until = 0, attempts = 0, updated_at = $3
        where kind = $1 and key = $2 and state = 'dead'";
    Ok(tx.execute(sql, params![kind, key, now]).await? > 0)
}

/// Jobs by kind and state, for metrics and the dead-letter view.
///
/// # Errors
/// [`DbError`].
pub async fn counts(tx: &mut Tx) -> Result<Vec<JobCount>, DbError> {
    tx.fetch_all("select kind, state, count(*) as jobs from jobs group by kind, state order by kind, state", &[]).await
}

async fn claim(tx: &mut Tx, kind: &str, due: i64, wall: i64, limit: i64) -> Result<Vec<Job>, DbError> {
    tx.fetch_all(dialect::claim_jobs(tx.engine()), params![wall + LEASE_US, due, wall, kind, limit]).await
}

async fn next_due(tx: &mut Tx, kind: &str) -> Result<Option<i64>, DbError> {
    row! { struct NextDue { due_at: Option<i64> } }
    let sql = "select min(due_at) as due_at from jobs where kind = $1 and state = 'ready' and lease_until = 0";
    Ok(tx.fetch_one::<NextDue>(sql, params![kind]).await?.due_at)
}

/// Removes a claimed job's row: for handlers that do so in the transaction that holds their result.
/// Says whether the row was still theirs; if not, another worker has taken the job over.
///
/// # Errors
/// [`DbError`].
pub async fn finish(tx: &mut Tx, job: &Job) -> Result<bool, DbError> {
    let sql = "delete from jobs where kind = $1 and key = $2 and attempts = $3";
    Ok(tx.execute(sql, params![&job.kind, &job.key, job.attempts]).await? > 0)
}

async fn renew(tx: &mut Tx, kind: &str, key: &str, attempt: i64, wall: i64) -> Result<u64, DbError> {
    let sql = "update jobs set lease_until = $4 where kind = $1 and key = $2 and attempts = $3 and lease_until > 0";
    tx.execute(sql, params![kind, key, attempt, wall + LEASE_US]).await
}

async fn settle(tx: &mut Tx, job: &Job, outcome: &Outcome, now: i64) -> Result<(), DbError> {
    // Guarded by the attempt: a worker whose lease ran out must not overwrite its successor's result.
    match outcome {
        Outcome::Settled => {}
        Outcome::Done => {
            finish(tx, job).await?;
        }
        Outcome::RetryAt(at, error) => {
            let sql = "update jobs set due_at = $4, lease_until = 0, last_error = $5, updated_at = $6
                where kind = $1 and key = $2 and attempts = $3";
            tx.execute(sql, params![&job.kind, &job.key, job.attempts, *at, error, now]).await?;
        }
        Outcome::Retry(error) | Outcome::Dead(error) => {
            let sql = "update jobs set state = 'dead', lease_until = 0, last_error = $4, updated_at = $5
                where kind = $1 and key = $2 and attempts = $3";
            tx.execute(sql, params![&job.kind, &job.key, job.attempts, error, now]).await?;
        }
    }
    Ok(())
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
        self.db
            .look_up(move |tx| {
                Box::pin(async move {
                    let sql = "select kind from jobs
                        where kind = $1 and state = 'ready' and lease_until > 0 and lease_until <= $2 limit 1";
                    Ok(tx.fetch_optional::<()>(sql, params![kind, wall]).await?.is_some())
                })
            })
            .await
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
