//! Use cases on Payment Transactions as a whole: read, decide, write, tell. What they decide stands in [`super::transaction`].

use http::StatusCode;
use kit::db::{DbError, Tx, UnitFuture};
use kit::http::ApiError;
use protocol::payments::FundingState;
use protocol::{Currency, PartnerAccountId, PaymentRequestId};
use serde_json::{Value, json};

use super::bodies::{PASSTHROUGH, amount, carried_object, carried_of, text};
use super::pricing;
use super::rendering::Part;
use super::requests::merge;
use super::store::{self, TransactionRow};
use super::stored::{Parts, StoredTransaction, absent, locked};
use super::transaction::{Capture, Counts, Happened, PaymentTransaction, Reauthorization, Refusal};
use super::verdict::Persona;
use crate::accounts::PaymentAccountRow;
use crate::ctx::Ctx;
use crate::operation::conflict;

/// What a new transaction is made of beside its decision.
pub(super) struct Description<'a> {
    pub(super) account: &'a PartnerAccountId,
    pub(super) payment_account: &'a PaymentAccountRow,
    pub(super) reference: Option<&'a str>,
    pub(super) request: Option<&'a PaymentRequestId>,
    pub(super) settlement_currency: Option<Currency>,
    pub(super) purchase_data: Option<&'a Value>,
    /// Members that are shown as they came (see [`super::bodies::carried`]).
    pub(super) carried: Option<String>,
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
    let agreed =
        pricing::agreed(description.payment_account, description.purchase_data, core.currency, core.created_at);
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
        open_disputes: core.open_disputes,
        purchase_reference: purchase_reference.and_then(Value::as_str).map(str::to_owned),
        purchase_data: description.purchase_data.map(ToString::to_string),
        passthrough: description.carried,
        variable_bps: agreed.map(|rate| rate.variable_bps),
        fixed_fee: agreed.map(|rate| rate.fixed_fee),
        cap_bps: agreed.map(|rate| rate.cap_bps),
    };
    let stored = StoredTransaction { account: description.account.clone(), core, row };
    if !store::insert_transaction(tx, &stored.row).await? {
        return Err(reference_is_taken("request_payment_transaction.payment_transaction_reference"));
    }
    let mut parts = Parts::default();
    if let Some(capture) = capture {
        let parameter = "request_payment_transaction.payment_capture_reference";
        let row = stored.insert_capture(tx, &capture, None, None, parameter).await?;
        stored.foresee_dispute(tx, ctx, &row).await?;
        parts.captures.push(row);
    }
    stored.tell(tx, ctx, Some(correlation_id), &happened).await?;
    stored.json(&parts)
}

/// Ours: references of transactions are unique within the Partner account, as they name them in settlements and disputes.
fn reference_is_taken(parameter: &str) -> ApiError {
    conflict("The payment_transaction_reference is taken by another payment transaction.")
        .field(parameter, "is the reference of another payment transaction")
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

/// A transaction as its Partner reads it, JSON. For the console.
///
/// # Errors
/// 404, [`DbError`].
pub async fn object(ctx: &Ctx, account: &PartnerAccountId, id: &str) -> Result<String, ApiError> {
    read(ctx, account, id, Part::Whole).await
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
    if PASSTHROUGH.iter().any(|name| body.get(*name).is_some_and(|sent| !sent.is_null())) {
        let mut kept = carried_object(row.passthrough.as_deref())?;
        kept.retain(|name, _| !PASSTHROUGH.contains(&name.as_str()));
        let sent = PASSTHROUGH.iter().filter_map(|name| Some((*name, body.get(*name)?)));
        row.passthrough = carried_of(sent.chain(kept.iter().map(|(name, value)| (name.as_str(), value))));
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

/// The money of a payment that is not guaranteed comes, or is given up. Returns the transaction.
pub async fn settle_funding(
    tx: &mut Tx,
    ctx: &Ctx,
    (account, correlation_id): (&PartnerAccountId, &str),
    id: &str,
    state: &FundingState,
) -> Result<String, ApiError> {
    let mut stored = locked(tx, account, id).await?;
    let now = ctx.clock.now();
    let decided = if *state == FundingState::Expired { stored.core.give_up(now) } else { stored.core.fund(now) };
    let (core, (), happened) = decided?;
    stored.settle(tx, ctx, Some(correlation_id), core, &happened).await?;
    let parts = stored.parts(tx).await?;
    stored.json(&parts)
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
