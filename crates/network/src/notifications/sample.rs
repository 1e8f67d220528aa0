//! Sample payloads for simulated events: the shape of a real one, invented contents (RULINGS, "Delivery").

use kit::random::Random;
use protocol::{
    CustomerToken, DisputeId, EventType, PartnerAccountId, PaymentAccountId, PaymentCaptureId, PaymentProductId,
    PaymentRefundId, PaymentRequestId, PaymentToken, PaymentTransactionId, Region, SessionToken, SettlementId,
    Timestamp,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The payload of a simulated event of `account` at `now`, in microseconds UTC.
pub(super) fn payload(event: &EventType, account: &PartnerAccountId, random: &Random, now: i64) -> Value {
    let name = event.as_str();
    let at = Timestamp::from_micros(now).map(|at| at.to_string()).unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default();
    match name {
        _ if name.starts_with("payment.request.") => request(last, random, now, &at),
        _ if name.starts_with("payment.transaction.") => transaction(last, random, now, &at),
        _ if name.starts_with("payment.funding.") => {
            let mut payload = transaction("authorized", random, now, &at);
            let state = if last == "funded" { "FUNDED" } else { "EXPIRED" };
            payload["payment_funding"] = json!({"type": "NON_GUARANTEED", "state": state});
            payload
        }
        _ if name.starts_with("payment.dispute.") => dispute(name, last, random, now, &at),
        _ if name.starts_with("settlement.") => settlement(name, random, now, &at),
        _ if name.starts_with("identity.") => {
            let token = CustomerToken::new(Region::Eu1, &random.alphanumeric(32));
            json!({"customer_token": token, "customer_token_reference": "sample-customer", "state": "REVOKED",
                "previous_state": "ACTIVE", "revoked_by": "CUSTOMER"})
        }
        _ => partner(name, last, account, random, now),
    }
}

fn request(last: &str, random: &Random, now: i64, at: &str) -> Value {
    let (state, previous) = match last {
        "submitted" | "updated" => ("SUBMITTED", None),
        "in-progress" => ("IN_PROGRESS", Some("SUBMITTED")),
        "completed" => ("COMPLETED", Some("IN_PROGRESS")),
        "canceled" => ("CANCELED", Some("SUBMITTED")),
        "expired" => ("EXPIRED", Some("SUBMITTED")),
        _ => ("DECLINED", Some("IN_PROGRESS")),
    };
    let mut payload = json!({"payment_request_id": PaymentRequestId::new(Region::Eu1, random.id(now)),
        "payment_request_reference": "sample-request", "currency": "EUR", "amount": 4990, "state": state,
        "created_at": at, "updated_at": at, "expires_at": at});
    if let Some(previous) = previous {
        payload["previous_state"] = json!(previous);
    }
    if state == "CANCELED" {
        payload["state_reason"] = json!("PARTNER_CANCELED");
    }
    if matches!(state, "SUBMITTED" | "IN_PROGRESS") {
        let id = payload["payment_request_id"].clone();
        let url = "https://pay.example/sample";
        payload["payment_request_url"] = json!(url);
        payload["state_context"] = json!({"customer_interaction":
            {"method": "HANDOVER", "payment_request_id": id, "payment_request_url": url}});
    }
    if state == "COMPLETED" {
        // Recognisably no grant: they open nothing.
        let token = SessionToken::new(Region::Eu1, "sample");
        let handle = PaymentToken::new(Region::Eu1, Uuid::nil());
        let customer = json!({"customer_profile": {"given_name": "Test", "family_name": "Person-de"}});
        let address =
            json!({"street_address": "Musterweg 1", "postal_code": "10115", "city": "Berlin", "country": "DE"});
        let shipping = json!({"recipient": {"given_name": "Test", "family_name": "Person-de"}, "address": address});
        payload["klarna_network_session_token"] = json!(token);
        payload["klarna_customer"] = customer.clone();
        payload["shipping"] = shipping.clone();
        payload["state_context"] = json!({"klarna_network_session_token": token, "interoperability_token": token,
            "payment_token": handle, "klarna_customer": customer, "shipping": shipping});
    }
    payload
}

fn transaction(last: &str, random: &Random, now: i64, at: &str) -> Value {
    let id = PaymentTransactionId::new(Region::Eu1, random.id(now));
    let (state, captured, refunded, charged_back) = match last {
        "authorized" => ("AUTHORIZED", 0, 0, 0),
        "expired" => ("EXPIRED", 0, 0, 0),
        "closed" => ("CLOSED", 0, 0, 0),
        "refunded" => ("COMPLETED", 4990, 500, 0),
        "chargeback" => ("COMPLETED", 4990, 0, 4990),
        _ => ("COMPLETED", 4990, 0, 0),
    };
    let voided = if state == "CLOSED" { 4990 } else { 0 };
    let mut payload = json!({"payment_transaction_id": id, "payment_transaction_reference": "sample-transaction",
        "payment_request_id": PaymentRequestId::new(Region::Eu1, random.id(now)), "purchase_reference": "sample-purchase",
        "payment_account_id": PaymentAccountId::new(random.id(now)), "payment_account_reference": "sample-account",
        "state": state, "currency": "EUR", "amount": 4990, "captured_amount": captured, "refunded_amount": refunded,
        "charged_back_amount": charged_back, "voided_amount": voided,
        "remaining_amount": 4990 - captured - voided, "expires_at": at});
    let capture = PaymentCaptureId::new(&id, 1);
    match last {
        "captured" => {
            payload["payment_capture_id"] = json!(capture);
            payload["payment_capture_reference"] = json!("sample-capture");
            payload["capture_amount"] = json!(4990);
        }
        "refunded" => {
            payload["payment_refund_id"] = json!(PaymentRefundId::new(&id, 1));
            payload["payment_refund_reference"] = json!("sample-refund");
            payload["payment_capture_id"] = json!(capture);
            payload["refund_amount"] = json!(500);
        }
        "chargeback" => {
            payload["payment_chargeback_id"] = json!(protocol::PaymentChargebackId::new(&id, 1));
            payload["payment_dispute_id"] = json!(DisputeId::new(Region::Eu1, 1));
            payload["chargeback_amount"] = json!(4990);
        }
        _ => payload["previous_state"] = json!("AUTHORIZED"),
    }
    payload
}

fn dispute(name: &str, last: &str, random: &Random, now: i64, at: &str) -> Value {
    let mut payload = json!({"payment_dispute_id": DisputeId::new(Region::Eu1, random.below(1_000_000_000)),
        "order_id": random.id(now).to_string(),
        "payment_transaction_id": PaymentTransactionId::new(Region::Eu1, random.id(now)),
        "payment_transaction_reference": "sample-transaction", "updated_at": at});
    if name.starts_with("payment.dispute.state-change.") {
        payload["state"] = json!(last.replace('-', "_").to_uppercase());
    }
    match last {
        "initiated" => {
            payload["dispute_reason"] = json!("PRODUCTS_OR_SERVICES_NOT_RECEIVED");
            payload["dispute_details"] = json!({"dispute_amount": 4990, "currency": "EUR", "created_by": "CUSTOMER"});
            payload["representment"] = json!({"state": "EVIDENCE_REQUESTED", "expires_at": at,
                "request": {"requested_at": at, "additional_information": "sample"}});
            payload["created_at"] = json!(at);
        }
        "closed" => {
            payload["dispute_outcome"] = json!("WON");
            payload["dispute_outcome_detailed"] = json!("EVIDENCE_ACCEPTED");
            payload["closed_at"] = json!(at);
        }
        "arbitration-deadline-extended" => {
            payload["state"] = json!("ARBITRATION_PENDING");
            payload["updated_fields"] = json!({"arbitration_deadline_at": at});
        }
        "representment-deadline-extended" => {
            payload["currency"] = json!("EUR");
            payload["state"] = json!("INITIATED");
            payload["updated_fields"] = json!({"evidence_response_deadline_at": at});
            payload["previous_fields"] = json!({"evidence_response_deadline_at": at});
        }
        _ => {}
    }
    payload
}

fn settlement(name: &str, random: &Random, now: i64, at: &str) -> Value {
    let id = SettlementId::new(random.id(now));
    if let Some(status) = name.strip_prefix("settlement.payout.") {
        return json!({"settlement_id": id, "payment_reference": "SAMPLE01", "amount": 3149, "currency": "EUR",
            "status": status.to_uppercase(), "updated_at": at});
    }
    let mut payload = json!({"settlement_id": id, "currency": "EUR", "interval_start": at, "interval_end": at,
        "state": "CLOSED", "payment_reference": "SAMPLE01", "settlement_amount": 3149});
    if name.ends_with("uploaded-to-sftp") {
        payload["file_name"] = json!("sample.csv");
    } else {
        let path = format!("/v2/settlements/{id}");
        payload["links"] = json!({"json": path, "csv": format!("{path}/csv")});
    }
    payload
}

fn partner(name: &str, last: &str, account: &PartnerAccountId, random: &Random, now: i64) -> Value {
    let mut payload = json!({"partner_account_id": account, "account_id": account,
        "partner_account_reference": "sample-partner"});
    match name {
        "partner.account.state-change.operational" => {
            payload["state"] = json!("OPERATIONAL");
            payload["previous_state"] = json!("PARTIALLY_OPERATIONAL");
        }
        "partner.account.change.created" => {
            payload["change_id"] = json!(random.id(now));
            payload["resource_type"] = json!("partner_account");
            payload["resource_id"] = json!(account);
            payload["changed_fields"] = json!(["partner_account_name"]);
        }
        "partner.account.brand.data-incomplete" => {
            payload["brand_id"] = json!(protocol::BrandId::new(random.id(now)));
            payload["incomplete_fields"] = json!([{"field": "logo_url", "reason": "NOT_REACHABLE"}]);
        }
        "partner.compliance.decision.created" => {
            payload["decision_id"] = json!(protocol::ComplianceDecisionId::new(random.id(now)));
            payload["decision_type"] = json!("OTHER_RISK");
            payload["product_instance_id"] = json!(PaymentProductId::new(random.id(now)));
        }
        _ => {
            let (state, previous) = if last == "enabled" { ("ENABLED", "DISABLED") } else { ("DISABLED", "ENABLED") };
            payload["product_id"] = json!(PaymentProductId::new(random.id(now)));
            payload["state"] = json!(state);
            payload["previous_state"] = json!(previous);
            payload["reason"] = json!("VOLUNTARY");
        }
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_the_catalogue_has_a_sample_that_names_its_resource() {
        let account = PartnerAccountId::new_test("SAMPLE01");
        for event in EventType::catalogue() {
            let payload = payload(event, &account, &Random::seeded(1, 0), 1_700_000_000_000_000);
            let id = match event.as_str() {
                name if name.starts_with("payment.request.") => "payment_request_id",
                name if name.starts_with("payment.dispute.") => "payment_dispute_id",
                name if name.starts_with("payment.") => "payment_transaction_id",
                name if name.starts_with("settlement.") => "settlement_id",
                name if name.starts_with("identity.") => "customer_token",
                _ => "partner_account_id",
            };
            assert!(payload[id].is_string(), "{event}: {payload}");
            if event.as_str() == "payment.request.state-change.completed" {
                let context = &payload["state_context"];
                assert!(context["payment_token"].is_string());
                for name in ["klarna_network_session_token", "klarna_customer", "shipping"] {
                    assert!(!context[name].is_null() && context[name] == payload[name], "{name}: {payload}");
                }
            }
            if event.as_str().contains("state-change") || event.is_dispute() {
                assert!(payload["state"].is_string(), "{event}: {payload}");
            }
        }
    }
}
