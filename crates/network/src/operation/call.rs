//! What a writing operation is given, and how it runs its use case.

use axum::extract::{FromRef, FromRequestParts};
use axum::response::Response;
use http::request::Parts as RequestParts;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::Shape;
use serde_json::Value;

use super::{IdempotencyKey, OnBehalf, Parts, Reply, invalid, once};
use crate::ctx::Ctx;

/// What every writing operation is given.
pub struct Call {
    /// Storage, time, chance, settings.
    pub ctx: Ctx,
    /// Who calls, and for whom.
    pub on: OnBehalf,
    /// What was called.
    pub parts: Parts,
    /// Under which key.
    pub key: IdempotencyKey,
}

impl<S: Send + Sync> FromRequestParts<S> for Call
where
    Ctx: FromRef<S>,
    OnBehalf: FromRequestParts<Ctx, Rejection = ApiError>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut RequestParts, state: &S) -> Result<Self, ApiError> {
        let ctx = <Ctx as FromRef<S>>::from_ref(state);
        Ok(Self {
            on: OnBehalf::from_request_parts(parts, &ctx).await?,
            parts: Parts::from_request_parts(parts, &ctx).await?,
            key: IdempotencyKey::from_request_parts(parts, &ctx).await?,
            ctx,
        })
    }
}

impl Call {
    /// Runs a use case once per idempotency key. `secret` seals the remembered answer. A macro would save the boxes; this keeps the
    /// types in sight.
    ///
    /// # Errors
    /// As [`once()`].
    pub async fn once<F>(&self, body: &Value, secret: bool, use_case: F) -> Result<Response, ApiError>
    where
        F: for<'t> Fn(&'t mut Tx, Ctx, OnBehalf, Value) -> UnitFuture<'t, Result<Reply, ApiError>>
            + Clone
            + Send
            + 'static,
    {
        once(&self.ctx, &self.on, &self.parts, self.key.as_deref(), body, secret, || {
            let (ctx, on, body, use_case) = (self.ctx.clone(), self.on.clone(), body.clone(), use_case.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> { use_case(tx, ctx, on, body) }
        })
        .await
    }

    /// Runs a use case that has no body and binds no key: reads, and what a DELETE does.
    ///
    /// # Errors
    /// Whatever the use case refuses; [`kit::db::DbError`].
    pub async fn write<F>(&self, use_case: F) -> Result<Reply, ApiError>
    where
        F: for<'t> Fn(&'t mut Tx, Ctx, OnBehalf) -> UnitFuture<'t, Result<Reply, ApiError>> + Clone + Send + 'static,
    {
        self.ctx
            .write(|| {
                let (ctx, on, use_case) = (self.ctx.clone(), self.on.clone(), use_case.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> { use_case(tx, ctx, on) }
            })
            .await
    }
}

/// Refuses a body that is not of the shape, naming every fault.
///
/// # Errors
/// 400 `VALIDATION_ERROR`.
pub fn check(shape: &Shape, body: &Value) -> Result<(), ApiError> {
    let faults = shape.check(body);
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}

/// An absent body asks for everything.
pub fn or_empty(body: kit::http::OptionalJsonBody) -> Value {
    body.0.map_or_else(|| Value::Object(serde_json::Map::new()), |body| body.value)
}
