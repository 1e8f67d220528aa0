//! `/v1/partners`: for operators.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault, JsonBody};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::part::Kind;
use super::profile::{self, Profile, Readiness, Wanted, part_view};
use super::record::Record;
use super::standing::{Standing, State as PartnerState};
use super::{store, sync};
use crate::Ctx;
use crate::access::OperatorCaller;
use crate::events::once::{Once, Reply};
use crate::events::page::{Pagination, Query};

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_partners, create_partner))
        .routes(routes!(read_partner, update_partner))
        .routes(routes!(read_readiness))
        .routes(routes!(add_part))
        .routes(routes!(read_part, update_part, delete_part))
        .merge(super::actions::routes())
        .merge(super::compliance::routes())
        .merge(super::portal::routes())
        .merge(super::pricing::routes())
        .merge(super::adopt::routes())
        .merge(super::bulk::routes())
}

/// A Partner, as far as it is known: a draft may have gaps. Every entry of a list has a `reference`, your own name for it.
#[derive(ToSchema)]
#[schema(example = json!({
    "reference": "m-70031", "name": "Nordlicht Outdoor",
    "contact": {"given_name": "Ada", "family_name": "Vester", "email": "ada@nordlicht.example"},
    "business_entities": [{"reference": "le-se", "legal_name": "Nordlicht Outdoor AB", "country": "SE",
        "registration": {"number": "556000-0001"}}],
    "brands": [{"reference": "b-main", "display_name": "Nordlicht"}],
    "store_groups": [{"reference": "sg-main", "brand": "b-main"}],
    "stores": [{"reference": "web", "store_group": "sg-main", "type": "WEBSITE", "url": "https://nordlicht.example"}],
}))]
pub struct PartnerBody {
    /// Your own name for the Partner, unique among yours.
    pub reference: String,
    /// Trade name; customers do not see it.
    pub name: Option<String>,
    /// `given_name`, `family_name`, `email`, `phone`.
    #[schema(value_type = Option<Object>)]
    pub contact: Option<Value>,
    /// `ip_address`, `signed_up_at`: how the Partner signed up with you.
    #[schema(value_type = Option<Object>)]
    pub sign_up: Option<Value>,
    /// Klarna's id of the pair of price plan and program plan.
    pub payment_profile_id: Option<String>,
    /// `legal_name`, `country`, `merchant_category_codes`, `registration`, `operating_addresses`, `stakeholders`, `payouts`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub business_entities: Option<Vec<Value>>,
    /// `display_name`, `logo_url`, `icon_url`, `feature_image_url`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub brands: Option<Vec<Value>>,
    /// `brand`, `support_contact`, `social_media_links`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub store_groups: Option<Vec<Value>>,
    /// `store_group`, `type`, and `url`, `address`, or `platform` and `bundle_names`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub stores: Option<Vec<Value>>,
    /// `acquiring_account_id`, `business_entity`, `store_group`, `merchant_category_code`.
    #[schema(value_type = Option<Vec<Object>>)]
    pub payment_accounts: Option<Vec<Value>>,
}

/// A Partner: what was given, beside where it stands.
#[derive(ToSchema)]
pub struct PartnerView {
    /// `par_…`.
    pub id: String,
    /// `DRAFT`, `SUBMITTED`, `PARTIALLY_OPERATIONAL`, `OPERATIONAL`, `SUSPENDED`, `TERMINATED` or `OFFBOARDED`.
    pub state: String,
    /// `by` (`ACQUIRING_PARTNER` or `KLARNA`) and `reason`, while no new payments can be made.
    #[schema(value_type = Option<Object>)]
    pub suspension: Option<Value>,
    /// What can be done now.
    pub next_step: String,
    /// Why Klarna did not take what it was sent, in the names of this API.
    #[schema(value_type = Option<Object>)]
    pub refusal: Option<Value>,
    /// Its account at Klarna.
    pub klarna_account_id: Option<String>,
    /// The account's state there.
    pub klarna_account_state: Option<String>,
    /// The payment product's state there.
    pub klarna_product_state: Option<String>,
    /// Changes that Klarna has not confirmed yet.
    pub unconfirmed_changes: usize,
    /// When it was submitted.
    pub submitted_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it changed.
    pub updated_at: String,
    /// Everything that was given, see there; each entry of a list shows its `klarna_id`.
    #[serde(flatten)]
    pub given: PartnerBody,
}

/// A page of Partners.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PartnerList {
    /// Newest first, without their parts.
    #[schema(value_type = Vec<Object>)]
    pub partners: Vec<Value>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// Create a Partner
///
/// Takes the whole or a beginning. Nothing reaches Klarna before it is submitted; `readiness` tells what is missing until then.
#[utoipa::path(
    post, path = "/v1/partners", operation_id = "create_partner", tag = "Partners", request_body = PartnerBody,
    responses((status = 201, description = "The draft.", body = PartnerView))
)]
async fn create_partner(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let once = Once::new(&operator.operator_id, "POST /v1/partners", &headers, Some(&body.value));
    let drafted = read_whole(&body.value, true).and_then(|wanted| draft(&ctx, &wanted));
    let (once, record) = Once::with(once, drafted)?;
    let inner = ctx.clone();
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            if !insert(tx, &inner, &record).await? {
                return Err(reference_taken());
            }
            Ok(Reply { status: StatusCode::CREATED, body: record.view() })
        })
    })
    .await
}

/// List Partners
#[utoipa::path(
    get, path = "/v1/partners", operation_id = "list_partners", tag = "Partners",
    params(
        ("size" = Option<u32>, Query, description = "Items on a page, 1 to 100; default 20."),
        ("starting_after" = Option<String>, Query, description = "Id of a Partner: the page begins behind it."),
        ("ending_before" = Option<String>, Query, description = "Id of a Partner: the page ends before it."),
        ("state" = Option<String>, Query, description = "Only Partners in this state."),
        ("reference" = Option<String>, Query, description = "Only the Partner with this reference."),
    ),
    responses((status = 200, description = "A page of Partners.", body = PartnerList))
)]
async fn list_partners(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    RawQuery(raw): RawQuery,
) -> Result<Json<PartnerList>, ApiError> {
    let mut query = Query::parse(raw.as_deref());
    let page = query.page("par_", "a Partner");
    let state = query.one_of("state", &PartnerState::ALL.map(PartnerState::as_str));
    let reference = query.get("reference").map(str::to_owned);
    query.finish()?;
    let (inner, asked) = (ctx.clone(), page.clone());
    let records = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<Vec<Record>, ApiError>> {
            Box::pin(async move {
                let (after, newer) = asked.begins();
                let mut records = Vec::new();
                for row in store::page(tx, state.as_deref(), reference.as_deref(), after, newer, asked.limit()).await? {
                    records.push(Record::open(tx, &inner, row).await?);
                }
                Ok(records)
            })
        })
        .await?;
    let (records, pagination) = page.cut(&ctx, &query, "/v1/partners", records, |record| record.partner_id.as_str());
    Ok(Json(PartnerList { partners: records.iter().map(Record::listed).collect(), pagination }))
}

/// Read a Partner
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}", operation_id = "read_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "The Partner.", body = PartnerView))
)]
async fn read_partner(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(load(&ctx, &partner_id).await?.view()))
}

/// Update a Partner
///
/// Takes parts: members that are sent replace what is known, null removes, and entries of lists are found by their `reference`, added
/// where there is none, and left alone where they are not sent. Klarna hears of it by itself.
#[utoipa::path(
    patch, path = "/v1/partners/{partner_id}", operation_id = "update_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    request_body = PartnerBody,
    responses((status = 200, description = "The Partner as it is now.", body = PartnerView))
)]
async fn update_partner(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    Path(partner_id): Path<String>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let operation = format!("PATCH /v1/partners/{partner_id}");
    let once = Once::new(&operator.operator_id, &operation, &headers, Some(&body.value));
    let (once, wanted) = Once::with(once, read_whole(&body.value, false))?;
    let inner = ctx.clone();
    let changed = once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            let mut record = Record::lock(tx, &inner, &partner_id).await?.ok_or_else(absent)?;
            change(tx, &inner, &mut record, &wanted).await?;
            Ok(Reply { status: StatusCode::OK, body: record.view() })
        })
    });
    let changed = changed.await?;
    ctx.poke.poke();
    Ok(changed)
}

/// Read what a Partner lacks
///
/// Field by field and by country: what is missing for a submission, and what would make acceptance likelier.
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/readiness", operation_id = "read_partner_readiness", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "What is missing and what would help.", body = Readiness))
)]
async fn read_readiness(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
) -> Result<Json<Readiness>, ApiError> {
    Ok(Json(load(&ctx, &partner_id).await?.profile.readiness()))
}

/// Add a part to a Partner
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/{collection}", operation_id = "add_partner_part", tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("collection" = String, Path, description = "`business-entities`, `brands`, `store-groups`, `stores` or `payment-accounts`"),
    ),
    request_body = Object,
    responses((status = 201, description = "The part.", body = Object))
)]
async fn add_part(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    Path((partner_id, collection)): Path<(String, String)>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let operation = format!("POST /v1/partners/{partner_id}/{collection}");
    let once = Once::new(&operator.operator_id, &operation, &headers, Some(&body.value));
    let (once, wanted) = Once::with(once, read_one(&collection, &body.value))?;
    let (kind, reference, inner) = (wanted.kind, wanted.reference.clone(), ctx.clone());
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            let mut record = Record::lock(tx, &inner, &partner_id).await?.ok_or_else(absent)?;
            if record.profile.find(kind, &reference).is_some() {
                return Err(conflict("The Partner has a part of this reference.").field("reference", "is taken"));
            }
            change(tx, &inner, &mut record, &[wanted]).await?;
            let part = record.profile.find(kind, &reference).ok_or_else(absent)?;
            Ok(Reply { status: StatusCode::CREATED, body: part_view(part) })
        })
    })
    .await
}

/// Read a part of a Partner
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/{collection}/{reference}", operation_id = "read_partner_part", tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("collection" = String, Path, description = "As where parts are added."),
        ("reference" = String, Path, description = "Your own name for the part."),
    ),
    responses((status = 200, description = "The part.", body = Object))
)]
async fn read_part(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path((partner_id, collection, reference)): Path<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    let kind = Kind::by_segment(&collection).ok_or_else(absent)?;
    let record = load(&ctx, &partner_id).await?;
    record.profile.find(kind, &reference).map(|part| Json(part_view(part))).ok_or_else(absent)
}

/// Update a part of a Partner
///
/// Members that are sent replace what is known; null removes. A payment account that Klarna knows never changes: add another one.
#[utoipa::path(
    patch, path = "/v1/partners/{partner_id}/{collection}/{reference}", operation_id = "update_partner_part",
    tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("collection" = String, Path, description = "As where parts are added."),
        ("reference" = String, Path, description = "Your own name for the part."),
    ),
    request_body = Object,
    responses((status = 200, description = "The part as it is now.", body = Object))
)]
async fn update_part(
    State(ctx): State<Ctx>,
    operator: OperatorCaller,
    Path((partner_id, collection, reference)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let operation = format!("PATCH /v1/partners/{partner_id}/{collection}/{reference}");
    let once = Once::new(&operator.operator_id, &operation, &headers, Some(&body.value));
    let mut named = body.value;
    if let Some(members) = named.as_object_mut() {
        members.entry("reference").or_insert_with(|| json!(reference));
    }
    let (once, wanted) = Once::with(once, read_one(&collection, &named))?;
    // Ours: what is found by its reference keeps it.
    if wanted.reference != reference {
        return Err(ApiError::validation(vec![FieldFault::new("reference", "never changes")]));
    }
    let kind = wanted.kind;
    let inner = ctx.clone();
    once.run(&ctx, move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
        Box::pin(async move {
            let mut record = Record::lock(tx, &inner, &partner_id).await?.ok_or_else(absent)?;
            record.profile.find(kind, &reference).ok_or_else(absent)?;
            change(tx, &inner, &mut record, &[wanted]).await?;
            let part = record.profile.find(kind, &reference).ok_or_else(absent)?;
            Ok(Reply { status: StatusCode::OK, body: part_view(part) })
        })
    })
    .await
}

/// Delete a part of a Partner
///
/// Only what Klarna does not know yet: there, parts stay.
#[utoipa::path(
    delete, path = "/v1/partners/{partner_id}/{collection}/{reference}", operation_id = "delete_partner_part",
    tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("collection" = String, Path, description = "As where parts are added."),
        ("reference" = String, Path, description = "Your own name for the part."),
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "Klarna knows it."),
    )
)]
async fn delete_part(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path((partner_id, collection, reference)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let kind = Kind::by_segment(&collection).ok_or_else(absent)?;
    let inner = ctx.clone();
    ctx.db
        .write(move |tx| -> UnitFuture<'_, Result<StatusCode, ApiError>> {
            Box::pin(async move {
                let mut record = Record::lock(tx, &inner, &partner_id).await?.ok_or_else(absent)?;
                let part = record.profile.find(kind, &reference).ok_or_else(absent)?;
                if record.standing.submitted_at.is_some() {
                    return Err(conflict("The Partner was submitted; what Klarna may know stays."));
                }
                store::delete_part(tx, &partner_id, &part.part_id).await?;
                record.save(tx, inner.clock.now()).await?;
                Ok(StatusCode::NO_CONTENT)
            })
        })
        .await
}

pub(super) fn read_whole(body: &Value, creating: bool) -> Result<Vec<Wanted>, ApiError> {
    profile::read(body, creating).map_err(ApiError::validation)
}

fn read_one(collection: &str, body: &Value) -> Result<Wanted, ApiError> {
    let kind = Kind::by_segment(collection).ok_or_else(absent)?;
    let mut faults = Vec::new();
    let wanted = profile::read_part(kind, body, "", &mut faults);
    wanted.filter(|_| faults.is_empty()).ok_or_else(|| ApiError::validation(faults))
}

/// What a change came to, before anything of it is written.
pub(super) struct Judged {
    before: Profile,
    /// Indexes of the parts that changed.
    pub changed: Vec<usize>,
}

/// Applies what is wanted to a Partner in memory, and refuses nonsense.
pub(super) fn judge(ctx: &Ctx, record: &mut Record, wanted: &[Wanted]) -> Result<Judged, ApiError> {
    let now = ctx.clock.now();
    if record.standing.state() == PartnerState::Offboarded {
        return Err(conflict("This Partner is offboarded."));
    }
    let before = record.profile.clone();
    let changed = record.profile.apply(wanted, || format!("prt_{}", ctx.random.id(now).simple()));
    if changed.is_empty() {
        return Ok(Judged { before, changed });
    }
    refuse_immutable(&before, &record.profile)?;
    let wrong = record.profile.wrong();
    if !wrong.is_empty() {
        return Err(ApiError::validation(wrong));
    }
    // What was handed in stays complete.
    if record.standing.account_id.is_some() {
        let missing = record.profile.missing();
        if !missing.is_empty() {
            return Err(ApiError::validation(missing));
        }
    }
    Ok(Judged { before, changed })
}

/// A new Partner that nobody has written yet.
pub(super) fn draft(ctx: &Ctx, wanted: &[Wanted]) -> Result<Record, ApiError> {
    let now = ctx.clock.now();
    let mut record = Record {
        partner_id: format!("par_{}", ctx.random.id(now).simple()),
        profile: Profile::default(),
        standing: Standing::default(),
        created_at: now,
        updated_at: now,
    };
    judge(ctx, &mut record, wanted)?;
    Ok(record)
}

/// Writes a new Partner; false if another has its reference.
pub(super) async fn insert(tx: &mut Tx, ctx: &Ctx, record: &Record) -> Result<bool, ApiError> {
    if !store::insert(tx, &record.row()).await? {
        return Ok(false);
    }
    for index in 0..record.profile.parts.len() {
        record.put_part(tx, ctx, index).await?;
    }
    Ok(true)
}

/// Writes what changed, and sees to it that Klarna hears of it.
pub(super) async fn keep(tx: &mut Tx, ctx: &Ctx, record: &mut Record, judged: Judged) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    if judged.before.reference() != record.profile.reference()
        && store::reference_owner(tx, record.profile.reference()).await?.is_some()
    {
        return Err(reference_taken());
    }
    for index in &judged.changed {
        record.put_part(tx, ctx, *index).await?;
    }
    if !judged.changed.is_empty() {
        let was_refused = record.standing.refusal.take().is_some();
        if was_refused && record.standing.account_id.is_none() {
            record.standing.submitted_at = None;
        }
        record.save(tx, now).await?;
        if record.standing.account_id.is_some() {
            sync::enqueue(tx, &record.partner_id, now, now).await?;
        }
    }
    Ok(())
}

async fn change(tx: &mut Tx, ctx: &Ctx, record: &mut Record, wanted: &[Wanted]) -> Result<(), ApiError> {
    let judged = judge(ctx, record, wanted)?;
    keep(tx, ctx, record, judged).await
}

/// What never changes once Klarna knows it (fact sheet 02 §3.6 for payment accounts; the rest has no operation there).
fn refuse_immutable(before: &Profile, after: &Profile) -> Result<(), ApiError> {
    let mut faults = Vec::new();
    for (index, known) in before.of(Kind::PaymentAccount).filter(|(_, part)| part.klarna_id.is_some()) {
        if after.find(Kind::PaymentAccount, &known.reference).is_some_and(|now| now.body != known.body) {
            let reason = "never changes once Klarna knows it; add another payment account";
            faults.push(FieldFault::new(format!("payment_accounts[{index}]"), reason));
        }
    }
    if let (Some(known), Some(now)) = (before.account(), after.account()) {
        for name in ["payment_profile_id", "sign_up"] {
            if known.klarna_id.is_some() && known.body.get(name) != now.body.get(name) {
                faults.push(FieldFault::new(name, "never changes once Klarna knows it"));
            }
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let mut error = conflict("Some of this never changes once Klarna knows it.");
    error.validation_errors = faults;
    Err(error)
}

pub(super) async fn load(ctx: &Ctx, partner_id: &str) -> Result<Record, ApiError> {
    let (inner, id) = (ctx.clone(), partner_id.to_owned());
    let found = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Option<Record>, ApiError>> {
        Box::pin(async move { Record::read(tx, &inner, &id).await })
    });
    found.await?.ok_or_else(absent)
}

/// 404 unless there is such a Partner, onboarded here or made by command.
pub(super) async fn require_partner(ctx: &Ctx, partner_id: &str) -> Result<(), ApiError> {
    let id = partner_id.to_owned();
    let known = ctx.db.read(move |tx| {
        Box::pin(async move {
            let is_onboarded = store::read(tx, &id).await?.is_some();
            Ok::<_, kit::db::DbError>(is_onboarded || crate::access::partner(tx, &id).await?.is_some())
        })
    });
    if known.await? { Ok(()) } else { Err(absent()) }
}

fn reference_taken() -> ApiError {
    conflict("Another Partner has this reference.").field("reference", "is taken")
}

pub(super) fn conflict(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "RESOURCE_CONFLICT", message)
}

pub(super) fn absent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is nothing of this id.")
}
