//! Payment Requests: what is asked of a customer, and what became of it (sheet 03 §3, RULINGS "Objects").

use super::supplementary::{Address, Recipient, ShippingOption, SupplementaryPurchaseData};
use crate::{
    krn::{
        AcquiringAccountId, CustomerToken, PaymentAccountId, PaymentRequestId, PaymentToken, PaymentTransactionId,
        SessionToken, StoreId,
    },
    money::Currency,
    open_enum,
    time::{TimeError, Timestamp, parse_duration},
    wire::{Extra, wire_struct},
};
use serde_json::Value;

open_enum! {
    /// RULINGS §3. Only `SUBMITTED` and `IN_PROGRESS` move on; `COMPLETED` may still be canceled until its grant is spent.
    pub enum RequestState {
        Submitted = "SUBMITTED",
        InProgress = "IN_PROGRESS",
        Completed = "COMPLETED",
        Declined = "DECLINED",
        Canceled = "CANCELED",
        Expired = "EXPIRED",
    }

    pub enum StateReason {
        PartnerCanceled = "PARTNER_CANCELED",
        PurchaseFlowAborted = "PURCHASE_FLOW_ABORTED",
        TechnicalError = "TECHNICAL_ERROR",
    }

    /// How the customer gets to Klarna. `SERVER_REDIRECT` is the oldest name of `HANDOVER`.
    pub enum InteractionMethod {
        Handover = "HANDOVER",
        QrCode = "QR_CODE",
        Sdk = "SDK",
        ServerRedirect = "SERVER_REDIRECT",
    }

    /// What a customer token is good for.
    pub enum TokenScope {
        CustomerPresent = "payment:customer_present",
        CustomerNotPresent = "payment:customer_not_present",
        CustomerLogin = "customer:login",
    }

    /// What Klarna is asked to tell about the customer.
    pub enum ProfileScope {
        Name = "profile:name",
        Email = "profile:email",
        Phone = "profile:phone",
        Locale = "profile:locale",
        BillingAddress = "profile:billing_address",
        Country = "profile:country",
        NationalIdentification = "profile:national_identification",
        DateOfBirth = "profile:date_of_birth",
    }

    pub enum ShippingMode {
        Editable = "EDITABLE",
        ReadOnly = "READ_ONLY",
    }
}

impl RequestState {
    /// Nothing more will happen. An unknown state is not final (RULINGS "Unknown values"); `COMPLETED` is not either, it can be canceled.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Declined | Self::Canceled | Self::Expired)
    }
}

wire_struct! {
    /// Body of POST `…/payment/requests`, and of PUT and PATCH on one, where only what is sent changes.
    pub struct CreatePaymentRequest {
        pub currency: Currency,
        /// Minor units; absent when only a customer token is wanted.
        pub amount | "payment_amount": i64,
        pub payment_request_reference: String,
        pub payment_option_id: String,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        pub request_customer_token: RequestCustomerToken,
        pub customer_interaction_config: CustomerInteractionConfig,
        pub collect_customer_profile: Vec<ProfileScope>,
        pub shipping_config: ShippingConfig,
        pub acquiring_config: AcquiringConfig,
        pub point_of_checkout: PointOfCheckout,
        pub point_of_transaction: PointOfTransaction,
        pub payment_program_enablement_codes: Vec<String>,
        /// The Partner's passthrough: a serialized document that nobody on the way opens.
        pub klarna_network_data: String,
        /// Its older name.
        pub interoperability_data: String,
        pub additional_data: String,
    }

    pub struct CustomerInteractionConfig {
        pub method: InteractionMethod,
        /// Https, with placeholders such as `{klarna.payment_request.id}`. Needed by `HANDOVER`.
        pub return_url: String,
        /// A custom scheme or universal link into the Partner's app.
        pub app_return_url: String,
        pub interaction_expiry: InteractionExpiry,
    }

    /// One of the two; 15 minutes to 48 hours ahead.
    pub struct InteractionExpiry {
        /// ISO 8601, `PT15M`.
        pub duration: String,
        pub timestamp: Timestamp,
    }

    pub struct RequestCustomerToken {
        pub scopes: Vec<TokenScope>,
        pub customer_token_reference: String,
    }

    pub struct ShippingConfig {
        pub mode: ShippingMode,
        /// ISO 3166-1 alpha-2.
        pub supported_countries: Vec<String>,
    }

    /// Which of a Partner's payment accounts is paid, and in which currency it is settled.
    pub struct AcquiringConfig {
        pub payment_account_id: PaymentAccountId,
        /// With `payment_account_reference`, the other way to name a payment account.
        pub payment_acquiring_account_id: AcquiringAccountId,
        pub payment_account_reference: String,
        pub settlement_currency: Currency,
    }

    /// Where the customer stands.
    pub struct PointOfCheckout {
        pub store_id: StoreId,
        pub store_reference: String,
        pub store: Extra,
    }

    /// Which terminal serves the customer.
    pub struct PointOfTransaction {
        /// As in `TERMINAL`.
        pub kind as "type": String,
        pub terminal_reference: String,
    }

    /// A Payment Request as Klarna answers it.
    pub struct PaymentRequest {
        pub payment_request_id: PaymentRequestId,
        pub payment_request_reference: String,
        pub currency: Currency,
        pub amount: i64,
        pub payment_option_id: String,
        pub state: RequestState,
        pub previous_state: RequestState,
        pub state_reason: StateReason,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
        pub expires_at | "state_expires_at": Timestamp,
        /// Repeats the one in `state_context` while the customer can still go there.
        pub payment_request_url: String,
        pub customer_interaction_config: CustomerInteractionConfig,
        pub request_customer_token: RequestCustomerToken,
        pub collect_customer_profile: Vec<ProfileScope>,
        pub shipping_config: ShippingConfig,
        pub acquiring_config: AcquiringConfig,
        pub point_of_checkout: PointOfCheckout,
        pub point_of_transaction: PointOfTransaction,
        pub payment_program_enablement_codes: Vec<String>,
        pub supplementary_purchase_data: Box<SupplementaryPurchaseData>,
        pub klarna_network_data: String,
        pub interoperability_data: String,
        /// The passthrough's way back to the Partner.
        pub klarna_network_response_data: String,
        pub additional_data: String,
        pub state_context: StateContext,
        /// In events of the older generation.
        pub payment_transaction_id: PaymentTransactionId,
        /// Webhooks repeat these three of `state_context` on top.
        pub klarna_network_session_token: SessionToken,
        pub klarna_customer: KlarnaCustomer,
        pub shipping: ChosenShipping,
    }

    /// What a state brings with it.
    pub struct StateContext {
        /// Only in `SUBMITTED` and `IN_PROGRESS`.
        pub customer_interaction: CustomerInteraction,
        /// From `SUBMITTED` on it recognises; at `COMPLETED` it grants, like the next.
        pub interoperability_token: SessionToken,
        /// Only in `COMPLETED`: to be spent by authorize within 60 minutes.
        pub klarna_network_session_token: SessionToken,
        pub payment_token: PaymentToken,
        pub klarna_customer: KlarnaCustomer,
        pub shipping: ChosenShipping,
        /// Of the oldest generation.
        pub payment_confirmation_token: String,
    }

    pub struct CustomerInteraction {
        pub method: InteractionMethod,
        pub payment_request_id: PaymentRequestId,
        pub payment_request_url: String,
        pub qr_code | "method_qr_code": QrCode,
    }

    pub struct QrCode {
        pub image_url: String,
        pub target_url: String,
    }

    /// What Klarna tells about the customer, and the token that was asked for: a string, though some releases send an object.
    pub struct KlarnaCustomer [lift: lift_customer_token] {
        pub customer_profile: CustomerProfile,
        pub customer_token: CustomerToken,
        pub customer_token_reference: String,
        pub scopes: Vec<TokenScope>,
    }

    pub struct CustomerProfile {
        pub given_name: String,
        pub family_name: String,
        pub email: String,
        pub phone: String,
        pub locale: String,
        pub country: String,
        pub date_of_birth: String,
        pub address | "billing_address": Address,
    }

    /// What the customer chose in the journey.
    pub struct ChosenShipping {
        pub recipient: Recipient,
        pub address: Address,
        pub shipping_option: ShippingOption,
    }
}

impl InteractionExpiry {
    /// When the interaction ends if it begins at `now`; `None` without either member.
    ///
    /// # Errors
    /// A duration that is none.
    pub fn at(&self, now: Timestamp) -> Result<Option<Timestamp>, TimeError> {
        match (&self.timestamp, &self.duration) {
            (Some(timestamp), _) => Ok(Some(*timestamp)),
            (None, Some(duration)) => now.checked_add_micros(parse_duration(duration)?).map(Some),
            (None, None) => Ok(None),
        }
    }
}

impl PaymentRequest {
    /// The id, from the top or from where a step-up also puts it.
    pub fn id(&self) -> Option<&PaymentRequestId> {
        self.payment_request_id.as_ref().or_else(|| self.interaction()?.payment_request_id.as_ref())
    }

    /// Where to send the customer.
    pub fn url(&self) -> Option<&str> {
        let inner = self.interaction().and_then(|interaction| interaction.payment_request_url.as_deref());
        inner.or(self.payment_request_url.as_deref())
    }

    /// The spendable token: from `state_context`, or from the top as webhooks repeat it.
    pub fn session_token(&self) -> Option<&SessionToken> {
        let inner = self.state_context.as_ref().and_then(|context| context.klarna_network_session_token.as_ref());
        inner.or(self.klarna_network_session_token.as_ref())
    }

    /// The customer token that was asked for: from `state_context`, or from the top as webhooks repeat it.
    pub fn customer_token(&self) -> Option<&CustomerToken> {
        let inner = self.state_context.as_ref().and_then(|context| context.klarna_customer.as_ref());
        inner.or(self.klarna_customer.as_ref())?.customer_token.as_ref()
    }

    fn interaction(&self) -> Option<&CustomerInteraction> {
        self.state_context.as_ref()?.customer_interaction.as_ref()
    }
}

/// `customer_token` as an object (`{customer_token, customer_token_reference, scopes}`) becomes the string form. What stands beside it wins.
pub(super) fn lift_customer_token(object: &mut Extra) {
    let Some(Value::Object(nested)) = object.get("customer_token") else { return };
    let nested = nested.clone();
    object.remove("customer_token");
    for (key, value) in nested {
        // One demo reads `customer_token_id`.
        let key = if key == "customer_token_id" { "customer_token".to_owned() } else { key };
        if object.get(&key).is_none_or(Value::is_null) {
            object.insert(key, value);
        }
    }
}
