//! The catalogue: payment programs, what each customer market is offered, the plans that bundle programs, and what they cost.
//!
//! Ours throughout: names, rates and dates are invented, in the forms that fact sheets 02 §3.7 and 05 §4 give. All of it is data, in
//! [`data`]: a market, a program or a price is added there and nowhere else; markets and currencies also by a file when the process
//! starts, see [`added`]. Ids follow from the keys, so they are the same in every installation and for ever.

pub mod added;
pub mod categories;
mod data;

use protocol::Currency;
use protocol::krn::{PaymentProgramId, PaymentProgramPlanId, PricePlanId};
use uuid::Uuid;

use categories::Trade;

/// Under which the keys of the catalogue become ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b6f_6e74_6f72_5072_af67_7261_6d6d_6521);

/// How a customer pays under a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// Everything today.
    Now,
    /// Everything after so many days.
    Later { days: i64 },
    /// Equal parts, the first today.
    Parts { count: i64, gap_days: i64 },
    /// Equal months, at a yearly interest in hundredths of a percent.
    Financing { months: i64, interest_bps: i64 },
}

impl Terms {
    /// `payment_program_category`.
    pub fn category(self) -> &'static str {
        match self {
            Self::Now => "PAY_NOW",
            Self::Later { .. } => "PAY_LATER",
            Self::Parts { .. } => "INSTALLMENTS",
            Self::Financing { .. } => "FINANCING",
        }
    }

    /// `funding_type`: whether the customer's money comes at once.
    pub fn funding_type(self) -> &'static str {
        match self {
            Self::Now => "DEBIT",
            Self::Later { .. } | Self::Parts { .. } | Self::Financing { .. } => "CREDIT",
        }
    }
}

/// Who switches a program on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enablement {
    /// Always on.
    Preset,
    /// The Acquiring Partner or the Partner, by an enablement.
    Optional,
    /// Klarna, after it approved.
    Restricted,
}

impl Enablement {
    /// The values of `enablement_type`.
    pub const TEXTS: &[&str] = &["PRESET", "OPTIONAL", "RESTRICTED"];

    /// `enablement_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preset => "PRESET",
            Self::Optional => "OPTIONAL",
            Self::Restricted => "RESTRICTED",
        }
    }
}

/// A payment program.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    /// What its id is made from.
    pub key: &'static str,
    pub display_name: &'static str,
    pub enablement: Enablement,
    pub terms: Terms,
    /// Trades that it is not for.
    pub refuses: &'static [Trade],
    /// Whether it is offered to customers who pay in another currency than their own.
    pub across_currencies: bool,
}

impl Program {
    pub fn id(&self) -> PaymentProgramId {
        PaymentProgramId::new(id("program", self.key))
    }

    /// The program of an id.
    pub fn find(id: &str) -> Option<&'static Self> {
        let wanted: PaymentProgramId = id.parse().ok()?;
        data::PROGRAMS.iter().find(|program| program.id() == wanted)
    }

    fn by_key(key: &str) -> &'static Self {
        data::PROGRAMS.iter().find(|program| program.key == key).expect("the tests look up every key of the tables")
    }

    /// Whether it is for a trade.
    pub fn is_for(&self, trade: Trade) -> bool {
        !self.refuses.contains(&trade)
    }

    /// The customer markets that it is offered in, with the limits there.
    pub fn markets(&self) -> impl Iterator<Item = (&'static CustomerMarket, &'static Offer)> + use<'_> {
        customer_markets().iter().filter_map(|market| {
            market.offers.iter().find(|offer| offer.program == self.key).map(|offer| (market, offer))
        })
    }
}

/// All programs, in the order in which they are shown.
pub fn programs() -> &'static [Program] {
    data::PROGRAMS
}

/// Where prices are alike (fact sheet 04 §8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PricingRegion {
    NorthCentralEurope,
    SouthEastEurope,
    NorthAmerica,
    AsiaPacific,
    RestOfWorld,
}

impl PricingRegion {
    /// The region of any country.
    pub fn of(country: &str) -> Self {
        if let Some(region) = added::region_of(country) {
            return region;
        }
        let listed = data::REGIONS
            .iter()
            .find(|(_, countries)| countries.split(' ').any(|listed| listed.eq_ignore_ascii_case(country)));
        listed.map_or(Self::RestOfWorld, |(region, _)| *region)
    }
}

/// A program in a market, for amounts in whole units of the market's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    program: &'static str,
    minimum: i64,
    maximum: i64,
}

/// What customers of a country are offered.
#[derive(Debug, PartialEq, Eq)]
pub struct CustomerMarket {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    pub offers: &'static [Offer],
}

/// What a program allows in one market and currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Minor units.
    pub minimum: i64,
    /// Minor units.
    pub maximum: i64,
}

impl Limits {
    /// Whether an amount is within; any is, while it is unknown.
    pub fn allow(&self, amount: Option<i64>) -> bool {
        amount.is_none_or(|amount| (self.minimum..=self.maximum).contains(&amount))
    }
}

impl CustomerMarket {
    /// Takes either case.
    pub fn by_country(country: &str) -> Option<&'static Self> {
        customer_markets().iter().find(|market| market.country.eq_ignore_ascii_case(country))
    }

    /// The currency at home.
    pub fn currency(&self) -> Currency {
        protocol::Market::by_country(self.country).expect("the tests compare both tables").currency()
    }

    /// What is offered in a currency: at home everything, in another supported one what crosses currencies, within limits of about
    /// the same worth. Nothing in a currency that is not supported.
    pub fn in_currency(&self, currency: Currency) -> impl Iterator<Item = (&'static Program, Limits)> + use<'_> {
        let home = self.currency();
        let scale = (CurrencyRow::of(home), CurrencyRow::of(currency));
        let offers: &'static [Offer] = self.offers;
        offers.iter().filter_map(move |offer| {
            let program = Program::by_key(offer.program);
            let (Some(ours), Some(theirs)) = scale else { return None };
            let minor = |units: i64| units * 10_i64.pow(u32::from(currency.exponent()));
            if home == currency {
                return Some((program, Limits { minimum: minor(offer.minimum), maximum: minor(offer.maximum) }));
            }
            let worth = |units: i64| minor((units * theirs.per_euro / ours.per_euro).max(1));
            program
                .across_currencies
                .then(|| (program, Limits { minimum: worth(offer.minimum), maximum: worth(offer.maximum) }))
        })
    }
}

/// All customer markets, by country code.
pub fn customer_markets() -> &'static [CustomerMarket] {
    added::customer_markets()
}

/// What the catalogue knows of a currency.
#[derive(Debug, PartialEq, Eq)]
pub struct CurrencyRow {
    pub code: &'static str,
    /// About what a euro is worth, in whole units: only scales limits.
    per_euro: i64,
    /// The fixed part of a fee, in minor units.
    pub fixed_fee: i64,
    /// The largest market that pays in it: whose prices hold where the customer's country is not known.
    pub home: &'static str,
}

impl CurrencyRow {
    /// `None` for currencies that are not settled in.
    pub fn of(currency: Currency) -> Option<&'static Self> {
        data::CURRENCIES.iter().chain(added::currencies()).find(|row| row.code == currency.code())
    }

    /// What a hundred minor units are worth, in hundred-thousandths of a euro, by what a euro is worth.
    pub fn worth(&self) -> i64 {
        let digits = self.code.parse::<Currency>().map_or(2, |currency| u32::from(currency.exponent()));
        100 * 100_000 / (self.per_euro * 10_i64.pow(digits))
    }
}

/// A version of a plan, in force from a moment on, until the next one.
#[derive(Debug, PartialEq, Eq)]
pub struct Version<T: 'static> {
    pub version: i64,
    /// RFC 3339.
    pub effective_from: &'static str,
    pub content: T,
}

/// The versions of a plan, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Versions<T: 'static>(pub &'static [Version<T>]);

/// A version with its time.
#[derive(Debug, PartialEq, Eq)]
pub struct Dated<T: 'static> {
    pub version: i64,
    /// Microseconds UTC.
    pub effective_from: i64,
    /// When the next one takes over; `None` for the last.
    pub effective_to: Option<i64>,
    pub content: &'static T,
}

// By hand: what is referred to is copied, not the content.
impl<T> Clone for Dated<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Dated<T> {}

impl<T> Versions<T> {
    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Dated<T>> {
        let start = |version: &Version<T>| micros(version.effective_from);
        let ends = self.0.iter().skip(1).map(|next| Some(start(next))).chain([None]);
        let dated = |(version, effective_to): (&'static Version<T>, Option<i64>)| Dated {
            version: version.version,
            effective_from: start(version),
            effective_to,
            content: &version.content,
        };
        self.0.iter().zip(ends).map(dated).collect()
    }

    /// The one in force; before the first one, the first.
    pub fn at(&self, now: i64) -> Dated<T> {
        let all = self.all();
        let current = all.iter().rfind(|dated| dated.effective_from <= now).or(all.first());
        *current.expect("the tests find a version in every plan")
    }

    /// One by its number.
    pub fn numbered(&self, version: i64) -> Option<Dated<T>> {
        self.all().into_iter().find(|dated| dated.version == version)
    }
}

fn micros(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().expect("the tests read every date of the tables");
    time.as_microsecond()
}

/// A bundle of programs.
#[derive(Debug, PartialEq, Eq)]
pub struct ProgramPlan {
    pub key: &'static str,
    /// Keys of the programs of each version.
    pub versions: Versions<&'static [&'static str]>,
}

impl ProgramPlan {
    pub fn id(&self) -> PaymentProgramPlanId {
        PaymentProgramPlanId::new(id("program-plan", self.key))
    }

    pub fn by_key(key: &str) -> Option<&'static Self> {
        data::PROGRAM_PLANS.iter().find(|plan| plan.key == key)
    }
}

impl Dated<&'static [&'static str]> {
    /// The programs of this version of a plan.
    pub fn programs(&self) -> impl Iterator<Item = &'static Program> + use<> {
        let keys: &'static [&'static str] = self.content;
        keys.iter().map(|key| Program::by_key(key))
    }
}

/// What an Acquiring Partner pays.
#[derive(Debug, PartialEq, Eq)]
pub struct PricePlan {
    pub key: &'static str,
    pub versions: Versions<RateCard>,
}

impl PricePlan {
    pub fn id(&self) -> PricePlanId {
        PricePlanId::new(id("price-plan", self.key))
    }

    pub fn by_key(key: &str) -> Option<&'static Self> {
        data::PRICE_PLANS.iter().find(|plan| plan.key == key)
    }
}

/// The prices of one version: a base by region and kind of program, and what is added. Hundredths of a percent.
#[derive(Debug, PartialEq, Eq)]
pub struct RateCard {
    pub bases: &'static [Base],
    pub trades: &'static [(Trade, i64)],
    /// Where the card is present.
    pub physical: i64,
    /// Where customer and Partner are in different regions.
    pub cross_border: i64,
    /// On everything.
    pub all: i64,
}

/// What a region pays.
#[derive(Debug, PartialEq, Eq)]
pub struct Base {
    pub region: PricingRegion,
    pub now: i64,
    pub later: i64,
    pub parts: i64,
    pub financing: i64,
    /// A fee is at most this share of the amount.
    pub cap: i64,
}

/// A pair of plans, as a profile has it.
#[derive(Debug, PartialEq, Eq)]
pub struct ProfilePlans {
    pub name: &'static str,
    /// As stored with the profile.
    pub price_plan: &'static str,
    /// As stored with the profile.
    pub program_plan: &'static str,
}

/// The profiles of an Acquiring Partner, the usual one first.
pub fn profiles() -> &'static [ProfilePlans] {
    data::PROFILES
}

/// The plans of profiles that say nothing else.
pub const STANDARD: &str = "standard";

/// An id that follows from a key of the catalogue.
pub(super) fn id(kind: &str, key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{kind}/{key}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_only_what_exists() {
        let codes: Vec<_> = customer_markets().iter().map(|market| market.country).collect();
        let known: Vec<_> = protocol::markets().iter().map(|market| market.country).collect();
        assert_eq!(codes, known);
        for market in customer_markets() {
            assert_ne!(PricingRegion::of(market.country), PricingRegion::RestOfWorld, "{}", market.country);
            for offer in market.offers {
                assert!(offer.minimum >= 1 && offer.minimum < offer.maximum, "{} {}", market.country, offer.program);
                Program::by_key(offer.program);
            }
            assert!(market.offers.iter().any(|offer| offer.program == "pay-now"), "{}", market.country);
        }
        for row in data::CURRENCIES {
            let currency: Currency = row.code.parse().unwrap();
            assert_eq!(CustomerMarket::by_country(row.home).unwrap().currency(), currency);
        }
        assert_eq!(protocol::market::settlement_currencies().filter_map(CurrencyRow::of).count(), 15);
        for plan in data::PROGRAM_PLANS {
            assert!(plan.versions.all().iter().all(|version| version.programs().count() > 0));
        }
        for plan in data::PRICE_PLANS {
            for version in plan.versions.all() {
                for market in customer_markets() {
                    let region = PricingRegion::of(market.country);
                    assert!(version.content.bases.iter().any(|base| base.region == region), "{}", market.country);
                }
            }
        }
        for plans in data::PROFILES {
            assert!(PricePlan::by_key(plans.price_plan).is_some() && ProgramPlan::by_key(plans.program_plan).is_some());
        }
    }

    #[test]
    fn every_program_is_offered_somewhere_and_found_by_its_id() {
        for program in programs() {
            assert!(program.markets().next().is_some(), "{}", program.key);
            assert_eq!(Program::find(program.id().as_str()), Some(program));
        }
        // Ids are for ever.
        let first = "krn:network:global:all:payment:payment-program:92d72a98-58b2-59c9-9c82-07bcab8b6bbf";
        assert_eq!(programs()[0].id().as_str(), first);
    }

    #[test]
    fn versions_follow_each_other_without_a_gap() {
        let plan = PricePlan::by_key(STANDARD).unwrap();
        let all = plan.versions.all();
        assert!(all.windows(2).all(|pair| pair[0].effective_to == Some(pair[1].effective_from)));
        assert!(all.windows(2).all(|pair| pair[0].version + 1 == pair[1].version));
        assert_eq!(plan.versions.at(0).version, 1);
        assert_eq!(plan.versions.at(all[1].effective_from).version, 2);
        assert_eq!(plan.versions.at(all[1].effective_from - 1).version, 1);
        assert_eq!(plan.versions.numbered(9), None);
    }

    #[test]
    fn another_currency_brings_only_what_crosses_currencies() {
        let market = CustomerMarket::by_country("se").unwrap();
        assert!(market.in_currency(Currency::SEK).count() > 3);
        let abroad: Vec<_> = market.in_currency(Currency::EUR).collect();
        assert_eq!(abroad.len(), 1);
        assert_eq!((abroad[0].0.key, abroad[0].1.minimum), ("pay-now", 100));
        assert_eq!(market.in_currency("JPY".parse().unwrap()).count(), 0);
    }
}
