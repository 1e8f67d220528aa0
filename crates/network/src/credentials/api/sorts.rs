//! What API keys, client identifiers and SFTP users have in common over the API: how they are listed, read and disabled.

use axum::extract::{Path, State};
use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use serde_json::{Value, json};

use super::{CredentialPath, absent, time};
use crate::credentials::life::Life;
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply};

/// A credential of one sort, as stored.
pub(super) trait Credential: Send + Sized + 'static {
    /// Those of an account, also the disabled ones.
    fn all<'t>(tx: &'t mut Tx, account: &'t str) -> UnitFuture<'t, Result<Vec<Self>, DbError>>;

    /// One of an account.
    fn find<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str) -> UnitFuture<'t, Result<Option<Self>, DbError>>;

    /// Disables one for good; says whether it was active.
    fn disable<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str, now: i64) -> UnitFuture<'t, Result<bool, DbError>>;

    /// What all sorts have.
    fn shown(&self) -> Shown<'_>;

    /// Adds what this sort has alone.
    ///
    /// # Errors
    /// 500 for a row that cannot be read.
    fn complete(&self, view: &mut Value) -> Result<(), ApiError>;

    /// As its owner reads it.
    ///
    /// # Errors
    /// 500 for a row that cannot be read.
    fn view(&self, now: i64) -> Result<Value, ApiError> {
        let shown = self.shown();
        // What happens by itself changes the credential, too.
        let updated_at = shown.life.disabled_at(now).unwrap_or(shown.updated_at).max(shown.updated_at);
        let mut view = json!({
            "credential_id": shown.credential_id,
            "description": shown.description,
            "state": shown.life.state(now),
            "created_at": time(shown.life.created_at)?,
            "updated_at": time(updated_at)?,
        });
        self.complete(&mut view)?;
        Ok(view)
    }
}

/// What all credentials show.
pub(super) struct Shown<'a> {
    pub credential_id: &'a str,
    pub description: &'a str,
    pub life: Life,
    pub updated_at: i64,
}

/// One that is still shown.
///
/// # Errors
/// 404; [`DbError`].
pub(super) async fn one<C: Credential>(tx: &mut Tx, account: &str, id: &str, now: i64) -> Result<C, ApiError> {
    C::find(tx, account, id).await?.filter(|found| !found.shown().life.is_gone(now)).ok_or_else(absent)
}

pub(super) async fn list<C: Credential>(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let read = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Vec<C>, DbError>> {
        Box::pin(async move { C::all(tx, on.account.as_str()).await })
    });
    let found = read.await?;
    let shown = found.iter().filter(|found| !found.shown().life.is_gone(now));
    let credentials = shown.map(|found| found.view(now)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"credentials": credentials})))
}

pub(super) async fn read<C: Credential>(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<CredentialPath>,
) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let read = ctx.db.read(move |tx| -> UnitFuture<'_, Result<C, ApiError>> {
        Box::pin(async move { one(tx, on.account.as_str(), &path.credential_id, now).await })
    });
    Ok(Reply::json(StatusCode::OK, &read.await?.view(now)?))
}

/// A repetition finds it disabled, and is content.
pub(super) async fn delete<C: Credential>(call: Call, Path(path): Path<CredentialPath>) -> Result<Reply, ApiError> {
    let deleted = call
        .write(move |tx, ctx, on| {
            let id = path.credential_id.clone();
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                one::<C>(tx, account, &id, now).await?;
                C::disable(tx, account, &id, now).await?;
                Ok(Reply::no_content())
            })
        })
        .await;
    // Also after an error: the commit may have happened all the same.
    call.ctx.verified_keys.forget();
    deleted
}
