//! A Payment Transaction as it is stored: read, saved with what was decided, told of.

use kit::db::{DbError, Tx};
use kit::http::ApiError;
use protocol::{PartnerAccountId, PaymentTransactionId};

use super::store::{self, CaptureRow, ChargebackRow, RefundRow, TransactionRow};
use super::transaction::{Balance, Counts, Funding, Happened, PaymentTransaction, State};
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::operation::not_found;

/// A Payment Transaction with all that is known of it but what was done to it.
pub(super) struct StoredTransaction {
    pub(super) account: PartnerAccountId,
    pub(super) core: PaymentTransaction,
    /// As stored; what `core` decides is copied here when it is saved.
    pub(super) row: TransactionRow,
}

/// What a transaction's numbered parts are, for showing it.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) captures: Vec<CaptureRow>,
    pub(super) refunds: Vec<RefundRow>,
    pub(super) chargebacks: Vec<ChargebackRow>,
}

impl StoredTransaction {
    pub(super) fn from_row(row: TransactionRow) -> Result<Self, ApiError> {
        let unknown =
            |what: &str| ApiError::internal(format!("{what} of transaction {} is unknown", row.transaction_id));
        let core = PaymentTransaction {
            id: PaymentTransactionId::opaque(&row.transaction_id).map_err(ApiError::internal)?,
            state: State::stored(&row.state).ok_or_else(|| unknown("state"))?,
            currency: row.currency.parse().map_err(ApiError::internal)?,
            balance: Balance {
                amount: row.amount,
                captured: row.captured,
                refunded: row.refunded,
                charged_back: row.charged_back,
                voided: row.voided,
            },
            funding: Funding::stored(&row.funding).ok_or_else(|| unknown("funding"))?,
            persona: row.persona.parse().map_err(ApiError::internal)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
            expires_at: row.expires_at,
            extension_days: row.extension_days,
            counts: Counts {
                captures: row.captures,
                refunds: row.refunds,
                chargebacks: row.chargebacks,
                voids: row.voids,
                actions: row.actions,
            },
            open_disputes: row.open_disputes,
        };
        Ok(Self { account: PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?, core, row })
    }

    /// Copies what was decided to where it is stored from.
    fn take(&mut self, core: PaymentTransaction) {
        let Balance { amount, captured, refunded, charged_back, voided } = core.balance;
        let row = &mut self.row;
        (row.amount, row.captured, row.refunded) = (amount, captured, refunded);
        (row.charged_back, row.voided) = (charged_back, voided);
        row.state = core.state.as_str().to_owned();
        row.funding = core.funding.as_str().to_owned();
        (row.updated_at, row.expires_at, row.due_at) = (core.updated_at, core.expires_at, core.due_at());
        row.extension_days = core.extension_days;
        let Counts { captures, refunds, chargebacks, voids, actions } = core.counts;
        (row.captures, row.refunds, row.chargebacks, row.voids, row.actions) =
            (captures, refunds, chargebacks, voids, actions);
        row.open_disputes = core.open_disputes;
        self.core = core;
    }

    /// Saves a decision and tells of it.
    pub(super) async fn settle(
        &mut self,
        tx: &mut Tx,
        ctx: &Ctx,
        correlation_id: Option<&str>,
        core: PaymentTransaction,
        happened: &[Happened],
    ) -> Result<(), ApiError> {
        self.take(core);
        store::save_transaction(tx, &self.row).await?;
        self.tell(tx, ctx, correlation_id, happened).await
    }

    pub(super) async fn tell(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        correlation_id: Option<&str>,
        happened: &[Happened],
    ) -> Result<(), ApiError> {
        for happened in happened {
            let event = NewEvent {
                event_type: happened.event.clone(),
                subject: &self.account,
                product_instance_id: Some(&self.row.product_id),
                payload: self.event_payload(happened),
                occurred_at: happened.at,
                correlation_id,
            };
            notifications::emit(tx, ctx, &event).await?;
        }
        Ok(())
    }

    pub(super) async fn parts(&self, tx: &mut Tx) -> Result<Parts, DbError> {
        let (account, id) = (self.account.as_str(), self.core.id.as_str());
        let counts = &self.core.counts;
        // What there is none of is not asked for.
        Ok(Parts {
            captures: if counts.captures > 0 { store::captures(tx, account, id).await? } else { Vec::new() },
            refunds: if counts.refunds > 0 { store::refunds(tx, account, id).await? } else { Vec::new() },
            chargebacks: if counts.chargebacks > 0 { store::chargebacks(tx, account, id).await? } else { Vec::new() },
        })
    }
}

pub(super) fn absent() -> ApiError {
    not_found("The payment transaction does not exist.")
}

/// Reads a transaction and keeps others from changing it.
pub(super) async fn locked(tx: &mut Tx, account: &PartnerAccountId, id: &str) -> Result<StoredTransaction, ApiError> {
    StoredTransaction::from_row(store::lock_transaction(tx, account.as_str(), id).await?.ok_or_else(absent)?)
}
