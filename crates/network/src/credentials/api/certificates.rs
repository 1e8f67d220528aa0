//! Client certificates over the API.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault, JsonBody};
use protocol::Timestamp;
use protocol::shapes::credentials as shapes;
use serde_json::{Value, json};

use super::{CredentialPath, absent, description, optional_time, time};
use crate::credentials::certificate::{self, NewCertificate, SigningRequest, State as Standing, Usage};
use crate::credentials::certificate_authority::authority;
use crate::credentials::mtls::Mode;
use crate::credentials::{protection, store};
use crate::ctx::Ctx;
use crate::operation::{Call, OnBehalf, Reply, check, conflict, invalid};

/// Certificates of one account that are neither revoked nor expired (RULINGS §2).
const CERTIFICATES_MAX: usize = 10;

pub(super) async fn create(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    let (usage, request) = read_request(&body)?;
    let authority = authority(&call.ctx).await?;
    let made = call
        .once(&body, false, move |tx, ctx, on, body| {
            let (authority, request) = (authority.clone(), request.clone());
            Box::pin(async move {
                let (account, now) = (&on.account, ctx.clock.now());
                store::lock(tx, account.as_str()).await?;
                let present = store::certificates(tx, account.as_str()).await?;
                let active = |row: &&store::CertificateRow| row.validity().state(now) == Standing::Active;
                if present.iter().filter(active).count() >= CERTIFICATES_MAX {
                    return Err(conflict(format!(
                        "The account has {CERTIFICATES_MAX} client certificates. Revoke one to make room."
                    )));
                }
                let new = NewCertificate { account, usage, request: &request, description: description(&body) };
                let row = certificate::issue(tx, &ctx.random, &authority, &new, now).await?;
                if usage == Usage::Mtls {
                    protection::begin_mtls(tx, account.as_str(), now).await?;
                }
                Ok(Reply::json(StatusCode::CREATED, &view(&row, &authority.pem, now)?))
            })
        })
        .await;
    call.ctx.verified_keys.forget();
    made
}

/// All faults at once, those of the signing request among them.
fn read_request(body: &Value) -> Result<(Usage, SigningRequest), ApiError> {
    let mut faults = shapes::client_certificate_create().check(body);
    let config = |name: &str| body.get("config").and_then(|config| config.get(name)).and_then(Value::as_str);
    const REQUEST: &str = "config.certificate_signing_request";
    let request = config("certificate_signing_request").map(SigningRequest::read);
    if let Some(Err(reason)) = &request
        && !faults.iter().any(|fault| fault.parameter.as_deref() == Some(REQUEST))
    {
        faults.push(protocol::ValidationError::new(REQUEST, *reason));
    }
    match (config("usage").and_then(Usage::parse), request, faults.is_empty()) {
        (Some(usage), Some(Ok(request)), true) => Ok((usage, request)),
        _ => Err(invalid(faults)),
    }
}

pub(super) async fn list(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let (now, authority) = (ctx.clock.now(), authority(&ctx).await?);
    let rows: Vec<store::CertificateRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::certificates(tx, on.account.as_str()).await })).await?;
    let credentials = rows.iter().map(|row| view(row, &authority.pem, now)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"credentials": credentials})))
}

pub(super) async fn read(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<CredentialPath>,
) -> Result<Reply, ApiError> {
    let (now, authority) = (ctx.clock.now(), authority(&ctx).await?);
    let row: store::CertificateRow = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move { one(tx, on.account.as_str(), &path.credential_id).await })
        })
        .await?;
    Ok(Reply::json(StatusCode::OK, &view(&row, &authority.pem, now)?))
}

pub(super) async fn update(
    call: Call,
    Path(path): Path<CredentialPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::credential_update(), &body)?;
    let authority = authority(&call.ctx).await?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let (id, authority) = (path.credential_id.clone(), authority.clone());
        Box::pin(async move {
            let now = ctx.clock.now();
            let mut row = one(tx, on.account.as_str(), &id).await?;
            description(&body).clone_into(&mut row.description);
            row.updated_at = now;
            store::update_certificate(tx, &row).await?;
            Ok(Reply::json(StatusCode::OK, &view(&row, &authority.pem, now)?))
        })
    })
    .await
}

/// `{"revoked_from": <time>}`, or `NOW` as with enforcement. Ours: a time that is past is fine, and one that lies ahead can be moved
/// until it comes.
pub(super) async fn revoke(
    call: Call,
    Path(path): Path<CredentialPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::certificate_revoke(), &body)?;
    let authority = authority(&call.ctx).await?;
    let revoked = call
        .once(&body, false, move |tx, ctx, on, body| {
            let (id, authority) = (path.credential_id.clone(), authority.clone());
            Box::pin(async move {
                let (account, now) = (on.account.as_str(), ctx.clock.now());
                store::lock(tx, account).await?;
                let mut row = one(tx, account, &id).await?;
                let at = body.get("revoked_from").and_then(Value::as_str).unwrap_or_default();
                row.revoked_from = Some(time_or_now("revoked_from", at, now)?);
                match store::certificate(tx, account, &id).await?.map(|row| row.validity().state(now)) {
                    Some(Standing::Revoked) => return Err(conflict("The certificate is revoked already.")),
                    Some(Standing::Expired) => return Err(conflict("The certificate has expired.")),
                    Some(Standing::Active) | None => {}
                }
                refuse_lockout(tx, account, &row, now).await?;
                row.updated_at = now;
                store::update_certificate(tx, &row).await?;
                Ok(Reply::json(StatusCode::OK, &view(&row, &authority.pem, now)?))
            })
        })
        .await;
    call.ctx.verified_keys.forget();
    revoked
}

/// Ours: while mTLS is enforced, or announced, one certificate must stay, or nobody could call any more.
async fn refuse_lockout(tx: &mut Tx, account: &str, row: &store::CertificateRow, now: i64) -> Result<(), ApiError> {
    if row.usage != Usage::Mtls.as_str() {
        return Ok(());
    }
    let mtls = protection::read(tx, account).await?.mtls;
    if mtls.mode(now) == Mode::NotEnabled || mtls.enforced_from.is_none() {
        return Ok(());
    }
    let stays = store::certificates(tx, account).await?.into_iter().any(|other| {
        other.credential_id != row.credential_id
            && other.usage == Usage::Mtls.as_str()
            && other.revoked_from.is_none()
            && other.validity().is_good(now)
    });
    if stays {
        return Ok(());
    }
    Err(conflict(
        "mTLS is enforced, and without this certificate nobody could call. Remove the enforcement, or make another \
         certificate, first.",
    ))
}

/// A time, or `NOW`.
pub(super) fn time_or_now(name: &'static str, text: &str, now: i64) -> Result<i64, ApiError> {
    if text == "NOW" {
        return Ok(now);
    }
    let at: Timestamp =
        text.parse().map_err(|_| ApiError::validation(vec![FieldFault::new(name, "must be a time or NOW")]))?;
    Ok(at.as_micros())
}

async fn one(tx: &mut Tx, account: &str, id: &str) -> Result<store::CertificateRow, ApiError> {
    store::certificate(tx, account, id).await?.ok_or_else(absent)
}

fn view(row: &store::CertificateRow, authority: &str, now: i64) -> Result<Value, ApiError> {
    let validity = row.validity();
    let ended = match validity.state(now) {
        Standing::Active => row.updated_at,
        Standing::Revoked => validity.revoked_from.unwrap_or(row.updated_at),
        Standing::Expired => validity.to,
    };
    Ok(json!({
        "credential_id": row.credential_id,
        "description": row.description,
        "state": validity.state(now).as_str(),
        "config": {"usage": row.usage},
        "certificate": row.certificate,
        // The certificate first, then who issued it: as servers and libraries want to load it.
        "certificate_chain": format!("{}{authority}", row.certificate),
        "valid_from": time(row.valid_from)?,
        "valid_to": time(row.valid_to)?,
        "revoked_from": optional_time(row.revoked_from)?,
        "created_at": time(row.created_at)?,
        "updated_at": time(ended.max(row.updated_at))?,
    }))
}
