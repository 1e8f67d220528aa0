//! What a customer does with a Payment Request, for the journey.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::krn::Region;
use protocol::payments::{CreatePaymentRequest, PaymentRequest as WireRequest};
use protocol::{PartnerAccountId, PaymentRequestId};
use uuid::Uuid;

use super::approval::Identity;
use super::payment_request::{Decided, PaymentRequest, State};
use super::requests::{StoredRequest, absent, locked};
use super::store;
use super::verdict::Persona;
use crate::ctx::Ctx;
use crate::tokens;

/// A Payment Request as the journey sees it.
#[derive(Clone, Debug)]
pub struct JourneyRequest {
    /// Whose it is.
    pub account: PartnerAccountId,
    /// State, amount, times; `pending_until` while a verdict is awaited.
    pub request: PaymentRequest,
    /// What was asked.
    pub body: CreatePaymentRequest,
    /// The payment account that it is paid to.
    pub payment_account_id: String,
    /// Whom a token of the Partner's showed, until somebody confirms.
    pub recognised: Option<Identity>,
    /// The object as the Partner reads it; goes into [`super::return_location`].
    pub object: WireRequest,
}

/// What a customer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CustomerStep {
    /// Looks, without entering.
    Look,
    /// Opens the journey.
    Enter,
    /// Goes away undecided.
    Leave,
    /// Approves, as this person.
    Approve(Identity),
    /// Refuses.
    Refuse,
}

/// The request behind the address of a journey, after the customer's step. A step that the state does not allow (any more)
/// changes nothing: whoever is second sees what became of the first. `None` when there is no such request or `access_token` is
/// not its.
///
/// # Errors
/// [`kit::db::DbError`].
pub async fn customer_step(
    tx: &mut Tx,
    ctx: &Ctx,
    (region, uuid): (Region, Uuid),
    access_token: &str,
    step: &CustomerStep,
    correlation_id: Option<&str>,
) -> Result<Option<JourneyRequest>, ApiError> {
    let id = PaymentRequestId::new(region, uuid);
    let keys = tokens::keys_in(tx, ctx).await?;
    if !keys.access_is_granted(&id, access_token) {
        return Ok(None);
    }
    let Some(account) = store::account_of_request(tx, id.as_str()).await? else { return Ok(None) };
    let account = PartnerAccountId::opaque(&account).map_err(ApiError::internal)?;
    let Some(mut stored) = locked(tx, ctx, &account, id.as_str()).await? else { return Ok(None) };
    let now = ctx.clock.now();
    let decided = decide(&mut stored, step, now).unwrap_or_else(|_| stored.request.at(now));
    stored.settle(tx, ctx, correlation_id, decided).await?;
    let object = stored.render(tx, ctx).await?;
    let undecided = stored.request.state.is_open() && stored.request.pending_until.is_none();
    Ok(Some(JourneyRequest {
        account,
        request: stored.request,
        body: stored.body,
        payment_account_id: stored.payment_account_id,
        recognised: stored.identity.filter(|_| undecided),
        object,
    }))
}

fn decide(stored: &mut StoredRequest, step: &CustomerStep, now: i64) -> Decided {
    let request = &stored.request;
    match step {
        CustomerStep::Look => Ok(request.at(now)),
        CustomerStep::Enter => request.enter(now),
        CustomerStep::Leave => request.leave(now),
        CustomerStep::Refuse => request.refuse(now),
        CustomerStep::Approve(identity) => {
            let purchase = || Persona::of_purchase(stored.body.supplementary_purchase_data.as_deref());
            let said = || Persona::of(identity.email.as_deref(), identity.phone.as_deref());
            // Whom a token recognised, else whom the journey met, else whom the Partner named (RULINGS "Verdict").
            let persona = request.persona.or_else(said).or_else(purchase);
            let decided = request.approve(persona, now);
            if decided.is_ok() && request.at(now).0.pending_until.is_none() {
                stored.identity = Some(identity.clone());
            }
            decided
        }
    }
}

/// The step of a control: its name as the shape allows it.
pub(super) fn named(name: &str, identity: Identity) -> CustomerStep {
    match name {
        "ENTER" => CustomerStep::Enter,
        "LEAVE" => CustomerStep::Leave,
        "APPROVE" => CustomerStep::Approve(identity),
        "REFUSE" => CustomerStep::Refuse,
        _ => CustomerStep::Look,
    }
}

/// Takes a step for the customer, who enters first where that is needed. Unlike in the journey, what is not possible is refused.
///
/// # Errors
/// 403 when the state does not allow it, 404, [`kit::db::DbError`].
pub(super) async fn force(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    step: &CustomerStep,
) -> Result<WireRequest, ApiError> {
    let now = ctx.clock.now();
    let mut stored = locked(tx, ctx, account, id).await?.ok_or_else(absent)?;
    let decides = matches!(step, CustomerStep::Approve(_) | CustomerStep::Refuse);
    if decides && stored.request.at(now).0.state == State::Submitted {
        let entered = decide(&mut stored, &CustomerStep::Enter, now)?;
        stored.settle(tx, ctx, Some(correlation_id), entered).await?;
    }
    let decided = decide(&mut stored, step, now)?;
    stored.settle(tx, ctx, Some(correlation_id), decided).await?;
    stored.render(tx, ctx).await
}
