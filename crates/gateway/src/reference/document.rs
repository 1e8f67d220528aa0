//! The OpenAPI 3.1 document: what the handlers' annotations say, and what is the same for every operation.

use serde_json::{Map, Value, json};

use super::guide::CODES;
use crate::events::catalogue::CATALOGUE;

pub use kit::reference::METHODS;

/// The document, for a gateway that is reached at `server`.
pub fn document(server: &str) -> Value {
    let described = crate::api().into_openapi();
    let mut document = serde_json::to_value(&described).expect("an OpenAPI document always serializes");
    // Nothing that is used here came with a later version than this.
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Kontor payments API",
        "summary": "Take payments with Klarna.",
        "description": "Payments, captures, refunds, events and webhooks for Partners.",
        "version": env!("CARGO_PKG_VERSION"),
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    document["servers"] = json!([{"url": server}]);
    document["tags"] = json!([
        {"name": "Payments", "description": "A payment from its first request to its last refund."},
        {"name": "Hosted checkout", "description": "A page of ours on which your customer pays."},
        {"name": "Customer tokens", "description": "A customer's leave to be charged again: by subscription, or on demand."},
        {"name": "Payment links and tills", "description": "Orders that are paid by whoever has their link or scans their code, and the shop's counter."},
        {"name": "Events", "description": "Everything that happened, in order."},
        {"name": "Webhook endpoints", "description": "Where events are pushed to, and what came of it."},
        {"name": "Account", "description": "Your own account at Klarna: what it costs, what it offers, what Klarna decided about it."},
        {"name": "Partners", "description": "For operators: Partners from draft to end, at Klarna and here alike."},
        {"name": "Klarna", "description": "What the Klarna Network and its customers call. Not for Partners."},
    ]);
    components(&mut document);
    webhooks(&mut document);
    for_each_operation(&mut document, complete);
    document
}

/// Runs `visit` over every operation, with its path and method.
fn for_each_operation(document: &mut Value, visit: fn(&str, &str, &mut Value)) {
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                visit(path, method, operation);
            }
        }
    }
}

/// Adds what every operation has.
fn complete(path: &str, method: &str, operation: &mut Value) {
    let for_partners = path.starts_with("/v1/");
    if for_partners {
        let key = if path.starts_with("/v1/partner") { "operator_key" } else { "partner_key" };
        operation["security"] = json!([{key: []}]);
        if matches!(method, "post" | "patch") {
            let key = json!({"$ref": "#/components/parameters/IdempotencyKey"});
            match operation["parameters"].as_array_mut() {
                Some(list) => {
                    list.retain(|one| {
                        !one["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("idempotency-key"))
                    });
                    list.push(key);
                }
                None => operation["parameters"] = json!([key]),
            }
        }
    } else {
        operation["security"] = json!([]);
    }
    if !operation["responses"].is_object() {
        operation["responses"] = json!({});
    }
    let mut expected: Vec<(&str, &str)> = vec![("500", "InternalError"), ("503", "Unavailable")];
    if for_partners {
        expected.extend([("400", "BadRequest"), ("401", "Unauthorized"), ("429", "RateLimited")]);
        if path.contains('{') {
            expected.push(("404", "NotFound"));
        }
        if matches!(method, "post" | "patch") {
            expected.extend([("409", "Conflict"), ("422", "KeyReused")]);
        }
    }
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    for (status, name) in expected {
        if !responses.contains_key(status) {
            responses.insert(status.to_owned(), json!({"$ref": format!("#/components/responses/{name}")}));
        }
    }
    // An error that an annotation names without a body has the usual one.
    for (status, response) in responses.iter_mut() {
        let is_error = status.starts_with('4') || status.starts_with('5');
        if is_error && response.get("$ref").is_none() && response.get("content").is_none() {
            response["content"] = error_content();
        }
    }
    // Statuses in order, however they came in.
    let mut ordered: Vec<(String, Value)> = std::mem::take(responses).into_iter().collect();
    ordered.sort_by(|one, other| one.0.cmp(&other.0));
    *responses = Map::from_iter(ordered);
}

fn error_content() -> Value {
    json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}})
}

fn components(document: &mut Value) {
    let codes: Vec<&str> = CODES.iter().map(|code| code.code).collect();
    let answer = |description: &str| json!({"description": description, "content": error_content()});
    let schemas = json!({
        "Error": {
            "type": "object",
            "description": "Why a request was refused.",
            "required": ["error_id", "error_code", "error_message"],
            "properties": {
                "error_id": {"type": "string", "format": "uuid", "description": "Names this one error; quote it when you ask for help."},
                "error_type": {"type": "string", "description": "Who has to act: INPUT_ERROR, ACCESS_ERROR, RESOURCE_ERROR or TECHNICAL_ERROR."},
                "error_code": {"type": "string", "description": "What to decide on.", "examples": codes},
                "error_message": {"type": "string", "description": "For a developer; may change."},
                "validation_errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldFault"},
                    "description": "Every field at fault."},
                "doc_url": {"type": "string", "format": "uri", "description": "Where to read more."},
            },
        },
        "FieldFault": {
            "type": "object",
            "description": "One field that is wrong.",
            "required": ["parameter", "reason"],
            "properties": {
                "parameter": {"type": "string", "description": "Its path: `line_items[0].quantity`, or the name of a header or query parameter."},
                "reason": {"type": "string", "description": "What is wrong, and what would pass."},
                "doc_url": {"type": "string", "format": "uri", "description": "Where to read more."},
            },
        },
        "WebhookEvent": {
            "type": "object",
            "description": "The body of a webhook.",
            "required": ["id", "type", "created_at", "data"],
            "properties": {
                "id": {"type": "string", "description": "`evt_…`, the same as the `webhook-id` header."},
                "type": {"type": "string", "enum": CATALOGUE.iter().map(|kind| kind.name).collect::<Vec<_>>(), "description": "What happened."},
                "created_at": {"type": "string", "format": "date-time", "description": "When it happened."},
                "data": event_data(),
            },
        },
    });
    if !document["components"].is_object() {
        document["components"] = json!({});
    }
    let components = &mut document["components"];
    merge(&mut components["schemas"], schemas);
    components["schemas"]["EventView"]["properties"]["data"] = event_data();
    components["securitySchemes"] = json!({
        "partner_key": {"type": "http", "scheme": "bearer", "description": "Your API key: `Authorization: Bearer kontor_sk_…`."},
        "operator_key": {"type": "http", "scheme": "bearer", "description": "An operator's key: `Authorization: Bearer kontor_op_…`."},
    });
    components["parameters"] = json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": true,
            "description": "New for every operation, the same when you repeat it.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "examples": ["6f1c2f0e-58a5-4f0f-9b0e-0a4f0d0c7a11"]},
        },
    });
    components["responses"] = json!({
        "BadRequest": answer("The request is wrong; `validation_errors` names every field at fault. Nothing happened."),
        "Unauthorized": answer("The API key is missing, unknown or disabled."),
        "NotFound": answer("There is nothing of this id, or it is not yours."),
        "Conflict": answer("A request with this idempotency key is being worked on, or the state does not allow this."),
        "KeyReused": answer("The idempotency key was used with another body."),
        "RateLimited": answer("Too many requests."),
        "InternalError": answer("A fault on our side; repeat with the same idempotency key."),
        "Unavailable": answer("Not available at the moment; repeat with backoff and the same idempotency key."),
    });
}

fn event_data() -> Value {
    json!({
        "type": "object",
        "description": "What the event is about.",
        "properties": {
            "payment": {"$ref": "#/components/schemas/PaymentView", "description": "The payment as it was right after."},
            "checkout_session": {"$ref": "#/components/schemas/CheckoutSessionView", "description": "The checkout session as it was right after."},
            "partner": {"type": "object", "description": "You, as you stood right after: `state`, `suspension`, `next_step`, `refusal`."},
            "decision": {"$ref": "#/components/schemas/DecisionView", "description": "Of `partner.compliance_decision`: what Klarna found."},
            "enablement": {"$ref": "#/components/schemas/EnablementView", "description": "Of `partner.enablement_changed`: as it was right after."},
            "pricing": {
                "type": "object",
                "description": "Of `partner.pricing_changed`. Read the rates themselves from your pricing.",
                "properties": {
                    "changed": {"type": "array", "items": {"type": "string"}, "description": "`PRICE_PLAN` (another one), `RATES`, `UPCOMING_PRICE_PLANS` (one was announced), `PAYMENT_PROGRAMS`."},
                    "merchant_category_codes": {"type": "array", "items": {"type": "string"}, "description": "Of the rates that changed."},
                    "price_plan": {"$ref": "#/components/schemas/PlanView", "description": "The version in force."},
                    "upcoming_price_plans": {"type": "array", "items": {"$ref": "#/components/schemas/PlanView"}, "description": "Versions to come, soonest first."},
                },
            },
        },
    })
}

fn webhooks(document: &mut Value) {
    let header = |name: &str, description: &str| json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}});
    document["webhooks"] = json!({"event": {"post": {
        "operationId": "event_webhook",
        "tags": ["Webhook endpoints"],
        "summary": "An event, pushed to your endpoint",
        "description": "Signed by the Standard Webhooks scheme. Any 2xx acknowledges.",
        "security": [],
        "parameters": [
            header("webhook-id", "The event's id, the same at every attempt."),
            header("webhook-timestamp", "When this attempt was signed, in seconds since 1970."),
            header("webhook-signature", "`v1,` and base64, one per secret in force, separated by spaces."),
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookEvent"}}}},
        "responses": {"2XX": {"description": "Taken."}},
    }}});
}

fn merge(into: &mut Value, from: Value) {
    if !into.is_object() {
        *into = json!({});
    }
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}
