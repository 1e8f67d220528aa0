//! Deliveries: what a webhook's receiver is sent, by family of events (sheet 01 §10.1, §11; RULINGS "Delivery").

use super::{AMOUNT, ANY_INTEGER, COUNT, Kind, Row, WEB_URL, customer_rows, shipping_rows, text, under};
use crate::shape::Shape;
use crate::{
    event::{EventType, EventVersion},
    krn::KrnKind,
};

crate::shapes! {
    /// `payment.request.…`.
    payment_request_delivery = delivery_rows(payment_request_rows()), &[];
    /// `payment.transaction.…` and `payment.funding.…`.
    payment_transaction_delivery = delivery_rows(payment_transaction_rows()), &[];
    /// `payment.dispute.…`, of both generations.
    payment_dispute_delivery = delivery_rows(payment_dispute_rows()), &[];
    /// `settlement.report.…`.
    settlement_report_delivery = delivery_rows(settlement_report_rows()), &[];
    /// `settlement.payout.…`.
    settlement_payout_delivery = delivery_rows(settlement_payout_rows()), &[];
    /// `identity.customer-token.state-change.revoked`.
    customer_token_delivery = delivery_rows(customer_token_rows()), &[];
    /// `partner.…`.
    partner_delivery = delivery_rows(partner_rows()), &[];
}

/// The table of an event's delivery.
pub fn delivery(event: &EventType) -> &'static Shape {
    let name = event.as_str();
    match name {
        _ if name.starts_with("payment.request.") => payment_request_delivery(),
        _ if name.starts_with("payment.dispute.") => payment_dispute_delivery(),
        _ if name.starts_with("payment.") => payment_transaction_delivery(),
        _ if name.starts_with("settlement.report.") => settlement_report_delivery(),
        _ if name.starts_with("settlement.") => settlement_payout_delivery(),
        _ if name.starts_with("identity.") => customer_token_delivery(),
        _ => partner_delivery(),
    }
}

fn delivery_rows(payload: Vec<Row>) -> Vec<Row> {
    let mut rows = under(
        "metadata",
        [
            Row::new("event_type", Kind::OneOf(EventType::KNOWN_TEXTS)).required(),
            text("event_id").required(),
            Row::new("event_version", Kind::OneOf(EventVersion::KNOWN_TEXTS)).required(),
            Row::new("occurred_at", Kind::Timestamp).required(),
            text("correlation_id"),
            Row::new("subject_account_id", Kind::Id(KrnKind::PartnerAccount)).required(),
            Row::new("recipient_account_id", Kind::Id(KrnKind::PartnerAccount)).required(),
            // v1's name of the subject.
            Row::new("account_id", Kind::Id(KrnKind::PartnerAccount)),
            Row::new("product_instance_id", Kind::Id(KrnKind::PaymentProduct)),
            Row::new("webhook_id", Kind::Id(KrnKind::Webhook)).required(),
            Row::new("live", Kind::Bool).required(),
        ],
    );
    rows.insert(0, Row::new("metadata", Kind::Object).required());
    rows.push(Row::new("payload", Kind::Object).required());
    rows.extend(under("payload", payload));
    // v4 repeats them.
    rows.extend([text("event_type"), text("event_id"), Row::new("occurred_at", Kind::Timestamp)]);
    rows
}

fn payment_request_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_request_id", Kind::Id(KrnKind::PaymentRequest)).required(),
        text("payment_request_reference"),
        Row::new("currency", Kind::Currency),
        Row::new("amount", AMOUNT),
        text("state").required(),
        text("previous_state"),
        text("state_reason"),
        Row::new("created_at", Kind::Timestamp),
        Row::new("updated_at", Kind::Timestamp),
        Row::new("expires_at", Kind::Timestamp),
        Row::new("payment_request_url", WEB_URL),
    ];
    rows.extend(under(
        "state_context",
        [
            text("customer_interaction.method"),
            Row::new("customer_interaction.payment_request_id", Kind::Id(KrnKind::PaymentRequest)),
            Row::new("customer_interaction.payment_request_url", WEB_URL),
            token("klarna_network_session_token"),
            token("interoperability_token"),
            token("payment_token"),
        ],
    ));
    rows.push(token("klarna_network_session_token"));
    for at in ["", "state_context"] {
        rows.extend(under(at, customer_share_rows()));
    }
    rows
}

fn customer_share_rows() -> Vec<Row> {
    let mut rows = customer_rows("klarna_customer.customer_profile");
    rows.extend([
        token("klarna_customer.customer_token"),
        text("klarna_customer.customer_token_reference"),
        text("klarna_customer.scopes[]"),
    ]);
    rows.extend(shipping_rows("shipping"));
    rows
}

fn token(path: &str) -> Row {
    Row::new(path, Kind::Blob { min: 1, max: crate::header::SESSION_TOKEN_LENGTH_MAX })
}

/// A url, or the path of one below the network's own.
fn link(path: &str) -> Row {
    Row::new(path, Kind::Blob { min: 1, max: 2048 })
}

fn payment_transaction_rows() -> Vec<Row> {
    vec![
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)).required(),
        text("payment_transaction_reference"),
        Row::new("payment_request_id", Kind::Id(KrnKind::PaymentRequest)),
        text("purchase_reference"),
        Row::new("payment_account_id", Kind::Id(KrnKind::PaymentAccount)),
        text("payment_account_reference"),
        text("state").required(),
        text("previous_state"),
        Row::new("currency", Kind::Currency).required(),
        Row::new("amount", COUNT).required(),
        Row::new("captured_amount", COUNT).required(),
        Row::new("refunded_amount", COUNT).required(),
        Row::new("charged_back_amount", COUNT).required(),
        Row::new("voided_amount", COUNT).required(),
        Row::new("remaining_amount", COUNT).required(),
        Row::new("expires_at", Kind::Timestamp),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
        text("payment_capture_reference"),
        Row::new("capture_amount", AMOUNT),
        Row::new("payment_refund_id", Kind::Id(KrnKind::PaymentRefund)),
        text("payment_refund_reference"),
        Row::new("refund_amount", AMOUNT),
        Row::new("payment_chargeback_id", Kind::Id(KrnKind::PaymentChargeback)),
        Row::new("payment_dispute_id", Kind::Id(KrnKind::Dispute)),
        Row::new("chargeback_amount", AMOUNT),
        text("payment_funding.type"),
        text("payment_funding.state"),
    ]
}

/// What both generations have, and what single events add (sheet 01 §11.3).
fn payment_dispute_rows() -> Vec<Row> {
    vec![
        Row::new("payment_dispute_id", Kind::Id(KrnKind::Dispute)).required(),
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)),
        text("payment_transaction_reference"),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
        text("payment_capture_reference"),
        Row::new("payment_account_id", Kind::Id(KrnKind::PaymentAccount)),
        text("payment_account_reference"),
        text("purchase_reference"),
        text("state").required(),
        text("previous_state"),
        Row::new("created_at", Kind::Timestamp),
        Row::new("updated_at", Kind::Timestamp),
        Row::new("closed_at", Kind::Timestamp),
        text("configuration.base_framework"),
        text("order_id"),
        text("reason"),
        text("dispute_reason"),
        Row::new("dispute_amount", AMOUNT),
        Row::new("currency", Kind::Currency),
        Row::new("opened_at", Kind::Timestamp),
        Row::new("dispute_details", Kind::Object),
        Row::new("representment", Kind::Object),
        Row::new("partner_evidence", Kind::Object),
        Row::new("arbitration_expires_at", Kind::Timestamp),
        Row::new("arbitration", Kind::Object),
        Row::new("arbitration_request", Kind::Object),
        text("dispute_outcome"),
        text("dispute_outcome_detailed"),
        Row::new("updated_fields", Kind::Object),
        Row::new("previous_fields", Kind::Object),
    ]
}

fn settlement_rows() -> Vec<Row> {
    vec![
        Row::new("settlement_id", Kind::Id(KrnKind::Settlement)).required(),
        text("payment_reference"),
        Row::new("currency", Kind::Currency),
    ]
}

fn settlement_report_rows() -> Vec<Row> {
    let mut rows = settlement_rows();
    rows.extend([
        Row::new("payment_acquiring_account_id", Kind::Id(KrnKind::AcquiringAccount)),
        Row::new("interval_start", Kind::Moment),
        Row::new("interval_end", Kind::Moment),
        text("state"),
        Row::new("settlement_amount", ANY_INTEGER),
        link("links.json"),
        link("links.csv"),
        text("file_name"),
    ]);
    rows
}

fn settlement_payout_rows() -> Vec<Row> {
    let mut rows = settlement_rows();
    rows.extend([
        Row::new("amount", ANY_INTEGER),
        text("status"),
        text("payout_bank_account_reference"),
        Row::new("updated_at", Kind::Timestamp),
    ]);
    rows
}

fn customer_token_rows() -> Vec<Row> {
    vec![
        token("customer_token").required(),
        text("customer_token_reference"),
        text("state").required(),
        text("previous_state"),
        text("revoked_by"),
    ]
}

fn partner_rows() -> Vec<Row> {
    vec![
        Row::new("partner_account_id", Kind::Id(KrnKind::PartnerAccount)),
        Row::new("account_id", Kind::Id(KrnKind::PartnerAccount)),
        text("partner_account_reference"),
        text("state"),
        text("previous_state"),
        Row::new("product_id", Kind::Id(KrnKind::PaymentProduct)),
        text("reason"),
        Row::new("compliance_decision_id", Kind::Id(KrnKind::ComplianceDecision)),
        Row::new("decision_id", Kind::Id(KrnKind::ComplianceDecision)),
        text("decision_type"),
        Row::new("product_instance_id", Kind::Id(KrnKind::PaymentProduct)),
        Row::new("created_at", Kind::Timestamp),
        text("change_id"),
        text("resource_type"),
        text("resource_id"),
        text("changed_fields[]"),
        Row::new("brand_id", Kind::Id(KrnKind::Brand)),
        text("incomplete_fields[].field"),
        text("incomplete_fields[].reason"),
    ]
}
