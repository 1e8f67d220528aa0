//! A payment and what may become of it. Pure: no I/O, no clock; `now` is an argument.
//!
//! What Klarna says arrives on three ways (the answer to a call, a webhook, a look-up), in any order and any number of times.
//! All of them end here, and whoever is second changes nothing: a state is only left by an event that it knows, amounts that only
//! grow take the larger value, and an operation leaves `PENDING` once.

use protocol::open_enum;
use serde::{Deserialize, Serialize};

open_enum! {
    /// Where a payment stands, as Partners see it.
    pub enum PaymentState {
        /// Klarna has not answered yet, or the customer is done and the authorization is under way.
        Pending = "PENDING",
        /// The customer has to go through Klarna's purchase flow.
        RequiresCustomerAction = "REQUIRES_CUSTOMER_ACTION",
        /// Authorized, nothing captured.
        Authorized = "AUTHORIZED",
        /// Something captured, something left.
        PartiallyCaptured = "PARTIALLY_CAPTURED",
        /// Nothing left to capture.
        Captured = "CAPTURED",
        /// Klarna said no. Final.
        Declined = "DECLINED",
        /// Given up before it was authorized. Final.
        Canceled = "CANCELED",
        /// The customer did not finish in time (final), or the authorization ran out (it may be renewed by Klarna).
        Expired = "EXPIRED",
        /// Authorized and given up with nothing captured. Final.
        Voided = "VOIDED",
        /// Nothing further can happen. Final.
        Closed = "CLOSED",
        /// Klarna refused the call itself. Final, and no money moved.
        Failed = "FAILED",
    }
}

/// What moves a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Klarna wants to see the customer.
    StepUpRequired,
    /// The customer approved; the final authorization follows.
    CustomerApproved,
    /// Klarna authorized.
    Authorized,
    /// Klarna declined, or the customer refused.
    Declined,
    /// The Payment Request was canceled.
    Canceled,
    /// The Payment Request expired.
    RequestExpired,
    /// Klarna refused the call.
    Refused,
    /// Captured; something is left.
    CapturedSome,
    /// Captured, or voided after captures; nothing is left.
    CapturedAll,
    /// Voided with nothing captured.
    Voided,
    /// The authorization ran out.
    AuthorizationExpired,
    /// The authorization was renewed and nothing is captured.
    Reauthorized,
    /// Klarna closed the transaction.
    Closed,
}

/// An event that a state does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payment in {from} cannot take {event:?}")]
pub struct InvalidTransition {
    /// The state.
    pub from: PaymentState,
    /// The event.
    pub event: Event,
}

impl PaymentState {
    /// The state after `event`.
    ///
    /// # Errors
    /// [`InvalidTransition`], among them everything that arrives late or twice.
    pub fn next(self, event: Event) -> Result<Self, InvalidTransition> {
        use Event as E;
        use PaymentState::*;
        match (self, event) {
            (Pending, E::StepUpRequired) => Ok(RequiresCustomerAction),
            (Pending | RequiresCustomerAction, E::CustomerApproved) => Ok(Pending),
            (Pending | RequiresCustomerAction, E::Authorized) => Ok(Authorized),
            (Pending | RequiresCustomerAction, E::Declined) => Ok(Declined),
            (Pending | RequiresCustomerAction, E::Canceled) => Ok(Canceled),
            (Pending | RequiresCustomerAction, E::RequestExpired) => Ok(Expired),
            (Pending | RequiresCustomerAction, E::Refused) => Ok(Failed),
            (Authorized | PartiallyCaptured | Expired, E::CapturedSome) => Ok(PartiallyCaptured),
            (Authorized | PartiallyCaptured | Expired, E::CapturedAll) => Ok(Captured),
            (Authorized | Expired, E::Voided) => Ok(Voided),
            (Authorized | PartiallyCaptured, E::AuthorizationExpired) => Ok(Expired),
            (Expired, E::Reauthorized) => Ok(Authorized),
            (Authorized | PartiallyCaptured | Captured | Expired, E::Closed) => Ok(Closed),
            (
                from @ (Pending
                | RequiresCustomerAction
                | Authorized
                | PartiallyCaptured
                | Captured
                | Declined
                | Canceled
                | Expired
                | Voided
                | Closed
                | Failed
                | Unknown(_)),
                event,
            ) => Err(InvalidTransition { from, event }),
        }
    }

    /// Whether Klarna has not decided yet.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::RequiresCustomerAction)
    }

    /// The event that tells Partners of this state; `None` for `PENDING`, which tells nothing.
    pub fn notice(&self) -> Option<Notice> {
        match self {
            Self::RequiresCustomerAction => Some(Notice::RequiresCustomerAction),
            Self::Authorized => Some(Notice::Authorized),
            Self::PartiallyCaptured | Self::Captured => Some(Notice::Captured),
            Self::Declined => Some(Notice::Declined),
            Self::Canceled => Some(Notice::Canceled),
            Self::Expired => Some(Notice::Expired),
            Self::Voided => Some(Notice::Voided),
            Self::Closed => Some(Notice::Closed),
            Self::Failed => Some(Notice::Failed),
            Self::Pending | Self::Unknown(_) => None,
        }
    }
}

/// What Partners are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    RequiresCustomerAction,
    Authorized,
    Declined,
    Canceled,
    Expired,
    Captured,
    Refunded,
    Voided,
    Updated,
    Closed,
    Failed,
}

impl Notice {
    /// The event's type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RequiresCustomerAction => "payment.requires_customer_action",
            Self::Authorized => "payment.authorized",
            Self::Declined => "payment.declined",
            Self::Canceled => "payment.canceled",
            Self::Expired => "payment.expired",
            Self::Captured => "payment.captured",
            Self::Refunded => "payment.refunded",
            Self::Voided => "payment.voided",
            Self::Updated => "payment.updated",
            Self::Closed => "payment.closed",
            Self::Failed => "payment.failed",
        }
    }
}

/// How far the authorization is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first call, or the customer's turn.
    Authorize,
    /// The customer approved: the final call.
    Finalize,
}

impl Phase {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "AUTHORIZE",
            Self::Finalize => "FINALIZE",
        }
    }

    /// From the database.
    pub fn from_stored(text: &str) -> Self {
        if text == "FINALIZE" { Self::Finalize } else { Self::Authorize }
    }
}

/// A payment's books. Amounts are minor units of the payment's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    pub state: PaymentState,
    pub phase: Phase,
    /// What is, or would be, authorized.
    pub amount: i64,
    pub captured: i64,
    pub refunded: i64,
    pub charged_back: i64,
    pub voided: i64,
    /// Totals that Klarna told, which may be ahead of the operations known here.
    pub told: Told,
    /// When Klarna lets the request or the authorization expire, in microseconds UTC.
    pub expires_at: Option<i64>,
}

/// What Klarna told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whether there is a Payment Transaction.
    pub authorized: bool,
    pub captured: i64,
    pub refunded: i64,
    /// When the amount was told, in microseconds UTC: an older one doesn't overwrite it.
    pub amount_at: i64,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    Capture,
    Refund,
    Void,
    Update,
    Cancel,
}

impl OperationKind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "CAPTURE",
            Self::Refund => "REFUND",
            Self::Void => "VOID",
            Self::Update => "UPDATE",
            Self::Cancel => "CANCEL",
        }
    }

    /// From the database.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::Capture, Self::Refund, Self::Void, Self::Update, Self::Cancel]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// Klarna's answer is outstanding.
    Pending,
    Succeeded,
    /// Klarna refused it: nothing happened.
    Failed,
}

impl OperationState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }

    /// From the database.
    pub fn from_stored(text: &str) -> Self {
        match text {
            "SUCCEEDED" => Self::Succeeded,
            "FAILED" => Self::Failed,
            _ => Self::Pending,
        }
    }
}

/// Something done to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// `cap_…`, `ref_…`, or of another kind.
    pub id: String,
    pub kind: OperationKind,
    pub state: OperationState,
    /// Minor units; zero where the kind has none.
    pub amount: i64,
    /// Of a refund: the capture that bears it, if it was named.
    pub capture_id: Option<String>,
    /// Klarna's id of it.
    pub klarna_id: Option<String>,
}

/// Why something cannot be done to a payment now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    #[error("the payment is {0}")]
    State(PaymentState),
    #[error("{available} is left, {asked} was asked for")]
    Exceeds { available: i64, asked: i64 },
    #[error("the amount cannot be less than the {floor} that is captured")]
    BelowCaptured { floor: i64 },
    #[error("nothing is left")]
    NothingLeft,
    #[error("there is no such capture")]
    UnknownCapture,
    #[error("another operation on the payment is still under way")]
    Busy,
}

/// A Payment Transaction as Klarna shows it in answers and webhooks; what it leaves out is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub amount: Option<i64>,
    pub captured: Option<i64>,
    pub refunded: Option<i64>,
    pub charged_back: Option<i64>,
    pub voided: Option<i64>,
    pub expired: bool,
    pub closed: bool,
    pub expires_at: Option<i64>,
    /// When it was so, in microseconds UTC.
    pub as_of: i64,
}

impl Books {
    /// Of a new payment.
    pub fn new(amount: i64) -> Self {
        Self {
            state: PaymentState::Pending,
            phase: Phase::Authorize,
            amount,
            captured: 0,
            refunded: 0,
            charged_back: 0,
            voided: 0,
            told: Told::default(),
            expires_at: None,
        }
    }

    /// What can still be captured, whatever is under way.
    pub fn remaining(&self) -> i64 {
        if self.told.authorized { (self.amount - self.captured - self.voided).max(0) } else { 0 }
    }

    /// Takes an event; what it tells Partners. An event that the state doesn't know changes nothing: it came late or twice.
    pub fn take(&mut self, event: Event) -> Vec<Notice> {
        let Ok(next) = self.state.clone().next(event) else { return Vec::new() };
        if event == Event::CustomerApproved {
            self.phase = Phase::Finalize;
        }
        self.told.authorized |= event == Event::Authorized;
        if next == self.state {
            return Vec::new();
        }
        self.state = next;
        self.state.notice().into_iter().collect()
    }

    /// Takes up what Klarna shows of the transaction: authorizes a payment that waits, then follows amounts and state.
    pub fn observe(&mut self, shown: &Snapshot, operations: &[Operation]) -> Vec<Notice> {
        let mut notices = Vec::new();
        if self.state.is_open() {
            notices.extend(self.take(Event::Authorized));
        }
        if !self.told.authorized {
            // It ended without a transaction, for us and for good.
            return notices;
        }
        if let Some(amount) = shown.amount.filter(|amount| *amount > 0 && shown.as_of >= self.told.amount_at) {
            self.told.amount_at = shown.as_of;
            if amount != self.amount {
                self.amount = amount;
                notices.push(Notice::Updated);
            }
        }
        if shown.expires_at.is_some() && shown.as_of >= self.told.amount_at {
            self.expires_at = shown.expires_at;
        }
        self.told.captured = self.told.captured.max(shown.captured.unwrap_or(0));
        self.told.refunded = self.told.refunded.max(shown.refunded.unwrap_or(0));
        self.charged_back = self.charged_back.max(shown.charged_back.unwrap_or(0));
        self.voided = self.voided.max(shown.voided.unwrap_or(0)).min(self.amount.saturating_sub(self.captured)).max(0);
        notices.extend(self.add_up(operations));
        if shown.closed {
            notices.extend(self.take(Event::Closed));
        } else if shown.expired {
            notices.extend(self.take(Event::AuthorizationExpired));
        } else if self.state == PaymentState::Expired
            && shown.as_of >= self.told.amount_at
            && shown.expires_at.is_some()
        {
            // Klarna shows a living authorization again.
            let renewed = if self.captured > 0 { Event::CapturedSome } else { Event::Reauthorized };
            notices.extend(self.take(renewed));
        }
        notices
    }

    /// Brings amounts and state in line with the operations and with what Klarna told.
    pub fn add_up(&mut self, operations: &[Operation]) -> Vec<Notice> {
        let sum = |kind: OperationKind| -> i64 {
            let amounts = operations
                .iter()
                .filter(|op| op.kind == kind && op.state == OperationState::Succeeded)
                .map(|op| op.amount);
            amounts.fold(0, i64::saturating_add)
        };
        let mut notices = Vec::new();
        // Never beyond what is authorized: whatever arrives, the books stay balanced.
        let captured =
            self.told.captured.max(sum(OperationKind::Capture)).clamp(self.captured, self.amount.max(self.captured));
        let refunded =
            self.told.refunded.max(sum(OperationKind::Refund)).clamp(self.refunded, captured.max(self.refunded));
        if captured > self.captured {
            self.captured = captured;
            self.voided = self.voided.min((self.amount - captured).max(0));
            notices.push(Notice::Captured);
        }
        if refunded > self.refunded {
            self.refunded = refunded;
            notices.push(Notice::Refunded);
        }
        let grew = !notices.is_empty();
        let left = self.amount - self.captured - self.voided;
        let event = match (self.captured > 0, left > 0) {
            (true, true) if self.state == PaymentState::Authorized => Some(Event::CapturedSome),
            (true, false) => Some(Event::CapturedAll),
            (false, false) => Some(Event::Voided),
            (true | false, true) => None,
        };
        // A capture is told above, whether or not the state moves; what ends without one is a void of the rest.
        let moved = event.is_some_and(|event| !self.take(event).is_empty());
        if moved && !grew && self.voided > 0 {
            notices.push(Notice::Voided);
        }
        notices
    }

    /// How much a capture takes: `asked`, or all that is left and not being captured already.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn begin_capture(&self, operations: &[Operation], asked: Option<i64>) -> Result<i64, Forbidden> {
        if !matches!(self.state, PaymentState::Authorized | PaymentState::PartiallyCaptured) {
            return Err(Forbidden::State(self.state.clone()));
        }
        if pending(operations, OperationKind::Void).next().is_some() {
            return Err(Forbidden::Busy);
        }
        let available = self.remaining() - pending_sum(operations, OperationKind::Capture);
        match asked {
            Some(asked) if asked > available => Err(Forbidden::Exceeds { available, asked }),
            Some(asked) => Ok(asked),
            None if available > 0 => Ok(available),
            None => Err(Forbidden::NothingLeft),
        }
    }

    /// How much a refund gives back, of one capture if it is named.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn begin_refund(
        &self,
        operations: &[Operation],
        asked: Option<i64>,
        capture_id: Option<&str>,
    ) -> Result<i64, Forbidden> {
        let refundable = matches!(
            self.state,
            PaymentState::PartiallyCaptured | PaymentState::Captured | PaymentState::Expired | PaymentState::Authorized
        );
        if !refundable || self.captured == 0 {
            return Err(Forbidden::State(self.state.clone()));
        }
        let mut available =
            self.captured - self.refunded - self.charged_back - pending_sum(operations, OperationKind::Refund);
        if let Some(capture_id) = capture_id {
            let capture = operations
                .iter()
                .find(|op| op.kind == OperationKind::Capture && op.id == capture_id)
                .ok_or(Forbidden::UnknownCapture)?;
            if capture.state != OperationState::Succeeded {
                return Err(Forbidden::Busy);
            }
            let taken = operations.iter().filter(|op| {
                op.kind == OperationKind::Refund
                    && op.state != OperationState::Failed
                    && op.capture_id.as_deref() == Some(capture_id)
            });
            available = available.min(capture.amount - taken.map(|op| op.amount).fold(0, i64::saturating_add));
        }
        match asked {
            Some(asked) if asked > available => Err(Forbidden::Exceeds { available: available.max(0), asked }),
            Some(asked) => Ok(asked),
            None if available > 0 => Ok(available),
            None => Err(Forbidden::NothingLeft),
        }
    }

    /// Whether what is left can be given up.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn begin_void(&self, operations: &[Operation]) -> Result<(), Forbidden> {
        use PaymentState::{Authorized, Expired, PartiallyCaptured};
        if !matches!(self.state, Authorized | PartiallyCaptured | Expired) || !self.told.authorized {
            return Err(Forbidden::State(self.state.clone()));
        }
        if operations.iter().any(|op| op.state == OperationState::Pending && op.kind != OperationKind::Refund) {
            return Err(Forbidden::Busy);
        }
        if self.remaining() == 0 { Err(Forbidden::NothingLeft) } else { Ok(()) }
    }

    /// Whether the payment can be changed, to `amount` if one is given.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn begin_update(&self, operations: &[Operation], amount: Option<i64>) -> Result<(), Forbidden> {
        use PaymentState::{Authorized, PartiallyCaptured, RequiresCustomerAction};
        if !matches!(self.state, Authorized | PartiallyCaptured | RequiresCustomerAction) {
            return Err(Forbidden::State(self.state.clone()));
        }
        if operations.iter().any(|op| op.state == OperationState::Pending && op.kind != OperationKind::Refund) {
            return Err(Forbidden::Busy);
        }
        match amount {
            Some(amount) if amount < self.captured => Err(Forbidden::BelowCaptured { floor: self.captured }),
            _ => Ok(()),
        }
    }

    /// Whether the payment can be given up before it is authorized.
    ///
    /// # Errors
    /// [`Forbidden`].
    pub fn begin_cancel(&self, operations: &[Operation]) -> Result<(), Forbidden> {
        match self.state {
            PaymentState::RequiresCustomerAction => {}
            PaymentState::Pending => return Err(Forbidden::Busy),
            _ => return Err(Forbidden::State(self.state.clone())),
        }
        if operations.iter().any(|op| op.state == OperationState::Pending) { Err(Forbidden::Busy) } else { Ok(()) }
    }

    /// What always holds.
    pub fn is_balanced(&self) -> bool {
        let amounts = [self.captured, self.refunded, self.charged_back, self.voided];
        amounts.iter().all(|amount| *amount >= 0)
            && i128::from(self.captured) + i128::from(self.voided) <= i128::from(self.amount.max(self.captured))
            && self.refunded <= self.captured
    }
}

fn pending(operations: &[Operation], kind: OperationKind) -> impl Iterator<Item = &Operation> {
    operations.iter().filter(move |op| op.kind == kind && op.state == OperationState::Pending)
}

fn pending_sum(operations: &[Operation], kind: OperationKind) -> i64 {
    pending(operations, kind).map(|op| op.amount).fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EVENTS: [Event; 13] = [
        Event::StepUpRequired,
        Event::CustomerApproved,
        Event::Authorized,
        Event::Declined,
        Event::Canceled,
        Event::RequestExpired,
        Event::Refused,
        Event::CapturedSome,
        Event::CapturedAll,
        Event::Voided,
        Event::AuthorizationExpired,
        Event::Reauthorized,
        Event::Closed,
    ];

    const OUTSIDE: [Event; 9] = [
        Event::StepUpRequired,
        Event::CustomerApproved,
        Event::Authorized,
        Event::Declined,
        Event::Canceled,
        Event::RequestExpired,
        Event::Refused,
        Event::AuthorizationExpired,
        Event::Closed,
    ];

    fn operation(id: &str, kind: OperationKind, state: OperationState, amount: i64) -> Operation {
        Operation { id: id.into(), kind, state, amount, capture_id: None, klarna_id: None }
    }

    fn authorized(amount: i64) -> Books {
        let mut books = Books::new(amount);
        assert_eq!(books.take(Event::Authorized), [Notice::Authorized]);
        books
    }

    #[test]
    fn final_states_take_nothing() {
        use PaymentState::{Canceled, Closed, Declined, Failed, Voided};
        for state in [Declined, Canceled, Voided, Closed, Failed] {
            for event in EVENTS {
                assert!(state.clone().next(event).is_err(), "{state} took {event:?}");
            }
        }
    }

    #[test]
    fn a_webhook_before_the_answer_leaves_the_answer_nothing_to_change() {
        let mut books = authorized(1000);
        let mut capture = operation("cap_1", OperationKind::Capture, OperationState::Succeeded, 400);
        let shown = Snapshot { amount: Some(1000), captured: Some(400), as_of: 5, ..Snapshot::default() };
        assert_eq!(books.observe(&shown, std::slice::from_ref(&capture)), [Notice::Captured]);
        capture.klarna_id = Some("k".into());
        assert_eq!(books.add_up(&[capture]), []);
        assert_eq!((books.captured, books.state.clone()), (400, PaymentState::PartiallyCaptured));
    }

    #[test]
    fn a_total_told_ahead_of_two_answers_is_not_counted_twice() {
        let mut books = authorized(1000);
        let pending = operation("cap_a", OperationKind::Capture, OperationState::Pending, 300);
        let done = operation("cap_b", OperationKind::Capture, OperationState::Succeeded, 200);
        let shown = Snapshot { captured: Some(500), as_of: 1, ..Snapshot::default() };
        books.observe(&shown, &[pending.clone(), done.clone()]);
        assert_eq!(books.captured, 500);
        let answered = Operation { state: OperationState::Succeeded, ..pending };
        assert_eq!(books.add_up(&[answered, done]), []);
        assert_eq!(books.captured, 500);
    }

    #[test]
    fn captures_under_way_count_against_the_rest() {
        let books = authorized(1000);
        let pending = [operation("cap_1", OperationKind::Capture, OperationState::Pending, 700)];
        assert_eq!(books.begin_capture(&pending, None), Ok(300));
        assert_eq!(books.begin_capture(&pending, Some(301)), Err(Forbidden::Exceeds { available: 300, asked: 301 }));
        assert_eq!(books.begin_void(&pending), Err(Forbidden::Busy));
    }

    #[test]
    fn a_refund_of_one_capture_cannot_take_from_another() {
        let mut books = authorized(1000);
        let captures = [
            operation("cap_1", OperationKind::Capture, OperationState::Succeeded, 300),
            operation("cap_2", OperationKind::Capture, OperationState::Succeeded, 700),
        ];
        books.add_up(&captures);
        assert_eq!(books.state, PaymentState::Captured);
        let exceeds = Forbidden::Exceeds { available: 300, asked: 301 };
        assert_eq!(books.begin_refund(&captures, Some(301), Some("cap_1")), Err(exceeds));
        assert_eq!(books.begin_refund(&captures, None, Some("cap_2")), Ok(700));
        assert_eq!(books.begin_refund(&captures, None, Some("cap_9")), Err(Forbidden::UnknownCapture));
    }

    #[test]
    fn voiding_the_rest_is_told_as_a_void_and_voiding_all_ends_the_payment() {
        let mut books = authorized(1000);
        let captures = [operation("cap_1", OperationKind::Capture, OperationState::Succeeded, 300)];
        assert_eq!(books.add_up(&captures), [Notice::Captured]);
        let shown =
            Snapshot { amount: Some(1000), captured: Some(300), voided: Some(700), as_of: 2, ..Snapshot::default() };
        assert_eq!(books.observe(&shown, &captures), [Notice::Voided]);
        assert_eq!(books.state, PaymentState::Captured);
        let mut all = authorized(1000);
        let shown = Snapshot { amount: Some(1000), voided: Some(1000), closed: true, as_of: 2, ..Snapshot::default() };
        assert_eq!(all.observe(&shown, &[]), [Notice::Voided]);
        assert_eq!(all.state, PaymentState::Voided);
        assert_eq!(all.begin_capture(&[], None), Err(Forbidden::State(PaymentState::Voided)));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Capture(Option<i64>),
        Refund(Option<i64>, bool),
        Void,
        Answer(usize, bool),
        Shown(Snapshot),
        Event(Event),
    }

    fn step() -> impl Strategy<Value = Step> {
        let amount = 1i64..1500;
        let snapshot = (0i64..1500, 0i64..1500, 0i64..1500, any::<bool>(), any::<bool>(), 0i64..9).prop_map(
            |(captured, refunded, voided, expired, closed, as_of)| Snapshot {
                captured: Some(captured),
                refunded: Some(refunded),
                voided: Some(voided),
                expired,
                closed,
                as_of,
                ..Snapshot::default()
            },
        );
        prop_oneof![
            4 => proptest::option::of(amount.clone()).prop_map(Step::Capture),
            3 => (proptest::option::of(amount), any::<bool>()).prop_map(|(amount, by)| Step::Refund(amount, by)),
            1 => Just(Step::Void),
            6 => (0usize..8, any::<bool>()).prop_map(|(index, ok)| Step::Answer(index, ok)),
            2 => snapshot.prop_map(Step::Shown),
            // Events about amounts follow from amounts; only the others come from outside.
            2 => proptest::sample::select(OUTSIDE.to_vec()).prop_map(Step::Event),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_in_whatever_order_the_books_balance_and_the_end_stays(steps in proptest::collection::vec(step(), 1..60)) {
            let mut books = Books::new(1000);
            let mut operations: Vec<Operation> = Vec::new();
            for step in steps {
                let (before, captured, refunded) = (books.state.clone(), books.captured, books.refunded);
                let notices = match step {
                    Step::Capture(asked) => {
                        if let Ok(amount) = books.begin_capture(&operations, asked) {
                            let id = format!("cap_{}", operations.len());
                            operations.push(operation(&id, OperationKind::Capture, OperationState::Pending, amount));
                        }
                        Vec::new()
                    }
                    Step::Refund(asked, by_capture) => {
                        let capture = operations.iter().find(|op| op.kind == OperationKind::Capture && by_capture);
                        let capture = capture.map(|op| op.id.clone());
                        if let Ok(amount) = books.begin_refund(&operations, asked, capture.as_deref()) {
                            let id = format!("ref_{}", operations.len());
                            let mut refund = operation(&id, OperationKind::Refund, OperationState::Pending, amount);
                            refund.capture_id = capture;
                            operations.push(refund);
                        }
                        Vec::new()
                    }
                    Step::Void => {
                        if books.begin_void(&operations).is_ok() {
                            let shown = Snapshot { voided: Some(books.remaining()), as_of: 1, ..Snapshot::default() };
                            books.observe(&shown, &operations)
                        } else {
                            Vec::new()
                        }
                    }
                    Step::Answer(index, ok) => {
                        if let Some(op) = operations.get_mut(index).filter(|op| op.state == OperationState::Pending) {
                            op.state = if ok { OperationState::Succeeded } else { OperationState::Failed };
                        }
                        if books.told.authorized { books.add_up(&operations) } else { Vec::new() }
                    }
                    Step::Shown(shown) => books.observe(&shown, &operations),
                    Step::Event(event) => books.take(event),
                };
                prop_assert!(books.is_balanced(), "{books:?}");
                prop_assert!(books.captured >= captured && books.refunded >= refunded, "money does not come back by itself");
                use PaymentState::{Canceled, Closed, Declined, Failed, Voided};
                if matches!(before, Declined | Canceled | Voided | Closed | Failed) {
                    prop_assert_eq!(&books.state, &before);
                }
                if books.captured == captured && books.refunded == refunded && books.state == before {
                    prop_assert!(notices.iter().all(|notice| *notice == Notice::Updated), "{notices:?} without a change");
                }
                let mut unique = notices.clone();
                unique.dedup();
                prop_assert_eq!(unique.len(), notices.len(), "a change is told once");
                // Hearing the same again changes nothing.
                let mut again = books.clone();
                prop_assert!(!books.told.authorized || again.add_up(&operations).is_empty());
                prop_assert_eq!(again, books.clone());
            }
        }
    }
}
