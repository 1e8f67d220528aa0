//! The older framework: customer and Partner have time to agree, then Klarna arbitrates (sheet 05 §3.7, RULINGS §3).

use kit::clock::DAY_US;
use protocol::{DisputeReason, EventType};

use super::case::{Event, Times};

/// How long customer and Partner have to agree before Klarna arbitrates.
pub const OPEN_US: i64 = 21 * DAY_US;
/// How long the Partner has for its evidence once Klarna asks for it.
pub const EVIDENCE_US: i64 = 14 * DAY_US;
/// How long Klarna looks at a case before it asks for evidence. Ours.
pub const ASKING_US: i64 = DAY_US;
/// How long Klarna reviews.
pub const REVIEW_US: i64 = 60 * DAY_US;
/// How long an appeal is possible. Ours: as in the newer framework.
pub const APPEAL_US: i64 = 10 * DAY_US;

/// Where a case of this framework stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Customer and Partner should agree.
    PreArbitration,
    /// Klarna looks at it.
    ArbitrationPending,
    /// Klarna waits for the Partner's evidence.
    MerchantEvidencePending,
    /// Klarna has decided and would hear an appeal.
    ArbitrationAppealOpen,
    /// Decided.
    Closed,
}

impl State {
    /// Every state, in the order of a case's life.
    pub const ALL: [Self; 5] = [
        Self::PreArbitration,
        Self::ArbitrationPending,
        Self::MerchantEvidencePending,
        Self::ArbitrationAppealOpen,
        Self::Closed,
    ];

    /// The state machine; `None` for what it does not draw.
    pub fn next(self, event: Event) -> Option<Self> {
        use Event::*;
        use State::*;
        match (self, event) {
            (PreArbitration, Escalated) => Some(ArbitrationPending),
            (ArbitrationPending, EvidenceRequested) => Some(MerchantEvidencePending),
            (MerchantEvidencePending, Answered | Lapsed) => Some(ArbitrationPending),
            (ArbitrationPending, AppealWindowOpened) => Some(ArbitrationAppealOpen),
            (ArbitrationPending | ArbitrationAppealOpen, FoundForPartner | FoundForCustomer) => Some(Closed),
            (ArbitrationAppealOpen, Lapsed) => Some(Closed),
            (PreArbitration | ArbitrationPending | MerchantEvidencePending, LossAccepted) => Some(Closed),
            (
                PreArbitration | ArbitrationPending | MerchantEvidencePending | ArbitrationAppealOpen,
                Withdrawn | Resolved,
            ) => Some(Closed),
            (
                PreArbitration | ArbitrationPending | MerchantEvidencePending | ArbitrationAppealOpen | Closed,
                Escalated | EvidenceRequested | Answered | Lapsed | FoundForPartner | FoundForCustomer
                | AppealWindowOpened | Appealed | LossAccepted | Withdrawn | Resolved | Rejected,
            ) => None,
        }
    }

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreArbitration => "PRE_ARBITRATION",
            Self::ArbitrationPending => "ARBITRATION_PENDING",
            Self::MerchantEvidencePending => "MERCHANT_EVIDENCE_PENDING",
            Self::ArbitrationAppealOpen => "ARBITRATION_APPEAL_OPEN",
            Self::Closed => "CLOSED",
        }
    }

    /// What is told when a case comes here.
    pub fn event_type(self) -> EventType {
        match self {
            Self::PreArbitration => EventType::PaymentDisputePreArbitration,
            Self::ArbitrationPending => EventType::PaymentDisputeArbitrationPending,
            Self::MerchantEvidencePending => EventType::PaymentDisputeMerchantEvidencePending,
            Self::ArbitrationAppealOpen => EventType::PaymentDisputeArbitrationAppealWindowOpen,
            Self::Closed => EventType::PaymentDisputeClosed,
        }
    }

    /// How long a case stays here by itself. `asked` says whether Klarna has asked for evidence before.
    pub(super) fn times(self, asked: bool) -> Times {
        match self {
            Self::PreArbitration => Times::until(OPEN_US),
            Self::ArbitrationPending => Times::silently(if asked { REVIEW_US } else { ASKING_US }),
            Self::MerchantEvidencePending => Times::until(EVIDENCE_US),
            Self::ArbitrationAppealOpen => Times::until(APPEAL_US),
            Self::Closed => Times::NEVER,
        }
    }

    /// What time brings about here. `asked` and `answered` are about Klarna's last request for evidence.
    pub(super) fn when_due(self, asked: bool, answered: bool) -> Option<Event> {
        match self {
            Self::PreArbitration => Some(Event::Escalated),
            Self::ArbitrationPending if !asked => Some(Event::EvidenceRequested),
            // Ours: who answered is right, who did not is not, unless the control of the test environment says otherwise.
            Self::ArbitrationPending if answered => Some(Event::FoundForPartner),
            Self::ArbitrationPending => Some(Event::FoundForCustomer),
            Self::MerchantEvidencePending | Self::ArbitrationAppealOpen => Some(Event::Lapsed),
            Self::Closed => None,
        }
    }
}

/// Cases with these reasons are not for customer and Partner to settle: Klarna arbitrates at once.
pub(super) fn escalates_at_once(reason: &DisputeReason) -> bool {
    matches!(reason, DisputeReason::PurchaseUnauthorized | DisputeReason::PurchaseHighRisk)
}
