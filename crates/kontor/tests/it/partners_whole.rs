//! Changes of a Partner that fail half-way: the rest goes on, the account is said as a whole, and nothing is made twice (SEC-7a).

use reqwest::Method;
use serde_json::{Value, json};

use crate::partners::{Ends, PATIENCE, is_operational};

async fn fault(ends: &Ends, rule: Value) -> String {
    let (status, made) = ends.klarna(Method::POST, "/testing/faults", Some(&rule)).await;
    assert_eq!(status, 201, "{made}");
    made["fault_id"].as_str().unwrap().to_owned()
}

/// How often an operation was called, and how it ended each time, newest first.
async fn statuses(ends: &Ends, operation: &str) -> Vec<i64> {
    let path = format!("/testing/requests?operation={operation}&size=100");
    let (_, listed) = ends.klarna(Method::GET, &path, None).await;
    listed["requests"].as_array().unwrap().iter().map(|call| call["status"].as_i64().unwrap_or_default()).collect()
}

/// Waits until an operation was called as it should.
async fn called(ends: &Ends, operation: &str, is: impl Fn(&[i64]) -> bool) {
    let since = std::time::Instant::now();
    loop {
        let found = statuses(ends, operation).await;
        if is(&found) {
            return;
        }
        assert!(since.elapsed() < PATIENCE, "waited in vain for {operation}: {found:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

fn is_settled(partner: &Value) -> bool {
    is_operational(partner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_is_lost_is_found_made_by_saying_the_whole() {
    let ends = Ends::start().await;
    let (path, _, account) = ends.operational("m-1").await;
    // Klarna makes the change of the brand, and never says so.
    let lost = fault(
        &ends,
        json!({"effect": "status", "status": 500, "executes": true, "match": {"operation": "updateBrand"}}),
    )
    .await;
    let change = json!({"brands": [{"reference": "b", "display_name": "Other"}],
        "store_groups": [{"reference": "sg", "support_contact": {"email": "support@nordlicht.example"}}]});
    let (status, changed) = ends.operate(Method::PATCH, &path, Some(&change)).await;
    assert_eq!(status, 200, "{changed}");
    // While the fault stands: no change of the brand is ever confirmed.
    let partner = ends.until(&path, "both sides to be equal", is_settled).await;
    let brand = partner["brands"][0]["klarna_id"].as_str().unwrap();
    let (_, shown) = ends.klarna(Method::GET, &format!("/v2/accounts/{account}/brands/{brand}"), None).await;
    assert_eq!(shown["display_name"], "Other");
    let group = partner["store_groups"][0]["klarna_id"].as_str().unwrap();
    let (_, shown) = ends.klarna(Method::GET, &format!("/v2/accounts/{account}/store-groups/{group}"), None).await;
    assert_eq!(
        shown["support_contact"]["email"].as_str().or(shown["customer_support_contact"]["email"].as_str()),
        Some("support@nordlicht.example"),
        "{shown}"
    );
    assert!(statuses(&ends, "updateBrand").await.iter().all(|status| *status == 500));
    // The first onboarding, and the whole once more: nothing was made twice.
    assert_eq!(statuses(&ends, "onboard").await, [200, 201]);
    let (_, whole) = ends
        .klarna(Method::GET, &format!("/v2/accounts/{account}?expand=brands&expand=store_groups&expand=stores"), None)
        .await;
    for (list, count) in [("brands", 1), ("store_groups", 1), ("stores", 2)] {
        assert_eq!(whole[list].as_array().unwrap().len(), count, "{list}: {whole:#}");
    }
    assert_eq!(ends.klarna(Method::DELETE, &format!("/testing/faults/{lost}"), None).await.0, 204);
    let (_, aligned) = ends.operate(Method::POST, &format!("{path}/alignment"), None).await;
    assert_eq!(aligned["drifts"], json!([]), "{aligned:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_whole_contradicts_is_changed_later_and_the_rest_is_not_held_up() {
    let mut ends = Ends::start().await;
    let (path, _, account) = ends.operational("m-1").await;
    // Nothing is changed, and nothing is said: the brand's operation is out of order.
    let down = fault(&ends, json!({"effect": "status", "status": 503, "match": {"operation": "updateBrand"}})).await;
    let change = json!({"name": "Nordlicht Two", "brands": [{"reference": "b", "display_name": "Other"}],
        "business_entities": [{"reference": "le", "legal_name": "Nordlicht Two"}]});
    assert_eq!(ends.operate(Method::PATCH, &path, Some(&change)).await.0, 200);
    let only_the_brand = |partner: &Value| partner["unconfirmed_changes"] == 1;
    let partner = ends.until(&path, "all but the brand to be changed", only_the_brand).await;
    let account_path = format!("/v2/accounts/{account}?expand=brands&expand=partner_business_entities");
    let (_, shown) = ends.klarna(Method::GET, &account_path, None).await;
    assert_eq!(shown["partner_account_name"], "Nordlicht Two");
    assert_eq!(shown["partner_business_entities"][0]["legal_registered_entity_name"], "Nordlicht Two");
    assert_eq!((&shown["brands"][0]["display_name"], &partner["refusal"]), (&json!("Nordlicht"), &Value::Null));
    // The whole is said, and contradicted: the brand's change is not taken for made.
    called(&ends, "onboard", |statuses| statuses.contains(&409)).await;
    assert_eq!(ends.operate(Method::GET, &path, None).await.1["unconfirmed_changes"], 1);
    // Killed in the middle: what was confirmed is not sent again.
    let entities = statuses(&ends, "updatePartnerBusinessEntity").await.len();
    ends.restart_gateway().await;
    assert_eq!(ends.klarna(Method::DELETE, &format!("/testing/faults/{down}"), None).await.0, 204);
    ends.until(&path, "the brand to be changed", is_settled).await;
    let (_, shown) = ends.klarna(Method::GET, &account_path, None).await;
    assert_eq!(shown["brands"][0]["display_name"], "Other");
    assert_eq!(shown["brands"].as_array().unwrap().len(), 1);
    assert_eq!(statuses(&ends, "updatePartnerBusinessEntity").await.len(), entities);
    // A repetition of everything changes nothing.
    assert_eq!(ends.operate(Method::POST, &format!("{path}/submit"), None).await.0, 200);
    assert_eq!(ends.operate(Method::PATCH, &path, Some(&change)).await.0, 200);
    assert_eq!(ends.until(&path, "rest", is_settled).await["klarna_account_id"], json!(account));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_new_reference_klarna_has_not_heard_is_not_onboarded_a_second_time() {
    let ends = Ends::start().await;
    let (path, _, account) = ends.operational("m-1").await;
    let down = fault(&ends, json!({"effect": "status", "status": 503, "match": {"operation": "updateAccount"}})).await;
    assert_eq!(ends.operate(Method::PATCH, &path, Some(&json!({"reference": "m-1-new"}))).await.0, 200);
    ends.until(&path, "the change to be tried", |partner| partner["unconfirmed_changes"] == 1).await;
    let resolve = "/v2/distribution/resolve/partner-account-id?partner_account_reference=m-1-new";
    // Tried, failed, and looked at: by then the whole would have been said.
    called(&ends, "readAccount", |statuses| !statuses.is_empty()).await;
    assert_eq!(ends.klarna(Method::GET, resolve, None).await.0, 404);
    assert_eq!(ends.klarna(Method::DELETE, &format!("/testing/faults/{down}"), None).await.0, 204);
    ends.until(&path, "the change", is_settled).await;
    let (status, resolved) = ends.klarna(Method::GET, resolve, None).await;
    assert_eq!((status, &resolved["partner_account_id"]), (200, &json!(account)), "{resolved}");
    assert_eq!(statuses(&ends, "onboard").await, [201]);
}
