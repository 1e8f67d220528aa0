//! Controls of the test environment: by API under `/testing`, and in the browser under `/console`.
//!
//! None of it is the network's: the paths say so, an Acquiring Partner's key opens them, and a switch removes them.

mod api;
pub(crate) mod calls;
pub(crate) mod faults;
mod journeys;
mod shapes;
mod snapshots;
mod told;
mod waiting;
mod web;

use std::time::Duration;

use kit::http::ApiError;
use protocol::Timestamp;

use tokio_util::sync::CancellationToken;

use api::{advance_clock, read_move};

use crate::ctx::Ctx;
use crate::operation::Route;

pub(crate) use web::{may_be_open, routes as pages};

pub use calls::{CallLog, CalledBy, Observer};
pub use snapshots::{Keys, keys as keys_of_snapshots};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    [api::routes(), calls::routes(), told::routes(), journeys::routes(), faults::routes(), snapshots::routes()]
        .into_iter()
        .flatten()
        .collect()
}

fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}

/// How often a process looks whether another one has made rules.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

/// Knows the rules before the first call, and keeps the beginning of a database that `was_empty`.
///
/// # Errors
/// [`ApiError`] around what the database says.
pub(crate) async fn begin(ctx: &Ctx, was_empty: bool) -> Result<(), ApiError> {
    if !ctx.config.testing {
        return Ok(());
    }
    if was_empty {
        snapshots::keep_beginning(ctx).await?;
    }
    Ok(faults::refresh(ctx).await?)
}

/// Learns what other processes change here, until `stop`.
pub(crate) async fn follow(ctx: Ctx, stop: CancellationToken) {
    if !ctx.config.testing {
        return;
    }
    let mut known = None;
    loop {
        if let Err(error) = look(&ctx, &mut known).await {
            tracing::debug!(error = &*error as &dyn std::error::Error, "looking at rules and snapshots");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
        }
    }
}

async fn look(ctx: &Ctx, known: &mut Option<i64>) -> Result<(), kit::http::error::BoxError> {
    let generation = snapshots::generation(ctx).await?;
    // The first look only learns where this process began.
    if known.replace(generation).is_some_and(|before| before != generation) {
        snapshots::follow(ctx).await.map_err(|error| error.to_string())?;
    }
    Ok(faults::refresh(ctx).await?)
}
