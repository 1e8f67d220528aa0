//! Rows of API keys and client identifiers.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A key with the account that it belongs to.
    pub(crate) struct ApiKeyRow {
        pub account_id: String,
        pub credential_id: String,
        pub key_hash: Vec<u8>,
        pub state: String,
        pub last_used_at: Option<i64>,
        pub kind: String,
        pub acquiring_partner_id: Option<String>,
    }
}

pub(crate) async fn api_key_by_hash(tx: &mut Tx, hash: &[u8]) -> Result<Option<ApiKeyRow>, DbError> {
    let sql =
        "select k.account_id, k.credential_id, k.key_hash, k.state, k.last_used_at, a.kind, a.acquiring_partner_id
        from api_keys k join accounts a on a.account_id = k.account_id where k.key_hash = $1";
    tx.fetch_optional(sql, params![hash]).await
}

pub(crate) async fn insert_api_key(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    hash: &[u8],
    description: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into api_keys (account_id, credential_id, key_hash, description, state, created_at, updated_at)
        values ($1, $2, $3, $4, 'ACTIVE', $5, $5)";
    tx.execute(sql, params![account, credential_id, hash, description, now]).await.map(drop)
}

pub(crate) async fn disable_api_key(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    now: i64,
) -> Result<bool, DbError> {
    let sql = "update api_keys set state = 'DISABLED', updated_at = $3
        where account_id = $1 and credential_id = $2 and state = 'ACTIVE'";
    Ok(tx.execute(sql, params![account, credential_id, now]).await? > 0)
}

pub(crate) async fn note_use(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    now: i64,
    since: i64,
) -> Result<(), DbError> {
    let sql = "update api_keys set last_used_at = $3
        where account_id = $1 and credential_id = $2 and (last_used_at is null or last_used_at <= $4)";
    tx.execute(sql, params![account, credential_id, now, since]).await.map(drop)
}

pub(crate) async fn insert_client_identifier(
    tx: &mut Tx,
    account: &str,
    credential_id: &str,
    client_id: &str,
    description: &str,
    now: i64,
) -> Result<(), DbError> {
    let sql = "insert into client_identifiers (account_id, credential_id, client_id, description, state, created_at,
        updated_at) values ($1, $2, $3, $4, 'ACTIVE', $5, $5)";
    tx.execute(sql, params![account, credential_id, client_id, description, now]).await.map(drop)
}
