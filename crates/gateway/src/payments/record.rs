//! A payment with everything that is stored of it, and how Partners see it.

use std::collections::BTreeMap;

use protocol::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::{CaptureMode, NetworkData};
use super::customer_token;
use super::payment::{Books, Operation, OperationKind, PaymentState, Told};
use crate::klarna::Origin;

/// A payment as stored, but for its purchase data.
#[derive(Clone, Debug)]
pub struct Payment {
    pub partner_id: String,
    /// `pay_…`; also the reference under which Klarna knows it.
    pub payment_id: String,
    /// Moves with every change.
    pub version: i64,
    pub books: Books,
    /// ISO 4217.
    pub currency: String,
    /// The Partner's own.
    pub reference: Option<String>,
    pub capture_mode: CaptureMode,
    /// SHA-256 of the token in our return url, in hex.
    pub return_token_hash: Option<String>,
    pub klarna_request_id: Option<String>,
    pub klarna_transaction_id: Option<String>,
    pub klarna_request_url: Option<String>,
    /// When to look at Klarna what became of it, in case a webhook was lost, in microseconds UTC.
    pub watch_at: Option<i64>,
    pub detail: Detail,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// What is stored as one document, because nothing searches it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_return_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_option_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_data: Option<NetworkData>,
    /// The customer token that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_customer_token: Option<customer_token::Asked>,
    /// The one that came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_token_id: Option<String>,
    /// The passthrough's way back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The capture that comes with the authorization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automatic_capture_id: Option<String>,
    /// The platform or plugin that the Partner made the payment with.
    #[serde(skip_serializing_if = "Origin::is_empty")]
    pub origin: Origin,
    /// The hosted checkout that it was made in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_session_id: Option<String>,
    pub told: Told,
}

/// Why something failed, in Klarna's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// The error code.
    pub error_code: String,
    /// For a developer; may change at any time.
    pub error_message: String,
}

/// An operation as stored.
#[derive(Clone, Debug)]
pub struct OperationRecord {
    pub operation: Operation,
    /// The Partner's own.
    pub reference: Option<String>,
    /// Klarna's error code, if it was refused.
    pub failure: Option<String>,
    /// Microseconds UTC.
    pub created_at: i64,
    /// Microseconds UTC.
    pub updated_at: i64,
}

/// A payment as Partners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentView {
    /// `pay_…`.
    pub id: String,
    /// Where it stands: PENDING, REQUIRES_CUSTOMER_ACTION, AUTHORIZED, PARTIALLY_CAPTURED, CAPTURED, DECLINED, CANCELED, EXPIRED,
    /// VOIDED, CLOSED or FAILED. New states may be added.
    pub state: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Your reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// MANUAL or AUTOMATIC.
    pub capture: &'static str,
    /// Minor units captured.
    pub captured_amount: i64,
    /// Minor units refunded.
    pub refunded_amount: i64,
    /// Minor units charged back after disputes.
    pub charged_back_amount: i64,
    /// Minor units given up.
    pub voided_amount: i64,
    /// Minor units that can still be captured.
    pub remaining_amount: i64,
    /// What the customer has to do; only in REQUIRES_CUSTOMER_ACTION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
    /// Why Klarna declined, if it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline_reason: Option<String>,
    /// Why the payment failed; only in FAILED.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Klarna's ids.
    pub klarna: KlarnaIds,
    /// The customer token that `request_customer_token` brought: what to name in `customer_token_id` to charge the customer again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_token_id: Option<String>,
    /// What Klarna answers to your passthrough data, unaltered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub klarna_network_response_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_option_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_return_url: Option<String>,
    /// The hosted checkout that it was made in, `cs_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout_session_id: Option<String>,
    /// Your own entries.
    pub metadata: BTreeMap<String, String>,
    /// All captures, oldest first. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub captures: Option<Vec<OperationView>>,
    /// All refunds, oldest first. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refunds: Option<Vec<OperationView>>,
    /// What is bought; only where a single payment is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplementary_purchase_data: Option<Value>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
    /// When the customer's time, or the authorization, runs out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// What the customer has to do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NextAction {
    /// `redirect`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where to send the customer.
    pub url: String,
}

/// Klarna's ids.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KlarnaIds {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_request_id: Option<String>,
    /// Where the customer's journey is, exactly as Klarna told it: Klarna's SDKs open it. Only in REQUIRES_CUSTOMER_ACTION.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_request_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_transaction_id: Option<String>,
}

/// A capture or a refund as Partners see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OperationView {
    /// `cap_…` or `ref_…`.
    pub id: String,
    /// `pay_…`.
    pub payment_id: String,
    /// PENDING, SUCCEEDED or FAILED.
    pub state: &'static str,
    /// Minor units.
    pub amount: i64,
    /// Your reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Of a refund: the capture that bears it, if you named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture_id: Option<String>,
    /// Klarna's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub klarna_id: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
}

fn wire_time(micros: i64) -> String {
    Timestamp::from_micros(micros).map(|time| time.to_string()).unwrap_or_default()
}

impl OperationRecord {
    /// As Partners see it.
    pub fn view(&self, payment_id: &str) -> OperationView {
        OperationView {
            id: self.operation.id.clone(),
            payment_id: payment_id.to_owned(),
            state: self.operation.state.as_str(),
            amount: self.operation.amount,
            reference: self.reference.clone(),
            capture_id: self.operation.capture_id.clone(),
            klarna_id: self.operation.klarna_id.clone(),
            error_code: self.failure.clone(),
            created_at: wire_time(self.created_at),
        }
    }
}

impl Payment {
    /// As Partners see it, with its captures and refunds.
    pub fn view(&self, operations: &[OperationRecord]) -> PaymentView {
        let of = |kind: OperationKind| -> Option<Vec<OperationView>> {
            let found = operations.iter().filter(|record| record.operation.kind == kind);
            Some(found.map(|record| record.view(&self.payment_id)).collect())
        };
        PaymentView { captures: of(OperationKind::Capture), refunds: of(OperationKind::Refund), ..self.listed() }
    }

    /// As Partners see it in a list.
    pub fn listed(&self) -> PaymentView {
        let (books, detail) = (&self.books, &self.detail);
        let waits = books.state == PaymentState::RequiresCustomerAction;
        PaymentView {
            id: self.payment_id.clone(),
            state: books.state.to_string(),
            amount: books.amount,
            currency: self.currency.clone(),
            reference: self.reference.clone(),
            capture: self.capture_mode.as_str(),
            captured_amount: books.captured,
            refunded_amount: books.refunded,
            charged_back_amount: books.charged_back,
            voided_amount: books.voided,
            remaining_amount: books.remaining(),
            next_action: self
                .klarna_request_url
                .clone()
                .filter(|_| waits)
                .map(|url| NextAction { kind: "redirect", url }),
            decline_reason: detail.decline_reason.clone(),
            failure: detail.failure.clone(),
            klarna: KlarnaIds {
                payment_request_id: self.klarna_request_id.clone(),
                payment_request_url: self.klarna_request_url.clone().filter(|_| waits),
                payment_transaction_id: self.klarna_transaction_id.clone(),
            },
            customer_token_id: detail.customer_token_id.clone(),
            klarna_network_response_data: detail.response_data.clone(),
            payment_option_id: detail.payment_option_id.clone(),
            locale: detail.locale.clone(),
            country: detail.country.clone(),
            return_url: detail.return_url.clone(),
            cancel_url: detail.cancel_url.clone(),
            app_return_url: detail.app_return_url.clone(),
            checkout_session_id: detail.checkout_session_id.clone(),
            metadata: detail.metadata.clone(),
            captures: None,
            refunds: None,
            supplementary_purchase_data: None,
            created_at: wire_time(self.created_at),
            updated_at: wire_time(self.updated_at),
            expires_at: books.expires_at.map(wire_time),
        }
    }

    /// What an event says under `data`.
    pub fn event_data(&self, operations: &[OperationRecord]) -> Value {
        json!({ "payment": self.view(operations) })
    }
}
