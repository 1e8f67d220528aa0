//! What an installation has one of, such as a key: made by whoever needs it first.

use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;

use crate::ctx::Ctx;

/// Finds the row of a name.
type Read<R> = for<'t> fn(&'t mut Tx, &'static str) -> UnitFuture<'t, Result<Option<R>, DbError>>;
/// Keeps a row under a name, made at a time in microseconds UTC.
type Insert<N> = for<'t> fn(&'t mut Tx, &'static str, N, i64) -> UnitFuture<'t, Result<(), DbError>>;

/// A row of which there is one under a name.
pub(crate) struct Sole<R, N> {
    /// Under which it stands.
    pub name: &'static str,
    /// Finds it.
    pub read: Read<R>,
    /// Keeps a new one; does nothing when another process was faster.
    pub insert: Insert<N>,
}

impl<R: Send + 'static, N: Clone + Send + 'static> Sole<R, N> {
    /// The row; made where there is none yet, in a transaction of its own. `make` may take its time. Not to be called in a unit of work.
    ///
    /// # Errors
    /// [`DbError`]; whatever `make` says.
    pub async fn get(
        &self,
        ctx: &Ctx,
        make: impl FnOnce() -> Result<N, ApiError> + Send + 'static,
    ) -> Result<R, ApiError> {
        let Self { name, read, insert } = *self;
        let found: Option<R> = ctx.db.read(move |tx| read(tx, name)).await?;
        if let Some(found) = found {
            return Ok(found);
        }
        let (made, now) = (tokio::task::spawn_blocking(make).await.map_err(ApiError::internal)??, ctx.clock.now());
        ctx.write(|| {
            let made = made.clone();
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), DbError>> { insert(tx, name, made, now) }
        })
        .await?;
        // Another process may have been faster: what stands is what counts.
        let found: Option<R> = ctx.db.read(move |tx| read(tx, name)).await?;
        found.ok_or_else(|| ApiError::internal(format!("{name} was made and is gone")))
    }
}
