//! The shop's server talks to the gateway: the few calls that a Partner needs.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use kit::outbound::{UpstreamConfig, upstream_client};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// Ours: a shopper waits no longer.
const DEADLINE: Duration = Duration::from_secs(30);

/// A client of the gateway's REST API.
#[derive(Clone, Debug)]
pub struct Gateway {
    http: reqwest::Client,
    base: Url,
    api_key: SecretString,
}

/// What the shop reads of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Payment {
    pub id: String,
    pub state: String,
    /// Minor units, as all amounts here.
    pub amount: i64,
    pub currency: String,
    pub reference: Option<String>,
    pub captured_amount: i64,
    pub refunded_amount: i64,
    pub voided_amount: i64,
    pub remaining_amount: i64,
    pub next_action: Option<NextAction>,
    pub decline_reason: Option<String>,
    /// Why Klarna refused the call itself.
    pub failure: Option<FailureOfCall>,
    #[serde(default)]
    pub klarna: KlarnaIds,
    /// What we wrote there ourselves.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Payment {
    /// Where the shopper goes on, if it is their turn.
    pub fn waits_at(&self) -> Option<&str> {
        self.next_action.as_ref()?.url.as_deref()
    }
}

/// Klarna's names for it, once there are any.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
pub struct KlarnaIds {
    pub payment_transaction_id: Option<String>,
}

/// What Klarna said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FailureOfCall {
    pub error_message: String,
}

/// A customer's leave to be charged again, under the gateway's name for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CustomerToken {
    pub id: String,
    pub state: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

impl CustomerToken {
    pub fn is_active(&self) -> bool {
        self.state == "ACTIVE"
    }
}

/// How far a capture, refund or void is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Done,
    /// Accepted; Klarna's answer is outstanding.
    Pending,
}

/// Where the shopper goes next.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NextAction {
    pub url: Option<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    #[serde(rename = "type")]
    pub event_type: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct CheckoutSession {
    url: Option<String>,
}

#[derive(Deserialize)]
struct CustomerTokens {
    customer_tokens: Vec<CustomerToken>,
}

#[derive(Deserialize)]
struct Payments {
    payments: Vec<Payment>,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The gateway said no; nothing happened.
    #[error("the gateway refused: {status} {code}")]
    Refused {
        status: u16,
        code: String,
        message: String,
        /// Field and reason.
        fields: Vec<(String, String)>,
        error_id: Option<String>,
    },
    /// No answer, or none that can be read: whether something happened is not known.
    #[error("the gateway did not answer")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl GatewayError {
    /// Whether the payment does not exist (for this Partner).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the same request is being worked on, or was made with another body.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409 | 422, .. })
    }

    /// Whether something in the request is wrong.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { status: 400, .. })
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error_code: Option<String>,
    error_message: Option<String>,
    error_id: Option<String>,
    #[serde(default)]
    validation_errors: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    parameter: Option<String>,
    reason: Option<String>,
}

impl Gateway {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(base: Url, api_key: SecretString) -> Result<Self, kit::outbound::ClientError> {
        let config = UpstreamConfig { timeout: DEADLINE, ..UpstreamConfig::default() };
        Ok(Self { http: upstream_client(config)?, base, api_key })
    }

    /// `POST /v1/payments`.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn create(&self, body: &Value, idempotency_key: &str) -> Result<Payment, GatewayError> {
        self.call(Method::POST, &["v1", "payments"], &[], Some((body, idempotency_key))).await
    }

    /// `POST /v1/checkout-sessions`: where the gateway's page for an order is, while it can be paid there.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn check_out(&self, body: &Value, idempotency_key: &str) -> Result<Option<String>, GatewayError> {
        let path = ["v1", "checkout-sessions"];
        let session: CheckoutSession = self.call(Method::POST, &path, &[], Some((body, idempotency_key))).await?;
        Ok(session.url)
    }

    /// `GET /v1/payments/{id}`.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn payment(&self, id: &str) -> Result<Payment, GatewayError> {
        self.call(Method::GET, &["v1", "payments", id], &[], None).await
    }

    /// The payments with a reference, newest first.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn payments_of(&self, reference: &str) -> Result<Vec<Payment>, GatewayError> {
        let page: Payments = self.call(Method::GET, &["v1", "payments"], &[("reference", reference)], None).await?;
        Ok(page.payments)
    }

    /// The payment's events, oldest first.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn events(&self, id: &str) -> Result<Vec<Event>, GatewayError> {
        let query = [("payment_id", id), ("order", "asc"), ("size", "100")];
        let page: Events = self.call(Method::GET, &["v1", "events"], &query, None).await?;
        Ok(page.events)
    }

    /// The customer tokens with a reference, newest first.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn customer_tokens(&self, reference: &str) -> Result<Vec<CustomerToken>, GatewayError> {
        let query = [("customer_token_reference", reference)];
        let page: CustomerTokens = self.call(Method::GET, &["v1", "customer-tokens"], &query, None).await?;
        Ok(page.customer_tokens)
    }

    /// Takes a customer token back.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn revoke(&self, token_id: &str) -> Result<(), GatewayError> {
        let _: Value = self.call(Method::DELETE, &["v1", "customer-tokens", token_id], &[], None).await?;
        Ok(())
    }

    /// `POST /v1/payments/{id}/{action}`: captures, refunds, void, cancel.
    ///
    /// # Errors
    /// See [`GatewayError`].
    pub async fn act(
        &self,
        id: &str,
        action: &str,
        body: &Value,
        idempotency_key: &str,
    ) -> Result<Progress, GatewayError> {
        let path = ["v1", "payments", id, action];
        let (status, _): (_, Value) = self.exchange(Method::POST, &path, &[], Some((body, idempotency_key))).await?;
        Ok(if status == StatusCode::ACCEPTED { Progress::Pending } else { Progress::Done })
    }

    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<(&Value, &str)>,
    ) -> Result<T, GatewayError> {
        self.exchange(method, path, query, body).await.map(|(_, answer)| answer)
    }

    async fn exchange<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<(&Value, &str)>,
    ) -> Result<(StatusCode, T), GatewayError> {
        let unreachable = |error: reqwest::Error| GatewayError::Unreachable(error.into());
        let mut url = self.base.clone();
        // Each part is escaped: an id from a url cannot climb out of its place.
        url.path_segments_mut()
            .map_err(|()| GatewayError::Unreachable("the gateway's url cannot have a path".into()))?
            .pop_if_empty()
            .extend(path);
        let mut request = self.http.request(method, url).query(query).bearer_auth(self.api_key.expose_secret());
        if let Some((body, key)) = body {
            request = request.header("idempotency-key", key).json(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            let answer = serde_json::from_slice(&bytes).map_err(|error| GatewayError::Unreachable(error.into()))?;
            return Ok((status, answer));
        }
        let Ok(error) = serde_json::from_slice::<ErrorBody>(&bytes) else {
            return Err(GatewayError::Unreachable(
                format!("the gateway answered {status} without an error object").into(),
            ));
        };
        Err(GatewayError::Refused {
            status: status.as_u16(),
            code: error.error_code.unwrap_or_default(),
            message: error.error_message.unwrap_or_default(),
            fields: error
                .validation_errors
                .into_iter()
                .map(|field| (field.parameter.unwrap_or_default(), field.reason.unwrap_or_default()))
                .collect(),
            error_id: error.error_id,
        })
    }
}
