//! Operations on tokens: session, SDK and test tokens (interoperability), introspection and revocation of customer tokens
//! (identity).

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode};
use kit::db::Tx;
use kit::http::{ApiError, JsonBody, OptionalJsonBody};
use protocol::header::KLARNA_CUSTOMER_REGION;
use protocol::krn::Region;
use protocol::shape::shapes::tokens as shapes;
use protocol::{SessionToken, Timestamp};
use serde_json::{Value, json};

use super::session::{met, required_session};
use super::{
    CUSTOMER_TOKEN_HEADER, Grant, GrantKind, SdkToken, StoredCustomer, customer_token_header, find_customer_token,
    grant, interoperability, issue_sdk_token, keys, redeem_sdk_token, revoke_customer_token, shopping,
};
use crate::ctx::Ctx;
use crate::operation::{
    Call, Category, Doc, OnBehalf, Reply, Route, Source, Who, check, forbidden, not_found, or_empty,
};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    use Category::{Identity, Interoperability};
    const CUSTOMER: &[&str] = &["Klarna-Customer-Token"];
    let mut routes = vec![
        Route::for_account(
            Method::POST,
            &["/interoperability/sdk-tokens"],
            Interoperability,
            Who::Anyone,
            Doc::new("createSdkToken", "Makes a token that starts the Web SDK with a session", Source::Collection)
                .headers(&["Klarna-Network-Session-Token", "Klarna-Interoperability-Token"])
                .answers(200, shapes::sdk_token),
            create_sdk_token,
        ),
        Route::for_account(
            Method::POST,
            &["/interoperability/tokens"],
            Interoperability,
            Who::Anyone,
            Doc::new(
                "createInteroperabilityToken",
                "Begins a session, of a stored customer or nobody",
                Source::Collection,
            )
            .headers(CUSTOMER)
            .answers(200, shapes::interoperability_token),
            create_token,
        ),
        Route::for_account(
            Method::POST,
            &["/interoperability/test-tokens"],
            Interoperability,
            Who::AcquiringPartner,
            Doc::new("createTestToken", "Makes a token as a customer's journey would, for tests", Source::Collection)
                .takes(shapes::create_test_token)
                .headers(&["Klarna-Customer-Token", "Klarna-Customer-Region"])
                .answers(200, shapes::interoperability_token),
            create_test_token,
        ),
        Route::for_account(
            Method::POST,
            &["/identity/sdk-tokens"],
            Identity,
            Who::Anyone,
            Doc::new(
                "createCustomerSdkToken",
                "Makes a token that starts the Web SDK for a customer",
                Source::Collection,
            )
            .headers(CUSTOMER)
            .answers(200, shapes::sdk_token),
            create_customer_sdk_token,
        ),
        Route::for_account(
            Method::POST,
            &["/identity/customer-token/introspect"],
            Identity,
            Who::Anyone,
            Doc::new("introspectCustomerToken", "Tells what a customer token may do", Source::Collection)
                .headers(CUSTOMER)
                .answers(200, shapes::introspection),
            introspect,
        ),
        Route::for_account(
            Method::POST,
            &["/identity/customer-token/revoke"],
            Identity,
            Who::Anyone,
            Doc::new("revokeCustomerToken", "Ends a customer token for good", Source::Collection)
                .headers(CUSTOMER)
                .answers_nothing(),
            revoke,
        ),
    ];
    routes.extend(interoperability::routes());
    routes.extend(shopping::routes());
    routes
}

/// The controls of this room, below `/testing`.
pub fn testing_routes() -> Vec<Route> {
    let (category, who) = (Category::Unlimited, Who::AcquiringPartner);
    vec![
        Route::at(
            Method::POST,
            &["/testing/accounts/{partner_account_id}/customer-tokens/revoke", "/testing/customer-tokens/revoke"],
            category,
            who,
            Doc::new("revokeAsCustomer", "Ends a customer token as the customer would in Klarna's app", Source::Ours)
                .headers(&["Klarna-Customer-Token"])
                .answers_nothing(),
            revoke_as_customer,
        ),
        Route::at(
            Method::POST,
            &["/testing/accounts/{partner_account_id}/sdk-tokens/redeem", "/testing/sdk-tokens/redeem"],
            category,
            who,
            Doc::new("redeemSdkToken", "Redeems an SDK token as the Web SDK would, once", Source::Ours)
                .takes(shapes::redeem_sdk_token)
                .answers(200, shapes::redeemed_sdk_token),
            redeem,
        ),
    ]
}

/// The one journey whose test token can be spent; the others only recognise (RULINGS 1.4).
const EXPRESS_CHECKOUT: &str = "KLARNA_EXPRESS_CHECKOUT";

/// The body of a call, for telling repeated calls from others, where headers are what the call is about.
fn of_headers(headers: &HeaderMap, names: &[&str]) -> Value {
    let text = |name: &&str| headers.get(*name).and_then(|value| value.to_str().ok());
    json!(names.iter().map(text).collect::<Vec<_>>())
}

/// The present name beside the one that r2512 reads.
fn token_reply(token: &SessionToken) -> Reply {
    let body = json!({"interoperability_token": token, "klarna_network_session_token": token});
    Reply::json(StatusCode::OK, &body)
}

fn sdk_reply(token: &SdkToken) -> Reply {
    let expires_at = Timestamp::from_micros(token.expires_at).ok();
    Reply::json(StatusCode::OK, &json!({"sdk_token": token.text, "expires_at": expires_at}))
}

async fn create_sdk_token(call: Call, headers: HeaderMap) -> Result<Response, ApiError> {
    let keys = keys(&call.ctx).await?;
    let body = of_headers(&headers, &["klarna-network-session-token", "klarna-interoperability-token"]);
    call.once(&body, true, move |tx, ctx, on, _| {
        let (keys, headers) = (keys.clone(), headers.clone());
        Box::pin(async move {
            let now = ctx.clock.now();
            let (region, claims) = required_session(tx, &keys, &headers, &on.account, now).await?;
            Ok(sdk_reply(&issue_sdk_token(tx, &ctx, &on.account, (region, &claims), now).await?))
        })
    })
    .await
}

async fn create_customer_sdk_token(call: Call, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = required_customer_token(&headers)?;
    call.once(&json!([token]), true, move |tx, ctx, on, _| {
        let token = token.clone();
        Box::pin(async move {
            let now = ctx.clock.now();
            let customer = usable_customer(tx, &on, &token).await?;
            let claims = met(ctx.random.id(now), &on.account, Some(&customer), now);
            let session = (region_of(&token), &claims);
            Ok(sdk_reply(&issue_sdk_token(tx, &ctx, &on.account, session, now).await?))
        })
    })
    .await
}

async fn create_token(call: Call, headers: HeaderMap) -> Result<Response, ApiError> {
    let keys = keys(&call.ctx).await?;
    let customer_token = customer_token_header(&headers).map(str::to_owned);
    call.once(&json!([customer_token]), true, move |tx, ctx, on, _| {
        let (keys, customer_token) = (keys.clone(), customer_token.clone());
        Box::pin(async move {
            let now = ctx.clock.now();
            let customer = match &customer_token {
                Some(token) => Some(usable_customer(tx, &on, token).await?),
                None => None,
            };
            let region = customer_token.as_deref().map_or(Region::Eu1, region_of);
            let claims = met(ctx.random.id(now), &on.account, customer.as_ref(), now);
            Ok(token_reply(&keys.signer.sign(region, &claims)))
        })
    })
    .await
}

async fn create_test_token(call: Call, headers: HeaderMap, body: OptionalJsonBody) -> Result<Response, ApiError> {
    let body = or_empty(body);
    check(shapes::create_test_token(), &body)?;
    let region = region(&headers)?;
    let customer_token = customer_token_header(&headers).map(str::to_owned);
    let keys = keys(&call.ctx).await?;
    call.once(&body, true, move |tx, ctx, on, body| {
        let (keys, customer_token) = (keys.clone(), customer_token.clone());
        Box::pin(async move {
            let now = ctx.clock.now();
            let customer = match &customer_token {
                Some(token) => Some(usable_customer(tx, &on, token).await?),
                None => None,
            };
            let id = ctx.random.id(now);
            if body["customer_journey"] != EXPRESS_CHECKOUT {
                return Ok(token_reply(&keys.signer.sign(region, &met(id, &on.account, customer.as_ref(), now))));
            }
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
            Ok(token_reply(&granted.session_token(&keys)))
        })
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

/// Of a customer token, which names it.
fn region_of(customer_token: &str) -> Region {
    customer_token.split(':').nth(2).and_then(|region| region.parse().ok()).unwrap_or(Region::Eu1)
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

async fn revoke(call: Call, headers: HeaderMap) -> Result<Response, ApiError> {
    end_customer_token(call, headers, "PARTNER").await
}

async fn revoke_as_customer(call: Call, headers: HeaderMap) -> Result<Response, ApiError> {
    end_customer_token(call, headers, "CUSTOMER").await
}

async fn end_customer_token(call: Call, headers: HeaderMap, revoked_by: &'static str) -> Result<Response, ApiError> {
    let token = required_customer_token(&headers)?;
    // The token is what the call is about, so it counts for "the same call".
    let body = json!({ CUSTOMER_TOKEN_HEADER: token });
    call.once(&body, false, move |tx, ctx, on, _| {
        let token = token.clone();
        Box::pin(async move {
            let customer = own_customer(tx, &on, &token).await?;
            revoke_customer_token(tx, &ctx, (&customer, &token), revoked_by, Some(&on.correlation_id)).await?;
            Ok(Reply::no_content())
        })
    })
    .await
}

async fn redeem(call: Call, body: JsonBody) -> Result<Response, ApiError> {
    check(shapes::redeem_sdk_token(), &body.value)?;
    let keys = keys(&call.ctx).await?;
    call.once(&body.value, true, move |tx, ctx, on, body| {
        let keys = keys.clone();
        Box::pin(async move {
            let text = body["sdk_token"].as_str().unwrap_or_default();
            // Somebody else's stays unused: the refusal takes its use back.
            match redeem_sdk_token(tx, &keys, text, ctx.clock.now()).await? {
                Some((account, session)) if account == on.account => Ok(Reply::json(
                    StatusCode::OK,
                    &json!({"partner_account_id": account, "klarna_network_session_token": session}),
                )),
                _ => Err(not_found("The SDK token does not exist, was used, or is more than ten minutes old.")),
            }
        })
    })
    .await
}
