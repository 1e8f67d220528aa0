//! Values for fields by their names, and paths through JSON.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Puts a value for a field (`a.b[].c string = X | Y`) into a body.
pub fn put(body: &mut Value, field: &str) {
    let (head, seen) = field.split_once(" = ").map_or((field, None), |(head, values)| (head, Some(values)));
    let (path, kind) = head.split_once(' ').expect("a field has a type");
    let value = match seen {
        Some(values) => seen_value(values.split(" | ").next().unwrap(), kind),
        None => value(path, kind),
    };
    let mut place = body;
    for segment in path.split('.') {
        let name = segment.trim_end_matches("[]");
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut().unwrap().entry(name).or_insert(Value::Null);
        if segment.ends_with("[]") {
            if !place.is_array() {
                *place = json!([null]);
            }
            place = &mut place[0];
        }
    }
    *place = value;
}

fn seen_value(text: &str, kind: &str) -> Value {
    match kind {
        "int" => text.parse::<i64>().map_or_else(|_| json!(text), Value::from),
        "bool" => json!(text == "true"),
        _ => json!(text),
    }
}

/// What a reasonable caller would send under this name.
fn value(path: &str, kind: &str) -> Value {
    let name = path.rsplit('.').next().unwrap().trim_end_matches("[]");
    let parent = path.rsplit('.').nth(1).unwrap_or_default().trim_end_matches("[]");
    match kind {
        "bool" => json!(true),
        "array" => line_items(),
        "int" => match name {
            "quantity" => json!(2),
            "unit_price" => json!(2495),
            "total_tax_amount" => json!(998),
            "latitude" => json!(59),
            "longitude" => json!(18),
            "interval_frequency" | "purchase_interval_frequency" => json!(1),
            "extension_days" => json!(7),
            "payouts_delay_days" => json!(2),
            "minimum_amount" => json!(1000),
            "maximum_amount" => json!(9990),
            "refund_amount" => json!(500),
            name if name.starts_with("number_of") => json!(3),
            _ => json!(4990),
        },
        _ => text(name, parent, path),
    }
}

fn text(name: &str, parent: &str, path: &str) -> Value {
    let time = "2026-02-01T10:00:00Z";
    let text = match name {
        _ if name.ends_with("_at") || matches!(name, "from" | "interval_start" | "enforced_from") => time,
        "interval_end" => "2026-02-02T10:00:00Z",
        "date_of_birth" => "1988-04-23",
        _ if name.ends_with("_date") => "2026-03-05",
        "time_of_pickup" | "time_of_delivery" | "delivery_time" => "14:30",
        "email" => "customer@email.de",
        "phone" => "+46701740615",
        "contact_form" => "https://shop.example/contact",
        "bundle_names" => "com.example.shop",
        _ if name.ends_with("_url") || name == "url" => "https://shop.example/page",
        "country" | "shipment_country" | "country_of_domicile" | "supported_countries" => "DE",
        "legal_registration_country" | "customer_countries" => "DE",
        "currency" => "EUR",
        "street_address" => "Musterweg 1",
        "street_address2" => "Hinterhaus",
        "postal_code" => "10115",
        "city" => "Berlin",
        "region" => "BE",
        "given_name" => "Ada",
        "family_name" => "Muster",
        "account_holder" => "Muster Handel GmbH",
        "iban" => "DE89370400440532013000",
        "legal_registered_entity_name" => "Muster Handel GmbH",
        "legal_registration_number" => "HRB 12345",
        "legal_registration_authority" => "Amtsgericht Berlin",
        "tax_registration_number" => "DE123456789",
        "financial_conduct_authority_number" => "123456",
        "ip_address" | "account_created_from_ip" => "203.0.113.7",
        "user_agent" => "Mozilla/5.0 (test)",
        "additional_data" => r#"{"customer":{"orders":2}}"#,
        "interoperability_data" => r#"{"content":"test"}"#,
        "departure_location" | "arrival_location" => "Paris",
        "last_digits_of_phone_for_delivery_notification" => "0615",
        "tracking_number" | "shipment_number" => "TRACK-1",
        "default_merchant_category_code" | "merchant_category_codes" => "5942",
        "number" if parent == "national_identification" => "123456789",
        // References agree wherever they meet.
        "shipping_reference" | "shipping_references" => "shipping-1",
        "line_item_reference" | "line_item_references" | "reference" => "line-1",
        "store_group_reference" | "default_store_group_reference" => "store-group-1",
        "partner_business_entity_reference" => "entity-1",
        "description" => "made by a test",
        _ => return json!(format!("{}-1", path.rsplit('.').next().unwrap().trim_end_matches("[]").replace('_', "-"))),
    };
    json!(text)
}

/// Lines that add up to 4990.
pub fn line_items() -> Value {
    json!([{"name": "Book", "quantity": 2, "unit_price": 2495, "total_amount": 4990, "total_tax_amount": 998,
        "line_item_reference": "line-1", "reference": "line-1"}])
}

/// See [`super::Contract::body_with`].
pub fn merge(into: &mut Value, changes: Value) {
    match (into, changes) {
        (Value::Object(into), Value::Object(changes)) => {
            for (name, change) in changes {
                if change.is_null() {
                    into.remove(&name);
                } else {
                    merge(into.entry(name).or_insert(Value::Null), change);
                }
            }
        }
        (Value::Array(entries), Value::Array(mut changes)) if changes.len() == 1 && changes[0].is_object() => {
            let change = changes.remove(0);
            for entry in entries {
                merge(entry, change.clone());
            }
        }
        (into, change) => *into = change,
    }
}

/// Every path in a value, as the sheet writes them: objects' own, and arrays' without their indexes.
pub fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    if !at.is_empty() {
        into.insert(at.to_owned());
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                paths(member, &path, into);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| paths(entry, &format!("{at}[]"), into)),
        _ => {}
    }
}

/// What stands at `a.b[0].c`, or `[0].a`.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, segment| {
        let (name, index) = match segment.split_once('[') {
            Some((name, index)) => (name, Some(index.trim_end_matches(']').parse::<usize>().ok()?)),
            None => (segment, None),
        };
        let value = if name.is_empty() { value } else { value.get(name)? };
        index.map_or(Some(value), |index| value.get(index))
    })
}
