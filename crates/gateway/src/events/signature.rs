//! The signature on webhooks to Partners: the Standard Webhooks scheme, so that a Partner can verify with an existing library.
//!
//! Signed is `<webhook-id>.<webhook-timestamp>.<body>`, with HMAC-SHA256 under the bytes that stand in base64 behind `whsec_`.
//! `webhook-signature` lists one `v1,<base64>` per secret in force, the newest first, separated by spaces.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use kit::random::Random;
use sha2::Sha256;

/// The message's id: the event's, the same at every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// Seconds since the epoch at which this attempt was signed.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The signatures.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

const PREFIX: &str = "whsec_";
/// Ours: 32 bytes, within the 24 to 64 that the scheme asks for.
const SECRET_BYTES: usize = 32;

/// A signing secret, `whsec_<base64>`. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointSecret(String);

/// The text is not `whsec_` and base64 of at least 24 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook secret")]
pub struct NotASecret;

impl EndpointSecret {
    /// A new secret.
    pub fn generate(random: &Random) -> Self {
        let mut key = [0; SECRET_BYTES];
        random.fill(&mut key);
        Self(format!("{PREFIX}{}", STANDARD.encode(key)))
    }

    /// Reads a stored secret.
    ///
    /// # Errors
    /// [`NotASecret`].
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let secret = Self(text.to_owned());
        secret.key().filter(|key| key.len() >= 24).map(|_| secret.clone()).ok_or(NotASecret)
    }

    /// The text, for the one answer that shows it and for storage that seals it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn key(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.0.strip_prefix(PREFIX)?).ok()
    }
}

impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSecret(…)")
    }
}

/// The value of `webhook-signature` for one attempt; `timestamp` in seconds.
pub fn sign(secrets: &[EndpointSecret], message_id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut header = String::new();
    for secret in secrets {
        let key = secret.key().expect("a secret was parsed or generated");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of every length");
        mac.update(format!("{message_id}.{timestamp}.").as_bytes());
        mac.update(body);
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        STANDARD.encode_string(mac.finalize().into_bytes(), &mut header);
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> EndpointSecret {
        EndpointSecret::parse(&format!("{PREFIX}{}", STANDARD.encode([byte; 32]))).unwrap()
    }

    #[test]
    fn the_signature_is_that_of_the_scheme() {
        // Computed apart, with Python's hmac over the key 0x01 × 32.
        let body = br#"{"type":"payment.authorized"}"#;
        assert_eq!(sign(&[secret(1)], "evt_1", 1_767_225_600, body), "v1,X0X7J6wLnfTOJeul2d7QEg0blwpcP0lqhkaguFCGlWc=");
    }

    #[test]
    fn during_a_rotation_both_secrets_sign() {
        let both = sign(&[secret(2), secret(1)], "evt_1", 5, b"{}");
        let parts: Vec<&str> = both.split(' ').collect();
        assert_eq!(parts, [sign(&[secret(2)], "evt_1", 5, b"{}"), sign(&[secret(1)], "evt_1", 5, b"{}")]);
    }

    #[test]
    fn a_secret_reads_back_and_never_shows_itself() {
        let made = EndpointSecret::generate(&Random::seeded(1, 0));
        assert_eq!(EndpointSecret::parse(made.expose()).unwrap(), made);
        assert_eq!(format!("{made:?}"), "EndpointSecret(…)");
        for wrong in ["", "whsec_", "whsec_AAAA", "sec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "whsec_*"] {
            assert_eq!(EndpointSecret::parse(wrong), Err(NotASecret), "{wrong}");
        }
    }
}
