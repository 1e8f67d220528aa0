//! Payment products, payment accounts, compliance decisions, and finding things by their references.

use http::Method;
use serde_json::{Value, json};

use crate::accounts_steps::{
    advance, get, onboarded, operational, patch, payment_request, post, product, told, told_after, told_names,
};
use crate::harness::{Answer, End, ends};
use crate::payments_steps;

const OTHER_PROFILE: &str = "krn:partner:product:payment:0b0e8d5e-1111-4a2b-9c3d-000000000001";

async fn act(end: &End, account: &str, verb: &str, body: Option<&Value>) -> Answer {
    let id = product(end, account).await["product_id"].as_str().unwrap().to_owned();
    end.ap(Method::POST, &format!("/v2/accounts/{account}/products/payment/{id}/{verb}"), body).await
}

/// As Klarna.
async fn put_state(end: &End, account: &str, state: &str) -> Answer {
    let id = product(end, account).await["product_id"].as_str().unwrap().to_owned();
    let path = format!("/testing/accounts/{account}/products/payment/{id}/state");
    end.ap(Method::PUT, &path, Some(&json!({"state": state, "reason": "OTHER_RISK"}))).await
}

async fn decide(end: &End, account: &str, body: &Value) -> Answer {
    end.ap(Method::POST, &format!("/testing/accounts/{account}/compliance/decisions"), Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acquiring_partner_suspends_a_partner_and_lets_it_go_on() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let before = told_after(&end, &account, 1).await.len();
        let body = json!({"reason": "VOLUNTARY", "reason_details": "moving out"});
        let disabled = act(&end, &account, "disable", Some(&body)).await.expect(200);
        assert_eq!(
            (&disabled["state"], &disabled["state_reason"], &disabled["reason_details"]),
            (&json!("DISABLED"), &json!("VOLUNTARY"), &json!("moving out"))
        );
        payment_request(&end, &account).await.refused(403, "OPERATION_FORBIDDEN");
        act(&end, &account, "disable", Some(&body)).await.expect(200);
        let enabled = act(&end, &account, "enable", None).await.expect(200);
        assert_eq!((&enabled["state"], enabled.get("state_reason")), (&json!("ENABLED"), None));
        act(&end, &account, "enable", None).await.expect(200);
        payment_request(&end, &account).await.expect(201);
        let told_now = told(&end, &account).await;
        let names: Vec<&str> = told_now[before..].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["account.product.payment.state-change.disabled", "account.product.payment.state-change.enabled"]
        );
        assert_eq!(
            told_now[before].1,
            json!({"partner_account_id": account, "account_id": account, "partner_account_reference": "p-1",
            "product_id": disabled["product_id"], "state": "DISABLED", "previous_state": "ENABLED", "reason": "VOLUNTARY"})
        );

        let bad = json!({"reason": "BOREDOM", "reason_details": 7});
        assert_eq!(act(&end, &account, "disable", Some(&bad)).await.parameters(), ["reason", "reason_details"]);
        for verb in ["enable", "disable"] {
            let path = format!("/v2/accounts/{account}/products/payment/{OTHER_PROFILE}/{verb}");
            end.ap(Method::POST, &path, None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        // A suspension does not wait until an account can be managed.
        let new = onboarded(&end, "p-2").await;
        act(&end, &new, "disable", None).await.expect(200);
        act(&end, &new, "enable", None).await.refused(409, "RESOURCE_CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_authorized_before_a_suspension_is_captured_and_refunded_after_it() {
    for end in ends().await {
        let transaction = payments_steps::transaction(&end, "TX-1").await;
        let id = transaction["payment_transaction_id"].as_str().unwrap();
        let account = end.partner().to_owned();
        act(&end, &account, "disable", None).await.expect(200);
        payments_steps::authorize(&end, &[], &payments_steps::authorization(&end, "TX-2"))
            .await
            .refused(403, "OPERATION_FORBIDDEN");
        payments_steps::post(&end, &format!("/transactions/{id}/capture"), &json!({"capture_amount": 100}))
            .await
            .expect(201);
        payments_steps::post(&end, &format!("/transactions/{id}/refund"), &json!({"refund_amount": 50}))
            .await
            .expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_klarna_disabled_only_klarna_enables() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let before = told_after(&end, &account, 1).await.len();
        // The Acquiring Partner's own suspension is taken over, in silence.
        act(&end, &account, "disable", None).await.expect(200);
        let decision = decide(&end, &account, &json!({"decision_type": "NON_COMPLIANT"})).await.expect(201);
        let read = product(&end, &account).await;
        assert_eq!(
            (&read["state"], &read["state_reason"], &read["compliance_decision_id"]),
            (&json!("DISABLED"), &json!("NON_COMPLIANT"), &decision["decision_id"])
        );
        act(&end, &account, "enable", None).await.refused(403, "OPERATION_FORBIDDEN");
        act(&end, &account, "disable", None).await.expect(200);
        act(&end, &account, "enable", None).await.refused(403, "OPERATION_FORBIDDEN");
        put_state(&end, &account, "TERMINATED").await.expect(200);
        payment_request(&end, &account).await.refused(403, "OPERATION_FORBIDDEN");
        act(&end, &account, "enable", None).await.refused(403, "OPERATION_FORBIDDEN");
        put_state(&end, &account, "ENABLED").await.expect(200);
        payment_request(&end, &account).await.expect(201);
        put_state(&end, &account, "TERMINATED").await.refused(409, "RESOURCE_CONFLICT");
        let states: Vec<Value> =
            told(&end, &account).await[before..].iter().map(|(_, payload)| payload["state"].clone()).collect();
        assert_eq!(
            states,
            [json!("DISABLED"), Value::Null, json!("TERMINATED"), json!("ENABLED")],
            "a decision has no state"
        );
        // From ENABLED, a decision tells itself first, then what it did.
        decide(&end, &account, &json!({"decision_type": "A_NEW_ONE", "product_state": "TERMINATED"})).await.expect(201);
        let names = told_names(&end, &account).await;
        assert_eq!(
            names[names.len() - 3..],
            [
                "compliance.decision.created",
                "account.product.payment.state-change.disabled",
                "account.product.payment.state-change.disabled"
            ]
        );
        assert_eq!(product(&end, &account).await["state"], "TERMINATED");
        let bad = decide(&end, &account, &json!({"product_state": "ENABLED"})).await;
        assert_eq!(bad.parameters(), ["decision_type", "product_state"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_listed_in_an_array_of_one_page_and_read() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        assert_eq!(get(&end, &account, "/compliance/decisions").await.expect(200)[0]["decisions"], json!([]));
        let mut made = Vec::new();
        for kind in ["FRAUDULENT_BEHAVIOUR", "OTHER_RISK", "NON_COMPLIANT"] {
            made.push(decide(&end, &account, &json!({"decision_type": kind})).await.expect(201));
            advance(&end, "PT1S").await;
        }
        let page = get(&end, &account, "/compliance/decisions?size=2").await.expect(200);
        assert_eq!((page.as_array().unwrap().len(), &page[0]["decisions"]), (1, &json!(made[..2])));
        assert_eq!((&page[0]["pagination"]["count"], &page[0]["pagination"]["total"]), (&json!(2), &json!(3)));
        let last = page[0]["pagination"]["last_item"].as_str().unwrap();
        let rest =
            get(&end, &account, &format!("/compliance/decisions?size=2&starting_after={last}")).await.expect(200);
        assert_eq!(rest[0]["decisions"], json!(made[2..]));
        let first = made[2]["decision_id"].as_str().unwrap();
        let back = get(&end, &account, &format!("/compliance/decisions?ending_before={first}")).await.expect(200);
        assert_eq!(back[0]["decisions"], json!(made[..2]));
        let id = made[0]["decision_id"].as_str().unwrap();
        let read = get(&end, &account, &format!("/compliance/decisions/{id}")).await.expect(200);
        assert_eq!(read, made[0]);
        assert_eq!(read["account_id"], account);
        get(&end, end.partner(), &format!("/compliance/decisions/{id}")).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_can_neither_be_paid_nor_managed_until_klarna_lifts_that() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let before = told_after(&end, &account, 1).await.len();
        let path = format!("/testing/accounts/{account}/state");
        let put = |state: &'static str| {
            let (end, path) = (&end, &path);
            async move { end.ap(Method::PUT, path, Some(&json!({"state": state}))).await }
        };
        assert_eq!(put("DISABLED").await.expect(200)["state"], "DISABLED");
        put("DISABLED").await.expect(200);
        assert_eq!(product(&end, &account).await["state"], "DISABLED");
        payment_request(&end, &account).await.refused(403, "OPERATION_FORBIDDEN");
        patch(&end, &account, "", &json!({"partner_account_name": "N"})).await.refused(403, "OPERATION_FORBIDDEN");
        act(&end, &account, "enable", None).await.refused(403, "OPERATION_FORBIDDEN");
        let more =
            json!({"partner_account_reference": "p-1", "brands": [{"brand_reference": "b", "display_name": "B"}]});
        crate::accounts_steps::onboard(&end, &more).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(put("OPERATIONAL").await.expect(200)["state"], "OPERATIONAL");
        payment_request(&end, &account).await.expect(201);
        let names = told_names(&end, &account).await;
        assert_eq!(
            names[before..],
            [
                "account.change.created",
                "account.product.payment.state-change.disabled",
                "account.state-change.operational",
                "account.product.payment.state-change.enabled"
            ]
        );
        put("GONE").await.refused(400, "VALIDATION_ERROR");
        // What was disabled before the account was stays so.
        decide(&end, &account, &json!({"decision_type": "OTHER_RISK"})).await.expect(201);
        put("DISABLED").await.expect(200);
        put("OPERATIONAL").await.expect(200);
        assert_eq!(product(&end, &account).await["state"], "DISABLED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_accounts_are_made_listed_and_changed_in_two_fields() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let before = told_after(&end, &account, 1).await.len();
        let made = product(&end, &account).await;
        let id = made["product_id"].as_str().unwrap();
        let first = &made["payment_accounts"][0];
        let tail = format!("/products/payment/{id}/payment-accounts");
        let acquiring = &end.credentials.acquiring_partner.payment_acquiring_account_id;
        let body = |reference: &str| {
            json!({"payment_account_reference": reference, "payment_acquiring_account_id": acquiring,
            "default_merchant_category_code": "0742", "partner_business_entity_reference": "le-de", "default_store_group_reference": "sg-main"})
        };
        let new = post(&end, &account, &tail, &body("pa-2")).await.expect(201);
        advance(&end, "PT1S").await;
        assert_eq!(
            (
                &new["partner_business_entity_id"],
                &new["default_store_group_id"],
                &new["default_merchant_category_code"]
            ),
            (&first["partner_business_entity_id"], &first["default_store_group_id"], &json!("0742"))
        );
        let by_id = json!({"payment_account_reference": "pa-3", "payment_acquiring_account_id": acquiring, "default_merchant_category_code": "5941",
            "partner_business_entity_id": first["partner_business_entity_id"], "default_store_group_id": first["default_store_group_id"]});
        post(&end, &account, &tail, &by_id).await.expect(201);
        let page = get(&end, &account, &format!("{tail}?size=2")).await.expect(200);
        assert_eq!((page["payment_accounts"].as_array().unwrap().len(), &page["pagination"]["total"]), (2, &json!(3)));
        let last = page["pagination"]["last_item"].as_str().unwrap();
        let rest = get(&end, &account, &format!("{tail}?starting_after={last}")).await.expect(200);
        assert_eq!(rest["payment_accounts"][0]["payment_account_reference"], "pa-3");
        let cursor = rest["payment_accounts"][0]["payment_account_id"].as_str().unwrap();
        let back = get(&end, &account, &format!("{tail}?ending_before={cursor}&size=1")).await.expect(200);
        assert_eq!(back["payment_accounts"][0]["payment_account_reference"], "pa-2");

        let one = format!("{tail}/{}", new["payment_account_id"].as_str().unwrap());
        assert_eq!(get(&end, &account, &one).await.expect(200), new);
        let changed = patch(
            &end,
            &account,
            &one,
            &json!({"payment_account_reference": "pa-two", "default_merchant_category_code": "5942"}),
        )
        .await
        .expect(200);
        assert_eq!(
            (&changed["payment_account_reference"], &changed["default_merchant_category_code"]),
            (&json!("pa-two"), &json!("5942"))
        );
        patch(&end, &account, &one, &json!({"payment_account_reference": "pa-two"})).await.expect(200);
        let fields: Vec<Value> =
            told(&end, &account).await[before..].iter().map(|(_, payload)| payload["changed_fields"].clone()).collect();
        assert_eq!(fields.len(), 3, "{fields:?}");
        assert_eq!(fields[2], json!(["payment_account_reference", "default_merchant_category_code"]));
        // A payment goes there by its new name.
        let request = json!({"currency": "EUR", "amount": 100, "customer_interaction_config": {"method": "QR_CODE"},
            "acquiring_config": {"payment_acquiring_account_id": acquiring, "payment_account_reference": "pa-two"}});
        post(&end, &account, "/payment/requests", &request).await.expect(201);

        for (answer, parameters) in [
            (
                post(&end, &account, &tail, &json!({})).await,
                vec![
                    "payment_account_reference",
                    "payment_acquiring_account_id",
                    "default_merchant_category_code",
                    "partner_business_entity_reference",
                    "default_store_group_reference",
                ],
            ),
            (
                patch(
                    &end,
                    &account,
                    &one,
                    &json!({"payment_acquiring_account_id": acquiring, "default_store_group_reference": "g"}),
                )
                .await,
                vec!["payment_acquiring_account_id", "default_store_group_reference"],
            ),
            (
                patch(&end, &account, &one, &json!({"default_merchant_category_code": "7995"})).await,
                vec!["default_merchant_category_code"],
            ),
        ] {
            answer.refused(400, "VALIDATION_ERROR");
            let mut given = answer.parameters();
            given.sort();
            let mut wanted = parameters;
            wanted.sort_unstable();
            assert_eq!(given, wanted);
        }
        let mut dangling = body("pa-9");
        dangling["payment_acquiring_account_id"] =
            json!("krn:partner:global:account:acquiring-account:0b0e8d5e-1111-4a2b-9c3d-000000000001");
        dangling["partner_business_entity_reference"] = json!("none");
        dangling["default_store_group_reference"] = json!("none");
        assert_eq!(
            post(&end, &account, &tail, &dangling).await.parameters(),
            ["partner_business_entity_reference", "default_store_group_reference", "payment_acquiring_account_id"]
        );
        post(&end, &account, &tail, &body("pa-two")).await.refused(409, "RESOURCE_CONFLICT");
        // Of another Partner, at the same acquiring account.
        patch(&end, &account, &one, &json!({"payment_account_reference": "pa-guaranteed"}))
            .await
            .refused(409, "RESOURCE_CONFLICT");
        get(&end, end.partner(), &one).await.refused(404, "RESOURCE_NOT_FOUND");
        let foreign = format!("/products/payment/{OTHER_PROFILE}/payment-accounts");
        for answer in [get(&end, &account, &foreign).await, post(&end, &account, &foreign, &body("pa-9")).await] {
            answer.refused(404, "RESOURCE_NOT_FOUND");
        }
        get(&end, &account, &format!("/products/payment/{OTHER_PROFILE}")).await.refused(404, "RESOURCE_NOT_FOUND");
        assert_eq!(
            get(&end, &account, &format!("/products/payment/{id}")).await.expect(200)["payment_accounts"]
                .as_array()
                .unwrap()
                .len(),
            3
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_found_by_references() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let acquiring = end.credentials.acquiring_partner.payment_acquiring_account_id.clone();
        let listed = end.ap(Method::GET, "/v2/account/acquiring/accounts", None).await.expect(200);
        assert_eq!(
            listed,
            json!({"payment_acquiring_accounts": [
            {"payment_acquiring_account_id": acquiring, "payment_acquiring_account_reference": "acquiring-1"}]})
        );
        let resolve = |tail: String| {
            let end = &end;
            async move { end.ap(Method::GET, &format!("/v2/distribution/resolve/{tail}"), None).await }
        };
        let found = resolve("partner-account-id?partner_account_reference=p-1".to_owned()).await.expect(200);
        assert_eq!(found, json!({"partner_account_id": account}));
        resolve("partner-account-id?partner_account_reference=P-1".to_owned()).await.refused(404, "RESOURCE_NOT_FOUND");
        assert_eq!(resolve("partner-account-id".to_owned()).await.parameters(), ["partner_account_reference"]);
        let tail =
            format!("payment-account-id?payment_acquiring_account_id={acquiring}&payment_account_reference=p-1-de");
        let wanted = product(&end, &account).await["payment_accounts"][0]["payment_account_id"].clone();
        assert_eq!(resolve(tail).await.expect(200), json!({"payment_account_id": wanted}));
        let none =
            format!("payment-account-id?payment_acquiring_account_id={acquiring}&payment_account_reference=none");
        resolve(none).await.refused(404, "RESOURCE_NOT_FOUND");
        resolve("payment-account-id?payment_acquiring_account_id=x&payment_account_reference=p-1-de".to_owned())
            .await
            .refused(404, "RESOURCE_NOT_FOUND");
        assert_eq!(
            resolve("payment-account-id".to_owned()).await.parameters(),
            ["payment_acquiring_account_id", "payment_account_reference"]
        );
    }
}
