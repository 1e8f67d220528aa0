//! Databases for tests: a new one each time, on both engines.

use std::path::PathBuf;

use crate::db::{Db, DbConfig, DbError, Migrations};
use crate::random::Random;

/// Names the server on which tests make their databases. Without it, tests that need PostgreSQL are passed over.
pub const POSTGRES_URL: &str = "KONTOR_TEST_POSTGRES_URL";

/// A new, migrated database, and what must live as long as it does.
pub struct TestDb {
    /// The database.
    pub db: Db,
    /// How to open it again.
    pub config: DbConfig,
    folder: Option<PathBuf>,
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            drop(std::fs::remove_dir_all(folder));
        }
    }
}

/// A new SQLite database in a temporary folder.
///
/// # Errors
/// [`DbError`].
pub async fn sqlite(sets: &[Migrations]) -> Result<TestDb, DbError> {
    let folder = std::env::temp_dir().join(format!("kontor-test-{}", Random::system().alphanumeric(16)));
    let config = DbConfig::new(format!("sqlite:{}", folder.join("test.db").display()));
    open(config, Some(folder), sets).await
}

/// A new PostgreSQL database, or `None` (said on stderr) where no server was named.
///
/// # Errors
/// [`DbError`].
pub async fn postgres(sets: &[Migrations]) -> Result<Option<TestDb>, DbError> {
    let Ok(server) = std::env::var(POSTGRES_URL) else {
        eprintln!("passed over: {POSTGRES_URL} names no server");
        return Ok(None);
    };
    let url = new_postgres_database(&server).await?;
    let mut config = DbConfig::new(url);
    config.pool_size = 8;
    open(config, None, sets).await.map(Some)
}

/// Makes a database with a new name on the server and returns its url.
///
/// # Errors
/// [`DbError`].
pub async fn new_postgres_database(server: &str) -> Result<String, DbError> {
    let name = format!("kontor_{}", Random::system().text(b"abcdefghijklmnopqrstuvwxyz", 16));
    let refused = |source: tokio_postgres::Error| DbError::Unavailable {
        context: "making a test database",
        source: Box::new(source),
    };
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.map_err(refused)?;
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.map_err(refused)?;
    drop(client);
    drop(connection.await);
    let mut url = url::Url::parse(server).map_err(|error| DbError::Url(error.to_string()))?;
    url.set_path(&name);
    Ok(url.to_string())
}

async fn open(config: DbConfig, folder: Option<PathBuf>, sets: &[Migrations]) -> Result<TestDb, DbError> {
    let db = Db::open(&config).await?;
    db.migrate(sets).await?;
    Ok(TestDb { db, config, folder })
}
