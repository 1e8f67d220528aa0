//! Identity and interoperability.

use super::{AMOUNT, Kind, Row, member, reference, supplementary_purchase_data_rows, text, text_of, under};
use crate::{
    error::ValidationError,
    krn::KrnKind,
    payments::{CaptureMode, TokenScope},
};
use serde_json::Value;

/// The journeys that a test token can stand for (RULINGS 1.4).
pub const TEST_JOURNEYS: &[&str] =
    &["KLARNA_EXPRESS_CHECKOUT", "SIGN_IN_WITH_KLARNA", "KLARNA_PRE_QUALIFICATION", "KLARNA_ACCOUNT_LINKING"];
/// What the older read operation says of a payment (sheet 04 §2.1).
pub const INTEROPERABILITY_STATUSES: &[&str] =
    &["PAYMENT_SUPPORTED", "PAYMENT_PREPARED", "PAYMENT_PENDING_CONFIRMATION", "PAYMENT_UNSUPPORTED"];

crate::shapes! {
    /// Body of POST `…/interoperability/test-tokens`.
    create_test_token = vec![Row::new("customer_journey", Kind::OneOf(TEST_JOURNEYS)).required()], &[];
    /// A session token, under its present name and the one of r2512.
    interoperability_token = vec![
        Row::new("interoperability_token", Kind::Id(KrnKind::SessionToken)).personal().required(),
        Row::new("klarna_network_session_token", Kind::Id(KrnKind::SessionToken)).personal().required(),
    ], &[];
    /// What starts the Web SDK, once.
    sdk_token = vec![
        Row::new("sdk_token", Kind::Text { min: 1, max: 8192 }).personal().required(),
        Row::new("expires_at", Kind::Timestamp).required(),
    ], &[];
    /// Body of the control that redeems an SDK token as the Web SDK would.
    redeem_sdk_token = vec![Row::new("sdk_token", Kind::Text { min: 1, max: 8192 }).personal().required()], &[];
    /// What an SDK token stood for.
    redeemed_sdk_token = vec![
        Row::new("partner_account_id", Kind::Id(KrnKind::PartnerAccount)).required(),
        Row::new("klarna_network_session_token", Kind::Id(KrnKind::SessionToken)).personal().required(),
    ], &[];
    /// Answer of POST `…/identity/customer-token/introspect`.
    introspection = vec![
        Row::new("status", Kind::OneOf(&["ACTIVE", "REVOKED"])).required(),
        Row::new("scopes", Kind::Array { min: 1, max: 10 }).required(),
        Row::new("scopes[]", Kind::OneOf(TokenScope::KNOWN_TEXTS)),
        Row::new("issued_at", AMOUNT).required(),
        reference("customer_token_reference"),
    ], &[];
    /// Query of the older GET `…/interoperability`.
    read_interoperability = vec![
        Row::new("currency", Kind::Currency).required(),
        Row::new("country", Kind::Country),
        Row::new("interoperability_token", Kind::Blob { min: 1, max: 8192 }).personal(),
        Row::new("payment_amount", Kind::Int { min: 1, max: i32::MAX as i64 }),
        text_of("merchant_reference", 1, 256),
        reference("purchase_reference"),
        text_of("platform_reference", 1, 256),
    ], &[];
    /// Answer of the older GET `…/interoperability`.
    interoperability = vec![
        Row::new("status", Kind::OneOf(INTEROPERABILITY_STATUSES)).required(),
        Row::new("shopping_session_id", Kind::Id(KrnKind::ShoppingSession)),
        Row::new("payment_confirmation_token", Kind::Id(KrnKind::ConfirmationToken)).personal(),
    ], &[];
    /// Body of POST `/v1/accounts/{partner_account_id}/shopping/sessions`, in both of its forms.
    create_shopping_session = shopping_session_rows(), &[basket];
    /// A shopping session.
    shopping_session = {
        let mut rows = vec![
            Row::new("shopping_session_id", Kind::Id(KrnKind::ShoppingSession)).required(),
            Row::new("created_at", Kind::Timestamp).required(),
            Row::new("expires_at", Kind::Timestamp).required(),
        ];
        rows.extend(shopping_session_rows());
        rows
    }, &[];
    /// Body of the oldest generation's confirmation.
    confirm_payment = confirm_rows(), &[];
    /// Answer of the oldest generation's confirmation.
    confirmed_payment = vec![
        Row::new("payment_request_id", Kind::Id(KrnKind::PaymentRequest)),
        Row::new("state", Kind::OneOf(&["AUTHORIZED", "DECLINED"])).required(),
        text("state_reason"),
        Row::new("currency", Kind::Currency).required(),
        Row::new("payment_amount", AMOUNT).required(),
        Row::new("state_context.payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)),
    ], &[];
}

fn shopping_session_rows() -> Vec<Row> {
    let mut rows = supplementary_purchase_data_rows("supplementary_purchase_data");
    // The older form describes the same under other names (sheet 03 §8.3).
    rows.push(text("content_type"));
    rows.push(text_of("merchant_references[]", 1, 256));
    rows.extend(under(
        "content",
        [
            text("acquiring_channel"),
            text_of("merchant_reference", 1, 256),
            Row::new("line_items[]", Kind::Object),
            Row::new("shipping[]", Kind::Object),
            Row::new("buyer", Kind::Object).personal(),
            Row::new("subscriptions[]", Kind::Object),
            Row::new("ondemand", Kind::Object),
        ],
    ));
    rows
}

/// A session without a basket says nothing.
fn basket(body: &Value, faults: &mut Vec<ValidationError>) {
    if ["supplementary_purchase_data", "content"].iter().all(|name| member(body, &[name]).is_none()) {
        faults.push(ValidationError::new("supplementary_purchase_data", "is required"));
    }
}

fn confirm_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("currency", Kind::Currency).required(),
        Row::new("payment_amount", AMOUNT).required(),
        reference("payment_transaction_reference"),
        Row::new("config.capture", Kind::OneOf(CaptureMode::KNOWN_TEXTS)),
    ];
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows
}
