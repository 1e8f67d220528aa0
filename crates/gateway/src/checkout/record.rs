//! A session with everything that is stored of it, and how Partners see it.

use std::collections::BTreeMap;

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::{Currency, Money};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::{CreateSession, OtherMethod};
use super::branding::Branding;
use super::session::{End, SessionState};
use super::store;
use crate::Ctx;
use crate::events::{self, NewEvent, wire_time};
use crate::sealed::{CHECKOUT_KEY, CHECKOUT_TOKEN};

/// Bytes of the key in a page's address.
const KEY_BYTES: usize = 24;

/// How an order was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the session's payment.
    Klarna,
    /// Elsewhere, as the Partner said.
    Other,
}

impl Method {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Klarna => "KLARNA",
            Self::Other => "OTHER",
        }
    }

    /// From the database.
    pub fn from_stored(text: &str) -> Self {
        if text == "KLARNA" { Self::Klarna } else { Self::Other }
    }
}

/// A session as stored.
#[derive(Clone, Debug)]
pub struct Session {
    pub partner_id: String,
    /// `cs_…`.
    pub session_id: String,
    /// Moves with every change.
    pub version: i64,
    pub state: SessionState,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// The Partner's own.
    pub reference: Option<String>,
    /// Payments that were made in it.
    pub attempt: i64,
    /// The last of them.
    pub payment_id: Option<String>,
    pub method: Option<Method>,
    /// SHA-256 of the key in the page's address, in hex.
    pub key_hash: String,
    /// The key, sealed.
    pub access_key: Vec<u8>,
    /// The session token that the Partner handed over, sealed.
    pub token: Option<Vec<u8>>,
    pub detail: Detail,
    /// Microseconds UTC, as all times here.
    pub expires_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub completed_at: Option<i64>,
}

/// What is stored as one document, because nothing searches it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// The members of the payment to be made.
    pub order: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_method: Option<OtherMethod>,
    pub branding: Branding,
    /// The link that opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_link_id: Option<String>,
    /// When the customer left for the other method; absent once the choice was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_method_chosen_at: Option<i64>,
}

/// A session as Partners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckoutSessionView {
    /// `cs_…`.
    pub id: String,
    /// `OPEN`, `COMPLETED`, `EXPIRED` or `CANCELED`.
    pub state: String,
    /// Where to send the customer. Whoever has it can pay and sees the order: treat it like the order itself. Absent in events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Your reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How the order was paid: `KLARNA`, or `OTHER` as you said yourself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'static str>,
    /// The payment of the last try, `pay_…`; in `COMPLETED` with `KLARNA`, the one that was authorized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// Payments that were tried.
    pub attempts: i64,
    /// When the customer left for the other method; absent once the customer wanted to choose again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_method_chosen_at: Option<String>,
    /// The link that opens it, `pl_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_link_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// Your own entries, which the payment gets too.
    pub metadata: BTreeMap<String, String>,
    /// RFC 3339, UTC, as all times.
    pub expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

/// The key of a page's address, and what is kept of it.
pub(crate) struct NewKey {
    pub text: String,
    pub hash: String,
}

impl NewKey {
    /// Draws one.
    pub(crate) fn draw(ctx: &Ctx) -> Self {
        let text = ctx.random.base64url(KEY_BYTES);
        Self { hash: crate::payments::token_hash(&text), text }
    }
}

impl Session {
    /// A session that begins now, and the key of its page.
    pub(crate) fn new(ctx: &Ctx, partner_id: &str, asked: CreateSession) -> (Self, NewKey) {
        let now = ctx.clock.now();
        let session_id = format!("cs_{}", ctx.random.id(now).simple());
        let key = NewKey::draw(ctx);
        let place = [partner_id, &session_id];
        let state = if asked.is_completed { SessionState::Completed } else { SessionState::Open };
        let session = Self {
            access_key: ctx.secrets.seal(CHECKOUT_KEY.place(&place), key.text.as_bytes()),
            token: asked
                .token
                .map(|token| ctx.secrets.seal(CHECKOUT_TOKEN.place(&place), token.expose_secret().as_bytes())),
            partner_id: partner_id.to_owned(),
            version: 1,
            method: asked.is_completed.then_some(Method::Other),
            completed_at: asked.is_completed.then_some(now),
            state,
            amount: asked.amount,
            currency: asked.currency,
            reference: asked.reference,
            attempt: 0,
            payment_id: None,
            key_hash: key.hash.clone(),
            detail: Detail {
                order: asked.order,
                other_method: asked.other_method,
                branding: asked.branding,
                ..Detail::default()
            },
            expires_at: asked.expires_at,
            created_at: now,
            updated_at: now,
            session_id,
        };
        (session, key)
    }

    /// The page's address, which holds its key.
    ///
    /// # Errors
    /// 500 when the key cannot be unsealed.
    pub(crate) fn url(&self, ctx: &Ctx) -> Result<String, ApiError> {
        let place = CHECKOUT_KEY.place(&[&self.partner_id, &self.session_id]);
        let opened = ctx.secrets.open(place, &self.access_key).map_err(ApiError::internal)?;
        let key = std::str::from_utf8(&opened).map_err(ApiError::internal)?;
        Ok(format!("{}/checkout/{key}", ctx.config.public_url.as_str().trim_end_matches('/')))
    }

    /// The session token that the Partner handed over.
    ///
    /// # Errors
    /// 500 when it cannot be unsealed.
    pub(crate) fn token(&self, ctx: &Ctx) -> Result<Option<SecretString>, ApiError> {
        let Some(sealed) = &self.token else { return Ok(None) };
        let place = CHECKOUT_TOKEN.place(&[&self.partner_id, &self.session_id]);
        let opened = ctx.secrets.open(place, sealed).map_err(ApiError::internal)?;
        let text = String::from_utf8(opened.to_vec()).map_err(ApiError::internal)?;
        Ok(Some(text.into()))
    }

    /// A text member of the order.
    pub(crate) fn order_text(&self, name: &str) -> Option<&str> {
        self.detail.order.get(name).and_then(Value::as_str)
    }

    /// What is to be paid.
    pub(crate) fn money(&self) -> Option<Money> {
        self.currency.parse::<Currency>().ok().map(|currency| Money::new(self.amount, currency))
    }

    /// Where the customer goes when all is done: the Partner's page, told how it ended.
    pub(crate) fn partners_page(&self, name: &str) -> Option<String> {
        let mut url = url::Url::parse(self.order_text(name)?).ok()?;
        url.query_pairs_mut()
            .append_pair("checkout_session_id", &self.session_id)
            .append_pair("state", self.state.as_str());
        if let Some(payment_id) = &self.payment_id {
            url.query_pairs_mut().append_pair("payment_id", payment_id);
        }
        Some(url.into())
    }

    /// Where the customer pays in another way, told of which session.
    pub(crate) fn other_method_page(&self) -> Option<String> {
        let mut url = url::Url::parse(&self.detail.other_method.as_ref()?.url).ok()?;
        url.query_pairs_mut().append_pair("checkout_session_id", &self.session_id);
        Some(url.into())
    }

    /// As Partners see it; without its address.
    pub(crate) fn view(&self) -> CheckoutSessionView {
        let text = |name: &str| self.order_text(name).map(str::to_owned);
        CheckoutSessionView {
            id: self.session_id.clone(),
            state: self.state.to_string(),
            url: None,
            amount: self.amount,
            currency: self.currency.clone(),
            reference: self.reference.clone(),
            method: self.method.map(Method::as_str),
            payment_id: self.payment_id.clone(),
            attempts: self.attempt,
            other_method_chosen_at: self.detail.other_method_chosen_at.map(wire_time),
            payment_link_id: self.detail.payment_link_id.clone(),
            return_url: text("return_url"),
            cancel_url: text("cancel_url"),
            metadata: serde_json::from_value(self.detail.order["metadata"].clone()).unwrap_or_default(),
            expires_at: wire_time(self.expires_at),
            completed_at: self.completed_at.map(wire_time),
            created_at: wire_time(self.created_at),
            updated_at: wire_time(self.updated_at),
        }
    }

    /// The same with its address.
    ///
    /// # Errors
    /// As [`Session::url`].
    pub(crate) fn whole(&self, ctx: &Ctx) -> Result<CheckoutSessionView, ApiError> {
        Ok(CheckoutSessionView { url: Some(self.url(ctx)?), ..self.view() })
    }

    /// Writes a change, under the session's lock.
    pub(super) async fn save(&mut self, tx: &mut Tx, now: i64) -> Result<(), DbError> {
        self.updated_at = now;
        store::save(tx, self).await
    }

    /// Ends it and tells the Partner; false if it had ended before.
    pub(super) async fn end(
        &mut self,
        tx: &mut Tx,
        ctx: &Ctx,
        end: End,
        method: Option<Method>,
    ) -> Result<bool, ApiError> {
        let now = ctx.clock.now();
        let Ok(state) = self.state.clone().next(end) else { return Ok(false) };
        self.state = state;
        self.method = method;
        self.completed_at = method.map(|_| now);
        // Nothing is begun any more that could need it.
        self.token = None;
        self.save(tx, now).await?;
        super::jobs::forget(tx, self).await?;
        let event_type = match end {
            End::Paid => "checkout_session.completed",
            End::TimeOver => "checkout_session.expired",
            End::Canceled => "checkout_session.canceled",
        };
        self.tell(tx, ctx, event_type).await?;
        Ok(true)
    }

    /// Tells the Partner.
    pub(super) async fn tell(&self, tx: &mut Tx, ctx: &Ctx, event_type: &str) -> Result<(), ApiError> {
        let event = NewEvent {
            partner_id: &self.partner_id,
            event_type,
            payment_id: self.payment_id.as_deref(),
            data: json!({ "checkout_session": self.view() }),
            occurred_at: ctx.clock.now(),
        };
        events::emit(tx, ctx, &event).await
    }
}
