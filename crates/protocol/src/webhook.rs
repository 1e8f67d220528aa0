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
use subtle::ConstantTimeEq as _;

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
#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SigningSecret(String);

/// In constant time: the other side may be somebody's guess.
impl PartialEq for SigningSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}
impl Eq for SigningSecret {}

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

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const BODY: &str = "{\"metadata\":{\"event_id\":\"1\"},\"payload\":{\"name\":\"Zoë\"}}\n";

    fn secret() -> SigningSecret {
        SigningSecret::new("not-a-real-signing-key-0123456789abcdefghij")
    }

    fn key_id(number: u128) -> SigningKeyId {
        SigningKeyId::new(Uuid::from_u128(number))
    }

    /// Expected values from another implementation (Python's hmac).
    #[test]
    fn signatures_are_those_of_other_implementations() {
        let vectors: [(SigningSecret, &[u8], &str); 3] = [
            (secret(), BODY.as_bytes(), "bd5fc9348f61a14964c3d4994e71ef2cb54c7ab1b2a3984c4748be65a8a92f09"),
            (SigningSecret::new(""), b"", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
            (
                SigningSecret::new("k".repeat(200)),
                b"\x00\xff",
                "0a06874ecbdfff50bdd4126caea65eb872bb601b6da229f78a6b4a91e55f86b5",
            ),
        ];
        for (secret, body, signature) in vectors {
            assert_eq!(sign(&secret, body), signature);
        }
    }

    #[test]
    fn both_keys_are_good_while_one_replaces_the_other() {
        let (old, new) = (secret(), SigningSecret::new("the-next-one"));
        let keys = [(key_id(1), &old), (key_id(2), &new)];
        for (id, secret) in [(key_id(1), &old), (key_id(2), &new)] {
            let signature = sign(secret, BODY.as_bytes());
            assert_eq!(verify(&keys, Some(id.as_str()), Some(&signature), BODY.as_bytes()), Ok(id));
        }
        // The right key under the wrong id is no better than a wrong key.
        let signature = sign(&old, BODY.as_bytes());
        let crossed = verify(&keys, Some(key_id(2).as_str()), Some(&signature), BODY.as_bytes());
        assert_eq!(crossed, Err(SignatureError::Mismatch));
    }

    #[test]
    fn each_way_to_be_wrong_has_its_name() {
        use SignatureError::{Malformed, Mismatch, MissingKeyId, MissingSignature, UnknownKey};
        let secret = secret();
        let keys = [(key_id(1), &secret)];
        let (id, good) = (key_id(1).to_string(), sign(&secret, BODY.as_bytes()));
        let other = key_id(9).to_string();
        let check = |id: Option<&str>, signature: Option<&str>, body: &str| {
            verify(&keys, id, signature, body.as_bytes()).unwrap_err()
        };
        assert_eq!(check(None, Some(&good), BODY), MissingKeyId);
        assert_eq!(check(Some(""), Some(&good), BODY), MissingKeyId);
        assert_eq!(check(Some(&id), None, BODY), MissingSignature);
        assert_eq!(check(Some(&id), Some(""), BODY), MissingSignature);
        for malformed in [&good[..63], &good[..62], &format!("{good}00"), &good.replace(|_| true, "z"), "sha256=1", "ü"]
        {
            assert_eq!(check(Some(&id), Some(malformed), BODY), Malformed, "{malformed}");
        }
        assert_eq!(check(Some(&other), Some(&good), BODY), UnknownKey);
        assert_eq!(check(Some(&id), Some(&good), BODY.trim_end()), Mismatch);
        assert_eq!(check(Some(&id), Some(&"0".repeat(64)), BODY), Mismatch);
        let last_bit = format!("{}{}", &good[..63], if good.ends_with('0') { '1' } else { '0' });
        assert_eq!(check(Some(&id), Some(&last_bit), BODY), Mismatch);
        assert!(verify(&[], Some(&id), Some(&good), BODY.as_bytes()).is_err());
    }

    #[test]
    fn upper_case_digits_are_taken() {
        let secret = secret();
        let upper = sign(&secret, BODY.as_bytes()).to_uppercase();
        assert!(verify(&[(key_id(1), &secret)], Some(key_id(1).as_str()), Some(&upper), BODY.as_bytes()).is_ok());
    }

    #[test]
    fn secrets_stay_out_of_debug() {
        assert_eq!(format!("{:?}", secret()), "SigningSecret(…)");
    }
}
