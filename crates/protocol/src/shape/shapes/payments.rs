//! Payments: what is answered (RULINGS "Objects"). What is sent stands beside it in [`super`].

use super::{
    AMOUNT, ANY_INTEGER, COUNT, Kind, PASSTHROUGH_LENGTH_MAX, Row, WEB_URL, acquiring_config_rows, additional_data,
    address_rows, customer_interaction_rows, delivery_rows, line_item_rows, passthrough_rows, point_of_checkout_rows,
    point_of_transaction_rows, reference, shipping_rows, supplementary_purchase_data_rows, text, text_of, under,
};
use crate::{
    krn::KrnKind,
    payments::{
        AuthorizeResult, FundingState, FundingType, InteractionMethod, ProfileScope, RequestState, ResultReason,
        ShippingMode, StateReason, TokenScope, TransactionState,
    },
};

/// What a customer can do in the journey.
pub const CUSTOMER_STEPS: &[&str] = &["ENTER", "LEAVE", "APPROVE", "REFUSE"];

crate::shapes! {
    /// A Payment Request.
    payment_request = payment_request_rows(), &[];
    /// Answer of POST `…/payment/authorize`: each half only if it was asked for, the request only with a step-up.
    authorize_answer = authorize_answer_rows(), &[];
    /// A Payment Transaction.
    payment_transaction = payment_transaction_rows(), &[];
    /// A capture.
    payment_capture = payment_capture_rows(), &[];
    /// A refund.
    payment_refund = payment_refund_rows(), &[];
    /// A chargeback.
    payment_chargeback = payment_chargeback_rows(), &[];
    /// Body of the control that settles the funding of a payment that is not guaranteed.
    settle_funding = vec![Row::new("state", Kind::OneOf(&["FUNDED", "EXPIRED"])).required()], &[];
    /// Body of the control that does what a customer would.
    customer_step = vec![
        Row::new("step", Kind::OneOf(CUSTOMER_STEPS)).required(),
        Row::new("email", Kind::Email).personal(),
        Row::new("phone", Kind::Phone).personal(),
    ], &[];
}

fn payment_request_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_request_id", Kind::Id(KrnKind::PaymentRequest)).required(),
        reference("payment_request_reference"),
        Row::new("currency", Kind::Currency).required(),
        Row::new("amount", AMOUNT),
        // v1's name stands beside it for callers of v1.
        Row::new("payment_amount", AMOUNT),
        reference("payment_option_id"),
        Row::new("state", Kind::OneOf(RequestState::KNOWN_TEXTS)).required(),
        Row::new("previous_state", Kind::OneOf(RequestState::KNOWN_TEXTS)),
        Row::new("state_reason", Kind::OneOf(StateReason::KNOWN_TEXTS)),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("updated_at", Kind::Timestamp).required(),
        Row::new("expires_at", Kind::Timestamp).required(),
        Row::new("payment_request_url", WEB_URL),
        Row::new("request_customer_token.scopes[]", Kind::OneOf(TokenScope::KNOWN_TEXTS)),
        reference("request_customer_token.customer_token_reference"),
        Row::new("collect_customer_profile[]", Kind::OneOf(ProfileScope::KNOWN_TEXTS)),
        Row::new("shipping_config.mode", Kind::OneOf(ShippingMode::KNOWN_TEXTS)),
        Row::new("shipping_config.supported_countries[]", Kind::Country),
        reference("payment_program_enablement_codes[]"),
    ];
    rows.extend(customer_interaction_rows("customer_interaction_config", false));
    rows.extend(acquiring_config_rows());
    rows.extend(point_of_checkout_rows(""));
    rows.extend(point_of_transaction_rows(""));
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend(passthrough_answer_rows());
    rows.push(additional_data());
    rows.push(Row::new("state_context", Kind::Object).required());
    rows.extend(under("state_context", state_context_rows()));
    rows
}

fn state_context_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("customer_interaction.method", Kind::OneOf(InteractionMethod::KNOWN_TEXTS)),
        Row::new("customer_interaction.payment_request_id", Kind::Id(KrnKind::PaymentRequest)).required(),
        Row::new("customer_interaction.payment_request_url", WEB_URL).required(),
        Row::new("customer_interaction.qr_code.image_url", WEB_URL).required(),
        Row::new("customer_interaction.qr_code.target_url", WEB_URL).required(),
        Row::new("interoperability_token", Kind::Id(KrnKind::SessionToken)).personal().required(),
        Row::new("klarna_network_session_token", Kind::Id(KrnKind::SessionToken)).personal(),
        Row::new("payment_token", Kind::Id(KrnKind::PaymentToken)).personal(),
        // Of the oldest generation, for callers of v1.
        Row::new("payment_confirmation_token", Kind::Id(KrnKind::ConfirmationToken)).personal(),
        Row::new("klarna_customer", Kind::Object).personal(),
    ];
    rows.extend(under("klarna_customer", customer_token_rows()));
    rows.extend(under(
        "klarna_customer.customer_profile",
        [
            text_of("given_name", 1, 99),
            text_of("family_name", 1, 99),
            Row::new("email", Kind::Email),
            Row::new("phone", Kind::Phone),
            Row::new("locale", Kind::Locale),
            Row::new("country", Kind::Country),
            Row::new("date_of_birth", Kind::Date),
        ],
    ));
    rows.extend(address_rows("klarna_customer.customer_profile.address"));
    rows.extend(shipping_rows("shipping"));
    rows
}

/// A customer token: a text, its reference and scopes beside it (RULINGS 1.3).
fn customer_token_rows() -> Vec<Row> {
    vec![
        Row::new("customer_token", Kind::Id(KrnKind::CustomerToken)).personal(),
        reference("customer_token_reference"),
        Row::new("scopes[]", Kind::OneOf(TokenScope::KNOWN_TEXTS)),
    ]
}

fn authorize_answer_rows() -> Vec<Row> {
    let verdict = || {
        [
            Row::new("result", Kind::OneOf(AuthorizeResult::KNOWN_TEXTS)).required(),
            Row::new("result_reason", Kind::OneOf(ResultReason::KNOWN_TEXTS)),
        ]
    };
    let mut rows = under("payment_transaction_response", verdict());
    rows.extend(under("payment_transaction_response.payment_transaction", payment_transaction_rows()));
    rows.extend(under("customer_token_response", verdict()));
    rows.extend(under("customer_token_response", customer_token_rows()));
    rows.extend(under("payment_request", payment_request_rows()));
    rows.push(network_response_data());
    rows
}

fn payment_transaction_rows() -> Vec<Row> {
    let sum = |name: &str| Row::new(name, COUNT).required();
    let mut rows = vec![
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)).required(),
        reference("payment_transaction_reference"),
        Row::new("payment_request_id", Kind::Id(KrnKind::PaymentRequest)),
        Row::new("payment_account_id", Kind::Id(KrnKind::PaymentAccount)).required(),
        reference("payment_account_reference").required(),
        Row::new("state", Kind::OneOf(TransactionState::KNOWN_TEXTS)).required(),
        Row::new("currency", Kind::Currency).required(),
        sum("amount"),
        sum("captured_amount"),
        sum("refunded_amount"),
        sum("charged_back_amount"),
        sum("voided_amount"),
        sum("remaining_amount"),
        Row::new("settlement_currency", Kind::Currency).required(),
        Row::new("payment_funding.type", Kind::OneOf(FundingType::KNOWN_TEXTS)).required(),
        Row::new("payment_funding.state", Kind::OneOf(FundingState::KNOWN_TEXTS)).required(),
        text("payment_pricing.variable_rate").required(),
        Row::new("payment_pricing.fixed_fee", ANY_INTEGER).required(),
        Row::new("payment_pricing.currency", Kind::Currency).required(),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("updated_at", Kind::Timestamp).required(),
        Row::new("expires_at", Kind::Timestamp).required(),
        reference("payment_option_id"),
        reference("payment_program_enablement_codes[]"),
    ];
    rows.extend(["payment_funding", "payment_pricing"].map(|object| Row::new(object, Kind::Object).required()));
    rows.extend(point_of_checkout_rows(""));
    rows.extend(point_of_transaction_rows(""));
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.push(Row::new("supplementary_purchase_data", Kind::Object).required());
    rows.extend(passthrough_answer_rows());
    for (list, entry) in [
        ("payment_captures", payment_capture_rows()),
        ("payment_refunds", payment_refund_rows()),
        ("payment_chargebacks", payment_chargeback_rows()),
    ] {
        // At most 200 of each (sheet 03 §5.3).
        let list_row = Row::new(list, Kind::Array { min: 0, max: 200 });
        rows.push(if list == "payment_chargebacks" { list_row } else { list_row.required() });
        rows.extend(under(&format!("{list}[]"), entry));
    }
    rows
}

fn payment_capture_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)).required(),
        reference("payment_capture_reference"),
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)).required(),
        reference("payment_transaction_reference"),
        Row::new("capture_amount", AMOUNT).required(),
        Row::new("refunded_amount", COUNT).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("captured_at", Kind::Timestamp).required(),
        Row::new("supplementary_capture_data", Kind::Object).required(),
    ];
    rows.extend(line_item_rows("supplementary_capture_data.line_items[]"));
    rows.extend(delivery_rows("supplementary_capture_data.shipments[]"));
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend(passthrough_answer_rows());
    rows
}

fn payment_refund_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_refund_id", Kind::Id(KrnKind::PaymentRefund)).required(),
        reference("payment_refund_reference"),
        reference("refund_reference"),
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)).required(),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
        Row::new("payment_captures", Kind::Array { min: 1, max: 200 }).required(),
        Row::new("payment_captures[].payment_capture_id", Kind::Id(KrnKind::PaymentCapture)).required(),
        Row::new("payment_captures[].refund_amount", AMOUNT).required(),
        Row::new("refund_amount", AMOUNT).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("refunded_at", Kind::Timestamp).required(),
        Row::new("supplementary_refund_data", Kind::Object).required(),
    ];
    rows.extend(line_item_rows("supplementary_refund_data.line_items[]"));
    rows.extend(passthrough_answer_rows());
    rows
}

fn payment_chargeback_rows() -> Vec<Row> {
    vec![
        Row::new("payment_chargeback_id", Kind::Id(KrnKind::PaymentChargeback)).required(),
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)).required(),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)).required(),
        Row::new("payment_dispute_id", Kind::Id(KrnKind::Dispute)).required(),
        Row::new("chargeback_amount", AMOUNT).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("reason", Kind::Open).required(),
        Row::new("created_at", Kind::Timestamp).required(),
    ]
}

/// The Partner's passthrough under the name that the caller used, and its way back.
fn passthrough_answer_rows() -> Vec<Row> {
    let mut rows = passthrough_rows();
    rows.push(network_response_data());
    rows
}

fn network_response_data() -> Row {
    Row::new("klarna_network_response_data", Kind::Blob { min: 1, max: PASSTHROUGH_LENGTH_MAX }).personal()
}
