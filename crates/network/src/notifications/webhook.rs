//! A webhook as its owner describes it: what may be asked for, and when two are the same.

use std::collections::BTreeSet;

use kit::http::FieldFault;
use protocol::{EventPattern, EventVersion, WebhookStatus};
use serde_json::Value;
use url::Url;

/// Longest url. Ours.
const URL_CHARS_MAX: usize = 2048;
/// Ports that Klarna delivers to (fact sheet 01 §9.2).
const PORTS: [u16; 2] = [443, 8443];

/// A webhook that passed its checks, but for the signing key, which only the store knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDraft {
    /// Where deliveries go.
    pub url: String,
    /// What is subscribed to, as it was given.
    pub event_types: Vec<String>,
    /// The schema of the payloads.
    pub event_version: EventVersion,
    /// Signs the deliveries.
    pub signing_key_id: String,
    /// Whether anything is delivered.
    pub status: WebhookStatus,
}

impl WebhookDraft {
    /// Reads a body. With `current` (PATCH) members that are absent or null keep their value. `local` lets urls be plain http and
    /// have any port.
    ///
    /// # Errors
    /// Every faulty member at once.
    pub fn read(body: &Value, current: Option<&Self>, local: bool) -> Result<Self, Vec<FieldFault>> {
        let Some(body) = body.as_object() else {
            return Err(vec![FieldFault::new("", "must be a JSON object")]);
        };
        let given = |name: &str| body.get(name).filter(|value| !value.is_null());
        let mut faults = Faults::default();

        let url = match given("url") {
            Some(value) => faults.keep("url", read_url(value, local)),
            None => faults.or_required("url", current.map(|webhook| webhook.url.clone())),
        };
        let event_types = match given("event_types") {
            Some(value) => read_event_types(value, &mut faults),
            None => faults.or_required("event_types", current.map(|webhook| webhook.event_types.clone())),
        };
        let event_version = match given("event_version") {
            Some(value) => faults.keep("event_version", read_version(value)),
            None => faults.or_required("event_version", current.map(|webhook| webhook.event_version.clone())),
        };
        let signing_key_id = match given("signing_key_id") {
            Some(value) => {
                let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= 255 && !text.contains('\0'));
                faults.keep("signing_key_id", text.map(str::to_owned).ok_or("must be the id of a signing key".into()))
            }
            None => faults.or_required("signing_key_id", current.map(|webhook| webhook.signing_key_id.clone())),
        };
        let status = match given("status") {
            Some(value) => faults.keep("status", read_status(value)),
            // Ours: all samples send it.
            None => Some(current.map_or(WebhookStatus::Enabled, |webhook| webhook.status.clone())),
        };
        match (url, event_types, event_version, signing_key_id, status) {
            (Some(url), Some(event_types), Some(event_version), Some(signing_key_id), Some(status)) => {
                Ok(Self { url, event_types, event_version, signing_key_id, status })
            }
            _ => Err(faults.0),
        }
    }

    /// Whether two webhooks would deliver the same things to the same place: the second is a duplicate (409). Ours: which key
    /// signs, and whether it is switched on, makes no difference.
    pub fn is_same_subscription(&self, other: &Self) -> bool {
        let set = |webhook: &Self| webhook.event_types.iter().cloned().collect::<BTreeSet<_>>();
        self.url == other.url && self.event_version == other.event_version && set(self) == set(other)
    }
}

/// Reads `event_version`.
pub(super) fn read_version(value: &Value) -> Result<EventVersion, String> {
    let version = value.as_str().map(EventVersion::from).filter(EventVersion::is_known);
    version.ok_or_else(|| format!("must be one of {}", EventVersion::KNOWN_TEXTS.join(", ")))
}

#[derive(Default)]
struct Faults(Vec<FieldFault>);

impl Faults {
    fn keep<T>(&mut self, parameter: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|reason| self.0.push(FieldFault::new(parameter, reason))).ok()
    }

    fn or_required<T>(&mut self, parameter: &str, current: Option<T>) -> Option<T> {
        if current.is_none() {
            self.0.push(FieldFault::new(parameter, "is required"));
        }
        current
    }
}

fn read_url(value: &Value, local: bool) -> Result<String, String> {
    let text = value.as_str().ok_or("must be a text")?;
    if text.chars().count() > URL_CHARS_MAX {
        return Err(format!("must have at most {URL_CHARS_MAX} characters"));
    }
    // The parser would drop or encode them, and what is delivered to would not be what is shown.
    if text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err("must not contain spaces or control characters".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("is not a url: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => return Err("must begin with https://".to_owned()),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("must name a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry credentials".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not have a fragment".to_owned());
    }
    let port = url.port_or_known_default().unwrap_or_default();
    if !local && !PORTS.contains(&port) {
        return Err("must use port 443 or 8443".to_owned());
    }
    Ok(text.to_owned())
}

fn read_event_types(value: &Value, faults: &mut Faults) -> Option<Vec<String>> {
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        faults.0.push(FieldFault::new("event_types", "must be a list of at least one event type"));
        return None;
    };
    let before = faults.0.len();
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let pattern = item.as_str().map(str::parse::<EventPattern>);
        let reason = match pattern {
            Some(Ok(pattern)) if !pattern.matches_any_known() => "matches no event of the catalogue",
            Some(Ok(pattern)) if !seen.insert(pattern.as_str().to_owned()) => "is listed twice",
            Some(Ok(_)) => continue,
            _ => "must be an event type, or the beginning of one and .* as in payment.request.*",
        };
        faults.0.push(FieldFault::new(format!("event_types[{index}]"), reason));
    }
    let texts = || items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    (faults.0.len() == before).then(texts)
}

fn read_status(value: &Value) -> Result<WebhookStatus, String> {
    let status = value.as_str().map(WebhookStatus::from).filter(WebhookStatus::is_known);
    status.ok_or_else(|| format!("must be one of {}", WebhookStatus::KNOWN_TEXTS.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({"url": "https://hooks.psp.example/k", "event_types": ["payment.*", "settlement.report.created"],
            "event_version": "v2", "signing_key_id": "krn:partner:global:notification:signing-key:1"})
    }

    fn parameters(body: &Value, local: bool) -> Vec<String> {
        let faults = WebhookDraft::read(body, None, local).err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.parameter).collect()
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let bad = json!({"url": "http://x.example", "event_types": ["payment.*", "*", "nothing.known", 3, "payment.*"],
            "event_version": "v9", "signing_key_id": 7, "status": "SLEEPING"});
        let expected = [
            "url",
            "event_types[1]",
            "event_types[2]",
            "event_types[3]",
            "event_types[4]",
            "event_version",
            "signing_key_id",
            "status",
        ];
        assert_eq!(parameters(&bad, false), expected);
        assert_eq!(parameters(&json!({}), false), ["url", "event_types", "event_version", "signing_key_id"]);
        assert_eq!(parameters(&json!([]), false), [""]);
    }

    #[test]
    fn only_https_on_two_ports_unless_local() {
        let cases = [
            ("https://h.example/k", true, true),
            ("https://h.example:8443/k", true, true),
            ("https://h.example:443/k", true, true),
            ("https://h.example:9443/k", false, true),
            ("http://h.example/k", false, true),
            ("http://127.0.0.1:4567/k", false, true),
            ("https://user:pw@h.example/k", false, false),
            ("https://h.example/k#part", false, false),
            ("ftp://h.example/k", false, false),
            ("/k", false, false),
            ("https://", false, false),
            ("https://h.example/a\0b", false, false),
            ("https://h.example/a\nb", false, false),
            (" https://h.example/a", false, false),
            ("https://h.example/a b", false, false),
        ];
        for (url, strict, local) in cases {
            let mut body = good();
            body["url"] = json!(url);
            assert_eq!(parameters(&body, false).is_empty(), strict, "{url}");
            assert_eq!(parameters(&body, true).is_empty(), local, "{url} locally");
        }
    }

    #[test]
    fn a_patch_keeps_what_it_does_not_name_and_the_same_subscription_is_found_in_any_order() {
        let before = WebhookDraft::read(&good(), None, false).unwrap();
        let patch = json!({"status": "DISABLED", "url": null});
        let after = WebhookDraft::read(&patch, Some(&before), false).unwrap();
        assert_eq!(after, WebhookDraft { status: WebhookStatus::Disabled, ..before.clone() });
        let mut turned = after.clone();
        turned.event_types.reverse();
        assert!(before.is_same_subscription(&turned));
        turned.event_version = EventVersion::V1;
        assert!(!before.is_same_subscription(&turned));
    }
}
