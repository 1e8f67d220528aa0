//! What scripted demos are made of: steps that are timed and told, and callers of both ends.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use http::{Method, StatusCode};
use indicatif::{ProgressBar, ProgressStyle};
use kit::random::Random;
use serde::Serialize;
use serde_json::Value;

/// How long anything that happens in the background may take before a demo calls it a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// One step that was taken.
#[derive(Debug, Serialize)]
pub struct Step {
    pub step: String,
    /// What it showed, for people.
    pub said: String,
    pub ids: Value,
    pub duration_ms: f64,
}

pub struct Script {
    pub steps: Vec<Step>,
    progress: ProgressBar,
    started: Instant,
}

impl Script {
    /// An empty one; with `is_quiet` it shows nothing while it runs.
    pub fn new(is_quiet: bool) -> Result<Self> {
        let progress = if is_quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        progress.set_style(ProgressStyle::with_template("{spinner} {msg}")?);
        progress.enable_steady_tick(Duration::from_millis(100));
        Ok(Self { steps: Vec::new(), progress, started: Instant::now() })
    }

    /// Takes the progress off the screen and hands over what was done.
    pub fn finish(self) -> Vec<Step> {
        self.progress.finish_and_clear();
        self.steps
    }

    pub fn begin(&mut self, what: &str) {
        self.progress.set_message(what.to_owned());
        self.started = Instant::now();
    }

    pub fn done(&mut self, step: impl Into<String>, said: impl Into<String>, ids: Value) {
        let duration_ms = (self.started.elapsed().as_secs_f64() * 1e5).round() / 100.0;
        self.steps.push(Step { step: step.into(), said: said.into(), ids, duration_ms });
    }
}

/// A Partner's server, or an operator: whoever calls the gateway with a key.
pub struct Caller {
    pub http: reqwest::Client,
    pub base: String,
    pub key: String,
}

impl Caller {
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        answer(self.request(&method, path, body), &method, path).await
    }

    /// A call that must be refused; the status and what was said.
    pub async fn refused(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let response = self.request(&method, path, body).send().await.with_context(|| format!("{method} {path}"))?;
        let status = response.status();
        let said = response.text().await?;
        if !status.is_client_error() {
            bail!("{method} {path} was not refused: {status} {said}");
        }
        Ok((status.as_u16(), serde_json::from_str(&said).unwrap_or_default()))
    }

    fn request(&self, method: &Method, path: &str, body: Option<Value>) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base)).bearer_auth(&self.key);
        if *method != Method::GET {
            request = request.header("idempotency-key", Random::system().base64url(18));
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        request
    }
}

/// The network's end, asked with the Acquiring Partner's key.
pub struct Klarna {
    pub http: reqwest::Client,
    pub base: String,
    pub key: String,
}

impl Klarna {
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    /// Waits its turn where the rate limit is used up, as every client of Klarna's should.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let since = Instant::now();
        loop {
            let request = self.http.request(method.clone(), format!("{}{path}", self.base));
            let request = request.basic_auth("", Some(&self.key));
            let request = if let Some(body) = &body { request.json(body) } else { request };
            let response = request.send().await.with_context(|| format!("{method} {path}"))?;
            if response.status() != StatusCode::TOO_MANY_REQUESTS || since.elapsed() > PATIENCE {
                return read(response, &method, path).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

async fn answer(request: reqwest::RequestBuilder, method: &Method, path: &str) -> Result<Value> {
    read(request.send().await.with_context(|| format!("{method} {path}"))?, method, path).await
}

async fn read(response: reqwest::Response, method: &Method, path: &str) -> Result<Value> {
    let status = response.status();
    let body = response.text().await?;
    if !status.is_success() {
        bail!("{method} {path} answered {status}: {body}");
    }
    if body.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_str(&body).with_context(|| format!("{method} {path}: {body}"))
    }
}

pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if since.elapsed() > PATIENCE {
            bail!("waited {PATIENCE:?} for {what}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn text<'v>(value: &'v Value, pointer: &str) -> Result<&'v str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer} in {value}"))
}

/// Prints steps for people.
pub fn print(steps: &[Step]) {
    let (good, dim) = (console::Style::new().green(), console::Style::new().dim());
    for step in steps {
        println!("{} {:<28} {:>9.2} ms  {}", good.apply_to("✓"), step.step, step.duration_ms, step.said);
        for (name, value) in step.ids.as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            println!("  {}", dim.apply_to(format!("{name}: {value}")));
        }
    }
}
