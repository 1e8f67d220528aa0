//! A Partner account: where it stands, and what time does to it. Pure.

use kit::clock::SECOND_US;
use kit::http::ApiError;

use crate::operation::{conflict, forbidden};

/// From onboarding to OPERATIONAL, in microseconds. Ours (RULINGS §2): "within seconds".
const SETUP_US: i64 = 2 * SECOND_US;
/// The same for a slow one. Ours (fact sheet 02 §2.7).
const SLOW_SETUP_US: i64 = 60 * SECOND_US;
/// From onboarding to the decision that a persona provokes. Ours (fact sheet 02 §2.7).
const DECISION_US: i64 = 10 * SECOND_US;

/// Where a Partner account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Can be paid, cannot be managed yet.
    PartiallyOperational,
    /// Can be paid and managed.
    Operational,
    /// Neither, by Klarna alone.
    Disabled,
}

impl AccountState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PartiallyOperational => "PARTIALLY_OPERATIONAL",
            Self::Operational => "OPERATIONAL",
            Self::Disabled => "DISABLED",
        }
    }

    pub(super) fn stored(text: &str) -> Self {
        match text {
            "PARTIALLY_OPERATIONAL" => Self::PartiallyOperational,
            "DISABLED" => Self::Disabled,
            _ => Self::Operational,
        }
    }

    /// Whether anything of the account may be changed now.
    ///
    /// # Errors
    /// 409 before the account is OPERATIONAL (RULINGS 1.6), 403 while it is DISABLED (ours).
    pub fn require_manageable(self) -> Result<(), ApiError> {
        match self {
            Self::Operational => Ok(()),
            Self::PartiallyOperational => {
                Err(conflict("The Partner account is not OPERATIONAL yet. Wait for the event, then repeat."))
            }
            Self::Disabled => Err(forbidden("The Partner account is disabled by Klarna.")),
        }
    }
}

/// What the screening makes of a new Partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Screening {
    /// When the account will be OPERATIONAL; `None` for never.
    pub operational_at: Option<i64>,
    /// Which decision will follow, and when.
    pub decision: Option<(&'static str, i64)>,
}

/// A Partner that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;

/// Screens a new Partner. Invented outcomes are asked for by the end of `partner_account_reference`, without case (fact sheet 02
/// §2.7); several can be combined: `shop-1+slow+fraud`. All others pass.
///
/// # Errors
/// [`Rejected`] for `+reject`.
pub fn screen(reference: &str, now: i64) -> Result<Screening, Rejected> {
    let reference = reference.to_lowercase();
    let mut screening = Screening { operational_at: Some(now + SETUP_US), decision: None };
    for persona in reference.split('+').skip(1) {
        let decision = match persona {
            "reject" => return Err(Rejected),
            "slow" => {
                screening.operational_at = Some(now + SLOW_SETUP_US);
                continue;
            }
            "stuck" => {
                screening.operational_at = None;
                continue;
            }
            "fraud" => "FRAUDULENT_BEHAVIOUR",
            "prohibited" => "PROHIBITED_OR_RESTRICTED_SEGMENT",
            "noncompliant" => "NON_COMPLIANT",
            "otherrisk" => "OTHER_RISK",
            _ => continue,
        };
        screening.decision = Some((decision, now + DECISION_US));
    }
    Ok(screening)
}

/// What time alone does to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its setup is done.
    Operational {
        /// When, in microseconds UTC.
        at: i64,
    },
    /// Klarna has decided.
    Decision {
        /// When, in microseconds UTC.
        at: i64,
        /// What.
        decision_type: String,
    },
}

impl Due {
    /// When, in microseconds UTC.
    pub fn at(&self) -> i64 {
        match self {
            Self::Operational { at } | Self::Decision { at, .. } => *at,
        }
    }
}

/// What is ahead of an account, the next thing first.
pub fn ahead(state: AccountState, operational_at: Option<i64>, decision: Option<(i64, &str)>) -> Vec<Due> {
    let operational = operational_at.filter(|_| state == AccountState::PartiallyOperational);
    let decision = decision.map(|(at, decision_type)| Due::Decision { at, decision_type: decision_type.to_owned() });
    let mut ahead: Vec<Due> = operational.map(|at| Due::Operational { at }).into_iter().chain(decision).collect();
    ahead.sort_by_key(Due::at);
    ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_reference_asks_for_an_outcome() {
        let plain = screen("shop-1", 0).unwrap();
        assert_eq!(plain, Screening { operational_at: Some(SETUP_US), decision: None });
        assert_eq!(screen("shop-1+other", 0).unwrap(), plain);
        assert_eq!(screen("fraud", 0).unwrap(), plain, "only after a plus");
        assert_eq!(screen("shop-1+SLOW", 0).unwrap().operational_at, Some(SLOW_SETUP_US));
        assert_eq!(screen("shop-1+stuck", 0).unwrap().operational_at, None);
        assert_eq!(screen("shop-1+Fraud", 0).unwrap().decision, Some(("FRAUDULENT_BEHAVIOUR", DECISION_US)));
        let both = screen("shop-1+slow+otherrisk", 0).unwrap();
        assert_eq!(
            both,
            Screening { operational_at: Some(SLOW_SETUP_US), decision: Some(("OTHER_RISK", DECISION_US)) }
        );
        assert_eq!(screen("shop-1+reject", 0), Err(Rejected));
    }

    #[test]
    fn what_is_ahead_comes_in_order_and_setup_ends_once() {
        use AccountState::{Operational, PartiallyOperational};
        let decision = Due::Decision { at: 5, decision_type: "D".to_owned() };
        assert_eq!(
            ahead(PartiallyOperational, Some(2), Some((5, "D"))),
            [Due::Operational { at: 2 }, decision.clone()]
        );
        assert_eq!(
            ahead(PartiallyOperational, Some(9), Some((5, "D"))),
            [decision.clone(), Due::Operational { at: 9 }]
        );
        assert_eq!(ahead(Operational, Some(2), Some((5, "D"))), [decision]);
        assert!(ahead(Operational, Some(2), None).is_empty());
    }

    #[test]
    fn only_an_operational_account_is_managed() {
        assert!(AccountState::Operational.require_manageable().is_ok());
        assert_eq!(AccountState::PartiallyOperational.require_manageable().unwrap_err().status, 409);
        assert_eq!(AccountState::Disabled.require_manageable().unwrap_err().status, 403);
        for state in [AccountState::PartiallyOperational, AccountState::Operational, AccountState::Disabled] {
            assert_eq!(AccountState::stored(state.as_str()), state);
        }
    }
}
