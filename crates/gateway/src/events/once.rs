//! `Idempotency-Key` for operations whose whole effect is in our own database: key, effect and answer in one transaction
//! (RFC draft semantics: same body replays, other body 422, in flight 409).

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault};
use kit::idempotency::{self, Known, StoredAnswer};
use serde_json::Value;

use crate::Ctx;
use crate::sealed::FIRST_ANSWER;

/// The request header.
pub(crate) const HEADER: &str = "idempotency-key";
/// Says that the answer was given before.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    pub(crate) scope: String,
    pub(crate) key: String,
    pub(crate) fingerprint: String,
}

/// A successful answer. Its body is sealed while it is remembered, since it may show a secret.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: StatusCode,
    pub body: Value,
}

impl Once {
    /// Reads the key. `operation` names method and path with its ids: a key means something within one of them only.
    ///
    /// # Errors
    /// 400 naming the header.
    pub(crate) fn new(
        partner_id: &str,
        operation: &str,
        headers: &HeaderMap,
        body: Option<&Value>,
    ) -> Result<Self, ApiError> {
        let key = headers.get(HEADER).map(|value| value.to_str().unwrap_or_default().trim());
        // The RFC draft writes the key as a quoted string; both spellings are one key.
        let key = key.map(|text| text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text));
        let fault = match key {
            None => "is required on every POST and PATCH: a new value per operation, the same one when you repeat it",
            Some(text) if protocol::header::is_idempotency_key(text) => {
                return Ok(Self {
                    scope: format!("{partner_id} {operation}"),
                    key: text.to_owned(),
                    fingerprint: idempotency::fingerprint(body.unwrap_or(&Value::Null)),
                });
            }
            Some(_) => "must have 1 to 255 printable ASCII characters",
        };
        Err(ApiError::validation(vec![FieldFault::new("Idempotency-Key", fault)]))
    }

    /// The key and the checked body, or the faults of both at once.
    ///
    /// # Errors
    /// Those of either.
    pub(crate) fn with<T>(once: Result<Self, ApiError>, checked: Result<T, ApiError>) -> Result<(Self, T), ApiError> {
        match (once, checked) {
            (Ok(once), Ok(checked)) => Ok((once, checked)),
            (Err(mut key), Err(mut body)) if body.error_code == key.error_code => {
                key.validation_errors.append(&mut body.validation_errors);
                Err(key)
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Runs the unit, unless it was run before with this key: then the first answer comes back.
    ///
    /// # Errors
    /// 422 for a key that was used with another body, 409 for one that is in use, and the unit's own errors, which are not
    /// remembered.
    pub(crate) async fn run<F>(self, ctx: &Ctx, unit: F) -> Result<Response, ApiError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>> + Clone + Send + 'static,
    {
        let (reply, replayed) = self.reply(ctx, unit).await?;
        let mut response = (reply.status, Body::from(reply.body.to_string())).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        Ok(response)
    }

    /// The same, for whoever goes on from there: the answer, and whether it was given before.
    ///
    /// # Errors
    /// Those of [`Once::run`].
    pub(crate) async fn reply<F>(self, ctx: &Ctx, unit: F) -> Result<(Reply, bool), ApiError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>> + Clone + Send + 'static,
    {
        ctx.db
            .write_repeating(|| {
                let (this, ctx, unit) = (self.clone(), ctx.clone(), unit.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<(Reply, bool), ApiError>> {
                    Box::pin(async move { this.step(tx, &ctx, unit).await })
                }
            })
            .await
    }

    async fn step<F>(self, tx: &mut Tx, ctx: &Ctx, unit: F) -> Result<(Reply, bool), ApiError>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<Reply, ApiError>>,
    {
        let now = ctx.clock.now();
        let place = FIRST_ANSWER.place(&[&self.scope, &self.key]);
        let call = idempotency::Call { scope: &self.scope, key: &self.key, fingerprint: &self.fingerprint };
        match idempotency::find(tx, &call, now).await? {
            Known::Fresh => {}
            Known::Answered(answer) => {
                let body = ctx.secrets.open(place, &answer.body).map_err(ApiError::internal)?;
                let body = serde_json::from_slice(&body).map_err(ApiError::internal)?;
                let status = StatusCode::from_u16(answer.status).map_err(ApiError::internal)?;
                return Ok((Reply { status, body }, true));
            }
            Known::OtherBody => return Err(other_body()),
            Known::InFlight => return Err(in_flight()),
        }
        let reply = unit(tx).await?;
        let sealed = ctx.secrets.seal(place, reply.body.to_string().as_bytes());
        let answer = StoredAnswer { status: reply.status.as_u16(), body: sealed };
        let expires_at = now.saturating_add(ctx.config.idempotency_retention_us);
        idempotency::record(tx, &call, &answer, now, expires_at).await?;
        Ok((reply, false))
    }
}

/// 422: the key belongs to another body.
pub(crate) fn other_body() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "RESOURCE_CONFLICT",
        "This Idempotency-Key was used with another request body.",
    )
    .field("Idempotency-Key", "was used with another request body; a new operation needs a new key")
}

/// 409: the first request with the key has no answer yet.
pub(crate) fn in_flight() -> ApiError {
    ApiError::new(
        StatusCode::CONFLICT,
        "RESOURCE_CONFLICT",
        "A request with this Idempotency-Key is still being worked on.",
    )
    .field("Idempotency-Key", "belongs to a request that is still being worked on; repeat it a little later")
}
