//! Prices that have changed are told to the Partners that pay them. Klarna has no webhook for it: what it shows, read again daily, is
//! compared with what each Partner was told last, and whatever differs is an event. So a change is told once, whatever stops in between.

use std::collections::BTreeMap;

use kit::clock::DAY_US;
use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::api::{PlanView, categories, current, profile_of, upcoming, version};
use super::store;
use super::terms::{self, Term};
use crate::Ctx;
use crate::partners::record::Record;

/// Partners that are looked at in one round.
const LOOKED_AT_ONCE: i64 = 200;
/// What a Partner's prices become by a change of its own, such as another merchant category, is not told: it is kept from now on.
const LOOK_EVERY_US: i64 = DAY_US;

/// What of a Partner's prices was told, or is known from the first look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    price_plan: String,
    /// By merchant category, the digest of its rates.
    rates: BTreeMap<String, String>,
    /// Versions to come, by their beginnings.
    upcoming: Vec<String>,
    /// The digest of what customers can be offered.
    programs: String,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Change {
    /// `PRICE_PLAN`, `RATES`, `UPCOMING_PRICE_PLANS`, `PAYMENT_PROGRAMS`.
    changed: Vec<&'static str>,
    /// Whose rates differ.
    categories: Vec<String>,
}

/// What a Partner has to be told; empty if nothing.
fn compare(before: &Told, now: &Told) -> Change {
    let is_other_plan = before.price_plan != now.price_plan;
    let differs =
        |category: &String, rates: &String| before.rates.get(category).map_or(is_other_plan, |known| known != rates);
    let categories: Vec<String> =
        now.rates.iter().filter(|(category, rates)| differs(category, rates)).map(|(name, _)| name.clone()).collect();
    let changed = [
        (is_other_plan, "PRICE_PLAN"),
        (!categories.is_empty(), "RATES"),
        // One that has begun is not to come any more, and shows in the rates.
        (now.upcoming.iter().any(|one| !before.upcoming.contains(one)), "UPCOMING_PRICE_PLANS"),
        (before.programs != now.programs, "PAYMENT_PROGRAMS"),
    ];
    Change { changed: changed.into_iter().filter_map(|(differs, name)| differs.then_some(name)).collect(), categories }
}

/// Of a list, whatever the order of its entries.
fn digest(list: &Value) -> String {
    let mut entries: Vec<String> = list.as_array().into_iter().flatten().map(Value::to_string).collect();
    entries.sort();
    hex::encode(&Sha256::digest(entries.join("\n"))[..16])
}

/// Looks at the Partners that are due.
///
/// # Errors
/// As the database says; 503 where something is not known yet and Klarna does not answer.
pub(super) async fn round(ctx: &Ctx) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let due = ctx.db.read(move |tx| Box::pin(async move { store::unlooked(tx, now, LOOKED_AT_ONCE).await }));
    for partner_id in due.await? {
        let looked = look(ctx, &partner_id).await;
        let is_known = match looked {
            Ok(is_known) => is_known,
            // Klarna answers, but does not have what this Partner's profile names: no reason to hold up the others.
            Err(error) if error.status.is_client_error() => {
                tracing::warn!(partner.id = %partner_id, error = &error as &dyn std::error::Error, "cannot see a Partner's prices");
                false
            }
            Err(error) => return Err(error),
        };
        if !is_known {
            ctx.db
                .write(move |tx| Box::pin(async move { store::postpone(tx, &partner_id, now + LOOK_EVERY_US).await }))
                .await?;
        }
    }
    Ok(())
}

/// Says whether there was something to see.
async fn look(ctx: &Ctx, partner_id: &str) -> Result<bool, ApiError> {
    let id = partner_id.to_owned();
    let inner = ctx.clone();
    let found = ctx.db.read(move |tx| -> UnitFuture<'_, Result<Option<Record>, ApiError>> {
        Box::pin(async move { Record::read(tx, &inner, &id).await })
    });
    let Some(record) = found.await? else { return Ok(false) };
    let Some((seen, plan)) = see(ctx, &record).await? else { return Ok(false) };
    ctx.db
        .write_repeating(|| {
            let (ctx, record, seen, plan) = (ctx.clone(), record.clone(), seen.clone(), plan.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move { tell(tx, &ctx, &record, &seen, &plan).await })
            }
        })
        .await?;
    ctx.poke.poke();
    Ok(true)
}

/// What an event shows of the plan.
type Plan = (PlanView, Vec<PlanView>);

/// What Klarna shows for a Partner, as far as it was read; `None` where its profile is not known there.
async fn see(ctx: &Ctx, record: &Record) -> Result<Option<(Told, Plan)>, ApiError> {
    let now = ctx.clock.now();
    let profiles = terms::get(ctx, &Term::Profiles).await?;
    let Some(profile) = profile_of(&record.profile, &profiles.body) else { return Ok(None) };
    let text = |name: &str| profile[name].as_str().unwrap_or_default().to_owned();
    let price_plan = text("price_plan_id");
    let plans = terms::get(ctx, &Term::PricePlans).await?;
    let programs = terms::get(ctx, &Term::Programs { plan: text("payment_program_plan_id") }).await?;
    let mut rates = BTreeMap::new();
    for category in categories(&record.profile) {
        let shown = terms::get(ctx, &Term::Rates { plan: price_plan.clone(), category: category.clone() }).await?;
        rates.insert(category, digest(&shown.body["rates"]));
    }
    let ahead = upcoming(&plans.body, &price_plan, now);
    let told = Told {
        rates,
        upcoming: ahead.iter().filter_map(|plan| plan.effective_from.clone()).collect(),
        programs: digest(&programs.body["payment_programs"]),
        price_plan: price_plan.clone(),
    };
    let in_force = current(&plans.body, &price_plan, now).unwrap_or_else(|| version(&price_plan, &Value::Null));
    Ok(Some((told, (in_force, ahead))))
}

async fn tell(tx: &mut Tx, ctx: &Ctx, record: &Record, seen: &Told, (plan, ahead): &Plan) -> Result<(), ApiError> {
    let now = ctx.clock.now();
    let before = store::lock_told(tx, &record.partner_id).await?;
    let before: Option<Told> = before.and_then(|text| serde_json::from_str(&text).ok());
    store::put_told(tx, &record.partner_id, &json!(seen).to_string(), now + LOOK_EVERY_US).await?;
    let Some(before) = before else { return Ok(()) };
    let change = compare(&before, seen);
    if change.changed.is_empty() {
        return Ok(());
    }
    let shown = json!({"pricing": {"changed": change.changed, "merchant_category_codes": change.categories,
        "price_plan": plan, "upcoming_price_plans": ahead}});
    record.tell(tx, ctx, "partner.pricing_changed", shown).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        Told {
            price_plan: "p1".to_owned(),
            rates: BTreeMap::from([("5941".to_owned(), "a".to_owned()), ("5942".to_owned(), "b".to_owned())]),
            upcoming: vec!["2030-01-01T00:00:00Z".to_owned()],
            programs: "x".to_owned(),
        }
    }

    #[test]
    fn only_what_klarna_changed_is_told() {
        let before = told();
        assert_eq!(compare(&before, &before), Change::default());
        let mut now = told();
        now.rates.insert("5941".to_owned(), "c".to_owned());
        let change = compare(&before, &now);
        assert_eq!((change.changed, change.categories), (vec!["RATES"], vec!["5941".to_owned()]));
        let mut now = told();
        now.rates.insert("7999".to_owned(), "d".to_owned());
        now.rates.remove("5942");
        now.upcoming.clear();
        assert_eq!(compare(&before, &now), Change::default(), "the Partner's own categories, and a version that began");
        let mut now = told();
        now.upcoming.push("2031-01-01T00:00:00Z".to_owned());
        now.programs = "y".to_owned();
        assert_eq!(compare(&before, &now).changed, ["UPCOMING_PRICE_PLANS", "PAYMENT_PROGRAMS"]);
        let mut now = told();
        now.price_plan = "p2".to_owned();
        now.rates = BTreeMap::from([("5941".to_owned(), "a".to_owned()), ("7999".to_owned(), "d".to_owned())]);
        let change = compare(&before, &now);
        assert_eq!((change.changed, change.categories), (vec!["PRICE_PLAN", "RATES"], vec!["7999".to_owned()]));
    }

    #[test]
    fn the_order_of_a_list_is_no_change() {
        assert_eq!(digest(&json!([{"a": 1}, {"b": 2}])), digest(&json!([{"b": 2}, {"a": 1}])));
        assert_ne!(digest(&json!([{"a": 1}])), digest(&json!([{"a": 2}])));
    }
}
