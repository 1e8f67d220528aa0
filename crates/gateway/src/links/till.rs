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
use protocol::{Currency, Money};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::act::{self, Found};
use super::pages::{Fault, Refunding, Sale, TillFrame};
use super::qr;
use super::record::{Link, Till};
use super::store;
use crate::Ctx;
use crate::access::PartnerCaller;
use crate::checkout::body::{CreateSession, Purpose};
use crate::checkout::record::Session;
use crate::checkout::session::Standing;
use crate::checkout::{self, failure, respond, unknown};
use crate::events::once::Once;
use crate::payments;
use crate::payments::body::MoveMoney;
use crate::payments::record::Payment;

/// Nothing but our own files and forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

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
}

impl Opened {
    async fn read(ctx: &Ctx, key: &str) -> Result<Option<Self>, ApiError> {
        let hash = payments::token_hash(key);
        let till = ctx.db.look_up(move |tx| Box::pin(async move { store::till_of_key(tx, &hash).await })).await?;
        let Some(till) = till else { return Ok(None) };
        let caller = checkout::caller(ctx, &till.partner_id).await?;
        Ok(caller.map(|caller| Self { till, caller, base: format!("/till/{key}") }))
    }

    fn frame(&self) -> TillFrame<'_> {
        let shop = self.till.detail.branding.name.as_deref().unwrap_or(&self.caller.name);
        TillFrame { till: &self.till, shop, base: &self.base }
    }

    fn currency(&self) -> Result<Currency, ApiError> {
        self.till.currency.parse().map_err(ApiError::internal)
    }

    /// The page of the till.
    fn counter(&self, ctx: &Ctx, status: StatusCode, fields: &Fields, fault: Option<Fault>) -> Response {
        let name = act::new_link_id(ctx);
        respond(status, POLICY, self.frame().counter(&name, fields, fault.as_ref()))
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
        let Some(opened) = Opened::read(&ctx, &key).await? else { return Ok(None) };
        Ok(Some(opened.counter(&ctx, StatusCode::OK, &Fields::default(), None)))
    })
    .await
}

/// Makes a link under the name that the form brought: pressed twice, it is one sale.
async fn sell(State(ctx): State<Ctx>, Path(key): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key).await? else { return Ok(None) };
        let fields = Fields::read(&body);
        let fault = |field, reason: &str| Some(Fault { field, reason: reason.to_owned() });
        let refused = |fault| Ok(Some(opened.counter(&ctx, StatusCode::UNPROCESSABLE_ENTITY, &fields, fault)));
        let Some(money) = Money::typed(fields.get("amount"), opened.currency()?) else {
            return refused(fault("amount", "Enter an amount above zero, such as 12.50."));
        };
        let link_id = fields.get("sale").to_owned();
        if !is_link_id(&link_id) {
            return refused(fault("amount", "The page was out of date. Please press again."));
        }
        let order = act::sale(&opened.till, money.minor, fields.get("reference"));
        let asked = match CreateSession::check(order, Purpose::Link, ctx.config.local_targets, ctx.clock.now()) {
            Ok(asked) => asked,
            Err(_) => return refused(fault("reference", "A reference has at most 255 characters.")),
        };
        if opened.caller.suspended {
            return refused(fault("amount", "No new payments can be taken at the moment. Ask your provider."));
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
        let Some(opened) = Opened::read(&ctx, &key).await? else { return Ok(None) };
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
        Ok(Some(respond(StatusCode::OK, POLICY, opened.frame().sale(&sale))))
    })
    .await
}

async fn state(State(ctx): State<Ctx>, Path((key, link_id)): Path<(String, String)>) -> Result<Response, ApiError> {
    let opened = Opened::read(&ctx, &key).await?.ok_or_else(ApiError::no_such_route)?;
    let (session, payment) = sold(&ctx, &opened, &link_id).await?.ok_or_else(ApiError::no_such_route)?;
    let body = axum::Json(json!({ "mark": mark(&session, payment.as_ref()) }));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

async fn cancel(State(ctx): State<Ctx>, Path((key, link_id)): Path<(String, String)>, headers: HeaderMap) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key).await? else { return Ok(None) };
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
    Ok(respond(status, POLICY, opened.frame().refund(&page)))
}

/// Looks a purchase up by what was scanned or typed.
async fn find(State(ctx): State<Ctx>, Path(key): Path<String>, uri: http::Uri, headers: HeaderMap) -> Response {
    paged(&ctx, &headers, async {
        let Some(opened) = Opened::read(&ctx, &key).await?.filter(|opened| opened.till.may_refund) else {
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
        let Some(opened) = Opened::read(&ctx, &key).await?.filter(|opened| opened.till.may_refund) else {
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
            return refused("Enter an amount above zero, such as 12.50.".to_owned()).await.map(Some);
        };
        // A repetition of what was done is answered as it was, whatever is left now.
        let is_confirmed = fields.get("confirmed") == money.minor.to_string();
        let left = act::refundable(&payment);
        if !is_confirmed {
            if money.minor > left {
                let left = Money::new(left, currency);
                return refused(format!("At most {left} can be refunded.")).await.map(Some);
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
            Ok(answer) => refused(said(answer).await).await.map(Some),
            Err(error) if error.status.is_client_error() => refused(error.message.to_string()).await.map(Some),
            Err(error) => Err(error),
        }
    })
    .await
}

/// Klarna's words for a refusal.
async fn said(answer: Response) -> String {
    let bytes = axum::body::to_bytes(answer.into_body(), 64 * 1024).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    body["error_message"].as_str().unwrap_or("Klarna refused the refund; nothing was refunded.").to_owned()
}
