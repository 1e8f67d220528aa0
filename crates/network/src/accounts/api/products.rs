//! Payment products, payment accounts and compliance decisions.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::UnitFuture;
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::shapes::accounts as shapes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{MANAGEMENT, WHO};
use crate::accounts::compliance;
use crate::accounts::managed::{Account, pass_time};
use crate::accounts::product::{Actor, Wish};
use crate::accounts::products::{self, Because};
use crate::ctx::Ctx;
use crate::operation::{Call, Content, Doc, OnBehalf, Reply, Route, Source, check, or_empty};
use crate::paging::Wanted;

pub(super) fn routes() -> Vec<Route> {
    use Source::{Collection, Documented, Inferred};
    let products = &["/products/payment"];
    let product = &["/products/payment/{product_id}"];
    let accounts = &["/products/payment/{product_id}/payment-accounts"];
    let account = &["/products/payment/{product_id}/payment-accounts/{payment_account_id}"];
    vec![
        Route::for_account(
            Method::GET,
            products,
            MANAGEMENT,
            WHO,
            Doc::new("listPaymentProducts", "Lists the payment products with their payment accounts", Collection)
                .answers_with(200, Content::JsonArray(shapes::payment_product)),
            list_products,
        ),
        Route::for_account(
            Method::GET,
            product,
            MANAGEMENT,
            WHO,
            Doc::new("readPaymentProduct", "Reads a payment product", Inferred).answers(200, shapes::payment_product),
            read_product,
        ),
        Route::for_account(
            Method::POST,
            &["/products/payment/{product_id}/enable"],
            MANAGEMENT,
            WHO,
            Doc::new("enablePaymentProduct", "Enables a product that the caller disabled", Collection)
                .answers(200, shapes::payment_product),
            enable,
        ),
        Route::for_account(
            Method::POST,
            &["/products/payment/{product_id}/disable"],
            MANAGEMENT,
            WHO,
            Doc::new("disablePaymentProduct", "Takes no more new payments for a Partner", Collection)
                .may_take(shapes::product_disable)
                .answers(200, shapes::payment_product),
            disable,
        ),
        Route::for_account(
            Method::POST,
            accounts,
            MANAGEMENT,
            WHO,
            Doc::new("createPaymentAccount", "Makes a payment account", Collection)
                .takes(shapes::payment_account_create)
                .answers(201, shapes::payment_account),
            create_payment_account,
        ),
        Route::for_account(
            Method::GET,
            accounts,
            MANAGEMENT,
            WHO,
            Doc::new("listPaymentAccounts", "Lists the payment accounts of a product", Inferred)
                .paged()
                .answers(200, shapes::payment_accounts),
            list_payment_accounts,
        ),
        Route::for_account(
            Method::GET,
            account,
            MANAGEMENT,
            WHO,
            Doc::new("readPaymentAccount", "Reads a payment account", Collection).answers(200, shapes::payment_account),
            read_payment_account,
        ),
        Route::for_account(
            Method::PATCH,
            account,
            MANAGEMENT,
            WHO,
            Doc::new("updatePaymentAccount", "Changes reference and category of a payment account", Collection)
                .takes(shapes::payment_account_update)
                .answers(200, shapes::payment_account),
            update_payment_account,
        ),
        Route::for_account(
            Method::GET,
            &["/compliance/decisions"],
            MANAGEMENT,
            WHO,
            Doc::new("listComplianceDecisions", "Lists what Klarna decided about a Partner", Documented)
                .paged()
                .answers_with(200, Content::JsonArray(shapes::compliance_decisions)),
            list_decisions,
        ),
        Route::for_account(
            Method::GET,
            &["/compliance/decisions/{decision_id}"],
            MANAGEMENT,
            WHO,
            Doc::new("readComplianceDecision", "Reads a compliance decision", Documented)
                .answers(200, shapes::compliance_decision),
            read_decision,
        ),
    ]
}

#[derive(Clone, Deserialize)]
struct ProductPath {
    product_id: String,
}

#[derive(Clone, Deserialize)]
struct PaymentAccountPath {
    product_id: String,
    payment_account_id: String,
}

#[derive(Deserialize)]
struct DecisionPath {
    decision_id: String,
}

/// Reads, after time has passed over the account.
async fn reading<T, F>(ctx: &Ctx, on: OnBehalf, read: F) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut kit::db::Tx, OnBehalf) -> UnitFuture<'t, Result<T, ApiError>> + Send + 'static,
{
    pass_time(ctx, &on.account).await?;
    ctx.db.read(move |tx| read(tx, on)).await
}

async fn list_products(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let list: Vec<Value> =
        reading(&ctx, on, |tx, on| Box::pin(async move { products::list(tx, &on.account).await })).await?;
    Ok(Reply::json(StatusCode::OK, &list))
}

async fn read_product(State(ctx): State<Ctx>, on: OnBehalf, Path(path): Path<ProductPath>) -> Result<Reply, ApiError> {
    let read =
        reading(&ctx, on, |tx, on| Box::pin(async move { products::read(tx, &on.account, &path.product_id).await }));
    Ok(Reply::json(StatusCode::OK, &read.await?))
}

async fn enable(call: Call, Path(path): Path<ProductPath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    call.once(&or_empty(body), false, move |tx, ctx, on, _| {
        let id = path.product_id.clone();
        Box::pin(async move {
            let mut account = Account::manageable(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let (actor, now) = (Actor::AcquiringPartner, account.now);
            products::change(&mut account, &id, actor, Wish::Enable, &Because::default(), now).await?;
            Ok(Reply::json(StatusCode::OK, &products::read(account.tx, &on.account, &id).await?))
        })
    })
    .await
}

/// Ours: without a reason the disablement is VOLUNTARY; and an account that is not OPERATIONAL yet can be suspended, because a
/// suspension must not wait.
async fn disable(call: Call, Path(path): Path<ProductPath>, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::product_disable(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.product_id.clone();
        Box::pin(async move {
            let mut account = Account::locked(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let because = Because {
                reason: body.get("reason").and_then(Value::as_str).or(Some("VOLUNTARY")),
                details: body.get("reason_details").and_then(Value::as_str),
                decision_id: None,
            };
            let (actor, now) = (Actor::AcquiringPartner, account.now);
            products::change(&mut account, &id, actor, Wish::Disable, &because, now).await?;
            Ok(Reply::json(StatusCode::OK, &products::read(account.tx, &on.account, &id).await?))
        })
    })
    .await
}

async fn create_payment_account(
    call: Call,
    Path(path): Path<ProductPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::payment_account_create(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let id = path.product_id.clone();
        Box::pin(async move {
            // Whose acquiring accounts' references are looked at: before the account's own lock, as everywhere.
            crate::accounts::store::lock_account(tx, on.caller.account.as_str()).await?;
            let mut account = Account::manageable(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let made = products::create_payment_account(&mut account, &on, &id, &body).await?;
            Ok(Reply::json(StatusCode::CREATED, &made))
        })
    })
    .await
}

async fn list_payment_accounts(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<ProductPath>,
    wanted: Wanted,
) -> Result<Reply, ApiError> {
    let list = reading(&ctx, on, |tx, on| {
        Box::pin(async move { products::payment_accounts(tx, &on.account, &path.product_id, &wanted).await })
    });
    Ok(Reply::json(StatusCode::OK, &list.await?))
}

async fn read_payment_account(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<PaymentAccountPath>,
) -> Result<Reply, ApiError> {
    let read = reading(&ctx, on, |tx, on| {
        Box::pin(
            async move { products::payment_account(tx, &on.account, &path.product_id, &path.payment_account_id).await },
        )
    });
    Ok(Reply::json(StatusCode::OK, &read.await?))
}

async fn update_payment_account(
    call: Call,
    Path(path): Path<PaymentAccountPath>,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, ApiError> {
    check(shapes::payment_account_update(), &body)?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let path = path.clone();
        Box::pin(async move {
            crate::accounts::store::lock_account(tx, on.caller.account.as_str()).await?;
            let mut account = Account::manageable(tx, &ctx, &on.account, Some(&on.correlation_id)).await?;
            let (product, id) = (&path.product_id, &path.payment_account_id);
            let changed = products::patch_payment_account(&mut account, product, id, &body).await?;
            Ok(Reply::json(StatusCode::OK, &changed))
        })
    })
    .await
}

/// A bare array of one page (RULINGS 1.3).
async fn list_decisions(State(ctx): State<Ctx>, on: OnBehalf, wanted: Wanted) -> Result<Reply, ApiError> {
    let list = reading(&ctx, on, |tx, on| Box::pin(async move { compliance::list(tx, &on.account, &wanted).await }));
    Ok(Reply::json(StatusCode::OK, &json!([list.await?])))
}

async fn read_decision(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(path): Path<DecisionPath>,
) -> Result<Reply, ApiError> {
    let read =
        reading(&ctx, on, |tx, on| Box::pin(async move { compliance::read(tx, &on.account, &path.decision_id).await }));
    Ok(Reply::json(StatusCode::OK, &read.await?))
}
