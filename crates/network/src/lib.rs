//! The Klarna Network's side: its APIs, states, webhooks and purchase journey, durable.
//!
//! | room | what |
//! |---|---|
//! | [`operation`] | what every operation passes: caller, account, role, rate limit, idempotency |
//! | [`paging`] | lists in pages |
//! | [`credentials`] | API keys, client identifiers, certificates, SFTP users, where callers may come from |
//! | [`accounts`] | onboarding, Partner accounts and every resource below them, compliance |
//! | [`programs`] | payment profiles, programs and their plans, enablements, price plans |
//! | [`portal`] | links into the portal, and its landing page |
//! | [`notifications`] | signing keys, webhooks, events and their delivery |
//! | [`customers`] | people with an account, and browsers that are remembered |
//! | [`identity`] | Sign in with Klarna, by OpenID Connect |
//! | [`journey`] | what the shopper sees: the purchase journey's pages |
//! | [`payments`] | Payment Requests, authorization, Payment Transactions |
//! | [`tokens`] | grants (session tokens) and customer tokens |
//! | [`presentation`] | how Klarna is shown: payment options, descriptors, messaging |
//! | [`disputes`] | what customers object to, in both generations |
//! | [`settlements`] | what the Acquiring Partner is paid: reports and payouts |
//! | [`sftp`] | the server that the reports are fetched from |
//! | [`mod@reference`] | the OpenAPI document |
//! | [`console`] | `/testing` and `/console`: request log, faults, clock, snapshots, journeys by API; not the network's |
//! | `sole` | what an installation has one of |
//! | [`sealed`] | the columns that hold secrets |
//! | [`websdk`] | the script for Partners' pages, and what it asks |
//! | `rounds` | what time brings, done again and again |
//! | [`seed`] | the first accounts of an empty database |
//! | [`serve`](mod@serve) | assembly: from settings to a running network end |
//!
//! Never here: the gateway (the two meet on the wire, through `protocol`), a wall clock, a random source of its own.

pub mod accounts;
pub mod config;
pub mod console;
pub mod credentials;
pub mod ctx;
pub mod customers;
pub mod disputes;
pub mod identity;
pub mod journey;
pub mod notifications;
pub mod operation;
pub mod paging;
pub mod payments;
pub mod portal;
pub mod presentation;
pub mod programs;
pub mod reference;
mod rounds;
pub mod sealed;
pub mod seed;
pub mod serve;
pub mod settlements;
#[cfg(feature = "sftp")]
pub mod sftp;
mod sole;
pub mod tokens;
pub mod websdk;

use kit::db::Migrations;

pub use serve::{Network, Options, StartError, serve};

/// The tables of this end, after those of the machinery.
pub const MIGRATIONS: &[Migrations] = &[
    kit::MIGRATIONS,
    Migrations {
        set: "network",
        files: &[
            ("0001_accounts", include_str!("../migrations/0001_accounts.sql")),
            ("0002_credentials", include_str!("../migrations/0002_credentials.sql")),
            ("0003_notifications", include_str!("../migrations/0003_notifications.sql")),
            ("0004_installation", include_str!("../migrations/0004_installation.sql")),
            ("0020_tokens", include_str!("../migrations/0020_tokens.sql")),
            ("0021_payments", include_str!("../migrations/0021_payments.sql")),
            ("0040_journeys", include_str!("../migrations/0040_journeys.sql")),
            ("0101_partner_accounts", include_str!("../migrations/0101_partner_accounts.sql")),
            ("0110_credentials_managed", include_str!("../migrations/0110_credentials_managed.sql")),
            ("0111_client_certificates", include_str!("../migrations/0111_client_certificates.sql")),
            ("0112_bootstrap_links", include_str!("../migrations/0112_bootstrap_links.sql")),
            ("0120_program_plans", include_str!("../migrations/0120_program_plans.sql")),
            ("0121_program_enablements", include_str!("../migrations/0121_program_enablements.sql")),
            ("0125_portal", include_str!("../migrations/0125_portal.sql")),
            ("0130_sdk_tokens_and_shopping", include_str!("../migrations/0130_sdk_tokens_and_shopping.sql")),
            ("0160_disputes", include_str!("../migrations/0160_disputes.sql")),
            ("0161_open_disputes", include_str!("../migrations/0161_open_disputes.sql")),
            ("0170_settlements", include_str!("../migrations/0170_settlements.sql")),
            ("0180_calls", include_str!("../migrations/0180_calls.sql")),
            ("0181_faults", include_str!("../migrations/0181_faults.sql")),
            ("0182_snapshots", include_str!("../migrations/0182_snapshots.sql")),
            ("0183_console_sessions", include_str!("../migrations/0183_console_sessions.sql")),
            ("0190_websdk", include_str!("../migrations/0190_websdk.sql")),
            ("0200_transaction_pricing", include_str!("../migrations/0200_transaction_pricing.sql")),
            ("0210_sign_in", include_str!("../migrations/0210_sign_in.sql")),
            ("0220_settlement_files", include_str!("../migrations/0220_settlement_files.sql")),
            ("0221_disputes_in_order", include_str!("../migrations/0221_disputes_in_order.sql")),
            ("0230_sign_ins_that_are_over", include_str!("../migrations/0230_sign_ins_that_are_over.sql")),
            ("0240_keys_of_snapshots", include_str!("../migrations/0240_keys_of_snapshots.sql")),
        ],
    },
];
