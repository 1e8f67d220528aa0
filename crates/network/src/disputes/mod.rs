//! Disputes: what customers object to after a purchase, in both generations.

mod api;

pub use api::routes;
