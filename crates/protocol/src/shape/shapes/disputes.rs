//! Disputes of both generations.
