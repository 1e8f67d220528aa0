//! The way back to the Partner: `return_url` with its placeholders filled in (sheet 03 §3.6).

use protocol::payments::PaymentRequest;
use url::form_urlencoded::byte_serialize;

const OPEN: &str = "{klarna.payment_request.";

/// Where the customer goes after the journey, whatever its outcome: to `return_url`, or, where only an app waits, to its
/// `app_return_url`, which brings it to the front as it is (sheet 04 §4). `None` without either. Values are url-encoded, placeholders
/// without a value become empty, unknown ones stay as they are; an app's address has none.
pub fn return_location(request: &PaymentRequest) -> Option<String> {
    let config = request.customer_interaction_config.as_ref()?;
    let Some(template) = config.return_url.as_deref() else { return config.app_return_url.clone() };
    let mut location = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(start) = rest.find(OPEN) {
        let (before, placeholder) = rest.split_at(start);
        location.push_str(before);
        let known = placeholder.find('}').and_then(|end| Some((end, value(request, &placeholder[OPEN.len()..end])?)));
        match known {
            Some((end, value)) => {
                location.extend(byte_serialize(value.as_bytes()));
                rest = &placeholder[end + 1..];
            }
            None => {
                location.push_str(OPEN);
                rest = &placeholder[OPEN.len()..];
            }
        }
    }
    location.push_str(rest);
    Some(location)
}

/// `None` for names that are not placeholders.
fn value<'a>(request: &'a PaymentRequest, name: &str) -> Option<&'a str> {
    let context = request.state_context.as_ref();
    let value = match name {
        "id" => request.payment_request_id.as_ref().map(AsRef::as_ref),
        "state" => request.state.as_ref().map(AsRef::as_ref),
        "payment_request_reference" | "payment_reference" => request.payment_request_reference.as_deref(),
        "klarna_network_session_token" => {
            context.and_then(|context| context.klarna_network_session_token.as_ref()).map(AsRef::as_ref)
        }
        "payment_token" => context.and_then(|context| context.payment_token.as_ref()).map(AsRef::as_ref),
        "interoperability_token" => {
            context.and_then(|context| context.interoperability_token.as_ref()).map(AsRef::as_ref)
        }
        _ => return None,
    };
    Some(value.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn location(return_url: &str) -> Option<String> {
        let request = json!({
            "payment_request_id": "krn:payment:eu1:request:0b0e8d5e-1111-4a2b-9c3d-000000000001",
            "payment_request_reference": "PR 88&x", "state": "COMPLETED",
            "customer_interaction_config": {"return_url": return_url},
        });
        return_location(&serde_json::from_value(request).unwrap())
    }

    #[test]
    fn placeholders_are_filled_encoded_and_unknown_ones_stay() {
        assert_eq!(
            location("https://psp.example/r?id={klarna.payment_request.id}&s={klarna.payment_request.state}").unwrap(),
            "https://psp.example/r?id=krn%3Apayment%3Aeu1%3Arequest%3A0b0e8d5e-1111-4a2b-9c3d-000000000001&s=COMPLETED"
        );
        assert_eq!(
            location("https://psp.example/{klarna.payment_request.payment_request_reference}").unwrap(),
            "https://psp.example/PR+88%26x"
        );
        let token = "https://p.example/?t={klarna.payment_request.klarna_network_session_token}#z";
        assert_eq!(location(token).unwrap(), "https://p.example/?t=#z");
        for unknown in
            ["https://p.example/{klarna.payment_request.nothing}", "https://p.example/{klarna.payment_request.id"]
        {
            assert_eq!(location(unknown).unwrap(), unknown);
        }
        let nested = "https://p.example/{klarna.payment_request.{klarna.payment_request.state}}";
        assert_eq!(location(nested).unwrap(), "https://p.example/{klarna.payment_request.COMPLETED}");
    }

    #[test]
    fn an_app_that_waits_alone_is_brought_to_the_front_as_it_is() {
        let back = |config: serde_json::Value| {
            return_location(&serde_json::from_value(json!({"customer_interaction_config": config})).unwrap())
        };
        assert_eq!(back(json!({"app_return_url": "teashop://"})).unwrap(), "teashop://");
        let both = json!({"return_url": "https://psp.example/r", "app_return_url": "teashop://"});
        assert_eq!(back(both).unwrap(), "https://psp.example/r");
    }

    #[test]
    fn without_a_return_url_there_is_no_way_back() {
        assert_eq!(return_location(&PaymentRequest::default()), None);
    }
}
