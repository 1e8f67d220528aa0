//! Webhook deliveries: the envelope and its signature (sheet 01 §10, RULINGS "Delivery").

use crate::{
    event::{EventType, EventVersion},
    krn::{PartnerAccountId, PaymentProductId, SigningKeyId, WebhookId},
    open_enum,
    time::Timestamp,
    wire::wire_struct,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use std::fmt;

wire_struct! {
    /// The body of a delivery.
    pub struct Envelope {
        pub metadata: Metadata,
        pub payload: Value,
        /// v4 repeats three members of `metadata` here.
        pub event_type: EventType,
        pub event_id: String,
        pub occurred_at: Timestamp,
    }

    /// What a delivery is about.
    pub struct Metadata {
        /// A concrete name, never a wildcard.
        pub event_type: EventType,
        /// Unique per event and recipient account: what a receiver deduplicates on.
        pub event_id: String,
        pub event_version: EventVersion,
        /// When it happened, not when it was delivered.
        pub occurred_at: Timestamp,
        pub correlation_id: String,
        /// The account that the event is about.
        pub subject_account_id: PartnerAccountId,
        /// v1's name of the subject.
        pub account_id: PartnerAccountId,
        /// The account that owns the webhook.
        pub recipient_account_id: PartnerAccountId,
        /// Absent for events about a whole account.
        pub product_instance_id: PaymentProductId,
        pub webhook_id: WebhookId,
        pub live: bool,
    }
}

impl Envelope {
    /// The envelope as a subscriber of `metadata.event_version` expects it: v1 has `account_id`, v4 repeats on top (RULINGS 1.7).
    pub fn new(mut metadata: Metadata, payload: Value) -> Self {
        let mut envelope = Self { payload: Some(payload), ..Self::default() };
        match metadata.event_version {
            Some(EventVersion::V1) => metadata.account_id = metadata.subject_account_id.clone(),
            Some(EventVersion::V4) => {
                envelope.event_type = metadata.event_type.clone();
                envelope.event_id = metadata.event_id.clone();
                envelope.occurred_at = metadata.occurred_at;
            }
            _ => {}
        }
        envelope.metadata = Some(metadata);
        envelope
    }
}

open_enum! {
    /// Whether a webhook is delivered to.
    pub enum WebhookStatus {
        Enabled = "ENABLED",
        Disabled = "DISABLED",
    }
}

wire_struct! {
    /// A webhook, in and out.
    pub struct Webhook {
        pub webhook_id: WebhookId,
        pub url: String,
        /// Exact names or `x.y.*`.
        pub event_types: Vec<String>,
        pub event_version: EventVersion,
        pub signing_key_id: SigningKeyId,
        pub status: WebhookStatus,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }

    /// A signing key; the key itself only in the answer that creates it.
    pub struct SigningKey {
        pub signing_key_id: SigningKeyId,
        pub signing_key: SigningSecret,
        pub created_at: Timestamp,
    }

    /// Body of POST `…/webhooks/{webhook_id}/simulate`.
    pub struct Simulate {
        pub event_type: EventType,
        pub event_version: EventVersion,
    }
}

/// The text of a signing key, used as it is, without decoding. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SigningSecret(String);

impl SigningSecret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one answer that shows it and for storage that encrypts it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn mac(&self, raw_body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).expect("HMAC takes keys of every length");
        mac.update(raw_body);
        mac
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// Why a delivery is not believed. Each answers 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureError {
    #[error("the Klarna-Signing-Key-Id header is missing")]
    MissingKeyId,
    #[error("the Klarna-Signature header is missing")]
    MissingSignature,
    #[error("the signature is not 64 hexadecimal digits")]
    Malformed,
    #[error("the signing key is unknown")]
    UnknownKey,
    #[error("the signature does not belong to this body and key")]
    Mismatch,
}

impl SignatureError {
    /// A word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingKeyId => "missing_key_id",
            Self::MissingSignature => "missing_signature",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Mismatch => "mismatch",
        }
    }
}

/// `Klarna-Signature`: lower-case hex of HMAC-SHA256 over the raw bytes of the body (sheet 01 §10.2).
pub fn sign(secret: &SigningSecret, raw_body: &[u8]) -> String {
    hex::encode(secret.mac(raw_body).finalize().into_bytes())
}

/// Checks a delivery and tells which key it was signed with. During a rotation `keys` holds the old key and the new one.
///
/// # Errors
/// See [`SignatureError`]. Either case of hexadecimal digits is taken: case carries no information.
pub fn verify(
    keys: &[(SigningKeyId, &SigningSecret)],
    key_id_header: Option<&str>,
    signature_header: Option<&str>,
    raw_body: &[u8],
) -> Result<SigningKeyId, SignatureError> {
    let key_id = key_id_header.filter(|text| !text.is_empty()).ok_or(SignatureError::MissingKeyId)?;
    let signature = signature_header.filter(|text| !text.is_empty()).ok_or(SignatureError::MissingSignature)?;
    let mut given = [0u8; 32];
    hex::decode_to_slice(signature, &mut given).map_err(|_| SignatureError::Malformed)?;
    let (id, secret) = keys.iter().find(|(id, _)| id.as_str() == key_id).ok_or(SignatureError::UnknownKey)?;
    // Compared in constant time: the signature is the sender's to choose.
    secret.mac(raw_body).verify_slice(&given).map_err(|_| SignatureError::Mismatch)?;
    Ok(id.clone())
}
