//! The present framework: one round of evidence, a preliminary decision, and an appeal against it (sheet 05 §3.5).

use kit::clock::{DAY_US, HOUR_US};
use protocol::{DisputeReason, EventType};

use super::case::{Course, Event, Times};

/// How long the Partner has for its evidence.
pub const EVIDENCE_US: i64 = 21 * DAY_US;
/// The same when the customer denies the purchase.
pub const EVIDENCE_UNAUTHORIZED_US: i64 = 7 * DAY_US;
/// The same when Klarna wants a risky purchase stopped.
pub const EVIDENCE_HIGH_RISK_US: i64 = 96 * HOUR_US;
/// How long Klarna reviews.
pub const REVIEW_US: i64 = 30 * DAY_US;
/// How long the preliminary decision can be appealed.
pub const APPEAL_US: i64 = 10 * DAY_US;
/// How long Klarna arbitrates.
pub const ARBITRATION_US: i64 = 30 * DAY_US;
/// Steps of cases that a test customer's address brought about are taken after this time. Ours.
pub const SOON_US: i64 = 5 * kit::clock::SECOND_US;

/// Where a case of this framework stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Klarna waits for the Partner's evidence.
    Initiated,
    /// Klarna reviews it.
    Representment,
    /// The preliminary decision is against the Partner, who may appeal.
    PreArbitration,
    /// Klarna hears the appeal.
    Arbitration,
    /// Decided.
    Closed,
}

impl State {
    /// Every state, in the order of a case's life.
    pub const ALL: [Self; 5] =
        [Self::Initiated, Self::Representment, Self::PreArbitration, Self::Arbitration, Self::Closed];

    /// The state machine; `None` for what it does not draw.
    pub fn next(self, event: Event) -> Option<Self> {
        use Event::*;
        use State::*;
        match (self, event) {
            (Initiated, Answered) => Some(Representment),
            (Initiated, Lapsed | LossAccepted | Rejected) => Some(Closed),
            (Representment, FoundForPartner) => Some(Closed),
            (Representment, FoundForCustomer) => Some(PreArbitration),
            (PreArbitration, Appealed) => Some(Arbitration),
            (PreArbitration, Lapsed | LossAccepted) => Some(Closed),
            (Arbitration, FoundForPartner | FoundForCustomer) => Some(Closed),
            (Initiated | Representment | PreArbitration | Arbitration, Withdrawn | Resolved) => Some(Closed),
            (
                Initiated | Representment | PreArbitration | Arbitration | Closed,
                Escalated | EvidenceRequested | Answered | Lapsed | FoundForPartner | FoundForCustomer
                | AppealWindowOpened | Appealed | LossAccepted | Withdrawn | Resolved | Rejected,
            ) => None,
        }
    }

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "INITIATED",
            Self::Representment => "REPRESENTMENT",
            Self::PreArbitration => "PRE_ARBITRATION",
            Self::Arbitration => "ARBITRATION",
            Self::Closed => "CLOSED",
        }
    }

    /// What is told when a case comes here.
    pub fn event_type(self) -> EventType {
        match self {
            Self::Initiated => EventType::PaymentDisputeInitiated,
            Self::Representment => EventType::PaymentDisputeRepresentment,
            Self::PreArbitration => EventType::PaymentDisputePreArbitration,
            Self::Arbitration => EventType::PaymentDisputeArbitration,
            Self::Closed => EventType::PaymentDisputeClosed,
        }
    }

    /// How long a case stays here by itself.
    pub(super) fn times(self, reason: &DisputeReason, course: Course) -> Times {
        let review = if course == Course::Usual { None } else { Some(SOON_US) };
        match self {
            Self::Initiated => {
                let patience = match reason {
                    DisputeReason::PurchaseUnauthorized => EVIDENCE_UNAUTHORIZED_US,
                    DisputeReason::PurchaseHighRisk => EVIDENCE_HIGH_RISK_US,
                    _ => EVIDENCE_US,
                };
                match course {
                    Course::LoseOnExpiry => Times::until(SOON_US),
                    Course::AcceptLoss => Times { deadline: Some(patience), due: Some(SOON_US) },
                    _ => Times::until(patience),
                }
            }
            Self::Representment => Times::silently(review.unwrap_or(REVIEW_US)),
            Self::PreArbitration if course == Course::WindowExpires => Times::until(SOON_US),
            Self::PreArbitration => Times::until(APPEAL_US),
            Self::Arbitration => Times::silently(review.unwrap_or(ARBITRATION_US)),
            Self::Closed => Times::NEVER,
        }
    }

    /// What time brings about here.
    pub(super) fn when_due(self, course: Course) -> Option<Event> {
        match self {
            Self::Initiated if course == Course::AcceptLoss => Some(Event::LossAccepted),
            Self::Initiated | Self::PreArbitration => Some(Event::Lapsed),
            // Ours: evidence convinces, unless the course or the control of the test environment says otherwise.
            Self::Representment => Some(match course {
                Course::Usual | Course::WinOnEvidence | Course::LoseOnExpiry | Course::AcceptLoss => {
                    Event::FoundForPartner
                }
                Course::WindowExpires | Course::LoseAfterArbitration | Course::WinAfterArbitration => {
                    Event::FoundForCustomer
                }
            }),
            // Ours: arbitration confirms what was found before.
            Self::Arbitration if course == Course::WinAfterArbitration => Some(Event::FoundForPartner),
            Self::Arbitration => Some(Event::FoundForCustomer),
            Self::Closed => None,
        }
    }
}
