//! Disputes. The sheet's 23 answers are one for each way to answer a reason.

use serde_json::{Value, json};

use super::Contract;
use crate::disputes_steps::{control, dispute, file, id, later};
use crate::harness::End;

const ID: &str = "payment_dispute_id";
const OLD: &str = "FRAMEWORK_2020";

/// A dispute whose evidence Klarna asks for, with a file.
async fn asked(end: &End, reason: &str) -> (String, String) {
    let opened = dispute(end, OLD, reason).await;
    let id = id(&opened);
    if opened["state"] == "PRE_ARBITRATION" {
        control(end, &id, "escalate", &json!({})).await.expect(200);
    }
    control(end, &id, "request-evidence", &json!({})).await.expect(200);
    let file = file(end, &id).await;
    (id, file)
}

const RESOLVED: &str = "have_you_resolved_the_dispute_with_the_customer";

/// The details of the sheet's examples, by reason; files stand as `FILE`.
fn examples() -> Vec<(&'static str, Value)> {
    let address = json!({"street_address": "Musterweg 1", "postal_code": "10115", "city": "Berlin", "country": "DE"});
    let customer = json!({"given_name": "Ada", "family_name": "Muster"});
    let proof = json!([{"payment_dispute_attachment_id": "FILE", "description": "proof"}]);
    let refuse = |method: &str, mut more: Value| {
        more[RESOLVED] = json!("NO_DISPUTE_NOT_ACCEPTED");
        more["not_accepted_reason"] = json!("CUSTOMER_REFUSED_DELIVERY_VALID_PROOF_REQUIRED");
        more["delivery_method"] = json!(method);
        more["customer"] = customer.clone();
        more["proof_of_delivery_attachments"] = proof.clone();
        ("PRODUCTS_NOT_RECEIVED", more)
    };
    let shipment = json!([{"payment_capture_id": "krn:payment:eu1:transaction:0b3a7c1e-0000-4000-8000-000000000001:capture:1",
        "tracking_number": "T1", "shipping_carrier": "DHL", "estimated_delivery_date": "2026-03-05",
        "shipping_carrier_contacted": "YES_PURCHASE_HAS_BEEN_DELIVERED_BACK_TO_US"}]);
    let refunds = "YES_WILL_REFUND_THE_CUSTOMER_THROUGH_KLARNA";
    vec![
        ("RETURN_NOT_REFUNDED", json!({"did_you_receive_the_return": "RETURN_NOT_RECEIVED"})),
        (
            "RETURN_NOT_REFUNDED",
            json!({"did_you_receive_the_return": "RETURN_REJECTED_NO_REFUND",
            "return_rejected_reason": "CUSTOMER_DID_NOT_CONTACT_MERCHANT"}),
        ),
        ("RETURN_NOT_REFUNDED", json!({"did_you_receive_the_return": refunds})),
        (
            "CAPTURE_AMOUNT_INCORRECT",
            json!({RESOLVED: "NO_DISPUTE_NOT_ACCEPTED", "not_accepted_reason": "OTHER_REASON_COMMENT_REQUIRED"}),
        ),
        ("CAPTURE_AMOUNT_INCORRECT", json!({RESOLVED: refunds})),
        (
            "PRODUCTS_FAULTY",
            json!({RESOLVED: "NO_DISPUTE_NOT_ACCEPTED", "not_accepted_reason": "ITEM_NOT_FAULTY_AS_DESCRIBED"}),
        ),
        ("PRODUCTS_FAULTY", json!({RESOLVED: "YES_OTHER_RESOLUTION", "resolution_type": "REPLACEMENT"})),
        ("PRODUCTS_FAULTY", json!({RESOLVED: refunds})),
        refuse(
            "BUY_ONLINE_PICK_UP_IN_STORE",
            json!({"pickup_address": address, "pickup_date": "2026-03-01", "time_of_pickup": "14:30"}),
        ),
        refuse(
            "BY_POST_OR_MAIL",
            json!({"tracking_number": "T1", "delivery_address": address, "shipping_carrier": "DHL",
            "estimated_delivery_date": "2026-03-05", "hyperlink_to_proof_of_delivery_url": "https://carrier.example/T1"}),
        ),
        refuse(
            "DIGITAL_DELIVERY",
            json!({"delivery_date": "2026-03-01", "time_of_delivery": "14:30", "email": "customer@email.de"}),
        ),
        refuse(
            "FOOD_DELIVERY_PERISHABLES_TO_CUSTOMER",
            json!({"delivery_address": address, "delivery_date": "2026-03-01", "delivery_time": "14:30"}),
        ),
        refuse(
            "FOOD_DELIVERY_PERISHABLES_TO_PICK_UP_SPOT",
            json!({"pick_up_spot_address": address, "delivery_date": "2026-03-01", "delivery_time": "14:30"}),
        ),
        refuse("INTERNAL_DELIVERY_SERVICE_LOGISTICS_CARRIER", json!({"shipment_number": "S1"})),
        ("PRODUCTS_NOT_RECEIVED", json!({RESOLVED: refunds})),
        ("PURCHASE_HIGH_RISK", json!({"shipping": "FULLY_SHIPPED", "list_of_shipments": shipment})),
        ("PURCHASE_HIGH_RISK", json!({"shipping": "PARTIALLY_SHIPPED", "list_of_shipments": shipment})),
        ("PURCHASE_HIGH_RISK", json!({"shipping": "NOT_SHIPPED"})),
        (
            "PURCHASE_UNAUTHORIZED",
            json!({"product_type": "PHYSICAL_PRODUCTS_FULLY_SHIPPED", "delivery_address": address,
            "tracking_number": "T1", "shipment_country": "DE", "last_digits_of_phone_for_delivery_notification": "0615",
            "delivered_with_proof": "YES_PURCHASE_DELIVERED_WITH_PROOF_OF_DELIVERY", "customer_contacted": "YES_WE_HAVE_BEEN_IN_CONTACT"}),
        ),
        (
            "PURCHASE_UNAUTHORIZED",
            json!({"product_type": "PHYSICAL_PRODUCTS_PARTIALLY_SHIPPED",
            "delivered_with_proof": "NO_PURCHASE_WAS_NOT_DELIVERED_WITH_PROOF_OF_DELIVERY"}),
        ),
        (
            "PURCHASE_UNAUTHORIZED",
            json!({"product_type": "SERVICES", "service_already_used": "YES_THE_SERVICE_HAS_BEEN_USED",
            "service_delivered_by": "EMAIL", "email": "customer@email.de"}),
        ),
        (
            "PURCHASE_UNAUTHORIZED",
            json!({"product_type": "TICKETS_TRAVEL", "purchase_cancelable": "YES_WE_WILL_CANCEL_THE_PURCHASE",
            "purchase_refundable": "YES_THE_PURCHASE_CAN_BE_FULLY_REFUNDED"}),
        ),
        (
            "PURCHASE_UNAUTHORIZED",
            json!({"product_type": "TICKETS_TRAVEL", "travel_purchase": "YES_THIS_PURCHASE_IS_FOR_TRAVEL",
            "products_already_used": "NO_THE_PRODUCTS_HAVE_NOT_BEEN_USED_YET"}),
        ),
    ]
}

/// Uploads the sheet's form and returns the file's id.
async fn upload(end: &End, op: &Contract, id: &str) -> Value {
    let parts: [(&str, Option<&str>, &[u8]); 2] =
        [("filename", None, b"note"), ("file", Some("note.pdf"), crate::disputes_steps::PDF)];
    let answer = end.upload(&op.path(end, &[(ID, id)]), &parts).await.expect(201);
    op.note("", &[], Some(&json!({"filename": "note", "file": "note.pdf"})));
    answer
}

crate::contracts! {
    "POST /v2/accounts/{partner_account_id}/payment/disputes/{payment_dispute_id}/accept-loss" => async fn accept_loss(end, op) {
        let id = id(&dispute(end, OLD, "PRODUCTS_FAULTY").await);
        op.call(end, &[(ID, &id)], None).await;
    }

    "GET /v2/accounts/{partner_account_id}/payment/disputes/{payment_dispute_id}/attachments/{payment_dispute_attachment_id}/download" => async fn download(end, op) {
        let (id, file) = asked(end, "PRODUCTS_FAULTY").await;
        let params = [(ID, id.as_str()), ("payment_dispute_attachment_id", file.as_str())];
        let answer = op.try_call(end, &params, "", &[], None).await;
        assert_eq!((answer.status, answer.text.as_bytes()), (200, crate::disputes_steps::PDF));
        op.call(end, &params, None).await;
    }

    "GET /v2/accounts/{partner_account_id}/payment/disputes/{payment_dispute_id}" => async fn read(end, op) {
        let id = id(&dispute(end, OLD, "PRODUCTS_FAULTY").await);
        let evidence: [(&str, Option<&str>, &[u8]); 1] = [("file", Some("photo.pdf"), crate::disputes_steps::PDF)];
        end.upload(&format!("/testing/disputes/{id}/customer-evidence"), &evidence).await.expect(201);
        op.reads(&op.call(end, &[(ID, &id)], None).await);
    }

    "GET /v2/accounts/{partner_account_id}/payment/disputes" => async fn list(end, op) {
        let mut all = Vec::new();
        for _ in 0..3 {
            all.push(dispute(end, OLD, "PRODUCTS_FAULTY").await);
            later(end, "PT1M").await;
        }
        let transactions: Vec<_> = all.iter().map(|one| one["payment_transaction_id"].as_str().unwrap()).collect();
        let transactions = transactions.join(",");
        let common = "state=PRE_ARBITRATION&reason=PRODUCTS_FAULTY&purchase_references=88&sort_by=opened_at&size=1";
        let query = format!("opened_at_start=2026-03-02T10:00:00.000Z&opened_at_end=2026-03-03T10:00:00.000Z&payment_transaction_id={transactions}&{common}");
        let first = op.call_with(end, &[], &query, &[], None).await;
        op.reads(&first);
        let last = first["pagination"]["last_item"].as_str().expect("there is more");
        let product = all[0]["product_id"].as_str().unwrap();
        let query = format!("{common}&starting_after={last}&payment_product_instance_id={product}");
        let second = op.call_with(end, &[], &query, &[], None).await;
        assert_eq!(id(&second["disputes"][0]), id(&all[1]));
        let query = format!("{common}&ending_before={}", id(&all[2]));
        let back = op.call_with(end, &[], &query, &[], None).await;
        assert_eq!(back["disputes"], second["disputes"]);
        let query = "closed_at_start=2026-03-02T10:00:00.000Z&closed_at_end=2026-03-03T10:00:00.000Z";
        assert_eq!(op.call_with(end, &[], query, &[], None).await["disputes"], json!([]));
    }

    "POST /v2/accounts/{partner_account_id}/payment/disputes/{payment_dispute_id}/attachments" => async fn attach(end, op) {
        let id = id(&dispute(end, OLD, "PRODUCTS_FAULTY").await);
        op.reads(&upload(end, op, &id).await);
    }

    "POST /v2/accounts/{partner_account_id}/payment/disputes/{payment_dispute_id}/respond" => async fn respond(end, op) {
        let examples = examples();
        assert_eq!(examples.len(), 23);
        for (reason, mut details) in examples {
            let (id, file) = asked(end, reason).await;
            if let Some(proofs) = details.get_mut("proof_of_delivery_attachments") {
                proofs[0]["payment_dispute_attachment_id"] = json!(file);
            }
            let body = json!({"additional_information": "As agreed.", "details": details,
                "attachments": [{"payment_dispute_attachment_id": file, "description": "note"}]});
            let sent = op.call(end, &[(ID, &id)], Some(&body)).await;
            assert_eq!(sent["details"], details, "kept as it came");
        }
    }
}
