//! Where a Partner stands: what we want, what Klarna said, and the state that follows from both. Pure.

use protocol::EventType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Suspension;

/// The reasons that an Acquiring Partner gives; whatever is disabled for another reason was disabled by Klarna.
pub use protocol::shapes::accounts::DISABLE_REASONS;

const OURS: &str = "ACQUIRING_PARTNER";
const KLARNAS: &str = "KLARNA";

/// The state of a Partner, in our names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not handed in, or handed in and refused.
    Draft,
    /// Handed in; Klarna has not answered yet.
    Submitted,
    /// Klarna has it: it can be paid, and its data rest until Klarna is done.
    PartiallyOperational,
    /// It can be paid and managed.
    Operational,
    /// No new payments, by one side or the other.
    Suspended,
    /// Klarna ended it.
    Terminated,
    /// The Acquiring Partner ended it.
    Offboarded,
}

impl State {
    /// Every state's name.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::Submitted,
        Self::PartiallyOperational,
        Self::Operational,
        Self::Suspended,
        Self::Terminated,
        Self::Offboarded,
    ];

    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Submitted => "SUBMITTED",
            Self::PartiallyOperational => "PARTIALLY_OPERATIONAL",
            Self::Operational => "OPERATIONAL",
            Self::Suspended => "SUSPENDED",
            Self::Terminated => "TERMINATED",
            Self::Offboarded => "OFFBOARDED",
        }
    }
}

/// Why the Acquiring Partner suspended a Partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnSuspension {
    /// One of [`DISABLE_REASONS`].
    pub reason: String,
    /// In the operator's words; Klarna reads them.
    pub details: Option<String>,
    /// In microseconds UTC.
    pub at: i64,
}

/// Why Klarna did not take what it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Klarna's error code.
    pub code: String,
    /// Klarna's words.
    pub message: String,
    /// Fields at fault, in our names, and why.
    pub faults: Vec<(String, String)>,
    /// In microseconds UTC.
    pub at: i64,
}

/// What Klarna decided about a Partner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Klarna's id of it.
    pub id: Option<String>,
    /// `FRAUDULENT_BEHAVIOUR` and the like.
    pub decision_type: String,
}

/// What is known of the payment product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Klarna's id of it.
    pub id: String,
    /// `ENABLED`, `DISABLED`, `TERMINATED`.
    pub state: String,
    /// Whether it is Klarna who disabled it.
    pub by_klarna: bool,
    /// Why it is not enabled.
    pub reason: Option<String>,
    /// When that happened, in microseconds UTC: what happened before is old news.
    pub at: i64,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// When it was handed in, in microseconds UTC.
    pub submitted_at: Option<i64>,
    /// The last refusal, until what was refused is changed.
    pub refusal: Option<Refusal>,
    /// Its account at Klarna.
    pub account_id: Option<String>,
    /// The account's state there.
    pub account_state: Option<String>,
    /// Its payment product.
    pub product: Option<Product>,
    /// Klarna's last decision about it.
    pub decision: Option<Decision>,
    /// Our own suspension.
    pub own: Option<OwnSuspension>,
    /// When we ended it, in microseconds UTC.
    pub offboarded_at: Option<i64>,
    /// When both sides were compared last, in microseconds UTC.
    pub aligned_at: Option<i64>,
    /// Counts wishes for the product, so that each has an idempotency key of its own.
    pub turn: i64,
}

/// What should be done to the payment product at Klarna.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Take no new payments, and why.
    Disable {
        /// One of [`DISABLE_REASONS`].
        reason: String,
        /// The operator's words.
        details: Option<String>,
    },
    /// Take payments again.
    Enable,
}

/// Why a change of standing is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// An offboarded Partner stays so.
    #[error("This Partner is offboarded.")]
    Offboarded,
    /// What Klarna suspended, Klarna resumes.
    #[error("Klarna suspended this Partner; only Klarna can lift that.")]
    KlarnaOnly,
    /// There is nothing to suspend.
    #[error("This Partner was not submitted yet.")]
    NotSubmitted,
}

/// What Klarna told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The account's state.
    Account {
        /// `OPERATIONAL` and the like.
        state: String,
    },
    /// The payment product's state.
    Product {
        /// Its id, where it was told.
        id: Option<String>,
        /// `ENABLED` and the like.
        state: String,
        /// Why, if it is not enabled.
        reason: Option<String>,
        /// Whether a compliance decision stands behind it.
        is_decision: bool,
        /// When, in microseconds UTC.
        at: i64,
    },
    /// A decision.
    Decided(Decision),
}

impl News {
    /// What a webhook of a Partner says of its standing; `None` if it says nothing of that.
    pub fn of(event: &EventType, payload: &Value, at: i64) -> Option<Self> {
        let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
        let product = |state: &str| Self::Product {
            id: text("product_id"),
            state: text("state").unwrap_or_else(|| state.to_owned()),
            reason: text("reason").or_else(|| text("state_reason")),
            is_decision: payload.get("compliance_decision_id").is_some_and(|id| !id.is_null()),
            at,
        };
        match event {
            EventType::PartnerAccountOperational => Some(Self::Account { state: "OPERATIONAL".to_owned() }),
            EventType::PartnerAccountProductPaymentDisabled => Some(product("DISABLED")),
            EventType::PartnerAccountProductPaymentEnabled => Some(product("ENABLED")),
            EventType::PartnerComplianceDecisionCreated => Some(Self::Decided(Decision {
                id: text("decision_id"),
                decision_type: text("decision_type").unwrap_or_else(|| "OTHER_RISK".to_owned()),
            })),
            _ => None,
        }
    }
}

impl Standing {
    /// The state that follows. What ends a Partner counts before what suspends it, and Klarna's suspension is never hidden.
    pub fn state(&self) -> State {
        let product = self.product.as_ref().map(|product| product.state.as_str());
        if self.offboarded_at.is_some() {
            return State::Offboarded;
        }
        if product == Some("TERMINATED") {
            return State::Terminated;
        }
        if self.own.is_some() || product.is_some_and(|state| state != "ENABLED") {
            return State::Suspended;
        }
        match self.account_state.as_deref() {
            Some("OPERATIONAL") => State::Operational,
            Some("DISABLED") => State::Suspended,
            Some(_) => State::PartiallyOperational,
            None if self.submitted_at.is_some() && self.refusal.is_none() => State::Submitted,
            None => State::Draft,
        }
    }

    /// Who stands in the way of new payments, and why.
    pub fn suspension(&self) -> Option<Suspension> {
        let made =
            |by: &str, reason: Option<&str>| Some(Suspension { by: by.to_owned(), reason: reason.map(str::to_owned) });
        match self.state() {
            State::Draft | State::Submitted | State::PartiallyOperational | State::Operational => None,
            State::Offboarded => made(OURS, Some("OFFBOARDED")),
            State::Terminated | State::Suspended => {
                let product = self.product.as_ref().filter(|product| product.state != "ENABLED");
                let decided = || self.decision.as_ref().map(|decision| decision.decision_type.as_str());
                if let Some(product) = product.filter(|product| product.by_klarna || product.state == "TERMINATED") {
                    return made(KLARNAS, product.reason.as_deref().or_else(decided));
                }
                if self.account_state.as_deref() == Some("DISABLED") {
                    return made(KLARNAS, Some("ACCOUNT_DISABLED"));
                }
                let own = self.own.as_ref().map(|own| own.reason.as_str());
                made(OURS, own.or_else(|| product.and_then(|product| product.reason.as_deref())))
            }
        }
    }

    /// What a Partner can do about it.
    pub fn next_step(&self) -> &'static str {
        match (self.state(), self.suspension()) {
            (State::Draft, _) if self.refusal.is_some() => "Mend what was refused, and submit again.",
            (State::Draft, _) => "Complete the data, and submit them.",
            (State::Submitted, _) => "Wait: Klarna answers within seconds.",
            (State::PartiallyOperational | State::Operational, _) => "Payments can be made.",
            (State::Terminated, _) => "Old payments can be captured, refunded and disputed. Klarna has ended new ones.",
            (State::Offboarded, _) => "Old payments can be captured, refunded and disputed.",
            (State::Suspended, Some(suspension)) if suspension.by == KLARNAS => {
                "Old payments can be captured, refunded and disputed. Ask your provider what Klarna needs to know."
            }
            (State::Suspended, _) => {
                "Old payments can be captured, refunded and disputed. Ask your provider to take up new ones again."
            }
        }
    }

    /// The event that tells a Partner of a change; `None` if it is none.
    pub fn announcement(&self, after: &Self) -> Option<&'static str> {
        let (from, to) = (self.state(), after.state());
        match to {
            State::Draft if from == State::Submitted => Some("partner.refused"),
            State::Suspended if from != to || self.suspension() != after.suspension() => Some("partner.suspended"),
            _ if from == to => None,
            State::PartiallyOperational | State::Operational
                if matches!(from, State::Suspended | State::Terminated) =>
            {
                Some("partner.resumed")
            }
            State::PartiallyOperational => Some("partner.approved"),
            State::Operational => Some("partner.operational"),
            State::Terminated => Some("partner.terminated"),
            State::Offboarded => Some("partner.offboarded"),
            State::Draft | State::Submitted | State::Suspended => None,
        }
    }

    /// Applies what Klarna told; older news than what is known changes nothing.
    pub fn hear(&mut self, news: News) {
        match news {
            // News of the setup may come late; a disabled account is told of by reading it.
            News::Account { state } => self.account_state = Some(state),
            News::Decided(decision) => {
                if let Some(product) = self.product.as_mut().filter(|product| product.state != "ENABLED") {
                    product.by_klarna = true;
                    product.reason = Some(decision.decision_type.clone());
                }
                self.decision = Some(decision);
            }
            News::Product { id, state, reason, is_decision, at } => {
                if self.product.as_ref().is_some_and(|known| at < known.at) {
                    return;
                }
                let known = self.product.as_ref().map(|product| product.id.clone());
                let is_enabled = state == "ENABLED";
                let is_ours = reason.as_deref().map_or(self.own.is_some() || self.offboarded_at.is_some(), |reason| {
                    DISABLE_REASONS.contains(&reason)
                });
                self.turn += 1;
                self.product = Some(Product {
                    id: id.or(known).unwrap_or_default(),
                    by_klarna: !is_enabled && (is_decision || !is_ours || state == "TERMINATED"),
                    state,
                    reason: reason.filter(|_| !is_enabled),
                    at,
                });
            }
        }
    }

    /// What is to be done to the product at Klarna, so that it is as we want it.
    pub fn wish(&self) -> Option<Wish> {
        let product = self.product.as_ref().filter(|product| !product.id.is_empty())?;
        let is_unwanted = self.own.is_some() || self.offboarded_at.is_some();
        match product.state.as_str() {
            "ENABLED" if is_unwanted => {
                let own = self.own.as_ref();
                Some(Wish::Disable {
                    reason: own.map_or("VOLUNTARY", |own| &own.reason).to_owned(),
                    details: own.and_then(|own| own.details.clone()),
                })
            }
            "DISABLED" if !is_unwanted && !product.by_klarna => Some(Wish::Enable),
            _ => None,
        }
    }

    /// Hands the Partner in, once more where it was refused. Whether it can be is its data's to say.
    pub fn hand_in(&mut self, now: i64) {
        self.submitted_at.get_or_insert(now);
        self.refusal = None;
    }

    /// Suspends, as the Acquiring Partner. Doing it again changes the reason only.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn suspend(&mut self, own: OwnSuspension) -> Result<(), NotNow> {
        self.require_begun()?;
        self.turn += 1;
        self.own = Some(own);
        Ok(())
    }

    /// Takes our own suspension back. The Partner is active once Klarna has confirmed.
    ///
    /// # Errors
    /// [`NotNow`].
    pub fn resume(&mut self) -> Result<(), NotNow> {
        self.require_begun()?;
        let is_klarnas = self.suspension().is_some_and(|suspension| suspension.by == KLARNAS);
        if is_klarnas && self.own.is_none() {
            return Err(NotNow::KlarnaOnly);
        }
        self.turn += 1;
        self.own = None;
        Ok(())
    }

    /// Ends the Partner, for good.
    ///
    /// # Errors
    /// None today; a draft is ended, too.
    pub fn offboard(&mut self, now: i64) {
        if self.offboarded_at.is_none() {
            self.turn += 1;
            self.offboarded_at = Some(now);
        }
    }

    fn require_begun(&self) -> Result<(), NotNow> {
        match self.state() {
            State::Offboarded => Err(NotNow::Offboarded),
            State::Draft => Err(NotNow::NotSubmitted),
            State::Submitted
            | State::PartiallyOperational
            | State::Operational
            | State::Suspended
            | State::Terminated => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(state: &str, by_klarna: bool, at: i64) -> Product {
        Product { id: "krn:p".to_owned(), state: state.to_owned(), by_klarna, reason: None, at }
    }

    fn operational() -> Standing {
        Standing {
            submitted_at: Some(1),
            account_id: Some("krn:a".to_owned()),
            account_state: Some("OPERATIONAL".to_owned()),
            product: Some(product("ENABLED", false, 1)),
            ..Standing::default()
        }
    }

    fn own(reason: &str) -> OwnSuspension {
        OwnSuspension { reason: reason.to_owned(), details: None, at: 5 }
    }

    fn told(state: &str, reason: Option<&str>, at: i64) -> News {
        let (state, reason) = (state.to_owned(), reason.map(str::to_owned));
        News::Product { id: None, state, reason, is_decision: false, at }
    }

    #[test]
    fn our_suspension_holds_at_once_reaches_klarna_and_ends_when_klarna_confirms() {
        let mut standing = operational();
        standing.suspend(own("SUSPICIOUS_ACTIVITY")).unwrap();
        assert_eq!(standing.state(), State::Suspended);
        assert_eq!(standing.wish(), Some(Wish::Disable { reason: "SUSPICIOUS_ACTIVITY".to_owned(), details: None }));
        standing.hear(told("DISABLED", Some("SUSPICIOUS_ACTIVITY"), 6));
        assert_eq!((standing.wish(), standing.suspension().unwrap().by), (None, OURS.to_owned()));
        standing.resume().unwrap();
        assert_eq!((standing.state(), standing.wish()), (State::Suspended, Some(Wish::Enable)), "not before Klarna");
        standing.hear(told("ENABLED", None, 7));
        assert_eq!((standing.state(), standing.wish()), (State::Operational, None));
    }

    #[test]
    fn what_klarna_suspends_only_klarna_resumes() {
        let mut standing = operational();
        standing.hear(told("DISABLED", Some("FRAUDULENT_BEHAVIOUR"), 6));
        let suspension = standing.suspension().unwrap();
        assert_eq!((suspension.by.as_str(), suspension.reason.as_deref()), (KLARNAS, Some("FRAUDULENT_BEHAVIOUR")));
        assert_eq!((standing.resume(), standing.wish()), (Err(NotNow::KlarnaOnly), None));
        standing.hear(told("ENABLED", None, 4));
        assert_eq!(standing.state(), State::Suspended, "old news");
        standing.hear(told("TERMINATED", None, 8));
        assert_eq!(standing.state(), State::Terminated);
        standing.hear(told("ENABLED", None, 9));
        assert_eq!(standing.state(), State::Operational);
    }

    #[test]
    fn a_decision_takes_our_own_suspension_over() {
        let mut standing = operational();
        standing.suspend(own("VOLUNTARY")).unwrap();
        standing.hear(told("DISABLED", Some("VOLUNTARY"), 6));
        standing.hear(News::Decided(Decision { id: None, decision_type: "NON_COMPLIANT".to_owned() }));
        assert_eq!(standing.suspension().unwrap().reason.as_deref(), Some("NON_COMPLIANT"));
        standing.resume().unwrap();
        assert_eq!((standing.state(), standing.wish()), (State::Suspended, None));
    }

    #[test]
    fn offboarding_is_for_good_and_disables() {
        let mut standing = operational();
        standing.offboard(9);
        assert_eq!(standing.wish(), Some(Wish::Disable { reason: "VOLUNTARY".to_owned(), details: None }));
        assert_eq!(
            (standing.suspend(own("VOLUNTARY")), standing.resume()),
            (Err(NotNow::Offboarded), Err(NotNow::Offboarded))
        );
        standing.hear(told("DISABLED", Some("VOLUNTARY"), 10));
        assert_eq!((standing.state(), standing.wish()), (State::Offboarded, None));
    }

    #[test]
    fn each_change_is_told_once() {
        let draft = Standing::default();
        let submitted = Standing { submitted_at: Some(1), ..Standing::default() };
        let partially = Standing { account_state: Some("PARTIALLY_OPERATIONAL".to_owned()), ..submitted.clone() };
        let mut suspended = operational();
        suspended.suspend(own("VOLUNTARY")).unwrap();
        let refusal = Refusal { status: 403, code: String::new(), message: String::new(), faults: Vec::new(), at: 2 };
        let refused = Standing { refusal: Some(refusal), ..submitted.clone() };
        for (from, to, told) in [
            (&draft, &submitted, None),
            (&submitted, &partially, Some("partner.approved")),
            (&submitted, &refused, Some("partner.refused")),
            (&partially, &operational(), Some("partner.operational")),
            (&operational(), &suspended, Some("partner.suspended")),
            (&suspended, &suspended, None),
            (&suspended, &operational(), Some("partner.resumed")),
        ] {
            assert_eq!(from.announcement(to), told);
        }
    }
}
