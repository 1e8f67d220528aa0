//! What the captures of a transaction cost its Acquiring Partner: agreed when it is authorized, by the price plan of that moment.

use protocol::Currency;
use protocol::payments::PaymentPricing;
use serde_json::Value;

use super::store::TransactionRow;
use crate::accounts::PaymentAccountRow;
use crate::programs::{self, Priced, Rate};

/// The rate for a payment to this payment account now (`at`, microseconds UTC); `None` for currencies that Klarna does not settle in.
/// Where the customer lives is read from the purchase.
pub(super) fn agreed(
    payment_account: &PaymentAccountRow,
    purchase: Option<&Value>,
    currency: Currency,
    at: i64,
) -> Option<Rate> {
    let country = ["/customer/address/country", "/shipping/0/address/country"]
        .into_iter()
        .find_map(|place| purchase?.pointer(place)?.as_str());
    let priced = Priced::online(&payment_account.merchant_category_code, country, currency);
    programs::rate_on(payment_account.price_plan.as_deref(), &priced, at)
}

/// As the transaction shows it; absent for transactions that are older than prices.
pub(super) fn shown(row: &TransactionRow, currency: Currency) -> Option<PaymentPricing> {
    let rate = Rate { variable_bps: row.variable_bps?, fixed_fee: row.fixed_fee?, currency, cap_bps: row.cap_bps? };
    Some(PaymentPricing {
        variable_rate: Some(rate.variable_rate()),
        fixed_fee: Some(rate.fixed_fee),
        currency: Some(currency),
        ..PaymentPricing::default()
    })
}
