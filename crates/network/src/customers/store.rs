//! Rows of accounts, and of browsers that are remembered.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// An account; its contact is sealed.
    pub(super) struct CustomerRow {
        pub(super) customer_id: String,
        pub(super) market: String,
        pub(super) contact: Vec<u8>,
    }
}

pub(super) async fn insert(tx: &mut Tx, row: &CustomerRow, digest: &str, now: i64) -> Result<(), DbError> {
    let sql = "insert into customers (customer_id, contact_digest, contact, market, created_at)
        values ($1, $2, $3, $4, $5) on conflict do nothing";
    tx.execute(sql, params![&row.customer_id, digest, &row.contact, &row.market, now]).await.map(drop)
}

row! { struct IdRow { customer_id: String } }

pub(super) async fn by_contact(tx: &mut Tx, digest: &str) -> Result<Option<String>, DbError> {
    let sql = "select customer_id from customers where contact_digest = $1";
    Ok(tx.fetch_optional::<IdRow>(sql, params![digest]).await?.map(|row| row.customer_id))
}

pub(super) async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<CustomerRow>, DbError> {
    let sql = "select customer_id, market, contact from customers where customer_id = $1";
    tx.fetch_optional(sql, params![id]).await
}

pub(super) async fn insert_browser(
    tx: &mut Tx,
    secret_hash: &str,
    customer_id: &str,
    expires_at: i64,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into customer_browsers (secret_hash, customer_id, expires_at, created_at)
        values ($1, $2, $3, $4) on conflict do nothing";
    tx.execute(sql, params![secret_hash, customer_id, expires_at, now]).await.map(drop)
}

/// Whose browser it is, within its time.
pub(super) async fn browser(tx: &mut Tx, secret_hash: &str, now: i64) -> Result<Option<String>, DbError> {
    let sql = "select customer_id from customer_browsers where secret_hash = $1 and expires_at > $2";
    Ok(tx.fetch_optional::<IdRow>(sql, params![secret_hash, now]).await?.map(|row| row.customer_id))
}

pub(super) async fn delete_browser(tx: &mut Tx, secret_hash: &str) -> Result<(), DbError> {
    tx.execute("delete from customer_browsers where secret_hash = $1", params![secret_hash]).await.map(drop)
}

/// Those whose time is over.
pub(super) async fn delete_browsers_before(tx: &mut Tx, now: i64) -> Result<(), DbError> {
    tx.execute("delete from customer_browsers where expires_at <= $1", params![now]).await.map(drop)
}
