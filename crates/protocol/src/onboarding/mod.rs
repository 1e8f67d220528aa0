//! Rules of onboarding that both ends hold: registration numbers by country, merchant categories, bank accounts.
//!
//! Pure: the gateway asks before it calls, the network before it decides. The tables of bodies ([`mod@crate::shapes`]) use them as rules.

pub mod bank_account;
pub mod legal_registration;
pub mod merchant_category;
