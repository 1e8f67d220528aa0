//! Rows of keys, grants, customer tokens, SDK tokens and shopping sessions.

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
    pub(crate) struct NamedKeyRow { pub(crate) name: String, pub(crate) sealed: Vec<u8>, pub(crate) created_at: i64 }
}

/// Those whose names begin with this, the oldest first.
pub(crate) async fn keys_of(tx: &mut Tx, prefix: &str) -> Result<Vec<NamedKeyRow>, DbError> {
    let sql = "select name, sealed, created_at from network_keys where name like $1 order by created_at, name";
    tx.fetch_all(sql, params![&format!("{prefix}%")]).await
}

pub(crate) async fn delete_keys(tx: &mut Tx, names: &[String]) -> Result<(), DbError> {
    for name in names {
        tx.execute("delete from network_keys where name = $1", params![name]).await?;
    }
    Ok(())
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
        pub(crate) customer_id: Option<String>,
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
        "insert into customer_tokens (account_id, token_id, token_hash, sealed, reference, scopes, persona, customer_id,
            state, issued_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values = params![
        &row.account_id,
        &row.token_id,
        token_hash,
        &row.sealed,
        &row.reference,
        &row.scopes,
        &row.persona,
        &row.customer_id,
        &row.state,
        row.issued_at
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn customer_token_by_hash(tx: &mut Tx, hash: &str) -> Result<Option<CustomerTokenRow>, DbError> {
    let sql = "select account_id, token_id, sealed, reference, scopes, persona, customer_id, state, issued_at
        from customer_tokens where token_hash = $1";
    tx.fetch_optional(sql, params![hash]).await
}

pub(crate) async fn customer_token(
    tx: &mut Tx,
    account: &str,
    token_id: &str,
) -> Result<Option<CustomerTokenRow>, DbError> {
    let sql = "select account_id, token_id, sealed, reference, scopes, persona, customer_id, state, issued_at
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

row! { struct SpenderRow { spent_by: Option<String> } }

/// What a grant was spent on.
pub(crate) async fn spent_by(tx: &mut Tx, account: &str, grant_id: &str) -> Result<Option<String>, DbError> {
    let sql = "select spent_by from grants where account_id = $1 and grant_id = $2 and state = 'SPENT'";
    Ok(tx.fetch_optional::<SpenderRow>(sql, params![account, grant_id]).await?.and_then(|row| row.spent_by))
}

row! {
    /// What an SDK token stands for.
    pub(crate) struct SdkTokenRow {
        pub(crate) account_id: String,
        pub(crate) region: String,
        pub(crate) claims: String,
    }
}

pub(crate) async fn insert_sdk_token(
    tx: &mut Tx,
    row: &SdkTokenRow,
    token_hash: &str,
    (issued_at, expires_at): (i64, i64),
) -> Result<(), DbError> {
    let sql = "insert into sdk_tokens (account_id, token_hash, region, claims, issued_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)";
    let values = params![&row.account_id, token_hash, &row.region, &row.claims, issued_at, expires_at];
    tx.execute(sql, values).await.map(drop)
}

/// Uses a token if nobody has and its time is not over.
pub(crate) async fn use_sdk_token(tx: &mut Tx, token_hash: &str, now: i64) -> Result<Option<SdkTokenRow>, DbError> {
    let sql = "update sdk_tokens set used_at = $2
        where token_hash = $1 and used_at is null and expires_at > $2
        returning account_id, region, claims";
    tx.fetch_optional(sql, params![token_hash, now]).await
}

/// Those whose time is over.
pub(crate) async fn delete_sdk_tokens(tx: &mut Tx, account: &str, now: i64) -> Result<(), DbError> {
    let sql = "delete from sdk_tokens where account_id = $1 and expires_at <= $2";
    tx.execute(sql, params![account, now]).await.map(drop)
}

row! {
    /// A shopping session as stored.
    pub(crate) struct ShoppingSessionRow {
        pub(crate) account_id: String,
        pub(crate) session_id: String,
        pub(crate) purchase_reference: Option<String>,
        pub(crate) sealed: Vec<u8>,
        pub(crate) created_at: i64,
        pub(crate) expires_at: i64,
    }
}

pub(crate) async fn insert_shopping_session(tx: &mut Tx, row: &ShoppingSessionRow) -> Result<(), DbError> {
    let sql =
        "insert into shopping_sessions (account_id, session_id, purchase_reference, sealed, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6)";
    let values =
        params![&row.account_id, &row.session_id, &row.purchase_reference, &row.sealed, row.created_at, row.expires_at];
    tx.execute(sql, values).await.map(drop)
}

pub(crate) async fn shopping_session(
    tx: &mut Tx,
    account: &str,
    session_id: &str,
) -> Result<Option<ShoppingSessionRow>, DbError> {
    let sql = "select account_id, session_id, purchase_reference, sealed, created_at, expires_at
        from shopping_sessions where account_id = $1 and session_id = $2";
    tx.fetch_optional(sql, params![account, session_id]).await
}

row! { struct SessionIdRow { session_id: String } }

/// The latest session that was made for a purchase and is not over.
pub(crate) async fn shopping_session_of_purchase(
    tx: &mut Tx,
    account: &str,
    purchase_reference: &str,
    now: i64,
) -> Result<Option<String>, DbError> {
    let sql = "select session_id from shopping_sessions
        where account_id = $1 and purchase_reference = $2 and expires_at > $3
        order by created_at desc, session_id desc limit 1";
    let row = tx.fetch_optional::<SessionIdRow>(sql, params![account, purchase_reference, now]).await?;
    Ok(row.map(|row| row.session_id))
}
