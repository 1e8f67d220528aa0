//! Accounts in the browser: what stands below each, and what Klarna decides about it.

mod pages;

use axum::Router;
use axum::extract::{Form, Path};
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode};
use kit::http::ApiError;
use serde_json::{Map, Value, json};

use super::pages as frame;
use super::session::{Console, Fields, field, to};
use crate::console::journeys::store::{self, AccountRow};
use crate::ctx::Ctx;
use crate::operation::not_found;

const ROOM: &str = "/console/accounts";
const ACCOUNTS_MAX: i64 = 500;
/// What a page shows of an account besides itself.
const EXPANDED: &str =
    "expand=products&expand=partner_business_entities&expand=brands&expand=store_groups&expand=stores";

pub(super) fn routes() -> Router<Ctx> {
    Router::new().route(ROOM, get(list)).route("/console/accounts/{account_id}", get(detail).post(decide))
}

async fn list(console: Console) -> Response {
    let above = console.account.clone();
    let read: Result<Vec<AccountRow>, ApiError> = console
        .ctx
        .db
        .read(move |tx| Box::pin(async move { Ok(store::accounts(tx, &above, ACCOUNTS_MAX).await?) }))
        .await;
    match read {
        Ok(rows) => console.answer(pages::list(&console, &rows)),
        Err(error) => frame::failed(&error),
    }
}

async fn detail(console: Console, Path(account): Path<String>) -> Response {
    show(&console, &account, None).await
}

async fn show(console: &Console, account: &str, error: Option<&ApiError>) -> Response {
    let found = console.look_up(&format!("/v2/accounts/{account}?{EXPANDED}")).await;
    let decisions = console.look_up(&format!("/v2/accounts/{account}/compliance/decisions")).await;
    match (found, decisions) {
        (Ok(found), Ok(decisions)) => {
            let status = error.map_or(StatusCode::OK, |error| error.status);
            console.answer((status, pages::detail(console, &found, &decisions[0]["decisions"], error)))
        }
        (Err(refused), _) if refused.status == StatusCode::NOT_FOUND => {
            frame::absent(console, ROOM, "No account under you has this id.")
        }
        (Err(error), _) | (_, Err(error)) => frame::failed(&error),
    }
}

/// The button says what is decided.
async fn decide(console: Console, Path(account): Path<String>, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let at = format!("/testing/accounts/{account}");
    let sent = |names: &[&str]| -> Value {
        let given = names.iter().map(|name| (*name, field(&fields, name))).filter(|(_, value)| !value.is_empty());
        Value::Object(given.map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>())
    };
    let done = match field(&fields, "deed") {
        "decision" => {
            let body = sent(&["decision_type", "product_state"]);
            console.perform(Method::POST, &format!("{at}/compliance/decisions"), Some(&body)).await
        }
        "product" => {
            let product = field(&fields, "product_id");
            let path = format!("{at}/products/payment/{product}/state");
            console.perform(Method::PUT, &path, Some(&sent(&["state"]))).await
        }
        "account" => console.perform(Method::PUT, &format!("{at}/state"), Some(&sent(&["state"]))).await,
        _ => Err(not_found("Nothing was chosen.")),
    };
    match done {
        Ok(_) => to(&format!("{ROOM}/{account}")),
        Err(error) => show(&console, &account, Some(&error)).await,
    }
}
