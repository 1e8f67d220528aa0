//! A dispute as it is stored: the case that decides, beside what describes it.

use kit::db::Tx;
use kit::http::ApiError;
use protocol::{Currency, DisputeId, DisputeOutcome, DisputeReason, PartnerAccountId, PaymentCaptureId};

use super::case::{Case, Closing, Course, Finding, Framework, Happened, HoldPolicy, Refusal, Representment, State};
use super::file::File;
use super::rendering::View;
use super::store::{self, AttachmentRow, DisputeRow};
use super::{ledger, rendering};
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::operation::{conflict, not_found};
use crate::payments;
use crate::sealed::DISPUTE_FILE;
use crate::settlements::{self, EntryKind, NewEntry};

/// A dispute with all that is known of it.
pub(super) struct StoredDispute {
    pub(super) account: PartnerAccountId,
    pub(super) id: DisputeId,
    pub(super) case: Case,
    pub(super) file: File,
    pub(super) currency: Currency,
    /// Of both sides, in the order of their numbers.
    pub(super) attachments: Vec<AttachmentRow>,
    /// As stored; what `case` and `file` say is copied here when it is saved.
    pub(super) row: DisputeRow,
}

pub(super) fn absent() -> ApiError {
    not_found("The payment dispute does not exist.")
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ProposalTooHigh { .. } => {
                Self::validation(Vec::new()).field("partner_proposed_refund_amount", refusal.to_string())
            }
            Refusal::NotLater => Self::validation(Vec::new()).field("until", refusal.to_string()),
            Refusal::State { .. } | Refusal::Framework(_) => conflict(format!("Not possible: {refusal}.")),
        }
    }
}

impl StoredDispute {
    async fn from_row(tx: &mut Tx, ctx: &Ctx, row: DisputeRow) -> Result<Self, ApiError> {
        let unknown = |what: &str| ApiError::internal(format!("{what} of dispute {} is unknown", row.dispute_id));
        let framework = Framework::stored(&row.framework).ok_or_else(|| unknown("framework"))?;
        let state = |text: &str| State::stored(framework, text).ok_or_else(|| unknown("state"));
        let finding = |outcome: &Option<String>, detailed: &Option<String>| {
            outcome.as_deref().map(|outcome| Finding {
                outcome: DisputeOutcome::from(outcome),
                detailed: detailed.clone().unwrap_or_default(),
            })
        };
        let closing = match (finding(&row.outcome, &row.outcome_detailed), row.closed_at) {
            (Some(finding), Some(at)) => Some(Closing { finding, at, owed: row.owed.unwrap_or(0) }),
            _ => None,
        };
        let case = Case {
            state: state(&row.state)?,
            previous: row.previous_state.as_deref().map(state).transpose()?,
            reason: DisputeReason::from(row.reason.as_str()),
            amount: row.amount,
            hold: HoldPolicy::stored(&row.hold_policy).ok_or_else(|| unknown("hold policy"))?,
            course: Course::stored(&row.course).ok_or_else(|| unknown("course"))?,
            opened_at: row.opened_at,
            updated_at: row.updated_at,
            deadline_at: row.deadline_at,
            due_at: row.due_at,
            representment: row.representment.as_deref().and_then(Representment::stored),
            requests: row.requests,
            answered: row.answered,
            proposed: row.proposed,
            preliminary: finding(&row.preliminary_outcome, &row.preliminary_detailed),
            closing,
        };
        let opened = ctx.secrets.open(DISPUTE_FILE.place(&[&row.dispute_id]), &row.file).map_err(ApiError::internal)?;
        let file = serde_json::from_slice(&opened).map_err(ApiError::internal)?;
        // What there is none of is not asked for.
        let attachments = if row.attachments > 0 {
            store::attachments(tx, &row.account_id, &row.dispute_id).await?
        } else {
            Vec::new()
        };
        Ok(Self {
            account: PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?,
            id: DisputeId::opaque(&row.dispute_id).map_err(ApiError::internal)?,
            case,
            file,
            currency: row.currency.parse().map_err(ApiError::internal)?,
            attachments,
            row,
        })
    }

    /// Reads it, for an account or the Acquiring Partner above.
    pub(super) async fn read(tx: &mut Tx, ctx: &Ctx, account: &str, id: &str) -> Result<Self, ApiError> {
        let row = store::dispute(tx, account, id).await?.ok_or_else(absent)?;
        Self::from_row(tx, ctx, row).await
    }

    /// The same, and keeps others from changing it until the end of the database's transaction.
    pub(super) async fn lock(tx: &mut Tx, ctx: &Ctx, account: &str, id: &str) -> Result<Self, ApiError> {
        let row = store::lock(tx, account, id).await?.ok_or_else(absent)?;
        Self::from_row(tx, ctx, row).await
    }

    /// For lists.
    pub(super) async fn of(tx: &mut Tx, ctx: &Ctx, rows: Vec<DisputeRow>) -> Result<Vec<Self>, ApiError> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            all.push(Self::from_row(tx, ctx, row).await?);
        }
        Ok(all)
    }

    /// A new one, from what describes it. Says `false` when its capture has an open dispute.
    pub(super) async fn insert(
        tx: &mut Tx,
        ctx: &Ctx,
        row: DisputeRow,
        (case, file): (Case, File),
        happened: &[Happened],
        correlation_id: Option<&str>,
    ) -> Result<Option<Self>, ApiError> {
        let mut stored = Self {
            account: PartnerAccountId::opaque(&row.account_id).map_err(ApiError::internal)?,
            id: DisputeId::opaque(&row.dispute_id).map_err(ApiError::internal)?,
            currency: row.currency.parse().map_err(ApiError::internal)?,
            case,
            file,
            attachments: Vec::new(),
            row,
        };
        stored.write_row(ctx)?;
        if !store::insert(tx, &stored.row).await? {
            return Ok(None);
        }
        payments::count_dispute(tx, ctx, &stored.account, &stored.row.transaction_id, true).await?;
        stored.tell(tx, ctx, happened, correlation_id).await?;
        Ok(Some(stored))
    }

    /// Saves a decision, moves its money and tells of it.
    pub(super) async fn settle(
        &mut self,
        tx: &mut Tx,
        ctx: &Ctx,
        (case, happened): (Case, Vec<Happened>),
        correlation_id: Option<&str>,
    ) -> Result<(), ApiError> {
        self.case = case;
        self.save(tx, ctx).await?;
        self.tell(tx, ctx, &happened, correlation_id).await
    }

    /// Saves case and file as they are.
    pub(super) async fn save(&mut self, tx: &mut Tx, ctx: &Ctx) -> Result<(), ApiError> {
        self.write_row(ctx)?;
        Ok(store::save(tx, &self.row).await?)
    }

    fn write_row(&mut self, ctx: &Ctx) -> Result<(), ApiError> {
        let (case, row) = (&self.case, &mut self.row);
        let texts = |finding: Option<&Finding>| {
            (finding.map(|finding| finding.outcome.to_string()), finding.map(|finding| finding.detailed.clone()))
        };
        row.state = case.state.as_str().to_owned();
        row.previous_state = case.previous.map(|state| state.as_str().to_owned());
        (row.updated_at, row.deadline_at, row.due_at) = (case.updated_at, case.deadline_at, case.due_at);
        row.closed_at = case.closing.as_ref().map(|closing| closing.at);
        row.owed = case.closing.as_ref().map(|closing| closing.owed);
        row.representment = case.representment.map(|state| state.as_str().to_owned());
        (row.requests, row.answered, row.proposed) = (case.requests, case.answered, case.proposed);
        (row.preliminary_outcome, row.preliminary_detailed) = texts(case.preliminary.as_ref());
        (row.outcome, row.outcome_detailed) = texts(case.closing.as_ref().map(|closing| &closing.finding));
        let text = serde_json::to_vec(&self.file).map_err(ApiError::internal)?;
        row.file = ctx.secrets.seal(DISPUTE_FILE.place(&[&row.dispute_id]), &text);
        Ok(())
    }

    /// Moves the money of what happened, and tells of it, in the order of events.
    async fn tell(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        happened: &[Happened],
        correlation_id: Option<&str>,
    ) -> Result<(), ApiError> {
        for happened in happened {
            let framework = happened.case.state.framework().wire();
            let event = NewEvent {
                event_type: happened.event.clone(),
                subject: &self.account,
                product_instance_id: Some(&self.row.product_id),
                payload: rendering::payload(self, happened, &View::of_events(ctx, &self.account)),
                occurred_at: happened.at,
                correlation_id,
            };
            notifications::emit_of_dispute(tx, ctx, &event, &framework).await?;
            let owed = happened.case.closing.as_ref().map_or(0, |closing| closing.owed);
            let charged = if owed > 0 { self.charge_back(tx, ctx, owed).await? } else { 0 };
            for (kind, amount) in ledger::movements(happened, self.currency, charged) {
                self.settle_entry(tx, kind, amount, charged > 0, happened.at).await?;
            }
            if happened.is_change() && happened.case.state.is_closed() {
                payments::count_dispute(tx, ctx, &self.account, &self.row.transaction_id, false).await?;
            }
        }
        Ok(())
    }

    /// Has an entry settled. What was taken from the capture is settled as a chargeback of the payment, not from here.
    async fn settle_entry(
        &self,
        tx: &mut Tx,
        kind: ledger::EntryKind,
        amount: i64,
        is_lost: bool,
        at: i64,
    ) -> Result<(), ApiError> {
        let settled_as = match kind {
            ledger::EntryKind::Fee => EntryKind::DisputeFee,
            ledger::EntryKind::AppealFee => EntryKind::AppealFee,
            ledger::EntryKind::Hold => EntryKind::Holdback,
            ledger::EntryKind::Release if is_lost => EntryKind::Release,
            ledger::EntryKind::Release => EntryKind::ChargebackReversal,
            ledger::EntryKind::Chargeback => return Ok(()),
        };
        let capture = PaymentCaptureId::opaque(&self.row.capture_id).map_err(ApiError::internal)?;
        let entry = NewEntry {
            account: &self.account,
            key: &format!("{}:{}", self.id.as_str(), kind.as_str()),
            kind: settled_as,
            amount: amount.abs(),
            currency: self.currency,
            payment_account_id: &self.row.payment_account_id,
            transaction_id: Some(&self.row.transaction_id),
            capture_number: capture.number().map(i64::from),
            dispute_id: Some(&self.id),
            occurred_at: at,
        };
        settlements::enter(tx, &entry).await?;
        Ok(())
    }

    /// Takes what is owed from the capture; what the Partner has refunded meanwhile is not owed twice. Returns what was taken.
    async fn charge_back(&self, tx: &mut Tx, ctx: &Ctx, owed: i64) -> Result<i64, ApiError> {
        let capture = PaymentCaptureId::opaque(&self.row.capture_id).map_err(ApiError::internal)?;
        let what = (owed, self.case.reason.as_str());
        payments::charge_back_at_most(tx, ctx, &self.account, &capture, &self.id, what).await
    }
}
