//! `/v1/customer-tokens`.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use http::StatusCode;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{CustomerToken, CustomerTokenView, TokenState, jobs, store};
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::events::page::{Pagination, Query};

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list_customer_tokens))
        .routes(routes!(read_customer_token, revoke_customer_token))
}

/// A page of customer tokens, newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CustomerTokenList {
    pub customer_tokens: Vec<CustomerTokenView>,
    /// Where this page stands.
    pub pagination: Pagination,
}

/// List customer tokens
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/customer-tokens", operation_id = "list_customer_tokens", tag = "Customer tokens",
    params(
        ("size" = Option<i64>, Query, description = "Tokens on a page, 1 to 100; 20 if absent."),
        ("starting_after" = Option<String>, Query, description = "The id after which the page begins."),
        ("ending_before" = Option<String>, Query, description = "The id before which the page ends."),
        ("customer_token_reference" = Option<String>, Query, description = "Only tokens with this reference."),
    ),
    responses((status = 200, description = "A page of customer tokens.", body = CustomerTokenList))
)]
async fn list_customer_tokens(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<CustomerTokenList>, ApiError> {
    let mut query = Query::parse(query.as_deref());
    let page = query.page("ctk_", "a customer token");
    let reference = query.get("customer_token_reference").map(str::to_owned);
    query.finish()?;
    let asked = page.clone();
    let read = ctx.db.read(move |tx| {
        Box::pin(async move {
            let (after, newer) = asked.begins();
            store::page(tx, &caller.partner_id, reference.as_deref(), after, newer, asked.limit()).await
        })
    });
    let tokens: Vec<CustomerToken> = read.await?;
    let (tokens, pagination) = page.cut(&ctx, &query, "/v1/customer-tokens", tokens, |token| token.token_id.as_str());
    Ok(Json(CustomerTokenList { customer_tokens: tokens.iter().map(CustomerToken::view).collect(), pagination }))
}

/// Read a customer token
#[utoipa::path(
    get, path = "/v1/customer-tokens/{customer_token_id}", operation_id = "read_customer_token", tag = "Customer tokens",
    params(("customer_token_id" = String, Path, description = "`ctk_…`")),
    responses((status = 200, description = "The customer token.", body = CustomerTokenView))
)]
async fn read_customer_token(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(token_id): Path<String>,
) -> Result<Json<CustomerTokenView>, ApiError> {
    let read = ctx.db.read(move |tx| Box::pin(async move { store::find(tx, &caller.partner_id, &token_id).await }));
    let token: Option<CustomerToken> = read.await?;
    Ok(Json(token.ok_or_else(absent)?.view()))
}

/// Revoke a customer token
///
/// From now on it cannot be charged; Klarna and the customer's app follow. Repeating it changes nothing.
#[utoipa::path(
    delete, path = "/v1/customer-tokens/{customer_token_id}", operation_id = "revoke_customer_token", tag = "Customer tokens",
    params(("customer_token_id" = String, Path, description = "`ctk_…`")),
    responses((status = 200, description = "The customer token, revoked.", body = CustomerTokenView))
)]
async fn revoke_customer_token(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    Path(token_id): Path<String>,
) -> Result<Json<CustomerTokenView>, ApiError> {
    let shared = std::sync::Arc::new((caller, token_id));
    let revoked = ctx
        .db
        .write_repeating(|| {
            let (ctx, shared) = (ctx.clone(), std::sync::Arc::clone(&shared));
            move |tx: &mut Tx| -> UnitFuture<'_, Result<CustomerToken, ApiError>> {
                Box::pin(async move {
                    let (caller, token_id) = &*shared;
                    let now = ctx.clock.now();
                    let token = store::lock(tx, &caller.partner_id, token_id).await?.ok_or_else(absent)?;
                    if token.state == TokenState::Revoked {
                        return Ok(token);
                    }
                    jobs::enqueue(tx, &caller.partner_id, &caller.klarna_account_id, token_id, now).await?;
                    super::revoke(tx, &ctx, &caller.partner_id, token, now).await
                })
            }
        })
        .await?;
    ctx.poke.poke();
    Ok(Json(revoked.view()))
}

/// 404, the same for absent and foreign.
fn absent() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "There is no such customer token.")
}
