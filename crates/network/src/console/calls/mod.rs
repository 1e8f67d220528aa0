//! The request log: every call to the network's surface, with what was said, for whoever builds against it.
//!
//! Calls are noted in memory and written by a task beside them, many in one short transaction, so that nobody waits for the log.
//! The memory is bounded: what comes faster than it is written pushes the oldest out, and is counted. Of what was written the
//! newest are kept. Secrets never get as far as the database (see [`mask`]); the rest of what was said is sealed there, because it
//! holds customers' data.

mod api;
pub(crate) mod find;
mod har;
mod layer;
pub(crate) mod mask;
pub(crate) mod matcher;
pub(crate) mod store;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use kit::clock::Clock;
use kit::db::DbError;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::console::faults::Faults;
use crate::ctx::Ctx;
use crate::operation::Route;
use crate::sealed::CALL_DETAIL;

pub(crate) use api::har_response;
pub use api::routes;
pub use layer::observe;

use store::{CallRow, UNKNOWN_CALLER};

/// Calls that wait to be written; more push the oldest out.
const WAITING_MAX: usize = 2_048;
/// Calls that one transaction writes.
const BATCH_MAX: usize = 256;
/// Pause between two transactions: with [`BATCH_MAX`] it bounds what the log costs, however many calls there are.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// How the request log behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLog {
    /// How many calls are kept; 0 switches the log off.
    pub keep: u32,
    /// How much of each body is kept, in bytes.
    pub body_bytes_max: usize,
}

impl Default for CallLog {
    fn default() -> Self {
        Self { keep: 10_000, body_bytes_max: 16 * 1024 }
    }
}

/// What the log knows of a call besides what lists are filtered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The query as it was sent, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// What was asked.
    pub request: Message,
    /// What was answered.
    pub response: Message,
}

/// A request or an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Names in lower case, in the order in which they stood.
    pub headers: Vec<(String, String)>,
    /// The body as text, secrets masked.
    pub body: String,
    /// How long it was, in bytes.
    pub bytes: u64,
    /// Whether `body` is only its beginning.
    pub clipped: bool,
}

/// A call as it was noted, before anything was made of it.
#[derive(Debug)]
struct Noted {
    occurred_at: i64,
    method: Method,
    uri: http::Uri,
    operation: Option<&'static str>,
    request: Heard,
    answer: Option<Answered>,
    duration_us: i64,
    fault_id: Option<String>,
}

#[derive(Debug)]
struct Answered {
    /// None if a fault rule ended the connection instead.
    status: Option<u16>,
    heard: Heard,
    caller: Option<CalledBy>,
    error_code: Option<String>,
    correlation_id: Option<String>,
}

#[derive(Debug, Default)]
struct Heard {
    headers: HeaderMap,
    body: Captured,
}

/// The beginning of a body.
#[derive(Debug, Default)]
struct Captured {
    pieces: Vec<Bytes>,
    kept: usize,
    total: u64,
}

impl Captured {
    fn take(&mut self, piece: &Bytes, limit: usize) {
        self.total += piece.len() as u64;
        let room = limit.saturating_sub(self.kept);
        if room == 0 || piece.is_empty() {
            return;
        }
        if piece.len() <= room {
            self.kept += piece.len();
            self.pieces.push(piece.clone());
        } else {
            // Copied: a slice would keep the whole piece in memory.
            self.kept += room;
            self.pieces.push(Bytes::copy_from_slice(&piece[..room]));
        }
    }

    fn text(&self) -> (String, bool) {
        let bytes = self.pieces.concat();
        // PostgreSQL takes no NUL, and nobody reads it.
        (String::from_utf8_lossy(&bytes).replace('\0', "\u{fffd}"), self.total > bytes.len() as u64)
    }
}

/// Who a call was for; the guard of operations leaves it in the answer's extensions.
#[derive(Clone, Debug)]
pub struct CalledBy {
    /// The Acquiring Partner whose key it was, or above the Partner whose key it was.
    pub acquiring_partner_id: String,
    /// The account acted for.
    pub account_id: String,
}

/// Left in the answer of a call that a fault rule struck.
#[derive(Clone, Debug)]
pub(crate) struct Struck {
    pub fault_id: String,
    /// Whether no answer goes out.
    pub dropped: bool,
}

/// Sees every call. One per process; cloning shares it.
#[derive(Clone, Default)]
pub struct Observer(Arc<Inner>);

#[derive(Default)]
struct Inner {
    log: Option<CallLog>,
    waiting: Mutex<VecDeque<Noted>>,
    pushed_out: AtomicU64,
    noted: Notify,
    writing: tokio::sync::Mutex<Writing>,
    last_id: AtomicI64,
    faults: Faults,
}

#[derive(Default)]
struct Writing {
    since_trim: usize,
}

impl Observer {
    /// As the settings say; `None` sees nothing.
    pub fn new(log: Option<CallLog>) -> Self {
        let log = log.filter(|log| log.keep > 0);
        Self(Arc::new(Inner { log, ..Inner::default() }))
    }

    /// How the log behaves, if there is one.
    pub fn log(&self) -> Option<CallLog> {
        self.0.log
    }

    /// How many calls were not written, because they came too fast, since this process started.
    pub fn pushed_out(&self) -> u64 {
        self.0.pushed_out.load(Ordering::Relaxed)
    }

    /// The fault rules that this process knows.
    pub(crate) fn faults(&self) -> &Faults {
        &self.0.faults
    }

    fn note(&self, noted: Noted) {
        let pushed_out = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let pushed_out = if waiting.len() >= WAITING_MAX { waiting.pop_front() } else { None };
            waiting.push_back(noted);
            pushed_out
        };
        if pushed_out.is_some() {
            self.0.pushed_out.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("request_log_pushed_out_total").increment(1);
        }
        self.0.noted.notify_waiters();
    }

    fn take(&self, limit: usize) -> Vec<Noted> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(limit);
        waiting.drain(..count).collect()
    }

    /// Ids ascend in the order of writing, whatever the clock of this network is moved to.
    fn next_id(&self, wall: i64) -> String {
        let last = self.0.last_id.load(Ordering::Relaxed);
        let next = wall.max(last + 1);
        self.0.last_id.store(next, Ordering::Relaxed);
        format!("call_{next:016x}{:02x}", std::process::id() & 0xff)
    }

    /// Returns once somebody has called, or after a moment: other processes write to the same log.
    pub(crate) async fn changed(&self) {
        // So that whoever waits takes several calls at once.
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(tokio::time::timeout(Duration::from_millis(250), self.0.noted.notified()).await);
    }
}

/// Writes what waits, so that whoever reads next finds it.
///
/// # Errors
/// [`DbError`]; what was to be written is lost then, and counted.
pub(crate) async fn flush(ctx: &Ctx) -> Result<(), DbError> {
    let Some(log) = ctx.observer.log() else { return Ok(()) };
    let mut writing = ctx.observer.0.writing.lock().await;
    let mut rounds = WAITING_MAX / BATCH_MAX;
    while rounds > 0 {
        rounds -= 1;
        if write_some(ctx, log, &mut writing).await? < BATCH_MAX {
            break;
        }
    }
    Ok(())
}

async fn write_some(ctx: &Ctx, log: CallLog, writing: &mut Writing) -> Result<usize, DbError> {
    let noted = ctx.observer.take(BATCH_MAX);
    let count = noted.len();
    if count == 0 {
        return Ok(0);
    }
    writing.since_trim += count;
    let keep = i64::from(log.keep);
    let trims = writing.since_trim >= BATCH_MAX.min(usize::try_from(log.keep / 10 + 1).unwrap_or(usize::MAX));
    let wall = Clock::system().now();
    let rows: Vec<CallRow> = noted.iter().map(|noted| row(ctx, noted, wall)).collect();
    let written = ctx
        .db
        .write(move |tx| {
            Box::pin(async move {
                store::insert(tx, &rows).await?;
                if trims { store::trim(tx, keep).await } else { Ok(()) }
            })
        })
        .await;
    match &written {
        Ok(()) if trims => writing.since_trim = 0,
        Ok(()) => {}
        Err(_) => {
            ctx.observer.0.pushed_out.fetch_add(count as u64, Ordering::Relaxed);
        }
    }
    written.map(|()| count)
}

/// Writes now and then until `stop`.
pub(crate) async fn keep_flushed(ctx: Ctx, stop: CancellationToken) {
    let Some(log) = ctx.observer.log() else { return };
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(FLUSH_EVERY) => false,
        };
        let written = if stopped {
            flush(&ctx).await
        } else {
            let mut writing = ctx.observer.0.writing.lock().await;
            write_some(&ctx, log, &mut writing).await.map(drop)
        };
        if let Err(error) = written {
            tracing::warn!(error = &error as &dyn std::error::Error, "writing the request log");
        }
        if stopped {
            return;
        }
    }
}

fn row(ctx: &Ctx, noted: &Noted, wall: i64) -> CallRow {
    let call_id = ctx.observer.next_id(wall);
    let answer = noted.answer.as_ref();
    let caller = answer.and_then(|answer| answer.caller.as_ref());
    let mut request = message(&noted.request);
    if answer.is_some_and(|answer| answer.status == Some(401)) {
        // Whoever sent it is unknown, and every Acquiring Partner may look: what is wrong with it is not in the body.
        request.body = String::new();
        request.clipped = request.bytes > 0;
    }
    let detail = Detail {
        query: noted.uri.query().map(mask::query),
        request,
        response: answer.map(|answer| message(&answer.heard)).unwrap_or_default(),
    };
    let detail = serde_json::to_vec(&detail).expect("texts and numbers always serialize");
    let header = |name: &str| noted.request.headers.get(name)?.to_str().ok().map(str::to_owned);
    CallRow {
        acquiring_partner_id: caller.map_or(UNKNOWN_CALLER, |caller| &caller.acquiring_partner_id).to_owned(),
        detail: ctx.secrets.seal(CALL_DETAIL.place(&[&call_id]), &detail),
        call_id,
        occurred_at: noted.occurred_at,
        method: noted.method.as_str().to_owned(),
        path: noted.uri.path().to_owned(),
        operation: noted.operation.map(str::to_owned),
        status: answer.and_then(|answer| answer.status).map(i64::from),
        duration_us: noted.duration_us,
        account_id: caller.map(|caller| caller.account_id.clone()),
        correlation_id: answer.and_then(|answer| answer.correlation_id.clone()),
        partner_correlation_id: header(protocol::header::PARTNER_CORRELATION_ID),
        error_code: answer.and_then(|answer| answer.error_code.clone()),
        fault_id: noted.fault_id.clone(),
    }
}

/// Whether a body is for reading. Files are not kept: nobody reads them here, and they may hold anything.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(http::header::CONTENT_TYPE) else { return true };
    let given = given.to_str().unwrap_or_default().to_ascii_lowercase();
    ["json", "text/", "x-www-form-urlencoded", "xml"].iter().any(|kind| given.contains(kind))
}

fn message(heard: &Heard) -> Message {
    let (body, clipped) =
        if is_text(&heard.headers) { heard.body.text() } else { (String::new(), heard.body.total > 0) };
    Message { headers: mask::headers(&heard.headers), body: mask::body(&body), bytes: heard.body.total, clipped }
}

/// The operations of the network by the template that serves them, for the name of what was called.
pub(crate) struct Operations(HashMap<String, Vec<(Method, &'static str)>>);

impl Operations {
    pub(crate) fn of(routes: &[Route]) -> Self {
        let mut by_template: HashMap<String, Vec<(Method, &'static str)>> = HashMap::new();
        for route in routes.iter().filter(|route| route.is_of_the_network()) {
            for template in &route.templates {
                by_template.entry(template.clone()).or_default().push((route.method.clone(), route.doc.id));
            }
        }
        Self(by_template)
    }

    /// `None` for a template that is none of the network's; the operation, if the method is one of its.
    pub(crate) fn at(&self, template: &str, method: &Method) -> Option<Option<&'static str>> {
        let methods = self.0.get(template)?;
        Some(methods.iter().find(|(known, _)| known == method).map(|(_, id)| *id))
    }
}

/// The `error_code` that an answer was made with.
fn error_code(response: &axum::response::Response) -> Option<String> {
    response.extensions().get::<kit::http::error::ErrorSummary>().map(|summary| summary.error_code.to_string())
}
