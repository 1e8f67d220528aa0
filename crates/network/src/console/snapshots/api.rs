//! `/testing/snapshots` and `/testing/reset`.

use axum::extract::{Path, State};
use http::{Method, StatusCode};
use kit::http::{ApiError, JsonBody};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Act, Copied, SEEDED, SnapshotRow, act, all};
use crate::console::{shapes, time};
use crate::ctx::Ctx;
use crate::operation::{Category, Doc, OnBehalf, Reply, Route, Source, Who, check, not_found};

/// The operations.
pub fn routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    let doc = |id, summary| Doc::new(id, summary, Source::Ours);
    let at = |path: &'static str| [path];
    vec![
        Route::at(
            Method::GET,
            &at("/testing/snapshots"),
            category,
            who,
            doc("listSnapshots", "Lists snapshots of the installation").answers(200, shapes::snapshot_list),
            list_snapshots,
        ),
        Route::at(
            Method::POST,
            &at("/testing/snapshots"),
            category,
            who,
            doc("takeSnapshot", "Keeps a copy of everything under a name")
                .takes(shapes::snapshot_take)
                .answers(201, shapes::snapshot),
            take_snapshot,
        ),
        Route::at(
            Method::GET,
            &at("/testing/snapshots/{name}"),
            category,
            who,
            doc("readSnapshot", "Reads what a snapshot holds").answers(200, shapes::snapshot),
            read_snapshot,
        ),
        Route::at(
            Method::DELETE,
            &at("/testing/snapshots/{name}"),
            category,
            who,
            doc("deleteSnapshot", "Removes a snapshot").answers_nothing(),
            delete_snapshot,
        ),
        Route::at(
            Method::POST,
            &at("/testing/snapshots/{name}/restore"),
            category,
            who,
            doc("restoreSnapshot", "Puts everything back to what a snapshot holds").answers(200, shapes::snapshot),
            restore_snapshot,
        ),
        Route::at(
            Method::POST,
            &at("/testing/reset"),
            category,
            who,
            doc("reset", "Puts everything back to the seeded state")
                .takes(shapes::reset)
                .answers(200, shapes::snapshot),
            reset,
        ),
    ]
}

#[derive(Deserialize)]
struct SnapshotPath {
    name: String,
}

async fn list_snapshots(State(ctx): State<Ctx>) -> Result<Reply, ApiError> {
    let rows = all(&ctx).await?;
    let snapshots = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(StatusCode::OK, &json!({"snapshots": snapshots})))
}

async fn take_snapshot(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    check(shapes::snapshot_take(), &body.value)?;
    let name = body.value["name"].as_str().unwrap_or_default();
    let row = act(&ctx, on.caller.account.as_str(), name, Act::Take).await?.ok_or_else(absent)?;
    Ok(Reply::json(StatusCode::CREATED, &view(&row)?))
}

async fn read_snapshot(
    State(ctx): State<Ctx>,
    Path(SnapshotPath { name }): Path<SnapshotPath>,
) -> Result<Reply, ApiError> {
    let row = all(&ctx).await?.into_iter().find(|row| row.name == name).ok_or_else(absent)?;
    Ok(Reply::json(StatusCode::OK, &view(&row)?))
}

async fn delete_snapshot(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(SnapshotPath { name }): Path<SnapshotPath>,
) -> Result<Reply, ApiError> {
    act(&ctx, on.caller.account.as_str(), &name, Act::Delete).await?;
    Ok(Reply::no_content())
}

async fn restore_snapshot(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(SnapshotPath { name }): Path<SnapshotPath>,
) -> Result<Reply, ApiError> {
    let row = act(&ctx, on.caller.account.as_str(), &name, Act::Restore).await?.ok_or_else(absent)?;
    Ok(Reply::json(StatusCode::OK, &view(&row)?))
}

/// Asks for `confirm`, because nothing brings back what a reset takes.
async fn reset(State(ctx): State<Ctx>, on: OnBehalf, body: JsonBody) -> Result<Reply, ApiError> {
    check(shapes::reset(), &body.value)?;
    if body.value["confirm"] != Value::Bool(true) {
        return Err(ApiError::validation(Vec::new()).field("confirm", "must be true"));
    }
    let row = act(&ctx, on.caller.account.as_str(), SEEDED, Act::Restore).await?.ok_or_else(absent)?;
    Ok(Reply::json(StatusCode::OK, &view(&row)?))
}

fn absent() -> ApiError {
    not_found("The snapshot does not exist.")
}

fn view(row: &SnapshotRow) -> Result<Value, ApiError> {
    let copied: Vec<Copied> = serde_json::from_str(&row.tables).map_err(ApiError::internal)?;
    let tables: Vec<Value> = copied
        .iter()
        .filter(|copied| copied.rows > 0)
        .map(|copied| json!({"table": copied.table, "rows": copied.rows}))
        .collect();
    let rows: i64 = copied.iter().map(|copied| copied.rows).sum();
    Ok(json!({"name": row.name, "created_at": time(row.created_at)?, "schema_version": row.schema_version,
        "rows": rows, "tables": tables}))
}
