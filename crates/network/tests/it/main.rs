//! The network end over HTTP, as its callers meet it: one binary, a new database for each test, on both engines.

#![allow(clippy::unwrap_used, reason = "clippy lets tests unwrap, but not what they share")]

mod console;
mod credentials;
mod harness;
mod notifications;
mod routes;
