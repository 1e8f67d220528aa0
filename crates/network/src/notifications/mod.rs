//! Notifications: signing keys, webhooks, and telling every account what happened to it.

pub(crate) mod store;

use kit::db::Tx;
use kit::deliveries::{self, NewDelivery};
use kit::http::ApiError;
use protocol::{
    Envelope, EventPattern, EventType, EventVersion, Metadata, PartnerAccountId, PaymentProductId, Timestamp, WebhookId,
};
use serde_json::Value;

use crate::ctx::Ctx;

/// Something that happened to an account.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// What.
    pub event_type: EventType,
    /// The account that it is about.
    pub subject: &'a PartnerAccountId,
    /// The payment product, for events of payments; absent for events about a whole account.
    pub product_instance_id: Option<&'a str>,
    /// What the receivers read.
    pub payload: Value,
    /// When it happened, in microseconds UTC.
    pub occurred_at: i64,
    /// Of the call that caused it.
    pub correlation_id: Option<&'a str>,
}

/// Writes an event down for each account that it concerns (the subject and its Acquiring Partner), and a delivery for each of
/// their webhooks that asked for it, in the transaction that made it happen.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn emit(tx: &mut Tx, ctx: &Ctx, event: &NewEvent<'_>) -> Result<(), ApiError> {
    let subscriptions = store::subscriptions(tx, event.subject.as_str()).await?;
    let now = ctx.clock.now();
    let payload = event.payload.to_string();
    let mut recipients: Vec<&str> = vec![event.subject.as_str()];
    if let Some(above) = subscriptions.first().and_then(|row| row.acquiring_partner_id.as_deref()) {
        recipients.push(above);
    }
    let rows: Vec<store::NewEventRow<'_>> = recipients
        .into_iter()
        .map(|recipient| store::NewEventRow {
            recipient_account_id: recipient,
            ordinal: ctx.next_ordinal(),
            event_id: ctx.random.id(now).to_string(),
            simulated: false,
        })
        .collect();
    store::insert_events(tx, event, &payload, &rows, now).await?;
    for subscription in &subscriptions {
        let Some(webhook) = subscription.webhook() else { continue };
        let version = EventVersion::from(webhook.event_version);
        if !matches_any(webhook.event_types, &event.event_type) || !event.event_type.is_delivered_to(&version, None) {
            continue;
        }
        let Some(row) = rows.iter().find(|row| row.recipient_account_id == webhook.account_id) else { continue };
        let target = Target { account_id: webhook.account_id, webhook_id: webhook.webhook_id, version };
        create_delivery(tx, ctx, event, &target, &row.event_id, now).await?;
    }
    Ok(())
}

/// A webhook that an event goes to.
struct Target<'a> {
    account_id: &'a str,
    webhook_id: &'a str,
    version: EventVersion,
}

async fn create_delivery(
    tx: &mut Tx,
    ctx: &Ctx,
    event: &NewEvent<'_>,
    target: &Target<'_>,
    event_id: &str,
    now: i64,
) -> Result<(), ApiError> {
    let metadata = Metadata {
        event_type: Some(event.event_type.clone()),
        event_id: Some(event_id.to_owned()),
        event_version: Some(target.version.clone()),
        occurred_at: Some(Timestamp::from_micros(event.occurred_at).map_err(ApiError::internal)?),
        correlation_id: event.correlation_id.map(str::to_owned),
        subject_account_id: Some(event.subject.clone()),
        recipient_account_id: Some(PartnerAccountId::opaque(target.account_id).map_err(ApiError::internal)?),
        product_instance_id: event
            .product_instance_id
            .map(PaymentProductId::opaque)
            .transpose()
            .map_err(ApiError::internal)?,
        webhook_id: Some(WebhookId::opaque(target.webhook_id).map_err(ApiError::internal)?),
        // This end is a test environment, whatever runs against it.
        live: Some(false),
        ..Metadata::default()
    };
    let envelope = Envelope::new(metadata, event.payload.clone());
    let body = serde_json::to_vec(&envelope).map_err(ApiError::internal)?;
    let delivery_id = ctx.random.id(now).to_string();
    let new = NewDelivery {
        owner: target.account_id,
        delivery_id: &delivery_id,
        target: target.webhook_id,
        event_id,
        event_type: event.event_type.as_str(),
        body: &body,
    };
    deliveries::create(tx, &new, now).await?;
    ctx.work_was_made();
    Ok(())
}

/// `event_types` as stored: a JSON array of patterns.
fn matches_any(event_types: &str, event: &EventType) -> bool {
    let patterns: Vec<EventPattern> = serde_json::from_str(event_types).unwrap_or_default();
    patterns.iter().any(|pattern| pattern.matches(event))
}
