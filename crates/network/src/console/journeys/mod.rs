//! Journeys without a browser: what customers do with Payment Requests, and what the tester sees of payments across the accounts
//! under an Acquiring Partner.

mod api;
pub(crate) mod store;

use kit::db::{Tx, UnitFuture};
use kit::http::ApiError;
use protocol::PaymentRequestId;
use serde_json::{Value, json};

use crate::ctx::Ctx;
use crate::operation::{forbidden, not_found};
use crate::payments::{self, CustomerStep, Identity, JourneyRequest};
use crate::tokens;

pub(crate) use api::cursor;
pub use api::routes;

/// What a customer is made to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Looks at the request, open or not.
    Look,
    /// Opens the journey and stays there.
    Enter,
    /// Goes all the way, as this person; the verdict is the network's.
    Complete(Identity),
    /// Refuses.
    Decline,
    /// Opens the journey and goes away: the request is open again.
    Abandon,
}

/// Lets a customer act. Returns what became of the request.
///
/// # Errors
/// 403 when the request is open no more, 404, [`kit::db::DbError`].
pub(crate) async fn act(ctx: &Ctx, acquiring_partner: &str, id: &str, deed: &Deed) -> Result<JourneyRequest, ApiError> {
    let absent = || not_found("The payment request does not exist.");
    let id: PaymentRequestId = PaymentRequestId::opaque(id).map_err(|_| absent())?;
    let region = id.as_str().split(':').nth(2).and_then(|region| region.parse().ok());
    let (Some(region), Some(uuid)) = (region, id.uuid()) else { return Err(absent()) };
    let keys = tokens::keys(ctx).await?;
    let token = keys.access_token(&id);
    ctx.write(|| {
        let (ctx, above, id, token, deed) =
            (ctx.clone(), acquiring_partner.to_owned(), id.clone(), token.clone(), deed.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<JourneyRequest, ApiError>> {
            Box::pin(async move {
                if !store::request_is_under(tx, &above, id.as_str()).await? {
                    return Err(absent());
                }
                let seen = payments::customer_step(tx, &ctx, (region, uuid), &token, &CustomerStep::Look, None).await?;
                let seen = seen.ok_or_else(absent)?;
                if deed == Deed::Look {
                    return Ok(seen);
                }
                if !seen.request.state.is_open() {
                    return Err(forbidden("The payment request is open no more."));
                }
                let mut steps = vec![CustomerStep::Enter];
                match deed {
                    Deed::Look | Deed::Enter => {}
                    Deed::Complete(identity) => steps.push(CustomerStep::Approve(identity)),
                    Deed::Decline => steps.push(CustomerStep::Refuse),
                    Deed::Abandon => steps.push(CustomerStep::Leave),
                }
                let mut last = None;
                for step in &steps {
                    last = payments::customer_step(tx, &ctx, (region, uuid), &token, step, None).await?;
                }
                last.ok_or_else(absent)
            })
        }
    })
    .await
}

/// A test shopper, by what becomes of it.
pub(crate) const PERSONAS: [(&str, &str); 5] = [
    ("approved", "customer@example.com"),
    ("denied", "customer+denied@example.com"),
    ("new_user", "customer+new_user@example.com"),
    ("pending_approved", "customer+pend-accept-05@example.com"),
    ("pending_denied", "customer+pend-reject-05@example.com"),
];

/// What the API shows of a request after an act.
pub(crate) fn view(acted: &JourneyRequest) -> Result<Value, ApiError> {
    let object = serde_json::to_value(&acted.object).map_err(ApiError::internal)?;
    Ok(json!({"payment_request_id": acted.request.id, "account_id": acted.account,
        "state": acted.request.state.as_str(), "return_url": payments::return_location(&acted.object),
        "payment_request": object}))
}
