//! `/v1/checkout-sessions`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::act::{self, Closed};
use super::body::{CreateSession, Purpose};
use super::record::{CheckoutSessionView, Method, Session};
use super::session::{End, SessionState};
use super::store;
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::events::once::{Once, Reply};
use crate::events::page::{Pagination, Query};
use crate::payments::body::check_empty;

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_checkout_sessions, create_checkout_session))
        .routes(routes!(read_checkout_session))
        .routes(routes!(cancel_checkout_session))
        .routes(routes!(complete_checkout_session))
}

/// An order to be paid on the hosted page: the members of a payment, and those of the page.
#[derive(ToSchema)]
#[schema(example = json!({
    "amount": 4_990, "currency": "EUR", "reference": "order-1002", "locale": "en-DE", "capture": "MANUAL",
    "return_url": "https://shop.example/thanks", "cancel_url": "https://shop.example/cart",
    "line_items": [{"name": "Lantern", "quantity": 1, "unit_price": 4_990, "total_amount": 4_990}],
    "other_method": {"url": "https://shop.example/card", "label": "Card"},
    "branding": {"name": "Harbour Lights", "accent_color": "#1f5673"}, "expiry": {"duration": "PT2H"},
}))]
pub struct CreateCheckoutSessionBody {
    /// Minor units, from 1.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Your reference, 1 to 255 characters.
    pub reference: Option<String>,
    /// As for a payment.
    #[schema(value_type = Option<String>)]
    pub capture: Option<String>,
    /// Where the customer goes once the order is paid; `checkout_session_id`, `state` and `payment_id` are added.
    pub return_url: String,
    /// Where the customer goes who gives up; `checkout_session_id` and `state` are added. Without it the page has no way back.
    pub cancel_url: Option<String>,
    /// Where a bank's or Klarna's app returns to inside your app.
    pub app_return_url: Option<String>,
    /// The page's language, and where the customer is: `de-AT`.
    pub locale: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Up to 50 texts of up to 500 characters; the payment gets them, too.
    pub metadata: Option<BTreeMap<String, String>>,
    /// From Klarna's Web SDK on your own page, unmodified: the page recognises the customer by it. A token that an order was paid with
    /// already makes a session that is `COMPLETED` from the start.
    pub klarna_network_session_token: Option<String>,
    /// Older name of `klarna_network_session_token`.
    pub interoperability_token: Option<String>,
    /// From your integration to Klarna, unmodified.
    pub klarna_network_data: Option<String>,
    /// Older name of `klarna_network_data`.
    pub klarna_interoperability_data: Option<String>,
    /// What is bought; the page shows it.
    #[schema(value_type = Option<Vec<Object>>)]
    pub line_items: Option<Vec<Value>>,
    /// Who buys.
    #[schema(value_type = Option<Object>)]
    pub customer: Option<Value>,
    /// Where it goes.
    #[schema(value_type = Option<Vec<Object>>)]
    pub shipping: Option<Vec<Value>>,
    /// Everything else that Klarna can be told of a purchase.
    #[schema(value_type = Option<Object>)]
    pub supplementary_purchase_data: Option<Value>,
    /// `url` of your page for customers who pay in another way (`checkout_session_id` is added), and a `label` of up to 60 characters.
    #[schema(value_type = Option<Object>)]
    pub other_method: Option<Value>,
    /// `name`, `logo_url` (https), `accent_color`, `background_color` (`#rrggbb`, which must be readable: a contrast of 4.5).
    #[schema(value_type = Option<Object>)]
    pub branding: Option<Value>,
    /// `duration` (`PT15M` to `P7D`) or `timestamp`; a day if absent.
    #[schema(value_type = Option<Object>)]
    pub expiry: Option<Value>,
    /// `OPEN` (default), or `COMPLETED`: the order is paid already, and the page says so.
    #[schema(value_type = Option<String>)]
    pub order_status: Option<String>,
}

/// A page of sessions, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckoutSessionList {
    /// Without their addresses: read a session for that.
    pub checkout_sessions: Vec<CheckoutSessionView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// Create a checkout session
///
/// Send the customer to `url`. The page shows the order and offers Klarna where Klarna does, beside your other method. An event tells
/// when the order is paid; do not rely on the customer coming back.
#[utoipa::path(
    post, path = "/v1/checkout-sessions", operation_id = "create_checkout_session", tag = "Hosted checkout",
    request_body = CreateCheckoutSessionBody,
    responses(
        (status = 201, description = "The session.", body = CheckoutSessionView),
        (status = 403, description = "You are suspended."),
    )
)]
async fn create_checkout_session(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, "POST /v1/checkout-sessions", &headers, Some(&body.value));
    let checked = CreateSession::check(body.value, Purpose::Checkout, ctx.config.local_targets, ctx.clock.now());
    let (once, asked) = Once::with(once, checked)?;
    let of_unit = ctx.clone();
    let answer = once
        .run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let (session, _) = act::create_in(tx, &of_unit, &caller, asked, None).await?;
                Ok(Reply { status: StatusCode::CREATED, body: json!(session.whole(&of_unit)?) })
            })
        })
        .await?;
    ctx.poke.poke();
    Ok(answer)
}

/// List checkout sessions
///
/// Newest first. Filters can be combined.
#[utoipa::path(
    get, path = "/v1/checkout-sessions", operation_id = "list_checkout_sessions", tag = "Hosted checkout",
    params(
        ("size" = Option<i64>, Query, description = "Sessions on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
        ("state" = Option<String>, Query, description = "Only sessions in this state."),
        ("reference" = Option<String>, Query, description = "Only sessions with this reference."),
    ),
    responses((status = 200, description = "A page of sessions.", body = CheckoutSessionList))
)]
async fn list_checkout_sessions(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<CheckoutSessionList>, ApiError> {
    let mut query = Query::parse(query.as_deref());
    let page = query.page("cs_", "a checkout session");
    let state = query.one_of("state", SessionState::KNOWN_TEXTS);
    let reference = query.get("reference").map(str::to_owned);
    query.finish()?;
    let asked = page.clone();
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            let filter = (state.as_deref(), reference.as_deref());
            store::page(tx, &caller.partner_id, filter, asked.begins(), asked.limit()).await
        })
    });
    let sessions: Vec<Session> = read.await.map_err(|error: DbError| ApiError::from(error))?;
    let (sessions, pagination) =
        page.cut(&ctx, &query, "/v1/checkout-sessions", sessions, |session| session.session_id.as_str());
    Ok(Json(CheckoutSessionList { checkout_sessions: sessions.iter().map(Session::view).collect(), pagination }))
}

/// Read a checkout session
#[utoipa::path(
    get, path = "/v1/checkout-sessions/{checkout_session_id}", operation_id = "read_checkout_session",
    tag = "Hosted checkout",
    params(("checkout_session_id" = String, Path, description = "`cs_…`")),
    responses((status = 200, description = "The session.", body = CheckoutSessionView))
)]
async fn read_checkout_session(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(session_id): Path<String>,
) -> Result<Json<CheckoutSessionView>, ApiError> {
    let (session, _) = act::read(&ctx, &caller.partner_id, &session_id).await?.ok_or_else(absent)?;
    session.whole(&ctx).map(Json)
}

/// Cancel a checkout session
///
/// The page closes; a payment that waits for its customer is canceled. Canceling again changes nothing.
#[utoipa::path(
    post, path = "/v1/checkout-sessions/{checkout_session_id}/cancel", operation_id = "cancel_checkout_session",
    tag = "Hosted checkout",
    params(("checkout_session_id" = String, Path, description = "`cs_…`")),
    responses(
        (status = 200, description = "The session, `CANCELED`.", body = CheckoutSessionView),
        (status = 403, description = "It is paid or has expired."),
        (status = 409, description = "Its payment is being authorized at this moment: try again a little later."),
    )
)]
async fn cancel_checkout_session(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(session_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    close(&ctx, caller, (session_id, "cancel"), &headers, body, (End::Canceled, None)).await
}

/// Complete a checkout session
///
/// You say that the order was paid in another way: the page then says so and takes no payment. A payment that waits for its customer is
/// canceled.
#[utoipa::path(
    post, path = "/v1/checkout-sessions/{checkout_session_id}/complete", operation_id = "complete_checkout_session",
    tag = "Hosted checkout",
    params(("checkout_session_id" = String, Path, description = "`cs_…`")),
    responses(
        (status = 200, description = "The session, `COMPLETED` with `OTHER`.", body = CheckoutSessionView),
        (status = 403, description = "It is paid with Klarna, canceled or has expired."),
        (status = 409, description = "Its payment is being authorized at this moment: try again a little later."),
    )
)]
async fn complete_checkout_session(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(session_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    close(&ctx, caller, (session_id, "complete"), &headers, body, (End::Paid, Some(Method::Other))).await
}

async fn close(
    ctx: &Ctx,
    caller: PartnerCaller,
    (session_id, action): (String, &str),
    headers: &HeaderMap,
    body: OptionalJsonBody,
    (end, method): (End, Option<Method>),
) -> Result<Response, ApiError> {
    let body = body.0.map_or_else(|| json!({}), |body| body.value);
    let operation = format!("POST /v1/checkout-sessions/{session_id}/{action}");
    let once = Once::new(&caller.partner_id, &operation, headers, Some(&body));
    let (once, ()) = Once::with(once, check_empty(&body))?;
    let session = closed(ctx, &caller.partner_id, &session_id, end, method).await?;
    let view = json!(session.whole(ctx)?);
    once.run(ctx, move |_: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move { Ok(Reply { status: StatusCode::OK, body: view }) })
    })
    .await
}

/// Closes a session as the Partner wants it.
///
/// # Errors
/// 404, 403 when it ended otherwise, 409 while its payment is being authorized.
pub(crate) async fn closed(
    ctx: &Ctx,
    partner_id: &str,
    session_id: &str,
    end: End,
    method: Option<Method>,
) -> Result<Box<Session>, ApiError> {
    let wanted = SessionState::Open.next(end).ok();
    match act::close(ctx, partner_id, session_id, end, method).await? {
        Closed::Absent => Err(absent()),
        Closed::Busy => Err(ApiError::new(
            StatusCode::CONFLICT,
            "RESOURCE_CONFLICT",
            "Its payment is being authorized at this moment. Try again a little later.",
        )),
        Closed::Done(session) if Some(&session.state) == wanted.as_ref() && session.method == method => Ok(session),
        Closed::Done(session) => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "OPERATION_FORBIDDEN",
            format!("This cannot be done now: it is {}.", session.state),
        )),
    }
}

fn absent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no such checkout session.")
}
