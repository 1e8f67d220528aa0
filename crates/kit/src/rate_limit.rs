//! Rate limits at several levels at once: a request is counted at all of them or, when one is exhausted, at none.
//!
//! Windows are whole seconds. Counting is per process, as the network counts per data centre (fact sheet 01 §7); the
//! numbers in the headers are therefore approximate, as theirs are.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Header with the quotas.
pub const LIMIT_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-limit");
/// Header with what is left.
pub const REMAINING_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// Header with the seconds until the quota is whole again.
pub const RESET_HEADER: HeaderName = HeaderName::from_static("x-ratelimit-reset");

const SHARDS: usize = 64;
/// Keys remembered in one shard; with 64 shards a quarter of a million in all, some 12 MB.
const KEYS_PER_SHARD_MAX: usize = 4096;

/// One level that a request counts against.
#[derive(Clone, Copy, Debug)]
pub struct Level<'a> {
    /// Label in the header; also keeps equal keys of different levels apart.
    pub name: &'a str,
    /// Whose quota it is.
    pub key: &'a str,
    /// Requests per second; zero refuses all.
    pub quota_per_second: u32,
}

/// What one level looks like after the decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelState {
    /// Label of the level.
    pub name: String,
    /// Requests per second.
    pub quota_per_second: u32,
    /// Requests left in this second.
    pub remaining: u32,
}

/// The answer to [`RateLimiter::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on. If not, nothing was counted.
    pub allowed: bool,
    /// State of each level, in the order asked.
    pub levels: Vec<LevelState>,
    /// Seconds until the quotas are whole again, rounded up.
    pub reset_seconds: u32,
}

impl Decision {
    /// What is left at the level nearest to exhaustion.
    pub fn remaining(&self) -> u32 {
        self.nearest().map_or(0, |level| level.remaining)
    }

    /// `40, 40;w=1;name="a",100;w=1;name="b"`: the quota nearest to exhaustion, then every policy (fact sheet 01 §7).
    pub fn limit_header(&self) -> String {
        let mut text = String::with_capacity(24 + 40 * self.levels.len());
        let quota = self.nearest().map_or(0, |level| level.quota_per_second);
        // Writing to a String cannot fail.
        let _ = write!(text, "{quota}, ");
        for (index, level) in self.levels.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{};w=1;name=\"{}\"", level.quota_per_second, level.name);
        }
        text
    }

    /// Sets the three headers. Level names must be visible ASCII; a header that would not be valid is left out.
    pub fn write_headers(&self, headers: &mut HeaderMap) {
        if let Ok(limit) = HeaderValue::try_from(self.limit_header()) {
            headers.insert(LIMIT_HEADER, limit);
        }
        headers.insert(REMAINING_HEADER, HeaderValue::from(self.remaining()));
        headers.insert(RESET_HEADER, HeaderValue::from(self.reset_seconds));
    }

    fn nearest(&self) -> Option<&LevelState> {
        self.levels.iter().min_by_key(|level| (level.remaining, level.quota_per_second))
    }
}

/// Time since some fixed moment; never goes back.
pub type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

#[derive(Clone, Copy)]
struct Window {
    second: u64,
    used: u32,
}

type Shard = HashMap<u128, Window>;

/// Counts requests; see the module's description. Share it behind an `Arc`.
pub struct RateLimiter {
    shards: Box<[Mutex<Shard>]>,
    hashers: [RandomState; 2],
    now: Monotonic,
    keys_per_shard_max: usize,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimiter {
    /// A limiter on the machine's monotonic time.
    pub fn new() -> Self {
        let began = Instant::now();
        Self::with_time(Arc::new(move || began.elapsed()))
    }

    /// A limiter on a time of the caller's choice.
    pub fn with_time(now: Monotonic) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hashers: [RandomState::new(), RandomState::new()],
            now,
            keys_per_shard_max: KEYS_PER_SHARD_MAX,
        }
    }

    /// Decides about one request against all `levels`, and counts it if it is allowed.
    pub fn check(&self, levels: &[Level<'_>]) -> Decision {
        let second = (self.now)().as_secs();
        let keys: Vec<u128> = levels.iter().map(|level| self.hash(level)).collect();
        // In ascending order and once each, so that two requests never wait for each other.
        let mut wanted: Vec<usize> = keys.iter().map(|key| shard_of(*key)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut held: Vec<(usize, MutexGuard<'_, Shard>)> = wanted
            .into_iter()
            .map(|index| (index, self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)))
            .collect();

        let mut states = Vec::with_capacity(levels.len());
        let mut slots = Vec::with_capacity(levels.len());
        let mut allowed = true;
        for (level, key) in levels.iter().zip(keys) {
            let place = held
                .iter()
                .position(|(index, _)| *index == shard_of(key))
                .expect("the shard of every key was locked above");
            let (slot, used) = self.slot(&mut held[place].1, key, level.name, second);
            allowed &= used < level.quota_per_second;
            slots.push((place, slot));
            states.push(LevelState {
                name: level.name.to_owned(),
                quota_per_second: level.quota_per_second,
                remaining: level.quota_per_second.saturating_sub(used),
            });
        }
        if allowed {
            for ((place, slot), state) in slots.into_iter().zip(&mut states) {
                let window = held[place].1.entry(slot).or_insert(Window { second, used: 0 });
                if window.second != second {
                    *window = Window { second, used: 0 };
                }
                window.used += 1;
                state.remaining = state.remaining.saturating_sub(1);
            }
        }
        Decision { allowed, levels: states, reset_seconds: 1 }
    }

    /// Keys remembered at the moment.
    pub fn remembered(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Where a key is counted, and how much is used. When a shard is full, windows of past seconds are forgotten; if all are of
    /// this second, further keys of a level share one quota, so that memory stays bounded and nobody counts for free.
    fn slot(&self, shard: &mut Shard, key: u128, name: &str, second: u64) -> (u128, u32) {
        let used = |window: &Window| if window.second == second { window.used } else { 0 };
        if let Some(window) = shard.get(&key) {
            return (key, used(window));
        }
        if shard.len() >= self.keys_per_shard_max {
            shard.retain(|_, window| window.second == second);
        }
        if shard.len() < self.keys_per_shard_max {
            return (key, 0);
        }
        let shared = self.hashers[0].hash_one(("overflow", name)) as u128;
        (shared, shard.get(&shared).map_or(0, used))
    }

    /// 128 keyed bits stand for the key: no string is kept, and collisions cannot be sought from outside.
    fn hash(&self, level: &Level<'_>) -> u128 {
        let half = |hasher: &RandomState| u128::from(hasher.hash_one((level.name, level.key)));
        (half(&self.hashers[0]) << 64) | half(&self.hashers[1])
    }
}

fn shard_of(key: u128) -> usize {
    (key % SHARDS as u128) as usize
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn limiter() -> (RateLimiter, Arc<AtomicU64>) {
        let millis = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&millis);
        (RateLimiter::with_time(Arc::new(move || Duration::from_millis(read.load(Ordering::Relaxed)))), millis)
    }

    fn level<'a>(name: &'a str, key: &'a str, quota_per_second: u32) -> Level<'a> {
        Level { name, key, quota_per_second }
    }

    #[test]
    fn a_second_holds_exactly_its_quota_and_the_next_one_begins_anew() {
        let (limiter, millis) = limiter();
        for expected in [2, 1, 0] {
            let decision = limiter.check(&[level("a", "k", 3)]);
            assert!(decision.allowed);
            assert_eq!(decision.remaining(), expected);
        }
        millis.store(999, Ordering::Relaxed);
        assert!(!limiter.check(&[level("a", "k", 3)]).allowed);
        millis.store(1000, Ordering::Relaxed);
        assert!(limiter.check(&[level("a", "k", 3)]).allowed);
    }

    #[test]
    fn a_refusal_at_one_level_counts_at_none() {
        let (limiter, _) = limiter();
        assert!(limiter.check(&[level("small", "k", 1), level("large", "all", 5)]).allowed);
        for _ in 0..10 {
            let refused = limiter.check(&[level("small", "k", 1), level("large", "all", 5)]);
            assert!(!refused.allowed);
            assert_eq!(refused.levels[1].remaining, 4);
        }
        assert_eq!(limiter.check(&[level("large", "all", 5)]).remaining(), 3);
    }

    #[test]
    fn one_key_does_not_use_up_anothers_quota_but_their_sum_does() {
        let (limiter, _) = limiter();
        let ask = |key| limiter.check(&[level("one", key, 2), level("sum", "s", 3)]).allowed;
        assert_eq!([ask("x"), ask("x"), ask("x"), ask("y"), ask("y")], [true, true, false, true, false]);
    }

    #[test]
    fn a_quota_of_zero_refuses_all() {
        let (limiter, _) = limiter();
        assert!(!limiter.check(&[level("a", "k", 0)]).allowed);
    }

    #[test]
    fn the_headers_have_the_documented_form() {
        let (limiter, _) = limiter();
        let decision = limiter.check(&[level("a", "k", 40), level("b", "k", 100)]);
        let mut headers = HeaderMap::new();
        decision.write_headers(&mut headers);
        assert_eq!(headers[LIMIT_HEADER], r#"40, 40;w=1;name="a",100;w=1;name="b""#);
        assert_eq!(headers[REMAINING_HEADER], "39");
        assert_eq!(headers[RESET_HEADER], "1");
    }

    #[test]
    fn memory_is_bounded_and_idle_keys_are_forgotten() {
        let (mut limiter, millis) = limiter();
        limiter.keys_per_shard_max = 4;
        for number in 0..10_000 {
            limiter.check(&[level("a", &number.to_string(), 1_000_000)]);
        }
        // One shared slot a shard may come on top.
        assert!(limiter.remembered() <= SHARDS * 5, "{}", limiter.remembered());
        millis.store(5_000, Ordering::Relaxed);
        let mut keys_of_now = 0;
        while keys_of_now < 2_000 {
            limiter.check(&[level("a", &format!("later {keys_of_now}"), 1)]);
            keys_of_now += 1;
        }
        assert!(limiter.remembered() <= SHARDS * 5);
    }

    #[test]
    fn keys_beyond_the_bound_share_a_quota_instead_of_counting_for_free() {
        let (mut limiter, _) = limiter();
        limiter.keys_per_shard_max = 1;
        let allowed = (0..1_000).filter(|number| limiter.check(&[level("a", &number.to_string(), 1)]).allowed).count();
        assert!(allowed <= SHARDS * 2, "{allowed}");
    }

    #[test]
    fn threads_together_get_no_more_than_the_quota() {
        let (limiter, _) = limiter();
        let allowed = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (limiter, allowed) = (&limiter, &allowed);
                scope.spawn(move || {
                    let own = format!("own {thread}");
                    for _ in 0..200 {
                        // Both orders, to show that locks are taken in one.
                        let (a, b) = (level("own", &own, 1000), level("all", "all", 500));
                        let levels = if thread % 2 == 0 { [a, b] } else { [b, a] };
                        allowed.fetch_add(usize::from(limiter.check(&levels).allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 500);
    }
}
