//! Signing keys, webhooks, and what arrives where, when.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use http::Method;
use kit::outbound::{OutboundConfig, ResolveHost};
use network::config::{Config, RateLimits};
use protocol::{EventType, SigningKeyId, SigningSecret};
use serde_json::{Value, json};

use crate::console::happen;
use crate::harness::{self, End, Received, Receiver, Wishes, ends, places};

const KEYS: &str = "/v2/notification/signing-keys";
const WEBHOOKS: &str = "/v2/notification/webhooks";

fn verified(received: &Received, key: &(String, String)) -> bool {
    let id: SigningKeyId = key.0.parse().unwrap();
    let secret = SigningSecret::new(key.1.clone());
    let (key_id, signature) = (received.header("klarna-signing-key-id"), received.header("klarna-signature"));
    protocol::verify(&[(id, &secret)], key_id, signature, &received.body).is_ok()
}

async fn advance(end: &End, duration: &str) {
    end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": duration}))).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_shows_its_secret_once_and_stays_while_it_is_used() {
    for end in ends().await {
        let created = end.ap(Method::POST, KEYS, None).await.expect(201);
        let secret = created["signing_key"].as_str().unwrap();
        assert!(secret.len() == 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        let id = created["signing_key_id"].as_str().unwrap();
        assert!(id.starts_with("krn:partner:global:notification:signing-key:"));
        let read = end.ap(Method::GET, &format!("{KEYS}/{id}"), None).await.expect(200);
        assert_eq!(read, json!({"signing_key_id": id, "created_at": "2026-03-02T10:00:00Z"}));
        let list = end.ap(Method::GET, KEYS, None).await.expect(200);
        assert_eq!(list, json!({"signing_keys": [read]}));
        // Somebody else's key looks absent, in the own hierarchy, too.
        end.call(end.partner_key(), Method::GET, &format!("{KEYS}/{id}"), None)
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        end.call(end.partner_key(), Method::DELETE, &format!("{KEYS}/{id}"), None)
            .await
            .refused(404, "RESOURCE_NOT_FOUND");

        let webhook = end.webhook("https://h.example/k", &["payment.*"], "v2", id).await;
        end.ap(Method::DELETE, &format!("{KEYS}/{id}"), None).await.refused(409, "RESOURCE_CONFLICT");
        end.ap(Method::DELETE, &format!("{WEBHOOKS}/{webhook}"), None).await.expect(204);
        end.ap(Method::DELETE, &format!("{KEYS}/{id}"), None).await.expect(204);
        end.ap(Method::GET, &format!("{KEYS}/{id}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ap(Method::DELETE, &format!("{KEYS}/{id}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_fifty_signing_keys_even_when_many_are_asked_for_at_once() {
    for end in ends().await {
        let calls = (0..60).map(|_| end.ap(Method::POST, KEYS, None));
        let answers = futures_util::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 50);
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.refused(409, "RESOURCE_CONFLICT");
        }
        let list = end.ap(Method::GET, KEYS, None).await.expect(200);
        let ids: Vec<_> = list["signing_keys"].as_array().unwrap().iter().map(|key| &key["signing_key_id"]).collect();
        assert_eq!(ids.len(), 50);
        // Room again; another account has its own fifty.
        end.call(end.partner_key(), Method::POST, KEYS, None).await.expect(201);
        end.ap(Method::DELETE, &format!("{KEYS}/{}", ids[0].as_str().unwrap()), None).await.expect(204);
        end.ap(Method::POST, KEYS, None).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_fifty_webhooks() {
    for end in ends().await {
        let (key, _) = end.signing_key().await;
        for number in 0..50 {
            end.webhook(&format!("https://h.example/{number}"), &["payment.*"], "v2", &key).await;
        }
        let body = json!({"url": "https://h.example/50", "event_types": ["payment.*"], "event_version": "v2", "signing_key_id": key});
        end.ap(Method::POST, WEBHOOKS, Some(&body)).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(end.ap(Method::GET, WEBHOOKS, None).await.expect(200)["webhooks"].as_array().unwrap().len(), 50);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_listed_read_changed_and_deleted() {
    for end in ends().await {
        let (key, _) = end.signing_key().await;
        let body = json!({"url": "https://h.example:8443/k", "event_types": ["payment.request.*", "settlement.report.created"],
            "event_version": "v2", "signing_key_id": key});
        let created = end.ap(Method::POST, WEBHOOKS, Some(&body)).await.expect(201);
        let id = created["webhook_id"].as_str().unwrap().to_owned();
        assert!(id.starts_with("krn:partner:global:notification:webhook:"));
        let mut expected = body.clone();
        expected["webhook_id"] = json!(id);
        expected["status"] = json!("ENABLED");
        expected["created_at"] = json!("2026-03-02T10:00:00Z");
        expected["updated_at"] = json!("2026-03-02T10:00:00Z");
        assert_eq!(created, expected);
        let path = format!("{WEBHOOKS}/{id}");
        assert_eq!(end.ap(Method::GET, &path, None).await.expect(200), expected);
        assert_eq!(end.ap(Method::GET, &path.replace("/v2/", "/v1/"), None).await.expect(200), expected);
        assert_eq!(end.ap(Method::GET, WEBHOOKS, None).await.expect(200), json!({"webhooks": [expected.clone()]}));

        advance(&end, "PT1M").await;
        let patch = json!({"status": "DISABLED", "event_version": "v4"});
        let changed = end.ap(Method::PATCH, &path, Some(&patch)).await.expect(200);
        expected["status"] = json!("DISABLED");
        expected["event_version"] = json!("v4");
        expected["updated_at"] = json!("2026-03-02T10:01:00Z");
        assert_eq!(changed, expected);
        assert_eq!(end.ap(Method::GET, &path, None).await.expect(200), expected);

        // The same subscription, in another order, with another key: a duplicate. Another version is none.
        let (other_key, _) = end.signing_key().await;
        let mut twin = body.clone();
        twin["event_types"] = json!(["settlement.report.created", "payment.request.*"]);
        twin["signing_key_id"] = json!(other_key);
        let second = end.ap(Method::POST, WEBHOOKS, Some(&twin)).await.expect(201);
        end.ap(Method::POST, WEBHOOKS, Some(&twin)).await.refused(409, "RESOURCE_CONFLICT");
        let second_path = format!("{WEBHOOKS}/{}", second["webhook_id"].as_str().unwrap());
        let collide = json!({"event_version": "v4"});
        end.ap(Method::PATCH, &second_path, Some(&collide)).await.refused(409, "RESOURCE_CONFLICT");

        end.ap(Method::DELETE, &path, None).await.expect(204);
        end.ap(Method::GET, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ap(Method::PATCH, &path, Some(&patch)).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ap(Method::DELETE, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        let simulate = json!({"event_type": "payment.transaction.captured"});
        end.ap(Method::POST, &format!("{path}/simulate"), Some(&simulate)).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_webhook_is_named_and_only_public_https_is_taken() {
    for place in places().await {
        let config = Config { rate_limits: RateLimits::Off, ..Config::default() };
        let end = harness::start(&place, Wishes { config, ..Wishes::default() }).await;
        let (key, _) = end.signing_key().await;
        // Text that PostgreSQL cannot hold is a fault, not an accident.
        for (member, text) in [("url", "https://h.example/a\0b"), ("signing_key_id", "krn:x\0")] {
            let mut body = json!({"url": "https://h.example/nul", "event_types": ["payment.*"], "event_version": "v2",
                "signing_key_id": key});
            body[member] = json!(text);
            let answer = end.ap(Method::POST, WEBHOOKS, Some(&body)).await;
            assert_eq!((answer.status, answer.parameters()), (400, vec![member.to_owned()]), "{}", answer.text);
        }
        let bad = json!({"url": "http://h.example/k", "event_types": ["payment.*", "*", "unheard.of"],
            "event_version": "v7", "signing_key_id": "krn:partner:global:notification:signing-key:1", "status": "ON"});
        let answer = end.ap(Method::POST, WEBHOOKS, Some(&bad)).await;
        answer.refused(400, "VALIDATION_ERROR");
        let named: BTreeSet<_> = answer.parameters().into_iter().collect();
        let expected = ["url", "event_types[1]", "event_types[2]", "event_version", "signing_key_id", "status"];
        assert_eq!(named, expected.iter().map(|name| (*name).to_owned()).collect());

        let foreign = end.call(end.partner_key(), Method::POST, KEYS, None).await.expect(201)["signing_key_id"].clone();
        for (member, value) in [
            ("url", json!("https://h.example:9443/k")),
            ("url", json!(7)),
            ("event_types", json!([])),
            ("event_types", json!("payment.*")),
            ("signing_key_id", foreign),
            ("signing_key_id", json!(null)),
            ("event_version", json!("V2")),
        ] {
            let mut body = json!({"url": "https://h.example/k", "event_types": ["payment.*"], "event_version": "v2", "signing_key_id": key});
            body[member] = value.clone();
            let answer = end.ap(Method::POST, WEBHOOKS, Some(&body)).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), [member], "{value}");
        }
        for (body, kind) in [("{", "application/json"), ("", "application/json"), ("{}", "text/plain")] {
            let client = kit::outbound::upstream_client(kit::outbound::UpstreamConfig::default()).unwrap();
            let request = client
                .post(format!("{}{WEBHOOKS}", end.base))
                .header("authorization", format!("Basic {}", end.ap_key()))
                .header("content-type", kind)
                .body(body);
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 400);
            let error: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
            assert_eq!(error["error_code"], "INVALID_CONTENT_TYPE", "{body} as {kind}");
        }
        assert_eq!(end.ap(Method::GET, WEBHOOKS, None).await.expect(200), json!({"webhooks": []}));
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_reaches_each_matching_webhook_of_the_partner_and_of_the_one_above_in_its_version() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let key = end.signing_key().await;
        let mut own_of_version = std::collections::BTreeMap::new();
        for version in ["v1", "v2", "v3", "v4"] {
            own_of_version.insert(version, end.webhook(&receiver.url(), &["payment.request.*"], version, &key.0).await);
        }
        end.webhook(&receiver.url(), &["payment.transaction.*", "settlement.*"], "v2", &key.0).await;
        let partner_key = end.call(end.partner_key(), Method::POST, KEYS, None).await.expect(201);
        let body = json!({"url": receiver.url(), "event_types": ["payment.request.state-change.completed"],
            "event_version": "v2", "signing_key_id": partner_key["signing_key_id"]});
        let partners = end.call(end.partner_key(), Method::POST, WEBHOOKS, Some(&body)).await.expect(201);

        happen(&end, EventType::PaymentRequestCompleted, json!({"payment_request_id": "r"})).await;
        let mut ids_of_recipient = std::collections::BTreeMap::<String, BTreeSet<String>>::new();
        let mut webhooks = BTreeSet::new();
        for _ in 0..5 {
            let received = receiver.next_invented().await;
            let body = received.json();
            let metadata = &body["metadata"];
            let version = metadata["event_version"].as_str().unwrap();
            assert_eq!(received.header("content-type"), Some("application/json"));
            assert_eq!(body["payload"], json!({"payment_request_id": "r"}));
            assert_eq!(metadata["event_type"], "payment.request.state-change.completed");
            assert_eq!(metadata["occurred_at"], "2026-03-02T10:00:00Z");
            assert_eq!(metadata["subject_account_id"], end.partner());
            assert_eq!(metadata["correlation_id"], "c-1");
            assert_eq!(metadata["live"], false);
            assert_eq!(metadata.get("account_id").is_some(), version == "v1", "{body}");
            assert_eq!(body.get("event_id") == Some(&metadata["event_id"]), version == "v4", "{body}");
            let recipient = metadata["recipient_account_id"].as_str().unwrap().to_owned();
            let secret = if recipient == end.partner() {
                assert_eq!(metadata["webhook_id"], partners["webhook_id"]);
                let text = |name: &str| partner_key[name].as_str().unwrap().to_owned();
                (text("signing_key_id"), text("signing_key"))
            } else {
                assert_eq!(metadata["webhook_id"], own_of_version[version].as_str());
                key.clone()
            };
            assert!(verified(&received, &secret));
            assert!(webhooks.insert(metadata["webhook_id"].as_str().unwrap().to_owned()));
            ids_of_recipient.entry(recipient).or_default().insert(metadata["event_id"].as_str().unwrap().to_owned());
        }
        assert_eq!(ids_of_recipient.len(), 2);
        assert!(
            ids_of_recipient.values().all(|ids| ids.len() == 1),
            "one event id per recipient: {ids_of_recipient:?}"
        );
        assert!(receiver.is_empty().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disputes_go_to_the_versions_of_their_framework() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let key = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.dispute.*"], "v2", &key.0).await;
        end.webhook(&receiver.url(), &["payment.dispute.*"], "v4", &key.0).await;
        for (event, version) in
            [(EventType::PaymentDisputeInitiated, "v4"), (EventType::PaymentDisputeArbitrationPending, "v2")]
        {
            happen(&end, event, json!({})).await;
            assert_eq!(receiver.next_invented().await.json()["metadata"]["event_version"], version);
        }
        assert_eq!(end.delivery_ids().await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_receiver_is_tried_seven_times_on_the_schedule_with_the_same_bytes_and_can_be_replayed() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let key = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.*"], "v2", &key.0).await;
        // 203 and 3xx acknowledge nothing.
        receiver.answer([500, 400, 203, 304, 503, 410, 404]);
        happen(&end, EventType::PaymentTransactionCaptured, json!({"n": 1})).await;
        let first = receiver.next_invented().await;
        let id = end.delivery_ids().await.remove(0);
        let gaps = ["PT10S", "PT2M", "PT15M", "PT3H", "PT6H", "PT12H"];
        for (attempt, gap) in (1..).zip(gaps) {
            let delivery = end.delivery_after(&id, attempt).await;
            assert_eq!((delivery["state"].as_str(), delivery["attempts"].as_i64()), (Some("RETRYING"), Some(attempt)));
            let now = end.ctx.clock.now();
            let due: protocol::Timestamp = delivery["next_at"].as_str().unwrap().parse().unwrap();
            assert_eq!(due.as_micros() - now, protocol::parse_duration(gap).unwrap(), "attempt {attempt}");
            advance(&end, gap).await;
            let again = receiver.next_invented().await;
            assert_eq!(again.body, first.body, "attempt {attempt}");
            assert_eq!(again.header("klarna-signature"), first.header("klarna-signature"));
            assert!(verified(&again, &key));
        }
        let failed = end.delivery_after(&id, 7).await;
        assert_eq!((failed["state"].as_str(), &failed["next_at"]), (Some("FAILED"), &Value::Null));
        let log = failed["attempt_log"].as_array().unwrap();
        let statuses: Vec<_> = log.iter().map(|attempt| attempt["status"].as_i64().unwrap()).collect();
        assert_eq!(statuses, [500, 400, 203, 304, 503, 410, 404]);
        assert!(log.iter().all(|attempt| attempt["url"] == receiver.url().as_str()));
        assert_eq!(failed["body"].as_str().unwrap().as_bytes(), &first.body[..]);

        let replayed = end.ap(Method::POST, &format!("/testing/deliveries/{id}/replay"), None).await.expect(200);
        assert!(["PENDING", "DELIVERED"].contains(&replayed["state"].as_str().unwrap()));
        assert_eq!(receiver.next_invented().await.body, first.body);
        let delivered = end.delivery_after(&id, 8).await;
        assert_eq!(delivered["state"], "DELIVERED");
        assert_eq!(delivered["attempt_log"].as_array().unwrap().len(), 8);
        end.ap(Method::POST, "/testing/deliveries/unknown/replay", None).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_acknowledging_status_ends_a_delivery() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let key = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.*"], "v2", &key.0).await;
        for status in [200, 201, 202, 204] {
            receiver.answer([status]);
            happen(&end, EventType::PaymentTransactionCaptured, json!({})).await;
            receiver.next_invented().await;
        }
        for id in end.delivery_ids().await {
            assert_eq!(end.delivery_after(&id, 1).await["state"], "DELIVERED");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_nobody_listening_is_a_kept_attempt() {
    for end in ends().await {
        let (receiver, elsewhere) = (Receiver::start().await, Receiver::start().await);
        let key = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.*"], "v2", &key.0).await;
        receiver.redirect(&elsewhere.url());
        happen(&end, EventType::PaymentTransactionCaptured, json!({})).await;
        receiver.next_invented().await;
        let id = end.delivery_ids().await.remove(0);
        let delivery = end.delivery_after(&id, 1).await;
        assert_eq!(
            (delivery["state"].as_str(), delivery["attempt_log"][0]["status"].as_i64()),
            (Some("RETRYING"), Some(307))
        );
        assert!(elsewhere.is_empty().await);

        let gone = Receiver::start().await;
        let url = gone.url();
        drop(gone);
        end.webhook(&url, &["settlement.*"], "v2", &key.0).await;
        happen(&end, EventType::SettlementReportCreated, json!({})).await;
        let list = end.ap(Method::GET, "/testing/deliveries?state=RETRYING", None).await.expect(200);
        assert!(!list["deliveries"].as_array().unwrap().is_empty());
        let ids = end.delivery_ids().await;
        let id = ids.iter().find(|other| **other != id).unwrap();
        let delivery = end.delivery_after(id, 1).await;
        assert_eq!(
            (&delivery["attempt_log"][0]["status"], delivery["state"].as_str()),
            (&Value::Null, Some("RETRYING"))
        );
        assert!(delivery["attempt_log"][0]["error"].is_string());
    }
}

/// A name server that says what the test wants, and remembers what it was asked.
#[derive(Clone)]
struct Names {
    answers: Arc<Mutex<Vec<IpAddr>>>,
}

impl ResolveHost for Names {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let answers = self.answers.lock().unwrap().clone();
        Box::pin(async move { Ok(answers) })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_at_delivery_whatever_their_disguise() {
    for place in places().await {
        let names = Names { answers: Arc::new(Mutex::new(vec!["10.1.2.3".parse().unwrap()])) };
        let outbound = OutboundConfig { resolver: Arc::new(names.clone()), ..OutboundConfig::default() };
        let config = Config { rate_limits: RateLimits::Off, ..Config::default() };
        let end = harness::start(&place, Wishes { config, outbound, ..Wishes::default() }).await;
        let key = end.signing_key().await;
        let urls = [
            "https://127.0.0.1/k",
            "https://2130706433/k",
            "https://0x7f.1/k",
            "https://[::ffff:127.0.0.1]/k",
            "https://[::1]:8443/k",
            "https://169.254.169.254/latest",
            "https://inside.example/k",
        ];
        for url in urls {
            end.webhook(url, &["payment.*"], "v2", &key.0).await;
        }
        happen(&end, EventType::PaymentTransactionCaptured, json!({})).await;
        let ids = end.delivery_ids().await;
        assert_eq!(ids.len(), urls.len());
        for id in &ids {
            let delivery = end.delivery_after(id, 1).await;
            let attempt = &delivery["attempt_log"][0];
            assert_eq!(attempt["status"], Value::Null, "{delivery}");
            assert!(attempt["error"].as_str().is_some_and(|error| error.contains("refused")), "{delivery}");
        }
        // Nor when the name changes its mind between two attempts.
        *names.answers.lock().unwrap() = vec!["169.254.169.254".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        advance(&end, "PT10S").await;
        for id in &ids {
            let delivery = end.delivery_after(id, 2).await;
            let url = delivery["attempt_log"][1]["url"].as_str().unwrap().to_owned();
            let error = delivery["attempt_log"][1]["error"].as_str().unwrap_or_default().to_owned();
            assert!(error.contains("refused"), "{url}: {delivery}");
        }
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_switched_off_or_gone_drops_what_is_on_its_way() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let key = end.signing_key().await;
        let (off, gone) = (
            end.webhook(&receiver.url(), &["payment.*"], "v2", &key.0).await,
            end.webhook(&receiver.url(), &["payment.*"], "v3", &key.0).await,
        );
        receiver.answer([500, 500]);
        happen(&end, EventType::PaymentTransactionCaptured, json!({})).await;
        let ids = end.delivery_ids().await;
        for id in &ids {
            end.delivery_after(id, 1).await;
        }
        receiver.next_invented().await;
        receiver.next_invented().await;
        end.ap(Method::PATCH, &format!("{WEBHOOKS}/{off}"), Some(&json!({"status": "DISABLED"}))).await.expect(200);
        end.ap(Method::DELETE, &format!("{WEBHOOKS}/{gone}"), None).await.expect(204);
        advance(&end, "PT10S").await;
        for id in &ids {
            let path = format!("/testing/deliveries/{id}");
            let mut state = Value::Null;
            for _ in 0..500 {
                state = end.ap(Method::GET, &path, None).await.expect(200)["state"].clone();
                if state == "DROPPED" {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            assert_eq!(state, "DROPPED");
        }
        // What happens while it is off is never sent.
        happen(&end, EventType::PaymentTransactionCaptured, json!({})).await;
        assert_eq!(end.delivery_ids().await.len(), 2);
        assert!(receiver.is_empty().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_signs_from_the_next_attempt_on() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let (old, new) = (end.signing_key().await, end.signing_key().await);
        let webhook = end.webhook(&receiver.url(), &["payment.*"], "v2", &old.0).await;
        receiver.answer([500]);
        happen(&end, EventType::PaymentTransactionCaptured, json!({})).await;
        let first = receiver.next_invented().await;
        assert!(verified(&first, &old));
        let id = end.delivery_ids().await.remove(0);
        end.delivery_after(&id, 1).await;
        let patch = json!({"signing_key_id": new.0});
        end.ap(Method::PATCH, &format!("{WEBHOOKS}/{webhook}"), Some(&patch)).await.expect(200);
        end.ap(Method::DELETE, &format!("{KEYS}/{}", old.0), None).await.expect(204);
        advance(&end, "PT10S").await;
        let second = receiver.next_invented().await;
        assert!(verified(&second, &new) && !verified(&second, &old));
        assert_eq!(first.body, second.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_the_catalogue_can_be_simulated_subscribed_or_not() {
    for end in ends().await {
        let receiver = Receiver::start().await;
        let key = end.signing_key().await;
        let webhook = end.webhook(&receiver.url(), &["settlement.*"], "v2", &key.0).await;
        let path = format!("{WEBHOOKS}/{webhook}/simulate");
        for event in EventType::catalogue() {
            let answer = end.ap(Method::POST, &path, Some(&json!({"event_type": event}))).await;
            assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{event}");
        }
        let mut seen = BTreeSet::new();
        for _ in EventType::catalogue() {
            let received = receiver.next().await;
            assert!(verified(&received, &key));
            let body = received.json();
            assert_eq!(body["metadata"]["webhook_id"], webhook.as_str());
            assert_eq!(body["metadata"]["event_version"], "v2");
            assert!(body["payload"].as_object().is_some_and(|payload| !payload.is_empty()));
            seen.insert(body["metadata"]["event_type"].as_str().unwrap().to_owned());
        }
        assert_eq!(seen.len(), EventType::catalogue().len());
        let events = end.ap(Method::GET, "/testing/events?size=100", None).await.expect(200);
        let events = events["events"].as_array().unwrap().clone();
        assert_eq!(events.len(), seen.len());
        assert!(events.iter().all(|event| event["simulated"] == true));

        let version = json!({"event_type": "payment.transaction.captured", "event_version": "v4"});
        end.ap(Method::POST, &path, Some(&version)).await.expect(204);
        assert_eq!(receiver.next().await.json()["event_type"], "payment.transaction.captured");
        for (bad, expected) in [
            (json!({}), vec!["event_type"]),
            (json!({"event_type": "payment.*"}), vec!["event_type"]),
            (
                json!({"event_type": "payment.transaction.voided", "event_version": "v9"}),
                vec!["event_type", "event_version"],
            ),
            (json!({"event_type": "payment.request.state-change.prepared"}), vec!["event_type"]),
        ] {
            let answer = end.ap(Method::POST, &path, Some(&bad)).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_on_their_way_survive_a_restart() {
    for place in places().await {
        let receiver = Receiver::start().await;
        let end = harness::start(&place, Wishes::default()).await;
        let key = end.signing_key().await;
        end.webhook(&receiver.url(), &["payment.*"], "v2", &key.0).await;
        receiver.answer([500]);
        happen(&end, EventType::PaymentTransactionCaptured, json!({"n": 1})).await;
        let first = receiver.next_invented().await;
        let id = end.delivery_ids().await.remove(0);
        end.delivery_after(&id, 1).await;
        end.stop().await;

        let end = harness::start(&place, Wishes::default()).await;
        advance(&end, "PT10S").await;
        let second = receiver.next_invented().await;
        assert_eq!(second.body, first.body);
        assert!(verified(&second, &key));
        assert_eq!(end.delivery_after(&id, 2).await["state"], "DELIVERED");
        end.stop().await;
    }
}
