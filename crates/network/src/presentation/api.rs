//! `…/payment/presentation`, its variants, `…/payment/messaging/…`; and, without a key, what their links lead to.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::http::{ApiError, FieldFault};
use protocol::shape::{Kind, shapes};
use protocol::{Currency, KrnKind, Money};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::availability::Intent;
use super::descriptor::Links;
use super::language::Locale;
use super::messaging::{Placement, messaging};
use super::pages;
use super::present::{AMOUNT_MAX, Asked, Variant, present, variants};
use crate::ctx::Ctx;
use crate::operation::{Category, Doc, OnBehalf, Param, Parameters, Parts, Query, Reply, Route, Source, Who};
use crate::tokens::{self, Brought, Recognition};

/// Seconds that an answer may be kept (RULINGS §2).
const PRESENTATION_AGE_S: u32 = 300;
/// The same for variants, which no customer changes.
const VARIANTS_AGE_S: u32 = 86_400;
/// What an answer depends on beside its address.
const VARIES: &str = "authorization, klarna-customer-token, klarna-network-session-token, klarna-interoperability-token, \
     klarna-payment-token";
const TOKENS: &[&str] = &["Klarna-Customer-Token", "Klarna-Network-Session-Token", "Klarna-Interoperability-Token"];

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    use Source::{Collection, Inferred};
    let mut routes = vec![
        Route::for_account(
            Method::GET,
            &["/payment/presentation"],
            Category::Presentation,
            Who::Anyone,
            Doc::new("getPaymentPresentation", "How Klarna is to be shown to a customer in a checkout", Collection)
                .queries(presentation_params())
                .headers(TOKENS)
                .answers(200, shapes::presentation::presentation),
            show,
        ),
        Route::for_account(
            Method::GET,
            &["/payment/presentation/variants"],
            Category::Presentation,
            Who::Anyone,
            Doc::new(
                "getPaymentPresentationVariants",
                "How Klarna is to be shown to anybody, by amount, to be kept",
                Inferred,
            )
            .queries(variants_params())
            .answers(200, shapes::presentation::variants),
            show_variants,
        ),
    ];
    for (key, id, summary) in PLACEMENTS {
        let placement = Placement::from_key(key).expect("the keys of the API are placements");
        routes.push(Route::for_account(
            Method::GET,
            &[&format!("/payment/messaging/{key}")],
            Category::Messaging,
            Who::Anyone,
            Doc::new(id, summary, Collection)
                .queries(messaging_params())
                .headers(TOKENS)
                .answers(200, shapes::presentation::messaging)
                .answers_nothing(),
            move |ctx, on, parts, query| promote(placement, ctx, on, parts, query),
        ));
    }
    routes
}

const PLACEMENTS: [(&str, &str, &str); 4] = [
    (
        "credit-promotion-auto-size",
        "getCreditPromotionMessagingForAutoSize",
        "What a product or a cart would cost over time, with the logo",
    ),
    (
        "credit-promotion-badge",
        "getCreditPromotionMessagingForBadge",
        "What a product or a cart would cost over time, with the badge",
    ),
    ("top-strip-promotion-auto-size", "getTopStripPromotionMessagingForAutoSize", "A line above a shop, with the logo"),
    ("top-strip-promotion-badge", "getTopStripPromotionMessagingForBadge", "A line above a shop, with the badge"),
];

/// Pictures, and the page on the ways to pay: for browsers, without a key.
pub fn public_routes() -> Router<Ctx> {
    Router::new().route("/presentation/info", get(info)).route("/presentation/{picture}", get(picture))
}

const AMOUNT: Kind = Kind::Int { min: 1, max: AMOUNT_MAX };
/// `app_return_url`: the address of an app, in base64.
const APP_URL: Kind = Kind::Matching { min: 1, max: 4096, accepts: is_app_url, wanted: "the base64 of an app's URL" };

fn place_params() -> Vec<Param> {
    vec![
        Param::new("locale", Kind::Locale).required(),
        // Ours: where the customer lives, when the locale does not say it.
        Param::new("country", Kind::Country),
    ]
}

fn variants_params() -> Vec<Param> {
    let mut params = place_params();
    params.extend([
        Param::new("currency", Kind::Currency).required(),
        Param::new("intents[]", Kind::OneOf(Intent::TEXTS)).many(),
        // The newest spelling.
        Param::new("intent", Kind::OneOf(Intent::TEXTS)),
        Param::new("acquiring_config[payment_account_id]", Kind::Id(KrnKind::PaymentAccount)),
        Param::new("acquiring_config[payment_acquiring_account_id]", Kind::Id(KrnKind::AcquiringAccount)),
        Param::new("acquiring_config[payment_account_reference]", Kind::Text { min: 1, max: 255 }),
    ]);
    params
}

fn presentation_params() -> Vec<Param> {
    let mut params = variants_params();
    params.extend([
        Param::new("amount", AMOUNT),
        Param::new("subscription_billing_interval", Kind::OneOf(&["DAY", "WEEK", "MONTH", "YEAR"])),
        Param::new("subscription_billing_interval_frequency", Kind::Int { min: 1, max: AMOUNT_MAX }),
        Param::new("app_return_url", APP_URL),
    ]);
    params
}

fn messaging_params() -> Vec<Param> {
    let mut params = place_params();
    params.extend([
        Param::new("amount", AMOUNT),
        // The name of v1.
        Param::new("payment_amount", AMOUNT),
        Param::new("currency", Kind::Currency),
        Param::new("app_return_url", APP_URL),
        Param::new("custom_payment_method_ids", Kind::Text { min: 1, max: 255 }).many(),
        // Ours: described only; every preference reads the same words.
        Param::new("message_preference", Kind::Open),
    ]);
    params
}

static PRESENTATION: LazyLock<Parameters> = LazyLock::new(|| Parameters::new(presentation_params()));
static VARIANTS: LazyLock<Parameters> = LazyLock::new(|| Parameters::new(variants_params()));
static MESSAGING: LazyLock<Parameters> = LazyLock::new(|| Parameters::new(messaging_params()));

/// Base64 in either alphabet, padded or not; a `+` that a query turned into a space is one again.
fn is_app_url(text: &str) -> bool {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    let text = text.replace([' ', '-'], "+").replace('_', "/");
    let url = standard.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    url.and_then(|url| url::Url::parse(&url).ok()).is_some_and(|url| !matches!(url.scheme(), "javascript" | "data"))
}

/// What the query asks.
fn asked(on: &OnBehalf, query: &Query, currency: Currency) -> Asked {
    let locale = Locale::read(query.text("locale").unwrap_or_default(), query.text("country"));
    let texts = [query.texts("intents"), query.text("intent").into_iter().collect()].concat();
    let mut intents: Vec<Intent> = Vec::new();
    for intent in texts.into_iter().filter_map(Intent::read) {
        if !intents.contains(&intent) {
            intents.push(intent);
        }
    }
    Asked {
        account: on.account.clone(),
        locale,
        currency,
        amount: query.number("amount").or_else(|| query.number("payment_amount")),
        intents,
        acquiring_config: query.object("acquiring_config").cloned(),
    }
}

fn currency(query: &Query) -> Option<Currency> {
    query.text("currency").and_then(|code| code.parse().ok())
}

fn missing(parameter: &'static str) -> ApiError {
    ApiError::validation(vec![FieldFault::new(parameter, "is required")])
}

/// Runs a use case with the customer that the tokens show.
async fn recognised<T, F>(
    ctx: &Ctx,
    on: &OnBehalf,
    headers: &HeaderMap,
    use_case: F,
) -> Result<(Recognition, T), ApiError>
where
    F: for<'t> FnOnce(&'t mut kit::db::Tx, &'t Ctx, &'t Recognition) -> kit::db::UnitFuture<'t, Result<T, ApiError>>
        + Send
        + 'static,
    T: Send + 'static,
{
    let (brought, account, ctx_of_unit) = (Brought::read(headers), on.account.clone(), ctx.clone());
    // Before anything asks for them inside a reading transaction.
    let keys = tokens::keys(ctx).await?;
    ctx.db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<(Recognition, T), ApiError>> {
            Box::pin(async move {
                let ctx = ctx_of_unit;
                let who = tokens::recognise(tx, &keys, &account, &brought, ctx.clock.now()).await?;
                let found = use_case(tx, &ctx, &who).await?;
                Ok((who, found))
            })
        })
        .await
}

/// Answers how Klarna is to be shown; for whoever found the account otherwise, too.
///
/// # Errors
/// 400 naming every faulty parameter, [`kit::db::DbError`].
pub async fn show(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = PRESENTATION.read(query.as_deref())?;
    let currency = currency(&query).ok_or_else(|| missing("currency"))?;
    let asked = asked(&on, &query, currency);
    let needs_amount = asked.intents.is_empty()
        || asked.intents.iter().any(|intent| matches!(intent, Intent::Pay | Intent::Subscribe));
    if needs_amount && asked.amount.is_none() {
        return Err(missing("amount"));
    }
    let (who, shown) = recognised(&ctx, &on, &headers, move |tx, ctx, who| {
        Box::pin(async move {
            let links = Links { base: &ctx.config.base_url };
            present(tx, &links, &asked, who, ctx.clock.now()).await
        })
    })
    .await?;
    // What a customer's token changed is that customer's.
    let age = (who == Recognition::stranger()).then_some(PRESENTATION_AGE_S);
    Ok(kept(&headers, age, &shown.into_json()))
}

async fn show_variants(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = VARIANTS.read(query.as_deref())?;
    let currency = currency(&query).ok_or_else(|| missing("currency"))?;
    let asked = asked(&on, &query, currency);
    let (tag, ctx_of_unit) = (asked.locale.tag(), ctx.clone());
    let found = ctx
        .db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<Vec<Variant>, ApiError>> {
            Box::pin(async move {
                let links = Links { base: &ctx_of_unit.config.base_url };
                variants(tx, &links, &asked, ctx_of_unit.clock.now()).await
            })
        })
        .await?;
    let view = |variant: Variant| {
        json!({
            "minimum_amount": variant.minimum,
            "maximum_amount": variant.maximum,
            "presentation": variant.presentation.into_json(),
        })
    };
    let list: Vec<Value> = found.into_iter().map(view).collect();
    Ok(kept(&headers, Some(VARIANTS_AGE_S), &json!({"currency": currency, "locale": tag, "variants": list})))
}

/// Answers with the message of a placement; for whoever found the account otherwise, too.
///
/// # Errors
/// As [`show`].
pub async fn promote(
    placement: Placement,
    State(ctx): State<Ctx>,
    on: OnBehalf,
    parts: Parts,
    (headers, RawQuery(query)): (HeaderMap, RawQuery),
) -> Result<Response, ApiError> {
    let query = MESSAGING.read(query.as_deref())?;
    let locale = Locale::read(query.text("locale").unwrap_or_default(), query.text("country"));
    let home = protocol::Market::by_country(&locale.country).map(protocol::Market::currency);
    let mut faults = Vec::new();
    if placement.needs_amount() {
        if query.number("amount").or_else(|| query.number("payment_amount")).is_none() {
            faults.push(FieldFault::new("amount", "is required"));
        }
        // Only version 2 insists on it: else the customer's own is meant.
        if query.text("currency").is_none() && parts.path.starts_with("/v2/") {
            faults.push(FieldFault::new("currency", "is required"));
        }
    }
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let nothing = Reply::no_content().into_response();
    let Some(currency) = currency(&query).or(home) else { return Ok(nothing) };
    let asked = asked(&on, &query, currency);
    let (_, message) = recognised(&ctx, &on, &headers, move |tx, ctx, _| {
        Box::pin(async move {
            let links = Links { base: &ctx.config.base_url };
            messaging(tx, &links, placement, &asked, ctx.clock.now()).await
        })
    })
    .await?;
    Ok(message.map_or(nothing, |message| kept(&headers, Some(PRESENTATION_AGE_S), &message)))
}

/// An answer that its caller, and nobody between, may keep for so many seconds; without a number, for no time. A caller who has it
/// already is told so.
fn kept(request: &HeaderMap, age_s: Option<u32>, body: &Value) -> Response {
    let reply = Reply::json(StatusCode::OK, body);
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&reply.body)[..16]));
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    let is_known = known.any(|tag| tag == etag || tag == "*");
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { reply.into_response() };
    let control = age_s.map_or_else(|| "private, no-cache".to_owned(), |age| format!("private, max-age={age}"));
    let headers = response.headers_mut();
    for (name, value) in [(CACHE_CONTROL, control.as_str()), (ETAG, etag.as_str()), (VARY, VARIES)] {
        headers.append(name, HeaderValue::from_str(value).expect("digits, letters and signs of ASCII"));
    }
    response
}

async fn picture(Path(name): Path<String>) -> Response {
    let wanted = name.strip_suffix(".svg");
    let found = pages::PICTURES.iter().find(|(name, _)| wanted == Some(name));
    let Some((_, svg)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [
        (CONTENT_TYPE, "image/svg+xml"),
        (CACHE_CONTROL, "public, max-age=86400"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, *svg).into_response()
}

async fn info(RawQuery(query): RawQuery) -> Response {
    // A visitor can do nothing about a faulty address: what cannot be read is passed over.
    let field = |name: &str| {
        let query = query.as_deref().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.into_owned())
    };
    let locale = Locale::read(&field("locale").unwrap_or_default(), None);
    let currency: Option<Currency> = field("currency").and_then(|code| code.parse().ok());
    let amount: Option<i64> = field("amount").and_then(|amount| amount.parse().ok());
    let amount = amount.filter(|amount| (1..=AMOUNT_MAX).contains(amount));
    let money = currency.zip(amount).map(|(currency, minor)| Money::new(minor, currency));
    let headers = [
        (CACHE_CONTROL, "public, max-age=300"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, pages::info(&locale, money)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_address_is_base64_in_any_form() {
        for text in
            ["YXBwTmFtZTovL0tsYXJuYVBheW1lbnQ=", "YXBwTmFtZTovL0tsYXJuYVBheW1lbnQ", "aHR0cHM6Ly9hLmV4YW1wbGUvP3E9fn5-"]
        {
            assert!(is_app_url(text), "{text}");
        }
        for text in ["appName://KlarnaPayment", "%%%", "bm8gdXJs", "amF2YXNjcmlwdDphbGVydCgxKQ=="] {
            assert!(!is_app_url(text), "{text}");
        }
    }

    #[test]
    fn every_placement_of_the_api_is_a_placement() {
        assert!(PLACEMENTS.iter().all(|(key, _, _)| Placement::from_key(key).is_some()));
    }
}
