//! Operations on tokens: test tokens (interoperability), introspection and revocation of customer tokens (identity).

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use kit::clock::SECOND_US;
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, OptionalJsonBody};
use protocol::header::KLARNA_CUSTOMER_REGION;
use protocol::krn::Region;
use protocol::shape::shapes::tokens as shapes;
use serde_json::json;

use super::{
    CUSTOMER_TOKEN_HEADER, Claims, Grant, GrantKind, RECOGNITION_US, Standing, StoredCustomer, customer_token_header,
    find_customer_token, grant, keys, revoke_customer_token,
};
use crate::ctx::Ctx;
use crate::operation::{
    Category, Doc, IdempotencyKey, OnBehalf, Parts, Reply, Route, Source, Who, check, forbidden, not_found, once,
    or_empty,
};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    vec![
        Route::for_account(
            Method::POST,
            &["/interoperability/test-tokens"],
            Category::Interoperability,
            Who::AcquiringPartner,
            Doc::new("createTestToken", "Makes a token as a customer's journey would, for tests", Source::Collection)
                .takes(shapes::create_test_token)
                .answers(200, shapes::interoperability_token),
            create_test_token,
        ),
        Route::for_account(
            Method::POST,
            &["/identity/customer-token/introspect"],
            Category::Identity,
            Who::Anyone,
            Doc::new("introspectCustomerToken", "Tells what a customer token may do", Source::Collection)
                .answers(200, shapes::introspection),
            introspect,
        ),
        Route::for_account(
            Method::POST,
            &["/identity/customer-token/revoke"],
            Category::Identity,
            Who::Anyone,
            Doc::new("revokeCustomerToken", "Ends a customer token for good", Source::Collection).answers_nothing(),
            revoke,
        ),
    ]
}

/// The one journey whose test token can be spent; the others only recognise (RULINGS 1.4).
const EXPRESS_CHECKOUT: &str = "KLARNA_EXPRESS_CHECKOUT";

async fn create_test_token(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    key: IdempotencyKey,
    headers: HeaderMap,
    body: OptionalJsonBody,
) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::create_test_token(), &body)?;
    let is_express = body["customer_journey"] == EXPRESS_CHECKOUT;
    let region = region(&headers)?;
    let customer_token = customer_token_header(&headers).map(str::to_owned);
    let keys = keys(&ctx).await?;
    once(&ctx, &on, &parts, key.as_deref(), &body, true, || {
        let (ctx, on, keys, customer_token) = (ctx.clone(), on.clone(), keys.clone(), customer_token.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let now = ctx.clock.now();
                let customer = match &customer_token {
                    Some(token) => Some(usable_customer(tx, &on, token).await?),
                    None => None,
                };
                let id = ctx.random.id(now);
                let token = if is_express {
                    let granted = Grant {
                        id,
                        account: on.account.clone(),
                        kind: GrantKind::Express,
                        region,
                        request: None,
                        customer_token_id: None,
                        currency: None,
                        amount: None,
                        persona: customer.and_then(|customer| customer.persona),
                        issued_at: now,
                    };
                    grant(tx, &granted).await?;
                    granted.session_token(&keys)
                } else {
                    let claims = Claims {
                        sid: id.to_string(),
                        prid: None,
                        paid: on.account.to_string(),
                        cur: None,
                        amt: None,
                        st: Standing::Recognised,
                        iat: now / SECOND_US,
                        exp: (now + RECOGNITION_US) / SECOND_US,
                    };
                    keys.signer.sign(region, &claims)
                };
                // The present name beside the one that r2512 reads.
                let body = json!({"interoperability_token": token, "klarna_network_session_token": token});
                Ok(Reply::json(StatusCode::OK, &body))
            })
        }
    })
    .await
}

/// `krn:test:us1:test`, or eu1.
fn region(headers: &HeaderMap) -> Result<Region, ApiError> {
    let Some(value) = headers.get(KLARNA_CUSTOMER_REGION) else { return Ok(Region::Eu1) };
    let region = value.to_str().ok().and_then(|text| text.split(':').nth(2)).and_then(|region| region.parse().ok());
    region.ok_or_else(|| {
        ApiError::validation(Vec::new())
            .field("Klarna-Customer-Region", "must be like krn:test:us1:test (eu1, us1, ap1)")
    })
}

async fn usable_customer(tx: &mut Tx, on: &OnBehalf, token: &str) -> Result<StoredCustomer, ApiError> {
    let reason = match find_customer_token(tx, token).await? {
        Some(customer) if customer.account == on.account && !customer.is_revoked => return Ok(customer),
        Some(customer) if customer.account == on.account => "is revoked",
        _ => "is unknown",
    };
    Err(ApiError::validation(Vec::new()).field(CUSTOMER_TOKEN_HEADER, reason))
}

/// Foreign 403, unknown 404 (RULINGS "Objects").
async fn own_customer(tx: &mut Tx, on: &OnBehalf, token: &str) -> Result<StoredCustomer, ApiError> {
    match find_customer_token(tx, token).await? {
        Some(customer) if customer.account == on.account => Ok(customer),
        Some(_) => Err(forbidden("The customer token belongs to another Partner account.")),
        None => Err(not_found("The customer token does not exist.")),
    }
}

fn required_customer_token(headers: &HeaderMap) -> Result<String, ApiError> {
    let token = customer_token_header(headers).map(str::to_owned);
    token.ok_or_else(|| ApiError::validation(Vec::new()).field(CUSTOMER_TOKEN_HEADER, "is required"))
}

async fn introspect(State(ctx): State<Ctx>, on: OnBehalf, headers: HeaderMap) -> Result<Reply, ApiError> {
    let token = required_customer_token(&headers)?;
    let customer: StoredCustomer =
        ctx.db.read(move |tx| Box::pin(async move { own_customer(tx, &on, &token).await })).await?;
    let mut body = json!({
        "status": if customer.is_revoked { "REVOKED" } else { "ACTIVE" },
        "scopes": customer.scopes,
        // The one time in the API that is milliseconds.
        "issued_at": customer.issued_at / 1_000,
    });
    if let Some(reference) = &customer.reference {
        body["customer_token_reference"] = reference.as_str().into();
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

async fn revoke(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    key: IdempotencyKey,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = required_customer_token(&headers)?;
    // The token is what the call is about, so it counts for "the same call".
    let body = json!({ CUSTOMER_TOKEN_HEADER: token });
    once(&ctx, &on, &parts, key.as_deref(), &body, false, || {
        let (ctx, on, token) = (ctx.clone(), on.clone(), token.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
            Box::pin(async move {
                let customer = own_customer(tx, &on, &token).await?;
                revoke_customer_token(tx, &ctx, (&customer, &token), "PARTNER", Some(&on.correlation_id)).await?;
                Ok(Reply::no_content())
            })
        }
    })
    .await
}
