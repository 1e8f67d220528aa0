//! Business entities, brands, store groups, stores, relationships, access policies, and the account itself.

use http::Method;
use serde_json::{Value, json};

use crate::accounts_steps::{advance, get, onboarded, operational, patch, post, told, told_names};
use crate::harness::{End, ends};

/// Makes something of a list, and returns it.
async fn made(end: &End, account: &str, tail: &str, body: Value) -> Value {
    post(end, account, tail, &body).await.expect(201)
}

/// What was told since so many events.
async fn since(end: &End, account: &str, before: usize) -> Vec<Value> {
    told(end, account).await.into_iter().skip(before).map(|(_, payload)| payload).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_changed_by_merging_and_told_once() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let before = crate::accounts_steps::told_after(&end, &account, 1).await.len();
        let change = json!({"partner_account_reference": "p-renamed", "partner_account_contact": {"given_name": "Ada", "phone": "+4930"}});
        let changed = patch(&end, &account, "", &change).await.expect(200);
        assert_eq!(
            changed["partner_account_contact"],
            json!({"email": "ada@nordlicht.example", "given_name": "Ada", "phone": "+4930"})
        );
        assert_eq!(changed["partner_account_reference"], "p-renamed");
        let told_now = since(&end, &account, before).await;
        assert_eq!(told_now.len(), 1);
        assert_eq!(
            (&told_now[0]["resource_type"], &told_now[0]["resource_id"], &told_now[0]["changed_fields"]),
            (
                &json!("partner_account"),
                &json!(account),
                &json!([
                    "partner_account_contact.given_name",
                    "partner_account_contact.phone",
                    "partner_account_reference"
                ])
            )
        );
        assert_eq!(told_now[0]["partner_account_reference"], "p-renamed");
        // The same again changes nothing, and tells nobody.
        patch(&end, &account, "", &change).await.expect(200);
        assert_eq!(since(&end, &account, before).await.len(), 1);

        onboarded(&end, "p-2").await;
        let taken = patch(&end, &account, "", &json!({"partner_account_reference": "p-2"})).await;
        taken.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(taken.parameters(), ["partner_account_reference"]);
        let bad = json!({"partner_account_reference": "", "partner_account_name": 7, "partner_account_contact": {"email": "x", "phone": "y"}});
        assert_eq!(
            patch(&end, &account, "", &bad).await.parameters(),
            [
                "partner_account_reference",
                "partner_account_name",
                "partner_account_contact.email",
                "partner_account_contact.phone"
            ]
        );
        let nobody = patch(&end, &account, "", &json!({"partner_account_contact": null})).await;
        nobody.refused(400, "VALIDATION_ERROR");
        assert_eq!(nobody.parameters(), ["partner_account_contact.email"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brand_is_made_changed_listed_and_told() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let before = crate::accounts_steps::told_after(&end, &account, 1).await.len();
        let element = json!({"logo_url": "https://cdn.example/l.png", "icon_url": "https://cdn.example/i.png", "feature_image_url": "https://cdn.example/f.png"});
        let brand = made(
            &end,
            &account,
            "/brands",
            json!({"brand_reference": "b-1", "display_name": "One", "element": element, "unknown": 1}),
        )
        .await;
        let id = brand["brand_id"].as_str().unwrap();
        assert!(id.starts_with("krn:partner:global:account:brand:"));
        assert_eq!((&brand["element"], brand.get("unknown")), (&element, None));
        assert_eq!(get(&end, &account, &format!("/brands/{id}")).await.expect(200), brand);
        advance(&end, "PT1S").await;
        let tail = format!("/brands/{id}");
        let changed = patch(&end, &account, &tail, &json!({"brand_reference": "b-one", "element": {"icon_url": null}}))
            .await
            .expect(200);
        assert_eq!(
            changed["element"],
            json!({"logo_url": "https://cdn.example/l.png", "feature_image_url": "https://cdn.example/f.png"})
        );
        assert_eq!((&changed["brand_reference"], &changed["created_at"]), (&json!("b-one"), &brand["created_at"]));
        assert_ne!(changed["updated_at"], brand["updated_at"]);
        let fields: Vec<Value> =
            since(&end, &account, before).await.into_iter().map(|event| event["changed_fields"].clone()).collect();
        assert_eq!(
            fields,
            [json!(["brand_reference", "display_name", "element"]), json!(["brand_reference", "element.icon_url"])]
        );

        made(&end, &account, "/brands", json!({"brand_reference": "b-2", "display_name": "Two"})).await;
        for refused in [
            post(&end, &account, "/brands", &json!({"brand_reference": "b-2", "display_name": "Two"})).await,
            patch(&end, &account, &tail, &json!({"brand_reference": "b-2"})).await,
        ] {
            refused.refused(409, "RESOURCE_CONFLICT");
            assert_eq!(refused.parameters(), ["brand_reference"]);
        }
        // The old name is free again.
        made(&end, &account, "/brands", json!({"brand_reference": "b-1", "display_name": "One"})).await;
        assert_eq!(post(&end, &account, "/brands", &json!({})).await.parameters(), ["brand_reference", "display_name"]);
        let bad = json!({"brand_reference": "", "display_name": "x".repeat(101), "element": {"logo_url": "l", "icon_url": 1, "feature_image_url": "ftp://f.example"}});
        assert_eq!(
            patch(&end, &account, &tail, &bad).await.parameters(),
            ["brand_reference", "display_name", "element.logo_url", "element.icon_url", "element.feature_image_url"]
        );
        assert_eq!(patch(&end, &account, &tail, &json!({"display_name": null})).await.parameters(), ["display_name"]);
        // Absent, and somebody else's.
        let other = onboarded(&end, "p-2").await;
        advance(&end, "PT3S").await;
        get(&end, &other, &tail).await.refused(404, "RESOURCE_NOT_FOUND");
        patch(&end, &other, &tail, &json!({"display_name": "Mine"})).await.refused(404, "RESOURCE_NOT_FOUND");
        get(&end, &account, &format!("/stores/{id}")).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unusable_picture_is_told_of_and_can_be_mended() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        crate::accounts_steps::told_after(&end, &account, 1).await;
        let body = json!({"brand_reference": "b-1", "display_name": "One", "element": {"logo_url": "https://cdn.example/bad.png"}});
        let brand = made(&end, &account, "/brands", body).await;
        let told_now = told(&end, &account).await;
        let (name, payload) = told_now.last().unwrap();
        assert_eq!(name, "account.brand.data-incomplete");
        assert_eq!(
            (&payload["brand_id"], &payload["incomplete_fields"]),
            (&brand["brand_id"], &json!([{"field": "element.logo_url", "reason": "NOT_REACHABLE"}]))
        );
        let id = brand["brand_id"].as_str().unwrap();
        patch(
            &end,
            &account,
            &format!("/brands/{id}"),
            &json!({"element": {"logo_url": "https://cdn.example/good.png"}}),
        )
        .await
        .expect(200);
        assert_eq!(told_names(&end, &account).await.last().unwrap(), "account.change.created");
        let path = format!("/testing/accounts/{account}/brands/{id}/incomplete");
        let found = json!({"incomplete_fields": [{"field": "display_name", "reason": "MISLEADING"}]});
        end.ap(Method::POST, &path, Some(&found)).await.expect(200);
        let told_now = told(&end, &account).await;
        assert_eq!(told_now.last().unwrap().1["incomplete_fields"], found["incomplete_fields"]);
        end.ap(Method::POST, &path, Some(&json!({}))).await.refused(400, "VALIDATION_ERROR");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_belong_to_store_groups_and_those_to_brands() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let brand = made(&end, &account, "/brands", json!({"brand_reference": "b-1", "display_name": "One"})).await;
        let body = json!({"store_group_reference": "g-1", "brand_reference": "b-1",
            "support_contact": {"email": "h@n.example", "phone": "+49", "contact_form": "https://n.example/h"},
            "social_media_links": [{"provider": "FACEBOOK", "url": "https://s.example/n"}],
            "stores": [{"type": "WEBSITE", "store_reference": "s-1", "url": "https://n.example"}]});
        let group = made(&end, &account, "/store-groups", body).await;
        assert_eq!(group["brand_id"], brand["brand_id"]);
        assert_eq!(group["stores"][0]["store_group_id"], group["store_group_id"]);
        let group_id = group["store_group_id"].as_str().unwrap();
        let tail = format!("/store-groups/{group_id}");
        let by_id = json!({"store_group_reference": "g-2", "brand_id": brand["brand_id"]});
        let second = made(&end, &account, "/store-groups", by_id).await;
        let bare = made(&end, &account, "/store-groups", json!({"store_group_reference": "g-3"})).await;
        assert_eq!(bare.get("brand_id"), None);

        let app = json!({"type": "MOBILE_APP", "store_reference": "s-2", "store_group_reference": "g-1", "platform": "IOS", "bundle_names": ["n.example"]});
        made(&end, &account, "/stores", app).await;
        let shop = json!({"type": "PHYSICAL_STORE", "store_reference": "s-3", "store_group_id": group_id,
            "address": {"street_address": "Markt 1", "city": "Kiel", "country": "DE"}});
        let shop = made(&end, &account, "/stores", shop).await;
        assert_eq!(get(&end, &account, &tail).await.expect(200)["stores"].as_array().unwrap().len(), 3);

        // A store moves, and becomes another one.
        let shop_tail = format!("/stores/{}", shop["store_id"].as_str().unwrap());
        assert_eq!(patch(&end, &account, &shop_tail, &json!({"type": "WEBSITE"})).await.parameters(), ["url"]);
        let change = json!({"type": "WEBSITE", "store_reference": "s-three", "url": "https://kiel.n.example", "store_group_reference": "g-2", "address": null});
        let moved = patch(&end, &account, &shop_tail, &change).await.expect(200);
        assert_eq!((&moved["store_group_id"], moved.get("address")), (&second["store_group_id"], None));
        let told_now = told(&end, &account).await;
        assert_eq!(
            told_now.last().unwrap().1["changed_fields"],
            json!([
                "address.city",
                "address.country",
                "address.street_address",
                "store_group_id",
                "store_reference",
                "type",
                "url"
            ])
        );
        patch(&end, &account, &shop_tail, &json!({"store_group_id": null})).await.refused(400, "VALIDATION_ERROR");

        // So does a group.
        let other = made(&end, &account, "/brands", json!({"brand_reference": "b-2", "display_name": "Two"})).await;
        let moved = patch(
            &end,
            &account,
            &tail,
            &json!({"brand_reference": "b-2", "support_contact": {"phone": null}, "social_media_links": []}),
        )
        .await
        .expect(200);
        assert_eq!(
            (&moved["brand_id"], &moved["support_contact"], &moved["social_media_links"]),
            (&other["brand_id"], &json!({"email": "h@n.example", "contact_form": "https://n.example/h"}), &json!([]))
        );
        let freed = patch(&end, &account, &tail, &json!({"brand_id": null, "store_group_reference": "g-one"}))
            .await
            .expect(200);
        assert_eq!((freed.get("brand_id"), &freed["store_group_reference"]), (None, &json!("g-one")));

        for (tail, body, parameters) in [
            (
                "/store-groups",
                json!({"store_group_reference": "g-9", "brand_reference": "none"}),
                vec!["brand_reference"],
            ),
            (
                "/store-groups",
                json!({"store_group_reference": "g-9", "brand_reference": "b-1", "brand_id": brand["brand_id"]}),
                vec!["brand_reference"],
            ),
            (
                "/store-groups",
                json!({"support_contact": {"email": "x", "phone": "x", "contact_form": "x"}, "social_media_links": [{}]}),
                vec![
                    "store_group_reference",
                    "support_contact.email",
                    "support_contact.phone",
                    "support_contact.contact_form",
                    "social_media_links[0].provider",
                    "social_media_links[0].url",
                ],
            ),
            (
                "/stores",
                json!({"type": "WEBSITE", "store_reference": "s-9", "url": "https://n.example"}),
                vec!["store_group_reference"],
            ),
            (
                "/stores",
                json!({"type": "WEBSITE", "store_reference": "s-9", "url": "https://n.example", "store_group_reference": "none"}),
                vec!["store_group_reference"],
            ),
            ("/stores", json!({"store_group_reference": "g-2"}), vec!["type", "store_reference"]),
            (
                "/stores",
                json!({"type": "MOBILE_APP", "store_reference": "s-9", "store_group_reference": "g-2"}),
                vec!["platform", "bundle_names"],
            ),
            (
                "/stores",
                json!({"type": "TENT", "store_reference": "s-9", "store_group_reference": "g-2"}),
                vec!["type"],
            ),
        ] {
            let answer = post(&end, &account, tail, &body).await;
            answer.refused(400, "VALIDATION_ERROR");
            assert_eq!(answer.parameters(), parameters, "{body}");
        }
        let again = json!({"type": "WEBSITE", "store_reference": "s-1", "url": "https://n.example", "store_group_reference": "g-2"});
        post(&end, &account, "/stores", &again).await.refused(409, "RESOURCE_CONFLICT");
        // A store of a group that is refused takes the group with it.
        let body = json!({"store_group_reference": "g-9", "stores": [{"type": "WEBSITE", "store_reference": "s-1", "url": "https://n.example"}]});
        post(&end, &account, "/store-groups", &body).await.refused(409, "RESOURCE_CONFLICT");
        assert_eq!(get(&end, &account, "/store-groups").await.expect(200)["pagination"]["total"], 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_business_keeps_to_its_countrys_rules_through_changes() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let body = json!({"partner_business_entity_reference": "e-1", "legal_registered_entity_name": "E", "legal_registration_country": "SE",
            "supplementary_business_data": {"legal_registration": {"legal_registration_number": "556000-1234"}}});
        let entity = made(&end, &account, "/partner-business-entities", body).await;
        let tail = format!("/partner-business-entities/{}", entity["partner_business_entity_id"].as_str().unwrap());
        let at = "supplementary_business_data.legal_registration";
        let refused = patch(&end, &account, &tail, &json!({"legal_registration_country": "DE"})).await;
        assert_eq!(
            refused.parameters(),
            [format!("{at}.legal_registration_number"), format!("{at}.legal_registration_authority")]
        );
        let change = json!({"legal_registration_country": "DE", "supplementary_business_data": {"legal_registration": {
            "legal_registration_number": "HRB 12345", "legal_registration_authority": "Kiel"}, "stakeholders": [{"given_name": "Ada"}]}});
        let changed = patch(&end, &account, &tail, &change).await.expect(200);
        assert_eq!(changed["supplementary_business_data"], change["supplementary_business_data"]);
        let (_, payload) = told(&end, &account).await.pop().unwrap();
        assert_eq!(
            payload["changed_fields"],
            json!([
                "legal_registration_country",
                format!("{at}.legal_registration_authority"),
                format!("{at}.legal_registration_number"),
                "supplementary_business_data.stakeholders"
            ])
        );
        assert!(!payload.to_string().contains("HRB"), "fields are named, values are not");
        let sole = json!({"partner_business_entity_reference": "e-2", "legal_registered_entity_name": "E", "legal_registration_country": "SE",
            "supplementary_business_data": {"legal_registration": {"legal_registration_entity_type": "SOLE_TRADER"}}});
        assert_eq!(
            post(&end, &account, "/partner-business-entities", &sole).await.parameters(),
            ["supplementary_business_data.stakeholders"]
        );
        assert_eq!(
            post(&end, &account, "/partner-business-entities", &json!({})).await.parameters(),
            ["partner_business_entity_reference", "legal_registered_entity_name", "legal_registration_country"]
        );
        let hash = json!({"supplementary_business_data": {"partner_payouts_state": {"bank_accounts": [
            {"bank_account_type": "IBAN", "account_number_hash": {"value": "AA=="}}]}}});
        assert_eq!(
            patch(&end, &account, &tail, &hash).await.parameters(),
            ["supplementary_business_data.partner_payouts_state.bank_accounts[0].account_number_hash.value"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_walked_there_and_back() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        for number in 0..5 {
            made(&end, &account, "/brands", json!({"brand_reference": format!("b-{number}"), "display_name": "B"}))
                .await;
            advance(&end, "PT1S").await;
        }
        let names = |list: &Value| -> Vec<String> {
            list["brands"]
                .as_array()
                .unwrap()
                .iter()
                .map(|brand| brand["brand_reference"].as_str().unwrap().to_owned())
                .collect()
        };
        let mut path = format!("/v2/accounts/{account}/brands?size=2");
        let mut seen = Vec::new();
        let last = loop {
            let page = end.ap(Method::GET, &path, None).await.expect(200);
            assert_eq!(page["pagination"]["total"], 5);
            seen.extend(names(&page));
            let Some(next) = page["pagination"]["links"]["next"]["href"].as_str() else { break page };
            path = next.strip_prefix(&end.base).unwrap().to_owned();
        };
        assert_eq!(seen, ["b-0", "b-1", "b-2", "b-3", "b-4"]);
        let back = last["pagination"]["links"]["prev"]["href"].as_str().unwrap();
        let page = end.ap(Method::GET, back.strip_prefix(&end.base).unwrap(), None).await.expect(200);
        assert_eq!(names(&page), ["b-2", "b-3"]);
        get(&end, &account, "/brands?size=0").await.refused(400, "VALIDATION_ERROR");
        assert_eq!(get(&end, &account, "/access-policies").await.expect(200)["pagination"]["total"], 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn relationships_and_access_policies_are_kept() {
    for end in ends().await {
        let account = operational(&end, "p-1").await;
        let platform = operational(&end, "p-2").await;
        let body = json!({"type": "ORGANIZATION_MEMBER", "target_partner_account_id": platform});
        let link = made(&end, &account, "/partner-account-relationships", body.clone()).await;
        assert_eq!(
            (&link["source_partner_account_id"], &link["target_partner_account_id"]),
            (&json!(account), &json!(platform))
        );
        post(&end, &account, "/partner-account-relationships", &body).await.refused(409, "RESOURCE_CONFLICT");
        let tail =
            format!("/partner-account-relationships/{}", link["partner_account_relationship_id"].as_str().unwrap());
        let changed = patch(&end, &account, &tail, &json!({"type": "MANAGED_PLATFORM_MEMBER"})).await.expect(200);
        assert_eq!(changed["type"], "MANAGED_PLATFORM_MEMBER");
        assert_eq!(get(&end, &account, &tail).await.expect(200), changed);
        for target in [
            account.as_str(),
            "krn:partner:global:account:test:ABSENT01",
            end.credentials.acquiring_partner.account_id.as_str(),
        ] {
            let body = json!({"type": "ORGANIZATION_MEMBER", "target_partner_account_id": target});
            assert_eq!(
                post(&end, &account, "/partner-account-relationships", &body).await.parameters(),
                ["target_partner_account_id"]
            );
        }
        let rule = json!({"access_policy_rule_reference": "r-1", "resource_type": "BRAND", "resource_id": "krn:b"});
        let policy = json!({"access_policy_reference": "a-1", "type": "ALLOW", "rules": [rule]});
        let policy = made(&end, &account, "/access-policies", policy).await;
        assert_eq!(policy["state"], "ACTIVE");
        let id = policy["access_policy_id"].as_str().unwrap();
        let doubled = json!({"rules": [rule, rule]});
        assert_eq!(
            patch(&end, &account, &format!("/access-policies/{id}"), &doubled).await.parameters(),
            ["rules[1].access_policy_rule_reference"]
        );
        let resolve = |query: &str| {
            let path = format!("/v2/distribution/resolve/access-policy-id?access_policy_reference=a-1{query}");
            let end = &end;
            async move { end.ap(Method::GET, &path, None).await }
        };
        for query in [format!("&partner_account_id={account}"), "&partner_account_reference=p-1".to_owned()] {
            assert_eq!(resolve(&query).await.expect(200), json!({"access_policy_id": id}));
        }
        resolve("").await.refused(400, "VALIDATION_ERROR");
        resolve(&format!("&partner_account_id={account}&partner_account_reference=p-1"))
            .await
            .refused(400, "VALIDATION_ERROR");
        resolve("&partner_account_reference=p-2").await.refused(404, "RESOURCE_NOT_FOUND");
    }
}
