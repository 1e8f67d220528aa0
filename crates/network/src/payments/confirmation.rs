//! The oldest generation's last call: confirming what the customer approved, by the token of the approval (sheet 03 §4.5). It is
//! an authorization in other words, and repeats its answer without an idempotency key.

use http::StatusCode;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::krn::Region;
use protocol::{ConfirmationToken, PartnerAccountId, PaymentRequest, PaymentRequestId};
use serde_json::{Value, json};

use super::authorization::{Authorized, Command, authorize};
use super::{requests, store};
use crate::ctx::Ctx;
use crate::operation::{Reply, forbidden, not_found};
use crate::tokens::{self, Brought, Grant, Presented, Unspendable};

/// What the token is called where authorize names the header that a grant came in.
const TOKEN: &str = "payment_confirmation_token";

fn unknown() -> ApiError {
    not_found("The payment confirmation token does not exist.")
}

/// Offers the token of a request's approval to callers of the oldest generation, who confirm with it.
pub(super) fn offer(request: &mut PaymentRequest) {
    let Some(context) = &mut request.state_context else { return };
    let Some(token) = context.payment_token.as_ref().and_then(|token| token.uuid()) else { return };
    let region = context.payment_token.as_ref().and_then(|token| token.as_str().split(':').nth(2)?.parse().ok());
    let token = ConfirmationToken::new(region.unwrap_or(Region::Eu1), token);
    context.payment_confirmation_token = Some(token.to_string());
}

/// Confirms; the body has passed its shape.
pub(super) async fn confirm(
    tx: &mut Tx,
    ctx: &Ctx,
    on: (&PartnerAccountId, &str),
    token: &str,
    body: &Value,
) -> Result<Reply, ApiError> {
    let (account, _) = on;
    let id = token.parse::<ConfirmationToken>().ok().and_then(|token| token.uuid()).ok_or_else(unknown)?;
    let grant = tokens::find_grant(tx, account, id).await?.ok_or_else(unknown)?;
    agrees(&grant, body)?;
    match tokens::grant_standing(tx, account, id, ctx.clock.now()).await? {
        None => {}
        Some(Unspendable::Spent) => return repeated(tx, account, &grant, body).await,
        Some(Unspendable::Expired) => return Err(forbidden("The customer's approval is more than 60 minutes old.")),
        Some(Unspendable::Unknown | Unspendable::NotCompleted) => return Err(unknown()),
    }
    shipping_agrees(tx, account, &grant, body).await?;
    let presented = Presented::Grant { header: TOKEN, id, account: None };
    let command = Command::new(authorization(body), presented, Brought::default())?;
    // The approval's wait is over, so nobody is kept waiting here.
    let Authorized::Answer(reply) = authorize(tx, ctx, on, &command, true).await? else {
        return Err(ApiError::internal("a settled approval asked to wait"));
    };
    let answer: Value = serde_json::from_slice(&reply.body).map_err(ApiError::internal)?;
    let verdict = &answer["payment_transaction_response"];
    let transaction = verdict.pointer("/payment_transaction/payment_transaction_id").and_then(Value::as_str);
    let mut object = confirmed(grant.request.as_ref(), body, transaction);
    if let Some(reason) = verdict.get("result_reason") {
        object["state_reason"] = reason.clone();
    }
    Ok(Reply::json(StatusCode::OK, &object))
}

/// Currency and amount must be identical to those of the request.
fn agrees(grant: &Grant, body: &Value) -> Result<(), ApiError> {
    let mut error = ApiError::validation(Vec::new());
    let mut differs = false;
    let approved = grant.currency.map(|currency| currency.code().to_owned());
    let sent = body.get("currency").and_then(Value::as_str).map(str::to_ascii_uppercase);
    if approved.is_some() && approved != sent {
        error = error.field("currency", "must be the currency that the customer approved");
        differs = true;
    }
    if grant.amount.is_some() && grant.amount != body.get("payment_amount").and_then(Value::as_i64) {
        error = error.field("payment_amount", "must be the amount that the customer approved");
        differs = true;
    }
    if differs { Err(error) } else { Ok(()) }
}

/// A shipping address that is not the one that the customer chose is refused.
async fn shipping_agrees(tx: &mut Tx, account: &PartnerAccountId, grant: &Grant, body: &Value) -> Result<(), ApiError> {
    let sent = body.pointer("/supplementary_purchase_data/shipping").and_then(Value::as_array);
    let addresses: Vec<&Value> =
        sent.into_iter().flatten().filter_map(|shipping| shipping.get("address")).filter(|a| !a.is_null()).collect();
    if addresses.is_empty() {
        return Ok(());
    }
    let Some(request) = requests::behind_grant(tx, account, grant.id).await? else { return Ok(()) };
    let Some(chosen) = request.chosen_address() else { return Ok(()) };
    let chosen = serde_json::to_value(chosen).map_err(ApiError::internal)?;
    if addresses.into_iter().any(|address| *address == chosen) {
        return Ok(());
    }
    let reason = "must have the address that the customer chose";
    Err(ApiError::validation(Vec::new()).field("supplementary_purchase_data.shipping", reason))
}

/// The answer of the first time.
async fn repeated(tx: &mut Tx, account: &PartnerAccountId, grant: &Grant, body: &Value) -> Result<Reply, ApiError> {
    let spent = || forbidden("The customer's approval is spent.");
    let transaction = tokens::spent_by(tx, account, grant.id).await?.ok_or_else(spent)?;
    // What a refused attempt spent it on was never stored.
    let row = store::transaction(tx, account.as_str(), &transaction).await?.ok_or_else(spent)?;
    let sent = body.get("payment_transaction_reference").and_then(Value::as_str);
    if row.reference.as_deref() != sent {
        return Err(spent());
    }
    Ok(Reply::json(StatusCode::OK, &confirmed(grant.request.as_ref(), body, Some(&transaction))))
}

fn confirmed(request: Option<&PaymentRequestId>, body: &Value, transaction: Option<&str>) -> Value {
    let mut object = json!({
        "state": if transaction.is_some() { "AUTHORIZED" } else { "DECLINED" },
        "currency": body["currency"],
        "payment_amount": body["payment_amount"],
    });
    if let Some(request) = request {
        object["payment_request_id"] = json!(request);
    }
    if let Some(transaction) = transaction {
        object["state_context"] = json!({ "payment_transaction_id": transaction });
    }
    object
}

/// The same in the words of authorize.
fn authorization(body: &Value) -> Value {
    let mut call = json!({
        "currency": body["currency"],
        "request_payment_transaction": { "amount": body["payment_amount"] },
    });
    let wanted = [
        ("payment_transaction_reference", body.get("payment_transaction_reference")),
        ("capture", body.pointer("/config/capture")),
    ];
    for (name, value) in wanted {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            call["request_payment_transaction"][name] = value.clone();
        }
    }
    if let Some(data) = body.get("supplementary_purchase_data").filter(|data| !data.is_null()) {
        call["supplementary_purchase_data"] = data.clone();
    }
    call
}
