//! Payments: what customers are asked (Payment Requests), what is authorized, and what becomes of it (Payment Transactions).
//!
//! Decisions are pure: [`payment_request`], [`transaction`], [`verdict`]. Around them stand the use cases, one transaction
//! each, and the operations over them. Other rooms use: [`customer_step()`], [`return_location`] and [`short_link_target`] (the
//! journey), [`disputable`] and [`charge_back_at_most`] (disputes), [`ledger`] (settlements), [`list`] (the console),
//! [`is_in_progress`] (interoperability), [`jobs`] (assembly).

mod api;
mod approval;
mod authorization;
mod bodies;
mod captures;
mod confirmation;
mod customer_step;
mod disputed;
pub mod jobs;
pub mod ledger;
pub mod payment_request;
mod pricing;
mod refunds;
mod rendering;
mod requests;
mod return_url;
mod short_link;
mod store;
mod stored;
pub(crate) mod test_customer;
mod testing;
pub mod transaction;
mod transaction_state;
mod transactions;
pub mod verdict;

pub use api::routes;
pub use approval::Identity;
pub use customer_step::{CustomerStep, JourneyRequest, customer_step};
pub use disputed::{Disputable, charge_back_at_most, count_dispute, disputable};
pub use refunds::charge_back;
pub use requests::{account_of, amend, cancel, create, is_in_progress, is_open, read};
pub use return_url::return_location;
pub use short_link::short_link_target;
pub use testing::testing_routes;
pub use transactions::{ListedRow, list, object};
