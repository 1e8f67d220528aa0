//! What a person agreed to, and the codes and tokens that carry it: a code is used once within two minutes, a refresh token once within
//! sixty days, an access token for 299 seconds (RULINGS §2). Whoever brings a used one ends the grant, because one of the two who had it
//! stole it (RFC 6749 §4.1.2, RFC 9700 §2.2.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kit::clock::{DAY_US, MINUTE_US, SECOND_US};
use kit::db::Tx;
use kit::http::ApiError;
use protocol::PartnerAccountId;
use protocol::krn::Region;
use protocol::payments::TokenScope;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::keys::SigningKey;
use super::request::{Asked, Refusal};
use super::{Place, scope, store};
use crate::ctx::Ctx;
use crate::customers::{self, Customer};
use crate::payments::verdict::Persona;
use crate::tokens::{self, NewCustomerToken};

/// Ours: OAuth recommends at most ten minutes.
const CODE_US: i64 = 2 * MINUTE_US;
/// RULINGS §2.
pub const ACCESS_S: i64 = 299;
/// RULINGS §2.
const REFRESH_US: i64 = 60 * DAY_US;
const RANDOM_BYTES: usize = 32;
const ACCESS: &str = "ACCESS";
const REFRESH: &str = "REFRESH";

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn invalid_grant(description: &str) -> Refusal {
    Refusal::new("invalid_grant", description)
}

/// Keeps what a person agreed to; returns the code that the client exchanges.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn give_code(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    (asked, region): (&Asked, Region),
    customer: &Customer,
) -> Result<String, ApiError> {
    let now = ctx.clock.now();
    let scopes: &[TokenScope] =
        if asked.scopes().contains(&TokenScope::CustomerLogin.as_str()) { &[TokenScope::CustomerLogin] } else { &[] };
    let stored = NewCustomerToken {
        account,
        region,
        reference: None,
        scopes,
        persona: Persona::of(customer.contact.email(), customer.contact.phone()),
        customer_id: Some(&customer.id),
    };
    let (customer_token_id, _) = tokens::issue_customer_token(tx, ctx, &stored, now).await?;
    let code = ctx.random.base64url(RANDOM_BYTES);
    let row = store::GrantRow {
        account_id: account.to_string(),
        grant_id: ctx.random.id(now).to_string(),
        client_id: asked.client_id.clone(),
        region: region.to_string(),
        customer_id: customer.id.clone(),
        customer_token_id,
        scopes: asked.scope.clone(),
        redirect_uri: asked.redirect_uri.clone(),
        nonce: asked.nonce.clone(),
        code_challenge: asked.code_challenge.clone(),
        code_expires_at: now.saturating_add(CODE_US),
        code_used_at: None,
        signed_in_at: now,
        revoked_at: None,
    };
    store::insert_grant(tx, &row, &hash(&code), now).await?;
    Ok(code)
}

/// Whether the person has agreed to all of this before.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn is_agreed(
    tx: &mut Tx,
    account: &PartnerAccountId,
    asked: &Asked,
    customer: &Customer,
) -> Result<bool, ApiError> {
    let grants = store::grants_of(tx, account.as_str(), &asked.client_id, &customer.id).await?;
    let covers = |grant: &store::GrantRow| {
        let agreed: Vec<&str> = grant.scopes.split(' ').collect();
        asked.scopes().iter().all(|scope| agreed.contains(scope))
    };
    Ok(grants.iter().any(covers))
}

/// Who exchanges.
#[derive(Clone, Debug)]
pub struct Exchanger {
    pub client_id: String,
    /// Whether an API key of the account came with the call.
    pub has_secret: bool,
}

/// What an exchange needs beside the database.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub ctx: &'a Ctx,
    pub key: &'a SigningKey,
    pub place: Place,
}

/// A code and what comes with it.
#[derive(Clone, Debug)]
pub struct Presented {
    pub code: String,
    pub redirect_uri: String,
    pub verifier: Option<String>,
}

/// What became of an exchange. A refusal is committed as well: it may have ended a grant.
pub type Exchanged = Result<Value, Refusal>;

/// Exchanges a code.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when the tokens cannot be made.
pub async fn exchange_code(
    tx: &mut Tx,
    desk: Desk<'_>,
    who: &Exchanger,
    presented: &Presented,
) -> Result<Exchanged, ApiError> {
    let now = desk.ctx.clock.now();
    let Some(grant) = store::grant_by_code(tx, &hash(&presented.code)).await? else {
        return Ok(Err(invalid_grant("the code is unknown")));
    };
    if grant.client_id != who.client_id || grant.region != desk.place.region.to_string() {
        return Ok(Err(invalid_grant("the code was given to another client, or in the other region")));
    }
    if grant.redirect_uri != presented.redirect_uri {
        return Ok(Err(invalid_grant("redirect_uri is not the one that the code was sent to")));
    }
    if let Err(refusal) = prove(&grant, who, presented.verifier.as_deref()) {
        return Ok(Err(refusal));
    }
    if grant.code_used_at.is_none() && grant.code_expires_at <= now {
        return Ok(Err(invalid_grant("the code has expired")));
    }
    if !store::use_code(tx, &grant.account_id, &grant.grant_id, now).await? {
        end(tx, &grant, now).await?;
        return Ok(Err(invalid_grant("the code was used before; every token that it gave is void now")));
    }
    answer(tx, desk, &grant, true).await
}

/// Whoever began the sign-in holds the verifier (RFC 7636), or the Partner's key.
fn prove(grant: &store::GrantRow, who: &Exchanger, verifier: Option<&str>) -> Result<(), Refusal> {
    let Some(challenge) = &grant.code_challenge else {
        let reason = "this code was asked for without code_challenge: send an API key as client_secret";
        return if who.has_secret { Ok(()) } else { Err(Refusal::new("invalid_client", reason)) };
    };
    let Some(verifier) = verifier else { return Err(invalid_grant("code_verifier is missing")) };
    let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    if bool::from(made.as_bytes().ct_eq(challenge.as_bytes())) {
        Ok(())
    } else {
        Err(invalid_grant("code_verifier does not fit the code_challenge"))
    }
}

/// Exchanges a refresh token for new tokens, and itself for another. `scope` may ask for less than was granted.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when the tokens cannot be made.
pub async fn refresh(
    tx: &mut Tx,
    desk: Desk<'_>,
    who: &Exchanger,
    token: &str,
    scope: Option<&str>,
) -> Result<Exchanged, ApiError> {
    let now = desk.ctx.clock.now();
    let digest = hash(token);
    let row = store::token(tx, &digest).await?.filter(|row| row.kind == REFRESH);
    let Some(row) = row else { return Ok(Err(invalid_grant("the refresh token is unknown or has expired"))) };
    let Some(mut grant) = store::grant(tx, &row.account_id, &row.grant_id).await? else {
        return Ok(Err(invalid_grant("the refresh token is unknown or has expired")));
    };
    if grant.client_id != who.client_id || grant.region != desk.place.region.to_string() {
        return Ok(Err(invalid_grant("the refresh token was given to another client, or in the other region")));
    }
    if grant.revoked_at.is_some() {
        return Ok(Err(invalid_grant("the sign-in was ended")));
    }
    if let Some(scope) = scope {
        let granted: Vec<&str> = grant.scopes.split(' ').collect();
        if let Some(more) = scope.split(' ').find(|asked| !granted.contains(asked)) {
            return Ok(Err(Refusal::new("invalid_scope", format!("{more} was not granted"))));
        }
        // A token without `openid` or with less is not made: what was agreed to is what is told.
        grant.scopes = scope::known(scope).join(" ");
    }
    if row.expires_at <= now {
        return Ok(Err(invalid_grant("the refresh token is unknown or has expired")));
    }
    if !store::use_token(tx, &digest, now).await? {
        end(tx, &grant, now).await?;
        return Ok(Err(invalid_grant("the refresh token was used before; the sign-in is ended")));
    }
    answer(tx, desk, &grant, false).await
}

/// The tokens of a grant, as the endpoint answers them.
async fn answer(tx: &mut Tx, desk: Desk<'_>, grant: &store::GrantRow, is_first: bool) -> Result<Exchanged, ApiError> {
    let Desk { ctx, key, place } = desk;
    let now = ctx.clock.now();
    let account = PartnerAccountId::opaque(&grant.account_id).map_err(ApiError::internal)?;
    let stored = tokens::find_stored_customer(tx, &account, &grant.customer_token_id).await?;
    let Some(stored) = stored.filter(|stored| !stored.is_revoked) else {
        return Ok(Err(invalid_grant("the sign-in was ended")));
    };
    let person = customers::by_id(tx, ctx, &grant.customer_id).await?;
    let person = person.ok_or_else(|| ApiError::internal("an account was signed in to and is gone"))?;
    store::delete_expired(tx, account.as_str(), now, now.saturating_sub(super::REMEMBERED_US)).await?;
    let access = issue(tx, ctx, grant, ACCESS, now.saturating_add(ACCESS_S * SECOND_US)).await?;
    let scopes: Vec<&str> = grant.scopes.split(' ').collect();
    let mut claims = scope::claims(&scopes, &person);
    let mut say = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    let keys = tokens::keys_in(tx, ctx).await?;
    say("iss", place.issuer(ctx).into());
    say("sub", subject(&keys, grant).into());
    say("aud", grant.client_id.as_str().into());
    say("iat", (now / SECOND_US).into());
    say("exp", (now / SECOND_US + ACCESS_S).into());
    say("auth_time", (grant.signed_in_at / SECOND_US).into());
    say("amr", json!(["otp"]));
    say("at_hash", URL_SAFE_NO_PAD.encode(&Sha256::digest(access.as_bytes())[..16]).into());
    if let Some(nonce) = grant.nonce.as_deref().filter(|_| is_first) {
        say("nonce", nonce.into());
    }
    let session = tokens::meeting_token(&keys, &account, (place.region, &stored), ctx.random.id(now), now);
    let mut body = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": ACCESS_S,
        "scope": grant.scopes,
        "id_token": key.sign(&claims)?,
        "klarna_network_session_token": session,
    });
    if scopes.contains(&scope::OFFLINE_ACCESS) {
        body["refresh_token"] = issue(tx, ctx, grant, REFRESH, now.saturating_add(REFRESH_US)).await?.into();
    }
    Ok(Ok(body))
}

async fn issue(
    tx: &mut Tx,
    ctx: &Ctx,
    grant: &store::GrantRow,
    kind: &str,
    expires_at: i64,
) -> Result<String, ApiError> {
    let text = ctx.random.base64url(RANDOM_BYTES);
    let row = store::TokenRow {
        account_id: grant.account_id.clone(),
        grant_id: grant.grant_id.clone(),
        kind: kind.to_owned(),
        expires_at,
        used_at: None,
    };
    store::insert_token(tx, &row, &hash(&text), ctx.clock.now()).await?;
    Ok(text)
}

/// Ours: another for every account, so that two Partners cannot tell that they know the same person.
fn subject(keys: &tokens::Keys, grant: &store::GrantRow) -> String {
    keys.digest("subject", &format!("{} {}", grant.account_id, grant.customer_id))
}

/// What an access token opens: the same claims as the `id_token`'s; `None` when it is unknown or over.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn user_info(tx: &mut Tx, ctx: &Ctx, token: &str) -> Result<Option<Map<String, Value>>, ApiError> {
    let row = store::token(tx, &hash(token)).await?;
    let Some(row) = row.filter(|row| row.kind == ACCESS && row.expires_at > ctx.clock.now()) else { return Ok(None) };
    let grant = store::grant(tx, &row.account_id, &row.grant_id).await?;
    let Some(grant) = grant.filter(|grant| grant.revoked_at.is_none()) else { return Ok(None) };
    let account = PartnerAccountId::opaque(&grant.account_id).map_err(ApiError::internal)?;
    let stored = tokens::find_stored_customer(tx, &account, &grant.customer_token_id).await?;
    if stored.is_none_or(|stored| stored.is_revoked) {
        return Ok(None);
    }
    let Some(person) = customers::by_id(tx, ctx, &grant.customer_id).await? else { return Ok(None) };
    let scopes: Vec<&str> = grant.scopes.split(' ').collect();
    let mut claims = scope::claims(&scopes, &person);
    let keys = tokens::keys_in(tx, ctx).await?;
    claims.insert("sub".to_owned(), subject(&keys, &grant).into());
    Ok(Some(claims))
}

/// Ends the grant of a token, if it is the client's; anything else changes nothing (RFC 7009).
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn revoke(tx: &mut Tx, who: &Exchanger, token: &str, now: i64) -> Result<(), ApiError> {
    let Some(row) = store::token(tx, &hash(token)).await? else { return Ok(()) };
    let grant = store::grant(tx, &row.account_id, &row.grant_id).await?;
    match grant.filter(|grant| grant.client_id == who.client_id) {
        Some(grant) => end(tx, &grant, now).await,
        None => Ok(()),
    }
}

/// Ends a grant, and with it what its session tokens say of the customer.
async fn end(tx: &mut Tx, grant: &store::GrantRow, now: i64) -> Result<(), ApiError> {
    store::revoke_grant(tx, &grant.account_id, &grant.grant_id, now).await?;
    let account = PartnerAccountId::opaque(&grant.account_id).map_err(ApiError::internal)?;
    tokens::retire_customer_token(tx, &account, &grant.customer_token_id, now).await
}
