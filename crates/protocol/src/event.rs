//! The event catalogue (sheet 01 §11), subscriptions to it, and which version carries which event (RULINGS 1.7).

use crate::open_enum;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr};

open_enum! {
    /// Every event of the network: the 38 rows of the catalogue, then the names that only v1 had.
    pub enum EventType {
        PaymentRequestSubmitted = "payment.request.state-change.submitted",
        PaymentRequestInProgress = "payment.request.state-change.in-progress",
        PaymentRequestCompleted = "payment.request.state-change.completed",
        PaymentRequestCanceled = "payment.request.state-change.canceled",
        PaymentRequestExpired = "payment.request.state-change.expired",
        PaymentRequestDeclined = "payment.request.state-change.declined",
        PaymentRequestUpdated = "payment.request.updated",
        PaymentTransactionAuthorized = "payment.transaction.state-change.authorized",
        PaymentTransactionCompleted = "payment.transaction.state-change.completed",
        PaymentTransactionExpired = "payment.transaction.state-change.expired",
        PaymentTransactionClosed = "payment.transaction.state-change.closed",
        PaymentTransactionCaptured = "payment.transaction.captured",
        PaymentTransactionRefunded = "payment.transaction.refunded",
        PaymentTransactionChargeback = "payment.transaction.chargeback",
        PaymentFundingFunded = "payment.funding.state-change.funded",
        PaymentFundingExpired = "payment.funding.state-change.expired",
        PaymentDisputePreArbitration = "payment.dispute.state-change.pre-arbitration",
        PaymentDisputeArbitrationPending = "payment.dispute.state-change.arbitration-pending",
        PaymentDisputeMerchantEvidencePending = "payment.dispute.state-change.merchant-evidence-pending",
        PaymentDisputeArbitrationAppealWindowOpen = "payment.dispute.state-change.arbitration-appeal-window-open",
        PaymentDisputeClosed = "payment.dispute.state-change.closed",
        PaymentDisputeArbitrationDeadlineExtended = "payment.dispute.updated.arbitration-deadline-extended",
        PaymentDisputeInitiated = "payment.dispute.state-change.initiated",
        PaymentDisputeRepresentment = "payment.dispute.state-change.representment",
        PaymentDisputeArbitration = "payment.dispute.state-change.arbitration",
        PaymentDisputeRepresentmentDeadlineExtended = "payment.dispute.updated.representment-deadline-extended",
        SettlementReportCreated = "settlement.report.created",
        SettlementReportUploadedToSftp = "settlement.report.uploaded-to-sftp",
        SettlementPayoutProcessed = "settlement.payout.processed",
        SettlementPayoutConfirmed = "settlement.payout.confirmed",
        SettlementPayoutFailed = "settlement.payout.failed",
        IdentityCustomerTokenRevoked = "identity.customer-token.state-change.revoked",
        PartnerAccountOperational = "partner.account.state-change.operational",
        PartnerAccountChangeCreated = "partner.account.change.created",
        PartnerAccountBrandDataIncomplete = "partner.account.brand.data-incomplete",
        PartnerAccountProductPaymentDisabled = "partner.account.product.payment.state-change.disabled",
        PartnerAccountProductPaymentEnabled = "partner.account.product.payment.state-change.enabled",
        PartnerComplianceDecisionCreated = "partner.compliance.decision.created",
        /// v1 only.
        PaymentRequestPrepared = "payment.request.state-change.prepared",
        /// v1 only.
        PaymentRequestPendingConfirmation = "payment.request.state-change.pending-confirmation",
        /// v1 only.
        PaymentRequestAuthorized = "payment.request.state-change.authorized",
        /// Seen in one v2-r5 sample, of the same generation.
        PaymentRequestConfirmed = "payment.request.state-change.confirmed",
    }

    /// The schema of a subscription's payloads.
    pub enum EventVersion {
        V1 = "v1",
        V2 = "v2",
        V3 = "v3",
        V4 = "v4",
    }

    /// The rules that a dispute follows, fixed when it was opened (sheet 01 §11.4).
    pub enum DisputeFramework {
        Framework2020 = "FRAMEWORK_2020",
        Framework2026 = "FRAMEWORK_2026",
    }
}

/// How many rows of [`EventType::KNOWN`] are the catalogue; the rest is v1's.
const CATALOGUE_LENGTH: usize = 38;

impl EventType {
    /// The 38 events that are emitted today and can be simulated.
    pub fn catalogue() -> &'static [Self] {
        &Self::KNOWN[..CATALOGUE_LENGTH]
    }

    /// Names of the oldest generation: can be subscribed to, are never emitted.
    pub fn is_v1_only(&self) -> bool {
        Self::KNOWN[CATALOGUE_LENGTH..].contains(self)
    }

    pub fn is_dispute(&self) -> bool {
        self.as_str().starts_with("payment.dispute.")
    }

    /// Whether a subscription of `version` gets this event (RULINGS 1.7): disputes of 2026 go to v4 only, those of 2020 to the
    /// others, everything else to all. `framework` is the dispute's; without it the event's own generation decides, and an event
    /// that both have goes to all.
    pub fn is_delivered_to(&self, version: &EventVersion, framework: Option<&DisputeFramework>) -> bool {
        let own = self.dispute_framework();
        match framework.filter(|_| self.is_dispute()).or(own.as_ref()) {
            Some(DisputeFramework::Framework2020) => *version != EventVersion::V4,
            Some(DisputeFramework::Framework2026) => *version == EventVersion::V4,
            Some(DisputeFramework::Unknown(_)) | None => true,
        }
    }

    /// The generation that alone has this dispute event.
    fn dispute_framework(&self) -> Option<DisputeFramework> {
        match self {
            Self::PaymentDisputeArbitrationPending
            | Self::PaymentDisputeMerchantEvidencePending
            | Self::PaymentDisputeArbitrationAppealWindowOpen
            | Self::PaymentDisputeArbitrationDeadlineExtended => Some(DisputeFramework::Framework2020),
            Self::PaymentDisputeInitiated
            | Self::PaymentDisputeRepresentment
            | Self::PaymentDisputeArbitration
            | Self::PaymentDisputeRepresentmentDeadlineExtended => Some(DisputeFramework::Framework2026),
            _ => None,
        }
    }
}

/// What a webhook subscribes to: an exact name, or the beginning of names, `payment.request.*`. A bare `*` is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventPattern(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an event type, or the beginning of one and .* as in payment.request.*")]
pub struct EventPatternError;

impl EventPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, event: &EventType) -> bool {
        match self.0.strip_suffix('*') {
            // The prefix keeps its dot, so `payment.*` does not take `payments.x`.
            Some(prefix) => event.as_str().starts_with(prefix),
            None => event.as_str() == self.0,
        }
    }

    /// Whether any event of the catalogue, or of v1, can ever match.
    pub fn matches_any_known(&self) -> bool {
        EventType::KNOWN.iter().any(|event| self.matches(event))
    }
}

impl FromStr for EventPattern {
    type Err = EventPatternError;

    /// Checks the form only; see [`Self::matches_any_known`].
    fn from_str(text: &str) -> Result<Self, EventPatternError> {
        let names = text.strip_suffix(".*").unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let name_is_fine = |name: &str| !name.is_empty() && name.bytes().all(allowed);
        if text.len() <= 255 && names.split('.').all(name_is_fine) {
            return Ok(Self(text.to_owned()));
        }
        Err(EventPatternError)
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Serialize for EventPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for EventPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_38_rows_and_v1_four_names_more() {
        assert_eq!(EventType::catalogue().len(), 38);
        assert_eq!(EventType::KNOWN.len(), 42);
        assert!(EventType::KNOWN.iter().all(|event| EventType::from(event.as_str()) == *event && event.is_known()));
        assert!(EventType::PaymentRequestPrepared.is_v1_only() && !EventType::PaymentRequestUpdated.is_v1_only());
        for area in ["payment", "settlement", "identity", "partner"] {
            assert!(EventType::catalogue().iter().any(|event| event.as_str().starts_with(area)), "{area}");
        }
        for absent in ["payment.transaction.updated", "payment.transaction.voided"] {
            assert!(!EventType::from(absent).is_known(), "{absent}");
        }
    }

    #[test]
    fn patterns_match_whole_names() {
        let matches =
            |pattern: &str, event: &str| pattern.parse::<EventPattern>().unwrap().matches(&EventType::from(event));
        assert!(matches("payment.*", "payment.request.updated"));
        assert!(matches("payment.request.state-change.*", "payment.request.state-change.completed"));
        assert!(matches("payment.request.updated", "payment.request.updated"));
        assert!(!matches("payment.request.*", "payment.requests.updated"));
        assert!(!matches("payment.request.updated.*", "payment.request.updated"));
        assert!(!matches("payment.request", "payment.request.updated"));
    }

    #[test]
    fn a_wildcard_stands_at_the_end_and_never_alone() {
        for text in [
            "*",
            "",
            ".*",
            "*.updated",
            "payment.*.updated",
            "payment.**",
            "payment*",
            "payment..x",
            "Payment.*",
            "payment.* ",
            "payment.",
        ] {
            assert_eq!(text.parse::<EventPattern>(), Err(EventPatternError), "{text}");
        }
        let unknown: EventPattern = "payment.request.sleeping".parse().unwrap();
        assert!(!unknown.matches_any_known());
    }

    #[test]
    fn dispute_generations_go_to_their_versions() {
        use DisputeFramework::{Framework2020, Framework2026};
        use EventVersion::{V1, V2, V3, V4};
        let versions = |event: EventType, framework: Option<DisputeFramework>| {
            [V1, V2, V3, V4].map(|version| event.is_delivered_to(&version, framework.as_ref()))
        };
        let (old, new, all) = ([true, true, true, false], [false, false, false, true], [true; 4]);
        assert_eq!(versions(EventType::PaymentDisputeClosed, Some(Framework2020)), old);
        assert_eq!(versions(EventType::PaymentDisputeClosed, Some(Framework2026)), new);
        assert_eq!(versions(EventType::PaymentDisputeClosed, None), all);
        assert_eq!(versions(EventType::PaymentDisputeArbitrationPending, None), old);
        assert_eq!(versions(EventType::PaymentDisputeInitiated, None), new);
        assert_eq!(versions(EventType::PaymentTransactionCaptured, Some(Framework2026)), all);
    }
}
