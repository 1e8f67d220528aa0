//! The calls to Klarna that payments make: written down before they are made, so that a crash at any moment is healed by making
//! the same call again with the same key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use kit::db::{DbError, Tx};
use kit::jobs::{self, NewJob};
use protocol::payments::{
    AuthorizeResponse, AuthorizeResult, Capture, PaymentRequest, PaymentTransaction, Refund, RequestState,
};
use protocol::{PaymentRequestId, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::body::CaptureMode;
use super::customer_token;
use super::payment::Event;
use super::record::Payment;
use crate::Ctx;
use crate::access::{PartnerCaller, PartnerRow};
use crate::klarna::origin::tag;
use crate::klarna::{self, Answer, CallError, Origin, Refusal, Trouble};
use crate::sealed::CALL_TOKEN;

/// The kind of the jobs that repeat calls.
pub const KIND: &str = "klarna_call";
/// The namespace of our idempotency keys.
const KEY_NAMESPACE: Uuid = Uuid::from_u128(0x8f0d_42c5_6a7b_4f0e_9d35_1c2b_7e61_a90f);

/// A call that is to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Intent {
    pub partner_id: String,
    /// The Partner's account at Klarna.
    pub account: String,
    /// The Partner's trade name, for the integration metadata.
    pub partner_name: String,
    pub payment_id: String,
    pub step: Step,
    /// Path segments after the account's.
    pub path: Vec<String>,
    /// JSON; absent for calls without a body.
    pub body: Option<String>,
    /// The session token, sealed, in base64.
    pub token: Option<String>,
    /// Our id of the customer token that goes with the call: it is sealed where it is kept.
    #[serde(default)]
    pub customer_token_id: Option<String>,
    /// Of the final authorize: the request that the customer approved.
    pub request_id: Option<String>,
    /// Who waits for the answer.
    pub answer_to: Option<AnswerTo>,
    /// The platform or plugin that the Partner called with. Absent in rows of earlier releases.
    #[serde(default)]
    pub origin: Origin,
}

/// The idempotency key that a Partner sent with the request behind the call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AnswerTo {
    pub scope: String,
    pub key: String,
}

/// Which call of a payment it is. Each happens at most once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Step {
    /// The first authorize.
    Authorize,
    /// The authorize after the customer approved.
    Finalize,
    Capture {
        id: String,
        release: bool,
    },
    Refund {
        id: String,
    },
    Void {
        id: String,
    },
    Update {
        id: String,
        changes: Changes,
    },
    Cancel {
        id: String,
    },
}

/// What an update changes here once Klarna took it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    pub amount: Option<i64>,
    pub reference: Option<String>,
    pub purchase: Map<String, Value>,
    pub metadata: Option<std::collections::BTreeMap<String, String>>,
    /// Whether it goes to the Payment Request, because there is no transaction yet.
    pub before_authorization: bool,
}

/// What Klarna answered, in terms of the payment.
#[derive(Debug)]
pub enum Verdict {
    Approved {
        transaction: Box<PaymentTransaction>,
        response_data: Option<String>,
        /// The one that was asked for, if it comes at once.
        customer_token: Option<SecretString>,
    },
    Declined {
        reason: Option<String>,
    },
    StepUp {
        request: Box<PaymentRequest>,
        response_data: Option<String>,
    },
    /// The final call came too late: this is what became of the request.
    RequestEnded(Event),
    Captured {
        klarna_id: String,
    },
    Refunded {
        klarna_id: String,
    },
    Transaction(Box<PaymentTransaction>),
    RequestUpdated {
        expires_at: Option<i64>,
    },
    RequestCanceled,
    Refused(Box<Refusal>),
}

impl Step {
    /// Unique within the payment, and stable: the idempotency key at Klarna is derived from it.
    pub fn name(&self) -> String {
        match self {
            Self::Authorize => "authorize".to_owned(),
            Self::Finalize => "finalize".to_owned(),
            Self::Capture { id, .. }
            | Self::Refund { id }
            | Self::Void { id }
            | Self::Update { id, .. }
            | Self::Cancel { id } => id.clone(),
        }
    }

    fn operation_name(&self) -> &'static str {
        match self {
            Self::Authorize | Self::Finalize => "authorize",
            Self::Capture { .. } => "capture",
            Self::Refund { .. } => "refund",
            Self::Void { .. } => "void",
            Self::Update { changes, .. } if changes.before_authorization => "update_request",
            Self::Update { .. } => "update_transaction",
            Self::Cancel { .. } => "cancel_request",
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Update { .. } => Method::PATCH,
            Self::Cancel { .. } => Method::DELETE,
            _ => Method::POST,
        }
    }
}

impl Intent {
    /// A call for a payment.
    pub fn new(caller: &PartnerCaller, payment_id: &str, step: Step, path: &[&str], body: Option<&Value>) -> Self {
        Self {
            partner_id: caller.partner_id.clone(),
            account: caller.klarna_account_id.clone(),
            partner_name: caller.name.clone(),
            payment_id: payment_id.to_owned(),
            step,
            path: path.iter().map(|segment| (*segment).to_owned()).collect(),
            body: body.map(Value::to_string),
            token: None,
            customer_token_id: None,
            request_id: None,
            answer_to: None,
            origin: caller.origin.clone(),
        }
    }

    /// The key of the job that repeats it.
    pub fn job_key(&self) -> String {
        format!("{}/{}/{}", self.partner_id, self.payment_id, self.step.name())
    }

    /// `Klarna-Idempotency-Key`: the same after a crash, and for whoever makes the call.
    pub fn idempotency_key(&self) -> Uuid {
        Uuid::new_v5(&KEY_NAMESPACE, format!("{}/{}", self.payment_id, self.step.name()).as_bytes())
    }

    /// The same Partner, looking.
    fn looker(&self) -> Looker {
        Looker {
            account: self.account.clone(),
            partner: tag(&self.partner_name, &self.partner_id),
            origin: self.origin.clone(),
        }
    }

    /// Seals the session token that goes with the call.
    #[must_use]
    pub fn with_token(mut self, ctx: &Ctx, token: Option<&SecretString>) -> Self {
        let id = self.job_key();
        let place = CALL_TOKEN.place(&[&id]);
        self.token = token.map(|token| STANDARD.encode(ctx.secrets.seal(place, token.expose_secret().as_bytes())));
        self
    }

    /// Writes the intent: a job that repeats the call at `due_at`, unless it is settled before.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn enqueue(&self, tx: &mut Tx, due_at: i64, now: i64) -> Result<bool, DbError> {
        let payload = serde_json::to_string(self).expect("texts always serialize");
        jobs::enqueue(tx, &NewJob { kind: KIND, key: &self.job_key(), payload: &payload, due_at }, now).await
    }

    /// Makes the call and reads the answer. `repeated` if it may have been made before.
    ///
    /// # Errors
    /// [`CallError::NotSent`] or [`CallError::Unknown`]; a refusal is a [`Verdict`].
    pub async fn send(&self, ctx: &Ctx, repeated: bool) -> Result<Verdict, CallError> {
        let mut operation =
            klarna::Operation::on_account(self.step.operation_name(), self.step.method(), &self.account, &[])
                .key(self.idempotency_key());
        operation.path.extend(self.path.iter().cloned());
        operation.body = self.body.clone().map(Into::into);
        operation.originator = Some(tag(&self.partner_name, &self.partner_id));
        operation.origin = self.origin.clone();
        operation.correlation_id = Some(self.payment_id.clone());
        operation.repeated = repeated;
        if let Some(token) = &self.token {
            operation.session_token = Some(self.open_token(ctx, token)?);
        }
        if let Some(token_id) = &self.customer_token_id {
            operation.customer_token = Some(customer_token::reveal(ctx, &self.partner_id, token_id).await?);
        }
        let verdict = match ctx.klarna.send(&operation).await {
            Ok(answer) => self.read(&answer)?,
            // The customer has approved already, and it is our own key that the network does not know: an operator mends that, and
            // the same call then goes through.
            Err(CallError::Refused(refusal))
                if self.step == Step::Finalize && refusal.status == StatusCode::UNAUTHORIZED =>
            {
                tracing::error!(payment.id = %self.payment_id, "the network refuses our API key; approved payments wait");
                return Err(CallError::Refused(refusal));
            }
            Err(CallError::Refused(refusal)) => Verdict::Refused(refusal),
            Err(error) => return Err(error),
        };
        match (&self.step, verdict) {
            (Step::Finalize, Verdict::Refused(refusal)) => Ok(self.why_refused(ctx, refusal).await),
            (_, verdict) => Ok(verdict),
        }
    }

    fn open_token(&self, ctx: &Ctx, token: &str) -> Result<SecretString, CallError> {
        let id = self.job_key();
        let sealed = STANDARD.decode(token).ok();
        let opened = sealed.and_then(|sealed| ctx.secrets.open(CALL_TOKEN.place(&[&id]), &sealed).ok());
        let text = opened.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        // A missing master key: nothing may be sent without the token.
        let unreadable =
            || CallError::NotSent(Trouble::Unreadable { status: 0, reason: "a sealed token does not open".into() });
        text.map(SecretString::from).ok_or_else(unreadable)
    }

    /// A refused final call may mean that the request ended meanwhile: one look tells, and saves a guess.
    async fn why_refused(&self, ctx: &Ctx, refusal: Box<Refusal>) -> Verdict {
        let Some(id) = &self.request_id else { return Verdict::Refused(refusal) };
        match read_request(ctx, &self.looker(), id).await {
            Ok(request) => match ended(&request) {
                Some(event) => Verdict::RequestEnded(event),
                None => Verdict::Refused(refusal),
            },
            Err(_) => Verdict::Refused(refusal),
        }
    }

    fn read(&self, answer: &Answer) -> Result<Verdict, CallError> {
        let lacks = |what: &str| {
            CallError::Unknown(Trouble::Unreadable {
                status: answer.status.as_u16(),
                reason: format!("it has no {what}"),
            })
        };
        match &self.step {
            Step::Authorize | Step::Finalize => read_authorization(answer.json()?, &lacks),
            Step::Capture { .. } => {
                let capture: Capture = answer.json()?;
                let klarna_id = capture.payment_capture_id.ok_or_else(|| lacks("payment_capture_id"))?;
                Ok(Verdict::Captured { klarna_id: klarna_id.to_string() })
            }
            Step::Refund { .. } => {
                let refund: Refund = answer.json()?;
                let klarna_id = refund.payment_refund_id.ok_or_else(|| lacks("payment_refund_id"))?;
                Ok(Verdict::Refunded { klarna_id: klarna_id.to_string() })
            }
            Step::Update { changes, .. } if changes.before_authorization => {
                let request: PaymentRequest = answer.json()?;
                Ok(Verdict::RequestUpdated { expires_at: request.expires_at.map(|time| time.as_micros()) })
            }
            Step::Void { .. } | Step::Update { .. } => {
                let transaction: PaymentTransaction = answer.json()?;
                if transaction.payment_transaction_id.is_none() {
                    return Err(lacks("payment_transaction_id"));
                }
                Ok(Verdict::Transaction(Box::new(transaction)))
            }
            Step::Cancel { .. } => Ok(Verdict::RequestCanceled),
        }
    }
}

fn read_authorization(answer: AuthorizeResponse, lacks: &dyn Fn(&str) -> CallError) -> Result<Verdict, CallError> {
    let response_data = answer.klarna_network_response_data;
    let response = answer.payment_transaction_response.ok_or_else(|| lacks("payment_transaction_response"))?;
    match response.result {
        Some(AuthorizeResult::Approved) => {
            let transaction = response.payment_transaction.ok_or_else(|| lacks("payment_transaction"))?;
            if transaction.payment_transaction_id.is_none() {
                return Err(lacks("payment_transaction_id"));
            }
            let response_data = response_data.or_else(|| transaction.klarna_network_response_data.clone());
            let customer_token = answer.customer_token_response.and_then(|response| response.customer_token);
            let customer_token = customer_token.map(|token| SecretString::from(token.as_str().to_owned()));
            Ok(Verdict::Approved { transaction, response_data, customer_token })
        }
        Some(AuthorizeResult::Declined) => {
            Ok(Verdict::Declined { reason: response.result_reason.map(|reason| reason.to_string()) })
        }
        Some(AuthorizeResult::StepUpRequired) => {
            let request = answer.payment_request.ok_or_else(|| lacks("payment_request"))?;
            if request.id().is_none() || request.url().is_none() {
                return Err(lacks("payment_request_id and payment_request_url"));
            }
            let response_data = response_data.or_else(|| request.klarna_network_response_data.clone());
            Ok(Verdict::StepUp { request, response_data })
        }
        // Neither ship nor decline (RULINGS "Unknown values").
        Some(AuthorizeResult::Unknown(_)) | None => Err(lacks("result that is known")),
    }
}

/// What a request that is over means for its payment.
pub fn ended(request: &PaymentRequest) -> Option<Event> {
    match request.state.as_ref()? {
        RequestState::Declined => Some(Event::Declined),
        RequestState::Canceled => Some(Event::Canceled),
        RequestState::Expired => Some(Event::RequestExpired),
        RequestState::Submitted | RequestState::InProgress | RequestState::Completed | RequestState::Unknown(_) => None,
    }
}

/// In whose name something is looked up.
#[derive(Clone, Debug)]
pub struct Looker {
    account: String,
    partner: header::Integration,
    origin: Origin,
}

impl Looker {
    /// For a Partner's payment.
    pub fn new(partner: &PartnerRow, payment: &Payment) -> Self {
        Self {
            account: partner.klarna_account_id.clone(),
            partner: tag(&partner.name, &partner.partner_id),
            origin: payment.detail.origin.clone(),
        }
    }

    fn operation(&self, name: &'static str, path: &[&str]) -> klarna::Operation {
        let mut operation = klarna::Operation::on_account(name, Method::GET, &self.account, path);
        operation.originator = Some(self.partner.clone());
        operation.origin = self.origin.clone();
        operation
    }
}

/// Reads a Payment Request.
///
/// # Errors
/// [`CallError`].
pub async fn read_request(ctx: &Ctx, looker: &Looker, request_id: &str) -> Result<PaymentRequest, CallError> {
    ctx.klarna.send(&looker.operation("read_request", &["payment", "requests", request_id])).await?.json()
}

/// Reads a Payment Transaction.
///
/// # Errors
/// [`CallError`].
pub async fn read_transaction(
    ctx: &Ctx,
    looker: &Looker,
    transaction_id: &str,
) -> Result<PaymentTransaction, CallError> {
    ctx.klarna.send(&looker.operation("read_transaction", &["payment", "transactions", transaction_id])).await?.json()
}

/// Body of the authorize calls: the first one with the purchase and, where the customer can be sent somewhere, the step-up; the
/// final one repeats currency, amount and reference (fact sheet 03 §4.3).
pub fn authorize_body(payment: &Payment, caller_account: Option<&str>, first: Option<FirstCall<'_>>) -> Value {
    let mut transaction = json!({
        "amount": payment.books.amount,
        "payment_transaction_reference": payment.payment_id,
    });
    if let Some(option) = &payment.detail.payment_option_id {
        transaction["payment_option_id"] = json!(option);
    }
    if payment.capture_mode == CaptureMode::Automatic {
        transaction["capture"] = json!("NOW");
        transaction["payment_capture_reference"] = json!(payment.detail.automatic_capture_id);
    }
    let mut body = json!({ "currency": payment.currency, "request_payment_transaction": transaction });
    if let Some(account) = caller_account {
        body["acquiring_config"] = json!({ "payment_account_id": account });
    }
    if let Some(data) = &payment.detail.network_data {
        body[data.wire_name()] = json!(data.value);
    }
    if let Some(first) = first {
        if let Some(asked) = &payment.detail.request_customer_token {
            body["request_customer_token"] = json!(asked);
        }
        if !first.purchase.is_empty() {
            body["supplementary_purchase_data"] = Value::Object(first.purchase.clone());
        }
        if let Some(return_url) = first.return_url {
            let mut interaction = json!({ "method": "HANDOVER", "return_url": return_url });
            if let Some(url) = &payment.detail.app_return_url {
                interaction["app_return_url"] = json!(url);
            }
            if let Some(expiry) = first.interaction_expiry {
                interaction["interaction_expiry"] = expiry.clone();
            }
            body["step_up_config"] =
                json!({ "payment_request_reference": payment.payment_id, "customer_interaction_config": interaction });
        }
    }
    body
}

/// What only the first authorize says.
#[derive(Clone, Copy, Debug)]
pub struct FirstCall<'a> {
    pub purchase: &'a Map<String, Value>,
    /// Ours, with Klarna's placeholders.
    pub return_url: Option<&'a str>,
    pub interaction_expiry: Option<&'a Value>,
}

/// The final authorize of a payment whose customer approved.
pub fn finalize(
    ctx: &Ctx,
    partner: &PartnerCaller,
    payment: &Payment,
    request_id: &PaymentRequestId,
    token: &SecretString,
) -> Intent {
    let body = authorize_body(payment, partner.payment_account_id.as_deref(), None);
    let mut intent = Intent::new(partner, &payment.payment_id, Step::Finalize, &["payment", "authorize"], Some(&body))
        .with_token(ctx, Some(token));
    intent.request_id = Some(request_id.to_string());
    intent.origin = payment.detail.origin.clone();
    intent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_a_payment_has_a_key_of_its_own_that_never_changes() {
        let caller = PartnerCaller {
            partner_id: "par_1".into(),
            name: "Ada".into(),
            klarna_account_id: "krn:partner:global:account:test:MQ7R2T9A".into(),
            payment_account_id: None,
            suspended: false,
            suspension: None,
            origin: Origin::default(),
        };
        let intent = |step| Intent::new(&caller, "pay_1", step, &[], None).idempotency_key();
        assert_eq!(intent(Step::Authorize), intent(Step::Authorize));
        assert_ne!(intent(Step::Authorize), intent(Step::Finalize));
        assert_ne!(intent(Step::Refund { id: "ref_1".into() }), intent(Step::Refund { id: "ref_2".into() }));
    }
}
