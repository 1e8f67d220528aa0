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

/// Everything that a database holds, in pieces with their names: files where it is embedded, columns (every value of every table, a line
/// each) where a server keeps it. To be searched for what must not be readable.
///
/// # Errors
/// [`DbError`].
pub async fn held(config: &DbConfig) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let Some(path) = config.sqlite_path() else { return columns(&config.url).await };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let files = path.parent().and_then(|folder| folder.read_dir().ok()).into_iter().flatten().flatten();
    // The log of what was written stands beside the file; what the database removes as it closes is not there to be read.
    let read = |entry: std::fs::DirEntry| {
        let file = entry.file_name().to_string_lossy().into_owned();
        file.starts_with(&name).then(|| std::fs::read(entry.path()).ok().map(|bytes| (file, bytes))).flatten()
    };
    Ok(files.filter_map(read).collect())
}

async fn columns(url: &str) -> Result<Vec<(String, Vec<u8>)>, DbError> {
    let refused = |source: tokio_postgres::Error| DbError::Unavailable {
        context: "reading all that a database holds",
        source: Box::new(source),
    };
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.map_err(refused)?;
    let connection = tokio::spawn(connection);
    let listed = "select table_name::text, column_name::text, udt_name::text from information_schema.columns
        where table_schema = 'public' order by table_name, ordinal_position";
    let mut pieces = Vec::new();
    for row in client.query(listed, &[]).await.map_err(refused)? {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let value =
            if kind == "bytea" { format!("\"{column}\"") } else { format!("convert_to(\"{column}\"::text, 'UTF8')") };
        let sql = format!("select {value} from \"{table}\" where \"{column}\" is not null");
        let mut bytes = Vec::new();
        for row in client.query(sql.as_str(), &[]).await.map_err(refused)? {
            bytes.extend_from_slice(row.get(0));
            bytes.push(b'\n');
        }
        pieces.push((format!("{table}.{column}"), bytes));
    }
    drop(client);
    drop(connection.await);
    Ok(pieces)
}

/// The names of the pieces that show a text.
pub fn showing<'p>(pieces: &'p [(String, Vec<u8>)], text: &str) -> Vec<&'p str> {
    let shows = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    pieces.iter().filter(|(_, bytes)| shows(bytes)).map(|(name, _)| name.as_str()).collect()
}

async fn open(config: DbConfig, folder: Option<PathBuf>, sets: &[Migrations]) -> Result<TestDb, DbError> {
    let db = Db::open(&config).await?;
    db.migrate(sets).await?;
    Ok(TestDb { db, config, folder })
}
