//! How an amount is split over time: parts that add up to it exactly, and months at interest. Integers only.

/// Parts of an amount in minor units: they differ by one at most, the larger ones first, and add up to it.
pub fn parts(amount: i64, count: i64) -> Vec<i64> {
    let (share, larger) = (amount.div_euclid(count), amount.rem_euclid(count));
    (0..count).map(|part| share + i64::from(part < larger)).collect()
}

/// Digits behind the point while interest is calculated.
const SCALE: i128 = 1_000_000_000_000_000;

/// The equal monthly payment for an amount in minor units at a yearly interest in hundredths of a percent, rounded up, so that the
/// last month never owes more than the others. A twelfth of the interest is due each month on what is left.
pub fn monthly(amount: i64, interest_bps: i64, months: i64) -> i64 {
    let (amount, months) = (i128::from(amount), i128::from(months.max(1)));
    if interest_bps == 0 {
        return narrow((amount + months - 1) / months);
    }
    // q = 1 + r, and the payment is amount · r · qⁿ / (qⁿ − 1).
    let rate = SCALE * i128::from(interest_bps) / 120_000;
    let mut growth = SCALE;
    for _ in 0..months {
        growth = growth * (SCALE + rate) / SCALE;
    }
    let factor = rate * growth / (growth - SCALE);
    narrow((amount * factor + SCALE - 1) / SCALE)
}

/// What each month pays for an amount in minor units: [`monthly`], and in the last month what is left. Without interest the months are
/// equal parts.
pub fn months(amount: i64, interest_bps: i64, months: i64) -> Vec<i64> {
    if interest_bps == 0 {
        return parts(amount, months);
    }
    let payment = i128::from(monthly(amount, interest_bps, months));
    // Interest is kept to a millionth of a minor unit, so that months of rounding do not add up to one.
    let mut owed = i128::from(amount) * MILLION;
    let mut paid = Vec::new();
    for month in 1..=months {
        owed += owed * i128::from(interest_bps) / 120_000;
        let left = (owed + MILLION - 1) / MILLION;
        let due = if month == months { left.min(payment) } else { payment.min(left) };
        owed -= due * MILLION;
        paid.push(narrow(due));
    }
    paid
}

const MILLION: i128 = 1_000_000;

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_amounts_come_out() {
        assert_eq!(parts(4_990, 3), [1_664, 1_663, 1_663]);
        assert_eq!(parts(10_000, 4), [2_500; 4]);
        assert_eq!(monthly(120_000, 0, 12), 10_000);
        assert_eq!(monthly(100_000, 0, 36), 2_778);
        // 1,000.00 at 12 % over 12 months: 88.8488 a month.
        assert_eq!(monthly(100_000, 1_200, 12), 8_885);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_differ_by_one_at_most(amount in 0..=i64::MAX, count in 1..=36_i64) {
            let parts = parts(amount, count);
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(amount));
            prop_assert!(parts[0] - parts[parts.len() - 1] <= 1);
            prop_assert!(parts.is_sorted_by(|a, b| a >= b));
        }

        #[test]
        fn the_last_month_pays_what_is_left(amount in 100..=2_000_000_000_i64, interest in 1..=4_000_i64, count in 1..=48_i64) {
            let paid = months(amount, interest, count);
            let payment = monthly(amount, interest, count);
            prop_assert_eq!(i64::try_from(paid.len()).unwrap(), count);
            prop_assert!(paid.is_sorted_by(|a, b| a >= b) && paid[0] <= payment);
            prop_assert!(paid.iter().sum::<i64>() >= amount && payment * count - paid.iter().sum::<i64>() < payment + count * 60);
        }

        #[test]
        fn months_pay_the_debt_off_and_no_more(amount in 100..=2_000_000_000_i64, interest in 0..=4_000_i64, months in 1..=48_i64) {
            let payment = monthly(amount, interest, months);
            // A millionth of a minor unit behind the point is precise enough to check with.
            let scale = 1_000_000_i128;
            let owed = |payment: i64| (0..months).fold(i128::from(amount) * scale, |owed, _| {
                owed + owed * i128::from(interest) / 120_000 - i128::from(payment) * scale
            });
            prop_assert!(owed(payment) <= scale);
            prop_assert!(owed(payment - 1) > -scale);
        }
    }
}
