//! Rows of events, webhooks and signing keys.

use kit::db::{DbError, Tx};
use kit::{params, row};

use super::NewEvent;

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
    pub simulated: bool,
}

pub(crate) async fn insert_events(
    tx: &mut Tx,
    event: &NewEvent<'_>,
    payload: &str,
    rows: &[NewEventRow<'_>],
    now: i64,
) -> Result<(), DbError> {
    let one = "insert into events (recipient_account_id, created_at, ordinal, event_id, event_type, subject_account_id,
            product_instance_id, occurred_at, correlation_id, simulated, payload)
        values ($1, $5, $2, $3, $6, $7, $8, $9, $10, $4, $11)";
    let two = "insert into events (recipient_account_id, created_at, ordinal, event_id, event_type, subject_account_id,
            product_instance_id, occurred_at, correlation_id, simulated, payload)
        values ($1, $5, $2, $3, $6, $7, $8, $9, $10, $4, $11), ($12, $5, $13, $14, $6, $7, $8, $9, $10, $4, $11)";
    let (kind, subject) = (event.event_type.as_str(), event.subject.as_str());
    let (product, occurred, correlation) = (event.product_instance_id, event.occurred_at, event.correlation_id);
    match rows {
        [a, b] => {
            let values = params![
                a.recipient_account_id,
                a.ordinal,
                &a.event_id,
                a.simulated,
                now,
                kind,
                subject,
                product,
                occurred,
                correlation,
                payload,
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
                    a.simulated,
                    now,
                    kind,
                    subject,
                    product,
                    occurred,
                    correlation,
                    payload
                ];
                tx.execute(one, values).await?;
            }
            Ok(())
        }
    }
}
