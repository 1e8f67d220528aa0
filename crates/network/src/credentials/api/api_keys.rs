//! API keys over the API.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::sorts::{Credential, Shown, one};
use super::{CredentialPath, description, optional_time, refuse_disabled};
use crate::credentials::api_key;
use crate::credentials::store::{self, ApiKeyRow};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, or_empty};

impl Credential for ApiKeyRow {
    fn all<'t>(tx: &'t mut Tx, account: &'t str) -> UnitFuture<'t, Result<Vec<Self>, DbError>> {
        Box::pin(store::api_keys(tx, account))
    }

    fn find<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str) -> UnitFuture<'t, Result<Option<Self>, DbError>> {
        Box::pin(store::api_key(tx, account, id))
    }

    fn disable<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str, now: i64) -> UnitFuture<'t, Result<bool, DbError>> {
        Box::pin(store::disable_api_key(tx, account, id, now))
    }

    fn shown(&self) -> Shown<'_> {
        Shown {
            credential_id: &self.credential_id,
            description: &self.description,
            life: self.life(),
            updated_at: self.updated_at,
        }
    }

    fn complete(&self, view: &mut Value) -> Result<(), ApiError> {
        view["last_used_at"] = json!(optional_time(self.last_used_at)?);
        Ok(())
    }
}

pub(super) async fn create(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::credential_create(), &body)?;
    call.once(&body, true, |tx, ctx, on, body| Box::pin(create_one(tx, ctx, on, body))).await
}

async fn create_one(tx: &mut Tx, ctx: Ctx, on: OnBehalf, body: Value) -> Result<Reply, ApiError> {
    let (account, now) = (&on.account, ctx.clock.now());
    let made = api_key::add(tx, &ctx.random, account, description(&body), now).await?;
    let key: ApiKeyRow = one(tx, account.as_str(), made.credential_id.as_str(), now).await?;
    let mut view = key.view(now)?;
    view["secret"] = json!({"secret": made.secret});
    Ok(Reply::json(StatusCode::CREATED, &view))
}

pub(super) async fn update(
    call: Call,
    Path(path): Path<CredentialPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::credential_update(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.credential_id.clone();
        Box::pin(async move {
            let (account, now) = (on.account.as_str(), ctx.clock.now());
            refuse_disabled(one::<ApiKeyRow>(tx, account, &id, now).await?.life(), now)?;
            store::describe_api_key(tx, account, &id, description(&body), now).await?;
            Ok(Reply::json(StatusCode::OK, &one::<ApiKeyRow>(tx, account, &id, now).await?.view(now)?))
        })
    })
    .await
}
