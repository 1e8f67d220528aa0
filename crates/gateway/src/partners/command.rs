//! What an operator asks of one Partner: who asks, of whom, under which idempotency key, with what body. One extractor and one way
//! through it, for every route that changes something about a Partner.

use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::response::Response;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, OptionalJsonBody};
use serde_json::{Value, json};

use super::api::absent;
use super::record::Record;
use crate::Ctx;
use crate::access::OperatorCaller;
use crate::events::once::{Once, Reply};

/// An operator's request that changes something about the Partner `{partner_id}` of the path. An absent body is `{}`.
#[derive(Debug)]
pub(super) struct Command {
    /// `par_…`, as it stands in the path.
    pub partner_id: String,
    /// What was sent.
    pub body: Value,
    once: Result<Once, ApiError>,
}

impl FromRequest<Ctx> for Command {
    type Rejection = ApiError;

    async fn from_request(request: Request, ctx: &Ctx) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let operator = OperatorCaller::from_request_parts(&mut parts, ctx).await?;
        let params = RawPathParams::from_request_parts(&mut parts, ctx).await.map_err(ApiError::internal)?;
        let named = params.iter().find(|(name, _)| *name == "partner_id");
        let partner_id = named.map(|(_, id)| id.to_owned()).ok_or_else(absent)?;
        let operation = format!("{} {}", parts.method, parts.uri.path());
        let headers = parts.headers.clone();
        let OptionalJsonBody(body) = OptionalJsonBody::from_request(Request::from_parts(parts, body), ctx).await?;
        let body = body.map(|body| body.value);
        let once = Once::new(&operator.operator_id, &operation, &headers, body.as_ref());
        Ok(Self { partner_id, body: body.unwrap_or_else(|| json!({})), once })
    }
}

/// What is done to a Partner under its lock.
pub(super) trait Act<T>:
    for<'t> FnOnce(&'t mut Tx, &'t Ctx, &'t mut Record, T) -> UnitFuture<'t, Result<Reply, ApiError>>
    + Clone
    + Send
    + 'static
{
}

impl<T, F> Act<T> for F where
    F: for<'t> FnOnce(&'t mut Tx, &'t Ctx, &'t mut Record, T) -> UnitFuture<'t, Result<Reply, ApiError>>
        + Clone
        + Send
        + 'static
{
}

impl Command {
    /// What was sent is read by `read`; then `act` changes the Partner under its lock, in one transaction with the idempotency key and
    /// the answer. A repetition hears the first answer.
    ///
    /// # Errors
    /// 400 with the faults of key and body alike, 404 for a Partner that is not there, and those of `act`.
    pub async fn run<T, F>(
        self,
        ctx: &Ctx,
        read: impl FnOnce(&Value) -> Result<T, ApiError>,
        act: F,
    ) -> Result<Response, ApiError>
    where
        T: Clone + Send + 'static,
        F: Act<T>,
    {
        let (once, asked) = Once::with(self.once, read(&self.body))?;
        once.run(ctx, under_lock(ctx, self.partner_id, asked, act)).await
    }

    /// The same for what goes on with a call to Klarna: what the transaction said, whether it was just now or before.
    ///
    /// # Errors
    /// Those of [`Command::run`].
    pub async fn begin<T, F>(
        self,
        ctx: &Ctx,
        read: impl FnOnce(&Value) -> Result<T, ApiError>,
        act: F,
    ) -> Result<Value, ApiError>
    where
        T: Clone + Send + 'static,
        F: Act<T>,
    {
        let (once, asked) = Once::with(self.once, read(&self.body))?;
        once.reply(ctx, under_lock(ctx, self.partner_id, asked, act)).await.map(|(reply, _)| reply.body)
    }

    /// The same for what may be repeated freely: the key is asked for, as everywhere, and not remembered.
    ///
    /// # Errors
    /// 400 with the faults of key and body alike.
    pub fn freely<T>(self, read: impl FnOnce(&Value) -> Result<T, ApiError>) -> Result<(String, T), ApiError> {
        let (_, asked) = Once::with(self.once, read(&self.body))?;
        Ok((self.partner_id, asked))
    }
}

/// The unit that finds a Partner, locks it, and acts on it.
fn under_lock<T, F>(
    ctx: &Ctx,
    partner_id: String,
    asked: T,
    act: F,
) -> impl for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>> + Clone + Send + 'static
where
    T: Clone + Send + 'static,
    F: Act<T>,
{
    let ctx = ctx.clone();
    move |tx: &mut Tx| {
        Box::pin(async move {
            let mut record = Record::lock(tx, &ctx, &partner_id).await?.ok_or_else(absent)?;
            act(tx, &ctx, &mut record, asked).await
        })
    }
}

/// For what takes no body: whatever stands there is let pass.
pub(super) fn nothing(_: &Value) -> Result<(), ApiError> {
    Ok(())
}
