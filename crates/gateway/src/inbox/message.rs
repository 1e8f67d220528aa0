//! What a delivery says, and whether it is recent enough to be believed. Pure.

use protocol::{Envelope, EventType};

/// Longest event id (sheet 01 §10.1).
const EVENT_ID_LENGTH_MAX: usize = 255;
/// Claims of unverified senders are cut to this in logs.
const CLAIM_CHARS_MAX: usize = 255;

/// A delivery whose metadata is complete.
#[derive(Clone, Debug)]
pub struct Message {
    /// Unique per event and recipient: what duplicates are known by.
    pub event_id: String,
    /// The event's type, known or not.
    pub event_type: String,
    /// The account it is about.
    pub subject_account_id: Option<String>,
    /// The webhook it was sent for.
    pub webhook_id: Option<String>,
    /// When it happened, in microseconds UTC.
    pub occurred_at: i64,
    /// Everything.
    pub envelope: Envelope,
}

/// Why a delivery with a good signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not the JSON of a delivery.
    #[error("the body is not a delivery: {0}")]
    Malformed(String),
    /// What it tells of is too long ago.
    #[error("metadata.occurred_at is longer ago than any retry can be")]
    Stale,
    /// What it tells of has not happened yet.
    #[error("metadata.occurred_at lies in the future")]
    Future,
}

impl Fault {
    /// A word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Stale => "stale",
            Self::Future => "future",
        }
    }
}

/// Who may apply a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// A payment's requests, transactions and funding, and the customer tokens that they bring.
    Payments,
    /// A Partner's account, product, brands, and what is decided about it.
    Partners,
    /// Kept, and nothing else yet: events of other capabilities, and types that nobody has heard of.
    Other,
}

impl Topic {
    /// Of an event type.
    pub fn of(event_type: &EventType) -> Self {
        let known = !matches!(event_type, EventType::Unknown(_));
        let payments = ["payment.request.", "payment.transaction.", "payment.funding.", "identity.customer-token."]
            .iter()
            .any(|prefix| event_type.as_str().starts_with(prefix));
        match event_type.as_str() {
            _ if known && payments => Self::Payments,
            name if known && name.starts_with("partner.") => Self::Partners,
            _ => Self::Other,
        }
    }
}

impl Message {
    /// Reads the raw body.
    ///
    /// # Errors
    /// [`Fault::Malformed`].
    pub fn read(raw: &[u8]) -> Result<Self, Fault> {
        let malformed = |reason: &str| Fault::Malformed(reason.to_owned());
        let envelope: Envelope = serde_json::from_slice(raw).map_err(|error| Fault::Malformed(error.to_string()))?;
        let metadata = envelope.metadata.as_ref().ok_or_else(|| malformed("metadata is missing"))?;
        let event_id = metadata.event_id.clone().unwrap_or_default();
        if !(1..=EVENT_ID_LENGTH_MAX).contains(&event_id.len()) || event_id.bytes().any(|byte| byte.is_ascii_control())
        {
            return Err(malformed("metadata.event_id must have 1 to 255 characters"));
        }
        let event_type = metadata.event_type.as_ref().ok_or_else(|| malformed("metadata.event_type is missing"))?;
        let occurred_at = metadata.occurred_at.ok_or_else(|| malformed("metadata.occurred_at is missing"))?;
        // v1's name of the subject comes second.
        let subject = metadata.subject_account_id.as_ref().or(metadata.account_id.as_ref());
        Ok(Self {
            event_id,
            event_type: event_type.as_str().to_owned(),
            subject_account_id: subject.map(ToString::to_string),
            webhook_id: metadata.webhook_id.as_ref().map(ToString::to_string),
            occurred_at: occurred_at.as_micros(),
            envelope,
        })
    }

    /// Checks the age. The signature covers no time of its own (sheet 01 §10.2), so `occurred_at` bounds how long a recorded
    /// message can be played again.
    ///
    /// # Errors
    /// [`Fault::Stale`], [`Fault::Future`].
    pub fn check_age(&self, now: i64, age_max_us: i64, ahead_max_us: i64) -> Result<(), Fault> {
        if self.occurred_at < now.saturating_sub(age_max_us) {
            return Err(Fault::Stale);
        }
        if self.occurred_at > now.saturating_add(ahead_max_us) {
            return Err(Fault::Future);
        }
        Ok(())
    }
}

/// What a sender who is not verified claims, cut and cleaned for a log.
pub(super) fn claim(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(CLAIM_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(metadata: serde_json::Value) -> Vec<u8> {
        json!({"metadata": metadata, "payload": {}}).to_string().into_bytes()
    }

    #[test]
    fn a_delivery_without_its_metadata_is_malformed() {
        let whole =
            json!({"event_id": "e", "event_type": "payment.request.updated", "occurred_at": "2026-03-02T10:00:00Z"});
        assert_eq!(Message::read(&body(whole.clone())).unwrap().event_id, "e");
        for missing in ["event_id", "event_type", "occurred_at"] {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(missing);
            let fault = Message::read(&body(less)).unwrap_err();
            assert!(fault.to_string().contains(missing), "{fault}");
        }
        for broken in [&b"{"[..], b"[]", b"{}", b"\xff", b"{\"metadata\":[]}", b""] {
            assert_eq!(Message::read(broken).unwrap_err().as_str(), "malformed");
        }
    }

    #[test]
    fn the_window_is_open_at_both_ends_and_closed_beyond() {
        let mut message =
            Message::read(&body(json!({"event_id": "e", "event_type": "x.y", "occurred_at": "2026-03-02T10:00:00Z"})))
                .unwrap();
        message.occurred_at = 1_000;
        assert_eq!(message.check_age(1_100, 100, 50), Ok(()));
        assert_eq!(message.check_age(1_101, 100, 50), Err(Fault::Stale));
        assert_eq!(message.check_age(950, 100, 50), Ok(()));
        assert_eq!(message.check_age(949, 100, 50), Err(Fault::Future));
    }

    #[test]
    fn only_known_events_of_payments_and_partners_are_applied() {
        assert_eq!(Topic::of(&EventType::PaymentTransactionCaptured), Topic::Payments);
        assert_eq!(Topic::of(&EventType::PartnerAccountOperational), Topic::Partners);
        assert_eq!(Topic::of(&EventType::PaymentDisputeClosed), Topic::Other);
        assert_eq!(Topic::of(&EventType::Unknown("payment.request.sung".to_owned())), Topic::Other);
    }
}
