//! Payment Transactions, captures, refunds and chargebacks as the wire and the events show them.

use kit::http::ApiError;
use protocol::payments::{
    Capture as WireCapture, Chargeback as WireChargeback, FundingType, PaymentFunding,
    PaymentTransaction as WireTransaction, Refund as WireRefund, RefundedCapture,
};
use protocol::{DisputeId, PaymentAccountId, PaymentCaptureId, PaymentChargebackId, PaymentRefundId, PaymentRequestId};
use serde_json::{Map, Value, json};

use super::bodies::carried_object;
use super::pricing;
use super::requests::timestamp;
use super::store::{CaptureRow, ChargebackRow, RefundRow};
use super::stored::{Parts, StoredTransaction};
use super::transaction::{Detail, Funding, Happened, State};
use crate::operation::not_found;

/// What of a transaction is asked for.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Whole,
    Capture(i64),
    Refund(i64),
    Chargeback(i64),
}

impl StoredTransaction {
    /// RULINGS "Objects", delivery.
    pub(super) fn event_payload(&self, happened: &Happened) -> Value {
        let (row, balance) = (&self.row, &happened.balance);
        let mut payload = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                payload.insert(name.to_owned(), value);
            }
        };
        put("payment_transaction_id", row.transaction_id.as_str().into());
        put("payment_transaction_reference", row.reference.as_deref().into());
        put("payment_request_id", row.request_id.as_deref().into());
        put("purchase_reference", row.purchase_reference.as_deref().into());
        put("payment_account_id", row.payment_account_id.as_str().into());
        put("payment_account_reference", row.payment_account_reference.as_str().into());
        put("state", happened.state.as_str().into());
        put("previous_state", happened.previous.map(State::as_str).into());
        put("currency", row.currency.as_str().into());
        put("amount", balance.amount.into());
        put("captured_amount", balance.captured.into());
        put("refunded_amount", balance.refunded.into());
        put("charged_back_amount", balance.charged_back.into());
        put("voided_amount", balance.voided.into());
        put("remaining_amount", balance.remaining().into());
        put("expires_at", json!(timestamp(happened.expires_at)));
        match &happened.detail {
            Detail::State => {}
            Detail::Captured(capture) => {
                put("payment_capture_id", json!(self.capture_id(capture.number)));
                put("payment_capture_reference", capture.reference.as_deref().into());
                put("capture_amount", capture.amount.into());
            }
            Detail::Refunded(refund) => {
                put("payment_refund_id", json!(self.refund_id(refund.number)));
                put("payment_refund_reference", refund.reference.as_deref().into());
                if let [(number, _)] = refund.shares[..] {
                    put("payment_capture_id", json!(self.capture_id(number)));
                }
                put("refund_amount", refund.amount.into());
            }
            Detail::ChargedBack(chargeback, dispute) => {
                put("payment_chargeback_id", json!(self.chargeback_id(chargeback.number)));
                put("payment_dispute_id", dispute.as_str().into());
                put("chargeback_amount", chargeback.amount.into());
            }
            Detail::Funding => put("payment_funding", json!(funding(happened.funding))),
        }
        Value::Object(payload)
    }

    pub(super) fn capture_id(&self, number: i64) -> PaymentCaptureId {
        PaymentCaptureId::new(&self.core.id, small(number))
    }

    fn refund_id(&self, number: i64) -> PaymentRefundId {
        PaymentRefundId::new(&self.core.id, small(number))
    }

    pub(super) fn chargeback_id(&self, number: i64) -> PaymentChargebackId {
        PaymentChargebackId::new(&self.core.id, small(number))
    }

    /// The object on the wire. Purchase data and passthrough are stored as they are shown, so they are put in as text.
    pub(super) fn json(&self, parts: &Parts) -> Result<String, ApiError> {
        let (row, core) = (&self.row, &self.core);
        let captures = parts.captures.iter().map(|row| self.wire_capture(row)).collect::<Result<_, _>>()?;
        let refunds = parts.refunds.iter().map(|row| self.wire_refund(row)).collect::<Result<_, _>>()?;
        let chargebacks: Vec<_> = parts.chargebacks.iter().map(|row| self.wire_chargeback(row)).collect();
        let object = WireTransaction {
            payment_transaction_id: Some(core.id.clone()),
            payment_transaction_reference: row.reference.clone(),
            payment_request_id: row.request_id.as_deref().and_then(|id| PaymentRequestId::opaque(id).ok()),
            payment_account_id: PaymentAccountId::opaque(&row.payment_account_id).ok(),
            payment_account_reference: Some(row.payment_account_reference.clone()),
            state: Some(core.state.wire()),
            currency: Some(core.currency),
            amount: Some(core.balance.amount),
            captured_amount: Some(core.balance.captured),
            refunded_amount: Some(core.balance.refunded),
            charged_back_amount: Some(core.balance.charged_back),
            voided_amount: Some(core.balance.voided),
            remaining_amount: Some(core.balance.remaining()),
            settlement_currency: row.settlement_currency.parse().ok(),
            payment_funding: Some(funding(core.funding)),
            payment_pricing: pricing::shown(row, core.currency),
            created_at: timestamp(core.created_at),
            updated_at: timestamp(core.updated_at),
            expires_at: timestamp(core.expires_at),
            payment_captures: Some(captures),
            payment_refunds: Some(refunds),
            payment_chargebacks: Some(chargebacks).filter(|chargebacks| !chargebacks.is_empty()),
            ..WireTransaction::default()
        };
        let mut text = serde_json::to_string(&object).map_err(ApiError::internal)?;
        text.pop();
        text.push_str(",\"supplementary_purchase_data\":");
        text.push_str(row.purchase_data.as_deref().unwrap_or("{}"));
        if let Some(carried) = &row.passthrough {
            text.push(',');
            text.push_str(carried);
        }
        text.push('}');
        Ok(text)
    }

    pub(super) fn show(&self, parts: &Parts, part: &Part) -> Result<String, ApiError> {
        fn text(object: Option<impl serde::Serialize>, what: &'static str) -> Result<String, ApiError> {
            let object = object.ok_or_else(|| not_found(what))?;
            serde_json::to_string(&object).map_err(ApiError::internal)
        }
        match part {
            Part::Whole => self.json(parts),
            Part::Capture(number) => {
                let row = parts.captures.iter().find(|row| row.number == *number);
                text(row.map(|row| self.wire_capture(row)).transpose()?, "The payment capture does not exist.")
            }
            Part::Refund(number) => {
                let row = parts.refunds.iter().find(|row| row.number == *number);
                text(row.map(|row| self.wire_refund(row)).transpose()?, "The payment refund does not exist.")
            }
            Part::Chargeback(number) => {
                let row = parts.chargebacks.iter().find(|row| row.number == *number);
                text(row.map(|row| self.wire_chargeback(row)), "The payment chargeback does not exist.")
            }
        }
    }

    pub(super) fn wire_capture(&self, row: &CaptureRow) -> Result<WireCapture, ApiError> {
        let mut object = WireCapture {
            payment_capture_id: Some(self.capture_id(row.number)),
            payment_capture_reference: row.reference.clone(),
            payment_transaction_id: Some(self.core.id.clone()),
            payment_transaction_reference: self.row.reference.clone(),
            capture_amount: Some(row.amount),
            refunded_amount: Some(row.refunded),
            currency: Some(self.core.currency),
            captured_at: timestamp(row.captured_at),
            supplementary_capture_data: Some(stored_data(row.data.as_deref())?),
            ..WireCapture::default()
        };
        object.extra.extend(carried_object(row.passthrough.as_deref())?);
        Ok(object)
    }

    pub(super) fn wire_refund(&self, row: &RefundRow) -> Result<WireRefund, ApiError> {
        let shares: Vec<(i64, i64)> = serde_json::from_str(&row.shares).map_err(ApiError::internal)?;
        let only = match shares[..] {
            [(number, _)] => Some(self.capture_id(number)),
            _ => None,
        };
        let mut object = WireRefund {
            payment_refund_id: Some(self.refund_id(row.number)),
            payment_refund_reference: row.reference.clone(),
            refund_reference: row.reference.clone(),
            payment_transaction_id: Some(self.core.id.clone()),
            payment_capture_id: only,
            payment_captures: Some(
                shares
                    .iter()
                    .map(|&(number, amount)| RefundedCapture {
                        payment_capture_id: Some(self.capture_id(number)),
                        refund_amount: Some(amount),
                        ..RefundedCapture::default()
                    })
                    .collect(),
            ),
            refund_amount: Some(row.amount),
            currency: Some(self.core.currency),
            refunded_at: timestamp(row.refunded_at),
            supplementary_refund_data: Some(stored_data(row.data.as_deref())?),
            ..WireRefund::default()
        };
        object.extra.extend(carried_object(row.passthrough.as_deref())?);
        Ok(object)
    }

    fn wire_chargeback(&self, row: &ChargebackRow) -> WireChargeback {
        WireChargeback {
            payment_chargeback_id: Some(self.chargeback_id(row.number)),
            payment_transaction_id: Some(self.core.id.clone()),
            payment_capture_id: Some(self.capture_id(row.capture_number)),
            payment_dispute_id: DisputeId::opaque(&row.dispute_id).ok(),
            chargeback_amount: Some(row.amount),
            currency: Some(self.core.currency),
            reason: Some(row.reason.clone()),
            created_at: timestamp(row.created_at),
            ..WireChargeback::default()
        }
    }
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn funding(funding: Funding) -> PaymentFunding {
    let kind = if funding == Funding::Guaranteed { FundingType::Guaranteed } else { FundingType::NonGuaranteed };
    PaymentFunding { kind: Some(kind), state: Some(funding.state()), ..PaymentFunding::default() }
}

fn stored_data<T: serde::de::DeserializeOwned + Default>(text: Option<&str>) -> Result<Box<T>, ApiError> {
    text.map_or_else(|| Ok(Box::default()), |text| serde_json::from_str(text).map_err(ApiError::internal))
}
