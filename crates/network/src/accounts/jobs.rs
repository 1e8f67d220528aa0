//! What time does to Partner accounts, told even when nobody looks: a job per account comes back when something is due.

use futures_util::future::BoxFuture;
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use protocol::PartnerAccountId;

use super::managed;
use crate::ctx::Ctx;

const KIND: &str = "accounts.pass_time";
const BACKOFF: Backoff = Backoff { first_us: SECOND_US, max_us: MINUTE_US, attempts_max: None };

/// Lets the worker pass time over accounts.
pub fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(KIND, 4, BACKOFF, PassTime(ctx.clone()))
}

/// Makes sure that the account is looked at then.
pub(super) async fn come_back(tx: &mut Tx, id: &PartnerAccountId, due_at: i64, now: i64) -> Result<(), DbError> {
    let job = NewJob { kind: KIND, key: id.as_str(), payload: "", due_at };
    jobs::enqueue(tx, &job, now).await.map(drop)
}

struct PassTime(Ctx);

impl Handler for PassTime {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let Ok(id) = PartnerAccountId::opaque(&job.key) else { return Outcome::Dead("no account".to_owned()) };
            match managed::pass_time(&self.0, &id).await {
                Ok(None) => Outcome::Done,
                Ok(Some(next)) => Outcome::RetryAt(next, "waiting for what is ahead".to_owned()),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "passing time over an account");
                    Outcome::Retry(error.to_string())
                }
            }
        })
    }
}
