//! Onboarding, Partner accounts and every resource below them.
