//! Revocations on their way to Klarna: repeated until it has taken them.

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use kit::db::{DbError, Tx};
use kit::jobs::{self, Backoff, Handler, Job, NewJob, Outcome, Worker};
use serde::{Deserialize, Serialize};

use crate::Ctx;
use crate::klarna::{self, CallError};

const KIND: &str = "customer_token_revocation";

#[derive(Serialize, Deserialize)]
struct Revocation {
    partner_id: String,
    /// The Partner's account at Klarna.
    account: String,
    token_id: String,
}

pub(in crate::payments) fn register(worker: Worker, ctx: &Ctx, backoff: Backoff) -> Worker {
    worker.register(KIND, 4, backoff, Revoke { ctx: ctx.clone() })
}

pub(super) async fn enqueue(
    tx: &mut Tx,
    partner_id: &str,
    account: &str,
    token_id: &str,
    now: i64,
) -> Result<(), DbError> {
    let revocation =
        Revocation { partner_id: partner_id.to_owned(), account: account.to_owned(), token_id: token_id.to_owned() };
    let payload = serde_json::to_string(&revocation).expect("texts always serialize");
    let key = format!("{partner_id}/{token_id}");
    jobs::enqueue(tx, &NewJob { kind: KIND, key: &key, payload: &payload, due_at: now }, now).await.map(drop)
}

struct Revoke {
    ctx: Ctx,
}

impl Revoke {
    async fn revoke(&self, revocation: &Revocation) -> Result<(), CallError> {
        let Revocation { partner_id, account, token_id } = revocation;
        let path = ["identity", "customer-token", "revoke"];
        let mut operation =
            klarna::Operation::on_account("revoke_customer_token", Method::POST, account, &path).json("{}");
        operation.customer_token = Some(super::reveal(&self.ctx, partner_id, token_id).await?);
        // Safe to repeat without a key: a token is revoked once, however often it is said.
        self.ctx.klarna.send(&operation).await.map(drop)
    }
}

impl Handler for Revoke {
    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let revocation: Revocation = match serde_json::from_str(&job.payload) {
                Ok(revocation) => revocation,
                Err(error) => return Outcome::Dead(format!("the revocation cannot be read: {error}")),
            };
            match self.revoke(&revocation).await {
                Ok(()) => Outcome::Done,
                // Gone or revoked already: what was wanted.
                Err(CallError::Refused(refusal))
                    if matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::CONFLICT | StatusCode::GONE) =>
                {
                    Outcome::Done
                }
                Err(error) => Outcome::Retry(kit::http::error::chain(&error)),
            }
        })
    }
}
