//! `/testing/payment-requests`.

use axum::extract::{Path, Query, State};
use http::{Method, StatusCode};
use kit::http::{ApiError, FieldFault, OptionalJsonBody};
use serde::Deserialize;
use serde_json::{Value, json};

use super::store::{self, RequestLine};
use super::{Deed, PERSONAS, act, view};
use crate::console::{shapes, time};
use crate::ctx::Ctx;
use crate::operation::{Category, Doc, OnBehalf, Reply, Route, Source, Who, check, or_empty};
use crate::payments::Identity;

const SIZE_DEFAULT: i64 = 50;
const SIZE_MAX: i64 = 1_000;

/// The operations.
pub fn routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    let doc = |id, summary| Doc::new(id, summary, Source::Ours);
    vec![
        Route::at(
            Method::GET,
            &["/testing/payment-requests"],
            category,
            who,
            doc("listPaymentRequests", "Lists Payment Requests across accounts, newest first")
                .query("open", protocol::shape::Kind::OneOf(&["true", "false"]))
                .query("size", protocol::shape::Kind::Int { min: 1, max: SIZE_MAX })
                .query("starting_after", protocol::shape::Kind::Text { min: 1, max: 255 })
                .answers(200, shapes::payment_request_list),
            list_payment_requests,
        ),
        Route::at(
            Method::POST,
            &["/testing/payment-requests/{payment_request_id}/enter"],
            category,
            who,
            doc("enterJourney", "Lets the customer open the journey").answers(200, shapes::journey_act),
            enter,
        ),
        Route::at(
            Method::POST,
            &["/testing/payment-requests/{payment_request_id}/complete"],
            category,
            who,
            doc("completeJourney", "Lets a customer go all the way; the verdict is the network's")
                .may_take(shapes::journey_complete)
                .answers(200, shapes::journey_act),
            complete,
        ),
        Route::at(
            Method::POST,
            &["/testing/payment-requests/{payment_request_id}/decline"],
            category,
            who,
            doc("declineJourney", "Lets the customer refuse").answers(200, shapes::journey_act),
            decline,
        ),
        Route::at(
            Method::POST,
            &["/testing/payment-requests/{payment_request_id}/abandon"],
            category,
            who,
            doc("abandonJourney", "Lets the customer open the journey and go away").answers(200, shapes::journey_act),
            abandon,
        ),
    ]
}

#[derive(Deserialize)]
struct ListQuery {
    open: Option<String>,
    size: Option<i64>,
    starting_after: Option<String>,
}

/// A place in a list that is ordered by time and id: `<micros>~<id>`.
pub(crate) fn cursor(text: &str) -> Option<(i64, String)> {
    let (time, id) = text.split_once('~')?;
    Some((time.parse().ok()?, id.to_owned()))
}

async fn list_payment_requests(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Query(query): Query<ListQuery>,
) -> Result<Reply, ApiError> {
    let mut faults = Vec::new();
    let size = query.size.unwrap_or(SIZE_DEFAULT);
    if !(1..=SIZE_MAX).contains(&size) {
        faults.push(FieldFault::new("size", format!("must be 1 to {SIZE_MAX}")));
    }
    let only_open = match query.open.as_deref() {
        None | Some("false" | "") => false,
        Some("true") => true,
        Some(_) => {
            faults.push(FieldFault::new("open", "must be true or false"));
            false
        }
    };
    let before = query.starting_after.as_deref().map(cursor);
    if before == Some(None) {
        faults.push(FieldFault::new("starting_after", "must be a cursor of an earlier page"));
    }
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let (at, id) = before.flatten().unwrap_or((i64::MAX, String::new()));
    let above = on.caller.account.clone();
    let mut rows: Vec<RequestLine> = ctx
        .db
        .read(move |tx| {
            Box::pin(async move { store::requests(tx, above.as_str(), only_open, (at, &id), size + 1).await })
        })
        .await?;
    let more = i64::try_from(rows.len()).unwrap_or(i64::MAX) > size;
    rows.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    let last = rows.last().filter(|_| more).map(|row| format!("{}~{}", row.created_at, row.request_id));
    let views = rows.iter().map(line).collect::<Result<Vec<Value>, ApiError>>()?;
    let body = json!({"payment_requests": views, "pagination": {"count": rows.len(), "last_item": last}});
    Ok(Reply::json(StatusCode::OK, &body))
}

fn line(row: &RequestLine) -> Result<Value, ApiError> {
    Ok(json!({"payment_request_id": row.request_id, "account_id": row.account_id, "state": row.state,
        "currency": row.currency, "amount": row.amount, "created_at": time(row.created_at)?,
        "updated_at": time(row.updated_at)?, "expires_at": time(row.expires_at)?}))
}

#[derive(Deserialize)]
struct RequestPath {
    payment_request_id: String,
}

async fn done(ctx: &Ctx, on: &OnBehalf, path: &RequestPath, deed: &Deed) -> Result<Reply, ApiError> {
    let acted = act(ctx, on.caller.account.as_str(), &path.payment_request_id, deed).await?;
    Ok(Reply::json(StatusCode::OK, &view(&acted)?))
}

async fn enter(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<RequestPath>) -> Result<Reply, ApiError> {
    done(&ctx, &on, &path, &Deed::Enter).await
}

/// As a `persona`, or as a `customer` with an e-mail address or a phone number.
async fn complete(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<RequestPath>,
    body: OptionalJsonBody,
) -> Result<Reply, ApiError> {
    let body = or_empty(body);
    check(shapes::journey_complete(), &body)?;
    let text = |name: &str| body["customer"][name].as_str().map(str::to_owned);
    let persona = body["persona"].as_str();
    if persona.is_some() && body.get("customer").is_some_and(|customer| !customer.is_null()) {
        return Err(ApiError::validation(Vec::new()).field("persona", "must be absent when customer is sent"));
    }
    let of_persona = persona.and_then(|persona| PERSONAS.iter().find(|(name, _)| *name == persona));
    let identity = match of_persona {
        Some((_, email)) => Identity { email: Some((*email).to_owned()), phone: None },
        None => Identity { email: text("email"), phone: text("phone") },
    };
    done(&ctx, &on, &path, &Deed::Complete(identity)).await
}

async fn decline(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<RequestPath>) -> Result<Reply, ApiError> {
    done(&ctx, &on, &path, &Deed::Decline).await
}

async fn abandon(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<RequestPath>) -> Result<Reply, ApiError> {
    done(&ctx, &on, &path, &Deed::Abandon).await
}
