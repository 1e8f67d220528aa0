//! Presentation and messaging: how Klarna is shown in a checkout and on the pages before it.
//!
//! Begin reading at [`present()`]: it asks whether Klarna can be shown at all ([`decide`]), how well the customer is known (by tokens,
//! which are never refused here), and describes what the Partner's programs offer in the customer's language. Texts stand in
//! `words/`, one file per language; pictures and the page behind the links are served here, too. [`present()`], [`variants`] and
//! [`messaging()`] know nothing of HTTP: whoever found the account otherwise, as by a client identifier, asks the same.

mod api;
mod availability;
mod descriptor;
mod instalments;
mod language;
mod messaging;
mod pages;
mod present;
mod store;
mod words;

pub use api::{promote, public_routes, routes, show};
pub use availability::{Hidden, Intent, Situation, decide};
pub use descriptor::{BRAND, Links, STANDARD_OPTION, saved_option_id};
pub use instalments::{monthly, months, parts};
pub use language::Locale;
pub use messaging::{Placement, messaging};
pub use present::{AMOUNT_MAX, Asked, Instruction, Presentation, Variant, present, variants};
