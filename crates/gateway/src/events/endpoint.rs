//! A Partner's webhook endpoint: what may be registered, how it looks, how its secret is rotated.

use std::net::IpAddr;
use std::sync::LazyLock;

use kit::clock::{DAY_US, SECOND_US};
use kit::http::{ApiError, FieldFault};
use kit::outbound::address_class;
use kit::secret_box::{OpenError, SecretBox};
use protocol::shape::{Http, Kind, Row, Shape};
use serde::Serialize;
use serde_json::Value;
use url::{Host, Url};
use utoipa::ToSchema;

use super::catalogue;
use super::signature::EndpointSecret;
use super::store::EndpointRow;
use crate::access::field_faults;
use crate::sealed::ENDPOINT_SECRET;

/// Ours: endpoints of one Partner. Each event is written once per endpoint.
pub(crate) const ENDPOINTS_MAX: i64 = 20;
/// How long an old secret goes on signing unless the Partner says otherwise, in seconds.
pub(crate) const OVERLAP_SECONDS_DEFAULT: i64 = DAY_US / SECOND_US;
/// And at most, in seconds.
pub(crate) const OVERLAP_SECONDS_MAX: i64 = 7 * OVERLAP_SECONDS_DEFAULT;

const EVENT_TYPES_MAX: usize = 50;
const DESCRIPTION_MAX: usize = 255;

/// An endpoint as its Partner sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookEndpoint {
    /// `we_…`.
    pub id: String,
    /// Where events are sent.
    pub url: String,
    /// Names, beginnings like `payment.*`, or `*`.
    pub event_types: Vec<String>,
    /// Your own words.
    pub description: Option<String>,
    /// Whether events are sent. What happens while an endpoint is disabled is not sent later; read it from `/v1/events`.
    pub enabled: bool,
    /// The signing secret, `whsec_…`: only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Until when the secret before the last rotation signs as well.
    pub previous_secret_expires_at: Option<String>,
    /// When the endpoint was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// All endpoints of a Partner.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookEndpoints {
    /// Newest first.
    pub webhook_endpoints: Vec<WebhookEndpoint>,
}

/// A new endpoint.
#[derive(Clone, Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is checked by its shape")]
pub struct CreateWebhookEndpoint {
    /// Absolute https url that takes POST.
    #[schema(max_length = 2048, example = "https://shop.example/hooks/kontor")]
    pub url: String,
    /// Names of events, beginnings like `payment.*`, or `*` for all.
    #[schema(min_items = 1, max_items = 50, example = json!(["payment.*"]))]
    pub event_types: Vec<String>,
    /// Your own words.
    #[schema(max_length = 255)]
    pub description: Option<String>,
    /// Default true.
    pub enabled: Option<bool>,
}

/// Changes to an endpoint; absent members stay as they are.
#[derive(Clone, Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is checked by its shape")]
pub struct PatchWebhookEndpoint {
    /// Absolute https url that takes POST.
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    /// Names of events, beginnings like `payment.*`, or `*` for all.
    #[schema(min_items = 1, max_items = 50)]
    pub event_types: Option<Vec<String>>,
    /// Your own words; null removes them.
    #[schema(max_length = 255)]
    pub description: Option<String>,
    /// Whether events are sent.
    pub enabled: Option<bool>,
}

/// How a secret is rotated.
#[derive(Clone, Debug, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is checked by its shape")]
pub struct RotateSecret {
    /// How long the old secret goes on signing beside the new one. Default 86400; 0 ends it at once.
    #[schema(minimum = 0, maximum = 604_800)]
    pub overlap_seconds: Option<i64>,
}

fn rows(create: bool) -> Vec<Row> {
    let must = |row: Row| if create { row.required() } else { row };
    vec![
        must(Row::new("url", Kind::Url { http: Http::Always })),
        must(Row::new("event_types", Kind::Array { min: 1, max: EVENT_TYPES_MAX })),
        Row::new(
            "event_types[]",
            Kind::Matching {
                min: 1,
                max: 100,
                accepts: catalogue::is_pattern,
                wanted: "the name of an event, the beginning of one and .* as in payment.*, or *",
            },
        ),
        Row::new("description", Kind::Text { min: 0, max: DESCRIPTION_MAX }),
        Row::new("enabled", Kind::Bool),
    ]
}

static CREATE: LazyLock<Shape> = LazyLock::new(|| Shape::new(rows(true), &[]));
static PATCH: LazyLock<Shape> = LazyLock::new(|| Shape::new(rows(false), &[]));
static ROTATE: LazyLock<Shape> =
    LazyLock::new(|| Shape::new([Row::new("overlap_seconds", Kind::Int { min: 0, max: OVERLAP_SECONDS_MAX })], &[]));

/// What a body asks for; `None` leaves as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub url: Option<String>,
    pub event_types: Option<Vec<String>>,
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
}

/// Reads the body of a create (`url` and `event_types` are there) or of a patch.
///
/// # Errors
/// 400 with every fault.
pub(crate) fn wanted(body: &Value, create: bool, local_targets: bool) -> Result<Wanted, ApiError> {
    let shape: &Shape = if create { &CREATE } else { &PATCH };
    let mut faults = field_faults(shape.check(body));
    if !faults.iter().any(|fault| fault.parameter == "url")
        && let Some(reason) = body["url"].as_str().and_then(|url| refused_url(url, local_targets))
    {
        faults.insert(0, FieldFault::new("url", reason));
    }
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut event_types: Option<Vec<String>> =
        body["event_types"].as_array().map(|list| list.iter().filter_map(text).collect());
    if let Some(list) = &mut event_types {
        list.sort_unstable();
        list.dedup();
    }
    let description = body.get("description").map(|value| text(value).filter(|text| !text.is_empty()));
    Ok(Wanted { url: text(&body["url"]), event_types, description, enabled: body["enabled"].as_bool() })
}

/// Reads `overlap_seconds`.
///
/// # Errors
/// 400 with every fault.
pub(crate) fn overlap_us(body: Option<&Value>) -> Result<i64, ApiError> {
    let Some(body) = body else { return Ok(OVERLAP_SECONDS_DEFAULT * SECOND_US) };
    let faults = field_faults(ROTATE.check(body));
    if !faults.is_empty() {
        return Err(ApiError::validation(faults));
    }
    Ok(body["overlap_seconds"].as_i64().unwrap_or(OVERLAP_SECONDS_DEFAULT) * SECOND_US)
}

/// Why a url cannot be an endpoint's. Names are judged again, by their addresses, at every delivery.
fn refused_url(text: &str, local_targets: bool) -> Option<String> {
    // The URL standard's parser turns every disguise of an address (decimal, octal, hex, short forms) into the address.
    let Ok(url) = Url::parse(text) else { return Some("must be an absolute https url".to_owned()) };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not contain credentials: the signature tells who sends".to_owned());
    }
    if local_targets {
        return None;
    }
    if url.scheme() != "https" {
        return Some("must be an absolute https url".to_owned());
    }
    let address: IpAddr = match url.host()? {
        Host::Ipv4(address) => address.into(),
        Host::Ipv6(address) => address.into(),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
            return local.then(|| "must be reachable from the internet, and localhost is not".to_owned());
        }
    };
    let class = address_class(address)?;
    Some(format!("must be reachable from the internet, and {address} is a {class} address"))
}

/// The patterns of a stored endpoint.
pub(crate) fn patterns(stored: &str) -> Vec<String> {
    serde_json::from_str(stored).unwrap_or_default()
}

/// How patterns are stored.
pub(crate) fn stored_patterns(patterns: &[String]) -> String {
    serde_json::to_string(patterns).expect("texts always serialize")
}

impl WebhookEndpoint {
    /// Without its secret.
    pub(crate) fn of(row: &EndpointRow, now: i64) -> Self {
        Self {
            id: row.endpoint_id.clone(),
            url: row.url.clone(),
            event_types: patterns(&row.event_types),
            description: row.description.clone(),
            enabled: row.enabled,
            secret: None,
            previous_secret_expires_at: row.previous_secret_until.filter(|until| *until > now).map(super::wire_time),
            created_at: super::wire_time(row.created_at),
            updated_at: super::wire_time(row.updated_at),
        }
    }

    /// With the secret, once.
    pub(crate) fn showing(mut self, secret: &EndpointSecret) -> Self {
        self.secret = Some(secret.expose().to_owned());
        self
    }
}

/// Seals a secret for its row.
pub(crate) fn seal(secrets: &SecretBox, partner_id: &str, endpoint_id: &str, secret: &EndpointSecret) -> Vec<u8> {
    secrets.seal(ENDPOINT_SECRET.place(&[partner_id, endpoint_id]), secret.expose().as_bytes())
}

/// Opens the secrets that sign at `now`, the newest first.
///
/// # Errors
/// [`OpenError`]: the key is gone or the row was tampered with.
pub(crate) fn signing(
    secrets: &SecretBox,
    partner_id: &str,
    row: &EndpointRow,
    now: i64,
) -> Result<Vec<EndpointSecret>, OpenError> {
    // Both columns of a row share a place: a rotation moves the sealed bytes from one to the other.
    let place = ENDPOINT_SECRET.place(&[partner_id, &row.endpoint_id]);
    let previous = row.previous_secret.as_ref().filter(|_| row.previous_secret_until.is_some_and(|until| until > now));
    let mut opened = Vec::with_capacity(2);
    for sealed in [Some(&row.secret), previous].into_iter().flatten() {
        let text = secrets.open(place.clone(), sealed)?;
        let secret = std::str::from_utf8(&text).ok().and_then(|text| EndpointSecret::parse(text).ok());
        opened.push(secret.ok_or(OpenError::Tampered)?);
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_of_a_body_is_named_at_once() {
        let body =
            json!({"url": "ftp://x", "event_types": ["payment.*", "pay*", 7], "description": 1, "enabled": "yes"});
        let error = wanted(&body, true, false).unwrap_err();
        let named: Vec<_> = error.validation_errors.iter().map(|fault| fault.parameter.as_str()).collect();
        assert_eq!(named, ["url", "event_types[1]", "event_types[2]", "description", "enabled"]);
        let error = wanted(&json!({}), true, false).unwrap_err();
        let named: Vec<_> = error.validation_errors.iter().map(|fault| fault.parameter.as_str()).collect();
        assert_eq!(named, ["url", "event_types"]);
        let empty = wanted(&json!({}), false, false).unwrap();
        assert_eq!(empty, Wanted { url: None, event_types: None, description: None, enabled: None });
        let cleared = wanted(&json!({"description": null}), false, false).unwrap();
        assert_eq!(cleared.description, Some(None));
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_in_every_disguise_unless_allowed() {
        let private = [
            "https://127.0.0.1/h",
            "https://2130706433/h",
            "https://0x7f.1/h",
            "https://0177.0.0.1/h",
            "https://[::1]/h",
            "https://[::ffff:10.0.0.1]/h",
            "https://[64:ff9b::10.0.0.1]/h",
            "https://169.254.169.254/latest",
            "https://192.168.1.4:8443/h",
            "https://localhost/h",
            "https://api.localhost./h",
            "http://shop.example/h",
            "https://user:pass@shop.example/h",
        ];
        for url in private {
            assert!(refused_url(url, false).is_some(), "{url}");
        }
        assert_eq!(refused_url("https://shop.example/h", false), None);
        assert_eq!(refused_url("http://127.0.0.1:4020/h", true), None);
        assert!(refused_url("http://a:b@127.0.0.1/h", true).is_some());
    }
}
