//! Presentation and messaging: how Klarna is shown in a checkout and on the pages before it.

mod api;

pub use api::routes;
