//! What the request log must not hold: keys, tokens, codes. Everything else stays as it was sent, byte for byte.

use http::HeaderMap;
use serde_json::Value;

/// Stands where a secret stood.
pub(crate) const MASK: &str = "•••";

/// Names that end so, without `_` and `-` and in lower case, hold secrets.
const SECRET_ENDINGS: [&str; 10] =
    ["token", "secret", "password", "privatekey", "apikey", "signingkey", "onetimecode", "otp", "jwt", "privatekeypem"];
/// Headers that prove who calls.
const SECRET_HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// Texts that give themselves away, wherever they stand.
const SECRET_BEGINNINGS: [&str; 3] = ["klarna_test_api_", "klarna_live_api_", "eyJ"];

fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    SECRET_ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

fn is_secret_text(text: &str) -> bool {
    SECRET_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        || text.contains(":eyJ")
        || text.contains("PRIVATE KEY-----")
}

/// The headers in their order, secrets masked.
pub(crate) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        let text = String::from_utf8_lossy(value.as_bytes()).replace('\0', "\u{fffd}");
        let masked = if SECRET_HEADERS.contains(&name.as_str()) {
            // The scheme is no secret, and often what is wrong.
            match text.split_once(' ') {
                Some((scheme, _)) if name.as_str().ends_with("authorization") => format!("{scheme} {MASK}"),
                _ => MASK.to_owned(),
            }
        } else if is_secret_name(name.as_str()) || is_secret_text(&text) {
            MASK.to_owned()
        } else {
            address(&text)
        };
        (name.as_str().to_owned(), masked)
    };
    headers.iter().map(shown).collect()
}

/// A query, or a form: `name=value` pairs.
pub(crate) fn query(text: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if is_secret_name(name) || is_secret_text(value) => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    text.split('&').map(pair).collect::<Vec<_>>().join("&")
}

/// An address with a secret in its query.
fn address(text: &str) -> String {
    match text.split_once('?') {
        Some((path, rest)) if text.contains("://") || text.starts_with('/') => format!("{path}?{}", query(rest)),
        _ => text.to_owned(),
    }
}

/// A body. JSON keeps its layout, faults and all; it need not be whole, so that one that was clipped shows no more than another.
pub(crate) fn body(text: &str) -> String {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return if text.contains('=') { query(text) } else { text.to_owned() };
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Whether a text that comes now is the value of a secret name; ends with the value.
    let mut secret = false;
    while let Some(at) = rest.find(['"', ',', '}', '[', '{']) {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        if !found.starts_with('"') {
            // A list below a secret name holds secrets, an object below one names them itself.
            secret = secret && found.starts_with(['[', ',']) && !out.trim_end().ends_with('}');
            if found.starts_with('{') || found.starts_with('}') {
                secret = false;
            }
            out.push_str(&found[..1]);
            rest = &found[1..];
            if before.contains(']') {
                secret = false;
            }
            continue;
        }
        if before.contains(']') {
            secret = false;
        }
        let (literal, after) = split_literal(found);
        let is_name = after.trim_start().starts_with(':');
        let value = serde_json::from_str::<String>(literal).ok();
        if is_name {
            out.push_str(literal);
            secret = value.as_deref().is_some_and(is_secret_name);
        } else {
            let shown = value.as_deref().unwrap_or(literal.trim_start_matches('"'));
            let masked = if secret || is_secret_text(shown) { MASK.to_owned() } else { address(shown) };
            if masked == shown {
                out.push_str(literal);
            } else {
                out.push_str(&Value::String(masked).to_string());
            }
            secret = secret && in_list(&out);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether the innermost bracket that is still open is that of a list.
fn in_list(out: &str) -> bool {
    let mut depth = 0_usize;
    for c in out.chars().rev() {
        match c {
            ']' | '}' => depth += 1,
            '[' if depth == 0 => return true,
            '{' if depth == 0 => return false,
            '[' | '{' => depth -= 1,
            _ => {}
        }
    }
    false
}

/// A JSON text with its quotes, up to its end or the end of what there is.
fn split_literal(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.split_at(at + 1),
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_layout_and_loses_its_secrets() {
        let body_text = r#"{
  "api_key" : "klarna_test_api_abc",   "signing_key_id": "krn:1",
  "signing_key":"abc\"def", "list": ["a", "b"], "n": 1,
  "customer_token": ["x", "y"], "note": "z",
  "request_customer_token": {"scopes": ["payment:customer_present"]},
  "payment_request_url": "http://a/eu/requests/1/start?token=abc&x=1",
  "free": "klarna_live_api_zzz", "klarna_network_session_token": "krn:network:eu1:test:session-token:eyJhbGci"
}"#;
        let masked = body(body_text);
        assert_eq!(
            masked,
            r#"{
  "api_key" : "•••",   "signing_key_id": "krn:1",
  "signing_key":"•••", "list": ["a", "b"], "n": 1,
  "customer_token": ["•••", "•••"], "note": "z",
  "request_customer_token": {"scopes": ["payment:customer_present"]},
  "payment_request_url": "http://a/eu/requests/1/start?token=•••&x=1",
  "free": "•••", "klarna_network_session_token": "•••"
}"#
        );
    }

    #[test]
    fn a_clipped_body_shows_no_more_than_a_whole_one() {
        assert_eq!(body(r#"{"a": 1, "api_key": "klarna_test_ap"#), r#"{"a": 1, "api_key": "•••""#);
        assert_eq!(body(r#"{"\u0061pi_key": "klarna"}"#), r#"{"\u0061pi_key": "•••"}"#);
        assert_eq!(body("nonsense {"), "nonsense {");
        assert_eq!(body("token=abc&a=b"), "token=•••&a=b");
        assert_eq!(body("{\"a\" 1, \"b\": }"), "{\"a\" 1, \"b\": }");
    }

    #[test]
    fn headers_show_the_scheme_and_no_credentials() {
        let mut given = HeaderMap::new();
        given.insert("authorization", "Basic klarna_test_api_x".parse().unwrap());
        given.insert("klarna-network-session-token", "krn:x".parse().unwrap());
        given.insert("location", "/eu/requests/1/start?token=1".parse().unwrap());
        given.insert("klarna-idempotency-key", "k-1".parse().unwrap());
        let shown: Vec<String> = headers(&given).into_iter().map(|(_, value)| value).collect();
        assert_eq!(shown, ["Basic •••", MASK, "/eu/requests/1/start?token=•••", "k-1"]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(text: String) {
            body(&text);
            body(&format!("{{{text}"));
        }
    }
}
