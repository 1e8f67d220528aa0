//! How tests wait: until enough is there, or their patience ends.

use std::future::Future;
use std::time::Duration;

use http::StatusCode;
use kit::clock::Stopwatch;
use kit::http::{ApiError, FieldFault};
use serde_json::Value;

use crate::ctx::Ctx;

/// Longest wait, in milliseconds: below the deadline of every request.
pub(crate) const TIMEOUT_MS_MAX: i64 = 55_000;
const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1_000;

/// How much is wanted, and for how long it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// At most so many are answered.
    pub limit: usize,
    /// So many must be there.
    pub count: usize,
    /// So long.
    pub timeout_ms: i64,
}

/// Reads `limit`, and for a wait `count` and `timeout_ms`.
pub(crate) fn read(body: &Value, waits: bool, faults: &mut Vec<FieldFault>) -> Ask {
    let mut number = |name: &str, default: Option<i64>, min: i64, max: i64| {
        let given = match body.get(name).filter(|value| !value.is_null()) {
            None => default,
            Some(value) => value.as_i64().filter(|number| (min..=max).contains(number)),
        };
        given.unwrap_or_else(|| {
            faults.push(FieldFault::new(name, format!("must be an integer from {min} to {max}")));
            min
        })
    };
    let limit = number("limit", Some(LIMIT_DEFAULT), 1, LIMIT_MAX);
    let count = if waits { number("count", Some(1), 1, limit) } else { 1 };
    let timeout_ms = if waits { number("timeout_ms", None, 0, TIMEOUT_MS_MAX) } else { 0 };
    let size = |number: i64| usize::try_from(number).unwrap_or(1);
    Ask { limit: size(limit), count: size(count), timeout_ms }
}

/// Looks again and again until as many are found as are wanted.
///
/// # Errors
/// 408 `TIMEOUT` that says how many there were; whatever looking refuses.
pub(crate) async fn until<T, F>(
    ctx: &Ctx,
    ask: &Ask,
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<Vec<T>, ApiError>
where
    F: Future<Output = Result<Vec<T>, ApiError>>,
{
    let watch = Stopwatch::start();
    loop {
        let found = look().await?;
        if found.len() >= ask.count {
            return Ok(found);
        }
        let left_us = ask.timeout_ms.saturating_mul(1_000).saturating_sub(watch.elapsed_us());
        if left_us <= 0 {
            let message = format!(
                "{} of the {} {what} that were waited for had come when {} ms were over.",
                found.len(),
                ask.count,
                ask.timeout_ms
            );
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message));
        }
        let left = Duration::from_micros(left_us.unsigned_abs());
        // The last look is for what came at the very end.
        drop(tokio::time::timeout(left, ctx.observer.changed()).await);
    }
}
