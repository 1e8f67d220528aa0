//! The look at Klarna's list of decisions, for the case that a webhook was lost.

use futures_util::future::BoxFuture;
use http::Method;
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use serde_json::Value;

use super::Finding;
use crate::Ctx;
use crate::access;
use crate::klarna::Operation;
use crate::klarna::origin::tag;
use crate::partners::record::Record;

const KIND: &str = "partner_decisions";
const BACKOFF: Backoff = Backoff { first_us: 5 * SECOND_US, max_us: 15 * MINUTE_US, attempts_max: None };
/// The webhook of the decision comes with that of the product: it is given this long, in microseconds.
const WEBHOOK_FIRST_US: i64 = 30 * SECOND_US;
/// What Klarna shows at once (RULINGS 1.3), and pages after which something is wrong.
const PAGE: &str = "100";
const PAGES_MAX: usize = 50;

/// Adds the handler.
pub(in crate::partners) fn register(worker: Worker, ctx: &Ctx) -> Worker {
    worker.register(KIND, 4, BACKOFF, Look { ctx: ctx.clone() })
}

/// Klarna suspended a Partner: its decision is looked for, unless a webhook tells of it first.
///
/// # Errors
/// [`DbError`].
pub(in crate::partners) async fn expect(tx: &mut Tx, partner_id: &str, now: i64) -> Result<(), DbError> {
    let job = NewJob { kind: KIND, key: partner_id, payload: "", due_at: now + WEBHOOK_FIRST_US };
    jobs::enqueue(tx, &job, now).await.map(drop)
}

struct Look {
    ctx: Ctx,
}

impl Look {
    async fn look(&self, partner_id: &str) -> Result<(), ApiError> {
        let ctx = &self.ctx;
        let id = partner_id.to_owned();
        let found = ctx.db.read(move |tx| Box::pin(async move { access::partner(tx, &id).await })).await?;
        let Some(partner) = found else { return Ok(()) };
        let (mut shown, mut after) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let path = ["compliance", "decisions"];
            let mut operation = Operation::on_account("list_decisions", Method::GET, &partner.klarna_account_id, &path);
            operation.query = vec![("size", PAGE.to_owned())];
            operation.query.extend(after.take().map(|id| ("starting_after", id)));
            operation.originator = Some(tag(&partner.name, partner_id));
            let answer = ctx.klarna.send(&operation).await.map_err(ApiError::unavailable)?;
            let page: Value = answer.json().map_err(ApiError::unavailable)?;
            // An array of one page, or the page (RULINGS 1.3).
            let page = page.get(0).unwrap_or(&page);
            let decisions = page["decisions"].as_array().cloned().unwrap_or_default();
            after = page["pagination"]["last_item"].as_str().filter(|_| !decisions.is_empty()).map(str::to_owned);
            shown.extend(decisions);
            if after.is_none() {
                break;
            }
        }
        self.write(partner_id, shown).await
    }

    async fn write(&self, partner_id: &str, shown: Vec<Value>) -> Result<(), ApiError> {
        let now = self.ctx.clock.now();
        let mut findings: Vec<Finding> = shown.iter().filter_map(|one| Finding::decision(one, now)).collect();
        findings.sort_by_key(|finding| finding.decided_at);
        self.ctx
            .db
            .write_repeating(|| {
                let (ctx, id, findings) = (self.ctx.clone(), partner_id.to_owned(), findings.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                    Box::pin(async move {
                        let record = Record::lock(tx, &ctx, &id).await?;
                        for finding in &findings {
                            super::hear(tx, &ctx, &id, record.as_ref(), finding).await?;
                        }
                        Ok(())
                    })
                }
            })
            .await?;
        self.ctx.poke.poke();
        Ok(())
    }
}

impl Handler for Look {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            match self.look(&job.key).await {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}
