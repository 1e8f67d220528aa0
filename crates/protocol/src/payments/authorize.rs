//! Authorization: one call that asks for a payment, a customer token, or both (sheet 03 §4).

use super::{
    request::{
        AcquiringConfig, CustomerInteractionConfig, PaymentRequest, PointOfCheckout, PointOfTransaction,
        RequestCustomerToken, TokenScope, lift_customer_token,
    },
    supplementary::SupplementaryPurchaseData,
    transaction::PaymentTransaction,
};
use crate::{krn::CustomerToken, money::Currency, open_enum, time::Timestamp, wire::wire_struct};

open_enum! {
    /// The verdict; an HTTP 200 whichever it is. Unknown: neither ship nor decline (RULINGS "Unknown values").
    pub enum AuthorizeResult {
        Approved = "APPROVED",
        Declined = "DECLINED",
        StepUpRequired = "STEP_UP_REQUIRED",
    }

    /// Ours: Klarna's values are not published.
    pub enum ResultReason {
        CustomerTokenRevoked = "CUSTOMER_TOKEN_REVOKED",
        StepUpNotPossible = "STEP_UP_NOT_POSSIBLE",
        RiskDeclined = "RISK_DECLINED",
    }

    /// When the money is taken; `LATER` unless said otherwise.
    pub enum CaptureMode {
        Later = "LATER",
        Now = "NOW",
    }
}

wire_struct! {
    /// Body of POST `…/payment/authorize`. Tokens travel in headers.
    pub struct AuthorizeRequest {
        pub currency: Currency,
        /// Absent when only a token is wanted.
        pub request_payment_transaction: RequestPaymentTransaction,
        pub request_customer_token: RequestCustomerToken,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        /// Absent on the final call and for charges without the customer.
        pub step_up_config: StepUpConfig,
        pub acquiring_config: AcquiringConfig,
        pub point_of_checkout: PointOfCheckout,
        pub point_of_transaction: PointOfTransaction,
        /// The Partner's passthrough, and its older name.
        pub klarna_network_data: String,
        pub interoperability_data: String,
    }

    pub struct RequestPaymentTransaction {
        /// Minor units.
        pub amount: i64,
        pub payment_transaction_reference: String,
        pub payment_option_id: String,
        pub capture: CaptureMode,
        /// With `capture: NOW`.
        pub payment_capture_reference: String,
        pub payment_program_enablement_codes: Vec<String>,
    }

    /// What the Payment Request will look like if the customer has to step up.
    pub struct StepUpConfig {
        pub payment_request_reference: String,
        pub payment_request_expires_at: Timestamp,
        pub customer_interaction_config: CustomerInteractionConfig,
        pub point_of_checkout: PointOfCheckout,
        pub point_of_transaction: PointOfTransaction,
    }

    /// Each half only if asked for; the request only with a step-up.
    pub struct AuthorizeResponse {
        pub payment_transaction_response: PaymentTransactionResponse,
        pub customer_token_response: CustomerTokenResponse,
        pub payment_request: Box<PaymentRequest>,
        /// The passthrough's way back to the Partner.
        pub klarna_network_response_data: String,
    }

    pub struct PaymentTransactionResponse {
        pub result: AuthorizeResult,
        pub result_reason: ResultReason,
        /// With `APPROVED`.
        pub payment_transaction: Box<PaymentTransaction>,
    }

    /// `customer_token` is a string; an object from other releases is read as well and printed as a string.
    pub struct CustomerTokenResponse [lift: lift_customer_token] {
        pub result: AuthorizeResult,
        pub result_reason: ResultReason,
        pub customer_token: CustomerToken,
        pub customer_token_reference: String,
        pub scopes: Vec<TokenScope>,
    }
}
