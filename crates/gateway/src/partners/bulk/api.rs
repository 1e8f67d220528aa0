//! `/v1/partner-imports` and `/v1/partner-exports`: for operators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault, JsonBody};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::api::{absent, conflict};
use super::super::record::Record;
use super::super::standing::{Standing, State as PartnerState};
use super::export;
use super::import::{self, Outcome, Row};
use super::store::{self, ImportRow, ListedRow, TakenRow};
use crate::Ctx;
use crate::access::OperatorCaller;
use crate::events::once::{Once, Reply};
use crate::events::page::Query;
use crate::events::wire_time;

/// Rows in one batch.
const ROWS_MAX: usize = 200;
/// Faults that a caller can have found itself in one row.
const FAULTS_MAX: usize = 200;

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(begin_import))
        .routes(routes!(read_import))
        .routes(routes!(take_rows, list_rows))
        .routes(routes!(export_partners))
}

/// An import to begin, or to go on with.
#[derive(ToSchema)]
#[schema(example = json!({"reference": "2026-03 migration", "dry_run": false, "changes": false, "submits": true}))]
pub struct BeginImport {
    /// Your own name for the import. The same name is the same import.
    pub reference: String,
    /// Judge the rows, and keep nothing but the outcomes.
    pub dry_run: Option<bool>,
    /// Rows may change Partners that are known by their reference; otherwise a row that would is faulty.
    pub changes: Option<bool>,
    /// Submit the Partners to Klarna. A row with which a Partner could not be submitted is faulty.
    pub submits: Option<bool>,
}

/// An import.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportView {
    /// `imp_…`.
    pub id: String,
    /// Your own name for it.
    pub reference: String,
    /// See where it is begun.
    pub dry_run: bool,
    /// See where it is begun.
    pub changes: bool,
    /// See where it is begun.
    pub submits: bool,
    /// Rows taken so far by outcome: `CREATED`, `CHANGED`, `UNCHANGED`, `FAULTY`.
    #[schema(value_type = Object)]
    pub rows: Map<String, Value>,
    /// The highest number of a row that was taken; null before the first.
    pub last_row: Option<i64>,
    /// The Partners of its rows by their state now; those that wait for Klarna's answer are `SUBMITTED`.
    #[schema(value_type = Object)]
    pub partners: Map<String, Value>,
    /// When it was begun.
    pub created_at: String,
    /// When rows came last.
    pub updated_at: String,
}

/// Rows of an import.
#[derive(ToSchema)]
#[schema(example = json!({"rows": [{"number": 1, "partner": {"reference": "m-70031", "name": "Nordlicht Outdoor"}}]}))]
pub struct TakeRows {
    /// 1 to 200. Each has a `number`, yours, by which it is known from then on, a `partner` as where Partners are created, and, where
    /// you could not read all of it, the `faults` that you found: pairs of `parameter` and `reason`.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Value>,
}

/// What became of a row.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RowView {
    /// Its number.
    pub number: i64,
    /// The Partner's reference; empty where the row had none.
    pub reference: String,
    /// `CREATED`, `CHANGED`, `UNCHANGED` or `FAULTY`; in a dry run, what it would be.
    pub outcome: String,
    /// `par_…`.
    pub partner_id: Option<String>,
    /// The Partner's state now.
    pub state: Option<String>,
    /// What is wrong with the row, or what Klarna refused of the Partner: `parameter` and `reason`.
    #[schema(value_type = Vec<Object>)]
    pub faults: Vec<FieldFault>,
}

/// Rows of an import, in their order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RowList {
    /// The rows.
    pub rows: Vec<RowView>,
    /// `starting_after` of the next page; null on the last.
    pub next: Option<i64>,
}

/// Partners as an import takes them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ExportPage {
    /// By the order of their making.
    #[schema(value_type = Vec<Object>)]
    pub partners: Vec<Value>,
    /// `starting_after` of the next page; null on the last.
    pub next: Option<String>,
}

/// Begin an import of Partners
///
/// Then send rows. Begun again under the same reference, it is the same import: whoever was interrupted reads `last_row` and goes on
/// behind it.
#[utoipa::path(
    post, path = "/v1/partner-imports", operation_id = "begin_partner_import", tag = "Partners", request_body = BeginImport,
    responses((status = 200, description = "It had begun before.", body = ImportView), (status = 201, description = "The import.", body = ImportView))
)]
async fn begin_import(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&operator.operator_id, "POST /v1/partner-imports", &headers, Some(&body.value));
    // The reference stands for the key: what it names is shown as it is now, not as it was at first.
    let (_, wanted) = Once::with(once, read_import_body(&body.value))?;
    let now = ctx.clock.now();
    let row = ImportRow {
        import_id: format!("imp_{}", ctx.random.id(now).simple()),
        operator_id: operator.operator_id,
        created_at: now,
        updated_at: now,
        ..wanted
    };
    let begun = ctx
        .db
        .write_repeating(|| {
            let row = row.clone();
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                Box::pin(async move {
                    let is_new = store::insert_import(tx, &row).await?;
                    let known = store::import_by_reference(tx, &row.reference).await?.ok_or_else(absent)?;
                    if (known.dry_run, known.changes, known.submits) != (row.dry_run, row.changes, row.submits) {
                        return Err(conflict("The import of this reference was begun with other settings.")
                            .field("reference", "is taken by an import with other settings"));
                    }
                    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
                    Ok(Reply { status, body: json!(view(tx, known).await?) })
                })
            }
        })
        .await?;
    Ok((begun.status, Json(begun.body)).into_response())
}

fn read_import_body(body: &Value) -> Result<ImportRow, ApiError> {
    const KNOWN: [&str; 4] = ["reference", "dry_run", "changes", "submits"];
    let mut faults = Vec::new();
    let Value::Object(members) = body else {
        return Err(ApiError::validation(vec![FieldFault::new("", "must be an object")]));
    };
    faults.extend(
        members
            .keys()
            .filter(|name| !KNOWN.contains(&name.as_str()))
            .map(|name| FieldFault::new(FieldFault::shown_name(name), "is no field here")),
    );
    let reference = members.get("reference").and_then(Value::as_str).unwrap_or_default();
    if !(1..=255).contains(&reference.chars().count()) || reference.chars().any(char::is_control) {
        faults.push(FieldFault::new("reference", "must be a text of 1 to 255 characters"));
    }
    let mut flag = |name: &str| match members.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => {
            faults.push(FieldFault::new(name, "must be true or false"));
            false
        }
    };
    let (dry_run, changes, submits) = (flag("dry_run"), flag("changes"), flag("submits"));
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let (import_id, operator_id) = (String::new(), String::new());
    Ok(ImportRow {
        import_id,
        reference: reference.to_owned(),
        operator_id,
        dry_run,
        changes,
        submits,
        created_at: 0,
        updated_at: 0,
    })
}

/// Read an import of Partners
#[utoipa::path(
    get, path = "/v1/partner-imports/{import_id}", operation_id = "read_partner_import", tag = "Partners",
    params(("import_id" = String, Path, description = "`imp_…`")),
    responses((status = 200, description = "How far it is, and how far its Partners are.", body = ImportView))
)]
async fn read_import(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(import_id): Path<String>,
) -> Result<Json<ImportView>, ApiError> {
    let found = ctx.db.read(move |tx| -> UnitFuture<'_, Result<ImportView, ApiError>> {
        Box::pin(async move {
            let row = store::import(tx, &import_id).await?.ok_or_else(absent)?;
            view(tx, row).await
        })
    });
    found.await.map(Json)
}

async fn view(tx: &mut Tx, row: ImportRow) -> Result<ImportView, ApiError> {
    let outcomes = store::outcomes(tx, &row.import_id).await?;
    let states = store::states(tx, &row.import_id).await?;
    Ok(ImportView {
        last_row: outcomes.iter().map(|one| one.last).max(),
        rows: outcomes.into_iter().map(|one| (one.outcome, json!(one.rows))).collect(),
        partners: states.into_iter().map(|one| (one.state, json!(one.partners))).collect(),
        id: row.import_id,
        reference: row.reference,
        dry_run: row.dry_run,
        changes: row.changes,
        submits: row.submits,
        created_at: wire_time(row.created_at),
        updated_at: wire_time(row.updated_at),
    })
}

/// Send rows of an import
///
/// Each is taken whole or not at all, and its outcome is kept under its number. A number that was sent before keeps its outcome: repeat
/// a batch as often as you like.
#[utoipa::path(
    post, path = "/v1/partner-imports/{import_id}/rows", operation_id = "take_partner_import_rows", tag = "Partners",
    params(("import_id" = String, Path, description = "`imp_…`")),
    request_body = TakeRows,
    responses((status = 200, description = "What became of each.", body = RowList))
)]
async fn take_rows(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    Path(import_id): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<RowList>, ApiError> {
    let operation = format!("POST /v1/partner-imports/{import_id}/rows");
    // Rows are known by their numbers: the key need not be remembered.
    let once = Once::new(&operator.operator_id, &operation, &headers, None);
    let (_, sent) = Once::with(once, read_rows(&body.value))?;
    let id = import_id.clone();
    let known = ctx.db.read(move |tx| Box::pin(async move { store::import(tx, &id).await })).await?;
    let import = known.ok_or_else(absent)?;
    let (inner, submits) = (ctx.clone(), import.submits);
    // Judging a Partner takes a while, and other requests wait on these threads.
    let rows = tokio::task::spawn_blocking(move || {
        let read = |sent: SentRow| Row::read(&inner, sent.number, &sent.partner, sent.faults, submits);
        sent.into_iter().map(read).collect::<Vec<Row>>()
    });
    let rows = Arc::new(rows.await.map_err(ApiError::internal)?);
    let taken = ctx
        .db
        .write_repeating(|| {
            let (ctx, import_id, rows) = (ctx.clone(), import_id.clone(), rows.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Vec<TakenRow>, ApiError>> {
                Box::pin(async move {
                    let locked = store::lock_import(tx, &import_id, ctx.clock.now()).await?.ok_or_else(absent)?;
                    import::take(tx, &ctx, &locked, &rows).await
                })
            }
        })
        .await?;
    if import.submits {
        ctx.poke.poke();
    }
    let rows = taken.into_iter().map(|row| row_view(row, None, None)).collect::<Result<_, _>>()?;
    Ok(Json(RowList { rows, next: None }))
}

struct SentRow {
    number: i64,
    partner: Value,
    faults: Vec<FieldFault>,
}

/// The rows of a body, or what is wrong with the body: what is wrong with a Partner is an outcome.
fn read_rows(body: &Value) -> Result<Vec<SentRow>, ApiError> {
    let mut faults = Vec::new();
    let listed = body.get("rows").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !(1..=ROWS_MAX).contains(&listed.len()) {
        faults.push(FieldFault::new("rows", format!("must be an array of 1 to {ROWS_MAX} rows")));
    }
    let mut rows = Vec::with_capacity(listed.len().min(ROWS_MAX));
    for (index, row) in listed.iter().take(ROWS_MAX).enumerate() {
        let number = row.get("number").and_then(Value::as_i64).filter(|number| *number >= 1);
        if number.is_none() {
            faults.push(FieldFault::new(format!("rows[{index}].number"), "must be a whole number from 1"));
        }
        let found = row.get("faults").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let text = |fault: &Value, name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let found =
            found.iter().take(FAULTS_MAX).map(|fault| FieldFault::new(text(fault, "parameter"), text(fault, "reason")));
        let partner = row.get("partner").cloned().unwrap_or_default();
        rows.push(SentRow { number: number.unwrap_or_default(), partner, faults: found.collect() });
    }
    if faults.is_empty() { Ok(rows) } else { Err(ApiError::validation(faults)) }
}

/// List the rows of an import
#[utoipa::path(
    get, path = "/v1/partner-imports/{import_id}/rows", operation_id = "list_partner_import_rows", tag = "Partners",
    params(
        ("import_id" = String, Path, description = "`imp_…`"),
        ("size" = Option<u32>, Query, description = "Rows on a page, 1 to 100; default 20."),
        ("starting_after" = Option<i64>, Query, description = "Number of a row: the page begins behind it."),
        ("outcome" = Option<String>, Query, description = "Only rows with this outcome."),
    ),
    responses((status = 200, description = "Rows by their numbers, with where their Partners stand now.", body = RowList))
)]
async fn list_rows(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(import_id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Json<RowList>, ApiError> {
    let mut query = Query::parse(raw.as_deref());
    let size = query.size();
    let outcome = query.get("outcome").map(str::to_owned);
    let known = Outcome::ALL.map(Outcome::as_str);
    if outcome.as_deref().is_some_and(|outcome| !known.contains(&outcome)) {
        query.fault("outcome", format!("must be one of {}", known.join(", ")));
    }
    let after = query.get("starting_after").unwrap_or("0").parse::<i64>();
    if after.is_err() {
        query.fault("starting_after", "must be the number of a row");
    }
    query.finish()?;
    let (after, limit) = (after.unwrap_or_default(), i64::try_from(size + 1).unwrap_or(i64::MAX));
    let mut listed = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<Vec<ListedRow>, ApiError>> {
            Box::pin(async move {
                store::import(tx, &import_id).await?.ok_or_else(absent)?;
                Ok(store::rows(tx, &import_id, outcome.as_deref(), after, limit).await?)
            })
        })
        .await?;
    let next = cut(&mut listed, size).map(|row| row.number);
    let shown = |row: ListedRow| {
        let standing = row.standing.as_deref().map(serde_json::from_str::<Standing>).transpose();
        let standing = standing.map_err(ApiError::internal)?;
        let taken = TakenRow {
            number: row.number,
            reference: row.reference,
            outcome: row.outcome,
            partner_id: row.partner_id,
            faults: row.faults,
        };
        row_view(taken, row.state, standing)
    };
    Ok(Json(RowList { rows: listed.into_iter().map(shown).collect::<Result<_, _>>()?, next }))
}

/// Leaves a page of `size`, and says behind which row the next one begins, if there is one.
fn cut<T>(rows: &mut Vec<T>, size: usize) -> Option<&T> {
    let more = rows.len() > size;
    rows.truncate(size);
    rows.last().filter(|_| more)
}

fn row_view(row: TakenRow, state: Option<String>, standing: Option<Standing>) -> Result<RowView, ApiError> {
    let mut faults: Vec<(String, String)> = serde_json::from_str(&row.faults).map_err(ApiError::internal)?;
    if let Some(refusal) = standing.and_then(|standing| standing.refusal) {
        faults.extend(refusal.faults.iter().cloned());
        if refusal.faults.is_empty() {
            faults.push(("reference".to_owned(), format!("{} ({})", refusal.message, refusal.code)));
        }
    }
    Ok(RowView {
        number: row.number,
        reference: row.reference,
        outcome: row.outcome,
        partner_id: row.partner_id,
        state,
        faults: faults.into_iter().map(|(parameter, reason)| FieldFault::new(parameter, reason)).collect(),
    })
}

/// Export Partners
///
/// As an import takes them. What is of persons (contacts, how they signed up, stakeholders, tax numbers, bank accounts) is left out
/// unless `personal=true` asks for it.
#[utoipa::path(
    get, path = "/v1/partner-exports", operation_id = "export_partners", tag = "Partners",
    params(
        ("size" = Option<u32>, Query, description = "Partners on a page, 1 to 100; default 20."),
        ("starting_after" = Option<String>, Query, description = "`next` of the page before."),
        ("state" = Option<String>, Query, description = "Only Partners in this state."),
        ("personal" = Option<bool>, Query, description = "With what is of persons."),
    ),
    responses((status = 200, description = "A page of Partners.", body = ExportPage))
)]
async fn export_partners(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    RawQuery(raw): RawQuery,
) -> Result<Json<ExportPage>, ApiError> {
    let mut query = Query::parse(raw.as_deref());
    let size = query.size();
    let state = query.get("state").map(str::to_owned);
    let known = PartnerState::ALL.map(PartnerState::as_str);
    if state.as_deref().is_some_and(|state| !known.contains(&state)) {
        query.fault("state", format!("must be one of {}", known.join(", ")));
    }
    let personal = match query.get("personal") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            query.fault("personal", "must be true or false");
            false
        }
    };
    let after = query.get("starting_after").unwrap_or_default().to_owned();
    query.finish()?;
    if personal {
        tracing::info!(operator.id = %operator.operator_id, "an operator exports what is known of persons");
    }
    let (inner, limit) = (ctx.clone(), i64::try_from(size + 1).unwrap_or(i64::MAX));
    let mut records = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<Vec<Record>, ApiError>> {
            Box::pin(async move {
                let mut records = Vec::new();
                for row in store::partners(tx, state.as_deref(), &after, limit).await? {
                    records.push(Record::open(tx, &inner, row).await?);
                }
                Ok(records)
            })
        })
        .await?;
    let next = cut(&mut records, size).map(|record| record.partner_id.clone());
    let partners = records.iter().map(|record| export::document(&record.profile, personal)).collect();
    Ok(Json(ExportPage { partners, next }))
}
