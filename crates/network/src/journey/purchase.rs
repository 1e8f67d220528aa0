//! What a shopper is shown of a Payment Request.

use protocol::payments::{ProfileScope, SupplementaryPurchaseData};
use protocol::{Currency, Market, Money, markets};

use super::plan::Plan;
use super::shipping::Shown;
use crate::payments::payment_request::State;
use crate::programs::Offered;

/// A Payment Request as the pages need it.
#[derive(Clone, Debug)]
pub struct Purchase {
    pub state: State,
    /// Whether the shopper has confirmed and the verdict is still to come.
    pub is_pending: bool,
    /// The Partner's name.
    pub partner: Option<String>,
    /// The order number that the shopper knows.
    pub reference: Option<String>,
    /// Absent when only a customer token is asked for.
    pub amount: Option<Money>,
    pub lines: Vec<Line>,
    pub market: &'static Market,
    /// Whether later charges are asked for.
    pub asks_token: bool,
    pub profile: Vec<ProfileScope>,
    /// What the Partner's programs offer in this market, whatever the amount.
    pub offered: Vec<Offered>,
    /// What the shopper picked in the Partner's checkout.
    pub preselected: Option<Plan>,
    /// The address that a QR code holds, where the Partner shows one.
    pub scanned: Option<String>,
    /// Where the shopper came from and goes back to, with its placeholders filled in for the present state. Absent for QR
    /// codes and the SDK.
    pub return_location: Option<String>,
    /// How the Web SDK shows this journey, if it does.
    pub shown: Option<Shown>,
}

/// One line of the order.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub quantity: Option<i64>,
    pub total: Option<Money>,
}

/// The lines of purchase data, as far as they can be shown.
pub fn lines(data: Option<&SupplementaryPurchaseData>, currency: Currency) -> Vec<Line> {
    let items = data.and_then(|data| data.line_items.as_deref()).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            Some(Line {
                name: item.name.clone()?,
                quantity: item.quantity.filter(|quantity| *quantity != 1),
                total: item.total_amount.map(|minor| Money::new(minor, currency)),
            })
        })
        .collect()
}

/// The market a purchase is made in: the customer's address, else the address it is sent to, else the first market with the
/// currency (Germany for the euro). Ours.
pub fn market(data: Option<&SupplementaryPurchaseData>, currency: Currency) -> &'static Market {
    let customer = data.and_then(|data| data.customer.as_ref()?.address.as_ref()?.country.as_deref());
    let shipping = data.and_then(|data| data.shipping.as_ref()?.first()?.address.as_ref()?.country.as_deref());
    let germany = || Market::by_country("DE").expect("Germany is a market");
    let by_currency = || markets().iter().find(|market| market.currency() == currency && currency != Currency::EUR);
    customer
        .and_then(Market::by_country)
        .or_else(|| shipping.and_then(Market::by_country))
        .or_else(by_currency)
        .unwrap_or_else(germany)
}

/// The plan that a Partner's checkout names. Ours: option ids end with the plan's code.
pub fn preselected(payment_option_id: Option<&str>) -> Option<Plan> {
    payment_option_id?.rsplit([':', '/']).next().and_then(Plan::from_code)
}

impl Purchase {
    pub fn asks_plan(&self) -> bool {
        self.amount.is_some()
    }

    pub fn plans(&self) -> Vec<Plan> {
        self.amount.map(|amount| Plan::offered(&self.offered, amount)).unwrap_or_default()
    }

    /// What a confirmation is for, as the form repeats it: a changed order must be seen before it is confirmed.
    pub fn seal(&self) -> String {
        self.amount.map_or_else(|| "token".to_owned(), |amount| amount.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_market_is_where_the_customer_lives_else_where_the_currency_is() {
        let data: SupplementaryPurchaseData = serde_json::from_value(json!({
            "customer": {"address": {"country": "at"}},
            "shipping": [{"address": {"country": "FI"}}],
        }))
        .unwrap();
        assert_eq!(market(Some(&data), Currency::EUR).country, "AT");
        assert_eq!(market(None, Currency::SEK).country, "SE");
        assert_eq!(market(None, Currency::EUR).country, "DE");
        assert_eq!(market(None, "JPY".parse().unwrap()).country, "DE");
    }

    #[test]
    fn a_plan_is_preselected_by_the_end_of_the_option_id() {
        let three = Plan::from_code("pay_in_3");
        assert!(three.is_some());
        assert_eq!(preselected(Some("krn:payment:option:pay_in_3")), three);
        assert_eq!(preselected(Some("something else")), None);
    }
}
