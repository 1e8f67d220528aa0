//! PostgreSQL: a unit of work is one transaction on a pooled connection; independent statements share a round trip.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::migrate::{self, Applied, Migrations};
use super::{DbConfig, DbError, FromRow, Param, Row, Statement, Tx, TxInner, UnitFuture};

pub(super) struct PgPool {
    pool: Pool,
}

impl PgPool {
    pub(super) async fn open(config: &DbConfig) -> Result<Self, DbError> {
        let mut connect = tokio_postgres::Config::from_str(&config.url)
            .map_err(|error| DbError::Url(format!("not a PostgreSQL url: {error}")))?;
        connect.application_name("kontor");
        connect.connect_timeout(Duration::from_secs(5));
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unavailable("configuring TLS to the database", error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let manager = Manager::from_config(
            connect,
            MakeRustlsConnect::new(tls),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let wait = Some(Duration::from_secs(5));
        let pool = Pool::builder(manager)
            .max_size(config.pool_size)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait, create: wait, recycle: wait })
            .build()
            .map_err(|error| unavailable("building the connection pool", error))?;
        let this = Self { pool };
        drop(this.connection().await?);
        Ok(this)
    }

    async fn connection(&self) -> Result<Object, DbError> {
        self.pool.get().await.map_err(|error| unavailable("connecting", error))
    }

    pub(super) async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let client = self.connection().await?;
        // On a task of its own, so that a caller that stops waiting does not stop the unit halfway.
        let unit = tokio::spawn(async move {
            let mut tx = Tx { inner: TxInner::Postgres(PgTx::new(client, Stage::NotBegun)) };
            let result = std::panic::AssertUnwindSafe(unit(&mut tx))
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(DbError::Panicked.into()));
            let TxInner::Postgres(tx) = tx.inner else { unreachable!("a PostgreSQL pool holds its own transactions") };
            match result {
                Ok(value) => tx.end("commit").await.map(|()| value).map_err(E::from),
                Err(error) => {
                    if let Err(error) = tx.end("rollback").await {
                        tracing::debug!(error = &error as &dyn std::error::Error, "rolling back");
                    }
                    Err(error)
                }
            }
        });
        unit.await.unwrap_or_else(|_| Err(DbError::Panicked.into()))
    }

    pub(super) async fn read<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let client = self.connection().await?;
        let mut tx = Tx { inner: TxInner::Postgres(PgTx::new(client, Stage::Auto)) };
        unit(&mut tx).await
    }

    pub(super) async fn migrate(&self, sets: &[Migrations]) -> Result<Vec<Applied>, DbError> {
        let mut client = self.connection().await?;
        migrate::run_postgres(&mut client, sets).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Each statement commits by itself.
    Auto,
    /// `begin` goes out with the first statement.
    NotBegun,
    Open,
    Done,
}

pub(super) struct PgTx {
    /// Present until the connection is given back or thrown away.
    client: Option<Object>,
    stage: Stage,
}

impl Drop for PgTx {
    fn drop(&mut self) {
        // A connection with an open transaction must not return to the pool: closing it rolls back on the server.
        if self.stage == Stage::Open
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

impl PgTx {
    fn new(client: Object, stage: Stage) -> Self {
        Self { client: Some(client), stage }
    }

    fn client(&self) -> &Object {
        self.client.as_ref().expect("the connection is held until the transaction is dropped")
    }

    async fn end(mut self, sql: &'static str) -> Result<(), DbError> {
        if self.stage != Stage::Open {
            self.stage = Stage::Done;
            return Ok(());
        }
        let outcome = self.client().batch_execute(sql).await.map_err(|error| refused(sql, error));
        if outcome.is_ok() {
            self.stage = Stage::Done;
        }
        outcome
    }

    pub(super) async fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, DbError> {
        let begin = self.take_begin();
        let client = self.client();
        let run = execute_on(client, sql, params);
        match begin {
            true => first(client, run).await,
            false => run.await,
        }
    }

    pub(super) async fn execute_all(&mut self, statements: &[Statement<'_>]) -> Result<(), DbError> {
        let begin = self.take_begin();
        let client = self.client();
        let run = async {
            let flights = statements.iter().map(|statement| execute_on(client, statement.sql, statement.params));
            for outcome in join_all(flights).await {
                outcome?;
            }
            Ok(())
        };
        match begin {
            true => first(client, run).await,
            false => run.await,
        }
    }

    pub(super) async fn fetch_all<R: FromRow>(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<R>, DbError> {
        let begin = self.take_begin();
        let client = self.client();
        let run = async {
            let statement = client.prepare_cached(sql).await.map_err(|error| refused(sql, error))?;
            client.query(&statement, &borrow(params)).await.map_err(|error| refused(sql, error))
        };
        let rows = match begin {
            true => first(client, run).await,
            false => run.await,
        }?;
        rows.iter().map(|row| R::from_row(&Row::Postgres(row))).collect()
    }

    /// A statement that is made while the program runs: not kept prepared.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), DbError> {
        let begin = self.take_begin();
        let client = self.client();
        let run = async { client.batch_execute(sql).await.map_err(|error| refused(sql, error)) };
        match begin {
            true => first(client, run).await,
            false => run.await,
        }
    }

    /// The same for a query.
    pub(super) async fn ask<R: FromRow>(&mut self, sql: &str) -> Result<Vec<R>, DbError> {
        let begin = self.take_begin();
        let client = self.client();
        let run = async { client.query(sql, &[]).await.map_err(|error| refused(sql, error)) };
        let rows = match begin {
            true => first(client, run).await,
            false => run.await,
        }?;
        rows.iter().map(|row| R::from_row(&Row::Postgres(row))).collect()
    }

    fn take_begin(&mut self) -> bool {
        let begin = self.stage == Stage::NotBegun;
        if begin {
            self.stage = Stage::Open;
        }
        begin
    }
}

/// Sends `begin` and the first statement in one flight: both are queued before either answer is awaited, in this order.
async fn first<T>(client: &Object, run: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    let (begun, outcome) = join(client.batch_execute("begin"), run).await;
    begun.map_err(|error| refused("begin", error))?;
    outcome
}

async fn execute_on(client: &Object, sql: &'static str, params: &[Param<'_>]) -> Result<u64, DbError> {
    let statement = client.prepare_cached(sql).await.map_err(|error| refused(sql, error))?;
    client.execute(&statement, &borrow(params)).await.map_err(|error| refused(sql, error))
}

fn borrow<'a>(params: &'a [Param<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    params.iter().map(|param| param as &(dyn ToSql + Sync)).collect()
}

fn unavailable(context: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::Unavailable { context, source: Box::new(source) }
}

fn refused(sql: &str, error: tokio_postgres::Error) -> DbError {
    let Some(state) = error.code() else {
        // No answer from the server: the connection broke. A commit without an answer may have happened or not;
        // whoever asked finds out by repeating the unit under its idempotency key.
        return unavailable("talking to the server", error);
    };
    if *state == SqlState::UNIQUE_VIOLATION {
        return DbError::Duplicate(Box::new(error));
    }
    if *state == SqlState::T_R_SERIALIZATION_FAILURE || *state == SqlState::T_R_DEADLOCK_DETECTED {
        return DbError::Contended;
    }
    // Classes 08 connection, 53 resources (a full disk among them), 57 operator intervention, 58 system.
    if ["08", "53", "57", "58"].iter().any(|class| state.code().starts_with(class)) {
        return unavailable("running a statement", error);
    }
    DbError::Statement { sql: sql.to_owned(), source: Box::new(error) }
}
