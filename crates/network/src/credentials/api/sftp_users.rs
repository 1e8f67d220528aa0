//! SFTP users over the API. There is no operation that changes one (fact sheet 01 §2.3).

use axum::response::Response;
use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, OptionalJsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::sorts::{Credential, Shown, one};
use super::{description, optional_time};
use crate::credentials::store::{self, SftpUserRow};
use crate::credentials::{refuse_beyond_max, sftp_user};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, or_empty};

impl Credential for SftpUserRow {
    fn all<'t>(tx: &'t mut Tx, account: &'t str) -> UnitFuture<'t, Result<Vec<Self>, DbError>> {
        Box::pin(store::sftp_users(tx, account))
    }

    fn find<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str) -> UnitFuture<'t, Result<Option<Self>, DbError>> {
        Box::pin(store::sftp_user(tx, account, id))
    }

    fn disable<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str, now: i64) -> UnitFuture<'t, Result<bool, DbError>> {
        Box::pin(store::disable_sftp_user(tx, account, id, now))
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
        view["identity"] = json!({"username": self.username});
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
    store::lock(tx, account.as_str()).await?;
    let users = store::sftp_users(tx, account.as_str()).await?;
    refuse_beyond_max(users.iter().filter(|row| row.life().is_active(now)).count(), "SFTP users")?;
    let made = sftp_user::insert(tx, &ctx.random, account, description(&body), now).await?;
    let user: SftpUserRow = one(tx, account.as_str(), made.credential_id.as_str(), now).await?;
    let mut view = user.view(now)?;
    view["secret"] = json!({"secret": made.password});
    Ok(Reply::json(StatusCode::CREATED, &view))
}
