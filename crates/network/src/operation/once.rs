//! Klarna's idempotency: a call with a key has one effect, and one answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kit::clock::DAY_US;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use kit::idempotency::{self, Call, Known, StoredAnswer};
use kit::secret_box::Place;
use serde_json::Value;

use super::{OnBehalf, Parts, Reply, conflict};
use crate::ctx::Ctx;
use crate::sealed::FIRST_ANSWER;

/// How long an answer is repeated for its idempotency key (fact sheet 01 §5).
const IDEMPOTENCY_US: i64 = DAY_US;

/// Runs an operation once per idempotency key: the first success is remembered for a day, in the transaction that made it, and
/// repeated with status and body. Only successes bind a key (RULINGS §2, Idempotency). `secret` seals what is remembered. `unit`
/// makes the unit of work; it is called again when another transaction was faster.
///
/// # Errors
/// 409 for a key that was used with another body, or whose call still runs; whatever the unit refuses; [`kit::db::DbError`].
pub async fn once<F>(
    ctx: &Ctx,
    on: &OnBehalf,
    parts: &Parts,
    idempotency_key: Option<&str>,
    body: &Value,
    secret: bool,
    mut unit: impl FnMut() -> F,
) -> Result<Response, ApiError>
where
    F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>> + Send + 'static,
{
    let Some(key) = idempotency_key else {
        return Ok(ctx.write(unit).await?.into_response());
    };
    let call = Arc::new(OnceCall {
        scope: idempotency::scope(&[
            on.caller.account.as_str(),
            parts.method.as_str(),
            &parts.path,
            on.account.as_str(),
        ]),
        key: key.to_owned(),
        fingerprint: idempotency::fingerprint(body),
        secret,
    });
    let _running = ctx.in_flight.enter(&call).ok_or_else(|| {
        conflict("Concurrent update: a call with this Klarna-Idempotency-Key is still running. Retry with backoff.")
    })?;
    let reply = ctx
        .write(|| {
            let (ctx, call, unit) = (ctx.clone(), Arc::clone(&call), unit());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                Box::pin(async move { call.run(&ctx, tx, unit).await })
            }
        })
        .await?;
    Ok(reply.into_response())
}

struct OnceCall {
    scope: String,
    key: String,
    fingerprint: String,
    secret: bool,
}

impl OnceCall {
    async fn run<F>(&self, ctx: &Ctx, tx: &mut Tx, unit: F) -> Result<Reply, ApiError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>>,
    {
        let call = Call { scope: &self.scope, key: &self.key, fingerprint: &self.fingerprint };
        let now = ctx.clock.now();
        match idempotency::find(tx, &call, now).await? {
            Known::Fresh => {}
            Known::Answered(answer) => return self.repeat(ctx, answer),
            Known::OtherBody => {
                return Err(conflict("The Klarna-Idempotency-Key was used before with another body.")
                    .field("Klarna-Idempotency-Key", "was used with another body"));
            }
            Known::InFlight => return Err(conflict("A call with this Klarna-Idempotency-Key is still running.")),
        }
        let reply = unit(tx).await?;
        if reply.status.is_success() {
            let body = if self.secret && !reply.body.is_empty() {
                ctx.secrets.seal(self.place(), &reply.body)
            } else {
                reply.body.to_vec()
            };
            let answer = StoredAnswer { status: reply.status.as_u16(), body };
            idempotency::record(tx, &call, &answer, now, now + IDEMPOTENCY_US).await?;
        }
        Ok(reply)
    }

    fn repeat(&self, ctx: &Ctx, answer: StoredAnswer) -> Result<Reply, ApiError> {
        let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
        let body = if self.secret && !answer.body.is_empty() {
            let opened = ctx.secrets.open(self.place(), &answer.body).map_err(ApiError::internal)?;
            Bytes::copy_from_slice(&opened)
        } else {
            answer.body.into()
        };
        Ok(Reply { status, body })
    }

    fn place(&self) -> Place<'_> {
        FIRST_ANSWER.place(&[&self.scope, &self.key])
    }
}

/// The calls with an idempotency key that this process works on. Between processes the database decides: the second to commit
/// begins again and finds the answer of the first.
#[derive(Default)]
pub(crate) struct InFlight(Arc<Mutex<HashSet<String>>>);

impl InFlight {
    fn enter(&self, call: &OnceCall) -> Option<Running> {
        let id = format!("{} {}", call.scope, call.key);
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.insert(id.clone()).then(|| Running { calls: Arc::clone(&self.0), id })
    }
}

/// Leaves the set when the call ends, however it ends.
struct Running {
    calls: Arc<Mutex<HashSet<String>>>,
    id: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_still_runs_keeps_its_key_until_it_ends() {
        let call = |scope: &str| OnceCall {
            scope: scope.to_owned(),
            key: "k".to_owned(),
            fingerprint: String::new(),
            secret: false,
        };
        let running = InFlight::default();
        let first = running.enter(&call("a")).expect("nobody runs");
        assert!(running.enter(&call("a")).is_none());
        assert!(running.enter(&call("b")).is_some(), "another scope is another call");
        drop(first);
        assert!(running.enter(&call("a")).is_some());
    }
}
