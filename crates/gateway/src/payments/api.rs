//! `/v1/payments`, and where customers come back to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::HeaderMap;
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::Currency;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{CreatePayment, MoveMoney, UpdatePayment, check_empty};
use super::payment::PaymentState;
use super::record::{OperationView, Payment, PaymentView};
use super::store::{self, ListFilter};
use super::{begin, customer_token, returning};
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::events::once::Once;
use crate::events::page::{Pagination, Query};

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_payments, create_payment))
        .routes(routes!(read_payment, update_payment))
        .routes(routes!(capture_payment))
        .routes(routes!(refund_payment))
        .routes(routes!(void_payment))
        .routes(routes!(cancel_payment))
        .routes(routes!(customer_returns))
        .merge(customer_token::api::routes())
}

/// A payment to be made.
#[derive(ToSchema)]
#[schema(example = json!({
    "amount": 4_990, "currency": "EUR", "reference": "order-1001", "return_url": "https://shop.example/thanks",
    "line_items": [{"name": "Lantern", "quantity": 1, "unit_price": 4_990, "total_amount": 4_990}],
    "customer": {"given_name": "Ada", "family_name": "Vester", "email": "ada@shop.example"},
}))]
pub struct CreatePaymentBody {
    /// Minor units, from 1.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// Your reference, 1 to 255 characters. The customer sees it, unless `supplementary_purchase_data.purchase_reference` is sent.
    pub reference: Option<String>,
    /// `MANUAL` (default): captured by a call of its own. `AUTOMATIC`: in full, with the authorization.
    #[schema(value_type = Option<String>)]
    pub capture: Option<String>,
    /// Where the customer comes back to; `payment_id` and `state` are added. Without it the payment is only authorized if Klarna need
    /// not see the customer.
    pub return_url: Option<String>,
    /// Where the customer comes back to if the payment did not come about; `return_url` if absent.
    pub cancel_url: Option<String>,
    /// Where a bank's or Klarna's app returns to inside your app.
    pub app_return_url: Option<String>,
    /// How long the customer has: `duration` (`PT15M` to `PT48H`) or `timestamp`.
    #[schema(value_type = Option<Object>)]
    pub interaction_expiry: Option<Value>,
    /// The option that the customer picked in Klarna's presentation.
    pub payment_option_id: Option<String>,
    /// `en-GB`.
    pub locale: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Up to 50 texts of up to 500 characters.
    pub metadata: Option<BTreeMap<String, String>>,
    /// From Klarna's Web SDK, unmodified.
    pub klarna_network_session_token: Option<String>,
    /// Older name of `klarna_network_session_token`.
    pub interoperability_token: Option<String>,
    /// Charges a customer token: the customer is asked only if its scopes want it. `ctk_…`
    pub customer_token_id: Option<String>,
    /// Asks the customer for leave to be charged again: `scopes` (`payment:customer_present`, `payment:customer_not_present`) and your
    /// `customer_token_reference`. Once they approved, the payment has a `customer_token_id`.
    #[schema(value_type = Option<Object>)]
    pub request_customer_token: Option<Value>,
    /// From your integration to Klarna, unmodified.
    pub klarna_network_data: Option<String>,
    /// Older name of `klarna_network_data`.
    pub klarna_interoperability_data: Option<String>,
    /// What is bought. The sum of `total_amount` is the amount. May stand in `supplementary_purchase_data` instead.
    #[schema(value_type = Option<Vec<Object>>)]
    pub line_items: Option<Vec<Value>>,
    /// Who buys. May stand in `supplementary_purchase_data` instead.
    #[schema(value_type = Option<Object>)]
    pub customer: Option<Value>,
    /// Where it goes. May stand in `supplementary_purchase_data` instead.
    #[schema(value_type = Option<Vec<Object>>)]
    pub shipping: Option<Vec<Value>>,
    /// Everything else that Klarna can be told of a purchase; members that are unknown here are passed on.
    #[schema(value_type = Option<Object>)]
    pub supplementary_purchase_data: Option<Value>,
}

/// What changes of a payment.
#[derive(ToSchema)]
#[schema(example = json!({
    "amount": 3_990, "line_items": [{"name": "Lantern, second choice", "quantity": 1, "total_amount": 3_990}],
}))]
pub struct UpdatePaymentBody {
    /// Minor units; not below what is captured. More than before may be refused.
    pub amount: Option<i64>,
    /// Your reference.
    pub reference: Option<String>,
    /// Replaces all entries.
    pub metadata: Option<BTreeMap<String, String>>,
    /// As at creation.
    #[schema(value_type = Option<Vec<Object>>)]
    pub line_items: Option<Vec<Value>>,
    /// As at creation.
    #[schema(value_type = Option<Object>)]
    pub customer: Option<Value>,
    /// As at creation.
    #[schema(value_type = Option<Vec<Object>>)]
    pub shipping: Option<Vec<Value>>,
    /// As at creation; members that are absent stay.
    #[schema(value_type = Option<Object>)]
    pub supplementary_purchase_data: Option<Value>,
    /// From your integration to Klarna, unmodified.
    pub klarna_network_data: Option<String>,
    /// Older name of `klarna_network_data`.
    pub klarna_interoperability_data: Option<String>,
}

/// A capture to be made. Without an amount, all that is left.
#[derive(ToSchema)]
#[schema(example = json!({
    "amount": 2_990, "reference": "parcel-1", "line_items": [{"name": "Lantern", "quantity": 1, "total_amount": 2_990}],
}))]
pub struct CreateCaptureBody {
    /// Minor units.
    pub amount: Option<i64>,
    /// Your reference.
    pub reference: Option<String>,
    /// Gives up what the capture leaves.
    pub release_remaining: Option<bool>,
    /// What is captured; the sum of `total_amount` is the amount.
    #[schema(value_type = Option<Vec<Object>>)]
    pub line_items: Option<Vec<Value>>,
    /// How it travels: `[{"delivery": {"tracking_number", "tracking_url", "shipping_carrier"}}]`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub shipments: Option<Vec<Value>>,
    /// May hold `line_items`, `shipments`, and whatever else Klarna can be told of a capture.
    #[schema(value_type = Option<Object>)]
    pub supplementary_capture_data: Option<Value>,
    /// From your integration to Klarna, unmodified.
    pub klarna_network_data: Option<String>,
    /// Older name of `klarna_network_data`.
    pub klarna_interoperability_data: Option<String>,
}

/// A refund to be made. Without an amount, all that is left.
#[derive(ToSchema)]
#[schema(example = json!({"amount": 1_000, "reference": "return-1"}))]
pub struct CreateRefundBody {
    /// Minor units.
    pub amount: Option<i64>,
    /// Your reference.
    pub reference: Option<String>,
    /// The capture that bears it. With several captures, name one or send `line_items`.
    pub capture_id: Option<String>,
    /// What is refunded; the sum of `total_amount` is the amount.
    #[schema(value_type = Option<Vec<Object>>)]
    pub line_items: Option<Vec<Value>>,
    /// May hold `line_items`, and whatever else Klarna can be told of a refund.
    #[schema(value_type = Option<Object>)]
    pub supplementary_refund_data: Option<Value>,
    /// From your integration to Klarna, unmodified.
    pub klarna_network_data: Option<String>,
    /// Older name of `klarna_network_data`.
    pub klarna_interoperability_data: Option<String>,
}

/// A page of payments, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentList {
    /// Without captures, refunds and purchase data: read a payment for those.
    pub payments: Vec<PaymentView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// Create a payment
///
/// Asks Klarna to authorize. In `REQUIRES_CUSTOMER_ACTION` send the customer to `next_action.url`; with the token of a customer who has
/// approved already (Express Checkout) the payment is `AUTHORIZED` at once. A 202 says that Klarna has not answered yet: the payment
/// is `PENDING`, and an event tells how it ended. If Klarna refuses the request itself, a token that was spent for instance, the answer
/// is Klarna's refusal; the payment stays in your list as `FAILED`, and a new attempt needs a new `Idempotency-Key`.
#[utoipa::path(
    post, path = "/v1/payments", operation_id = "create_payment", tag = "Payments",
    request_body = CreatePaymentBody,
    responses(
        (status = 201, description = "The payment, in whatever state; `DECLINED` is one.", body = PaymentView),
        (status = 202, description = "The payment; Klarna's answer is outstanding.", body = PaymentView),
        (status = 403, description = "Klarna forbids it, or you are suspended."),
    )
)]
async fn create_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, "POST /v1/payments", &headers, Some(&body.value));
    let (once, asked) = Once::with(once, CreatePayment::check(body.value, ctx.config.local_targets))?;
    begin::create(&ctx, caller, once, asked).await
}

/// List payments
///
/// Newest first. Filters can be combined.
#[utoipa::path(
    get, path = "/v1/payments", operation_id = "list_payments", tag = "Payments",
    params(
        ("size" = Option<i64>, Query, description = "Payments on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
        ("state" = Option<String>, Query, description = "Only payments in this state."),
        ("reference" = Option<String>, Query, description = "Only payments with this reference."),
        ("currency" = Option<String>, Query, description = "Only payments in this currency."),
        ("amount" = Option<i64>, Query, description = "Only payments of this amount, in minor units."),
        ("created_start" = Option<String>, Query, description = "Created at this time or later."),
        ("created_end" = Option<String>, Query, description = "Created before this time."),
    ),
    responses((status = 200, description = "A page of payments.", body = PaymentList))
)]
async fn list_payments(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<PaymentList>, ApiError> {
    let mut query = Query::parse(query.as_deref());
    let page = query.page("pay_", "a payment");
    let filter = filter(&mut query);
    query.finish()?;
    let asked = page.clone();
    let payments = ctx
        .db
        .read(move |tx| {
            Box::pin(async move {
                let (after, newer) = asked.begins();
                store::page(tx, &caller.partner_id, &filter, after, newer, asked.limit()).await
            })
        })
        .await?;
    let (payments, pagination) =
        page.cut(&ctx, &query, "/v1/payments", payments, |payment| payment.payment_id.as_str());
    Ok(Json(PaymentList { payments: payments.iter().map(Payment::listed).collect(), pagination }))
}

fn filter(query: &mut Query) -> ListFilter {
    let text = |query: &Query, name: &str| query.get(name).map(str::to_owned);
    let state = query.one_of("state", PaymentState::KNOWN_TEXTS);
    let currency = text(query, "currency").map(|code| code.to_ascii_uppercase());
    if currency.as_deref().is_some_and(|code| code.parse::<Currency>().is_err()) {
        query.fault("currency", "must be a currency code of ISO 4217");
    }
    let amount = match text(query, "amount").map(|text| text.parse::<i64>()) {
        Some(Err(_)) => {
            query.fault("amount", "must be an integer");
            None
        }
        Some(Ok(amount)) => Some(amount),
        None => None,
    };
    ListFilter {
        state,
        currency,
        reference: text(query, "reference"),
        created_from: query.time("created_start"),
        created_until: query.time("created_end"),
        amount,
    }
}

/// Read a payment
///
/// As it is known here; nothing is asked of Klarna.
#[utoipa::path(
    get, path = "/v1/payments/{payment_id}", operation_id = "read_payment", tag = "Payments",
    params(("payment_id" = String, Path, description = "`pay_…`")),
    responses((status = 200, description = "The payment with all captures, refunds and purchase data.", body = PaymentView))
)]
async fn read_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(payment_id): Path<String>,
) -> Result<Json<PaymentView>, ApiError> {
    let found = begin::read(&ctx, &caller.partner_id, &payment_id).await?;
    let (payment, operations) = found.ok_or_else(begin::no_such_payment)?;
    let purchase = ctx
        .db
        .read(move |tx| Box::pin(async move { store::purchase(tx, &caller.partner_id, &payment_id).await }))
        .await?;
    let mut view = payment.view(&operations);
    view.supplementary_purchase_data = purchase.and_then(|text| serde_json::from_str(&text).ok());
    Ok(Json(view))
}

/// Change a payment
///
/// While the customer is away the Payment Request changes, after the authorization the transaction. Metadata can be changed always.
#[utoipa::path(
    patch, path = "/v1/payments/{payment_id}", operation_id = "update_payment", tag = "Payments",
    params(("payment_id" = String, Path, description = "`pay_…`")),
    request_body = UpdatePaymentBody,
    responses(
        (status = 200, description = "The payment as changed.", body = PaymentView),
        (status = 202, description = "The payment; Klarna's answer is outstanding.", body = PaymentView),
        (status = 403, description = "The payment's state or balance forbids it."),
    )
)]
async fn update_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(payment_id): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let operation = format!("PATCH /v1/payments/{payment_id}");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body.value));
    let (once, asked) = Once::with(once, UpdatePayment::check(body.value))?;
    begin::update(&ctx, caller, once, payment_id, asked).await
}

/// Capture a payment
///
/// In full or in part, as often as something is left.
#[utoipa::path(
    post, path = "/v1/payments/{payment_id}/captures", operation_id = "capture_payment", tag = "Payments",
    params(("payment_id" = String, Path, description = "`pay_…`")),
    request_body = CreateCaptureBody,
    responses(
        (status = 201, description = "The capture.", body = OperationView),
        (status = 202, description = "The capture; Klarna's answer is outstanding.", body = OperationView),
        (status = 403, description = "The payment's state or balance forbids it."),
    )
)]
async fn capture_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(payment_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = value_of(body);
    let operation = format!("POST /v1/payments/{payment_id}/captures");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body));
    let (once, asked) = Once::with(once, MoveMoney::check_capture(body))?;
    begin::capture(&ctx, caller, once, payment_id, asked).await
}

/// Refund a payment
///
/// In full or in part, up to what was captured.
#[utoipa::path(
    post, path = "/v1/payments/{payment_id}/refunds", operation_id = "refund_payment", tag = "Payments",
    params(("payment_id" = String, Path, description = "`pay_…`")),
    request_body = CreateRefundBody,
    responses(
        (status = 201, description = "The refund.", body = OperationView),
        (status = 202, description = "The refund; Klarna's answer is outstanding.", body = OperationView),
        (status = 403, description = "The payment's state or balance forbids it."),
    )
)]
async fn refund_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(payment_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = value_of(body);
    let operation = format!("POST /v1/payments/{payment_id}/refunds");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body));
    let (once, asked) = Once::with(once, MoveMoney::check_refund(body))?;
    begin::refund(&ctx, caller, once, payment_id, asked).await
}

/// Void a payment
///
/// Gives up everything that is not captured. The body is empty or `{}`: what stays authorized cannot be chosen here, lower the amount
/// instead.
#[utoipa::path(
    post, path = "/v1/payments/{payment_id}/void", operation_id = "void_payment", tag = "Payments",
    params(("payment_id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 200, description = "The payment: `VOIDED`, or `CAPTURED` if something was.", body = PaymentView),
        (status = 202, description = "The payment; Klarna's answer is outstanding.", body = PaymentView),
        (status = 403, description = "The payment's state or balance forbids it."),
    )
)]
async fn void_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(payment_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = value_of(body);
    let operation = format!("POST /v1/payments/{payment_id}/void");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body));
    let (once, ()) = Once::with(once, check_empty(&body))?;
    begin::void(&ctx, caller, once, payment_id).await
}

/// Cancel a payment
///
/// Before it is authorized, while the customer is away.
#[utoipa::path(
    post, path = "/v1/payments/{payment_id}/cancel", operation_id = "cancel_payment", tag = "Payments",
    params(("payment_id" = String, Path, description = "`pay_…`")),
    responses(
        (status = 200, description = "The payment, `CANCELED`.", body = PaymentView),
        (status = 202, description = "The payment; Klarna's answer is outstanding.", body = PaymentView),
        (status = 403, description = "The payment's state forbids it: void an authorized one."),
    )
)]
async fn cancel_payment(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(payment_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = value_of(body);
    let operation = format!("POST /v1/payments/{payment_id}/cancel");
    let once = Once::new(&caller.partner_id, &operation, &headers, Some(&body));
    let (once, ()) = Once::with(once, check_empty(&body))?;
    begin::cancel(&ctx, caller, once, payment_id).await
}

/// Bring a customer back
///
/// Klarna's purchase flow ends here. The payment is finished if the customer approved, then the customer is sent to the Partner's
/// return url with `payment_id` and `state`.
#[utoipa::path(
    get, path = "/return/{payment_id}", operation_id = "customer_returns", tag = "Klarna",
    params(
        ("payment_id" = String, Path, description = "`pay_…`"),
        ("token" = String, Query, description = "From the address that Klarna was given."),
    ),
    responses((status = 303, description = "To the Partner's page."), (status = 404, description = "A page saying so."))
)]
async fn customer_returns(state: State<Ctx>, path: Path<String>, uri: http::Uri) -> Result<Response, ApiError> {
    returning::come_back(state, path, uri).await
}

fn value_of(body: OptionalJsonBody) -> Value {
    body.0.map_or_else(|| json!({}), |body| body.value)
}
