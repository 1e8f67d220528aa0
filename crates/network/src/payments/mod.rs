//! Payments: what customers are asked (Payment Requests), what is authorized, and what becomes of it (Payment Transactions).
//!
//! Decisions are pure: [`payment_request`], [`transaction`], [`verdict`]. Around them stand the use cases, one transaction
//! each, and the operations over them. Other rooms use: [`customer_step`] and [`return_location`] (the journey),
//! [`charge_back`] (disputes), [`fund`] and [`list`] (the console), [`jobs`] (assembly).

mod api;
mod authorization;
pub mod jobs;
pub mod payment_request;
mod requests;
mod return_url;
mod store;
pub mod transaction;
mod transactions;
pub mod verdict;

pub use api::routes;
pub use requests::{CustomerStep, Identity, JourneyRequest, customer_step};
pub use return_url::return_location;
pub use transactions::{ListedRow, charge_back, fund, list};
