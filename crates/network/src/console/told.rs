//! Assertions on what callers were told: `/testing/deliveries/find`, `/testing/events/find`, and their counts and waits.

use axum::extract::State;
use http::{Method, StatusCode};
use kit::deliveries::{self, Attempt, Delivery, Filter};
use kit::http::{ApiError, JsonBody};
use serde_json::{Value, json};

use super::api::{event_view, whole_view};
use super::calls::matcher::{Reading, body_fits, fits};
use super::shapes;
use super::waiting::{self, Ask};
use crate::ctx::Ctx;
use crate::notifications::{self, EventRow};
use crate::operation::{Category, Doc, OnBehalf, Reply, Route, Source, Who};

const PAGE_ROWS: i64 = 200;
/// Rows that are looked at for one answer, at the most.
const ROWS_MAX: usize = 20_000;

/// The operations.
pub fn routes() -> Vec<Route> {
    let doc = |id, summary| Doc::new(id, summary, Source::Ours);
    let (find, wait) = (shapes::told_find, shapes::told_wait);
    vec![
        post(
            "/testing/deliveries/find",
            doc("findDeliveries", "Finds the webhook deliveries that fit")
                .takes(find)
                .answers(200, shapes::deliveries_found),
            find_deliveries,
        ),
        post(
            "/testing/deliveries/count",
            doc("countDeliveries", "Counts the webhook deliveries that fit").takes(find).answers(200, shapes::counted),
            count_deliveries,
        ),
        post(
            "/testing/deliveries/wait",
            doc("awaitDeliveries", "Waits until enough webhook deliveries fit")
                .takes(wait)
                .answers(200, shapes::deliveries_found),
            await_deliveries,
        ),
        post(
            "/testing/events/find",
            doc("findEvents", "Finds the events that fit").takes(find).answers(200, shapes::events_found),
            find_events,
        ),
        post(
            "/testing/events/count",
            doc("countEvents", "Counts the events that fit").takes(find).answers(200, shapes::counted),
            count_events,
        ),
        post(
            "/testing/events/wait",
            doc("awaitEvents", "Waits until enough events fit").takes(wait).answers(200, shapes::events_found),
            await_events,
        ),
    ]
}

fn post<H, T>(template: &str, doc: Doc, handler: H) -> Route
where
    H: axum::handler::Handler<T, Ctx>,
    T: 'static,
{
    Route::at(Method::POST, &[template], Category::Unlimited, Who::AcquiringPartner, doc, handler)
}

/// What is meant; what is absent fits everything.
#[derive(Debug, Default)]
struct Wanted {
    event_type: Option<String>,
    event_id: Option<String>,
    subject_account_id: Option<String>,
    webhook_id: Option<String>,
    state: Option<String>,
    correlation_id: Option<String>,
    since: Option<i64>,
    /// Of the webhook's body, or of the event's payload.
    body: Vec<(String, Value)>,
}

fn read(body: &Value, waits: bool) -> Result<(Wanted, Ask), ApiError> {
    let mut reading = Reading::of(body, "match");
    let wanted = Wanted {
        event_type: reading.text("event_type"),
        event_id: reading.text("event_id"),
        subject_account_id: reading.text("subject_account_id"),
        webhook_id: reading.text("webhook_id"),
        state: reading.text("state"),
        correlation_id: reading.text("correlation_id"),
        since: reading.time("since"),
        body: reading.wanted("body"),
    };
    let ask = waiting::read(body, waits, &mut reading.faults);
    if reading.faults.is_empty() { Ok((wanted, ask)) } else { Err(ApiError::validation(reading.faults)) }
}

impl Wanted {
    fn delivery_fits(&self, row: &Delivery) -> bool {
        let body = || serde_json::from_slice::<Value>(&row.body).unwrap_or(Value::Null);
        let metadata = |name: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| body()["metadata"][name].as_str() == Some(wanted))
        };
        self.event_type.as_deref().is_none_or(|pattern| fits(pattern, &row.event_type))
            && self.since.is_none_or(|since| row.created_at >= since)
            && metadata("subject_account_id", &self.subject_account_id)
            && metadata("correlation_id", &self.correlation_id)
            && (self.body.is_empty() || body_fits(&self.body, &body()))
    }

    fn event_fits(&self, row: &EventRow) -> bool {
        let payload = || serde_json::from_str::<Value>(&row.payload).unwrap_or(Value::Null);
        let equal = |wanted: &Option<String>, given: Option<&str>| wanted.is_none() || wanted.as_deref() == given;
        self.event_type.as_deref().is_none_or(|pattern| fits(pattern, &row.event_type))
            && self.since.is_none_or(|since| row.occurred_at >= since)
            && equal(&self.event_id, Some(&row.event_id))
            && equal(&self.subject_account_id, Some(&row.subject_account_id))
            && equal(&self.correlation_id, row.correlation_id.as_deref())
            && (self.body.is_empty() || body_fits(&self.body, &payload()))
    }
}

/// Newest first.
async fn deliveries_of(
    ctx: &Ctx,
    on: &OnBehalf,
    wanted: &Wanted,
    limit: usize,
) -> Result<Vec<(Delivery, Vec<Attempt>)>, ApiError> {
    let (mut found, mut looked_at, mut before) = (Vec::new(), 0, None::<String>);
    while found.len() < limit && looked_at < ROWS_MAX {
        let (account, cursor) = (on.account.to_string(), before.clone());
        let (target, event_id, state) = (wanted.webhook_id.clone(), wanted.event_id.clone(), wanted.state.clone());
        let rows: Vec<Delivery> = ctx
            .db
            .read(move |tx| {
                Box::pin(async move {
                    let filter = Filter {
                        target: target.as_deref(),
                        event_id: event_id.as_deref(),
                        state: state.as_deref(),
                        before: cursor.as_deref(),
                    };
                    deliveries::list(tx, &account, &filter, PAGE_ROWS).await
                })
            })
            .await?;
        looked_at += rows.len();
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < PAGE_ROWS;
        before = rows.last().map(|row| row.delivery_id.clone());
        found.extend(rows.into_iter().filter(|row| wanted.delivery_fits(row)));
        if is_last {
            break;
        }
    }
    found.truncate(limit);
    let account = on.account.to_string();
    let whole: Result<Vec<(Delivery, Vec<Attempt>)>, ApiError> = ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let mut whole = Vec::new();
                for delivery in found {
                    let attempts = deliveries::attempts(tx, &account, &delivery.delivery_id).await?;
                    whole.push((delivery, attempts));
                }
                Ok(whole)
            })
        })
        .await;
    whole
}

fn deliveries_reply(found: &[(Delivery, Vec<Attempt>)]) -> Result<Reply, ApiError> {
    let views =
        found.iter().map(|(delivery, attempts)| whole_view(delivery, attempts)).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"count": views.len(), "deliveries": views})))
}

async fn find_deliveries(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, ask) = read(&body.value, false)?;
    deliveries_reply(&deliveries_of(&ctx, &on, &wanted, ask.limit).await?)
}

async fn count_deliveries(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, _) = read(&body.value, false)?;
    let count = deliveries_of(&ctx, &on, &wanted, usize::MAX).await?.len();
    Ok(Reply::json(StatusCode::OK, &json!({"count": count})))
}

async fn await_deliveries(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, ask) = read(&body.value, true)?;
    let found = waiting::until(&ctx, &ask, "deliveries", || deliveries_of(&ctx, &on, &wanted, ask.limit)).await?;
    deliveries_reply(&found)
}

/// Oldest first, as events are listed.
async fn events_of(ctx: &Ctx, on: &OnBehalf, wanted: &Wanted, limit: usize) -> Result<Vec<EventRow>, ApiError> {
    let (mut found, mut looked_at, mut after) = (Vec::new(), 0, None);
    while found.len() < limit && looked_at < ROWS_MAX {
        let (account, cursor) = (on.account.clone(), after.clone());
        let rows: Vec<EventRow> = ctx
            .db
            .read(move |tx| {
                Box::pin(async move { notifications::events(tx, &account, cursor.as_ref(), PAGE_ROWS).await })
            })
            .await?;
        looked_at += rows.len();
        let is_last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < PAGE_ROWS;
        after = rows.last().map(EventRow::cursor);
        found.extend(rows.into_iter().filter(|row| wanted.event_fits(row)));
        if is_last {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn events_reply(found: &[EventRow]) -> Result<Reply, ApiError> {
    let views = found.iter().map(event_view).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"count": views.len(), "events": views})))
}

async fn find_events(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, ask) = read(&body.value, false)?;
    events_reply(&events_of(&ctx, &on, &wanted, ask.limit).await?)
}

async fn count_events(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, _) = read(&body.value, false)?;
    let count = events_of(&ctx, &on, &wanted, usize::MAX).await?.len();
    Ok(Reply::json(StatusCode::OK, &json!({"count": count})))
}

async fn await_events(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, ask) = read(&body.value, true)?;
    let found = waiting::until(&ctx, &ask, "events", || events_of(&ctx, &on, &wanted, ask.limit)).await?;
    events_reply(&found)
}
