//! Links and tills as stored, and as Partners see them.

use std::collections::BTreeMap;

use kit::http::ApiError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Ctx;
use crate::checkout::branding::Branding;
use crate::checkout::record::{NewKey, Session};
use crate::events::wire_time;
use crate::sealed::TILL_KEY;

/// A link: a name for a session.
#[derive(Clone, Debug)]
pub struct Link {
    /// `pl_…`.
    pub link_id: String,
    pub session_id: String,
    /// The till that made it.
    pub till_id: Option<String>,
}

/// Where the code of a link is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QrCodeView {
    /// For screens and print of any size.
    pub svg_url: String,
    /// For programs that take no SVG.
    pub png_url: String,
}

/// A payment link as Partners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentLinkView {
    /// `pl_…`.
    pub id: String,
    /// `OPEN`, `COMPLETED`, `EXPIRED` or `CANCELED`.
    pub state: String,
    /// To be sent, or shown as a code. Whoever has it can pay.
    pub url: String,
    /// The same as a QR code.
    pub qr_code: QrCodeView,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Your reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What its page is, `cs_…`; events name it.
    pub checkout_session_id: String,
    /// The payment of the last try, `pay_…`; in `COMPLETED`, the one that was authorized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// The till that made it, `till_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub till_id: Option<String>,
    /// Your own entries, which the payment gets too.
    pub metadata: BTreeMap<String, String>,
    /// RFC 3339, UTC, as all times.
    pub expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    pub created_at: String,
}

impl Link {
    /// As Partners see it.
    ///
    /// # Errors
    /// 500 when the address cannot be unsealed.
    pub fn view(&self, ctx: &Ctx, session: &Session) -> Result<PaymentLinkView, ApiError> {
        let (url, view) = (session.url(ctx)?, session.view());
        Ok(PaymentLinkView {
            id: self.link_id.clone(),
            state: view.state,
            qr_code: QrCodeView { svg_url: format!("{url}/qr.svg"), png_url: format!("{url}/qr.png") },
            url,
            amount: view.amount,
            currency: view.currency,
            reference: view.reference,
            checkout_session_id: view.id,
            payment_id: view.payment_id,
            till_id: self.till_id.clone(),
            metadata: view.metadata,
            expires_at: view.expires_at,
            completed_at: view.completed_at,
            created_at: view.created_at,
        })
    }
}

/// A till that sells.
pub const ACTIVE: &str = "ACTIVE";
/// A till whose page is closed for good.
pub const DISABLED: &str = "DISABLED";

/// A till as stored.
#[derive(Clone, Debug)]
pub struct Till {
    pub partner_id: String,
    /// `till_…`.
    pub till_id: String,
    /// What the shop calls it.
    pub name: String,
    /// ISO 4217: what is sold in.
    pub currency: String,
    /// Whether refunds can be made at it.
    pub may_refund: bool,
    pub detail: TillDetail,
    pub key_hash: String,
    /// Sealed.
    pub access_key: Vec<u8>,
    /// Microseconds UTC.
    pub created_at: i64,
    pub disabled_at: Option<i64>,
}

/// What nothing searches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TillDetail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    pub branding: Branding,
}

/// A till as Partners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TillView {
    /// `till_…`.
    pub id: String,
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Whether refunds can be made at it.
    pub refunds: bool,
    /// The cashier's page. Whoever has it can sell, and refund if that is allowed: keep it like a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `ACTIVE` or `DISABLED`.
    pub state: &'static str,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// What a till is made of.
#[derive(Clone, Debug)]
pub struct NewTill {
    pub name: String,
    pub currency: String,
    pub may_refund: bool,
    pub detail: TillDetail,
}

impl Till {
    /// A till that begins now.
    pub fn new(ctx: &Ctx, partner_id: &str, new: NewTill) -> Self {
        let now = ctx.clock.now();
        let till_id = format!("till_{}", ctx.random.id(now).simple());
        let key = NewKey::draw(ctx);
        Self {
            access_key: ctx.secrets.seal(TILL_KEY.place(&[partner_id, &till_id]), key.text.as_bytes()),
            partner_id: partner_id.to_owned(),
            till_id,
            name: new.name,
            currency: new.currency,
            may_refund: new.may_refund,
            detail: new.detail,
            key_hash: key.hash,
            created_at: now,
            disabled_at: None,
        }
    }

    /// As Partners see it in a list.
    pub fn listed(&self) -> TillView {
        TillView {
            id: self.till_id.clone(),
            name: self.name.clone(),
            currency: self.currency.clone(),
            refunds: self.may_refund,
            url: None,
            state: if self.disabled_at.is_some() { DISABLED } else { ACTIVE },
            created_at: wire_time(self.created_at),
        }
    }

    /// The same with its address.
    ///
    /// # Errors
    /// 500 when the address cannot be unsealed.
    pub fn view(&self, ctx: &Ctx) -> Result<TillView, ApiError> {
        let place = TILL_KEY.place(&[&self.partner_id, &self.till_id]);
        let opened = ctx.secrets.open(place, &self.access_key).map_err(ApiError::internal)?;
        let key = std::str::from_utf8(&opened).map_err(ApiError::internal)?;
        let url = format!("{}/till/{key}", ctx.config.public_url.as_str().trim_end_matches('/'));
        Ok(TillView { url: Some(url), ..self.listed() })
    }
}
