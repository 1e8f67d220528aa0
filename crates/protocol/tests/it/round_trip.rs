//! Whatever comes in goes out again: known members, unknown ones, values of later releases.

use crate::full;
use proptest::prelude::*;
use protocol::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Parses, says which members had no name, prints.
fn pass<T: DeserializeOwned + Serialize + std::fmt::Debug>(
    value: &Value,
) -> Result<(String, Value), serde_json::Error> {
    let parsed: T = serde_json::from_value(value.clone())?;
    let again: T = serde_json::from_str(&serde_json::to_string(&parsed)?)?;
    Ok((format!("{again:?}"), serde_json::to_value(&parsed)?))
}

type Pass = fn(&Value) -> Result<(String, Value), serde_json::Error>;

/// Every object of the payments module that stands at the top of a body, with a body that has all its members.
pub fn objects() -> Vec<(&'static str, Value, Pass)> {
    vec![
        ("SupplementaryPurchaseData", full::supplementary_purchase_data(), pass::<SupplementaryPurchaseData>),
        ("CreatePaymentRequest", full::create_payment_request(), pass::<CreatePaymentRequest>),
        ("AuthorizeRequest", full::authorize(), pass::<AuthorizeRequest>),
        ("CaptureRequest", full::capture(), pass::<CaptureRequest>),
        ("RefundRequest", full::refund(), pass::<RefundRequest>),
        ("UpdateTransaction", full::update_transaction(), pass::<UpdateTransaction>),
        ("ReauthorizeRequest", full::reauthorize(), pass::<ReauthorizeRequest>),
        ("PaymentRequest", full::payment_request(), pass::<PaymentRequest>),
        ("PaymentTransaction", full::transaction(), pass::<PaymentTransaction>),
        ("AuthorizeResponse", full::authorize_response(), pass::<AuthorizeResponse>),
        ("Envelope", full::envelope(), pass::<Envelope>),
    ]
}

#[test]
fn every_member_that_the_network_knows_has_a_name_and_survives() {
    for (name, body, pass) in objects() {
        let (debug, printed) = pass(&body).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(printed, body, "{name}");
        // `point_of_checkout.store` is open by design; nothing else may have landed in `extra`.
        assert!(!debug.replace("extra: {}", "").contains("extra:"), "{name} has members without a name: {debug}");
    }
}

/// JSON pointers of everything within `value` that `wanted` picks, outermost first.
fn pointers(value: &Value, wanted: fn(&Value) -> bool) -> Vec<String> {
    fn walk(value: &Value, at: &str, wanted: fn(&Value) -> bool, found: &mut Vec<String>) {
        if wanted(value) {
            found.push(at.to_owned());
        }
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, member)| walk(member, &format!("{at}/{key}"), wanted, found))
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| walk(item, &format!("{at}/{index}"), wanted, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", wanted, &mut found);
    found
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e9..1.0e9_f64).prop_map(Value::from),
        "\\PC{0,60}".prop_map(Value::from),
        Just(json!("EUR")),
        Just(json!("2026-03-02T10:00:00Z")),
        Just(json!(full::REQUEST)),
        Just(json!(full::TRANSACTION)),
        Just(json!("later release")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Members go missing, unknown ones appear anywhere: what is parsed and printed is what came.
    #[test]
    fn bodies_of_other_releases_survive(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "x_[a-z]{1,6}", json(), any::<bool>()), 1..12),
    ) {
        for (name, mut body, pass) in objects() {
            for (place, member, key, value, remove) in &changes {
                let places = pointers(&body, Value::is_object);
                let object = body.pointer_mut(place.get(places.as_slice()).as_str()).unwrap().as_object_mut().unwrap();
                if *remove && !object.is_empty() {
                    let key = object.keys().nth(member.index(object.len())).unwrap().clone();
                    object.remove(&key);
                } else {
                    object.insert(key.clone(), value.clone());
                }
            }
            let (_, printed) = pass(&body).map_err(|error| TestCaseError::fail(format!("{name}: {error}")))?;
            prop_assert_eq!(printed, body, "{}", name);
        }
    }

    /// Every text is a value of every open enum, known or not.
    #[test]
    fn enum_values_survive(text in "\\PC{0,40}", known in any::<prop::sample::Index>()) {
        fn check<T: DeserializeOwned + Serialize>(text: &str) {
            let parsed: T = serde_json::from_value(json!(text)).unwrap();
            assert_eq!(serde_json::to_value(&parsed).unwrap(), json!(text));
        }
        for text in [text.as_str(), known.get::<&str>(EventType::KNOWN_TEXTS), known.get::<&str>(RequestState::KNOWN_TEXTS)] {
            check::<EventType>(text);
            check::<EventVersion>(text);
            check::<RequestState>(text);
            check::<TransactionState>(text);
            check::<AuthorizeResult>(text);
            check::<TokenScope>(text);
            check::<ErrorCode>(text);
            check::<ErrorType>(text);
            check::<InteractionMethod>(text);
        }
    }

    /// What a shape lets through, its type can read: one leaf replaced by anything.
    #[test]
    fn a_body_that_passes_its_shape_deserializes(place in any::<prop::sample::Index>(), value in json()) {
        let cases: [(&str, &Shape, Value, Pass); 8] = [
            ("SupplementaryPurchaseData", shapes::supplementary_purchase_data(), full::supplementary_purchase_data(), pass::<SupplementaryPurchaseData>),
            ("CreatePaymentRequest", shapes::create_payment_request(), full::create_payment_request(), pass::<CreatePaymentRequest>),
            ("CreatePaymentRequest", shapes::update_payment_request(), full::create_payment_request(), pass::<CreatePaymentRequest>),
            ("AuthorizeRequest", shapes::authorize(), full::authorize(), pass::<AuthorizeRequest>),
            ("CaptureRequest", shapes::capture(), full::capture(), pass::<CaptureRequest>),
            ("RefundRequest", shapes::refund(), full::refund(), pass::<RefundRequest>),
            ("UpdateTransaction", shapes::update_transaction(), full::update_transaction(), pass::<UpdateTransaction>),
            ("ReauthorizeRequest", shapes::reauthorize(), full::reauthorize(), pass::<ReauthorizeRequest>),
        ];
        for (name, shape, mut body, pass) in cases {
            prop_assert_eq!(shape.check(&body), vec![], "{} with every member is refused", name);
            let places = pointers(&body, |_| true);
            *body.pointer_mut(place.get(places.as_slice()).as_str()).unwrap() = value.clone();
            if shape.check(&body).is_empty() {
                prop_assert!(pass(&body).is_ok(), "{} passes and cannot be read: {}", name, body);
            }
        }
    }

    #[test]
    fn krns_survive(text in prop_oneof!["krn:[a-z]{1,8}(:[!-~]{0,12}){1,6}", "krn:partner:global:account:(test|live):[A-Z0-9]{8}", "[!-~]{1,40}"]) {
        let krn = Krn::opaque(&text).unwrap();
        prop_assert_eq!(krn.as_str(), &text);
        prop_assert_eq!(text.parse::<Krn>().is_ok(), text.starts_with("krn:"));
        prop_assert_eq!(serde_json::from_value::<Krn>(serde_json::to_value(&krn).unwrap()).unwrap(), krn);
    }

    #[test]
    fn amounts_survive(minor: i64, code in prop::sample::select(vec!["EUR", "JPY", "KWD", "SEK", "CLF"])) {
        let money = Money::new(minor, code.parse().unwrap());
        prop_assert_eq!(money.to_string().parse::<Money>().unwrap(), money);
    }

    #[test]
    fn times_survive(micros in -300_000_000_000_000_000_i64..250_000_000_000_000_000) {
        let time = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
        prop_assert!(time.to_string().ends_with('Z'));
    }

    #[test]
    fn event_patterns_survive(text in "[a-z-]{1,9}(\\.[a-z-]{1,9}){0,4}(\\.\\*)?") {
        let pattern: EventPattern = text.parse().unwrap();
        prop_assert_eq!(pattern.to_string(), text);
    }

    #[test]
    fn integration_metadata_survives_its_header(name in "\\PC{1,30}", reference in "\\PC{1,30}") {
        let integrator = protocol::header::Integration { name: Some(name), session_reference: Some(reference), ..Default::default() };
        let metadata = IntegrationMetadata { integrator: Some(integrator), ..Default::default() };
        let line = metadata.to_header();
        prop_assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        prop_assert_eq!(IntegrationMetadata::parse(&line).unwrap(), metadata);
    }
}
