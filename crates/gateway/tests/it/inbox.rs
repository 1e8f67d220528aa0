//! Klarna's webhooks: believed or not, once, in any order; and the subscription that brings them.

use std::sync::Arc;

use axum::body::Body;
use gateway::inbox::{self, SubscriptionError, Verification, VerificationFilter};
use http::Request;
use kit::clock::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use protocol::{SigningSecret, Timestamp, sign};
use serde_json::{Value, json};

use crate::harness::{self, Klarna, Scene};
use crate::stage::{self, Answer, Notifications, Stage, eventually};

/// A stage whose subscription exists, and the key that signs.
struct Subscribed {
    stage: Stage,
    network: Notifications,
    key_id: String,
    secret: String,
}

async fn subscribed() -> Vec<Subscribed> {
    let mut all = Vec::new();
    for test in stage::databases().await {
        let (network, url) = Notifications::start().await;
        let stage = Stage::new(test, &url, |_| {});
        let made = inbox::ensure_subscription(&stage.ctx).await.unwrap();
        let secret = network.state.lock().unwrap().keys[&made.signing_key_id].clone();
        all.push(Subscribed { stage, network, key_id: made.signing_key_id, secret });
    }
    all
}

fn envelope(event_id: &str, event_type: &str, occurred_at: i64) -> Value {
    json!({
        "metadata": {
            "event_type": event_type, "event_id": event_id, "event_version": "v2",
            "occurred_at": Timestamp::from_micros(occurred_at).unwrap().to_string(),
            "subject_account_id": "krn:partner:global:account:test:MQ7R2T9A",
            "recipient_account_id": "krn:partner:global:account:test:LAP00001",
            "webhook_id": "krn:partner:global:notification:webhook:7b0a4c11-0000-4000-8000-000000000001",
            "live": false,
        },
        "payload": {"payment_request_id": "krn:payment:eu1:request:00000000-0000-4000-8000-000000000001"},
    })
}

impl Subscribed {
    async fn deliver_raw(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/klarna/webhooks");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.stage.send(request.body(body.into()).unwrap()).await
    }

    async fn deliver(&self, body: &Value) -> Answer {
        let body = body.to_string();
        let signature = sign(&SigningSecret::new(self.secret.clone()), body.as_bytes());
        self.deliver_raw(
            &[
                ("content-type", "application/json"),
                ("klarna-signature", &signature),
                ("klarna-signing-key-id", &self.key_id),
            ],
            body,
        )
        .await
    }

    async fn lines(&self) -> Vec<Verification> {
        let account = &self.stage.ctx.config.klarna_account_id;
        inbox::verifications(self.stage.db(), account, VerificationFilter::default(), 100).await.unwrap()
    }

    async fn state_of(&self, event_id: &str) -> Option<String> {
        let account = &self.stage.ctx.config.klarna_account_id;
        inbox::message(self.stage.db(), account, event_id).await.unwrap().map(|message| message.state)
    }

    async fn settled(&self, event_id: &str, state: &str) {
        eventually(state, || async { self.state_of(event_id).await.filter(|now| now == state) }).await;
    }
}

#[tokio::test]
async fn a_good_delivery_is_kept_once_and_its_duplicates_change_nothing() {
    for it in subscribed().await {
        let body = envelope("e-1", "payment.request.state-change.completed", stage::BEGINNING);
        for _ in 0..3 {
            assert_eq!(it.deliver(&body).await.status, 200);
        }
        assert_eq!(it.state_of("e-1").await.as_deref(), Some("RECEIVED"));
        let lines = it.lines().await;
        assert_eq!(lines.len(), 3);
        assert_eq!(lines.iter().filter(|line| line.outcome == "accepted" && !line.duplicate).count(), 1);
        assert_eq!(lines.iter().filter(|line| line.outcome == "duplicate" && line.duplicate).count(), 2);
        let line = lines.iter().find(|line| line.outcome == "accepted").unwrap();
        assert_eq!(line.signature, "valid");
        assert_eq!(line.signing_key_id.as_deref(), Some(it.key_id.as_str()));
        assert_eq!(line.event_id.as_deref(), Some("e-1"));
        assert_eq!(line.event_type.as_deref(), Some("payment.request.state-change.completed"));
        assert_eq!(line.subject_account_id.as_deref(), Some("krn:partner:global:account:test:MQ7R2T9A"));
        assert!(line.webhook_id.is_some() && line.error.is_none() && line.received_at == stage::BEGINNING);
    }
}

#[tokio::test]
async fn the_same_event_delivered_many_times_at_once_is_kept_once() {
    for it in subscribed().await {
        let body = envelope("e-1", "payment.request.updated", stage::BEGINNING);
        let answers = futures_util::future::join_all((0..12).map(|_| it.deliver(&body))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        let lines = it.lines().await;
        assert_eq!(lines.iter().filter(|line| line.outcome == "accepted").count(), 1);
        assert_eq!(lines.iter().filter(|line| line.outcome == "duplicate").count(), 11);
    }
}

#[tokio::test]
async fn what_is_not_signed_by_a_key_of_ours_is_refused_logged_and_not_kept() {
    for it in subscribed().await {
        let body = envelope("e-1", "payment.request.updated", stage::BEGINNING).to_string();
        let good = sign(&SigningSecret::new(it.secret.clone()), body.as_bytes());
        let forged = sign(&SigningSecret::new("somebody else's"), body.as_bytes());
        let other = "krn:partner:global:notification:signing-key:00000000-0000-4000-8000-000000000000";
        let json = ("content-type", "application/json");
        let (key, signature) = ("klarna-signing-key-id", "klarna-signature");
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
        let cases: [Case<'_>; 7] = [
            (&[json, (signature, &good)], "missing_key_id", "Klarna-Signing-Key-Id"),
            (&[json, (key, &it.key_id)], "missing_signature", "Klarna-Signature"),
            (&[json, (key, &it.key_id), (signature, "zz")], "malformed", "Klarna-Signature"),
            (&[json, (key, &it.key_id), (signature, &good[..62])], "malformed", "Klarna-Signature"),
            (&[json, (key, other), (signature, &good)], "unknown_key", "Klarna-Signing-Key-Id"),
            (&[json, (key, "nonsense"), (signature, &good)], "unknown_key", "Klarna-Signing-Key-Id"),
            (&[json, (key, &it.key_id), (signature, &forged)], "mismatch", "Klarna-Signature"),
        ];
        for (headers, signature, parameter) in cases {
            let answer = it.deliver_raw(headers, body.clone()).await;
            assert_eq!(answer.status, 400, "{signature}");
            assert_eq!(answer.body["error_code"], "VALIDATION_ERROR");
            assert_eq!(answer.body["validation_errors"][0]["parameter"], parameter);
        }
        // One changed byte under a good signature.
        let changed = body.replace("updated", "updatex");
        let headers = [json, (key, it.key_id.as_str()), (signature, good.as_str())];
        assert_eq!(it.deliver_raw(&headers, changed).await.status, 400);
        assert_eq!(it.state_of("e-1").await, None);
        let lines = it.lines().await;
        assert_eq!(lines.len(), 8);
        assert!(
            lines.iter().all(|line| line.outcome == "signature" && line.error.is_some() && line.signature != "valid")
        );
    }
}

#[tokio::test]
async fn stale_future_broken_and_oversize_deliveries_are_refused_and_logged() {
    for it in subscribed().await {
        let stale = envelope("old", "payment.request.updated", stage::BEGINNING - DAY_US - SECOND_US);
        let answer = it.deliver(&stale).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body["validation_errors"][0]["parameter"], "metadata.occurred_at");
        assert_eq!(
            it.deliver(&envelope("edge", "payment.request.updated", stage::BEGINNING - DAY_US)).await.status,
            200
        );
        let soon = stage::BEGINNING + 5 * MINUTE_US;
        assert_eq!(it.deliver(&envelope("soon", "payment.request.updated", soon)).await.status, 200);
        assert_eq!(it.deliver(&envelope("later", "payment.request.updated", soon + SECOND_US)).await.status, 400);
        assert_eq!(it.deliver(&json!({"payload": {}})).await.status, 400);
        let signed = |text: &str| sign(&SigningSecret::new(it.secret.clone()), text.as_bytes());
        let key = ("klarna-signing-key-id", it.key_id.as_str());
        let broken = "{\"metadata\":";
        let headers = [("content-type", "application/json"), key, ("klarna-signature", &signed(broken))];
        assert_eq!(it.deliver_raw(&headers, broken).await.status, 400);
        let plain = envelope("plain", "payment.request.updated", stage::BEGINNING).to_string();
        let headers = [("content-type", "text/plain"), key, ("klarna-signature", &signed(&plain))];
        assert_eq!(it.deliver_raw(&headers, plain).await.status, 400);
        let mut large = envelope("large", "payment.request.updated", stage::BEGINNING);
        large["payload"]["filler"] = json!("x".repeat(inbox::BODY_BYTES_MAX));
        assert_eq!(it.deliver(&large).await.status, 400);
        for absent in ["old", "later", "plain", "large"] {
            assert_eq!(it.state_of(absent).await, None, "{absent}");
        }
        let mut outcomes: Vec<_> = it.lines().await.into_iter().map(|line| line.outcome).collect();
        outcomes.sort();
        let expected =
            ["accepted", "accepted", "content_type", "future", "malformed", "malformed", "stale", "too_large"];
        assert_eq!(outcomes, expected);
    }
}

#[tokio::test]
async fn events_that_nobody_applies_are_kept_and_acknowledged() {
    for it in subscribed().await {
        let _working = it.stage.work();
        for (id, kind) in
            [("e-1", "settlement.report.created"), ("e-2", "payment.request.state-change.sung"), ("e-3", "x.y")]
        {
            assert_eq!(it.deliver(&envelope(id, kind, stage::BEGINNING)).await.status, 200);
            it.settled(id, "IGNORED").await;
        }
    }
}

#[tokio::test]
async fn a_webhook_without_its_payment_is_tried_for_a_quarter_of_an_hour_and_then_kept_as_unmatched() {
    for it in subscribed().await {
        assert_eq!(it.deliver(&envelope("e-1", "payment.request.updated", stage::BEGINNING)).await.status, 200);
        let _working = it.stage.work();
        // Tried at once, in vain, and due again.
        eventually("a first try", || async { attempts(&it.stage).await.filter(|tries| *tries >= 1) }).await;
        it.stage.clock.advance(14 * MINUTE_US);
        eventually("a later try", || async { attempts(&it.stage).await.filter(|tries| *tries >= 2) }).await;
        assert_eq!(it.state_of("e-1").await.as_deref(), Some("RECEIVED"));
        it.stage.clock.advance(3 * MINUTE_US);
        it.settled("e-1", "UNMATCHED").await;
        let account = &it.stage.ctx.config.klarna_account_id;
        assert_eq!(inbox::unmatched(it.stage.db(), account, 10).await.unwrap().len(), 1);
        assert_eq!(inbox::retry_unmatched(&it.stage.ctx, 10).await.unwrap(), 1);
        it.settled("e-1", "UNMATCHED").await;
    }
}

#[tokio::test]
async fn a_webhook_that_comes_before_what_it_is_about_is_applied_once_that_is_there_in_any_order_and_once() {
    for test in stage::databases().await {
        let (network, url) = Notifications::start().await;
        let stage = Stage::new(Arc::clone(&test), &url, |_| {});
        let made = inbox::ensure_subscription(&stage.ctx).await.unwrap();
        let secret = network.state.lock().unwrap().keys[&made.signing_key_id].clone();
        let it = Subscribed { stage, network, key_id: made.signing_key_id, secret };
        let klarna = Klarna::start().await;
        let stage = harness::stage_on(&test, &klarna);
        let ada = stage.partner("ADA00001").await;
        let scene = Scene { stage, klarna, ada, test: Arc::clone(&test) };
        let (id, _) = scene.waiting(4990).await;
        // As if the transaction that wrote the payment were still under way.
        rename_account(&scene.stage, "elsewhere").await;
        let told = |event_id: &str, kind: &str, payload: Value| {
            let mut body = envelope(event_id, kind, stage::BEGINNING);
            body["metadata"]["subject_account_id"] = json!("krn:partner:global:account:test:ADA00001");
            body["payload"] = payload;
            body
        };
        let earlier = scene.klarna.customer("IN_PROGRESS");
        let completed = told("e-2", "payment.request.state-change.completed", scene.klarna.customer("COMPLETED"));
        let in_progress = told("e-1", "payment.request.state-change.in-progress", earlier);
        for body in [&completed, &in_progress, &completed] {
            assert_eq!(it.deliver(body).await.status, 200);
        }
        let _working = scene.stage.work();
        eventually("first tries", || async { attempts(&scene.stage).await.filter(|tries| *tries >= 1) }).await;
        assert_eq!(it.state_of("e-2").await.as_deref(), Some("RECEIVED"));
        rename_account(&scene.stage, "krn:partner:global:account:test:ADA00001").await;
        scene.stage.clock.advance(2 * MINUTE_US);
        it.settled("e-2", "PROCESSED").await;
        it.settled("e-1", "PROCESSED").await;
        scene.wait_for(&id, "AUTHORIZED").await;
        assert_eq!(scene.klarna.transactions().len(), 1);
        assert_eq!(it.deliver(&completed).await.status, 200);
        let events = scene.events().await;
        assert_eq!(events.iter().filter(|kind| *kind == "payment.authorized").count(), 1, "{events:?}");
    }
}

/// Hides a Partner from the network's events, or brings it back.
async fn rename_account(stage: &Stage, account: &'static str) {
    let renamed: Result<u64, kit::db::DbError> = stage
        .db()
        .write(move |tx| {
            Box::pin(
                async move { tx.execute("update partners set klarna_account_id = $1", kit::params![account]).await },
            )
        })
        .await;
    assert_eq!(renamed.unwrap(), 1);
}

/// How often the one job of the inbox has run.
async fn attempts(stage: &Stage) -> Option<i64> {
    kit::row! { struct Tries { attempts: i64 } }
    let row: Option<Tries> = stage
        .db()
        .read(|tx| {
            Box::pin(async move {
                tx.fetch_optional("select attempts from jobs where kind = 'inbox' and lease_until = 0", &[]).await
            })
        })
        .await
        .map_err(|error: kit::db::DbError| error)
        .unwrap();
    row.map(|row| row.attempts)
}

#[tokio::test]
async fn a_subscription_is_made_once_and_mended_when_somebody_changes_it() {
    for it in subscribed().await {
        let again = inbox::ensure_subscription(&it.stage.ctx).await.unwrap();
        assert_eq!(again.signing_key_id, it.key_id);
        assert_eq!((it.network.count("create_key"), it.network.count("create_hook")), (1, 1));
        assert_eq!(it.network.count("update_hook"), 0);
        {
            let mut state = it.network.state.lock().unwrap();
            let hook = state.hooks.values_mut().next().unwrap();
            assert_eq!(hook["url"], "https://gateway.example/klarna/webhooks");
            assert_eq!(hook["event_types"], json!(["identity.*", "partner.*", "payment.*", "settlement.*"]));
            hook["status"] = json!("DISABLED");
            hook["event_types"] = json!(["payment.*"]);
        }
        inbox::ensure_subscription(&it.stage.ctx).await.unwrap();
        let state = it.network.state.lock().unwrap();
        let hook = state.hooks.values().next().unwrap();
        assert_eq!((&hook["status"], hook["event_types"].as_array().unwrap().len()), (&json!("ENABLED"), 4));
    }
}

#[tokio::test]
async fn a_crash_at_any_point_of_subscribing_leaves_one_key_and_one_webhook_in_the_end() {
    for test in stage::databases().await {
        for lost in ["list_keys", "create_key", "list_hooks", "create_hook"] {
            let (network, url) = Notifications::start().await;
            let stage = Stage::new(Arc::clone(&test), &url, |config| {
                config.klarna_account_id = protocol::PartnerAccountId::new_test(&format!(
                    "L{:0>7}",
                    lost.len() * 1000 + lost.as_bytes()[0] as usize
                ));
            });
            network.state.lock().unwrap().lose_answers_to = Some(lost.to_owned());
            let failed = inbox::ensure_subscription(&stage.ctx).await;
            assert!(matches!(failed, Err(SubscriptionError::Call { .. })), "{lost}");
            network.state.lock().unwrap().lose_answers_to = None;
            let made = inbox::ensure_subscription(&stage.ctx).await.unwrap();
            let state = network.state.lock().unwrap();
            assert_eq!((state.keys.len(), state.hooks.len()), (1, 1), "{lost}");
            assert!(state.keys.contains_key(&made.signing_key_id));
            assert_eq!(state.hooks[&made.webhook_id]["signing_key_id"], made.signing_key_id.as_str());
        }
    }
}

#[tokio::test]
async fn a_key_whose_secret_was_lost_is_deleted_later_and_another_systems_key_stays() {
    for test in stage::databases().await {
        let (network, url) = Notifications::start().await;
        network.state.lock().unwrap().keys.insert(
            "krn:partner:global:notification:signing-key:00000000-0000-4000-8000-00000000000a".into(),
            "theirs".into(),
        );
        let stage = Stage::new(test, &url, |_| {});
        {
            let mut state = network.state.lock().unwrap();
            state.forgets = true;
            state.lose_answers_to = Some("create_key".to_owned());
        }
        inbox::ensure_subscription(&stage.ctx).await.unwrap_err();
        network.state.lock().unwrap().lose_answers_to = None;
        let made = inbox::ensure_subscription(&stage.ctx).await.unwrap();
        assert_eq!(network.state.lock().unwrap().keys.len(), 3, "theirs, the lost one, ours");
        stage.clock.advance(HOUR_US);
        inbox::ensure_subscription(&stage.ctx).await.unwrap();
        let state = network.state.lock().unwrap();
        assert_eq!(state.keys.len(), 2);
        assert!(state.keys.contains_key(&made.signing_key_id) && state.keys.values().any(|secret| secret == "theirs"));
    }
}

#[tokio::test]
async fn while_a_key_is_rotated_both_verify_and_afterwards_only_the_new_one() {
    for mut it in subscribed().await {
        let rotated = inbox::rotate_signing_key(&it.stage.ctx).await.unwrap();
        assert_ne!(rotated.signing_key_id, it.key_id);
        {
            let state = it.network.state.lock().unwrap();
            assert_eq!(state.hooks.len(), 1);
            assert_eq!(state.hooks[&rotated.webhook_id]["signing_key_id"], rotated.signing_key_id.as_str());
            assert_eq!(state.keys.len(), 2);
        }
        assert_eq!(it.deliver(&envelope("old-key", "x.y", stage::BEGINNING)).await.status, 200);
        it.stage.clock.advance(25 * HOUR_US);
        inbox::ensure_subscription(&it.stage.ctx).await.unwrap();
        let now = it.stage.clock.now();
        assert_eq!(it.deliver(&envelope("too-late", "x.y", now)).await.status, 400);
        assert_eq!(it.network.state.lock().unwrap().keys.len(), 1);
        it.key_id.clone_from(&rotated.signing_key_id);
        it.secret = it.network.state.lock().unwrap().keys[&rotated.signing_key_id].clone();
        assert_eq!(it.deliver(&envelope("new-key", "x.y", now)).await.status, 200);
    }
}
