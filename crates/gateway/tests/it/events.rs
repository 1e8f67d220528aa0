//! What Partners are told: events in order without gaps, and signed deliveries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::events::SCHEDULE_US;
use hmac::{Hmac, KeyInit as _, Mac as _};
use kit::clock::{DAY_US, SECOND_US};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::stage::{self, Partner, Received, Receiver, Stage, eventually};

/// Stages that may deliver to this machine.
async fn local() -> Vec<Stage> {
    let local = |test| Stage::new(test, "http://127.0.0.1:9/", |config| config.local_targets = true);
    stage::databases().await.into_iter().map(local).collect()
}

async fn endpoint(stage: &Stage, partner: &Partner, url: &str, event_types: Value) -> (String, String) {
    let body = json!({"url": url, "event_types": event_types});
    let made = stage.call(partner, "POST", "/v1/webhook-endpoints", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (made.body["id"].as_str().unwrap().to_owned(), made.body["secret"].as_str().unwrap().to_owned())
}

/// The signature, computed apart from the code that signs.
fn expected(secret: &str, received: &Received) -> String {
    let header = |name: &str| received.headers[name].to_str().unwrap().to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
    mac.update(&received.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn named(body: &Value) -> Vec<String> {
    let faults = body["validation_errors"].as_array().cloned().unwrap_or_default();
    faults.iter().map(|fault| fault["parameter"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_endpoint_is_made_read_changed_and_deleted_and_its_secret_shown_once() {
    for stage in stage::stages().await {
        let partner = stage.partner("MQ7R2T9A").await;
        let url = "https://shop.example/hooks";
        let (id, secret) =
            endpoint(&stage, &partner, url, json!(["payment.captured", "payment.*", "payment.captured"])).await;
        assert!(secret.starts_with("whsec_"));
        let path = format!("/v1/webhook-endpoints/{id}");
        let read = stage.call(&partner, "GET", &path, None).await;
        assert_eq!(read.status, 200);
        assert_eq!(read.body["event_types"], json!(["payment.*", "payment.captured"]));
        assert_eq!((&read.body["enabled"], &read.body["description"]), (&json!(true), &Value::Null));
        assert!(!read.text.contains(&secret) && read.body.get("secret").is_none());
        let patch = json!({"description": "the shop", "enabled": false});
        let patched = stage.call(&partner, "PATCH", &path, Some(patch)).await;
        assert_eq!((patched.status.as_u16(), &patched.body["enabled"]), (200, &json!(false)));
        assert_eq!((&patched.body["url"], &patched.body["description"]), (&json!(url), &json!("the shop")));
        let cleared = stage.call(&partner, "PATCH", &path, Some(json!({"description": null}))).await;
        assert_eq!((&cleared.body["description"], &cleared.body["enabled"]), (&Value::Null, &json!(false)));
        let listed = stage.call(&partner, "GET", "/v1/webhook-endpoints", None).await;
        assert_eq!(listed.body["webhook_endpoints"].as_array().unwrap().len(), 1);
        // To another Partner it does not exist.
        let other = stage.partner("MQ7R2T9B").await;
        for (method, path) in [
            ("GET", path.clone()),
            ("DELETE", path.clone()),
            ("PATCH", path.clone()),
            ("GET", format!("{path}/deliveries")),
        ] {
            let answer = stage.call(&other, method, &path, (method == "PATCH").then(|| json!({}))).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["error_code"]),
                (404, &json!("RESOURCE_NOT_FOUND")),
                "{method} {path}"
            );
        }
        assert_eq!(stage.call(&partner, "DELETE", &path, None).await.status, 204);
        assert_eq!(stage.call(&partner, "DELETE", &path, None).await.status, 404);
        assert_eq!(stage.call(&partner, "GET", &path, None).await.status, 404);
    }
}

#[tokio::test]
async fn a_refused_endpoint_names_every_field_and_private_addresses_are_refused() {
    let stage = stage::stages().await.remove(0);
    let partner = stage.partner("MQ7R2T9A").await;
    let bad = json!({"url": "nonsense", "event_types": ["payment.*", "pay*", 7], "description": 5, "enabled": "yes"});
    let refused = stage.call(&partner, "POST", "/v1/webhook-endpoints", Some(bad)).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error_code"]), (400, &json!("VALIDATION_ERROR")));
    assert_eq!(named(&refused.body), ["url", "event_types[1]", "event_types[2]", "description", "enabled"]);
    let empty = stage.call(&partner, "POST", "/v1/webhook-endpoints", Some(json!({"event_types": []}))).await;
    assert_eq!(named(&empty.body), ["url", "event_types"]);
    for url in [
        "https://10.1.2.3/h",
        "https://[::ffff:127.0.0.1]/h",
        "https://2130706433/",
        "https://localhost/",
        "http://shop.example/",
    ] {
        let body = json!({"url": url, "event_types": ["*"]});
        let refused = stage.call(&partner, "POST", "/v1/webhook-endpoints", Some(body)).await;
        assert_eq!((refused.status.as_u16(), named(&refused.body)), (400, vec!["url".to_owned()]), "{url}");
    }
    let query = stage
        .call(
            &partner,
            "GET",
            "/v1/events?size=101&order=up&type=pay*&created_start=soon&starting_after=a&ending_before=b",
            None,
        )
        .await;
    assert_eq!(query.status, 400);
    let mut faults = named(&query.body);
    faults.sort();
    assert_eq!(faults, ["created_start", "ending_before", "order", "size", "starting_after", "type"]);
    let unknown = stage.call(&partner, "GET", "/v1/events?starting_after=evt_0", None).await;
    assert_eq!(named(&unknown.body), ["starting_after"]);
}

#[tokio::test]
async fn the_same_idempotency_key_gives_the_same_endpoint_and_another_body_is_refused() {
    for stage in stage::stages().await {
        let partner = stage.partner("MQ7R2T9A").await;
        let body =
            |name: &str| Some(json!({"url": "https://shop.example/h", "event_types": ["*"], "description": name}));
        let path = "/v1/webhook-endpoints";
        let calls = (0..6).map(|_| stage.call_with_key(&partner, "POST", path, body("one"), "\"key-1\""));
        let answers = futures_util::future::join_all(calls).await;
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.body), (201, &answers[0].body), "{}", answer.text);
        }
        assert_eq!(answers.iter().filter(|answer| !answer.headers.contains_key("idempotency-replayed")).count(), 1);
        let replayed = stage.call_with_key(&partner, "POST", path, body("one"), "key-1").await;
        assert_eq!(replayed.body["secret"], answers[0].body["secret"]);
        let other = stage.call_with_key(&partner, "POST", path, body("two"), "key-1").await;
        assert_eq!((other.status.as_u16(), named(&other.body)), (422, vec!["Idempotency-Key".to_owned()]));
        let listed = stage.call(&partner, "GET", path, None).await;
        assert_eq!(listed.body["webhook_endpoints"].as_array().unwrap().len(), 1);
        let another = stage.partner("MQ7R2T9B").await;
        let theirs = stage.call_with_key(&another, "POST", path, body("two"), "key-1").await;
        assert_eq!(theirs.status, 201, "a key means something within one Partner only");
    }
}

#[tokio::test]
async fn events_are_pushed_signed_to_those_who_want_them_retried_kept_and_replayed() {
    for stage in local().await {
        let partner = stage.partner("MQ7R2T9A").await;
        let (receiver, url) = Receiver::start(&[500, 301]).await;
        let (idle, idle_url) = Receiver::start(&[]).await;
        let (id, secret) = endpoint(&stage, &partner, &url, json!(["payment.*"])).await;
        endpoint(&stage, &partner, &idle_url, json!(["payment.refunded"])).await;
        stage.emit(&partner.id, "payment.authorized", "pay_1").await;
        let _working = stage.work();
        receiver.wait_for(1).await;
        let path = format!("/v1/webhook-endpoints/{id}/deliveries");
        let delivery = |state: &'static str| {
            let (stage, partner, path) = (&stage, &partner, &path);
            eventually(state, move || async move {
                let listed = stage.call(partner, "GET", path, None).await;
                let one = listed.body["deliveries"][0].clone();
                Some(one).filter(|one| one["state"] == state)
            })
        };
        delivery("RETRYING").await;
        for (index, gap) in SCHEDULE_US[..2].iter().enumerate() {
            stage.clock.advance(*gap);
            receiver.wait_for(index + 2).await;
        }
        let done = delivery("DELIVERED").await;
        let statuses: Vec<_> =
            done["attempts"].as_array().unwrap().iter().map(|one| one["status"].as_i64().unwrap()).collect();
        assert_eq!(statuses, [500, 301, 200]);
        let all = receiver.all();
        for received in &all {
            assert_eq!(received.headers["webhook-signature"], expected(&secret, received).as_str());
            assert_eq!(received.headers["webhook-id"], done["event_id"].as_str().unwrap());
            assert_eq!(received.headers["content-type"], "application/json");
            assert_eq!(received.body, all[0].body, "every attempt sends the same bytes");
        }
        let seconds: i64 = all[0].headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        assert_eq!(seconds, stage::BEGINNING / SECOND_US);
        let body: Value = serde_json::from_slice(&all[0].body).unwrap();
        let expected_body = json!({"id": done["event_id"], "type": "payment.authorized", "created_at": "2026-03-02T10:00:00Z",
            "data": {"payment": {"id": "pay_1"}}});
        assert_eq!(body, expected_body);
        let replay = format!("{path}/{}/replay", done["id"].as_str().unwrap());
        assert_eq!(stage.call(&partner, "POST", &replay, None).await.status, 202);
        receiver.wait_for(4).await;
        assert_eq!(delivery("DELIVERED").await["attempts"].as_array().unwrap().len(), 4);
        assert!(idle.all().is_empty(), "nobody gets what they did not subscribe to");
        let foreign = format!("/v1/webhook-endpoints/{id}/deliveries/del_0/replay");
        assert_eq!(stage.call(&partner, "POST", &foreign, None).await.status, 404);
    }
}

#[tokio::test]
async fn during_a_rotation_both_secrets_sign_and_then_only_the_new_one() {
    for stage in local().await {
        let partner = stage.partner("MQ7R2T9A").await;
        let (receiver, url) = Receiver::start(&[]).await;
        let (id, old) = endpoint(&stage, &partner, &url, json!(["*"])).await;
        let path = format!("/v1/webhook-endpoints/{id}");
        let wrong =
            stage.call(&partner, "POST", &format!("{path}/rotate-secret"), Some(json!({"overlap_seconds": -1}))).await;
        assert_eq!((wrong.status.as_u16(), named(&wrong.body)), (400, vec!["overlap_seconds".to_owned()]));
        let rotated = stage.call(&partner, "POST", &format!("{path}/rotate-secret"), None).await;
        assert_eq!(rotated.status, 200);
        let new = rotated.body["secret"].as_str().unwrap().to_owned();
        assert_eq!(rotated.body["previous_secret_expires_at"], "2026-03-03T10:00:00Z");
        let _working = stage.work();
        assert_eq!(stage.call(&partner, "POST", &format!("{path}/test"), None).await.status, 202);
        let received = receiver.wait_for(1).await.remove(0);
        let both = format!("{} {}", expected(&new, &received), expected(&old, &received));
        assert_eq!(received.headers["webhook-signature"], both.as_str());
        stage.clock.advance(DAY_US);
        assert_eq!(stage.call(&partner, "POST", &format!("{path}/test"), None).await.status, 202);
        let received = receiver.wait_for(2).await.remove(1);
        assert_eq!(received.headers["webhook-signature"], expected(&new, &received).as_str());
        let body: Value = serde_json::from_slice(&received.body).unwrap();
        assert_eq!(body["type"], "webhook_endpoint.test");
        let events = stage.call(&partner, "GET", "/v1/events", None).await;
        assert_eq!(events.body["events"], json!([]), "a test is no event");
    }
}

#[tokio::test]
async fn a_delivery_to_a_private_address_is_refused_when_it_is_made_and_one_to_a_disabled_endpoint_dropped() {
    for test in stage::databases().await {
        // Registered while it was allowed; the guard judges each delivery anew.
        let open = Stage::new(test.clone(), "http://127.0.0.1:9/", |config| config.local_targets = true);
        let partner = open.partner("MQ7R2T9A").await;
        let (receiver, url) = Receiver::start(&[]).await;
        let (id, _) = endpoint(&open, &partner, &url.replace("http", "https"), json!(["*"])).await;
        let (off, _) = endpoint(&open, &partner, &url, json!(["payment.*"])).await;
        let closed = Stage::new(test, "http://127.0.0.1:9/", |_| {});
        closed.emit(&partner.id, "payment.captured", "pay_1").await;
        let disable = open
            .call(&partner, "PATCH", &format!("/v1/webhook-endpoints/{off}"), Some(json!({"enabled": false})))
            .await;
        assert_eq!(disable.status, 200);
        let _working = closed.work();
        for (endpoint, state) in [(&id, "RETRYING"), (&off, "DROPPED")] {
            let path = format!("/v1/webhook-endpoints/{endpoint}/deliveries");
            let one = eventually(state, || async {
                let listed = closed.call(&partner, "GET", &path, None).await;
                Some(listed.body["deliveries"][0].clone()).filter(|one| one["state"] == state)
            })
            .await;
            if state == "RETRYING" {
                let error = one["attempts"][0]["error"].as_str().unwrap();
                assert!(error.contains("loopback"), "{error}");
            }
        }
        assert!(receiver.all().is_empty());
    }
}

#[tokio::test]
async fn events_are_listed_by_page_filter_and_order() {
    for stage in stage::stages().await {
        let partner = stage.partner("MQ7R2T9A").await;
        let other = stage.partner("MQ7R2T9B").await;
        for (kind, payment) in [
            ("payment.authorized", "pay_1"),
            ("payment.captured", "pay_1"),
            ("payment.authorized", "pay_2"),
            ("payment.refunded", "pay_1"),
            ("payment.closed", "pay_2"),
        ] {
            stage.emit(&partner.id, kind, payment).await;
            stage.clock.advance(SECOND_US);
        }
        stage.emit(&other.id, "payment.declined", "pay_9").await;
        let list = |query: &'static str| {
            let (stage, partner) = (&stage, &partner);
            async move {
                let answer = stage.call(partner, "GET", &format!("/v1/events{query}"), None).await;
                assert_eq!(answer.status, 200, "{}", answer.text);
                answer.body
            }
        };
        let sequences = |body: &Value| -> Vec<i64> {
            body["events"].as_array().unwrap().iter().map(|event| event["sequence"].as_i64().unwrap()).collect()
        };
        assert_eq!(sequences(&list("").await), [5, 4, 3, 2, 1]);
        assert_eq!(sequences(&list("?order=asc").await), [1, 2, 3, 4, 5]);
        assert_eq!(sequences(&list("?type=payment.authorized").await), [3, 1]);
        assert_eq!(sequences(&list("?type=payment.*&payment_id=pay_2").await), [5, 3]);
        assert_eq!(sequences(&list("?order=asc&payment_id=pay_1").await), [1, 2, 4]);
        assert_eq!(
            sequences(&list("?created_start=2026-03-02T10:00:01Z&created_end=2026-03-02T10:00:03Z").await),
            [3, 2]
        );
        // Following the links there and back.
        let first = list("?size=2").await;
        assert_eq!(sequences(&first), [5, 4]);
        let follow = async |link: &Value| {
            let path = link["href"].as_str().unwrap().strip_prefix("https://gateway.example").unwrap().to_owned();
            stage.call(&partner, "GET", &path, None).await.body
        };
        let second = follow(&first["pagination"]["links"]["next"]).await;
        assert_eq!(sequences(&second), [3, 2]);
        let third = follow(&second["pagination"]["links"]["next"]).await;
        assert_eq!((sequences(&third), &third["pagination"]["last_item"]), (vec![1], &Value::Null));
        assert_eq!(follow(&third["pagination"]["links"]["prev"]).await["events"], second["events"]);
        // One event; another Partner's looks absent.
        let id = first["events"][0]["id"].as_str().unwrap();
        let one = stage.call(&partner, "GET", &format!("/v1/events/{id}"), None).await;
        assert_eq!(one.body, first["events"][0]);
        assert_eq!(one.body["data"], json!({"payment": {"id": "pay_2"}}));
        assert_eq!(stage.call(&other, "GET", &format!("/v1/events/{id}"), None).await.status, 404);
    }
}

#[tokio::test]
async fn a_reader_beside_many_writers_sees_each_event_once_and_no_gap() {
    const WRITERS: usize = 6;
    const EACH: usize = 30;
    for stage in stage::stages().await {
        let partner = stage.partner("MQ7R2T9A").await;
        let writing = futures_util::future::join_all((0..WRITERS).map(|writer| {
            let (stage, partner) = (&stage, &partner.id);
            async move {
                for _ in 0..EACH {
                    stage.emit(partner, "payment.authorized", &format!("pay_{writer}")).await;
                }
            }
        }));
        let reading = async {
            let mut seen: Vec<i64> = Vec::new();
            let mut cursor = String::new();
            while seen.len() < WRITERS * EACH {
                let path = format!("/v1/events?order=asc&size=7{cursor}");
                let page = stage.call(&partner, "GET", &path, None).await;
                assert_eq!(page.status, 200, "{}", page.text);
                for event in page.body["events"].as_array().unwrap() {
                    seen.push(event["sequence"].as_i64().unwrap());
                    cursor = format!("&starting_after={}", event["id"].as_str().unwrap());
                }
            }
            seen
        };
        let reading = tokio::time::timeout(std::time::Duration::from_secs(60), reading);
        let (_, seen) = futures_util::future::join(writing, reading).await;
        let expected: Vec<i64> = (1..).take(WRITERS * EACH).collect();
        assert_eq!(seen.unwrap(), expected);
    }
}
