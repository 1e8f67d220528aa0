//! The Acquiring Partner's side of Klarna Network: what Partners call, and what calls Klarna.
//!
//! | module | what |
//! |---|---|
//! | [`access`] | Partners and their API keys |
//! | [`payments`] | payments, captures, refunds: the Partners' API, the decisions, the recovery of what was left unfinished |
//! | [`klarna`] | the client to the network: deadlines, retries, rate limits, circuit breaker |
//! | [`inbox`] | Klarna's webhooks: verified, deduplicated, kept, applied |
//! | [`events`] | what Partners are told: `GET /v1/events` and signed webhooks |
//! | [`reference`](mod@reference) | the OpenAPI document and its page |
//!
//! Every change of money runs in three steps: an **intent** in one transaction, the **call** to Klarna with a key that
//! survives a crash, the **outcome** in one transaction (see [`payments`]). This crate never imports the network end, never
//! reads the wall clock, and keeps no state in the process that matters. Begin reading at [`payments::payment`].

pub mod access;
pub mod config;
pub mod ctx;
pub mod events;
pub mod inbox;
pub mod klarna;
pub mod payments;
pub mod reference;

use axum::Router;
use kit::db::Migrations;
use kit::jobs::Worker;

pub use config::Config;
pub use ctx::{Ctx, Parts};

/// The tables of this crate and of the machinery below it.
pub const MIGRATIONS: &[Migrations] = &[
    kit::MIGRATIONS,
    Migrations {
        set: "gateway",
        files: &[
            ("0001_partners", include_str!("../migrations/0001_partners.sql")),
            ("0002_payments", include_str!("../migrations/0002_payments.sql")),
        ],
    },
];

/// Everything that is served, before the stack of [`kit::http::stack`] is put around it.
pub fn router(ctx: &Ctx) -> Router {
    let (api, _) = payments::routes().split_for_parts();
    api.with_state(ctx.clone())
}

/// A worker with the handlers of all background work.
pub fn worker(ctx: &Ctx) -> Worker {
    let worker = Worker::new(ctx.db.clone(), ctx.clock.clone(), ctx.random.clone(), ctx.poke.clone());
    payments::register_jobs(worker, ctx)
}
