//! Who may ask: keys, suspension, isolation.

use gateway::access::{self, PartnerState};
use http::{Request, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::harness::{order, scenes};

#[tokio::test]
async fn every_operation_of_partners_asks_for_a_key() {
    for scene in scenes().await {
        let described = serde_json::to_value(gateway::api().into_openapi()).unwrap();
        let mut asked = 0;
        for (path, item) in described["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys().filter(|_| path.starts_with("/v1/")) {
                let path = path.replace(['{', '}'], "");
                for key in [None, Some("Bearer "), Some("Basic abc"), Some("Bearer kontor_sk_aaaaaaaaaaaaaaaa_x")] {
                    let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(&path);
                    if let Some(key) = key {
                        request = request.header("authorization", key);
                    }
                    let answer = scene.stage.send(request.body(axum::body::Body::empty()).unwrap()).await;
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {key:?}");
                    assert_eq!(answer.body["error_code"], "UNAUTHORIZED");
                    assert_eq!(answer.headers["www-authenticate"], "Bearer");
                    asked += 1;
                }
            }
        }
        assert!(asked > 40, "{asked}");
    }
}

#[tokio::test]
async fn another_partners_payment_looks_absent_to_every_operation() {
    for scene in scenes().await {
        let id = scene.authorized(1000).await;
        let eve = scene.stage.partner("EVE00001").await;
        let absent = format!("pay_{}", "0".repeat(32));
        let operations = [
            ("GET", "", None),
            ("PATCH", "", Some(json!({"amount": 900}))),
            ("POST", "/captures", Some(json!({"amount": 1}))),
            ("POST", "/refunds", Some(json!({"amount": 1}))),
            ("POST", "/void", Some(json!({}))),
            ("POST", "/cancel", Some(json!({}))),
        ];
        for (method, tail, body) in operations {
            let foreign = scene.stage.call(&eve, method, &format!("/v1/payments/{id}{tail}"), body.clone()).await;
            let missing = scene.stage.call(&eve, method, &format!("/v1/payments/{absent}{tail}"), body).await;
            assert_eq!(
                (foreign.status, missing.status),
                (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
                "{method} {tail}"
            );
            for member in ["error_code", "error_type", "error_message", "validation_errors"] {
                assert_eq!(foreign.body[member], missing.body[member]);
            }
        }
        let listed = scene.stage.call(&eve, "GET", "/v1/payments", None).await;
        assert_eq!(listed.body["payments"], json!([]));
        assert_eq!(scene.read(&id).await["captured_amount"], 0);
        assert!(scene.klarna.calls("capture").is_empty());
    }
}

#[tokio::test]
async fn a_suspended_partner_can_manage_what_it_has_and_a_disabled_key_opens_nothing() {
    for scene in scenes().await {
        let id = scene.authorized(1000).await;
        access::set_partner_state(scene.stage.db(), &scene.ada.id, PartnerState::Suspended).await.unwrap();
        let refused = scene.post("/v1/payments", order(1000)).await;
        assert_eq!((refused.status.as_u16(), &refused.body["error_code"]), (403, &json!("OPERATION_FORBIDDEN")));
        assert_eq!(scene.post(&format!("/v1/payments/{id}/captures"), json!({})).await.status, 201);

        let (db, clock, random) = (scene.stage.db(), &scene.stage.clock, &scene.stage.ctx.random);
        let second = access::create_key(db, clock, random, &scene.ada.id, "second").await.unwrap();
        let keys = access::keys(db, &scene.ada.id).await.unwrap();
        let first = keys.iter().find(|key| key.key_id != second.key_id).unwrap();
        assert!(first.last_used_at.is_some() && first.disabled_at.is_none());
        access::disable_key(db, clock, &scene.ada.id, &first.key_id).await.unwrap();
        let path = format!("/v1/payments/{id}");
        assert_eq!(scene.stage.call(&scene.ada, "GET", &path, None).await.status, 401);
        let other = crate::stage::Partner { id: scene.ada.id.clone(), key: second.api_key.expose_secret().to_owned() };
        assert_eq!(scene.stage.call(&other, "GET", &path, None).await.status, 200);
        assert!(access::disable_key(db, clock, &scene.ada.id, "nothing").await.is_err());
    }
}
