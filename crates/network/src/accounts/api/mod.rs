//! Operations of this room: extract, check the shape, run the use case, answer.

mod products;
mod resources;
mod testing;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::http::{ApiError, FieldFault, JsonBody};
use protocol::shape::Kind;
use protocol::shapes::accounts as shapes;
use serde::Deserialize;
use serde_json::json;

use super::bank_accounts::check_hashes;
use super::managed::{self, Account, pass_time};
use super::onboarding;
use super::store;
use crate::ctx::Ctx;
use crate::operation::{Call, Category, Doc, OnBehalf, Reply, Route, Source, Who, check, not_found};
use crate::paging::many;

pub use testing::routes as testing_routes;

const MANAGEMENT: Category = Category::PartnerManagement;
const WHO: Who = Who::AcquiringPartner;

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    let account = ["/v2/accounts/{partner_account_id}", "/v1/accounts/{partner_account_id}"];
    let reference = || Kind::Text { min: 1, max: 255 };
    let mut routes = vec![
        Route::at(
            Method::POST,
            &["/v2/distribution/onboard", "/v1/distribution/onboard"],
            Category::AccountOnboarding,
            WHO,
            Doc::new("onboard", "Makes a Partner account with all below it, or adds to it", Source::Collection)
                .takes(shapes::onboard)
                .answers(201, shapes::onboarded)
                .answers(200, shapes::onboarded),
            onboard,
        ),
        Route::at(
            Method::GET,
            &account,
            MANAGEMENT,
            WHO,
            Doc::new("readAccount", "Reads a Partner account, expanded as asked", Source::Collection)
                .query_many("expand", Kind::Open)
                .answers(200, shapes::partner_account),
            read_account,
        ),
        Route::at(
            Method::PATCH,
            &account,
            MANAGEMENT,
            WHO,
            Doc::new("updateAccount", "Changes reference, name and contact of a Partner account", Source::Collection)
                .takes(shapes::partner_account_update)
                .answers(200, shapes::partner_account),
            update_account,
        ),
        Route::at(
            Method::GET,
            &["/v2/account/acquiring/accounts"],
            MANAGEMENT,
            WHO,
            Doc::new("getAcquiringAccounts", "Lists where settlements gather", Source::Documented)
                .answers(200, shapes::acquiring_accounts),
            acquiring_accounts,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/resolve/partner-account-id"],
            MANAGEMENT,
            WHO,
            Doc::new("resolvePartnerAccountId", "Finds a Partner account by its reference", Source::Inferred)
                .query_required("partner_account_reference", reference())
                .answers(200, shapes::resolved_partner_account),
            resolve_partner_account,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/resolve/payment-account-id"],
            MANAGEMENT,
            WHO,
            Doc::new("resolvePaymentAccountId", "Finds a payment account by its reference", Source::Inferred)
                .query_required("payment_acquiring_account_id", reference())
                .query_required("payment_account_reference", reference())
                .answers(200, shapes::resolved_payment_account),
            resolve_payment_account,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/resolve/access-policy-id"],
            MANAGEMENT,
            WHO,
            Doc::new("resolveAccessPolicyId", "Finds an access policy by its reference", Source::Inferred)
                .query_required("access_policy_reference", reference())
                .query("partner_account_id", reference())
                .query("partner_account_reference", reference())
                .answers(200, shapes::resolved_access_policy),
            resolve_access_policy,
        ),
    ];
    routes.extend(resources::routes());
    routes.extend(products::routes());
    routes
}

async fn onboard(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::onboard_more(), &body)?;
    let businesses = body.get("partner_business_entities").and_then(serde_json::Value::as_array);
    let businesses = businesses.into_iter().flatten().enumerate();
    check_hashes(businesses.map(|(index, entity)| (format!("partner_business_entities[{index}]"), entity))).await?;
    // Nothing of the answer is secret.
    call.once(&body, false, |tx, ctx, on, body| {
        Box::pin(async move { onboarding::onboard(tx, &ctx, &on, &body).await })
    })
    .await
}

async fn read_account(State(ctx): State<Ctx>, on: OnBehalf, RawQuery(query): RawQuery) -> Result<Reply, ApiError> {
    let expand = many(query.as_deref().unwrap_or_default(), "expand");
    pass_time(&ctx, &on.account).await?;
    let view = ctx.clone();
    let view = ctx.db.read(move |tx| -> kit::db::UnitFuture<'_, Result<_, ApiError>> {
        Box::pin(async move { managed::read(tx, &view, &on.account, &expand).await })
    });
    Ok(Reply::json(StatusCode::OK, &view.await?))
}

async fn update_account(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::partner_account_update(), &body)?;
    // The answer shows whom to reach.
    call.once(&body, true, |tx, ctx, on, body| {
        Box::pin(async move {
            // As onboarding does, and before the account's own lock, as there: names are given away one at a time.
            store::lock_account(tx, on.caller.account.as_str()).await?;
            let mut account = Account::manageable(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            account.patch(&body).await?;
            Ok(Reply::json(StatusCode::OK, &managed::read(account.tx, &ctx, &on.account, &[]).await?))
        })
    })
    .await
}

async fn acquiring_accounts(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let rows: Vec<store::AcquiringAccountRow> = ctx
        .db
        .read(move |tx| Box::pin(async move { store::managed_acquiring_accounts(tx, on.account.as_str()).await }))
        .await?;
    let accounts = rows.into_iter().map(|row| {
        json!({"payment_acquiring_account_id": row.payment_acquiring_account_id,
            "payment_acquiring_account_reference": row.reference})
    });
    let accounts: Vec<_> = accounts.collect();
    Ok(Reply::json(StatusCode::OK, &json!({"payment_acquiring_accounts": accounts})))
}

#[derive(Deserialize)]
struct Names {
    partner_account_reference: Option<String>,
    partner_account_id: Option<String>,
    payment_acquiring_account_id: Option<String>,
    payment_account_reference: Option<String>,
    access_policy_reference: Option<String>,
}

type Query = axum::extract::Query<Names>;

/// What must be in the query; every one that is missing is named.
fn required<const N: usize>(given: [(&'static str, &Option<String>); N]) -> Result<[String; N], ApiError> {
    let is_given = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    let missing = given.iter().filter(|(_, value)| !is_given(value));
    let faults: Vec<FieldFault> = missing.map(|(name, _)| FieldFault::new(*name, "is required")).collect();
    if faults.is_empty() {
        Ok(given.map(|(_, value)| value.clone().unwrap_or_default()))
    } else {
        Err(ApiError::validation(faults))
    }
}

async fn resolve_partner_account(State(ctx): State<Ctx>, on: OnBehalf, query: Query) -> Result<Reply, ApiError> {
    let [reference] = required([("partner_account_reference", &query.partner_account_reference)])?;
    let found: Option<String> = ctx
        .db
        .read(move |tx| Box::pin(async move { store::account_by_reference(tx, on.account.as_str(), &reference).await }))
        .await?;
    let found = found.ok_or_else(|| not_found("No Partner account has this reference."))?;
    Ok(Reply::json(StatusCode::OK, &json!({"partner_account_id": found})))
}

async fn resolve_payment_account(State(ctx): State<Ctx>, on: OnBehalf, query: Query) -> Result<Reply, ApiError> {
    let [acquiring, reference] = required([
        ("payment_acquiring_account_id", &query.payment_acquiring_account_id),
        ("payment_account_reference", &query.payment_account_reference),
    ])?;
    let found: Option<String> = ctx
        .db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<_, kit::db::DbError>> {
            Box::pin(async move {
                let own = store::managed_acquiring_accounts(tx, on.account.as_str()).await?;
                if !own.iter().any(|row| row.payment_acquiring_account_id == acquiring) {
                    return Ok(None);
                }
                let row = store::payment_account_by_reference(tx, &acquiring, &reference).await?;
                Ok(row.map(|row| row.payment_account_id))
            })
        })
        .await?;
    let found = found.ok_or_else(|| not_found("No payment account of this acquiring account has this reference."))?;
    Ok(Reply::json(StatusCode::OK, &json!({"payment_account_id": found})))
}

async fn resolve_access_policy(State(ctx): State<Ctx>, on: OnBehalf, query: Query) -> Result<Reply, ApiError> {
    let [policy] = required([("access_policy_reference", &query.access_policy_reference)])?;
    let (id, reference) = (query.0.partner_account_id, query.0.partner_account_reference);
    if id.is_some() == reference.is_some() {
        let reason = "must be sent when partner_account_reference is not, and only then";
        return Err(ApiError::validation(vec![FieldFault::new("partner_account_id", reason)]));
    }
    let found: Option<String> = ctx
        .db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<_, kit::db::DbError>> {
            Box::pin(async move {
                let above = on.account.as_str();
                let account = match (id, reference) {
                    (Some(id), _) => {
                        let parent = store::acquiring_partner_of(tx, &id).await?;
                        Some(id).filter(|_| parent.as_deref() == Some(above))
                    }
                    (None, reference) => store::account_by_reference(tx, above, &reference.unwrap_or_default()).await?,
                };
                let Some(account) = account else { return Ok(None) };
                let kind = super::resource::Kind::AccessPolicy.as_str();
                let row = store::resource_by_reference(tx, &account, kind, &policy).await?;
                Ok(row.map(|row| row.resource_id))
            })
        })
        .await?;
    let found = found.ok_or_else(|| not_found("No access policy has this reference."))?;
    Ok(Reply::json(StatusCode::OK, &json!({"access_policy_id": found})))
}
