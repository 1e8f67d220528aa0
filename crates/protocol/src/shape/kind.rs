//! What can stand in a field, and what is said when something else does.

use crate::{
    krn::{Krn, KrnKind},
    money::Currency,
    time::{Timestamp, is_date, parse_duration},
};
use serde_json::Value;
use std::net::IpAddr;

/// Ours: arrays have no documented length; a megabyte of body holds more than anybody buys.
pub(super) const ARRAY_LENGTH_MAX: usize = 1000;
/// Longest shown piece of what was sent.
const SHOWN_LENGTH_MAX: usize = 40;
const URL_LENGTH_MAX: usize = 2048;

/// Whether a URL may be plain http.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http {
    Never,
    /// Only to this machine: for development.
    Loopback,
    Always,
}

/// What can stand in a field.
#[derive(Clone, Debug)]
pub enum Kind {
    Any,
    /// Characters, without control characters.
    Text {
        min: usize,
        max: usize,
    },
    /// A text that a function accepts, and the words for what would pass.
    Matching {
        min: usize,
        max: usize,
        accepts: fn(&str) -> bool,
        wanted: &'static str,
    },
    /// A text that nobody opens: control characters are fine.
    Blob {
        min: usize,
        max: usize,
    },
    /// A serialized JSON document.
    JsonText {
        max: usize,
    },
    Int {
        min: i64,
        max: i64,
    },
    /// May have a fraction. Whole bounds are all that coordinates need.
    Number {
        min: i32,
        max: i32,
    },
    Bool,
    /// Drives behaviour: other values are refused.
    OneOf(&'static [&'static str]),
    /// Describes: other values are kept (RULINGS "Unknown values").
    Open,
    Currency,
    /// ISO 3166-1 alpha-2, either case.
    Country,
    /// ISO 8601 with a zone.
    Timestamp,
    /// Describes a time: a timestamp, a local time or a date.
    Moment,
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 8601, in microseconds from `min` to `max`; `wanted` says it in words.
    Duration {
        min: i64,
        max: i64,
        wanted: &'static str,
    },
    Url {
        http: Http,
    },
    /// Any scheme.
    AppUrl,
    /// What a webhook may be delivered to: https on 443 or 8443.
    WebhookUrl,
    Email,
    Phone,
    Locale,
    Ip,
    /// An id of a kind; unseen forms pass.
    Id(KrnKind),
    Object,
    Array {
        min: usize,
        max: usize,
    },
}

impl Kind {
    /// Why a value does not fit; `None` if it does.
    pub(super) fn fault(&self, value: &Value, personal: bool) -> Option<String> {
        if self.accepts(value) {
            return None;
        }
        let wanted = self.wanted();
        let too_long = |min: usize, max: usize| {
            value.as_str().map(|text| text.chars().count()).filter(|length| !(min..=max).contains(length))
        };
        let length = match *self {
            Self::Text { min, max } | Self::Matching { min, max, .. } | Self::Blob { min, max } => too_long(min, max),
            Self::JsonText { max } => too_long(1, max),
            _ => None,
        };
        Some(match (self, length, value) {
            (_, Some(length), _) => format!("must be {wanted}, had {length}"),
            (Self::Text { .. }, None, Value::String(_)) => "must not contain control characters".to_owned(),
            // What is larger than the largest integer arrives as a fraction, too.
            (Self::Int { min, max }, None, Value::Number(number)) if !is_within_64_bits(number) => {
                format!("must be an integer from {min} to {max}, {}", was(value, personal))
            }
            (Self::Int { .. }, None, Value::Number(number)) if number.is_f64() => {
                format!("must be {wanted}, written without fraction or exponent, {}", was(value, personal))
            }
            _ => format!("must be {wanted}, {}", was(value, personal)),
        })
    }

    fn accepts(&self, value: &Value) -> bool {
        if let Self::Any = self {
            return true;
        }
        match (self, value) {
            (Self::Int { min, max }, Value::Number(number)) => {
                number.as_i64().is_some_and(|number| (*min..=*max).contains(&number))
            }
            (Self::Number { min, max }, Value::Number(number)) => {
                // Compared only, never calculated with.
                number.as_f64().is_some_and(|number| (f64::from(*min)..=f64::from(*max)).contains(&number))
            }
            (Self::Bool, Value::Bool(_)) | (Self::Object, Value::Object(_)) => true,
            (Self::Array { min, max }, Value::Array(items)) => (*min..=*max).contains(&items.len()),
            (_, Value::String(text)) => self.accepts_text(text),
            _ => false,
        }
    }

    fn accepts_text(&self, text: &str) -> bool {
        match self {
            Self::Text { min, max } => has_length(text, *min, *max) && is_plain(text),
            Self::Matching { min, max, accepts, .. } => has_length(text, *min, *max) && accepts(text),
            Self::Blob { min, max } => has_length(text, *min, *max),
            Self::JsonText { max } => {
                has_length(text, 1, *max) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
            }
            Self::OneOf(values) => values.contains(&text),
            Self::Open => has_length(text, 1, 255) && is_plain(text),
            Self::Currency => text.parse::<Currency>().is_ok(),
            Self::Country => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
            Self::Timestamp => text.parse::<Timestamp>().is_ok(),
            Self::Moment => text.parse::<Timestamp>().is_ok() || is_local_time(text) || is_date(text),
            Self::Date => is_date(text),
            Self::Duration { min, max, .. } => parse_duration(text).is_ok_and(|micros| (*min..=*max).contains(&micros)),
            Self::Url { http } => parse_url(text).is_some_and(|url| match url.scheme() {
                "https" => true,
                "http" => match http {
                    Http::Always => true,
                    Http::Loopback => is_loopback(&url),
                    Http::Never => false,
                },
                _ => false,
            }),
            Self::AppUrl => parse_url(text).is_some_and(|url| !matches!(url.scheme(), "javascript" | "data")),
            Self::WebhookUrl => parse_url(text).is_some_and(|url| {
                url.scheme() == "https" && matches!(url.port(), None | Some(8443)) && has_no_credentials(&url)
            }),
            Self::Email => is_email(text),
            Self::Phone => is_phone(text),
            Self::Locale => is_locale(text),
            Self::Ip => text.parse::<IpAddr>().is_ok(),
            Self::Id(kind) => Krn::opaque(text).is_ok_and(|krn| krn.kind() == *kind || krn.kind() == KrnKind::Unknown),
            Self::Any => true,
            Self::Int { .. } | Self::Number { .. } | Self::Bool | Self::Object | Self::Array { .. } => false,
        }
    }

    /// What would pass, after "must be".
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Any => "present".to_owned(),
            Self::Text { min, max } | Self::Blob { min, max } => format!("a text of {min} to {max} characters"),
            Self::Matching { wanted, .. } => (*wanted).to_owned(),
            Self::JsonText { max } => format!("a serialized JSON document of 1 to {max} characters"),
            Self::Int { min, max } => match (*min, *max) {
                (i64::MIN, i64::MAX) => "an integer".to_owned(),
                (min, i64::MAX) => format!("an integer of at least {min}"),
                (min, max) => format!("an integer from {min} to {max}"),
            },
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Bool => "true or false".to_owned(),
            Self::OneOf(values) => match values {
                [only] => (*only).to_owned(),
                [init @ .., last] => format!("{} or {last}", init.join(", ")),
                [] => "absent".to_owned(),
            },
            Self::Open => "a text of 1 to 255 characters without control characters".to_owned(),
            Self::Currency => "a currency code of ISO 4217, like EUR".to_owned(),
            Self::Country => "a country code of ISO 3166-1, like SE".to_owned(),
            Self::Timestamp => "a time with a zone, like 2026-02-01T10:00:00Z".to_owned(),
            Self::Moment => "a time like 2026-02-01T10:00:00Z, or a date".to_owned(),
            Self::Date => "a date like 2026-02-01".to_owned(),
            Self::Duration { wanted, .. } => (*wanted).to_owned(),
            Self::Url { http: Http::Never } => format!("an https URL of at most {URL_LENGTH_MAX} characters"),
            Self::Url { http: Http::Loopback } => {
                format!("an https URL of at most {URL_LENGTH_MAX} characters (http only to this machine)")
            }
            Self::Url { http: Http::Always } => format!("an http or https URL of at most {URL_LENGTH_MAX} characters"),
            Self::AppUrl => format!("a URL of at most {URL_LENGTH_MAX} characters"),
            Self::WebhookUrl => format!("an https URL of at most {URL_LENGTH_MAX} characters, on port 443 or 8443"),
            Self::Email => "an e-mail address of at most 255 characters".to_owned(),
            Self::Phone => "a phone number of 1 to 99 characters, like +46700000000".to_owned(),
            Self::Locale => "a locale like en-GB".to_owned(),
            Self::Ip => "an IPv4 or IPv6 address".to_owned(),
            Self::Id(kind) => format!("the id of a {}", words(*kind)),
            Self::Object => "an object".to_owned(),
            Self::Array { min, max } => format!("an array of {min} to {max} entries"),
        }
    }
}

/// `was "abc"`, at most 40 characters of it; of personal data only the sort of value.
pub(super) fn was(value: &Value, personal: bool) -> String {
    match value {
        Value::Null => "was null".to_owned(),
        Value::Array(_) => "was an array".to_owned(),
        Value::Object(_) => "was an object".to_owned(),
        Value::Bool(_) if personal => "was a boolean".to_owned(),
        Value::Number(_) if personal => "was a number".to_owned(),
        Value::String(text) if personal => format!("was a text of {} characters", text.chars().count()),
        Value::Bool(_) | Value::Number(_) => format!("was {}", clipped(&value.to_string())),
        Value::String(text) => {
            let start: String = text.chars().take(SHOWN_LENGTH_MAX).collect();
            format!("was {}", clipped(&format!("{start:?}")))
        }
    }
}

/// Whether a number lies where an `i64` can.
fn is_within_64_bits(number: &serde_json::Number) -> bool {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    // Compared only, never calculated with.
    number.is_i64() || number.as_f64().is_some_and(|number| (-BEYOND..BEYOND).contains(&number))
}

fn clipped(text: &str) -> String {
    if text.chars().count() <= SHOWN_LENGTH_MAX {
        return text.to_owned();
    }
    text.chars().take(SHOWN_LENGTH_MAX - 1).chain(['…']).collect()
}

fn words(kind: KrnKind) -> String {
    let mut words = String::new();
    for character in format!("{kind:?}").chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

fn has_length(text: &str, min: usize, max: usize) -> bool {
    // Bytes bound characters from above and (by a factor of four) from below: most texts need no counting.
    let bytes = text.len();
    bytes >= min && bytes <= max.saturating_mul(4) && {
        (bytes <= max && bytes >= min.saturating_mul(4)) || (min..=max).contains(&text.chars().count())
    }
}

/// Without control characters and line separators (sheet 01 §8.1).
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(|character| character.is_control() || matches!(character, '\u{2028}' | '\u{2029}'))
}

fn is_local_time(text: &str) -> bool {
    text.len() >= 16 && text.is_ascii() && text.parse::<jiff::civil::DateTime>().is_ok()
}

fn parse_url(text: &str) -> Option<url::Url> {
    if text.len() > URL_LENGTH_MAX || !is_plain(text) || text.starts_with(' ') || text.ends_with(' ') {
        return None;
    }
    url::Url::parse(text).ok()
}

fn has_no_credentials(url: &url::Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Ours: no rule is published. One `@` with something on both sides, no spaces; whether it exists, only a letter can tell.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.len() <= 255
        && !local.is_empty()
        && !domain.is_empty()
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && is_plain(text)
        && !text.contains(char::is_whitespace)
        && !local.contains('@')
}

/// `^(?=.*\d)[+\d\s().-]{1,99}$` (sheet 03 §7.2).
fn is_phone(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b' ' | b'(' | b')' | b'.' | b'-');
    (1..=99).contains(&text.len()) && text.bytes().all(allowed) && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// RFC 5646, language and country (sheet 01 §8.1).
fn is_locale(text: &str) -> bool {
    let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphabetic());
    text.split_once('-').is_some_and(|(language, country)| {
        matches!(language.len(), 2 | 3) && letters(language) && country.len() == 2 && letters(country)
    })
}
