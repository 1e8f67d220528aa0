//! Notifications: signing keys, webhooks, and telling every account what happened to it.
//!
//! [`emit`] is what the other rooms call. An event becomes one row for each account that it concerns, and one delivery for each
//! webhook that asked for it; `delivery` makes them on Klarna's schedule. `webhook` says what a webhook may be.

mod api;
mod delivery;
mod sample;
mod store;
mod webhook;

use kit::db::{DbError, Tx};
use kit::deliveries::{self, NewDelivery};
use kit::http::ApiError;
use kit::random::Random;
use protocol::{
    DisputeFramework, Envelope, EventPattern, EventType, EventVersion, Metadata, PartnerAccountId, PaymentProductId,
    Timestamp, WebhookId,
};
use serde_json::Value;

use crate::ctx::Ctx;

pub use api::routes;
pub use delivery::register;
pub use store::EventRow;
pub use webhook::WebhookDraft;

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
    deliver(tx, ctx, event, None).await
}

/// [`emit`] for an event of a dispute: the framework that it follows decides which versions are told (RULINGS 1.7), because an event
/// that both frameworks have does not say which one it is of.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn emit_of_dispute(
    tx: &mut Tx,
    ctx: &Ctx,
    event: &NewEvent<'_>,
    framework: &DisputeFramework,
) -> Result<(), ApiError> {
    deliver(tx, ctx, event, Some(framework)).await
}

async fn deliver(
    tx: &mut Tx,
    ctx: &Ctx,
    event: &NewEvent<'_>,
    framework: Option<&DisputeFramework>,
) -> Result<(), ApiError> {
    let subscriptions = store::subscriptions(tx, event.subject.as_str()).await?;
    let now = ctx.clock.now();
    let mut recipients: Vec<&str> = vec![event.subject.as_str()];
    if let Some(above) = subscriptions.first().and_then(|row| row.acquiring_partner_id.as_deref()) {
        recipients.push(above);
    }
    let rows: Vec<_> = recipients.into_iter().map(|recipient| recipient_row(ctx, recipient, now)).collect();
    store::insert_events(tx, event, &rows, false, now).await?;
    for subscription in &subscriptions {
        let Some(webhook) = subscription.webhook() else { continue };
        let version = EventVersion::from(webhook.event_version);
        if !matches_any(webhook.event_types, &event.event_type)
            || !event.event_type.is_delivered_to(&version, framework)
        {
            continue;
        }
        let Some(row) = rows.iter().find(|row| row.recipient_account_id == webhook.account_id) else { continue };
        let target = Target { account_id: webhook.account_id, webhook_id: webhook.webhook_id, version };
        create_delivery(tx, ctx, event, &target, &row.event_id, now).await?;
    }
    Ok(())
}

fn recipient_row<'a>(ctx: &Ctx, recipient: &'a str, now: i64) -> store::NewEventRow<'a> {
    let event_id = ctx.random.id(now).to_string();
    store::NewEventRow { recipient_account_id: recipient, ordinal: ctx.next_ordinal(), event_id }
}

/// Sends a sample event to one webhook, as if it had happened to the webhook's own account; subscribed to or not (RULINGS 1.7).
async fn simulate(
    tx: &mut Tx,
    ctx: &Ctx,
    target: &Target<'_>,
    event_type: EventType,
    correlation_id: &str,
) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let account = PartnerAccountId::opaque(target.account_id).map_err(ApiError::internal)?;
    let payload = sample::payload(&event_type, &account, &ctx.random, now);
    let product = is_of_a_product(&event_type).then(|| PaymentProductId::new(ctx.random.id(now)).to_string());
    let event = NewEvent {
        event_type,
        subject: &account,
        product_instance_id: product.as_deref(),
        payload,
        occurred_at: now,
        correlation_id: Some(correlation_id),
    };
    let row = recipient_row(ctx, target.account_id, now);
    store::insert_events(tx, &event, std::slice::from_ref(&row), true, now).await?;
    create_delivery(tx, ctx, &event, target, &row.event_id, now).await
}

/// What a receiver is sent when an event is simulated for `account` at `now`, for the reference: whole, with the ids of nobody.
pub(crate) fn example(event_type: &EventType, account: &PartnerAccountId, random: &Random, now: i64) -> Value {
    let version = EventVersion::KNOWN.iter().rev().find(|version| event_type.is_delivered_to(version, None));
    // v2 is what most integrations speak.
    let version = if event_type.is_delivered_to(&EventVersion::V2, None) { Some(&EventVersion::V2) } else { version };
    let metadata = Metadata {
        event_type: Some(event_type.clone()),
        event_id: Some(random.id(now).to_string()),
        event_version: version.cloned(),
        occurred_at: Timestamp::from_micros(now).ok(),
        correlation_id: Some(random.id(now).to_string()),
        subject_account_id: Some(account.clone()),
        recipient_account_id: Some(account.clone()),
        product_instance_id: is_of_a_product(event_type).then(|| PaymentProductId::new(random.id(now))),
        webhook_id: Some(WebhookId::new(random.id(now))),
        live: Some(false),
        ..Metadata::default()
    };
    let envelope = Envelope::new(metadata, sample::payload(event_type, account, random, now));
    serde_json::to_value(&envelope).unwrap_or_default()
}

/// Whether an event is about a product; else it is about a whole account.
fn is_of_a_product(event_type: &EventType) -> bool {
    let name = event_type.as_str();
    let areas = ["payment.", "identity.", "partner.account.product.", "partner.compliance."];
    areas.iter().any(|area| name.starts_with(area))
}

/// Events of a recipient account, oldest first, from behind a cursor; at most `limit`.
///
/// # Errors
/// [`DbError`].
pub async fn events(
    tx: &mut Tx,
    recipient: &PartnerAccountId,
    after: Option<&EventCursor>,
    limit: i64,
) -> Result<Vec<EventRow>, DbError> {
    store::events(tx, recipient.as_str(), after, limit).await
}

/// Where an event stands among those of its recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCursor {
    pub(crate) created_at: i64,
    pub(crate) ordinal: i64,
    pub(crate) event_id: String,
}

impl std::fmt::Display for EventCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.created_at, self.ordinal, self.event_id)
    }
}

/// The text is no cursor that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a cursor of an earlier page")]
pub struct EventCursorError;

impl std::str::FromStr for EventCursor {
    type Err = EventCursorError;

    fn from_str(text: &str) -> Result<Self, EventCursorError> {
        let mut parts = text.splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or(EventCursorError);
        let (created_at, ordinal) = (number()?, number()?);
        let event_id = parts.next().ok_or(EventCursorError)?.to_owned();
        Ok(Self { created_at, ordinal, event_id })
    }
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
