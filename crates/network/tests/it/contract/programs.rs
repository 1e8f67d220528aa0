//! Payment profiles, programs, plans, enablements, price plans.

use serde_json::{Value, json};

use super::Contract;
use crate::harness::End;
use crate::programs::{enable, program};

/// The first plan of a list, and the first of its versions.
async fn plan(end: &End, list: &str, id: &str) -> (String, String) {
    let plans = end.ap(http::Method::GET, &format!("/v2/distribution/products/payment/{list}"), None).await.expect(200);
    let plan = &plans[list.replace('-', "_")][0];
    (plan[id].as_str().unwrap().to_owned(), plan["versions"][0]["version"].to_string())
}

/// The second page and the first again, with the filters of a query.
async fn walk(
    end: &End,
    op: &Contract,
    params: &[(&str, &str)],
    query: &str,
    key: &str,
    cursor: impl Fn(&Value) -> String,
) {
    let first = op.call_with(end, params, &format!("{query}&size=1"), &[], None).await;
    op.reads(&first);
    let behind = cursor(&first);
    let second = op.call_with(end, params, &format!("{query}&size=1&starting_after={behind}"), &[], None).await;
    assert_ne!(second[key][0], first[key][0]);
    let before = cursor(&second);
    let back = op.call_with(end, params, &format!("{query}&size=1&ending_before={before}"), &[], None).await;
    assert_eq!(back[key], first[key]);
}

crate::contracts! {
    "GET /v2/distribution/products/payment/profiles" => async fn lists_payment_profiles(end, op) {
        let profiles = op.call(end, &[], None).await;
        op.reads(&profiles);
        assert_eq!(profiles[0]["payment_profile_id"], json!(end.credentials.acquiring_partner.payment_profile_id));
    }
    "GET /v2/distribution/products/payment/payment-program-plans" => async fn lists_program_plans(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/distribution/products/payment/payment-program-plans/{payment_program_plan_id}" => async fn lists_programs_of_a_plan(end, op) {
        let (id, version) = plan(end, "payment-program-plans", "payment_program_plan_id").await;
        let query = format!("merchant_category_code=5942&customer_country=DE&transaction_currency=EUR&version={version}&enablement_type=PRESET");
        let cursor = |page: &Value| page["payment_programs"][0]["payment_program_id"].as_str().unwrap().to_owned();
        walk(end, op, &[("payment_program_plan_id", &id)], &query, "payment_programs", cursor).await;
    }
    "GET /v2/distribution/products/payment/payment-programs/{payment_program_id}" => async fn reads_a_program(end, op) {
        let id = program(end, "Pay in 3").await;
        let read = op.call(end, &[("payment_program_id", &id)], None).await;
        assert_eq!(read["payment_program_id"], json!(id));
    }
    "GET /v2/accounts/{partner_account_id}/products/payment/payment-programs" => async fn lists_programs_of_a_partner(end, op) {
        let query = "merchant_category_code=5942&customer_country=DE&enablement_type=OPTIONAL";
        let list = op.call_with(end, &[], query, &[], None).await;
        assert_eq!(list["payment_programs"].as_array().unwrap().len(), 5, "{list}");
    }
    "POST /v2/accounts/{partner_account_id}/products/payment/payment-programs/payment-program-enablements" => async fn creates_an_enablement(end, op) {
        let id = program(end, "Pay in 60 days").await;
        let body = op.body_with(json!({"payment_program_id": id}));
        let enablement = op.call(end, &[], Some(&body)).await;
        op.reads(&enablement);
        assert_eq!(enablement["enablement_criteria"], body["enablement_criteria"]);
    }
    "GET /v2/accounts/{partner_account_id}/products/payment/payment-programs/payment-program-enablements" => async fn lists_enablements(end, op) {
        enable(end, "Pay in 60 days", json!({})).await;
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/accounts/{partner_account_id}/products/payment/payment-programs/payment-program-enablements/{payment_program_enablement_id}" => async fn reads_an_enablement(end, op) {
        let id = enable(end, "Pay in 60 days", json!({})).await;
        let read = op.call(end, &[("payment_program_enablement_id", &id)], None).await;
        assert_eq!(read["payment_program_enablement_id"], json!(id));
    }
    "DELETE /v2/accounts/{partner_account_id}/products/payment/payment-programs/payment-program-enablements/{payment_program_enablement_id}" => async fn ends_an_enablement(end, op) {
        let id = enable(end, "Pay in 60 days", json!({})).await;
        op.call(end, &[("payment_program_enablement_id", &id)], None).await;
    }
    "GET /v2/distribution/products/payment/price-plans" => async fn lists_price_plans(end, op) {
        op.reads(&op.call(end, &[], None).await);
    }
    "GET /v2/distribution/products/payment/price-plans/{price_plan_id}" => async fn reads_a_price_plan(end, op) {
        let (id, version) = plan(end, "price-plans", "price_plan_id").await;
        let query = format!(
            "merchant_category_code=0744&currency=EUR&customer_country=DE&version={version}&pricing_payment_category=DIGITAL&partner_country=FR"
        );
        let cursor = |page: &Value| page["pagination"]["first_item"].as_str().unwrap().to_owned();
        walk(end, op, &[("price_plan_id", &id)], &query, "rates", cursor).await;
        let program = program(end, "Pay in 3").await;
        let query = format!("{query}&payment_program_id={program}&date_time=2026-03-01T00:00Z");
        let one = op.call_with(end, &[("price_plan_id", &id)], &query, &[], None).await;
        assert_eq!(one["rates"].as_array().unwrap().len(), 1, "{one}");
    }
}
