//! The wire, as one binary: what each object prints, that nothing gets lost on the way through, and which bodies are refused.

#![expect(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod full;
mod round_trip;
mod shape;
mod wire;
