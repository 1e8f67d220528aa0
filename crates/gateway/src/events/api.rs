//! `/v1/events` and `/v1/webhook-endpoints`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::deliveries::{self, Attempt, Delivery, Filter, NewDelivery};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::endpoint::{
    self, CreateWebhookEndpoint, ENDPOINTS_MAX, PatchWebhookEndpoint, RotateSecret, WebhookEndpoint, WebhookEndpoints,
};
use super::once::{Once, Reply};
use super::page::{self, Cursor, Pagination, Query};
use super::signature::EndpointSecret;
use super::store::{self, EndpointRow, EventFilter, EventRow};
use super::{catalogue, wire_time};
use crate::Ctx;
use crate::access::PartnerCaller;

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_events))
        .routes(routes!(read_event))
        .routes(routes!(list_endpoints, create_endpoint))
        .routes(routes!(read_endpoint, update_endpoint, delete_endpoint))
        .routes(routes!(rotate_secret))
        .routes(routes!(send_test_event))
        .routes(routes!(list_deliveries))
        .routes(routes!(replay_delivery))
}

/// Something that happened to a payment, or to you.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventView {
    /// `evt_…`; the `webhook-id` of its deliveries.
    pub id: String,
    /// A name of the event catalogue.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it happened.
    pub created_at: String,
    /// 1, 2, 3 and so on among your events; never a gap.
    pub sequence: i64,
    /// `payment` or `partner`: the one that it happened to, as it was right after.
    #[schema(value_type = Object)]
    pub data: Value,
}

/// A page of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventList {
    /// Newest first, unless `order=asc` was asked for.
    pub events: Vec<EventView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// A webhook on its way to an endpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// `del_…`.
    pub id: String,
    /// The endpoint.
    pub webhook_endpoint_id: String,
    /// The event.
    pub event_id: String,
    /// The event's type.
    pub event_type: String,
    /// `PENDING`, `RETRYING`, `DELIVERED`, `FAILED`, or `DROPPED` when the endpoint was gone or disabled.
    pub state: String,
    /// When the next attempt is due.
    pub next_attempt_at: Option<String>,
    /// When the delivery was made.
    pub created_at: String,
    /// Every attempt, in order.
    pub attempts: Vec<AttemptView>,
}

/// One attempt to deliver.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// 1 at the first.
    pub attempt: i64,
    /// Where it was sent.
    pub url: String,
    /// When it began.
    pub started_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: i64,
    /// The HTTP status answered, if there was an answer.
    pub status: Option<i64>,
    /// Why there was none.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
}

/// A page of deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    /// Newest first.
    pub deliveries: Vec<DeliveryView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// List events
///
/// Everything that happened to your payments and to you. With `order=asc` and the last `id` you have seen as `starting_after` you read each
/// event exactly once: positions have no gaps, and nothing appears later before a position that you have read.
#[utoipa::path(
    get, path = "/v1/events", operation_id = "list_events", tag = "Events",
    params(
        ("size" = Option<u32>, Query, description = "Items on a page, 1 to 100; default 20."),
        ("starting_after" = Option<String>, Query, description = "Id of an event: the page begins behind it."),
        ("ending_before" = Option<String>, Query, description = "Id of an event: the page ends before it."),
        ("order" = Option<String>, Query, description = "`desc` (default, newest first) or `asc`."),
        ("type" = Option<String>, Query, description = "A type, or the beginning of types: `payment.*`."),
        ("payment_id" = Option<String>, Query, description = "Only events of this payment."),
        ("created_start" = Option<String>, Query, description = "Not before this time, with a zone."),
        ("created_end" = Option<String>, Query, description = "Before this time, with a zone."),
    ),
    responses((status = 200, description = "A page of events.", body = EventList))
)]
async fn list_events(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(raw): RawQuery,
) -> Result<Json<EventList>, ApiError> {
    let mut query = Query::parse(raw.as_deref());
    let (size, cursor) = (query.size(), query.cursor());
    let mut filter = EventFilter { below: i64::MAX, ..EventFilter::default() };
    filter.created_from = query.time("created_start");
    filter.created_until = query.time("created_end");
    filter.payment_id = query.get("payment_id").map(str::to_owned);
    match query.get("type") {
        None => {}
        Some(pattern) if !catalogue::is_pattern(pattern) => {
            query.fault("type", "must be the name of an event, or the beginning of one and .* as in payment.*");
        }
        Some(pattern) => match pattern.strip_suffix('*') {
            Some(prefix) => filter.type_prefix = Some(format!("{prefix}%")),
            None => filter.event_type = Some(pattern.to_owned()),
        },
    }
    let ascending = match query.get("order") {
        None | Some("desc") => false,
        Some("asc") => true,
        Some(_) => {
            query.fault("order", "must be asc or desc");
            false
        }
    };
    query.finish()?;
    super::number(&ctx.db, &caller.partner_id).await?;
    let partner = caller.partner_id;
    let at = cursor.clone();
    let rows = ctx
        .db
        .read(move |tx| Box::pin(async move { read_page(tx, &partner, &at, filter, ascending, size).await }))
        .await?;
    let address = address(&ctx, &["v1", "events"]);
    let (rows, pagination) = page::cut(&query, &address, &cursor, size, rows, |row| &row.event_id);
    Ok(Json(EventList { events: rows.into_iter().map(EventView::of).collect(), pagination }))
}

async fn read_page(
    tx: &mut Tx,
    partner_id: &str,
    cursor: &Cursor,
    mut filter: EventFilter,
    ascending: bool,
    size: usize,
) -> Result<Vec<EventRow>, ApiError> {
    let forwards = !matches!(cursor, Cursor::Before(_));
    if let Cursor::After(id) | Cursor::Before(id) = cursor {
        let name = if forwards { "starting_after" } else { "ending_before" };
        let Some(row) = store::event(tx, partner_id, id).await? else {
            return Err(ApiError::validation(Vec::new()).field(name, "is not the id of one of your events"));
        };
        if ascending == forwards {
            filter.above = row.position;
        } else {
            filter.below = row.position;
        }
    }
    let limit = i64::try_from(size + 1).unwrap_or(i64::MAX);
    Ok(store::page(tx, partner_id, &filter, ascending == forwards, limit).await?)
}

/// Read an event
#[utoipa::path(
    get, path = "/v1/events/{event_id}", operation_id = "read_event", tag = "Events",
    params(("event_id" = String, Path, description = "`evt_…`")),
    responses((status = 200, description = "The event.", body = EventView))
)]
async fn read_event(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(event_id): Path<String>,
) -> Result<Json<EventView>, ApiError> {
    super::number(&ctx.db, &caller.partner_id).await?;
    let partner = caller.partner_id;
    let row = ctx.db.read(move |tx| Box::pin(async move { store::event(tx, &partner, &event_id).await })).await?;
    row.map(|row| Json(EventView::of(row))).ok_or_else(absent)
}

/// Create a webhook endpoint
///
/// The answer shows the signing secret, once. At most 20 endpoints.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints", operation_id = "create_webhook_endpoint", tag = "Webhook endpoints",
    request_body = CreateWebhookEndpoint,
    responses((status = 201, description = "The endpoint with its secret.", body = WebhookEndpoint))
)]
async fn create_endpoint(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, "POST /v1/webhook-endpoints", &headers, Some(&body.value))?;
    let wanted = endpoint::wanted(&body.value, true, ctx.config.local_targets)?;
    let (inner, partner) = (ctx.clone(), caller.partner_id);
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            if store::count_endpoints(tx, &partner).await? >= ENDPOINTS_MAX {
                return Err(conflict(format!("There are {ENDPOINTS_MAX} endpoints already; delete one first.")));
            }
            let now = inner.clock.now();
            let secret = EndpointSecret::generate(&inner.random);
            let endpoint_id = format!("we_{}", inner.random.id(now).simple());
            let row = EndpointRow {
                secret: endpoint::seal(&inner.secrets, &partner, &endpoint_id, &secret),
                endpoint_id,
                url: wanted.url.unwrap_or_default(),
                event_types: endpoint::stored_patterns(&wanted.event_types.unwrap_or_default()),
                description: wanted.description.flatten(),
                enabled: wanted.enabled.unwrap_or(true),
                previous_secret: None,
                previous_secret_until: None,
                created_at: now,
                updated_at: now,
            };
            store::insert_endpoint(tx, &partner, &row).await?;
            reply(StatusCode::CREATED, &WebhookEndpoint::of(&row, now).showing(&secret))
        })
    })
    .await
}

/// List webhook endpoints
#[utoipa::path(
    get, path = "/v1/webhook-endpoints", operation_id = "list_webhook_endpoints", tag = "Webhook endpoints",
    responses((status = 200, description = "All endpoints, newest first.", body = WebhookEndpoints))
)]
async fn list_endpoints(State(ctx): State<Ctx>, caller: PartnerCaller) -> Result<Json<WebhookEndpoints>, ApiError> {
    let (partner, now) = (caller.partner_id, ctx.clock.now());
    let rows = ctx.db.read(move |tx| Box::pin(async move { store::endpoints(tx, &partner).await })).await?;
    let webhook_endpoints = rows.iter().map(|row| WebhookEndpoint::of(row, now)).collect();
    Ok(Json(WebhookEndpoints { webhook_endpoints }))
}

/// Read a webhook endpoint
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", operation_id = "read_webhook_endpoint",
    tag = "Webhook endpoints",
    params(("webhook_endpoint_id" = String, Path, description = "`we_…`")),
    responses((status = 200, description = "The endpoint, without its secret.", body = WebhookEndpoint))
)]
async fn read_endpoint(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(id): Path<String>,
) -> Result<Json<WebhookEndpoint>, ApiError> {
    let (partner, now) = (caller.partner_id, ctx.clock.now());
    let row = ctx.db.read(move |tx| Box::pin(async move { store::endpoint(tx, &partner, &id).await })).await?;
    row.map(|row| Json(WebhookEndpoint::of(&row, now))).ok_or_else(absent)
}

/// Update a webhook endpoint
///
/// Deliveries that wait for a retry go to the new url.
#[utoipa::path(
    patch, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", operation_id = "update_webhook_endpoint",
    tag = "Webhook endpoints",
    params(("webhook_endpoint_id" = String, Path, description = "`we_…`")),
    request_body = PatchWebhookEndpoint,
    responses((status = 200, description = "The endpoint as it is now.", body = WebhookEndpoint))
)]
async fn update_endpoint(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let operation = format!("PATCH /v1/webhook-endpoints/{id}");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body.value))?;
    let wanted = endpoint::wanted(&body.value, false, ctx.config.local_targets)?;
    let (inner, partner) = (ctx.clone(), caller.partner_id);
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            let now = inner.clock.now();
            let mut row = store::lock_endpoint(tx, &partner, &id).await?.ok_or_else(absent)?;
            if let Some(url) = wanted.url {
                row.url = url;
            }
            if let Some(event_types) = wanted.event_types {
                row.event_types = endpoint::stored_patterns(&event_types);
            }
            if let Some(description) = wanted.description {
                row.description = description;
            }
            row.enabled = wanted.enabled.unwrap_or(row.enabled);
            row.updated_at = now;
            store::save_endpoint(tx, &partner, &row).await?;
            reply(StatusCode::OK, &WebhookEndpoint::of(&row, now))
        })
    })
    .await
}

/// Delete a webhook endpoint
///
/// What still waited to be delivered to it is dropped.
#[utoipa::path(
    delete, path = "/v1/webhook-endpoints/{webhook_endpoint_id}", operation_id = "delete_webhook_endpoint",
    tag = "Webhook endpoints",
    params(("webhook_endpoint_id" = String, Path, description = "`we_…`")),
    responses((status = 204, description = "It is gone."))
)]
async fn delete_endpoint(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let partner = caller.partner_id;
    let gone = ctx.db.write(move |tx| Box::pin(async move { store::delete_endpoint(tx, &partner, &id).await })).await?;
    if gone { Ok(StatusCode::NO_CONTENT) } else { Err(absent()) }
}

/// Rotate a signing secret
///
/// The answer shows the new secret, once. Until the overlap ends, deliveries carry a signature by each of the two.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/rotate-secret", operation_id = "rotate_webhook_secret",
    tag = "Webhook endpoints",
    params(("webhook_endpoint_id" = String, Path, description = "`we_…`")),
    request_body = Option<RotateSecret>,
    responses((status = 200, description = "The endpoint with its new secret.", body = WebhookEndpoint))
)]
async fn rotate_secret(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    OptionalJsonBody(body): OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = body.map(|body| body.value);
    let operation = format!("POST /v1/webhook-endpoints/{id}/rotate-secret");
    let once = Once::new(&caller.partner_id, &operation, &headers, body.as_ref())?;
    let overlap_us = endpoint::overlap_us(body.as_ref())?;
    let (inner, partner) = (ctx.clone(), caller.partner_id);
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            let now = inner.clock.now();
            let mut row = store::lock_endpoint(tx, &partner, &id).await?.ok_or_else(absent)?;
            let secret = EndpointSecret::generate(&inner.random);
            let sealed = endpoint::seal(&inner.secrets, &partner, &id, &secret);
            row.previous_secret = Some(std::mem::replace(&mut row.secret, sealed)).filter(|_| overlap_us > 0);
            row.previous_secret_until = row.previous_secret.is_some().then(|| now.saturating_add(overlap_us));
            row.updated_at = now;
            store::save_endpoint(tx, &partner, &row).await?;
            reply(StatusCode::OK, &WebhookEndpoint::of(&row, now).showing(&secret))
        })
    })
    .await
}

/// Send a test event
///
/// Sends `webhook_endpoint.test` to this endpoint, whatever it subscribes to. Look at the delivery to see what came of it.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/test", operation_id = "send_test_event",
    tag = "Webhook endpoints",
    params(("webhook_endpoint_id" = String, Path, description = "`we_…`")),
    responses((status = 202, description = "The delivery, on its way.", body = DeliveryView))
)]
async fn send_test_event(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, &format!("POST /v1/webhook-endpoints/{id}/test"), &headers, None)?;
    let (inner, partner) = (ctx.clone(), caller.partner_id);
    let answer = once
        .run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let row = store::endpoint(tx, &partner, &id).await?.ok_or_else(absent)?;
                if !row.enabled {
                    return Err(conflict("The endpoint is disabled; enable it first.".to_owned()));
                }
                let now = inner.clock.now();
                let event_id = format!("evt_{}", inner.random.id(now).simple());
                let delivery_id = format!("del_{}", inner.random.id(now).simple());
                let data = json!({"webhook_endpoint_id": id});
                let body = super::payload(&event_id, catalogue::TEST, now, &data);
                let delivery = NewDelivery {
                    owner: &partner,
                    delivery_id: &delivery_id,
                    target: &id,
                    event_id: &event_id,
                    event_type: catalogue::TEST,
                    body: &body,
                };
                deliveries::create(tx, &delivery, now).await?;
                reply(StatusCode::ACCEPTED, &delivery_view(tx, &partner, &delivery_id).await?)
            })
        })
        .await?;
    ctx.poke.poke();
    Ok(answer)
}

/// List deliveries to an endpoint
///
/// Each with all its attempts.
#[utoipa::path(
    get, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/deliveries", operation_id = "list_deliveries",
    tag = "Webhook endpoints",
    params(
        ("webhook_endpoint_id" = String, Path, description = "`we_…`"),
        ("size" = Option<u32>, Query, description = "Items on a page, 1 to 100; default 20."),
        ("starting_after" = Option<String>, Query, description = "Id of a delivery: the page begins behind it."),
        ("state" = Option<String>, Query, description = "Only deliveries in this state."),
        ("event_id" = Option<String>, Query, description = "Only deliveries of this event."),
    ),
    responses((status = 200, description = "A page of deliveries.", body = DeliveryList))
)]
async fn list_deliveries(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Json<DeliveryList>, ApiError> {
    let mut query = Query::parse(raw.as_deref());
    let size = query.size();
    if query.get("ending_before").is_some() {
        query.fault("ending_before", "is not supported here; page with starting_after");
    }
    let state = query.get("state").map(str::to_owned);
    if state.as_deref().is_some_and(|state| !DELIVERY_STATES.contains(&state)) {
        query.fault("state", format!("must be one of {}", DELIVERY_STATES.join(", ")));
    }
    query.finish()?;
    let (event_id, before) = (query.get("event_id").map(str::to_owned), query.get("starting_after").map(str::to_owned));
    let cursor = before.clone().map_or(Cursor::Start, Cursor::After);
    let address = address(&ctx, &["v1", "webhook-endpoints", &id, "deliveries"]);
    let partner = caller.partner_id;
    let rows = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<Vec<DeliveryView>, ApiError>> {
            Box::pin(async move {
                store::endpoint(tx, &partner, &id).await?.ok_or_else(absent)?;
                let filter = Filter {
                    target: Some(&id),
                    event_id: event_id.as_deref(),
                    state: state.as_deref(),
                    before: before.as_deref(),
                };
                let limit = i64::try_from(size + 1).unwrap_or(i64::MAX);
                let mut views = Vec::new();
                for row in deliveries::list(tx, &partner, &filter, limit).await? {
                    let attempts = deliveries::attempts(tx, &partner, &row.delivery_id).await?;
                    views.push(DeliveryView::of(row, attempts));
                }
                Ok(views)
            })
        })
        .await?;
    let (deliveries, mut pagination) = page::cut(&query, &address, &cursor, size, rows, |row| &row.id);
    pagination.links.prev = None;
    Ok(Json(DeliveryList { deliveries, pagination }))
}

/// Replay a delivery
///
/// Sends the same bytes again, by the whole schedule, to the endpoint's current url and signed with its current secret.
#[utoipa::path(
    post, path = "/v1/webhook-endpoints/{webhook_endpoint_id}/deliveries/{delivery_id}/replay",
    operation_id = "replay_delivery", tag = "Webhook endpoints",
    params(
        ("webhook_endpoint_id" = String, Path, description = "`we_…`"),
        ("delivery_id" = String, Path, description = "`del_…`"),
    ),
    responses((status = 202, description = "The delivery, on its way again.", body = DeliveryView))
)]
async fn replay_delivery(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path((id, delivery_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let operation = format!("POST /v1/webhook-endpoints/{id}/deliveries/{delivery_id}/replay");
    let once = Once::new(&caller.partner_id, &operation, &headers, None)?;
    let (inner, partner) = (ctx.clone(), caller.partner_id);
    let answer = once
        .run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let found = deliveries::read(tx, &partner, &delivery_id).await?;
                if found.is_none_or(|delivery| delivery.target != id) {
                    return Err(absent());
                }
                deliveries::replay(tx, &partner, &delivery_id, inner.clock.now()).await?;
                reply(StatusCode::ACCEPTED, &delivery_view(tx, &partner, &delivery_id).await?)
            })
        })
        .await?;
    ctx.poke.poke();
    Ok(answer)
}

const DELIVERY_STATES: [&str; 5] = ["PENDING", "RETRYING", "DELIVERED", "FAILED", "DROPPED"];

async fn delivery_view(tx: &mut Tx, partner_id: &str, delivery_id: &str) -> Result<DeliveryView, ApiError> {
    let row = deliveries::read(tx, partner_id, delivery_id).await?.ok_or_else(absent)?;
    Ok(DeliveryView::of(row, deliveries::attempts(tx, partner_id, delivery_id).await?))
}

impl EventView {
    fn of(row: EventRow) -> Self {
        Self {
            id: row.event_id,
            event_type: row.event_type,
            created_at: wire_time(row.created_at),
            sequence: row.position,
            data: serde_json::from_str(&row.data).unwrap_or_default(),
        }
    }
}

impl DeliveryView {
    fn of(row: Delivery, attempts: Vec<Attempt>) -> Self {
        Self {
            id: row.delivery_id,
            webhook_endpoint_id: row.target,
            event_id: row.event_id,
            event_type: row.event_type,
            state: row.state,
            next_attempt_at: row.next_at.map(wire_time),
            created_at: wire_time(row.created_at),
            attempts: attempts.into_iter().map(AttemptView::of).collect(),
        }
    }
}

impl AttemptView {
    fn of(row: Attempt) -> Self {
        Self {
            attempt: row.attempt,
            url: row.url,
            started_at: wire_time(row.started_at),
            duration_ms: row.duration_us / 1_000,
            status: row.status,
            error: row.error,
            response: row.response,
        }
    }
}

fn reply(status: StatusCode, view: &impl Serialize) -> Result<Reply, ApiError> {
    Ok(Reply { status, body: serde_json::to_value(view).map_err(ApiError::internal)? })
}

/// What is absent and what is another Partner's look the same.
fn absent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is nothing of this id.")
}

fn conflict(message: String) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "RESOURCE_CONFLICT", message)
}

fn address(ctx: &Ctx, path: &[&str]) -> String {
    let mut url = ctx.config.public_url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url.to_string()
}
