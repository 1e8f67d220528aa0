//! Pricing, enablements, the portal and decisions, on both databases, against a network end that fails as it is told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gateway::partners::portal;
use kit::clock::{DAY_US, HOUR_US, MINUTE_US, SECOND_US};
use kit::db::UnitFuture;
use kit::http::ApiError;
use protocol::Envelope;
use serde_json::{Value, json};

use crate::management::{CERTIFICATE_DAYS, Scene, claims, program, scenes};
use crate::stage::{Partner, eventually};

fn rates(pricing: &Value) -> Vec<(&str, &str)> {
    let listed = pricing["rates"].as_array().unwrap_or_else(|| panic!("{pricing}")).iter();
    listed.map(|rate| (rate["customer_country"].as_str().unwrap(), rate["variable_rate"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn plans_are_read_once_refreshed_daily_and_shown_with_their_age() {
    for scene in scenes().await {
        let (status, first) = scene.operate("GET", "/pricing", None).await;
        assert_eq!((status, rates(&first)), (200, vec![("DE", "2.99"), ("SE", "2.99")]), "{first:#}");
        assert_eq!((&first["stale"], &first["as_of"]), (&json!(false), &json!("2026-03-02T10:00:00Z")));
        assert_eq!(
            (&first["price_plan"]["version"], &first["upcoming_price_plans"][0]["version"]),
            (&json!(2), &json!(3))
        );
        let (_, sweden) = scene.operate("GET", "/pricing?customer_country=se", None).await;
        assert_eq!(rates(&sweden), [("SE", "2.99")]);
        let reads = scene.klarna.calls("GET", "/products/payment/").len();
        assert_eq!(reads, 5, "profiles, plans, programs, and rates of two pages; the second time none");

        // Klarna is away for longer than a day: what is kept is shown, and says how old it is.
        scene.klarna.inner.lock().unwrap().variable_rate = "3.49".to_owned();
        scene.klarna.fail("/v2/distribution", 503);
        scene.stage.clock.advance(DAY_US + 2 * HOUR_US);
        let working = scene.stage.work();
        gateway::ensure_jobs(&scene.stage.ctx).await.unwrap();
        let stale = eventually("a failed refresh", || async {
            let (_, pricing) = scene.operate("GET", "/pricing", None).await;
            Some(pricing).filter(|pricing| pricing["refresh_failure"].is_string())
        })
        .await;
        assert_eq!((&stale["stale"], rates(&stale)), (&json!(true), rates(&first)));

        scene.klarna.mend();
        let fresh = eventually("the refresh", || async {
            scene.stage.clock.advance(MINUTE_US);
            scene.stage.ctx.poke.poke();
            let (_, pricing) = scene.operate("GET", "/pricing", None).await;
            Some(pricing).filter(|pricing| pricing["stale"] == false)
        })
        .await;
        assert_eq!((rates(&fresh), &fresh["refresh_failure"]), (vec![("DE", "3.49"), ("SE", "3.49")], &Value::Null));
        drop(working);

        // A version that has ended is not shown as if it held, if Klarna can be asked.
        scene.stage.clock.advance(2 * DAY_US);
        let before = scene.klarna.calls("GET", "/price-plans/price-plan-1").len();
        let (_, ended) = scene.operate("GET", "/pricing", None).await;
        assert!(scene.klarna.calls("GET", "/price-plans/price-plan-1").len() > before);
        assert_eq!(ended["stale"], true, "this Klarna has no newer one: {ended}");
    }
}

#[tokio::test]
async fn a_change_of_prices_is_told_once_and_never_a_first_look() {
    for scene in scenes().await {
        let working = scene.stage.work();
        gateway::ensure_jobs(&scene.stage.ctx).await.unwrap();
        let clock = &scene.stage.clock;
        let made = scene.operate("POST", "/api-keys", None).await.1;
        let partner = Partner { id: scene.partner_id.clone(), key: made["api_key"].as_str().unwrap().to_owned() };
        let told = async || {
            let listed = scene.stage.call(&partner, "GET", "/v1/events?type=partner.pricing_changed", None).await;
            listed.body["events"].as_array().unwrap().clone()
        };
        let looked = async || scene.klarna.calls("GET", "/price-plans/price-plan-1").len();
        let (_, known) = scene.operate("GET", "/pricing", None).await;
        // A few steps to a day, each with work of its own: what is due is read again and looked at.
        let pass = async || {
            clock.advance(4 * HOUR_US);
            scene.stage.ctx.poke.poke();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let before = looked().await;
        eventually("another reading of the same prices", || async {
            pass().await;
            (looked().await > before + 1).then_some(())
        })
        .await;
        assert!(told().await.is_empty(), "nothing has changed");

        scene.klarna.inner.lock().unwrap().variable_rate = "3.49".to_owned();
        let events = eventually("the event", || async {
            pass().await;
            Some(told().await).filter(|events| !events.is_empty())
        })
        .await;
        let pricing = &events[0]["data"]["pricing"];
        assert_eq!(pricing["changed"], json!(["RATES"]), "{pricing}");
        assert_eq!(pricing["merchant_category_codes"], json!(["5941"]));
        assert_eq!(pricing["price_plan"]["id"], known["price_plan"]["id"]);
        let (_, now) = scene.operate("GET", "/pricing", None).await;
        assert_eq!(rates(&now), [("DE", "3.49"), ("SE", "3.49")]);
        let read = looked().await;
        eventually("a further reading", || async {
            pass().await;
            (looked().await > read + 1).then_some(())
        })
        .await;
        drop(working);
        assert_eq!(told().await.len(), 1, "once");
    }
}

#[tokio::test]
async fn what_was_never_read_is_unavailable_while_klarna_is_away() {
    let scene = scenes().await.remove(0);
    scene.klarna.fail("/v2/distribution", 503);
    let (status, answer) = scene.operate("GET", "/pricing", None).await;
    assert_eq!((status, &answer["error_code"]), (503, &json!("TEMPORARY_UNAVAILABLE")), "{answer}");
}

#[tokio::test]
async fn an_enablement_is_asked_for_once_and_followed_until_it_is_over() {
    for scene in scenes().await {
        let working = scene.stage.work();
        // Klarna's answer is lost: asked again under the same key, once it is heard.
        scene.klarna.fail("payment-program-enablements", 502);
        let wanted = json!({"payment_program_id": program("OPTIONAL")});
        let (status, made) = scene.operate("POST", "/enablements", Some(wanted)).await;
        assert_eq!((status, &made["state"]), (202, &json!("REQUESTED")), "{made}");
        let one = format!("/enablements/{}", made["id"].as_str().unwrap());
        assert_eq!(scene.operate("DELETE", &one, None).await.0, 409, "not while it may be on");
        scene.klarna.mend();
        let state = async |one: &str, state: &str| {
            eventually(state, || async {
                scene.stage.clock.advance(HOUR_US);
                scene.stage.ctx.poke.poke();
                Some(scene.operate("GET", one, None).await.1).filter(|shown| shown["state"] == state)
            })
            .await
        };
        let active = state(&one, "ACTIVE").await;
        assert_eq!(scene.klarna.inner.lock().unwrap().enablements.len(), 1);

        let (_, refused) =
            scene.operate("POST", "/enablements", Some(json!({"payment_program_id": program("PRESET")}))).await;
        assert_eq!((&refused["state"], &refused["refusal"]), (&json!("REFUSED"), &json!("It is always on.")));
        let (_, waiting) =
            scene.operate("POST", "/enablements", Some(json!({"payment_program_id": program("RESTRICTED")}))).await;
        assert_eq!(waiting["state"], "AWAITING_APPROVAL");
        scene.klarna.inner.lock().unwrap().approve();
        state(&format!("/enablements/{}", waiting["id"].as_str().unwrap()), "ACTIVE").await;

        // Klarna ends the first one by itself: that is seen within a day.
        let klarna_id = active["klarna_id"].clone();
        let ended = |all: &mut Vec<Value>| {
            all.iter_mut()
                .filter(|one| one["payment_program_enablement_id"] == klarna_id)
                .for_each(|one| one["state"] = json!("ENDED"));
        };
        ended(&mut scene.klarna.inner.lock().unwrap().enablements);
        scene.stage.clock.advance(DAY_US);
        state(&one, "ENDED").await;
        drop(working);
        let told: Vec<Value> = scene.events("partner.enablement_changed").await;
        let states: Vec<&str> = told.iter().map(|data| data["enablement"]["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["ACTIVE", "REFUSED", "AWAITING_APPROVAL", "ACTIVE", "ENDED"]);
    }
}

async fn link(scene: &Scene) -> Value {
    let body = json!({"email": "ada@nordlicht.example", "roles": ["merchant:admin"]});
    let (status, link) = scene.operate("POST", "/portal-links", Some(body)).await;
    assert_eq!(status, 201, "{link}");
    link
}

#[tokio::test]
async fn the_key_that_vouches_is_made_once_kept_and_replaced_before_its_end() {
    for scene in scenes().await {
        let ctx = &scene.stage.ctx;
        assert_eq!(portal::signer_view(ctx).await.unwrap(), None);
        portal::renew(ctx).await.unwrap();
        assert!(scene.klarna.calls("POST", "client-certificate").is_empty(), "nobody needs one yet");
        // Klarna certifies the key, and its answer is lost: the same key is certified, not a second one.
        scene.klarna.fail("client-certificate", 502);
        let body = json!({"email": "ada@nordlicht.example", "roles": ["merchant:admin"]});
        assert_eq!(scene.operate("POST", "/portal-links", Some(body.clone())).await.0, 503);
        scene.klarna.mend();
        link(&scene).await;
        let requests: Vec<Value> =
            scene.klarna.calls("POST", "client-certificate").into_iter().map(|call| call.1).collect();
        assert!(requests.iter().all(|request| request == &requests[0]), "one request: {requests:?}");
        assert_eq!(requests[0]["config"]["usage"], "JWT_SIGNING");
        let first = portal::signer_view(ctx).await.unwrap().unwrap();
        let said = claims(&scene.klarna.calls("POST", "deep-links")[0].1);
        assert_eq!((&said["sub"], &said["amr"]), (&json!("ada@nordlicht.example"), &json!(["pwd"])));
        assert_eq!(said["account_id"], "krn:partner:global:account:test:NEW00001");
        assert!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap() <= 600, "short-lived");

        // Nine tenths of its life later it is replaced; the old certificate is revoked an hour after that.
        scene.stage.clock.advance(CERTIFICATE_DAYS * DAY_US * 9 / 10 - SECOND_US);
        portal::renew(ctx).await.unwrap();
        assert_eq!(portal::signer_view(ctx).await.unwrap().unwrap(), first, "not yet");
        scene.stage.clock.advance(2 * SECOND_US);
        portal::renew(ctx).await.unwrap();
        let second = portal::signer_view(ctx).await.unwrap().unwrap();
        assert!(second.valid_to > first.valid_to && second.credential_id != first.credential_id);
        assert_eq!(scene.klarna.inner.lock().unwrap().certificates.len(), 2);
        scene.stage.clock.advance(HOUR_US);
        portal::renew(ctx).await.unwrap();
        assert_eq!(scene.klarna.inner.lock().unwrap().certificates, std::slice::from_ref(&second.credential_id));

        // A key that Klarna does not accept any more is replaced on the spot.
        let used = scene.klarna.calls("POST", "deep-links").len();
        link(&scene).await;
        let token = scene.klarna.calls("POST", "deep-links")[used].1["jwt"].as_str().unwrap().to_owned();
        let header = token.split('.').next().unwrap();
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        let certificate = header["x5c"][0].as_str().unwrap().to_owned();
        assert!(String::from_utf8(STANDARD.decode(&certificate).unwrap()).unwrap().starts_with("certificate "));
        scene.klarna.inner.lock().unwrap().refused_certificates.push(certificate);
        link(&scene).await;
        assert_ne!(portal::signer_view(ctx).await.unwrap().unwrap(), second);
    }
}

#[tokio::test]
async fn a_portal_user_is_granted_and_removed_until_klarna_has_confirmed() {
    for scene in scenes().await {
        let working = scene.stage.work();
        scene.klarna.fail("user-access", 503);
        let (status, user) = scene.operate("POST", "/portal-users", Some(json!({"roles": ["merchant:admin"]}))).await;
        assert_eq!(
            (status, &user["state"], &user["email"]),
            (202, &json!("REQUESTED"), &json!("ada@nordlicht.example")),
            "{user}"
        );
        scene.klarna.mend();
        let users = async |what: &str, count: usize, state: &str| {
            eventually(what, || async {
                scene.stage.clock.advance(HOUR_US);
                scene.stage.ctx.poke.poke();
                let (_, listed) = scene.operate("GET", "/portal-users", None).await;
                let all = listed["portal_users"].as_array().unwrap().clone();
                (all.len() == count && all.iter().all(|one| one["state"] == state)).then_some(())
            })
            .await;
        };
        users("the grant", 1, "ACTIVE").await;
        assert_eq!(
            scene.klarna.inner.lock().unwrap().users,
            [json!(["krn:partner:global:account:test:NEW00001", "ada@nordlicht.example"])]
        );
        scene.klarna.fail("user-access", 503);
        let one = format!("/portal-users/{}", user["id"].as_str().unwrap());
        assert_eq!(scene.operate("DELETE", &one, None).await.0, 202);
        users("the wish", 1, "REMOVING").await;
        scene.klarna.mend();
        users("the removal", 0, "").await;
        assert!(scene.klarna.inner.lock().unwrap().users.is_empty());
        assert_eq!(scene.operate("DELETE", &one, None).await.0, 404);
        drop(working);
    }
}

async fn webhook(scene: &Scene, event_type: &str, payload: Value) {
    let envelope = json!({"metadata": {"event_type": event_type, "event_id": "e", "event_version": "v2",
        "occurred_at": "2026-03-02T10:05:00Z", "subject_account_id": "krn:partner:global:account:test:NEW00001"}, "payload": payload});
    let envelope: Envelope = serde_json::from_value(envelope).unwrap();
    let ctx = scene.stage.ctx.clone();
    let applied = scene.stage.db().write(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
        Box::pin(async move { gateway::partners::apply_network_event(tx, &ctx, &envelope).await })
    });
    applied.await.unwrap();
}

#[tokio::test]
async fn a_decision_is_noted_once_whether_a_webhook_or_the_list_told_of_it() {
    for scene in scenes().await {
        let decision = |id: &str| json!({"decision_id": id, "decision_type": "NON_COMPLIANT", "created_at": "2026-03-02T10:04:00Z"});
        // Lists go by when something was heard.
        scene.stage.clock.advance(SECOND_US);
        for _ in 0..2 {
            webhook(&scene, "partner.compliance.decision.created", decision("d-1")).await;
        }
        let (_, found) = scene.operate("GET", "/compliance-decisions", None).await;
        let outcomes: Vec<&str> =
            found["decisions"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["NON_COMPLIANT", "APPROVED"]);
        // The product is disabled, and only the list tells of the second decision.
        scene.klarna.inner.lock().unwrap().decisions = vec![decision("d-1"), decision("d-2")];
        let disabled = json!({"product_id": "krn:partner:product:payment:1", "state": "DISABLED", "reason": "NON_COMPLIANT", "compliance_decision_id": "d-2"});
        webhook(&scene, "partner.account.product.payment.state-change.disabled", disabled).await;
        let working = scene.stage.work();
        let found = eventually("the list", || async {
            scene.stage.clock.advance(MINUTE_US);
            scene.stage.ctx.poke.poke();
            Some(scene.operate("GET", "/compliance-decisions?size=2", None).await.1)
                .filter(|found| found["decisions"][0]["klarna_decision_id"] == "d-2")
        })
        .await;
        drop(working);
        assert_eq!(found["decisions"].as_array().unwrap().len(), 2);
        let next = found["pagination"]["last_item"].as_str().unwrap();
        let (_, rest) = scene.operate("GET", &format!("/compliance-decisions?starting_after={next}"), None).await;
        assert_eq!(rest["decisions"][0]["outcome"], "APPROVED");
        assert_eq!(scene.events("partner.compliance_decision").await.len(), 2);
    }
}
