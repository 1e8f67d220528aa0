//! What a payment costs: the rate that applies, and the fee that follows from it. Integers only.

use protocol::Currency;

use super::catalogue::categories::{Trade, trade};
use super::catalogue::{CurrencyRow, CustomerMarket, PricePlan, PricingRegion, Program, RateCard, Terms};

/// Hundredths of a percent in the whole.
const WHOLE_BPS: i128 = 10_000;

/// `pricing_payment_category`: where customer and Partner meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    Digital,
    Physical,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Digital, Self::Physical];
    pub const TEXTS: &[&str] = &["DIGITAL", "PHYSICAL"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Digital => "DIGITAL",
            Self::Physical => "PHYSICAL",
        }
    }
}

/// What a rate is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'a> {
    /// One that is not accepted (any more) costs as retail does.
    pub merchant_category_code: &'a str,
    /// Where the customer lives; unknown or no market: the currency's largest market.
    pub customer_country: Option<&'a str>,
    /// What is paid in.
    pub currency: Currency,
    /// Under which program; unknown: what customers of the market use most, paying later, else in parts.
    pub program: Option<&'a Program>,
    /// Where the Partner is at home; unknown: in the customer's region.
    pub partner_country: Option<&'a str>,
    pub channel: Channel,
}

impl<'a> Priced<'a> {
    /// A payment on the web of which no more is known.
    pub fn online(merchant_category_code: &'a str, customer_country: Option<&'a str>, currency: Currency) -> Self {
        let (program, partner_country, channel) = (None, None, Channel::Digital);
        Self { merchant_category_code, customer_country, currency, program, partner_country, channel }
    }
}

/// What one capture costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Hundredths of a percent.
    pub variable_bps: i64,
    /// Minor units of `currency`.
    pub fixed_fee: i64,
    pub currency: Currency,
    /// The microtransaction cap, hundredths of a percent: both parts together are at most this share of the amount.
    pub cap_bps: i64,
}

/// What a capture of an amount costs, in minor units. The parts are what stands in the rows of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    pub variable: i64,
    pub fixed: i64,
}

impl Rate {
    /// The rate of a price plan at a moment; `None` for currencies that Klarna does not settle in.
    pub fn of(plan: &PricePlan, priced: &Priced<'_>, at: i64) -> Option<Self> {
        Self::on(plan.versions.at(at).content, priced)
    }

    /// The rate of one version of a plan.
    pub(super) fn on(card: &RateCard, priced: &Priced<'_>) -> Option<Self> {
        let currency = CurrencyRow::of(priced.currency)?;
        let market = priced.customer_country.and_then(CustomerMarket::by_country);
        let market = market.or_else(|| CustomerMarket::by_country(currency.home))?;
        let region = PricingRegion::of(market.country);
        let base = card.bases.iter().find(|base| base.region == region)?;
        let terms = priced.program.map_or_else(|| usual(market, priced.currency), |program| program.terms);
        let variable = match terms {
            Terms::Now => base.now,
            Terms::Later { .. } => base.later,
            Terms::Parts { .. } => base.parts,
            Terms::Financing { .. } => base.financing,
        };
        let trade = trade(priced.merchant_category_code).unwrap_or(Trade::Retail);
        let added = card.trades.iter().find(|(listed, _)| *listed == trade).map_or(0, |(_, added)| *added);
        let physical = if priced.channel == Channel::Physical { card.physical } else { 0 };
        let abroad = priced.partner_country.is_some_and(|country| PricingRegion::of(country) != region);
        let cross_border = if abroad { card.cross_border } else { 0 };
        Some(Self {
            variable_bps: (variable + added + physical + cross_border + card.all).max(0),
            fixed_fee: currency.fixed_fee,
            currency: priced.currency,
            cap_bps: base.cap,
        })
    }

    /// `variable_rate`: percent, as `2.99`.
    pub fn variable_rate(&self) -> String {
        percent(self.variable_bps)
    }

    /// `microtransaction_cap`: percent, as `15.00`.
    pub fn microtransaction_cap(&self) -> String {
        percent(self.cap_bps)
    }

    /// What a capture of `amount` minor units costs: the variable part half up (RULINGS "Money"); where the cap bites, the variable
    /// part gives way first, then the fixed one.
    pub fn fee(&self, amount: i64) -> Fee {
        let variable = share(amount, self.variable_bps);
        let cap = share(amount, self.cap_bps);
        let fixed = self.fixed_fee.min(cap);
        Fee { variable: variable.min(cap - fixed), fixed }
    }
}

/// What most customers of a market choose.
fn usual(market: &CustomerMarket, currency: Currency) -> Terms {
    let mut offered = market.in_currency(currency).map(|(program, _)| program.terms);
    let mut best = Terms::Now;
    let rank = |terms: Terms| match terms {
        Terms::Later { .. } => 3,
        Terms::Parts { .. } => 2,
        Terms::Financing { .. } => 0,
        Terms::Now => 1,
    };
    // The first of equals stays.
    for terms in offered.by_ref() {
        if rank(terms) > rank(best) {
            best = terms;
        }
    }
    best
}

/// Hundredths of a percent of an amount, half up.
pub fn share(amount: i64, bps: i64) -> i64 {
    let twice = 2 * i128::from(amount.max(0)) * i128::from(bps.max(0)) + WHOLE_BPS;
    i64::try_from(twice / (2 * WHOLE_BPS)).unwrap_or(i64::MAX)
}

/// `299` is `2.99`.
pub fn percent(bps: i64) -> String {
    format!("{}.{:02}", bps / 100, bps % 100)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::catalogue::{STANDARD, programs};
    use super::*;

    /// 2026-03-02
    const NOW: i64 = 1_772_445_600_000_000;

    fn standard() -> &'static PricePlan {
        PricePlan::by_key(STANDARD).unwrap()
    }

    fn program(key: &str) -> Option<&'static Program> {
        programs().iter().find(|program| program.key == key)
    }

    #[test]
    fn a_rate_depends_on_who_pays_what_where_and_when() {
        let base = Priced::online("5942", Some("DE"), Currency::EUR);
        let rate = |priced: Priced<'_>| Rate::of(standard(), &priced, NOW).unwrap().variable_rate();
        assert_eq!(rate(base), "2.99");
        assert_eq!(rate(Priced { program: program("pay-now"), ..base }), "1.49");
        assert_eq!(rate(Priced { program: program("financing-12"), ..base }), "3.79");
        assert_eq!(rate(Priced { merchant_category_code: "4511", ..base }), "3.59");
        assert_eq!(rate(Priced { channel: Channel::Physical, ..base }), "2.59");
        assert_eq!(rate(Priced { partner_country: Some("US"), ..base }), "3.49");
        assert_eq!(rate(Priced { partner_country: Some("FR"), ..base }), "2.99");
        assert_eq!(rate(Priced { customer_country: Some("US"), currency: Currency::USD, ..base }), "5.99");
        // Across currencies only paying at once is offered.
        assert_eq!(rate(Priced { currency: Currency::USD, ..base }), "1.49");
        assert_eq!(Rate::of(standard(), &base, 0).unwrap().variable_rate(), "3.19");
        assert_eq!(Rate::of(standard(), &Priced { currency: "JPY".parse().unwrap(), ..base }, NOW), None);
        let unknown = Priced::online("0000", Some("XX"), Currency::EUR);
        assert_eq!(rate(unknown), "2.99");
    }

    #[test]
    fn the_fee_rounds_half_up_and_stays_under_the_cap() {
        let rate = Rate { variable_bps: 299, fixed_fee: 30, currency: Currency::EUR, cap_bps: 1_500 };
        // 373.75
        assert_eq!(rate.fee(12_500), Fee { variable: 374, fixed: 30 });
        // A cap of 37.5 leaves 8 of the variable 7.475.
        assert_eq!(rate.fee(250), Fee { variable: 7, fixed: 30 });
        // A cap of 30 leaves nothing of it, one of 15 cuts the fixed part.
        assert_eq!(rate.fee(200), Fee { variable: 0, fixed: 30 });
        assert_eq!(rate.fee(100), Fee { variable: 0, fixed: 15 });
        assert_eq!(rate.fee(0), Fee { variable: 0, fixed: 0 });
        assert_eq!((share(150, 5_000), share(151, 5_000)), (75, 76));
        assert_eq!(
            (percent(299), percent(1_500), percent(5)),
            ("2.99".to_owned(), "15.00".to_owned(), "0.05".to_owned())
        );
    }

    proptest! {
        #[test]
        fn a_fee_is_never_negative_and_never_above_the_cap(amount in 0..=i64::MAX, variable in 0..2_000_i64, fixed in 0..100_000_i64, cap in 1..2_500_i64) {
            let rate = Rate { variable_bps: variable, fixed_fee: fixed, currency: Currency::EUR, cap_bps: cap };
            let fee = rate.fee(amount);
            prop_assert!(fee.variable >= 0 && fee.fixed >= 0);
            prop_assert!(fee.fixed <= fixed && fee.variable <= share(amount, variable));
            prop_assert!(fee.variable + fee.fixed <= share(amount, cap));
        }

        #[test]
        fn shares_are_exact_to_half_a_unit(amount in 0..=1_000_000_000_000_i64, bps in 0..=10_000_i64) {
            let exact = i128::from(amount) * i128::from(bps);
            let rounded = i128::from(share(amount, bps)) * WHOLE_BPS;
            prop_assert!(2 * (rounded - exact) <= WHOLE_BPS && 2 * (exact - rounded) < WHOLE_BPS);
        }
    }
}
