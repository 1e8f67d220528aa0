//! Klarna Resource Names: the network's identifiers, parsed once, with a type for every resource kind.
//!
//! Three ways in, in falling strictness:
//! - `FromStr` of a typed id (paths, parameters): the text must be a KRN of that kind in one of the accepted spellings.
//! - `Deserialize` of a typed id (bodies): a KRN of *another known* kind is refused; a form that nobody has seen yet is kept as
//!   it is, because ids are opaque and "may change without notice" (sheet 01 §8.2, §8.4).
//! - [`Krn::opaque`]: any printable text.
//!
//! Constructors produce the forms of RULINGS 1.5. Ids inside URLs are decoded by the HTTP layer before they get here.

use crate::money::Currency;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, sync::Arc};
use uuid::Uuid;

/// Longest id; tokens are longer (sheet 01 §8.2).
pub const ID_LENGTH_MAX: usize = 255;
/// Longest token in a header or a body (sheet 01 §4).
pub const TOKEN_LENGTH_MAX: usize = 8192;

/// The kinds of resource that a KRN can name, alphabetical; every spelling of sheets 01 §8.2, 03 §1.2 and RULINGS 1.5 maps to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KrnKind {
    AccessPolicy,
    AcquiringAccount,
    Brand,
    BusinessEntity,
    ComplianceDecision,
    ConfirmationToken,
    Credential,
    CustomerToken,
    Dispute,
    DisputeAttachment,
    DistributionProfile,
    PartnerAccount,
    PartnerAccountRelationship,
    PaymentAccount,
    PaymentCapture,
    PaymentChargeback,
    PaymentProduct,
    PaymentProfile,
    PaymentProgram,
    PaymentProgramEnablement,
    PaymentProgramPlan,
    PaymentRefund,
    PaymentRequest,
    PaymentToken,
    PaymentTransaction,
    PortalDeepLink,
    PricePlan,
    SessionToken,
    Settlement,
    ShoppingSession,
    SigningKey,
    Store,
    StoreGroup,
    Webhook,
    /// A form that no sheet shows. Kept, so that a newer release does not break an older client.
    Unknown,
}

impl KrnKind {
    /// Tokens grant something: their text is never shown in `Debug`.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::ConfirmationToken | Self::CustomerToken | Self::PaymentToken | Self::SessionToken)
    }

    /// The kind of a KRN, from its text.
    fn of(text: &str) -> Self {
        // One more than the longest fixed form, so that a longer text does not pass for it.
        let mut segments = [""; 10];
        let mut count = 0;
        for segment in text.split(':') {
            // Only opaque tails (tokens) have more; what counts stands in front.
            if count == segments.len() {
                break;
            }
            segments[count] = segment;
            count += 1;
        }
        if segments[..count].iter().any(|segment| segment.is_empty()) {
            return Self::Unknown;
        }
        match &segments[..count] {
            ["krn", "partner", "global", "account", rest @ ..] => match rest {
                ["test" | "live", _] => Self::PartnerAccount,
                ["access-policy", _] => Self::AccessPolicy,
                ["acquiring-account" | "payment-acquiring-account", _] => Self::AcquiringAccount,
                ["brand", _] => Self::Brand,
                ["compliance-decision", _] => Self::ComplianceDecision,
                ["credential", _, _] => Self::Credential,
                ["distribution-profile", _] => Self::DistributionProfile,
                ["partner-business-entity", _] => Self::BusinessEntity,
                ["partner-account-relationship", _] => Self::PartnerAccountRelationship,
                ["payment-account", _] => Self::PaymentAccount,
                ["payment-product", _] | ["product", "payment", _] => Self::PaymentProduct,
                ["payment-profile", _] => Self::PaymentProfile,
                ["payment-program-enablement", _] => Self::PaymentProgramEnablement,
                ["portal-deep-link", _] => Self::PortalDeepLink,
                ["store", _] => Self::Store,
                ["store-group", _] => Self::StoreGroup,
                _ => Self::Unknown,
            },
            ["krn", "partner", "global", rest @ ..] => match rest {
                ["notification", "signing-key", _] => Self::SigningKey,
                ["notification", "webhook", _] => Self::Webhook,
                ["payment", "price-plan", _] | ["price-plan", _] => Self::PricePlan,
                ["payment-account", _] | ["payment-account", "test" | "live", _] => Self::PaymentAccount,
                ["payment-acquiring-account", _] => Self::AcquiringAccount,
                ["settlement", _] => Self::Settlement,
                _ => Self::Unknown,
            },
            ["krn", "partner", "product", "payment", _] => Self::PaymentProduct,
            ["krn", "partner", _, _, "identity", "customer-token", ..] | ["krn", "customer-token", _, ..] => {
                Self::CustomerToken
            }
            ["krn", "network", _, _, "payment", "dispute", _] => Self::Dispute,
            ["krn", "network", _, _, "payment", "dispute", _, "attachment", _] => Self::DisputeAttachment,
            ["krn", "network", _, _, "payment", "payment-program", _] => Self::PaymentProgram,
            ["krn", "network", _, _, "payment", "payment-program-plan", _] => Self::PaymentProgramPlan,
            ["krn", "network", _, _, "payment-acquiring-account", _] => Self::AcquiringAccount,
            ["krn", "network", _, _, "payment-profile", _] => Self::PaymentProfile,
            ["krn", "network", _, _, "session-token", ..] | ["krn", "network", _, "interoperability", ..] => {
                Self::SessionToken
            }
            ["krn", "payment", _, rest @ ..] => match rest {
                ["confirmation-token", _, ..] => Self::ConfirmationToken,
                ["dispute", _, _] => Self::Dispute,
                ["klarna-network-session-token", _, ..] => Self::SessionToken,
                ["payment-token", _, ..] => Self::PaymentToken,
                ["request", _] => Self::PaymentRequest,
                ["transaction" | "authorization", _] => Self::PaymentTransaction,
                ["transaction" | "authorization", _, "capture", _] => Self::PaymentCapture,
                ["transaction" | "authorization", _, "chargeback", _] => Self::PaymentChargeback,
                ["transaction" | "authorization", _, "refund", _] => Self::PaymentRefund,
                _ => Self::Unknown,
            },
            ["krn", "shopping", _, "session", _] | ["krn", "shopping", _, _, "session", _] => Self::ShoppingSession,
            _ => Self::Unknown,
        }
    }

    /// Sheet 01 §4 for the tokens; unseen forms may be tokens.
    fn length_max(self) -> usize {
        match self {
            Self::CustomerToken => 1024,
            Self::SessionToken | Self::Unknown => TOKEN_LENGTH_MAX,
            _ => ID_LENGTH_MAX,
        }
    }
}

/// Why a text is not the KRN that was wanted. Never repeats the text: it may be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KrnError {
    #[error("is empty")]
    Empty,
    #[error("is longer than {max} characters")]
    TooLong { max: usize },
    #[error("contains a character that is not printable ASCII")]
    Unprintable,
    #[error("does not begin with krn:")]
    NotKrn,
    #[error("names another kind of resource: wanted {wanted:?}, got {got:?}")]
    WrongKind { wanted: KrnKind, got: KrnKind },
}

/// A Klarna Resource Name: the text and the kind it was found to be. Cheap to clone.
#[derive(Clone)]
pub struct Krn {
    text: Arc<str>,
    kind: KrnKind,
}

impl Krn {
    /// Takes any printable text up to 8192 characters, `krn:` or not (ids are opaque).
    ///
    /// # Errors
    /// Empty, too long for its kind, or not printable ASCII.
    pub fn opaque(text: &str) -> Result<Self, KrnError> {
        if text.is_empty() {
            return Err(KrnError::Empty);
        }
        let kind = KrnKind::of(text);
        let max = kind.length_max();
        if text.len() > max {
            return Err(KrnError::TooLong { max });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KrnError::Unprintable);
        }
        Ok(Self { text: text.into(), kind })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn kind(&self) -> KrnKind {
        self.kind
    }

    /// For the constructors below: the form is ours and its parts are checked by their types.
    fn produced(text: String, kind: KrnKind) -> Self {
        debug_assert_eq!(KrnKind::of(&text), kind);
        Self { text: text.into(), kind }
    }

    fn segment(&self, index: usize) -> Option<&str> {
        self.text.split(':').nth(index)
    }
}

impl FromStr for Krn {
    type Err = KrnError;

    fn from_str(text: &str) -> Result<Self, KrnError> {
        let krn = Self::opaque(text)?;
        if text.starts_with("krn:") { Ok(krn) } else { Err(KrnError::NotKrn) }
    }
}

impl fmt::Display for Krn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Krn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An unknown form may be a token of a later release.
        if self.kind.is_secret() || (self.kind == KrnKind::Unknown && self.text.len() > ID_LENGTH_MAX) {
            write!(f, "{:?}(…)", self.kind)
        } else {
            f.write_str(&self.text)
        }
    }
}

impl PartialEq for Krn {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for Krn {}
impl std::hash::Hash for Krn {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}
impl PartialOrd for Krn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Krn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}
impl AsRef<str> for Krn {
    fn as_ref(&self) -> &str {
        &self.text
    }
}
impl Serialize for Krn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de> Deserialize<'de> for Krn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Krn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an identifier")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Krn, E> {
                Krn::opaque(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Where a payment lives: the third segment of its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    Eu1,
    Us1,
    Ap1,
}

impl Region {
    /// RULINGS 1.5: us1 for USD, CAD, MXN; ap1 for AUD, NZD; else eu1.
    pub fn for_currency(currency: &Currency) -> Self {
        match currency.code() {
            "USD" | "CAD" | "MXN" => Self::Us1,
            "AUD" | "NZD" => Self::Ap1,
            _ => Self::Eu1,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eu1 => "eu1",
            Self::Us1 => "us1",
            Self::Ap1 => "ap1",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Region {
    type Err = KrnError;

    fn from_str(text: &str) -> Result<Self, KrnError> {
        match text {
            "eu1" => Ok(Self::Eu1),
            "us1" => Ok(Self::Us1),
            "ap1" => Ok(Self::Ap1),
            _ => Err(KrnError::NotKrn),
        }
    }
}

/// A newtype around [`Krn`] per kind. `FromStr` refuses every other kind; `Deserialize` and `opaque` keep unseen forms.
macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident: $kind:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        #[serde(transparent)]
        pub struct $name(Krn);

        impl $name {
            pub const KIND: KrnKind = KrnKind::$kind;
            pub fn krn(&self) -> &Krn { &self.0 }
            pub fn as_str(&self) -> &str { self.0.as_str() }
            /// Keeps an unseen form; refuses what is known to be another kind.
            pub fn opaque(text: &str) -> Result<Self, KrnError> { Self::try_from(Krn::opaque(text)?) }
            /// The UUID at the end of the id, where the form has one (a capture's is its transaction's).
            pub fn uuid(&self) -> Option<Uuid> { uuid_of(&self.0) }
        }
        impl TryFrom<Krn> for $name {
            type Error = KrnError;
            fn try_from(krn: Krn) -> Result<Self, KrnError> {
                match krn.kind() {
                    KrnKind::$kind | KrnKind::Unknown => Ok(Self(krn)),
                    got => Err(KrnError::WrongKind { wanted: KrnKind::$kind, got }),
                }
            }
        }
        impl FromStr for $name {
            type Err = KrnError;
            fn from_str(text: &str) -> Result<Self, KrnError> {
                let krn: Krn = text.parse()?;
                if krn.kind() == KrnKind::$kind { Ok(Self(krn)) }
                else { Err(KrnError::WrongKind { wanted: KrnKind::$kind, got: krn.kind() }) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::try_from(Krn::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if KrnKind::$kind.is_secret() { f.write_str(concat!(stringify!($name), "(…)")) }
                else { fmt::Debug::fmt(&self.0, f) }
            }
        }
        impl AsRef<str> for $name { fn as_ref(&self) -> &str { self.as_str() } }
        impl From<$name> for Krn { fn from(id: $name) -> Krn { id.0 } }
    )* };
}

typed_ids! {
    /// Ours: the sheets show no form for it.
    AccessPolicyId: AccessPolicy;
    /// A payment acquiring account: where an AP's settlements gather.
    AcquiringAccountId: AcquiringAccount;
    BrandId: Brand;
    /// A Partner business entity.
    BusinessEntityId: BusinessEntity;
    /// Ours: the sheets show no form for it.
    ComplianceDecisionId: ComplianceDecision;
    /// Of the oldest generation, from a request in `PENDING_CONFIRMATION`.
    ConfirmationToken: ConfirmationToken;
    CredentialId: Credential;
    /// A stored customer. Secret.
    CustomerToken: CustomerToken;
    DisputeAttachmentId: DisputeAttachment;
    DisputeId: Dispute;
    DistributionProfileId: DistributionProfile;
    PartnerAccountId: PartnerAccount;
    /// Ours: the sheets show no form for it.
    PartnerAccountRelationshipId: PartnerAccountRelationship;
    PaymentAccountId: PaymentAccount;
    PaymentCaptureId: PaymentCapture;
    PaymentChargebackId: PaymentChargeback;
    /// A payment product; `product_instance_id` in webhooks.
    PaymentProductId: PaymentProduct;
    PaymentProfileId: PaymentProfile;
    PaymentProgramEnablementId: PaymentProgramEnablement;
    PaymentProgramId: PaymentProgram;
    PaymentProgramPlanId: PaymentProgramPlan;
    PaymentRefundId: PaymentRefund;
    PaymentRequestId: PaymentRequest;
    /// A handle on a completed request's grant. Secret.
    PaymentToken: PaymentToken;
    PaymentTransactionId: PaymentTransaction;
    /// Ours: the sheets show no form for it.
    PortalDeepLinkId: PortalDeepLink;
    PricePlanId: PricePlan;
    /// `klarna_network_session_token`, older `interoperability_token`. Secret.
    SessionToken: SessionToken;
    SettlementId: Settlement;
    ShoppingSessionId: ShoppingSession;
    SigningKeyId: SigningKey;
    StoreGroupId: StoreGroup;
    StoreId: Store;
    WebhookId: Webhook;
}

fn uuid_of(krn: &Krn) -> Option<Uuid> {
    let index = match krn.kind() {
        KrnKind::PaymentCapture | KrnKind::PaymentRefund | KrnKind::PaymentChargeback => 4,
        _ => return krn.as_str().rsplit(':').next().and_then(|last| Uuid::parse_str(last).ok()),
    };
    krn.segment(index).and_then(|segment| Uuid::parse_str(segment).ok())
}

/// `new(Uuid)` for kinds whose form is a fixed prefix and a UUID (RULINGS 1.5).
macro_rules! uuid_ids {
    ($($name:ident = $prefix:literal;)*) => { $(
        impl $name {
            pub fn new(id: Uuid) -> Self {
                Self(Krn::produced(format!(concat!($prefix, ":{}"), id), KrnKind::of(concat!($prefix, ":-"))))
            }
        }
    )* };
}

uuid_ids! {
    AccessPolicyId = "krn:partner:global:account:access-policy";
    AcquiringAccountId = "krn:partner:global:account:acquiring-account";
    BrandId = "krn:partner:global:account:brand";
    BusinessEntityId = "krn:partner:global:account:partner-business-entity";
    ComplianceDecisionId = "krn:partner:global:account:compliance-decision";
    DistributionProfileId = "krn:partner:global:account:distribution-profile";
    PartnerAccountRelationshipId = "krn:partner:global:account:partner-account-relationship";
    PaymentAccountId = "krn:partner:global:account:payment-account";
    PaymentProductId = "krn:partner:product:payment";
    PaymentProfileId = "krn:network:global:test:payment-profile";
    PaymentProgramEnablementId = "krn:partner:global:account:payment-program-enablement";
    PaymentProgramId = "krn:network:global:all:payment:payment-program";
    PaymentProgramPlanId = "krn:network:global:all:payment:payment-program-plan";
    PortalDeepLinkId = "krn:partner:global:account:portal-deep-link";
    PricePlanId = "krn:partner:global:payment:price-plan";
    SettlementId = "krn:partner:global:settlement";
    SigningKeyId = "krn:partner:global:notification:signing-key";
    StoreGroupId = "krn:partner:global:account:store-group";
    StoreId = "krn:partner:global:account:store";
    WebhookId = "krn:partner:global:notification:webhook";
}

impl PartnerAccountId {
    /// `krn:partner:global:account:test:{id}`; `id` is eight of A to Z, 0 to 9.
    pub fn new_test(id: &str) -> Self {
        Self(Krn::produced(format!("krn:partner:global:account:test:{id}"), KrnKind::PartnerAccount))
    }

    /// The last segment, as in `MQ7R2T9A`.
    pub fn short(&self) -> &str {
        self.as_str().rsplit(':').next().unwrap_or_default()
    }

    /// Whether the account is a live one; unknown forms are not.
    pub fn is_live(&self) -> bool {
        self.0.segment(4) == Some("live")
    }
}

impl CredentialId {
    pub fn api_key(id: Uuid) -> Self {
        Self::of("api-key", id)
    }
    pub fn client_identifier(id: Uuid) -> Self {
        Self::of("client-identifier", id)
    }
    pub fn client_certificate(id: Uuid) -> Self {
        Self::of("client-certificate", id)
    }
    pub fn sftp(id: Uuid) -> Self {
        Self::of("sftp", id)
    }

    /// The sort of credential: `api-key`, `client-identifier`, `client-certificate` or `sftp`.
    pub fn credential_type(&self) -> Option<&str> {
        self.0.segment(5)
    }

    fn of(sort: &str, id: Uuid) -> Self {
        Self(Krn::produced(format!("krn:partner:global:account:credential:{sort}:{id}"), KrnKind::Credential))
    }
}

impl PaymentRequestId {
    pub fn new(region: Region, id: Uuid) -> Self {
        Self(Krn::produced(format!("krn:payment:{region}:request:{id}"), KrnKind::PaymentRequest))
    }
}

impl PaymentTransactionId {
    pub fn new(region: Region, id: Uuid) -> Self {
        Self(Krn::produced(format!("krn:payment:{region}:transaction:{id}"), KrnKind::PaymentTransaction))
    }
}

impl ConfirmationToken {
    pub fn new(region: Region, id: Uuid) -> Self {
        Self(Krn::produced(format!("krn:payment:{region}:confirmation-token:{id}"), KrnKind::ConfirmationToken))
    }
}

impl ShoppingSessionId {
    pub fn new(region: Region, id: Uuid) -> Self {
        Self(Krn::produced(format!("krn:shopping:{region}:test:session:{id}"), KrnKind::ShoppingSession))
    }
}

impl PaymentToken {
    pub fn new(region: Region, id: Uuid) -> Self {
        Self(Krn::produced(format!("krn:payment:{region}:payment-token:{id}"), KrnKind::PaymentToken))
    }
}

/// Captures, refunds and chargebacks are numbered under their transaction.
macro_rules! numbered_ids {
    ($($name:ident = $segment:literal;)*) => { $(
        impl $name {
            /// The `number`-th of its transaction, counted from 1.
            pub fn new(transaction: &PaymentTransactionId, number: u32) -> Self {
                let text = format!(concat!("{}:", $segment, ":{}"), transaction, number);
                // A transaction of an unseen form gives a capture of an unseen form.
                let kind = KrnKind::of(&text);
                Self(Krn { text: text.into(), kind })
            }

            /// The transaction it belongs to; `None` for unseen forms.
            pub fn transaction(&self) -> Option<PaymentTransactionId> {
                self.split()?.0.parse().ok()
            }

            /// Its number within the transaction; `None` for unseen forms.
            pub fn number(&self) -> Option<u32> {
                self.split()?.1.parse().ok()
            }

            fn split(&self) -> Option<(&str, &str)> {
                self.as_str().rsplit_once(concat!(":", $segment, ":"))
            }
        }
    )* };
}

numbered_ids! {
    PaymentCaptureId = "capture";
    PaymentChargebackId = "chargeback";
    PaymentRefundId = "refund";
}

impl DisputeId {
    /// `number` is the case number; its length is Klarna's affair.
    pub fn new(region: Region, number: u64) -> Self {
        Self(Krn::produced(format!("krn:network:{region}:test:payment:dispute:{number}"), KrnKind::Dispute))
    }
}

impl DisputeAttachmentId {
    pub fn new(dispute: &DisputeId, number: u32) -> Self {
        let text = format!("{dispute}:attachment:{number}");
        let kind = KrnKind::of(&text);
        Self(Krn { text: text.into(), kind })
    }
}

impl SessionToken {
    /// `jwt` is a compact JWS; the whole stays under 1,500 characters (RULINGS 1.5), which is the caller's to keep.
    pub fn new(region: Region, jwt: &str) -> Self {
        Self(Krn::produced(format!("krn:network:{region}:test:session-token:{jwt}"), KrnKind::SessionToken))
    }

    /// What follows the last colon: the JWS in the forms that carry one. Not checked here.
    pub fn jwt(&self) -> &str {
        self.as_str().rsplit(':').next().unwrap_or_default()
    }
}

impl CustomerToken {
    /// `secret` is 32 letters and digits.
    pub fn new(region: Region, secret: &str) -> Self {
        Self(Krn::produced(
            format!("krn:partner:{region}:test:identity:customer-token:{secret}"),
            KrnKind::CustomerToken,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const U: &str = "0b0e8d5e-1111-4a2b-9c3d-000000000001";

    fn uuid() -> Uuid {
        U.parse().unwrap()
    }

    #[test]
    fn every_accepted_spelling_finds_its_kind() {
        use KrnKind::*;
        let spellings = [
            ("partner:global:account:live:LWT2XJSE", PartnerAccount),
            ("partner:global:account:test:MQ7R2T9A", PartnerAccount),
            ("partner:global:account:acquiring-account:7Q2M", AcquiringAccount),
            ("partner:global:payment-acquiring-account:U", AcquiringAccount),
            ("network:global:test:payment-acquiring-account:U", AcquiringAccount),
            ("partner:global:account:brand:U", Brand),
            ("partner:global:account:partner-business-entity:U", BusinessEntity),
            ("partner:global:account:compliance-decision:U", ComplianceDecision),
            ("payment:eu1:confirmation-token:U", ConfirmationToken),
            ("partner:global:account:credential:api-key:U", Credential),
            ("partner:us1:live:identity:customer-token:abc", CustomerToken),
            ("customer-token:eu1:abc", CustomerToken),
            ("network:us1:live:payment:dispute:123456", Dispute),
            ("payment:eu1:dispute:unauthorized:1", Dispute),
            ("network:us1:live:payment:dispute:123456:attachment:1", DisputeAttachment),
            ("partner:global:account:distribution-profile:U", DistributionProfile),
            ("partner:global:account:payment-account:U", PaymentAccount),
            ("partner:global:payment-account:live:U", PaymentAccount),
            ("payment:eu1:transaction:U:capture:1", PaymentCapture),
            ("payment:eu1:transaction:U:chargeback:1", PaymentChargeback),
            ("partner:global:account:payment-product:U", PaymentProduct),
            ("partner:global:account:product:payment:U", PaymentProduct),
            ("partner:product:payment:U", PaymentProduct),
            ("partner:global:account:payment-profile:U", PaymentProfile),
            ("network:global:test:payment-profile:U", PaymentProfile),
            ("network:global:all:payment:payment-program:U", PaymentProgram),
            ("network:global:all:payment:payment-program-plan:U", PaymentProgramPlan),
            ("partner:global:account:payment-program-enablement:U", PaymentProgramEnablement),
            ("payment:eu1:transaction:U:refund:1", PaymentRefund),
            ("payment:ap1:request:U", PaymentRequest),
            ("payment:eu1:payment-token:U", PaymentToken),
            ("payment:eu1:transaction:U", PaymentTransaction),
            ("payment:eu1:authorization:U", PaymentTransaction),
            ("partner:global:account:portal-deep-link:U", PortalDeepLink),
            ("partner:global:payment:price-plan:U", PricePlan),
            ("partner:global:price-plan:U", PricePlan),
            ("payment:eu1:klarna-network-session-token:a:b:c", SessionToken),
            ("network:us1:interoperability:eyJ.e.s", SessionToken),
            ("network:eu1:test:session-token:eyJ.e.s", SessionToken),
            ("partner:global:settlement:s-20260504-eur", Settlement),
            ("shopping:eu1:session:U", ShoppingSession),
            ("shopping:eu1:live:session:U", ShoppingSession),
            ("partner:global:notification:signing-key:U", SigningKey),
            ("partner:global:account:store:U", Store),
            ("partner:global:account:store-group:U", StoreGroup),
            ("partner:global:notification:webhook:U", Webhook),
            ("network:us1:live:payment:dispute:123456:attachment:1:2", Unknown),
            ("test:us1:test", Unknown),
            ("payment:eu1:request", Unknown),
            ("payment:eu1:request:U:V", Unknown),
            ("payment::request:U", Unknown),
        ];
        for (text, kind) in spellings {
            let krn: Krn = format!("krn:{text}").parse().unwrap();
            assert_eq!(krn.kind(), kind, "{text}");
        }
    }

    #[test]
    fn produced_forms_are_those_of_the_rulings() {
        let transaction = PaymentTransactionId::new(Region::Us1, uuid());
        let capture = PaymentCaptureId::new(&transaction, 12);
        let dispute = DisputeId::new(Region::Eu1, 9001);
        let produced = [
            (PartnerAccountId::new_test("MQ7R2T9A").to_string(), "krn:partner:global:account:test:MQ7R2T9A".to_owned()),
            (PaymentAccountId::new(uuid()).to_string(), format!("krn:partner:global:account:payment-account:{U}")),
            (AcquiringAccountId::new(uuid()).to_string(), format!("krn:partner:global:account:acquiring-account:{U}")),
            (CredentialId::api_key(uuid()).to_string(), format!("krn:partner:global:account:credential:api-key:{U}")),
            (CredentialId::sftp(uuid()).to_string(), format!("krn:partner:global:account:credential:sftp:{U}")),
            (PaymentProfileId::new(uuid()).to_string(), format!("krn:network:global:test:payment-profile:{U}")),
            (PaymentProductId::new(uuid()).to_string(), format!("krn:partner:product:payment:{U}")),
            (PricePlanId::new(uuid()).to_string(), format!("krn:partner:global:payment:price-plan:{U}")),
            (PaymentRequestId::new(Region::Ap1, uuid()).to_string(), format!("krn:payment:ap1:request:{U}")),
            (transaction.to_string(), format!("krn:payment:us1:transaction:{U}")),
            (capture.to_string(), format!("krn:payment:us1:transaction:{U}:capture:12")),
            (
                SessionToken::new(Region::Eu1, "a.b.c").to_string(),
                "krn:network:eu1:test:session-token:a.b.c".to_owned(),
            ),
            (dispute.to_string(), "krn:network:eu1:test:payment:dispute:9001".to_owned()),
            (
                DisputeAttachmentId::new(&dispute, 1).to_string(),
                "krn:network:eu1:test:payment:dispute:9001:attachment:1".to_owned(),
            ),
            (SigningKeyId::new(uuid()).to_string(), format!("krn:partner:global:notification:signing-key:{U}")),
        ];
        for (got, wanted) in produced {
            assert_eq!(got, wanted);
            assert!(got.parse::<Krn>().is_ok_and(|krn| krn.kind() != KrnKind::Unknown), "{got}");
        }
        assert_eq!(capture.transaction(), Some(transaction.clone()));
        assert_eq!((capture.number(), capture.uuid(), transaction.uuid()), (Some(12), Some(uuid()), Some(uuid())));
        assert_eq!(SessionToken::new(Region::Eu1, "a.b.c").jwt(), "a.b.c");
        assert_eq!(CredentialId::client_identifier(uuid()).credential_type(), Some("client-identifier"));
    }

    #[test]
    fn an_id_of_another_kind_is_refused_and_one_of_no_kind_too() {
        let transaction = PaymentTransactionId::new(Region::Eu1, uuid()).to_string();
        let wrong = KrnError::WrongKind { wanted: KrnKind::PaymentRequest, got: KrnKind::PaymentTransaction };
        assert_eq!(transaction.parse::<PaymentRequestId>(), Err(wrong));
        for text in ["krn:payment:eu1:something:1", U, "", "krn:payment:eu1:request:a b", "krn:payment:eu1:request:ä"]
        {
            assert!(text.parse::<PaymentRequestId>().is_err(), "{text}");
        }
        assert!(PaymentRequestId::opaque("krn:payment:eu1:something:1").is_ok());
        assert!(PaymentRequestId::opaque(&transaction).is_err());
    }

    #[test]
    fn lengths_are_bounded_by_kind() {
        let id = format!("krn:payment:eu1:request:{}", "x".repeat(231));
        assert_eq!(id.len(), 255);
        assert!(id.parse::<PaymentRequestId>().is_ok());
        assert_eq!(format!("{id}x").parse::<Krn>(), Err(KrnError::TooLong { max: 255 }));
        assert!(SessionToken::new(Region::Eu1, &"x".repeat(5000)).as_str().parse::<SessionToken>().is_ok());
        assert!(Krn::opaque(&"x".repeat(8193)).is_err());
    }

    #[test]
    fn debug_hides_what_grants_something() {
        let hidden = [
            format!("{:?}", CustomerToken::new(Region::Eu1, "sesame")),
            format!("{:?}", SessionToken::new(Region::Eu1, "sesame")),
            format!("{:?}", PaymentToken::opaque("krn:payment:eu1:payment-token:sesame").unwrap()),
            format!("{:?}", SessionToken::opaque("sesame").unwrap()),
            format!("{:?}", Krn::opaque(&"sesame".repeat(100)).unwrap()),
        ];
        assert!(hidden.iter().all(|text| !text.contains("sesame")), "{hidden:?}");
        assert!(format!("{:?}", WebhookId::new(uuid())).contains(U));
    }

    #[test]
    fn regions_follow_currencies() {
        let region = |code: &str| Region::for_currency(&code.parse().unwrap());
        assert_eq!(["USD", "CAD", "MXN"].map(region), [Region::Us1; 3]);
        assert_eq!(["AUD", "NZD"].map(region), [Region::Ap1; 2]);
        assert_eq!(["EUR", "GBP", "SEK", "JPY"].map(region), [Region::Eu1; 4]);
    }
}
