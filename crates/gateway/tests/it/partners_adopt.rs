//! Partners that were made by command, taken into the books; and what comparisons found, kept for a while. Klarna is a page that shows an
//! account here.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use gateway::access::{self, PartnerState};
use http::StatusCode;
use serde_json::{Value, json};

use crate::stage::{Partner, Stage, databases, eventually};

/// What Klarna shows; nothing is 404.
type Shown = Arc<Mutex<Option<Value>>>;

async fn show(State(shown): State<Shown>) -> Response {
    match shown.lock().unwrap().clone() {
        Some(account) => axum::Json(account).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn account() -> Value {
    json!({"partner_account_id": "krn:partner:global:account:test:ADA00001", "partner_account_reference": "m-1",
        "partner_account_name": "Nordlicht", "state": "OPERATIONAL",
        "partner_account_contact": {"email": "ada@nordlicht.example"},
        "products": [{"product_id": "krn:p", "state": "ENABLED",
            "payment_profile_id": "krn:network:global:test:payment-profile:6a1d0c1e-0000-4000-8000-000000000001",
            "payment_accounts": [{"payment_account_id": "krn:pa", "payment_account_reference": "pa", "default_merchant_category_code": "5941",
                "payment_acquiring_account_id": "krn:partner:global:acquiring-account:6a1d0c1e-0000-4000-8000-0000000000aa",
                "default_store_group_id": "krn:sg", "partner_business_entity_id": "krn:be"}]}],
        "partner_business_entities": [{"partner_business_entity_id": "krn:be", "partner_business_entity_reference": "le",
            "legal_registered_entity_name": "Nordlicht AB", "legal_registration_country": "SE",
            "supplementary_business_data": {"legal_registration": {"legal_registration_number": "556000-0001"}}}],
        "brands": [{"brand_id": "krn:b", "brand_reference": "b", "display_name": "Nordlicht"}],
        "store_groups": [{"store_group_id": "krn:sg", "store_group_reference": "sg", "brand_id": "krn:b"}],
        "stores": [{"store_id": "krn:s", "store_reference": "web", "store_group_id": "krn:sg", "type": "WEBSITE",
            "url": "https://nordlicht.example"}]})
}

/// A stage on each engine, with an account that Klarna shows.
async fn scenes() -> Vec<(Stage, Shown)> {
    let mut scenes = Vec::new();
    for test in databases().await {
        let shown: Shown = Arc::new(Mutex::new(Some(account())));
        let router = Router::new().fallback(show).with_state(shown.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        scenes.push((Stage::new(test, &url, |_| {}), shown));
    }
    scenes
}

async fn adopt(stage: &Stage, operator: &Partner, partner_id: &str) -> crate::stage::Answer {
    stage.call(operator, "POST", &format!("/v1/partners/{partner_id}/adopt"), None).await
}

#[tokio::test]
async fn a_partner_made_by_command_is_adopted_with_all_that_klarna_shows() {
    for (stage, shown) in scenes().await {
        let (operator, ada) = (stage.operator().await, stage.partner("ADA00001").await);
        let path = format!("/v1/partners/{}", ada.id);
        assert_eq!(stage.call(&operator, "GET", &path, None).await.status, 404, "nothing is known of it yet");
        assert_eq!(adopt(&stage, &operator, "par_nobody").await.status, 404);
        *shown.lock().unwrap() = None;
        assert_eq!(adopt(&stage, &operator, &ada.id).await.status, 409, "Klarna does not show the account");
        *shown.lock().unwrap() = Some(account());

        let adopted = adopt(&stage, &operator, &ada.id).await;
        assert_eq!((adopted.status.as_u16(), &adopted.body["state"]), (200, &json!("OPERATIONAL")), "{}", adopted.text);
        assert_eq!(adopted.body["unconfirmed_changes"], 0);
        assert_eq!(adopted.body["stores"][0]["store_group"], "sg");
        assert_eq!(adopted.body["payment_accounts"][0]["business_entity"], "le");
        let readiness = stage.call(&operator, "GET", &format!("{path}/readiness"), None).await;
        assert_eq!(readiness.body["missing"], json!([]), "{}", readiness.text);
        // Both sides are equal, and it is the Partner that it was.
        let aligned = stage.call(&operator, "POST", &format!("{path}/alignment"), None).await;
        assert_eq!((aligned.status.as_u16(), &aligned.body["drifts"]), (200, &json!([])), "{}", aligned.text);
        assert_eq!(stage.call(&ada, "GET", "/v1/payments", None).await.status, 200, "its key opens what it opened");
        let again = adopt(&stage, &operator, &ada.id).await;
        assert_eq!((again.status.as_u16(), &again.body["created_at"]), (200, &adopted.body["created_at"]));
    }
}

/// A Partner is known to customers by its brand wherever nothing else was said.
#[tokio::test]
async fn hosted_pages_links_and_tills_show_the_brand_where_nothing_else_was_said() {
    for (stage, _) in scenes().await {
        let (operator, ada) = (stage.operator().await, stage.partner("ADA00001").await);
        let path = |answer: &crate::stage::Answer| {
            assert_eq!(answer.status, 201, "{}", answer.text);
            answer.body["url"].as_str().unwrap().strip_prefix("https://gateway.example").unwrap().to_owned()
        };
        let page = async |path: &str| {
            let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
            stage.send(request).await
        };
        let till = json!({"name": "Till 1", "currency": "EUR"});
        let till = path(&stage.call(&ada, "POST", "/v1/tills", Some(till)).await);
        assert!(page(&till).await.text.contains("<span>Partner ADA00001</span>"), "its name, before a brand is known");
        assert_eq!(adopt(&stage, &operator, &ada.id).await.status, 200);
        let brand = format!("/v1/partners/{}/brands/b", ada.id);
        let logo = json!({"logo_url": "https://cdn.nordlicht.example/l.png"});
        assert_eq!(stage.call(&operator, "PATCH", &brand, Some(logo)).await.status, 200);

        let link = json!({"amount": 100, "currency": "EUR"});
        let link = path(&stage.call(&ada, "POST", "/v1/payment-links", Some(link)).await);
        for shown in [page(&till).await, page(&link).await] {
            assert!(shown.text.contains("<span>Nordlicht</span>"), "{}", shown.text);
            assert!(shown.text.contains("src=\"https://cdn.nordlicht.example/l.png\""), "{}", shown.text);
            let policy = shown.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("https://cdn.nordlicht.example"), "{policy}");
        }
        let own = json!({"amount": 100, "currency": "EUR", "branding": {"name": "Polarlicht"}});
        let own = path(&stage.call(&ada, "POST", "/v1/payment-links", Some(own)).await);
        assert!(page(&own).await.text.contains("<span>Polarlicht</span>"));
        // A picture that does not come by https is never shown.
        let logo = json!({"logo_url": "http://cdn.nordlicht.example/l.png"});
        stage.call(&operator, "PATCH", &brand, Some(logo)).await;
        let shown = page(&till).await;
        assert!(shown.text.contains("<span>Nordlicht</span>") && !shown.text.contains("http://cdn"), "{}", shown.text);
    }
}

#[tokio::test]
async fn what_was_suspended_by_command_stays_so_and_a_reference_is_one_partners_only() {
    for (stage, _) in scenes().await {
        let (operator, ada) = (stage.operator().await, stage.partner("ADA00001").await);
        access::set_partner_state(stage.db(), &ada.id, PartnerState::Suspended).await.unwrap();
        let draft = json!({"reference": "m-1"});
        let made = stage.call(&operator, "POST", "/v1/partners", Some(draft)).await;
        let refused = adopt(&stage, &operator, &ada.id).await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        let reason = refused.body["validation_errors"][0]["reason"].as_str().unwrap();
        let drafted = made.body["id"].as_str().unwrap();
        assert!(reason.contains(drafted), "{reason}");
        let renamed = json!({"reference": "m-1-old"});
        stage.call(&operator, "PATCH", &format!("/v1/partners/{drafted}"), Some(renamed)).await;
        let adopted = adopt(&stage, &operator, &ada.id).await;
        assert_eq!(
            adopted.body["suspension"],
            json!({"by": "ACQUIRING_PARTNER", "reason": "VOLUNTARY"}),
            "{}",
            adopted.text
        );
        let pay = json!({"amount": 1000, "currency": "EUR", "reference": "o", "return_url": "https://shop.example/"});
        assert_eq!(stage.call(&ada, "POST", "/v1/payments", Some(pay)).await.status, 403);
    }
}

#[tokio::test]
async fn what_comparisons_found_is_forgotten_after_its_time() {
    for (stage, shown) in scenes().await {
        let (operator, ada) = (stage.operator().await, stage.partner("ADA00001").await);
        adopt(&stage, &operator, &ada.id).await;
        let path = format!("/v1/partners/{}/alignment", ada.id);
        let mut other = account();
        other["state"] = json!("DISABLED");
        *shown.lock().unwrap() = Some(other);
        let found = stage.call(&operator, "POST", &path, None).await;
        assert_eq!(found.body["drifts"][0]["field"], "klarna_account_state", "{}", found.text);
        stage.clock.advance(89 * 86_400_000_000);
        gateway::ensure_jobs(&stage.ctx).await.unwrap();
        let working = stage.work();
        let checked = found.body["checked_at"].clone();
        let read = async || stage.call(&operator, "GET", &path, None).await.body;
        eventually("the daily comparison", async || (read().await["checked_at"] != checked).then_some(())).await;
        assert_eq!(read().await["drifts"].as_array().unwrap().len(), 1, "kept for 90 days");
        stage.clock.advance(2 * 86_400_000_000);
        stage.ctx.poke.poke();
        eventually("the end of what was found", async || (read().await["drifts"] == json!([])).then_some(())).await;
        drop(working);
        let progress = gateway::partners::alignment_progress(stage.db(), stage.clock.now(), 0).await.unwrap();
        assert_eq!((progress.known, progress.compared, progress.drifts), (1, 1, vec![]));
    }
}
