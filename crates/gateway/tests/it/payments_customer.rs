//! The customer goes to Klarna and comes back, or doesn't.

use gateway::payments::Applied;
use kit::clock::MINUTE_US;
use serde_json::json;

use crate::harness::{Act, Scene, error, order, scenes};

fn location(answer: &crate::stage::Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn redirect_first_then_webhook_is_one_authorization() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(4990).await;
        let _working = scene.stage.work();
        let completed = scene.klarna.customer("COMPLETED");
        let back = scene.get(&path).await;
        assert_eq!(location(&back), format!("https://shop.example/back?order=88&payment_id={id}&state=AUTHORIZED"));
        assert_eq!(back.headers["referrer-policy"], "no-referrer");
        assert_eq!(scene.webhook("payment.request.state-change.completed", completed).await, Applied::Unchanged);
        assert_one_authorization(&scene, &id).await;
        assert!(location(&scene.get(&path).await).ends_with("state=AUTHORIZED"), "the address can be opened again");
    }
}

#[tokio::test]
async fn webhook_first_then_redirect_is_one_authorization() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(4990).await;
        let completed = scene.klarna.customer("COMPLETED");
        assert_eq!(
            scene.webhook("payment.request.state-change.completed", completed.clone()).await,
            Applied::NeedsCall
        );
        assert_eq!(scene.webhook("payment.request.state-change.completed", completed).await, Applied::Unchanged);
        assert_eq!(scene.read(&id).await["state"], "PENDING");
        // Nobody works yet: the redirect makes the call that the webhook wrote down.
        assert!(location(&scene.get(&path).await).ends_with("state=AUTHORIZED"));
        let _working = scene.stage.work();
        assert_one_authorization(&scene, &id).await;
    }
}

#[tokio::test]
async fn both_at_once_is_one_authorization() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(4990).await;
        let _working = scene.stage.work();
        let completed = scene.klarna.customer("COMPLETED");
        scene.klarna.next("finalize", [Act::Late(50), Act::Late(20)]);
        let (_, first, second) = tokio::join!(
            scene.webhook("payment.request.state-change.completed", completed),
            scene.get(&path),
            scene.get(&path)
        );
        for back in [first, second] {
            assert!(location(&back).contains(&format!("payment_id={id}")));
        }
        scene.wait_for(&id, "AUTHORIZED").await;
        assert_one_authorization(&scene, &id).await;
    }
}

async fn assert_one_authorization(scene: &Scene, id: &str) {
    let calls = scene.klarna.calls("finalize");
    assert!(!calls.is_empty());
    for call in &calls {
        assert_eq!(call.header("klarna-idempotency-key"), calls[0].header("klarna-idempotency-key"));
        assert_eq!(call.header("klarna-network-session-token"), "krn:network:eu1:test:session-token:gr.an.t");
        assert_eq!(
            call.body,
            json!({"currency": "EUR", "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": id}})
        );
    }
    assert_ne!(
        calls[0].header("klarna-idempotency-key"),
        scene.klarna.calls("authorize")[0].header("klarna-idempotency-key")
    );
    assert_eq!(scene.klarna.transactions().len(), 1);
    assert_eq!(scene.events().await, ["payment.requires_customer_action", "payment.authorized"]);
}

#[tokio::test]
async fn leaving_refusing_canceling_and_running_out_of_time_each_have_their_state() {
    for (state, ours, event) in
        [("DECLINED", "DECLINED", "declined"), ("CANCELED", "CANCELED", "canceled"), ("EXPIRED", "EXPIRED", "expired")]
    {
        for scene in scenes().await {
            let (id, path) = scene.waiting(100).await;
            let request = scene.klarna.customer(state);
            let applied = scene.webhook(&format!("payment.request.state-change.{event}"), request.clone()).await;
            assert_eq!(applied, Applied::Changed);
            assert_eq!(
                scene.webhook(&format!("payment.request.state-change.{event}"), request).await,
                Applied::Unchanged
            );
            assert!(location(&scene.get(&path).await).ends_with(&format!("payment_id={id}&state={ours}")));
            assert_eq!(scene.events().await, ["payment.requires_customer_action", &format!("payment.{event}")]);
        }
    }
    for scene in scenes().await {
        let mut body = order(100);
        body["cancel_url"] = json!("https://shop.example/cart");
        let made = scene.post("/v1/payments", body).await;
        assert!(made.body["next_action"]["url"].as_str().unwrap().starts_with("https://pay.example/"));
        let url =
            scene.klarna.calls("authorize")[0].body["step_up_config"]["customer_interaction_config"]["return_url"]
                .clone();
        let path = url.as_str().unwrap().strip_prefix("https://gateway.example").unwrap().replace(['{', '}'], "");
        let back = scene.get(&path).await;
        assert!(location(&back).starts_with("https://shop.example/cart?payment_id=pay_"));
        assert!(location(&back).ends_with("state=REQUIRES_CUSTOMER_ACTION"), "left: can be resumed");
    }
}

#[tokio::test]
async fn a_wrong_return_address_leads_nowhere_and_says_nothing() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(100).await;
        let eve = scene.stage.partner("EVE00001").await;
        let absent = format!("/return/pay_{}?{}", "0".repeat(32), path.split_once('?').unwrap().1);
        for wrong in [
            format!("/return/{id}"),
            format!("/return/{id}?token={}.x", scene.ada.id),
            absent,
            path.replace(&scene.ada.id, &eve.id),
        ] {
            let answer = scene.get(&wrong).await;
            assert_eq!(answer.status, 404, "{wrong}");
            assert!(answer.text.contains("does not lead to a payment"));
        }
        assert!(scene.klarna.calls("read_request").is_empty());
    }
}

#[tokio::test]
async fn a_lost_webhook_is_made_up_for_by_looking() {
    for scene in scenes().await {
        let (id, _) = scene.waiting(100).await;
        gateway::ensure_jobs(&scene.stage.ctx).await.unwrap();
        let _working = scene.stage.work();
        scene.klarna.customer("COMPLETED");
        scene.stage.clock.advance(20 * MINUTE_US);
        scene.wait_for(&id, "AUTHORIZED").await;
        assert_eq!(scene.klarna.transactions().len(), 1);
    }
}

#[tokio::test]
async fn a_canceled_payment_cannot_be_finished_and_an_authorized_one_not_canceled() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(100).await;
        let canceled = scene.post(&format!("/v1/payments/{id}/cancel"), json!({})).await;
        assert_eq!((canceled.status.as_u16(), &canceled.body["state"]), (200, &json!("CANCELED")), "{}", canceled.text);
        assert!(canceled.body["next_action"].is_null());
        let late = scene.klarna.customer("COMPLETED");
        assert_eq!(scene.webhook("payment.request.state-change.completed", late).await, Applied::Unchanged);
        assert!(location(&scene.get(&path).await).ends_with("state=CANCELED"));
        assert!(scene.klarna.calls("finalize").is_empty());
    }
    for scene in scenes().await {
        let id = scene.authorized(100).await;
        let refused = scene.post(&format!("/v1/payments/{id}/cancel"), json!({})).await;
        assert_eq!((refused.status.as_u16(), &refused.body["error_code"]), (403, &json!("OPERATION_FORBIDDEN")));
    }
}

#[tokio::test]
async fn a_grant_that_died_meanwhile_ends_the_payment_as_klarna_says_it_ended() {
    for (state, expected) in [("CANCELED", "CANCELED"), ("COMPLETED", "FAILED")] {
        for scene in scenes().await {
            let (id, path) = scene.waiting(100).await;
            let completed = scene.klarna.customer("COMPLETED");
            scene.webhook("payment.request.state-change.completed", completed).await;
            scene.klarna.customer(state);
            scene
                .klarna
                .next("finalize", [Act::Answer(400, error("VALIDATION_ERROR", "Klarna-Network-Session-Token"))]);
            assert!(location(&scene.get(&path).await).ends_with(expected));
            assert_eq!(scene.read(&id).await["state"], expected);
        }
    }
}

#[tokio::test]
async fn a_webhook_that_overtakes_the_answer_is_not_lost_and_not_doubled() {
    for scene in scenes().await {
        let _working = scene.stage.work();
        scene.klarna.next("authorize", [Act::Late(200)]);
        let mut body = order(100);
        body["capture"] = json!("AUTOMATIC");
        body["klarna_network_session_token"] = json!("gr.an.t");
        body.as_object_mut().unwrap().remove("return_url");
        scene.klarna.next("finalize", [Act::Late(200)]);
        let overtaking = async {
            let call = crate::stage::eventually("the call", || async { scene.klarna.calls("finalize").pop() }).await;
            let asked = &call.body["request_payment_transaction"];
            let told = json!({"payment_transaction_id": "krn:payment:eu1:transaction:00000000-0000-4000-8000-000000000001",
                "payment_transaction_reference": asked["payment_transaction_reference"], "state": "COMPLETED", "currency": "EUR", "amount": 100,
                "captured_amount": 100, "refunded_amount": 0, "voided_amount": 0, "remaining_amount": 0,
                "payment_capture_id": "krn:payment:eu1:transaction:00000000-0000-4000-8000-000000000001:capture:1",
                "payment_capture_reference": asked["payment_capture_reference"], "capture_amount": 100});
            assert_eq!(scene.webhook("payment.transaction.captured", told.clone()).await, Applied::Changed);
            assert_eq!(scene.webhook("payment.transaction.captured", told).await, Applied::Unchanged);
        };
        let (made, ()) = tokio::join!(scene.post("/v1/payments", body), overtaking);
        assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &json!("CAPTURED")), "{}", made.text);
        assert_eq!(made.body["captures"].as_array().unwrap().len(), 1);
        assert_eq!(made.body["captured_amount"], 100);
        assert_eq!(scene.events().await, ["payment.authorized", "payment.captured"]);
    }
}

#[tokio::test]
async fn webhooks_about_strangers_are_unknown() {
    for scene in scenes().await {
        let stranger = json!({"payment_request_id": "krn:payment:eu1:request:00000000-0000-4000-8000-000000000009",
            "payment_request_reference": format!("pay_{}", "0".repeat(32)), "state": "COMPLETED"});
        assert_eq!(scene.webhook("payment.request.state-change.completed", stranger).await, Applied::Unknown);
        assert_eq!(
            scene.webhook("payment.request.state-change.completed", json!({"state": "COMPLETED"})).await,
            Applied::Unknown
        );
        assert_eq!(scene.webhook("partner.account.change.created", json!({})).await, Applied::Unchanged);
    }
}

#[tokio::test]
async fn an_approved_payment_outlives_a_key_that_the_network_does_not_know_for_a_while() {
    for scene in scenes().await {
        let (id, path) = scene.waiting(100).await;
        let completed = scene.klarna.customer("COMPLETED");
        scene.webhook("payment.request.state-change.completed", completed).await;
        scene.klarna.next("finalize", [Act::Answer(401, error("UNAUTHORIZED", "Authorization"))]);
        assert!(location(&scene.get(&path).await).ends_with("state=PENDING"), "the customer approved: nothing failed");
        let _working = scene.stage.work();
        let recovered = crate::stage::eventually("the same call to go through", || async {
            scene.stage.clock.advance(MINUTE_US);
            Some(scene.read(&id).await).filter(|payment| payment["state"] == "AUTHORIZED")
        });
        recovered.await;
        assert_eq!(scene.klarna.transactions().len(), 1);
    }
}
