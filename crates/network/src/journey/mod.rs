//! The purchase journey: what a shopper sees between a Partner's checkout and the way back to it (sheet 04 §7).
//!
//! Plain pages and forms that work without script; where a browser stands is kept in the database (`journeys`), so that a
//! reload, the back button, a form sent twice, a second tab or a crash lose and double nothing.
//!
//! The pages, their forms, ids and roles are a face that other people's tests stand on: `docs/journey.md` lists them, and a test keeps
//! that list true. A form that is refused answers 422 with the page and its faults, or 403 when it was not made for this browser's visit.
//!
//! | file | what |
//! |---|---|
//! | [`visit`] | a browser's steps, and what each may do. Pure |
//! | [`plan`], [`purchase`] | the ways to pay, and what of a Payment Request is shown. Pure |
//! | [`login`] | saying and proving who one is, and opening an account; sign-in shows the same forms |
//! | [`words`], [`language`] | the texts, and how amounts and dates are written |
//! | [`guard`] | forms that only their browser can send; headers |

mod api;
pub(crate) mod guard;
pub(crate) mod language;
pub(crate) mod login;
pub(crate) mod pages;
mod plan;
mod purchase;
mod shipping;
mod store;
pub(crate) mod visit;
pub(crate) mod words;

pub use api::routes;
pub(crate) use pages::ICON;
pub(crate) use words::fill;

/// What a browser's form says, by field.
pub(crate) type Fields = std::collections::BTreeMap<String, String>;
