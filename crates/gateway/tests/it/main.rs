//! Integration tests of the gateway: one binary, own databases, free ports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod events;
mod inbox;
mod openapi;
mod stage;
