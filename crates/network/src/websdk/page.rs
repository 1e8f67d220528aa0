//! Who asks: a client identifier, from a page that may use it. A browser names the page's origin by itself; whoever is no browser can
//! name any, so nothing here may need more than that a page is one of the Partner's.

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::http::{ApiError, RequestId};
use protocol::header::KLARNA_CORRELATION_ID;
use protocol::{ErrorCode, PartnerAccountId};
use url::{Url, form_urlencoded};

use crate::accounts::{self, AccountKind};
use crate::credentials::client_identifier::{self, ClientIdentifier};
use crate::ctx::Ctx;
use crate::operation::{Caller, Category, OnBehalf, counted, not_found};

/// What pages may send beside what every page may.
const HEADERS: &str = "content-type, klarna-network-session-token";
const METHODS: &str = "GET, POST, DELETE";
/// Seconds that a browser may remember the two above.
const PREFLIGHT_AGE: &str = "600";

/// A page, for an account.
#[derive(Clone, Debug)]
pub struct Page {
    /// The client identifier and the account that it acts for, as operations know callers.
    pub on: OnBehalf,
    /// `https://shop.example`.
    pub origin: String,
}

impl FromRequestParts<Ctx> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let named = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(given, value)| given == name && !value.is_empty()).map(|(_, value)| value.into_owned())
        };
        let origin = origin(&parts.headers, &ctx.config.base_url);
        let client_id = named("client_id").filter(|text| !text.chars().any(char::is_control));
        let client_id = client_id.ok_or_else(unauthorized)?;
        let (found, kind, above) = look_up(ctx, client_id).await?.ok_or_else(unauthorized)?;
        let origin = origin.ok_or_else(nowhere)?;
        // Pages of this end itself, as /websdk/try, are nobody else's.
        let is_own = Url::parse(&ctx.config.base_url).is_ok_and(|base| base.origin().ascii_serialization() == origin);
        if !is_own && !found.allows(&origin, []) {
            return Err(elsewhere(&origin));
        }
        let own = found.account.clone();
        let account = match named("partner_account_id") {
            Some(named) => {
                let account = named.parse::<PartnerAccountId>().ok();
                under(ctx, &own, kind, account)
                    .await?
                    .ok_or_else(|| not_found("The Partner account does not exist."))?
            }
            None => own.clone(),
        };
        let correlation_id = parts.extensions.get::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default();
        let caller = Caller { acquiring_partner: above, account: own, credential_id: found.credential_id, kind };
        counted(ctx, category(parts.uri.path()), &caller, &account)?;
        Ok(Self { on: OnBehalf { caller, account, correlation_id }, origin })
    }
}

/// The page's origin. A page of this end's own names none when it only reads, but browsers say that it is one.
fn origin(headers: &HeaderMap, base_url: &str) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = || (text("sec-fetch-site") == Some("same-origin")).then_some(base_url);
    let url = Url::parse(text(ORIGIN.as_str()).or_else(own)?).ok()?;
    // `null`, of a sandboxed frame say, is no origin that anybody could allow.
    url.has_host().then(|| url.origin().ascii_serialization())
}

async fn look_up(
    ctx: &Ctx,
    client_id: String,
) -> Result<Option<(ClientIdentifier, AccountKind, PartnerAccountId)>, ApiError> {
    ctx.db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move {
                let Some(found) = client_identifier::find(tx, &client_id).await? else { return Ok(None) };
                let above = accounts::acquiring_partner(tx, &found.account).await?;
                Ok(Some(match above {
                    Some(above) => {
                        let above = PartnerAccountId::opaque(&above).map_err(ApiError::internal)?;
                        (found, AccountKind::Partner, above)
                    }
                    None => {
                        let own = found.account.clone();
                        (found, AccountKind::AcquiringPartner, own)
                    }
                }))
            })
        })
        .await
}

async fn under(
    ctx: &Ctx,
    own: &PartnerAccountId,
    kind: AccountKind,
    account: Option<PartnerAccountId>,
) -> Result<Option<PartnerAccountId>, ApiError> {
    let Some(account) = account else { return Ok(None) };
    if account == *own {
        return Ok(Some(account));
    }
    if kind != AccountKind::AcquiringPartner || !ctx.family.has(&ctx.db, own.as_str(), account.as_str()).await? {
        return Ok(None);
    }
    Ok(Some(account))
}

fn category(path: &str) -> Category {
    if path.starts_with("/websdk/payment-requests") {
        Category::RequestManagement
    } else if path.starts_with("/websdk/messaging") {
        Category::Messaging
    } else {
        Category::Presentation
    }
}

fn unauthorized() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        ErrorCode::Unauthorized.as_str().to_owned(),
        "The client identifier is missing, unknown, or disabled. It begins with klarna_test_client_.",
    )
}

fn nowhere() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        ErrorCode::OperationForbidden.as_str().to_owned(),
        "A client identifier is used from a page, whose origin the browser names. Serve the page over http or https; from a server, use \
         an API key and the operations under /v2.",
    )
}

fn elsewhere(origin: &str) -> ApiError {
    let message = format!(
        "This client identifier may not be used from {origin}. Add it to the allowed_domains of the client identifier, or use one that \
         names it."
    );
    ApiError::new(StatusCode::FORBIDDEN, ErrorCode::OperationForbidden.as_str().to_owned(), message)
}

/// What other origins' pages are told: answers name the one origin that asked, never all. A refusal may be read, too, so that the SDK
/// can say what is wrong; before a request is judged, browsers only learn its methods and headers.
pub async fn cross_origin(request: Request, next: Next) -> Response {
    let origin = request.headers().get(ORIGIN).filter(|value| value.to_str().is_ok_and(is_web_origin)).cloned();
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key("access-control-request-method");
    let mut response = if is_preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(KLARNA_CORRELATION_ID));
        if is_preflight {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE));
        }
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn is_web_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
