//! Everything that the gateway seals moves to a new key, and works without the old one.

use std::collections::BTreeSet;

use axum::body::Body;
use gateway::sealed::SEALED;
use gateway::{Ctx, Parts, inbox};
use http::Request;
use kit::clock::MINUTE_US;
use kit::jobs::Poke;
use kit::outbound::{UpstreamConfig, upstream_client};
use kit::rate_limit::RateLimiter;
use kit::sealed::Sweep;
use kit::secret_box::{Keyring, SecretBox};
use kit::shutdown::Shutdown;
use protocol::{SigningSecret, Timestamp, sign};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Act, scenes};
use crate::stage::{self, Notifications, Stage, eventually};

/// The key of [`Stage`], and one that comes after it.
const FIRST: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const SECOND: &str = "k2:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn keys(lines: &[&str]) -> SecretBox {
    SecretBox::new(Keyring::from_env_text(&lines.join("\n")).unwrap())
}

/// Moves all to the second key; returns which columns held something. What follows has the second key only.
async fn rotate(stage: &Stage) -> (BTreeSet<String>, Ctx) {
    let tally = Sweep::new(stage.db().clone(), keys(&[SECOND, FIRST]), SEALED).run().await.unwrap();
    assert_eq!((tally.overtaken, tally.unopenable), (0, 0));
    let counts = kit::sealed::count(stage.db(), SEALED).await.unwrap();
    assert!(counts.iter().all(|count| count.key_id.as_deref() == Some("k2")), "{counts:?}");
    assert_eq!(counts.iter().map(|count| count.values).sum::<u64>(), tally.resealed);
    let before = &stage.ctx;
    let http = upstream_client(UpstreamConfig::default()).unwrap();
    let ctx = Ctx::new(Parts {
        db: before.db.clone(),
        clock: before.clock.clone(),
        random: before.random.clone(),
        secrets: keys(&[SECOND]),
        config: before.config.clone(),
        klarna: gateway::klarna::Client::new(&before.config, http, before.random.clone()).unwrap(),
        limiter: RateLimiter::new(),
        poke: Poke::default(),
    });
    (counts.into_iter().map(|count| count.column).collect(), ctx)
}

fn endpoint(key: &str) -> Request<Body> {
    let body = json!({"url": "https://shop.example/hooks", "event_types": ["*"]});
    let request = Request::post("/v1/webhook-endpoints").header("authorization", format!("Bearer {key}"));
    let request = request.header("idempotency-key", "once").header("content-type", "application/json");
    request.body(Body::from(body.to_string())).unwrap()
}

async fn body_of(response: axum::response::Response) -> Value {
    serde_json::from_slice(&axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

#[tokio::test]
async fn keys_messages_and_first_answers_move_to_the_new_key() {
    for test in stage::databases().await {
        let (network, url) = Notifications::start().await;
        let stage = Stage::new(test, &url, |_| {});
        let key_id = inbox::ensure_subscription(&stage.ctx).await.unwrap().signing_key_id;
        let secret = SigningSecret::new(network.state.lock().unwrap().keys[&key_id].clone());
        let deliver = |event_id: &str| {
            let body = json!({"metadata": {"event_type": "dispute.opened", "event_id": event_id, "event_version": "v2",
                "occurred_at": Timestamp::from_micros(stage::BEGINNING).unwrap().to_string()}, "payload": {}});
            let request = Request::post("/klarna/webhooks").header("content-type", "application/json");
            let signature = sign(&secret, body.to_string().as_bytes());
            let request = request.header("klarna-signature", signature).header("klarna-signing-key-id", &key_id);
            request.body(Body::from(body.to_string())).unwrap()
        };
        assert_eq!(stage.send(deliver("e-1")).await.status, 200);
        let partner = stage.partner("MQ7R2T9A").await;
        let made = stage.send(endpoint(&partner.key)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = format!("/v1/webhook-endpoints/{}/rotate-secret", made.body["id"].as_str().unwrap());
        assert_eq!(stage.call(&partner, "POST", &path, None).await.status, 200);

        let operator = stage.operator().await;
        let draft = json!({"reference": "m-1", "contact": {"email": "ada@nordlicht.example"}});
        let draft = stage.call(&operator, "POST", "/v1/partners", Some(draft)).await;
        assert_eq!(draft.status, 201, "{}", draft.text);

        let session = json!({"amount": 4990, "currency": "EUR", "return_url": "https://shop.example/", "interoperability_token": "to.k.en"});
        let session = stage.call(&partner, "POST", "/v1/checkout-sessions", Some(session)).await;
        assert_eq!(session.status, 201, "{}", session.text);

        let till = json!({"name": "Till 1", "currency": "EUR"});
        assert_eq!(stage.call(&partner, "POST", "/v1/tills", Some(till)).await.status, 201);

        let (columns, ctx) = rotate(&stage).await;
        let all: BTreeSet<String> = SEALED.iter().map(|column| column.name()).collect();
        let elsewhere = [
            "jobs.payload",
            "portal_links.secret",
            "portal_signers.private_key",
            "portal_users.email",
            "customer_tokens.token",
        ];
        let elsewhere = BTreeSet::from(elsewhere.map(str::to_owned));
        assert_eq!(columns, &all - &elsewhere);
        let router = gateway::router(&ctx);
        let replayed = router.clone().oneshot(endpoint(&partner.key)).await.unwrap();
        assert_eq!(body_of(replayed).await, made.body, "the first answer, secret and all");
        let read = Request::get(format!("/v1/partners/{}", draft.body["id"].as_str().unwrap()))
            .header("authorization", format!("Bearer {}", operator.key));
        let read = router.clone().oneshot(read.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(body_of(read).await, draft.body, "what is known of a Partner");
        let read = Request::get(format!("/v1/checkout-sessions/{}", session.body["id"].as_str().unwrap()))
            .header("authorization", format!("Bearer {}", partner.key));
        let read = router.clone().oneshot(read.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(body_of(read).await, session.body, "the address of a hosted page");
        let delivered = router.oneshot(deliver("e-2")).await.unwrap();
        assert_eq!(delivered.status(), 200, "the network's key still verifies");
        let shutdown = Shutdown::new();
        let working = tokio::spawn(gateway::worker(&ctx).run(shutdown.token()));
        let account = ctx.config.klarna_account_id.clone();
        eventually("the message is read", || async {
            let message = inbox::message(stage.db(), &account, "e-1").await.unwrap();
            message.filter(|message| message.state == "IGNORED")
        })
        .await;
        shutdown.trigger();
        working.await.unwrap();
    }
}

#[tokio::test]
async fn a_call_that_is_under_way_is_repeated_with_its_token_after_the_key_moved() {
    for scene in scenes().await {
        let failing = Act::Answer(500, json!({"error_code": "INTERNAL_ERROR"}));
        scene.klarna.next("finalize", [failing.clone(), failing.clone(), failing]);
        let made = scene
            .post("/v1/payments", json!({"amount": 100, "currency": "EUR", "klarna_network_session_token": "gr.an.t"}))
            .await;
        assert_eq!((made.status.as_u16(), &made.body["state"]), (202, &json!("PENDING")), "{}", made.text);
        let (columns, ctx) = rotate(&scene.stage).await;
        assert!(columns.contains("jobs.payload"), "{columns:?}");
        let shutdown = Shutdown::new();
        let working = tokio::spawn(gateway::worker(&ctx).run(shutdown.token()));
        scene.stage.clock.advance(MINUTE_US);
        scene.wait_for(made.body["id"].as_str().unwrap(), "AUTHORIZED").await;
        assert!(
            scene.klarna.calls("finalize").iter().all(|call| call.header("klarna-network-session-token") == "gr.an.t")
        );
        shutdown.trigger();
        working.await.unwrap();
    }
}

#[tokio::test]
async fn what_leads_into_the_portal_moves_to_the_new_key() {
    for scene in crate::management::scenes().await {
        let link = json!({"email": "ada@nordlicht.example", "roles": ["merchant:admin"]});
        assert_eq!(scene.operate("POST", "/portal-links", Some(link.clone())).await.0, 201);
        assert_eq!(scene.operate("POST", "/portal-users", Some(link.clone())).await.0, 201);
        let (columns, ctx) = rotate(&scene.stage).await;
        for column in ["portal_links.secret", "portal_signers.private_key", "portal_users.email"] {
            assert!(columns.contains(column), "{columns:?}");
        }
        let call = |method: &str, tail: &str, body: String| {
            let request = Request::builder().method(method).uri(format!("{}{tail}", scene.path));
            let request = request.header("authorization", format!("Bearer {}", scene.operator.key));
            let request = request.header("content-type", "application/json").header("idempotency-key", "after");
            gateway::router(&ctx).oneshot(request.body(Body::from(body)).unwrap())
        };
        let users = body_of(call("GET", "/portal-users", String::new()).await.unwrap()).await;
        assert_eq!(users["portal_users"][0]["email"], "ada@nordlicht.example");
        assert_eq!(call("POST", "/portal-links", link.to_string()).await.unwrap().status(), 201);
        assert_eq!(scene.klarna.calls("POST", "client-certificate").len(), 1, "the same key vouches");
    }
}

#[tokio::test]
async fn a_customer_token_charges_after_the_key_moved() {
    for scene in scenes().await {
        let working = scene.stage.work();
        let token = crate::payments_customer_token::stored(&scene).await;
        drop(working);
        let (columns, ctx) = rotate(&scene.stage).await;
        assert!(columns.contains("customer_tokens.token"), "{columns:?}");
        let body = json!({"amount": 100, "currency": "EUR", "customer_token_id": token});
        let request = Request::post("/v1/payments").header("authorization", format!("Bearer {}", scene.ada.key));
        let request = request.header("idempotency-key", "again").header("content-type", "application/json");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let charged = gateway::router(&ctx).oneshot(request).await.unwrap();
        assert_eq!(body_of(charged).await["state"], "AUTHORIZED");
    }
}
