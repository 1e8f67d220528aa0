//! Payment Transactions and what is done to them: captures, refunds, chargebacks (sheet 03 §5, RULINGS "Objects").

use super::supplementary::{LineItem, SupplementaryCaptureData, SupplementaryPurchaseData, SupplementaryRefundData};
use crate::{
    krn::{
        DisputeId, PaymentAccountId, PaymentCaptureId, PaymentChargebackId, PaymentRefundId, PaymentRequestId,
        PaymentTransactionId,
    },
    money::Currency,
    open_enum,
    time::Timestamp,
    wire::wire_struct,
};

open_enum! {
    /// RULINGS §3.
    pub enum TransactionState {
        Authorized = "AUTHORIZED",
        Completed = "COMPLETED",
        Expired = "EXPIRED",
        Closed = "CLOSED",
    }

    pub enum FundingType {
        Guaranteed = "GUARANTEED",
        NonGuaranteed = "NON_GUARANTEED",
    }

    pub enum FundingState {
        Pending = "PENDING",
        Funded = "FUNDED",
        Expired = "EXPIRED",
    }

    /// `RELEASE` voids what a capture leaves.
    pub enum RemainingAuthorization {
        Release = "RELEASE",
    }
}

wire_struct! {
    /// Amounts are minor units; amount = captured + voided + remaining.
    pub struct PaymentTransaction {
        pub payment_transaction_id: PaymentTransactionId,
        pub payment_transaction_reference: String,
        pub payment_request_id: PaymentRequestId,
        pub payment_account_id: PaymentAccountId,
        pub payment_account_reference: String,
        pub state: TransactionState,
        pub previous_state: TransactionState,
        pub currency: Currency,
        pub amount: i64,
        pub captured_amount: i64,
        pub refunded_amount: i64,
        pub charged_back_amount: i64,
        pub voided_amount: i64,
        pub remaining_amount: i64,
        pub settlement_currency: Currency,
        pub payment_funding: PaymentFunding,
        pub payment_pricing: PaymentPricing,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
        pub expires_at: Timestamp,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        pub payment_captures: Vec<Capture>,
        pub payment_refunds: Vec<Refund>,
        pub payment_chargebacks: Vec<Chargeback>,
        /// The Partner's passthrough, under the name that the caller used.
        pub klarna_network_data: String,
        pub interoperability_data: String,
        pub klarna_network_response_data: String,
    }

    pub struct PaymentFunding {
        pub kind as "type": FundingType,
        pub state: FundingState,
    }

    /// What Klarna charges for the transaction.
    pub struct PaymentPricing {
        /// Percent, as a decimal text: `2.99`.
        pub variable_rate: String,
        /// Minor units of `currency`.
        pub fixed_fee: i64,
        pub currency: Currency,
    }

    pub struct Capture {
        pub payment_capture_id: PaymentCaptureId,
        pub payment_capture_reference: String,
        pub payment_transaction_id: PaymentTransactionId,
        pub payment_transaction_reference: String,
        pub capture_amount | "amount": i64,
        pub refunded_amount: i64,
        pub currency: Currency,
        pub captured_at: Timestamp,
        pub supplementary_capture_data: Box<SupplementaryCaptureData>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
        pub klarna_network_response_data: String,
    }

    pub struct Refund {
        pub payment_refund_id: PaymentRefundId,
        pub payment_refund_reference: String,
        /// The same under its other name; both are returned.
        pub refund_reference: String,
        pub payment_transaction_id: PaymentTransactionId,
        /// When it touches one capture only.
        pub payment_capture_id: PaymentCaptureId,
        pub payment_captures: Vec<RefundedCapture>,
        pub refund_amount | "amount": i64,
        pub currency: Currency,
        pub refunded_at: Timestamp,
        pub supplementary_refund_data: Box<SupplementaryRefundData>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
        pub klarna_network_response_data: String,
    }

    /// How much of a refund one capture bears.
    pub struct RefundedCapture {
        pub payment_capture_id: PaymentCaptureId,
        pub refund_amount: i64,
    }

    /// Booked when a dispute is lost.
    pub struct Chargeback {
        pub payment_chargeback_id: PaymentChargebackId,
        pub payment_transaction_id: PaymentTransactionId,
        pub payment_capture_id: PaymentCaptureId,
        pub payment_dispute_id: DisputeId,
        pub chargeback_amount: i64,
        pub currency: Currency,
        /// As in `PURCHASE_UNAUTHORIZED`.
        pub reason: String,
        pub created_at: Timestamp,
    }

    /// Body of POST `…/transactions/{id}/capture`; no amount captures all that remains.
    pub struct CaptureRequest {
        pub capture_amount | "amount": i64,
        pub payment_capture_reference: String,
        pub remaining_authorization: RemainingAuthorization,
        pub supplementary_capture_data: Box<SupplementaryCaptureData>,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        /// An alias of the ones in `supplementary_capture_data`.
        pub line_items: Vec<LineItem>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
    }

    /// Body of POST `…/refund`, on a capture or a transaction.
    pub struct RefundRequest {
        pub refund_amount | "amount": i64,
        pub payment_refund_reference: String,
        /// The same under its other name.
        pub refund_reference: String,
        pub supplementary_refund_data: Box<SupplementaryRefundData>,
        /// An alias of the ones in `supplementary_refund_data`.
        pub line_items: Vec<LineItem>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
    }

    /// Body of PATCH `…/transactions/{id}`.
    pub struct UpdateTransaction {
        pub amount: i64,
        pub payment_transaction_reference: String,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
    }

    /// Body of POST `…/transactions/{id}/authorize`.
    pub struct ReauthorizeRequest {
        /// 1 to 180; absent renews the usual 28 days.
        pub extension_days: i64,
        pub amount: i64,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
    }
}

impl CaptureRequest {
    /// The lines, wherever they stand.
    pub fn lines(&self) -> Option<&[LineItem]> {
        let inner = self.supplementary_capture_data.as_ref().and_then(|data| data.line_items.as_deref());
        inner.or(self.line_items.as_deref())
    }
}

impl RefundRequest {
    /// The reference, under either name.
    pub fn reference(&self) -> Option<&str> {
        self.payment_refund_reference.as_deref().or(self.refund_reference.as_deref())
    }

    /// The lines, wherever they stand.
    pub fn lines(&self) -> Option<&[LineItem]> {
        let inner = self.supplementary_refund_data.as_ref().and_then(|data| data.line_items.as_deref());
        inner.or(self.line_items.as_deref())
    }
}

impl PaymentTransaction {
    /// amount = captured + voided + remaining, and 0 ≤ refunded + charged back ≤ captured; absent amounts count as zero.
    pub fn is_balanced(&self) -> bool {
        let of = |amount: Option<i64>| i128::from(amount.unwrap_or_default());
        let (captured, refunded, charged_back) =
            (of(self.captured_amount), of(self.refunded_amount), of(self.charged_back_amount));
        let (voided, remaining) = (of(self.voided_amount), of(self.remaining_amount));
        of(self.amount) == captured + voided + remaining
            && [captured, refunded, charged_back, voided, remaining].iter().all(|amount| *amount >= 0)
            && refunded + charged_back <= captured
    }
}
