//! Payment profiles, programs, plans, enablements, price plans.
