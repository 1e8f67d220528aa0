//! Sessions whose time is over, and the client identifier of the pages.

use futures_util::future::BoxFuture;
use kit::clock::{DAY_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};

use super::act::{self, Closed};
use super::record::Session;
use super::sdk;
use crate::Ctx;
use crate::checkout::session::End;

/// Ends one session; the key is Partner and session.
const EXPIRY: &str = "checkout_expiry";
/// Keeps the client identifier in order.
const IDENTIFIER: &str = "checkout_client_identifier";
const IDENTIFIER_KEY: &str = "pages";
/// Ours: how soon a session whose payment is still open is looked at again.
const AGAIN_US: i64 = 20 * SECOND_US;

const BACKOFF: Backoff = Backoff { first_us: 5 * SECOND_US, max_us: 10 * MINUTE_US, attempts_max: None };

/// Adds the handlers.
pub(super) fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(EXPIRY, 8, BACKOFF, Expiry { ctx: ctx.clone() }).register(
        IDENTIFIER,
        1,
        BACKOFF,
        Identifier { ctx: ctx.clone() },
    )
}

/// Makes sure that the standing job exists.
///
/// # Errors
/// [`DbError`].
pub(super) async fn ensure(ctx: &Ctx) -> Result<(), DbError> {
    let now = ctx.clock.now();
    ctx.db
        .write(move |tx| {
            Box::pin(async move {
                let job = NewJob { kind: IDENTIFIER, key: IDENTIFIER_KEY, payload: "", due_at: now };
                jobs::enqueue(tx, &job, now).await.map(drop)
            })
        })
        .await
}

fn key(session: &Session) -> String {
    format!("{}/{}", session.partner_id, session.session_id)
}

/// Writes the job that ends the session, in the transaction that makes it.
pub(super) async fn remember(tx: &mut Tx, session: &Session) -> Result<(), DbError> {
    let key = key(session);
    let job = NewJob { kind: EXPIRY, key: &key, payload: "", due_at: session.expires_at };
    jobs::enqueue(tx, &job, session.created_at).await.map(drop)
}

/// Removes it, in the transaction that ends the session in another way.
pub(super) async fn forget(tx: &mut Tx, session: &Session) -> Result<(), DbError> {
    jobs::cancel(tx, EXPIRY, &key(session)).await.map(drop)
}

struct Expiry {
    ctx: Ctx,
}

impl Handler for Expiry {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Some((partner_id, session_id)) = job.key.split_once('/') else {
                return Outcome::Dead("the key is not Partner and session".to_owned());
            };
            match act::close(&self.ctx, partner_id, session_id, End::TimeOver, None).await {
                Ok(Closed::Done(_) | Closed::Absent) => Outcome::Done,
                Ok(Closed::Busy) => {
                    Outcome::RetryAt(self.ctx.clock.now() + AGAIN_US, "its payment is under way".to_owned())
                }
                Err(error) => Outcome::Retry(error.error_code.to_string()),
            }
        })
    }
}

struct Identifier {
    ctx: Ctx,
}

impl Handler for Identifier {
    fn run<'a>(&'a self, _: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match sdk::ensure(&self.ctx).await {
                Ok(_) => Outcome::RetryAt(self.ctx.clock.now() + DAY_US, String::new()),
                Err(error) => Outcome::Retry(error),
            }
        })
    }
}
