//! The journey over HTTP: cookie, address and form in; one transaction; a page or a redirect out.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, RequestPartsExt};
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::clock::SECOND_US;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use maud::Markup;
use protocol::krn::Region;
use protocol::{Currency, Market, Money};
use uuid::Uuid;

use super::Fields;
use super::guard::{self, secured, secured_in, see_other};
use super::language::Language;
use super::login::pages::CodeFault;
use super::pages::{self, Frame, Lost, Notice};
use super::plan::Plan;
use super::purchase::{self, Purchase};
use super::shipping::{self, Shown};
use super::store::{self, Key};
use super::visit::{CodeAnswer, Step, Visit};
use crate::accounts;
use crate::ctx::Ctx;
use crate::customers::contact::{Contact, Sample};
use crate::customers::{self, Browser, details};
use crate::payments::payment_request::{EXPIRY_MAX_US, State as RequestState};
use crate::payments::{self, CustomerStep, JourneyRequest};
use crate::programs::{self, Offered};
use crate::websdk::{self, Display};

/// The journey's cookie: the address's token and this browser's secret. Bound by its path to one request.
const COOKIE_NAME: &str = "kontor_journey";
const SECRET_BYTES: usize = 32;

type Sent = Result<Form<Fields>, FormRejection>;

/// The pages, for each region.
pub fn routes() -> Router<Ctx> {
    let assets = kit::web::routes().merge(kit::web::route(&pages::COUNTRIES));
    let mut router = Router::new().merge(assets).route("/", get(front)).route("/l/{code}", get(short_link));
    for region in ["eu", "na", "oc"] {
        let one = Router::new()
            .route("/start", get(start))
            .route("/qr.svg", get(qr_code))
            .route("/end", get(end))
            .route("/waiting", get(waiting))
            .route("/contact", get(show_contact).post(post_contact))
            .route("/code", get(show_code).post(post_code))
            .route("/details", get(show_details).post(post_details))
            .route("/not-you", post(not_you))
            .route("/shipping", get(show_shipping).post(post_shipping))
            .route("/plan", get(show_plan).post(post_plan))
            .route("/review", get(show_review))
            .route("/confirm", post(post_confirm))
            .route("/refuse", post(refuse))
            .route("/leave", post(leave));
        router = router.nest(&format!("/{region}/requests/{{uuid}}"), one);
    }
    router
}

async fn front() -> Response {
    secured(pages::front().into_response(), None)
}

/// Who asks, for which request, in which language.
#[derive(Clone, Debug)]
struct Visitor {
    region: Region,
    uuid: Uuid,
    /// As browsers see it, without a trailing slash.
    base: String,
    accept_language: Option<String>,
    /// From the cookie, if it came.
    session: Option<Session>,
    /// From the other cookie: of a browser that asked to be remembered.
    browser: Option<Browser>,
}

/// What a browser remembers.
#[derive(Clone, Debug)]
struct Session {
    token: String,
    secret: String,
}

impl Session {
    fn hash(&self) -> String {
        guard::hash(&self.secret)
    }

    fn csrf(&self) -> String {
        guard::csrf(&self.secret)
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let value = customers::cookie(headers, COOKIE_NAME)?;
        let (token, secret) = value.split_once('.')?;
        Some(Self { token: token.to_owned(), secret: secret.to_owned() })
    }

    fn cookie(&self, visitor: &Visitor, ctx: &Ctx, display: Display) -> HeaderValue {
        let is_secure = ctx.config.base_url.starts_with("https:");
        let rules = match display {
            // Kept apart for each site that frames this one; browsers take that over https only.
            Display::Frame if is_secure => "SameSite=None; Partitioned; Secure",
            _ if is_secure => "SameSite=Lax; Secure",
            _ => "SameSite=Lax",
        };
        let age_s = EXPIRY_MAX_US / SECOND_US;
        let Self { token, secret } = self;
        let text = format!("{COOKIE_NAME}={token}.{secret}; Path={}; Max-Age={age_s}; HttpOnly; {rules}", visitor.base);
        HeaderValue::try_from(text).expect("a granted token, base64url and a path of an address are header text")
    }
}

impl FromRequestParts<Ctx> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, Response> {
        let accept_language =
            parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let unknown = || lost(language(accept_language.as_deref(), None), Lost::Unknown, None);
        let Path(path) = parts.extract::<Path<BTreeMap<String, String>>>().await.map_err(|_| unknown())?;
        let uuid = path.get("uuid").and_then(|text| text.parse::<Uuid>().ok()).ok_or_else(unknown)?;
        let original =
            parts.extensions.get::<axum::extract::OriginalUri>().map_or_else(|| parts.uri.path(), |uri| uri.path());
        let (name, region) = match original.split('/').nth(1) {
            Some("na") => ("na", Region::Us1),
            Some("oc") => ("oc", Region::Ap1),
            _ => ("eu", Region::Eu1),
        };
        let prefix = url::Url::parse(&ctx.config.base_url).map(|url| url.path().trim_end_matches('/').to_owned());
        let base = format!("{}/{name}/requests/{uuid}", prefix.unwrap_or_default());
        let browser = Browser::read(&parts.headers);
        Ok(Self { region, uuid, base, accept_language, session: Session::read(&parts.headers), browser })
    }
}

/// Of the browser, else of the market; English before a market is known.
fn language(accept_language: Option<&str>, market: Option<&Market>) -> Language {
    let britain = || Market::by_country("GB").expect("Great Britain is a market");
    Language::choose(accept_language, market.unwrap_or_else(britain))
}

/// What a browser asks for.
#[derive(Clone, Debug)]
enum Ask {
    /// With the address's token, and the session to begin if there is none yet.
    Start(Session),
    Show(Step, Fields),
    Waiting,
    End,
    Contact(String),
    Code(Fields),
    /// What a new account needs.
    Details(Fields),
    /// It is somebody else than the browser or a token says.
    NotYou,
    /// The step before the ways to pay, where the Web SDK's page answers what shipping means.
    ShowShipping,
    Shipping(Fields),
    Plan(String),
    /// With the seal of the order as it was shown.
    Confirm(String),
    Refuse,
    Leave,
}

/// How it is answered.
#[derive(Debug)]
enum Reply {
    Page(StatusCode, Box<Seen>, View),
    /// To a page of the journey, by the last part of its path.
    To(&'static str),
    /// The same, with the session that has just begun.
    Begun(&'static str, Display),
    /// The same, with the secret by which the browser is remembered, or without the one that it had.
    Known(&'static str, Option<String>),
    /// Back to the Partner.
    Back(String),
    Lost(Lost),
}

/// Which page.
#[derive(Debug)]
enum View {
    Contact { typed: String, is_faulty: bool, notice: Option<Notice> },
    Code { contact: Contact, typed: String, fault: Option<CodeFault> },
    Details { typed: Fields, faults: Vec<(details::Field, details::Fault)> },
    Plan { contact: Contact, chosen: Option<Plan>, is_faulty: bool, notice: Option<Notice> },
    Review { contact: Contact, plan: Option<Plan> },
    Waiting,
    Shipping { faulty: bool },
    End { shows_return: bool },
}

/// The request as the shopper's step left it, and the visit to it.
#[derive(Debug)]
struct Seen {
    key: Key,
    purchase: Purchase,
    visit: Option<Visit>,
    /// Whom a token showed, when the Partner brought one.
    recognised: Option<Contact>,
    now: i64,
}

/// Takes the shopper's step at the request, and holds the visit until the transaction ends.
async fn see(
    tx: &mut Tx,
    ctx: &Ctx,
    visitor: &Visitor,
    token: &str,
    step: &CustomerStep,
) -> Result<Option<Seen>, ApiError> {
    let now = ctx.clock.now();
    let correlation = ctx.random.id(now).to_string();
    let address = (visitor.region, visitor.uuid);
    let Some(found) = payments::customer_step(tx, ctx, address, token, step, Some(&correlation)).await? else {
        return Ok(None);
    };
    let key = Key {
        account_id: found.account.to_string(),
        request_id: visitor.uuid.to_string(),
        session_hash: visitor.session.as_ref().map(Session::hash).unwrap_or_default(),
    };
    let partner = accounts::name(tx, &found.account).await?;
    let visit = match visitor.session {
        Some(_) => store::hold(tx, &key, now).await?,
        None => None,
    };
    let request_id = found.request.id.to_string();
    let launch = websdk::launched(tx, ctx, &found.account, &request_id).await?;
    let config = found.body.shipping_config.clone().unwrap_or_default();
    let sdk = launch.map(|launch| Shown {
        launch,
        mode: config.mode,
        countries: config.supported_countries.unwrap_or_default(),
        request_id,
        account: found.account.clone(),
    });
    let recognised = found.recognised.as_ref().and_then(Contact::of);
    let (country, currency) = (market(&found), found.request.currency);
    let codes = found.body.payment_program_enablement_codes.clone().unwrap_or_default();
    let offered = programs_offered(tx, &found, (country, currency), &codes, now).await?;
    let purchase = Purchase { shown: sdk, offered, ..shown(found, partner) };
    Ok(Some(Seen { key, purchase, visit, recognised, now }))
}

fn market(found: &JourneyRequest) -> &'static Market {
    purchase::market(found.body.supplementary_purchase_data.as_deref(), found.request.currency)
}

/// What the Partner's programs offer; for an account without a payment product of its own, what everybody's do.
async fn programs_offered(
    tx: &mut Tx,
    found: &JourneyRequest,
    (market, currency): (&Market, Currency),
    codes: &[String],
    now: i64,
) -> Result<Vec<Offered>, ApiError> {
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let rows = accounts::store::payment_accounts(tx, found.account.as_str()).await?;
    let Some(row) = rows.iter().find(|row| row.payment_account_id == found.payment_account_id) else {
        return Ok(programs::preset(market.country, currency));
    };
    let purchase = programs::Purchase {
        customer_country: market.country,
        currency,
        merchant_category_code: &row.merchant_category_code,
        payment_account_id: Some(&row.payment_account_id),
    };
    Ok(programs::offered(tx, &found.account, &purchase, &codes, now).await?)
}

/// What of the request is shown.
fn shown(found: JourneyRequest, partner: Option<String>) -> Purchase {
    let JourneyRequest { request, body, object, .. } = found;
    let data = body.supplementary_purchase_data.as_deref();
    let reference = data.and_then(|data| data.purchase_reference.clone());
    Purchase {
        state: request.state,
        is_pending: request.pending_until.is_some(),
        partner,
        reference: reference.or_else(|| body.payment_request_reference.clone()),
        amount: request.amount.map(|minor| Money::new(minor, request.currency)),
        lines: purchase::lines(data, request.currency),
        market: purchase::market(data, request.currency),
        asks_token: body.request_customer_token.is_some(),
        profile: body.collect_customer_profile.clone().unwrap_or_default(),
        offered: Vec::new(),
        preselected: purchase::preselected(body.payment_option_id.as_deref()),
        scanned: object
            .state_context
            .as_ref()
            .and_then(|context| context.customer_interaction.as_ref()?.qr_code.as_ref()?.target_url.clone()),
        return_location: payments::return_location(&object),
        shown: None,
    }
}

/// Everything a request does, in one transaction with the state that it changes.
async fn decide(tx: &mut Tx, ctx: &Ctx, visitor: &Visitor, ask: &Ask) -> Result<Reply, ApiError> {
    let token = match (ask, &visitor.session) {
        (Ask::Start(session), _) | (_, Some(session)) => session.token.as_str(),
        (_, None) => return Ok(Reply::Lost(Lost::Session)),
    };
    let step = match ask {
        Ask::End => CustomerStep::Look,
        Ask::Leave => CustomerStep::Leave,
        // Whoever left and is here again has opened the journey again.
        _ => CustomerStep::Enter,
    };
    let Some(mut seen) = see(tx, ctx, visitor, token, &step).await? else { return Ok(Reply::Lost(Lost::Unknown)) };
    if let Ask::Start(session) = ask {
        return start_visit(tx, ctx, visitor, seen, session).await;
    }
    let Some(visit) = seen.visit.take() else { return Ok(Reply::Lost(Lost::Session)) };
    match ask {
        Ask::End => return Ok(page(seen, View::End { shows_return: true })),
        Ask::Leave => return Ok(back(&seen.purchase)),
        _ if !seen.purchase.state.is_open() => return Ok(after_the_end(seen, ask)),
        Ask::Waiting if seen.purchase.is_pending => return Ok(page(seen, View::Waiting)),
        _ if seen.purchase.is_pending => return Ok(Reply::To("waiting")),
        _ => {}
    }
    let reached = visit.reached(&seen.purchase.plans());
    let ships = seen.purchase.shown.as_ref().filter(|_| reached >= Step::Plan).is_some_and(Shown::is_due);
    match ask {
        Ask::ShowShipping if ships => Ok(page(seen, View::Shipping { faulty: false })),
        Ask::Shipping(fields) if ships => say_shipping(tx, ctx, seen, fields).await,
        Ask::Show(Step::Plan | Step::Review, _) | Ask::Plan(_) | Ask::Confirm(_) if ships => Ok(Reply::To("shipping")),
        // An account that is open needs no details any more.
        Ask::Show(Step::Details, _) if reached > Step::Details => Ok(Reply::To(reached.code())),
        Ask::Show(step, query) if *step <= reached => Ok(show(seen, visit, *step, query)),
        Ask::Contact(typed) => give_contact(tx, seen, visit, typed).await,
        Ask::Code(fields) if reached >= Step::Code => give_code(tx, ctx, seen, visit, fields).await,
        Ask::Details(fields) if reached == Step::Details => give_details(tx, ctx, seen, visit, fields).await,
        Ask::NotYou => {
            if let Some(browser) = &visitor.browser {
                customers::forget(tx, browser).await?;
            }
            store::update(tx, &seen.key, &Visit::begin(), seen.now).await?;
            Ok(Reply::Known(Step::Contact.code(), None))
        }
        Ask::Plan(code) if reached >= Step::Plan => choose_plan(tx, seen, visit, code).await,
        Ask::Confirm(seal) if reached == Step::Review => confirm(tx, ctx, (visitor, token), seen, visit, seal).await,
        Ask::Refuse => {
            let Some(seen) = see(tx, ctx, visitor, token, &CustomerStep::Refuse).await? else {
                return Ok(Reply::Lost(Lost::Unknown));
            };
            forget(tx, &seen).await?;
            Ok(back(&seen.purchase))
        }
        // A form of a page that another tab has left behind: on from where the visit stands.
        _ => Ok(Reply::To(reached.code())),
    }
}

/// Forgets who the shoppers of an ended request were, and where its goods go.
async fn forget(tx: &mut Tx, seen: &Seen) -> Result<(), ApiError> {
    store::forget_contacts(tx, &seen.key.account_id, &seen.key.request_id, seen.now).await?;
    if let Some(shown) = &seen.purchase.shown {
        websdk::forget(tx, &shown.account, &shown.request_id, seen.now).await?;
    }
    Ok(())
}

async fn start_visit(tx: &mut Tx, ctx: &Ctx, visitor: &Visitor, seen: Seen, new: &Session) -> Result<Reply, ApiError> {
    if !seen.purchase.state.is_open() {
        // The way back from an approval carries its grant: only the browser that was there gets it.
        let shows_return = seen.visit.is_some() || seen.purchase.state != RequestState::Completed;
        return Ok(page(seen, View::End { shows_return }));
    }
    if let Some(visit) = &seen.visit {
        return Ok(Reply::To(visit.reached(&seen.purchase.plans()).code()));
    }
    let key = Key { session_hash: new.hash(), ..seen.key };
    let remembered = match &visitor.browser {
        Some(browser) => customers::recall(tx, ctx, browser).await?,
        None => None,
    };
    // One account per market: elsewhere the same person is nobody.
    let remembered = remembered.filter(|customer| customer.market == seen.purchase.market);
    let known = seen.recognised.clone().or(remembered.map(|customer| customer.contact));
    let visit = known.map_or_else(Visit::begin, |contact| Visit::recognised(contact, seen.purchase.asks_plan()));
    store::insert(tx, &key, &visit, seen.now).await?;
    let display = seen.purchase.shown.as_ref().map_or(Display::Redirect, |shown| shown.launch.display);
    Ok(Reply::Begun(visit.step.code(), display))
}

fn page(seen: Seen, view: View) -> Reply {
    Reply::Page(StatusCode::OK, Box::new(seen), view)
}

fn refused(seen: Seen, view: View) -> Reply {
    Reply::Page(StatusCode::UNPROCESSABLE_ENTITY, Box::new(seen), view)
}

async fn say_shipping(tx: &mut Tx, ctx: &Ctx, mut seen: Seen, fields: &Fields) -> Result<Reply, ApiError> {
    let Some(shown) = &mut seen.purchase.shown else { return Ok(Reply::To(Step::Plan.code())) };
    Ok(match shipping::take(tx, ctx, shown, fields).await? {
        shipping::Sent::Taken => Reply::To("shipping"),
        shipping::Sent::Faulty => refused(seen, View::Shipping { faulty: true }),
    })
}

/// To the Partner, or to the page that says how it ended. A window or a frame of the Web SDK goes nowhere: its page is told.
fn back(purchase: &Purchase) -> Reply {
    if purchase.shown.as_ref().is_some_and(|shown| shown.launch.display != Display::Redirect) {
        return Reply::To("end");
    }
    purchase.return_location.clone().map_or(Reply::To("end"), Reply::Back)
}

/// Something is asked of a request that has ended meanwhile. A form that was sent twice ends where the first did.
fn after_the_end(seen: Seen, ask: &Ask) -> Reply {
    match (ask, seen.purchase.state) {
        (Ask::Confirm(_) | Ask::Waiting, RequestState::Completed) | (Ask::Refuse, RequestState::Declined) => {
            back(&seen.purchase)
        }
        // The browser's back button must not be thrown forward again.
        (Ask::Show(..), _) => page(seen, View::End { shows_return: true }),
        _ => Reply::To("end"),
    }
}

fn show(seen: Seen, visit: Visit, step: Step, query: &Fields) -> Reply {
    let view = match (step, visit.contact) {
        (Step::Code, Some(contact)) => {
            let typed = if query.contains_key("fill") { "123456" } else { "" };
            View::Code { contact, typed: typed.to_owned(), fault: None }
        }
        (Step::Details, Some(_)) => {
            let mut typed = if query.contains_key("fill") { test_person(seen.purchase.market) } else { Fields::new() };
            typed.extend(query.get_key_value("remember").map(|(name, value)| (name.clone(), value.clone())));
            View::Details { typed, faults: Vec::new() }
        }
        (Step::Plan, Some(contact)) if seen.purchase.asks_plan() => {
            let plans = seen.purchase.plans();
            let wished = visit.plan.or(seen.purchase.preselected).filter(|plan| plans.contains(plan));
            View::Plan { contact, chosen: wished.or(plans.first().copied()), is_faulty: false, notice: None }
        }
        (Step::Plan, Some(_)) => return Reply::To(Step::Review.code()),
        (Step::Review, Some(contact)) => View::Review { contact, plan: visit.plan },
        (_, contact) => {
            let sample = query.get("sample").and_then(|code| Sample::from_code(code));
            let typed = sample.map(|sample| sample.email(seen.purchase.market));
            let typed = typed.or(contact.map(|contact| contact.as_str().to_owned())).unwrap_or_default();
            View::Contact { typed, is_faulty: false, notice: None }
        }
    };
    page(seen, view)
}

async fn give_contact(tx: &mut Tx, seen: Seen, mut visit: Visit, typed: &str) -> Result<Reply, ApiError> {
    let Some(contact) = Contact::parse(typed, seen.purchase.market) else {
        let typed = typed.to_owned();
        return Ok(refused(seen, View::Contact { typed, is_faulty: true, notice: None }));
    };
    visit.identify(contact);
    store::update(tx, &seen.key, &visit, seen.now).await?;
    Ok(Reply::To(visit.step.code()))
}

async fn give_code(tx: &mut Tx, ctx: &Ctx, seen: Seen, mut visit: Visit, fields: &Fields) -> Result<Reply, ApiError> {
    let Some(contact) = visit.contact.clone() else { return Ok(Reply::To(Step::Contact.code())) };
    let typed = fields.get("code").map(String::as_str).unwrap_or_default();
    let (market, asks_plan) = (seen.purchase.market, seen.purchase.asks_plan());
    let is_known = customers::is_known(tx, ctx, market, &contact).await?;
    let answer = visit.prove(typed, is_known, asks_plan);
    store::update(tx, &seen.key, &visit, seen.now).await?;
    let fault = match answer {
        CodeAnswer::Right if !is_known => {
            return Ok(Reply::To(if fields.contains_key("remember") { "details?remember=1" } else { "details" }));
        }
        CodeAnswer::Right => return let_in(tx, ctx, (market, &contact), &visit, fields).await,
        CodeAnswer::Malformed => CodeFault::Malformed,
        CodeAnswer::Wrong => CodeFault::Wrong,
        CodeAnswer::Spent => {
            let typed = contact.as_str().to_owned();
            return Ok(refused(seen, View::Contact { typed, is_faulty: false, notice: Some(Notice::CodeSpent) }));
        }
    };
    Ok(refused(seen, View::Code { contact, typed: typed.to_owned(), fault: Some(fault) }))
}

async fn give_details(
    tx: &mut Tx,
    ctx: &Ctx,
    seen: Seen,
    mut visit: Visit,
    fields: &Fields,
) -> Result<Reply, ApiError> {
    let Some(contact) = visit.contact.clone() else { return Ok(Reply::To(Step::Contact.code())) };
    let faults = details::check(fields, seen.purchase.market, seen.now);
    if !faults.is_empty() {
        return Ok(refused(seen, View::Details { typed: fields.clone(), faults }));
    }
    customers::open(tx, ctx, seen.purchase.market, &contact).await?;
    visit.admit(seen.purchase.asks_plan());
    store::update(tx, &seen.key, &visit, seen.now).await?;
    let_in(tx, ctx, (seen.purchase.market, &contact), &visit, fields).await
}

/// On to where the visit stands, with a cookie for whoever wants to be remembered.
async fn let_in(
    tx: &mut Tx,
    ctx: &Ctx,
    (market, contact): (&'static Market, &Contact),
    visit: &Visit,
    fields: &Fields,
) -> Result<Reply, ApiError> {
    if !fields.contains_key("remember") {
        return Ok(Reply::To(visit.step.code()));
    }
    let secret = customers::remember(tx, ctx, (market, contact)).await?;
    Ok(Reply::Known(visit.step.code(), Some(secret)))
}

/// What the button for testers fills in.
fn test_person(market: &Market) -> Fields {
    payments::test_customer::typed(market).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn choose_plan(tx: &mut Tx, seen: Seen, mut visit: Visit, code: &str) -> Result<Reply, ApiError> {
    let chosen = Plan::from_code(code).filter(|plan| seen.purchase.plans().contains(plan));
    let Some(plan) = chosen else {
        let Some(contact) = visit.contact else { return Ok(Reply::To(Step::Contact.code())) };
        return Ok(refused(seen, View::Plan { contact, chosen: None, is_faulty: true, notice: None }));
    };
    visit.choose(plan);
    store::update(tx, &seen.key, &visit, seen.now).await?;
    Ok(Reply::To(visit.step.code()))
}

async fn confirm(
    tx: &mut Tx,
    ctx: &Ctx,
    (visitor, token): (&Visitor, &str),
    seen: Seen,
    mut visit: Visit,
    seal: &str,
) -> Result<Reply, ApiError> {
    let Some(contact) = visit.contact.clone() else { return Ok(Reply::To(Step::Contact.code())) };
    if seal != seen.purchase.seal() {
        // The Partner may have changed the order while the shopper was away: nobody confirms what they have not seen.
        if !seen.purchase.asks_plan() {
            return Ok(refused(seen, View::Review { contact, plan: None }));
        }
        visit.step = Step::Plan;
        store::update(tx, &seen.key, &visit, seen.now).await?;
        let chosen = visit.plan;
        let notice = Some(Notice::OrderChanged);
        return Ok(refused(seen, View::Plan { contact, chosen, is_faulty: false, notice }));
    }
    let Some(seen) = see(tx, ctx, visitor, token, &CustomerStep::Approve(contact.into())).await? else {
        return Ok(Reply::Lost(Lost::Unknown));
    };
    if seen.purchase.is_pending {
        return Ok(Reply::To("waiting"));
    }
    forget(tx, &seen).await?;
    Ok(match seen.purchase.state {
        RequestState::Completed => back(&seen.purchase),
        _ => Reply::To("end"),
    })
}

/// Runs a request and draws its answer.
async fn answer(ctx: &Ctx, visitor: Visitor, ask: Ask) -> Response {
    let decided = ctx
        .write(|| {
            let (ctx, visitor, ask) = (ctx.clone(), visitor.clone(), ask.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Reply, ApiError>> {
                Box::pin(async move { decide(tx, &ctx, &visitor, &ask).await })
            }
        })
        .await;
    let accept_language = visitor.accept_language.as_deref();
    let link = |part: &str| format!("{}/{part}", visitor.base);
    match decided {
        Ok(Reply::Page(status, seen, view)) => {
            let csrf = visitor.session.as_ref().map(Session::csrf).unwrap_or_default();
            let frame = Frame {
                language: language(accept_language, Some(seen.purchase.market)),
                base: &visitor.base,
                purchase: &seen.purchase,
                csrf: &csrf,
                now: seen.now,
            };
            let target = seen.purchase.return_location.as_deref();
            let framed = seen.purchase.shown.as_ref().filter(|shown| shown.launch.display == Display::Frame);
            let framed = framed.map(|shown| shown.launch.origin.as_str());
            secured_in((status, draw(&frame, view)).into_response(), target, framed)
        }
        Ok(Reply::To(part)) => see_other(&link(part)),
        Ok(Reply::Begun(part, display)) => {
            let mut response = see_other(&link(part));
            if let Ask::Start(session) = &ask {
                response.headers_mut().insert(SET_COOKIE, session.cookie(&visitor, ctx, display));
            }
            response
        }
        Ok(Reply::Known(part, secret)) => {
            let cookie = customers::set_cookie(ctx, secret.as_deref());
            let cookie = HeaderValue::try_from(cookie).expect("base64url and the path of an address are header text");
            let mut response = see_other(&link(part));
            response.headers_mut().insert(SET_COOKIE, cookie);
            response
        }
        Ok(Reply::Back(location)) => see_other(&location),
        Ok(Reply::Lost(why)) => lost(language(accept_language, None), why, None),
        Err(error) => {
            error.log();
            let why = Lost::Failed { error_id: error.error_id.to_string() };
            // Going on shows how things stand: the step either happened whole or not at all.
            let resume = visitor.session.is_some().then(|| link(Step::Contact.code()));
            let mut response = lost(language(accept_language, None), why, resume.as_deref());
            *response.status_mut() = error.status;
            response
        }
    }
}

fn draw(frame: &Frame<'_>, view: View) -> Markup {
    match view {
        View::Contact { typed, is_faulty, notice } => frame.contact(&typed, is_faulty, notice),
        View::Code { contact, typed, fault } => frame.code(&contact, &typed, fault),
        View::Details { typed, faults } => frame.details(&typed, &faults),
        View::Plan { contact, chosen, is_faulty, notice } => match frame.purchase.amount {
            Some(amount) => frame.plan(amount, &contact, chosen, is_faulty, notice),
            None => frame.end(true),
        },
        View::Review { contact, plan } => frame.review(&contact, plan),
        View::Waiting => frame.waiting(),
        View::Shipping { faulty } => match &frame.purchase.shown {
            Some(shown) => frame.shipping(shown, faulty),
            None => frame.end(true),
        },
        View::End { shows_return } => frame.end(shows_return),
    }
}

/// Takes a form that was made for this browser's visit; any other changes nothing.
async fn take(ctx: &Ctx, visitor: Visitor, sent: Sent, ask: impl FnOnce(Fields) -> Ask) -> Response {
    let fields = sent.map(|Form(fields)| fields).unwrap_or_default();
    let Some(session) = &visitor.session else {
        return lost(language(visitor.accept_language.as_deref(), None), Lost::Session, None);
    };
    if !guard::is_own(&session.secret, &fields) {
        let resume = format!("{}/{}", visitor.base, Step::Contact.code());
        return lost(language(visitor.accept_language.as_deref(), None), Lost::Stale, Some(&resume));
    }
    answer(ctx, visitor, ask(fields)).await
}

fn field(mut fields: Fields, name: &str) -> String {
    fields.remove(name).unwrap_or_default()
}

async fn start(State(ctx): State<Ctx>, method: Method, visitor: Visitor, Query(mut query): Query<Fields>) -> Response {
    if method == Method::HEAD {
        // Whoever only checks the link has not opened it.
        return secured(StatusCode::OK.into_response(), None);
    }
    let token = query.remove("token").unwrap_or_default();
    let secret = ctx.random.base64url(SECRET_BYTES);
    answer(&ctx, visitor, Ask::Start(Session { token, secret })).await
}

/// The picture that a terminal shows: the address of the journey, for whoever has it already. Looking at it enters nothing.
async fn qr_code(State(ctx): State<Ctx>, visitor: Visitor, Query(mut query): Query<Fields>) -> Response {
    let token = query.remove("token").unwrap_or_default();
    let language = language(visitor.accept_language.as_deref(), None);
    let seen = ctx
        .write(|| {
            let (ctx, visitor, token) = (ctx.clone(), visitor.clone(), token.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<Option<Seen>, ApiError>> {
                Box::pin(async move { see(tx, &ctx, &visitor, &token, &CustomerStep::Look).await })
            }
        })
        .await;
    let purchase = match seen {
        Ok(seen) => seen.map(|seen| seen.purchase).filter(|purchase| purchase.state.is_open()),
        Err(error) => {
            error.log();
            return lost(language, Lost::Failed { error_id: error.error_id.to_string() }, None);
        }
    };
    let Some(purchase) = purchase else { return lost(language, Lost::Unknown, None) };
    let origin = url::Url::parse(&ctx.config.base_url).map(|url| url.origin().ascii_serialization());
    let long = origin.map(|origin| format!("{origin}{}/start?token={token}", visitor.base));
    match purchase.scanned.or(long.ok()).and_then(|address| pages::qr_code(&address)) {
        Some(svg) => secured(([(CONTENT_TYPE, "image/svg+xml")], svg).into_response(), None),
        None => lost(language, Lost::Unknown, None),
    }
}

/// The short address that a QR code holds.
async fn short_link(State(ctx): State<Ctx>, headers: HeaderMap, Path(code): Path<String>) -> Response {
    let language = language(headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()), None);
    let context = ctx.clone();
    let target = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Option<String>, ApiError>> {
        Box::pin(async move { payments::short_link_target(tx, &context, &code).await })
    });
    match target.await {
        Ok(Some(target)) => see_other(&target),
        Ok(None) => lost(language, Lost::Unknown, None),
        Err(error) => {
            error.log();
            lost(language, Lost::Failed { error_id: error.error_id.to_string() }, None)
        }
    }
}

async fn end(State(ctx): State<Ctx>, visitor: Visitor) -> Response {
    answer(&ctx, visitor, Ask::End).await
}

async fn waiting(State(ctx): State<Ctx>, visitor: Visitor) -> Response {
    answer(&ctx, visitor, Ask::Waiting).await
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

async fn post_details(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, Ask::Details).await
}

async fn not_you(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, |_| Ask::NotYou).await
}

async fn show_shipping(State(ctx): State<Ctx>, visitor: Visitor) -> Response {
    answer(&ctx, visitor, Ask::ShowShipping).await
}

async fn post_shipping(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, Ask::Shipping).await
}

async fn show_plan(State(ctx): State<Ctx>, visitor: Visitor) -> Response {
    answer(&ctx, visitor, Ask::Show(Step::Plan, Fields::new())).await
}

async fn show_review(State(ctx): State<Ctx>, visitor: Visitor) -> Response {
    answer(&ctx, visitor, Ask::Show(Step::Review, Fields::new())).await
}

async fn post_contact(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, |fields| Ask::Contact(field(fields, "contact"))).await
}

async fn post_code(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, Ask::Code).await
}

async fn post_plan(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, |fields| Ask::Plan(field(fields, "plan"))).await
}

async fn post_confirm(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, |fields| Ask::Confirm(field(fields, "seal"))).await
}

async fn refuse(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, |_| Ask::Refuse).await
}

async fn leave(State(ctx): State<Ctx>, visitor: Visitor, sent: Sent) -> Response {
    take(&ctx, visitor, sent, |_| Ask::Leave).await
}

fn lost(language: Language, why: Lost, resume: Option<&str>) -> Response {
    let status = match why {
        Lost::Unknown => StatusCode::NOT_FOUND,
        Lost::Session | Lost::Stale => StatusCode::FORBIDDEN,
        Lost::Failed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    };
    secured((status, pages::lost(language, why, resume)).into_response(), None)
}
