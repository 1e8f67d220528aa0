//! `/testing/requests`: what is logged, masked, found, waited for, exported.

use http::Method;
use network::config::{Config, RateLimits};
use network::console::CallLog;
use serde_json::{Value, json};

use crate::harness::{self, Answer, End, Wishes, ends, places};

const KEYS: &str = "/v2/notification/signing-keys";

async fn requests(end: &End, query: &str) -> Vec<Value> {
    let list = end.ap(Method::GET, &format!("/testing/requests{query}"), None).await.expect(200);
    list["requests"].as_array().unwrap().clone()
}

async fn post(end: &End, path: &str, body: Value) -> Answer {
    end.ap(Method::POST, path, Some(&body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_logged_with_what_was_said_and_without_its_secrets() {
    for end in ends().await {
        let authorization = format!("Basic {}", end.ap_key());
        let headers = [("authorization", authorization.as_str()), ("partner-correlation-id", "order-17")];
        let made = end.send(Method::POST, KEYS, &headers, Some(&json!({}))).await;
        let secret = made.expect(201)["signing_key"].as_str().unwrap().to_owned();
        let list = requests(&end, "").await;
        assert_eq!(list.len(), 1, "controls are not calls to the network: {list:?}");
        let line = &list[0];
        assert_eq!(line["operation"], "createSigningKey");
        assert_eq!((&line["method"], &line["path"], &line["status"]), (&json!("POST"), &json!(KEYS), &json!(201)));
        assert_eq!(line["account_id"], end.credentials.acquiring_partner.account_id);
        assert_eq!(line["partner_correlation_id"], "order-17");
        assert_eq!(line["correlation_id"].as_str(), made.header("klarna-correlation-id"));
        assert_eq!(line["occurred_at"], "2026-03-02T10:00:00Z");

        let path = format!("/testing/requests/{}", line["call_id"].as_str().unwrap());
        let call = end.ap(Method::GET, &path, None).await.expect(200);
        assert_eq!(call["request"]["body"], "{}");
        assert!(call["response"]["body"].as_str().unwrap().contains("\"signing_key\":\"•••\""), "{call}");
        let text = call.to_string();
        assert!(!text.contains(&secret) && !text.contains(end.ap_key()), "{text}");
        assert!(text.contains("Basic •••"), "{text}");
        end.ap(Method::GET, "/testing/requests/call_0", None).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ap(Method::DELETE, "/testing/requests", None).await.expect(204);
        assert!(requests(&end, "").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paged_newest_first() {
    for end in ends().await {
        for _ in 0..3 {
            end.ap(Method::GET, KEYS, None).await.expect(200);
        }
        end.call(end.partner_key(), Method::GET, KEYS, None).await.expect(200);
        end.send(Method::GET, KEYS, &[], None).await.refused(401, "UNAUTHORIZED");
        end.ap(Method::GET, "/v2/mistyped?token=abc", None).await.refused(404, "NOT_FOUND");
        end.ap(Method::POST, "/v2/notification/webhooks", Some(&json!({"url": "nonsense"}))).await;
        assert_eq!(requests(&end, "").await.len(), 7);
        for (query, count) in [
            ("?method=post", 1),
            ("?operation=listSigningKeys", 5),
            ("?path=/v2/mis*", 1),
            ("?status=4xx", 3),
            ("?status=401", 1),
            ("?text=NONSENSE", 1),
            ("?since=2026-03-02T10:00:00Z", 7),
            ("?since=2026-03-02T10:00:01Z", 0),
        ] {
            assert_eq!(requests(&end, query).await.len(), count, "{query}");
        }
        let partner = format!("?account_id={}", end.partner());
        assert_eq!(requests(&end, &partner).await.len(), 1, "an Acquiring Partner sees the calls of those under it");
        let unknown = &requests(&end, "?path=/v2/mis*").await[0];
        assert_eq!((&unknown["operation"], &unknown["account_id"]), (&Value::Null, &Value::Null));

        let first = end.ap(Method::GET, "/testing/requests?size=4", None).await.expect(200);
        assert_eq!(first["pagination"]["count"], 4);
        assert_eq!(first["requests"][0]["status"], 400);
        let next = format!("?size=4&starting_after={}", first["pagination"]["last_item"].as_str().unwrap());
        let second = end.ap(Method::GET, &format!("/testing/requests{next}"), None).await.expect(200);
        assert_eq!((&second["pagination"]["count"], &second["pagination"]["last_item"]), (&json!(3), &Value::Null));

        let answer = end.ap(Method::GET, "/testing/requests?status=9xx&since=soon&size=0", None).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.parameters(), ["status", "since", "size"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integrators_test_finds_counts_and_waits() {
    for end in ends().await {
        let wanted = json!({"operation": "createWebhook", "method": "POST", "path": "/v2/*/webhooks", "status": "4xx",
            "request_headers": {"content-type": "application/json*"}, "request_body": {"event_types[0]": "payment.*"},
            "response_body": {"error_code": "VALIDATION_ERROR", "validation_errors[*].parameter": "url"}});
        let find = json!({"match": wanted});
        assert_eq!(post(&end, "/testing/requests/count", find.clone()).await.expect(200)["count"], 0);

        let late = async {
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
            let body = json!({"url": "nonsense", "event_types": ["payment.request.*"]});
            end.ap(Method::POST, "/v2/notification/webhooks", Some(&body)).await.refused(400, "VALIDATION_ERROR");
        };
        let wait = json!({"match": wanted, "count": 1, "timeout_ms": 20_000});
        let (waited, ()) = tokio::join!(post(&end, "/testing/requests/wait", wait), late);
        assert_eq!(waited.expect(200)["requests"][0]["status"], 400);
        assert_eq!(post(&end, "/testing/requests/count", find.clone()).await.expect(200)["count"], 1);
        assert_eq!(post(&end, "/testing/requests/find", find).await.expect(200)["count"], 1);

        let wait = json!({"match": wanted, "count": 2, "timeout_ms": 50});
        post(&end, "/testing/requests/wait", wait).await.refused(408, "TIMEOUT");
        let bad = json!({"match": {"path": 1, "status": "x", "request_body": []}, "limit": 0});
        let answer = post(&end, "/testing/requests/wait", bad).await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(
            answer.parameters(),
            ["match.status", "match.path", "match.request_body", "limit", "timeout_ms"],
            "{}",
            answer.text
        );
        let answer = post(&end, "/testing/requests/find", json!({"match": 1})).await;
        assert_eq!(answer.parameters(), ["match"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_is_what_other_tools_read() {
    for end in ends().await {
        end.ap(Method::GET, KEYS, None).await.expect(200);
        end.ap(Method::GET, "/v2/notification/webhooks?size=3", None).await.expect(200);
        let har = end.ap(Method::GET, "/testing/requests/har?method=GET", None).await.expect(200);
        let entries = har["log"]["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 2);
        assert!(entries[0]["request"]["url"].as_str().unwrap().ends_with(KEYS), "oldest first");
        assert_eq!(entries[1]["request"]["queryString"], json!([{"name": "size", "value": "3"}]));
        assert_eq!(entries[1]["response"]["status"], 200);
        assert_eq!(entries[1]["response"]["content"]["mimeType"], "application/json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_survives_a_restart_keeps_the_newest_and_can_be_switched_off() {
    let with = |keep: u32| {
        let call_log = CallLog { keep, body_bytes_max: 8 };
        let config = Config { rate_limits: RateLimits::Off, call_log, ..Config::default() };
        Wishes { config, ..Wishes::default() }
    };
    for place in places().await {
        let end = harness::start(&place, with(5)).await;
        for _ in 0..20 {
            end.ap(Method::GET, KEYS, None).await.expect(200);
            requests(&end, "").await;
        }
        let kept = requests(&end, "").await;
        assert!((5..=6).contains(&kept.len()), "{}", kept.len());
        let path = format!("/testing/requests/{}", kept[0]["call_id"].as_str().unwrap());
        let call = end.ap(Method::GET, &path, None).await.expect(200);
        assert_eq!(call["response"]["clipped"], true);
        assert_eq!(call["response"]["body"].as_str().unwrap().len(), 8);
        end.stop().await;

        let end = harness::start(&place, with(0)).await;
        end.ap(Method::GET, KEYS, None).await.expect(200);
        assert_eq!(requests(&end, "").await[0], kept[0], "nothing is added");
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_and_events_are_found_counted_and_waited_for() {
    for end in ends().await {
        let receiver = harness::Receiver::start().await;
        let (signing_key_id, _) = end.signing_key().await;
        let webhook = end.webhook(&receiver.url(), &["payment.request.*"], "v2", &signing_key_id).await;
        let event = protocol::EventType::from("payment.request.state-change.completed");
        crate::console::happen(&end, event, json!({"payment_request_id": "krn:x", "state": "COMPLETED"})).await;
        let wanted = json!({"event_type": "payment.request.*", "webhook_id": webhook, "state": "DELIVERED",
            "body": {"payload.state": "COMPLETED"}, "correlation_id": "c-1", "subject_account_id": end.partner()});
        let wait = json!({"match": wanted, "timeout_ms": 20_000});
        let waited = post(&end, "/testing/deliveries/wait", wait).await.expect(200);
        assert_eq!(waited["deliveries"][0]["attempt_log"][0]["status"], 200);
        let find = json!({"match": wanted});
        assert_eq!(post(&end, "/testing/deliveries/find", find.clone()).await.expect(200)["count"], 1);
        assert_eq!(post(&end, "/testing/deliveries/count", find).await.expect(200)["count"], 1);

        let wanted = json!({"event_type": "*.completed", "body": {"state": "COMPLETED"}, "correlation_id": "c-1",
            "subject_account_id": end.partner(), "since": "2026-03-02T10:00:00Z"});
        let find = json!({"match": wanted});
        let found = post(&end, "/testing/events/find", find.clone()).await.expect(200);
        assert_eq!(found["count"], 1);
        assert_eq!(post(&end, "/testing/events/count", find).await.expect(200)["count"], 1);
        let wait = json!({"match": {"event_type": "nothing"}, "timeout_ms": 0});
        post(&end, "/testing/events/wait", wait.clone()).await.refused(408, "TIMEOUT");
        post(&end, "/testing/deliveries/wait", wait).await.refused(408, "TIMEOUT");
        let id = json!({"match": {"event_id": found["events"][0]["event_id"]}, "timeout_ms": 0});
        assert_eq!(post(&end, "/testing/events/wait", id).await.expect(200)["count"], 1);
    }
}
