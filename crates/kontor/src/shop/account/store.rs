//! Tables `accounts`, `sessions` and `orders`.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A shopper, as far as the shop knows them.
    pub struct Account {
        pub account_id: String,
        pub name: Option<String>,
        pub email: Option<String>,
        /// Whether Klarna said who they are.
        pub subject: Option<String>,
    }
}

/// The account of a browser.
pub async fn of_session(tx: &mut Tx, digest: &str, now: i64) -> Result<Option<Account>, DbError> {
    let sql =
        "select a.account_id, a.name, a.email, a.subject from sessions s join accounts a on a.account_id = s.account_id
        where s.session_digest = $1 and s.expires_at > $2";
    tx.fetch_optional(sql, params![digest, now]).await
}

/// The account of a person whom Klarna names by this subject, with what it says of them now; made if there is none.
pub async fn of_subject_or_new(
    tx: &mut Tx,
    fresh: &str,
    (subject, name, email): (&str, Option<&str>, Option<&str>),
    now: i64,
) -> Result<String, DbError> {
    row! { struct IdRow { account_id: String } }
    let sql = "insert into accounts (account_id, subject, name, email, created_at) values ($1, $2, $3, $4, $5)
        on conflict (subject) where subject is not null do update set name = excluded.name, email = excluded.email
        returning account_id";
    let row: Option<IdRow> = tx.fetch_optional(sql, params![fresh, subject, name, email, now]).await?;
    Ok(row.map_or_else(|| fresh.to_owned(), |row| row.account_id))
}

pub async fn insert(tx: &mut Tx, account_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "insert into accounts (account_id, created_at) values ($1, $2)";
    tx.execute(sql, params![account_id, now]).await.map(drop)
}

pub async fn begin_session(
    tx: &mut Tx,
    digest: &str,
    account_id: &str,
    now: i64,
    expires_at: i64,
) -> Result<(), DbError> {
    let sql = "insert into sessions (session_digest, account_id, created_at, expires_at) values ($1, $2, $3, $4)
        on conflict (session_digest) do update set account_id = excluded.account_id";
    tx.execute(sql, params![digest, account_id, now, expires_at]).await.map(drop)
}

pub async fn end_session(tx: &mut Tx, digest: &str) -> Result<(), DbError> {
    tx.execute("delete from sessions where session_digest = $1", params![digest]).await.map(drop)
}

/// Notes an order; noted twice, it stands once.
pub async fn note_order(tx: &mut Tx, account_id: &str, payment_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "insert into orders (account_id, payment_id, created_at) values ($1, $2, $3)
        on conflict (account_id, payment_id) do nothing";
    tx.execute(sql, params![account_id, payment_id, now]).await.map(drop)
}

/// Latest first.
pub async fn orders(tx: &mut Tx, account_id: &str, limit: i64) -> Result<Vec<String>, DbError> {
    row! { struct OrderRow { payment_id: String } }
    let sql = "select payment_id from orders where account_id = $1 order by created_at desc, payment_id desc limit $2";
    let rows: Vec<OrderRow> = tx.fetch_all(sql, params![account_id, limit]).await?;
    Ok(rows.into_iter().map(|row| row.payment_id).collect())
}
