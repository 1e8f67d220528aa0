//! The tables of deliveries and of their attempts.

use super::{Attempt, Delivery, Filter, KIND, NewDelivery};
use crate::db::{DbError, Tx};
use crate::jobs::{self, NewJob};
use crate::params;

/// Writes a delivery and the job that makes it.
///
/// # Errors
/// [`DbError`].
pub async fn create(tx: &mut Tx, new: &NewDelivery<'_>, now: i64) -> Result<(), DbError> {
    let sql =
        "insert into deliveries (owner, delivery_id, target, event_id, event_type, body, state, attempts, retries,
        next_at, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, 'PENDING', 0, 0, $7, $7, $7)";
    let values = params![new.owner, new.delivery_id, new.target, new.event_id, new.event_type, new.body, now];
    tx.execute(sql, values).await?;
    enqueue(tx, new.owner, new.delivery_id, now).await
}

async fn enqueue(tx: &mut Tx, owner: &str, delivery_id: &str, now: i64) -> Result<(), DbError> {
    let key = job_key(owner, delivery_id);
    jobs::enqueue(tx, &NewJob { kind: KIND, key: &key, payload: "", due_at: now }, now).await.map(drop)
}

fn job_key(owner: &str, delivery_id: &str) -> String {
    format!("{owner}/{delivery_id}")
}

/// Sends a settled delivery once more, by the whole schedule; says whether there is such a delivery.
///
/// # Errors
/// [`DbError`].
pub async fn replay(tx: &mut Tx, owner: &str, delivery_id: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update deliveries set state = 'PENDING', retries = 0, next_at = $3, updated_at = $3
        where owner = $1 and delivery_id = $2";
    let found = tx.execute(sql, params![owner, delivery_id, now]).await? > 0;
    if found {
        // A job that waits for its retry is brought forward instead.
        jobs::cancel(tx, KIND, &job_key(owner, delivery_id)).await?;
        enqueue(tx, owner, delivery_id, now).await?;
    }
    Ok(found)
}

const COLUMNS: &str =
    "select owner, delivery_id, target, event_id, event_type, body, state, attempts, retries, next_at,
    created_at, updated_at from deliveries where owner = $1 and delivery_id = $2";

/// One delivery.
///
/// # Errors
/// [`DbError`].
pub async fn read(tx: &mut Tx, owner: &str, delivery_id: &str) -> Result<Option<Delivery>, DbError> {
    tx.fetch_optional(COLUMNS, params![owner, delivery_id]).await
}

/// Deliveries of an owner, newest first.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, owner: &str, filter: &Filter<'_>, limit: i64) -> Result<Vec<Delivery>, DbError> {
    let sql = "select owner, delivery_id, target, event_id, event_type, body, state, attempts, retries, next_at,
            created_at, updated_at
        from deliveries
        where owner = $1 and (cast($2 as text) is null or target = $2) and (cast($3 as text) is null or event_id = $3)
            and (cast($4 as text) is null or state = $4) and (cast($5 as text) is null or delivery_id < $5)
        order by delivery_id desc limit $6";
    let values = params![owner, filter.target, filter.event_id, filter.state, filter.before, limit];
    tx.fetch_all(sql, values).await
}

/// All attempts of a delivery, in order.
///
/// # Errors
/// [`DbError`].
pub async fn attempts(tx: &mut Tx, owner: &str, delivery_id: &str) -> Result<Vec<Attempt>, DbError> {
    let sql = "select delivery_id, attempt, url, started_at, duration_us, status, error, response
        from delivery_attempts where owner = $1 and delivery_id = $2 order by attempt";
    tx.fetch_all(sql, params![owner, delivery_id]).await
}

/// Records an attempt and where the delivery stands after it, unless another worker has counted on since `counted`.
pub(super) async fn settle(
    tx: &mut Tx,
    (owner, delivery_id): (&str, &str),
    counted: i64,
    state: &str,
    attempt: Option<&Attempt>,
    retry_at: Option<i64>,
    now: i64,
) -> Result<(), DbError> {
    if let Some(a) = attempt {
        // A second worker after a lost lease makes the same attempt number: the first record stays.
        let sql =
            "insert into delivery_attempts (owner, delivery_id, attempt, url, started_at, duration_us, status, error,
            response) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";
        let values = params![
            owner,
            delivery_id,
            a.attempt,
            &a.url,
            a.started_at,
            a.duration_us,
            a.status,
            &a.error,
            &a.response
        ];
        tx.execute(sql, values).await?;
    }
    let (tried, retried) = (i64::from(attempt.is_some()), i64::from(retry_at.is_some()));
    let sql = "update deliveries set state = $3, attempts = attempts + $4, retries = retries + $5, next_at = $6,
        updated_at = $7 where owner = $1 and delivery_id = $2 and attempts = $8";
    let values = params![owner, delivery_id, state, tried, retried, retry_at, now, counted];
    tx.execute(sql, values).await.map(drop)
}
