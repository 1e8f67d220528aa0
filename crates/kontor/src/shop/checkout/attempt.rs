//! One order, one payment at a time. The shop remembers nothing: the order's number is the payment's reference at the gateway, and
//! which attempt this is stands in the idempotency key. So a second press, a second tab and a second try after a decline all find out
//! where the order stands, and no order is paid twice.

use std::time::Duration;

use protocol::Money;
use serde_json::{Value, json};

use crate::shop::Shop;
use crate::shop::gateway::{GatewayError, Payment};
use crate::shop::goods::Basket;
use crate::shop::pages::NAME;

/// How often we look again while the same press is being worked on elsewhere, and how long we wait in between.
const LOOKS_MAX: usize = 8;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What a shopper wants to buy, and what is known of them.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The order's number.
    pub order: String,
    pub basket: Basket,
    pub email: Option<String>,
    /// From the Web SDK, if the page runs it.
    pub session_token: Option<String>,
    pub payment_option_id: Option<String>,
    pub how: How,
}

/// How a shopper pays with Klarna.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Through the purchase journey.
    Journey,
    /// The same, and next time without: the leave to charge is asked for under this account's id.
    Remember(String),
    /// Without: by this customer token.
    Saved(String),
}

impl How {
    /// As noted with the payment.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Journey => "journey",
            Self::Remember(_) => "remember",
            Self::Saved(_) => "saved",
        }
    }
}

impl Wish {
    /// The body of `POST /v1/checkout-sessions`: what is bought, and where the shopper goes from the gateway's page.
    pub fn checkout(&self, shop: &Shop) -> Value {
        let mut body = self.basket.purchase(&self.order, self.email.as_deref());
        body["locale"] = json!(self.basket.place.locale());
        body["return_url"] = json!(shop.address("/order"));
        body["cancel_url"] = json!(shop.address(&format!("{}&way=hosted", self.basket.link("/checkout"))));
        let counter = format!("{}&order={}", self.basket.link("/reserved"), self.order);
        body["other_method"] = json!({ "url": shop.address(&counter), "label": "Pay at the counter" });
        body["branding"] = json!({ "name": NAME, "accent_color": "#1f6f63" });
        body["metadata"] = json!({ "basket": self.basket.link("") });
        body
    }

    fn body(&self, shop: &Shop) -> Value {
        let mut body = self.basket.purchase(&self.order, self.email.as_deref());
        body["return_url"] = json!(shop.address("/order"));
        body["metadata"] = json!({ "basket": self.basket.link(""), "how": self.how.as_str() });
        match &self.how {
            How::Journey => {}
            How::Remember(account) => {
                body["request_customer_token"] =
                    json!({ "scopes": ["payment:customer_not_present"], "customer_token_reference": account });
                // What it is for: whatever they order, now and then.
                let total = self.basket.total();
                body["supplementary_purchase_data"]["ondemand_service"] =
                    json!({ "average_amount": total.minor, "currency": total.currency.code() });
            }
            How::Saved(token) => body["customer_token_id"] = json!(token),
        }
        if let Some(token) = &self.session_token {
            body["klarna_network_session_token"] = json!(token);
        }
        if let Some(option) = &self.payment_option_id {
            body["payment_option_id"] = json!(option);
        }
        body
    }
}

/// What to do about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next<'a> {
    /// Its payment is this one: under way, or made.
    Follow(&'a Payment),
    /// It waits for the shopper with another amount, or to be paid otherwise: they have changed their mind since.
    Cancel(&'a Payment),
    /// There is none that could still succeed: make the one of this number.
    Make(usize),
}

/// `known` are the order's payments, newest first.
fn decide<'a>(known: &'a [Payment], total: Money, how: &How) -> Next<'a> {
    let Some(latest) = known.first() else { return Next::Make(1) };
    let is_the_same = (latest.amount, latest.currency.as_str()) == (total.minor, total.currency.code())
        && latest.metadata.get("how").is_none_or(|noted| noted == how.as_str());
    match latest.state.as_str() {
        "DECLINED" | "CANCELED" | "EXPIRED" | "FAILED" | "VOIDED" => Next::Make(known.len() + 1),
        "REQUIRES_CUSTOMER_ACTION" if !is_the_same => Next::Cancel(latest),
        _ => Next::Follow(latest),
    }
}

/// The payment of an order: the one that is there, or a new one.
///
/// # Errors
/// See [`GatewayError`].
pub async fn begin(shop: &Shop, mut wish: Wish) -> Result<Payment, GatewayError> {
    let mut looks = 0;
    loop {
        looks += 1;
        let known = shop.gateway.payments_of(&wish.order).await?;
        match decide(&known, wish.basket.total(), &wish.how) {
            Next::Follow(payment) => return Ok(payment.clone()),
            Next::Cancel(payment) => {
                shop.gateway.act(&payment.id, "cancel", &json!({}), &format!("{}-cancel", payment.id)).await?;
            }
            Next::Make(number) => {
                match shop.gateway.create(&wish.body(shop), &format!("{}-{number}", wish.order)).await {
                    // The same press, twice: the other one is on it.
                    Err(error) if error.is_conflict() && looks < LOOKS_MAX => tokio::time::sleep(LOOK_EVERY).await,
                    // A token of a purchase that was something else: this one is approved anew.
                    Err(error) if error.is_refusal() && wish.session_token.take().is_some() => {}
                    answer => return answer,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(id: &str, state: &str, amount: i64) -> Payment {
        serde_json::from_value(json!({
            "id": id, "state": state, "amount": amount, "currency": "EUR", "captured_amount": 0, "refunded_amount": 0,
            "voided_amount": 0, "remaining_amount": 0,
        }))
        .unwrap()
    }

    #[test]
    fn an_order_has_one_payment_that_can_succeed() {
        let total = Money::new(9_390, protocol::Currency::EUR);
        fn next(known: &[Payment], total: Money) -> Next<'_> {
            decide(known, total, &How::Journey)
        }
        assert_eq!(next(&[], total), Next::Make(1));
        let waiting = [payment("pay_2", "REQUIRES_CUSTOMER_ACTION", 9_390), payment("pay_1", "DECLINED", 9_390)];
        assert_eq!(next(&waiting, total), Next::Follow(&waiting[0]));
        assert_eq!(next(&waiting[1..], total), Next::Make(2));
        for state in ["PENDING", "AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED", "CLOSED", "SOMETHING_NEW"] {
            let made = [payment("pay_1", state, 1)];
            assert_eq!(next(&made, total), Next::Follow(&made[0]), "{state}");
        }
    }

    #[test]
    fn a_changed_basket_cancels_what_waits_for_the_shopper() {
        let waiting = [payment("pay_1", "REQUIRES_CUSTOMER_ACTION", 9_390)];
        let total = Money::new(11_790, protocol::Currency::EUR);
        assert_eq!(decide(&waiting, total, &How::Journey), Next::Cancel(&waiting[0]));
        let mut waiting = [payment("pay_1", "REQUIRES_CUSTOMER_ACTION", 9_390)];
        waiting[0].metadata.insert("how".to_owned(), "journey".to_owned());
        let total = Money::new(9_390, protocol::Currency::EUR);
        assert_eq!(decide(&waiting, total, &How::Journey), Next::Follow(&waiting[0]));
        assert_eq!(decide(&waiting, total, &How::Saved("ctk_1".to_owned())), Next::Cancel(&waiting[0]));
    }
}
