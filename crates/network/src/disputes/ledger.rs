//! What disputes cost: the fee, what is held, taken and given back. Pure; settlements turn the entries into rows.

use protocol::Currency;

use super::case::{Happened, HoldPolicy, State};
use super::framework_2026;

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// The fee for a dispute, at its opening; kept whatever comes of it.
    Fee,
    /// The fee for an appeal (2026); kept, too.
    AppealFee,
    /// The amount, at the opening, where the policy is to hold it.
    Hold,
    /// What was held, at the end: a settlement's `CHARGEBACK_REVERSAL` if the dispute was won.
    Release,
    /// What is owed at the end, as it was taken from the capture: a settlement's `CHARGEBACK`.
    Chargeback,
}

impl EntryKind {
    /// The name in the key of its entry in the settlements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fee => "FEE",
            Self::AppealFee => "APPEAL_FEE",
            Self::Hold => "HOLD",
            Self::Release => "RELEASE",
            Self::Chargeback => "CHARGEBACK",
        }
    }
}

/// A movement on the Partner's balance: negative amounts are taken, positive ones given.
pub type Movement = (EntryKind, i64);

/// The fee in minor units: what the older public price list says (sheet 05 §3.5). Ours: currencies that it leaves out are free.
pub fn fee(currency: Currency) -> i64 {
    match currency.code() {
        "EUR" => 750,
        "SEK" | "NOK" | "DKK" => 7500,
        "GBP" => 600,
        "PLN" => 3000,
        "USD" => 800,
        "CAD" => 1100,
        "AUD" | "NZD" => 1200,
        "CZK" => 15_000,
        "RON" => 3500,
        _ => 0,
    }
}

/// What moves with something that happened to a case. `charged` is what was charged back on its capture, of what it owes: less if
/// the Partner has refunded the customer meanwhile.
pub fn movements(happened: &Happened, currency: Currency, charged: i64) -> Vec<Movement> {
    let (case, mut movements) = (&happened.case, Vec::new());
    if !happened.is_change() {
        return movements;
    }
    if case.previous.is_none() {
        movements.push((EntryKind::Fee, -fee(currency)));
        if case.hold == HoldPolicy::OnDisputeInitiated {
            movements.push((EntryKind::Hold, -case.amount));
        }
    } else if case.state == State::Of2026(framework_2026::State::Arbitration) {
        // Ours: as much as the dispute itself.
        movements.push((EntryKind::AppealFee, -fee(currency)));
    } else if case.closing.is_some() {
        // What was held comes back whole, and what is owed is taken from the capture, as without a hold.
        if case.hold == HoldPolicy::OnDisputeInitiated {
            movements.push((EntryKind::Release, case.amount));
        }
        movements.push((EntryKind::Chargeback, -charged));
    }
    movements.retain(|(_, amount)| *amount != 0);
    movements
}
