//! The portal's page over HTTP: cookie and form in, one transaction, a page or a redirect out.

use std::collections::BTreeMap;

use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Form, Router};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::CredentialId;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::entrance::{self, Session};
use super::pages::{self, Account, Made};
use super::role::Role;
use crate::credentials::pages::secured;
use crate::credentials::{self, NewApiKey};
use crate::ctx::Ctx;
use crate::operation::forbidden;
use crate::{accounts, credentials::client_identifier};

const COOKIE_NAME: &str = "kontor_portal";
/// Where the page stands, and how far its cookie reaches.
const PATH: &str = "/portal";
/// Longest secret that is looked at.
const SECRET_CHARS_MAX: usize = 128;

/// The page, and what its forms do.
pub fn page_routes() -> Router<Ctx> {
    Router::new()
        .route(PATH, get(show))
        .route("/portal/enter/{token}", get(enter))
        .route("/portal/api-keys", post(create_api_key))
        .route("/portal/api-keys/disable", post(disable_api_key))
        .route("/portal/client-identifiers", post(create_client_identifier))
        .route("/portal/sign-out", post(sign_out))
}

type Fields = BTreeMap<String, String>;
type Sent = Result<Form<Fields>, FormRejection>;

fn secret_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.into_iter().find(|(name, _)| *name == COOKIE_NAME)?;
    (1..=SECRET_CHARS_MAX).contains(&value.len()).then(|| value.to_owned())
}

/// What forms carry: only who holds the cookie can make it.
fn csrf(secret: &str) -> String {
    hex::encode(&Sha256::digest(format!("form:{secret}"))[..16])
}

fn cookie(ctx: &Ctx, secret: &str, rest: &str) -> HeaderValue {
    let secure = if ctx.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    let text = format!("{COOKIE_NAME}={secret}; Path={PATH}; HttpOnly; SameSite=Lax{secure}{rest}");
    HeaderValue::try_from(text).expect("base64url is header text")
}

fn see_portal() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, HeaderValue::from_static(PATH))]).into_response()
}

/// The door: the link is used up, the browser gets its cookie, and the address with the token in it is left.
async fn enter(State(ctx): State<Ctx>, Path(token): Path<String>) -> Response {
    let entered = ctx
        .write(|| {
            let (ctx, token) = (ctx.clone(), token.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<String>, ApiError>> {
                Box::pin(async move { Ok(entrance::enter(tx, &ctx, &token).await?) })
            }
        })
        .await;
    secured(match entered {
        Ok(Some(secret)) => {
            let mut response = see_portal();
            response.headers_mut().insert(SET_COOKIE, cookie(&ctx, &secret, ""));
            response
        }
        Ok(None) => (StatusCode::GONE, pages::link_over()).into_response(),
        Err(error) => error.into_response(),
    })
}

/// Who visits, and what is shown to them.
struct Visit {
    session: Session,
    account: Account,
    made: Option<Made>,
}

async fn show(State(ctx): State<Ctx>, headers: HeaderMap) -> Response {
    let Some(secret) = secret_of(&headers) else { return signed_out() };
    respond(&ctx, &secret, |_, _, _| Box::pin(async { Ok(None) })).await
}

async fn create_api_key(State(ctx): State<Ctx>, headers: HeaderMap, sent: Sent) -> Response {
    act(&ctx, &headers, sent, |tx, ctx, (session, fields)| {
        Box::pin(async move {
            require_admin(&session)?;
            let (account, now) = (&session.grant.account, ctx.clock.now());
            let description = description(&fields);
            let NewApiKey { credential_id, secret } =
                credentials::add_api_key(tx, &ctx.random, account, &description, now).await?;
            Ok(Some(Made { credential_id: credential_id.to_string(), secret }))
        })
    })
    .await
}

async fn disable_api_key(State(ctx): State<Ctx>, headers: HeaderMap, sent: Sent) -> Response {
    let response = act(&ctx, &headers, sent, |tx, ctx, (session, fields)| {
        Box::pin(async move {
            require_admin(&session)?;
            let id = fields.get("credential_id").and_then(|id| id.parse::<CredentialId>().ok());
            if let Some(id) = id {
                credentials::disable_key(tx, &session.grant.account, &id, ctx.clock.now()).await?;
            }
            Ok(None)
        })
    })
    .await;
    ctx.verified_keys.forget();
    response
}

async fn create_client_identifier(State(ctx): State<Ctx>, headers: HeaderMap, sent: Sent) -> Response {
    act(&ctx, &headers, sent, |tx, ctx, (session, fields)| {
        Box::pin(async move {
            let (account, now) = (&session.grant.account, ctx.clock.now());
            client_identifier::add(tx, &ctx.random, account, &description(&fields), (&[], &[]), now).await?;
            Ok(None)
        })
    })
    .await
}

async fn sign_out(State(ctx): State<Ctx>, headers: HeaderMap, sent: Sent) -> Response {
    let Some(secret) = secret_of(&headers) else { return signed_out() };
    if !is_from_the_page(&secret, sent.as_ref().ok().map(|form| &form.0)) {
        return secured((StatusCode::FORBIDDEN, pages::signed_out()).into_response());
    }
    let left = ctx
        .write(|| {
            let secret = secret.clone();
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move { Ok(entrance::leave(tx, &secret).await?) })
            }
        })
        .await;
    match left {
        Ok(()) => {
            let mut response = see_portal();
            response.headers_mut().insert(SET_COOKIE, cookie(&ctx, "", "; Max-Age=0"));
            secured(response)
        }
        Err(error) => secured(error.into_response()),
    }
}

/// What a form does with its session and fields; gives a secret to show, if it made one.
type Act = for<'t> fn(&'t mut Tx, Ctx, (Session, Fields)) -> UnitFuture<'t, Result<Option<Made>, ApiError>>;

async fn act(ctx: &Ctx, headers: &HeaderMap, sent: Sent, act: Act) -> Response {
    let Some(secret) = secret_of(headers) else { return signed_out() };
    let fields = sent.map(|form| form.0).ok();
    if !is_from_the_page(&secret, fields.as_ref()) {
        return secured((StatusCode::FORBIDDEN, pages::signed_out()).into_response());
    }
    let fields = fields.unwrap_or_default();
    respond(ctx, &secret, move |tx, ctx, session| act(tx, ctx, (session, fields.clone()))).await
}

fn is_from_the_page(secret: &str, fields: Option<&Fields>) -> bool {
    let given = fields.and_then(|fields| fields.get("csrf")).map(String::as_str).unwrap_or_default();
    csrf(secret).as_bytes().ct_eq(given.as_bytes()).into()
}

/// Finds the session, lets `act` happen, and shows the page; all in one transaction.
async fn respond<F>(ctx: &Ctx, secret: &str, act: F) -> Response
where
    F: for<'t> Fn(&'t mut Tx, Ctx, Session) -> UnitFuture<'t, Result<Option<Made>, ApiError>> + Clone + Send + 'static,
{
    let visited = ctx
        .write(|| {
            let (ctx, secret, act) = (ctx.clone(), secret.to_owned(), act.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<Visit>, ApiError>> {
                Box::pin(async move {
                    let Some(session) = entrance::session(tx, &ctx, &secret).await? else { return Ok(None) };
                    let made = act(tx, ctx.clone(), session.clone()).await?;
                    let account = shown(tx, &ctx, &session).await?;
                    Ok(Some(Visit { session, account, made }))
                })
            }
        })
        .await;
    match visited {
        Ok(Some(visit)) => {
            let grant = &visit.session.grant;
            secured(pages::portal(grant, &visit.account, visit.made.as_ref(), &csrf(secret)).into_response())
        }
        Ok(None) => signed_out(),
        Err(error) => secured((error.status, pages::refused(&error.message)).into_response()),
    }
}

async fn shown(tx: &mut Tx, ctx: &Ctx, session: &Session) -> Result<Account, ApiError> {
    let (account, now) = (&session.grant.account, ctx.clock.now());
    let api_keys = match Role::may_manage_api_keys(&session.grant.roles) {
        true => credentials::listed_api_keys(tx, account, now).await?,
        false => Vec::new(),
    };
    Ok(Account {
        id: account.to_string(),
        name: accounts::name(tx, account).await?.unwrap_or_default(),
        product_state: accounts::product_state(tx, account).await?,
        api_keys,
        client_identifiers: client_identifier::listed(tx, account, now).await?,
    })
}

fn require_admin(session: &Session) -> Result<(), ApiError> {
    if Role::may_manage_api_keys(&session.grant.roles) {
        return Ok(());
    }
    Err(forbidden("Your role does not manage API keys."))
}

/// What was typed, without what a description cannot hold.
fn description(fields: &Fields) -> String {
    let typed = fields.get("description").map(|text| text.trim()).unwrap_or_default();
    let kept = typed.chars().filter(|c| c.is_ascii_alphanumeric() || "-:;., _".contains(*c));
    kept.take(100).collect()
}

/// No session, or one that is over.
fn signed_out() -> Response {
    secured((StatusCode::UNAUTHORIZED, pages::signed_out()).into_response())
}
