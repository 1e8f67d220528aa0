//! A market that nobody has heard of (GLO-1, GLO-2): data at the network's end, and an unchanged gateway.

use reqwest::Method;
use serde_json::{Value, json};

use crate::partners::Ends;

/// A country that is no market of Klarna's, with its currency, which has no minor unit: nothing else in the repository names them
/// together.
fn iceland() -> Value {
    json!({
        "markets": [{"country": "IS", "currency": "ISK", "locales": ["is-IS", "en-IS"],
            "pricing_region": "NORTH_CENTRAL_EUROPE", "programs": [
                {"program": "pay-now", "minimum": 150, "maximum": 1_500_000},
                {"program": "pay-later-30", "minimum": 1_000, "maximum": 500_000}]}],
        "currencies": [{"code": "ISK", "per_euro": 150, "fixed_fee": 45, "home": "IS"}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_of_data_is_paid_in_and_priced_through_an_unchanged_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("markets.json");
    std::fs::write(&file, iceland().to_string()).unwrap();
    let ends = Ends::start_on(&["--markets", file.to_str().unwrap()], &[]).await;
    let (path, key, account) = ends.operational("m-1").await;

    // At home in the new currency; at home in another one; and abroad in the new one.
    for (country, currency, amount) in [("IS", "ISK", 12_500), ("IS", "EUR", 8_990), ("DE", "ISK", 12_500)] {
        let order = json!({"amount": amount, "currency": currency, "country": country, "reference": format!("{country}-{currency}"),
            "return_url": "https://shop.example/thanks",
            "line_items": [{"name": "Lantern", "quantity": 1, "total_amount": amount}],
            "customer": {"given_name": "Ada", "family_name": "Vester", "email": "ada@shop.example",
                "address": {"street_address": "Gata 1", "postal_code": "101", "city": "Bær", "country": country}}});
        let (status, paid) = ends.call(&key, Method::POST, "/v1/payments", Some(&order)).await;
        assert_eq!((status, &paid["state"]), (201, &json!("REQUIRES_CUSTOMER_ACTION")), "{country} {currency}: {paid}");
        let request = paid["klarna"]["payment_request_id"].as_str().unwrap();
        let step = format!("/testing/payment-requests/{request}/complete");
        let (status, done) = ends.klarna(Method::POST, &step, Some(&json!({}))).await;
        assert!(status < 300, "{country} {currency}: {done}");
        let payment = format!("/v1/payments/{}", paid["id"].as_str().unwrap());
        let authorized =
            ends.heard(&key, &payment, "the authorization", |payment| payment["state"] == "AUTHORIZED").await;
        assert_eq!((&authorized["amount"], &authorized["currency"]), (&json!(amount), &json!(currency)));
        let (status, captured) = ends.call(&key, Method::POST, &format!("{payment}/captures"), None).await;
        assert_eq!((status, &captured["amount"]), (201, &json!(amount)), "{captured}");
        let (status, refunded) =
            ends.call(&key, Method::POST, &format!("{payment}/refunds"), Some(&json!({"amount": 500}))).await;
        assert_eq!(status, 201, "{refunded}");
    }

    let (status, pricing) = ends.call(&key, Method::GET, "/v1/pricing?customer_country=IS", None).await;
    assert_eq!(status, 200, "{pricing}");
    let rates = pricing["rates"].as_array().unwrap();
    assert!(
        !rates.is_empty() && rates.iter().all(|rate| rate["currency"] == "ISK" && rate["fixed_fee"] == 45),
        "{rates:?}"
    );
    let (_, whole) = ends.operate(Method::GET, &format!("{path}/pricing"), None).await;
    let programs = whole["payment_programs"].as_array().unwrap().iter();
    let offered = programs.filter(|one| one["markets"].to_string().contains("\"IS\"")).count();
    assert_eq!(offered, 2, "pay now and pay later");

    // The money of the new currency is settled like any other.
    let (status, settled) = ends.klarna(Method::POST, "/testing/settlements", Some(&json!({}))).await;
    assert!(status < 300, "{settled}");
    assert!(settled.to_string().contains("ISK"), "{account}: {settled}");
}

#[test]
fn a_file_that_does_not_fit_stops_the_start_with_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("markets.json");
    let mut wrong = iceland();
    wrong["markets"][0]["country"] = json!("SE");
    wrong["markets"][0]["programs"] = json!([{"program": "barter", "minimum": 1, "maximum": 2}]);
    std::fs::write(&file, wrong.to_string()).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kontor"))
        .args(["network", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()])
        .args(["--markets", file.to_str().unwrap()])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    for fault in [
        "markets[0].country is there already",
        "programs[0].program is no key",
        "must have pay-now",
        "currencies[0].home",
    ] {
        assert!(said.contains(fault), "{fault}: {said}");
    }
}
