//! Steps that the tests of accounts take.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, End};

/// A body that onboards with no more than is needed.
pub fn minimal(end: &End, reference: &str) -> Value {
    let seeded = &end.credentials.acquiring_partner;
    json!({"partner_account_reference": reference, "partner_account_name": "Nordlicht Outdoor",
        "partner_account_contact": {"email": "ada@nordlicht.example"},
        "products": [{"type": "PAYMENT", "payment_profile_id": seeded.payment_profile_id, "payment_accounts": [
            {"payment_account_reference": format!("{reference}-de"),
                "payment_acquiring_account_id": seeded.payment_acquiring_account_id,
                "partner_business_entity_reference": "le-de", "default_store_group_reference": "sg-main",
                "default_merchant_category_code": "5941"}]}],
        "partner_business_entities": [{"partner_business_entity_reference": "le-de",
            "legal_registered_entity_name": "Nordlicht Outdoor GmbH", "legal_registration_country": "DE"}],
        "store_groups": [{"store_group_reference": "sg-main",
            "stores": [{"type": "WEBSITE", "store_reference": "web-de", "url": "https://nordlicht.example"}]}]})
}

pub async fn onboard(end: &End, body: &Value) -> Answer {
    end.ap(Method::POST, "/v2/distribution/onboard", Some(body)).await
}

/// The id of a Partner that was just onboarded.
pub async fn onboarded(end: &End, reference: &str) -> String {
    onboard(end, &minimal(end, reference)).await.expect(201)["partner_account_id"].as_str().unwrap().to_owned()
}

/// The same, when it is OPERATIONAL.
pub async fn operational(end: &End, reference: &str) -> String {
    let id = onboarded(end, reference).await;
    advance(end, "PT3S").await;
    id
}

pub async fn advance(end: &End, by: &str) {
    end.ap(Method::POST, "/testing/clock", Some(&json!({"advance": by}))).await.expect(200);
}

pub async fn get(end: &End, account: &str, tail: &str) -> Answer {
    end.ap(Method::GET, &format!("/v2/accounts/{account}{tail}"), None).await
}

pub async fn post(end: &End, account: &str, tail: &str, body: &Value) -> Answer {
    end.ap(Method::POST, &format!("/v2/accounts/{account}{tail}"), Some(body)).await
}

pub async fn patch(end: &End, account: &str, tail: &str, body: &Value) -> Answer {
    end.ap(Method::PATCH, &format!("/v2/accounts/{account}{tail}"), Some(body)).await
}

/// The payment product of an account.
pub async fn product(end: &End, account: &str) -> Value {
    get(end, account, "/products/payment").await.expect(200)[0].clone()
}

/// What the Acquiring Partner was told about an account under `partner.`, oldest first: the last part of the type, and the payload.
pub async fn told(end: &End, account: &str) -> Vec<(String, Value)> {
    let list = end.ap(Method::GET, "/testing/events?size=1000", None).await.expect(200);
    let events = list["events"].as_array().unwrap().clone();
    let about = events.into_iter().filter(|event| event["subject_account_id"] == account);
    let names = about.filter_map(|event| {
        let name = event["event_type"].as_str().unwrap().strip_prefix("partner.")?.to_owned();
        Some((name, event["payload"].clone()))
    });
    names.collect()
}

/// The names of [`told`].
pub async fn told_names(end: &End, account: &str) -> Vec<String> {
    told(end, account).await.into_iter().map(|(name, _)| name).collect()
}

/// Waits until the Acquiring Partner was told so many things about an account: jobs tell them, too.
pub async fn told_after(end: &End, account: &str, count: usize) -> Vec<(String, Value)> {
    for _ in 0..600 {
        let told = told(end, account).await;
        if told.len() >= count {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("fewer than {count} events: {:?}", told_names(end, account).await);
}

/// A Payment Request of the account: 201 as long as it may be paid.
pub async fn payment_request(end: &End, account: &str) -> Answer {
    let body = json!({"currency": "EUR", "amount": 100, "customer_interaction_config": {"method": "QR_CODE"}});
    post(end, account, "/payment/requests", &body).await
}
