//! The states of a Payment Transaction and of its funding. Pure.

use protocol::event::EventType;
use protocol::payments::{FundingState, TransactionState};

/// RULINGS §3 "Payment transaction".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Something is left to capture.
    Authorized,
    /// The authorization lapsed with something left.
    Expired,
    /// Nothing is left to capture; refunds are possible.
    Completed,
    /// Nothing more will happen.
    Closed,
}

/// What can happen to a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A capture that leaves something.
    CapturedPart,
    /// A capture, or a lowered amount, that leaves nothing.
    CapturedRest,
    /// The rest was let go, and nothing had been captured.
    VoidedAll,
    /// The rest was let go after captures.
    VoidedRest,
    /// Another amount, reference or address.
    Updated,
    /// A new or longer authorization.
    Reauthorized,
    /// Money went back to the customer.
    Refunded,
    /// A lost dispute took money back.
    ChargedBack,
    /// The authorization's time is over.
    AuthorizationLapsed,
    /// The time for renewing it is over, and something had been captured.
    RenewalLapsedCaptured,
    /// The time for renewing it is over, and nothing had been captured.
    RenewalLapsedUncaptured,
    /// The time for refunds is over.
    LifeOver,
}

/// An event that a state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment transaction is {from:?}: {event:?} is not possible")]
pub struct InvalidTransition {
    /// The state.
    pub from: State,
    /// What was tried.
    pub event: Event,
}

impl State {
    /// The state machine, as the documentation draws it.
    ///
    /// # Errors
    /// [`InvalidTransition`] for everything that it does not draw.
    pub fn next(self, event: Event) -> Result<State, InvalidTransition> {
        use Event::*;
        use State::*;
        match (self, event) {
            (Authorized, CapturedPart | Updated | Reauthorized) => Ok(Authorized),
            (Authorized, CapturedRest) => Ok(Completed),
            (Authorized, AuthorizationLapsed) => Ok(Expired),
            (Authorized | Expired, VoidedAll) => Ok(Closed),
            (Authorized | Expired, VoidedRest) => Ok(Completed),
            (Expired, Reauthorized) => Ok(Authorized),
            (Expired, RenewalLapsedCaptured) => Ok(Completed),
            (Expired, RenewalLapsedUncaptured) => Ok(Closed),
            (Completed, LifeOver) => Ok(Closed),
            (from @ (Authorized | Expired | Completed), Refunded | ChargedBack) => Ok(from),
            (from @ (Authorized | Expired | Completed | Closed), event) => Err(InvalidTransition { from, event }),
        }
    }

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorized => "AUTHORIZED",
            Self::Expired => "EXPIRED",
            Self::Completed => "COMPLETED",
            Self::Closed => "CLOSED",
        }
    }

    /// From [`State::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        [Self::Authorized, Self::Expired, Self::Completed, Self::Closed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// The wire type.
    pub fn wire(self) -> TransactionState {
        match self {
            Self::Authorized => TransactionState::Authorized,
            Self::Expired => TransactionState::Expired,
            Self::Completed => TransactionState::Completed,
            Self::Closed => TransactionState::Closed,
        }
    }

    pub(super) fn event_type(self) -> EventType {
        match self {
            Self::Authorized => EventType::PaymentTransactionAuthorized,
            Self::Expired => EventType::PaymentTransactionExpired,
            Self::Completed => EventType::PaymentTransactionCompleted,
            Self::Closed => EventType::PaymentTransactionClosed,
        }
    }
}

/// Whether the Acquiring Partner has its money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funding {
    /// Klarna pays whatever the customer does: funded from the beginning.
    Guaranteed,
    /// Not guaranteed: the customer's money is awaited.
    Pending,
    /// Not guaranteed: it has come.
    Funded,
    /// Not guaranteed: it did not come in time.
    Expired,
}

impl Funding {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guaranteed => "GUARANTEED",
            Self::Pending => "PENDING",
            Self::Funded => "FUNDED",
            Self::Expired => "EXPIRED",
        }
    }

    /// From [`Funding::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        [Self::Guaranteed, Self::Pending, Self::Funded, Self::Expired].into_iter().find(|state| state.as_str() == text)
    }

    /// The state on the wire.
    pub fn state(self) -> FundingState {
        match self {
            Self::Guaranteed | Self::Funded => FundingState::Funded,
            Self::Pending => FundingState::Pending,
            Self::Expired => FundingState::Expired,
        }
    }
}
