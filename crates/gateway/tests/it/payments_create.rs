//! Making payments: what goes to Klarna, what is refused before, idempotency, lists.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Act, error, named, order, scenes};

#[tokio::test]
async fn everything_a_partner_sends_reaches_klarna_and_nothing_is_altered() {
    let data = "{\"content_type\" : \"vnd.klarna.interoperability-data.v2+json\",\n\t\"x\":\"\\u00e9 é\"}  ";
    for scene in scenes().await {
        let made = scene
            .post(
                "/v1/payments",
                json!({"amount": 4990, "currency": "eur", "reference": "88", "capture": "AUTOMATIC", "payment_option_id": "opt-1",
                    "interoperability_token": "krn:to.k.en", "klarna_interoperability_data": data, "metadata": {"order": "88"},
                    "line_items": [{"name": "Mug", "quantity": 2, "unit_price": 2495, "total_amount": 4990, "new": 1}],
                    "customer": {"email": "ada@shop.example"}, "shipping": [{"recipient": {"given_name": "Ada"}}],
                    "supplementary_purchase_data": {"future": {"deep": [1, 2]}}}),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        let id = made.body["id"].as_str().unwrap();
        let call = scene.klarna.calls("finalize").pop().unwrap();
        assert_eq!(call.path, "/v2/accounts/krn:partner:global:account:test:ADA00001/payment/authorize");
        assert_eq!(
            call.body,
            json!({"currency": "EUR", "interoperability_data": data,
                "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": id, "payment_option_id": "opt-1",
                    "capture": "NOW", "payment_capture_reference": made.body["captures"][0]["id"]},
                "supplementary_purchase_data": {"future": {"deep": [1, 2]}, "purchase_reference": "88",
                    "line_items": [{"name": "Mug", "quantity": 2, "unit_price": 2495, "total_amount": 4990, "new": 1}],
                    "customer": {"email": "ada@shop.example"}, "shipping": [{"recipient": {"given_name": "Ada"}}]}})
        );
        assert_eq!(call.header("authorization"), "Basic OmtsYXJuYV90ZXN0X2FwaV9rZXk=");
        assert_eq!(call.header("klarna-network-session-token"), "krn:to.k.en");
        assert_eq!(Uuid::parse_str(call.header("klarna-idempotency-key")).unwrap().get_version_num(), 5);
        assert_eq!(call.header("partner-correlation-id"), id);
        let metadata: Value = serde_json::from_str(call.header("klarna-integration-metadata")).unwrap();
        assert_eq!(metadata["originators"][0]["name"], "PARTNER_ADA00001");
        assert_eq!(metadata["originators"][0]["session_reference"], scene.ada.id.as_str());

        let payment = scene.read(id).await;
        assert_eq!(payment["state"], "CAPTURED");
        assert_eq!((&payment["captured_amount"], &payment["remaining_amount"]), (&json!(4990), &json!(0)));
        assert_eq!(payment["supplementary_purchase_data"]["future"], json!({"deep": [1, 2]}));
        assert!(!payment.to_string().contains("krn:to.k.en"), "tokens don't come back");
        assert_eq!(scene.events().await, ["payment.authorized", "payment.captured"]);
    }
}

#[tokio::test]
async fn bad_bodies_are_refused_before_anything_is_written() {
    for scene in scenes().await {
        let raw = |body: Vec<u8>, content_type: &str| {
            let request = Request::post("/v1/payments")
                .header("authorization", format!("Bearer {}", scene.ada.key))
                .header("idempotency-key", "k")
                .header("content-type", content_type);
            scene.stage.send(request.body(Body::from(body)).unwrap())
        };
        let cases: [(Vec<u8>, &str, u16, &str); 6] = [
            (b"{\"amount\": 1,".to_vec(), "application/json", 400, "INVALID_CONTENT_TYPE"),
            (b"{}".to_vec(), "text/plain", 400, "INVALID_CONTENT_TYPE"),
            (b"".to_vec(), "application/json", 400, "INVALID_CONTENT_TYPE"),
            (b"[]".to_vec(), "application/json", 400, "VALIDATION_ERROR"),
            (vec![b' '; 1024 * 1024 + 1], "application/json", 413, "VALIDATION_ERROR"),
            (
                b"{\"amount\": 99999999999999999999, \"currency\": \"EUR\"}".to_vec(),
                "application/json",
                400,
                "VALIDATION_ERROR",
            ),
        ];
        for (body, content_type, status, code) in cases {
            let answer = raw(body, content_type).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body["error_code"].as_str()),
                (status, Some(code)),
                "{}",
                answer.text
            );
        }
        let many = scene
            .post(
                "/v1/payments",
                json!({"amount": -1, "currency": "XXX", "line_items": "none", "customer": {"phone": "x"}}),
            )
            .await;
        assert_eq!(named(&many), ["amount", "currency", "customer.phone", "line_items"]);
        assert_eq!(named(&scene.post("/v1/payments", json!({})).await), ["amount", "currency"]);
        let sum =
            json!({"amount": 5, "currency": "EUR", "line_items": [{"name": "a", "quantity": 1, "total_amount": 4}]});
        assert_eq!(named(&scene.post("/v1/payments", sum).await), ["line_items"]);
        let without_key = Request::post("/v1/payments")
            .header("authorization", format!("Bearer {}", scene.ada.key))
            .header("content-type", "application/json")
            .body(Body::from(order(1).to_string()))
            .unwrap();
        let answer = scene.stage.send(without_key).await;
        assert_eq!((answer.status.as_u16(), named(&answer)), (400, vec!["Idempotency-Key"]));
        let large = Request::post("/v1/payments").header("x-large", "x".repeat(7000)).body(Body::empty()).unwrap();
        assert_eq!(scene.stage.send(large).await.status, 431);
        assert!(scene.klarna.calls("authorize").is_empty());
        let listed = scene.stage.call(&scene.ada, "GET", "/v1/payments", None).await;
        assert_eq!(listed.body["payments"], json!([]));
    }
}

#[tokio::test]
async fn one_key_makes_one_payment() {
    for scene in scenes().await {
        let first = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(order(100)), "k-1").await;
        let again = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(order(100)), "k-1").await;
        assert_eq!((again.status.as_u16(), &again.text), (201, &first.text));
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let other = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(order(101)), "k-1").await;
        assert_eq!((other.status.as_u16(), named(&other)), (422, vec!["Idempotency-Key"]));
        let eve = scene.stage.partner("EVE00001").await;
        let hers = scene.stage.call_with_key(&eve, "POST", "/v1/payments", Some(order(101)), "k-1").await;
        assert_eq!(hers.status, 201, "a key is the Partner's own");

        scene.klarna.next("authorize", [Act::Late(150)]);
        let calls =
            (0..8).map(|_| scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(order(7)), "k-2"));
        let answers = futures_util::future::join_all(calls).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        let in_flight = answers.iter().filter(|answer| answer.status == 409).count();
        assert!(made >= 1 && made + in_flight == 8, "{made} {in_flight}");
        let calls = scene.klarna.calls("authorize");
        let of_this = calls.iter().filter(|call| call.body["request_payment_transaction"]["amount"] == 7).count();
        assert_eq!(of_this, 1);
    }
}

#[tokio::test]
async fn what_klarna_says_decides_the_state_and_its_refusals_name_our_fields() {
    for scene in scenes().await {
        let declined =
            json!({"payment_transaction_response": {"result": "DECLINED", "result_reason": "RISK_DECLINED"}});
        scene.klarna.next("authorize", [Act::Answer(200, declined)]);
        let answer = scene.post("/v1/payments", order(100)).await;
        assert_eq!((answer.status.as_u16(), &answer.body["state"]), (201, &json!("DECLINED")));
        assert_eq!(answer.body["decline_reason"], "RISK_DECLINED");

        // Refused: a spent token, an account that is unknown there, a product that is off, our own key.
        for (status, code, parameter, expected, field) in [
            (400, "VALIDATION_ERROR", "Klarna-Network-Session-Token", 400, "klarna_network_session_token"),
            (400, "VALIDATION_ERROR", "request_payment_transaction.amount", 400, "amount"),
            (403, "OPERATION_FORBIDDEN", "", 403, ""),
            (409, "RESOURCE_CONFLICT", "payment_transaction_reference", 409, "reference"),
            (401, "UNAUTHORIZED", "", 500, ""),
            (404, "RESOURCE_NOT_FOUND", "", 500, ""),
        ] {
            scene.stage.clock.advance(1_000_000);
            scene.klarna.next("authorize", [Act::Answer(status, error(code, parameter))]);
            let key = format!("refused-{parameter}-{status}");
            let answer = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(order(100)), &key).await;
            assert_eq!(answer.status.as_u16(), expected, "{}", answer.text);
            if expected < 500 {
                assert_eq!((answer.body["error_code"].as_str(), named(&answer)), (Some(code), vec![field]));
            } else {
                assert_eq!(answer.body["error_code"], "SERVER_CONFIGURATION_ERROR");
            }
            let again = scene.stage.call_with_key(&scene.ada, "POST", "/v1/payments", Some(order(100)), &key).await;
            assert_eq!(again.text, answer.text, "a refusal is an answer too");
        }
        let listed = scene.stage.call(&scene.ada, "GET", "/v1/payments?state=FAILED", None).await;
        assert_eq!(listed.body["pagination"]["count"], 6);
        assert_eq!(listed.body["payments"][5]["failure"]["error_code"], "VALIDATION_ERROR");
        let events = scene.events().await;
        assert_eq!(
            (events[0].as_str(), events[1..].iter().filter(|name| *name == "payment.failed").count()),
            ("payment.declined", 6)
        );
    }
}

#[tokio::test]
async fn lists_page_without_gaps_and_filters_combine() {
    for scene in scenes().await {
        let mut ids = Vec::new();
        for index in 0..7 {
            let mut body = order(100 + index);
            body["reference"] = json!(format!("r{}", index % 2));
            scene.stage.clock.advance(1_000_000);
            ids.push(scene.post("/v1/payments", body).await.body["id"].as_str().unwrap().to_owned());
        }
        ids.reverse();
        let get = async |query: &str| {
            let answer = scene.stage.call(&scene.ada, "GET", &format!("/v1/payments?{query}"), None).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            let found: Vec<String> = answer.body["payments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["id"].as_str().unwrap().to_owned())
                .collect();
            (found, answer.body["pagination"].clone())
        };
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let (page, pagination) = get(&format!("size=3{cursor}")).await;
            seen.extend(page);
            let Some(last) = pagination["last_item"].as_str() else { break };
            cursor = format!("&starting_after={last}");
        }
        assert_eq!(seen, ids);
        assert_eq!(get(&format!("size=2&ending_before={}", ids[4])).await.0, ids[2..4]);
        let odd: Vec<String> = ids.iter().skip(1).step_by(2).cloned().collect();
        assert_eq!(get("reference=r1&currency=eur&state=REQUIRES_CUSTOMER_ACTION").await.0, odd);
        assert_eq!(get("amount=106").await.0, ids[..1]);
        assert_eq!(get("created_start=2026-03-02T10:00:06Z&created_end=2026-03-02T10:00:07Z").await.0, ids[1..2]);
        let bad = "size=0&state=PAID&currency=E&amount=x&created_start=now&starting_after=1&ending_before=2";
        let answer = scene.stage.call(&scene.ada, "GET", &format!("/v1/payments?{bad}"), None).await;
        let mut faults = named(&answer);
        faults.sort_unstable();
        assert_eq!(faults, ["amount", "created_start", "currency", "ending_before", "size", "starting_after", "state"]);
    }
}

#[tokio::test]
async fn a_missing_key_and_a_faulty_body_are_named_together() {
    for scene in scenes().await {
        for path in ["/v1/payments", "/v1/payments/pay_1/captures", "/v1/payments/pay_1/void"] {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {}", scene.ada.key))
                .header("content-type", "application/json")
                .body(Body::from(json!({"amount": -1, "currency": "EUR"}).to_string()))
                .unwrap();
            let refused = scene.stage.send(request).await;
            assert_eq!(refused.status, 400, "{}", refused.text);
            let named = named(&refused);
            assert!(named.contains(&"Idempotency-Key") && named.contains(&"amount"), "{path}: {named:?}");
        }
    }
}
