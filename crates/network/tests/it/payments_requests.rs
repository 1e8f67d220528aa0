//! Payment Requests over HTTP.

use http::Method;
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use network::payments::{CustomerStep, return_location};
use serde_json::{Value, json};

use crate::harness::ends;
use crate::payments_steps::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_lives_from_submission_to_approval() {
    for end in ends().await {
        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        assert_eq!((&created["state"], &created["amount"]), (&json!("SUBMITTED"), &json!(AMOUNT)));
        assert_eq!(created["expires_at"], "2026-03-02T13:00:00Z");
        // What nobody knows survives in purchase data.
        assert_eq!(created["supplementary_purchase_data"], purchase());
        let url = created["payment_request_url"].as_str().unwrap();
        assert_eq!(created["state_context"]["customer_interaction"]["payment_request_url"], url);
        assert!(url.starts_with(&format!("{}/eu/requests/", end.base)), "{url}");
        assert!(created["state_context"]["interoperability_token"].is_string());
        assert_eq!(created["state_context"]["klarna_network_session_token"], Value::Null);
        let id = created["payment_request_id"].as_str().unwrap();
        let path = format!("/requests/{id}");
        assert_eq!(get(&end, &path).await.expect(200), created);

        // The address proves itself; a wrong one shows nothing.
        assert!(step(&end, &format!("{url}0"), CustomerStep::Enter).await.is_none());
        let entered = step(&end, url, CustomerStep::Enter).await.unwrap();
        assert_eq!(entered.object.state.unwrap().as_str(), "IN_PROGRESS");
        let left = step(&end, url, CustomerStep::Leave).await.unwrap();
        assert_eq!(left.object.state_reason.unwrap().as_str(), "PURCHASE_FLOW_ABORTED");
        let completed = complete(&end, &created).await;
        assert_eq!((&completed["state"], &completed["previous_state"]), (&json!("COMPLETED"), &json!("IN_PROGRESS")));
        assert_eq!(completed.get("payment_request_url"), None);
        let context = &completed["state_context"];
        assert_eq!(context["interoperability_token"], context["klarna_network_session_token"]);
        assert!(context["payment_token"].as_str().unwrap().starts_with("krn:payment:eu1:payment-token:"));
        let object = serde_json::from_value(completed.clone()).unwrap();
        let back = return_location(&object).unwrap();
        assert!(back.starts_with("https://psp.example/r?id=krn%3Apayment%3Aeu1%3Arequest%3A"), "{back}");
        assert!(back.ends_with("&s=COMPLETED"), "{back}");
        // A second approval, or a refusal, changes nothing.
        assert_eq!(step(&end, url, CustomerStep::Refuse).await.unwrap().object.state.unwrap().as_str(), "COMPLETED");

        let events = events(&end).await;
        let kinds: Vec<_> = events.iter().map(|(kind, _)| kind.trim_start_matches("request.state-change.")).collect();
        assert_eq!(kinds, ["submitted", "in-progress", "submitted", "in-progress", "completed"]);
        let payload = &events[4].1;
        assert_eq!(payload["klarna_network_session_token"], context["klarna_network_session_token"]);
        assert_eq!(payload["state_context"], *context);
        assert_eq!(
            (payload.get("supplementary_purchase_data"), payload.get("customer_interaction_config")),
            (None, None)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_request_is_named() {
    for end in ends().await {
        let with = |change: fn(&mut Value)| {
            let mut body = request_body(&end);
            change(&mut body);
            body
        };
        let cases: [(Value, &[&str]); 17] = [
            (json!([]), &["body"]),
            (json!({}), &["currency", "amount"]),
            (with(|body| body["amount"] = json!(0)), &["amount"]),
            (with(|body| body["amount"] = json!(-1)), &["amount"]),
            (with(|body| body["amount"] = json!(1.5)), &["amount"]),
            (with(|body| body["amount"] = json!("4990")), &["amount"]),
            (with(|body| body["amount"] = json!(9_223_372_036_854_775_808_u64)), &["amount"]),
            (with(|body| body["currency"] = json!("XXX")), &["currency"]),
            (with(|body| body["currency"] = json!("EURO")), &["currency"]),
            (with(|body| body["amount"] = json!(AMOUNT + 1)), &["supplementary_purchase_data.line_items"]),
            (
                with(|body| body["supplementary_purchase_data"]["line_items"][0]["quantity"] = json!("abc")),
                &["supplementary_purchase_data.line_items[0].quantity"],
            ),
            (
                with(|body| body["customer_interaction_config"] = json!({"method": "HANDOVER"})),
                &["customer_interaction_config.return_url"],
            ),
            (
                with(|body| body["customer_interaction_config"]["method"] = json!("PIGEON")),
                &["customer_interaction_config.method"],
            ),
            (
                with(|body| {
                    body["customer_interaction_config"]["interaction_expiry"] =
                        json!({"duration": "PT1H", "timestamp": "2026-03-02T11:00:00Z"});
                }),
                &["customer_interaction_config.interaction_expiry"],
            ),
            (
                with(|body| {
                    body["customer_interaction_config"]["interaction_expiry"] =
                        json!({"timestamp": "2026-03-02T10:14:59Z"});
                }),
                &["customer_interaction_config.interaction_expiry"],
            ),
            (
                with(
                    |body| body["acquiring_config"] = json!({"payment_account_id": "krn:partner:global:account:payment-account:0195d2a0-0000-7000-8000-000000000000"}),
                ),
                &["acquiring_config.payment_account_id"],
            ),
            (
                with(|body| {
                    body["klarna_network_data"] = json!("{}");
                    body["interoperability_data"] = json!("{ }");
                }),
                &["interoperability_data"],
            ),
        ];
        for (body, parameters) in cases {
            names(&post(&end, "/requests", &body).await, parameters);
        }
        assert!(told(&end).await.is_empty());
        let mut body = request_body(&end);
        body.as_object_mut().unwrap().remove("acquiring_config");
        names(&post(&end, "/requests", &body).await, &["acquiring_config"]);

        let authorization = format!("Basic {}", end.ap_key());
        let headers = [("authorization", authorization.as_str())];
        let answer = end.send(Method::POST, &at(&end, "/requests"), &headers, None).await;
        answer.refused(400, "INVALID_CONTENT_TYPE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_changes_what_is_sent_while_submitted() {
    for end in ends().await {
        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let path = at(&end, &format!("/requests/{}", created["payment_request_id"].as_str().unwrap()));
        let patch = json!({"amount": 5000, "supplementary_purchase_data": {"purchase_reference": "89"},
            "customer_interaction_config": {"interaction_expiry": {"duration": "PT20M"}}});
        let updated = end.ap(Method::PATCH, &path, Some(&patch)).await.expect(200);
        assert_eq!((&updated["amount"], &updated["expires_at"]), (&json!(5000), &json!("2026-03-02T10:20:00Z")));
        assert_eq!(updated["supplementary_purchase_data"]["purchase_reference"], "89");
        assert_eq!(updated["supplementary_purchase_data"]["line_items"], purchase()["line_items"]);
        assert_eq!(updated["customer_interaction_config"]["method"], "HANDOVER");
        let by_put = end.ap(Method::PUT, &path, Some(&json!({"payment_request_reference": "PR-89"}))).await.expect(200);
        assert_eq!((&by_put["payment_request_reference"], &by_put["amount"]), (&json!("PR-89"), &json!(5000)));
        let expiry =
            json!({"customer_interaction_config": {"interaction_expiry": {"timestamp": "2026-03-02T11:00:00Z"}}});
        assert_eq!(end.ap(Method::PUT, &path, Some(&expiry)).await.expect(200)["expires_at"], "2026-03-02T11:00:00Z");
        names(&end.ap(Method::PATCH, &path, Some(&json!({"amount": 0}))).await, &["amount"]);
        let late = json!({"customer_interaction_config": {"interaction_expiry": {"duration": "PT1M"}}});
        end.ap(Method::PATCH, &path, Some(&late)).await.refused(400, "VALIDATION_ERROR");
        // The Partner's own key may do the same at its own path.
        let own = format!("/v2/payment/requests/{}", created["payment_request_id"].as_str().unwrap());
        end.call(end.partner_key(), Method::PATCH, &own, Some(&json!({"amount": 5001}))).await.expect(200);
        step(&end, created["payment_request_url"].as_str().unwrap(), CustomerStep::Enter).await.unwrap();
        end.ap(Method::PATCH, &path, Some(&patch)).await.refused(403, "OPERATION_FORBIDDEN");
        let updates = told(&end).await.into_iter().filter(|kind| kind == "request.updated").count();
        assert_eq!(updates, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_ends_an_open_request_and_a_completed_one_until_it_is_spent() {
    for end in ends().await {
        let open = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let path =
            |request: &Value| at(&end, &format!("/requests/{}", request["payment_request_id"].as_str().unwrap()));
        let canceled = end.ap(Method::DELETE, &path(&open), None).await.expect(200);
        assert_eq!((&canceled["state"], &canceled["state_reason"]), (&json!("CANCELED"), &json!("PARTNER_CANCELED")));
        end.ap(Method::DELETE, &path(&open), None).await.refused(403, "OPERATION_FORBIDDEN");
        let gone = step(&end, open["payment_request_url"].as_str().unwrap(), CustomerStep::Enter).await.unwrap();
        assert_eq!(gone.object.state.unwrap().as_str(), "CANCELED");

        // By its payment token, and then the grant is dead.
        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let completed = complete(&end, &created).await;
        let token = completed["state_context"]["payment_token"].as_str().unwrap();
        let answer = end.ap(Method::DELETE, &at(&end, &format!("/tokens/{token}")), None).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
        assert_eq!(
            get(&end, &format!("/requests/{}", completed["payment_request_id"].as_str().unwrap())).await.expect(200)["state"],
            "CANCELED"
        );
        let headers = [("klarna-network-session-token", session_token(&completed))];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        names(&authorize(&end, &headers, &authorization(&end, "TX-1")).await, &["Klarna-Network-Session-Token"]);
        let unknown = "krn:payment:eu1:payment-token:0195d2a0-0000-7000-8000-000000000000";
        end.ap(Method::DELETE, &at(&end, &format!("/tokens/{unknown}")), None).await.refused(404, "RESOURCE_NOT_FOUND");

        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let completed = complete(&end, &created).await;
        let token = session_token(&completed);
        let spent = authorize(&end, &[("klarna-network-session-token", &token)], &authorization(&end, "TX-2")).await;
        spent.expect(200);
        end.ap(Method::DELETE, &path(&completed), None).await.refused(403, "OPERATION_FORBIDDEN");
        let told = told(&end).await;
        assert_eq!(told.iter().filter(|kind| kind.ends_with(".canceled")).count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_expires_is_told_once_and_is_gone_a_day_later() {
    for end in ends().await {
        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let id = created["payment_request_id"].as_str().unwrap();
        let path = format!("/requests/{id}");
        end.ctx.clock.advance(3 * HOUR_US - SECOND_US);
        assert_eq!(get(&end, &path).await.expect(200)["state"], "SUBMITTED");
        end.ctx.clock.advance(SECOND_US);
        // Many readers and the sweep at once: one of them lets it happen.
        let answers = futures_util::future::join_all((0..8).map(|_| get(&end, &path))).await;
        for answer in answers {
            assert_eq!(answer.expect(200)["state"], "EXPIRED");
        }
        end.ap(Method::PATCH, &at(&end, &path), Some(&json!({"amount": 1}))).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(told(&end).await, ["request.state-change.submitted", "request.state-change.expired"]);
        end.ctx.clock.advance(24 * HOUR_US);
        get(&end, &path).await.refused(404, "RESOURCE_NOT_FOUND");
        let unknown = "/requests/krn:payment:eu1:request:0195d2a0-0000-7000-8000-000000000000";
        get(&end, unknown).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_tells_of_an_expiry_that_nobody_looks_at() {
    for end in ends().await {
        post(&end, "/requests", &request_body(&end)).await.expect(201);
        end.ctx.clock.advance(3 * HOUR_US + MINUTE_US);
        let expired = async {
            while told(&end).await.len() < 2 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), expired).await.expect("the sweep comes around");
        assert_eq!(told(&end).await[1], "request.state-change.expired");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn personas_refuse_or_take_their_time() {
    for end in ends().await {
        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let url = created["payment_request_url"].as_str().unwrap();
        step(&end, url, CustomerStep::Enter).await.unwrap();
        let refused = step(&end, url, approve("customer+denied@email.de")).await.unwrap();
        assert_eq!(refused.object.state.unwrap().as_str(), "DECLINED");

        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let url = created["payment_request_url"].as_str().unwrap();
        step(&end, url, CustomerStep::Enter).await.unwrap();
        let pending = step(&end, url, approve("customer+pend-accept-30@email.gb")).await.unwrap();
        assert!(pending.request.pending_until.is_some());
        assert_eq!(pending.object.state.unwrap().as_str(), "IN_PROGRESS");
        end.ctx.clock.advance(30 * SECOND_US);
        let path = format!("/requests/{}", created["payment_request_id"].as_str().unwrap());
        let completed = get(&end, &path).await.expect(200);
        assert_eq!(completed["state"], "COMPLETED");
        session_token(&completed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn completion_yields_the_token_and_profile_that_were_asked_for() {
    for end in ends().await {
        let mut body = request_body(&end);
        body["request_customer_token"] =
            json!({"scopes": ["payment:customer_not_present"], "customer_token_reference": "sub-42"});
        body["collect_customer_profile"] = json!(["profile:name", "profile:email"]);
        let created = post(&end, "/requests", &body).await.expect(201);
        let completed = complete(&end, &created).await;
        let customer = &completed["state_context"]["klarna_customer"];
        let token = customer["customer_token"].as_str().unwrap();
        assert!(token.starts_with("krn:partner:eu1:test:identity:customer-token:"));
        assert_eq!(customer["customer_token_reference"], "sub-42");
        assert_eq!(customer["scopes"], json!(["payment:customer_not_present"]));
        assert_eq!(
            customer["customer_profile"],
            json!({"given_name": "Test", "family_name": "Person-de", "email": "customer@email.de"})
        );
        // Reading again opens the same seal.
        let path = format!("/requests/{}", completed["payment_request_id"].as_str().unwrap());
        assert_eq!(get(&end, &path).await.expect(200)["state_context"]["klarna_customer"], *customer);
        // The token charges, without the customer.
        let charged =
            authorize(&end, &[("klarna-customer-token", token)], &authorization(&end, "TX-3")).await.expect(200);
        assert_eq!(charged["payment_transaction_response"]["result"], "APPROVED");
        // The final authorization hands out the same token.
        let mut finale = authorization(&end, "TX-4");
        finale["request_customer_token"] = body["request_customer_token"].clone();
        let session = session_token(&completed);
        let answer = authorize(&end, &[("klarna-network-session-token", &session)], &finale).await.expect(200);
        assert_eq!(answer["customer_token_response"]["customer_token"], token);
        assert_eq!(answer["customer_token_response"]["result"], "APPROVED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_the_first_generation_is_answered_in_it() {
    for end in ends().await {
        let requests = format!("/v1/accounts/{}/payment/requests", end.partner());
        let mut body = request_body(&end);
        body["payment_amount"] = body.as_object_mut().unwrap().remove("amount").unwrap();
        let created = end.ap(Method::POST, &requests, Some(&body)).await.expect(201);
        assert_eq!((&created["payment_amount"], &created["amount"]), (&json!(AMOUNT), &json!(AMOUNT)));
        let request = format!("{requests}/{}", created["payment_request_id"].as_str().unwrap());
        assert_eq!(end.ap(Method::GET, &request, None).await.expect(200)["payment_amount"], AMOUNT);
        let change = json!({"payment_amount": 100, "supplementary_purchase_data": {"line_items": []}});
        assert_eq!(end.ap(Method::PATCH, &request, Some(&change)).await.expect(200)["payment_amount"], 100);
        let present = request.replacen("/v1/", "/v2/", 1);
        let read = end.ap(Method::GET, &present, None).await.expect(200);
        assert_eq!((&read["amount"], read.get("payment_amount")), (&json!(100), None));
        assert_eq!(end.ap(Method::DELETE, &request, None).await.expect(200)["payment_amount"], 100);
    }
}
