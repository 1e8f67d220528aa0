//! What Partners ask for: each use case writes its intent, makes the call, and answers with the outcome, or with 202 while the outcome
//! is open.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use kit::idempotency::{self, Known, StoredAnswer};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::body::{CaptureMode, CreatePayment, MoveMoney, UpdatePayment};
use super::call::{self, AnswerTo, Changes, FirstCall, Intent, Step};
use super::customer_token::{self, TokenState};
use super::payment::{Books, Forbidden, Operation, OperationKind, OperationState, PaymentState};
use super::record::{Detail, Payment};
use super::settle::{self, Change, Settled};
use super::store;
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::events::once::{self, Once};

/// Bytes of the token in our return url.
const RETURN_TOKEN_BYTES: usize = 18;

/// What the transaction of an intent came to.
enum Begun {
    /// The call is to be made.
    Call(Box<Intent>, Box<Payment>),
    /// Klarna need not hear of it.
    Done(StoredAnswer),
    /// The same request was answered before.
    Replayed(StoredAnswer),
}

/// What follows from a decision on a payment.
enum Next {
    /// Klarna is asked.
    Call(Box<Intent>),
    /// Nobody need be asked.
    AtOnce(Changes),
}

impl Next {
    fn call(intent: Intent) -> Self {
        Self::Call(Box::new(intent))
    }
}

/// A payment that is about to be made: all that is known of it before Klarna is asked.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    payment: Payment,
    intent: Intent,
    purchase: String,
    token_hash: Option<String>,
}

/// Turns what was asked into a payment and its first call. The customer comes back to the hosted page of `checkout_session_id` if there
/// is one, else to where the Partner said.
pub(crate) fn prepare(
    ctx: &Ctx,
    caller: &PartnerCaller,
    asked: CreatePayment,
    checkout_session_id: Option<&str>,
) -> Prepared {
    let now = ctx.clock.now();
    let payment_id = format!("pay_{}", ctx.random.id(now).simple());
    let automatic = asked.capture == CaptureMode::Automatic;
    let automatic_capture_id = automatic.then(|| format!("cap_{}", ctx.random.id(now).simple()));
    // Ours: the Partner's id stands in the token, so that one look at the payment's own table finds it.
    let comes_back = asked.return_url.is_some() || checkout_session_id.is_some();
    let return_token =
        comes_back.then(|| format!("{}.{}", caller.partner_id, ctx.random.base64url(RETURN_TOKEN_BYTES)));
    let payment = Payment {
        partner_id: caller.partner_id.clone(),
        payment_id: payment_id.clone(),
        version: 1,
        books: Books::new(asked.amount),
        currency: asked.currency,
        reference: asked.reference,
        capture_mode: asked.capture,
        return_token_hash: return_token.as_deref().map(token_hash),
        klarna_request_id: None,
        klarna_transaction_id: None,
        klarna_request_url: None,
        watch_at: None,
        detail: Detail {
            metadata: asked.metadata,
            return_url: asked.return_url,
            cancel_url: asked.cancel_url,
            app_return_url: asked.app_return_url,
            payment_option_id: asked.payment_option_id,
            locale: asked.locale,
            country: asked.country,
            network_data: asked.network_data,
            request_customer_token: asked.request_customer_token,
            automatic_capture_id,
            origin: caller.origin.clone(),
            checkout_session_id: checkout_session_id.map(str::to_owned),
            ..Detail::default()
        },
        created_at: now,
        updated_at: now,
    };
    let return_url = return_token.as_deref().map(|token| return_url(ctx, &payment_id, token));
    let first = FirstCall {
        purchase: &asked.purchase,
        return_url: return_url.as_deref(),
        interaction_expiry: asked.interaction_expiry.as_ref(),
    };
    let body = call::authorize_body(&payment, caller.payment_account_id.as_deref(), Some(first));
    let mut intent = Intent::new(caller, &payment_id, Step::Authorize, &["payment", "authorize"], Some(&body))
        .with_token(ctx, asked.session_token.as_ref());
    intent.customer_token_id = asked.customer_token_id;
    let token_hash = asked.session_token.as_ref().map(|token| token_hash(token.expose_secret()));
    Prepared { payment, intent, purchase: Value::Object(asked.purchase).to_string(), token_hash }
}

impl Prepared {
    /// `pay_…`.
    pub(crate) fn payment_id(&self) -> &str {
        &self.payment.payment_id
    }

    /// Writes the payment and the intent of its first call.
    ///
    /// # Errors
    /// 403 for a suspended Partner, 400 for a customer token that cannot be charged, 503 while the network cannot be reached, [`DbError`].
    pub(crate) async fn write(&self, tx: &mut Tx, ctx: &Ctx, caller: &PartnerCaller) -> Result<(), ApiError> {
        caller.require_active()?;
        require_chargeable(tx, &self.intent).await?;
        require_network(ctx)?;
        let now = self.payment.created_at;
        store::insert(tx, &self.payment, &self.purchase, self.token_hash.as_deref()).await?;
        self.intent.enqueue(tx, now + ctx.config.recovery_delay_us, now).await?;
        Ok(())
    }

    /// Makes the first call, after the intent is on disk; an open outcome is left to the job.
    ///
    /// # Errors
    /// When the outcome cannot be written: then the job will find it.
    pub(crate) async fn call(self, ctx: &Ctx) -> Result<(), ApiError> {
        settle::carry_out(ctx, self.intent, Some(self.payment), false).await.map(drop)
    }
}

/// `POST /v1/payments`.
pub(super) async fn create(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    asked: CreatePayment,
) -> Result<Response, ApiError> {
    let mut made = prepare(ctx, &caller, asked, None);
    made.intent.answer_to = Some(answer_to(&once));
    let shared = Arc::new((caller, once, made));
    let ctx = ctx.clone();
    detached(async move {
        let begun = ctx
            .db
            .write_repeating(|| {
                let (ctx, shared) = (ctx.clone(), Arc::clone(&shared));
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Begun, ApiError>> {
                    Box::pin(async move {
                        let (caller, once, made) = &*shared;
                        // What was answered before is answered again, whatever has changed since.
                        if let Some(answer) = replay(tx, &ctx, once).await? {
                            return Ok(Begun::Replayed(answer));
                        }
                        made.write(tx, &ctx, caller).await?;
                        Ok(Begun::Call(Box::new(made.intent.clone()), Box::new(made.payment.clone())))
                    })
                }
            })
            .await?;
        finish(&ctx, begun).await
    })
    .await
}

/// Runs to its end in a task of its own, from the intent to the outcome: a caller that goes away stops nothing half-way.
async fn detached(
    work: impl Future<Output = Result<Response, ApiError>> + Send + 'static,
) -> Result<Response, ApiError> {
    tokio::spawn(work.in_current_span()).await.map_err(ApiError::internal)?
}

/// `POST /v1/payments/{payment_id}/captures`.
pub(super) async fn capture(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    payment_id: String,
    asked: MoveMoney,
) -> Result<Response, ApiError> {
    on_payment(ctx, caller, once, payment_id, move |ctx, caller, change, now| {
        let amount = change.payment.books.begin_capture(&change.plain(), asked.amount).map_err(forbidden)?;
        asked.check_lines(amount)?;
        let id = format!("cap_{}", ctx.random.id(now).simple());
        let mut body = json!({ "capture_amount": amount, "payment_capture_reference": id });
        if asked.release_remaining {
            body["remaining_authorization"] = json!("RELEASE");
        }
        add_data(&mut body, "supplementary_capture_data", &asked);
        change.begin(operation(&id, OperationKind::Capture, amount, None), asked.reference.clone(), now);
        let transaction = transaction_id(&change.payment)?;
        let path = ["payment", "transactions", transaction, "capture"];
        let step = Step::Capture { id, release: asked.release_remaining };
        Ok(Next::call(Intent::new(caller, &change.payment.payment_id, step, &path, Some(&body))))
    })
    .await
}

/// `POST /v1/payments/{payment_id}/refunds`.
pub(crate) async fn refund(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    payment_id: String,
    asked: MoveMoney,
) -> Result<Response, ApiError> {
    on_payment(ctx, caller, once, payment_id, move |ctx, caller, change, now| {
        let operations = change.plain();
        let capture_id = asked.capture_id.as_deref();
        let amount = change.payment.books.begin_refund(&operations, asked.amount, capture_id).map_err(forbidden)?;
        asked.check_lines(amount)?;
        let id = format!("ref_{}", ctx.random.id(now).simple());
        let mut body = json!({ "refund_amount": amount, "payment_refund_reference": id });
        add_data(&mut body, "supplementary_refund_data", &asked);
        let captures: Vec<&Operation> = operations
            .iter()
            .filter(|op| op.kind == OperationKind::Capture && op.state == OperationState::Succeeded)
            .collect();
        // With one capture there is nothing to choose, and Klarna needs no line items.
        let borne_by = match (capture_id, captures.as_slice()) {
            (Some(named), _) => captures.iter().find(|op| op.id == named).copied(),
            (None, [only]) if !asked.data.contains_key("line_items") => Some(*only),
            (None, _) => None,
        };
        change.begin(
            operation(&id, OperationKind::Refund, amount, asked.capture_id.clone()),
            asked.reference.clone(),
            now,
        );
        let transaction = transaction_id(&change.payment)?;
        let klarna_capture = borne_by.and_then(|op| op.klarna_id.as_deref());
        let path = match klarna_capture {
            Some(capture) => vec!["payment", "captures", capture, "refund"],
            None => vec!["payment", "transactions", transaction, "refund"],
        };
        Ok(Next::call(Intent::new(caller, &change.payment.payment_id, Step::Refund { id }, &path, Some(&body))))
    })
    .await
}

/// `POST /v1/payments/{payment_id}/void`.
pub(super) async fn void(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    payment_id: String,
) -> Result<Response, ApiError> {
    on_payment(ctx, caller, once, payment_id, move |ctx, caller, change, now| {
        change.payment.books.begin_void(&change.plain()).map_err(forbidden)?;
        let id = format!("voi_{}", ctx.random.id(now).simple());
        let amount = change.payment.books.remaining();
        change.begin(operation(&id, OperationKind::Void, amount, None), None, now);
        let transaction = transaction_id(&change.payment)?;
        let path = ["payment", "transactions", transaction, "void"];
        Ok(Next::call(Intent::new(caller, &change.payment.payment_id, Step::Void { id }, &path, Some(&json!({})))))
    })
    .await
}

/// `POST /v1/payments/{payment_id}/cancel`.
pub(crate) async fn cancel(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    payment_id: String,
) -> Result<Response, ApiError> {
    on_payment(ctx, caller, once, payment_id, move |ctx, caller, change, now| {
        change.payment.books.begin_cancel(&change.plain()).map_err(forbidden)?;
        let id = format!("can_{}", ctx.random.id(now).simple());
        change.begin(operation(&id, OperationKind::Cancel, 0, None), None, now);
        let request = change.payment.klarna_request_id.as_deref().ok_or_else(|| forbidden(Forbidden::Busy))?;
        let path = ["payment", "requests", request];
        Ok(Next::call(Intent::new(caller, &change.payment.payment_id, Step::Cancel { id }, &path, None)))
    })
    .await
}

/// `PATCH /v1/payments/{payment_id}`.
pub(super) async fn update(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    payment_id: String,
    asked: UpdatePayment,
) -> Result<Response, ApiError> {
    on_payment(ctx, caller, once, payment_id, move |ctx, caller, change, now| {
        if !asked.concerns_klarna() {
            return Ok(Next::AtOnce(changes(&asked, false)));
        }
        change.payment.books.begin_update(&change.plain(), asked.amount).map_err(forbidden)?;
        let before_authorization = change.payment.books.state == PaymentState::RequiresCustomerAction;
        let id = format!("upd_{}", ctx.random.id(now).simple());
        let mut body = Map::new();
        if let Some(amount) = asked.amount {
            body.insert("amount".to_owned(), json!(amount));
        }
        if !asked.purchase.is_empty() {
            body.insert("supplementary_purchase_data".to_owned(), Value::Object(asked.purchase.clone()));
        }
        if let Some(data) = &asked.network_data {
            body.insert(data.wire_name().to_owned(), json!(data.value));
        }
        change.begin(operation(&id, OperationKind::Update, asked.amount.unwrap_or(0), None), None, now);
        let resource = if before_authorization {
            let request = change.payment.klarna_request_id.as_deref().ok_or_else(|| forbidden(Forbidden::Busy))?;
            ["payment", "requests", request]
        } else {
            ["payment", "transactions", transaction_id(&change.payment)?]
        };
        let changes = changes(&asked, before_authorization);
        let step = Step::Update { id, changes };
        Ok(Next::call(Intent::new(caller, &change.payment.payment_id, step, &resource, Some(&Value::Object(body)))))
    })
    .await
}

fn changes(asked: &UpdatePayment, before_authorization: bool) -> Changes {
    Changes {
        amount: asked.amount,
        reference: asked.reference.clone(),
        purchase: asked.purchase.clone(),
        metadata: asked.metadata.clone(),
        before_authorization,
    }
}

/// Decides under the payment's lock, writes the intent, and carries it out.
async fn on_payment<F>(
    ctx: &Ctx,
    caller: PartnerCaller,
    once: Once,
    payment_id: String,
    decide: F,
) -> Result<Response, ApiError>
where
    F: Fn(&Ctx, &PartnerCaller, &mut Change, i64) -> Result<Next, ApiError> + Send + Sync + 'static,
{
    let shared = Arc::new((caller, once, payment_id, decide));
    let ctx = ctx.clone();
    detached(async move {
        let begun = ctx
            .db
            .write_repeating(|| {
                let (ctx, shared) = (ctx.clone(), Arc::clone(&shared));
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Begun, ApiError>> {
                    Box::pin(async move {
                        let (caller, once, payment_id, decide) = &*shared;
                        let now = ctx.clock.now();
                        // Foreign and absent look the same, whatever the key was used for.
                        let found = Change::lock(tx, &caller.partner_id, payment_id).await?;
                        let mut change = found.ok_or_else(no_such_payment)?;
                        if let Some(answer) = replay(tx, &ctx, once).await? {
                            return Ok(Begun::Replayed(answer));
                        }
                        match decide(&ctx, caller, &mut change, now)? {
                            Next::Call(mut intent) => {
                                require_network(&ctx)?;
                                intent.answer_to = Some(answer_to(once));
                                if intent.origin.is_empty() {
                                    intent.origin = change.payment.detail.origin.clone();
                                }
                                change.write(tx, &ctx, now).await?;
                                intent.enqueue(tx, now + ctx.config.recovery_delay_us, now).await?;
                                Ok(Begun::Call(intent, Box::new(change.payment)))
                            }
                            Next::AtOnce(changes) => {
                                change.change_at_once(tx, &changes).await?;
                                change.write(tx, &ctx, now).await?;
                                let view = change.payment.view(&change.operations);
                                let body = serde_json::to_vec(&view).map_err(ApiError::internal)?;
                                let answer = StoredAnswer { status: 200, body };
                                idempotency::complete(tx, &once.scope, &once.key, &answer).await?;
                                Ok(Begun::Done(answer))
                            }
                        }
                    })
                }
            })
            .await?;
        finish(&ctx, begun).await
    })
    .await
}

/// Makes the call.
async fn finish(ctx: &Ctx, begun: Begun) -> Result<Response, ApiError> {
    let (intent, payment) = match begun {
        Begun::Call(intent, payment) => (*intent, *payment),
        Begun::Done(answer) => {
            ctx.poke.poke();
            return Ok(respond(&answer, false));
        }
        Begun::Replayed(answer) => return Ok(respond(&answer, true)),
    };
    let (payment_id, partner_id) = (payment.payment_id.clone(), payment.partner_id.clone());
    let step = intent.step.clone();
    let known = (step == Step::Authorize).then_some(payment);
    match settle::carry_out(ctx, intent, known, false).await {
        Ok(Settled::Answered(answer)) => return Ok(respond(&answer, false)),
        Ok(Settled::Outstanding) => {}
        // The call was made and its outcome could not be written: open, like one that was not answered.
        Err(error) => {
            tracing::error!(payment.id = %payment_id, error = ?error.source, "the outcome of a call could not be written");
        }
    }
    // Here the outcome is open, and the job will find it.
    let (payment, operations) = read(ctx, &partner_id, &payment_id).await?.ok_or_else(no_such_payment)?;
    let body = match &step {
        Step::Capture { id, .. } | Step::Refund { id } => {
            let record = operations.iter().find(|record| record.operation.id == *id);
            serde_json::to_vec(&record.map(|record| record.view(&payment_id)))
        }
        _ => serde_json::to_vec(&payment.view(&operations)),
    };
    Ok(respond(&StoredAnswer { status: 202, body: body.map_err(ApiError::internal)? }, false))
}

/// A payment and what was done to it.
pub(crate) async fn read(
    ctx: &Ctx,
    partner_id: &str,
    payment_id: &str,
) -> Result<Option<(Payment, Vec<super::record::OperationRecord>)>, ApiError> {
    let (partner_id, payment_id) = (partner_id.to_owned(), payment_id.to_owned());
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            let Some(payment) = store::find(tx, &partner_id, &payment_id).await? else { return Ok(None) };
            let operations = store::operations(tx, &partner_id, &payment_id).await?;
            Ok::<_, DbError>(Some((payment, operations)))
        })
    });
    Ok(read.await?)
}

/// Takes the idempotency key, or says what was answered to it.
async fn replay(tx: &mut Tx, ctx: &Ctx, once: &Once) -> Result<Option<StoredAnswer>, ApiError> {
    let now = ctx.clock.now();
    let key = idempotency::Call { scope: &once.scope, key: &once.key, fingerprint: &once.fingerprint };
    match idempotency::begin(tx, &key, now, now.saturating_add(ctx.config.idempotency_retention_us)).await? {
        Known::Fresh => Ok(None),
        Known::Answered(answer) => Ok(Some(answer)),
        Known::OtherBody => Err(once::other_body()),
        Known::InFlight => Err(once::in_flight()),
    }
}

fn answer_to(once: &Once) -> AnswerTo {
    AnswerTo { scope: once.scope.clone(), key: once.key.clone() }
}

/// A customer token that a payment names must be the Partner's, and alive.
async fn require_chargeable(tx: &mut Tx, intent: &Intent) -> Result<(), ApiError> {
    let Some(token_id) = &intent.customer_token_id else { return Ok(()) };
    let reason = match customer_token::store::find(tx, &intent.partner_id, token_id).await? {
        Some(token) if token.state == TokenState::Active => return Ok(()),
        Some(_) => "is revoked",
        None => "is no customer token of yours",
    };
    Err(ApiError::validation(Vec::new()).field("customer_token_id", reason))
}

/// Work that cannot be done is better refused than begun.
fn require_network(ctx: &Ctx) -> Result<(), ApiError> {
    if ctx.klarna.is_available() {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "TEMPORARY_UNAVAILABLE",
        "Klarna cannot be reached at the moment. Nothing was begun; retry with backoff.",
    ))
}

fn respond(answer: &StoredAnswer, replayed: bool) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(answer.body.clone())).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if replayed {
        response.headers_mut().insert(once::REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// 404, the same for absent and foreign.
pub(super) fn no_such_payment() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no such payment.")
}

/// What a Partner hears when the payment's state or balance forbids something (RULINGS 1.6).
fn forbidden(reason: Forbidden) -> ApiError {
    let (status, code) = match reason {
        Forbidden::Busy => (StatusCode::CONFLICT, "RESOURCE_CONFLICT"),
        Forbidden::UnknownCapture => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
        Forbidden::State(_) | Forbidden::Exceeds { .. } | Forbidden::BelowCaptured { .. } | Forbidden::NothingLeft => {
            (StatusCode::FORBIDDEN, "OPERATION_FORBIDDEN")
        }
    };
    let text = reason.to_string();
    let message = format!("This cannot be done to the payment now: {text}.");
    let error = ApiError::new(status, code, message);
    match reason {
        Forbidden::Exceeds { .. } | Forbidden::BelowCaptured { .. } => error.field("amount", text),
        Forbidden::UnknownCapture => error.field("capture_id", "is not a capture of this payment"),
        Forbidden::State(_) | Forbidden::NothingLeft | Forbidden::Busy => error,
    }
}

fn operation(id: &str, kind: OperationKind, amount: i64, capture_id: Option<String>) -> Operation {
    Operation { id: id.to_owned(), kind, state: OperationState::Pending, amount, capture_id, klarna_id: None }
}

fn add_data(body: &mut Value, member: &str, asked: &MoveMoney) {
    if !asked.data.is_empty() {
        body[member] = Value::Object(asked.data.clone());
    }
    if let Some(data) = &asked.network_data {
        body[data.wire_name()] = json!(data.value);
    }
}

fn transaction_id(payment: &Payment) -> Result<&str, ApiError> {
    payment.klarna_transaction_id.as_deref().ok_or_else(|| forbidden(Forbidden::Busy))
}

/// SHA-256 in hex: what is kept of the token in our return url.
pub(crate) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Where Klarna sends the customer back to: to us, with what it knows in its placeholders.
fn return_url(ctx: &Ctx, payment_id: &str, token: &str) -> String {
    let base = ctx.config.public_url.as_str().trim_end_matches('/');
    format!("{base}/return/{payment_id}?token={token}&payment_request_state={{klarna.payment_request.state}}")
}
