//! The whole, as its users run it: the binary, its processes, its pages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod command_line;
mod crash;
mod demo;
mod hosted;
mod markets;
mod onboard_and_pay;
mod partners;
mod partners_bulk;
mod partners_portal;
mod partners_terms;
mod partners_whole;
