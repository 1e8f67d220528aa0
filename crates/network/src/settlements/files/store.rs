//! Rows of files and their pieces.

use kit::db::{DbError, Tx};
use kit::{params, row};

/// Every column of a file, in the order of [`FileRow`].
macro_rules! columns {
    () => {
        "account_id, file_name, settlement_id, format, version, size, lines, created_at, modified_at, completed_at"
    };
}

row! {
    /// A file, whole or on its way.
    pub(crate) struct FileRow {
        pub account_id: String,
        pub file_name: String,
        pub settlement_id: String,
        pub format: String,
        pub version: i64,
        /// In bytes, so far.
        pub size: i64,
        /// Of its settlement, that are in it.
        pub lines: i64,
        pub created_at: i64,
        pub modified_at: i64,
        pub completed_at: Option<i64>,
    }
}

pub(super) async fn insert(tx: &mut Tx, row: &FileRow) -> Result<(), DbError> {
    let sql =
        concat!("insert into settlement_files (", columns!(), ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    let values = params![
        &row.account_id,
        &row.file_name,
        &row.settlement_id,
        &row.format,
        row.version,
        row.size,
        row.lines,
        row.created_at,
        row.modified_at,
        row.completed_at
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Takes a file of a settlement that is not whole, and keeps others from it until the end of the transaction. The one for people
/// comes first (`pdf` is behind `csv`).
pub(super) async fn lock_unfinished(tx: &mut Tx, account: &str, settlement: &str) -> Result<Option<FileRow>, DbError> {
    let sql = concat!(
        "update settlement_files set version = version + 1
        where account_id = $1 and file_name = (select file_name from settlement_files
            where account_id = $1 and settlement_id = $2 and completed_at is null order by format desc limit 1)
        returning ",
        columns!()
    );
    tx.fetch_optional(sql, params![account, settlement]).await
}

/// Writes down how far a file is.
pub(super) async fn save(tx: &mut Tx, row: &FileRow) -> Result<(), DbError> {
    let sql = "update settlement_files set size = $4, lines = $5, modified_at = $6, completed_at = $7
        where account_id = $1 and file_name = $2 and version = $3";
    let values =
        params![&row.account_id, &row.file_name, row.version, row.size, row.lines, row.modified_at, row.completed_at];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn insert_piece(
    tx: &mut Tx,
    account: &str,
    file_name: &str,
    at: i64,
    content: &[u8],
) -> Result<(), DbError> {
    let sql = "insert into settlement_file_pieces (account_id, file_name, at, content) values ($1, $2, $3, $4)";
    tx.execute(sql, params![account, file_name, at, content]).await.map(drop)
}

/// Files of an account by their names, from behind `after`.
pub(super) async fn list(tx: &mut Tx, account: &str, after: &str, limit: i64) -> Result<Vec<FileRow>, DbError> {
    let sql = concat!(
        "select ",
        columns!(),
        " from settlement_files where account_id = $1 and file_name > $2 order by file_name limit $3"
    );
    tx.fetch_all(sql, params![account, after, limit]).await
}

pub(super) async fn file(tx: &mut Tx, account: &str, file_name: &str) -> Result<Option<FileRow>, DbError> {
    let sql = concat!("select ", columns!(), " from settlement_files where account_id = $1 and file_name = $2");
    tx.fetch_optional(sql, params![account, file_name]).await
}

row! {
    /// A piece of a file.
    pub(super) struct PieceRow { pub(super) at: i64, pub(super) content: Vec<u8> }
}

/// The pieces that begin behind `after` and before `until`.
pub(super) async fn pieces(
    tx: &mut Tx,
    account: &str,
    file_name: &str,
    (after, until): (i64, i64),
) -> Result<Vec<PieceRow>, DbError> {
    let sql = "select at, content from settlement_file_pieces
        where account_id = $1 and file_name = $2 and at > $3 and at < $4 order by at";
    tx.fetch_all(sql, params![account, file_name, after, until]).await
}

/// Files that were begun before `before`, oldest first.
pub(super) async fn old(tx: &mut Tx, before: i64, limit: i64) -> Result<Vec<FileRow>, DbError> {
    let sql =
        concat!("select ", columns!(), " from settlement_files where created_at < $1 order by created_at limit $2");
    tx.fetch_all(sql, params![before, limit]).await
}

pub(super) async fn delete(tx: &mut Tx, account: &str, file_name: &str) -> Result<(), DbError> {
    let sql = "delete from settlement_file_pieces where account_id = $1 and file_name = $2";
    tx.execute(sql, params![account, file_name]).await?;
    let sql = "delete from settlement_files where account_id = $1 and file_name = $2";
    tx.execute(sql, params![account, file_name]).await.map(drop)
}
