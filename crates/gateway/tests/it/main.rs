//! Integration tests of the gateway: one binary, own databases, free ports.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod checkout;
mod checkout_page;
mod events;
mod harness;
mod inbox;
mod links;
mod management;
mod openapi;
mod partners_adopt;
mod partners_bulk;
mod partners_fields;
mod partners_files;
mod partners_model;
mod partners_terms;
mod payments_create;
mod payments_customer;
mod payments_customer_token;
mod payments_faults;
mod payments_manage;
mod sealed;
mod stage;
