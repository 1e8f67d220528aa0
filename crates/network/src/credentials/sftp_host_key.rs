//! The key by which clients know the SFTP server again: made once, kept sealed.

use kit::http::ApiError;
use zeroize::Zeroizing;

use super::store;
use crate::ctx::Ctx;
use crate::sealed::SFTP_HOST_KEY;
use crate::sole::Sole;

/// The one row of `sftp_host_keys`.
const ROW: Sole<Vec<u8>, Vec<u8>> = Sole {
    name: "ed25519",
    read: |tx, name| Box::pin(store::sftp_host_key(tx, name)),
    insert: |tx, name, sealed, now| Box::pin(async move { store::insert_sftp_host_key(tx, name, &sealed, now).await }),
};
/// Of an Ed25519 key.
const SEED_BYTES: usize = 32;

/// The bytes that the server's Ed25519 key is made of; drawn when there are none yet.
///
/// # Errors
/// [`kit::db::DbError`]; 500 when they cannot be unsealed.
pub async fn sftp_host_key(ctx: &Ctx) -> Result<Zeroizing<[u8; SEED_BYTES]>, ApiError> {
    let drawing = ctx.clone();
    let draw = move || {
        let mut drawn = Zeroizing::new([0; SEED_BYTES]);
        drawing.random.fill(&mut *drawn);
        Ok(drawing.secrets.seal(SFTP_HOST_KEY.place(&[ROW.name]), &*drawn))
    };
    let opened =
        ctx.secrets.open(SFTP_HOST_KEY.place(&[ROW.name]), &ROW.get(ctx, draw).await?).map_err(ApiError::internal)?;
    let bytes: [u8; SEED_BYTES] = opened.as_slice().try_into().map_err(ApiError::internal)?;
    Ok(Zeroizing::new(bytes))
}
