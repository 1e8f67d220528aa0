//! Disputes of the older framework over HTTP: arbitration, evidence by reason, acceptance, appeal, and what time does.

use http::Method;
use kit::clock::DAY_US;
use serde_json::{Value, json};

use crate::disputes_steps::*;
use crate::harness::{BEGINNING, Receiver, ends};
use crate::payments_steps::{AMOUNT, names};

const OLD: &str = "FRAMEWORK_2020";

fn time(at: i64) -> Value {
    json!(protocol::Timestamp::from_micros(at).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_from_agreement_through_arbitration_to_its_end_by_time_alone() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PRODUCTS_OR_SERVICES_NOT_RECEIVED").await;
        let id = id(&opened);
        let transaction = opened["payment_transaction_id"].as_str().unwrap().to_owned();
        assert_eq!((&opened["state"], &opened["reason"]), (&json!("PRE_ARBITRATION"), &json!("PRODUCTS_NOT_RECEIVED")));
        assert_eq!((&opened["dispute_amount"], &opened["currency"]), (&json!(AMOUNT), &json!("EUR")));
        assert_eq!(opened["opened_at"], time(BEGINNING));
        assert_eq!(opened["deadline_expires_at"], time(BEGINNING + 21 * DAY_US));
        for newer in ["dispute_reason", "dispute_details", "representment", "created_at"] {
            assert_eq!(opened.get(newer), None, "{newer}");
        }
        later(&end, "P21D").await;
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!(
            (&object["state"], &object["previous_state"]),
            (&json!("ARBITRATION_PENDING"), &json!("PRE_ARBITRATION"))
        );
        later(&end, "P1D").await;
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!(object["state"], "MERCHANT_EVIDENCE_PENDING");
        let deadline = time(BEGINNING + 36 * DAY_US);
        assert_eq!(
            object["state_context"],
            json!({"evidence_request_type": "PRODUCTS_NOT_RECEIVED", "evidence_response_deadline_at": deadline})
        );
        let evidence = &object["merchant_evidence"][0];
        assert_eq!(
            (&evidence["request"]["state"], &evidence["request"]["created_at"]),
            (&json!("EVIDENCE_REQUESTED"), &time(BEGINNING + 22 * DAY_US))
        );
        later(&end, "P14D").await;
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!(
            (&object["state"], &object["merchant_evidence"][0]["request"]["state"]),
            (&json!("ARBITRATION_PENDING"), &json!("EVIDENCE_REQUEST_EXPIRED"))
        );
        later(&end, "P60D").await;
        let object = get(&end, &format!("/{id}")).await.expect(200);
        let closed = time(BEGINNING + 96 * DAY_US);
        assert_eq!((&object["state"], &object["closed_at"]), (&json!("CLOSED"), &closed));
        assert_eq!(object["state_context"], json!({"dispute_outcome": "LOST", "closed_at": closed}));
        assert_eq!(charged_back(&end, &transaction).await, AMOUNT);
        assert_eq!(ledger(&end).await, [("DISPUTE_FEE".to_owned(), -750), ("CHARGEBACK".to_owned(), -AMOUNT)]);
        let wanted = [
            "pre-arbitration",
            "arbitration-pending",
            "merchant-evidence-pending",
            "arbitration-pending",
            "closed",
            "chargeback",
        ];
        assert_eq!(kinds(&end).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_stays_open_as_long_as_its_dispute() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PRODUCTS_FAULTY").await;
        let transaction = opened["payment_transaction_id"].as_str().unwrap().to_owned();
        let until = time(BEGINNING + 400 * DAY_US);
        control(&end, &id(&opened), "extend", &json!({"until": until})).await.expect(200);
        let state = || async {
            let path = format!("/transactions/{transaction}");
            crate::payments_steps::get(&end, &path).await.expect(200)["state"].as_str().unwrap().to_owned()
        };
        later(&end, "P370D").await;
        assert_eq!(state().await, "COMPLETED");
        control(&end, &id(&opened), "withdraw", &json!({})).await.expect(200);
        assert_eq!(state().await, "CLOSED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grave_reasons_are_arbitrated_at_once() {
    for end in ends().await {
        for reason in ["PURCHASE_UNAUTHORIZED", "PURCHASE_HIGH_RISK"] {
            let opened = dispute(&end, OLD, reason).await;
            assert_eq!(
                (&opened["state"], &opened["previous_state"]),
                (&json!("ARBITRATION_PENDING"), &json!("PRE_ARBITRATION"))
            );
        }
        assert_eq!(
            kinds(&end).await,
            ["pre-arbitration", "arbitration-pending", "pre-arbitration", "arbitration-pending"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_accepted_before_the_decision() {
    for end in ends().await {
        for steps in [&[][..], &["escalate"], &["escalate", "request-evidence"]] {
            let opened = dispute(&end, OLD, "PRODUCTS_FAULTY").await;
            let id = id(&opened);
            for step in steps {
                control(&end, &id, step, &json!({})).await.expect(200);
            }
            let accepted = post(&end, &format!("/{id}/accept-loss"), &json!({})).await.expect(202);
            assert_eq!(accepted, json!({"state": "CLOSED"}));
            assert_eq!(charged_back(&end, opened["payment_transaction_id"].as_str().unwrap()).await, AMOUNT);
        }
        let opened = dispute(&end, OLD, "PRODUCTS_FAULTY").await;
        let id = id(&opened);
        control(&end, &id, "escalate", &json!({})).await.expect(200);
        let object = control(&end, &id, "decide", &json!({"outcome": "LOST", "appeal_window": true})).await.expect(200);
        assert_eq!(
            (&object["state"], &object["deadline_expires_at"]),
            (&json!("ARBITRATION_APPEAL_OPEN"), &time(BEGINNING + 10 * DAY_US))
        );
        post(&end, &format!("/{id}/accept-loss"), &json!({})).await.refused(409, "RESOURCE_CONFLICT");
        later(&end, "P10D").await;
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!((&object["state"], &object["state_context"]["dispute_outcome"]), (&json!("CLOSED"), &json!("LOST")));
        assert_eq!(kinds(&end).await.iter().filter(|kind| *kind == "arbitration-appeal-window-open").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_is_kept_as_it_came_and_wins() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PURCHASE_UNAUTHORIZED").await;
        let id = id(&opened);
        let words = json!({"comment": "Who received it?", "evidence_request_type": "DELIVERY"});
        let object = control(&end, &id, "request-evidence", &words).await.expect(200);
        assert_eq!(object["merchant_evidence"][0]["request"]["comment"], "Who received it?");
        assert_eq!(object["state_context"]["evidence_request_type"], "DELIVERY");
        let details = json!({"product_type": "TICKETS_TRAVEL_NOT_SHIPPED", "an_answer_of_next_year": {"x": [1]},
            "customer": {"given_name": "Ada"}});
        let body =
            json!({"attachments": [{"payment_dispute_attachment_id": file(&end, &id).await}], "details": details});
        let sent = post(&end, &format!("/{id}/respond"), &body).await.expect(201);
        assert_eq!((&sent["state"], &sent["details"]), (&json!("ARBITRATION_PENDING"), &details));
        let object = get(&end, &format!("/{id}")).await.expect(200);
        let evidence = &object["merchant_evidence"][0];
        assert_eq!(evidence["payment_dispute_merchant_evidence_id"], sent["payment_dispute_merchant_evidence_id"]);
        assert_eq!(
            (&evidence["request"]["state"], &evidence["response"]["details"]),
            (&json!("EVIDENCE_RECEIVED"), &details)
        );
        post(&end, &format!("/{id}/respond"), &body).await.refused(409, "RESOURCE_CONFLICT");
        // Klarna may ask again.
        control(&end, &id, "request-evidence", &json!({})).await.expect(200);
        post(&end, &format!("/{id}/respond"), &json!({"additional_information": "As we said."})).await.expect(201);
        let object = control(&end, &id, "decide", &json!({"outcome": "WON"})).await.expect(200);
        assert_eq!(object["merchant_evidence"].as_array().unwrap().len(), 2);
        assert_eq!(object["state_context"]["dispute_outcome"], "WON");
        assert_eq!(charged_back(&end, opened["payment_transaction_id"].as_str().unwrap()).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_answer_is_named() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PRODUCTS_NOT_RECEIVED").await;
        let id = id(&opened);
        let path = format!("/{id}/respond");
        let fine = json!({"additional_information": "x"});
        post(&end, &path, &fine).await.refused(409, "RESOURCE_CONFLICT");
        control(&end, &id, "escalate", &json!({})).await.expect(200);
        control(&end, &id, "request-evidence", &json!({})).await.expect(200);
        let question = "have_you_resolved_the_dispute_with_the_customer";
        for (body, parameters) in [
            (json!({}), &["additional_information"][..]),
            (json!({"additional_information": "x".repeat(5001), "details": 7}), &["additional_information", "details"]),
            (
                json!({"details": {"did_you_receive_the_return": "RETURN_NOT_RECEIVED"}}),
                &["details.have_you_resolved_the_dispute_with_the_customer"],
            ),
            (json!({"details": {question: "NO_DISPUTE_NOT_ACCEPTED"}}), &["details.not_accepted_reason"]),
            (json!({"details": {question: "YES_OTHER_RESOLUTION"}}), &["details.resolution_type"]),
            (
                json!({"details": {question: "YES", "email": "nobody", "delivery_address": {"country": "Germany"},
                "proof_of_delivery_attachments": [{"payment_dispute_attachment_id": 5}]}}),
                &[
                    "details.email",
                    "details.delivery_address.country",
                    "details.proof_of_delivery_attachments[0].payment_dispute_attachment_id",
                ],
            ),
            (
                json!({"details": {question: "YES", "proof_of_delivery_attachments": [{"payment_dispute_attachment_id": format!("{id}:attachment:1")}]}}),
                &["details.proof_of_delivery_attachments[0].payment_dispute_attachment_id"],
            ),
        ] {
            names(&post(&end, &path, &body).await, parameters);
        }
        for verb in ["represent", "appeal"] {
            let body = json!({"additional_information": "x", "attachments": [{"payment_dispute_attachment_id": format!("{id}:attachment:1")}]});
            post(&end, &format!("/{id}/{verb}"), &body).await.refused(409, "RESOURCE_CONFLICT");
        }
        post(&end, &path, &fine).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deadlines_are_extended_under_the_name_of_what_they_are_for() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PRODUCTS_FAULTY").await;
        let id = id(&opened);
        let until = time(BEGINNING + 30 * DAY_US);
        control(&end, &id, "extend", &json!({"until": until})).await.expect(200);
        control(&end, &id, "escalate", &json!({})).await.expect(200);
        control(&end, &id, "extend", &json!({"until": until})).await.refused(409, "RESOURCE_CONFLICT");
        control(&end, &id, "request-evidence", &json!({})).await.expect(200);
        control(&end, &id, "extend", &json!({"until": until})).await.expect(200);
        control(&end, &id, "withdraw", &json!({})).await.expect(200);
        let told = told(&end).await;
        let extensions: Vec<_> = told
            .iter()
            .filter(|(kind, _)| kind == "arbitration-deadline-extended")
            .map(|(_, payload)| payload)
            .collect();
        assert_eq!(extensions[0]["updated_fields"], json!({"arbitration_deadline_at": until}));
        assert_eq!(extensions[1]["updated_fields"], json!({"evidence_response_deadline_at": until}));
        assert_eq!(
            extensions[1]["previous_fields"],
            json!({"evidence_response_deadline_at": time(BEGINNING + 14 * DAY_US)})
        );
        let (kind, closed) = told.last().unwrap();
        assert_eq!((kind.as_str(), &closed["dispute_outcome"]), ("closed", &json!("WON")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_framework_is_told_to_its_own_versions() {
    for end in ends().await {
        let (key, _) = end.signing_key().await;
        let mut receivers = Vec::new();
        for version in ["v1", "v2", "v3", "v4"] {
            let receiver = Receiver::start().await;
            end.webhook(&receiver.url(), &["payment.dispute.*"], version, &key).await;
            receivers.push((version, receiver));
        }
        for framework in [OLD, "FRAMEWORK_2026"] {
            let opened = dispute(&end, framework, "INCORRECT_AMOUNT").await;
            post(&end, &format!("/{}/accept-loss", id(&opened)), &json!({})).await.expect(202);
        }
        for (version, receiver) in receivers {
            let wanted = if version == "v4" { "FRAMEWORK_2026" } else { OLD };
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let delivery = receiver.next().await.json();
                assert_eq!(delivery["payload"]["configuration"]["base_framework"], wanted, "{version}");
                kinds.push(delivery["payload"]["state"].as_str().unwrap().to_owned());
            }
            kinds.sort();
            let first = if version == "v4" { "INITIATED" } else { "PRE_ARBITRATION" };
            assert_eq!(kinds, ["CLOSED", first], "{version}");
        }
        for delivery in end.delivery_ids().await {
            end.delivery_after(&delivery, 1).await;
        }
        assert_eq!(end.delivery_ids().await.len(), 8, "and nothing else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_paths_show_an_old_dispute_as_a_new_one() {
    for end in ends().await {
        let opened = dispute(&end, OLD, "PRODUCTS_FAULTY").await;
        let id = id(&opened);
        let newest = |tail: String| format!("/v4/payment/disputes{tail}");
        let object = end.ap(Method::GET, &newest(format!("/{id}")), None).await.expect(200);
        assert_eq!(
            (&object["state"], &object["dispute_reason"]),
            (&json!("INITIATED"), &json!("PRODUCTS_DEFECTIVE_OR_NOT_AS_DESCRIBED"))
        );
        assert_eq!(object["configuration"]["base_framework"], OLD);
        assert_eq!(object.get("reason"), None);
        let found = end
            .ap(
                Method::GET,
                &newest("?state[]=INITIATED&reason[]=PRODUCTS_DEFECTIVE_OR_NOT_AS_DESCRIBED".to_owned()),
                None,
            )
            .await
            .expect(200);
        assert_eq!(found["disputes"], json!([object]));
        let body = json!({"attachments": [{"payment_dispute_attachment_id": file(&end, &id).await}]});
        end.ap(Method::POST, &newest(format!("/{id}/represent")), Some(&body)).await.refused(409, "RESOURCE_CONFLICT");
        end.ap(Method::POST, &newest(format!("/{id}/accept-loss")), None).await.expect(202);
        let object = end.ap(Method::GET, &newest(format!("/{id}")), None).await.expect(200);
        assert_eq!((&object["state"], &object["previous_state"]), (&json!("CLOSED"), &json!("INITIATED")));
        assert_eq!(object["state_context"].get("dispute_outcome_detailed"), None);
    }
}
