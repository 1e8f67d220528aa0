//! The Payment Request: a customer is asked, and approves, refuses, leaves or lets the time pass. Pure.
//!
//! As with transactions, every decision first lets happen what time brought about. Times are microseconds UTC, amounts minor
//! units.

use kit::clock::{HOUR_US, MINUTE_US, SECOND_US};
use protocol::event::EventType;
use protocol::payments::{InteractionExpiry, RequestState, StateReason};
use protocol::{Currency, PaymentRequestId, Timestamp, ValidationError};

use super::verdict::Persona;

/// Shortest time that a customer may be given.
pub const EXPIRY_MIN_US: i64 = 15 * MINUTE_US;
/// Longest time that a customer may be given.
pub const EXPIRY_MAX_US: i64 = 48 * HOUR_US;
/// What a customer is given unless the Partner says otherwise.
pub const EXPIRY_DEFAULT_US: i64 = 3 * HOUR_US;
/// How long a request can be read after its end. Ours.
pub const READABLE_US: i64 = 24 * HOUR_US;

/// RULINGS §3 "Payment request".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Waits for the customer.
    Submitted,
    /// The customer is in the journey.
    InProgress,
    /// Approved; final but for a cancellation before the grant is spent.
    Completed,
    Declined,
    Canceled,
    Expired,
}

/// What can happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    CustomerEntered,
    CustomerLeft,
    CustomerApproved,
    /// Also: no payment option for this customer.
    CustomerRefused,
    PartnerUpdated,
    PartnerCanceled,
    TimePassed,
}

/// An event that a state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment request is {}: {event:?} is not possible", .from.as_str())]
pub struct InvalidTransition {
    /// The state.
    pub from: State,
    /// What was tried.
    pub event: Event,
}

impl State {
    const ALL: [Self; 6] =
        [Self::Submitted, Self::InProgress, Self::Completed, Self::Declined, Self::Canceled, Self::Expired];

    /// The state machine, as the documentation draws it.
    ///
    /// # Errors
    /// [`InvalidTransition`] for everything that it does not draw.
    pub fn next(self, event: Event) -> Result<State, InvalidTransition> {
        use Event::*;
        use State::*;
        match (self, event) {
            (Submitted, CustomerEntered) => Ok(InProgress),
            (Submitted, PartnerUpdated) => Ok(Submitted),
            (InProgress, CustomerLeft) => Ok(Submitted),
            (InProgress, CustomerApproved) => Ok(Completed),
            (InProgress, CustomerRefused) => Ok(Declined),
            (Submitted | InProgress, TimePassed) => Ok(Expired),
            (Submitted | InProgress | Completed, PartnerCanceled) => Ok(Canceled),
            (from @ (Submitted | InProgress | Completed | Declined | Canceled | Expired), event) => {
                Err(InvalidTransition { from, event })
            }
        }
    }

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Declined => "DECLINED",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
        }
    }

    /// From [`State::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The wire type.
    pub fn wire(self) -> RequestState {
        match self {
            Self::Submitted => RequestState::Submitted,
            Self::InProgress => RequestState::InProgress,
            Self::Completed => RequestState::Completed,
            Self::Declined => RequestState::Declined,
            Self::Canceled => RequestState::Canceled,
            Self::Expired => RequestState::Expired,
        }
    }

    /// Whether the customer can still go there.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Submitted | Self::InProgress)
    }

    fn event_type(self) -> EventType {
        match self {
            Self::Submitted => EventType::PaymentRequestSubmitted,
            Self::InProgress => EventType::PaymentRequestInProgress,
            Self::Completed => EventType::PaymentRequestCompleted,
            Self::Declined => EventType::PaymentRequestDeclined,
            Self::Canceled => EventType::PaymentRequestCanceled,
            Self::Expired => EventType::PaymentRequestExpired,
        }
    }
}

/// The part of a request that decides; what is bought and by whom lives beside it in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRequest {
    pub id: PaymentRequestId,
    pub state: State,
    pub previous: Option<State>,
    pub reason: Option<StateReason>,
    pub currency: Currency,
    /// Absent when only a customer token is wanted.
    pub amount: Option<i64>,
    /// Of the customer who approves or has approved, if it is a published one.
    pub persona: Option<Persona>,
    /// Until when the verdict on an approval is pending.
    pub pending_until: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: i64,
    /// When it reached a state in which the customer can do nothing more.
    pub ended_at: Option<i64>,
}

/// An event to be told, with the request as it was right then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub event: EventType,
    pub at: i64,
    pub request: PaymentRequest,
}

/// The new value, and what there is to tell.
pub type Decided = Result<(PaymentRequest, Vec<Happened>), InvalidTransition>;

impl PaymentRequest {
    /// Asks a customer.
    pub fn submit(
        id: PaymentRequestId,
        currency: Currency,
        amount: Option<i64>,
        expires_at: i64,
        now: i64,
    ) -> (Self, Vec<Happened>) {
        let request = Self {
            id,
            state: State::Submitted,
            previous: None,
            reason: None,
            currency,
            amount,
            persona: None,
            pending_until: None,
            created_at: now,
            updated_at: now,
            expires_at,
            ended_at: None,
        };
        let happened = request.happened(State::Submitted.event_type(), now);
        (request, vec![happened])
    }

    /// What the passing of time has made of the request by `now`: a pending verdict is spoken, or the request expires.
    pub fn at(&self, now: i64) -> (Self, Vec<Happened>) {
        let Some(due) = self.due_at().filter(|due| *due <= now) else { return (self.clone(), Vec::new()) };
        let event = match self.pending_until {
            Some(until) if until < self.expires_at => self.verdict(),
            _ => Event::TimePassed,
        };
        let decided = self.moved(event, None, due).expect("an open request takes what time brings");
        assert!(decided.0.due_at().is_none(), "time ends a request in one step");
        decided
    }

    /// When time alone will change something.
    pub fn due_at(&self) -> Option<i64> {
        let pending = self.pending_until.unwrap_or(i64::MAX);
        self.state.is_open().then(|| pending.min(self.expires_at))
    }

    /// Whether it can still be read.
    pub fn is_readable(&self, now: i64) -> bool {
        // Ours: a completed request is looked after like the others, 24 hours beyond its end.
        self.ended_at.is_none_or(|ended| now < ended.saturating_add(READABLE_US))
    }

    /// The customer opens the journey; opening it again changes nothing.
    ///
    /// # Errors
    /// [`InvalidTransition`] once it has ended.
    pub fn enter(&self, now: i64) -> Decided {
        let (this, happened) = self.at(now);
        if this.state == State::InProgress {
            return Ok((this, happened));
        }
        this.moved_after(happened, Event::CustomerEntered, None, now)
    }

    /// The customer goes away undecided and may come back.
    ///
    /// # Errors
    /// [`InvalidTransition`] outside the journey.
    pub fn leave(&self, now: i64) -> Decided {
        let (this, happened) = self.at(now);
        let reason = Some(StateReason::PurchaseFlowAborted);
        this.moved_after(happened, Event::CustomerLeft, reason, now)
    }

    /// The customer approves; the persona decides at once, or after its wait.
    ///
    /// # Errors
    /// [`InvalidTransition`] outside the journey.
    pub fn approve(&self, persona: Option<Persona>, now: i64) -> Decided {
        let (mut this, happened) = self.at(now);
        this.state.next(Event::CustomerApproved)?;
        if this.pending_until.is_some() {
            return Ok((this, happened));
        }
        this.persona = persona;
        let wait = i64::from(persona.map_or(0, Persona::wait_s));
        if wait > 0 {
            this.pending_until = Some(now.saturating_add(wait * SECOND_US));
            return Ok((this, happened));
        }
        let event = this.verdict();
        this.moved_after(happened, event, None, now)
    }

    /// The customer refuses.
    ///
    /// # Errors
    /// [`InvalidTransition`] outside the journey.
    pub fn refuse(&self, now: i64) -> Decided {
        let (this, happened) = self.at(now);
        this.moved_after(happened, Event::CustomerRefused, None, now)
    }

    /// The Partner side changes what is asked; `None` leaves a member.
    ///
    /// # Errors
    /// [`InvalidTransition`] in any state but SUBMITTED.
    pub fn update(&self, change: Change, now: i64) -> Decided {
        let (mut this, mut happened) = self.at(now);
        this.state = this.state.next(Event::PartnerUpdated)?;
        this.currency = change.currency.unwrap_or(this.currency);
        this.amount = change.amount.or(this.amount);
        this.expires_at = change.expires_at.unwrap_or(this.expires_at);
        this.updated_at = now;
        happened.push(this.happened(EventType::PaymentRequestUpdated, now));
        Ok((this, happened))
    }

    /// The Partner's page answers the customer, who is choosing where the goods go: what is asked changes, the state does not.
    ///
    /// # Errors
    /// [`InvalidTransition`] once it has ended, or while a verdict is awaited.
    pub fn amend(&self, amount: Option<i64>, now: i64) -> Decided {
        let (mut this, mut happened) = self.at(now);
        if !this.state.is_open() || this.pending_until.is_some() {
            return Err(InvalidTransition { from: this.state, event: Event::PartnerUpdated });
        }
        this.amount = amount.or(this.amount);
        this.updated_at = now;
        happened.push(this.happened(EventType::PaymentRequestUpdated, now));
        Ok((this, happened))
    }

    /// The Partner side withdraws it. Whether a completed one's grant is still unspent is for the caller to make sure of.
    ///
    /// # Errors
    /// [`InvalidTransition`] once it is declined, canceled or expired.
    pub fn cancel(&self, now: i64) -> Decided {
        let (this, happened) = self.at(now);
        let reason = Some(StateReason::PartnerCanceled);
        this.moved_after(happened, Event::PartnerCanceled, reason, now)
    }

    fn verdict(&self) -> Event {
        if self.persona.unwrap_or_default().approves() { Event::CustomerApproved } else { Event::CustomerRefused }
    }

    fn moved_after(self, mut happened: Vec<Happened>, event: Event, reason: Option<StateReason>, at: i64) -> Decided {
        let (this, more) = self.moved(event, reason, at)?;
        happened.extend(more);
        Ok((this, happened))
    }

    fn moved(&self, event: Event, reason: Option<StateReason>, at: i64) -> Decided {
        let mut this = self.clone();
        this.state = self.state.next(event)?;
        this.previous = Some(self.state);
        this.reason = reason;
        this.pending_until = None;
        this.updated_at = at;
        this.ended_at = (!this.state.is_open()).then_some(at);
        let happened = this.happened(this.state.event_type(), at);
        Ok((this, vec![happened]))
    }

    fn happened(&self, event: EventType, at: i64) -> Happened {
        Happened { event, at, request: self.clone() }
    }
}

/// What an update changes of the deciding part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    pub currency: Option<Currency>,
    pub amount: Option<i64>,
    pub expires_at: Option<i64>,
}

/// When a request expires, from the two places that may say so; `None` when neither does. `config` is the path of the
/// `customer_interaction_config`, `step_up` that of `payment_request_expires_at` and its value.
///
/// # Errors
/// A fault naming the member that is wrong, or the second of two that exclude each other.
pub fn expiry(
    expiry: Option<&InteractionExpiry>,
    config: &str,
    step_up: Option<(&str, Timestamp)>,
    now: i64,
) -> Result<Option<i64>, ValidationError> {
    let config = format!("{config}.interaction_expiry");
    let from_config = match expiry {
        Some(InteractionExpiry { duration: Some(_), timestamp: Some(_), .. }) => {
            return Err(ValidationError::new(config, "must have a duration or a timestamp, not both"));
        }
        Some(expiry) => {
            let now = Timestamp::from_micros(now).map_err(|error| ValidationError::new(&*config, error.to_string()))?;
            expiry.at(now).map_err(|error| ValidationError::new(format!("{config}.duration"), error.to_string()))?
        }
        None => None,
    };
    let (parameter, at) = match (from_config, step_up) {
        (Some(_), Some((parameter, _))) => {
            let reason = format!("must be absent when {config} is given");
            return Err(ValidationError::new(parameter, reason));
        }
        (Some(at), None) => (config, at),
        (None, Some((parameter, at))) => (parameter.to_owned(), at),
        (None, None) => return Ok(None),
    };
    let at = at.as_micros();
    if !(EXPIRY_MIN_US..=EXPIRY_MAX_US).contains(&at.saturating_sub(now)) {
        return Err(ValidationError::new(parameter, "must be 15 minutes to 48 hours ahead"));
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::krn::Region;
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_772_445_600_000_000;

    fn submitted() -> PaymentRequest {
        let id = PaymentRequestId::new(Region::Eu1, Uuid::from_u128(3));
        PaymentRequest::submit(id, Currency::EUR, Some(4990), NOW + EXPIRY_DEFAULT_US, NOW).0
    }

    fn events(happened: &[Happened]) -> Vec<&str> {
        happened.iter().map(|happened| happened.event.as_str().rsplit('.').next().unwrap()).collect()
    }

    #[test]
    fn a_customer_enters_leaves_returns_and_approves() {
        let (request, happened) = submitted().enter(NOW).unwrap();
        assert_eq!(events(&happened), ["in-progress"]);
        assert!(request.enter(NOW).unwrap().1.is_empty());
        let (request, happened) = request.leave(NOW).unwrap();
        assert_eq!(
            (events(&happened), request.reason.clone()),
            (vec!["submitted"], Some(StateReason::PurchaseFlowAborted))
        );
        let (request, _) = request.enter(NOW + 1).unwrap();
        assert_eq!(request.reason, None);
        let (request, happened) = request.approve(None, NOW + 2).unwrap();
        assert_eq!((request.state, request.previous), (State::Completed, Some(State::InProgress)));
        assert_eq!(events(&happened), ["completed"]);
        assert!(request.refuse(NOW + 3).is_err());
        assert_eq!(request.cancel(NOW + 3).unwrap().0.state, State::Canceled);
    }

    #[test]
    fn the_persona_decides_and_may_take_its_time() {
        let entered = submitted().enter(NOW).unwrap().0;
        assert_eq!(entered.approve(Some(Persona::Denied), NOW).unwrap().0.state, State::Declined);
        for (persona, state) in
            [(Persona::PendingApproved(30), State::Completed), (Persona::PendingDenied(30), State::Declined)]
        {
            let (pending, happened) = entered.approve(Some(persona), NOW).unwrap();
            assert_eq!((pending.state, happened.len()), (State::InProgress, 0));
            assert_eq!(pending.due_at(), Some(NOW + 30 * SECOND_US));
            assert!(pending.approve(None, NOW + 1).unwrap().1.is_empty());
            assert!(pending.at(NOW + 30 * SECOND_US - 1).1.is_empty());
            let (decided, happened) = pending.at(NOW + 31 * SECOND_US);
            assert_eq!((decided.state, happened.len(), happened[0].at), (state, 1, NOW + 30 * SECOND_US));
        }
    }

    #[test]
    fn a_request_expires_by_the_clock_whoever_looks() {
        let late = NOW + EXPIRY_DEFAULT_US;
        let (expired, happened) = submitted().at(late);
        assert_eq!((expired.state, events(&happened)), (State::Expired, vec!["expired"]));
        assert!(submitted().enter(late).is_err());
        assert!(submitted().cancel(late).is_err());
        assert!(expired.at(late + 1).1.is_empty());
        assert!(expired.is_readable(late + READABLE_US - 1));
        assert!(!expired.is_readable(late + READABLE_US));
    }

    #[test]
    fn only_a_submitted_request_is_updated() {
        let change = Change { amount: Some(5000), ..Change::default() };
        let (request, happened) = submitted().update(change, NOW).unwrap();
        assert_eq!((request.amount, events(&happened)), (Some(5000), vec!["updated"]));
        assert!(request.enter(NOW).unwrap().0.update(change, NOW).is_err());
    }

    #[test]
    fn an_expiry_is_said_once_and_within_bounds() {
        let duration =
            |text: &str| InteractionExpiry { duration: Some(text.to_owned()), ..InteractionExpiry::default() };
        let at = |offset| Timestamp::from_micros(NOW + offset).unwrap();
        let of = |given: Option<&InteractionExpiry>, step_up| expiry(given, "c", step_up, NOW);
        assert_eq!(of(None, None), Ok(None));
        assert_eq!(of(Some(&duration("PT45M")), None), Ok(Some(NOW + 45 * MINUTE_US)));
        assert_eq!(of(None, Some(("s", at(EXPIRY_MAX_US)))), Ok(Some(NOW + EXPIRY_MAX_US)));
        let parameter = |fault: Result<_, ValidationError>| fault.unwrap_err().parameter().to_owned();
        assert_eq!(parameter(of(Some(&duration("PT14M59S")), None)), "c.interaction_expiry");
        assert_eq!(parameter(of(Some(&duration("P2DT1S")), None)), "c.interaction_expiry");
        assert_eq!(parameter(of(Some(&duration("soon")), None)), "c.interaction_expiry.duration");
        assert_eq!(parameter(of(Some(&duration("PT1H")), Some(("s", at(HOUR_US))))), "s");
        assert_eq!(parameter(of(None, Some(("s", at(0))))), "s");
        let both = InteractionExpiry { timestamp: Some(at(HOUR_US)), ..duration("PT1H") };
        assert_eq!(parameter(of(Some(&both), None)), "c.interaction_expiry");
    }

    proptest! {
        #[test]
        fn every_change_of_state_is_told_once_and_ends_stay_ends(steps in proptest::collection::vec((0..7u8, 0..90i64), 1..30)) {
            let (mut request, mut told) =
                PaymentRequest::submit(submitted().id, Currency::EUR, None, NOW + EXPIRY_DEFAULT_US, NOW);
            let mut now = NOW;
            for (what, minutes) in steps {
                let before = request.clone();
                let decided = match what {
                    0 => request.enter(now),
                    1 => request.leave(now),
                    2 => request.approve(Some(Persona::PendingApproved(90)), now),
                    3 => request.refuse(now),
                    4 => request.cancel(now),
                    5 => request.update(Change::default(), now),
                    _ => {
                        now += minutes * MINUTE_US;
                        Ok(request.at(now))
                    }
                };
                let Ok((next, happened)) = decided else { continue };
                if before.ended_at.is_some() {
                    prop_assert!(next.state == before.state || next.state == State::Canceled);
                }
                told.extend(happened);
                request = next;
            }
            let mut state = None;
            for happened in told.iter().filter(|happened| happened.event != EventType::PaymentRequestUpdated) {
                prop_assert_eq!(happened.request.previous, state);
                state = Some(happened.request.state);
            }
            prop_assert_eq!(state, Some(request.state));
        }
    }
}
