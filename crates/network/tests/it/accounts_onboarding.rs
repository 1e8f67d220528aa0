//! Onboarding: a whole Partner in one call, again and again, and what time and screening make of it.

use std::collections::BTreeSet;

use http::Method;
use kit::clock::Clock;
use protocol::onboarding::bank_account::Hashing;
use serde_json::{Value, json};

use crate::accounts_steps::{
    advance, get, minimal, onboard, onboarded, patch, payment_request, product, told, told_after, told_names,
};
use crate::harness::{self, BEGINNING, End, Wishes, ends, places};

/// A business with everything that is asked of one; `mark` stands in every personal field.
fn business(reference: &str, mark: &str) -> Value {
    json!({"partner_business_entity_reference": reference, "legal_registered_entity_name": "Nordlicht Outdoor GmbH",
        "legal_registration_country": "DE", "enabled_merchant_category_codes": ["5941"],
        "supplementary_business_data": {
            "legal_registration": {"legal_registration_number": "HRB 123456", "legal_registration_authority": format!("Court {mark}"),
                "legal_registration_entity_type": "LIMITED_LIABILITY_COMPANY", "tax_registration_number": format!("T{mark}"),
                "financial_conduct_authority_number": "123456", "legal_registration_address": {
                    "street_address": format!("Weg {mark}"), "street_address2": "b", "postal_code": "10115", "city": "Berlin",
                    "region": "BE", "country": "DE"}},
            "operating_addresses": [{"street_address": format!("Gasse {mark}"), "city": "Kiel", "country": "DE"}],
            "stakeholders": [{"given_name": format!("Given{mark}"), "family_name": format!("Family{mark}"),
                "address": {"street_address": format!("Pfad {mark}"), "city": "Kiel", "country": "DE"},
                "date_of_birth": "1961-02-03", "national_identification": {"number": format!("N{mark}"), "country": "DE"},
                "roles": ["OWNER", "DIRECTOR"]}],
            "partner_payouts_state": {"payouts_status": "ENABLED", "payouts_enabled_at": "2026-01-01T00:00:00Z",
                "payouts_delay_days": 2, "bank_accounts": [{"bank_account_type": "IBAN", "account_holder": format!("Holder {mark}"),
                    "bic": "NDEASEGGXXX", "iban": format!("DE89{mark}")}]},
            "something_newer": {"kept": true}}})
}

/// A Partner of two businesses, two brands, three stores and two payment accounts.
fn whole(end: &End, reference: &str, mark: &str) -> Value {
    let mut body = minimal(end, reference);
    let mut second = business("le-de-2", mark);
    second["supplementary_business_data"]["legal_registration"]["legal_registration_number"] = json!("HRB 654321");
    body["partner_account_contact"] = json!({"given_name": format!("Ada{mark}"), "family_name": "Lind",
        "email": format!("{}@nordlicht.example", mark.to_lowercase()), "phone": "+4930111222"});
    body["supplementary_account_data"] = json!({"account_creation": {"account_created_from_ip": "203.0.113.77",
        "account_created_at": "2025-12-01T10:00:00Z"}});
    body["partner_business_entities"] = json!([business("le-de", mark), second]);
    body["brands"] = json!([
        {"brand_reference": "b-main", "display_name": "Nordlicht", "element": {"logo_url": "https://cdn.example/l.png",
            "icon_url": "https://cdn.example/i.png", "feature_image_url": "https://cdn.example/f.png"}},
        {"brand_reference": "b-kids", "display_name": "Nordlicht Kids"}]);
    body["store_groups"] = json!([
        {"store_group_reference": "sg-main", "brand_reference": "b-main",
            "support_contact": {"email": "help@nordlicht.example", "phone": "+4930111223", "contact_form": "https://nordlicht.example/help"},
            "social_media_links": [{"provider": "FACEBOOK", "url": "https://social.example/nordlicht"}],
            "stores": [{"type": "WEBSITE", "store_reference": "web-de", "url": "https://nordlicht.example"},
                {"type": "MOBILE_APP", "store_reference": "app", "platform": "IOS", "bundle_names": ["example.nordlicht"]}]},
        {"store_group_reference": "sg-kids", "brand_reference": "b-kids", "stores": [
            {"type": "PHYSICAL_STORE", "store_reference": "kiel", "address": {"street_address": "Markt 1", "city": "Kiel", "country": "DE"}}]}]);
    let mut second = body["products"][0]["payment_accounts"][0].clone();
    second["payment_account_reference"] = json!(format!("{reference}-kids"));
    second["partner_business_entity_reference"] = json!("le-de-2");
    second["default_store_group_reference"] = json!("sg-kids");
    body["products"][0]["payment_accounts"].as_array_mut().unwrap().push(second);
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_partner_is_paid_at_once_and_managed_when_it_is_operational() {
    for end in ends().await {
        let made = onboard(&end, &minimal(&end, "p-1")).await.expect(201);
        assert_eq!(
            (&made["state"], &made["partner_account_reference"]),
            (&json!("PARTIALLY_OPERATIONAL"), &json!("p-1"))
        );
        let id = made["partner_account_id"].as_str().unwrap();
        assert!(id.starts_with("krn:partner:global:account:test:"), "{id}");
        let account = &made["products"][0]["payment_accounts"][0];
        assert_eq!(
            account["partner_business_entity_id"],
            made["partner_business_entities"][0]["partner_business_entity_id"]
        );
        assert_eq!(account["default_store_group_id"], made["store_groups"][0]["store_group_id"]);
        assert_eq!(made["store_groups"][0]["stores"][0]["store_reference"], "web-de");

        payment_request(&end, id).await.expect(201);
        let name = json!({"partner_account_name": "Renamed"});
        patch(&end, id, "", &name).await.refused(409, "RESOURCE_CONFLICT");
        let brand = json!({"brand_reference": "b", "display_name": "B"});
        crate::accounts_steps::post(&end, id, "/brands", &brand).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(get(&end, id, "").await.expect(200)["state"], "PARTIALLY_OPERATIONAL");
        assert!(told(&end, id).await.is_empty());

        advance(&end, "PT2S").await;
        let read = get(&end, id, "").await.expect(200);
        assert_eq!(
            (&read["state"], &read["partner_account_contact"]),
            (&json!("OPERATIONAL"), &json!({"email": "ada@nordlicht.example"}))
        );
        assert_eq!(read.get("products"), None, "nothing is expanded that nobody asked for");
        let told = told_after(&end, id, 1).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, "account.state-change.operational");
        assert_eq!(
            told[0].1,
            json!({"partner_account_id": id, "account_id": id, "partner_account_reference": "p-1",
            "state": "OPERATIONAL", "previous_state": "PARTIALLY_OPERATIONAL"})
        );
        assert_eq!(patch(&end, id, "", &name).await.expect(200)["partner_account_name"], "Renamed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_tells_what_time_did_when_nobody_looks() {
    for end in ends().await {
        let id = onboarded(&end, "p-1").await;
        advance(&end, "PT2S").await;
        assert_eq!(told_after(&end, &id, 1).await.len(), 1);
        get(&end, &id, "").await.expect(200);
        assert_eq!(told_names(&end, &id).await, ["account.state-change.operational"], "and nobody tells it again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_onboarded_can_be_read() {
    for end in ends().await {
        let body = whole(&end, "p-1", "370400440532013000");
        let made = onboard(&end, &body).await.expect(201);
        let id = made["partner_account_id"].as_str().unwrap();
        let expand =
            "?expand=products,brands&expand=store_groups&expand[]=partner_business_entities&expand=stores&expand=moons";
        let read = get(&end, id, expand).await.expect(200);
        assert_eq!(read["partner_account_contact"], body["partner_account_contact"]);
        assert_eq!(read["supplementary_account_data"], body["supplementary_account_data"]);
        assert_eq!(read["products"], made["products"]);
        for (index, entity) in body["partner_business_entities"].as_array().unwrap().iter().enumerate() {
            for (name, value) in entity.as_object().unwrap() {
                assert_eq!(&read["partner_business_entities"][index][name], value, "{name}, unknown members and all");
            }
        }
        assert_eq!(read["brands"][0]["element"], body["brands"][0]["element"]);
        assert_eq!(read["stores"].as_array().unwrap().len(), 3);
        let group = &read["store_groups"][0];
        assert_eq!(group["brand_id"], read["brands"][0]["brand_id"]);
        assert_eq!(
            (&group["support_contact"], &group["social_media_links"]),
            (&body["store_groups"][0]["support_contact"], &body["store_groups"][0]["social_media_links"])
        );
        assert_eq!(group["stores"].as_array().unwrap().len(), 2);
        assert_eq!(group["stores"][1]["bundle_names"], json!(["example.nordlicht"]));
        let accounts = read["products"][0]["payment_accounts"].as_array().unwrap();
        assert_eq!(accounts.len(), 2);
        let second = accounts.iter().find(|account| account["payment_account_reference"] == "p-1-kids").unwrap();
        assert_eq!(
            second["partner_business_entity_id"],
            read["partner_business_entities"][1]["partner_business_entity_id"]
        );
        assert_eq!(second["default_store_group_id"], read["store_groups"][1]["store_group_id"]);
        // Two payment accounts: a payment names one.
        let answer = payment_request(&end, id).await;
        assert_eq!(answer.parameters(), ["acquiring_config"]);
        let chosen = json!({"currency": "EUR", "amount": 100, "customer_interaction_config": {"method": "QR_CODE"},
            "acquiring_config": {"payment_acquiring_account_id": second["payment_acquiring_account_id"], "payment_account_reference": "p-1-kids"}});
        crate::accounts_steps::post(&end, id, "/payment/requests", &chosen).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn onboarding_again_adds_what_is_new_and_never_changes() {
    for end in ends().await {
        let mut body = whole(&end, "p-1", "1234567890");
        let first = onboard(&end, &body).await.expect(201);
        let id = first["partner_account_id"].as_str().unwrap();
        advance(&end, "PT3S").await;
        told_after(&end, id, 1).await;
        let mut again = onboard(&end, &body).await.expect(200);
        assert_eq!(again["state"], "OPERATIONAL");
        again["state"] = first["state"].clone();
        assert_eq!(again, first, "the same ids");
        let alone = onboard(&end, &json!({"partner_account_reference": "p-1"})).await.expect(200);
        assert_eq!(alone["products"], first["products"]);
        assert_eq!(told(&end, id).await.len(), 1, "nothing happened");

        // More: a brand, a store in a known group, a business by which a new payment account goes, linked by id and by reference.
        let more = json!({"partner_account_reference": "p-1", "brands": [{"brand_reference": "b-new", "display_name": "New"}],
            "store_groups": [{"store_group_reference": "sg-main", "stores": [
                {"type": "WEBSITE", "store_reference": "web-at", "url": "https://nordlicht-at.example"}]}],
            "partner_business_entities": [{"partner_business_entity_reference": "le-at",
                "legal_registered_entity_name": "Nordlicht AT", "legal_registration_country": "AT"}],
            "products": [{"type": "PAYMENT", "payment_profile_id": first["products"][0]["payment_profile_id"], "payment_accounts": [
                {"payment_account_reference": "p-1-at", "default_merchant_category_code": "0742",
                    "payment_acquiring_account_id": end.credentials.acquiring_partner.payment_acquiring_account_id,
                    "partner_business_entity_reference": "le-at",
                    "default_store_group_id": first["store_groups"][0]["store_group_id"]}]}]});
        let added = onboard(&end, &more).await.expect(200);
        assert_eq!(added["brands"].as_array().unwrap().len(), 3);
        assert_eq!(added["store_groups"][0]["stores"].as_array().unwrap().len(), 3);
        assert_eq!(added["products"][0]["payment_accounts"].as_array().unwrap().len(), 3);
        let told_now = told(&end, id).await;
        let kinds: Vec<&str> =
            told_now[1..].iter().map(|(_, payload)| payload["resource_type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["partner_business_entity", "brand", "store", "payment_account"]);
        onboard(&end, &more).await.expect(200);
        assert_eq!(told(&end, id).await.len(), told_now.len());

        // Contradictions are all named, and nothing of such a call is done.
        body["partner_account_name"] = json!("Other");
        body["partner_account_contact"]["email"] = json!("other@nordlicht.example");
        body["brands"][0]["display_name"] = json!("Other");
        body["brands"].as_array_mut().unwrap().push(json!({"brand_reference": "b-never", "display_name": "Never"}));
        body["store_groups"][0]["brand_reference"] = json!("b-kids");
        body["store_groups"][0]["stores"][0]["url"] = json!("https://other.example");
        body["partner_business_entities"][0]["supplementary_business_data"]["stakeholders"][0]["given_name"] =
            json!("Other");
        body["products"][0]["payment_accounts"][0]["default_merchant_category_code"] = json!("5999");
        let refused = onboard(&end, &body).await;
        refused.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(
            refused.parameters(),
            [
                "partner_account_contact.email",
                "partner_account_name",
                "partner_business_entities[0].supplementary_business_data.stakeholders",
                "brands[0].display_name",
                "store_groups[0].brand_reference",
                "store_groups[0].stores[0].url",
                "products[0].payment_accounts[0].default_merchant_category_code"
            ]
        );
        assert_eq!(get(&end, id, "/brands").await.expect(200)["pagination"]["total"], 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_onboarding_is_named() {
    for end in ends().await {
        let faults = |changed: Value| {
            let mut body = minimal(&end, "p-1");
            for (name, value) in changed.as_object().unwrap() {
                let place = body.pointer_mut(name).unwrap_or_else(|| panic!("no {name}"));
                *place = value.clone();
            }
            let end = &end;
            async move {
                let answer = onboard(end, &body).await;
                answer.refused(400, "VALIDATION_ERROR");
                answer.parameters()
            }
        };
        let account = "/products/0/payment_accounts/0";
        assert_eq!(
            onboard(&end, &json!({"partner_account_reference": "p-1"})).await.parameters(),
            [
                "partner_account_name",
                "partner_account_contact",
                "products",
                "partner_business_entities",
                "store_groups"
            ]
        );
        assert_eq!(onboard(&end, &json!({})).await.parameters(), ["partner_account_reference"]);
        assert_eq!(faults(json!({"/partner_account_contact": {}})).await, ["partner_account_contact.email"]);
        assert_eq!(faults(json!({"/partner_account_contact/email": "a<b@c"})).await, ["partner_account_contact.email"]);
        assert_eq!(faults(json!({"/products": []})).await, ["products"]);
        assert_eq!(faults(json!({"/products/0/type": "CARD"})).await, ["products[0].type"]);
        for (member, value) in [
            (
                "payment_acquiring_account_id",
                json!("krn:partner:global:account:acquiring-account:0b0e8d5e-1111-4a2b-9c3d-000000000001"),
            ),
            ("partner_business_entity_reference", json!("nobody")),
            ("default_store_group_reference", json!("nowhere")),
            ("default_merchant_category_code", json!("0000")),
            ("default_merchant_category_code", json!("7995")),
            ("payment_account_reference", json!("")),
        ] {
            assert_eq!(
                faults(json!({format!("{account}/{member}"): value})).await,
                [format!("products[0].payment_accounts[0].{member}")]
            );
        }
        let profile = json!("krn:network:global:test:payment-profile:0b0e8d5e-1111-4a2b-9c3d-000000000001");
        assert_eq!(
            faults(json!({"/products/0/payment_profile_id": profile})).await,
            ["products[0].payment_profile_id"]
        );
        assert_eq!(faults(json!({"/store_groups/0/stores/0/url": null})).await, ["store_groups[0].stores[0].url"]);
        assert_eq!(
            faults(json!({"/store_groups/0/stores/0/url": "nordlicht.example"})).await,
            ["store_groups[0].stores[0].url"]
        );
        assert_eq!(faults(json!({"/store_groups/0/stores": []})).await, ["store_groups[0].stores"]);
        assert_eq!(
            faults(json!({"/partner_business_entities/0/legal_registration_country": "Germany"})).await,
            ["partner_business_entities[0].legal_registration_country"]
        );

        let mut body = whole(&end, "p-1", "1234567890");
        let data = &mut body["partner_business_entities"][0]["supplementary_business_data"];
        data["legal_registration"]["legal_registration_authority"] = Value::Null;
        data["legal_registration"]["legal_registration_number"] = json!("12");
        data["partner_payouts_state"]["bank_accounts"][0]["iban_hash"] = json!({"value": "AAAA"});
        let repeated = body["brands"][0].clone();
        body["brands"].as_array_mut().unwrap().push(repeated);
        body["store_groups"][0]["brand_reference"] = json!("b-none");
        let answer = onboard(&end, &body).await;
        answer.refused(400, "VALIDATION_ERROR");
        let at = "partner_business_entities[0].supplementary_business_data.legal_registration";
        assert_eq!(
            answer.parameters(),
            [format!("{at}.legal_registration_number"), format!("{at}.legal_registration_authority")]
        );
        body["partner_business_entities"][0]["supplementary_business_data"]["legal_registration"] =
            json!({"legal_registration_number": "HRB 12", "legal_registration_authority": "Kiel"});
        assert_eq!(
            onboard(&end, &body).await.parameters(),
            [
                "partner_business_entities[0].supplementary_business_data.partner_payouts_state.bank_accounts[0].iban_hash.value"
            ]
        );
        body["partner_business_entities"][0]["supplementary_business_data"]["partner_payouts_state"] = Value::Null;
        assert_eq!(
            onboard(&end, &body).await.parameters(),
            ["brands[2].brand_reference", "store_groups[0].brand_reference"]
        );

        // Nothing of all this was done.
        let path = "/v2/distribution/resolve/partner-account-id?partner_account_reference=p-1";
        end.ap(Method::GET, path, None).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_account_reference_belongs_to_one_partner() {
    for end in ends().await {
        onboarded(&end, "p-1").await;
        let mut body = minimal(&end, "p-2");
        body["products"][0]["payment_accounts"][0]["payment_account_reference"] = json!("p-1-de");
        let refused = onboard(&end, &body).await;
        refused.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(refused.parameters(), ["products[0].payment_accounts[0].payment_account_reference"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hashed_bank_account_is_as_good_as_a_clear_one_if_it_is_its_hash() {
    for end in ends().await {
        let hash = Hashing::default().hash("de89 3704 0044 0532 0130 00").unwrap();
        let with = |account: Value| {
            let mut body = minimal(&end, "p-1");
            body["partner_business_entities"][0]["supplementary_business_data"] =
                json!({"partner_payout_states": {"bank_accounts": [account]}});
            body
        };
        let value =
            json!({"value": hash, "sanitization_method": "UPPERCASE_WITHOUT_WHITESPACE", "hash_method": "ARGON2ID"});
        let wrong = with(json!({"bank_account_type": "IBAN", "iban": "DE89370400440532013001", "iban_hash": value}));
        let at = "partner_business_entities[0].supplementary_business_data.partner_payout_states.bank_accounts[0]";
        assert_eq!(onboard(&end, &wrong).await.parameters(), [format!("{at}.iban_hash.value")]);
        onboard(&end, &with(json!({"bank_account_type": "IBAN"}))).await.refused(400, "VALIDATION_ERROR");
        let made = onboard(&end, &with(json!({"bank_account_type": "IBAN", "iban_hash": value}))).await.expect(201);
        let read =
            get(&end, made["partner_account_id"].as_str().unwrap(), "/partner-business-entities").await.expect(200);
        let data = &read["partner_business_entities"][0]["supplementary_business_data"];
        assert_eq!(data["partner_payouts_state"]["bank_accounts"][0]["iban_hash"], value);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_screening_does_what_the_reference_asks_for() {
    for end in ends().await {
        let refused = onboard(&end, &minimal(&end, "p+reject")).await;
        refused.refused(403, "OPERATION_FORBIDDEN");
        let stuck = onboarded(&end, "p+stuck").await;
        let slow = onboarded(&end, "p+SLOW").await;
        let fraud = onboarded(&end, "p+fraud").await;
        advance(&end, "PT9S").await;
        assert_eq!(get(&end, &slow, "").await.expect(200)["state"], "PARTIALLY_OPERATIONAL");
        payment_request(&end, &fraud).await.expect(201);
        advance(&end, "PT2S").await;
        let disabled = product(&end, &fraud).await;
        assert_eq!(
            (&disabled["state"], &disabled["state_reason"]),
            (&json!("DISABLED"), &json!("FRAUDULENT_BEHAVIOUR"))
        );
        assert_eq!(disabled["payment_accounts"][0]["state"], "DISABLED");
        let told = told_after(&end, &fraud, 3).await;
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "account.state-change.operational",
                "compliance.decision.created",
                "account.product.payment.state-change.disabled"
            ]
        );
        let (decision, change) = (&told[1].1, &told[2].1);
        assert_eq!(
            (&decision["decision_type"], &decision["account_id"], &decision["product_instance_id"]),
            (&json!("FRAUDULENT_BEHAVIOUR"), &json!(fraud), &disabled["product_id"])
        );
        assert_eq!(decision["created_at"], "2026-03-02T10:00:10Z", "when it was due, not when somebody looked");
        assert_eq!(
            (&change["state"], &change["previous_state"], &change["reason"], &change["compliance_decision_id"]),
            (&json!("DISABLED"), &json!("ENABLED"), &json!("FRAUDULENT_BEHAVIOUR"), &decision["decision_id"])
        );
        payment_request(&end, &fraud).await.refused(403, "OPERATION_FORBIDDEN");
        advance(&end, "PT1H").await;
        assert_eq!(get(&end, &slow, "").await.expect(200)["state"], "OPERATIONAL");
        assert_eq!(get(&end, &stuck, "").await.expect(200)["state"], "PARTIALLY_OPERATIONAL");
        assert!(told_names(&end, &stuck).await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_or_one_reference_makes_one_partner() {
    for end in ends().await {
        let body = minimal(&end, "p-1");
        let path = "/v2/distribution/onboard";
        let first = end.ap_once("k-1", Method::POST, path, Some(&body)).await;
        let again = end.ap_once("k-1", Method::POST, path, Some(&body)).await;
        assert_eq!((first.status, &first.text), (201, &again.text), "a repetition hears the first answer");
        assert_eq!(again.status, 201);
        end.ap_once("k-1", Method::POST, path, Some(&minimal(&end, "p-2"))).await.refused(409, "RESOURCE_CONFLICT");

        let body = minimal(&end, "p-3");
        let answers = futures_util::future::join_all((0..8).map(|_| onboard(&end, &body))).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        let ids: BTreeSet<String> =
            answers.iter().map(|answer| answer.json()["partner_account_id"].to_string()).collect();
        assert_eq!(ids.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing_that_is_ahead() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let id = onboarded(&end, "p+fraud").await;
        end.stop().await;
        let clock = Clock::fixed(BEGINNING + 11_000_000);
        let end = harness::start(&place, Wishes { clock, ..Wishes::default() }).await;
        let told = told_after(&end, &id, 3).await;
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(product(&end, &id).await["state"], "DISABLED");
        end.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_shows_nothing_of_persons_and_bank_accounts() {
    for place in places().await {
        let end = harness::start(&place, Wishes::default()).await;
        let body = whole(&end, "p-1", "7700990088");
        let made = end.ap_once("k-1", Method::POST, "/v2/distribution/onboard", Some(&body)).await.expect(201);
        let account = format!("/v2/accounts/{}", made["partner_account_id"].as_str().unwrap());
        advance(&end, "PT3S").await;
        let contact = json!({"partner_account_contact": {"email": "private7700990088@nordlicht.example", "phone": "+497700990088"}});
        end.ap_once("k-2", Method::PATCH, &account, Some(&contact)).await.expect(200);
        let entity = business("le-new", "7700990088");
        end.ap_once("k-3", Method::POST, &format!("{account}/partner-business-entities"), Some(&entity))
            .await
            .expect(201);
        let list = end.ap(Method::GET, &format!("{account}/partner-business-entities?size=1"), None).await.expect(200);
        assert!(list.to_string().contains("7700990088"), "callers read it");
        end.stop().await;
        let held = kit::testing::held(&place.db).await.unwrap();
        for mark in ["7700990088", "203.0.113.77", "1961-02-03", "NDEASEGGXXX", "HRB 123456"] {
            assert_eq!(kit::testing::showing(&held, mark), [""; 0], "{mark} is readable");
        }
        assert!(!kit::testing::showing(&held, "p-1").is_empty(), "the search looked at the right places");
    }
}
