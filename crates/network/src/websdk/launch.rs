//! How a journey is shown, to whom it hands back, and what page and shopper say to each other about shipping. Pure.

use protocol::payments::ShippingMode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Where the journey is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// In place of the page.
    Redirect,
    /// In a window of its own, beside the page.
    Popup,
    /// In a frame on the page.
    Frame,
}

impl Display {
    /// What is sent and stored.
    pub const TEXTS: &'static [&'static str] = &["REDIRECT", "POPUP", "FRAME"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redirect => "REDIRECT",
            Self::Popup => "POPUP",
            Self::Frame => "FRAME",
        }
    }

    /// The inverse; what is unknown goes by redirect, which always works.
    pub fn read(text: &str) -> Self {
        [Self::Popup, Self::Frame].into_iter().find(|display| display.as_str() == text).unwrap_or(Self::Redirect)
    }
}

/// A journey as the SDK shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// Of the page, which a client identifier may be used from.
    pub origin: String,
    pub display: Display,
    /// Whether the page answers what shipping means.
    pub answers_shipping: bool,
    /// Of the last question.
    pub sequence: i64,
    pub dialogue: Dialogue,
}

/// Where the goods go, as far as the shopper said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    pub given_name: String,
    pub family_name: String,
    pub street_address: String,
    pub postal_code: String,
    pub city: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,
    pub country: String,
}

impl Address {
    /// What the page learns before the purchase is approved: no name and no street (fact sheet 04 §6.1).
    pub fn partial(&self) -> Value {
        let mut partial = Map::new();
        let members = [
            ("country", &self.country),
            ("region", &self.region),
            ("postal_code", &self.postal_code),
            ("city", &self.city),
        ];
        for (name, value) in members.into_iter().filter(|(_, value)| !value.is_empty()) {
            partial.insert(name.to_owned(), json!(value));
        }
        Value::Object(partial)
    }
}

/// A way to ship.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingOption {
    pub shipping_option_reference: String,
    /// Minor units.
    pub amount: i64,
    pub display_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_type_attributes: Option<Vec<String>>,
}

/// What the page is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Question {
    /// Whether, how and for how much it ships there.
    Address,
    /// What the option costs in all.
    Option,
}

/// How far shopper and page have come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dialogue {
    pub address: Option<Address>,
    /// The question that waits for its answer.
    pub question: Option<Question>,
    pub options: Vec<ShippingOption>,
    pub chosen: Option<String>,
    /// Why the page refused what was said last.
    pub rejection: Option<String>,
    /// The shopper took one of the options, and the page priced it.
    pub is_settled: bool,
}

/// The page's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub sequence: i64,
    pub rejection_reason: Option<String>,
    pub shipping_options: Vec<ShippingOption>,
    pub selected_shipping_option_reference: Option<String>,
    /// The new total, in minor units.
    pub amount: Option<i64>,
    pub line_items: Option<Value>,
}

impl Launch {
    /// Whether the journey asks where the goods go: only where somebody can answer what that means.
    pub fn asks_shipping(&self, mode: Option<&ShippingMode>) -> bool {
        self.answers_shipping && self.display != Display::Redirect && mode == Some(&ShippingMode::Editable)
    }

    /// The shopper says where the goods go: the page is asked.
    pub fn say_address(&mut self, address: Address) {
        self.sequence += 1;
        self.dialogue = Dialogue { address: Some(address), question: Some(Question::Address), ..Dialogue::default() };
    }

    /// The shopper chooses how: the page is asked for the price. `false` when that is none of its options.
    pub fn choose(&mut self, reference: &str) -> bool {
        let dialogue = &mut self.dialogue;
        if !dialogue.options.iter().any(|option| option.shipping_option_reference == reference) {
            return false;
        }
        self.sequence += 1;
        dialogue.chosen = Some(reference.to_owned());
        dialogue.question = Some(Question::Option);
        dialogue.rejection = None;
        dialogue.is_settled = false;
        true
    }

    /// Takes the page's answer; `false` when it belongs to no question that waits: it came twice, or too late.
    pub fn answer(&mut self, answer: &Answer) -> bool {
        let dialogue = &mut self.dialogue;
        let Some(question) = dialogue.question.filter(|_| answer.sequence == self.sequence) else { return false };
        dialogue.question = None;
        dialogue.rejection.clone_from(&answer.rejection_reason);
        match (question, &answer.rejection_reason) {
            (Question::Address, Some(_)) => dialogue.options.clear(),
            (Question::Address, None) => {
                dialogue.options.clone_from(&answer.shipping_options);
                dialogue.chosen.clone_from(&answer.selected_shipping_option_reference);
            }
            (Question::Option, Some(_)) => dialogue.chosen = None,
            (Question::Option, None) => dialogue.is_settled = true,
        }
        true
    }

    /// The question as the page reads it.
    pub fn question(&self) -> Option<Value> {
        let Dialogue { address, question, chosen, .. } = &self.dialogue;
        let mut told = json!({"sequence": self.sequence, "kind": question.as_ref()?});
        told["address"] = address.as_ref().map_or(Value::Null, Address::partial);
        told["shipping_option_reference"] = json!(chosen);
        Some(told)
    }

    /// What the purchase ships with, as one of `supplementary_purchase_data.shipping`.
    pub fn shipping(&self) -> Option<Value> {
        let Dialogue { address, options, chosen, .. } = &self.dialogue;
        let Address { given_name, family_name, street_address, postal_code, city, region, country } =
            address.as_ref()?;
        let mut shipping = json!({
            "recipient": {"given_name": given_name, "family_name": family_name},
            "address": {"street_address": street_address, "postal_code": postal_code, "city": city, "country": country},
        });
        if !region.is_empty() {
            shipping["address"]["region"] = json!(region);
        }
        let chosen = options.iter().find(|option| Some(&option.shipping_option_reference) == chosen.as_ref());
        if let Some(option) = chosen {
            let mut told = json!({"shipping_option_reference": option.shipping_option_reference});
            if let Some(kind) = &option.shipping_type {
                told["shipping_type"] = json!(kind);
            }
            if let Some(attributes) = &option.shipping_type_attributes {
                told["shipping_type_attributes"] = json!(attributes);
            }
            shipping["shipping_option"] = told;
        }
        Some(shipping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        let dialogue = Dialogue::default();
        let origin = "https://shop.example".to_owned();
        Launch { origin, display: Display::Popup, answers_shipping: true, sequence: 0, dialogue }
    }

    fn address() -> Address {
        Address { street_address: "Main 1".into(), city: "Berlin".into(), country: "DE".into(), ..Address::default() }
    }

    fn option(reference: &str) -> ShippingOption {
        ShippingOption {
            shipping_option_reference: reference.to_owned(),
            amount: 490,
            display_name: "Home".to_owned(),
            description: None,
            shipping_type: Some("TO_DOOR".to_owned()),
            shipping_type_attributes: None,
        }
    }

    #[test]
    fn an_address_and_an_option_are_asked_one_after_the_other() {
        let mut launch = launch();
        assert_eq!(launch.question(), None);
        launch.say_address(address());
        let asked = launch.question().unwrap();
        assert_eq!(asked["address"], json!({"country": "DE", "city": "Berlin"}), "neither name nor street");
        let answer = Answer { sequence: 1, shipping_options: vec![option("std")], ..Answer::default() };
        assert!(launch.answer(&answer) && !launch.answer(&answer), "an answer counts once");
        assert!(!launch.choose("other") && launch.choose("std"));
        assert_eq!(launch.question().unwrap()["shipping_option_reference"], "std");
        assert!(launch.answer(&Answer { sequence: 2, ..Answer::default() }) && launch.dialogue.is_settled);
        assert_eq!(launch.shipping().unwrap()["shipping_option"]["shipping_type"], "TO_DOOR");
    }

    #[test]
    fn a_refusal_leads_back_to_what_was_refused() {
        let mut launch = launch();
        launch.say_address(address());
        let reason = Some("COUNTRY_NOT_SUPPORTED".to_owned());
        assert!(launch.answer(&Answer { sequence: 1, rejection_reason: reason.clone(), ..Answer::default() }));
        assert_eq!((launch.dialogue.rejection.clone(), launch.dialogue.is_settled), (reason, false));
        launch.say_address(address());
        assert!(!launch.answer(&Answer { sequence: 1, ..Answer::default() }), "that question is past");
    }

    #[test]
    fn without_a_page_that_answers_nothing_is_asked() {
        let editable = Some(&ShippingMode::Editable);
        assert!(launch().asks_shipping(editable) && !launch().asks_shipping(None));
        assert!(!Launch { answers_shipping: false, ..launch() }.asks_shipping(editable));
        assert!(!Launch { display: Display::Redirect, ..launch() }.asks_shipping(editable));
        assert_eq!(Display::read("FRAME"), Display::Frame);
        assert!(Display::TEXTS.iter().all(|text| Display::read(text).as_str() == *text));
    }
}
