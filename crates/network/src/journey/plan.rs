//! The ways to pay that a market offers, and how an amount is split between dates. Integers only.

use protocol::{Market, Money};

use crate::programs::catalogue::{CustomerMarket, Enablement, Terms};

/// One way to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Everything today.
    PayNow,
    /// Everything in 30 days.
    PayLater,
    /// Three parts, the first today, the others a month apart.
    ThreeParts,
    /// Four parts, the first today, the others two weeks apart.
    FourParts,
}

/// One part of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instalment {
    /// Days from today.
    pub days: i64,
    /// What is due then.
    pub amount: Money,
}

impl Plan {
    /// The form's value, and what is stored.
    pub fn code(self) -> &'static str {
        match self {
            Self::PayNow => "pay_now",
            Self::PayLater => "pay_later",
            Self::ThreeParts => "pay_in_3",
            Self::FourParts => "pay_in_4",
        }
    }

    /// The inverse of [`Plan::code`].
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::PayNow, Self::PayLater, Self::ThreeParts, Self::FourParts].into_iter().find(|plan| plan.code() == code)
    }

    /// What customers of a market are offered for an amount, the plainest first: what the catalogue always has on there.
    ///
    /// Ours: whoever got this far can pay at once, also beyond the limits.
    pub fn offered(market: &Market, amount: Money) -> Vec<Self> {
        let mut plans = vec![Self::PayNow];
        let offers = CustomerMarket::by_country(market.country).into_iter();
        for (program, limits) in offers.flat_map(|market| market.in_currency(amount.currency)) {
            let plan = match program.terms {
                Terms::Later { days: 30 } => Self::PayLater,
                Terms::Parts { count: 3, .. } => Self::ThreeParts,
                Terms::Parts { count: 4, .. } => Self::FourParts,
                Terms::Now | Terms::Later { .. } | Terms::Parts { .. } | Terms::Financing { .. } => continue,
            };
            if program.enablement == Enablement::Preset && limits.allow(Some(amount.minor)) {
                plans.push(plan);
            }
        }
        plans
    }

    /// Number of parts, and days between them; the first is due after `first` days.
    fn shape(self) -> (i64, i64, i64) {
        match self {
            Self::PayNow => (1, 0, 0),
            Self::PayLater => (1, 30, 0),
            Self::ThreeParts => (3, 0, 30),
            Self::FourParts => (4, 0, 14),
        }
    }

    /// The parts of `total`: they differ by at most one minor unit, the larger ones first, and add up to it exactly.
    pub fn instalments(self, total: Money) -> Vec<Instalment> {
        let (parts, first, gap) = self.shape();
        let (share, larger) = (total.minor.div_euclid(parts), total.minor.rem_euclid(parts));
        (0..parts)
            .map(|part| Instalment {
                days: first + part * gap,
                amount: Money::new(share + i64::from(part < larger), total.currency),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::{Currency, markets};

    proptest! {
        #[test]
        fn instalments_add_up_to_the_total_and_differ_by_one_at_most(
            minor in prop_oneof![0..=i64::MAX, 0..=10_000_i64],
            plan in prop::sample::select(&[Plan::PayNow, Plan::PayLater, Plan::ThreeParts, Plan::FourParts][..]),
        ) {
            let parts = plan.instalments(Money::new(minor, Currency::EUR));
            let sum: i128 = parts.iter().map(|part| i128::from(part.amount.minor)).sum();
            prop_assert_eq!(sum, i128::from(minor));
            let largest = parts.iter().map(|part| part.amount.minor).max();
            let smallest = parts.iter().map(|part| part.amount.minor).min();
            prop_assert!(largest.zip(smallest).is_some_and(|(largest, smallest)| largest - smallest <= 1));
            prop_assert!(parts.is_sorted_by(|a, b| a.days < b.days && a.amount.minor >= b.amount.minor));
        }
    }

    #[test]
    fn every_market_offers_paying_now_and_never_a_part_of_nothing() {
        for market in markets() {
            for minor in [0, 1, 999, 1_000, 1_000_000] {
                let total = Money::new(minor, market.currency());
                let plans = Plan::offered(market, total);
                assert_eq!(plans.first(), Some(&Plan::PayNow), "{}", market.country);
                let split = plans.iter().filter(|plan| plan.instalments(total).len() > 1);
                assert!(split.flat_map(|plan| plan.instalments(total)).all(|part| part.amount.minor > 0));
            }
        }
    }

    #[test]
    fn the_code_finds_its_plan() {
        for plan in [Plan::PayNow, Plan::PayLater, Plan::ThreeParts, Plan::FourParts] {
            assert_eq!(Plan::from_code(plan.code()), Some(plan));
        }
        assert_eq!(Plan::from_code("pay_never"), None);
    }
}
