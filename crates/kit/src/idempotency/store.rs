//! The table of first answers.

use super::{Call, Known, StoredAnswer};
use crate::db::{DbError, Tx};
use crate::{params, row};

row! {
    struct KeyRow { fingerprint: String, state: String, status: Option<i64>, body: Option<Vec<u8>> }
}

/// Looks a key up; entries past their time count as absent.
///
/// # Errors
/// [`DbError`].
pub async fn find(tx: &mut Tx, call: &Call<'_>, now: i64) -> Result<Known, DbError> {
    let sql = "select fingerprint, state, status, body from idempotency_keys
        where scope = $1 and key = $2 and expires_at > $3";
    let Some(found) = tx.fetch_optional::<KeyRow>(sql, params![call.scope, call.key, now]).await? else {
        return Ok(Known::Fresh);
    };
    Ok(match found {
        KeyRow { fingerprint, .. } if fingerprint != call.fingerprint => Known::OtherBody,
        KeyRow { state, status: Some(status), body, .. } if state == "answered" => Known::Answered(StoredAnswer {
            status: u16::try_from(status).unwrap_or(200),
            body: body.unwrap_or_default(),
        }),
        _ => Known::InFlight,
    })
}

const UPSERT: &str = "insert into idempotency_keys (scope, key, fingerprint, state, status, body, created_at, expires_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (scope, key) do update set fingerprint = excluded.fingerprint, state = excluded.state,
        status = excluded.status, body = excluded.body, created_at = excluded.created_at, expires_at = excluded.expires_at
    where idempotency_keys.expires_at <= excluded.created_at";

/// Remembers the answer in the transaction that made it. Call [`find`] first.
///
/// # Errors
/// [`DbError::Contended`] when the same call was answered by another transaction meanwhile: roll back and begin again.
pub async fn record(
    tx: &mut Tx,
    call: &Call<'_>,
    answer: &StoredAnswer,
    now: i64,
    expires_at: i64,
) -> Result<(), DbError> {
    let status = i64::from(answer.status);
    let written = tx
        .execute(
            UPSERT,
            params![call.scope, call.key, call.fingerprint, "answered", status, &answer.body, now, expires_at],
        )
        .await?;
    if written == 0 { Err(DbError::Contended) } else { Ok(()) }
}

/// Takes the key for a call that will be answered later. [`Known::Fresh`] means that the caller now holds it.
///
/// # Errors
/// [`DbError`].
pub async fn begin(tx: &mut Tx, call: &Call<'_>, now: i64, expires_at: i64) -> Result<Known, DbError> {
    let none: Option<i64> = None;
    let no_body: Option<&[u8]> = None;
    let written = tx
        .execute(UPSERT, params![call.scope, call.key, call.fingerprint, "in_flight", none, no_body, now, expires_at])
        .await?;
    if written > 0 { Ok(Known::Fresh) } else { find(tx, call, now).await }
}

/// Remembers the answer to a call taken by [`begin`].
///
/// # Errors
/// [`DbError`].
pub async fn complete(tx: &mut Tx, scope: &str, key: &str, answer: &StoredAnswer) -> Result<(), DbError> {
    let sql = "update idempotency_keys set state = 'answered', status = $3, body = $4
        where scope = $1 and key = $2 and state = 'in_flight'";
    tx.execute(sql, params![scope, key, i64::from(answer.status), &answer.body]).await.map(drop)
}

/// Gives a key up that [`begin`] took, so that the same call may be made anew.
///
/// # Errors
/// [`DbError`].
pub async fn release(tx: &mut Tx, scope: &str, key: &str) -> Result<(), DbError> {
    let sql = "delete from idempotency_keys where scope = $1 and key = $2 and state = 'in_flight'";
    tx.execute(sql, params![scope, key]).await.map(drop)
}

/// Removes at most `limit` entries past their time; returns how many.
///
/// # Errors
/// [`DbError`].
pub async fn sweep(tx: &mut Tx, now: i64, limit: i64) -> Result<u64, DbError> {
    let sql = "delete from idempotency_keys where (scope, key) in
        (select scope, key from idempotency_keys where expires_at <= $1 limit $2)";
    tx.execute(sql, params![now, limit]).await
}
