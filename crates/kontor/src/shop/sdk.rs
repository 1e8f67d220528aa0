//! What pages need to run the Web SDK: where its script is, who we are to it, and what is being bought.

use serde_json::{Map, Value, json};
use url::Url;

use super::goods::Basket;
use super::{Shop, express};

/// Klarna's script, and our name there.
#[derive(Clone, Debug)]
pub struct SdkConfig {
    /// The module's address: the network end's here, Klarna's in production. The pages' content-security-policy follows it.
    pub script_url: Url,
    /// A client identifier that may be used from the shop's origin.
    pub client_id: String,
    /// Which of the Partner's payment accounts is paid.
    pub payment_account_id: String,
}

impl SdkConfig {
    /// Where the script comes from, and what it talks to.
    pub fn origin(&self) -> String {
        self.script_url.origin().ascii_serialization()
    }
}

/// What a page's script is told of the shop and of a purchase.
pub fn told(shop: &Shop, basket: &Basket, order: &str) -> Value {
    let fields: Map<String, Value> =
        basket.fields().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "script": shop.sdk.script_url,
        "sdk": {
            "clientId": shop.sdk.client_id,
            "acquiringConfig": { "paymentAccountId": shop.sdk.payment_account_id },
            "locale": basket.place.locale(),
        },
        "order": order,
        "basket": fields,
        "amount": basket.total().minor,
        "currency": basket.place.currency().code(),
        "locale": basket.place.locale(),
        "lineItems": express::camel(&basket.purchase(order, None)["line_items"]),
        "shipsTo": basket.place.ships_to,
        "returnUrl": shop.address(&basket.link("/cart")),
    })
}
