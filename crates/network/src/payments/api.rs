//! Operations of the Payment API: extract, check the shape, run the use case, answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use kit::clock::SECOND_US;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shape::shapes::{payments as answers, tokens as token_shapes};
use protocol::{
    PartnerAccountId, PaymentCaptureId, PaymentChargebackId, PaymentRefundId, PaymentRequest, check_purchase_sum,
    shapes,
};
use serde::Deserialize;
use serde_json::Value;

use super::authorization::{Authorized, Command, authorize as authorize_payment};
use super::rendering::Part;
use super::{captures, confirmation, refunds, requests, transactions};
use crate::ctx::Ctx;
use crate::operation::{
    Call, Category, Doc, OnBehalf, Parts, Reply, Route, Source, Who, check, invalid, not_found, once, or_empty,
};
use crate::tokens::{self, Brought};

/// The operations of this room: the paths of sheet 06, then the plural forms of sheet 03 §2.
pub fn routes() -> Vec<Route> {
    use Category::*;
    use Source::{Collection, Documented};
    use Who::{AcquiringPartner, Anyone};
    const TOKENS: &[&str] = &[
        "Klarna-Network-Session-Token",
        "Klarna-Interoperability-Token",
        "Klarna-Payment-Token",
        "Klarna-Customer-Token",
    ];
    let requests = &["/payment/requests"];
    let request = &["/payment/requests/{payment_request_id}"];
    let token = &["/payment/tokens/{payment_token}"];
    let transaction = &["/payment/transactions/{payment_transaction_id}"];
    let capturing = &[
        "/payment/transactions/{payment_transaction_id}/capture",
        "/payment/transactions/{payment_transaction_id}/captures",
    ];
    let refunding = &[
        "/payment/transactions/{payment_transaction_id}/refund",
        "/payment/transactions/{payment_transaction_id}/refunds",
    ];
    let refunding_capture = &[
        "/payment/captures/{payment_capture_id}/refund",
        "/payment/captures/{payment_capture_id}/refunds",
        "/payment/transactions/{payment_transaction_id}/captures/{payment_capture_id}/refunds",
        "/payment/transactions/{payment_transaction_id}/captures/{payment_capture_id}/refund",
    ];
    let voiding = &["/payment/transactions/{payment_transaction_id}/void"];
    let reauthorizing = &[
        "/payment/transactions/{payment_transaction_id}/authorize",
        "/payment/transactions/{payment_transaction_id}/reauthorize",
    ];
    let capture_id = &["/payment/captures/{payment_capture_id}"];
    let refund_id = &["/payment/refunds/{payment_refund_id}"];
    let chargeback_id = &["/payment/chargebacks/{payment_chargeback_id}"];
    vec![
        Route::for_account(
            Method::POST,
            requests,
            RequestManagement,
            Anyone,
            Doc::new("createPaymentRequest", "Asks a customer for a payment, a customer token or both", Collection)
                .takes(shapes::create_payment_request)
                .headers(TOKENS)
                .answers(201, answers::payment_request),
            create_request,
        ),
        Route::for_account(
            Method::GET,
            request,
            RequestManagement,
            Anyone,
            Doc::new("readPaymentRequest", "Reads a Payment Request", Collection)
                .answers(200, answers::payment_request),
            read_request,
        ),
        Route::for_account(
            Method::PATCH,
            request,
            RequestManagement,
            Anyone,
            Doc::new("updatePaymentRequest", "Changes a Payment Request before its end", Collection)
                .takes(shapes::update_payment_request)
                .headers(TOKENS)
                .answers(200, answers::payment_request),
            update_request,
        ),
        Route::for_account(
            Method::PUT,
            request,
            RequestManagement,
            Anyone,
            Doc::new("replacePaymentRequest", "Changes a Payment Request before its end, as PATCH does", Documented)
                .takes(shapes::update_payment_request)
                .headers(TOKENS)
                .answers(200, answers::payment_request),
            update_request,
        ),
        Route::for_account(
            Method::DELETE,
            request,
            RequestManagement,
            Anyone,
            Doc::new("cancelPaymentRequest", "Cancels a Payment Request", Collection)
                .answers(200, answers::payment_request),
            cancel_request,
        ),
        Route::for_account(
            Method::DELETE,
            token,
            RequestManagement,
            Anyone,
            Doc::new("cancelPaymentToken", "Gives an unspent approval back", Collection).answers_nothing(),
            cancel_token,
        ),
        Route::for_account(
            Method::POST,
            &["/payment/authorize"],
            Authorization,
            AcquiringPartner,
            Doc::new("authorizePayment", "Authorizes a payment, or says which step the customer must take", Collection)
                .takes(shapes::authorize)
                .headers(TOKENS)
                .answers(200, answers::authorize_answer),
            authorize,
        ),
        Route::for_account(
            Method::POST,
            &["/payment/confirmation-tokens/{payment_confirmation_token}/confirm"],
            Authorization,
            AcquiringPartner,
            Doc::new("confirmPayment", "Authorizes what a customer approved, as the oldest release does", Documented)
                .takes(token_shapes::confirm_payment)
                .answers(200, token_shapes::confirmed_payment),
            confirm,
        ),
        Route::for_account(
            Method::GET,
            transaction,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("readPaymentTransaction", "Reads a Payment Transaction", Collection)
                .answers(200, answers::payment_transaction),
            read_transaction,
        ),
        Route::for_account(
            Method::PATCH,
            transaction,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("updatePaymentTransaction", "Changes a Payment Transaction", Collection)
                .takes(shapes::update_transaction)
                .answers(200, answers::payment_transaction),
            update_transaction,
        ),
        Route::for_account(
            Method::POST,
            capturing,
            Capture,
            AcquiringPartner,
            Doc::new("capturePaymentTransaction", "Captures all or a part of what is authorized", Collection)
                .may_take(shapes::capture)
                .answers(201, answers::payment_capture),
            capture,
        ),
        Route::for_account(
            Method::POST,
            refunding,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("refundPaymentTransaction", "Refunds all or a part of what was captured", Collection)
                .may_take(shapes::refund)
                .answers(201, answers::payment_refund),
            refund_transaction,
        ),
        Route::for_account(
            Method::POST,
            refunding_capture,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("refundPaymentCapture", "Refunds all or a part of one capture", Collection)
                .may_take(shapes::refund)
                .answers(201, answers::payment_refund),
            refund_capture,
        ),
        Route::for_account(
            Method::POST,
            voiding,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("voidPaymentTransaction", "Voids what is authorized and not captured", Collection)
                .answers(200, answers::payment_transaction),
            void,
        ),
        Route::for_account(
            Method::POST,
            reauthorizing,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("reauthorizePaymentTransaction", "Extends an authorization, or renews an expired one", Collection)
                .may_take(shapes::reauthorize)
                .answers(200, answers::payment_transaction),
            reauthorize,
        ),
        Route::for_account(
            Method::GET,
            capture_id,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("readPaymentCapture", "Reads a capture", Collection).answers(200, answers::payment_capture),
            read_capture,
        ),
        Route::for_account(
            Method::GET,
            refund_id,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("readPaymentRefund", "Reads a refund", Collection).answers(200, answers::payment_refund),
            read_refund,
        ),
        Route::for_account(
            Method::GET,
            chargeback_id,
            TransactionManagement,
            AcquiringPartner,
            Doc::new("readPaymentChargeback", "Reads a chargeback", Collection)
                .answers(200, answers::payment_chargeback),
            read_chargeback,
        ),
    ]
}

#[derive(Deserialize)]
struct RequestPath {
    payment_request_id: String,
}

#[derive(Deserialize)]
struct TokenPath {
    payment_token: String,
}

#[derive(Deserialize)]
struct ConfirmationPath {
    payment_confirmation_token: String,
}

#[derive(Deserialize)]
struct TransactionPath {
    payment_transaction_id: String,
}

#[derive(Deserialize)]
struct CapturePath {
    #[serde(default)]
    payment_transaction_id: Option<String>,
    payment_capture_id: String,
}

#[derive(Deserialize)]
struct RefundPath {
    payment_refund_id: String,
}

#[derive(Deserialize)]
struct ChargebackPath {
    payment_chargeback_id: String,
}

/// Names the account and the call for the use cases.
fn on_behalf(on: &OnBehalf) -> (&PartnerAccountId, &str) {
    (&on.account, &on.correlation_id)
}

/// A Payment Request as the caller's generation names its members: v1 has `payment_amount`, which stands beside the present name.
fn request_reply(status: StatusCode, parts: &Parts, mut object: PaymentRequest) -> Reply {
    if let Some(amount) = object.amount.filter(|_| parts.path.starts_with("/v1/")) {
        object.extra.insert("payment_amount".to_owned(), amount.into());
    }
    if parts.path.starts_with("/v1/") {
        confirmation::offer(&mut object);
    }
    Reply::json(status, &object)
}

fn json_reply(status: StatusCode, text: String) -> Reply {
    Reply { status, body: text.into() }
}

async fn create_request(call: Call, headers: HeaderMap, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::create_payment_request(), &body.value)?;
    let amount = ["amount", "payment_amount"].into_iter().find_map(|name| body.value.get(name)?.as_i64());
    if let Some(fault) = amount.and_then(|amount| check_purchase_sum(&body.value, amount)) {
        return Err(invalid(vec![fault]));
    }
    let recognition = Brought::read(&headers);
    tokens::keys(&call.ctx).await?;
    let parts = call.parts.clone();
    call.once(&body.value, true, move |tx, ctx, on, body| {
        let (parts, recognition) = (parts.clone(), recognition.clone());
        Box::pin(async move {
            let object = requests::create(tx, &ctx, on_behalf(&on), &body, &recognition).await?;
            Ok(request_reply(StatusCode::CREATED, &parts, object))
        })
    })
    .await
}

async fn read_request(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    Path(path): Path<RequestPath>,
) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    let object = requests::read(&ctx, &on.account, &path.payment_request_id).await?;
    Ok(request_reply(StatusCode::OK, &parts, object))
}

async fn update_request(
    call: Call,
    Path(path): Path<RequestPath>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::update_payment_request(), &body.value)?;
    let recognition = Brought::read(&headers);
    tokens::keys(&call.ctx).await?;
    let parts = call.parts.clone();
    call.once(&body.value, true, move |tx, ctx, on, body| {
        let (id, parts, recognition) = (path.payment_request_id.clone(), parts.clone(), recognition.clone());
        Box::pin(async move {
            let object = requests::update(tx, &ctx, on_behalf(&on), &id, (&body, &recognition)).await?;
            Ok(request_reply(StatusCode::OK, &parts, object))
        })
    })
    .await
}

async fn cancel_request(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    Path(path): Path<RequestPath>,
) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    ctx.write(|| {
        let (ctx, on, id) = (ctx.clone(), on.clone(), path.payment_request_id.clone());
        let parts = parts.clone();
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let object = requests::cancel(tx, &ctx, on_behalf(&on), &id).await?;
                Ok(request_reply(StatusCode::OK, &parts, object))
            })
        }
    })
    .await
}

async fn cancel_token(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<TokenPath>) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    ctx.write(|| {
        let (ctx, on, token) = (ctx.clone(), on.clone(), path.payment_token.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                requests::cancel_by_token(tx, &ctx, on_behalf(&on), &token).await?;
                Ok(Reply::no_content())
            })
        }
    })
    .await
}

/// Longest time that a call is kept waiting for a pending persona, in seconds. Ours: below the request timeout.
const WAIT_S_MAX: u16 = 50;

async fn authorize(call: Call, headers: HeaderMap, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::authorize(), &body.value)?;
    let keys = tokens::keys(&call.ctx).await?;
    let presented = tokens::presented(&keys, &headers, call.ctx.clock.now())?;
    let command = Arc::new(Command::new(body.value, presented, Brought::read(&headers))?);
    // A persona that takes its time is found out within the unit, which is given up, and run again after the wait.
    let (waited, wait) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU16::new(0)));
    loop {
        let secret = command.answers_secrets();
        let answer = once(&call.ctx, &call.on, &call.parts, call.key.as_deref(), command.body(), secret, || {
            let (ctx, on, command) = (call.ctx.clone(), call.on.clone(), Arc::clone(&command));
            let (waited, wait) = (Arc::clone(&waited), Arc::clone(&wait));
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                Box::pin(async move {
                    let waited = waited.load(Ordering::Relaxed);
                    match authorize_payment(tx, &ctx, on_behalf(&on), &command, waited).await? {
                        Authorized::Answer(reply) => Ok(reply),
                        Authorized::Wait(seconds) => {
                            wait.store(seconds, Ordering::Relaxed);
                            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "TEMPORARY_UNAVAILABLE", "Pending."))
                        }
                    }
                })
            }
        })
        .await;
        let seconds = wait.swap(0, Ordering::Relaxed).min(WAIT_S_MAX);
        if answer.is_ok() || seconds == 0 {
            return answer;
        }
        let clock = &call.ctx.clock;
        clock.sleep_until(clock.now() + i64::from(seconds) * SECOND_US).await;
        waited.store(true, Ordering::Relaxed);
    }
}

async fn confirm(call: Call, Path(path): Path<ConfirmationPath>, body: JsonBody) -> Result<Response, ApiError> {
    check(token_shapes::confirm_payment(), &body.value)?;
    tokens::keys(&call.ctx).await?;
    call.once(&body.value, false, move |tx, ctx, on, body| {
        let token = path.payment_confirmation_token.clone();
        Box::pin(async move { confirmation::confirm(tx, &ctx, on_behalf(&on), &token, &body).await })
    })
    .await
}

async fn read_transaction(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<TransactionPath>,
) -> Result<Reply, ApiError> {
    let text = transactions::read(&ctx, &on.account, &path.payment_transaction_id, Part::Whole).await?;
    Ok(json_reply(StatusCode::OK, text))
}

async fn update_transaction(
    call: Call,
    Path(path): Path<TransactionPath>,
    body: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::update_transaction(), &body.value)?;
    call.once(&body.value, false, move |tx, ctx, on, body| {
        let id = path.payment_transaction_id.clone();
        Box::pin(async move {
            let text = transactions::update(tx, &ctx, on_behalf(&on), &id, &body).await?;
            Ok(json_reply(StatusCode::OK, text))
        })
    })
    .await
}

async fn capture(call: Call, Path(path): Path<TransactionPath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::capture(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.payment_transaction_id.clone();
        Box::pin(async move {
            let text = captures::capture(tx, &ctx, on_behalf(&on), &id, &body).await?;
            Ok(json_reply(StatusCode::CREATED, text))
        })
    })
    .await
}

async fn refund_transaction(
    call: Call,
    Path(path): Path<TransactionPath>,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    refund(call, path.payment_transaction_id, None, or_empty(body)).await
}

async fn refund_capture(
    call: Call,
    Path(path): Path<CapturePath>,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let (transaction, number) = capture_of(&path.payment_capture_id)?;
    if path.payment_transaction_id.is_some_and(|named| named != transaction) {
        return Err(no_capture());
    }
    refund(call, transaction, Some(number), or_empty(body)).await
}

async fn refund(call: Call, id: String, capture: Option<i64>, body: Value) -> Result<Response, ApiError> {
    check(shapes::refund(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = id.clone();
        Box::pin(async move {
            let text = refunds::refund(tx, &ctx, on_behalf(&on), (&id, capture), &body).await?;
            Ok(json_reply(StatusCode::CREATED, text))
        })
    })
    .await
}

async fn void(call: Call, Path(path): Path<TransactionPath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    call.once(&or_empty(body), false, move |tx, ctx, on, _| {
        let id = path.payment_transaction_id.clone();
        Box::pin(async move {
            let text = transactions::void(tx, &ctx, on_behalf(&on), &id).await?;
            Ok(json_reply(StatusCode::OK, text))
        })
    })
    .await
}

async fn reauthorize(
    call: Call,
    Path(path): Path<TransactionPath>,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::reauthorize(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.payment_transaction_id.clone();
        Box::pin(async move {
            let text = transactions::reauthorize(tx, &ctx, on_behalf(&on), &id, &body).await?;
            Ok(json_reply(StatusCode::OK, text))
        })
    })
    .await
}

fn no_capture() -> ApiError {
    not_found("The payment capture does not exist.")
}

/// The transaction and the number that a capture's id holds.
fn capture_of(id: &str) -> Result<(String, i64), ApiError> {
    let id: PaymentCaptureId = id.parse().map_err(|_| no_capture())?;
    match (id.transaction(), id.number()) {
        (Some(transaction), Some(number)) => Ok((transaction.to_string(), number.into())),
        _ => Err(no_capture()),
    }
}

async fn read_capture(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<CapturePath>) -> Result<Reply, ApiError> {
    let (transaction, number) = capture_of(&path.payment_capture_id)?;
    let text = transactions::read(&ctx, &on.account, &transaction, Part::Capture(number)).await?;
    Ok(json_reply(StatusCode::OK, text))
}

async fn read_refund(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<RefundPath>) -> Result<Reply, ApiError> {
    let id: Option<PaymentRefundId> = path.payment_refund_id.parse().ok();
    let place = id.and_then(|id| Some((id.transaction()?, id.number()?)));
    let (transaction, number) = place.ok_or_else(|| not_found("The payment refund does not exist."))?;
    let part = Part::Refund(number.into());
    Ok(json_reply(StatusCode::OK, transactions::read(&ctx, &on.account, transaction.as_str(), part).await?))
}

async fn read_chargeback(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<ChargebackPath>,
) -> Result<Reply, ApiError> {
    let id: Option<PaymentChargebackId> = path.payment_chargeback_id.parse().ok();
    let place = id.and_then(|id| Some((id.transaction()?, id.number()?)));
    let (transaction, number) = place.ok_or_else(|| not_found("The payment chargeback does not exist."))?;
    let part = Part::Chargeback(number.into());
    Ok(json_reply(StatusCode::OK, transactions::read(&ctx, &on.account, transaction.as_str(), part).await?))
}
