//! Many Partners at once, in and out.
//!
//! An **import** is a durable thing with a name of its caller's: rows are sent to it in batches, each row is a Partner as
//! `POST /v1/partners` takes it and is judged by the same code, and what became of each row is kept under its number. A row is taken whole
//! or not at all, in the transaction that records it; so whoever repeats a batch, or a whole import, makes nothing twice. With `submits`,
//! the same transaction hands the Partner in, and a lane of background work of its own brings it to Klarna within the rate limits.
//!
//! An **export** is pages of Partners in the form in which an import takes them; what is of persons is left out unless it is asked for.
//! [`columns`] lays a Partner out as the line of a table and reads it back.

pub mod api;
pub mod columns;
mod export;
mod import;
pub(super) mod store;

pub use api::routes;
pub use export::PERSONAL;
