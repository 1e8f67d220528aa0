//! Onboarding, Partner accounts and the resources below them.

use http::Method;
use serde_json::{Value, json};

use super::Contract;
use crate::harness::End;

/// The first of a list of the seeded Partner: its id.
async fn first(end: &End, tail: &str, key: &str, id: &str) -> String {
    let list = end.ap(Method::GET, &format!("/v2/accounts/{}{tail}", end.partner()), None).await.expect(200);
    let list = if key.is_empty() { &list } else { &list[key] };
    list[0][id].as_str().expect("the seed has one").to_owned()
}

async fn product(end: &End) -> String {
    first(end, "/products/payment", "", "product_id").await
}

/// A body of all fields that makes a Partner.
fn onboarding(end: &End, op: &Contract, reference: &str) -> Value {
    let seeded = &end.credentials.acquiring_partner;
    op.body_with(json!({"partner_account_reference": reference,
        "products": [{"payment_profile_id": seeded.payment_profile_id, "payment_accounts": [{
            "payment_acquiring_account_id": seeded.payment_acquiring_account_id,
            "payment_account_reference": format!("{reference}-pa"),
            "partner_business_entity_reference": "entity-1"}]}],
        "partner_business_entities": [{"partner_business_entity_reference": "entity-1"}]}))
}

crate::contracts! {
    "POST /v2/distribution/onboard" => async fn onboards_a_partner(end, op) {
        let body = onboarding(end, op, "p-1");
        op.reads(&op.call(end, &[], Some(&body)).await);
    }
    "GET /v2/accounts/{partner_account_id}" => async fn reads_an_account(end, op) {
        op.reads(&op.call_with(end, &[], "expand=products&expand=brands", &[], None).await);
    }
    "PATCH /v2/accounts/{partner_account_id}" => async fn changes_an_account(end, op) {
        op.call(end, &[], Some(&op.body())).await;
    }
    "POST /v2/accounts/{partner_account_id}/brands" => async fn creates_a_brand(end, op) {
        op.reads(&op.call(end, &[], Some(&op.body())).await);
    }
    "GET /v2/accounts/{partner_account_id}/brands" => async fn lists_brands(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/accounts/{partner_account_id}/brands/{brand_id}" => async fn reads_a_brand(end, op) {
        let id = first(end, "/brands", "brands", "brand_id").await;
        op.call(end, &[("brand_id", &id)], None).await;
    }
    "PATCH /v2/accounts/{partner_account_id}/brands/{brand_id}" => async fn changes_a_brand(end, op) {
        let id = first(end, "/brands", "brands", "brand_id").await;
        op.call(end, &[("brand_id", &id)], Some(&op.body())).await;
    }
    "POST /v2/accounts/{partner_account_id}/partner-business-entities" => async fn creates_a_business_entity(end, op) {
        let body = op.body_with(json!({"partner_business_entity_reference": "entity-2"}));
        op.reads(&op.call(end, &[], Some(&body)).await);
    }
    "GET /v2/accounts/{partner_account_id}/partner-business-entities" => async fn lists_business_entities(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/accounts/{partner_account_id}/partner-business-entities/{partner_business_entity_id}" => async fn reads_a_business_entity(end, op) {
        let id = first(end, "/partner-business-entities", "partner_business_entities", "partner_business_entity_id").await;
        op.call(end, &[("partner_business_entity_id", &id)], None).await;
    }
    "PATCH /v2/accounts/{partner_account_id}/partner-business-entities/{partner_business_entity_id}" => async fn changes_a_business_entity(end, op) {
        let id = first(end, "/partner-business-entities", "partner_business_entities", "partner_business_entity_id").await;
        op.call(end, &[("partner_business_entity_id", &id)], Some(&op.body())).await;
    }
    "POST /v2/accounts/{partner_account_id}/products/payment/{product_id}/payment-accounts" => async fn creates_a_payment_account(end, op) {
        let product = product(end).await;
        let acquiring = &end.credentials.acquiring_partner.payment_acquiring_account_id;
        let body = op.body_with(json!({"payment_acquiring_account_id": acquiring}));
        op.reads(&op.call(end, &[("product_id", &product)], Some(&body)).await);
    }
    "GET /v2/accounts/{partner_account_id}/products/payment/{product_id}/payment-accounts/{payment_account_id}" => async fn reads_a_payment_account(end, op) {
        let product = product(end).await;
        let id = end.credentials.partner.payment_account_id.clone();
        op.reads(&op.call(end, &[("product_id", &product), ("payment_account_id", &id)], None).await);
    }
    "PATCH /v2/accounts/{partner_account_id}/products/payment/{product_id}/payment-accounts/{payment_account_id}" => async fn changes_a_payment_account(end, op) {
        let product = product(end).await;
        let id = end.credentials.partner.payment_account_id.clone();
        let params = [("product_id", product.as_str()), ("payment_account_id", id.as_str())];
        op.reads(&op.call(end, &params, Some(&op.body())).await);
    }
    "GET /v2/accounts/{partner_account_id}/products/payment" => async fn lists_payment_products(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "POST /v2/accounts/{partner_account_id}/products/payment/{product_id}/enable" => async fn enables_a_payment_product(end, op) {
        let product = product(end).await;
        op.call(end, &[("product_id", &product)], None).await;
    }
    "POST /v2/accounts/{partner_account_id}/products/payment/{product_id}/disable" => async fn disables_a_payment_product(end, op) {
        let product = product(end).await;
        op.call(end, &[("product_id", &product)], Some(&op.body())).await;
    }
    "GET /v2/accounts/{partner_account_id}/compliance/decisions" => async fn lists_compliance_decisions(end, op) {
        decide(end).await;
        op.reads(&op.call_with(end, &[], "size=20&starting_after=", &[], None).await);
    }
    "GET /v2/accounts/{partner_account_id}/compliance/decisions/{decision_id}" => async fn reads_a_compliance_decision(end, op) {
        let id = decide(end).await;
        op.call(end, &[("decision_id", &id)], None).await;
    }
    "POST /v2/accounts/{partner_account_id}/store-groups" => async fn creates_a_store_group(end, op) {
        let body = op.body_with(json!({"store_group_reference": "group-2", "brand_reference": "brand-1"}));
        op.reads(&op.call(end, &[], Some(&body)).await);
    }
    "GET /v2/accounts/{partner_account_id}/store-groups" => async fn lists_store_groups(end, op) {
        op.reads(&op.call_with(end, &[], "size=5&starting_after=&ending_before=", &[], None).await);
    }
    "GET /v2/accounts/{partner_account_id}/store-groups/{store_group_id}" => async fn reads_a_store_group(end, op) {
        let id = first(end, "/store-groups", "store_groups", "store_group_id").await;
        op.call(end, &[("store_group_id", &id)], None).await;
    }
    "PATCH /v2/accounts/{partner_account_id}/store-groups/{store_group_id}" => async fn changes_a_store_group(end, op) {
        let id = first(end, "/store-groups", "store_groups", "store_group_id").await;
        op.call(end, &[("store_group_id", &id)], Some(&op.body())).await;
    }
    "POST /v2/accounts/{partner_account_id}/stores" => async fn creates_a_store(end, op) {
        let group = first(end, "/store-groups", "store_groups", "store_group_id").await;
        for kind in ["WEBSITE", "MOBILE_APP", "PHYSICAL_STORE"] {
            let body = op.body_with(json!({"type": kind, "store_reference": format!("new-{kind}"), "store_group_id": group}));
            op.reads(&op.call(end, &[], Some(&body)).await);
        }
    }
    "GET /v2/accounts/{partner_account_id}/stores" => async fn lists_stores(end, op) {
        op.reads(&op.call_with(end, &[], "size=5&starting_after=&ending_before=", &[], None).await);
    }
    "GET /v2/accounts/{partner_account_id}/stores/{store_id}" => async fn reads_a_store(end, op) {
        let id = first(end, "/stores", "stores", "store_id").await;
        op.call(end, &[("store_id", &id)], None).await;
    }
    "PATCH /v2/accounts/{partner_account_id}/stores/{store_id}" => async fn changes_a_store(end, op) {
        let id = first(end, "/stores", "stores", "store_id").await;
        op.call(end, &[("store_id", &id)], Some(&op.body())).await;
    }
}

async fn decide(end: &End) -> String {
    let path = format!("/testing/accounts/{}/compliance/decisions", end.partner());
    let decision = end.ap(Method::POST, &path, Some(&json!({"decision_type": "OTHER_RISK"}))).await.expect(201);
    decision["decision_id"].as_str().unwrap().to_owned()
}
