//! Payment programs and what they cost: what is listed, what can be switched on, and for whom.

use http::Method;
use network::programs::{self, Priced};
use protocol::{Currency, PartnerAccountId};
use serde_json::{Value, json};

use crate::harness::{BEGINNING, End, Wishes, ends, places, start};

const PLANS: &str = "/v2/distribution/products/payment/payment-program-plans";
const PRICES: &str = "/v2/distribution/products/payment/price-plans";
const ENABLEMENTS: &str = "/products/payment/payment-programs/payment-program-enablements";

/// The id of a program by its name.
pub async fn program(end: &End, name: &str) -> String {
    let path = format!("/v2/accounts/{}/products/payment/payment-programs?size=100", end.partner());
    let list = end.ap(Method::GET, &path, None).await.expect(200);
    let programs = list["payment_programs"].as_array().unwrap().clone();
    let found = programs.iter().find(|program| program["display_name"] == name).expect(name);
    found["payment_program_id"].as_str().unwrap().to_owned()
}

fn enablements(end: &End) -> String {
    format!("/v2/accounts/{}{ENABLEMENTS}", end.partner())
}

/// Switches a program on for the seeded Partner.
pub async fn enable(end: &End, name: &str, criteria: Value) -> String {
    let body = json!({"payment_program_id": program(end, name).await, "enablement_criteria": criteria});
    let made = end.ap(Method::POST, &enablements(end), Some(&body)).await.expect(201);
    made["payment_program_enablement_id"].as_str().unwrap().to_owned()
}

fn names(list: &Value) -> Vec<&str> {
    let programs = list["payment_programs"].as_array().unwrap();
    programs.iter().map(|program| program["display_name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_switched_before_the_partner_is_operational() {
    for end in ends().await {
        let partner = crate::accounts_steps::onboarded(&end, "p+slow").await;
        let path = format!("/v2/accounts/{partner}{ENABLEMENTS}");
        let body = json!({"payment_program_id": program(&end, "Pay in 60 days").await});
        end.ap(Method::POST, &path, Some(&body)).await.refused(409, "RESOURCE_CONFLICT");
        crate::accounts_steps::advance(&end, "PT61S").await;
        let made = end.ap(Method::POST, &path, Some(&body)).await.expect(201);
        let one = format!("{path}/{}", made["payment_program_enablement_id"].as_str().unwrap());
        let state = format!("/testing/accounts/{partner}/state");
        end.ap(Method::PUT, &state, Some(&json!({"state": "DISABLED"}))).await.expect(200);
        end.ap(Method::DELETE, &one, None).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(end.ap(Method::GET, &one, None).await.expect(200)["state"], "ACTIVE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn profiles_name_the_plans_that_can_be_read() {
    for end in ends().await {
        let profiles = end.ap(Method::GET, "/v2/distribution/products/payment/profiles", None).await.expect(200);
        let profiles = profiles.as_array().unwrap().clone();
        assert_eq!(profiles.len(), 2);
        for profile in &profiles {
            let plan = format!("{PLANS}/{}", profile["payment_program_plan_id"].as_str().unwrap());
            assert!(!names(&end.ap(Method::GET, &plan, None).await.expect(200)).is_empty());
            let alias = end.ap(Method::GET, &format!("{plan}/payment-programs"), None).await.expect(200);
            assert!(!names(&alias).is_empty());
            let prices = format!("{PRICES}/{}", profile["price_plan_id"].as_str().unwrap());
            let prices = end.ap(Method::GET, &prices, None).await.expect(200);
            assert_eq!(prices["rates"].as_array().unwrap().len(), 20);
        }
        for path in ["/v2/distribution/products/payment/profiles", PLANS, PRICES] {
            end.call(end.partner_key(), Method::GET, path, None).await.refused(403, "OPERATION_FORBIDDEN");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_its_versions_the_one_in_force_first() {
    for end in ends().await {
        let prices = end.ap(Method::GET, PRICES, None).await.expect(200);
        let versions = prices["price_plans"][0]["versions"].as_array().unwrap();
        let numbers: Vec<i64> = versions.iter().map(|version| version["version"].as_i64().unwrap()).collect();
        assert_eq!(numbers, [2, 3, 1]);
        assert_eq!(versions[0]["effective_to"], versions[1]["effective_from"]);
        assert_eq!(versions[1]["effective_to"], Value::Null);
        let id = prices["price_plans"][0]["price_plan_id"].as_str().unwrap();
        let filter = "merchant_category_code=5942&currency=EUR&customer_country=DE&pricing_payment_category=DIGITAL";
        let rate = async |more: &str| {
            let read = end.ap(Method::GET, &format!("{PRICES}/{id}?{filter}{more}"), None).await.expect(200);
            let version = read["version"].as_i64().unwrap();
            let rates = read["rates"].as_array().unwrap().clone();
            (version, rates[1]["variable_rate"].as_str().unwrap().to_owned())
        };
        assert_eq!(rate("").await, (2, "2.99".to_owned()));
        assert_eq!(rate("&version=1").await, (1, "3.19".to_owned()));
        assert_eq!(rate("&date_time=2024-05-01T00:00Z").await, (1, "3.19".to_owned()));
        assert_eq!(rate("&date_time=2031-01-01T00:00:00.000Z").await, (3, "3.09".to_owned()));
        assert_eq!(rate("&partner_country=US").await, (2, "3.49".to_owned()));
        let one = end.ap(Method::GET, &format!("{PRICES}/{id}?{filter}"), None).await.expect(200)["rates"][1].clone();
        assert_eq!(
            (&one["fixed_fee"], &one["microtransaction_cap"], &one["currency"]),
            (&json!(30), &json!("15.00"), &json!("EUR"))
        );

        let refused =
            async |query: &str| end.ap(Method::GET, &format!("{PRICES}/{id}?{query}"), None).await.parameters();
        assert_eq!(refused("version=9").await, ["version"]);
        assert_eq!(
            refused("merchant_category_code=59&currency=EURO&customer_country=DEU&version=x&pricing_payment_category=MAIL&partner_country=1&payment_program_id=krn:payment:eu1:request:1&date_time=today").await,
            ["merchant_category_code", "currency", "customer_country", "version", "pricing_payment_category", "partner_country", "payment_program_id", "date_time"]
        );
        assert_eq!(refused("starting_after=nowhere").await, ["starting_after"]);
        let unknown = "krn:partner:global:payment:price-plan:00000000-0000-4000-8000-000000000000";
        end.ap(Method::GET, &format!("{PRICES}/{unknown}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        end.ap(Method::GET, &format!("{PRICES}/x"), None).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_filtered_by_trade_market_and_enablement() {
    for end in ends().await {
        let plans = end.ap(Method::GET, PLANS, None).await.expect(200);
        let plan = plans["payment_program_plans"][0]["payment_program_plan_id"].as_str().unwrap();
        let list = async |query: &str| {
            let list = end.ap(Method::GET, &format!("{PLANS}/{plan}?size=100&{query}"), None).await.expect(200);
            names(&list).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(
            list("customer_country=GB&enablement_type=PRESET").await,
            ["Pay in full", "Pay in 30 days", "Pay in 3"]
        );
        assert_eq!(list("customer_country=US&enablement_type=PRESET").await, ["Pay in full", "Pay in 4"]);
        assert_eq!(list("customer_country=SE&transaction_currency=EUR").await, ["Pay in full"]);
        assert_eq!(list("customer_country=SE&transaction_currency=JPY").await, [""; 0]);
        assert_eq!(list("customer_country=XX").await, [""; 0]);
        assert_eq!(list("merchant_category_code=7995").await, [""; 0]);
        assert_eq!(list("customer_country=GB&enablement_type=RESTRICTED").await.len(), 5);
        assert_eq!(list("customer_country=DE&merchant_category_code=4511&enablement_type=OPTIONAL").await, [""; 0]);
        assert_eq!(list("version=1&customer_country=DE&enablement_type=OPTIONAL").await.len(), 2);
        let refused = end.ap(Method::GET, &format!("{PLANS}/{plan}?enablement_type=ALWAYS&version=9"), None).await;
        assert_eq!((refused.status, refused.parameters()), (400, vec!["enablement_type".to_owned()]));
        assert_eq!(end.ap(Method::GET, &format!("{PLANS}/{plan}?version=9"), None).await.parameters(), ["version"]);
        end.ap(Method::GET, &format!("{PLANS}/x"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        let foreign = "/v2/distribution/products/payment/payment-programs/krn:network:global:all:payment:payment-program:00000000-0000-4000-8000-000000000000";
        end.ap(Method::GET, foreign, None).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_program_is_switched_on_once_and_off_again() {
    for end in ends().await {
        let body = json!({"payment_program_id": program(&end, "Pay in 60 days").await, "payment_program_enablement_code": "club",
            "enablement_criteria": {"customer_countries": ["se"], "merchant_category_codes": ["5942"],
                "payment_account_ids": [end.credentials.partner.payment_account_id]}});
        let made = end.ap_once("k", Method::POST, &enablements(&end), Some(&body)).await.expect(201);
        let again = end.ap_once("k", Method::POST, &enablements(&end), Some(&body)).await.expect(201);
        assert_eq!(made, again);
        assert_eq!((&made["state"], &made["ended_at"]), (&json!("ACTIVE"), &Value::Null));
        assert_eq!(made["payment_program_enablement_code"], "club");
        assert_eq!(made["enablement_criteria"]["customer_countries"], json!(["SE"]));
        let id = made["payment_program_enablement_id"].as_str().unwrap();
        let path = format!("{}/{id}", enablements(&end));
        assert_eq!(end.ap(Method::GET, &path, None).await.expect(200), made);
        let programs = format!("/v2/accounts/{}/products/payment/payment-programs?size=100", end.partner());
        let shown = async || {
            let list = end.ap(Method::GET, &programs, None).await.expect(200);
            list["payment_programs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["active_enablements"].as_array().unwrap().len())
                .sum::<usize>()
        };
        assert_eq!(shown().await, 1);
        for _ in 0..2 {
            end.ap(Method::DELETE, &path, None).await.expect(204);
        }
        assert_eq!(shown().await, 0);
        let ended = end.ap(Method::GET, &path, None).await.expect(200);
        assert_eq!((&ended["state"], &ended["ended_at"]), (&json!("ENDED"), &json!("2026-03-02T10:00:00Z")));
        let list = end.ap(Method::GET, &enablements(&end), None).await.expect(200);
        assert_eq!(
            (list["payment_program_enablements"].as_array().unwrap().len(), &list["pagination"]["total"]),
            (1, &json!(1))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enablements_are_walked_in_pages() {
    for end in ends().await {
        for _ in 0..3 {
            enable(&end, "Pay in 60 days", json!({})).await;
        }
        let page = async |query: &str| {
            end.ap(Method::GET, &format!("{}?size=2{query}", enablements(&end)), None).await.expect(200)
        };
        let id = |page: &Value, n: usize| {
            page["payment_program_enablements"][n]["payment_program_enablement_id"].as_str().unwrap().to_owned()
        };
        let first = page("").await;
        let last = page(&format!("&starting_after={}", id(&first, 1))).await;
        assert_eq!(last["payment_program_enablements"].as_array().unwrap().len(), 1);
        let back = page(&format!("&ending_before={}", id(&last, 0))).await;
        assert_eq!(back["payment_program_enablements"], first["payment_program_enablements"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_switched_on_says_why() {
    for end in ends().await {
        let post = async |body: &Value| end.ap(Method::POST, &enablements(&end), Some(body)).await;
        let (preset, optional) = (program(&end, "Pay in 3").await, program(&end, "Pay in 60 days").await);
        let restricted = program(&end, "Financing 0%, 12 months").await;
        post(&json!({"payment_program_id": preset})).await.refused(409, "RESOURCE_CONFLICT");
        post(&json!({"payment_program_id": restricted})).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(post(&json!({})).await.parameters(), ["payment_program_id"]);
        let unknown = "krn:network:global:all:payment:payment-program:00000000-0000-4000-8000-000000000000";
        assert_eq!(post(&json!({"payment_program_id": unknown})).await.parameters(), ["payment_program_id"]);
        let body = json!({"payment_program_id": 5, "payment_program_enablement_code": "", "enablement_criteria": {
            "customer_countries": ["Sweden"], "merchant_category_codes": ["59"], "payment_account_ids": ["", 1],
            "markets": [{"transaction_currency": "X"}]}});
        assert_eq!(
            post(&body).await.parameters(),
            [
                "payment_program_id",
                "payment_program_enablement_code",
                "enablement_criteria.customer_countries[0]",
                "enablement_criteria.merchant_category_codes[0]",
                "enablement_criteria.payment_account_ids[0]",
                "enablement_criteria.payment_account_ids[1]",
                "enablement_criteria.markets[0].customer_country",
                "enablement_criteria.markets[0].transaction_currency",
            ]
        );
        let body = json!({"payment_program_id": optional, "enablement_criteria": {"customer_countries": ["US"],
            "merchant_category_codes": ["4511"],
            "payment_account_ids": ["krn:partner:global:account:payment-account:00000000-0000-4000-8000-000000000000"]}});
        assert_eq!(
            post(&body).await.parameters(),
            [
                "enablement_criteria.customer_countries[0]",
                "enablement_criteria.merchant_category_codes[0]",
                "enablement_criteria.payment_account_ids[0]",
            ]
        );
        let path = enablements(&end);
        end.call(end.partner_key(), Method::POST, &path, Some(&json!({"payment_program_id": optional})))
            .await
            .refused(403, "OPERATION_FORBIDDEN");
        let absent = "krn:partner:global:account:payment-program-enablement:00000000-0000-4000-8000-000000000000";
        for method in [Method::GET, Method::DELETE] {
            end.ap(method, &format!("{path}/{absent}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
        }
        // One of the Partner's is absent for the account above.
        let id = enable(&end, "Pay in 60 days", json!({})).await;
        end.ap(Method::GET, &format!("/v2{ENABLEMENTS}/{id}"), None).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn klarna_switches_a_restricted_program_on() {
    for end in ends().await {
        let body = json!({"payment_program_id": program(&end, "Financing 0%, 12 months").await});
        let path = format!("/testing/accounts/{}/payment-program-enablements", end.partner());
        let made = end.ap(Method::POST, &path, Some(&body)).await.expect(201);
        let list = end.ap(Method::GET, &enablements(&end), None).await.expect(200);
        assert_eq!(list["payment_program_enablements"][0], made);
        let preset = json!({"payment_program_id": program(&end, "Pay in 3").await});
        end.ap(Method::POST, &path, Some(&preset)).await.refused(409, "RESOURCE_CONFLICT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_criteria_mean_the_same() {
    for end in ends().await {
        let markets = json!([{"customer_country": "SE", "transaction_currency": "SEK"}]);
        let body = json!({"payment_program_id": program(&end, "Pay in 60 days").await, "enablement_criteria": {"markets": markets}});
        let made = end.ap(Method::POST, &enablements(&end), Some(&body)).await.expect(201);
        assert_eq!(made["enablement_criteria"], json!({"customer_countries": ["SE"], "markets": markets}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enablements_outlive_a_restart() {
    for place in places().await {
        let end = start(&place, Wishes::default()).await;
        let id = enable(&end, "Pay in 60 days", json!({"customer_countries": ["SE"]})).await;
        end.stop().await;
        let end = start(&place, Wishes::default()).await;
        let read = end.ap(Method::GET, &format!("{}/{id}", enablements(&end)), None).await.expect(200);
        assert_eq!(read["enablement_criteria"]["customer_countries"], json!(["SE"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_follows_from_the_account_and_the_payment() {
    for end in ends().await {
        for (id, currency, wanted) in [
            (end.partner().to_owned(), Currency::EUR, ("2.99", 30)),
            (end.partner().to_owned(), Currency::USD, ("5.99", 30)),
            (end.credentials.acquiring_partner.account_id.clone(), Currency::SEK, ("2.99", 300)),
        ] {
            let account: PartnerAccountId = id.parse().unwrap();
            let rate = end.ctx.db.read(move |tx| {
                Box::pin(async move {
                    programs::rate_for(tx, &account, &Priced::online("5942", None, currency), BEGINNING).await
                })
            });
            let rate = rate.await.unwrap().unwrap();
            assert_eq!((rate.variable_rate().as_str(), rate.fixed_fee), wanted);
        }
    }
}
