//! Disputes: what customers object to after a purchase, in both frameworks.
//!
//! Decisions are pure: [`case`] with the two state machines ([`framework_2020`], [`framework_2026`]), [`ledger()`] for the money.
//! `file` holds what was written, `stored` brings both together with their row, `rendering` shows them. The use cases stand in
//! `cases`, `attachments` and `opening`, the operations over them in `api` and `controls`. Other rooms use: [`foresee`] and
//! [`has_open`] (payments), [`ledger()`] (settlements), [`jobs`] (assembly).

mod api;
mod attachments;
pub mod case;
mod cases;
mod controls;
mod file;
pub mod framework_2020;
pub mod framework_2026;
pub mod jobs;
mod ledger;
mod list;
mod opening;
mod rendering;
mod store;
mod stored;

use kit::db::{DbError, Tx};
use protocol::PartnerAccountId;

pub use api::routes;
pub use attachments::UPLOAD_BYTES_MAX;
pub use controls::routes as testing_routes;
pub use ledger::{EntryKind, Movement, fee, movements};
pub use opening::foresee;

/// Something that a dispute took from a Partner's balance or gave to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose balance.
    pub account_id: String,
    pub payment_dispute_id: String,
    /// Counted from 1 within the dispute: with it, the entry's id.
    pub number: i64,
    pub kind: EntryKind,
    /// Minor units; negative is taken, positive given.
    pub amount: i64,
    pub currency: String,
    /// Microseconds UTC.
    pub occurred_at: i64,
    pub payment_account_id: String,
    pub payment_account_reference: String,
    pub payment_transaction_id: String,
    pub payment_transaction_reference: Option<String>,
    pub purchase_reference: Option<String>,
    pub payment_capture_id: String,
    pub payment_capture_reference: Option<String>,
}

/// What disputes did to an account's balance from `from` (included) until `until` (not), in the order of time. For settlements: fees
/// are rows FEE, chargebacks CHARGEBACK, what is held HOLDBACK, and its release CHARGEBACK_REVERSAL if the dispute was won.
///
/// # Errors
/// [`DbError`].
pub async fn ledger(tx: &mut Tx, account: &PartnerAccountId, from: i64, until: i64) -> Result<Vec<Entry>, DbError> {
    let rows = store::entries(tx, account.as_str(), from, until).await?;
    let entry = |row: store::EntryRow| {
        Some(Entry {
            kind: EntryKind::stored(&row.kind)?,
            account_id: row.account_id,
            payment_dispute_id: row.dispute_id,
            number: row.number,
            amount: row.amount,
            currency: row.currency,
            occurred_at: row.occurred_at,
            payment_account_id: row.payment_account_id,
            payment_account_reference: row.payment_account_reference,
            payment_transaction_id: row.transaction_id,
            payment_transaction_reference: row.transaction_reference,
            purchase_reference: row.purchase_reference,
            payment_capture_id: row.capture_id,
            payment_capture_reference: row.capture_reference,
        })
    };
    Ok(rows.into_iter().filter_map(entry).collect())
}

/// Whether a dispute of a Payment Transaction is open: as long as one is, the transaction stays so (RULINGS §2).
///
/// # Errors
/// [`DbError`].
pub async fn has_open(tx: &mut Tx, account: &PartnerAccountId, transaction: &str) -> Result<bool, DbError> {
    store::has_open(tx, account.as_str(), transaction).await
}
