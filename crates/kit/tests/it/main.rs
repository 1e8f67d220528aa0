//! Integration tests of the machinery: one binary, own databases, free ports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod db;
mod deliveries;
mod http;
mod idempotency;
mod jobs;
mod outbound;
mod rate_limit;
mod secret_box;
mod tls;
