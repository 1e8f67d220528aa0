//! Disputes: what customers object to after a purchase, in both frameworks.
//!
//! Decisions are pure: [`case`] with the two state machines ([`framework_2020`], [`framework_2026`]), [`movements`] for the money.
//! `file` holds what was written, `stored` brings both together with their row, `rendering` shows them. The use cases stand in
//! `cases`, `attachments` and `opening`, the operations over them in `api` and `controls`. Other rooms use: [`foresee`] and
//! [`has_open`] (payments), [`jobs`] (assembly).

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

/// Whether a dispute of a Payment Transaction is open: as long as one is, the transaction stays so (RULINGS §2).
///
/// # Errors
/// [`DbError`].
pub async fn has_open(tx: &mut Tx, account: &PartnerAccountId, transaction: &str) -> Result<bool, DbError> {
    store::has_open(tx, account.as_str(), transaction).await
}
