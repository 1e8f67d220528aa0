//! Webhooks on their way out: a row per event and subscription, a row per attempt, a job until it is settled.
//!
//! A delivery is created in the transaction of the event that it tells of. Its body never changes: every attempt, and a
//! replay, sends the same bytes. Where it goes, and how it is signed, is asked anew at each attempt from a [`Destination`].
//!
//! `PENDING` → `DELIVERED`, or `RETRYING` by the [`Schedule`] until `FAILED`; `DROPPED` when the destination is gone;
//! a replay makes any of them `PENDING` again.

mod store;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::clock::Clock;
use crate::db::{Db, DbError, Tx, UnitFuture};
use crate::jobs::{self, Handler, Job, Outcome};
use crate::outbound::OutboundClient;
use crate::row;

pub use store::{attempts, create, list, read, replay};

/// The kind of the jobs that deliver.
pub const KIND: &str = "delivery";

/// A delivery to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewDelivery<'a> {
    /// Whose it is: the account that subscribed.
    pub owner: &'a str,
    /// Its id, unique within the owner.
    pub delivery_id: &'a str,
    /// The subscription that it goes to.
    pub target: &'a str,
    /// The event that it tells of.
    pub event_id: &'a str,
    /// That event's type.
    pub event_type: &'a str,
    /// The bytes that every attempt sends.
    pub body: &'a [u8],
}

row! {
    /// A delivery and where it stands.
    pub struct Delivery {
        pub owner: String,
        pub delivery_id: String,
        pub target: String,
        pub event_id: String,
        pub event_type: String,
        pub body: Vec<u8>,
        /// `PENDING`, `RETRYING`, `DELIVERED`, `FAILED` or `DROPPED`.
        pub state: String,
        /// Attempts so far, replays included.
        pub attempts: i64,
        /// Retries since the beginning or the last replay.
        pub retries: i64,
        /// When the next attempt is due, in microseconds UTC.
        pub next_at: Option<i64>,
        pub created_at: i64,
        pub updated_at: i64,
    }
}

row! {
    /// One attempt to deliver.
    pub struct Attempt {
        pub delivery_id: String,
        /// 1 at the first.
        pub attempt: i64,
        pub url: String,
        /// Microseconds UTC.
        pub started_at: i64,
        pub duration_us: i64,
        /// The answer's status, if there was an answer.
        pub status: Option<i64>,
        /// Why there was none.
        pub error: Option<String>,
        /// The beginning of the answer's body.
        pub response: Option<String>,
    }
}

/// Which deliveries to list; newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only those to this subscription.
    pub target: Option<&'a str>,
    /// Only those of this event.
    pub event_id: Option<&'a str>,
    /// Only those in this state.
    pub state: Option<&'a str>,
    /// Only those whose id is below this one: the cursor, as ids ascend with time.
    pub before: Option<&'a str>,
}

/// Where a delivery goes at this moment.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The receiver.
    pub url: String,
    /// Headers beside the content type: the signature, most of all.
    pub headers: Vec<(String, String)>,
}

/// Knows the subscriptions: where they point, and how to sign for them.
pub trait Destination: Send + Sync + 'static {
    /// The url and headers for one attempt that starts at `now`; `None` when the subscription is gone or switched off.
    fn prepare<'a>(
        &'a self,
        tx: &'a mut Tx,
        delivery: &'a Delivery,
        now: i64,
    ) -> UnitFuture<'a, Result<Option<Prepared>, DbError>>;
}

/// Sends the bytes; the guarded client for urls that others chose implements it.
pub trait Post: Send + Sync + 'static {
    /// One POST, answered or not.
    fn post<'a>(&'a self, prepared: &'a Prepared, body: Bytes) -> BoxFuture<'a, Posted>;
}

/// What came of a POST.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The status, or why there was no answer.
    pub outcome: Result<u16, String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// How long it took.
    pub duration: Duration,
}

/// When to try again, and what counts as delivered.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Gaps after each failed attempt, in microseconds; after the last one the delivery has failed.
    pub gaps_us: &'static [i64],
    /// Statuses that acknowledge.
    pub success: &'static [u16],
}

/// Makes deliveries: the handler of the jobs of [`KIND`].
pub struct Deliverer<D, P> {
    db: Db,
    clock: Clock,
    destination: Arc<D>,
    post: P,
    schedule: Schedule,
}

impl<D: Destination, P: Post> Deliverer<D, P> {
    /// A deliverer to one kind of destination.
    pub fn new(db: Db, clock: Clock, destination: D, post: P, schedule: Schedule) -> Self {
        Self { db, clock, destination: Arc::new(destination), post, schedule }
    }

    async fn deliver(&self, job: &Job) -> Result<Outcome, DbError> {
        let Some((owner, delivery_id)) = job.key.rsplit_once('/') else {
            return Ok(Outcome::Dead("the key names no delivery".to_owned()));
        };
        let Some((delivery, prepared)) = self.prepare(owner, delivery_id).await? else {
            return Ok(Outcome::Dead("there is no such delivery".to_owned()));
        };
        let Some(prepared) = prepared else {
            return self.settle(job, &delivery, "DROPPED", None).await;
        };
        let started_at = self.clock.now();
        let posted = self.post.post(&prepared, Bytes::from(delivery.body.clone())).await;
        let acknowledged = matches!(posted.outcome, Ok(status) if self.schedule.success.contains(&status));
        let gap = usize::try_from(delivery.retries).ok().and_then(|done| self.schedule.gaps_us.get(done));
        let (state, retry_at) = match gap {
            _ if acknowledged => ("DELIVERED", None),
            Some(gap) => ("RETRYING", Some(self.clock.now() + gap)),
            None => ("FAILED", None),
        };
        if !acknowledged {
            tracing::warn!(
                delivery.id = delivery_id, event.kind = %delivery.event_type, attempt = delivery.attempts + 1,
                outcome = ?posted.outcome, state, "delivery {delivery_id} was not acknowledged"
            );
        }
        let attempt = Attempt {
            delivery_id: delivery_id.to_owned(),
            attempt: delivery.attempts + 1,
            url: prepared.url,
            started_at,
            duration_us: i64::try_from(posted.duration.as_micros()).unwrap_or(i64::MAX),
            status: posted.outcome.as_ref().ok().map(|status| i64::from(*status)),
            error: posted.outcome.err(),
            response: posted.response,
        };
        self.settle(job, &delivery, state, Some((attempt, retry_at))).await
    }

    async fn prepare(&self, owner: &str, delivery_id: &str) -> Result<Option<(Delivery, Option<Prepared>)>, DbError> {
        let (owner, delivery_id) = (owner.to_owned(), delivery_id.to_owned());
        let (destination, now) = (Arc::clone(&self.destination), self.clock.now());
        self.db
            .look_up(move |tx| {
                Box::pin(async move {
                    let Some(delivery) = read(tx, &owner, &delivery_id).await? else { return Ok(None) };
                    let prepared = destination.prepare(tx, &delivery, now).await?;
                    Ok(Some((delivery, prepared)))
                })
            })
            .await
    }

    /// One transaction for the attempt, the delivery's state and, when it is settled, the job.
    async fn settle(
        &self,
        job: &Job,
        delivery: &Delivery,
        state: &'static str,
        attempt: Option<(Attempt, Option<i64>)>,
    ) -> Result<Outcome, DbError> {
        let (job, now) = (job.clone(), self.clock.now());
        let (owner, delivery_id, counted) = (delivery.owner.clone(), delivery.delivery_id.clone(), delivery.attempts);
        let (attempt, retry_at) = attempt.unzip();
        let retry_at = retry_at.flatten();
        let why = attempt.as_ref().and_then(|a| a.error.clone().or(a.status.map(|status| format!("status {status}"))));
        self.db
            .write(move |tx| {
                Box::pin(async move {
                    store::settle(tx, (&owner, &delivery_id), counted, state, attempt.as_ref(), retry_at, now).await?;
                    match retry_at {
                        Some(at) => Ok(Outcome::RetryAt(at, why.unwrap_or_default())),
                        None => jobs::finish(tx, &job).await.map(|_| Outcome::Settled),
                    }
                })
            })
            .await
    }
}

impl Post for OutboundClient {
    fn post<'a>(&'a self, prepared: &'a Prepared, body: Bytes) -> BoxFuture<'a, Posted> {
        Box::pin(async move {
            let mut headers = http::HeaderMap::new();
            for (name, value) in &prepared.headers {
                let pair = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value));
                let (Ok(name), Ok(value)) = pair else { continue };
                headers.insert(name, value);
            }
            headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
            let started = std::time::Instant::now();
            match OutboundClient::post(self, &prepared.url, headers, body).await {
                Ok(answer) => Posted {
                    outcome: Ok(answer.status.as_u16()),
                    response: Some(answer.body_snippet).filter(|body| !body.is_empty()),
                    duration: answer.duration,
                },
                Err(error) => Posted { outcome: Err(error.to_string()), response: None, duration: started.elapsed() },
            }
        })
    }
}

impl<D: Destination, P: Post> Handler for Deliverer<D, P> {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.deliver(job).await.unwrap_or_else(|error| Outcome::Retry(error.to_string())) })
    }
}
