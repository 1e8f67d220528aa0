//! The pages of a till, and the codes of links. The till's address is its key: no cookie goes along, so no other page can press its
//! buttons. Every button is safe to press twice: a sale has its link's name from the form that makes it, a refund its idempotency key.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use kit::idempotency;
use maud::Markup;
use protocol::{Currency, Money};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::act::{self, Found};
use super::pages::{Fault, Refunding, Sale, TillFrame};
use super::qr;
use super::record::{Link, Till};
use super::store;
use super::words::{TillWords, till_words};
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::checkout::body::{CreateSession, Purpose};
use crate::checkout::branding::Branding;
use crate::checkout::record::Session;
use crate::checkout::session::Standing;
use crate::checkout::{self, Words, accept_language, failure, fill, respond, unknown};
use crate::events::once::Once;
use crate::partners;
use crate::payments;
use crate::payments::body::MoveMoney;
use crate::payments::record::Payment;

/// Nothing but our own files and forms, and the shop's logo.
fn policy(branding: &Branding) -> String {
    let logo = branding.logo_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    let logo = logo.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {logo}; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// The pages.
pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/checkout/{key}/qr.svg", get(code_svg))
        .route("/checkout/{key}/qr.png", get(code_png))
        .route("/till/{key}", get(show))
        .route("/till/{key}/sales", post(sell))
        .route("/till/{key}/sales/{link_id}", get(sale))
        .route("/till/{key}/sales/{link_id}/state", get(state))
        .route("/till/{key}/sales/{link_id}/cancel", post(cancel))
        .route("/till/{key}/refund", get(find).post(refund))
}

async fn code_svg(State(ctx): State<Ctx>, Path(key): Path<String>) -> Result<Response, ApiError> {
    let address = address(&ctx, &key).await?;
    let svg = qr::svg(&address).ok_or_else(ApiError::no_such_route)?;
    Ok((
        [
            (CONTENT_TYPE, "image/svg+xml"),
            (CACHE_CONTROL, "private, max-age=3600"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        svg,
    )
        .into_response())
}

async fn code_png(State(ctx): State<Ctx>, Path(key): Path<String>) -> Result<Response, ApiError> {
    let address = address(&ctx, &key).await?;
    let png = qr::png(&address).ok_or_else(ApiError::no_such_route)?;
    Ok((
        [(CONTENT_TYPE, "image/png"), (CACHE_CONTROL, "private, max-age=3600"), (X_CONTENT_TYPE_OPTIONS, "nosniff")],
        png,
    )
        .into_response())
}

/// The address of a page that exists.
async fn address(ctx: &Ctx, key: &str) -> Result<String, ApiError> {
    let session = checkout::read_by_key(ctx, key).await?.ok_or_else(ApiError::no_such_route)?;
    session.url(ctx)
}

/// A till on its page.
struct Opened {
    till: Till,
    caller: PartnerCaller,
    base: String,
    /// The till's own, completed by what the Partner is known by.
    branding: Branding,
    words: &'static Words,
    till_words: &'static TillWords,
}

impl Opened {
    async fn read(ctx: &Ctx, key: &str, headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let (hash, within) = (payments::token_hash(key), ctx.clone());
        let read = ctx.db.read(move |tx| {
            Box::pin(async move {
                let Some(till) = store::till_of_key(tx, &hash).await? else { return Ok(None) };
                let known = partners::shown_as(tx, &within, &till.partner_id).await?;
                Ok::<_, ApiError>(Some((till, known)))
            })
        });
        let Some((till, known)) = read.await? else { return Ok(None) };
        let Some(caller) = checkout::caller(ctx, &till.partner_id).await? else { return Ok(None) };
        let words = checkout::words(till.detail.locale.as_deref(), accept_language(headers));
        Ok(Some(Self {
            branding: till.detail.branding.clone().or(known),
            till,
            caller,
            base: format!("/till/{key}"),
            words,
            till_words: till_words(words.code),
        }))
    }

    fn respond(&self, status: StatusCode, page: Markup) -> Response {
        respond(status, &policy(&self.branding), page)
    }

    fn frame(&self) -> TillFrame<'_> {
        TillFrame {
            till: &self.till,
            shop: self.branding.name.as_deref().unwrap_or(&self.caller.name),
            logo: self.branding.logo_url.as_deref(),
            base: &self.base,
            words: self.words,
            till_words: self.till_words,
        }
    }

    /// That an amount will not do, with one that would.
    fn amount_wrong(&self, currency: Currency) -> String {
        let (group, point) = self.words.digits;
        let example = Money::new(950, currency).grouped(group, point);
        fill(self.till_words.amount_wrong, "example", &example)
    }

    fn currency(&self) -> Result<Currency, ApiError> {
        self.till.currency.parse().map_err(ApiError::internal)
    }

    /// The page of the till.
    fn counter(&self, ctx: &Ctx, status: StatusCode, fields: &Fields, fault: Option<Fault>) -> Response {
        let name = act::new_link_id(ctx);
        self.respond(status, self.frame().counter(&name, fields, fault.as_ref()))
    }
}

/// A form's fields.
#[derive(Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Without the space around it.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.trim())
    }
}

async fn paged(
    ctx: &Ctx,
    headers: &HeaderMap,
    page: impl Future<Output = Result<Option<Response>, ApiError>>,
) -> Response {
    match page.await {
        Ok(Some(response)) => response,
        Ok(None) => unknown(ctx, headers),
        Err(error) => failure(ctx, headers, &error),
    }
}

async fn show(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Ok(None) };
        Ok(Some(opened.counter(&ctx, StatusCode::OK, &Fields::default(), None)))
    })
    .await
}

/// Makes a link under the name that the form brought: pressed twice, it is one sale.
async fn sell(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Ok(None) };
        let fields = Fields::read(&body);
        let fault = |field, reason: &str| Some(Fault { field, reason: reason.to_owned() });
        let refused = |fault| Ok(Some(opened.counter(&ctx, StatusCode::UNPROCESSABLE_ENTITY, &fields, fault)));
        let (words, currency) = (opened.till_words, opened.currency()?);
        let Some(money) = Money::typed(fields.get("amount"), currency) else {
            return refused(fault("amount", &opened.amount_wrong(currency)));
        };
        let link_id = fields.get("sale").to_owned();
        if !is_link_id(&link_id) {
            return refused(fault("amount", words.out_of_date));
        }
        let order = act::sale(&opened.till, money.minor, fields.get("reference"));
        let asked = match CreateSession::check(order, Purpose::Link, ctx.config.local_targets, ctx.clock.now()) {
            Ok(asked) => asked,
            Err(_) => return refused(fault("reference", words.reference_long)),
        };
        if opened.caller.suspended {
            return refused(fault("amount", words.suspended));
        }
        let shared = std::sync::Arc::new((opened.caller.clone(), asked, link_id, opened.till.clone()));
        let (link, _) = ctx
            .db
            .write_repeating(|| {
                let (ctx, shared) = (ctx.clone(), std::sync::Arc::clone(&shared));
                move |tx: &mut Tx| -> UnitFuture<'_, Result<(Link, Session), ApiError>> {
                    Box::pin(async move {
                        let (caller, asked, link_id, till) = &*shared;
                        act::create_link(tx, &ctx, caller, asked.clone(), (link_id, Some(till))).await
                    })
                }
            })
            .await?;
        ctx.poke.poke();
        Ok(Some(Redirect::to(&format!("{}/sales/{}", opened.base, link.link_id)).into_response()))
    })
    .await
}

fn is_link_id(text: &str) -> bool {
    text.strip_prefix("pl_").is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A sale of this till, with its payment.
async fn sold(ctx: &Ctx, opened: &Opened, link_id: &str) -> Result<Option<(Session, Option<Payment>)>, ApiError> {
    let found = act::read_link(ctx, &opened.till.partner_id, link_id).await?;
    let of_till = found.filter(|(link, _)| link.till_id.as_deref() == Some(&opened.till.till_id));
    match of_till {
        Some((link, _)) => checkout::read(ctx, &opened.till.partner_id, &link.session_id).await,
        None => Ok(None),
    }
}

fn mark(session: &Session, payment: Option<&Payment>) -> String {
    let place = match Standing::of(payment) {
        Standing::None | Standing::Declined | Standing::CameToNothing => "free",
        Standing::WithCustomer => "customer",
        Standing::Underway => "confirming",
        Standing::Paid => "paid",
    };
    format!("{}-{place}-{}", session.state, session.attempt)
}

async fn sale(State(ctx): State<Ctx>, Path((key, link_id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Ok(None) };
        let Some((session, payment)) = sold(&ctx, &opened, &link_id).await? else { return Ok(None) };
        let (url, mark) = (session.url(&ctx)?, mark(&session, payment.as_ref()));
        let sale = Sale {
            session: &session,
            standing: Standing::of(payment.as_ref()),
            link_id: &link_id,
            url: &url,
            // On this gateway, whatever name it is reached by.
            code: url.rfind("/checkout/").map_or("", |at| &url[at..]),
            mark: &mark,
        };
        Ok(Some(opened.respond(StatusCode::OK, opened.frame().sale(&sale))))
    })
    .await
}

async fn state(
    State(ctx): State<Ctx>,
    Path((key, link_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let opened = Opened::read(&ctx, &key, &headers).await?.ok_or_else(ApiError::no_such_route)?;
    let (session, payment) = sold(&ctx, &opened, &link_id).await?.ok_or_else(ApiError::no_such_route)?;
    let body = axum::Json(json!({ "mark": mark(&session, payment.as_ref()) }));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

async fn cancel(State(ctx): State<Ctx>, Path((key, link_id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await? else { return Ok(None) };
        let Some((session, _)) = sold(&ctx, &opened, &link_id).await? else { return Ok(None) };
        match act::cancel(&ctx, &opened.till.partner_id, &session.session_id).await {
            Ok(_) => {}
            // Paid, expired or about to be paid: the page says which.
            Err(error) if error.status.is_client_error() => {}
            Err(error) => return Err(error),
        }
        Ok(Some(Redirect::to(&format!("{}/sales/{link_id}", opened.base)).into_response()))
    })
    .await
}

/// What a refund is made of, looked up.
async fn look_up(ctx: &Ctx, opened: &Opened, reference: &str) -> Result<Found, ApiError> {
    if reference.is_empty() {
        return Ok(Found::None);
    }
    // A receipt may show the address of a page: what stands behind its last slash is meant.
    let reference = reference.rsplit('/').next().unwrap_or(reference);
    act::find_captured(ctx, &opened.till.partner_id, reference).await
}

async fn refunding(
    ctx: &Ctx,
    opened: &Opened,
    reference: &str,
    (typed, confirm): (&str, Option<Money>),
    status: StatusCode,
    fault: Option<Fault>,
) -> Result<Response, ApiError> {
    let found = look_up(ctx, opened, reference).await?;
    let operations = match &found {
        Found::One(payment) => {
            let read = payments::read(ctx, &opened.till.partner_id, &payment.payment_id).await?;
            read.map(|(_, operations)| operations).unwrap_or_default()
        }
        Found::None | Found::Several => Vec::new(),
    };
    let once = format!("till-{}", ctx.random.base64url(12));
    let page = Refunding { reference, found: &found, operations: &operations, typed, confirm, once: &once, fault };
    Ok(opened.respond(status, opened.frame().refund(&page)))
}

/// Looks a purchase up by what was scanned or typed.
async fn find(State(ctx): State<Ctx>, Path(key): Path<String>, uri: http::Uri, headers: HeaderMap) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await?.filter(|opened| opened.till.may_refund) else {
            return Ok(None);
        };
        let query = Fields::read(uri.query().unwrap_or_default().as_bytes());
        refunding(&ctx, &opened, query.get("reference"), ("", None), StatusCode::OK, None).await.map(Some)
    })
    .await
}

/// First asks, naming the amount; then refunds.
async fn refund(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key, &headers).await?.filter(|opened| opened.till.may_refund) else {
            return Ok(None);
        };
        let fields = Fields::read(&body);
        let (reference, typed) = (fields.get("reference"), fields.get("amount"));
        let refused = |reason: String| {
            let fault = Some(Fault { field: "amount", reason });
            refunding(&ctx, &opened, reference, (typed, None), StatusCode::UNPROCESSABLE_ENTITY, fault)
        };
        let Found::One(payment) = look_up(&ctx, &opened, reference).await? else {
            return refunding(&ctx, &opened, reference, (typed, None), StatusCode::UNPROCESSABLE_ENTITY, None)
                .await
                .map(Some);
        };
        let currency: Currency = payment.currency.parse().map_err(ApiError::internal)?;
        let Some(money) = Money::typed(typed, currency) else {
            return refused(opened.amount_wrong(currency)).await.map(Some);
        };
        // A repetition of what was done is answered as it was, whatever is left now.
        let is_confirmed = fields.get("confirmed") == money.minor.to_string();
        let left = act::refundable(&payment);
        if !is_confirmed {
            if money.minor > left {
                let left = opened.words.money(Money::new(left, currency));
                return refused(fill(opened.till_words.at_most, "amount", &left)).await.map(Some);
            }
            return refunding(&ctx, &opened, reference, (typed, Some(money)), StatusCode::OK, None).await.map(Some);
        }
        let body = json!({"amount": money.minor, "reference": opened.till.till_id});
        let once = Once {
            scope: format!("{} POST /till/refund {}", opened.till.partner_id, payment.payment_id),
            key: fields.get("once").chars().take(64).collect(),
            fingerprint: idempotency::fingerprint(&body),
        };
        let asked = MoveMoney::check_refund(body)?;
        match payments::refund(&ctx, opened.caller.clone(), once, payment.payment_id.clone(), asked).await {
            Ok(answer) if answer.status().is_success() => {
                let reference: String = form_urlencoded::byte_serialize(reference.as_bytes()).collect();
                Ok(Some(Redirect::to(&format!("{}/refund?reference={reference}", opened.base)).into_response()))
            }
            Ok(answer) => refused(because(opened.till_words.refused, &said(answer).await)).await.map(Some),
            Err(error) if error.status.is_client_error() => {
                refused(because(opened.till_words.refused, &error.message)).await.map(Some)
            }
            Err(error) => Err(error),
        }
    })
    .await
}

/// Klarna's words for a refusal.
async fn said(answer: Response) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), 64 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    body["error_message"].as_str().unwrap_or_default().to_owned()
}

/// What happened, and why as far as anybody said so.
fn because(what: &str, why: &str) -> String {
    if why.is_empty() { what.to_owned() } else { format!("{what} ({why})") }
}
