//! The pages of a sign-in: who one is, a code, perhaps a new account, and what is shared. Where a browser stands is a row; the cookie's
//! path binds it to one sign-in, so that two of them in one browser don't meet.

use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequestParts, OriginalUri, Path, Query, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, RequestPartsExt, Router};
use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use kit::clock::{MINUTE_US, SECOND_US};
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::{Market, PartnerAccountId};
use std::collections::BTreeMap;
use uuid::Uuid;

use super::pages::{self, Shown};
use super::request::{self, Asked, Refusal};
use super::{Place, REMEMBERED_US, client, grants, header, store};
use crate::credentials::client_identifier;
use crate::ctx::Ctx;
use crate::customers::contact::{Contact, Sample};
use crate::customers::{self, Browser, Customer, details};
use crate::journey::Fields;
use crate::journey::guard::{self, secured, see_other};
use crate::journey::language::Language;
use crate::journey::login::pages::CodeFault;
use crate::journey::visit::{CodeAnswer, Step, Visit};
use crate::payments::test_customer;
use crate::sealed::SIGN_IN_CONTACT;
use crate::{accounts, tokens};

/// How long a person may take. Ours.
const SIGN_IN_US: i64 = 30 * MINUTE_US;
const COOKIE_NAME: &str = "kontor_sign_in";
const SECRET_BYTES: usize = 32;

type Sent = Result<Form<Fields>, FormRejection>;

pub(super) fn routes() -> Router<Ctx> {
    Router::new()
        .route("/oauth2/auth", get(begin).post(begin_by_form))
        .route("/sign-in/{id}/contact", get(show_contact).post(post_contact))
        .route("/sign-in/{id}/code", get(show_code).post(post_code))
        .route("/sign-in/{id}/details", get(show_details).post(post_details))
        .route("/sign-in/{id}/consent", get(show_consent).post(post_consent))
        .route("/sign-in/{id}/not-you", post(not_you))
        .route("/sign-in/{id}/cancel", post(cancel))
}

/// The last part of a step's path. What a purchase reviews, a sign-in shares.
fn part(step: Step) -> &'static str {
    match step {
        Step::Plan | Step::Review => "consent",
        Step::Contact | Step::Code | Step::Details => step.code(),
    }
}

fn language(accept_language: Option<&str>, asked: Option<&Asked>) -> Language {
    let britain = || Market::by_country("GB").expect("Great Britain is a market");
    let wished = asked.and_then(|asked| asked.locales.as_deref()).or(accept_language);
    Language::choose(wished, asked.map_or_else(britain, Asked::market))
}

async fn begin(
    State(ctx): State<Ctx>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    answer_begin(&ctx, Place::of(uri.path()), &headers, query.unwrap_or_default().as_bytes()).await
}

async fn begin_by_form(
    State(ctx): State<Ctx>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer_begin(&ctx, Place::of(uri.path()), &headers, &body).await
}

async fn answer_begin(ctx: &Ctx, place: Place, headers: &HeaderMap, encoded: &[u8]) -> Response {
    let accept_language = header(headers, ACCEPT_LANGUAGE);
    match take(ctx, place, headers, encoded).await {
        Ok(Begun::Asking { id, secret }) => {
            let base = base(ctx, place, &id);
            let is_secure = if ctx.config.base_url.starts_with("https:") { "; Secure" } else { "" };
            // Longer than the sign-in: a browser that comes late must be known, to be led back.
            let age_s = (SIGN_IN_US + REMEMBERED_US) / SECOND_US;
            let cookie =
                format!("{COOKIE_NAME}={secret}; Path={base}; Max-Age={age_s}; HttpOnly; SameSite=Lax{is_secure}");
            let cookie = HeaderValue::try_from(cookie).expect("base64url and the path of an address are header text");
            let mut response = see_other(&format!("{base}/contact"));
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        Ok(Begun::Back(location)) => see_other(&location),
        Ok(Begun::Wrong(reason)) => {
            let page = pages::wrong(language(accept_language, None), &reason);
            secured((StatusCode::BAD_REQUEST, page).into_response(), None)
        }
        Err(error) => failed(&error, language(accept_language, None)),
    }
}

fn failed(error: &ApiError, language: Language) -> Response {
    error.log();
    secured((error.status, pages::failed(language, &error.error_id.to_string())).into_response(), None)
}

fn base(ctx: &Ctx, place: Place, id: &str) -> String {
    let prefix = url::Url::parse(&ctx.config.base_url).map(|url| url.path().trim_end_matches('/').to_owned());
    format!("{}/{}/lp/idp/sign-in/{id}", prefix.unwrap_or_default(), place.name)
}

/// What becomes of a request.
enum Begun {
    /// The person is asked.
    Asking { id: String, secret: String },
    /// Answered at once.
    Back(String),
    /// Not answered anywhere: nobody knows that the address is the client's.
    Wrong(String),
}

async fn take(ctx: &Ctx, place: Place, headers: &HeaderMap, encoded: &[u8]) -> Result<Begun, ApiError> {
    let parameters = match request::parameters(encoded) {
        Ok(parameters) => parameters,
        Err(name) => return Ok(Begun::Wrong(format!("{name} must be sent once."))),
    };
    let found = match parameters.get("client_id") {
        Some(client_id) => client(ctx, client_id).await?,
        None => None,
    };
    let Some(found) = found else {
        return Ok(Begun::Wrong(
            "client_id is missing, unknown, or disabled. It begins with klarna_test_client_.".to_owned(),
        ));
    };
    let Some(redirect_uri) = parameters.get("redirect_uri") else {
        return Ok(Begun::Wrong("redirect_uri is required.".to_owned()));
    };
    if let Err(reason) = request::judge_redirect(&found, redirect_uri, ctx.config.base_url.starts_with("http:")) {
        return Ok(Begun::Wrong(reason));
    }
    let issuer = place.issuer(ctx);
    let state = parameters.get("state").map(String::as_str);
    let back = |refusal: &Refusal| {
        let answer = [("error", refusal.error), ("error_description", refusal.description.as_str())];
        Begun::Back(request::answer_address(redirect_uri, &issuer, state, &answer))
    };
    let home = if place.name == "na" { "US" } else { "DE" };
    let asked = match request::read(&parameters, home) {
        Ok(asked) => asked,
        Err(refusal) => return Ok(back(&refusal)),
    };
    tokens::keys(ctx).await?;
    let fresh = parameters.get("prompt").is_some_and(|prompt| prompt.contains("login") || prompt.contains("select"));
    let browser = Browser::read(headers).filter(|_| !fresh);
    let secret = ctx.random.base64url(SECRET_BYTES);
    ctx.write(|| {
        let (ctx, account, asked, browser) = (ctx.clone(), found.account.clone(), asked.clone(), browser.clone());
        let (secret, issuer) = (secret.clone(), issuer.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<Begun, ApiError>> {
            Box::pin(async move {
                let remembered = match &browser {
                    Some(browser) => customers::recall(tx, &ctx, browser).await?,
                    None => None,
                };
                let remembered = remembered.filter(|customer| customer.market == asked.market());
                if asked.silent {
                    let answer = answer_silently(tx, &ctx, (place, &issuer), &account, &asked, remembered.as_ref());
                    return answer.await.map(Begun::Back);
                }
                let visit = remembered.map_or_else(Visit::begin, |customer| Visit::recognised(customer.contact, false));
                let now = ctx.clock.now();
                let id = ctx.random.id(now).to_string();
                store::delete_expired(tx, account.as_str(), now, now.saturating_sub(REMEMBERED_US)).await?;
                let row = row(&ctx, &id, &account, &asked, &visit)?;
                let key = (id.as_str(), &*guard::hash(&secret));
                store::insert_sign_in(tx, key, &row, now.saturating_add(SIGN_IN_US), now).await?;
                Ok(Begun::Asking { id, secret })
            })
        }
    })
    .await
}

/// `prompt=none`: only what was agreed before is agreed again.
async fn answer_silently(
    tx: &mut Tx,
    ctx: &Ctx,
    (place, issuer): (Place, &str),
    account: &PartnerAccountId,
    asked: &Asked,
    remembered: Option<&Customer>,
) -> Result<String, ApiError> {
    let back =
        |answer: &[(&str, &str)]| request::answer_address(&asked.redirect_uri, issuer, asked.state.as_deref(), answer);
    let Some(customer) = remembered else { return Ok(back(&[("error", "login_required")])) };
    if !grants::is_agreed(tx, account, asked, customer).await? {
        return Ok(back(&[("error", "consent_required")]));
    }
    let code = grants::give_code(tx, ctx, account, (asked, place.region), customer).await?;
    Ok(back(&[("code", &code)]))
}

fn row(
    ctx: &Ctx,
    id: &str,
    account: &PartnerAccountId,
    asked: &Asked,
    visit: &Visit,
) -> Result<store::SignInRow, ApiError> {
    let seal = |contact: &Contact| ctx.secrets.seal(SIGN_IN_CONTACT.place(&[id]), contact.as_str().as_bytes());
    Ok(store::SignInRow {
        account_id: account.to_string(),
        asked: serde_json::to_string(asked).map_err(ApiError::internal)?,
        step: visit.step.code().to_owned(),
        contact: visit.contact.as_ref().map(seal),
        wrong_codes: visit.wrong_codes,
    })
}

/// Who asks, for which sign-in.
#[derive(Clone, Debug)]
struct Visitor {
    place: Place,
    id: String,
    base: String,
    accept_language: Option<String>,
    secret: Option<String>,
    browser: Option<Browser>,
}

impl FromRequestParts<Ctx> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, Response> {
        let accept_language = header(&parts.headers, ACCEPT_LANGUAGE).map(str::to_owned);
        let path = parts.extract::<Path<BTreeMap<String, String>>>().await.map(|Path(path)| path).unwrap_or_default();
        let id = path.get("id").and_then(|text| text.parse::<Uuid>().ok()).map(|id| id.to_string());
        let id = id.ok_or_else(|| over(language(accept_language.as_deref(), None)))?;
        let original = parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |uri| uri.path());
        let place = Place::of(original);
        let (secret, browser) = (customers::cookie(&parts.headers, COOKIE_NAME), Browser::read(&parts.headers));
        Ok(Self { place, base: base(ctx, place, &id), id, accept_language, secret, browser })
    }
}

/// The page of a sign-in that is no more, or of another browser.
fn over(language: Language) -> Response {
    secured((StatusCode::NOT_FOUND, pages::over(language)).into_response(), None)
}

/// What a browser asks for.
#[derive(Clone, Debug)]
enum Ask {
    Show(Step, Fields),
    Contact(Fields),
    Code(Fields),
    Details(Fields),
    Consent,
    NotYou,
    Cancel,
}

/// How it is answered.
enum Reply {
    Page(StatusCode, Box<Seen>, Shown),
    To(&'static str),
    /// The same, with the secret by which the browser is remembered, or without the one that it had.
    Known(&'static str, Option<String>),
    Back(String),
    Past(Box<Past>),
    Over,
}

/// A sign-in that is over, as the browser that began it is told.
struct Past {
    partner: Option<String>,
    asked: Asked,
    /// Whether it was answered; otherwise it took too long.
    is_answered: bool,
    /// Where the person came from, if the client may still be answered there.
    back: Option<String>,
}

/// What is still known of a sign-in that nobody can go on with. One that took too long is answered now, by the link that leads back; to
/// one that was answered, the link leads to where the client stands and says nothing.
async fn past(tx: &mut Tx, ctx: &Ctx, visitor: &Visitor) -> Result<Option<Past>, ApiError> {
    let Some(secret) = &visitor.secret else { return Ok(None) };
    let Some(row) = store::past_sign_in(tx, (&visitor.id, &guard::hash(secret))).await? else { return Ok(None) };
    let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
    let asked: Asked = serde_json::from_str(&row.asked).map_err(ApiError::internal)?;
    let allows_http = ctx.config.base_url.starts_with("http:");
    // As at its beginning: what the client identifier allows may have changed since.
    let client = client_identifier::find(tx, &asked.client_id).await?.filter(|client| client.account == account);
    let may_answer =
        client.is_some_and(|client| request::judge_redirect(&client, &asked.redirect_uri, allows_http).is_ok());
    let is_answered = row.ended_at.is_some();
    let back = if is_answered {
        let home = url::Url::parse(&asked.redirect_uri).ok().map(|url| url.origin());
        home.filter(url::Origin::is_tuple).map(|origin| format!("{}/", origin.ascii_serialization()))
    } else {
        let late = [("error", "access_denied"), ("error_description", "the sign-in took too long")];
        let issuer = visitor.place.issuer(ctx);
        Some(request::answer_address(&asked.redirect_uri, &issuer, asked.state.as_deref(), &late))
    };
    let partner = accounts::name(tx, &account).await?;
    Ok(Some(Past { partner, asked, is_answered, back: back.filter(|_| may_answer) }))
}

/// A sign-in under way.
struct Seen {
    account: PartnerAccountId,
    partner: Option<String>,
    asked: Asked,
    visit: Visit,
}

async fn see(tx: &mut Tx, ctx: &Ctx, visitor: &Visitor) -> Result<Option<Seen>, ApiError> {
    let Some(secret) = &visitor.secret else { return Ok(None) };
    let key = (visitor.id.as_str(), &*guard::hash(secret));
    let Some(row) = store::hold_sign_in(tx, key, ctx.clock.now()).await? else { return Ok(None) };
    let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
    let contact = match &row.contact {
        Some(sealed) => {
            let text = ctx.secrets.open(SIGN_IN_CONTACT.place(&[&visitor.id]), sealed).map_err(ApiError::internal)?;
            Some(Contact::stored(std::str::from_utf8(&text).map_err(ApiError::internal)?))
        }
        None => None,
    };
    let step = Step::from_code(&row.step).unwrap_or(Step::Contact);
    Ok(Some(Seen {
        partner: accounts::name(tx, &account).await?,
        asked: serde_json::from_str(&row.asked).map_err(ApiError::internal)?,
        visit: Visit { step, contact, wrong_codes: row.wrong_codes, plan: None },
        account,
    }))
}

async fn keep(tx: &mut Tx, ctx: &Ctx, visitor: &Visitor, seen: &Seen) -> Result<(), ApiError> {
    let row = row(ctx, &visitor.id, &seen.account, &seen.asked, &seen.visit)?;
    Ok(store::update_sign_in(tx, &visitor.id, &row).await?)
}

/// Everything a request does, in one transaction.
async fn decide(tx: &mut Tx, ctx: &Ctx, visitor: &Visitor, ask: &Ask) -> Result<Reply, ApiError> {
    let Some(mut seen) = see(tx, ctx, visitor).await? else {
        return Ok(match past(tx, ctx, visitor).await? {
            Some(past) => Reply::Past(Box::new(past)),
            None => Reply::Over,
        });
    };
    let (market, reached) = (seen.asked.market(), seen.visit.reached(&[]));
    let contact = seen.visit.contact.clone();
    match (ask, contact) {
        (Ask::Cancel, _) => {
            store::end_sign_in(tx, seen.account.as_str(), &visitor.id, ctx.clock.now()).await?;
            Ok(back(ctx, visitor, &seen, &[("error", "access_denied"), ("error_description", "the person canceled")]))
        }
        (Ask::NotYou, _) => {
            if let Some(browser) = &visitor.browser {
                customers::forget(tx, browser).await?;
            }
            seen.visit = Visit::begin();
            keep(tx, ctx, visitor, &seen).await?;
            Ok(Reply::Known("contact", None))
        }
        (Ask::Show(Step::Contact, query), contact) => {
            if query.is_empty() && reached == Step::Review && visitor.browser.is_some() {
                // Whoever is remembered comes in here first, and goes on.
                return Ok(Reply::To("consent"));
            }
            let sample =
                query.get("sample").and_then(|code| Sample::from_code(code)).map(|sample| sample.email(market));
            let known = contact.map(|contact| contact.as_str().to_owned());
            let typed = sample.or(known).or(seen.asked.login_hint.clone()).unwrap_or_default();
            Ok(page(seen, Shown::Contact { typed, is_faulty: false, is_spent: false }))
        }
        (Ask::Contact(fields), _) => {
            let typed = fields.get("contact").cloned().unwrap_or_default();
            let Some(contact) = Contact::parse(&typed, market) else {
                return Ok(refused(seen, Shown::Contact { typed, is_faulty: true, is_spent: false }));
            };
            seen.visit.identify(contact);
            keep(tx, ctx, visitor, &seen).await?;
            Ok(Reply::To("code"))
        }
        (Ask::Show(Step::Code, query), Some(contact)) => {
            let typed = if query.contains_key("fill") { "123456" } else { "" };
            Ok(page(seen, Shown::Code { contact, typed: typed.to_owned(), fault: None }))
        }
        (Ask::Code(fields), Some(contact)) => give_code(tx, ctx, visitor, seen, (fields, contact)).await,
        (Ask::Show(Step::Details, query), Some(_)) if reached == Step::Details => {
            let mut typed = Fields::new();
            if query.contains_key("fill") {
                typed.extend(test_customer::typed(market).into_iter().map(|(name, value)| (name.to_owned(), value)));
            }
            typed.extend(query.get_key_value("remember").map(|(name, value)| (name.clone(), value.clone())));
            Ok(page(seen, Shown::Details { typed, faults: Vec::new() }))
        }
        (Ask::Details(fields), Some(contact)) if reached == Step::Details => {
            let faults = details::check(fields, market, ctx.clock.now());
            if !faults.is_empty() {
                return Ok(refused(seen, Shown::Details { typed: fields.clone(), faults }));
            }
            customers::open(tx, ctx, market, &contact).await?;
            seen.visit.admit(false);
            keep(tx, ctx, visitor, &seen).await?;
            let_in(tx, ctx, (market, &contact), fields).await
        }
        (Ask::Show(Step::Review, _), Some(contact)) if reached == Step::Review => {
            Ok(page(seen, Shown::Consent { contact }))
        }
        (Ask::Consent, Some(contact)) if reached == Step::Review => {
            let customer = customers::open(tx, ctx, market, &contact).await?;
            let code =
                grants::give_code(tx, ctx, &seen.account, (&seen.asked, visitor.place.region), &customer).await?;
            store::end_sign_in(tx, seen.account.as_str(), &visitor.id, ctx.clock.now()).await?;
            Ok(back(ctx, visitor, &seen, &[("code", &code)]))
        }
        // A page that another tab has left behind: on from where the sign-in stands.
        (Ask::Show(..) | Ask::Code(_) | Ask::Details(_) | Ask::Consent, _) => Ok(Reply::To(part(reached))),
    }
}

async fn give_code(
    tx: &mut Tx,
    ctx: &Ctx,
    visitor: &Visitor,
    mut seen: Seen,
    (fields, contact): (&Fields, Contact),
) -> Result<Reply, ApiError> {
    let market = seen.asked.market();
    let typed = fields.get("code").cloned().unwrap_or_default();
    let is_known = customers::is_known(tx, ctx, market, &contact).await?;
    let answer = seen.visit.prove(&typed, is_known, false);
    keep(tx, ctx, visitor, &seen).await?;
    match answer {
        CodeAnswer::Right if !is_known => {
            Ok(Reply::To(if fields.contains_key("remember") { "details?remember=1" } else { "details" }))
        }
        CodeAnswer::Right => let_in(tx, ctx, (market, &contact), fields).await,
        CodeAnswer::Malformed => Ok(refused(seen, Shown::Code { contact, typed, fault: Some(CodeFault::Malformed) })),
        CodeAnswer::Wrong => Ok(refused(seen, Shown::Code { contact, typed, fault: Some(CodeFault::Wrong) })),
        CodeAnswer::Spent => {
            let typed = contact.as_str().to_owned();
            Ok(refused(seen, Shown::Contact { typed, is_faulty: false, is_spent: true }))
        }
    }
}

async fn let_in(tx: &mut Tx, ctx: &Ctx, who: (&'static Market, &Contact), fields: &Fields) -> Result<Reply, ApiError> {
    if !fields.contains_key("remember") {
        return Ok(Reply::To("consent"));
    }
    Ok(Reply::Known("consent", Some(customers::remember(tx, ctx, who).await?)))
}

fn page(seen: Seen, shown: Shown) -> Reply {
    Reply::Page(StatusCode::OK, Box::new(seen), shown)
}

fn refused(seen: Seen, shown: Shown) -> Reply {
    Reply::Page(StatusCode::UNPROCESSABLE_ENTITY, Box::new(seen), shown)
}

fn back(ctx: &Ctx, visitor: &Visitor, seen: &Seen, answer: &[(&str, &str)]) -> Reply {
    let issuer = visitor.place.issuer(ctx);
    Reply::Back(request::answer_address(&seen.asked.redirect_uri, &issuer, seen.asked.state.as_deref(), answer))
}

async fn answer(ctx: &Ctx, visitor: Visitor, ask: Ask) -> Response {
    let decided = match tokens::keys(ctx).await {
        Ok(_) => {
            ctx.write(|| {
                let (ctx, visitor, ask) = (ctx.clone(), visitor.clone(), ask.clone());
                move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                    Box::pin(async move { decide(tx, &ctx, &visitor, &ask).await })
                }
            })
            .await
        }
        Err(error) => Err(error),
    };
    let accept_language = visitor.accept_language.as_deref();
    let link = |part: &str| format!("{}/{part}", visitor.base);
    match decided {
        Ok(Reply::Page(status, seen, shown)) => {
            let csrf = visitor.secret.as_deref().map(guard::csrf).unwrap_or_default();
            let frame = pages::Frame {
                language: language(accept_language, Some(&seen.asked)),
                base: &visitor.base,
                csrf: &csrf,
                partner: seen.partner.as_deref(),
                asked: &seen.asked,
            };
            secured((status, frame.draw(&shown)).into_response(), Some(&seen.asked.redirect_uri))
        }
        Ok(Reply::To(part)) => see_other(&link(part)),
        Ok(Reply::Known(part, secret)) => {
            let cookie = customers::set_cookie(ctx, secret.as_deref());
            let cookie = HeaderValue::try_from(cookie).expect("base64url and the path of an address are header text");
            let mut response = see_other(&link(part));
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        Ok(Reply::Back(location)) => see_other(&location),
        Ok(Reply::Past(past)) => {
            let page = pages::Over {
                language: language(accept_language, Some(&past.asked)),
                partner: past.partner.as_deref(),
                is_answered: past.is_answered,
                back: past.back.as_deref(),
            };
            secured((StatusCode::GONE, page.draw()).into_response(), None)
        }
        Ok(Reply::Over) => over(language(accept_language, None)),
        Err(error) => failed(&error, language(accept_language, None)),
    }
}

/// Takes a form that was made for this browser's sign-in; any other changes nothing.
async fn take_form(ctx: &Ctx, visitor: Visitor, sent: Sent, ask: impl FnOnce(Fields) -> Ask) -> Response {
    let fields = sent.map(|Form(fields)| fields).unwrap_or_default();
    let is_own = visitor.secret.as_deref().is_some_and(|secret| guard::is_own(secret, &fields));
    if !is_own {
        let page = pages::over(language(visitor.accept_language.as_deref(), None));
        return secured((StatusCode::FORBIDDEN, page).into_response(), None);
    }
    answer(ctx, visitor, ask(fields)).await
}

async fn show_contact(State(ctx): State<Ctx>, visitor: Visitor, Query(query): Query<Fields>) -> Response {
    answer(&ctx, visitor, Ask::Show(Step::Contact, query)).await
}

async fn show_code(State(ctx): State<Ctx>, visitor: Visitor, Query(query): Query<Fields>) -> Response {
    answer(&ctx, visitor, Ask::Show(Step::Code, query)).await
}

async fn show_details(State(ctx): State<Ctx>, visitor: Visitor, Query(query): Query<Fields>) -> Response {
    answer(&ctx, visitor, Ask::Show(Step::Details, query)).await
}

async fn show_consent(State(ctx): State<Ctx>, visitor: Visitor) -> Response {
    answer(&ctx, visitor, Ask::Show(Step::Review, Fields::new())).await
}

async fn post_contact(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take_form(&ctx, visitor, sent, Ask::Contact).await
}

async fn post_code(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take_form(&ctx, visitor, sent, Ask::Code).await
}

async fn post_details(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take_form(&ctx, visitor, sent, Ask::Details).await
}

async fn post_consent(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take_form(&ctx, visitor, sent, |_| Ask::Consent).await
}

async fn not_you(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take_form(&ctx, visitor, sent, |_| Ask::NotYou).await
}

async fn cancel(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take_form(&ctx, visitor, sent, |_| Ask::Cancel).await
}
