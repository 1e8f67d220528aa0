//! Keeps calls within the network's quotas, which are learned from its answers (fact sheet 01 §7) instead of written down here.
//!
//! Quotas count per operation, at two levels at once: per Partner and for all of them together. Each level has a bucket that holds one
//! second's worth of calls.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// More buckets than this are swept of idle ones.
const BUCKETS_MAX: usize = 20_000;
const SECOND: Duration = Duration::from_secs(1);

/// What an answer said about its quota.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Calls per second at the narrower level (the Partner's).
    pub partner: Option<u32>,
    /// Calls per second at the wider level (all Partners together).
    pub all: Option<u32>,
    /// Calls left until the reset.
    pub remaining: Option<u32>,
    /// Time until the quota is whole again.
    pub reset: Option<Duration>,
}

impl Quota {
    /// Reads the three headers. What cannot be read counts as not said.
    pub fn read(limit: Option<&str>, remaining: Option<&str>, reset: Option<&str>) -> Self {
        let mut rates: Vec<u32> = limit.into_iter().flat_map(|text| text.split(',').skip(1)).filter_map(rate).collect();
        if rates.is_empty() {
            rates.extend(limit.and_then(|text| text.split(',').next()?.trim().parse::<u32>().ok()).filter(|n| *n > 0));
        }
        Self {
            partner: rates.iter().min().copied(),
            all: rates.iter().max().copied().filter(|_| rates.len() > 1),
            remaining: remaining.and_then(|text| text.trim().parse().ok()),
            reset: reset.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs),
        }
    }
}

/// `40;w=1;name="x"` in calls per second, at least one.
fn rate(policy: &str) -> Option<u32> {
    let mut parts = policy.split(';');
    let quota: u32 = parts.next()?.trim().parse().ok().filter(|quota| *quota > 0)?;
    let window = parts.find_map(|part| part.trim().strip_prefix("w=")).and_then(|text| text.parse::<u32>().ok());
    Some((quota / window.unwrap_or(1).max(1)).max(1))
}

/// Which bucket: an operation, and whose; empty for all Partners together.
type Key = (&'static str, String);

/// All buckets of a process.
#[derive(Debug)]
pub struct Throttle {
    initial: Option<u32>,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    per_second: u32,
    /// When the bucket will be full again.
    full_at: Instant,
}

impl Bucket {
    fn interval(self) -> Duration {
        SECOND / self.per_second
    }

    /// How long the next call has to wait.
    fn wait(self, now: Instant) -> Duration {
        (self.full_at + self.interval()).saturating_duration_since(now + SECOND)
    }

    fn take(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.interval();
    }
}

impl Throttle {
    /// `initial` calls per second for operations about which nothing is known yet; `None` lets them pass.
    pub fn new(initial: Option<u32>) -> Self {
        Self { initial, buckets: Mutex::default() }
    }

    /// Books a call and says how long it has to wait for its turn; `None`, and nothing booked, if that is longer than `wait_max`.
    pub fn reserve(
        &self,
        operation: &'static str,
        account: &str,
        now: Instant,
        wait_max: Duration,
    ) -> Option<Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = vec![(operation, String::new())];
        // The Acquiring Partner's own calls count at one level, and so once.
        keys.extend((!account.is_empty()).then(|| (operation, account.to_owned())));
        if let Some(per_second) = self.initial.filter(|_| !buckets.contains_key(&keys[0])) {
            buckets.insert(keys[0].clone(), Bucket { per_second: per_second.max(1), full_at: now });
        }
        let wait = keys.iter().filter_map(|key| buckets.get(key)).map(|bucket| bucket.wait(now)).max();
        let wait = wait.unwrap_or_default();
        if wait > wait_max {
            return None;
        }
        for key in &keys {
            if let Some(bucket) = buckets.get_mut(key) {
                bucket.take(now);
            }
        }
        Some(wait)
    }

    /// Takes up what an answer said. `refused` is a 429: then nothing goes out before the reset.
    pub fn learn(&self, operation: &'static str, account: &str, quota: &Quota, refused: bool, now: Instant) {
        if *quota == Quota::default() && !refused {
            return;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > BUCKETS_MAX {
            buckets.retain(|_, bucket| bucket.full_at > now);
        }
        for (key, rate) in [((operation, account.to_owned()), quota.partner), ((operation, String::new()), quota.all)] {
            let Some(rate) = rate else { continue };
            let bucket = buckets.entry(key).or_insert(Bucket { per_second: rate, full_at: now });
            bucket.per_second = rate;
        }
        if refused || quota.remaining == Some(0) {
            // Which level ran dry is not said: the narrower one holds back, the wider one is other Partners' too.
            let rate = quota.partner.unwrap_or(1);
            let bucket =
                buckets.entry((operation, account.to_owned())).or_insert(Bucket { per_second: rate, full_at: now });
            let pause = quota.reset.unwrap_or(SECOND);
            bucket.full_at = bucket.full_at.max(now + pause + SECOND - bucket.interval());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: &str = "40, 40;w=1;name=\"account_payment\",100;w=1;name=\"psp_payment\"";

    #[test]
    fn the_headers_of_the_documentation_are_understood() {
        let quota = Quota::read(Some(LIMIT), Some("15"), Some("1"));
        let second = Some(SECOND);
        assert_eq!(quota, Quota { partner: Some(40), all: Some(100), remaining: Some(15), reset: second });
        assert_eq!(Quota::read(Some("7"), None, None).partner, Some(7));
        assert_eq!(Quota::read(Some("nonsense"), Some("x"), Some("-1")), Quota::default());
        assert_eq!(Quota::read(Some("0, 0;w=0"), None, None), Quota::default());
    }

    #[test]
    fn nothing_is_held_back_until_a_quota_is_known_then_a_second_holds_no_more_than_it() {
        let throttle = Throttle::new(None);
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(throttle.reserve("capture", "a", now, Duration::ZERO), Some(Duration::ZERO));
        }
        throttle.learn("capture", "a", &Quota::read(Some(LIMIT), Some("39"), Some("1")), false, now);
        let at_once = (0..200).filter(|_| throttle.reserve("capture", "a", now, Duration::ZERO).is_some()).count();
        assert_eq!(at_once, 40, "the Partner's own quota");
        let of_another = (0..200).filter(|_| throttle.reserve("capture", "b", now, Duration::ZERO).is_some()).count();
        assert_eq!(of_another, 60, "what is left for all together");
        assert_eq!(throttle.reserve("authorize", "a", now, Duration::ZERO), Some(Duration::ZERO));
        let wait = throttle.reserve("capture", "a", now + SECOND, Duration::ZERO);
        assert_eq!(wait, Some(Duration::ZERO), "a second later there is room again");
    }

    #[test]
    fn calls_of_the_acquiring_partner_itself_count_once() {
        let throttle = Throttle::new(None);
        let now = Instant::now();
        let limit = Some("5, 5;w=1;name=\"psp_onboarding\"");
        throttle.learn("onboard", "", &Quota::read(limit, Some("4"), Some("1")), false, now);
        let at_once = (0..20).filter(|_| throttle.reserve("onboard", "", now, Duration::ZERO).is_some()).count();
        assert_eq!(at_once, 5);
    }

    #[test]
    fn after_a_refusal_everything_of_that_partner_waits_for_the_reset() {
        let throttle = Throttle::new(None);
        let now = Instant::now();
        throttle.learn("capture", "a", &Quota::read(Some(LIMIT), Some("0"), Some("2")), true, now);
        assert_eq!(throttle.reserve("capture", "a", now, SECOND), None);
        assert_eq!(throttle.reserve("capture", "a", now, SECOND * 3), Some(SECOND * 2));
        assert_eq!(throttle.reserve("capture", "b", now, Duration::ZERO), Some(Duration::ZERO));
    }
}
