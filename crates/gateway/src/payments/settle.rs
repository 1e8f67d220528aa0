//! Outcomes: what Klarna said, in an answer, a webhook or a look-up, written down in one transaction together with what follows from
//! it (events, answers that are remembered, further calls).

use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, FieldFault};
use kit::idempotency::{self, StoredAnswer};
use kit::jobs;
use protocol::payments::{PaymentRequest, PaymentTransaction, RequestState, TransactionState};
use protocol::{Envelope, EventType};
use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use super::Applied;
use super::call::{self, Changes, Intent, KIND, Step, Verdict};
use super::customer_token;
use super::payment::{Event, Notice, Operation, OperationKind, OperationState, PaymentState, Snapshot};
use super::record::{Failure, OperationRecord, Payment};
use super::store;
use crate::Ctx;
use crate::access::{self, PartnerCaller, PartnerRow};
use crate::checkout;
use crate::events::{self, NewEvent};
use crate::klarna::{CallError, Refusal};

/// Names operations that were not begun here after Klarna's id of them.
const OPERATION_NAMESPACE: Uuid = Uuid::from_u128(0x2c61_9f0b_84d7_4c55_a1e3_60d9_b9f2_3e17);

/// What a call came to, as far as the Partner that waits is concerned.
#[derive(Debug)]
pub(super) enum Settled {
    /// The answer to give, now and on every repetition.
    Answered(StoredAnswer),
    /// Klarna's answer is outstanding: the job will find it.
    Outstanding,
}

/// Makes the call of an intent and writes down what came of it. `known` is the payment as the intent's transaction left it: it
/// saves reading it again while nobody else has touched it.
///
/// # Errors
/// When the outcome cannot be written: then the job will find it.
pub(super) async fn carry_out(
    ctx: &Ctx,
    intent: Intent,
    known: Option<Payment>,
    repeated: bool,
) -> Result<Settled, ApiError> {
    match intent.send(ctx, repeated).await {
        Ok(verdict) => {
            let answer = commit(ctx, intent, verdict, known).await?;
            ctx.poke.poke();
            Ok(Settled::Answered(answer))
        }
        Err(error) => {
            tracing::warn!(
                payment.id = %intent.payment_id, step = %intent.step.name(), error = &error as &dyn std::error::Error,
                "the outcome of a call is open; it will be repeated"
            );
            match error {
                CallError::NotSent(_) | CallError::Unknown(_) | CallError::Refused(_) => Ok(Settled::Outstanding),
            }
        }
    }
}

/// Writes down a verdict.
///
/// # Errors
/// As the database says.
pub(super) async fn commit(
    ctx: &Ctx,
    intent: Intent,
    verdict: Verdict,
    mut known: Option<Payment>,
) -> Result<StoredAnswer, ApiError> {
    let refusal = match &verdict {
        Verdict::Refused(refusal) => {
            let error = refused(refusal);
            // Here, because the answer is kept as bytes: an error_id that is quoted must lead to a line of the log.
            error.log();
            Some(StoredAnswer { status: error.status.as_u16(), body: error.to_json() })
        }
        _ => None,
    };
    let shared = std::sync::Arc::new((intent, verdict, refusal));
    ctx.db
        .write_repeating(|| {
            let (ctx, shared, known) = (ctx.clone(), std::sync::Arc::clone(&shared), known.take());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<StoredAnswer, ApiError>> {
                Box::pin(async move { write_outcome(tx, &ctx, &shared.0, &shared.1, shared.2.clone(), known).await })
            }
        })
        .await
}

async fn write_outcome(
    tx: &mut Tx,
    ctx: &Ctx,
    intent: &Intent,
    verdict: &Verdict,
    refusal: Option<StoredAnswer>,
    known: Option<Payment>,
) -> Result<StoredAnswer, ApiError> {
    let now = ctx.clock.now();
    let (partner_id, payment_id) = (&intent.partner_id, &intent.payment_id);
    let mut change = match known {
        // Just made: it has no operations yet.
        Some(payment) if intent.step == Step::Authorize => Change::new(payment, Vec::new()),
        _ => Change::lock(tx, partner_id, payment_id)
            .await?
            .ok_or_else(|| ApiError::internal(DbError::NoRow { sql: "payments" }))?,
    };
    change.take_verdict(tx, intent, verdict, now).await?;
    if let Verdict::Approved { customer_token: Some(token), .. } = verdict {
        customer_token::learn(tx, ctx, &mut change.payment, token).await?;
    }
    change.write(tx, ctx, now).await?;
    let answer = refusal.unwrap_or_else(|| success(&intent.step, &change));
    if let Some(waiting) = &intent.answer_to {
        idempotency::complete(tx, &waiting.scope, &waiting.key, &answer).await?;
    }
    jobs::cancel(tx, KIND, &intent.job_key()).await?;
    Ok(answer)
}

fn success(step: &Step, change: &Change) -> StoredAnswer {
    let json = |value: Result<Vec<u8>, serde_json::Error>| value.expect("views always serialize");
    match step {
        Step::Capture { id, .. } | Step::Refund { id } => {
            let record = change.operations.iter().find(|record| record.operation.id == *id);
            let view = record.map(|record| record.view(&change.payment.payment_id));
            StoredAnswer { status: 201, body: json(serde_json::to_vec(&view)) }
        }
        _ => {
            let status = if matches!(step, Step::Authorize | Step::Finalize) { 201 } else { 200 };
            StoredAnswer { status, body: json(serde_json::to_vec(&change.payment.view(&change.operations))) }
        }
    }
}

/// A payment being changed, under its lock or its version.
pub(super) struct Change {
    pub payment: Payment,
    pub operations: Vec<OperationRecord>,
    /// Operations that differ from what is stored.
    touched: Vec<String>,
    notices: Vec<Notice>,
    before: PaymentState,
}

impl Change {
    pub(super) fn new(payment: Payment, operations: Vec<OperationRecord>) -> Self {
        let before = payment.books.state.clone();
        Self { payment, operations, touched: Vec::new(), notices: Vec::new(), before }
    }

    pub(super) async fn lock(tx: &mut Tx, partner_id: &str, payment_id: &str) -> Result<Option<Self>, DbError> {
        let Some(payment) = store::lock(tx, partner_id, payment_id).await? else { return Ok(None) };
        let operations = store::operations(tx, partner_id, payment_id).await?;
        Ok(Some(Self::new(payment, operations)))
    }

    /// The operations as the decisions want them.
    pub(super) fn plain(&self) -> Vec<Operation> {
        self.operations.iter().map(|record| record.operation.clone()).collect()
    }

    /// Adds an operation that begins now.
    pub(super) fn begin(&mut self, operation: Operation, reference: Option<String>, now: i64) {
        self.touched.push(operation.id.clone());
        self.operations.push(OperationRecord { operation, reference, failure: None, created_at: now, updated_at: now });
    }

    fn notice(&mut self, notices: Vec<Notice>) {
        for notice in notices {
            if !self.notices.contains(&notice) {
                self.notices.push(notice);
            }
        }
    }

    fn take(&mut self, event: Event) -> bool {
        let before = (self.payment.books.state.clone(), self.payment.books.phase);
        let notices = self.payment.books.take(event);
        self.notice(notices);
        before != (self.payment.books.state.clone(), self.payment.books.phase)
    }

    /// An operation leaves `PENDING`; says whether it did.
    fn end(
        &mut self,
        id: &str,
        state: OperationState,
        klarna_id: Option<&str>,
        failure: Option<&str>,
        now: i64,
    ) -> bool {
        let Some(record) = self.operations.iter_mut().find(|record| record.operation.id == id) else { return false };
        let moved = record.operation.state == OperationState::Pending;
        if moved {
            record.operation.state = state;
            record.failure = failure.map(str::to_owned);
        }
        if let (None, Some(klarna_id)) = (&record.operation.klarna_id, klarna_id) {
            record.operation.klarna_id = Some(klarna_id.to_owned());
        } else if !moved {
            return false;
        }
        record.updated_at = now;
        self.touched.push(id.to_owned());
        moved
    }

    fn add_up(&mut self) {
        let operations = self.plain();
        let notices = self.payment.books.add_up(&operations);
        self.notice(notices);
    }

    fn observe(&mut self, snapshot: &Snapshot) {
        let operations = self.plain();
        let notices = self.payment.books.observe(snapshot, &operations);
        self.notice(notices);
    }

    async fn take_verdict(
        &mut self,
        tx: &mut Tx,
        intent: &Intent,
        verdict: &Verdict,
        now: i64,
    ) -> Result<(), ApiError> {
        match (&intent.step, verdict) {
            (_, Verdict::Approved { transaction, response_data, .. }) => {
                self.take_response_data(response_data.as_ref());
                self.take_transaction(transaction, now);
                if !self.payment.books.told.authorized {
                    tracing::error!(
                        payment.id = %self.payment.payment_id, state = %self.payment.books.state,
                        "Klarna authorized a payment that had ended here: void it by hand"
                    );
                }
            }
            (_, Verdict::Declined { reason }) => {
                if self.take(Event::Declined) {
                    self.payment.detail.decline_reason.clone_from(reason);
                }
            }
            (_, Verdict::StepUp { request, response_data }) => {
                self.take_response_data(response_data.as_ref());
                self.take_request_ids(request);
                // A webhook may have told already that the customer is done.
                if self.payment.books.phase == super::payment::Phase::Authorize {
                    self.take(Event::StepUpRequired);
                }
            }
            (_, Verdict::RequestEnded(event)) => {
                self.take(*event);
            }
            (Step::Capture { id, release }, Verdict::Captured { klarna_id }) => {
                self.end(id, OperationState::Succeeded, Some(klarna_id), None, now);
                self.add_up();
                if *release {
                    let voided = self.payment.books.amount - self.payment.books.captured;
                    self.observe(&Snapshot { voided: Some(voided), ..Snapshot::default() });
                }
            }
            (Step::Refund { id }, Verdict::Refunded { klarna_id }) => {
                self.end(id, OperationState::Succeeded, Some(klarna_id), None, now);
                self.add_up();
            }
            (Step::Void { id }, Verdict::Transaction(transaction)) => {
                self.end(id, OperationState::Succeeded, None, None, now);
                // What the answer leaves out, the operation itself says.
                let voided = self.payment.books.amount - self.payment.books.captured;
                let shown = snapshot(transaction, now);
                self.observe(&Snapshot { voided: shown.voided.max(Some(voided)), ..shown });
            }
            (Step::Update { id, changes }, Verdict::Transaction(transaction)) => {
                if self.end(id, OperationState::Succeeded, None, None, now) {
                    self.observe(&Snapshot { amount: changes.amount, as_of: now, ..Snapshot::default() });
                    self.take_changes(tx, changes).await?;
                }
                self.observe(&snapshot(transaction, now));
            }
            (Step::Update { id, changes }, Verdict::RequestUpdated { expires_at }) => {
                if self.end(id, OperationState::Succeeded, None, None, now) {
                    self.payment.books.amount = changes.amount.unwrap_or(self.payment.books.amount);
                    self.payment.books.expires_at = expires_at.or(self.payment.books.expires_at);
                    self.take_changes(tx, changes).await?;
                }
            }
            (Step::Cancel { id }, Verdict::RequestCanceled) => {
                self.end(id, OperationState::Succeeded, None, None, now);
                self.take(Event::Canceled);
            }
            (Step::Authorize | Step::Finalize, Verdict::Refused(refusal)) => {
                if self.take(Event::Refused) {
                    self.payment.detail.failure = Some(Failure {
                        error_code: refusal.code().to_owned(),
                        error_message: refusal.error.error_message.clone().unwrap_or_default(),
                    });
                }
            }
            (
                Step::Capture { id, .. }
                | Step::Refund { id }
                | Step::Void { id }
                | Step::Update { id, .. }
                | Step::Cancel { id },
                Verdict::Refused(refusal),
            ) => {
                // Told as a change: who was answered 202 learns of it in no other way.
                if self.end(id, OperationState::Failed, None, Some(refusal.code()), now) {
                    self.notice(vec![Notice::Updated]);
                }
            }
            (step, verdict) => {
                tracing::error!(step = %step.name(), ?verdict, "a call was answered with another call's answer");
            }
        }
        Ok(())
    }

    async fn take_changes(&mut self, tx: &mut Tx, changes: &Changes) -> Result<(), ApiError> {
        if let Some(reference) = &changes.reference {
            self.payment.reference = Some(reference.clone());
        }
        if let Some(metadata) = &changes.metadata {
            self.payment.detail.metadata.clone_from(metadata);
        }
        if !changes.purchase.is_empty() {
            let (partner_id, payment_id) = (&self.payment.partner_id, &self.payment.payment_id);
            let text = store::purchase(tx, partner_id, payment_id).await?.unwrap_or_default();
            let mut purchase: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
            purchase.extend(changes.purchase.clone());
            store::set_purchase(tx, partner_id, payment_id, &Value::Object(purchase).to_string()).await?;
        }
        self.notice(vec![Notice::Updated]);
        Ok(())
    }

    /// Metadata and the like, which are ours alone.
    pub(super) async fn change_at_once(&mut self, tx: &mut Tx, changes: &Changes) -> Result<(), ApiError> {
        self.take_changes(tx, changes).await
    }

    fn take_response_data(&mut self, data: Option<&String>) {
        if data.is_some() {
            self.payment.detail.response_data = data.cloned();
        }
    }

    fn take_request_ids(&mut self, request: &PaymentRequest) {
        if let Some(id) = request.id() {
            self.payment.klarna_request_id = Some(id.to_string());
        }
        if let Some(url) = request.url() {
            self.payment.klarna_request_url = Some(url.to_owned());
        }
        if let (Some(expires_at), true) = (request.expires_at, self.payment.books.state.is_open()) {
            self.payment.books.expires_at = Some(expires_at.as_micros());
        }
    }

    /// Follows a transaction as Klarna shows it.
    fn take_transaction(&mut self, transaction: &PaymentTransaction, now: i64) {
        if let Some(id) = &transaction.payment_transaction_id {
            self.payment.klarna_transaction_id = Some(id.to_string());
        }
        if let (None, Some(id)) = (&self.payment.klarna_request_id, &transaction.payment_request_id) {
            self.payment.klarna_request_id = Some(id.to_string());
        }
        for capture in transaction.payment_captures.as_deref().unwrap_or_default() {
            let reference = capture.payment_capture_reference.as_deref();
            let id = capture.payment_capture_id.as_ref().map(|id| id.as_str());
            self.learn(OperationKind::Capture, reference, id, capture.capture_amount, None, now);
        }
        for refund in transaction.payment_refunds.as_deref().unwrap_or_default() {
            let reference = refund.payment_refund_reference.as_deref().or(refund.refund_reference.as_deref());
            let id = refund.payment_refund_id.as_ref().map(|id| id.as_str());
            let capture = refund.payment_capture_id.as_ref().map(|id| id.as_str());
            self.learn(OperationKind::Refund, reference, id, refund.refund_amount, capture, now);
        }
        self.observe(&snapshot(transaction, now));
    }

    /// Takes up a capture or refund that Klarna tells of: one that was begun here (our id is its reference), or one made elsewhere.
    fn learn(
        &mut self,
        kind: OperationKind,
        reference: Option<&str>,
        klarna_id: Option<&str>,
        amount: Option<i64>,
        klarna_capture: Option<&str>,
        now: i64,
    ) {
        let (Some(klarna_id), Some(amount)) = (klarna_id, amount) else { return };
        let known = self.operations.iter().find(|record| {
            let operation = &record.operation;
            operation.kind == kind
                && (operation.klarna_id.as_deref() == Some(klarna_id) || reference == Some(operation.id.as_str()))
        });
        if let Some(id) = known.map(|record| record.operation.id.clone()) {
            self.end(&id, OperationState::Succeeded, Some(klarna_id), None, now);
            return;
        }
        let automatic = self.payment.detail.automatic_capture_id.as_deref();
        let ours = reference.filter(|reference| kind == OperationKind::Capture && Some(*reference) == automatic);
        let id = ours.map_or_else(
            || {
                let prefix = if kind == OperationKind::Capture { "cap" } else { "ref" };
                format!("{prefix}_{}", Uuid::new_v5(&OPERATION_NAMESPACE, klarna_id.as_bytes()).simple())
            },
            str::to_owned,
        );
        let capture_id = klarna_capture.and_then(|capture| {
            let found = self.operations.iter().find(|record| record.operation.klarna_id.as_deref() == Some(capture));
            found.map(|record| record.operation.id.clone())
        });
        let operation = Operation {
            id,
            kind,
            state: OperationState::Succeeded,
            amount,
            capture_id,
            klarna_id: Some(klarna_id.to_owned()),
        };
        let theirs = reference.filter(|_| ours.is_none()).map(str::to_owned);
        self.begin(operation, theirs, now);
    }

    /// Follows a request as Klarna shows it. If the customer approved and the grant is here, the final call that follows.
    pub(super) fn take_request(&mut self, request: &PaymentRequest) -> Option<SecretString> {
        self.take_request_ids(request);
        if let Some(event) = call::ended(request) {
            self.take(event);
            return None;
        }
        if request.state == Some(RequestState::Completed) {
            let token = request.session_token().map(|token| SecretString::from(token.as_str().to_owned()))?;
            if self.take(Event::CustomerApproved) {
                return Some(token);
            }
        }
        None
    }

    fn has_changed(&self) -> bool {
        !self.notices.is_empty() || !self.touched.is_empty() || self.payment.books.state != self.before
    }

    /// Writes the payment, its operations and the events.
    pub(super) async fn write(&mut self, tx: &mut Tx, ctx: &Ctx, now: i64) -> Result<(), ApiError> {
        debug_assert!(self.payment.books.is_balanced());
        if self.has_changed() {
            self.payment.updated_at = now;
        }
        self.payment.watch_at = watch_at(&self.payment, ctx, now);
        store::save(tx, &mut self.payment).await?;
        let (partner_id, payment_id) = (self.payment.partner_id.clone(), self.payment.payment_id.clone());
        for record in self.operations.iter().filter(|record| self.touched.contains(&record.operation.id)) {
            store::put_operation(tx, &partner_id, &payment_id, record).await?;
        }
        if self.payment.books.state != self.before {
            tracing::debug!(
                payment.id = %payment_id, from = %self.before, to = %self.payment.books.state,
                "payment {payment_id} is {}", self.payment.books.state
            );
            checkout::payment_changed(tx, ctx, &self.payment).await?;
        }
        let data = (!self.notices.is_empty()).then(|| self.payment.event_data(&self.operations));
        for (index, notice) in self.notices.iter().enumerate() {
            // Events of one change keep their order.
            let occurred_at = now + i64::try_from(index).unwrap_or(0);
            let event = NewEvent {
                partner_id: &partner_id,
                event_type: notice.as_str(),
                payment_id: Some(&payment_id),
                data: data.clone().unwrap_or_default(),
                occurred_at,
            };
            events::emit(tx, ctx, &event).await?;
        }
        Ok(())
    }
}

/// When to look at Klarna, in case nobody tells: while the customer is away now and then, afterwards when the authorization ends.
fn watch_at(payment: &Payment, ctx: &Ctx, now: i64) -> Option<i64> {
    let interval = ctx.config.watch_interval_us;
    match payment.books.state {
        PaymentState::RequiresCustomerAction => Some(now + interval),
        PaymentState::Authorized | PaymentState::PartiallyCaptured => {
            payment.books.expires_at.map(|at| at.max(now) + interval)
        }
        _ => None,
    }
}

/// What a transaction object says. A webhook's older claim on the amount doesn't overwrite a newer one.
fn snapshot(transaction: &PaymentTransaction, now: i64) -> Snapshot {
    Snapshot {
        amount: transaction.amount,
        captured: transaction.captured_amount,
        refunded: transaction.refunded_amount,
        charged_back: transaction.charged_back_amount,
        voided: transaction.voided_amount,
        expired: transaction.state == Some(TransactionState::Expired),
        closed: transaction.state == Some(TransactionState::Closed),
        expires_at: transaction.expires_at.map(|time| time.as_micros()),
        as_of: transaction.updated_at.or(transaction.created_at).map_or(now, |time| time.as_micros()),
    }
}

/// Applies one webhook that was verified and is new.
///
/// # Errors
/// As the database says.
pub(super) async fn apply_network_event(tx: &mut Tx, ctx: &Ctx, envelope: &Envelope) -> Result<Applied, ApiError> {
    let Some(metadata) = &envelope.metadata else { return Ok(Applied::Unchanged) };
    let event_type = metadata.event_type.as_ref().map_or("", EventType::as_str);
    let account = metadata.subject_account_id.as_ref().or(metadata.account_id.as_ref());
    let (Some(account), Some(payload)) = (account, envelope.payload.as_ref()) else { return Ok(Applied::Unchanged) };
    let of_request = event_type.starts_with("payment.request.");
    let of_token = event_type == EventType::IdentityCustomerTokenRevoked.as_str();
    if !of_request && !of_token && !event_type.starts_with("payment.transaction.") {
        return Ok(Applied::Unchanged);
    }
    let Some(partner) = access::partner_of_account(tx, account.as_str()).await? else { return Ok(Applied::Unknown) };
    if of_token {
        return customer_token::revoked_at_klarna(tx, ctx, &partner.partner_id, payload).await;
    }
    let told_at = metadata.occurred_at.map_or_else(|| ctx.clock.now(), |time| time.as_micros());
    if of_request {
        let Ok(request) = serde_json::from_value::<PaymentRequest>(payload.clone()) else {
            return Ok(Applied::Unknown);
        };
        let reference = request.payment_request_reference.clone();
        let Some(mut change) = lock_told(tx, &partner, reference.as_deref()).await? else {
            return Ok(Applied::Unknown);
        };
        if is_another(change.payment.klarna_request_id.as_deref(), request.id().map(|id| id.as_str())) {
            return Ok(Applied::Unknown);
        }
        apply_request(tx, ctx, &partner, &mut change, &request).await
    } else {
        let Ok(transaction) = serde_json::from_value::<PaymentTransaction>(payload.clone()) else {
            return Ok(Applied::Unknown);
        };
        let reference = transaction.payment_transaction_reference.clone();
        let Some(mut change) = lock_told(tx, &partner, reference.as_deref()).await? else {
            return Ok(Applied::Unknown);
        };
        let id = transaction.payment_transaction_id.as_ref().map(|id| id.as_str());
        if is_another(change.payment.klarna_transaction_id.as_deref(), id) {
            return Ok(Applied::Unknown);
        }
        // The capture or refund that the event is about stands beside the transaction.
        let text = |name: &str| payload.get(name).and_then(Value::as_str);
        let amount = |name: &str| payload.get(name).and_then(Value::as_i64);
        let now = ctx.clock.now();
        let capture = text("payment_capture_id");
        if text("payment_refund_id").is_some() {
            let reference = text("payment_refund_reference").or(text("refund_reference"));
            let (id, amount) = (text("payment_refund_id"), amount("refund_amount"));
            change.learn(OperationKind::Refund, reference, id, amount, capture, now);
        } else {
            let (reference, amount) = (text("payment_capture_reference"), amount("capture_amount"));
            change.learn(OperationKind::Capture, reference, capture, amount, None, now);
        }
        change.take_transaction(&transaction, told_at);
        finish_change(tx, ctx, &mut change).await
    }
}

fn is_another(known: Option<&str>, told: Option<&str>) -> bool {
    known.zip(told).is_some_and(|(known, told)| known != told)
}

/// The payment that a reference names: our id of it is what Klarna knows it by, from the first call on.
async fn lock_told(tx: &mut Tx, partner: &PartnerRow, reference: Option<&str>) -> Result<Option<Change>, DbError> {
    match reference.filter(|reference| reference.starts_with("pay_")) {
        Some(payment_id) => Change::lock(tx, &partner.partner_id, payment_id).await,
        None => Ok(None),
    }
}

/// Follows a request; when the customer approved, the final call is written down in the same transaction.
pub(super) async fn apply_request(
    tx: &mut Tx,
    ctx: &Ctx,
    partner: &PartnerRow,
    change: &mut Change,
    request: &PaymentRequest,
) -> Result<Applied, ApiError> {
    let now = ctx.clock.now();
    let token = change.take_request(request);
    if let Some(token) = request.customer_token() {
        customer_token::learn(tx, ctx, &mut change.payment, &SecretString::from(token.as_str().to_owned())).await?;
    }
    let (Some(token), Some(id)) = (token, request.id()) else { return finish_change(tx, ctx, change).await };
    let intent = call::finalize(ctx, &caller(partner), &change.payment, id, &token);
    intent.enqueue(tx, now, now).await?;
    change.write(tx, ctx, now).await?;
    Ok(Applied::NeedsCall)
}

async fn finish_change(tx: &mut Tx, ctx: &Ctx, change: &mut Change) -> Result<Applied, ApiError> {
    let changed = change.has_changed();
    change.write(tx, ctx, ctx.clock.now()).await?;
    Ok(if changed { Applied::Changed } else { Applied::Unchanged })
}

/// A stored Partner in the form that calls are made for.
pub(crate) fn caller(partner: &PartnerRow) -> PartnerCaller {
    PartnerCaller {
        partner_id: partner.partner_id.clone(),
        name: partner.name.clone(),
        klarna_account_id: partner.klarna_account_id.clone(),
        payment_account_id: partner.payment_account_id.clone(),
        suspended: partner.state != access::PartnerState::Active.as_str(),
        suspension: None,
        // Its own calls carry what the payment was made with.
        origin: crate::klarna::Origin::default(),
    }
}

/// Looks at Klarna what became of a payment and writes it down. Makes the final call at once if the customer approved.
///
/// # Errors
/// As the database says; a network that doesn't answer is no error: the next look will find out.
pub(crate) async fn refresh(ctx: &Ctx, partner_id: &str, payment_id: &str) -> Result<(), ApiError> {
    let (partner, payment) = {
        let (partner_id, payment_id) = (partner_id.to_owned(), payment_id.to_owned());
        let read = ctx.db.read(move |tx| {
            Box::pin(async move {
                let partner = access::partner(tx, &partner_id).await?;
                let payment = store::find(tx, &partner_id, &payment_id).await?;
                Ok::<_, DbError>((partner, payment))
            })
        });
        let (Some(partner), Some(payment)) = read.await? else { return Ok(()) };
        (partner, payment)
    };
    let looker = call::Looker::new(&partner, &payment);
    if let Some(id) = &payment.klarna_transaction_id {
        match call::read_transaction(ctx, &looker, id).await {
            Ok(transaction) => write_look(ctx, partner, &payment, Look::Transaction(Box::new(transaction))).await?,
            Err(error) => could_not_look(&payment, &error),
        }
    } else if let Some(id) = &payment.klarna_request_id {
        if payment.books.state == PaymentState::RequiresCustomerAction {
            match call::read_request(ctx, &looker, id).await {
                Ok(request) => write_look(ctx, partner.clone(), &payment, Look::Request(Box::new(request))).await?,
                // A request is forgotten some time after its end (fact sheet 03 §3.5).
                Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {
                    let gone = PaymentRequest { state: Some(RequestState::Expired), ..PaymentRequest::default() };
                    write_look(ctx, partner.clone(), &payment, Look::Request(Box::new(gone))).await?;
                }
                Err(error) => could_not_look(&payment, &error),
            }
        }
        finish_approved(ctx, partner_id, payment_id).await?;
    }
    Ok(())
}

fn could_not_look(payment: &Payment, error: &CallError) {
    tracing::warn!(
        payment.id = %payment.payment_id, error = error as &dyn std::error::Error,
        "could not look up what became of payment {}", payment.payment_id
    );
}

enum Look {
    Request(Box<PaymentRequest>),
    Transaction(Box<PaymentTransaction>),
}

async fn write_look(ctx: &Ctx, partner: PartnerRow, payment: &Payment, look: Look) -> Result<(), ApiError> {
    let payment_id = payment.payment_id.clone();
    let shared = std::sync::Arc::new((partner, look));
    ctx.db
        .write_repeating(|| {
            let (ctx, shared, payment_id) = (ctx.clone(), std::sync::Arc::clone(&shared), payment_id.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Applied, ApiError>> {
                Box::pin(async move {
                    let partner = &shared.0;
                    let found = Change::lock(tx, &partner.partner_id, &payment_id).await?;
                    let Some(mut change) = found else { return Ok(Applied::Unknown) };
                    match &shared.1 {
                        Look::Request(request) => apply_request(tx, &ctx, partner, &mut change, request).await,
                        Look::Transaction(transaction) => {
                            change.take_transaction(transaction, ctx.clock.now());
                            finish_change(tx, &ctx, &mut change).await
                        }
                    }
                })
            }
        })
        .await?;
    Ok(())
}

/// Makes the final call of a payment whose customer approved, if it is still to be made. The webhook's job may make the same call at
/// the same time: Klarna gives both the same answer, and whoever writes second changes nothing.
async fn finish_approved(ctx: &Ctx, partner_id: &str, payment_id: &str) -> Result<(), ApiError> {
    let key = format!("{partner_id}/{payment_id}/{}", Step::Finalize.name());
    let payload = ctx.db.read(move |tx| Box::pin(async move { jobs::payload(tx, KIND, &key).await })).await?;
    let Some(intent) = payload.and_then(|payload| serde_json::from_str::<Intent>(&payload).ok()) else { return Ok(()) };
    carry_out(ctx, intent, None, true).await.map(drop)
}

/// What a Partner hears when Klarna refused: Klarna's words where they are about the Partner's request, ours where they are about us.
pub(super) fn refused(refusal: &Refusal) -> ApiError {
    let message = refusal.error.error_message.clone().unwrap_or_else(|| "Klarna refused the request.".to_owned());
    let code = refusal.code().to_owned();
    let mut error = match refusal.status {
        StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let cause = format!("the network answered {} {code}: {message}", refusal.status);
            return ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "SERVER_CONFIGURATION_ERROR",
                "Klarna does not accept this gateway's calls for your account. Quote the error_id to your provider.",
            )
            .with_source(cause);
        }
        status => ApiError::new(status, code, message),
    };
    for fault in refusal.error.faults() {
        error.validation_errors.push(FieldFault::new(our_name(fault.parameter()), fault.reason()));
    }
    error
}

/// The Partner's name of a field that Klarna names by its own.
fn our_name(theirs: &str) -> String {
    const RENAMED: [(&str, &str); 9] = [
        ("request_payment_transaction.", ""),
        ("step_up_config.customer_interaction_config.", ""),
        ("customer_interaction_config.", ""),
        ("capture_amount", "amount"),
        ("refund_amount", "amount"),
        ("interoperability_data", "klarna_interoperability_data"),
        ("payment_capture_reference", "reference"),
        ("payment_refund_reference", "reference"),
        ("payment_transaction_reference", "reference"),
    ];
    if theirs.eq_ignore_ascii_case(protocol::header::KLARNA_NETWORK_SESSION_TOKEN)
        || theirs.eq_ignore_ascii_case(protocol::header::KLARNA_INTEROPERABILITY_TOKEN)
    {
        return "klarna_network_session_token".to_owned();
    }
    for (prefix, ours) in RENAMED {
        if let Some(rest) = theirs.strip_prefix(prefix) {
            return format!("{ours}{rest}");
        }
    }
    theirs.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn klarnas_field_names_become_the_partners() {
        for (theirs, ours) in [
            ("request_payment_transaction.amount", "amount"),
            ("capture_amount", "amount"),
            ("Klarna-Network-Session-Token", "klarna_network_session_token"),
            ("supplementary_purchase_data.line_items[0].name", "supplementary_purchase_data.line_items[0].name"),
            ("step_up_config.customer_interaction_config.return_url", "return_url"),
        ] {
            assert_eq!(our_name(theirs), ours);
        }
    }
}
