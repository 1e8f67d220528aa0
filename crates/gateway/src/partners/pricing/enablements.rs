//! Payment programs that are switched on for a Partner: asked for here, and followed at Klarna until they are on, refused, or over.
//!
//! | state | meaning | who moves it on |
//! |---|---|---|
//! | `REQUESTED` | Klarna has not answered | the call, repeated under one key |
//! | `AWAITING_APPROVAL` | the program is restricted; Klarna switches it on | a look at Klarna's list every quarter of an hour |
//! | `ACTIVE` | customers are offered it | a daily look, in case Klarna ends it |
//! | `ENDING` | it is not wanted any more | the call, repeated until it is confirmed |
//! | `REFUSED`, `ENDED` | the end | nobody |
//!
//! Every change of these is told to the Partner.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use kit::clock::{HOUR_US, MINUTE_US};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use kit::jobs::{self, NewJob};
use protocol::shapes::programs as shapes;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::jobs::ENABLEMENT_KIND;
use super::store::{self, EnablementRow};
use crate::Ctx;
use crate::access::{OperatorCaller, PartnerCaller, field_faults};
use crate::events::once::Reply;
use crate::events::wire_time;
use crate::klarna::origin::tag;
use crate::klarna::{CallError, Operation, Refusal};
use crate::partners::api::{absent, conflict, load, require_partner};
use crate::partners::command::Command;
use crate::partners::record::Record;

const REQUESTED: &str = "REQUESTED";
const AWAITING_APPROVAL: &str = "AWAITING_APPROVAL";
const ACTIVE: &str = "ACTIVE";
const ENDING: &str = "ENDING";
const REFUSED: &str = "REFUSED";
const ENDED: &str = "ENDED";

/// Namespace of derived idempotency keys.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x9a4e_1b70_53cc_4d0e_b2f8_6e7d_20a9_51c3);
/// Klarna remembers a key for a day (RULINGS 2): after this long a repeated call might ask for a second one, in microseconds.
const KEY_TRUSTED_US: i64 = 23 * HOUR_US;
/// How often Klarna's approval is looked for, in microseconds. No webhook tells of it (fact sheet 02 §4.5).
const APPROVAL_LOOK_US: i64 = 15 * MINUTE_US;
/// An account has fewer enablements than this.
const LISTED: &str = "100";
const BASE: [&str; 4] = ["products", "payment", "payment-programs", "payment-program-enablements"];

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_partner_enablements, create_enablement))
        .routes(routes!(read_enablement, delete_enablement))
        .routes(routes!(list_own_enablements))
}

/// A payment program to be switched on.
#[derive(ToSchema)]
#[schema(example = json!({
    "payment_program_id": "krn:network:global:all:payment:payment-program:92d72a98-58b2-59c9-9c82-07bcab8b6bbf",
    "enablement_criteria": {"customer_countries": ["SE"]},
}))]
pub struct EnablementBody {
    /// Klarna's id, from the pricing.
    pub payment_program_id: String,
    /// Offered only to purchases that name this code.
    pub payment_program_enablement_code: Option<String>,
    /// For whom: `customer_countries`, `merchant_category_codes`, `payment_account_ids` (Klarna's). What is absent is not restricted.
    #[schema(value_type = Option<Object>)]
    pub enablement_criteria: Option<Value>,
}

/// A payment program that was asked for, and what became of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EnablementView {
    /// `enb_…`.
    pub id: String,
    /// Klarna's id of the program.
    pub payment_program_id: String,
    /// Purchases have to name it.
    pub payment_program_enablement_code: Option<String>,
    /// For whom.
    pub enablement_criteria: Value,
    /// `REQUESTED`, `AWAITING_APPROVAL` (by Klarna), `ACTIVE`, `ENDING`; at the end `REFUSED` or `ENDED`.
    pub state: String,
    /// Why Klarna refused.
    pub refusal: Option<String>,
    /// Klarna's id of the enablement.
    pub klarna_id: Option<String>,
    /// When it was asked for.
    pub created_at: String,
    /// When its state changed.
    pub updated_at: String,
}

/// The enablements of a Partner.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EnablementList {
    /// Newest first.
    pub enablements: Vec<EnablementView>,
}

/// What pricing shows of an enablement.
pub(super) struct Live {
    pub enablement_id: String,
    pub program_id: String,
    pub is_active: bool,
}

/// Enablements that are under way or active.
///
/// # Errors
/// As the database says.
pub(super) async fn live(ctx: &Ctx, partner_id: &str) -> Result<Vec<Live>, ApiError> {
    let rows = rows(ctx, partner_id).await?.into_iter().filter(|row| !matches!(row.state.as_str(), REFUSED | ENDED));
    Ok(rows
        .map(|row| Live {
            is_active: row.state == ACTIVE,
            enablement_id: row.enablement_id,
            program_id: row.program_id,
        })
        .collect())
}

/// Switch a payment program on for a Partner
///
/// Once Klarna knows the Partner. An optional program is on at once; a restricted one waits for Klarna's approval
/// (`AWAITING_APPROVAL`) and is followed until it comes. Each change comes as the event `partner.enablement_changed`.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/enablements", operation_id = "create_enablement", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    request_body = EnablementBody,
    responses(
        (status = 201, description = "The enablement, with Klarna's answer.", body = EnablementView),
        (status = 202, description = "The enablement; Klarna's answer is outstanding, or its approval.", body = EnablementView),
    )
)]
async fn create_enablement(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    let partner_id = command.partner_id.clone();
    let begun = command.begin(&ctx, checked, |tx, ctx, record, body| {
        Box::pin(async move {
            if record.standing.account_id.is_none() {
                return Err(conflict("Klarna does not know this Partner yet: submit it first."));
            }
            let now = ctx.clock.now();
            let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
            let row = EnablementRow {
                enablement_id: format!("enb_{}", ctx.random.id(now).simple()),
                program_id: text("payment_program_id").unwrap_or_default(),
                code: text("payment_program_enablement_code"),
                criteria: body
                    .get("enablement_criteria")
                    .filter(|one| one.is_object())
                    .map_or("{}".to_owned(), Value::to_string),
                state: REQUESTED.to_owned(),
                klarna_id: None,
                refusal: None,
                created_at: now,
                updated_at: now,
            };
            store::insert_enablement(tx, &record.partner_id, &row).await?;
            enqueue(tx, &record.partner_id, &row.enablement_id, now + ctx.config.recovery_delay_us, now).await?;
            Ok(Reply { status: StatusCode::CREATED, body: json!({"id": row.enablement_id}) })
        })
    });
    let begun = begun.await?;
    let id = begun["id"].as_str().unwrap_or_default();
    advance(&ctx, &partner_id, id).await?;
    let shown = view(&find(&ctx, &partner_id, id).await?);
    let is_open = matches!(shown.state.as_str(), REQUESTED | AWAITING_APPROVAL);
    Ok((if is_open { StatusCode::ACCEPTED } else { StatusCode::CREATED }, Json(shown)).into_response())
}

fn checked(body: &Value) -> Result<Value, ApiError> {
    let mut faults = field_faults(shapes::enablement_create().check(body));
    let known = ["payment_program_id", "payment_program_enablement_code", "enablement_criteria"];
    crate::payments::body::refuse_unknown(body, &[&known], &mut faults);
    if faults.is_empty() { Ok(body.clone()) } else { Err(ApiError::validation(faults)) }
}

/// List a Partner's enablements
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/enablements", operation_id = "list_partner_enablements", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "Those that are on, under way, refused and over.", body = EnablementList))
)]
async fn list_partner_enablements(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
) -> Result<Json<EnablementList>, ApiError> {
    require_partner(&ctx, &partner_id).await?;
    listed(&ctx, &partner_id).await
}

/// List your enablements
///
/// Payment programs that were switched on for you by request, are under way, were refused or have ended.
#[utoipa::path(
    get, path = "/v1/enablements", operation_id = "list_own_enablements", tag = "Account",
    responses((status = 200, description = "Newest first.", body = EnablementList))
)]
async fn list_own_enablements(State(ctx): State<Ctx>, caller: PartnerCaller) -> Result<Json<EnablementList>, ApiError> {
    listed(&ctx, &caller.partner_id).await
}

/// Read an enablement of a Partner
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/enablements/{enablement_id}", operation_id = "read_enablement",
    tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("enablement_id" = String, Path, description = "`enb_…`"),
    ),
    responses((status = 200, description = "The enablement.", body = EnablementView))
)]
async fn read_enablement(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path((partner_id, enablement_id)): Path<(String, String)>,
) -> Result<Json<EnablementView>, ApiError> {
    Ok(Json(view(&find(&ctx, &partner_id, &enablement_id).await?)))
}

/// Switch a payment program off for a Partner
///
/// 204 once Klarna has confirmed; 202 while it has not: it is asked until it does. One that Klarna has not answered yet cannot be
/// switched off (409): try again a little later.
#[utoipa::path(
    delete, path = "/v1/partners/{partner_id}/enablements/{enablement_id}", operation_id = "delete_enablement",
    tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("enablement_id" = String, Path, description = "`enb_…`"),
    ),
    responses(
        (status = 202, description = "Klarna has not confirmed yet."),
        (status = 204, description = "It has ended."),
        (status = 409, description = "Klarna has not answered yet whether it is on."),
    )
)]
async fn delete_enablement(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path((partner_id, enablement_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    writing(&ctx, &partner_id, &enablement_id, |tx, ctx, partner, id| {
        Box::pin(async move {
            let record = Record::lock(tx, &ctx, &partner).await?.ok_or_else(absent)?;
            let row = store::enablement(tx, &partner, &id).await?.ok_or_else(absent)?;
            let to = match row.state.as_str() {
                REQUESTED => return Err(conflict("Klarna has not answered yet; try again a little later.")),
                // Klarna has nothing to end.
                AWAITING_APPROVAL => ENDED,
                ACTIVE => ENDING,
                _ => return Ok(()),
            };
            let after = EnablementRow { state: to.to_owned(), ..row.clone() };
            moved(tx, &ctx, &record, &row, &after, Some(ctx.clock.now())).await
        })
    })
    .await?;
    advance(&ctx, &partner_id, &enablement_id).await?;
    ctx.poke.poke();
    let row = find(&ctx, &partner_id, &enablement_id).await?;
    Ok(if row.state == ENDING { StatusCode::ACCEPTED } else { StatusCode::NO_CONTENT })
}

/// When an enablement is looked after next.
pub(super) enum Next {
    /// Never: it is at its end.
    Over,
    /// At a time, in microseconds UTC.
    At(i64),
    /// As soon as backoff lets it: why it did not work.
    Again(String),
}

/// Brings an enablement one step on: what is wanted is asked for, what is under way is looked at.
///
/// # Errors
/// As the database says; what Klarna does not answer is [`Next::Again`].
pub(super) async fn advance(ctx: &Ctx, partner_id: &str, id: &str) -> Result<Next, ApiError> {
    let (partner, enablement) = (partner_id.to_owned(), id.to_owned());
    let found =
        ctx.db.read(move |tx| Box::pin(async move { store::enablement(tx, &partner, &enablement).await })).await?;
    let Some(row) = found else { return Ok(Next::Over) };
    let record = load(ctx, partner_id).await?;
    // Klarna manages nothing of an account before that (RULINGS 1.6): a refusal would be about now, not about the program.
    let is_manageable = record.standing.account_state.as_deref() != Some("PARTIALLY_OPERATIONAL");
    if !is_manageable && matches!(row.state.as_str(), REQUESTED | ENDING) {
        return Ok(Next::Again("the account is not operational yet".to_owned()));
    }
    let stepped = match row.state.as_str() {
        REQUESTED => request(ctx, &record, &row).await,
        AWAITING_APPROVAL => await_approval(ctx, &record, &row).await,
        ACTIVE => look(ctx, &record, &row).await,
        ENDING => end(ctx, &record, &row).await,
        _ => return Ok(Next::Over),
    };
    let after = match stepped {
        Ok(after) => after,
        Err(error) => return Ok(Next::Again(error.to_string())),
    };
    let next = match after.state.as_str() {
        AWAITING_APPROVAL => Some(ctx.clock.now() + APPROVAL_LOOK_US),
        ACTIVE => Some(ctx.clock.now().saturating_add(ctx.config.alignment_interval_us)),
        REQUESTED | ENDING => Some(ctx.clock.now()),
        _ => None,
    };
    if after.state != row.state {
        writing(ctx, partner_id, id, move |tx, ctx, partner, _| {
            Box::pin(async move {
                let Some(record) = Record::lock(tx, &ctx, &partner).await? else { return Ok(()) };
                moved(tx, &ctx, &record, &row, &after, next).await
            })
        })
        .await?;
        ctx.poke.poke();
    }
    Ok(next.map_or(Next::Over, Next::At))
}

async fn request(ctx: &Ctx, record: &Record, row: &EnablementRow) -> Result<EnablementRow, CallError> {
    let is_late = ctx.clock.now() - row.created_at > KEY_TRUSTED_US;
    if is_late && let Some(klarna_id) = find_at_klarna(ctx, record, row).await? {
        return Ok(active(row, klarna_id));
    }
    let mut body = json!({"payment_program_id": row.program_id,
        "enablement_criteria": serde_json::from_str::<Value>(&row.criteria).unwrap_or_else(|_| json!({}))});
    if let Some(code) = &row.code {
        body["payment_program_enablement_code"] = json!(code);
    }
    let key = Uuid::new_v5(&KEY_NAMESPACE, format!("{}/{}", record.partner_id, row.enablement_id).as_bytes());
    let operation = on_account(record, "create_enablement", Method::POST, &[]).json(body.to_string()).key(key);
    match ctx.klarna.send(&operation).await.and_then(|answer| answer.json::<Value>()) {
        Ok(made) => Ok(active(row, made["payment_program_enablement_id"].as_str().unwrap_or_default().to_owned())),
        Err(CallError::Refused(refusal)) => match refusal.status {
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => Err(CallError::Refused(refusal)),
            StatusCode::FORBIDDEN if is_restricted(ctx, row).await? => {
                Ok(EnablementRow { state: AWAITING_APPROVAL.to_owned(), ..row.clone() })
            }
            _ => Ok(EnablementRow { state: REFUSED.to_owned(), refusal: Some(words(&refusal)), ..row.clone() }),
        },
        Err(error) => Err(error),
    }
}

/// Whether a program needs Klarna's approval: then a refusal is only the beginning.
async fn is_restricted(ctx: &Ctx, row: &EnablementRow) -> Result<bool, CallError> {
    let path = ["v2", "distribution", "products", "payment", "payment-programs", &row.program_id];
    let shown: Value = match ctx.klarna.send(&Operation::new("read_program", Method::GET, &path)).await {
        Ok(answer) => answer.json()?,
        Err(CallError::Refused(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(shown["enablement_type"] == "RESTRICTED")
}

async fn await_approval(ctx: &Ctx, record: &Record, row: &EnablementRow) -> Result<EnablementRow, CallError> {
    let found = find_at_klarna(ctx, record, row).await?;
    Ok(found.map_or_else(|| row.clone(), |klarna_id| active(row, klarna_id)))
}

/// Klarna's id of an active enablement of this program that is none of ours yet.
async fn find_at_klarna(ctx: &Ctx, record: &Record, row: &EnablementRow) -> Result<Option<String>, CallError> {
    let unreadable = |error: ApiError| {
        CallError::NotSent(crate::klarna::Trouble::Unreadable { status: 0, reason: error.to_string() })
    };
    let known: Vec<String> =
        rows(ctx, &record.partner_id).await.map_err(unreadable)?.into_iter().filter_map(|one| one.klarna_id).collect();
    let mut operation = on_account(record, "list_enablements", Method::GET, &[]);
    operation.query = vec![("size", LISTED.to_owned())];
    let shown: Value = ctx.klarna.send(&operation).await?.json()?;
    let listed = shown["payment_program_enablements"].as_array().into_iter().flatten();
    let mut fitting = listed.filter(|one| {
        one["payment_program_id"] == row.program_id.as_str()
            && one["state"].as_str().is_none_or(|state| state == "ACTIVE")
            && one["payment_program_enablement_id"].as_str().is_some_and(|id| known.iter().all(|known| known != id))
    });
    Ok(fitting.next().and_then(|one| one["payment_program_enablement_id"].as_str()).map(str::to_owned))
}

async fn look(ctx: &Ctx, record: &Record, row: &EnablementRow) -> Result<EnablementRow, CallError> {
    let id = row.klarna_id.as_deref().unwrap_or_default();
    let ended = EnablementRow { state: ENDED.to_owned(), ..row.clone() };
    match ctx.klarna.send(&on_account(record, "read_enablement", Method::GET, &[id])).await {
        Ok(answer) => {
            let shown: Value = answer.json()?;
            Ok(if shown["state"] == "ENDED" { ended } else { row.clone() })
        }
        Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => Ok(ended),
        Err(error) => Err(error),
    }
}

async fn end(ctx: &Ctx, record: &Record, row: &EnablementRow) -> Result<EnablementRow, CallError> {
    let id = row.klarna_id.as_deref().unwrap_or_default();
    match ctx.klarna.send(&on_account(record, "delete_enablement", Method::DELETE, &[id])).await {
        Ok(_) => {}
        Err(CallError::Refused(refusal)) if refusal.status == StatusCode::NOT_FOUND => {}
        Err(error) => return Err(error),
    }
    Ok(EnablementRow { state: ENDED.to_owned(), ..row.clone() })
}

fn active(row: &EnablementRow, klarna_id: String) -> EnablementRow {
    EnablementRow { state: ACTIVE.to_owned(), klarna_id: Some(klarna_id), refusal: None, ..row.clone() }
}

/// Klarna's words, with the fields that it names.
fn words(refusal: &Refusal) -> String {
    let message = refusal.error.error_message.clone().unwrap_or_else(|| refusal.code().to_owned());
    let faults: Vec<String> =
        refusal.error.faults().iter().map(|fault| format!("{} {}", fault.parameter(), fault.reason())).collect();
    if faults.is_empty() { message } else { format!("{message} ({})", faults.join("; ")) }
}

/// Writes a change, tells the Partner, and says when the job comes back: `None` for never.
async fn moved(
    tx: &mut Tx,
    ctx: &Ctx,
    record: &Record,
    before: &EnablementRow,
    after: &EnablementRow,
    next: Option<i64>,
) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    if !store::move_enablement(tx, &record.partner_id, &before.state, after, now).await? {
        return Ok(());
    }
    jobs::cancel(tx, ENABLEMENT_KIND, &key(&record.partner_id, &after.enablement_id)).await?;
    if let Some(at) = next.filter(|_| after.state != ENDED && after.state != REFUSED) {
        enqueue(tx, &record.partner_id, &after.enablement_id, at, now).await?;
    }
    // That it is about to end is no news; that it has ended is.
    if after.state != ENDING {
        let shown = view(&EnablementRow { updated_at: now, ..after.clone() });
        record.tell(tx, ctx, "partner.enablement_changed", json!({"enablement": shown})).await?;
    }
    Ok(())
}

fn on_account(record: &Record, name: &'static str, method: Method, more: &[&str]) -> Operation {
    let account = record.standing.account_id.as_deref().unwrap_or_default();
    let path: Vec<&str> = BASE.into_iter().chain(more.iter().copied()).collect();
    let mut operation = Operation::on_account(name, method, account, &path);
    operation.originator = Some(tag(record.profile.name(), &record.partner_id));
    operation.correlation_id = Some(record.partner_id.clone());
    operation
}

/// Of the job that follows an enablement.
fn key(partner_id: &str, enablement_id: &str) -> String {
    format!("{partner_id}/{enablement_id}")
}

async fn enqueue(tx: &mut Tx, partner_id: &str, id: &str, due_at: i64, now: i64) -> Result<(), ApiError> {
    let job = NewJob { kind: ENABLEMENT_KIND, key: &key(partner_id, id), payload: "", due_at };
    Ok(jobs::enqueue(tx, &job, now).await.map(drop)?)
}

async fn rows(ctx: &Ctx, partner_id: &str) -> Result<Vec<EnablementRow>, ApiError> {
    let id = partner_id.to_owned();
    Ok(ctx.db.read(move |tx| Box::pin(async move { store::enablements(tx, &id).await })).await?)
}

async fn listed(ctx: &Ctx, partner_id: &str) -> Result<Json<EnablementList>, ApiError> {
    Ok(Json(EnablementList { enablements: rows(ctx, partner_id).await?.iter().map(view).collect() }))
}

async fn find(ctx: &Ctx, partner_id: &str, id: &str) -> Result<EnablementRow, ApiError> {
    let (partner, id) = (partner_id.to_owned(), id.to_owned());
    let row = ctx.db.read(move |tx| Box::pin(async move { store::enablement(tx, &partner, &id).await })).await?;
    row.ok_or_else(absent)
}

async fn writing<T, F>(ctx: &Ctx, partner_id: &str, id: &str, unit: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx, Ctx, String, String) -> UnitFuture<'t, Result<T, ApiError>> + Clone + Send + 'static,
{
    ctx.db
        .write_repeating(|| {
            let (ctx, partner, id, unit) = (ctx.clone(), partner_id.to_owned(), id.to_owned(), unit.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<T, ApiError>> { unit(tx, ctx, partner, id) }
        })
        .await
}

fn view(row: &EnablementRow) -> EnablementView {
    EnablementView {
        id: row.enablement_id.clone(),
        payment_program_id: row.program_id.clone(),
        payment_program_enablement_code: row.code.clone(),
        enablement_criteria: serde_json::from_str(&row.criteria).unwrap_or_else(|_| json!({})),
        state: row.state.clone(),
        refusal: row.refusal.clone(),
        klarna_id: row.klarna_id.clone(),
        created_at: wire_time(row.created_at),
        updated_at: wire_time(row.updated_at),
    }
}
