//! What Klarna found about a Partner, for operators and for the Partner itself.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use kit::http::ApiError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::store;
use crate::Ctx;
use crate::access::{OperatorCaller, PartnerCaller};
use crate::events::page::{Pagination, Query};
use crate::partners::api::require_partner;

/// The routes, with their descriptions.
pub(in crate::partners) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list_partner_decisions)).routes(routes!(list_own_decisions))
}

/// Something that Klarna found about a Partner.
#[derive(ToSchema)]
pub struct DecisionView {
    /// `dec_…`.
    pub id: String,
    /// `SCREENING` (at onboarding) or `COMPLIANCE` (later).
    pub kind: String,
    /// `APPROVED` or `REJECTED` of a screening; of a decision Klarna's word, `FRAUDULENT_BEHAVIOUR`, `NON_COMPLIANT`,
    /// `PROHIBITED_OR_RESTRICTED_SEGMENT`, `OTHER_RISK` or one that is new.
    pub outcome: String,
    /// What that means; of a rejection Klarna's own words.
    pub reason: String,
    /// Klarna's id of the decision; quote it when you ask Klarna.
    pub klarna_decision_id: Option<String>,
    /// The payment product that was disabled with it.
    pub klarna_product_id: Option<String>,
    /// When Klarna decided.
    pub decided_at: String,
    /// When we heard of it.
    pub heard_at: String,
}

/// A page of what Klarna found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DecisionList {
    /// Newest first.
    #[schema(value_type = Vec<DecisionView>)]
    pub decisions: Vec<Value>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// List what Klarna found about a Partner
///
/// The outcome of its screening and every compliance decision, with reasons, newest first; heard of within seconds. A decision also
/// comes as the event `partner.compliance_decision`, and what follows from it as `partner.suspended` or `partner.terminated`.
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/compliance-decisions", operation_id = "list_partner_decisions", tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("size" = Option<i64>, Query, description = "Decisions on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
    ),
    responses((status = 200, description = "A page of findings.", body = DecisionList))
)]
async fn list_partner_decisions(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<DecisionList>, ApiError> {
    require_partner(&ctx, &partner_id).await?;
    let path = format!("/v1/partners/{partner_id}/compliance-decisions");
    listed(&ctx, &partner_id, &path, query.as_deref()).await
}

/// List what Klarna found about you
///
/// The outcome of your screening and every compliance decision about your account, with reasons, newest first.
#[utoipa::path(
    get, path = "/v1/compliance-decisions", operation_id = "list_own_decisions", tag = "Account",
    params(
        ("size" = Option<i64>, Query, description = "Decisions on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
    ),
    responses((status = 200, description = "A page of findings.", body = DecisionList))
)]
async fn list_own_decisions(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<DecisionList>, ApiError> {
    listed(&ctx, &caller.partner_id, "/v1/compliance-decisions", query.as_deref()).await
}

async fn listed(ctx: &Ctx, partner_id: &str, path: &str, query: Option<&str>) -> Result<Json<DecisionList>, ApiError> {
    let mut query = Query::parse(query);
    let page = query.page("dec_", "a decision");
    query.finish()?;
    let (id, asked) = (partner_id.to_owned(), page.clone());
    let rows = ctx.db.read(move |tx| {
        Box::pin(async move {
            let (after, newer) = asked.begins();
            store::page(tx, &id, after, newer, asked.limit()).await
        })
    });
    let (rows, pagination) = page.cut(ctx, &query, path, rows.await?, |row| row.decision_id.as_str());
    Ok(Json(DecisionList { decisions: rows.iter().map(super::view).collect(), pagination }))
}
