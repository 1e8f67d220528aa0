//! What Klarna keeps of a capture, and the tax on it: whole numbers only, half up per row and capture (RULINGS "Money"). Pure.

use protocol::{Currency, Region};

use crate::payments::ledger::MovementRow;

/// A share, in millionths: 2.99 % is 29,900.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(pub i64);

impl Share {
    const WHOLE: i64 = 1_000_000;

    /// This share of an amount that is not negative, half up.
    pub fn of(self, amount: i64) -> i64 {
        half_up(i128::from(amount) * i128::from(self.0), Self::WHOLE.into())
    }
}

impl std::fmt::Display for Share {
    /// In percent: `2.99`, `19`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, fraction) = (self.0 / 10_000, self.0 % 10_000);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        write!(f, "{whole}.{}", format!("{fraction:04}").trim_end_matches('0'))
    }
}

/// `dividend / divisor` to the nearest whole number, halves away from zero; beyond 64 bits, the nearest that there is.
pub(super) fn half_up(dividend: i128, divisor: i128) -> i64 {
    let half = divisor / 2;
    let rounded = (dividend.abs() + half) / divisor * dividend.signum();
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// What holds for one capture. `fixed` is in minor units of the capture's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    pub variable: Share,
    pub fixed: i64,
    /// What both together may not exceed, as a share of the capture (microtransactions).
    pub cap: Option<Share>,
    /// On every part of the fee.
    pub tax: Share,
}

/// A part of a fee and the tax on it, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taxed {
    pub amount: i64,
    /// Not within `amount`.
    pub tax: i64,
}

/// What is kept of one capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    pub variable: Taxed,
    pub fixed: Taxed,
}

/// The fee for a capture of `amount` minor units. A cap lowers the variable part first (fact sheet 05 §4).
pub fn fee(amount: i64, rates: &Rates) -> Fee {
    let (mut variable, mut fixed) = (rates.variable.of(amount), rates.fixed);
    if let Some(cap) = rates.cap {
        let most = cap.of(amount);
        fixed = fixed.min(most);
        variable = variable.min(most - fixed);
    }
    Fee { variable: taxed(variable, rates.tax), fixed: taxed(fixed, rates.tax) }
}

/// An amount with the tax on it.
pub fn taxed(amount: i64, tax: Share) -> Taxed {
    let of_size = tax.of(amount.abs());
    Taxed { amount, tax: if amount < 0 { -of_size } else { of_size } }
}

/// What was agreed for a capture when its transaction was authorized.
pub(super) fn agreed(movement: &MovementRow, currency: &Currency) -> Rates {
    const BPS: i64 = 100;
    match (movement.variable_bps, movement.fixed_fee, movement.cap_bps) {
        (Some(variable), Some(fixed), Some(cap)) => {
            Rates { variable: Share(variable * BPS), fixed, cap: Some(Share(cap * BPS)), tax: tax(currency) }
        }
        _ => standard(currency),
    }
}

/// Ours: what holds for transactions that are older than price plans.
pub fn standard(currency: &Currency) -> Rates {
    Rates { variable: Share(29_900), fixed: 30, cap: Some(Share(150_000)), tax: tax(currency) }
}

/// The tax on fees. Ours: sheets name VAT and GST for Europe and Australia and no rate; the currency stands for the place.
pub fn tax(currency: &Currency) -> Share {
    match Region::for_currency(currency) {
        Region::Eu1 => Share(190_000),
        Region::Ap1 => Share(100_000),
        Region::Us1 => Share(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fee_is_rounded_half_up_per_part() {
        // The example of fact sheet 05 §4.
        let fee = fee(12_500, &standard(&Currency::EUR));
        assert_eq!(fee.variable, Taxed { amount: 374, tax: 71 });
        assert_eq!(fee.fixed, Taxed { amount: 30, tax: 6 });
        assert_eq!((half_up(5, 2), half_up(-5, 2), half_up(4, 10)), (3, -3, 0));
    }

    #[test]
    fn a_microtransaction_costs_no_more_than_its_cap() {
        let small = fee(100, &standard(&Currency::EUR));
        assert_eq!((small.fixed.amount, small.variable.amount), (15, 0));
        let larger = fee(220, &standard(&Currency::EUR));
        assert_eq!((larger.fixed.amount, larger.variable.amount), (30, 3));
    }

    #[test]
    fn a_share_is_written_in_percent() {
        assert_eq!(
            [Share(29_900), Share(190_000), Share(5), Share(0)].map(|share| share.to_string()),
            ["2.99", "19", "0.0005", "0"]
        );
    }

    proptest! {
        #[test]
        fn no_fee_is_negative_or_beyond_the_capture(amount in 1..i64::MAX, variable in 0..1_000_000i64,
            fixed in 0..10_000i64, cap in 0..1_000_000i64, tax in 0..300_000i64) {
            let rates = Rates { variable: Share(variable), fixed, cap: Some(Share(cap)), tax: Share(tax) };
            let fee = fee(amount, &rates);
            prop_assert!(fee.variable.amount >= 0 && fee.fixed.amount >= 0);
            prop_assert!(i128::from(fee.variable.amount) + i128::from(fee.fixed.amount) <= i128::from(amount));
            for part in [fee.variable, fee.fixed] {
                // Half up: off by at most half a unit.
                let off = i128::from(part.amount) * i128::from(tax) - i128::from(part.tax) * 1_000_000;
                prop_assert!(off.abs() <= 500_000);
            }
        }
    }
}
