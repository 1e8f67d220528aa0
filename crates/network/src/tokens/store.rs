//! Rows of keys, grants and customer tokens.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! { pub(crate) struct KeyRow { pub(crate) sealed: Vec<u8> } }

pub(crate) async fn key(tx: &mut Tx, name: &str) -> Result<Option<Vec<u8>>, DbError> {
    let sql = "select sealed from network_keys where name = $1";
    Ok(tx.fetch_optional::<KeyRow>(sql, params![name]).await?.map(|row| row.sealed))
}

pub(crate) async fn insert_key(tx: &mut Tx, name: &str, sealed: &[u8], now: i64) -> Result<(), DbError> {
    let sql = "insert into network_keys (name, sealed, created_at) values ($1, $2, $3) on conflict do nothing";
    tx.execute(sql, params![name, sealed, now]).await.map(drop)
}

row! {
    /// A grant as stored.
    pub(crate) struct GrantRow {
        pub(crate) account_id: String,
        pub(crate) grant_id: String,
        pub(crate) kind: String,
        pub(crate) state: String,
        pub(crate) region: String,
        pub(crate) request_id: Option<String>,
        pub(crate) customer_token_id: Option<String>,
        pub(crate) currency: Option<String>,
        pub(crate) amount: Option<i64>,
        pub(crate) persona: Option<String>,
        pub(crate) issued_at: i64,
        pub(crate) expires_at: i64,
    }
}

pub(crate) async fn insert_grant(tx: &mut Tx, row: &GrantRow) -> Result<(), DbError> {
    let sql = "insert into grants (account_id, grant_id, kind, state, region, request_id, customer_token_id, currency,
            amount, persona, issued_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let values = params![
        &row.account_id,
        &row.grant_id,
        &row.kind,
        &row.state,
        &row.region,
        &row.request_id,
        &row.customer_token_id,
        &row.currency,
        row.amount,
        &row.persona,
        row.issued_at,
        row.expires_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn grant(tx: &mut Tx, account: &str, grant_id: &str) -> Result<Option<GrantRow>, DbError> {
    let sql =
        "select account_id, grant_id, kind, state, region, request_id, customer_token_id, currency, amount, persona,
            issued_at, expires_at
        from grants where account_id = $1 and grant_id = $2";
    tx.fetch_optional(sql, params![account, grant_id]).await
}

/// Spends a grant if nobody has and its time is not over: of two calls that spend the same, one gets the row.
pub(crate) async fn spend_grant(
    tx: &mut Tx,
    account: &str,
    grant_id: &str,
    spent_by: Option<&str>,
    now: i64,
) -> Result<Option<GrantRow>, DbError> {
    let sql = "update grants set state = 'SPENT', ended_at = $3, spent_by = $4
        where account_id = $1 and grant_id = $2 and state = 'SPENDABLE' and expires_at > $3
        returning account_id, grant_id, kind, state, region, request_id, customer_token_id, currency, amount, persona,
            issued_at, expires_at";
    tx.fetch_optional(sql, params![account, grant_id, now, spent_by]).await
}

/// Takes a grant back unless it is spent; says whether it was there to be taken.
pub(crate) async fn cancel_grant(tx: &mut Tx, account: &str, grant_id: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update grants set state = 'CANCELED', ended_at = $3
        where account_id = $1 and grant_id = $2 and state = 'SPENDABLE'";
    Ok(tx.execute(sql, params![account, grant_id, now]).await? > 0)
}

row! {
    /// A customer token as stored.
    pub(crate) struct CustomerTokenRow {
        pub(crate) account_id: String,
        pub(crate) token_id: String,
        pub(crate) sealed: Vec<u8>,
        pub(crate) reference: Option<String>,
        pub(crate) scopes: String,
        pub(crate) persona: Option<String>,
        pub(crate) state: String,
        pub(crate) issued_at: i64,
    }
}

pub(crate) async fn insert_customer_token(
    tx: &mut Tx,
    row: &CustomerTokenRow,
    token_hash: &str,
) -> Result<(), DbError> {
    let sql =
        "insert into customer_tokens (account_id, token_id, token_hash, sealed, reference, scopes, persona, state,
            issued_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = params![
        &row.account_id,
        &row.token_id,
        token_hash,
        &row.sealed,
        &row.reference,
        &row.scopes,
        &row.persona,
        &row.state,
        row.issued_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn customer_token_by_hash(tx: &mut Tx, hash: &str) -> Result<Option<CustomerTokenRow>, DbError> {
    let sql = "select account_id, token_id, sealed, reference, scopes, persona, state, issued_at
        from customer_tokens where token_hash = $1";
    tx.fetch_optional(sql, params![hash]).await
}

pub(crate) async fn customer_token(
    tx: &mut Tx,
    account: &str,
    token_id: &str,
) -> Result<Option<CustomerTokenRow>, DbError> {
    let sql = "select account_id, token_id, sealed, reference, scopes, persona, state, issued_at
        from customer_tokens where account_id = $1 and token_id = $2";
    tx.fetch_optional(sql, params![account, token_id]).await
}

/// Says whether it was active until now.
pub(crate) async fn revoke_customer_token(
    tx: &mut Tx,
    account: &str,
    token_id: &str,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update customer_tokens set state = 'REVOKED', revoked_at = $3
        where account_id = $1 and token_id = $2 and state = 'ACTIVE'";
    Ok(tx.execute(sql, params![account, token_id, now]).await? > 0)
}
