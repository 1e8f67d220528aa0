//! Programs: payment profiles, payment programs and their plans, enablements, price plans.
//!
//! What exists stands in [`catalogue`], as data. What an Acquiring Partner has of it follows from its payment profiles (each a price
//! plan and a program plan), what a Partner has from the profile of its payment product and from its enablements. Public face:
//! [`rate_for`] says what a payment costs, [`offered`] what a customer can choose.

mod api;
pub mod catalogue;
mod enablement;
mod price_list;
mod rate;
pub(crate) mod store;

use kit::db::{DbError, Tx};
use protocol::{Currency, PartnerAccountId, PaymentProfileId};

pub use api::{routes, testing_routes};
pub use enablement::{Criteria, Purchase};
pub use rate::{Channel, Fee, Priced, Rate, percent};

use catalogue::{Enablement, Limits, PricePlan, Program, ProgramPlan, STANDARD};

/// The rate of an account at a moment, from the price plan of its payment product's profile; `None` for currencies that Klarna does
/// not settle in.
///
/// # Errors
/// [`DbError`].
pub async fn rate_for(
    tx: &mut Tx,
    account: &PartnerAccountId,
    priced: &Priced<'_>,
    at: i64,
) -> Result<Option<Rate>, DbError> {
    let profile = store::profile_of(tx, account.as_str()).await?;
    // Ours: without a product (an Acquiring Partner's own payments) the standard prices hold.
    Ok(rate_on(profile.as_ref().map(|profile| &*profile.price_plan), priced, at))
}

/// The same for whoever has read the account's price plan already.
pub fn rate_on(price_plan: Option<&str>, priced: &Priced<'_>, at: i64) -> Option<Rate> {
    PricePlan::by_key(price_plan.unwrap_or(STANDARD)).and_then(|plan| Rate::of(plan, priced, at))
}

/// A program that a customer can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered {
    pub program: &'static Program,
    pub limits: Limits,
}

/// What a customer of a Partner can choose, in the order in which it is shown, whatever the amount: compare [`Limits::allow`].
/// `codes` are the payment program enablement codes that came with the purchase; an enablement that has a code waits for it.
///
/// # Errors
/// [`DbError`].
pub async fn offered(
    tx: &mut Tx,
    account: &PartnerAccountId,
    purchase: &Purchase<'_>,
    codes: &[&str],
    at: i64,
) -> Result<Vec<Offered>, DbError> {
    let Some(profile) = store::profile_of(tx, account.as_str()).await? else { return Ok(Vec::new()) };
    let Some(plan) = ProgramPlan::by_key(&profile.program_plan) else { return Ok(Vec::new()) };
    let enablements = store::active_enablements(tx, account.as_str()).await?;
    let Some(trade) = catalogue::categories::trade(purchase.merchant_category_code) else { return Ok(Vec::new()) };
    let Some(market) = catalogue::CustomerMarket::by_country(purchase.customer_country) else { return Ok(Vec::new()) };
    let in_market: Vec<_> = market.in_currency(purchase.currency).collect();
    let is_switched_on = |program: &Program| {
        // The id of a program is the digest of its name.
        if enablements.is_empty() {
            return false;
        }
        let id = program.id();
        enablements
            .iter()
            .filter(|row| row.program_id == id.as_str())
            .any(|row| row.code.as_deref().is_none_or(|code| codes.contains(&code)) && row.criteria().fit(purchase))
    };
    let choices = plan.versions.at(at).programs().filter_map(|program| {
        let limits = in_market.iter().find(|(offered, _)| *offered == program).map(|(_, limits)| *limits)?;
        let is_on = match program.enablement {
            Enablement::Preset => true,
            Enablement::Optional | Enablement::Restricted => is_switched_on(program),
        };
        (is_on && program.is_for(trade)).then_some(Offered { program, limits })
    });
    Ok(choices.collect())
}

/// What every customer of a market can choose, whoever the Partner is.
pub fn preset(country: &str, currency: Currency) -> Vec<Offered> {
    let in_market =
        catalogue::CustomerMarket::by_country(country).into_iter().flat_map(|market| market.in_currency(currency));
    let preset = in_market.filter(|(program, _)| program.enablement == Enablement::Preset);
    preset.map(|(program, limits)| Offered { program, limits }).collect()
}

/// Gives an Acquiring Partner its payment profiles; the usual one has the id that is given, those of the others follow from the account.
///
/// # Errors
/// [`DbError`].
pub async fn open_profiles(
    tx: &mut Tx,
    acquiring_partner: &PartnerAccountId,
    usual: &PaymentProfileId,
    now: i64,
) -> Result<(), DbError> {
    for (place, plans) in (0_i64..).zip(catalogue::profiles()) {
        let other = || PaymentProfileId::new(catalogue::id("profile", &format!("{acquiring_partner}/{}", plans.name)));
        let row = store::ProfileRow {
            payment_profile_id: if place == 0 { usual.clone() } else { other() }.to_string(),
            name: plans.name.to_owned(),
            price_plan: plans.price_plan.to_owned(),
            program_plan: plans.program_plan.to_owned(),
        };
        // A microsecond apart, which keeps their order.
        store::insert_profile(tx, acquiring_partner.as_str(), &row, now + place).await?;
    }
    Ok(())
}

/// Whether a merchant category code is accepted (fact sheet 02 §6.4).
pub fn accepts_category(code: &str) -> bool {
    catalogue::categories::trade(code).is_some()
}
