//! Settlements, their rows and payouts.
