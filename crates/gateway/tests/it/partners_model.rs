//! Partners as operators keep them: whole, in parts, with gaps, sealed.

use serde_json::{Value, json};

use crate::stage::{Answer, Partner, Stage, stages};

/// Everything that can be known of a Partner; `mark` stands in every personal field.
pub fn whole(reference: &str, mark: &str) -> Value {
    let address = |street: &str| {
        json!({"street_address": format!("{street} {mark}"), "street_address2": "b", "postal_code": "10115", "city": "Berlin",
            "region": "BE", "country": "DE"})
    };
    json!({"reference": reference, "name": format!("Nordlicht {reference}"),
        "contact": {"given_name": format!("Ada{mark}"), "family_name": "Vester", "email": "ada@nordlicht.example",
            "phone": "+4930111222"},
        "sign_up": {"ip_address": "203.0.113.77", "signed_up_at": "2025-12-01T10:00:00Z"},
        "payment_profile_id": "krn:network:global:test:payment-profile:6a1d0c1e-0000-4000-8000-000000000001",
        "business_entities": [{"reference": "le", "legal_name": "Nordlicht GmbH", "country": "DE",
            "merchant_category_codes": ["5941"],
            "registration": {"number": "HRB 123456", "authority": "Kiel", "entity_type": "LIMITED_LIABILITY_COMPANY",
                "tax_number": format!("T{mark}"), "financial_conduct_authority_number": "123456", "address": address("Weg")},
            "operating_addresses": [address("Gasse")],
            "stakeholders": [{"given_name": format!("Given{mark}"), "family_name": format!("Family{mark}"),
                "address": address("Pfad"), "date_of_birth": "1961-02-03",
                "national_identification": {"number": format!("N{mark}"), "country": "DE"}, "roles": ["OWNER", "DIRECTOR"]}],
            "payouts": {"status": "ENABLED", "enabled_at": "2026-01-01T00:00:00Z", "delay_days": 2, "bank_accounts": [
                {"type": "IBAN", "holder": format!("Holder {mark}"), "bic": "NDEASEGGXXX", "iban": format!("DE89{mark}")}]}}],
        "brands": [{"reference": "b", "display_name": "Nordlicht", "logo_url": "https://cdn.example/l.png",
            "icon_url": "https://cdn.example/i.png", "feature_image_url": "https://cdn.example/f.png"}],
        "store_groups": [{"reference": "sg", "brand": "b", "support_contact": {"email": "help@nordlicht.example",
            "phone": "+4930111223", "contact_form": "https://nordlicht.example/help"},
            "social_media_links": [{"provider": "FACEBOOK", "url": "https://social.example/nordlicht"}]}],
        "stores": [{"reference": "web", "store_group": "sg", "type": "WEBSITE", "url": "https://nordlicht.example"},
            {"reference": "app", "store_group": "sg", "type": "MOBILE_APP", "platform": "IOS", "bundle_names": ["example.nordlicht"]},
            {"reference": "kiel", "store_group": "sg", "type": "PHYSICAL_STORE", "address": address("Markt")}],
        "payment_accounts": [{"reference": format!("{reference}-de"), "business_entity": "le", "store_group": "sg",
            "acquiring_account_id": "krn:partner:global:acquiring-account:6a1d0c1e-0000-4000-8000-0000000000aa",
            "merchant_category_code": "5941"}]})
}

async fn create(stage: &Stage, operator: &Partner, body: &Value) -> Answer {
    stage.call(operator, "POST", "/v1/partners", Some(body.clone())).await
}

fn faults(answer: &Answer) -> Vec<&str> {
    let listed = answer.body["validation_errors"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    listed.iter().map(|fault| fault["parameter"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_whole_partner_is_kept_and_read_back_field_by_field() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let body = whole("m-1", "7F3K9");
        let made = create(&stage, &operator, &body).await;
        assert_eq!((made.status.as_u16(), &made.body["state"]), (201, &json!("DRAFT")), "{}", made.text);
        let path = format!("/v1/partners/{}", made.body["id"].as_str().unwrap());
        let read = stage.call(&operator, "GET", &path, None).await;
        for (name, given) in body.as_object().unwrap() {
            let mut shown = read.body[name].clone();
            for entry in shown.as_array_mut().into_iter().flatten() {
                assert_eq!(entry.as_object_mut().unwrap().remove("klarna_id"), Some(Value::Null));
            }
            assert_eq!(&shown, given, "{name}");
        }
        let readiness = stage.call(&operator, "GET", &format!("{path}/readiness"), None).await;
        assert_eq!(
            (&readiness.body["ready"], &readiness.body["missing"]),
            (&json!(true), &json!([])),
            "{}",
            readiness.text
        );
        assert_eq!(readiness.body["improvements"], json!([]), "everything is given");
        assert_eq!(
            readiness.body["countries"],
            json!([{"country": "DE", "ready": true, "missing": 0, "improvements": 0}])
        );
    }
}

#[tokio::test]
async fn the_database_shows_no_name_number_or_account_of_a_person() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let mark = "7F3K9QX";
        let made = create(&stage, &operator, &whole("m-1", mark)).await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = format!("/v1/partners/{}", made.body["id"].as_str().unwrap());
        let change = json!({"contact": {"family_name": format!("New{mark}")}});
        assert_eq!(stage.call(&operator, "PATCH", &path, Some(change)).await.status, 200);
        let held = stage.held().await;
        assert_eq!(kit::testing::showing(&held, mark), [""; 0]);
        let bytes: usize = held.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(
            bytes > 1_000 && !kit::testing::showing(&held, "m-1").is_empty(),
            "the search looked at the right places"
        );
    }
}

#[tokio::test]
async fn a_draft_may_be_incomplete_and_readiness_names_what_is_missing() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let made = create(
            &stage,
            &operator,
            &json!({"reference": "m-1",
            "business_entities": [{"reference": "le", "country": "se"}]}),
        )
        .await;
        assert_eq!(made.status, 201, "{}", made.text);
        let path = format!("/v1/partners/{}/readiness", made.body["id"].as_str().unwrap());
        let readiness = stage.call(&operator, "GET", &path, None).await.body;
        let missing: Vec<(&str, &Value)> = readiness["missing"]
            .as_array()
            .unwrap()
            .iter()
            .map(|gap| (gap["field"].as_str().unwrap(), &gap["country"]))
            .collect();
        for (field, country) in [
            ("name", Value::Null),
            ("payment_profile_id", Value::Null),
            ("business_entities[0].legal_name", json!("SE")),
            ("business_entities[0].registration.number", json!("SE")),
        ] {
            assert!(missing.contains(&(field, &country)), "{field}: {missing:?}");
        }
        assert_eq!((&readiness["ready"], &readiness["countries"][0]["country"]), (&json!(false), &json!("SE")));
    }
}

#[tokio::test]
async fn nonsense_is_refused_by_name_whole_or_in_part() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let mut body = whole("m-1", "1");
        body["contact"]["email"] = json!("nowhere");
        body["stores"][0]["colour"] = json!("red");
        assert_eq!(faults(&create(&stage, &operator, &body).await), ["stores[0].colour"]);
        body["stores"][0].as_object_mut().unwrap().remove("colour");
        body["business_entities"][0]["payouts"]["bank_accounts"][0]["iban"] = json!("?");
        let refused = create(&stage, &operator, &body).await;
        let iban = "business_entities[0].payouts.bank_accounts[0].iban";
        assert_eq!((refused.status.as_u16(), faults(&refused)), (400, vec!["contact.email", iban]));
        assert_eq!(faults(&create(&stage, &operator, &json!({"name": "N"})).await), ["reference"]);
        assert_eq!(faults(&create(&stage, &operator, &json!([])).await), [""]);
        assert_eq!(stage.call(&operator, "GET", "/v1/partners", None).await.body["partners"], json!([]));
    }
}

#[tokio::test]
async fn parts_are_added_changed_and_taken_away() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let made = create(&stage, &operator, &whole("m-1", "1")).await;
        let path = format!("/v1/partners/{}", made.body["id"].as_str().unwrap());
        let call = async |method: &str, tail: &str, body: Option<Value>| {
            stage.call(&operator, method, &format!("{path}{tail}"), body).await
        };
        let brand = json!({"reference": "b-kids", "display_name": "Kids"});
        let added = call("POST", "/brands", Some(brand.clone())).await;
        assert_eq!((added.status.as_u16(), &added.body["display_name"]), (201, &json!("Kids")));
        assert_eq!(call("POST", "/brands", Some(brand)).await.status, 409);
        let changed = call("PATCH", "/brands/b-kids", Some(json!({"icon_url": "https://cdn.example/k.png"}))).await;
        assert_eq!(changed.body["display_name"], "Kids", "what is not sent stays: {}", changed.text);
        let removed = call("PATCH", "/brands/b-kids", Some(json!({"icon_url": null}))).await;
        assert_eq!(removed.body.get("icon_url"), None);
        let renamed = call("PATCH", "/brands/b-kids", Some(json!({"reference": "x"}))).await;
        assert_eq!(faults(&renamed), ["reference"]);
        assert_eq!(call("DELETE", "/brands/b-kids", None).await.status, 204);
        for method in ["GET", "DELETE"] {
            assert_eq!(call(method, "/brands/b-kids", None).await.status, 404);
        }
        assert_eq!(call("PATCH", "/brands/b-kids", Some(json!({"display_name": "K"}))).await.status, 404);
        assert_eq!(call("POST", "/vehicles", Some(json!({"reference": "v"}))).await.status, 404);

        // The whole takes parts by their references, too.
        let patch = json!({"name": "Renamed", "stores": [{"reference": "web", "url": "https://new.example"},
            {"reference": "web-2", "store_group": "sg", "type": "WEBSITE", "url": "https://two.example"}]});
        let changed = call("PATCH", "", Some(patch)).await.body;
        assert_eq!((&changed["name"], changed["stores"].as_array().unwrap().len()), (&json!("Renamed"), 4));
        assert_eq!(
            (&changed["stores"][0]["url"], &changed["stores"][0]["type"]),
            (&json!("https://new.example"), &json!("WEBSITE"))
        );
    }
}

#[tokio::test]
async fn a_repeated_call_makes_nothing_twice_and_references_are_unique() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let body = whole("m-1", "1");
        let mut made = Vec::new();
        for _ in 0..2 {
            let answer = stage.call_with_key(&operator, "POST", "/v1/partners", Some(body.clone()), "once").await;
            made.push((answer.status.as_u16(), answer.body["id"].clone()));
        }
        assert_eq!((made[0].0, &made[0]), (201, &made[1]));
        let taken = create(&stage, &operator, &body).await;
        assert_eq!((taken.status.as_u16(), faults(&taken)), (409, vec!["reference"]));
        let other = stage.call_with_key(&operator, "POST", "/v1/partners", Some(whole("m-2", "1")), "once").await;
        assert_eq!(other.status, 422);
        let second = create(&stage, &operator, &whole("m-2", "1")).await;
        let path = format!("/v1/partners/{}", second.body["id"].as_str().unwrap());
        let renamed = stage.call(&operator, "PATCH", &path, Some(json!({"reference": "m-1"}))).await;
        assert_eq!((renamed.status.as_u16(), faults(&renamed)), (409, vec!["reference"]));
    }
}

#[tokio::test]
async fn partners_are_listed_by_page_and_filter() {
    for stage in stages().await {
        let operator = stage.operator().await;
        let mut ids = Vec::new();
        for number in 0..5 {
            stage.clock.advance(1_000_000);
            let made = create(&stage, &operator, &json!({"reference": format!("m-{number}"), "name": "N"})).await;
            ids.push(made.body["id"].as_str().unwrap().to_owned());
        }
        let list = async |query: &str| stage.call(&operator, "GET", &format!("/v1/partners?{query}"), None).await;
        let listed = |answer: &Answer| -> Vec<String> {
            let partners = answer.body["partners"].as_array().unwrap();
            partners.iter().map(|partner| partner["reference"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(listed(&list("size=2").await), ["m-4", "m-3"]);
        assert_eq!(listed(&list(&format!("size=2&starting_after={}", ids[3])).await), ["m-2", "m-1"]);
        assert_eq!(listed(&list(&format!("size=2&ending_before={}", ids[2])).await), ["m-4", "m-3"]);
        assert_eq!(listed(&list("reference=m-3").await), ["m-3"]);
        assert_eq!(listed(&list("state=DRAFT").await).len(), 5);
        assert_eq!(listed(&list("state=OPERATIONAL").await).len(), 0);
        assert_eq!(faults(&list("state=HAPPY&size=0&starting_after=x").await), ["size", "starting_after", "state"]);
    }
}

#[tokio::test]
async fn a_disabled_operator_is_refused_from_the_next_request_on() {
    for stage in stages().await {
        let operator = stage.operator().await;
        assert_eq!(stage.call(&operator, "GET", "/v1/partners", None).await.status, 200);
        gateway::access::disable_operator(stage.db(), &stage.clock, &operator.id).await.unwrap();
        assert_eq!(stage.call(&operator, "GET", "/v1/partners", None).await.status, 401);
        let listed = gateway::access::operators(stage.db()).await.unwrap();
        assert!(listed.len() == 1 && listed[0].disabled_at.is_some() && listed[0].last_used_at.is_some());
        assert!(gateway::access::disable_operator(stage.db(), &stage.clock, "nobody").await.is_err());
    }
}
