//! Disputes of both generations: what callers send (sheets 05 §3.2, 06 section 6) and what they are shown (05 §3.3, §3.7).
//!
//! Ours, where no sheet says: free texts may hold line breaks; an answer of the older generation needs something in it, whatever
//! that is; its details describe, so what they say is kept as it comes.

use super::{
    AMOUNT, ARRAY_LENGTH_MAX, COUNT, Kind, Row, WEB_URL, address_rows, list_rows, member, person_rows, reference, text,
    under,
};
use crate::{error::ValidationError, event::DisputeFramework, krn::KrnKind};
use serde_json::Value;

/// RULINGS 1.3.
const INFORMATION_LENGTH_MAX: usize = 5000;
const APPEAL_LENGTH_MAX: usize = 10_000;
const DESCRIPTION_LENGTH_MAX: usize = 1000;
/// Most files of one statement.
const ATTACHMENTS_MAX: usize = 10;

crate::shapes! {
    /// Body of POST `…/disputes/{id}/respond`.
    respond = respond_rows(), &[says_something];
    /// Body of POST `…/disputes/{id}/represent`.
    represent = represent_rows(), &[];
    /// Body of POST `…/disputes/{id}/appeal`.
    appeal = appeal_rows(), &[];
    /// Body of POST `/v4/payment/disputes/partners/{partner_id}/enroll`.
    enroll = [Row::new("client_id", Kind::Matching {
        min: 1,
        max: 64,
        accepts: |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        wanted: "1 to 64 letters and digits",
    }).required()], &[];
    /// A dispute of either generation; at the newest paths of the newer only.
    dispute = dispute_rows(), &[];
    /// A list of them.
    dispute_list = list_rows("disputes", dispute_rows(), true), &[];
    /// What an accepted loss leaves.
    loss_accepted = [Row::new("state", Kind::OneOf(&["CLOSED"])).required()], &[];
    /// What an answer, a representment or an appeal leaves.
    statement_made = statement_made_rows(), &[];
    /// An uploaded file.
    attachment_stored = [attachment_id("payment_dispute_attachment_id").required()], &[];
    /// Body of POST `/testing/disputes`.
    open_dispute = open_rows(), &[names_a_payment];
    /// Body of POST `/testing/disputes/{id}/decide`.
    decide_dispute = [
        Row::new("outcome", Kind::OneOf(&["WON", "LOST"])).required(),
        reference("dispute_outcome_detailed"),
        Row::new("appeal_window", Kind::Bool),
        Row::new("immediate", Kind::Bool),
        reference("reason"),
        free("description", 500),
    ], &[];
    /// Body of POST `/testing/disputes/{id}/request-evidence`.
    request_evidence = [free("comment", 2000), reference("evidence_request_type")], &[];
    /// Body of POST `/testing/disputes/{id}/extend`.
    extend_dispute = [
        Row::new("until", Kind::Timestamp).required(),
        reference("reason"),
        free("description", 500),
    ], &[];
    /// Body and answer of `/testing/accounts/{id}/dispute-settings`.
    dispute_settings = [
        Row::new("framework", Kind::OneOf(DisputeFramework::KNOWN_TEXTS)),
        Row::new("hold_policy", Kind::OneOf(&["NONE", "ON_DISPUTE_INITIATED", "ON_DISPUTE_OPEN"])),
        Row::new("rejection_threshold", COUNT),
        Row::new("enrolled_at", Kind::Timestamp),
        text("client_id"),
    ], &[];
}

fn free(path: &str, max: usize) -> Row {
    Row::new(path, Kind::Blob { min: 0, max }).personal()
}

fn attachment_id(path: &str) -> Row {
    Row::new(path, Kind::Id(KrnKind::DisputeAttachment))
}

/// Files that go with a statement, at `at`.
fn attachments(at: &str, min: usize) -> Vec<Row> {
    let mut rows = vec![Row::new(at, Kind::Array { min, max: ATTACHMENTS_MAX })];
    rows.extend(under(
        &format!("{at}[]"),
        [attachment_id("payment_dispute_attachment_id").required(), free("description", DESCRIPTION_LENGTH_MAX)],
    ));
    rows
}

fn represent_rows() -> Vec<Row> {
    let mut rows = attachments("attachments", 1);
    rows[0] = rows[0].clone().required();
    rows.extend([
        free("additional_information", INFORMATION_LENGTH_MAX),
        // Against the disputed amount it is checked where that is known.
        Row::new("partner_proposed_refund_amount", AMOUNT),
    ]);
    rows
}

fn appeal_rows() -> Vec<Row> {
    let mut rows = attachments("attachments", 1);
    rows.push(Row::new("additional_information", Kind::Blob { min: 1, max: APPEAL_LENGTH_MAX }).personal().required());
    rows
}

fn respond_rows() -> Vec<Row> {
    let mut rows = attachments("attachments", 0);
    rows.push(free("additional_information", INFORMATION_LENGTH_MAX));
    rows.push(Row::new("details", Kind::Object));
    rows.extend(under("details", details_rows()));
    rows
}

/// The members of `details`, of whatever reason.
fn details_rows() -> Vec<Row> {
    let open = |path: &str| Row::new(path, Kind::Open);
    let mut rows: Vec<Row> = [
        "did_you_receive_the_return",
        "return_rejected_reason",
        "have_you_resolved_the_dispute_with_the_customer",
        "not_accepted_reason",
        "resolution_type",
        "delivery_method",
        "shipping",
        "product_type",
        "delivered_with_proof",
        "customer_contacted",
        "service_already_used",
        "service_delivered_by",
        "purchase_cancelable",
        "purchase_refundable",
        "products_already_used",
        "travel_purchase",
        "shipping_carrier",
    ]
    .into_iter()
    .map(open)
    .collect();
    rows.extend([
        text("tracking_number"),
        text("shipment_number"),
        Row::new("shipment_country", Kind::Open),
        text("last_digits_of_phone_for_delivery_notification").personal(),
        text("pickup_date"),
        text("time_of_pickup"),
        text("delivery_date"),
        text("delivery_time"),
        text("time_of_delivery"),
        text("estimated_delivery_date"),
        Row::new("hyperlink_to_proof_of_delivery_url", WEB_URL),
        Row::new("email", Kind::Email).personal(),
    ]);
    rows.extend(person_rows("customer"));
    for address in ["pickup_address", "delivery_address", "pick_up_spot_address"] {
        rows.extend(address_rows(address));
    }
    rows.extend(attachments("proof_of_delivery_attachments", 0));
    rows.push(Row::new("list_of_shipments", Kind::Array { min: 0, max: ARRAY_LENGTH_MAX }));
    rows.extend(under(
        "list_of_shipments[]",
        [
            Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
            text("tracking_number"),
            Row::new("shipping_carrier", Kind::Open),
            text("estimated_delivery_date"),
            Row::new("shipping_carrier_contacted", Kind::Open),
        ],
    ));
    rows
}

fn says_something(body: &Value, faults: &mut Vec<ValidationError>) {
    let given = |name: &str| member(body, &[name]).is_some();
    if !["additional_information", "attachments", "details"].into_iter().any(given) {
        let reason = "is required unless attachments or details are sent";
        faults.push(ValidationError::new("additional_information", reason));
    }
}

// What is shown.

/// A file that is shown.
fn shown_attachment_rows(at: &str) -> Vec<Row> {
    under(
        at,
        [
            attachment_id("payment_dispute_attachment_id"),
            free("description", DESCRIPTION_LENGTH_MAX),
            Row::new("mime_type", Kind::Text { min: 1, max: 100 }),
            Row::new("url", WEB_URL),
        ],
    )
}

/// What the Partner said.
fn statement_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        Row::new("created_at", Kind::Timestamp),
        Row::new("requested_at", Kind::Timestamp),
        free("additional_information", APPEAL_LENGTH_MAX),
    ];
    rows.extend(shown_attachment_rows("attachments[]"));
    under(at, rows)
}

fn representment_rows(at: &str) -> Vec<Row> {
    let states = &[
        "EVIDENCE_REQUESTED",
        "EVIDENCE_RECEIVED",
        "EVIDENCE_REQUEST_EXPIRED",
        "EVIDENCE_WAIVED",
        "REPRESENTMENT_AUTOMATICALLY_REJECTED",
    ];
    let mut rows = vec![
        Row::new("state", Kind::OneOf(states)).required(),
        Row::new("previous_state", Kind::OneOf(states)),
        Row::new("expires_at", Kind::Timestamp),
        Row::new("request.requested_at", Kind::Timestamp),
        free("request.additional_information", 2000),
        Row::new("partner_proposed_refund_amount", AMOUNT),
    ];
    rows.extend(statement_rows("partner_evidence"));
    under(at, rows)
}

const STATES: &[&str] = &[
    "INITIATED",
    "REPRESENTMENT",
    "PRE_ARBITRATION",
    "ARBITRATION",
    "ARBITRATION_PENDING",
    "MERCHANT_EVIDENCE_PENDING",
    "ARBITRATION_APPEAL_OPEN",
    "CLOSED",
];

fn dispute_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("payment_dispute_id", Kind::Id(KrnKind::Dispute)).required(),
        Row::new("state", Kind::OneOf(STATES)).required(),
        Row::new("previous_state", Kind::OneOf(STATES)),
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)).required(),
        reference("payment_transaction_reference"),
        reference("purchase_reference"),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
        reference("payment_capture_reference"),
        Row::new("payment_account_id", Kind::Id(KrnKind::PaymentAccount)).required(),
        reference("payment_account_reference"),
        Row::new("partner_account_id", Kind::Id(KrnKind::PartnerAccount)),
        Row::new("product_id", Kind::Id(KrnKind::PaymentProduct)),
        Row::new("updated_at", Kind::Timestamp).required(),
        Row::new("configuration.base_framework", Kind::OneOf(DisputeFramework::KNOWN_TEXTS)).required(),
        Row::new("configuration.options.hold_policy", Kind::OneOf(&["NONE", "ON_DISPUTE_INITIATED"])),
        // The older generation.
        Row::new("reason", Kind::Open),
        Row::new("dispute_amount", AMOUNT),
        Row::new("currency", Kind::Currency),
        Row::new("opened_at", Kind::Timestamp),
        Row::new("closed_at", Kind::Timestamp),
        Row::new("deadline_expires_at", Kind::Timestamp),
        Row::new("state_context.evidence_request_type", Kind::Open),
        Row::new("state_context.evidence_response_deadline_at", Kind::Timestamp),
        reference("merchant_evidence[].payment_dispute_merchant_evidence_id").required(),
        Row::new("merchant_evidence[].request.created_at", Kind::Timestamp),
        Row::new("merchant_evidence[].request.state", Kind::Open),
        free("merchant_evidence[].request.comment", 2000),
        Row::new("merchant_evidence[].response.details", Kind::Object).personal(),
        // The newer.
        reference("order_id"),
        Row::new("capture_krn", Kind::Id(KrnKind::PaymentCapture)),
        reference("capture_id"),
        Row::new("dispute_reason", Kind::Open),
        Row::new("dispute_details.dispute_amount", AMOUNT).required(),
        Row::new("dispute_details.currency", Kind::Currency).required(),
        Row::new("dispute_details.created_by", Kind::OneOf(&["CUSTOMER", "KLARNA_AGENT"])).required(),
        Row::new("state_context.arbitration_expires_at", Kind::Timestamp),
        Row::new("state_context.dispute_outcome", Kind::OneOf(&["WON", "LOST"])),
        reference("state_context.dispute_outcome_detailed"),
        Row::new("state_context.closed_at", Kind::Timestamp),
        Row::new("arbitration.preliminary_outcome", Kind::OneOf(&["WON", "LOST"])),
        reference("arbitration.preliminary_outcome_detailed"),
        reference("process_exceptions[].exception_type"),
        reference("process_exceptions[].reason"),
        free("process_exceptions[].description", 500),
        Row::new("created_at", Kind::Timestamp),
    ];
    rows.extend(statement_rows("merchant_evidence[].response"));
    rows.extend(representment_rows("representment"));
    rows.extend(representment_rows("state_context.representment"));
    rows.extend(statement_rows("state_context.partner_evidence"));
    rows.extend(statement_rows("arbitration.arbitration_request"));
    for evidence in ["customer_evidence[]", "customer_evidences[]"] {
        rows.push(attachment_id(&format!("{evidence}.payment_dispute_customer_evidence_id")).required());
        rows.extend(shown_attachment_rows(&format!("{evidence}.attachment")));
    }
    rows
}

fn statement_made_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("state", Kind::OneOf(STATES)).required(),
        Row::new("created_at", Kind::Timestamp).required(),
        free("additional_information", APPEAL_LENGTH_MAX),
        Row::new("partner_proposed_refund_amount", AMOUNT),
        Row::new("details", Kind::Object).personal(),
        reference("payment_dispute_merchant_evidence_id"),
    ];
    rows.extend(shown_attachment_rows("attachments[]"));
    rows
}

// Controls of the test environment.

fn open_rows() -> Vec<Row> {
    vec![
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
        reference("reason").required(),
        Row::new("framework", Kind::OneOf(DisputeFramework::KNOWN_TEXTS)),
        Row::new("amount", AMOUNT),
        Row::new("created_by", Kind::OneOf(&["CUSTOMER", "KLARNA_AGENT"])),
        Row::new("hold_policy", Kind::OneOf(&["NONE", "ON_DISPUTE_INITIATED", "ON_DISPUTE_OPEN"])),
        free("additional_information", 2000),
    ]
}

fn names_a_payment(body: &Value, faults: &mut Vec<ValidationError>) {
    let given = |name: &str| member(body, &[name]).is_some();
    if !given("payment_transaction_id") && !given("payment_capture_id") {
        let reason = "is required unless payment_capture_id is sent";
        faults.push(ValidationError::new("payment_transaction_id", reason));
    }
}
