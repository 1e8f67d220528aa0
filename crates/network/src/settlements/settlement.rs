//! The settlement: sums over its lines, and what is paid out and carried on when it closes. Pure.

use super::line::{Line, LineType};

/// RULINGS §3 "settlement".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Lines are still being added; its reports do not exist yet.
    Open,
    /// Final; its payout is on the way.
    Closed,
    /// Its payout has arrived.
    Paid,
    /// Final, and nothing to pay: the balance goes on to the next.
    CarriedForward,
}

impl State {
    /// On the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Closed => "CLOSED",
            Self::Paid => "PAID",
            Self::CarriedForward => "CARRIED_FORWARD",
        }
    }
}

/// Sums over lines, each of one kind; amounts in minor units, negative where they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub capture: i64,
    pub refund: i64,
    pub chargeback: i64,
    pub chargeback_reversal: i64,
    /// Of every kind, without tax.
    pub fee: i64,
    /// On all fees.
    pub tax: i64,
    pub adjustment: i64,
    pub holdback: i64,
    pub release: i64,
}

impl Totals {
    /// The sums with these lines added; `None` if one of them, or all together, would be beyond 64 bits.
    #[must_use]
    pub fn with(mut self, lines: &[Line]) -> Option<Self> {
        for line in lines {
            let sum = match line.kind {
                LineType::Capture => &mut self.capture,
                LineType::Refund => &mut self.refund,
                LineType::Chargeback => &mut self.chargeback,
                LineType::ChargebackReversal => &mut self.chargeback_reversal,
                LineType::Fee | LineType::DisputeFee | LineType::AppealFee | LineType::FeeRefund => &mut self.fee,
                LineType::Holdback => &mut self.holdback,
                LineType::Release => &mut self.release,
                LineType::Adjustment => &mut self.adjustment,
            };
            *sum = sum.checked_add(line.amount)?;
            self.tax = self.tax.checked_add(line.tax.map_or(0, |(tax, _)| tax))?;
        }
        self.sum().map(|_| self)
    }

    /// `settlement_amount`: everything, taxes beside the amounts; `None` beyond 64 bits.
    pub fn sum(&self) -> Option<i64> {
        let all = [
            self.capture,
            self.refund,
            self.chargeback,
            self.chargeback_reversal,
            self.fee,
            self.tax,
            self.adjustment,
            self.holdback,
            self.release,
        ];
        i64::try_from(all.into_iter().map(i128::from).sum::<i128>()).ok()
    }
}

/// What becomes of a settlement: `opening + settlement_amount = payout + closing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    pub opening: i64,
    /// The sum of all lines.
    pub settlement_amount: i64,
    /// The next one's opening; never positive.
    pub closing: i64,
    /// What is paid, if anything.
    pub payout: Option<i64>,
    pub state: State,
}

/// Closes over what was carried here. A balance above zero is paid whole; any other is carried on (fact sheet 05 §1.1).
/// `None` for sums beyond 64 bits.
pub fn close(opening: i64, totals: &Totals) -> Option<Closing> {
    let settlement_amount = totals.sum()?;
    let balance = opening.checked_add(settlement_amount)?;
    let (closing, payout, state) =
        if balance > 0 { (0, Some(balance), State::Closed) } else { (balance, None, State::CarriedForward) };
    Some(Closing { opening, settlement_amount, closing, payout, state })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::Currency;

    use super::super::{line::Moved, line::lines, pricing};
    use super::*;

    fn moved(kind: LineType, amount: i64) -> Vec<Line> {
        let moved = Moved { kind, amount, currency: Currency::EUR, settlement_currency: Currency::EUR };
        lines(&moved, &pricing::standard(&Currency::EUR)).unwrap()
    }

    #[test]
    fn the_documented_example_adds_up() {
        let kinds = [
            (LineType::Capture, 12_500),
            (LineType::Refund, 2_500),
            (LineType::Chargeback, 3_990),
            (LineType::DisputeFee, 2_000),
        ];
        let totals = kinds
            .into_iter()
            .fold(Totals::default(), |totals, (kind, amount)| totals.with(&moved(kind, amount)).unwrap());
        assert_eq!((totals.capture, totals.refund, totals.chargeback), (12_500, -2_500, -3_990));
        assert_eq!((totals.fee, totals.tax), (-2_404, -457));
        let closing = close(0, &totals).unwrap();
        assert_eq!((closing.settlement_amount, closing.payout, closing.closing), (3_149, Some(3_149), 0));
    }

    #[test]
    fn what_64_bits_do_not_hold_is_not_added() {
        let most = Totals::default().with(&moved(LineType::Release, i64::MAX)).unwrap();
        assert_eq!(most.with(&moved(LineType::Release, 1)), None);
        assert_eq!(most.with(&moved(LineType::Adjustment, 1)), None, "the sum counts, too");
    }

    proptest! {
        #[test]
        fn balances_chain_and_nothing_is_lost(
            settlements in proptest::collection::vec(
                proptest::collection::vec((0..11usize, 1..100_000i64), 0..20), 1..20)
        ) {
            let (mut balance, mut paid, mut moved_in_all) = (0, 0, 0);
            for movements in settlements {
                let mut totals = Totals::default();
                let mut sum = 0;
                for (kind, amount) in movements {
                    let lines = moved(LineType::ALL[kind], amount);
                    sum += lines.iter().map(|line| line.amount + line.tax.map_or(0, |(tax, _)| tax)).sum::<i64>();
                    totals = totals.with(&lines).unwrap();
                }
                let closing = close(balance, &totals).unwrap();
                prop_assert_eq!(closing.settlement_amount, sum);
                prop_assert_eq!(closing.opening + sum, closing.payout.unwrap_or(0) + closing.closing);
                prop_assert!(closing.closing <= 0 && closing.payout.is_none_or(|payout| payout > 0));
                prop_assert_eq!(closing.payout.is_some(), closing.state == State::Closed);
                balance = closing.closing;
                paid += closing.payout.unwrap_or(0);
                moved_in_all += sum;
            }
            prop_assert_eq!(moved_in_all, paid + balance);
        }
    }
}
