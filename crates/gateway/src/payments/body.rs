//! What Partners send: checked as a whole, so that a refusal names every field at fault, then turned into what Klarna is asked.
//!
//! Everything Klarna's has Klarna's name. `line_items`, `customer` and `shipping` may stand on top instead of in
//! `supplementary_purchase_data`. Tokens and data have two spellings each, and, for Partners whose systems let no new fields
//! through, a place in `metadata` (fact sheet 03 §8.4).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use kit::http::{ApiError, FieldFault};
use protocol::shape::{Http, Kind, Row, Shape, shapes};
use protocol::{check_purchase_sum, check_sum};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::customer_token::Asked;
use crate::access::field_faults;

const AMOUNT: Kind = Kind::Int { min: 1, max: i64::MAX };
const REFERENCE: Kind = Kind::Text { min: 1, max: 255 };
/// Ours: what the widest field of the network takes, and one that no other limit forbids.
const TOKEN: Kind = Kind::Matching {
    min: 1,
    max: protocol::header::SESSION_TOKEN_LENGTH_MAX,
    accepts: |text| text.bytes().all(|byte| byte.is_ascii_graphic()),
    wanted: "a token of 1 to 8192 printable ASCII characters without spaces",
};
const NETWORK_DATA: Kind = Kind::Blob { min: 1, max: 10_240 };
/// Ours.
const METADATA_ENTRIES_MAX: usize = 50;
const METADATA_KEY_MAX: usize = 40;
const METADATA_VALUE_MAX: usize = 500;

/// The spellings of the session token: newest first.
const TOKEN_NAMES: [&str; 2] = ["klarna_network_session_token", "interoperability_token"];
/// The spellings of the passthrough: newest first.
const DATA_NAMES: [&str; 2] = ["klarna_network_data", "klarna_interoperability_data"];
/// What may stand on top instead of in the purchase data.
const LIFTED: [&str; 3] = ["line_items", "customer", "shipping"];
const PURCHASE: &str = "supplementary_purchase_data";
/// Asks for a customer token.
const TOKEN_ASKED: &str = "request_customer_token";
/// Names one that is charged, by our id of it.
const TOKEN_CHARGED: &str = "customer_token_id";
/// What is settled when a payment is made.
const FIXED: [&str; 11] = [
    "currency",
    "capture",
    "return_url",
    "cancel_url",
    "app_return_url",
    "interaction_expiry",
    "payment_option_id",
    "locale",
    "country",
    TOKEN_ASKED,
    TOKEN_CHARGED,
];
/// What a payment and a change of it have in common, besides the passthrough.
const SHARED: [&str; 4] = ["amount", "reference", "metadata", PURCHASE];

/// When the money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureMode {
    /// By a call of its own.
    Manual,
    /// In full, with the authorization.
    Automatic,
}

impl CaptureMode {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "MANUAL",
            Self::Automatic => "AUTOMATIC",
        }
    }

    /// From the database.
    pub fn from_stored(text: &str) -> Self {
        if text == "AUTOMATIC" { Self::Automatic } else { Self::Manual }
    }
}

/// The passthrough under the name that the Partner used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkData {
    /// `klarna_network_data` or `klarna_interoperability_data`.
    pub name: String,
    /// Byte for byte as it came.
    pub value: String,
}

impl NetworkData {
    /// The member's name at Klarna.
    pub fn wire_name(&self) -> &'static str {
        if self.name == DATA_NAMES[1] { "interoperability_data" } else { "klarna_network_data" }
    }
}

/// A checked `POST /v1/payments`.
#[derive(Clone, Debug)]
pub struct CreatePayment {
    /// Minor units, positive.
    pub amount: i64,
    /// ISO 4217, upper case.
    pub currency: String,
    pub reference: Option<String>,
    pub capture: CaptureMode,
    /// Where the customer comes back to, at the Partner.
    pub return_url: Option<String>,
    /// Where to instead, if the payment did not come about.
    pub cancel_url: Option<String>,
    pub app_return_url: Option<String>,
    /// As it came; checked.
    pub interaction_expiry: Option<Value>,
    pub payment_option_id: Option<String>,
    pub locale: Option<String>,
    pub country: Option<String>,
    /// Without what was taken out of it.
    pub metadata: BTreeMap<String, String>,
    pub session_token: Option<SecretString>,
    pub request_customer_token: Option<Asked>,
    pub customer_token_id: Option<String>,
    pub network_data: Option<NetworkData>,
    /// Whole, unknown members included; lifted members merged in.
    pub purchase: Map<String, Value>,
}

/// A checked `POST …/captures` or `POST …/refunds`.
#[derive(Clone, Debug)]
pub struct MoveMoney {
    /// Minor units; `None` for all that is left.
    pub amount: Option<i64>,
    pub reference: Option<String>,
    /// Of a refund.
    pub capture_id: Option<String>,
    /// Of a capture: give up what it leaves.
    pub release_remaining: bool,
    /// `supplementary_capture_data` or `supplementary_refund_data`, with lifted line items and shipments.
    pub data: Map<String, Value>,
    pub network_data: Option<NetworkData>,
    /// Where the Partner wrote the line items.
    line_items_place: String,
}

/// A checked `PATCH /v1/payments/{id}`.
#[derive(Clone, Debug)]
pub struct UpdatePayment {
    pub amount: Option<i64>,
    pub reference: Option<String>,
    pub metadata: Option<BTreeMap<String, String>>,
    /// What changes in the purchase data.
    pub purchase: Map<String, Value>,
    pub network_data: Option<NetworkData>,
}

impl UpdatePayment {
    /// Whether Klarna has to hear of it; metadata is ours alone.
    pub fn concerns_klarna(&self) -> bool {
        self.amount.is_some() || self.reference.is_some() || !self.purchase.is_empty() || self.network_data.is_some()
    }
}

fn create_rows(http: Http) -> Vec<Row> {
    let mut rows = vec![
        Row::new("amount", AMOUNT).required(),
        Row::new("currency", Kind::Currency).required(),
        Row::new("reference", REFERENCE),
        Row::new("capture", Kind::OneOf(&["MANUAL", "AUTOMATIC"])),
        Row::new("return_url", Kind::Url { http }),
        Row::new("cancel_url", Kind::Url { http }),
        Row::new("app_return_url", Kind::AppUrl),
        Row::new(
            "interaction_expiry.duration",
            Kind::Duration {
                min: 15 * kit::clock::MINUTE_US,
                max: 48 * kit::clock::HOUR_US,
                wanted: "an ISO 8601 duration from 15 minutes to 48 hours, like PT45M",
            },
        ),
        Row::new("interaction_expiry.timestamp", Kind::Timestamp),
        Row::new("payment_option_id", REFERENCE),
        Row::new("locale", Kind::Locale),
        Row::new("country", Kind::Country),
    ];
    rows.push(Row::new(TOKEN_CHARGED, REFERENCE));
    rows.extend(shapes::request_customer_token_rows());
    rows.extend(token_rows());
    rows.extend(data_rows());
    rows.extend(shapes::supplementary_purchase_data_rows(PURCHASE));
    rows
}

fn token_rows() -> impl Iterator<Item = Row> {
    TOKEN_NAMES.into_iter().map(|name| Row::new(name, TOKEN).personal())
}

fn data_rows() -> impl Iterator<Item = Row> {
    DATA_NAMES.into_iter().map(|name| Row::new(name, NETWORK_DATA).personal())
}

static CREATE: LazyLock<Shape> = LazyLock::new(|| Shape::new(create_rows(Http::Never), &[]));
static CREATE_LOCAL: LazyLock<Shape> = LazyLock::new(|| Shape::new(create_rows(Http::Loopback), &[]));
static UPDATE: LazyLock<Shape> = LazyLock::new(|| {
    let mut rows = vec![Row::new("amount", AMOUNT), Row::new("reference", REFERENCE)];
    rows.extend(data_rows());
    rows.extend(shapes::supplementary_purchase_data_rows(PURCHASE));
    Shape::new(rows, &[])
});
static MOVE: LazyLock<Shape> = LazyLock::new(|| {
    let mut rows = vec![
        Row::new("amount", AMOUNT),
        Row::new("reference", REFERENCE),
        Row::new("capture_id", REFERENCE),
        Row::new("release_remaining", Kind::Bool),
    ];
    rows.extend(data_rows());
    Shape::new(rows, &[])
});

impl CreatePayment {
    /// Checks a body. `local` allows plain http to this machine in return urls.
    ///
    /// # Errors
    /// 400 `VALIDATION_ERROR` with every field at fault.
    pub fn check(body: Value, local: bool) -> Result<Self, ApiError> {
        let mut faults = Vec::new();
        let (body, lifted) = lift(body, &mut faults)?;
        let shape = if local { &*CREATE_LOCAL } else { &*CREATE };
        faults.extend(renamed(field_faults(shape.check(&body)), &lifted));
        refuse_unknown(&body, &[&SHARED, &FIXED, &TOKEN_NAMES, &DATA_NAMES], &mut faults);
        let mut metadata = check_metadata(body.get("metadata"), &mut faults);
        let session_token = agreed(&body, &mut metadata, TOKEN_NAMES, &mut faults).map(|(_, value)| value);
        let network_data = agreed(&body, &mut metadata, DATA_NAMES, &mut faults);
        for name in ["app_return_url", "cancel_url", "interaction_expiry"] {
            if present(&body, name) && !present(&body, "return_url") {
                faults.push(FieldFault::new("return_url", format!("is required with {name}")));
            }
        }
        if present(&body, TOKEN_ASKED) && present(&body, TOKEN_CHARGED) {
            faults.push(FieldFault::new(
                TOKEN_CHARGED,
                format!("cannot be combined with {TOKEN_ASKED}: a new token needs the customer"),
            ));
        }
        let both = |expiry: &Value| present(expiry, "duration") && present(expiry, "timestamp");
        if body.get("interaction_expiry").is_some_and(both) {
            faults.push(FieldFault::new("interaction_expiry", "must have duration or timestamp, not both"));
        }
        let amount = body.get("amount").and_then(Value::as_i64).filter(|amount| *amount > 0);
        if let Some(fault) = amount.and_then(|amount| check_purchase_sum(&body, amount)) {
            faults.extend(renamed(field_faults(vec![fault]), &lifted));
        }
        refuse(faults)?;
        let Value::Object(mut body) = body else { unreachable!("the shape lets only objects pass") };
        let mut text = |name: &str| match body.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let reference = text("reference");
        let currency = text("currency").unwrap_or_default().to_ascii_uppercase();
        let capture = text("capture").map_or(CaptureMode::Manual, |mode| CaptureMode::from_stored(&mode));
        let (return_url, cancel_url, app_return_url) = (text("return_url"), text("cancel_url"), text("app_return_url"));
        let (payment_option_id, locale, country) = (text("payment_option_id"), text("locale"), text("country"));
        let customer_token_id = text(TOKEN_CHARGED);
        let request_customer_token = body
            .remove(TOKEN_ASKED)
            .filter(|asked| !asked.is_null())
            .and_then(|asked| serde_json::from_value(asked).ok());
        let mut purchase = object(body.remove(PURCHASE));
        if let (None, Some(reference)) = (purchase.get("purchase_reference"), &reference) {
            purchase.insert("purchase_reference".to_owned(), Value::String(reference.clone()));
        }
        Ok(Self {
            amount: amount.unwrap_or_default(),
            currency,
            reference,
            capture,
            return_url,
            cancel_url,
            app_return_url,
            interaction_expiry: body.remove("interaction_expiry").filter(|expiry| !expiry.is_null()),
            payment_option_id,
            locale,
            country,
            metadata,
            session_token: session_token.map(Into::into),
            request_customer_token,
            customer_token_id,
            network_data: network_data.map(|(name, value)| NetworkData { name: name.to_owned(), value }),
            purchase,
        })
    }
}

impl UpdatePayment {
    /// Checks a body.
    ///
    /// # Errors
    /// 400 `VALIDATION_ERROR` with every field at fault.
    pub fn check(body: Value) -> Result<Self, ApiError> {
        let mut faults = Vec::new();
        let (body, lifted) = lift(body, &mut faults)?;
        faults.extend(renamed(field_faults(UPDATE.check(&body)), &lifted));
        let sent_metadata = present(&body, "metadata");
        let mut metadata = check_metadata(body.get("metadata"), &mut faults);
        let network_data = agreed(&body, &mut metadata, DATA_NAMES, &mut faults);
        // A token authorizes; here it would do nothing, and must not stay among what is shown.
        metadata.retain(|name, _| !TOKEN_NAMES.contains(&name.as_str()));
        for name in FIXED.iter().chain(&TOKEN_NAMES).filter(|name| present(&body, name)) {
            faults.push(FieldFault::new(*name, "cannot be changed; make a new payment"));
        }
        refuse_unknown(&body, &[&SHARED, &FIXED, &TOKEN_NAMES, &DATA_NAMES], &mut faults);
        let amount = body.get("amount").and_then(Value::as_i64).filter(|amount| *amount > 0);
        if let Some(fault) = amount.and_then(|amount| check_purchase_sum(&body, amount)) {
            faults.extend(renamed(field_faults(vec![fault]), &lifted));
        }
        refuse(faults)?;
        let reference = body.get("reference").and_then(Value::as_str).map(str::to_owned);
        let Value::Object(mut body) = body else { unreachable!("the shape lets only objects pass") };
        let mut purchase = object(body.remove(PURCHASE));
        if let (None, Some(reference)) = (purchase.get("purchase_reference"), &reference) {
            purchase.insert("purchase_reference".to_owned(), Value::String(reference.clone()));
        }
        let update = Self {
            amount,
            reference,
            metadata: sent_metadata.then_some(metadata),
            purchase,
            network_data: network_data.map(|(name, value)| NetworkData { name: name.to_owned(), value }),
        };
        if !update.concerns_klarna() && update.metadata.is_none() {
            return Err(ApiError::validation(vec![FieldFault::new(
                "body",
                "must change something: amount, reference, metadata, line_items, customer, shipping or supplementary_purchase_data",
            )]));
        }
        Ok(update)
    }
}

impl MoveMoney {
    /// Checks the body of a capture.
    ///
    /// # Errors
    /// 400 `VALIDATION_ERROR` with every field at fault.
    pub fn check_capture(body: Value) -> Result<Self, ApiError> {
        Self::check(
            body,
            "supplementary_capture_data",
            shapes::capture(),
            &["line_items", "shipments"],
            &["capture_id"],
        )
    }

    /// Checks the body of a refund.
    ///
    /// # Errors
    /// 400 `VALIDATION_ERROR` with every field at fault.
    pub fn check_refund(body: Value) -> Result<Self, ApiError> {
        Self::check(body, "supplementary_refund_data", shapes::refund(), &["line_items"], &["release_remaining"])
    }

    fn check(
        body: Value,
        member: &'static str,
        data_shape: &Shape,
        lifted_names: &[&'static str],
        foreign: &[&'static str],
    ) -> Result<Self, ApiError> {
        let mut faults = Vec::new();
        let (body, lifted) = lift_into(body, member, lifted_names, &mut faults)?;
        faults.extend(field_faults(MOVE.check(&body)));
        for name in foreign.iter().filter(|name| present(&body, name)) {
            faults.push(FieldFault::new(*name, "does not belong to this operation"));
        }
        // A misspelt amount would otherwise move all that is left.
        let own = ["amount", "reference", "capture_id", "release_remaining", member];
        refuse_unknown(&body, &[&own, &DATA_NAMES], &mut faults);
        // Klarna's own table for what has Klarna's shape.
        let theirs =
            Value::Object(body.get(member).map(|data| (member.to_owned(), data.clone())).into_iter().collect());
        faults.extend(renamed(field_faults(data_shape.check(&theirs)), &lifted));
        let network_data = agreed(&body, &mut BTreeMap::new(), DATA_NAMES, &mut faults);
        let amount = body.get("amount").and_then(Value::as_i64).filter(|amount| *amount > 0);
        let lines = body.get(member).and_then(|data| data.get("line_items"));
        if let Some(fault) = amount.and_then(|amount| check_sum(lines, amount, &format!("{member}.line_items"))) {
            faults.extend(renamed(field_faults(vec![fault]), &lifted));
        }
        refuse(faults)?;
        let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            amount,
            reference: text("reference"),
            capture_id: text("capture_id"),
            release_remaining: body.get("release_remaining").and_then(Value::as_bool).unwrap_or(false),
            data: object(body.get(member).cloned()),
            network_data: network_data.map(|(name, value)| NetworkData { name: name.to_owned(), value }),
            line_items_place: lifted.place_of("line_items"),
        })
    }

    /// Whether the line items add up to the amount that was decided on, which need not have been named.
    ///
    /// # Errors
    /// 400 `VALIDATION_ERROR` naming the line items.
    pub fn check_lines(&self, amount: i64) -> Result<(), ApiError> {
        let fault = check_sum(self.data.get("line_items"), amount, &self.line_items_place);
        refuse(field_faults(fault.into_iter().collect()))
    }
}

/// Checks the body of an operation that takes the whole payment: there is nothing to say, and what is said must not go unheard.
///
/// # Errors
/// 400 `VALIDATION_ERROR` naming every member.
pub fn check_empty(body: &Value) -> Result<(), ApiError> {
    if !body.is_object() {
        return Err(ApiError::validation(vec![FieldFault::new("body", "must be a JSON object, or absent")]));
    }
    let mut faults = Vec::new();
    refuse_unknown(body, &[], &mut faults);
    refuse(faults)
}

/// Moves what stands on top into the purchase data; which those were.
fn lift(body: Value, faults: &mut Vec<FieldFault>) -> Result<(Value, Lifted), ApiError> {
    lift_into(body, PURCHASE, &LIFTED, faults)
}

/// Names that were moved, and where to.
struct Lifted {
    member: &'static str,
    names: Vec<&'static str>,
}

impl Lifted {
    /// Where the Partner wrote a member.
    fn place_of(&self, name: &'static str) -> String {
        if self.names.contains(&name) { name.to_owned() } else { format!("{}.{name}", self.member) }
    }
}

fn lift_into(
    body: Value,
    member: &'static str,
    names: &[&'static str],
    faults: &mut Vec<FieldFault>,
) -> Result<(Value, Lifted), ApiError> {
    let Value::Object(mut body) = body else {
        return Err(ApiError::validation(vec![FieldFault::new("body", "must be a JSON object")]));
    };
    let mut lifted = Lifted { member, names: Vec::new() };
    if body.get(member).is_some_and(|inner| !inner.is_null() && !inner.is_object()) {
        faults.push(FieldFault::new(member, "must be an object"));
        // What stands beside it is checked all the same.
        body.remove(member);
    }
    for name in names {
        let Some(value) = body.remove(*name).filter(|value| !value.is_null()) else { continue };
        let inner = body.entry(member).or_insert_with(|| Value::Object(Map::new()));
        if inner.is_null() {
            *inner = Value::Object(Map::new());
        }
        let Value::Object(inner) = inner else { continue };
        if inner.get(*name).is_some_and(|value| !value.is_null()) {
            let reason = format!("stands here and in {member}: send it once");
            faults.push(FieldFault::new(*name, reason));
            continue;
        }
        inner.insert((*name).to_owned(), value);
        lifted.names.push(name);
    }
    Ok((Value::Object(body), lifted))
}

/// Names faults in what was lifted by the place where the Partner wrote it.
fn renamed(mut faults: Vec<FieldFault>, lifted: &Lifted) -> Vec<FieldFault> {
    for fault in &mut faults {
        let inner = fault.parameter.strip_prefix(lifted.member).and_then(|rest| rest.strip_prefix('.'));
        let Some(inner) = inner else { continue };
        let first = inner.split(['.', '[']).next().unwrap_or_default();
        if lifted.names.contains(&first) {
            fault.parameter = inner.to_owned();
        }
    }
    faults
}

fn check_metadata(metadata: Option<&Value>, faults: &mut Vec<FieldFault>) -> BTreeMap<String, String> {
    let mut checked = BTreeMap::new();
    let entries = match metadata {
        None | Some(Value::Null) => return checked,
        Some(Value::Object(entries)) => entries,
        Some(_) => {
            faults.push(FieldFault::new("metadata", "must be an object of texts"));
            return checked;
        }
    };
    if entries.len() > METADATA_ENTRIES_MAX {
        faults.push(FieldFault::new("metadata", format!("must have at most {METADATA_ENTRIES_MAX} entries")));
        return checked;
    }
    for (key, value) in entries {
        let shown: String = key.chars().take(METADATA_KEY_MAX).collect();
        let parameter = format!("metadata.{shown}");
        if !(1..=METADATA_KEY_MAX).contains(&key.chars().count()) {
            faults
                .push(FieldFault::new(parameter, format!("names of entries have 1 to {METADATA_KEY_MAX} characters")));
            continue;
        }
        let Value::String(text) = value else {
            faults.push(FieldFault::new(parameter, "must be a text"));
            continue;
        };
        let is_token = TOKEN_NAMES.contains(&key.as_str());
        let is_data = DATA_NAMES.contains(&key.as_str());
        let max = match (is_token, is_data) {
            (true, _) => protocol::header::SESSION_TOKEN_LENGTH_MAX,
            (_, true) => 10_240,
            _ => METADATA_VALUE_MAX,
        };
        let length = text.chars().count();
        if length > max || (length == 0 && (is_token || is_data)) {
            faults.push(FieldFault::new(parameter, format!("must have at most {max} characters, had {length}")));
        } else if is_token && !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            faults.push(FieldFault::new(parameter, "must be a token of printable ASCII characters without spaces"));
        } else {
            checked.insert(key.clone(), text.clone());
        }
    }
    checked
}

/// The one value among its spellings, in the body or in the metadata, from which it is taken out. Differing values are a fault of
/// each place.
fn agreed(
    body: &Value,
    metadata: &mut BTreeMap<String, String>,
    names: [&'static str; 2],
    faults: &mut Vec<FieldFault>,
) -> Option<(&'static str, String)> {
    let mut found: Vec<(String, &'static str, String)> = Vec::new();
    for name in names {
        if let Some(Value::String(text)) = body.get(name) {
            found.push((name.to_owned(), name, text.clone()));
        }
    }
    for name in names {
        if let Some(text) = metadata.remove(name) {
            found.push((format!("metadata.{name}"), name, text));
        }
    }
    let (_, name, value) = found.first()?.clone();
    if found.iter().any(|(_, _, other)| *other != value) {
        for (place, _, _) in &found {
            faults.push(FieldFault::new(place.clone(), "differs from what another spelling of it says: send it once"));
        }
    }
    Some((name, value))
}

/// Names members that mean nothing here: most are misspelt, and what was meant would silently not happen. Ours.
/// Names every member that is none of `known`.
pub(crate) fn refuse_unknown(body: &Value, known: &[&[&str]], faults: &mut Vec<FieldFault>) {
    let members = body.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, _) in members.filter(|(name, _)| !known.iter().any(|names| names.contains(&name.as_str()))) {
        let shown: String = name.chars().take(100).collect();
        faults.push(FieldFault::new(shown, "is not known here"));
    }
}

fn present(body: &Value, name: &str) -> bool {
    body.get(name).is_some_and(|value| !value.is_null())
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn refuse(faults: Vec<FieldFault>) -> Result<(), ApiError> {
    if faults.is_empty() { Ok(()) } else { Err(ApiError::validation(faults)) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    fn faults(body: Value) -> Vec<String> {
        let error = CreatePayment::check(body, false).expect_err("faults");
        assert_eq!((error.status.as_u16(), &*error.error_code), (400, "VALIDATION_ERROR"));
        error.validation_errors.iter().map(|fault| fault.parameter.clone()).collect()
    }

    #[test]
    fn every_faulty_field_is_named_where_the_partner_wrote_it() {
        let body = json!({
            "amount": 0, "currency": "EURO", "capture": "LATER", "return_url": "http://shop.example/", "cancel_url": 5,
            "locale": "english", "reference": "", "metadata": {"a": 1, "klarna_network_session_token": "with space"},
            "line_items": [{"name": "Mug", "quantity": "two", "total_amount": 1.5}],
            "supplementary_purchase_data": {"customer": {"email": "nobody"}},
            "klarna_network_data": "x", "klarna_interoperability_data": "y",
        });
        let mut named = faults(body);
        named.sort();
        assert_eq!(
            named,
            [
                "amount",
                "cancel_url",
                "capture",
                "currency",
                "klarna_interoperability_data",
                "klarna_network_data",
                "line_items[0].quantity",
                "line_items[0].total_amount",
                "locale",
                "metadata.a",
                "metadata.klarna_network_session_token",
                "reference",
                "return_url",
                "supplementary_purchase_data.customer.email",
            ]
        );
    }

    #[test]
    fn amounts_are_integers_of_64_bits_above_zero() {
        for amount in [json!(-1), json!(0), json!(1.5), json!("100"), json!(9_223_372_036_854_775_808_u64), json!(1e30)]
        {
            assert_eq!(faults(json!({"amount": amount, "currency": "EUR"})), ["amount"]);
        }
        assert!(CreatePayment::check(json!({"amount": i64::MAX, "currency": "eur"}), false).is_ok());
    }

    #[test]
    fn lines_have_to_add_up_and_are_named_by_their_place() {
        let lines = json!([{"name": "Mug", "quantity": 1, "total_amount": 99}]);
        assert_eq!(faults(json!({"amount": 100, "currency": "EUR", "line_items": lines})), ["line_items"]);
        let inside = json!({"amount": 100, "currency": "EUR", "supplementary_purchase_data": {"line_items": lines}});
        assert_eq!(faults(inside), ["supplementary_purchase_data.line_items"]);
        let twice = json!({"amount": 99, "currency": "EUR", "line_items": lines, "supplementary_purchase_data": {"line_items": lines}});
        assert_eq!(faults(twice), ["line_items"]);
    }

    #[test]
    fn tokens_and_data_are_taken_from_any_of_their_places_unchanged() {
        let odd = "{\"a\" :\n \"\u{e9}\"}  ";
        for (name, place) in [("klarna_network_data", false), ("klarna_interoperability_data", true)] {
            let mut body = json!({"amount": 1, "currency": "EUR", "metadata": {"order": "7"}});
            if place {
                body["metadata"][name] = json!(odd);
                body["metadata"]["interoperability_token"] = json!("tok.en");
            } else {
                body[name] = json!(odd);
                body["klarna_network_session_token"] = json!("tok.en");
            }
            let checked = CreatePayment::check(body, false).unwrap();
            assert_eq!(checked.network_data, Some(NetworkData { name: name.into(), value: odd.into() }));
            assert_eq!(checked.session_token.unwrap().expose_secret(), "tok.en");
            assert_eq!(checked.metadata.keys().collect::<Vec<_>>(), ["order"], "secrets don't stay in the metadata");
        }
        let same =
            json!({"amount": 1, "currency": "EUR", "klarna_network_session_token": "a", "interoperability_token": "a"});
        assert!(CreatePayment::check(same, false).is_ok());
        let other = json!({"amount": 1, "currency": "EUR", "klarna_network_session_token": "a", "metadata": {"interoperability_token": "b"}});
        assert_eq!(faults(other), ["klarna_network_session_token", "metadata.interoperability_token"]);
    }

    #[test]
    fn members_that_mean_nothing_are_named_and_do_not_hide_others() {
        let named = |error: ApiError| -> Vec<String> {
            error.validation_errors.iter().map(|fault| fault.parameter.clone()).collect()
        };
        let misspelt = MoveMoney::check_capture(json!({"amuont": 5, "note": null}));
        assert_eq!(named(misspelt.expect_err("an amount that is not heard")), ["amuont"]);
        assert_eq!(faults(json!({"amount": 1, "currency": "EUR", "retrun_url": "x"})), ["retrun_url"]);
        assert_eq!(named(check_empty(&json!({"amount": 5})).expect_err("no part of a void")), ["amount"]);
        assert!(check_empty(&json!({})).is_ok());
        let update = json!({"locale": "de-DE", "interoperability_token": "t", "amuont": 5});
        let update = UpdatePayment::check(update).expect_err("nothing of it can be done");
        assert_eq!(named(update), ["locale", "interoperability_token", "amuont"]);
        let body =
            json!({"amount": 1, "currency": "EUR", "supplementary_purchase_data": [], "customer": 5, "line_items": {}});
        assert_eq!(faults(body), ["supplementary_purchase_data", "customer", "line_items"]);
    }

    #[test]
    fn a_token_among_the_metadata_of_a_change_is_not_kept() {
        let body = json!({"metadata": {"order": "7", "interoperability_token": "tok.en"}});
        let metadata = UpdatePayment::check(body).unwrap().metadata.unwrap();
        assert_eq!(metadata.keys().collect::<Vec<_>>(), ["order"]);
    }

    #[test]
    fn unknown_members_of_the_purchase_data_survive() {
        let body = json!({"amount": 1, "currency": "EUR", "reference": "88",
            "supplementary_purchase_data": {"future": {"x": [1]}}, "customer": {"email": "ada@shop.example", "new": true}});
        let purchase = CreatePayment::check(body, false).unwrap().purchase;
        assert_eq!(
            Value::Object(purchase),
            json!({"future": {"x": [1]}, "customer": {"email": "ada@shop.example", "new": true}, "purchase_reference": "88"})
        );
    }

    #[test]
    fn captures_and_refunds_name_their_faults_too() {
        let named = |checked: Result<MoveMoney, ApiError>| -> Vec<String> {
            checked.expect_err("faults").validation_errors.iter().map(|fault| fault.parameter.clone()).collect()
        };
        let body = json!({"amount": -5, "reference": 3, "shipments": [{"delivery": {"tracking_url": "nowhere"}}],
            "line_items": [{"name": "", "quantity": 1, "total_amount": 1}], "capture_id": "cap_1"});
        assert_eq!(
            named(MoveMoney::check_capture(body)),
            ["amount", "reference", "capture_id", "line_items[0].name", "shipments[0].delivery.tracking_url"]
        );
        let body = json!({"amount": 5, "line_items": [{"name": "Mug", "quantity": 1, "total_amount": 4}]});
        assert_eq!(named(MoveMoney::check_refund(body)), ["line_items"]);
        let whole = MoveMoney::check_refund(json!({"line_items": [{"name": "Mug", "quantity": 1, "total_amount": 4}]}));
        let whole = whole.expect("no amount to add up to yet");
        assert!(whole.check_lines(4).is_ok());
        let wrong = whole.check_lines(5).expect_err("four is not five");
        assert_eq!(wrong.validation_errors[0].parameter, "line_items");
        assert!(MoveMoney::check_capture(json!({})).is_ok(), "no amount captures the rest");
    }
}
