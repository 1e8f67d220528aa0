//! Payments: what customers are asked (Payment Requests), what is authorized, and what becomes of it (Payment Transactions).
//!
//! Decisions are pure: [`payment_request`], [`transaction`], [`verdict`]. Around them stand the use cases, one transaction
//! each, and the operations over them. Other rooms use: [`customer_step`] and [`return_location`] (the journey),
//! [`disputable`] and [`charge_back_at_most`] (disputes), [`ledger`] (settlements), [`fund`] and [`list`] (the console), [`jobs`]
//! (assembly).

mod api;
mod approval;
mod authorization;
mod bodies;
mod captures;
mod customer_step;
mod disputed;
pub mod jobs;
pub mod ledger;
pub mod payment_request;
mod refunds;
mod rendering;
mod requests;
mod return_url;
mod store;
mod stored;
pub mod transaction;
mod transaction_state;
mod transactions;
pub mod verdict;

pub use api::routes;
pub use approval::Identity;
pub use customer_step::{CustomerStep, JourneyRequest, customer_step};
pub use disputed::{Disputable, charge_back_at_most, count_dispute, disputable};
pub use refunds::charge_back;
pub use return_url::return_location;
pub use transactions::{ListedRow, fund, list};
