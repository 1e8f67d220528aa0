//! What time does to credentials, written down: keys that nobody uses are disabled, what has long been disabled is deleted.
//!
//! Reads judge by the time themselves, so this only keeps the tables small and the rows true.

use kit::clock::HOUR_US;
use kit::db::{DbError, Tx};

use super::life::{Life, gone_before, may_have_lapsed_before};
use super::store;
use crate::rounds::Sweep;

const BATCH: i64 = 100;

/// Credentials live for months: once an hour.
pub(crate) const SWEEP: Sweep = Sweep {
    kind: "credentials.pass_time",
    doing: "passing time over credentials",
    next: |began| began + HOUR_US,
    round: |ctx| {
        Box::pin(async move {
            let now = ctx.clock.now();
            Ok(ctx.db.write(move |tx| Box::pin(pass_time(tx, now))).await?)
        })
    },
};

/// Says whether there was a full batch of keys that lapsed.
async fn pass_time(tx: &mut Tx, now: i64) -> Result<bool, DbError> {
    let mut lapsed = 0;
    for row in store::lapsing_api_keys(tx, may_have_lapsed_before(now), BATCH).await? {
        let life = Life { lapses: true, created_at: row.created_at, last_used_at: row.last_used_at, disabled_at: None };
        if let Some(at) = life.disabled_at(now) {
            store::lapse_api_key(tx, &row, at).await?;
            lapsed += 1;
        }
    }
    store::delete_disabled(tx, gone_before(now)).await?;
    Ok(lapsed == BATCH)
}
