//! Payments in the browser: how they stand, and what their customers do.

mod pages;

use axum::Router;
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use http::Method;
use kit::http::ApiError;
use protocol::{PartnerAccountId, PaymentRequestId};
use serde_json::json;

use super::pages as frame;
use super::session::{Console, Fields, field, to};
use crate::console::calls::find::{self, Call, Wanted};
use crate::console::journeys::store::{self, RequestLine, ToldRow, TransactionLine};
use crate::console::journeys::{Deed, PERSONAS, act, cursor};
use crate::ctx::Ctx;
use crate::operation::not_found;
use crate::payments::{self, Identity, JourneyRequest};

/// Payments on a page.
const SIZE: i64 = 30;
/// Calls beside a payment.
const CALLS_MAX: usize = 20;
const ROOM: &str = "/console/payments";

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/console/payments", get(list))
        .route("/console/payments/{id}", get(detail))
        .route("/console/payments/{id}/customer", post(customer))
        .route("/console/payments/{id}/fund", post(fund))
}

/// What a page of payments shows.
struct Lists {
    requests: Vec<RequestLine>,
    transactions: Vec<TransactionLine>,
}

async fn lists(console: &Console, query: &[(String, String)]) -> Result<Lists, ApiError> {
    let above = console.account.clone();
    let only_open = field(query, "open") == "true";
    let place = |name: &str| cursor(field(query, name)).unwrap_or((i64::MAX, String::new()));
    let (requests, transactions) = (place("requests"), place("transactions"));
    let lists: Result<Lists, ApiError> = console
        .ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let (at, id) = &requests;
                let requests = store::requests(tx, &above, only_open, (*at, id), SIZE + 1).await?;
                let (at, id) = &transactions;
                let transactions = store::transactions(tx, &above, (*at, id), SIZE + 1).await?;
                Ok(Lists { requests, transactions })
            })
        })
        .await;
    lists
}

async fn list(console: Console, Query(query): Query<Fields>) -> Response {
    match lists(&console, &query).await {
        Ok(lists) => console.answer(pages::list(&console, &query, lists)),
        Err(error) => frame::failed(&error),
    }
}

/// A payment with what happened to it.
struct Payment {
    id: String,
    account: String,
    request: Option<Box<JourneyRequest>>,
    transaction: Option<(TransactionLine, String)>,
    told: Vec<ToldRow>,
    calls: Vec<Call>,
}

async fn payment(console: &Console, id: &str) -> Result<Option<Payment>, ApiError> {
    let ctx = &console.ctx;
    let (above, wanted) = (console.account.clone(), id.to_owned());
    let account: Option<String> =
        ctx.db.read(move |tx| Box::pin(async move { store::account_of(tx, &above, &wanted).await })).await?;
    let Some(account) = account else { return Ok(None) };
    let request = match PaymentRequestId::opaque(id) {
        Ok(_) => act(ctx, &console.account, id, &Deed::Look).await.ok().map(Box::new),
        Err(_) => None,
    };
    let (owner, wanted) = (account.clone(), id.to_owned());
    let line: Option<TransactionLine> =
        ctx.db.read(move |tx| Box::pin(async move { store::transaction(tx, &owner, &wanted).await })).await?;
    let transaction = match line {
        Some(line) => {
            let owner = PartnerAccountId::opaque(&account).map_err(ApiError::internal)?;
            Some((line, payments::object(ctx, &owner, id).await?))
        }
        None => None,
    };
    let (above, pattern) = (console.account.clone(), format!("%\"{id}\"%"));
    let told: Vec<ToldRow> =
        ctx.db.read(move |tx| Box::pin(async move { store::told(tx, &above, &pattern).await })).await?;
    let mentions = Wanted { text: Some(id.to_lowercase()), ..Wanted::default() };
    let calls = find::find(ctx, &console.account, &mentions, CALLS_MAX).await?;
    Ok(Some(Payment { id: id.to_owned(), account, request, transaction, told, calls }))
}

async fn detail(console: Console, Path(id): Path<String>) -> Response {
    shown(&console, &id, None).await
}

async fn shown(console: &Console, id: &str, error: Option<&ApiError>) -> Response {
    match payment(console, id).await {
        Ok(Some(payment)) => {
            let page = pages::detail(console, &payment, error);
            let status = error.map_or(http::StatusCode::OK, |error| error.status);
            console.answer((status, page))
        }
        Ok(None) => frame::absent(console, ROOM, "No payment of the accounts under you has this id."),
        Err(error) => frame::failed(&error),
    }
}

/// The button says what the customer does.
async fn customer(console: Console, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let email = match field(&fields, "email") {
        "" => PERSONAS.iter().find(|(name, _)| *name == field(&fields, "persona")).map(|(_, email)| *email),
        typed => Some(typed),
    };
    let deed = match field(&fields, "deed") {
        "complete" => Deed::Complete(Identity { email: email.map(str::to_owned), phone: None }),
        "decline" => Deed::Decline,
        "abandon" => Deed::Abandon,
        _ => Deed::Enter,
    };
    match act(&console.ctx, &console.account, &id, &deed).await {
        Ok(_) => to(&format!("{ROOM}/{id}")),
        Err(error) => shown(&console, &id, Some(&error)).await,
    }
}

async fn fund(console: Console, Path(id): Path<String>, Form(fields): Form<Fields>) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let (above, wanted) = (console.account.clone(), id.clone());
    let owner: Result<Option<String>, ApiError> =
        console.ctx.db.read(move |tx| Box::pin(async move { Ok(store::account_of(tx, &above, &wanted).await?) })).await;
    let funded = match owner {
        Ok(Some(account)) => {
            let path = format!("/testing/accounts/{account}/transactions/{id}/funding");
            console.perform(Method::POST, &path, Some(&json!({"state": field(&fields, "state")}))).await
        }
        Ok(None) => Err(not_found("The payment transaction does not exist.")),
        Err(error) => Err(error),
    };
    match funded {
        Ok(_) => to(&format!("{ROOM}/{id}")),
        Err(error) => shown(&console, &id, Some(&error)).await,
    }
}
