//! What Partners are told: each event once in a list without gaps (`GET /v1/events`), and pushed to their endpoints.
//!
//! **Order.** [`emit`] writes an event without a position, so that payments of one Partner never wait for each other. Positions
//! (1, 2, 3, … per Partner) are given afterwards, by whoever reads and by a job, in one transaction at a time per Partner: the
//! counter row is locked, then every committed event without a position gets the next one. A reader therefore sees 1 to n and
//! nothing else; what commits later stands behind n, never in a gap that the reader has passed.
//!
//! **Push.** A delivery per enabled endpoint is written in the same transaction; [`kit::deliveries`] sends it, signed by the
//! Standard Webhooks scheme ([`signature`]), until it is acknowledged or the schedule is over. Every attempt is kept.

pub mod api;
pub mod catalogue;
mod endpoint;
mod jobs;
pub(crate) mod once;
pub(crate) mod page;
pub mod signature;
mod store;

use std::sync::atomic::{AtomicI64, Ordering};

use kit::db::{Db, DbError, Tx};
use kit::deliveries::{self, NewDelivery};
use kit::http::ApiError;
use protocol::Timestamp;
use serde_json::{Value, json};

use crate::Ctx;

pub use api::routes;
pub use jobs::{SCHEDULE_US, ensure_jobs, register_jobs};

/// Events that get their position in one transaction.
const NUMBERED_AT_ONCE: i64 = 2_000;
/// Transactions of numbering that one reader makes before it shows what there is.
const NUMBERINGS_PER_READ: usize = 50;

/// Keeps apart what one process emits in the same microsecond.
static ORDINAL: AtomicI64 = AtomicI64::new(0);

/// Something that happened to a Partner's payment.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// Whose it is.
    pub partner_id: &'a str,
    /// A name of the [`catalogue`].
    pub event_type: &'a str,
    /// The payment it is about.
    pub payment_id: Option<&'a str>,
    /// What the Partner reads under `data`.
    pub data: Value,
    /// When it happened, in microseconds UTC.
    pub occurred_at: i64,
}

/// Writes the event and a delivery per enabled endpoint that wants it, in the transaction of the change. Poke the workers once
/// that transaction is committed.
///
/// # Errors
/// As the database says.
pub async fn emit(tx: &mut Tx, ctx: &Ctx, event: &NewEvent<'_>) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let event_id = format!("evt_{}", ctx.random.id(now).simple());
    let data = event.data.to_string();
    let row = store::InsertEvent {
        partner_id: event.partner_id,
        event_id: &event_id,
        event_type: event.event_type,
        payment_id: event.payment_id,
        data: &data,
        created_at: event.occurred_at,
        ordinal: ORDINAL.fetch_add(1, Ordering::Relaxed),
    };
    store::insert(tx, &row).await?;
    let subscribers = store::subscribers(tx, event.partner_id).await?;
    let wanting = subscribers.iter().filter(|row| {
        let patterns = endpoint::patterns(&row.event_types);
        patterns.iter().any(|pattern| catalogue::matches(pattern, event.event_type))
    });
    let mut body = None;
    for subscriber in wanting {
        let body = body.get_or_insert_with(|| payload(&event_id, event.event_type, event.occurred_at, &event.data));
        let delivery_id = format!("del_{}", ctx.random.id(now).simple());
        let delivery = NewDelivery {
            owner: event.partner_id,
            delivery_id: &delivery_id,
            target: &subscriber.endpoint_id,
            event_id: &event_id,
            event_type: event.event_type,
            body,
        };
        deliveries::create(tx, &delivery, now).await?;
    }
    Ok(())
}

/// The bytes that are signed and pushed.
fn payload(event_id: &str, event_type: &str, created_at: i64, data: &Value) -> Vec<u8> {
    json!({"id": event_id, "type": event_type, "created_at": wire_time(created_at), "data": data})
        .to_string()
        .into_bytes()
}

/// Gives positions to the Partner's events that have none yet.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn number(db: &Db, partner_id: &str) -> Result<(), DbError> {
    for _ in 0..NUMBERINGS_PER_READ {
        let partner = partner_id.to_owned();
        let waiting = db.read(move |tx| Box::pin(async move { store::any_unnumbered(tx, &partner).await })).await?;
        if !waiting {
            return Ok(());
        }
        let partner = partner_id.to_owned();
        db.write_repeating(|| {
            let partner = partner.clone();
            move |tx: &mut Tx| -> kit::db::UnitFuture<'_, Result<u64, DbError>> {
                Box::pin(async move { store::number(tx, &partner, NUMBERED_AT_ONCE).await })
            }
        })
        .await?;
    }
    Ok(())
}

/// A stored time as it stands on the wire.
pub(crate) fn wire_time(micros: i64) -> String {
    Timestamp::from_micros(micros).map(|time| time.to_string()).unwrap_or_default()
}
