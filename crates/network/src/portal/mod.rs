//! Portal: links into it from signed tokens, user access, and the landing page behind them.

mod api;

pub use api::routes;
