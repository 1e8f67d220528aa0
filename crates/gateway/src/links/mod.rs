//! Payment links and tills: a hosted checkout whose address is sent or scanned, and the page of a shop's cashier (PUR-5).
//!
//! A link is a name for one [`crate::checkout`] session, so it is paid once, expires and is taken back as that is. A till makes links
//! and shows their codes; it also refunds, in the shop, what was bought online, found by its reference.

mod act;
pub mod api;
mod pages;
pub mod qr;
mod record;
mod store;
mod till;
pub mod tills;
mod words;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use crate::Ctx;

/// The operations, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    api::routes().merge(tills::routes())
}

/// The codes of links, and the pages of tills.
pub fn page_routes() -> Router<Ctx> {
    till::routes()
}
