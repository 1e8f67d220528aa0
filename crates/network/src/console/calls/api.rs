//! `/testing/requests`: the log, assertions on it, and its export.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use kit::http::{ApiError, JsonBody};
use protocol::shape::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Message;
use super::find::{self, Call, Wanted};
use super::matcher::Reading;
use super::{har, store};
use crate::console::shapes;
use crate::console::time;
use crate::console::waiting::{self, Ask};
use crate::ctx::Ctx;
use crate::operation::{Category, Content, Doc, OnBehalf, Reply, Route, Source, Who, not_found};

const SIZE_DEFAULT: usize = 50;
const SIZE_MAX: usize = 1_000;

/// The operations on the request log.
pub fn routes() -> Vec<Route> {
    let at = |method, template: &str, doc| (method, template.to_owned(), doc);
    let (list, one, har) = (
        at(
            Method::GET,
            "/testing/requests",
            filtered("listRequests", "Lists calls to this network, newest first").answers(200, shapes::request_list),
        ),
        at(
            Method::GET,
            "/testing/requests/{call_id}",
            Doc::new("readRequest", "Reads a call with what was said", Source::Ours).answers(200, shapes::request),
        ),
        at(
            Method::GET,
            "/testing/requests/har",
            filtered("exportRequests", "Exports calls as an HTTP Archive 1.2")
                .answers_with(200, Content::Json(shapes::har)),
        ),
    );
    let find = Doc::new("findRequests", "Finds the calls that fit", Source::Ours)
        .takes(shapes::request_find)
        .answers(200, shapes::request_found);
    let count = Doc::new("countRequests", "Counts the calls that fit", Source::Ours)
        .takes(shapes::request_find)
        .answers(200, shapes::counted);
    let wait = Doc::new("awaitRequests", "Waits until enough calls fit", Source::Ours)
        .takes(shapes::request_wait)
        .answers(200, shapes::request_found);
    let clear = Doc::new("clearRequests", "Empties the request log", Source::Ours).answers_nothing();
    let post = |template: &str, doc: Doc| (Method::POST, template.to_owned(), doc);
    vec![
        route(list, list_requests),
        route(har, export),
        route(one, read_request),
        route(post("/testing/requests/find", find), find_requests),
        route(post("/testing/requests/count", count), count_requests),
        route(post("/testing/requests/wait", wait), await_requests),
        route((Method::DELETE, "/testing/requests".to_owned(), clear), clear_requests),
    ]
}

fn route<H, T>((method, template, doc): (Method, String, Doc), handler: H) -> Route
where
    H: axum::handler::Handler<T, Ctx>,
    T: 'static,
{
    Route::at(method, &[&template], Category::Unlimited, Who::AcquiringPartner, doc, handler)
}

fn filtered(id: &'static str, summary: &'static str) -> Doc {
    let text = || Kind::Text { min: 1, max: 255 };
    let mut doc = Doc::new(id, summary, Source::Ours);
    for name in
        ["method", "operation", "path", "status", "account_id", "correlation_id", "text", "after", "starting_after"]
    {
        doc = doc.query(name, text());
    }
    doc.query("since", Kind::Timestamp).query("size", Kind::Int { min: 1, max: 1_000 })
}

/// Where `starting_after` leads on: a page of calls, newest first, and whether there are more.
fn page(query: &[(String, String)]) -> Result<(Wanted, usize), ApiError> {
    let wanted = Wanted::of_query(query);
    let size = query.iter().find(|(name, _)| name == "size").map(|(_, value)| value.parse::<usize>());
    let size = match size.unwrap_or(Ok(SIZE_DEFAULT)) {
        Ok(size) if (1..=SIZE_MAX).contains(&size) => Ok(size),
        _ => Err(ApiError::validation(Vec::new()).field("size", format!("must be 1 to {SIZE_MAX}"))),
    };
    match (wanted, size) {
        (Ok(wanted), Ok(size)) => Ok((wanted, size)),
        (Err(mut error), Err(other)) => {
            error.validation_errors.extend(other.validation_errors.clone());
            Err(error)
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

type Pairs = Query<Vec<(String, String)>>;

async fn list_requests(State(ctx): State<Ctx>, on: OnBehalf, Query(query): Pairs) -> Result<Reply, ApiError> {
    let (wanted, size) = page(&query)?;
    let mut calls = find::find(&ctx, on.caller.account.as_str(), &wanted, size + 1).await?;
    let more = calls.len() > size;
    calls.truncate(size);
    let last = calls.last().filter(|_| more).map(|call| call.row.call_id.clone());
    let requests = calls.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    let body = json!({"requests": requests, "pushed_out": ctx.observer.pushed_out(),
        "pagination": {"count": calls.len(), "last_item": last}});
    Ok(Reply::json(StatusCode::OK, &body))
}

async fn export(State(ctx): State<Ctx>, on: OnBehalf, Query(query): Pairs) -> Result<Response, ApiError> {
    let (wanted, _) = page(&query)?;
    let size = query.iter().any(|(name, _)| name == "size");
    let size = if size { page(&query)?.1 } else { SIZE_MAX };
    let calls = find::find(&ctx, on.caller.account.as_str(), &wanted, size).await?;
    Ok(har_response(&ctx, &calls))
}

/// The archive as a file.
pub(crate) fn har_response(ctx: &Ctx, calls: &[Call]) -> Response {
    let mut response = Reply::json(StatusCode::OK, &har::archive(&ctx.config.base_url, calls)).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"network.har\""));
    response
}

#[derive(Deserialize)]
struct CallPath {
    call_id: String,
}

async fn read_request(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(CallPath { call_id }): Path<CallPath>,
) -> Result<Reply, ApiError> {
    let call = find::read(&ctx, on.caller.account.as_str(), &call_id).await?;
    let call = call.ok_or_else(|| not_found("The request log has no such call."))?;
    Ok(Reply::json(StatusCode::OK, &whole(&call)?))
}

async fn find_requests(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, ask) = read_ask(&body.value, false)?;
    let found = find::find(&ctx, on.caller.account.as_str(), &wanted, ask.limit).await?;
    found_reply(found)
}

async fn count_requests(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, _) = read_ask(&body.value, false)?;
    let found = find::find(&ctx, on.caller.account.as_str(), &wanted, usize::MAX).await?;
    Ok(Reply::json(StatusCode::OK, &json!({"count": found.len()})))
}

async fn await_requests(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    let (wanted, ask) = read_ask(&body.value, true)?;
    let account = on.caller.account.as_str().to_owned();
    let limit = ask.limit;
    let found =
        waiting::until(&ctx, &ask, "calls", || async { find::find(&ctx, &account, &wanted, limit).await }).await?;
    found_reply(found)
}

async fn clear_requests(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    super::flush(&ctx).await?;
    let account = on.caller.account.clone();
    let cleared: Result<(), kit::db::DbError> =
        ctx.db.write(move |tx| Box::pin(async move { store::clear(tx, account.as_str()).await })).await;
    cleared?;
    Ok(Reply::no_content())
}

fn read_ask(body: &Value, waits: bool) -> Result<(Wanted, Ask), ApiError> {
    let mut reading = Reading::of(body, "match");
    let wanted = Wanted::read(&mut reading);
    let ask = waiting::read(body, waits, &mut reading.faults);
    if reading.faults.is_empty() { Ok((wanted, ask)) } else { Err(ApiError::validation(reading.faults)) }
}

fn found_reply(found: Vec<Call>) -> Result<Reply, ApiError> {
    let requests = found.iter().map(whole).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"count": requests.len(), "requests": requests})))
}

/// A call in a list.
pub(crate) fn line(call: &Call) -> Result<Value, ApiError> {
    let row = &call.row;
    Ok(json!({"call_id": row.call_id, "occurred_at": time(row.occurred_at)?, "method": row.method, "path": row.path,
        "operation": row.operation, "status": row.status, "duration_us": row.duration_us,
        "account_id": row.account_id, "correlation_id": row.correlation_id,
        "partner_correlation_id": row.partner_correlation_id, "error_code": row.error_code,
        "fault_id": row.fault_id}))
}

/// A call with what was said.
fn whole(call: &Call) -> Result<Value, ApiError> {
    let mut view = line(call)?;
    view["query"] = call.detail.query.clone().into();
    view["request"] = said(&call.detail.request);
    view["response"] = said(&call.detail.response);
    Ok(view)
}

fn said(message: &Message) -> Value {
    let headers: Vec<Value> =
        message.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"headers": headers, "body": message.body, "bytes": message.bytes, "clipped": message.clipped})
}
