//! From the currency of a payment to the one it is settled in (fact sheet 05 §1.2). Pure.

use protocol::Currency;

use super::pricing::half_up;
use crate::programs::catalogue::CurrencyRow;

/// A rate, in hundred-millionths: minor units of the settlement currency for one of the event's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(i64);

impl Rate {
    const WHOLE: i128 = 100_000_000;

    /// An amount in the settlement currency, half up; `None` beyond 64 bits.
    pub fn convert(self, amount: i64) -> Option<i64> {
        let product = i128::from(amount) * i128::from(self.0);
        if (product / Self::WHOLE).unsigned_abs() >= i64::MAX.unsigned_abs().into() {
            return None;
        }
        Some(half_up(product, Self::WHOLE))
    }
}

impl std::fmt::Display for Rate {
    /// A decimal number: `0.0921`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, fraction) = (i128::from(self.0) / Self::WHOLE, i128::from(self.0) % Self::WHOLE);
        let fraction = format!("{fraction:08}");
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { write!(f, "{whole}") } else { write!(f, "{whole}.{fraction}") }
    }
}

/// The currencies that Klarna settles in (fact sheet 05 §1.2), and what a hundred minor units are worth in hundred-thousandths of a euro.
/// Ours: where rates come from is not known; these never change, so that a test repeats. All have two digits behind the point.
const WORTH: [(&str, i64); 15] = [
    ("AUD", 56_000),
    ("CAD", 62_000),
    ("CHF", 107_000),
    ("CZK", 4_100),
    ("DKK", 13_400),
    ("EUR", 100_000),
    ("GBP", 115_000),
    ("HUF", 260),
    ("MXN", 4_700),
    ("NOK", 8_500),
    ("NZD", 50_000),
    ("PLN", 23_500),
    ("RON", 19_700),
    ("SEK", 9_100),
    ("USD", 86_000),
];

/// Of a currency that was added as data, by what a euro is worth in it.
fn worth(currency: &Currency) -> Option<i64> {
    let listed = WORTH.iter().find(|(code, _)| *code == currency.code()).map(|(_, worth)| *worth);
    listed.or_else(|| CurrencyRow::of(*currency).map(CurrencyRow::worth).filter(|worth| *worth > 0))
}

/// The rate between two different currencies; `None` for the same one, and where there is none.
pub fn rate(event: &Currency, settlement: &Currency) -> Option<Rate> {
    if event == settlement {
        return None;
    }
    let (from, to) = (worth(event)?, worth(settlement)?);
    Some(Rate(half_up(i128::from(from) * Rate::WHOLE, to.into())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rate_is_exact_to_eight_digits() {
        let rate = rate(&Currency::SEK, &Currency::USD).unwrap();
        assert_eq!(rate.to_string(), "0.10581395");
        assert_eq!(rate.convert(20_000), Some(2_116));
        assert_eq!(super::rate(&Currency::EUR, &Currency::EUR), None);
        assert_eq!(super::rate(&"JPY".parse().unwrap(), &Currency::EUR), None);
        let forint = super::rate(&Currency::EUR, &"HUF".parse().unwrap()).unwrap();
        assert_eq!(forint.convert(i64::MAX), None);
        assert!(WORTH.iter().map(|(code, _)| *code).eq(protocol::settlement_currencies().map(|one| one.code())));
    }

    proptest! {
        #[test]
        fn the_documented_identity_holds_within_rounding(amount in -1_000_000_000_000i64..1_000_000_000_000,
            from in 0..15usize, to in 0..15usize) {
            let (from, to) = (WORTH[from].0.parse().unwrap(), WORTH[to].0.parse().unwrap());
            if let Some(rate) = rate(&from, &to) {
                let converted = rate.convert(amount).unwrap();
                let off = i128::from(amount) * i128::from(rate.0) - i128::from(converted) * Rate::WHOLE;
                prop_assert!(off.abs() * 2 <= Rate::WHOLE);
            }
        }
    }
}
