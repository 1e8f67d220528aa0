//! Customer tokens: Klarna's leave to charge a customer again, by subscription or on demand (PUR-3, PUR-4).
//!
//! A payment asks for one with `request_customer_token`; when the customer approved, it is here. Klarna's token never leaves the
//! gateway: it is kept sealed, and the Partner names it by an id of ours (sheet 03 §6.1). A later payment with `customer_token_id` is
//! charged without asking the customer, if the token's scopes say so. Revoked here, it is revoked at Klarna by a job; revoked by the customer
//! at Klarna, a webhook tells.

pub(super) mod api;
pub(super) mod jobs;
pub(super) mod store;

use kit::db::{DbError, Tx};
use protocol::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::record::Payment;
use crate::Ctx;
use crate::events::{self, NewEvent};
use crate::klarna::{CallError, Trouble};
use crate::sealed::CUSTOMER_TOKEN;

/// What a Partner asks for: scopes, and its own reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `payment:customer_present`, `payment:customer_not_present`, `customer:login`.
    pub scopes: Vec<String>,
    /// The Partner's own, shown by Klarna in the customer's app and in revocations.
    #[serde(rename = "customer_token_reference", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Whether it can be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    /// Final.
    Revoked,
}

impl TokenState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Revoked => "REVOKED",
        }
    }

    fn from_stored(text: &str) -> Self {
        if text == "ACTIVE" { Self::Active } else { Self::Revoked }
    }
}

/// A token as stored, but for the token itself.
#[derive(Clone, Debug)]
pub struct CustomerToken {
    /// `ctk_…`.
    pub token_id: String,
    pub state: TokenState,
    pub asked: Asked,
    /// The payment that asked for it.
    pub payment_id: String,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// A customer token as Partners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CustomerTokenView {
    /// `ctk_…`: what a payment names as `customer_token_id`.
    pub id: String,
    /// ACTIVE or REVOKED.
    pub state: &'static str,
    /// Your reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_token_reference: Option<String>,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// The payment that asked for it.
    pub payment_id: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
}

impl CustomerToken {
    /// As Partners see it.
    pub fn view(&self) -> CustomerTokenView {
        let time = |micros| Timestamp::from_micros(micros).map(|time| time.to_string()).unwrap_or_default();
        CustomerTokenView {
            id: self.token_id.clone(),
            state: self.state.as_str(),
            customer_token_reference: self.asked.reference.clone(),
            scopes: self.asked.scopes.clone(),
            payment_id: self.payment_id.clone(),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
        }
    }
}

/// Our id of the token that a payment brings: one payment, one token. Ascends with time, as the payment's does.
fn id_of(payment_id: &str) -> String {
    format!("ctk_{}", payment_id.strip_prefix("pay_").unwrap_or(payment_id))
}

fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Keeps the token that a payment asked for, whichever way Klarna tells of it first; the payment names it from now on.
///
/// # Errors
/// [`DbError`].
pub(super) async fn learn(tx: &mut Tx, ctx: &Ctx, payment: &mut Payment, token: &SecretString) -> Result<(), DbError> {
    let Some(asked) = payment.detail.request_customer_token.clone() else { return Ok(()) };
    if payment.detail.customer_token_id.is_some() {
        return Ok(());
    }
    let token_id = id_of(&payment.payment_id);
    let sealed =
        ctx.secrets.seal(CUSTOMER_TOKEN.place(&[&payment.partner_id, &token_id]), token.expose_secret().as_bytes());
    let now = ctx.clock.now();
    let stored = CustomerToken {
        token_id: token_id.clone(),
        state: TokenState::Active,
        asked,
        payment_id: payment.payment_id.clone(),
        created_at: now,
        updated_at: now,
    };
    store::insert(tx, &payment.partner_id, &stored, &sealed, &digest(token.expose_secret())).await?;
    payment.detail.customer_token_id = Some(token_id);
    Ok(())
}

/// Klarna's token, for a call.
///
/// # Errors
/// [`CallError::NotSent`] when it does not open.
pub(super) async fn reveal(ctx: &Ctx, partner_id: &str, token_id: &str) -> Result<SecretString, CallError> {
    let missing = |reason: String| CallError::NotSent(Trouble::Unreadable { status: 0, reason });
    let (partner, id) = (partner_id.to_owned(), token_id.to_owned());
    let read = ctx.db.read(move |tx| Box::pin(async move { store::sealed(tx, &partner, &id).await }));
    let sealed: Option<Vec<u8>> = read.await.map_err(|error| missing(format!("reading a customer token: {error}")))?;
    let opened =
        sealed.and_then(|sealed| ctx.secrets.open(CUSTOMER_TOKEN.place(&[partner_id, token_id]), &sealed).ok());
    let text = opened.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    text.map(SecretString::from).ok_or_else(|| missing("a sealed customer token does not open".to_owned()))
}

/// Klarna tells that a token was revoked, by the customer or by us: charging ends, and the Partner hears of it once.
///
/// # Errors
/// [`kit::http::ApiError`], as the event's writing says.
pub(super) async fn revoked_at_klarna(
    tx: &mut Tx,
    ctx: &Ctx,
    partner_id: &str,
    payload: &Value,
) -> Result<super::Applied, kit::http::ApiError> {
    let Some(token) = payload.get("customer_token").and_then(Value::as_str) else {
        return Ok(super::Applied::Unchanged);
    };
    let now = ctx.clock.now();
    match store::find_by_digest(tx, partner_id, &digest(token)).await? {
        None => Ok(super::Applied::Unknown),
        Some(known) if known.state == TokenState::Revoked => Ok(super::Applied::Unchanged),
        Some(known) => {
            revoke(tx, ctx, partner_id, known, now).await?;
            Ok(super::Applied::Changed)
        }
    }
}

/// Ends a token here, and tells the Partner.
async fn revoke(
    tx: &mut Tx,
    ctx: &Ctx,
    partner_id: &str,
    mut token: CustomerToken,
    now: i64,
) -> Result<CustomerToken, kit::http::ApiError> {
    store::revoke(tx, partner_id, &token.token_id, now).await?;
    (token.state, token.updated_at) = (TokenState::Revoked, now);
    let event = NewEvent {
        partner_id,
        event_type: "customer_token.revoked",
        payment_id: Some(&token.payment_id),
        data: json!({ "customer_token": token.view() }),
        occurred_at: now,
    };
    events::emit(tx, ctx, &event).await?;
    Ok(token)
}
