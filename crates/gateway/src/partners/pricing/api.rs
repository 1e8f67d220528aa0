//! What a Partner's payments cost and what its customers are offered, for operators and for the Partner itself.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use kit::http::ApiError;
use protocol::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::enablements;
use super::terms::{self, Kept, Term};
use crate::Ctx;
use crate::access::{OperatorCaller, PartnerCaller};
use crate::events::page::Query;
use crate::events::wire_time;
use crate::partners::api::load;
use crate::partners::part::Kind;
use crate::partners::profile::Profile;
use crate::partners::record::Record;

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(read_partner_pricing)).routes(routes!(read_own_pricing))
}

/// What Klarna charges for a Partner's payments, and what its customers are offered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Pricing {
    /// Klarna's id of the pair of plans that the Partner is on.
    pub payment_profile_id: String,
    /// Its name.
    pub payment_profile_name: Option<String>,
    /// The price plan, and which version of it is in force.
    pub price_plan: PlanView,
    /// Versions of the price plan that are to come, soonest first.
    pub upcoming_price_plans: Vec<PlanView>,
    /// Rates of the Partner's merchant categories, per customer country, channel and program. Charged per capture.
    #[schema(value_type = Vec<RateView>)]
    pub rates: Vec<Value>,
    /// The program plan, and which version of it is in force.
    pub payment_program_plan: PlanView,
    /// What customers can be offered.
    #[schema(value_type = Vec<ProgramView>)]
    pub payment_programs: Vec<Value>,
    /// When the oldest part of this was read from Klarna.
    pub as_of: String,
    /// Whether a part of this should have been read again since, and could not be.
    pub stale: bool,
    /// Why not.
    pub refresh_failure: Option<String>,
}

/// A version of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PlanView {
    /// Klarna's id.
    pub id: String,
    /// Counted by Klarna.
    pub version: Option<i64>,
    /// From when on it is in force.
    pub effective_from: Option<String>,
    /// Until when; null while no end is known.
    pub effective_to: Option<String>,
}

/// A rate, as Klarna shows it.
#[derive(ToSchema)]
pub struct RateView {
    /// Which program it is for.
    pub payment_program_id: String,
    /// Four digits.
    pub merchant_category_code: String,
    /// Where the customer lives.
    pub customer_country: String,
    /// `DIGITAL` or `PHYSICAL`.
    pub pricing_payment_category: String,
    /// ISO 4217.
    pub currency: String,
    /// Percent of the captured amount, like `2.99`.
    pub variable_rate: String,
    /// Added per capture, in minor units.
    pub fixed_fee: i64,
    /// Both together are at most this share of the amount, in percent.
    pub microtransaction_cap: String,
}

/// A payment program, as Klarna shows it, and whether it is on for the Partner.
#[derive(ToSchema)]
pub struct ProgramView {
    /// Klarna's id.
    pub payment_program_id: String,
    /// Its name.
    pub display_name: String,
    /// `PAY_NOW`, `PAY_LATER`, `INSTALLMENTS`, `FINANCING` or one that is new.
    pub payment_program_category: String,
    /// `PRESET` (always on), `OPTIONAL` (switched on by an enablement) or `RESTRICTED` (by Klarna, on request).
    pub enablement_type: String,
    /// `AVAILABLE`, `DEPRECATED` or `DECOMMISSIONED`.
    pub status: String,
    /// Where it is offered: `customer_country`, `transaction_currency`, `minimum_amount`, `maximum_amount`.
    #[schema(value_type = Vec<Object>)]
    pub markets: Vec<Value>,
    /// Whether customers are offered it: a preset, or with an active enablement.
    pub enabled: bool,
    /// Its enablements that are under way or active; see there.
    pub enablement_ids: Vec<String>,
}

/// Read a Partner's pricing
///
/// From Klarna's price plan and program plan, kept here and refreshed daily: `as_of` and `stale` say how old it is. Rates are those of
/// the merchant categories that the Partner has; ask for another one by `merchant_category_code`.
#[utoipa::path(
    get, path = "/v1/partners/{partner_id}/pricing", operation_id = "read_partner_pricing", tag = "Partners",
    params(
        ("partner_id" = String, Path, description = "`par_…`"),
        ("merchant_category_code" = Option<String>, Query, description = "Only rates of this category, four digits."),
        ("customer_country" = Option<String>, Query, description = "Only rates and markets of this country, ISO 3166-1 alpha-2."),
        ("payment_program_id" = Option<String>, Query, description = "Only this program."),
    ),
    responses((status = 200, description = "Rates and programs.", body = Pricing))
)]
async fn read_partner_pricing(
    State(ctx): State<Ctx>,
    _operator: OperatorCaller,
    Path(partner_id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Pricing>, ApiError> {
    let wanted = Wanted::read(query.as_deref())?;
    pricing(&ctx, &load(&ctx, &partner_id).await?, &wanted).await
}

/// Read your pricing
///
/// What Klarna charges for your payments, and what your customers are offered. `as_of` and `stale` say how old it is.
#[utoipa::path(
    get, path = "/v1/pricing", operation_id = "read_own_pricing", tag = "Account",
    params(
        ("merchant_category_code" = Option<String>, Query, description = "Only rates of this one of your categories, four digits."),
        ("customer_country" = Option<String>, Query, description = "Only rates and markets of this country, ISO 3166-1 alpha-2."),
        ("payment_program_id" = Option<String>, Query, description = "Only this program."),
    ),
    responses(
        (status = 200, description = "Rates and programs.", body = Pricing),
        (status = 404, description = "Your account was not onboarded here: ask your provider."),
    )
)]
async fn read_own_pricing(
    State(ctx): State<Ctx>,
    caller: PartnerCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<Pricing>, ApiError> {
    let wanted = Wanted::read(query.as_deref())?;
    let record = load(&ctx, &caller.partner_id).await?;
    // Every category that is asked for is read from Klarna and kept: a Partner has a few, and asks about those.
    if let Some(category) = wanted.category.as_ref().filter(|one| !categories(&record.profile).contains(*one)) {
        let reason = format!("is none of yours: {category}");
        return Err(ApiError::validation(Vec::new()).field("merchant_category_code", reason));
    }
    pricing(&ctx, &record, &wanted).await
}

/// What is asked for.
struct Wanted {
    category: Option<String>,
    country: Option<String>,
    program: Option<String>,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Self, ApiError> {
        let mut query = Query::parse(query);
        let text = |query: &Query, name: &str| query.get(name).map(str::to_owned);
        let category = text(&query, "merchant_category_code");
        if category.as_ref().is_some_and(|code| code.len() != 4 || !code.bytes().all(|byte| byte.is_ascii_digit())) {
            query.fault("merchant_category_code", "must have four digits, like 5942");
        }
        let country = text(&query, "customer_country").map(|code| code.to_ascii_uppercase());
        if country.as_ref().is_some_and(|code| code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase())) {
            query.fault("customer_country", "must be a country code of ISO 3166-1, like SE");
        }
        let program = text(&query, "payment_program_id");
        query.finish()?;
        Ok(Self { category, country, program })
    }

    fn wants_country(&self, entry: &Value) -> bool {
        self.country.as_deref().is_none_or(|country| entry["customer_country"] == country)
    }

    fn wants_program(&self, entry: &Value) -> bool {
        self.program.as_deref().is_none_or(|program| entry["payment_program_id"] == program)
    }
}

async fn pricing(ctx: &Ctx, record: &Record, wanted: &Wanted) -> Result<Json<Pricing>, ApiError> {
    let profiles = terms::get(ctx, &Term::Profiles).await?;
    let profile = profile_of(&record.profile, &profiles.body).ok_or_else(|| {
        ApiError::new(http::StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", "Klarna lists no such payment profile.")
    })?;
    let text = |name: &str| profile[name].as_str().unwrap_or_default().to_owned();
    let (price_plan, program_plan) = (text("price_plan_id"), text("payment_program_plan_id"));
    let plans = terms::get(ctx, &Term::PricePlans).await?;
    let programs = terms::get(ctx, &Term::Programs { plan: program_plan }).await?;
    let mut rates = Vec::new();
    for category in wanted.category.clone().map_or_else(|| categories(&record.profile), |one| BTreeSet::from([one])) {
        rates.push(terms::get(ctx, &Term::Rates { plan: price_plan.clone(), category }).await?);
    }
    let enablements = enablements::live(ctx, &record.partner_id).await?;
    let parts: Vec<&Kept> = [&profiles, &plans, &programs].into_iter().chain(&rates).collect();
    let as_of = parts.iter().map(|kept| kept.fetched_at).min().unwrap_or_default();
    let now = ctx.clock.now();
    let in_force = match rates.first() {
        Some(kept) => version(&price_plan, &kept.body),
        None => current(&plans.body, &price_plan, now).unwrap_or_else(|| version(&price_plan, &Value::Null)),
    };
    let shown_rates = rates.iter().flat_map(|kept| kept.body["rates"].as_array().into_iter().flatten());
    let shown_rates = shown_rates.filter(|rate| wanted.wants_country(rate) && wanted.wants_program(rate)).cloned();
    let shown_programs = programs.body["payment_programs"].as_array().into_iter().flatten();
    let shown_programs = shown_programs
        .filter(|program| wanted.wants_program(program))
        .map(|program| program_view(program, wanted, &enablements));
    Ok(Json(Pricing {
        payment_profile_id: text("payment_profile_id"),
        payment_profile_name: profile["name"].as_str().map(str::to_owned),
        price_plan: in_force,
        upcoming_price_plans: upcoming(&plans.body, &price_plan, now),
        rates: shown_rates.collect(),
        payment_program_plan: version(&text("payment_program_plan_id"), &programs.body),
        payment_programs: shown_programs.collect(),
        as_of: wire_time(as_of),
        stale: parts.iter().any(|kept| terms::is_stale(ctx, kept.fetched_at) || terms::has_ended(&kept.body, now)),
        refresh_failure: parts.iter().find_map(|kept| kept.failure.clone()),
    }))
}

/// The profile that a Partner is on; the first one, which is the usual one, where none was named.
pub(super) fn profile_of<'a>(partner: &Profile, shown: &'a Value) -> Option<&'a Value> {
    let list = shown["payment_profiles"].as_array()?;
    match partner.account().and_then(|account| account.text("payment_profile_id")) {
        Some(id) => list.iter().find(|profile| profile["payment_profile_id"] == id),
        None => list.first(),
    }
}

/// The merchant categories that a Partner has.
pub(super) fn categories(partner: &Profile) -> BTreeSet<String> {
    let of_accounts = partner.of(Kind::PaymentAccount).filter_map(|(_, part)| part.text("merchant_category_code"));
    let of_entities = partner
        .of(Kind::BusinessEntity)
        .filter_map(|(_, part)| part.body.get("merchant_category_codes")?.as_array())
        .flatten()
        .filter_map(Value::as_str);
    of_accounts.chain(of_entities).map(str::to_owned).collect()
}

pub(super) fn version(id: &str, shown: &Value) -> PlanView {
    let text = |name: &str| shown.get(name).and_then(Value::as_str).map(str::to_owned);
    PlanView {
        id: id.to_owned(),
        version: shown.get("version").and_then(Value::as_i64),
        effective_from: text("effective_from"),
        effective_to: text("effective_to"),
    }
}

/// The versions that Klarna lists of a price plan, with the time from which each is in force.
fn versions<'a>(plans: &'a Value, id: &'a str) -> impl Iterator<Item = (i64, PlanView)> + 'a {
    let plan = plans["price_plans"].as_array().into_iter().flatten().find(move |plan| plan["price_plan_id"] == id);
    let listed = plan.and_then(|plan| plan["versions"].as_array()).into_iter().flatten();
    listed.filter_map(move |shown| {
        let from: Timestamp = shown["effective_from"].as_str()?.parse().ok()?;
        Some((from.as_micros(), version(id, shown)))
    })
}

pub(super) fn current(plans: &Value, id: &str, now: i64) -> Option<PlanView> {
    versions(plans, id).filter(|(from, _)| *from <= now).max_by_key(|(from, _)| *from).map(|(_, view)| view)
}

pub(super) fn upcoming(plans: &Value, id: &str, now: i64) -> Vec<PlanView> {
    let mut ahead: Vec<_> = versions(plans, id).filter(|(from, _)| *from > now).collect();
    ahead.sort_by_key(|(from, _)| *from);
    ahead.into_iter().map(|(_, view)| view).collect()
}

fn program_view(program: &Value, wanted: &Wanted, enablements: &[enablements::Live]) -> Value {
    let mut view = program.clone();
    let own: Vec<&enablements::Live> =
        enablements.iter().filter(|one| program["payment_program_id"] == one.program_id.as_str()).collect();
    let markets = program["markets"].as_array().into_iter().flatten();
    view["markets"] = markets.filter(|market| wanted.wants_country(market)).cloned().collect();
    view["enabled"] = json!(program["enablement_type"] == "PRESET" || own.iter().any(|one| one.is_active));
    view["enablement_ids"] = own.iter().map(|one| json!(one.enablement_id)).collect();
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_to_come_are_told_apart_from_the_one_in_force() {
        let listed = json!({"price_plans": [{"price_plan_id": "p", "versions": [
            {"version": 2, "effective_from": "2025-07-01T00:00:00Z", "effective_to": "2030-01-01T00:00:00Z"},
            {"version": 4, "effective_from": "2031-01-01T00:00:00Z"},
            {"version": 3, "effective_from": "2030-01-01T00:00:00Z"},
            {"version": 1, "effective_from": "2024-01-01T00:00:00Z"}]}]});
        let now = 1_772_445_600_000_000;
        assert_eq!(current(&listed, "p", now).unwrap().version, Some(2));
        assert_eq!(upcoming(&listed, "p", now).iter().map(|plan| plan.version).collect::<Vec<_>>(), [Some(3), Some(4)]);
        assert_eq!(current(&listed, "other", now), None);
    }

    #[test]
    fn every_fault_of_a_query_is_named() {
        let error = Wanted::read(Some("merchant_category_code=59&customer_country=Sweden")).err().unwrap();
        let named: Vec<&str> = error.validation_errors.iter().map(|fault| fault.parameter.as_str()).collect();
        assert_eq!(named, ["merchant_category_code", "customer_country"]);
        assert_eq!(Wanted::read(Some("customer_country=se")).unwrap().country.as_deref(), Some("SE"));
    }
}
