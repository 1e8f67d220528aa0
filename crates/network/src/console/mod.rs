//! Controls of the test environment under `/testing`: its clock, what it told whom, deliveries and their replay.
//!
//! None of it is the network's: the paths say so, an Acquiring Partner's key opens them, and a switch removes them.

mod api;

pub use api::routes;
