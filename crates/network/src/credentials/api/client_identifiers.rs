//! Client identifiers over the API.

use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::sorts::{Credential, Shown, one};
use super::{CredentialPath, description, refuse_disabled};
use crate::credentials::client_identifier;
use crate::credentials::store::{self, ClientIdentifierRow};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, or_empty};

impl Credential for ClientIdentifierRow {
    fn all<'t>(tx: &'t mut Tx, account: &'t str) -> UnitFuture<'t, Result<Vec<Self>, DbError>> {
        Box::pin(store::client_identifiers(tx, account))
    }

    fn find<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str) -> UnitFuture<'t, Result<Option<Self>, DbError>> {
        Box::pin(store::client_identifier(tx, account, id))
    }

    fn disable<'t>(tx: &'t mut Tx, account: &'t str, id: &'t str, now: i64) -> UnitFuture<'t, Result<bool, DbError>> {
        Box::pin(store::disable_client_identifier(tx, account, id, now))
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
        view["identity"] = json!({"client_id": self.client_id});
        view["config"] = json!({"allowed_domains": self.domains(), "redirect_uris": self.redirects()});
        Ok(())
    }
}

pub(super) async fn create(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::client_identifier_create(), &body)?;
    call.once(&body, false, |tx, ctx, on, body| Box::pin(create_one(tx, ctx, on, body))).await
}

async fn create_one(tx: &mut Tx, ctx: Ctx, on: OnBehalf, body: Value) -> Result<Reply, ApiError> {
    let (account, now) = (&on.account, ctx.clock.now());
    let domains = texts(&body, "allowed_domains").unwrap_or_default();
    let redirects = texts(&body, "redirect_uris").unwrap_or_default();
    let config = (domains.as_slice(), redirects.as_slice());
    let (id, _) = client_identifier::add(tx, &ctx.random, account, description(&body), config, now).await?;
    let made: ClientIdentifierRow = one(tx, account.as_str(), id.as_str(), now).await?;
    Ok(Reply::json(StatusCode::CREATED, &made.view(now)?))
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
            let mut row: ClientIdentifierRow = one(tx, account, &id, now).await?;
            refuse_disabled(row.life(), now)?;
            if let Some(description) = body.get("description").and_then(Value::as_str) {
                description.clone_into(&mut row.description);
            }
            if let Some(domains) = texts(&body, "allowed_domains") {
                row.allowed_domains = json!(domains).to_string();
            }
            if let Some(redirects) = texts(&body, "redirect_uris") {
                row.redirect_uris = json!(redirects).to_string();
            }
            row.updated_at = now;
            store::update_client_identifier(tx, account, &row).await?;
            Ok(Reply::json(StatusCode::OK, &row.view(now)?))
        })
    })
    .await
}

/// As sent, checked before; `None` when the body leaves them alone.
fn texts(body: &Value, member: &str) -> Option<Vec<String>> {
    let entries = body.get("config")?.get(member)?.as_array()?;
    Some(entries.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
