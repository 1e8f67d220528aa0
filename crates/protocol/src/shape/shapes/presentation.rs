//! Payment presentation and messaging.
