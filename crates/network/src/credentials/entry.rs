//! The way in: API keys as callers present them, and those that were verified a moment ago.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use kit::clock::{Clock, MINUTE_US, SECOND_US};
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use protocol::{CredentialId, ErrorCode, PartnerAccountId};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::api_key::API_KEY_PREFIX;
use super::client_identifier::{self, CLIENT_ID_PREFIX};
use super::mtls::Mode;
use super::protection::Protection;
use super::{digest, store};
use crate::accounts::AccountKind;
use crate::ctx::Ctx;
use crate::operation::Caller;

/// Longest `Authorization` value that is looked at; real keys are allowed 512 characters.
const AUTHORIZATION_BYTES_MAX: usize = 2048;
/// How long a verified key is believed without asking the database: what another process disables is refused within a second.
const BELIEVED_US: i64 = SECOND_US * 9 / 10;
/// Beyond this many believed keys the memory starts anew.
const BELIEVED_MAX: usize = 10_000;
/// The time of last use is written at most this often.
const LAST_USED_EVERY_US: i64 = MINUTE_US;

/// Who called, and what else their account asks of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who.
    pub caller: Caller,
    /// `None` for an account that asks for nothing but the key.
    pub protection: Option<Arc<Protection>>,
}

/// The caller behind an `Authorization` header.
///
/// # Errors
/// 401 `PERMISSION_DENIED` for a client identifier; 401 `UNAUTHORIZED`, the same for every other reason; [`DbError`].
pub async fn verify(ctx: &Ctx, headers: &HeaderMap) -> Result<Verified, ApiError> {
    let presented = headers.get(header::AUTHORIZATION).and_then(present).ok_or_else(unauthorized)?;
    if presented.key.starts_with(CLIENT_ID_PREFIX) {
        return Err(refuse_client_identifier(ctx, presented.key).await);
    }
    let hash = digest(&presented.key);
    let verified = match ctx.verified_keys.get(&hash) {
        Some(verified) => verified,
        None => look_up(ctx, hash).await?.ok_or_else(unauthorized)?,
    };
    match presented.credential {
        Some(uuid) if verified.caller.credential_id.uuid() != Some(uuid) => Err(unauthorized()),
        _ => Ok(verified),
    }
}

/// A client identifier starts the Web SDK and may do nothing here (RULINGS 1.6). It is no secret, so telling it from others tells
/// nobody anything.
async fn refuse_client_identifier(ctx: &Ctx, client_id: String) -> ApiError {
    let known: Result<bool, DbError> = ctx
        .db
        .look_up(move |tx| Box::pin(async move { Ok(client_identifier::find(tx, &client_id).await?.is_some()) }))
        .await;
    match known {
        Ok(true) => ApiError::new(
            StatusCode::UNAUTHORIZED,
            ErrorCode::PermissionDenied.as_str().to_owned(),
            "A client identifier is for the Web SDK. Send the API key of the account.",
        ),
        Ok(false) => unauthorized(),
        Err(error) => error.into(),
    }
}

async fn look_up(ctx: &Ctx, hash: [u8; 32]) -> Result<Option<Verified>, ApiError> {
    let (generation, now) = (ctx.verified_keys.generation(), ctx.clock.now());
    let found: Option<(store::KeyWithAccountRow, Option<Protection>)> =
        ctx.db.look_up(move |tx| -> UnitFuture<'_, Result<_, ApiError>> { Box::pin(find(tx, hash, now)) }).await?;
    // Found by the digest of what was sent, so the comparison below only restates it, without a clue in its duration.
    let found = found.filter(|(row, _)| bool::from(row.key_hash.ct_eq(&hash)) && row.life().is_active(now));
    let Some((row, protection)) = found else { return Ok(None) };
    let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
    let acquiring_partner = match &row.acquiring_partner_id {
        Some(id) => PartnerAccountId::opaque(id).map_err(ApiError::internal)?,
        None => account.clone(),
    };
    let caller = Caller {
        account,
        credential_id: CredentialId::opaque(&row.credential_id).map_err(ApiError::internal)?,
        kind: AccountKind::stored(&row.kind),
        acquiring_partner,
    };
    let verified = Verified { caller, protection: protection.map(Arc::new) };
    ctx.verified_keys.insert(hash, verified.clone(), generation);
    if row.last_used_at.is_none_or(|at| now.saturating_sub(at) >= LAST_USED_EVERY_US) {
        note_use(ctx.clone(), &verified.caller, now);
    }
    Ok(Some(verified))
}

async fn find(
    tx: &mut Tx,
    hash: [u8; 32],
    now: i64,
) -> Result<Option<(store::KeyWithAccountRow, Option<Protection>)>, ApiError> {
    let Some(row) = store::api_key_by_hash(tx, &hash).await? else { return Ok(None) };
    let mut protection = row.protection().map(|row| Protection::stored(&row));
    if let Some(protection) = protection.as_mut().filter(|protection| protection.mtls.mode(now) != Mode::NotEnabled) {
        protection.certificates = store::known_certificates(tx, &row.account_id, now).await?;
    }
    Ok(Some((row, protection)))
}

/// Beside the request, never in its transaction.
fn note_use(ctx: Ctx, caller: &Caller, now: i64) {
    let (account, credential_id) = (caller.account.clone(), caller.credential_id.clone());
    tokio::spawn(async move {
        let noted = ctx.db.write(move |tx| {
            Box::pin(async move {
                let since = now - LAST_USED_EVERY_US;
                store::note_use(tx, account.as_str(), credential_id.as_str(), now, since).await
            })
        });
        if let Err(error) = noted.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "noting the use of an API key");
        }
    });
}

fn unauthorized() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        ErrorCode::Unauthorized.as_str().to_owned(),
        "The credentials are missing, malformed, disabled, or of another environment. Send `Authorization: Basic <API key>`.",
    )
}

/// What an `Authorization` header holds.
#[derive(Debug, PartialEq, Eq)]
struct Presented {
    /// The user part, for clients that must send one; it must belong to the key.
    credential: Option<Uuid>,
    key: String,
}

/// Either alphabet, padded or not.
const fn lenient(alphabet: &alphabet::Alphabet) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config)
}
const STANDARD: GeneralPurpose = lenient(&alphabet::STANDARD);
const URL_SAFE: GeneralPurpose = lenient(&alphabet::URL_SAFE);

/// Reads the encodings of fact sheet 01 §2.1: `Basic` in any case, then the raw key, or base64 of `:key`, `uuid:key` or the key.
fn present(value: &HeaderValue) -> Option<Presented> {
    if value.len() > AUTHORIZATION_BYTES_MAX {
        return None;
    }
    let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let rest = rest.trim();
    let (user, key) = if rest.starts_with("klarna_") {
        (String::new(), rest.to_owned())
    } else {
        let bytes = STANDARD.decode(rest).or_else(|_| URL_SAFE.decode(rest)).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        match text.split_once(':') {
            Some((user, key)) => (user.to_owned(), key.to_owned()),
            None => (String::new(), text),
        }
    };
    let credential = if user.is_empty() { None } else { Some(Uuid::parse_str(&user).ok()?) };
    let known = [API_KEY_PREFIX, CLIENT_ID_PREFIX].iter().any(|prefix| key.starts_with(prefix));
    known.then_some(Presented { credential, key })
}

struct Believed {
    verified: Verified,
    since: i64,
}

/// Keys that were verified a moment ago, by the wall clock: moving the clock of the context concerns no credentials.
pub(crate) struct VerifiedKeys {
    wall: Clock,
    by_hash: Mutex<HashMap<[u8; 32], Believed>>,
    /// Counts [`VerifiedKeys::forget`], so that a look-up that began before a key was disabled is not remembered after it.
    generation: AtomicU64,
}

impl Default for VerifiedKeys {
    fn default() -> Self {
        Self { wall: Clock::system(), by_hash: Mutex::default(), generation: AtomicU64::new(0) }
    }
}

impl VerifiedKeys {
    fn get(&self, hash: &[u8; 32]) -> Option<Verified> {
        let by_hash = self.lock();
        let believed = by_hash.get(hash)?;
        // A wall clock that steps back ends the belief, too.
        (0..BELIEVED_US).contains(&(self.wall.now() - believed.since)).then(|| believed.verified.clone())
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn insert(&self, hash: [u8; 32], verified: Verified, generation: u64) {
        let mut by_hash = self.lock();
        if self.generation() != generation {
            return;
        }
        if by_hash.len() >= BELIEVED_MAX {
            by_hash.clear();
        }
        by_hash.insert(hash, Believed { verified, since: self.wall.now() });
    }

    pub(crate) fn forget(&self) {
        let mut by_hash = self.lock();
        self.generation.fetch_add(1, Ordering::AcqRel);
        by_hash.clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Believed>> {
        self.by_hash.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose as b64;

    use super::*;

    const KEY: &str = "klarna_test_api_Ab$*+/_-9";

    fn read(text: &str) -> Option<Presented> {
        present(&HeaderValue::from_str(text).unwrap())
    }

    #[test]
    fn every_documented_encoding_yields_the_key() {
        let uuid = Uuid::from_u128(7);
        let plain = Presented { credential: None, key: KEY.to_owned() };
        let with_user = Presented { credential: Some(uuid), key: KEY.to_owned() };
        let (user_and_key, no_user) = (format!("{uuid}:{KEY}"), format!(":{KEY}"));
        assert_eq!(read(&format!("Basic {KEY}")).as_ref(), Some(&plain));
        assert_eq!(read(&format!("bAsIc   {KEY} ")).as_ref(), Some(&plain));
        for engine in [&b64::STANDARD, &b64::STANDARD_NO_PAD, &b64::URL_SAFE, &b64::URL_SAFE_NO_PAD] {
            assert_eq!(read(&format!("Basic {}", engine.encode(KEY))).as_ref(), Some(&plain));
            assert_eq!(read(&format!("Basic {}", engine.encode(&no_user))).as_ref(), Some(&plain));
            assert_eq!(read(&format!("Basic {}", engine.encode(&user_and_key))).as_ref(), Some(&with_user));
        }
    }

    #[test]
    fn anything_else_yields_nothing() {
        let live = "klarna_live_api_x";
        let cases = [
            String::new(),
            KEY.to_owned(),
            "Basic".to_owned(),
            "Basic ".to_owned(),
            format!("Bearer {KEY}"),
            format!("Basic {live}"),
            format!("Basic {}", b64::STANDARD.encode(format!(":{live}"))),
            format!("Basic {}", b64::STANDARD.encode(format!("somebody:{KEY}"))),
            format!("Basic {}", b64::STANDARD.encode(format!("{KEY}:"))),
            "Basic %%%".to_owned(),
            format!("Basic {API_KEY_PREFIX}{}", "x".repeat(4000)),
        ];
        for case in cases {
            assert_eq!(read(&case), None, "{case}");
        }
    }
}
