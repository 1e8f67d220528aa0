//! `/websdk/…`: what the SDK asks. Beside the page's own right to ask ([`super::page`]), what it is told of a Payment Request depends on
//! the access token of the request's address: without it, a finished request says its state and nothing of anybody.

use axum::Router;
use axum::extract::{Path, Query, RawQuery, State};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault, JsonBody};
use protocol::payments::PaymentRequest as WireRequest;
use protocol::{PartnerAccountId, PaymentRequestId, check_purchase_sum, shapes};
use serde::Deserialize;
use serde_json::{Value, json};

use super::launch::{Answer, Display, Launch, Question};
use super::page::{Page, cross_origin};
use super::store;
use crate::accounts::AccountKind;
use crate::ctx::Ctx;
use crate::operation::{Parts, Reply, check, conflict, not_found};
use crate::payments::{self, CustomerStep, JourneyRequest};
use crate::presentation::{self, Locale, Placement};
use crate::tokens::{self, Brought};

type Params = std::collections::BTreeMap<String, String>;

/// The transport of the SDK.
pub fn routes(ctx: &Ctx) -> Router {
    Router::new()
        .route("/websdk/sessions", post(open_session).options(preflight))
        .route("/websdk/words", get(words).options(preflight))
        .route("/websdk/presentation", get(show).options(preflight))
        .route("/websdk/messaging/{placement_key}", get(promote).options(preflight))
        .route("/websdk/interoperability", get(interoperability).options(preflight))
        .route("/websdk/payment-requests", post(create).options(preflight))
        .route("/websdk/payment-requests/{payment_request_id}", get(read).delete(cancel).options(preflight))
        .route("/websdk/payment-requests/{payment_request_id}/launch", post(launch).options(preflight))
        .route("/websdk/payment-requests/{payment_request_id}/leave", post(leave).options(preflight))
        .route(
            "/websdk/payment-requests/{payment_request_id}/shipping-change",
            post(change_shipping).options(preflight),
        )
        .layer(middleware::from_fn(cross_origin))
        .with_state(ctx.clone())
}

/// What a browser asks before it sends what a form could not: [`cross_origin`] answers.
async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Begins an instance: proves that the client identifier may be used here, and gives a session token. One that was brought stays, as
/// long as it says something.
async fn open_session(
    State(ctx): State<Ctx>,
    page: Page,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Reply, ApiError> {
    let keys = tokens::keys(&ctx).await?;
    let text = |name: &str| body.value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (sdk_token, locale) = (text("sdk_token"), text("locale"));
    let brought = headers.get(protocol::header::KLARNA_NETWORK_SESSION_TOKEN).and_then(|value| value.to_str().ok());
    let brought = brought.map(str::to_owned);
    let account = page.on.account.clone();
    let (token, is_resumed) = ctx
        .write(|| {
            let (ctx, keys, account) = (ctx.clone(), keys.clone(), account.clone());
            let (sdk_token, brought) = (sdk_token.clone(), brought.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(String, bool), ApiError>> {
                Box::pin(async move {
                    let now = ctx.clock.now();
                    if let Some(text) = &sdk_token {
                        return match tokens::redeem_sdk_token(tx, &keys, text, now).await? {
                            Some((owner, session)) if owner == account => Ok((session.to_string(), true)),
                            // Somebody else's stays unused: the refusal takes its use back.
                            _ => Err(ApiError::validation(vec![FieldFault::new(
                                "sdk_token",
                                "does not exist, was used, or is more than ten minutes old",
                            )])),
                        };
                    }
                    if let Some(text) = brought
                        && tokens::is_alive(tx, &keys, &account, &text, now).await?
                    {
                        return Ok((text, true));
                    }
                    Ok((tokens::visiting_token(&keys, &account, ctx.random.id(now), now).to_string(), false))
                })
            }
        })
        .await?;
    let body = json!({
        "klarna_network_session_token": token,
        "resumed": is_resumed,
        "partner_account_id": account,
        "words": texts(locale.as_deref().unwrap_or_default()),
    });
    Ok(Reply::json(StatusCode::OK, &body))
}

/// The texts that buttons and the curtain are written in.
fn texts(locale: &str) -> Value {
    let locale = Locale::read(locale, None);
    let words = locale.words;
    let label = |text: &str| text.replace("{klarna}", presentation::BRAND);
    json!({
        "locale": locale.tag(),
        "buttons": {
            "PAY": label(words.pay),
            "SUBSCRIBE": label(words.subscribe),
            "DONATE": label(words.donate),
            "SIGNIN": label(words.sign_in),
            "SIGNUP": label(words.sign_up),
            "ADD_TO_WALLET": label(words.add),
        },
        "curtain_title": words.curtain_title,
        "curtain_text": words.curtain_text,
        "curtain_continue": words.curtain_continue,
        "curtain_cancel": words.curtain_cancel,
        "blocked_title": words.blocked_title,
        "blocked_text": words.blocked_text,
    })
}

async fn words(_: Page, Query(query): Query<Params>) -> Reply {
    Reply::json(StatusCode::OK, &texts(query.get("locale").map(String::as_str).unwrap_or_default()))
}

async fn show(state: State<Ctx>, page: Page, headers: HeaderMap, query: RawQuery) -> Result<Response, ApiError> {
    presentation::show(state, page.on, headers, query).await
}

async fn promote(
    state: State<Ctx>,
    page: Page,
    Path(key): Path<String>,
    parts: Parts,
    headers: HeaderMap,
    query: RawQuery,
) -> Result<Response, ApiError> {
    let placement = Placement::from_key(&key).ok_or_else(|| not_found("There is no placement of this key."))?;
    presentation::promote(placement, state, page.on, parts, (headers, query)).await
}

async fn interoperability(state: State<Ctx>, page: Page, query: Query<Params>) -> Result<Reply, ApiError> {
    tokens::read_interoperability(state, page.on, query).await
}

/// A request as the SDK reads it: with the way back, and the question that its page has to answer.
fn told(object: &WireRequest, launch: Option<&Launch>) -> Result<Value, ApiError> {
    let mut body = serde_json::to_value(object).map_err(ApiError::internal)?;
    if let Some(location) = payments::return_location(object) {
        body["return_location"] = location.into();
    }
    if let Some(question) = launch.and_then(Launch::question) {
        body["shipping_change"] = question;
    }
    Ok(body)
}

/// What a page asks for itself, of `PaymentRequestData`.
async fn create(State(ctx): State<Ctx>, page: Page, headers: HeaderMap, body: JsonBody) -> Result<Reply, ApiError> {
    let body = body.value;
    check(shapes::create_payment_request(), &body)?;
    if let Some(fault) = body["amount"].as_i64().and_then(|amount| check_purchase_sum(&body, amount)) {
        return Err(crate::operation::invalid(vec![fault]));
    }
    let recognition = Brought::read(&headers);
    tokens::keys(&ctx).await?;
    let object = write(&ctx, &page, move |tx, ctx, page| {
        let (body, recognition) = (body.clone(), recognition.clone());
        Box::pin(async move {
            let on = (&page.on.account, page.on.correlation_id.as_str());
            told(&payments::create(tx, &ctx, on, &body, &recognition).await?, None)
        })
    })
    .await?;
    Ok(Reply::json(StatusCode::CREATED, &object))
}

/// Runs a unit of work for a page.
async fn write<F>(ctx: &Ctx, page: &Page, unit: F) -> Result<Value, ApiError>
where
    F: for<'t> Fn(&'t mut Tx, Ctx, Page) -> UnitFuture<'t, Result<Value, ApiError>> + Clone + Send + 'static,
{
    ctx.write(|| {
        let (ctx, page, unit) = (ctx.clone(), page.clone(), unit.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Value, ApiError>> { unit(tx, ctx, page) }
    })
    .await
}

fn absent() -> ApiError {
    not_found("The payment request does not exist, ended more than 24 hours ago, or is not this client identifier's.")
}

/// Whether the page may deal with this account's requests: the one that it acts for, or, for a PSP's own client identifier that names
/// none, one below.
async fn may(tx: &mut Tx, page: &Page, account: &PartnerAccountId) -> Result<bool, ApiError> {
    if *account == page.on.account {
        return Ok(true);
    }
    let names_none = page.on.account == page.on.caller.account && page.on.caller.kind == AccountKind::AcquiringPartner;
    let above = crate::accounts::acquiring_partner(tx, account).await?;
    Ok(names_none && above.as_deref() == Some(page.on.account.as_str()))
}

/// The request that an access token opens, after the customer's step.
async fn opened(
    tx: &mut Tx,
    ctx: &Ctx,
    page: &Page,
    (id, access_token): (&str, &str),
    step: &CustomerStep,
) -> Result<JourneyRequest, ApiError> {
    let (id, access_token) = (id.parse::<PaymentRequestId>().map_err(|_| absent())?, access_token);
    let region = id.as_str().split(':').nth(2).and_then(|region| region.parse().ok()).ok_or_else(absent)?;
    let address = (region, id.uuid().ok_or_else(absent)?);
    let correlation = Some(page.on.correlation_id.as_str());
    let found = payments::customer_step(tx, ctx, address, access_token, step, correlation).await?.ok_or_else(absent)?;
    if may(tx, page, &found.account).await? { Ok(found) } else { Err(absent()) }
}

async fn read(
    State(ctx): State<Ctx>,
    page: Page,
    Path(id): Path<String>,
    Query(query): Query<Params>,
) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    if let Some(access_token) = query.get("access_token").cloned() {
        let body = write(&ctx, &page, move |tx, ctx, page| {
            let (id, access_token) = (id.clone(), access_token.clone());
            Box::pin(async move {
                let found = opened(tx, &ctx, &page, (&id, &access_token), &CustomerStep::Look).await?;
                let launch = store::find(tx, &ctx, &found.account, &id).await?;
                told(&found.object, launch.as_ref())
            })
        })
        .await?;
        return Ok(Reply::json(StatusCode::OK, &body));
    }
    let account = owner(&ctx, &page, &id).await?;
    let object = payments::read(&ctx, &account, &id).await?;
    Ok(Reply::json(StatusCode::OK, &told(&shown_to_anybody(object), None)?))
}

/// Ours: an id alone says how the request stands, and where it is open. Ids travel in addresses and logs; what the customer approved and
/// who that is does not go to whoever found one.
fn shown_to_anybody(mut object: WireRequest) -> WireRequest {
    let is_open = object.payment_request_url.is_some();
    if !is_open {
        object.state_context = None;
    }
    object.supplementary_purchase_data = None;
    object.customer_interaction_config = None;
    object
}

async fn owner(ctx: &Ctx, page: &Page, id: &str) -> Result<PartnerAccountId, ApiError> {
    let (page, id) = (page.clone(), id.to_owned());
    ctx.db
        .read(move |tx| -> UnitFuture<'_, Result<PartnerAccountId, ApiError>> {
            Box::pin(async move {
                let id = id.parse::<PaymentRequestId>().map_err(|_| absent())?;
                let account = payments::account_of(tx, id.as_str()).await?.ok_or_else(absent)?;
                if may(tx, &page, &account).await? { Ok(account) } else { Err(absent()) }
            })
        })
        .await
}

async fn cancel(
    State(ctx): State<Ctx>,
    page: Page,
    Path(id): Path<String>,
    Query(query): Query<Params>,
) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    let account = owner(&ctx, &page, &id).await?;
    let access_token = query.get("access_token").cloned();
    let body = write(&ctx, &page, move |tx, ctx, page| {
        let (id, account, access_token) = (id.clone(), account.clone(), access_token.clone());
        Box::pin(async move {
            // A completed one has something to lose: who takes that back shows the address.
            match &access_token {
                Some(token) => drop(opened(tx, &ctx, &page, (&id, token), &CustomerStep::Look).await?),
                None if payments::is_open(tx, &ctx, &account, &id).await? => {}
                None => {
                    return Err(conflict(
                        "The payment request has ended. What was approved is taken back with an API key.",
                    ));
                }
            }
            told(&payments::cancel(tx, &ctx, (&account, &page.on.correlation_id), &id).await?, None)
        })
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &body))
}

#[derive(Deserialize)]
struct LaunchBody {
    access_token: String,
    display: String,
    #[serde(default)]
    answers_shipping: bool,
    #[serde(default)]
    shipping_config: Option<Value>,
}

fn read_body<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, ApiError> {
    serde_json::from_value(body.clone())
        .map_err(|error| ApiError::validation(vec![FieldFault::new("body", error.to_string())]))
}

/// The SDK is about to show the journey: from now on that hands back to this page.
async fn launch(State(ctx): State<Ctx>, page: Page, Path(id): Path<String>, body: JsonBody) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    let body = body.value;
    if !body["display"].as_str().is_some_and(|display| Display::TEXTS.contains(&display)) {
        return Err(ApiError::validation(vec![FieldFault::new("display", "must be one of REDIRECT, POPUP, FRAME")]));
    }
    read_body::<LaunchBody>(&body)?;
    let body = write(&ctx, &page, move |tx, ctx, page| {
        let (id, body) = (id.clone(), body.clone());
        Box::pin(async move {
            let wish: LaunchBody = read_body(&body)?;
            let found = opened(tx, &ctx, &page, (&id, &wish.access_token), &CustomerStep::Look).await?;
            let mut object = found.object;
            let wanted =
                wish.shipping_config.filter(|config| config.is_object() && found.body.shipping_config.is_none());
            if let Some(config) = wanted.filter(|_| found.request.state.is_open()) {
                let amendment = json!({"shipping_config": config});
                let on = (&found.account, page.on.correlation_id.as_str());
                object = payments::amend(tx, &ctx, on, &id, &amendment).await?;
            }
            let before = store::find(tx, &ctx, &found.account, &id).await?;
            let (sequence, dialogue) = before.map(|before| (before.sequence, before.dialogue)).unwrap_or_default();
            let launch = Launch {
                origin: page.origin.clone(),
                display: Display::read(&wish.display),
                answers_shipping: wish.answers_shipping,
                sequence,
                dialogue,
            };
            store::save(tx, &ctx, (&found.account, &id), &launch).await?;
            told(&object, Some(&launch))
        })
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &body))
}

#[derive(Deserialize)]
struct AccessBody {
    access_token: String,
}

/// The shopper closed the window, or gave up on the page.
async fn leave(State(ctx): State<Ctx>, page: Page, Path(id): Path<String>, body: JsonBody) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    let AccessBody { access_token } = read_body(&body.value)?;
    let body = write(&ctx, &page, move |tx, ctx, page| {
        let (id, access_token) = (id.clone(), access_token.clone());
        Box::pin(async move {
            let found = opened(tx, &ctx, &page, (&id, &access_token), &CustomerStep::Leave).await?;
            told(&found.object, None)
        })
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &body))
}

const REJECTIONS: &[&str] = &[
    "ADDRESS_NOT_SUPPORTED",
    "CITY_NOT_SUPPORTED",
    "COUNTRY_NOT_SUPPORTED",
    "INVALID_OPTION",
    "POSTAL_CODE_NOT_SUPPORTED",
    "REGION_NOT_SUPPORTED",
];
const OPTIONS_MAX: usize = 50;

/// What the page answers, held against the question.
fn check_answer(question: Option<Question>, answer: &Answer) -> Result<(), ApiError> {
    let mut faults = Vec::new();
    let options = &answer.shipping_options;
    match &answer.rejection_reason {
        Some(reason) if !REJECTIONS.contains(&reason.as_str()) => {
            faults.push(FieldFault::new("rejection_reason", format!("must be one of {}", REJECTIONS.join(", "))));
        }
        None if question == Some(Question::Address) && (options.is_empty() || options.len() > OPTIONS_MAX) => {
            faults.push(FieldFault::new("shipping_options", format!("must be 1 to {OPTIONS_MAX}")));
        }
        _ => {}
    }
    for (index, option) in options.iter().enumerate() {
        let at = |name: &str| format!("shipping_options[{index}].{name}");
        if !(1..=255).contains(&option.shipping_option_reference.len()) {
            faults.push(FieldFault::new(at("shipping_option_reference"), "must be 1 to 255 characters"));
        }
        if !(1..=255).contains(&option.display_name.len()) {
            faults.push(FieldFault::new(at("display_name"), "must be 1 to 255 characters"));
        }
        if !(0..=presentation::AMOUNT_MAX).contains(&option.amount) {
            faults.push(FieldFault::new(at("amount"), "must be an amount in minor units"));
        }
    }
    if let Some(selected) = &answer.selected_shipping_option_reference
        && !options.iter().any(|option| option.shipping_option_reference == *selected)
    {
        faults.push(FieldFault::new("selected_shipping_option_reference", "must be one of the shipping_options"));
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::validation(faults)) }
}

/// The page's answer to what the shopper said about shipping.
async fn change_shipping(
    State(ctx): State<Ctx>,
    page: Page,
    Path(id): Path<String>,
    body: JsonBody,
) -> Result<Reply, ApiError> {
    tokens::keys(&ctx).await?;
    let AccessBody { access_token } = read_body(&body.value)?;
    let answer: Answer = read_body(&body.value)?;
    let body = write(&ctx, &page, move |tx, ctx, page| {
        let (id, access_token, answer) = (id.clone(), access_token.clone(), answer.clone());
        Box::pin(async move {
            let found = opened(tx, &ctx, &page, (&id, &access_token), &CustomerStep::Look).await?;
            let known = store::find(tx, &ctx, &found.account, &id).await?;
            let mut launch = known.ok_or_else(|| conflict("The SDK does not show this payment request."))?;
            let question = launch.dialogue.question;
            check_answer(question, &answer)?;
            if !launch.answer(&answer) {
                return Err(conflict("Nothing of this sequence waits for an answer."));
            }
            let mut object = found.object;
            if answer.rejection_reason.is_none() {
                let on = (&found.account, page.on.correlation_id.as_str());
                object = payments::amend(tx, &ctx, on, &id, &amendment(&launch, &answer)).await?;
            }
            store::save(tx, &ctx, (&found.account, &id), &launch).await?;
            told(&object, Some(&launch))
        })
    })
    .await?;
    Ok(Reply::json(StatusCode::OK, &body))
}

fn amendment(launch: &Launch, answer: &Answer) -> Value {
    let mut amendment = json!({"supplementary_purchase_data": {}});
    if let Some(amount) = answer.amount {
        amendment["amount"] = amount.into();
    }
    if let Some(lines) = &answer.line_items {
        amendment["supplementary_purchase_data"]["line_items"] = lines.clone();
    }
    if let Some(shipping) = launch.shipping() {
        amendment["supplementary_purchase_data"]["shipping"] = json!([shipping]);
    }
    amendment
}
