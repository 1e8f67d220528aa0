//! Time as a value that is passed in. Everything that asks for the time holds a [`Clock`]; only this file reads the wall clock.
//!
//! All times are microseconds since the Unix epoch, UTC, as `i64`: the form in which both databases store them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// Microseconds in one second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds in one minute.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// Microseconds in one hour.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// Microseconds in one day of 24 hours.
pub const DAY_US: i64 = 24 * HOUR_US;

/// A clock that tests, and the network end's operators, can move.
///
/// Cloning shares the clock: moving one moves all. Whoever waits for a point in time is woken when the clock moves.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: Source,
    /// Added to the source's reading.
    offset_us: AtomicI64,
    moved: watch::Sender<()>,
}

#[derive(Debug)]
enum Source {
    System,
    Fixed(i64),
}

impl Clock {
    /// The wall clock.
    pub fn system() -> Self {
        Self::from_source(Source::System)
    }

    /// A clock that stands still at `at_us` until it is moved.
    pub fn fixed(at_us: i64) -> Self {
        Self::from_source(Source::Fixed(at_us))
    }

    fn from_source(source: Source) -> Self {
        let (moved, _) = watch::channel(());
        Self { inner: Arc::new(Inner { source, offset_us: AtomicI64::new(0), moved }) }
    }

    /// Now, in microseconds UTC.
    pub fn now(&self) -> i64 {
        let base = match self.inner.source {
            Source::System => wall_clock_us(),
            Source::Fixed(at) => at,
        };
        base.saturating_add(self.inner.offset_us.load(Ordering::SeqCst))
    }

    /// How far this clock is ahead of its source, in microseconds.
    pub fn offset(&self) -> i64 {
        self.inner.offset_us.load(Ordering::SeqCst)
    }

    /// Moves the clock forward (or, with a negative number, back) and wakes all who wait on it.
    pub fn advance(&self, by_us: i64) {
        self.inner.offset_us.fetch_add(by_us, Ordering::SeqCst);
        self.inner.moved.send_replace(());
    }

    /// Sets the distance to the source, in microseconds: how a stored clock is taken up again after a restart.
    pub fn set_offset(&self, offset_us: i64) {
        self.inner.offset_us.store(offset_us, Ordering::SeqCst);
        self.inner.moved.send_replace(());
    }

    /// Returns when this clock shows `at_us` or later, whether by the passing of time or by being moved.
    pub async fn sleep_until(&self, at_us: i64) {
        let mut moved = self.inner.moved.subscribe();
        loop {
            let remaining = at_us.saturating_sub(self.now());
            if remaining <= 0 {
                return;
            }
            match self.inner.source {
                Source::System => {
                    // Bounded, so that a step of the wall clock itself is noticed too.
                    let nap = Duration::from_micros(remaining.min(HOUR_US).unsigned_abs());
                    tokio::select! {
                        () = tokio::time::sleep(nap) => {}
                        _ = moved.changed() => {}
                    }
                }
                Source::Fixed(_) => {
                    let _ = moved.changed().await;
                }
            }
        }
    }
}

/// Now on the process's monotonic clock: for deadlines and pauses towards other systems, which no moved clock may stretch.
pub fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// Measures how long something took; for logs and metrics, never for decisions.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Microseconds since the start.
    pub fn elapsed_us(&self) -> i64 {
        i64::try_from(self.0.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall_clock_us() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_moved_past_its_time() {
        let clock = Clock::fixed(1_000);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(5_000).await }
        });
        clock.advance(3_999);
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(1);
        sleeper.await.expect("sleeper ends");
        assert_eq!(clock.now(), 5_000);
    }
}
