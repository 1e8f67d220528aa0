//! Payments.

use kit::db::Tx;
use kit::http::ApiError;
use kit::jobs::Worker;
use protocol::Envelope;
use utoipa_axum::router::OpenApiRouter;

use crate::Ctx;

/// What a webhook of the network came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It changed a payment.
    Changed,
    /// It told nothing new.
    Unchanged,
    /// It changed a payment, and a call to the network follows (its job is in the same transaction).
    NeedsCall,
    /// No payment of ours, or not yet: the webhook overtook the answer to the call that caused it.
    Unknown,
}

/// Applies one verified, deduplicated webhook.
///
/// # Errors
/// As the database says.
pub async fn apply_network_event(tx: &mut Tx, ctx: &Ctx, envelope: &Envelope) -> Result<Applied, ApiError> {
    let _ = (tx, ctx, envelope);
    Ok(Applied::Unknown)
}

/// The routes, with their descriptions.
pub fn routes() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
}

/// Adds the handlers of this capability's jobs.
pub fn register_jobs(worker: Worker, ctx: &Ctx) -> Worker {
    let _ = ctx;
    worker
}
