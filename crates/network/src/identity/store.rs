//! Rows of sign-ins under way, of grants with their codes, and of tokens.

use kit::db::{DbError, Tx};
use kit::{params, row};

row! {
    /// A sign-in under way; the contact is sealed.
    pub(super) struct SignInRow {
        pub(super) account_id: String,
        pub(super) asked: String,
        pub(super) step: String,
        pub(super) contact: Option<Vec<u8>>,
        pub(super) wrong_codes: i64,
    }
}

pub(super) async fn insert_sign_in(
    tx: &mut Tx,
    (id, secret_hash): (&str, &str),
    row: &SignInRow,
    expires_at: i64,
    now: i64,
) -> Result<(), DbError> {
    let sql =
        "insert into sign_ins (account_id, sign_in_id, secret_hash, asked, step, contact, wrong_codes, expires_at,
            created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = params![
        &row.account_id,
        id,
        secret_hash,
        &row.asked,
        &row.step,
        &row.contact,
        row.wrong_codes,
        expires_at,
        now
    ];
    tx.execute(sql, values).await.map(drop)
}

/// Reads a sign-in for the browser that began it, and holds it: a second submit of the same form waits for the first.
pub(super) async fn hold_sign_in(
    tx: &mut Tx,
    (id, secret_hash): (&str, &str),
    now: i64,
) -> Result<Option<SignInRow>, DbError> {
    let sql = "update sign_ins set wrong_codes = wrong_codes
        where sign_in_id = $1 and secret_hash = $2 and expires_at > $3 and ended_at is null
        returning account_id, asked, step, contact, wrong_codes";
    tx.fetch_optional(sql, params![id, secret_hash, now]).await
}

pub(super) async fn update_sign_in(tx: &mut Tx, id: &str, row: &SignInRow) -> Result<(), DbError> {
    let sql = "update sign_ins set step = $3, contact = $4, wrong_codes = $5 where account_id = $1 and sign_in_id = $2";
    tx.execute(sql, params![&row.account_id, id, &row.step, &row.contact, row.wrong_codes]).await.map(drop)
}

/// It is answered: nobody can go on with it.
pub(super) async fn end_sign_in(tx: &mut Tx, account: &str, id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update sign_ins set ended_at = $3, contact = null where account_id = $1 and sign_in_id = $2";
    tx.execute(sql, params![account, id, now]).await.map(drop)
}

row! {
    /// A sign-in that is over, and not forgotten yet.
    pub(super) struct PastRow {
        pub(super) account_id: String,
        pub(super) asked: String,
        pub(super) ended_at: Option<i64>,
    }
}

/// Reads one for the browser that began it.
pub(super) async fn past_sign_in(tx: &mut Tx, (id, secret_hash): (&str, &str)) -> Result<Option<PastRow>, DbError> {
    let sql = "select account_id, asked, ended_at from sign_ins where sign_in_id = $1 and secret_hash = $2";
    tx.fetch_optional(sql, params![id, secret_hash]).await
}

row! {
    /// What a person agreed to. Scopes are separated by spaces.
    pub(super) struct GrantRow {
        pub(super) account_id: String,
        pub(super) grant_id: String,
        pub(super) client_id: String,
        pub(super) region: String,
        pub(super) customer_id: String,
        pub(super) customer_token_id: String,
        pub(super) scopes: String,
        pub(super) redirect_uri: String,
        pub(super) nonce: Option<String>,
        pub(super) code_challenge: Option<String>,
        pub(super) code_expires_at: i64,
        pub(super) code_used_at: Option<i64>,
        pub(super) signed_in_at: i64,
        pub(super) revoked_at: Option<i64>,
    }
}

pub(super) async fn insert_grant(tx: &mut Tx, row: &GrantRow, code_hash: &str, now: i64) -> Result<(), DbError> {
    let sql =
        "insert into sign_in_grants (account_id, grant_id, client_id, region, customer_id, customer_token_id, scopes,
            redirect_uri, nonce, code_challenge, code_hash, code_expires_at, signed_in_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let values = params![
        &row.account_id,
        &row.grant_id,
        &row.client_id,
        &row.region,
        &row.customer_id,
        &row.customer_token_id,
        &row.scopes,
        &row.redirect_uri,
        &row.nonce,
        &row.code_challenge,
        code_hash,
        row.code_expires_at,
        row.signed_in_at,
        now
    ];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn grant_by_code(tx: &mut Tx, code_hash: &str) -> Result<Option<GrantRow>, DbError> {
    let sql =
        "select account_id, grant_id, client_id, region, customer_id, customer_token_id, scopes, redirect_uri, nonce,
            code_challenge, code_expires_at, code_used_at, signed_in_at, revoked_at
        from sign_in_grants where code_hash = $1";
    tx.fetch_optional(sql, params![code_hash]).await
}

pub(super) async fn grant(tx: &mut Tx, account: &str, grant_id: &str) -> Result<Option<GrantRow>, DbError> {
    let sql =
        "select account_id, grant_id, client_id, region, customer_id, customer_token_id, scopes, redirect_uri, nonce,
            code_challenge, code_expires_at, code_used_at, signed_in_at, revoked_at
        from sign_in_grants where account_id = $1 and grant_id = $2";
    tx.fetch_optional(sql, params![account, grant_id]).await
}

/// Those that a person gave a client and that were not taken back.
pub(super) async fn grants_of(
    tx: &mut Tx,
    account: &str,
    client_id: &str,
    customer_id: &str,
) -> Result<Vec<GrantRow>, DbError> {
    let sql =
        "select account_id, grant_id, client_id, region, customer_id, customer_token_id, scopes, redirect_uri, nonce,
            code_challenge, code_expires_at, code_used_at, signed_in_at, revoked_at
        from sign_in_grants
        where account_id = $1 and client_id = $2 and customer_id = $3 and revoked_at is null
        order by created_at desc limit 20";
    tx.fetch_all(sql, params![account, client_id, customer_id]).await
}

/// Uses a code if nobody has: of two exchanges of the same, one gets it.
pub(super) async fn use_code(tx: &mut Tx, account: &str, grant_id: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update sign_in_grants set code_used_at = $3
        where account_id = $1 and grant_id = $2 and code_used_at is null and revoked_at is null";
    Ok(tx.execute(sql, params![account, grant_id, now]).await? > 0)
}

pub(super) async fn revoke_grant(tx: &mut Tx, account: &str, grant_id: &str, now: i64) -> Result<(), DbError> {
    let sql = "update sign_in_grants set revoked_at = $3
        where account_id = $1 and grant_id = $2 and revoked_at is null";
    tx.execute(sql, params![account, grant_id, now]).await.map(drop)
}

row! {
    /// An access or a refresh token.
    pub(super) struct TokenRow {
        pub(super) account_id: String,
        pub(super) grant_id: String,
        pub(super) kind: String,
        pub(super) expires_at: i64,
        pub(super) used_at: Option<i64>,
    }
}

pub(super) async fn insert_token(tx: &mut Tx, row: &TokenRow, token_hash: &str, now: i64) -> Result<(), DbError> {
    let sql = "insert into sign_in_tokens (account_id, token_hash, grant_id, kind, expires_at, created_at)
        values ($1, $2, $3, $4, $5, $6)";
    let values = params![&row.account_id, token_hash, &row.grant_id, &row.kind, row.expires_at, now];
    tx.execute(sql, values).await.map(drop)
}

pub(super) async fn token(tx: &mut Tx, token_hash: &str) -> Result<Option<TokenRow>, DbError> {
    let sql = "select account_id, grant_id, kind, expires_at, used_at from sign_in_tokens where token_hash = $1";
    tx.fetch_optional(sql, params![token_hash]).await
}

/// Uses a refresh token if nobody has.
pub(super) async fn use_token(tx: &mut Tx, token_hash: &str, now: i64) -> Result<bool, DbError> {
    let sql = "update sign_in_tokens set used_at = $2 where token_hash = $1 and used_at is null and expires_at > $2";
    Ok(tx.execute(sql, params![token_hash, now]).await? > 0)
}

/// What of an account is over: of sign-ins that nobody finished the contact, and all of them after a while; tokens that nobody can use.
pub(super) async fn delete_expired(tx: &mut Tx, account: &str, now: i64, forgotten_before: i64) -> Result<(), DbError> {
    let contacts =
        "update sign_ins set contact = null where account_id = $1 and expires_at <= $2 and contact is not null";
    tx.execute(contacts, params![account, now]).await?;
    let sign_ins = "delete from sign_ins where account_id = $1 and expires_at <= $2";
    tx.execute(sign_ins, params![account, forgotten_before]).await?;
    let tokens = "delete from sign_in_tokens where account_id = $1 and expires_at <= $2";
    tx.execute(tokens, params![account, now]).await.map(drop)
}
