//! Headers of the network (sheet 01 §4), lower-case as HTTP/2 wants them, and the two whose contents have rules.

use crate::{error::ValidationError, wire::wire_struct};
use std::{fmt, fmt::Write as _, str::FromStr};

// Requests.
pub const AUTHORIZATION: &str = "authorization";
pub const CONTENT_TYPE: &str = "content-type";
pub const KLARNA_IDEMPOTENCY_KEY: &str = "klarna-idempotency-key";
pub const PARTNER_CORRELATION_ID: &str = "partner-correlation-id";
pub const KLARNA_INTEGRATION_METADATA: &str = "klarna-integration-metadata";
pub const KLARNA_NETWORK_SESSION_TOKEN: &str = "klarna-network-session-token";
/// Older name of the session token's header.
pub const KLARNA_INTEROPERABILITY_TOKEN: &str = "klarna-interoperability-token";
/// Deprecated predecessor of the session token's header.
pub const KLARNA_PAYMENT_TOKEN: &str = "klarna-payment-token";
pub const KLARNA_CUSTOMER_TOKEN: &str = "klarna-customer-token";
/// Older name of the customer token's header.
pub const X_KLARNA_CUSTOMER_TOKEN: &str = "x-klarna-customer-token";
/// Test tokens only.
pub const KLARNA_CUSTOMER_REGION: &str = "klarna-customer-region";
/// v1: the account acted for.
pub const KLARNA_PARTNER_ACCOUNT: &str = "klarna-partner-account";
/// v1: the client configuration.
pub const X_KLARNA_CLIENT_ID: &str = "x-klarna-client-id";

// Responses. `partner-correlation-id` is echoed.
pub const KLARNA_CORRELATION_ID: &str = "klarna-correlation-id";
pub const KLARNA_MTLS_VERIFICATION_STATUS: &str = "klarna-mtls-verification-status";
pub const KLARNA_IP_VALIDATION_STATUS: &str = "klarna-ip-validation-status";
pub const X_RATELIMIT_LIMIT: &str = "x-ratelimit-limit";
pub const X_RATELIMIT_REMAINING: &str = "x-ratelimit-remaining";
pub const X_RATELIMIT_RESET: &str = "x-ratelimit-reset";
/// Not documented; sent by us with 429 and 503, and honoured.
pub const RETRY_AFTER: &str = "retry-after";

// Webhook deliveries.
pub const KLARNA_SIGNATURE: &str = "klarna-signature";
pub const KLARNA_SIGNING_KEY_ID: &str = "klarna-signing-key-id";

/// Longest `Klarna-Idempotency-Key`; printable ASCII (sheet 01 §5).
pub const IDEMPOTENCY_KEY_LENGTH_MAX: usize = 255;
/// Longest session token (sheet 01 §4).
pub const SESSION_TOKEN_LENGTH_MAX: usize = 8192;
/// Longest customer token (sheet 01 §4).
pub const CUSTOMER_TOKEN_LENGTH_MAX: usize = 1024;

/// Whether a text may be an idempotency key: 1 to 255 printable ASCII characters.
pub fn is_idempotency_key(text: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// A correlation id of the caller: 1 to 255 of `A-Z a-z 0-9 _ -` (sheet 01 §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PartnerCorrelationId(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 255 characters of A-Z, a-z, 0-9, _ and -")]
pub struct PartnerCorrelationIdError;

impl PartnerCorrelationId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PartnerCorrelationId {
    type Err = PartnerCorrelationIdError;

    fn from_str(text: &str) -> Result<Self, PartnerCorrelationIdError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if (1..=255).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(PartnerCorrelationIdError)
    }
}

impl fmt::Display for PartnerCorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

wire_struct! {
    /// Who calls, and which systems stand behind (sheet 01 §4.1).
    pub struct IntegrationMetadata {
        /// The caller, for us the AP.
        pub integrator: Integration,
        /// Systems upstream of the caller, at most ten.
        pub originators: Vec<Integration>,
    }

    pub struct Integration {
        /// Trade name in UPPER_SNAKE_CASE, 1..50.
        pub name: String,
        /// A long-lived integration id, 1..100.
        pub session_reference: String,
        /// 1..50.
        pub module_name: String,
        /// 1..50, any scheme.
        pub module_version: String,
    }
}

/// The header is not a JSON object of this shape.
#[derive(Debug, thiserror::Error)]
#[error("Klarna-Integration-Metadata is not the JSON object that it should be")]
pub struct IntegrationMetadataError(#[source] serde_json::Error);

impl IntegrationMetadata {
    /// # Errors
    /// Not JSON, or members of wrong types. Everything else is a warning: see [`Self::warnings`].
    pub fn parse(text: &str) -> Result<Self, IntegrationMetadataError> {
        serde_json::from_str(text).map_err(IntegrationMetadataError)
    }

    /// One line of ASCII, as a header needs it: other characters become `\uXXXX`.
    pub fn to_header(&self) -> String {
        let json = serde_json::to_string(self).expect("texts under string keys always serialize");
        let mut line = String::with_capacity(json.len());
        for character in json.chars() {
            if character.is_ascii() && character != '\u{7f}' {
                line.push(character);
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(line, "\\u{unit:04x}").expect("writing to a String cannot fail");
            }
        }
        line
    }

    /// What breaks the rules of sheet 01 §4.1. Klarna's own sample breaks the naming rule, so these warn and never refuse.
    pub fn warnings(&self) -> Vec<ValidationError> {
        let mut found = Vec::new();
        match &self.integrator {
            Some(integrator) => integrator.warnings("integrator", &mut found),
            None => found.push(ValidationError::new("integrator", "is required")),
        }
        let originators = self.originators.as_deref().unwrap_or_default();
        if originators.len() > 10 {
            found.push(ValidationError::new("originators", "must have at most 10 entries"));
        }
        for (index, originator) in originators.iter().enumerate() {
            originator.warnings(&format!("originators[{index}]"), &mut found);
        }
        found
    }
}

impl Integration {
    fn warnings(&self, at: &str, found: &mut Vec<ValidationError>) {
        let fields = [
            ("name", &self.name, 50, true),
            ("session_reference", &self.session_reference, 100, true),
            ("module_name", &self.module_name, 50, false),
            ("module_version", &self.module_version, 50, false),
        ];
        for (field, value, max, required) in fields {
            match value {
                None if required => found.push(ValidationError::new(format!("{at}.{field}"), "is required")),
                Some(text) if !(1..=max).contains(&text.chars().count()) => {
                    let reason = format!("must have 1 to {max} characters");
                    found.push(ValidationError::new(format!("{at}.{field}"), reason));
                }
                _ => {}
            }
        }
        let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if self.name.as_deref().is_some_and(|name| !name.bytes().all(allowed)) {
            found.push(ValidationError::new(format!("{at}.name"), "must consist of A-Z, 0-9 and _"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_prints_one_line_in_the_documented_order() {
        let line = r#"{"integrator":{"name":"EXAMPLE_PSP","session_reference":"s-9f2","module_name":"gateway","module_version":"1.4.0"},"originators":[{"name":"SHOPWARE_X","session_reference":"shop-77"}]}"#;
        let metadata = IntegrationMetadata::parse(line).unwrap();
        assert_eq!(metadata.to_header(), line);
        assert_eq!(metadata.warnings(), vec![]);

        let folded = IntegrationMetadata::parse("{\"integrator\":{\"name\":\"Müller\\n😀\"}}").unwrap();
        assert_eq!(folded.to_header(), r#"{"integrator":{"name":"M\u00fcller\n\ud83d\ude00"}}"#);
    }

    #[test]
    fn broken_rules_warn_and_never_refuse() {
        let line = format!(
            r#"{{"integrator":{{"name":"AcquiringPartner","module_name":"","module_version":"{}"}},"originators":[{}]}}"#,
            "1".repeat(51),
            ["{}"; 11].join(",")
        );
        let warnings = IntegrationMetadata::parse(&line).unwrap().warnings();
        let named: Vec<_> = warnings.iter().map(ValidationError::parameter).collect();
        assert_eq!(
            named[..5],
            [
                "integrator.session_reference",
                "integrator.module_name",
                "integrator.module_version",
                "integrator.name",
                "originators"
            ]
        );
        assert_eq!(named[5..7], ["originators[0].name", "originators[0].session_reference"]);
        assert_eq!(IntegrationMetadata::parse("{}").unwrap().warnings().len(), 1);
        for text in ["", "[]", "{\"integrator\":7}", "{"] {
            assert!(IntegrationMetadata::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn correlation_ids_and_idempotency_keys_are_bounded() {
        for text in ["a", "9d1c0b52-0000-4000-8000-000000000001", &"x".repeat(255)] {
            assert_eq!(text.parse::<PartnerCorrelationId>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a:b", "ä", "a\n", &"x".repeat(256)] {
            assert!(text.parse::<PartnerCorrelationId>().is_err(), "{text}");
        }
        assert!(is_idempotency_key("a b:c") && !is_idempotency_key("") && !is_idempotency_key("a\tb"));
        assert!(is_idempotency_key(&"x".repeat(255)) && !is_idempotency_key(&"x".repeat(256)));
    }
}
