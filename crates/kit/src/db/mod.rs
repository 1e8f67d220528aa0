//! One SQL text on two engines: SQLite (embedded, group commit) and PostgreSQL.
//!
//! A **unit of work** is a closure that gets a [`Tx`] and either returns `Ok` (all of it is durable once
//! [`Db::write`] returns) or `Err` (none of it happened). Nothing above this module knows which engine runs.
//!
//! - On SQLite one writer thread owns the only writing connection. It takes all units that wait, runs each in a savepoint,
//!   and commits them together, so that one fsync serves many callers; a failed unit is rolled back alone. Reads run on a few
//!   reader threads. A unit must not wait for anything but the database: its future is polled once.
//! - On PostgreSQL a unit is one transaction on a pooled connection, at `read committed`. Lock a row by updating it
//!   (`update … returning`) before deciding on what it holds: that statement is the same on both engines.
//!
//! Statements are constants with `$1` parameters; see [`params!`](crate::params) and [`row!`](crate::row).

mod answer;
mod checkpoint;
mod migrate;
mod postgres;
mod sqlite;
mod tables;
mod value;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

pub use migrate::{Applied, Migrations};
pub use value::{Column, FromRow, Param, Row};

use postgres::{PgPool, PgTx};
use sqlite::{SqlitePool, SqliteTx};

/// A future that a unit of work returns, tied to the borrow of its transaction.
pub type UnitFuture<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The database cannot be reached, is full, or gave up: nothing was changed, and trying again later may help.
    #[error("the database is unavailable: {context}")]
    Unavailable {
        /// What was being done.
        context: &'static str,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement broke a unique constraint.
    #[error("a unique constraint refused the statement")]
    Duplicate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another transaction changed the same rows first: repeat the unit.
    #[error("another transaction was faster")]
    Contended,
    /// A statement was refused for another reason: a programming error.
    #[error("statement failed: {sql}")]
    Statement {
        /// The statement's text.
        sql: String,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A row that must exist does not.
    #[error("no row for: {sql}")]
    NoRow {
        /// The statement's text.
        sql: &'static str,
    },
    /// A column was absent or of another type.
    #[error("column {column} cannot be read")]
    Decode {
        /// The column's name.
        column: String,
        /// The engine's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A unit of work waited for something other than its transaction.
    #[error("a unit of work waited for something other than the database")]
    Waited,
    /// A unit of work panicked; it was rolled back.
    #[error("a unit of work panicked")]
    Panicked,
    /// A migration failed.
    #[error("migrating {set}")]
    Migration {
        /// The set of migrations.
        set: &'static str,
        /// The migrator's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database url is not one that this program understands.
    #[error("database url: {0}")]
    Url(String),
}

impl DbError {
    /// Whether the same unit may succeed when it is tried again without a change.
    pub fn is_transient(&self) -> bool {
        matches!(self, DbError::Unavailable { .. } | DbError::Contended)
    }
}

/// Where and how to store.
#[derive(Clone, Debug)]
pub struct DbConfig {
    /// `sqlite:PATH` or `postgres://user:password@host:port/name`.
    pub url: String,
    /// Reader threads on SQLite.
    pub readers: usize,
    /// Connections on PostgreSQL.
    pub pool_size: usize,
    /// Largest size of a SQLite file in pages of 4096 bytes; `None` for no limit of our own. Tests use it as a full disk.
    pub sqlite_max_pages: Option<u32>,
}

impl DbConfig {
    /// The defaults for a url.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), readers: 2, pool_size: 16, sqlite_max_pages: None }
    }

    /// The SQLite file's path, if that is the engine.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let path = self.url.strip_prefix("sqlite:")?;
        Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
    }
}

/// Which engine stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// Server.
    Postgres,
}

/// A database. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

enum Inner {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Db({:?})", self.engine())
    }
}

impl Db {
    /// Opens the database; a SQLite file and its folder are made when absent. Does not migrate.
    ///
    /// # Errors
    /// [`DbError::Url`] for a url of another kind, [`DbError::Unavailable`] when the file or server cannot be opened.
    pub async fn open(config: &DbConfig) -> Result<Self, DbError> {
        let inner = if let Some(path) = config.sqlite_path() {
            Inner::Sqlite(SqlitePool::open(&path, config)?)
        } else if config.url.starts_with("postgres://") || config.url.starts_with("postgresql://") {
            Inner::Postgres(PgPool::open(config).await?)
        } else {
            let kind = config.url.split(':').next().unwrap_or_default();
            return Err(DbError::Url(format!(
                "`{kind}:…` is not supported; use sqlite:PATH or postgres://user@host/name"
            )));
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The engine behind this database.
    pub fn engine(&self) -> Engine {
        match *self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Applies what is missing of the sets, in order, and says what that was. Safe to run from many processes at once.
    ///
    /// # Errors
    /// [`DbError::Migration`] with the migrator's reason; what was applied before stays.
    pub async fn migrate(&self, sets: &[Migrations]) -> Result<Vec<Applied>, DbError> {
        match &*self.inner {
            Inner::Sqlite(pool) => pool.migrate(sets).await,
            Inner::Postgres(pool) => pool.migrate(sets).await,
        }
    }

    /// Runs a unit of work and returns once it is on disk, or was rolled back.
    ///
    /// The unit runs to its end even when the caller stops waiting for it.
    ///
    /// # Errors
    /// The unit's own error, or a [`DbError`] when the commit failed: then nothing of the unit happened.
    pub async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        match &*self.inner {
            Inner::Sqlite(pool) => pool.write(unit).await,
            Inner::Postgres(pool) => pool.write(unit).await,
        }
    }

    /// Like [`Db::write`], repeated (at most ten times) while it fails as [`DbError::Contended`], as PostgreSQL may.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_repeating<T, E, F>(&self, mut unit: impl FnMut() -> F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + MaybeContended + Send + 'static,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.write(unit()).await {
                Err(error) if error.is_contended() && tries < 10 => {}
                other => return other,
            }
        }
    }

    /// Runs a unit that only reads. On SQLite it sees one snapshot; on PostgreSQL each statement sees what is committed.
    ///
    /// # Errors
    /// The unit's own error, or a [`DbError`].
    pub async fn read<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        match &*self.inner {
            Inner::Sqlite(pool) => pool.read(unit).await,
            Inner::Postgres(pool) => pool.read(unit).await,
        }
    }

    /// Like [`Db::read`], for a look-up of a few rows by key: on SQLite it runs at once, on the caller's thread.
    ///
    /// # Errors
    /// As [`Db::read`].
    pub async fn look_up<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        match &*self.inner {
            Inner::Sqlite(pool) => pool.look_up(unit),
            Inner::Postgres(pool) => pool.read(unit).await,
        }
    }

    /// Whether the database answers; for readiness.
    ///
    /// # Errors
    /// [`DbError`] when it does not.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.read(|tx| Box::pin(async move { tx.fetch_one::<()>("select 1 as one", &[]).await })).await
    }
}

/// An error that may stand for [`DbError::Contended`].
pub trait MaybeContended {
    /// Whether repeating the unit may help.
    fn is_contended(&self) -> bool;
}

impl MaybeContended for DbError {
    fn is_contended(&self) -> bool {
        matches!(self, DbError::Contended)
    }
}

/// A transaction: the only way to run statements.
pub struct Tx {
    inner: TxInner,
}

enum TxInner {
    Sqlite(SqliteTx),
    Postgres(PgTx),
}

/// A statement with its parameters, for [`Tx::execute_all`].
#[derive(Clone, Copy, Debug)]
pub struct Statement<'a> {
    /// The text.
    pub sql: &'static str,
    /// Its parameters.
    pub params: &'a [Param<'a>],
}

impl Tx {
    /// Which engine this is; only `dialect.rs` files ask.
    pub fn engine(&self) -> Engine {
        match self.inner {
            TxInner::Sqlite(_) => Engine::Sqlite,
            TxInner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement and returns the number of rows that it changed.
    ///
    /// # Errors
    /// [`DbError::Duplicate`] on a broken unique constraint, otherwise as the engine says.
    pub async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, DbError> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.execute(sql, params),
            TxInner::Postgres(tx) => tx.execute(sql, params).await,
        }
    }

    /// Runs statements that do not depend on each other's results: in one round trip on PostgreSQL.
    ///
    /// # Errors
    /// The first error, by order of the statements.
    pub async fn execute_all(&mut self, statements: &[Statement<'_>]) -> Result<(), DbError> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => {
                for statement in statements {
                    tx.execute(statement.sql, statement.params)?;
                }
                Ok(())
            }
            TxInner::Postgres(tx) => tx.execute_all(statements).await,
        }
    }

    /// All rows of a query, or of a statement with `returning`.
    ///
    /// # Errors
    /// As [`Tx::execute`], and [`DbError::Decode`].
    pub async fn fetch_all<R: FromRow>(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<R>, DbError> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.fetch_all(sql, params),
            TxInner::Postgres(tx) => tx.fetch_all(sql, params).await,
        }
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`].
    pub async fn fetch_optional<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Option<R>, DbError> {
        Ok(self.fetch_all(sql, params).await?.into_iter().next())
    }

    /// The first row, which must exist.
    ///
    /// # Errors
    /// As [`Tx::fetch_all`], and [`DbError::NoRow`].
    pub async fn fetch_one<R: FromRow>(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<R, DbError> {
        self.fetch_optional(sql, params).await?.ok_or(DbError::NoRow { sql })
    }
}
