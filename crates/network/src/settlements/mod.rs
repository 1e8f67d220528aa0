//! Settlements: what the Acquiring Partner is paid for captures, less refunds, chargebacks and fees.

mod api;

pub use api::routes;
