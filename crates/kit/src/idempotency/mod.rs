//! First answers by idempotency key: one table, two ways of using it.
//!
//! - **One transaction** (a server whose whole effect is in its own database): [`find`] at the start of the unit, [`record`] at
//!   its end. A failed unit leaves nothing, so only successes are remembered.
//! - **Two transactions** (a server that calls somebody in between): [`begin`] together with the intent, [`complete`]
//!   together with the outcome. Between the two the key is in flight.
//!
//! The scope names who asked and for what (account, method, path). A key means something within its scope only.

mod store;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::db::{Db, DbError};

pub use store::{begin, complete, find, record, release, sweep};

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

/// How often keys past their time are removed, and how many in one transaction: few enough not to be felt.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
const SWEEP_ROWS: i64 = 500;

/// Removes keys past their time, now and then, until it is told to stop: one such task in each process that stores answers.
pub async fn keep_swept(db: Db, clock: Clock, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweep_all(&db, clock.now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "removing old idempotency keys");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
    }
}

/// Removes all keys past their time, a few in each transaction; returns how many.
///
/// # Errors
/// [`DbError`]; what was removed before stays removed.
pub async fn sweep_all(db: &Db, now: i64) -> Result<u64, DbError> {
    let mut removed = 0;
    loop {
        let some = db.write(move |tx| Box::pin(sweep(tx, now, SWEEP_ROWS))).await?;
        removed += some;
        if some < SWEEP_ROWS.unsigned_abs() {
            return Ok(removed);
        }
    }
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
