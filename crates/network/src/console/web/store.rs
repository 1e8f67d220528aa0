//! The table of sessions, and what the console shows of webhooks.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! { struct AccountRow { account_id: String } }
row! {
    /// A webhook of an account under the Acquiring Partner, or of its own.
    pub(crate) struct WebhookLine {
        pub account_id: String,
        pub webhook_id: String,
        pub url: String,
        pub event_types: String,
        pub event_version: String,
        pub status: String,
    }
}
row! {
    /// A delivery to such a webhook.
    pub(crate) struct DeliveryLine {
        pub owner: String,
        pub delivery_id: String,
        pub target: String,
        pub event_type: String,
        pub state: String,
        pub attempts: i64,
        pub next_at: Option<i64>,
        pub created_at: i64,
    }
}

pub(super) async fn insert_session(
    tx: &mut Tx,
    (account, hash, credential): (&str, &str, &str),
    now: i64,
    expires_at: i64,
) -> Result<(), DbError> {
    tx.execute("delete from console_sessions where expires_at <= $1", params![now]).await?;
    let sql = "insert into console_sessions (account_id, session_hash, credential_id, created_at, expires_at)
        values ($1, $2, $3, $4, $5)";
    tx.execute(sql, params![account, hash, credential, now, expires_at]).await.map(drop)
}

/// The account that is signed in, as long as its key is not disabled.
pub(super) async fn session(tx: &mut Tx, hash: &str, now: i64) -> Result<Option<String>, DbError> {
    let sql = "select s.account_id from console_sessions s
            join api_keys k on k.account_id = s.account_id and k.credential_id = s.credential_id
        where s.session_hash = $1 and s.expires_at > $2 and k.state = 'ACTIVE'";
    Ok(tx.fetch_optional::<AccountRow>(sql, params![hash, now]).await?.map(|row| row.account_id))
}

pub(super) async fn delete_session(tx: &mut Tx, hash: &str) -> Result<(), DbError> {
    tx.execute("delete from console_sessions where session_hash = $1", params![hash]).await.map(drop)
}

pub(super) async fn webhooks(tx: &mut Tx, above: &str) -> Result<Vec<WebhookLine>, DbError> {
    let sql = "select w.account_id, w.webhook_id, w.url, w.event_types, w.event_version, w.status
        from webhooks w join accounts a on a.account_id = w.account_id
        where a.account_id = $1 or a.acquiring_partner_id = $1 order by w.created_at desc, w.webhook_id limit 200";
    tx.fetch_all(sql, params![above]).await
}

/// Newest first.
pub(super) async fn deliveries(
    tx: &mut Tx,
    above: &str,
    (webhook, state): (Option<&str>, Option<&str>),
    (before, before_id): (i64, &str),
    limit: i64,
) -> Result<Vec<DeliveryLine>, DbError> {
    let sql = "select d.owner, d.delivery_id, d.target, d.event_type, d.state, d.attempts, d.next_at, d.created_at
        from deliveries d join accounts a on a.account_id = d.owner
        where (a.account_id = $1 or a.acquiring_partner_id = $1)
            and (cast($2 as text) is null or d.target = $2) and (cast($3 as text) is null or d.state = $3)
            and (d.created_at, d.delivery_id) < ($4, $5)
        order by d.created_at desc, d.delivery_id desc limit $6";
    tx.fetch_all(sql, params![above, webhook, state, before, before_id, limit]).await
}

/// Whether the account is the Acquiring Partner or under it.
pub(super) async fn is_under(tx: &mut Tx, above: &str, account: &str) -> Result<bool, DbError> {
    let sql =
        "select account_id from accounts where account_id = $2 and (account_id = $1 or acquiring_partner_id = $1)";
    Ok(tx.fetch_optional::<AccountRow>(sql, params![above, account]).await?.is_some())
}

row! {
    /// An event that the Acquiring Partner was told.
    pub(crate) struct EventLine {
        pub event_id: String,
        pub event_type: String,
        pub subject_account_id: String,
        pub created_at: i64,
        pub occurred_at: i64,
        pub simulated: bool,
        pub payload: String,
    }
}

/// Newest first. `kind` is a pattern for the type.
pub(super) async fn events(
    tx: &mut Tx,
    recipient: &str,
    kind: &str,
    (before, before_id): (i64, &str),
    limit: i64,
) -> Result<Vec<EventLine>, DbError> {
    let sql = "select event_id, event_type, subject_account_id, created_at, occurred_at, simulated, payload from events
        where recipient_account_id = $1 and event_type like $2 and (created_at, event_id) < ($3, $4)
        order by created_at desc, event_id desc limit $5";
    tx.fetch_all(sql, params![recipient, kind, before, before_id, limit]).await
}
