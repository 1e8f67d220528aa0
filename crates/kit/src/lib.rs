//! Machinery without a domain: what both ends of the network stand on.
//!
//! | module | what |
//! |---|---|
//! | [`db`] | one SQL text on SQLite (group commit) and PostgreSQL; migrations |
//! | [`jobs`] | background work as rows: leases, backoff, uniqueness, dead letters |
//! | [`deliveries`] | webhooks on their way out: every attempt kept, replayable |
//! | [`idempotency`] | first answers by key, in one transaction or in two |
//! | [`clock`], [`random`] | time and chance as values that are passed in |
//! | [`http`], [`tls`], [`shutdown`] | one listener: limits, errors, health, certificates, draining |
//! | [`outbound`] | calls to URLs that others chose, and to services that are configured |
//! | [`web`] | the family stylesheet, served from the binary |
//! | [`mod@reference`] | pages for people, made from an OpenAPI document |
//! | [`rate_limit`] | quotas at several levels |
//! | [`secret_box`], [`sealed`] | secrets at rest; which columns hold them, and their move to a new key |
//! | [`telemetry`] | logs, and wrappers that keep secrets out of them |
//! | [`testing`] | databases for tests, on both engines |
//!
//! This crate never knows a domain word. Begin reading at [`db`].

pub mod clock;
pub mod db;
pub mod deliveries;
mod dialect;
pub mod http;
pub mod idempotency;
pub mod jobs;
pub mod outbound;
pub mod random;
pub mod rate_limit;
pub mod reference;
pub mod sealed;
pub mod secret_box;
pub mod shutdown;
pub mod telemetry;
pub mod testing;
pub mod tls;
pub mod web;

/// The tables of this crate, needed by every database that uses it.
pub const MIGRATIONS: db::Migrations = db::Migrations {
    set: "kit",
    files: &[
        ("0001_jobs", include_str!("../migrations/0001_jobs.sql")),
        ("0002_idempotency", include_str!("../migrations/0002_idempotency.sql")),
        ("0003_deliveries", include_str!("../migrations/0003_deliveries.sql")),
    ],
};
