//! What other rooms enter in the account of a Partner: fees of disputes, reversals, what is held back and released, corrections.

use kit::db::{DbError, Tx};
use protocol::{Currency, DisputeId, PartnerAccountId};

use super::line::LineType;
use super::store::{self, EntryRow};

/// What an entry can be; captures, refunds and chargebacks with their fees come by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A dispute was won after its amount had been taken.
    ChargebackReversal,
    /// For opening a dispute; tax is added.
    DisputeFee,
    /// For an appeal; tax is added.
    AppealFee,
    /// A fee goes back, with its tax.
    FeeRefund,
    /// Kept for later.
    Holdback,
    /// Of what was kept.
    Release,
    /// A correction: its own sign decides.
    Adjustment,
}

impl EntryKind {
    pub(super) fn line_type(self) -> LineType {
        match self {
            Self::ChargebackReversal => LineType::ChargebackReversal,
            Self::DisputeFee => LineType::DisputeFee,
            Self::AppealFee => LineType::AppealFee,
            Self::FeeRefund => LineType::FeeRefund,
            Self::Holdback => LineType::Holdback,
            Self::Release => LineType::Release,
            Self::Adjustment => LineType::Adjustment,
        }
    }
}

/// An entry to be made.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    /// The Partner whose payments it is about.
    pub account: &'a PartnerAccountId,
    /// The poster's own name for it (`dispute:9001:fee`): entering it again changes nothing.
    pub key: &'a str,
    pub kind: EntryKind,
    /// Minor units of `currency`, positive whichever way it goes; only an adjustment may be negative.
    pub amount: i64,
    pub currency: Currency,
    /// Decides the acquiring account that it is settled for.
    pub payment_account_id: &'a str,
    /// The transaction that it is about: decides the settlement currency, and is told.
    pub transaction_id: Option<&'a str>,
    /// The capture within the transaction.
    pub capture_number: Option<i64>,
    pub dispute_id: Option<&'a DisputeId>,
    /// Microseconds UTC.
    pub occurred_at: i64,
}

/// Enters something to be settled, in the transaction that makes it happen. Says whether it is new.
///
/// # Errors
/// [`DbError`].
pub async fn enter(tx: &mut Tx, entry: &NewEntry<'_>) -> Result<bool, DbError> {
    let row = EntryRow {
        entry_key: entry.key.to_owned(),
        kind: entry.kind.line_type().as_str().to_owned(),
        amount: entry.amount,
        currency: entry.currency.code().to_owned(),
        payment_account_id: entry.payment_account_id.to_owned(),
        transaction_id: entry.transaction_id.map(str::to_owned),
        capture_number: entry.capture_number,
        dispute_id: entry.dispute_id.map(|id| id.as_str().to_owned()),
        occurred_at: entry.occurred_at,
    };
    store::insert_entry(tx, entry.account.as_str(), &row).await
}
