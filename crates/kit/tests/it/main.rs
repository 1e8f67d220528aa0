//! Integration tests of the machinery: one binary, own databases, free ports.

mod db;
mod deliveries;
mod jobs;
