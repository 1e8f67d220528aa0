//! A dispute's case: where it stands, until when, and how it ends. Pure.
//!
//! Two frameworks draw two state machines ([`framework_2020`], [`framework_2026`]); what surrounds them is the same and stands here.
//! Every decision takes the time, first lets happen what that time brought about ([`Case::at`]), and returns the new case with what
//! happened, or refuses and changes nothing. Amounts are minor units, times microseconds UTC.

use protocol::{DisputeFramework, DisputeOutcome, DisputeReason, EventType};

use super::{framework_2020, framework_2026};

/// The rules that a case follows, fixed when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// `FRAMEWORK_2020`.
    Of2020,
    /// `FRAMEWORK_2026`.
    Of2026,
}

impl Framework {
    /// The wire type.
    pub fn wire(self) -> DisputeFramework {
        match self {
            Self::Of2020 => DisputeFramework::Framework2020,
            Self::Of2026 => DisputeFramework::Framework2026,
        }
    }

    /// From its name on the wire and in the database.
    pub fn stored(text: &str) -> Option<Self> {
        [Self::Of2020, Self::Of2026].into_iter().find(|framework| framework.wire().as_str() == text)
    }
}

/// Where a case stands, in its framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Of the older framework.
    Of2020(framework_2020::State),
    /// Of the present framework.
    Of2026(framework_2026::State),
}

/// What can happen to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// 2020: customer and Partner did not agree, or Klarna need not wait for that.
    Escalated,
    /// 2020: Klarna asks the Partner for evidence.
    EvidenceRequested,
    /// The Partner sent its evidence.
    Answered,
    /// The Partner let its time pass.
    Lapsed,
    /// Klarna decided for the Partner.
    FoundForPartner,
    /// Klarna decided for the customer.
    FoundForCustomer,
    /// 2020: Klarna decided, and would hear an appeal.
    AppealWindowOpened,
    /// 2026: the Partner appeals against the preliminary decision.
    Appealed,
    /// The Partner gives in.
    LossAccepted,
    /// The customer lets go.
    Withdrawn,
    /// Klarna ends it without hearing the Partner.
    Resolved,
    /// 2026: the amount is under the one below which the Partner wants no disputes.
    Rejected,
}

impl State {
    /// The state machine of its framework; `None` for what it does not draw.
    pub fn next(self, event: Event) -> Option<Self> {
        match self {
            Self::Of2020(state) => state.next(event).map(Self::Of2020),
            Self::Of2026(state) => state.next(event).map(Self::Of2026),
        }
    }

    /// Whose state it is.
    pub fn framework(self) -> Framework {
        match self {
            Self::Of2020(_) => Framework::Of2020,
            Self::Of2026(_) => Framework::Of2026,
        }
    }

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Of2020(state) => state.as_str(),
            Self::Of2026(state) => state.as_str(),
        }
    }

    /// From framework and name.
    pub fn stored(framework: Framework, text: &str) -> Option<Self> {
        match framework {
            Framework::Of2020 => {
                framework_2020::State::ALL.into_iter().find(|state| state.as_str() == text).map(Self::Of2020)
            }
            Framework::Of2026 => {
                framework_2026::State::ALL.into_iter().find(|state| state.as_str() == text).map(Self::Of2026)
            }
        }
    }

    /// Whether nothing more will happen.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Of2020(framework_2020::State::Closed) | Self::Of2026(framework_2026::State::Closed))
    }

    fn event_type(self) -> EventType {
        match self {
            Self::Of2020(state) => state.event_type(),
            Self::Of2026(state) => state.event_type(),
        }
    }
}

/// How long a case stays where it is, in microseconds: until when the Partner can do something, and when time takes a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) deadline: Option<i64>,
    pub(super) due: Option<i64>,
}

impl Times {
    pub(super) const NEVER: Self = Self { deadline: None, due: None };

    /// The Partner is told until when.
    pub(super) fn until(length: i64) -> Self {
        Self { deadline: Some(length), due: Some(length) }
    }

    /// Klarna takes its time.
    pub(super) fn silently(length: i64) -> Self {
        Self { deadline: None, due: Some(length) }
    }
}

/// How a case goes on by itself: Klarna's published test customers decide (sheet 05 §3.9), everybody else's goes the usual way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Course {
    /// By its deadlines.
    #[default]
    Usual,
    /// Evidence wins at once.
    WinOnEvidence,
    /// The Partner's time is over at once.
    LoseOnExpiry,
    /// Given up at once.
    AcceptLoss,
    /// Evidence does not convince, and the appeal's time is over at once.
    WindowExpires,
    /// Neither evidence nor appeal convince.
    LoseAfterArbitration,
    /// The appeal convinces.
    WinAfterArbitration,
}

impl Course {
    /// Every course.
    pub const ALL: [Self; 7] = [
        Self::Usual,
        Self::WinOnEvidence,
        Self::LoseOnExpiry,
        Self::AcceptLoss,
        Self::WindowExpires,
        Self::LoseAfterArbitration,
        Self::WinAfterArbitration,
    ];

    /// The name in the database, and the token of the test customer's address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::WinOnEvidence => "dispute_win_on_evidence",
            Self::LoseOnExpiry => "dispute_lose_on_expiry",
            Self::AcceptLoss => "dispute_pre_arb_accept_loss",
            Self::WindowExpires => "dispute_pre_arb_window_expired",
            Self::LoseAfterArbitration => "dispute_pre_arb_lose_after_arbitration",
            // Ours: the list that was seen breaks off before the twin.
            Self::WinAfterArbitration => "dispute_pre_arb_win_after_arbitration",
        }
    }

    /// From [`Course::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|course| course.as_str() == text)
    }
}

/// What became of the request for evidence (2026).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Representment {
    /// The Partner can answer.
    EvidenceRequested,
    /// It did.
    EvidenceReceived,
    /// It did not in time.
    EvidenceRequestExpired,
    /// It gave in.
    EvidenceWaived,
    /// It was not asked: the amount is under its limit.
    AutomaticallyRejected,
}

impl Representment {
    const ALL: [Self; 5] = [
        Self::EvidenceRequested,
        Self::EvidenceReceived,
        Self::EvidenceRequestExpired,
        Self::EvidenceWaived,
        Self::AutomaticallyRejected,
    ];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EvidenceRequested => "EVIDENCE_REQUESTED",
            Self::EvidenceReceived => "EVIDENCE_RECEIVED",
            Self::EvidenceRequestExpired => "EVIDENCE_REQUEST_EXPIRED",
            Self::EvidenceWaived => "EVIDENCE_WAIVED",
            Self::AutomaticallyRejected => "REPRESENTMENT_AUTOMATICALLY_REJECTED",
        }
    }

    /// From [`Representment::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What Klarna found: for whom, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// For the Partner or for the customer.
    pub outcome: DisputeOutcome,
    /// `dispute_outcome_detailed`, upper case.
    pub detailed: String,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// What was found.
    pub finding: Finding,
    /// When.
    pub at: i64,
    /// What the Partner owes by it: all, nothing, or what it had proposed to give back.
    pub owed: i64,
}

/// When the amount is taken from the Partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldPolicy {
    /// When the dispute is lost.
    None,
    /// When it is opened, and given back if it is won. The guide calls it `ON_DISPUTE_OPEN`.
    OnDisputeInitiated,
}

impl HoldPolicy {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::OnDisputeInitiated => "ON_DISPUTE_INITIATED",
        }
    }

    /// From either of its names.
    pub fn stored(text: &str) -> Option<Self> {
        match text {
            "NONE" => Some(Self::None),
            "ON_DISPUTE_INITIATED" | "ON_DISPUTE_OPEN" => Some(Self::OnDisputeInitiated),
            _ => None,
        }
    }
}

/// What a case is opened with.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The rules.
    pub framework: Framework,
    /// By whatever name.
    pub reason: DisputeReason,
    /// What is disputed.
    pub amount: i64,
    /// Disregarded in 2020, which never holds anything.
    pub hold: HoldPolicy,
    /// How it goes on by itself.
    pub course: Course,
    /// Amounts below this are rejected for the Partner. Disregarded in 2020.
    pub threshold: Option<i64>,
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub state: State,
    pub previous: Option<State>,
    /// By its name in the framework.
    pub reason: DisputeReason,
    pub amount: i64,
    pub hold: HoldPolicy,
    pub course: Course,
    pub opened_at: i64,
    pub updated_at: i64,
    /// Until when the Partner can do something.
    pub deadline_at: Option<i64>,
    /// When time takes a step.
    pub due_at: Option<i64>,
    /// 2026.
    pub representment: Option<Representment>,
    /// How often Klarna has asked for evidence.
    pub requests: i64,
    /// Whether the last request was answered.
    pub answered: bool,
    /// What the Partner proposed to give back.
    pub proposed: Option<i64>,
    /// What was found before an appeal.
    pub preliminary: Option<Finding>,
    pub closing: Option<Closing>,
}

/// Something to be told, with the case as it was right then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// What is told.
    pub event: EventType,
    /// When it happened.
    pub at: i64,
    /// The case after it.
    pub case: Case,
    /// Of an extension: the deadline before.
    pub previous_deadline_at: Option<i64>,
}

impl Happened {
    /// Whether the state changed (the opening counts); else only a deadline did.
    pub fn is_change(&self) -> bool {
        self.event == self.case.state.event_type()
    }
}

/// Why a decision is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The state does not allow it.
    #[error("the dispute is {}, which does not allow this operation", .from.as_str())]
    State {
        /// The state.
        from: State,
    },
    /// The other framework has this operation.
    #[error("the dispute follows {}, which does not have this operation", .0.wire())]
    Framework(Framework),
    /// The Partner cannot propose to give back all: that is accepting the loss.
    #[error("must be less than the disputed amount {amount}")]
    ProposalTooHigh {
        /// What is disputed.
        amount: i64,
    },
    /// A deadline only moves ahead.
    #[error("must be after the present deadline")]
    NotLater,
}

/// The new case, and what happened.
pub type Decided = Result<(Case, Vec<Happened>), Refusal>;

impl Case {
    /// A new case. What happens at once (escalation, rejection) has happened.
    pub fn open(opening: Opening, now: i64) -> (Self, Vec<Happened>) {
        let Opening { framework, reason, amount, hold, course, threshold } = opening;
        let reason = reason.under(&framework.wire());
        let (state, hold, representment) = match framework {
            Framework::Of2020 => (State::Of2020(framework_2020::State::PreArbitration), HoldPolicy::None, None),
            Framework::Of2026 => {
                (State::Of2026(framework_2026::State::Initiated), hold, Some(Representment::EvidenceRequested))
            }
        };
        let mut case = Self {
            state,
            previous: None,
            reason,
            amount,
            hold,
            course,
            opened_at: now,
            updated_at: now,
            deadline_at: None,
            due_at: None,
            representment,
            requests: i64::from(framework == Framework::Of2026),
            answered: false,
            proposed: None,
            preliminary: None,
            closing: None,
        };
        case.set_times(now);
        let mut happened = vec![case.happened(case.state.event_type(), now)];
        let at_once = match framework {
            Framework::Of2020 => framework_2020::escalates_at_once(&case.reason).then_some(Event::Escalated),
            Framework::Of2026 => threshold.is_some_and(|least| amount < least).then_some(Event::Rejected),
        };
        if let Some(event) = at_once {
            happened.push(case.take(event, now).expect("both stand in their machines"));
        }
        (case, happened)
    }

    /// What the passing of time has made of the case by `now`.
    pub fn at(&self, now: i64) -> (Self, Vec<Happened>) {
        let mut case = self.clone();
        let mut happened = Vec::new();
        // Every step leads on in a machine without circles of time alone.
        while let Some((due, event)) = case.next_step().filter(|(due, _)| *due <= now) {
            happened.push(case.take(event, due).expect("time takes only steps that the machines have"));
        }
        (case, happened)
    }

    fn next_step(&self) -> Option<(i64, Event)> {
        let event = match self.state {
            State::Of2020(state) => state.when_due(self.requests > 0, self.answered),
            State::Of2026(state) => state.when_due(self.course),
        };
        Some((self.due_at?, event?))
    }

    /// The Partner answers Klarna's request for evidence: `respond` in 2020, `represent` in 2026, perhaps with what it proposes to
    /// give back.
    ///
    /// # Errors
    /// [`Refusal::Framework`], [`Refusal::State`], [`Refusal::ProposalTooHigh`].
    pub fn answer(&self, framework: Framework, proposed: Option<i64>, now: i64) -> Decided {
        let (mut case, mut happened) = self.at(now);
        case.require(framework)?;
        case.state.next(Event::Answered).ok_or(Refusal::State { from: case.state })?;
        if proposed.is_some_and(|proposed| proposed >= case.amount) {
            return Err(Refusal::ProposalTooHigh { amount: case.amount });
        }
        case.proposed = proposed;
        happened.push(case.take(Event::Answered, now)?);
        Ok((case, happened))
    }

    /// The Partner appeals against the preliminary decision (2026).
    ///
    /// # Errors
    /// [`Refusal::Framework`], [`Refusal::State`].
    pub fn appeal(&self, now: i64) -> Decided {
        self.require(Framework::Of2026)?;
        self.after(Event::Appealed, now)
    }

    /// The Partner gives in.
    ///
    /// # Errors
    /// [`Refusal::State`].
    pub fn accept_loss(&self, now: i64) -> Decided {
        self.after(Event::LossAccepted, now)
    }

    /// Klarna takes a step of its own: escalates, asks for evidence, finds, opens the window for an appeal; or the customer
    /// lets go. `detailed` says why, where something is found.
    ///
    /// # Errors
    /// [`Refusal::State`].
    pub fn step(&self, event: Event, detailed: Option<&str>, now: i64) -> Decided {
        let (mut case, mut happened) = self.at(now);
        let found = case.finding(event, detailed);
        happened.push(case.take_with(event, found, now)?);
        Ok((case, happened))
    }

    /// Klarna ends the case without hearing the Partner (`immediate_dispute_resolution`).
    ///
    /// # Errors
    /// [`Refusal::State`].
    pub fn resolve(&self, finding: Finding, now: i64) -> Decided {
        let (mut case, mut happened) = self.at(now);
        happened.push(case.take_with(Event::Resolved, Some(finding), now)?);
        Ok((case, happened))
    }

    /// Lets the time of the present state be over.
    ///
    /// # Errors
    /// [`Refusal::State`] when nothing is due any more.
    pub fn lapse(&self, now: i64) -> Decided {
        let (mut case, mut happened) = self.at(now);
        let (_, event) = case.next_step().ok_or(Refusal::State { from: case.state })?;
        happened.push(case.take(event, now)?);
        Ok((case, happened))
    }

    /// Klarna gives the Partner more time, until `until`.
    ///
    /// # Errors
    /// [`Refusal::State`] where the Partner is not waited for, [`Refusal::NotLater`].
    pub fn extend(&self, until: i64, now: i64) -> Decided {
        use framework_2020::State::{MerchantEvidencePending, PreArbitration};
        let (mut case, mut happened) = self.at(now);
        let event = match case.state {
            State::Of2020(PreArbitration | MerchantEvidencePending) => {
                EventType::PaymentDisputeArbitrationDeadlineExtended
            }
            State::Of2026(framework_2026::State::Initiated) => EventType::PaymentDisputeRepresentmentDeadlineExtended,
            from => return Err(Refusal::State { from }),
        };
        let previous = case.deadline_at;
        if previous.is_some_and(|previous| until <= previous) {
            return Err(Refusal::NotLater);
        }
        (case.deadline_at, case.due_at, case.updated_at) = (Some(until), Some(until), now);
        happened.push(Happened { previous_deadline_at: previous, ..case.happened(event, now) });
        Ok((case, happened))
    }

    /// Whether files can be added: until the Partner has sent its evidence, and again for an appeal. Ours for 2020, in which the
    /// documentation only shows uploads before `respond`.
    ///
    /// # Errors
    /// [`Refusal::State`].
    pub fn require_open_for_files(&self) -> Result<(), Refusal> {
        use framework_2020::State as Old;
        use framework_2026::State as New;
        let open = match self.state {
            State::Of2020(Old::PreArbitration | Old::MerchantEvidencePending) => true,
            State::Of2020(Old::ArbitrationPending) => !self.answered,
            State::Of2026(New::Initiated | New::PreArbitration) => true,
            State::Of2020(Old::ArbitrationAppealOpen | Old::Closed)
            | State::Of2026(New::Representment | New::Arbitration | New::Closed) => false,
        };
        if open { Ok(()) } else { Err(Refusal::State { from: self.state }) }
    }

    /// Refuses operations that only the other framework has.
    ///
    /// # Errors
    /// [`Refusal::Framework`].
    pub fn require(&self, framework: Framework) -> Result<(), Refusal> {
        let own = self.state.framework();
        if own == framework { Ok(()) } else { Err(Refusal::Framework(own)) }
    }

    fn after(&self, event: Event, now: i64) -> Decided {
        self.step(event, None, now)
    }

    fn take(&mut self, event: Event, at: i64) -> Result<Happened, Refusal> {
        let found = self.finding(event, None);
        self.take_with(event, found, at)
    }

    /// The one place where a case changes its state.
    fn take_with(&mut self, event: Event, found: Option<Finding>, at: i64) -> Result<Happened, Refusal> {
        let from = self.state;
        let next = from.next(event).ok_or(Refusal::State { from })?;
        (self.previous, self.state, self.updated_at) = (Some(from), next, at);
        match event {
            Event::EvidenceRequested => (self.requests, self.answered) = (self.requests + 1, false),
            Event::Answered => self.answered = true,
            _ => {}
        }
        self.representment = self.representment.map(|state| match (state, event) {
            (Representment::EvidenceRequested, Event::Answered) => Representment::EvidenceReceived,
            (Representment::EvidenceRequested, Event::Lapsed) => Representment::EvidenceRequestExpired,
            (Representment::EvidenceRequested, Event::LossAccepted) => Representment::EvidenceWaived,
            (Representment::EvidenceRequested, Event::Rejected) => Representment::AutomaticallyRejected,
            (state, _) => state,
        });
        if next.is_closed() {
            let finding = found.expect("whatever closes a case finds something");
            let owed = match (&finding.outcome, event) {
                // A proposal binds who made it, unless the customer lets go of everything.
                (DisputeOutcome::Won, Event::FoundForPartner) => self.proposed.unwrap_or(0),
                (DisputeOutcome::Won, _) => 0,
                (DisputeOutcome::Lost | DisputeOutcome::Unknown(_), _) => self.amount,
            };
            self.closing = Some(Closing { finding, at, owed });
        } else if matches!(event, Event::FoundForCustomer | Event::AppealWindowOpened) {
            self.preliminary = found;
        }
        self.set_times(at);
        Ok(self.happened(next.event_type(), at))
    }

    fn set_times(&mut self, at: i64) {
        let times = match self.state {
            State::Of2020(state) => state.times(self.requests > 0),
            State::Of2026(state) => state.times(&self.reason, self.course),
        };
        self.deadline_at = times.deadline.map(|length| at.saturating_add(length));
        self.due_at = times.due.map(|length| at.saturating_add(length));
    }

    fn happened(&self, event: EventType, at: i64) -> Happened {
        Happened { event, at, case: self.clone(), previous_deadline_at: None }
    }

    /// What an event finds, if it does. `detailed` overrides the usual words.
    fn finding(&self, event: Event, detailed: Option<&str>) -> Option<Finding> {
        let (outcome, usual) = match event {
            Event::FoundForPartner => (DisputeOutcome::Won, "KLARNA_RESOLVED_DISPUTE_IN_PARTNER_FAVOR"),
            Event::FoundForCustomer | Event::AppealWindowOpened => (DisputeOutcome::Lost, self.usual_fault()),
            Event::LossAccepted => (DisputeOutcome::Lost, "PARTNER_ACCEPTED_THE_LOSS"),
            Event::Withdrawn => (DisputeOutcome::Won, "CUSTOMER_CANCELLED_DISPUTE"),
            // Ours: no value of the list says it.
            Event::Rejected => (DisputeOutcome::Lost, "COULD_NOT_SEND_ANOTHER_REQUEST"),
            // An appeal that was not made leaves what was found before.
            Event::Lapsed | Event::Resolved if self.preliminary.is_some() => return self.preliminary.clone(),
            Event::Lapsed | Event::Resolved => (DisputeOutcome::Lost, "PARTNER_DID_NOT_REPLY_TO_DISPUTE_REQUEST"),
            Event::Escalated | Event::EvidenceRequested | Event::Answered | Event::Appealed => return None,
        };
        Some(Finding { outcome, detailed: detailed.map_or_else(|| usual.to_owned(), str::to_ascii_uppercase) })
    }

    /// Ours: which of the published details a lost case usually has.
    fn usual_fault(&self) -> &'static str {
        if !self.answered {
            return "PARTNER_DID_NOT_REPLY_TO_DISPUTE_REQUEST";
        }
        match self.reason.under(&DisputeFramework::Framework2026) {
            DisputeReason::RefundNotProcessed => "PARTNER_DID_NOT_PERFORM_PROMISED_REFUND",
            DisputeReason::ProductsDefectiveOrNotAsDescribed => "PARTNER_DID_NOT_UPDATE_ORDER_AS_REQUESTED",
            DisputeReason::IncorrectAmount => "PARTNER_DID_NOT_ADJUST_STATEMENT_ON_KLARNAS_REQUEST",
            DisputeReason::PurchaseHighRisk => "SHIPPED_STOP_REQUESTED_ORDER",
            _ => "INSUFFICIENT_PROOF_OF_DELIVERY",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_445_600_000_000;

    fn opened(framework: Framework, reason: DisputeReason) -> Case {
        let opening =
            Opening { framework, reason, amount: 100, hold: HoldPolicy::None, course: Course::Usual, threshold: None };
        Case::open(opening, NOW).0
    }

    fn new() -> Case {
        opened(Framework::Of2026, DisputeReason::IncorrectAmount)
    }

    #[test]
    fn a_state_survives_its_name_in_its_framework() {
        for framework in [Framework::Of2020, Framework::Of2026] {
            assert_eq!(Framework::stored(framework.wire().as_str()), Some(framework));
            for name in ["PRE_ARBITRATION", "CLOSED"] {
                let state = State::stored(framework, name).unwrap();
                assert_eq!((state.as_str(), state.framework()), (name, framework));
            }
        }
        assert_eq!(State::stored(Framework::Of2020, "INITIATED"), None);
        assert_eq!(State::stored(Framework::Of2026, "ARBITRATION_PENDING"), None);
    }

    #[test]
    fn a_closed_case_takes_nothing() {
        let (closed, _) = new().accept_loss(NOW).unwrap();
        let refused = Err(Refusal::State { from: closed.state });
        assert_eq!(closed.answer(Framework::Of2026, None, NOW), refused);
        assert_eq!(closed.appeal(NOW), refused);
        assert_eq!(closed.accept_loss(NOW), refused);
        assert_eq!(closed.lapse(NOW), refused);
        assert_eq!(closed.extend(i64::MAX, NOW), refused);
        assert!(closed.require_open_for_files().is_err());
        assert_eq!(closed.at(i64::MAX), (closed, Vec::new()));
    }

    #[test]
    fn verbs_belong_to_their_framework() {
        let old = opened(Framework::Of2020, DisputeReason::ProductsFaulty);
        assert_eq!(old.answer(Framework::Of2026, None, NOW), Err(Refusal::Framework(Framework::Of2020)));
        assert_eq!(old.appeal(NOW), Err(Refusal::Framework(Framework::Of2020)));
        assert_eq!(new().answer(Framework::Of2020, None, NOW), Err(Refusal::Framework(Framework::Of2026)));
    }

    #[test]
    fn a_proposal_binds_who_wins_and_is_less_than_all() {
        let refused = new().answer(Framework::Of2026, Some(100), NOW);
        assert_eq!(refused, Err(Refusal::ProposalTooHigh { amount: 100 }));
        let (answered, _) = new().answer(Framework::Of2026, Some(40), NOW).unwrap();
        let owed = |event| {
            let (case, _) = answered.step(event, None, NOW).unwrap();
            case.closing.map(|closing| closing.owed)
        };
        assert_eq!(owed(Event::FoundForPartner), Some(40));
        assert_eq!(owed(Event::Withdrawn), Some(0));
        assert_eq!(owed(Event::FoundForCustomer), None, "an appeal is possible");
    }

    #[test]
    fn an_appeal_that_is_not_made_leaves_what_was_found() {
        let (answered, _) = new().answer(Framework::Of2026, None, NOW).unwrap();
        let (found, _) = answered.step(Event::FoundForCustomer, Some("no_proof_of_delivery"), NOW).unwrap();
        let (closed, happened) = found.at(NOW + framework_2026::APPEAL_US);
        let closing = closed.closing.unwrap();
        assert_eq!((closing.finding.detailed.as_str(), closing.owed), ("NO_PROOF_OF_DELIVERY", 100));
        assert_eq!((happened.len(), closing.at), (1, NOW + framework_2026::APPEAL_US));
    }

    #[test]
    fn an_amount_under_the_limit_is_rejected_at_once() {
        let open = |framework, threshold| {
            let opening = Opening {
                framework,
                reason: DisputeReason::IncorrectAmount,
                amount: 100,
                hold: HoldPolicy::OnDisputeInitiated,
                course: Course::Usual,
                threshold: Some(threshold),
            };
            Case::open(opening, NOW)
        };
        let (case, happened) = open(Framework::Of2026, 101);
        assert_eq!(case.representment, Some(Representment::AutomaticallyRejected));
        assert_eq!((happened.len(), case.closing.map(|closing| closing.owed)), (2, Some(100)));
        assert!(!open(Framework::Of2026, 100).0.state.is_closed());
        let (old, _) = open(Framework::Of2020, 101);
        assert_eq!((old.state.is_closed(), old.hold), (false, HoldPolicy::None));
    }

    #[test]
    fn an_extension_moves_the_deadline_ahead_only() {
        let case = new();
        let deadline = case.deadline_at.unwrap();
        assert_eq!(case.extend(deadline, NOW), Err(Refusal::NotLater));
        let (extended, happened) = case.extend(deadline + 1, NOW).unwrap();
        assert_eq!((extended.deadline_at, extended.state), (Some(deadline + 1), case.state));
        assert_eq!((happened[0].is_change(), happened[0].previous_deadline_at), (false, Some(deadline)));
        assert!(!extended.at(deadline).0.state.is_closed());
        assert!(extended.at(deadline + 1).0.state.is_closed());
    }
}
