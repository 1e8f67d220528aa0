//! Randomness as a value that is passed in: the operating system's generator, or one that repeats from a seed.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::OsRng;
use rand::{RngCore, SeedableRng, TryRngCore};
use rand_chacha::ChaCha20Rng;
use uuid::{Builder, Uuid};

/// A source of random bytes, shared by cloning.
#[derive(Clone)]
pub struct Random {
    source: Arc<Source>,
}

enum Source {
    System,
    Seeded(Box<Mutex<ChaCha20Rng>>),
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match *self.source {
            Source::System => "Random::System",
            Source::Seeded(_) => "Random::Seeded",
        })
    }
}

impl Random {
    /// The operating system's generator: the only choice where secrets must be secret.
    pub fn system() -> Self {
        Self { source: Arc::new(Source::System) }
    }

    /// A generator that yields the same bytes on every run, for test environments. `stream` separates runs that share
    /// a seed, so that a restarted process does not make the ids of its first life again.
    pub fn seeded(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { source: Arc::new(Source::Seeded(Box::new(Mutex::new(rng)))) }
    }

    /// Whether this source repeats itself from a seed.
    pub fn is_seeded(&self) -> bool {
        matches!(*self.source, Source::Seeded(_))
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &*self.source {
            Source::System => OsRng.try_fill_bytes(bytes).expect("the operating system yields random bytes"),
            Source::Seeded(rng) => rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill_bytes(bytes),
        }
    }

    /// A new identifier. From the system source it is a UUIDv7, so that rows made together lie together in the index;
    /// from a seed it is a UUIDv4, so that it does not depend on the time of the run.
    pub fn id(&self, now_us: i64) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        if self.is_seeded() {
            return Builder::from_random_bytes(bytes).into_uuid();
        }
        let millis = u64::try_from(now_us / 1_000).unwrap_or(0);
        let tail: [u8; 10] = bytes[6..].try_into().expect("ten of sixteen bytes");
        Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }

    /// `bytes` random bytes as base64url text without padding.
    pub fn base64url(&self, bytes: usize) -> String {
        let mut buffer = vec![0; bytes];
        self.fill(&mut buffer);
        URL_SAFE_NO_PAD.encode(buffer)
    }

    /// `length` characters drawn evenly from `alphabet` (at most 256 ASCII characters).
    pub fn text(&self, alphabet: &[u8], length: usize) -> String {
        // Rejection keeps the draw even: bytes beyond the last full multiple of the alphabet are thrown away.
        let limit = 256 - 256 % alphabet.len();
        let mut out = String::with_capacity(length);
        let mut buffer = [0; 64];
        while out.len() < length {
            self.fill(&mut buffer);
            for byte in buffer {
                if usize::from(byte) < limit && out.len() < length {
                    out.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
                }
            }
        }
        out
    }

    /// `length` characters of A-Z, a-z, 0-9.
    pub fn alphanumeric(&self, length: usize) -> String {
        self.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length)
    }

    /// A number below `bound`, for jitter. Zero when `bound` is zero.
    pub fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_stream_repeat_and_another_stream_does_not() {
        let draw = |seed, stream| {
            let random = Random::seeded(seed, stream);
            (random.id(0), random.base64url(32), random.alphanumeric(12))
        };
        assert_eq!(draw(7, 0), draw(7, 0));
        assert_ne!(draw(7, 0), draw(7, 1));
        assert_ne!(draw(7, 0), draw(8, 0));
    }

    #[test]
    fn system_ids_ascend_with_time() {
        let random = Random::system();
        assert!(random.id(2_000_000) > random.id(1_000_000));
    }
}
