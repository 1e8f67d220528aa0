//! Deletes links, tokens' ids and sessions once their time is over. Whether they are is judged by whoever looks; this keeps the tables
//! small.

use kit::clock::{HOUR_US, MINUTE_US};
use kit::http::ApiError;

use super::{entrance, store};
use crate::ctx::Ctx;
use crate::rounds::Sweep;

/// A token's id is kept a little longer than the token, whose signer's clock may be ahead.
const GRACE_US: i64 = 2 * MINUTE_US;

pub(crate) const SWEEP: Sweep = Sweep {
    kind: "portal.pass_time",
    doing: "deleting what is over in the portal",
    next: |began| began + HOUR_US,
    round: |ctx| Box::pin(async move { sweep(&ctx).await }),
};

async fn sweep(ctx: &Ctx) -> Result<bool, ApiError> {
    let now = ctx.clock.now();
    let sessions = entrance::sessions_over_before(now);
    ctx.db.write(move |tx| Box::pin(store::delete_over(tx, now - GRACE_US, sessions))).await?;
    Ok(false)
}
