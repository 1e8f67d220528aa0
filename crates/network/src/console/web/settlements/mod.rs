//! Settlements in the browser: what is paid, from which lines, and what the bank does with it.

mod pages;

use axum::Router;
use axum::extract::{Form, Path, Query};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{Method, StatusCode};
use kit::http::ApiError;
use serde_json::json;
use url::form_urlencoded::byte_serialize;

use super::pages as frame;
use super::session::{Console, Fields, field, to};
use crate::ctx::Ctx;
use crate::operation::not_found;

const ROOM: &str = "/console/settlements";
const SIZE: usize = 30;
/// Lines beside a settlement; the rest is in its files.
const LINES: usize = 50;

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route(ROOM, get(list).post(settle))
        .route("/console/settlements/{settlement_id}", get(detail).post(pay_out))
        .route("/console/settlements/{settlement_id}/{file}", get(download))
}

async fn list(console: Console, Query(query): Query<Fields>) -> Response {
    show_list(&console, &query, None).await
}

async fn show_list(console: &Console, query: &[(String, String)], error: Option<&ApiError>) -> Response {
    // Before the end of time: the newest ones.
    let before = match field(query, "ending_before") {
        "" => format!("{}.", i64::MAX),
        given => given.to_owned(),
    };
    let before: String = byte_serialize(before.as_bytes()).collect();
    match console.look_up(&format!("/v2/settlements?size={SIZE}&ending_before={before}")).await {
        Ok(found) => {
            let status = error.map_or(StatusCode::OK, |error| error.status);
            console.answer((status, pages::list(console, query, &found, error)))
        }
        Err(error) => frame::failed(&error),
    }
}

async fn settle(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    match console.perform(Method::POST, "/testing/settlements", None).await {
        Ok(_) => to(ROOM),
        Err(error) => show_list(&console, &[], Some(&error)).await,
    }
}

async fn detail(console: Console, Path(settlement): Path<String>) -> Response {
    show(&console, &settlement, None).await
}

async fn show(console: &Console, settlement: &str, error: Option<&ApiError>) -> Response {
    let path = format!("/v2/settlements/{settlement}");
    let found = match console.look_up(&path).await {
        Ok(found) => found,
        Err(refused) if refused.status == StatusCode::NOT_FOUND => {
            return frame::absent(console, ROOM, "You have no settlement of this id.");
        }
        Err(error) => return frame::failed(&error),
    };
    // One that is still being made has no lines to show, and one without a payout none of that.
    let lines = console.look_up(&format!("{path}/transactions?size={LINES}")).await.unwrap_or_default();
    let payout = console.look_up(&format!("{path}/payouts/status")).await.ok();
    let status = error.map_or(StatusCode::OK, |error| error.status);
    console.answer((status, pages::detail(console, &found, &lines, payout.as_ref(), error)))
}

/// The button says what the bank does.
async fn pay_out(console: Console, Path(settlement): Path<String>, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let done = match (field(&fields, "status"), field(&fields, "outcome")) {
        ("", "") => Err(not_found("Nothing was chosen.")),
        ("", outcome) => {
            let path = format!("/testing/settlements/{settlement}/payout");
            console.perform(Method::POST, &path, Some(&json!({"outcome": outcome}))).await
        }
        (status, _) => {
            let path = format!("/v2/settlements/{settlement}/payouts/set-status");
            console.perform(Method::POST, &path, Some(&json!({"status": status}))).await
        }
    };
    match done {
        Ok(_) => to(&format!("{ROOM}/{settlement}")),
        Err(error) => show(&console, &settlement, Some(&error)).await,
    }
}

async fn download(console: Console, Path((settlement, file)): Path<(String, String)>) -> Response {
    if !["csv", "pdf"].contains(&file.as_str()) {
        return frame::absent(&console, ROOM, "There is no such file.");
    }
    match console.perform(Method::GET, &format!("/v2/settlements/{settlement}/{file}"), None).await {
        Ok(performed) => {
            let mut response = performed.body.into_response();
            for name in [CONTENT_TYPE, CONTENT_DISPOSITION] {
                if let Some(value) = performed.headers.get(&name) {
                    response.headers_mut().insert(name, value.clone());
                }
            }
            console.answer(response)
        }
        Err(error) => frame::failed(&error),
    }
}
