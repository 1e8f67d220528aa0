//! `/v1/tills`.

use std::sync::LazyLock;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault, JsonBody, OptionalJsonBody};
use protocol::shape::{Http, Kind, Row, Shape};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::record::{ACTIVE, DISABLED, NewTill, Till, TillDetail, TillView};
use super::store;
use crate::Ctx;
use crate::access::{PartnerCaller, field_faults};
use crate::checkout::body::branding_rows;
use crate::checkout::branding::Branding;
use crate::events::once::{Once, Reply};
use crate::events::page::{Pagination, Query};
use crate::payments::body::check_empty;

/// Members of a body.
const MEMBERS: [&str; 6] = ["name", "currency", "refunds", "locale", "country", "branding"];
/// Ours.
const TILLS_MAX: i64 = 500;

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_tills, create_till))
        .routes(routes!(read_till))
        .routes(routes!(disable_till))
}

/// A till to be opened.
#[derive(ToSchema)]
#[schema(example = json!({"name": "Harbour shop, till 3", "currency": "EUR", "refunds": true, "locale": "en-DE"}))]
pub struct CreateTillBody {
    /// What the shop calls it; payments carry it in their metadata.
    pub name: String,
    /// ISO 4217: what is sold in.
    pub currency: String,
    /// Whether refunds can be made at it; `false` if absent.
    pub refunds: Option<bool>,
    /// Of its customers' pages.
    pub locale: Option<String>,
    /// ISO 3166-1 alpha-2: where it stands.
    pub country: Option<String>,
    /// Of its customers' pages, as for a checkout session.
    #[schema(value_type = Option<Object>)]
    pub branding: Option<Value>,
}

/// A page of tills, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TillList {
    /// Without their addresses: read a till for that.
    pub tills: Vec<TillView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

fn shape(http: Http) -> Shape {
    let mut rows = vec![
        Row::new("name", Kind::Text { min: 1, max: 80 }).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("refunds", Kind::Bool),
        Row::new("locale", Kind::Locale),
        Row::new("country", Kind::Country),
    ];
    rows.extend(branding_rows(http));
    Shape::new(rows, &[])
}

static SHAPE: LazyLock<Shape> = LazyLock::new(|| shape(Http::Never));
static SHAPE_LOCAL: LazyLock<Shape> = LazyLock::new(|| shape(Http::Loopback));

fn check(body: &Value, local: bool) -> Result<NewTill, ApiError> {
    if !body.is_object() {
        return Err(ApiError::validation(vec![FieldFault::new("body", "must be a JSON object")]));
    }
    let mut faults = field_faults(if local { &SHAPE_LOCAL } else { &SHAPE }.check(body));
    let members = body.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, _) in members.filter(|(name, _)| !MEMBERS.contains(&name.as_str())) {
        faults.push(FieldFault::new(name.chars().take(100).collect::<String>(), "is not known here"));
    }
    let branding: Branding = serde_json::from_value(body["branding"].clone()).unwrap_or_default();
    let unreadable = branding.faults().into_iter();
    faults.extend(unreadable.map(|(name, reason)| FieldFault::new(format!("branding.{name}"), reason)));
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(NewTill {
        name: text("name").unwrap_or_default(),
        currency: text("currency").unwrap_or_default().to_ascii_uppercase(),
        may_refund: body["refunds"].as_bool().unwrap_or(false),
        detail: TillDetail { locale: text("locale"), country: text("country"), branding },
    })
}

/// Create a till
///
/// Open `url` on the device at the counter: it sells by showing a code, follows the payment, and, if `refunds` is true, refunds by
/// reference. Whoever has the address can do that; disable the till to close it.
#[utoipa::path(
    post, path = "/v1/tills", operation_id = "create_till", tag = "Payment links and tills",
    request_body = CreateTillBody,
    responses((status = 201, description = "The till.", body = TillView))
)]
async fn create_till(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&caller.partner_id, "POST /v1/tills", &headers, Some(&body.value));
    let (once, new) = Once::with(once, check(&body.value, ctx.config.local_targets))?;
    let of_unit = ctx.clone();
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            if store::till_count(tx, &caller.partner_id).await? >= TILLS_MAX {
                let message = format!("You have {TILLS_MAX} tills already.");
                return Err(ApiError::new(StatusCode::CONFLICT, "RESOURCE_CONFLICT", message));
            }
            let till = Till::new(&of_unit, &caller.partner_id, new);
            store::insert_till(tx, &till).await?;
            Ok(Reply { status: StatusCode::CREATED, body: json!(till.view(&of_unit)?) })
        })
    })
    .await
}

/// List tills
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/tills", operation_id = "list_tills", tag = "Payment links and tills",
    params(
        ("size" = Option<i64>, Query, description = "Tills on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
        ("state" = Option<String>, Query, description = "Only tills that are `ACTIVE`, or `DISABLED`."),
    ),
    responses((status = 200, description = "A page of tills.", body = TillList))
)]
async fn list_tills(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<TillList>, ApiError> {
    let mut query = Query::parse(query.as_deref());
    let page = query.page("till_", "a till");
    let disabled = query.one_of("state", &[ACTIVE, DISABLED]).map(|state| state == DISABLED);
    query.finish()?;
    let asked = page.clone();
    let read = ctx.db.read(move |tx| {
        Box::pin(async move { store::tills(tx, &caller.partner_id, disabled, asked.begins(), asked.limit()).await })
    });
    let tills: Vec<Till> = read.await?;
    let (tills, pagination) = page.cut(&ctx, &query, "/v1/tills", tills, |till| &till.till_id);
    Ok(Json(TillList { tills: tills.iter().map(Till::listed).collect(), pagination }))
}

/// Read a till
#[utoipa::path(
    get, path = "/v1/tills/{till_id}", operation_id = "read_till", tag = "Payment links and tills",
    params(("till_id" = String, Path, description = "`till_…`")),
    responses((status = 200, description = "The till with its address.", body = TillView))
)]
async fn read_till(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(till_id): Path<String>,
) -> Result<Json<TillView>, ApiError> {
    let read = ctx.db.read(move |tx| Box::pin(async move { store::till(tx, &caller.partner_id, &till_id).await }));
    read.await?.ok_or_else(absent)?.view(&ctx).map(Json)
}

/// Disable a till
///
/// Its page closes for good; what was sold at it stays. Disabling again changes nothing.
#[utoipa::path(
    post, path = "/v1/tills/{till_id}/disable", operation_id = "disable_till", tag = "Payment links and tills",
    params(("till_id" = String, Path, description = "`till_…`")),
    responses((status = 200, description = "The till, `DISABLED`.", body = TillView))
)]
async fn disable_till(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(till_id): Path<String>,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = body.0.map_or_else(|| json!({}), |body| body.value);
    let once = Once::new(&caller.partner_id, &format!("POST /v1/tills/{till_id}/disable"), &headers, Some(&body));
    let (once, ()) = Once::with(once, check_empty(&body))?;
    let now = ctx.clock.now();
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            store::disable_till(tx, &caller.partner_id, &till_id, now).await?;
            let till = store::till(tx, &caller.partner_id, &till_id).await?.ok_or_else(absent)?;
            Ok(Reply { status: StatusCode::OK, body: json!(till.listed()) })
        })
    })
    .await
}

fn absent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no such till.")
}
