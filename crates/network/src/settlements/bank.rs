//! What time, the test's `set-status`, and the test's wishes do to payouts: read, decide, write, tell.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::PartnerAccountId;

use super::payout::{Payout, Status};
use super::settlement::State;
use super::store::{self, PayoutRow};
use super::view;
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::operation::{conflict, not_found};

pub(super) fn no_such_payout() -> ApiError {
    not_found("The settlement does not exist, or has no payout.")
}

/// Whether time would take a step now.
pub(super) fn is_due(row: &PayoutRow, now: i64) -> bool {
    row.due_at.is_some_and(|due| due <= now)
}

/// Lets time take its steps and returns the payout as it then is.
///
/// # Errors
/// 404; [`kit::db::DbError`].
pub(super) async fn pass_time(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    settlement: &str,
    correlation_id: Option<&str>,
) -> Result<PayoutRow, ApiError> {
    let mut row = store::lock_payout(tx, account.as_str(), settlement).await?.ok_or_else(no_such_payout)?;
    let (payout, steps) = decided(&row)?.at(ctx.clock.now());
    for (status, at) in steps {
        reach(tx, ctx, account, &mut row, status, at, correlation_id).await?;
    }
    put(&mut row, &payout);
    store::save_payout(tx, &row).await?;
    Ok(row)
}

/// Takes a step by hand.
///
/// # Errors
/// 404; 409 for a step that skips; [`kit::db::DbError`].
pub(super) async fn set_status(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    settlement: &str,
    (to, bank_account): (Status, Option<&str>),
    correlation_id: Option<&str>,
) -> Result<PayoutRow, ApiError> {
    let mut row = pass_time(tx, ctx, account, settlement, correlation_id).await?;
    let (now, before) = (ctx.clock.now(), decided(&row)?);
    let payout = before.set(to, now).map_err(|skipped| conflict(skipped.to_string()))?;
    // Ours: the reference that is sent says which account is paid, and is shown from then on.
    if let Some(bank_account) = bank_account {
        bank_account.clone_into(&mut row.payout_bank_account_reference);
    }
    if payout != before {
        reach(tx, ctx, account, &mut row, payout.status, now, correlation_id).await?;
    }
    put(&mut row, &payout);
    store::save_payout(tx, &row).await?;
    Ok(row)
}

/// Decides whether the bank returns the payout the next time that it would arrive.
///
/// # Errors
/// 404; 409 for one that has arrived; [`kit::db::DbError`].
pub(super) async fn set_outcome(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    settlement: &str,
    will_fail: bool,
    correlation_id: Option<&str>,
) -> Result<PayoutRow, ApiError> {
    let mut row = pass_time(tx, ctx, account, settlement, correlation_id).await?;
    if row.status == Status::Confirmed.as_str() {
        return Err(conflict("The payout has arrived already."));
    }
    row.will_fail = will_fail;
    store::save_payout(tx, &row).await?;
    Ok(row)
}

fn decided(row: &PayoutRow) -> Result<Payout, ApiError> {
    let status = Status::stored(&row.status).ok_or_else(|| ApiError::internal("a payout of an unknown status"))?;
    Ok(Payout { status, updated_at: row.updated_at, due_at: row.due_at, will_fail: row.will_fail })
}

fn put(row: &mut PayoutRow, payout: &Payout) {
    row.status = payout.status.as_str().to_owned();
    (row.updated_at, row.due_at, row.will_fail) = (payout.updated_at, payout.due_at, payout.will_fail);
}

/// Tells of a status, and of what it means for the settlement.
async fn reach(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    row: &mut PayoutRow,
    status: Status,
    at: i64,
    correlation_id: Option<&str>,
) -> Result<(), ApiError> {
    row.status = status.as_str().to_owned();
    row.updated_at = at;
    // Ours: paid is what has arrived.
    if status == Status::Confirmed {
        store::set_state(tx, account.as_str(), &row.settlement_id, State::Paid.as_str()).await?;
    }
    let Some(event_type) = status.event() else { return Ok(()) };
    let payload = view::payout(row)?;
    let event =
        NewEvent { event_type, subject: account, product_instance_id: None, payload, occurred_at: at, correlation_id };
    notifications::emit(tx, ctx, &event).await
}
