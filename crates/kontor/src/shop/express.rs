//! Express Checkout: the shopper says in Klarna's window where things go and what they pay for; our pages only ask here what that
//! costs. At the end the server confirms with the token alone (IOP-2): there was no earlier call.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::goods::{Basket, DELIVERIES, Delivery, Unreachable};
use super::pages::Failure;
use super::{Fields, Shop, order_link, status_of, warn};

/// What pages ask.
pub fn routes() -> Router<Arc<Shop>> {
    Router::new().route("/express/quote", post(quote)).route("/express/confirm", post(confirm))
}

/// Where a shopper wants it, as far as Klarna tells before the purchase is approved.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    basket: Fields,
    address: Option<Place>,
    shipping_option_reference: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Place {
    country: String,
    postal_code: String,
}

/// What the Web SDK's handlers of `shippingaddresschange` and `shippingoptionselect` return.
fn answer(asked: &Asked) -> Value {
    let basket = Basket::read(&asked.basket);
    let address = asked.address.as_ref();
    let reached = address.map_or(Ok(()), |address| basket.place.reaches(&address.country, &address.postal_code));
    match reached {
        Err(Unreachable::Country) => return json!({ "rejectionReason": "COUNTRY_NOT_SUPPORTED" }),
        Err(Unreachable::PostalCode) => return json!({ "rejectionReason": "POSTAL_CODE_NOT_SUPPORTED" }),
        Ok(()) => {}
    }
    if address.is_none() {
        let chosen = Delivery::named(asked.shipping_option_reference.as_deref());
        return match chosen {
            Some(delivery) => priced(&basket.delivered(delivery)),
            None => json!({ "rejectionReason": "INVALID_OPTION" }),
        };
    }
    let options: Vec<Value> = DELIVERIES
        .iter()
        .map(|delivery| {
            json!({
                "shippingOptionReference": delivery.code, "displayName": delivery.name, "description": delivery.about,
                "amount": basket.place.shipping(delivery).minor, "shippingType": delivery.kind,
            })
        })
        .collect();
    let mut answer = priced(&basket);
    answer["shippingOptions"] = json!(options);
    answer["selectedShippingOptionReference"] = json!(basket.delivery.code);
    answer
}

/// The new total, and what it consists of.
fn priced(basket: &Basket) -> Value {
    json!({ "amount": basket.total().minor, "lineItems": camel(&basket.purchase("", None)["line_items"]) })
}

/// `total_amount` as `totalAmount`, however deep: the Web SDK's spelling.
pub fn camel(value: &Value) -> Value {
    respelled(value, &|name| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let (head, tail) = word.split_at(word.len().min(1));
            name + &head.to_ascii_uppercase() + tail
        })
    })
}

/// The other way.
fn snake(value: &Value) -> Value {
    respelled(value, &|name| {
        name.chars().fold(String::new(), |mut name, letter| {
            if letter.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(letter.to_ascii_lowercase());
            name
        })
    })
}

fn respelled(value: &Value, rename: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| respelled(item, rename)).collect(),
        Value::Object(members) => Value::Object(
            members.iter().map(|(name, value)| (rename(name), respelled(value, rename))).collect::<Map<_, _>>(),
        ),
        plain => plain.clone(),
    }
}

async fn quote(Json(asked): Json<Asked>) -> Json<Value> {
    Json(answer(&asked))
}

/// A completed request, as the page was told of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Completed {
    order: String,
    basket: Fields,
    klarna_network_session_token: String,
    /// `stateContext.shipping`.
    #[serde(default)]
    shipping: Value,
    /// `stateContext.klarnaCustomer.customerProfile`: what we asked for.
    #[serde(default)]
    customer: Fields,
}

/// The order is placed: the token says that the shopper approved, and Klarna holds the amount against what was approved. What we charge
/// is what our own prices say, whatever the page says.
async fn confirm(State(shop): State<Arc<Shop>>, headers: HeaderMap, Json(completed): Json<Completed>) -> Response {
    let chosen = completed.shipping.pointer("/shippingOption/shippingOptionReference").and_then(Value::as_str);
    let basket = Basket::read(&completed.basket);
    let basket = Delivery::named(chosen).map_or_else(|| basket.clone(), |delivery| basket.delivered(delivery));
    let address = |name: &str| {
        completed
            .shipping
            .get("address")
            .and_then(|address| address.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let reached = basket.place.reaches(address("country"), address("postalCode"));
    if basket.is_empty() || completed.order.is_empty() || (completed.shipping.is_object() && reached.is_err()) {
        let told = json!({ "title": "The order cannot be placed", "text": "No money moved. We do not ship there." });
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(told)).into_response();
    }
    let mut body = basket.purchase(&completed.order, None);
    body["klarna_network_session_token"] = json!(completed.klarna_network_session_token);
    body["metadata"] = json!({ "basket": basket.link("") });
    for (ours, theirs) in [("given_name", "givenName"), ("family_name", "familyName"), ("email", "email")] {
        if let Some(text) = completed.customer.get(theirs) {
            body["customer"][ours] = json!(text);
        }
    }
    if completed.shipping.is_object() {
        body["shipping"] = json!([snake(&completed.shipping)]);
    }
    match shop.gateway.create(&body, &completed.order).await {
        Ok(payment) => {
            if let Some(account) = shop.visitor(&headers).await {
                shop.note_order(&account, &payment.id).await;
            }
            Json(json!({ "location": order_link(&payment, None) })).into_response()
        }
        Err(error) => {
            warn(&error, "confirming an express payment");
            let failure = Failure::of(&error, "place the order", "Load this page again: you are never charged twice.");
            (status_of(&error), Json(json!({ "title": failure.title, "text": failure.text }))).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(more: Value) -> Value {
        let mut asked = json!({ "basket": { "market": "DE", "lamp": "1" } });
        for (name, value) in more.as_object().unwrap() {
            asked[name] = value.clone();
        }
        answer(&serde_json::from_value(asked).unwrap())
    }

    #[test]
    fn an_address_brings_the_ways_to_ship_and_an_option_its_price() {
        let answer = asked(json!({ "address": { "country": "AT", "postalCode": "1010" } }));
        assert_eq!(answer["amount"], 9_390);
        let options: Vec<i64> = answer["shippingOptions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|option| option["amount"].as_i64().unwrap())
            .collect();
        assert_eq!(options, [490, 290, 990]);
        assert_eq!(answer["selectedShippingOptionReference"], "home");
        let answer = asked(json!({ "shippingOptionReference": "box" }));
        assert_eq!(answer["amount"], 9_190);
        let sum: i64 =
            answer["lineItems"].as_array().unwrap().iter().map(|line| line["totalAmount"].as_i64().unwrap()).sum();
        assert_eq!(sum, 9_190);
    }

    #[test]
    fn what_we_do_not_reach_is_refused_with_its_reason() {
        let refused = |more| asked(more)["rejectionReason"].clone();
        assert_eq!(refused(json!({ "address": { "country": "SE" } })), "COUNTRY_NOT_SUPPORTED");
        assert_eq!(
            refused(json!({ "address": { "country": "DE", "postalCode": "27498" } })),
            "POSTAL_CODE_NOT_SUPPORTED"
        );
        assert_eq!(refused(json!({ "shippingOptionReference": "pigeon" })), "INVALID_OPTION");
        assert_eq!(refused(json!({})), "INVALID_OPTION");
    }

    #[test]
    fn spellings_turn_into_each_other() {
        let wire =
            json!({ "shipping_option": { "shipping_option_reference": "box" }, "lines": [{ "total_amount": 1 }] });
        assert_eq!(snake(&camel(&wire)), wire);
    }
}
