//! The Payment Transaction: what was authorized, and what has been taken, given back and let go of it since. Pure.
//!
//! Every decision takes the time, first lets happen what that time brought about ([`PaymentTransaction::at`]), and returns the
//! new value with the events that tell of it, or refuses and changes nothing. Amounts are minor units of `currency`, times
//! microseconds UTC.

use kit::clock::DAY_US;
use protocol::event::EventType;
use protocol::{Currency, DisputeId, PaymentTransactionId};

pub use super::transaction_state::{Event, Funding, InvalidTransition, State};
use super::verdict::Persona;

/// How long an authorization lasts. Ours: 28 days, as in Klarna's older products.
pub const AUTHORIZATION_US: i64 = 28 * DAY_US;
/// How long an expired authorization can be renewed (sheet 03 §5.8).
pub const RENEWAL_US: i64 = 7 * DAY_US;
/// How long a completed transaction can be refunded after the last action. Ours.
pub const COMPLETED_LIFE_US: i64 = 365 * DAY_US;
/// How long the customer has for paying a payment that is not guaranteed. Ours.
pub const FUNDING_US: i64 = 7 * DAY_US;
/// Most days that all extensions of one transaction may add up to. Ours.
pub const EXTENSION_DAYS_MAX: i64 = 180;
/// Most captures of one transaction (sheet 03 §5.3).
pub const CAPTURES_MAX: i64 = 200;
/// Most refunds of one transaction.
pub const REFUNDS_MAX: i64 = 200;
/// Most voids of one transaction.
pub const VOIDS_MAX: i64 = 200;
/// Most actions of any kind on one transaction.
pub const ACTIONS_MAX: i64 = 500;

/// The sums of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What was authorized.
    pub amount: i64,
    pub captured: i64,
    pub refunded: i64,
    pub charged_back: i64,
    pub voided: i64,
}

impl Balance {
    /// What can still be captured.
    pub fn remaining(&self) -> i64 {
        self.amount - self.captured - self.voided
    }

    /// What can still be refunded.
    pub fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.charged_back
    }

    /// The invariant of all transactions: amount = captured + voided + remaining, and no more flows back than was taken.
    fn assert_sound(&self) {
        assert!(self.captured >= 0 && self.voided >= 0 && self.remaining() >= 0, "unsound balance {self:?}");
        assert!(self.refunded >= 0 && self.charged_back >= 0 && self.refundable() >= 0, "unsound balance {self:?}");
    }
}

/// How often what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub captures: i64,
    pub refunds: i64,
    pub chargebacks: i64,
    pub voids: i64,
    /// All actions of the Partner's side together.
    pub actions: i64,
}

/// The part of a transaction that decides; descriptions live beside it in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentTransaction {
    pub id: PaymentTransactionId,
    pub state: State,
    pub currency: Currency,
    pub balance: Balance,
    pub funding: Funding,
    /// Of the customer who pays.
    pub persona: Persona,
    pub created_at: i64,
    pub updated_at: i64,
    /// When the authorization lapses, or lapsed.
    pub expires_at: i64,
    /// Days added by re-authorizations so far.
    pub extension_days: i64,
    pub counts: Counts,
    /// While there are any, time does not close it (RULINGS §2).
    pub open_disputes: i64,
}

/// One capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Counted from 1 within the transaction.
    pub number: i64,
    pub reference: Option<String>,
    pub amount: i64,
    pub refunded: i64,
    pub charged_back: i64,
    pub captured_at: i64,
}

impl Capture {
    /// What of it can still be refunded.
    pub fn refundable(&self) -> i64 {
        self.amount - self.refunded - self.charged_back
    }
}

/// One refund and the captures that bear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Counted from 1 within the transaction.
    pub number: i64,
    pub reference: Option<String>,
    pub amount: i64,
    pub refunded_at: i64,
    /// Capture numbers and what each bears; never empty, adds up to `amount`.
    pub shares: Vec<(i64, i64)>,
}

/// One chargeback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chargeback {
    /// Counted from 1 within the transaction.
    pub number: i64,
    pub capture_number: i64,
    pub amount: i64,
    pub created_at: i64,
}

/// An event to be told, with the transaction as it was right then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    pub event: EventType,
    pub at: i64,
    pub state: State,
    /// With state changes.
    pub previous: Option<State>,
    pub balance: Balance,
    pub funding: Funding,
    pub expires_at: i64,
    pub detail: Detail,
}

/// What an event is about beside the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A state.
    State,
    /// A capture.
    Captured(Capture),
    /// A refund.
    Refunded(Refund),
    /// A chargeback, and the dispute that was lost.
    ChargedBack(Chargeback, DisputeId),
    /// The funding.
    Funding,
}

/// Why an operation on a transaction is refused. Only [`Refusal::LineItemsNeeded`] is for the caller to correct in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the payment transaction is {}, which does not allow this operation", .0.from.as_str())]
    State(#[from] InvalidTransition),
    #[error("the amount exceeds the {remaining} that can still be captured")]
    ExceedsRemaining { remaining: i64 },
    #[error("the amount exceeds the {refundable} that can still be refunded")]
    ExceedsRefundable { refundable: i64 },
    #[error("the amount may not be less than the {captured} that is captured already")]
    BelowCaptured { captured: i64 },
    #[error("the higher amount was refused")]
    RaiseRefused,
    #[error("all extensions together may not be longer than {EXTENSION_DAYS_MAX} days")]
    ExtensionTooLong,
    #[error("a payment transaction may have at most {max} {what}")]
    TooMany { what: &'static str, max: i64 },
    #[error("several captures exist, so the line items must say what is refunded")]
    LineItemsNeeded,
    #[error("the payment is guaranteed, or its funding is settled")]
    FundingSettled,
}

/// What a capture asks for.
#[derive(Clone, Debug, Default)]
pub struct CaptureCommand {
    /// `None` takes all that remains.
    pub amount: Option<i64>,
    pub reference: Option<String>,
    /// `remaining_authorization: RELEASE`: what is left is voided.
    pub release: bool,
}

/// What a refund asks for.
#[derive(Clone, Debug, Default)]
pub struct RefundCommand {
    /// `None` gives back all that can be given back. Ours.
    pub amount: Option<i64>,
    pub reference: Option<String>,
    /// The capture it is for; `None` leaves the choice to us.
    pub capture_number: Option<i64>,
    /// Whether the line items say what is refunded.
    pub has_line_items: bool,
}

/// What a re-authorization asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reauthorization {
    /// `None` grants the usual life anew.
    pub extension_days: Option<i64>,
    /// `None` leaves it.
    pub amount: Option<i64>,
    /// Who decides on a higher amount, if the purchase data names somebody.
    pub persona: Option<Persona>,
}

type Decided<T> = Result<(PaymentTransaction, T, Vec<Happened>), Refusal>;

impl PaymentTransaction {
    /// A new authorization, captured at once if `capture` says so.
    pub fn authorize(
        id: PaymentTransactionId,
        (currency, amount): (Currency, i64),
        guaranteed: bool,
        persona: Persona,
        capture: Option<CaptureCommand>,
        now: i64,
    ) -> (Self, Option<Capture>, Vec<Happened>) {
        let balance = Balance { amount, captured: 0, refunded: 0, charged_back: 0, voided: 0 };
        let transaction = Self {
            id,
            state: State::Authorized,
            currency,
            balance,
            funding: if guaranteed { Funding::Guaranteed } else { Funding::Pending },
            persona,
            created_at: now,
            updated_at: now,
            expires_at: now.saturating_add(AUTHORIZATION_US),
            extension_days: 0,
            counts: Counts::default(),
            open_disputes: 0,
        };
        let mut happened = vec![transaction.happened(State::Authorized.event_type(), now, Detail::State)];
        let Some(command) = capture else { return (transaction, None, happened) };
        let command = CaptureCommand { amount: None, ..command };
        let (transaction, capture, more) =
            transaction.capture(command, now).expect("a new authorization can be captured whole");
        happened.extend(more);
        (transaction, Some(capture), happened)
    }

    /// What the passing of time has made of the transaction by `now`.
    pub fn at(&self, now: i64) -> (Self, Vec<Happened>) {
        let mut this = self.clone();
        let mut happened = Vec::new();
        // Each round makes one step, in the order of time; the chain Authorized, Expired, Completed, Closed bounds them.
        while let Some((due, step)) = this.next_step().filter(|(due, _)| *due <= now) {
            match step {
                Step::Funding => {
                    this.funding = Funding::Expired;
                    happened.push(this.happened(EventType::PaymentFundingExpired, due, Detail::Funding));
                }
                Step::State(event) => {
                    if matches!(event, Event::RenewalLapsedCaptured | Event::RenewalLapsedUncaptured) {
                        this.balance.voided += this.balance.remaining();
                    }
                    let moved = this.move_on(event, due);
                    happened.push(
                        moved
                            .expect("time takes only steps that the state machine has")
                            .expect("and all change the state"),
                    );
                }
            }
        }
        (this, happened)
    }

    /// When time alone will change something.
    pub fn due_at(&self) -> Option<i64> {
        self.next_step().map(|(due, _)| due)
    }

    fn next_step(&self) -> Option<(i64, Step)> {
        let state = match self.state {
            State::Authorized => Some((self.expires_at, Event::AuthorizationLapsed)),
            State::Expired if self.balance.captured > 0 => {
                Some((self.expires_at.saturating_add(RENEWAL_US), Event::RenewalLapsedCaptured))
            }
            State::Expired => Some((self.expires_at.saturating_add(RENEWAL_US), Event::RenewalLapsedUncaptured)),
            State::Completed if self.open_disputes > 0 => None,
            State::Completed => Some((self.updated_at.saturating_add(COMPLETED_LIFE_US), Event::LifeOver)),
            State::Closed => None,
        };
        let state = state.map(|(due, event)| (due, Step::State(event)));
        let funding = (self.funding == Funding::Pending && self.state != State::Closed)
            .then(|| (self.created_at.saturating_add(FUNDING_US), Step::Funding));
        [funding, state].into_iter().flatten().min_by_key(|(due, _)| *due)
    }

    /// Takes `command.amount`, or all.
    ///
    /// # Errors
    /// [`Refusal::State`], [`Refusal::ExceedsRemaining`], [`Refusal::TooMany`].
    pub fn capture(&self, command: CaptureCommand, now: i64) -> Decided<Capture> {
        let (mut this, mut happened) = self.at(now);
        let remaining = this.balance.remaining();
        let amount = command.amount.unwrap_or(remaining);
        // The state first: "completed" tells the caller more than "exceeds 0".
        this.state.next(Event::CapturedPart)?;
        if amount > remaining || amount <= 0 {
            return Err(Refusal::ExceedsRemaining { remaining });
        }
        this.count_action()?;
        this.counts.captures = counted(this.counts.captures, "captures", CAPTURES_MAX)?;
        this.balance.captured += amount;
        let capture = Capture {
            number: this.counts.captures,
            reference: command.reference,
            amount,
            refunded: 0,
            charged_back: 0,
            captured_at: now,
        };
        this.updated_at = now;
        happened.push(this.happened(EventType::PaymentTransactionCaptured, now, Detail::Captured(capture.clone())));
        if command.release {
            this.balance.voided += this.balance.remaining();
        }
        let event = if this.balance.remaining() == 0 { Event::CapturedRest } else { Event::CapturedPart };
        happened.extend(this.move_on(event, now)?);
        Ok((this, capture, happened))
    }

    /// Gives back `command.amount`, or all. `captures` are those of this transaction by number; those that bear the refund
    /// are changed.
    ///
    /// # Errors
    /// [`Refusal::State`], [`Refusal::ExceedsRefundable`], [`Refusal::LineItemsNeeded`], [`Refusal::TooMany`].
    pub fn refund(&self, captures: &mut [Capture], command: RefundCommand, now: i64) -> Decided<Refund> {
        let (mut this, mut happened) = self.at(now);
        this.state.next(Event::Refunded)?;
        let bears = |capture: &Capture| command.capture_number.is_none_or(|number| capture.number == number);
        let refundable: i64 = captures.iter().filter(|capture| bears(capture)).map(Capture::refundable).sum();
        let amount = command.amount.unwrap_or(refundable);
        if amount > refundable || amount <= 0 {
            return Err(Refusal::ExceedsRefundable { refundable });
        }
        if command.capture_number.is_none() && captures.len() > 1 && !command.has_line_items {
            return Err(Refusal::LineItemsNeeded);
        }
        this.count_action()?;
        this.counts.refunds = counted(this.counts.refunds, "refunds", REFUNDS_MAX)?;
        let mut rest = amount;
        let mut shares = Vec::new();
        // Oldest first (RULINGS "Money").
        for capture in captures.iter_mut().filter(|capture| bears(capture)) {
            let share = rest.min(capture.refundable());
            if share > 0 {
                capture.refunded += share;
                rest -= share;
                shares.push((capture.number, share));
            }
        }
        assert!(rest == 0, "captures add up to what can be refunded");
        this.balance.refunded += amount;
        let refund =
            Refund { number: this.counts.refunds, reference: command.reference, amount, refunded_at: now, shares };
        this.updated_at = now;
        happened.push(this.happened(EventType::PaymentTransactionRefunded, now, Detail::Refunded(refund.clone())));
        happened.extend(this.move_on(Event::Refunded, now)?);
        Ok((this, refund, happened))
    }

    /// Books the loss of a dispute on one capture.
    ///
    /// # Errors
    /// [`Refusal::State`], [`Refusal::ExceedsRefundable`].
    pub fn charge_back(
        &self,
        capture: &mut Capture,
        dispute: &DisputeId,
        amount: i64,
        now: i64,
    ) -> Decided<Chargeback> {
        let (mut this, mut happened) = self.at(now);
        this.state.next(Event::ChargedBack)?;
        let refundable = capture.refundable();
        if amount > refundable || amount <= 0 {
            return Err(Refusal::ExceedsRefundable { refundable });
        }
        capture.charged_back += amount;
        this.balance.charged_back += amount;
        this.counts.chargebacks += 1;
        let chargeback =
            Chargeback { number: this.counts.chargebacks, capture_number: capture.number, amount, created_at: now };
        this.updated_at = now;
        let detail = Detail::ChargedBack(chargeback.clone(), dispute.clone());
        happened.push(this.happened(EventType::PaymentTransactionChargeback, now, detail));
        happened.extend(this.move_on(Event::ChargedBack, now)?);
        Ok((this, chargeback, happened))
    }

    /// A dispute was opened, or one of them was closed.
    pub fn disputed(&self, opened: bool, now: i64) -> (Self, Vec<Happened>) {
        let (mut this, happened) = self.at(now);
        this.open_disputes = (this.open_disputes + if opened { 1 } else { -1 }).max(0);
        (this, happened)
    }

    /// Lets go of everything that is not captured.
    ///
    /// # Errors
    /// [`Refusal::State`], [`Refusal::TooMany`].
    pub fn void(&self, now: i64) -> Decided<()> {
        let (mut this, mut happened) = self.at(now);
        let event = if this.balance.captured > 0 { Event::VoidedRest } else { Event::VoidedAll };
        this.state.next(event)?;
        this.count_action()?;
        this.counts.voids = counted(this.counts.voids, "voids", VOIDS_MAX)?;
        this.balance.voided += this.balance.remaining();
        this.updated_at = now;
        happened.extend(this.move_on(event, now)?);
        Ok((this, (), happened))
    }

    /// Changes the amount (`None` leaves it) or a description. Raising it is decided anew, by `persona` if the purchase data
    /// names one, else by that of the transaction.
    ///
    /// # Errors
    /// [`Refusal::State`], [`Refusal::BelowCaptured`], [`Refusal::RaiseRefused`], [`Refusal::TooMany`].
    pub fn update(&self, amount: Option<i64>, persona: Option<Persona>, now: i64) -> Decided<()> {
        let (mut this, mut happened) = self.at(now);
        this.state.next(Event::Updated)?;
        this.count_action()?;
        this.set_amount(amount, persona)?;
        this.updated_at = now;
        // Ours: an amount that is lowered to what was captured leaves nothing to capture.
        let event = if this.balance.remaining() == 0 { Event::CapturedRest } else { Event::Updated };
        happened.extend(this.move_on(event, now)?);
        Ok((this, (), happened))
    }

    /// Renews an expired authorization, or extends one.
    ///
    /// # Errors
    /// [`Refusal::State`], [`Refusal::BelowCaptured`], [`Refusal::RaiseRefused`], [`Refusal::ExtensionTooLong`],
    /// [`Refusal::TooMany`].
    pub fn reauthorize(&self, command: Reauthorization, now: i64) -> Decided<()> {
        let (mut this, mut happened) = self.at(now);
        this.state.next(Event::Reauthorized)?;
        this.count_action()?;
        this.set_amount(command.amount, command.persona)?;
        if this.balance.remaining() == 0 {
            return Err(Refusal::BelowCaptured { captured: this.balance.captured });
        }
        this.expires_at = match command.extension_days {
            // Ours: an extension counts from the end of what still runs, a renewal from now.
            Some(days) => {
                this.extension_days += days;
                if this.extension_days > EXTENSION_DAYS_MAX {
                    return Err(Refusal::ExtensionTooLong);
                }
                this.expires_at.max(now).saturating_add(days.saturating_mul(DAY_US))
            }
            None => this.expires_at.max(now.saturating_add(AUTHORIZATION_US)),
        };
        this.updated_at = now;
        happened.extend(this.move_on(Event::Reauthorized, now)?);
        Ok((this, (), happened))
    }

    /// The customer's money came, for a payment that is not guaranteed.
    ///
    /// # Errors
    /// [`Refusal::FundingSettled`].
    pub fn fund(&self, now: i64) -> Decided<()> {
        self.settle_funding(Funding::Funded, EventType::PaymentFundingFunded, now)
    }

    /// It is given up before its time.
    ///
    /// # Errors
    /// [`Refusal::FundingSettled`].
    pub fn give_up(&self, now: i64) -> Decided<()> {
        self.settle_funding(Funding::Expired, EventType::PaymentFundingExpired, now)
    }

    fn settle_funding(&self, funding: Funding, event: EventType, now: i64) -> Decided<()> {
        let (mut this, mut happened) = self.at(now);
        if this.funding != Funding::Pending || this.state == State::Closed {
            return Err(Refusal::FundingSettled);
        }
        this.funding = funding;
        happened.push(this.happened(event, now, Detail::Funding));
        Ok((this, (), happened))
    }

    fn set_amount(&mut self, amount: Option<i64>, persona: Option<Persona>) -> Result<(), Refusal> {
        let Some(amount) = amount else { return Ok(()) };
        if amount < self.balance.captured + self.balance.voided {
            return Err(Refusal::BelowCaptured { captured: self.balance.captured });
        }
        let decides = persona.unwrap_or(self.persona);
        if amount > self.balance.amount && !decides.approves() {
            return Err(Refusal::RaiseRefused);
        }
        self.balance.amount = amount;
        Ok(())
    }

    fn count_action(&mut self) -> Result<(), Refusal> {
        self.counts.actions = counted(self.counts.actions, "actions", ACTIONS_MAX)?;
        Ok(())
    }

    /// Takes the step and, if it changes the state, says so in an event.
    fn move_on(&mut self, event: Event, at: i64) -> Result<Option<Happened>, InvalidTransition> {
        let previous = self.state;
        self.state = previous.next(event)?;
        self.balance.assert_sound();
        let is_open = matches!(self.state, State::Authorized | State::Expired);
        assert!(is_open == (self.balance.remaining() > 0), "{:?} with {:?}", self.state, self.balance);
        if self.state == previous {
            return Ok(None);
        }
        self.updated_at = at;
        let mut happened = self.happened(self.state.event_type(), at, Detail::State);
        happened.previous = Some(previous);
        Ok(Some(happened))
    }

    fn happened(&self, event: EventType, at: i64, detail: Detail) -> Happened {
        Happened {
            event,
            at,
            state: self.state,
            previous: None,
            balance: self.balance,
            funding: self.funding,
            expires_at: self.expires_at,
            detail,
        }
    }
}

enum Step {
    State(Event),
    Funding,
}

fn counted(count: i64, what: &'static str, max: i64) -> Result<i64, Refusal> {
    if count >= max { Err(Refusal::TooMany { what, max }) } else { Ok(count + 1) }
}

#[cfg(test)]
mod tests {
    use protocol::krn::Region;
    use uuid::Uuid;

    use super::*;

    const NOW: i64 = 1_772_445_600_000_000;

    fn authorized(amount: i64) -> PaymentTransaction {
        let id = PaymentTransactionId::new(Region::Eu1, Uuid::from_u128(7));
        PaymentTransaction::authorize(id, (Currency::EUR, amount), true, Persona::Approved, None, NOW).0
    }

    fn take(amount: i64) -> CaptureCommand {
        CaptureCommand { amount: Some(amount), ..CaptureCommand::default() }
    }

    fn give(amount: i64) -> RefundCommand {
        RefundCommand { amount: Some(amount), ..RefundCommand::default() }
    }

    fn dispute() -> DisputeId {
        DisputeId::new(Region::Eu1, 9)
    }

    fn events(happened: &[Happened]) -> Vec<&str> {
        happened.iter().map(|happened| happened.event.as_str().rsplit('.').next().unwrap()).collect()
    }

    #[test]
    fn captures_leave_the_rest_until_nothing_is_left() {
        let (transaction, first, happened) = authorized(5000).capture(take(2000), NOW).unwrap();
        assert_eq!((first.number, transaction.balance.remaining(), transaction.state), (1, 3000, State::Authorized));
        assert_eq!(events(&happened), ["captured"]);
        let beyond = transaction.capture(take(3001), NOW).unwrap_err();
        assert_eq!(beyond, Refusal::ExceedsRemaining { remaining: 3000 });
        let (transaction, second, happened) = transaction.capture(CaptureCommand::default(), NOW).unwrap();
        assert_eq!((second.number, second.amount, transaction.state), (2, 3000, State::Completed));
        assert_eq!(events(&happened), ["captured", "completed"]);
        assert_eq!(happened[0].state, State::Authorized);
        assert_eq!(happened[1].previous, Some(State::Authorized));
        assert!(matches!(transaction.void(NOW), Err(Refusal::State(_))));
    }

    #[test]
    fn a_release_voids_what_the_capture_leaves() {
        let command = CaptureCommand { release: true, ..take(2000) };
        let (transaction, _, happened) = authorized(5000).capture(command, NOW).unwrap();
        assert_eq!((transaction.balance.voided, transaction.state), (3000, State::Completed));
        assert_eq!(events(&happened), ["captured", "completed"]);
    }

    #[test]
    fn capture_now_tells_three_events() {
        let id = PaymentTransactionId::new(Region::Us1, Uuid::from_u128(8));
        let capture = Some(CaptureCommand::default());
        let (transaction, capture, happened) =
            PaymentTransaction::authorize(id, (Currency::USD, 900), true, Persona::Approved, capture, NOW);
        assert_eq!((transaction.state, capture.unwrap().amount), (State::Completed, 900));
        assert_eq!(events(&happened), ["authorized", "captured", "completed"]);
        assert_eq!(happened[0].balance.captured, 0);
    }

    #[test]
    fn a_void_closes_what_was_never_captured_and_completes_the_rest() {
        let (transaction, (), happened) = authorized(100).void(NOW).unwrap();
        assert_eq!((transaction.state, transaction.balance.voided), (State::Closed, 100));
        assert_eq!(events(&happened), ["closed"]);
        let (captured, ..) = authorized(100).capture(take(40), NOW).unwrap();
        let (transaction, (), happened) = captured.void(NOW).unwrap();
        assert_eq!((transaction.state, transaction.balance.voided), (State::Completed, 60));
        assert_eq!(events(&happened), ["completed"]);
    }

    #[test]
    fn refunds_go_to_the_oldest_captures_first_and_never_beyond_them() {
        let (transaction, first, _) = authorized(100).capture(take(40), NOW).unwrap();
        let (transaction, second, _) = transaction.capture(take(60), NOW).unwrap();
        let mut captures = vec![first, second];
        let unnamed = transaction.refund(&mut captures, give(50), NOW).unwrap_err();
        assert_eq!(unnamed, Refusal::LineItemsNeeded);
        let command = RefundCommand { has_line_items: true, ..give(50) };
        let (transaction, refund, _) = transaction.refund(&mut captures, command, NOW).unwrap();
        assert_eq!(refund.shares, [(1, 40), (2, 10)]);
        let command = RefundCommand { capture_number: Some(2), ..give(51) };
        let beyond = transaction.refund(&mut captures, command, NOW).unwrap_err();
        assert_eq!(beyond, Refusal::ExceedsRefundable { refundable: 50 });
        let (transaction, chargeback, happened) =
            transaction.charge_back(&mut captures[1], &dispute(), 30, NOW).unwrap();
        assert_eq!((chargeback.number, events(&happened)), (1, vec!["chargeback"]));
        let rest = RefundCommand { capture_number: Some(2), ..RefundCommand::default() };
        let (transaction, refund, _) = transaction.refund(&mut captures, rest, NOW).unwrap();
        assert_eq!((refund.amount, transaction.balance.refundable()), (20, 0));
    }

    #[test]
    fn time_alone_expires_completes_and_closes() {
        let (captured, ..) = authorized(100).capture(take(40), NOW).unwrap();
        let (expired, happened) = captured.at(NOW + AUTHORIZATION_US);
        assert_eq!((expired.state, events(&happened)), (State::Expired, vec!["expired"]));
        assert!(matches!(expired.capture(take(1), NOW + AUTHORIZATION_US), Err(Refusal::State(_))));
        let (completed, happened) = expired.at(NOW + AUTHORIZATION_US + RENEWAL_US);
        assert_eq!((completed.state, completed.balance.voided), (State::Completed, 60));
        assert_eq!(events(&happened), ["completed"]);
        let end = NOW + AUTHORIZATION_US + RENEWAL_US + COMPLETED_LIFE_US;
        let (closed, happened) = captured.at(end);
        assert_eq!((closed.state, events(&happened)), (State::Closed, vec!["expired", "completed", "closed"]));
        assert_eq!(happened[2].at, end);
        assert!(closed.at(i64::MAX).1.is_empty());
        let (closed, happened) = authorized(100).at(NOW + AUTHORIZATION_US + RENEWAL_US);
        assert_eq!((closed.state, events(&happened)), (State::Closed, vec!["expired", "closed"]));
    }

    #[test]
    fn an_expired_authorization_comes_back_within_seven_days() {
        let late = NOW + AUTHORIZATION_US + RENEWAL_US - 1;
        let (renewed, (), happened) = authorized(100).reauthorize(Reauthorization::default(), late).unwrap();
        assert_eq!((renewed.state, renewed.expires_at), (State::Authorized, late + AUTHORIZATION_US));
        assert_eq!(events(&happened), ["expired", "authorized"]);
        assert!(authorized(100).reauthorize(Reauthorization::default(), late + 1).is_err());
        let days = |days| Reauthorization { extension_days: Some(days), ..Reauthorization::default() };
        let (extended, (), happened) = authorized(100).reauthorize(days(100), NOW).unwrap();
        assert_eq!((extended.expires_at, happened.len()), (NOW + AUTHORIZATION_US + 100 * DAY_US, 0));
        assert_eq!(extended.reauthorize(days(81), NOW), Err(Refusal::ExtensionTooLong));
    }

    #[test]
    fn an_amount_is_lowered_to_the_captured_and_raised_only_for_those_with_credit() {
        let (captured, ..) = authorized(100).capture(take(40), NOW).unwrap();
        assert_eq!(captured.update(Some(39), None, NOW), Err(Refusal::BelowCaptured { captured: 40 }));
        assert_eq!(captured.update(Some(101), Some(Persona::Denied), NOW), Err(Refusal::RaiseRefused));
        assert_eq!(captured.update(Some(101), None, NOW).unwrap().0.balance.remaining(), 61);
        let (completed, (), happened) = captured.update(Some(40), None, NOW).unwrap();
        assert_eq!((completed.state, events(&happened)), (State::Completed, vec!["completed"]));
        assert!(matches!(completed.update(None, None, NOW), Err(Refusal::State(_))));
    }

    #[test]
    fn funding_that_does_not_come_lapses() {
        let id = PaymentTransactionId::new(Region::Eu1, Uuid::from_u128(9));
        let (pending, _, _) =
            PaymentTransaction::authorize(id, (Currency::EUR, 10), false, Persona::Approved, None, NOW);
        assert_eq!(pending.due_at(), Some(NOW + FUNDING_US));
        let (lapsed, happened) = pending.at(NOW + FUNDING_US);
        assert_eq!((lapsed.funding, happened[0].event.clone()), (Funding::Expired, EventType::PaymentFundingExpired));
        let (funded, (), happened) = pending.fund(NOW).unwrap();
        assert_eq!((funded.funding, happened.len()), (Funding::Funded, 1));
        assert_eq!(funded.fund(NOW), Err(Refusal::FundingSettled));
        assert_eq!(authorized(1).fund(NOW), Err(Refusal::FundingSettled));
        // What is closed awaits no money.
        assert_eq!(pending.void(NOW).unwrap().0.fund(NOW), Err(Refusal::FundingSettled));
    }

    #[test]
    fn the_documented_limits_hold() {
        let mut transaction = authorized(1_000);
        for _ in 0..CAPTURES_MAX {
            transaction = transaction.capture(take(1), NOW).unwrap().0;
        }
        let limit = transaction.capture(take(1), NOW).unwrap_err();
        assert_eq!(limit, Refusal::TooMany { what: "captures", max: CAPTURES_MAX });
        for _ in CAPTURES_MAX..ACTIONS_MAX {
            transaction = transaction.update(None, None, NOW).unwrap().0;
        }
        let limit = transaction.void(NOW).unwrap_err();
        assert_eq!(limit, Refusal::TooMany { what: "actions", max: ACTIONS_MAX });
    }
}
