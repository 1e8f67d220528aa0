//! SDK tokens: what starts a Web SDK with a session, once, within ten minutes.
//!
//! Of a token only its digest is kept, beside what the session token says that it stands for; that is signed again when the
//! token is redeemed.

use kit::clock::MINUTE_US;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::krn::Region;
use protocol::{PartnerAccountId, SessionToken};

use super::session_token::Claims;
use super::{Keys, hash, store};
use crate::ctx::Ctx;

/// How long it can be redeemed (RULINGS §2).
pub const SDK_TOKEN_US: i64 = 10 * MINUTE_US;
/// Ours: Klarna's are opaque.
const RANDOM_BYTES: usize = 32;

/// A new SDK token.
pub struct SdkToken {
    /// Its text, shown once.
    pub text: String,
    /// Microseconds UTC.
    pub expires_at: i64,
}

/// Issues a token for the session that `claims` describe.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn issue_sdk_token(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    (region, claims): (Region, &Claims),
    now: i64,
) -> Result<SdkToken, ApiError> {
    // What nobody redeemed in time leaves with the next one.
    store::delete_sdk_tokens(tx, account.as_str(), now).await?;
    let text = ctx.random.base64url(RANDOM_BYTES);
    let expires_at = now.saturating_add(SDK_TOKEN_US);
    let row = store::SdkTokenRow {
        account_id: account.to_string(),
        region: region.to_string(),
        claims: serde_json::to_string(claims).map_err(ApiError::internal)?,
    };
    store::insert_sdk_token(tx, &row, &hash(&text), (now, expires_at)).await?;
    Ok(SdkToken { text, expires_at })
}

/// Redeems a token: whose it was, and the session token that it stood for. `None` the second time, after ten minutes, and for a
/// token that never was.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn redeem_sdk_token(
    tx: &mut Tx,
    keys: &Keys,
    text: &str,
    now: i64,
) -> Result<Option<(PartnerAccountId, SessionToken)>, ApiError> {
    let Some(row) = store::use_sdk_token(tx, &hash(text), now).await? else { return Ok(None) };
    let claims: Claims = serde_json::from_str(&row.claims).map_err(ApiError::internal)?;
    let region = row.region.parse().map_err(ApiError::internal)?;
    let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
    Ok(Some((account, keys.signer.sign(region, &claims))))
}
