//! The RSA keys that sign `id_token`s (RS256, which OpenID Connect requires and clients of Klarna's expect). The first one is drawn when
//! it is needed and sealed in the database, so that every process, and every later start, signs with the same.
//!
//! A key signs for [`AGE_US`], or until an operator wants another. Its successor is published before it signs, for as long as a client may
//! believe the set that it has; and the old one stays published after that, for as long as something that it signed may be shown
//! to somebody. Then it is deleted. All of this follows from when the keys were made: no state is kept, nothing depends on which
//! process looks, and the job only deletes and draws.
//!
//! `rsa` draws the keys and nothing else: ring signs.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use kit::clock::{DAY_US, MINUTE_US, SECOND_US};
use kit::http::ApiError;
use kit::random::Random;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _};
use rsa::rand_core::{Infallible, TryCryptoRng, TryRng};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::grants::ACCESS_S;
use crate::ctx::Ctx;
use crate::tokens::{self, Kept};

/// The first secret's name among the installation's; the others are `sign-in:2` and so on.
const NAME: &str = "sign-in";
const BITS: usize = 2_048;
/// How long a key signs. Ours.
pub const AGE_US: i64 = 90 * DAY_US;
/// How long whoever asked for the set may keep it, in seconds.
pub const PUBLISHED_S: i64 = 300;
/// How long a process believes what it read.
const LOOK_US: i64 = 30 * SECOND_US;
/// How long a key is published before it signs.
pub const LEAD_US: i64 = PUBLISHED_S * SECOND_US + LOOK_US;
/// How long a key is published after its successor began to sign: a token's life, by a clock that is late.
pub const TRAIL_US: i64 = ACCESS_S * SECOND_US + LOOK_US + 5 * MINUTE_US;

/// The keys of this installation as they were last read.
#[derive(Default)]
pub(crate) struct KeyCache(Mutex<Option<Arc<KeySet>>>);

impl KeyCache {
    fn last(&self) -> Option<Arc<KeySet>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, set: Option<Arc<KeySet>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = set;
    }

    /// The database is other than it was.
    pub(crate) fn forget(&self) {
        self.put(None);
    }
}

/// Keys that are published, the oldest first; never empty.
pub struct KeySet {
    keys: Vec<Arc<SigningKey>>,
    read_at: i64,
}

/// What signs.
pub struct SigningKey {
    name: String,
    created_at: i64,
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

/// The keys; the first one is drawn by whoever needs it first. Not to be called in a unit of work.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when one cannot be unsealed.
pub async fn key_set(ctx: &Ctx) -> Result<Arc<KeySet>, ApiError> {
    let (now, last) = (ctx.clock.now(), ctx.signing_keys.last());
    if let Some(set) = last.as_ref().filter(|set| (0..LOOK_US).contains(&now.saturating_sub(set.read_at))) {
        return Ok(Arc::clone(set));
    }
    let mut kept = tokens::kept(ctx, NAME).await?;
    if kept.is_empty() {
        tokens::keep(ctx, NAME.to_owned(), drawn(ctx).await?, now, Vec::new()).await?;
        // Another process may have been faster: what stands is what counts.
        kept = tokens::kept(ctx, NAME).await?;
    }
    let known = |kept: &Kept| last.iter().flat_map(|set| &set.keys).find(|key| key.is(kept)).cloned();
    let read = |kept: &Kept| known(kept).map_or_else(|| SigningKey::read(kept).map(Arc::new), Ok);
    let keys = kept.iter().map(read).collect::<Result<Vec<_>, ApiError>>()?;
    if keys.is_empty() {
        return Err(ApiError::internal("a key was made and is gone"));
    }
    let set = Arc::new(KeySet { keys, read_at: now });
    ctx.signing_keys.put(Some(Arc::clone(&set)));
    Ok(set)
}

/// What becomes of the keys that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// They go on: the new key signs after [`LEAD_US`], and nobody notices.
    Gentle,
    /// They are deleted: what they signed is refused from then on, by whoever asks for the set again. For keys that somebody else may
    /// have.
    AtOnce,
}

/// Draws a new key.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when a key cannot be drawn.
pub async fn rotate(ctx: &Ctx, rotation: Rotation) -> Result<(), ApiError> {
    succeed(ctx, tokens::kept(ctx, NAME).await?, rotation).await
}

/// Draws a successor of those that there were: of two processes that saw the same ones, the first does.
async fn succeed(ctx: &Ctx, kept: Vec<Kept>, rotation: Rotation) -> Result<(), ApiError> {
    let secret = drawn(ctx).await?;
    let newest = kept.iter().map(|kept| kept.created_at).max();
    let number = |name: &str| name.strip_prefix(NAME)?.strip_prefix(':')?.parse::<u64>().ok();
    let last = kept.iter().map(|kept| number(&kept.name).unwrap_or(1)).max();
    let name = last.map_or_else(|| NAME.to_owned(), |last| format!("{NAME}:{}", last + 1));
    // Strictly newer than all others, whatever the clock says.
    let created_at = newest.map_or(ctx.clock.now(), |newest| ctx.clock.now().max(newest + 1));
    let replaced = match rotation {
        Rotation::Gentle => Vec::new(),
        Rotation::AtOnce => kept.into_iter().map(|kept| kept.name).collect(),
    };
    tokens::keep(ctx, name, secret, created_at, replaced).await?;
    ctx.signing_keys.forget();
    Ok(())
}

/// Deletes the keys that are no longer published, and draws a new one when the newest is old. Without any, nothing is done.
///
/// # Errors
/// As [`rotate`].
pub(super) async fn pass_time(ctx: &Ctx) -> Result<(), ApiError> {
    let (now, kept) = (ctx.clock.now(), tokens::kept(ctx, NAME).await?);
    let created: Vec<i64> = kept.iter().map(|kept| kept.created_at).collect();
    let over = kept.iter().zip(0..).filter(|(_, index)| is_over(&created, *index, now));
    let over: Vec<String> = over.map(|(kept, _)| kept.name.clone()).collect();
    if !over.is_empty() {
        tokens::destroy(ctx, over).await?;
        ctx.signing_keys.forget();
    }
    match created.last() {
        Some(newest) if newest.saturating_add(AGE_US) <= now => succeed(ctx, kept, Rotation::Gentle).await,
        Some(_) | None => Ok(()),
    }
}

/// Which of the keys signs, by when they were made, the oldest first: the newest that everybody can know, or else the oldest.
fn signs(created: &[i64], now: i64) -> usize {
    created.iter().rposition(|created| created.saturating_add(LEAD_US) <= now).unwrap_or(0)
}

/// Whether nothing that the key signed can be shown to anybody any more.
fn is_over(created: &[i64], index: usize, now: i64) -> bool {
    created.get(index + 1).is_some_and(|successor| successor.saturating_add(LEAD_US + TRAIL_US) <= now)
}

async fn drawn(ctx: &Ctx) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let random = ctx.random.clone();
    tokio::task::spawn_blocking(move || draw(random)).await.map_err(ApiError::internal)?
}

fn draw(random: Random) -> Result<Zeroizing<Vec<u8>>, ApiError> {
    let key = rsa::PrivateKey::new(&mut Source(random), BITS).map_err(ApiError::internal)?;
    Ok(Zeroizing::new(key.to_pkcs1_der().map_err(ApiError::internal)?.as_bytes().to_vec()))
}

impl KeySet {
    /// The key that signs now.
    pub fn signing(&self, now: i64) -> &SigningKey {
        &self.keys[signs(&self.created(), now)]
    }

    /// A JSON Web Key Set, to verify by.
    pub fn published(&self, now: i64) -> Value {
        let created = self.created();
        let keys = self.keys.iter().zip(0..).filter(|(_, index)| !is_over(&created, *index, now));
        json!({"keys": keys.map(|(key, _)| key.published()).collect::<Vec<_>>()})
    }

    fn created(&self) -> Vec<i64> {
        self.keys.iter().map(|key| key.created_at).collect()
    }
}

impl SigningKey {
    fn read(kept: &Kept) -> Result<Self, ApiError> {
        let key = rsa::PrivateKey::from_pkcs1_der(&kept.secret).map_err(ApiError::internal)?;
        let (modulus, exponent) = (URL_SAFE_NO_PAD.encode(key.n_bytes()), URL_SAFE_NO_PAD.encode(key.e_bytes()));
        // RFC 7638: the required members in the order of their names, without spaces.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#));
        Ok(Self {
            name: kept.name.clone(),
            created_at: kept.created_at,
            id: URL_SAFE_NO_PAD.encode(thumbprint),
            encoding: EncodingKey::from_rsa_der(&kept.secret),
            modulus,
            exponent,
        })
    }

    fn is(&self, kept: &Kept) -> bool {
        (self.name.as_str(), self.created_at) == (kept.name.as_str(), kept.created_at)
    }

    fn published(&self) -> Value {
        let Self { id, modulus, exponent, .. } = self;
        json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": modulus, "e": exponent})
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

    fn set(seeds: &[u64]) -> KeySet {
        let key = |(seed, created_at): (&u64, i64)| {
            let secret = draw(Random::seeded(*seed, 0)).unwrap();
            Arc::new(SigningKey::read(&Kept { name: seed.to_string(), secret, created_at }).unwrap())
        };
        KeySet { keys: seeds.iter().zip(1..).map(key).collect(), read_at: 0 }
    }

    #[test]
    fn what_it_signs_is_verified_by_its_key_set_alone() {
        let keys = set(&[7, 8]);
        let claims = Map::from_iter([("sub".to_owned(), json!("ada"))]);
        let token = keys.signing(1).sign(&claims).unwrap();
        let published: JwkSet = serde_json::from_value(keys.published(1)).unwrap();
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let found = DecodingKey::from_jwk(published.find(&kid).unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::RS256);
        rules.required_spec_claims.clear();
        let read = jsonwebtoken::decode::<Value>(&token, &found, &rules).unwrap();
        assert_eq!(read.claims["sub"], "ada");
        let other = published.keys.iter().find(|key| key.common.key_id.as_deref() != Some(&kid)).unwrap();
        let other = DecodingKey::from_jwk(other).unwrap();
        assert!(jsonwebtoken::decode::<Value>(&token, &other, &rules).is_err());
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_until_nothing_of_it_can_be_shown() {
        // The first of all has nobody to wait for.
        assert_eq!(signs(&[100], 100), 0);
        assert!(!is_over(&[100], 0, i64::MAX));
        let created = [0, 10 * LEAD_US, 20 * LEAD_US];
        let second = created[1] + LEAD_US;
        for (now, expected) in
            [(created[1], 0), (second - 1, 0), (second, 1), (created[2], 1), (created[2] + LEAD_US, 2)]
        {
            assert_eq!(signs(&created, now), expected, "{now}");
        }
        assert!(!is_over(&created, 0, second + TRAIL_US - 1) && is_over(&created, 0, second + TRAIL_US));
        // Whatever signs is published, at every time.
        for now in (0..40 * LEAD_US).step_by(usize::try_from(LEAD_US / 7).unwrap()) {
            assert!(!is_over(&created, signs(&created, now), now), "{now}");
        }
    }
}
