//! Signing keys, the subscription, messages and verifications.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A signing key, sealed.
    pub(crate) struct KeyRow {
        pub signing_key_id: String,
        pub secret: Vec<u8>,
        /// `CURRENT`, `RETIRING` (still verifies), or `ORPHAN` (at the network, secret lost).
        pub state: String,
        pub created_at: i64,
        pub retires_at: Option<i64>,
    }
}

row! {
    /// A key that is being made.
    pub(crate) struct IntentRow { pub idempotency_key: String, pub known_keys: String, pub created_at: i64 }
}

row! {
    /// The subscription at the network.
    pub(crate) struct SubscriptionRow { pub webhook_id: String, pub signing_key_id: String, pub checked_at: i64 }
}

row! {
    /// A stored message, sealed.
    pub(crate) struct MessageRow {
        pub event_id: String,
        pub event_type: String,
        pub received_at: i64,
        pub body: Vec<u8>,
        pub state: String,
        pub note: Option<String>,
    }
}

row! {
    /// One request to the webhook address and what was made of it (RES-5). What an unverified sender claims is kept as a claim.
    pub struct Verification {
        pub verification_id: String,
        /// Microseconds UTC.
        pub received_at: i64,
        /// As the header says.
        pub signing_key_id: Option<String>,
        /// `valid`, `unchecked`, or why it was not believed: `missing_key_id`, `missing_signature`, `malformed`, `unknown_key`,
        /// `mismatch`.
        pub signature: String,
        /// `accepted`, `duplicate`, or why it was refused: `signature`, `stale`, `future`, `malformed`, `too_large`, `content_type`.
        pub outcome: String,
        pub event_id: Option<String>,
        pub event_type: Option<String>,
        pub webhook_id: Option<String>,
        pub subject_account_id: Option<String>,
        pub duplicate: bool,
        pub remote_address: Option<String>,
        pub duration_us: i64,
        pub error: Option<String>,
    }
}

pub(crate) async fn key(tx: &mut Tx, account_id: &str, key_id: &str) -> Result<Option<KeyRow>, DbError> {
    let sql = "select signing_key_id, secret, state, created_at, retires_at from network_signing_keys
        where account_id = $1 and signing_key_id = $2 and state <> 'ORPHAN'";
    tx.fetch_optional(sql, params![account_id, key_id]).await
}

/// Newest first.
pub(crate) async fn keys(tx: &mut Tx, account_id: &str) -> Result<Vec<KeyRow>, DbError> {
    let sql = "select signing_key_id, secret, state, created_at, retires_at from network_signing_keys
        where account_id = $1 order by created_at desc, signing_key_id";
    tx.fetch_all(sql, params![account_id]).await
}

/// Stores a key as the current one and ends its intent.
pub(crate) async fn add_key(
    tx: &mut Tx,
    account_id: &str,
    key_id: &str,
    secret: &[u8],
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into network_signing_keys (account_id, signing_key_id, secret, state, created_at)
        values ($1, $2, $3, 'CURRENT', $4)
        on conflict (account_id, signing_key_id) do update set secret = excluded.secret, state = excluded.state,
            retires_at = null";
    tx.execute(sql, params![account_id, key_id, secret, now]).await?;
    let sql = "delete from network_signing_key_intents where account_id = $1";
    tx.execute(sql, params![account_id]).await.map(drop)
}

/// Remembers a key at the network whose secret nobody holds, to be deleted at `retires_at`.
pub(crate) async fn add_orphan(
    tx: &mut Tx,
    account_id: &str,
    key_id: &str,
    now: i64,
    retires_at: i64,
) -> Result<(), DbError> {
    let nothing: &[u8] = &[];
    let sql = "insert into network_signing_keys (account_id, signing_key_id, secret, state, created_at, retires_at)
        values ($1, $2, $3, 'ORPHAN', $4, $5) on conflict do nothing";
    tx.execute(sql, params![account_id, key_id, nothing, now, retires_at]).await.map(drop)
}

/// All keys but one go on verifying until `retires_at`.
pub(crate) async fn retire_others(tx: &mut Tx, account_id: &str, key_id: &str, retires_at: i64) -> Result<(), DbError> {
    let sql = "update network_signing_keys set state = 'RETIRING', retires_at = $3
        where account_id = $1 and signing_key_id <> $2 and state = 'CURRENT'";
    tx.execute(sql, params![account_id, key_id, retires_at]).await?;
    let sql = "update network_signing_keys set state = 'CURRENT', retires_at = null
        where account_id = $1 and signing_key_id = $2";
    tx.execute(sql, params![account_id, key_id]).await.map(drop)
}

pub(crate) async fn delete_key(tx: &mut Tx, account_id: &str, key_id: &str) -> Result<(), DbError> {
    let sql = "delete from network_signing_keys where account_id = $1 and signing_key_id = $2";
    tx.execute(sql, params![account_id, key_id]).await.map(drop)
}

/// Writes an intent, or reads the one that another process, or an earlier life of this one, has written.
pub(crate) async fn intend_key(
    tx: &mut Tx,
    account_id: &str,
    idempotency_key: &str,
    known_keys: &str,
    now: i64,
) -> Result<IntentRow, DbError> {
    let sql = "insert into network_signing_key_intents (account_id, idempotency_key, known_keys, created_at)
        values ($1, $2, $3, $4)
        on conflict (account_id) do update set created_at = network_signing_key_intents.created_at
        returning idempotency_key, known_keys, created_at";
    tx.fetch_one(sql, params![account_id, idempotency_key, known_keys, now]).await
}

pub(crate) async fn intent(tx: &mut Tx, account_id: &str) -> Result<Option<IntentRow>, DbError> {
    let sql = "select idempotency_key, known_keys, created_at from network_signing_key_intents where account_id = $1";
    tx.fetch_optional(sql, params![account_id]).await
}

pub(crate) async fn drop_intent(tx: &mut Tx, account_id: &str, idempotency_key: &str) -> Result<(), DbError> {
    let sql = "delete from network_signing_key_intents where account_id = $1 and idempotency_key = $2";
    tx.execute(sql, params![account_id, idempotency_key]).await.map(drop)
}

pub(crate) async fn subscription(tx: &mut Tx, account_id: &str, url: &str) -> Result<Option<SubscriptionRow>, DbError> {
    let sql = "select webhook_id, signing_key_id, checked_at from network_subscriptions
        where account_id = $1 and url = $2";
    tx.fetch_optional(sql, params![account_id, url]).await
}

pub(crate) async fn save_subscription(
    tx: &mut Tx,
    account_id: &str,
    url: &str,
    row: &SubscriptionRow,
) -> Result<(), DbError> {
    let sql = "insert into network_subscriptions (account_id, url, webhook_id, signing_key_id, checked_at)
        values ($1, $2, $3, $4, $5)
        on conflict (account_id, url) do update set webhook_id = excluded.webhook_id,
            signing_key_id = excluded.signing_key_id, checked_at = excluded.checked_at";
    tx.execute(sql, params![account_id, url, &row.webhook_id, &row.signing_key_id, row.checked_at]).await.map(drop)
}

/// A message to be kept.
pub(crate) struct NewMessage<'a> {
    pub account_id: &'a str,
    pub event_id: &'a str,
    pub event_type: &'a str,
    pub subject_account_id: Option<&'a str>,
    pub webhook_id: Option<&'a str>,
    pub occurred_at: i64,
    pub received_at: i64,
    pub body: &'a [u8],
}

/// Says whether the message is new.
pub(crate) async fn insert_message(tx: &mut Tx, message: &NewMessage<'_>) -> Result<bool, DbError> {
    let sql =
        "insert into inbox_messages (account_id, event_id, event_type, subject_account_id, webhook_id, occurred_at,
            received_at, body, state)
        values ($1, $2, $3, $4, $5, $6, $7, $8, 'RECEIVED') on conflict do nothing";
    let values = params![
        message.account_id,
        message.event_id,
        message.event_type,
        message.subject_account_id,
        message.webhook_id,
        message.occurred_at,
        message.received_at,
        message.body
    ];
    Ok(tx.execute(sql, values).await? > 0)
}

pub(crate) async fn message(tx: &mut Tx, account_id: &str, event_id: &str) -> Result<Option<MessageRow>, DbError> {
    let sql = "select event_id, event_type, received_at, body, state, note from inbox_messages
        where account_id = $1 and event_id = $2";
    tx.fetch_optional(sql, params![account_id, event_id]).await
}

/// Takes a message that is still to be applied and locks its row; false when another worker has settled it.
pub(crate) async fn lock_message(tx: &mut Tx, account_id: &str, event_id: &str) -> Result<bool, DbError> {
    let sql = "update inbox_messages set state = state
        where account_id = $1 and event_id = $2 and state in ('RECEIVED', 'UNMATCHED')";
    Ok(tx.execute(sql, params![account_id, event_id]).await? > 0)
}

pub(crate) async fn settle_message(
    tx: &mut Tx,
    account_id: &str,
    event_id: &str,
    state: &str,
    note: Option<&str>,
    now: i64,
) -> Result<(), DbError> {
    let sql =
        "update inbox_messages set state = $3, note = $4, settled_at = $5 where account_id = $1 and event_id = $2";
    tx.execute(sql, params![account_id, event_id, state, note, now]).await.map(drop)
}

/// Messages that matched nothing, oldest first.
pub(crate) async fn unmatched(tx: &mut Tx, account_id: &str, limit: i64) -> Result<Vec<MessageRow>, DbError> {
    let sql = "select event_id, event_type, received_at, body, state, note from inbox_messages
        where account_id = $1 and state = 'UNMATCHED' order by received_at limit $2";
    tx.fetch_all(sql, params![account_id, limit]).await
}

pub(crate) async fn insert_verification(tx: &mut Tx, account_id: &str, row: &Verification) -> Result<(), DbError> {
    let sql = "insert into webhook_verifications (account_id, verification_id, received_at, signing_key_id, signature, outcome,
            event_id, event_type, webhook_id, subject_account_id, duplicate, remote_address, duration_us, error)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let values = params![
        account_id,
        &row.verification_id,
        row.received_at,
        &row.signing_key_id,
        &row.signature,
        &row.outcome,
        &row.event_id,
        &row.event_type,
        &row.webhook_id,
        &row.subject_account_id,
        row.duplicate,
        &row.remote_address,
        row.duration_us,
        &row.error
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn verifications(
    tx: &mut Tx,
    account_id: &str,
    event_id: Option<&str>,
    outcome: Option<&str>,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<Verification>, DbError> {
    let sql =
        "select verification_id, received_at, signing_key_id, signature, outcome, event_id, event_type, webhook_id,
            subject_account_id, duplicate, remote_address, duration_us, error
        from webhook_verifications
        where account_id = $1 and (cast($2 as text) is null or event_id = $2)
            and (cast($3 as text) is null or outcome = $3) and (cast($4 as text) is null or verification_id < $4)
        order by verification_id desc limit $5";
    tx.fetch_all(sql, params![account_id, event_id, outcome, before, limit]).await
}

/// Removes verifications received before `until`, at most `limit`; returns how many.
pub(crate) async fn sweep_verifications(tx: &mut Tx, account_id: &str, until: i64, limit: i64) -> Result<u64, DbError> {
    let sql = "delete from webhook_verifications where account_id = $1 and verification_id in
        (select verification_id from webhook_verifications where account_id = $1 and received_at < $2
            order by received_at limit $3)";
    tx.execute(sql, params![account_id, until, limit]).await
}
