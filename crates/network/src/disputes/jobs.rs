//! What time does to disputes, told even when nobody looks: one sweep opens what was announced and lets happen what is due.
//!
//! Every read and every decision accounts for time by itself; the sweep makes that events are told soon, as in
//! [`crate::payments::jobs`].

use kit::clock::SECOND_US;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use protocol::PartnerAccountId;

use super::store::{self, AnnouncementRow, DueRow};
use super::{cases, opening};
use crate::ctx::Ctx;
use crate::rounds::Sweep;

/// How many of a kind are looked at in one round.
const BATCH: i64 = 100;

/// How late an event may be told: five seconds.
pub(crate) const SWEEP: Sweep = Sweep {
    kind: "disputes.pass_time",
    doing: "passing time over disputes",
    next: |began| began + 5 * SECOND_US,
    round: |ctx| Box::pin(async move { sweep(&ctx).await }),
};

/// Lets happen what is due now; says whether a full batch was found.
async fn sweep(ctx: &Ctx) -> Result<bool, ApiError> {
    let now = ctx.clock.now();
    let (announced, due): (Vec<AnnouncementRow>, Vec<DueRow>) = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, DbError>> {
            Box::pin(async move { Ok((store::announced(tx, now, BATCH).await?, store::due(tx, now, BATCH).await?)) })
        })
        .await?;
    for row in &announced {
        ctx.write(|| {
            let (ctx, row) = (ctx.clone(), row.clone());
            move |tx: &mut Tx| -> UnitFuture<'_, Result<(), ApiError>> {
                Box::pin(async move { opening::open_announced(tx, &ctx, &row).await })
            }
        })
        .await?;
    }
    for row in &due {
        let account = PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?;
        cases::pass_time(ctx, &account, &row.id).await?;
    }
    Ok(i64::try_from(announced.len().max(due.len())).unwrap_or(i64::MAX) >= BATCH)
}
