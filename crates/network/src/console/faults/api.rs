//! `/testing/faults`.

use axum::extract::{Path, State};
use http::{Method, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, JsonBody};
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::{self, RuleRow};
use super::{refresh, rule};
use crate::console::{shapes, time};
use crate::ctx::Ctx;
use crate::operation::{Call, Category, Doc, OnBehalf, Reply, Route, Source, Who, not_found};

/// The operations on fault rules.
pub fn routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    let doc = |id, summary| Doc::new(id, summary, Source::Ours);
    let one = ["/testing/faults/{fault_id}"];
    vec![
        Route::at(
            Method::GET,
            &["/testing/faults"],
            category,
            who,
            doc("listFaults", "Lists fault rules with their counts").answers(200, shapes::fault_list),
            list_faults,
        ),
        Route::at(
            Method::POST,
            &["/testing/faults"],
            category,
            who,
            doc("createFault", "Lets something go wrong on purpose")
                .takes(shapes::fault_create)
                .answers(201, shapes::fault),
            create_fault,
        ),
        Route::at(
            Method::GET,
            &one,
            category,
            who,
            doc("readFault", "Reads a fault rule").answers(200, shapes::fault),
            read_fault,
        ),
        Route::at(
            Method::DELETE,
            &one,
            category,
            who,
            doc("deleteFault", "Removes a fault rule").answers_nothing(),
            delete_fault,
        ),
    ]
}

#[derive(Deserialize)]
struct FaultPath {
    fault_id: String,
}

/// The rules of an Acquiring Partner, newest first.
pub(crate) async fn all(ctx: &Ctx, account: &str) -> Result<Vec<RuleRow>, ApiError> {
    let account = account.to_owned();
    Ok(ctx.db.read(move |tx| Box::pin(async move { store::list(tx, &account).await })).await?)
}

/// Makes a rule and lets this process know; others hear within a second.
///
/// # Errors
/// 400 naming every fault; [`kit::db::DbError`].
pub(crate) async fn create(ctx: &Ctx, account: &str, body: &Value) -> Result<RuleRow, ApiError> {
    let (rule, times) = rule::read(body).map_err(ApiError::validation)?;
    let now = ctx.clock.now();
    let mut seed = [0; 8];
    ctx.random.fill(&mut seed);
    let row = RuleRow {
        acquiring_partner_id: account.to_owned(),
        fault_id: format!("fault_{}", ctx.random.id(now)),
        rule: serde_json::to_string(&rule).map_err(ApiError::internal)?,
        seed: i64::from_le_bytes(seed),
        times,
        matched: 0,
        applied: 0,
        created_at: now,
    };
    ctx.write(|| {
        let row = row.clone();
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move { Ok(store::insert(tx, &row).await?) })
        }
    })
    .await?;
    refresh(ctx).await?;
    Ok(row)
}

/// Removes a rule; says whether it was there.
pub(crate) async fn remove(ctx: &Ctx, account: &str, fault_id: &str) -> Result<bool, ApiError> {
    let (account, id) = (account.to_owned(), fault_id.to_owned());
    let found: Result<bool, kit::db::DbError> =
        ctx.db.write(move |tx| Box::pin(async move { store::delete(tx, &account, &id).await })).await;
    refresh(ctx).await?;
    Ok(found?)
}

async fn list_faults(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let rows = all(&ctx, on.caller.account.as_str()).await?;
    let faults = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"faults": faults})))
}

async fn create_fault(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Reply, ApiError> {
    let row = create(&call.ctx, call.on.caller.account.as_str(), &body).await?;
    Ok(Reply::json(StatusCode::CREATED, &view(&row)?))
}

async fn read_fault(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(FaultPath { fault_id }): Path<FaultPath>,
) -> Result<Reply, ApiError> {
    let row: Option<RuleRow> = ctx
        .db
        .read(move |tx| Box::pin(async move { store::read(tx, on.caller.account.as_str(), &fault_id).await }))
        .await?;
    let row = row.ok_or_else(absent)?;
    Ok(Reply::json(StatusCode::OK, &view(&row)?))
}

async fn delete_fault(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(FaultPath { fault_id }): Path<FaultPath>,
) -> Result<Reply, ApiError> {
    if remove(&ctx, on.caller.account.as_str(), &fault_id).await? { Ok(Reply::no_content()) } else { Err(absent()) }
}

fn absent() -> ApiError {
    not_found("The fault rule does not exist.")
}

fn view(row: &RuleRow) -> Result<Value, ApiError> {
    let mut view: Value = serde_json::from_str(&row.rule).map_err(ApiError::internal)?;
    view["fault_id"] = row.fault_id.clone().into();
    view["times"] = row.times.into();
    view["matched"] = row.matched.into();
    view["applied"] = row.applied.into();
    view["created_at"] = time(row.created_at)?.to_string().into();
    Ok(view)
}
