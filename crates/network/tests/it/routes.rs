//! What holds for every operation: 401 without a key, 404 for somebody else's account, 403 where only an Acquiring Partner may;
//! correlation ids, rate limits, idempotency keys.

use http::Method;
use kit::http::ApiError;
use network::accounts;
use network::config::{Config, RateLimits};
use network::credentials::create_api_key;
use network::operation::{ACCOUNT_PARAMETER, Category, Route, Who};
use protocol::PartnerAccountId;
use serde_json::json;

use crate::harness::{self, End, Wishes, ends, places};

const KEYS: &str = "/v2/notification/signing-keys";

/// Another Acquiring Partner; returns its API key.
pub async fn foreign_key(end: &End) -> String {
    let ctx = end.ctx.clone();
    end.ctx
        .db
        .write(move |tx| -> kit::db::UnitFuture<'_, Result<String, ApiError>> {
            Box::pin(async move {
                let account = PartnerAccountId::new_test("FOREIGN1");
                accounts::open(tx, &account, None, "other", "Other", 1).await?;
                Ok(create_api_key(tx, &ctx.random, &account, "", 1).await?.secret)
            })
        })
        .await
        .unwrap()
}

/// A path of the template: the account as named, anything for the other parameters.
fn path(template: &str, account: &str) -> String {
    let named = template.replace(&format!("{{{ACCOUNT_PARAMETER}}}"), account);
    let fill = |segment: &str| if segment.starts_with('{') { "krn:x".to_owned() } else { segment.to_owned() };
    named.split('/').map(fill).collect::<Vec<_>>().join("/")
}

fn each(routes: &[Route]) -> impl Iterator<Item = (&Route, &String)> {
    routes.iter().flat_map(|route| route.templates.iter().map(move |template| (route, template)))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_lacks_its_guard() {
    for end in ends().await {
        let foreign = foreign_key(&end).await;
        let routes = network::serve::routes(&end.ctx.config);
        assert!(routes.len() >= 16, "the table lists every operation");
        let body = json!({});
        for (route, template) in each(&routes) {
            let (method, own) = (route.method.clone(), path(template, end.partner()));
            let what = format!("{method} {template}");
            let answer = end.send(method.clone(), &own, &[], Some(&body)).await;
            assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"), "{what} without a key");

            if template.contains(ACCOUNT_PARAMETER) {
                for account in [end.partner(), "krn:partner:global:account:test:ABSENT01", "nonsense"] {
                    let path = path(template, account);
                    let answer = end.call(&foreign, method.clone(), &path, Some(&body)).await;
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (404, "RESOURCE_NOT_FOUND"),
                        "{what} as a stranger"
                    );
                    // Absent and foreign cannot be told apart.
                    assert_eq!(answer.json()["error_message"], "The Partner account does not exist.", "{what}");
                }
                let above = path(template, &end.credentials.acquiring_partner.account_id);
                let expected = if route.who == Who::AcquiringPartner { 403 } else { 404 };
                let answer = end.call(end.partner_key(), method.clone(), &above, Some(&body)).await;
                assert_eq!(answer.status, expected, "{what} for the account above");
            }
            if template.starts_with("/v1/") && !template.contains(ACCOUNT_PARAMETER) {
                let authorization = format!("Basic {foreign}");
                let headers = [("authorization", authorization.as_str()), ("klarna-partner-account", end.partner())];
                let answer = end.send(method.clone(), &own, &headers, Some(&body)).await;
                assert_eq!((answer.status, answer.code().as_str()), (404, "RESOURCE_NOT_FOUND"), "{what} by header");
            }
            let answer = end.call(end.partner_key(), method.clone(), &own, Some(&body)).await;
            if route.who == Who::AcquiringPartner {
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (403, "OPERATION_FORBIDDEN"),
                    "{what} as a Partner"
                );
            } else {
                assert!(![401, 403].contains(&answer.status), "{what} as a Partner: {}", answer.text);
            }
            let answer = end.ap(method, &own, Some(&body)).await;
            assert_ne!(answer.status, 401, "{what} as the Acquiring Partner");
            assert_ne!(answer.json()["error_message"], "The Partner account does not exist.", "{what}");
            assert!(answer.status < 500, "{what}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_no_database_could_hold_is_absent() {
    for end in ends().await {
        for (route, template) in each(&network::serve::routes(&end.ctx.config)) {
            if !template.contains('{') {
                continue;
            }
            for odd in ["%00", "a%00b", "%ff", "%0A"] {
                let mut path = path(template, end.partner());
                path =
                    if path.contains("krn:x") { path.replace("krn:x", odd) } else { path.replace(end.partner(), odd) };
                let answer = end.ap(route.method.clone(), &path, Some(&json!({}))).await;
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (404, "RESOURCE_NOT_FOUND"),
                    "{} {path}: {}",
                    route.method,
                    answer.text
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_percent_encoded_account_is_the_same_account_and_unknown_routes_and_methods_say_so() {
    for end in ends().await {
        let answer = end.ap(Method::GET, "/v2/nothing", None).await;
        answer.refused(404, "NOT_FOUND");
        assert_eq!(answer.json()["error_type"], "RESOURCE_ERROR");
        let answer = end.ap(Method::PUT, KEYS, Some(&json!({}))).await;
        answer.refused(405, "NOT_FOUND");
        assert!(answer.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", answer.headers);
        for (route, template) in each(&network::serve::routes(&end.ctx.config)) {
            if route.method == Method::GET && template.contains(ACCOUNT_PARAMETER) {
                let path = path(template, &end.partner().replace(':', "%3A"));
                let answer = end.ap(Method::GET, &path, None).await;
                assert_ne!(answer.json()["error_message"], "The Partner account does not exist.", "{path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn correlation_ids_are_made_echoed_and_checked() {
    for end in ends().await {
        let authorization = format!("Basic {}", end.ap_key());
        let send = |id: &'static str| {
            let headers = [("authorization", authorization.clone()), ("partner-correlation-id", id.to_owned())];
            let end = &end;
            async move {
                let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                end.send(Method::GET, KEYS, &headers, None).await
            }
        };
        let answer = send("order-77_a").await;
        assert_eq!((answer.status, answer.header("partner-correlation-id")), (200, Some("order-77_a")));
        assert!(answer.header("klarna-correlation-id").is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()));
        let answer = send("no spaces please").await;
        answer.refused(400, "VALIDATION_ERROR");
        assert_eq!(answer.parameters(), ["Partner-Correlation-Id"]);
        assert_eq!(answer.header("partner-correlation-id"), None);
        // Also a refusal has both.
        let headers = [("partner-correlation-id", "x1")];
        let answer = end.send(Method::GET, KEYS, &headers, None).await;
        assert_eq!((answer.status, answer.header("partner-correlation-id")), (401, Some("x1")));
        assert!(answer.header("klarna-correlation-id").is_some());
        // Bad integration metadata is nobody's failure.
        let headers = [("authorization", authorization.as_str()), ("klarna-integration-metadata", "{broken")];
        end.send(Method::GET, KEYS, &headers, None).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_show_on_every_answer_and_end_in_429() {
    let place = places().await.remove(0);
    let config = Config { rate_limits: RateLimits::Test, ..Config::default() };
    let end = harness::start(&place, Wishes { config, ..Wishes::default() }).await;
    let quotas = Category::PartnerManagement.quotas(RateLimits::Test);
    assert_eq!(quotas, Some((5, 12)));

    let own = end.call(end.partner_key(), Method::GET, KEYS, None).await;
    let limit = own.header("x-ratelimit-limit").unwrap();
    assert_eq!(limit, "5, 5;w=1;name=\"account_partner-management\",12;w=1;name=\"psp_partner-management\"");
    assert!(own.header("x-ratelimit-remaining").is_some() && own.header("x-ratelimit-reset").is_some());

    // Far more than two seconds' worth: wherever the seconds fall, most are refused.
    let calls = (0..60).map(|_| end.call(end.partner_key(), Method::GET, KEYS, None));
    let answers = futures_util::future::join_all(calls).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 30, "{} refused", refused.len());
    for answer in refused {
        answer.refused(429, "RATE_LIMITED");
        assert_eq!(answer.json()["error_type"], "ACCESS_ERROR");
        assert_eq!(answer.header("x-ratelimit-remaining"), Some("0"));
        assert!(answer.header("x-ratelimit-limit").is_some());
    }
    // The controls are not the network's, and have no limits.
    let answer = end.ap(Method::GET, "/testing/clock", None).await;
    assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    end.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_key_repeats_the_answer_and_another_body_conflicts() {
    for end in ends().await {
        let first = end.ap_once("k-1", Method::POST, KEYS, None).await;
        let again = end.ap_once("k-1", Method::POST, KEYS, None).await;
        assert_eq!((first.status, again.status), (201, 201));
        assert_eq!(first.text, again.text, "the secret, too");
        assert_eq!(end.ap(Method::GET, KEYS, None).await.json()["signing_keys"].as_array().unwrap().len(), 1);

        let other = end.ap_once("k-1", Method::POST, KEYS, Some(&json!({"a": 1}))).await;
        other.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(other.parameters(), ["Klarna-Idempotency-Key"]);

        // Another key, another path and another caller are other calls.
        end.ap_once("k-2", Method::POST, KEYS, None).await.expect(201);
        end.ap_once("k-1", Method::POST, "/v1/notification/signing-keys", None).await.expect(201);
        let authorization = format!("Basic {}", end.partner_key());
        let headers = [("authorization", authorization.as_str()), ("klarna-idempotency-key", "k-1")];
        let own = end.send(Method::POST, KEYS, &headers, None).await;
        assert_ne!(own.expect(201)["signing_key_id"], first.json()["signing_key_id"]);

        // After a day the key is free.
        end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "P1DT1S"}))).await.expect(200);
        assert_ne!(end.ap_once("k-1", Method::POST, KEYS, None).await.expect(201), first.json());

        let long = "x".repeat(256);
        let bad = end.ap_once(&long, Method::POST, KEYS, None).await;
        bad.refused(400, "VALIDATION_ERROR");
        assert_eq!(bad.parameters(), ["Klarna-Idempotency-Key"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_bind_the_key() {
    for end in ends().await {
        let (key, _) = end.signing_key().await;
        let path = "/v2/notification/webhooks";
        let bad = json!({"url": "nowhere"});
        end.ap_once("w-1", Method::POST, path, Some(&bad)).await.refused(400, "VALIDATION_ERROR");
        let good = json!({"url": "https://h.example/k", "event_types": ["payment.*"], "event_version": "v2", "signing_key_id": key});
        end.ap_once("w-1", Method::POST, path, Some(&good)).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_call_in_parallel_has_one_effect() {
    for end in ends().await {
        let calls = (0..24).map(|_| end.ap_once("p-1", Method::POST, KEYS, None));
        let answers = futures_util::future::join_all(calls).await;
        let made: std::collections::BTreeSet<_> =
            answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text.clone()).collect();
        assert_eq!(made.len(), 1, "all successes are the same answer");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.refused(409, "RESOURCE_CONFLICT");
        }
        assert_eq!(end.ap(Method::GET, KEYS, None).await.json()["signing_keys"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_database_answer_as_one() {
    // SQLite has one process; the place of PostgreSQL, if there is one, is the second.
    let Some(place) = places().await.into_iter().nth(1) else { return };
    let first = harness::start(&place, Wishes::default()).await;
    let second = harness::start(&place, Wishes::default()).await;
    assert_eq!(first.ap_key(), second.ap_key());

    let calls = (0..24).map(|number| {
        let end = if number % 2 == 0 { &first } else { &second };
        end.ap_once("both", Method::POST, KEYS, None)
    });
    let answers = futures_util::future::join_all(calls).await;
    let made: std::collections::BTreeSet<_> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text.clone()).collect();
    assert_eq!(made.len(), 1);
    let answer = second.ap(Method::GET, KEYS, None).await.expect(200);
    assert_eq!(answer["signing_keys"].as_array().unwrap().len(), 1);

    first.ap(Method::POST, "/testing/clock", Some(&json!({"advance": "P3D"}))).await.expect(200);
    let expected = first.ctx.clock.now();
    second.ctx.clock.sleep_until(expected).await;
    assert_eq!(second.ctx.clock.now(), expected, "the clock is one, too");

    let account: PartnerAccountId = first.credentials.acquiring_partner.account_id.parse().unwrap();
    let credential = crate::credentials::key_of(&first, account.as_str()).await.credential_id.parse().unwrap();
    second.ap(Method::GET, KEYS, None).await.expect(200);
    let disabled_at = tokio::time::Instant::now();
    assert!(network::credentials::disable_api_key(&first.ctx, &account, &credential).await.unwrap());
    first.ap(Method::GET, KEYS, None).await.refused(401, "UNAUTHORIZED");
    while second.ap(Method::GET, KEYS, None).await.status != 401 {
        assert!(disabled_at.elapsed() < std::time::Duration::from_secs(2), "still open");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    first.stop().await;
    second.stop().await;
}
