//! The journey over HTTP: cookie, address and form in; one transaction; a page or a redirect out.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, RequestPartsExt};
use http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, LOCATION, REFERRER_POLICY,
    SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::clock::SECOND_US;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use maud::Markup;
use protocol::krn::Region;
use protocol::{Market, Money};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::Fields;
use super::contact::{Contact, Sample};
use super::language::Language;
use super::pages::{self, Fault, Frame, Lost, Notice};
use super::plan::Plan;
use super::purchase::{self, Purchase};
use super::shipping::{self, Shown};
use super::store::{self, Key};
use super::visit::{CodeAnswer, Step, Visit};
use crate::accounts;
use crate::ctx::Ctx;
use crate::payments::payment_request::{EXPIRY_MAX_US, State as RequestState};
use crate::payments::{self, CustomerStep, Identity, JourneyRequest};
use crate::websdk::{self, Display};

/// The journey's cookie: the address's token and this browser's secret. Bound by its path to one request.
const COOKIE_NAME: &str = "kontor_journey";
const SECRET_BYTES: usize = 32;

type Sent = Result<Form<Fields>, FormRejection>;

/// The pages, for each region.
pub fn routes() -> Router<Ctx> {
    let mut router = Router::new().merge(kit::web::routes()).route("/", get(front)).route("/l/{code}", get(short_link));
    for region in ["eu", "na", "oc"] {
        let one = Router::new()
            .route("/start", get(start))
            .route("/qr.svg", get(qr_code))
            .route("/end", get(end))
            .route("/waiting", get(waiting))
            .route("/contact", get(show_contact).post(post_contact))
            .route("/code", get(show_code).post(post_code))
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
}

/// What a browser remembers.
#[derive(Clone, Debug)]
struct Session {
    token: String,
    secret: String,
}

impl Session {
    fn hash(&self) -> String {
        hex::encode(Sha256::digest(self.secret.as_bytes()))
    }

    /// What forms carry: only who holds the cookie can make it.
    fn csrf(&self) -> String {
        hex::encode(&Sha256::digest(format!("form:{}", self.secret))[..16])
    }

    fn read(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.into_iter().find(|(name, _)| *name == COOKIE_NAME)?;
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
        Ok(Self { region, uuid, base, accept_language, session: Session::read(&parts.headers) })
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
    Code(String),
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
    /// Back to the Partner.
    Back(String),
    Lost(Lost),
}

/// Which page.
#[derive(Debug)]
enum View {
    Contact { typed: String, fault: Option<Fault>, notice: Option<Notice> },
    Code { contact: Contact, typed: String, fault: Option<Fault> },
    Plan { chosen: Option<Plan>, fault: Option<Fault>, notice: Option<Notice> },
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
    Ok(Some(Seen { key, purchase: Purchase { shown: sdk, ..shown(found, partner) }, visit, now }))
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
        return start_visit(tx, seen, session).await;
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
        Ask::Show(step, query) if *step <= reached => Ok(show(seen, visit, *step, query)),
        Ask::Contact(typed) => give_contact(tx, seen, visit, typed).await,
        Ask::Code(typed) if reached >= Step::Code => give_code(tx, seen, visit, typed).await,
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

async fn start_visit(tx: &mut Tx, seen: Seen, new: &Session) -> Result<Reply, ApiError> {
    if !seen.purchase.state.is_open() {
        // The way back from an approval carries its grant: only the browser that was there gets it.
        let shows_return = seen.visit.is_some() || seen.purchase.state != RequestState::Completed;
        return Ok(page(seen, View::End { shows_return }));
    }
    if let Some(visit) = &seen.visit {
        return Ok(Reply::To(visit.reached(&seen.purchase.plans()).code()));
    }
    let key = Key { session_hash: new.hash(), ..seen.key };
    let visit = Visit::begin();
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
        (Step::Plan, Some(_)) if seen.purchase.asks_plan() => {
            let plans = seen.purchase.plans();
            let wished = visit.plan.or(seen.purchase.preselected).filter(|plan| plans.contains(plan));
            View::Plan { chosen: wished.or(plans.first().copied()), fault: None, notice: None }
        }
        (Step::Plan, Some(_)) => return Reply::To(Step::Review.code()),
        (Step::Review, Some(contact)) => View::Review { contact, plan: visit.plan },
        (_, contact) => {
            let sample = query.get("sample").and_then(|code| Sample::from_code(code));
            let typed = sample.map(|sample| sample.email(seen.purchase.market));
            let typed = typed.or(contact.map(|contact| contact.as_str().to_owned())).unwrap_or_default();
            View::Contact { typed, fault: None, notice: None }
        }
    };
    page(seen, view)
}

async fn give_contact(tx: &mut Tx, seen: Seen, mut visit: Visit, typed: &str) -> Result<Reply, ApiError> {
    let Some(contact) = Contact::parse(typed, seen.purchase.market) else {
        let typed = typed.to_owned();
        return Ok(refused(seen, View::Contact { typed, fault: Some(Fault::Contact), notice: None }));
    };
    visit.identify(contact);
    store::update(tx, &seen.key, &visit, seen.now).await?;
    Ok(Reply::To(visit.step.code()))
}

async fn give_code(tx: &mut Tx, seen: Seen, mut visit: Visit, typed: &str) -> Result<Reply, ApiError> {
    let Some(contact) = visit.contact.clone() else { return Ok(Reply::To(Step::Contact.code())) };
    let answer = visit.prove(typed, seen.purchase.asks_plan());
    store::update(tx, &seen.key, &visit, seen.now).await?;
    let fault = match answer {
        CodeAnswer::Right => return Ok(Reply::To(visit.step.code())),
        CodeAnswer::Malformed => Fault::CodeMalformed,
        CodeAnswer::Wrong => Fault::CodeWrong,
        CodeAnswer::Spent => {
            let typed = contact.as_str().to_owned();
            return Ok(refused(seen, View::Contact { typed, fault: None, notice: Some(Notice::CodeSpent) }));
        }
    };
    Ok(refused(seen, View::Code { contact, typed: typed.to_owned(), fault: Some(fault) }))
}

async fn choose_plan(tx: &mut Tx, seen: Seen, mut visit: Visit, code: &str) -> Result<Reply, ApiError> {
    let chosen = Plan::from_code(code).filter(|plan| seen.purchase.plans().contains(plan));
    let Some(plan) = chosen else {
        return Ok(refused(seen, View::Plan { chosen: None, fault: Some(Fault::Plan), notice: None }));
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
        return Ok(refused(seen, View::Plan { chosen, fault: None, notice: Some(Notice::OrderChanged) }));
    }
    let identity = Identity { email: contact.email().map(str::to_owned), phone: contact.phone().map(str::to_owned) };
    let Some(seen) = see(tx, ctx, visitor, token, &CustomerStep::Approve(identity)).await? else {
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
        View::Contact { typed, fault, notice } => frame.contact(&typed, fault, notice),
        View::Code { contact, typed, fault } => frame.code(&contact, &typed, fault),
        View::Plan { chosen, fault, notice } => match frame.purchase.amount {
            Some(amount) => frame.plan(amount, chosen, fault, notice),
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
    let given = fields.get("csrf").map(String::as_bytes).unwrap_or_default();
    if !bool::from(session.csrf().as_bytes().ct_eq(given)) {
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
    take(&ctx, visitor, sent, |fields| Ask::Code(field(fields, "code"))).await
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

/// 303: whatever was sent, the next request reads.
fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return secured(StatusCode::NOT_FOUND.into_response(), None);
    };
    secured((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response(), None)
}

/// Nothing but our own files, no copy kept, no address told. Browsers apply `form-action` to every hop of the redirect after
/// a form, and the Partner's side commonly adds hops on hosts that we do not know: so the way back is bounded by its scheme.
fn secured(response: Response, target: Option<&str>) -> Response {
    secured_in(response, target, None)
}

/// The same, in a frame of the one origin that may show it.
fn secured_in(mut response: Response, target: Option<&str>, framed_by: Option<&str>) -> Response {
    let ancestors = framed_by.unwrap_or("'none'");
    let scheme = target.and_then(|target| url::Url::parse(target).ok()).map(|url| url.scheme().to_owned());
    let scheme = scheme.filter(|scheme| scheme != "https").map(|scheme| format!(" {scheme}:")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self' https:{scheme}; \
         base-uri 'none'; frame-ancestors {ancestors}"
    );
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).expect("schemes and origins are printable ASCII");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
