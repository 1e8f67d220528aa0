//! Klarna's webhooks: verified, deduplicated, kept, applied.
//!
//! `api` takes a delivery: signature over the raw bytes, age, shape; then the message (sealed: it holds session tokens), the job
//! that applies it and the line of the verification log are one transaction, and only after that Klarna hears 200. `jobs` applies
//! it to the payment it is about. Neither order nor number of deliveries matters: a second one changes nothing, and the decision
//! functions look at the payment's state. A webhook that overtakes the answer to the call that caused it finds no payment yet, is
//! tried again for a quarter of an hour, and is then kept as unmatched.
//!
//! [`subscription`] keeps what is needed for that at the network: a signing key and a webhook.

mod api;
mod jobs;
pub mod message;
mod store;
pub mod subscription;

use kit::db::{Db, DbError};
use kit::jobs::NewJob;
use protocol::PartnerAccountId;

use crate::Ctx;

pub use api::{BODY_BYTES_MAX, PATH, routes};
pub use jobs::{KIND, UNMATCHED_AFTER_US, ensure_jobs, register_jobs};
pub use store::Verification;
pub use subscription::{SubscriptionError, ensure_subscription, rotate_signing_key};

/// Which verifications to list; newest first.
#[derive(Clone, Debug, Default)]
pub struct VerificationFilter {
    /// Only those that claim to tell of this event.
    pub event_id: Option<String>,
    /// Only those with this outcome.
    pub outcome: Option<String>,
    /// Only those whose id is below this one: the cursor.
    pub before: Option<String>,
}

/// The log of webhook verifications (RES-5).
///
/// # Errors
/// [`DbError`].
pub async fn verifications(
    db: &Db,
    account: &PartnerAccountId,
    filter: VerificationFilter,
    limit: i64,
) -> Result<Vec<Verification>, DbError> {
    let account = account.to_string();
    db.read(move |tx| {
        Box::pin(async move {
            let (event_id, outcome, before) =
                (filter.event_id.as_deref(), filter.outcome.as_deref(), filter.before.as_deref());
            store::verifications(tx, &account, event_id, outcome, before, limit).await
        })
    })
    .await
}

/// A message as an operator sees it: without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSummary {
    /// Klarna's id of the event.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// `RECEIVED`, `PROCESSED`, `IGNORED` or `UNMATCHED`.
    pub state: String,
    /// What applying it came to.
    pub note: Option<String>,
    /// When it came, in microseconds UTC.
    pub received_at: i64,
}

impl From<store::MessageRow> for MessageSummary {
    fn from(row: store::MessageRow) -> Self {
        Self {
            event_id: row.event_id,
            event_type: row.event_type,
            state: row.state,
            note: row.note,
            received_at: row.received_at,
        }
    }
}

/// One message.
///
/// # Errors
/// [`DbError`].
pub async fn message(db: &Db, account: &PartnerAccountId, event_id: &str) -> Result<Option<MessageSummary>, DbError> {
    let (account, event_id) = (account.to_string(), event_id.to_owned());
    let found = db.read(move |tx| Box::pin(async move { store::message(tx, &account, &event_id).await })).await?;
    Ok(found.map(MessageSummary::from))
}

/// Messages that matched no payment, oldest first.
///
/// # Errors
/// [`DbError`].
pub async fn unmatched(db: &Db, account: &PartnerAccountId, limit: i64) -> Result<Vec<MessageSummary>, DbError> {
    let account = account.to_string();
    let found = db.read(move |tx| Box::pin(async move { store::unmatched(tx, &account, limit).await })).await?;
    Ok(found.into_iter().map(MessageSummary::from).collect())
}

/// Applies messages again that matched no payment; returns how many are queued.
///
/// # Errors
/// [`DbError`].
pub async fn retry_unmatched(ctx: &Ctx, limit: i64) -> Result<usize, DbError> {
    let found = unmatched(&ctx.db, &ctx.config.klarna_account_id, limit).await?;
    let (queued, now) = (found.len(), ctx.clock.now());
    ctx.db
        .write(move |tx| {
            Box::pin(async move {
                for message in found {
                    let job = NewJob { kind: KIND, key: &message.event_id, payload: "", due_at: now };
                    kit::jobs::enqueue(tx, &job, now).await?;
                }
                Ok::<_, DbError>(())
            })
        })
        .await?;
    ctx.poke.poke();
    Ok(queued)
}
