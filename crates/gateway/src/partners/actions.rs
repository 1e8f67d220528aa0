//! What is done to a Partner beside describing it: submitted, suspended, resumed, offboarded, given a key, compared.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use kit::http::{ApiError, FieldFault};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::api::{PartnerView, conflict, load};
use super::command::{Command, nothing};
use super::jobs::{self, Wanted};
use super::standing::{DISABLE_REASONS, State as PartnerState};
use super::{alignment, store, sync};
use crate::Ctx;
use crate::access::{self, AccessError, OperatorCaller};
use crate::events::once::Reply;
use crate::events::wire_time;

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(submit_partner))
        .routes(routes!(suspend_partner))
        .routes(routes!(resume_partner))
        .routes(routes!(offboard_partner))
        .routes(routes!(create_partner_key))
        .routes(routes!(read_alignment, check_alignment))
}

/// Why a Partner is suspended.
#[derive(ToSchema)]
#[schema(example = json!({"reason": "SUSPICIOUS_ACTIVITY", "details": "Many refunds to one card."}))]
pub struct SuspendBody {
    /// `VOLUNTARY` (default) or `SUSPICIOUS_ACTIVITY`.
    pub reason: Option<String>,
    /// In your words, up to 1,000 characters; Klarna reads them.
    pub details: Option<String>,
}

/// What a key is for.
#[derive(ToSchema)]
#[schema(example = json!({"description": "shop"}))]
pub struct CreateKeyBody {
    /// What the key is for.
    pub description: Option<String>,
}

/// A Partner's new API key. It is shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct PartnerKey {
    /// Names the key.
    pub key_id: String,
    /// The key.
    pub api_key: String,
}

/// What the last comparison with Klarna found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AlignmentView {
    /// When the two sides were compared last.
    pub checked_at: Option<String>,
    /// Differences, newest first, at most 100.
    pub drifts: Vec<DriftView>,
}

/// A difference between the two sides.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DriftView {
    /// Where; never what.
    pub field: String,
    /// `REPAIRED` (yours is sent again), `ADOPTED` (Klarna's was taken over) or `RAISED` (somebody has to look).
    pub action: String,
    /// When it was found.
    pub found_at: String,
}

/// Submit a Partner
///
/// Sends everything that is held to Klarna. Repeat it as often as you like: a Partner is onboarded once, and whatever Klarna does not know
/// yet is added. The answer shows how things stand: 202 while Klarna has not answered.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/submit", operation_id = "submit_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses(
        (status = 200, description = "Klarna took it.", body = PartnerView),
        (status = 202, description = "Klarna's answer is outstanding; it is asked until it gives one.", body = PartnerView),
        (status = 403, description = "Klarna rejected the Partner."),
    )
)]
async fn submit_partner(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    let partner_id = command.partner_id.clone();
    command
        .run(&ctx, nothing, |tx, ctx, record, ()| {
            Box::pin(async move {
                let now = ctx.clock.now();
                jobs::hand_in(tx, ctx, record).await?;
                sync::enqueue(tx, &record.partner_id, now + ctx.config.recovery_delay_us, now).await?;
                Ok(Reply { status: StatusCode::ACCEPTED, body: Value::Null })
            })
        })
        .await?;
    answer(&ctx, &partner_id, true).await
}

/// Suspend a Partner
///
/// New payments are refused at once, here; Klarna is told, and asked until it confirms. Captures, refunds and disputes go on.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/suspend", operation_id = "suspend_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    request_body = Option<SuspendBody>,
    responses((status = 200, description = "The Partner as it stands.", body = PartnerView))
)]
async fn suspend_partner(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    act(&ctx, command, suspension).await
}

/// Resume a Partner
///
/// Takes your own suspension back; payments are taken again once Klarna has confirmed. What Klarna suspended, only Klarna resumes.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/resume", operation_id = "resume_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "The Partner as it stands.", body = PartnerView))
)]
async fn resume_partner(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    act(&ctx, command, |_| Ok(Wanted::Resume)).await
}

/// Offboard a Partner
///
/// For good: no new payments, here and at Klarna. What was paid can be captured, refunded and disputed.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/offboard", operation_id = "offboard_partner", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "The Partner as it stands.", body = PartnerView))
)]
async fn offboard_partner(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    act(&ctx, command, |_| Ok(Wanted::Offboard)).await
}

/// Create an API key of a Partner
///
/// Once Klarna knows the Partner. The key is shown this once.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/api-keys", operation_id = "create_partner_key", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    request_body = Option<CreateKeyBody>,
    responses((status = 201, description = "The key.", body = PartnerKey))
)]
async fn create_partner_key(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    let read = |body: &Value| text_of(body, "description", 255);
    command
        .run(&ctx, read, |tx, ctx, record, description| {
            Box::pin(async move {
                if !jobs::can_have_keys(record.standing.state()) {
                    return Err(conflict("Klarna does not know this Partner yet, or no more: submit it first."));
                }
                let (id, now) = (&record.partner_id, ctx.clock.now());
                let description = description.as_deref().unwrap_or_default();
                let made = access::create_key_in(tx, &ctx.random, now, id, description).await;
                let made = made.map_err(|error| match error {
                    AccessError::Store(error) => ApiError::from(error),
                    other => ApiError::internal(other),
                })?;
                let key = PartnerKey { key_id: made.key_id, api_key: made.api_key.expose_secret().to_owned() };
                Ok(Reply { status: StatusCode::CREATED, body: json!(key) })
            })
        })
        .await
}

/// Read what differed between the two sides
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/alignment", operation_id = "read_partner_alignment", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "What comparisons found.", body = AlignmentView))
)]
async fn read_alignment(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
) -> Result<Json<AlignmentView>, ApiError> {
    alignment_view(&ctx, &partner_id).await.map(Json)
}

/// Compare the two sides
///
/// Reads the account back from Klarna now, sends again what is yours, and takes over what is Klarna's.
#[utoipa::path(
    post, path = "/v1/partners/{partner_id}/alignment", operation_id = "check_partner_alignment", tag = "Partners",
    params(("partner_id" = String, Path, description = "`par_…`")),
    responses((status = 200, description = "What comparisons found.", body = AlignmentView))
)]
async fn check_alignment(State(ctx): State<Ctx>, command: Command) -> Result<Response, ApiError> {
    // Looking twice does no harm.
    let (partner_id, ()) = command.freely(nothing)?;
    load(&ctx, &partner_id).await?;
    if alignment::check(&ctx, &partner_id).await?.is_none() {
        return Err(conflict("Klarna does not know this Partner yet: submit it first."));
    }
    sync::run(&ctx, &partner_id).await?;
    Ok(Json(alignment_view(&ctx, &partner_id).await?).into_response())
}

async fn alignment_view(ctx: &Ctx, partner_id: &str) -> Result<AlignmentView, ApiError> {
    let record = load(ctx, partner_id).await?;
    let id = partner_id.to_owned();
    let drifts = ctx.db.read(move |tx| Box::pin(async move { store::drifts(tx, &id, 100).await })).await?;
    let drifts = drifts.into_iter().map(|row| DriftView {
        field: row.field,
        action: row.action,
        found_at: wire_time(row.found_at),
    });
    Ok(AlignmentView { checked_at: record.standing.aligned_at.map(wire_time), drifts: drifts.collect() })
}

fn suspension(body: &Value) -> Result<Wanted, ApiError> {
    let reason = match body.get("reason") {
        None | Some(Value::Null) => Ok("VOLUNTARY".to_owned()),
        Some(Value::String(reason)) if DISABLE_REASONS.contains(&reason.as_str()) => Ok(reason.clone()),
        Some(_) => Err(FieldFault::new("reason", format!("must be one of {}", DISABLE_REASONS.join(", ")))),
    };
    match (reason, text_of(body, "details", 1_000)) {
        (Ok(reason), Ok(details)) => Ok(Wanted::Suspend { reason, details }),
        (Err(fault), Ok(_)) => Err(ApiError::validation(vec![fault])),
        (Err(fault), Err(error)) => Err(error.field(fault.parameter, fault.reason)),
        (Ok(_), Err(error)) => Err(error),
    }
}

pub(super) fn text_of(body: &Value, name: &str, max: usize) -> Result<Option<String>, ApiError> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= max && !text.chars().any(char::is_control) => {
            Ok(Some(text.clone()))
        }
        Some(_) => {
            Err(ApiError::validation(vec![FieldFault::new(name, format!("must be a text of up to {max} characters"))]))
        }
    }
}

/// Applies a wish under the caller's key, brings it to Klarna at once if that can be, and shows how things stand.
async fn act(
    ctx: &Ctx,
    command: Command,
    read: impl FnOnce(&Value) -> Result<Wanted, ApiError>,
) -> Result<Response, ApiError> {
    let partner_id = command.partner_id.clone();
    command
        .run(ctx, read, |tx, ctx, record, wanted| {
            Box::pin(async move {
                if let Err(not_now) = jobs::apply(tx, ctx, record, wanted).await? {
                    return Err(ApiError::new(StatusCode::CONFLICT, "RESOURCE_CONFLICT", not_now.to_string()));
                }
                Ok(Reply { status: StatusCode::OK, body: Value::Null })
            })
        })
        .await?;
    answer(ctx, &partner_id, false).await
}

/// How things stand after trying to make both sides equal; a submission hears of a refusal.
async fn answer(ctx: &Ctx, partner_id: &str, is_submission: bool) -> Result<Response, ApiError> {
    sync::run(ctx, partner_id).await?;
    ctx.poke.poke();
    let record = load(ctx, partner_id).await?;
    if is_submission && let Some(refusal) = &record.standing.refusal {
        let status = StatusCode::from_u16(refusal.status).map_err(ApiError::internal)?;
        let mut error = ApiError::new(status, refusal.code.clone(), refusal.message.clone());
        error.validation_errors =
            refusal.faults.iter().map(|(parameter, reason)| FieldFault::new(parameter, reason)).collect();
        return Err(error);
    }
    let status = if record.standing.state() == PartnerState::Submitted { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(record.view())).into_response())
}
