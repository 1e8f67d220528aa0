//! `/testing`.

use axum::extract::{Path, Query, State};
use axum::response::IntoResponse as _;
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::deliveries::{self, Attempt, Delivery, Filter};
use kit::http::{ApiError, FieldFault, JsonBody};
use protocol::shape::Kind;
use protocol::{Timestamp, parse_duration};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{shapes, time};
use crate::ctx::Ctx;
use crate::notifications::{self, EventCursor, EventRow};
use crate::operation::{Category, Doc, OnBehalf, Reply, Route, Source, Who, not_found};
use crate::payments::{self, ListedRow};
use crate::seed;

const SIZE_DEFAULT: i64 = 20;
/// Larger than the network's own 100: tests compare whole books.
const SIZE_MAX: i64 = 1000;

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    const TRANSACTIONS: [&str; 2] = ["/testing/accounts/{partner_account_id}/transactions", "/testing/transactions"];
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    vec![
        Route::at(
            Method::GET,
            &["/testing/clock"],
            category,
            who,
            Doc::new("readClock", "Tells the time of this network", Source::Ours).answers(200, shapes::clock),
            read_clock,
        ),
        Route::at(
            Method::POST,
            &["/testing/clock"],
            category,
            who,
            Doc::new("moveClock", "Moves the clock ahead", Source::Ours)
                .takes(shapes::clock_move)
                .answers(200, shapes::clock),
            move_clock,
        ),
        Route::at(
            Method::GET,
            &["/testing/events"],
            category,
            who,
            Doc::new("listEvents", "Lists what the caller was told", Source::Ours)
                .query("size", Kind::Int { min: 1, max: SIZE_MAX })
                .query("starting_after", Kind::Text { min: 1, max: 255 })
                .answers(200, shapes::event_list),
            list_events,
        ),
        Route::at(
            Method::GET,
            &TRANSACTIONS,
            category,
            who,
            Doc::new("listTransactions", "Lists Payment Transactions with their sums", Source::Ours)
                .query("size", Kind::Int { min: 1, max: SIZE_MAX })
                .query("starting_after", Kind::Text { min: 1, max: 255 })
                .answers(200, shapes::transaction_list),
            list_transactions,
        ),
        Route::at(
            Method::GET,
            &["/testing/deliveries"],
            category,
            who,
            Doc::new("listDeliveries", "Lists webhook deliveries", Source::Ours)
                .query("webhook_id", Kind::Text { min: 1, max: 255 })
                .query("event_id", Kind::Text { min: 1, max: 255 })
                .query("state", Kind::Text { min: 1, max: 255 })
                .query("size", Kind::Int { min: 1, max: SIZE_MAX })
                .query("starting_after", Kind::Text { min: 1, max: 255 })
                .answers(200, shapes::delivery_list),
            list_deliveries,
        ),
        Route::at(
            Method::GET,
            &["/testing/deliveries/{delivery_id}"],
            category,
            who,
            Doc::new("readDelivery", "Reads a delivery with every attempt", Source::Ours)
                .answers(200, shapes::delivery),
            read_delivery,
        ),
        Route::at(
            Method::POST,
            &["/testing/deliveries/{delivery_id}/replay"],
            category,
            who,
            Doc::new("replayDelivery", "Sends a delivery once more", Source::Ours).answers(200, shapes::delivery),
            replay_delivery,
        ),
    ]
}

fn clock_view(ctx: &Ctx) -> Result<Reply, ApiError> {
    // Seconds with a fraction would be a float: microseconds are what is stored.
    let view = json!({"now": time(ctx.clock.now())?, "ahead_us": ctx.clock.offset()});
    Ok(Reply::json(StatusCode::OK, &view))
}

async fn read_clock(State(ctx): State<Ctx>) -> Result<Reply, ApiError> {
    clock_view(&ctx)
}

/// `{"advance": "PT1H"}` or `{"set": "2026-03-02T10:00:00Z"}`. The clock goes ahead only: what has happened stays in the past.
async fn move_clock(State(ctx): State<Ctx>, JsonBody { value: body, .. }: JsonBody) -> Result<Reply, ApiError> {
    let by_us = read_move(&body, ctx.clock.now()).map_err(|fault| ApiError::validation(vec![fault]))?;
    advance_clock(&ctx, by_us).await?;
    clock_view(&ctx)
}

/// Moves the clock of the installation ahead.
pub(super) async fn advance_clock(ctx: &Ctx, by_us: i64) -> Result<(), ApiError> {
    let ahead = ctx.clock.offset().saturating_add(by_us);
    let ahead = seed::move_clock(&ctx.db, ahead).await?;
    // Wakes whoever waits for a time; the poke, workers that look at nothing else.
    ctx.clock.set_offset(ahead);
    ctx.poke.poke();
    Ok(())
}

pub(super) fn read_move(body: &Value, now: i64) -> Result<i64, FieldFault> {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(FieldFault::new(name, "must be a text")),
    };
    let (name, by_us) = match (text("advance")?, text("set")?) {
        (Some(duration), None) => {
            ("advance", parse_duration(&duration).map_err(|error| FieldFault::new("advance", error.to_string()))?)
        }
        (None, Some(at)) => {
            let at: Timestamp =
                at.parse().map_err(|error: protocol::TimeError| FieldFault::new("set", error.to_string()))?;
            ("set", at.as_micros().saturating_sub(now))
        }
        _ => return Err(FieldFault::new("advance", "send either `advance`, a duration, or `set`, a time")),
    };
    if by_us < 0 {
        return Err(FieldFault::new(name, "must not move the clock back"));
    }
    if Timestamp::from_micros(now.saturating_add(by_us)).is_err() {
        return Err(FieldFault::new(name, "must not move the clock beyond the year 9999"));
    }
    Ok(by_us)
}

#[derive(Deserialize)]
struct Page {
    size: Option<i64>,
    starting_after: Option<String>,
}

fn page_size(given: Option<i64>) -> Result<i64, ApiError> {
    let size = given.unwrap_or(SIZE_DEFAULT);
    if (1..=SIZE_MAX).contains(&size) {
        return Ok(size);
    }
    Err(ApiError::validation(vec![FieldFault::new("size", format!("must be 1 to {SIZE_MAX}"))]))
}

/// What the caller's account was told, about itself and the accounts under it, oldest first.
async fn list_events(State(ctx): State<Ctx>, on: OnBehalf, Query(page): Query<Page>) -> Result<Reply, ApiError> {
    let size = page_size(page.size)?;
    let after = page.starting_after.as_deref().map(str::parse::<EventCursor>).transpose();
    let after =
        after.map_err(|error| ApiError::validation(vec![FieldFault::new("starting_after", error.to_string())]))?;
    let account = on.account;
    let mut rows: Vec<EventRow> = ctx
        .db
        .read(move |tx| Box::pin(async move { notifications::events(tx, &account, after.as_ref(), size + 1).await }))
        .await?;
    let more = truncate(&mut rows, size);
    let last = rows.last().filter(|_| more).map(|row| row.cursor().to_string());
    let events = rows.iter().map(event_view).collect::<Result<Vec<_>, _>>()?;
    let count = events.len();
    Ok(Reply::json(StatusCode::OK, &json!({"events": events, "pagination": {"count": count, "last_item": last}})))
}

pub(super) fn event_view(row: &EventRow) -> Result<Value, ApiError> {
    let payload: Value = serde_json::from_str(&row.payload).map_err(ApiError::internal)?;
    Ok(json!({"event_id": row.event_id, "event_type": row.event_type, "occurred_at": time(row.occurred_at)?,
        "subject_account_id": row.subject_account_id, "recipient_account_id": row.recipient_account_id,
        "product_instance_id": row.product_instance_id, "correlation_id": row.correlation_id,
        "simulated": row.simulated, "payload": payload}))
}

/// The payment transactions of an account with their sums, in the order of their ids.
async fn list_transactions(State(ctx): State<Ctx>, on: OnBehalf, Query(page): Query<Page>) -> Result<Reply, ApiError> {
    let size = page_size(page.size)?;
    let mut rows: Vec<ListedRow> = ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let after = page.starting_after.unwrap_or_default();
                payments::list(tx, &on.account, &after, size + 1).await
            })
        })
        .await?;
    let more = truncate(&mut rows, size);
    let last = rows.last().filter(|_| more).map(|row| row.transaction_id.clone());
    let transactions: Vec<Value> = rows.iter().map(transaction_view).collect();
    let pagination = json!({"count": transactions.len(), "last_item": last});
    Ok(Reply::json(StatusCode::OK, &json!({"transactions": transactions, "pagination": pagination})))
}

fn transaction_view(row: &ListedRow) -> Value {
    json!({"payment_transaction_id": row.transaction_id, "payment_transaction_reference": row.reference,
        "state": row.state, "currency": row.currency, "amount": row.amount, "captured_amount": row.captured,
        "refunded_amount": row.refunded, "charged_back_amount": row.charged_back, "voided_amount": row.voided})
}

#[derive(Deserialize)]
struct DeliveryFilter {
    webhook_id: Option<String>,
    event_id: Option<String>,
    state: Option<String>,
    size: Option<i64>,
    starting_after: Option<String>,
}

/// The deliveries to the caller's webhooks, newest first.
async fn list_deliveries(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Query(query): Query<DeliveryFilter>,
) -> Result<Reply, ApiError> {
    let size = page_size(query.size)?;
    let mut rows: Vec<Delivery> = ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let filter = Filter {
                    target: query.webhook_id.as_deref(),
                    event_id: query.event_id.as_deref(),
                    state: query.state.as_deref(),
                    before: query.starting_after.as_deref(),
                };
                deliveries::list(tx, on.account.as_str(), &filter, size + 1).await
            })
        })
        .await?;
    let more = truncate(&mut rows, size);
    let last = rows.last().filter(|_| more).map(|row| row.delivery_id.clone());
    let views = rows.iter().map(delivery_view).collect::<Result<Vec<_>, _>>()?;
    let count = views.len();
    Ok(Reply::json(StatusCode::OK, &json!({"deliveries": views, "pagination": {"count": count, "last_item": last}})))
}

#[derive(Deserialize)]
struct DeliveryPath {
    delivery_id: String,
}

/// One delivery with its body and every attempt.
async fn read_delivery(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(DeliveryPath { delivery_id }): Path<DeliveryPath>,
) -> Result<Reply, ApiError> {
    let found: Option<(Delivery, Vec<Attempt>)> = ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let account = on.account.as_str();
                let Some(delivery) = deliveries::read(tx, account, &delivery_id).await? else { return Ok(None) };
                let attempts = deliveries::attempts(tx, account, &delivery_id).await?;
                Ok::<_, kit::db::DbError>(Some((delivery, attempts)))
            })
        })
        .await?;
    let (delivery, attempts) = found.ok_or_else(no_such_delivery)?;
    Ok(Reply::json(StatusCode::OK, &whole_view(&delivery, &attempts)?))
}

/// Sends a delivery once more, by the whole schedule: the same event, the same bytes.
async fn replay_delivery(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(DeliveryPath { delivery_id }): Path<DeliveryPath>,
) -> Result<Response, ApiError> {
    let reply = ctx
        .write(|| {
            let (ctx, on, id) = (ctx.clone(), on.clone(), delivery_id.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                Box::pin(async move {
                    let account = on.account.as_str();
                    if !deliveries::replay(tx, account, &id, ctx.clock.now()).await? {
                        return Err(no_such_delivery());
                    }
                    ctx.work_was_made();
                    let delivery = deliveries::read(tx, account, &id).await?.ok_or_else(no_such_delivery)?;
                    let attempts = deliveries::attempts(tx, account, &id).await?;
                    Ok(Reply::json(StatusCode::OK, &whole_view(&delivery, &attempts)?))
                })
            }
        })
        .await?;
    Ok(reply.into_response())
}

fn delivery_view(row: &Delivery) -> Result<Value, ApiError> {
    Ok(json!({"delivery_id": row.delivery_id, "webhook_id": row.target, "event_id": row.event_id,
        "event_type": row.event_type, "state": row.state, "attempts": row.attempts,
        "next_at": row.next_at.map(time).transpose()?, "created_at": time(row.created_at)?,
        "updated_at": time(row.updated_at)?}))
}

pub(super) fn whole_view(row: &Delivery, attempts: &[Attempt]) -> Result<Value, ApiError> {
    let mut view = delivery_view(row)?;
    view["body"] = String::from_utf8_lossy(&row.body).into();
    let attempt = |attempt: &Attempt| {
        Ok(json!({"attempt": attempt.attempt, "url": attempt.url, "started_at": time(attempt.started_at)?,
            "duration_us": attempt.duration_us, "status": attempt.status, "error": attempt.error,
            "response": attempt.response}))
    };
    view["attempt_log"] = attempts.iter().map(attempt).collect::<Result<Vec<Value>, ApiError>>()?.into();
    Ok(view)
}

/// Cuts the row that was read to learn whether there are more.
fn truncate<T>(rows: &mut Vec<T>, size: i64) -> bool {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    more
}

fn no_such_delivery() -> ApiError {
    not_found("The delivery does not exist.")
}
