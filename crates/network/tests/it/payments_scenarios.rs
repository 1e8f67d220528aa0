//! The scenarios of Klarna's public collection, each from the request to the money, with all the fields that the collection sends.

use http::Method;
use kit::clock::DAY_US;
use serde_json::{Value, json};

use crate::harness::{End, ends};
use crate::payments_steps::*;

fn address() -> Value {
    json!({"street_address": "Musterweg 1", "postal_code": "10115", "city": "Berlin", "country": "DE"})
}

fn insurances() -> Value {
    json!([{"insurance_type": "CANCELATION", "insurance_company_name": "AON", "price": 500, "currency": "EUR"}])
}

fn place() -> Value {
    json!({"street_address": "Musterweg 1", "city": "Berlin", "country": "DE"})
}

fn lines(more: &Value) -> Value {
    let mut line = json!({"name": "T-Shirt", "quantity": 2, "unit_price": 2495, "total_amount": AMOUNT,
        "total_tax_amount": 998, "product_url": "https://shop.example/shirt",
        "image_url": "https://shop.example/shirt.png", "product_identifier": "1234567", "line_item_reference": "line-1",
        "reference": "line-1", "line_item_metadata": {"categories": ["MEN_CLOTHING"]}});
    for (name, value) in more.as_object().unwrap() {
        line[name.as_str()] = value.clone();
    }
    json!([line])
}

fn customer() -> Value {
    let purchases = json!([{"number_of_purchases": 7, "number_of_paid_purchases": 6, "number_of_disputed_purchases": 1,
        "total_amount": 70_000, "currency": "EUR", "payment_method": "CREDIT_CARD",
        "first_purchase_at": "2024-01-02T03:04:05Z", "last_purchase_at": "2026-01-02T03:04:05Z"}]);
    json!({"given_name": "Ada", "family_name": "Muster", "email": "ada@muster.example",
        "email_last_verified_at": "2026-01-02T03:04:05Z", "phone": "+4915112345678",
        "phone_last_verified_at": "2026-01-02T03:04:05Z", "address": address(), "date_of_birth": "1988-04-23",
        "national_identification": {"number": "123456789", "country": "DE"},
        "customer_account": {"account_identifier": "ada", "loyalty_level": "HIGH", "created_at": "2024-01-02T03:04:05Z",
            "updated_at": "2026-01-02T03:04:05Z", "last_login": {"occurred_at": "2026-03-02T09:59:00Z",
            "login_method": "WEBAUTHN_PASSKEY"}, "purchase_history": purchases, "device_purchase_history": purchases},
        "customer_device": {"app_identifier": "com.example.shop", "device_identifier": "d-1",
            "user_agent": "Mozilla/5.0 (test)", "ip_address": "203.0.113.7",
            "geolocation": {"country": "DE", "latitude": 52, "longitude": 13}}})
}

fn shipping() -> Value {
    json!([{"shipping_reference": "shipping-1",
        "recipient": {"given_name": "Ada", "family_name": "Muster", "email": "ada@muster.example",
            "phone": "+4915112345678", "attention": "Reception"},
        "address": address(),
        "shipping_option": {"shipping_type": "TO_DOOR", "shipping_type_attributes": ["SIGNATURE_REQUIRED"],
            "shipping_carrier": "DHL"}}])
}

/// Purchase data by the scenario that it stands for.
fn purchases() -> Vec<(&'static str, Value)> {
    let plain = lines(&json!({}));
    let mut travel = json!({"travel_type": "AIR", "reservation_reference": "R-1", "carrier_name": "Example Air", "price": AMOUNT,
        "currency": "EUR", "ticket_class": "ECONOMY", "affiliate_name": "booking.example",
        "passengers": [{"given_name": "Ada", "family_name": "Muster"}], "insurances": insurances()});
    let mut by_air = travel.clone();
    by_air["departure"] = place();
    by_air["arrival"] = json!({"arrival_airport": "CDG", "city": "Paris", "country": "FR"});
    travel["departure"] =
        json!({"departure_location": "Berlin Hbf", "departs_at": "2026-04-01T08:00:00Z", "address": place()});
    travel["arrival"] = json!({"arrival_location": "Paris Est", "address": place()});
    travel["travel_type"] = json!("TRAIN");
    let event = json!({"event_name": "Summer", "event_company_name": "Stage GmbH", "event_type": "CONCERT",
        "starts_at": "2026-07-01T18:00:00Z", "ends_at": "2026-07-01T23:00:00Z", "venue_name": "Arena",
        "access_controlled_venue": true, "address": place(), "affiliate_name": "tickets.example", "insurances": insurances()});
    let lodging = json!({"lodging_name": "Hotel Muster", "address": place(), "starts_at": "2026-05-01T15:00:00Z",
        "ends_at": "2026-05-04T10:00:00Z", "number_of_spaces": 1, "price": AMOUNT, "currency": "EUR", "lodging_type": "ROOM",
        "guests": [{"given_name": "Ada", "family_name": "Muster"}],
        "hosts": {"host_reference": "H-1", "host_type": "HOTEL", "country_of_domicile": "DE",
            "registered_at": "2020-01-01T00:00:00Z", "number_of_reservations": 12},
        "insurances": insurances(), "affiliate_name": "booking.example"});
    let seller = json!({"marketplace_seller_reference": "S-1", "marketplace_seller_name": "Stall", "marketplace_seller_address": place(),
        "product_category": "MEN_CLOTHING", "line_item_references": ["line-1"], "shipping_references": ["shipping-1"],
        "seller_registered_at": "2020-01-01T00:00:00Z", "seller_updated_at": "2026-01-01T00:00:00Z",
        "seller_last_login_at": "2026-03-01T00:00:00Z", "seller_rating": "HIGH", "number_of_transactions": 900,
        "volume_of_transactions": 4_000_000});
    let voucher = json!({"voucher_name": "Spa day", "voucher_type": "GIFT_CARD", "voucher_company": "Spa GmbH",
        "starts_at": "2026-03-02T00:00:00Z", "ends_at": "2027-03-02T00:00:00Z", "affiliate_name": "gifts.example"});
    let legacy = json!({"air_reservation_details": {"pnr": "ABC123", "itinerary": [{"departure": "BER"}]}});
    vec![
        (
            "standard",
            json!({"line_items": lines(&json!({"shipping_reference": "shipping-1"})), "customer": customer(), "shipping": shipping()}),
        ),
        ("event", json!({"line_items": plain, "customer": customer(), "event_reservations": [event]})),
        ("travel", json!({"line_items": plain, "travel_reservations": [by_air, travel]})),
        ("lodging", json!({"line_items": plain, "lodging_reservations": [lodging]})),
        (
            "marketplace",
            json!({"line_items": plain, "shipping": shipping(), "marketplace_sellers": [seller], "insurances": insurances()}),
        ),
        ("voucher", json!({"line_items": plain, "vouchers": [voucher]})),
        ("legacy attachment", json!({"line_items": plain, "additional_data": legacy.to_string()})),
    ]
}

async fn customer_does(end: &End, request: &str, body: &Value) -> Value {
    let path = format!("/testing/accounts/{}/requests/{request}/customer", end.partner());
    end.ap(Method::POST, &path, Some(body)).await.expect(200)
}

async fn approve(end: &End, request: &Value) -> Value {
    let id = request["payment_request_id"].as_str().unwrap();
    customer_does(end, id, &json!({"step": "APPROVE", "email": "customer@email.de"})).await
}

async fn pay(end: &End, token: &str, body: &Value) -> Value {
    let answer = authorize(end, &[("klarna-network-session-token", token)], body).await.expect(200);
    assert_eq!(answer["payment_transaction_response"]["result"], "APPROVED", "{answer}");
    answer["payment_transaction_response"]["payment_transaction"].clone()
}

fn final_call(end: &End, reference: &str) -> Value {
    json!({"currency": "EUR", "acquiring_config": acquiring(end),
        "request_payment_transaction": {"amount": AMOUNT, "payment_transaction_reference": reference}})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_purchase_is_asked_for_approved_paid_captured_and_refunded() {
    for end in ends().await {
        for (scenario, mut data) in purchases() {
            data["purchase_reference"] = json!(scenario);
            let body = json!({"currency": "EUR", "amount": AMOUNT, "payment_request_reference": "PR-1",
                "supplementary_purchase_data": data, "acquiring_config": acquiring(&end), "payment_option_id": "option-1",
                "payment_program_enablement_codes": ["PAY_LATER"], "interoperability_data": "{\"content\":\"test\"}",
                "customer_interaction_config": {"method": "HANDOVER", "return_url": "https://psp.example/r",
                    "app_return_url": "shop://back"}});
            let asked = post(&end, "/requests", &body).await.expect(201);
            for (name, value) in body.as_object().unwrap() {
                assert_eq!(&asked[name], value, "{scenario}: {name}");
            }
            let token = session_token(&approve(&end, &asked).await);
            let paid = pay(&end, &token, &final_call(&end, scenario)).await;
            assert_eq!(paid["supplementary_purchase_data"], data, "{scenario}: what the customer approved");
            let path = format!("/transactions/{}", id(&paid));
            let captured = post(
                &end,
                &format!("{path}/capture"),
                &json!({"capture_amount": AMOUNT,
                "supplementary_capture_data": {"line_items": data["line_items"]},
                "supplementary_purchase_data": {"purchase_reference": "later"}}),
            )
            .await
            .expect(201);
            assert_eq!(captured["supplementary_purchase_data"], json!({"purchase_reference": "later"}), "{scenario}");
            let refund =
                json!({"refund_amount": AMOUNT, "supplementary_refund_data": {"line_items": data["line_items"]}});
            let refunded = post(&end, &format!("{path}/refund"), &refund).await.expect(201);
            assert_eq!(refunded["supplementary_refund_data"]["line_items"], data["line_items"], "{scenario}");
            let whole = get(&end, &path).await.expect(200);
            assert_eq!(
                (&whole["state"], &whole["refunded_amount"]),
                (&json!("COMPLETED"), &json!(AMOUNT)),
                "{scenario}"
            );
            assert_eq!(whole["payment_captures"][0]["supplementary_purchase_data"]["purchase_reference"], "later");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_store_the_customer_scans_a_code_and_the_terminal_is_remembered() {
    for end in ends().await {
        let store = "krn:partner:global:account:store:0b0e8d5e-1111-4a2b-9c3d-000000000001";
        let mut body = final_call(&end, "TX-1");
        body["request_payment_transaction"]["capture"] = json!("NOW");
        body["request_payment_transaction"]["payment_capture_reference"] = json!("C-1");
        body["request_payment_transaction"]["payment_program_enablement_codes"] = json!(["PAY_IN_FULL"]);
        body["point_of_checkout"] = json!({"store_id": store});
        body["point_of_transaction"] = json!({"type": "TERMINAL", "terminal_reference": "T-7"});
        body["step_up_config"] = json!({"payment_request_reference": "PR-1", "payment_request_expires_at": "2026-03-02T10:20:00Z",
            "customer_interaction_config": {"method": "QR_CODE"}});
        let asked = authorize(&end, &[], &body).await.expect(200)["payment_request"].clone();
        assert_eq!(asked["point_of_checkout"], body["point_of_checkout"]);
        assert_eq!(asked["point_of_transaction"], body["point_of_transaction"]);
        assert_eq!(asked["expires_at"], "2026-03-02T10:20:00Z");
        let interaction = &asked["state_context"]["customer_interaction"];
        let code = &interaction["qr_code"];
        let image = code["image_url"].as_str().unwrap().strip_prefix(&end.base).unwrap();
        assert_eq!(end.send(Method::GET, image, &[], None).await.header("content-type"), Some("image/svg+xml"));
        let short = code["target_url"].as_str().unwrap().strip_prefix(&end.base).unwrap();
        let led = end.send(Method::GET, short, &[], None).await;
        assert_eq!((led.status, led.header("location")), (303, interaction["payment_request_url"].as_str()));
        assert_eq!(told(&end).await, ["request.state-change.submitted"], "whoever only looks enters nothing");
        let token = session_token(&approve(&end, &asked).await);
        body.as_object_mut().unwrap().remove("step_up_config");
        let paid = pay(&end, &token, &body).await;
        assert_eq!(
            (&paid["state"], &paid["payment_captures"][0]["payment_capture_reference"]),
            (&json!("COMPLETED"), &json!("C-1"))
        );
        assert_eq!(paid["point_of_transaction"], body["point_of_transaction"]);
        assert_eq!(paid["payment_program_enablement_codes"], json!(["PAY_IN_FULL"]));
        // The cashier's screen shows nothing any more; the customer's phone still learns how it ended.
        assert_eq!(end.send(Method::GET, image, &[], None).await.status, 404);
        assert_eq!(end.send(Method::GET, short, &[], None).await.status, 303);
        end.ctx.clock.advance(2 * DAY_US);
        assert_eq!(end.send(Method::GET, short, &[], None).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_becomes_a_code_gets_a_short_address_and_keeps_it() {
    for end in ends().await {
        let made = post(&end, "/requests", &request_body(&end)).await.expect(201);
        assert!(made["state_context"]["customer_interaction"].get("qr_code").is_none());
        let path = format!("/requests/{}", made["payment_request_id"].as_str().unwrap());
        let scanned = json!({"customer_interaction_config": {"method": "QR_CODE"}});
        let code = |request: &Value| request.pointer("/state_context/customer_interaction/qr_code/target_url").cloned();
        let first = end.ap(Method::PATCH, &at(&end, &path), Some(&scanned)).await.expect(200);
        assert!(code(&first).is_some());
        let second = end.ap(Method::PUT, &at(&end, &path), Some(&json!({"amount": 1}))).await.expect(200);
        assert_eq!(code(&second), code(&first));
    }
}

fn subscription(free_trial: &str) -> Value {
    json!([{"subscription_reference": "GAME_PASS_USER_XYZ", "name": "Game pass", "free_trial": free_trial,
        "billing_plans": [{"billing_amount": AMOUNT, "currency": "EUR", "from": "2026-04-02T00:00:00Z", "interval": "MONTH",
            "interval_frequency": 1}]}])
}

fn token_wish(scope: &str) -> Value {
    json!({"scopes": [scope], "customer_token_reference": "sub-42"})
}

fn customer_token(request: &Value) -> String {
    request["state_context"]["klarna_customer"]["customer_token"].as_str().expect("a customer token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_begins_with_a_payment_and_renews_without_the_customer() {
    for end in ends().await {
        let mut body = request_body(&end);
        body["supplementary_purchase_data"] = json!({"purchase_reference": "S-1", "subscriptions": subscription("INACTIVE"),
            "line_items": lines(&json!({"subscription_reference": "GAME_PASS_USER_XYZ"}))});
        body["request_customer_token"] = token_wish("payment:customer_not_present");
        let approved = approve(&end, &post(&end, "/requests", &body).await.expect(201)).await;
        let customer = customer_token(&approved);
        let mut first = final_call(&end, "TX-1");
        first["request_customer_token"] = body["request_customer_token"].clone();
        let answer =
            authorize(&end, &[("klarna-network-session-token", &session_token(&approved))], &first).await.expect(200);
        assert_eq!(
            answer["customer_token_response"]["customer_token"], customer,
            "the token that came with the approval"
        );
        assert_eq!(answer["customer_token_response"]["customer_token_reference"], "sub-42");
        assert_eq!(
            answer["payment_transaction_response"]["payment_transaction"]["supplementary_purchase_data"]["subscriptions"],
            subscription("INACTIVE")
        );
        // A year of renewals.
        for month in 1..=12 {
            end.ctx.clock.advance(30 * DAY_US);
            let mut renewal = final_call(&end, &format!("TX-1-{month}"));
            renewal["supplementary_purchase_data"] = body["supplementary_purchase_data"].clone();
            let paid = authorize(&end, &[("klarna-customer-token", &customer)], &renewal).await.expect(200);
            assert_eq!(paid["payment_transaction_response"]["result"], "APPROVED");
        }
        // The customer ends it in Klarna's app.
        let path = format!("/testing/accounts/{}/customer-tokens/revoke", end.partner());
        let authorization = format!("Basic {}", end.ap_key());
        let headers = [("authorization", authorization.as_str()), ("klarna-customer-token", customer.as_str())];
        for _ in 0..2 {
            assert_eq!(end.send(Method::POST, &path, &headers, None).await.status, 204);
        }
        let revoked: Vec<_> =
            events(&end).await.into_iter().filter(|(kind, _)| kind.starts_with("identity.")).collect();
        assert_eq!(revoked.len(), 1, "told once");
        assert_eq!(
            (&revoked[0].1["revoked_by"], &revoked[0].1["customer_token_reference"]),
            (&json!("CUSTOMER"), &json!("sub-42"))
        );
        let late =
            authorize(&end, &[("klarna-customer-token", &customer)], &final_call(&end, "TX-9")).await.expect(200);
        assert_eq!(late["payment_transaction_response"]["result_reason"], "CUSTOMER_TOKEN_REVOKED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_trial_and_an_empty_wallet_are_agreed_to_without_a_payment() {
    for end in ends().await {
        let trial = json!({"purchase_reference": "S-1", "subscriptions": subscription("ACTIVE")});
        let wallet = json!({"purchase_reference": "W-1", "ondemand_service": {"average_amount": 2000, "minimum_amount": 500,
            "maximum_amount": 9900, "currency": "EUR", "purchase_interval": "MONTH", "purchase_interval_frequency": 2}});
        for (data, scope) in [(trial, "payment:customer_not_present"), (wallet, "payment:customer_not_present")] {
            let mut body = request_body(&end);
            body.as_object_mut().unwrap().remove("amount");
            body["supplementary_purchase_data"] = data.clone();
            body["request_customer_token"] = token_wish(scope);
            let asked = post(&end, "/requests", &body).await.expect(201);
            assert_eq!((asked.get("amount"), &asked["supplementary_purchase_data"]), (None, &data));
            let customer = customer_token(&approve(&end, &asked).await);
            // The first charge comes later.
            end.ctx.clock.advance(14 * DAY_US);
            let mut charge = final_call(&end, &format!("TX-{}", data["purchase_reference"]));
            charge["supplementary_purchase_data"] = data;
            let paid = authorize(&end, &[("klarna-customer-token", &customer)], &charge).await.expect(200);
            assert_eq!(paid["payment_transaction_response"]["result"], "APPROVED", "{paid}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_demand_with_a_purchase_and_customer_login_in_one_journey() {
    for end in ends().await {
        let mut body = with_step_up(final_call(&end, "TX-1"));
        body["supplementary_purchase_data"] = json!({"purchase_reference": "W-1", "line_items": lines(&json!({})),
            "ondemand_service": {"average_amount": 2000, "minimum_amount": 500, "maximum_amount": 9900,
                "purchase_interval": "MONTH", "purchase_interval_frequency": 2}});
        body["request_customer_token"] = json!({"scopes": ["customer:login", "payment:customer_present"]});
        let asked = authorize(&end, &[], &body).await.expect(200);
        assert_eq!(asked["customer_token_response"]["result"], "STEP_UP_REQUIRED");
        let approved = approve(&end, &asked["payment_request"]).await;
        let customer = customer_token(&approved);
        assert_eq!(
            approved["state_context"]["klarna_customer"]["scopes"],
            json!(["customer:login", "payment:customer_present"])
        );
        pay(&end, &session_token(&approved), &final_call(&end, "TX-1")).await;
        // With this token the customer is asked again, in a shorter journey.
        let again =
            authorize(&end, &[("klarna-customer-token", &customer)], &with_step_up(final_call(&end, "TX-2"))).await;
        assert_eq!(again.expect(200)["payment_transaction_response"]["result"], "STEP_UP_REQUIRED");
        let without =
            authorize(&end, &[("klarna-customer-token", &customer)], &final_call(&end, "TX-2")).await.expect(200);
        assert_eq!(without["payment_transaction_response"]["result_reason"], "STEP_UP_NOT_POSSIBLE");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn express_checkout_says_where_the_goods_go_and_who_the_customer_is() {
    for end in ends().await {
        let mut body = request_body(&end);
        body["shipping_config"] = json!({"mode": "EDITABLE", "supported_countries": ["AT", "SE"]});
        body["collect_customer_profile"] = json!([
            "profile:name",
            "profile:email",
            "profile:phone",
            "profile:locale",
            "profile:billing_address",
            "profile:country",
            "profile:date_of_birth"
        ]);
        let approved = approve(&end, &post(&end, "/requests", &body).await.expect(201)).await;
        let shipping = &approved["state_context"]["shipping"];
        assert_eq!(
            shipping["recipient"],
            json!({"given_name": "Test", "family_name": "Person-at", "email": "customer@email.de",
            "phone": "+4306762600456"})
        );
        assert_eq!((&shipping["address"]["country"], &shipping["address"]["city"]), (&json!("AT"), &json!("Wien")));
        let profile = &approved["state_context"]["klarna_customer"]["customer_profile"];
        assert_eq!((&profile["family_name"], &profile["address"]["city"]), (&json!("Person-de"), &json!("Berlin")));
        assert_eq!(profile["date_of_birth"], "1970-07-10");
        // What the Partner knew is told, as far as the Partner sends there.
        for (country, told) in [("AT", "Graz"), ("DE", "Wien")] {
            body["supplementary_purchase_data"]["shipping"] = json!([{"recipient": {"given_name": "Ada", "family_name": "Muster"},
                "address": {"street_address": "Ring 1", "city": "Graz", "country": country},
                "shipping_option": {"shipping_type": "TO_DOOR"}}]);
            let approved = approve(&end, &post(&end, "/requests", &body).await.expect(201)).await;
            let shipping = &approved["state_context"]["shipping"];
            assert_eq!(
                (&shipping["recipient"]["given_name"], &shipping["address"]["city"]),
                (&json!("Ada"), &json!(told))
            );
            assert_eq!(shipping["shipping_option"]["shipping_type"], "TO_DOOR");
        }
        // Webhooks repeat it on top.
        let completed = events(&end).await.pop().unwrap();
        assert_eq!(
            (completed.0.as_str(), &completed.1["shipping"]["address"]["city"]),
            ("request.state-change.completed", &json!("Wien"))
        );
        // Nobody asked, nobody is told.
        let silent = approve(&end, &post(&end, "/requests", &request_body(&end)).await.expect(201)).await;
        assert!(
            silent["state_context"].get("shipping").is_none()
                && silent["state_context"].get("klarna_customer").is_none()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_funding_of_a_payment_without_guarantee_is_settled_once() {
    for end in ends().await {
        for (number, (state, event)) in
            [("FUNDED", "funding.state-change.funded"), ("EXPIRED", "funding.state-change.expired")]
                .into_iter()
                .enumerate()
        {
            let mut body = authorization(&end, &format!("TX-{number}"));
            let account = &end.credentials.partner.payment_account_id_non_guaranteed;
            body["acquiring_config"] = json!({ "payment_account_id": account });
            let waiting = charge(&end, &body).await;
            assert_eq!(waiting["payment_funding"], json!({"type": "NON_GUARANTEED", "state": "PENDING"}));
            let path = format!("/testing/accounts/{}/transactions/{}/funding", end.partner(), id(&waiting));
            names(&end.ap(Method::POST, &path, Some(&json!({"state": "PENDING"}))).await, &["state"]);
            names(&end.ap(Method::POST, &path, Some(&json!({}))).await, &["state"]);
            let settled = end.ap(Method::POST, &path, Some(&json!({ "state": state }))).await.expect(200);
            assert_eq!(settled["payment_funding"], json!({"type": "NON_GUARANTEED", "state": state}));
            end.ap(Method::POST, &path, Some(&json!({ "state": state }))).await.refused(403, "OPERATION_FORBIDDEN");
            let told: Vec<_> = told(&end).await.into_iter().filter(|kind| kind.starts_with("funding.")).collect();
            assert_eq!((told.len(), told.last().map(String::as_str)), (number + 1, Some(event)));
        }
        let guaranteed = id(&transaction(&end, "TX-G").await);
        let path = format!("/testing/accounts/{}/transactions/{guaranteed}/funding", end.partner());
        end.ap(Method::POST, &path, Some(&json!({"state": "FUNDED"}))).await.refused(403, "OPERATION_FORBIDDEN");
        let absent = path.replace(&guaranteed, "krn:payment:eu1:transaction:0b0e8d5e-1111-4a2b-9c3d-000000000001");
        end.ap(Method::POST, &absent, Some(&json!({"state": "FUNDED"}))).await.refused(404, "RESOURCE_NOT_FOUND");
        // The account above has no such transaction.
        let above = format!("/testing/transactions/{guaranteed}/funding");
        end.ap(Method::POST, &above, Some(&json!({"state": "FUNDED"}))).await.refused(404, "RESOURCE_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_refuses_what_a_customer_could_not_do() {
    for end in ends().await {
        let made = post(&end, "/requests", &request_body(&end)).await.expect(201);
        let id = made["payment_request_id"].as_str().unwrap();
        let path = format!("/testing/accounts/{}/requests/{id}/customer", end.partner());
        names(&end.ap(Method::POST, &path, Some(&json!({"step": "RUN", "email": "x"}))).await, &["step", "email"]);
        end.ap(Method::POST, &path, Some(&json!({"step": "LEAVE"}))).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(customer_does(&end, id, &json!({"step": "ENTER"})).await["state"], "IN_PROGRESS");
        let left = customer_does(&end, id, &json!({"step": "LEAVE"})).await;
        assert_eq!((&left["state"], &left["state_reason"]), (&json!("SUBMITTED"), &json!("PURCHASE_FLOW_ABORTED")));
        let denied = customer_does(&end, id, &json!({"step": "APPROVE", "phone": "+4552555348"})).await;
        assert_eq!(denied["state"], "DECLINED");
        end.ap(Method::POST, &path, Some(&json!({"step": "APPROVE"}))).await.refused(403, "OPERATION_FORBIDDEN");
        assert_eq!(
            told(&end).await,
            ["submitted", "in-progress", "submitted", "in-progress", "declined"]
                .map(|state| format!("request.state-change.{state}"))
        );
    }
}
