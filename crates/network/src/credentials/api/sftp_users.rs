//! SFTP users over the API. There is no operation that changes one (fact sheet 01 §2.3).

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, OptionalJsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::{CredentialPath, Shown, absent, description, optional_time};
use crate::credentials::{refuse_beyond_max, sftp_user, store};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, or_empty};

pub(super) async fn create(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::credential_create(), &body)?;
    call.once(&body, true, |tx, ctx, on, body| Box::pin(create_one(tx, ctx, on, body))).await
}

async fn create_one(tx: &mut Tx, ctx: Ctx, on: OnBehalf, body: Value) -> Result<Reply, ApiError> {
    let (account, now) = (&on.account, ctx.clock.now());
    store::lock(tx, account.as_str()).await?;
    let users = store::sftp_users(tx, account.as_str()).await?;
    refuse_beyond_max(users.iter().filter(|row| row.life().is_active(now)).count(), "SFTP users")?;
    let made = sftp_user::insert(tx, &ctx.random, account, description(&body), now).await?;
    let row = one(tx, account.as_str(), made.credential_id.as_str(), now).await?;
    let mut view = view(&row, now)?;
    view["secret"] = json!({"secret": made.password});
    Ok(Reply::json(StatusCode::CREATED, &view))
}

pub(super) async fn list(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let rows: Vec<store::SftpUserRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::sftp_users(tx, on.account.as_str()).await })).await?;
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
    let row: store::SftpUserRow = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move { one(tx, on.account.as_str(), &path.credential_id, now).await })
        })
        .await?;
    Ok(Reply::json(StatusCode::OK, &view(&row, now)?))
}

/// A repetition finds it disabled, and is content.
pub(super) async fn delete(call: Call, Path(path): Path<CredentialPath>) -> Result<Reply, ApiError> {
    call.write(move |tx, ctx, on| {
        let id = path.credential_id.clone();
        Box::pin(async move {
            let (account, now) = (on.account.as_str(), ctx.clock.now());
            one(tx, account, &id, now).await?;
            store::disable_sftp_user(tx, account, &id, now).await?;
            Ok(Reply::no_content())
        })
    })
    .await
}

async fn one(tx: &mut Tx, account: &str, id: &str, now: i64) -> Result<store::SftpUserRow, ApiError> {
    store::sftp_user(tx, account, id).await?.filter(|row| !row.life().is_gone(now)).ok_or_else(absent)
}

fn view(row: &store::SftpUserRow, now: i64) -> Result<Value, ApiError> {
    let shown = Shown {
        credential_id: &row.credential_id,
        description: &row.description,
        life: row.life(),
        updated_at: row.updated_at,
    };
    let mut view = shown.view(now)?;
    view["last_used_at"] = json!(optional_time(row.last_used_at)?);
    view["identity"] = json!({"username": row.username});
    Ok(view)
}
