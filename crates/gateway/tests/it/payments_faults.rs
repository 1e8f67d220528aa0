//! Klarna answers late, never, broken, or with a refusal to work; processes die. Books stay whole, and each effect is one.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use gateway::access::{self, PartnerState};
use kit::clock::MINUTE_US;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::harness::{Act, Klarna, Scene, named, order, scenes, stage_on};
use crate::stage::{Partner, Stage};

fn granted(amount: i64) -> serde_json::Value {
    json!({"amount": amount, "currency": "EUR", "klarna_network_session_token": "gr.an.t"})
}

/// All calls of the operation had one key, and there is one transaction.
fn assert_one_effect(scene: &Scene, calls_min: usize) {
    let calls = scene.klarna.calls("finalize");
    assert!(calls.len() >= calls_min, "{} calls", calls.len());
    assert!(
        calls.iter().all(|call| call.header("klarna-idempotency-key") == calls[0].header("klarna-idempotency-key"))
    );
    assert!(calls.iter().all(|call| call.header("klarna-network-session-token") == "gr.an.t"));
    assert_eq!(scene.klarna.transactions().len(), 1);
}

#[tokio::test]
async fn what_passes_is_waited_out_within_the_request() {
    let faults = [
        Act::Answer(429, json!({"error_code": "RATE_LIMITED"})),
        Act::Answer(500, json!({"error_code": "INTERNAL_ERROR"})),
        Act::Answer(503, json!({"error_code": "TEMPORARY_UNAVAILABLE"})),
        Act::Text(200, "{\"payment_transaction_resp"),
        Act::Text(403, "<html>slow down</html>"),
        Act::DoAndFail,
        Act::DoAndCut,
        Act::DoAndHang,
    ];
    for fault in faults {
        for scene in scenes().await {
            scene.klarna.next("finalize", [fault.clone()]);
            let made = scene.post("/v1/payments", granted(100)).await;
            assert_eq!(
                (made.status.as_u16(), &made.body["state"]),
                (201, &json!("AUTHORIZED")),
                "{fault:?} {}",
                made.text
            );
            assert_one_effect(&scene, 2);
        }
    }
}

#[tokio::test]
async fn an_outcome_that_stays_open_is_pending_and_recovery_finds_it() {
    let unknown = json!({"payment_transaction_response": {"result": "PERHAPS"}});
    for last in [
        Act::DoAndFail,
        Act::DoAndHang,
        Act::Answer(200, unknown),
        Act::Answer(429, json!({})),
        Act::Text(502, "bad gateway"),
    ] {
        for scene in scenes().await {
            scene.klarna.next("finalize", [last.clone(), last.clone(), last.clone()]);
            let made = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
            assert_eq!((made.status.as_u16(), &made.body["state"]), (202, &json!("PENDING")), "{last:?} {}", made.text);
            let id = made.body["id"].as_str().unwrap();
            let again = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
            assert_eq!((again.status.as_u16(), named(&again)), (409, vec!["Idempotency-Key"]));
            assert_eq!(scene.post(&format!("/v1/payments/{id}/captures"), json!({})).await.status, 403);
            let _working = scene.stage.work();
            scene.stage.clock.advance(MINUTE_US);
            // If one of the scripted faults is left, the job backs off and comes again.
            let recovered = crate::stage::eventually("recovery", || async {
                scene.stage.clock.advance(MINUTE_US);
                Some(scene.read(id).await).filter(|payment| payment["state"] == "AUTHORIZED")
            });
            recovered.await;
            assert_one_effect(&scene, 2);
            let answered = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
            assert_eq!((answered.status.as_u16(), &answered.body["state"]), (201, &json!("AUTHORIZED")));
            assert_eq!(scene.events().await, ["payment.authorized"]);
        }
    }
}

#[tokio::test]
async fn a_process_that_dies_after_its_call_leaves_one_payment() {
    for scene in scenes().await {
        // The first process hangs on an answer that never comes; the second one is its restart.
        scene.klarna.next("finalize", [Act::DoAndHang, Act::DoAndHang, Act::DoAndHang]);
        let request = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k");
        let gone = tokio::time::timeout(Duration::from_millis(100), request).await;
        assert!(gone.is_err(), "the caller went away");
        let restarted = stage_on(&scene.test, &scene.klarna);
        restarted.clock.advance(10 * MINUTE_US);
        let _working = restarted.work();
        let replayed = crate::stage::eventually("recovery", || async {
            restarted.clock.advance(MINUTE_US);
            let answer = restarted.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
            Some(answer).filter(|answer| answer.status == 201)
        })
        .await;
        assert_eq!(replayed.body["state"], "AUTHORIZED");
        assert_one_effect(&scene, 2);
        assert_eq!(scene.events().await, ["payment.authorized"]);
        let listed = scene.stage.call(&scene.ada, "GET", "/v1/payments", None).await;
        assert_eq!(listed.body["pagination"]["count"], 1);
    }
}

#[tokio::test]
async fn a_capture_whose_answer_is_lost_happens_once() {
    for scene in scenes().await {
        let id = scene.authorized(1000).await;
        scene.klarna.next("capture", [Act::DoAndFail, Act::DoAndCut, Act::DoAndFail]);
        let path = format!("/v1/payments/{id}/captures");
        let open = scene.post(&path, json!({"amount": 600})).await;
        assert_eq!((open.status.as_u16(), &open.body["state"]), (202, &json!("PENDING")), "{}", open.text);
        let more = scene.post(&path, json!({"amount": 401})).await;
        assert_eq!((more.status.as_u16(), named(&more)), (403, vec!["amount"]), "what is open counts");
        let _working = scene.stage.work();
        scene.stage.clock.advance(MINUTE_US);
        let payment = scene.wait_for(&id, "PARTIALLY_CAPTURED").await;
        assert_eq!((&payment["captured_amount"], &payment["captures"][0]["state"]), (&json!(600), &json!("SUCCEEDED")));
        assert_eq!(scene.klarna.transactions()[0]["captured_amount"], 600);
        assert_eq!(scene.events().await, ["payment.authorized", "payment.captured"]);
    }
}

#[tokio::test]
async fn while_klarna_is_away_new_work_is_refused_and_nothing_is_left_behind() {
    for test in crate::stage::databases().await {
        let stage = crate::stage::Stage::new(test, "http://127.0.0.1:1/", |config| {
            config.upstream.attempts_max = 2;
            config.upstream.first_pause = Duration::from_millis(1);
            config.upstream.breaker_failures = 2;
            config.upstream.breaker_pause = Duration::from_secs(600);
        });
        let ada = stage.partner("ADA00001").await;
        let first = stage.call(&ada, "POST", "/v1/payments", Some(order(100))).await;
        assert_eq!((first.status.as_u16(), &first.body["state"]), (202, &json!("PENDING")), "{}", first.text);
        let second = stage.call(&ada, "POST", "/v1/payments", Some(order(100))).await;
        assert_eq!((second.status.as_u16(), &second.body["error_code"]), (503, &json!("TEMPORARY_UNAVAILABLE")));
        let listed = stage.call(&ada, "GET", "/v1/payments", None).await;
        assert_eq!(listed.body["pagination"]["count"], 1);
    }
}

#[tokio::test]
async fn a_full_disk_stops_new_payments_and_keeps_the_books_whole() {
    let mut test = kit::testing::sqlite(gateway::MIGRATIONS).await.unwrap();
    let klarna = Klarna::start().await;
    let ada = {
        let (clock, random) = (kit::clock::Clock::fixed(1), kit::random::Random::system());
        let partner = gateway::access::NewPartner {
            name: "Ada".into(),
            klarna_account_id: protocol::PartnerAccountId::new_test("ADA00001"),
            payment_account_id: None,
        };
        let made = gateway::access::create_partner(&test.db, &clock, &random, partner).await.unwrap();
        Partner { id: made.partner_id, key: made.key.api_key.expose_secret().to_owned() }
    };
    let mut config = test.config.clone();
    config.sqlite_max_pages = Some(200);
    test.db = kit::db::Db::open(&config).await.unwrap();
    let stage = stage_on(&Arc::new(test), &klarna);
    let large = |amount: i64| {
        let mut body = granted(amount);
        body["supplementary_purchase_data"] = json!({"filler": "x".repeat(60_000)});
        body
    };
    let mut made = 0;
    let refused = loop {
        let answer = stage.call(&ada, "POST", "/v1/payments", Some(large(100 + made))).await;
        if answer.status != 201 {
            break answer;
        }
        made += 1;
        assert!(made < 100, "the disk never fills");
    };
    let listed = stage.call(&ada, "GET", "/v1/payments?size=100", None).await;
    let payments = listed.body["payments"].as_array().unwrap();
    let authorized = payments.iter().filter(|payment| payment["state"] == "AUTHORIZED").count();
    match refused.status.as_u16() {
        // The intent did not fit: no call was made.
        503 => assert_eq!(refused.body["error_code"], "TEMPORARY_UNAVAILABLE"),
        // The outcome did not fit: the payment is open, and recovery has it.
        202 => assert_eq!(refused.body["state"], "PENDING"),
        other => panic!("{other} {}", refused.text),
    }
    assert_eq!(authorized, usize::try_from(made).unwrap());
    assert!(klarna.transactions().len() <= payments.len(), "no call without its intent");
}

/// Polls a future a number of times, as it wakes, and drops it: how a server treats a handler whose caller hung up.
async fn hung_up_after<F: Future>(polls: usize, request: F) -> bool {
    let mut request = Box::pin(request);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        request.as_mut().poll(cx).map(|_| true)
    })
    .await
}

#[tokio::test]
async fn a_caller_that_hangs_up_at_any_moment_leaves_no_payment_for_recovery() {
    for scene in scenes().await {
        for polls in 1..=6 {
            for _ in 0..3 {
                let request = scene.stage.call(&scene.ada, "POST", "/v1/payments", Some(granted(100)));
                hung_up_after(polls, request).await;
            }
        }
        scene.authorized(100).await;
        // No worker runs: whatever was begun is ended by the request that began it.
        crate::stage::eventually("outcomes", || async {
            let count = async |state: &str| {
                let path = format!("/v1/payments?size=100&state={state}");
                scene.stage.call(&scene.ada, "GET", &path, None).await.body["pagination"]["count"].as_u64().unwrap()
            };
            let ended = count("PENDING").await == 0;
            (ended && count("AUTHORIZED").await == scene.klarna.transactions().len() as u64).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_answer_given_before_is_given_again_to_a_suspended_partner_and_while_klarna_is_away() {
    for scene in scenes().await {
        let first = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
        assert_eq!(first.status, 201, "{}", first.text);
        access::set_partner_state(scene.stage.db(), &scene.ada.id, PartnerState::Suspended).await.unwrap();
        let again = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
        assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
        let new = scene.post("/v1/payments", granted(100)).await;
        assert_eq!((new.status.as_u16(), &new.body["error_code"]), (403, &json!("OPERATION_FORBIDDEN")));
        access::set_partner_state(scene.stage.db(), &scene.ada.id, PartnerState::Active).await.unwrap();

        let away = Stage::new(Arc::clone(&scene.test), "http://127.0.0.1:9/", |config| {
            config.upstream.attempts_max = 1;
            config.upstream.breaker_failures = 1;
            config.upstream.breaker_pause = Duration::from_secs(600);
        });
        let open = away.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "open").await;
        assert_eq!(open.status, 202, "{}", open.text);
        let refused = away.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "new").await;
        assert_eq!((refused.status.as_u16(), &refused.body["error_code"]), (503, &json!("TEMPORARY_UNAVAILABLE")));
        // What was begun must not be denied.
        let begun = away.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "open").await;
        assert_eq!((begun.status.as_u16(), named(&begun)), (409, vec!["Idempotency-Key"]));
        let again = away.call_with_key(&scene.ada, "POST", "/v1/payments", Some(granted(100)), "k").await;
        assert_eq!((again.status.as_u16(), &again.body), (201, &first.body));
        let id = first.body["id"].as_str().unwrap();
        let noted = away
            .call(&scene.ada, "PATCH", &format!("/v1/payments/{id}"), Some(json!({"metadata": {"order": "7"}})))
            .await;
        assert_eq!((noted.status.as_u16(), &noted.body["metadata"]["order"]), (200, &json!("7")), "{}", noted.text);
    }
}
