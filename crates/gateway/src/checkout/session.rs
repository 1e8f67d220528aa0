//! A checkout session and what may become of it. Pure: `now` is an argument.

use protocol::open_enum;

use crate::payments::payment::PaymentState;
use crate::payments::record::Payment;

/// Payments that may be made in one session, one after the other.
pub const ATTEMPTS_MAX: i64 = 10;

open_enum! {
    /// Where a session stands.
    pub enum SessionState {
        /// The customer may choose and pay.
        Open = "OPEN",
        /// The order is paid. Final.
        Completed = "COMPLETED",
        /// Time ran out. Final.
        Expired = "EXPIRED",
        /// The Partner, or the till, took it back. Final.
        Canceled = "CANCELED",
    }
}

/// What ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Klarna authorized its payment, or the Partner said that the order is paid in another way.
    Paid,
    /// Time ran out.
    TimeOver,
    /// The Partner, or the till, took it back.
    Canceled,
}

/// An end that comes too late.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a checkout session in {from} cannot take {end:?}")]
pub struct AlreadyOver {
    /// The state.
    pub from: SessionState,
    /// The end.
    pub end: End,
}

impl SessionState {
    /// The state after `end`.
    ///
    /// # Errors
    /// [`AlreadyOver`]: a session ends once.
    pub fn next(self, end: End) -> Result<Self, AlreadyOver> {
        use SessionState::{Canceled, Completed, Expired, Open, Unknown};
        match (self, end) {
            (Open, End::Paid) => Ok(Completed),
            (Open, End::TimeOver) => Ok(Expired),
            (Open, End::Canceled) => Ok(Canceled),
            (from @ (Completed | Expired | Canceled | Unknown(_)), end) => Err(AlreadyOver { from, end }),
        }
    }
}

/// How a session's last payment stands, as far as the session is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is none yet.
    None,
    /// Klarna's answer is outstanding, or the final authorization is under way.
    Underway,
    /// The customer is at Klarna, or left on the way.
    WithCustomer,
    /// Klarna authorized it.
    Paid,
    /// Klarna said no.
    Declined,
    /// It came to nothing in another way: canceled, expired, refused. No money moved.
    CameToNothing,
}

impl Standing {
    /// Of the last payment.
    pub fn of(payment: Option<&Payment>) -> Self {
        use PaymentState::{
            Authorized, Canceled, Captured, Closed, Declined, Expired, Failed, PartiallyCaptured, Pending,
            RequiresCustomerAction, Unknown, Voided,
        };
        let Some(payment) = payment else { return Self::None };
        match &payment.books.state {
            Pending => Self::Underway,
            RequiresCustomerAction => Self::WithCustomer,
            Authorized | PartiallyCaptured | Captured | Voided | Closed => Self::Paid,
            // An authorization that ran out had been one; a request that ran out had not.
            Expired if payment.books.told.authorized => Self::Paid,
            Declined => Self::Declined,
            Expired | Canceled | Failed => Self::CameToNothing,
            // Ours: what is not understood may be money that moved.
            Unknown(_) => Self::Underway,
        }
    }

    /// Whether another payment, or none, may take its place.
    pub fn is_free(self) -> bool {
        matches!(self, Self::None | Self::Declined | Self::CameToNothing)
    }
}

/// What a wish to pay comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// A new payment is made.
    New,
    /// There is one already, of another tab or click: it is gone on with.
    GoOn,
    /// It is too late, was tried too often, or the customer is paying in another way.
    Over,
}

/// Decides on a wish to pay with Klarna. `is_elsewhere`: the customer has left for the other method, and may be paying there at this
/// very moment. Until the choice is taken back, in whatever tab, Klarna takes nothing: an order is not paid twice.
pub fn begin(
    state: &SessionState,
    standing: Standing,
    is_elsewhere: bool,
    attempt: i64,
    expires_at: i64,
    now: i64,
) -> Begin {
    if *state != SessionState::Open {
        return Begin::Over;
    }
    match standing {
        Standing::Underway | Standing::WithCustomer | Standing::Paid => Begin::GoOn,
        Standing::None | Standing::Declined | Standing::CameToNothing if is_elsewhere => Begin::Over,
        Standing::None | Standing::Declined | Standing::CameToNothing if now >= expires_at => Begin::Over,
        Standing::None | Standing::Declined | Standing::CameToNothing if attempt >= ATTEMPTS_MAX => Begin::Over,
        Standing::None | Standing::Declined | Standing::CameToNothing => Begin::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDINGS: [Standing; 6] = [
        Standing::None,
        Standing::Underway,
        Standing::WithCustomer,
        Standing::Paid,
        Standing::Declined,
        Standing::CameToNothing,
    ];

    #[test]
    fn a_session_ends_once() {
        for end in [End::Paid, End::TimeOver, End::Canceled] {
            let ended = SessionState::Open.next(end).unwrap();
            for again in [End::Paid, End::TimeOver, End::Canceled] {
                assert!(ended.clone().next(again).is_err(), "{ended} {again:?}");
            }
        }
    }

    #[test]
    fn a_payment_that_may_still_move_money_is_never_joined_by_another() {
        for standing in STANDINGS {
            for (attempt, now) in [(0, 0), (ATTEMPTS_MAX, 0), (0, 10)] {
                let decided = begin(&SessionState::Open, standing, false, attempt, 10, now);
                assert_eq!(decided == Begin::GoOn, !standing.is_free(), "{standing:?}");
                assert_eq!(decided == Begin::New, standing.is_free() && attempt == 0 && now == 0, "{standing:?}");
            }
            for over in [SessionState::Completed, SessionState::Expired, SessionState::Canceled] {
                assert_eq!(begin(&over, standing, false, 0, 10, 0), Begin::Over);
            }
            let elsewhere = begin(&SessionState::Open, standing, true, 0, 10, 0);
            assert_eq!(elsewhere == Begin::Over, standing.is_free(), "{standing:?}: paid in another way, maybe");
        }
    }
}
