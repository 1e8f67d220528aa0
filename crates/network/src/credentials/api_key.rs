//! API keys.

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::{CredentialId, PartnerAccountId};

use super::{Listed, digest, refuse_beyond_max, store};
use crate::ctx::Ctx;

/// How API keys of the test environment begin (fact sheet 01 §2.1). The network end is a test environment: keys of the live one fail.
pub const API_KEY_PREFIX: &str = "klarna_test_api_";

/// Random characters of a key. Ours: the real ones have more than 150.
const API_KEY_RANDOM_CHARS: usize = 152;

/// A key at the moment of its creation.
pub struct NewApiKey {
    /// Its id.
    pub credential_id: CredentialId,
    /// Its text, to be shown once.
    pub secret: String,
}

/// Makes an API key for an account, on behalf of the installation itself: it does not lapse.
///
/// # Errors
/// [`DbError`].
pub async fn create_api_key(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    now: i64,
) -> Result<NewApiKey, DbError> {
    insert(tx, random, account, description, false, now).await
}

/// Makes an API key that lapses when it is not used.
pub(crate) async fn insert_lapsing(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    now: i64,
) -> Result<NewApiKey, DbError> {
    insert(tx, random, account, description, true, now).await
}

async fn insert(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    lapses: bool,
    now: i64,
) -> Result<NewApiKey, DbError> {
    let credential_id = CredentialId::api_key(random.id(now));
    let secret = format!("{API_KEY_PREFIX}{}", random.alphanumeric(API_KEY_RANDOM_CHARS));
    let new = store::NewApiKey { credential_id: credential_id.as_str(), hash: &digest(&secret), description, lapses };
    store::insert_api_key(tx, account.as_str(), &new, now).await?;
    Ok(NewApiKey { credential_id, secret })
}

/// Makes an API key that lapses when it is not used, if there is room for one.
///
/// # Errors
/// 409 when there is not; [`DbError`].
pub(crate) async fn add(
    tx: &mut Tx,
    random: &kit::random::Random,
    account: &PartnerAccountId,
    description: &str,
    now: i64,
) -> Result<NewApiKey, ApiError> {
    store::lock(tx, account.as_str()).await?;
    let keys = store::api_keys(tx, account.as_str()).await?;
    refuse_beyond_max(keys.iter().filter(|row| row.life().is_active(now)).count(), "API keys")?;
    Ok(insert_lapsing(tx, random, account, description, now).await?)
}

/// The API keys of an account.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn listed(tx: &mut Tx, account: &PartnerAccountId, now: i64) -> Result<Vec<Listed>, DbError> {
    let rows = store::api_keys(tx, account.as_str()).await?;
    let shown = rows.into_iter().filter(|row| !row.life().is_gone(now));
    let listed = |row: store::ApiKeyRow| Listed {
        state: row.life().state(now),
        credential_id: row.credential_id,
        text: String::new(),
        description: row.description,
    };
    Ok(shown.map(listed).collect())
}

/// Disables a key for good; whoever calls makes this process forget what it verified, after the commit.
///
/// # Errors
/// [`DbError`].
pub(crate) async fn disable(
    tx: &mut Tx,
    account: &PartnerAccountId,
    credential_id: &CredentialId,
    now: i64,
) -> Result<bool, DbError> {
    store::disable_api_key(tx, account.as_str(), credential_id.as_str(), now).await
}

/// Disables a key for good: at once in this process, within a second in others. Says whether it was active.
///
/// # Errors
/// [`DbError`].
pub async fn disable_api_key(
    ctx: &Ctx,
    account: &PartnerAccountId,
    credential_id: &CredentialId,
) -> Result<bool, DbError> {
    let (account, credential_id) = (account.clone(), credential_id.clone());
    let now = ctx.clock.now();
    let disabled = ctx
        .db
        .write(move |tx| {
            Box::pin(async move { store::disable_api_key(tx, account.as_str(), credential_id.as_str(), now).await })
        })
        .await;
    // Also after an error: the commit may have happened all the same.
    ctx.verified_keys.forget();
    disabled
}
