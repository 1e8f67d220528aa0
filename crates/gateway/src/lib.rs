//! The Acquiring Partner's side of Klarna Network: what Partners call, and what calls Klarna.
//!
//! | module | what |
//! |---|---|
//! | [`access`] | Partners and their API keys |
//! | [`partners`] | Partners' data: onboarded at Klarna, changed, suspended and ended on both sides alike |
//! | [`payments`] | payments, captures, refunds: the Partners' API, the decisions, the recovery of what was left unfinished |
//! | [`checkout`] | the hosted checkout: sessions, and the page on which a customer pays |
//! | [`links`] | payment links with their codes, tills, refunds by reference |
//! | [`klarna`] | the client to the network: deadlines, retries, rate limits, circuit breaker |
//! | [`inbox`] | Klarna's webhooks: verified, deduplicated, kept, applied |
//! | [`events`] | what Partners are told: `GET /v1/events` and signed webhooks |
//! | [`reference`](mod@reference) | the OpenAPI document and its page |
//! | [`sealed`] | the columns that hold secrets |
//!
//! Every change of money runs in three steps: an **intent** in one transaction, the **call** to Klarna with a key that
//! survives a crash, the **outcome** in one transaction (see [`payments`]). This crate never imports the network end, never
//! reads the wall clock, and keeps no state in the process that matters. Begin reading at [`payments::payment`].

pub mod access;
pub mod checkout;
pub mod config;
pub mod ctx;
pub mod events;
pub mod inbox;
pub mod klarna;
pub mod links;
pub mod partners;
pub mod payments;
pub mod reference;
pub mod sealed;

use axum::Router;
use kit::db::Migrations;
use kit::http::compressed;
use kit::jobs::Worker;
use utoipa_axum::router::OpenApiRouter;

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
            ("0020_inbox", include_str!("../migrations/0020_inbox.sql")),
            ("0021_events", include_str!("../migrations/0021_events.sql")),
            ("0100_partner_profiles", include_str!("../migrations/0100_partner_profiles.sql")),
            ("0101_operators", include_str!("../migrations/0101_operators.sql")),
            ("0110_partner_alignment", include_str!("../migrations/0110_partner_alignment.sql")),
            ("0111_partner_imports", include_str!("../migrations/0111_partner_imports.sql")),
            ("0120_partner_decisions", include_str!("../migrations/0120_partner_decisions.sql")),
            ("0121_portal", include_str!("../migrations/0121_portal.sql")),
            ("0122_pricing", include_str!("../migrations/0122_pricing.sql")),
            ("0130_checkout", include_str!("../migrations/0130_checkout.sql")),
            ("0131_payment_links", include_str!("../migrations/0131_payment_links.sql")),
            ("0190_customer_tokens", include_str!("../migrations/0190_customer_tokens.sql")),
            ("0210_pricing_told", include_str!("../migrations/0210_pricing_told.sql")),
        ],
    },
];

/// All operations with their descriptions, from which both the router and the OpenAPI document are made.
pub fn api() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .merge(partners::routes())
        .merge(payments::routes())
        .merge(checkout::routes())
        .merge(links::routes())
        .merge(events::routes())
        .merge(inbox::routes())
}

/// Everything that is served, before the stack of [`kit::http::stack`] is put around it.
pub fn router(ctx: &Ctx) -> Router {
    let (api, _) = api().split_for_parts();
    let pages = checkout::page_routes().merge(links::page_routes()).merge(reference::routes());
    api.merge(compressed(pages)).with_state(ctx.clone())
}

/// A worker with the handlers of all background work.
pub fn worker(ctx: &Ctx) -> Worker {
    let worker = Worker::new(ctx.db.clone(), ctx.clock.clone(), ctx.random.clone(), ctx.poke.clone());
    let worker = payments::register_jobs(worker, ctx);
    let worker = checkout::register_jobs(worker, ctx);
    let worker = events::register_jobs(worker, ctx);
    let worker = inbox::register_jobs(worker, ctx);
    let worker = partners::register_jobs(worker, ctx);
    kit::sealed::register(worker, &ctx.db, &ctx.clock, &ctx.secrets, sealed::SEALED)
}

/// Makes sure that the repeating jobs exist, the subscription at the network among them: called at every start, before the worker.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn ensure_jobs(ctx: &Ctx) -> Result<(), kit::db::DbError> {
    payments::ensure_jobs(ctx).await?;
    checkout::ensure_jobs(ctx).await?;
    events::ensure_jobs(ctx).await?;
    inbox::ensure_jobs(ctx).await?;
    partners::ensure_jobs(ctx).await?;
    kit::sealed::start(&ctx.db, &ctx.secrets, ctx.clock.now()).await
}
