//! `/v1/payment-links`, and refunds by reference.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::act::{self, Found, RefundByReference};
use super::record::PaymentLinkView;
use super::store::{self, LinkFilter};
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::checkout::body::{CreateSession, Purpose};
use crate::checkout::session::SessionState;
use crate::events::once::{Once, Reply};
use crate::events::page::{Pagination, Query};
use crate::payments;
use crate::payments::body::check_empty;
use crate::payments::record::OperationView;

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_payment_links, create_payment_link))
        .routes(routes!(read_payment_link))
        .routes(routes!(cancel_payment_link))
        .routes(routes!(refund_by_reference))
}

/// An order to be paid by whoever has its link; the members are those of a checkout session, and `return_url` may be left out.
#[derive(ToSchema)]
#[schema(example = json!({
    "amount": 7_500, "currency": "EUR", "reference": "invoice-2031", "locale": "en-DE", "capture": "AUTOMATIC",
    "line_items": [{"name": "Repair", "quantity": 1, "unit_price": 7_500, "total_amount": 7_500}],
    "expiry": {"duration": "P14D"},
}))]
pub struct CreatePaymentLinkBody {
    /// Minor units, from 1.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Your reference, 1 to 255 characters.
    pub reference: Option<String>,
    /// As for a payment.
    #[schema(value_type = Option<String>)]
    pub capture: Option<String>,
    /// Where the customer goes once the order is paid; without it the page thanks.
    pub return_url: Option<String>,
    /// Where the customer goes who gives up.
    pub cancel_url: Option<String>,
    /// The page's language, and where the customer is: `de-AT`.
    pub locale: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// As for a checkout session.
    pub metadata: Option<BTreeMap<String, String>>,
    /// What is bought; the page shows it.
    #[schema(value_type = Option<Vec<Object>>)]
    pub line_items: Option<Vec<Value>>,
    /// Who buys.
    #[schema(value_type = Option<Object>)]
    pub customer: Option<Value>,
    /// Everything else that Klarna can be told of a purchase.
    #[schema(value_type = Option<Object>)]
    pub supplementary_purchase_data: Option<Value>,
    /// As for a checkout session.
    #[schema(value_type = Option<Object>)]
    pub other_method: Option<Value>,
    /// As for a checkout session.
    #[schema(value_type = Option<Object>)]
    pub branding: Option<Value>,
    /// `duration` (`PT15M` to `P90D`) or `timestamp`; seven days if absent.
    #[schema(value_type = Option<Object>)]
    pub expiry: Option<Value>,
}

/// A refund of a payment that is known by its reference.
#[derive(ToSchema)]
#[schema(example = json!({"reference": "order-1001", "amount": 1_500, "currency": "EUR", "refund_reference": "till-3-118"}))]
pub struct RefundByReferenceBody {
    /// Yours of the payment, or the payment's id.
    pub reference: String,
    /// Minor units; at most what is captured and not refunded. Always named: nothing is refunded by leaving it out.
    pub amount: i64,
    /// The payment's currency: a reference that was misread seldom fits.
    pub currency: String,
    /// Your reference of the refund.
    pub refund_reference: Option<String>,
}

/// Create a payment link
///
/// Send `url`, or show its code. It is paid once; `checkout_session.completed` tells of it.
#[utoipa::path(
    post, path = "/v1/payment-links", operation_id = "create_payment_link", tag = "Payment links and tills",
    request_body = CreatePaymentLinkBody,
    responses(
        (status = 201, description = "The link.", body = PaymentLinkView),
        (status = 403, description = "You are suspended."),
    )
)]
async fn create_payment_link(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, "POST /v1/payment-links", &headers, Some(&body.value));
    let checked = CreateSession::check(body.value, Purpose::Link, ctx.config.local_targets, ctx.clock.now());
    let (once, asked) = Once::with(once, checked)?;
    let link_id = act::new_link_id(&ctx);
    let of_unit = ctx.clone();
    let answer = once
        .run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let (link, session) = act::create_link(tx, &of_unit, &caller, asked, (&link_id, None)).await?;
                Ok(Reply { status: StatusCode::CREATED, body: json!(link.view(&of_unit, &session)?) })
            })
        })
        .await?;
    ctx.poke.poke();
    Ok(answer)
}

/// A page of links, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentLinkList {
    /// With their addresses.
    pub payment_links: Vec<PaymentLinkView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// List payment links
///
/// Newest first, those of tills among them. Filters can be combined.
#[utoipa::path(
    get, path = "/v1/payment-links", operation_id = "list_payment_links", tag = "Payment links and tills",
    params(
        ("size" = Option<i64>, Query, description = "Links on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
        ("state" = Option<String>, Query, description = "Only links in this state."),
        ("reference" = Option<String>, Query, description = "Only links with this reference."),
        ("till_id" = Option<String>, Query, description = "Only sales of this till."),
    ),
    responses((status = 200, description = "A page of links.", body = PaymentLinkList))
)]
async fn list_payment_links(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<PaymentLinkList>, ApiError> {
    let mut query = Query::parse(query.as_deref());
    let page = query.page("pl_", "a payment link");
    let filter = LinkFilter {
        state: query.one_of("state", SessionState::KNOWN_TEXTS),
        reference: query.get("reference").map(str::to_owned),
        till_id: query.get("till_id").map(str::to_owned),
    };
    query.finish()?;
    let asked = page.clone();
    let read = ctx.db.read(move |tx| {
        Box::pin(async move { store::links(tx, &caller.partner_id, &filter, asked.begins(), asked.limit()).await })
    });
    let (links, pagination) = page.cut(&ctx, &query, "/v1/payment-links", read.await?, |(link, _)| &link.link_id);
    let payment_links = links.iter().map(|(link, session)| link.view(&ctx, session)).collect::<Result<_, _>>()?;
    Ok(Json(PaymentLinkList { payment_links, pagination }))
}

/// Read a payment link
#[utoipa::path(
    get, path = "/v1/payment-links/{payment_link_id}", operation_id = "read_payment_link", tag = "Payment links and tills",
    params(("payment_link_id" = String, Path, description = "`pl_…`")),
    responses((status = 200, description = "The link.", body = PaymentLinkView))
)]
async fn read_payment_link(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(link_id): Path<String>,
) -> Result<Json<PaymentLinkView>, ApiError> {
    let (link, session) = act::read_link(&ctx, &caller.partner_id, &link_id).await?.ok_or_else(absent)?;
    link.view(&ctx, &session).map(Json)
}

/// Cancel a payment link
///
/// Its page closes; a payment that waits for its customer is canceled. Canceling again changes nothing.
#[utoipa::path(
    post, path = "/v1/payment-links/{payment_link_id}/cancel", operation_id = "cancel_payment_link",
    tag = "Payment links and tills",
    params(("payment_link_id" = String, Path, description = "`pl_…`")),
    responses(
        (status = 200, description = "The link, `CANCELED`.", body = PaymentLinkView),
        (status = 403, description = "It is paid or has expired."),
        (status = 409, description = "Its payment is being authorized at this moment: try again a little later."),
    )
)]
async fn cancel_payment_link(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(link_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = body.0.map_or_else(|| json!({}), |body| body.value);
    let operation = format!("POST /v1/payment-links/{link_id}/cancel");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body));
    let (once, ()) = Once::with(once, check_empty(&body))?;
    let (link, session) = act::read_link(&ctx, &caller.partner_id, &link_id).await?.ok_or_else(absent)?;
    let session = act::cancel(&ctx, &caller.partner_id, &session.session_id).await?;
    let view = json!(link.view(&ctx, &session)?);
    once.run(&ctx, move |_: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move { Ok(Reply { status: StatusCode::OK, body: view }) })
    })
    .await
}

/// Refund by reference
///
/// For returns at a counter: the payment is found by its reference. Amount and currency are always named.
#[utoipa::path(
    post, path = "/v1/refunds", operation_id = "refund_by_reference", tag = "Payments",
    request_body = RefundByReferenceBody,
    responses(
        (status = 201, description = "The refund; `payment_id` says of which payment.", body = OperationView),
        (status = 202, description = "The refund; Klarna's answer is outstanding.", body = OperationView),
        (status = 403, description = "The payment's state or balance forbids it."),
        (status = 404, description = "No captured payment has this reference."),
        (status = 409, description = "Several payments have this reference: refund one by its id."),
    )
)]
async fn refund_by_reference(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, "POST /v1/refunds", &headers, Some(&body.value));
    let (once, asked) = Once::with(once, RefundByReference::check(body.value))?;
    let payment = match act::find_captured(&ctx, &caller.partner_id, &asked.reference).await? {
        Found::One(payment) => payment,
        Found::None => {
            return Err(ApiError::new(
                StatusCode::NOT_FOUND,
                "RESOURCE_NOT_FOUND",
                "No captured payment of yours has this reference.",
            ));
        }
        Found::Several => {
            return Err(ApiError::new(
                StatusCode::CONFLICT,
                "RESOURCE_CONFLICT",
                "Several of your payments have this reference. Refund one of them by its id.",
            )
            .field("reference", "belongs to several payments"));
        }
    };
    if !payment.currency.eq_ignore_ascii_case(&asked.currency) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "OPERATION_FORBIDDEN", "The payment is in another currency.")
            .field("currency", "is not the payment's"));
    }
    payments::refund(&ctx, caller, once, payment.payment_id, asked.refund).await
}

fn absent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no such payment link.")
}
