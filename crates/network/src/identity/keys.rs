//! The RSA key that signs `id_token`s (RS256, which OpenID Connect requires and clients of Klarna's expect). Drawn when it is first
//! needed and sealed in the database, so that every process, and every later start, signs with the same.
//!
//! `rsa` draws the key and nothing else: ring signs.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kit::http::ApiError;
use kit::random::Random;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::rand_core::{Infallible, TryCryptoRng, TryRng};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ctx::Ctx;
use crate::tokens;

/// The secret's name among the installation's.
const NAME: &str = "sign-in";
const BITS: usize = 2_048;

/// The key of this installation, read once per process.
#[derive(Default)]
pub(crate) struct KeyCache(OnceLock<Arc<SigningKey>>);

/// What signs.
pub struct SigningKey {
    /// The thumbprint of RFC 7638.
    id: String,
    encoding: EncodingKey,
    modulus: String,
    exponent: String,
}

/// Lets `rsa` draw from the context's randomness.
struct Source(Random);

impl TryRng for Source {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source {}

/// The installation's key; drawn by whoever needs it first. Not to be called in a unit of work.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when it cannot be unsealed.
pub async fn signing_key(ctx: &Ctx) -> Result<Arc<SigningKey>, ApiError> {
    if let Some(key) = ctx.signing_key.0.get() {
        return Ok(Arc::clone(key));
    }
    let random = ctx.random.clone();
    let secret = tokens::installation_secret(ctx, NAME, move || draw(random)).await?;
    let key = Arc::new(SigningKey::read(&secret)?);
    Ok(Arc::clone(ctx.signing_key.0.get_or_init(|| key)))
}

fn draw(random: Random) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let key = rsa::PrivateKey::new(&mut Source(random), BITS).map_err(ApiError::internal)?;
    Ok(Zeroizing::new(key.to_pkcs1_der().map_err(ApiError::internal)?.as_bytes().to_vec()))
}

impl SigningKey {
    fn read(der: &[u8]) -> Result<Self, ApiError> {
        let key = rsa::PrivateKey::from_pkcs1_der(der).map_err(ApiError::internal)?;
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(key.n_bytes()), URL_SAFE_NO_PAD.encode(key.e_bytes()));
        // RFC 7638: the required members in the order of their names, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        Ok(Self { id: URL_SAFE_NO_PAD.encode(thumbprint), encoding: EncodingKey::from_rsa_der(der), modulus, exponent })
    }

    /// A JSON Web Key Set with this key, to verify by.
    pub fn key_set(&self) -> Value {
        let Self { id, modulus, exponent, .. } = self;
        json!({"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": modulus, "e": exponent}]})
    }

    /// Signs claims.
    ///
    /// # Errors
    /// 500 when the key is none for RS256.
    pub fn sign(&self, claims: &Map<String, Value>) -> Result<String, ApiError> {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation};

    #[test]
    fn what_it_signs_is_verified_by_its_key_set_alone() {
        let key = SigningKey::read(&draw(Random::seeded(7, 0)).unwrap()).unwrap();
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), json!("ada"));
        let token = key.sign(&claims).unwrap();
        let set: JwkSet = serde_json::from_value(key.key_set()).unwrap();
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let found = DecodingKey::from_jwk(set.find(&kid).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::RS256);
        rules.required_spec_claims.clear();
        let read = jsonwebtoken::decode::<Value>(&token, &found, &rules).unwrap();
        assert_eq!(read.claims["sub"], "ada");
        let other = SigningKey::read(&draw(Random::seeded(8, 0)).unwrap()).unwrap();
        let other: JwkSet = serde_json::from_value(other.key_set()).unwrap();
        let other = DecodingKey::from_jwk(&other.keys[0]).unwrap();
        assert!(jsonwebtoken::decode::<Value>(&token, &other, &rules).is_err());
    }
}
