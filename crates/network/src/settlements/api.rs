//! `/v2/settlements`: for Acquiring Partners, about their own account.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, FieldFault, JsonBody, OptionalJsonBody};
use protocol::shape::Kind;
use protocol::{Currency, KrnKind, PartnerAccountId, Timestamp, shapes};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::entry::{self, EntryKind, NewEntry};
use super::payout::Status;
use super::run::{self, CALL, NewRun, Progress};
use super::settlement::State as SettlementState;
use super::store::{self, Filter, LineRow, PayoutRow, SettlementRow};
use super::{bank, jobs, pdf, report, view};
use crate::accounts;
use crate::ctx::Ctx;
use crate::operation::{
    Call, Category, Content, Doc, OnBehalf, Reply, Route, Source, Who, check, conflict, not_found, or_empty,
};
use crate::paging::{Page, Wanted};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    use Source::{Collection, Documented, Inferred};
    let (category, who) = (Category::Settlement, Who::AcquiringPartner);
    let doc = Doc::new;
    vec![
        Route::at(
            Method::POST,
            &["/v2/settlements"],
            category,
            who,
            doc("createSettlements", "Settles an interval now, for each currency", Collection)
                .takes(shapes::settlements::create_settlements)
                .answers(201, shapes::settlements::settlement_reports),
            create,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements"],
            category,
            who,
            doc("listSettlements", "Lists the settlements that touch an interval", Collection)
                .query("interval_start", Kind::Timestamp)
                .query("interval_end", Kind::Timestamp)
                .query("currency", Kind::Currency)
                .query("payment_acquiring_account_id", Kind::Id(KrnKind::AcquiringAccount))
                .paged()
                .answers(200, shapes::settlements::settlements),
            list,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements/{settlement_id}"],
            category,
            who,
            doc("getSettlement", "Reads a settlement with its sums", Collection)
                .answers(200, shapes::settlements::settlement),
            read,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements/{settlement_id}/transactions"],
            category,
            who,
            doc("getTransactionsBySettlementId", "Lists the lines of a settlement", Collection)
                .paged()
                .answers(200, shapes::settlements::settlement_transactions),
            transactions,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements/{settlement_id}/csv"],
            category,
            who,
            doc("getSettlementCsv", "Downloads the sums and every line", Collection)
                .answers_with(200, Content::Other("text/csv")),
            csv,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements/{settlement_id}/csv/summary"],
            category,
            who,
            doc("getSettlementSummaryReport", "Downloads the sums", Documented)
                .answers_with(200, Content::Other("text/csv")),
            summary,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements/{settlement_id}/pdf"],
            category,
            who,
            doc("getSettlementPdf", "Downloads the report for people", Inferred)
                .answers_with(200, Content::Other("application/pdf")),
            pdf_report,
        ),
        Route::at(
            Method::GET,
            &["/v2/settlements/{settlement_id}/payouts/status"],
            category,
            who,
            doc("getPayout", "Tells where the payout is", Collection).answers(200, shapes::settlements::payout),
            payout_status,
        ),
        Route::at(
            Method::POST,
            &["/v2/settlements/{settlement_id}/payouts/set-status"],
            category,
            who,
            doc("setPayoutStatus", "Moves the payout on, in the test environment", Collection)
                .takes(shapes::settlements::set_payout_status)
                .answers(200, shapes::settlements::payout),
            set_status,
        ),
    ]
}

/// Controls of the test environment.
pub fn testing_routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    vec![
        Route::at(
            Method::POST,
            &["/testing/settlements"],
            category,
            who,
            Doc::new("settleNow", "Settles what has happened since midnight, or in an interval", Source::Ours)
                .may_take(shapes::settlements::settle_now)
                .answers(201, shapes::settlements::settlement_reports),
            settle_now,
        ),
        Route::at(
            Method::POST,
            &["/testing/settlements/{settlement_id}/payout"],
            category,
            who,
            Doc::new("setPayoutOutcome", "Decides whether the payout will arrive", Source::Ours)
                .takes(shapes::settlements::payout_outcome)
                .answers(200, shapes::settlements::payout),
            set_outcome,
        ),
        Route::at(
            Method::POST,
            &["/testing/accounts/{partner_account_id}/settlement-entries", "/testing/settlement-entries"],
            category,
            who,
            Doc::new("enterAdjustment", "Holds back, releases or corrects an amount", Source::Ours)
                .takes(shapes::settlements::settlement_entry)
                .answers(201, shapes::settlements::entered),
            enter,
        ),
    ]
}

async fn create(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::settlements::create_settlements(), &body)?;
    settle(&call, &body).await
}

async fn settle_now(call: Call, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let mut body = or_empty(body);
    check(shapes::settlements::settle_now(), &body)?;
    // What has happened by now, this instant included.
    let now = call.ctx.clock.now();
    let end = moment(&body, "interval_end").unwrap_or(now + 1);
    let start = moment(&body, "interval_start").unwrap_or_else(|| run::midnight(end - 1));
    body["interval_start"] = json!(view::time(start)?);
    body["interval_end"] = json!(view::time(end)?);
    // What was left out may be on the other side of what was sent.
    check(shapes::settlements::create_settlements(), &body)?;
    settle(&call, &body).await
}

/// Ours: an interval may reach beyond now, and then holds what has happened so far; the rest is settled with its day.
async fn settle(call: &Call, body: &Value) -> Result<Response, ApiError> {
    call.once(body, false, |tx, ctx, on, body| {
        Box::pin(async move {
            let account = &on.account;
            let wanted = body["payment_acquiring_account_id"].as_str();
            if let Some(wanted) = wanted {
                let known = accounts::acquiring_accounts(tx, account.as_str()).await?;
                if !known.iter().any(|id| id == wanted) {
                    let reason = "fits no payment acquiring account of the Acquiring Partner";
                    let fault = FieldFault::new("payment_acquiring_account_id", reason);
                    return Err(ApiError::validation(vec![fault]));
                }
            }
            let new = NewRun {
                account,
                interval_start: moment(&body, "interval_start").unwrap_or_default(),
                interval_end: moment(&body, "interval_end").unwrap_or_default(),
                payment_acquiring_account_id: wanted,
                on_demand: true,
            };
            let run = run::begin(tx, &ctx, &new).await?;
            // A small one is closed at once; the workers finish a large one, whose events then say when its reports are there.
            if run::step(tx, &ctx, account, &run, CALL, Some(&on.correlation_id)).await? == Progress::More {
                jobs::leave_to_workers(tx, &ctx, account, &run).await?;
            }
            let rows = store::settlements_of_run(tx, (account.as_str(), &run), None, crate::paging::SIZE_MAX).await?;
            let reports = rows.iter().map(view::settlement).collect::<Result<Vec<_>, _>>()?;
            Ok(Reply::json(StatusCode::CREATED, &json!({"settlement_reports": reports})))
        })
    })
    .await
}

/// A member that the shape has checked, in microseconds.
fn moment(body: &Value, name: &str) -> Option<i64> {
    body[name].as_str()?.parse::<Timestamp>().ok().map(Timestamp::as_micros)
}

/// Reads the query of the list; what is empty was left behind by a form, and asks for nothing.
fn list_filter(query: &str) -> Result<Filter, ApiError> {
    let (mut filter, mut faults) = (Filter::default(), Vec::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
        let mut time = |name: &'static str| {
            let parsed = value.parse::<Timestamp>();
            if parsed.is_err() {
                faults.push(FieldFault::new(name, "must be a timestamp with a zone, like 2026-03-02T10:00:00Z"));
            }
            parsed.ok().map(Timestamp::as_micros)
        };
        match &*name {
            "interval_start" => filter.ends_after = time("interval_start"),
            "interval_end" => filter.begins_before = time("interval_end"),
            "currency" => match value.parse::<Currency>() {
                Ok(currency) => filter.currency = Some(currency.code().to_owned()),
                Err(error) => faults.push(FieldFault::new("currency", error.to_string())),
            },
            // PostgreSQL compares no text with a zero byte; nothing has an id like that.
            "payment_acquiring_account_id" if value.chars().any(char::is_control) => {
                faults.push(FieldFault::new("payment_acquiring_account_id", "must not contain control characters"));
            }
            "payment_acquiring_account_id" => filter.payment_acquiring_account_id = Some(value.into_owned()),
            _ => {}
        }
    }
    if let (Some(start), Some(end)) = (filter.ends_after, filter.begins_before)
        && end <= start
    {
        faults.push(FieldFault::new("interval_end", "must be later than interval_start"));
    }
    if faults.is_empty() { Ok(filter) } else { Err(ApiError::validation(faults)) }
}

async fn list(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    wanted: Wanted,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let filter = list_filter(query.as_deref().unwrap_or_default())?;
    let (place, backwards) = match (wanted.before(), wanted.after().filter(|text| !text.is_empty())) {
        (Some(text), _) => (list_cursor(text, "ending_before")?, true),
        (None, Some(text)) => (list_cursor(text, "starting_after")?, false),
        (None, None) => ((i64::MIN, String::new()), false),
    };
    let limit = wanted.limit();
    let (rows, total): (Vec<SettlementRow>, i64) = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move {
                let account = on.account.as_str();
                let from = ((place.0, place.1.as_str()), backwards);
                let rows = store::settlements(tx, account, &filter, from, limit).await?;
                Ok((rows, store::count_settlements(tx, account, &filter).await?))
            })
        })
        .await?;
    let page = Page::of(&wanted, rows);
    let views = page.items.iter().map(view::settlement).collect::<Result<Vec<_>, _>>()?;
    let pagination = page.pagination(&wanted, Some(total), |row| format!("{}.{}", row.created_at, row.settlement_id));
    Ok(Reply::json(StatusCode::OK, &json!({"settlements": views, "pagination": pagination})))
}

/// A cursor of the list: when, and which.
fn list_cursor(text: &str, name: &'static str) -> Result<(i64, String), ApiError> {
    let parts = text.split_once('.').and_then(|(time, id)| Some((time.parse().ok()?, id.to_owned())));
    parts.ok_or_else(|| no_cursor(name))
}

fn no_cursor(name: &'static str) -> ApiError {
    ApiError::validation(vec![FieldFault::new(name, "must be a cursor of an earlier page")])
}

#[derive(Deserialize)]
struct SettlementPath {
    settlement_id: String,
}

fn no_such_settlement() -> ApiError {
    not_found("The settlement does not exist.")
}

async fn found(ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<SettlementRow, ApiError> {
    let (account, id) = (account.clone(), id.to_owned());
    let row = ctx.db.read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
        Box::pin(async move { store::settlement(tx, account.as_str(), &id).await })
    });
    row.await?.ok_or_else(no_such_settlement)
}

/// One whose lines are complete.
async fn found_closed(ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<SettlementRow, ApiError> {
    let row = found(ctx, account, id).await?;
    if row.state == SettlementState::Open.as_str() {
        return Err(conflict("The settlement is still being made; settlement.report.created says when it is ready."));
    }
    Ok(row)
}

async fn read(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<SettlementPath>) -> Result<Reply, ApiError> {
    let row = found(&ctx, &on.account, &path.settlement_id).await?;
    Ok(Reply::json(StatusCode::OK, &view::settlement(&row)?))
}

async fn transactions(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    wanted: Wanted,
    Path(path): Path<SettlementPath>,
) -> Result<Reply, ApiError> {
    let row = found_closed(&ctx, &on.account, &path.settlement_id).await?;
    let number = |text: &str, name: &'static str| text.parse::<i64>().map_err(|_| no_cursor(name));
    let before = wanted.before().map(|text| number(text, "ending_before")).transpose()?;
    let after =
        wanted.after().filter(|text| !text.is_empty()).map(|text| number(text, "starting_after")).transpose()?;
    let (total, limit) = (row.transactions, wanted.limit());
    let rows: Vec<LineRow> = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move {
                let (account, id) = (row.account_id.as_str(), row.settlement_id.as_str());
                match before {
                    Some(before) => store::lines_before(tx, account, id, before, limit).await,
                    None => store::lines_after(tx, account, id, after.unwrap_or(0), limit).await,
                }
            })
        })
        .await?;
    let page = Page::of(&wanted, rows);
    let views = page.items.iter().map(view::line).collect::<Result<Vec<_>, _>>()?;
    let pagination = page.pagination(&wanted, Some(total), |line| line.number.to_string());
    Ok(Reply::json(StatusCode::OK, &json!({"transactions": views, "pagination": pagination})))
}

async fn csv(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<SettlementPath>) -> Result<Response, ApiError> {
    let row = found_closed(&ctx, &on.account, &path.settlement_id).await?;
    let name = format!("settlement.{}.csv", row.payment_reference);
    let body = Body::from_stream(report::combined_csv(ctx.db.clone(), row)?);
    file(body, "text/csv; charset=utf-8", &name)
}

async fn summary(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<SettlementPath>) -> Result<Response, ApiError> {
    let row = found_closed(&ctx, &on.account, &path.settlement_id).await?;
    let name = format!("settlement.{}.summary.csv", row.payment_reference);
    file(Body::from(report::summary_csv(&row)?), "text/csv; charset=utf-8", &name)
}

async fn pdf_report(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<SettlementPath>,
) -> Result<Response, ApiError> {
    let row = found_closed(&ctx, &on.account, &path.settlement_id).await?;
    let (account, id) = (on.account, path.settlement_id);
    let payout: Option<PayoutRow> = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move { store::payout(tx, account.as_str(), &id).await })
        })
        .await?;
    let name = format!("settlement.{}.pdf", row.payment_reference);
    file(Body::from(pdf::report(&row, payout.as_ref())?), "application/pdf", &name)
}

fn file(body: Body, media_type: &'static str, name: &str) -> Result<Response, ApiError> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")).map_err(ApiError::internal)?;
    headers.insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

async fn payout_status(call: Call, Path(path): Path<SettlementPath>) -> Result<Reply, ApiError> {
    let (account, id) = (call.on.account.clone(), path.settlement_id.clone());
    let stored: Option<PayoutRow> = call
        .ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move { store::payout(tx, account.as_str(), &id).await })
        })
        .await?;
    let stored = stored.ok_or_else(bank::no_such_payout)?;
    if !bank::is_due(&stored, call.ctx.clock.now()) {
        return Ok(Reply::json(StatusCode::OK, &view::payout(&stored)?));
    }
    // Time has passed that nobody has told of yet.
    call.write(move |tx, ctx, on| {
        let id = path.settlement_id.clone();
        Box::pin(async move {
            let row = bank::pass_time(tx, &ctx, &on.account, &id, Some(&on.correlation_id)).await?;
            Ok(Reply::json(StatusCode::OK, &view::payout(&row)?))
        })
    })
    .await
}

async fn set_status(
    call: Call,
    Path(path): Path<SettlementPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::settlements::set_payout_status(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.settlement_id.clone();
        Box::pin(async move {
            let status = body["status"].as_str().and_then(Status::stored).unwrap_or(Status::Processed);
            let step = (status, body["payout_bank_account_reference"].as_str());
            let row = bank::set_status(tx, &ctx, &on.account, &id, step, Some(&on.correlation_id)).await?;
            Ok(Reply::json(StatusCode::OK, &view::payout(&row)?))
        })
    })
    .await
}

async fn set_outcome(
    call: Call,
    Path(path): Path<SettlementPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::settlements::payout_outcome(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.settlement_id.clone();
        Box::pin(async move {
            let will_fail = body["outcome"] == Status::Failed.as_str();
            let row = bank::set_outcome(tx, &ctx, &on.account, &id, will_fail, Some(&on.correlation_id)).await?;
            Ok(Reply::json(StatusCode::OK, &view::payout(&row)?))
        })
    })
    .await
}

async fn enter(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::settlements::settlement_entry(), &body)?;
    call.once(&body, false, |tx, ctx, on, body| Box::pin(entered(tx, ctx, on, body))).await
}

async fn entered(tx: &mut Tx, ctx: Ctx, on: OnBehalf, body: Value) -> Result<Reply, ApiError> {
    let now = ctx.clock.now();
    let payment_account = accounts::resolve_payment_account(tx, &on.account, body.get("acquiring_config")).await?;
    let kind = match body["type"].as_str() {
        Some("HOLDBACK") => EntryKind::Holdback,
        Some("RELEASE") => EntryKind::Release,
        _ => EntryKind::Adjustment,
    };
    let amount = body["amount"].as_i64().unwrap_or_default();
    if amount < 1 && kind != EntryKind::Adjustment {
        return Err(ApiError::validation(vec![FieldFault::new("amount", "must be positive but for an ADJUSTMENT")]));
    }
    let currency: Currency = body["currency"].as_str().unwrap_or_default().parse().map_err(ApiError::internal)?;
    let key = format!("testing:{}", ctx.random.id(now));
    let entry = NewEntry {
        account: &on.account,
        key: &key,
        kind,
        amount,
        currency,
        payment_account_id: &payment_account.payment_account_id,
        transaction_id: None,
        capture_number: None,
        dispute_id: None,
        occurred_at: now,
    };
    entry::enter(tx, &entry).await?;
    let view = json!({"type": body["type"], "amount": amount, "currency": currency, "occurred_at": view::time(now)?});
    Ok(Reply::json(StatusCode::CREATED, &view))
}
