//! What programs call: discovery, keys, tokens, user info, revocation. Errors are OAuth's, not the network's: `{"error":…}`.

use std::collections::BTreeMap;

use axum::extract::{OriginalUri, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use serde_json::{Map, Value, json};

use super::grants::{self, Desk, Exchanged, Exchanger, Presented};
use super::keys::{PUBLISHED_S, key_set};
use super::request::{Refusal, parameters};
use super::{Place, client, header, scope};
use crate::ctx::Ctx;
use crate::journey::words;
use crate::operation::{Caller, Category, counted};
use crate::{credentials, tokens};

const FORM: &str = "application/x-www-form-urlencoded";
/// For discovery and keys.
fn public_age() -> [(HeaderName, String); 1] {
    [(CACHE_CONTROL, format!("public, max-age={PUBLISHED_S}"))]
}

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery).options(preflight))
        .route("/.well-known/jwks.json", get(keys).options(preflight))
        .route("/oauth2/token", post(token).options(preflight))
        .route("/oauth2/revoke", post(revoke).options(preflight))
        .route("/userinfo", get(user_info).post(user_info).options(preflight))
        .layer(middleware::from_fn(any_origin))
}

async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Pages of any origin may ask: what they learn depends on what they bring, and no cookie is looked at.
async fn any_origin(request: Request, next: Next) -> Response {
    let is_preflight = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if is_preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization, content-type"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn discovery(State(ctx): State<Ctx>, OriginalUri(uri): OriginalUri) -> Response {
    let issuer = Place::of(uri.path()).issuer(&ctx);
    let at = |path: &str| format!("{issuer}{path}");
    let body = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth2/auth"),
        "token_endpoint": at("/oauth2/token"),
        "userinfo_endpoint": at("/userinfo"),
        "revocation_endpoint": at("/oauth2/revoke"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "scopes_supported": scope::all().collect::<Vec<_>>(),
        "claims_supported": scope::CLAIMS,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": words::ALL.iter().map(|words| words.code).collect::<Vec<_>>(),
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    });
    (public_age(), Json(body)).into_response()
}

async fn keys(State(ctx): State<Ctx>) -> Result<Response, ApiError> {
    let published = key_set(&ctx).await?.published(ctx.clock.now());
    Ok((public_age(), Json(published)).into_response())
}

/// An error of OAuth's.
fn refused(refusal: &Refusal) -> Response {
    let status = match refusal.error {
        "invalid_client" => StatusCode::UNAUTHORIZED,
        "temporarily_unavailable" => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::BAD_REQUEST,
    };
    let body = json!({"error": refusal.error, "error_description": refusal.description});
    let mut response = (status, Json(body)).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"sign-in\""));
    }
    response
}

/// A form as RFC 6749 sends it.
fn form(headers: &HeaderMap, body: &Bytes) -> Result<BTreeMap<String, String>, Refusal> {
    let kind = header(headers, CONTENT_TYPE).unwrap_or_default();
    if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM)) {
        return Err(Refusal::new("invalid_request", format!("the body must be {FORM}")));
    }
    parameters(body).map_err(|name| Refusal::new("invalid_request", format!("{name} must be sent once")))
}

/// `client_id:client_secret` of the `Authorization` header, both form-encoded (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refusal> {
    let Some(value) = header(headers, AUTHORIZATION) else { return Ok(None) };
    let bad = || Refusal::new("invalid_client", "the Authorization header must be Basic, with client_id and API key");
    let encoded = value.strip_prefix("Basic ").ok_or_else(bad)?;
    let text = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    let (id, secret) = text.split_once(':').ok_or_else(bad)?;
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    Ok(Some((decoded(id), decoded(secret))))
}

/// Which client calls. One that brings a secret must bring the right one.
async fn exchanger(
    ctx: &Ctx,
    headers: &HeaderMap,
    form: &BTreeMap<String, String>,
) -> Result<Result<Exchanger, Refusal>, ApiError> {
    let basic = match basic(headers) {
        Ok(basic) => basic,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (basic_id, basic_secret) = basic.unzip();
    let form_id = form.get("client_id").cloned();
    if let (Some(one), Some(other)) = (&basic_id, &form_id)
        && one != other
    {
        return Ok(Err(Refusal::new("invalid_request", "client_id differs from the one in the Authorization header")));
    }
    let Some(client_id) = basic_id.or(form_id) else {
        return Ok(Err(Refusal::new("invalid_client", "client_id is required")));
    };
    let unknown = || {
        Refusal::new(
            "invalid_client",
            "the client identifier is unknown or disabled, or the API key is not its account's",
        )
    };
    let Some(client) = client(ctx, &client_id).await? else { return Ok(Err(unknown())) };
    let secret = basic_secret.or_else(|| form.get("client_secret").cloned());
    if let Some(secret) = &secret {
        let Ok(value) = HeaderValue::from_str(&format!("Basic {secret}")) else { return Ok(Err(unknown())) };
        match credentials::verify(ctx, &HeaderMap::from_iter([(AUTHORIZATION, value)])).await {
            Ok(verified) if verified.caller.account == client.account => {}
            Err(error) if error.status.is_server_error() => return Err(error),
            Ok(_) | Err(_) => return Ok(Err(unknown())),
        }
    }
    let caller = Caller {
        account: client.account.clone(),
        credential_id: client.credential_id.clone(),
        kind: crate::accounts::AccountKind::Partner,
        acquiring_partner: client.account.clone(),
    };
    if counted(ctx, Category::Identity, &caller, &client.account).is_err() {
        return Ok(Err(Refusal::new("temporarily_unavailable", "too many requests; wait a moment")));
    }
    Ok(Ok(Exchanger { client_id, has_secret: secret.is_some() }))
}

#[derive(Clone, Debug)]
enum Wanted {
    Code(Presented),
    Refresh { token: String, scope: Option<String> },
}

fn wanted(form: &BTreeMap<String, String>) -> Result<Wanted, Refusal> {
    let required = |name: &str| {
        let missing = || Refusal::new("invalid_request", format!("{name} is required"));
        form.get(name).cloned().ok_or_else(missing)
    };
    match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => Ok(Wanted::Code(Presented {
            code: required("code")?,
            redirect_uri: required("redirect_uri")?,
            verifier: form.get("code_verifier").cloned(),
        })),
        Some("refresh_token") => {
            Ok(Wanted::Refresh { token: required("refresh_token")?, scope: form.get("scope").cloned() })
        }
        Some(_) => {
            Err(Refusal::new("unsupported_grant_type", "grant_type must be authorization_code or refresh_token"))
        }
        None => Err(Refusal::new("invalid_request", "grant_type is required")),
    }
}

async fn token(
    State(ctx): State<Ctx>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let form = match form(&headers, &body) {
        Ok(form) => form,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let who = match exchanger(&ctx, &headers, &form).await? {
        Ok(who) => who,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let wanted = match wanted(&form) {
        Ok(wanted) => wanted,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let (keys, place) = (key_set(&ctx).await?, Place::of(uri.path()));
    tokens::keys(&ctx).await?;
    let exchanged = ctx
        .write(|| {
            let (ctx, keys, who, wanted) = (ctx.clone(), keys.clone(), who.clone(), wanted.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Exchanged, ApiError>> {
                Box::pin(async move {
                    let desk = Desk { ctx: &ctx, key: keys.signing(ctx.clock.now()), place };
                    match &wanted {
                        Wanted::Code(presented) => grants::exchange_code(tx, desk, &who, presented).await,
                        Wanted::Refresh { token, scope } => {
                            grants::refresh(tx, desk, &who, token, scope.as_deref()).await
                        }
                    }
                })
            }
        })
        .await?;
    Ok(match exchanged {
        // RFC 6749 §5.1, for caches of the first generation.
        Ok(tokens) => ([(HeaderName::from_static("pragma"), "no-cache")], Json(tokens)).into_response(),
        Err(refusal) => refused(&refusal),
    })
}

async fn revoke(State(ctx): State<Ctx>, headers: HeaderMap, body: Bytes) -> Result<Response, ApiError> {
    let form = match form(&headers, &body) {
        Ok(form) => form,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let who = match exchanger(&ctx, &headers, &form).await? {
        Ok(who) => who,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let Some(token) = form.get("token").cloned() else {
        return Ok(refused(&Refusal::new("invalid_request", "token is required")));
    };
    let now = ctx.clock.now();
    ctx.write(|| {
        let (who, token) = (who.clone(), token.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
            Box::pin(async move { grants::revoke(tx, &who, &token, now).await })
        }
    })
    .await?;
    Ok(StatusCode::OK.into_response())
}

async fn user_info(State(ctx): State<Ctx>, headers: HeaderMap) -> Result<Response, ApiError> {
    let token = header(&headers, AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let Some(token) = token else {
        let how = [(WWW_AUTHENTICATE, "Bearer realm=\"sign-in\"")];
        return Ok((StatusCode::UNAUTHORIZED, how, Json(json!({"error": "invalid_request"}))).into_response());
    };
    tokens::keys(&ctx).await?;
    let context = ctx.clone();
    let found = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Option<Map<String, Value>>, ApiError>> {
        Box::pin(async move { grants::user_info(tx, &context, &token).await })
    });
    Ok(match found.await? {
        Some(claims) => Json(claims).into_response(),
        None => {
            let why = "the access token is unknown, has expired, or its sign-in was ended";
            let how = format!("Bearer realm=\"sign-in\", error=\"invalid_token\", error_description=\"{why}\"");
            let body = json!({"error": "invalid_token", "error_description": why});
            (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, how)], Json(body)).into_response()
        }
    })
}
