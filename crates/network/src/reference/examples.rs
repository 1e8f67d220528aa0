//! Bodies that pass, one for each operation that takes one.

use protocol::Shape;
use serde_json::{Map, Value, json};

use super::glossary;
use crate::operation::{Content, Route};

/// Objects inside objects are shown down to here.
const DEPTH_MAX: usize = 8;

/// A body that the operation's table takes: a chosen one, or the smallest. `None` if neither passes.
pub fn body(route: &Route) -> Option<Value> {
    let Some((Content::Json(shape), _)) = &route.doc.takes else { return None };
    let shape = shape();
    let smallest = || smallest(&shape.schema(), "", 0);
    let example = chosen(route.doc.id).unwrap_or_else(smallest);
    passes(shape, &example).then_some(example)
}

fn passes(shape: &Shape, example: &Value) -> bool {
    shape.check(example).is_empty()
}

/// Bodies that say more than the smallest.
fn chosen(operation: &str) -> Option<Value> {
    let purchase = || {
        json!({"purchase_reference": "1001", "line_items": [{"name": "Walking shoes", "quantity": 1, "total_amount": 4990,
            "total_tax_amount": 797, "unit_price": 4990, "line_item_reference": "shoes-42"}]})
    };
    let interaction = || json!({"method": "HANDOVER", "return_url": "https://shop.example/return"});
    Some(match operation {
        "createPaymentRequest" => {
            json!({"currency": "EUR", "amount": 4990, "payment_request_reference": "request-1001",
            "supplementary_purchase_data": purchase(), "customer_interaction_config": interaction()})
        }
        "updatePaymentRequest" | "replacePaymentRequest" => json!({"amount": 4490}),
        "authorizePayment" => json!({"currency": "EUR",
            "request_payment_transaction": {"amount": 4990, "payment_transaction_reference": "transaction-1001"},
            "supplementary_purchase_data": purchase(),
            "step_up_config": {"payment_request_reference": "request-1001", "customer_interaction_config": interaction()}}),
        "capturePaymentTransaction" => {
            json!({"capture_amount": 2000, "payment_capture_reference": "capture-1001"})
        }
        "refundPaymentTransaction" | "refundPaymentCapture" => {
            json!({"refund_amount": 500, "payment_refund_reference": "refund-1001"})
        }
        "createWebhook" => {
            json!({"url": "https://hooks.psp.example/klarna", "event_types": ["payment.request.*", "payment.transaction.*"],
            "event_version": "v2", "signing_key_id": glossary::entry("signing_key_id")?.example?, "status": "ENABLED"})
        }
        "updateWebhook" => json!({"status": "DISABLED"}),
        "simulateEvent" => json!({"event_type": "payment.request.state-change.completed", "event_version": "v2"}),
        _ => return None,
    })
}

/// The members that a schema requires, and theirs.
fn smallest(schema: &Value, name: &str, depth: usize) -> Value {
    let entry = glossary::entry(name).and_then(|entry| entry.example);
    if let Some(example) = entry.filter(|_| schema["type"] == "string") {
        return json!(example);
    }
    for example in [&schema["examples"][0], &schema["enum"][0]] {
        if !example.is_null() {
            return example.clone();
        }
    }
    match schema["type"].as_str().unwrap_or_default() {
        "string" => json!("example"),
        "integer" | "number" => match schema["minimum"].as_i64() {
            Some(least) if least > 1 => json!(least),
            _ => json!(1),
        },
        "boolean" => json!(true),
        "array" if depth < DEPTH_MAX => json!([smallest(&schema["items"], name, depth + 1)]),
        "object" if depth < DEPTH_MAX => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let member = |name: &str| (name.to_owned(), smallest(&schema["properties"][name], name, depth + 1));
            Value::Object(required.map(member).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}
