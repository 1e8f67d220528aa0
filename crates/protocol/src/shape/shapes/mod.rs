//! The ready tables: limits from sheets 01 §8, 03 §3.1, §7.2 and 06; which enums are strict from RULINGS "Unknown values".
//!
//! Ours, where no sheet says: amounts of payments reach to 64 bits; texts without a stated limit take 255 characters, of which none
//! is required; passthrough takes 10,240 (the one limit that is known of an AP); lines need `name`, `quantity` and `total_amount`.
//! The sum rule is not in the tables, because it needs the amount that is meant: see [`super::check_purchase_sum`].

pub mod accounts;
pub mod credentials;
pub mod disputes;
pub mod events;
pub mod notifications;
pub mod payments;
pub mod portal;
pub mod presentation;
pub mod programs;
pub mod settlements;
pub mod tokens;

use super::{Http, Kind, Row, kind::ARRAY_LENGTH_MAX};
use crate::{
    error::ValidationError,
    event::{EventPattern, EventType, EventVersion},
    krn::KrnKind,
    market::settlement_currencies,
    money::Currency,
    payments::{CaptureMode, InteractionMethod, ProfileScope, RemainingAuthorization, ShippingMode, TokenScope},
    webhook::WebhookStatus,
};
use serde_json::Value;
use std::collections::BTreeSet;

const MINUTE: i64 = 60_000_000;
/// Ours: `klarna_network_data`; a third party's limit.
const PASSTHROUGH_LENGTH_MAX: usize = 10_240;
/// Ours: `additional_data`.
const ADDITIONAL_DATA_LENGTH_MAX: usize = 65_536;
/// Ours: devices send long ones.
const USER_AGENT_LENGTH_MAX: usize = 1024;

/// Names tables, each compiled when it is first asked for: `shapes! { /// Body of … name = rows(), &[rule]; }`.
#[macro_export]
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $rows:expr, $rules:expr;)*) => { $(
        $(#[$doc])*
        pub fn $name() -> &'static $crate::shape::Shape {
            static SHAPE: std::sync::LazyLock<$crate::shape::Shape> =
                std::sync::LazyLock::new(|| $crate::shape::Shape::new($rows, $rules).named(stringify!($name)));
            &SHAPE
        }
    )* };
}

shapes! {
    /// Any object.
    anything = [], &[];
    /// Body of POST `…/payment/requests`.
    create_payment_request = payment_request_rows(true), &[
        amount_or_token, handover_has_return_url, one_expiry, passthroughs_agree, one_payment_account,
        settlement_currency_is_supported,
    ];
    /// Body of PUT and PATCH `…/payment/requests/{payment_request_id}`: nothing is required.
    update_payment_request = payment_request_rows(false), &[one_expiry, passthroughs_agree, one_payment_account];
    /// Body of POST `…/payment/authorize`.
    authorize = authorize_rows(), &[
        payment_or_token, handover_has_return_url, one_expiry, passthroughs_agree, one_payment_account,
        settlement_currency_is_supported,
    ];
    /// Body of POST `…/transactions/{id}/capture`.
    capture = capture_rows(), &[capture_amounts_agree, passthroughs_agree];
    /// Body of POST `…/refund`, on a transaction or a capture.
    refund = refund_rows(), &[refund_amounts_agree, refund_references_agree, passthroughs_agree];
    /// Body of PATCH `…/transactions/{id}`.
    update_transaction = update_transaction_rows(), &[passthroughs_agree];
    /// Body of POST `…/transactions/{id}/authorize`.
    reauthorize = reauthorize_rows(), &[passthroughs_agree];
    /// The data alone, as in the Shopping Session API and in what Partners send.
    supplementary_purchase_data = supplementary_purchase_data_rows(""), &[];
    /// Body of POST `/v2/notification/webhooks`.
    webhook_create = webhook_rows(true, Kind::WebhookUrl), &[event_types_are_unique];
    /// Body of PATCH `/v2/notification/webhooks/{webhook_id}`.
    webhook_update = webhook_rows(false, Kind::WebhookUrl), &[event_types_are_unique];
    /// [`webhook_create`] where http and every port are allowed, by configuration, for local use (RULINGS 1.7).
    webhook_create_local = webhook_rows(true, Kind::Url { http: Http::Always }), &[event_types_are_unique];
    /// [`webhook_update`] where http and every port are allowed, by configuration, for local use (RULINGS 1.7).
    webhook_update_local = webhook_rows(false, Kind::Url { http: Http::Always }), &[event_types_are_unique];
    /// Body of POST `/v2/notification/webhooks/{webhook_id}/simulate`.
    simulate = simulate_rows(), &[];
}

// Rows.

fn payment_request_rows(create: bool) -> Vec<Row> {
    let currency = Row::new("currency", Kind::Currency);
    let mut rows = vec![
        if create { currency.required() } else { currency },
        Row::new("amount", AMOUNT),
        Row::new("payment_amount", AMOUNT),
        reference("payment_request_reference"),
        reference("payment_option_id"),
    ];
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend(request_customer_token_rows());
    rows.extend(customer_interaction_rows("customer_interaction_config", create));
    rows.extend([
        Row::new("collect_customer_profile[]", Kind::OneOf(ProfileScope::KNOWN_TEXTS)),
        Row::new("shipping_config.mode", Kind::OneOf(ShippingMode::KNOWN_TEXTS)),
        Row::new("shipping_config.supported_countries[]", Kind::Country),
        reference("payment_program_enablement_codes[]"),
        additional_data(),
    ]);
    rows.extend(acquiring_config_rows());
    rows.extend(point_of_checkout_rows(""));
    rows.extend(point_of_transaction_rows(""));
    rows.extend(passthrough_rows());
    rows
}

/// Beside the purchase data, as one plug-in sends it: whatever text the Partner likes.
fn additional_data() -> Row {
    Row::new("additional_data", Kind::Blob { min: 0, max: ADDITIONAL_DATA_LENGTH_MAX }).personal()
}

fn authorize_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("currency", Kind::Currency).required(),
        Row::new("request_payment_transaction.amount", AMOUNT).required(),
        reference("request_payment_transaction.payment_transaction_reference").required(),
        reference("request_payment_transaction.payment_option_id"),
        Row::new("request_payment_transaction.capture", Kind::OneOf(CaptureMode::KNOWN_TEXTS)),
        reference("request_payment_transaction.payment_capture_reference"),
        reference("request_payment_transaction.payment_program_enablement_codes[]"),
    ];
    rows.extend(request_customer_token_rows());
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend([
        Row::new("step_up_config", Kind::Object),
        reference("step_up_config.payment_request_reference"),
        Row::new("step_up_config.payment_request_expires_at", Kind::Timestamp),
    ]);
    rows.extend(customer_interaction_rows("step_up_config.customer_interaction_config", true));
    rows.extend(point_of_checkout_rows("step_up_config"));
    rows.extend(point_of_transaction_rows("step_up_config"));
    rows.extend(acquiring_config_rows());
    rows.extend(point_of_checkout_rows(""));
    rows.extend(point_of_transaction_rows(""));
    rows.extend(passthrough_rows());
    rows
}

fn capture_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("capture_amount", AMOUNT),
        Row::new("amount", AMOUNT),
        reference("payment_capture_reference"),
        Row::new("remaining_authorization", Kind::OneOf(RemainingAuthorization::KNOWN_TEXTS)),
    ];
    rows.extend(line_item_rows("supplementary_capture_data.line_items[]"));
    rows.extend(delivery_rows("supplementary_capture_data.shipments[]"));
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend(line_item_rows("line_items[]"));
    rows.extend(passthrough_rows());
    rows
}

/// How goods travel, there and back.
fn delivery_rows(at: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for leg in ["delivery", "return"] {
        rows.extend(under(
            leg,
            [
                text("tracking_number"),
                Row::new("tracking_url", WEB_URL),
                text("shipping_carrier"),
                Row::new("shipping_type", Kind::Open),
                Row::new("shipping_type_attribute", Kind::Open),
                Row::new("estimated_delivery_date", Kind::Moment),
            ],
        ));
    }
    under(at, rows)
}

fn refund_rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new("refund_amount", AMOUNT),
        Row::new("amount", AMOUNT),
        reference("payment_refund_reference"),
        reference("refund_reference"),
    ];
    rows.extend(line_item_rows("supplementary_refund_data.line_items[]"));
    rows.extend(line_item_rows("line_items[]"));
    rows.extend(passthrough_rows());
    rows
}

fn update_transaction_rows() -> Vec<Row> {
    let mut rows = vec![Row::new("amount", AMOUNT), reference("payment_transaction_reference")];
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend(passthrough_rows());
    rows
}

fn reauthorize_rows() -> Vec<Row> {
    let mut rows = vec![Row::new("extension_days", Kind::Int { min: 1, max: 180 }), Row::new("amount", AMOUNT)];
    rows.extend(supplementary_purchase_data_rows("supplementary_purchase_data"));
    rows.extend(passthrough_rows());
    rows
}

fn webhook_rows(create: bool, url: Kind) -> Vec<Row> {
    let rows = [
        Row::new("url", url).required(),
        // Ours: as many as anybody could name.
        Row::new("event_types", Kind::Array { min: 1, max: 100 }).required(),
        Row::new(
            "event_types[]",
            Kind::Matching {
                min: 1,
                max: 255,
                accepts: |text| text.parse::<EventPattern>().is_ok_and(|pattern| pattern.matches_any_known()),
                wanted: "an event type of the catalogue, or the beginning of some and .* as in payment.request.*",
            },
        ),
        Row::new("event_version", Kind::OneOf(EventVersion::KNOWN_TEXTS)).required(),
        Row::new("signing_key_id", Kind::Id(KrnKind::SigningKey)).required(),
        Row::new("status", Kind::OneOf(WebhookStatus::KNOWN_TEXTS)),
    ];
    rows.into_iter().map(|row| if create { row } else { row.optional() }).collect()
}

fn simulate_rows() -> Vec<Row> {
    vec![
        Row::new(
            "event_type",
            Kind::Matching {
                min: 1,
                max: 255,
                accepts: |text| EventType::catalogue().iter().any(|event| event.as_str() == text),
                wanted: "an event type of the catalogue, without wildcard",
            },
        )
        .required(),
        Row::new("event_version", Kind::OneOf(EventVersion::KNOWN_TEXTS)).required(),
    ]
}

fn customer_interaction_rows(at: &str, complete: bool) -> Vec<Row> {
    let method = Row::new("method", Kind::OneOf(InteractionMethod::KNOWN_TEXTS));
    under(
        at,
        [
            if complete { method.required() } else { method },
            Row::new("return_url", Kind::Url { http: Http::Loopback }),
            Row::new("app_return_url", Kind::AppUrl),
            Row::new(
                "interaction_expiry.duration",
                Kind::Duration {
                    min: 15 * MINUTE,
                    max: 48 * 60 * MINUTE,
                    wanted: "an ISO 8601 duration from 15 minutes to 48 hours, like PT45M",
                },
            ),
            Row::new("interaction_expiry.timestamp", Kind::Timestamp),
        ],
    )
}

/// `request_customer_token`, wherever a payment is asked for.
pub fn request_customer_token_rows() -> Vec<Row> {
    vec![
        Row::new("request_customer_token.scopes", Kind::Array { min: 1, max: 10 }).required(),
        Row::new("request_customer_token.scopes[]", Kind::OneOf(TokenScope::KNOWN_TEXTS)),
        reference("request_customer_token.customer_token_reference"),
    ]
}

fn acquiring_config_rows() -> Vec<Row> {
    under(
        "acquiring_config",
        [
            Row::new("payment_account_id", Kind::Id(KrnKind::PaymentAccount)),
            Row::new("payment_acquiring_account_id", Kind::Id(KrnKind::AcquiringAccount)),
            reference("payment_account_reference"),
            Row::new("settlement_currency", Kind::Currency),
        ],
    )
}

fn point_of_checkout_rows(at: &str) -> Vec<Row> {
    under(
        at,
        [
            Row::new("point_of_checkout.store_id", Kind::Id(KrnKind::Store)),
            reference("point_of_checkout.store_reference"),
            Row::new("point_of_checkout.store", Kind::Object),
        ],
    )
}

fn point_of_transaction_rows(at: &str) -> Vec<Row> {
    under(at, [Row::new("point_of_transaction.type", Kind::Open), reference("point_of_transaction.terminal_reference")])
}

/// What the Partner's own integration says to Klarna: carried, never opened, and never shown.
pub fn passthrough_rows() -> Vec<Row> {
    let passthrough = |name: &str| Row::new(name, Kind::Blob { min: 1, max: PASSTHROUGH_LENGTH_MAX }).personal();
    vec![passthrough("klarna_network_data"), passthrough("interoperability_data")]
}

/// `supplementary_purchase_data` under any prefix.
pub fn supplementary_purchase_data_rows(prefix: &str) -> Vec<Row> {
    let mut rows = vec![reference("purchase_reference")];
    rows.extend(customer_rows("customer"));
    rows.extend(shipping_rows("shipping[]"));
    rows.extend(line_item_rows("line_items[]"));
    rows.extend(under(
        "subscriptions[]",
        [
            reference("subscription_reference"),
            text("name"),
            Row::new("free_trial", Kind::Open),
            Row::new("billing_plans[].billing_amount", COUNT),
            Row::new("billing_plans[].currency", Kind::Currency),
            Row::new("billing_plans[].from", Kind::Moment),
            Row::new("billing_plans[].interval", Kind::Open),
            Row::new("billing_plans[].interval_frequency", AMOUNT),
        ],
    ));
    rows.extend(under(
        "ondemand_service",
        [
            Row::new("average_amount", COUNT),
            Row::new("minimum_amount", COUNT),
            Row::new("maximum_amount", COUNT),
            Row::new("currency", Kind::Currency),
            Row::new("purchase_interval", Kind::Open),
            Row::new("purchase_interval_frequency", AMOUNT),
        ],
    ));
    rows.extend(under(
        "vouchers[]",
        [
            text("voucher_name"),
            Row::new("voucher_type", Kind::Open),
            text("voucher_company"),
            Row::new("starts_at", Kind::Moment),
            Row::new("ends_at", Kind::Moment),
            text("affiliate_name"),
        ],
    ));
    rows.extend(under(
        "marketplace_sellers[]",
        [
            reference("marketplace_seller_reference"),
            text("marketplace_seller_name").personal(),
            text("product_category"),
            reference("line_item_references[]"),
            reference("shipping_references[]"),
            Row::new("seller_rating", Kind::Open),
            Row::new("number_of_transactions", COUNT),
            Row::new("volume_of_transactions", COUNT),
            Row::new("seller_registered_at", Kind::Moment),
            Row::new("seller_updated_at", Kind::Moment),
            Row::new("seller_last_login_at", Kind::Moment),
        ],
    ));
    rows.extend(address_rows("marketplace_sellers[].marketplace_seller_address"));
    for events in ["event_reservations[]", "event_reservation_details[]"] {
        rows.extend(event_reservation_rows(events));
    }
    for travels in [
        "travel_reservations[]",
        "bus_reservation_details[]",
        "ferry_reservation_details[]",
        "train_reservation_details[]",
        "round_trip_reservation_details[]",
    ] {
        rows.extend(travel_reservation_rows(travels));
    }
    rows.extend(lodging_reservation_rows("lodging_reservations[]"));
    rows.extend(insurance_rows("insurances[]"));
    rows.push(Row::new("additional_data", Kind::JsonText { max: ADDITIONAL_DATA_LENGTH_MAX }).personal());
    let mut rows = under(prefix, rows);
    if !prefix.is_empty() {
        rows.insert(0, Row::new(prefix, Kind::Object));
    }
    rows
}

/// Where the goods go and how, one of `shipping[]`.
pub fn shipping_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        reference("shipping_reference"),
        Row::new("recipient", Kind::Object).personal(),
        text_of("recipient.given_name", 1, 99),
        text_of("recipient.family_name", 1, 99),
        Row::new("recipient.email", Kind::Email),
        Row::new("recipient.phone", Kind::Phone),
        text_of("recipient.attention", 1, 99),
        text("shipping_option.shipping_option_reference"),
        Row::new("shipping_option.shipping_type", Kind::Open),
        Row::new("shipping_option.shipping_type_attributes[]", Kind::Open),
        text("shipping_option.shipping_carrier"),
    ];
    rows.extend(address_rows("address"));
    under(at, rows)
}

/// Who buys.
pub fn customer_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        text_of("given_name", 1, 99).personal(),
        text_of("family_name", 1, 99).personal(),
        Row::new("email", Kind::Email).personal(),
        Row::new("email_last_verified_at", Kind::Moment),
        Row::new("phone", Kind::Phone).personal(),
        Row::new("phone_last_verified_at", Kind::Moment),
        Row::new("date_of_birth", Kind::Date).personal(),
        Row::new("national_identification", Kind::Object).personal(),
        text_of("national_identification.number", 1, 255),
        Row::new("national_identification.country", Kind::Country),
        text("customer_account.account_identifier").personal(),
        Row::new("customer_account.loyalty_level", Kind::Open),
        Row::new("customer_account.created_at", Kind::Moment),
        Row::new("customer_account.updated_at", Kind::Moment),
        Row::new("customer_account.last_login.occurred_at", Kind::Moment),
        Row::new("customer_account.last_login.login_method", Kind::Open),
        Row::new("customer_device", Kind::Object).personal(),
        text("customer_device.app_identifier"),
        text("customer_device.device_identifier"),
        text_of("customer_device.user_agent", 0, USER_AGENT_LENGTH_MAX),
        Row::new("customer_device.ip_address", Kind::Ip),
        Row::new("customer_device.geolocation.country", Kind::Country),
        Row::new("customer_device.geolocation.latitude", Kind::Number { min: -90, max: 90 }),
        Row::new("customer_device.geolocation.longitude", Kind::Number { min: -180, max: 180 }),
    ];
    rows.extend(address_rows("address"));
    for history in ["customer_account.purchase_history[]", "customer_account.device_purchase_history[]"] {
        rows.extend(under(
            history,
            [
                Row::new("number_of_purchases", COUNT),
                Row::new("number_of_paid_purchases", COUNT),
                Row::new("number_of_disputed_purchases", COUNT),
                Row::new("total_amount", Kind::Int { min: i64::MIN, max: i64::MAX }),
                Row::new("currency", Kind::Currency),
                Row::new("payment_method", Kind::Open),
                Row::new("first_purchase_at", Kind::Moment),
                Row::new("last_purchase_at", Kind::Moment),
            ],
        ));
    }
    under(at, rows)
}

/// One line of the purchase; `at` ends in `[]`.
pub fn line_item_rows(at: &str) -> Vec<Row> {
    under(
        at,
        [
            text_of("name", 1, 255).required(),
            Row::new("quantity", AMOUNT).required(),
            Row::new("total_amount", ANY_INTEGER).required(),
            Row::new("unit_price", ANY_INTEGER),
            Row::new("total_tax_amount", ANY_INTEGER),
            Row::new("product_url", WEB_URL),
            Row::new("image_url", WEB_URL),
            text("product_identifier"),
            reference("line_item_reference"),
            reference("reference"),
            reference("shipping_reference"),
            reference("subscription_reference"),
            text("line_item_metadata.categories[]"),
        ],
    )
}

/// Limits of sheet 03 §7.2. `region` is said to be mandatory for US and AU, yet the examples of r2512 leave it out: not required.
pub fn address_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![Row::new(at, Kind::Object).personal()];
    rows.extend(under(at, address_member_rows()));
    rows
}

fn address_member_rows() -> [Row; 6] {
    [
        text_of("street_address", 1, 99),
        text_of("street_address2", 0, 99),
        text_of("postal_code", 1, 10),
        text_of("city", 1, 99),
        text_of("region", 0, 99),
        Row::new("country", Kind::Country),
    ]
}

fn insurance_rows(at: &str) -> Vec<Row> {
    under(
        at,
        [
            Row::new("insurance_type", Kind::Open),
            text("insurance_company_name"),
            Row::new("price", COUNT),
            Row::new("currency", Kind::Currency),
        ],
    )
}

fn person_rows(at: &str) -> Vec<Row> {
    let rows = [text_of("given_name", 1, 99).personal(), text_of("family_name", 1, 99).personal()];
    under(at, rows)
}

fn event_reservation_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        text("event_name"),
        text("event_company_name"),
        Row::new("event_type", Kind::Open),
        Row::new("starts_at", Kind::Moment),
        Row::new("ends_at", Kind::Moment),
        text("venue_name"),
        Row::new("access_controlled_venue", Kind::Bool),
        text("affiliate_name"),
    ];
    rows.extend(address_rows("address"));
    rows.extend(insurance_rows("insurances[]"));
    under(at, rows)
}

fn travel_reservation_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        Row::new("travel_type", Kind::Open),
        text("reservation_reference"),
        text("carrier_name"),
        Row::new("price", COUNT),
        Row::new("currency", Kind::Currency),
        Row::new("ticket_class", Kind::Open),
        text("affiliate_name"),
    ];
    for (at, members) in [
        ("departure", ["departure_location", "departure_airport", "departs_at"]),
        ("arrival", ["arrival_location", "arrival_airport", "arrives_at"]),
    ] {
        let [location, airport, time] = members;
        rows.extend(under(at, [text(location), text(airport), Row::new(time, Kind::Moment)]));
        rows.extend(under(at, address_member_rows()));
        rows.extend(under(at, address_rows("address")));
    }
    rows.extend(person_rows("passengers[]"));
    rows.extend(insurance_rows("insurances[]"));
    under(at, rows)
}

fn lodging_reservation_rows(at: &str) -> Vec<Row> {
    let mut rows = vec![
        text("lodging_name"),
        Row::new("starts_at", Kind::Moment),
        Row::new("ends_at", Kind::Moment),
        Row::new("number_of_spaces", COUNT),
        Row::new("price", COUNT),
        Row::new("currency", Kind::Currency),
        Row::new("lodging_type", Kind::Open),
        text("hosts.host_reference"),
        Row::new("hosts.host_type", Kind::Open),
        Row::new("hosts.country_of_domicile", Kind::Country),
        Row::new("hosts.registered_at", Kind::Moment),
        Row::new("hosts.number_of_reservations", COUNT),
        text("affiliate_name"),
    ];
    rows.extend(address_rows("address"));
    rows.extend(person_rows("guests[]"));
    rows.extend(insurance_rows("insurances[]"));
    under(at, rows)
}

pub(super) const AMOUNT: Kind = Kind::Int { min: 1, max: i64::MAX };
pub(super) const COUNT: Kind = Kind::Int { min: 0, max: i64::MAX };
/// Discounts are negative lines.
pub(super) const ANY_INTEGER: Kind = Kind::Int { min: i64::MIN, max: i64::MAX };
pub(super) const WEB_URL: Kind = Kind::Url { http: Http::Always };

/// The rows of a list: entries of these rows below `key`, with or without `pagination` (fact sheet 01 §8.3).
pub fn list_rows(key: &str, entry: impl IntoIterator<Item = Row>, paged: bool) -> Vec<Row> {
    let mut rows = vec![Row::new(key, Kind::Array { min: 0, max: ARRAY_LENGTH_MAX }).required()];
    rows.extend(under(&format!("{key}[]"), entry));
    if paged {
        rows.extend([
            Row::new("pagination", Kind::Object).required(),
            Row::new("pagination.count", COUNT).required(),
            Row::new("pagination.total", COUNT),
            Row::new("pagination.first_item", Kind::Blob { min: 0, max: 255 }),
            Row::new("pagination.last_item", Kind::Blob { min: 0, max: 255 }),
        ]);
        for link in ["next", "prev"] {
            let at = format!("pagination.links.{link}");
            rows.push(Row::new(at.clone(), Kind::Object).nullable());
            rows.extend(under(
                &at,
                [Row::new("href", WEB_URL), Row::new("method", Kind::OneOf(&["GET"])), Row::new("rel", Kind::Open)],
            ));
        }
    }
    rows
}

pub(super) fn under(prefix: &str, rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
    rows.into_iter().map(|row| row.under(prefix)).collect()
}

/// Made by the caller: 1 to 255 characters.
pub(super) fn reference(path: &str) -> Row {
    text_of(path, 1, 255)
}

pub(super) fn text(path: &str) -> Row {
    text_of(path, 0, 255)
}

pub(super) fn text_of(path: &str, min: usize, max: usize) -> Row {
    Row::new(path, Kind::Text { min, max })
}

// Rules about several fields.

pub(super) fn member<'a>(body: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(body, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// Without an amount only a token can be wanted (sheet 03 §3.1).
fn amount_or_token(body: &Value, faults: &mut Vec<ValidationError>) {
    if ["amount", "payment_amount", "request_customer_token"].iter().all(|name| member(body, &[name]).is_none()) {
        faults.push(ValidationError::new("amount", "is required unless only a request_customer_token is sent"));
    }
}

fn payment_or_token(body: &Value, faults: &mut Vec<ValidationError>) {
    if ["request_payment_transaction", "request_customer_token"].iter().all(|name| member(body, &[name]).is_none()) {
        let reason = "is required unless only a request_customer_token is sent";
        faults.push(ValidationError::new("request_payment_transaction", reason));
    }
}

/// RULINGS "Authorize": HANDOVER needs a `return_url`; QR_CODE and SDK do not.
fn handover_has_return_url(body: &Value, faults: &mut Vec<ValidationError>) {
    for (at, path) in INTERACTIONS {
        let Some(interaction) = member(body, path) else { continue };
        let hands_over =
            matches!(member(interaction, &["method"]).and_then(Value::as_str), Some("HANDOVER" | "SERVER_REDIRECT"));
        if hands_over && member(interaction, &["return_url"]).is_none() {
            faults.push(ValidationError::new(format!("{at}.return_url"), "is required with the method HANDOVER"));
        }
    }
}

/// One way to say when: duration or timestamp, in the interaction or (RULINGS 1.3) beside it.
fn one_expiry(body: &Value, faults: &mut Vec<ValidationError>) {
    for (at, path) in INTERACTIONS {
        let Some(expiry) = member(body, path).and_then(|interaction| member(interaction, &["interaction_expiry"]))
        else {
            continue;
        };
        let given = |name: &str| member(expiry, &[name]).is_some();
        if expiry.is_object() && given("duration") == given("timestamp") {
            let reason = "must have either duration or timestamp";
            faults.push(ValidationError::new(format!("{at}.interaction_expiry"), reason));
        }
        if member(body, &["step_up_config", "payment_request_expires_at"]).is_some() {
            let reason = "must be absent when customer_interaction_config.interaction_expiry is sent";
            faults.push(ValidationError::new("step_up_config.payment_request_expires_at", reason));
        }
    }
}

const INTERACTIONS: [(&str, &[&str]); 2] = [
    ("customer_interaction_config", &["customer_interaction_config"]),
    ("step_up_config.customer_interaction_config", &["step_up_config", "customer_interaction_config"]),
];

/// RULINGS 1.3: both names of the passthrough, differing, are refused.
fn passthroughs_agree(body: &Value, faults: &mut Vec<ValidationError>) {
    agree(body, "klarna_network_data", "interoperability_data", faults);
}

fn capture_amounts_agree(body: &Value, faults: &mut Vec<ValidationError>) {
    agree(body, "capture_amount", "amount", faults);
}

fn refund_amounts_agree(body: &Value, faults: &mut Vec<ValidationError>) {
    agree(body, "refund_amount", "amount", faults);
}

fn refund_references_agree(body: &Value, faults: &mut Vec<ValidationError>) {
    agree(body, "payment_refund_reference", "refund_reference", faults);
}

/// Two names of one thing must not say different things.
pub(super) fn agree(body: &Value, name: &str, alias: &str, faults: &mut Vec<ValidationError>) {
    if let (Some(first), Some(second)) = (member(body, &[name]), member(body, &[alias]))
        && first != second
    {
        faults.push(ValidationError::new(alias, format!("must be absent or equal to {name}")));
    }
}

/// By id, or by acquiring account and reference together (sheet 06).
fn one_payment_account(body: &Value, faults: &mut Vec<ValidationError>) {
    let given = |name: &str| member(body, &["acquiring_config", name]).is_some();
    if given("payment_account_id") {
        return;
    }
    for (name, other) in [
        ("payment_acquiring_account_id", "payment_account_reference"),
        ("payment_account_reference", "payment_acquiring_account_id"),
    ] {
        if given(name) && !given(other) {
            let reason = format!("is required with {name}");
            faults.push(ValidationError::new(format!("acquiring_config.{other}"), reason));
        }
    }
}

/// Fact sheet 05 §1.2: one that Klarna settles in, and can be exchanged for. Ours: every acquiring account has them all.
fn settlement_currency_is_supported(body: &Value, faults: &mut Vec<ValidationError>) {
    let currency = |path: &[&str]| member(body, path)?.as_str()?.parse::<Currency>().ok();
    let Some(wanted) = currency(&["acquiring_config", "settlement_currency"]) else { return };
    let is_settled_in = |currency| settlement_currencies().any(|known| known == currency);
    let own = currency(&["currency"]).unwrap_or(wanted);
    if !is_settled_in(wanted) || !is_settled_in(own) {
        faults.push(ValidationError::new("acquiring_config.settlement_currency", "Settlement currency not supported"));
    }
}

fn event_types_are_unique(body: &Value, faults: &mut Vec<ValidationError>) {
    let mut seen = BTreeSet::new();
    let entries = member(body, &["event_types"]).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // Longer arrays are refused as a whole.
    for (index, entry) in entries.iter().take(ARRAY_LENGTH_MAX).enumerate() {
        if entry.as_str().is_some_and(|text| !seen.insert(text)) {
            faults.push(ValidationError::new(format!("event_types[{index}]"), "must not repeat another entry"));
        }
    }
}
