//! What a client asks for when it sends a person here, judged (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1.2). Pure.

use std::collections::BTreeMap;

use protocol::Market;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::scope;
use crate::credentials::client_identifier::ClientIdentifier;

/// Longest values that are carried, in characters. Ours.
const STATE_CHARS_MAX: usize = 2_048;
const URI_CHARS_MAX: usize = 2_048;
/// Of `code_challenge`: what base64url makes of a SHA-256.
const CHALLENGE_CHARS: usize = 43;

/// What is asked, as far as it has to be remembered until the person has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub client_id: String,
    pub redirect_uri: String,
    /// Those that we know, separated by spaces.
    pub scope: String,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    /// In which the person reads; `ui_locales`.
    pub locales: Option<String>,
    /// Country of the market.
    pub market: String,
    pub login_hint: Option<String>,
    /// `prompt=none`: nothing may be shown.
    pub silent: bool,
}

impl Asked {
    pub fn scopes(&self) -> Vec<&str> {
        self.scope.split(' ').collect()
    }

    pub fn market(&self) -> &'static Market {
        let germany = || Market::by_country("DE").expect("Germany is a market");
        Market::by_country(&self.market).unwrap_or_else(germany)
    }
}

/// An error that goes back to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of OAuth's or OpenID Connect's list.
    pub error: &'static str,
    pub description: String,
}

impl Refusal {
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into() }
    }
}

/// The parameters of a request, each at most once, empty ones absent.
///
/// # Errors
/// The name of the one that came twice.
pub fn parameters(encoded: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let mut parameters = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(encoded) {
        if parameters.insert(name.to_string(), value.to_string()).is_some() {
            return Err(name.into_owned());
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(parameters)
}

/// Whether a client may be answered at this address. Whoever fails here is not sent back anywhere.
///
/// # Errors
/// What is wrong, for the client's developer.
pub fn judge_redirect(client: &ClientIdentifier, text: &str, allows_http: bool) -> Result<(), String> {
    if text.chars().count() > URI_CHARS_MAX {
        return Err(format!("redirect_uri must have at most {URI_CHARS_MAX} characters."));
    }
    let url = Url::parse(text).map_err(|_| "redirect_uri must be an absolute address.".to_owned())?;
    if text.contains('#') {
        return Err("redirect_uri must have no fragment.".to_owned());
    }
    if !client.redirect_uris.is_empty() {
        let is_named = client.redirect_uris.iter().any(|named| named == text);
        let reason = "redirect_uri must be one of the redirect_uris of the client identifier, letter by letter.";
        return if is_named { Ok(()) } else { Err(reason.to_owned()) };
    }
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_local || allows_http => {}
        _ => {
            return Err(
                "redirect_uri must use https; other schemes have to be named in the client identifier's redirect_uris."
                    .to_owned(),
            );
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("redirect_uri must hold no user name.".to_owned());
    }
    if !client.allows(&url.origin().ascii_serialization(), []) {
        return Err(format!(
            "redirect_uri is at {}, which is none of the allowed_domains of the client identifier.",
            url.origin().ascii_serialization()
        ));
    }
    Ok(())
}

/// Reads the rest of a request whose client and address are fine. `home` is the country of the region's largest market.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(parameters: &BTreeMap<String, String>, home: &str) -> Result<Asked, Refusal> {
    let text = |name: &str| parameters.get(name).map(String::as_str);
    let invalid = |description: &str| Refusal::new("invalid_request", description);
    if text("request").is_some() {
        return Err(Refusal::new("request_not_supported", "request objects are not taken"));
    }
    if text("request_uri").is_some() {
        return Err(Refusal::new("request_uri_not_supported", "request objects are not taken"));
    }
    match text("response_type") {
        Some("code") => {}
        Some(_) => return Err(Refusal::new("unsupported_response_type", "response_type must be code")),
        None => return Err(invalid("response_type is required")),
    }
    if text("response_mode").is_some_and(|mode| mode != "query") {
        return Err(invalid("response_mode must be query"));
    }
    for (name, max) in [("state", STATE_CHARS_MAX), ("nonce", STATE_CHARS_MAX), ("login_hint", 254)] {
        if text(name).is_some_and(|value| value.chars().count() > max) {
            return Err(Refusal::new("invalid_request", format!("{name} must have at most {max} characters")));
        }
    }
    let scopes = scope::known(text("scope").unwrap_or_default());
    if !scopes.contains(&scope::OPENID) {
        return Err(Refusal::new("invalid_scope", "scope must contain openid"));
    }
    let challenge = text("code_challenge");
    match (challenge, text("code_challenge_method")) {
        (None, None) => {}
        (None, Some(_)) => return Err(invalid("code_challenge is missing beside code_challenge_method")),
        (Some(_), Some("S256")) => {}
        (Some(_), _) => return Err(invalid("code_challenge_method must be S256")),
    }
    let is_base64url = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if challenge.is_some_and(|text| text.len() != CHALLENGE_CHARS || !is_base64url(text)) {
        return Err(invalid("code_challenge must be the SHA-256 of the verifier in base64url without padding"));
    }
    let prompts: Vec<&str> =
        text("prompt").unwrap_or_default().split(' ').filter(|prompt| !prompt.is_empty()).collect();
    if let Some(unknown) =
        prompts.iter().find(|prompt| !["none", "login", "consent", "select_account"].contains(prompt))
    {
        return Err(Refusal::new("invalid_request", format!("prompt {unknown} is unknown")));
    }
    if prompts.contains(&"none") && prompts.len() > 1 {
        return Err(invalid("prompt none stands alone"));
    }
    let locales = text("ui_locales").map(|locales| locales.replace(' ', ","));
    let region = locales
        .iter()
        .flat_map(|locales| locales.split(','))
        .find_map(|tag| tag.split_once('-').map(|(_, region)| region.to_owned()));
    let country = text("market").map(str::to_owned).or(region).and_then(|country| Market::by_country(&country));
    let owned = |name: &str| text(name).map(str::to_owned);
    Ok(Asked {
        client_id: owned("client_id").unwrap_or_default(),
        redirect_uri: owned("redirect_uri").unwrap_or_default(),
        scope: scopes.join(" "),
        state: owned("state"),
        nonce: owned("nonce"),
        code_challenge: challenge.map(str::to_owned),
        locales,
        market: country.map_or(home, |market| market.country).to_owned(),
        login_hint: owned("login_hint"),
        silent: prompts == ["none"],
    })
}

/// The address that a person is sent back to, with the answer in its query (RFC 9207: and who answers).
pub fn answer_address(redirect_uri: &str, issuer: &str, state: Option<&str>, answer: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    if let Some(state) = state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", issuer);
    let sign = if redirect_uri.contains('?') { '&' } else { '?' };
    format!("{redirect_uri}{sign}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use protocol::{CredentialId, PartnerAccountId};

    use super::*;

    fn client(domains: &[&str], uris: &[&str]) -> ClientIdentifier {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        ClientIdentifier {
            account: PartnerAccountId::new_test("MQ7R2T9A"),
            credential_id: CredentialId::client_identifier(uuid::Uuid::nil()),
            allowed_domains: owned(domains),
            redirect_uris: owned(uris),
        }
    }

    #[test]
    fn an_address_is_named_or_stands_where_the_client_may_be_used() {
        let shop = client(&["shop.example"], &[]);
        let fits = |client: &ClientIdentifier, uri: &str| judge_redirect(client, uri, false).is_ok();
        assert!(fits(&shop, "https://shop.example/back?x=1"));
        for uri in [
            "https://evil.example/back",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://a@shop.example/",
            "http://shop.example/back",
            "https://shop.example/back#x",
            "https://shop.example/back#",
            "javascript:alert(1)",
            "//shop.example/back",
            "shopapp://back",
            "",
        ] {
            assert!(!fits(&shop, uri), "{uri}");
        }
        assert!(
            fits(&client(&[], &[]), "http://127.0.0.1:4000/back") && !fits(&client(&[], &[]), "http://shop.example/")
        );
        assert!(judge_redirect(&client(&[], &[]), "http://shop.test/", true).is_ok());
        let named = client(&["shop.example"], &["https://shop.example/back", "shopapp://back"]);
        assert!(fits(&named, "https://shop.example/back") && fits(&named, "shopapp://back"));
        for near in [
            "https://shop.example/back/",
            "https://shop.example/back?x",
            "https://SHOP.example/back",
            "shopapp://back2",
        ] {
            assert!(!fits(&named, near), "{near}");
        }
    }

    fn asked(more: &[(&str, &str)]) -> Result<Asked, Refusal> {
        let mut parameters: BTreeMap<String, String> =
            [("response_type", "code"), ("scope", "openid profile:name"), ("state", "s")]
                .into_iter()
                .chain(more.iter().copied())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
        parameters.retain(|_, value| !value.is_empty());
        read(&parameters, "DE")
    }

    #[test]
    fn each_fault_has_the_error_of_its_standard() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("response_type", "token")], "unsupported_response_type"),
            (&[("response_type", "")], "invalid_request"),
            (&[("response_mode", "fragment")], "invalid_request"),
            (&[("scope", "profile:name")], "invalid_scope"),
            (&[("request", "x.y.z")], "request_not_supported"),
            (&[("request_uri", "https://a.example")], "request_uri_not_supported"),
            (&[("code_challenge", challenge)], "invalid_request"),
            (&[("code_challenge", challenge), ("code_challenge_method", "plain")], "invalid_request"),
            (&[("code_challenge", "short"), ("code_challenge_method", "S256")], "invalid_request"),
            (&[("code_challenge_method", "S256")], "invalid_request"),
            (&[("prompt", "none login")], "invalid_request"),
            (&[("prompt", "sing")], "invalid_request"),
        ];
        for (more, error) in cases {
            assert_eq!(asked(more).map_err(|refusal| refusal.error), Err(*error), "{more:?}");
        }
        let fine =
            asked(&[("code_challenge", challenge), ("code_challenge_method", "S256"), ("ui_locales", "sv-SE en")]);
        let fine = fine.unwrap();
        assert_eq!((fine.market.as_str(), fine.locales.as_deref(), fine.silent), ("SE", Some("sv-SE,en"), false));
        assert_eq!(asked(&[("market", "fr"), ("ui_locales", "sv-SE")]).unwrap().market, "FR");
        assert_eq!(asked(&[("market", "XX")]).unwrap().market, "DE");
    }

    #[test]
    fn a_parameter_comes_once_and_an_empty_one_is_absent() {
        assert_eq!(parameters(b"a=1&b=&c=%20").unwrap().keys().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(parameters(b"a=1&a=2"), Err("a".to_owned()));
    }

    #[test]
    fn the_answer_joins_the_query_that_is_there() {
        let issuer = "https://n.example/eu/lp/idp";
        assert_eq!(
            answer_address("https://s.example/b?x=1", issuer, Some("a b"), &[("code", "c&d")]),
            "https://s.example/b?x=1&code=c%26d&state=a+b&iss=https%3A%2F%2Fn.example%2Feu%2Flp%2Fidp"
        );
    }
}
