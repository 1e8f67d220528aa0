//! API keys over the API.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::{CredentialPath, Shown, absent, description, optional_time, refuse_disabled};
use crate::credentials::{api_key, store};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, or_empty};

pub(super) async fn create(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::credential_create(), &body)?;
    call.once(&body, true, |tx, ctx, on, body| Box::pin(create_one(tx, ctx, on, body))).await
}

async fn create_one(tx: &mut Tx, ctx: Ctx, on: OnBehalf, body: Value) -> Result<Reply, ApiError> {
    let (account, now) = (&on.account, ctx.clock.now());
    let made = api_key::add(tx, &ctx.random, account, description(&body), now).await?;
    let row = store::api_key(tx, account.as_str(), made.credential_id.as_str()).await?.ok_or_else(absent)?;
    let mut view = view(&row, now)?;
    view["secret"] = json!({"secret": made.secret});
    Ok(Reply::json(StatusCode::CREATED, &view))
}

pub(super) async fn list(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let rows: Vec<store::ApiKeyRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::api_keys(tx, on.account.as_str()).await })).await?;
    let shown = rows.iter().filter(|row| !row.life().is_gone(now));
    let credentials = shown.map(|row| view(row, now)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"credentials": credentials})))
}

pub(super) async fn read(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<CredentialPath>,
) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let row: store::ApiKeyRow = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move { one(tx, on.account.as_str(), &path.credential_id, now).await })
        })
        .await?;
    Ok(Reply::json(StatusCode::OK, &view(&row, now)?))
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
            refuse_disabled(one(tx, account, &id, now).await?.life(), now)?;
            store::describe_api_key(tx, account, &id, description(&body), now).await?;
            Ok(Reply::json(StatusCode::OK, &view(&one(tx, account, &id, now).await?, now)?))
        })
    })
    .await
}

/// A repetition finds it disabled, and is content.
pub(super) async fn delete(call: Call, Path(path): Path<CredentialPath>) -> Result<Reply, ApiError> {
    let deleted = call
        .write(move |tx, ctx, on| {
            let id = path.credential_id.clone();
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                one(tx, account, &id, now).await?;
                store::disable_api_key(tx, account, &id, now).await?;
                Ok(Reply::no_content())
            })
        })
        .await;
    // Also after an error: the commit may have happened all the same.
    call.ctx.verified_keys.forget();
    deleted
}

async fn one(tx: &mut Tx, account: &str, id: &str, now: i64) -> Result<store::ApiKeyRow, ApiError> {
    store::api_key(tx, account, id).await?.filter(|row| !row.life().is_gone(now)).ok_or_else(absent)
}

fn view(row: &store::ApiKeyRow, now: i64) -> Result<Value, ApiError> {
    let shown = Shown {
        credential_id: &row.credential_id,
        description: &row.description,
        life: row.life(),
        updated_at: row.updated_at,
    };
    let mut view = shown.view(now)?;
    view["last_used_at"] = json!(optional_time(row.last_used_at)?);
    Ok(view)
}
