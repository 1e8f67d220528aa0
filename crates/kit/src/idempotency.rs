//! First answers by idempotency key: one table, two ways of using it.
//!
//! - **One transaction** (a server whose whole effect is in its own database): [`find`] at the start of the unit, [`record`] at
//!   its end. A failed unit leaves nothing, so only successes are remembered.
//! - **Two transactions** (a server that calls somebody in between): [`begin`] together with the intent, [`complete`]
//!   together with the outcome. Between the two the key is in flight.
//!
//! The scope names who asked and for what (account, method, path). A key means something within its scope only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::db::{DbError, Tx};
use crate::{params, row};

/// The answer that was given first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// Body, exactly as it was sent; sealed by the caller if it holds secrets.
    pub body: Vec<u8>,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: go on.
    Fresh,
    /// The same call was answered before: say the same again.
    Answered(StoredAnswer),
    /// The key was used for another body.
    OtherBody,
    /// The same call is still being worked on.
    InFlight,
}

/// Identifies one call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Who asked, and for what.
    pub scope: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// From [`fingerprint`].
    pub fingerprint: &'a str,
}

/// The scope that these parts make together: a digest, because a scope stands in the table and in its index, once a call.
pub fn scope(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // With its length, so that no two lists of parts read the same.
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(part.as_bytes());
    }
    // 128 bits: nobody gains by a collision within one account's own calls of one day.
    URL_SAFE_NO_PAD.encode(&digest.finalize()[..16])
}

/// A digest of a JSON body that does not depend on the order of members or on white space.
pub fn fingerprint(body: &serde_json::Value) -> String {
    // serde_json keeps members sorted, so equal documents print equally.
    hex::encode(Sha256::digest(body.to_string().as_bytes()))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_differ_wherever_their_parts_do() {
        let scopes = [scope(&["a", "bc"]), scope(&["ab", "c"]), scope(&["abc"]), scope(&["a", "bc", ""])];
        for (index, one) in scopes.iter().enumerate() {
            assert_eq!(one.len(), 22);
            assert!(!scopes[..index].contains(one));
        }
        assert_eq!(scope(&["a", "bc"]), scopes[0]);
    }

    #[test]
    fn a_fingerprint_ignores_order_and_white_space_and_nothing_else() {
        let of = |text: &str| fingerprint(&serde_json::from_str(text).unwrap());
        assert_eq!(of(r#"{"a":1,"b":[1,2]}"#), of(r#" {"b":[1, 2], "a":1}"#));
        assert_ne!(of(r#"{"a":1,"b":[1,2]}"#), of(r#"{"a":1,"b":[2,1]}"#));
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":"1"}"#));
    }
}
