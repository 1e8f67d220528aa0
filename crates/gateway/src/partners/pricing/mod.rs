//! Pricing (NET-2): what Klarna charges for a Partner's payments, which payment programs its customers are offered, and which of them
//! are switched on.
//!
//! Plans are read from Klarna, kept (`terms`), refreshed by a job, and shown with their age, so that they can be read at any time.
//! Nothing here knows a market or a program by name: what Klarna lists is what there is (GLO-2). `enablements` are asked for here and
//! followed to their end. A change of prices is told (`watch`).

pub mod api;
pub mod enablements;
mod jobs;
mod store;
mod terms;
mod watch;

use utoipa_axum::router::OpenApiRouter;

use crate::Ctx;

pub(super) use jobs::{ensure, register};

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().merge(api::routes()).merge(enablements::routes())
}
