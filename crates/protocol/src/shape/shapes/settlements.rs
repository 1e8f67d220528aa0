//! Settlements, their lines and payouts: RULINGS "Objects".

use serde_json::Value;

use super::{ANY_INTEGER, COUNT, list_rows, member, reference, text_of, under};
use crate::error::ValidationError;
use crate::krn::KrnKind;
use crate::shape::{Kind, Row};
use crate::time::Timestamp;

crate::shapes! {
    /// Body of POST `/v2/settlements`.
    create_settlements = interval_rows(true), &[interval_is_one];
    /// Body of POST `/testing/settlements`.
    settle_now = interval_rows(false), &[interval_is_one];
    /// What POST `/v2/settlements` answers.
    settlement_reports = list_rows("settlement_reports", settlement_rows(), false), &[];
    /// A settlement.
    settlement = settlement_rows(), &[];
    /// A page of settlements.
    settlements = list_rows("settlements", settlement_rows(), true), &[];
    /// A page of a settlement's lines.
    settlement_transactions = list_rows("transactions", line_rows(), true), &[];
    /// A payout.
    payout = payout_rows(), &[];
    /// Body of POST `…/payouts/set-status`.
    set_payout_status = vec![
        text_of("payout_bank_account_reference", 1, 255),
        Row::new("status", PAYOUT_STATUS).required(),
    ], &[];
    /// Body of POST `/testing/settlements/{settlement_id}/payout`.
    payout_outcome = vec![Row::new("outcome", Kind::OneOf(&["CONFIRMED", "FAILED"])).required()], &[];
    /// Body of POST `/testing/…/settlement-entries`.
    settlement_entry = entry_rows(), &[];
    /// What it answers.
    entered = entered_rows(), &[];
}

const PAYOUT_STATUS: Kind = Kind::OneOf(&["PENDING", "PROCESSED", "CONFIRMED", "FAILED"]);

fn interval_rows(required: bool) -> Vec<Row> {
    let time = |name: &str| {
        let row = Row::new(name, Kind::Timestamp);
        if required { row.required() } else { row }
    };
    vec![
        time("interval_start"),
        time("interval_end"),
        Row::new("payment_acquiring_account_id", Kind::Id(KrnKind::AcquiringAccount)),
    ]
}

fn settlement_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("settlement_id", Kind::Id(KrnKind::Settlement)).required(),
        Row::new("payment_acquiring_account_id", Kind::Id(KrnKind::AcquiringAccount)).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("interval_start", Kind::Timestamp).required(),
        Row::new("interval_end", Kind::Timestamp).required(),
        Row::new("state", Kind::OneOf(&["OPEN", "CLOSED", "PAID", "CARRIED_FORWARD"])).required(),
        reference("payment_reference").required(),
        Row::new("opening_balance", ANY_INTEGER).required(),
        Row::new("settlement_amount", ANY_INTEGER).required(),
        Row::new("closing_balance", ANY_INTEGER).required(),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("totals", Kind::Object).required(),
    ];
    for total in [
        "capture_amount",
        "refund_amount",
        "chargeback_amount",
        "chargeback_reversal_amount",
        "fee_amount",
        "tax_amount",
        "adjustment_amount",
        "holdback_amount",
        "release_amount",
    ] {
        rows.extend(under("totals", [Row::new(total, ANY_INTEGER).required()]));
    }
    rows
}

fn line_rows() -> Vec<Row> {
    vec![
        reference("settlement_transaction_id").required(),
        Row::new("type", Kind::Open).required(),
        Row::new("detailed_type", Kind::Open),
        Row::new("amount", ANY_INTEGER).required(),
        Row::new("tax_amount", ANY_INTEGER),
        Row::new("tax_rate", Kind::Open),
        Row::new("currency", Kind::Currency).required(),
        Row::new("transaction_event_amount", ANY_INTEGER),
        Row::new("transaction_event_currency", Kind::Currency),
        Row::new("exchange_rate", Kind::Open),
        Row::new("occurred_at", Kind::Timestamp).required(),
        Row::new("partner_account_id", Kind::Id(KrnKind::PartnerAccount)).required(),
        Row::new("payment_account_id", Kind::Id(KrnKind::PaymentAccount)).required(),
        reference("payment_account_reference"),
        Row::new("payment_transaction_id", Kind::Id(KrnKind::PaymentTransaction)),
        reference("payment_transaction_reference"),
        reference("purchase_reference"),
        Row::new("payment_capture_id", Kind::Id(KrnKind::PaymentCapture)),
        reference("payment_capture_reference"),
        Row::new("payment_refund_id", Kind::Id(KrnKind::PaymentRefund)),
        reference("payment_refund_reference"),
        Row::new("payment_chargeback_id", Kind::Id(KrnKind::PaymentChargeback)),
        Row::new("dispute_id", Kind::Id(KrnKind::Dispute)),
    ]
}

fn payout_rows() -> Vec<Row> {
    vec![
        Row::new("settlement_id", Kind::Id(KrnKind::Settlement)).required(),
        reference("payment_reference").required(),
        Row::new("amount", COUNT).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("status", PAYOUT_STATUS).required(),
        reference("payout_bank_account_reference").required(),
        Row::new("updated_at", Kind::Timestamp).required(),
    ]
}

fn entry_rows() -> Vec<Row> {
    vec![
        Row::new("type", Kind::OneOf(&["HOLDBACK", "RELEASE", "ADJUSTMENT"])).required(),
        Row::new("amount", ANY_INTEGER).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("acquiring_config", Kind::Object),
        Row::new("acquiring_config.payment_account_id", Kind::Id(KrnKind::PaymentAccount)),
    ]
}

fn entered_rows() -> Vec<Row> {
    vec![
        Row::new("type", Kind::Open).required(),
        Row::new("amount", ANY_INTEGER).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("occurred_at", Kind::Timestamp).required(),
    ]
}

fn interval_is_one(body: &Value, faults: &mut Vec<ValidationError>) {
    let time = |name: &str| member(body, &[name])?.as_str()?.parse::<Timestamp>().ok();
    if let (Some(start), Some(end)) = (time("interval_start"), time("interval_end"))
        && end.as_micros() <= start.as_micros()
    {
        faults.push(ValidationError::new("interval_end", "must be later than interval_start"));
    }
}
