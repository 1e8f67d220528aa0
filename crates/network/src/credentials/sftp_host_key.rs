//! The key by which clients know the SFTP server again: made once, kept sealed.

use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use zeroize::Zeroizing;

use super::store;
use crate::ctx::Ctx;
use crate::sealed::SFTP_HOST_KEY;

/// The one row of `sftp_host_keys`.
const NAME: &str = "ed25519";
/// Of an Ed25519 key.
const SEED_BYTES: usize = 32;

/// The bytes that the server's Ed25519 key is made of; drawn when there are none yet.
///
/// # Errors
/// [`DbError`]; 500 when they cannot be unsealed.
pub async fn sftp_host_key(ctx: &Ctx) -> Result<Zeroizing<[u8; SEED_BYTES]>, ApiError> {
    let mut sealed: Option<Vec<u8>> = ctx.db.read(|tx| Box::pin(store::sftp_host_key(tx, NAME))).await?;
    if sealed.is_none() {
        let mut drawn = Zeroizing::new([0; SEED_BYTES]);
        ctx.random.fill(&mut *drawn);
        let (new, now) = (ctx.secrets.seal(SFTP_HOST_KEY.place(&[NAME]), &*drawn), ctx.clock.now());
        ctx.write(|| {
            let new = new.clone();
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), DbError>> {
                Box::pin(async move { store::insert_sftp_host_key(tx, NAME, &new, now).await })
            }
        })
        .await?;
        // Another process may have been faster.
        sealed = ctx.db.read(|tx| Box::pin(store::sftp_host_key(tx, NAME))).await?;
    }
    let sealed = sealed.ok_or_else(|| ApiError::internal("the host key was made and is gone"))?;
    let opened = ctx.secrets.open(SFTP_HOST_KEY.place(&[NAME]), &sealed).map_err(ApiError::internal)?;
    let bytes: [u8; SEED_BYTES] = opened.as_slice().try_into().map_err(ApiError::internal)?;
    Ok(Zeroizing::new(bytes))
}
