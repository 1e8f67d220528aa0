//! `/testing/faults`: calls and webhooks that go wrong on purpose.

use std::time::{Duration, Instant};

use http::Method;
use protocol::EventType;
use serde_json::{Value, json};

use crate::console::happen;
use crate::harness::{self, End, Receiver, Wishes, ends, places};

const KEYS: &str = "/v2/notification/signing-keys";

async fn fault(end: &End, rule: Value) -> String {
    let made = end.ap(Method::POST, "/testing/faults", Some(&rule)).await.expect(201);
    made["fault_id"].as_str().unwrap().to_owned()
}

async fn keys(end: &End) -> usize {
    end.ap(Method::GET, KEYS, None).await.expect(200)["signing_keys"].as_array().unwrap().len()
}

async fn statuses(end: &End, calls: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..calls {
        statuses.push(end.ap(Method::GET, KEYS, None).await.status);
    }
    statuses
}

/// Sends a call whose answer does not come whole.
async fn breaks(end: &End, method: Method, path: &str) -> bool {
    let client = kit::outbound::upstream_client(kit::outbound::UpstreamConfig::default()).unwrap();
    let request = client.request(method, format!("{}{path}", end.base));
    let sent = request.header("authorization", format!("Basic {}", end.ap_key())).send().await;
    match sent {
        Err(_) => true,
        Ok(answer) => answer.bytes().await.is_err(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_refused_so_many_times_and_then_no_more() {
    for end in ends().await {
        let rule = json!({"effect": "status", "status": 503, "times": 2, "match": {"operation": "list*"}});
        let id = fault(&end, rule).await;
        assert_eq!(statuses(&end, 4).await, [503, 503, 200, 200]);
        let seen = end.ap(Method::GET, &format!("/testing/faults/{id}"), None).await.expect(200);
        assert_eq!((&seen["matched"], &seen["applied"], &seen["times"]), (&json!(2), &json!(2), &json!(2)));
        let logged = end.ap(Method::GET, "/testing/requests?status=503", None).await.expect(200);
        assert_eq!(logged["requests"][0]["fault_id"], id);

        let rule = json!({"effect": "status", "status": 429, "error_code": "MINE", "error_message": "Mine."});
        let id = fault(&end, rule).await;
        let answer = end.ap(Method::GET, KEYS, None).await;
        answer.refused(429, "MINE");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(
            end.ap(Method::GET, "/testing/faults", None).await.expect(200)["faults"].as_array().unwrap().len(),
            2
        );
        end.ap(Method::DELETE, &format!("/testing/faults/{id}"), None).await.expect(204);
        assert_eq!(statuses(&end, 1).await, [200]);
        for method in [Method::GET, Method::DELETE] {
            let answer = end.ap(method, &format!("/testing/faults/{id}"), None).await;
            answer.refused(404, "RESOURCE_NOT_FOUND");
        }
        let answer = end.ap(Method::POST, "/testing/faults", Some(&json!({"effect": "latency", "share": 101}))).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.parameters(), ["share", "delay_ms"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_late_lost_or_broken_off() {
    for end in ends().await {
        let began = Instant::now();
        fault(&end, json!({"effect": "latency", "delay_ms": 120, "times": 1})).await;
        assert_eq!(statuses(&end, 1).await, [200]);
        assert!(began.elapsed() >= Duration::from_millis(120));

        fault(&end, json!({"effect": "drop", "times": 1, "match": {"method": "post"}})).await;
        assert!(breaks(&end, Method::POST, KEYS).await);
        assert_eq!(keys(&end).await, 1, "carried out, the answer lost");
        fault(&end, json!({"effect": "drop", "executes": false, "times": 1})).await;
        assert!(breaks(&end, Method::POST, KEYS).await);
        assert_eq!(keys(&end).await, 1, "lost on its way in");
        fault(&end, json!({"effect": "truncate", "times": 1, "match": {"path": "*/signing-keys"}})).await;
        assert!(breaks(&end, Method::POST, KEYS).await);
        assert_eq!(keys(&end).await, 2);
        let rule = json!({"effect": "status", "status": 500, "executes": true, "times": 1});
        fault(&end, rule).await;
        end.ap(Method::POST, KEYS, None).await.refused(500, "INTERNAL_ERROR");
        assert_eq!(keys(&end).await, 3);
        let logged = end.ap(Method::GET, "/testing/requests?method=POST", None).await.expect(200);
        let logged = logged["requests"].as_array().unwrap().iter().map(|call| call["status"].clone());
        assert_eq!(logged.collect::<Vec<_>>(), [json!(500), json!(201), Value::Null, Value::Null]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chance_repeats_with_the_seed_and_other_accounts_are_spared() {
    let mut runs = Vec::new();
    for end in ends().await {
        fault(&end, json!({"effect": "status", "status": 500, "share": 40, "match": {"account_id": end.partner()}}))
            .await;
        assert_eq!(statuses(&end, 5).await, [200; 5], "the rule is about another account");
        let mut run = Vec::new();
        for _ in 0..30 {
            run.push(end.call(end.partner_key(), Method::GET, KEYS, None).await.status);
        }
        assert!(run.contains(&200) && run.contains(&500), "{run:?}");
        runs.push(run);
    }
    assert!(runs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_survive_a_restart_and_reach_other_processes_within_a_second() {
    for place in places().await {
        let one = harness::start(&place, Wishes::default()).await;
        let other = harness::start(&place, Wishes::default()).await;
        fault(&one, json!({"effect": "status", "status": 503})).await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert_eq!(statuses(&other, 1).await, [503]);
        one.stop().await;
        other.stop().await;
        let again = harness::start(&place, Wishes::default()).await;
        assert_eq!(statuses(&again, 1).await, [503]);
        again.stop().await;
    }
}

async fn told(end: &End, reference: &str) {
    let event = EventType::from("payment.request.state-change.completed");
    let payload = json!({"payment_request_id": "krn:payment:eu1:request:0b0e8d5e-1111-4a2b-9c3d-000000000001",
        "payment_request_reference": reference, "state": "COMPLETED", "previous_state": "IN_PROGRESS"});
    happen(end, event, payload).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_come_twice_late_out_of_order_or_not_at_all() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let (signing_key_id, _) = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.request.*"], "v2", &signing_key_id).await;
        let next =
            async || receiver.next().await.json()["payload"]["payment_request_reference"].as_str().unwrap().to_owned();

        fault(&end, json!({"effect": "duplicate_webhook", "times": 1})).await;
        told(&end, "twice").await;
        assert_eq!([next().await, next().await], ["twice", "twice"]);

        fault(&end, json!({"effect": "reorder_webhook", "delay_ms": 10_000, "times": 1})).await;
        told(&end, "first").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(receiver.is_empty().await);
        told(&end, "second").await;
        assert_eq!([next().await, next().await], ["second", "first"]);

        let began = Instant::now();
        fault(&end, json!({"effect": "delay_webhook", "delay_ms": 300, "times": 1})).await;
        told(&end, "late").await;
        assert_eq!(next().await, "late");
        assert!(began.elapsed() >= Duration::from_millis(300));

        let rule = json!({"effect": "drop_webhook", "times": 1, "match": {"event_type": "payment.*"}});
        fault(&end, rule).await;
        told(&end, "lost").await;
        let id = end.delivery_ids().await[0].clone();
        let delivery = end.delivery_after(&id, 1).await;
        assert_eq!((&delivery["state"], &delivery["attempt_log"][0]["status"]), (&json!("RETRYING"), &Value::Null));
        end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "PT1M"}))).await.expect(200);
        assert_eq!(next().await, "lost", "the schedule goes on");
    }
}
