//! What every operation of the network end works with: storage, time, chance, secrets, settings.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use kit::clock::Clock;
use kit::db::{Db, DbError, MaybeContended, Tx, UnitFuture};
use kit::jobs::Poke;
use kit::random::Random;
use kit::rate_limit::RateLimiter;
use kit::secret_box::SecretBox;

use crate::accounts::Family;
use crate::config::Config;
use crate::console::Observer;
use crate::credentials::{AuthorityCache, VerifiedKeys};
use crate::operation::InFlight;
use crate::tokens::KeyCache;

/// Shared by cloning; the members are reached through [`Deref`].
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

/// The members of [`Ctx`].
pub struct Inner {
    /// The database.
    pub db: Db,
    /// The clock that the console moves.
    pub clock: Clock,
    /// Ids, tokens and keys come from here.
    pub random: Random,
    /// Seals what must be readable again.
    pub secrets: SecretBox,
    /// What the operator decided.
    pub config: Config,
    /// Counts requests, per process.
    pub limiter: RateLimiter,
    /// Wakes this process's workers after a transaction that made work.
    pub poke: Poke,
    /// API keys that were verified less than a second ago.
    pub(crate) verified_keys: VerifiedKeys,
    /// Who issues client certificates, once it was read.
    pub(crate) authority: AuthorityCache,
    /// Which accounts stand under which Acquiring Partner, as far as asked: that never changes.
    pub(crate) family: Family,
    /// Calls with an idempotency key that run now, in this process.
    pub(crate) in_flight: InFlight,
    /// The keys that sign tokens, once they were read.
    pub(crate) token_keys: KeyCache,
    /// The keys that sign for sign-ins, as they were last read.
    pub(crate) signing_keys: crate::identity::KeyCache,
    /// Sees every call, for the request log.
    pub(crate) observer: Observer,
    /// How often a transaction of this process made work for the workers, committed or not.
    work: AtomicU64,
    /// Numbers the events of this process, so that those of one instant keep their order.
    ordinal: AtomicI64,
}

impl Ctx {
    /// A context over an opened and migrated database.
    pub fn new(db: Db, clock: Clock, random: Random, secrets: SecretBox, config: Config) -> Self {
        let observer = Observer::new(config.testing.then_some(config.call_log));
        Self(Arc::new(Inner {
            db,
            clock,
            random,
            secrets,
            config,
            limiter: RateLimiter::new(),
            poke: Poke::default(),
            verified_keys: VerifiedKeys::default(),
            authority: AuthorityCache::default(),
            family: Family::default(),
            in_flight: InFlight::default(),
            token_keys: KeyCache::default(),
            signing_keys: crate::identity::KeyCache::default(),
            observer,
            work: AtomicU64::new(0),
            ordinal: AtomicI64::new(0),
        }))
    }

    /// Runs a unit of work, repeated while PostgreSQL says that another transaction was faster, and wakes the workers when it
    /// made work for them. All writes of operations go through here.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write<T, E, F>(&self, unit: impl FnMut() -> F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + MaybeContended + Send + 'static,
    {
        let before = self.work.load(Ordering::Acquire);
        let written = self.db.write_repeating(unit).await;
        // Somebody else's work may show here, too: a needless poke costs one look.
        if written.is_ok() && self.work.load(Ordering::Acquire) != before {
            self.poke.poke();
        }
        written
    }

    /// Called inside a unit of work that enqueues jobs, so that [`Ctx::write`] wakes the workers after its commit.
    pub fn work_was_made(&self) {
        self.work.fetch_add(1, Ordering::AcqRel);
    }

    /// Everything in the database is other than it was: what is remembered of it is void.
    pub(crate) fn forget(&self) {
        self.verified_keys.forget();
        self.family.forget();
        self.signing_keys.forget();
    }

    pub(crate) fn next_ordinal(&self) -> i64 {
        self.ordinal.fetch_add(1, Ordering::Relaxed)
    }
}

impl Deref for Ctx {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
