//! What was told to whom, in the browser: webhooks, deliveries, events.

mod pages;

use axum::Router;
use axum::extract::{Form, Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use kit::db::{Tx, UnitFuture};
use kit::deliveries::{self, Attempt, Delivery};
use kit::http::ApiError;

use super::session::{Console, Fields, field, to};
use super::{pages as frame, store};
use crate::console::journeys::cursor;
use crate::ctx::Ctx;
use crate::operation::not_found;
use store::{DeliveryLine, EventLine, WebhookLine};

const SIZE: i64 = 50;
const ROOM: &str = "/console/webhooks";

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/console/webhooks", get(list))
        .route("/console/webhooks/{owner}/{delivery_id}", get(detail))
        .route("/console/webhooks/{owner}/{delivery_id}/replay", post(replay))
        .route("/console/events", get(events))
}

async fn list(console: Console, Query(query): Query<Fields>) -> Response {
    let above = console.account.clone();
    let optional = |name: &str| Some(field(&query, name).to_owned()).filter(|value| !value.is_empty());
    let (webhook, state) = (optional("webhook_id"), optional("state"));
    let (at, id) = cursor(field(&query, "starting_after")).unwrap_or((i64::MAX, String::new()));
    let read: Result<(Vec<WebhookLine>, Vec<DeliveryLine>), ApiError> = console
        .ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let webhooks = store::webhooks(tx, &above).await?;
                let which = (webhook.as_deref(), state.as_deref());
                let deliveries = store::deliveries(tx, &above, which, (at, &id), SIZE + 1).await?;
                Ok((webhooks, deliveries))
            })
        })
        .await;
    match read {
        Ok((webhooks, deliveries)) => console.answer(pages::list(&console, &query, &webhooks, deliveries)),
        Err(error) => frame::failed(&error),
    }
}

async fn detail(console: Console, Path((owner, delivery_id)): Path<(String, String)>) -> Response {
    let above = console.account.clone();
    let read: Result<Option<(Delivery, Vec<Attempt>)>, ApiError> = console
        .ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                if !store::is_under(tx, &above, &owner).await? {
                    return Ok(None);
                }
                let Some(delivery) = deliveries::read(tx, &owner, &delivery_id).await? else { return Ok(None) };
                let attempts = deliveries::attempts(tx, &owner, &delivery_id).await?;
                Ok(Some((delivery, attempts)))
            })
        })
        .await;
    match read {
        Ok(Some((delivery, attempts))) => console.answer(pages::detail(&console, &delivery, &attempts)),
        Ok(None) => frame::absent(&console, ROOM, "No delivery of the accounts under you has this id."),
        Err(error) => frame::failed(&error),
    }
}

async fn replay(
    console: Console,
    Path((owner, delivery_id)): Path<(String, String)>,
    Form(fields): Form<Fields>,
) -> Response {
    if let Some(refusal) = console.refuse(&fields) {
        return refusal;
    }
    let back = format!("{ROOM}/{owner}/{delivery_id}");
    let replayed: Result<(), ApiError> = console
        .ctx
        .write(|| {
            let (ctx, above) = (console.ctx.clone(), console.account.clone());
            let (owner, id) = (owner.clone(), delivery_id.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move {
                    let ours = store::is_under(tx, &above, &owner).await?;
                    if !ours || !deliveries::replay(tx, &owner, &id, ctx.clock.now()).await? {
                        return Err(not_found("The delivery does not exist."));
                    }
                    ctx.work_was_made();
                    Ok(())
                })
            }
        })
        .await;
    match replayed {
        Ok(()) => to(&back),
        Err(error) => frame::failed(&error),
    }
}

async fn events(console: Console, Query(query): Query<Fields>) -> Response {
    let above = console.account.clone();
    let kind = format!("%{}%", field(&query, "type").replace(['%', '_'], ""));
    let (at, id) = cursor(field(&query, "starting_after")).unwrap_or((i64::MAX, String::new()));
    let read: Result<Vec<EventLine>, ApiError> = console
        .ctx
        .db
        .read(move |tx| Box::pin(async move { Ok(store::events(tx, &above, &kind, (at, &id), SIZE + 1).await?) }))
        .await;
    match read {
        Ok(rows) => console.answer(pages::events(&console, &query, rows)),
        Err(error) => frame::failed(&error),
    }
}
