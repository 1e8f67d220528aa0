//! Partners, as the Acquiring Partner knows them: onboarded, changed, suspended and ended on both sides alike.
//!
//! A Partner is a [`profile`] of parts (the account, business entities, brands, store groups, stores, payment accounts), each with
//! the Acquiring Partner's own reference, and a [`standing`]. [`part`] holds the tables of fields from which everything else follows;
//! [`translate`] turns our names into Klarna's and back. What should be at Klarna is what stands here: every change writes its part
//! and a job; `sync` compares and makes the calls, again and again until nothing differs. So a crash, a repetition and a lost answer
//! are all the same case. `alignment` reads back what Klarna has.

pub mod api;
pub mod part;
pub mod profile;
mod record;
pub mod standing;
mod store;
pub mod translate;

pub use api::routes;
