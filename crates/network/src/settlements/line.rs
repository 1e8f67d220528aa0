//! From what moved to the lines of a settlement: a capture with its fees, everything else with its sign. Pure.

use protocol::Currency;

use super::exchange::{self, Rate};
use super::pricing::{self, Rates, Share, Taxed};

/// What a line is about. Callers treat it as open (fact sheet 05 §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineType {
    Capture,
    Refund,
    Chargeback,
    /// A dispute was won after its amount had been taken.
    ChargebackReversal,
    /// For a capture.
    Fee,
    DisputeFee,
    AppealFee,
    FeeRefund,
    /// Kept for later.
    Holdback,
    /// Of what was kept.
    Release,
    Adjustment,
}

impl LineType {
    pub const ALL: [Self; 11] = [
        Self::Capture,
        Self::Refund,
        Self::Chargeback,
        Self::ChargebackReversal,
        Self::Fee,
        Self::DisputeFee,
        Self::AppealFee,
        Self::FeeRefund,
        Self::Holdback,
        Self::Release,
        Self::Adjustment,
    ];

    /// On the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "CAPTURE",
            Self::Refund => "REFUND",
            Self::Chargeback => "CHARGEBACK",
            Self::ChargebackReversal => "CHARGEBACK_REVERSAL",
            Self::Fee => "FEE",
            Self::DisputeFee => "DISPUTE_FEE",
            Self::AppealFee => "APPEAL_FEE",
            Self::FeeRefund => "FEE_REFUND",
            Self::Holdback => "HOLDBACK",
            Self::Release => "RELEASE",
            Self::Adjustment => "ADJUSTMENT",
        }
    }

    /// From [`LineType::as_str`].
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What happened always gives or always takes; a correction does what its own sign says.
    fn signed(self, amount: i64) -> i64 {
        match self {
            Self::Capture | Self::ChargebackReversal | Self::FeeRefund | Self::Release => amount,
            Self::Refund | Self::Chargeback | Self::Fee | Self::DisputeFee | Self::AppealFee | Self::Holdback => {
                -amount
            }
            Self::Adjustment => amount,
        }
    }

    fn is_taxed(self) -> bool {
        match self {
            Self::Fee | Self::DisputeFee | Self::AppealFee | Self::FeeRefund => true,
            Self::Capture
            | Self::Refund
            | Self::Chargeback
            | Self::ChargebackReversal
            | Self::Holdback
            | Self::Release
            | Self::Adjustment => false,
        }
    }
}

/// One thing that moved, in the currency it happened in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    pub kind: LineType,
    /// In minor units of `currency`; not negative but for corrections.
    pub amount: i64,
    pub currency: Currency,
    pub settlement_currency: Currency,
}

/// Where an amount came from that was exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchanged {
    pub amount: i64,
    pub currency: Currency,
    pub rate: Rate,
}

/// One line of a settlement, in its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub kind: LineType,
    pub detailed: Option<&'static str>,
    /// Minor units; negative when it takes.
    pub amount: i64,
    /// Beside `amount`, not in it; with its rate.
    pub tax: Option<(i64, Share)>,
    pub exchanged: Option<Exchanged>,
}

/// The lines of what moved. `rates` are for captures. `None` where no rate of exchange exists, or amounts would be beyond 64 bits.
pub fn lines(moved: &Moved, rates: &Rates) -> Option<Vec<Line>> {
    let mut lines = Vec::with_capacity(3);
    if moved.kind.is_taxed() {
        let part = pricing::taxed(moved.amount, pricing::tax(&moved.currency));
        lines.push(line(moved, moved.kind, None, part, Some(pricing::tax(&moved.currency)))?);
        return Some(lines);
    }
    lines.push(line(moved, moved.kind, None, Taxed { amount: moved.amount, tax: 0 }, None)?);
    if moved.kind == LineType::Capture {
        let fee = pricing::fee(moved.amount, rates);
        for (detailed, part) in [("VARIABLE", fee.variable), ("FIXED", fee.fixed)] {
            if part.amount > 0 {
                lines.push(line(moved, LineType::Fee, Some(detailed), part, Some(rates.tax))?);
            }
        }
    }
    Some(lines)
}

fn line(
    moved: &Moved,
    kind: LineType,
    detailed: Option<&'static str>,
    part: Taxed,
    tax_rate: Option<Share>,
) -> Option<Line> {
    let (mut amount, mut tax) = (kind.signed(part.amount), kind.signed(part.tax));
    let mut exchanged = None;
    if moved.currency != moved.settlement_currency {
        let rate = exchange::rate(&moved.currency, &moved.settlement_currency)?;
        exchanged = Some(Exchanged { amount, currency: moved.currency, rate });
        (amount, tax) = (rate.convert(amount)?, rate.convert(tax)?);
    }
    Some(Line { kind, detailed, amount, tax: tax_rate.map(|rate| (tax, rate)), exchanged })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(kind: LineType, amount: i64, settlement: Currency) -> Moved {
        Moved { kind, amount, currency: Currency::EUR, settlement_currency: settlement }
    }

    #[test]
    fn every_kind_gives_or_takes_and_only_fees_are_taxed() {
        let rates = pricing::standard(&Currency::EUR);
        let signs: Vec<(i64, Option<i64>)> = LineType::ALL
            .into_iter()
            .map(|kind| {
                let line = &lines(&moved(kind, 1000, Currency::EUR), &rates).unwrap()[0];
                (line.amount.signum(), line.tax.map(|(tax, _)| tax))
            })
            .collect();
        assert_eq!(
            signs,
            [
                (1, None),
                (-1, None),
                (-1, None),
                (1, None),
                (-1, Some(-190)),
                (-1, Some(-190)),
                (-1, Some(-190)),
                (1, Some(190)),
                (-1, None),
                (1, None),
                (1, None),
            ]
        );
        let correction = lines(&moved(LineType::Adjustment, -5, Currency::EUR), &rates).unwrap();
        assert_eq!(correction[0].amount, -5);
        assert!(LineType::ALL.into_iter().all(|kind| LineType::stored(kind.as_str()) == Some(kind)));
    }

    #[test]
    fn an_exchanged_capture_tells_where_each_line_came_from() {
        let rates = pricing::standard(&Currency::EUR);
        let lines = lines(&moved(LineType::Capture, 12_500, Currency::USD), &rates).unwrap();
        assert_eq!(lines.len(), 3);
        for (line, from) in lines.iter().zip([12_500, -374, -30]) {
            let exchanged = line.exchanged.unwrap();
            assert_eq!((exchanged.amount, exchanged.currency), (from, Currency::EUR));
            assert_eq!(exchanged.rate.convert(from), Some(line.amount));
        }
        let beyond = Moved {
            amount: i64::MAX,
            settlement_currency: "HUF".parse().unwrap(),
            ..moved(LineType::Refund, 1, Currency::EUR)
        };
        assert_eq!(super::lines(&beyond, &rates), None);
    }
}
