//! What an Acquiring Partner can offer and what it pays (read only), and which programs its Partners have switched on.

use std::sync::LazyLock;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{Method, StatusCode};
use kit::db::Tx;
use kit::http::{ApiError, JsonBody};
use protocol::krn::PaymentProgramEnablementId;
use protocol::shape::{Kind, shapes};
use protocol::{Currency, KrnKind, Timestamp};
use serde_json::{Value, json};

use super::catalogue::categories::trade;
use super::catalogue::{CustomerMarket, Dated, Enablement, PricePlan, Program, ProgramPlan};
use super::enablement::{Criteria, Refusal, decide};
use super::price_list::{Filter, Line, lines};
use super::rate::Channel;
use super::store::{self, EnablementRow, ProfileRow};
use crate::accounts;
use crate::ctx::Ctx;
use crate::operation::{
    Call, Category, Content, Doc, OnBehalf, Param, Parameters, Query, Reply, Route, Source, Who, check, conflict,
    forbidden, not_found,
};
use crate::paging::{From, Page, Wanted};

const CATEGORY: Category = Category::PartnerManagement;
const WHO: Who = Who::AcquiringPartner;

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    use Source::Collection;
    vec![
        Route::at(
            Method::GET,
            &["/v2/distribution/products/payment/profiles"],
            CATEGORY,
            WHO,
            Doc::new(
                "listPaymentDistributionProfiles",
                "Lists the payment profiles, each a price plan and a program plan",
                Collection,
            )
            .answers_with(200, Content::JsonArray(shapes::programs::payment_profile)),
            list_profiles,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/products/payment/payment-program-plans"],
            CATEGORY,
            WHO,
            Doc::new("listPaymentProgramPlans", "Lists the payment program plans with their versions", Collection)
                .paged()
                .answers(200, shapes::programs::payment_program_plans),
            list_program_plans,
        ),
        Route::at(
            Method::GET,
            &[
                "/v2/distribution/products/payment/payment-program-plans/{payment_program_plan_id}",
                "/v2/distribution/products/payment/payment-program-plans/{payment_program_plan_id}/payment-programs",
            ],
            CATEGORY,
            WHO,
            Doc::new(
                "listPaymentProgramsForPaymentProgramPlan",
                "Lists the payment programs of a version of a plan",
                Collection,
            )
            .queries(plan_params())
            .paged()
            .answers(200, shapes::programs::payment_programs_of_plan),
            read_program_plan,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/products/payment/payment-programs/{payment_program_id}"],
            CATEGORY,
            WHO,
            Doc::new("readPaymentProgram", "Reads a payment program", Collection)
                .answers(200, shapes::programs::payment_program),
            read_program,
        ),
        Route::for_account(
            Method::GET,
            &["/products/payment/payment-programs"],
            CATEGORY,
            WHO,
            Doc::new("listPaymentPrograms", "Lists what a Partner can offer, with its enablements", Collection)
                .queries(program_params())
                .paged()
                .answers(200, shapes::programs::payment_programs),
            list_programs,
        ),
        Route::for_account(
            Method::POST,
            &["/products/payment/payment-programs/payment-program-enablements"],
            CATEGORY,
            WHO,
            Doc::new("createPaymentProgramEnablement", "Switches an optional payment program on", Collection)
                .takes(shapes::programs::enablement_create)
                .answers(201, shapes::programs::enablement),
            create_enablement,
        ),
        Route::for_account(
            Method::GET,
            &["/products/payment/payment-programs/payment-program-enablements"],
            CATEGORY,
            WHO,
            Doc::new("listPaymentProgramEnablements", "Lists the enablements, also those that ended", Collection)
                .paged()
                .answers(200, shapes::programs::enablements),
            list_enablements,
        ),
        Route::for_account(
            Method::GET,
            &["/products/payment/payment-programs/payment-program-enablements/{payment_program_enablement_id}"],
            CATEGORY,
            WHO,
            Doc::new("readPaymentProgramEnablement", "Reads an enablement", Collection)
                .answers(200, shapes::programs::enablement),
            read_enablement,
        ),
        Route::for_account(
            Method::DELETE,
            &["/products/payment/payment-programs/payment-program-enablements/{payment_program_enablement_id}"],
            CATEGORY,
            WHO,
            Doc::new("deletePaymentProgramEnablement", "Ends an enablement", Collection).answers_nothing(),
            delete_enablement,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/products/payment/price-plans"],
            CATEGORY,
            WHO,
            Doc::new("listPricePlans", "Lists the price plans with their versions", Collection)
                .paged()
                .answers(200, shapes::programs::price_plans),
            list_price_plans,
        ),
        Route::at(
            Method::GET,
            &["/v2/distribution/products/payment/price-plans/{price_plan_id}"],
            CATEGORY,
            WHO,
            Doc::new("readPricePlan", "Reads the rates of a version of a price plan", Collection)
                .queries(price_params())
                .paged()
                .answers(200, shapes::programs::price_plan),
            read_price_plan,
        ),
    ]
}

/// Klarna's part in the test environment.
pub fn testing_routes() -> Vec<Route> {
    vec![Route::at(
        Method::POST,
        &["/testing/accounts/{partner_account_id}/payment-program-enablements"],
        Category::Unlimited,
        WHO,
        Doc::new(
            "approvePaymentProgram",
            "Plays Klarna's approval: switches a restricted payment program on",
            Source::Ours,
        )
        .takes(shapes::programs::enablement_create)
        .answers(201, shapes::programs::enablement),
        approve_program,
    )]
}

const FOUR_DIGITS: Kind = Kind::Matching {
    min: 4,
    max: 4,
    accepts: |text| text.bytes().all(|byte| byte.is_ascii_digit()),
    wanted: "a merchant category code of four digits, like 5942",
};
const VERSION: Kind = Kind::Int { min: 1, max: i64::MAX };

fn program_params() -> Vec<Param> {
    vec![
        Param::new("merchant_category_code", FOUR_DIGITS),
        Param::new("customer_country", Kind::Country),
        Param::new("transaction_currency", Kind::Currency),
        Param::new("enablement_type", Kind::OneOf(Enablement::TEXTS)),
    ]
}

fn plan_params() -> Vec<Param> {
    program_params().into_iter().chain([Param::new("version", VERSION)]).collect()
}

fn price_params() -> Vec<Param> {
    vec![
        Param::new("merchant_category_code", FOUR_DIGITS),
        Param::new("currency", Kind::Currency),
        Param::new("customer_country", Kind::Country),
        Param::new("version", VERSION),
        Param::new("pricing_payment_category", Kind::OneOf(Channel::TEXTS)),
        Param::new("partner_country", Kind::Country),
        Param::new("payment_program_id", Kind::Id(KrnKind::PaymentProgram)),
        Param::new("date_time", Kind::Timestamp),
    ]
}

// Profiles and plans.

async fn profiles(ctx: &Ctx, on: &OnBehalf) -> Result<Vec<ProfileRow>, ApiError> {
    let above = on.caller.acquiring_partner.clone();
    Ok(ctx.db.read(move |tx| Box::pin(async move { store::profiles(tx, above.as_str()).await })).await?)
}

async fn list_profiles(State(ctx): State<Ctx>, on: OnBehalf) -> Result<Reply, ApiError> {
    let view = |row: &ProfileRow| {
        let (prices, programs) = (PricePlan::by_key(&row.price_plan), ProgramPlan::by_key(&row.program_plan));
        json!({
            "payment_profile_id": row.payment_profile_id,
            "name": row.name,
            "price_plan_id": prices.map(PricePlan::id),
            "payment_program_plan_id": programs.map(ProgramPlan::id),
        })
    };
    let list: Vec<Value> = profiles(&ctx, &on).await?.iter().map(view).collect();
    Ok(Reply::json(StatusCode::OK, &list))
}

/// The plans that an Acquiring Partner's profiles name, each once.
fn distinct<T: PartialEq>(
    profiles: &[ProfileRow],
    plan: impl Fn(&ProfileRow) -> Option<&'static T>,
) -> Vec<&'static T> {
    let mut plans = Vec::new();
    for found in profiles.iter().filter_map(plan) {
        if !plans.contains(&found) {
            plans.push(found);
        }
    }
    plans
}

async fn program_plans(ctx: &Ctx, on: &OnBehalf) -> Result<Vec<&'static ProgramPlan>, ApiError> {
    Ok(distinct(&profiles(ctx, on).await?, |row| ProgramPlan::by_key(&row.program_plan)))
}

async fn price_plans(ctx: &Ctx, on: &OnBehalf) -> Result<Vec<&'static PricePlan>, ApiError> {
    Ok(distinct(&profiles(ctx, on).await?, |row| PricePlan::by_key(&row.price_plan)))
}

/// Ours: the version in force first, because whoever reads the first one means that; then the others, newest first.
fn versions<T>(mut all: Vec<Dated<T>>, now: i64) -> Value {
    all.sort_by_key(|dated| (!is_in_force(dated, now), -dated.version));
    let view = |dated: &Dated<T>| {
        let mut object = json!({});
        put_version(&mut object, dated);
        object
    };
    all.iter().map(view).collect()
}

fn is_in_force<T>(dated: &Dated<T>, now: i64) -> bool {
    dated.effective_from <= now && dated.effective_to.is_none_or(|end| now < end)
}

fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_micros(micros).ok()
}

async fn list_program_plans(State(ctx): State<Ctx>, on: OnBehalf, wanted: Wanted) -> Result<Reply, ApiError> {
    let plans = program_plans(&ctx, &on).await?;
    let now = ctx.clock.now();
    let view = |plan: &&ProgramPlan| json!({"payment_program_plan_id": plan.id(), "versions": versions(plan.versions.all(), now)});
    reply(&wanted, plans, "payment_program_plans", |plan| plan.id().to_string(), view)
}

async fn list_price_plans(State(ctx): State<Ctx>, on: OnBehalf, wanted: Wanted) -> Result<Reply, ApiError> {
    let plans = price_plans(&ctx, &on).await?;
    let now = ctx.clock.now();
    let view = |plan: &&PricePlan| json!({"price_plan_id": plan.id(), "versions": versions(plan.versions.all(), now)});
    reply(&wanted, plans, "price_plans", |plan| plan.id().to_string(), view)
}

static PLAN: LazyLock<Parameters> = LazyLock::new(|| Parameters::new(plan_params()));
static PROGRAM: LazyLock<Parameters> = LazyLock::new(|| Parameters::new(program_params()));
static PRICE: LazyLock<Parameters> = LazyLock::new(|| Parameters::new(price_params()));

async fn read_program_plan(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(id): Path<String>,
    wanted: Wanted,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let plans = program_plans(&ctx, &on).await?;
    let plan = plans.into_iter().find(|plan| plan.id().as_str() == id);
    let plan = plan.ok_or_else(|| not_found("The payment program plan does not exist."))?;
    let query = PLAN.read(query.as_deref())?;
    let version = numbered(plan.versions.all(), &query)?.unwrap_or_else(|| plan.versions.at(ctx.clock.now()));
    let programs: Vec<_> = version.programs().filter(|program| is_wanted(program, &query)).collect();
    let mut object = page(
        &wanted,
        programs,
        "payment_programs",
        |program| program.id().to_string(),
        |program| program_view(program, &query),
    )?;
    object["payment_program_plan_id"] = json!(plan.id());
    put_version(&mut object, &version);
    Ok(Reply::json(StatusCode::OK, &object))
}

/// Says which version of a plan it is that was read.
fn put_version<T>(object: &mut Value, dated: &Dated<T>) {
    object["version"] = json!(dated.version);
    object["effective_from"] = json!(time(dated.effective_from));
    object["effective_to"] = json!(dated.effective_to.map(time));
}

/// The version that is asked for by its number, if one is.
fn numbered<T>(all: Vec<Dated<T>>, query: &Query) -> Result<Option<Dated<T>>, ApiError> {
    let Some(number) = query.number("version") else { return Ok(None) };
    match all.into_iter().find(|dated| dated.version == number) {
        Some(dated) => Ok(Some(dated)),
        None => Err(ApiError::validation(Vec::new()).field("version", "is no version of this plan")),
    }
}

// Programs.

/// Whether the filters of the query let a program through.
fn is_wanted(program: &Program, query: &Query) -> bool {
    let category = query.text("merchant_category_code");
    category.is_none_or(|code| trade(code).is_some_and(|trade| program.is_for(trade)))
        && query.text("enablement_type").is_none_or(|wanted| wanted == program.enablement.as_str())
        && markets(program, query).next().is_some()
}

/// The markets of a program that the query asks for, each with its currency and limits.
fn markets(program: &Program, query: &Query) -> impl Iterator<Item = Value> {
    let country = query.text("customer_country").map(str::to_owned);
    let currency: Option<Currency> = query.text("transaction_currency").and_then(|code| code.parse().ok());
    let wants = move |market: &&'static CustomerMarket| {
        country.as_ref().is_none_or(|country| market.country.eq_ignore_ascii_case(country))
    };
    let id = program.id();
    super::catalogue::customer_markets().iter().filter(wants).filter_map(move |market| {
        let currency = currency.unwrap_or_else(|| market.currency());
        let (_, limits) = market.in_currency(currency).find(|(offered, _)| offered.id() == id)?;
        Some(json!({
            "customer_country": market.country,
            "transaction_currency": currency,
            "minimum_amount": limits.minimum,
            "maximum_amount": limits.maximum,
        }))
    })
}

fn program_view(program: &Program, query: &Query) -> Value {
    json!({
        "payment_program_id": program.id(),
        "display_name": program.display_name,
        "payment_program_category": program.terms.category(),
        "funding_type": program.terms.funding_type(),
        "enablement_type": program.enablement.as_str(),
        "status": "AVAILABLE",
        "markets": markets(program, query).collect::<Vec<_>>(),
    })
}

async fn read_program(State(ctx): State<Ctx>, on: OnBehalf, Path(id): Path<String>) -> Result<Reply, ApiError> {
    let plans = program_plans(&ctx, &on).await?;
    let found = Program::find(&id).filter(|program| {
        let mut versions = plans.iter().flat_map(|plan| plan.versions.all());
        versions.any(|version| version.programs().any(|other| other == *program))
    });
    let program = found.ok_or_else(|| not_found("The payment program does not exist."))?;
    Ok(Reply::json(StatusCode::OK, &program_view(program, &Query::empty())))
}

/// The programs that an account's plan has now.
async fn programs_of(tx: &mut Tx, account: &str, now: i64) -> Result<Vec<&'static Program>, ApiError> {
    let profile = store::profile_of(tx, account).await?;
    let plan = profile.and_then(|profile| ProgramPlan::by_key(&profile.program_plan));
    Ok(plan.map(|plan| plan.versions.at(now).programs().collect()).unwrap_or_default())
}

async fn list_programs(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    wanted: Wanted,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let query = PROGRAM.read(query.as_deref())?;
    let (account, now) = (on.account, ctx.clock.now());
    let (programs, enablements) = ctx
        .db
        .read(move |tx| -> kit::db::UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move {
                let programs = programs_of(tx, account.as_str(), now).await?;
                Ok((programs, store::active_enablements(tx, account.as_str()).await?))
            })
        })
        .await?;
    let programs = programs.into_iter().filter(|program| is_wanted(program, &query)).collect();
    let view = |program: &&Program| {
        let mut object = program_view(program, &query);
        let id = program.id();
        let own = enablements.iter().filter(|row| row.program_id == id.as_str());
        object["active_enablements"] = own.map(enablement_view).collect();
        object
    };
    reply(&wanted, programs, "payment_programs", |program| program.id().to_string(), view)
}

// Enablements.

fn enablement_view(row: &EnablementRow) -> Value {
    let mut object = json!({
        "payment_program_enablement_id": row.enablement_id,
        "payment_program_id": row.program_id,
        "enablement_criteria": row.criteria(),
        "state": if row.ended_at.is_none() { "ACTIVE" } else { "ENDED" },
        "created_at": time(row.created_at),
        "ended_at": row.ended_at.map(time),
    });
    if let Some(code) = &row.code {
        object["payment_program_enablement_code"] = json!(code);
    }
    object
}

async fn create_enablement(call: Call, JsonBody { value, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::programs::enablement_create(), &value)?;
    call.once(&value, false, |tx, ctx, on, body| {
        Box::pin(async move {
            accounts::require_manageable(tx, &ctx, &on).await?;
            enable(tx, &ctx, &on, &body, false).await
        })
    })
    .await
}

async fn approve_program(call: Call, JsonBody { value, .. }: JsonBody) -> Result<Response, ApiError> {
    check(shapes::programs::enablement_create(), &value)?;
    call.once(&value, false, |tx, ctx, on, body| Box::pin(async move { enable(tx, &ctx, &on, &body, true).await }))
        .await
}

async fn enable(tx: &mut Tx, ctx: &Ctx, on: &OnBehalf, body: &Value, by_klarna: bool) -> Result<Reply, ApiError> {
    let (account, now) = (on.account.as_str(), ctx.clock.now());
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let wanted = text("payment_program_id").unwrap_or_default();
    let programs = programs_of(tx, account, now).await?;
    let program = Program::find(&wanted).filter(|program| programs.contains(program)).ok_or_else(|| {
        ApiError::validation(Vec::new()).field("payment_program_id", "is no payment program of this account's plan")
    })?;
    let criteria = body.get("enablement_criteria").filter(|criteria| !criteria.is_null()).cloned();
    let criteria: Criteria =
        criteria.map(serde_json::from_value).transpose().map_err(ApiError::internal)?.unwrap_or_default();
    let criteria = criteria.normal();
    let payment_accounts = accounts::store::payment_accounts(tx, account).await?;
    let payment_accounts: Vec<String> = payment_accounts.into_iter().map(|row| row.payment_account_id).collect();
    decide(program, &criteria, &payment_accounts, by_klarna).map_err(refused)?;
    let row = EnablementRow {
        enablement_id: PaymentProgramEnablementId::new(ctx.random.id(now)).to_string(),
        program_id: program.id().to_string(),
        code: text("payment_program_enablement_code"),
        criteria: serde_json::to_string(&criteria).map_err(ApiError::internal)?,
        created_at: now,
        ended_at: None,
    };
    store::insert_enablement(tx, account, &row).await?;
    Ok(Reply::json(StatusCode::CREATED, &enablement_view(&row)))
}

fn refused(refusal: Refusal) -> ApiError {
    match refusal {
        Refusal::Criteria(faults) => ApiError::validation(faults),
        Refusal::Preset => conflict("The payment program is preset: it is always on."),
        Refusal::Restricted => {
            forbidden("The payment program is restricted: Klarna switches it on after its approval.")
        }
    }
}

async fn list_enablements(State(ctx): State<Ctx>, on: OnBehalf, wanted: Wanted) -> Result<Reply, ApiError> {
    let (account, page) = (on.account, wanted.clone());
    let read = ctx.db.read(move |tx| Box::pin(async move { store::enablements(tx, account.as_str(), &page).await }));
    let (rows, total) = read.await?;
    let object = Page::of(&wanted, rows).object(
        &wanted,
        "payment_program_enablements",
        Some(total),
        |row| row.enablement_id.clone(),
        enablement_view,
    );
    Ok(Reply::json(StatusCode::OK, &object))
}

fn no_enablement() -> ApiError {
    not_found("The payment program enablement does not exist.")
}

/// Of a path of one parameter or two, the last: with `partner_account_id` in front or without.
fn last(params: &[(String, String)]) -> String {
    params.last().map(|(_, value)| value.clone()).unwrap_or_default()
}

async fn read_enablement(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(params): Path<Vec<(String, String)>>,
) -> Result<Reply, ApiError> {
    let id = last(&params);
    let read = ctx.db.read(move |tx| Box::pin(async move { store::enablement(tx, on.account.as_str(), &id).await }));
    let row = read.await?.ok_or_else(no_enablement)?;
    Ok(Reply::json(StatusCode::OK, &enablement_view(&row)))
}

async fn delete_enablement(call: Call, Path(params): Path<Vec<(String, String)>>) -> Result<Reply, ApiError> {
    let id = last(&params);
    call.write(move |tx, ctx, on| {
        let id = id.clone();
        Box::pin(async move {
            accounts::require_manageable(tx, &ctx, &on).await?;
            let account = on.account.as_str();
            store::enablement(tx, account, &id).await?.ok_or_else(no_enablement)?;
            // Ours: a repeated DELETE finds what it wanted.
            store::end_enablement(tx, account, &id, ctx.clock.now()).await?;
            Ok(Reply::no_content())
        })
    })
    .await
}

// Prices.

async fn read_price_plan(
    State(ctx): State<Ctx>,
    on: OnBehalf,
    Path(id): Path<String>,
    wanted: Wanted,
    RawQuery(query): RawQuery,
) -> Result<Reply, ApiError> {
    let plan = price_plans(&ctx, &on).await?.into_iter().find(|plan| plan.id().as_str() == id);
    let plan = plan.ok_or_else(|| not_found("The price plan does not exist."))?;
    let query = PRICE.read(query.as_deref())?;
    // Ours: a number says more than a moment.
    let moment = query.text("date_time").and_then(|text| text.parse::<Timestamp>().ok());
    let at = moment.map_or_else(|| ctx.clock.now(), |moment| moment.as_micros());
    let version = numbered(plan.versions.all(), &query)?.unwrap_or_else(|| plan.versions.at(at));
    let program = query.text("payment_program_id").map(Program::find);
    let filter = Filter {
        merchant_category_code: query.text("merchant_category_code").map(str::to_owned),
        currency: query.text("currency").and_then(|code| code.parse().ok()),
        customer_country: query.text("customer_country").map(str::to_owned),
        channel: Channel::ALL
            .into_iter()
            .find(|channel| query.text("pricing_payment_category") == Some(channel.as_str())),
        program: program.flatten(),
        partner_country: query.text("partner_country").map(str::to_ascii_uppercase),
    };
    // A program that does not exist has no rates.
    let found: Vec<Line> = if program == Some(None) { Vec::new() } else { lines(version.content, &filter).collect() };
    let view = |line: &Line| {
        let mut rate = json!({
            "payment_program_id": line.program.id(),
            "merchant_category_code": line.merchant_category_code,
            "customer_country": line.customer_country,
            "pricing_payment_category": line.channel.as_str(),
            "currency": line.rate.currency,
            "variable_rate": line.rate.variable_rate(),
            "fixed_fee": line.rate.fixed_fee,
            "microtransaction_cap": line.rate.microtransaction_cap(),
        });
        if let Some(country) = &filter.partner_country {
            rate["partner_country"] = json!(country);
        }
        rate
    };
    let mut object = page(&wanted, found, "rates", Line::cursor, view)?;
    object["price_plan_id"] = json!(plan.id());
    put_version(&mut object, &version);
    object["state"] = json!("PUBLISHED");
    Ok(Reply::json(StatusCode::OK, &object))
}

// Pages of what stands in memory.

/// The page of a whole list.
fn page<T>(
    wanted: &Wanted,
    all: Vec<T>,
    key: &str,
    cursor: impl Fn(&T) -> String,
    view: impl Fn(&T) -> Value,
) -> Result<Value, ApiError> {
    let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let limit = usize::try_from(wanted.limit()).unwrap_or(usize::MAX);
    let place = |name: &'static str, wanted: &str| {
        all.iter()
            .position(|item| cursor(item) == wanted)
            .ok_or_else(|| ApiError::validation(Vec::new()).field(name, "must be a cursor of an earlier page"))
    };
    let rows: Vec<T> = match &wanted.from {
        From::Start => all.into_iter().take(limit).collect(),
        From::After(text) => {
            let place = place("starting_after", text)?;
            all.into_iter().skip(place + 1).take(limit).collect()
        }
        From::Before(text) => {
            let place = place("ending_before", text)?;
            let mut before: Vec<T> = all.into_iter().take(place).collect();
            before.reverse();
            before.truncate(limit);
            before
        }
    };
    Ok(Page::of(wanted, rows).object(wanted, key, Some(total), cursor, view))
}

fn reply<T>(
    wanted: &Wanted,
    all: Vec<T>,
    key: &str,
    cursor: impl Fn(&T) -> String,
    view: impl Fn(&T) -> Value,
) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &page(wanted, all, key, cursor, view)?))
}
