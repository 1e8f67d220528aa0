//! Controls of the test environment: what Klarna and its customers do to disputes. Ours.

use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::UnitFuture;
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::Shape;
use protocol::shapes::disputes as shapes;
use serde_json::Value;

use super::api::{self, DisputePath};
use super::cases::{self, Control};
use super::opening;
use super::rendering::View;
use crate::ctx::Ctx;
use crate::operation::{Call, Category, Doc, OnBehalf, Reply, Route, ShapeOf, Source, Who, check, or_empty};

fn route<H, T>(method: Method, templates: &[&str], doc: Doc, handler: H) -> Route
where
    H: axum::handler::Handler<T, Ctx>,
    T: 'static,
{
    Route::at(method, templates, Category::Unlimited, Who::AcquiringPartner, doc, handler)
}

fn doc(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(id, summary, Source::Ours)
}

/// The controls of this room.
pub fn routes() -> Vec<Route> {
    const OPEN: [&str; 2] = ["/testing/accounts/{partner_account_id}/disputes", "/testing/disputes"];
    const SETTINGS: [&str; 2] =
        ["/testing/accounts/{partner_account_id}/dispute-settings", "/testing/dispute-settings"];
    let with_body = |id, summary, shape: ShapeOf| doc(id, summary).takes(shape).answers(200, shapes::dispute);
    vec![
        route(
            Method::POST,
            &OPEN,
            doc("openDispute", "Opens a dispute on a capture")
                .takes(shapes::open_dispute)
                .answers(201, shapes::dispute),
            open,
        ),
        route(
            Method::GET,
            &SETTINGS,
            doc("readDisputeSettings", "Tells what holds for disputes to come").answers(200, shapes::dispute_settings),
            read_settings,
        ),
        route(
            Method::PUT,
            &SETTINGS,
            doc("changeDisputeSettings", "Changes what holds for disputes to come")
                .takes(shapes::dispute_settings)
                .answers(200, shapes::dispute_settings),
            change_settings,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/customer-evidence"],
            doc("addCustomerEvidence", "Adds a file of the customer")
                .takes_other("multipart/form-data")
                .answers(201, shapes::attachment_stored),
            add_customer_evidence,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/decide"],
            with_body("decideDispute", "Lets Klarna decide", shapes::decide_dispute),
            decide,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/escalate"],
            doc("escalateDispute", "Lets Klarna begin arbitration, before 2026").answers(200, shapes::dispute),
            escalate,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/request-evidence"],
            doc("requestDisputeEvidence", "Lets Klarna ask for evidence, before 2026")
                .may_take(shapes::request_evidence)
                .answers(200, shapes::dispute),
            request_evidence,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/extend"],
            with_body("extendDispute", "Lets Klarna give the Partner more time", shapes::extend_dispute),
            extend,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/lapse"],
            doc("lapseDispute", "Lets the time of the present state be over").answers(200, shapes::dispute),
            lapse,
        ),
        route(
            Method::POST,
            &["/testing/disputes/{payment_dispute_id}/withdraw"],
            doc("withdrawDispute", "Lets the customer let go").answers(200, shapes::dispute),
            withdraw,
        ),
    ]
}

async fn open(call: Call, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::open_dispute(), &body.value)?;
    call.once(&body.value, false, move |tx, ctx, on, body| {
        Box::pin(async move { opening::open_by_control(tx, &ctx, (&on.account, &on.correlation_id), &body).await })
    })
    .await
}

async fn read_settings(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let row = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move { opening::settings(tx, &on.account).await })
        })
        .await?;
    Ok(Reply::json(StatusCode::OK, &opening::settings_view(&row)))
}

async fn change_settings(call: Call, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::dispute_settings(), &body.value)?;
    call.once(&body.value, false, move |tx, ctx, on, body| {
        Box::pin(async move { opening::change_settings(tx, &ctx, &on.account, &body).await })
    })
    .await
}

async fn add_customer_evidence(
    call: Call,
    Path(path): Path<DisputePath>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, ApiError> {
    api::store(call, path.payment_dispute_id, multipart, true).await
}

async fn decide(call: Call, Path(path): Path<DisputePath>, body: JsonBody) -> Result<Response, ApiError> {
    step(call, path, Control::Decide, Some(shapes::decide_dispute()), body.value).await
}

async fn escalate(call: Call, Path(path): Path<DisputePath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    step(call, path, Control::Escalate, None, or_empty(body)).await
}

async fn request_evidence(
    call: Call,
    Path(path): Path<DisputePath>,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    step(call, path, Control::RequestEvidence, Some(shapes::request_evidence()), or_empty(body)).await
}

async fn extend(call: Call, Path(path): Path<DisputePath>, body: JsonBody) -> Result<Response, ApiError> {
    step(call, path, Control::Extend, Some(shapes::extend_dispute()), body.value).await
}

async fn lapse(call: Call, Path(path): Path<DisputePath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    step(call, path, Control::Lapse, None, or_empty(body)).await
}

async fn withdraw(call: Call, Path(path): Path<DisputePath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    step(call, path, Control::Withdraw, None, or_empty(body)).await
}

async fn step(
    call: Call,
    path: DisputePath,
    control: Control,
    shape: Option<&'static Shape>,
    body: Value,
) -> Result<Response, ApiError> {
    shape.map_or(Ok(()), |shape| check(shape, &body))?;
    call.once(&body, true, move |tx, ctx, on, body| {
        let (id, control) = (path.payment_dispute_id.clone(), control.clone());
        Box::pin(async move {
            let view = View::new(&ctx, &on.account, false);
            cases::control(tx, &ctx, (&on.account, &on.correlation_id), &id, (&control, &body), &view).await
        })
    })
    .await
}
