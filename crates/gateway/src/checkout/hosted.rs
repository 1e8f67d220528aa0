//! The hosted page's handlers. No cookie, no key: the address is the only thing that opens it, and everything that is shown or done is
//! decided on what stands in the database at that moment, so that reload, back button, tabs and double clicks change nothing.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use kit::http::ApiError;
use kit::web::Asset;
use maud::Markup;
use protocol::header::SESSION_TOKEN_LENGTH_MAX;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::act::{self, Choice, Way};
use super::offer::{self, Offer};
use super::pages::{self, End, Frame, Open, Sdk};
use super::record::Session;
use super::sdk;
use super::session::{SessionState, Standing};
use super::words::{Words, words};
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::payments::record::Payment;

/// The page's script.
pub(crate) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "/assets/checkout.mjs",
        "text/javascript; charset=utf-8",
        include_str!("../../web/checkout.mjs").as_bytes(),
    )
});

/// The page's style, beside the family's.
pub(crate) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/checkout.css", "text/css; charset=utf-8", include_str!("../../web/checkout.css").as_bytes())
});

/// The page, and what it loads.
pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/checkout/{key}", get(show))
        .route("/checkout/{key}/pay", post(pay).get(to_page))
        .route("/checkout/{key}/state", get(state))
        .route("/checkout/{key}/done", get(done))
        .route("/checkout/{key}/brand.css", get(brand))
        .merge(kit::web::route(&SCRIPT))
        .merge(kit::web::route(&STYLE))
}

/// A session with what a page of it needs.
struct Opened {
    session: Session,
    payment: Option<Payment>,
    caller: PartnerCaller,
    words: &'static Words,
    base: String,
}

impl Opened {
    async fn read(ctx: &Ctx, key: &str, headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some((session, payment)) = act::read_by_key(ctx, key).await? else { return Ok(None) };
        let Some(caller) = act::caller(ctx, &session.partner_id).await? else { return Ok(None) };
        let words = words(session.order_text("locale"), accept_language(headers));
        // The key is what was found: base64url, nothing that an address would have to escape.
        Ok(Some(Self { session, payment, caller, words, base: format!("/checkout/{key}") }))
    }

    fn standing(&self) -> Standing {
        Standing::of(self.payment.as_ref())
    }

    fn shop(&self) -> &str {
        self.session.detail.branding.name.as_deref().unwrap_or(&self.caller.name)
    }

    /// The customer has left for the other method, and has not wanted to choose again.
    fn is_elsewhere(&self) -> bool {
        self.session.detail.other_method_chosen_at.is_some()
    }

    /// How it stands, in a word that changes whenever the page would.
    fn mark(&self) -> String {
        let place = if self.is_elsewhere() { "-elsewhere" } else { "" };
        format!("{}-{:?}-{}{place}", self.session.state, self.standing(), self.session.attempt)
    }

    /// How it ended, or what it waits for; `None` while the customer may choose.
    fn end(&self, now: i64) -> Option<End> {
        match (&self.session.state, self.standing()) {
            (SessionState::Completed, _) | (_, Standing::Paid) => Some(End::Paid),
            (SessionState::Canceled, _) => Some(End::Canceled),
            (SessionState::Expired, _) => Some(End::Expired),
            (SessionState::Open | SessionState::Unknown(_), Standing::Underway) => Some(End::Underway),
            // Who is at Klarna may finish; the job closes what is left then.
            (
                SessionState::Open | SessionState::Unknown(_),
                Standing::None | Standing::WithCustomer | Standing::Declined | Standing::CameToNothing,
            ) => (now >= self.session.expires_at).then_some(End::Expired),
        }
    }

    fn page(&self, ctx: &Ctx, status: StatusCode, render: impl FnOnce(&Frame<'_>) -> Markup) -> Response {
        let mark = self.mark();
        let frame =
            Frame { words: self.words, session: &self.session, shop: self.shop(), base: &self.base, mark: &mark };
        let policy = policy(ctx, self.session.detail.branding.logo_url.as_deref());
        respond(status, &policy, render(&frame))
    }

    /// The page with its choices.
    async fn choices(
        &self,
        ctx: &Ctx,
        headers: &HeaderMap,
        status: StatusCode,
        failed: Option<&str>,
    ) -> Result<Response, ApiError> {
        let locale = locale(&self.session, accept_language(headers));
        let token = self.session.token(ctx)?;
        let asked = offer::Asked {
            amount: self.session.amount,
            currency: &self.session.currency,
            locale: &locale,
            token: token.clone(),
        };
        let (offer, client_id) = tokio::join!(offer::read(ctx, &self.caller, asked), sdk::stored(ctx));
        let client_id = client_id?;
        let (offer, client_id) = if self.caller.suspended { (Offer::Hidden, None) } else { (offer, client_id) };
        let sources = ctx.config.web_sdk.sources();
        let may_show = |url: &str| is_from(url, &sources);
        let sdk = client_id.as_deref().map(|client_id| Sdk {
            url: ctx.config.web_sdk.url.as_str(),
            client_id,
            partner_account_id: &self.caller.klarna_account_id,
            payment_account_id: self.caller.payment_account_id.as_deref(),
            token: token.as_ref().map(|token| token.expose_secret()),
        });
        let open = Open { offer: &offer, standing: self.standing(), sdk, locale: &locale, may_show: &may_show, failed };
        Ok(self.page(ctx, status, |frame| frame.open(&open)))
    }
}

async fn show(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let shown = async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Ok(unknown(&ctx, &headers)) };
        match opened.end(ctx.clock.now()) {
            Some(end) => Ok(opened.page(&ctx, StatusCode::OK, |frame| frame.ended(end))),
            None if opened.is_elsewhere() => Ok(opened.page(&ctx, StatusCode::OK, |frame| frame.elsewhere())),
            None => opened.choices(&ctx, &headers, StatusCode::OK, None).await,
        }
    };
    shown.await.unwrap_or_else(|error| failure(&ctx, &headers, &error))
}

/// A page that answered a form is loaded again.
async fn to_page(Path(key): Path<String>) -> Redirect {
    Redirect::to(&page_of(&key))
}

fn page_of(key: &str) -> String {
    format!("/checkout/{}", form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>())
}

/// What the page sends, from its form or from its script.
struct Sent {
    method: String,
    choice: Choice,
    is_script: bool,
}

impl Sent {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_script = content_type.starts_with("application/json");
        let document: Value = if is_script { serde_json::from_slice(body).unwrap_or_default() } else { Value::Null };
        let field = |name: &str| -> Option<String> {
            let found = if is_script {
                document.get(name).and_then(Value::as_str).map(str::to_owned)
            } else {
                form_urlencoded::parse(body).find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
            };
            found.filter(|text| !text.is_empty())
        };
        let method = field("method").unwrap_or_default();
        let (method, option) = match method.split_once('/') {
            Some((method, option)) => (method.to_owned(), Some(option.to_owned())),
            None => (method, None),
        };
        let is_token = |token: &String| {
            token.len() <= SESSION_TOKEN_LENGTH_MAX && token.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let token = field("klarna_network_session_token").filter(is_token);
        let option = field("payment_option_id").or(option).filter(|option| option.chars().count() <= 255);
        Self { method, choice: Choice { token: token.map(SecretString::from), payment_option_id: option }, is_script }
    }
}

async fn pay(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let sent = Sent::read(&headers, &body);
    let is_script = sent.is_script;
    let paid = async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Ok(unknown(&ctx, &headers)) };
        let page = format!("{}/done", opened.base);
        let way = match sent.method.as_str() {
            "klarna" => act::pay(&ctx, opened.session.clone(), sent.choice).await,
            "other" => {
                let left = act::leave_for_other(&ctx, &opened.session, opened.payment.as_ref()).await;
                left.map(|url| url.map_or(Way::Page, Way::ToPartner))
            }
            "again" => act::choose_again(&ctx, &opened.session).await.map(|()| Way::Page),
            _ => Ok(Way::Page),
        };
        match way {
            Ok(way) => Ok(if is_script {
                let body = match way {
                    Way::ToKlarna(url) => json!({ "payment_request_url": url }),
                    Way::ToPartner(url) => json!({ "location": url }),
                    Way::Page => json!({ "location": page }),
                };
                (no_store(), axum::Json(body)).into_response()
            } else {
                let target = match &way {
                    Way::ToKlarna(url) | Way::ToPartner(url) => url,
                    Way::Page => &page,
                };
                (no_store(), Redirect::to(target)).into_response()
            }),
            // Nothing was begun: the page says so, and can be used again.
            Err(error) if !is_script && opened.end(ctx.clock.now()).is_none() => {
                error.log();
                let reference = error.error_id.to_string();
                opened.choices(&ctx, &headers, StatusCode::UNPROCESSABLE_ENTITY, Some(&reference)).await
            }
            Err(error) => Err(error),
        }
    };
    match paid.await {
        Ok(response) => response,
        Err(error) if is_script => error.into_response(),
        Err(error) => failure(&ctx, &headers, &error),
    }
}

/// How it stands, for the script.
async fn state(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Err(ApiError::no_such_route()) };
    Ok((no_store(), axum::Json(json!({ "mark": opened.mark() }))).into_response())
}

/// On to the Partner once the order is paid, else to the page.
async fn done(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        match Opened::read(&ctx, &key, &headers).await? {
            Some(opened) => way_on(&ctx, &opened.session, opened.payment.as_ref()).map(Some),
            None => Ok::<_, ApiError>(None),
        }
    };
    match found.await {
        Ok(Some(target)) => (no_store(), Redirect::to(&target)).into_response(),
        Ok(None) => unknown(&ctx, &headers),
        Err(error) => failure(&ctx, &headers, &error),
    }
}

/// The Partner's page if the order is paid and there is one, else ours.
pub(super) fn way_on(ctx: &Ctx, session: &Session, payment: Option<&Payment>) -> Result<String, ApiError> {
    let is_paid = session.state == SessionState::Completed || Standing::of(payment) == Standing::Paid;
    match session.partners_page("return_url").filter(|_| is_paid) {
        Some(target) => Ok(target),
        None => session.url(ctx),
    }
}

/// The Partner's colours.
async fn brand(State(ctx): State<Ctx>, Path(key): Path<String>) -> Result<Response, ApiError> {
    let Some((session, _)) = act::read_by_key(&ctx, &key).await? else { return Err(ApiError::no_such_route()) };
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "private, max-age=300")];
    let css = session.detail.branding.stylesheet();
    Ok((headers, [(X_CONTENT_TYPE_OPTIONS, "nosniff")], css).into_response())
}

/// The same page for every wrong address.
pub(crate) fn unknown(ctx: &Ctx, headers: &HeaderMap) -> Response {
    let words = words(None, accept_language(headers));
    respond(StatusCode::NOT_FOUND, &policy(ctx, None), pages::unknown(words))
}

pub(crate) fn failure(ctx: &Ctx, headers: &HeaderMap, error: &ApiError) -> Response {
    error.log();
    let words = words(None, accept_language(headers));
    respond(error.status, &policy(ctx, None), pages::failed(words, &error.error_id.to_string()))
}

pub(crate) fn accept_language(headers: &HeaderMap) -> &str {
    headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn no_store() -> [(HeaderName, &'static str); 2] {
    [(CACHE_CONTROL, "no-store"), (REFERRER_POLICY, "no-referrer")]
}

/// What a page may load, and from where: ours, the Web SDK's sources, the Partner's logo; nothing inline. Browsers apply `form-action`
/// to every hop of a redirect after a form was sent, and the way to Klarna and back has hops on hosts that are not known here: so it is
/// bounded by scheme only.
fn policy(ctx: &Ctx, logo: Option<&str>) -> String {
    let sdk = ctx.config.web_sdk.sources().join(" ");
    let logo = logo.and_then(|url| Url::parse(url).ok()).map(|url| url.origin().ascii_serialization());
    let forms = if ctx.config.local_targets { "https: http:" } else { "https:" };
    format!(
        "default-src 'none'; script-src 'self' {sdk}; style-src 'self'; img-src 'self' data: {sdk} {}; connect-src 'self' {sdk}; \
         frame-src {sdk}; form-action 'self' {forms}; base-uri 'none'; frame-ancestors 'none'",
        logo.unwrap_or_default()
    )
}

pub(crate) fn respond(status: StatusCode, policy: &str, markup: Markup) -> Response {
    let mut response = (status, no_store(), markup).into_response();
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Klarna's window has to be able to speak to the page.
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin-allow-popups"));
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Whether a url is of one of the sources of a policy: an origin, or `https://*.` and a domain.
fn is_from(url: &str, sources: &[String]) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let origin = url.origin().ascii_serialization();
    sources.iter().any(|source| match source.strip_prefix("https://*.") {
        Some(domain) => {
            url.scheme() == "https"
                && url.host_str().is_some_and(|host| host.strip_suffix(domain).is_some_and(|sub| sub.ends_with('.')))
        }
        None => *source == origin,
    })
}

/// The locale that Klarna is asked in: the order's, if it says where the customer is; else its language and the place that the order
/// tells of: its country, the customer's address, where it goes, the only market of its currency; else where the browser seems to be.
fn locale(session: &Session, accept_language: &str) -> String {
    let wish = session.order_text("locale");
    if let Some(whole) = wish.filter(|locale| locale.contains('-')) {
        return whole.to_owned();
    }
    let language = wish.map_or_else(|| words(None, accept_language).code.to_owned(), str::to_owned);
    let purchase = &session.detail.order["supplementary_purchase_data"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut markets = protocol::markets().iter().filter(|market| market.currency().code() == session.currency);
    let only = match (markets.next(), markets.next()) {
        (Some(market), None) => Some(market.country.to_owned()),
        _ => None,
    };
    let browsers = accept_language.split(',').filter_map(|wish| {
        let region = wish.split(';').next()?.trim().split('-').nth(1)?;
        (region.len() == 2).then(|| region.to_ascii_uppercase())
    });
    let country = text(&session.detail.order["country"])
        .or_else(|| text(&purchase["customer"]["address"]["country"]))
        .or_else(|| text(&purchase["shipping"][0]["address"]["country"]))
        .or(only)
        .or_else(|| browsers.into_iter().next());
    country.map_or(language.clone(), |country| format!("{language}-{}", country.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_from_the_sources_of_the_policy_only() {
        let sources = ["https://js.klarna.com".to_owned(), "https://*.klarnacdn.net".to_owned()];
        for good in ["https://js.klarna.com/a.svg", "https://x.klarnacdn.net/b.svg"] {
            assert!(is_from(good, &sources), "{good}");
        }
        for bad in [
            "https://klarnacdn.net/",
            "https://xklarnacdn.net/",
            "http://x.klarnacdn.net/",
            "https://evil.example/",
            "a",
        ] {
            assert!(!is_from(bad, &sources), "{bad}");
        }
    }

    #[test]
    fn what_the_page_sends_is_read_from_form_and_script_alike() {
        let mut headers = HeaderMap::new();
        let form = Sent::read(&headers, b"klarna_network_session_token=&method=klarna%2FS0xB");
        assert_eq!((form.method.as_str(), form.is_script), ("klarna", false));
        assert!(form.choice.token.is_none() && form.choice.payment_option_id.as_deref() == Some("S0xB"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let script = Sent::read(
            &headers,
            br#"{"method":"klarna","payment_option_id":"S0xB","klarna_network_session_token":"a b"}"#,
        );
        assert!(script.is_script && script.choice.token.is_none(), "no token has a space in it");
        assert_eq!(Sent::read(&headers, b"{").method, "");
    }
}
