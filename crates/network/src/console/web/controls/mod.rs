//! What a tester turns, in the browser: faults, the clock, snapshots.

mod pages;

use axum::Router;
use axum::extract::Form;
use axum::response::Response;
use axum::routing::{get, post};
use http::StatusCode;
use kit::http::ApiError;
use serde_json::{Map, Value, json};

use super::pages as frame;
use super::session::{Console, Fields, field, to};
use crate::console::faults;
use crate::console::snapshots::{self, Act, SEEDED};
use crate::console::{advance_clock, read_move};
use crate::ctx::Ctx;
use crate::operation::not_found;

const FAULTS: &str = "/console/faults";
const SNAPSHOTS: &str = "/console/snapshots";

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/console/faults", get(list_faults).post(create_fault))
        .route("/console/faults/delete", post(delete_fault))
        .route("/console/snapshots", get(list_snapshots).post(change_snapshot))
        .route("/console/clock", post(move_clock))
}

async fn list_faults(console: Console) -> Response {
    show_faults(&console, &[], None).await
}

async fn show_faults(console: &Console, fields: &[(String, String)], error: Option<&ApiError>) -> Response {
    match faults::all(&console.ctx, &console.account).await {
        Ok(rows) => {
            let status = error.map_or(StatusCode::OK, |_| StatusCode::UNPROCESSABLE_ENTITY);
            console.answer((status, pages::faults(console, &rows, fields, error)))
        }
        Err(error) => frame::failed(&error),
    }
}

/// The form as the API's body: numbers are numbers, what is empty is absent.
fn rule(fields: &[(String, String)]) -> Value {
    let mut body = Map::new();
    let mut concerns = Map::new();
    for name in ["operation", "method", "path", "account_id", "event_type", "webhook_id"] {
        let value = field(fields, name);
        if !value.is_empty() {
            concerns.insert(name.to_owned(), value.into());
        }
    }
    for name in ["effect", "error_code", "error_message"] {
        let value = field(fields, name);
        if !value.is_empty() {
            body.insert(name.to_owned(), value.into());
        }
    }
    for name in ["delay_ms", "status", "share", "times"] {
        let value = field(fields, name);
        if !value.is_empty() {
            body.insert(name.to_owned(), value.parse::<i64>().map_or_else(|_| value.into(), Value::from));
        }
    }
    match field(fields, "executes") {
        "true" => body.insert("executes".to_owned(), true.into()),
        "false" => body.insert("executes".to_owned(), false.into()),
        _ => None,
    };
    body.insert("match".to_owned(), concerns.into());
    Value::Object(body)
}

async fn create_fault(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    match faults::create(&console.ctx, &console.account, &rule(&fields)).await {
        Ok(_) => to(FAULTS),
        Err(error) => show_faults(&console, &fields, Some(&error)).await,
    }
}

async fn delete_fault(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    match faults::remove(&console.ctx, &console.account, field(&fields, "fault_id")).await {
        // Who is second finds it done.
        Ok(_) => to(FAULTS),
        Err(error) => frame::failed(&error),
    }
}

async fn list_snapshots(console: Console) -> Response {
    show_snapshots(&console, &[], None).await
}

async fn show_snapshots(console: &Console, fields: &[(String, String)], error: Option<&ApiError>) -> Response {
    match (snapshots::all(&console.ctx).await, snapshots::present_version(&console.ctx).await) {
        (Ok(rows), Ok(version)) => {
            let status = error.map_or(StatusCode::OK, |error| error.status);
            console.answer((status, pages::snapshots(console, &rows, &version, fields, error)))
        }
        (Err(error), _) | (_, Err(error)) => frame::failed(&error),
    }
}

async fn change_snapshot(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let name = field(&fields, "name");
    let act = match field(&fields, "act") {
        "take" => Some(Act::Take),
        "restore" => Some(Act::Restore),
        "delete" if name != SEEDED => Some(Act::Delete),
        _ => None,
    };
    let done = match act {
        Some(Act::Take) if !snapshots::is_name(name) => {
            let reason = "must be 1 to 64 letters, digits, points, minus and underscores";
            Err(ApiError::validation(Vec::new()).field("name", reason))
        }
        Some(act) => snapshots::act(&console.ctx, &console.account, name, act).await,
        None => Err(not_found("Nothing was chosen.")),
    };
    match done {
        Ok(_) => to(SNAPSHOTS),
        Err(error) => show_snapshots(&console, &fields, Some(&error)).await,
    }
}

async fn move_clock(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let body = match (field(&fields, "advance"), field(&fields, "set")) {
        ("", set) => json!({"set": set}),
        (advance, _) => json!({"advance": advance}),
    };
    let moved = match read_move(&body, console.ctx.clock.now()) {
        Ok(by_us) => advance_clock(&console.ctx, by_us).await,
        Err(fault) => Err(ApiError::validation(vec![fault])),
    };
    match moved {
        Ok(()) => to(SNAPSHOTS),
        Err(error) => show_snapshots(&console, &fields, Some(&error)).await,
    }
}
