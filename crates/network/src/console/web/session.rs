//! Who looks at the console: an Acquiring Partner that has signed in with its API key or, where the network end can be reached from
//! this machine only, whoever sits at it.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, COOKIE, HOST, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::clock::{Clock, HOUR_US};
use kit::http::ApiError;
use kit::random::Random;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use super::{pages, secured, store};
use crate::accounts::AccountKind;
use crate::console::snapshots;
use crate::credentials;
use crate::ctx::Ctx;
use crate::operation::{Performed, perform};
use crate::serve;

const COOKIE_NAME: &str = "kontor_console";
/// How long one stays signed in, by the wall clock: moving the clock of the network signs nobody out.
const SESSION_US: i64 = 12 * HOUR_US;
const SECRET_BYTES: usize = 32;

/// What a form sent.
pub(super) type Fields = Vec<(String, String)>;

/// The field of that name, trimmed; empty if there is none.
pub(super) fn field<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
}

/// Somebody who may look.
#[derive(Clone)]
pub(super) struct Console {
    pub ctx: Ctx,
    /// The Acquiring Partner.
    pub account: String,
    /// The forms' proof that this browser was shown them.
    pub csrf: String,
    /// Whether nobody had to sign in.
    pub is_open: bool,
    /// A cookie that the answer has to set.
    new_cookie: Option<String>,
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn csrf_of(secret: &str) -> String {
    digest(&format!("form {secret}"))
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='));
    values.find(|value| (16..=128).contains(&value.len())).map(str::to_owned)
}

fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether this request comes from this machine by a name of this machine. A page elsewhere that points its own name here is not
/// believed, nor is anything that came through a proxy.
fn is_local(ctx: &Ctx, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    ctx.config.console_open
        && host.is_none_or(is_loopback_host)
        && !["forwarded", "x-forwarded-for", "x-forwarded-host"].iter().any(|name| headers.contains_key(*name))
}

/// Whether the console may be open on this machine: listening here only, and not said to be reached from elsewhere.
pub(crate) fn may_be_open(listens_on: std::net::SocketAddr, base_url: &str) -> bool {
    let host = url::Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    listens_on.ip().is_loopback() && host.is_some_and(|host| is_loopback_host(&host))
}

fn new_secret() -> String {
    // Not the context's: what somebody looks at must not change what a seed makes.
    Random::system().base64url(SECRET_BYTES)
}

fn set_cookie(ctx: &Ctx, value: &str, seconds: i64) -> HeaderValue {
    let secure = if ctx.config.base_url.starts_with("https:") { "; Secure" } else { "" };
    let text = format!("{COOKIE_NAME}={value}; Path=/console; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).expect("letters, digits and punctuation are a header value")
}

impl FromRequestParts<Ctx> for Console {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, Response> {
        let held = cookie(&parts.headers);
        let found = who(ctx, &parts.headers, held.as_deref()).await.map_err(|error| pages::failed(&error))?;
        let Some((account, is_open)) = found else { return Err(sign_in_first(parts)) };
        let (secret, is_new) = match held {
            Some(secret) => (secret, false),
            None => (new_secret(), true),
        };
        let csrf = csrf_of(&secret);
        Ok(Self { ctx: ctx.clone(), account, csrf, is_open, new_cookie: is_new.then_some(secret) })
    }
}

async fn who(ctx: &Ctx, headers: &HeaderMap, held: Option<&str>) -> Result<Option<(String, bool)>, ApiError> {
    if let Some(secret) = held {
        let (hash, now) = (digest(secret), Clock::system().now());
        let signed_in: Option<String> =
            ctx.db.look_up(move |tx| Box::pin(async move { store::session(tx, &hash, now).await })).await?;
        if let Some(account) = signed_in {
            return Ok(Some((account, false)));
        }
    }
    if !is_local(ctx, headers) {
        return Ok(None);
    }
    let first: Option<String> = ctx.db.look_up(|tx| Box::pin(snapshots::operator(tx))).await?;
    Ok(first.map(|account| (account, true)))
}

fn sign_in_first(parts: &Parts) -> Response {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
    let next = if parts.method == Method::GET {
        uri.path_and_query().map_or("/console", |text| text.as_str())
    } else {
        "/console"
    };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    to(&format!("/console/sign-in?{query}"))
}

/// 303: whatever was sent, the next request reads.
pub(super) fn to(location: &str) -> Response {
    let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/console"));
    secured((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

impl Console {
    /// What is answered to a form that was not made for this browser.
    pub(super) fn refuse(&self, fields: &[(String, String)]) -> Option<Response> {
        let given = field(fields, "csrf");
        if self.new_cookie.is_none() && bool::from(self.csrf.as_bytes().ct_eq(given.as_bytes())) {
            return None;
        }
        Some(pages::stale())
    }

    /// Does what the API would do for the Acquiring Partner that looks.
    ///
    /// # Errors
    /// Whatever the operation refuses.
    pub(super) async fn perform(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Performed, ApiError> {
        perform(&self.ctx, serve::routes(&self.ctx.config), &self.account, (method, path), body).await
    }

    /// What a GET of the API answers.
    ///
    /// # Errors
    /// Whatever the operation refuses.
    pub(super) async fn look_up(&self, path: &str) -> Result<Value, ApiError> {
        Ok(self.perform(Method::GET, path, None).await?.json())
    }

    /// Finishes an answer: its headers, and the cookie of whoever came first.
    pub(super) fn answer(&self, response: impl axum::response::IntoResponse) -> Response {
        let mut response = secured(response.into_response());
        if let Some(secret) = &self.new_cookie {
            response.headers_mut().append(SET_COOKIE, set_cookie(&self.ctx, secret, SESSION_US / 1_000_000));
        }
        response
    }
}

/// Signs in with an Acquiring Partner's key; `None` if it is not one.
pub(super) async fn sign_in(ctx: &Ctx, key: &str) -> Result<Option<HeaderValue>, ApiError> {
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_str(&format!("Basic {key}")) else { return Ok(None) };
    headers.insert(AUTHORIZATION, value);
    let caller = match credentials::verify(ctx, &headers).await {
        Ok(verified) if verified.caller.kind == AccountKind::AcquiringPartner => verified.caller,
        Ok(_) => return Ok(None),
        Err(error) if error.status == StatusCode::UNAUTHORIZED => return Ok(None),
        Err(error) => return Err(error),
    };
    let secret = new_secret();
    let (hash, now) = (digest(&secret), Clock::system().now());
    let (account, credential) = (caller.account.to_string(), caller.credential_id.to_string());
    let written: Result<(), kit::db::DbError> = ctx
        .db
        .write(move |tx| {
            Box::pin(
                async move { store::insert_session(tx, (&account, &hash, &credential), now, now + SESSION_US).await },
            )
        })
        .await;
    written?;
    Ok(Some(set_cookie(ctx, &secret, SESSION_US / 1_000_000)))
}

/// Forgets a session; returns what removes its cookie.
pub(super) async fn sign_out(ctx: &Ctx, headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    if let Some(secret) = cookie(headers) {
        let hash = digest(&secret);
        let deleted: Result<(), kit::db::DbError> =
            ctx.db.write(move |tx| Box::pin(async move { store::delete_session(tx, &hash).await })).await;
        deleted?;
    }
    Ok(set_cookie(ctx, "", 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_open_on_this_machine_only() {
        let at = |text: &str| text.parse().unwrap();
        assert!(may_be_open(at("127.0.0.1:4010"), "http://127.0.0.1:4010"));
        assert!(may_be_open(at("[::1]:4010"), "http://localhost:4010"));
        assert!(!may_be_open(at("0.0.0.0:4010"), "http://127.0.0.1:4010"));
        assert!(!may_be_open(at("127.0.0.1:4010"), "https://network.example"), "behind a proxy");
        for (host, local) in [
            ("localhost:4010", true),
            ("127.0.0.1", true),
            ("[::1]:1", true),
            ("evil.example:4010", false),
            ("", false),
        ] {
            assert_eq!(is_loopback_host(host), local, "{host}");
        }
    }
}
