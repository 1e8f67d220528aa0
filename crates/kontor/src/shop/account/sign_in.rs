//! Sign in with Klarna, by the shop's server: OpenID Connect's authorization code flow (OpenID Connect Core §3.1).
//!
//! What a browser brings back is believed only as far as this proves it: `state` binds the answer to the browser that began, the verifier (PKCE,
//! RFC 7636) binds the code to our request, and `nonce` binds the `id_token` to it. Our server exchanges the code itself, and verifies the
//! token's signature, issuer, audience and age by the issuer's published keys, whichever of them signed.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kit::random::Random;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::cookies::{ATTEMPT, NETWORK_SESSION, with_cookie};
use crate::shop::goods::Basket;
use crate::shop::pages::{Failure, failed};
use crate::shop::{Fields, Shop};

/// Where Klarna's sign-in is.
#[derive(Clone, Debug)]
pub struct SignInConfig {
    /// Without a slash at its end: `https://login.klarna.com/eu/lp/idp`.
    pub issuer: String,
}

/// Where Klarna answers; the client identifier names it.
pub const CALLBACK: &str = "/account/signed-in";
const SCOPE: &str = "openid customer:login profile:name profile:email";
const RANDOM_BYTES: usize = 32;

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
enum SignInError {
    #[error("the answer belongs to no sign-in that began in this browser")]
    Stray,
    #[error("the person ended it")]
    Canceled,
    #[error("Klarna refused: {0}")]
    Refused(String),
    #[error("Klarna did not answer")]
    Call(#[from] reqwest::Error),
    #[error("the id_token is signed by no key that the issuer publishes")]
    UnknownKey,
    #[error("the id_token is not for us, or not true")]
    Token(#[from] jsonwebtoken::errors::Error),
    #[error("the id_token answers another sign-in")]
    Nonce,
    #[error("writing down who signed in")]
    Store(#[from] kit::db::DbError),
}

/// What has to be known again when the shopper is back: kept by their browser, out of reach of scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attempt {
    state: String,
    nonce: String,
    verifier: String,
    /// What was in the cart, as a query.
    basket: String,
}

impl Attempt {
    fn begin(random: &Random, basket: &Basket) -> Self {
        let [state, nonce, verifier] = std::array::from_fn(|_| random.base64url(RANDOM_BYTES));
        Self { state, nonce, verifier, basket: basket.link("").trim_start_matches('?').to_owned() }
    }

    fn written(&self) -> String {
        [&*self.state, &self.nonce, &self.verifier, &self.basket].join(".")
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.').map(str::to_owned);
        let (state, nonce, verifier) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { state, nonce, verifier, basket: parts.next()? })
    }

    /// `code_challenge` by S256.
    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// Whether an answer is the one to this attempt.
    fn is_answered_by(&self, answer: &Fields) -> bool {
        answer.get("state").is_some_and(|state| state.as_bytes().ct_eq(self.state.as_bytes()).into())
    }

    /// The account's page, with the cart as it was. Whatever the cookie holds, it is a page of ours.
    fn way_back(&self, path: &str) -> String {
        Basket::read(&url::form_urlencoded::parse(self.basket.as_bytes()).into_owned().collect()).link(path)
    }
}

/// `GET /account/sign-in`: to Klarna.
pub(super) async fn begin(State(shop): State<Arc<Shop>>, Query(query): Query<Fields>) -> Response {
    let basket = Basket::read(&query);
    let attempt = Attempt::begin(&shop.random, &basket);
    let query = [
        ("client_id", shop.sdk.client_id.as_str()),
        ("redirect_uri", &shop.address(CALLBACK)),
        ("response_type", "code"),
        ("scope", SCOPE),
        ("state", &attempt.state),
        ("nonce", &attempt.nonce),
        ("code_challenge", &attempt.challenge()),
        ("code_challenge_method", "S256"),
        ("ui_locales", "en"),
        ("market", basket.place.country),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let kept = ATTEMPT.set(&attempt.written(), shop.accounts.is_secure);
    with_cookie(Redirect::to(&format!("{}/oauth2/auth?{query}", shop.sign_in.issuer)).into_response(), Some(kept))
}

/// `GET /account/signed-in`: back from Klarna.
pub(super) async fn finish(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Query(answer): Query<Fields>,
) -> Response {
    let is_secure = shop.accounts.is_secure;
    let attempt = ATTEMPT.of(&headers).and_then(Attempt::read).filter(|attempt| attempt.is_answered_by(&answer));
    let signed_in = match &attempt {
        Some(attempt) => shop.signed_in(&headers, attempt, &answer).await.map(|cookies| (cookies, attempt)),
        None => Err(SignInError::Stray),
    };
    let response = match (signed_in, &attempt) {
        (Ok((cookies, attempt)), _) => {
            let home = Redirect::to(&attempt.way_back("/account")).into_response();
            cookies.into_iter().fold(home, |response, cookie| with_cookie(response, Some(cookie)))
        }
        (Err(SignInError::Canceled), Some(attempt)) => {
            Redirect::to(&format!("{}&sign-in=ended", attempt.way_back("/account"))).into_response()
        }
        (Err(error), _) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "signing in failed");
            let (status, failure) = failure(&error);
            shop.page(status, failed(&failure, &shop.links))
        }
    };
    // Used once, whatever came of it. An answer that is somebody else's must not end the sign-in that is under way.
    with_cookie(response, attempt.map(|_| ATTEMPT.clear(is_secure)))
}

/// What the shopper is told: never what the answer says of itself.
fn failure(error: &SignInError) -> (StatusCode, Failure) {
    let (status, what) = match error {
        SignInError::Stray => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "This answer belongs to no sign-in that began in this browser in the last fifteen minutes.",
        ),
        SignInError::Call(_) => (StatusCode::BAD_GATEWAY, "Klarna did not answer in time."),
        SignInError::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "We could not write it down."),
        SignInError::Canceled
        | SignInError::Refused(_)
        | SignInError::UnknownKey
        | SignInError::Token(_)
        | SignInError::Nonce => (StatusCode::BAD_GATEWAY, "Klarna did not confirm who you are."),
    };
    let text = format!("{what} You can shop all the same, and try again on the account’s page.");
    (status, Failure { title: "You are not signed in".to_owned(), text, fields: Vec::new(), error_id: None })
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    klarna_network_session_token: Option<String>,
}

/// What Klarna says of a person.
#[derive(Clone, Debug, Deserialize)]
struct Claims {
    sub: String,
    nonce: Option<String>,
    given_name: Option<String>,
    email: Option<String>,
}

/// Reads an `id_token` (OpenID Connect Core §3.1.3.7).
fn read(id_token: &str, keys: &JwkSet, (issuer, client_id): (&str, &str), nonce: &str) -> Result<Claims, SignInError> {
    let key_id = jsonwebtoken::decode_header(id_token)?.kid;
    let key = key_id.and_then(|key_id| keys.find(&key_id)).ok_or(SignInError::UnknownKey)?;
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[client_id]);
    rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    let claims: Claims = jsonwebtoken::decode(id_token, &DecodingKey::from_jwk(key)?, &rules)?.claims;
    let is_ours = claims.nonce.as_deref().is_some_and(|told| told.as_bytes().ct_eq(nonce.as_bytes()).into());
    if is_ours { Ok(claims) } else { Err(SignInError::Nonce) }
}

impl Shop {
    /// Exchanges the code, verifies who it is, and begins a session for them: its cookie, and that by which Klarna knows them.
    async fn signed_in(
        &self,
        headers: &HeaderMap,
        attempt: &Attempt,
        answer: &Fields,
    ) -> Result<[HeaderValue; 2], SignInError> {
        let issuer = &self.sign_in.issuer;
        // Who answers may be said (RFC 9207); if it is, it is the one that was asked.
        if answer.get("iss").is_some_and(|iss| iss != issuer) {
            return Err(SignInError::Stray);
        }
        let Some(code) = answer.get("code") else {
            let error = answer.get("error").map_or("no reason was given", String::as_str);
            return Err(match error {
                "access_denied" => SignInError::Canceled,
                error => SignInError::Refused(error.to_owned()),
            });
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", self.sdk.client_id.as_str()),
            ("code", code),
            ("code_verifier", &attempt.verifier),
            ("redirect_uri", &self.address(CALLBACK)),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let exchange = self.http.post(format!("{issuer}/oauth2/token"));
        let exchange = exchange.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await?;
        if exchange.status().is_client_error() {
            return Err(SignInError::Refused(exchange.text().await?));
        }
        let tokens: Tokens = exchange.error_for_status()?.json().await?;
        let keys = self.http.get(format!("{issuer}/.well-known/jwks.json")).send().await?.error_for_status()?;
        let keys: JwkSet = keys.json().await?;
        let claims = read(&tokens.id_token, &keys, (issuer, &self.sdk.client_id), &attempt.nonce)?;
        let session = self.accounts.sign_in(headers, &claims.sub, claims.given_name, claims.email).await?;
        let is_secure = self.accounts.is_secure;
        // The one of whoever was signed in before must go, too.
        let network = tokens
            .klarna_network_session_token
            .map_or_else(|| NETWORK_SESSION.clear(is_secure), |token| NETWORK_SESSION.set(&token, is_secure));
        Ok([session, network])
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;

    #[test]
    fn an_attempt_survives_the_way_and_fits_no_other_answer() {
        let basket =
            Basket::read(&[("market".to_owned(), "GB".to_owned()), ("lamp".to_owned(), "2".to_owned())].into());
        let random = Random::seeded(7, 0);
        let attempt = Attempt::begin(&random, &basket);
        assert_eq!(Attempt::read(&attempt.written()), Some(attempt.clone()));
        assert_eq!(attempt.way_back("/account"), "/account?market=GB&lamp=2");
        let answer = |state: &str| -> Fields { [("state".to_owned(), state.to_owned())].into() };
        assert!(attempt.is_answered_by(&answer(&attempt.state)));
        let other = Attempt::begin(&random, &basket);
        assert!(!attempt.is_answered_by(&answer(&other.state)));
        assert!(!attempt.is_answered_by(&answer("")) && !attempt.is_answered_by(&Fields::new()));
        assert_eq!(Attempt::read("a.b"), None);
    }

    #[test]
    fn a_cookie_that_was_meddled_with_leads_nowhere_else() {
        let attempt = Attempt::read("s.n.v.//evil.example/?market=SE").unwrap();
        assert!(attempt.way_back("/account").starts_with("/account?market="));
    }

    /// Symmetric keys cannot be of the issuer: whoever sees them could sign.
    #[test]
    fn a_token_signed_by_another_key_or_algorithm_is_refused() {
        let set = |keys: serde_json::Value| -> JwkSet { serde_json::from_value(json!({ "keys": keys })).unwrap() };
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
        let claims = json!({ "sub": "ada", "iss": "i", "aud": "c", "exp": 9_999_999_999_i64, "nonce": "n" });
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(b"secret")).unwrap();
        let symmetric = set(json!([{ "kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0" }]));
        assert!(matches!(read(&token, &symmetric, ("i", "c"), "n"), Err(SignInError::Token(_))));
        assert!(matches!(read(&token, &set(json!([])), ("i", "c"), "n"), Err(SignInError::UnknownKey)));
        assert!(matches!(read("no token", &symmetric, ("i", "c"), "n"), Err(SignInError::Token(_))));
    }
}
