//! The Klarna Network's language: what both of its ends read and write.
//!
//! It never does I/O, reads no clock and draws no random numbers: times and UUIDs come in as arguments. It parses leniently
//! (unknown members, enum values and id forms survive a round trip) and prints strictly.
//!
//! Where to begin:
//! - [`krn`]: identifiers, one type per kind of resource
//! - [`money`], [`market`], [`time`]: amounts, customer markets, times and durations
//! - [`payments`]: payment requests, authorization, transactions, supplementary purchase data
//! - [`dispute`]: the words of disputes
//! - [`onboarding`]: registration numbers, merchant categories, bank accounts
//! - [`event`], [`webhook`]: the event catalogue, subscriptions, the delivery and its signature
//! - [`error`], [`header`]: the error object with its codes; header names, integration metadata
//! - [`shape`]: tables of what a body must look like, checked so that every fault is named; ready ones in [`shape::shapes`]
//! - [`parse()`]: from bytes to a type, with the path of what was wrong
//! - [`open_enum!`]: string enums that keep what they do not know

pub mod open_enum;
pub(crate) mod wire;

pub mod dispute;
pub mod error;
pub mod event;
pub mod header;
pub mod krn;
pub mod market;
pub mod money;
pub mod onboarding;
pub mod parse;
pub mod payments;
pub mod shape;
pub mod time;
pub mod webhook;

pub use dispute::{DisputeOutcome, DisputeReason};
pub use error::{ErrorCode, ErrorObject, ErrorType, ValidationError};
pub use event::{DisputeFramework, EventPattern, EventType, EventVersion};
pub use header::{IntegrationMetadata, PartnerCorrelationId};
pub use krn::*;
pub use market::{Market, add_markets, markets, settlement_currencies};
pub use money::{Currency, CurrencyError, Money, MoneyError};
pub use parse::{ParseError, parse};
pub use payments::*;
pub use shape::{Shape, check_purchase_sum, check_sum, line_items_sum, shapes};
pub use time::{TimeError, Timestamp, parse_duration};
pub use webhook::{
    Envelope, Metadata, SignatureError, SigningKey, SigningSecret, Simulate, Webhook, WebhookStatus, sign, verify,
};
pub use wire::Extra;
