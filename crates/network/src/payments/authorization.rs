//! Authorization: the one call that charges, in both entries (with a customer's approval, or first of all), decided in the order
//! of RULINGS "Authorize, in order". Steps 1 (replay) and 2 (shape) have happened when [`authorize`] begins.

use http::StatusCode;
use kit::db::Tx;
use kit::http::ApiError;
use protocol::krn::Region;
use protocol::payments::{
    AuthorizeResult, CreatePaymentRequest, CustomerTokenResponse, PaymentTransactionResponse, RequestCustomerToken,
    ResultReason, StepUpConfig, TokenScope,
};
use protocol::{AuthorizeRequest, Currency, CustomerToken, PartnerAccountId, PaymentTransactionId, check_purchase_sum};
use serde_json::{Value, json};

use super::bodies;
use super::payment_request;
use super::requests::{self, Submission};
use super::transaction::{CaptureCommand, PaymentTransaction};
use super::transactions::{self, Description};
use super::verdict::Persona;
use crate::accounts;
use crate::ctx::Ctx;
use crate::operation::{Reply, invalid};
use crate::tokens::{
    self, Brought, CUSTOMER_TOKEN_HEADER, Grant, NewCustomerToken, Presented, Spending, StoredCustomer,
};

const PURCHASE_DATA: &str = "supplementary_purchase_data";

/// A call that has passed its shape. Only what decides is read out of the body: the hot path does not rebuild the rest.
#[derive(Clone, Debug)]
pub(super) struct Command {
    body: Value,
    currency: Currency,
    /// Minor units; `None` without `request_payment_transaction`.
    amount: Option<i64>,
    wants_token: bool,
    has_step_up: bool,
    presented: Presented,
    brought: Brought,
}

impl Command {
    /// Reads a body that has passed its shape.
    ///
    /// # Errors
    /// 400 when the line items do not add up.
    pub(super) fn new(body: Value, presented: Presented, brought: Brought) -> Result<Self, ApiError> {
        let currency = body.get("currency").and_then(Value::as_str).and_then(|code| code.parse().ok());
        let currency = currency.ok_or_else(|| ApiError::internal("the shape requires a currency"))?;
        let amount = body.pointer("/request_payment_transaction/amount").and_then(Value::as_i64);
        if let Some(fault) = amount.and_then(|amount| check_purchase_sum(&body, amount)) {
            return Err(invalid(vec![fault]));
        }
        let mut command = Self { body, currency, amount, wants_token: false, has_step_up: false, presented, brought };
        command.wants_token = command.given("request_customer_token").is_some();
        command.has_step_up = command.given("step_up_config").is_some();
        Ok(command)
    }

    /// A member of the body, unless it is null.
    fn given(&self, name: &str) -> Option<&Value> {
        self.body.get(name).filter(|member| !member.is_null())
    }

    /// What the transaction keeps and shows as it came.
    fn carried(&self) -> Option<String> {
        const HERE: [&str; 4] =
            ["klarna_network_data", "interoperability_data", "point_of_checkout", "point_of_transaction"];
        const WITHIN: [&str; 2] = ["payment_option_id", "payment_program_enablement_codes"];
        let wanted = self.body.get("request_payment_transaction");
        let here = HERE.into_iter().filter_map(|name| Some((name, self.body.get(name)?)));
        let within = WITHIN.into_iter().filter_map(|name| Some((name, wanted?.get(name)?)));
        bodies::carried_of(here.chain(within))
    }

    /// Whether the answer may hold a token.
    pub(super) fn answers_secrets(&self) -> bool {
        self.wants_token || self.has_step_up
    }

    /// The body, for telling repeated calls from others.
    pub(super) fn body(&self) -> &Value {
        &self.body
    }

    /// The persona that the purchase data names.
    fn purchase_persona(&self) -> Option<Persona> {
        let email = self.body.pointer("/supplementary_purchase_data/customer/email").and_then(Value::as_str);
        email.and_then(Persona::of_email)
    }
}

/// What the customer approved, where the final call leaves it out: that call need repeat no more than currency, amount and
/// reference (sheet 03 §4.3). Ours: what it does send stands in its place.
#[derive(Default)]
struct Approved {
    acquiring_config: Option<Value>,
    purchase_data: Option<Value>,
}

impl Approved {
    /// Looks only where something is missing: the hot path brings it all.
    async fn of(tx: &mut Tx, account: &PartnerAccountId, command: &Command) -> Result<Self, ApiError> {
        let Presented::Grant { id, .. } = &command.presented else { return Ok(Self::default()) };
        if command.given("acquiring_config").is_some() && command.given(PURCHASE_DATA).is_some() {
            return Ok(Self::default());
        }
        let Some(request) = requests::behind_grant(tx, account, *id).await? else { return Ok(Self::default()) };
        let settlement = request.body.acquiring_config.as_ref().and_then(|config| config.settlement_currency);
        let mut acquiring_config = json!({ "payment_account_id": request.payment_account_id });
        if let Some(currency) = settlement {
            acquiring_config["settlement_currency"] = currency.code().into();
        }
        let data = request.body.supplementary_purchase_data.as_ref();
        let purchase_data = data.map(serde_json::to_value).transpose().map_err(ApiError::internal)?;
        Ok(Self { acquiring_config: Some(acquiring_config), purchase_data })
    }
}

/// What speaks for the customer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Evidence {
    /// A grant, spent by this very call.
    Grant(Box<Grant>),
    /// A stored customer of this account.
    Customer(StoredCustomer),
    /// Nothing.
    Nobody,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// The persona decides.
    Verdict(Persona),
    /// Refused without a verdict.
    Declined(Refused),
    /// The customer must be asked.
    StepUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Revoked,
    StepUpNotPossible,
}

/// Steps 4 to 8, once it is known what speaks for the customer.
fn decide(evidence: &Evidence, purchase: Option<Persona>, wants_token: bool, has_step_up: bool) -> Decision {
    match evidence {
        Evidence::Grant(grant) => return Decision::Verdict(grant.persona.or(purchase).unwrap_or_default()),
        Evidence::Customer(customer) if customer.is_revoked => return Decision::Declined(Refused::Revoked),
        // A new token needs the customer's consent, so a stored one does not do.
        Evidence::Customer(customer) if !wants_token && customer.allows(&TokenScope::CustomerNotPresent) => {
            return Decision::Verdict(customer.persona.or(purchase).unwrap_or_default());
        }
        Evidence::Customer(_) | Evidence::Nobody => {}
    }
    if has_step_up { Decision::StepUp } else { Decision::Declined(Refused::StepUpNotPossible) }
}

/// How a unit of work ends.
pub(super) enum Authorized {
    /// With an answer.
    Answer(Reply),
    /// The persona wants this many seconds first: nothing was written, call again with `waited`.
    Wait(u16),
}

/// Authorizes, in one transaction with everything that follows from it.
pub(super) async fn authorize(
    tx: &mut Tx,
    ctx: &Ctx,
    on: (&PartnerAccountId, &str),
    command: &Command,
    waited: bool,
) -> Result<Authorized, ApiError> {
    let (account, _) = on;
    let now = ctx.clock.now();
    // 3
    let approved = Approved::of(tx, account, command).await?;
    let acquiring_config = command.given("acquiring_config").or(approved.acquiring_config.as_ref());
    let payment_account = accounts::resolve_payment_account(tx, account, acquiring_config).await?;
    payment_account.require_enabled_product()?;
    // 4 to 6
    let region = Region::for_currency(&command.currency);
    let id = PaymentTransactionId::new(region, ctx.random.id(now));
    let evidence = evidence(tx, account, command, id.as_str(), now).await?;
    let purchase = command.purchase_persona();
    match decide(&evidence, purchase, command.wants_token, command.has_step_up) {
        Decision::Verdict(persona) if persona.wait_s() > 0 && !waited => Ok(Authorized::Wait(persona.wait_s())),
        Decision::Verdict(persona) if !persona.approves() => {
            Ok(Authorized::Answer(declined(command, ResultReason::RiskDeclined)))
        }
        Decision::Verdict(persona) => {
            let approval = Approval {
                tx,
                ctx,
                on,
                command,
                approved: &approved,
                payment_account: &payment_account,
                evidence: &evidence,
            };
            approval.approve(id, persona, now).await.map(Authorized::Answer)
        }
        Decision::Declined(Refused::Revoked) => {
            Ok(Authorized::Answer(declined(command, ResultReason::CustomerTokenRevoked)))
        }
        Decision::Declined(Refused::StepUpNotPossible) => {
            Ok(Authorized::Answer(declined(command, ResultReason::StepUpNotPossible)))
        }
        Decision::StepUp => {
            let recognised = match evidence {
                Evidence::Customer(customer) => Some(customer),
                Evidence::Nobody => requests::recognised(tx, ctx, on.0, &command.brought).await?,
                Evidence::Grant(_) => None,
            };
            let who = (&payment_account, recognised);
            step_up(tx, ctx, on, command, who, now).await.map(Authorized::Answer)
        }
    }
}

async fn evidence(
    tx: &mut Tx,
    account: &PartnerAccountId,
    command: &Command,
    spent_by: &str,
    now: i64,
) -> Result<Evidence, ApiError> {
    let want = (command.currency, command.amount);
    match tokens::spend(tx, account, &command.presented, want, Some(spent_by), now).await? {
        Spending::Spent(grant) => return Ok(Evidence::Grant(grant)),
        Spending::Not { header, why } if !command.has_step_up => {
            let reason = format!("cannot be spent: {}", why.as_str());
            return Err(ApiError::validation(Vec::new()).field(header, reason));
        }
        Spending::Not { .. } | Spending::Nothing => {}
    }
    let Some(token) = command.brought.customer_token() else { return Ok(Evidence::Nobody) };
    match tokens::find_customer_token(tx, token).await? {
        Some(customer) if customer.account == *account => Ok(Evidence::Customer(customer)),
        // Absent and foreign look the same.
        _ => Err(ApiError::validation(Vec::new()).field(CUSTOMER_TOKEN_HEADER, "is unknown")),
    }
}

struct Approval<'a> {
    tx: &'a mut Tx,
    ctx: &'a Ctx,
    on: (&'a PartnerAccountId, &'a str),
    command: &'a Command,
    approved: &'a Approved,
    payment_account: &'a accounts::PaymentAccountRow,
    evidence: &'a Evidence,
}

impl Approval<'_> {
    async fn approve(self, id: PaymentTransactionId, persona: Persona, now: i64) -> Result<Reply, ApiError> {
        let Self { tx, ctx, on, command, approved, payment_account, evidence } = self;
        let grant = match evidence {
            Evidence::Grant(grant) => Some(&**grant),
            Evidence::Customer(_) | Evidence::Nobody => None,
        };
        // Put together as text: the transaction is the larger part, and comes as text.
        let mut answer = String::with_capacity(1024);
        answer.push('{');
        if let Some(amount) = command.amount {
            let wanted = command.body.get("request_payment_transaction");
            let text = |name: &str| wanted.and_then(|wanted| wanted.get(name)).and_then(Value::as_str);
            let capture = (text("capture") == Some("NOW")).then(|| CaptureCommand {
                reference: text("payment_capture_reference").map(str::to_owned),
                ..CaptureCommand::default()
            });
            let money = (command.currency, amount);
            let guaranteed = payment_account.guaranteed;
            let decided = PaymentTransaction::authorize(id, money, guaranteed, persona.settled(), capture, now);
            let acquiring_config = command.given("acquiring_config").or(approved.acquiring_config.as_ref());
            let settlement = acquiring_config.and_then(|config| config.get("settlement_currency")?.as_str());
            let description = Description {
                account: on.0,
                payment_account,
                reference: text("payment_transaction_reference"),
                request: grant.and_then(|grant| grant.request.as_ref()),
                settlement_currency: settlement.and_then(|code| code.parse().ok()),
                purchase_data: command.given(PURCHASE_DATA).or(approved.purchase_data.as_ref()),
                carried: command.carried(),
            };
            let transaction = transactions::insert(tx, ctx, on.1, description, decided).await?;
            answer.push_str("\"payment_transaction_response\":{\"result\":\"APPROVED\",\"payment_transaction\":");
            answer.push_str(&transaction);
            answer.push('}');
        }
        if command.wants_token {
            let response = customer_token(tx, ctx, on.0, command, grant, persona, now).await?;
            if answer.len() > 1 {
                answer.push(',');
            }
            answer.push_str("\"customer_token_response\":");
            answer.push_str(&serde_json::to_string(&response).map_err(ApiError::internal)?);
        }
        answer.push('}');
        Ok(Reply { status: StatusCode::OK, body: answer.into() })
    }
}

/// The token that came with the approval, or a new one.
async fn customer_token(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    command: &Command,
    grant: Option<&Grant>,
    persona: Persona,
    now: i64,
) -> Result<CustomerTokenResponse, ApiError> {
    let response = |customer: Option<String>, scopes: Vec<TokenScope>, token: CustomerToken| CustomerTokenResponse {
        result: Some(AuthorizeResult::Approved),
        customer_token: Some(token),
        customer_token_reference: customer,
        scopes: Some(scopes),
        ..CustomerTokenResponse::default()
    };
    if let Some(id) = grant.and_then(|grant| grant.customer_token_id.as_deref())
        && let Some((customer, token)) = tokens::customer_token(tx, ctx, account, id).await?
    {
        return Ok(response(customer.reference, customer.scopes, token));
    }
    let wanted = command.body.get("request_customer_token").cloned().unwrap_or_default();
    let wanted: RequestCustomerToken = serde_json::from_value(wanted).map_err(ApiError::internal)?;
    let scopes = wanted.scopes.unwrap_or_else(|| vec![TokenScope::CustomerPresent]);
    let new = NewCustomerToken {
        account,
        region: Region::for_currency(&command.currency),
        reference: wanted.customer_token_reference.as_deref(),
        scopes: &scopes,
        persona: Some(persona),
        customer_id: None,
    };
    let (_, token) = tokens::issue_customer_token(tx, ctx, &new, now).await?;
    Ok(response(wanted.customer_token_reference, scopes, token))
}

/// An HTTP 200: a refusal of credit is a result.
fn declined(command: &Command, reason: ResultReason) -> Reply {
    let payment = command.amount.map(|_| PaymentTransactionResponse {
        result: Some(AuthorizeResult::Declined),
        result_reason: Some(reason.clone()),
        ..PaymentTransactionResponse::default()
    });
    let token = command.wants_token.then(|| CustomerTokenResponse {
        result: Some(AuthorizeResult::Declined),
        result_reason: Some(reason),
        ..CustomerTokenResponse::default()
    });
    answer(payment, token, None)
}

/// Makes the Payment Request that the customer is to be sent to.
async fn step_up(
    tx: &mut Tx,
    ctx: &Ctx,
    on: (&PartnerAccountId, &str),
    command: &Command,
    (payment_account, recognised): (&accounts::PaymentAccountRow, Option<StoredCustomer>),
    now: i64,
) -> Result<Reply, ApiError> {
    let call: AuthorizeRequest = serde_json::from_value(command.body.clone())
        .map_err(|error| ApiError::validation(Vec::new()).field("body", error.to_string()))?;
    let config: StepUpConfig = call.step_up_config.unwrap_or_default();
    let expiry = config.customer_interaction_config.as_ref().and_then(|config| config.interaction_expiry.as_ref());
    let beside = config.payment_request_expires_at.map(|at| ("step_up_config.payment_request_expires_at", at));
    let at = "step_up_config.customer_interaction_config";
    let expires_at = payment_request::expiry(expiry, at, beside, now).map_err(|fault| invalid(vec![fault]))?;
    let wanted = call.request_payment_transaction.unwrap_or_default();
    let body = CreatePaymentRequest {
        currency: Some(command.currency),
        amount: command.amount,
        payment_request_reference: config.payment_request_reference,
        payment_option_id: wanted.payment_option_id,
        supplementary_purchase_data: call.supplementary_purchase_data,
        request_customer_token: call.request_customer_token,
        customer_interaction_config: config.customer_interaction_config,
        acquiring_config: call.acquiring_config,
        point_of_checkout: config.point_of_checkout.or(call.point_of_checkout),
        point_of_transaction: config.point_of_transaction.or(call.point_of_transaction),
        payment_program_enablement_codes: wanted.payment_program_enablement_codes,
        klarna_network_data: call.klarna_network_data,
        interoperability_data: call.interoperability_data,
        ..CreatePaymentRequest::default()
    };
    let submission = Submission { payment_account, expires_at, recognised };
    let stored = requests::submit(tx, ctx, on, body, submission).await?;
    let request = stored.render(tx, ctx).await?;
    let payment = command.amount.map(|_| PaymentTransactionResponse {
        result: Some(AuthorizeResult::StepUpRequired),
        ..PaymentTransactionResponse::default()
    });
    let token = command.wants_token.then(|| CustomerTokenResponse {
        result: Some(AuthorizeResult::StepUpRequired),
        ..CustomerTokenResponse::default()
    });
    Ok(answer(payment, token, Some(Box::new(request))))
}

fn answer(
    payment: Option<PaymentTransactionResponse>,
    token: Option<CustomerTokenResponse>,
    request: Option<Box<protocol::PaymentRequest>>,
) -> Reply {
    let response = protocol::AuthorizeResponse {
        payment_transaction_response: payment,
        customer_token_response: token,
        payment_request: request,
        ..protocol::AuthorizeResponse::default()
    };
    Reply::json(StatusCode::OK, &response)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::tokens::GrantKind;

    fn account() -> PartnerAccountId {
        PartnerAccountId::new_test("MQ7R2T9A")
    }

    fn grant(persona: Option<Persona>) -> Evidence {
        Evidence::Grant(Box::new(Grant {
            id: Uuid::from_u128(1),
            account: account(),
            kind: GrantKind::Payment,
            region: Region::Eu1,
            request: None,
            customer_token_id: None,
            currency: Some(Currency::EUR),
            amount: Some(100),
            persona,
            issued_at: 0,
        }))
    }

    fn customer(scopes: &[TokenScope], is_revoked: bool) -> Evidence {
        Evidence::Customer(StoredCustomer {
            id: "1".into(),
            account: account(),
            reference: None,
            scopes: scopes.to_vec(),
            persona: Some(Persona::Approved),
            customer_id: None,
            is_revoked,
            issued_at: 0,
        })
    }

    #[test]
    fn the_order_of_the_rulings_decides() {
        use Decision::*;
        let not_present = [TokenScope::CustomerPresent, TokenScope::CustomerNotPresent];
        let present = [TokenScope::CustomerPresent];
        let denied = Some(Persona::Denied);
        let cases = [
            // evidence, purchase, wants token, step-up possible
            (grant(denied), None, false, true, Verdict(Persona::Denied)),
            (grant(None), denied, true, false, Verdict(Persona::Denied)),
            (grant(Some(Persona::NewUser)), denied, false, false, Verdict(Persona::NewUser)),
            (customer(&not_present, false), denied, false, false, Verdict(Persona::Approved)),
            (customer(&not_present, false), None, false, true, Verdict(Persona::Approved)),
            (customer(&not_present, false), None, true, true, StepUp),
            (customer(&not_present, false), None, true, false, Declined(Refused::StepUpNotPossible)),
            (customer(&present, false), None, false, true, StepUp),
            (customer(&present, false), None, false, false, Declined(Refused::StepUpNotPossible)),
            (customer(&not_present, true), None, false, true, Declined(Refused::Revoked)),
            (Evidence::Nobody, denied, false, true, StepUp),
            (Evidence::Nobody, None, true, false, Declined(Refused::StepUpNotPossible)),
        ];
        for (evidence, purchase, wants_token, has_step_up, decision) in cases {
            let decided = decide(&evidence, purchase, wants_token, has_step_up);
            assert_eq!(decided, decision, "{evidence:?} {purchase:?} {wants_token} {has_step_up}");
        }
    }
}
