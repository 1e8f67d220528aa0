//! The ways to pay that a Partner's customer is offered, and how an amount is split between dates. Integers only.

use protocol::Money;

use crate::presentation::{months, parts};
use crate::programs::Offered;
use crate::programs::catalogue::{Program, Terms, programs};

/// Days from one month's payment to the next. Ours.
const MONTH_DAYS: i64 = 30;
/// The program that everybody has.
const PAY_NOW: &str = "pay-now";
/// The key of the program that is simply called "later", and its code.
const LATER: (&str, &str) = ("pay-later-30", "pay_later");

/// One way to pay: a payment program, with its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan(&'static Program);

/// One part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instalment {
    /// Days from today.
    pub days: i64,
    /// What is due then.
    pub amount: Money,
}

impl Plan {
    /// Everything today.
    pub fn now() -> Self {
        Self(programs().iter().find(|program| program.key == PAY_NOW).expect("the catalogue has paying now"))
    }

    /// The form's value, and what is stored: `pay_now`, `pay_later`, `pay_later_60`, `pay_in_3`, `financing_12`.
    pub fn code(self) -> String {
        if self.0.key == LATER.0 { LATER.1.to_owned() } else { self.0.key.replace('-', "_") }
    }

    /// The inverse of [`Plan::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        programs().iter().map(Self).find(|plan| plan.code() == code)
    }

    pub fn terms(self) -> Terms {
        self.0.terms
    }

    /// What a customer is offered for an amount of what a Partner's programs offer, the plainest first.
    ///
    /// Ours: whoever got this far can pay at once, also beyond the limits.
    pub fn offered(offered: &[Offered], amount: Money) -> Vec<Self> {
        let mut plans = vec![Self::now()];
        for offered in offered.iter().filter(|offered| offered.limits.allow(Some(amount.minor))) {
            let plan = Self(offered.program);
            if !plans.contains(&plan) {
                plans.push(plan);
            }
        }
        plans
    }

    /// The parts of `total`. Without interest they differ by at most one minor unit, the larger ones first, and add up to it exactly.
    pub fn instalments(self, total: Money) -> Vec<Instalment> {
        let (first, gap, amounts) = match self.0.terms {
            Terms::Now => (0, 0, vec![total.minor]),
            Terms::Later { days } => (days, 0, vec![total.minor]),
            Terms::Parts { count, gap_days } => (0, gap_days, parts(total.minor, count)),
            Terms::Financing { months: count, interest_bps } => {
                (MONTH_DAYS, MONTH_DAYS, months(total.minor, interest_bps, count))
            }
        };
        (0..)
            .zip(amounts)
            .map(|(place, minor)| Instalment { days: first + place * gap, amount: Money::new(minor, total.currency) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::catalogue::CustomerMarket;
    use proptest::prelude::*;
    use protocol::{Currency, markets};

    fn all_of(country: &str, amount: Money) -> Vec<Plan> {
        let market = CustomerMarket::by_country(country).unwrap();
        let offered: Vec<_> =
            market.in_currency(amount.currency).map(|(program, limits)| Offered { program, limits }).collect();
        Plan::offered(&offered, amount)
    }

    proptest! {
        #[test]
        fn instalments_add_up_to_the_total_and_no_interest_is_hidden(
            minor in prop_oneof![0..=i64::MAX / 4, 0..=10_000_i64],
            plan in prop::sample::select(programs().iter().map(Plan).collect::<Vec<_>>()),
            code in prop::sample::select(&["EUR", "JPY", "KWD"][..]),
        ) {
            let currency: Currency = code.parse().unwrap();
            let parts = plan.instalments(Money::new(minor, currency));
            let sum: i128 = parts.iter().map(|part| i128::from(part.amount.minor)).sum();
            match plan.terms() {
                Terms::Financing { interest_bps, .. } if interest_bps > 0 => prop_assert!(sum >= i128::from(minor)),
                Terms::Now | Terms::Later { .. } | Terms::Parts { .. } | Terms::Financing { .. } => {
                    prop_assert_eq!(sum, i128::from(minor));
                }
            }
            prop_assert!(parts.iter().all(|part| part.amount.minor >= 0 && part.amount.currency == currency));
            prop_assert!(parts.is_sorted_by(|a, b| a.days < b.days && a.amount.minor >= b.amount.minor));
        }
    }

    #[test]
    fn every_market_offers_paying_now_and_never_a_part_of_nothing() {
        for market in markets() {
            for minor in [0, 1, 999, 1_000, 1_000_000] {
                let total = Money::new(minor, market.currency());
                let plans = all_of(market.country, total);
                assert_eq!(plans.first(), Some(&Plan::now()), "{}", market.country);
                let split = plans.iter().filter(|plan| plan.instalments(total).len() > 1);
                assert!(split.flat_map(|plan| plan.instalments(total)).all(|part| part.amount.minor > 0));
            }
        }
    }

    #[test]
    fn the_code_finds_its_plan() {
        for plan in programs().iter().map(Plan) {
            assert_eq!(Plan::from_code(&plan.code()), Some(plan));
        }
        let codes: Vec<_> = programs().iter().take(6).map(|program| Plan(program).code()).collect();
        assert_eq!(codes, ["pay_now", "pay_later", "pay_later_60", "pay_in_3", "pay_in_4", "financing_6"]);
        assert_eq!(Plan::from_code("pay_never"), None);
    }

    #[test]
    fn financing_costs_what_its_rate_says() {
        let plan = Plan::from_code("financing_12").unwrap();
        let parts = plan.instalments(Money::new(120_000, Currency::SEK));
        let minor: Vec<_> = parts.iter().map(|part| part.amount.minor).collect();
        // 1,200.00 at 12.90 % over 12 months: 107.13 a month.
        assert_eq!((minor.len(), minor[0], parts[0].days, parts[11].days), (12, 10_713, 30, 360));
        assert_eq!(minor[11], 10_706, "{minor:?}");
        let free = Plan::from_code("financing_free_6").unwrap().instalments(Money::new(1_001, Currency::GBP));
        assert_eq!(free.iter().map(|part| part.amount.minor).collect::<Vec<_>>(), [167, 167, 167, 167, 167, 166]);
    }
}
