//! The installation's row, and the secrets that were made when its database was empty.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// How this start stands among those before it.
    pub(crate) struct InstallationRow { pub boots: i64, pub clock_offset_us: i64 }
}

/// Counts a start.
pub(crate) async fn boot(tx: &mut Tx, now: i64) -> Result<InstallationRow, DbError> {
    let sql = "insert into installation (id, boots, clock_offset_us, created_at) values ('network', 1, 0, $1)
        on conflict (id) do update set boots = installation.boots + 1 returning boots, clock_offset_us";
    tx.fetch_one(sql, params![now]).await
}

/// Makes others that would seed wait for this transaction.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), DbError> {
    tx.execute("update installation set boots = boots where id = 'network'", &[]).await.map(drop)
}

row! { struct OffsetRow { clock_offset_us: i64 } }

pub(crate) async fn clock_offset(tx: &mut Tx) -> Result<i64, DbError> {
    let sql = "select clock_offset_us from installation where id = 'network'";
    Ok(tx.fetch_one::<OffsetRow>(sql, &[]).await?.clock_offset_us)
}

/// Moves the stored clock; never back, even when two processes move it at once.
pub(crate) async fn set_clock_offset(tx: &mut Tx, offset_us: i64) -> Result<i64, DbError> {
    let sql =
        "update installation set clock_offset_us = case when clock_offset_us > $1 then clock_offset_us else $1 end
        where id = 'network' returning clock_offset_us";
    Ok(tx.fetch_one::<OffsetRow>(sql, params![offset_us]).await?.clock_offset_us)
}

row! { struct SealedRow { sealed: Vec<u8> } }

pub(crate) async fn secret(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>, DbError> {
    let sql = "select sealed from seed_secrets where name = $1";
    Ok(tx.fetch_optional::<SealedRow>(sql, params![name]).await?.map(|row| row.sealed))
}

pub(crate) async fn insert_secret(tx: &mut Tx, name: &str, sealed: &[u8], now: i64) -> Result<(), DbError> {
    let sql = "insert into seed_secrets (name, sealed, created_at) values ($1, $2, $3)";
    tx.execute(sql, params![name, sealed, now]).await.map(drop)
}

/// Puts the stored clock where it was: with everything else, and not by itself.
pub(crate) async fn put_clock_offset(tx: &mut Tx, offset_us: i64) -> Result<(), DbError> {
    let sql = "update installation set clock_offset_us = $1 where id = 'network'";
    tx.execute(sql, params![offset_us]).await.map(drop)
}
