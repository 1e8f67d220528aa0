//! A circuit breaker: when the network fails again and again, callers hear so at once instead of each waiting for it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts failures in a row. Opens after enough of them; after a pause it lets one call through, which decides.
#[derive(Debug)]
pub struct Breaker {
    failures_max: u32,
    pause: Duration,
    /// A probe that has not reported for this long is taken for lost.
    probe_max: Duration,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen { probe_began: Instant },
}

impl Breaker {
    /// Opens after `failures_max` failures in a row, for `pause`.
    pub fn new(failures_max: u32, pause: Duration, probe_max: Duration) -> Self {
        Self { failures_max: failures_max.max(1), pause, probe_max, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    /// Whether a call may go out now. While half open, only one at a time may.
    pub fn allows(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let probe = match *state {
            State::Closed { .. } => return true,
            State::Open { until } => now >= until,
            State::HalfOpen { probe_began } => now.saturating_duration_since(probe_began) >= self.probe_max,
        };
        if probe {
            *state = State::HalfOpen { probe_began: now };
        }
        probe
    }

    /// Whether a call would be let through, without taking the place of the probe.
    pub fn is_open(&self, now: Instant) -> bool {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Closed { .. } => false,
            State::Open { until } => now < until,
            State::HalfOpen { probe_began } => now.saturating_duration_since(probe_began) < self.probe_max,
        }
    }

    /// The network answered.
    pub fn succeeded(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Closed { failures: 0 };
    }

    /// The network failed or did not answer. Says whether this opened the circuit.
    pub fn failed(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match *state {
            State::Closed { failures } if failures + 1 < self.failures_max => {
                *state = State::Closed { failures: failures + 1 };
                return false;
            }
            // A call from before the opening: the pause is not prolonged.
            State::Open { .. } => return false,
            State::Closed { .. } | State::HalfOpen { .. } => State::Open { until: now + self.pause },
        };
        *state = open;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(3);

    #[test]
    fn it_opens_after_failures_in_a_row_and_one_probe_closes_it() {
        let breaker = Breaker::new(3, PAUSE, Duration::from_secs(12));
        let start = Instant::now();
        assert!(!breaker.failed(start) && !breaker.failed(start));
        breaker.succeeded();
        assert!(!breaker.failed(start) && !breaker.failed(start), "a success in between begins anew");
        assert!(breaker.allows(start));
        assert!(breaker.failed(start), "the third in a row opens");
        assert!(!breaker.allows(start) && breaker.is_open(start));
        let later = start + PAUSE;
        assert!(breaker.allows(later), "one probe");
        assert!(!breaker.allows(later), "and only one");
        breaker.succeeded();
        assert!(breaker.allows(later) && breaker.allows(later));
    }

    #[test]
    fn a_failed_or_lost_probe_does_not_leave_it_stuck() {
        let breaker = Breaker::new(1, PAUSE, Duration::from_secs(12));
        let start = Instant::now();
        breaker.failed(start);
        assert!(breaker.allows(start + PAUSE));
        assert!(breaker.failed(start + PAUSE), "the probe failed: open again");
        assert!(!breaker.allows(start + PAUSE));
        assert!(breaker.allows(start + PAUSE * 2));
        assert!(breaker.allows(start + PAUSE * 2 + Duration::from_secs(12)), "the probe never reported");
    }
}
