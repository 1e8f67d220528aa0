//! Programs: payment profiles, payment programs and their plans, enablements, price plans.

mod api;

pub use api::routes;
