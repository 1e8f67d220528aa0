//! Session tokens: KRNs around a signed document. One that is `COMPLETED` stands for a grant and can be spent; the others only
//! recognise a customer or a request. Pure.
//!
//! The same claims make the same token, so tokens are never stored.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kit::clock::SECOND_US;
use protocol::SessionToken;
use protocol::krn::Region;
use serde::{Deserialize, Serialize};

/// What a token says (fact sheet 03 §8.2). Ours: Klarna's are opaque.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The grant, or a session without one.
    pub sid: String,
    /// The Payment Request that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prid: Option<String>,
    /// The account that it was issued for.
    pub paid: String,
    /// The stored customer whom it recognises, by the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cur: Option<String>,
    /// Minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amt: Option<i64>,
    pub st: Standing,
    /// Seconds since the epoch.
    pub iat: i64,
    /// Seconds since the epoch.
    pub exp: i64,
}

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Of a request that the customer has not approved: recognises.
    Submitted,
    /// Of a customer who was met outside any request: recognises.
    Recognised,
    /// Approved: can be spent.
    Completed,
}

/// Why a token's text says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or changed.
    #[error("unknown")]
    Unknown,
    /// Its time is over.
    #[error("expired")]
    Expired,
}

/// Signs and checks session tokens.
#[derive(Clone)]
pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl Signer {
    /// Over a secret of at least 32 bytes.
    pub fn new(secret: &[u8]) -> Self {
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret) }
    }

    /// The token that says this.
    pub fn sign(&self, region: Region, claims: &Claims) -> SessionToken {
        let jwt = jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .expect("claims are texts and numbers, and HS256 takes any secret");
        SessionToken::new(region, &jwt)
    }

    /// What a token says, if it is ours and its time is not over at `now` (microseconds).
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(&self, token: &str, now: i64) -> Result<Claims, TokenError> {
        let token: SessionToken = token.parse().map_err(|_| TokenError::Unknown)?;
        let mut rules = Validation::new(Algorithm::HS256);
        // Its own check would read the wall clock.
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        let claims = jsonwebtoken::decode::<Claims>(token.jwt(), &self.decoding, &rules)
            .map_err(|_| TokenError::Unknown)?
            .claims;
        if claims.exp.saturating_mul(SECOND_US) <= now { Err(TokenError::Expired) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_772_445_600_000_000;

    fn claims() -> Claims {
        Claims {
            sid: "0195".into(),
            prid: Some("krn:payment:eu1:request:0b0e8d5e-1111-4a2b-9c3d-000000000001".into()),
            paid: "krn:partner:global:account:test:MQ7R2T9A".into(),
            cid: None,
            cur: Some("EUR".into()),
            amt: Some(4990),
            st: Standing::Completed,
            iat: NOW / SECOND_US,
            exp: NOW / SECOND_US + 3600,
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_of_until_its_time_is_over() {
        let signer = Signer::new(&[7; 32]);
        let token = signer.sign(Region::Eu1, &claims());
        assert!(token.as_str().starts_with("krn:network:eu1:test:session-token:ey"));
        assert!(token.as_str().len() < 1500);
        assert_eq!(token, signer.sign(Region::Eu1, &claims()));
        assert_eq!(signer.read(token.as_str(), NOW), Ok(claims()));
        assert_eq!(signer.read(token.as_str(), NOW + 3600 * SECOND_US - 1), Ok(claims()));
        assert_eq!(signer.read(token.as_str(), NOW + 3600 * SECOND_US), Err(TokenError::Expired));
    }

    #[test]
    fn forged_tokens_are_unknown() {
        let signer = Signer::new(&[7; 32]);
        let token = signer.sign(Region::Eu1, &claims());
        let foreign = Signer::new(&[8; 32]).sign(Region::Eu1, &claims());
        let (head, signature) = token.as_str().rsplit_once('.').unwrap();
        let cut = format!("{head}.{}", &signature[1..]);
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!(
            "krn:network:eu1:test:session-token:eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.",
            head.rsplit_once('.').unwrap().1
        );
        for text in [foreign.as_str(), &cut, &unsigned, "", "krn:network:eu1:test:session-token:x", "abc"] {
            assert_eq!(signer.read(text, NOW), Err(TokenError::Unknown), "{text}");
        }
    }
}
