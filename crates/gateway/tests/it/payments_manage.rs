//! Captures, refunds, voids, changes.

use futures_util::future::join_all;
use gateway::payments::Applied;
use serde_json::json;

use crate::harness::{Act, error, named, scenes};

#[tokio::test]
async fn captured_in_parts_refunded_and_the_rest_voided() {
    for scene in scenes().await {
        let id = scene.authorized(4990).await;
        let captures = format!("/v1/payments/{id}/captures");
        let first = scene
            .post(
                &captures,
                json!({"amount": 2000, "reference": "parcel 1", "shipments": [{"delivery": {"tracking_number": "T1"}}],
                "line_items": [{"name": "Mug", "quantity": 1, "total_amount": 2000}], "klarna_network_data": "d"}),
            )
            .await;
        assert_eq!((first.status.as_u16(), &first.body["state"]), (201, &json!("SUCCEEDED")), "{}", first.text);
        let call = scene.klarna.calls("capture").pop().unwrap();
        assert_eq!(
            call.body,
            json!({"capture_amount": 2000, "payment_capture_reference": first.body["id"], "klarna_network_data": "d",
                "supplementary_capture_data": {"shipments": [{"delivery": {"tracking_number": "T1"}}],
                    "line_items": [{"name": "Mug", "quantity": 1, "total_amount": 2000}]}})
        );
        assert_eq!(scene.read(&id).await["state"], "PARTIALLY_CAPTURED");
        scene.stage.clock.advance(1_000_000);
        let beyond = scene.post(&captures, json!({"amount": 2991})).await;
        assert_eq!((beyond.status.as_u16(), &beyond.body["error_code"]), (403, &json!("OPERATION_FORBIDDEN")));
        assert_eq!(named(&beyond), ["amount"]);
        scene.post(&captures, json!({"amount": 990})).await;

        let refunds = format!("/v1/payments/{id}/refunds");
        let refund =
            scene.post(&refunds, json!({"amount": 500, "capture_id": first.body["id"], "reference": "broken"})).await;
        assert_eq!(refund.status, 201, "{}", refund.text);
        assert!(scene.klarna.calls("refund")[0].path.contains("/payment/captures/"));
        let more = scene.post(&refunds, json!({"amount": 1501, "capture_id": first.body["id"]})).await;
        assert_eq!((more.status.as_u16(), named(&more)), (403, vec!["amount"]), "beyond that capture");
        let beyond = scene.post(&refunds, json!({"amount": 2491})).await;
        assert_eq!((beyond.status.as_u16(), named(&beyond)), (403, vec!["amount"]), "beyond the captured");
        let unknown = scene.post(&refunds, json!({"amount": 1, "capture_id": "cap_x"})).await;
        assert_eq!((unknown.status.as_u16(), named(&unknown)), (400, vec!["capture_id"]));

        let void = scene.post(&format!("/v1/payments/{id}/void"), json!({})).await;
        assert_eq!((void.status.as_u16(), &void.body["state"]), (200, &json!("CAPTURED")), "{}", void.text);
        let again = scene.post(&format!("/v1/payments/{id}/void"), json!({})).await;
        assert_eq!(again.status, 403, "nothing is left");
        let payment = scene.read(&id).await;
        for (name, amount) in
            [("captured_amount", 2990), ("refunded_amount", 500), ("voided_amount", 2000), ("remaining_amount", 0)]
        {
            assert_eq!(payment[name], amount, "{name}");
        }
        assert_eq!(payment["captures"][0]["reference"], "parcel 1");
        assert_eq!(payment["refunds"][0]["capture_id"], first.body["id"]);
        assert_eq!(
            scene.events().await,
            ["payment.authorized", "payment.captured", "payment.captured", "payment.refunded", "payment.voided"]
        );
    }
}

#[tokio::test]
async fn void_after_full_capture_and_refund_before_any_are_forbidden() {
    for scene in scenes().await {
        let id = scene.authorized(100).await;
        let early = scene.post(&format!("/v1/payments/{id}/refunds"), json!({"amount": 1})).await;
        assert_eq!((early.status.as_u16(), &early.body["error_code"]), (403, &json!("OPERATION_FORBIDDEN")));
        assert_eq!(scene.post(&format!("/v1/payments/{id}/captures"), json!({})).await.body["amount"], 100);
        for tail in ["void", "captures", "cancel"] {
            let late = scene.post(&format!("/v1/payments/{id}/{tail}"), json!({})).await;
            assert_eq!(
                (late.status.as_u16(), &late.body["error_code"]),
                (403, &json!("OPERATION_FORBIDDEN")),
                "{tail}"
            );
        }
        assert!(scene.klarna.calls("void").is_empty());
        let all = scene.authorized(100).await;
        let void = scene.post(&format!("/v1/payments/{all}/void"), json!({})).await;
        assert_eq!((&void.body["state"], &void.body["voided_amount"]), (&json!("VOIDED"), &json!(100)));
        assert_eq!(scene.post(&format!("/v1/payments/{all}/captures"), json!({})).await.status, 403);
    }
}

#[tokio::test]
async fn captures_at_the_same_time_never_exceed_the_authorization() {
    for scene in scenes().await {
        let id = scene.authorized(1000).await;
        let path = format!("/v1/payments/{id}/captures");
        let answers = join_all((0..12).map(|_| scene.post(&path, json!({"amount": 300})))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 3);
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 403));
        let payment = scene.read(&id).await;
        assert_eq!((&payment["captured_amount"], &payment["remaining_amount"]), (&json!(900), &json!(100)));
        assert_eq!(scene.klarna.transactions()[0]["captured_amount"], 900);
        let rest = scene.post(&path, json!({"amount": 40, "release_remaining": true})).await;
        assert_eq!(rest.status, 201);
        assert_eq!(scene.klarna.calls("capture").pop().unwrap().body["remaining_authorization"], "RELEASE");
        let payment = scene.read(&id).await;
        assert_eq!((&payment["state"], &payment["voided_amount"]), (&json!("CAPTURED"), &json!(60)));
    }
}

#[tokio::test]
async fn what_klarna_refuses_did_not_happen_and_can_be_tried_again() {
    for scene in scenes().await {
        let id = scene.authorized(1000).await;
        let path = format!("/v1/payments/{id}/captures");
        scene.klarna.next("capture", [Act::Answer(403, error("OPERATION_FORBIDDEN", "capture_amount"))]);
        let refused = scene.post(&path, json!({"amount": 1000})).await;
        assert_eq!((refused.status.as_u16(), named(&refused)), (403, vec!["amount"]));
        let payment = scene.read(&id).await;
        assert_eq!((&payment["state"], &payment["captures"][0]["state"]), (&json!("AUTHORIZED"), &json!("FAILED")));
        assert_eq!(payment["captures"][0]["error_code"], "OPERATION_FORBIDDEN");
        assert_eq!(scene.events().await, ["payment.authorized", "payment.updated"], "told to whoever was answered 202");
        let listed = scene.stage.call(&scene.ada, "GET", "/v1/payments", None).await;
        let listed = &listed.body["payments"][0];
        assert_eq!((&listed["id"], listed.get("captures"), listed.get("refunds")), (&json!(id), None, None));
        assert_eq!(scene.post(&path, json!({"amount": 1000})).await.status, 201);
    }
}

#[tokio::test]
async fn changes_before_and_after_the_authorization() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(1000).await;
        let update = json!({"amount": 900, "reference": "89", "line_items": [{"name": "Cup", "quantity": 1, "total_amount": 900}]});
        let changed = scene.stage.call(&scene.ada, "PATCH", &format!("/v1/payments/{id}"), Some(update)).await;
        assert_eq!((changed.status.as_u16(), &changed.body["amount"]), (200, &json!(900)), "{}", changed.text);
        assert_eq!(
            scene.klarna.calls("update_request")[0].body["supplementary_purchase_data"]["purchase_reference"],
            "89"
        );
        scene.klarna.customer("COMPLETED");
        scene.get(&path).await;
        assert_eq!(scene.klarna.calls("finalize")[0].body["request_payment_transaction"]["amount"], 900);
        let payment = scene.read(&id).await;
        assert_eq!((&payment["state"], &payment["reference"]), (&json!("AUTHORIZED"), &json!("89")));
        assert_eq!(payment["supplementary_purchase_data"]["line_items"][0]["name"], "Cup");

        let patch = async |body| scene.stage.call(&scene.ada, "PATCH", &format!("/v1/payments/{id}"), Some(body)).await;
        assert_eq!(patch(json!({"amount": 800})).await.body["remaining_amount"], 800);
        scene.post(&format!("/v1/payments/{id}/captures"), json!({"amount": 500})).await;
        let below = patch(json!({"amount": 499})).await;
        assert_eq!((below.status.as_u16(), named(&below)), (403, vec!["amount"]));
        assert_eq!(patch(json!({"metadata": {"a": "b"}})).await.body["metadata"], json!({"a": "b"}));
        assert_eq!(scene.klarna.calls("update_transaction").len(), 1, "metadata is ours");
        let faults = patch(json!({"currency": "SEK", "return_url": "https://x.example", "amount": "1"})).await;
        assert_eq!(named(&faults), ["amount", "currency", "return_url"]);
        assert_eq!(named(&patch(json!({})).await), ["body"]);
    }
}

#[tokio::test]
async fn what_happens_elsewhere_is_learned_from_webhooks_in_any_order() {
    for scene in scenes().await {
        let id = scene.authorized(1000).await;
        let transaction = scene.read(&id).await["klarna"]["payment_transaction_id"].as_str().unwrap().to_owned();
        let told = |captured: i64, refunded: i64, extra: serde_json::Value| {
            let mut payload = json!({"payment_transaction_id": transaction, "payment_transaction_reference": id, "currency": "EUR",
                "state": "AUTHORIZED", "amount": 1000, "captured_amount": captured, "refunded_amount": refunded, "voided_amount": 0});
            payload.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            payload
        };
        let refund =
            told(400, 100, json!({"payment_refund_id": format!("{transaction}:refund:1"), "refund_amount": 100}));
        let capture =
            told(400, 0, json!({"payment_capture_id": format!("{transaction}:capture:1"), "capture_amount": 400}));
        for (event, payload) in
            [("refunded", &refund), ("captured", &capture), ("refunded", &refund), ("captured", &capture)]
        {
            scene.webhook(&format!("payment.transaction.{event}"), payload.clone()).await;
        }
        let payment = scene.read(&id).await;
        assert_eq!((&payment["captured_amount"], &payment["refunded_amount"]), (&json!(400), &json!(100)));
        assert_eq!(
            (payment["captures"].as_array().unwrap().len(), payment["refunds"].as_array().unwrap().len()),
            (1, 1)
        );
        let mut expired = told(400, 100, json!({}));
        expired["state"] = json!("EXPIRED");
        assert_eq!(scene.webhook("payment.transaction.state-change.expired", expired).await, Applied::Changed);
        assert_eq!(scene.read(&id).await["state"], "EXPIRED");
        let mut closed = told(400, 100, json!({}));
        closed["state"] = json!("CLOSED");
        scene.webhook("payment.transaction.state-change.closed", closed).await;
        assert_eq!(scene.read(&id).await["state"], "CLOSED");
        assert_eq!(scene.post(&format!("/v1/payments/{id}/refunds"), json!({"amount": 1})).await.status, 403);
    }
}
