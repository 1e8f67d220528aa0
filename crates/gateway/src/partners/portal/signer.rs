//! The key that vouches for users at Klarna (SEC-14): made here, certified there, sealed at rest, replaced well before its end.
//!
//! A new key is stored together with its certificate signing request before Klarna hears of it. Whoever finds it there repeats the
//! call under the same idempotency key, so that a crash or a second process makes no second certificate. The first link makes the
//! first key; a job replaces a key in the last tenth of its certificate's life, and revokes what it replaced.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jsonwebtoken::EncodingKey;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use protocol::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::store::{self, SignerRow};
use super::token::{self, Claims, User};
use crate::Ctx;
use crate::klarna::{CallError, Operation};
use crate::sealed::PORTAL_SIGNER;

/// Namespace of derived idempotency keys.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x2d31_8c0b_7a64_4f52_8a1b_94d2_1f6c_03e7);
/// A key is replaced when this share of its certificate's life is left.
const LAST_SHARE: i64 = 10;
/// A certificate that ends this soon vouches for nobody any more, in microseconds.
const TOO_LATE_US: i64 = 10 * MINUTE_US;
/// After this long nothing that a replaced key signed is good any more, in microseconds: much more than a token's life.
const RETIRED_US: i64 = HOUR_US;
const CERTIFICATES: [&str; 5] = ["v2", "account", "integration", "credentials", "client-certificate"];
const REQUESTED: &str = "REQUESTED";
const CURRENT: &str = "CURRENT";
const RETIRED: &str = "RETIRED";

/// A key that vouches, opened.
pub(super) struct Signer {
    signer_id: String,
    key: EncodingKey,
    chain: Vec<String>,
}

/// How the key that vouches stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerView {
    /// Klarna's name for its certificate.
    pub credential_id: String,
    /// Until when it is good, in microseconds UTC.
    pub valid_to: i64,
}

/// How the key that vouches stands; `None` before the first link.
///
/// # Errors
/// [`DbError`].
pub async fn signer_view(ctx: &Ctx) -> Result<Option<SignerView>, DbError> {
    let current = rows(ctx).await?.into_iter().find(|row| row.state == CURRENT);
    Ok(current.and_then(|row| Some(SignerView { credential_id: row.credential_id?, valid_to: row.valid_to? })))
}

impl Signer {
    /// The one in use; the first time it is made.
    ///
    /// # Errors
    /// As the database says, and 503 where Klarna does not certify the key.
    pub async fn current(ctx: &Ctx) -> Result<Self, ApiError> {
        let now = ctx.clock.now();
        let good = |row: &&SignerRow| row.state == CURRENT && row.valid_to.is_some_and(|end| end > now + TOO_LATE_US);
        let known = rows(ctx).await?;
        match known.iter().find(good) {
            Some(row) => Self::open(ctx, row),
            None => make(ctx).await,
        }
    }

    fn open(ctx: &Ctx, row: &SignerRow) -> Result<Self, ApiError> {
        let key = ctx.secrets.open(PORTAL_SIGNER.place(&[&account(ctx), &row.signer_id]), &row.private_key);
        let certificate = row.certificate.as_deref().unwrap_or_default();
        let chain = kit::tls::certificates(certificate.as_bytes(), "the certificate").map_err(ApiError::internal)?;
        Ok(Self {
            signer_id: row.signer_id.clone(),
            key: EncodingKey::from_ec_der(&key.map_err(ApiError::internal)?),
            chain: chain.iter().map(|der| STANDARD.encode(der)).collect(),
        })
    }

    /// Vouches for a user of an account.
    fn vouch(&self, ctx: &Ctx, account: &str, email: &str, user: &User) -> Result<(String, String), ApiError> {
        let now = ctx.clock.now();
        let id = ctx.random.id(now).to_string();
        let issuer = self::account(ctx);
        let claims = Claims { issuer: &issuer, account, email, user, id: id.clone(), now };
        Ok((token::sign(&claims, &self.key, &self.chain)?, id))
    }
}

/// Makes a call whose body is a token for a user, and makes it once more with a new key where Klarna does not accept ours any more
/// (its certificate was revoked there, by hand or by a rule). `account` is the Partner's, `seed` names what is asked for.
///
/// # Errors
/// What Klarna says, as [`Vouching::Call`].
pub(super) async fn vouched(
    ctx: &Ctx,
    operation: Operation,
    account: &str,
    email: &str,
    user: &User,
    seed: &str,
) -> Result<Value, Vouching> {
    let mut is_second = false;
    loop {
        let signer = Signer::current(ctx).await?;
        let (token, id) = signer.vouch(ctx, account, email, user)?;
        let key = Uuid::new_v5(&KEY_NAMESPACE, format!("{seed}/{id}").as_bytes());
        let sent = operation.clone().json(json!({"jwt": token}).to_string()).key(key);
        match ctx.klarna.send(&sent).await.and_then(|answer| answer.json()) {
            Err(CallError::Refused(refusal))
                if !is_second && refusal.error.faults().iter().any(|fault| fault.parameter() == "jwt") =>
            {
                tracing::warn!(signer.id = %signer.signer_id, "Klarna does not accept the key that vouches; a new one is made");
                retire(ctx, &signer.signer_id).await?;
                is_second = true;
            }
            other => return Ok(other?),
        }
    }
}

/// Why nobody was vouched for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Vouching {
    /// Klarna refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There is no key, or the database failed.
    #[error(transparent)]
    Own(#[from] ApiError),
}

impl From<Vouching> for ApiError {
    fn from(error: Vouching) -> Self {
        match error {
            Vouching::Own(error) => error,
            Vouching::Call(CallError::Refused(refusal)) => {
                let message = refusal.error.error_message.clone().unwrap_or_else(|| "Klarna refused it.".to_owned());
                Self::new(refusal.status, refusal.code().to_owned(), message)
            }
            Vouching::Call(error) => Self::unavailable(error),
        }
    }
}

/// Makes what is missing, replaces what ends soon, and revokes what was replaced: run on a timer. Nothing happens before the first
/// link.
///
/// # Errors
/// As the database says; what Klarna does not do now is tried again next time.
pub async fn renew(ctx: &Ctx) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let known = rows(ctx).await?;
    let ends_soon = |row: &SignerRow| match (row.valid_from, row.valid_to) {
        (Some(from), Some(to)) => now >= to - (to - from) / LAST_SHARE,
        _ => true,
    };
    // An alert on this tells of a key that is not replaced in time.
    if let Some(end) = known.iter().filter(|row| row.state == CURRENT).filter_map(|row| row.valid_to).max() {
        metrics::gauge!("portal_signer_ends_in_seconds").set(seconds(end - now));
    }
    let has_fresh = known.iter().any(|row| row.state == CURRENT && !ends_soon(row));
    if !known.is_empty() && !has_fresh {
        make(ctx).await?;
    }
    for row in known.iter().filter(|row| row.state == RETIRED && row.updated_at <= now - RETIRED_US) {
        revoke(ctx, row).await?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "seconds of years are far below what a float holds")]
fn seconds(micros: i64) -> f64 {
    (micros / SECOND_US) as f64
}

/// Has a key certified: the one that waits for it, or a new one.
async fn make(ctx: &Ctx) -> Result<Signer, ApiError> {
    let (row, is_repeated) = requested(ctx).await?;
    let body = json!({"description": "portal access", "config": {"usage": "JWT_SIGNING",
        "certificate_signing_request": row.signing_request}});
    let key = Uuid::new_v5(&KEY_NAMESPACE, row.signer_id.as_bytes());
    let mut operation =
        Operation::new("create_client_certificate", Method::POST, &CERTIFICATES).json(body.to_string()).key(key);
    operation.repeated = is_repeated;
    let made: Value = match ctx.klarna.send(&operation).await.and_then(|answer| answer.json()) {
        Ok(made) => made,
        Err(error) => {
            if matches!(error, CallError::Refused(_)) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "Klarna does not certify the key that vouches"
                );
                let (account, id) = (account(ctx), row.signer_id.clone());
                writing(ctx, move |tx| Box::pin(async move { store::delete_signer(tx, &account, &id).await })).await?;
            }
            return Err(ApiError::unavailable(error));
        }
    };
    let text = |name: &str| made.get(name).and_then(Value::as_str).map(str::to_owned);
    let time = |name: &str| text(name).and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_micros);
    let certified = SignerRow {
        state: CURRENT.to_owned(),
        certificate: text("certificate").or_else(|| text("certificate_chain")),
        credential_id: text("credential_id"),
        valid_from: time("valid_from"),
        valid_to: time("valid_to"),
        ..row
    };
    if certified.certificate.is_none() || certified.valid_to.is_none() {
        return Err(ApiError::internal("Klarna's answer has no certificate, or does not say how long it is good"));
    }
    let signer = Signer::open(ctx, &certified)?;
    let (account, now) = (account(ctx), ctx.clock.now());
    tracing::info!(signer.id = %certified.signer_id, "Klarna certified a key that vouches for portal users");
    writing(ctx, move |tx| Box::pin(async move { store::certified(tx, &account, &certified, now).await })).await?;
    Ok(signer)
}

/// The key that waits for its certificate, and whether Klarna may have heard of it before.
async fn requested(ctx: &Ctx) -> Result<(SignerRow, bool), ApiError> {
    if let Some(row) = rows(ctx).await?.into_iter().find(|row| row.state == REQUESTED) {
        return Ok((row, true));
    }
    let (account, now) = (account(ctx), ctx.clock.now());
    let signer_id = format!("sig_{}", ctx.random.id(now).simple());
    // The name in the certificate: which of our installations holds the key says more than whose account it is.
    let made = kit::tls::signing_request(&ctx.config.integrator_reference).map_err(ApiError::internal)?;
    let row = SignerRow {
        private_key: ctx.secrets.seal(PORTAL_SIGNER.place(&[&account, &signer_id]), &made.key_der),
        signer_id,
        state: REQUESTED.to_owned(),
        signing_request: made.request_pem,
        certificate: None,
        credential_id: None,
        valid_from: None,
        valid_to: None,
        created_at: now,
        updated_at: now,
    };
    let wanted = row.clone();
    let is_ours =
        writing(ctx, move |tx| Box::pin(async move { store::request_signer(tx, &account, &wanted).await })).await?;
    if is_ours {
        return Ok((row, false));
    }
    // Another process was faster.
    let other = rows(ctx).await?.into_iter().find(|row| row.state == REQUESTED);
    other
        .map(|row| (row, true))
        .ok_or_else(|| ApiError::unavailable("another process is replacing the key that vouches"))
}

async fn retire(ctx: &Ctx, signer_id: &str) -> Result<(), ApiError> {
    let (account, id, now) = (account(ctx), signer_id.to_owned(), ctx.clock.now());
    Ok(writing(ctx, move |tx| Box::pin(async move { store::retire_signer(tx, &account, &id, now).await })).await?)
}

async fn revoke(ctx: &Ctx, row: &SignerRow) -> Result<(), ApiError> {
    if let Some(credential) = &row.credential_id {
        let path: Vec<&str> = CERTIFICATES.into_iter().chain([credential.as_str(), "revoke"]).collect();
        let key = Uuid::new_v5(&KEY_NAMESPACE, format!("{}/revoke", row.signer_id).as_bytes());
        let operation = Operation::new("revoke_client_certificate", Method::POST, &path)
            .json(json!({"revoked_from": "NOW"}).to_string())
            .key(key);
        match ctx.klarna.send(&operation).await {
            // Refused: it is revoked, expired or gone.
            Ok(_) | Err(CallError::Refused(_)) => {}
            Err(error) => return Err(ApiError::unavailable(error)),
        }
    }
    let (account, id) = (account(ctx), row.signer_id.clone());
    Ok(writing(ctx, move |tx| Box::pin(async move { store::delete_signer(tx, &account, &id).await })).await?)
}

async fn rows(ctx: &Ctx) -> Result<Vec<SignerRow>, DbError> {
    let account = account(ctx);
    ctx.db.read(move |tx| Box::pin(async move { store::signers(tx, &account).await })).await
}

async fn writing<T, F>(ctx: &Ctx, unit: F) -> Result<T, DbError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, DbError>> + Clone + Send + 'static,
{
    ctx.db.write_repeating(|| unit.clone()).await
}

fn account(ctx: &Ctx) -> String {
    ctx.config.klarna_account_id.to_string()
}
