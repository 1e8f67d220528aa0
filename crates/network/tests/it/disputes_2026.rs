//! Disputes of the present framework over HTTP: evidence, appeal, acceptance, what Klarna decides, and what time does.

use http::Method;
use kit::clock::DAY_US;
use serde_json::{Value, json};

use crate::disputes_steps::*;
use crate::harness::{BEGINNING, ends};
use crate::payments_steps::{self as payments, AMOUNT, names};

const NEW: &str = "FRAMEWORK_2026";
const REASON: &str = "PRODUCTS_OR_SERVICES_NOT_RECEIVED";

fn time(at: i64) -> Value {
    json!(protocol::Timestamp::from_micros(at).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_convinces_wins() {
    for end in ends().await {
        let (transaction, capture) = captured(&end, "TX-1").await;
        let words = "The parcel did not come.";
        let opened = open(
            &end,
            &capture,
            json!({"framework": NEW, "reason": REASON, "amount": 3000, "additional_information": words}),
        )
        .await;
        let id = id(&opened);
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!(object, opened);
        assert_eq!((&object["state"], &object["dispute_reason"]), (&json!("INITIATED"), &json!(REASON)));
        assert_eq!(
            object["dispute_details"],
            json!({"dispute_amount": 3000, "currency": "EUR", "created_by": "CUSTOMER"})
        );
        assert_eq!(
            (&object["payment_transaction_id"], &object["payment_capture_id"]),
            (&json!(transaction), &json!(capture))
        );
        assert_eq!(
            (&object["payment_transaction_reference"], &object["purchase_reference"]),
            (&json!("TX-1"), &json!("88"))
        );
        assert_eq!((&object["capture_krn"], &object["capture_id"]), (&json!(capture), &json!("C-TX-1")));
        assert!(transaction.ends_with(object["order_id"].as_str().unwrap()));
        assert_eq!(object["configuration"], json!({"base_framework": NEW, "options": {"hold_policy": "NONE"}}));
        let request = json!({"requested_at": time(BEGINNING), "additional_information": words});
        let representment =
            json!({"state": "EVIDENCE_REQUESTED", "expires_at": time(BEGINNING + 21 * DAY_US), "request": request});
        assert_eq!(
            (&object["representment"], &object["state_context"]["representment"]),
            (&representment, &representment)
        );
        assert_eq!(object.get("previous_state"), None);

        let file = file(&end, &id).await;
        assert_eq!(file, format!("{id}:attachment:1"));
        let body = json!({"attachments": [{"payment_dispute_attachment_id": file, "description": "signed\nnote"}],
            "additional_information": "Delivered.", "partner_proposed_refund_amount": 1000});
        let sent = post(&end, &format!("/{id}/represent"), &body).await.expect(201);
        assert_eq!((&sent["state"], &sent["created_at"]), (&json!("REPRESENTMENT"), &time(BEGINNING)));
        assert_eq!(sent["attachments"][0]["payment_dispute_attachment_id"], json!(file));
        assert_eq!(sent["partner_proposed_refund_amount"], 1000);
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!((&object["state"], &object["previous_state"]), (&json!("REPRESENTMENT"), &json!("INITIATED")));
        assert_eq!(object["representment"]["state"], "EVIDENCE_RECEIVED");
        let evidence = &object["state_context"]["partner_evidence"];
        assert_eq!(
            (&evidence["additional_information"], &evidence["attachments"][0]["mime_type"]),
            (&json!("Delivered."), &json!("application/pdf"))
        );
        // Its address gives the file.
        let url = evidence["attachments"][0]["url"].as_str().unwrap().strip_prefix(&end.base).unwrap().to_owned();
        assert_eq!(end.ap(Method::GET, &url, None).await.text.as_bytes(), PDF);
        // Once is enough.
        post(&end, &format!("/{id}/represent"), &body).await.refused(409, "RESOURCE_CONFLICT");
        end.upload(&at(&end, &format!("/{id}/attachments")), &[("file", Some("a.pdf"), PDF)])
            .await
            .refused(409, "RESOURCE_CONFLICT");
        post(&end, &format!("/{id}/accept-loss"), &json!({})).await.refused(409, "RESOURCE_CONFLICT");
        post(&end, &format!("/{id}/appeal"), &json!({"additional_information": "no"}))
            .await
            .refused(409, "RESOURCE_CONFLICT");

        later(&end, "P30D").await;
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!((&object["state"], &object["previous_state"]), (&json!("CLOSED"), &json!("REPRESENTMENT")));
        let closed = time(BEGINNING + 30 * DAY_US);
        assert_eq!(
            object["state_context"],
            json!({"dispute_outcome": "WON",
            "dispute_outcome_detailed": "KLARNA_RESOLVED_DISPUTE_IN_PARTNER_FAVOR", "closed_at": closed})
        );
        // What was proposed is owed all the same.
        assert_eq!(charged_back(&end, &transaction).await, 1000);
        assert_eq!(ledger(&end).await, [("DISPUTE_FEE".to_owned(), -750), ("CHARGEBACK".to_owned(), -1000)]);
        let told = told(&end).await;
        let kinds: Vec<_> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(kinds, ["initiated", "representment", "closed", "chargeback"]);
        let initiated = &told[0].1;
        assert_eq!((&initiated["representment"], &initiated["dispute_reason"]), (&representment, &json!(REASON)));
        assert_eq!((&initiated["created_at"], &initiated["updated_at"]), (&time(BEGINNING), &time(BEGINNING)));
        assert_eq!(told[1].1["partner_evidence"]["additional_information"], "Delivered.");
        assert_eq!((&told[2].1["dispute_outcome"], &told[2].1["closed_at"]), (&json!("WON"), &closed));
        assert_eq!(told[3].1["payment_dispute_id"], json!(id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_appeal_is_heard_and_its_decision_is_final() {
    for end in ends().await {
        for outcome in ["WON", "LOST"] {
            let opened = dispute(&end, NEW, "REFUND_NOT_PROCESSED").await;
            let (id, transaction) = (id(&opened), opened["payment_transaction_id"].as_str().unwrap().to_owned());
            let evidence = file(&end, &id).await;
            let body = json!({"attachments": [{"payment_dispute_attachment_id": evidence}]});
            post(&end, &format!("/{id}/represent"), &body).await.expect(201);
            let lost = json!({"outcome": "LOST", "dispute_outcome_detailed": "no_proof_of_delivery"});
            let object = control(&end, &id, "decide", &lost).await.expect(200);
            assert_eq!(
                (&object["state"], &object["previous_state"]),
                (&json!("PRE_ARBITRATION"), &json!("REPRESENTMENT"))
            );
            assert_eq!(object["state_context"], json!({"arbitration_expires_at": time(BEGINNING + 10 * DAY_US)}));
            let found = json!({"preliminary_outcome": "LOST", "preliminary_outcome_detailed": "NO_PROOF_OF_DELIVERY"});
            assert_eq!(object["arbitration"], found);
            assert_eq!(charged_back(&end, &transaction).await, 0, "nothing is final yet");

            let more = file(&end, &id).await;
            let body = json!({"additional_information": "Look again.",
                "attachments": [{"payment_dispute_attachment_id": more, "description": "tracking"}]});
            let sent = post(&end, &format!("/{id}/appeal"), &body).await.expect(201);
            assert_eq!(
                (&sent["state"], &sent["additional_information"]),
                (&json!("ARBITRATION"), &json!("Look again."))
            );
            let object = get(&end, &format!("/{id}")).await.expect(200);
            let request = &object["arbitration"]["arbitration_request"];
            assert_eq!(
                (&request["requested_at"], &request["additional_information"]),
                (&time(BEGINNING), &json!("Look again."))
            );
            for verb in ["appeal", "accept-loss"] {
                post(&end, &format!("/{id}/{verb}"), &body).await.refused(409, "RESOURCE_CONFLICT");
            }
            let object = control(&end, &id, "decide", &json!({"outcome": outcome})).await.expect(200);
            assert_eq!(
                (&object["state"], &object["state_context"]["dispute_outcome"]),
                (&json!("CLOSED"), &json!(outcome))
            );
            assert_eq!(charged_back(&end, &transaction).await, if outcome == "LOST" { AMOUNT } else { 0 });
            control(&end, &id, "decide", &json!({"outcome": "WON"})).await.refused(409, "RESOURCE_CONFLICT");
        }
        let round = ["initiated", "representment", "pre-arbitration", "arbitration", "closed"];
        let kinds = kinds(&end).await;
        assert_eq!(kinds[..5], round);
        assert_eq!(kinds[5..10], round);
        assert_eq!(kinds[10..], ["chargeback"]);
        let pre_arbitration = &told(&end).await[2].1;
        assert_eq!(pre_arbitration["arbitration_expires_at"], time(BEGINNING + 10 * DAY_US));
        assert_eq!(pre_arbitration["arbitration"]["preliminary_outcome"], "LOST");
        let fees: Vec<_> = ledger(&end).await.into_iter().filter(|(kind, _)| kind == "APPEAL_FEE").collect();
        assert_eq!(fees.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_accepted_before_evidence_and_before_an_appeal() {
    for end in ends().await {
        let opened = dispute(&end, NEW, REASON).await;
        let path = format!("/{}/accept-loss", id(&opened));
        let accepted = end.ap(Method::POST, &at(&end, &path), None).await.expect(202);
        assert_eq!(accepted, json!({"state": "CLOSED"}));
        let object = get(&end, &format!("/{}", id(&opened))).await.expect(200);
        assert_eq!(object["representment"]["state"], "EVIDENCE_WAIVED");
        assert_eq!(object["state_context"]["dispute_outcome_detailed"], "PARTNER_ACCEPTED_THE_LOSS");
        assert_eq!(charged_back(&end, opened["payment_transaction_id"].as_str().unwrap()).await, AMOUNT);
        end.ap(Method::POST, &at(&end, &path), None).await.refused(409, "RESOURCE_CONFLICT");

        let opened = dispute(&end, NEW, REASON).await;
        let id = id(&opened);
        let body = json!({"attachments": [{"payment_dispute_attachment_id": file(&end, &id).await}]});
        post(&end, &format!("/{id}/represent"), &body).await.expect(201);
        control(&end, &id, "decide", &json!({"outcome": "LOST"})).await.expect(200);
        post(&end, &format!("/{id}/accept-loss"), &json!({})).await.expect(202);
        let object = get(&end, &format!("/{id}")).await.expect(200);
        assert_eq!(object["representment"]["state"], "EVIDENCE_RECEIVED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_has_its_patience_and_silence_loses() {
    for end in ends().await {
        for (reason, days) in [(REASON, 21), ("PURCHASE_UNAUTHORIZED", 7), ("PURCHASE_HIGH_RISK", 4)] {
            let before = end.ctx.clock.now();
            let opened = dispute(&end, NEW, reason).await;
            let id = id(&opened);
            assert_eq!(opened["representment"]["expires_at"], time(before + days * DAY_US), "{reason}");
            later(&end, &format!("P{}DT23H59M59S", days - 1)).await;
            assert_eq!(get(&end, &format!("/{id}")).await.expect(200)["state"], "INITIATED", "{reason}");
            later(&end, "PT1S").await;
            // A decision accounts for time, too.
            let body = json!({"attachments": [{"payment_dispute_attachment_id": format!("{id}:attachment:1")}]});
            post(&end, &format!("/{id}/represent"), &body).await.refused(409, "RESOURCE_CONFLICT");
            let object = get(&end, &format!("/{id}")).await.expect(200);
            assert_eq!(object["representment"]["state"], "EVIDENCE_REQUEST_EXPIRED");
            assert_eq!(object["state_context"]["dispute_outcome_detailed"], "PARTNER_DID_NOT_REPLY_TO_DISPUTE_REQUEST");
            assert_eq!(object["state_context"]["closed_at"], time(before + days * DAY_US));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_released_when_the_dispute_is_won_and_kept_when_it_is_lost() {
    for end in ends().await {
        for (policy, outcome) in [("ON_DISPUTE_INITIATED", "WON"), ("ON_DISPUTE_OPEN", "LOST")] {
            let (transaction, capture) = captured(&end, outcome).await;
            let opened = open(&end, &capture, json!({"framework": NEW, "reason": REASON, "hold_policy": policy})).await;
            assert_eq!(opened["configuration"]["options"]["hold_policy"], "ON_DISPUTE_INITIATED");
            let id = id(&opened);
            let body = json!({"outcome": outcome, "immediate": true, "reason": "FRAUDULENT_PARTNER"});
            let object = control(&end, &id, "decide", &body).await.expect(200);
            assert_eq!(
                object["process_exceptions"],
                json!([{"exception_type": "IMMEDIATE_DISPUTE_RESOLUTION", "reason": "FRAUDULENT_PARTNER"}])
            );
            assert_eq!(object.get("arbitration"), None);
            assert_eq!(charged_back(&end, &transaction).await, if outcome == "WON" { 0 } else { AMOUNT });
        }
        let entry = |kind: &str, amount| (kind.to_owned(), amount);
        let mut entries = ledger(&end).await;
        entries.sort();
        let wanted = [
            entry("CHARGEBACK", -AMOUNT),
            entry("CHARGEBACK_REVERSAL", AMOUNT),
            entry("DISPUTE_FEE", -750),
            entry("DISPUTE_FEE", -750),
            entry("HOLDBACK", -AMOUNT),
            entry("HOLDBACK", -AMOUNT),
            entry("RELEASE", AMOUNT),
        ];
        assert_eq!(entries, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_partner_has_refunded_is_not_owed_again() {
    for end in ends().await {
        let opened = dispute(&end, NEW, REASON).await;
        let transaction = opened["payment_transaction_id"].as_str().unwrap().to_owned();
        let refund = json!({"refund_amount": AMOUNT - 1000});
        payments::post(&end, &format!("/transactions/{transaction}/refund"), &refund).await.expect(201);
        post(&end, &format!("/{}/accept-loss", id(&opened)), &json!({})).await.expect(202);
        assert_eq!(charged_back(&end, &transaction).await, 1000);
        assert_eq!(ledger(&end).await[1], ("CHARGEBACK".to_owned(), -1000));
        // All of it: then there is nothing to take, and nobody is told of a chargeback.
        let opened = dispute(&end, NEW, REASON).await;
        let transaction = opened["payment_transaction_id"].as_str().unwrap().to_owned();
        payments::post(&end, &format!("/transactions/{transaction}/refund"), &json!({})).await.expect(201);
        post(&end, &format!("/{}/accept-loss", id(&opened)), &json!({})).await.expect(202);
        assert_eq!(charged_back(&end, &transaction).await, 0);
        assert_eq!(kinds(&end).await.iter().filter(|kind| *kind == "chargeback").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_extended_and_told() {
    for end in ends().await {
        let opened = dispute(&end, NEW, REASON).await;
        let id = id(&opened);
        let until = time(BEGINNING + 40 * DAY_US);
        let body = json!({"until": until, "reason": "REGULATORY_REQUIREMENT", "description": "by order"});
        let object = control(&end, &id, "extend", &body).await.expect(200);
        assert_eq!((&object["representment"]["expires_at"], &object["state"]), (&until, &json!("INITIATED")));
        assert_eq!(
            object["process_exceptions"][0],
            json!({"exception_type": "DISPUTE_WINDOW_EXTENSION",
            "reason": "REGULATORY_REQUIREMENT", "description": "by order"})
        );
        names(&control(&end, &id, "extend", &body).await, &["until"]);
        later(&end, "P30D").await;
        assert_eq!(get(&end, &format!("/{id}")).await.expect(200)["state"], "INITIATED");
        let told = told(&end).await;
        assert_eq!(told[1].0, "representment-deadline-extended");
        assert_eq!(told[1].1["updated_fields"], json!({"evidence_response_deadline_at": until}));
        assert_eq!(
            told[1].1["previous_fields"],
            json!({"evidence_response_deadline_at": time(BEGINNING + 21 * DAY_US)})
        );
        assert_eq!(ledger(&end).await.len(), 1, "an extension costs nothing");
        control(&end, &id, "lapse", &json!({})).await.expect(200);
        control(&end, &id, "lapse", &json!({})).await.refused(409, "RESOURCE_CONFLICT");
        control(&end, &id, "extend", &json!({"until": time(BEGINNING + 90 * DAY_US)}))
            .await
            .refused(409, "RESOURCE_CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_statement_is_named() {
    for end in ends().await {
        let opened = dispute(&end, NEW, REASON).await;
        let id = id(&opened);
        let file = file(&end, &id).await;
        let of = |id: &str| json!({"payment_dispute_attachment_id": id});
        let path = format!("/{id}/represent");
        for (body, parameters) in [
            (json!({}), &["attachments"][..]),
            (json!({"attachments": []}), &["attachments"]),
            (json!({"attachments": vec![of(&file); 11]}), &["attachments"]),
            (
                json!({"attachments": [of(&file), of(&file), of(&format!("{id}:attachment:9"))]}),
                &["attachments[1].payment_dispute_attachment_id", "attachments[2].payment_dispute_attachment_id"],
            ),
            (
                json!({"attachments": [{"description": "x".repeat(1001)}], "additional_information": "x".repeat(5001), "partner_proposed_refund_amount": 0}),
                &[
                    "attachments[0].payment_dispute_attachment_id",
                    "attachments[0].description",
                    "additional_information",
                    "partner_proposed_refund_amount",
                ],
            ),
            (
                json!({"attachments": [of(&file)], "partner_proposed_refund_amount": AMOUNT}),
                &["partner_proposed_refund_amount"],
            ),
        ] {
            names(&post(&end, &path, &body).await, parameters);
        }
        // The verb of the other framework is a conflict, whatever it says.
        post(&end, &format!("/{id}/respond"), &json!({"additional_information": "x"}))
            .await
            .refused(409, "RESOURCE_CONFLICT");
        assert_eq!(get(&end, &format!("/{id}")).await.expect(200)["state"], "INITIATED", "nothing of it counted");

        post(&end, &path, &json!({"attachments": [of(&file)]})).await.expect(201);
        control(&end, &id, "decide", &json!({"outcome": "LOST"})).await.expect(200);
        let path = format!("/{id}/appeal");
        names(&post(&end, &path, &json!({})).await, &["additional_information"]);
        names(
            &post(&end, &path, &json!({"additional_information": "x".repeat(10_001), "attachments": []})).await,
            &["attachments", "additional_information"],
        );
        names(&post(&end, &path, &json!({"additional_information": "x", "attachments": [of("krn:network:eu1:test:payment:dispute:1:attachment:1")]})).await,
            &["attachments[0].payment_dispute_attachment_id"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn test_customers_dispute_each_capture_and_go_their_course() {
    for end in ends().await {
        let enroll = format!("/v4/payment/disputes/partners/{}/enroll", end.partner());
        for _ in 0..2 {
            let answer = end.ap(Method::POST, &enroll, Some(&json!({"client_id": "Shop1"}))).await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""));
        }
        names(&end.ap(Method::POST, &enroll, Some(&json!({"client_id": "not-plain"}))).await, &["client_id"]);
        for (number, (flag, state, detailed)) in [
            ("dispute_win_on_evidence", "INITIATED", None),
            ("dispute_lose_on_expiry", "CLOSED", Some("PARTNER_DID_NOT_REPLY_TO_DISPUTE_REQUEST")),
            ("dispute_pre_arb_accept_loss", "CLOSED", Some("PARTNER_ACCEPTED_THE_LOSS")),
            ("disputed-return", "INITIATED", None),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body = payments::authorization(&end, &format!("TX-{number}"));
            body["supplementary_purchase_data"]["customer"] = json!({"email": format!("customer+{flag}@email.us")});
            let transaction = payments::id(&payments::charge(&end, &body).await);
            for amount in [1000, 500] {
                let body = json!({"capture_amount": amount});
                payments::post(&end, &format!("/transactions/{transaction}/capture"), &body).await.expect(201);
            }
            let list = format!("?payment_transaction_id={transaction}");
            assert_eq!(get(&end, &list).await.expect(200)["disputes"], json!([]), "not yet");
            later(&end, "PT11S").await;
            let mut found = json!([]);
            for _ in 0..400 {
                found = get(&end, &list).await.expect(200)["disputes"].clone();
                if found.as_array().unwrap().len() == 2 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            let amounts: Vec<_> =
                found.as_array().unwrap().iter().map(|one| one["dispute_details"]["dispute_amount"].as_i64()).collect();
            assert_eq!(amounts.len(), 2, "{flag}");
            later(&end, "PT6S").await;
            let object = get(&end, &format!("/{}", id(&found[0]))).await.expect(200);
            assert_eq!(object["state"], state, "{flag}");
            if let Some(detailed) = detailed {
                assert_eq!(object["state_context"]["dispute_outcome_detailed"], detailed, "{flag}");
            }
        }
    }
}
