//! What receivers of webhooks are sent, event by event.

use kit::random::Random;
use protocol::{EventType, EventVersion, PartnerAccountId, Shape, shapes};
use serde_json::{Map, Value, json};

use super::document::EVENTS;
use super::schemas::Schemas;
use crate::notifications;

/// The moment of the examples: 2026-03-02T10:00:00Z.
const MOMENT: i64 = 1_772_445_600_000_000;

/// The tables of all deliveries.
pub fn shapes() -> impl Iterator<Item = &'static Shape> {
    EventType::catalogue().iter().map(shapes::events::delivery)
}

/// The `webhooks` of the document: one entry for each event of the catalogue.
pub fn webhooks(schemas: &Schemas) -> Value {
    let random = Random::seeded(0, 0);
    let mut webhooks = Map::new();
    for event in EventType::catalogue() {
        webhooks.insert(event.as_str().to_owned(), json!({"post": webhook(event, schemas, &random)}));
    }
    Value::Object(webhooks)
}

fn webhook(event: &EventType, schemas: &Schemas, random: &Random) -> Value {
    let header = |name: &str, description: &str| json!({"name": name, "in": "header", "required": true, "description": description, "schema": {"type": "string"}});
    let versions: Vec<&str> = EventVersion::KNOWN
        .iter()
        .filter(|version| event.is_delivered_to(version, None))
        .map(EventVersion::as_str)
        .collect();
    json!({
        "operationId": operation_id(event),
        "tags": [EVENTS],
        "summary": event.as_str(),
        "description": format!("Sent to webhooks of {}. Acknowledge with 200, 201, 202 or 204 within 10 seconds; anything else is tried again \
            after 10 s, 2 min, 15 min, 3 h, 6 h and 12 h, with the same `event_id`.", versions.join(", ")),
        "security": [],
        "parameters": [
            header("Klarna-Signature", "HMAC-SHA256 over the raw body with the signing key's text, in lowercase hexadecimal."),
            header("Klarna-Signing-Key-Id", "Which key signed."),
        ],
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": schemas.schema(shapes::events::delivery(event)),
            "example": notifications::example(event, &account(), random, MOMENT),
        }}},
        "responses": {"200": {"description": "Taken."}},
    })
}

fn account() -> PartnerAccountId {
    PartnerAccountId::new_test("MQ7R2T9A")
}

/// `payment.request.state-change.completed` as `onPaymentRequestStateChangeCompleted`.
fn operation_id(event: &EventType) -> String {
    let mut id = "on".to_owned();
    for word in event.as_str().split(['.', '-']) {
        let mut letters = word.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.extend(letters);
    }
    id
}
