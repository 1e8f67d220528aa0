//! Deliveries on Klarna's schedule, signed with the key that the webhook has at that moment.

use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::deliveries::{self, Deliverer, Delivery, Destination, Prepared, Schedule};
use kit::jobs::{Backoff, Worker};
use kit::outbound::OutboundClient;
use protocol::header::{KLARNA_SIGNATURE, KLARNA_SIGNING_KEY_ID};
use protocol::{SigningSecret, WebhookStatus};

use super::store;
use crate::console::faults::Unreliable;
use crate::ctx::Ctx;
use crate::sealed::SIGNING_KEY;

/// Gaps since the attempt before (fact sheet 01 §10.3), and the statuses that acknowledge.
const SCHEDULE: Schedule = Schedule {
    gaps_us: &[10 * SECOND_US, 2 * MINUTE_US, 15 * MINUTE_US, 3 * HOUR_US, 6 * HOUR_US, 12 * HOUR_US],
    success: &[200, 201, 202, 204],
};
/// Deliveries that one process makes at once.
const CONCURRENCY: usize = 32;
/// For failures of ours, not of receivers: those follow the schedule.
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

/// Adds the handler that makes deliveries to a worker.
pub fn register(worker: Worker, ctx: &Ctx, client: OutboundClient) -> Worker {
    let webhooks = Webhooks { ctx: ctx.clone() };
    let deliverer =
        Deliverer::new(ctx.db.clone(), ctx.clock.clone(), webhooks, Unreliable::new(ctx.clone(), client), SCHEDULE);
    worker.register(deliveries::KIND, CONCURRENCY, BACKOFF, deliverer)
}

struct Webhooks {
    ctx: Ctx,
}

impl Destination for Webhooks {
    fn prepare<'a>(
        &'a self,
        tx: &'a mut Tx,
        delivery: &'a Delivery,
        _now: i64,
    ) -> UnitFuture<'a, Result<Option<Prepared>, DbError>> {
        Box::pin(async move {
            let found = store::destination(tx, &delivery.owner, &delivery.target).await?;
            let enabled = WebhookStatus::Enabled;
            let Some(row) = found.filter(|row| row.status == enabled.as_str()) else { return Ok(None) };
            let undecodable = |source: Box<dyn std::error::Error + Send + Sync>| DbError::Decode {
                column: "signing_keys.secret".to_owned(),
                source,
            };
            let opened = self.ctx.secrets.open(SIGNING_KEY.place(&[&row.signing_key_id]), &row.secret);
            let opened = opened.map_err(|error| undecodable(Box::new(error)))?;
            let text = std::str::from_utf8(&opened).map_err(|error| undecodable(Box::new(error)))?;
            let signature = protocol::sign(&SigningSecret::new(text), &delivery.body);
            let headers =
                vec![(KLARNA_SIGNATURE.to_owned(), signature), (KLARNA_SIGNING_KEY_ID.to_owned(), row.signing_key_id)];
            Ok(Some(Prepared { url: row.url, headers }))
        })
    }
}
