//! What Partners send: the members of a payment, and those of the page around it, checked together so that a refusal names them all.

use std::sync::LazyLock;

use kit::clock::{DAY_US, HOUR_US, MINUTE_US};
use kit::http::{ApiError, FieldFault};
use protocol::shape::{Http, Kind, Row, Shape};
use protocol::{Timestamp, parse_duration};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::branding::{Branding, Colour};
use crate::access::field_faults;
use crate::payments::body::CreatePayment;

/// Members that are about the page.
const OWN: [&str; 4] = ["branding", "expiry", "other_method", "order_status"];
/// Members of a payment that come about on the page.
const CHOSEN_ON_THE_PAGE: [&str; 2] = ["payment_option_id", "interaction_expiry"];
const EXPIRY_MIN_US: i64 = 15 * MINUTE_US;

/// What the page is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A shop sends its customer here.
    Checkout,
    /// The address is sent, or shown as a code.
    Link,
}

impl Purpose {
    /// Ours: how long the page stays open if nothing else is said, and at most.
    fn life_us(self) -> (i64, i64) {
        match self {
            Self::Checkout => (DAY_US, 7 * DAY_US),
            Self::Link => (7 * DAY_US, 90 * DAY_US),
        }
    }
}

/// Where a customer goes who pays in another way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherMethod {
    /// The Partner's page for it.
    pub url: String,
    /// What the choice is called; neutral words of ours if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// A checked body.
#[derive(Clone, Debug)]
pub struct CreateSession {
    /// The payment's members, as [`CreatePayment::check`] takes them again; without the token.
    pub order: Value,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    pub reference: Option<String>,
    pub token: Option<SecretString>,
    pub branding: Branding,
    pub other_method: Option<OtherMethod>,
    /// The order is paid already: the page says so, and asks for nothing.
    pub is_completed: bool,
    /// Microseconds UTC.
    pub expires_at: i64,
}

/// Rows for [`Branding`].
pub(crate) fn branding_rows(http: Http) -> Vec<Row> {
    const COLOUR: Kind = Kind::Matching {
        min: 7,
        max: 7,
        accepts: |text| Colour::parse(text).is_some(),
        wanted: "a colour like #1f6f63, with 7 characters",
    };
    vec![
        Row::new("branding", Kind::Object),
        Row::new("branding.name", Kind::Text { min: 1, max: 80 }),
        Row::new("branding.logo_url", Kind::Url { http }),
        Row::new("branding.accent_color", COLOUR),
        Row::new("branding.background_color", COLOUR),
    ]
}

fn rows(http: Http) -> Vec<Row> {
    const LIFE: Kind = Kind::Duration {
        min: EXPIRY_MIN_US,
        max: 90 * DAY_US,
        wanted: "an ISO 8601 duration of at least 15 minutes, like PT2H or P7D",
    };
    let mut rows = branding_rows(http);
    rows.extend([
        Row::new("expiry", Kind::Object),
        Row::new("expiry.duration", LIFE),
        Row::new("expiry.timestamp", Kind::Timestamp),
        Row::new("other_method", Kind::Object),
        Row::new("other_method.url", Kind::Url { http }).required(),
        Row::new("other_method.label", Kind::Text { min: 1, max: 60 }),
        Row::new("order_status", Kind::OneOf(&["OPEN", "COMPLETED"])),
    ]);
    rows
}

static SHAPE: LazyLock<Shape> = LazyLock::new(|| Shape::new(rows(Http::Never), &[]));
static SHAPE_LOCAL: LazyLock<Shape> = LazyLock::new(|| Shape::new(rows(Http::Loopback), &[]));

impl CreateSession {
    /// Checks a body. `local` allows plain http to this machine.
    ///
    /// # Errors
    /// 400 `VALIDATION_ERROR` with every field at fault.
    pub fn check(body: Value, purpose: Purpose, local: bool, now: i64) -> Result<Self, ApiError> {
        let Value::Object(mut body) = body else {
            return Err(ApiError::validation(vec![FieldFault::new("body", "must be a JSON object")]));
        };
        let mut own = Map::new();
        for name in OWN {
            if let Some(value) = body.remove(name).filter(|value| !value.is_null()) {
                own.insert(name.to_owned(), value);
            }
        }
        let own = Value::Object(own);
        let shape = if local { &*SHAPE_LOCAL } else { &*SHAPE };
        let mut faults = field_faults(shape.check(&own));
        refuse_unknown(&own, "branding", &["name", "logo_url", "accent_color", "background_color"], &mut faults);
        refuse_unknown(&own, "expiry", &["duration", "timestamp"], &mut faults);
        refuse_unknown(&own, "other_method", &["url", "label"], &mut faults);
        for name in CHOSEN_ON_THE_PAGE {
            if body.remove(name).is_some_and(|value| !value.is_null()) {
                faults.push(FieldFault::new(name, "comes about on the page; leave it out"));
            }
        }
        let comes_back = body.get("return_url").is_some_and(|value| !value.is_null());
        if purpose == Purpose::Checkout && !comes_back {
            faults.push(FieldFault::new("return_url", "is required"));
        }
        let branding: Branding = serde_json::from_value(own["branding"].clone()).unwrap_or_default();
        let unreadable = branding.faults().into_iter();
        faults.extend(unreadable.map(|(name, reason)| FieldFault::new(format!("branding.{name}"), reason)));
        let expires_at = expires_at(&own, purpose, now, &mut faults);
        let asked = match CreatePayment::check(Value::Object(body), local) {
            Ok(asked) => Some(asked),
            Err(mut error) => {
                // A page that needs a way back has said so.
                let missing = |fault: &FieldFault| faults.iter().any(|known| known.parameter == fault.parameter);
                let more: Vec<FieldFault> = error.validation_errors.drain(..).filter(|fault| !missing(fault)).collect();
                faults.extend(more);
                None
            }
        };
        let Some(asked) = asked.filter(|_| faults.is_empty()) else { return Err(ApiError::validation(faults)) };
        Ok(Self {
            order: order(&asked),
            amount: asked.amount,
            currency: asked.currency,
            reference: asked.reference,
            token: asked.session_token,
            branding,
            other_method: serde_json::from_value(own["other_method"].clone()).ok(),
            is_completed: own["order_status"] == "COMPLETED",
            expires_at,
        })
    }
}

/// The members again, without what was secret among them.
fn order(asked: &CreatePayment) -> Value {
    let mut order = json!({
        "amount": asked.amount, "currency": asked.currency, "capture": asked.capture.as_str(), "metadata": asked.metadata,
        "supplementary_purchase_data": asked.purchase,
    });
    let optional = [
        ("reference", &asked.reference),
        ("return_url", &asked.return_url),
        ("cancel_url", &asked.cancel_url),
        ("app_return_url", &asked.app_return_url),
        ("locale", &asked.locale),
        ("country", &asked.country),
    ];
    for (name, value) in optional.into_iter().filter(|(_, value)| value.is_some()) {
        order[name] = json!(value);
    }
    if let Some(data) = &asked.network_data {
        order[data.name.as_str()] = json!(data.value);
    }
    order
}

fn expires_at(own: &Value, purpose: Purpose, now: i64, faults: &mut Vec<FieldFault>) -> i64 {
    let (usual, longest) = purpose.life_us();
    let text = |name: &str| own["expiry"].get(name).and_then(Value::as_str);
    let (name, asked) = match (text("duration"), text("timestamp")) {
        (Some(_), Some(_)) => {
            faults.push(FieldFault::new("expiry", "must have duration or timestamp, not both"));
            return now + usual;
        }
        (Some(text), None) => ("expiry.duration", parse_duration(text).ok()),
        (None, Some(text)) => ("expiry.timestamp", text.parse::<Timestamp>().ok().map(|time| time.as_micros() - now)),
        (None, None) => return now + usual,
    };
    // What cannot be read at all, the shape has named.
    let Some(asked) = asked else { return now + usual };
    if !(EXPIRY_MIN_US..=longest).contains(&asked) && !faults.iter().any(|fault| fault.parameter == name) {
        let (days, hours) = (longest / DAY_US, EXPIRY_MIN_US / MINUTE_US);
        faults.push(FieldFault::new(name, format!("must be from {hours} minutes to {days} days from now")));
    }
    now.saturating_add(asked)
}

fn refuse_unknown(own: &Value, member: &str, known: &[&str], faults: &mut Vec<FieldFault>) {
    let members = own[member].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, _) in members.filter(|(name, _)| !known.contains(&name.as_str())) {
        let shown: String = name.chars().take(100).collect();
        faults.push(FieldFault::new(format!("{member}.{shown}"), "is not known here"));
    }
}

/// How long a customer who begins now has at Klarna: until the page closes, within Klarna's bounds of 15 minutes and 48 hours.
pub fn interaction_expiry(expires_at: i64, now: i64) -> Option<Value> {
    let at = expires_at.clamp(now + 16 * MINUTE_US, now + 47 * HOUR_US);
    let time = Timestamp::from_micros(at).ok()?;
    Some(json!({ "timestamp": time.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_445_600_000_000;

    fn named(body: Value, purpose: Purpose) -> Vec<String> {
        let error = CreateSession::check(body, purpose, false, NOW).expect_err("faults");
        let mut named: Vec<String> = error.validation_errors.iter().map(|fault| fault.parameter.clone()).collect();
        named.sort();
        named
    }

    #[test]
    fn every_fault_of_payment_and_page_is_named_at_once() {
        let body = json!({
            "amount": -1, "currency": "EUR", "payment_option_id": "x", "surprise": 1, "order_status": "PAID",
            "branding": {"logo_url": "http://shop.example/logo.png", "accent_color": "red", "font": "serif"},
            "other_method": {"label": "Card"}, "expiry": {"duration": "PT1M"},
        });
        assert_eq!(
            named(body, Purpose::Checkout),
            [
                "amount",
                "branding.accent_color",
                "branding.font",
                "branding.logo_url",
                "expiry.duration",
                "order_status",
                "other_method.url",
                "payment_option_id",
                "return_url",
                "surprise"
            ]
        );
    }

    #[test]
    fn a_page_closes_in_time_and_a_link_later() {
        let body = |expiry: Value| json!({"amount": 1, "currency": "EUR", "return_url": "https://shop.example/", "expiry": expiry});
        let at = |expiry: Value, purpose| CreateSession::check(body(expiry), purpose, false, NOW).unwrap().expires_at;
        assert_eq!(at(Value::Null, Purpose::Checkout), NOW + DAY_US);
        assert_eq!(at(json!({"duration": "PT2H"}), Purpose::Checkout), NOW + 2 * HOUR_US);
        assert_eq!(at(json!({"timestamp": "2026-03-12T10:00:00Z"}), Purpose::Link), NOW + 10 * DAY_US);
        for wrong in [json!({"timestamp": "2026-03-12T10:00:00Z"}), json!({"timestamp": "2020-01-01T00:00:00Z"})] {
            assert_eq!(named(body(wrong), Purpose::Checkout), ["expiry.timestamp"]);
        }
        assert_eq!(
            named(body(json!({"duration": "PT2H", "timestamp": "2026-03-03T10:00:00Z"})), Purpose::Link),
            ["expiry"]
        );
    }

    #[test]
    fn the_order_is_kept_without_its_token_and_is_a_payment_again() {
        let body = json!({"amount": 4990, "currency": "eur", "return_url": "https://shop.example/", "reference": "88",
            "line_items": [{"name": "Mug", "quantity": 1, "total_amount": 4990}], "klarna_interoperability_data": "raw",
            "metadata": {"a": "b", "interoperability_token": "tok.en"}, "capture": "AUTOMATIC"});
        let checked = CreateSession::check(body, Purpose::Checkout, false, NOW).unwrap();
        assert!(checked.token.is_some() && !checked.order.to_string().contains("tok.en"));
        let again = CreatePayment::check(checked.order, false).unwrap();
        assert_eq!((again.amount, again.currency.as_str(), again.reference.as_deref()), (4990, "EUR", Some("88")));
        assert_eq!(again.network_data.unwrap().name, "klarna_interoperability_data");
        assert_eq!(again.purchase["purchase_reference"], "88");
    }
}
