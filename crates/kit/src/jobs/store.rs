//! The table of jobs.

use super::{DeadJob, Job, JobCount, LEASE_US, NewJob, Outcome};
use crate::db::{DbError, Tx};
use crate::{dialect, params, row};

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

pub(super) async fn claim(tx: &mut Tx, kind: &str, due: i64, wall: i64, limit: i64) -> Result<Vec<Job>, DbError> {
    tx.fetch_all(dialect::claim_jobs(tx.engine()), params![wall + LEASE_US, due, wall, kind, limit]).await
}

pub(super) async fn next_due(tx: &mut Tx, kind: &str) -> Result<Option<i64>, DbError> {
    row! { struct NextDue { due_at: Option<i64> } }
    let sql = "select min(due_at) as due_at from jobs where kind = $1 and state = 'ready' and lease_until = 0";
    Ok(tx.fetch_one::<NextDue>(sql, params![kind]).await?.due_at)
}

/// Whether a worker has let the lease of such a job run out.
pub(super) async fn any_expired_lease(tx: &mut Tx, kind: &str, wall: i64) -> Result<bool, DbError> {
    let sql =
        "select kind from jobs where kind = $1 and state = 'ready' and lease_until > 0 and lease_until <= $2 limit 1";
    Ok(tx.fetch_optional::<()>(sql, params![kind, wall]).await?.is_some())
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

pub(super) async fn renew(tx: &mut Tx, kind: &str, key: &str, attempt: i64, wall: i64) -> Result<u64, DbError> {
    let sql = "update jobs set lease_until = $4 where kind = $1 and key = $2 and attempts = $3 and lease_until > 0";
    tx.execute(sql, params![kind, key, attempt, wall + LEASE_US]).await
}

pub(super) async fn settle(tx: &mut Tx, job: &Job, outcome: &Outcome, now: i64) -> Result<(), DbError> {
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
