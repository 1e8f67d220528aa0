//! Use cases on Payment Transactions: read, decide, write, tell. What they decide stands in [`super::transaction`].

use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use protocol::payments::{
    Capture as WireCapture, Chargeback as WireChargeback, FundingType, PaymentFunding, PaymentPricing,
    PaymentTransaction as WireTransaction, Refund as WireRefund, RefundedCapture,
};
use protocol::{
    Currency, DisputeId, PartnerAccountId, PaymentAccountId, PaymentCaptureId, PaymentChargebackId, PaymentRefundId,
    PaymentRequestId, PaymentTransactionId, check_sum,
};
use serde_json::{Map, Value, json};

use super::requests::{merge, timestamp};
use super::store::{self, CaptureRow, ChargebackRow, RefundRow, TransactionRow};
use super::transaction::{
    Balance, Capture, CaptureCommand, Chargeback, Counts, Detail, Funding, Happened, PaymentTransaction,
    Reauthorization, Refund, RefundCommand, Refusal, State,
};
use super::verdict::Persona;
use crate::accounts::PaymentAccountRow;
use crate::ctx::Ctx;
use crate::notifications::{self, NewEvent};
use crate::operation::{conflict, invalid, not_found};

/// A Payment Transaction with all that is known of it but what was done to it.
pub(super) struct StoredTransaction {
    account: PartnerAccountId,
    pub(super) core: PaymentTransaction,
    /// As stored; what `core` decides is copied here when it is saved.
    row: TransactionRow,
}

/// What a new transaction is made of beside its decision.
pub(super) struct Description<'a> {
    pub(super) account: &'a PartnerAccountId,
    pub(super) payment_account: &'a PaymentAccountRow,
    pub(super) reference: Option<&'a str>,
    pub(super) request: Option<&'a PaymentRequestId>,
    pub(super) settlement_currency: Option<Currency>,
    pub(super) purchase_data: Option<&'a Value>,
    pub(super) passthrough: Option<String>,
}

/// What a transaction's numbered parts are, for showing it.
#[derive(Default)]
pub(super) struct Parts {
    captures: Vec<CaptureRow>,
    refunds: Vec<RefundRow>,
    chargebacks: Vec<ChargebackRow>,
}

impl StoredTransaction {
    fn from_row(row: TransactionRow) -> Result<Self, ApiError> {
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
        self.core = core;
    }

    /// Saves a decision and tells of it.
    async fn settle(
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

    async fn tell(
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

    /// RULINGS "Objects", delivery.
    fn event_payload(&self, happened: &Happened) -> Value {
        let (row, balance) = (&self.row, &happened.balance);
        let mut payload = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                payload.insert(name.to_owned(), value);
            }
        };
        put("payment_transaction_id", row.transaction_id.as_str().into());
        put("payment_transaction_reference", row.reference.as_deref().into());
        put("payment_request_id", row.request_id.as_deref().into());
        put("purchase_reference", row.purchase_reference.as_deref().into());
        put("payment_account_id", row.payment_account_id.as_str().into());
        put("payment_account_reference", row.payment_account_reference.as_str().into());
        put("state", happened.state.as_str().into());
        put("previous_state", happened.previous.map(State::as_str).into());
        put("currency", row.currency.as_str().into());
        put("amount", balance.amount.into());
        put("captured_amount", balance.captured.into());
        put("refunded_amount", balance.refunded.into());
        put("charged_back_amount", balance.charged_back.into());
        put("voided_amount", balance.voided.into());
        put("remaining_amount", balance.remaining().into());
        put("expires_at", json!(timestamp(happened.expires_at)));
        match &happened.detail {
            Detail::State => {}
            Detail::Captured(capture) => {
                put("payment_capture_id", json!(self.capture_id(capture.number)));
                put("payment_capture_reference", capture.reference.as_deref().into());
                put("capture_amount", capture.amount.into());
            }
            Detail::Refunded(refund) => {
                put("payment_refund_id", json!(self.refund_id(refund.number)));
                put("payment_refund_reference", refund.reference.as_deref().into());
                if let [(number, _)] = refund.shares[..] {
                    put("payment_capture_id", json!(self.capture_id(number)));
                }
                put("refund_amount", refund.amount.into());
            }
            Detail::ChargedBack(chargeback, dispute) => {
                put("payment_chargeback_id", json!(self.chargeback_id(chargeback.number)));
                put("payment_dispute_id", dispute.as_str().into());
                put("chargeback_amount", chargeback.amount.into());
            }
            Detail::Funding => put("payment_funding", json!(funding(happened.funding))),
        }
        Value::Object(payload)
    }

    fn capture_id(&self, number: i64) -> PaymentCaptureId {
        PaymentCaptureId::new(&self.core.id, small(number))
    }

    fn refund_id(&self, number: i64) -> PaymentRefundId {
        PaymentRefundId::new(&self.core.id, small(number))
    }

    fn chargeback_id(&self, number: i64) -> PaymentChargebackId {
        PaymentChargebackId::new(&self.core.id, small(number))
    }

    /// The object on the wire. Purchase data and passthrough are stored as they are shown, so they are put in as text.
    pub(super) fn json(&self, parts: &Parts) -> Result<String, ApiError> {
        let (row, core) = (&self.row, &self.core);
        let captures = parts.captures.iter().map(|row| self.wire_capture(row)).collect::<Result<_, _>>()?;
        let refunds = parts.refunds.iter().map(|row| self.wire_refund(row)).collect::<Result<_, _>>()?;
        let chargebacks: Vec<_> = parts.chargebacks.iter().map(|row| self.wire_chargeback(row)).collect();
        let object = WireTransaction {
            payment_transaction_id: Some(core.id.clone()),
            payment_transaction_reference: row.reference.clone(),
            payment_request_id: row.request_id.as_deref().and_then(|id| PaymentRequestId::opaque(id).ok()),
            payment_account_id: PaymentAccountId::opaque(&row.payment_account_id).ok(),
            payment_account_reference: Some(row.payment_account_reference.clone()),
            state: Some(core.state.wire()),
            currency: Some(core.currency),
            amount: Some(core.balance.amount),
            captured_amount: Some(core.balance.captured),
            refunded_amount: Some(core.balance.refunded),
            charged_back_amount: Some(core.balance.charged_back),
            voided_amount: Some(core.balance.voided),
            remaining_amount: Some(core.balance.remaining()),
            settlement_currency: row.settlement_currency.parse().ok(),
            payment_funding: Some(funding(core.funding)),
            payment_pricing: Some(PaymentPricing {
                // Ours: an estimate, until there are price plans.
                variable_rate: Some("2.99".to_owned()),
                fixed_fee: Some(30),
                currency: Some(core.currency),
                ..PaymentPricing::default()
            }),
            created_at: timestamp(core.created_at),
            updated_at: timestamp(core.updated_at),
            expires_at: timestamp(core.expires_at),
            payment_captures: Some(captures),
            payment_refunds: Some(refunds),
            payment_chargebacks: Some(chargebacks).filter(|chargebacks| !chargebacks.is_empty()),
            ..WireTransaction::default()
        };
        let mut text = serde_json::to_string(&object).map_err(ApiError::internal)?;
        text.pop();
        text.push_str(",\"supplementary_purchase_data\":");
        text.push_str(row.purchase_data.as_deref().unwrap_or("{}"));
        if let Some(passthrough) = &row.passthrough {
            // An object of one member, stored without its braces.
            text.push(',');
            text.push_str(passthrough);
        }
        text.push('}');
        Ok(text)
    }

    fn wire_capture(&self, row: &CaptureRow) -> Result<WireCapture, ApiError> {
        let mut object = WireCapture {
            payment_capture_id: Some(self.capture_id(row.number)),
            payment_capture_reference: row.reference.clone(),
            payment_transaction_id: Some(self.core.id.clone()),
            payment_transaction_reference: self.row.reference.clone(),
            capture_amount: Some(row.amount),
            refunded_amount: Some(row.refunded),
            currency: Some(self.core.currency),
            captured_at: timestamp(row.captured_at),
            supplementary_capture_data: Some(stored_data(row.data.as_deref())?),
            ..WireCapture::default()
        };
        object.extra.extend(passed_through(row.passthrough.as_deref())?);
        Ok(object)
    }

    fn wire_refund(&self, row: &RefundRow) -> Result<WireRefund, ApiError> {
        let shares: Vec<(i64, i64)> = serde_json::from_str(&row.shares).map_err(ApiError::internal)?;
        let only = match shares[..] {
            [(number, _)] => Some(self.capture_id(number)),
            _ => None,
        };
        let mut object = WireRefund {
            payment_refund_id: Some(self.refund_id(row.number)),
            payment_refund_reference: row.reference.clone(),
            refund_reference: row.reference.clone(),
            payment_transaction_id: Some(self.core.id.clone()),
            payment_capture_id: only,
            payment_captures: Some(
                shares
                    .iter()
                    .map(|&(number, amount)| RefundedCapture {
                        payment_capture_id: Some(self.capture_id(number)),
                        refund_amount: Some(amount),
                        ..RefundedCapture::default()
                    })
                    .collect(),
            ),
            refund_amount: Some(row.amount),
            currency: Some(self.core.currency),
            refunded_at: timestamp(row.refunded_at),
            supplementary_refund_data: Some(stored_data(row.data.as_deref())?),
            ..WireRefund::default()
        };
        object.extra.extend(passed_through(row.passthrough.as_deref())?);
        Ok(object)
    }

    fn wire_chargeback(&self, row: &ChargebackRow) -> WireChargeback {
        WireChargeback {
            payment_chargeback_id: Some(self.chargeback_id(row.number)),
            payment_transaction_id: Some(self.core.id.clone()),
            payment_capture_id: Some(self.capture_id(row.capture_number)),
            payment_dispute_id: DisputeId::opaque(&row.dispute_id).ok(),
            chargeback_amount: Some(row.amount),
            currency: Some(self.core.currency),
            reason: Some(row.reason.clone()),
            created_at: timestamp(row.created_at),
            ..WireChargeback::default()
        }
    }

    async fn parts(&self, tx: &mut Tx) -> Result<Parts, DbError> {
        let (account, id) = (self.account.as_str(), self.core.id.as_str());
        let counts = &self.core.counts;
        // What there is none of is not asked for.
        Ok(Parts {
            captures: if counts.captures > 0 { store::captures(tx, account, id).await? } else { Vec::new() },
            refunds: if counts.refunds > 0 { store::refunds(tx, account, id).await? } else { Vec::new() },
            chargebacks: if counts.chargebacks > 0 { store::chargebacks(tx, account, id).await? } else { Vec::new() },
        })
    }

    async fn insert_capture(
        &self,
        tx: &mut Tx,
        capture: &Capture,
        data: Option<String>,
        passthrough: Option<String>,
        parameter: &str,
    ) -> Result<CaptureRow, ApiError> {
        let row = CaptureRow {
            number: capture.number,
            reference: capture.reference.clone(),
            amount: capture.amount,
            refunded: capture.refunded,
            charged_back: capture.charged_back,
            captured_at: capture.captured_at,
            data,
            passthrough,
        };
        if store::insert_capture(tx, self.account.as_str(), self.core.id.as_str(), &row).await? {
            return Ok(row);
        }
        Err(conflict("The payment_capture_reference is taken by another capture.")
            .field(parameter, "is the reference of another capture of this payment transaction"))
    }
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn funding(funding: Funding) -> PaymentFunding {
    let kind = if funding == Funding::Guaranteed { FundingType::Guaranteed } else { FundingType::NonGuaranteed };
    PaymentFunding { kind: Some(kind), state: Some(funding.state()), ..PaymentFunding::default() }
}

fn stored_data<T: serde::de::DeserializeOwned + Default>(text: Option<&str>) -> Result<Box<T>, ApiError> {
    text.map_or_else(|| Ok(Box::default()), |text| serde_json::from_str(text).map_err(ApiError::internal))
}

fn passed_through(text: Option<&str>) -> Result<Map<String, Value>, ApiError> {
    let Some(text) = text else { return Ok(Map::new()) };
    serde_json::from_str(&format!("{{{text}}}")).map_err(ApiError::internal)
}

/// The Partner's passthrough as an object's member, under the name that the caller used, for answering it unaltered.
pub(super) fn passthrough(body: &Value) -> Option<String> {
    ["klarna_network_data", "interoperability_data"].into_iter().find_map(|name| {
        let text = body.get(name)?.as_str()?;
        Some(format!("\"{name}\":{}", Value::from(text)))
    })
}

fn absent() -> ApiError {
    not_found("The payment transaction does not exist.")
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::LineItemsNeeded => ApiError::validation(Vec::new()).field(
                "supplementary_refund_data.line_items",
                "is required when the payment transaction has several captures",
            ),
            other => ApiError::new(StatusCode::FORBIDDEN, "OPERATION_FORBIDDEN", format!("Not possible: {other}.")),
        }
    }
}

/// Stores a new transaction, with its capture if it was captured at once, and tells of it. Returns its JSON.
pub(super) async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    correlation_id: &str,
    description: Description<'_>,
    (core, capture, happened): (PaymentTransaction, Option<Capture>, Vec<Happened>),
) -> Result<String, ApiError> {
    let Counts { captures, refunds, chargebacks, voids, actions } = core.counts;
    let balance = core.balance;
    let purchase_reference = description.purchase_data.and_then(|data| data.get("purchase_reference"));
    let row = TransactionRow {
        account_id: description.account.to_string(),
        transaction_id: core.id.to_string(),
        version: 1,
        reference: description.reference.map(str::to_owned),
        request_id: description.request.map(ToString::to_string),
        payment_account_id: description.payment_account.payment_account_id.clone(),
        payment_account_reference: description.payment_account.reference.clone(),
        product_id: description.payment_account.product_id.clone(),
        state: core.state.as_str().to_owned(),
        currency: core.currency.code().to_owned(),
        amount: balance.amount,
        captured: balance.captured,
        refunded: balance.refunded,
        charged_back: balance.charged_back,
        voided: balance.voided,
        settlement_currency: description.settlement_currency.unwrap_or(core.currency).code().to_owned(),
        funding: core.funding.as_str().to_owned(),
        persona: core.persona.to_string(),
        created_at: core.created_at,
        updated_at: core.updated_at,
        expires_at: core.expires_at,
        due_at: core.due_at(),
        extension_days: core.extension_days,
        captures,
        refunds,
        chargebacks,
        voids,
        actions,
        purchase_reference: purchase_reference.and_then(Value::as_str).map(str::to_owned),
        purchase_data: description.purchase_data.map(ToString::to_string),
        passthrough: description.passthrough,
    };
    let stored = StoredTransaction { account: description.account.clone(), core, row };
    if !store::insert_transaction(tx, &stored.row).await? {
        return Err(reference_is_taken("request_payment_transaction.payment_transaction_reference"));
    }
    let mut parts = Parts::default();
    if let Some(capture) = capture {
        let parameter = "request_payment_transaction.payment_capture_reference";
        parts.captures.push(stored.insert_capture(tx, &capture, None, None, parameter).await?);
    }
    stored.tell(tx, ctx, Some(correlation_id), &happened).await?;
    stored.json(&parts)
}

/// Ours: references of transactions are unique within the Partner account, as they name them in settlements and disputes.
fn reference_is_taken(parameter: &str) -> ApiError {
    conflict("The payment_transaction_reference is taken by another payment transaction.")
        .field(parameter, "is the reference of another payment transaction")
}

async fn locked(tx: &mut Tx, account: &PartnerAccountId, id: &str) -> Result<StoredTransaction, ApiError> {
    StoredTransaction::from_row(store::lock_transaction(tx, account.as_str(), id).await?.ok_or_else(absent)?)
}

/// What of a transaction is asked for.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Whole,
    Capture(i64),
    Refund(i64),
    Chargeback(i64),
}

impl StoredTransaction {
    fn show(&self, parts: &Parts, part: &Part) -> Result<String, ApiError> {
        fn text(object: Option<impl serde::Serialize>, what: &'static str) -> Result<String, ApiError> {
            let object = object.ok_or_else(|| not_found(what))?;
            serde_json::to_string(&object).map_err(ApiError::internal)
        }
        match part {
            Part::Whole => self.json(parts),
            Part::Capture(number) => {
                let row = parts.captures.iter().find(|row| row.number == *number);
                text(row.map(|row| self.wire_capture(row)).transpose()?, "The payment capture does not exist.")
            }
            Part::Refund(number) => {
                let row = parts.refunds.iter().find(|row| row.number == *number);
                text(row.map(|row| self.wire_refund(row)).transpose()?, "The payment refund does not exist.")
            }
            Part::Chargeback(number) => {
                let row = parts.chargebacks.iter().find(|row| row.number == *number);
                text(row.map(|row| self.wire_chargeback(row)), "The payment chargeback does not exist.")
            }
        }
    }
}

/// Reads a transaction or a part of it; time that has passed is accounted for first.
pub(super) async fn read(ctx: &Ctx, account: &PartnerAccountId, id: &str, part: Part) -> Result<String, ApiError> {
    let (context, owner, key, wanted) = (ctx.clone(), account.clone(), id.to_owned(), part.clone());
    let found: Option<String> = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move {
                let row = store::transaction(tx, owner.as_str(), &key).await?.ok_or_else(absent)?;
                let stored = StoredTransaction::from_row(row)?;
                if stored.core.due_at().is_some_and(|due| due <= context.clock.now()) {
                    return Ok(None);
                }
                let parts = stored.parts(tx).await?;
                stored.show(&parts, &wanted).map(Some)
            })
        })
        .await?;
    match found {
        Some(text) => Ok(text),
        None => pass_time(ctx, account, id, part).await,
    }
}

/// Lets happen what is due, and shows what is asked for.
pub(super) async fn pass_time(ctx: &Ctx, account: &PartnerAccountId, id: &str, part: Part) -> Result<String, ApiError> {
    ctx.write(|| {
        let (ctx, account, id, part) = (ctx.clone(), account.clone(), id.to_owned(), part.clone());
        move |tx: &mut Tx| -> UnitFuture<'_, Result<String, ApiError>> {
            Box::pin(async move {
                let mut stored = locked(tx, &account, &id).await?;
                let (core, happened) = stored.core.at(ctx.clock.now());
                stored.settle(tx, &ctx, None, core, &happened).await?;
                let parts = stored.parts(tx).await?;
                stored.show(&parts, &part)
            })
        }
    })
    .await
}

/// The line items of an operation's body: in its data, or (an alias) on top.
fn lines<'a>(body: &'a Value, data: &str) -> (String, Option<&'a Value>) {
    let given = |value: Option<&'a Value>| value.filter(|value| !value.is_null());
    match given(body.get(data).and_then(|data| data.get("line_items"))) {
        Some(lines) => (format!("{data}.line_items"), Some(lines)),
        None => ("line_items".to_owned(), given(body.get("line_items"))),
    }
}

/// Sent lines must add up (RULINGS 1.3).
fn check_lines((parameter, lines): &(String, Option<&Value>), amount: i64) -> Result<(), ApiError> {
    check_sum(*lines, amount, parameter).map_or(Ok(()), |fault| Err(invalid(vec![fault])))
}

/// The data as it is stored and shown: with the lines in it, wherever they stood.
fn data(body: &Value, name: &str, lines: Option<&Value>) -> Option<String> {
    let mut data = body.get(name).filter(|data| !data.is_null()).cloned();
    if let Some(lines) = lines {
        data.get_or_insert_with(|| json!({}))["line_items"] = lines.clone();
    }
    data.map(|data| data.to_string())
}

fn amount(body: &Value, name: &str) -> Option<i64> {
    body.get(name).and_then(Value::as_i64).or_else(|| body.get("amount").and_then(Value::as_i64))
}

fn text(body: &Value, name: &str) -> Option<String> {
    body.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Captures; the body has passed its shape. Returns the capture.
pub(super) async fn capture(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    body: &Value,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let command = CaptureCommand {
        amount: amount(body, "capture_amount"),
        reference: text(body, "payment_capture_reference"),
        release: text(body, "remaining_authorization").as_deref() == Some("RELEASE"),
    };
    let (core, capture, happened) = stored.core.capture(command, ctx.clock.now())?;
    let sent = lines(body, "supplementary_capture_data");
    check_lines(&sent, capture.amount)?;
    let data = data(body, "supplementary_capture_data", sent.1);
    let row = stored.insert_capture(tx, &capture, data, passthrough(body), "payment_capture_reference").await?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    serde_json::to_string(&stored.wire_capture(&row)?).map_err(ApiError::internal)
}

/// Refunds a transaction, or one capture of it; the body has passed its shape. Returns the refund.
pub(super) async fn refund(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    (id, capture_number): (&str, Option<i64>),
    body: &Value,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let rows = store::captures(tx, account.as_str(), id).await?;
    let mut captures: Vec<Capture> = rows.iter().map(decided_capture).collect();
    if let Some(number) = capture_number
        && !captures.iter().any(|capture| capture.number == number)
    {
        return Err(not_found("The payment capture does not exist."));
    }
    let sent = lines(body, "supplementary_refund_data");
    let command = RefundCommand {
        amount: amount(body, "refund_amount"),
        reference: text(body, "payment_refund_reference").or_else(|| text(body, "refund_reference")),
        capture_number,
        has_line_items: sent.1.and_then(Value::as_array).is_some_and(|lines| !lines.is_empty()),
    };
    let (core, refund, happened) = stored.core.refund(&mut captures, command, ctx.clock.now())?;
    check_lines(&sent, refund.amount)?;
    let row = refund_row(&refund, data(body, "supplementary_refund_data", sent.1), passthrough(body));
    if !store::insert_refund(tx, account.as_str(), id, &row).await? {
        return Err(conflict("The payment_refund_reference is taken by another refund.")
            .field("payment_refund_reference", "is the reference of another refund of this payment transaction"));
    }
    save_captures(tx, account, id, &captures, refund.shares.iter().map(|(number, _)| *number)).await?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    serde_json::to_string(&stored.wire_refund(&row)?).map_err(ApiError::internal)
}

fn decided_capture(row: &CaptureRow) -> Capture {
    Capture {
        number: row.number,
        reference: row.reference.clone(),
        amount: row.amount,
        refunded: row.refunded,
        charged_back: row.charged_back,
        captured_at: row.captured_at,
    }
}

fn refund_row(refund: &Refund, data: Option<String>, passthrough: Option<String>) -> RefundRow {
    RefundRow {
        number: refund.number,
        reference: refund.reference.clone(),
        amount: refund.amount,
        refunded_at: refund.refunded_at,
        shares: json!(refund.shares).to_string(),
        data,
        passthrough,
    }
}

async fn save_captures(
    tx: &mut Tx,
    account: &PartnerAccountId,
    id: &str,
    captures: &[Capture],
    changed: impl Iterator<Item = i64>,
) -> Result<(), ApiError> {
    for number in changed {
        let Some(capture) = captures.iter().find(|capture| capture.number == number) else { continue };
        let sums = (capture.number, capture.refunded, capture.charged_back);
        store::save_capture(tx, account.as_str(), id, sums).await?;
    }
    Ok(())
}

/// Voids what remains. Returns the transaction.
pub(super) async fn void(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let (core, (), happened) = stored.core.void(ctx.clock.now())?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    let parts = stored.parts(tx).await?;
    stored.json(&parts)
}

/// Changes amount, references, purchase data; the body has passed its shape. Returns the transaction.
pub(super) async fn update(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    body: &Value,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let persona = persona(&stored.row, body);
    let (core, (), happened) = stored.core.update(amount(body, "amount"), persona, ctx.clock.now())?;
    describe(tx, &mut stored, body).await?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    let parts = stored.parts(tx).await?;
    stored.json(&parts)
}

/// Renews or extends the authorization; the body has passed its shape. Returns the transaction.
pub(super) async fn reauthorize(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    body: &Value,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let command = Reauthorization {
        extension_days: body.get("extension_days").and_then(Value::as_i64),
        amount: amount(body, "amount"),
        persona: persona(&stored.row, body),
    };
    let (core, (), happened) = stored.core.reauthorize(command, ctx.clock.now())?;
    describe(tx, &mut stored, body).await?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    let parts = stored.parts(tx).await?;
    stored.json(&parts)
}

/// Who decides on more money: the customer that the body names, else the one of the purchase.
fn persona(row: &TransactionRow, body: &Value) -> Option<Persona> {
    let email = |data: &Value| data.pointer("/customer/email").and_then(Value::as_str).and_then(Persona::of_email);
    let sent = body.get("supplementary_purchase_data").and_then(email);
    sent.or_else(|| {
        let stored: Value = serde_json::from_str(row.purchase_data.as_deref()?).ok()?;
        email(&stored)
    })
}

async fn describe(tx: &mut Tx, stored: &mut StoredTransaction, body: &Value) -> Result<(), ApiError> {
    let row = &mut stored.row;
    let mut changed = false;
    if let Some(reference) = text(body, "payment_transaction_reference") {
        row.reference = Some(reference);
        changed = true;
    }
    if let Some(sent) = body.get("supplementary_purchase_data").filter(|data| !data.is_null()) {
        let known = row.purchase_data.as_deref().map_or_else(|| Ok(json!({})), serde_json::from_str);
        let mut data: Value = known.map_err(ApiError::internal)?;
        merge(&mut data, sent);
        row.purchase_reference = text(&data, "purchase_reference");
        row.purchase_data = Some(data.to_string());
        changed = true;
    }
    if let Some(passthrough) = passthrough(body) {
        row.passthrough = Some(passthrough);
        changed = true;
    }
    if !changed {
        return Ok(());
    }
    match store::save_description(tx, row).await {
        Ok(()) => Ok(()),
        Err(DbError::Duplicate(_)) => Err(reference_is_taken("payment_transaction_reference")),
        Err(error) => Err(error.into()),
    }
}

/// A lost dispute takes money back from a capture. For the disputes room. Returns the chargeback's id.
///
/// # Errors
/// 403 when the state or what is left of the capture forbids it, 404, [`DbError`].
pub async fn charge_back(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    capture: &PaymentCaptureId,
    dispute: &DisputeId,
    (amount, reason): (i64, &str),
) -> Result<PaymentChargebackId, ApiError> {
    let missing = || not_found("The payment capture does not exist.");
    let id = capture.transaction().ok_or_else(missing)?;
    let mut stored = locked(tx, account, id.as_str()).await?;
    let rows = store::captures(tx, account.as_str(), id.as_str()).await?;
    let number = capture.number().map(i64::from);
    let row = rows.iter().find(|row| Some(row.number) == number).ok_or_else(missing)?;
    let mut charged = decided_capture(row);
    let (core, chargeback, happened) = stored.core.charge_back(&mut charged, dispute, amount, ctx.clock.now())?;
    let Chargeback { number, capture_number, amount, created_at } = chargeback;
    let row = ChargebackRow {
        number,
        capture_number,
        dispute_id: dispute.to_string(),
        amount,
        reason: reason.to_owned(),
        created_at,
    };
    store::insert_chargeback(tx, account.as_str(), id.as_str(), &row).await?;
    save_captures(tx, account, id.as_str(), &[charged], std::iter::once(capture_number)).await?;
    stored.settle(tx, ctx, None, core, &happened).await?;
    Ok(stored.chargeback_id(number))
}

/// The money of a payment that is not guaranteed has come. For the console.
///
/// # Errors
/// 403 when it was guaranteed or is settled, 404, [`DbError`].
pub async fn fund(tx: &mut Tx, ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<(), ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let (core, (), happened) = stored.core.fund(ctx.clock.now())?;
    stored.settle(tx, ctx, None, core, &happened).await
}

/// One line of [`list`].
pub use super::store::ListedRow;

/// Transactions of an account in the order of their ids, after `after` (empty for the first). For the console.
///
/// # Errors
/// [`DbError`].
pub async fn list(tx: &mut Tx, account: &PartnerAccountId, after: &str, limit: i64) -> Result<Vec<ListedRow>, DbError> {
    store::list_transactions(tx, account.as_str(), after, limit).await
}
