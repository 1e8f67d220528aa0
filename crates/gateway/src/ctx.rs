//! What every use case is handed: storage, time, chance, secrets, and the way to Klarna.

use std::ops::Deref;
use std::sync::Arc;

use kit::clock::Clock;
use kit::db::Db;
use kit::jobs::Poke;
use kit::random::Random;
use kit::rate_limit::RateLimiter;
use kit::secret_box::SecretBox;

use crate::config::Config;
use crate::klarna;

/// The parts of a [`Ctx`].
pub struct Parts {
    /// Storage, migrated with [`crate::MIGRATIONS`].
    pub db: Db,
    /// Decides what "now" is.
    pub clock: Clock,
    /// Ids, keys, jitter.
    pub random: Random,
    /// Seals tokens and signing keys before they are stored.
    pub secrets: SecretBox,
    /// Settings.
    pub config: Config,
    /// Calls to the network.
    pub klarna: klarna::Client,
    /// Limits on what Partners may ask.
    pub limiter: RateLimiter,
    /// Wakes the workers of this process.
    pub poke: Poke,
}

/// Shared by cloning.
#[derive(Clone)]
pub struct Ctx(Arc<Parts>);

impl Ctx {
    /// From its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Ctx {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
