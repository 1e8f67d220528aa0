//! The network end over HTTP, as its callers meet it: one binary, a new database for each test, on both engines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accounts_onboarding;
mod accounts_products;
mod accounts_resources;
mod accounts_steps;
mod console;
mod console_faults;
mod console_journeys;
mod console_pages;
mod console_requests;
mod console_snapshots;
mod contract;
mod credentials;
mod credentials_bootstrap;
mod credentials_certificates;
mod credentials_managed;
mod disputes_2020;
mod disputes_2026;
mod disputes_books;
mod disputes_lists;
mod disputes_steps;
mod harness;
mod journey;
mod notifications;
mod payments_authorize;
mod payments_books;
mod payments_requests;
mod payments_scenarios;
mod payments_sequences;
mod payments_steps;
mod payments_transactions;
mod portal;
mod presentation;
mod programs;
mod public;
mod reference;
mod routes;
mod sealed;
mod settlements;
mod sftp;
mod tokens;
mod websdk;
