//! Disputes in the browser: how each stands, and what Klarna and the customer do.

mod pages;

pub(super) use pages::opening;

use axum::Router;
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode};
use kit::http::ApiError;
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::pages as frame;
use super::session::{Console, Fields, field, to};
use crate::ctx::Ctx;
use crate::operation::not_found;

const ROOM: &str = "/console/disputes";
const SIZE: usize = 30;

pub(super) fn routes() -> Router<Ctx> {
    Router::new().route(ROOM, get(list).post(open)).route("/console/disputes/{dispute_id}", get(detail).post(decide))
}

async fn list(console: Console, Query(query): Query<Fields>) -> Response {
    let mut path = format!("/v2/payment/disputes?sort_by=-opened_at&size={SIZE}");
    let after = field(&query, "starting_after");
    if !after.is_empty() {
        path.push_str("&starting_after=");
        path.extend(byte_serialize(after.as_bytes()));
    }
    match console.look_up(&path).await {
        Ok(found) => console.answer(pages::list(&console, &query, &found)),
        Err(error) => frame::failed(&error),
    }
}

/// Lets the customer of a payment object.
async fn open(console: Console, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let path = format!("/testing/accounts/{}/disputes", field(&fields, "account_id"));
    let body = json!({"payment_capture_id": field(&fields, "payment_capture_id"), "reason": field(&fields, "reason")});
    match console.perform(Method::POST, &path, Some(&body)).await {
        Ok(opened) => to(&format!("{ROOM}/{}", opened.json()["payment_dispute_id"].as_str().unwrap_or_default())),
        Err(error) => frame::failed(&error),
    }
}

async fn detail(console: Console, Path(dispute): Path<String>) -> Response {
    show(&console, &dispute, None).await
}

async fn show(console: &Console, dispute: &str, error: Option<&ApiError>) -> Response {
    match console.look_up(&format!("/v2/payment/disputes/{dispute}")).await {
        Ok(found) => {
            let status = error.map_or(StatusCode::OK, |error| error.status);
            console.answer((status, pages::detail(console, &found, error)))
        }
        Err(refused) if refused.status == StatusCode::NOT_FOUND => {
            frame::absent(console, ROOM, "No dispute of the accounts under you has this id.")
        }
        Err(error) => frame::failed(&error),
    }
}

/// The button says who does what.
async fn decide(console: Console, Path(dispute): Path<String>, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let (control, body): (&str, Option<Value>) = match field(&fields, "deed") {
        "won" => ("decide", Some(json!({"outcome": "WON"}))),
        "lost" => ("decide", Some(json!({"outcome": "LOST"}))),
        known @ ("escalate" | "request-evidence" | "lapse" | "withdraw") => (known, None),
        _ => return show(&console, &dispute, Some(&not_found("Nothing was chosen."))).await,
    };
    match console.perform(Method::POST, &format!("/testing/disputes/{dispute}/{control}"), body.as_ref()).await {
        Ok(_) => to(&format!("{ROOM}/{dispute}")),
        Err(error) => show(&console, &dispute, Some(&error)).await,
    }
}
