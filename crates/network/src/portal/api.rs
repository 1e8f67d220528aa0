//! `…/portal/deep-links` and `/v2/portal/user-access`: an Acquiring Partner lets users in.

use std::collections::BTreeMap;

use axum::extract::{Path, Query};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::Tx;
use kit::http::{ApiError, FieldFault, JsonBody};
use protocol::shape::Kind;
use protocol::shapes::portal as shapes;
use protocol::{PartnerAccountId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::entrance::{Grant, NewLink, create_link};
use super::jwt::{self, Claims};
use super::role::Role;
use super::store;
use crate::accounts;
use crate::credentials::certificate::jwt_signer;
use crate::ctx::Ctx;
use crate::operation::{Call, Category, Doc, OnBehalf, Reply, Route, Source, Who, check, forbidden, not_found};
use crate::sealed::PORTAL_ACCESS_PRINCIPAL;
use crate::tokens::{self, Keys};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    let (category, who) = (Category::PartnerManagement, Who::AcquiringPartner);
    use Source::Collection;
    vec![
        Route::at(
            Method::POST,
            &["/v2/accounts/{partner_account_id}/portal/deep-links"],
            category,
            who,
            Doc::new("createDeepLink", "Makes a link into the portal that works once, for a minute", Collection)
                .takes(shapes::deep_link_create)
                .answers(200, shapes::deep_link),
            create_deep_link,
        ),
        Route::at(
            Method::DELETE,
            &["/v2/accounts/{partner_account_id}/portal/deep-links/{deep_link_id}"],
            category,
            who,
            Doc::new("deleteDeepLink", "Deletes a link into the portal", Collection).answers_nothing(),
            delete_deep_link,
        ),
        Route::at(
            Method::POST,
            &["/v2/portal/user-access"],
            category,
            who,
            Doc::new("createUserAccess", "Grants a user access to an account in the portal", Collection)
                .takes(shapes::user_access_create)
                .answers(201, shapes::user_access),
            create_user_access,
        ),
        Route::at(
            Method::DELETE,
            &["/v2/portal/user-access"],
            category,
            who,
            Doc::new(
                "deleteUserAccess",
                "Takes access back: what is named, or all that the caller granted",
                Collection,
            )
            .query("account_id", ANY_TEXT)
            .query("principal", ANY_TEXT)
            .query("on_behalf_of", ANY_TEXT)
            .answers_nothing(),
            delete_user_access,
        ),
    ]
}

const ANY_TEXT: Kind = Kind::Text { min: 1, max: 255 };

/// Controls of the test environment.
pub fn testing_routes() -> Vec<Route> {
    vec![Route::at(
        Method::POST,
        &["/testing/accounts/{partner_account_id}/portal/sign-in-links", "/testing/portal/sign-in-links"],
        Category::Unlimited,
        Who::AcquiringPartner,
        Doc::new("createSignInLink", "Makes the link that a user with access would get by mail", Source::Ours)
            .takes(shapes::sign_in_link_create)
            .answers(201, shapes::deep_link),
        create_sign_in_link,
    )]
}

async fn create_deep_link(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::deep_link_create(), &body)?;
    call.once(&body, true, |tx, ctx, on, body| {
        Box::pin(async move {
            let grant = match body.get("jwt").and_then(Value::as_str) {
                Some(token) => {
                    let claims = redeem(tx, &ctx, &on, token).await?;
                    for (parameter, account) in
                        [("jwt.account_id", &claims.account), ("jwt.on_behalf_of", &claims.on_behalf_of)]
                    {
                        require_account(parameter, account, &on)?;
                    }
                    grant(&on, claims.principal, claims.roles)
                }
                None => {
                    let text = |name: &str| body.get(name).and_then(Value::as_str);
                    if let Some(account) = text("on_behalf_of") {
                        require_account("on_behalf_of", account, &on)?;
                    }
                    let names = body.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                    let roles = names.iter().filter_map(Value::as_str).filter_map(Role::parse);
                    grant(&on, text("subject").unwrap_or_default().to_owned(), Role::distinct(roles))
                }
            };
            Ok(Reply::json(StatusCode::OK, &link_view(&create_link(tx, &ctx, &grant).await?)?))
        })
    })
    .await
}

fn grant(on: &OnBehalf, principal: String, roles: Vec<Role>) -> Grant {
    Grant { account: on.account.clone(), granted_by: on.caller.account.clone(), principal, roles, access_id: None }
}

fn require_account(parameter: &'static str, account: &str, on: &OnBehalf) -> Result<(), ApiError> {
    if account == on.account.as_str() {
        return Ok(());
    }
    Err(ApiError::validation(vec![FieldFault::new(parameter, "must be the account in the path")]))
}

fn link_view(link: &NewLink) -> Result<Value, ApiError> {
    Ok(json!({"deep_link_id": link.id, "url": link.url, "expires_at": time(link.expires_at)?}))
}

/// Checks a signed token and takes note of it, so that it counts once.
async fn redeem(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, token: &str) -> Result<Claims, ApiError> {
    let now = ctx.clock.now();
    let certificate = jwt::certificate(token).map_err(|fault| ApiError::validation(vec![fault]))?;
    let signer = jwt_signer(tx, &certificate, now).await?;
    let claims = jwt::read(token, signer.as_ref(), &on.caller.account, now).map_err(ApiError::validation)?;
    if !store::note_jwt_id(tx, on.caller.account.as_str(), &claims.jti, claims.expires_at).await? {
        return Err(ApiError::validation(vec![FieldFault::new("jwt.jti", "was used before")]));
    }
    Ok(claims)
}

#[derive(Deserialize)]
struct DeepLinkPath {
    deep_link_id: String,
}

async fn delete_deep_link(call: Call, Path(path): Path<DeepLinkPath>) -> Result<Reply, ApiError> {
    call.write(move |tx, _, on| {
        let id = path.deep_link_id.clone();
        Box::pin(async move {
            let deleted = store::delete_link(tx, on.account.as_str(), &id).await?;
            if deleted { Ok(Reply::no_content()) } else { Err(not_found("The deep link does not exist.")) }
        })
    })
    .await
}

async fn create_user_access(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::user_access_create(), &body)?;
    let keys = tokens::keys(&call.ctx).await?;
    call.once(&body, false, move |tx, ctx, on, body| {
        let keys = keys.clone();
        Box::pin(async move { grant_access(tx, &ctx, &on, &keys, &body).await })
    })
    .await
}

async fn grant_access(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, keys: &Keys, body: &Value) -> Result<Reply, ApiError> {
    let token = body.get("jwt").and_then(Value::as_str).unwrap_or_default();
    let claims = redeem(tx, ctx, on, token).await?;
    let caller = on.caller.account.as_str();
    for account in [&claims.account, &claims.on_behalf_of] {
        if !is_under(tx, account, caller).await? {
            return Err(forbidden("Users can be given access to accounts that this Acquiring Partner onboarded."));
        }
    }
    let now = ctx.clock.now();
    let digest = principal_digest(keys, &claims.principal);
    let known = store::user_id(tx, caller, &digest).await?;
    // Ours: no form of a user's id is published.
    let user_id = known.unwrap_or_else(|| format!("krn:partner:global:account:portal-user:{}", ctx.random.id(now)));
    let before = store::access(tx, &claims.account, caller, &digest).await?;
    let access_id = before.as_ref().map_or_else(|| ctx.random.id(now).to_string(), |row| row.access_id.clone());
    let row = store::AccessRow {
        principal: ctx.secrets.seal(PORTAL_ACCESS_PRINCIPAL.place(&[&access_id]), claims.principal.as_bytes()),
        account_id: claims.account,
        access_id,
        granted_by: caller.to_owned(),
        user_id,
        principal_digest: digest,
        roles: Role::store(&claims.roles),
        created_at: before.map_or(now, |row| row.created_at),
        updated_at: now,
    };
    store::put_access(tx, &row).await?;
    let view = json!({
        "user_id": row.user_id,
        "account_id": row.account_id,
        "principal": claims.principal,
        "roles": claims.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
        "created_at": time(row.created_at)?,
        "updated_at": time(row.updated_at)?,
    });
    Ok(Reply::json(StatusCode::CREATED, &view))
}

/// Whether an account is the caller's own, or under it.
async fn is_under(tx: &mut Tx, account: &str, caller: &str) -> Result<bool, ApiError> {
    if account == caller {
        return Ok(true);
    }
    let Ok(account) = PartnerAccountId::opaque(account) else { return Ok(false) };
    Ok(accounts::acquiring_partner(tx, &account).await?.as_deref() == Some(caller))
}

/// What a user is found by, whatever the case of the address.
fn principal_digest(keys: &Keys, principal: &str) -> String {
    keys.digest("portal principal", &principal.to_lowercase())
}

/// Without parameters everything that the caller granted goes (fact sheet 02 §7.2).
async fn delete_user_access(call: Call, Query(query): Query<BTreeMap<String, String>>) -> Result<Reply, ApiError> {
    let keys = tokens::keys(&call.ctx).await?;
    let given = |name: &str| query.get(name).filter(|text| !text.is_empty()).cloned();
    let (account, on_behalf_of, principal) = (given("account_id"), given("on_behalf_of"), given("principal"));
    for (name, value) in [("account_id", &account), ("on_behalf_of", &on_behalf_of), ("principal", &principal)] {
        if value.as_ref().is_some_and(|value| value.len() > 255 || value.chars().any(char::is_control)) {
            return Err(ApiError::validation(vec![FieldFault::new(name, "must be a text of 1 to 255 characters")]));
        }
    }
    if let (Some(account), Some(other)) = (&account, &on_behalf_of)
        && account != other
    {
        let fault = FieldFault::new("on_behalf_of", "must be absent or equal to account_id");
        return Err(ApiError::validation(vec![fault]));
    }
    let account = account.or(on_behalf_of);
    call.write(move |tx, _, on| {
        let (account, principal) = (account.clone(), principal.clone());
        let digest = principal.as_ref().map(|principal| principal_digest(&keys, principal));
        Box::pin(async move {
            let principal = principal.as_deref().zip(digest.as_deref());
            store::delete_accesses(tx, on.caller.account.as_str(), account.as_deref(), principal).await?;
            Ok(Reply::no_content())
        })
    })
    .await
}

async fn create_sign_in_link(call: Call, JsonBody { value: body, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::sign_in_link_create(), &body)?;
    let keys = tokens::keys(&call.ctx).await?;
    call.once(&body, true, move |tx, ctx, on, body| {
        let principal = body.get("principal").and_then(Value::as_str).unwrap_or_default().to_owned();
        let digest = principal_digest(&keys, &principal);
        Box::pin(async move {
            let granted_by: &PartnerAccountId = &on.caller.account;
            let access = store::access(tx, on.account.as_str(), granted_by.as_str(), &digest).await?;
            let access = access.ok_or_else(|| not_found("No such user has access to this account."))?;
            let grant = Grant {
                account: on.account.clone(),
                granted_by: granted_by.clone(),
                principal,
                roles: Role::stored(&access.roles),
                access_id: Some(access.access_id),
            };
            Ok(Reply::json(StatusCode::CREATED, &link_view(&create_link(tx, &ctx, &grant).await?)?))
        })
    })
    .await
}

fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}
