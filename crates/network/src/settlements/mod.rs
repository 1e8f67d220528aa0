//! Settlements: what the Acquiring Partner is paid for captures, less refunds, chargebacks and fees.
//!
//! Taking money writes nothing here. A [`run`](jobs) looks for movements that stand in no settlement (`source`, over
//! [`crate::payments::ledger`]), turns each into lines (`line`, with `pricing` and `exchange`), and closes with what was carried
//! before (`settlement`). A positive balance is paid out (`payout`, `bank`); the reports go to the SFTP server ([`files`]). Decisions are pure; each step is one bounded transaction.
//!
//! Other rooms [`enter`] what moves money beside payments: fees of disputes, reversals, what is held back.

mod api;
mod bank;
mod entry;
pub mod exchange;
pub mod files;
pub mod jobs;
pub mod line;
pub mod payout;
mod pdf;
pub mod pricing;
mod report;
mod run;
pub mod settlement;
mod source;
mod store;
mod view;

pub use api::{routes, testing_routes};
pub use entry::{EntryKind, NewEntry, enter};
