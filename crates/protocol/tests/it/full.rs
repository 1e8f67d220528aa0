//! Bodies that have every member the network knows: what the round trips and the shapes are tried on.

use serde_json::{Value, json};

pub const REQUEST: &str = "krn:payment:eu1:request:0b0e8d5e-1111-4a2b-9c3d-000000000001";
pub const TRANSACTION: &str = "krn:payment:eu1:transaction:0b0e8d5e-2222-4a2b-9c3d-000000000001";
pub const ACCOUNT: &str = "krn:partner:global:account:payment-account:0b0e8d5e-3333-4a2b-9c3d-000000000001";

fn address() -> Value {
    json!({"street_address": "Lange Gasse 12", "street_address2": "Stiege 3", "postal_code": "1080", "city": "Wien", "region": "W",
        "country": "AT"})
}

fn insurances() -> Value {
    json!([{"insurance_type": "CANCELATION", "insurance_company_name": "Safe & Sound", "price": 900, "currency": "EUR"}])
}

fn history() -> Value {
    json!([{"number_of_purchases": 7, "number_of_paid_purchases": 6, "number_of_disputed_purchases": 0, "total_amount": 88000,
        "currency": "EUR", "payment_method": "CREDIT_CARD", "first_purchase_at": "2024-05-01T08:00:00Z",
        "last_purchase_at": "2026-01-09T19:30:00Z"}])
}

pub fn line_items() -> Value {
    json!([
        {"name": "Tea pot", "quantity": 2, "unit_price": 2995, "total_amount": 5990, "total_tax_amount": 998,
         "product_url": "https://shop.example/p/1", "image_url": "https://shop.example/i/1.png", "product_identifier": "0401234567890",
         "line_item_reference": "L-1", "reference": "POT-1", "shipping_reference": "S-1", "subscription_reference": "SUB-1",
         "line_item_metadata": {"categories": ["KITCHEN", "TEA"]}},
        {"name": "Discount", "quantity": 1, "unit_price": -1000, "total_amount": -1000}
    ])
}

fn event_reservation() -> Value {
    json!({"event_name": "Night of Strings", "event_company_name": "Hall & Co", "event_type": "CONCERT",
        "starts_at": "2026-09-01T18:00:00Z", "ends_at": "2026-09-01T21:00:00Z", "venue_name": "Old Hall",
        "access_controlled_venue": true, "address": address(), "affiliate_name": "tickets.example", "insurances": insurances()})
}

fn travel_reservation() -> Value {
    json!({"travel_type": "AIR", "reservation_reference": "R7X2", "carrier_name": "North Air", "price": 12000, "currency": "EUR",
        "ticket_class": "ECONOMY", "passengers": [{"given_name": "Ada", "family_name": "Berg"}], "insurances": insurances(),
        "affiliate_name": "trips.example",
        "departure": {"departure_location": "Arlanda", "departure_airport": "ARN", "departs_at": "2026-08-01T06:10:00+02:00",
            "address": address(), "street_address": "Weg 1", "street_address2": "B", "postal_code": "19045", "city": "Stockholm",
            "region": "AB", "country": "SE"},
        "arrival": {"arrival_location": "Roissy", "arrival_airport": "CDG", "arrives_at": "2026-08-01T08:40", "address": address(),
            "street_address": "Rue 1", "street_address2": "", "postal_code": "95700", "city": "Roissy", "region": "IDF",
            "country": "FR"}})
}

pub fn supplementary_purchase_data() -> Value {
    json!({
        "purchase_reference": "4711",
        "customer": {
            "given_name": "Ada", "family_name": "Berg", "email": "ada@mail.example", "email_last_verified_at": "2026-01-01T00:00:00Z",
            "phone": "+43 664 1234567", "phone_last_verified_at": "2026-01-01", "address": address(), "date_of_birth": "1990-02-28",
            "national_identification": {"number": "900228-1234", "country": "SE"},
            "customer_account": {
                "account_identifier": "c-17", "loyalty_level": "HIGH", "created_at": "2020-01-01T00:00:00Z",
                "updated_at": "2026-01-01T00:00:00Z",
                "last_login": {"occurred_at": "2026-03-01T12:00:00Z", "login_method": "WEBAUTHN_PASSKEY"},
                "purchase_history": history(), "device_purchase_history": history()},
            "customer_device": {
                "app_identifier": "shop-app", "device_identifier": "d-1", "user_agent": "Browser/1.0", "ip_address": "203.0.113.7",
                "geolocation": {"country": "AT", "latitude": 48.21, "longitude": 16}}},
        "shipping": [{
            "shipping_reference": "S-1",
            "recipient": {"given_name": "Ada", "family_name": "Berg", "email": "ada@mail.example", "phone": "+436641234567",
                "attention": "Front desk"},
            "address": address(),
            "shipping_option": {"shipping_option_reference": "std", "shipping_type": "TO_DOOR",
                "shipping_type_attributes": ["SIGNATURE_REQUIRED"], "shipping_carrier": "Post"}}],
        "line_items": line_items(),
        "subscriptions": [{
            "subscription_reference": "SUB-1", "name": "Tea of the month", "free_trial": "INACTIVE",
            "billing_plans": [{"billing_amount": 1200, "currency": "EUR", "from": "2026-04-01", "interval": "MONTH",
                "interval_frequency": 1}]}],
        "ondemand_service": {"average_amount": 900, "minimum_amount": 100, "maximum_amount": 5000, "currency": "EUR",
            "purchase_interval": "WEEK", "purchase_interval_frequency": 2},
        "vouchers": [{"voucher_name": "Gift", "voucher_type": "GIFT_CARD", "voucher_company": "Tea House",
            "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2027-01-01T00:00:00Z", "affiliate_name": "gifts.example"}],
        "marketplace_sellers": [{
            "marketplace_seller_reference": "M-1", "marketplace_seller_name": "Pots Ltd", "marketplace_seller_address": address(),
            "product_category": "KITCHEN", "line_item_references": ["L-1"], "shipping_references": ["S-1"], "seller_rating": "HIGH",
            "number_of_transactions": 812, "volume_of_transactions": 9100000, "seller_registered_at": "2019-01-01T00:00:00Z",
            "seller_updated_at": "2026-01-01T00:00:00Z", "seller_last_login_at": "2026-03-01T00:00:00Z"}],
        "event_reservations": [event_reservation()],
        "travel_reservations": [travel_reservation()],
        "lodging_reservations": [{
            "lodging_name": "Lake House", "address": address(), "starts_at": "2026-07-01", "ends_at": "2026-07-08",
            "number_of_spaces": 2, "price": 70000, "currency": "EUR", "lodging_type": "ROOM",
            "guests": [{"given_name": "Ada", "family_name": "Berg"}],
            "hosts": {"host_reference": "H-1", "host_type": "HOTEL", "country_of_domicile": "AT",
                "registered_at": "2018-01-01T00:00:00Z", "number_of_reservations": 120},
            "insurances": insurances(), "affiliate_name": "rooms.example"}],
        "insurances": insurances(),
        "event_reservation_details": [event_reservation()],
        "bus_reservation_details": [travel_reservation()],
        "ferry_reservation_details": [travel_reservation()],
        "train_reservation_details": [travel_reservation()],
        "round_trip_reservation_details": [travel_reservation()],
        "additional_data": "{\"car_rental\":[]}"
    })
}

fn interaction() -> Value {
    json!({"method": "HANDOVER", "return_url": "https://psp.example/r?x={klarna.payment_request.id}", "app_return_url": "teashop://back",
        "interaction_expiry": {"duration": "PT45M"}})
}

fn acquiring() -> Value {
    json!({"payment_account_id": ACCOUNT,
        "payment_acquiring_account_id": "krn:partner:global:account:acquiring-account:0b0e8d5e-4444-4a2b-9c3d-000000000001",
        "payment_account_reference": "pa-1", "settlement_currency": "EUR"})
}

fn point_of_checkout() -> Value {
    json!({"store_id": "krn:partner:global:account:store:0b0e8d5e-5555-4a2b-9c3d-000000000001", "store_reference": "ST-1",
        "store": {"type": "PHYSICAL_STORE"}})
}

pub fn create_payment_request() -> Value {
    json!({
        "currency": "EUR", "amount": 4990, "payment_request_reference": "PR-88", "payment_option_id": "S0xBUk5B",
        "supplementary_purchase_data": supplementary_purchase_data(),
        "request_customer_token": {"scopes": ["payment:customer_not_present"], "customer_token_reference": "sub-42"},
        "customer_interaction_config": interaction(), "collect_customer_profile": ["profile:name", "profile:email"],
        "shipping_config": {"mode": "EDITABLE", "supported_countries": ["AT", "de"]}, "acquiring_config": acquiring(),
        "point_of_checkout": point_of_checkout(), "payment_program_enablement_codes": ["P-1"],
        "klarna_network_data": "{\"content\":\n{}}", "interoperability_data": "{\"content\":\n{}}", "additional_data": "{}"
    })
}

pub fn authorize() -> Value {
    json!({
        "currency": "EUR",
        "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": "TX-88", "payment_option_id": "S0xBUk5B",
            "capture": "NOW", "payment_capture_reference": "C-1", "payment_program_enablement_codes": ["P-1"]},
        "request_customer_token": {"scopes": ["payment:customer_present", "customer:login"], "customer_token_reference": "sub-42"},
        "supplementary_purchase_data": supplementary_purchase_data(),
        "step_up_config": {"payment_request_reference": "PR-88", "payment_request_expires_at": "2026-03-02T13:00:00Z",
            "customer_interaction_config": {"method": "QR_CODE"}, "point_of_checkout": point_of_checkout(),
            "point_of_transaction": {"type": "TERMINAL", "terminal_reference": "T-7"}},
        "acquiring_config": acquiring(), "point_of_checkout": point_of_checkout(),
        "point_of_transaction": {"type": "TERMINAL", "terminal_reference": "T-7"}, "klarna_network_data": "opaque",
        "interoperability_data": "opaque"
    })
}

pub fn capture() -> Value {
    let leg = json!({"tracking_number": "T1", "tracking_url": "https://post.example/T1", "shipping_carrier": "Post",
        "shipping_type": "TO_DOOR", "shipping_type_attribute": "LEAVE_AT_DOOR", "estimated_delivery_date": "2026-03-09"});
    json!({
        "capture_amount": 2000, "payment_capture_reference": "C-1", "remaining_authorization": "RELEASE",
        "supplementary_capture_data": {"line_items": line_items(), "shipments": [{"delivery": leg, "return": leg}]},
        "supplementary_purchase_data": {"purchase_reference": "4711"}, "line_items": line_items(), "klarna_network_data": "opaque",
        "interoperability_data": "opaque"
    })
}

pub fn refund() -> Value {
    json!({
        "refund_amount": 500, "payment_refund_reference": "F-1", "refund_reference": "F-1",
        "supplementary_refund_data": {"line_items": line_items()}, "line_items": line_items(), "klarna_network_data": "opaque",
        "interoperability_data": "opaque"
    })
}

pub fn update_transaction() -> Value {
    json!({"amount": 4500, "payment_transaction_reference": "TX-89", "supplementary_purchase_data": supplementary_purchase_data(),
        "klarna_network_data": "opaque", "interoperability_data": "opaque"})
}

pub fn reauthorize() -> Value {
    json!({"extension_days": 14, "amount": 4990, "supplementary_purchase_data": supplementary_purchase_data(),
        "klarna_network_data": "opaque", "interoperability_data": "opaque"})
}

pub fn payment_request() -> Value {
    let token = "krn:network:eu1:test:session-token:eyJh.eyJi.c2ln";
    let customer = json!({
        "customer_profile": {"given_name": "Ada", "family_name": "Berg", "email": "ada@mail.example", "phone": "+436641234567",
            "locale": "de-AT", "country": "AT", "date_of_birth": "1990-02-28", "address": address()},
        "customer_token": "krn:partner:eu1:test:identity:customer-token:0123456789abcdefghijklmnopqrstuv",
        "customer_token_reference": "sub-42", "scopes": ["payment:customer_not_present"]});
    let shipping = json!({"recipient": {"given_name": "Ada"}, "address": address(),
        "shipping_option": {"shipping_option_reference": "std"}});
    json!({
        "payment_request_id": REQUEST, "payment_request_reference": "PR-88", "currency": "EUR", "amount": 4990,
        "payment_option_id": "S0xBUk5B", "state": "COMPLETED", "previous_state": "IN_PROGRESS", "state_reason": "TECHNICAL_ERROR",
        "created_at": "2026-03-02T10:00:00Z", "updated_at": "2026-03-02T10:03:11Z", "expires_at": "2026-03-02T13:00:00Z",
        "payment_request_url": "https://pay.example/eu/requests/1/start", "customer_interaction_config": interaction(),
        "request_customer_token": {"scopes": ["payment:customer_not_present"], "customer_token_reference": "sub-42"},
        "collect_customer_profile": ["profile:name"], "shipping_config": {"mode": "READ_ONLY", "supported_countries": ["AT"]},
        "acquiring_config": acquiring(), "point_of_checkout": point_of_checkout(), "payment_program_enablement_codes": ["P-1"],
        "supplementary_purchase_data": supplementary_purchase_data(), "klarna_network_data": "opaque",
        "interoperability_data": "opaque", "klarna_network_response_data": "opaque",
        "state_context": {
            "customer_interaction": {"method": "HANDOVER", "payment_request_id": REQUEST,
                "payment_request_url": "https://pay.example/eu/requests/1/start",
                "qr_code": {"image_url": "https://pay.example/q.svg", "target_url": "https://pay.example/l/1"}},
            "interoperability_token": token, "klarna_network_session_token": token,
            "payment_token": "krn:payment:eu1:payment-token:0b0e8d5e-6666-4a2b-9c3d-000000000001",
            "klarna_customer": customer, "shipping": shipping, "payment_confirmation_token": "krn:payment:eu1:confirmation-token:1"},
        "payment_transaction_id": TRANSACTION, "klarna_network_session_token": token, "klarna_customer": customer,
        "shipping": shipping
    })
}

pub fn transaction() -> Value {
    let capture_id = format!("{TRANSACTION}:capture:1");
    json!({
        "payment_transaction_id": TRANSACTION, "payment_transaction_reference": "TX-88", "payment_request_id": REQUEST,
        "payment_account_id": ACCOUNT, "payment_account_reference": "pa-1", "state": "AUTHORIZED", "previous_state": "EXPIRED",
        "currency": "EUR", "amount": 4990, "captured_amount": 2000, "refunded_amount": 500, "charged_back_amount": 0,
        "voided_amount": 0, "remaining_amount": 2990, "settlement_currency": "EUR",
        "payment_funding": {"type": "GUARANTEED", "state": "FUNDED"},
        "payment_pricing": {"variable_rate": "2.99", "fixed_fee": 30, "currency": "EUR"}, "created_at": "2026-03-02T10:03:11Z",
        "updated_at": "2026-03-02T10:03:11.5Z", "expires_at": "2026-03-30T10:03:11Z",
        "supplementary_purchase_data": supplementary_purchase_data(),
        "payment_captures": [{
            "payment_capture_id": capture_id, "payment_capture_reference": "C-1", "payment_transaction_id": TRANSACTION,
            "payment_transaction_reference": "TX-88", "capture_amount": 2000, "refunded_amount": 500, "currency": "EUR",
            "captured_at": "2026-03-03T09:00:00Z", "supplementary_capture_data": capture()["supplementary_capture_data"],
            "klarna_network_data": "opaque", "interoperability_data": "opaque", "klarna_network_response_data": "opaque"}],
        "payment_refunds": [{
            "payment_refund_id": format!("{TRANSACTION}:refund:1"), "payment_refund_reference": "F-1", "refund_reference": "F-1",
            "payment_transaction_id": TRANSACTION, "payment_capture_id": capture_id,
            "payment_captures": [{"payment_capture_id": capture_id, "refund_amount": 500}], "refund_amount": 500, "currency": "EUR",
            "refunded_at": "2026-03-04T09:00:00Z", "supplementary_refund_data": {"line_items": line_items()},
            "klarna_network_data": "opaque", "interoperability_data": "opaque", "klarna_network_response_data": "opaque"}],
        "payment_chargebacks": [{
            "payment_chargeback_id": format!("{TRANSACTION}:chargeback:1"), "payment_transaction_id": TRANSACTION,
            "payment_capture_id": capture_id, "payment_dispute_id": "krn:network:eu1:test:payment:dispute:9001",
            "chargeback_amount": 2000, "currency": "EUR", "reason": "PURCHASE_UNAUTHORIZED", "created_at": "2026-05-04T09:00:00Z"}],
        "klarna_network_data": "opaque", "interoperability_data": "opaque", "klarna_network_response_data": "opaque"
    })
}

pub fn authorize_response() -> Value {
    json!({
        "payment_transaction_response": {"result": "APPROVED", "result_reason": "RISK_DECLINED", "payment_transaction": transaction()},
        "customer_token_response": {"result": "APPROVED", "result_reason": "STEP_UP_NOT_POSSIBLE",
            "customer_token": "krn:partner:eu1:test:identity:customer-token:0123456789abcdefghijklmnopqrstuv",
            "customer_token_reference": "sub-42", "scopes": ["payment:customer_not_present"]},
        "payment_request": payment_request(), "klarna_network_response_data": "opaque"
    })
}

pub fn envelope() -> Value {
    json!({
        "metadata": {
            "event_type": "payment.transaction.captured", "event_id": "9d1c0b52-0000-4000-8000-000000000001", "event_version": "v2",
            "occurred_at": "2026-03-02T10:03:11Z", "correlation_id": "c0ffee",
            "subject_account_id": "krn:partner:global:account:test:MQ7R2T9A",
            "account_id": "krn:partner:global:account:test:MQ7R2T9A",
            "recipient_account_id": "krn:partner:global:account:test:LAP00001",
            "product_instance_id": "krn:partner:product:payment:0b0e8d5e-7777-4a2b-9c3d-000000000001",
            "webhook_id": "krn:partner:global:notification:webhook:0b0e8d5e-8888-4a2b-9c3d-000000000001", "live": false},
        "payload": {"any": ["thing", 1, null]}, "event_type": "payment.transaction.captured",
        "event_id": "9d1c0b52-0000-4000-8000-000000000001", "occurred_at": "2026-03-02T10:03:11Z"
    })
}
