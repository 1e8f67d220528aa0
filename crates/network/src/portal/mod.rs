//! Portal: ways in, and the page behind them (fact sheets 01 §2.6, 02 §7).
//!
//! An Acquiring Partner lets users of its Partners in: by a deep link that works once, for whom it vouches with a signed token, or by
//! access under an e-mail address. Behind the link stands a plain page with the account, its products, and the credentials that its
//! user may fetch.
//!
//! | file | what |
//! |---|---|
//! | [`jwt`] | the signed tokens |
//! | [`role`] | what a user may do |
//! | [`entrance`] | links and sessions: how long they last |
//! | `api`, `visit`, `pages` | the operations, the page's requests, the page |

mod api;
mod entrance;
mod jobs;
mod jwt;
mod pages;
mod role;
mod store;
mod visit;

pub use api::{routes, testing_routes};
pub(crate) use jobs::SWEEP;
pub use visit::page_routes;
