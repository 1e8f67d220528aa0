//! Authorization over HTTP: both entries, every result, every token that does not do.

use std::collections::BTreeSet;

use http::{HeaderMap, Method};
use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use kit::db::UnitFuture;
use kit::http::ApiError;
use network::tokens::{self, Spending};
use network::{accounts, payments};
use protocol::{Currency, PartnerAccountId};
use serde_json::{Value, json};

use crate::harness::{self, End, Wishes, ends, places};
use crate::payments_steps::*;

const SESSION: &str = "klarna-network-session-token";

async fn completed(end: &End) -> Value {
    let created = post(end, "/requests", &request_body(end)).await.expect(201);
    complete(end, &created).await
}

fn payment(answer: &Value) -> (&Value, &Value) {
    (&answer["payment_transaction_response"]["result"], &answer["payment_transaction_response"]["result_reason"])
}

#[tokio::test(flavor = "multi_thread")]
async fn authorize_first_steps_up_and_the_approval_authorizes() {
    for end in ends().await {
        let asked = authorize(&end, &[], &with_step_up(authorization(&end, "TX-88"))).await.expect(200);
        assert_eq!(asked["payment_transaction_response"], json!({"result": "STEP_UP_REQUIRED"}));
        let request = &asked["payment_request"];
        assert_eq!((&request["state"], &request["amount"]), (&json!("SUBMITTED"), &json!(AMOUNT)));
        let id = &request["payment_request_id"];
        assert_eq!(request["state_context"]["customer_interaction"]["payment_request_id"], *id);

        let completed = complete(&end, request).await;
        let token = session_token(&completed);
        let answer = authorize(&end, &[(SESSION, &token)], &authorization(&end, "TX-88")).await.expect(200);
        assert_eq!(payment(&answer).0, "APPROVED");
        let transaction = &answer["payment_transaction_response"]["payment_transaction"];
        assert_eq!(transaction["payment_request_id"], *id);
        assert_eq!(transaction["supplementary_purchase_data"], purchase());
        assert_eq!(transaction["payment_funding"], json!({"type": "GUARANTEED", "state": "FUNDED"}));
        assert_eq!((&transaction["remaining_amount"], &transaction["captured_amount"]), (&json!(AMOUNT), &json!(0)));
        assert_eq!(transaction["expires_at"], "2026-03-30T10:00:00Z");
        let read =
            get(&end, &format!("/transactions/{}", transaction["payment_transaction_id"].as_str().unwrap())).await;
        assert_eq!(read.expect(200), *transaction);
        let last = events(&end).await.pop().unwrap();
        assert_eq!((last.0.as_str(), &last.1["state"]), ("transaction.state-change.authorized", &json!("AUTHORIZED")));
        assert_eq!((&last.1["purchase_reference"], &last.1["remaining_amount"]), (&json!("88"), &json!(AMOUNT)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_final_call_need_repeat_no_more_than_currency_amount_and_reference() {
    for end in ends().await {
        let minimal = |reference: &str| {
            let wanted = json!({"amount": AMOUNT, "payment_transaction_reference": reference});
            json!({"currency": "EUR", "request_payment_transaction": wanted})
        };
        // Without an approval it must say which of the two payment accounts is meant.
        names(&authorize(&end, &[], &minimal("TX-0")).await, &["acquiring_config"]);

        let mut body = request_body(&end);
        let account = json!(end.credentials.partner.payment_account_id_non_guaranteed);
        body["acquiring_config"] = json!({"payment_account_id": account, "settlement_currency": "SEK"});
        let created = post(&end, "/requests", &body).await.expect(201);
        let token = session_token(&complete(&end, &created).await);
        let answer = authorize(&end, &[(SESSION, &token)], &minimal("TX-1")).await.expect(200);
        let transaction = &answer["payment_transaction_response"]["payment_transaction"];
        assert_eq!((payment(&answer).0, &transaction["payment_account_id"]), (&json!("APPROVED"), &account));
        assert_eq!(transaction["supplementary_purchase_data"], purchase());
        assert_eq!(transaction["settlement_currency"], "SEK");
        assert_eq!(transaction["payment_funding"]["type"], "NON_GUARANTEED");

        // What it does say stands.
        let token = session_token(&completed(&end).await);
        let mut call = minimal("TX-2");
        call["supplementary_purchase_data"] = json!({"purchase_reference": "89"});
        let answer = authorize(&end, &[(SESSION, &token)], &call).await.expect(200);
        let transaction = &answer["payment_transaction_response"]["payment_transaction"];
        assert_eq!(transaction["supplementary_purchase_data"], json!({"purchase_reference": "89"}));
        assert_eq!(transaction["payment_account_id"], acquiring(&end)["payment_account_id"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_spent_once_whichever_header_carries_it() {
    for end in ends().await {
        let request = completed(&end).await;
        let (token, handle) =
            (session_token(&request), request["state_context"]["payment_token"].as_str().unwrap().to_owned());
        // Two headers for one grant are fine; two grants are not.
        let other = session_token(&completed(&end).await);
        let both = [(SESSION, token.as_str()), ("klarna-interoperability-token", other.as_str())];
        names(&authorize(&end, &both, &authorization(&end, "TX-0")).await, &["Klarna-Interoperability-Token"]);
        let same = [(SESSION, token.as_str()), ("klarna-payment-token", handle.as_str())];
        authorize(&end, &same, &authorization(&end, "TX-1")).await.expect(200);
        for (name, value, parameter) in [
            (SESSION, &token, "Klarna-Network-Session-Token"),
            ("klarna-interoperability-token", &token, "Klarna-Interoperability-Token"),
            ("klarna-payment-token", &handle, "Klarna-Payment-Token"),
        ] {
            let answer = authorize(&end, &[(name, value)], &authorization(&end, "TX-2")).await;
            names(&answer, &[parameter]);
            assert!(answer.text.contains("spent"), "{}", answer.text);
        }
        // With a way to ask, a spent token is as if absent.
        let asked = authorize(&end, &[(SESSION, &token)], &with_step_up(authorization(&end, "TX-2"))).await.expect(200);
        assert_eq!(payment(&asked).0, "STEP_UP_REQUIRED");

        // In parallel, one wins.
        let body: Vec<_> = (0..12).map(|n| authorization(&end, &format!("TX-P{n}"))).collect();
        let headers = [(SESSION, other.as_str())];
        let answers = futures_util::future::join_all(body.iter().map(|body| authorize(&end, &headers, body))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            names(answer, &["Klarna-Network-Session-Token"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_do_not_do_are_refused_with_their_reason() {
    for end in ends().await {
        let created = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let recognising = created["state_context"]["interoperability_token"].as_str().unwrap().to_owned();
        let token = session_token(&complete(&end, &created).await);
        let (head, signature) = token.rsplit_once('.').unwrap();
        let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
        let handle = "krn:payment:eu1:payment-token:0195d2a0-0000-7000-8000-000000000000".to_owned();
        for (text, reason) in
            [(forged.as_str(), "unknown"), ("nonsense", "unknown"), (recognising.as_str(), "not completed")]
        {
            let answer = authorize(&end, &[(SESSION, text)], &authorization(&end, "TX-1")).await;
            names(&answer, &["Klarna-Network-Session-Token"]);
            assert!(answer.text.contains(reason), "{}", answer.text);
        }
        let answer = authorize(&end, &[("klarna-payment-token", &handle)], &authorization(&end, "TX-1")).await;
        names(&answer, &["Klarna-Payment-Token"]);

        // What the customer approved holds, and a mismatch does not spend it.
        let mut other = authorization(&end, "TX-1");
        other["request_payment_transaction"]["amount"] = json!(AMOUNT - 1);
        other["supplementary_purchase_data"] = Value::Null;
        names(&authorize(&end, &[(SESSION, &token)], &other).await, &["request_payment_transaction.amount"]);
        let mut other = authorization(&end, "TX-1");
        other["currency"] = json!("SEK");
        names(&authorize(&end, &[(SESSION, &token)], &other).await, &["currency"]);
        end.ctx.clock.advance(59 * MINUTE_US);
        authorize(&end, &[(SESSION, &token)], &authorization(&end, "TX-1")).await.expect(200);

        let late = session_token(&completed(&end).await);
        end.ctx.clock.advance(HOUR_US);
        let answer = authorize(&end, &[(SESSION, &late)], &authorization(&end, "TX-2")).await;
        names(&answer, &["Klarna-Network-Session-Token"]);
        assert!(answer.text.contains("expired"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_partner_is_refused() {
    for end in ends().await {
        let other = PartnerAccountId::new_test("OTHER001");
        let above: PartnerAccountId = end.credentials.acquiring_partner.account_id.parse().unwrap();
        let opened = other.clone();
        end.ctx
            .db
            .write(move |tx| {
                Box::pin(async move { accounts::open(tx, &opened, Some(&above), "other", "Other", 0).await })
            })
            .await
            .unwrap();
        let token = session_token(&completed(&end).await);
        let mut headers = HeaderMap::new();
        headers.insert(SESSION, token.parse().unwrap());
        let (ctx, account) = (end.ctx.clone(), other.clone());
        let refused: ApiError = end
            .ctx
            .db
            .write(move |tx| -> UnitFuture<'_, Result<Spending, ApiError>> {
                Box::pin(async move {
                    let now = ctx.clock.now();
                    let presented = tokens::presented(&tokens::keys_in(tx, &ctx).await?, &headers, now)?;
                    tokens::spend(tx, &account, &presented, (Currency::EUR, Some(AMOUNT)), None, now).await
                })
            })
            .await
            .unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.validation_errors.len()), (400, 1));
        assert_eq!(refused.validation_errors[0].parameter, "Klarna-Network-Session-Token");
        // Without a payment product nothing is to be authorized.
        let path = format!("/v2/accounts/{other}/payment/authorize");
        let body = authorization(&end, "TX-1");
        end.ap(Method::POST, &path, Some(&body)).await.refused(403, "OPERATION_FORBIDDEN");
        // The other's transactions and requests look absent.
        let transaction = id(&transaction(&end, "TX-2").await);
        let path = format!("/v2/accounts/{other}/payment/transactions/{transaction}");
        end.ap(Method::GET, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        for verb in ["capture", "refund", "void", "authorize"] {
            end.ap(Method::POST, &format!("{path}/{verb}"), Some(&json!({}))).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        end.ap(Method::PATCH, &path, Some(&json!({"amount": 1}))).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_customer_is_charged_by_scope_persona_and_standing() {
    for end in ends().await {
        let token = end.credentials.partner.customer_token.clone().unwrap();
        let charge = |reference: &'static str| {
            let (end, token) = (&end, token.clone());
            async move {
                let headers = [("x-klarna-customer-token", token.as_str())];
                authorize(end, &headers, &with_step_up(authorization(end, reference))).await
            }
        };
        // Charged although a step-up would be possible.
        assert_eq!(payment(&charge("TX-1").await.expect(200)).0, "APPROVED");
        charge("TX-1").await.refused(409, "RESOURCE_CONFLICT");

        // Asking for a new token needs the customer.
        let mut body = authorization(&end, "TX-2");
        body["request_customer_token"] = json!({"scopes": ["payment:customer_present"]});
        let headers = [("klarna-customer-token", token.as_str())];
        let answer = authorize(&end, &headers, &body).await.expect(200);
        assert_eq!(payment(&answer), (&json!("DECLINED"), &json!("STEP_UP_NOT_POSSIBLE")));
        assert_eq!(answer["customer_token_response"]["result"], "DECLINED");
        let answer = authorize(&end, &headers, &with_step_up(body)).await.expect(200);
        assert_eq!(payment(&answer).0, "STEP_UP_REQUIRED");
        assert_eq!(answer["payment_request"]["request_customer_token"]["scopes"], json!(["payment:customer_present"]));

        let unknown = [(
            "klarna-customer-token",
            "krn:partner:eu1:test:identity:customer-token:00000000000000000000000000000000",
        )];
        names(&authorize(&end, &unknown, &authorization(&end, "TX-3")).await, &["Klarna-Customer-Token"]);

        // Nobody speaks for the customer, and nobody can be asked.
        let answer = authorize(&end, &[], &authorization(&end, "TX-3")).await.expect(200);
        assert_eq!(payment(&answer), (&json!("DECLINED"), &json!("STEP_UP_NOT_POSSIBLE")));

        // The purchase names the persona of a customer who is not a published one.
        let mut body = authorization(&end, "TX-4");
        body["supplementary_purchase_data"]["customer"] = json!({"email": "customer+denied@email.de"});
        let answer = authorize(&end, &headers, &body).await.expect(200);
        assert_eq!(payment(&answer), (&json!("DECLINED"), &json!("RISK_DECLINED")));

        let identity = |verb: &str| format!("/v2/accounts/{}/identity/customer-token/{verb}", end.partner());
        let ap = format!("Basic {}", end.ap_key());
        let headers = [("authorization", ap.as_str()), ("klarna-customer-token", token.as_str())];
        let seen = end.send(Method::POST, &identity("introspect"), &headers, None).await.expect(200);
        assert_eq!((&seen["status"], &seen["issued_at"]), (&json!("ACTIVE"), &json!(1_772_445_600_000_i64)));
        for _ in 0..2 {
            assert_eq!(end.send(Method::POST, &identity("revoke"), &headers, None).await.status, 204);
        }
        let seen = end.send(Method::POST, &identity("introspect"), &headers, None).await.expect(200);
        assert_eq!(seen["status"], "REVOKED");
        assert_eq!(payment(&charge("TX-5").await.expect(200)), (&json!("DECLINED"), &json!("CUSTOMER_TOKEN_REVOKED")));
        let revoked = told(&end).await.into_iter().filter(|kind| kind.ends_with(".revoked")).count();
        assert_eq!(revoked, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_authorization_is_named() {
    for end in ends().await {
        let with = |change: fn(&mut Value)| {
            let mut body = with_step_up(authorization(&end, "TX-1"));
            change(&mut body);
            body
        };
        let cases: [(Value, &[&str]); 10] = [
            (json!({}), &["currency", "request_payment_transaction"]),
            (
                json!({"currency": "EUR", "request_payment_transaction": {}}),
                &["request_payment_transaction.amount", "request_payment_transaction.payment_transaction_reference"],
            ),
            (
                with(|body| body["request_payment_transaction"]["amount"] = json!(0)),
                &["request_payment_transaction.amount"],
            ),
            (
                with(|body| body["request_payment_transaction"]["amount"] = json!(1e30)),
                &["request_payment_transaction.amount"],
            ),
            (
                with(|body| body["request_payment_transaction"]["capture"] = json!("SOON")),
                &["request_payment_transaction.capture"],
            ),
            (with(|body| body["currency"] = json!("QQQ")), &["currency"]),
            (
                with(|body| body["supplementary_purchase_data"]["line_items"][1]["total_amount"] = json!(-501)),
                &["supplementary_purchase_data.line_items"],
            ),
            (
                with(|body| body["step_up_config"]["customer_interaction_config"] = json!({"method": "HANDOVER"})),
                &["step_up_config.customer_interaction_config.return_url"],
            ),
            (
                with(|body| body["step_up_config"]["payment_request_expires_at"] = json!("2026-03-02T10:14:00Z")),
                &["step_up_config.payment_request_expires_at"],
            ),
            (
                with(|body| {
                    body["step_up_config"]["payment_request_expires_at"] = json!("2026-03-02T12:00:00Z");
                    body["step_up_config"]["customer_interaction_config"]["interaction_expiry"] =
                        json!({"duration": "PT1H"});
                }),
                &["step_up_config.payment_request_expires_at"],
            ),
        ];
        for (body, parameters) in cases {
            names(&authorize(&end, &[], &body).await, parameters);
        }
        assert!(told(&end).await.is_empty());
        // QR codes need no way back.
        let mut body = with_step_up(authorization(&end, "TX-1"));
        body["step_up_config"]["customer_interaction_config"] = json!({"method": "QR_CODE"});
        let asked = authorize(&end, &[], &body).await.expect(200);
        let interaction = &asked["payment_request"]["state_context"]["customer_interaction"];
        let image = interaction["qr_code"]["image_url"].as_str().unwrap().strip_prefix(&end.base).unwrap();
        let shown = end.send(Method::GET, image, &[], None).await;
        assert_eq!((shown.status, shown.header("content-type")), (200, Some("image/svg+xml")));
        assert!(shown.text.starts_with("<svg"));
        let short = interaction["qr_code"]["target_url"].as_str().unwrap().strip_prefix(&end.base).unwrap();
        assert_eq!((&short[..3], short.len()), ("/l/", 11));
        let led = end.send(Method::GET, short, &[], None).await;
        assert_eq!((led.status, led.header("location")), (303, interaction["payment_request_url"].as_str()));
        assert_eq!(end.send(Method::GET, "/l/AAAAAAAA", &[], None).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_product_authorizes_nothing_but_old_payments_go_on() {
    for end in ends().await {
        let transaction = id(&transaction(&end, "TX-1").await);
        let partner: PartnerAccountId = end.partner().parse().unwrap();
        end.ctx
            .db
            .write(move |tx| Box::pin(async move { accounts::set_product_state(tx, &partner, "DISABLED", 0).await }))
            .await
            .unwrap();
        authorize(&end, &[], &authorization(&end, "TX-2")).await.refused(403, "OPERATION_FORBIDDEN");
        post(&end, "/requests", &request_body(&end)).await.refused(403, "OPERATION_FORBIDDEN");
        post(&end, &format!("/transactions/{transaction}/capture"), &json!({"capture_amount": 10})).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_authorizes_once() {
    for end in ends().await {
        let token = end.credentials.partner.customer_token.clone().unwrap();
        let ap = format!("Basic {}", end.ap_key());
        let body = authorization(&end, "TX-1");
        let headers = [
            ("authorization", ap.as_str()),
            ("klarna-customer-token", token.as_str()),
            ("klarna-idempotency-key", "k-1"),
        ];
        let path = at(&end, "/authorize");
        let calls = (0..16).map(|_| end.send(Method::POST, &path, &headers, Some(&body)));
        let answers = futures_util::future::join_all(calls).await;
        let made: BTreeSet<_> =
            answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.text.clone()).collect();
        assert_eq!(made.len(), 1);
        for answer in answers.iter().filter(|answer| answer.status != 200) {
            answer.refused(409, "RESOURCE_CONFLICT");
        }
        let again = end.send(Method::POST, &path, &headers, Some(&body)).await;
        assert_eq!(Some(&again.text), made.first());
        let mut other = body.clone();
        other["request_payment_transaction"]["payment_transaction_reference"] = json!("TX-9");
        end.send(Method::POST, &path, &headers, Some(&other)).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(told(&end).await, ["transaction.state-change.authorized"]);
        let partner: PartnerAccountId = end.partner().parse().unwrap();
        let listed = end
            .ctx
            .db
            .read(move |tx| Box::pin(async move { payments::list(tx, &partner, "", 10).await }))
            .await
            .unwrap();
        assert_eq!(listed.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_express_test_token_pays_any_amount_once_and_the_others_recognise() {
    for end in ends().await {
        let path = format!("/v2/accounts/{}/interoperability/test-tokens", end.partner());
        let make = |journey: &'static str| {
            let (end, path) = (&end, path.clone());
            async move { end.ap(Method::POST, &path, Some(&json!({"customer_journey": journey}))).await }
        };
        let made = make("KLARNA_EXPRESS_CHECKOUT").await.expect(200);
        let token = made["interoperability_token"].as_str().unwrap();
        assert_eq!(made["klarna_network_session_token"], token);
        let mut body = authorization(&end, "TX-1");
        body["currency"] = json!("USD");
        let answer = authorize(&end, &[("klarna-interoperability-token", token)], &body).await.expect(200);
        assert_eq!(payment(&answer).0, "APPROVED");
        let transaction = &answer["payment_transaction_response"]["payment_transaction"]["payment_transaction_id"];
        assert!(transaction.as_str().unwrap().starts_with("krn:payment:us1:transaction:"));
        names(
            &authorize(&end, &[("klarna-interoperability-token", token)], &authorization(&end, "TX-2")).await,
            &["Klarna-Interoperability-Token"],
        );
        let made = make("SIGN_IN_WITH_KLARNA").await.expect(200);
        let token = made["interoperability_token"].as_str().unwrap();
        names(
            &authorize(&end, &[(SESSION, token)], &authorization(&end, "TX-2")).await,
            &["Klarna-Network-Session-Token"],
        );
        names(&make("KLARNA_TELEPATHY").await, &["customer_journey"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_persona_is_waited_for_and_then_decides() {
    for end in ends().await {
        let token = end.credentials.partner.customer_token.clone().unwrap();
        for (email, result) in
            [("customer+pend-accept-20@email.us", "APPROVED"), ("customer+pend-reject-20@email.us", "DECLINED")]
        {
            let mut body = authorization(&end, email);
            body["supplementary_purchase_data"]["customer"] = json!({"email": email});
            let headers = [("klarna-customer-token", token.as_str())];
            let call = authorize(&end, &headers, &body);
            tokio::pin!(call);
            let begun = end.ctx.clock.now();
            let answer = loop {
                tokio::select! {
                    answer = &mut call => break answer,
                    () = tokio::time::sleep(std::time::Duration::from_millis(20)) => end.ctx.clock.advance(SECOND_US),
                }
            };
            assert_eq!(payment(&answer.expect(200)).0, result);
            assert!(end.ctx.clock.now() - begun >= 20 * SECOND_US);
        }
        assert_eq!(told(&end).await, ["transaction.state-change.authorized"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_and_addresses_outlive_a_restart() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let granted = session_token(&completed(&end).await);
        let open = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let base = end.base.clone();
        end.stop().await;
        let end = harness::start(&place, Wishes::default()).await;
        authorize(&end, &[(SESSION, &granted)], &authorization(&end, "TX-1")).await.expect(200);
        let url = open["payment_request_url"].as_str().unwrap().replace(&base, &end.base);
        let request =
            get(&end, &format!("/requests/{}", open["payment_request_id"].as_str().unwrap())).await.expect(200);
        assert_eq!(request["payment_request_url"], url);
        let token = session_token(&complete(&end, &request).await);
        authorize(&end, &[(SESSION, &token)], &authorization(&end, "TX-2")).await.expect(200);
        end.stop().await;
    }
}
