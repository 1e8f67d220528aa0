//! Notifications: what is answered. What is sent stands beside it in [`super`].

use super::{ARRAY_LENGTH_MAX, Http, Kind, Row, list_rows};
use crate::{
    event::{EventPattern, EventVersion},
    krn::KrnKind,
    webhook::WebhookStatus,
};

crate::shapes! {
    /// A signing key, without its secret.
    signing_key = signing_key_rows(), &[];
    /// A signing key at its creation, the one time that its secret is shown.
    signing_key_with_secret = {
        let mut rows = signing_key_rows();
        rows.push(Row::new("signing_key", Kind::Text { min: 1, max: 255 }).personal().required());
        rows
    }, &[];
    /// All signing keys of an account.
    signing_keys = list_rows("signing_keys", signing_key_rows(), false), &[];
    /// A webhook.
    webhook = webhook_rows(), &[];
    /// All webhooks of an account.
    webhooks = list_rows("webhooks", webhook_rows(), false), &[];
}

fn signing_key_rows() -> Vec<Row> {
    vec![
        Row::new("signing_key_id", Kind::Id(KrnKind::SigningKey)).required(),
        Row::new("created_at", Kind::Timestamp).required(),
    ]
}

fn webhook_rows() -> Vec<Row> {
    vec![
        Row::new("webhook_id", Kind::Id(KrnKind::Webhook)).required(),
        Row::new("url", Kind::Url { http: Http::Always }).required(),
        Row::new("event_types", Kind::Array { min: 1, max: ARRAY_LENGTH_MAX }).required(),
        Row::new(
            "event_types[]",
            Kind::Matching {
                min: 1,
                max: 255,
                accepts: |text| text.parse::<EventPattern>().is_ok(),
                wanted: "an event type, or the beginning of some and .*",
            },
        ),
        Row::new("event_version", Kind::OneOf(EventVersion::KNOWN_TEXTS)).required(),
        Row::new("signing_key_id", Kind::Id(KrnKind::SigningKey)).required(),
        Row::new("status", Kind::OneOf(WebhookStatus::KNOWN_TEXTS)).required(),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("updated_at", Kind::Timestamp).required(),
    ]
}
