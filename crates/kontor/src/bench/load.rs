//! A load generator that costs little: it shares the machine with what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// One call to make.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What a load run found.
#[derive(Debug)]
pub struct Report {
    pub succeeded: u64,
    pub failed: u64,
    /// The first failure's status and body, to say why.
    pub first_failure: Option<String>,
    pub elapsed: Duration,
    /// Microseconds from the intended start to the end of the answer.
    pub latency_us: Histogram<u64>,
}

impl Report {
    /// Successful calls per second.
    pub fn per_second(&self) -> f64 {
        self.succeeded as f64 / self.elapsed.as_secs_f64()
    }

    /// This and an earlier one, as of one run.
    pub fn after(mut self, earlier: Self) -> Result<Self> {
        self.succeeded += earlier.succeeded;
        self.failed += earlier.failed;
        self.first_failure = earlier.first_failure.or(self.first_failure);
        self.elapsed += earlier.elapsed;
        self.latency_us.add(&earlier.latency_us)?;
        Ok(self)
    }

    /// The report as JSON; latencies in milliseconds.
    pub fn to_json(&self) -> serde_json::Value {
        let ms = |quantile| (self.latency_us.value_at_quantile(quantile) as f64) / 1_000.0;
        serde_json::json!({
            "succeeded": self.succeeded,
            "failed": self.failed,
            "first_failure": self.first_failure,
            "elapsed_s": self.elapsed.as_secs_f64(),
            "per_second": self.per_second().round(),
            "latency_ms": { "p50": ms(0.5), "p90": ms(0.9), "p99": ms(0.99), "max": self.latency_us.max() as f64 / 1_000.0 },
        })
    }
}

struct Tally {
    succeeded: u64,
    failed: u64,
    first_failure: Option<String>,
    latency_us: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Self> {
        let latency_us = Histogram::new_with_max(120_000_000, 3)?;
        Ok(Self { succeeded: 0, failed: 0, first_failure: None, latency_us })
    }

    fn add(&mut self, outcome: Result<(StatusCode, Bytes)>, since: Instant) {
        let us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latency_us.saturating_record(us.max(1));
        match outcome {
            Ok((status, _)) if status.is_success() => self.succeeded += 1,
            Ok((status, body)) => self.fail(format!("{status}: {}", String::from_utf8_lossy(&body))),
            Err(error) => self.fail(format!("{error:#}")),
        }
    }

    fn fail(&mut self, why: String) {
        self.failed += 1;
        self.first_failure.get_or_insert(why);
    }

    fn merge(mut self, other: Self) -> Result<Self> {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.first_failure = self.first_failure.or(other.first_failure);
        self.latency_us.add(&other.latency_us)?;
        Ok(self)
    }
}

struct Connection {
    address: SocketAddr,
    host: HeaderValue,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let host = HeaderValue::from_str(&address.to_string())?;
        Ok(Self { address, host, sender: connect(address).await? })
    }

    async fn send(&mut self, call: Call) -> Result<(StatusCode, Bytes)> {
        if self.sender.ready().await.is_err() {
            self.sender = connect(self.address).await?;
        }
        let mut request = Request::builder().method(call.method).uri(call.path).body(Full::new(call.body))?;
        *request.headers_mut() = call.headers;
        request.headers_mut().insert(http::header::HOST, self.host.clone());
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, body))
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// How long a closed loop goes on.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    Elapsed(Duration),
    Calls(u64),
}

/// As many calls as `connections` callers can make one after the other. `make` gets the number of the call; `None` ends a
/// caller early. `progress` is told the number of calls now and then.
pub async fn closed_loop<F>(
    address: SocketAddr,
    connections: usize,
    until: Until,
    make: F,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Report>
where
    F: Fn(u64) -> Option<Call> + Send + Sync + 'static,
{
    let (make, progress) = (Arc::new(make), Arc::new(progress));
    let (next, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let limit = match until {
        Until::Calls(calls) => calls,
        Until::Elapsed(_) => u64::MAX,
    };
    let mut callers = Vec::new();
    let started = Instant::now();
    for _ in 0..connections {
        let mut connection = Connection::open(address).await?;
        let (make, progress) = (Arc::clone(&make), Arc::clone(&progress));
        let (next, over) = (Arc::clone(&next), Arc::clone(&over));
        callers.push(tokio::spawn(async move {
            let mut tally = Tally::new()?;
            while !over.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= limit {
                    break;
                }
                let Some(call) = make(number) else { break };
                let since = Instant::now();
                let outcome = connection.send(call).await;
                tally.add(outcome, since);
                if number.is_multiple_of(256) {
                    progress(number);
                }
            }
            anyhow::Ok(tally)
        }));
    }
    if let Until::Elapsed(duration) = until {
        tokio::time::sleep(duration).await;
        over.store(true, Ordering::Relaxed);
    }
    collect(callers, started).await
}

/// Calls at a constant rate, whether or not earlier ones were answered: latency counts from the intended start.
pub async fn open_loop<F>(address: SocketAddr, per_second: u64, duration: Duration, make: F) -> Result<Report>
where
    F: Fn(u64) -> Option<Call> + Send + Sync + 'static,
{
    const CALLERS: u64 = 64;
    if per_second == 0 {
        bail!("the rate must be at least one per second");
    }
    let make = Arc::new(make);
    let calls = per_second * duration.as_secs();
    let gap = Duration::from_secs(1).checked_div(u32::try_from(per_second)?).unwrap_or_default();
    let mut callers = Vec::new();
    let started = Instant::now() + Duration::from_millis(50);
    for caller in 0..CALLERS {
        let mut connection = Connection::open(address).await?;
        let make = Arc::clone(&make);
        callers.push(tokio::spawn(async move {
            let mut tally = Tally::new()?;
            for number in (caller..calls).step_by(usize::try_from(CALLERS)?) {
                let intended = started + gap.saturating_mul(u32::try_from(number)?);
                tokio::time::sleep_until(intended.into()).await;
                let Some(call) = make(number) else { break };
                let outcome = connection.send(call).await;
                tally.add(outcome, intended);
            }
            anyhow::Ok(tally)
        }));
    }
    collect(callers, started).await
}

/// Makes `calls` calls and returns the answers' bodies, all of which must be successes.
pub async fn bodies<F>(address: SocketAddr, connections: u64, calls: u64, make: F) -> Result<Vec<Bytes>>
where
    F: Fn(u64) -> Call + Send + Sync + 'static,
{
    let make = Arc::new(make);
    let mut callers = Vec::new();
    for caller in 0..connections {
        let (make, mut connection) = (Arc::clone(&make), Connection::open(address).await?);
        callers.push(tokio::spawn(async move {
            let mut bodies = Vec::new();
            for number in (caller..calls).step_by(usize::try_from(connections)?) {
                let call = make(number);
                let path = call.path.clone();
                let (status, body) = connection.send(call).await?;
                if !status.is_success() {
                    bail!("{path} answered {status}: {}", String::from_utf8_lossy(&body));
                }
                bodies.push(body);
            }
            Ok(bodies)
        }));
    }
    let mut all = Vec::new();
    for caller in callers {
        all.extend(caller.await??);
    }
    Ok(all)
}

async fn collect(callers: Vec<tokio::task::JoinHandle<Result<Tally>>>, started: Instant) -> Result<Report> {
    let mut total = Tally::new()?;
    for caller in callers {
        total = total.merge(caller.await??)?;
    }
    Ok(Report {
        succeeded: total.succeeded,
        failed: total.failed,
        first_failure: total.first_failure,
        elapsed: started.elapsed(),
        latency_us: total.latency_us,
    })
}
