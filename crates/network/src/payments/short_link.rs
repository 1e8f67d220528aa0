//! Short addresses: what a QR code holds, so that it stays coarse enough for a terminal's screen and a shopper's camera.

use kit::db::Tx;
use kit::http::ApiError;

use super::requests::StoredRequest;
use super::store;
use crate::ctx::Ctx;
use crate::tokens;

/// RULINGS "Journey": `/l/<8>`.
const CODE_CHARS: usize = 8;
/// A code that is taken is rarer than one in a million as long as there are fewer than 200 million requests.
const ATTEMPTS_MAX: usize = 5;

/// A code that no request has.
pub(super) async fn new_code(tx: &mut Tx, ctx: &Ctx) -> Result<String, ApiError> {
    for _ in 0..ATTEMPTS_MAX {
        let code = ctx.random.alphanumeric(CODE_CHARS);
        if store::request_by_short_code(tx, &code).await?.is_none() {
            return Ok(code);
        }
    }
    Err(ApiError::internal("no short address is free"))
}

/// The address that a code holds.
pub(super) fn address(base_url: &str, code: &str) -> String {
    format!("{base_url}/l/{code}")
}

/// Where a short address leads: to the journey of its request. `None` when there is none, or its request is past being read.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn short_link_target(tx: &mut Tx, ctx: &Ctx, code: &str) -> Result<Option<String>, ApiError> {
    let Some(row) = store::request_by_short_code(tx, code).await? else { return Ok(None) };
    let stored = StoredRequest::from_row(row)?;
    if !stored.request.is_readable(ctx.clock.now()) {
        return Ok(None);
    }
    let keys = tokens::keys_in(tx, ctx).await?;
    Ok(Some(stored.url(&keys, &ctx.config.base_url)))
}
