//! SQLite: one writer thread with group commit, a few reader threads, durable by `synchronous=full`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rusqlite::config::DbConfig as DbConfigFlag;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpoints;
use super::migrate::{self, Applied, Migrations};
use super::{DbConfig, DbError, FromRow, Param, Row, Tx, TxInner, UnitFuture};

/// Units that one commit carries at most: a bound on how long the first of them waits for the last.
const BATCH_MAX: usize = 256;
/// Connections for look-ups that are kept open.
const IDLE_MAX: usize = 4;
/// Units that may wait before callers are held back.
const QUEUE_MAX: usize = 4_096;

/// A unit, waiting. It is handed no transaction when there is none to run it in: then it only passes the bad news on.
type Work = Box<dyn FnOnce(Option<&mut Tx>) -> Completion + Send>;

/// What a unit leaves behind: whether to keep its changes, and how to answer once the commit's outcome is known.
struct Completion {
    keep: bool,
    answer: Box<dyn FnOnce(Result<(), DbError>) + Send>,
}

pub(super) struct SqlitePool {
    path: PathBuf,
    writer: mpsc::Sender<Work>,
    readers: mpsc::Sender<Work>,
    /// Connections for reads on the caller's own thread, while nobody uses them.
    idle: Mutex<Vec<Tx>>,
}

impl SqlitePool {
    pub(super) fn open(path: &Path, config: &DbConfig) -> Result<Self, DbError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| unavailable("making the database's folder", e))?;
        }
        let mut connection = open_writer(path, config)?;
        let checkpoints = Checkpoints::take_over(&mut connection, path)?;
        let (writer, queue) = mpsc::channel(QUEUE_MAX);
        spawn("kontor-db-writer", move || run_writer(Tx::sqlite(connection), queue, checkpoints))?;

        let (readers, queue) = mpsc::channel(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..config.readers.max(1) {
            let connection = open_reader(path)?;
            let queue = Arc::clone(&queue);
            spawn("kontor-db-reader", move || run_reader(Tx::sqlite(connection), &queue))?;
        }
        Ok(Self { path: path.to_owned(), writer, readers, idle: Mutex::new(Vec::new()) })
    }

    pub(super) async fn write<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        submit(&self.writer, unit).await
    }

    pub(super) async fn read<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        submit(&self.readers, unit).await
    }

    /// Runs on the caller's thread: two changes of thread cost more than a look-up by key.
    pub(super) fn look_up<T, E, F>(&self, unit: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>>,
        E: From<DbError>,
    {
        let idle = || self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = idle().pop();
        let mut tx = match kept {
            Some(tx) => tx,
            None => Tx::sqlite(open_reader(&self.path)?),
        };
        tx.command("begin deferred")?;
        let result = poll_once(unit(&mut tx)).unwrap_or_else(|| Err(DbError::Waited.into()));
        tx.command("commit")?;
        // Not kept after an error or a panic: a new connection is cheap beside a doubtful one.
        let mut idle = idle();
        if idle.len() < IDLE_MAX {
            idle.push(tx);
        }
        result
    }

    /// Migrations run on the writer's thread, outside of any batch: they bring their own transactions.
    pub(super) async fn migrate(&self, sets: &[Migrations]) -> Result<Vec<Applied>, DbError> {
        let (reply, answer) = oneshot::channel();
        let sets = sets.to_vec();
        let work: Work = Box::new(move |tx| {
            let outcome = match tx.map(|tx| &mut tx.inner) {
                // The batch has opened a transaction; leave it for the migrator's own and hand back a fresh one.
                Some(TxInner::Sqlite(tx)) => tx
                    .command("commit")
                    .and_then(|()| migrate::run_sqlite(&mut tx.connection, &sets))
                    .and_then(|applied| tx.command("begin immediate").map(|()| applied))
                    .and_then(|applied| tx.command("savepoint unit").map(|()| applied)),
                Some(TxInner::Postgres(_)) => unreachable!("a SQLite pool holds SQLite transactions"),
                None => Err(DbError::Contended),
            };
            Completion { keep: true, answer: Box::new(move |ended| drop(reply.send(ended.and(outcome)))) }
        });
        self.writer.send(work).await.map_err(|_| DbError::Panicked)?;
        answer.await.map_err(|_| DbError::Panicked)?
    }
}

async fn submit<T, E, F>(queue: &mpsc::Sender<Work>, unit: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> UnitFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let work: Work = Box::new(move |tx| {
        let result = match tx {
            Some(tx) => catch_unwind(AssertUnwindSafe(|| poll_once(unit(tx))))
                .unwrap_or_else(|_| Some(Err(DbError::Panicked.into())))
                .unwrap_or_else(|| Err(DbError::Waited.into())),
            None => Err(DbError::Contended.into()),
        };
        Completion {
            keep: result.is_ok(),
            answer: Box::new(move |committed| {
                let result = match (result, committed) {
                    (Err(error), Ok(())) => Err(error),
                    (Ok(value), Ok(())) => Ok(value),
                    // Nothing of the batch happened, so what the unit itself found does not matter any more.
                    (_, Err(error)) => Err(error.into()),
                };
                // The caller may have gone; the unit stands or falls without it.
                drop(reply.send(result));
            }),
        }
    });
    queue.send(work).await.map_err(|_| DbError::Panicked)?;
    answer.await.map_err(|_| DbError::Panicked)?
}

fn poll_once<T>(mut future: UnitFuture<'_, T>) -> Option<T> {
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn run_writer(mut tx: Tx, mut queue: mpsc::Receiver<Work>, mut checkpoints: Checkpoints) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while queue.blocking_recv_many(&mut waiting, BATCH_MAX) > 0 {
        run_batch(&mut tx, &mut waiting);
        if let TxInner::Sqlite(tx) = &tx.inner {
            checkpoints.after_batch(&tx.connection);
        }
    }
}

fn run_batch(tx: &mut Tx, waiting: &mut Vec<Work>) {
    let mut answers = Vec::with_capacity(waiting.len());
    let mut outcome = tx.command("begin immediate").map_err(Arc::new);
    for work in waiting.drain(..) {
        if outcome.is_ok() {
            outcome = tx.command("savepoint unit").map_err(Arc::new);
        }
        // After a failure nothing may run: without the transaction around it, a statement would commit by itself.
        let completion = work(outcome.is_ok().then_some(&mut *tx));
        if outcome.is_ok() && !completion.keep {
            outcome = tx.command("rollback to unit").map_err(Arc::new);
        }
        if outcome.is_ok() {
            outcome = tx.command("release unit").map_err(Arc::new);
        }
        answers.push(completion.answer);
    }
    if outcome.is_ok() {
        outcome = tx.command("commit").map_err(Arc::new);
    }
    // A full disk or an I/O error may have ended the transaction already; whatever is still open must not stay so.
    if outcome.is_err()
        && !tx.is_autocommit()
        && let Err(error) = tx.command("rollback")
    {
        tracing::error!(error = &error as &dyn std::error::Error, "rolling back a failed batch");
    }
    for answer in answers {
        answer(
            outcome
                .clone()
                .map_err(|error| DbError::Unavailable { context: "committing", source: Box::new(Shared(error)) }),
        );
    }
}

/// One failure, told to every unit of a batch.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Shared(Arc<DbError>);

fn run_reader(mut tx: Tx, queue: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        let work = {
            let mut queue = queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            queue.blocking_recv()
        };
        let Some(work) = work else { return };
        let begun = tx.command("begin deferred");
        let completion = work(begun.is_ok().then_some(&mut tx));
        let ended = begun.and_then(|()| tx.command("commit"));
        if ended.is_err() && !tx.is_autocommit() {
            drop(tx.command("rollback"));
        }
        (completion.answer)(ended);
    }
}

pub(super) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), DbError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|e| unavailable("starting a database thread", e))
}

fn open_writer(path: &Path, config: &DbConfig) -> Result<Connection, DbError> {
    let connection = open_to_write(path)?;
    let pragmas = "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
         pragma cache_size = -24000; pragma temp_store = memory;";
    // A second process that opens the same new file may hold it for a moment while it switches to the write-ahead log.
    let mut tries = 0;
    while let Err(error) = connection.execute_batch(pragmas) {
        tries += 1;
        if tries == 50 {
            return Err(unavailable("configuring the database file", error));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if let Some(pages) = config.sqlite_max_pages {
        connection
            .pragma_update(None, "max_page_count", pages)
            .map_err(|e| unavailable("limiting the database file", e))?;
    }
    Ok(connection)
}

/// For the thread of [`Checkpoints`].
pub(super) fn open_mover(path: &Path) -> Result<Connection, DbError> {
    let connection = open_to_write(path)?;
    connection
        .execute_batch("pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma cache_size = 0;")
        .map_err(|e| unavailable("configuring the mover", e))?;
    Ok(connection)
}

fn open_to_write(path: &Path) -> Result<Connection, DbError> {
    // Each connection stays on its thread, so SQLite need not lock it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|e| unavailable("opening the database file", e))?;
    configure(&connection)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|e| unavailable("opening the database file to read", e))?;
    configure(&connection)?;
    connection.execute_batch("pragma cache_size = -2000;").map_err(|e| unavailable("configuring a reader", e))?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), DbError> {
    connection.busy_timeout(Duration::from_secs(10)).map_err(|e| unavailable("configuring the database", e))?;
    connection.set_prepared_statement_cache_capacity(512);
    // Plans must not depend on bound values: else SQLite parses a statement anew whenever a value that could change its plan does.
    connection
        .set_db_config(DbConfigFlag::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(|e| unavailable("configuring the database", e))?;
    Ok(())
}

pub(super) fn unavailable(context: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> DbError {
    DbError::Unavailable { context, source: Box::new(source) }
}

pub(super) struct SqliteTx {
    connection: Connection,
}

impl Tx {
    fn sqlite(connection: Connection) -> Self {
        Self { inner: TxInner::Sqlite(SqliteTx { connection }) }
    }

    fn command(&mut self, sql: &'static str) -> Result<(), DbError> {
        match &mut self.inner {
            TxInner::Sqlite(tx) => tx.command(sql),
            TxInner::Postgres(_) => unreachable!("a SQLite pool holds SQLite transactions"),
        }
    }

    fn is_autocommit(&self) -> bool {
        matches!(&self.inner, TxInner::Sqlite(tx) if tx.connection.is_autocommit())
    }
}

impl SqliteTx {
    fn command(&mut self, sql: &'static str) -> Result<(), DbError> {
        self.execute(sql, &[]).map(drop)
    }

    pub(super) fn execute(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<u64, DbError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| refused(sql, e))?;
        bind(&mut statement, params).map_err(|e| refused(sql, e))?;
        let changed = statement.raw_execute().map_err(|e| refused(sql, e))?;
        Ok(changed as u64)
    }

    /// A statement that is made while the program runs: not kept prepared.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), DbError> {
        self.connection.execute_batch(sql).map_err(|e| refused(sql, e))
    }

    /// The same for a query.
    pub(super) fn ask<R: FromRow>(&mut self, sql: &str) -> Result<Vec<R>, DbError> {
        let mut statement = self.connection.prepare(sql).map_err(|e| refused(sql, e))?;
        let mut rows = statement.query([]).map_err(|e| refused(sql, e))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| refused(sql, e))? {
            out.push(R::from_row(&Row::Sqlite(row))?);
        }
        Ok(out)
    }

    pub(super) fn fetch_all<R: FromRow>(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<R>, DbError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| refused(sql, e))?;
        bind(&mut statement, params).map_err(|e| refused(sql, e))?;
        let mut rows = statement.raw_query();
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| refused(sql, e))? {
            out.push(R::from_row(&Row::Sqlite(row))?);
        }
        Ok(out)
    }
}

/// SQLite numbers `$1`, `$2` … by first appearance, PostgreSQL by their digits; bind by digits on both.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Param<'_>]) -> rusqlite::Result<()> {
    for index in 1..=statement.parameter_count() {
        let number: usize = statement
            .parameter_name(index)
            .and_then(|name| name.get(1..))
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(index);
        let param = params
            .get(number.wrapping_sub(1))
            .copied()
            .ok_or(rusqlite::Error::InvalidParameterCount(params.len(), statement.parameter_count()))?;
        statement.raw_bind_parameter(index, param)?;
    }
    Ok(())
}

fn refused(sql: &str, error: rusqlite::Error) -> DbError {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    if let rusqlite::Error::SqliteFailure(failure, _) = &error {
        if matches!(failure.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) {
            return DbError::Duplicate(Box::new(error));
        }
        let unavailable = matches!(
            failure.code,
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::DatabaseCorrupt
        );
        if unavailable {
            return DbError::Unavailable { context: "running a statement", source: Box::new(error) };
        }
    }
    DbError::Statement { sql: sql.to_owned(), source: Box::new(error) }
}
