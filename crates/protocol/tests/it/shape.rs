//! Which bodies are refused, and that each faulty field is named.

use crate::full;
use protocol::*;
use serde_json::{Value, json};

fn faults(shape: &Shape, body: &Value) -> Vec<String> {
    shape.check(body).iter().map(|fault| fault.parameter().to_owned()).collect()
}

fn reason(shape: &Shape, body: &Value, parameter: &str) -> String {
    let faults = shape.check(body);
    let found = faults.iter().find(|fault| fault.parameter() == parameter);
    found.unwrap_or_else(|| panic!("{parameter} is not among {faults:?}")).reason().to_owned()
}

#[test]
fn full_bodies_pass() {
    for (shape, body) in [
        (shapes::create_payment_request(), full::create_payment_request()),
        (shapes::update_payment_request(), full::create_payment_request()),
        (shapes::update_payment_request(), json!({})),
        (shapes::authorize(), full::authorize()),
        (shapes::authorize(), json!({"currency": "sek", "request_customer_token": {"scopes": ["customer:login"]}})),
        (shapes::capture(), full::capture()),
        (shapes::capture(), json!({})),
        (shapes::refund(), full::refund()),
        (shapes::update_transaction(), full::update_transaction()),
        (shapes::reauthorize(), full::reauthorize()),
        (shapes::supplementary_purchase_data(), full::supplementary_purchase_data()),
        (shapes::simulate(), json!({"event_type": "payment.request.updated", "event_version": "v2"})),
    ] {
        assert_eq!(shape.check(&body), vec![], "{body}");
    }
}

#[test]
fn every_faulty_field_is_named_at_once() {
    let body = json!({
        "currency": "QQQ",
        "amount": 0,
        "payment_request_reference": "",
        "supplementary_purchase_data": {
            "customer": {"email": "nobody", "phone": "call me", "date_of_birth": "28.2.1990", "address": {"country": "Austria"}},
            "line_items": [
                {"name": "Pot", "quantity": "abc", "total_amount": 1.5},
                {"quantity": 1, "total_amount": 18446744073709551615_u64, "product_url": "ftp://x.example"},
                null
            ],
            "shipping": {},
            "event_reservations": [{"access_controlled_venue": "yes", "insurances": [{"price": -1, "currency": "euro"}]}],
            "additional_data": "{not json"
        },
        "request_customer_token": {"scopes": ["payment:everything"]},
        "customer_interaction_config": {"method": "CARRIER_PIGEON", "return_url": "http://shop.example", "interaction_expiry": {"duration": "PT5M"}},
        "collect_customer_profile": "profile:name",
        "acquiring_config": {"payment_account_id": full::REQUEST}
    });
    let expected = [
        "currency",
        "amount",
        "payment_request_reference",
        "supplementary_purchase_data.customer.email",
        "supplementary_purchase_data.customer.phone",
        "supplementary_purchase_data.customer.date_of_birth",
        "supplementary_purchase_data.customer.address.country",
        "supplementary_purchase_data.shipping",
        "supplementary_purchase_data.line_items[0].quantity",
        "supplementary_purchase_data.line_items[0].total_amount",
        "supplementary_purchase_data.line_items[1].name",
        "supplementary_purchase_data.line_items[1].total_amount",
        "supplementary_purchase_data.line_items[1].product_url",
        "supplementary_purchase_data.line_items[2]",
        "supplementary_purchase_data.event_reservations[0].access_controlled_venue",
        "supplementary_purchase_data.event_reservations[0].insurances[0].price",
        "supplementary_purchase_data.event_reservations[0].insurances[0].currency",
        "supplementary_purchase_data.additional_data",
        "request_customer_token.scopes[0]",
        "customer_interaction_config.method",
        "customer_interaction_config.return_url",
        "customer_interaction_config.interaction_expiry.duration",
        "collect_customer_profile",
        "acquiring_config.payment_account_id",
    ];
    assert_eq!(faults(shapes::create_payment_request(), &body), expected);
}

#[test]
fn reasons_say_what_would_pass() {
    let authorize = |amount: Value| {
        let body = json!({"currency": "EUR", "request_payment_transaction": {"amount": amount, "payment_transaction_reference": "T"}});
        reason(shapes::authorize(), &body, "request_payment_transaction.amount")
    };
    assert_eq!(authorize(json!("abc")), r#"must be an integer of at least 1, was "abc""#);
    assert_eq!(authorize(json!(-5)), "must be an integer of at least 1, was -5");
    assert_eq!(
        authorize(json!(9223372036854775808_u64)),
        "must be an integer from 1 to 9223372036854775807, was 9223372036854775808"
    );
    let beyond: Value = serde_json::from_str("99999999999999999999999").unwrap();
    for number in [beyond, json!(1e30), json!(-1e30)] {
        assert!(authorize(number).starts_with("must be an integer from 1 to 9223372036854775807, was "));
    }
    for number in [json!(10.0), json!(0.1)] {
        assert!(authorize(number).contains("of at least 1, written without fraction or exponent, was "));
    }
    assert_eq!(authorize(json!(null)), "is required");

    let body = json!({"remaining_authorization": "MAYBE", "payment_capture_reference": "x".repeat(300)});
    assert_eq!(reason(shapes::capture(), &body, "remaining_authorization"), r#"must be RELEASE, was "MAYBE""#);
    assert_eq!(
        reason(shapes::capture(), &body, "payment_capture_reference"),
        "must be a text of 1 to 255 characters, had 300"
    );
    let line_break = json!({"payment_capture_reference": "a\nb"});
    let said = reason(shapes::capture(), &line_break, "payment_capture_reference");
    assert_eq!(said, "must not contain control characters");
}

#[test]
fn reasons_show_little_of_what_was_sent_and_nothing_personal() {
    let long = json!({"currency": "€".repeat(500), "amount": 1, "payment_request_reference": "\u{1b}[31m"});
    let said = reason(shapes::create_payment_request(), &long, "currency");
    let (_, shown) = said.split_once("was ").unwrap();
    assert_eq!(shown.chars().count(), 40);

    let secret = "ada@@mail.example";
    let body = json!({"currency": "EUR", "amount": 1, "klarna_network_data": [secret], "supplementary_purchase_data": {
        "customer": {"email": secret, "phone": secret, "given_name": format!("{secret}\n"), "date_of_birth": secret,
            "customer_device": {"ip_address": secret, "geolocation": {"latitude": secret}}, "address": {"country": secret},
            "national_identification": {"number": {"x": secret}, "country": secret}},
        "shipping": [{"recipient": {"email": secret}, "address": {"postal_code": secret}}],
        "travel_reservations": [{"passengers": [{"given_name": 123456}]}],
        "additional_data": secret}});
    let faults = shapes::create_payment_request().check(&body);
    assert_eq!(faults.len(), 14, "{faults:#?}");
    assert!(
        faults.iter().all(|fault| !fault.reason().contains("ada@") && !fault.reason().contains("123456")),
        "{faults:#?}"
    );
}

#[test]
fn required_fields_are_asked_for_only_where_their_object_is() {
    assert_eq!(faults(shapes::create_payment_request(), &json!({})), ["currency", "amount"]);
    assert_eq!(faults(shapes::authorize(), &json!({})), ["currency", "request_payment_transaction"]);
    let token_only = json!({"currency": "EUR", "request_customer_token": {}});
    assert_eq!(faults(shapes::create_payment_request(), &token_only), ["request_customer_token.scopes"]);
    for body in [json!(null), json!([]), json!("x"), json!(1)] {
        assert_eq!(faults(shapes::authorize(), &body), ["body"]);
    }
}

#[test]
fn rules_about_several_fields() {
    let create = |config: Value| {
        let body = json!({"currency": "EUR", "amount": 1, "customer_interaction_config": config});
        faults(shapes::create_payment_request(), &body)
    };
    assert_eq!(create(json!({"method": "HANDOVER"})), ["customer_interaction_config.return_url"]);
    assert_eq!(create(json!({"method": "QR_CODE"})), Vec::<String>::new());
    let both =
        json!({"method": "SDK", "interaction_expiry": {"duration": "PT1H", "timestamp": "2026-03-02T10:00:00Z"}});
    assert_eq!(create(both), ["customer_interaction_config.interaction_expiry"]);
    assert_eq!(
        create(json!({"method": "SDK", "interaction_expiry": {}})),
        ["customer_interaction_config.interaction_expiry"]
    );

    let two_expiries = json!({"currency": "EUR", "request_customer_token": {"scopes": ["customer:login"]},
        "step_up_config": {"payment_request_expires_at": "2026-03-02T13:00:00Z",
            "customer_interaction_config": {"method": "SDK", "interaction_expiry": {"duration": "PT1H"}}}});
    assert_eq!(faults(shapes::authorize(), &two_expiries), ["step_up_config.payment_request_expires_at"]);

    let data = json!({"refund_amount": 1, "klarna_network_data": "a", "interoperability_data": "b", "amount": 2, "refund_reference": "F",
        "payment_refund_reference": "G"});
    assert_eq!(faults(shapes::refund(), &data), ["amount", "refund_reference", "interoperability_data"]);

    let half = json!({"currency": "EUR", "amount": 1, "acquiring_config": {"payment_account_reference": "pa-1"}});
    assert_eq!(faults(shapes::create_payment_request(), &half), ["acquiring_config.payment_acquiring_account_id"]);
}

#[test]
fn webhooks_and_simulations_have_their_rules() {
    let key = "krn:partner:global:notification:signing-key:3d0c9a52-1f0e-4d35-8a56-6b2f1f0a7e21";
    let webhook = |url: &str, event_types: Value| json!({"url": url, "event_types": event_types, "event_version": "v2", "signing_key_id": key, "status": "ENABLED"});
    for url in ["https://h.example/k", "https://h.example:443/k", "https://h.example:8443/k"] {
        assert_eq!(shapes::webhook_create().check(&webhook(url, json!(["payment.*"]))), vec![], "{url}");
    }
    for url in [
        "http://h.example",
        "https://h.example:444",
        "h.example",
        "https://u:p@h.example",
        "https://",
        "javascript:alert(1)",
    ] {
        assert_eq!(faults(shapes::webhook_create(), &webhook(url, json!(["payment.*"]))), ["url"], "{url}");
    }
    let local = webhook("http://127.0.0.1:4000/inbox", json!(["payment.request.updated"]));
    assert_eq!(shapes::webhook_create_local().check(&local), vec![]);
    assert_eq!(shapes::webhook_update_local().check(&local), vec![]);

    let types = json!(["*", "payment.*", "payment.*", "pay.*", "payment.request.sleeping", "Payment.*", 7]);
    assert_eq!(
        faults(shapes::webhook_create(), &webhook("https://h.example", types)),
        ["event_types[0]", "event_types[3]", "event_types[4]", "event_types[5]", "event_types[6]", "event_types[2]"]
    );
    assert_eq!(faults(shapes::webhook_create(), &json!({})), ["url", "event_types", "event_version", "signing_key_id"]);
    assert_eq!(faults(shapes::webhook_create(), &webhook("https://h.example", json!([]))), ["event_types"]);
    assert_eq!(shapes::webhook_update().check(&json!({})), vec![]);
    assert_eq!(
        faults(shapes::webhook_update(), &json!({"status": "PAUSED", "event_version": "v9"})),
        ["event_version", "status"]
    );

    let simulate = |event: &str| faults(shapes::simulate(), &json!({"event_type": event, "event_version": "v2"}));
    assert_eq!(simulate("payment.*"), ["event_type"]);
    assert_eq!(simulate("payment.request.state-change.prepared"), ["event_type"]);
    assert_eq!(simulate("partner.compliance.decision.created"), Vec::<String>::new());
}

#[test]
fn a_billing_plan_begins_on_a_day_or_at_a_time() {
    for (from, fine) in [("2026-04-01", true), ("2026-04-01T00:00:00Z", true), ("April", false)] {
        let body = serde_json::json!({"subscriptions": [{"billing_plans": [{"from": from}]}]});
        assert_eq!(protocol::shapes::supplementary_purchase_data().check(&body).is_empty(), fine, "{from}");
    }
}

#[test]
fn lines_must_add_up_to_the_amount() {
    let body = json!({"supplementary_purchase_data": {"line_items": full::line_items()}});
    assert_eq!(check_purchase_sum(&body, 4990), None);
    let fault = check_purchase_sum(&body, 5000).unwrap();
    assert_eq!(fault.parameter(), "supplementary_purchase_data.line_items");
    assert_eq!(fault.reason(), "the total_amount of all line items must add up to the amount 5000, was 4990");
    assert_eq!(check_purchase_sum(&json!({}), 5000), None);
    assert_eq!(check_sum(Some(&json!([])), 1, "line_items").unwrap().parameter(), "line_items");

    let huge = json!([{"total_amount": i64::MAX}, {"total_amount": i64::MAX}]);
    assert_eq!(line_items_sum(&huge), Some(i128::from(i64::MAX) * 2));
    assert_eq!(line_items_sum(&json!([{"total_amount": "1"}])), None);
}

#[test]
fn a_hostile_body_gets_a_bounded_answer() {
    let many = json!({"line_items": (0..1000).map(|_| json!({"name": 1, "quantity": 0})).collect::<Vec<_>>()});
    assert_eq!(shapes::refund().check(&many).len(), 200);
    let too_many = json!({"line_items": vec![json!(1); 50_000]});
    assert_eq!(faults(shapes::refund(), &too_many), ["line_items"]);
}
