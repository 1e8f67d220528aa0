//! Work behind events: pushing them to endpoints, and giving them their positions.

use std::time::Duration;

use futures_util::future::BoxFuture;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::deliveries::{self, Deliverer, Delivery, Destination, Prepared, Schedule};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use kit::outbound::{OutboundClient, OutboundConfig};

use super::{endpoint, signature, store};
use crate::Ctx;

/// Gaps after each failed attempt, in microseconds. Ours: some 31 hours in all, so that a night and a morning pass.
pub const SCHEDULE_US: &[i64] =
    &[5 * SECOND_US, 30 * SECOND_US, 2 * MINUTE_US, 15 * MINUTE_US, HOUR_US, 6 * HOUR_US, 24 * HOUR_US];
/// Statuses that acknowledge: any success.
const SUCCESS: &[u16] = &[200, 201, 202, 203, 204, 205, 206];
/// Ours: what a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);

const NUMBERING: &str = "events_numbering";
/// Readers number for themselves; this only bounds what the first of them finds.
const NUMBERING_EVERY_US: i64 = 10 * SECOND_US;

/// Adds the handlers of this capability.
pub fn register_jobs(worker: Worker, ctx: &Ctx) -> Worker {
    let config = OutboundConfig {
        allow_private: ctx.config.local_targets,
        allow_http: ctx.config.local_targets,
        timeout: TIMEOUT,
        user_agent: concat!("kontor/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..OutboundConfig::default()
    };
    let client = OutboundClient::new(config).expect("the user agent and the built-in roots are valid");
    let schedule = Schedule { gaps_us: SCHEDULE_US, success: SUCCESS };
    let endpoints = Endpoints { ctx: ctx.clone() };
    let deliverer = Deliverer::new(ctx.db.clone(), ctx.clock.clone(), endpoints, client, schedule);
    let patient = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };
    worker.register(deliveries::KIND, 32, patient, deliverer).register(
        NUMBERING,
        1,
        patient,
        Numbering { ctx: ctx.clone() },
    )
}

/// Makes sure that the repeating jobs exist.
///
/// # Errors
/// [`DbError`].
pub async fn ensure_jobs(ctx: &Ctx) -> Result<(), DbError> {
    let now = ctx.clock.now();
    ctx.db
        .write(move |tx| {
            Box::pin(async move {
                let job = NewJob { kind: NUMBERING, key: "all", payload: "", due_at: now };
                jobs::enqueue(tx, &job, now).await.map(drop)
            })
        })
        .await
}

/// Where a Partner's deliveries go.
struct Endpoints {
    ctx: Ctx,
}

impl Destination for Endpoints {
    fn prepare<'a>(
        &'a self,
        tx: &'a mut Tx,
        delivery: &'a Delivery,
        now: i64,
    ) -> UnitFuture<'a, Result<Option<Prepared>, DbError>> {
        Box::pin(async move {
            let row = store::endpoint(tx, &delivery.owner, &delivery.target).await?;
            let Some(row) = row.filter(|row| row.enabled) else { return Ok(None) };
            let secrets = endpoint::signing(&self.ctx.secrets, &delivery.owner, &row, now)
                .map_err(|source| DbError::Decode { column: "secret".to_owned(), source: Box::new(source) })?;
            let timestamp = now.div_euclid(SECOND_US);
            let signed = signature::sign(&secrets, &delivery.event_id, timestamp, &delivery.body);
            let headers = vec![
                (signature::ID_HEADER.to_owned(), delivery.event_id.clone()),
                (signature::TIMESTAMP_HEADER.to_owned(), timestamp.to_string()),
                (signature::SIGNATURE_HEADER.to_owned(), signed),
            ];
            Ok(Some(Prepared { url: row.url, headers }))
        })
    }
}

/// Gives positions where nobody reads.
struct Numbering {
    ctx: Ctx,
}

impl Numbering {
    async fn number_all(&self) -> Result<(), DbError> {
        let partners = self.ctx.db.read(|tx| Box::pin(store::unnumbered_partners(tx))).await?;
        for partner in partners {
            super::number(&self.ctx.db, &partner).await?;
        }
        Ok(())
    }
}

impl Handler for Numbering {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.number_all().await {
                Ok(()) => Outcome::RetryAt(self.ctx.clock.now() + NUMBERING_EVERY_US, String::new()),
                Err(error) => Outcome::Retry(error.to_string()),
            }
        })
    }
}
