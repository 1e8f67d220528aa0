//! Rows of events, webhooks and signing keys.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::{EventCursor, NewEvent};

row! {
    /// The subject's Acquiring Partner beside one webhook, its own or the Acquiring Partner's, or beside none.
    pub(crate) struct SubscriptionRow {
        pub acquiring_partner_id: Option<String>,
        pub account_id: Option<String>,
        pub webhook_id: Option<String>,
        pub event_types: Option<String>,
        pub event_version: Option<String>,
    }
}

/// The webhook part of a [`SubscriptionRow`].
pub(crate) struct Subscription<'a> {
    pub account_id: &'a str,
    pub webhook_id: &'a str,
    pub event_types: &'a str,
    pub event_version: &'a str,
}

impl SubscriptionRow {
    pub(crate) fn webhook(&self) -> Option<Subscription<'_>> {
        Some(Subscription {
            account_id: self.account_id.as_deref()?,
            webhook_id: self.webhook_id.as_deref()?,
            event_types: self.event_types.as_deref()?,
            event_version: self.event_version.as_deref()?,
        })
    }
}

pub(crate) async fn subscriptions(tx: &mut Tx, subject: &str) -> Result<Vec<SubscriptionRow>, DbError> {
    let sql = "select a.acquiring_partner_id, w.account_id, w.webhook_id, w.event_types, w.event_version
        from accounts a left join webhooks w
            on w.account_id in (a.account_id, a.acquiring_partner_id) and w.status = 'ENABLED'
        where a.account_id = $1";
    tx.fetch_all(sql, params![subject]).await
}

/// What differs between the recipients of an event.
pub(crate) struct NewEventRow<'a> {
    pub recipient_account_id: &'a str,
    pub ordinal: i64,
    pub event_id: String,
}

pub(crate) async fn insert_events(
    tx: &mut Tx,
    event: &NewEvent<'_>,
    rows: &[NewEventRow<'_>],
    simulated: bool,
    now: i64,
) -> Result<(), DbError> {
    let one = "insert into events (recipient_account_id, created_at, ordinal, event_id, event_type, subject_account_id,
            product_instance_id, occurred_at, correlation_id, simulated, payload)
        values ($1, $5, $2, $3, $6, $7, $8, $9, $10, $4, $11)";
    let two = "insert into events (recipient_account_id, created_at, ordinal, event_id, event_type, subject_account_id,
            product_instance_id, occurred_at, correlation_id, simulated, payload)
        values ($1, $5, $2, $3, $6, $7, $8, $9, $10, $4, $11), ($12, $5, $13, $14, $6, $7, $8, $9, $10, $4, $11)";
    let payload = event.payload.to_string();
    let (kind, subject) = (event.event_type.as_str(), event.subject.as_str());
    let (product, occurred, correlation) = (event.product_instance_id, event.occurred_at, event.correlation_id);
    match rows {
        [a, b] => {
            let values = params![
                a.recipient_account_id,
                a.ordinal,
                &a.event_id,
                simulated,
                now,
                kind,
                subject,
                product,
                occurred,
                correlation,
                &payload,
                b.recipient_account_id,
                b.ordinal,
                &b.event_id
            ];
            tx.execute(two, values).await.map(drop)
        }
        rows => {
            for a in rows {
                let values = params![
                    a.recipient_account_id,
                    a.ordinal,
                    &a.event_id,
                    simulated,
                    now,
                    kind,
                    subject,
                    product,
                    occurred,
                    correlation,
                    &payload
                ];
                tx.execute(one, values).await?;
            }
            Ok(())
        }
    }
}

row! {
    /// An event as one of its recipients sees it.
    pub struct EventRow {
        pub recipient_account_id: String,
        /// When it was written down, in microseconds UTC.
        pub created_at: i64,
        /// Its place among those of the same instant.
        pub ordinal: i64,
        pub event_id: String,
        pub event_type: String,
        pub subject_account_id: String,
        pub product_instance_id: Option<String>,
        /// When it happened, in microseconds UTC.
        pub occurred_at: i64,
        pub correlation_id: Option<String>,
        /// Whether it was only simulated.
        pub simulated: bool,
        /// JSON.
        pub payload: String,
    }
}

impl EventRow {
    /// Where the next page begins.
    pub fn cursor(&self) -> EventCursor {
        EventCursor { created_at: self.created_at, ordinal: self.ordinal, event_id: self.event_id.clone() }
    }
}

pub(crate) async fn events(
    tx: &mut Tx,
    recipient: &str,
    after: Option<&EventCursor>,
    limit: i64,
) -> Result<Vec<EventRow>, DbError> {
    let (created_at, ordinal, event_id) =
        after.map_or((i64::MIN, 0, ""), |cursor| (cursor.created_at, cursor.ordinal, cursor.event_id.as_str()));
    let sql = "select recipient_account_id, created_at, ordinal, event_id, event_type, subject_account_id,
            product_instance_id, occurred_at, correlation_id, simulated, payload
        from events where recipient_account_id = $1 and (created_at, ordinal, event_id) > ($2, $3, $4)
        order by created_at, ordinal, event_id limit $5";
    tx.fetch_all(sql, params![recipient, created_at, ordinal, event_id, limit]).await
}

row! {
    /// A signing key, its secret sealed.
    pub(crate) struct SigningKeyRow { pub signing_key_id: String, pub created_at: i64 }
}
row! { struct CountRow { found: i64 } }

/// Changes to an account's keys and webhooks wait for each other: limits and duplicates are decided on what is stored.
pub(crate) async fn lock(tx: &mut Tx, account: &str) -> Result<(), DbError> {
    let sql = "update accounts set updated_at = updated_at where account_id = $1";
    tx.execute(sql, params![account]).await.map(drop)
}

pub(crate) async fn insert_signing_key(
    tx: &mut Tx,
    account: &str,
    signing_key_id: &str,
    sealed: &[u8],
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into signing_keys (account_id, signing_key_id, secret, created_at) values ($1, $2, $3, $4)";
    tx.execute(sql, params![account, signing_key_id, sealed, now]).await.map(drop)
}

pub(crate) async fn count_signing_keys(tx: &mut Tx, account: &str) -> Result<i64, DbError> {
    let sql = "select count(*) as found from signing_keys where account_id = $1";
    Ok(tx.fetch_one::<CountRow>(sql, params![account]).await?.found)
}

pub(crate) async fn signing_keys(tx: &mut Tx, account: &str) -> Result<Vec<SigningKeyRow>, DbError> {
    let sql = "select signing_key_id, created_at from signing_keys where account_id = $1
        order by created_at, signing_key_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn signing_key(tx: &mut Tx, account: &str, id: &str) -> Result<Option<SigningKeyRow>, DbError> {
    let sql = "select signing_key_id, created_at from signing_keys where account_id = $1 and signing_key_id = $2";
    tx.fetch_optional(sql, params![account, id]).await
}

pub(crate) async fn delete_signing_key(tx: &mut Tx, account: &str, id: &str) -> Result<bool, DbError> {
    let sql = "delete from signing_keys where account_id = $1 and signing_key_id = $2";
    Ok(tx.execute(sql, params![account, id]).await? > 0)
}

pub(crate) async fn webhooks_signed_by(tx: &mut Tx, account: &str, id: &str) -> Result<i64, DbError> {
    let sql = "select count(*) as found from webhooks where account_id = $1 and signing_key_id = $2";
    Ok(tx.fetch_one::<CountRow>(sql, params![account, id]).await?.found)
}

row! {
    /// A webhook.
    pub(crate) struct WebhookRow {
        pub webhook_id: String,
        pub url: String,
        /// A JSON array.
        pub event_types: String,
        pub event_version: String,
        pub signing_key_id: String,
        pub status: String,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

pub(crate) async fn webhooks(tx: &mut Tx, account: &str) -> Result<Vec<WebhookRow>, DbError> {
    let sql = "select webhook_id, url, event_types, event_version, signing_key_id, status, created_at, updated_at
        from webhooks where account_id = $1 order by created_at, webhook_id";
    tx.fetch_all(sql, params![account]).await
}

pub(crate) async fn webhook(tx: &mut Tx, account: &str, id: &str) -> Result<Option<WebhookRow>, DbError> {
    let sql = "select webhook_id, url, event_types, event_version, signing_key_id, status, created_at, updated_at
        from webhooks where account_id = $1 and webhook_id = $2";
    tx.fetch_optional(sql, params![account, id]).await
}

/// Writes a webhook, new or changed; `created_at` stays.
pub(crate) async fn put_webhook(tx: &mut Tx, account: &str, row: &WebhookRow) -> Result<(), DbError> {
    let sql = "insert into webhooks (account_id, webhook_id, url, event_types, event_version, signing_key_id, status,
            created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (account_id, webhook_id) do update set url = excluded.url, event_types = excluded.event_types,
            event_version = excluded.event_version, signing_key_id = excluded.signing_key_id, status = excluded.status,
            updated_at = excluded.updated_at";
    let values = params![
        account,
        &row.webhook_id,
        &row.url,
        &row.event_types,
        &row.event_version,
        &row.signing_key_id,
        &row.status,
        row.created_at,
        row.updated_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn delete_webhook(tx: &mut Tx, account: &str, id: &str) -> Result<bool, DbError> {
    let sql = "delete from webhooks where account_id = $1 and webhook_id = $2";
    Ok(tx.execute(sql, params![account, id]).await? > 0)
}

row! {
    /// Where a webhook points now, and what signs for it.
    pub(crate) struct DestinationRow {
        pub url: String,
        pub status: String,
        pub signing_key_id: String,
        pub secret: Vec<u8>,
    }
}

pub(crate) async fn destination(
    tx: &mut Tx,
    account: &str,
    webhook_id: &str,
) -> Result<Option<DestinationRow>, DbError> {
    let sql = "select w.url, w.status, w.signing_key_id, k.secret
        from webhooks w join signing_keys k on k.account_id = w.account_id and k.signing_key_id = w.signing_key_id
        where w.account_id = $1 and w.webhook_id = $2";
    tx.fetch_optional(sql, params![account, webhook_id]).await
}
