//! Klarna's portal for Partners (IOP-1, IOP-1b, INT-4b): where they fetch keys for what increases sales, and look after disputes.
//!
//! Klarna lets in whom the Acquiring Partner vouches for, with a token (`token`) that is signed by a key that Klarna has certified
//! (`signer`). Two ways: a link that lets a user in once, within a minute (`links`), for who has signed in to the Acquiring
//! Partner's own interface; or a user of the portal with an e-mail address (`users`), where there is no such interface. Operators
//! only: a Partner's key sits in its shop, and whoever holds it must not become an administrator at Klarna by that.

mod jobs;
pub mod links;
mod signer;
mod store;
mod token;
pub mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::Ctx;

pub use signer::{SignerView, renew, signer_view};

pub(super) use jobs::{ensure, register};
pub(super) use users::invite;

/// The routes, with their descriptions.
pub(super) fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().merge(links::routes()).merge(users::routes())
}
