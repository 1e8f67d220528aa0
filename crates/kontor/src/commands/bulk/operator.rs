//! A gateway, called as an operator. Whatever may pass by itself is waited for, so that a restart of the gateway interrupts nothing.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use http::{Method, StatusCode};
use kit::outbound::{UpstreamConfig, upstream_client};
use kit::random::Random;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use crate::cli::OperatorArgs;

/// How long a gateway that does not answer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause after the first failure; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

pub struct Operator {
    http: reqwest::Client,
    base: Url,
    key: SecretString,
}

impl Operator {
    pub fn new(args: &OperatorArgs) -> Result<Self> {
        let is_here = match args.gateway.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if args.gateway.scheme() != "https" && !is_here {
            bail!(
                "{} is not on this machine, so it needs https (SEC-11): Partners' data and a key go there",
                args.gateway
            );
        }
        let key = match (&args.operator_key, &args.operator_key_file) {
            (Some(key), _) => key.clone(),
            (None, Some(file)) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
                SecretString::from(text.trim().to_owned())
            }
            (None, None) => bail!(
                "an operator's key is missing: set KONTOR_OPERATOR_KEY, or name a file with --operator-key-file; \
                 `kontor operator create` makes one"
            ),
        };
        let extra_roots = match &args.gateway_ca_file {
            Some(file) => crate::roles::gateway::read_roots(file)?,
            None => Vec::new(),
        };
        let http = upstream_client(UpstreamConfig { extra_roots, ..UpstreamConfig::default() })?;
        Ok(Self { http, base: args.gateway.clone(), key })
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        self.call(Method::GET, path, query, None).await
    }

    /// Every POST made here may be repeated: what it is about is known by a name of its own.
    pub async fn post(&self, path: &[&str], body: &Value) -> Result<Value> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    async fn call(&self, method: Method, path: &[&str], query: &[(&str, &str)], body: Option<&Value>) -> Result<Value> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let key = Random::system().base64url(18);
        let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let mut request = self.http.request(method.clone(), url.clone()).bearer_auth(self.key.expose_secret());
            request = request.timeout(Duration::from_secs(60)).header("idempotency-key", &key);
            if let Some(body) = body {
                request = request.json(body);
            }
            let trouble = match answer(request).await {
                Ok((status, answer)) if status.is_success() => return Ok(answer),
                Ok((status, answer)) if !may_pass(status) => {
                    bail!("{method} {}: {}", url.path(), told(status, &answer))
                }
                Ok((status, answer)) => told(status, &answer),
                Err(error) => error.without_url().to_string(),
            };
            if began.elapsed() + pause > PATIENCE {
                bail!("{method} {}: {trouble}; is the gateway at {} running?", url.path(), self.base);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

async fn answer(request: reqwest::RequestBuilder) -> Result<(StatusCode, Value), reqwest::Error> {
    let response = request.send().await?;
    let (status, text) = (response.status(), response.text().await?);
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

/// What the gateway said, field by field.
fn told(status: StatusCode, answer: &Value) -> String {
    let mut said = format!("{status} {}", answer["error_message"].as_str().unwrap_or_default());
    for fault in answer["validation_errors"].as_array().into_iter().flatten() {
        let text = |name: &str| fault[name].as_str().unwrap_or_default();
        said.push_str(&format!("\n  {}: {}", text("parameter"), text("reason")));
    }
    said
}

/// `kontor partner adopt`
pub async fn adopt(args: &OperatorArgs, partner_id: &str) -> Result<()> {
    let adopted = Operator::new(args)?.post(&["v1", "partners", partner_id, "adopt"], &json!({})).await?;
    let text = |name: &str| adopted[name].as_str().unwrap_or_default();
    println!("{partner_id} is {}, known as {}", text("state"), text("reference"));
    Ok(())
}
