//! Client identifiers over the API.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::{CredentialPath, Shown, absent, description, refuse_disabled};
use crate::credentials::{client_identifier, store};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, or_empty};

pub(super) async fn create(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::client_identifier_create(), &body)?;
    call.once(&body, false, |tx, ctx, on, body| Box::pin(create_one(tx, ctx, on, body))).await
}

async fn create_one(tx: &mut Tx, ctx: Ctx, on: OnBehalf, body: Value) -> Result<Reply, ApiError> {
    let (account, now) = (&on.account, ctx.clock.now());
    let domains = allowed_domains(&body).unwrap_or_default();
    let (id, _) = client_identifier::add(tx, &ctx.random, account, description(&body), &domains, now).await?;
    let row = one(tx, account.as_str(), id.as_str(), now).await?;
    Ok(Reply::json(StatusCode::CREATED, &view(&row, now)?))
}

pub(super) async fn list(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let rows: Vec<store::ClientIdentifierRow> = ctx
        .db
        .read(move |tx| Box::pin(async move { store::client_identifiers(tx, on.account.as_str()).await }))
        .await?;
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
    let row: store::ClientIdentifierRow = ctx
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
    check(shapes::client_identifier_update(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.credential_id.clone();
        Box::pin(async move {
            let (account, now) = (on.account.as_str(), ctx.clock.now());
            let mut row = one(tx, account, &id, now).await?;
            refuse_disabled(row.life(), now)?;
            if let Some(description) = body.get("description").and_then(Value::as_str) {
                description.clone_into(&mut row.description);
            }
            if let Some(domains) = allowed_domains(&body) {
                row.allowed_domains = json!(domains).to_string();
            }
            row.updated_at = now;
            store::update_client_identifier(tx, account, &row).await?;
            Ok(Reply::json(StatusCode::OK, &view(&row, now)?))
        })
    })
    .await
}

/// A repetition finds it disabled, and is content.
pub(super) async fn delete(call: Call, Path(path): Path<CredentialPath>) -> Result<Reply, ApiError> {
    call.write(move |tx, ctx, on| {
        let id = path.credential_id.clone();
        Box::pin(async move {
            let (account, now) = (on.account.as_str(), ctx.clock.now());
            one(tx, account, &id, now).await?;
            store::disable_client_identifier(tx, account, &id, now).await?;
            Ok(Reply::no_content())
        })
    })
    .await
}

/// As sent, checked before; `None` when the body leaves them alone.
fn allowed_domains(body: &Value) -> Option<Vec<String>> {
    let entries = body.get("config")?.get("allowed_domains")?.as_array()?;
    Some(entries.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

async fn one(tx: &mut Tx, account: &str, id: &str, now: i64) -> Result<store::ClientIdentifierRow, ApiError> {
    store::client_identifier(tx, account, id).await?.filter(|row| !row.life().is_gone(now)).ok_or_else(absent)
}

fn view(row: &store::ClientIdentifierRow, now: i64) -> Result<Value, ApiError> {
    let shown = Shown {
        credential_id: &row.credential_id,
        description: &row.description,
        life: row.life(),
        updated_at: row.updated_at,
    };
    let mut view = shown.view(now)?;
    view["identity"] = json!({"client_id": row.client_id});
    view["config"] = json!({"allowed_domains": row.domains()});
    Ok(view)
}
