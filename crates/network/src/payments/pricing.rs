//! What a transaction costs its Acquiring Partner, as far as it is known when it is shown.

use protocol::Currency;
use protocol::payments::PaymentPricing;

/// Ours: an estimate, the same for all. The one place to ask a price plan instead.
pub(super) fn estimate(currency: Currency) -> PaymentPricing {
    PaymentPricing {
        variable_rate: Some("2.99".to_owned()),
        fixed_fee: Some(30),
        currency: Some(currency),
        ..PaymentPricing::default()
    }
}
