//! Controls of the test environment: by API under `/testing`, and in the browser under `/console`.
//!
//! None of it is the network's: the paths say so, an Acquiring Partner's key opens them, and a switch removes them.

mod api;
pub(crate) mod calls;
pub(crate) mod faults;
mod shapes;
mod told;
mod waiting;

use std::time::Duration;

use kit::http::ApiError;
use protocol::Timestamp;

use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::operation::Route;

pub use calls::{CallLog, CalledBy, Observer};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    [api::routes(), calls::routes(), told::routes(), faults::routes()].into_iter().flatten().collect()
}

fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}

/// How often a process looks whether another one has made rules.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Knows the rules before the first call.
///
/// # Errors
/// [`kit::db::DbError`].
pub(crate) async fn begin(ctx: &Ctx) -> Result<(), kit::db::DbError> {
    if ctx.config.testing { faults::refresh(ctx).await } else { Ok(()) }
}

/// Learns what other processes change here, until `stop`.
pub(crate) async fn follow(ctx: Ctx, stop: CancellationToken) {
    if !ctx.config.testing {
        return;
    }
    loop {
        if let Err(error) = faults::refresh(&ctx).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "looking at the fault rules");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
    }
}
